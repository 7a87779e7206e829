//! A crawl from start to record.
//!
//! 1. The catalog notes that the crawler runs; nobody else can start it then.
//! 2. The targets are looked at ([`discover`]), while a heartbeat tells the catalog that this process lives and hears
//!    when the run is asked to stop.
//! 3. What was found is compared with the catalog, and all changes are made with the run's record in one commit. When
//!    somebody changed one of the tables in between, it is compared once more.
//!
//! A run that fails, is stopped or is dropped changes nothing but its record.

mod discover;
mod progress;
mod recrawl;

pub(crate) use discover::Discovery;
pub(crate) use progress::CrawlProgress;

use super::Skipped;
use super::compare::{Comparison, Known, Outcome, Situation, compare, is_within};
use crate::error::{Error, ErrorKind, Result};
use crate::federated::Place;
use crate::federated::declared::CONNECTION;
use crate::lake::location::Location;
use crate::warehouse::Warehouse;
use discover::discover;
use millrace_catalog::Catalog;
use millrace_catalog::model::{
    Crawl, CrawlMessage, CrawlMetrics, CrawlStatus, Crawler, CrawlerState, CrawlerTarget, Partition, TableChange,
    TableKind,
};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

/// How often a run says that it lives and hears that it is to stop.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// How often what was found is compared when others change the tables meanwhile.
const ATTEMPTS: usize = 3;

/// A crawl that succeeded.
#[derive(Debug)]
pub(crate) struct Crawled {
    /// Its record.
    pub(crate) crawl: Crawl,
    /// Its tables, by name.
    pub(crate) outcomes: Vec<Outcome>,
}

/// What a crawl would do.
#[derive(Debug)]
pub(crate) struct Explained {
    /// What was found.
    pub(crate) discovery: Discovery,
    /// What that changes.
    pub(crate) comparison: Comparison,
}

/// Runs a crawler to its end.
///
/// # Errors
/// `Serialization` while it is running already, `Cancelled` when it was asked to stop, and why it failed.
pub(crate) async fn crawl(warehouse: &Warehouse, crawler: &Crawler, progress: &CrawlProgress) -> Result<Crawled> {
    let catalog = warehouse.catalog();
    // In a task, so that a run that starts while its statement is dropped still comes to an end.
    let start = Run::start(Arc::clone(catalog), warehouse.cleanup().clone(), crawler.name.clone());
    let started = warehouse.cleanup().spawn(start).await;
    let mut run = started.map_err(|error| Error::internal(format!("starting a crawl failed: {error}")))??;
    let ended = tokio::select! {
        ended = work(warehouse, crawler, progress, run.record()?) => ended,
        error = heart(catalog, run.record()?) => Err(error),
    };
    match ended {
        Ok(done) => {
            run.crawl = None;
            Ok(done)
        }
        Err(error) => {
            let status = match error.kind {
                ErrorKind::Cancelled => CrawlStatus::Cancelled,
                _ => CrawlStatus::Failed,
            };
            if let Some(mut crawl) = run.crawl.take() {
                crawl.status = status;
                crawl.error_message = Some(error.to_string());
                if let Err(error) = catalog.finish_crawl(&crawl, &[]).await {
                    tracing::warn!(crawler = crawl.crawler, %error, "could not record the end of a crawl");
                }
            }
            Err(error)
        }
    }
}

/// Looks at a crawler's targets and compares, without a run.
///
/// # Errors
/// When no target can be listed.
pub(crate) async fn explain(warehouse: &Warehouse, crawler: &Crawler, progress: &CrawlProgress) -> Result<Explained> {
    let seen = Seen::read(warehouse.catalog(), crawler).await?;
    let discovery = look(warehouse, crawler, &seen, progress).await?;
    let comparison = seen.compare(crawler, &discovery);
    Ok(Explained { discovery, comparison })
}

async fn work(warehouse: &Warehouse, crawler: &Crawler, progress: &CrawlProgress, crawl: Crawl) -> Result<Crawled> {
    let catalog = warehouse.catalog();
    let mut seen = Seen::read(catalog, crawler).await?;
    let discovery = look(warehouse, crawler, &seen, progress).await?;
    let mut attempts = 1;
    loop {
        let comparison = seen.compare(crawler, &discovery);
        let crawl = record(&crawl, &discovery, &comparison, progress);
        match finish(catalog, &crawl, &comparison.changes).await {
            Ok(()) => return Ok(Crawled { crawl, outcomes: comparison.outcomes }),
            Err(error) if error.kind == ErrorKind::Serialization && attempts < ATTEMPTS => {
                attempts += 1;
                // A run that was taken over must not try again.
                catalog.beat_crawl(&crawl).await?;
                seen = Seen::read(catalog, crawler).await?;
            }
            Err(error) => return Err(error),
        }
    }
}

async fn finish(catalog: &Catalog, crawl: &Crawl, changes: &[TableChange]) -> Result<()> {
    catalog.finish_crawl(crawl, changes).await?;
    Ok(())
}

