//! Runs: one at a time, taken over, stopped, recorded.

use super::*;
use crate::model::{CrawlMessage, CrawlMetrics, CrawlerState};
use std::sync::Arc;

async fn with_crawler() -> Place {
    let place = Place::new().await;
    place.catalog.create_crawler(&crawler("c"), false).await.unwrap();
    place
}

#[tokio::test]
async fn a_run_is_recorded() {
    let place = with_crawler().await;
    let (catalog, other) = (&place.catalog, place.another().await);
    assert_eq!(catalog.crawler_state("c").await.unwrap(), CrawlerState::Ready);
    assert_eq!(catalog.last_crawl("c").await.unwrap(), None);
    let run = catalog.start_crawl("c").await.unwrap();
    assert_eq!((run.crawler.as_str(), run.status, run.end_time_ms), ("c", CrawlStatus::Running, None));
    assert!(run.start_time_ms > 1_600_000_000_000);
    assert_eq!(other.crawler_state("c").await.unwrap(), CrawlerState::Running);
    assert_eq!(other.crawls(Some("c"), 9).await.unwrap(), std::slice::from_ref(&run));
    assert_eq!(other.last_crawl("c").await.unwrap(), None, "the last one is the last that ended");

    let done = Crawl {
        status: CrawlStatus::Succeeded,
        end_time_ms: Some(run.start_time_ms + 5),
        metrics: CrawlMetrics { tables_created: 5, files_listed: 40, ..CrawlMetrics::default() },
        messages: vec![CrawlMessage { warning: true, text: "s3://b/x: encrypted".to_owned() }],
        ..run.clone()
    };
    assert_eq!(message(catalog.finish_crawl(&run, &[]).await), "the run of crawler \"c\" cannot finish as running");
    assert_eq!(catalog.finish_crawl(&done, &[]).await.unwrap(), []);
    assert_eq!(other.crawler_state("c").await.unwrap(), CrawlerState::Ready);
    assert_eq!(other.last_crawl("c").await.unwrap(), Some(done.clone()));
    assert!(matches!(catalog.finish_crawl(&done, &[]).await, Err(CatalogError::Conflict(_))));
    assert!(matches!(catalog.beat_crawl(&done).await, Err(CatalogError::Conflict(_))));

    let next = catalog.start_crawl("c").await.unwrap();
    assert!(next.id > run.id);
    assert_eq!(other.last_crawl("c").await.unwrap(), Some(done.clone()));
    let failed = Crawl { error_message: Some("no permission".to_owned()), ..ended(&next, CrawlStatus::Failed) };
    catalog.finish_crawl(&failed, &[]).await.unwrap();
    let last = other.last_crawl("c").await.unwrap().unwrap();
    assert_eq!((last.status, last.error_message), (CrawlStatus::Failed, Some("no permission".to_owned())));
    assert!(last.end_time_ms.unwrap() >= next.start_time_ms);
    let ids = |runs: Vec<Crawl>| runs.into_iter().map(|run| run.id).collect::<Vec<_>>();
    assert_eq!(ids(other.crawls(None, 9).await.unwrap()), [next.id, run.id]);
    assert_eq!(ids(other.crawls(Some("c"), 1).await.unwrap()), [next.id]);
    assert!(ids(other.crawls(Some("x"), usize::MAX).await.unwrap()).is_empty());
    for error in [
        message(catalog.start_crawl("x").await),
        message(catalog.stop_crawl("x").await),
        message(catalog.crawler_state("x").await),
    ] {
        assert_eq!(error, "crawler \"x\" does not exist");
    }
}

#[tokio::test]
async fn a_run_that_is_silent_is_taken_over() {
    let place = with_crawler().await;
    let (catalog, other) = (&place.catalog, place.another().await);
    let first = catalog.start_crawl("c").await.unwrap();
    age(catalog, 50).await;
    let error = other.start_crawl("c").await.unwrap_err();
    assert!(matches!(&error, CatalogError::Conflict(m) if m == "crawler \"c\" is already running"), "{error}");
    assert_eq!(catalog.beat_crawl(&first).await.unwrap(), CrawlerState::Running);
    age(catalog, 50).await;
    assert!(other.start_crawl("c").await.is_err(), "the heartbeat was renewed");

    age(catalog, 11).await;
    assert_eq!(other.crawler_state("c").await.unwrap(), CrawlerState::Ready);
    assert_eq!(message(other.stop_crawl("c").await), "crawler \"c\" is not running");
    let lost = other.last_crawl("c").await.unwrap().unwrap();
    assert_eq!((lost.id, lost.status), (first.id, CrawlStatus::Cancelled));
    // Late, but nobody took its place.
    assert_eq!(catalog.beat_crawl(&first).await.unwrap(), CrawlerState::Running);
    assert_eq!(other.last_crawl("c").await.unwrap(), None);

    age(catalog, 61).await;
    let second = other.start_crawl("c").await.unwrap();
    let runs = catalog.crawls(Some("c"), 9).await.unwrap();
    assert_eq!(runs.iter().map(|run| run.id).collect::<Vec<_>>(), [second.id, first.id]);
    assert_eq!(runs[1].status, CrawlStatus::Cancelled);
    assert!(runs[1].error_message.as_deref().unwrap().contains("process"), "{runs:?}");
    assert!(runs[1].end_time_ms.is_some());
    assert!(matches!(catalog.beat_crawl(&first).await, Err(CatalogError::Conflict(_))));
    let changes = [TableChange::CreateDatabase(crate::model::Database::new("d"))];
    let late = catalog.finish_crawl(&ended(&first, CrawlStatus::Succeeded), &changes).await;
    assert!(matches!(late, Err(CatalogError::Conflict(_))), "{late:?}");
    assert_eq!(catalog.get_database("d").await.unwrap(), None);
    assert_eq!(other.beat_crawl(&second).await.unwrap(), CrawlerState::Running);
}

