//! The connector against an in-process server that records what it is asked, and against a real one when
//! `MILLRACE_TEST_SEARCH` names it.

#![allow(clippy::unwrap_used)]

mod aggregates;
mod columns;
mod conditions;
mod declared;
mod failures;
mod pages;
mod real;
mod sources;
mod stub;

use super::*;
use crate::predicate::{Comparison, Value as Constant};
use crate::registry::Registry;
use arrow::util::pretty::pretty_format_batches;
use futures::TryStreamExt;

/// A connector with options beside the endpoint.
fn connect(endpoint: &str, options: &[(&str, &str)]) -> Arc<dyn Connector> {
    let mut all = Options::from([("endpoint".to_owned(), endpoint.to_owned())]);
    all.extend(options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    Registry::builtin().connect("opensearch", &all).unwrap()
}

fn request(table: &str, columns: &[&str]) -> ScanRequest {
    ScanRequest {
        table: table.to_owned(),
        columns: columns.iter().map(|column| (*column).to_owned()).collect(),
        predicates: vec![],
        limit: None,
        order: vec![],
        checkpoints: vec![],
    }
}

/// All batches of all splits, and what they cost.
async fn read_all(connector: &dyn Connector, request: &ScanRequest) -> Result<(Vec<RecordBatch>, Arc<Measures>)> {
    connector.schema(&request.table).await?;
    let measures = Arc::new(Measures::default());
    let mut batches = vec![];
    for split in connector.splits(request, 4).await? {
        let stream = connector.scan(request, &split, &measures).await?;
        batches.extend(stream.try_collect::<Vec<_>>().await?);
    }
    Ok((batches, measures))
}

/// Rows as lines of values.
async fn rows(connector: &dyn Connector, request: &ScanRequest) -> Result<Vec<String>> {
    let (batches, _) = read_all(connector, request).await?;
    Ok(lines(&batches))
}

fn lines(batches: &[RecordBatch]) -> Vec<String> {
    let table = pretty_format_batches(batches).unwrap().to_string();
    let lines = table.lines().skip(3).filter(|line| line.starts_with('|'));
    let cells = |line: &str| line.trim_matches('|').split(" | ").map(str::trim).collect::<Vec<_>>().join(" | ");
    lines.map(cells).collect()
}

fn count(batches: &[RecordBatch]) -> usize {
    batches.iter().map(RecordBatch::num_rows).sum()
}

fn compare(column: &str, comparison: Comparison, value: Constant) -> Predicate {
    Predicate::Compare { column: column.to_owned(), comparison, value }
}

fn text(text: &str) -> Constant {
    Constant::Text(text.to_owned())
}
