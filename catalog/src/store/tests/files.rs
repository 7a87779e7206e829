//! Files that are new, damaged, foreign, newer, full or not to be written.

use super::*;
use crate::store::connection::Connections;
use crate::store::database::Options;
use crate::store::migrate::FORMAT;
use crate::store::sqlite::{Access, options};
use std::fs;

fn connections(path: &Path, access: Access) -> Connections {
    Connections::new(CatalogPlace::File(path.to_owned()), Options::sqlite(options(path, access)), 1)
}

async fn execute(path: &Path, statement: &'static str) {
    let connections = connections(path, Access::Write);
    let mut lease = connections.lease().await.unwrap();
    lease.execute(sql(statement)).await.unwrap();
    lease.release();
    connections.close().await;
}

#[tokio::test]
async fn folders_are_made() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a/b c/ü%20?x/catalog.db");
    let catalog = Catalog::open(&path).await.unwrap();
    assert_eq!(catalog.place().to_string(), path.display().to_string());
    assert!(!catalog.is_read_only() && path.is_file());
    assert!(message(Catalog::open(folder.path()).await).contains("it is a directory"));
    assert!(message(Catalog::open(&path.join("x.db")).await).contains("could not create the directory"));
}

#[tokio::test]
async fn a_catalog_survives_closing() {
    let place = Place::in_file().await;
    let made = place.catalog.create_table(&table("t", &[]), false).await.unwrap().unwrap();
    let path = place.path().to_owned();
    place.catalog.close().await;
    assert!(message(place.catalog.snapshot().await).contains("is closed"));
    assert!(!path.with_extension("db-wal").exists(), "closing merges the log");
    let again = Catalog::open(&path).await.unwrap();
    assert_eq!(again.get("default", "t").await.unwrap(), Some(made));
}

#[tokio::test]
async fn damaged_and_foreign_files_are_named() {
    let folder = TempDir::new().unwrap();
    let garbage = folder.path().join("garbage.db");
    fs::write(&garbage, "this is not a database, but long enough to be one".repeat(100)).unwrap();
    let error = Catalog::open(&garbage).await.unwrap_err();
    assert!(matches!(&error, CatalogError::Damaged(m) if m.contains("garbage.db") && m.contains("not a database")));

    let foreign = folder.path().join("foreign.db");
    execute(&foreign, "CREATE TABLE bookmarks (url TEXT)").await;
    let error = Catalog::open(&foreign).await.unwrap_err();
    assert!(matches!(&error, CatalogError::Damaged(m) if m.contains("another program's")));

    let torn = folder.path().join("torn.db");
    let catalog = Catalog::open(&torn).await.unwrap();
    catalog.close().await;
    let bytes = fs::read(&torn).unwrap();
    fs::write(&torn, [&bytes[..100], &vec![0xA5; bytes.len() - 100]].concat()).unwrap();
    assert!(matches!(Catalog::open(&torn).await, Err(CatalogError::Damaged(_))));
}

#[tokio::test]
async fn a_damaged_definition_is_named() {
    let place = Place::in_file().await;
    place.catalog.create_table(&table("t", &[]), false).await.unwrap();
    execute(place.path(), "UPDATE millrace_table SET document = '{\"kind\":7}'").await;
    let error = place.catalog.snapshot().await.unwrap_err();
    assert!(matches!(&error, CatalogError::Damaged(m) if m.contains("relation \"default.t\"")), "{error}");
    execute(place.path(), "DELETE FROM millrace_meta").await;
    assert!(matches!(place.another_result().await, Err(CatalogError::Damaged(_))));
}

impl Place {
    async fn another_result(&self) -> Result<Catalog, CatalogError> {
        Catalog::open(&self.folder.path().join("catalog.db")).await
    }
}

#[tokio::test]
async fn a_newer_format_is_refused() {
    let place = Place::in_file().await;
    execute(place.path(), "UPDATE millrace_meta SET format = 77").await;
    let error = place.another_result().await.unwrap_err();
    assert!(matches!(error, CatalogError::Damaged(_)));
    let expected = format!("catalog format 77 is newer than this program knows ({FORMAT}): upgrade millrace");
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn a_full_disk_leaves_the_catalog_usable() {
    let place = Place::in_file().await;
    let catalog = &place.catalog;
    let t = catalog.create_table(&table("t", &[("x", "int")]), false).await.unwrap().unwrap();
    // SQLite reports its own limit of pages as it reports a full disk.
    let mut write = catalog.write().await.unwrap();
    write.execute(sql("PRAGMA max_page_count = 1")).await.unwrap();
    write.abandon().await.unwrap();
    let many: Vec<_> = (0..2000).map(|x| partition(&[&x.to_string()])).collect();
    let error = catalog.add_partitions(&t, &many, false).await.unwrap_err();
    assert!(matches!(error, CatalogError::Unavailable { .. }));
    assert!(error.to_string().contains("disk full"), "{error}");
    assert_eq!(catalog.partition_count(&t).await.unwrap(), 0);
    assert_eq!(catalog.add_partitions(&t, &many, false).await.unwrap(), 2000);
}

/// Permissions do not bind root, so only another user proves anything.
#[cfg(unix)]
#[tokio::test]
async fn a_read_only_folder_gives_a_catalog_that_reads() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::in_file().await;
    place.catalog.create_crawler(&crawler("c"), false).await.unwrap();
    let t = place.catalog.create_table(&table("t", &[("x", "int")]), false).await.unwrap().unwrap();
    place.catalog.close().await;
    let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    set(place.path(), 0o444);
    let is_root = fs::OpenOptions::new().append(true).open(place.path()).is_ok();
    for folder_mode in [0o755, 0o555] {
        set(place.folder.path(), folder_mode);
        let catalog = place.another().await;
        assert!(catalog.is_read_only() || is_root);
        assert!(catalog.snapshot().await.unwrap().table("default", "t").is_some());
        let written = catalog.add_partitions(&t, &[partition(&["1"])], false).await;
        assert!(matches!(written, Err(CatalogError::ReadOnly(_))) || is_root, "{written:?}");
        assert_eq!(catalog.crawlers().await.unwrap().len(), 1);
        assert_eq!(catalog.crawls(None, 9).await.unwrap().len(), 0);
        assert_eq!(catalog.crawler_state("c").await.unwrap(), CrawlerState::Ready);
        assert_eq!(catalog.statistics(&t).await.unwrap(), None);
        catalog.close().await;
    }
    set(place.folder.path(), 0o755);
}

#[tokio::test]
async fn files_opened_for_reading_are_not_written() {
    let place = Place::in_file().await;
    place.catalog.create_table(&table("t", &[]), false).await.unwrap();
    for access in [Access::Read, Access::Immutable] {
        if access == Access::Immutable {
            place.catalog.close().await;
        }
        let connections = connections(place.path(), access);
        let mut lease = connections.lease().await.unwrap();
        assert_eq!(lease.number(sql("SELECT COUNT(*) FROM millrace_table")).await.unwrap(), 1);
        let written = lease.execute(sql("DELETE FROM millrace_table")).await;
        assert!(matches!(written, Err(CatalogError::ReadOnly(_))), "{written:?}");
        lease.release();
        connections.close().await;
    }
}
