//! Readers of the same table in turn: after a commit all sessions want what it changed, and one of them reads it for all.

use tokio::sync::{Mutex, MutexGuard};

/// Turns; tables share them.
const TURNS: usize = 16;

/// Turns to read what is kept of a table. Whoever has one looks again whether another has read it.
#[derive(Debug, Default)]
pub(super) struct InTurn([Mutex<()>; TURNS]);

impl InTurn {
    /// Waits for the turn of a table. Nobody who waits for it may hold a connection.
    pub(super) async fn of(&self, table: i64) -> MutexGuard<'_, ()> {
        self.0[table.unsigned_abs() as usize % TURNS].lock().await
    }
}
