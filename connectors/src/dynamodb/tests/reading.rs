//! Tables, schemas, pages and what they cost.

use super::*;
use crate::connector::SUPER_METADATA;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

#[tokio::test]
async fn tables_are_listed_page_by_page() {
    let stub = Stub::start(|_, body, _| {
        Answer::Json(match body["ExclusiveStartTableName"].as_str() {
            None => json!({ "TableNames": ["a", "b"], "LastEvaluatedTableName": "b" }),
            Some(_) => json!({ "TableNames": ["c"] }),
        })
    })
    .await;
    assert_eq!(connect(&stub.endpoint, &[]).tables().await.unwrap(), ["a", "b", "c"]);
    assert_eq!(stub.requests("ListTables")[1]["ExclusiveStartTableName"], "b");
}

/// A schema as `name type` lines; SUPER for JSON.
fn columns(schema: &arrow::datatypes::Schema) -> Vec<String> {
    let kind = |field: &arrow::datatypes::FieldRef| match field.metadata().get(SUPER_METADATA) {
        Some(_) => "SUPER".to_owned(),
        None => field.data_type().to_string(),
    };
    schema.fields().iter().map(|field| format!("{} {}", field.name(), kind(field))).collect()
}

fn sampled(items: Vec<Value>) -> impl Fn(&str, &Value, usize) -> Answer + Send + Sync + 'static {
    move |operation, _, _| match operation {
        "DescribeTable" => Answer::Json(orders()),
        _ => page(&items, false),
    }
}

fn varied() -> Vec<Value> {
    vec![
        json!({
            "pk": { "S": "a" }, "sk": { "N": "1" },
            "b": { "B": "AP8=" }, "flag": { "BOOL": true }, "mixed": { "N": "1" },
            "exact": { "N": "12345678901234567890123456789012345678" }, "price": { "N": "12.50" },
            "wide": { "N": "1E+100" }, "map": { "M": { "z": { "L": [{ "N": "1" }, { "NULL": true }] } } },
            "set": { "SS": ["x", "y"] }, "none": { "NULL": true },
        }),
        json!({ "pk": { "S": "b" }, "sk": { "N": "2" }, "mixed": { "S": "one" }, "exact": { "N": "-1" }, "wide": { "N": "0.5" } }),
    ]
}

#[tokio::test]
async fn columns_come_from_keys_and_a_sample() {
    let stub = Stub::start(sampled(varied())).await;
    let connector = connect(&stub.endpoint, &[("sample", "500")]);
    let schema = connector.schema("orders").await.unwrap();
    assert_eq!(
        columns(&schema),
        [
            "pk Utf8View",
            "sk Int64",
            "b Binary",
            "day Utf8View",
            "exact Decimal128(38, 0)",
            "flag Boolean",
            "map SUPER",
            "mixed SUPER",
            "none SUPER",
            "price Decimal128(38, 1)",
            "set SUPER",
            "state Utf8View",
            "wide Utf8View",
        ]
    );
    assert_eq!(connector.row_count("orders").await.unwrap(), Some(3));
    connector.schema("orders").await.unwrap();
    // A description costs nothing, a sample does.
    assert_eq!(stub.requests("DescribeTable").len(), 2);
    let scans = stub.requests("Scan");
    assert_eq!((scans.len(), scans[0]["Limit"].as_i64()), (1, Some(500)));
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let request = request(&names, vec![]);
    let splits = connector.splits(&request, 1).await.unwrap();
    let batches = read(&*connector, &request, &splits[0], &Arc::default()).await.unwrap();
    let value =
        |column: &arrow::array::ArrayRef, row| arrow::util::display::array_value_to_string(column, row).unwrap();
    let row = |row| batches[0].columns().iter().map(|column| value(column, row)).collect::<Vec<_>>();
    let wide = format!("1{}", "0".repeat(100));
    let exact = "12345678901234567890123456789012345678";
    assert_eq!(
        row(0),
        ["a", "1", "00ff", "", exact, "true", "{\"z\":[1,null]}", "1", "", "12.5", "[\"x\",\"y\"]", "", &wide]
    );
    assert_eq!(row(1), ["b", "2", "", "", "-1", "", "", "\"one\"", "", "", "", "", "0.5"]);
}

#[tokio::test]
async fn all_attributes_but_keys_can_be_super() {
    let stub = Stub::start(sampled(varied())).await;
    let schema = connect(&stub.endpoint, &[("attributes", "super")]).schema("orders").await.unwrap();
    assert_eq!(columns(&schema)[..4], ["pk Utf8View", "sk Int64", "b SUPER", "day Utf8View"]);
    assert!(columns(&schema)[4..].iter().all(|column| column.ends_with(" SUPER") || column == "state Utf8View"));
}

