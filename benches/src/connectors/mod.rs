//! Foreign systems through SQL, beside a loop that asks the same system for the same and does nothing else.
//!
//! Each system's server is there already and is named by its endpoint; its table, index or stream is filled when it does
//! not hold what is wanted. Both sides run in this process, in turns, and must find the same sums. What the bare loop
//! takes is the server's own speed, so the part of it that we reach is what counts.
//!
//! A source has so much time ([`bound`]), whatever its server takes for a row: what is not filled or read by then is left
//! out on both sides, and the line says of how many rows it is. Its lines ([`line`]) are printed when it is done.

mod bound;
mod dynamodb;
mod kinesis;
mod line;
mod search;

use crate::side::{Ours, cores};
use crate::{compare, numbers, proc, report};
use anyhow::{Context, Result, bail, ensure};
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use aws_types::SdkConfig;
use bound::{Bound, Reading};
use line::{Line, Side};
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Options of the benchmark.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Where DynamoDB's API is served
    #[arg(long, value_name = "URL")]
    dynamodb: Option<String>,
    /// Where OpenSearch or Elasticsearch is
    #[arg(long, value_name = "URL")]
    search: Option<String>,
    /// Where Kinesis's API is served
    #[arg(long, value_name = "URL")]
    kinesis: Option<String>,
    /// Items of DynamoDB's table
    #[arg(long, default_value_t = 1_000_000)]
    items: u64,
    /// Documents of the search index
    #[arg(long, default_value_t = 1_000_000)]
    documents: u64,
    /// Records of Kinesis's stream
    #[arg(long, default_value_t = 1_000_000)]
    records: u64,
    /// Look-ups of a key on each side
    #[arg(long, default_value_t = 500)]
    lookups: u64,
    /// Runs of each other work on each side, where there is time for them
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Seconds of a source, a half of them to fill it
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// Also write all figures here
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// The part of the bare loop's speed that a scan is to reach.
const SCAN_BAR: f64 = 0.9;

/// How often the bare request's time a key's look-up may take.
const LOOKUP_BAR: f64 = 2.0;

/// A run of ours is given up after the time that is left, but not before so many times the bare loop's.
const PATIENCE: u32 = 4;

/// Requests that fill a table at the same time.
const FILLING: usize = 16;

/// The table, index and stream.
const NAME: &str = "millrace_bench";

/// Runs it.
///
/// # Errors
/// When no system is named, one does not answer, or the sides disagree.
pub async fn run(options: &Options) -> Result<()> {
    let Options { items, documents, records, .. } = *options;
    ensure!(items > 0 && documents > 0 && records > 0, "there has to be an item, a document, a record");
    if options.dynamodb.is_none() && options.search.is_none() && options.kinesis.is_none() {
        bail!("name a server: --dynamodb, --search or --kinesis URL");
    }
    let warehouse = Ours::new(cores()).await?;
    let mut lines = Vec::new();
    // Each source has a session, for a statement that is given up may leave its own in the middle.
    if let Some(endpoint) = &options.dynamodb {
        tell(&mut lines, Box::pin(dynamodb::run(&mut warehouse.another(), endpoint, options)).await?, options)?;
    }
    if let Some(endpoint) = &options.search {
        tell(&mut lines, Box::pin(search::run(&mut warehouse.another(), endpoint, options)).await?, options)?;
    }
    if let Some(endpoint) = &options.kinesis {
        let line = Box::pin(kinesis::run(&mut warehouse.another(), endpoint, options)).await?;
        tell(&mut lines, vec![line], options)?;
    }
    // Both sides run in this process; what is bounded is bounded for them together.
    report::print(&format!("peak memory of this process {} MB", proc::peak_bytes("self") >> 20));
    Ok(())
}

/// Says that fewer rows than wanted were written, where that is so.
fn filled(written: u64, wanted: u64) -> u64 {
    if written < wanted {
        report::print(&format!("{written} of them, for want of time"));
    }
    written
}

/// Prints what a source came to and writes down all that is known so far.
fn tell(lines: &mut Vec<Line>, new: Vec<Line>, options: &Options) -> Result<()> {
    report::print(&line::table(&new));
    lines.extend(new);
    let Some(path) = &options.json else { return Ok(()) };
    std::fs::write(path, serde_json::to_string_pretty(lines)?).with_context(|| path.display().to_string())
}

