//! What is told to the journal when a transaction has committed, and never when it has not.

use crate::journal::{Journal, Record};

/// A record that waits.
type Waiting = Box<dyn FnOnce(&Journal) + Send + Sync>;

/// Records that wait for a commit.
#[derive(Default)]
pub(super) struct AfterCommit(Vec<Waiting>);

impl AfterCommit {
    /// Adds a record.
    pub(super) fn add(&mut self, record: impl Record + Sync + 'static) {
        self.0.push(Box::new(move |journal| journal.record(&record)));
    }

    /// Tells all of them.
    pub(super) fn tell(self, journal: &Journal) {
        self.0.into_iter().for_each(|tell| tell(journal));
    }
}

impl std::fmt::Debug for AfterCommit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("AfterCommit").field(&self.0.len()).finish()
    }
}
