//! What goes wrong around a warehouse: rivals, killed processes, damaged and read-only catalogs, cancelled writes,
//! limits. Each test has a warehouse of its own; some run this same test binary again as another process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "tests fail by panicking")]

mod at_once;
mod disk;
mod killed;
mod loads;
#[path = "../model/mod.rs"]
mod model;
#[path = "../process/mod.rs"]
mod process;
mod retention;
mod rivals;

use millrace_engine::{Error, ErrorKind, Session, Warehouse, WarehouseConfig};
use millrace_tests::database::rows;
use millrace_tests::script::{World, lake};
use millrace_tests::warehouse_config;
use sqlx::{ConnectOptions, Connection};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

const CREATE: &str = "CREATE EXTERNAL TABLE t (a int) STORED AS PARQUET LOCATION 'file:///nowhere/'";

async fn open(directory: &Path) -> Result<Session, Error> {
    Warehouse::open(warehouse_config(directory)).await.map(Session::new)
}

/// Files below a folder that a query would see.
fn visible_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let hidden = entry.file_name().to_string_lossy().starts_with(['_', '.']);
        if entry.path().is_dir() && !hidden {
            found.extend(visible_files(&entry.path()));
        } else if !hidden {
            found.push(entry.path());
        }
    }
    found
}

/// The catalog's file of a warehouse.
fn catalog_file(warehouse: &Path) -> PathBuf {
    warehouse.join("catalog.db")
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_sessions_one_creates_the_table() {
    let folder = tempfile::tempdir().unwrap();
    let attempts = (0..8).map(|_| {
        let folder = folder.path().to_owned();
        tokio::spawn(async move { rows(&mut open(&folder).await?, CREATE).await })
    });
    let results = futures::future::join_all(attempts).await;
    let (made, refused): (Vec<_>, Vec<_>) = results.into_iter().map(Result::unwrap).partition(Result::is_ok);
    assert_eq!(made.len(), 1);
    for error in refused.into_iter().map(Result::unwrap_err) {
        assert_eq!(error.kind, ErrorKind::DuplicateTable, "{error}");
    }
}

#[test]
fn of_many_processes_one_creates_the_table() {
    let folder = tempfile::tempdir().unwrap();
    let children = (0..4).map(|_| process::start("process_creates_a_table", folder.path())).collect::<Vec<_>>();
    let made = children.into_iter().map(|mut child| child.wait().unwrap().success());
    assert_eq!(made.filter(|success| *success).count(), 1);
}

#[tokio::test]
#[ignore = "another test runs it as a process"]
async fn process_creates_a_table() {
    let Some(folder) = process::folder() else { return };
    let result = rows(&mut open(&folder).await.unwrap(), CREATE).await;
    if let Err(error) = result {
        // Any other error makes no success either, but is seen in the output.
        assert_eq!(error.kind, ErrorKind::DuplicateTable, "{error}");
        std::process::exit(9);
    }
}

#[tokio::test]
async fn a_killed_process_leaves_whole_tables() {
    let folder = tempfile::tempdir().unwrap();
    let mut created = 0;
    for round in 0..4 {
        let mut child = process::start("process_writes_tables", folder.path());
        tokio::time::sleep(Duration::from_millis(700 + 130 * round)).await;
        child.kill().unwrap();
        child.wait().unwrap();
        let mut session = open(folder.path()).await.unwrap();
        let tables = rows(&mut session, "SHOW TABLES").await.unwrap();
        for table in tables.iter().map(|row| &row[0]).filter(|name| name.starts_with("copy_")) {
            let count = rows(&mut session, &format!("SELECT count(*) FROM {table}")).await.unwrap();
            assert_eq!(count, [["16"]], "{table}");
        }
        created = tables.len();
    }
    assert!(created > 1, "the processes were killed before they made a table");
}

#[tokio::test]
#[ignore = "another test runs it as a process"]
async fn process_writes_tables() {
    let Some(folder) = process::folder() else { return };
    let mut session = open(&folder).await.unwrap();
    let airlines = format!(
        "CREATE EXTERNAL TABLE IF NOT EXISTS airlines (carrier string, name string) STORED AS ORC LOCATION '{}'",
        lake().join("airlines").display()
    );
    rows(&mut session, &airlines).await.unwrap();
    for n in 0.. {
        let name = format!("copy_{}_{n}", std::process::id());
        let place = folder.join("data").join(&name);
        let copy =
            format!("CREATE TABLE {name} WITH (external_location = '{}') AS SELECT * FROM airlines", place.display());
        rows(&mut session, &copy).await.unwrap();
    }
}

#[test]
fn a_read_only_warehouse_is_read_but_not_changed() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = folder.path().join("warehouse");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        rows(&mut open(&warehouse).await.unwrap(), CREATE).await.unwrap();
    });
    drop(runtime);
    process::forbid_writing(&warehouse);
    let status = process::start_powerless("process_meets_a_read_only_warehouse", &warehouse).wait().unwrap();
    process::allow_writing(&warehouse);
    assert!(status.success());
}

