//! How the files of a table or partition are laid out: Glue's StorageDescriptor.

use super::{Column, Parameters};
use serde::{Deserialize, Serialize};

/// The serialisation library of a table and its settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SerDe {
    /// The Java class that Hive would load, e.g. `org.apache.hadoop.hive.serde2.OpenCSVSerde`.
    pub library: String,
    /// `WITH SERDEPROPERTIES`, and the delimiters of `ROW FORMAT DELIMITED` under Hive's keys.
    #[serde(default)]
    pub parameters: Parameters,
}

/// One column of `SORTED BY`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SortColumn {
    /// Column name.
    pub column: String,
    /// Ascending (the default) or descending.
    pub ascending: bool,
}

/// Where the data is and how to read it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageDescriptor {
    /// The data columns; partition keys are not among them.
    pub columns: Vec<Column>,
    /// A URL (`s3://…`, `file:///…`) of a folder or an object; `None` for views.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Hive's input format class.
    #[serde(default)]
    pub input_format: String,
    /// Hive's output format class.
    #[serde(default)]
    pub output_format: String,
    /// How rows are decoded.
    #[serde(default)]
    pub serde: SerDe,
    /// Number of buckets; 0 when the table is not bucketed.
    #[serde(default)]
    pub bucket_count: u32,
    /// `CLUSTERED BY`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bucket_columns: Vec<String>,
    /// `SORTED BY`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sort_columns: Vec<SortColumn>,
    /// Parameters of the storage, as Glue keeps them beside the table's own.
    #[serde(default)]
    pub parameters: Parameters,
}
