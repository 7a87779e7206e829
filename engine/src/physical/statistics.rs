//! Aggregates that statistics answer: DataFusion's rule where it goes right.
//!
//! DataFusion answers aggregates without GROUP BY from statistics that call themselves exact. Behind a filter they are
//! not: `k = 7` makes "one distinct value" of a column's count even where no row is left, and bounds are those of the
//! filter's text. So [`ScanStatistics`] lets that rule see only aggregates over whole scans, and no DISTINCT.

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::aggregate_statistics::AggregateStatistics;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::placeholder_row::PlaceholderRowExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::union::UnionExec;
use std::sync::Arc;

/// `AggregateStatistics` for aggregates over whole scans.
#[derive(Debug, Default)]
pub(super) struct ScanStatistics(AggregateStatistics);

impl PhysicalOptimizerRule for ScanStatistics {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        if is_whole(plan.as_ref()) {
            return self.0.optimize(plan, config);
        }
        plan.map_children(|child| self.optimize(child, config).map(Transformed::yes)).data()
    }

    fn name(&self) -> &str {
        self.0.name()
    }

    fn schema_check(&self) -> bool {
        self.0.schema_check()
    }
}

/// Whether a plan does nothing to the rows of its scans that their statistics would not know of.
fn is_whole(plan: &dyn ExecutionPlan) -> bool {
    let passes = match plan.downcast_ref::<AggregateExec>() {
        Some(aggregate) => !aggregate.aggr_expr().iter().any(|function| function.is_distinct()),
        None => {
            plan.is::<DataSourceExec>()
                || plan.is::<UnionExec>()
                || plan.is::<ProjectionExec>()
                || plan.is::<CoalescePartitionsExec>()
                || plan.is::<RepartitionExec>()
                || plan.is::<EmptyExec>()
                || plan.is::<PlaceholderRowExec>()
        }
    };
    passes && plan.children().into_iter().all(|child| is_whole(child.as_ref()))
}
