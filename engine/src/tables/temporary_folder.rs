//! Where a process keeps the files of temporary tables: a folder of its own beside the catalog.
//!
//! The process holds a lock on a file beside the folder for as long as it lives, however it ends. So whoever opens the
//! warehouse later knows at once which folders nobody needs any more.

use crate::error::{Error, ErrorKind, Result};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// The folder of all of them in a warehouse's directory.
const FOLDER: &str = "temp";

/// A folder that goes with whoever has it.
#[derive(Debug)]
pub(crate) struct TemporaryFolder {
    path: PathBuf,
    lock_path: PathBuf,
    _lock: File,
}

impl TemporaryFolder {
    /// Makes one in a warehouse's directory.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn make(directory: &Path) -> Result<Self> {
        let parent = directory.join(FOLDER);
        let failed = |e: io::Error| {
            let kind = match e.kind() {
                io::ErrorKind::StorageFull => ErrorKind::DiskFull,
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::ReadOnly,
                _ => ErrorKind::Internal,
            };
            Error::new(kind, format!("could not make a folder for temporary tables in {}: {e}", parent.display()))
        };
        fs::create_dir_all(&parent).map_err(failed)?;
        let path = parent.join(uuid::Uuid::new_v4().to_string());
        let lock_path = path.with_extension("lock");
        loop {
            let lock = File::create(&lock_path).map_err(failed)?;
            lock.lock().map_err(failed)?;
            // Before it was locked, somebody may have taken it for one that nobody needs.
            if lock_path.exists() {
                fs::create_dir(&path).map_err(failed)?;
                return Ok(Self { path, lock_path, _lock: lock });
            }
        }
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        remove(&self.path, &self.lock_path);
    }
}

/// Removes the folders of processes that have ended.
pub(crate) fn remove_abandoned(directory: &Path) {
    // Most warehouses have none.
    let Ok(entries) = fs::read_dir(directory.join(FOLDER)) else { return };
    for entry in entries.flatten() {
        let lock_path = entry.path();
        if lock_path.extension().is_some_and(|extension| extension == "lock")
            && let Ok(lock) = File::open(&lock_path)
            && lock.try_lock().is_ok()
        {
            remove(&lock_path.with_extension(""), &lock_path);
        }
    }
}

fn remove(folder: &Path, lock: &Path) {
    let removed = match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => fs::remove_file(lock),
    };
    if let Err(error) = removed {
        tracing::warn!(folder = %folder.display(), %error, "could not remove the files of temporary tables");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_with_its_process_only() -> Result<()> {
        let directory = tempfile::tempdir().map_err(|e| Error::internal(e.to_string()))?;
        remove_abandoned(directory.path());
        let mine = TemporaryFolder::make(directory.path())?;
        // What a killed process leaves: the lock has no holder.
        let dead = directory.path().join(FOLDER).join("dead");
        fs::create_dir(&dead)
            .and_then(|()| fs::write(dead.join("file"), ""))
            .map_err(|e| Error::internal(e.to_string()))?;
        File::create(dead.with_extension("lock")).map_err(|e| Error::internal(e.to_string()))?;
        remove_abandoned(directory.path());
        assert!(mine.path().exists() && !dead.exists() && !dead.with_extension("lock").exists());
        let path = mine.path().to_owned();
        drop(mine);
        assert!(!path.exists());
        Ok(())
    }
}
