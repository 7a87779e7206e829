//! Processes that write the same and different tables at once, and a clock that goes back.

use crate::{catalog_file, open, process};
use millrace_engine::{ErrorKind, Session};
use millrace_tests::database::rows;
use sqlx::{ConnectOptions, Connection};

const PROCESSES: usize = 3;
const ROUNDS: usize = 12;

async fn one(session: &mut Session, query: &str) -> String {
    rows(session, query).await.unwrap().remove(0).remove(0)
}

#[tokio::test]
async fn processes_write_the_same_and_different_tables() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = open(folder.path()).await.unwrap();
    rows(&mut session, "CREATE TABLE counter (n int); INSERT INTO counter VALUES (0)").await.unwrap();
    rows(&mut session, "CREATE TABLE log (id bigint IDENTITY(1, 1), process int, round int)").await.unwrap();
    let start = |_| process::start("rivals::process_writes_beside_others", folder.path());
    let children: Vec<_> = (0..PROCESSES).map(start).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let total = (PROCESSES * ROUNDS).to_string();
    // No change was lost, none was made twice, no number was given twice.
    assert_eq!(one(&mut session, "SELECT n FROM counter").await, total);
    let query = "SELECT count(*), count(DISTINCT id), count(DISTINCT process * 1000 + round) FROM log";
    let found = rows(&mut session, query).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0][0], &found[0][1]), (&total, &total));
    assert_eq!(rows(&mut session, "SHOW TABLES").await.unwrap().len(), 2 + PROCESSES);
}

#[tokio::test]
#[ignore = "another test runs it as a process"]
async fn process_writes_beside_others() {
    let Some(folder) = process::folder() else { return };
    let mut session = open(&folder).await.unwrap();
    let me = std::process::id();
    rows(&mut session, &format!("CREATE TABLE own_{me} (round int)")).await.unwrap();
    for round in 0..ROUNDS {
        rows(&mut session, &format!("INSERT INTO own_{me} VALUES ({round})")).await.unwrap();
        rows(&mut session, &format!("INSERT INTO log (process, round) VALUES ({}, {round})", me % 1000)).await.unwrap();
        if round % 2 == 0 {
            // A statement of its own begins again when it came too late.
            rows(&mut session, "UPDATE counter SET n = n + 1").await.unwrap();
            continue;
        }
        // A block is told.
        loop {
            rows(&mut session, "BEGIN").await.unwrap();
            rows(&mut session, "UPDATE counter SET n = n + 1").await.unwrap();
            match rows(&mut session, "COMMIT").await {
                Ok(_) => break,
                Err(error) => assert_eq!(error.kind, ErrorKind::Serialization, "{error}"),
            }
        }
    }
    assert_eq!(one(&mut session, &format!("SELECT count(*) FROM own_{me}")).await, ROUNDS.to_string());
}

/// The newest snapshot was made by a clock that is a day ahead of ours.
#[tokio::test]
async fn a_clock_that_goes_back_changes_no_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = open(folder.path()).await.unwrap();
    rows(&mut session, "CREATE TABLE t (n int); INSERT INTO t VALUES (1)").await.unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(catalog_file(folder.path()));
    let mut connection = options.connect().await.unwrap();
    let later = "UPDATE ducklake_snapshot SET snapshot_time = strftime('%Y-%m-%d %H:%M:%f+00', 'now', '+1 day') \
                 WHERE snapshot_id = (SELECT max(snapshot_id) FROM ducklake_snapshot)";
    sqlx::query(later).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let mut session = open(folder.path()).await.unwrap();
    rows(&mut session, "INSERT INTO t VALUES (2); DELETE FROM t WHERE n = 1").await.unwrap();
    let mut times: Vec<String> =
        rows(&mut session, "SHOW SNAPSHOTS").await.unwrap().into_iter().map(|row| row[1].clone()).collect();
    let told = times.clone();
    times.sort();
    assert_eq!(told, times);
    assert_eq!(rows(&mut session, "SELECT n FROM t").await.unwrap(), [["2"]]);
    let retained = session.warehouse().expire().await.unwrap();
    assert_eq!((retained.snapshots, retained.files), (0, 0));
}
