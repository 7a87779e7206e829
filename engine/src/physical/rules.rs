//! The order of the physical optimizer's rules: DataFusion's, with ours in their places.

use super::decimal::NarrowDecimals;
use super::small_groups::SmallGroups;
use super::statistics::ScanStatistics;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::aggregate_statistics::AggregateStatistics;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use std::sync::Arc;

/// DataFusion's rules with ours in place.
pub(crate) fn rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let name = AggregateStatistics::new().name().to_owned();
    let theirs = PhysicalOptimizer::new().rules.into_iter();
    let theirs = theirs.map(|rule| if rule.name() == name { Arc::new(ScanStatistics::default()) as _ } else { rule });
    // Decimals first, since later rules push what is computed into scans; groups last, when plans have their shape.
    let mut rules: Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> = vec![Arc::new(NarrowDecimals)];
    rules.extend(theirs);
    rules.push(Arc::new(SmallGroups));
    rules
}
