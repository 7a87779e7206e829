//! Queries of a search index: conditions, full text, orders, limits and aggregates.

use super::Over;
use serde_json::{Value, json};

/// OpenSearch with an index `logs`, whose searches find nothing.
fn search(what: &str, _: &Value) -> Value {
    let keyword = json!({ "type": "keyword" });
    let message = json!({ "type": "text", "fields": { "keyword": { "type": "keyword", "ignore_above": 256 } } });
    let shards = json!({ "total": 1, "successful": 1, "failed": 0 });
    let none = json!({ "doc_count": 0, "s": { "count": 0, "min": null, "max": null, "avg": null, "sum": 0.0 } });
    match what {
        "GET /" => json!({ "version": { "distribution": "opensearch", "number": "2.19.1" } }),
        "GET /logs/_mapping" => json!({ "logs": { "mappings": { "properties": {
            "status": { "type": "short" }, "n": { "type": "long" }, "ts": { "type": "date" },
            "user": { "properties": { "name": keyword } }, "message": message,
        }}}}),
        "GET /logs/_search_shards" => json!({ "shards": [[{ "index": "logs", "shard": 0 }]] }),
        "POST /logs/_count" => json!({ "count": 1000, "_shards": shards }),
        "POST /_search" | "POST /logs/_search" => json!({
            "timed_out": false, "_shards": shards,
            "hits": { "total": { "value": 0, "relation": "eq" }, "hits": [] },
            "aggregations": {
                "a0": none, "a1": none, "a2": none, "a3": none, "c0": { "doc_count": 0, "v": { "value": 0 } },
                "groups": { "buckets": [] },
            },
        }),
        what if what.starts_with("POST /logs/_search/point_in_time") => json!({ "pit_id": "pit" }),
        _ => json!({}),
    }
}

/// The searches of a statement.
async fn searches(over: &mut Over, text: &str) -> Vec<Value> {
    let asked = over.asked(text).await.into_iter();
    let searches: Vec<Value> = asked.filter(|(what, _)| what.ends_with("/_search")).map(|(_, body)| body).collect();
    assert!(!searches.is_empty(), "{text}");
    searches
}

#[tokio::test]
async fn opensearch_is_asked_by_one_query() {
    let mut over = Over::new("OPENSEARCH '{}'", search).await;
    let filter = |query: Value| json!({ "bool": { "filter": [query] } });
    let must = |query: Value| json!({ "bool": { "must": [query] } });
    let term = |field: &str, value: Value| json!({ "term": { field: value } });
    let exists = |field: &str| json!({ "exists": { "field": field } });
    let at = json!({ "gte": "2015-01-01T00:00:00.000Z", "format": "strict_date_optional_time" });
    let either = json!([term("status", json!(500)), { "range": { "n": { "lt": 3 } } }]);
    for (condition, query) in [
        ("status = 500", filter(term("status", json!(500)))),
        (
            "status <> 500",
            json!({ "bool": { "filter": [exists("status")], "must_not": [term("status", json!(500))] } }),
        ),
        ("status IN (200, 404, 500, 503)", filter(json!({ "terms": { "status": [200, 404, 500, 503] } }))),
        ("status IS NULL", json!({ "bool": { "must_not": [exists("status")] } })),
        ("status IS NOT NULL", filter(exists("status"))),
        ("n >= 7", filter(json!({ "range": { "n": { "gte": 7 } } }))),
        ("ts >= TIMESTAMPTZ '2015-01-01 00:00:00+00'", filter(json!({ "range": { "ts": at } }))),
        ("\"user.name\" LIKE 'u1%'", filter(json!({ "prefix": { "user.name": "u1" } }))),
        // Analysed text is found by its keyword sub-field.
        ("message = 'all is well'", filter(term("message.keyword", json!("all is well")))),
        ("status = 500 OR n < 3", filter(json!({ "bool": { "should": either, "minimum_should_match": 1 } }))),
        ("match(message, 'timeout')", must(json!({ "match": { "message": { "query": "timeout" } } }))),
        ("match_phrase(message, 'is well')", must(json!({ "match_phrase": { "message": { "query": "is well" } } }))),
        ("query_string('a AND b')", must(json!({ "query_string": { "query": "a AND b" } }))),
        // What the server cannot decide is decided here.
        ("upper(message) = 'A'", json!({ "match_all": {} })),
    ] {
        let found = searches(&mut over, &format!("SELECT n FROM s.logs WHERE {condition}")).await;
        assert!(found.iter().all(|search| search["query"] == query), "{condition}: {found:?}");
        let columns = if condition.starts_with("upper") { json!(["n", "message"]) } else { json!(["n"]) };
        let sorted = |columns: &Value| {
            let mut columns = columns.as_array().unwrap().clone();
            columns.sort_by_key(Value::to_string);
            columns
        };
        let includes = sorted(&found[0]["_source"]["includes"]);
        assert_eq!(includes, sorted(&columns), "{condition}");
    }
}

#[tokio::test]
async fn opensearch_sorts_limits_and_aggregates() {
    let mut over = Over::new("OPENSEARCH '{}'", search).await;
    let best = "SELECT message FROM s.logs WHERE match(message, 'timeout') ORDER BY _score DESC LIMIT 10";
    let latest = json!({ "ts": { "order": "desc", "missing": "_first", "unmapped_type": "date" } });
    let tie = json!({ "_doc": "asc" });
    for (text, size, sort) in [
        ("SELECT n FROM s.logs LIMIT 5", 5, json!([tie])),
        ("SELECT n FROM s.logs ORDER BY ts DESC LIMIT 3", 3, json!([latest, tie])),
        (best, 10, json!([{ "_score": { "order": "desc" } }, tie])),
    ] {
        let found = searches(&mut over, text).await;
        let [asked] = found.as_slice() else { panic!("{text}: {found:?}") };
        assert_eq!((&asked["size"], &asked["sort"]), (&json!(size), &sort), "{text}");
    }
    let stats = json!({ "filter": { "exists": { "field": "n" } }, "aggs": { "s": { "stats": { "field": "n" } } } });
    let found = searches(&mut over, "SELECT min(n), max(n), sum(n) FROM s.logs WHERE status = 500").await;
    let [asked] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(asked["aggs"], json!({ "a0": stats, "a1": stats, "a2": stats }));
    assert_eq!(asked["query"], json!({ "bool": { "filter": [{ "term": { "status": 500 } }] } }));
    assert_eq!(asked["size"], 0);
    let found = searches(&mut over, "SELECT \"user.name\", max(n) FROM s.logs GROUP BY 1").await;
    let [asked] = found.as_slice() else { panic!("{found:?}") };
    let source = json!([{ "g0": { "terms": { "field": "user.name", "missing_bucket": true } } }]);
    let groups = &asked["aggs"]["groups"];
    assert_eq!((&groups["composite"]["sources"], &groups["aggs"]), (&source, &json!({ "a0": stats })));
    // Rows are counted without documents.
    let found = searches(&mut over, "SELECT count(*) FROM s.logs WHERE status = 500").await;
    let [asked] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((&asked["size"], &asked["track_total_hits"]), (&json!(0), &json!(true)));
}
