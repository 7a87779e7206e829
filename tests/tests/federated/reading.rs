//! How splits are read: in their order, together, to the end or not; and what goes wrong meanwhile.

use crate::World;
use std::sync::atomic::Ordering;

#[tokio::test]
async fn a_split_waits_for_those_before_it() {
    let mut world = World::new().await;
    assert_eq!(world.line("SELECT count(*), sum(id) FROM mem.chain").await, "8,36");
    let expected: Vec<String> = (0..4).flat_map(|at| [format!("begin {at}"), format!("end {at}")]).collect();
    assert_eq!(world.memory.take_events(), expected);
    // Splits that wait for none are read at the same time, each once.
    assert_eq!(world.line("SELECT count(*), sum(id) FROM mem.orders").await, "8,36");
    let mut events = world.memory.take_events();
    events.sort();
    assert_eq!(events.len(), 8);
    events.dedup();
    assert_eq!(events.len(), 8);
}

#[tokio::test]
async fn more_splits_than_are_read_at_once_are_all_read() {
    let mut world =
        World::with(|config| millrace_engine::WarehouseConfig { target_partitions: Some(1), ..config }).await;
    assert_eq!(world.line("SELECT count(*), sum(id) FROM mem.chain").await, "8,36");
    assert_eq!(world.line("SELECT count(*), sum(id) FROM mem.orders").await, "8,36");
}

#[tokio::test]
async fn tables_join_with_the_warehouse() {
    let mut world = World::new().await;
    world.line("CREATE TABLE lines (order_id bigint, quantity int)").await;
    world.line("INSERT INTO lines VALUES (1, 10), (1, 20), (3, 5), (42, 1)").await;
    let text = "SELECT o.name, sum(l.quantity) FROM mem.orders o JOIN lines l ON l.order_id = o.id
                GROUP BY o.name ORDER BY o.name";
    assert_eq!(world.line(text).await, "apple,30 banana,5");
    let text = "SELECT o.id FROM mem.orders o LEFT JOIN lines l ON l.order_id = o.id WHERE l.quantity IS NULL
                ORDER BY o.id";
    assert_eq!(world.line(text).await, "2 4 5 6 7 8");
    // A document stays a document.
    world.line("CREATE TABLE kept AS SELECT id, document FROM mem.orders WHERE document IS NOT NULL").await;
    let text = "SELECT data_type FROM svv_columns WHERE table_name = 'kept' AND column_name = 'document'";
    assert_eq!(world.line(text).await, "super");
    assert_eq!(world.line("SELECT document FROM kept WHERE id = 1").await, "{\"a\":1}");
    assert_eq!(world.line("SELECT document.a FROM kept WHERE id = 1").await, "1");
    assert_eq!(world.line("SELECT o.document.a FROM mem.orders o WHERE o.document.a = 1").await, "1");
}

#[tokio::test]
async fn what_the_system_says_is_told() {
    let mut world = World::new().await;
    let error = world.error("SELECT count(name) FROM mem.dies").await;
    assert_eq!((error.sqlstate(), error.message.as_str()), ("22000", "a record is no JSON"));
    let error = world.error("SELECT 1 FROM mem.denied").await;
    assert_eq!((error.sqlstate(), error.message.as_str()), ("42501", "access is denied: no key"));
    let error = world.error("SELECT 1 FROM mem.missing").await;
    assert_eq!((error.sqlstate(), error.message.as_str()), ("42P01", "relation \"mem.missing\" does not exist"));
    world.memory.down.store(true, Ordering::Relaxed);
    let error = world.error("SELECT 1 FROM mem.chain").await;
    assert_eq!(error.sqlstate(), "08006");
    assert_eq!(error.to_string(), "the shop does not answer\nDETAIL: connection refused");
}

#[tokio::test]
async fn rows_that_nobody_wants_are_not_read() {
    let mut world =
        World::with(|config| millrace_engine::WarehouseConfig { target_partitions: Some(1), ..config }).await;
    assert_eq!(world.rows("SELECT name FROM mem.chain LIMIT 1").await.unwrap().len(), 1);
    assert_eq!(world.memory.scans.load(Ordering::Relaxed), 1);
}
