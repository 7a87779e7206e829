//! Vacuums beside inserts, updates, deletes and readers that stay: nothing is lost, nothing is there twice.

use super::number;
use millrace_engine::{Session, Warehouse};
use millrace_tests::database::{execute, rows};
use millrace_tests::warehouse_config;
use sqllogictest::DBOutput;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

/// Statements of each writer.
const ROUNDS: i64 = 12;

/// What the writers were told.
#[derive(Default)]
struct Told {
    inserted: AtomicI64,
    deleted: AtomicI64,
    updated: AtomicI64,
    done: AtomicBool,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vacuums_beside_writers_and_readers() {
    let keys = ["", "SORTKEY (id)", "DISTKEY (id) SORTKEY (v, id) TABLE PROPERTIES ('format' = 'parquet')"];
    for keys in keys {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = Warehouse::open(warehouse_config(folder.path())).await.unwrap();
        let mut session = Session::new(Arc::clone(&warehouse));
        rows(&mut session, &format!("CREATE TABLE t (id bigint, v int) {keys}")).await.unwrap();
        rows(
            &mut session,
            "CREATE VIEW d AS SELECT column1 AS n FROM (VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)) x",
        )
        .await
        .unwrap();
        rows(&mut session, &insert(0)).await.unwrap();
        let mut reader = Session::new(Arc::clone(&warehouse));
        rows(&mut reader, "BEGIN READ ONLY").await.unwrap();
        assert_eq!(number(&mut reader, "SELECT count(*) FROM t").await, 200);

        let told = Arc::new(Told::default());
        let inserts = tokio::spawn(inserts(Session::new(Arc::clone(&warehouse)), Arc::clone(&told)));
        let changes = tokio::spawn(changes(Session::new(Arc::clone(&warehouse)), Arc::clone(&told)));
        let vacuums = tokio::spawn(vacuums(Session::new(Arc::clone(&warehouse)), Arc::clone(&told)));
        inserts.await.unwrap();
        changes.await.unwrap();
        told.done.store(true, Ordering::Relaxed);
        vacuums.await.unwrap();
        for nice in nice_of_connections() {
            let own = nice_of(Path::new("/proc/thread-self/stat"));
            assert_eq!(Some(nice), own, "{keys}: connections are for writers and readers too");
        }

        let read = |of: &AtomicI64| of.load(Ordering::Relaxed);
        let expected = 200 + read(&told.inserted) - read(&told.deleted);
        for text in ["SELECT count(*) FROM t", "SELECT count(DISTINCT id) FROM t", "SELECT count(v) FROM t"] {
            assert_eq!(number(&mut session, text).await, expected, "{keys}: {text}");
        }
        assert_eq!(number(&mut session, "SELECT sum(v) FROM t").await, read(&told.updated), "{keys}");
        for text in ["SELECT count(*) FROM t", "SELECT count(DISTINCT id) FROM t WHERE v = 0"] {
            assert_eq!(number(&mut reader, text).await, 200, "{keys}: {text} by the reader that stayed");
        }
        // What is left in order is found by its key.
        rows(&mut session, "VACUUM FULL t TO 100 PERCENT").await.unwrap();
        assert_eq!(number(&mut session, "SELECT count(*) FROM t WHERE id BETWEEN 0 AND 99999").await, expected);
        warehouse.close(std::time::Duration::from_secs(5)).await;
    }
}

/// The nice values of the threads of connections to catalogs, where the operating system tells those of threads.
fn nice_of_connections() -> Vec<i64> {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten();
    threads
        .filter_map(|thread| Some(thread.ok()?.path()))
        .filter(|thread| std::fs::read_to_string(thread.join("comm")).is_ok_and(|name| name.starts_with("sqlx-sqlite")))
        // Some end meanwhile.
        .filter_map(|thread| nice_of(&thread.join("stat")))
        .collect()
}

/// The 19th of the fields that Linux tells of a thread (proc_pid_stat(5)), of which the second is in parentheses.
fn nice_of(path: &Path) -> Option<i64> {
    let told = std::fs::read_to_string(path).ok()?;
    let (_, fields) = told.rsplit_once(')')?;
    fields.split_whitespace().nth(16)?.parse().ok()
}

/// Two hundred rows with numbers of their own.
fn insert(batch: i64) -> String {
    format!("INSERT INTO t SELECT {} + 100 * a.n + 10 * b.n + c.n, 0 FROM d a, d b, d c WHERE a.n < 2", batch * 1000)
}

async fn inserts(mut session: Session, told: Arc<Told>) {
    for batch in 1..=ROUNDS {
        rows(&mut session, &insert(batch)).await.unwrap();
        rows(&mut session, &format!("INSERT INTO t VALUES ({}, 0), ({}, 0)", batch * 1000 + 500, batch * 1000 + 501))
            .await
            .unwrap();
        told.inserted.fetch_add(202, Ordering::Relaxed);
    }
}

/// Deleted rows have never been updated: the sum of `v` is the number of updates.
async fn changes(mut session: Session, told: Arc<Told>) {
    for round in 0..ROUNDS {
        let texts = [
            format!("UPDATE t SET v = v + 1 WHERE id % 5 = {}", round % 4),
            format!("DELETE FROM t WHERE id % 5 = 4 AND id % 11 = {round}"),
        ];
        for (text, count) in texts.iter().zip([&told.updated, &told.deleted]) {
            match execute(&mut session, text).await.unwrap_or_else(|error| panic!("{text}: {error}")) {
                DBOutput::StatementComplete(rows) => count.fetch_add(rows as i64, Ordering::Relaxed),
                _ => panic!("{text} has rows"),
            };
        }
    }
}

async fn vacuums(mut session: Session, told: Arc<Told>) {
    let texts = [
        "VACUUM FULL t TO 100 PERCENT",
        "VACUUM DELETE ONLY t TO 100 PERCENT",
        "VACUUM SORT ONLY t TO 100 PERCENT",
        "VACUUM t BOOST",
        "VACUUM RECLUSTER t",
        "VACUUM",
    ];
    for text in texts.iter().cycle() {
        // Another would be refused, whoever asks for it: see below.
        rows(&mut session, text).await.unwrap_or_else(|error| panic!("{text}: {error}"));
        if told.done.load(Ordering::Relaxed) {
            return;
        }
    }
}

/// As in Redshift one vacuum runs at a time, in whichever process: the turn is a lock on a file of the warehouse.
#[tokio::test]
async fn a_second_vacuum_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = Warehouse::open(warehouse_config(folder.path())).await.unwrap();
    let mut session = Session::new(Arc::clone(&warehouse));
    rows(&mut session, "CREATE TABLE t (id bigint)").await.unwrap();
    rows(&mut session, "VACUUM").await.unwrap();
    let running = std::fs::File::open(folder.path().join("vacuum.lock")).unwrap();
    running.lock().unwrap();
    for text in ["VACUUM t", "VACUUM DELETE ONLY"] {
        let error = rows(&mut session, text).await.unwrap_err();
        assert_eq!((error.sqlstate(), error.message.as_str()), ("55006", "VACUUM is running"), "{text}");
        assert!(error.hint.is_some());
    }
    drop(running);
    rows(&mut session, "VACUUM t").await.unwrap();
}
