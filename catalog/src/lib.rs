//! What exists and where: the Glue-like catalog of a warehouse.
//!
//! Owns the model (databases, tables, columns, partitions, versions), the SQL database that keeps it, and the
//! immutable snapshot that planning reads. Knows nothing of Arrow, DataFusion or files: types are Hive's, places
//! are URLs, both as text.

pub mod error;
mod journal;
pub mod manifest;
pub mod model;
pub mod snapshot;
pub mod store;

pub use error::{CatalogError, Result};
pub use journal::{JournalEntry, JournalLimits, JournalStore};
pub use snapshot::Snapshot;
pub use store::{Catalog, FunctionChange, ObjectChanges, Place, PostgresUrl};
