//! Whole documents where most of them is read, and pages that nobody waits for any more.

use super::stub::{Answer, Asked, SILENT, Stub, document, error, mapping, ok, version};
use super::*;
use std::time::Duration;

const DOCUMENTS: u64 = 300;

/// A part of 300 documents that have `n`, a `note` and an `id`, and of what else `more` says; `whole` answers in place of
/// pages of whole documents.
async fn server(more: &'static str, whole: impl Fn() -> Option<Answer> + Send + Sync + 'static) -> Stub {
    let page = move |asked: &Asked| {
        let begin = asked.body["search_after"][0].as_i64().map_or(0, |after| after + 1) as u64;
        let end = DOCUMENTS.min(begin + asked.body["size"].as_u64().unwrap());
        let found: Vec<Value> = (begin..end)
            .map(|n| {
                let mut source = json!({"n": n, "note": format!("what is noted of document {n:08}")});
                if asked.body["_source"] == json!(true) {
                    source["id"] = json!(format!("d{n}"));
                    if !more.is_empty() {
                        source["more"] = json!(more);
                    }
                }
                document(&n.to_string(), source, json!([n]))
            })
            .collect();
        ok(&json!({"timed_out": false, "_shards": {"total": 1, "failed": 0}, "pit_id": "p", "hits": {"hits": found}}))
    };
    Stub::start(move |asked| match asked.what.as_str() {
        "GET /" => version(Some("opensearch"), "2.19.1"),
        "GET /t/_mapping" => {
            let keyword = json!({"type": "keyword"});
            mapping("t", json!({"n": {"type": "long"}, "note": keyword, "id": keyword, "more": keyword}))
        }
        "POST /t/_search/point_in_time?keep_alive=5m&allow_partial_pit_creation=false" => ok(&json!({"pit_id": "p"})),
        "POST /_search" if asked.body["_source"] == json!(true) => whole().or_else(|| page(asked)),
        "POST /_search" => page(asked),
        what if what.starts_with("DELETE /") => ok(&json!({})),
        _ => error(400, "unknown"),
    })
    .await
}

/// Reads all `n` and `note`s; gives the documents that each page was asked for, and whether they were to be whole.
async fn pages(stub: &Stub) -> Vec<(u64, bool)> {
    let connector = connect(&stub.endpoint, &[("page_size", "100"), ("slices", "1")]);
    let found = rows(connector.as_ref(), &request("t", &["n", "note"])).await.unwrap();
    let expected: Vec<String> = (0..DOCUMENTS).map(|n| format!("{n} | what is noted of document {n:08}")).collect();
    assert_eq!(found, expected);
    let searches = stub.bodies("POST /_search");
    let picked = json!({"includes": ["n", "note"]});
    assert!(searches.iter().all(|body| body["_source"] == json!(true) || body["_source"] == picked), "{searches:?}");
    searches.iter().map(|body| (body["size"].as_u64().unwrap(), body["_source"] == json!(true))).collect()
}

#[tokio::test]
async fn documents_come_whole_where_most_of_them_is_read() {
    let stub = server("", || None).await;
    // Each page begins with the last document of the one before.
    assert_eq!(pages(&stub).await, [(100, false), (64, true), (100, true), (100, true)]);
}

#[tokio::test]
async fn fields_are_picked_where_whole_documents_are_longer() {
    let stub =
        server("something that nobody reads and that is as long as all that is read of the document", || None).await;
    assert_eq!(pages(&stub).await, [(100, false), (64, true), (100, false), (100, false)]);
}

#[tokio::test]
async fn what_is_tried_does_not_fail() {
    let stub = server("", || error(500, "circuit_breaking_exception")).await;
    assert_eq!(pages(&stub).await, [(100, false), (64, true), (100, false), (100, false), (100, false)]);
}

#[tokio::test]
async fn a_page_on_its_way_is_given_up_with_its_stream() {
    let stub = server("", || Some((SILENT, String::new()))).await;
    let connector = connect(&stub.endpoint, &[("page_size", "100"), ("slices", "1")]);
    let request = request("t", &["n", "note"]);
    connector.schema("t").await.unwrap();
    let split = connector.splits(&request, 1).await.unwrap().remove(0);
    let mut stream = connector.scan(&request, &split, &Arc::default()).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().num_rows(), 100);
    let until = async |reached: &dyn Fn() -> bool| {
        for _ in 0..500 {
            if reached() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        false
    };
    assert!(until(&|| stub.bodies("POST /_search").len() == 2).await);
    assert_eq!(stub.given_up(), 0);
    drop(stream);
    assert!(until(&|| stub.given_up() == 1 && stub.bodies("DELETE").len() == 1).await);
    assert_eq!(stub.bodies("POST /_search").len(), 2);
}
