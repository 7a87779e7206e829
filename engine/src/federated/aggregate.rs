//! The operator that takes aggregates from a foreign system instead of rows.
//!
//! It stands in the place of a partial aggregation over a scan and gives what that would: the states of its functions,
//! which the final aggregation makes results of, so that types and rules of functions are its own. Whether the system's
//! answer is exact is known when it is there; if it is not, the rows are read and aggregated here after all.

use super::scan::ForeignScanExec;
use super::table::ForeignTable;
use super::value::is_lossless;
use crate::error::Error;
use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::{DataType, FieldRef, Schema};
use datafusion::arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_expr::expressions::{CastExpr, Column, Literal};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, SchedulingType, reset_plan_states};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, ExecutionPlanMetricsSet, Metric, MetricValue, MetricsSet, RecordOutput,
};
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
    Statistics,
};
use futures::{StreamExt, TryStreamExt, stream};
use millrace_connectors::{Aggregate, AggregateRequest, Measures, SUPER_METADATA, ScanRequest};
use std::fmt;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// Aggregates that a foreign system computes.
#[derive(Debug, Clone)]
pub(crate) struct ForeignAggregateExec {
    table: Arc<ForeignTable>,
    request: Arc<AggregateRequest>,
    /// The aggregation over rows whose place this has.
    over_rows: Arc<AggregateExec>,
    /// Which column of the answer each of our columns is.
    places: Arc<[usize]>,
    answer: Arc<OnceCell<Option<RecordBatch>>>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
    measures: Arc<Measures>,
}

impl ForeignAggregateExec {
    /// What may stand in the place of a partial aggregation; `None` where its system does not compute it.
    pub(crate) fn of(aggregate: &AggregateExec) -> Option<Self> {
        let is_plain = *aggregate.mode() == AggregateMode::Partial
            && (aggregate.group_expr().is_single() || aggregate.group_expr().is_empty())
            && aggregate.limit_options().is_none()
            && aggregate.filter_expr().iter().all(Option::is_none);
        let scan = aggregate.input().downcast_ref::<ForeignScanExec>().filter(|_| is_plain)?;
        let table = scan.shared_table();
        let rows = ScanRequest { columns: Vec::new(), ..scan.request()? };
        let seen = scan.schema();
        let mut places = Vec::new();
        let mut groups = Vec::new();
        for (key, _) in aggregate.group_expr().expr() {
            let (name, field) = column(key, &seen, &table)?;
            if field.metadata().contains_key(SUPER_METADATA) {
                return None;
            }
            places.push(groups.len());
            groups.push(name.to_owned());
        }
        let mut states = aggregate.schema().fields().iter().skip(groups.len()).cloned().collect::<Vec<_>>().into_iter();
        let mut aggregates: Vec<Aggregate> = Vec::new();
        for function in aggregate.aggr_expr() {
            for (computed, state) in computed(function, &seen, &table)?.into_iter().zip(states.by_ref()) {
                if !is_state(&computed, state.data_type()) {
                    return None;
                }
                let at = aggregates.iter().position(|known| *known == computed).unwrap_or(aggregates.len());
                if at == aggregates.len() {
                    aggregates.push(computed);
                }
                places.push(groups.len() + at);
            }
        }
        let request = AggregateRequest { rows, groups, aggregates };
        let is_whole = states.next().is_none() && places.len() == aggregate.schema().fields().len();
        if !is_whole || !table.connector().aggregates(&request) {
            return None;
        }
        let partitions = aggregate.properties().output_partitioning().partition_count();
        let properties = PlanProperties::new(
            EquivalenceProperties::new(aggregate.schema()),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Final,
            Boundedness::Bounded,
        )
        .with_scheduling_type(SchedulingType::Cooperative);
        Some(Self {
            table,
            request: Arc::new(request),
            over_rows: Arc::new(aggregate.clone()),
            places: places.into(),
            answer: Arc::default(),
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
            measures: Arc::default(),
        })
    }

    /// The aggregation over rows whose place this has.
    pub(crate) fn over_rows(&self) -> &AggregateExec {
        &self.over_rows
    }

    /// The table.
    pub(crate) fn table(&self) -> &ForeignTable {
        &self.table
    }

    /// What the system is asked, or was, in a line.
    pub(crate) fn remote(&self) -> String {
        let asked = self.table.connector().describe_aggregates(&self.request);
        match self.answer.get() {
            Some(None) => format!("{asked}: not taken, all rows were read"),
            _ => asked,
        }
    }

    /// The system's answer; `None` when it is not taken, and the rows are read instead.
    async fn answer(&self) -> Result<Option<&RecordBatch>> {
        let ask = || async {
            let asked = self.table.connector().aggregate(&self.request, &self.measures).await;
            match asked.map_err(Error::from)? {
                Some(answer) => self.states(&answer).map(Some),
                None => Ok(None),
            }
        };
        self.answer.get_or_try_init(ask).await.map(Option::as_ref)
    }

