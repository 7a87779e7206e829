//! Throttling, failures, iterators that expire, shards and streams that go: no record twice, none left out.

use super::super::stub::Fault;
use super::*;
use std::sync::atomic::Ordering;

#[tokio::test]
async fn busy_and_failing_services_are_asked_again() {
    let stub = Stub::start().await;
    {
        let mut state = stub.state();
        state.create("events", 1);
        state.page = 10;
        (0..35).for_each(|n| state.put("events", 0, "k", n.to_string().as_bytes()));
        for fault in [
            ("ListShards", Fault::Error("LimitExceededException")),
            ("GetShardIterator", Fault::Error("ProvisionedThroughputExceededException")),
            ("GetRecords", Fault::Error("ProvisionedThroughputExceededException")),
            ("GetRecords", Fault::Status(500)),
            ("GetRecords", Fault::Reset),
            ("GetRecords", Fault::Error("InternalFailure")),
            ("GetRecords", Fault::Error("KMSThrottlingException")),
        ] {
            state.faults.push_back(fault);
        }
    }
    let connector = connect(&stub, &[]);
    let wanted = request(&["kinesis_data"]);
    let splits = connector.splits(&wanted, 1).await.unwrap();
    let measures = Arc::<Measures>::default();
    let batches = connector.scan(&wanted, &splits[0], &measures).await.unwrap();
    let batches: Vec<RecordBatch> = batches.try_collect().await.unwrap();
    let seen: Vec<String> = batches.iter().flat_map(texts).collect();
    assert_eq!(seen, (0..35).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!(measures.retries.load(Ordering::Relaxed), 6);
}

#[tokio::test]
async fn a_service_that_goes_on_failing_is_told() {
    let stub = Stub::start().await;
    stub.state().create("events", 1);
    (0..6).for_each(|_| stub.state().faults.push_back(("GetRecords", Fault::Status(503))));
    let connector = connect(&stub, &[]);
    let error = read_all(&*connector, &mut request(&[])).await.unwrap_err().to_string();
    assert_eq!(error, format!("Kinesis at {} answers with status 503", stub.endpoint));
    stub.state().faults.push_back(("GetRecords", Fault::Error("AccessDeniedException")));
    let error = read_all(&*connector, &mut request(&[])).await.unwrap_err().to_string();
    assert!(error.starts_with("access is denied: "), "{error}");
}

#[tokio::test]
async fn expired_iterators_are_renewed_after_the_last_record() {
    let stub = Stub::start().await;
    {
        let mut state = stub.state();
        state.create("events", 2);
        state.page = 3;
        state.expire_every = Some(2);
        (0..60).for_each(|n| state.put("events", n % 2, "k", n.to_string().as_bytes()));
    }
    let connector = connect(&stub, &[]);
    let mut seen = read_all(&*connector, &mut request(&["kinesis_data"])).await.unwrap();
    seen.sort_by_key(|text| text.parse::<usize>().unwrap());
    assert_eq!(seen, (0..60).map(|n| n.to_string()).collect::<Vec<_>>());
    let state = stub.state();
    let kinds = state.asked_for("GetShardIterator");
    assert!(kinds.iter().any(|asked| asked["ShardIteratorType"] == "AFTER_SEQUENCE_NUMBER"));
}

#[tokio::test]
async fn a_stream_deleted_while_it_is_read_does_not_exist() {
    let stub = Stub::start().await;
    {
        let mut state = stub.state();
        state.create("events", 1);
        state.page = 5;
        (0..20).for_each(|n| state.put("events", 0, "k", n.to_string().as_bytes()));
        state.then = Some((2, |state| state.delete("events")));
    }
    let connector = connect(&stub, &[]);
    let error = read_all(&*connector, &mut request(&[])).await.unwrap_err().to_string();
    assert_eq!(error, "stream \"events\" does not exist");
    assert_eq!(connector.splits(&request(&[]), 1).await.unwrap_err().to_string(), error);
}

#[tokio::test]
async fn what_retention_leaves_is_read() {
    let stub = Stub::start().await;
    {
        let mut state = stub.state();
        state.create("events", 1);
        (0..10).for_each(|n| state.put("events", 0, "k", n.to_string().as_bytes()));
    }
    let connector = connect(&stub, &[]);
    let mut wanted = request(&["kinesis_data"]);
    assert_eq!(read_all(&*connector, &mut wanted).await.unwrap().len(), 10);
    {
        let mut state = stub.state();
        (10..15).for_each(|n| state.put("events", 0, "k", n.to_string().as_bytes()));
        state.trim("events", 0, 12);
    }
    assert_eq!(read_all(&*connector, &mut wanted).await.unwrap(), ["12", "13", "14"]);
    // The shard is closed, and gone when its split is read: its child is all that remains.
    stub.state().split("events", 0);
    let splits = connector.splits(&wanted, 1).await.unwrap();
    stub.state().trim("events", 0, 3);
    stub.state().put("events", 1, "k", b"15");
    let (batches, checkpoint) = read(&*connector, &wanted, &splits[0]).await.unwrap();
    assert!(batches.is_empty());
    assert_eq!((checkpoint.split.as_str(), checkpoint.position.as_str()), ("shardId-000000000000", "end"));
    assert_eq!(read_all(&*connector, &mut wanted).await.unwrap(), ["15"]);
}

#[tokio::test]
async fn checkpoints_of_another_stream_are_refused() {
    let stub = Stub::start().await;
    stub.state().create("events", 1);
    let connector = connect(&stub, &[]);
    let mut wanted = request(&[]);
    let another = "knows no record 7: the checkpoint is of another stream";
    for (position, error) in [("7", another), ("x", "\"x\" is no checkpoint of a shard")] {
        wanted.checkpoints.clear();
        keep(&mut wanted, Checkpoint { split: "shardId-000000000000".to_owned(), position: position.to_owned() });
        let refused = read_all(&*connector, &mut wanted).await.unwrap_err().to_string();
        assert!(refused.contains(error), "{refused}");
    }
    let split = Split { id: "shardId-000000000000".to_owned(), payload: vec![], after: vec![] };
    assert!(connector.scan(&wanted, &split, &Arc::default()).await.is_err());
}
