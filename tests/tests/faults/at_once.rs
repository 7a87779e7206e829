//! A process of many sessions that is killed while they insert row by row, several commits in one transaction of the
//! catalog: each session's rows are there that it was told are there, perhaps the next one, and none twice.

use crate::model::Random;
use crate::{open, process};
use futures::future::join_all;
use millrace_engine::{Session, Warehouse};
use millrace_tests::database::rows;
use millrace_tests::warehouse_config;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

const SEED: u64 = 20_261_129;
const SESSIONS: u64 = 8;
const KILLS: u64 = 10;

/// What tells how many rows a session was told are there: a byte each.
fn acknowledged(folder: &Path, session: u64) -> PathBuf {
    folder.join(format!("acknowledged-{session}"))
}

fn told(folder: &Path, session: u64) -> u64 {
    std::fs::metadata(acknowledged(folder, session)).map_or(0, |found| found.len())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "another test runs it as a process"]
async fn process_inserts_from_many_sessions() {
    let Some(folder) = process::folder() else { return };
    let warehouse = Warehouse::open(warehouse_config(folder.join("warehouse"))).await.unwrap();
    std::fs::write(folder.join("started"), "").unwrap();
    let inserting = (0..SESSIONS).map(|number| {
        let (folder, mut session) = (folder.clone(), Session::new(Arc::clone(&warehouse)));
        tokio::spawn(async move {
            let path = acknowledged(&folder, number);
            let mut log = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
            for n in told(&folder, number).. {
                rows(&mut session, &format!("INSERT INTO t VALUES ({number}, {n})")).await.unwrap();
                log.write_all(b".").unwrap();
            }
        })
    });
    for ended in join_all(inserting).await {
        ended.unwrap();
    }
}

#[tokio::test]
async fn what_many_sessions_were_told_is_there_once() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = folder.path().join("warehouse");
    rows(&mut open(&warehouse).await.unwrap(), "CREATE TABLE t (client int, n int)").await.unwrap();
    let mut random = Random(SEED);
    for kill in 0..KILLS {
        let _ = std::fs::remove_file(folder.path().join("started"));
        let mut child = process::start("at_once::process_inserts_from_many_sessions", folder.path());
        let begun = Instant::now();
        while !folder.path().join("started").exists() {
            assert!(begun.elapsed() < Duration::from_mins(1), "the process does not start");
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(Duration::from_millis(200 + random.below(800)));
        assert!(child.try_wait().unwrap().is_none(), "kill {kill}: the process ended by itself");
        child.kill().unwrap();
        child.wait().unwrap();

        let mut session = open(&warehouse).await.unwrap();
        // A server may still be at the commit that it was told of last: it has the writers' lock as long.
        session.warehouse().catalog().end_lease("killed", "nobody").await.unwrap();
        for number in 0..SESSIONS {
            let query = "SELECT count(*), count(DISTINCT n), coalesce(max(n) + 1, 0) FROM t WHERE client = ";
            let found = rows(&mut session, &format!("{query}{number}")).await.unwrap().remove(0);
            let found: Vec<u64> = found.iter().map(|text| text.parse().unwrap()).collect();
            let (told, count) = (told(folder.path(), number), found[0]);
            assert_eq!(found, [count; 3], "kill {kill}, session {number}: a row is missing or there twice");
            assert!((told..=told + 1).contains(&count), "kill {kill}, session {number}: {count} rows, told of {told}");
            std::fs::write(acknowledged(folder.path(), number), ".".repeat(count as usize)).unwrap();
        }
    }
    let all: u64 = (0..SESSIONS).map(|number| told(folder.path(), number)).sum();
    assert!(all > KILLS * SESSIONS / 2, "the processes did next to nothing: {all} rows");
}
