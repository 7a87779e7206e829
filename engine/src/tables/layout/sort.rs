//! Rows sorted by one column of numbers, which is what most sort keys are: each row is copied once.
//!
//! Batches are kept as they come, and only numbers of 128 bits are sorted: the key, and below it where the row is. So equal
//! keys stay in the order in which they came. DataFusion's sort copies each row twice, compares keys of as many streams as there
//! are batches, and counts every byte twice, so that it spills what would have fit.
//!
//! Memory is bounded by the pool: when it gives no more, what is held is written to the disk in order, and in the end these
//! runs are merged by DataFusion. Sorting and spilling of many rows are done apart from the runtime's threads.

use super::number::{NUMBER_BITS, NumberKey};
use arrow::array::RecordBatch;
use arrow::compute::interleave_record_batch;
use datafusion::common::runtime::SpawnedTask;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::LexOrdering;
use datafusion::physical_plan::SpillManager;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, SpillMetrics};
use datafusion::physical_plan::sorts::streaming_merge::{SortedSpillFile, StreamingMergeBuilder};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{TryStreamExt, stream};
use std::mem;
use std::sync::Arc;

/// Bits of an entry that say which row of a batch it is.
const ROW_BITS: u32 = 31;
/// Bits that say which batch and which row.
const PLACE_BITS: u32 = u128::BITS - NUMBER_BITS;
const PLACE_MASK: u64 = (1 << PLACE_BITS) - 1;
const ROW_MASK: u64 = (1 << ROW_BITS) - 1;
/// Bytes that sorting takes for a row: an entry, and half of one while sorted parts are merged.
const ENTRY_BYTES: usize = size_of::<u128>() + size_of::<u128>() / 2;
/// Rows of a batch on the disk: a merge holds some of each run.
const SPILLED_ROWS: usize = 4 * 1024;
/// Rows that are sorted on the spot.
const FEW_ROWS: usize = 64 * 1024;
/// Rows that follow each other in their batch are given as they are, if they are this part of a batch.
const WHOLE_PART: usize = 8;

/// Sorts streams by a key.
#[derive(Clone)]
pub(super) struct Sort {
    key: NumberKey,
    order: LexOrdering,
    context: Arc<TaskContext>,
}

impl Sort {
    /// By a key, which `order` is for DataFusion.
    pub(super) fn new(key: NumberKey, order: LexOrdering, context: &Arc<TaskContext>) -> Self {
        Self { key, order, context: Arc::clone(context) }
    }

    /// A stream's rows in order. Those of a write are to be made before any of them is read, since they divide the memory.
    pub(super) fn sorted(&self, rows: SendableRecordBatchStream) -> SendableRecordBatchStream {
        let schema = rows.schema();
        let pool = self.context.memory_pool();
        let held = MemoryConsumer::new("sorted rows").with_can_spill(true).register(pool);
        let merging = MemoryConsumer::new("merge of sorted rows").register(pool);
        let sorted = stream::once(self.clone().sort(rows, held, merging)).try_flatten();
        Box::pin(RecordBatchStreamAdapter::new(schema, sorted))
    }

    async fn sort(
        self,
        mut rows: SendableRecordBatchStream,
        mut held: MemoryReservation,
        merging: MemoryReservation,
    ) -> Result<SendableRecordBatchStream> {
        let schema = rows.schema();
        let config = self.context.session_config();
        let most_rows = config.batch_size();
        let metrics = ExecutionPlanMetricsSet::new();
        let spilling = SpillMetrics::new(&metrics, 0);
        let spills = SpillManager::new(self.context.runtime_env(), spilling, Arc::clone(&schema))
            .with_compression_type(config.spill_compression());
        // Kept for the merge, so that there is some when the rest is taken.
        merging.try_grow(config.options().execution.sort_spill_reservation_bytes)?;
        let (mut batches, mut spilled) = (Vec::new(), Vec::new());
        while let Some(batch) = rows.try_next().await? {
            if batch.num_rows() == 0 {
                continue;
            }
            let bytes = batch.get_array_memory_size() + batch.num_rows() * ENTRY_BYTES;
            if let Err(full) = held.try_grow(bytes) {
                if batches.is_empty() {
                    return Err(full);
                }
                let run = Run { batches: mem::take(&mut batches), key: self.key, most_rows, held: held.take() };
                spilled.extend(run.spill(spills.clone()).await?);
                held.try_grow(bytes)?;
            }
            batches.push(batch);
        }
        // What it read from may hold memory.
        drop(rows);
        let run = Run { batches, key: self.key, most_rows, held: held.take() };
        if spilled.is_empty() {
            merging.free();
            let sorted = stream::iter(run.sort().await?);
            return Ok(Box::pin(RecordBatchStreamAdapter::new(schema, sorted)));
        }
        spilled.extend(run.spill(spills.clone()).await?);
        drop(held);
        StreamingMergeBuilder::new()
            .with_sorted_spill_files(spilled)
            .with_spill_manager(spills)
            .with_schema(schema)
            .with_expressions(&self.order)
            .with_metrics(BaselineMetrics::new(&metrics, 0))
            .with_batch_size(most_rows)
            .with_reservation(merging)
            .build()
    }
}

