//! Whether statements run: what is done in the background waits for them.

use crate::error::{Error, ErrorKind, Result};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How long nothing must have run before the background goes on.
const QUIET: Duration = Duration::from_millis(100);

/// What a warehouse is doing.
#[derive(Debug)]
pub(crate) struct Activity {
    state: watch::Sender<State>,
    closing: CancellationToken,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct State {
    /// Statements that run now, and transactions that are open for writing.
    running: usize,
    /// How many have begun.
    begun: u64,
}

/// A statement that runs, or an open transaction; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Busy(Arc<Activity>);

impl Default for Activity {
    fn default() -> Self {
        Self { state: watch::Sender::new(State::default()), closing: CancellationToken::new() }
    }
}

impl Activity {
    /// Something begins.
    pub(crate) fn begin(self: &Arc<Self>) -> Busy {
        self.state.send_modify(|state| {
            state.running += 1;
            state.begun += 1;
        });
        Busy(Arc::clone(self))
    }

    /// Waits until nothing has run for so long.
    ///
    /// # Errors
    /// `Cancelled` when the warehouse closes.
    pub(crate) async fn quiet(&self, time: Duration) -> Result<()> {
        let mut state = self.state.subscribe();
        loop {
            let seen = tokio::select! {
                () = self.closing.cancelled() => return Err(closing()),
                // The sender is in `self`.
                seen = state.wait_for(|state| state.running == 0) => seen.map_or_else(|_| State::default(), |seen| *seen),
            };
            self.sleep(time).await?;
            if *state.borrow() == seen {
                return Ok(());
            }
        }
    }

    /// Lets the background go on: at once while nothing runs, else when it is quiet again.
    ///
    /// # Errors
    /// `Cancelled` when the warehouse closes.
    pub(crate) async fn pause(&self) -> Result<()> {
        if self.closing.is_cancelled() {
            return Err(closing());
        }
        let running = self.state.borrow().running;
        if running == 0 { Ok(()) } else { self.quiet(QUIET).await }
    }

    /// Waits until more runs than so many: the background's own statement is one.
    ///
    /// # Errors
    /// `Cancelled` when the warehouse closes.
    pub(crate) async fn more_than(&self, own: usize) -> Result<()> {
        let mut state = self.state.subscribe();
        tokio::select! {
            () = self.closing.cancelled() => Err(closing()),
            // The sender is in `self`.
            _ = state.wait_for(|state| state.running > own) => Ok(()),
        }
    }

    /// Waits for so long.
    ///
    /// # Errors
    /// `Cancelled` when the warehouse closes.
    pub(crate) async fn sleep(&self, time: Duration) -> Result<()> {
        tokio::select! {
            () = self.closing.cancelled() => Err(closing()),
            () = tokio::time::sleep(time) => Ok(()),
        }
    }

    /// Ends what is done in the background.
    pub(crate) fn close(&self) {
        self.closing.cancel();
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.state.send_modify(|state| state.running -= 1);
    }
}

fn closing() -> Error {
    Error::new(ErrorKind::Cancelled, "the warehouse is being closed")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn quiet_begins_when_the_last_has_ended() {
        let activity = Arc::new(Activity::default());
        activity.pause().await.unwrap();
        let short = Duration::from_millis(20);
        let (one, other) = (activity.begin(), activity.begin());
        let waiting = tokio::spawn({
            let activity = Arc::clone(&activity);
            async move { activity.quiet(short).await }
        });
        drop(one);
        tokio::time::sleep(short * 3).await;
        assert!(!waiting.is_finished());
        drop(other);
        waiting.await.unwrap().unwrap();
        let _busy = activity.begin();
        assert!(tokio::time::timeout(short, activity.pause()).await.is_err());
        activity.close();
        assert_eq!(activity.pause().await.unwrap_err().kind, ErrorKind::Cancelled);
        assert_eq!(activity.quiet(short).await.unwrap_err().kind, ErrorKind::Cancelled);
    }
}
