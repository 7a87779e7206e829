//! The optimizer's estimates of TPC-H's joins at a small scale do not get worse than the record.
//!
//! `MILLRACE_RECORD=1` writes the record anew; a person reads the difference before it is committed.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use millrace_benches::tpch::{JoinRows, join_rows};
use std::fmt::Write;
use std::path::Path;

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn estimates_are_as_good_as_on_record() {
    let folder = tempfile::tempdir().unwrap();
    let joins = join_rows(0.01, folder.path()).await.unwrap();
    let text = shown(&joins);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("estimates/tpch.txt");
    if std::env::var_os("MILLRACE_RECORD").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let record = std::fs::read_to_string(&path).unwrap();
    let recorded = record.lines().last().and_then(|line| line.strip_prefix("mean ")).unwrap();
    let recorded: f64 = recorded.parse().unwrap();
    let found = mean(joins.iter().map(JoinRows::error));
    assert!(joins.len() > 50, "only {} joins were estimated:\n{text}", joins.len());
    assert!(found <= recorded * WORSE, "mean error {found:.2}, on record {recorded:.2}:\n{text}");
}
