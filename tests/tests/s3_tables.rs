//! Managed tables whose files are in a bucket, with the catalog in a local directory.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

use millrace_engine::retention::RetentionPolicy;
use millrace_engine::{ErrorKind, Session, Warehouse, WarehouseConfig};
use millrace_tests::database::rows;
use millrace_tests::{Effect, Fault, Operation, S3Server, s3_settings};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

struct Place {
    folder: tempfile::TempDir,
    server: S3Server,
    bucket: String,
}

impl Place {
    async fn new() -> Self {
        let server = S3Server::start().await.unwrap();
        let bucket = server.create_bucket().unwrap();
        Self { folder: tempfile::tempdir().unwrap(), server, bucket }
    }

    fn config(&self, data_path: Option<&str>) -> WarehouseConfig {
        let mut config = WarehouseConfig::new(self.folder.path().join("warehouse"));
        for (name, value) in s3_settings(&self.server) {
            config = config.with_setting(&name, &value).unwrap();
        }
        match data_path {
            Some(path) => config.with_setting("data_path", path).unwrap(),
            None => config,
        }
    }

    async fn open(&self) -> (Arc<Warehouse>, Session) {
        let path = format!("s3://{}/tables", self.bucket);
        let warehouse = Warehouse::open(self.config(Some(&path))).await.unwrap();
        (Arc::clone(&warehouse), Session::new(warehouse))
    }

    /// The objects below a prefix, as the server has them.
    fn objects(&self, prefix: &str) -> Vec<PathBuf> {
        let (mut folders, mut found) = (vec![self.server.root().join(&self.bucket).join(prefix)], Vec::new());
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                if entry.path().is_dir() { folders.push(entry.path()) } else { found.push(entry.path()) }
            }
        }
        found.retain(|path| path.extension().is_some_and(|end| end == "vortex" || end == "parquet"));
        found
    }

    /// Waits until so many objects are left.
    async fn left(&self, count: usize) {
        for _ in 0..500 {
            if self.objects("tables").len() == count {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(self.objects("tables").len(), count);
    }
}

fn has_data_files(folder: &Path) -> bool {
    std::fs::read_dir(folder.join("warehouse/data")).is_ok_and(|mut entries| entries.next().is_some())
}

#[tokio::test]
async fn tables_in_a_bucket_are_changed_and_read() {
    let place = Place::new().await;
    let (warehouse, mut session) = place.open().await;
    for format in ["vortex", "parquet"] {
        let statements = format!(
            "CREATE TABLE t (n bigint, s varchar(20)) TABLE PROPERTIES ('format' = '{format}');
             INSERT INTO t SELECT n, 'x' || n FROM (SELECT unnest(range(1, 5001)) AS n);
             DELETE FROM t WHERE n <= 1000;
             UPDATE t SET s = 'new' WHERE n > 4000;
             BEGIN; DELETE FROM t; ROLLBACK;
             CREATE TABLE copied AS SELECT * FROM t WHERE n % 2 = 0"
        );
        rows(&mut session, &statements).await.unwrap();
        // By another warehouse object, which knows nothing yet and finds the place in the catalog.
        let mut another = Session::new(Warehouse::open(place.config(None)).await.unwrap());
        let query = "SELECT count(*), min(n), count(CASE WHEN s = 'new' THEN 1 END) FROM t";
        assert_eq!(rows(&mut another, query).await.unwrap(), [["4000", "1001", "1000"]]);
        assert_eq!(rows(&mut another, "SELECT count(*) FROM copied").await.unwrap(), [["2000"]]);
        // Temporary tables stay on the local disk.
        let before = place.objects("tables").len();
        rows(&mut another, "CREATE TEMP TABLE tmp AS SELECT * FROM t").await.unwrap();
        assert_eq!(rows(&mut another, "SELECT count(*) FROM tmp").await.unwrap(), [["4000"]]);
        assert_eq!(place.objects("tables").len(), before);
        rows(&mut session, "DROP TABLE t; DROP TABLE copied").await.unwrap();
    }
    assert!(!has_data_files(place.folder.path()));
    let now = RetentionPolicy { keep: Duration::ZERO, most: usize::MAX, grace: Duration::ZERO };
    warehouse.expire_by(&now).await.unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert!(warehouse.expire_by(&now).await.unwrap().files > 0);
    place.left(0).await;
}

/// What was read once is on the local disk: another warehouse object asks the store for nothing, and scans the same.
#[tokio::test]
async fn what_was_read_is_kept_on_the_local_disk() {
    let place = Place::new().await;
    let (_warehouse, mut session) = place.open().await;
    for format in ["vortex", "parquet"] {
        let statements = format!(
            "CREATE TABLE {format} (n bigint, s varchar(20)) TABLE PROPERTIES ('format' = '{format}');
             INSERT INTO {format} SELECT n, 'x' || n FROM (SELECT unnest(range(1, 50001)) AS n);
             DELETE FROM {format} WHERE n <= 1000"
        );
        rows(&mut session, &statements).await.unwrap();
        let query = format!("SELECT count(*), sum(n), max(s) FROM {format} WHERE s <> 'x7'");
        let expected = [["49000", "1249524500", "x9999"]];
        assert_eq!(rows(&mut session, &query).await.unwrap(), expected);
        let asked = || place.server.faults().count(Operation::Get);
        // What the writer knew of its deletes is read by the next one.
        for _ in 0..2 {
            let mut another = Session::new(Warehouse::open(place.config(None)).await.unwrap());
            assert_eq!(rows(&mut another, &query).await.unwrap(), expected);
        }
        let mut warm = Session::new(Warehouse::open(place.config(None)).await.unwrap());
        let before = asked();
        assert_eq!(rows(&mut warm, &query).await.unwrap(), expected);
        assert_eq!(asked(), before, "{format}: the store was asked again");
        // Without the cache it is asked.
        let config = place.config(None).with_setting("cache_mb", "0").unwrap();
        let mut cold = Session::new(Warehouse::open(config).await.unwrap());
        assert_eq!(rows(&mut cold, &query).await.unwrap(), expected);
        assert!(asked() > before, "{format}");
    }
    // What is lost or cut short is read again.
    let cache = place.folder.path().join("warehouse/cache");
    let mut folders = vec![cache];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                std::fs::write(entry.path(), "cut").unwrap();
            }
        }
    }
    let mut again = Session::new(Warehouse::open(place.config(None)).await.unwrap());
    assert_eq!(rows(&mut again, "SELECT count(*), sum(n) FROM vortex").await.unwrap(), [["49000", "1249524500"]]);
}

