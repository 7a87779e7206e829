//! Windows whose rows are counted.
//!
//! DataFusion's window operators keep the rows of a partition, or all rows, and ask for no memory: one large partition
//! takes what there is and more. Here what they keep is held as memory of the statement: the rows that went in and did
//! not come out yet. What is too much ends with an error (53200).

use super::handed::HandedExec;
use arrow::record_batch::RecordBatch;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::utils::memory::get_record_batch_memory_size;
use datafusion::error::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{OrderingRequirements, PhysicalExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, InputDistributionRequirements, PlanProperties,
    ReplaceChildrenOptions, Statistics,
};
use futures::StreamExt;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

type Plan = Arc<dyn ExecutionPlan>;

/// Puts [`CountedWindowExec`] around windows.
#[derive(Debug, Default)]
pub(super) struct CountedWindows;

impl PhysicalOptimizerRule for CountedWindows {
    fn optimize(&self, plan: Plan, _config: &ConfigOptions) -> Result<Plan> {
        plan.transform_up(|plan| {
            let at_once = plan.is::<WindowAggExec>();
            if at_once || plan.is::<BoundedWindowAggExec>() {
                return Ok(Transformed::yes(Arc::new(CountedWindowExec::new(plan, at_once)?) as _));
            }
            Ok(Transformed::no(plan))
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "counted_windows"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// A window operator whose rows are counted. Whoever looks for one in the plan finds it here.
#[derive(Debug)]
struct CountedWindowExec {
    /// As it was planned.
    window: Plan,
    /// As it is run: over rows that it is handed.
    counted: Plan,
    input: Arc<HandedExec>,
    /// Whether it makes one batch of all its rows, which are there twice then.
    at_once: bool,
}

impl CountedWindowExec {
    fn new(window: Plan, at_once: bool) -> Result<Self> {
        let input = Arc::new(HandedExec::in_place_of(window.children()[0]));
        let counted = replace_children_if_necessary(Arc::clone(&window), vec![Arc::clone(&input) as _])?;
        Ok(Self { window, counted, input, at_once })
    }
}

impl DisplayAs for CountedWindowExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.window.fmt_as(format, f)
    }
}

impl ExecutionPlan for CountedWindowExec {
    fn name(&self) -> &'static str {
        "CountedWindowExec"
    }

    fn downcast_delegate(&self) -> Option<&dyn ExecutionPlan> {
        Some(self.window.as_ref())
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.window.properties()
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        self.window.input_distribution_requirements()
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        self.window.required_input_ordering()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        self.window.maintains_input_order()
    }

    fn children(&self) -> Vec<&Plan> {
        self.window.children()
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.window.apply_expressions(f)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Plan>) -> Result<Plan> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn replace_children(self: Arc<Self>, children: Vec<Plan>, options: ReplaceChildrenOptions) -> Result<Plan> {
        let window = Arc::clone(&self.window).replace_children(children, options)?;
        Ok(Arc::new(Self::new(window, self.at_once)?))
    }

    fn reset_state(self: Arc<Self>) -> Result<Plan> {
        Ok(Arc::new(Self::new(Arc::clone(&self.window).reset_state()?, self.at_once)?))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let rows = self.window.children()[0].execute(partition, Arc::clone(&context))?;
        let reservation = MemoryConsumer::new(format!("Window[{partition}]")).register(context.memory_pool());
        let copies = if self.at_once { 2 } else { 1 };
        let kept = Arc::new(Mutex::new(Kept { rows: 0, bytes_a_row: 0., copies, reservation }));
        let (going_in, schema) = (Arc::clone(&kept), rows.schema());
        let rows = rows.map(move |batch| {
            let batch = batch?;
            going_in.lock().unwrap_or_else(PoisonError::into_inner).add(&batch)?;
            Ok(batch)
        });
        self.input.hand(partition, Box::pin(RecordBatchStreamAdapter::new(schema, rows)));
        let given = self.counted.execute(partition, context)?;
        let schema = given.schema();
        let given = given.inspect(move |batch| {
            if let Ok(batch) = batch {
                kept.lock().unwrap_or_else(PoisonError::into_inner).remove(batch.num_rows());
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, given)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        self.counted.metrics()
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        self.window.child_stats_requests(partition)
    }

    fn statistics_from_inputs(&self, inputs: &[Arc<Statistics>], args: &StatisticsArgs) -> Result<Arc<Statistics>> {
        self.window.statistics_from_inputs(inputs, args)
    }
}

/// Rows that a window keeps.
struct Kept {
    rows: usize,
    /// Of the rows that came last.
    bytes_a_row: f64,
    copies: usize,
    reservation: MemoryReservation,
}

impl Kept {
    fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() > 0 {
            self.bytes_a_row = get_record_batch_memory_size(batch) as f64 / batch.num_rows() as f64;
            self.rows += batch.num_rows();
        }
        self.reservation.try_resize(self.bytes())
    }

    fn remove(&mut self, rows: usize) {
        self.rows = self.rows.saturating_sub(rows);
        self.reservation.resize(self.bytes());
    }

    fn bytes(&self) -> usize {
        (self.rows as f64 * self.bytes_a_row) as usize * self.copies
    }
}
