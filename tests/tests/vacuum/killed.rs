//! A process that is killed while it vacuums and writes: what it was told is there, once, and nothing half.

use super::number;
use crate::model::Random;
use crate::process;
use millrace_engine::{Session, Warehouse, WarehouseConfig, maintenance};
use millrace_tests::database::rows;
use millrace_tests::warehouse_config;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How often a process is killed.
const KILLS: u64 = 8;

#[tokio::test]
async fn a_killed_vacuum_loses_and_doubles_nothing() {
    for format in ["vortex", "parquet"] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("format"), format).unwrap();
        let mut random = Random(7);
        for kill in 0..KILLS {
            run_and_kill(folder.path(), 500 + random.below(900)).await;
            check(folder.path(), &format!("{format}, kill {kill}")).await;
        }
        let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
        assert!(log.lines().filter(|line| line.starts_with("vacuumed")).count() > 2, "{format}: it hardly vacuumed");
    }
}

/// The same of what a warehouse does by itself between statements. Each process has a warehouse of its own: one that is killed
/// keeps the lease for such work for a while.
#[tokio::test]
async fn a_killed_automatic_rewrite_loses_and_doubles_nothing() {
    let (mut random, mut rewrites) = (Random(11), 0);
    for kill in 0..KILLS {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("format"), "vortex").unwrap();
        std::fs::write(folder.path().join("automatic"), "").unwrap();
        run_and_kill(folder.path(), 1_500 + random.below(1_500)).await;
        check(folder.path(), &format!("by itself, kill {kill}")).await;
        let session = open(folder.path()).await;
        let commits = session.warehouse().catalog().snapshots().await.unwrap();
        rewrites += commits.iter().filter(|commit| commit.message.as_deref() == Some("vacuum")).count();
    }
    assert!(rewrites > 0, "nothing was ever rewritten");
}

/// Runs a process on a warehouse for so many milliseconds.
async fn run_and_kill(folder: &Path, millis: u64) {
    let mut child = process::start("vacuum::killed::process_vacuums", folder);
    tokio::time::sleep(Duration::from_millis(millis)).await;
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Compares the table with what the log says: `begin batch`, `done batch`, `gone batch`, of 150 rows each.
async fn check(folder: &Path, told: &str) {
    let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
    let mut session = open(folder).await;
    if number(&mut session, "SELECT 1").await != 1 || rows(&mut session, "SELECT 1 FROM t LIMIT 1").await.is_err() {
        // It was killed before it made the table.
        assert!(!log.contains("done"), "{told}: the table is lost");
        return;
    }
    let found: BTreeMap<i64, (i64, i64)> =
        rows(&mut session, "SELECT batch, count(*), count(DISTINCT n) FROM t GROUP BY 1")
            .await
            .unwrap_or_else(|error| panic!("{told}: {error}"))
            .into_iter()
            .map(|row| (row[0].parse().unwrap(), (row[1].parse().unwrap(), row[2].parse().unwrap())))
            .collect();
    let mut expected: BTreeMap<i64, &str> = BTreeMap::new();
    for line in log.lines() {
        // A line may have been cut by the kill.
        if let Some((state, batch)) = line.split_once(' ')
            && let Ok(batch) = batch.trim_end_matches('.').parse()
            && line.ends_with('.')
            && !state.starts_with("vacuum")
        {
            expected.insert(batch, state);
        }
    }
    for (batch, state) in &expected {
        let rows = found.get(batch).copied().unwrap_or_default();
        let allowed: &[(i64, i64)] = match *state {
            "done" => &[(150, 150)],
            "gone" => &[(0, 0)],
            _ => &[(0, 0), (150, 150)],
        };
        assert!(allowed.contains(&rows), "{told}: batch {batch} is {state} and has {rows:?}");
    }
    assert!(found.keys().all(|batch| expected.contains_key(batch)), "{told}: {found:?}");
}

async fn open(folder: &Path) -> Session {
    Session::new(Warehouse::open(config(folder)).await.unwrap())
}

fn config(folder: &Path) -> WarehouseConfig {
    WarehouseConfig { orphan_age: Duration::ZERO, ..warehouse_config(folder.join("w")) }
}

/// One that merges files by itself whenever no statement runs.
async fn open_busy(folder: &Path) -> Session {
    let mut config = config(folder);
    for (name, value) in
        [("auto_vacuum_interval_ms", "5"), ("auto_vacuum_quiet_ms", "1"), ("auto_vacuum_small_files", "2")]
    {
        config = config.with_setting(name, value).unwrap();
    }
    let warehouse = Warehouse::open(config).await.unwrap();
    maintenance::start(&warehouse);
    Session::new(warehouse)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "another test runs it as a process"]
async fn process_vacuums() {
    let Some(folder) = process::folder() else { return };
    let format = std::fs::read_to_string(folder.join("format")).unwrap();
    let by_itself = folder.join("automatic").exists();
    let mut session = if by_itself { open_busy(&folder).await } else { open(&folder).await };
    let create =
        format!("CREATE TABLE IF NOT EXISTS t (batch int, n int) SORTKEY (n) TABLE PROPERTIES ('format' = '{format}')");
    rows(&mut session, &create).await.unwrap();
    let warehouse = Arc::clone(session.warehouse());
    let other = folder.clone();
    if !by_itself {
        tokio::spawn(async move {
            let mut session = Session::new(warehouse);
            let texts = ["VACUUM FULL t TO 100 PERCENT", "VACUUM DELETE ONLY t TO 100 PERCENT", "VACUUM t"];
            for text in texts.iter().cycle() {
                rows(&mut session, text).await.unwrap();
                write(&other, "vacuumed 0.");
            }
        });
    }
    let first = i64::from(std::process::id()) * 1000;
    for at in 0..1000 {
        let batch = first + at;
        write(&folder, &format!("begin {batch}."));
        let values = |from: i64, to: i64| (from..to).map(|n| format!("({batch}, {n})")).collect::<Vec<_>>().join(", ");
        if at % 2 == 0 {
            rows(&mut session, &format!("INSERT INTO t VALUES {}", values(0, 150))).await.unwrap();
        } else {
            // Rows in the catalog, in one commit.
            let text = format!(
                "BEGIN; INSERT INTO t VALUES {}; INSERT INTO t VALUES {}; COMMIT",
                values(0, 75),
                values(75, 150)
            );
            if rows(&mut session, &text).await.is_err() {
                // The vacuum flushed the rows that it would have flushed.
                let _ = rows(&mut session, "ROLLBACK").await;
                continue;
            }
        }
        write(&folder, &format!("done {batch}."));
        if at % 4 == 3 {
            write(&folder, &format!("begin {}.", batch - 1));
            rows(&mut session, &format!("DELETE FROM t WHERE batch = {}", batch - 1)).await.unwrap();
            write(&folder, &format!("gone {}.", batch - 1));
        }
        if by_itself && at % 8 == 7 {
            // Long enough for a rewrite to begin, and for one that waits to go on; some have not ended by then.
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    }
}

fn write(folder: &Path, line: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(folder.join("log")).unwrap();
    file.write_all(format!("{line}\n").as_bytes()).unwrap();
}
