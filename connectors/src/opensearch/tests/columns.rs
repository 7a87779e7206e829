//! Mappings to columns, documents to values.

use super::stub::{Stub, document, error, hits, mapping, ok, one_page, version};
use super::*;
use crate::connector::SUPER_METADATA;
use arrow::datatypes::{DataType, TimeUnit};

fn columns(answer: &Value) -> Vec<(String, DataType)> {
    let schema = Mapping::new(answer, &Limits::default()).unwrap().schema();
    let is_own = |name: &str| name.starts_with('_');
    let fields = schema.fields().iter().filter(|field| !is_own(field.name()));
    fields.map(|field| (field.name().clone(), field.data_type().clone())).collect()
}

#[test]
fn kinds_have_their_types() {
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    for (definition, expected) in [
        (json!({"type": "keyword"}), DataType::Utf8View),
        (json!({"type": "constant_keyword", "value": "x"}), DataType::Utf8View),
        (json!({"type": "wildcard"}), DataType::Utf8View),
        (json!({"type": "text"}), DataType::Utf8View),
        (json!({"type": "long"}), DataType::Int64),
        (json!({"type": "integer"}), DataType::Int32),
        (json!({"type": "short"}), DataType::Int16),
        (json!({"type": "byte"}), DataType::Int16),
        (json!({"type": "unsigned_long"}), DataType::Decimal128(20, 0)),
        (json!({"type": "double"}), DataType::Float64),
        (json!({"type": "scaled_float", "scaling_factor": 10}), DataType::Float64),
        (json!({"type": "float"}), DataType::Float32),
        (json!({"type": "half_float"}), DataType::Float32),
        (json!({"type": "date"}), utc.clone()),
        (json!({"type": "date", "format": "dd/MM/yyyy"}), utc.clone()),
        (json!({"type": "date", "format": "dd/MM/yyyy", "doc_values": false}), DataType::Utf8View),
        (json!({"type": "date_nanos"}), utc),
        (json!({"type": "boolean"}), DataType::Boolean),
        (json!({"type": "ip"}), DataType::Utf8View),
        (json!({"type": "binary"}), DataType::Binary),
    ] {
        let answer = json!({"t": {"mappings": {"properties": {"c": definition}}}});
        assert_eq!(columns(&answer), [("c".to_owned(), expected)], "{definition}");
    }
    for kind in ["geo_point", "nested", "object", "flattened", "dense_vector", "integer_range"] {
        let answer = json!({"t": {"mappings": {"properties": {"c": {"type": kind}}}}});
        let schema = Mapping::new(&answer, &Limits::default()).unwrap().schema();
        assert!(schema.field(0).metadata().contains_key(SUPER_METADATA), "{kind}");
    }
}

#[test]
fn indices_that_disagree() {
    let merged = |one: Value, other: Value| {
        let answer = json!({
            "a": {"mappings": {"properties": {"c": one}}},
            "b": {"mappings": {"properties": {"c": other}}},
        });
        let mapping = Mapping::new(&answer, &Limits::default()).unwrap();
        let column = mapping.column("c").unwrap().clone();
        let equals = Predicate::IsNull("c".to_owned());
        let pushdown = Translator { mapping: &mapping, arrays: Arrays::Refuse }.pushdown(&equals);
        (column.read.data_type(), pushdown)
    };
    let kind = |kind: &str| json!({"type": kind});
    for (one, other, expected) in [
        (kind("short"), kind("long"), (DataType::Int64, Pushdown::Exact)),
        (kind("long"), kind("unsigned_long"), (DataType::Decimal128(20, 0), Pushdown::Exact)),
        (kind("integer"), kind("float"), (DataType::Float64, Pushdown::Exact)),
        (kind("keyword"), kind("text"), (DataType::Utf8View, Pushdown::Exact)),
        (kind("keyword"), kind("long"), (DataType::Utf8View, Pushdown::Unsupported)),
        (kind("ip"), kind("keyword"), (DataType::Utf8View, Pushdown::Unsupported)),
        (kind("keyword"), json!({"properties": {"x": kind("long")}}), (DataType::Utf8View, Pushdown::Unsupported)),
        (kind("keyword"), kind("nested"), (DataType::Utf8View, Pushdown::Unsupported)),
    ] {
        assert_eq!(merged(one.clone(), other.clone()), expected, "{one} {other}");
        assert_eq!(merged(other, one), expected);
    }
    let range = compare("c", Comparison::Lt, Constant::Integer(5));
    let answer = json!({
        "a": {"mappings": {"properties": {"c": kind("short")}}},
        "b": {"mappings": {"properties": {"c": kind("long"), "d": kind("long")}}},
    });
    let mapping = Mapping::new(&answer, &Limits::default()).unwrap();
    let translator = Translator { mapping: &mapping, arrays: Arrays::Refuse };
    assert_eq!(translator.pushdown(&range), Pushdown::Exact);
    // Beyond one of the kinds, the two need different queries.
    assert_eq!(translator.pushdown(&compare("c", Comparison::Lt, Constant::Integer(100_000))), Pushdown::Unsupported);
    // A field that one index lacks is NULL there.
    assert_eq!(translator.pushdown(&Predicate::IsNull("d".to_owned())), Pushdown::Exact);
}

