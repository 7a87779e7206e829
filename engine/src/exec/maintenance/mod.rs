//! Maintenance of managed tables: VACUUM, by a statement or in the background.
//!
//! 1. [`look`](look::look) sees a table's files at the manifest's newest snapshot.
//!    Keys that are left to the warehouse are chosen first ([`choose`]).
//! 2. [`plan`] decides, purely, which of them are rewritten together.
//! 3. [`rewrite`] reads their live rows, writes them arranged as the table is defined, and puts the new files in the
//!    place of the old ones in one commit. Row counts are compared before it.
//!
//! Readers keep the files of their snapshot, inserts never meet a vacuum. A change of the same files that commits first
//! makes the vacuum do those files again; old files stay until no snapshot shows them.

mod choose;
mod look;
mod plan;
mod report;
mod rewrite;
mod row_ids;
mod vacuum;

pub use report::VacuumReport;

pub(crate) use choose::choose_keys;
pub(crate) use look::{Look, look};
pub(crate) use plan::Aim;
pub(crate) use rewrite::Rewriter;
pub(crate) use vacuum::vacuum;

pub(crate) use super::managed::MOST_ROWS_OF_TABLE;

#[cfg(test)]
mod tests;
