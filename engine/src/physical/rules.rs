//! The order of the physical optimizer's rules: DataFusion's, with ours in their places.

use super::statistics::ScanStatistics;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::aggregate_statistics::AggregateStatistics;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use std::sync::Arc;

/// DataFusion's rules with ours in place.
pub(crate) fn rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let rules = PhysicalOptimizer::new().rules.into_iter();
    let name = AggregateStatistics::new().name().to_owned();
    rules.map(|rule| if rule.name() == name { Arc::new(ScanStatistics::default()) as _ } else { rule }).collect()
}
