//! Workload management with several sessions: limits that hold, statements that wait, hop, are ended, and go first.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod load;
mod state;

use futures::StreamExt;
use millrace_engine::{Error, ErrorKind, Session, StatementResult, Warehouse, WarehouseConfig};
use millrace_tests::database::rows;
#[cfg(target_os = "linux")]
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Takes minutes, unless it is ended.
const ENDLESS: &str = "SELECT count(*) FROM n a, n b, n c, n d, n e, n f, n g, n h, n i, n j WHERE a.a + b.a + c.a + \
                       d.a + e.a + f.a + g.a + h.a + i.a + j.a < 0";

/// A warehouse with these queues, and a table `n` of ten rows.
async fn world(queues: &str) -> (TempDir, Arc<Warehouse>) {
    world_with(queues, |_| {}).await
}

async fn world_with(queues: &str, change: impl FnOnce(&mut WarehouseConfig)) -> (TempDir, Arc<Warehouse>) {
    let folder = tempfile::tempdir().unwrap();
    let mut config = WarehouseConfig::new(folder.path().join("warehouse"));
    // What is kept needs no slots.
    config.result_cache_bytes = 0;
    config.target_partitions = Some(2);
    change(&mut config);
    let warehouse = Warehouse::open(config).await.unwrap();
    let setup = "CREATE TABLE n (a int); INSERT INTO n VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)";
    tell(&warehouse, setup).await;
    tell(&warehouse, &format!("ALTER SYSTEM SET wlm_json_configuration = '{queues}'")).await;
    (folder, warehouse)
}

/// Runs a text in a session of its own.
async fn tell(warehouse: &Arc<Warehouse>, text: &str) -> Vec<Vec<String>> {
    rows(&mut Session::new(Arc::clone(warehouse)), text).await.unwrap()
}

/// A session in a query group.
async fn grouped(warehouse: &Arc<Warehouse>, group: &str) -> Session {
    let mut session = Session::new(Arc::clone(warehouse));
    rows(&mut session, &format!("SET query_group TO '{group}'")).await.unwrap();
    session
}

/// Begins a query that holds its slots until the result is dropped.
async fn hold(session: &mut Session) -> StatementResult {
    let statements = session.parse("SELECT a FROM n").unwrap();
    session.execute(&statements[0]).await.unwrap()
}

