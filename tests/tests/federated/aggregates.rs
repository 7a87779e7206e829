//! Aggregates that the system computes, and those that are computed of its rows. Values are those that PostgreSQL gives of
//! the table in `memory.rs`.

use crate::World;
use millrace_connectors::Aggregate::{Max, Min, Rows, Sum, Values};
use millrace_connectors::{Comparison, Predicate, Value};
use millrace_engine::WarehouseConfig;
use std::sync::atomic::Ordering;

/// A world whose system computes aggregates.
async fn world(change: impl FnOnce(WarehouseConfig) -> WarehouseConfig) -> World {
    let world = World::with(change).await;
    world.memory.computes.store(true, Ordering::Relaxed);
    world
}

fn id() -> String {
    "id".to_owned()
}

#[tokio::test]
async fn aggregates_are_asked_for() {
    let mut world = world(|config| config).await;
    let by_name = vec!["Name".to_owned()];
    let none = Vec::<String>::new();
    let cases = [
        ("count(*)", none.clone(), vec![Rows], "8"),
        (
            "count(name), count(price), count(*)",
            none.clone(),
            vec![Values("Name".to_owned()), Values("price".to_owned()), Rows],
            "7,7,8",
        ),
        (
            "min(id), max(id), sum(id), avg(id)",
            none.clone(),
            vec![Min(id()), Max(id()), Sum(id()), Values(id())],
            "1,8,36,4",
        ),
        ("max(id) - min(id) + 1", none, vec![Max(id()), Min(id())], "8"),
        (
            "name, count(*), sum(id)",
            by_name.clone(),
            vec![Rows, Sum(id())],
            "Apple,1,6 a%b,1,7 apple,1,1 apple pie,1,8 apricot,1,2 banana,1,3 cherry,1,5 NULL,1,4",
        ),
        ("DISTINCT name", by_name.clone(), vec![], "Apple a%b apple apple pie apricot banana cherry NULL"),
    ];
    for (columns, groups, aggregates, expected) in cases {
        let grouped = if columns.starts_with("name") { "GROUP BY name" } else { "" };
        let ordered = if groups.is_empty() { "" } else { "ORDER BY name" };
        let text = format!("SELECT {columns} FROM mem.orders {grouped} {ordered}");
        assert_eq!(world.line(&text).await, expected, "{text}");
        let asked = world.memory.take_aggregations();
        assert_eq!(asked.len(), 1, "{text}");
        let mut found = asked[0].aggregates.clone();
        assert_eq!(asked[0].groups, groups, "{text}");
        let mut wanted = aggregates;
        let key = |aggregate: &millrace_connectors::Aggregate| format!("{aggregate:?}");
        found.sort_by_key(key);
        wanted.sort_by_key(key);
        assert_eq!(found, wanted, "{text}");
        // No row was read.
        assert!(world.memory.take_requests().is_empty(), "{text}");
    }
}

#[tokio::test]
async fn conditions_and_what_stands_above_are_kept() {
    let mut world = world(|config| config).await;
    let text = "SELECT name, count(*) AS n FROM mem.orders WHERE id > 2 AND id < 7 GROUP BY name HAVING max(id) <> 4 \
                ORDER BY 1 LIMIT 2";
    assert_eq!(world.line(text).await, "Apple,1 banana,1");
    let asked = world.memory.take_aggregations().remove(0);
    let bound = |comparison, value| Predicate::Compare { column: id(), comparison, value: Value::Integer(value) };
    assert_eq!(asked.rows.predicates, [bound(Comparison::Gt, 2), bound(Comparison::Lt, 7)]);
    assert_eq!(
        world.line("SELECT count(*), sum(id), avg(id), max(id) FROM mem.orders WHERE id > 99").await,
        "0,NULL,NULL,NULL"
    );
    assert_eq!(world.line("SELECT name, count(*) FROM mem.orders WHERE id > 99 GROUP BY name").await, "");
    assert_eq!(world.memory.take_aggregations().len(), 2);
    // A subquery's, and both sides of a join.
    let text = "SELECT o.id, t.n FROM mem.orders o JOIN (SELECT name, count(*) AS n FROM mem.orders GROUP BY name) t \
                ON t.name = o.name WHERE o.id = 2";
    assert_eq!(world.line(text).await, "2,1");
    assert_eq!(world.memory.take_aggregations().len(), 1);
}

#[tokio::test]
async fn the_rest_is_computed_of_rows() {
    let mut world = world(|config| config).await;
    for (text, expected) in [
        // The system does not compute it.
        ("SELECT sum(price), max(price) FROM mem.orders", "16.44,9.99"),
        ("SELECT count(DISTINCT name) FROM mem.orders", "7"),
        ("SELECT listagg(name, '+') WITHIN GROUP (ORDER BY id) FROM mem.orders WHERE id < 3", "apple+apricot"),
        ("SELECT id % 2, count(*) FROM mem.orders GROUP BY 1 ORDER BY 1", "0,4 1,4"),
        ("SELECT sum(id + 1) FROM mem.orders", "44"),
        // Nor decide the condition.
        ("SELECT count(*) FROM mem.orders WHERE price > 1", "4"),
        ("SELECT count(*) FROM (SELECT id FROM mem.orders LIMIT 3)", "3"),
        ("SELECT name, price, count(*) FROM mem.orders WHERE id = 1 GROUP BY 1, 2", "apple,1.50,1"),
    ] {
        assert_eq!(world.line(text).await, expected, "{text}");
        let aggregations = world.memory.take_aggregations();
        assert!(aggregations.iter().all(|asked| asked.aggregates.is_empty()), "{text}: {aggregations:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_not_exact_is_not_taken() {
    let mut world = world(|config| config).await;
    let text = "SELECT name, count(*), avg(id) FROM mem.mixed WHERE id < 4 GROUP BY name ORDER BY name";
    assert_eq!(world.line(text).await, "apple,1,1 apricot,1,2 banana,1,3");
    assert_eq!(world.memory.take_aggregations().len(), 1);
    assert!(!world.memory.take_requests().is_empty());
    assert_eq!(world.line("SELECT max(id), count(*) FROM mem.mixed").await, "8,8");
}

#[tokio::test]
async fn plans_show_what_the_system_computes() {
    let mut world = world(|config| config).await;
    let plan = world.line("EXPLAIN SELECT name, max(id) FROM mem.orders GROUP BY name").await;
    assert!(plan.contains("XN Foreign Aggregate OpenSearch orders"), "{plan}");
    assert!(plan.contains("Remote: shop orders groups=[\"Name\"] aggregates=1"), "{plan}");
    let plan = world.line("EXPLAIN ANALYZE SELECT count(*) FROM mem.orders").await;
    assert!(plan.contains("Requests: 1"), "{plan}");
    let plan = world.line("EXPLAIN ANALYZE SELECT count(*) FROM mem.mixed").await;
    assert!(plan.contains("not taken, all rows were read") && plan.contains("Requests: 5"), "{plan}");
}

#[tokio::test]
async fn one_partition_aggregates_too() {
    let mut world = world(|config| WarehouseConfig { target_partitions: Some(1), ..config }).await;
    assert_eq!(world.line("SELECT count(*), avg(id) FROM mem.orders").await, "8,4");
    assert_eq!(world.memory.take_aggregations().len(), 1);
}
