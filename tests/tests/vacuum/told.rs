//! What VACUUM and ANALYZE VERBOSE tell of what they did.

use super::number;
use millrace_engine::{Session, Severity, Warehouse};
use millrace_tests::database::rows;
use millrace_tests::warehouse_config;
use std::time::Duration;

/// What a statement tells; all of it is information.
async fn told(session: &mut Session, text: &str) -> Vec<String> {
    let parsed = session.parse(text).unwrap();
    let result = session.execute(&parsed[0]).await.unwrap_or_else(|error| panic!("{text}: {error}"));
    assert!(result.notices.iter().all(|notice| notice.severity == Severity::Info), "{:?}", result.notices);
    result.notices.into_iter().map(|notice| notice.message).collect()
}

#[tokio::test]
async fn a_vacuum_tells_what_it_did() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = Session::new(Warehouse::open(warehouse_config(folder.path())).await.unwrap());
    for text in [
        "CREATE TABLE t (n bigint)",
        "INSERT INTO t SELECT unnest(range(0, 1000))",
        "INSERT INTO t SELECT unnest(range(1000, 2000))",
        "DELETE FROM t WHERE n < 500",
        "INSERT INTO t VALUES (-1), (-2)",
        "CREATE TABLE s (n bigint) SORTKEY (n)",
        "INSERT INTO s SELECT value FROM generate_series(0, 999) AS g (value)",
        "INSERT INTO s SELECT value FROM generate_series(0, 999) AS g (value)",
    ] {
        rows(&mut session, text).await.unwrap();
    }
    for (text, expected) in [
        (
            "VACUUM t",
            "vacuum of \"default.t\": 2 files rewritten, 2 before, 1 now; 500 deleted rows removed; \
             2 rows moved from the catalog into files",
        ),
        ("VACUUM t", "vacuum of \"default.t\": nothing to do"),
        (
            "VACUUM s TO 50 PERCENT",
            "vacuum of \"default.s\": 2 files rewritten, 2 before, 1 now; 100% sorted, 50% before; \
             enough rows are sorted already",
        ),
        ("VACUUM s", "vacuum of \"default.s\": nothing to do; enough rows are sorted already"),
    ] {
        assert_eq!(told(&mut session, text).await, [expected], "{text}");
    }
    rows(&mut session, "INSERT INTO s SELECT value FROM generate_series(0, 1999) AS g (value)").await.unwrap();
    let sorted = "vacuum of \"default.s\": 2 files rewritten, 2 before, 1 now; 100% sorted, 50% before";
    assert_eq!(told(&mut session, "VACUUM SORT ONLY s").await, [sorted]);
    // All tables, each in a line.
    assert_eq!(told(&mut session, "VACUUM").await.len(), 2);
    assert_eq!(number(&mut session, "SELECT count(*) FROM t").await, 1502);
}

#[tokio::test]
async fn analyze_tells_what_it_found_of_the_columns_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = Session::new(Warehouse::open(warehouse_config(folder.path())).await.unwrap());
    rows(&mut session, "CREATE TABLE t (id int, kind varchar(20), v numeric(10,2))").await.unwrap();
    let insert = "INSERT INTO t SELECT value, 'kind ' || (value % 7), CASE WHEN value % 4 > 0 THEN value % 10 END
                  FROM generate_series(0, 199) AS g (value)";
    rows(&mut session, insert).await.unwrap();
    let kind = "\"default.t\".\"kind\": about 7 distinct values, 0.0 % NULL, 6.0 bytes wide";
    let v = "\"default.t\".\"v\": about 10 distinct values, 25.0 % NULL, 16.0 bytes wide";
    let table =
        |columns: usize| ["analyzing \"default.t\"".to_owned(), format!("\"default.t\": 200 rows, {columns} columns")];

    let found = told(&mut session, "ANALYZE VERBOSE t").await;
    assert_eq!((&found[..2], found.len()), (&table(3)[..], 5), "{found:?}");
    assert_eq!(found[3..], [kind, v]);
    let found = told(&mut session, "ANALYZE VERBOSE t (v, kind)").await;
    assert_eq!((&found[..2], &found[2..]), (&table(2)[..], &[kind.to_owned(), v.to_owned()][..]));
    assert_eq!(told(&mut session, "ANALYZE t").await, Vec::<String>::new());

    // Before any query has told what it looks for, all columns are; then only those.
    assert_eq!(told(&mut session, "ANALYZE VERBOSE t PREDICATE COLUMNS").await.len(), 5);
    assert_eq!(number(&mut session, "SELECT count(*) FROM t WHERE kind = 'kind 3'").await, 29);
    let mut found = Vec::new();
    for _ in 0..200 {
        found = told(&mut session, "ANALYZE VERBOSE t PREDICATE COLUMNS").await;
        if found.len() == 3 {
            break;
        }
        // It is noted in the background.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!((&found[..2], &found[2..]), (&table(1)[..], &[kind.to_owned()][..]));
}
