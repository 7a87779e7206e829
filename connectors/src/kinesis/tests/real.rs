//! Against a real server that is filled through its own client, where `MILLRACE_TEST_KINESIS` names its address:
//! `tests/clients/run` starts one. With `MILLRACE_TEST_KINESIS_FAN_OUT` it knows consumers.

use super::super::aggregated::aggregate;
use super::*;
use crate::aws;
use crate::predicate::{Comparison, Predicate, Value};
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::Blob;
use std::collections::BTreeMap;
use std::time::Duration;

const KEYS: usize = 20;

/// The server's options, where there is one.
fn server(more: &[(&str, &str)]) -> Option<Options> {
    let endpoint = std::env::var("MILLRACE_TEST_KINESIS").ok()?;
    let common = [
        ("endpoint", endpoint.as_str()),
        ("region", "us-east-1"),
        ("access_key_id", "key"),
        ("secret_access_key", "secret"),
        ("reads_per_second", "1000"),
    ];
    Some(common.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

async fn create(client: &Client, stream: &str, shards: i32) {
    client.create_stream().stream_name(stream).shard_count(shards).send().await.unwrap();
    settle(client, stream).await;
}

/// Waits until nothing is being done to a stream.
async fn settle(client: &Client, stream: &str) {
    for _ in 0..200 {
        let described = client.describe_stream_summary().stream_name(stream).send().await.unwrap();
        if described.stream_description_summary.unwrap().stream_status.as_str() == "ACTIVE" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("stream {stream} is not active");
}

/// The key that a number is written under.
fn key_of(number: usize) -> String {
    format!("key {}", number / 10 % KEYS)
}

/// Writes numbers; every third ten of them in one record, as the producer library does.
async fn put(client: &Client, stream: &str, numbers: std::ops::Range<usize>) {
    for ten in numbers.step_by(10) {
        let texts: Vec<String> = (ten..ten + 10).map(|number| number.to_string()).collect();
        let key = key_of(ten);
        let packed: Vec<_> = texts.iter().map(|text| (key.as_str(), text.as_bytes())).collect();
        let records = match ten / 10 % 3 {
            0 => vec![aggregate(&packed)],
            _ => texts.iter().map(|text| text.clone().into_bytes()).collect(),
        };
        for data in records {
            let put = client.put_record().stream_name(stream).partition_key(&key).data(Blob::new(data));
            put.send().await.unwrap();
        }
    }
}

/// Splits the first open shard, or merges the first two that lie side by side.
async fn reshard(client: &Client, stream: &str, merge: bool) {
    let shards = client.list_shards().stream_name(stream).send().await.unwrap().shards.unwrap();
    let open = shards.into_iter().filter(|shard| {
        shard.sequence_number_range.as_ref().is_none_or(|range| range.ending_sequence_number.is_none())
    });
    let hash = |text: &str| text.parse::<u128>().unwrap();
    let range = |shard: aws_sdk_kinesis::types::Shard| {
        let range = shard.hash_key_range.unwrap();
        (hash(&range.starting_hash_key), hash(&range.ending_hash_key), shard.shard_id)
    };
    let mut open: Vec<_> = open.map(range).collect();
    open.sort();
    if merge {
        let merge = client.merge_shards().stream_name(stream).shard_to_merge(&open[0].2);
        merge.adjacent_shard_to_merge(&open[1].2).send().await.unwrap();
    } else {
        let (start, end, id) = &open[0];
        let middle = start + (end - start) / 2;
        let split = client.split_shard().stream_name(stream).shard_to_split(id);
        split.new_starting_hash_key(middle.to_string()).send().await.unwrap();
    }
    settle(client, stream).await;
}

/// A stream that is written, split and merged while it is read in many scans, each from the checkpoints of the last.
async fn read_while_it_changes(stream: &str, more: &[(&str, &str)], consumer: Option<&str>) {
    let Some(options) = server(more) else { return };
    let client = Client::new(&aws::config(&options).await.unwrap());
    create(&client, stream, 2).await;
    if let Some(consumer) = consumer {
        let described = client.describe_stream_summary().stream_name(stream).send().await.unwrap();
        let arn = described.stream_description_summary.unwrap().stream_arn;
        client.register_stream_consumer().stream_arn(arn).consumer_name(consumer).send().await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let writer = async {
        for round in 0..8 {
            put(&client, stream, round * 150..(round + 1) * 150).await;
            reshard(&client, stream, round % 3 == 2).await;
        }
        put(&client, stream, 1200..1300).await;
    };
    let connector = KinesisFactory.connect(&options).unwrap();
    let mut wanted = request(&["kinesis_data"]);
    stream.clone_into(&mut wanted.table);
    let mut seen = vec![];
    tokio::pin!(writer);
    let mut writing = true;
    loop {
        let last = !writing;
        let reading = read_all(&*connector, &mut wanted);
        tokio::pin!(reading);
        let read = loop {
            tokio::select! {
                read = &mut reading => break read.unwrap(),
                () = &mut writer, if writing => writing = false,
            }
        };
        seen.extend(read);
        if last {
            break;
        }
    }
    let mut seen: Vec<usize> = seen.iter().map(|text| text.parse().unwrap()).collect();
    let mut latest = BTreeMap::new();
    for number in &seen {
        // What is under one key is in order, over splits and merges.
        let before = latest.insert(key_of(*number), *number);
        assert!(before.is_none_or(|before| before < *number), "{number} comes after {before:?}");
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..1300).collect::<Vec<_>>());
    client.delete_stream().stream_name(stream).enforce_consumer_deletion(true).send().await.unwrap();
}

#[tokio::test]
async fn a_stream_is_read_while_it_is_split_and_merged() {
    Box::pin(read_while_it_changes("changing", &[], None)).await;
}

#[tokio::test]
async fn a_consumer_reads_while_shards_are_split_and_merged() {
    if std::env::var_os("MILLRACE_TEST_KINESIS_FAN_OUT").is_some() {
        Box::pin(read_while_it_changes("subscribed", &[("fan_out", "reader")], Some("reader"))).await;
    }
}

#[tokio::test]
async fn times_and_shards_choose_records() {
    let Some(options) = server(&[]) else { return };
    let client = Client::new(&aws::config(&options).await.unwrap());
    create(&client, "timed", 3).await;
    put(&client, "timed", 0..60).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let from = chrono::Utc::now().timestamp_micros();
    // The servers tell arrivals in milliseconds, cut: none of the later ones is to seem earlier.
    tokio::time::sleep(Duration::from_millis(50)).await;
    put(&client, "timed", 60..90).await;
    let connector = KinesisFactory.connect(&options).unwrap();
    assert!(connector.tables().await.unwrap().contains(&"timed".to_owned()));
    let mut wanted = request(&["kinesis_data"]);
    "timed".clone_into(&mut wanted.table);
    let time = |comparison| Predicate::Compare {
        column: "approximate_arrival_timestamp".to_owned(),
        comparison,
        value: Value::Timestamp(from),
    };
    let numbers = |texts: Vec<String>| {
        let mut numbers: Vec<usize> = texts.iter().map(|text| text.parse().unwrap()).collect();
        numbers.sort_unstable();
        numbers
    };
    wanted.predicates = vec![time(Comparison::GtEq)];
    assert_eq!(numbers(read_all(&*connector, &mut wanted).await.unwrap()), (60..90).collect::<Vec<_>>());
    wanted.checkpoints.clear();
    wanted.predicates = vec![time(Comparison::Lt)];
    assert_eq!(numbers(read_all(&*connector, &mut wanted).await.unwrap()), (0..60).collect::<Vec<_>>());
    let mut all = vec![];
    for shard in 0..3 {
        wanted.checkpoints.clear();
        let value = Value::Text(format!("shardId-{shard:012}"));
        let column = "shard_id".to_owned();
        wanted.predicates = vec![Predicate::Compare { column, comparison: Comparison::Eq, value }];
        all.extend(read_all(&*connector, &mut wanted).await.unwrap());
    }
    assert_eq!(numbers(all), (0..90).collect::<Vec<_>>());
    client.delete_stream().stream_name("timed").send().await.unwrap();
}
