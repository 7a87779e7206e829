//! The reading of one shard, from where its split begins to the tip that it had when the scan began.
//!
//! The tip is decided by the service, not by our clock. A page that is no milliseconds behind the latest record was
//! read after the scan began and has everything before it, so the scan ends there. Where records keep coming faster
//! than they are read, that never happens; so the first page with records fixes an end: the arrival of its last record
//! plus the time that the service says it is behind, which is the service's own time of that answer. A page that
//! reaches past it, and past our own time of the scan's beginning, is the last one. Of the two clocks the later one
//! counts: if ours is behind, nothing that came before the scan is left out; if it is ahead, a little more is read. A
//! page is always delivered whole, because arrival times are approximate and need not rise from record to record.
//!
//! A shard that was closed when the scan began is read to its end, whatever the times are.
//!
//! While a page becomes batches the next one is on its way; no more than these two are held.

use super::conditions;
use super::progress::Progress;
use super::records::{Batches, Row, arrival_ms, rows};
use super::shards::{Part, Position};
use super::source::{Page, Source};
use crate::connector::{BatchStream, Measures, SplitReport};
use crate::error::{ConnectorError, Result};
use crate::predicate::Predicate;
use arrow::record_batch::RecordBatch;
use futures::StreamExt;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::task::{JoinError, JoinSet};

/// Rows of a batch at most.
const BATCH_ROWS: usize = 8192;

/// How much later than a bound a record must have arrived to say that all after it did too: the service does not
/// promise that arrival times rise from record to record.
const DISORDER_MS: i64 = 1000;

/// Why no more pages are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// More are.
    Open,
    /// The rows that were asked for came; there may be more in the shard.
    Reached,
    /// There are and will be no more.
    Closed,
}

/// A shard's reading as it goes on.
#[derive(Debug)]
pub(super) struct Scan {
    pub(super) batches: Batches,
    pub(super) predicates: Vec<Predicate>,
    pub(super) split: String,
    pub(super) part: Part,
    pub(super) limit: Option<usize>,
    pub(super) progress: Arc<Progress>,
    pub(super) measures: Arc<Measures>,
}

/// A scan and what of it is not given out yet.
struct Reading {
    scan: Scan,
    /// Where pages come from, unless one is on its way.
    source: Option<Source>,
    /// The page that is; dropping it gives it up.
    coming: JoinSet<(Source, Result<Page>)>,
    rows: VecDeque<Row>,
    end: End,
    /// The time in milliseconds past which no page is read, once it is known.
    until_ms: Option<i64>,
    /// Rows that are still wanted.
    left: usize,
}

impl Scan {
    /// Its batches, of the source's pages.
    pub(super) fn stream(self, source: Source) -> BatchStream {
        self.note(self.part.from.clone());
        let end = if self.part.from == Position::End { End::Closed } else { End::Open };
        let left = self.limit.unwrap_or(usize::MAX);
        let (source, coming) = (Some(source), JoinSet::new());
        let reading = Reading { scan: self, source, coming, rows: VecDeque::new(), end, until_ms: None, left };
        futures::stream::try_unfold(reading, |mut reading| async move {
            Ok(reading.next().await?.map(|batch| (batch, reading)))
        })
        .boxed()
    }

    fn note(&self, position: Position) {
        self.progress.set(self.part.scan, &self.split, position);
    }

    fn keeps(&self, row: &Row) -> bool {
        let shard = &self.split;
        self.predicates.iter().all(|predicate| conditions::holds(predicate, shard, row.arrival_us) == Some(true))
    }
}

impl Reading {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(batch) = self.batch()? {
                return Ok(Some(batch));
            }
            if self.left == 0 {
                return Ok(None);
            }
            match self.end {
                End::Open => {
                    let page = self.page().await?;
                    self.take(page);
                    self.send_ahead();
                }
                End::Reached => return Ok(None),
                End::Closed => {
                    self.scan.note(Position::End);
                    return Ok(None);
                }
            }
        }
    }

    /// The next page.
    async fn page(&mut self) -> Result<Page> {
        let given_up = |source: Option<JoinError>| ConnectorError::Unavailable {
            message: format!("a page of shard \"{}\" was given up", self.scan.split),
            source: source.map(|source| Box::new(source) as _),
        };
        let (source, page) = match self.source.take() {
            Some(mut source) => {
                let page = source.page().await;
                (source, page)
            }
            None => match self.coming.join_next().await {
                Some(read) => read.map_err(|error| given_up(Some(error)))?,
                None => return Err(given_up(None)),
            },
        };
        self.source = Some(source);
        page
    }

    /// Sends for the next page where this one is neither the last nor enough.
    fn send_ahead(&mut self) {
        if self.end != End::Open || self.rows.len() >= self.left {
            return;
        }
        if let Some(mut source) = self.source.take() {
            self.coming.spawn(async move {
                let page = source.page().await;
                (source, page)
            });
        }
    }

    /// A batch of the rows that are here, and the place after them.
    fn batch(&mut self) -> Result<Option<RecordBatch>> {
        let most = BATCH_ROWS.min(self.left);
        let mut kept = vec![];
        let mut after = None;
        let mut seen = SplitReport::default();
        while kept.len() < most
            && let Some(row) = self.rows.pop_front()
        {
            after = Some(row.after());
            seen.rows += 1;
            seen.bytes += row.bytes();
            if let Some(at) = row.arrival_us {
                seen.first_us = Some(seen.first_us.map_or(at, |first| first.min(at)));
                seen.last_us = Some(seen.last_us.map_or(at, |last| last.max(at)));
            }
            if self.scan.keeps(&row) {
                kept.push(row);
            }
        }
        let mut batch = None;
        if !kept.is_empty() {
            let (made, bad) = self.scan.batches.make(&kept)?;
            seen.skipped = (kept.len() - made.num_rows()) as u64;
            seen.bad = bad;
            self.left -= made.num_rows();
            batch = Some(made).filter(|made| made.num_rows() > 0);
        }
        if let Some(after) = after {
            self.scan.note(after);
            self.scan.measures.tell(&self.scan.split, seen);
            if batch.is_none() && !self.rows.is_empty() {
                return self.batch();
            }
        }
        Ok(batch)
    }

    /// Takes a page in, and decides whether it is the last one.
    fn take(&mut self, page: Page) {
        let last_ms = page.records.last().and_then(arrival_ms);
        // Nothing at the tip of a closed shard: not every server says beside that this is its end.
        let ended = page.ended || (self.scan.part.closed && page.records.is_empty() && page.behind_ms == Some(0));
        let from = &self.scan.part.from;
        let fresh = page.records.into_iter().flat_map(rows).filter(|row| !row.is_before(from));
        self.rows.extend(fresh);
        if ended {
            self.end = End::Closed;
            return;
        }
        let upper_ms = conditions::bounds(&self.scan.predicates).upper.map(|upper| upper.div_euclid(1000));
        let past_bound = |last: i64| upper_ms.is_some_and(|upper| last > upper.saturating_add(DISORDER_MS));
        if last_ms.is_some_and(past_bound) {
            self.end = End::Reached;
        }
        if self.scan.part.closed {
            return;
        }
        if page.behind_ms == Some(0) {
            self.end = End::Reached;
        }
        if let (None, Some(last)) = (self.until_ms, last_ms) {
            let tip = last.saturating_add(page.behind_ms.unwrap_or_default());
            self.until_ms = Some(tip.max(self.scan.part.began_ms));
        }
        if let (Some(until), Some(last)) = (self.until_ms, last_ms)
            && last > until
        {
            self.end = End::Reached;
        }
    }
}
