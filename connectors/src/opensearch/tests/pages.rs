//! Pages: points in time, ties, parts, scrolls, and that all of it is closed.

use super::stub::{Answer, Asked, Stub, document, error, mapping, ok, version};
use super::*;
use std::sync::atomic::{AtomicU64, Ordering};
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
    let point = body["pit"]["id"].as_str().unwrap_or("none");
    let shards: Vec<u64> = match point.split_once(':') {
        Some((_, shards)) => shards.split('.').map(|shard| shard.parse().unwrap()).collect(),
        None => (0..SHARDS).collect(),
    };
    let is_searched = |n: u64| shards.contains(&(n % SHARDS));
    let mut found: Vec<u64> = (0..DOCUMENTS).filter(|n| is_searched(*n) && number(*n) as i64 > after).collect();
    found.sort_by_key(|n| number(*n));
    found.truncate(body["size"].as_u64().unwrap() as usize);
    let documents: Vec<Value> =
        found.iter().map(|n| document(&n.to_string(), json!({"n": n}), json!([number(*n)]))).collect();
    ok(&json!({
        "timed_out": false, "_shards": {"total": shards.len(), "successful": shards.len(), "failed": 0},
        "pit_id": point.replace("first", "second"), "hits": {"hits": documents},
    }))
}

/// The name of a point in time, with the shards that the request to open it is about: `first:0.2`.
fn opened(what: &str) -> String {
    let shards = what.split_once("&preference=_shards%3A").map(|(_, shards)| shards.replace("%2C", "."));
    shards.map_or_else(|| "first".to_owned(), |shards| format!("first:{shards}"))
}

