//! Materialized views of streams whose refreshes end anywhere: dropped, failed, rolled back, or killed with their process.
//! Each record is in the view once.

use crate::{World, process, registry};
use millrace_engine::{Session, Warehouse, WarehouseConfig};
use millrace_tests::database::rows;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Numbers of chance.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

const REFRESH: &str = "REFRESH MATERIALIZED VIEW v";

/// A stream that is written, split and merged while refreshes of its view end in every way.
async fn life(seed: u64) {
    let mut random = Random(seed);
    let mut world = World::new().await;
    world.line("CREATE EXTERNAL SCHEMA ks FROM KINESIS").await;
    world.line("CREATE MATERIALIZED VIEW v AS SELECT id, id * 2 AS twice FROM ks.events").await;
    let stream = Arc::clone(&world.memory);
    let (mut written, mut dropped, mut failed) = (0, 0, 0);
    // How long a refresh takes, so that it is ended within that time.
    let mut takes_us = 20_000;
    for _ in 0..60 {
        let until = written + random.below(40) as i64;
        stream.stream.put(&(written..until).map(|id| (id, Some("x"))).collect::<Vec<_>>());
        written = until;
        match random.below(8) {
            0 if stream.stream.open() < 6 => stream.stream.reshard(1, 2),
            1 if stream.stream.open() > 1 => stream.stream.reshard(2, 1),
            _ => {}
        }
        match random.below(5) {
            0 => {
                stream.stream.fail_after(random.below(6) as usize);
                failed += usize::from(world.rows(REFRESH).await.is_err());
            }
            1 => {
                world.line("BEGIN").await;
                world.line(REFRESH).await;
                // The commit of one that was dropped before may still be under way.
                let ended = world.rows(if random.below(2) == 0 { "ROLLBACK" } else { "COMMIT" }).await;
                ended.unwrap_or_else(|error| {
                    assert_eq!(error.sqlstate(), "40001", "{error}");
                    Vec::new()
                });
            }
            2 => {
                let begun = Instant::now();
                world.line(REFRESH).await;
                takes_us = begun.elapsed().as_micros() as u64;
            }
            _ => {
                let limit = Duration::from_micros(random.below(takes_us.max(1)));
                let ended = tokio::time::timeout(limit, rows(&mut world.session, REFRESH)).await;
                dropped += usize::from(ended.is_err());
            }
        }
        let found = world.line("SELECT count(*), count(DISTINCT id) FROM v").await;
        let (all, different) = found.split_once(',').unwrap();
        assert_eq!(all, different, "seed {seed}");
    }
    stream.stream.put(&[(written, Some("x"))]);
    world.line(REFRESH).await;
    let sum: i64 = (0..=written).sum();
    let found = world.line("SELECT count(*), count(DISTINCT id), sum(id), sum(twice) FROM v").await;
    assert_eq!(found, format!("{0},{0},{sum},{1}", written + 1, sum * 2), "seed {seed}");
    assert!(dropped > 3 && failed > 2, "seed {seed}: {dropped} dropped, {failed} failed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refreshes_that_end_anywhere_lose_and_double_nothing() {
    for seed in 1..=4 {
        life(seed).await;
    }
}

/// A session over a stream whose records are as many as bytes of a file in the folder.
async fn open(folder: &Path) -> World {
    let memory = Arc::default();
    let config = WarehouseConfig { target_partitions: Some(2), ..WarehouseConfig::new(folder.join("warehouse")) };
    let warehouse = Warehouse::open_with(config, registry(&memory)).await.unwrap();
    World { folder: tempfile::tempdir().unwrap(), memory, session: Session::new(warehouse) }
}

/// How many records there are.
fn written(folder: &Path) -> i64 {
    std::fs::metadata(folder.join("records")).map_or(0, |found| found.len() as i64)
}

/// Puts the records into the stream that are not in it.
fn put(world: &World, from: i64, folder: &Path) -> i64 {
    let until = written(folder);
    world.memory.stream.put(&(from..until).map(|id| (id, Some("x"))).collect::<Vec<_>>());
    until
}

#[tokio::test]
#[ignore = "another test runs it as a process"]
async fn process_refreshes_a_view() {
    let Some(folder) = process::folder() else { return };
    let mut world = open(&folder).await;
    let mut log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("records")).unwrap();
    let mut known = put(&world, 0, &folder);
    std::fs::write(folder.join("started"), "").unwrap();
    loop {
        log.write_all(b"0123456").unwrap();
        known = put(&world, known, &folder);
        world.line(REFRESH).await;
    }
}

#[tokio::test]
async fn a_killed_process_loses_and_doubles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = open(folder.path()).await;
    world.line("CREATE EXTERNAL SCHEMA ks FROM KINESIS").await;
    world.line("CREATE MATERIALIZED VIEW v AS SELECT id FROM ks.events").await;
    let (mut random, mut refreshed) = (Random(11), String::new());
    let mut grew = 0;
    for _ in 0..20 {
        let _ = std::fs::remove_file(folder.path().join("started"));
        let mut child = process::start("streams_killed::process_refreshes_a_view", folder.path());
        let begun = Instant::now();
        while !folder.path().join("started").exists() {
            assert!(begun.elapsed() < Duration::from_mins(1), "the process does not start");
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(Duration::from_micros(random.below(300_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        let found = world.line("SELECT count(*), count(DISTINCT id) FROM v").await;
        let (all, different) = found.split_once(',').unwrap();
        assert_eq!(all, different);
        grew += usize::from(found != refreshed);
        refreshed = found;
    }
    assert!(grew > 5, "the processes did next to nothing");
    put(&world, 0, folder.path());
    world.line(REFRESH).await;
    let count = written(folder.path());
    let found = world.line("SELECT count(*), count(DISTINCT id), max(id) FROM v").await;
    assert_eq!(found, format!("{count},{count},{}", count - 1));
}