#[test]
fn what_documents_do_not_keep_is_no_column() {
    let answer = json!({"t": {"mappings": {
        "_source": {"excludes": ["secret", "o.*"]},
        "properties": {"a": {"type": "long"}, "secret": {"type": "long"}, "o": {"properties": {"x": {"type": "long"}}}},
    }}});
    assert_eq!(columns(&answer), [("a".to_owned(), DataType::Int64)]);
    for source in [json!({"enabled": false}), json!({"mode": "disabled"})] {
        let answer = json!({"t": {"mappings": {"_source": source, "properties": {}}}});
        let error = Mapping::new(&answer, &Limits::default()).unwrap_err().to_string();
        assert_eq!(error, "index \"t\", which keeps no _source, is not supported");
    }
}

/// Elasticsearch's documentation, "ignore_above": what is longer than the index's limit is not found, though no mapping says so.
#[tokio::test]
async fn an_index_may_have_a_limit_for_all_its_keywords() {
    let setting = "GET /t/_settings/index.mapping.ignore_above?include_defaults=true&flat_settings=true";
    let keyword = json!({"type": "keyword"});
    let properties = json!({
        "k": keyword, "own": {"type": "keyword", "ignore_above": 3}, "n": {"type": "long"},
        "msg": {"type": "text", "fields": {"raw": keyword}},
    });
    let (none, limited) = ((Pushdown::Exact, Pushdown::Exact), (Pushdown::Unsupported, Pushdown::Inexact));
    for (settings, of_k, is_sorted) in [
        (json!({"settings": {"index.mapping.ignore_above": "8"}, "defaults": {}}), limited, false),
        (json!({"settings": {}, "defaults": {"index.mapping.ignore_above": "8"}}), limited, false),
        (json!({"settings": {}, "defaults": {"index.mapping.ignore_above": "2147483647"}}), none, true),
        (json!({"settings": {}, "defaults": {}}), none, true),
    ] {
        let properties = properties.clone();
        let stub = Stub::start(move |asked| match asked.what.as_str() {
            "GET /t/_mapping" => mapping("t", properties.clone()),
            what if what == setting => ok(&json!({"t": settings})),
            _ => error(400, "unknown"),
        })
        .await;
        let connector = connect(&stub.endpoint, &[]);
        connector.schema("t").await.unwrap();
        let decided = |predicate: Predicate| connector.pushdown("t", &[predicate])[0];
        let is_not_null = |column: &str| decided(Predicate::IsNotNull(column.to_owned()));
        let is_null = |column: &str| decided(Predicate::IsNull(column.to_owned()));
        let equals = |column: &str, long: usize| decided(compare(column, Comparison::Eq, text(&"x".repeat(long))));
        assert_eq!((is_not_null("k"), is_null("k")), of_k);
        let beyond = if is_sorted { Pushdown::Exact } else { Pushdown::Unsupported };
        for column in ["k", "msg"] {
            assert_eq!((equals(column, 8), equals(column, 9)), (Pushdown::Exact, beyond), "{column}");
            let order = [Order { column: column.to_owned(), descending: false, nulls_first: false }];
            assert_eq!(connector.orders("t", &order), is_sorted, "{column}");
        }
        // A field's own limit, and fields that have none.
        assert_eq!((equals("own", 3), equals("own", 4)), (Pushdown::Exact, Pushdown::Unsupported));
        assert_eq!((is_null("n"), is_not_null("msg")), (Pushdown::Exact, Pushdown::Exact));
    }
}

