//! Hive's text tables: delimited text (LazySimpleSerDe) and CSV (OpenCSVSerde), and CSV files queried directly.
//!
//! A block of records is decoded in two steps: `fields` finds where the fields of the asked-for columns stand,
//! without copying; `columns` makes each column's fields into an array, one type at a time. Without columns (a
//! count) only line feeds are counted.
//!
//! **Splitting.** In delimited text every line feed ends a record, as in Hadoop's record reader: an escape character
//! before it does not change that. Such files are split at any offset. A quoted value of CSV may hold line breaks,
//! so a line feed tells nothing by itself: CSV files are read from their start by one reader, which finds the
//! records, while up to eight cores decode them. (Athena's OpenCSVSerde breaks records at every line feed; a file
//! whose quoted values have none reads the same here.) Files with a footer, or more than one header line, are not
//! split either.
//!
//! **Columns are matched by position**; columns missing at a record's end are NULL, surplus fields are passed over.

mod columns;
mod decode;
mod evidence;
mod fields;
mod infer;
mod options;
mod quoted;
mod sample;

use super::records::RecordSource;
pub(crate) use evidence::Evidence;
pub use infer::infer_schema;
pub use options::{TextOptions, TextSerde};
pub(crate) use sample::{Records, is_header};

/// A scan of text files: `TextSource::new(table_schema, options)`.
pub type TextSource = RecordSource<TextOptions>;

#[cfg(test)]
mod tests;
