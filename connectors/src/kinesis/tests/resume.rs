//! Reading goes on from checkpoints over splits and merges; killed anywhere, each record is given once.

use super::super::aggregated::aggregate;
use super::super::stub::Fault;
use super::*;
use futures::StreamExt;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;

#[tokio::test]
async fn shards_are_followed_over_splits_and_merges() {
    let stub = Stub::start().await;
    {
        let mut state = stub.state();
        state.create("events", 2);
        state.put("events", 0, "k", b"0a");
        state.put("events", 1, "k", b"1a");
        state.split("events", 0);
        state.put("events", 2, "k", b"2a");
        state.put("events", 3, "k", b"3a");
        state.merge("events", 1, 2);
        state.put("events", 4, "k", b"4a");
    }
    let connector = connect(&stub, &[]);
    let mut wanted = request(&["kinesis_data"]);
    let after: Vec<usize> = splits_of(&*connector).await.iter().map(|split| split.after.len()).collect();
    assert_eq!(after, [0, 0, 1, 1, 2]);
    assert_eq!(read_all(&*connector, &mut wanted).await.unwrap(), ["0a", "1a", "2a", "3a", "4a"]);
    assert_eq!([0, 1, 2].map(|shard| position(&wanted, shard)), ["end"; 3]);
    // Finished shards cost nothing; children of later begin at their beginning.
    stub.state().asked.clear();
    {
        let mut state = stub.state();
        state.put("events", 3, "k", b"3b");
        state.split("events", 3);
        state.put("events", 6, "k", b"6a");
        state.put("events", 4, "k", b"4b");
    }
    assert_eq!(read_all(&*connector, &mut wanted).await.unwrap(), ["3b", "4b", "6a"]);
    assert!(read_all(&*connector, &mut wanted).await.unwrap().is_empty());
    let state = stub.state();
    let begun: Vec<_> = state.asked_for("GetShardIterator");
    let of = |shard: usize| begun.iter().filter(move |asked| asked["ShardId"] == format!("shardId-{shard:012}"));
    assert_eq!([0, 1, 2].map(|shard| of(shard).count()), [0; 3]);
    assert_eq!(of(3).next().unwrap()["ShardIteratorType"], "AFTER_SEQUENCE_NUMBER");
    assert_eq!(of(6).next().unwrap()["ShardIteratorType"], "TRIM_HORIZON");
}