#[tokio::test]
async fn whole_items_are_documents_that_keep_types() {
    let stub = Stub::start(sampled(varied())).await;
    let connector = connect(&stub.endpoint, &[("items", "documents")]);
    assert_eq!(columns(&connector.schema("orders").await.unwrap()), ["item SUPER"]);
    // Nothing is sampled, and all attributes come.
    assert!(stub.requests("Scan").is_empty());
    let request = request(&["item"], vec![]);
    let splits = connector.splits(&request, 1).await.unwrap();
    let batches = read(&*connector, &request, &splits[0], &Arc::default()).await.unwrap();
    let scans = stub.requests("Scan");
    assert!(scans[0].get("ProjectionExpression").is_none() && scans[0].get("Select").is_none(), "{scans:?}");
    let items = arrow::array::AsArray::as_string_view(batches[0].column(0).as_ref());
    let expected = json!({
        "b": { "B": "AP8=" }, "exact": { "N": 12_345 }, "flag": { "BOOL": true }, "map": { "M": { "z": [1, null] } },
        "mixed": { "N": 1 }, "none": { "NULL": null }, "pk": { "S": "a" }, "price": { "N": 12.5 },
        "set": { "SS": ["x", "y"] }, "sk": { "N": 1 }, "wide": { "N": 7 },
    });
    let found = items.value(0).replace(&format!("1{}", "0".repeat(100)), "7");
    assert_eq!(found.replace("12345678901234567890123456789012345678", "12345"), expected.to_string());
}

#[tokio::test]
async fn an_empty_table_has_its_keys() {
    let stub = Stub::start(sampled(vec![])).await;
    let connector = connect(&stub.endpoint, &[]);
    let schema = connector.schema("orders").await.unwrap();
    assert_eq!(columns(&schema), ["pk Utf8View", "sk Int64", "day Utf8View", "state Utf8View"]);
    let batches = read_all(&*connector, &request(&["pk"], vec![]), &Arc::default()).await.unwrap();
    assert!(batches.is_empty());
}

#[tokio::test]
async fn an_attribute_that_the_sample_did_not_show_is_json() {
    let (_stub, connector) =
        prepared(&[], |_, _, _| page(&[json!({ "rare": { "L": [{ "S": "x" }] } }), json!({})], false)).await;
    let splits = connector.splits(&request(&["rare"], vec![]), 1).await.unwrap();
    let batches = read(&*connector, &request(&["rare"], vec![]), &splits[0], &Arc::default()).await.unwrap();
    assert_eq!(table(&batches), "+-------+\n| rare  |\n+-------+\n| [\"x\"] |\n|       |\n+-------+");
}

#[tokio::test]
async fn pages_follow_each_other_and_are_counted() {
    let (stub, connector) = prepared(&[("page_size", "2")], |_, body, before| {
        assert_eq!(body["Limit"], 2);
        page(&[item("a", before as i64 * 2), item("a", before as i64 * 2 + 1)], before < 2)
    })
    .await;
    let cost = Arc::<Measures>::default();
    let request = request(&["sk"], vec![text("pk", "a")]);
    assert_eq!(rows(&read_all(&*connector, &request, &cost).await.unwrap()), 6);
    let starts: Vec<_> = stub.requests("Query").iter().map(|body| body["ExclusiveStartKey"]["sk"].clone()).collect();
    assert_eq!(starts, [Value::Null, json!({ "N": "1" }), json!({ "N": "3" })]);
    let count = |measure: &std::sync::atomic::AtomicU64| measure.load(Ordering::Relaxed);
    assert_eq!((count(&cost.requests), count(&cost.retries), count(&cost.rows_examined)), (3, 0, 6));
    assert_eq!(count(&cost.capacity_milliunits), 1500);
    assert!(count(&cost.bytes) > 0);
}

#[tokio::test]
async fn an_item_of_400_kilobytes_is_read() {
    let large = "x".repeat(400 * 1024 - 100);
    let item = json!({ "pk": { "S": "a" }, "sk": { "N": "1" }, "state": { "S": large } });
    let (_stub, connector) = prepared(&[], move |_, _, _| page(std::slice::from_ref(&item), false)).await;
    let request = request(&["state"], vec![text("pk", "a")]);
    let batches = read_all(&*connector, &request, &Arc::default()).await.unwrap();
    let states = arrow::array::AsArray::as_string_view(batches[0].column(0).as_ref()).clone();
    assert_eq!(states.value(0).len(), 400 * 1024 - 100);
}

#[tokio::test]
async fn a_share_of_the_capacity_is_kept_to() {
    // 50 % of 10 units a second; each page costs half a unit.
    let (stub, connector) = prepared(&[("read_ratio", "50")], |_, _, before| page(&[item("a", 1)], before < 4)).await;
    let request = request(&["sk"], vec![text("pk", "a")]);
    let begin = Instant::now();
    assert_eq!(rows(&read_all(&*connector, &request, &Arc::default()).await.unwrap()), 5);
    assert!(begin.elapsed() >= Duration::from_millis(400), "{:?}", begin.elapsed());
    assert_eq!(stub.requests("Query").len(), 5);
}
