//! Nested loop joins that hear when their statement is to end.
//!
//! DataFusion's looks at all pairs of a batch with the whole build side before it gives anything back: with a condition
//! that keeps nothing that is minutes in which its task is not asked, no timer is looked at and nobody can end it. So it
//! runs in a task of its own, whose thread others need not wait for, and its condition fails when nobody wants rows any
//! more.

use arrow::datatypes::{DataType, FieldRef, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::common::config::ConfigOptions;
use datafusion::common::exec_err;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{NestedLoopJoinExec, NestedLoopJoinExecBuilder};
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs};
use datafusion::physical_plan::stream::{RecordBatchReceiverStreamBuilder, RecordBatchStreamAdapter};
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, InputDistributionRequirements, PlanProperties,
    ReplaceChildrenOptions, Statistics,
};
use futures::{StreamExt, future};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::runtime::{Handle, RuntimeFlavor};

/// Puts [`HeardLoopExec`] around nested loop joins with a condition; without one they give rows all the time.
#[derive(Debug, Default)]
pub(super) struct HeardLoops;

impl PhysicalOptimizerRule for HeardLoops {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|plan| match plan.downcast_ref::<NestedLoopJoinExec>() {
            Some(join) => {
                HeardLoopExec::around(join).map(|heard| heard.map_or(Transformed::no(plan), Transformed::yes))
            }
            None => Ok(Transformed::no(plan)),
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "heard_loops"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// A [`NestedLoopJoinExec`] in tasks of its own. Whoever looks for one in the plan finds it here.
#[derive(Debug)]
struct HeardLoopExec {
    /// As it was planned.
    join: NestedLoopJoinExec,
    /// As it is run: its condition fails when nobody reads.
    heard: NestedLoopJoinExec,
    readers: Arc<AtomicUsize>,
}

impl HeardLoopExec {
    fn around(join: &NestedLoopJoinExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(filter) = join.filter() else { return Ok(None) };
        let readers = Arc::new(AtomicUsize::new(0));
        let expression = WhileRead { condition: Arc::clone(filter.expression()), readers: Arc::clone(&readers) };
        let (columns, schema) = (filter.column_indices().to_vec(), Arc::clone(filter.schema()));
        let filter = JoinFilter::new(Arc::new(expression), columns, schema);
        let heard = NestedLoopJoinExecBuilder::from(join).with_filter(Some(filter)).build()?;
        let join = NestedLoopJoinExecBuilder::from(join).build()?;
        Ok(Some(Arc::new(Self { join, heard, readers })))
    }
}

impl DisplayAs for HeardLoopExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.join.fmt_as(format, f)
    }
}

impl ExecutionPlan for HeardLoopExec {
    fn name(&self) -> &'static str {
        "HeardLoopExec"
    }

    fn downcast_delegate(&self) -> Option<&dyn ExecutionPlan> {
        Some(&self.join)
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.join.properties()
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        self.join.input_distribution_requirements()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        self.join.maintains_input_order()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.join.children()
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.join.apply_expressions(f)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let join: Arc<dyn ExecutionPlan> = Arc::new(NestedLoopJoinExecBuilder::from(&self.join).build()?);
        let join = join.replace_children(children, options)?;
        let heard = join.downcast_ref::<NestedLoopJoinExec>().map(Self::around).transpose()?.flatten();
        Ok(heard.unwrap_or(join))
    }

    fn reset_state(self: Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Self::around(&self.join)?.unwrap_or(self))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let mut rows = self.heard.execute(partition, context)?;
        let (schema, read) = (rows.schema(), Read::begin(&self.readers));
        let mut builder = RecordBatchReceiverStreamBuilder::new(Arc::clone(&schema), 1);
        let given = builder.tx();
        let apart = Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread;
        builder.spawn(async move {
            // Others' tasks leave this thread while it looks at pairs.
            while let Some(batch) = future::poll_fn(|context| {
                let mut next = || rows.poll_next_unpin(context);
                if apart { tokio::task::block_in_place(next) } else { next() }
            })
            .await
            {
                if given.send(batch).await.is_err() {
                    break;
                }
            }
            Ok(())
        });
        let rows = builder.build().inspect(move |_| {
            let _ = &read;
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        self.heard.metrics()
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        self.join.child_stats_requests(partition)
    }

    fn statistics_from_inputs(&self, inputs: &[Arc<Statistics>], args: &StatisticsArgs) -> Result<Arc<Statistics>> {
        self.join.statistics_from_inputs(inputs, args)
    }
}

/// Somebody reads, as long as this is there.
struct Read(Arc<AtomicUsize>);

impl Read {
    fn begin(readers: &Arc<AtomicUsize>) -> Self {
        readers.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(readers))
    }
}

impl Drop for Read {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A condition that fails when nobody reads what it lets through.
#[derive(Debug)]
struct WhileRead {
    condition: Arc<dyn PhysicalExpr>,
    readers: Arc<AtomicUsize>,
}

impl fmt::Display for WhileRead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.condition.fmt(f)
    }
}

impl PartialEq for WhileRead {
    fn eq(&self, other: &Self) -> bool {
        self.condition.eq(&other.condition) && Arc::ptr_eq(&self.readers, &other.readers)
    }
}

impl Eq for WhileRead {}

impl Hash for WhileRead {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.condition.hash(state);
    }
}

impl PhysicalExpr for WhileRead {
    fn data_type(&self, schema: &Schema) -> Result<DataType> {
        self.condition.data_type(schema)
    }

    fn nullable(&self, schema: &Schema) -> Result<bool> {
        self.condition.nullable(schema)
    }

    fn return_field(&self, schema: &Schema) -> Result<FieldRef> {
        self.condition.return_field(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        if self.readers.load(Ordering::Relaxed) == 0 {
            return exec_err!("nobody reads the rows of a join any more");
        }
        self.condition.evaluate(batch)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.condition]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        match <[Arc<dyn PhysicalExpr>; 1]>::try_from(children) {
            Ok([condition]) => Ok(Arc::new(Self { condition, readers: Arc::clone(&self.readers) })),
            Err(_) => exec_err!("a condition has one expression"),
        }
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.condition.fmt_sql(f)
    }
}
