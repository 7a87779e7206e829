//! The columns of several files joined: widened types, missing columns, conflicts, likeness, legal names.
//!
//! Pure functions over the catalog's types. Types of a file's values are found where the file is read: of texts by
//! [`crate::lake::text::Evidence`], of JSON by its classifier, of other formats in their footers.

mod merge;
mod names;
mod similarity;
mod widen;

pub(crate) use merge::merge;
pub(crate) use names::{legal_names, legal_table_name};
pub(crate) use similarity::similarity;

/// Columns and fields without a value in any record that was looked at, by their paths in lower case (`address.zip`,
/// `items[]`). They have the type `string` for want of a better, and give way to any other.
pub(crate) type Unknown = std::collections::BTreeSet<String>;

/// Whether a path is another one or within it.
pub(crate) fn is_at(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[', '{']))
}

#[cfg(test)]
mod tests;
