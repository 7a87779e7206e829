//! Bad lines: what is recorded of each, and how many a load may have; texts in which characters were replaced.

use crate::error::{Error, ErrorKind};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// How many bad lines of a load are recorded.
const MOST_RECORDED: usize = 10_000;

/// How much of a line or value is recorded, in bytes (`stl_load_errors` has 1024).
const MOST_TEXT: usize = 1024;

/// How much of a reason is recorded, in bytes (`sys_load_error_detail.error_message` is `character(512)`).
const MOST_REASON: usize = 512;

/// How much of a bad line's fields together is recorded, in bytes.
pub(super) const MOST_FIELDS: usize = 4096;

/// What Redshift says of a JSONPath whose array is not there (COPY, "JSONPath expressions").
pub(super) const OUT_OF_RANGE: &str = "Invalid JSONPath format: Not an array or index out of range.";

/// Why a field or a line is bad: a code and a reason of Redshift's "Load error reference".
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) code: u32,
    pub(crate) reason: String,
}

impl Problem {
    /// A reason may repeat what stood in the file, whatever its length: as much is kept as is recorded.
    pub(crate) fn new(code: u32, reason: impl Into<String>) -> Self {
        let mut reason = reason.into();
        reason.truncate(reason.floor_char_boundary(MOST_REASON));
        Self { code, reason }
    }
}

/// A bad line, with the columns of `stl_load_errors`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LoadError {
    /// The file's URL.
    pub(crate) file: String,
    /// Its line, from 1; counted from `after` on until [`LoadErrors::place`] knows better.
    pub(crate) line: u64,
    /// From which byte of the file on lines are counted.
    pub(crate) after: u64,
    /// The column; empty when the line as a whole is bad.
    pub(crate) column: String,
    /// The column's type; empty with it.
    pub(crate) data_type: String,
    /// The type's length, where it has one.
    pub(crate) length: Option<u32>,
    /// Where the field begins in the line, in bytes from 0.
    pub(crate) position: usize,
    /// The line, at most 1024 bytes of it.
    pub(crate) raw_line: String,
    /// The field.
    pub(crate) raw_value: String,
    /// Redshift's error code.
    pub(crate) code: u32,
    /// Redshift's reason.
    pub(crate) reason: String,
    /// The fields up to the bad one; all that were found when the line as a whole is bad.
    pub(crate) fields: Vec<FieldOfError>,
}

/// A field of a bad line, with the columns of `stl_loaderror_detail`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldOfError {
    /// The column that it would fill.
    pub(crate) column: String,
    /// The column's type.
    pub(crate) data_type: String,
    /// The type's length, where it has one.
    pub(crate) length: Option<u32>,
    /// The field as it stood; `None` when it is NULL.
    pub(crate) value: Option<String>,
}

impl LoadError {
    /// One line for a message's detail.
    pub(crate) fn summary(&self) -> String {
        let column = if self.column.is_empty() { String::new() } else { format!(", column \"{}\"", self.column) };
        format!("{}, line {}{column}: {} (code {})", self.file, self.line, self.reason, self.code)
    }
}

/// A text of which invalid characters were replaced (ACCEPTINVCHARS), with the columns of `stl_replacements`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Replacement {
    /// The file's URL.
    pub(crate) file: String,
    /// Its line, counted as [`LoadError::line`] is.
    pub(crate) line: u64,
    /// As [`LoadError::after`].
    pub(crate) after: u64,
    /// The column.
    pub(crate) column: String,
    /// The line, at most 1024 bytes of it.
    pub(crate) raw_line: String,
}

/// The bad lines of one load, and how many there may be.
#[derive(Debug)]
pub(crate) struct LoadErrors {
    /// So many fail the load; `None` for any number.
    limit: Option<u64>,
    count: AtomicU64,
    recorded: Mutex<Vec<LoadError>>,
    replaced: Mutex<Vec<Replacement>>,
}

