//! The configuration as the warehouse keeps it: a file in its directory, which other processes see and people may edit.

use super::SETTING;
use crate::error::{Error, ErrorKind, Result};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The file's name.
const NAME: &str = "wlm.json";

/// The file of a warehouse.
#[derive(Debug)]
pub(super) struct ConfigurationFile {
    path: PathBuf,
}

/// What tells one version of the file from another; `None` where there is none.
pub(super) type Version = Option<(SystemTime, u64)>;

impl ConfigurationFile {
    pub(super) fn new(directory: &Path) -> Self {
        Self { path: directory.join(NAME) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Which version is there.
    pub(super) fn version(&self) -> Version {
        let metadata = fs::metadata(&self.path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    }

    /// Its text; empty where there is none.
    ///
    /// # Errors
    /// What the file system says.
    pub(super) fn read(&self) -> Result<String> {
        match fs::read_to_string(&self.path) {
            Ok(text) => Ok(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(self.failed("read", &error)),
        }
    }

    /// Replaces it, at once for every reader; an empty text removes it.
    ///
    /// # Errors
    /// What the file system says.
    pub(super) fn write(&self, text: &str) -> Result<()> {
        let failed = |error: io::Error| self.failed("write", &error);
        if text.is_empty() {
            return match fs::remove_file(&self.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
                _ => Ok(()),
            };
        }
        let staged = self.path.with_extension(format!("json.{}", std::process::id()));
        let write = || {
            let mut file = fs::File::create(&staged)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&staged, &self.path)
        };
        write().map_err(failed)
    }

    fn failed(&self, verb: &str, error: &io::Error) -> Error {
        let kind = match error.kind() {
            io::ErrorKind::StorageFull => ErrorKind::DiskFull,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::InsufficientPrivilege,
            _ => ErrorKind::BadFile,
        };
        Error::new(kind, format!("could not {verb} {SETTING} in {}: {error}", self.path.display()))
    }
}
