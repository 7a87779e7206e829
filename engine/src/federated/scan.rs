//! The operator that reads a foreign table: what is asked of its system and the parts of the answer, as plain data.

use super::found;
use super::read::{Reading, Run};
use super::splits::{self, Group};
use super::table::ForeignTable;
use crate::error::Error;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::config::ConfigOptions;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{
    DynamicFilterTracking, EquivalenceProperties, LexOrdering, Partitioning, PhysicalExpr, PhysicalSortExpr,
};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, SchedulingType, apply_expression_roots};
use datafusion::physical_plan::filter_pushdown::{ChildPushdownResult, FilterPushdownPhase, FilterPushdownPropagation};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, Count, ExecutionPlanMetricsSet, Metric, MetricValue, MetricsSet, RecordOutput,
};
use datafusion::physical_plan::sorts::streaming_merge::StreamingMergeBuilder;
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::stream::{RecordBatchReceiverStream, RecordBatchStreamAdapter};
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
    SortOrderPushdownResult, Statistics,
};
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use millrace_connectors::{Measures, Order, SUPER_METADATA, ScanRequest};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::OnceCell;

/// Batches of a partition that are read ahead.
const READ_AHEAD: usize = 2;

/// The part of the rows that is expected to satisfy a condition, as DataFusion expects it of a filter.
const PASSES: f64 = 0.2;

/// A scan of a foreign table.
#[derive(Debug, Clone)]
pub(crate) struct ForeignScanExec {
    table: Arc<ForeignTable>,
    schema: SchemaRef,
    request: ScanRequest,
    /// The splits of each partition.
    groups: Vec<Group>,
    /// How many splits may be read at the same time.
    parallelism: usize,
    /// What joins above will find out of the rows that they want.
    found: Vec<Arc<dyn PhysicalExpr>>,
    run: Arc<OnceCell<Run>>,
    ordering: Option<LexOrdering>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
    measures: Arc<Measures>,
    /// Splits that were read to their end.
    ended: Arc<AtomicU64>,
}

impl ForeignScanExec {
    /// A scan that gives `schema`, the request's columns as the plan names them.
    pub(super) fn new(
        table: Arc<ForeignTable>,
        schema: SchemaRef,
        request: ScanRequest,
        groups: Vec<Group>,
        parallelism: usize,
    ) -> Self {
        let properties = Arc::new(properties(&schema, None, groups.len()));
        Self {
            table,
            schema,
            request,
            groups,
            parallelism,
            found: Vec::new(),
            run: Arc::default(),
            ordering: None,
            properties,
            metrics: ExecutionPlanMetricsSet::new(),
            measures: Arc::default(),
            ended: Arc::default(),
        }
    }

    /// The table that is read.
    pub(crate) fn table(&self) -> &ForeignTable {
        &self.table
    }

    /// The table, for whoever takes the scan's place.
    pub(super) fn shared_table(&self) -> Arc<ForeignTable> {
        Arc::clone(&self.table)
    }

    /// What is asked for, when that is all rows that satisfy the conditions.
    pub(super) fn request(&self) -> Option<ScanRequest> {
        (self.request.limit.is_none() && self.found.is_empty()).then(|| self.request.clone())
    }

    /// What the system is asked, or was, in a line.
    pub(crate) fn remote(&self) -> String {
        let request = self.run.get().map_or(&self.request, |run| &run.reading.request);
        self.table.connector().describe(request)
    }

    /// How many parts it has.
    pub(crate) fn splits(&self) -> usize {
        let groups = self.run.get().map_or(&self.groups, |run| &run.groups);
        groups.iter().map(|group| group.splits.len()).sum()
    }

    /// How many of them were read to their end.
    pub(crate) fn splits_ended(&self) -> u64 {
        self.ended.load(Ordering::Relaxed)
    }

    /// A copy that was not run, with another request.
    fn with_request(&self, request: ScanRequest) -> Self {
        let (metrics, run) = (ExecutionPlanMetricsSet::new(), Arc::default());
        Self { request, run, metrics, measures: Arc::default(), ended: Arc::default(), ..self.clone() }
    }

    /// Whether what is read is narrowed by what a filter of this identity finds.
    pub(crate) fn is_narrowed_by(&self, filter: u64) -> Result<bool> {
        let mut found = false;
        self.apply_expressions(&mut |root| {
            root.apply(|part| {
                found |= part.expression_id() == Some(filter);
                Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
            })
        })?;
        Ok(found && self.request.limit.is_none())
    }

