//! Random histories over managed tables, in both file formats: after each step the tables hold what SQLite's hold.
//!
//! What was committed is asked for again later by its snapshot, while older ones expire and their files go.
//! A history that fails is told by its seed; `MILLRACE_SEED=n` runs that one alone.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]
#![allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "small numbers")]

mod model;
#[allow(dead_code, reason = "a part of it is for other tests")]
mod process;
mod vacuum;

use millrace_engine::retention::RetentionPolicy;
use millrace_engine::{Session, Warehouse};
use millrace_tests::database::rows;
use millrace_tests::warehouse_config;
use model::{History, Model, Random, Rows, Shape, session_rows};
use std::sync::Arc;
use std::time::Duration;

/// Histories of each format, and the units of each: a statement or a block.
const HISTORIES: u64 = 100;
const UNITS: u64 = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn histories_over_vortex_files() {
    Box::pin(run("vortex", 0)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn histories_over_parquet_files() {
    Box::pin(run("parquet", 1_000_000)).await;
}

async fn run(format: &str, first_seed: u64) {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = Warehouse::open(warehouse_config(folder.path())).await.unwrap();
    let chosen: Option<u64> = std::env::var("MILLRACE_SEED").ok().map(|seed| seed.parse().unwrap());
    // A commit in a server takes some times as long.
    let count = if std::env::var_os("MILLRACE_POSTGRES").is_some() { HISTORIES / 10 } else { HISTORIES };
    for seed in first_seed..first_seed + count {
        if chosen.is_none_or(|chosen| chosen == seed) {
            Box::pin(History::run(seed, format, &warehouse)).await;
        }
    }
}

/// Histories over open tables as scripts, one a schema of its name: `tests/clients/ducklake.py` has DuckDB read what
/// they leave.
#[test]
#[ignore = "tests/clients/run writes them into the folder MILLRACE_HISTORIES"]
fn history_scripts() {
    let Some(folder) = std::env::var_os("MILLRACE_HISTORIES").map(std::path::PathBuf::from) else { return };
    for seed in 2_000_000..2_000_010 {
        let mut history = History::new(seed, "parquet");
        let mut script = format!("CREATE DATABASE h{seed};\nUSE h{seed};\n");
        for step in (0..4 * UNITS).flat_map(|_| history.unit()) {
            script.push_str(&step.text);
            script.push_str(";\n");
        }
        std::fs::write(folder.join(format!("h{seed}.sql")), script).unwrap();
    }
}

/// What was committed, and the snapshot of it.
struct Past {
    snapshot_id: i64,
    tables: Vec<(Shape, Rows)>,
}

/// Lets old snapshots expire now and then, and looks at one that was not.
async fn look_back(session: &mut Session, random: &mut Random, past: &[Past], told: &str) {
    let warehouse = Arc::clone(session.warehouse());
    if random.below(6) == 0 {
        let most = 1 + random.below(8) as usize;
        let policy = RetentionPolicy { keep: Duration::from_hours(1), most, grace: Duration::ZERO };
        warehouse.expire_by(&policy).await.unwrap();
    }
    let Past { snapshot_id, tables } = &past[random.below(past.len() as u64) as usize];
    if !warehouse.catalog().has_snapshot(*snapshot_id).await.unwrap() {
        return;
    }
    for (shape, rows) in tables {
        let seen = session_rows(session, &format!("{} FOR VERSION AS OF {snapshot_id}", shape.name)).await;
        assert_eq!(seen.as_ref(), Ok(rows), "{told}\nlooking back at {} in snapshot {snapshot_id}", shape.name);
    }
}

/// The other session: it sees what is committed, and in a block of its own what was when it first looked.
struct Reader {
    session: Session,
    random: Random,
    /// What it saw first in its block.
    held: Option<Vec<(Shape, Rows)>>,
}

impl Reader {
    async fn look(&mut self, committed: &[(Shape, Rows)], told: &str) {
        match self.random.below(5) {
            0 if self.held.is_none() => {
                rows(&mut self.session, "BEGIN READ ONLY").await.unwrap();
                self.held = Some(committed.to_vec());
                // The snapshot is taken by the first statement.
                rows(&mut self.session, "SHOW TABLES").await.unwrap();
            }
            1 if self.held.is_some() => {
                rows(&mut self.session, "COMMIT").await.unwrap();
                self.held = None;
            }
            _ => {}
        }
        let expected = self.held.as_deref().unwrap_or(committed);
        if expected.is_empty() {
            return;
        }
        let (shape, rows) = &expected[self.random.below(expected.len() as u64) as usize];
        let seen = session_rows(&mut self.session, &shape.name).await;
        assert_eq!(seen.as_ref(), Ok(rows), "{told}\nseen by the other session in {}", shape.name);
    }
}

impl History {
    async fn run(seed: u64, format: &str, warehouse: &Arc<Warehouse>) {
        let mut history = Self::new(seed, format);
        let mut model = Model::new().await;
        let mut session = Session::new(Arc::clone(warehouse));
        let mut reader = Reader { session: Session::new(Arc::clone(warehouse)), random: Random(!seed), held: None };
        for session in [&mut session, &mut reader.session] {
            rows(session, &format!("CREATE DATABASE IF NOT EXISTS h{seed}")).await.unwrap();
            rows(session, &format!("USE h{seed}")).await.unwrap();
        }
        let mut sweeper = vacuum::Sweeper::new(seed, warehouse).await;
        let (mut committed, mut past) = (Vec::new(), Vec::new());
        let mut random = Random(seed.rotate_left(17));
        let mut told = format!("seed {seed}:");
        for _ in 0..UNITS {
            let before = history.tables.clone();
            let unit = history.unit();
            let count = unit.len();
            for (at, step) in unit.iter().enumerate() {
                told = format!("{told}\n{};", step.text);
                let done = sweeper.beside(count == 1, &before, Box::pin(rows(&mut session, &step.text))).await;
                assert!(done.is_ok(), "{told}\n{}", done.unwrap_err());
                model.run(step).await;
                // Within a block the shape of a table that it changes is known only at its end.
                let tables: &[Shape] = if at + 1 == count { &history.tables } else { &before };
                let changed = |table: &&Shape| at + 1 == count || step.text.contains(&format!(" {} ", table.name));
                let unchanged_shapes = !unit.iter().any(|s| s.text.contains("TABLE "));
                for table in tables.iter().filter(changed).filter(|_| at + 1 == count || unchanged_shapes) {
                    let found = session_rows(&mut session, &table.name).await;
                    assert_eq!(found, Ok(model.rows(table).await), "{told}\nin {}", table.name);
                }
                if at > 0 && at + 1 < count {
                    reader.look(&committed, &told).await;
                }
            }
            sweeper.between(&history.tables).await;
            committed.clear();
            for table in &history.tables {
                committed.push((table.clone(), model.rows(table).await));
            }
            reader.look(&committed, &told).await;
            let snapshot_id = warehouse.catalog().snapshot().await.unwrap().manifest_version();
            past.push(Past { snapshot_id, tables: committed.clone() });
            look_back(&mut session, &mut random, &past, &told).await;
        }
    }
}
