//! Many clients: limits hold, nobody is passed by for long, and a thousand may wait.

use super::{grouped, hold, spawn, tell, until_waiting, world};
use millrace_engine::session::Signal;
use millrace_engine::{ErrorKind, Session, Warehouse};
use millrace_tests::database::rows;
use millrace_tests::stays::{COLUMNS, Found, Stay, judge};
use std::sync::Arc;
use tokio::sync::Notify;

/// What became of the statements of a service class.
async fn judged(warehouse: &Arc<Warehouse>, class: i32) -> Found {
    let waited = "exec_start_time IS NOT NULL";
    let text = format!("SELECT {COLUMNS} FROM stl_wlm_query WHERE service_class = {class} AND {waited}");
    let mut stays = Vec::new();
    for row in tell(warehouse, &text).await {
        let at = |at: usize| row[at].parse().unwrap();
        stays.push(Stay { queued: at(0), begun: at(1), ended: at(2) });
    }
    judge(&stays)
}

/// The short form of `millrace-bench queues`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_clients_keep_to_three_queues() {
    let (_folder, warehouse) = world(
        r#"[{"query_group":["five"],"query_concurrency":5},{"query_group":["three"],"query_concurrency":3},
            {"query_concurrency":2},{"short_query_queue":true,"max_execution_time":1000}]"#,
    )
    .await;
    let mut clients = Vec::new();
    for client in 0..200 {
        let group = ["five", "three", "two", "five", "three", "five", "two", "five", "three", "five"][client % 10];
        let mut session = grouped(&warehouse, group).await;
        clients.push(tokio::spawn(async move {
            for turn in 0..3 {
                let (text, count) = if (client + turn) % 5 == 0 {
                    ("SELECT count(*) FROM n a, n b, n c, n d, n e WHERE a.a + b.a + c.a + d.a + e.a < 45", "99999")
                } else {
                    ("SELECT count(*) FROM n WHERE a < 7", "7")
                };
                assert_eq!(rows(&mut session, text).await.unwrap(), [[count]]);
            }
        }));
    }
    for client in clients {
        client.await.unwrap();
    }
    let mut statements = 0;
    for (class, slots) in [(6, 5), (7, 3), (8, 2), (14, 4)] {
        let found = judged(&warehouse, class).await;
        assert!(found.at_once <= slots, "class {class}: {found:?}");
        // When a statement has its slot is written down a moment after it was given.
        assert!(found.passed_by <= 2 * slots, "class {class}: {found:?}");
        // How many ran in the queue of short ones is chance; some of each of the others did not.
        assert!(class == 14 || found.statements > 0, "class {class}: {found:?}");
        statements += found.statements;
    }
    // None is missing; short ones that took long went on in their own queue.
    assert!(statements >= 600, "{statements} statements");
    let state = "SELECT sum(num_queued_queries), sum(num_executing_queries) FROM stv_wlm_service_class_state";
    assert_eq!(tell(&warehouse, state).await, [["0", "0"]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_wait_in_their_order() {
    let (_folder, warehouse) = world(r#"[{"query_concurrency":2}]"#).await;
    let (mut first, mut second) = (Session::new(Arc::clone(&warehouse)), Session::new(Arc::clone(&warehouse)));
    let held = (hold(&mut first).await, hold(&mut second).await);
    let waiting: Vec<_> = (0..1_000).map(|_| spawn(Session::new(Arc::clone(&warehouse)), "SELECT a FROM n")).collect();
    until_waiting(&warehouse, 1_000).await;
    // What is no query of tables passes them by.
    assert_eq!(tell(&warehouse, "SET query_group TO 'x'; SHOW query_group").await, [["x"]]);
    assert_eq!(tell(&warehouse, "SELECT count(*) FROM pg_class WHERE relname = 'n'").await, [["1"]]);
    // Half of them leave, from all places of the queue; the others keep theirs.
    let mut stay = Vec::new();
    for (at, task) in waiting.into_iter().enumerate() {
        if at % 2 == 0 {
            task.abort();
        } else {
            stay.push(task);
        }
    }
    until_waiting(&warehouse, 500).await;
    drop(held);
    for task in stay {
        assert_eq!(task.await.unwrap().unwrap().len(), 10);
    }
    let found = judged(&warehouse, 6).await;
    assert!(found.at_once <= 2 && found.passed_by <= 4, "{found:?}");
    let state = "SELECT num_queued_queries, num_executing_queries, num_executed_queries \
                 FROM stv_wlm_service_class_state WHERE service_class = 6";
    assert_eq!(tell(&warehouse, state).await, [["0", "0", "502"]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_can_be_cancelled_and_the_queue_is_bounded() {
    let (_folder, warehouse) = world(r#"[{"query_concurrency":1}]"#).await;
    let mut first = Session::new(Arc::clone(&warehouse));
    let held = hold(&mut first).await;
    // By another session, while it waits.
    let mut session = Session::new(Arc::clone(&warehouse));
    let cancelled = Arc::new(Notify::new());
    let signal = Arc::clone(&cancelled);
    session.on_signal(move |sent| {
        assert_eq!(*sent, Signal::Cancel(None));
        signal.notify_one();
    });
    let pid = session.pid();
    let waits = tokio::spawn(async move {
        tokio::select! {
            _ = rows(&mut session, "SELECT a FROM n") => panic!("it has no slot"),
            () = cancelled.notified() => {}
        }
    });
    until_waiting(&warehouse, 1).await;
    tell(&warehouse, &format!("CANCEL {pid}")).await;
    waits.await.unwrap();
    until_waiting(&warehouse, 0).await;
    // 2,000 may wait.
    let waiting: Vec<_> = (0..2_000).map(|_| spawn(Session::new(Arc::clone(&warehouse)), "SELECT a FROM n")).collect();
    until_waiting(&warehouse, 2_000).await;
    let refused = rows(&mut Session::new(Arc::clone(&warehouse)), "SELECT a FROM n").await.unwrap_err();
    assert_eq!((refused.kind, refused.sqlstate()), (ErrorKind::QueueFull, "53400"));
    for task in &waiting {
        task.abort();
    }
    until_waiting(&warehouse, 0).await;
    drop(held);
    assert_eq!(tell(&warehouse, "SELECT count(*) FROM n").await, [["10"]]);
}
