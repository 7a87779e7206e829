//! Several catalogs, and several processes, on one database.

use super::*;
use crate::model::Database;
use std::process::Command;
use std::sync::Arc;

#[tokio::test]
async fn a_reader_sees_what_another_writes() {
    let place = Place::new().await;
    let reader = place.another().await;
    let before = reader.snapshot().await.unwrap();
    assert!(Arc::ptr_eq(&before, &reader.snapshot().await.unwrap()), "nothing changed, nothing is read");
    let t = place.catalog.create_table(&table("t", &[("x", "int")]), false).await.unwrap().unwrap();
    place.catalog.create_table(&table("u", &[]), false).await.unwrap();
    let after = reader.snapshot().await.unwrap();
    assert!(after.version() > before.version());
    assert_eq!(**after.table("default", "t").unwrap(), t);
    assert!(before.table("default", "t").is_none());

    let partitions_version = after.partitions_version(t.id);
    place.catalog.add_partitions(&t, &[partition(&["1"])], false).await.unwrap();
    let later = reader.snapshot().await.unwrap();
    assert!(later.partitions_version(t.id) > partitions_version);
    assert_eq!(later.table("default", "t").unwrap().version, 1);
    assert!(Arc::ptr_eq(later.table("default", "u").unwrap(), after.table("default", "u").unwrap()));
    assert!(Arc::ptr_eq(later.table("default", "t").unwrap(), after.table_by_id(t.id).unwrap()));

    place.catalog.update_table(&t).await.unwrap();
    place.catalog.drop_table("default", "u").await.unwrap();
    let last = reader.snapshot().await.unwrap();
    assert_eq!(last.table("default", "t").unwrap().version, 2);
    assert!(last.table("default", "u").is_none());
}

#[tokio::test]
async fn what_changes_nothing_does_not_move_the_counter() {
    let place = Place::new().await;
    let catalog = &place.catalog;
    let t = catalog.create_table(&table("t", &[("x", "int")]), false).await.unwrap().unwrap();
    catalog.add_partitions(&t, &[partition(&["1"])], false).await.unwrap();
    let before = catalog.snapshot().await.unwrap();
    catalog.create_table(&t, true).await.unwrap();
    catalog.create_database(&Database::new("default"), true).await.unwrap();
    assert_eq!(catalog.add_partitions(&t, &[partition(&["1"])], true).await.unwrap(), 0);
    assert_eq!(catalog.drop_partitions(&t, &[values(&["2"])]).await.unwrap(), 0);
    assert!(catalog.add_partitions(&t, &[partition(&["2"]), partition(&["1"])], false).await.is_err());
    assert!(Arc::ptr_eq(&before, &catalog.snapshot().await.unwrap()));
    catalog.drop_partitions(&t, &[values(&["1"])]).await.unwrap();
    assert_eq!(catalog.snapshot().await.unwrap().version(), before.version() + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_make_one_table_one_succeeds() {
    let place = Place::new().await;
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let catalog = place.another().await;
        tasks.push(tokio::spawn(async move { catalog.create_table(&table("t", &[]), false).await }));
    }
    let results = futures::future::join_all(tasks).await;
    let (made, failed): (Vec<_>, Vec<_>) = results.into_iter().map(|r| r.unwrap()).partition(Result::is_ok);
    assert_eq!(made.len(), 1);
    assert!(failed.iter().all(|r| matches!(r, Err(CatalogError::AlreadyExists { .. }))), "{failed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_change_one_table_none_is_lost() {
    let place = Place::new().await;
    let t = place.catalog.create_table(&table("t", &[]), false).await.unwrap().unwrap();
    let mut tasks = Vec::new();
    for _ in 0..6 {
        let catalog = place.another().await;
        tasks.push(tokio::spawn(async move {
            loop {
                let mut t = catalog.get("default", "t").await.unwrap().unwrap();
                let count = t.parameters.get("count").map_or(0, |count| count.parse::<i32>().unwrap());
                t.parameters.insert("count".to_owned(), (count + 1).to_string());
                match catalog.update_table(&t).await {
                    Ok(_) => break,
                    Err(CatalogError::Conflict(_)) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let last = place.catalog.get("default", "t").await.unwrap().unwrap();
    assert_eq!((last.parameters["count"].as_str(), last.version), ("6", 7));
    assert_eq!(place.catalog.table_versions(t.id).await.unwrap().len(), 6);
}

#[tokio::test]
async fn a_cancelled_change_leaves_nothing_and_blocks_nobody() {
    let place = Place::new().await;
    let t = place.catalog.create_table(&table("t", &[("x", "int")]), false).await.unwrap().unwrap();
    let many: Vec<_> = (0..20_000).map(|x| partition(&[&x.to_string()])).collect();
    let adding = place.catalog.add_partitions(&t, &many, false);
    let cancelled = tokio::time::timeout(std::time::Duration::from_millis(10), adding).await;
    assert!(cancelled.is_err(), "too quick to be cancelled");
    assert_eq!(place.catalog.add_partitions(&t, &many[..1], false).await.unwrap(), 1);
    assert_eq!(place.catalog.partition_count(&t).await.unwrap(), 1);
}

#[test]
fn calls_can_run_on_any_thread() {
    fn check<T: Send>(_: T) {}
    fn calls(catalog: &Catalog, t: &Table, run: &Crawl) {
        check(catalog.snapshot());
        check(catalog.close());
        check(catalog.partitions(t, &[]));
        check(catalog.partition_names(t, &[], None));
        check(catalog.add_partitions(t, &[], true));
        check(catalog.drop_partitions(t, &[]));
        check(catalog.replace_partition(t, &[], &partition(&[])));
        check(catalog.create_table_with_partitions(t, &[], true));
        check(catalog.rename_table(t, "", ""));
        check(catalog.drop_database("", true));
        check(catalog.finish_crawl(run, &[]));
        check(catalog.start_crawl(""));
        check(catalog.partition_statistics(t, &[]));
        check(catalog.put_statistics(t, &[]));
        check(Catalog::open("".as_ref()));
    }
    let _ = calls;
}

#[tokio::test]
async fn a_deleted_file_is_noticed() {
    let place = Place::in_file().await;
    std::fs::remove_file(place.path()).unwrap();
    let made = place.catalog.create_table(&table("t", &[]), false).await;
    assert!(matches!(made, Err(CatalogError::Unavailable { .. })), "{made:?}");
}

/// The environment variable by which the test below tells the processes that it starts which folder to use.
const CHILD: &str = "MILLRACE_TEST_CATALOG";

#[tokio::test]
async fn child_process() {
    let Ok(folder) = std::env::var(CHILD) else { return };
    let catalog = Catalog::open_at(&place_in(folder.as_ref())).await.unwrap();
    catalog.create_table(&table("shared", &[]), true).await.unwrap();
    let own = format!("t{}", std::process::id());
    catalog.create_table(&table(&own, &[]), false).await.unwrap();
    assert!(catalog.snapshot().await.unwrap().table("default", &own).is_some());
}

#[tokio::test]
async fn processes_make_one_warehouse_at_once() {
    for _ in 0..3 {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("new");
        let start = || {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["--exact", "store::tests::sharing::child_process"]).env(CHILD, &path);
            command.stdout(std::process::Stdio::null()).spawn().unwrap()
        };
        let children: Vec<_> = (0..4).map(|_| start()).collect();
        for mut child in children {
            assert!(child.wait().unwrap().success());
        }
        let catalog = Catalog::open_at(&place_in(&path)).await.unwrap();
        assert_eq!(catalog.snapshot().await.unwrap().all_tables().count(), 5);
    }
}
