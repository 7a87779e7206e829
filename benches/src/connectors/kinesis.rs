//! A stream's records into a managed table, beside a loop that reads its shards at the same time.

use super::{Bound, FILLING, Line, NAME, Options, Reading, beside, client_config, filled, note, schema};
use crate::report;
use crate::side::Ours;
use anyhow::{Context, Result};
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{PutRecordsRequestEntry, Shard, ShardIteratorType, StreamStatus};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::json;
use std::sync::Arc;
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
    let bound = Bound::new(options.seconds);
    let written = filled(fill(&client, options.records, &bound).await?, options.records);
    let payload = ", format 'json', columns 'n bigint, note varchar', reads_per_second '1000'";
    ours.run(&schema("kinesis", endpoint, payload)).await?;
    let load = |run: usize, prefix: Option<u64>| {
        let limit = prefix.map(|rows| format!(" LIMIT {rows}")).unwrap_or_default();
        format!(
            "CREATE TABLE loaded_{run} (partition_key varchar(32), n bigint, note varchar(128)); \
             INSERT INTO loaded_{run} SELECT partition_key, n, note FROM kinesis.{NAME}{limit}; \
             SELECT count(*), sum(n) FROM loaded_{run}"
        )
    };
    // The bare loop unpacks nothing, so the sum is that of the records that were written.
    let sum = written * (written - 1) / 2;
    let bare = |reading| {
        let client = &client;
        async move { Ok(format!("{},{sum}", read(client, reading).await?)) }
    };
    beside(ours, &bound, options.runs, "Kinesis into a table", load, bare).await
}

/// Makes the stream anew: a stream tells nobody how many records it has. Gives how many were written, which are fewer where
/// time ran out.
async fn fill(client: &Client, records: u64, bound: &Bound) -> Result<u64> {
    // Only a stream that is there is deleted: kinesis-mock refuses to delete another, yet takes its name away a little
    // later, with the stream that was made meanwhile.
    if status(client).await.is_ok() {
        client.delete_stream().stream_name(NAME).send().await.context("the old stream cannot be deleted")?;
        while status(client).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    report::print(&format!("filling Kinesis's stream with {records} records"));
    let create = client.create_stream().stream_name(NAME).shard_count(SHARDS);
    create.send().await.context("the stream cannot be made")?;
    active(client).await?;
    let firsts = (0..records).step_by(WRITTEN as usize).take_while(|first| *first == 0 || bound.fills());
    let written = stream::iter(firsts.map(|first| write(client, first, records.min(first + WRITTEN))));
    written.buffer_unordered(FILLING).try_fold(0_u64, |all, some| async move { Ok(all + some) }).await
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

/// Writes some records; gives how many.
async fn write(client: &Client, first: u64, end: u64) -> Result<u64> {
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
    Ok(end - first)
}

/// All shards at once from their beginning to their tip; the number of records.
async fn read(client: &Client, reading: Arc<Reading>) -> Result<u64> {
    let shards = client.list_shards().stream_name(NAME).send().await?;
    let part =
        |shard: &Shard| tokio::spawn(shard_of(client.clone(), shard.shard_id().to_owned(), Arc::clone(&reading)));
    let parts: Vec<_> = shards.shards().iter().map(part).collect();
    let mut records = 0;
    for part in parts {
        records += part.await??;
    }
    Ok(records)
}

async fn shard_of(client: Client, shard: String, reading: Arc<Reading>) -> Result<u64> {
    let from = client.get_shard_iterator().stream_name(NAME).shard_id(shard);
    let mut iterator = from.shard_iterator_type(ShardIteratorType::TrimHorizon).send().await?.shard_iterator;
    let mut records = 0;
    while let Some(at) = iterator {
        let page = client.get_records().shard_iterator(at).limit(PAGE).send().await?;
        records += page.records().len() as u64;
        let is_tip = page.records().is_empty() && page.millis_behind_latest().unwrap_or_default() == 0;
        if !reading.goes_on(page.records().len()) || is_tip {
            break;
        }
        iterator = page.next_shard_iterator;
    }
    Ok(records)
}
