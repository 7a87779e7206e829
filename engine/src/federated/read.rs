//! The reading of splits: each partition reads its own, some at the same time, none before those that it waits for.
//!
//! Of each split that is read there is one batch at most here, so memory is bounded by splits and the system's pages.
//! Dropping the rows ends the requests behind them.

use super::splits::Group;
use super::table::ForeignTable;
use crate::error::Error;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::error::{DataFusionError, Result};
use futures::stream::{self, BoxStream, SelectAll};
use futures::{StreamExt, TryStreamExt};
use millrace_connectors::{Measures, ScanRequest, Split};
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What is read of a table.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) table: Arc<ForeignTable>,
    pub(super) schema: SchemaRef,
    pub(super) request: ScanRequest,
    pub(super) measures: Arc<Measures>,
    /// Splits that were read to their end.
    pub(super) ended: Arc<AtomicU64>,
}

/// What comes of splits that are read at the same time.
enum Event {
    Rows(RecordBatch),
    /// A split is read to its end.
    End(String),
}

/// A scan as it runs: what is read, and the splits of each partition.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) reading: Arc<Reading>,
    pub(super) groups: Vec<Group>,
}

/// Splits that are read, and those that wait.
struct Progress {
    reading: Arc<Reading>,
    waiting: VecDeque<Split>,
    /// Those of the group that are not read to their end.
    unread: HashSet<String>,
    running: SelectAll<BoxStream<'static, Result<Event>>>,
    at_once: usize,
    /// Rows that are still wanted.
    wanted: Option<usize>,
}

impl Reading {
    /// The rows of a group, no more than the request's limit.
    pub(super) fn rows(self: Arc<Self>, group: Group) -> BoxStream<'static, Result<RecordBatch>> {
        let progress = Progress {
            wanted: self.request.limit,
            reading: self,
            unread: group.splits.iter().map(|split| split.id.clone()).collect(),
            waiting: group.splits.into(),
            running: SelectAll::new(),
            at_once: group.at_once,
        };
        stream::try_unfold(progress, Progress::next).boxed()
    }

    /// The rows of one split.
    pub(super) fn split(self: &Arc<Self>, split: Split) -> BoxStream<'static, Result<RecordBatch>> {
        let reading = Arc::clone(self);
        let open = async move {
            let batches = reading.table.connector().scan(&reading.request, &split, &reading.measures).await;
            let batches = batches.map_err(translated)?;
            Ok::<_, DataFusionError>(batches.map(move |batch| reading.fitted(&batch.map_err(translated)?)))
        };
        let ended = Arc::clone(&self.ended);
        let end = stream::once(std::future::ready(())).filter_map(move |()| {
            ended.fetch_add(1, Ordering::Relaxed);
            std::future::ready(None)
        });
        stream::once(open).try_flatten().chain(end).boxed()
    }

    /// A batch under the names that the plan has for its columns.
    fn fitted(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let fitted = RecordBatch::try_new_with_options(Arc::clone(&self.schema), batch.columns().to_vec(), &rows);
        fitted.map_err(|error| {
            let message = format!("a read of \"{}\" gave other columns than were asked for", self.table.name);
            Error::internal(message).with_detail(error.to_string()).into()
        })
    }
}

impl Progress {
    async fn next(mut self) -> Result<Option<(RecordBatch, Self)>> {
        loop {
            if self.wanted == Some(0) {
                return Ok(None);
            }
            self.start();
            match self.running.try_next().await? {
                Some(Event::Rows(batch)) => {
                    let wanted = self.wanted.unwrap_or(usize::MAX);
                    let batch = if batch.num_rows() > wanted { batch.slice(0, wanted) } else { batch };
                    self.wanted = self.wanted.map(|wanted| wanted - batch.num_rows());
                    if batch.num_rows() > 0 {
                        return Ok(Some((batch, self)));
                    }
                }
                Some(Event::End(split)) => {
                    self.unread.remove(&split);
                }
                None if self.waiting.is_empty() => return Ok(None),
                // All that ran have ended, and those that waited for them or for their place may begin.
                None if self.is_ready() => {}
                None => {
                    let message = format!("parts of \"{}\" wait for one another", self.reading.table.name);
                    return Err(Error::internal(message).into());
                }
            }
        }
    }

    fn waits_for_none(&self, split: &Split) -> bool {
        !split.after.iter().any(|before| self.unread.contains(before))
    }

    /// Whether a split may begin.
    fn is_ready(&self) -> bool {
        self.waiting.iter().any(|split| self.waits_for_none(split))
    }

    /// Begins to read splits that wait for none, up to as many as may be read at the same time.
    fn start(&mut self) {
        while self.running.len() < self.at_once {
            let Some(at) = self.waiting.iter().position(|split| self.waits_for_none(split)) else { return };
            let Some(split) = self.waiting.remove(at) else { return };
            let end = Event::End(split.id.clone());
            let rows = self.reading.split(split).map_ok(Event::Rows);
            self.running.push(rows.chain(stream::once(std::future::ready(Ok(end)))).boxed());
        }
    }
}

fn translated(error: millrace_connectors::ConnectorError) -> DataFusionError {
    Error::from(error).into()
}
