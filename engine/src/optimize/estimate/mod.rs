//! How many rows each node of a logical plan gives, and how many different values its columns have.
//!
//! Pure: a plan and what is known of its scans go in, an [`Estimate`] comes out; nothing is read. A table of which
//! nobody knows the rows makes everything above it unknown, and an unknown plan keeps the order of its text.

mod column;
mod filter;
mod join;
mod number;
mod plan;
mod scan;

pub(super) use column::{ColumnEstimate, Estimate, width};
pub(super) use filter::{Scope, selectivity};
pub(super) use join::{matching, partnered};
pub(super) use plan::{Estimator, computed};
pub(super) use scan::Known;
