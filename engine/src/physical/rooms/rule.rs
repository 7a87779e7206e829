//! Where a plan sorts, groups or merges.

use super::exec::in_rooms;
use crate::physical::forward::Plan;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;

/// Gives sorts, groupings and merges rooms. It runs after all rules that look for them, though whoever looks later still
/// finds them.
#[derive(Debug, Default)]
pub(in crate::physical) struct Rooms;

impl PhysicalOptimizerRule for Rooms {
    fn optimize(&self, plan: Plan, _config: &ConfigOptions) -> Result<Plan> {
        plan.transform_up(|plan| Ok(in_rooms(&plan)?.map_or(Transformed::no(plan), Transformed::yes))).data()
    }

    fn name(&self) -> &'static str {
        "rooms"
    }

    fn schema_check(&self) -> bool {
        true
    }
}
