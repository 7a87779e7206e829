//! A stream's records into a managed table, beside a loop that reads its shards at the same time.

use super::{Bar, FILLING, Line, NAME, Options, SCAN_BAR, client_config, note, schema};
use crate::side::Ours;
use crate::{compare, report};
use anyhow::{Context, Result, ensure};
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{PutRecordsRequestEntry, ShardIteratorType, StreamStatus};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::json;
use std::time::{Duration, Instant};

/// Records of one request that writes.
const WRITTEN: u64 = 500;

/// Shards of the stream.
const SHARDS: i32 = 8;

/// How long a server may not know of a stream that it said to make.
const MOST_MAKING: Duration = Duration::from_secs(30);

/// Records of one request that reads.
const PAGE: i32 = 10_000;

/// Measures a load.
pub(super) async fn run(ours: &mut Ours, endpoint: &str, options: &Options) -> Result<Line> {
    let client = Client::new(&client_config(endpoint));
    fill(&client, options.items).await?;
    let payload = ", format 'json', columns 'n bigint, note varchar', reads_per_second '1000'";
    ours.run(&schema("kinesis", endpoint, payload)).await?;
    let (mut own, mut theirs) = (Vec::new(), Vec::new());
    for run in 0..options.runs.max(1) {
        let load = format!(
            "CREATE TABLE loaded_{run} (partition_key varchar(32), n bigint, note varchar(128)); \
             INSERT INTO loaded_{run} SELECT partition_key, n, note FROM kinesis.{NAME}"
        );
        own.push(ours.time(&load).await?);
        let start = Instant::now();
        let records = read(&client).await?;
        theirs.push(start.elapsed());
        let found = compare::rows(&ours.run(&format!("SELECT count(*), sum(n) FROM loaded_{run}")).await?)?;
        let sum = options.items * (options.items - 1) / 2;
        ensure!(found == [[options.items.to_string(), sum.to_string()]], "records were lost or doubled: {found:?}");
        ensure!(records == options.items, "the bare loop read {records} records");
    }
    let (ours_ms, bare_ms) = (report::median_ms(&own), report::median_ms(&theirs));
    Ok(Line { work: "Kinesis into a table", ours_ms, bare_ms, bar: Bar::Speed(SCAN_BAR) })
}

/// Makes the stream anew: a stream tells nobody how many records it has.
async fn fill(client: &Client, items: u64) -> Result<()> {
    if client.delete_stream().stream_name(NAME).send().await.is_ok() {
        while status(client).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    report::print(&format!("filling Kinesis's stream with {items} records"));
    let create = client.create_stream().stream_name(NAME).shard_count(SHARDS);
    create.send().await.context("the stream cannot be made")?;
    active(client).await?;
    let firsts = (0..items).step_by(WRITTEN as usize);
    let written = stream::iter(firsts.map(|first| write(client, first, items.min(first + WRITTEN))));
    written.buffer_unordered(FILLING).try_collect::<Vec<()>>().await?;
    Ok(())
}

/// Waits until the stream can be written to. Some servers answer that they made one before they know it.
async fn active(client: &Client) -> Result<()> {
    let start = Instant::now();
    loop {
        match status(client).await {
            Ok(StreamStatus::Active) => return Ok(()),
            Err(error) if start.elapsed() > MOST_MAKING => return Err(error.context("the stream was not made")),
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn status(client: &Client) -> Result<StreamStatus> {
    let summary = client.describe_stream_summary().stream_name(NAME).send().await?;
    Ok(summary.stream_description_summary.context("no summary")?.stream_status)
}

async fn write(client: &Client, first: u64, end: u64) -> Result<()> {
    let record = |number: u64| -> Result<PutRecordsRequestEntry> {
        let data = json!({"n": number, "note": note(number)}).to_string();
        Ok(PutRecordsRequestEntry::builder().partition_key(format!("key {number}")).data(Blob::new(data)).build()?)
    };
    let mut left = (first..end).map(record).collect::<Result<Vec<_>>>()?;
    while !left.is_empty() {
        let answer = client.put_records().stream_name(NAME).set_records(Some(left.clone())).send().await?;
        // What a shard refuses, being written too fast, is sent again.
        let refused = answer.records().iter().map(|record| record.error_code().is_some());
        left = left.into_iter().zip(refused).filter(|(_, refused)| *refused).map(|(record, _)| record).collect();
        if !left.is_empty() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    Ok(())
}

/// All shards at once from their beginning to their tip; the number of records.
async fn read(client: &Client) -> Result<u64> {
    let shards = client.list_shards().stream_name(NAME).send().await?;
    let parts = shards.shards().iter().map(|shard| tokio::spawn(shard_of(client.clone(), shard.shard_id().to_owned())));
    let mut records = 0;
    for part in parts.collect::<Vec<_>>() {
        records += part.await??;
    }
    Ok(records)
}

async fn shard_of(client: Client, shard: String) -> Result<u64> {
    let from = client.get_shard_iterator().stream_name(NAME).shard_id(shard);
    let mut iterator = from.shard_iterator_type(ShardIteratorType::TrimHorizon).send().await?.shard_iterator;
    let mut records = 0;
    while let Some(at) = iterator {
        let page = client.get_records().shard_iterator(at).limit(PAGE).send().await?;
        records += page.records().len() as u64;
        if page.records().is_empty() && page.millis_behind_latest().unwrap_or_default() == 0 {
            break;
        }
        iterator = page.next_shard_iterator;
    }
    Ok(records)
}
