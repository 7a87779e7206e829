//! The columns of several files joined: widened types, missing columns, conflicts, likeness, legal names.
//!
//! Pure functions over the catalog's types. Types of a file's values are found where the file is read: of texts by
//! [`crate::lake::text::Evidence`], of JSON by its classifier, of other formats in their footers.

mod merge;
mod names;
mod similarity;
mod widen;

pub(crate) use merge::{Merged, merge};
pub(crate) use names::{legal_names, legal_table_name};
pub(crate) use similarity::similarity;
pub(crate) use widen::widen;

#[cfg(test)]
mod tests;
