//! What was estimated of TPC-H's joins beside what they gave: the optimizer's errors, on record.

use super::data;
use crate::compare;
use crate::side::Ours;
use crate::suite;
use crate::target::Kind;
use anyhow::{Context, Result};
use std::path::Path;

/// A join of a query's plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinRows {
    /// The query.
    pub query: usize,
    /// What was estimated.
    pub estimated: u64,
    /// What came out.
    pub actual: u64,
}

impl JoinRows {
    /// By how many times the estimate is off, in either direction; less than a row counts as one.
    pub fn error(&self) -> f64 {
        let (estimated, actual) = (self.estimated.max(1) as f64, self.actual.max(1) as f64);
        (estimated / actual).max(actual / estimated)
    }
}

/// Loads managed tables of a scale into a warehouse in a folder, and explains every query.
pub async fn join_rows(scale: f64, folder: &Path) -> Result<Vec<JoinRows>> {
    let files = folder.join("files");
    data::generate(scale, &files)?;
    let mut ours = Ours::open(&folder.join("warehouse"), 2).await?;
    ours.load(Kind::Managed, &data::tables(false), &files).await?;
    let mut found = Vec::new();
    for query in 1..=22 {
        let text = suite::query(super::SUITE, query)?;
        let plan = compare::rows(&ours.run(&format!("EXPLAIN ANALYZE (FORMAT DATAFUSION) {text}")).await?)?;
        let lines: Vec<&String> = plan.iter().flatten().collect();
        for (at, line) in lines.iter().enumerate() {
            let Some(estimated) = number(line, "(estimated rows=") else { continue };
            let actual = lines.get(at + 1).and_then(|line| number(line, "rows="));
            let actual = actual.with_context(|| format!("query {query}: no rows after {line}"))?;
            found.push(JoinRows { query, estimated, actual });
        }
    }
    Ok(found)
}

/// The number after a text.
fn number(line: &str, before: &str) -> Option<u64> {
    let (_, rest) = line.split_once(before)?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}
