//! Pages: points in time, ties, parts, scrolls, and that all of it is closed.

use super::stub::{Answer, Asked, Stub, document, error, mapping, ok, version};
use super::*;
use std::sync::atomic::Ordering;
use std::time::Duration;

const DOCUMENTS: u64 = 100;
const SHARDS: u64 = 3;

/// Answers searches over documents in three shards, whose numbers begin at 0 in each, as OpenSearch numbers them, or
/// over all as Elasticsearch does.
fn search(asked: &Asked) -> Option<Answer> {
    let body = &asked.body;
    let is_elasticsearch = body["sort"][0].get("_shard_doc").is_some();
    let number = |n: u64| if is_elasticsearch { n } else { n / SHARDS };
    let after = body["search_after"][0].as_i64().unwrap_or(-1);
    let slice = |n: u64| match (body["slice"]["id"].as_u64(), body["slice"]["max"].as_u64()) {
        (Some(id), Some(max)) => (n % SHARDS) % max == id,
        _ => true,
    };
    let mut found: Vec<u64> = (0..DOCUMENTS).filter(|n| slice(*n) && number(*n) as i64 > after).collect();
    found.sort_by_key(|n| number(*n));
    found.truncate(body["size"].as_u64().unwrap() as usize);
    let documents: Vec<Value> =
        found.iter().map(|n| document(&n.to_string(), json!({"n": n}), json!([number(*n)]))).collect();
    ok(&json!({
        "timed_out": false, "_shards": {"total": SHARDS, "failed": 0}, "pit_id": "second", "hits": {"hits": documents},
    }))
}

async fn server(distribution: Option<&'static str>, number: &'static str) -> Stub {
    let scrolled = Mutex::new(0);
    Stub::start(move |asked| match asked.what.as_str() {
        "GET /" => version(distribution, number),
        "GET /t/_mapping" => mapping("t", json!({"n": {"type": "long"}})),
        "GET /t/_search_shards" => {
            ok(&json!({"shards": (0..SHARDS).map(|shard| json!([{"index": "t", "shard": shard}])).collect::<Vec<_>>()}))
        }
        "POST /t/_search/point_in_time?keep_alive=5m" => ok(&json!({"pit_id": "first"})),
        "POST /t/_pit?keep_alive=5m" => ok(&json!({"id": "first"})),
        "POST /_search" | "POST /t/_search" => search(asked),
        "POST /t/_search?scroll=5m" => {
            *scrolled.lock().unwrap() = 1;
            scroll_page(0)
        }
        "POST /_search/scroll" => {
            let mut page = scrolled.lock().unwrap();
            *page += 1;
            scroll_page(*page - 1)
        }
        what if what.starts_with("DELETE /") => ok(&json!({})),
        _ => error(400, "unknown"),
    })
    .await
}

fn scroll_page(page: u64) -> Option<Answer> {
    let documents: Vec<Value> = (page * 40..DOCUMENTS.min(page * 40 + 40))
        .map(|n| document(&n.to_string(), json!({"n": n}), json!([n])))
        .collect();
    ok(&json!({
        "timed_out": false, "_shards": {"total": SHARDS, "failed": 0}, "_scroll_id": format!("scroll-{page}"),
        "hits": {"hits": documents},
    }))
}