    /// The order that a sort wants, in the connector's words.
    fn orders(&self, order: &[PhysicalSortExpr]) -> Option<Vec<Order>> {
        let one = |key: &PhysicalSortExpr| {
            let column = key.expr.downcast_ref::<Column>()?;
            let (column, field) = self.table.column(column.name())?;
            if field.metadata().contains_key(SUPER_METADATA) {
                return None;
            }
            let (descending, nulls_first) = (key.options.descending, key.options.nulls_first);
            Some(Order { column: column.to_owned(), descending, nulls_first })
        };
        order.iter().map(one).collect()
    }

    /// What is read now that the first row is asked for.
    async fn begin(&self) -> Result<Run> {
        let mut request = self.request.clone();
        let mut groups = self.groups.clone();
        let connector = self.table.connector();
        // The rows that a limit leaves must not become others.
        let found = if request.limit.is_none() { &self.found[..] } else { &[] };
        match found::taken(found, &self.schema, &self.table)? {
            Some(taken) if !taken.is_empty() => {
                request.predicates.extend(taken);
                let splits = connector.splits(&request, self.parallelism).await.map_err(Error::from)?;
                groups = splits::deal(splits, self.groups.len(), self.parallelism);
            }
            // A stream is read all the same: how far it was read is kept.
            None if self.table.resumption().is_none() => groups.clear(),
            _ => {}
        }
        if let Some(resumption) = self.table.resumption() {
            resumption.note(&request, &groups, &self.measures);
        }
        let (table, schema) = (Arc::clone(&self.table), Arc::clone(&self.schema));
        let (measures, ended) = (Arc::clone(&self.measures), Arc::clone(&self.ended));
        Ok(Run { reading: Arc::new(Reading { table, schema, request, measures, ended }), groups })
    }

    /// The rows of a partition; they are read ahead while the plan above computes, until they are dropped.
    async fn read(self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let run = self.run.get_or_try_init(|| self.begin()).await?;
        let Some(group) = run.groups.get(partition).cloned() else {
            return Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), stream::empty())));
        };
        let mut rows = match &self.ordering {
            Some(order) if group.splits.len() > 1 => self.merged(&run.reading, group, order, partition, &context)?,
            _ => {
                let rows = Arc::clone(&run.reading).rows(group);
                Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), rows))
            }
        };
        // A look-up is over with its first batch, and needs no task to read on.
        let mut come: Vec<Result<RecordBatch>> = rows.next().await.into_iter().collect();
        let mut is_over = !matches!(come.last(), Some(Ok(_)));
        if !is_over && let Some(next) = rows.next().now_or_never() {
            is_over = !matches!(next, Some(Ok(_)));
            come.extend(next);
        }
        let schema = Arc::clone(&self.schema);
        if is_over {
            return Ok(Box::pin(RecordBatchStreamAdapter::new(schema, stream::iter(come))));
        }
        let mut ahead = RecordBatchReceiverStream::builder(Arc::clone(&schema), READ_AHEAD);
        let sender = ahead.tx();
        ahead.spawn(async move {
            while let Some(batch) = rows.try_next().await? {
                if sender.send(Ok(batch)).await.is_err() {
                    break;
                }
            }
            Ok(())
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, stream::iter(come).chain(ahead.build()))))
    }

    /// The rows of a group in order: its splits' merged.
    fn merged(
        &self,
        reading: &Arc<Reading>,
        group: Group,
        order: &LexOrdering,
        partition: usize,
        context: &TaskContext,
    ) -> Result<SendableRecordBatchStream> {
        let streams = group.splits.into_iter().map(|split| -> SendableRecordBatchStream {
            Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), reading.split(split)))
        });
        let reservation = MemoryConsumer::new(format!("ForeignScanExec[{partition}]")).register(context.memory_pool());
        StreamingMergeBuilder::new()
            .with_streams(streams.collect())
            .with_schema(Arc::clone(&self.schema))
            .with_expressions(order)
            .with_batch_size(context.session_config().batch_size())
            .with_fetch(self.request.limit)
            .with_metrics(BaselineMetrics::new(&ExecutionPlanMetricsSet::new(), partition))
            .with_reservation(reservation)
            .build()
    }
}

/// Adds what reading cost to the counters of its operator.
pub(super) fn note(measures: &Measures, metrics: &mut MetricsSet) {
    let Measures { requests, retries, rows_examined, bytes, capacity_milliunits, .. } = measures;
    let counters = [
        ("requests", requests),
        ("retries", retries),
        ("rows_examined", rows_examined),
        ("bytes_scanned", bytes),
        ("capacity_milliunits", capacity_milliunits),
    ];
    for (name, counter) in counters {
        let count = Count::new();
        count.add(usize::try_from(counter.load(Ordering::Relaxed)).unwrap_or(usize::MAX));
        metrics.push(Arc::new(Metric::new(MetricValue::Count { name: name.into(), count }, None)));
    }
}

