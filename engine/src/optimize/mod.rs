//! The leader's cost-based optimizer: cardinalities, join order, keys passed sideways, derived conditions, build sides.
//!
//! It works on a logical plan that DataFusion has optimized, by what tables tell of their rows, and never reads data.
//! `SET cost_based_optimizer = off` leaves it out; answers are the same without it.
//!
//! Among DataFusion's rules stand those of ours that need no costs ([`rules()`]): sums of one column plus constants, and
//! comparisons with all values of a query, of which few plans have any.

mod common_subplans;
mod estimate;
mod joins;
mod marker;
mod nodes;
mod order;
mod planner;
mod rules;
mod selection;
mod set_comparisons;
mod shifted_sums;

pub(crate) use nodes::{NodeEstimate, NodeKind, node_estimates, value_width};
pub(crate) use planner::{CostBased, CostBasedPlanner, arranged, explained, operators};
pub(crate) use rules::rules;
pub(crate) use selection::{JoinEstimates, is_join, noting, with_selection};
