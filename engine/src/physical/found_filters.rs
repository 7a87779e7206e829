//! Filters that joins, top-k sorts and aggregations find as a query runs, only where they reach the column that is meant.
//!
//! DataFusion 55 passes them down by the names of columns and takes the first column of a name wherever a plan has several
//! (`FilterRemapper::try_remap`): of `a LEFT JOIN b`, both with a column `k`, a filter on `b.k` would leave out rows of
//! `a`. A plan in which that could happen gets no such filters.

use datafusion::common::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use std::sync::Arc;

/// DataFusion's rule that passes filters down, kept from those that could go astray.
#[derive(Debug)]
pub(super) struct FoundFilters(pub(super) Arc<dyn PhysicalOptimizerRule + Send + Sync>);

impl PhysicalOptimizerRule for FoundFilters {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        if !goes_astray(&plan) {
            return self.0.optimize(plan, config);
        }
        let mut without = config.clone();
        without.optimizer.enable_join_dynamic_filter_pushdown = false;
        without.optimizer.enable_topk_dynamic_filter_pushdown = false;
        without.optimizer.enable_aggregate_dynamic_filter_pushdown = false;
        self.0.optimize(plan, &without)
    }

    fn name(&self) -> &str {
        self.0.name()
    }

    fn schema_check(&self) -> bool {
        self.0.schema_check()
    }
}

/// A value that a filter would be found for, and the plan over whose columns it is.
type Asked<'a> = (&'a Arc<dyn PhysicalExpr>, &'a Arc<dyn ExecutionPlan>);

/// Whether a node of the plan would find a filter on a column whose name stands for several below.
fn goes_astray(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let mut asked: Vec<Asked<'_>> = Vec::new();
    let aggregated: Vec<Arc<dyn PhysicalExpr>>;
    if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
        asked.extend(join.on().iter().map(|(_, probe)| (probe, join.right())));
    } else if let Some(sort) = plan.downcast_ref::<SortExec>().filter(|sort| sort.fetch().is_some()) {
        asked.extend(sort.expr().iter().map(|key| (&key.expr, sort.input())));
    } else if let Some(aggregate) = plan.downcast_ref::<AggregateExec>() {
        // Only bounds of all rows are asked for below.
        let bounds = |name: &str| aggregate.group_expr().is_empty() && matches!(name, "min" | "max");
        let found = aggregate.aggr_expr().iter().filter(|of| bounds(of.fun().name()));
        aggregated = found.flat_map(|of| of.expressions()).collect();
        asked.extend(aggregated.iter().map(|value| (value, aggregate.input())));
    }
    asked.iter().any(|(value, below)| is_ambiguous(value, below)) || plan.children().into_iter().any(goes_astray)
}

/// Whether a name in an expression over a plan's columns stands for several there or further below.
fn is_ambiguous(value: &Arc<dyn PhysicalExpr>, plan: &Arc<dyn ExecutionPlan>) -> bool {
    collect_columns(value).iter().any(|column| has_several(plan, column.name()))
}

fn has_several(plan: &Arc<dyn ExecutionPlan>, name: &str) -> bool {
    match plan.schema().fields().iter().filter(|field| field.name() == name).count() {
        0 => false,
        1 => match plan.downcast_ref::<ProjectionExec>() {
            Some(projection) => projection
                .expr()
                .iter()
                .any(|given| given.alias == name && is_ambiguous(&given.expr, projection.input())),
            None => plan.children().into_iter().any(|child| has_several(child, name)),
        },
        _ => true,
    }
}
