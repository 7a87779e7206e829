//! The connector against a real server of DynamoDB's API, whose address `MILLRACE_TEST_DYNAMODB` gives
//! (`tests/clients/dynamodb.py` sets it); without one these tests do nothing.
//!
//! What comes is compared with what SQL's logic keeps of the items that were put, decided here in three truth values.

use super::*;
use crate::connector::Pushdown;
use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType,
    LocalSecondaryIndex, Projection, ProjectionType, PutRequest, ScalarAttributeType, WriteRequest,
};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// An item that was put; what is `None` is missing or NULL.
#[derive(Debug, Clone)]
struct Order {
    id: i64,
    customer: String,
    day: Option<String>,
    state: Option<String>,
    price: Option<i64>,
    paid: Option<bool>,
}

fn endpoint() -> Option<String> {
    std::env::var("MILLRACE_TEST_DYNAMODB").ok()
}

async fn client(endpoint: &str) -> aws_sdk_dynamodb::Client {
    let options = [("endpoint", endpoint), ("region", "eu-west-1"), ("access_key_id", "k"), ("secret_access_key", "s")];
    let options = options.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    aws_sdk_dynamodb::Client::new(&crate::aws::config(&options).await.unwrap())
}

fn keys(partition: &str, sort: &str) -> Vec<KeySchemaElement> {
    let key = |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap();
    vec![key(partition, KeyType::Hash), key(sort, KeyType::Range)]
}

