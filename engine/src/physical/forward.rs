//! Operators that stand around another one: what they do not do themselves, the inner one does.
//!
//! [`ExecutionPlan`] has many methods with an answer for those who do not know better, so that one which is not passed on
//! is wrong without anybody's telling. All are passed on here and nowhere else, which is the place for one that comes with
//! another version of DataFusion. What makes another operator of the inner one puts the same around it again.

use arrow::datatypes::SchemaRef;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{Distribution, OrderingRequirements, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::execution_plan::{CardinalityEffect, InvariantLevel};
use datafusion::physical_plan::filter_pushdown::{
    ChildPushdownResult, FilterDescription, FilterPushdownPhase, FilterPushdownPropagation,
};
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs};
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, InputDistributionRequirements, PlanProperties,
    ReplaceChildrenOptions, SortOrderPushdownResult, Statistics,
};
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// Any operator.
pub(super) type Plan = Arc<dyn ExecutionPlan>;

/// What stands around an operator, and runs in its place.
pub(super) trait Around: fmt::Debug + Send + Sync + Sized + 'static {
    /// The name of the two together.
    const NAME: &'static str;

    /// Whether whoever looks for the inner operator in a plan finds it.
    const IS_FOUND: bool = true;

    /// The same around another operator, which has not run; `None` where it need not stand.
    fn again(&self, inner: &Plan) -> Result<Option<Self>>;

    /// Runs a partition.
    fn execute(&self, inner: &Plan, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream>;

    /// What was counted as it ran.
    fn metrics(&self, inner: &Plan) -> Option<MetricsSet>;

    /// Whose order its rows keep.
    fn maintains_input_order(&self, inner: &Plan) -> Vec<bool> {
        inner.maintains_input_order()
    }

    /// Which inputs' statistics it makes its own of.
    fn child_stats_requests(&self, inner: &Plan, partition: Option<usize>) -> Vec<ChildStats> {
        inner.child_stats_requests(partition)
    }

    /// The statistics of its rows, with those of its inputs that were asked for.
    fn statistics_from_inputs(
        &self,
        inner: &Plan,
        inputs: &[Arc<Statistics>],
        args: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        inner.statistics_from_inputs(inputs, args)
    }

    /// How a plan shows it.
    fn fmt_as(&self, inner: &Plan, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        inner.fmt_as(format, f)
    }
}

/// An operator with what stands around it.
#[derive(Debug)]
pub(super) struct AroundExec<A> {
    inner: Plan,
    around: A,
}

impl<A: Around> AroundExec<A> {
    pub(super) fn new(inner: Plan, around: A) -> Self {
        Self { inner, around }
    }

    /// Puts it around those of a plan's operators that `of` has something for.
    pub(super) fn put(plan: Plan, of: impl Fn(&Plan) -> Result<Option<A>>) -> Result<Plan> {
        plan.transform_up(|plan| {
            Ok(match of(&plan)? {
                Some(around) => Transformed::yes(Arc::new(Self::new(plan, around)) as _),
                None => Transformed::no(plan),
            })
        })
        .data()
    }

    /// Takes it off wherever it stands in a plan.
    pub(super) fn take_off(plan: Plan) -> Result<Plan> {
        plan.transform_up(|plan| {
            // `downcast_ref` would look for it within the inner operator.
            Ok(match (plan.as_ref() as &dyn Any).downcast_ref::<Self>() {
                Some(around) => Transformed::yes(Arc::clone(&around.inner)),
                None => Transformed::no(plan),
            })
        })
        .data()
    }

    /// The operator that it stands around.
    pub(super) fn inner(&self) -> &Plan {
        &self.inner
    }

    /// Around what became of the inner operator.
    fn again(&self, inner: Plan) -> Result<Plan> {
        Ok(match self.around.again(&inner)? {
            Some(around) => Arc::new(Self { inner, around }),
            None => inner,
        })
    }
}

impl<A: Around> DisplayAs for AroundExec<A> {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.around.fmt_as(&self.inner, format, f)
    }
}

