//! The records of COPY and UNLOAD.
//!
//! What belongs to one statement is kept in few records: a load with ten thousand bad lines must not fill the journal's
//! channel.

use super::Record;
use serde::{Deserialize, Serialize};

/// The statement that a record tells of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Origin {
    pub(crate) query: i64,
    pub(crate) xid: i64,
    pub(crate) pid: i32,
    pub(crate) user: String,
    pub(crate) database: String,
    /// When it began: differs between the tries of a statement that began again.
    pub(crate) start_us: i64,
    pub(crate) end_us: i64,
}

impl Origin {
    /// Whether both are of one try of one statement: another process's sessions may have the same numbers, and a statement
    /// that begins again has its own.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let key = |origin: &Self| (origin.query, origin.pid, origin.start_us);
        key(self) == key(other)
    }
}

/// A record that belongs to a statement.
pub(crate) trait OfStatement: Record {
    /// The statement.
    fn origin(&self) -> &Origin;
}

/// A file that was loaded or written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct FileRecord {
    pub(crate) url: String,
    pub(crate) bytes: u64,
    /// `None` when nobody counted them file by file.
    pub(crate) rows: Option<u64>,
}

/// A COPY that has ended, well or not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct LoadCommitRecord {
    pub(crate) origin: Origin,
    pub(crate) table: String,
    pub(crate) source: String,
    /// `csv`, `txt`, `json`, `avro`, `orc`, `parquet`, as in `sys_load_history.file_format`.
    pub(crate) format: String,
    pub(crate) files: Vec<FileRecord>,
    /// Rows that were added.
    pub(crate) rows: u64,
    /// Bad lines.
    pub(crate) errors: u64,
    /// NOLOAD.
    pub(crate) only_checked: bool,
    pub(crate) failed: bool,
}

/// A bad line, with the columns of `stl_load_errors`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct BadLine {
    pub(crate) file: String,
    pub(crate) line: u64,
    pub(crate) column: String,
    pub(crate) data_type: String,
    pub(crate) length: Option<u32>,
    pub(crate) position: u64,
    pub(crate) raw_line: String,
    pub(crate) raw_value: String,
    pub(crate) code: u32,
    pub(crate) reason: String,
    /// The fields up to the bad one, as they stood.
    pub(crate) fields: Vec<BadField>,
}

/// A field of a bad line, with the columns of `stl_loaderror_detail`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct BadField {
    pub(crate) column: String,
    pub(crate) data_type: String,
    pub(crate) length: Option<u32>,
    /// `None` for NULL.
    pub(crate) value: Option<String>,
}

/// Some of a COPY's bad lines.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct LoadErrorRecord {
    pub(crate) origin: Origin,
    /// The table's number in `pg_class`.
    pub(crate) table_id: i64,
    pub(crate) lines: Vec<BadLine>,
}

/// A text of which COPY replaced characters, with the columns of `stl_replacements`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ReplacedText {
    pub(crate) file: String,
    pub(crate) line: u64,
    pub(crate) column: String,
    pub(crate) raw_line: String,
}

/// Some of the texts of which a COPY replaced characters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ReplacementRecord {
    pub(crate) origin: Origin,
    /// The table's number in `pg_class`.
    pub(crate) table_id: i64,
    pub(crate) texts: Vec<ReplacedText>,
}

/// An UNLOAD that has ended, well or not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct UnloadRecord {
    pub(crate) origin: Origin,
    pub(crate) target: String,
    /// Why it failed.
    pub(crate) error: Option<String>,
    /// `none`, `gzip`, …
    pub(crate) compression: String,
    /// `text`, `csv`, `json`, `parquet`
    pub(crate) format: String,
    pub(crate) files: Vec<FileRecord>,
}

impl Record for LoadCommitRecord {
    const KIND: &'static str = "load_commit";

    fn at_us(&self) -> i64 {
        self.origin.end_us
    }
}

impl Record for LoadErrorRecord {
    const KIND: &'static str = "load_error";

    fn at_us(&self) -> i64 {
        self.origin.end_us
    }
}

impl Record for ReplacementRecord {
    const KIND: &'static str = "replacement";

    fn at_us(&self) -> i64 {
        self.origin.end_us
    }
}

impl Record for UnloadRecord {
    const KIND: &'static str = "unload";

    fn at_us(&self) -> i64 {
        self.origin.end_us
    }
}

impl OfStatement for LoadCommitRecord {
    fn origin(&self) -> &Origin {
        &self.origin
    }
}

impl OfStatement for LoadErrorRecord {
    fn origin(&self) -> &Origin {
        &self.origin
    }
}

impl OfStatement for ReplacementRecord {
    fn origin(&self) -> &Origin {
        &self.origin
    }
}

impl OfStatement for UnloadRecord {
    fn origin(&self) -> &Origin {
        &self.origin
    }
}
