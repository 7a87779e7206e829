//! Rows by their keys, asked for again and again with other keys: each statement asks the system for its own, whether it was
//! planned or not.

use crate::World;
use millrace_connectors::{Comparison, Predicate, Value};
use std::sync::atomic::Ordering;

fn equals(column: &str, value: Value) -> Predicate {
    Predicate::Compare { column: column.to_owned(), comparison: Comparison::Eq, value }
}

fn id(value: i64) -> Predicate {
    equals("id", Value::Integer(value))
}

fn name(value: &str) -> Predicate {
    equals("Name", Value::Text(value.to_owned()))
}

// The rows are those that PostgreSQL would give of the table in `memory.rs`.
#[tokio::test]
async fn each_statement_has_its_own_keys() {
    let mut world = World::new().await;
    let cases: Vec<(&str, Vec<Predicate>, &str)> = vec![
        ("SELECT price FROM mem.orders WHERE id = 1", vec![id(1)], "1.50"),
        ("SELECT price FROM mem.orders WHERE id = 2", vec![id(2)], "2.50"),
        ("SELECT price FROM mem.orders WHERE (4 = id)", vec![id(4)], "1.00"),
        ("SELECT price FROM mem.orders WHERE id = 99", vec![id(99)], ""),
        ("SELECT id FROM mem.orders WHERE id = 2", vec![id(2)], "2"),
        ("SELECT Price FROM Mem.Orders WHERE Id = 2", vec![id(2)], "2.50"),
        ("SELECT Price FROM Mem.Orders WHERE Id = 4", vec![id(4)], "1.00"),
        ("SELECT id FROM mem.orders WHERE name = 'apple'", vec![name("apple")], "1"),
        ("SELECT id FROM mem.orders WHERE name = 'Apple'", vec![name("Apple")], "6"),
        ("SELECT id FROM mem.orders WHERE name = 'it''s'", vec![name("it's")], ""),
        ("SELECT id FROM mem.orders WHERE name = 'a%b'", vec![name("a%b")], "7"),
        ("SELECT price FROM mem.orders WHERE id = 6 AND name = 'Apple'", vec![id(6), name("Apple")], "1.50"),
        ("SELECT price FROM mem.orders WHERE id = 6 AND name = 'apple'", vec![id(6), name("apple")], ""),
        ("SELECT price FROM mem.orders WHERE id = 8 AND name = 'apple pie'", vec![id(8), name("apple pie")], "0.00"),
        ("SELECT id AS n FROM mem.orders AS o WHERE o.id = 5", vec![id(5)], "5"),
        ("SELECT id AS n FROM mem.orders AS o WHERE o.id = 7", vec![id(7)], "7"),
        ("SELECT name, id AS n FROM mem.orders WHERE id = 2", vec![id(2)], "apricot,2"),
        ("SELECT name, id AS n FROM mem.orders WHERE id = 3", vec![id(3)], "banana,3"),
        ("SELECT id, id + 1 FROM mem.orders WHERE id = 3", vec![id(3)], "3,4"),
        ("SELECT id, id + 1 FROM mem.orders WHERE id = 5", vec![id(5)], "5,6"),
        ("SELECT * FROM mem.orders WHERE id = 3", vec![id(3)], "3,banana,NULL,1970-01-01 02:00:00,[1,2]"),
        ("SELECT * FROM mem.orders WHERE id = 4", vec![id(4)], "4,NULL,1.00,1970-01-02 00:00:00,NULL"),
        ("SELECT id FROM mem.orders WHERE id = 4 LIMIT 1", vec![id(4)], "4"),
        ("SELECT count(*) FROM mem.orders WHERE id = 4", vec![id(4)], "1"),
    ];
    for _ in 0..2 {
        for (text, predicates, expected) in &cases {
            assert_eq!(world.line(text).await, *expected, "{text}");
            let mut asked = world.memory.take_request().predicates;
            asked.sort_by_key(|predicate| format!("{predicate:?}"));
            let mut wanted = predicates.clone();
            wanted.sort_by_key(|predicate| format!("{predicate:?}"));
            assert_eq!(asked, wanted, "{text}");
        }
    }
    // What the system does not decide is decided here, as ever.
    for (price, expected) in [("1.50", "1,apple 6,Apple"), ("2.50", "2,apricot"), ("1", "4,NULL")] {
        let text = format!("SELECT id, name FROM mem.orders WHERE price = {price} ORDER BY id");
        assert_eq!(world.line(&text).await, expected);
    }
    // A text is none of the column's values; it is made one first. Contradictions have no rows.
    for (condition, expected) in
        [("id = '5'", "5"), ("id = '7'", "7"), ("id = 3 AND id = 3", "3"), ("id = 3 AND id = 4", "")]
    {
        let text = format!("SELECT id FROM mem.orders WHERE {condition}");
        assert_eq!(world.line(&text).await, expected, "{condition}");
    }
}

#[tokio::test]
async fn prepared_statements_have_their_own_keys() {
    let mut world = World::new().await;
    world.line("PREPARE by_id (bigint) AS SELECT name FROM mem.orders WHERE id = $1").await;
    for (key, expected) in [("1", "apple"), ("2", "apricot"), ("99", ""), ("4", "NULL"), ("NULL", "")] {
        assert_eq!(world.line(&format!("EXECUTE by_id ({key})")).await, expected, "{key}");
    }
}

#[tokio::test]
async fn rights_and_schemas_that_change_are_seen() {
    let mut world = World::new().await;
    let text = "SELECT name FROM mem.orders WHERE id = 1";
    for _ in 0..3 {
        assert_eq!(world.line(text).await, "apple");
    }
    world.line("CREATE USER ann PASSWORD 'Annann12'").await;
    world.line("SET SESSION AUTHORIZATION ann").await;
    assert_eq!(world.error(text).await.sqlstate(), "42501");
    world.line("SET SESSION AUTHORIZATION default").await;
    world.memory.take_requests();
    world.memory.down.store(true, Ordering::Relaxed);
    assert_eq!(world.error(text).await.sqlstate(), "08006");
    world.memory.down.store(false, Ordering::Relaxed);
    let create = "CREATE EXTERNAL TABLE mem.shop (id int, title varchar(20))
                  TABLE PROPERTIES ('sourceTable'='orders', 'columnMapping'='title=Name')";
    world.line(create).await;
    for (key, expected) in [(1, "apple"), (2, "apricot"), (3, "banana")] {
        assert_eq!(world.line(&format!("SELECT title FROM mem.shop WHERE id = {key}")).await, expected);
    }
    world.line("DROP SCHEMA mem CASCADE").await;
    assert_eq!(world.error(text).await.sqlstate(), "3F000");
    assert_eq!(world.error("SELECT title FROM mem.shop WHERE id = 4").await.sqlstate(), "3F000");
}
