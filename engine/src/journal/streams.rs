//! The record of a refresh of a view of a stream: what was read of each of the stream's parts.

use super::Record;
use super::loads::{OfStatement, Origin};
use serde::{Deserialize, Serialize};

/// Parts of a stream that were read together and committed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct StreamScanRecord {
    pub(crate) origin: Origin,
    /// The external schema.
    pub(crate) schema: String,
    pub(crate) stream: String,
    /// The materialized view.
    pub(crate) view: String,
    pub(crate) parts: Vec<StreamPart>,
    /// What the stream may have dropped before it was read, in words.
    pub(crate) lost: Option<String>,
}

/// What was read of a part.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct StreamPart {
    pub(crate) part: String,
    /// Where it goes on.
    pub(crate) position: String,
    pub(crate) rows: u64,
    pub(crate) skipped: u64,
    pub(crate) bytes: u64,
    /// When the earliest and the latest record came.
    pub(crate) first_us: Option<i64>,
    pub(crate) last_us: Option<i64>,
    pub(crate) bad: Vec<BadStreamRecord>,
}

/// A record that is not what was declared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct BadStreamRecord {
    pub(crate) position: String,
    pub(crate) at_us: Option<i64>,
    pub(crate) reason: String,
}

impl Record for StreamScanRecord {
    const KIND: &'static str = "stream_scan";

    fn at_us(&self) -> i64 {
        self.origin.end_us
    }
}

impl OfStatement for StreamScanRecord {
    fn origin(&self) -> &Origin {
        &self.origin
    }
}
