//! Which conditions reach the system, and as what; what it does not decide is decided here.

use crate::World;
use millrace_connectors::{Comparison, FullText, Order, Predicate, Value};

fn compare(column: &str, comparison: Comparison, value: Value) -> Predicate {
    Predicate::Compare { column: column.to_owned(), comparison, value }
}

fn id(comparison: Comparison, value: i64) -> Predicate {
    compare("id", comparison, Value::Integer(value))
}

fn prefix(text: &str) -> Predicate {
    Predicate::Prefix { column: "Name".to_owned(), prefix: text.to_owned() }
}

fn not(predicate: Predicate) -> Predicate {
    Predicate::Not(Box::new(predicate))
}

// The rows are those that PostgreSQL would give of the table in `memory.rs`.
#[tokio::test]
async fn conditions_reach_the_system_exactly() {
    use Comparison::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    let mut world = World::new().await;
    let name = |text: &str| compare("Name", Eq, Value::Text(text.to_owned()));
    let day = 86_400_000_000;
    let cases: Vec<(&str, Vec<Predicate>, &str)> = vec![
        ("id = 3", vec![id(Eq, 3)], "3"),
        ("3 = id", vec![id(Eq, 3)], "3"),
        ("7 <= id", vec![id(GtEq, 7)], "7 8"),
        ("id <> 1 AND id < 4", vec![id(NotEq, 1), id(Lt, 4)], "2 3"),
        ("id IN (1, 3, 5, 7, 99)", vec![ids(&[1, 3, 5, 7, 99])], "1 3 5 7"),
        ("id NOT IN (1, 3, 5, 7, 8)", vec![not(ids(&[1, 3, 5, 7, 8]))], "2 4 6"),
        ("id BETWEEN 2 AND 4", vec![id(GtEq, 2), id(LtEq, 4)], "2 3 4"),
        (
            "id = 1 OR (id > 6 AND name = 'a%b')",
            vec![Predicate::Or(vec![id(Eq, 1), Predicate::And(vec![id(Gt, 6), name("a%b")])])],
            "1 7",
        ),
        // One branch that the system cannot decide keeps the whole of it here.
        ("id = 1 OR price > 5", vec![], "1 5"),
        ("name = 'apple'", vec![name("apple")], "1"),
        // Decided here: how the system narrows does not matter.
        ("name LIKE 'ap%'", vec![prefix("ap")], "1 2 8"),
        ("name LIKE 'ap%e'", vec![prefix("ap")], "1 8"),
        ("name LIKE 'a\\\\%%'", vec![prefix("a%")], "7"),
        ("name NOT LIKE 'ap%'", vec![], "3 5 6 7"),
        ("name ILIKE 'ap%'", vec![], "1 2 6 8"),
        ("name LIKE '%pie'", vec![], "8"),
        ("name > 'b'", vec![], "3 5"),
        ("name IS NULL", vec![Predicate::IsNull("Name".to_owned())], "4"),
        ("price IS NOT NULL AND id < 4", vec![Predicate::IsNotNull("price".to_owned()), id(Lt, 4)], "1 2"),
        ("document IS NULL AND id < 5", vec![Predicate::IsNull("document".to_owned()), id(Lt, 5)], "2 4"),
        // Documents are compared as values here, which no system does; a text is no array.
        ("document = json_parse('[1, 2]')", vec![], "3"),
        ("document = '[1,2]'", vec![], ""),
        ("price = 1.50", vec![], "1 6"),
        ("at >= '1970-01-02'", vec![compare("at", GtEq, Value::Timestamp(day))], "4 6 7 8"),
        ("at < date '1970-01-02' AND id > 1", vec![compare("at", Lt, Value::Timestamp(day)), id(Gt, 1)], "2 3"),
        (
            "at > dateadd(hour, 47, timestamp '1970-01-01')",
            vec![compare("at", Gt, Value::Timestamp(day / 24 * 47))],
            "8",
        ),
        // A cast that loses nothing is looked through; what is computed otherwise is not pushed.
        ("id::varchar = '3'", vec![id(Eq, 3)], "3"),
        ("id::varchar LIKE '%3'", vec![], "3"),
        ("NOT (id > 2)", vec![id(LtEq, 2)], "1 2"),
    ];
    for (condition, mut expected, ids) in cases {
        let text = format!("SELECT id FROM mem.orders WHERE {condition} ORDER BY id");
        assert_eq!(world.line(&text).await, ids, "{condition}");
        let mut given = world.memory.take_request().predicates;
        // Conditions joined by AND have no order.
        let key = |predicate: &Predicate| format!("{predicate:?}");
        given.sort_by_key(key);
        expected.sort_by_key(key);
        assert_eq!(given, expected, "{condition}");
    }
}

fn ids(values: &[i64]) -> Predicate {
    Predicate::In { column: "id".to_owned(), values: values.iter().copied().map(Value::Integer).collect() }
}

#[tokio::test]
async fn only_wanted_columns_are_asked_for() {
    let mut world = World::new().await;
    assert_eq!(world.line("SELECT name, id FROM mem.orders WHERE id = 2").await, "apricot,2");
    let request = world.memory.take_request();
    let mut columns = request.columns;
    columns.sort();
    assert_eq!((request.table.as_str(), columns), ("orders", vec!["Name".to_owned(), "id".to_owned()]));
    // A condition that is decided there needs no column here.
    assert_eq!(world.line("SELECT count(*) FROM mem.orders WHERE id > 2").await, "6");
    assert!(world.memory.take_request().columns.is_empty());
    assert_eq!(world.line("SELECT count(name), min(price) FROM mem.orders").await, "7,-0.05");
    assert_eq!(world.memory.take_request().columns, ["Name", "price"]);
}

