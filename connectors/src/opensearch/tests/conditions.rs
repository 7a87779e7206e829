//! Which query stands for which condition, and how exact it is.

use super::stub::{mapping, one_page};
use super::*;
use crate::predicate::FullText;
use Comparison::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
use Pushdown::{Exact, Inexact, Unsupported};
use arrow::datatypes::DataType;

fn translator_mapping() -> Mapping {
    let (_, answer) = mapping(
        "t",
        json!({
            "k": {"type": "keyword"},
            "short": {"type": "keyword", "ignore_above": 8},
            "lower": {"type": "keyword", "normalizer": "lowercase"},
            "filled": {"type": "keyword", "null_value": "NONE"},
            "hidden": {"type": "keyword", "index": false},
            "w": {"type": "wildcard"},
            "msg": {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}},
            "title": {"type": "text", "fields": {"raw": {"type": "keyword"}}},
            "words": {"type": "text"},
            "status": {"type": "short"},
            "bytes": {"type": "long"},
            "big": {"type": "unsigned_long"},
            "d": {"type": "double"},
            "f": {"type": "float"},
            "h": {"type": "half_float"},
            "price": {"type": "scaled_float", "scaling_factor": 100},
            "ok": {"type": "boolean"},
            "ip": {"type": "ip"},
            "ts": {"type": "date"},
            "tn": {"type": "date_nanos"},
            "geo": {"type": "geo_point"},
            "nest": {"type": "nested", "properties": {"x": {"type": "keyword"}}},
            "all": {"type": "text"},
            "from": {"type": "keyword", "copy_to": "all"},
        }),
    )
    .unwrap();
    Mapping::new(&serde_json::from_str(&answer).unwrap(), &Limits::default()).unwrap()
}

fn check(arrays: Arrays, cases: Vec<(Predicate, Pushdown, Value)>) {
    let mapping = translator_mapping();
    let translator = Translator { mapping: &mapping, arrays };
    for (predicate, pushdown, query) in cases {
        assert_eq!(translator.pushdown(&predicate), pushdown, "{predicate:?}");
        let translated = translator.translate(&predicate).map(|translated| translated.node.json());
        assert_eq!(translated.unwrap_or_default(), query, "{predicate:?}");
    }
}

fn exists(field: &str) -> Value {
    json!({"exists": {"field": field}})
}

fn and_not(field: &str, query: Value) -> Value {
    json!({"bool": {"filter": [exists(field)], "must_not": [query]}})
}