#[tokio::test]
async fn a_write_that_fails_leaves_nothing() {
    let place = Place::new().await;
    let (_warehouse, mut session) = place.open().await;
    rows(&mut session, "CREATE TABLE t (n bigint); INSERT INTO t SELECT unnest(range(1, 1001))").await.unwrap();
    let fault = Fault { prefix: "tables/".to_owned(), ..Fault::always(Operation::Put, Effect::Denied) };
    place.server.faults().inject(fault);
    for statement in [
        "INSERT INTO t SELECT unnest(range(1, 1001))",
        "DELETE FROM t WHERE n < 10",
        "CREATE TABLE u AS SELECT * FROM t",
    ] {
        let error = rows(&mut session, statement).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::InsufficientPrivilege, "{statement}: {error}");
    }
    place.server.faults().clear();
    place.left(1).await;
    assert_eq!(rows(&mut session, "SELECT count(*) FROM t").await.unwrap(), [["1000"]]);
    // What a transaction wrote goes with its rollback.
    rows(&mut session, "BEGIN; INSERT INTO t SELECT unnest(range(1, 1001)); ROLLBACK").await.unwrap();
    place.left(1).await;
    // What a killed process left goes when it is old enough.
    let orphan = place.objects("tables")[0].with_file_name("millrace-017f22e2-79b0-7cc3-98c4-dc0c0c07398f.vortex");
    std::fs::write(&orphan, "half").unwrap();
    let mut config = place.config(None);
    config.orphan_age = Duration::ZERO;
    let opened = Warehouse::open(config).await.unwrap();
    place.left(1).await;
    assert!(!orphan.exists());
    opened.close(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn the_place_of_files_does_not_change_under_them() {
    let place = Place::new().await;
    let (_warehouse, mut session) = place.open().await;
    rows(&mut session, "CREATE TABLE t (n bigint); INSERT INTO t SELECT unnest(range(1, 1001))").await.unwrap();
    let elsewhere = format!("s3://{}/elsewhere", place.bucket);
    for (path, what) in [(elsewhere.as_str(), "are in s3://"), ("some/folder", "data_path")] {
        let error = Warehouse::open(place.config(Some(path))).await.map(drop).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidParameter, "{error}");
        assert!(error.message.contains(what), "{error}");
    }
    let error = Warehouse::open(WarehouseConfig::new("s3://bucket/warehouse")).await.map(drop).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unsupported, "{error}");
    assert!(error.message.contains("s3://bucket/warehouse"), "{error}");
}

/// Each catalog takes files that it does not know for orphans: a place belongs to one.
#[tokio::test]
async fn a_place_belongs_to_one_catalog() {
    let place = Place::new().await;
    let (_warehouse, mut session) = place.open().await;
    rows(&mut session, "CREATE TABLE t (n bigint); INSERT INTO t SELECT unnest(range(1, 1001))").await.unwrap();
    let path = format!("s3://{}/tables", place.bucket);
    let mut other = place.config(Some(&path));
    other.directory = place.folder.path().join("other");
    let error = Warehouse::open(other.clone()).await.map(drop).unwrap_err();
    assert_eq!(error.kind, ErrorKind::ObjectInUse, "{error}");
    other.data_path = Some(format!("s3://{}/others", place.bucket));
    let mut session = Session::new(Warehouse::open(other).await.unwrap());
    rows(&mut session, "CREATE TABLE t (n bigint); INSERT INTO t SELECT unnest(range(1, 1001))").await.unwrap();
    assert_eq!(place.objects("tables").len(), place.objects("others").len());
    // The first one still opens, with the setting and without.
    for path in [Some(path.as_str()), None] {
        let mut again = Session::new(Warehouse::open(place.config(path)).await.unwrap());
        assert_eq!(rows(&mut again, "SELECT count(*) FROM t").await.unwrap(), [["1000"]]);
    }
}
