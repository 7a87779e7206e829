//! How many keys a join tells the scan of its other side.
//!
//! DataFusion's hash join tells them where there are at most 150 of them in 128 KiB; of more it tells where they begin and
//! end, and how to look into its own table, which no other system can. A foreign system looks up far more keys for less than
//! its table costs to be read, so a join whose filter reaches a connector's scan tells up to [`MOST_KEYS`]. A scan of files
//! is told no more than before: long lists would not help it.
//!
//! The limits are settings of the context that a join is run with. It is run with one of its own when its build side is
//! collected, so that no other join gets them, not even one below.

use crate::federated::{ForeignScanExec, MOST_KEYS};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::HashJoinExec;

/// The most rows whose keys are told: DataFusion makes an expression of each row, several of the same key too, of some
/// hundred bytes that it does not count.
const MOST_ROWS: usize = 4 * MOST_KEYS;

/// The most bytes of their keys.
const MOST_BYTES: usize = 16 << 20;

/// Whether what a join finds out reaches a connector's scan.
pub(super) fn reach_connector(join: &HashJoinExec) -> Result<bool> {
    let found = join.dynamic_expressions_produced();
    let Some(filter) = found.first().and_then(|filter| filter.expression_id()) else { return Ok(false) };
    let mut reached = false;
    join.right().apply(|plan| {
        if let Some(scan) = plan.downcast_ref::<ForeignScanExec>() {
            reached = scan.is_narrowed_by(filter)?;
        }
        Ok(if reached { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(reached)
}

/// Has a join with so many rows in its build side tell all its keys.
pub(super) fn tell_all(options: &mut ConfigOptions, rows: usize) {
    if rows <= MOST_ROWS {
        let limits = &mut options.optimizer;
        let (keys, bytes) =
            (&mut limits.hash_join_inlist_pushdown_max_distinct_values, &mut limits.hash_join_inlist_pushdown_max_size);
        (*keys, *bytes) = ((*keys).max(MOST_KEYS), (*bytes).max(MOST_BYTES));
    }
}

#[cfg(test)]
mod tests;
