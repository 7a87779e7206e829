//! Marks that carry an estimate from the logical plan to the choice of a join's build side and distribution.
//!
//! They stand on the inputs of joins, change nothing, and are gone when that choice is made ([`super::selection`]).

use super::estimate::Estimate;
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DFSchemaRef, Result, Statistics, internal_err};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNode, UserDefinedLogicalNodeCore};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, SendableRecordBatchStream,
};
use datafusion::physical_planner::{ExtensionPlanner, PhysicalPlanner};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A plan with the rows and bytes that are expected of it.
#[derive(Debug, Clone)]
pub(crate) struct Estimated {
    input: LogicalPlan,
    rows: u64,
    bytes: u64,
    /// All that is expected of it: who estimates a node above does not go through the plan again.
    estimate: Arc<Estimate>,
}

impl Estimated {
    /// Marks a plan.
    pub(super) fn new(input: LogicalPlan, estimate: Estimate) -> Self {
        let (rows, bytes) = (estimate.rows.ceil() as u64, (estimate.rows * estimate.width()).ceil() as u64);
        Self { input, rows, bytes, estimate: Arc::new(estimate) }
    }

    /// What is expected of the plan.
    pub(super) fn estimate(&self) -> &Estimate {
        &self.estimate
    }
}

impl PartialEq for Estimated {
    fn eq(&self, other: &Self) -> bool {
        (self.rows, self.bytes) == (other.rows, other.bytes) && self.input == other.input
    }
}

impl Eq for Estimated {}

impl Hash for Estimated {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.input, self.rows, self.bytes).hash(state);
    }
}

impl PartialOrd for Estimated {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        (self.rows, self.bytes).partial_cmp(&(other.rows, other.bytes)).filter(|order| order.is_ne() || self == other)
    }
}

impl UserDefinedLogicalNodeCore for Estimated {
    fn name(&self) -> &'static str {
        "Estimated"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        self.input.schema()
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Estimated: rows={}", self.rows)
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let Ok([input]) = <[LogicalPlan; 1]>::try_from(inputs) else { return internal_err!("a mark has one input") };
        Ok(Self { input, rows: self.rows, bytes: self.bytes, estimate: Arc::clone(&self.estimate) })
    }
}

/// Plans marks.
#[derive(Debug)]
pub(super) struct MarkPlanner;

#[async_trait]
impl ExtensionPlanner for MarkPlanner {
    async fn plan_extension(
        &self,
        _: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _: &[&LogicalPlan],
        physical_inputs: &[Arc<dyn ExecutionPlan>],
        _: &dyn Session,
        _: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        Ok(match (node.as_any().downcast_ref::<Estimated>(), physical_inputs) {
            (Some(mark), [input]) => {
                Some(Arc::new(EstimatedExec { input: Arc::clone(input), rows: mark.rows, bytes: mark.bytes }))
            }
            _ => None,
        })
    }
}

/// The same among operators.
#[derive(Debug, Clone)]
pub(super) struct EstimatedExec {
    pub(super) input: Arc<dyn ExecutionPlan>,
    pub(super) rows: u64,
    pub(super) bytes: u64,
}

impl DisplayAs for EstimatedExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "EstimatedExec: rows={}", self.rows)
    }
}

impl ExecutionPlan for EstimatedExec {
    fn name(&self) -> &'static str {
        "EstimatedExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Ok([input]) = <[Arc<dyn ExecutionPlan>; 1]>::try_from(children) else {
            return internal_err!("a mark has one input");
        };
        Ok(Arc::new(Self { input, ..*self }))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.input.execute(partition, context)
    }

    fn child_stats_requests(&self, _: Option<usize>) -> Vec<ChildStats> {
        vec![ChildStats::Skip]
    }

    fn statistics_from_inputs(&self, _: &[Arc<Statistics>], args: &StatisticsArgs) -> Result<Arc<Statistics>> {
        let parts = if args.partition().is_some() { self.input.properties().partitioning.partition_count() } else { 1 };
        let share = |count: u64| Precision::Inexact((count as usize).div_ceil(parts.max(1)));
        let mut statistics = Statistics::new_unknown(&self.schema());
        statistics.num_rows = share(self.rows);
        statistics.total_byte_size = share(self.bytes);
        Ok(Arc::new(statistics))
    }
}
