//! What becomes of files that a vacuum has replaced, and of a vacuum whose files are lost.

use super::number;
use millrace_engine::retention::RetentionPolicy;
use millrace_engine::{CommandTag, ErrorKind, Session, Severity, Warehouse};
use millrace_tests::database::rows;
use millrace_tests::warehouse_config;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The files of a table.
pub(super) fn files(folder: &Path, table: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder.join("data/default").join(table)).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// Two files, of which one has a delete file.
async fn fill(session: &mut Session, table: &str) {
    rows(session, &format!("CREATE TABLE {table} (n bigint)")).await.unwrap();
    for from in [0, 1000] {
        let text = format!("INSERT INTO {table} SELECT unnest(range({from}, {}))", from + 1000);
        rows(session, &text).await.unwrap();
    }
    rows(session, &format!("DELETE FROM {table} WHERE n < 500")).await.unwrap();
}

#[tokio::test]
async fn files_stay_while_a_snapshot_shows_them() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = Warehouse::open(warehouse_config(folder.path())).await.unwrap();
    let mut session = Session::new(Arc::clone(&warehouse));
    fill(&mut session, "t").await;
    assert_eq!(files(folder.path(), "t").len(), 3);
    let mut reader = Session::new(Arc::clone(&warehouse));
    rows(&mut reader, "BEGIN READ ONLY").await.unwrap();
    assert_eq!(number(&mut reader, "SELECT count(*) FROM t").await, 1500);
    rows(&mut session, "VACUUM t").await.unwrap();
    assert_eq!(files(folder.path(), "t").len(), 4);
    let now = RetentionPolicy { keep: Duration::ZERO, most: 1, grace: Duration::ZERO };
    tokio::time::sleep(Duration::from_millis(5)).await;
    warehouse.expire_by(&now).await.unwrap();
    assert_eq!(number(&mut reader, "SELECT sum(n) FROM t").await, 1_874_250);
    rows(&mut reader, "COMMIT").await.unwrap();
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        warehouse.expire_by(&now).await.unwrap();
    }
    assert_eq!(files(folder.path(), "t").len(), 1);
    assert_eq!(number(&mut session, "SELECT sum(n) FROM t").await, 1_874_250);
}

#[tokio::test]
async fn a_lost_file_is_told_and_the_other_tables_are_vacuumed() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = Warehouse::open(warehouse_config(folder.path())).await.unwrap();
    let mut session = Session::new(Arc::clone(&warehouse));
    fill(&mut session, "lost").await;
    fill(&mut session, "whole").await;
    let is_data = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "vortex");
    let lost = files(folder.path(), "lost").into_iter().find(is_data).unwrap();
    std::fs::remove_file(&lost).unwrap();
    let error = rows(&mut session, "VACUUM lost").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::UndefinedFile, "{error}");
    assert!(error.to_string().contains("lost"), "{error}");
    let parsed = session.parse("VACUUM").unwrap();
    let result = session.execute(&parsed[0]).await.unwrap();
    assert_eq!(result.tag, CommandTag::Verb("VACUUM"));
    let told: Vec<(Severity, bool)> =
        result.notices.iter().map(|notice| (notice.severity, notice.message.contains("default.lost"))).collect();
    assert_eq!(told, [(Severity::Warning, true), (Severity::Info, false)], "{:?}", result.notices);
    let message = &result.notices[1].message;
    assert!(message.contains("2 files rewritten") && message.contains("500 deleted rows removed"), "{message}");
    // Nothing was left behind by the one that failed.
    assert_eq!(files(folder.path(), "lost").len(), 2);
}
