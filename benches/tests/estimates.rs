//! The optimizer's estimates of TPC-H's and TPC-DS's joins at a small scale do not get worse than the record.
//!
//! `MILLRACE_RECORD=1` writes the record anew; a person reads the difference before it is committed. The data and texts of
//! TPC-DS come from DuckDB's extension: `MILLRACE_BENCH_PYTHON` names a Python that has it, `python3` otherwise.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use millrace_benches::estimates::JoinRows;
use millrace_benches::{report, tpcds, tpch};
use millrace_engine::STACK_BYTES;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The geometric mean of all errors may be so many times that of the record.
const WORSE: f64 = 1.15;

/// The mean of logarithms tells of all joins; the largest error of the worst.
fn mean(errors: impl Iterator<Item = f64>) -> f64 {
    let logarithms: Vec<f64> = errors.map(f64::ln).collect();
    (logarithms.iter().sum::<f64>() / logarithms.len().max(1) as f64).exp()
}

fn shown(joins: &[JoinRows]) -> String {
    let mut text = "query estimated actual error\n".to_owned();
    for join in joins {
        writeln!(text, "Q{} {} {} {:.2}", join.query, join.estimated, join.actual, join.error()).unwrap();
    }
    writeln!(text, "mean {:.2}", mean(joins.iter().map(JoinRows::error))).unwrap();
    text
}

/// Compares a suite's joins, of which there are at least so many, with its record.
fn check(suite: &str, joins: &[JoinRows], least: usize) {
    let text = shown(joins);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("estimates").join(format!("{suite}.txt"));
    if std::env::var_os("MILLRACE_RECORD").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let record = std::fs::read_to_string(&path);
    let record = record.unwrap_or_else(|_| panic!("there is no record of {suite} yet: MILLRACE_RECORD=1 writes it"));
    let recorded = record.lines().last().and_then(|line| line.strip_prefix("mean ")).unwrap();
    let recorded: f64 = recorded.parse().unwrap();
    let found = mean(joins.iter().map(JoinRows::error));
    assert!(joins.len() >= least, "only {} joins were estimated:\n{text}", joins.len());
    assert!(found <= recorded * WORSE, "mean error {found:.2}, on record {recorded:.2}:\n{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn estimates_are_as_good_as_on_record() {
    let folder = tempfile::tempdir().unwrap();
    check("tpch", &tpch::join_rows(0.01, folder.path()).await.unwrap(), 50);
}

/// Passed over, and said so, where DuckDB's extension is not installed.
#[test]
fn estimates_of_tpcds_are_as_good_as_on_record() {
    with_deep_stacks(async || {
        let python = std::env::var_os("MILLRACE_BENCH_PYTHON").map_or_else(|| PathBuf::from("python3"), PathBuf::from);
        let folder = tempfile::tempdir().unwrap();
        let suite = match tpcds::suite(0.01, &python, folder.path()).await {
            Ok(suite) => suite,
            Err(error) => return report::print(&format!("SKIPPED: {error:#}")),
        };
        check("tpcds", &tpcds::join_rows(&suite, &folder.path().join("warehouse")).await.unwrap(), 300);
    });
}

/// Statements of this length need deep stacks, as in the program itself.
fn with_deep_stacks(test: impl AsyncFnOnce() + Send + 'static) {
    let run = move || {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(2).enable_all().thread_stack_size(STACK_BYTES);
        builder.build().unwrap().block_on(test());
    };
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(run).unwrap();
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}
