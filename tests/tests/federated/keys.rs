//! Joins of few rows with a large table: what the system is asked, by the requests that it received. DynamoDB's is a server
//! that records them; the system in memory takes the same for a search index.

use crate::World;
use crate::service::{Asked, Service};
use millrace_connectors::Predicate;
use millrace_engine::{Session, Warehouse, WarehouseConfig};
use millrace_tests::database::rows;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use tempfile::TempDir;

/// Items with numbers below this are in its tables.
const ITEMS: i64 = 900;

/// DynamoDB with a table `people` of the key `id` and a table `orders` of the keys `pk` and `sk`, a million items each as it
/// says.
fn answer(operation: &str, body: &Value) -> Value {
    match operation {
        "ListTables" => json!({ "TableNames": ["orders", "people"] }),
        "DescribeTable" => {
            let key = |name: &str, kind: &str| json!({ "AttributeName": name, "KeyType": kind });
            let attribute = |name: &str, kind: &str| json!({ "AttributeName": name, "AttributeType": kind });
            let (keys, attributes) = match body["TableName"].as_str() {
                Some("people") => (vec![key("id", "HASH")], vec![attribute("id", "N")]),
                _ => (vec![key("pk", "HASH"), key("sk", "RANGE")], vec![attribute("pk", "S"), attribute("sk", "N")]),
            };
            json!({ "Table": {
                "TableName": body["TableName"],
                "TableStatus": "ACTIVE",
                "ItemCount": 1_000_000,
                "TableSizeBytes": 400_000_000,
                "KeySchema": keys,
                "AttributeDefinitions": attributes,
                "ProvisionedThroughput": { "ReadCapacityUnits": 10, "WriteCapacityUnits": 5 },
            }})
        }
        "BatchGetItem" => {
            let (table, asked) = body["RequestItems"].as_object().unwrap().iter().next().unwrap();
            let items = asked["Keys"].as_array().unwrap().iter().filter_map(item);
            json!({ "Responses": { table: items.collect::<Vec<_>>() }, "UnprocessedKeys": {} })
        }
        _ => {
            // All are in the first segment.
            let count = if body["Segment"].as_i64().unwrap_or(0) == 0 { 3 } else { 0 };
            let items: Vec<Value> = (0..count)
                .filter_map(|n: i64| match body["TableName"].as_str() {
                    Some("people") => item(&json!({ "id": { "N": n.to_string() } })),
                    _ => item(&order_key(n)),
                })
                .collect();
            json!({ "Count": items.len(), "ScannedCount": items.len(), "Items": items })
        }
    }
}

/// The item of a key, if it is there.
fn item(key: &Value) -> Option<Value> {
    let number: i64 = key.get("id").or(key.get("sk")).unwrap()["N"].as_str().unwrap().parse().unwrap();
    let mut item = key.clone();
    item["total"] = json!({ "N": "1.5" });
    (number < ITEMS).then_some(item)
}

fn order_key(number: i64) -> Value {
    json!({ "pk": { "S": format!("c{}", number % 7) }, "sk": { "N": number.to_string() } })
}

/// A warehouse over the service, whose tables are known to it.
struct Shop {
    service: Service,
    session: Session,
    _folder: TempDir,
}

impl Shop {
    async fn new() -> Self {
        let (service, folder) = (Service::start(answer).await, tempfile::tempdir().unwrap());
        let config = WarehouseConfig { target_partitions: Some(2), ..WarehouseConfig::new(folder.path()) };
        let mut session = Session::new(Warehouse::open(config).await.unwrap());
        let schema = format!(
            "CREATE EXTERNAL SCHEMA ddb FROM DYNAMODB ENDPOINT '{}' REGION 'eu-west-1'
             OPTIONS (access_key_id 'key', secret_access_key 'secret')",
            service.endpoint
        );
        for text in [
            schema.as_str(),
            "SELECT total FROM ddb.people WHERE id = 1",
            "SELECT total FROM ddb.orders WHERE pk = 'c1' AND sk = 1",
            "CREATE TABLE wanted (pk varchar(10), n bigint)",
        ] {
            rows(&mut session, text).await.unwrap();
        }
        service.take();
        Self { service, session, _folder: folder }
    }

    /// The requests for items since this was asked last.
    fn take(&self) -> Vec<Asked> {
        let mut asked = self.service.take();
        asked.retain(|(operation, _)| ["Scan", "Query", "BatchGetItem"].contains(&operation.as_str()));
        asked
    }

    /// The keys of each request since this was asked last, of which all are BatchGetItem.
    fn take_keys(&self, table: &str) -> Vec<Vec<Value>> {
        let keys = |(operation, body): Asked| {
            assert_eq!(operation, "BatchGetItem", "{body}");
            body["RequestItems"][table]["Keys"].as_array().unwrap().clone()
        };
        self.take().into_iter().map(keys).collect()
    }

    /// Has so many rows wanted.
    async fn want(&mut self, count: i64) {
        let values: Vec<String> = (0..count).map(|n| format!("('c{}', {n})", n % 7)).collect();
        rows(&mut self.session, &format!("INSERT INTO wanted VALUES {}", values.join(", "))).await.unwrap();
    }

    async fn line(&mut self, text: &str) -> String {
        let found = rows(&mut self.session, text).await.unwrap();
        found.iter().map(|row| row.join(",")).collect::<Vec<_>>().join(" ")
    }
}

