//! Listings of local folders and of a store in memory.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::lake::stores::Stores;
use datafusion::execution::object_store::ObjectStoreRegistry;
use object_store::PutPayload;
use object_store::memory::InMemory;
use std::collections::BTreeMap;
use std::time::Duration;

fn listings() -> Listings {
    Listings::new(Arc::new(Stores::new(BTreeMap::new()).unwrap()), Duration::ZERO)
}

async fn tree_of(objects: &[(&str, usize)], target: CrawlerTarget) -> (Tree, Listed) {
    let store = InMemory::new();
    for (path, size) in objects {
        store.put(&Path::from(*path), PutPayload::from(vec![b'x'; *size])).await.unwrap();
    }
    let listings = listings();
    listings.stores().register_store(&"s3://b".parse().unwrap(), Arc::new(store));
    let listed = Listed::default();
    (list(&listings, &target, &listed).await.unwrap(), listed)
}

fn target(path: &str) -> CrawlerTarget {
    CrawlerTarget { path: path.to_owned(), ..CrawlerTarget::default() }
}

fn names(files: &[ObjectMeta]) -> Vec<&str> {
    files.iter().map(|file| file.location.filename().unwrap()).collect()
}

#[tokio::test]
async fn folders_with_what_is_data_in_them() {
    let objects = [
        ("lake/a/x=1/f.csv", 3),
        ("lake/a/x=1/_SUCCESS", 1),
        ("lake/a/x=2/g.csv", 4),
        ("lake/a/x=2/empty.csv", 0),
        ("lake/a/_tmp/h.csv", 5),
        ("lake/a/.h/h.csv", 5),
        ("lake/a/x=3_$folder$", 1),
        ("lake/b.csv", 2),
        ("lake2/c.csv", 9),
    ];
    let (tree, listed) = tree_of(&objects, target("s3://b/lake/")).await;
    assert_eq!((names(&tree.root.sample), tree.root.size_bytes), (vec!["b.csv"], 2));
    assert_eq!(tree.root.folders.len(), 1);
    let inner: Vec<_> = tree.root.folders[0].folders.iter().map(|f| (f.name.as_str(), f.file_count)).collect();
    assert_eq!(inner, [("x=1", 1), ("x=2", 1)]);
    assert_eq!((listed.files.into_inner(), listed.bytes.into_inner()), (3, 9));
    let told: Vec<_> = tree.skipped.iter().map(|s| (s.url.as_str(), s.reason.as_str())).collect();
    assert_eq!(told, [("s3://b/lake/a/x=2", "1 empty file was left out")]);
}

#[tokio::test]
async fn a_file_a_bucket_and_nothing() {
    let objects = [("x/one.csv", 3), ("x/one.csv.gz", 1)];
    let (tree, _) = tree_of(&objects, target("s3://b/x/one.csv")).await;
    assert_eq!((names(&tree.root.sample), tree.location.url().as_str()), (vec!["one.csv"], "s3://b/x/one.csv"));
    let (tree, _) = tree_of(&objects, target("s3://b")).await;
    assert_eq!(tree.root.folders[0].file_count, 2);
    let (tree, _) = tree_of(&objects, target("s3://b/y")).await;
    assert_eq!((tree.root.file_count, tree.skipped.len()), (0, 1));
    let error = list(&listings(), &target("/nowhere/at/all"), &Listed::default()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::UndefinedFile);
}

#[tokio::test]
async fn exclusions_are_relative_to_the_target() {
    let objects = [("l/departments/finance.json", 1), ("l/departments/market-us.json", 1), ("l/employees/a.csv", 1)];
    let mut target = target("s3://b/l");
    target.exclusions = vec!["departments/market*".to_owned(), "employees/**".to_owned()];
    let (tree, listed) = tree_of(&objects, target).await;
    assert_eq!(names(&tree.root.folders[0].sample), ["finance.json"]);
    assert_eq!((tree.root.folders.len(), listed.files.into_inner()), (1, 1));
}

