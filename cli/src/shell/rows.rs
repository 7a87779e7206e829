//! The rows of a running query: read by a task of their own, a few batches ahead of the printer.
//!
//! So printing and computing overlap, and Ctrl-C is heard however long the engine thinks about a batch.

use arrow::record_batch::RecordBatch;
use futures::{Stream, StreamExt};
use millrace_engine::Error;
use std::time::Duration;
use tokio::sync::mpsc::{self, error::TryRecvError};
use tokio::task::JoinHandle;

/// Batches read ahead.
const AHEAD: usize = 2;

/// How long a cancelled query may take to stop before the shell goes on without it.
const CLEANUP: Duration = Duration::from_secs(5);

/// A query's rows; dropping them stops the query.
pub(super) struct Rows {
    batches: mpsc::Receiver<Result<RecordBatch, Error>>,
    task: JoinHandle<()>,
}

impl Rows {
    /// Begins to read a stream, whose errors are translated. Must be called within the runtime.
    pub(super) fn read<S, E>(mut stream: S, translate: fn(E) -> Error) -> Self
    where
        S: Stream<Item = Result<RecordBatch, E>> + Unpin + Send + 'static,
        E: Send + 'static,
    {
        let (sender, batches) = mpsc::channel(AHEAD);
        let task = tokio::spawn(async move {
            while let Some(batch) = stream.next().await {
                let batch = batch.map_err(translate);
                let failed = batch.is_err();
                if sender.send(batch).await.is_err() || failed {
                    return;
                }
            }
        });
        Self { batches, task }
    }

    /// The next batch; `None` after the last.
    pub(super) async fn next(&mut self) -> Result<Option<RecordBatch>, Error> {
        match self.batches.recv().await {
            Some(batch) => batch.map(Some),
            None => self.end().await,
        }
    }

    /// A batch that is already there.
    pub(super) fn ready(&mut self) -> Result<Option<RecordBatch>, Error> {
        match self.batches.try_recv() {
            Ok(batch) => batch.map(Some),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => Ok(None),
        }
    }

    /// The channel also closes when the reading task panics, which must not look like the end of the rows.
    async fn end(&mut self) -> Result<Option<RecordBatch>, Error> {
        match (&mut self.task).await {
            Err(failure) if failure.is_panic() => Err(Error::internal("the query ended unexpectedly")),
            _ => Ok(None),
        }
    }

    /// Stops the query and waits for what it holds to be given back.
    pub(super) async fn cancel(mut self) {
        // A finished task was already asked for its end.
        if self.task.is_finished() {
            return;
        }
        self.task.abort();
        // Past the time the task is left to itself: it ends at its next pause.
        drop(tokio::time::timeout(CLEANUP, &mut self.task).await);
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        self.task.abort();
    }
}
