//! How far each split of recent scans was read, as its rows were given out.
//!
//! A scan's rows and its checkpoint agree at any moment: the place moves when a batch is handed over, in the same step.
//! What a checkpoint says after the last batch is therefore exactly what was delivered.

use super::shards::Position;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// Splits that are remembered; the oldest are forgotten first.
const REMEMBERED: usize = 20_000;

/// The places of the splits of recent scans.
#[derive(Debug, Default)]
pub(super) struct Progress(Mutex<Places>);

#[derive(Debug, Default)]
struct Places {
    known: HashMap<(u64, String), Position>,
    oldest: VecDeque<(u64, String)>,
}

impl Progress {
    /// Notes where a split of a scan is now.
    pub(super) fn set(&self, scan: u64, split: &str, position: Position) {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (scan, split.to_owned());
        if places.known.insert(key.clone(), position).is_none() {
            places.oldest.push_back(key);
            if places.oldest.len() > REMEMBERED
                && let Some(oldest) = places.oldest.pop_front()
            {
                places.known.remove(&oldest);
            }
        }
    }

    /// Where a split of a scan is, if it was read here and not forgotten.
    pub(super) fn get(&self, scan: u64, split: &str) -> Option<Position> {
        let places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        places.known.get(&(scan, split.to_owned())).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_splits_are_forgotten() {
        let progress = Progress::default();
        let after = |n: usize| Position::After(n.to_string());
        (0..=REMEMBERED).for_each(|n| progress.set(n as u64, "a", after(n)));
        progress.set(7, "a", Position::End);
        assert_eq!(progress.get(0, "a"), None);
        assert_eq!(progress.get(1, "a"), Some(after(1)));
        assert_eq!(progress.get(7, "a"), Some(Position::End));
        assert_eq!(progress.get(7, "b"), None);
    }
}
