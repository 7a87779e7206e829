//! Processes that are killed while a crawl finishes.

use super::*;
use crate::model::{CrawledPartition, TableStatistics};
use std::process::{Command, Stdio};
use std::time::Duration;

/// The environment variable by which the test below tells the process that it kills which folder to use.
const CHILD: &str = "MILLRACE_TEST_CRAWLED_CATALOG";
/// Partitions that each run adds.
const ADDED: u64 = 1000;

/// Crawls until it is killed: each run gives the table another version, and partitions named after it.
#[tokio::test]
async fn child_process() {
    let Ok(folder) = std::env::var(CHILD) else { return };
    let catalog = Catalog::open_at(&place_in(folder.as_ref())).await.unwrap();
    age(&catalog, 61).await;
    loop {
        let run = catalog.start_crawl("c").await.unwrap();
        let t = catalog.get("default", "t").await.unwrap().unwrap();
        let crawled = |y: u64| CrawledPartition {
            partition: partition(&[&t.version.to_string(), &y.to_string()]),
            statistics: Some(TableStatistics { row_count: y, ..TableStatistics::default() }),
        };
        let changes = [
            TableChange::Update { table: t.clone(), statistics: None },
            TableChange::AddPartitions { table: t.clone(), partitions: (0..ADDED).map(crawled).collect() },
        ];
        catalog.finish_crawl(&ended(&run, CrawlStatus::Succeeded), &changes).await.unwrap();
    }
}

#[tokio::test]
async fn a_killed_run_has_changed_all_or_nothing() {
    let place = Place::new().await;
    let catalog = &place.catalog;
    catalog.create_crawler(&crawler("c"), false).await.unwrap();
    catalog.create_table(&table("t", &[("x", "int"), ("y", "int")]), false).await.unwrap();
    let mut versions = 1;
    for round in 0..6 {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "store::tests::crashes::child_process"]).env(CHILD, place.folder.path());
        let mut child = command.stdout(Stdio::null()).spawn().unwrap();
        while catalog.get("default", "t").await.unwrap().unwrap().version == versions {
            assert!(child.try_wait().unwrap().is_none(), "the process ended by itself");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        // Each round stops at another point of a run.
        tokio::time::sleep(Duration::from_millis(7 * round)).await;
        child.kill().unwrap();
        child.wait().unwrap();

        let t = catalog.get("default", "t").await.unwrap().unwrap();
        versions = t.version;
        let finished = u64::try_from(versions - 1).unwrap();
        assert_eq!(catalog.partition_count(&t).await.unwrap(), finished * ADDED);
        assert_eq!(catalog.partition_statistics(&t, &[]).await.unwrap().len() as u64, finished * ADDED);
        let runs = catalog.crawls(Some("c"), usize::MAX).await.unwrap();
        let succeeded = runs.iter().filter(|run| run.status == CrawlStatus::Succeeded).count();
        assert_eq!(succeeded as u64, finished, "so few runs are all kept: {}", runs.len());
    }
}
