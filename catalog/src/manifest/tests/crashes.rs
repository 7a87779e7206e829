//! Processes that are killed while they commit.

use super::*;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The environment variable by which the test below tells the process that it kills which folder to use.
const CHILD: &str = "MILLRACE_TEST_MANIFEST_CATALOG";
/// Rows that each commit adds to the catalog, beside one file for each of two tables.
const ADDED: i64 = 500;

/// Commits until it is killed.
#[tokio::test]
async fn child_process() {
    let Ok(folder) = std::env::var(CHILD) else { return };
    let catalog = Catalog::open_at(&place_in(folder.as_ref())).await.unwrap();
    loop {
        let snapshot = catalog.snapshot().await.unwrap();
        let id = |name| snapshot.managed_table("default", name).unwrap().id;
        let rows = (0..ADDED).map(|a| row(a, "x")).collect();
        let changes = [add(id("t"), "f", 1), add(id("u"), "f", 1), ManifestChange::InlineRows { table: id("t"), rows }];
        // They share a transaction of the database.
        let commits = (0..3).map(|_| try_commit(&catalog, snapshot.manifest_version(), &[], &changes));
        assert!(futures::future::join_all(commits).await.iter().all(Result::is_ok));
    }
}

#[tokio::test]
async fn a_killed_commit_is_there_whole_or_not_at_all() {
    let place = Place::new().await;
    let (t, u) = (place.table("t").await, place.table("u").await);
    let first = place.newest().await;
    for round in 0..8 {
        let before = place.newest().await;
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "manifest::tests::crashes::child_process"]).env(CHILD, place.folder.path());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while place.newest().await == before {
            assert!(child.try_wait().unwrap().is_none(), "the process ended by itself");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        // Each round stops at another point of a commit.
        tokio::time::sleep(Duration::from_millis(3 * round)).await;
        child.kill().unwrap();
        child.wait().unwrap();

        let now = place.newest().await;
        let commits = now - first;
        assert_eq!(place.paths(t, now).await.len() as i64, commits);
        assert_eq!(place.paths(u, now).await.len() as i64, commits);
        assert_eq!(ids(&place.inlined(t).await).len() as i64, commits * ADDED);
        let known = place.catalog.table_statistics(t).await.unwrap();
        assert_eq!((known.record_count as i64, known.next_row_id), (commits * (ADDED + 1), commits * (ADDED + 1)));
    }
}
