//! The SQL database behind the catalog: one SQLite file that several processes may use at once.
//!
//! Every change is one transaction. One of what a [`Snapshot`](crate::Snapshot) shows also moves the commit counter, so
//! a reader learns with one small query whether its snapshot still holds; crawlers and their runs are not shown. Queries are SQL that SQLite and PostgreSQL share; what is SQLite's
//! alone stands in `sqlite` (connections, pragmas, error codes) and `migrate` (the tables' definitions).
//! Partitions are found through an index on order-preserving encodings of their values (`sort_key`), never by loading
//! them all.

mod catalog;
mod changes;
mod classifiers;
mod connection;
mod crawlers;
mod crawls;
mod databases;
mod document;
mod key_set;
mod leases;
mod load;
mod lookup;
mod migrate;
mod number;
mod objects;
mod open;
mod owners;
mod partition_name;
mod partition_rows;
mod partitions;
mod principals;
mod sort_key;
pub(crate) mod sqlite;
mod statistics;
mod tables;

#[cfg(test)]
mod tests;

pub use catalog::Catalog;
pub(crate) use connection::{Lease, Write};
pub use crawls::HEARTBEAT_TIMEOUT_MS;
pub(crate) use databases::{check_name, database_exists};
pub(crate) use document::{decode, encode};
pub(crate) use migrate::now_ms;
pub(crate) use number::Number;
pub use objects::{FunctionChange, ObjectChanges};
pub(crate) use owners::check_owner;
pub use partition_name::partition_name;
pub(crate) use sqlite::{CHUNK, Db, DbRow};
pub use statistics::PartitionStatistics;
