//! A process that is killed at any instant of a mixed workload: what it was told is done is there, nothing is half
//! there, and its files go.
//!
//! The process and this test draw the same history. After each kill the tables hold what the model holds after the last
//! unit that was acknowledged, or after the next one: it may have been committed and not been acknowledged any more.

use crate::model::{History, Model, Random, session_rows};
use crate::{open, process};
use millrace_engine::{Session, Warehouse};
use millrace_tests::database::rows;
use millrace_tests::warehouse_config;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const SEED: u64 = 20_261_128;
/// How often the process is killed; `MILLRACE_KILLS=200` for the long run.
const KILLS: u64 = 60;
/// Kills come within so many microseconds at least.
const SHORTEST_US: u64 = 200_000;

/// How many units are acknowledged, by bytes.
fn acknowledged(folder: &Path) -> u64 {
    std::fs::metadata(folder.join("acknowledged")).map_or(0, |found| found.len())
}

fn warehouse(folder: &Path) -> PathBuf {
    folder.join("warehouse")
}

#[tokio::test]
#[ignore = "another test runs it as a process"]
async fn process_changes_tables() {
    let Some(folder) = process::folder() else { return };
    let done = acknowledged(&folder);
    let mut history = History::new(SEED, "vortex");
    for _ in 0..done {
        history.unit();
    }
    let mut session = open(&warehouse(&folder)).await.unwrap();
    // Its files go with it.
    rows(&mut session, "CREATE TEMP TABLE mine AS SELECT unnest(range(1, 1000)) AS n").await.unwrap();
    let mut log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("acknowledged")).unwrap();
    std::fs::write(folder.join("started"), "").unwrap();
    loop {
        for step in history.unit() {
            let result = rows(&mut session, &step.text).await;
            assert!(result.is_ok(), "{}: {}", step.text, result.unwrap_err());
        }
        log.write_all(b".").unwrap();
    }
}

/// What the tables hold: their names and columns as the catalog has them, and the rows of each.
async fn holds(session: &mut Session, history: &History, model: &mut Model) -> Result<(), String> {
    let mut names: Vec<Vec<String>> = history.tables.iter().map(|table| vec![table.name.clone()]).collect();
    names.sort_unstable();
    let found = rows(session, "SHOW TABLES").await.map_err(|error| error.to_string())?;
    if found != names {
        return Err(format!("tables {found:?} instead of {names:?}"));
    }
    let snapshot = session.warehouse().catalog().snapshot().await.map_err(|error| error.to_string())?;
    for table in &history.tables {
        // A unit that only names a column otherwise shows in nothing else, and cannot be done twice.
        let defined = snapshot.managed_table(session.database(), &table.name);
        let columns: Vec<&str> =
            defined.iter().flat_map(|defined| &defined.columns).map(|column| column.name.as_str()).collect();
        if columns != table.names() {
            return Err(format!("{}: columns {columns:?} instead of {:?}", table.name, table.names()));
        }
        let found = session_rows(session, &table.name).await.map_err(|error| error.to_string())?;
        let expected = model.rows(table).await;
        if found != expected {
            return Err(format!("{}: {} rows, {} expected, or other ones", table.name, found.len(), expected.len()));
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_a_killed_process_was_told_is_done_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let kills = std::env::var("MILLRACE_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let mut random = Random(SEED);
    let (mut history, mut model, mut at) = (History::new(SEED, "vortex"), Model::new().await, 0);
    // The longest time before a kill: more where the machine is too busy for a unit in it.
    let mut longest_us = SHORTEST_US;
    for kill in 0..kills {
        let _ = std::fs::remove_file(folder.path().join("started"));
        let mut child = process::start("killed::process_changes_tables", folder.path());
        let begun = Instant::now();
        while !folder.path().join("started").exists() {
            assert!(begun.elapsed() < Duration::from_mins(1), "the process does not start");
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(Duration::from_micros(random.below(longest_us)));
        // Nobody else writes: none of its statements may fail.
        assert!(child.try_wait().unwrap().is_none(), "kill {kill}: the process ended by itself");
        child.kill().unwrap();
        child.wait().unwrap();

        let told = acknowledged(folder.path());
        longest_us =
            if told > at { (longest_us * 9 / 10).max(SHORTEST_US) } else { (longest_us * 2).min(20 * SHORTEST_US) };
        for _ in at..told {
            for step in history.unit() {
                model.run(&step).await;
            }
        }
        at = told;
        let mut session = open(&warehouse(folder.path())).await.unwrap();
        // A server may still be at the commit that it was told of last: it has the writers' lock as long.
        session.warehouse().catalog().end_lease("killed", "nobody").await.unwrap();
        if let Err(difference) = holds(&mut session, &history, &mut model).await {
            let unit = history.unit();
            for step in &unit {
                model.run(step).await;
            }
            let after = holds(&mut session, &history, &mut model).await;
            assert!(after.is_ok(), "kill {kill}, unit {at}: {difference}; with {unit:?}: {after:?}");
            std::fs::OpenOptions::new()
                .append(true)
                .create(true)
                .open(folder.path().join("acknowledged"))
                .unwrap()
                .write_all(b".")
                .unwrap();
            at += 1;
        }
    }
    assert!(at > kills / 3, "the processes did next to nothing: {at} units");

    // Orphans: everything that is left is known.
    let mut config = warehouse_config(warehouse(folder.path()));
    config.orphan_age = Duration::ZERO;
    let opened = Warehouse::open(config).await.unwrap();
    for _ in 0..500 {
        if unknown(&opened, folder.path()).await.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(unknown(&opened, folder.path()).await, Vec::<String>::new());
    assert_eq!(std::fs::read_dir(warehouse(folder.path()).join("temp")).unwrap().count(), 0, "temporary tables' files");
    assert_eq!(holds(&mut Session::new(opened), &history, &mut model).await, Ok(()));
}

/// The files below the data path that the manifest does not know.
pub(crate) async fn unknown(warehouse: &Warehouse, folder: &Path) -> Vec<String> {
    let root = folder.join("warehouse/data");
    let (mut folders, mut found) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                found.push(entry.path().strip_prefix(&root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    // What says whose the place is, where the catalog is in a server.
    found.retain(|path| path != "millrace_catalog");
    warehouse.catalog().unknown_files(&found).await.unwrap()
}