/// What is split while a scan reads it: the scan has everything that came before it began, and the children that it
/// did not know have only what came after.
#[tokio::test]
async fn children_made_while_reading_are_for_the_next_scan() {
    let stub = Stub::start().await;
    {
        let mut state = stub.state();
        state.create("events", 1);
        state.page = 4;
        (0..10).for_each(|n| state.put("events", 0, "k", n.to_string().as_bytes()));
        state.then = Some((1, |state| {
            state.put("events", 0, "k", b"10");
            state.split("events", 0);
            state.put("events", 1, "k", b"11");
            state.put("events", 2, "k", b"12");
        }));
    }
    let connector = connect(&stub, &[]);
    let mut wanted = request(&["kinesis_data"]);
    let first = read_all(&*connector, &mut wanted).await.unwrap();
    assert!(first.len() >= 10);
    assert_eq!(first[..10], (0..10).map(|n| n.to_string()).collect::<Vec<_>>());
    let rest = read_all(&*connector, &mut wanted).await.unwrap();
    let all: Vec<String> = first.into_iter().chain(rest).collect();
    assert_eq!(all, (0..13).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!(position(&wanted, 0), "end");
}

#[tokio::test]
async fn aggregated_records_are_resumed_within() {
    let stub = Stub::start().await;
    let texts_of: Vec<String> = (0..10_000).map(|n| n.to_string()).collect();
    let packed: Vec<(&str, &[u8])> = texts_of.iter().map(|text| ("k", text.as_bytes())).collect();
    stub.state().create("events", 1);
    stub.state().put("events", 0, "k", &aggregate(&packed));
    stub.state().put("events", 0, "k", b"last");
    let connector = connect(&stub, &[]);
    let mut wanted = request(&["kinesis_data"]);
    let split = connector.splits(&wanted, 1).await.unwrap().remove(0);
    let mut stream = connector.scan(&wanted, &split, &Arc::default()).await.unwrap();
    let first = texts(&stream.next().await.unwrap().unwrap());
    drop(stream);
    let checkpoint = connector.checkpoint(&wanted, &split).await.unwrap().unwrap();
    keep(&mut wanted, checkpoint);
    assert_eq!(first.len(), 8192);
    assert!(position(&wanted, 0).ends_with(":8191"));
    let rest = read_all(&*connector, &mut wanted).await.unwrap();
    assert_eq!((rest.len(), rest[0].as_str(), rest.last().unwrap().as_str()), (1809, "8192", "last"));
    assert_eq!(stub.state().asked_for("GetShardIterator")[1]["ShardIteratorType"], "AT_SEQUENCE_NUMBER");
}

#[tokio::test]
async fn nothing_read_is_a_checkpoint_too() {
    let stub = Stub::start().await;
    stub.state().create("events", 1);
    let connector = connect(&stub, &[]);
    let mut wanted = request(&["kinesis_data"]);
    assert!(read_all(&*connector, &mut wanted).await.unwrap().is_empty());
    assert_eq!(position(&wanted, 0), "start");
    stub.state().put("events", 0, "k", b"a");
    assert_eq!(read_all(&*connector, &mut wanted).await.unwrap(), ["a"]);
    let unread = splits_of(&*connector).await.remove(0);
    let error = connector.checkpoint(&wanted, &unread).await.unwrap_err().to_string();
    assert_eq!(error, "shard \"shardId-000000000000\" was not read here, so nothing is known of its end");
}

/// A stream that was deleted and made anew under its name has shards of the same names, and none of their places.
#[tokio::test]
async fn a_stream_that_was_made_anew_is_another() {
    let stub = Stub::start().await;
    stub.state().create("events", 1);
    stub.state().put("events", 0, "k", b"a");
    stub.state().split("events", 0);
    let connector = connect(&stub, &[]);
    let mut wanted = request(&["kinesis_data"]);
    assert_eq!(read_all(&*connector, &mut wanted).await.unwrap(), ["a"]);
    stub.state().create("events", 1);
    stub.state().put("events", 0, "k", b"b");
    let error = connector.splits(&wanted, 1).await.unwrap_err().to_string();
    let shard = "shard \"shardId-000000000000\" of stream \"events\"";
    assert_eq!(error, format!("{shard} is open again: the checkpoint is of another stream"));
    let mut wanted = request(&["kinesis_data"]);
    assert_eq!(read_all(&*connector, &mut wanted).await.unwrap(), ["b"]);
    let sequence = position(&wanted, 0).to_owned();
    stub.state().create("events", 1);
    let error = connector.splits(&wanted, 1).await.unwrap_err().to_string();
    assert_eq!(error, format!("{shard} knows no record {sequence}: the checkpoint is of another stream"));
}

/// What came after the last read and is older than the stream's retention may be gone.
#[tokio::test]
async fn what_was_dropped_unread_is_told() {
    let stub = Stub::start().await;
    stub.state().create("events", 1);
    let connector = connect(&stub, &[]);
    let now_us = chrono::Utc::now().timestamp_micros();
    let hour_us = 60 * 60 * 1_000_000;
    // No stream keeps records for less than a day, so nobody is asked.
    assert_eq!(connector.dropped_until("events", now_us - 23 * hour_us).await.unwrap(), None);
    assert!(stub.state().asked_for("DescribeStreamSummary").is_empty());
    assert_eq!(connector.dropped_until("events", now_us - 47 * hour_us).await.unwrap(), None);
    let until = connector.dropped_until("events", now_us - 50 * hour_us).await.unwrap().unwrap();
    assert!((now_us - 48 * hour_us..now_us - 47 * hour_us).contains(&until), "{until}");
}

/// A random life of a stream: records alone and aggregated, splits, merges, failures; a reader that is killed after a
/// random number of batches and goes on from the checkpoints that it kept with its rows.
async fn random_life(seed: u64, more: &[(&str, &str)]) {
    let mut random = StdRng::seed_from_u64(seed);
    let stub = Stub::start().await;
    stub.state().create("events", 3);
    stub.state().page = 7;
    stub.state().events = 2;
    stub.state().expire_every = Some(5);
    let mut wanted = request(&["kinesis_data"]);
    let mut connector = connect(&stub, more);
    let (mut written, mut seen) = (0, vec![]);
    for round in 0..30 {
        for _ in 0..random.random_range(0..6) {
            let mut state = stub.state();
            let open = state.open("events");
            let shard = open[random.random_range(0..open.len())];
            match random.random_range(0..12) {
                0 => state.split("events", shard),
                1 if open.len() > 1 && shard != open[0] => state.merge("events", shard, open[0]),
                2..5 => {
                    let many = random.random_range(1..9);
                    let texts: Vec<String> = (written..written + many).map(|n| n.to_string()).collect();
                    let packed: Vec<_> = texts.iter().map(|text| ("k", text.as_bytes())).collect();
                    state.put("events", shard, "k", &aggregate(&packed));
                    written += many;
                }
                _ => {
                    state.put("events", shard, "k", written.to_string().as_bytes());
                    written += 1;
                }
            }
        }
        if random.random_bool(0.3) {
            let throttled = Fault::Error("ProvisionedThroughputExceededException");
            let fault = [Fault::Reset, Fault::Cut, Fault::Status(500), throttled][random.random_range(0..4)];
            let operation = ["GetRecords", "GetShardIterator", "SubscribeToShard"][random.random_range(0..3)];
            stub.state().faults.push_back((operation, fault));
        }
        if random.random_bool(0.1) {
            connector = connect(&stub, more);
        }
        let mut lives = if round == 29 { usize::MAX } else { random.random_range(0..12) };
        'scan: for split in connector.splits(&wanted, 8).await.unwrap() {
            let mut stream = connector.scan(&wanted, &split, &Arc::default()).await.unwrap();
            while let Some(batch) = stream.next().await {
                seen.extend(texts(&batch.unwrap()));
                let checkpoint = connector.checkpoint(&wanted, &split).await.unwrap().unwrap();
                keep(&mut wanted, checkpoint);
                if lives == 0 {
                    break 'scan;
                }
                lives -= 1;
            }
            let checkpoint = connector.checkpoint(&wanted, &split).await.unwrap().unwrap();
            keep(&mut wanted, checkpoint);
        }
    }
    let mut counts = BTreeMap::new();
    for text in &seen {
        *counts.entry(text.parse::<usize>().unwrap()).or_insert(0) += 1;
    }
    let expected: BTreeMap<usize, i32> = (0..written).map(|n| (n, 1)).collect();
    assert_eq!(counts, expected, "seed {seed}");
}