#[tokio::test]
#[ignore = "another test runs it as a process"]
async fn process_meets_a_read_only_warehouse() {
    let Some(folder) = process::folder() else { return };
    let mut session = open(&folder).await.unwrap();
    assert_eq!(rows(&mut session, "SELECT count(*) FROM t").await.unwrap(), [["0"]]);
    for change in
        ["CREATE DATABASE d", "DROP TABLE t", "ALTER TABLE t ADD COLUMNS (b int)", "CREATE TABLE u AS SELECT 1 AS x"]
    {
        let error = rows(&mut session, change).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::ReadOnly, "{change}: {error}");
    }
    let error = open(&folder.join("below")).await.map(|_| ()).unwrap_err();
    assert!(error.message.contains("below"), "{error}");
}

/// A warehouse that another process made and left, its catalog's file overwritten from byte `from` on. The log beside
/// the file goes, because SQLite would take the newest pages from it.
fn damaged_warehouse(from: usize) -> (TempDir, PathBuf, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    assert!(process::start("process_creates_a_table", folder.path()).wait().unwrap().success());
    let file = catalog_file(folder.path());
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[from..].fill(0xA5);
    std::fs::write(&file, &bytes).unwrap();
    for suffix in ["-wal", "-shm"] {
        let mut name = file.clone().into_os_string();
        name.push(suffix);
        let _ = std::fs::remove_file(name);
    }
    (folder, file, bytes)
}

#[tokio::test]
async fn a_damaged_catalog_is_told_and_left_alone() {
    // Byte 100 is where SQLite's header ends; at 0 nothing says that the file is SQLite's.
    for from in [100, 0] {
        let (folder, file, bytes) = damaged_warehouse(from);
        let error = match open(folder.path()).await {
            Ok(mut session) => rows(&mut session, "SELECT * FROM t").await.unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(error.kind, ErrorKind::DataCorrupted, "{error}");
        assert!(error.to_string().contains(&file.display().to_string()), "{error}");
        assert!(std::fs::read(&file).unwrap() == bytes, "the damaged file was changed");
    }
}

#[tokio::test]
async fn a_newer_catalog_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    rows(&mut open(folder.path()).await.unwrap(), CREATE).await.unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(catalog_file(folder.path()));
    let mut connection = options.connect().await.unwrap();
    sqlx::query("UPDATE millrace_meta SET format = format + 1").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let error = open(folder.path()).await.map(|_| ()).unwrap_err();
    assert!(error.message.contains("newer"), "{error}");
}