/// A table whose name nobody else uses, with 600 orders of 7 customers. Half of the prices are texts when they are mixed.
async fn fill(client: &aws_sdk_dynamodb::Client, random: &mut StdRng, mixed: bool) -> (String, Vec<Order>) {
    let name = format!("orders-{:x}", rand::random::<u64>());
    let attribute =
        |name: &str, kind| AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build().unwrap();
    let all = |kind| Projection::builder().projection_type(kind).build();
    let by_day = LocalSecondaryIndex::builder().index_name("by_day").set_key_schema(Some(keys("customer", "day")));
    let by_state = GlobalSecondaryIndex::builder().index_name("by_state").set_key_schema(Some(keys("state", "day")));
    client
        .create_table()
        .table_name(&name)
        .billing_mode(BillingMode::PayPerRequest)
        .set_key_schema(Some(keys("customer", "id")))
        .attribute_definitions(attribute("customer", ScalarAttributeType::S))
        .attribute_definitions(attribute("id", ScalarAttributeType::N))
        .attribute_definitions(attribute("day", ScalarAttributeType::S))
        .attribute_definitions(attribute("state", ScalarAttributeType::S))
        .local_secondary_indexes(by_day.projection(all(ProjectionType::KeysOnly)).build().unwrap())
        .global_secondary_indexes(by_state.projection(all(ProjectionType::All)).build().unwrap())
        .send()
        .await
        .unwrap();
    while client.describe_table().table_name(&name).send().await.unwrap().table().unwrap().table_status()
        != Some(&aws_sdk_dynamodb::types::TableStatus::Active)
    {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let orders: Vec<Order> = (0..600).map(|id| order(id, random)).collect();
    for some in orders.chunks(25) {
        let requests = some.iter().map(|order| put(order, random, mixed && order.id % 2 == 1)).collect();
        let answer = client.batch_write_item().request_items(&name, requests).send().await.unwrap();
        assert!(answer.unprocessed_items().is_none_or(std::collections::HashMap::is_empty));
    }
    (name, orders)
}

fn order(id: i64, random: &mut StdRng) -> Order {
    let customer = format!("c{}", random.random_range(0..7));
    let mut sometimes = |chance| random.random_bool(chance);
    let (dated, stated, priced, paid) = (sometimes(0.8), sometimes(0.9), sometimes(0.8), sometimes(0.7));
    Order {
        id,
        customer,
        day: dated.then(|| format!("2026-0{}-1{}", random.random_range(1..4), random.random_range(0..10))),
        state: stated.then(|| ["open", "sent", "done"].choose(random).unwrap().to_string()),
        price: priced.then(|| random.random_range(-50..50)),
        paid: paid.then(|| random.random_bool(0.5)),
    }
}

fn put(order: &Order, random: &mut StdRng, as_text: bool) -> WriteRequest {
    let mut item = Item::from([
        ("customer".to_owned(), AttributeValue::S(order.customer.clone())),
        ("id".to_owned(), AttributeValue::N(order.id.to_string())),
    ]);
    let mut set = |name: &str, value: Option<AttributeValue>, can_be_null: bool| match value {
        Some(value) => drop(item.insert(name.to_owned(), value)),
        None if can_be_null && random.random_bool(0.5) => {
            drop(item.insert(name.to_owned(), AttributeValue::Null(true)));
        }
        None => {}
    };
    set("day", order.day.clone().map(AttributeValue::S), false);
    set("state", order.state.clone().map(AttributeValue::S), false);
    let price = order.price.map(|price| price.to_string());
    set("price", price.map(if as_text { AttributeValue::S } else { AttributeValue::N }), true);
    set("paid", order.paid.map(AttributeValue::Bool), true);
    WriteRequest::builder().put_request(PutRequest::builder().set_item(Some(item)).build().unwrap()).build()
}

type Item = std::collections::HashMap<String, AttributeValue>;

/// A column's value for SQL.
fn value(order: &Order, column: &str) -> Option<Constant> {
    match column {
        "customer" => Some(Constant::Text(order.customer.clone())),
        "id" => Some(Constant::Integer(order.id)),
        "day" => order.day.clone().map(Constant::Text),
        "state" => order.state.clone().map(Constant::Text),
        "price" => order.price.map(Constant::Integer),
        "paid" => order.paid.map(Constant::Boolean),
        other => panic!("{other}"),
    }
}

fn compared(one: &Constant, other: &Constant) -> Ordering {
    match (one, other) {
        (Constant::Text(one), Constant::Text(other)) => one.cmp(other),
        (Constant::Integer(one), Constant::Integer(other)) => one.cmp(other),
        (Constant::Boolean(one), Constant::Boolean(other)) => one.cmp(other),
        pair => panic!("{pair:?}"),
    }
}

/// SQL's answer; `None` is unknown.
fn truth(predicate: &Predicate, order: &Order) -> Option<bool> {
    match predicate {
        Predicate::Compare { column, comparison, value: constant } => {
            let order = compared(&value(order, column)?, constant);
            Some(match comparison {
                Comparison::Eq => order.is_eq(),
                Comparison::NotEq => order.is_ne(),
                Comparison::Lt => order.is_lt(),
                Comparison::LtEq => order.is_le(),
                Comparison::Gt => order.is_gt(),
                Comparison::GtEq => order.is_ge(),
            })
        }
        Predicate::In { column, values } => {
            let value = value(order, column)?;
            Some(values.iter().any(|other| compared(&value, other).is_eq()))
        }
        Predicate::InRows { columns, rows } => {
            let own = columns.iter().map(|column| value(order, column)).collect::<Option<Vec<_>>>()?;
            let equal = |row: &Vec<Constant>| own.iter().zip(row).all(|(one, other)| compared(one, other).is_eq());
            Some(rows.iter().any(equal))
        }
        Predicate::Prefix { column, prefix } => match value(order, column)? {
            Constant::Text(text) => Some(text.starts_with(prefix)),
            other => panic!("{other:?}"),
        },
        Predicate::IsNull(column) => Some(value(order, column).is_none()),
        Predicate::IsNotNull(column) => Some(value(order, column).is_some()),
        Predicate::FullText { .. } => None,
        Predicate::Not(inner) => truth(inner, order).map(|truth| !truth),
        Predicate::And(parts) => {
            let parts: Vec<_> = parts.iter().map(|part| truth(part, order)).collect();
            if parts.contains(&Some(false)) { Some(false) } else { parts.iter().all(Option::is_some).then_some(true) }
        }
        Predicate::Or(parts) => {
            let parts: Vec<_> = parts.iter().map(|part| truth(part, order)).collect();
            if parts.contains(&Some(true)) { Some(true) } else { parts.iter().all(Option::is_some).then_some(false) }
        }
    }
}

fn constant(column: &str, random: &mut StdRng) -> Constant {
    match column {
        "customer" => Constant::Text(format!("c{}", random.random_range(0..8))),
        "id" => Constant::Integer(random.random_range(-1..601)),
        "day" => Constant::Text(format!("2026-0{}-1{}", random.random_range(1..4), random.random_range(0..10))),
        "state" => Constant::Text(["open", "sent", "done", "lost", ""].choose(random).unwrap().to_string()),
        "price" => Constant::Integer(random.random_range(-55..55)),
        _ => Constant::Boolean(random.random_bool(0.5)),
    }
}

fn predicate(depth: u32, random: &mut StdRng) -> Predicate {
    use Comparison::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    let column = ["customer", "customer", "id", "day", "state", "price", "paid"].choose(random).unwrap().to_string();
    match random.random_range(0..if depth == 0 { 8 } else { 11 }) {
        0..=3 => {
            let comparisons: &[_] = if column == "paid" { &[Eq, NotEq] } else { &[Eq, Eq, NotEq, Lt, LtEq, Gt, GtEq] };
            let comparison = *comparisons.choose(random).unwrap();
            Predicate::Compare { value: constant(&column, random), column, comparison }
        }
        // dynalite finds no `false` by IN.
        4 | 5 if column != "paid" => {
            let values = (0..random.random_range(1..5)).map(|_| constant(&column, random)).collect();
            Predicate::In { column, values }
        }
        6 => {
            let (column, prefix) = *[("day", "2026-02"), ("customer", "c"), ("state", "s")].choose(random).unwrap();
            Predicate::Prefix { column: column.to_owned(), prefix: prefix.to_owned() }
        }
        4..=7 if random.random_bool(0.5) => Predicate::IsNull(column),
        4..=7 => Predicate::IsNotNull(column),
        8 => Predicate::Not(Box::new(predicate(depth - 1, random))),
        at => {
            let parts = (0..random.random_range(1..4)).map(|_| predicate(depth - 1, random)).collect();
            if at == 9 { Predicate::And(parts) } else { Predicate::Or(parts) }
        }
    }
}

/// The ids that come, each of them once.
async fn ids(connector: &dyn Connector, request: &ScanRequest) -> BTreeSet<i64> {
    let cost = Arc::<Measures>::default();
    let batches = read_all(connector, request, &cost).await.unwrap_or_else(|error| {
        panic!("{error}: {}", connector.describe(request));
    });
    let at = request.columns.iter().position(|column| column == "id").unwrap();
    let all: Vec<i64> =
        batches.iter().flat_map(|batch| batch.column(at).as_primitive::<Int64Type>().values().to_vec()).collect();
    let once: BTreeSet<i64> = all.iter().copied().collect();
    assert_eq!(once.len(), all.len(), "a row came twice: {}", connector.describe(request));
    once
}

/// Values of two columns together: those of some orders, and others.
fn two_columns(orders: &[Order], random: &mut StdRng) -> Predicate {
    let columns =
        *[["customer", "id"], ["id", "customer"], ["customer", "price"], ["state", "day"]].choose(random).unwrap();
    let mut row = || {
        let order = orders.choose(random).unwrap();
        let one = |column| match value(order, column) {
            Some(own) if random.random_bool(0.9) => own,
            _ => constant(column, random),
        };
        columns.map(one).to_vec()
    };
    let rows = (0..20).map(|_| row()).collect();
    Predicate::InRows { columns: columns.map(str::to_owned).to_vec(), rows }
}

/// What the server keeps of random conditions is what SQL keeps, whichever way is taken.
#[tokio::test]
async fn random_conditions_keep_what_sql_keeps() {
    let Some(endpoint) = endpoint() else { return };
    let mut random = StdRng::seed_from_u64(20_261_129);
    let client = client(&endpoint).await;
    let (name, orders) = fill(&client, &mut random, false).await;
    let mut ways = BTreeSet::new();
    for options in [&[][..], &[("consistent_read", "true"), ("page_size", "37")]] {
        let connector = connect(&endpoint, options);
        connector.schema(&name).await.unwrap();
        for _ in 0..150 {
            let mut predicates: Vec<_> = (0..random.random_range(1..4)).map(|_| predicate(2, &mut random)).collect();
            if random.random_bool(0.3) {
                predicates.truncate(1);
                predicates.push(two_columns(&orders, &mut random));
            }
            let answers = connector.pushdown(&name, &predicates);
            assert!(answers.iter().all(|answer| *answer == Pushdown::Exact), "{predicates:?}");
            let columns: &[&str] = if random.random_bool(0.5) { &["id"] } else { &["price", "id", "paid"] };
            let request = ScanRequest { table: name.clone(), ..request(columns, predicates) };
            let kept =
                orders.iter().filter(|order| request.predicates.iter().all(|part| truth(part, order) == Some(true)));
            let expected: BTreeSet<i64> = kept.map(|order| order.id).collect();
            let described = connector.describe(&request);
            assert_eq!(ids(&*connector, &request).await, expected, "{described}");
            let counted = ScanRequest { columns: vec![], ..request.clone() };
            assert_eq!(
                rows(&read_all(&*connector, &counted, &Arc::default()).await.unwrap()),
                expected.len(),
                "{described}"
            );
            let way = described.split([':', ',']).next().unwrap().replace(&name, "orders");
            // A list of keys may be one of them.
            ways.insert(way.replace("BatchGetItem", "GetItem"));
        }
    }
    let all = [
        "DynamoDB GetItem on orders",
        "DynamoDB Query on index by_day",
        "DynamoDB Query on index by_state",
        "DynamoDB Query on orders",
        "DynamoDB Scan of orders in parallel segments",
    ];
    assert!(all.iter().all(|way| ways.contains(*way)), "{ways:?}");
    client.delete_table().table_name(&name).send().await.unwrap();
}

/// What the server keeps of conditions on declared columns is never less than what SQL keeps of their values, and no more
/// where the connector says so.
#[tokio::test]
async fn random_conditions_on_declared_columns_lose_nothing() {
    use crate::declared::{Declaration, Invalid};
    use crate::typed::Type;
    let Some(endpoint) = endpoint() else { return };
    let mut random = StdRng::seed_from_u64(2_412);
    let client = client(&endpoint).await;
    let (name, orders) = fill(&client, &mut random, true).await;
    let types = [
        ("customer", Type::Text),
        ("id", Type::Int64),
        ("day", Type::Text),
        ("state", Type::Text),
        ("price", Type::Int32),
        ("paid", Type::Boolean),
    ];
    let mut seen = [0; 2];
    for invalid in [Invalid::Error, Invalid::Null] {
        let columns = types.iter().map(|(name, to)| to.field(name)).collect();
        let own =
            [("endpoint", endpoint.as_str()), ("region", "r"), ("access_key_id", "k"), ("secret_access_key", "s")];
        let options = own.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let connector = Registry::builtin().declare("dynamodb", &options, &Declaration { columns, invalid }).unwrap();
        connector.schema(&name).await.unwrap();
        for _ in 0..150 {
            let mut predicates: Vec<_> = (0..random.random_range(1..4)).map(|_| predicate(2, &mut random)).collect();
            let answers = connector.pushdown(&name, &predicates);
            let is_exact = answers.iter().all(|answer| *answer == Pushdown::Exact);
            let mut answers = answers.into_iter();
            predicates.retain(|_| answers.next() != Some(Pushdown::Unsupported));
            let request = ScanRequest { table: name.clone(), ..request(&["price", "id"], predicates) };
            let kept = |order: &Order| request.predicates.iter().all(|part| truth(part, order) == Some(true));
            let expected: BTreeSet<i64> = orders.iter().filter(|order| kept(order)).map(|order| order.id).collect();
            let came = ids(&*connector, &request).await;
            let described = connector.describe(&request);
            assert!(came.is_superset(&expected), "{described}");
            assert!(!is_exact || came == expected, "{described}");
            seen[usize::from(is_exact)] += 1;
        }
    }
    assert!(seen.iter().all(|count| *count > 50), "{seen:?}");
    client.delete_table().table_name(&name).send().await.unwrap();
}

/// A partition in either order of its sort key, and no more of it than is wanted.
#[tokio::test]
async fn a_partition_is_read_from_either_end() {
    let Some(endpoint) = endpoint() else { return };
    let mut random = StdRng::seed_from_u64(7);
    let client = client(&endpoint).await;
    let (name, orders) = fill(&client, &mut random, false).await;
    let connector = connect(&endpoint, &[]);
    connector.schema(&name).await.unwrap();
    let mut own: Vec<i64> = orders.iter().filter(|order| order.customer == "c3").map(|order| order.id).collect();
    for descending in [false, true] {
        own.sort_by_key(|id| if descending { -id } else { *id });
        let by_id = crate::connector::Order { column: "id".to_owned(), descending, nulls_first: false };
        let request = ScanRequest {
            table: name.clone(),
            limit: Some(10),
            order: vec![by_id],
            ..request(&["id"], vec![text("customer", "c3")])
        };
        assert!(connector.orders_request(&request, &request.order));
        let cost = Arc::<Measures>::default();
        let batches = read_all(&*connector, &request, &cost).await.unwrap();
        let came: Vec<i64> =
            batches.iter().flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec()).collect();
        assert_eq!(came, own[..10]);
        assert_eq!(cost.rows_examined.load(std::sync::atomic::Ordering::Relaxed), 10);
        assert!(cost.capacity_milliunits.load(std::sync::atomic::Ordering::Relaxed) > 0);
    }
    client.delete_table().table_name(&name).send().await.unwrap();
    let gone = ScanRequest { table: name.clone(), ..request(&["id"], vec![]) };
    let error = read_all(&*connector, &gone, &Arc::default()).await.unwrap_err();
    assert_eq!(error.to_string(), format!("table \"{name}\" does not exist"));
}
