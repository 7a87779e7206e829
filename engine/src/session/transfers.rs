//! The COPYs and UNLOADs that run in this process, as others see them.

use crate::journal::{LoadCommitRecord, Origin, UnloadRecord};
use crate::load::LoadErrors;
use crate::result::{Progress, ProgressState};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// What runs. Each is known by its [`Origin`]: of a statement that begins again only the try that runs is here.
#[derive(Debug, Default)]
pub(crate) struct Transfers {
    loads: Mutex<Vec<Load>>,
    unloads: Mutex<Vec<UnloadRecord>>,
}

/// A COPY: what is known of it, how far it is, and its bad lines.
#[derive(Debug)]
struct Load {
    record: LoadCommitRecord,
    progress: Weak<dyn Progress>,
    errors: Weak<LoadErrors>,
}

impl Load {
    fn now(&self) -> (LoadCommitRecord, ProgressState) {
        let errors = self.errors.upgrade().map_or(self.record.errors, |errors| errors.count());
        let progress = self.progress.upgrade().map(|progress| progress.now()).unwrap_or_default();
        (LoadCommitRecord { errors, ..self.record.clone() }, progress)
    }
}

impl Transfers {
    /// A COPY runs. What was noted of it before is replaced.
    pub(crate) fn note_load(&self, record: LoadCommitRecord, progress: &Arc<dyn Progress>, errors: &Arc<LoadErrors>) {
        let mut loads = self.loads.lock().unwrap_or_else(PoisonError::into_inner);
        loads.retain(|load| !load.record.origin.is_same(&record.origin));
        loads.push(Load { record, progress: Arc::downgrade(progress), errors: Arc::downgrade(errors) });
    }

    /// It has ended.
    pub(crate) fn forget_load(&self, origin: &Origin) {
        let mut loads = self.loads.lock().unwrap_or_else(PoisonError::into_inner);
        loads.retain(|load| !load.record.origin.is_same(origin));
    }

    /// The COPYs that run, with the bad lines that they found so far.
    pub(crate) fn loads(&self) -> Vec<(LoadCommitRecord, ProgressState)> {
        self.loads.lock().unwrap_or_else(PoisonError::into_inner).iter().map(Load::now).collect()
    }

    /// An UNLOAD runs.
    pub(crate) fn note_unload(&self, record: UnloadRecord) {
        self.unloads.lock().unwrap_or_else(PoisonError::into_inner).push(record);
    }

    /// It has ended.
    pub(crate) fn forget_unload(&self, origin: &Origin) {
        let mut unloads = self.unloads.lock().unwrap_or_else(PoisonError::into_inner);
        unloads.retain(|unload| !unload.origin.is_same(origin));
    }

    /// The UNLOADs that run.
    pub(crate) fn unloads(&self) -> Vec<UnloadRecord> {
        self.unloads.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nowhere;

    impl Progress for Nowhere {
        fn now(&self) -> ProgressState {
            ProgressState::default()
        }
    }

    fn of(query: i64, pid: i32, start_us: i64) -> LoadCommitRecord {
        LoadCommitRecord { origin: Origin { query, pid, start_us, ..Origin::default() }, ..LoadCommitRecord::default() }
    }

    #[test]
    fn loads_are_known_by_statement_session_and_try() {
        let (transfers, errors) = (Transfers::default(), Arc::new(LoadErrors::new(None)));
        let progress: Arc<dyn Progress> = Arc::new(Nowhere);
        let mine = of(7, 1, 100);
        for record in [mine.clone(), of(7, 2, 100), of(7, 1, 200), mine.clone()] {
            transfers.note_load(record, &progress, &errors);
        }
        assert_eq!(transfers.loads().len(), 3);
        transfers.forget_load(&mine.origin);
        let left: Vec<_> = transfers.loads().into_iter().map(|(record, _)| record).collect();
        assert_eq!(left, [of(7, 2, 100), of(7, 1, 200)]);
        // What ends later has the same origin.
        transfers.forget_load(&Origin { end_us: 900, ..of(7, 2, 100).origin });
        assert_eq!(transfers.loads().len(), 1);
    }
}
