//! Queries of a key-value table: by its keys, by its indexes, or with a filter.

use super::Over;
use crate::service::Asked;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const DYNAMODB: &str = "DYNAMODB ENDPOINT '{}' REGION 'eu-west-1' OPTIONS (access_key_id 'k', secret_access_key 's')";

/// DynamoDB with a table `orders`, of which only a sample can be had.
fn dynamodb(operation: &str, body: &Value) -> Value {
    let key = |name: &str, kind: &str| json!({ "AttributeName": name, "KeyType": kind });
    let attribute = |name: &str, kind: &str| json!({ "AttributeName": name, "AttributeType": kind });
    let index = |name: &str, keys: Value, projection: &str| {
        json!({
            "IndexName": name, "IndexStatus": "ACTIVE", "KeySchema": keys,
            "Projection": { "ProjectionType": projection },
        })
    };
    match operation {
        "ListTables" => json!({ "TableNames": ["orders"] }),
        "DescribeTable" => json!({ "Table": {
            "TableName": "orders",
            "TableStatus": "ACTIVE",
            "ItemCount": 1_000_000,
            "TableSizeBytes": 400_000_000,
            "KeySchema": [key("pk", "HASH"), key("sk", "RANGE")],
            "AttributeDefinitions": [
                attribute("pk", "S"), attribute("sk", "N"), attribute("state", "S"), attribute("day", "S"),
                attribute("note", "S"),
            ],
            "LocalSecondaryIndexes": [index("by_day", json!([key("pk", "HASH"), key("day", "RANGE")]), "ALL")],
            "GlobalSecondaryIndexes": [
                index("by_state", json!([key("state", "HASH"), key("day", "RANGE")]), "ALL"),
                index("by_note", json!([key("note", "HASH")]), "KEYS_ONLY"),
            ],
        }}),
        "Scan" if is_sample(body) => {
            let item = json!({
                "pk": { "S": "a" }, "sk": { "N": "1" }, "price": { "N": "12.50" }, "state": { "S": "open" },
                "day": { "S": "2026-05-01" }, "note": { "S": "x" },
            });
            json!({ "Count": 1, "ScannedCount": 1, "Items": [item] })
        }
        _ => json!({ "Count": 0, "ScannedCount": 0, "Items": [], "Responses": {}, "UnprocessedKeys": {} }),
    }
}

/// Whether a Scan is for a table's columns.
fn is_sample(body: &Value) -> bool {
    body["Limit"] == 1000 && body["ProjectionExpression"].is_null() && body["Select"].is_null()
}

/// An expression of a request with its placeholders filled in.
fn filled(body: &Value, expression: &str) -> String {
    let placeholders = |field: &str| body[field].as_object().cloned().unwrap_or_default();
    let names = placeholders("ExpressionAttributeNames").into_iter();
    let names = names.map(|(placeholder, name)| (placeholder, name.as_str().unwrap().to_owned()));
    let values = placeholders("ExpressionAttributeValues").into_iter();
    let values = values.map(|(placeholder, value)| {
        let inner = value.as_object().unwrap().values().next().unwrap().to_string();
        (placeholder, inner)
    });
    // The longest first: `:v1` begins `:v10`.
    let mut all: Vec<(String, String)> = names.chain(values).collect();
    all.sort_by_key(|(placeholder, _)| std::cmp::Reverse(placeholder.len()));
    let text = body[expression].as_str().unwrap_or_default().to_owned();
    all.iter().fold(text, |text, (placeholder, filled)| text.replace(placeholder, filled))
}

/// A request for items in a line.
fn shown((operation, body): &Asked) -> String {
    let body = if operation == "BatchGetItem" { &body["RequestItems"]["orders"] } else { body };
    let mut parts = vec![operation.clone()];
    if body["Select"] == "COUNT" {
        parts.push("count".to_owned());
    }
    for (name, label) in
        [("IndexName", "index"), ("ScanIndexForward", "forward"), ("Limit", "limit"), ("TotalSegments", "segments")]
    {
        if !body[name].is_null() {
            parts.push(format!("{label} {}", body[name]));
        }
    }
    let keys = body["Keys"].as_array().cloned().unwrap_or_default();
    for key in keys.iter().chain(body["Key"].is_object().then_some(&body["Key"])) {
        let key: BTreeMap<&String, &Value> = key.as_object().unwrap().iter().collect();
        let inner = |value: &Value| value.as_object().unwrap().values().next().unwrap().to_string();
        let key: Vec<String> = key.into_iter().map(|(name, value)| format!("{name} {}", inner(value))).collect();
        parts.push(format!("({})", key.join(", ")));
    }
    for (name, label) in
        [("KeyConditionExpression", "key"), ("FilterExpression", "filter"), ("ProjectionExpression", "columns")]
    {
        if body[name].is_string() {
            parts.push(format!("{label} {}", filled(body, name)));
        }
    }
    parts.join("; ")
}