/// Elasticsearch 8 has a setting, too, by which it keeps no documents, and no mapping tells of it: hits come without them.
#[tokio::test]
async fn an_index_without_documents_is_refused_where_they_are_read() {
    let hit = json!({"_index": "t", "_id": "a", "_score": null, "sort": [0]});
    let stub = Stub::start(move |asked| match asked.what.as_str() {
        "GET /" => version(None, "8.17.0"),
        "GET /t/_mapping" => mapping("t", json!({"n": {"type": "long"}})),
        "POST /t/_search" => hits(std::slice::from_ref(&hit)),
        _ => error(400, "unknown"),
    })
    .await;
    let connector = connect(&stub.endpoint, &[]);
    let wanted = |columns: &[&str]| ScanRequest { limit: Some(5), ..request("t", columns) };
    for columns in [&["n"][..], &["_source"]] {
        let refused = rows(connector.as_ref(), &wanted(columns)).await.unwrap_err().to_string();
        assert_eq!(refused, "index \"t\", which keeps no _source, is not supported");
    }
    assert_eq!(rows(connector.as_ref(), &wanted(&["_id"])).await.unwrap(), ["a"]);
}

/// Elasticsearch's documentation, "Runtime fields": one of an indexed field's name takes its place in searches, and
/// `_source` keeps what was indexed. What a field's `script` computes is indexed and stands in no `_source`.
#[test]
fn what_the_server_computes_is_not_what_documents_hold() {
    let raw = json!({"raw": {"type": "keyword"}});
    let answer = json!({"t": {"mappings": {
        "runtime": {
            "n": {"type": "long"}, "msg.raw": {"type": "keyword"}, "only": {"type": "keyword"},
            "http": {"type": "composite", "fields": {"status": {"type": "long"}}},
        },
        "properties": {
            "n": {"type": "long"},
            "m": {"type": "long"},
            "msg": {"type": "text", "fields": raw},
            "title": {"type": "text", "fields": raw},
            "http": {"properties": {"status": {"type": "short"}, "verb": {"type": "keyword"}}},
            "made": {"type": "long", "script": {"source": "emit(1)"}},
        },
    }}});
    let mapping = Mapping::new(&answer, &Limits::default()).unwrap();
    let translator = Translator { mapping: &mapping, arrays: Arrays::Refuse };
    for (column, expected) in [
        ("n", Pushdown::Unsupported),
        ("m", Pushdown::Exact),
        ("msg", Pushdown::Unsupported),
        ("title", Pushdown::Exact),
        ("http.status", Pushdown::Unsupported),
        ("http.verb", Pushdown::Exact),
        ("made", Pushdown::Unsupported),
    ] {
        assert_eq!(translator.pushdown(&Predicate::IsNull(column.to_owned())), expected, "{column}");
        let order = [Order { column: column.to_owned(), descending: false, nulls_first: false }];
        assert_eq!(translator.sort(&order, false).is_some(), expected == Pushdown::Exact, "{column}");
    }
    assert!(mapping.column("only").is_none());
}

