//! Texts of our own choice: SHOW CREATE TABLE can be run again, EXPLAIN shows what is pruned, DESCRIBE FORMATTED
//! tells the storage. Only what a user relies on is compared.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use millrace_engine::Session;
use millrace_tests::database::rows;
use millrace_tests::script::{World, data, lake};

/// The lines of a one-column result as one text.
async fn text(session: &mut Session, statement: &str) -> String {
    let rows = rows(session, statement).await.unwrap();
    rows.iter().map(|row| row.join("\t").replace("\\n", "\n")).collect::<Vec<_>>().join("\n")
}

async fn flights(session: &mut Session) {
    let ddl = format!(
        "CREATE EXTERNAL TABLE flights (day int, carrier string, dep_delay int) PARTITIONED BY (year int, month int)
         STORED AS PARQUET LOCATION '{}'; MSCK REPAIR TABLE flights",
        lake().join("flights").display()
    );
    rows(session, &ddl).await.unwrap();
}

#[tokio::test]
async fn show_create_table_can_be_run_again() {
    let world = World::new(false).await.unwrap();
    let mut session = world.session();
    rows(&mut session, "SET dialect = athena").await.unwrap();
    let lake = lake().display().to_string();
    let tables = [
        format!(
            "CREATE EXTERNAL TABLE t (`Day` int COMMENT 'it''s the \"day\"', `select` string, `a b` array<struct<x:int,`y z`:map<string,decimal(8,2)>>>)
             COMMENT 'it''s' PARTITIONED BY (year int COMMENT 'y', month varchar(2))
             STORED AS PARQUET LOCATION '{lake}/flights/' TBLPROPERTIES ('a'='1', 'it''s'='\"x\"')"
        ),
        format!(
            "CREATE EXTERNAL TABLE t (a string, b char(3)) ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde'
             WITH SERDEPROPERTIES ('separatorChar'=',', 'quoteChar'='\"', 'escapeChar'='\\\\')
             STORED AS TEXTFILE LOCATION '{lake}/airports/' TBLPROPERTIES ('skip.header.line.count'='1')"
        ),
        format!(
            "CREATE EXTERNAL TABLE t (a string, b double) ROW FORMAT DELIMITED FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\'
             COLLECTION ITEMS TERMINATED BY '|' MAP KEYS TERMINATED BY ':' NULL DEFINED AS '' LOCATION '{lake}/airports/'"
        ),
        format!("CREATE EXTERNAL TABLE t (carrier string) CLUSTERED BY (carrier) INTO 8 BUCKETS STORED AS ORC LOCATION '{lake}/airlines/'"),
        format!(
            "CREATE EXTERNAL TABLE t (n int) PARTITIONED BY (day string) STORED AS JSONFILE LOCATION '{lake}/none/'
             TBLPROPERTIES ('projection.enabled'='true', 'projection.day.type'='date', 'projection.day.format'='yyyy-MM-dd',
               'projection.day.range'='2024-01-01,NOW', 'storage.location.template'='{lake}/none/${{day}}/')"
        ),
    ];
    for ddl in tables {
        rows(&mut session, &ddl).await.unwrap();
        let shown = text(&mut session, "SHOW CREATE TABLE t").await;
        let described = text(&mut session, "DESCRIBE t").await;
        rows(&mut session, "DROP TABLE t").await.unwrap();
        rows(&mut session, &shown).await.unwrap_or_else(|error| panic!("{error}\n{shown}"));
        assert_eq!(text(&mut session, "SHOW CREATE TABLE t").await, shown);
        assert_eq!(text(&mut session, "DESCRIBE t").await, described);
        rows(&mut session, "DROP TABLE t").await.unwrap();
    }
}

#[tokio::test]
async fn show_create_view_can_be_run_again() {
    let world = World::new(false).await.unwrap();
    let mut session = world.session();
    flights(&mut session).await;
    let view = "CREATE VIEW v AS SELECT carrier AS \"The Carrier\", 'it''s' AS x FROM flights WHERE month = 1";
    rows(&mut session, view).await.unwrap();
    let shown = text(&mut session, "SHOW CREATE VIEW v").await;
    rows(&mut session, "DROP VIEW v").await.unwrap();
    rows(&mut session, &shown).await.unwrap_or_else(|error| panic!("{error}\n{shown}"));
    assert_eq!(text(&mut session, "SHOW CREATE VIEW v").await, shown);
    let result = rows(&mut session, "SELECT count(\"The Carrier\"), min(x) FROM v").await.unwrap();
    assert_eq!(result, [["27004", "it's"]]);
}

#[tokio::test]
async fn explain_shows_the_partitions_that_are_left() {
    let world = World::new(false).await.unwrap();
    let mut session = world.session();
    flights(&mut session).await;
    let plan = text(&mut session, "EXPLAIN SELECT sum(dep_delay) FROM flights WHERE year = 2013 AND month = 6").await;
    assert!(plan.contains("1 of 12"), "{plan}");
    let plan = text(&mut session, "EXPLAIN ANALYZE SELECT sum(dep_delay) FROM flights WHERE month = 6").await;
    assert!(plan.contains("28243"), "no count of the rows that were read:\n{plan}");
    let plan = text(&mut session, "EXPLAIN CREATE TABLE x AS SELECT * FROM flights").await;
    assert!(!plan.is_empty());
    assert!(rows(&mut session, "SELECT * FROM x").await.is_err(), "EXPLAIN made the table");
}

#[tokio::test]
async fn describe_formatted_tells_the_storage() {
    let world = World::new(false).await.unwrap();
    let mut session = world.session();
    flights(&mut session).await;
    let shown = text(&mut session, "DESCRIBE FORMATTED flights").await;
    for part in ["flights", "year", "month", "Location", "parquet"] {
        assert!(shown.contains(part), "{part} is missing:\n{shown}");
    }
    let partition = text(&mut session, "DESCRIBE FORMATTED flights PARTITION (year = 2013, month = 6)").await;
    assert!(partition.contains("month=06"), "{partition}");
}

#[tokio::test]
async fn errors_point_at_the_place() {
    let world = World::new(false).await.unwrap();
    let mut session = world.session();
    flights(&mut session).await;
    let cases = [
        ("SELECT * FORM flights", 10),
        ("SELECT carrier,\n  carier FROM flights", 19),
        ("SELECT * FROM flihgts", 15),
        ("SELECT 'ü' , * FROM flihgts", 21),
        ("SELECT lenght(carrier) FROM flights", 8),
        ("CREATE EXTERNAL TABLE x (a nonsense) STORED AS PARQUET LOCATION '/x'", 28),
    ];
    for (statement, position) in cases {
        let error = rows(&mut session, statement).await.unwrap_err();
        assert_eq!(error.position, Some(position), "{statement}: {error}");
    }
}

#[tokio::test]
async fn statements_of_one_text_stop_at_the_first_error() {
    let world = World::new(false).await.unwrap();
    let mut session = world.session();
    let script = format!(
        "-- a comment; with a semicolon\nCREATE DATABASE a; /* ; */ SELECT ';' ; USE nowhere; CREATE DATABASE b -- {}\n;",
        data().display()
    );
    assert!(rows(&mut session, &script).await.is_err());
    assert_eq!(rows(&mut session, "SHOW SCHEMAS LIKE 'a|b'").await.unwrap(), [["a"]]);
}
