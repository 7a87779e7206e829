//! The catalog's nouns, as AWS Glue's API names them, as plain data.

mod database;
mod hive_type;
mod partition;
mod storage;
mod table;

pub use database::{Database, ExternalSchema};
pub use hive_type::{HiveType, StructField};
pub use partition::{HIVE_DEFAULT_PARTITION, Partition, PartitionCondition, PartitionFilter};
pub use storage::{SerDe, SortColumn, StorageDescriptor};
pub use table::{Column, Table, TableKind, TableVersion};

/// Free key-value pairs of a database, table, partition or SerDe, ordered by key.
pub type Parameters = std::collections::BTreeMap<String, String>;