async fn server(distribution: Option<&'static str>, number: &'static str) -> Stub {
    let scrolled = Mutex::new(0);
    Stub::start(move |asked| match asked.what.as_str() {
        "GET /" => version(distribution, number),
        "GET /t/_mapping" => mapping("t", json!({"n": {"type": "long"}})),
        "GET /t/_search_shards" => {
            ok(&json!({"shards": (0..SHARDS).map(|shard| json!([{"index": "t", "shard": shard}])).collect::<Vec<_>>()}))
        }
        "POST /t/_search/point_in_time?keep_alive=5m&allow_partial_pit_creation=false" => {
            ok(&json!({"pit_id": "first"}))
        }
        "POST /_search" | "POST /t/_search" => search(asked),
        what if what.starts_with("POST /t/_search/point_in_time?keep_alive=5m&allow_partial_pit_creation=false") => {
            ok(&json!({"pit_id": opened(what)}))
        }
        what if what.starts_with("POST /t/_pit?keep_alive=5m") => ok(&json!({"id": opened(what)})),
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
async fn parts_are_shards_each_in_its_point_in_time() {
    let stub = server(Some("opensearch"), "3.1.0").await;
    let connector = connect(&stub.endpoint, &[("page_size", "10"), ("slices", "2")]);
    assert_eq!(numbers(connector.as_ref()).await, all());
    let searches = stub.bodies("POST /_search");
    assert!(searches.iter().all(|search| search["slice"].is_null()), "{searches:?}");
    assert_eq!(searches[0]["pit"], json!({"id": "first:0.2", "keep_alive": "5m"}));
    assert_eq!(searches[1]["pit"]["id"], json!("second:0.2"));
    assert_eq!(searches.last().unwrap()["pit"]["id"], json!("second:1"));
    assert_eq!(searches[0]["sort"], json!([{"_doc": "asc"}]));
    assert_eq!(
        stub.bodies("DELETE /_search/point_in_time"),
        [json!({"pit_id": ["second:0.2"]}), json!({"pit_id": ["second:1"]})]
    );
    // Each part looks once whether the index still has the shards that it had.
    assert_eq!(stub.asked().iter().filter(|asked| asked.what == "GET /t/_search_shards").count(), 3);
}

#[tokio::test]
async fn shards_are_divided_when_more_parts_are_asked_for() {
    let stub = server(Some("opensearch"), "2.19.1").await;
    let connector = connect(&stub.endpoint, &[("slices", "5")]);
    connector.schema("t").await.unwrap();
    let splits = connector.splits(&request("t", &["n"]), 1).await.unwrap();
    assert_eq!(splits.len(), 5);
    let stream = connector.scan(&request("t", &["n"]), &splits[4], &Arc::default()).await.unwrap();
    stream.try_collect::<Vec<_>>().await.unwrap();
    let search = stub.bodies("POST /_search").remove(0);
    assert_eq!(search["slice"], json!({"field": "_id", "id": 4, "max": 5}));
    assert_eq!(search["pit"]["id"], json!("first"));
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
    let is_part = |search: &Value| search["pit"]["id"].as_str().is_some_and(|point| point.contains(':'));
    assert!(searches.iter().all(|search| search["query"] == query && is_part(search)), "{searches:?}");
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
        "POST /t/_search/point_in_time?keep_alive=5m&allow_partial_pit_creation=false" => {
            ok(&json!({"pit_id": "first"}))
        }
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

/// A page that fails is asked for again: no document comes twice, none is left out.
#[tokio::test]
async fn pages_that_fail_are_asked_for_again() {
    for (distribution, number) in [(Some("opensearch"), "2.19.1"), (None, "8.11.3")] {
        let searches = AtomicU64::new(0);
        let stub = Stub::start(move |asked| match asked.what.as_str() {
            "GET /" => version(distribution, number),
            "GET /t/_mapping" => mapping("t", json!({"n": {"type": "long"}})),
            "POST /_search" => match searches.fetch_add(1, Ordering::Relaxed) % 4 {
                0 => error(503, "busy"),
                2 => None,
                _ => search(asked),
            },
            what if what.starts_with("POST /t/_search/point_in_time?") => ok(&json!({"pit_id": "first"})),
            what if what.starts_with("POST /t/_pit?") => ok(&json!({"id": "first"})),
            _ => ok(&json!({})),
        })
        .await;
        let connector = connect(&stub.endpoint, &[("page_size", "20"), ("slices", "1")]);
        assert_eq!(numbers(connector.as_ref()).await, all(), "{number}");
        // Each page failed once.
        let searched = stub.bodies("POST /_search").len();
        assert!(searched >= 10 && searched.is_multiple_of(2), "{searched}");
    }
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
        [json!({"id": "second:0"}), json!({"id": "second:1"}), json!({"id": "second:2"})]
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
async fn parts_are_scrolled_by_their_shards() {
    let stub = Stub::start(|asked| match asked.what.as_str() {
        "GET /" => version(None, "7.10.2"),
        "GET /t/_mapping" => mapping("t", json!({"n": {"type": "long"}})),
        "GET /t/_search_shards" => {
            ok(&json!({"shards": (0..SHARDS).map(|shard| json!([{"index": "t", "shard": shard}])).collect::<Vec<_>>()}))
        }
        "POST /_search/scroll" => ok(&json!({"timed_out": false, "_scroll_id": "next", "hits": {"hits": []}})),
        what => match what.strip_prefix("POST /t/_search?scroll=5m&preference=_shards%3A") {
            Some(shard) => {
                let own = (0..DOCUMENTS).filter(|n| (n % SHARDS).to_string() == shard);
                let own: Vec<Value> = own.map(|n| document(&n.to_string(), json!({"n": n}), json!([n]))).collect();
                ok(&json!({
                    "timed_out": false, "_shards": {"total": 1, "successful": 1, "failed": 0}, "_scroll_id": "first",
                    "hits": {"hits": own},
                }))
            }
            None => ok(&json!({})),
        },
    })
    .await;
    assert_eq!(numbers(connect(&stub.endpoint, &[("slices", "3")]).as_ref()).await, all());
    assert_eq!(stub.bodies("DELETE /_search/scroll").len(), 3);
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

/// What is held of a part is a page and the next one, however long nobody takes them.
#[tokio::test]
async fn one_page_is_asked_for_ahead() {
    let stub = server(Some("opensearch"), "2.19.1").await;
    let connector = connect(&stub.endpoint, &[("page_size", "10"), ("slices", "1")]);
    let request = request("t", &["n"]);
    connector.schema("t").await.unwrap();
    let split = connector.splits(&request, 1).await.unwrap().remove(0);
    let mut stream = connector.scan(&request, &split, &Arc::default()).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().num_rows(), 10);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(stub.bodies("POST /_search").len(), 2);
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
        "POST /t/_search/point_in_time?keep_alive=5m&allow_partial_pit_creation=false" => {
            ok(&json!({"pit_id": "first"}))
        }
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
