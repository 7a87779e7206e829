//! Servers that are away, busy, broken or refuse.

use super::stub::{Answer, SILENT, Stub, error, hits, mapping, ok, one_page, version};
use super::*;
use std::sync::atomic::{AtomicU32, Ordering};

/// A server whose searches answer by their number, beginning with 0.
async fn failing(answer: impl Fn(u32) -> Option<Answer> + Send + Sync + 'static) -> Stub {
    let searches = AtomicU32::new(0);
    Stub::start(move |asked| match asked.what.as_str() {
        "GET /" => version(Some("opensearch"), "2.19.1"),
        "GET /t/_mapping" => mapping("t", json!({"n": {"type": "long"}})),
        "POST /t/_search/point_in_time?keep_alive=5m&allow_partial_pit_creation=false" => {
            ok(&json!({"pit_id": "first"}))
        }
        "POST /_search" => answer(searches.fetch_add(1, Ordering::Relaxed)),
        _ => ok(&json!({})),
    })
    .await
}

async fn failure(stub: &Stub, options: &[(&str, &str)]) -> ConnectorError {
    let mut all = vec![("slices", "1")];
    all.extend(options);
    rows(connect(&stub.endpoint, &all).as_ref(), &request("t", &["n"])).await.unwrap_err()
}

#[tokio::test]
async fn busy_and_broken_servers_are_asked_again() {
    let stub = failing(|search| match search {
        0 => error(429, "circuit_breaking"),
        1 => error(503, "busy"),
        2 => None,
        3 => Some((502, "<html>".to_owned())),
        _ => hits(&[]),
    })
    .await;
    let connector = connect(&stub.endpoint, &[("slices", "1")]);
    let (_, measures) = read_all(connector.as_ref(), &request("t", &["n"])).await.unwrap();
    assert_eq!(measures.retries.load(Ordering::Relaxed), 4);
    // Open, five searches, close.
    assert_eq!(measures.requests.load(Ordering::Relaxed), 8);
}

#[tokio::test]
async fn a_search_that_is_not_answered_in_time_is_asked_again() {
    let stub = failing(|search| if search == 0 { Some((SILENT, String::new())) } else { hits(&[]) }).await;
    let connector = connect(&stub.endpoint, &[("slices", "1"), ("timeout_ms", "1500")]);
    let (_, measures) = read_all(connector.as_ref(), &request("t", &["n"])).await.unwrap();
    assert_eq!(measures.retries.load(Ordering::Relaxed), 1);
    assert_eq!(stub.bodies("POST /_search").len(), 2);
}

#[tokio::test]
async fn they_are_not_asked_for_ever() {
    let stub = failing(|_| error(503, "busy")).await;
    let error = failure(&stub, &[]).await;
    assert!(matches!(error, ConnectorError::Unavailable { .. }));
    assert_eq!(error.to_string(), "the search server fails: busy: because of busy");
    assert_eq!(stub.bodies("POST /_search").len(), 6);
}

#[tokio::test]
async fn an_answer_in_part_is_an_error() {
    let failed = |kind: &str| {
        let failures = json!([{"shard": 1, "index": "t", "reason": {"type": kind, "reason": "gone"}}]);
        json!({"timed_out": false, "hits": {"hits": []}, "_shards": {"total": 3, "failed": 1, "failures": failures}})
    };
    let (broken, gone) = (failed("node_disconnected_exception"), failed("index_not_found_exception"));
    let stub = failing(move |_| ok(&broken)).await;
    let error = failure(&stub, &[]).await;
    assert_eq!(error.to_string(), "1 of 3 shards of \"t\" failed: node_disconnected_exception: gone");
    let stub = failing(move |_| ok(&gone)).await;
    assert_eq!(failure(&stub, &[]).await.to_string(), "index \"t\" does not exist");
    // Shards of which no copy is there, as OpenSearch 2.19 answers for an index with unassigned shards.
    let unassigned = json!({"total": 4, "successful": 2, "skipped": 0, "failed": 0});
    let stub = failing(move |_| ok(&json!({"timed_out": false, "_shards": unassigned, "hits": {"hits": []}}))).await;
    assert_eq!(failure(&stub, &[]).await.to_string(), "2 of 4 shards of \"t\" are not available");
    let stub = failing(|_| ok(&json!({"timed_out": true, "hits": {"hits": []}}))).await;
    assert_eq!(failure(&stub, &[]).await.to_string(), "the search on \"t\" ran out of time at the server");
}

