//! Grouping into few groups.
//!
//! A hash aggregation is built for millions of groups: it hashes all key columns, looks up, compares column by column.
//! `GROUP BY l_returnflag, l_linestatus` has four. Where statistics promise few groups, [`exec`] does the partial
//! aggregation instead: each key value becomes a code of few bits ([`codes`]), and a small table that stays in the first
//! cache ([`table`]) turns a row's codes into its group. Decimals and whole numbers are summed here ([`totals`]), for
//! which the input gives less ([`input`]); the accumulators are DataFusion's. Promises may be wrong: with more groups than
//! fit, what is there is given to the final aggregation, which merges it, and the table begins again.

mod codes;
mod exec;
mod input;
mod rule;
mod sums;
mod table;
#[cfg(test)]
mod tests;
mod totals;

use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::AggregateExec;

pub(super) use rule::SmallGroups;

/// The aggregation that an operator does, whoever runs it.
pub(crate) fn aggregate_of(plan: &dyn ExecutionPlan) -> Option<&AggregateExec> {
    let inner = plan.downcast_ref::<exec::SmallGroupsExec>().map(|ours| ours.inner().as_ref());
    inner.unwrap_or(plan).downcast_ref::<AggregateExec>()
}
