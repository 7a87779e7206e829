//! What is told to the journal of a transaction once it is known whether it has committed, and never when it is rolled back.

use crate::error::Error;
use crate::journal::{Journal, Record};

/// A record that waits; it knows how the commit ended.
type Waiting = Box<dyn FnOnce(&Journal, Option<&Error>) + Send + Sync>;

/// Records that wait for a commit.
#[derive(Default)]
pub(super) struct AfterCommit(Vec<Waiting>);

impl AfterCommit {
    /// Adds a record of what was committed.
    pub(super) fn add(&mut self, record: impl Record + Sync + 'static) {
        self.0.push(Box::new(move |journal, failed| {
            if failed.is_none() {
                journal.record(&record);
            }
        }));
    }

    /// Adds a record that has another one in its place when the commit fails.
    pub(super) fn add_or<R: Record + Sync + 'static>(
        &mut self,
        record: R,
        failed: impl FnOnce(&Error) -> R + Send + Sync + 'static,
    ) {
        self.0.push(Box::new(move |journal, error| match error {
            None => journal.record(&record),
            Some(error) => journal.record(&failed(error)),
        }));
    }

    /// Tells all of them after a commit.
    pub(super) fn tell(&mut self, journal: &Journal) {
        self.0.drain(..).for_each(|tell| tell(journal, None));
    }

    /// Tells what there is to tell of a commit that failed.
    pub(super) fn tell_failed(&mut self, journal: &Journal, error: &Error) {
        self.0.drain(..).for_each(|tell| tell(journal, Some(error)));
    }
}

impl std::fmt::Debug for AfterCommit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("AfterCommit").field(&self.0.len()).finish()
    }
}
