//! JSON: Hive's JsonSerDe and OpenX's, and JSON files queried directly.
//!
//! A block is decoded in two steps. `lexer` passes once over each record, checks its syntax, and notes where the
//! values of the asked-for columns stand; `columns` makes each column's values into an array, descending into
//! objects and arrays column by column. Nothing is copied but strings with escapes. Values that no column asks for
//! are checked and passed over; without columns (a count) lines are only counted.
//!
//! Columns are matched by name, in any case unless `case.insensitive` is `false`. Records are lines, so files are
//! split at any offset. Records that span lines, the items of an array, or what else stands at a path are read by
//! [`JsonLayout::Documents`], which a table asks for by Glue's parameter `jsonPath`: such a file is read from its
//! start by one reader, which finds the records (`select`), while several cores decode them. `value` reads whole values,
//! for functions and for SUPER.

mod columns;
mod decode;
mod infer;
mod lexer;
mod names;
mod options;
mod path;
mod select;
mod value;

use super::records::RecordSource;
pub use infer::infer_schema;
pub(crate) use infer::{Inference, infer_records};
pub(crate) use lexer::{Lexer, MAX_DEPTH, Malformed, Nested, unescape};
pub use options::{JsonLayout, JsonOptions, JsonSerde};
pub use path::JsonPath;
pub(crate) use path::Step;
pub(crate) use value::{
    Json, Members, MembersBuilder, Repeated, array_length, find, follow, is_shallow, member, normal, put, quoted,
};

/// A scan of JSON files: `JsonSource::new(table_schema, options)`.
pub type JsonSource = RecordSource<JsonOptions>;

#[cfg(test)]
mod tests;
