//! How far a load is, for whoever watches it: files and bytes of them, compressed as they are.

use super::files::File;
use crate::result::{Progress, ProgressState};
use std::sync::atomic::{AtomicU64, Ordering};

/// The progress of one load of text or JSON.
#[derive(Debug, Default)]
pub(super) struct LoadProgress {
    bytes_total: u64,
    files_total: u64,
    bytes: AtomicU64,
    rows: AtomicU64,
    files: AtomicU64,
}

impl LoadProgress {
    /// That of a load of these files.
    pub(super) fn of(files: &[File]) -> Self {
        let bytes_total = files.iter().map(|file| file.meta.size).sum();
        Self { bytes_total, files_total: files.len() as u64, ..Self::default() }
    }

    /// Notes bytes that were read.
    pub(super) fn read(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Notes rows that were made of them.
    pub(super) fn made(&self, rows: usize) {
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
    }

    /// Notes that a file, or the last part of one, is done.
    pub(super) fn file_done(&self) {
        self.files.fetch_add(1, Ordering::Relaxed);
    }
}

impl Progress for LoadProgress {
    fn now(&self) -> ProgressState {
        ProgressState {
            rows_scanned: self.rows.load(Ordering::Relaxed),
            bytes_scanned: self.bytes.load(Ordering::Relaxed).min(self.bytes_total),
            bytes_total: self.bytes_total,
            files_done: self.files.load(Ordering::Relaxed).min(self.files_total),
            files_total: self.files_total,
            files_listed: 0,
        }
    }
}
