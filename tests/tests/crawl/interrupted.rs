//! Runs that do not come to their end leave the catalog as it was, and a record of it.

use crate::{process, run, start, told};
use millrace_engine::{ErrorKind, Session, Warehouse, WarehouseConfig};
use millrace_tests::database::rows;
use millrace_tests::script::{World, lake};
use millrace_tests::{Effect, Fault, Operation};
use sqlx::{ConnectOptions, Connection};
use std::path::Path;
use std::time::Duration;

const ALL: [&str; 5] =
    ["CREATED airlines 0", "CREATED airports 0", "CREATED flights 12", "CREATED planes 0", "CREATED weather 12"];

/// A world with a crawler `c` whose objects do not arrive.
async fn stalled() -> (World, Session) {
    let world = World::new(true).await.unwrap();
    let mut session = world.session();
    let create = format!("CREATE CRAWLER c DATABASE d TARGETS ('{}/lake')", world.bucket_url());
    rows(&mut session, &create).await.unwrap();
    let delay = Effect::Delay(Duration::from_secs(25));
    world.s3.as_ref().unwrap().0.faults().inject(Fault::always(Operation::Get, delay));
    (world, session)
}

/// Waits until an object was asked for: then the run is in the middle.
async fn until_reading(world: &World) {
    while world.s3.as_ref().unwrap().0.faults().count(Operation::Get) == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn state(session: &mut Session) -> String {
    rows(session, "SHOW CRAWLERS").await.unwrap()[0][1].clone()
}

/// The newest run was cancelled, nothing came of it, and the crawler can run again.
async fn check_cancelled(world: &World, session: &mut Session) {
    while run(session, "c").await[2] == "RUNNING" {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(run(session, "c").await[2], "CANCELLED");
    assert_eq!(state(session).await, "READY");
    assert_eq!(rows(session, "SHOW SCHEMAS").await.unwrap(), [["default"]]);
    world.s3.as_ref().unwrap().0.faults().clear();
    assert_eq!(start(session, "c").await, ALL);
    assert_eq!(run(session, "c").await[2], "SUCCEEDED");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_session_stops_a_run_and_none_starts_beside_it() {
    let (world, mut session) = stalled().await;
    let mut other = world.session();
    let running = tokio::spawn(async move { rows(&mut other, "START CRAWLER c").await });
    until_reading(&world).await;
    assert_eq!(state(&mut session).await, "RUNNING");
    let error = rows(&mut session, "START CRAWLER c").await.unwrap_err();
    assert_eq!((error.kind, error.sqlstate()), (ErrorKind::Serialization, "40001"), "{error}");
    assert!(error.to_string().contains("already running"), "{error}");
    rows(&mut session, "STOP CRAWLER c").await.unwrap();
    assert_eq!(state(&mut session).await, "STOPPING");
    let error = running.await.unwrap().unwrap_err();
    assert_eq!(error.kind, ErrorKind::Cancelled, "{error}");
    check_cancelled(&world, &mut session).await;
    let error = rows(&mut session, "STOP CRAWLER c").await.unwrap_err();
    assert!(error.to_string().contains("is not running"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_cancels_a_run() {
    let (world, mut session) = stalled().await;
    rows(&mut session, "SET statement_timeout TO 500").await.unwrap();
    let error = rows(&mut session, "START CRAWLER c").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Cancelled, "{error}");
    check_cancelled(&world, &mut world.session()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_statement_cancels_its_run() {
    let (world, mut session) = stalled().await;
    let mut other = world.session();
    let running = tokio::spawn(async move { rows(&mut other, "START CRAWLER c").await });
    until_reading(&world).await;
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    check_cancelled(&world, &mut session).await;
}

/// However early a statement is dropped, its run does not stay.
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_dropped_at_once_leaves_no_run() {
    let (world, mut session) = stalled().await;
    for wait in 0..20 {
        let mut other = world.session();
        let running = tokio::spawn(async move { rows(&mut other, "START CRAWLER c").await });
        tokio::time::sleep(Duration::from_micros(wait * 200)).await;
        running.abort();
        // One that begins while the last one is on its way out is refused.
        if let Ok(ended) = running.await {
            assert_eq!(ended.unwrap_err().kind, ErrorKind::Serialization);
        }
    }
    let ended = async {
        loop {
            let runs = rows(&mut session, "SHOW CRAWLER RUNS c").await.unwrap();
            if runs.iter().all(|run| run[2] == "CANCELLED") {
                return runs.len();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    // Well before the catalog takes a silent run for that of a process that ended.
    assert!(tokio::time::timeout(Duration::from_secs(30), ended).await.unwrap() > 0);
}

async fn open(folder: &Path) -> Session {
    Session::new(Warehouse::open(WarehouseConfig::new(folder)).await.unwrap())
}

/// Makes the last heartbeat of all runs an old one, as if a minute had gone by.
async fn age(warehouse: &Path) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(warehouse.join("catalog.db"));
    let mut connection = options.connect().await.unwrap();
    sqlx::query("UPDATE millrace_crawl SET heartbeat_ms = heartbeat_ms - 60000")
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_killed_process_leaves_all_or_nothing_and_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let mut cut = 0;
    for round in 0..4 {
        let mut child = process::start("interrupted::process_crawls", folder.path());
        tokio::time::sleep(Duration::from_millis(900 + 170 * round)).await;
        child.kill().unwrap();
        child.wait().unwrap();
        let mut session = open(folder.path()).await;
        for crawler in rows(&mut session, "SHOW CRAWLERS").await.unwrap() {
            let (name, database) = (&crawler[0], &crawler[2]);
            let databases = rows(&mut session, "SHOW SCHEMAS").await.unwrap();
            let tables = if databases.iter().any(|row| row[0] == *database) {
                rows(&mut session, &format!("SHOW TABLES IN {database}")).await.unwrap().len()
            } else {
                0
            };
            let state = match rows(&mut session, &format!("SHOW CRAWLER RUNS {name}")).await.unwrap().first() {
                Some(run) => run[2].clone(),
                None => "none".to_owned(),
            };
            match state.as_str() {
                "SUCCEEDED" => assert_eq!(tables, 5),
                "RUNNING" => {
                    assert_eq!(tables, 0);
                    let error = rows(&mut session, &format!("START CRAWLER {name}")).await.unwrap_err();
                    assert_eq!(error.sqlstate(), "40001", "{error}");
                    age(folder.path()).await;
                    assert_eq!(run(&mut session, name).await[2], "CANCELLED");
                    assert!(told(&mut session, name).await.contains("the process that ran the crawl ended"));
                    assert_eq!(start(&mut session, name).await, ALL);
                    cut += 1;
                }
                other => assert_eq!((other, tables), ("none", 0)),
            }
        }
    }
    assert!(cut > 0, "no process was killed while it crawled");
}

#[tokio::test]
#[ignore = "another test runs it as a process"]
async fn process_crawls() {
    let Some(folder) = process::folder() else { return };
    let mut session = open(&folder).await;
    for n in 0.. {
        let name = format!("c{}_{n}", std::process::id());
        let create = format!("CREATE CRAWLER {name} DATABASE d_{name} TARGETS ('{}')", lake().display());
        rows(&mut session, &create).await.unwrap();
        rows(&mut session, &format!("START CRAWLER {name}")).await.unwrap();
    }
}
