//! Tables and views.

use super::{HiveType, Parameters, StorageDescriptor};
use serde::{Deserialize, Serialize};

/// A column of a table or a partition key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Lower-case name.
    pub name: String,
    /// Its type, written as Hive's text in the database.
    #[serde(rename = "type")]
    pub data_type: HiveType,
    /// The COMMENT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

impl Column {
    /// A column without a comment.
    pub fn new(name: impl Into<String>, data_type: HiveType) -> Self {
        Self { name: name.into(), data_type, comment: None }
    }
}

/// What a catalog entry is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TableKind {
    /// Files at a location (`EXTERNAL_TABLE`).
    ExternalTable,
    /// A stored query (`VIRTUAL_VIEW`).
    VirtualView {
        /// The query's text, as the user wrote it.
        text: String,
        /// The dialect it was written in: `redshift` or `athena`.
        dialect: String,
        /// The database that unqualified names in it are looked up in.
        search_database: String,
    },
}

/// A table or view of a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// The catalog's own number; 0 until it is stored. Never reused.
    #[serde(skip)]
    pub id: i64,
    /// The database's name.
    #[serde(skip)]
    pub database: String,
    /// Lower-case name, unique among the database's tables and views.
    #[serde(skip)]
    pub name: String,
    /// Counts the table's definitions: 1 when made, one more with each change. A writer gives the version it read.
    #[serde(skip)]
    pub version: i64,
    /// Table or view.
    pub kind: TableKind,
    /// The COMMENT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Columns, location and format.
    pub storage: StorageDescriptor,
    /// The partition keys, in order.
    #[serde(default)]
    pub partition_keys: Vec<Column>,
    /// TBLPROPERTIES.
    #[serde(default)]
    pub parameters: Parameters,
    /// Milliseconds since the epoch, UTC.
    #[serde(default)]
    pub create_time_ms: i64,
    /// Milliseconds since the epoch, UTC.
    #[serde(default)]
    pub update_time_ms: i64,
}

/// An earlier definition of a table, kept when it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableVersion {
    /// The version's number.
    pub version: i64,
    /// The definition as it was.
    pub table: Table,
}
