//! Aggregates: what the server is asked, and which of its answers are not taken.

use super::stub::{Answer, Stub, error, mapping, ok, version};
use super::*;
use crate::connector::{Aggregate, AggregateRequest};

fn properties() -> Value {
    json!({
        "k": {"type": "keyword"},
        "short": {"type": "keyword", "ignore_above": 3},
        "msg": {"type": "text", "fields": {"raw": {"type": "keyword", "ignore_above": 256}}},
        "plain": {"type": "text"},
        "n": {"type": "long"},
        "i": {"type": "integer"},
        "d": {"type": "double"},
        "price": {"type": "scaled_float", "scaling_factor": 100},
        "ts": {"type": "date"},
        "ok": {"type": "boolean"},
    })
}

/// A server that answers searches with these aggregations, page by page.
async fn server(total: u64, pages: Vec<Value>) -> Stub {
    let page = Mutex::new(0);
    Stub::start(move |asked| match asked.what.as_str() {
        "GET /" => version(Some("opensearch"), "2.19.1"),
        "GET /t/_mapping" => mapping("t", properties()),
        "POST /t/_search/point_in_time?keep_alive=5m&allow_partial_pit_creation=false" => {
            ok(&json!({"pit_id": "first"}))
        }
        "POST /t/_search" | "POST /_search" => {
            let mut page = page.lock().unwrap();
            let aggregations = &pages[*page];
            *page += 1;
            answer(total, aggregations)
        }
        "DELETE /_search/point_in_time" => ok(&json!({})),
        _ => error(400, "unknown"),
    })
    .await
}

fn answer(total: u64, aggregations: &Value) -> Option<Answer> {
    ok(&json!({
        "timed_out": false, "_shards": {"total": 1, "failed": 0},
        "hits": {"total": {"value": total, "relation": "eq"}, "hits": []}, "aggregations": aggregations,
    }))
}

fn aggregates(groups: &[&str], aggregates: &[Aggregate]) -> AggregateRequest {
    AggregateRequest {
        rows: request("t", &[]),
        groups: groups.iter().map(|name| (*name).to_owned()).collect(),
        aggregates: aggregates.to_vec(),
    }
}

fn column(name: &str) -> String {
    name.to_owned()
}

async fn asked(stub: &Stub, request: &AggregateRequest) -> Option<Vec<String>> {
    let connector = connect(&stub.endpoint, &[]);
    connector.schema("t").await.unwrap();
    assert!(connector.aggregates(request));
    let found = connector.aggregate(request, &Arc::default()).await.unwrap();
    found.map(|batch| lines(&[batch]))
}

/// Statistics of so many documents.
fn stats(documents: u64, values: u64, min: f64, max: f64, sum: f64) -> Value {
    json!({"doc_count": documents, "s": {"count": values, "min": min, "max": max, "avg": 0.0, "sum": sum}})
}

#[tokio::test]
async fn a_table_is_one_search() {
    let computed = json!({
        "a1": {"doc_count": 3},
        "a2": stats(3, 3, -2.0, 7.0, 8.0),
        "a3": stats(3, 3, -2.0, 7.0, 8.0),
        "a4": stats(4, 4, 1.420_070_4e12, 1.420_070_400_001e12, 0.0),
        "a5": stats(2, 2, -0.25, 1e300, 0.0),
    });
    let stub = server(5, vec![computed]).await;
    let mut request = aggregates(
        &[],
        &[
            Aggregate::Rows,
            Aggregate::Values(column("plain")),
            Aggregate::Sum(column("n")),
            Aggregate::Min(column("i")),
            Aggregate::Max(column("ts")),
            Aggregate::Max(column("d")),
        ],
    );
    request.rows.predicates = vec![compare("k", Comparison::Eq, text("x"))];
    assert_eq!(asked(&stub, &request).await.unwrap(), ["5 | 3 | 8 | -2 | 2015-01-01T00:00:00.001Z | 1e300"]);
    let bodies = stub.bodies("POST /t/_search");
    let exists = |field: &str| json!({"filter": {"exists": {"field": field}}});
    let stats = |field: &str| {
        let mut asked = exists(field);
        asked["aggs"] = json!({"s": {"stats": {"field": field}}});
        asked
    };
    assert_eq!(
        bodies,
        [json!({
            "size": 0,
            "track_total_hits": true,
            "query": {"bool": {"filter": [{"term": {"k": "x"}}]}},
            "aggs": {"a1": exists("plain"), "a2": stats("n"), "a3": stats("i"), "a4": stats("ts"), "a5": stats("d")},
        })]
    );
    let described = connect(&stub.endpoint, &[]).describe_aggregates(&request);
    assert_eq!(
        described,
        "OpenSearch aggregation count(*), count(plain), sum(n), min(i), max(ts), max(d) of bool filter k = 'x' on t"
    );
}

