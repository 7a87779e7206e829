//! From the bytes of files to typed columns, as Redshift's COPY reads them: what is bad is told line by line.
//!
//! First `decode` makes the bytes UTF-8 and `frame` cuts them into records; then `fields` and `json` take a record apart,
//! `value` makes each field a value of its column's type, and `rows` gathers rows into batches, by whole runs (`run`)
//! where all are good. `typed` does so with records that are Arrow's already. A row goes in whole or not at all, and a bad
//! one becomes a record of [`LoadErrors`]. Nothing here knows a table, a session or a plan.

mod builder;
mod cells;
mod cut;
mod decode;
mod digits;
mod errors;
mod feed;
mod fields;
mod found;
mod frame;
mod json;
mod pattern;
mod postgres;
mod rows;
mod run;
mod spec;
mod typed;
mod value;

pub(crate) use cut::{Cut, Cutter};
pub(crate) use errors::{FieldOfError, LoadError, LoadErrors, Replacement};
pub(crate) use feed::CopyChunks;
pub use feed::{CopyFeed, CopyInput, copy_channel};
pub(crate) use json::paths_of;
pub(crate) use pattern::{moment_of, sql_time, zoned_moment_of, zoned_time_of_day};
pub(crate) use postgres::{StreamCsv, StreamText};
pub(crate) use rows::{Loader, Part};
pub(crate) use spec::{Header, Layout, LoaderSpec, Target};
pub(crate) use typed::TypedLoader;

#[cfg(test)]
mod tests;