#[test]
fn texts() {
    let long = "x".repeat(9);
    let prefix = |column: &str| Predicate::Prefix { column: column.to_owned(), prefix: "a".to_owned() };
    let not = |predicate| Predicate::Not(Box::new(predicate));
    check(
        Arrays::Refuse,
        vec![
            (compare("k", Eq, text("a")), Exact, json!({"term": {"k": "a"}})),
            (compare("k", NotEq, text("a")), Exact, and_not("k", json!({"term": {"k": "a"}}))),
            (compare("k", Lt, text("a")), Exact, json!({"range": {"k": {"lt": "a"}}})),
            (prefix("k"), Exact, json!({"prefix": {"k": "a"}})),
            (not(prefix("k")), Exact, and_not("k", json!({"prefix": {"k": "a"}}))),
            (
                Predicate::In { column: "k".to_owned(), values: vec![text("a"), text("b")] },
                Exact,
                json!({"terms": {"k": ["a", "b"]}}),
            ),
            (Predicate::IsNotNull("k".to_owned()), Exact, exists("k")),
            (Predicate::IsNull("k".to_owned()), Exact, json!({"bool": {"must_not": [exists("k")]}})),
            // Longer values are not indexed: an absent value may be a long one.
            (compare("short", Eq, text("a")), Exact, json!({"term": {"short": "a"}})),
            (compare("short", Eq, text(&long)), Unsupported, Value::Null),
            (compare("short", NotEq, text("a")), Inexact, json!({"bool": {"must_not": [{"term": {"short": "a"}}]}})),
            (Predicate::IsNotNull("short".to_owned()), Unsupported, Value::Null),
            (Predicate::IsNull("short".to_owned()), Inexact, json!({"bool": {"must_not": [exists("short")]}})),
            (
                compare("short", Gt, text("a")),
                Inexact,
                json!({"bool": {"should": [
                    {"range": {"short": {"gt": "a"}}}, {"bool": {"must_not": [exists("short")]}},
                ], "minimum_should_match": 1}}),
            ),
            // A normalizer makes more values equal.
            (compare("lower", Eq, text("A")), Inexact, json!({"term": {"lower": "A"}})),
            (compare("lower", NotEq, text("A")), Inexact, exists("lower")),
            (compare("lower", Lt, text("A")), Unsupported, Value::Null),
            (compare("filled", Eq, text("NONE")), Unsupported, Value::Null),
            (compare("hidden", Eq, text("a")), Unsupported, Value::Null),
            (compare("w", Eq, text("a")), Exact, json!({"term": {"w": "a"}})),
            (compare("w", Lt, text("a")), Unsupported, Value::Null),
            // Analysed text is found by its sub-field, which drops long values, and known to exist by itself.
            (compare("msg", Eq, text("a")), Exact, json!({"term": {"msg.keyword": "a"}})),
            (compare("msg", NotEq, text("a")), Exact, and_not("msg", json!({"term": {"msg.keyword": "a"}}))),
            (compare("msg", Eq, text(&"x".repeat(257))), Unsupported, Value::Null),
            (
                prefix("msg"),
                Inexact,
                json!({"bool": {"should": [
                    {"prefix": {"msg.keyword": "a"}}, and_not("msg", exists("msg.keyword")),
                ], "minimum_should_match": 1}}),
            ),
            (compare("title", LtEq, text("a")), Exact, json!({"range": {"title.raw": {"lte": "a"}}})),
            (compare("words", Eq, text("a")), Unsupported, Value::Null),
            (Predicate::IsNull("words".to_owned()), Exact, json!({"bool": {"must_not": [exists("words")]}})),
            // What copy_to fills stands in no document.
            (Predicate::IsNull("all".to_owned()), Unsupported, Value::Null),
            (compare("geo", Eq, text("a")), Unsupported, Value::Null),
            (Predicate::IsNull("nest".to_owned()), Unsupported, Value::Null),
            (compare("nest.x", Eq, text("a")), Unsupported, Value::Null),
            (compare("_id", Eq, text("7")), Exact, json!({"ids": {"values": ["7"]}})),
            (compare("_index", Eq, text("t")), Inexact, json!({"terms": {"_index": ["t"]}})),
        ],
    );
}

#[test]
fn numbers() {
    use Constant::{Decimal, Float, Integer};
    let none = || json!({"match_none": {}});
    let range = |field: &str, bounds: Value| json!({"range": {field: bounds}});
    check(
        Arrays::Refuse,
        vec![
            (compare("status", Eq, Integer(500)), Exact, json!({"term": {"status": 500}})),
            (compare("status", NotEq, Integer(500)), Exact, and_not("status", json!({"term": {"status": 500}}))),
            // Beyond the kind, which some servers refuse.
            (compare("status", Eq, Integer(100_000)), Exact, none()),
            (compare("status", NotEq, Integer(100_000)), Exact, exists("status")),
            (compare("status", Lt, Integer(100_000)), Exact, exists("status")),
            (compare("status", Gt, Integer(32_767)), Exact, none()),
            (compare("status", Eq, Decimal(5005, 1)), Exact, none()),
            (compare("status", Lt, Decimal(5005, 1)), Exact, range("status", json!({"lte": 500}))),
            (compare("status", GtEq, Decimal(-5, 1)), Exact, range("status", json!({"gt": -1}))),
            (compare("status", Eq, Float(500.0)), Exact, json!({"term": {"status": 500}})),
            (compare("bytes", Eq, Float(1e17)), Unsupported, Value::Null),
            (compare("bytes", Eq, Integer(i64::MIN)), Exact, json!({"term": {"bytes": i64::MIN}})),
            (compare("big", Eq, Decimal(i128::from(u64::MAX), 0)), Exact, json!({"term": {"big": u64::MAX}})),
            (compare("big", GtEq, Integer(-1)), Exact, exists("big")),
            (compare("big", Lt, Integer(5)), Exact, range("big", json!({"lte": 4}))),
            (compare("d", Lt, Float(0.1)), Exact, range("d", json!({"lt": 0.1}))),
            (compare("d", Eq, Decimal(15, 1)), Exact, json!({"term": {"d": 1.5}})),
            // Two zeros are one in SQL.
            (compare("d", Eq, Integer(0)), Inexact, range("d", json!({"gte": -0.0, "lte": 0.0}))),
            (compare("d", Gt, Integer(0)), Inexact, range("d", json!({"gte": -0.0}))),
            (compare("d", NotEq, Integer(0)), Inexact, exists("d")),
            (compare("d", Eq, Float(f64::NAN)), Unsupported, Value::Null),
            (compare("f", Eq, Float(0.5)), Exact, json!({"term": {"f": 0.5}})),
            // No float is 0.1.
            (compare("f", Eq, Float(0.1)), Unsupported, Value::Null),
            (compare("h", Lt, Float(0.5)), Unsupported, Value::Null),
            (Predicate::IsNotNull("h".to_owned()), Exact, exists("h")),
            // Rounded to cents before they are indexed.
            (compare("price", Eq, Float(1.5)), Inexact, json!({"term": {"price": 1.5}})),
            (compare("price", Lt, Float(1.5)), Inexact, range("price", json!({"lte": 1.51}))),
            (compare("price", GtEq, Float(1.5)), Inexact, range("price", json!({"gte": 1.49}))),
            (compare("price", NotEq, Float(1.5)), Inexact, exists("price")),
            (compare("ok", Eq, Constant::Boolean(true)), Exact, json!({"term": {"ok": true}})),
            // An address that is written otherwise is not equal as text; networks are not texts at all.
            (compare("ip", Eq, text("10.0.0.1")), Exact, json!({"term": {"ip": "10.0.0.1"}})),
            (compare("ip", Eq, text("0:0:0:0:0:0:0:1")), Exact, none()),
            (compare("ip", Eq, text("10.0.0.0/8")), Exact, none()),
            (compare("ip", Lt, text("10.0.0.1")), Unsupported, Value::Null),
        ],
    );
}

