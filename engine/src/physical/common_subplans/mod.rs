//! Equal subplans, whose rows are computed once.
//!
//! Who plans a query gives the subplans that are equal one number. When all rules have changed the plan, [`UniteSubplans`]
//! looks which of a number are equal still, and has these share one subplan; the others stay alone. A partition of it is
//! computed when it is first asked for, by a task of its own, and kept until the last place has read it: in memory, and on the
//! disk behind what a statement's memory has no room for. No place waits for another.

mod rows;
#[cfg(test)]
mod tests;

use super::forward::Plan;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::execution_plan::CardinalityEffect;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, SpillMetrics};
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
    ReplaceChildrenOptions, Statistics, displayable,
};
use futures::TryStreamExt;
use rows::CommonRows;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// One of the places of a subplan that has a number.
#[derive(Debug)]
pub(crate) struct CommonSubplanExec {
    number: usize,
    input: Plan,
    /// What it shares with the other places, where there are such.
    shared: Option<Shared>,
    metrics: ExecutionPlanMetricsSet,
}

#[derive(Debug, Clone)]
struct Shared {
    rows: Arc<CommonRows>,
    is_first: bool,
}

impl CommonSubplanExec {
    pub(crate) fn new(number: usize, input: Plan) -> Self {
        Self { number, input, shared: None, metrics: ExecutionPlanMetricsSet::new() }
    }

    /// Whether another place before this one in the plan has the same subplan.
    fn is_repeated(&self) -> bool {
        self.shared.as_ref().is_some_and(|shared| !shared.is_first)
    }
}

/// The inputs of an operator, for whoever adds up what operators did: those of a subplan that is computed once are found in one
/// of its places.
pub(crate) fn counted_children(plan: &Plan) -> Vec<&Plan> {
    let is_repeated = plan.downcast_ref::<CommonSubplanExec>().is_some_and(CommonSubplanExec::is_repeated);
    if is_repeated { Vec::new() } else { plan.children() }
}

impl DisplayAs for CommonSubplanExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CommonSubplanExec: number={}", self.number)?;
        if self.is_repeated() { f.write_str(", repeated") } else { Ok(()) }
    }
}

impl ExecutionPlan for CommonSubplanExec {
    fn name(&self) -> &'static str {
        "CommonSubplanExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    // No sort that is wanted above comes below: other places may want none.
    fn maintains_input_order(&self) -> Vec<bool> {
        vec![false]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Plan> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(self: Arc<Self>, children: Vec<Plan>, _: ReplaceChildrenOptions) -> Result<Plan> {
        let Ok([input]) = <[Plan; 1]>::try_from(children) else {
            return internal_err!("a common subplan has one input");
        };
        Ok(Arc::new(Self::new(self.number, input)))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Plan>) -> Result<Plan> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn reset_state(self: Arc<Self>) -> Result<Plan> {
        Ok(Arc::new(Self::new(self.number, Arc::clone(&self.input))))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let Some(shared) = &self.shared else { return self.input.execute(partition, context) };
        let counted = BaselineMetrics::new(&self.metrics, partition);
        let rows = Arc::clone(&shared.rows).read(partition, context, SpillMetrics::new(&self.metrics, partition))?;
        let rows = rows.inspect_ok(move |batch| {
            counted.record_output(batch.num_rows());
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        vec![ChildStats::At(partition)]
    }

    fn statistics_from_inputs(&self, inputs: &[Arc<Statistics>], _: &StatisticsArgs) -> Result<Arc<Statistics>> {
        match inputs {
            [of_input] => Ok(Arc::clone(of_input)),
            _ => internal_err!("a common subplan has one input"),
        }
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::Equal
    }
}

/// Has the places of equal subplans share one.
#[derive(Debug)]
pub(super) struct UniteSubplans;

impl PhysicalOptimizerRule for UniteSubplans {
    fn optimize(&self, plan: Plan, _: &ConfigOptions) -> Result<Plan> {
        let mut places = Places::default();
        places.count(&plan);
        if places.by_number.is_empty() {
            return Ok(plan);
        }
        places.by_number.retain(|_, subplan| subplan.places > 1);
        places.unite(plan)
    }

    fn name(&self) -> &'static str {
        "UniteSubplans"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

#[derive(Default)]
struct Places {
    by_number: HashMap<usize, Subplan>,
}

/// The subplan that places of a number share.
struct Subplan {
    plan: Plan,
    places: usize,
    /// It as it is shared, since the first place was reached.
    shared: Option<(Plan, Arc<CommonRows>)>,
}

impl Subplan {
    fn equals(&self, other: &Plan) -> bool {
        let (ours, theirs) = (&self.plan, other);
        let text = |plan: &Plan| displayable(plan.as_ref()).indent(true).to_string();
        Arc::ptr_eq(ours, theirs)
            || (ours.schema() == theirs.schema()
                && ours.output_partitioning().partition_count() == theirs.output_partitioning().partition_count()
                && text(ours) == text(theirs))
    }
}

impl Places {
    /// Counts the places of each subplan; those within one as often as it is computed, which is once.
    fn count(&mut self, plan: &Plan) {
        if let Some(common) = plan.downcast_ref::<CommonSubplanExec>() {
            match self.by_number.get_mut(&common.number) {
                Some(subplan) if subplan.equals(&common.input) => {
                    subplan.places += 1;
                    return;
                }
                Some(_) => {}
                None => {
                    let plan = Arc::clone(&common.input);
                    self.by_number.insert(common.number, Subplan { plan, places: 1, shared: None });
                }
            }
        }
        for child in plan.children() {
            self.count(child);
        }
    }

    fn unite(&mut self, plan: Plan) -> Result<Plan> {
        let Some(common) = plan.downcast_ref::<CommonSubplanExec>() else {
            return plan.map_children(|child| self.unite(child).map(Transformed::yes)).data();
        };
        let found = self.by_number.get(&common.number).filter(|subplan| subplan.equals(&common.input));
        let Some(subplan) = found else { return self.unite(Arc::clone(&common.input)) };
        let (number, places) = (common.number, subplan.places);
        let (input, rows, is_first) = match &subplan.shared {
            Some((input, rows)) => (Arc::clone(input), Arc::clone(rows), false),
            None => {
                let input = self.unite(Arc::clone(&common.input))?;
                let rows = Arc::new(CommonRows::new(Arc::clone(&input), places));
                if let Some(subplan) = self.by_number.get_mut(&number) {
                    subplan.shared = Some((Arc::clone(&input), Arc::clone(&rows)));
                }
                (input, rows, true)
            }
        };
        let shared = Some(Shared { rows, is_first });
        Ok(Arc::new(CommonSubplanExec { shared, ..CommonSubplanExec::new(number, input) }))
    }
}
