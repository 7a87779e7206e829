//! Joins and groupings on distribution keys move no row between slices: counted, not only read from the plan.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use millrace_engine::{Session, Warehouse, WarehouseConfig};
use millrace_tests::database::rows;

/// How many rows went through exchanges, and how many exchanges there were, as EXPLAIN ANALYZE counts them.
async fn crossed(session: &mut Session, query: &str) -> (u64, usize, String) {
    let lines = rows(session, &format!("EXPLAIN ANALYZE (FORMAT DATAFUSION) {query}")).await.unwrap().concat();
    let (mut crossed, mut exchanges) = (0, 0);
    for (at, line) in lines.iter().enumerate() {
        if line.trim_start().starts_with("RepartitionExec") {
            let counts = lines[at + 1].trim_start().strip_prefix("rows=").unwrap();
            crossed += counts.split(',').next().unwrap().parse::<u64>().unwrap();
            exchanges += 1;
        }
    }
    (crossed, exchanges, lines.join("\n"))
}

#[tokio::test]
async fn nothing_crosses_where_the_key_places_the_rows() {
    let folder = tempfile::tempdir().unwrap();
    let config = WarehouseConfig { target_partitions: Some(4), ..WarehouseConfig::new(folder.path()) };
    let mut session = Session::new(Warehouse::open(config).await.unwrap());
    let numbers = "(SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d + 100000 * g.d AS n
                    FROM digits a, digits b, digits c, digits e, digits f, digits g WHERE g.d < 2) x";
    for statement in [
        "CREATE TABLE digits (d int)",
        "INSERT INTO digits VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)",
        "CREATE TABLE orders (id bigint, customer bigint, at int) DISTKEY (id) SORTKEY (at)",
        "CREATE TABLE items (order_id bigint, line int, price int) DISTKEY (order_id)",
        &format!("INSERT INTO orders SELECT n, n % 1000, n % 365 FROM {numbers}"),
        &format!("INSERT INTO items SELECT n / 2 * 2, n % 2, n % 10 FROM {numbers}"),
        // Rows in files without a bucket, and in the catalog.
        &format!("INSERT INTO items SELECT n, 9, 1 FROM {numbers} WHERE n < 500"),
        "INSERT INTO items VALUES (0, 10, 1), (NULL, 10, 1)",
        // Sides of this size would be copied to each slice, which is no exchange of rows by key but does move them.
        "SET cost_based_optimizer = off",
        "SET datafusion.optimizer.hash_join_single_partition_threshold = 0",
        "SET datafusion.optimizer.hash_join_single_partition_threshold_rows = 0",
    ] {
        rows(&mut session, statement).await.unwrap();
    }
    let local = [
        "SELECT o.id, o.customer, i.price FROM orders o JOIN items i ON o.id = i.order_id",
        "SELECT o.id, i.price FROM orders o LEFT JOIN items i ON o.id = i.order_id WHERE o.at < 100",
        "SELECT order_id, sum(price) FROM items GROUP BY order_id",
        "SELECT order_id, line, count(*) FROM items GROUP BY order_id, line",
        "SELECT o.id, sum(i.price) FROM orders o JOIN items i ON o.id = i.order_id GROUP BY o.id",
        "SELECT id FROM orders WHERE id IN (SELECT order_id FROM items)",
        "SELECT order_id, row_number() OVER (PARTITION BY order_id ORDER BY line) FROM items",
    ];
    for query in local {
        let (rows, exchanges, plan) = crossed(&mut session, query).await;
        assert_eq!((rows, exchanges), (0, 0), "{query}\n{plan}");
    }
    // What counts them does count.
    let moved = [
        ("SELECT o.id, i.price FROM orders o JOIN items i ON o.customer = i.price", 200_000),
        ("SELECT customer, count(*) FROM orders GROUP BY customer", 1000),
    ];
    for (query, least) in moved {
        let (rows, exchanges, plan) = crossed(&mut session, query).await;
        assert!(rows >= least && exchanges > 0, "{query}\n{plan}");
    }
}

#[tokio::test]
async fn a_table_of_1600_columns_works() {
    let folder = tempfile::tempdir().unwrap();
    let config = WarehouseConfig { target_partitions: Some(4), ..WarehouseConfig::new(folder.path()) };
    let mut session = Session::new(Warehouse::open(config).await.unwrap());
    let columns = |count: usize| (0..count).map(|n| format!("c{n} int")).collect::<Vec<_>>().join(", ");
    let error = rows(&mut session, &format!("CREATE TABLE wide ({})", columns(1601))).await.unwrap_err();
    assert_eq!(error.sqlstate(), "54000", "{error}");
    rows(&mut session, &format!("CREATE TABLE wide ({}) DISTKEY (c0) SORTKEY (c1599)", columns(1600))).await.unwrap();
    let values = |row: usize| (0..1600).map(|n| (row * n % 97).to_string()).collect::<Vec<_>>().join(", ");
    let both = format!("({}), ({})", values(1), values(2));
    rows(&mut session, &format!("INSERT INTO wide VALUES {both}")).await.unwrap();
    // Two rows in the catalog, and a hundred of each in a file.
    rows(&mut session, "CREATE TABLE ten (d int)").await.unwrap();
    rows(&mut session, "INSERT INTO ten VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)").await.unwrap();
    rows(&mut session, "INSERT INTO wide SELECT w.* FROM wide w, ten a, ten b").await.unwrap();
    let sum = 101 * (1599 % 97 + 2 * 1599 % 97);
    let query = "SELECT count(*), sum(c1599), max(c0) FROM wide";
    assert_eq!(rows(&mut session, query).await.unwrap(), [["202".to_owned(), sum.to_string(), "0".to_owned()]]);
    rows(&mut session, "DELETE FROM wide WHERE c1 = 1").await.unwrap();
    rows(&mut session, "VACUUM wide TO 100 PERCENT").await.unwrap();
    let found = rows(&mut session, "SELECT * FROM wide ORDER BY c2 LIMIT 1").await.unwrap();
    let expected: Vec<String> = (0..1600).map(|n| (2 * n % 97).to_string()).collect();
    assert_eq!(found, [expected]);
    assert_eq!(rows(&mut session, "SELECT count(*) FROM wide").await.unwrap(), [["101"]]);
}
