//! What fails, and what is asked again.

use super::*;
use crate::error::ConnectorError;
use chrono::{NaiveDateTime, TimeDelta};
use std::sync::atomic::Ordering;
use std::time::Duration;

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
        5 => Answer::Cut,
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
    assert_eq!((count(&cost.requests), count(&cost.retries)), (8, 5));
    assert_eq!(stub.requests("Query").len(), 8);
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

/// A signature holds for five minutes: where the clock of this machine is wrong, requests are signed by the service's.
#[tokio::test]
async fn a_clock_that_is_wrong_is_set_by_the_services() {
    let ahead = TimeDelta::hours(3);
    let (stub, connector) = prepared(&[], move |_, _, before| match before {
        0 => Answer::Ahead(ahead, "InvalidSignatureException"),
        _ => page(&[item("a", 1)], false),
    })
    .await;
    let batches = read_all(&*connector, &by_key(), &Arc::default()).await.unwrap();
    assert_eq!(rows(&batches), 1);
    let time = |signed: &String| NaiveDateTime::parse_from_str(signed, "%Y%m%dT%H%M%SZ").unwrap();
    let signed: Vec<NaiveDateTime> = stub.signed("Query").iter().map(time).collect();
    let moved = signed[1] - signed[0];
    assert!((moved - ahead).abs() < TimeDelta::minutes(1), "{signed:?}");

    // The same answer of a service whose clock is ours is about the secret.
    let (stub, connector) = prepared(&[], |_, _, _| Answer::Error(400, "InvalidSignatureException")).await;
    let error = read_all(&*connector, &by_key(), &Arc::default()).await.unwrap_err();
    assert!(matches!(error, ConnectorError::AccessDenied(_)), "{error}");
    assert_eq!(stub.requests("Query").len(), 1);
}

#[tokio::test]
async fn a_slow_server_is_waited_for_and_not_for_ever() {
    let answer = |_: &str, _: &Value, before: usize| {
        let Answer::Json(page) = page(&[item("a", 1)], false) else { unreachable!() };
        let pause = if before == 0 { Duration::from_secs(5) } else { Duration::from_millis(300) };
        Answer::Late(pause, page)
    };
    let (stub, connector) = prepared(&[("timeout_ms", "1500")], answer).await;
    let cost = Arc::<Measures>::default();
    assert_eq!(rows(&read_all(&*connector, &by_key(), &cost).await.unwrap()), 1);
    assert_eq!(cost.retries.load(Ordering::Relaxed), 1);
    assert_eq!(stub.requests("Query").len(), 2);

    let answer = |_: &str, _: &Value, _: usize| Answer::Late(Duration::from_secs(5), json!({}));
    let (stub, connector) = prepared(&[("timeout_ms", "400")], answer).await;
    let error = read_all(&*connector, &by_key(), &Arc::default()).await.unwrap_err();
    assert_eq!(error.to_string(), format!("DynamoDB at {} does not answer in time", stub.endpoint));
    assert_eq!(stub.requests("Query").len(), 6);
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
    // What is held of a part is a page and the next one.
    assert!(stub.requests("Query").len() <= 2);
}
