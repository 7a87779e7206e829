//! Windows whose rows are counted.
//!
//! DataFusion's window operators keep the rows of a partition, or all rows, and ask for no memory: one large partition
//! takes what there is and more. Here what they keep is held as memory of the statement: the rows that went in and did
//! not come out yet. What is too much ends with an error (53200).

use super::forward::{Around, AroundExec, Plan};
use super::handed::HandedExec;
use super::memory::own_bytes;
use super::rooms::{Need, enter};
use arrow::record_batch::RecordBatch;
use datafusion::common::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};
use futures::StreamExt;
use std::sync::{Arc, Mutex, PoisonError};

/// Puts [`CountedWindow`] around windows.
#[derive(Debug, Default)]
pub(super) struct CountedWindows;

impl PhysicalOptimizerRule for CountedWindows {
    fn optimize(&self, plan: Plan, _config: &ConfigOptions) -> Result<Plan> {
        AroundExec::put(plan, CountedWindow::of)
    }

    fn name(&self) -> &'static str {
        "counted_windows"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// A window operator whose rows are counted. Whoever looks for one in the plan finds it here.
#[derive(Debug)]
struct CountedWindow {
    /// The operator as it is run: over rows that it is handed.
    run: Plan,
    input: Arc<HandedExec>,
    /// Whether it makes one batch of all its rows, which are there twice then.
    at_once: bool,
}

impl CountedWindow {
    fn of(plan: &Plan) -> Result<Option<Self>> {
        let at_once = plan.is::<WindowAggExec>();
        if !at_once && !plan.is::<BoundedWindowAggExec>() {
            return Ok(None);
        }
        let (run, input) = HandedExec::below(plan)?;
        Ok(Some(Self { run, input, at_once }))
    }
}

impl Around for CountedWindow {
    const NAME: &'static str = "CountedWindowExec";

    fn again(&self, inner: &Plan) -> Result<Option<Self>> {
        Self::of(inner)
    }

    fn execute(&self, inner: &Plan, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let rows = inner.children()[0].execute(partition, Arc::clone(&context))?;
        let name = format!("Window[{partition}]");
        let room = enter(&context, name.clone(), Need::Whole, &rows.schema());
        let pool = room.as_ref().map_or(context.memory_pool(), |(task, _)| task.memory_pool());
        let reservation = MemoryConsumer::new(name).register(pool);
        let copies = if self.at_once { 2 } else { 1 };
        let kept = Arc::new(Mutex::new(Kept { rows: 0, bytes_a_row: 0., copies, reservation }));
        let (going_in, schema) = (Arc::clone(&kept), rows.schema());
        let rows = rows.map(move |batch| {
            let batch = batch?;
            going_in.lock().unwrap_or_else(PoisonError::into_inner).add(&batch)?;
            Ok(batch)
        });
        self.input.hand(partition, Box::pin(RecordBatchStreamAdapter::new(schema, rows)));
        let given = self.run.execute(partition, context)?;
        let schema = given.schema();
        let given = given.inspect(move |batch| {
            if let Ok(batch) = batch {
                kept.lock().unwrap_or_else(PoisonError::into_inner).remove(batch.num_rows());
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, given)))
    }

    fn metrics(&self, _inner: &Plan) -> Option<MetricsSet> {
        self.run.metrics()
    }
}

/// Rows that a window keeps.
struct Kept {
    rows: usize,
    /// Of the rows that came last.
    bytes_a_row: f64,
    copies: usize,
    reservation: MemoryReservation,
}

impl Kept {
    fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() > 0 {
            self.bytes_a_row = own_bytes(batch) as f64 / batch.num_rows() as f64;
            self.rows += batch.num_rows();
        }
        self.reservation.try_resize(self.bytes())
    }

    fn remove(&mut self, rows: usize) {
        self.rows = self.rows.saturating_sub(rows);
        self.reservation.resize(self.bytes());
    }

    fn bytes(&self) -> usize {
        (self.rows as f64 * self.bytes_a_row) as usize * self.copies
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array, StringViewArray};
    use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryPool};

    #[test]
    fn slices_of_one_batch_take_what_the_batch_does() {
        let text: ArrayRef = Arc::new(StringViewArray::from(vec!["more letters than a view holds"; 10_000]));
        let number: ArrayRef = Arc::new(Int64Array::from_iter_values(0..10_000));
        let batch = RecordBatch::try_from_iter([("text", text), ("number", number)]).unwrap();
        let all = own_bytes(&batch);
        // 8 and 16 bytes and 30 letters a row.
        assert_eq!(all, 10_000 * 54);
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(all));
        let reservation = MemoryConsumer::new("window").register(&pool);
        let mut kept = Kept { rows: 0, bytes_a_row: 0., copies: 1, reservation };
        for slice in 0..100 {
            kept.add(&batch.slice(slice * 100, 100)).unwrap();
        }
        assert_eq!(pool.reserved(), all);
        kept.add(&batch.slice(0, 1)).unwrap_err();
        kept.remove(10_001);
        assert_eq!(pool.reserved(), 0);
    }
}
