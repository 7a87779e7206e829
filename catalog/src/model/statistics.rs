//! What is known of the rows of a table or partition, as AWS Glue's `ColumnStatistics` has it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Rows, bytes and columns of a table or one of its partitions at the time they were looked at.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TableStatistics {
    /// Rows.
    pub row_count: u64,
    /// Bytes of the files, as stored.
    pub size_bytes: u64,
    /// Files.
    pub file_count: u64,
    /// Whether every row was counted, not estimated from a sample.
    pub exact: bool,
    /// When it was looked at: milliseconds since the epoch, UTC.
    pub analyzed_time_ms: i64,
    /// What is known of each column, by its lower-case name.
    #[serde(default)]
    pub columns: BTreeMap<String, ColumnStatistics>,
}

/// What is known of a column's values. Texts are as a partition value of the column's type is written.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ColumnStatistics {
    /// The smallest value, or a bound below it; `None` when unknown or all are NULL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<String>,
    /// The largest value, or a bound above it; `None` when unknown or all are NULL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<String>,
    /// How many are NULL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub null_count: Option<u64>,
    /// How many different values there are, about (HyperLogLog).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distinct_count: Option<u64>,
    /// Mean bytes of a value, for texts and binaries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average_length: Option<f64>,
    /// The HyperLogLog registers, base64, by which the distinct counts of partitions are joined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sketch: Option<String>,
}
