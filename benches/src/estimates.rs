//! What was estimated of a suite's joins beside what they gave: the optimizer's errors, on record.

use crate::compare;
use crate::side::Ours;
use anyhow::{Context, Result};

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

/// Runs queries, each with its number, over tables that are there.
///
/// # Errors
/// What a query fails with; a plan that does not tell what a join gave.
pub async fn join_rows(ours: &mut Ours, queries: &[(usize, &str)]) -> Result<Vec<JoinRows>> {
    let mut found = Vec::new();
    for (query, text) in queries {
        let plan = ours.run(&format!("EXPLAIN ANALYZE (FORMAT DATAFUSION) {text}")).await;
        let plan = compare::rows(&plan.with_context(|| format!("query {query}"))?)?;
        let lines: Vec<&String> = plan.iter().flatten().collect();
        for (at, line) in lines.iter().enumerate() {
            let Some((_, estimated)) = line.split_once("(estimated rows=") else { continue };
            let actual = lines.get(at + 1).and_then(|line| line.trim_start().strip_prefix("rows="));
            let actual = actual.and_then(number).with_context(|| format!("query {query}: no rows after {line}"))?;
            let estimated = number(estimated).with_context(|| format!("query {query}: no number in {line}"))?;
            found.push(JoinRows { query: *query, estimated, actual });
        }
    }
    Ok(found)
}

/// The number that a text begins with.
fn number(text: &str) -> Option<u64> {
    text.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}