#[tokio::test]
async fn dynamodb_is_asked_by_keys_indexes_and_filters() {
    let mut over = Over::new(DYNAMODB, dynamodb).await;
    for (rest, expected) in [
        // The table's keys.
        ("price FROM s.orders WHERE pk = 'a' AND sk = 3", &["GetItem; (pk \"a\", sk \"3\"); columns price"][..]),
        (
            "price FROM s.orders WHERE pk = 'a' AND sk IN (1, 4, 5)",
            &["BatchGetItem; (pk \"a\", sk \"1\"); (pk \"a\", sk \"4\"); (pk \"a\", sk \"5\"); columns price"],
        ),
        (
            "price FROM s.orders WHERE pk = 'a' AND sk BETWEEN 1 AND 9 AND state <> 'done'",
            &["Query; key pk = \"a\" AND sk BETWEEN \"1\" AND \"9\"; \
               filter (attribute_type(state, \"S\") AND state <> \"done\"); columns price"],
        ),
        ("price FROM s.orders WHERE pk = 'a' AND sk < 7", &["Query; key pk = \"a\" AND sk < \"7\"; columns price"]),
        (
            "price FROM s.orders WHERE pk IN ('a', 'b')",
            &["Query; key pk = \"a\"; columns price", "Query; key pk = \"b\"; columns price"],
        ),
        // Indexes, where they hold what is wanted.
        (
            "price FROM s.orders WHERE pk = 'a' AND day >= '2026-05-01'",
            &["Query; index \"by_day\"; key pk = \"a\" AND day >= \"2026-05-01\"; columns price"],
        ),
        (
            "price FROM s.orders WHERE state = 'open' AND day LIKE '2026-0%'",
            &["Query; index \"by_state\"; key state = \"open\" AND begins_with(day, \"2026-0\"); columns price"],
        ),
        ("pk FROM s.orders WHERE note = 'x'", &["Query; index \"by_note\"; key note = \"x\"; columns pk"]),
        ("price FROM s.orders WHERE note = 'x'", &["Scan; segments 2; filter note = \"x\"; columns price"]),
        // Filters.
        ("sk FROM s.orders WHERE price > 12.5", &["Scan; segments 2; filter price > \"12.5\"; columns sk"]),
        (
            "sk FROM s.orders WHERE price IS NULL",
            &["Scan; segments 2; filter (attribute_not_exists(price) OR attribute_type(price, \"NULL\")); columns sk"],
        ),
        (
            "sk FROM s.orders WHERE price > 12.5 OR note = 'x'",
            &["Scan; segments 2; filter (price > \"12.5\" OR note = \"x\"); columns sk"],
        ),
        (
            "sk FROM s.orders WHERE state NOT IN ('a', 'b', 'c', 'd')",
            &["Scan; segments 2; \
               filter (attribute_type(state, \"S\") AND NOT (state IN (\"a\",\"b\",\"c\",\"d\"))); columns sk"],
        ),
        ("count(*) FROM s.orders WHERE state = 'open'", &["Scan; count; segments 2; filter state = \"open\""]),
        // Limits and orders.
        ("sk FROM s.orders LIMIT 5", &["Scan; limit 5; segments 2; columns sk"]),
        (
            "sk, price FROM s.orders WHERE pk = 'a' ORDER BY sk DESC LIMIT 3",
            &["Query; forward false; limit 3; key pk = \"a\"; columns sk,price"],
        ),
    ] {
        let mut asked = over.asked(&format!("SELECT {rest}")).await;
        asked.retain(|(operation, body)| {
            ["Scan", "Query", "GetItem", "BatchGetItem"].contains(&operation.as_str()) && !is_sample(body)
        });
        let mut lines: Vec<String> = asked.iter().map(shown).collect();
        // Both segments of a Scan are asked for the same.
        lines.sort();
        lines.dedup();
        assert_eq!(lines, expected, "{rest}");
        let costs = |(_, body): &Asked| body["ReturnConsumedCapacity"] == "TOTAL";
        assert!(asked.iter().all(costs), "{rest}: {asked:?}");
    }
}