/// Five thousand fields: one pass over a document finds them all.
#[tokio::test]
async fn five_thousand_fields() {
    let names: Vec<String> = (0..5_000).map(|n| format!("group{}.field{n}", n % 50)).collect();
    let mut properties = json!({});
    let mut source = json!({});
    for (n, name) in names.iter().enumerate() {
        let (group, field) = name.split_once('.').unwrap();
        properties[group]["properties"][field] = json!({"type": "long"});
        source[group][field] = json!(n);
    }
    let stub = one_page(properties, vec![source]).await;
    let connector = connect(&stub.endpoint, &[]);
    let mut request = request("t", &names.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(connector.schema("t").await.unwrap().fields().len(), 5_004);
    let (batches, _) = read_all(connector.as_ref(), &request).await.unwrap();
    let values = batches[0].columns().iter().enumerate().all(|(n, column)| {
        let column = column.as_any().downcast_ref::<arrow::array::Int64Array>().unwrap();
        column.value(0) == n as i64
    });
    assert!(values);
    assert_eq!(stub.bodies("POST /_search")[0]["_source"], json!(true));
    request.columns.truncate(1);
    rows(connector.as_ref(), &request).await.unwrap();
    assert_eq!(stub.bodies("POST /_search")[1]["_source"], json!({"includes": ["group0.field0"]}));
}

/// Values as the servers take them: numbers as text, dotted names, lists of one, empty lists.
#[tokio::test]
async fn values_are_read_exactly() {
    let properties = json!({
        "n": {"type": "long"}, "d": {"type": "double"}, "u": {"type": "unsigned_long"}, "ok": {"type": "boolean"},
        "ts": {"type": "date"}, "ip": {"type": "ip"}, "bin": {"type": "binary"}, "geo": {"type": "geo_point"},
        "o": {"properties": {"k": {"type": "keyword"}}}, "nest": {"type": "nested"},
        "loose": {"type": "long", "ignore_malformed": true}, "ck": {"type": "constant_keyword", "value": "web"},
        "other": {"type": "alias", "path": "o.k"},
    });
    let first = json!({
        "n": "12.9", "d": 0.1, "u": 18_446_744_073_709_551_615_u64, "ok": "true", "ts": "2015-01-01T12:10:30.5Z",
        "ip": "0:0:0:0:0:0:0:1", "bin": "AQI=", "geo": "52.5, 13.4", "o.k": 7, "nest": [{"a": 1.10}], "loose": "many",
    });
    let second = json!({
        "n": [null], "d": [2.5], "u": 0, "ok": "", "ts": 1_420_070_400_001_i64, "ip": "::ffff:10.0.0.1", "bin": null,
        "geo": [13.4, 52.5], "o": [{"k": "x"}], "nest": {"a": []}, "loose": 1,
    });
    let stub = one_page(properties, vec![first, second]).await;
    let connector = connect(&stub.endpoint, &[]);
    let names = ["n", "d", "u", "ok", "ts", "ip", "bin", "geo", "o.k", "nest", "loose", "ck", "other", "_id"];
    let lines = rows(connector.as_ref(), &request("t", &names)).await.unwrap();
    assert_eq!(
        lines,
        [
            r#"12 | 0.1 | 18446744073709551615 | true | 2015-01-01T12:10:30.500Z | ::1 | 0102 | {"lat":52.5,"lon":13.4} | 7 | [{"a":1.1}] |  | web | 7 | 0"#,
            r#" | 2.5 | 0 | false | 2015-01-01T00:00:00.001Z | 10.0.0.1 |  | {"lat":52.5,"lon":13.4} | x | {"a":[]} | 1 | web | x | 1"#,
        ]
    );
}

/// Doubles come as the nearest to their digits; JSON keeps all of them.
#[tokio::test]
async fn digits_are_kept() {
    let page = r#"{"timed_out":false,"_shards":{"total":1,"failed":0},"hits":{"hits":[{"_index":"t","_id":"a",
        "_source":{"d": 0.30000000000000004, "s": {"x": 12345678901234567890.12345678901234567890 }},"sort":[0]}]}}"#;
    let stub = Stub::start(move |asked| match asked.what.as_str() {
        "GET /" => version(Some("opensearch"), "2.19.1"),
        "GET /t/_mapping" => mapping("t", json!({"d": {"type": "double"}, "s": {"type": "object", "enabled": false}})),
        "POST /t/_search" => Some((200, page.to_owned())),
        _ => error(400, "unknown"),
    })
    .await;
    let connector = connect(&stub.endpoint, &[]);
    let request = ScanRequest { limit: Some(5), ..request("t", &["d", "s"]) };
    assert_eq!(
        rows(connector.as_ref(), &request).await.unwrap(),
        [r#"0.30000000000000004 | {"x":12345678901234567890.12345678901234567890}"#]
    );
}

/// A date whose format is not read here is asked of the server in one that is.
#[tokio::test]
async fn dates_in_other_formats_come_from_the_server() {
    let stub = Stub::start(|asked| match asked.what.as_str() {
        "GET /" => version(Some("opensearch"), "2.19.1"),
        "GET /t/_mapping" => mapping("t", json!({"day": {"type": "date", "format": "dd/MM/yyyy"}})),
        "POST /t/_search" => {
            let mut hit = document("a", Value::Null, json!([0]));
            hit["fields"] = json!({"day": ["1960-03-15T00:00:00.000Z"]});
            hits(&[hit])
        }
        _ => error(400, "unknown"),
    })
    .await;
    let connector = connect(&stub.endpoint, &[]);
    let request = ScanRequest { limit: Some(5), ..request("t", &["day"]) };
    assert_eq!(rows(connector.as_ref(), &request).await.unwrap(), ["1960-03-15T00:00:00Z"]);
    let body = &stub.bodies("POST /t/_search")[0];
    assert_eq!(body["docvalue_fields"], json!([{"field": "day", "format": "strict_date_optional_time"}]));
    assert_eq!(body["_source"], json!(false));
}

