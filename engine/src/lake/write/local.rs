//! A file on the local disk that takes its name only when it is published.
//!
//! It is staged beside its destination as `<name>#1`, a name that `object_store` never lists and never opens (a suffix
//! of digits after `#` is its own mark for unfinished uploads), so a crash leaves nothing that a query would see. The
//! descriptor is closed as soon as the last byte is written: a write of many partitions stages more files than a
//! process may hold open, which is why `LocalFileSystem`'s multipart upload, open until it completes, is not used.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The folders that one write made; they go again when the write leaves them empty.
#[derive(Debug, Default)]
pub(super) struct MadeFolders(Mutex<BTreeSet<PathBuf>>);

impl MadeFolders {
    fn make(&self, folder: &Path) -> io::Result<()> {
        if folder.is_dir() {
            return Ok(());
        }
        if let Some(parent) = folder.parent() {
            self.make(parent)?;
        }
        match fs::create_dir(folder) {
            Ok(()) => {
                self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.to_owned());
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Removes the folder and those above it as far as this write made them and they are empty.
    fn unmake(&self, folder: &Path) {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = Some(folder);
        while let Some(folder) = next {
            if !made.contains(folder) || fs::remove_dir(folder).is_err() {
                return;
            }
            made.remove(folder);
            next = folder.parent();
        }
    }
}

/// A staged or published file. Dropping it removes it, unless [`LocalFile::keep`] was called.
#[derive(Debug)]
pub(crate) struct LocalFile {
    staging: PathBuf,
    destination: PathBuf,
    file: Option<File>,
    folders: Arc<MadeFolders>,
    kept: bool,
}

impl LocalFile {
    /// Creates the staging file and the folders above it.
    pub(super) fn create(destination: PathBuf, folders: Arc<MadeFolders>) -> io::Result<Self> {
        let folder = destination.parent().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
        let mut staging = destination.clone().into_os_string();
        staging.push("#1");
        let mut local = Self { staging: staging.into(), destination, file: None, folders, kept: false };
        local.folders.make(&folder)?;
        local.file = Some(File::options().write(true).create_new(true).open(&local.staging)?);
        Ok(local)
    }

    /// Appends bytes.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.file {
            Some(file) => file.write_all(bytes),
            None => Err(io::Error::other("the file is closed")),
        }
    }

    /// Waits until what was appended is on the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        match &self.file {
            Some(file) => file.sync_all(),
            None => Err(io::Error::other("the file is closed")),
        }
    }

    /// Waits until the file's name is on the disk, and the names of the folders that the write made for it.
    pub(super) fn sync_folders(&self) -> io::Result<()> {
        let made = self.folders.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = self.destination.parent();
        while let Some(folder) = next {
            File::open(folder)?.sync_all()?;
            next = folder.parent().filter(|_| made.contains(folder));
        }
        Ok(())
    }

    /// Closes the descriptor; the file stays staged.
    pub(super) fn close(&mut self) {
        self.file = None;
    }

    /// Gives the file its name: from now on queries see it.
    pub(super) fn publish(&mut self) -> io::Result<()> {
        self.close();
        fs::rename(&self.staging, &self.destination)
    }

    /// Lets the file stay.
    pub(super) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for LocalFile {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        self.close();
        // At most one of the two is there; a file that cannot be removed is told to whoever reads the log.
        for path in [&self.staging, &self.destination] {
            if let Err(error) = fs::remove_file(path)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(path = %path.display(), %error, "could not remove an abandoned file");
            }
        }
        if let Some(folder) = self.destination.parent() {
            self.folders.unmake(folder);
        }
    }
}
