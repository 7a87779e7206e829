//! Snapshots that expire: metadata stays small, readers keep what they read, files go in time.

use crate::{catalog_file, visible_files};
use futures::StreamExt;
use millrace_catalog::manifest::SnapshotLease;
use millrace_engine::retention::{Expired, RetentionPolicy};
use millrace_engine::{ErrorKind, Session, Warehouse, WarehouseConfig};
use millrace_tests::database::rows;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Everything that may go goes at once.
const NOW: RetentionPolicy = RetentionPolicy { keep: Duration::ZERO, most: usize::MAX, grace: Duration::ZERO };

async fn warehouse(folder: &Path) -> (Arc<Warehouse>, Session) {
    let warehouse = Warehouse::open(WarehouseConfig::new(folder)).await.unwrap();
    (Arc::clone(&warehouse), Session::new(warehouse))
}

/// Expires twice: what one round schedules, the next may delete.
async fn expire(warehouse: &Warehouse) -> Expired {
    let first = warehouse.expire_by(&NOW).await.unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    let second = warehouse.expire_by(&NOW).await.unwrap();
    Expired { snapshots: first.snapshots + second.snapshots, files: first.files + second.files }
}

/// How many rows all tables of the manifest have together.
async fn metadata_rows(folder: &Path) -> i64 {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(catalog_file(folder)).read_only(true);
    let mut connection = options.connect().await.unwrap();
    let tables =
        "SELECT name FROM sqlite_master WHERE type = 'table' AND (name LIKE 'ducklake%' OR name LIKE 'millrace%')";
    let tables: Vec<(String,)> = sqlx::query_as(tables).fetch_all(&mut connection).await.unwrap();
    let mut sum = 0;
    for (table,) in tables {
        let count = AssertSqlSafe(format!("SELECT count(*) FROM \"{table}\""));
        let (count,): (i64,) = sqlx::query_as(count).fetch_one(&mut connection).await.unwrap();
        sum += count;
    }
    connection.close().await.unwrap();
    sum
}

#[tokio::test]
async fn after_a_thousand_commits_the_catalog_is_small() {
    let folder = tempfile::tempdir().unwrap();
    let (warehouse, mut session) = warehouse(folder.path()).await;
    rows(&mut session, "CREATE TABLE t (k int, n int)").await.unwrap();
    for n in 0..1000 {
        let statement = match n % 4 {
            0 | 1 => format!("INSERT INTO t VALUES ({}, {n})", n % 50),
            2 => format!("UPDATE t SET n = {n} WHERE k = {}", (n - 1) % 50),
            _ => format!("DELETE FROM t WHERE n = {}", n - 3),
        };
        rows(&mut session, &statement).await.unwrap();
    }
    let before = rows(&mut session, "SELECT k, n FROM t ORDER BY 1, 2").await.unwrap();
    assert!(metadata_rows(folder.path()).await > 2000);
    assert_eq!(warehouse.expire().await.unwrap(), Expired::default(), "none is a day old");
    let few = RetentionPolicy { most: 100, ..RetentionPolicy::default() };
    assert!(warehouse.expire_by(&few).await.unwrap().snapshots > 850);
    assert_eq!(rows(&mut session, "SHOW SNAPSHOTS").await.unwrap().len(), 100);
    expire(&warehouse).await;
    assert_eq!(rows(&mut session, "SHOW SNAPSHOTS").await.unwrap().len(), 1);
    assert_eq!(rows(&mut session, "SELECT k, n FROM t ORDER BY 1, 2").await.unwrap(), before);
    let left = metadata_rows(folder.path()).await;
    assert!(left < before.len() as i64 + 200, "{left} rows of metadata for {} rows", before.len());
    // Numbers and times go on.
    rows(&mut session, "INSERT INTO t VALUES (1, 1)").await.unwrap();
    assert_eq!(rows(&mut session, "SELECT count(*) FROM t").await.unwrap(), [[(before.len() + 1).to_string()]]);
}

async fn fill(session: &mut Session) {
    let statements = "CREATE TABLE t (n bigint); INSERT INTO t SELECT unnest(range(1, 20001)); \
                      CREATE SNAPSHOT first; DELETE FROM t WHERE n <= 10000";
    rows(session, statements).await.unwrap();
}

#[tokio::test]
async fn what_is_read_or_named_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (warehouse, mut session) = warehouse(folder.path()).await;
    fill(&mut session).await;
    // A query that has begun, of which nobody has read a row yet.
    let query = session.parse("SELECT n FROM t").unwrap();
    let mut running = session.execute(&query[0]).await.unwrap().rows.unwrap();
    // A block that has looked, in another session.
    let mut block = Session::new(Arc::clone(&warehouse));
    rows(&mut block, "BEGIN; SELECT count(*) FROM t").await.unwrap();
    rows(&mut session, "TRUNCATE t; INSERT INTO t SELECT unnest(range(1, 501)); CREATE TABLE u (a int)").await.unwrap();
    expire(&warehouse).await;
    let mut count = 0;
    while let Some(batch) = running.next().await {
        count += batch.unwrap().num_rows();
    }
    assert_eq!(count, 10_000);
    drop(running);
    assert_eq!(rows(&mut block, "SELECT count(*) FROM t").await.unwrap(), [["10000"]]);
    rows(&mut block, "ROLLBACK").await.unwrap();
    let named = "SELECT count(*) FROM t FOR VERSION AS OF 'first'";
    expire(&warehouse).await;
    assert_eq!(rows(&mut session, named).await.unwrap(), [["20000"]]);
    assert_eq!(visible_files(&folder.path().join("data")).len(), 2);
    rows(&mut session, "DROP SNAPSHOT first").await.unwrap();
    expire(&warehouse).await;
    assert_eq!(rows(&mut session, named).await.unwrap_err().kind, ErrorKind::UndefinedObject);
    assert_eq!(visible_files(&folder.path().join("data")).len(), 1);
    assert_eq!(rows(&mut session, "SELECT count(*) FROM t").await.unwrap(), [["500"]]);
}

#[tokio::test]
async fn what_other_processes_read_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (warehouse, mut session) = warehouse(folder.path()).await;
    fill(&mut session).await;
    rows(&mut session, "DROP SNAPSHOT first").await.unwrap();
    let newest = rows(&mut session, "SHOW SNAPSHOTS").await.unwrap().pop().unwrap().remove(0);
    let lease = SnapshotLease { snapshot_id: newest.parse().unwrap(), since_ms: 0 };
    // As another process tells it.
    warehouse.catalog().renew_leases("another", &[lease]).await.unwrap();
    rows(&mut session, "TRUNCATE t").await.unwrap();
    expire(&warehouse).await;
    assert_eq!(visible_files(&folder.path().join("data")).len(), 2, "rows and deletes");
    assert_eq!(
        rows(&mut session, &format!("SELECT count(*) FROM t FOR VERSION AS OF {newest}")).await.unwrap(),
        [["10000"]]
    );
    warehouse.catalog().renew_leases("another", &[]).await.unwrap();
    expire(&warehouse).await;
    assert_eq!(visible_files(&folder.path().join("data")).len(), 0);
}
