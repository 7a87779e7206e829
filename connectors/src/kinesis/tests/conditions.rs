//! Conditions are proven by what the service was asked.

use super::super::stub::State;
use super::*;
use crate::connector::Pushdown;
use crate::predicate::{Comparison, Predicate, Value};

fn time(comparison: Comparison, ms: i64) -> Predicate {
    let value = Value::Timestamp(ms * 1000);
    Predicate::Compare { column: "approximate_arrival_timestamp".to_owned(), comparison, value }
}

fn shard(number: usize) -> Predicate {
    let value = Value::Text(format!("shardId-{number:012}"));
    Predicate::Compare { column: "shard_id".to_owned(), comparison: Comparison::Eq, value }
}

#[tokio::test]
async fn a_time_begins_at_a_timestamp_and_leaves_out_older_shards() {
    let stub = Stub::start().await;
    let now = stub.state().now_ms();
    {
        let mut state = stub.state();
        state.create("events", 2);
        (0..50).for_each(|n| state.put_at("events", 0, "k", format!("old {n}").as_bytes(), now - 100_000 + n));
        (0..50).for_each(|n| state.put_at("events", 1, "k", n.to_string().as_bytes(), now - 100_000 + n * 1000));
        // Shard 0 is closed an hour ago.
        state.ahead_ms = -3_600_000;
        state.split("events", 0);
        state.ahead_ms = 0;
    }
    let connector = connect(&stub, &[]);
    let mut wanted = request(&["kinesis_data"]);
    wanted.predicates = vec![time(Comparison::Gt, now - 60_000)];
    assert_eq!(connector.pushdown("events", &wanted.predicates), [Pushdown::Exact]);
    let seen = read_all(&*connector, &mut wanted).await.unwrap();
    assert_eq!(seen, (41..50).map(|n| n.to_string()).collect::<Vec<_>>());
    let state = stub.state();
    let listed = state.asked_for("ListShards");
    let from = (now - 60_000) as f64 / 1000.0;
    assert_eq!(listed[0]["ShardFilter"]["Type"], "FROM_TIMESTAMP");
    assert_eq!(listed[0]["ShardFilter"]["Timestamp"].as_f64(), Some(from));
    let iterators = state.asked_for("GetShardIterator");
    let shards: Vec<_> = iterators.iter().map(|asked| asked["ShardId"].as_str().unwrap()).collect();
    assert_eq!(shards, ["shardId-000000000001", "shardId-000000000002", "shardId-000000000003"]);
    for asked in iterators {
        assert_eq!(asked["ShardIteratorType"], "AT_TIMESTAMP");
        assert_eq!(asked["Timestamp"].as_f64(), Some(from));
    }
}

#[tokio::test]
async fn a_shard_and_an_end_of_time_read_no_more() {
    let stub = Stub::start().await;
    let now = stub.state().now_ms();
    {
        let mut state = stub.state();
        state.create("events", 5);
        state.page = 10;
        (0..100).for_each(|n| state.put_at("events", 3, "k", n.to_string().as_bytes(), now - 100_000 + n * 1000));
    }
    let connector = connect(&stub, &[]);
    let mut wanted = request(&["kinesis_data"]);
    wanted.predicates = vec![shard(3), time(Comparison::LtEq, now - 90_000)];
    assert_eq!(
        connector.describe(&wanted),
        format!("Kinesis events: shards from TRIM_HORIZON until {}", super::super::time((now - 90_000) * 1000))
    );
    let seen = read_all(&*connector, &mut wanted).await.unwrap();
    assert_eq!(seen, (0..=10).map(|n| n.to_string()).collect::<Vec<_>>());
    let state = stub.state();
    assert_eq!(state.asked_for("GetShardIterator").len(), 1);
    assert_eq!(state.asked_for("GetShardIterator")[0]["ShardId"], "shardId-000000000003");
    assert_eq!(state.asked_for("GetRecords").len(), 2);
    drop(state);
    wanted.checkpoints.clear();
    wanted.predicates.insert(0, time(Comparison::GtEq, 1_715_000_000_123));
    let described = connector.describe(&wanted);
    assert!(described.starts_with("Kinesis events: 1 shard from AT_TIMESTAMP 2024-05-06 12:53:20.123 until "));
}

#[tokio::test]
async fn clocks_may_differ() {
    for ahead_ms in [-30_000, 30_000] {
        let stub = Stub::start().await;
        {
            let mut state = stub.state();
            state.ahead_ms = ahead_ms;
            state.create("events", 1);
            (0..10).for_each(|n| state.put("events", 0, "k", n.to_string().as_bytes()));
        }
        let connector = connect(&stub, &[]);
        let mut wanted = request(&["kinesis_data"]);
        assert_eq!(read_all(&*connector, &mut wanted).await.unwrap().len(), 10, "{ahead_ms}");
        // A time that is past for us and future for a service whose clock is behind.
        let mut wanted = request(&["kinesis_data"]);
        let from = chrono::Utc::now().timestamp_millis() - 10_000;
        wanted.predicates = vec![time(Comparison::Gt, from)];
        let seen = read_all(&*connector, &mut wanted).await.unwrap();
        assert_eq!(seen.len(), if ahead_ms > 0 { 10 } else { 0 }, "{ahead_ms}");
    }
}

/// Each read is followed by more new records than it took, which arrive a little later.
fn more(state: &mut State) {
    let at = state.now_ms() + 50 * state.asked_for("GetRecords").len() as i64;
    (0..10).for_each(|_| state.put_at("events", 0, "k", b"late", at));
    state.then = Some((1, more));
}

#[tokio::test]
async fn a_scan_ends_though_records_keep_coming() {
    let stub = Stub::start().await;
    {
        let mut state = stub.state();
        state.create("events", 1);
        state.page = 5;
        (0..20).for_each(|n| state.put("events", 0, "k", n.to_string().as_bytes()));
        state.then = Some((1, more));
    }
    let connector = connect(&stub, &[]);
    let mut wanted = request(&["kinesis_data"]);
    let seen = tokio::time::timeout(std::time::Duration::from_secs(20), read_all(&*connector, &mut wanted));
    let seen = seen.await.unwrap().unwrap();
    assert_eq!(seen[..20], (0..20).map(|n| n.to_string()).collect::<Vec<_>>());
    // What came later is there for the next scans, each once.
    let all = stub.state().asked_for("GetRecords").len() * 10 + 20;
    stub.state().then = None;
    let mut count = seen.len();
    loop {
        match read_all(&*connector, &mut wanted).await.unwrap().len() {
            0 => break,
            more => count += more,
        }
    }
    assert_eq!(count, all);
}
