//! The rows of a running query: read by a task of their own, a few batches ahead of the printer, so that printing and
//! computing overlap.

use super::watch::Watch;
use super::work::Work;
use arrow::record_batch::RecordBatch;
use futures::{Stream, StreamExt};
use millrace_engine::Error;
use std::time::Duration;
use tokio::sync::mpsc::{self, error::TryRecvError};

/// Batches read ahead.
const AHEAD: usize = 2;

/// How long a cancelled query is waited for: reading leaves nothing behind that must be removed.
const PATIENCE: Duration = Duration::from_secs(1);

/// A query's rows; dropping them stops the query.
pub(super) struct Rows {
    batches: mpsc::Receiver<Result<RecordBatch, Error>>,
    work: Work<()>,
}

impl Rows {
    /// Begins to read a stream, whose errors are translated. Must be called within the runtime.
    pub(super) fn read<S, E>(mut stream: S, translate: fn(E) -> Error) -> Self
    where
        S: Stream<Item = Result<RecordBatch, E>> + Unpin + Send + 'static,
        E: Send + 'static,
    {
        let (sender, batches) = mpsc::channel(AHEAD);
        let work = Work::start(async move {
            while let Some(batch) = stream.next().await {
                let batch = batch.map_err(translate);
                let failed = batch.is_err();
                if sender.send(batch).await.is_err() || failed {
                    return;
                }
            }
        });
        Self { batches, work }
    }

    /// The next batch; `None` after the last, and then no more calls.
    pub(super) async fn next(&mut self) -> Result<Option<RecordBatch>, Error> {
        match self.batches.recv().await {
            Some(batch) => batch.map(Some),
            // The channel also closes when the task panics, which must not look like the end of the rows.
            None => self.work.end().await.map(|()| None),
        }
    }

    /// A batch that is already there.
    pub(super) fn ready(&mut self) -> Result<Option<RecordBatch>, Error> {
        match self.batches.try_recv() {
            Ok(batch) => batch.map(Some),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => Ok(None),
        }
    }

    /// Stops the query.
    pub(super) async fn stop(self, watch: &Watch) {
        self.work.stop(PATIENCE, watch).await;
    }
}
