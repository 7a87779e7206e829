//! The operator: a partial aggregation into few groups.

use super::codes::{Coder, Codes};
use super::table::GroupTable;
use super::totals::{Totals, as_filter};
use crate::physical::decimal::CHUNK_ROWS;
use crate::physical::forward::{Around, AroundExec, Plan};
use arrow::array::{ArrayRef, UInt64Array};
use arrow::compute::{concat, take};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::common::internal_err;
use datafusion::error::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode, aggregate_expressions};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayFormatType, ExecutionPlan};
use futures::{StreamExt, stream};
use std::fmt;
use std::sync::Arc;

/// An [`AggregateExec`] in partial mode, run with a [`GroupTable`]. Its rows are the states of groups; a group may come
/// several times.
pub(in crate::physical) type SmallGroupsExec = AroundExec<InSmallGroups>;

/// Groups in the place of an aggregation.
#[derive(Debug)]
pub(in crate::physical) struct InSmallGroups {
    aggregate: Arc<AggregateExec>,
    metrics: ExecutionPlanMetricsSet,
}

impl InSmallGroups {
    pub(super) fn new(aggregate: AggregateExec) -> Self {
        Self { aggregate: Arc::new(aggregate), metrics: ExecutionPlanMetricsSet::default() }
    }
}

/// A suitable aggregation, done so.
pub(super) fn in_small_groups(aggregate: &AggregateExec) -> SmallGroupsExec {
    AroundExec::new(Arc::new(aggregate.clone()), InSmallGroups::new(aggregate.clone()))
}

impl Around for InSmallGroups {
    const NAME: &'static str = "SmallGroupsExec";

    /// Its rows are not what others expect of an aggregation's.
    const IS_FOUND: bool = false;

    fn again(&self, inner: &Plan) -> Result<Option<Self>> {
        match inner.downcast_ref::<AggregateExec>() {
            Some(aggregate) => Ok(Some(Self::new(aggregate.clone()))),
            None => internal_err!("an aggregation became something else"),
        }
    }