#[tokio::test]
async fn a_warehouse_that_is_a_file_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = open(file.path()).await.map(|_| ()).unwrap_err();
    assert!(error.to_string().contains(&file.path().display().to_string()), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn users_stay_as_they_are_where_a_change_must_be_audited_and_cannot_be() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    let mut config = warehouse_config(folder.path().join("warehouse"));
    let settings = [("audit_directory", logs.to_str().unwrap()), ("audit_logs", "userlog"), ("audit_required", "on")];
    for (name, value) in settings {
        config = config.with_setting(name, value).unwrap();
    }
    // Each line begins a file.
    config.audit.rotate_after = Duration::ZERO;
    let mut session = Session::new(Warehouse::open(config).await.unwrap());
    rows(&mut session, "CREATE USER ann PASSWORD 'Secret123'").await.unwrap();
    std::fs::rename(&logs, folder.path().join("moved")).unwrap();
    std::fs::write(&logs, "no folder").unwrap();
    for statement in ["CREATE USER bob PASSWORD 'Secret123'", "ALTER USER ann CREATEDB", "DROP USER ann"] {
        let error = rows(&mut session, statement).await.unwrap_err();
        assert_eq!((error.kind, error.sqlstate()), (ErrorKind::BadFile, "58030"), "{statement}: {error}");
    }
    let users = "SELECT usename, usecreatedb FROM pg_user WHERE usename IN ('ann', 'bob')";
    assert_eq!(rows(&mut session, users).await.unwrap(), [["ann", "false"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_ctas_leaves_no_file_and_no_table() {
    let world = World::new(false).await.unwrap();
    let place = world.tmp().join("cancelled");
    let lake = lake().join("flights");
    let ctas = format!(
        "CREATE TABLE cancelled WITH (external_location = '{}') AS
         SELECT a.*, b.flight AS other FROM '{lake}' a CROSS JOIN '{lake}' b",
        place.display(),
        lake = lake.display()
    );
    for wait in [1, 20, 200, 1500] {
        let mut session = world.session();
        let done = tokio::time::timeout(Duration::from_millis(wait), rows(&mut session, &ctas)).await;
        assert!(done.is_err(), "a billion rows were written in {wait} ms: {:?}", done.unwrap());
        let error = rows(&mut world.session(), "SELECT count(*) FROM cancelled").await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::UndefinedTable, "{error}");
    }
    // What runs in the background to tidy up has its time.
    for _ in 0..50 {
        if visible_files(&place).is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(visible_files(&place), Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_past_the_memory_limit_fails_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = WarehouseConfig::new(folder.path());
    config.memory_limit_bytes = Some(4 << 20);
    let warehouse = Warehouse::open(config).await.unwrap();
    let mut session = Session::new(Arc::clone(&warehouse));
    let flights = lake().join("flights").display().to_string();
    // All pairs keep one side in memory: all flights do not fit.
    let pairs = format!("SELECT count(a.tailnum || b.tailnum) FROM '{flights}' a, '{flights}' b");
    let error = rows(&mut session, &pairs).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::OutOfMemory, "{error}");
    let count = rows(&mut session, &format!("SELECT count(*) FROM '{flights}'")).await.unwrap();
    assert_eq!(count, [["336776"]]);
}

/// A stack that overflows ends the whole process: so it is another one.
#[test]
fn deep_and_long_statements_end_in_a_result_or_an_error() {
    let folder = tempfile::tempdir().unwrap();
    assert!(process::start("process_runs_deep_statements", folder.path()).wait().unwrap().success());
}

#[tokio::test]
#[ignore = "another test runs it as a process"]
async fn process_runs_deep_statements() {
    let Some(folder) = process::folder() else { return };
    let deep = [
        format!("SELECT {}", vec!["1"; 2000].join(" + ")),
        format!("SELECT {}1{}", "(".repeat(20_000), ")".repeat(20_000)),
        format!("SELECT {} true", "NOT ".repeat(20_000)),
        format!("SELECT {} 1", "- ".repeat(20_000)),
        format!("{} SELECT 1 {}", "SELECT * FROM (".repeat(5_000), ") t".repeat(5_000)),
        format!("SELECT 1 WHERE 1 = 1 {}", "OR 1 = 2 AND 3 = 4 ".repeat(20_000)),
        format!("SELECT 1 {}", "UNION ALL SELECT 1 ".repeat(300)),
        format!("SELECT {} 1 {}", "CASE WHEN true THEN ".repeat(3_000), "END ".repeat(3_000)),
        format!(
            "CREATE EXTERNAL TABLE d (a {}int{}) STORED AS PARQUET LOCATION '/x'",
            "array<".repeat(9_000),
            ">".repeat(9_000)
        ),
    ];
    let mut session = open(&folder).await.unwrap();
    for text in deep {
        println!("{} …", &text[..40]);
        if let Err(error) = rows(&mut session, &text).await {
            let kinds = [ErrorKind::LimitExceeded, ErrorKind::Syntax, ErrorKind::Unsupported];
            assert!(kinds.contains(&error.kind), "{error}");
        }
    }
    let list = (0..20_000).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
    let long = format!("SELECT count(*) FROM (VALUES (1), (19999), (20000)) t (a) WHERE a IN ({list})");
    assert_eq!(rows(&mut session, &long).await.unwrap(), [["2"]]);
    assert_eq!(rows(&mut session, "SELECT 1").await.unwrap(), [["1"]]);
}

#[tokio::test]
async fn a_changed_file_is_read_anew() {
    let world = World::new(false).await.unwrap();
    let mut session = world.session();
    let file = world.tmp().join("a.json");
    let query = format!("SELECT n FROM '{}' ORDER BY n", file.display());
    std::fs::write(&file, "{\"n\": 1}\n").unwrap();
    assert_eq!(rows(&mut session, &query).await.unwrap(), [["1"]]);
    std::fs::write(&file, "{\"n\": 2}\n{\"n\": 3}\n").unwrap();
    assert_eq!(rows(&mut session, &query).await.unwrap(), [["2"], ["3"]]);
    let parquet = world.tmp().join("p/part.parquet");
    std::fs::create_dir_all(world.tmp().join("p")).unwrap();
    let count = format!("SELECT count(*), min(carrier) FROM '{}'", parquet.display());
    for month in ["01", "02"] {
        std::fs::copy(lake().join(format!("flights/year=2013/month={month}/part-0.parquet")), &parquet).unwrap();
        let expected = if month == "01" { "27004" } else { "24951" };
        assert_eq!(rows(&mut session, &count).await.unwrap(), [[expected, "9E"]]);
    }
}
