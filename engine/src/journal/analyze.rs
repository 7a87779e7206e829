//! The record of an ANALYZE of one table.

use super::Record;
use serde::{Deserialize, Serialize};

/// A table was analyzed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct AnalyzeRecord {
    pub(crate) user: String,
    pub(crate) xid: i64,
    /// The table's number in `pg_class`.
    pub(crate) table_id: i64,
    /// Only columns that queries use were looked at.
    pub(crate) predicate_columns: bool,
    /// Rows then; `None` where they were not counted.
    pub(crate) rows: Option<u64>,
    /// By how many rows the table had changed since it was analyzed before.
    pub(crate) changed_rows: Option<u64>,
    /// When that was, in microseconds since the epoch.
    pub(crate) before_us: Option<i64>,
    /// It was done in the background.
    pub(crate) automatic: bool,
    pub(crate) start_us: i64,
    pub(crate) end_us: i64,
}

impl Record for AnalyzeRecord {
    const KIND: &'static str = "analyze";

    fn at_us(&self) -> i64 {
        self.end_us
    }
}