    fn execute(&self, inner: &Plan, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let input = inner.children()[0].execute(partition, Arc::clone(&context))?;
        let reservation = MemoryConsumer::new(format!("SmallGroupsExec[{partition}]")).register(context.memory_pool());
        let groups = Groups::new(&self.aggregate, reservation)?;
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let schema = self.aggregate.schema();
        let rows = stream::unfold((Some(input), groups, metrics), |(mut input, mut groups, metrics)| async move {
            let rows = input.as_mut()?;
            loop {
                let batch = rows.next().await;
                let timer = metrics.elapsed_compute().timer();
                let given = match batch {
                    Some(Ok(batch)) => match groups.take_in(&batch) {
                        Ok(None) => continue,
                        Ok(Some(states)) => Ok(states),
                        Err(error) => Err(error),
                    },
                    Some(Err(error)) => Err(error),
                    None => {
                        input = None;
                        groups.give()
                    }
                };
                timer.done();
                if given.is_err() {
                    input = None;
                }
                return Some((given.record_output(&metrics), (input, groups, metrics)));
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }

    fn metrics(&self, _inner: &Plan) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn maintains_input_order(&self, _inner: &Plan) -> Vec<bool> {
        vec![false]
    }

    fn fmt_as(&self, inner: &Plan, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SmallGroupsExec: ")?;
        inner.fmt_as(format, f)
    }
}

/// One aggregate function with its arguments.
pub(super) struct Function {
    pub(super) accumulator: Box<dyn GroupsAccumulator>,
    pub(super) arguments: Vec<Arc<dyn PhysicalExpr>>,
    pub(super) filter: Option<Arc<dyn PhysicalExpr>>,
}

/// The groups of one partition.
struct Groups {
    aggregate: Arc<AggregateExec>,
    schema: SchemaRef,
    keys: Vec<Arc<dyn PhysicalExpr>>,
    coders: Vec<Coder>,
    codes: Vec<Codes>,
    table: GroupTable,
    /// The group of each row of a batch.
    assigned: Vec<u16>,
    /// By key column, the values of the groups in order.
    values: Vec<Vec<ArrayRef>>,
    functions: Vec<Function>,
    totals: Totals,
    reservation: MemoryReservation,
}

impl Groups {
    fn new(aggregate: &Arc<AggregateExec>, reservation: MemoryReservation) -> Result<Self> {
        let keys: Vec<_> = aggregate.group_expr().expr().iter().map(|(key, _)| Arc::clone(key)).collect();
        let functions = functions(aggregate)?;
        Ok(Self {
            schema: aggregate.schema(),
            coders: keys.iter().map(|_| Coder::default()).collect(),
            codes: keys.iter().map(|_| Codes::default()).collect(),
            table: GroupTable::new(keys.len()),
            assigned: Vec::new(),
            values: vec![Vec::new(); keys.len()],
            totals: Totals::of(aggregate.aggr_expr(), &functions, &aggregate.input().schema())?,
            functions,
            keys,
            aggregate: Arc::clone(aggregate),
            reservation,
        })
    }

    /// Takes in rows; gives states when they became too many or too large.
    fn take_in(&mut self, batch: &RecordBatch) -> Result<Option<RecordBatch>> {
        let rows = batch.num_rows();
        let keys = self.keys.iter().map(|key| key.evaluate(batch)?.into_array(rows)).collect::<Result<Vec<_>>>()?;
        let mut new = Vec::new();
        self.assigned.clear();
        // Not all rows at once, so that codes stay in the first cache.
        for begin in (0..rows).step_by(CHUNK_ROWS) {
            let chunk = begin..rows.min(begin + CHUNK_ROWS);
            for ((coder, key), codes) in self.coders.iter_mut().zip(&keys).zip(&mut self.codes) {
                coder.codes(key, chunk.clone(), codes)?;
            }
            self.table.assign(&self.codes, &mut self.assigned, &mut new);
            if self.assigned.len() < chunk.end {
                break;
            }
        }
        let end = self.assigned.len();
        self.note(&keys, &new)?;
        if end == rows {
            self.update(batch)?;
            return self.check_size();
        }
        // The table is full: the rows up to there belong to it, the others begin another one.
        self.update(&batch.slice(0, end))?;
        let mut given = vec![self.give()?];
        given.extend(self.take_in(&batch.slice(end, rows - end))?);
        Ok(Some(arrow::compute::concat_batches(&self.schema, &given)?))
    }

    /// Keeps the key values of new groups.
    fn note(&mut self, keys: &[ArrayRef], new: &[usize]) -> Result<()> {
        if new.is_empty() {
            return Ok(());
        }
        let rows = UInt64Array::from_iter_values(new.iter().map(|row| *row as u64));
        for (values, key) in self.values.iter_mut().zip(keys) {
            values.push(take(key, &rows, None)?);
        }
        Ok(())
    }

    fn update(&mut self, batch: &RecordBatch) -> Result<()> {
        let count = self.table.len();
        self.totals.take_in(batch, &self.assigned, count, &mut self.functions)?;
        let mut groups: Vec<usize> = Vec::new();
        for (at, function) in self.functions.iter_mut().enumerate() {
            if self.totals.does(at) {
                continue;
            }
            if groups.is_empty() {
                groups.extend(self.assigned.iter().map(|group| usize::from(*group)));
            }
            let evaluate = |argument: &Arc<dyn PhysicalExpr>| argument.evaluate(batch)?.into_array(batch.num_rows());
            let arguments = function.arguments.iter().map(evaluate).collect::<Result<Vec<_>>>()?;
            let filter = function.filter.as_ref().map(|filter| as_filter(filter, batch)).transpose()?;
            function.accumulator.update_batch(&arguments, &groups, filter.as_ref(), count)?;
        }
        Ok(())
    }

    /// Gives the states when there is no memory for them.
    fn check_size(&mut self) -> Result<Option<RecordBatch>> {
        let states: usize = self.functions.iter().map(|function| function.accumulator.size()).sum();
        let texts: usize = self.coders.iter().map(Coder::size).sum();
        match self.reservation.try_resize(states + texts + self.totals.size()) {
            Ok(()) => Ok(None),
            Err(_) => self.give().map(Some),
        }
    }

    /// The states of all groups; there are none afterwards.
    fn give(&mut self) -> Result<RecordBatch> {
        let mut columns = Vec::with_capacity(self.schema.fields().len());
        if self.table.len() == 0 {
            return Ok(RecordBatch::new_empty(Arc::clone(&self.schema)));
        }
        for values in &self.values {
            let parts: Vec<_> = values.iter().map(AsRef::as_ref).collect();
            columns.push(concat(&parts)?);
        }
        self.totals.give(self.table.len(), &mut self.functions)?;
        for function in &mut self.functions {
            columns.extend(function.accumulator.state(EmitTo::All)?);
        }
        let states = RecordBatch::try_new(Arc::clone(&self.schema), columns)?;
        self.functions = functions(&self.aggregate)?;
        self.table = GroupTable::new(self.keys.len());
        self.values.iter_mut().for_each(Vec::clear);
        self.coders.iter_mut().for_each(|coder| *coder = Coder::default());
        self.reservation.free();
        Ok(states)
    }
}

/// The functions of an aggregation, which have seen nothing.
pub(super) fn functions(aggregate: &AggregateExec) -> Result<Vec<Function>> {
    let arguments = aggregate_expressions(aggregate.aggr_expr(), &AggregateMode::Partial, 0)?;
    let parts = aggregate.aggr_expr().iter().zip(arguments).zip(aggregate.filter_expr());
    let function = |((function, arguments), filter): (
        (&Arc<datafusion::physical_expr::aggregate::AggregateFunctionExpr>, _),
        &Option<Arc<dyn PhysicalExpr>>,
    )| {
        Ok(Function { accumulator: function.create_groups_accumulator()?, arguments, filter: filter.clone() })
    };
    parts.map(function).collect()
}
