//! Where a plan sorts, groups or merges.

use super::exec::InRooms;
use crate::physical::forward::{AroundExec, Plan};
use datafusion::common::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;

/// Gives sorts, groupings and merges rooms. It runs after all rules that look for them, though whoever looks later still
/// finds them.
#[derive(Debug, Default)]
pub(in crate::physical) struct Rooms;

impl PhysicalOptimizerRule for Rooms {
    fn optimize(&self, plan: Plan, _config: &ConfigOptions) -> Result<Plan> {
        AroundExec::put(plan, InRooms::of)
    }

    fn name(&self) -> &'static str {
        "rooms"
    }

    fn schema_check(&self) -> bool {
        true
    }
}
