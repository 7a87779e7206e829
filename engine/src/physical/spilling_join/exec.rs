//! The operator: a hash join that spills.

use super::memory::{Env, Sizes, limit};
use super::outer::{NullsSeen, Outer};
use super::part::PartJoin;
use super::template::{Instance, Template};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{internal_datafusion_err, internal_err};
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricsSet, SpillMetrics};
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs};
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties,
    InputDistributionRequirements, PlanProperties, ReplaceChildrenOptions, Statistics,
};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// A [`HashJoinExec`] that goes to the disk where its build side does not fit. Whoever looks for a hash join in the plan
/// finds it here.
pub(super) struct SpillingJoinExec {
    join: HashJoinExec,
    instance: Arc<Instance>,
    sizes: Sizes,
    metrics: ExecutionPlanMetricsSet,
    /// Where all partitions have one build side: its join.
    shared: Mutex<Option<Arc<PartJoin>>>,
}

impl SpillingJoinExec {
    pub(super) fn new(join: &HashJoinExec, sizes: Sizes) -> Result<Self> {
        let instance = Arc::new(Instance::of(join)?);
        let (metrics, shared) = (ExecutionPlanMetricsSet::new(), Mutex::default());
        Ok(Self { join: join.builder().build()?, instance, sizes, metrics, shared })
    }

    fn around(&self, join: &Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
        match join.downcast_ref::<HashJoinExec>() {
            Some(join) => Ok(Arc::new(Self::new(join, self.sizes)?)),
            None => internal_err!("a hash join became something else"),
        }
    }

    fn inner(&self) -> Result<Arc<dyn ExecutionPlan>> {
        self.join.builder().build_exec()
    }

    /// The join of these partitions.
    fn part(
        &self,
        (first, partitions): (usize, usize),
        context: &Arc<TaskContext>,
        limit: usize,
    ) -> Result<Arc<PartJoin>> {
        let build = self.join.left().execute(first, Arc::clone(context))?;
        let env = Arc::new(Env {
            task: Arc::clone(context),
            limit,
            sizes: self.sizes,
            lanes: self.join.right().output_partitioning().partition_count(),
            spill: SpillMetrics::new(&self.metrics, first),
            nulls: self.join.null_aware.then(|| Arc::new(NullsSeen::default())),
        });
        let (_, key) = self.join.on().first().ok_or_else(|| internal_datafusion_err!("a hash join without keys"))?;
        let keeps_order = self.join.maintains_input_order().last().copied().unwrap_or_default();
        let ordered = keeps_order && self.join.right().output_ordering().is_some();
        let outer = Outer {
            env: Arc::clone(&env),
            schema: self.join.schema(),
            probe_key: Arc::clone(key),
            fetch: self.join.fetch(),
            ordered,
            metrics: self.metrics.clone(),
        };
        let template = Template::of(&self.join)?;
        let template = Arc::new(if ordered { template.numbered()? } else { template });
        let shape = (Arc::clone(&self.instance), template);
        Ok(Arc::new(PartJoin::whole(env, shape, build, (first, partitions), Arc::new(outer))))
    }
}

impl fmt::Debug for SpillingJoinExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpillingJoinExec").field("join", &self.join).finish_non_exhaustive()
    }
}

impl DisplayAs for SpillingJoinExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.join.fmt_as(format, f)
    }
}

impl ExecutionPlan for SpillingJoinExec {
    fn name(&self) -> &'static str {
        "SpillingJoinExec"
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

    fn dynamic_expressions_produced(&self) -> Vec<Arc<dyn PhysicalExpr>> {
        self.join.dynamic_expressions_produced()
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.around(&self.inner()?.replace_children(children, options)?)
    }

    fn reset_state(self: Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        self.around(&self.inner()?.reset_state()?)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let Some(limit) = limit(&context) else { return self.join.execute(partition, context) };
        let partitions = self.join.right().output_partitioning().partition_count();
        let part = match self.join.partition_mode() {
            PartitionMode::Partitioned => self.part((partition, 1), &context, limit)?,
            _ => {
                let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
                match &*shared {
                    Some(part) => Arc::clone(part),
                    None => Arc::clone(shared.insert(self.part((0, partitions), &context, limit)?)),
                }
            }
        };
        Ok(part.run(partition, self.join.right().execute(partition, context)?))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        let mut all = self.metrics.clone_inner();
        self.join.metrics()?.iter().for_each(|metric| all.push(Arc::clone(metric)));
        Some(all)
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        self.join.child_stats_requests(partition)
    }

    fn statistics_from_inputs(&self, inputs: &[Arc<Statistics>], args: &StatisticsArgs) -> Result<Arc<Statistics>> {
        self.join.statistics_from_inputs(inputs, args)
    }

    fn fetch(&self) -> Option<usize> {
        self.join.fetch()
    }
}
