//! From rows in any order to streams of which each holds one group of buckets, in the order of the sort key.
//!
//! Few rows are one stream without a bucket, since a small write must not make a file for each slice; a scan that wants
//! buckets takes small files apart itself. More rows are dealt to the slices: by the hash of the distribution key, else
//! by ranges of the sort key, else as they come. A key of one column of numbers is sorted by [`Sort`], others by DataFusion's
//! sort; both spill.

use super::buckets::{HASH_VERSION, bucket_numbers, group_count};
use super::budget::with_share;
use super::curve::Curve;
use super::deal::{Held, deal};
use super::head::Head;
use super::keys::{Keys, SortColumns, ordering};
use super::narrow::Narrow;
use super::number::NumberKey;
use super::ranges::Ranges;
use super::sort::Sort;
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
            let dealt = sorter.dealt_by_hash(head.into_streams(), at, groups)?;
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
            let sorter = Sorter { curve: None, order: None, held: None, schema: dealt.schema() };
            sorter.output(dealt, &layout, false, context)
        }
        (None, sort) => {
            let sorter = Sorter::of(&head, &schema, sort)?;
            let sample = head.batches().map(|batch| sorter.with_place(batch)).collect::<Result<Vec<_>>>()?;
            let by = sorter.order_columns();
            let ranges = Ranges::of(sample.iter(), sorter.sorted_schema(), &by, slices)?;
            let (streams, count) = (sorter.streams(head.into_streams()), ranges.count());
            let range_of = move |batch: &RecordBatch| ranges.of_rows(batch);
            let dealt = deal(sorter.sorted_schema(), streams, count, sorter.held.as_ref(), range_of);
            sorter.output(Arc::new(sorter.dealt(dealt)), &layout, false, context)
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
    /// Where the order is one of numbers, how rows are held to be sorted.
    held: Option<Held>,
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
        let mut sorter = Self { curve, order, held: None, schema: Arc::clone(schema) };
        let (sorted, by) = (sorter.sorted_schema(), sorter.order_columns());
        sorter.held = NumberKey::of(sorted, &by).map(|key| Held { key, columns: Narrow::of(sorted) });
        Ok(sorter)
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

    /// The rows dealt by the hash of a column.
    fn dealt_by_hash(
        &self,
        streams: Vec<SendableRecordBatchStream>,
        column: usize,
        groups: u32,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (schema, streams) = (self.sorted_schema(), self.streams(streams));
        if self.held.is_none() {
            let input = Arc::new(StreamsExec::new(Arc::clone(schema), streams));
            let key = Arc::new(Column::new(schema.field(column).name(), column));
            return exchange(input, Partitioning::Hash(vec![key], groups as usize));
        }
        let bucket_of = move |batch: &RecordBatch| bucket_numbers(batch.column(column), groups);
        Ok(Arc::new(self.dealt(deal(schema, streams, groups as usize, self.held.as_ref(), bucket_of))))
    }

    /// Rows that were dealt.
    fn dealt(&self, streams: Vec<SendableRecordBatchStream>) -> StreamsExec {
        let schema = self.held.as_ref().map_or(self.sorted_schema(), |held| held.columns.schema());
        StreamsExec::new(Arc::clone(schema), streams)
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
        let mut sort = None;
        let partitions = plan.output_partitioning().partition_count();
        if let Some(order) = &self.order {
            context = with_share(&context, partitions);
            match &self.held {
                Some(held) => sort = Some((Sort::new(held.key, order.clone(), &context), &held.columns)),
                None => plan = Arc::new(SortExec::new(order.clone(), plan).with_preserve_partitioning(true)),
            }
        }
        let arranged = (0..partitions).map(|partition| {
            let mut rows = plan.execute(partition, Arc::clone(&context))?;
            if let Some((sort, columns)) = &sort {
                rows = widened(sort.sorted(rows), columns);
            }
            let rows = self.without_place(rows);
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

/// Rows that were held, as they are stored.
fn widened(rows: SendableRecordBatchStream, columns: &Narrow) -> SendableRecordBatchStream {
    let (columns, schema) = (columns.clone(), Arc::clone(columns.wide()));
    let rows = rows.map(move |batch| columns.widen(&batch?));
    Box::pin(RecordBatchStreamAdapter::new(schema, rows))
}