#[tokio::test]
async fn limits_and_orders_reach_the_system() {
    let mut world = World::new().await;
    assert_eq!(world.rows("SELECT id FROM mem.orders LIMIT 3").await.unwrap().len(), 3);
    assert_eq!(world.memory.take_request().limit, Some(3));
    // With a condition that is decided here, more rows may be needed.
    assert_eq!(world.rows("SELECT id FROM mem.orders WHERE price > 1 LIMIT 2").await.unwrap().len(), 2);
    assert_eq!(world.memory.take_request().limit, None);
    assert_eq!(world.line("SELECT id FROM mem.orders ORDER BY id DESC LIMIT 3").await, "8 7 6");
    let request = world.memory.take_request();
    let order = Order { column: "id".to_owned(), descending: true, nulls_first: true };
    assert_eq!((request.order, request.limit), (vec![order], Some(3)));
    assert_eq!(world.line("SELECT id FROM mem.orders ORDER BY id").await, "1 2 3 4 5 6 7 8");
    assert_eq!(world.memory.take_request().order.len(), 1);
    // Orders that the system cannot give are made here, and so are limits behind them.
    assert_eq!(world.line("SELECT id FROM mem.orders ORDER BY name, id LIMIT 2").await, "6 7");
    let request = world.memory.take_request();
    assert_eq!((request.order, request.limit), (vec![], None));
    // The rows that a limit left are not chosen anew.
    let text = "SELECT count(*) FROM (SELECT id FROM (SELECT id FROM mem.orders LIMIT 2) ORDER BY id LIMIT 5)";
    assert_eq!(world.line(text).await, "2");
}

#[tokio::test]
async fn search_systems_decide_full_text() {
    let mut world = World::new().await;
    let full_text = |kind, column: Option<&str>, text: &str| Predicate::FullText {
        kind,
        column: column.map(str::to_owned),
        text: text.to_owned(),
    };
    let name = Some("Name");
    for (condition, expected, ids) in [
        ("match(name, 'pie')", full_text(FullText::Match, name, "pie"), "8"),
        ("match_phrase(name, 'apple pie')", full_text(FullText::Phrase, name, "apple pie"), "8"),
        ("query_string('apri')", full_text(FullText::QueryString, None, "apri"), "2"),
        ("NOT match(name, 'a')", not(full_text(FullText::Match, name, "a")), "4 5 6"),
    ] {
        let text = format!("SELECT id FROM mem.orders o WHERE {condition} ORDER BY id");
        assert_eq!(world.line(&text).await, ids, "{condition}");
        assert_eq!(world.memory.take_request().predicates, [expected], "{condition}");
    }
    // Through a view, beside a table of the warehouse.
    world.line("CREATE TABLE own (n bigint)").await;
    world.line("INSERT INTO own VALUES (1), (2)").await;
    world.line("CREATE VIEW seen AS SELECT id AS number, name FROM mem.orders WITH NO SCHEMA BINDING").await;
    let text = "SELECT number FROM seen JOIN own ON n = number WHERE match(name, 'apri')";
    assert_eq!(world.line(text).await, "2");
    let text = "SELECT number FROM (SELECT * FROM seen WHERE query_string('apri')) JOIN own ON n = number";
    assert_eq!(world.line(text).await, "2");
    for (text, message) in [
        ("SELECT match(name, 'a') FROM mem.orders", "match()"),
        ("SELECT n FROM own WHERE match(n, 'a')", "match()"),
        ("SELECT n FROM own WHERE query_string('a')", "query_string()"),
        ("SELECT id FROM mem.orders WHERE match(name, 'a') OR price > 1", "match()"),
        ("SELECT 1 FROM mem.orders a JOIN mem.chain b ON a.id = b.id WHERE query_string('a')", "several tables"),
        ("SELECT query_string('a')", "query_string()"),
    ] {
        let error = world.error(text).await;
        assert_eq!(error.sqlstate(), "0A000", "{text}: {error}");
        assert!(error.message.contains(message), "{text}: {error}");
    }
}

#[tokio::test]
async fn plans_tell_what_the_system_is_asked() {
    let mut world = World::new().await;
    let text = "EXPLAIN SELECT id FROM mem.orders WHERE id > 2 AND price > 1.00";
    let plan = world.line(text).await;
    assert!(plan.contains("XN Foreign Scan OpenSearch orders"), "{plan}");
    assert!(plan.contains("Remote: shop orders conditions=1"), "{plan}");
    assert!(plan.contains("Filter: (price > 1.00)"), "{plan}");
    assert!(!plan.contains("ANALYZE"), "{plan}");
    let plan = world.line(&text.replace("EXPLAIN", "EXPLAIN ANALYZE")).await;
    for figure in ["Requests: 4", "Rows Examined: 8", "Consumed Capacity: 2.0"] {
        assert!(plan.contains(figure), "{figure}: {plan}");
    }
    let plan = world.line("EXPLAIN (ANALYZE, FORMAT DATAFUSION) SELECT id FROM mem.orders WHERE id > 2").await;
    for figure in ["ForeignScanExec: OpenSearch orders", "requests=4", "rows_examined=8", "capacity_milliunits=2000"] {
        assert!(plan.contains(figure), "{figure}: {plan}");
    }
}
