//! Runs of crawlers: their record, and that of one crawler at most one runs, in whichever process.
//!
//! A process that crawls renews its run's heartbeat. A run whose heartbeat is older than [`HEARTBEAT_TIMEOUT_MS`]
//! belonged to a process that ended: it counts as cancelled from then on, and the next run takes its place. Whoever
//! was taken over learns it from its next heartbeat, or at the latest from [`Catalog::finish_crawl`], which then
//! changes nothing.

use super::catalog::Catalog;
use super::changes::apply;
use super::connection::{Lease, Write};
use super::crawlers::existing_crawler;
use super::document::{decode, encode};
use super::migrate::now_ms;
use super::place::Place;
use super::sql::sql;
use crate::error::{CatalogError, Result};
use crate::model::{Crawl, CrawlMessage, CrawlMetrics, CrawlStatus, CrawlerState, Table, TableChange};

/// A run that was silent for so long belongs to a process that ended. Renew several times within it.
pub const HEARTBEAT_TIMEOUT_MS: i64 = 60_000;
/// Runs kept of each crawler.
const MOST_RUNS: i64 = 100;
/// Messages kept of each run, the one that counts the others included.
const MOST_MESSAGES: usize = 1000;

const SELECT_RUNNING: &str = "SELECT id, crawler_name, state, heartbeat_ms, document FROM millrace_crawl \
     WHERE crawler_name = $1 AND state <> 'READY'";

/// `id, crawler_name, state, heartbeat_ms, document` of a run. The state is the one that the run gives its crawler:
/// `READY` once it has ended.
type RunRow = (i64, String, String, i64, String);

impl Catalog {
    /// Starts a run. [`CatalogError::Conflict`] while another one is running; one whose process ended is marked as
    /// cancelled. Of more than 100 runs of a crawler the oldest go.
    pub async fn start_crawl(&self, crawler: &str) -> Result<Crawl> {
        let mut write = self.write().await?;
        existing_crawler(&mut write, crawler).await?;
        let now = now_ms();
        if let Some(run) = find_running(&mut write, crawler).await? {
            if run.is_alive(now) {
                return Err(CatalogError::Conflict(format!("crawler \"{crawler}\" is already running")));
            }
            let lost = run.shown(now);
            end(&mut write, &lost).await?;
        }
        let crawl = Crawl {
            id: write.allocate(1).await?,
            crawler: crawler.to_owned(),
            status: CrawlStatus::Running,
            start_time_ms: now,
            end_time_ms: None,
            error_message: None,
            metrics: CrawlMetrics::default(),
            messages: Vec::new(),
        };
        let query = "INSERT INTO millrace_crawl (id, crawler_name, state, heartbeat_ms, document) \
                     VALUES ($1, $2, 'RUNNING', $3, $4)";
        let query = sql(query).bind(crawl.id).bind(crawler).bind(now).bind(encode(&crawl)?);
        write.execute(query).await?;
        let query = "DELETE FROM millrace_crawl WHERE crawler_name = $1 AND id <= \
                     (SELECT id FROM millrace_crawl WHERE crawler_name = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)";
        write.execute(sql(query).bind(crawler).bind(MOST_RUNS)).await?;
        write.commit_uncounted().await?;
        Ok(crawl)
    }

    /// Renews a run's heartbeat; `Stopping` when it was asked to stop. [`CatalogError::Conflict`] when it has ended or
    /// another run took its place. Snapshots stay valid.
    pub async fn beat_crawl(&self, crawl: &Crawl) -> Result<CrawlerState> {
        let mut write = self.write().await?;
        let query = sql("SELECT state FROM millrace_crawl WHERE id = $1 AND state <> 'READY'");
        let Some((state,)): Option<(String,)> = write.first(query.bind(crawl.id)).await? else {
            return Err(lost(crawl));
        };
        let query = sql("UPDATE millrace_crawl SET heartbeat_ms = $1 WHERE id = $2");
        write.execute(query.bind(now_ms()).bind(crawl.id)).await?;
        write.commit_uncounted().await?;
        Ok(parse_state(&state))
    }

    /// Asks the crawler's run to stop, which it does when it next renews its heartbeat.
    /// [`CatalogError::InvalidArgument`] when none is running; asking again is no error.
    pub async fn stop_crawl(&self, crawler: &str) -> Result<()> {
        let mut write = self.write().await?;
        existing_crawler(&mut write, crawler).await?;
        let run = find_running(&mut write, crawler).await?.filter(|run| run.is_alive(now_ms()));
        let Some(run) = run else {
            return Err(CatalogError::InvalidArgument(format!("crawler \"{crawler}\" is not running")));
        };
        let query = sql("UPDATE millrace_crawl SET state = 'STOPPING' WHERE id = $1");
        write.execute(query.bind(run.crawl.id)).await?;
        write.commit_uncounted().await
    }

    /// What the crawler is doing.
    pub async fn crawler_state(&self, name: &str) -> Result<CrawlerState> {
        let mut lease = self.read().await?;
        lease.begin_read().await?;
        existing_crawler(&mut lease, name).await?;
        let state = running_state(&mut lease, name).await?;
        lease.end().await?;
        Ok(state)
    }

