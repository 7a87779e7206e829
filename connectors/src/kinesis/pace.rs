//! How often a shard is read: what the service allows of each is 5 reads and 2 MB a second.
//!
//! All scans of one connector share a shard's pace. The pauses vary a little, so that shards are not all read at once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Bytes a second that go with each read a second: 2 MB for 5.
const BYTES_PER_READ: u32 = 2 * 1024 * 1024 / 5;

/// A pause is made longer by up to this part of it.
const JITTER: f64 = 0.1;

/// Shards whose time has come are forgotten when there are more than this.
const REMEMBERED: usize = 1024;

/// When each shard may be read next.
#[derive(Debug)]
pub(super) struct Pace {
    interval: Duration,
    bytes_per_second: f64,
    next: Mutex<HashMap<(String, String), Instant>>,
}

impl Pace {
    /// A pace of so many reads a second and shard.
    pub(super) fn new(reads_per_second: u32) -> Self {
        Self {
            interval: Duration::from_secs(1) / reads_per_second.max(1),
            bytes_per_second: f64::from(BYTES_PER_READ) * f64::from(reads_per_second.max(1)),
            next: Mutex::default(),
        }
    }

    /// Waits until the shard may be read, and takes that turn.
    pub(super) async fn turn(&self, stream: &str, shard: &str) {
        let at = self.take(stream, shard, Instant::now());
        tokio::time::sleep_until(at).await;
    }

    fn take(&self, stream: &str, shard: &str, now: Instant) -> Instant {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if next.len() > REMEMBERED {
            next.retain(|_, at| *at > now);
        }
        let next = next.entry((stream.to_owned(), shard.to_owned())).or_insert(now);
        let at = (*next).max(now);
        *next = at + self.interval.mul_f64(1.0 + rand::random_range(0.0..JITTER));
        at
    }

    /// Counts what a read gave: a large page makes the next read wait.
    pub(super) fn count(&self, stream: &str, shard: &str, bytes: usize) {
        self.count_at(stream, shard, bytes, Instant::now());
    }

    fn count_at(&self, stream: &str, shard: &str, bytes: usize, now: Instant) {
        let pause = Duration::from_secs_f64(bytes as f64 / self.bytes_per_second);
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let next = next.entry((stream.to_owned(), shard.to_owned())).or_insert(now);
        *next = (*next).max(now + pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_bytes_are_spread_over_time() {
        let pace = Pace::new(5);
        let now = Instant::now();
        let after = |shard| pace.take("s", shard, now).duration_since(now).as_millis();
        assert_eq!(after("a"), 0);
        assert!((200..=220).contains(&after("a")));
        assert!((400..=440).contains(&after("a")));
        assert_eq!(after("b"), 0);
        pace.count_at("s", "b", 10 * 1024 * 1024, now);
        assert_eq!(after("b"), 5000);
        let fast = Pace::new(1000);
        fast.count_at("s", "a", 2 * 1024 * 1024, now);
        assert_eq!(fast.take("s", "a", now).duration_since(now).as_millis(), 5);
    }
}
