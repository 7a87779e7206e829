//! The catalog's nouns, as AWS Glue's API names them, as plain data.

mod change;
mod constraint;
mod crawler;
mod database;
mod distinct;
mod estimates;
mod function;
mod hive_type;
mod managed;
mod partition;
mod principal;
mod statistics;
mod storage;
mod table;

pub use change::{CrawledPartition, TableChange};
pub use constraint::{Constraint, ConstraintKind, Reference};
pub use crawler::{
    Classifier, ClassifierKind, Crawl, CrawlMessage, CrawlMetrics, CrawlStatus, Crawler, CrawlerState, CrawlerTarget,
    CsvHeader, DeleteBehavior, RecrawlBehavior, TableGrouping, UpdateBehavior,
};
pub use database::{Database, ExternalSchema};
pub use distinct::{DistinctSketch, estimate_distinct};
pub use estimates::{ColumnAnalysis, ColumnEstimates, TableAnalysis, TableEstimates};
pub use function::{SqlFunction, Volatility};
pub use hive_type::{HiveType, StructField};
pub use managed::{
    AutoKeys, ColumnUse, DataFile, DeleteFile, DistributionStyle, FileColumnStatistics, FileFormat, FileLayout,
    Identity, ManagedColumn, ManagedTable, MaterializedView, SortKey, StreamOfView, TableAttributes,
};
pub use partition::{HIVE_DEFAULT_PARTITION, Partition, PartitionCondition, PartitionFilter};
pub use principal::{
    ADMIN, DefaultGrant, DefaultObjects, Grant, Grantee, Group, Principals, Privilege, Role, Securable, User, Verifiers,
};
pub use statistics::{ColumnStatistics, TableStatistics};
pub use storage::{SerDe, SortColumn, StorageDescriptor};
pub use table::{Column, Table, TableKind, TableVersion};

/// Free key-value pairs of a database, table, partition or SerDe, ordered by key.
pub type Parameters = std::collections::BTreeMap<String, String>;
