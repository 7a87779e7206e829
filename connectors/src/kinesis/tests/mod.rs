//! The connector against a small Kinesis in this process.

#![allow(clippy::unwrap_used)]

mod conditions;
mod declared;
mod failures;
mod real;
mod resume;

use super::KinesisFactory;
use super::stub::Stub;
use crate::connector::{Checkpoint, Connector, Measures, ScanRequest, Split};
use crate::error::Result;
use crate::registry::{Factory, Options};
use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use arrow::record_batch::RecordBatch;
use futures::TryStreamExt;
use std::sync::Arc;

fn options(stub: &Stub, more: &[(&str, &str)]) -> Options {
    let common = [
        ("endpoint", stub.endpoint.as_str()),
        ("access_key_id", "key"),
        ("secret_access_key", "secret"),
        ("reads_per_second", "1000"),
    ];
    common.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn connect(stub: &Stub, more: &[(&str, &str)]) -> Arc<dyn Connector> {
    KinesisFactory.connect(&options(stub, more)).unwrap()
}

fn request(columns: &[&str]) -> ScanRequest {
    ScanRequest {
        table: "events".to_owned(),
        columns: columns.iter().map(|column| (*column).to_owned()).collect(),
        predicates: vec![],
        limit: None,
        order: vec![],
        checkpoints: vec![],
    }
}

/// What is read of one split, with the checkpoint after it.
async fn read(
    connector: &dyn Connector,
    request: &ScanRequest,
    split: &Split,
) -> Result<(Vec<RecordBatch>, Checkpoint)> {
    let batches = connector.scan(request, split, &Arc::default()).await?.try_collect().await?;
    Ok((batches, connector.checkpoint(request, split).await?.unwrap()))
}

/// Reads all splits, parents before children, and keeps their checkpoints in the request.
async fn read_all(connector: &dyn Connector, request: &mut ScanRequest) -> Result<Vec<String>> {
    let mut seen = vec![];
    let mut done: Vec<String> = vec![];
    for split in connector.splits(request, 8).await? {
        assert!(split.after.iter().all(|parent| done.contains(parent)), "{split:?} comes before a parent");
        let (batches, checkpoint) = read(connector, request, &split).await?;
        seen.extend(batches.iter().flat_map(texts));
        keep(request, checkpoint);
        done.push(split.id);
    }
    Ok(seen)
}

fn keep(request: &mut ScanRequest, checkpoint: Checkpoint) {
    request.checkpoints.retain(|known| known.split != checkpoint.split);
    request.checkpoints.push(checkpoint);
}

/// The data of a batch whose one column is that.
fn texts(batch: &RecordBatch) -> Vec<String> {
    let data = batch.column(0).as_binary::<i32>();
    data.iter().map(|data| String::from_utf8(data.unwrap().to_vec()).unwrap()).collect()
}

fn position(request: &ScanRequest, shard: usize) -> &str {
    let id = format!("shardId-{shard:012}");
    let found = request.checkpoints.iter().find(|checkpoint| checkpoint.split == id);
    found.map_or("", |checkpoint| checkpoint.position.as_str())
}

#[tokio::test]
async fn streams_are_tables() {
    let stub = Stub::start().await;
    for (stream, shards) in [("a", 1), ("b", 1), ("c", 1), ("events", 3), ("z", 1)] {
        stub.state().create(stream, shards);
    }
    let connector = connect(&stub, &[]);
    assert_eq!(connector.tables().await.unwrap(), ["a", "b", "c", "events", "z"]);
    let schema = connector.schema("events").await.unwrap();
    let fields: Vec<String> = schema.fields().iter().map(|f| format!("{} {}", f.name(), f.data_type())).collect();
    assert_eq!(
        fields,
        [
            "approximate_arrival_timestamp Timestamp(µs)",
            "partition_key Utf8View",
            "shard_id Utf8View",
            "sequence_number Utf8View",
            "refresh_time Timestamp(µs)",
            "kinesis_data Binary",
            "sub_sequence_number Int64",
        ]
    );
    assert_eq!(connector.schema("other").await.unwrap_err().to_string(), "stream \"other\" does not exist");
    assert_eq!(connector.describe(&request(&[])), "Kinesis events: 3 shards from TRIM_HORIZON");

    let some = connect(&stub, &[("streams", "b, events"), ("format", "json"), ("columns", "id bigint")]);
    assert_eq!(some.tables().await.unwrap(), ["b", "events"]);
    assert_eq!(some.schema("a").await.unwrap_err().to_string(), "stream \"a\" does not exist");
    assert_eq!(some.schema("b").await.unwrap().fields().last().unwrap().name(), "id");
}

#[tokio::test]
async fn payloads_are_read_and_malformed_ones_named() {
    let stub = Stub::start().await;
    stub.state().create("events", 1);
    stub.state().put("events", 0, "k", br#"{"id": 1}"#);
    let packed = super::aggregated::aggregate(&[("x", br#"{"id": 2}"#), ("y", b"three")]);
    stub.state().put("events", 0, "k", &packed);
    let payload = [("format", "json"), ("columns", "id bigint")];
    let connector = connect(&stub, &payload);
    let mut wanted = request(&["id"]);
    let splits = connector.splits(&wanted, 1).await.unwrap();
    let error = read(&*connector, &wanted, &splits[0]).await.unwrap_err().to_string();
    let expected = "shard \"shardId-000000000000\" of stream \"events\": record 49590338271490256608559692538361571";
    assert!(error.starts_with(&expected[..expected.len() - 3]), "{error}");
    assert!(error.contains(":1 cannot be read: it is no JSON object: "), "{error}");

    let lenient = connect(&stub, &[&payload[..], &[("malformed", "null")]].concat());
    wanted.columns.push("partition_key".to_owned());
    let splits = lenient.splits(&wanted, 1).await.unwrap();
    let (batches, _) = read(&*lenient, &wanted, &splits[0]).await.unwrap();
    let ids: Vec<_> = batches[0].column(0).as_primitive::<Int64Type>().iter().collect();
    let keys: Vec<_> = batches[0].column(1).as_string_view().iter().map(Option::unwrap).collect();
    assert_eq!((ids, keys), (vec![Some(1), Some(2), None], vec!["k", "x", "y"]));
    // Left out, counted and told of.
    let skipping = connect(&stub, &[&payload[..], &[("malformed", "skip")]].concat());
    let splits = skipping.splits(&wanted, 1).await.unwrap();
    let measures = Arc::new(Measures::default());
    let batches = skipping.scan(&wanted, &splits[0], &measures).await.unwrap();
    let batches: Vec<RecordBatch> = batches.try_collect().await.unwrap();
    let checkpoint = skipping.checkpoint(&wanted, &splits[0]).await.unwrap().unwrap();
    let ids: Vec<_> = batches[0].column(0).as_primitive::<Int64Type>().iter().collect();
    assert_eq!(ids, [Some(1), Some(2)]);
    let report = measures.report(&splits[0].id);
    assert_eq!((report.rows, report.skipped, report.bytes), (3, 1, 23));
    assert!(report.first_us.is_some() && report.first_us <= report.last_us);
    let [bad] = report.bad.as_slice() else { panic!("{report:?}") };
    assert_eq!(bad.position, format!("{}:1", checkpoint.position));
    assert!(bad.reason.starts_with("it is no JSON object: "), "{bad:?}");
    // Who does not want the payload does not decode it.
    assert_eq!(connector.splits(&request(&[]), 1).await.unwrap().len(), 1);
    let (batches, _) = read(&*connector, &request(&[]), &splits_of(&*connector).await[0]).await.unwrap();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 3);
}

async fn splits_of(connector: &dyn Connector) -> Vec<Split> {
    connector.splits(&request(&[]), 1).await.unwrap()
}

#[tokio::test]
async fn a_limit_asks_for_no_more() {
    let stub = Stub::start().await;
    stub.state().create("events", 1);
    (0..100).for_each(|n| stub.state().put("events", 0, "k", n.to_string().as_bytes()));
    let connector = connect(&stub, &[]);
    let mut wanted = request(&["kinesis_data"]);
    wanted.limit = Some(3);
    assert_eq!(read_all(&*connector, &mut wanted).await.unwrap(), ["0", "1", "2"]);
    let state = stub.state();
    let reads = state.asked_for("GetRecords");
    assert_eq!((reads.len(), reads[0]["Limit"].as_u64()), (1, Some(3)));
}

/// What is held of a shard is a page and the next one, however long nobody takes them.
#[tokio::test]
async fn one_page_is_asked_for_ahead() {
    let stub = Stub::start().await;
    stub.state().create("events", 1);
    (0..100).for_each(|n| stub.state().put("events", 0, "k", n.to_string().as_bytes()));
    stub.state().page = 10;
    // So many reads a second that no pace keeps a third one back.
    let connector = connect(&stub, &[("reads_per_second", "1000")]);
    let wanted = request(&["kinesis_data"]);
    let split = connector.splits(&wanted, 1).await.unwrap().remove(0);
    let mut batches = connector.scan(&wanted, &split, &Arc::default()).await.unwrap();
    assert_eq!(batches.try_next().await.unwrap().unwrap().num_rows(), 10);
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert_eq!(stub.state().asked_for("GetRecords").len(), 2);
}

/// What the service allows of each shard, by its documentation ("Quotas and limits"): five reads a second.
#[tokio::test]
async fn a_shard_is_read_five_times_a_second() {
    let stub = Stub::start().await;
    stub.state().create("events", 2);
    stub.state().page = 10;
    (0..60).for_each(|n| stub.state().put("events", n % 2, "k", n.to_string().as_bytes()));
    let connector = connect(&stub, &[("reads_per_second", "5")]);
    let wanted = request(&["kinesis_data"]);
    let splits = connector.splits(&wanted, 2).await.unwrap();
    let begin = std::time::Instant::now();
    let both = futures::future::join_all(splits.iter().map(|split| read(&*connector, &wanted, split))).await;
    // Three pages of each, of which the third waits for two fifths of a second.
    let took = begin.elapsed();
    assert!(took >= std::time::Duration::from_millis(400), "{took:?}");
    let batches = both.into_iter().flat_map(|read| read.unwrap().0);
    assert_eq!(batches.map(|batch| batch.num_rows()).sum::<usize>(), 60);
    assert_eq!(stub.state().asked_for("GetRecords").len(), 6);
}

#[tokio::test]
async fn measures_count_what_was_read() {
    let stub = Stub::start().await;
    stub.state().create("events", 1);
    (0..25).for_each(|_| stub.state().put("events", 0, "k", b"four"));
    stub.state().page = 10;
    let connector = connect(&stub, &[]);
    let measures = Arc::<Measures>::default();
    for split in connector.splits(&request(&[]), 1).await.unwrap() {
        let batches = connector.scan(&request(&[]), &split, &measures).await.unwrap();
        let batches: Vec<RecordBatch> = batches.try_collect().await.unwrap();
        assert_eq!(batches.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), [10, 10, 5]);
        assert!(batches.iter().all(|batch| batch.num_columns() == 0));
    }
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(count(&measures.rows_examined), 25);
    assert_eq!(count(&measures.bytes), 100);
    assert_eq!((count(&measures.requests), count(&measures.retries)), (4, 0));
}
