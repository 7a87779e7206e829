//! Whose turn it is to write a table, among the sessions of one process.
//!
//! A statement that came too late for another's commit begins again, and might again come too late for ever. So it
//! waits for its turn and keeps it until it has committed; every other commit to the same tables waits meanwhile.
//! Statements that never collide wait only for each other's commits.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, Weak};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// The turns at all tables of a warehouse.
#[derive(Debug, Default)]
pub(crate) struct Turns(std::sync::Mutex<HashMap<i64, Weak<Mutex<()>>>>);

/// The turn at some tables; dropping it ends it.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    _held: Vec<OwnedMutexGuard<()>>,
}

impl Turns {
    /// Waits for the turn at all these tables, first come, first served. Whoever has one may not wait for another:
    /// the turns of one call are taken in the order of the tables' numbers, so no two wait for each other.
    pub(crate) async fn wait(&self, tables: BTreeSet<i64>) -> Turn {
        let mut turn = Vec::with_capacity(tables.len());
        for table in tables {
            turn.push(self.table(table).lock_owned().await);
        }
        Turn { _held: turn }
    }

    fn table(&self, table: i64) -> Arc<Mutex<()>> {
        let mut tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = tables.get(&table).and_then(Weak::upgrade) {
            return known;
        }
        tables.retain(|_, known| known.strong_count() > 0);
        let new = Arc::default();
        tables.insert(table, Arc::downgrade(&new));
        new
    }
}
