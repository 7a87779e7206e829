//! The operator: a hash join that spills. It runs once; what may run it again has a copy for that (`afresh`).

use super::found::FoundKeys;
use super::memory::{Env, Sizes};
use super::outer::{NullsSeen, Outer};
use super::part::PartJoin;
use super::template::Instance;
use crate::physical::forward::{Around, AroundExec, Plan};
use crate::physical::memory::limit;
use datafusion::common::internal_datafusion_err;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricsSet, SpillMetrics};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// A [`HashJoinExec`] that goes to the disk where its build side does not fit. Whoever looks for a hash join in the plan
/// finds it here.
pub(super) type SpillingJoinExec = AroundExec<SpillingJoin>;

/// What stands around the join.
pub(super) struct SpillingJoin {
    instance: Arc<Instance>,
    sizes: Sizes,
    metrics: ExecutionPlanMetricsSet,
    /// The keys that it finds, where a scan is told them.
    keys: Option<Arc<FoundKeys>>,
    /// Where all partitions have one build side: their join, once one of them has begun.
    shared: Mutex<Option<Arc<PartJoin>>>,
}

impl SpillingJoin {
    /// Around a plan that is a hash join.
    pub(super) fn of(plan: &Plan, sizes: Sizes) -> Result<Option<Self>> {
        let Some(join) = plan.downcast_ref::<HashJoinExec>() else { return Ok(None) };
        let instance = Arc::new(Instance::of(join)?);
        let keys = FoundKeys::of(&instance.join)?.map(Arc::new);
        let (metrics, shared) = (ExecutionPlanMetricsSet::new(), Mutex::default());
        Ok(Some(Self { instance, sizes, metrics, keys, shared }))
    }

    /// The join of these partitions.
    fn part(
        &self,
        inner: &Plan,
        (first, partitions): (usize, usize),
        context: &Arc<TaskContext>,
        limit: usize,
    ) -> Result<Arc<PartJoin>> {
        let build = inner.children()[0].execute(first, Arc::clone(context))?;
        let join = &self.instance.join;
        let env = Arc::new(Env {
            task: Arc::clone(context),
            limit,
            sizes: self.sizes,
            lanes: join.right().output_partitioning().partition_count(),
            spill: SpillMetrics::new(&self.metrics, first),
            nulls: join.null_aware.then(|| Arc::new(NullsSeen::default())),
        });
        let (_, key) = join.on().first().ok_or_else(|| internal_datafusion_err!("a hash join without keys"))?;
        let keeps_order = join.maintains_input_order().last().copied().unwrap_or_default();
        let outer = Outer {
            env: Arc::clone(&env),
            schema: join.schema(),
            probe_key: Arc::clone(key),
            fetch: join.fetch(),
            ordered: keeps_order && join.right().output_ordering().is_some(),
            metrics: self.metrics.clone(),
        };
        let (instance, keys) = (Arc::clone(&self.instance), self.keys.clone());
        Ok(Arc::new(PartJoin::whole(env, instance, keys, build, (first, partitions), Arc::new(outer))))
    }

    /// The join of all partitions, which have one build side.
    fn whole(&self, inner: &Plan, context: &Arc<TaskContext>, limit: usize) -> Result<Arc<PartJoin>> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(join) = shared.as_ref() {
            return Ok(Arc::clone(join));
        }
        let partitions = self.instance.join.right().output_partitioning().partition_count();
        let join = self.part(inner, (0, partitions), context, limit)?;
        *shared = Some(Arc::clone(&join));
        Ok(join)
    }
}

impl fmt::Debug for SpillingJoin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpillingJoin").field("sizes", &self.sizes).finish_non_exhaustive()
    }
}

impl Around for SpillingJoin {
    const NAME: &'static str = "SpillingJoinExec";

    fn again(&self, inner: &Plan) -> Result<Option<Self>> {
        Self::of(inner, self.sizes)
    }

    fn execute(&self, inner: &Plan, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let Some(limit) = limit(&context) else { return inner.execute(partition, context) };
        let join = match self.instance.join.partition_mode() {
            PartitionMode::Partitioned => self.part(inner, (partition, 1), &context, limit)?,
            _ => self.whole(inner, &context, limit)?,
        };
        Ok(join.run(partition, inner.children()[1].execute(partition, context)?))
    }

    fn metrics(&self, inner: &Plan) -> Option<MetricsSet> {
        let mut all = self.metrics.clone_inner();
        inner.metrics()?.iter().for_each(|metric| all.push(Arc::clone(metric)));
        Some(all)
    }
}
