//! Aggregations over foreign tables that their systems compute.

use crate::federated::ForeignAggregateExec;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use std::sync::Arc;

/// Puts [`ForeignAggregateExec`] in the place of partial aggregations. It runs before the rules that would put something
/// between an aggregation and its scan.
#[derive(Debug, Default)]
pub(super) struct ForeignAggregates;

impl PhysicalOptimizerRule for ForeignAggregates {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|plan| {
            let Some(aggregate) = plan.downcast_ref::<AggregateExec>() else { return Ok(Transformed::no(plan)) };
            let taken = match aggregate.mode() {
                AggregateMode::Single => in_two_steps(aggregate)?,
                _ => ForeignAggregateExec::of(aggregate).map(|taken| Arc::new(taken) as _),
            };
            Ok(taken.map_or_else(|| Transformed::no(Arc::clone(&plan)), Transformed::yes))
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "foreign_aggregates"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// An aggregation of one step as one of two, of which the system computes the first.
fn in_two_steps(aggregate: &AggregateExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let (keys, functions) = (aggregate.group_expr(), aggregate.aggr_expr().to_vec());
    let first = AggregateExec::try_new(
        AggregateMode::Partial,
        keys.clone(),
        functions.clone(),
        aggregate.filter_expr().to_vec(),
        Arc::clone(aggregate.input()),
        aggregate.input_schema(),
    )?
    .with_limit_options(aggregate.limit_options());
    let Some(first) = ForeignAggregateExec::of(&first) else { return Ok(None) };
    let filters = vec![None; functions.len()];
    let (keys, rows) = (keys.as_final(), aggregate.input_schema());
    let last = AggregateExec::try_new(AggregateMode::Final, keys, functions, filters, Arc::new(first), rows)?;
    Ok(Some(Arc::new(last)))
}
