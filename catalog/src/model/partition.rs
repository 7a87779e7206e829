//! Partitions and the conditions by which they are looked up.

use super::{Parameters, StorageDescriptor};
use serde::{Deserialize, Serialize};
use std::ops::Bound;

/// The folder name by which Hive stands for a NULL partition value.
pub const HIVE_DEFAULT_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";

/// One partition of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// One value for each partition key, as text; `None` is NULL.
    pub values: Vec<Option<String>>,
    /// The partition's folder as a URL.
    pub location: String,
    /// Its own storage where that differs from the table's (schema or format of the time it was made).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Box<StorageDescriptor>>,
    /// Free parameters.
    #[serde(default)]
    pub parameters: Parameters,
    /// Milliseconds since the epoch, UTC.
    #[serde(default)]
    pub create_time_ms: i64,
}

/// A condition on one partition key. Filters of one call are joined by AND.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionFilter {
    /// Position of the key among the table's partition keys.
    pub key: usize,
    /// What its value must satisfy.
    pub condition: PartitionCondition,
}

/// What a partition value must satisfy. Values are texts of the key's type (`7`, `2024-01-31`, `x`) and compare as
/// that type does: numbers as numbers, `01` equals `1` for an `int` key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartitionCondition {
    /// Equal to one of these.
    In(Vec<String>),
    /// Within these bounds.
    Range(Bound<String>, Bound<String>),
    /// NULL.
    IsNull,
    /// Not NULL.
    IsNotNull,
}
