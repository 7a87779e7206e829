//! Tables and partitions out of folders: by layout, likeness of schemas and depth. Pure: what it needs was read before.
//!
//! [`family`] says whether files belong together, [`folder`] what a folder's own files are, [`shape`] goes through the
//! tree from its leaves and decides where tables begin, [`keys`] names and types partition keys, [`statistics`] adds up
//! what is known of files, [`table`] writes it all down as the catalog has it.
//!
//! Follows Glue's developer guide ("How does a crawler determine when to create partitions?", "Creating a single schema
//! for each Amazon S3 include path"). What differs is said where it is done: partition keys are typed, not all strings;
//! folders with the names of partitions need a majority that is alike, other folders must all be; what is left out of a
//! table is told.

mod family;
mod folder;
mod keys;
mod shape;
mod statistics;
mod table;

#[cfg(test)]
mod tests;

pub(crate) use table::{HEADER_LINES, complete};

use super::{Found, Recognized, Skipped, Tree};
use millrace_catalog::model::TableGrouping;
use object_store::path::Path;
use std::collections::{HashMap, HashSet};

/// How tables are made of folders.
#[derive(Debug, Clone, Default)]
pub(crate) struct Grouping {
    /// See [`TableGrouping`].
    pub(crate) policy: TableGrouping,
    /// The level of folders that are tables; 1 is the bucket, and of a local target its own folder.
    pub(crate) table_level: Option<u32>,
    /// Stands before every table's name.
    pub(crate) prefix: String,
    /// The folders of tables that are known already: what comes into them belongs to them, however little alike.
    pub(crate) known: HashSet<Path>,
}

impl Grouping {
    /// How folders and files at a place are joined.
    fn policy_at(&self, path: &Path) -> TableGrouping {
        let within = |known: &Path| path.prefix_matches(known);
        if self.known.iter().any(within) { TableGrouping::CombineCompatibleSchemas } else { self.policy }
    }
}

/// Makes tables of a target's folders. `files` holds what each sampled file is, by its object's path.
pub(crate) fn group(tree: &Tree, files: &HashMap<String, Result<Recognized, Skipped>>, grouping: &Grouping) -> Found {
    let (plans, mut skipped) = shape::plan(tree, files, grouping);
    let mut tables = table::tables(plans, tree, grouping, &mut skipped);
    tables.sort_by(|a, b| a.storage.location.cmp(&b.storage.location));
    let mut all = tree.skipped.clone();
    all.append(&mut skipped);
    Found { tables, skipped: all, files_read: files.len() as u64 }
}

/// A count with its noun: `1 file`, `3 files`.
fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
