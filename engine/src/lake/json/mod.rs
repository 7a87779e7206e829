//! JSON lines: Hive's JsonSerDe and OpenX's, and JSON files queried directly.
//!
//! A block is decoded in two steps. `lexer` passes once over each record, checks its syntax, and notes where the
//! values of the asked-for columns stand; `columns` makes each column's values into an array, descending into
//! objects and arrays column by column. Nothing is copied but strings with escapes. Values that no column asks for
//! are checked and passed over; without columns (a count) lines are only counted.
//!
//! Columns are matched by name, in any case unless `case.insensitive` is `false`. Records are lines, so files are
//! split at any offset; documents that span lines, or one array of objects, are read by [`JsonLayout::Documents`],
//! which Hive's SerDes do not know and which cannot be split.

mod columns;
mod decode;
mod infer;
mod lexer;
mod names;
mod options;

use super::records::RecordSource;
pub use infer::infer_schema;
pub use options::{JsonLayout, JsonOptions, JsonSerde};

/// A scan of JSON files: `JsonSource::new(table_schema, options)`.
pub type JsonSource = RecordSource<JsonOptions>;

#[cfg(test)]
mod tests;
