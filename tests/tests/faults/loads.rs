//! A process that is killed at any instant of a COPY: each load is there whole or not at all, and what a dead one wrote
//! goes.

use crate::killed::unknown;
use crate::model::Random;
use crate::{open, process};
use millrace_engine::{Session, Warehouse};
use millrace_tests::database::rows;
use millrace_tests::warehouse_config;
use std::fmt::Write as _;
use std::io::Write;
use std::time::{Duration, Instant};

const SEED: u64 = 9;
const KILLS: u64 = 10;
const FILES: usize = 3;
/// Good lines of a file; each has a bad one too.
const LINES: usize = 4_000;

#[tokio::test]
#[ignore = "another test runs it as a process"]
async fn process_loads_files() {
    let Some(folder) = process::folder() else { return };
    let mut session = open(&folder.join("warehouse")).await.unwrap();
    let create = "CREATE TABLE IF NOT EXISTS t (a int, b varchar(30)) DISTKEY (a) SORTKEY (b)";
    rows(&mut session, create).await.unwrap();
    let mut log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("acknowledged")).unwrap();
    std::fs::write(folder.join("started"), "").unwrap();
    let copy = format!("COPY t FROM '{}/' CSV MAXERROR 10", folder.join("in").display());
    loop {
        rows(&mut session, &copy).await.unwrap();
        log.write_all(b".").unwrap();
    }
}

#[tokio::test]
async fn a_load_of_a_killed_process_is_there_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::create_dir(folder.join("in")).unwrap();
    for file in 0..FILES {
        let mut text = "bad,line\n".to_owned();
        for line in 0..LINES {
            writeln!(text, "{line},text of line {}", line * 7919 % 1000).unwrap();
        }
        std::fs::write(folder.join(format!("in/{file}.csv")), text).unwrap();
    }
    let mut random = Random(SEED);
    let mut loads = 0;
    for kill in 0..KILLS {
        let _ = std::fs::remove_file(folder.join("started"));
        let mut child = process::start("loads::process_loads_files", folder);
        let begun = Instant::now();
        while !folder.join("started").exists() {
            assert!(begun.elapsed() < Duration::from_mins(1), "the process does not start");
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(Duration::from_micros(random.below(2_000_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        let told = std::fs::metadata(folder.join("acknowledged")).map_or(0, |found| found.len());
        let mut session = open(&folder.join("warehouse")).await.unwrap();
        let found = rows(&mut session, "SELECT count(*), count(*) - count(b) FROM t").await.unwrap();
        let count: usize = found[0][0].parse().unwrap();
        assert_eq!((count % (FILES * LINES), found[0][1].as_str()), (0, "0"), "kill {kill}");
        // The last load may have been committed and not acknowledged any more, once in each process.
        let whole = (count / (FILES * LINES)) as u64;
        assert!((told..=told + kill + 1).contains(&whole), "kill {kill}: {whole} loads, {told} acknowledged");
        assert!(whole >= loads, "kill {kill}: a load is gone");
        loads = whole;
    }
    assert!(loads > 0, "the processes loaded nothing");
    let mut config = warehouse_config(folder.join("warehouse"));
    config.orphan_age = Duration::ZERO;
    let opened = Warehouse::open(config).await.unwrap();
    for _ in 0..500 {
        if unknown(&opened, folder).await.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(unknown(&opened, folder).await, Vec::<String>::new());
    // What was loaded is read to its last value.
    let each = rows(&mut Session::new(opened), "SELECT count(DISTINCT a), sum(length(b)) % 7 FROM t").await.unwrap();
    assert_eq!(each[0][0], LINES.to_string());
}
