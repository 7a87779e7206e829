//! What fails, and what is asked again.

use super::*;
use crate::error::ConnectorError;
use std::sync::atomic::Ordering;

fn by_key() -> ScanRequest {
    request(&["sk"], vec![text("pk", "a")])
}

#[tokio::test]
async fn what_fails_for_a_while_is_asked_again_and_no_row_comes_twice() {
    let (stub, connector) = prepared(&[], |_, body, before| match before {
        0 => Answer::Error(400, "ProvisionedThroughputExceededException"),
        2 => Answer::Reset,
        3 => Answer::Error(500, "InternalServerError"),
        4 => Answer::Error(400, "ThrottlingException"),
        _ => {
            let first = body["ExclusiveStartKey"]["sk"]["N"].as_str().map_or(0, |sk| sk.parse::<i64>().unwrap() + 1);
            page(&[item("a", first), item("a", first + 1)], first < 4)
        }
    })
    .await;
    let cost = Arc::<Measures>::default();
    let batches = read_all(&*connector, &by_key(), &cost).await.unwrap();
    assert_eq!(table(&batches), "+----+\n| sk |\n+----+\n| 0  |\n| 1  |\n| 2  |\n| 3  |\n| 4  |\n| 5  |\n+----+");
    let count = |measure: &std::sync::atomic::AtomicU64| measure.load(Ordering::Relaxed);
    assert_eq!((count(&cost.requests), count(&cost.retries)), (7, 4));
    assert_eq!(stub.requests("Query").len(), 7);
}

#[tokio::test]
async fn a_server_that_always_fails_is_given_up() {
    let (stub, connector) = prepared(&[], |_, _, _| Answer::Error(503, "ServiceUnavailable")).await;
    let error = read_all(&*connector, &by_key(), &Arc::default()).await.unwrap_err();
    assert!(matches!(error, ConnectorError::Unavailable { .. }), "{error}");
    assert_eq!(error.to_string(), format!("DynamoDB at {}: the stub says so (ServiceUnavailable)", stub.endpoint));
    assert_eq!(stub.requests("Query").len(), 6);
}

#[tokio::test]
async fn a_table_that_is_deleted_while_it_is_read_is_not_found() {
    let (_stub, connector) = prepared(&[], |_, _, before| match before {
        0 => page(&[item("a", 1)], true),
        _ => Answer::Error(400, "ResourceNotFoundException"),
    })
    .await;
    let error = read_all(&*connector, &by_key(), &Arc::default()).await.unwrap_err();
    assert_eq!(error.to_string(), "table \"orders\" does not exist");
}

#[tokio::test]
async fn refused_credentials_are_not_tried_again() {
    let stub = Stub::start(|_, _, _| Answer::Error(400, "UnrecognizedClientException")).await;
    let error = connect(&stub.endpoint, &[]).schema("orders").await.unwrap_err();
    assert!(matches!(error, ConnectorError::AccessDenied(_)), "{error}");
    assert_eq!(stub.requests("DescribeTable").len(), 1);
}

#[tokio::test]
async fn an_absent_server_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = connect(&endpoint, &[]).tables().await.unwrap_err();
    assert!(matches!(error, ConnectorError::Unavailable { .. }), "{error}");
    assert!(error.to_string().starts_with(&format!("DynamoDB at {endpoint} does not answer: ")), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn an_attribute_of_another_type_is_an_error() {
    let (_stub, connector) = prepared(&[], |_, _, _| {
        page(&[json!({ "pk": { "S": "a" }, "sk": { "N": "1" }, "price": { "S": "dear" } })], false)
    })
    .await;
    let error = read_all(&*connector, &request(&["pk", "price"], vec![]), &Arc::default()).await.unwrap_err();
    assert!(matches!(error, ConnectorError::BadData(_)));
    assert!(
        error.to_string().starts_with("attribute \"price\" of the item with pk = \"a\", sk = 1 is a string"),
        "{error}"
    );
}

#[tokio::test]
async fn dropping_a_stream_ends_its_requests() {
    let (stub, connector) = prepared(&[], |_, _, _| page(&[item("a", 1)], true)).await;
    let splits = connector.splits(&by_key(), 1).await.unwrap();
    let mut batches = connector.scan(&by_key(), &splits[0], &Arc::default()).await.unwrap();
    assert!(batches.try_next().await.unwrap().is_some());
    drop(batches);
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert!(stub.requests("Query").len() <= 2);
}
