//! From rows in any order to streams of which each holds one group of buckets, in the order of the sort key.
//!
//! Few rows are one stream without a bucket, since a small write must not make a file for each slice; a scan that wants
//! buckets takes small files apart itself. More rows are dealt to the slices: by the hash of the distribution key, else
//! by ranges of the sort key, else as they come. Sorting is DataFusion's, which spills.

use super::buckets::{HASH_VERSION, group_count};
use super::budget::with_share;
use super::curve::Curve;
use super::head::Head;
use super::keys::{Keys, SortColumns, ordering};
use super::ranges::Ranges;
use super::streams::StreamsExec;
use crate::error::{Error, Result};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::LexOrdering;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, Partitioning};
use futures::StreamExt;
use millrace_catalog::model::{DistributionStyle, FileLayout, ManagedTable, SortKey};
use std::sync::Arc;

/// Rows of each stream that are looked at first.
const SAMPLE_ROWS: usize = 16 * 1024;

/// Rows for which a file of their own is worth while.
const ROWS_OF_GROUP: usize = 64 * 1024;

/// A stream of rows for files, with what is true of them.
pub struct Arranged {
    /// The rows, in the table's columns.
    pub rows: SendableRecordBatchStream,
    /// The bucket of all rows, of `layout.buckets`.
    pub bucket: Option<u32>,
    /// Whether the rows are in the order of `layout.sort_key`.
    pub sorted: bool,
    /// What they were arranged by.
    pub layout: FileLayout,
}

impl Arranged {
    /// Rows in no order.
    pub fn as_given(rows: SendableRecordBatchStream) -> Self {
        Self { rows, bucket: None, sorted: false, layout: FileLayout::default() }
    }
}

/// Arranges rows by a distribution style (for AUTO the one in effect, [`super::effective_style`]) and by the table's
/// sort key. The streams are to be read at the same time, each by a task: a sort or an exchange that feeds one of them
/// waits for the others. Those without rows are given too. Must run within a runtime.
///
/// # Errors
/// What reading the first rows says; `InternalError` when the streams do not give the table's columns.
pub async fn arrange(
    table: &ManagedTable,
    style: &DistributionStyle,
    streams: Vec<SendableRecordBatchStream>,
    context: &Arc<TaskContext>,
) -> Result<Vec<Arranged>> {
    let Some(schema) = streams.first().map(|stream| stream.schema()) else { return Ok(Vec::new()) };
    if schema.fields().len() != table.columns.len() {
        return Err(Error::internal(format!("the rows of table \"{}\" do not have its columns", table.name)));
    }
    let keys = Keys::of(table, style)?;
    let head = Head::read(streams, SAMPLE_ROWS).await?;
    let slices = slices(&head, context.session_config().target_partitions());
    let layout = FileLayout {
        sort_key: if keys.sort == SortColumns::None { SortKey::None } else { table.attributes.effective_sort_key() },
        ..FileLayout::default()
    };
    match (keys.distribution, &keys.sort) {
        (Some((at, column)), sort) => {
            let groups = group_count(slices, table.attributes.buckets);
            let layout =
                FileLayout { distribution_column: Some(column), buckets: groups, hash_version: HASH_VERSION, ..layout };
            let sorter = Sorter::of(&head, &schema, sort)?;
            let input = sorter.input(head.into_streams());
            let key = Arc::new(Column::new(schema.field(at).name(), at));
            let dealt = exchange(input, Partitioning::Hash(vec![key], groups as usize))?;
            let whole = groups == 1;
            let layout = if whole { FileLayout { sort_key: layout.sort_key, ..FileLayout::default() } } else { layout };
            sorter.output(dealt, &layout, !whole, context)
        }
        (None, SortColumns::None) => {
            // One source of many rows is encoded by all slices.
            if head.is_all() || head.width() >= slices {
                return Ok(head.into_streams().into_iter().map(Arranged::as_given).collect());
            }
            let input = Arc::new(StreamsExec::new(schema, head.into_streams()));
            let dealt = exchange(input, Partitioning::RoundRobinBatch(slices))?;
            let sorter = Sorter { curve: None, order: None, schema: dealt.schema() };
            sorter.output(dealt, &layout, false, context)
        }
        (None, sort) => {
            let sorter = Sorter::of(&head, &schema, sort)?;
            let sample = head.batches().map(|batch| sorter.with_place(batch)).collect::<Result<Vec<_>>>()?;
            let by = sorter.order_columns();
            let ranges = Ranges::of(sample.iter(), sorter.sorted_schema(), &by, slices)?;
            let streams = sorter.streams(head.into_streams());
            let dealt = ranges.deal(sorter.sorted_schema(), streams);
            let input = Arc::new(StreamsExec::new(Arc::clone(sorter.sorted_schema()), dealt));
            sorter.output(input, &layout, false, context)
        }
    }
}

