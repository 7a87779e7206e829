//! The SQL database behind the catalog: a SQLite file or a schema of a PostgreSQL database, which several processes may
//! use at once.
//!
//! Every change is one transaction. One of what a [`Snapshot`](crate::Snapshot) shows also moves the commit counter, so
//! a reader learns with one small query whether its snapshot still holds; crawlers and their runs are not shown.
//! Statements (`sql`) and rows (`row`) are the same for both databases; `database` chooses between them, and what is one
//! database's alone stands in `sqlite` and `postgres`: connections, spellings of types, locks, error codes. A file's
//! connection is sent several statements at once where nobody waits for the first of them (`batch`).
//! Partitions are found through an index on order-preserving encodings of their values (`sort_key`), never by loading
//! them all.

mod batch;
mod catalog;
mod changes;
mod classifiers;
mod commits;
mod connection;
mod crawlers;
mod crawls;
mod database;
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
mod place;
mod postgres;
mod principals;
mod row;
mod sort_key;
mod sql;
pub(crate) mod sqlite;
mod statistics;
mod tables;
mod tries;

#[cfg(test)]
pub(crate) mod tests;

pub use catalog::Catalog;
pub(crate) use connection::{Lease, Write};
pub use crawls::HEARTBEAT_TIMEOUT_MS;
pub(crate) use database::{CHUNK, Database};
pub(crate) use databases::{check_name, database_exists};
pub(crate) use document::{decode, encode};
pub(crate) use migrate::now_ms;
pub(crate) use number::Number;
pub use objects::{FunctionChange, ObjectChanges};
pub(crate) use owners::check_owner;
pub use partition_name::partition_name;
pub use place::Place;
pub(crate) use postgres::MOST_NAME_BYTES;
pub use postgres::PostgresUrl;
pub(crate) use row::{FromRow, Row};
pub(crate) use sql::{Kind, Separated, SqlBuilder, Time, Uuid, Value, quoted, sql, sql_text};
pub use statistics::PartitionStatistics;
pub(crate) use tries::{Tries, gave_way};