#[tokio::test]
async fn a_reader_killed_anywhere_gives_each_record_once() {
    futures::future::join_all((0..8).map(|seed| random_life(seed, &[]))).await;
}

#[tokio::test]
async fn a_subscriber_killed_anywhere_gives_each_record_once() {
    futures::future::join_all((100..105).map(|seed| random_life(seed, &[("fan_out", "reader")]))).await;
}

/// An answer that breaks off gives nothing, events that came before a subscription breaks off are not sent again.
#[tokio::test]
async fn answers_that_break_off_are_asked_for_again() {
    for more in [&[][..], &[("fan_out", "reader")]] {
        let stub = Stub::start().await;
        {
            let mut state = stub.state();
            state.create("events", 1);
            (state.page, state.events) = (4, 6);
            (0..30).for_each(|n| state.put("events", 0, "k", n.to_string().as_bytes()));
            for operation in ["GetShardIterator", "GetRecords", "GetRecords", "SubscribeToShard"] {
                state.faults.push_back((operation, Fault::Cut));
            }
        }
        let connector = connect(&stub, more);
        let seen = read_all(&*connector, &mut request(&["kinesis_data"])).await.unwrap();
        assert_eq!(seen, (0..30).map(|n| n.to_string()).collect::<Vec<_>>(), "{more:?}");
        let state = stub.state();
        let asked = ["GetShardIterator", "GetRecords", "SubscribeToShard"].map(|of| state.asked_for(of).len());
        // Eight pages, and what broke off.
        if more.is_empty() {
            assert_eq!(asked, [2, 10, 0]);
        } else {
            assert!(asked[..2] == [0, 0] && asked[2] > 1, "{asked:?}");
        }
    }
}

#[tokio::test]
async fn subscriptions_are_made_again_where_they_ended() {
    let stub = Stub::start().await;
    {
        let mut state = stub.state();
        state.create("events", 1);
        state.page = 4;
        state.events = 2;
        (0..30).for_each(|n| state.put("events", 0, "k", n.to_string().as_bytes()));
        state.faults.push_back(("SubscribeToShard", Fault::Error("ResourceInUseException")));
    }
    let connector = connect(&stub, &[("fan_out", "reader")]);
    let mut wanted = request(&["kinesis_data"]);
    assert_eq!(connector.describe(&wanted), "Kinesis events: shards from TRIM_HORIZON by consumer \"reader\"");
    let seen = read_all(&*connector, &mut wanted).await.unwrap();
    assert_eq!(seen, (0..30).map(|n| n.to_string()).collect::<Vec<_>>());
    {
        let state = stub.state();
        assert!(state.asked_for("GetRecords").is_empty());
        let subscribed = state.asked_for("SubscribeToShard");
        assert_eq!(subscribed.len(), 5);
        assert_eq!(subscribed[1]["ConsumerARN"], "arn:stream/events/consumer/reader");
        assert_eq!(subscribed[1]["StartingPosition"]["Type"], "TRIM_HORIZON");
        assert_eq!(subscribed[2]["StartingPosition"]["Type"], "AFTER_SEQUENCE_NUMBER");
    }
    let unknown = connect(&stub, &[("fan_out", "nobody")]);
    let error = read_all(&*unknown, &mut request(&[])).await.unwrap_err().to_string();
    assert_eq!(error, "consumer \"nobody\" does not exist");
}
