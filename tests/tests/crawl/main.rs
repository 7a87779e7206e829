//! Crawlers over real files: what interrupts a run, what a store refuses, what changes between two runs, what is no
//! data. What is right: AWS Glue's developer guide, issue 3's list, and the text of the files themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

mod bad_input;
mod changes;
mod classifiers;
mod interrupted;
#[path = "../process/mod.rs"]
#[allow(dead_code, reason = "other tests use the rest of it")]
mod process;
mod stores;

use millrace_engine::Session;
use millrace_tests::database::rows;
use std::path::Path;

/// A result's rows, a line each.
async fn lines(session: &mut Session, statement: &str) -> Vec<String> {
    let rows = rows(session, statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
    rows.iter().map(|row| row.join(" ")).collect()
}

/// Runs a crawler: `CREATED table 2`, with the note behind it where there is one.
async fn start(session: &mut Session, crawler: &str) -> Vec<String> {
    let lines = lines(session, &format!("START CRAWLER {crawler}")).await;
    lines.into_iter().map(|line| line.trim_end_matches(" NULL").to_owned()).collect()
}

/// What the newest run of a crawler tells.
async fn told(session: &mut Session, crawler: &str) -> String {
    run(session, crawler).await.pop().unwrap().replace("\\n", "\n")
}

/// The newest run of a crawler.
async fn run(session: &mut Session, crawler: &str) -> Vec<String> {
    rows(session, &format!("SHOW CRAWLER RUNS {crawler}")).await.unwrap().remove(0)
}

/// Writes a file, and the folders that it is in.
fn put(folder: &Path, name: &str, content: impl AsRef<[u8]>) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}