#[test]
fn times() {
    let format = "strict_date_optional_time";
    let range = |field: &str, operator: &str, time: &str| json!({"range": {field: {operator: time, "format": format}}});
    let time = |micros: i64| Constant::Timestamp(1_420_070_400_000_000 + micros);
    let both = |field: &str, bounds: Value| json!({"range": {field: bounds}});
    check(
        Arrays::Refuse,
        vec![
            (compare("ts", Gt, time(1000)), Exact, range("ts", "gt", "2015-01-01T00:00:00.001Z")),
            (
                compare("ts", Eq, time(0)),
                Exact,
                both(
                    "ts",
                    json!({"gte": "2015-01-01T00:00:00.000Z", "lte": "2015-01-01T00:00:00.000Z", "format": format}),
                ),
            ),
            // Between two milliseconds.
            (compare("ts", Eq, time(1)), Exact, json!({"match_none": {}})),
            (compare("ts", Lt, time(1)), Exact, range("ts", "lte", "2015-01-01T00:00:00.000Z")),
            (compare("ts", GtEq, time(1)), Exact, range("ts", "gt", "2015-01-01T00:00:00.000Z")),
            (compare("ts", LtEq, Constant::Timestamp(-1)), Exact, range("ts", "lte", "1969-12-31T23:59:59.999Z")),
            // A microsecond holds a thousand nanoseconds.
            (compare("tn", LtEq, time(1)), Exact, range("tn", "lt", "2015-01-01T00:00:00.000002Z")),
            (compare("tn", Gt, time(1)), Exact, range("tn", "gte", "2015-01-01T00:00:00.000002Z")),
            (
                compare("tn", Eq, time(1)),
                Exact,
                both(
                    "tn",
                    json!({"gte": "2015-01-01T00:00:00.000001Z", "lt": "2015-01-01T00:00:00.000002Z", "format": format}),
                ),
            ),
            (compare("tn", Gt, Constant::Timestamp(-1)), Unsupported, Value::Null),
            (compare("ts", Gt, Constant::Timestamp(i64::MAX)), Unsupported, Value::Null),
        ],
    );
}

