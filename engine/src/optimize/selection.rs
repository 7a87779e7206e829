//! How a join is distributed, from the estimates on its inputs, where DataFusion would go by what scans tell.
//!
//! DataFusion's own rule runs first and sees the estimates as statistics, so that the smaller side builds. Then a join
//! of two estimated inputs builds one table for all partitions when moving both sides among the partitions would cost
//! more. Afterwards no estimate is left in the plan.

use super::marker::EstimatedExec;
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::session_state::SessionState;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::join_selection::JoinSelection;
use datafusion::physical_optimizer::optimizer::{ConfigOnlyContext, PhysicalOptimizerContext};
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, Partitioning};
use std::sync::{Arc, Mutex, PoisonError};

/// What moving a row to another partition costs, where putting it into a hash table costs 1.
const MOVE: f64 = 0.5;

/// A table of more bytes is built in partitions.
const MOST_COLLECTED_BYTES: f64 = 512. * 1024. * 1024.;

/// What was estimated of the rows of each join of a plan, in the order in which EXPLAIN shows them.
pub(crate) type JoinEstimates = Vec<Option<u64>>;

/// The rules with this one in the place of DataFusion's.
pub(crate) fn with_selection(rules: Vec<Rule>) -> Vec<Rule> {
    replaced(&rules, &Arc::default())
}

/// The state with this rule told to note its estimates in what is returned beside it.
pub(crate) fn noting(state: &SessionState) -> (SessionState, Arc<Mutex<JoinEstimates>>) {
    let noted = Arc::default();
    let rules = replaced(state.physical_optimizers(), &noted);
    let state = SessionStateBuilder::new_from_existing(state.clone()).with_physical_optimizer_rules(rules).build();
    (state, noted)
}

type Rule = Arc<dyn PhysicalOptimizerRule + Send + Sync>;

fn replaced(rules: &[Rule], noted: &Arc<Mutex<JoinEstimates>>) -> Vec<Rule> {
    let name = JoinSelection::new().name().to_owned();
    let ours = |rule: &Rule| -> Rule {
        if rule.name() == name {
            Arc::new(EstimatedSelection { inner: JoinSelection::new(), noted: Arc::clone(noted) })
        } else {
            Arc::clone(rule)
        }
    };
    rules.iter().map(ours).collect()
}

/// `JoinSelection` with estimates.
#[derive(Debug)]
struct EstimatedSelection {
    inner: JoinSelection,
    /// The estimates of the plan seen last.
    noted: Arc<Mutex<JoinEstimates>>,
}

impl PhysicalOptimizerRule for EstimatedSelection {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        self.optimize_with_context(plan, &ConfigOnlyContext::new(config))
    }

    fn optimize_with_context(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        context: &dyn PhysicalOptimizerContext,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let partitions = context.config_options().execution.target_partitions;
        let plan = self.inner.optimize_with_context(plan, context)?;
        let plan = plan.transform_up(|node| distribute(node, partitions)).data()?;
        if self.is_listened_to() {
            let mut estimates = Vec::new();
            note(&plan, None, &mut estimates);
            *self.noted.lock().unwrap_or_else(PoisonError::into_inner) = estimates;
        }
        plan.transform_up(|node| {
            Ok(match node.downcast_ref::<EstimatedExec>() {
                Some(mark) => Transformed::yes(Arc::clone(&mark.input)),
                None => Transformed::no(node),
            })
        })
        .data()
    }

    fn name(&self) -> &str {
        self.inner.name()
    }

    fn schema_check(&self) -> bool {
        self.inner.schema_check()
    }
}

impl EstimatedSelection {
    /// Whether somebody else holds the notes. The rule of the warehouse is shared by all its statements.
    fn is_listened_to(&self) -> bool {
        Arc::strong_count(&self.noted) > 1
    }
}

/// Whether an operator is a join, by its name: operators of ours are joins too.
pub(crate) fn is_join(node: &dyn ExecutionPlan) -> bool {
    node.name().ends_with("JoinExec")
}

/// Lists the estimates of joins, a join before its inputs.
fn note(node: &Arc<dyn ExecutionPlan>, of_parent: Option<u64>, estimates: &mut JoinEstimates) {
    let mark = node.downcast_ref::<EstimatedExec>().map(|mark| mark.rows);
    let mut passed = mark;
    if is_join(node.as_ref()) {
        estimates.push(of_parent);
    } else if node.is::<ProjectionExec>() {
        // Sides that were turned have their columns put back into order.
        passed = of_parent;
    }
    for child in node.children() {
        note(child, passed, estimates);
    }
}

fn distribute(node: Arc<dyn ExecutionPlan>, partitions: usize) -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
    let Some(join) = node.downcast_ref::<HashJoinExec>() else { return Ok(Transformed::no(node)) };
    let inputs = (join.left().downcast_ref::<EstimatedExec>(), join.right().downcast_ref::<EstimatedExec>());
    let (Some(build), Some(probe)) = inputs else { return Ok(Transformed::no(node)) };
    // Inputs that say how they are distributed may need no move at all.
    let placed = |input: &EstimatedExec| matches!(input.input.output_partitioning(), Partitioning::Hash(..));
    if *join.partition_mode() != PartitionMode::Partitioned || join.null_aware || (placed(build) && placed(probe)) {
        return Ok(Transformed::no(node));
    }
    if !collects(build.rows as f64, build.bytes as f64, probe.rows as f64, partitions) {
        return Ok(Transformed::no(node));
    }
    let join = join.builder().with_partition_mode(PartitionMode::CollectLeft).build_exec()?;
    Ok(Transformed::yes(join))
}

/// Whether one table for all partitions, built by one of them, costs less time than moving the rows of both sides.
fn collects(build_rows: f64, build_bytes: f64, probe_rows: f64, partitions: usize) -> bool {
    let partitions = partitions.max(1) as f64;
    let alone = build_rows * (1. - 1. / partitions);
    let moved = (build_rows + probe_rows) * MOVE / partitions;
    build_bytes <= MOST_COLLECTED_BYTES && alone <= moved
}

#[cfg(test)]
mod tests {
    use super::collects;

    #[test]
    fn one_table_or_many() {
        let cases = [
            // On two cores a table of half the probe's rows or less is built by one; on 64, of a hundredth.
            (1_000_000., 16e6, 60_000_000., 2, true),
            (15_000_000., 240e6, 60_000_000., 2, true),
            (50_000_000., 400e6, 60_000_000., 2, false),
            (1_000_000., 16e6, 60_000_000., 64, false),
            (100_000., 1.6e6, 60_000_000., 64, true),
            // Too large, however few rows.
            (1_000_000., 1e9, 60_000_000., 2, false),
        ];
        for (rows, bytes, probe, partitions, expected) in cases {
            assert_eq!(collects(rows, bytes, probe, partitions), expected, "{rows} {probe} {partitions}");
        }
    }
}
