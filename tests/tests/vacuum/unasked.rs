//! What a warehouse that stays open does by itself.

use super::number;
use millrace_catalog::Catalog;
use millrace_engine::{Session, Warehouse, WarehouseConfig, maintenance};
use millrace_tests::database::rows;
use millrace_tests::warehouse_config;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

async fn open(folder: &Path, settings: &[(&str, &str)]) -> Arc<Warehouse> {
    let often = [
        ("auto_vacuum_interval_ms", "20"),
        ("auto_vacuum_quiet_ms", "20"),
        ("auto_vacuum_small_files", "4"),
        ("auto_analyze_rows", "100"),
    ];
    let mut config = warehouse_config(folder);
    for (name, value) in often.iter().chain(settings) {
        config = config.with_setting(name, value).unwrap();
    }
    let warehouse = Warehouse::open(config).await.unwrap();
    maintenance::start(&warehouse);
    warehouse
}

/// How many files and rows in the catalog a table has.
async fn condition(catalog: &Catalog, name: &str) -> (usize, usize) {
    let snapshot = catalog.snapshot().await.unwrap();
    let id = snapshot.managed_table("default", name).unwrap().id;
    let files = catalog.data_files(id, snapshot.manifest_version()).await.unwrap().len();
    let inlined = catalog.inlined_rows(id, snapshot.manifest_version()).await.unwrap();
    (files, inlined.iter().map(|rows| rows.rows.len()).sum())
}

async fn eventually(catalog: &Catalog, name: &str, wanted: (usize, usize)) {
    for _ in 0..600 {
        if condition(catalog, name).await == wanted {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{name} has {:?} and not {wanted:?}", condition(catalog, name).await);
}

async fn fill(session: &mut Session, name: &str) {
    let rows_of = |from: i32| (from..from + 101).map(|n| format!("({n})")).collect::<Vec<_>>().join(", ");
    for file in 0..5 {
        rows(session, &format!("INSERT INTO {name} VALUES {}", rows_of(file * 101))).await.unwrap();
    }
    rows(session, &format!("INSERT INTO {name} VALUES (-1), (-2)")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_files_are_merged_when_nothing_runs() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = open(folder.path(), &[]).await;
    let mut session = Session::new(Arc::clone(&warehouse));
    rows(&mut session, "CREATE TABLE t (n int)").await.unwrap();
    rows(&mut session, "CREATE TABLE s (n int) SORTKEY (n)").await.unwrap();
    fill(&mut session, "t").await;
    fill(&mut session, "s").await;
    eventually(warehouse.catalog(), "t", (1, 0)).await;
    eventually(warehouse.catalog(), "s", (1, 0)).await;
    for name in ["t", "s"] {
        assert_eq!(number(&mut session, &format!("SELECT count(DISTINCT n) FROM {name}")).await, 507);
    }
    // Deleted rows are left out when there are many.
    rows(&mut session, "DELETE FROM t WHERE n > 300").await.unwrap();
    let snapshot = warehouse.catalog().snapshot().await.unwrap();
    let id = snapshot.managed_table("default", "t").unwrap().id;
    for _ in 0..600 {
        let version = warehouse.catalog().snapshot().await.unwrap().manifest_version();
        if warehouse.catalog().data_files(id, version).await.unwrap().iter().all(|file| file.deletes.is_none()) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let version = warehouse.catalog().snapshot().await.unwrap().manifest_version();
    let files = warehouse.catalog().data_files(id, version).await.unwrap();
    assert_eq!(files.iter().map(|file| file.record_count).collect::<Vec<_>>(), [303]);
    // Both are analyzed, the first one anew.
    for (name, expected) in [("t", 303), ("s", 507)] {
        let id = snapshot.managed_table("default", name).unwrap().id;
        let analyzed = async || {
            warehouse.catalog().snapshot().await.unwrap();
            warehouse.catalog().estimates(id).await.unwrap().analysis.as_ref().map(|analysis| analysis.row_count)
        };
        for _ in 0..600 {
            if analyzed().await == Some(expected) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(analyzed().await, Some(expected), "{name}");
    }
    drop(session);
    // It ends with the warehouse.
    warehouse.close(Duration::from_secs(20)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_few_rows_of_the_catalog_go_into_a_file_when_their_table_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = open(folder.path(), &[]).await;
    let mut session = Session::new(Arc::clone(&warehouse));
    rows(&mut session, "CREATE TABLE t (n int)").await.unwrap();
    rows(&mut session, "INSERT INTO t VALUES (1), (2)").await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(condition(warehouse.catalog(), "t").await, (0, 2), "not before ten minutes");
    drop(session);
    warehouse.close(Duration::from_secs(20)).await;

    let warehouse = open(folder.path(), &[("auto_vacuum_inlined_quiet_ms", "200")]).await;
    let mut session = Session::new(Arc::clone(&warehouse));
    eventually(warehouse.catalog(), "t", (1, 0)).await;
    rows(&mut session, "INSERT INTO t VALUES (3)").await.unwrap();
    eventually(warehouse.catalog(), "t", (2, 0)).await;
    assert_eq!(number(&mut session, "SELECT sum(n) FROM t").await, 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_rows_that_blocks_leave_go_into_a_file_whatever_runs() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = open(folder.path(), &[]).await;
    let mut session = Session::new(Arc::clone(&warehouse));
    rows(&mut session, "CREATE TABLE t (n int)").await.unwrap();
    rows(&mut session, "CREATE TABLE u (n int)").await.unwrap();
    let mut other = Session::new(Arc::clone(&warehouse));
    rows(&mut other, "BEGIN").await.unwrap();
    rows(&mut other, "INSERT INTO u VALUES (1)").await.unwrap();
    let values = (0..100).map(|n| format!("({n})")).collect::<Vec<_>>().join(", ");
    for block in 1..=11 {
        rows(&mut session, "BEGIN").await.unwrap();
        rows(&mut session, &format!("INSERT INTO t VALUES {values}")).await.unwrap();
        rows(&mut session, "COMMIT").await.unwrap();
        if block == 10 {
            tokio::time::sleep(Duration::from_millis(300)).await;
            assert_eq!(condition(warehouse.catalog(), "t").await, (0, 1000), "others are not in the way");
        }
    }
    eventually(warehouse.catalog(), "t", (1, 0)).await;
    assert_eq!(number(&mut session, "SELECT count(*) FROM t").await, 1100);
    rows(&mut other, "COMMIT").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_done_beside_an_open_transaction_or_when_it_is_off() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = open(folder.path(), &[]).await;
    let mut session = Session::new(Arc::clone(&warehouse));
    rows(&mut session, "CREATE TABLE t (n int)").await.unwrap();
    let mut other = Session::new(Arc::clone(&warehouse));
    rows(&mut other, "BEGIN").await.unwrap();
    fill(&mut session, "t").await;
    rows(&mut other, "DELETE FROM t WHERE n < 50").await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(condition(warehouse.catalog(), "t").await, (5, 2));
    rows(&mut other, "COMMIT").await.unwrap();
    eventually(warehouse.catalog(), "t", (1, 0)).await;
    warehouse.close(Duration::from_secs(20)).await;

    let off = open(folder.path(), &[("auto_vacuum", "off")]).await;
    let mut session = Session::new(Arc::clone(&off));
    rows(&mut session, "CREATE TABLE u (n int)").await.unwrap();
    fill(&mut session, "u").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(condition(off.catalog(), "u").await, (5, 2));
    assert!(WarehouseConfig::new(folder.path()).with_setting("auto_vacuum", "maybe").is_err());
}