/// NOT is asked as what it means where a field may be missing.
#[test]
fn three_truth_values() {
    let (a, b) = (compare("k", Eq, text("a")), compare("status", Lt, Constant::Integer(5)));
    let unknown = compare("words", Eq, text("a"));
    let (not_a, not_b) = (and_not("k", json!({"term": {"k": "a"}})), json!({"range": {"status": {"gte": 5}}}));
    let or = |parts: Vec<Value>| json!({"bool": {"should": parts, "minimum_should_match": 1}});
    let not = |predicate: Predicate| Predicate::Not(Box::new(predicate));
    check(
        Arrays::Refuse,
        vec![
            (not(a.clone()), Exact, not_a.clone()),
            (not(not(b.clone())), Exact, json!({"range": {"status": {"lt": 5}}})),
            (not(Predicate::And(vec![a.clone(), b.clone()])), Exact, or(vec![not_a.clone(), not_b.clone()])),
            (
                not(Predicate::Or(vec![a.clone(), b.clone()])),
                Exact,
                json!({"bool": {"filter": [exists("k"), not_b], "must_not": [{"term": {"k": "a"}}]}}),
            ),
            (not(Predicate::IsNull("k".to_owned())), Exact, exists("k")),
            (
                not(Predicate::In { column: "k".to_owned(), values: vec![text("a"), text("b")] }),
                Exact,
                and_not("k", json!({"terms": {"k": ["a", "b"]}})),
            ),
            (
                Predicate::And(vec![a.clone(), unknown.clone()]),
                Inexact,
                json!({"bool": {"filter": [{"term": {"k": "a"}}]}}),
            ),
            (Predicate::Or(vec![a.clone(), unknown.clone()]), Unsupported, Value::Null),
            (not(Predicate::And(vec![a, unknown])), Unsupported, Value::Null),
        ],
    );
}

/// Where the first of several values counts, the server, which looks at all, only narrows.
#[test]
fn first_values() {
    let not = |predicate: Predicate| Predicate::Not(Box::new(predicate));
    check(
        Arrays::First,
        vec![
            (compare("k", Eq, text("a")), Inexact, json!({"term": {"k": "a"}})),
            (not(compare("k", Eq, text("a"))), Inexact, json!({"bool": {"filter": [exists("k")]}})),
            (Predicate::IsNull("k".to_owned()), Exact, json!({"bool": {"must_not": [exists("k")]}})),
        ],
    );
}

#[test]
fn conditions_beyond_the_servers_bounds_stay_with_the_engine() {
    let one = || compare("k", Eq, text("a"));
    let deep = (0..40).fold(one(), |inner, at| {
        if at % 2 == 0 { Predicate::Or(vec![inner, one()]) } else { Predicate::And(vec![inner, one()]) }
    });
    let wide = Predicate::Or((0..1_001).map(|_| one()).collect());
    let list = |column: &str, count: usize| Predicate::In {
        column: column.to_owned(),
        values: (0..count).map(|n| text(&n.to_string())).collect(),
    };
    let rows = Predicate::InRows {
        columns: vec!["k".to_owned(), "w".to_owned()],
        rows: vec![vec![text("a"), text("b")], vec![text("c"), text("d")]],
    };
    let beyond = [deep, wide, list("k", 70_000), list("w", 1_001), rows];
    check(Arrays::Refuse, beyond.map(|predicate| (predicate, Unsupported, Value::Null)).to_vec());
    // A join's keys are one query.
    let mapping = translator_mapping();
    let keys = Translator { mapping: &mapping, arrays: Arrays::Refuse }.translate(&list("k", 10_000)).unwrap();
    assert_eq!(keys.node.json()["terms"]["k"].as_array().map(Vec::len), Some(10_000));
}

#[test]
fn orders_are_those_that_sql_has() {
    let mapping = translator_mapping();
    let sort = |column: &str, arrays| {
        let order = [Order { column: column.to_owned(), descending: true, nulls_first: false }];
        Translator { mapping: &mapping, arrays }.sort(&order, true)
    };
    let key = |name: &str, kind: &str| {
        Some(vec![json!({name: {"order": "desc", "missing": "_last", "unmapped_type": kind}})])
    };
    assert_eq!(sort("k", Arrays::Refuse), key("k", "keyword"));
    assert_eq!(sort("title", Arrays::Refuse), key("title.raw", "keyword"));
    assert_eq!(sort("ts", Arrays::Refuse), key("ts", "date"));
    // The least number of all is not NULL.
    let back = json!({"bytes": {"order": "asc", "missing": "_last", "unmapped_type": "long"}});
    assert_eq!(sort("bytes", Arrays::Refuse).map(|mut keys| keys.pop()), Some(Some(back)));
    assert_eq!(sort("_score", Arrays::Refuse), Some(vec![json!({"_score": {"order": "desc"}})]));
    for refused in ["short", "lower", "filled", "msg", "words", "price", "ip", "geo", "_id", "nothing"] {
        assert_eq!(sort(refused, Arrays::Refuse), None, "{refused}");
    }
    assert_eq!(sort("k", Arrays::First), None);
}