/// The numbers of all documents in order, when each came once.
async fn numbers(connector: &dyn Connector) -> Vec<u64> {
    let mut numbers: Vec<u64> =
        rows(connector, &request("t", &["n"])).await.unwrap().iter().map(|line| line.parse().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

fn all() -> Vec<u64> {
    (0..DOCUMENTS).collect()
}

#[tokio::test]
async fn documents_that_share_a_number_come_once() {
    for page_size in ["1", "2", "3", "7", "100", "1000"] {
        let stub = server(Some("opensearch"), "2.19.1").await;
        let connector = connect(&stub.endpoint, &[("page_size", page_size), ("slices", "1")]);
        assert_eq!(numbers(connector.as_ref()).await, all(), "{page_size}");
        assert_eq!(stub.bodies("DELETE /_search/point_in_time"), [json!({"pit_id": ["second"]})]);
    }
}

#[tokio::test]
async fn parts_are_slices_each_in_its_point_in_time() {
    let stub = server(Some("opensearch"), "3.1.0").await;
    let connector = connect(&stub.endpoint, &[("page_size", "10"), ("slices", "2")]);
    assert_eq!(numbers(connector.as_ref()).await, all());
    let searches = stub.bodies("POST /_search");
    assert_eq!(searches[0]["slice"], json!({"id": 0, "max": 2}));
    assert_eq!(searches.last().unwrap()["slice"], json!({"id": 1, "max": 2}));
    assert_eq!(searches[0]["pit"], json!({"id": "first", "keep_alive": "5m"}));
    assert_eq!(searches[1]["pit"]["id"], json!("second"));
    assert_eq!(searches[0]["sort"], json!([{"_doc": "asc"}]));
    assert_eq!(stub.bodies("DELETE /_search/point_in_time").len(), 2);
}

/// What names a value is likely to be little: one request where that is so, else the parts at the same time.
#[tokio::test]
async fn a_named_value_is_tried_in_one_page() {
    let named =
        ScanRequest { predicates: vec![compare("n", Comparison::Eq, Constant::Integer(5))], ..request("t", &["n"]) };
    let stub = server(Some("opensearch"), "2.19.1").await;
    let connector = connect(&stub.endpoint, &[("slices", "2")]);
    read_all(connector.as_ref(), &named).await.unwrap();
    // The server's version is known now.
    let (batches, measures) = read_all(connector.as_ref(), &named).await.unwrap();
    assert_eq!((count(&batches), measures.requests.load(Ordering::Relaxed)), (DOCUMENTS as usize, 1));
    assert!(stub.bodies("POST /_search").is_empty());

    let stub = server(Some("opensearch"), "2.19.1").await;
    let connector = connect(&stub.endpoint, &[("slices", "2"), ("page_size", "10")]);
    let mut lines = rows(connector.as_ref(), &named).await.unwrap();
    lines.sort_unstable_by_key(|line| line.parse::<u64>().unwrap());
    assert_eq!(lines, all().iter().map(u64::to_string).collect::<Vec<_>>());
    assert_eq!(stub.asked().iter().filter(|asked| asked.what == "POST /t/_search").count(), 1);
    let searches = stub.bodies("POST /_search");
    let query = json!({"bool": {"filter": [{"term": {"n": 5}}]}});
    assert!(searches.iter().all(|search| search["query"] == query && search["slice"]["max"] == 2), "{searches:?}");
    assert_eq!(stub.bodies("DELETE /_search/point_in_time").len(), 2);
}

#[tokio::test]
async fn parts_of_a_named_value_are_indices_where_there_are_several() {
    let shards = |index: &str| json!([{"index": index, "shard": 0}]);
    let listed = json!({"shards": [shards("a"), shards("b")]});
    let stub = Stub::start(move |asked| match asked.what.as_str() {
        "GET /" => version(Some("opensearch"), "2.19.1"),
        "GET /t/_mapping" => mapping("a", json!({"n": {"type": "long"}})),
        "GET /t/_search_shards" => ok(&listed),
        "POST /t/_search/point_in_time?keep_alive=5m" => ok(&json!({"pit_id": "first"})),
        "POST /_search" | "POST /t/_search" => {
            let only = &asked.body["query"]["bool"]["filter"][1]["terms"]["_index"][0];
            let found: Vec<Value> = ["a", "b"]
                .into_iter()
                .filter(|index| only.is_null() || only == index)
                .map(|index| json!({"_index": index, "_id": "1", "_source": {"n": 5}, "sort": [0]}))
                .filter(|_| asked.body["search_after"].is_null())
                .take(asked.body["size"].as_u64().unwrap() as usize)
                .collect();
            ok(&json!({"timed_out": false, "_shards": {"total": 2, "failed": 0}, "hits": {"hits": found}}))
        }
        _ => ok(&json!({})),
    })
    .await;
    let named = ScanRequest {
        predicates: vec![compare("n", Comparison::Eq, Constant::Integer(5))],
        ..request("t", &["_index"])
    };
    let mut found =
        rows(connect(&stub.endpoint, &[("slices", "2"), ("page_size", "1")]).as_ref(), &named).await.unwrap();
    found.sort_unstable();
    assert_eq!(found, ["a", "b"]);
}

#[tokio::test]
async fn elasticsearch_numbers_documents_itself() {
    let stub = server(None, "8.11.3").await;
    let connector = connect(&stub.endpoint, &[("page_size", "10")]);
    assert_eq!(numbers(connector.as_ref()).await, all());
    let searches = stub.bodies("POST /_search");
    assert_eq!(searches[0]["sort"], json!([{"_shard_doc": "asc"}]));
    assert_eq!(
        stub.bodies("DELETE /_pit"),
        [json!({"id": "second"}), json!({"id": "second"}), json!({"id": "second"})]
    );
}

#[tokio::test]
async fn servers_without_points_in_time_are_scrolled() {
    for (distribution, number) in [(Some("opensearch"), "1.3.20"), (None, "7.10.2"), (None, "7.0.1")] {
        let stub = server(distribution, number).await;
        let connector = connect(&stub.endpoint, &[("slices", "1"), ("page_size", "40")]);
        assert_eq!(numbers(connector.as_ref()).await, all());
        assert_eq!(stub.bodies("POST /_search/scroll")[0], json!({"scroll": "5m", "scroll_id": "scroll-0"}));
        assert_eq!(stub.bodies("DELETE /_search/scroll"), [json!({"scroll_id": ["scroll-3"]})]);
    }
}

#[tokio::test]
async fn a_dropped_stream_closes_its_point_in_time() {
    let stub = server(Some("opensearch"), "2.19.1").await;
    let connector = connect(&stub.endpoint, &[("page_size", "10"), ("slices", "1")]);
    let request = request("t", &["n"]);
    connector.schema("t").await.unwrap();
    let split = connector.splits(&request, 1).await.unwrap().remove(0);
    let mut stream = connector.scan(&request, &split, &Arc::default()).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().num_rows(), 10);
    assert!(stub.bodies("DELETE").is_empty());
    drop(stream);
    for _ in 0..200 {
        if !stub.bodies("DELETE").is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(stub.bodies("DELETE /_search/point_in_time"), [json!({"pit_id": ["second"]})]);
}

#[tokio::test]
async fn a_limit_ends_the_reading() {
    let stub = server(Some("opensearch"), "2.19.1").await;
    let connector = connect(&stub.endpoint, &[("page_size", "10"), ("slices", "1")]);
    let request = ScanRequest { limit: Some(25), ..request("t", &["n"]) };
    let (batches, measures) = read_all(connector.as_ref(), &request).await.unwrap();
    assert_eq!(count(&batches), 25);
    assert!(measures.bytes.load(Ordering::Relaxed) > 0);
    assert_eq!(stub.bodies("DELETE").len(), 1);
}

/// Long documents: pages become smaller until they fit.
#[tokio::test]
async fn pages_are_as_large_as_documents_allow() {
    let text = "x".repeat(10 << 20);
    let stub = Stub::start(move |asked| match asked.what.as_str() {
        "GET /" => version(Some("opensearch"), "2.19.1"),
        "GET /t/_mapping" => mapping("t", json!({"long": {"type": "text"}})),
        "POST /t/_search/point_in_time?keep_alive=5m" => ok(&json!({"pit_id": "first"})),
        "POST /_search" => {
            let (size, after) = (asked.body["size"].as_u64().unwrap(), asked.body["search_after"][0].as_i64());
            let begin = after.map_or(0, |after| after + 1) as u64;
            let documents: Vec<String> = (begin..7.min(begin + size))
                .map(|n| format!(r#"{{"_index":"t","_id":"{n}","_source":{{"long":"{text}"}},"sort":[{n}]}}"#))
                .collect();
            let documents = documents.join(",");
            Some((
                200,
                format!(r#"{{"timed_out":false,"_shards":{{"total":1,"failed":0}},"hits":{{"hits":[{documents}]}}}}"#),
            ))
        }
        _ => ok(&json!({})),
    })
    .await;
    let connector = connect(&stub.endpoint, &[("slices", "1"), ("page_size", "100")]);
    let (batches, measures) = read_all(connector.as_ref(), &request("t", &["_id", "long"])).await.unwrap();
    assert_eq!(count(&batches), 7);
    assert_eq!(measures.retries.load(Ordering::Relaxed), 0);
    let sizes: Vec<u64> = stub.bodies("POST /_search").iter().map(|body| body["size"].as_u64().unwrap()).collect();
    assert_eq!(sizes[..2], [100, 12]);
}
