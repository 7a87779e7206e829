//! The leader's cost-based optimizer: cardinalities, join order, keys passed sideways, derived conditions, build sides.
//!
//! It works on a logical plan that DataFusion has optimized, by what tables tell of their rows, and never reads data.
//! `SET cost_based_optimizer = off` leaves it out; answers are the same without it.

mod estimate;
mod joins;
mod marker;
mod nodes;
mod order;
mod planner;
mod selection;

pub(crate) use nodes::{NodeEstimate, NodeKind, node_estimates, value_width};
pub(crate) use planner::{CostBased, CostBasedPlanner, explained};
pub(crate) use selection::{JoinEstimates, is_join, noting, with_selection};
