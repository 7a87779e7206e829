//! What a join promises over all its parts: the order of its probe side, its limit, and NOT IN's way with NULL.

use super::memory::Env;
use super::split::Split;
use super::template::numbered;
use crate::physical::forward::Plan;
use crate::physical::handed::HandedExec;
use crate::physical::rooms::in_rooms;
use arrow::array::UInt64Array;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::common::internal_datafusion_err;
use datafusion::error::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalExprRef, PhysicalSortExpr};
use datafusion::physical_plan::limit::LimitStream;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet};
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, TryStreamExt};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What was seen of the probe side of a join that decides `x NOT IN (…)`, in all its partitions.
///
/// Such a join gives rows of its build side only, by whichever partition is the last to be through with a part; by then
/// all have written all their rows, so that this is known.
#[derive(Debug, Default)]
pub(super) struct NullsSeen {
    rows: AtomicBool,
    nulls: AtomicBool,
}

impl NullsSeen {
    fn see(&self, batch: &RecordBatch, key: &PhysicalExprRef) -> Result<()> {
        if batch.num_rows() > 0 {
            self.rows.store(true, Ordering::Relaxed);
            let key = key.evaluate(batch)?.into_array(batch.num_rows())?;
            if key.null_count() > 0 {
                self.nulls.store(true, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// Whether rows that met none are in the result: none where there is a NULL, and those whose own key is NULL only
    /// where there is no row.
    pub(super) fn keeps(&self, null_key: bool) -> bool {
        !(self.nulls.load(Ordering::Relaxed) || null_key && self.rows.load(Ordering::Relaxed))
    }
}

/// Stands around the parts of a join.
pub(super) struct Outer {
    pub(super) env: Arc<Env>,
    pub(super) schema: SchemaRef,
    pub(super) probe_key: PhysicalExprRef,
    pub(super) fetch: Option<usize>,
    /// Whether the order of the probe side is that of the result; its rows are numbered then.
    pub(super) ordered: bool,
    pub(super) metrics: ExecutionPlanMetricsSet,
}

impl Outer {
    /// The result of a partition of the plan, which is partition `output` of the split join.
    pub(super) fn run(
        &self,
        partition: usize,
        output: usize,
        split: &Arc<Split>,
        probe: SendableRecordBatchStream,
    ) -> Result<SendableRecordBatchStream> {
        let probe = self.seen(probe);
        let rows = if self.ordered {
            let rows = Arc::clone(split).run(output, number(probe));
            self.in_order(rows)?
        } else {
            Arc::clone(split).run(output, probe)
        };
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        Ok(Box::pin(LimitStream::new(rows, 0, self.fetch, metrics)))
    }

    fn seen(&self, probe: SendableRecordBatchStream) -> SendableRecordBatchStream {
        let Some(seen) = self.env.nulls.clone() else { return probe };
        let (schema, key) = (probe.schema(), Arc::clone(&self.probe_key));
        let rows = probe.map(move |batch| {
            let batch = batch?;
            seen.see(&batch, &key)?;
            Ok(batch)
        });
        Box::pin(RecordBatchStreamAdapter::new(schema, rows))
    }

    /// Rows sorted by the number in their last column, and without it. The order of the rows is thus whatever it was, by
    /// all expressions and not only by those that the plan knows.
    fn in_order(&self, rows: SendableRecordBatchStream) -> Result<SendableRecordBatchStream> {
        let columns = self.schema.fields().len();
        let numbers = Arc::new(Column::new(rows.schema().field(columns).name(), columns));
        let order = LexOrdering::new([PhysicalSortExpr::new_default(numbers)])
            .ok_or_else(|| internal_datafusion_err!("there is no order by a number"))?;
        let input = HandedExec::new(rows.schema(), 1);
        input.hand(0, rows);
        let sort: Plan = Arc::new(SortExec::new(order, Arc::new(input)));
        // Of the sorts of several partitions none may take what the others need.
        let sorted = in_rooms(&sort)?.unwrap_or(sort).execute(0, Arc::clone(&self.env.task))?;
        let wanted: Vec<_> = (0..columns).collect();
        let schema = Arc::clone(&self.schema);
        let rows = sorted.map(move |batch| Ok(batch?.project(&wanted)?.with_schema(Arc::clone(&schema))?));
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), rows)))
    }
}

/// Rows with their numbers in a last column.
fn number(rows: SendableRecordBatchStream) -> SendableRecordBatchStream {
    let schema = numbered(&rows.schema());
    let (given, mut next) = (Arc::clone(&schema), 0);
    let rows = rows.and_then(move |batch| {
        let numbers = UInt64Array::from_iter_values(next..next + batch.num_rows() as u64);
        next += batch.num_rows() as u64;
        let columns = batch.columns().iter().cloned().chain([Arc::new(numbers) as _]).collect();
        std::future::ready(RecordBatch::try_new(Arc::clone(&given), columns).map_err(Into::into))
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, rows))
}