impl LoadErrors {
    /// `limit` bad lines fail the load; 0 is as 1.
    pub(crate) fn new(limit: Option<u64>) -> Self {
        let limit = limit.map(|limit| limit.max(1));
        Self { limit, count: AtomicU64::new(0), recorded: Mutex::default(), replaced: Mutex::default() }
    }

    /// Records a bad line.
    ///
    /// # Errors
    /// `Data` when there are too many now.
    pub(crate) fn record(&self, error: LoadError) -> Result<(), Error> {
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        // Streams side by side may find more at once than were one too many.
        if recorded.len() < MOST_RECORDED && self.limit.is_none_or(|limit| count <= limit) {
            recorded.push(error);
        }
        match self.limit {
            Some(limit) if count >= limit => Err(Error::new(ErrorKind::Data, "too many bad lines")),
            _ => Ok(()),
        }
    }

    /// Records a text of which characters were replaced.
    pub(crate) fn record_replacement(&self, replacement: Replacement) {
        let mut replaced = self.replaced.lock().unwrap_or_else(PoisonError::into_inner);
        if replaced.len() < MOST_RECORDED {
            replaced.push(replacement);
        }
    }

    /// Whether there were too many.
    pub(crate) fn exceeded(&self) -> bool {
        self.limit.is_some_and(|limit| self.count() >= limit)
    }

    /// The files and places in them that lines are counted from, but for files' starts.
    pub(crate) fn unplaced(&self) -> BTreeSet<(String, u64)> {
        let recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        let replaced = self.replaced.lock().unwrap_or_else(PoisonError::into_inner);
        let places = recorded.iter().map(|error| (&error.file, error.after));
        let places = places.chain(replaced.iter().map(|replacement| (&replacement.file, replacement.after)));
        places.filter(|(_, after)| *after > 0).map(|(file, after)| (file.clone(), after)).collect()
    }

    /// Counts lines from the start of a file: so many end before that place of it.
    pub(crate) fn place(&self, file: &str, after: u64, lines: u64) {
        let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        for error in recorded.iter_mut().filter(|error| error.file == file && error.after == after) {
            error.line += lines;
            error.after = 0;
        }
        let mut replaced = self.replaced.lock().unwrap_or_else(PoisonError::into_inner);
        for replacement in replaced.iter_mut().filter(|found| found.file == file && found.after == after) {
            replacement.line += lines;
            replacement.after = 0;
        }
    }

    /// How many there were, up to the one that was too many.
    pub(crate) fn count(&self) -> u64 {
        let count = self.count.load(Ordering::Relaxed);
        self.limit.map_or(count, |limit| count.min(limit))
    }

    /// Those recorded, by file and line.
    pub(crate) fn recorded(&self) -> Vec<LoadError> {
        let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner).clone();
        recorded.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        recorded
    }

    /// The replacements that were recorded, by file and line.
    pub(crate) fn replacements(&self) -> Vec<Replacement> {
        let mut replaced = self.replaced.lock().unwrap_or_else(PoisonError::into_inner).clone();
        replaced.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        replaced
    }
}

/// Bytes of a file as text for a record. What is no UTF-8 is shown as more bytes than it has.
pub(crate) fn shown(bytes: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(&bytes[..bytes.len().min(MOST_TEXT)]).into_owned();
    text.truncate(text.floor_char_boundary(MOST_TEXT));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    // Redshift: `raw_line` and `raw_field_value` are `char(1024)`, `error_message` is `character(512)`.
    #[test]
    fn what_is_recorded_fits_its_columns() {
        for bytes in [vec![b'x'; 4096], vec![0xff; 1024], "é".repeat(700).into_bytes(), b"short".to_vec()] {
            assert!(shown(&bytes).len() <= 1024);
        }
        assert_eq!(shown(b"short"), "short");
        assert_eq!(Problem::new(1222, "é".repeat(300)).reason, "é".repeat(256));
        assert_eq!(Problem::new(1207, "Invalid digit").reason, "Invalid digit");
    }
}
