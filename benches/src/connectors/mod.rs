//! Foreign systems through SQL, beside a loop that asks the same system for the same and does nothing else.
//!
//! Each system's server is there already and is named by its endpoint; its table, index or stream is filled when it does
//! not hold what is wanted. Both sides run in this process, in turns, and must find the same sums. What the bare loop
//! takes is the server's own speed, so the part of it that we reach is what counts.

mod dynamodb;
mod kinesis;
mod search;

use crate::side::{Ours, cores};
use crate::{compare, numbers, proc, report};
use anyhow::{Result, bail, ensure};
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use aws_types::SdkConfig;
use std::fmt::Write;
use std::future::Future;
use std::time::Instant;

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
    /// Items, documents and records
    #[arg(long, default_value_t = 1_000_000)]
    items: u64,
    /// Look-ups of a key on each side
    #[arg(long, default_value_t = 500)]
    lookups: u64,
    /// Runs of each other work on each side
    #[arg(long, default_value_t = 3)]
    runs: usize,
}

/// The part of the bare loop's speed that a scan is to reach.
const SCAN_BAR: f64 = 0.9;

/// How often the bare request's time a key's look-up may take.
const LOOKUP_BAR: f64 = 2.0;

/// Requests that fill a table at the same time.
const FILLING: usize = 16;

/// The table, index and stream.
const NAME: &str = "millrace_bench";

/// Runs it.
///
/// # Errors
/// When no system is named, one does not answer, or the sides disagree.
pub async fn run(options: &Options) -> Result<()> {
    ensure!(options.items > 0, "there has to be an item");
    if options.dynamodb.is_none() && options.search.is_none() && options.kinesis.is_none() {
        bail!("name a server: --dynamodb, --search or --kinesis URL");
    }
    let mut ours = Ours::new(cores()).await?;
    let mut lines = Vec::new();
    if let Some(endpoint) = &options.dynamodb {
        lines.extend(dynamodb::run(&mut ours, endpoint, options).await?);
    }
    if let Some(endpoint) = &options.search {
        lines.extend(search::run(&mut ours, endpoint, options).await?);
    }
    if let Some(endpoint) = &options.kinesis {
        lines.push(kinesis::run(&mut ours, endpoint, options).await?);
    }
    report::print(&table(&lines, options.items));
    // Both sides run in this process; what is bounded is bounded for them together.
    report::print(&format!("peak memory of this process {} MB", proc::peak_bytes("self") >> 20));
    Ok(())
}

/// What was measured of one work.
#[derive(Debug)]
struct Line {
    work: &'static str,
    ours_ms: f64,
    bare_ms: f64,
    /// What is to be reached.
    bar: Bar,
}

#[derive(Debug, Clone, Copy)]
enum Bar {
    /// At least this part of the bare loop's speed.
    Speed(f64),
    /// At most this many times the bare request's time.
    Times(f64),
}

impl Line {
    fn is_met(&self) -> bool {
        match self.bar {
            Bar::Speed(part) => self.bare_ms / self.ours_ms >= part,
            Bar::Times(times) => self.ours_ms / self.bare_ms <= times,
        }
    }
}

fn table(lines: &[Line], items: u64) -> String {
    let mut text = format!(
        "{items} items, documents, records; medians\n{:<22} {:>12} {:>12} {:>12} {:>8}",
        "", "millrace ms", "bare ms", "rows/s", "ratio"
    );
    for line in lines {
        let (rate, ratio, bar) = match line.bar {
            Bar::Speed(part) => {
                let rate = items as f64 / line.ours_ms * 1e3;
                (format!("{rate:.0}"), line.bare_ms / line.ours_ms, format!("speed at least {part}"))
            }
            Bar::Times(times) => (String::new(), line.ours_ms / line.bare_ms, format!("time at most {times}")),
        };
        let met = if line.is_met() { "met" } else { "missed" };
        let Line { work, ours_ms, bare_ms, .. } = line;
        // Writing to a String cannot fail.
        let _ = write!(text, "\n{work:<22} {ours_ms:>12.2} {bare_ms:>12.2} {rate:>12} {ratio:>8.3}  {bar}: {met}");
    }
    text
}

/// Two sides in turns: a query of one row, and a bare loop that gives the same row as text.
async fn beside<F: Future<Output = Result<String>>>(
    ours: &mut Ours,
    query: &str,
    runs: usize,
    bare: impl Fn() -> F,
) -> Result<(f64, f64)> {
    let (mut own, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..runs.max(1) {
        let start = Instant::now();
        let found = ours.run(query).await?;
        own.push(start.elapsed());
        let start = Instant::now();
        let expected = bare().await?;
        theirs.push(start.elapsed());
        let row = compare::rows(&found)?;
        let row = row.first().map(|row| row.join(",")).unwrap_or_default();
        ensure!(row == expected, "{query}: {row} instead of {expected}");
    }
    Ok((report::median_ms(&own), report::median_ms(&theirs)))
}

/// Single rows found by their keys, in turns: `query` asks us for the number of a row, `bare` the system itself.
async fn look_up<F: Future<Output = Result<u64>>>(
    ours: &mut Ours,
    work: &'static str,
    options: &Options,
    query: impl Fn(u64) -> String,
    bare: impl Fn(u64) -> F,
) -> Result<Line> {
    let (mut own, mut theirs) = (Vec::new(), Vec::new());
    for at in 0..options.lookups.max(1) {
        let key = numbers::mixed(at) % options.items;
        let start = Instant::now();
        let found = ours.run(&query(key)).await?;
        own.push(start.elapsed());
        let start = Instant::now();
        let expected = bare(key).await?;
        theirs.push(start.elapsed());
        let found = compare::rows(&found)?;
        ensure!(found == [[expected.to_string()]], "key {key}: {found:?} instead of {expected}");
    }
    let (ours_ms, bare_ms) = (report::median_ms(&own), report::median_ms(&theirs));
    Ok(Line { work, ours_ms, bare_ms, bar: Bar::Times(LOOKUP_BAR) })
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
    let mixed = crate::numbers::mixed(number);
    format!(
        "{mixed:016x} a note about item {number:012}, which is as long as the notes of all other items are {:08x}",
        mixed >> 32
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_of_speed_or_of_time() {
        let line = |ours_ms, bare_ms, bar| Line { work: "w", ours_ms, bare_ms, bar };
        assert!(line(100.0, 95.0, Bar::Speed(SCAN_BAR)).is_met());
        assert!(!line(100.0, 80.0, Bar::Speed(SCAN_BAR)).is_met());
        assert!(line(1.9, 1.0, Bar::Times(LOOKUP_BAR)).is_met());
        assert!(!line(2.1, 1.0, Bar::Times(LOOKUP_BAR)).is_met());
        assert!(
            table(&[line(100.0, 80.0, Bar::Speed(SCAN_BAR))], 1000)
                .contains("10000    0.800  speed at least 0.9: missed")
        );
    }

    #[test]
    fn notes_are_alike_and_not_the_same() {
        assert_eq!(note(1).len(), note(999_999).len());
        assert_ne!(note(1), note(2));
    }
}
