//! Tables whose columns are declared: what is converted here, and what the server still decides.

use super::stub::{Stub, document, hits, mapping, ok, one_page, version};
use super::*;
use crate::declared::{Declaration, Invalid};
use crate::typed::Type;
use Comparison::{Eq, Gt};
use Pushdown::{Exact, Unsupported};

fn declare(endpoint: &str, columns: &[(&str, Type)], invalid: Invalid) -> Arc<dyn Connector> {
    let options = Options::from([("endpoint".to_owned(), endpoint.to_owned())]);
    let columns = columns.iter().map(|(name, to)| to.field(name)).collect();
    Registry::builtin().declare("opensearch", &options, &Declaration { columns, invalid }).unwrap()
}

fn properties() -> Value {
    json!({
        "Status": {"type": "short"},
        "code": {"type": "keyword"},
        "ts": {"type": "date"},
        "price": {"type": "scaled_float", "scaling_factor": 100},
        "user": {"properties": {"id": {"type": "integer"}}},
    })
}

const COLUMNS: [(&str, Type); 8] = [
    ("status", Type::Int64),
    ("code", Type::Int32),
    ("ts", Type::Timestamp),
    ("price", Type::Decimal(6, 2)),
    ("user.id", Type::Decimal(12, 0)),
    ("user", Type::Super),
    ("extra.note", Type::Text),
    ("_id", Type::Text),
];

#[tokio::test]
async fn wider_types_leave_conditions_to_the_server() {
    let stub = one_page(properties(), vec![]).await;
    let connector = declare(&stub.endpoint, &COLUMNS, Invalid::Error);
    let schema = connector.schema("t").await.unwrap();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["Status", "code", "ts", "price", "user.id", "user", "extra.note", "_id"]);
    assert_eq!(schema.field(0).data_type(), &arrow::datatypes::DataType::Int64);
    assert_eq!(schema.field(2).data_type(), &Type::Timestamp.data_type());
    for (predicate, expected) in [
        (compare("Status", Eq, Constant::Integer(100_000)), Exact),
        (compare("ts", Gt, Constant::Timestamp(0)), Exact),
        (compare("user.id", Gt, Constant::Integer(5)), Exact),
        (compare("_id", Eq, text("1")), Exact),
        // A text's order is not a number's, and what no mapping has cannot be found.
        (compare("code", Eq, Constant::Integer(7)), Unsupported),
        (compare("price", Eq, Constant::Decimal(150, 2)), Unsupported),
        (compare("extra.note", Eq, text("x")), Unsupported),
        (Predicate::IsNull("code".to_owned()), Unsupported),
    ] {
        assert_eq!(connector.pushdown("t", std::slice::from_ref(&predicate)), [expected], "{predicate:?}");
    }
}

#[tokio::test]
async fn documents_become_what_is_declared() {
    let sources = vec![
        json!({
            "Status": 200, "code": "7", "ts": "2026-01-31T10:00:00Z", "price": 1.5, "user": {"id": 9, "x": true},
            "extra": {"note": "unmapped"},
        }),
        json!({"Status": "404", "code": 8, "price": "2.25", "extra": {"note": 5}}),
    ];
    let stub = one_page(properties(), sources).await;
    let connector = declare(&stub.endpoint, &COLUMNS, Invalid::Error);
    let names = ["Status", "code", "ts", "price", "user.id", "user", "extra.note", "_id"];
    assert_eq!(
        rows(&*connector, &request("t", &names)).await.unwrap(),
        [
            r#"200 | 7 | 2026-01-31T10:00:00 | 1.50 | 9 | {"id":9,"x":true} | unmapped | 0"#,
            "404 | 8 |  | 2.25 |  |  | 5 | 1",
        ]
    );
    let search = stub.bodies("POST /_search");
    let wanted = search.first().or(stub.bodies("POST /t/_search").first()).unwrap()["_source"].to_string();
    assert!(wanted.contains("extra.note") && wanted.contains("user"), "{wanted}");
}

