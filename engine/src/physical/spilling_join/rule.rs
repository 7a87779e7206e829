//! Where a plan joins by hash.

use super::exec::{SpillingJoin, SpillingJoinExec};
use super::memory::Sizes;
use crate::physical::forward::Plan;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use std::sync::Arc;

/// Puts [`SpillingJoinExec`] around hash joins. It runs after all rules that look for joins, though whoever looks later
/// still finds one.
#[derive(Debug, Default)]
pub(in crate::physical) struct SpillingJoins;

impl PhysicalOptimizerRule for SpillingJoins {
    fn optimize(&self, plan: Plan, _config: &ConfigOptions) -> Result<Plan> {
        plan.transform_up(|plan| {
            Ok(match SpillingJoin::of(&plan, Sizes::default())? {
                Some(around) => Transformed::yes(Arc::new(SpillingJoinExec::new(plan, around)) as _),
                None => Transformed::no(plan),
            })
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "spilling_joins"
    }

    fn schema_check(&self) -> bool {
        true
    }
}
