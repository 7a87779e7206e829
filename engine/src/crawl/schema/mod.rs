//! The columns of several files joined: widened types, missing columns, conflicts, likeness, legal names.

use millrace_catalog::model::{Column, HiveType};

/// The columns of several files as one schema.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Merged {
    /// In the order of the first file, new ones behind.
    pub(crate) columns: Vec<Column>,
    /// Columns that became strings because their types do not go together, in words for the user.
    pub(crate) conflicts: Vec<String>,
}

/// The narrowest type that holds both; `None` when none but string does.
pub(crate) fn widen(_a: &HiveType, _b: &HiveType) -> Option<HiveType> {
    None
}

/// One schema for files of these.
pub(crate) fn merge(_schemas: &[&[Column]]) -> Merged {
    Merged::default()
}

/// How alike two schemas are, 0 to 1: the share of columns with the same name and types that go together.
pub(crate) fn similarity(_a: &[Column], _b: &[Column]) -> f64 {
    0.0
}

/// Column names made legal (lower case, no blanks or signs but the underscore) and different, with what was changed.
pub(crate) fn legal_names(names: &[String]) -> (Vec<String>, Vec<String>) {
    (names.to_vec(), Vec::new())
}

/// A table's name from a folder's or file's name: lower case, letters, digits and underscores.
pub(crate) fn legal_table_name(name: &str) -> String {
    name.to_owned()
}
