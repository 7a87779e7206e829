//! Where a plan joins by hash.

use super::exec::{SpillingJoin, SpillingJoinExec};
use super::memory::Sizes;
use crate::physical::forward::Plan;
use datafusion::common::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;

/// Puts [`SpillingJoinExec`] around hash joins. It runs after all rules that look for joins, though whoever looks later
/// still finds one.
#[derive(Debug, Default)]
pub(in crate::physical) struct SpillingJoins;

impl PhysicalOptimizerRule for SpillingJoins {
    fn optimize(&self, plan: Plan, _config: &ConfigOptions) -> Result<Plan> {
        SpillingJoinExec::put(plan, |plan| SpillingJoin::of(plan, Sizes::default()))
    }

    fn name(&self) -> &'static str {
        "spilling_joins"
    }

    fn schema_check(&self) -> bool {
        true
    }
}
