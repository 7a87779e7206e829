//! The vacuums that statements ask for: one at a time in a warehouse, as in Redshift, and how far it is.
//!
//! The turn is a lock on a file in the warehouse's directory, which the system takes back from a process however it ends.

use crate::error::{Error, ErrorKind, Result};
use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// The file that is locked.
const LOCK_FILE: &str = "vacuum.lock";

/// The vacuums of a warehouse.
#[derive(Debug, Default)]
pub(crate) struct Vacuums(Mutex<Option<VacuumState>>);

/// The vacuum of a table that runs now, or ran last in this process.
#[derive(Debug, Clone)]
pub(crate) struct VacuumState {
    /// The table's name.
    pub(crate) table: String,
    /// `FULL`, `SORT ONLY`, ….
    pub(crate) mode: &'static str,
    /// When it began.
    pub(crate) began: Instant,
    /// Rewrites that are done, and all.
    pub(crate) rewrites: (usize, usize),
    /// Whether it has ended.
    pub(crate) ended: bool,
}

/// The turn to vacuum; dropping it ends it.
#[derive(Debug)]
pub(crate) struct VacuumTurn {
    lock: File,
}

impl Drop for VacuumTurn {
    /// A child that this process is just starting has the file open, too, until it runs its own program: closing the file
    /// alone would leave the turn to it for that long. A turn that cannot be given back ends with the process.
    fn drop(&mut self) {
        drop(self.lock.unlock());
    }
}

impl Vacuums {
    /// Takes the turn in the warehouse of a directory.
    ///
    /// # Errors
    /// `ObjectInUse` when another has it; what the file system says.
    pub(crate) fn begin(directory: &Path) -> Result<VacuumTurn> {
        let path = directory.join(LOCK_FILE);
        let failed = |error: io::Error| {
            let kind = match error.kind() {
                io::ErrorKind::StorageFull => ErrorKind::DiskFull,
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::ReadOnly,
                _ => ErrorKind::Internal,
            };
            Error::new(kind, format!("could not lock {}: {error}", path.display()))
        };
        let lock = File::create(&path).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(VacuumTurn { lock }),
            Err(TryLockError::WouldBlock) => Err(Error::new(ErrorKind::ObjectInUse, "VACUUM is running")
                .with_hint("re-execute after other vacuum finished")),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// Notes that the vacuum of a table begins; it ends when what this gives is dropped.
    pub(crate) fn note(&self, table: &str, mode: &'static str, rewrites: usize) -> Noted<'_> {
        let state =
            VacuumState { table: table.to_owned(), mode, began: Instant::now(), rewrites: (0, rewrites), ended: false };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(state);
        Noted(self)
    }

    /// How far the one is that runs, or ran last.
    pub(crate) fn state(&self) -> Option<VacuumState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut VacuumState)) {
        if let Some(state) = self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            change(state);
        }
    }
}

/// A vacuum that runs.
pub(crate) struct Noted<'a>(&'a Vacuums);

impl Noted<'_> {
    /// One more of its rewrites is done.
    pub(crate) fn rewritten(&self) {
        self.0.change(|state| state.rewrites.0 += 1);
    }
}

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        self.0.change(|state| state.ended = true);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let turn = Vacuums::begin(directory.path()).unwrap();
        let refused = Vacuums::begin(directory.path()).unwrap_err();
        assert_eq!((refused.kind, refused.message.as_str()), (ErrorKind::ObjectInUse, "VACUUM is running"));
        drop(turn);
        Vacuums::begin(directory.path()).unwrap();
    }
}
