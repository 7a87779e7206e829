//! Managed tables: the files of the warehouse's own tables, written and read.
//!
//! This module knows a table as the manifest shows it ([`ManagedTable`](millrace_catalog::model::ManagedTable) and its
//! [`DataFile`](millrace_catalog::model::DataFile)s) and knows nothing of snapshots or transactions: what it writes is
//! seen by no query until the caller has put it into the manifest, and goes away unless the caller keeps it.
//!
//! Invariants:
//! - A file is written once, under a name that was never used, and never changed. Local files are on the disk, synced,
//!   before a write returns.
//! - A file's columns are found by column id, never by name: Parquet has field ids, Vortex has the id in the stored
//!   name ([`format`]). So columns are renamed, dropped and added without a file being touched.
//! - The format of a file is asked of [`format`] only.
//! - Rows are deleted by position, in delete files as DuckLake lays them out ([`deletes`]).

mod adapt;
mod blocks;
mod cache;
mod claim;
pub(crate) mod condition;
mod deletes;
mod dynamic;
pub mod encoding;
mod format;
mod held;
mod hll;
mod inlined;
mod inlined_cache;
mod key_set;
mod layout;
mod lookup;
mod members;
mod memory;
mod named;
mod new_files;
mod orphans;
mod parquet;
mod position;
mod predicates;
mod regroup;
mod rows;
mod scan;
mod seen;
mod segments;
mod source;
mod statistics;
mod storage;
mod temporary_folder;
mod types;
mod unscaled;
mod values;
mod vortex;
mod write;

#[cfg(test)]
mod tests;

pub use blocks::{ReadBlocks, note_reads, read_blocks};
pub(crate) use cache::{Blocks, CachedStore};
pub(crate) use claim::{claim, is_claimed};
pub(crate) use condition::{TableInfo, table_info};
pub use deletes::{read_deletes, write_deletes};
pub use held::{digest, held};
pub(crate) use hll::HllSketch;
pub use inlined::{decode_inlined, encode_inlined};
pub(crate) use inlined_cache::InlinedCache;
pub(crate) use key_set::{InKeySet, KeySet};
pub use layout::{
    Arranged, EffectiveStyle, arrange, choose, effective_style, first_slice, is_sorted, shown_sort_key, skew,
};
pub(crate) use layout::{Head, bucket_numbers};
pub(crate) use lookup::Lookup;
pub use new_files::NewFiles;
pub(crate) use orphans::remove_orphans;
pub(crate) use regroup::{ManagedScan, Uncomputed};
pub(crate) use scan::RowPlace;
pub use scan::{FILE_COLUMN, InlinedRows, ManagedTableProvider, POSITION_COLUMN, TableScanSummary};
pub(crate) use seen::SeenTables;
pub use statistics::ColumnKnowledge;
pub(crate) use statistics::{Gathered, hash_values};
pub use storage::TableStorage;
pub(crate) use temporary_folder::{TemporaryFolder, remove_abandoned};
pub use types::{
    SqlType, arrow_field, arrow_schema, ducklake_type, is_sketch, is_super, marked_field, sketch_field, super_field,
};
pub(crate) use unscaled::Unscaled;
pub use values::{parse_value, value_text};
pub use write::{WriteOptions, write_arranged, write_files};
