//! Column encodings: Redshift's names (`ENCODE`), which types may have which, and the encoding of the file's format
//! that does the work of each ([`Encoding`] has the table).
//!
//! An encoding is kept with the column and holds for files that are written from then on. What AUTO leaves to the
//! writer, and blocks that an encoding would only make larger, are decided block by block; what is really in a file is
//! read from the file ([`describe`]).

mod block;
mod describe;
mod kind;
mod measure;
mod parquet;
mod strategy;

pub(super) use describe::data_blocks;
pub use describe::{ColumnEncodings, describe};
pub(crate) use kind::Encoding;
pub(crate) use measure::{Measured, Sample};
pub(super) use parquet::column_properties;
pub(super) use strategy::{column_strategy, table_strategy};
