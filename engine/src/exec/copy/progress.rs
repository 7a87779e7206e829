//! How far a load is, for whoever watches it: files and bytes of them, compressed as they are.

use super::files::File;
use crate::exec::progress::ScanProgress;
use crate::result::{Progress, ProgressState};
use datafusion::physical_plan::ExecutionPlan;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The progress of one load: of text and JSON what their readers note, of columnar files what their scans count.
#[derive(Debug, Default)]
pub(super) struct LoadProgress {
    bytes_total: u64,
    files_total: u64,
    bytes: AtomicU64,
    rows: AtomicU64,
    files: AtomicU64,
    /// The rows of each file of text, JSON or Avro.
    lines: Mutex<HashMap<String, u64>>,
    scans: Mutex<Vec<ScanProgress>>,
}

impl LoadProgress {
    /// That of a load of these files.
    pub(super) fn of(files: &[File]) -> Self {
        let bytes_total = files.iter().map(|file| file.meta.size).sum();
        Self { bytes_total, files_total: files.len() as u64, ..Self::default() }
    }

    /// Watches a plan that reads files.
    pub(super) fn watch(&self, plan: &Arc<dyn ExecutionPlan>) {
        self.scans.lock().unwrap_or_else(PoisonError::into_inner).push(ScanProgress::of(plan));
    }

    /// Notes bytes that were read.
    pub(super) fn read(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Notes rows that were made of a file's bytes.
    pub(super) fn made(&self, url: &str, rows: usize) {
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
        self.counted(url, rows);
    }

    /// Notes rows of a file whose scan is watched.
    pub(super) fn counted(&self, url: &str, rows: usize) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        match lines.get_mut(url) {
            Some(lines) => *lines += rows as u64,
            None => {
                lines.insert(url.to_owned(), rows as u64);
            }
        }
    }

    /// How many rows were made of a file's bytes; `None` when nobody noted any.
    pub(super) fn rows_of(&self, url: &str) -> Option<u64> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).get(url).copied()
    }

    /// Notes that a file, or the last part of one, is done.
    pub(super) fn file_done(&self) {
        self.files.fetch_add(1, Ordering::Relaxed);
    }
}

impl Progress for LoadProgress {
    fn now(&self) -> ProgressState {
        let (mut rows, mut bytes) = (self.rows.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed));
        let mut files = self.files.load(Ordering::Relaxed);
        for scan in self.scans.lock().unwrap_or_else(PoisonError::into_inner).iter().map(Progress::now) {
            rows += scan.rows_scanned;
            bytes += scan.bytes_scanned;
            files += scan.files_done;
        }
        ProgressState {
            rows_scanned: rows,
            bytes_scanned: bytes.min(self.bytes_total),
            bytes_total: self.bytes_total,
            files_done: files.min(self.files_total),
            files_total: self.files_total,
            files_listed: 0,
        }
    }
}