/// Two sides in turns: statements of ours, the last of which gives one row, and a bare loop that gives the same row as
/// text.
///
/// The bare loop runs once before, which nobody times, to warm the server up and to find out whether there is time for all
/// rows. Where there is not, both sides read as many as it came to, and only their numbers are compared.
async fn beside<F: Future<Output = Result<String>>>(
    ours: &mut Ours,
    bound: &Bound,
    runs: usize,
    work: &'static str,
    statements: impl Fn(usize, Option<u64>) -> String,
    bare: impl Fn(Arc<Reading>) -> F,
) -> Result<Line> {
    let first = Arc::new(Reading::until(bound.part()));
    bare(Arc::clone(&first)).await?;
    let prefix = first.is_cut().then(|| first.rows());
    let (mut own, mut theirs, mut late) = (Side::default(), Side::default(), None);
    for run in 0..runs.max(1) {
        let start = Instant::now();
        let reading = Arc::new(prefix.map_or_else(Reading::of_all, Reading::of));
        let expected = bare(Arc::clone(&reading)).await?;
        let bare_took = start.elapsed();
        theirs.push(reading.rows(), bare_took);
        let text = statements(run, prefix);
        let begun = Instant::now();
        let most = bound.left().max(bare_took * PATIENCE);
        let Ok(found) = tokio::time::timeout(most, ours.run(&text)).await else {
            late = Some((ours.scanned().map(|state| state.rows_scanned), begun.elapsed()));
            break;
        };
        let found = compare::rows(&found?)?;
        let rows = prefix.unwrap_or_else(|| reading.rows());
        own.push(rows, begun.elapsed());
        let row = found.first().map(|row| row.join(",")).unwrap_or_default();
        match prefix {
            None => ensure!(row == expected, "{text}: {row} instead of {expected}"),
            // Which rows they are is for the server to say.
            Some(rows) => ensure!(row.split(',').next() == Some(&*rows.to_string()), "{text}: {row}, not {rows} rows"),
        }
        if start.elapsed() > bound.left() {
            break;
        }
    }
    Ok(Line::of_rows(work, first.rows(), prefix.is_some(), (&own, &theirs), late))
}

/// Single rows found by their keys, in turns: `query` asks us for the number of a row, `bare` the system itself.
async fn look_up<F: Future<Output = Result<u64>>>(
    ours: &mut Ours,
    bound: &Bound,
    work: &'static str,
    (lookups, rows): (u64, u64),
    query: impl Fn(u64) -> String,
    bare: impl Fn(u64) -> F,
) -> Result<Line> {
    let (mut own, mut theirs) = (Side::default(), Side::default());
    for at in 0..lookups.max(1) {
        let key = numbers::mixed(at) % rows;
        let start = Instant::now();
        let found = ours.run(&query(key)).await?;
        own.push(1, start.elapsed());
        let start = Instant::now();
        let expected = bare(key).await?;
        theirs.push(1, start.elapsed());
        let found = compare::rows(&found)?;
        ensure!(found == [[expected.to_string()]], "key {key}: {found:?} instead of {expected}");
        if bound.left() == Duration::ZERO {
            break;
        }
    }
    Ok(Line::of_keys(work, rows, (&own, &theirs)))
}

/// A table, or as many of its rows as there is time for.
fn prefixed(table: &str, columns: &str, rows: Option<u64>) -> String {
    match rows {
        None => table.to_owned(),
        Some(rows) => format!("(SELECT {columns} FROM {table} LIMIT {rows}) AS prefix"),
    }
}

/// How the bare loops reach one of AWS's services, with any credentials: the servers are local ones that check none.
fn client_config(endpoint: &str) -> SdkConfig {
    let credentials = Credentials::new("key", "secret", None, None, "bench");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(endpoint)
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

/// How a schema over one of AWS's services is reached.
fn schema(kind: &str, endpoint: &str, more: &str) -> String {
    format!(
        "CREATE EXTERNAL SCHEMA {kind} FROM {kind} ENDPOINT '{endpoint}' REGION 'us-east-1' \
         OPTIONS (access_key_id 'key', secret_access_key 'secret'{more})"
    )
}

/// A note of a hundred characters that compresses about as texts do.
fn note(number: u64) -> String {
    let mixed = numbers::mixed(number);
    format!(
        "{mixed:016x} a note about item {number:012}, which is as long as the notes of all other items are {:08x}",
        mixed >> 32
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_alike_and_not_the_same() {
        assert_eq!(note(1).len(), note(999_999).len());
        assert_ne!(note(1), note(2));
    }

    #[test]
    fn a_prefix_is_a_limit() {
        assert_eq!(prefixed("s.t", "n", None), "s.t");
        assert_eq!(prefixed("s.t", "n, note", Some(7)), "(SELECT n, note FROM s.t LIMIT 7) AS prefix");
    }
}