/// OpenSearch 3.5 counts too few documents that have a text, where it only counts: it is asked to look at them.
#[tokio::test]
async fn documents_that_have_a_text_are_looked_at_to_be_counted() {
    let stub = server(5, vec![json!({"rows": {"doc_count": 8}})]).await;
    let mut request = aggregates(&[], &[Aggregate::Rows]);
    request.rows.predicates = vec![Predicate::IsNotNull("plain".to_owned())];
    assert_eq!(asked(&stub, &request).await.unwrap(), ["8"]);
    let stub = server(5, vec![json!({"rows": {"doc_count": 8}})]).await;
    let connector = connect(&stub.endpoint, &[]);
    let (batches, _) = read_all(connector.as_ref(), &ScanRequest { columns: vec![], ..request.rows }).await.unwrap();
    assert_eq!(count(&batches), 8);
    let search = &stub.bodies("POST /t/_search")[0];
    assert_eq!((&search["size"], &search["aggs"]), (&json!(0), &json!({"rows": {"filter": {"match_all": {}}}})));
    assert!(stub.bodies("POST /t/_count").is_empty());
}

#[tokio::test]
async fn groups_come_page_by_page() {
    let bucket = |key: Value, count: u64| json!({"key": key, "doc_count": count});
    let full: Vec<Value> = (0..8000).map(|n| bucket(json!({"g0": format!("m{n}"), "g1": null}), 1)).collect();
    let checks = json!({"c0": {"doc_count": 8001, "v": {"value": 8001}}, "d0": {"doc_count": 0},
                        "c1": {"doc_count": 1, "v": {"value": 1}}});
    let mut first = checks;
    first["groups"] = json!({"buckets": full, "after_key": {"g0": "m7999", "g1": null}});
    let last = json!({"groups": {"buckets": [bucket(json!({"g0": "z", "g1": i64::MAX}), 2)], "after_key": {}}});
    let stub = server(0, vec![first, last]).await;
    let found = asked(&stub, &aggregates(&["msg", "n"], &[Aggregate::Rows])).await.unwrap();
    assert_eq!(
        (found.len(), found[0].as_str(), found[8000].as_str()),
        (8001, "m0 |  | 1", "z | 9223372036854775807 | 2")
    );
    let bodies = stub.bodies("POST /_search");
    assert_eq!(bodies[0]["pit"]["id"], "first");
    let sources = json!([
        {"g0": {"terms": {"field": "msg.raw", "missing_bucket": true}}},
        {"g1": {"terms": {"field": "n", "missing_bucket": true}}},
    ]);
    assert_eq!(bodies[0]["aggs"]["groups"], json!({"composite": {"size": 8000, "sources": sources}}));
    assert_eq!(bodies[0]["aggs"]["d0"]["filter"]["bool"]["must_not"], json!([{"exists": {"field": "msg.raw"}}]));
    let after = json!({"g0": "m7999", "g1": null});
    let rest = json!({"groups": {"composite": {"size": 8000, "sources": sources, "after": after}}});
    assert_eq!(bodies[1]["aggs"], rest);
    assert_eq!(stub.bodies("DELETE /_search/point_in_time"), [json!({"pit_id": ["first"]})]);
}

#[tokio::test]
async fn answers_that_may_have_lost_digits_are_not_taken() {
    let exact = 9_007_199_254_740_992.0;
    for (aggregate, found, taken) in [
        (Aggregate::Max(column("n")), stats(2, 2, 0.0, exact - 1.0, exact), true),
        // 2^53 + 1 would be shown as this, too.
        (Aggregate::Max(column("n")), stats(2, 2, 0.0, exact, exact), false),
        (Aggregate::Max(column("n")), stats(2, 2, 0.0, exact * 2.0, exact * 2.0), false),
        (Aggregate::Min(column("n")), stats(2, 2, -exact * 2.0, 1.0, 0.0), false),
        (Aggregate::Sum(column("n")), stats(2, 2, 0.0, exact / 2.0, 5.0), true),
        (Aggregate::Sum(column("n")), stats(3, 3, 0.0, exact / 2.0, 5.0), false),
        (Aggregate::Sum(column("n")), stats(3, 3, -exact, 1.0, 5.0), false),
        (Aggregate::Sum(column("n")), stats(1, 1, exact, exact, exact), false),
        // The product is 2^53 + 1, which no double is.
        (Aggregate::Sum(column("n")), stats(3, 3, 0.0, 3_002_399_751_580_331.0, 5.0), false),
        (Aggregate::Sum(column("n")), stats(3, 3, 0.0, 1e300, 1e300), false),
        // A document with two values.
        (Aggregate::Sum(column("n")), stats(3, 4, 1.0, 2.0, 5.0), false),
        (Aggregate::Min(column("d")), stats(3, 4, 1.0, 2.0, 5.0), false),
    ] {
        let stub = server(5, vec![json!({"a0": found})]).await;
        let answer = asked(&stub, &aggregates(&[], std::slice::from_ref(&aggregate))).await;
        assert_eq!(answer.is_some(), taken, "{aggregate:?} {found}");
    }
    // Nothing to sum is NULL.
    let none = json!({"a0": {"doc_count": 0, "s": {"count": 0, "min": null, "max": null, "avg": null, "sum": 0.0}}});
    let stub = server(5, vec![none]).await;
    assert_eq!(asked(&stub, &aggregates(&[], &[Aggregate::Sum(column("n"))])).await.unwrap(), [""]);
}

