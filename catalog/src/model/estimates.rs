//! What the planner is told of a managed table's values.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is known about a managed table's rows, from loads and from `ANALYZE`. All of it is about, none of it proves
/// anything: it guides the planner.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TableEstimates {
    /// The last `ANALYZE`, if there was one.
    pub analysis: Option<TableAnalysis>,
    /// By column id.
    pub columns: BTreeMap<i64, ColumnEstimates>,
}

/// An `ANALYZE` of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableAnalysis {
    /// When it began, milliseconds since the epoch, UTC.
    pub time_ms: i64,
    /// Rows that it found.
    pub row_count: u64,
}

/// What is known about a column's values.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ColumnEstimates {
    /// Different values among all rows that were written; rows that were deleted since still count.
    pub distinct_count: Option<u64>,
    /// What `ANALYZE` found.
    pub analysis: Option<ColumnAnalysis>,
}

/// What `ANALYZE` found of a column. Values are texts as the manifest's bounds are.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ColumnAnalysis {
    /// When, milliseconds since the epoch, UTC.
    pub time_ms: i64,
    /// The part of rows that are NULL.
    pub null_fraction: f64,
    /// Bytes of a value on average, NULLs left out.
    pub average_width: f64,
    /// The values that are much more frequent than others, with the part of all rows that each has, most frequent
    /// first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub common: Vec<(String, f64)>,
    /// Bounds of an equi-depth histogram of all values, ascending: between two neighbours are as many rows as between
    /// any other two. Empty where the type has no order that texts give back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub histogram: Vec<String>,
}
