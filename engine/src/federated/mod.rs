//! Tables of foreign systems: schemas over a connector, what they hold, and their scans.
//!
//! 1. [`Definition`] is what a schema is kept as in the catalog; [`Sources`] opens connectors from it and keeps for a
//!    moment what they told of their tables.
//!    A table of the catalog over a system is [`declared`]: its columns are the catalog's, not the system's.
//! 2. [`ForeignTable`] is a table as DataFusion scans it: conditions become the connector's `Predicate`s, and
//!    whatever the system does not decide exactly is decided again here.
//! 3. [`ForeignScanExec`] reads the scan's splits; its order, its limit and what a join finds out reach the system too.
//!    [`ForeignAggregateExec`] takes aggregates instead of rows, where the system computes them exactly.
//!
//! Nothing here knows one system from another.

mod aggregate;
pub(crate) mod declared;
mod definition;
mod found;
mod full_text;
mod predicate;
mod read;
mod resume;
mod scan;
mod sources;
mod splits;
#[cfg(test)]
pub(crate) mod stub;
mod table;
mod value;

pub(crate) use aggregate::ForeignAggregateExec;
pub(crate) use declared::Place;
pub(crate) use definition::{Definition, label};
pub(crate) use found::MOST_KEYS;
pub(crate) use full_text::bind;
pub(crate) use resume::Reached;
pub(crate) use scan::ForeignScanExec;
pub(crate) use sources::DEFAULT_TIME_TO_LIVE;
pub(crate) use sources::Sources;
pub(crate) use table::{ForeignTable, type_name};