/// How many slices write: one for few rows.
fn slices(head: &Head, partitions: usize) -> usize {
    if head.is_all() { (head.row_count() / ROWS_OF_GROUP + 1).min(partitions).max(1) } else { partitions.max(1) }
}

fn exchange(input: Arc<dyn ExecutionPlan>, partitioning: Partitioning) -> Result<Arc<dyn ExecutionPlan>> {
    Ok(Arc::new(RepartitionExec::try_new(input, partitioning)?))
}

/// Sorts by a key, adding and removing the place on a curve where the key needs one.
struct Sorter {
    curve: Option<Arc<Curve>>,
    order: Option<LexOrdering>,
    /// The table's columns.
    schema: SchemaRef,
}

impl Sorter {
    fn of(head: &Head, schema: &SchemaRef, sort: &SortColumns) -> Result<Self> {
        let (curve, order) = match sort {
            SortColumns::None => (None, None),
            SortColumns::Compound(columns) => {
                (None, ordering(columns.iter().map(|at| (*at, schema.field(*at).name().as_str()))))
            }
            SortColumns::Interleaved(columns) => {
                let sample: Vec<RecordBatch> = head.batches().cloned().collect();
                let curve = Curve::of(&sample, schema, columns)?;
                let place = curve.schema().fields().len() - 1;
                let order = ordering([(place, curve.schema().field(place).name().as_str())]);
                (Some(Arc::new(curve)), order)
            }
        };
        Ok(Self { curve, order, schema: Arc::clone(schema) })
    }

    /// The schema of the rows while they are sorted.
    fn sorted_schema(&self) -> &SchemaRef {
        self.curve.as_ref().map_or(&self.schema, |curve| curve.schema())
    }

    fn order_columns(&self) -> Vec<usize> {
        let columns = self.order.iter().flatten().filter_map(|by| by.expr.downcast_ref::<Column>());
        columns.map(Column::index).collect()
    }

    fn with_place(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        match &self.curve {
            Some(curve) => Ok(curve.add_place(batch)?),
            None => Ok(batch.clone()),
        }
    }

    fn streams(&self, streams: Vec<SendableRecordBatchStream>) -> Vec<SendableRecordBatchStream> {
        let Some(curve) = &self.curve else { return streams };
        let placed = streams.into_iter().map(|stream| {
            let (of, schema) = (Arc::clone(curve), Arc::clone(curve.schema()));
            let rows = stream.map(move |batch| of.add_place(&batch?));
            Box::pin(RecordBatchStreamAdapter::new(schema, rows)) as SendableRecordBatchStream
        });
        placed.collect()
    }

    fn input(&self, streams: Vec<SendableRecordBatchStream>) -> Arc<dyn ExecutionPlan> {
        Arc::new(StreamsExec::new(Arc::clone(self.sorted_schema()), self.streams(streams)))
    }

    /// Each partition of the plan, sorted; with `bucketed` the partition's number is its bucket.
    fn output(
        &self,
        mut plan: Arc<dyn ExecutionPlan>,
        layout: &FileLayout,
        bucketed: bool,
        context: &Arc<TaskContext>,
    ) -> Result<Vec<Arranged>> {
        let mut context = Arc::clone(context);
        if let Some(order) = &self.order {
            context = with_share(&context, plan.output_partitioning().partition_count());
            plan = Arc::new(SortExec::new(order.clone(), plan).with_preserve_partitioning(true));
        }
        let partitions = plan.output_partitioning().partition_count();
        let arranged = (0..partitions).map(|partition| {
            let rows = self.without_place(plan.execute(partition, Arc::clone(&context))?);
            let bucket = bucketed.then_some(partition as u32);
            Ok(Arranged { rows, bucket, sorted: self.order.is_some(), layout: layout.clone() })
        });
        arranged.collect()
    }

    fn without_place(&self, stream: SendableRecordBatchStream) -> SendableRecordBatchStream {
        if self.curve.is_none() {
            return stream;
        }
        let kept: Vec<usize> = (0..self.schema.fields().len()).collect();
        let rows = stream.map(move |batch| Ok(batch?.project(&kept)?));
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), rows))
    }
}