async fn look(warehouse: &Warehouse, crawler: &Crawler, seen: &Seen, progress: &CrawlProgress) -> Result<Discovery> {
    let mut classifiers = Vec::with_capacity(crawler.classifiers.len());
    for name in &crawler.classifiers {
        let classifier = warehouse.catalog().classifier(name).await?;
        classifiers.push(
            classifier.ok_or_else(|| {
                Error::new(ErrorKind::UndefinedObject, format!("classifier \"{name}\" does not exist"))
            })?,
        );
    }
    discover(warehouse, crawler, classifiers, &seen.known, progress).await
}

/// Ends with an error when the run is to end before its work is done.
async fn heart(catalog: &Catalog, crawl: Crawl) -> Error {
    loop {
        tokio::time::sleep(HEARTBEAT).await;
        match catalog.beat_crawl(&crawl).await {
            Ok(CrawlerState::Stopping) => {
                return Error::new(ErrorKind::Cancelled, format!("crawler \"{}\" was stopped", crawl.crawler));
            }
            Ok(_) => {}
            Err(error) => return error.into(),
        }
    }
}

/// The catalog as the comparison needs it.
struct Seen {
    known: Vec<Known>,
    taken: HashSet<String>,
    database_exists: bool,
}

impl Seen {
    async fn read(catalog: &Catalog, crawler: &Crawler) -> Result<Self> {
        let snapshot = catalog.snapshot().await?;
        let url = |target: &CrawlerTarget| match Place::of(&target.path) {
            Some(place) => Ok((place.url(), target.connection.clone())),
            None => Location::literal(&target.path).map(|place| (place.url(), None)),
        };
        let targets = crawler.targets.iter().map(url).collect::<Result<Vec<_>>>()?;
        let mut known = Vec::new();
        let mut taken = HashSet::new();
        for table in snapshot.tables(&crawler.database) {
            taken.insert(table.name.clone());
            let place = table.storage.location.as_deref().unwrap_or_default();
            // Tables of one name in systems that are reached otherwise are others.
            let connection = table.parameters.get(CONNECTION).filter(|_| Place::of(place).is_some());
            let concerned = targets.iter().any(|(target, reached)| {
                reached.as_ref() == connection && (is_within(place, target) || is_within(target, place))
            });
            if table.kind != TableKind::ExternalTable || !concerned {
                continue;
            }
            let partitions: Vec<Partition> =
                if table.partition_keys.is_empty() { Vec::new() } else { catalog.partitions(table, &[]).await? };
            known.push(Known { table: Arc::clone(table), partitions });
        }
        Ok(Self { known, taken, database_exists: snapshot.database(&crawler.database).is_some() })
    }

    fn compare(&self, crawler: &Crawler, discovery: &Discovery) -> Comparison {
        let situation = Situation {
            crawler,
            now_ms: chrono::Utc::now().timestamp_millis(),
            database_exists: self.database_exists,
            known: &self.known,
            taken: self.taken.clone(),
            places: &discovery.places,
        };
        compare(discovery.tables.clone(), discovery.additions.clone(), situation)
    }
}

/// The record of a run that succeeds.
fn record(crawl: &Crawl, discovery: &Discovery, comparison: &Comparison, progress: &CrawlProgress) -> Crawl {
    let skipped =
        |skipped: &Skipped| CrawlMessage { warning: true, text: format!("{}: {}", skipped.url, skipped.reason) };
    Crawl {
        status: CrawlStatus::Succeeded,
        metrics: CrawlMetrics {
            files_listed: progress.listed.files.load(Ordering::Relaxed),
            bytes_listed: progress.listed.bytes.load(Ordering::Relaxed),
            files_read: discovery.files_read,
            files_skipped: discovery.skipped.len() as u64,
            ..comparison.metrics
        },
        messages: comparison.messages.iter().cloned().chain(discovery.skipped.iter().map(skipped)).collect(),
        ..crawl.clone()
    }
}

/// A run whose end is not recorded yet; when it is dropped, it was cancelled.
struct Run {
    catalog: Arc<Catalog>,
    cleanup: TaskTracker,
    runtime: Handle,
    crawl: Option<Crawl>,
}

impl Run {
    async fn start(catalog: Arc<Catalog>, cleanup: TaskTracker, crawler: String) -> Result<Self> {
        let crawl = Some(catalog.start_crawl(&crawler).await?);
        Ok(Self { catalog, cleanup, runtime: Handle::current(), crawl })
    }

    fn record(&self) -> Result<Crawl> {
        self.crawl.clone().ok_or_else(|| Error::internal("the run has ended"))
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let Some(mut crawl) = self.crawl.take() else { return };
        let catalog = Arc::clone(&self.catalog);
        crawl.status = CrawlStatus::Cancelled;
        crawl.error_message = Some("canceled due to user request or statement timeout".to_owned());
        let end = async move {
            if let Err(error) = catalog.finish_crawl(&crawl, &[]).await {
                tracing::warn!(crawler = crawl.crawler, %error, "could not record the end of a crawl");
            }
        };
        self.cleanup.spawn_on(end, &self.runtime);
    }
}