#[tokio::test]
async fn samples_are_spread_by_name() {
    let objects: Vec<String> = (0..250).map(|n| format!("t/part-{n:03}.csv")).collect();
    let objects: Vec<(&str, usize)> = objects.iter().map(|o| (o.as_str(), 1)).collect();
    let (tree, _) = tree_of(&objects, target("s3://b/t")).await;
    assert_eq!(names(&tree.root.sample), ["part-000.csv", "part-083.csv", "part-166.csv", "part-249.csv"]);
    assert_eq!(tree.root.file_count, 250);
    for (size, first_and_last) in [(1, ["part-000.csv", "part-000.csv"]), (2, ["part-000.csv", "part-249.csv"])] {
        let (tree, _) = tree_of(&objects, CrawlerTarget { sample_size: Some(size), ..target("s3://b/t") }).await;
        let names = names(&tree.root.sample);
        assert_eq!((names.len(), [names[0], names[names.len() - 1]]), (size as usize, first_and_last));
    }
}

#[tokio::test]
async fn files_of_different_names_are_all_looked_at() {
    let files = ["a", "airports", "airlines", "flights", "planes", "weather", "z"].map(|n| format!("t/{n}.csv"));
    let objects: Vec<(&str, usize)> = files.iter().map(|o| (o.as_str(), 1)).collect();
    let (tree, _) = tree_of(&objects, target("s3://b/t")).await;
    assert_eq!(tree.root.sample.len(), 7);
    // Spark's names differ in numbers and UUIDs only.
    let files: Vec<String> = (0..9).map(|n| format!("t/part-0000{n}-8f6a{n}1c2-dead-beef.c000.parquet")).collect();
    let objects: Vec<(&str, usize)> = files.iter().map(|o| (o.as_str(), 1)).collect();
    let (tree, _) = tree_of(&objects, target("s3://b/t")).await;
    assert_eq!(tree.root.sample.len(), 4);
}

#[cfg(unix)]
#[tokio::test]
async fn links_in_a_circle_and_to_nowhere_are_told() {
    use std::os::unix::fs::symlink;
    let lake = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let root = lake.path().canonicalize().unwrap();
    std::fs::create_dir_all(root.join("a/b")).unwrap();
    std::fs::write(root.join("a/b/f 100%.csv"), "1").unwrap();
    std::fs::write(other.path().join("o.csv"), "12").unwrap();
    symlink(&root, root.join("a/b/up")).unwrap();
    symlink("self", root.join("a/self")).unwrap();
    symlink(root.join("gone"), root.join("a/gone")).unwrap();
    symlink(other.path(), root.join("other")).unwrap();
    symlink(root.join("a"), other.path().join("back")).unwrap();
    let listed = Listed::default();
    let tree = list(&listings(), &target(root.to_str().unwrap()), &listed).await.unwrap();
    let mut files = 0;
    let mut folders = vec![&tree.root];
    while let Some(folder) = folders.pop() {
        files += folder.file_count;
        folders.extend(&folder.folders);
    }
    // The link to the other folder is followed, the one in it leads to `a`, which it is not in: once.
    assert_eq!((files, listed.files.into_inner()), (3, 3));
    let told: Vec<_> = tree.skipped.iter().map(|s| s.url.rsplit('/').next().unwrap()).collect();
    assert_eq!(told, ["up", "gone", "self", "up", "gone", "self"]);
    assert!(tree.skipped[0].reason.contains("circle") && tree.skipped[1].reason.contains("nowhere"), "{tree:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_folder_without_permission_is_told() {
    use std::os::unix::fs::PermissionsExt;
    let lake = tempfile::tempdir().unwrap();
    for folder in ["open", "closed"] {
        std::fs::create_dir(lake.path().join(folder)).unwrap();
        std::fs::write(lake.path().join(folder).join("f.csv"), "1").unwrap();
    }
    let closed = lake.path().join("closed");
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o000)).unwrap();
    // The superuser reads it all the same: then nothing can be told.
    let readable = std::fs::read_dir(&closed).is_ok();
    let tree = list(&listings(), &target(lake.path().to_str().unwrap()), &Listed::default()).await.unwrap();
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(tree.root.folders.len(), if readable { 2 } else { 1 });
    assert_eq!(tree.skipped.len(), usize::from(!readable));
}