#[tokio::test]
async fn a_clock_that_was_set_back_blocks_nobody() {
    let place = with_crawler().await;
    place.catalog.start_crawl("c").await.unwrap();
    age(&place.catalog, -3600).await;
    assert_eq!(place.catalog.crawler_state("c").await.unwrap(), CrawlerState::Ready);
    place.catalog.start_crawl("c").await.unwrap();
}

#[tokio::test]
async fn a_run_is_asked_to_stop() {
    let place = with_crawler().await;
    let (catalog, other) = (&place.catalog, place.another().await);
    let error = other.stop_crawl("c").await.unwrap_err();
    assert!(matches!(&error, CatalogError::InvalidArgument(m) if m == "crawler \"c\" is not running"), "{error}");
    let run = catalog.start_crawl("c").await.unwrap();
    assert_eq!(catalog.beat_crawl(&run).await.unwrap(), CrawlerState::Running);
    other.stop_crawl("c").await.unwrap();
    other.stop_crawl("c").await.unwrap();
    assert_eq!(other.crawler_state("c").await.unwrap(), CrawlerState::Stopping);
    assert!(matches!(other.start_crawl("c").await, Err(CatalogError::Conflict(_))));
    assert_eq!(catalog.beat_crawl(&run).await.unwrap(), CrawlerState::Stopping);
    catalog.finish_crawl(&ended(&run, CrawlStatus::Cancelled), &[]).await.unwrap();
    assert_eq!(other.last_crawl("c").await.unwrap().unwrap().status, CrawlStatus::Cancelled);
    let next = catalog.start_crawl("c").await.unwrap();
    assert_eq!(catalog.beat_crawl(&next).await.unwrap(), CrawlerState::Running);
}

#[tokio::test]
async fn crawling_leaves_snapshots_as_they_are() {
    let place = with_crawler().await;
    let catalog = &place.catalog;
    let before = catalog.snapshot().await.unwrap();
    let run = catalog.start_crawl("c").await.unwrap();
    catalog.beat_crawl(&run).await.unwrap();
    catalog.stop_crawl("c").await.unwrap();
    let exists = [TableChange::CreateDatabase(crate::model::Database::new("default"))];
    catalog.finish_crawl(&ended(&run, CrawlStatus::Succeeded), &exists).await.unwrap();
    assert!(Arc::ptr_eq(&before, &catalog.snapshot().await.unwrap()));
}

#[tokio::test]
async fn runs_and_messages_are_bounded() {
    let place = with_crawler().await;
    let catalog = &place.catalog;
    catalog.create_crawler(&crawler("other"), false).await.unwrap();
    let kept = catalog.start_crawl("other").await.unwrap();
    let mut ids = Vec::new();
    for count in 999..1002 {
        let run = catalog.start_crawl("c").await.unwrap();
        let told = |n: usize| CrawlMessage { warning: n == 1000, text: n.to_string() };
        let done = Crawl { messages: (0..count).map(told).collect(), ..ended(&run, CrawlStatus::Succeeded) };
        catalog.finish_crawl(&done, &[]).await.unwrap();
        let stored = catalog.last_crawl("c").await.unwrap().unwrap().messages;
        assert_eq!(stored.len(), count.min(1000));
        assert_eq!(stored[998], told(998));
        if count > 1000 {
            assert_eq!(stored[999].text, "2 further messages were left out, 1 of them warnings");
            assert!(stored[999].warning);
        }
        ids.push(run.id);
    }
    for _ in 0..100 {
        let run = catalog.start_crawl("c").await.unwrap();
        ids.push(run.id);
        catalog.finish_crawl(&ended(&run, CrawlStatus::Succeeded), &[]).await.unwrap();
    }
    let runs = catalog.crawls(Some("c"), usize::MAX).await.unwrap();
    assert!(runs.iter().map(|run| run.id).eq(ids.iter().rev().take(100).copied()), "the newest hundred stay");
    assert_eq!(catalog.crawls(Some("other"), 9).await.unwrap(), [kept]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_start_one_crawler_one_succeeds() {
    let place = with_crawler().await;
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let catalog = place.another().await;
        tasks.push(tokio::spawn(async move { catalog.start_crawl("c").await }));
    }
    let results = futures::future::join_all(tasks).await;
    let (started, refused): (Vec<_>, Vec<_>) = results.into_iter().map(|r| r.unwrap()).partition(Result::is_ok);
    assert_eq!(started.len(), 1);
    assert!(refused.iter().all(|r| matches!(r, Err(CatalogError::Conflict(_)))), "{refused:?}");
    assert_eq!(place.catalog.crawls(None, 99).await.unwrap().len(), 1);
}
