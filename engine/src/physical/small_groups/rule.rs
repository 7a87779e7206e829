//! Where a plan groups into few groups.

use super::codes::has_codes;
use super::exec::in_small_groups;
use super::input::with_less_input;
use super::table::{MOST_COLUMNS, MOST_GROUPS};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, InputOrderMode};
use std::sync::Arc;

/// Puts [`super::exec::SmallGroupsExec`] in the place of partial aggregations that have few groups. It runs after the rules
/// that look for aggregations.
#[derive(Debug, Default)]
pub(in crate::physical) struct SmallGroups;

impl PhysicalOptimizerRule for SmallGroups {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|plan| match plan.downcast_ref::<AggregateExec>() {
            Some(aggregate) if is_suitable(aggregate)? && has_few_groups(aggregate)? => {
                let reading_less = with_less_input(aggregate)?;
                Ok(Transformed::yes(Arc::new(in_small_groups(reading_less.as_ref().unwrap_or(aggregate))) as _))
            }
            _ => Ok(Transformed::no(plan)),
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "small_groups"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Whether the operator can do what the aggregation does.
pub(super) fn is_suitable(aggregate: &AggregateExec) -> Result<bool> {
    let keys = aggregate.group_expr();
    let is_plain = *aggregate.mode() == AggregateMode::Partial
        && *aggregate.input_order_mode() == InputOrderMode::Linear
        && keys.is_single()
        && (1..=MOST_COLUMNS).contains(&keys.expr().len())
        && aggregate.limit_options().is_none()
        && aggregate.dynamic_expressions_produced().is_empty()
        && aggregate.aggr_expr().iter().all(|f| f.groups_accumulator_supported() && f.order_bys().is_empty());
    if !is_plain {
        return Ok(false);
    }
    let input = aggregate.input().schema();
    for (key, _) in keys.expr() {
        if !has_codes(&key.data_type(&input)?) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether statistics promise few groups: known only where the number of distinct values of all keys is. From half of
/// the table on it is left to hashing, since filling the table and beginning again costs more than that.
fn has_few_groups(aggregate: &AggregateExec) -> Result<bool> {
    let groups = StatisticsContext::new().compute(aggregate, &StatisticsArgs::new())?.num_rows;
    let partitions = aggregate.input().output_partitioning().partition_count().max(1);
    Ok(groups.get_value().is_some_and(|groups| *groups <= MOST_GROUPS / 2 * partitions))
}