#[tokio::test]
async fn indices_that_go_and_points_that_expire() {
    let stub = failing(|_| error(404, "index_not_found_exception")).await;
    assert!(matches!(failure(&stub, &[]).await, ConnectorError::NotFound { .. }));
    let stub = failing(|_| error(404, "search_context_missing_exception")).await;
    assert!(matches!(failure(&stub, &[]).await, ConnectorError::Unavailable { .. }));
    let stub = Stub::start(|_| ok(&json!({}))).await;
    let connector = connect(&stub.endpoint, &[]);
    assert_eq!(connector.schema("logs-*").await.unwrap_err().to_string(), "index \"logs-*\" does not exist");
    for name in ["_cluster", "", "a,_b", "a/b", "..", "a?b"] {
        assert!(matches!(connector.schema(name).await, Err(ConnectorError::NotFound { .. })), "{name}");
    }
    assert_eq!(stub.asked().len(), 1);
}

#[tokio::test]
async fn malformed_answers() {
    for answer in ["{\"hits\":", "<html></html>", "{}", "{\"hits\": 1}", "[]", ""] {
        let stub = failing(move |_| Some((200, answer.to_owned()))).await;
        assert!(matches!(failure(&stub, &[]).await, ConnectorError::BadData(_)), "{answer}");
    }
}

#[tokio::test]
async fn queries_that_the_server_refuses() {
    let stub = failing(|_| error(400, "query_shard_exception")).await;
    let error = failure(&stub, &[]).await;
    assert!(matches!(error, ConnectorError::InvalidArgument(_)));
    assert_eq!(
        error.to_string(),
        "the search server refuses it (400 query_shard_exception): because of query_shard_exception"
    );
}

#[tokio::test]
async fn credentials_are_sent_and_never_shown() {
    let stub = Stub::start(|asked| match asked.authorization.as_str() {
        "Basic dTpn" => mapping("t", json!({})),
        "ApiKey key" => error(403, "security_exception"),
        _ => Some((401, String::new())),
    })
    .await;
    let allowed = connect(&stub.endpoint, &[("user", "u"), ("password", "g")]);
    assert!(allowed.schema("t").await.is_ok());
    assert!(!format!("{allowed:?}").contains("dTpn"));
    let refused = connect(&stub.endpoint, &[("api_key", "key")]).schema("t").await.unwrap_err();
    assert_eq!(refused.to_string(), "access is denied: because of security_exception");
    let missing = connect(&stub.endpoint, &[]).schema("t").await.unwrap_err();
    assert!(matches!(missing, ConnectorError::AccessDenied(_)));
}

#[tokio::test]
async fn servers_that_are_away_or_silent() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    // Connections wait in the backlog and are never served.
    let silent = connect(&endpoint, &[("timeout_ms", "50")]).schema("t").await.unwrap_err();
    assert!(silent.to_string().starts_with("the search server does not answer in time"), "{silent}");
    drop(listener);
    let away = connect(&endpoint, &[]).schema("t").await.unwrap_err();
    assert!(matches!(away, ConnectorError::Unavailable { source: Some(_), .. }));
    assert!(away.to_string().starts_with("the search server cannot be reached"), "{away}");
}

#[tokio::test]
async fn indices_that_come_while_a_query_is_prepared() {
    let stub = one_page(json!({"n": {"type": "long"}}), vec![]).await;
    let connector = connect(&stub.endpoint, &[]);
    connector.schema("t").await.unwrap();
    // A part that sees all shards, and one that sees its own only.
    for part in [Part::Slice { id: 0, max: 2, shards: 2 }, Part::Shards { numbers: vec![0], shards: 2 }] {
        let stream = connector.scan(&request("t", &["n"]), &part.split(), &Arc::default()).await.unwrap();
        let error = stream.try_collect::<Vec<_>>().await.unwrap_err().to_string();
        assert_eq!(error, "the indices of \"t\" changed while the query was prepared: 1 shards instead of 2");
    }
}

#[tokio::test]
async fn other_servers_are_told_apart() {
    for (answer, message) in [
        (json!({"version": {"number": "6.8.23"}}), "Elasticsearch 6.8.23 is not supported"),
        (json!({"couchdb": "Welcome"}), "the server does not say that it is OpenSearch or Elasticsearch"),
    ] {
        let stub = Stub::start(move |asked| match asked.what.as_str() {
            "GET /" => ok(&answer),
            _ => mapping("t", json!({"n": {"type": "long"}})),
        })
        .await;
        assert_eq!(failure(&stub, &[]).await.to_string(), message);
    }
}