#[tokio::test]
async fn what_does_not_fit_is_an_error_or_null() {
    let sources = || vec![json!({"code": "seven"})];
    let stub = one_page(properties(), sources()).await;
    let strict = declare(&stub.endpoint, &COLUMNS, Invalid::Error);
    assert_eq!(
        rows(&*strict, &request("t", &["code"])).await.unwrap_err().to_string(),
        "field \"code\" of document \"0\" in \"t\" is no int: \"seven\"; a table with 'invalid.values' = 'null' reads it \
         as NULL"
    );
    let stub = one_page(properties(), sources()).await;
    let lenient = declare(&stub.endpoint, &COLUMNS, Invalid::Null);
    assert_eq!(rows(&*lenient, &request("t", &["code", "_id"])).await.unwrap(), [" | 0"]);
}

#[tokio::test]
async fn an_object_is_no_scalar_whatever_else_is_read() {
    for user in [json!({"id": 9}), json!([{"id": 9}])] {
        for (columns, row) in [(&["user"][..], ""), (&["user", "user.id"], " | 9"), (&["user.id", "user"], "9 | ")] {
            let stub = one_page(properties(), vec![json!({"user": user})]).await;
            let declared = [("user", Type::Text), ("user.id", Type::Int32)];
            let strict = declare(&stub.endpoint, &declared, Invalid::Error);
            assert_eq!(
                rows(&*strict, &request("t", columns)).await.unwrap_err().to_string(),
                "field \"user\" of document \"0\" in \"t\" is no varchar: {\"id\":9}; a table with 'invalid.values' = 'null' \
                 reads it as NULL"
            );
            let lenient = declare(&stub.endpoint, &declared, Invalid::Null);
            assert_eq!(rows(&*lenient, &request("t", columns)).await.unwrap(), [row], "{columns:?}");
        }
    }
}

#[tokio::test]
async fn two_sources_of_one_field_are_refused() {
    let stub = one_page(properties(), vec![]).await;
    let twice = declare(&stub.endpoint, &[("Status", Type::Int64), ("STATUS", Type::Text)], Invalid::Error);
    let error = twice.schema("t").await.unwrap_err().to_string();
    assert_eq!(error, "the sources \"Status\" and \"STATUS\" are one field, \"Status\"");
    // No mapping has these, so documents may have both.
    let both = declare(&stub.endpoint, &[("Note", Type::Text), ("note", Type::Text)], Invalid::Error);
    assert_eq!(both.schema("t").await.unwrap().fields().len(), 2);
}

#[tokio::test]
async fn indices_that_disagree_are_read_as_declared() {
    let mappings = json!({
        "a": {"mappings": {"properties": {"n": {"type": "long"}}}},
        "b": {"mappings": {"properties": {"n": {"type": "keyword"}}}},
    });
    let stub = Stub::start(move |asked| match asked.what.as_str() {
        "GET /" => version(Some("opensearch"), "2.19.1"),
        "GET /t/_mapping" => ok(&mappings),
        "GET /t/_search_shards" => ok(&json!({"shards": [[{"index": "a", "shard": 0}]]})),
        what if what.contains("point_in_time") => ok(&json!({"pit_id": "pit-1"})),
        _ => hits(&[document("0", json!({"n": 7}), json!([0])), document("1", json!({"n": "8"}), json!([1]))]),
    })
    .await;
    let connector = declare(&stub.endpoint, &[("n", Type::Int64)], Invalid::Error);
    assert_eq!(rows(&*connector, &request("t", &["n"])).await.unwrap(), ["7", "8"]);
    assert_eq!(connector.pushdown("t", &[compare("n", Eq, Constant::Integer(7))]), [Unsupported]);
}

#[tokio::test]
async fn what_stands_outside_of_documents_keeps_its_type() {
    let stub = Stub::start(|asked| match asked.what.as_str() {
        "GET /t/_mapping" => mapping("t", json!({})),
        _ => ok(&json!({})),
    })
    .await;
    let connector = declare(&stub.endpoint, &[("_id", Type::Int64)], Invalid::Error);
    let error = connector.schema("t").await.unwrap_err().to_string();
    assert_eq!(error, "\"_id\" cannot be declared as bigint");
}
