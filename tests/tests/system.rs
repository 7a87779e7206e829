//! System tables after everything has happened: each is read in full, by whoever may see all and by who may not, and what
//! the documentation says of some of them is true.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use millrace_engine::Session;
use millrace_tests::database::rows;
use millrace_tests::script::{World, lake};

/// Statements of every kind that leaves records, those that fail too.
const STATEMENTS: &[&str] = &[
    "SET enable_result_cache_for_session TO off",
    "CREATE TABLE facts (id int, who int, what varchar(20)) DISTSTYLE KEY DISTKEY (who) SORTKEY (id)",
    "INSERT INTO facts SELECT value, value % 50, 'fact ' || value FROM generate_series(1, 5000) AS g (value)",
    "INSERT INTO facts VALUES (5001, 1, NULL)",
    "CREATE TABLE people (who int, name varchar(20)) DISTSTYLE ALL",
    "INSERT INTO people SELECT value, 'name ' || value FROM generate_series(0, 1999) AS g (value)",
    "SELECT p.name, count(*) FROM facts f JOIN people p ON f.who = p.who GROUP BY p.name ORDER BY 2 DESC, 1 LIMIT 3",
    "SELECT count(*) FROM people a, people b WHERE a.who + b.who < 10",
    "SELECT id, rank() OVER (PARTITION BY who ORDER BY id) FROM facts WHERE id < 100",
    "SELECT DISTINCT who FROM facts UNION SELECT who FROM people",
    "UPDATE facts SET what = 'changed' WHERE id < 1200",
    "DELETE FROM facts WHERE id > 3000",
    "ANALYZE facts",
    "VACUUM facts TO 100 PERCENT",
    "SELECT 1 / (id - id) FROM facts",
    "SELECT nothing FROM facts",
    "CREATE USER ann PASSWORD 'Secret123' VALID UNTIL '2031-02-03'",
    "CREATE USER bob PASSWORD 'Secret123'",
    "ALTER USER bob RENAME TO rob",
    "CREATE GROUP readers WITH USER ann",
    "GRANT SELECT ON facts TO GROUP readers",
    "CREATE ROLE looking",
    "GRANT ROLE looking TO ann",
    "CREATE VIEW some_facts AS SELECT id FROM facts",
    "CREATE MATERIALIZED VIEW counted AS SELECT who, count(*) AS facts FROM facts GROUP BY who",
    "REFRESH MATERIALIZED VIEW counted",
    "CREATE TEMP TABLE passing (a int)",
    "INSERT INTO passing VALUES (1)",
    "CREATE FUNCTION twice (int) RETURNS int IMMUTABLE AS $$ SELECT $1 * 2 $$ LANGUAGE sql",
    "SET query_group TO 'reports'",
    "SELECT twice(id) FROM facts WHERE id = 7",
    "RESET query_group",
    "COMMENT ON TABLE facts IS 'what is known'",
];

async fn run(session: &mut Session, text: &str) {
    // Some of them are there to fail.
    _ = rows(session, text).await;
}

