//! How the rows of a table are laid out in files: by distribution key and by sort key.
//!
//! A *bucket* is the hash of the distribution key modulo a power of two. A write arranges its rows into as many groups
//! of buckets as it has slices, each group sorted by the sort key ([`arrange`]); a file notes what it was arranged by
//! ([`FileLayout`](millrace_catalog::model::FileLayout)), because `ALTER TABLE` changes the table's keys and no file.
//! The scan believes a file only, never the table's definition.
//!
//! A rewrite (VACUUM) reads live rows in any number of streams and calls
//! `arrange(table, &effective_style(table, bytes).style, streams, context)`, then
//! [`write_arranged`](super::write_arranged) with what that gives. Memory is the pool's of `context`: sorting spills.
//!
//! Invariant: the hash is DataFusion's own for exchanges, on the Arrow type that the scan gives; its version is stored
//! with each file, and a golden test notices when it changes.

mod arrange;
mod buckets;
mod budget;
mod choose;
mod curve;
mod deal;
mod groups;
mod head;
mod keys;
mod narrow;
mod number;
mod prune;
mod ranges;
mod sliced;
mod sort;
mod state;
mod streams;

pub use arrange::{Arranged, arrange};
pub use choose::choose;
pub use state::{EffectiveStyle, effective_style, first_slice, is_sorted, shown_sort_key, skew};

pub(crate) use buckets::bucket_numbers;
pub(crate) use head::Head;
pub(crate) use state::bucket_now;

pub(super) use buckets::{HASH_VERSION, is_hashable};
pub(super) use groups::{FilePlace, ScanKeys, Slice, by_hash, by_order};
pub(super) use keys::SORT_OPTIONS;
pub(super) use prune::{has_values, key_values};
pub(super) use sliced::SlicedMorselizer;

#[cfg(test)]
mod tests;