/// Batches in memory that are sorted together.
struct Run {
    batches: Vec<RecordBatch>,
    key: NumberKey,
    most_rows: usize,
    held: MemoryReservation,
}

impl Run {
    /// Sorts it.
    async fn sort(self) -> Result<Sorted> {
        if self.batches.iter().map(RecordBatch::num_rows).sum::<usize>() <= FEW_ROWS {
            return Sorted::of(self);
        }
        apart(move || Sorted::of(self)).await
    }

    /// Writes it to the disk in order.
    async fn spill(self, spills: SpillManager) -> Result<Option<SortedSpillFile>> {
        let write = move || {
            let mut file = spills.create_in_progress_file("sorted rows")?;
            let mut max_record_batch_memory = 0;
            let rows = Self { most_rows: self.most_rows.min(SPILLED_ROWS), ..self };
            for batch in Sorted::of(rows)? {
                max_record_batch_memory = file.append_batch(&batch?)?.max(max_record_batch_memory);
            }
            Ok(file.finish()?.map(|file| SortedSpillFile { file, max_record_batch_memory }))
        };
        apart(write).await
    }
}

/// Does work that would keep a thread of the runtime from others.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = SpawnedTask::spawn_blocking(work).join().await;
    done.unwrap_or_else(|error| Err(DataFusionError::Execution(format!("sorting ended abnormally: {error}"))))
}

/// The rows of a run in order, a batch after the other.
struct Sorted {
    batches: Vec<RecordBatch>,
    /// For each row its key's number, its batch and its row there, in order.
    entries: Vec<u128>,
    /// Entries that were given.
    given: usize,
    most_rows: usize,
    /// For each batch its place among those that rows are being taken of.
    used: Vec<Option<usize>>,
    _held: MemoryReservation,
}

impl Sorted {
    fn of(run: Run) -> Result<Self> {
        let Run { batches, key, most_rows, held } = run;
        let mut entries = Vec::with_capacity(batches.iter().map(RecordBatch::num_rows).sum());
        for (number, batch) in batches.iter().enumerate() {
            let first = (number as u128) << ROW_BITS;
            let places = (first..).zip(key.numbers(batch)?);
            entries.extend(places.map(|(place, number)| number << PLACE_BITS | place));
        }
        #[allow(clippy::stable_sort_primitive, reason = "batches are in order already, and it merges what is")]
        entries.sort();
        Ok(Self { used: vec![None; batches.len()], batches, entries, given: 0, most_rows, _held: held })
    }

    /// The rows of the next entries.
    fn gather(&mut self, rows: usize) -> Result<RecordBatch> {
        let entries = &self.entries[self.given..self.given + rows];
        self.given += rows;
        let mut batches: Vec<&RecordBatch> = Vec::new();
        let mut indices = Vec::with_capacity(rows);
        let mut numbers = Vec::new();
        for entry in entries {
            let (number, row) = place(*entry);
            let at = *self.used[number].get_or_insert_with(|| {
                batches.push(&self.batches[number]);
                numbers.push(number);
                batches.len() - 1
            });
            indices.push((at, row));
        }
        for number in numbers {
            self.used[number] = None;
        }
        Ok(interleave_record_batch(&batches, &indices)?)
    }
}

impl Iterator for Sorted {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = &self.entries[self.given..];
        let rest = &rest[..rest.len().min(self.most_rows)];
        let first = *rest.first()?;
        let together = 1 + rest.windows(2).take_while(|two| follows(two[0], two[1])).count();
        if together == rest.len() || together >= self.most_rows / WHOLE_PART {
            let (number, row) = place(first);
            self.given += together;
            return Some(Ok(self.batches[number].slice(row, together)));
        }
        let rows = rest.len();
        Some(self.gather(rows))
    }
}

/// The batch and the row of an entry.
fn place(entry: u128) -> (usize, usize) {
    let place = entry as u64 & PLACE_MASK;
    ((place >> ROW_BITS) as usize, (place & ROW_MASK) as usize)
}

/// Whether an entry's row is the next one after another's in the same batch.
fn follows(before: u128, after: u128) -> bool {
    after as u64 & PLACE_MASK == (before as u64 & PLACE_MASK) + 1
}