/// A world in which much has happened, and its session.
async fn busy() -> (World, Session) {
    let world = World::new(false).await.unwrap();
    let mut session = world.session();
    for text in STATEMENTS {
        run(&mut session, text).await;
    }
    let (tmp, lake) = (world.tmp().display().to_string(), lake().display().to_string());
    std::fs::write(world.tmp().join("bad.csv"), "1,2,three\nx,2,three\n").unwrap();
    let external = format!(
        "CREATE EXTERNAL TABLE flights (day int, carrier string, dep_delay int) PARTITIONED BY (year int, month int)
         STORED AS PARQUET LOCATION '{lake}/flights/'"
    );
    for text in [
        external,
        "MSCK REPAIR TABLE flights".to_owned(),
        "SELECT carrier, count(*) FROM flights WHERE month = 6 AND dep_delay > 30 GROUP BY carrier".to_owned(),
        format!("UNLOAD ('SELECT id, who, what FROM facts') TO '{tmp}/out_' FORMAT CSV"),
        format!("COPY facts FROM '{tmp}/out_' FORMAT CSV"),
        format!("COPY facts FROM '{tmp}/bad.csv' FORMAT CSV MAXERROR 5"),
        format!("COPY facts FROM '{tmp}/bad.csv' FORMAT CSV"),
    ] {
        run(&mut session, &text).await;
    }
    (world, session)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_system_table_is_read_in_full() {
    let (world, mut session) = busy().await;
    // Of two transactions that cannot be put in order the later fails.
    let mut other = world.session();
    run(&mut session, "BEGIN; SELECT count(*) FROM facts; UPDATE facts SET who = 3 WHERE id = 1").await;
    run(&mut other, "UPDATE facts SET who = 4 WHERE id = 1").await;
    run(&mut session, "COMMIT").await;
    run(&mut session, "ROLLBACK").await;
    // One that holds something and has a cursor.
    run(&mut other, "BEGIN; LOCK facts; DECLARE c CURSOR FOR SELECT id FROM facts; FETCH 2 FROM c").await;
    let tables = "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                  WHERE n.nspname IN ('pg_catalog', 'information_schema') AND c.relkind IN ('r', 'v') ORDER BY 1, 2";
    let tables = rows(&mut session, tables).await.unwrap();
    assert!(tables.len() > 150, "{} tables", tables.len());
    let mut complaints = Vec::new();
    for user in ["admin", "ann"] {
        rows(&mut session, &format!("SET SESSION AUTHORIZATION {user}")).await.unwrap();
        for table in &tables {
            let text = format!("SELECT * FROM \"{}\".\"{}\"", table[0], table[1]);
            if let Err(error) = rows(&mut session, &text).await {
                complaints.push(format!("{user}: {}: {error:?}", table[1]));
            }
        }
        rows(&mut session, "RESET SESSION AUTHORIZATION").await.unwrap();
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn much_has_left_a_trace() {
    let (_world, mut session) = busy().await;
    for table in [
        "stl_query",
        "stl_querytext",
        "stl_ddltext",
        "stl_utilitytext",
        "svl_statementtext",
        "stl_error",
        "stl_explain",
        "stl_plan_info",
        "stl_scan",
        "stl_hash",
        "stl_hashjoin",
        "stl_aggr",
        "stl_sort",
        "stl_window",
        "stl_nestloop",
        "stl_insert",
        "stl_delete",
        "stl_return",
        "stl_alert_event_log",
        "stl_analyze",
        "stl_vacuum",
        "svv_vacuum_summary",
        "svv_vacuum_progress",
        "stl_commit_stats",
        "stl_userlog",
        "stl_wlm_query",
        "stl_load_commits",
        "stl_load_errors",
        "stl_unload_log",
        "svl_qlog",
        "svl_query_report",
        "svl_query_summary",
        "svl_query_metrics",
        "svl_query_metrics_summary",
        "stl_query_metrics",
        "svl_s3query",
        "svl_s3query_summary",
        "svl_query_queue_info",
        "sys_query_history",
        "sys_query_detail",
        "sys_external_query_detail",
        "sys_load_history",
        "sys_load_error_detail",
        "sys_unload_history",
        "sys_unload_detail",
        "sys_load_detail",
        "stl_file_scan",
        "sys_query_explain",
        "sys_query_text",
        "sys_analyze_history",
        "sys_vacuum_history",
        "sys_transaction_history",
        "sys_session_history",
        "sys_userlog",
        "stv_recents",
        "stv_inflight",
        "stv_sessions",
        "stv_slices",
        "stv_partitions",
        "stv_tbl_perm",
        "stv_blocklist",
        "stv_wlm_service_class_config",
        "stv_wlm_service_class_state",
        "svv_query_inflight",
        "svv_table_info",
        "svv_tables",
        "svv_columns",
        "svv_external_tables",
        "svv_external_columns",
        "svv_external_partitions",
    ] {
        let found = rows(&mut session, &format!("SELECT count(*) FROM {table}")).await.unwrap();
        assert_ne!(found, [["0"]], "{table} is empty");
    }
    // PostgreSQL's number of a division by zero within, as `errcodes.txt` and `elog.h` make it.
    let divided = "SELECT errcode, trim(context) FROM stl_error WHERE context = '22012'";
    assert_eq!(rows(&mut session, divided).await.unwrap(), [["33816706", "22012"]]);
    let until = "SELECT valuntil FROM stl_userlog WHERE username = 'ann' AND action = 'create'";
    assert_eq!(rows(&mut session, until).await.unwrap(), [["2031-02-03 00:00:00"]]);
}
