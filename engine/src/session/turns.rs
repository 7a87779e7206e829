//! Whose turn it is to write a table, among the sessions of one process.
//!
//! A statement that came too late for another's commit begins again, and might again come too late for ever. So it
//! waits for its turn and keeps it until it has committed; every other commit to the same tables waits meanwhile.
//! Those others do not wait for each other: the catalog commits together what is ready at the same time.
//!
//! Of the statements that find too many rows of a table in the catalog one moves them into a file (a flush), and the others
//! leave it to that one.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

/// Tables of which it is known when they were flushed last.
const MOST_FLUSHED: usize = 1_000;

/// The turns at all tables of a warehouse.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    tables: Mutex<HashMap<i64, Weak<RwLock<()>>>>,
    flushes: Arc<Mutex<HashMap<i64, Flush>>>,
}

/// The turn at some tables; dropping it ends it.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    _held: Vec<Held>,
}

/// The flushes of a table.
#[derive(Debug, Default)]
struct Flush {
    is_running: bool,
    /// The manifest's snapshot of the last one.
    last: i64,
}

/// The one flush of a table that is under way; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Flushing {
    table: i64,
    flushes: Arc<Mutex<HashMap<i64, Flush>>>,
}

/// The turn at one table.
#[derive(Debug)]
enum Held {
    Alone { _guard: OwnedRwLockWriteGuard<()> },
    Beside { _guard: OwnedRwLockReadGuard<()> },
}

impl Turns {
    /// Waits for the turn at all these tables, which nobody else has then, first come, first served. Whoever has one may
    /// not wait for another: the turns of one call are taken in the order of the tables' numbers, so no two wait for each
    /// other.
    pub(crate) async fn wait(&self, tables: BTreeSet<i64>) -> Turn {
        let mut held = Vec::with_capacity(tables.len());
        for table in tables {
            held.push(Held::Alone { _guard: self.table(table).write_owned().await });
        }
        Turn { _held: held }
    }

    /// The same for one commit, beside others that do not wait for a turn of their own.
    pub(crate) async fn wait_for_commit(&self, tables: BTreeSet<i64>) -> Turn {
        let mut held = Vec::with_capacity(tables.len());
        for table in tables {
            held.push(Held::Beside { _guard: self.table(table).read_owned().await });
        }
        Turn { _held: held }
    }

    fn table(&self, table: i64) -> Arc<RwLock<()>> {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = tables.get(&table).and_then(Weak::upgrade) {
            return known;
        }
        tables.retain(|_, known| known.strong_count() > 0);
        let new = Arc::default();
        tables.insert(table, Arc::downgrade(&new));
        new
    }

    /// Begins a flush of what a table has at one of the manifest's snapshots; `None` where another is under way, or has been
    /// made since.
    pub(super) fn flush(&self, table: i64, snapshot_id: i64) -> Option<Flushing> {
        let mut flushes = self.flushes.lock().unwrap_or_else(PoisonError::into_inner);
        if flushes.len() >= MOST_FLUSHED {
            // Whoever moves again what has been moved finds that out at its commit.
            flushes.retain(|_, flush| flush.is_running);
        }
        let flush = flushes.entry(table).or_default();
        if flush.is_running || snapshot_id < flush.last {
            return None;
        }
        flush.is_running = true;
        Some(Flushing { table, flushes: Arc::clone(&self.flushes) })
    }
}

impl Flushing {
    /// Notes the snapshot that the flush made.
    pub(super) fn committed(&self, snapshot_id: i64) {
        self.change(|flush| flush.last = snapshot_id);
    }

    fn change(&self, change: impl FnOnce(&mut Flush)) {
        let mut flushes = self.flushes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flush) = flushes.get_mut(&self.table) {
            change(flush);
        }
    }
}

impl Drop for Flushing {
    fn drop(&mut self) {
        self.change(|flush| flush.is_running = false);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[tokio::test]
    async fn commits_wait_for_a_turn_and_not_for_each_other() {
        let turns = Turns::default();
        let first = turns.wait_for_commit([1, 2].into()).await;
        let second = turns.wait_for_commit([2, 3].into()).await;
        let mut alone = Box::pin(turns.wait([2].into()));
        assert!(alone.as_mut().now_or_never().is_none());
        // Who waits for a turn is not passed by those who come later.
        let mut late = Box::pin(turns.wait_for_commit([2].into()));
        assert!(late.as_mut().now_or_never().is_none());
        assert!(turns.wait([4].into()).now_or_never().is_some());
        drop((first, second));
        let alone = alone.await;
        assert!(late.as_mut().now_or_never().is_none());
        drop(alone);
        drop(late.await);
        assert!(turns.wait([1, 2, 3].into()).now_or_never().is_some());
    }

    #[test]
    fn one_at_a_time_flushes_what_nobody_has_flushed() {
        let turns = Turns::default();
        let first = turns.flush(1, 10).unwrap();
        assert!(turns.flush(1, 10).is_none() && turns.flush(2, 10).is_some());
        first.committed(12);
        drop(first);
        assert!(turns.flush(1, 11).is_none(), "it saw the rows that have moved since");
        // One that does not come to its commit leaves the rows where they are.
        drop(turns.flush(1, 12).unwrap());
        let again = turns.flush(1, 12).unwrap();
        for table in 2..2 * MOST_FLUSHED as i64 {
            drop(turns.flush(table, 1));
        }
        assert!(turns.flushes.lock().unwrap().len() <= MOST_FLUSHED);
        assert!(turns.flush(1, 12).is_none(), "it is under way");
        drop(again);
    }
}