    /// The answer as the states of our functions.
    fn states(&self, answer: &RecordBatch) -> Result<RecordBatch> {
        let schema = self.schema();
        let wrong = || Error::internal(format!("\"{}\" gave other aggregates than were asked for", self.table.name));
        let options = CastOptions { safe: false, ..CastOptions::default() };
        let column = |(place, field): (&usize, &FieldRef)| -> Result<ArrayRef> {
            let column = answer.columns().get(*place).ok_or_else(wrong)?;
            Ok(cast_with_options(column, field.data_type(), &options)?)
        };
        let columns = self.places.iter().zip(schema.fields()).map(column).collect::<Result<Vec<_>>>()?;
        let rows = RecordBatchOptions::new().with_row_count(Some(answer.num_rows()));
        Ok(RecordBatch::try_new_with_options(schema, columns, &rows)?)
    }

    /// A partition: the first has the answer. All have their rows when there is none.
    async fn read(self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let Some(answer) = self.answer().await?.cloned() else {
            return self.over_rows.execute(partition, context);
        };
        let own = (partition == 0).then_some(Ok(answer));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), stream::iter(own))))
    }
}

/// The table's column that a value is.
fn column<'a>(
    value: &Arc<dyn PhysicalExpr>,
    seen: &Schema,
    table: &'a ForeignTable,
) -> Option<(&'a str, &'a FieldRef)> {
    let column = value.downcast_ref::<Column>()?;
    table.column(seen.fields().get(column.index())?.name())
}

/// The table's column that a value is when it is cast to a type that has all of its values.
fn number<'a>(value: &Arc<dyn PhysicalExpr>, seen: &Schema, table: &'a ForeignTable) -> Option<&'a str> {
    let Some(cast) = value.downcast_ref::<CastExpr>() else {
        return column(value, seen, table).map(|(name, _)| name);
    };
    let (name, field) = column(cast.expr(), seen, table)?;
    is_lossless(field.data_type(), cast.cast_type()).then_some(name)
}

/// What a function's states are; `None` for functions that systems do not compute.
fn computed(function: &AggregateFunctionExpr, seen: &Schema, table: &ForeignTable) -> Option<Vec<Aggregate>> {
    let arguments = function.expressions();
    if function.is_distinct() || !function.order_bys().is_empty() {
        return None;
    }
    let [argument] = arguments.as_slice() else { return None };
    let whole = || {
        let name = number(argument, seen, table)?.to_owned();
        let is_whole = table.system_column(&name).is_some_and(|field| field.data_type().is_integer());
        is_whole.then_some(name)
    };
    Some(match function.fun().name() {
        "count" if argument.downcast_ref::<Literal>().is_some_and(|literal| !literal.value().is_null()) => {
            vec![Aggregate::Rows]
        }
        "count" => vec![Aggregate::Values(column(argument, seen, table)?.0.to_owned())],
        "min" => vec![Aggregate::Min(column(argument, seen, table)?.0.to_owned())],
        "max" => vec![Aggregate::Max(column(argument, seen, table)?.0.to_owned())],
        "SUM" => vec![Aggregate::Sum(whole()?)],
        "avg" => {
            let name = whole()?;
            vec![Aggregate::Values(name.clone()), Aggregate::Sum(name)]
        }
        _ => return None,
    })
}

/// Whether a state is of the type that a computed value can be had in: counts are whole numbers, sums exact.
fn is_state(computed: &Aggregate, state: &DataType) -> bool {
    match computed {
        Aggregate::Rows | Aggregate::Values(_) => matches!(state, DataType::Int64 | DataType::UInt64),
        Aggregate::Sum(_) => matches!(state, DataType::Int64 | DataType::Float64 | DataType::Decimal128(_, 0)),
        Aggregate::Min(_) | Aggregate::Max(_) => true,
    }
}

impl DisplayAs for ForeignAggregateExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ForeignAggregateExec: {}, remote={}", self.table.title(), self.remote())
    }
}

impl ExecutionPlan for ForeignAggregateExec {
    fn name(&self) -> &'static str {
        "ForeignAggregateExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
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
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), counted)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        let mut metrics = self.metrics.clone_inner();
        super::scan::note(&self.measures, &mut metrics);
        if matches!(self.answer.get(), Some(None)) {
            // What the scan below cost.
            let below = self.over_rows.input().metrics().unwrap_or_default();
            let is_cost = |metric: &&Arc<Metric>| matches!(metric.value(), MetricValue::Count { .. });
            below.iter().filter(is_cost).cloned().for_each(|metric| metrics.push(metric));
        }
        Some(metrics)
    }

    fn reset_state(self: Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        let rows: Arc<dyn ExecutionPlan> = Arc::clone(&self.over_rows) as _;
        let rows = reset_plan_states(rows)?;
        let over_rows = rows.downcast_ref::<AggregateExec>().cloned().map(Arc::new);
        let over_rows = over_rows.ok_or_else(|| Error::internal("an aggregation that was reset is none"))?;
        let (answer, metrics, measures) = (Arc::default(), ExecutionPlanMetricsSet::new(), Arc::default());
        Ok(Arc::new(Self { over_rows, answer, metrics, measures, ..self.as_ref().clone() }))
    }

    fn statistics_from_inputs(&self, _: &[Arc<Statistics>], _: &StatisticsArgs) -> Result<Arc<Statistics>> {
        Ok(Arc::new(Statistics::new_unknown(&self.schema())))
    }
}