fn properties(schema: &SchemaRef, order: Option<&LexOrdering>, partitions: usize) -> PlanProperties {
    let mut equivalences = EquivalenceProperties::new(Arc::clone(schema));
    if let Some(order) = order {
        equivalences.add_ordering(order.iter().cloned());
    }
    let partitioning = Partitioning::UnknownPartitioning(partitions);
    PlanProperties::new(equivalences, partitioning, EmissionType::Incremental, Boundedness::Bounded)
        .with_scheduling_type(SchedulingType::Cooperative)
}

impl DisplayAs for ForeignScanExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns: Vec<&str> = self.schema.fields().iter().map(|field| field.name().as_str()).collect();
        write!(f, "ForeignScanExec: {}, columns=[{}]", self.table.title(), columns.join(", "))?;
        if let Some(limit) = self.request.limit {
            write!(f, ", limit={limit}")?;
        }
        if let Some(order) = &self.ordering {
            write!(f, ", order=[{order}]")?;
        }
        write!(f, ", splits={}, remote={}", self.splits(), self.remote())
    }
}

impl ExecutionPlan for ForeignScanExec {
    fn name(&self) -> &'static str {
        "ForeignScanExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        apply_expression_roots(&self.found, f)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn replace_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let rows = stream::once(self.clone().read(partition, context)).try_flatten();
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let counted = rows.map(move |batch| batch.record_output(&metrics));
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), counted)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        let mut metrics = self.metrics.clone_inner();
        note(&self.measures, &mut metrics);
        Some(metrics)
    }

    fn reset_state(self: Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(self.with_request(self.request.clone())))
    }

    fn handle_child_pushdown_result(
        &self,
        phase: FilterPushdownPhase,
        result: ChildPushdownResult,
        _: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        let filters = result.parent_filters.iter().map(|filter| &filter.filter);
        let is_found =
            |filter: &&Arc<dyn PhysicalExpr>| DynamicFilterTracking::classify(filter).contains_dynamic_filter();
        let found: Vec<_> = filters.filter(is_found).cloned().collect();
        let answer = FilterPushdownPropagation::all_unsupported(result);
        if phase != FilterPushdownPhase::Post || found.is_empty() {
            return Ok(answer);
        }
        let mut narrowed = self.with_request(self.request.clone());
        narrowed.found.extend(found);
        Ok(answer.with_updated_node(Arc::new(narrowed)))
    }

    fn statistics_from_inputs(&self, _: &[Arc<Statistics>], args: &StatisticsArgs) -> Result<Arc<Statistics>> {
        let mut statistics = Statistics::new_unknown(&self.schema);
        if let Some(rows) = self.table.rows {
            let conditions = i32::try_from(self.request.predicates.len()).unwrap_or(i32::MAX);
            let passing = (rows as f64 * PASSES.powi(conditions)).ceil() as usize;
            let passing = self.request.limit.map_or(passing, |limit| passing.min(limit));
            let share = if args.partition().is_some() { passing.div_ceil(self.groups.len()) } else { passing };
            statistics.num_rows = Precision::Inexact(share);
        }
        Ok(Arc::new(statistics))
    }

    fn with_fetch(&self, limit: Option<usize>) -> Option<Arc<dyn ExecutionPlan>> {
        Some(Arc::new(self.with_request(ScanRequest { limit, ..self.request.clone() })))
    }

    fn fetch(&self) -> Option<usize> {
        self.request.limit
    }

    fn try_pushdown_sort(&self, order: &[PhysicalSortExpr]) -> Result<SortOrderPushdownResult<Arc<dyn ExecutionPlan>>> {
        // The rows that a limit leaves must not become others.
        let wanted = if self.request.limit.is_none() { self.orders(order) } else { None };
        let (Some(wanted), Some(ordering)) = (wanted, LexOrdering::new(order.iter().cloned())) else {
            return Ok(SortOrderPushdownResult::Unsupported);
        };
        let waits = self.groups.iter().any(|group| group.splits.iter().any(|split| !split.after.is_empty()));
        if waits || !self.table.connector().orders_request(&self.request, &wanted) {
            return Ok(SortOrderPushdownResult::Unsupported);
        }
        let mut ordered = self.with_request(ScanRequest { order: wanted, ..self.request.clone() });
        ordered.properties = Arc::new(properties(&self.schema, Some(&ordering), self.groups.len()));
        ordered.ordering = Some(ordering);
        Ok(SortOrderPushdownResult::Exact { inner: Arc::new(ordered) })
    }
}
