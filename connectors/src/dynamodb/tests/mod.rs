//! The connector against a server that records what it is asked: each pushdown is proven by the request that came.
#![allow(clippy::unwrap_used)]

mod declared;
mod failures;
mod pushdown;
mod reading;
mod real;
mod stub;

use crate::connector::{Connector, Measures, ScanRequest, Split};
use crate::error::Result;
use crate::predicate::{Comparison, Predicate, Value as Constant};
use crate::registry::{Options, Registry};
use arrow::record_batch::RecordBatch;
use arrow::util::pretty::pretty_format_batches;
use futures::TryStreamExt;
use serde_json::{Value, json};
use std::sync::Arc;
use stub::{Answer, Stub};

fn connect(endpoint: &str, options: &[(&str, &str)]) -> Arc<dyn Connector> {
    let own = [("endpoint", endpoint), ("region", "eu-west-1"), ("access_key_id", "k"), ("secret_access_key", "s")];
    let options: Options =
        own.iter().chain(options).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Registry::builtin().connect("dynamodb", &options).unwrap()
}

/// The table `orders`: keys pk and sk, an index by state and day, and one that holds keys only.
fn orders() -> Value {
    let key = |name: &str, kind: &str| json!({ "AttributeName": name, "KeyType": kind });
    let attribute = |name: &str, kind: &str| json!({ "AttributeName": name, "AttributeType": kind });
    json!({ "Table": {
        "TableName": "orders",
        "TableStatus": "ACTIVE",
        "ItemCount": 3,
        "KeySchema": [key("pk", "HASH"), key("sk", "RANGE")],
        "AttributeDefinitions": [attribute("pk", "S"), attribute("sk", "N"), attribute("state", "S"), attribute("day", "S")],
        "ProvisionedThroughput": { "ReadCapacityUnits": 10, "WriteCapacityUnits": 5 },
        "GlobalSecondaryIndexes": [{
            "IndexName": "by_state",
            "IndexStatus": "ACTIVE",
            "KeySchema": [key("state", "HASH"), key("day", "RANGE")],
            "Projection": { "ProjectionType": "ALL" },
        }],
    }})
}

fn item(pk: &str, sk: i64) -> Value {
    json!({ "pk": { "S": pk }, "sk": { "N": sk.to_string() }, "price": { "N": "12.50" }, "state": { "S": "open" } })
}

/// An answer to Scan or Query that costs half a unit; with `next` it is not the last.
fn page(items: &[Value], next: bool) -> Answer {
    let mut page = json!({
        "Count": items.len(),
        "ScannedCount": items.len(),
        "Items": items,
        "ConsumedCapacity": { "TableName": "orders", "CapacityUnits": 0.5 },
    });
    if next {
        let last = items.last().unwrap();
        page["LastEvaluatedKey"] = json!({ "pk": last["pk"], "sk": last["sk"] });
    }
    Answer::Json(page)
}

/// A server of `orders`: a sample of two items, then what the test says for requests of data.
async fn serve(answer: impl Fn(&str, &Value, usize) -> Answer + Send + Sync + 'static) -> Stub {
    Stub::start(move |operation, body, before| match operation {
        "DescribeTable" => Answer::Json(orders()),
        "Scan" if body["Limit"] == 1000 && body["ProjectionExpression"].is_null() && body["Select"].is_null() => {
            page(&[item("a", 1), item("b", 2)], false)
        }
        _ => answer(operation, body, before),
    })
    .await
}

/// A server of `orders` whose schema is known, with nothing recorded.
async fn prepared(
    options: &[(&str, &str)],
    answer: impl Fn(&str, &Value, usize) -> Answer + Send + Sync + 'static,
) -> (Stub, Arc<dyn Connector>) {
    let stub = serve(answer).await;
    let connector = connect(&stub.endpoint, options);
    connector.schema("orders").await.unwrap();
    stub.forget();
    (stub, connector)
}

fn request(columns: &[&str], predicates: Vec<Predicate>) -> ScanRequest {
    ScanRequest {
        table: "orders".to_owned(),
        columns: columns.iter().map(|name| (*name).to_owned()).collect(),
        predicates,
        limit: None,
        order: vec![],
        checkpoints: vec![],
    }
}

async fn read(
    connector: &dyn Connector,
    request: &ScanRequest,
    split: &Split,
    cost: &Arc<Measures>,
) -> Result<Vec<RecordBatch>> {
    connector.scan(request, split, cost).await?.try_collect().await
}

/// All rows of a request, split after split.
async fn read_all(connector: &dyn Connector, request: &ScanRequest, cost: &Arc<Measures>) -> Result<Vec<RecordBatch>> {
    let mut batches = Vec::new();
    for split in connector.splits(request, 2).await? {
        batches.extend(read(connector, request, &split, cost).await?);
    }
    Ok(batches)
}

fn rows(batches: &[RecordBatch]) -> usize {
    batches.iter().map(RecordBatch::num_rows).sum()
}

fn table(batches: &[RecordBatch]) -> String {
    pretty_format_batches(batches).unwrap().to_string()
}

fn text(column: &str, value: &str) -> Predicate {
    let value = Constant::Text(value.to_owned());
    Predicate::Compare { column: column.to_owned(), comparison: Comparison::Eq, value }
}

fn number(column: &str, comparison: Comparison, value: i64) -> Predicate {
    Predicate::Compare { column: column.to_owned(), comparison, value: Constant::Integer(value) }
}

/// A request's expressions with their placeholders filled in.
fn filled(body: &Value, expression: &str) -> String {
    let mut text = body[expression].as_str().unwrap_or_default().to_owned();
    let placeholders = |field: &str| body[field].as_object().cloned().unwrap_or_default();
    for (placeholder, name) in placeholders("ExpressionAttributeNames") {
        text = text.replace(&placeholder, name.as_str().unwrap());
    }
    for (placeholder, value) in placeholders("ExpressionAttributeValues") {
        text = text.replace(&placeholder, &value.as_object().unwrap().values().next().unwrap().to_string());
    }
    text
}
