//! The record of a vacuum of one table.

use super::Record;
use serde::{Deserialize, Serialize};

/// A table was vacuumed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct VacuumRecord {
    /// Whoever asked for it; empty for one that was done in the background.
    pub(crate) user: String,
    pub(crate) xid: i64,
    pub(crate) table_id: i64,
    pub(crate) table: String,
    /// `FULL`, `SORT ONLY`, ….
    pub(crate) mode: String,
    pub(crate) automatic: bool,
    pub(crate) start_us: i64,
    pub(crate) end_us: i64,
    /// Rows, deleted ones included.
    pub(crate) rows: (u64, u64),
    /// Percent of the rows that are in order; `None` without a sort key.
    pub(crate) sorted: (Option<f64>, Option<f64>),
    pub(crate) bytes: (u64, u64),
    /// Deleted rows before.
    pub(crate) reclaimable_rows: u64,
    /// Times that files were written anew.
    pub(crate) rewrites: u64,
    /// Nothing was sorted, because enough rows were in order.
    pub(crate) sort_skipped: bool,
    /// The percentage at which nothing is sorted.
    pub(crate) threshold: u8,
}

impl Record for VacuumRecord {
    const KIND: &'static str = "vacuum";

    fn at_us(&self) -> i64 {
        self.end_us
    }
}
