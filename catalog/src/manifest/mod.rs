//! The transactional manifest of managed tables: DuckLake 1.0 in the catalog's own database.
//!
//! Owns snapshots, definitions, data files, delete files, statistics and inlined rows; knows nothing of what is in a
//! file. One transaction of the database commits the changes of one SQL transaction to any number of tables, as one
//! snapshot. DuckDB's ducklake extension may attach the database (`ATTACH 'ducklake:sqlite:…'`, `'ducklake:postgres:…'`)
//! and commit to it too: what it writes is read like our own, tables of its schemas included.
//!
//! Invariants: a row holds for the snapshots from `begin_snapshot` until before `end_snapshot`; snapshots are numbered
//! without gaps; no number of a table, column, file or row is used twice; a snapshot's time is after that of the one
//! before. Tables that DuckLake does not have are called `millrace_*`.

mod bounds;
mod change;
mod columns;
mod commit;
mod conflict;
mod definition;
mod estimates;
mod expire;
mod files;
mod float_text;
mod follow;
mod group;
mod head;
mod history;
mod identity;
mod inline;
mod inlined_cache;
mod inlined_values;
mod layout;
mod leases;
mod load;
mod log;
mod owners;
mod past;
mod predicates;
mod read;
mod settled;
mod sketches;
mod state;
mod statistics;
mod tables;
mod time;
mod touched;
mod types;

#[cfg(test)]
mod tests;

pub use change::{CommitNote, Committed, InlinedRow, InlinedRows, InlinedValue, ManifestChange, NEW_ROW_IDS};
pub use estimates::FoundEstimates;
pub use expire::{Retention, ScheduledFile};
pub use float_text::float_text;
pub use history::{ManifestSnapshot, NamedSnapshot};
pub use leases::{LEASE_TIMEOUT_MS, SnapshotLease};
pub use past::PastDefinition;
pub use statistics::{ManagedTableStatistics, TableColumnBounds};

pub(crate) use estimates::EstimateCache;
pub(crate) use follow::OwnCommits;
pub(crate) use group::CommitQueue;
pub(crate) use inlined_cache::InlinedCache;
pub(crate) use layout::{BLANK_ENDS, COLUMN_USES, ESTIMATES, FILE_LAYOUTS, TABLES};
pub(crate) use load::{ManagedTables, load};
pub(crate) use owners::{change_owner, forget_owner, owned_by};
pub(crate) use read::FileCache;
pub(crate) use settled::Settled;
pub(crate) use tables::is_managed;
pub(crate) use time::format_time;

use crate::error::Result;
use crate::store::{Write, sql};
use commit::Commit;

/// Drops the managed tables of a database that is being dropped.
pub(crate) async fn drop_database(write: &mut Write<'_>, name: &str) -> Result<()> {
    let mut commit = Commit::begin(write, None).await?;
    commit.drop_schema(write, name).await?;
    commit.finish(write, &CommitNote::default()).await.map(drop)
}

/// Whether a database has managed tables.
pub(crate) async fn has_tables(write: &mut Write<'_>, database: &str) -> Result<bool> {
    let query = "SELECT COUNT(*) FROM ducklake_table t JOIN ducklake_schema s ON s.schema_id = t.schema_id \
                 WHERE s.schema_name = $1 AND s.end_snapshot IS NULL AND t.end_snapshot IS NULL";
    Ok(write.number(sql(query).bind(database)).await? > 0)
}
