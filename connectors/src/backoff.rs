//! Requests that are sent again: how often, after which pause, and how that is counted.
//!
//! A request is repeated only when its failure says that the same request may succeed later, a bounded number of
//! times, each after a longer pause of random length, so that many readers do not come back at once.

use crate::connector::Measures;
use crate::error::{ConnectorError, Result};
use std::future::Future;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The pause after the first failure; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Whether the same request may succeed later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// It will fail again.
    Never,
    /// The connection or the server failed.
    Transient,
    /// The server has too much to do, or this reader took more than its share.
    Throttled,
}

impl Again {
    /// How often a request that fails so is sent again.
    const fn limit(self) -> u32 {
        match self {
            Self::Never => 0,
            Self::Transient => 5,
            Self::Throttled => 10,
        }
    }
}

/// A failed request.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What the caller is told when it is not sent again.
    pub(crate) error: ConnectorError,
    /// Whether it may be.
    pub(crate) again: Again,
}

impl From<ConnectorError> for Failure {
    fn from(error: ConnectorError) -> Self {
        Self { error, again: Again::Never }
    }
}

/// The pauses between the attempts of one request.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// Waits before the next attempt; `false` at once when there shall be none.
    pub(crate) async fn wait(&mut self, again: Again) -> bool {
        if self.attempts >= again.limit() {
            return false;
        }
        tokio::time::sleep(self.pause()).await;
        self.attempts += 1;
        true
    }

    /// Between half of and the whole of the longest pause that this attempt may make.
    fn pause(&self) -> Duration {
        let longest = FIRST_PAUSE.saturating_mul(1 << self.attempts.min(16)).min(LONGEST_PAUSE);
        longest.mul_f64(rand::random_range(0.5..=1.0))
    }
}

/// Sends a request until it succeeds or fails for good, and counts each attempt.
pub(crate) async fn repeated<T, F, Fut>(measures: &Measures, mut send: F) -> Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = std::result::Result<T, Failure>>,
{
    let mut backoff = Backoff::default();
    loop {
        measures.requests.fetch_add(1, Ordering::Relaxed);
        let failure = match send().await {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure,
        };
        if !backoff.wait(failure.again).await {
            return Err(failure.error);
        }
        tracing::debug!(error = %failure.error, "a request is sent again");
        measures.retries.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn busy() -> ConnectorError {
        ConnectorError::Unavailable { message: "busy".to_owned(), source: None }
    }

    #[test]
    fn pauses_grow_to_a_limit_and_are_random() {
        for (attempts, longest) in [(0, 50), (1, 100), (4, 800), (7, 5000), (9, 5000), (40, 5000)] {
            let pause = Backoff { attempts }.pause().as_millis();
            assert!((longest / 2..=longest).contains(&pause), "attempt {attempts} waits {pause} ms");
        }
    }

    #[tokio::test]
    async fn a_request_is_sent_again_a_bounded_number_of_times() {
        for (again, sent) in [(Again::Never, 1), (Again::Transient, 6)] {
            let measures = Measures::default();
            let answer: Result<()> = repeated(&measures, async || Err(Failure { error: busy(), again })).await;
            assert_eq!(answer.unwrap_err().to_string(), "busy");
            assert_eq!(measures.requests.load(Ordering::Relaxed), sent);
            assert_eq!(measures.retries.load(Ordering::Relaxed), sent - 1);
        }
        assert!(!Backoff { attempts: 10 }.wait(Again::Throttled).await);
    }
}
