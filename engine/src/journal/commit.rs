//! The records of commits that changed something, and of those that another had come before.

use super::Record;
use serde::{Deserialize, Serialize};

/// A transaction was committed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct CommitRecord {
    pub(crate) xid: i64,
    /// Since when it waited for its turn at the tables that it changed.
    pub(crate) queue_us: i64,
    pub(crate) start_us: i64,
    pub(crate) end_us: i64,
}

impl Record for CommitRecord {
    const KIND: &'static str = "commit";

    fn at_us(&self) -> i64 {
        self.end_us
    }
}

/// A transaction could not be put in order with another that had changed a table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ConflictRecord {
    pub(crate) xid: i64,
    /// The table's number in `pg_class`.
    pub(crate) table: i64,
    pub(crate) at_us: i64,
}

impl Record for ConflictRecord {
    const KIND: &'static str = "conflict";

    fn at_us(&self) -> i64 {
        self.at_us
    }
}