#[tokio::test]
async fn documents_that_are_in_several_groups_or_in_none_are_read() {
    for (values, documents, dropped, taken) in [(2, 2, 0, true), (3, 2, 0, false), (2, 2, 1, false)] {
        let page = json!({
            "c0": {"doc_count": documents, "v": {"value": values}}, "d0": {"doc_count": dropped},
            "groups": {"buckets": [{"key": {"g0": "a"}, "doc_count": 2}]},
        });
        let stub = server(2, vec![page]).await;
        assert_eq!(asked(&stub, &aggregates(&["msg"], &[Aggregate::Rows])).await.is_some(), taken);
        assert_eq!(stub.bodies("DELETE /_search/point_in_time").len(), 1);
    }
}

#[tokio::test]
async fn without_points_in_time_one_page_must_do() {
    for (buckets, taken) in [(3, true), (8000, false)] {
        let page: Vec<Value> = (0..buckets).map(|n| json!({"key": {"g0": format!("k{n}")}, "doc_count": 1})).collect();
        let stub = Stub::start(move |asked| match asked.what.as_str() {
            "GET /" => version(None, "7.10.2"),
            "GET /t/_mapping" => mapping("t", properties()),
            "POST /t/_search" => answer(
                0,
                &json!({
                    "c0": {"doc_count": 5, "v": {"value": 5}}, "groups": {"buckets": page, "after_key": {"g0": "z"}},
                }),
            ),
            _ => error(400, "unknown"),
        })
        .await;
        assert_eq!(asked(&stub, &aggregates(&["k"], &[Aggregate::Rows])).await.is_some(), taken);
        assert_eq!(stub.bodies("POST").len(), 1);
    }
}

#[tokio::test]
async fn a_server_that_refuses_is_read() {
    let stub = Stub::start(|asked| match asked.what.as_str() {
        "GET /" => version(Some("opensearch"), "2.19.1"),
        "GET /t/_mapping" => mapping("t", properties()),
        "POST /t/_search/point_in_time?keep_alive=5m&allow_partial_pit_creation=false" => {
            ok(&json!({"pit_id": "first"}))
        }
        "DELETE /_search/point_in_time" => ok(&json!({})),
        _ => error(400, "too_many_buckets_exception"),
    })
    .await;
    assert_eq!(asked(&stub, &aggregates(&["k"], &[Aggregate::Rows])).await, None);
}

#[tokio::test]
async fn what_the_server_would_compute_otherwise_is_not_asked() {
    let stub = server(0, vec![]).await;
    let connector = connect(&stub.endpoint, &[]);
    connector.schema("t").await.unwrap();
    let first = connect(&stub.endpoint, &[("arrays", "first")]);
    first.schema("t").await.unwrap();
    assert!(!first.aggregates(&aggregates(&[], &[Aggregate::Max(column("i"))])));
    for (groups, computed) in [
        (vec!["short"], vec![]),
        (vec!["plain"], vec![]),
        (vec!["d"], vec![]),
        (vec!["price"], vec![]),
        (vec!["_id"], vec![]),
        (vec!["absent"], vec![]),
        (vec![], vec![Aggregate::Sum(column("d"))]),
        (vec![], vec![Aggregate::Sum(column("price"))]),
        (vec![], vec![Aggregate::Sum(column("ts"))]),
        (vec![], vec![Aggregate::Max(column("price"))]),
        (vec![], vec![Aggregate::Max(column("k"))]),
        (vec![], vec![Aggregate::Values(column("short"))]),
        (vec![], vec![Aggregate::Values(column("_source"))]),
    ] {
        assert!(!connector.aggregates(&aggregates(&groups, &computed)), "{groups:?} {computed:?}");
    }
    // Nor where a condition stays here.
    let mut narrowed = aggregates(&[], &[Aggregate::Rows]);
    narrowed.rows.predicates = vec![compare("price", Comparison::Eq, Constant::Float(0.25))];
    assert!(!connector.aggregates(&narrowed));
}