/// Waits until so many statements wait in queues.
async fn until_waiting(warehouse: &Arc<Warehouse>, count: usize) {
    for _ in 0..1_000 {
        let found = tell(warehouse, "SELECT count(*) FROM stv_wlm_query_queue_state").await;
        if found == [[count.to_string()]] {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{count} statements do not wait");
}

/// Runs a text in the background.
fn spawn(mut session: Session, text: &'static str) -> tokio::task::JoinHandle<Result<Vec<Vec<String>>, Error>> {
    tokio::spawn(async move { rows(&mut session, text).await })
}

/// The stays of the statements of a text: service class and how it ended.
async fn stays(warehouse: &Arc<Warehouse>, like: &str) -> Vec<Vec<String>> {
    let text = format!(
        "SELECT w.service_class, rtrim(w.final_state) FROM stl_wlm_query w, stl_query q \
         WHERE w.query = q.query AND q.querytxt LIKE '{like}' ORDER BY w.queue_start_time, w.service_class"
    );
    tell(warehouse, &text).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_takes_several_slots() {
    let (_folder, warehouse) = world(r#"[{"query_concurrency":3}]"#).await;
    let mut first = Session::new(Arc::clone(&warehouse));
    rows(&mut first, "SET wlm_query_slot_count TO 2").await.unwrap();
    let held = hold(&mut first).await;
    let mut second = Session::new(Arc::clone(&warehouse));
    rows(&mut second, "SET wlm_query_slot_count TO 2").await.unwrap();
    let waits = spawn(second, "SELECT count(*) FROM n");
    until_waiting(&warehouse, 1).await;
    // The one slot that is free is not for who came later.
    let later = spawn(Session::new(Arc::clone(&warehouse)), "SELECT count(*) FROM n");
    until_waiting(&warehouse, 2).await;
    let state = "SELECT slot_count, rtrim(state) FROM stv_wlm_query_state ORDER BY task";
    assert_eq!(tell(&warehouse, state).await, [["2", "Running"], ["2", "QueuedWaiting"], ["1", "QueuedWaiting"]]);
    drop(held);
    assert_eq!(waits.await.unwrap().unwrap(), [["10"]]);
    assert_eq!(later.await.unwrap().unwrap(), [["10"]]);
    // A session that holds slots for a cursor runs its other statements in them.
    rows(&mut first, "SET wlm_query_slot_count TO 3; BEGIN; DECLARE c CURSOR FOR SELECT a FROM n").await.unwrap();
    assert_eq!(rows(&mut first, "FETCH 1 FROM c").await.unwrap().len(), 1);
    assert_eq!(rows(&mut first, "SELECT count(*) FROM n; COMMIT").await.unwrap(), Vec::<Vec<String>>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_limits_hop_or_end() {
    let (_folder, warehouse) = world(
        r#"[{"query_group":["quick"],"query_concurrency":2,"max_execution_time":150},
            {"query_group":["quick","slow*"],"query_group_wild_card":1,"query_concurrency":1,"max_execution_time":600},
            {"query_group":["again"],"query_concurrency":2,"max_execution_time":1},
            {"query_group":["again","later"],"query_concurrency":1},
            {"query_concurrency":5}]"#,
    )
    .await;
    // From the first queue to the second, where it ends: there is no third that it matches.
    let quick = grouped(&warehouse, "quick").await;
    let error = spawn(quick, ENDLESS).await.unwrap().unwrap_err();
    assert_eq!((error.kind, error.detail.as_deref()), (ErrorKind::Cancelled, Some("max_execution_time is 600 ms")));
    assert_eq!(stays(&warehouse, "%j.a < 0").await, [["6", "Evicted"], ["7", "Completed"]]);
    // Where the next queue has no room, it waits there and begins again.
    let mut later = grouped(&warehouse, "later").await;
    let held = hold(&mut later).await;
    let text = "SELECT count(*) AS again FROM n a, n b, n c, n d, n e, n f WHERE a.a + b.a + c.a + d.a + e.a + \
                f.a < 0";
    let hops = spawn(grouped(&warehouse, "again").await, text);
    until_waiting(&warehouse, 1).await;
    let queue = "SELECT service_class, position FROM stv_wlm_query_queue_state";
    assert_eq!(tell(&warehouse, queue).await, [["9", "0"]]);
    drop(held);
    assert_eq!(hops.await.unwrap().unwrap(), [["0"]]);
    assert_eq!(stays(&warehouse, "%AS again%").await, [["8", "Evicted"], ["9", "Completed"]]);
    // What writes is ended, and has written nothing.
    let mut writes = grouped(&warehouse, "quick").await;
    let insert = format!("INSERT INTO n {ENDLESS}");
    let error = rows(&mut writes, &insert).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Cancelled);
    assert_eq!(rows(&mut writes, "SELECT count(*) FROM n").await.unwrap(), [["10"]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_join_whose_condition_keeps_nothing_hears_its_limit() {
    let queues =
        r#"[{"query_group":["quick"],"query_concurrency":2,"max_execution_time":300},{"query_concurrency":5}]"#;
    let (_folder, warehouse) = world(queues).await;
    tell(&warehouse, "CREATE TABLE m AS SELECT x FROM generate_series(1, 60000) AS g (x)").await;
    let mut session = grouped(&warehouse, "quick").await;
    for join in ["m a, m b WHERE a.x + b.x < 0", "m a LEFT JOIN m b ON a.x + b.x < 0"] {
        let begun = Instant::now();
        let error = rows(&mut session, &format!("SELECT count(*) FROM {join}")).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Cancelled, "{error}");
        // Billions of pairs are minutes.
        assert!(begun.elapsed() < Duration::from_secs(3), "{join}: {:?}", begun.elapsed());
        assert_eq!(rows(&mut session, "SELECT count(*) FROM n").await.unwrap(), [["10"]]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_hop_abort_and_look_at_waiting() {
    let (_folder, warehouse) = world(
        r#"[{"query_group":["loops"],"query_concurrency":2,"rules":[{"rule_name":"loops","predicate":[
                {"metric_name":"nested_loop_join_row_count","operator":">","value":5000}],"action":"hop"}]},
            {"query_group":["loops"],"query_concurrency":1,"rules":[{"rule_name":"long","predicate":[
                {"metric_name":"query_execution_time","operator":">","value":0},
                {"metric_name":"segment_execution_time","operator":">","value":0},
                {"metric_name":"query_cpu_time","operator":"<","value":100000}],"action":"abort"}]},
            {"query_concurrency":1,"rules":[{"rule_name":"waits","predicate":[
                {"metric_name":"query_queue_time","operator":">","value":0}],"action":"abort"}]}]"#,
    )
    .await;
    let error = spawn(grouped(&warehouse, "loops").await, ENDLESS).await.unwrap().unwrap_err();
    assert!(error.kind == ErrorKind::Cancelled && error.message.contains("rule \"long\""), "{error}");
    assert_eq!(stays(&warehouse, "%j.a < 0").await, [["6", "Evicted"], ["7", "Completed"]], "{error}");
    let mut first = Session::new(Arc::clone(&warehouse));
    let held = hold(&mut first).await;
    let error = rows(&mut Session::new(Arc::clone(&warehouse)), "SELECT a FROM n").await.unwrap_err();
    assert!(error.message.contains("rule \"waits\""), "{error}");
    drop(held);
    let actions = "SELECT rtrim(rule), rtrim(action), service_class FROM stl_wlm_rule_action ORDER BY recordtime";
    let expected = [["loops", "hop(reassign)", "6"], ["long", "abort", "7"], ["waits", "abort", "8"]];
    assert_eq!(tell(&warehouse, actions).await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_reaches_who_waits() {
    let (folder, warehouse) = world(r#"[{"query_concurrency":1}]"#).await;
    let mut first = Session::new(Arc::clone(&warehouse));
    let held = hold(&mut first).await;
    let waits = spawn(Session::new(Arc::clone(&warehouse)), "SELECT count(*) FROM n");
    until_waiting(&warehouse, 1).await;
    tell(&warehouse, r#"ALTER SYSTEM SET wlm_json_configuration = '[{"query_concurrency":2}]'"#).await;
    assert_eq!(waits.await.unwrap().unwrap(), [["10"]]);
    // By the file, which nobody else tells of; a wrong one changes nothing.
    tell(&warehouse, r#"ALTER SYSTEM SET wlm_json_configuration = '[{"query_concurrency":1}]'"#).await;
    let file = folder.path().join("warehouse/wlm.json");
    let waits = spawn(Session::new(Arc::clone(&warehouse)), "SELECT count(*) FROM n");
    until_waiting(&warehouse, 1).await;
    std::fs::write(&file, "[{").unwrap();
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    until_waiting(&warehouse, 1).await;
    std::fs::write(&file, r#"[{"query_concurrency":3}]"#).unwrap();
    assert_eq!(waits.await.unwrap().unwrap(), [["10"]]);
    drop(held);
    assert_eq!(tell(&warehouse, "SHOW wlm_json_configuration").await, [[r#"[{"query_concurrency":3}]"#]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn short_queries_do_not_wait_behind_long_ones() {
    let (_folder, warehouse) = world(r#"[{"query_concurrency":1},{"short_query_queue":true}]"#).await;
    let count = "SELECT count(*) FROM n WHERE a < 7";
    assert_eq!(tell(&warehouse, count).await, [["7"]]);
    let mut first = Session::new(Arc::clone(&warehouse));
    let held = hold(&mut first).await;
    // Its kind was short before; of the other nothing is known.
    assert_eq!(tell(&warehouse, "SELECT count(*) FROM n WHERE a < 5").await, [["5"]]);
    let waits = spawn(Session::new(Arc::clone(&warehouse)), "SELECT max(a) FROM n");
    until_waiting(&warehouse, 1).await;
    drop(held);
    assert_eq!(waits.await.unwrap().unwrap(), [["9"]]);
    assert_eq!(stays(&warehouse, "%a < 5").await, [["14", "Completed"]]);
    assert_eq!(stays(&warehouse, "%max(a)%").await, [["6", "Completed"]]);
}

/// The threads that let others have the processor, of all warehouses of this process, and their nice values.
#[cfg(target_os = "linux")]
fn patient_threads() -> BTreeMap<String, i64> {
    let threads = std::fs::read_dir("/proc/self/task").unwrap().map(|thread| thread.unwrap().path());
    // A thread may end meanwhile.
    let stats = threads.filter_map(|thread| std::fs::read_to_string(thread.join("stat")).ok());
    let nice = |fields: &str| fields.split(' ').nth(16).unwrap().parse::<i64>().unwrap();
    stats.filter_map(|stat| stat.split_once(" (patient) ").map(|(thread, of)| (thread.to_owned(), nice(of)))).collect()
}

/// Waits until there are two more of them than there were, which let all others go before.
#[cfg(target_os = "linux")]
async fn until_patient(before: &BTreeMap<String, i64>) {
    let mut new: Vec<(String, i64)> = Vec::new();
    for _ in 0..500 {
        new = patient_threads().into_iter().filter(|(thread, _)| !before.contains_key(thread)).collect();
        if new.len() >= 2 && new.iter().all(|(_, nice)| *nice >= 10) {
            return;
        }
        // One that has begun a moment ago has neither its name nor its nice value.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the threads are {new:?}, there were {before:?}");
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn low_priorities_let_others_have_the_processor() {
    let (_folder, warehouse) =
        world(r#"[{"query_group":["low"],"priority":"low","auto_wlm":true},{"priority":"normal"}]"#).await;
    let before = patient_threads();
    let mut low = grouped(&warehouse, "low").await;
    assert_eq!(rows(&mut low, "SELECT max(a), min(a) FROM n").await.unwrap(), [["9", "0"]]);
    until_patient(&before).await;
    let error = rows(&mut low, "SELECT 7 / (a - 5) FROM n").await.unwrap_err();
    assert_eq!(error.kind.sqlstate(), "22012", "{error:?}");
    // Others go on beside one that takes all of the processor that it is given.
    let statements = low.parse(ENDLESS).unwrap();
    let mut endless = low.execute(&statements[0]).await.unwrap();
    let next = endless.rows.as_mut().unwrap().next();
    assert!(tokio::time::timeout(Duration::from_millis(200), next).await.is_err());
    assert_eq!(tell(&warehouse, "SELECT sum(a) FROM n").await, [["45"]]);
    let running = "SELECT rtrim(query_priority), count(*) FROM stv_wlm_query_state GROUP BY 1";
    assert_eq!(tell(&warehouse, running).await, [["low", "1"]]);
    drop(endless);
    assert_eq!(tell(&warehouse, "SELECT count(*) FROM stv_wlm_query_state").await, [["0"]]);
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_queries_let_short_ones_have_the_processor() {
    let (_folder, warehouse) = world(r#"[{"query_concurrency":2},{"short_query_queue":true}]"#).await;
    let before = patient_threads();
    // Nothing is known of it, so that it is not taken for short.
    assert_eq!(tell(&warehouse, "SELECT max(a), min(a) FROM n").await, [["9", "0"]]);
    until_patient(&before).await;
    let mut session = Session::new(Arc::clone(&warehouse));
    let error = rows(&mut session, "SELECT 7 / (a - 5) FROM n").await.unwrap_err();
    assert_eq!(error.kind.sqlstate(), "22012", "{error:?}");
    // Whoever does not want its rows any more gives its slots back.
    let statements = session.parse(ENDLESS).unwrap();
    let mut endless = session.execute(&statements[0]).await.unwrap();
    let next = endless.rows.as_mut().unwrap().next();
    assert!(tokio::time::timeout(Duration::from_millis(200), next).await.is_err());
    drop(endless);
    assert_eq!(tell(&warehouse, "SELECT count(*) FROM stv_wlm_query_state").await, [["0"]]);
    assert_eq!(tell(&warehouse, "SELECT sum(a) FROM n").await, [["45"]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_memory_of_a_slot_is_hard() {
    let queues = r#"[{"query_group":["small"],"query_concurrency":5,"memory_percent_to_use":1},
        {"query_concurrency":1,"memory_percent_to_use":90}]"#;
    let (_folder, warehouse) = world_with(queues, |config| config.memory_limit_bytes = Some(256 << 20)).await;
    // What a window's partition holds does not go to the disk.
    let text =
        "SELECT count(s) FROM (SELECT sum(x.a) OVER (PARTITION BY x.a * 0) AS s FROM n x, n y, n z, n u, n v) AS w";
    let error = spawn(grouped(&warehouse, "small").await, text).await.unwrap().unwrap_err();
    assert_eq!(error.kind, ErrorKind::OutOfMemory, "{error:?}");
    assert!(format!("{error:?}").contains("its slots in the queue are"), "{error:?}");
    assert_eq!(tell(&warehouse, text).await, [["100000"]]);
}