/// The request that the server receives: full text where it scores, the rest in filter context, the fields that are
/// read.
#[tokio::test]
async fn what_the_server_receives() {
    let properties = json!({
        "message": {"type": "text"}, "status": {"type": "short"}, "ts": {"type": "date"}, "other": {"type": "keyword"},
    });
    let stub = one_page(properties, vec![json!({"message": "connection timeout", "status": 500})]).await;
    let connector = connect(&stub.endpoint, &[]);
    let mut request = request("t", &["message", "_score"]);
    let full_text = |kind, column: Option<&str>, text: &str| Predicate::FullText {
        kind,
        column: column.map(str::to_owned),
        text: text.to_owned(),
    };
    request.predicates = vec![
        full_text(FullText::Match, Some("message"), "connection timeout"),
        compare("status", Eq, Constant::Integer(500)),
        compare("ts", Gt, Constant::Timestamp(1_420_070_400_000_000)),
    ];
    request.order = vec![Order { column: "_score".to_owned(), descending: true, nulls_first: true }];
    request.limit = Some(10);
    connector.schema("t").await.unwrap();
    assert_eq!(connector.pushdown("t", &request.predicates), [Exact; 3]);
    assert!(connector.orders("t", &request.order));
    assert_eq!(rows(connector.as_ref(), &request).await.unwrap().len(), 1);
    assert_eq!(
        stub.bodies("POST /t/_search"),
        [json!({
            "query": {"bool": {
                "must": [{"match": {"message": {"query": "connection timeout"}}}],
                "filter": [
                    {"term": {"status": 500}},
                    {"range": {"ts": {"gt": "2015-01-01T00:00:00.000Z", "format": "strict_date_optional_time"}}},
                ],
            }},
            "_source": {"includes": ["message"]},
            "track_scores": true,
            "size": 10,
            "sort": [{"_score": {"order": "desc"}}, {"_doc": "asc"}],
            "track_total_hits": false,
        })]
    );
    for (kind, column, query) in [
        (FullText::Phrase, Some("message"), json!({"match_phrase": {"message": {"query": "a b"}}})),
        (FullText::QueryString, None, json!({"query_string": {"query": "a b"}})),
        (FullText::QueryString, Some("message"), json!({"query_string": {"query": "a b", "default_field": "message"}})),
        (FullText::Match, None, json!({"multi_match": {"query": "a b", "fields": ["*"], "lenient": true}})),
    ] {
        request.predicates = vec![full_text(kind, column, "a b")];
        rows(connector.as_ref(), &request).await.unwrap();
        assert_eq!(stub.bodies("POST /t/_search").last().unwrap()["query"], json!({"bool": {"must": [query]}}));
    }
    // In an OR beside another condition, only the full text scores.
    request.predicates = vec![Predicate::Or(vec![
        full_text(FullText::Match, Some("message"), "a"),
        compare("status", Eq, Constant::Integer(1)),
    ])];
    rows(connector.as_ref(), &request).await.unwrap();
    assert_eq!(
        stub.bodies("POST /t/_search").last().unwrap()["query"]["bool"]["must"][0]["bool"]["should"],
        json!([{"match": {"message": {"query": "a"}}}, {"bool": {"filter": [{"term": {"status": 1}}]}}])
    );
}

/// Rows are counted by the server.
#[tokio::test]
async fn counts() {
    let stub = one_page(json!({"status": {"type": "short"}}), vec![]).await;
    let connector = connect(&stub.endpoint, &[]);
    let mut request = request("t", &[]);
    request.predicates = vec![compare("status", Eq, Constant::Integer(500))];
    let (batches, measures) = read_all(connector.as_ref(), &request).await.unwrap();
    assert_eq!((batches.len(), count(&batches), batches[0].num_columns()), (2, 70_000, 0));
    assert_eq!(measures.requests.load(std::sync::atomic::Ordering::Relaxed), 1);
    assert_eq!(stub.bodies("POST /t/_count"), [json!({"query": {"bool": {"filter": [{"term": {"status": 500}}]}}})]);
    assert!(stub.bodies("POST /_search").is_empty());
    assert_eq!(connector.row_count("t").await.unwrap(), Some(70_000));
    assert_eq!(connector.schema("t").await.unwrap().field(0).data_type(), &DataType::Int16);
}
