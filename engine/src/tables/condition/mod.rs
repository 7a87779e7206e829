//! The condition of a table's files: what is deleted, what is out of order, what is too small.
//!
//! Everything here is pure: it looks at what the manifest says of files and reads none. VACUUM decides by it what to
//! rewrite, system tables show it ([`table_info`]).

mod figures;
mod order;
mod pieces;

pub(crate) use figures::{TableInfo, sorted_percent, table_info};
#[cfg(test)]
pub(crate) use order::Range;
pub(crate) use order::{clusters, sorted_region};
pub(crate) use pieces::{Piece, SortForm, pieces, sort_form};

#[cfg(test)]
mod tests;
