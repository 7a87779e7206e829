//! Tables and partitions out of folders: by layout, likeness of schemas and depth.

use super::{Found, Recognized, Skipped, Tree};
use millrace_catalog::model::TableGrouping;
use std::collections::HashMap;

/// How tables are made of folders.
#[derive(Debug, Clone, Default)]
pub(crate) struct Grouping {
    /// See [`TableGrouping`].
    pub(crate) policy: TableGrouping,
    /// The level of folders that are tables; 1 is the bucket.
    pub(crate) table_level: Option<u32>,
    /// Stands before every table's name.
    pub(crate) prefix: String,
}

/// Makes tables of a target's folders. `files` holds what each sampled file is, by its object's path.
pub(crate) fn group(
    _tree: &Tree,
    _files: &HashMap<String, Result<Recognized, Skipped>>,
    _grouping: &Grouping,
) -> Found {
    Found::default()
}