    /// The newest runs of a crawler, or of all, newest first. One whose process ended shows as cancelled.
    pub async fn crawls(&self, crawler: Option<&str>, limit: usize) -> Result<Vec<Crawl>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut lease = self.read().await?;
        let query = match crawler {
            Some(crawler) => sql("SELECT id, crawler_name, state, heartbeat_ms, document FROM millrace_crawl \
                 WHERE crawler_name = $1 ORDER BY id DESC LIMIT $2")
            .bind(crawler),
            None => sql("SELECT id, crawler_name, state, heartbeat_ms, document FROM millrace_crawl \
                 ORDER BY id DESC LIMIT $1"),
        };
        let rows: Vec<RunRow> = lease.all(query.bind(limit)).await?;
        lease.release();
        let now = now_ms();
        rows.into_iter().map(|row| Ok(Run::decode(self.place(), row)?.shown(now))).collect()
    }

    /// The crawler's newest run that has ended: Glue's `LastCrawl`.
    pub async fn last_crawl(&self, name: &str) -> Result<Option<Crawl>> {
        // At most the newest one is running.
        let newest = self.crawls(Some(name), 2).await?;
        Ok(newest.into_iter().find(|crawl| crawl.status != CrawlStatus::Running))
    }

    /// Ends a run: all changes are made and the run's record is stored, or nothing at all happens. What was stored of
    /// the tables made or changed, in the order of the changes. Only a run that succeeded has changes.
    ///
    /// [`CatalogError::Conflict`] when the run has ended or was taken over, or somebody changed a table since it was
    /// read. Of more than 1,000 messages the first are kept, and the last one counts the others. An `end_time_ms` of
    /// `None` becomes now.
    pub async fn finish_crawl(&self, crawl: &Crawl, changes: &[TableChange]) -> Result<Vec<Table>> {
        if crawl.status == CrawlStatus::Running {
            return Err(CatalogError::InvalidArgument(format!(
                "the run of crawler \"{}\" cannot finish as running",
                crawl.crawler
            )));
        }
        if crawl.status != CrawlStatus::Succeeded && !changes.is_empty() {
            return Err(CatalogError::InvalidArgument(format!(
                "the run of crawler \"{}\" did not succeed and cannot change tables",
                crawl.crawler
            )));
        }
        let ended = Crawl {
            end_time_ms: crawl.end_time_ms.or_else(|| Some(now_ms())),
            messages: bounded(&crawl.messages),
            ..crawl.clone()
        };
        let mut write = self.write().await?;
        end(&mut write, &ended).await?;
        let mut stored = Vec::new();
        let mut any = false;
        for change in changes {
            any |= apply(&mut write, change, &mut stored).await?;
        }
        if any {
            write.commit().await?;
        } else {
            write.commit_uncounted().await?;
        }
        Ok(stored)
    }
}

/// A run as it is stored.
struct Run {
    crawl: Crawl,
    state: CrawlerState,
    heartbeat_ms: i64,
}

impl Run {
    fn decode(place: &Place, (id, crawler, state, heartbeat_ms, document): RunRow) -> Result<Self> {
        let crawl: Crawl = decode(place, &format!("a run of crawler \"{crawler}\""), &document)?;
        Ok(Self { crawl: Crawl { id, crawler, ..crawl }, state: parse_state(&state), heartbeat_ms })
    }

    /// Whether the run's process is still at it. A heartbeat far ahead is as old as one far behind: the clock was
    /// set back since, and a living process would have renewed it.
    fn is_alive(&self, now_ms: i64) -> bool {
        self.state != CrawlerState::Ready && now_ms.abs_diff(self.heartbeat_ms) < HEARTBEAT_TIMEOUT_MS.unsigned_abs()
    }

    /// The run as users see it.
    fn shown(self, now_ms: i64) -> Crawl {
        if self.state == CrawlerState::Ready || self.is_alive(now_ms) {
            return self.crawl;
        }
        Crawl {
            status: CrawlStatus::Cancelled,
            end_time_ms: Some(self.heartbeat_ms),
            error_message: Some("the process that ran the crawl ended before the crawl did".to_owned()),
            ..self.crawl
        }
    }
}

fn parse_state(state: &str) -> CrawlerState {
    match state {
        "RUNNING" => CrawlerState::Running,
        "STOPPING" => CrawlerState::Stopping,
        _ => CrawlerState::Ready,
    }
}

/// What the crawler's run, if one is alive, makes of its state.
pub(super) async fn running_state(lease: &mut Lease<'_>, crawler: &str) -> Result<CrawlerState> {
    let run = find_running(lease, crawler).await?.filter(|run| run.is_alive(now_ms()));
    Ok(run.map_or(CrawlerState::Ready, |run| run.state))
}

/// The crawler's run that has not ended, though its process may have.
async fn find_running(lease: &mut Lease<'_>, crawler: &str) -> Result<Option<Run>> {
    let row: Option<RunRow> = lease.first(sql(SELECT_RUNNING).bind(crawler)).await?;
    row.map(|row| Run::decode(lease.place(), row)).transpose()
}

/// Stores a run's end, if it has not ended.
async fn end(write: &mut Write<'_>, crawl: &Crawl) -> Result<()> {
    let query = "UPDATE millrace_crawl SET state = 'READY', document = $1 WHERE id = $2 AND state <> 'READY'";
    let query = sql(query).bind(encode(crawl)?).bind(crawl.id);
    if write.execute(query).await? == 0 { Err(lost(crawl)) } else { Ok(()) }
}

fn lost(crawl: &Crawl) -> CatalogError {
    CatalogError::Conflict(format!(
        "the run of crawler \"{}\" has ended: it was silent for too long, and another run or session took over",
        crawl.crawler
    ))
}

fn bounded(messages: &[CrawlMessage]) -> Vec<CrawlMessage> {
    if messages.len() <= MOST_MESSAGES {
        return messages.to_vec();
    }
    let (kept, others) = messages.split_at(MOST_MESSAGES - 1);
    let warnings = others.iter().filter(|message| message.warning).count();
    let text = format!("{} further messages were left out, {warnings} of them warnings", others.len());
    let mut bounded = kept.to_vec();
    bounded.push(CrawlMessage { warning: warnings > 0, text });
    bounded
}
