//! Work of the engine on the runtime's threads, so that the shell's own thread is always free to hear Ctrl-C.

use super::watch::Watch;
use millrace_engine::Error;
use std::time::Duration;
use tokio::task::JoinHandle;

/// A running task; dropping it cancels it.
#[derive(Debug)]
pub(super) struct Work<T>(JoinHandle<T>);

impl<T: Send + 'static> Work<T> {
    /// Starts a task. Must be called within the runtime.
    pub(super) fn start(task: impl Future<Output = T> + Send + 'static) -> Self {
        Self(tokio::spawn(task))
    }

    /// Waits for the task's end, once. A panic in it is an error of the statement, not the end of the program.
    pub(super) async fn end(&mut self) -> Result<T, Error> {
        (&mut self.0).await.map_err(|_| Error::internal("the statement ended unexpectedly"))
    }

    /// Cancels the task and waits for what it holds to be given back. Past a time it is left to itself: it ends at
    /// its next pause.
    pub(super) async fn stop(mut self, patience: Duration, watch: &Watch) {
        // A finished task may have been asked for its end already.
        if !self.0.is_finished() {
            self.0.abort();
            let _ = watch.within(patience, &mut self.0).await;
        }
    }
}

impl<T> Drop for Work<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