/// Keys as texts, their attributes by name.
fn texts(keys: impl IntoIterator<Item = Value>) -> BTreeSet<String> {
    let text = |key: Value| format!("{:?}", key.as_object().unwrap().iter().collect::<BTreeMap<_, _>>());
    keys.into_iter().map(text).collect()
}

const BY_KEY: &str = "SELECT count(*), sum(p.total) FROM wanted w JOIN ddb.people p ON p.id = w.n";
const BY_BOTH_KEYS: &str =
    "SELECT count(*), sum(o.total) FROM wanted w JOIN ddb.orders o ON o.pk = w.pk AND o.sk = w.n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_a_join_are_looked_up_in_batches() {
    let mut shop = Shop::new().await;
    shop.want(1_000).await;
    assert_eq!(shop.line(BY_KEY).await, "900,1350.0");
    let asked = shop.take_keys("people");
    assert_eq!(asked.iter().map(Vec::len).collect::<Vec<_>>(), [100; 10]);
    let expected = (0..1_000).map(|n| json!({ "id": { "N": n.to_string() } }));
    assert_eq!(texts(asked.into_iter().flatten()), texts(expected));

    assert_eq!(shop.line(BY_BOTH_KEYS).await, "900,1350.0");
    let asked = shop.take_keys("orders");
    assert_eq!(asked.iter().map(Vec::len).collect::<Vec<_>>(), [100; 10]);
    assert_eq!(texts(asked.into_iter().flatten()), texts((0..1_000).map(order_key)));

    // Rows that find nothing are kept, and looked up no less.
    let outer = "SELECT count(*), count(p.id) FROM wanted w LEFT JOIN ddb.people p ON p.id = w.n";
    assert_eq!(shop.line(outer).await, "1000,900");
    assert_eq!(shop.take_keys("people").len(), 10);
    let plan = shop.line(&format!("EXPLAIN ANALYZE {BY_BOTH_KEYS}")).await;
    for part in ["DynamoDB BatchGetItem on orders: (pk, sk) IN (('c0', 0), ('c0', 7), ", "Requests: 10"] {
        assert!(plan.contains(part), "{part}: {plan}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_join_without_rows_asks_for_none() {
    let mut shop = Shop::new().await;
    shop.want(3).await;
    // The planner does not know that there are none.
    for text in [BY_KEY, BY_BOTH_KEYS] {
        assert_eq!(shop.line(&format!("{text} WHERE w.n % 5 = 4")).await, "0,NULL");
    }
    assert!(shop.take().is_empty());
    shop.line("DELETE FROM wanted").await;
    for text in [BY_KEY, BY_BOTH_KEYS] {
        assert_eq!(shop.line(text).await, "0,NULL");
    }
    assert!(shop.take().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_join_of_too_many_keys_is_a_scan() {
    let mut shop = Shop::new().await;
    shop.want(10_001).await;
    assert_eq!(shop.line(BY_KEY).await, "3,4.5");
    let asked = shop.take();
    assert!(!asked.is_empty() && asked.iter().all(|(operation, _)| operation == "Scan"), "{asked:?}");
}

/// The system in memory looks up rows of two columns, of others the values of each that it can.
#[tokio::test]
async fn a_system_is_asked_for_as_much_as_it_looks_up() {
    let mut world = World::new().await;
    world.memory.said_rows.store(1_000_000, Ordering::Relaxed);
    world.line("CREATE TABLE own (n bigint, seen timestamp, name varchar(10))").await;
    let values: Vec<String> = (1..=1_000).map(|n| format!("({n}, '1970-01-01 {:02}:00', 'apple')", n % 24)).collect();
    world.line(&format!("INSERT INTO own VALUES {}", values.join(", "))).await;
    let lists = |world: &World| -> Vec<(Vec<String>, usize)> {
        let list = |predicate: Predicate| match predicate {
            Predicate::In { column, values } => Some((vec![column], values.len())),
            Predicate::InRows { mut columns, rows } => {
                columns.sort();
                Some((columns, rows.len()))
            }
            _ => None,
        };
        world.memory.take_request().predicates.into_iter().filter_map(list).collect()
    };
    let own = |names: &[&str], count| (names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(), count);
    // The hours of `memory.rs`: the first, second and third row have those of their numbers less one.
    for (text, expected, listed) in [
        ("SELECT o.id FROM own JOIN mem.orders o ON o.id = n ORDER BY 1", "1 2 3 4 5 6 7 8", own(&["id"], 1_000)),
        (
            "SELECT o.id FROM own JOIN mem.orders o ON o.id = n + 1 AND o.at = own.seen ORDER BY 1",
            "2 3",
            own(&["at", "id"], 1_000),
        ),
        (
            "SELECT o.id FROM own JOIN mem.orders o ON o.id = n AND o.name = own.name ORDER BY 1",
            "1",
            own(&["id"], 1_000),
        ),
    ] {
        assert_eq!(world.line(text).await, expected, "{text}");
        assert_eq!(lists(&world), [listed], "{text}");
    }
    let nothing = "SELECT o.id FROM own JOIN mem.orders o ON o.id = n WHERE n % 2000 = 1999";
    assert_eq!(world.line(nothing).await, "");
    assert!(world.memory.take_requests().is_empty());
    // Each key is asked for once.
    let text = "SELECT count(*) FROM own JOIN mem.orders o ON o.id = n % 4";
    assert_eq!(world.line(text).await, "750");
    assert_eq!(lists(&world), [own(&["id"], 4)]);
}
