//! How long a source is measured, and how far its bare loop reads.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The time of a source.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound {
    /// When it is filled no further.
    filled: Instant,
    end: Instant,
}

impl Bound {
    /// So many seconds from now on, a half of them to fill it.
    pub(super) fn new(seconds: u64) -> Self {
        let (now, all) = (Instant::now(), Duration::from_secs(seconds));
        Self { filled: now + all / 2, end: now + all }
    }

    /// Whether there is time to write more.
    pub(super) fn fills(&self) -> bool {
        Instant::now() < self.filled
    }

    /// What is left.
    pub(super) fn left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    /// When a first look at all rows ends, after which both sides are to read them in the time that is left.
    pub(super) fn part(&self) -> Instant {
        Instant::now() + self.left() / 4
    }
}

/// The rows that a bare loop takes, all its parts together: it asks after each page whether to go on.
#[derive(Debug)]
pub(super) struct Reading {
    rows: AtomicU64,
    is_cut: AtomicBool,
    most: u64,
    until: Option<Instant>,
}

impl Reading {
    /// All of them.
    pub(super) fn of_all() -> Self {
        Self::of(u64::MAX)
    }

    /// So many, or a page more of each part.
    pub(super) fn of(most: u64) -> Self {
        Self { rows: AtomicU64::new(0), is_cut: AtomicBool::new(false), most, until: None }
    }

    /// Those that come by then, a page of each part at least.
    pub(super) fn until(until: Instant) -> Self {
        Self { until: Some(until), ..Self::of_all() }
    }

    /// Counts a page; whether another one is wanted.
    pub(super) fn goes_on(&self, rows: usize) -> bool {
        let rows = self.rows.fetch_add(rows as u64, Ordering::Relaxed) + rows as u64;
        let goes_on = rows < self.most && self.until.is_none_or(|until| Instant::now() < until);
        if !goes_on {
            self.is_cut.store(true, Ordering::Relaxed);
        }
        goes_on
    }

    /// How many came.
    pub(super) fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Whether there may be more.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loops_end_with_their_rows_or_their_time() {
        let all = Reading::of_all();
        assert!(all.goes_on(1_000_000) && !all.is_cut());
        let some = Reading::of(25);
        assert!(some.goes_on(10) && some.goes_on(10) && !some.is_cut());
        assert!(!some.goes_on(10) && some.is_cut());
        assert_eq!(some.rows(), 30);
        let late = Reading::until(Instant::now());
        assert!(!late.goes_on(5) && late.is_cut());
        assert_eq!(late.rows(), 5);
        assert!(Reading::until(Instant::now() + Duration::from_mins(1)).goes_on(5));
    }

    #[test]
    fn a_half_is_to_fill_and_a_quarter_of_the_rest_to_look() {
        let bound = Bound::new(1000);
        assert!(bound.fills());
        assert!((499..=500).contains(&(bound.filled - Instant::now()).as_secs()));
        assert!((249..=250).contains(&(bound.part() - Instant::now()).as_secs()));
        let over = Bound::new(0);
        assert!(!over.fills());
        assert_eq!(over.left(), Duration::ZERO);
    }
}
