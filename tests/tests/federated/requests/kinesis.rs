//! Queries of a stream and refreshes of its view: from where shards are read.

use super::Over;
use crate::service::Asked;
use millrace_tests::database::rows;
use serde_json::{Value, json};
use std::time::SystemTime;

const KINESIS: &str = "KINESIS ENDPOINT '{}' REGION 'eu-west-1'
    OPTIONS (access_key_id 'k', secret_access_key 's', reads_per_second '1000')";

/// Kinesis with a stream `events` of two shards, the first of which has a record.
fn kinesis(operation: &str, body: &Value) -> Value {
    let shard = |number: usize| {
        json!({
            "ShardId": format!("shardId-{number:012}"),
            "HashKeyRange": { "StartingHashKey": "0", "EndingHashKey": "1" },
            "SequenceNumberRange": { "StartingSequenceNumber": "1" },
        })
    };
    match operation {
        "ListStreams" => json!({ "StreamNames": ["events"], "HasMoreStreams": false }),
        "ListShards" => json!({ "Shards": [shard(0), shard(1)] }),
        "GetShardIterator" => {
            let (kind, shard) = (&body["ShardIteratorType"], &body["ShardId"]);
            json!({ "ShardIterator": format!("{}/{}", kind.as_str().unwrap(), shard.as_str().unwrap()) })
        }
        "GetRecords" => {
            let record = json!({
                "SequenceNumber": "7", "PartitionKey": "k", "ApproximateArrivalTimestamp": 1_714_979_289.5, "Data": "YQ==",
            });
            let is_first = body["ShardIterator"] == "TRIM_HORIZON/shardId-000000000000";
            let records = if is_first { vec![record] } else { vec![] };
            json!({ "Records": records, "MillisBehindLatest": 0, "NextShardIterator": "LATEST/shard" })
        }
        _ => json!({}),
    }
}

/// The requests of an operation.
fn requests<'a>(asked: &'a [Asked], operation: &'a str) -> impl Iterator<Item = &'a Value> {
    asked.iter().filter(move |(of, _)| of == operation).map(|(_, body)| body)
}

/// Where shards were begun to be read, by their last two digits, in their order.
fn begun(asked: &[Asked]) -> Vec<String> {
    let place = |body: &Value| {
        let shard = body["ShardId"].as_str().unwrap().strip_prefix("shardId-0000000000").unwrap();
        let kind = body["ShardIteratorType"].as_str().unwrap();
        let at = [&body["Timestamp"], &body["StartingSequenceNumber"]].into_iter().find(|at| !at.is_null());
        at.map_or_else(|| format!("{shard} {kind}"), |at| format!("{shard} {kind} {at}"))
    };
    let mut places: Vec<String> = requests(asked, "GetShardIterator").map(place).collect();
    places.sort();
    places
}

#[tokio::test]
async fn a_stream_is_asked_by_time_shard_and_limit() {
    let mut over = Over::new(KINESIS, kinesis).await;
    let time = "approximate_arrival_timestamp >= '2024-05-06 07:08:09.5'";
    let (since, both) =
        (format!("WHERE {time}"), format!("WHERE {time} AND shard_id IN ('shardId-000000000000', 'none')"));
    for (rest, places, limit) in [
        ("", &["00 TRIM_HORIZON", "01 TRIM_HORIZON"][..], 10_000),
        (since.as_str(), &["00 AT_TIMESTAMP 1714979289.5", "01 AT_TIMESTAMP 1714979289.5"], 10_000),
        ("WHERE shard_id = 'shardId-000000000001'", &["01 TRIM_HORIZON"], 10_000),
        (both.as_str(), &["00 AT_TIMESTAMP 1714979289.5"], 10_000),
        ("LIMIT 3", &["00 TRIM_HORIZON", "01 TRIM_HORIZON"], 3),
    ] {
        let asked = over.asked(&format!("SELECT partition_key FROM s.events {rest}")).await;
        assert_eq!(begun(&asked), places, "{rest}");
        assert!(requests(&asked, "GetRecords").all(|body| body["Limit"] == limit), "{rest}: {asked:?}");
        // Shards that were closed before the time are not even listed.
        let listed = requests(&asked, "ListShards").last().unwrap();
        let filter = json!({ "Type": "FROM_TIMESTAMP", "Timestamp": 1_714_979_289.5 });
        assert_eq!(listed["ShardFilter"], if rest.contains(time) { filter } else { Value::Null }, "{rest}");
    }
}

/// The last minutes of a stream, as they are mostly asked for.
#[tokio::test]
async fn a_time_that_is_computed_is_asked_for() {
    let mut over = Over::new(KINESIS, kinesis).await;
    let recent = "approximate_arrival_timestamp > dateadd(minute, -5, getdate())";
    let asked = over.asked(&format!("SELECT partition_key FROM s.events WHERE {recent}")).await;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
    let begun: Vec<&Value> = requests(&asked, "GetShardIterator").collect();
    assert_eq!(begun.len(), 2);
    for body in begun {
        assert_eq!(body["ShardIteratorType"], "AT_TIMESTAMP");
        let ago = now - body["Timestamp"].as_f64().unwrap();
        assert!((299.0..360.0).contains(&ago), "{ago}");
    }
}

/// A refresh goes on after the last record that the view has.
#[tokio::test]
async fn a_refresh_goes_on_after_the_last_record() {
    let mut over = Over::new(KINESIS, kinesis).await;
    over.asked("CREATE MATERIALIZED VIEW v AS SELECT partition_key FROM s.events").await;
    let asked = over.asked("REFRESH MATERIALIZED VIEW v").await;
    assert_eq!(begun(&asked), ["00 TRIM_HORIZON", "01 TRIM_HORIZON"]);
    let asked = over.asked("REFRESH MATERIALIZED VIEW v").await;
    assert_eq!(begun(&asked), ["00 AFTER_SEQUENCE_NUMBER \"7\"", "01 TRIM_HORIZON"]);
    assert_eq!(rows(&mut over.session, "SELECT partition_key FROM v").await.unwrap(), [["k"]]);
}
