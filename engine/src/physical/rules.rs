//! The order of the physical optimizer's rules: DataFusion's, with ours in their places.

use super::common_subplans::UniteSubplans;
use super::counted_windows::CountedWindows;
use super::decimal::NarrowDecimals;
use super::foreign_aggregates::ForeignAggregates;
use super::found_filters::FoundFilters;
use super::heard_loops::HeardLoops;
use super::joined_texts::JoinTexts;
use super::kept_statistics::KeptStatistics;
use super::layout::UseLayout;
use super::rooms::Rooms;
use super::small_groups::SmallGroups;
use super::spilling_join::SpillingJoins;
use super::statistics::ScanStatistics;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::aggregate_statistics::AggregateStatistics;
use datafusion::physical_optimizer::ensure_requirements::EnsureRequirements;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use std::sync::Arc;

type Rule = Arc<dyn PhysicalOptimizerRule + Send + Sync>;

/// DataFusion's rules with ours in place.
pub(crate) fn rules() -> Vec<Rule> {
    let (statistics, requirements) = (AggregateStatistics::new(), EnsureRequirements::new());
    let place = |rule: Rule| -> Vec<Rule> {
        if rule.name() == statistics.name() {
            vec![Arc::new(ScanStatistics::default())]
        } else if rule.name() == requirements.name() {
            // Exchanges and sorts come in here: before, scans take the layout that spares them.
            vec![Arc::new(UseLayout), Arc::new(KeptStatistics(rule))]
        } else if rule.name().starts_with("FilterPushdown") {
            vec![Arc::new(FoundFilters(rule))]
        } else {
            vec![rule]
        }
    };
    // Decimals and texts first, since later rules push what is computed into scans; what stands in for DataFusion's
    // groupings and around its operators last, when plans have their shape.
    let mut rules: Vec<Rule> = vec![Arc::new(NarrowDecimals), Arc::new(JoinTexts), Arc::new(ForeignAggregates)];
    rules.extend(PhysicalOptimizer::new().rules.into_iter().flat_map(place));
    rules.extend([
        Arc::new(SmallGroups) as Rule,
        Arc::new(Rooms),
        Arc::new(SpillingJoins),
        Arc::new(HeardLoops),
        Arc::new(CountedWindows),
        // What places of a plan share is not changed any more.
        Arc::new(UniteSubplans),
    ]);
    rules
}
