//! Statistics of managed tables: gathered while files are written, and told to pruning and to the planner.

mod bounds;
mod collect;
mod ends;
mod estimates;
mod gather;
mod knowledge;
mod sample;
mod sketch;
mod texts;

pub(super) use bounds::{bounds, file_bounds, live_rows};
pub(super) use collect::Collector;
pub(super) use ends::blank_ended;
pub(super) use estimates::table_statistics;
pub(crate) use gather::Gathered;
pub use knowledge::ColumnKnowledge;
pub(crate) use sketch::hash_values;