#[tokio::test]
async fn several_values_are_an_error_or_the_first() {
    let properties = json!({"tags": {"type": "keyword"}, "o": {"properties": {"n": {"type": "long"}}}});
    let stub = one_page(properties, vec![json!({"tags": ["a", null, "b"], "o": [{"n": 1}, {"n": 2}]})]).await;
    let refusing = connect(&stub.endpoint, &[]);
    for (column, field) in [("tags", "tags"), ("o.n", "o.n")] {
        let error = rows(refusing.as_ref(), &request("t", &[column])).await.unwrap_err().to_string();
        assert_eq!(
            error,
            format!(
                "field \"{field}\" of document \"0\" in \"t\" holds 2 values: set the option arrays to 'first', or read _source"
            )
        );
    }
    let first = connect(&stub.endpoint, &[("arrays", "first")]);
    assert_eq!(rows(first.as_ref(), &request("t", &["tags", "o.n"])).await.unwrap(), ["a | 1"]);
    assert_eq!(
        rows(refusing.as_ref(), &request("t", &["_source"])).await.unwrap(),
        [r#"{"tags":["a",null,"b"],"o":[{"n":1},{"n":2}]}"#]
    );
}

#[tokio::test]
async fn a_value_that_does_not_fit_names_its_document() {
    let stub = one_page(json!({"n": {"type": "short"}}), vec![json!({"n": 1}), json!({"n": 100_000})]).await;
    let connector = connect(&stub.endpoint, &[]);
    let error = rows(connector.as_ref(), &request("t", &["n"])).await.unwrap_err();
    assert!(matches!(error, ConnectorError::BadData(_)));
    assert_eq!(error.to_string(), "field \"n\" of document \"1\" in \"t\" is no Int16: 100000");
}

#[tokio::test]
async fn indices_aliases_and_data_streams_are_tables() {
    let stub = Stub::start(|asked| match asked.what.as_str() {
        "GET /_resolve/index/*" => ok(&json!({
            "indices": [
                {"name": "logs-2", "attributes": ["open"]}, {"name": ".kibana", "attributes": ["open"]},
                {"name": "secret", "attributes": ["open", "hidden"]}, {"name": "shut", "attributes": ["closed"]},
            ],
            "aliases": [{"name": "logs", "indices": ["logs-2"]}],
            "data_streams": [{"name": "events", "backing_indices": [".ds-events-1"]}],
        })),
        _ => error(400, "unknown"),
    })
    .await;
    assert_eq!(connect(&stub.endpoint, &[]).tables().await.unwrap(), ["events", "logs", "logs-2"]);
    // Elasticsearch before 7.9.
    let stub = Stub::start(|asked| match asked.what.as_str() {
        "GET /_cat/indices?format=json&h=index" => ok(&json!([{"index": "b"}, {"index": ".a"}])),
        "GET /_cat/aliases?format=json&h=alias" => ok(&json!([{"alias": "a"}])),
        _ => error(400, "unknown"),
    })
    .await;
    assert_eq!(connect(&stub.endpoint, &[]).tables().await.unwrap(), ["a", "b"]);
}

/// Numbers as the servers read them (`coerce`): fractions are cut off, an empty text is none.
#[tokio::test]
async fn whole_numbers_fit_or_are_errors() {
    let properties = json!({"l": {"type": "long"}, "u": {"type": "unsigned_long"}, "i": {"type": "integer"}});
    for (field, value, expected) in [
        ("l", json!("9223372036854775807.9"), Some("9223372036854775807")),
        ("l", json!("-1.234567890123456789e18"), Some("-1234567890123456789")),
        ("l", json!("-.5"), Some("0")),
        ("l", json!(""), Some("")),
        ("l", json!("."), None),
        ("l", json!("-."), None),
        ("l", json!("1e-2147483648"), None),
        ("l", json!(9_223_372_036_854_775_808_u64), None),
        ("i", json!(2_147_483_648_u64), None),
        ("u", json!(u64::MAX), Some("18446744073709551615")),
        ("u", json!("18446744073709551616"), None),
        ("u", json!("123456789012345678901234567890"), None),
    ] {
        let stub = one_page(properties.clone(), vec![json!({field: value})]).await;
        let connector = connect(&stub.endpoint, &[]);
        let found = rows(connector.as_ref(), &request("t", &[field])).await;
        match (found, expected) {
            (Ok(found), Some(expected)) => assert_eq!(found, [expected], "{value}"),
            (Err(error), None) => {
                let message = format!("field \"{field}\" of document \"0\" in \"t\" is no ");
                assert!(error.to_string().starts_with(&message), "{error}");
            }
            (found, _) => panic!("{value}: {found:?}"),
        }
    }
}
