//! A limit on the read units that are used per second, for `read_ratio`.
//!
//! A request's cost is known only from its answer, so requests wait until what was used so far is paid: on average no
//! more than the limit is used, and at once no more than one page of each reader.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What may be used of a table per second.
#[derive(Debug)]
pub(super) struct Pace {
    units_per_second: f64,
    /// When what was used is paid.
    paid_at: Mutex<Instant>,
}

impl Pace {
    /// A limit, in read units per second.
    pub(super) fn new(units_per_second: f64) -> Self {
        Self { units_per_second, paid_at: Mutex::new(Instant::now()) }
    }

    /// Whether this is its limit.
    pub(super) fn is_of(&self, units_per_second: f64) -> bool {
        self.units_per_second.to_bits() == units_per_second.to_bits()
    }

    /// Waits until the next request may be sent.
    pub(super) async fn wait(&self) {
        loop {
            let paid_at = *self.paid_at.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(left) = paid_at.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) else {
                return;
            };
            tokio::time::sleep(left).await;
        }
    }

    /// Counts what a request used.
    pub(super) fn spend(&self, units: f64) {
        let cost = Duration::try_from_secs_f64(units / self.units_per_second).unwrap_or_default();
        let mut paid_at = self.paid_at.lock().unwrap_or_else(PoisonError::into_inner);
        *paid_at = (*paid_at).max(Instant::now()) + cost;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_used_is_waited_for() {
        let pace = Pace::new(100.0);
        let begin = Instant::now();
        pace.wait().await;
        assert!(begin.elapsed() < Duration::from_millis(50));
        pace.spend(10.0);
        pace.spend(10.0);
        pace.wait().await;
        assert!(begin.elapsed() >= Duration::from_millis(200));
    }
}
