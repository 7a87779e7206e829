//! Values on the wire: arrow's columns to PostgreSQL's text and binary forms, and parameters back to texts.
//!
//! [`types`] says which PostgreSQL type a column has, [`mod@column`] looks at a batch's column once, [`cells`] writes a
//! chunk of its values, and [`rows`] puts the chunks of all columns into one buffer as rows. Nothing is allocated for a value.

mod binary;
mod cells;
mod column;
mod copied;
mod float;
mod parameter;
mod rows;
mod text;
mod time;
mod types;

pub(crate) use copied::{BINARY_HEADER, CopiedRows, CopyLayout};
pub(crate) use parameter::{Format, parameter_text};
pub(crate) use rows::RowWriter;
pub(crate) use types::{PgType, TIMETZ, data_type_of, for_redshift, oid_of};

#[cfg(test)]
mod tests;