impl<A: Around> ExecutionPlan for AroundExec<A> {
    fn name(&self) -> &'static str {
        A::NAME
    }

    fn downcast_delegate(&self) -> Option<&dyn ExecutionPlan> {
        A::IS_FOUND.then_some(self.inner.as_ref())
    }

    fn schema(&self) -> SchemaRef {
        self.inner.schema()
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.inner.properties()
    }

    fn check_invariants(&self, check: InvariantLevel) -> Result<()> {
        self.inner.check_invariants(check)
    }

    fn dynamic_expressions_produced(&self) -> Vec<Arc<dyn PhysicalExpr>> {
        self.inner.dynamic_expressions_produced()
    }

    fn required_input_distribution(&self) -> Vec<Distribution> {
        self.inner.input_distribution_requirements().into_per_child()
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        self.inner.input_distribution_requirements()
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        self.inner.required_input_ordering()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        self.around.maintains_input_order(&self.inner)
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        self.inner.benefits_from_input_partitioning()
    }

    fn children(&self) -> Vec<&Plan> {
        self.inner.children()
    }

    fn replace_children(self: Arc<Self>, children: Vec<Plan>, options: ReplaceChildrenOptions) -> Result<Plan> {
        self.again(Arc::clone(&self.inner).replace_children(children, options)?)
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.inner.apply_expressions(f)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Plan>) -> Result<Plan> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn reset_state(self: Arc<Self>) -> Result<Plan> {
        self.again(Arc::clone(&self.inner).reset_state()?)
    }

    fn repartitioned(&self, target_partitions: usize, config: &ConfigOptions) -> Result<Option<Plan>> {
        self.inner.repartitioned(target_partitions, config)?.map(|inner| self.again(inner)).transpose()
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.around.execute(&self.inner, partition, context)
    }

    fn metrics(&self) -> Option<MetricsSet> {
        self.around.metrics(&self.inner)
    }

    #[expect(deprecated, reason = "who asks for them in the old way is answered")]
    fn partition_statistics(&self, partition: Option<usize>) -> Result<Arc<Statistics>> {
        self.inner.partition_statistics(partition)
    }

    fn statistics_from_inputs(&self, inputs: &[Arc<Statistics>], args: &StatisticsArgs) -> Result<Arc<Statistics>> {
        self.around.statistics_from_inputs(&self.inner, inputs, args)
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        self.around.child_stats_requests(&self.inner, partition)
    }

    fn supports_limit_pushdown(&self) -> bool {
        self.inner.supports_limit_pushdown()
    }

    fn with_fetch(&self, limit: Option<usize>) -> Option<Plan> {
        self.again(self.inner.with_fetch(limit)?).ok()
    }

    fn fetch(&self) -> Option<usize> {
        self.inner.fetch()
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        self.inner.cardinality_effect()
    }

    fn try_swapping_with_projection(&self, projection: &ProjectionExec) -> Result<Option<Plan>> {
        let Some(swapped) = self.inner.try_swapping_with_projection(projection)? else { return Ok(None) };
        // What the operator cannot do of the projection stays above it.
        let Some(left) = swapped.downcast_ref::<ProjectionExec>().map(|left| Arc::clone(left.input())) else {
            return self.again(swapped).map(Some);
        };
        let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep);
        swapped.replace_children(vec![self.again(left)?], options).map(Some)
    }

    fn gather_filters_for_pushdown(
        &self,
        phase: FilterPushdownPhase,
        parent_filters: Vec<Arc<dyn PhysicalExpr>>,
        config: &ConfigOptions,
    ) -> Result<FilterDescription> {
        self.inner.gather_filters_for_pushdown(phase, parent_filters, config)
    }

    fn handle_child_pushdown_result(
        &self,
        phase: FilterPushdownPhase,
        child_pushdown_result: ChildPushdownResult,
        config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Plan>> {
        let mut told = self.inner.handle_child_pushdown_result(phase, child_pushdown_result, config)?;
        told.updated_node = told.updated_node.map(|inner| self.again(inner)).transpose()?;
        Ok(told)
    }

    fn with_new_state(&self, state: Arc<dyn Any + Send + Sync>) -> Option<Plan> {
        self.again(self.inner.with_new_state(state)?).ok()
    }

    fn try_pushdown_sort(&self, order: &[PhysicalSortExpr]) -> Result<SortOrderPushdownResult<Plan>> {
        self.inner.try_pushdown_sort(order)?.try_map(|inner| self.again(inner))
    }

    fn with_preserve_order(&self, preserve_order: bool) -> Option<Plan> {
        self.again(self.inner.with_preserve_order(preserve_order)?).ok()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use arrow::array::{Int64Array, RecordBatch};
    use datafusion::datasource::memory::MemorySourceConfig;
    use datafusion::physical_expr::expressions::col;
    use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
    use datafusion::physical_plan::collect;
    use datafusion::physical_plan::sorts::sort::SortExec;
    use datafusion::physical_plan::statistics::StatisticsContext;

    /// Stands around sorts and does nothing.
    #[derive(Debug)]
    struct Idle;

    impl Around for Idle {
        const NAME: &'static str = "IdleExec";

        fn again(&self, inner: &Plan) -> Result<Option<Self>> {
            Ok(inner.is::<SortExec>().then_some(Self))
        }

        fn execute(&self, inner: &Plan, partition: usize, task: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
            inner.execute(partition, task)
        }

        fn metrics(&self, inner: &Plan) -> Option<MetricsSet> {
            inner.metrics()
        }
    }

    fn sort() -> Plan {
        let column = || Arc::new(Int64Array::from(vec![3, 1, 2])) as _;
        let batch = RecordBatch::try_from_iter([("a", column()), ("b", column())]).unwrap();
        let source = MemorySourceConfig::try_new_exec(&[vec![batch.clone()]], batch.schema(), None).unwrap();
        let order = LexOrdering::new([PhysicalSortExpr::new_default(col("b", &batch.schema()).unwrap())]).unwrap();
        Arc::new(SortExec::new(order, source))
    }

    #[tokio::test]
    async fn it_answers_as_the_inner_operator_and_stays_around_what_becomes_of_it() {
        let (inner, task) = (sort(), Arc::new(TaskContext::default()));
        let plan: Plan = Arc::new(AroundExec::new(Arc::clone(&inner), Idle));
        assert!(plan.is::<SortExec>());
        assert!(matches!(plan.cardinality_effect(), CardinalityEffect::Equal));
        assert_eq!(plan.maintains_input_order(), inner.maintains_input_order());
        assert_eq!(plan.benefits_from_input_partitioning(), inner.benefits_from_input_partitioning());
        let rows = |plan: &Plan| StatisticsContext::new().compute(plan.as_ref(), &StatisticsArgs::new()).unwrap();
        assert_eq!(rows(&plan), rows(&inner));

        let first = plan.with_fetch(Some(2)).unwrap();
        let children = || first.children().into_iter().cloned().collect();
        let keep = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep);
        let projection = [(col("b", &plan.schema()).unwrap(), "b".to_owned())];
        let projection = ProjectionExec::try_new(projection, Arc::clone(&plan)).unwrap();
        let made = [
            Arc::clone(&first),
            Arc::clone(&first).replace_children(children(), keep).unwrap(),
            Arc::clone(&first).reset_state().unwrap(),
            plan.try_swapping_with_projection(&projection).unwrap().unwrap(),
        ];
        for (number, plan) in made.into_iter().enumerate() {
            assert_eq!(plan.name(), "IdleExec", "{number}");
            let (fetch, columns) = if number < 3 { (Some(2), 2) } else { (None, 1) };
            assert_eq!((plan.fetch(), plan.schema().fields().len()), (fetch, columns), "{number}");
            // Those that have not the state of the first.
            if number > 1 {
                let given = collect(Arc::clone(&plan), Arc::clone(&task)).await.unwrap();
                assert_eq!(given.iter().map(RecordBatch::num_rows).sum::<usize>(), fetch.unwrap_or(3), "{number}");
            }
        }
    }
}
