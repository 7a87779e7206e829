//! What DynamoDB is asked.

use super::*;
use crate::connector::{Order, Pushdown};

#[tokio::test]
async fn keys_become_a_query() {
    let (stub, connector) = prepared(&[], |_, _, _| page(&[item("a", 1)], false)).await;
    let predicates = vec![
        text("pk", "a"),
        number("sk", Comparison::GtEq, 1),
        number("sk", Comparison::LtEq, 9),
        Predicate::Not(Box::new(text("state", "done"))),
    ];
    assert_eq!(connector.pushdown("orders", &predicates), [Pushdown::Exact; 4]);
    let request = request(&["sk", "price"], predicates);
    assert_eq!(
        connector.describe(&request),
        "DynamoDB Query on orders: pk = 'a' AND sk BETWEEN 1 AND 9, filter state <> 'done'"
    );
    let batches = read_all(&*connector, &request, &Arc::default()).await.unwrap();
    assert_eq!(table(&batches), "+----+-------+\n| sk | price |\n+----+-------+\n| 1  | 12.5  |\n+----+-------+");
    let asked = stub.requests("Query");
    assert_eq!(asked.len(), 1);
    assert_eq!(filled(&asked[0], "KeyConditionExpression"), "pk = \"a\" AND sk BETWEEN \"1\" AND \"9\"");
    assert_eq!(filled(&asked[0], "FilterExpression"), "(attribute_type(state, \"S\") AND state <> \"done\")");
    assert_eq!(filled(&asked[0], "ProjectionExpression"), "sk,price");
    assert_eq!(asked[0]["ReturnConsumedCapacity"], "TOTAL");
    assert_eq!(asked[0]["ConsistentRead"], false);
    assert_eq!((&asked[0]["IndexName"], &asked[0]["Limit"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn an_index_is_queried_by_its_keys() {
    let (stub, connector) = prepared(&[], |_, _, _| page(&[item("a", 1)], false)).await;
    let prefix = Predicate::Prefix { column: "day".to_owned(), prefix: "2026-".to_owned() };
    let request = request(&["pk"], vec![text("state", "open"), prefix]);
    assert_eq!(connector.describe(&request), "DynamoDB Query on index by_state: state = 'open' AND day LIKE '2026-%'");
    read_all(&*connector, &request, &Arc::default()).await.unwrap();
    let asked = stub.requests("Query");
    assert_eq!(asked[0]["IndexName"], "by_state");
    assert_eq!(filled(&asked[0], "KeyConditionExpression"), "state = \"open\" AND begins_with(day, \"2026-\")");
}

#[tokio::test]
async fn several_partitions_are_splits() {
    let (stub, connector) = prepared(&[("consistent_read", "true")], |_, body, _| {
        let pk = body["ExpressionAttributeValues"][":v0"]["S"].as_str().unwrap();
        page(&[item(pk, 1), item(pk, 2)], false)
    })
    .await;
    let values = ["a", "b", "c", "a"].map(|value| Constant::Text(value.to_owned())).to_vec();
    let request = request(&["pk", "sk"], vec![Predicate::In { column: "pk".to_owned(), values }]);
    assert_eq!(connector.describe(&request), "DynamoDB Query on orders: pk IN ('a', 'b', 'c')");
    assert_eq!(connector.splits(&request, 2).await.unwrap().len(), 3);
    assert_eq!(rows(&read_all(&*connector, &request, &Arc::default()).await.unwrap()), 6);
    let asked = stub.requests("Query");
    assert_eq!(asked.len(), 3);
    assert!(asked.iter().all(|query| query["ConsistentRead"] == true));
}

#[tokio::test]
async fn whole_keys_are_got_in_batches() {
    let (stub, connector) = prepared(&[], |_, body, before| {
        let asked = body["RequestItems"]["orders"]["Keys"].as_array().unwrap().clone();
        // The first answer leaves the last key for later.
        let (given, left) = asked.split_at(asked.len() - usize::from(before == 0));
        let found: Vec<_> = given.iter().filter(|key| key["sk"]["N"] != "7").cloned().collect();
        let unprocessed = if left.is_empty() { json!({}) } else { json!({ "orders": { "Keys": left } }) };
        Answer::Json(json!({
            "Responses": { "orders": found },
            "UnprocessedKeys": unprocessed,
            "ConsumedCapacity": [{ "TableName": "orders", "CapacityUnits": 1.5 }],
        }))
    })
    .await;
    let values = (0..150).map(Constant::Integer).collect();
    let request = request(
        &["sk"],
        vec![text("pk", "a"), Predicate::In { column: "sk".to_owned(), values }, number("sk", Comparison::NotEq, 9)],
    );
    let described = connector.describe(&request);
    assert!(described.starts_with("DynamoDB BatchGetItem on orders: pk = 'a' AND sk IN (0, 1, "), "{described}");
    assert!(described.ends_with("19, … 150 values), then sk <> 9"), "{described}");
    let cost = Arc::<Measures>::default();
    // One is not there, one is dropped.
    assert_eq!(rows(&read_all(&*connector, &request, &cost).await.unwrap()), 148);
    let asked = stub.requests("BatchGetItem");
    let keys: Vec<_> =
        asked.iter().map(|body| body["RequestItems"]["orders"]["Keys"].as_array().unwrap().len()).collect();
    assert_eq!(keys, [100, 1, 50]);
    assert_eq!(asked[0]["RequestItems"]["orders"]["Keys"][3], json!({ "pk": { "S": "a" }, "sk": { "N": "3" } }));
    let count = |measure: &std::sync::atomic::AtomicU64| measure.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!((count(&cost.requests), count(&cost.retries), count(&cost.capacity_milliunits)), (3, 1, 4500));
}

#[tokio::test]
async fn one_whole_key_is_got_by_itself() {
    let (stub, connector) = prepared(&[("consistent_read", "true")], |_, body, before| {
        let found = body["Key"]["sk"]["N"] == "3";
        let cost = json!({ "TableName": "orders", "CapacityUnits": 1 });
        match before {
            0 => Answer::Error(400, "ProvisionedThroughputExceededException"),
            _ if found => Answer::Json(json!({ "Item": item("a", 3), "ConsumedCapacity": cost })),
            _ => Answer::Json(json!({ "ConsumedCapacity": cost })),
        }
    })
    .await;
    let key = |sk| vec![text("pk", "a"), number("sk", Comparison::Eq, sk), number("price", Comparison::Gt, 12)];
    let request_of = |sk| request(&["price"], key(sk));
    assert_eq!(connector.describe(&request_of(3)), "DynamoDB GetItem on orders: pk = 'a' AND sk = 3, then price > 12");
    let cost = Arc::<Measures>::default();
    let batches = read_all(&*connector, &request_of(3), &cost).await.unwrap();
    assert_eq!(table(&batches), "+-------+\n| price |\n+-------+\n| 12.5  |\n+-------+");
    assert_eq!(rows(&read_all(&*connector, &request_of(4), &cost).await.unwrap()), 0);
    let asked = stub.requests("GetItem");
    assert_eq!(asked[1]["Key"], json!({ "pk": { "S": "a" }, "sk": { "N": "3" } }));
    let named = filled(&asked[1], "ProjectionExpression");
    assert!(named.split(',').eq(["price"]) && asked[1]["ConsistentRead"] == true, "{named}");
    assert_eq!(asked[1]["ReturnConsumedCapacity"], "TOTAL");
    let count = |measure: &std::sync::atomic::AtomicU64| measure.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!((count(&cost.requests), count(&cost.retries), count(&cost.capacity_milliunits)), (3, 1, 2000));
    assert_eq!(count(&cost.rows_examined), 1);
    assert!(stub.requests("BatchGetItem").is_empty());
}

#[tokio::test]
async fn rows_of_both_keys_are_got_in_batches() {
    let (stub, connector) = prepared(&[], |_, body, _| {
        let found = &body["RequestItems"]["orders"]["Keys"];
        Answer::Json(json!({ "Responses": { "orders": found }, "UnprocessedKeys": {} }))
    })
    .await;
    let pairs = (0..250).map(|n| vec![Constant::Text(format!("p{}", n % 7)), Constant::Integer(n)]).collect();
    let keys = Predicate::InRows { columns: vec!["pk".to_owned(), "sk".to_owned()], rows: pairs };
    assert_eq!(connector.pushdown("orders", std::slice::from_ref(&keys)), [Pushdown::Exact]);
    let request = request(&["pk", "sk"], vec![keys, number("sk", Comparison::GtEq, 0)]);
    let described = connector.describe(&request);
    assert!(
        described.starts_with("DynamoDB BatchGetItem on orders: (pk, sk) IN (('p0', 0), ('p0', 7), "),
        "{described}"
    );
    assert!(described.ends_with(", … 250 rows)"), "{described}");
    assert_eq!(rows(&read_all(&*connector, &request, &Arc::default()).await.unwrap()), 250);
    let asked = stub.requests("BatchGetItem");
    let keys: Vec<_> =
        asked.iter().map(|body| body["RequestItems"]["orders"]["Keys"].as_array().unwrap().as_slice()).collect();
    assert_eq!(keys.iter().map(|keys| keys.len()).collect::<Vec<_>>(), [100, 100, 50]);
    assert_eq!(keys[0][1], json!({ "pk": { "S": "p0" }, "sk": { "N": "7" } }));
    assert!(stub.requests("Scan").is_empty() && stub.requests("Query").is_empty());
}

#[tokio::test]
async fn all_else_is_a_segmented_scan() {
    let (stub, connector) =
        prepared(&[], |_, body, _| page(&[item("a", body["Segment"].as_i64().unwrap())], false)).await;
    let request = request(&["sk"], vec![number("price", Comparison::Gt, 12), Predicate::IsNotNull("state".to_owned())]);
    assert_eq!(
        connector.describe(&request),
        "DynamoDB Scan of orders in parallel segments, filter price > 12 AND state IS NOT NULL"
    );
    assert_eq!(rows(&read_all(&*connector, &request, &Arc::default()).await.unwrap()), 2);
    let asked = stub.requests("Scan");
    let segments: Vec<_> =
        asked.iter().map(|body| (body["Segment"].as_i64(), body["TotalSegments"].as_i64())).collect();
    assert_eq!(segments, [(Some(0), Some(2)), (Some(1), Some(2))]);
    assert_eq!(
        filled(&asked[0], "FilterExpression"),
        "price > \"12\" AND (attribute_exists(state) AND NOT attribute_type(state, \"NULL\"))"
    );
}

#[tokio::test]
async fn segments_are_said_where_they_are_set() {
    let (_stub, connector) = prepared(&[("segments", "3")], |_, _, _| page(&[], false)).await;
    let request = request(&["sk"], vec![]);
    assert_eq!(connector.describe(&request), "DynamoDB Scan of orders in 3 segments");
    assert_eq!(connector.splits(&request, 8).await.unwrap().len(), 3);
}

#[tokio::test]
async fn only_numbers_of_items_are_asked_when_rows_are_counted() {
    let (stub, connector) = prepared(&[], |_, _, _| Answer::Json(json!({ "Count": 42, "ScannedCount": 50 }))).await;
    let request = request(&[], vec![text("state", "open")]);
    let cost = Arc::<Measures>::default();
    assert_eq!(rows(&read_all(&*connector, &request, &cost).await.unwrap()), 84);
    assert_eq!(cost.rows_examined.load(std::sync::atomic::Ordering::Relaxed), 100);
    let asked = stub.requests("Scan");
    assert_eq!((&asked[0]["Select"], &asked[0]["ProjectionExpression"]), (&json!("COUNT"), &Value::Null));
}

#[tokio::test]
async fn what_is_compared_otherwise_is_not_pushed() {
    let (_stub, connector) = prepared(&[], |_, _, _| page(&[], false)).await;
    let price = |value| Predicate::Compare { column: "price".to_owned(), comparison: Comparison::Eq, value };
    let predicates = [
        price(Constant::Decimal(125, 1)),
        price(Constant::Float(12.5)),
        price(Constant::Text("12.5".to_owned())),
        Predicate::IsNull("price".to_owned()),
        text("unseen", "x"),
    ];
    let (exact, none) = (Pushdown::Exact, Pushdown::Unsupported);
    assert_eq!(connector.pushdown("orders", &predicates), [exact, none, none, exact, none]);
    assert_eq!(connector.pushdown("unknown", &predicates), [none; 5]);
}

#[tokio::test]
async fn a_limit_ends_the_paging() {
    let (stub, connector) = prepared(&[], |_, body, _| {
        let count = body["Limit"].as_i64().unwrap_or(4);
        page(&(0..count).map(|sk| item("a", sk)).collect::<Vec<_>>(), true)
    })
    .await;
    let limited = |limit, predicates| ScanRequest { limit: Some(limit), ..request(&["sk"], predicates) };
    let splits = connector.splits(&limited(5, vec![]), 1).await.unwrap();
    let batches = read(&*connector, &limited(5, vec![]), &splits[0], &Arc::default()).await.unwrap();
    let limits = |stub: &Stub| stub.requests("Scan").iter().map(|body| body["Limit"].as_i64()).collect::<Vec<_>>();
    assert_eq!((rows(&batches), limits(&stub)), (5, vec![Some(5)]));
    stub.forget();
    // With a filter a limit would count what is looked at, so it is not sent.
    let filtered = limited(5, vec![text("state", "open")]);
    let splits = connector.splits(&filtered, 1).await.unwrap();
    let batches = read(&*connector, &filtered, &splits[0], &Arc::default()).await.unwrap();
    assert_eq!((rows(&batches), limits(&stub)), (5, vec![None, None]));
}

#[tokio::test]
async fn a_partition_comes_in_the_order_of_its_sort_key() {
    let (stub, connector) = prepared(&[], |_, _, _| page(&[item("a", 2), item("a", 1)], true)).await;
    let order = |column: &str, descending| Order { column: column.to_owned(), descending, nulls_first: false };
    let newest = ScanRequest {
        limit: Some(2),
        order: vec![order("pk", false), order("sk", true)],
        ..request(&["sk"], vec![text("pk", "a")])
    };
    assert!(connector.orders_request(&newest, &newest.order));
    assert!(!connector.orders_request(&newest, &[order("price", false)]));
    assert!(!connector.orders_request(&request(&["sk"], vec![]), &newest.order));
    assert_eq!(rows(&read_all(&*connector, &newest, &Arc::default()).await.unwrap()), 2);
    let asked = stub.requests("Query");
    assert_eq!(asked.len(), 1);
    assert_eq!((&asked[0]["ScanIndexForward"], &asked[0]["Limit"]), (&json!(false), &json!(2)));
}
