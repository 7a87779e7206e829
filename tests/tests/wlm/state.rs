//! What a statement does is seen while it waits and while it runs, in every table that tells of it.

use super::{ENDLESS, hold, spawn, tell, until_waiting, world};
use millrace_engine::{ErrorKind, Session};
use millrace_tests::database::rows;
use std::sync::Arc;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_runs_and_who_waits_is_seen() {
    let (_folder, warehouse) = world(r#"[{"query_concurrency":1}]"#).await;
    let runs = spawn(Session::new(Arc::clone(&warehouse)), ENDLESS);
    let joins = "SELECT count(*) > 0 FROM svv_query_state WHERE label LIKE 'nloop%' AND rows > 0";
    let mut joined = false;
    for _ in 0..1_000 {
        joined = tell(&warehouse, joins).await == [["true"]];
        if joined {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(joined, "svv_query_state tells of no join");
    let waits = spawn(Session::new(Arc::clone(&warehouse)), "SELECT count(*) FROM n");
    until_waiting(&warehouse, 1).await;
    for (text, expected) in [
        (
            "SELECT status, service_class_id FROM sys_query_history WHERE query_text LIKE '%j.a < 0'",
            &["running", "6"][..],
        ),
        (
            "SELECT status, queue_time > 0, service_class_id FROM sys_query_history \
             WHERE query_text = 'SELECT count(*) FROM n'",
            &["queued", "true", "6"],
        ),
        ("SELECT count(*) > 0 FROM sys_query_detail WHERE is_active = 't' AND step_name = 'nestloop'", &["true"]),
        ("SELECT count(*) FROM sys_query_detail WHERE is_active = 't' AND metrics_level = 'child query'", &["1"]),
        ("SELECT count(*) > 0, max(query_priority) FROM stv_query_metrics WHERE step_type = 15", &["true", "-1"]),
        ("SELECT service_class, query_queue_time >= 0 FROM stv_query_metrics WHERE segment = -1", &["6", "true"]),
        ("SELECT sequence FROM svv_query_inflight WHERE text LIKE 'SELECT count(*) FROM n a%'", &["0"]),
        ("SELECT rtrim(status), user_name FROM stv_recents WHERE query LIKE '%j.a < 0'", &["Running", "admin"]),
        ("SELECT position FROM stv_wlm_query_queue_state", &["0"]),
        ("SELECT count(*) FROM stv_wlm_query_task_state", &["1"]),
        ("SELECT value FROM millrace_status WHERE name = 'statements_queued'", &["1"]),
        ("SELECT value FROM millrace_status WHERE name = 'statements_in_slots'", &["1"]),
    ] {
        assert_eq!(tell(&warehouse, text).await, [expected], "{text}");
    }
    runs.abort();
    assert_eq!(waits.await.unwrap().unwrap(), [["10"]]);
    // What has ended is told as such.
    let ended = "SELECT status, service_class_id FROM sys_query_history WHERE query_text = 'SELECT count(*) FROM n'";
    assert_eq!(tell(&warehouse, ended).await, [["success", "6"]]);
    assert_eq!(tell(&warehouse, "SELECT count(*) FROM svv_query_state WHERE label LIKE 'nloop%'").await, [["0"]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_timeout_counts_the_time_in_the_queue() {
    let (_folder, warehouse) = world(r#"[{"query_concurrency":1}]"#).await;
    let mut first = Session::new(Arc::clone(&warehouse));
    let held = hold(&mut first).await;
    let mut second = Session::new(Arc::clone(&warehouse));
    rows(&mut second, "SET statement_timeout TO 200").await.unwrap();
    let error = rows(&mut second, "SELECT a FROM n").await.unwrap_err();
    assert_eq!((error.kind, error.sqlstate()), (ErrorKind::Cancelled, "57014"), "{error}");
    until_waiting(&warehouse, 0).await;
    drop(held);
    rows(&mut second, "SET statement_timeout TO 0").await.unwrap();
    assert_eq!(rows(&mut second, "SELECT count(*) FROM n").await.unwrap(), [["10"]]);
}
