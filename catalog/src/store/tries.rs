//! Commits that begin again. Writers of ours take one lock, but another program that commits to the same DuckLake catalog
//! does not ask for it: of two commits at once one finds a number or name taken, or has to give way, and what the other
//! did is seen by its next try.

use super::postgres::collided;
use crate::error::{CatalogError, Result};

/// How often a commit is tried.
const MOST: usize = 10;

/// Whether a transaction was undone for what another one did at the same time.
pub(crate) fn gave_way(error: &CatalogError) -> bool {
    collided(error)
}

/// The tries of one commit to tables that other programs write too.
#[derive(Debug, Default)]
pub(crate) struct Tries(usize);

impl Tries {
    /// Whether the whole transaction is to be tried again after this end.
    pub(crate) fn again<T>(&mut self, done: &Result<T>) -> bool {
        self.0 += 1;
        self.0 < MOST && done.as_ref().is_err_and(collided)
    }
}
