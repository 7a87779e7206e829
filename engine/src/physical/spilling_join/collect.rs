//! The build side of a join as it is collected, with the memory that its join will take.

use super::memory::{Claim, Env, Granted, with_grant};
use crate::physical::found_keys::reach_connector;
use crate::physical::memory::own_bytes_of_values;
use arrow::array::{Array, ArrayRef};
use arrow::compute::concat;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::utils::memory::{RecordBatchMemoryCounter, estimate_memory_size};
use datafusion::error::Result;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlanProperties;
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, stream};
use std::sync::Arc;

/// What a value takes in the array by which a join looks rows up.
const ARRAY_BYTES: usize = 4;

/// Rows collected so far, and the memory held for them.
///
/// A join reserves its rows, its table, which has at most seven eighths of its places taken, in a power of two, and the
/// marks of rows that were met. It does not count that it makes one batch of all its batches, so that each is there twice
/// while it does. Where there is memory for that it is counted here. Where not, the one batch is made here, a column after
/// the other: then what is needed beside the rows is the largest of their columns, before the table is there.
pub(super) struct Collected {
    batches: Vec<RecordBatch>,
    rows: usize,
    counter: RecordBatchMemoryCounter,
    /// What a copy of each column takes.
    copied: Vec<usize>,
    reservation: MemoryReservation,
    claim: Claim,
    /// Whether the key is one integer.
    by_value: bool,
    /// How many build sides' keys a connector looks up as one list, if it does.
    looked_up: Option<usize>,
}

/// A join's memory, and the context that gives it.
#[derive(Clone)]
pub(super) struct Grant {
    pub(super) task: Arc<TaskContext>,
    pub(super) memory: Arc<Granted>,
}

impl Collected {
    pub(super) fn new(env: &Env, join: &HashJoinExec, claim: Claim) -> Result<Self> {
        let schema = join.left().schema();
        let by_value = match join.on() {
            [(key, _)] => key.data_type(&schema)?.is_integer(),
            _ => false,
        };
        let sides = match join.partition_mode() {
            PartitionMode::Partitioned => join.left().output_partitioning().partition_count(),
            _ => 1,
        };
        Ok(Self {
            batches: Vec::new(),
            rows: 0,
            counter: RecordBatchMemoryCounter::new(),
            copied: vec![0; schema.fields().len()],
            reservation: env.reserve(),
            claim,
            by_value,
            looked_up: reach_connector(join)?.then_some(sides),
        })
    }

    /// Takes a batch in, whether it fits or not.
    pub(super) fn add(&mut self, env: &Env, batch: RecordBatch) -> Result<bool> {
        self.counter.count_batch(&batch);
        self.rows += batch.num_rows();
        for (bytes, column) in self.copied.iter_mut().zip(batch.columns()) {
            // Of a text's view, which is copied without the text, this is all.
            *bytes += own_bytes_of_values(column);
        }
        self.batches.push(batch);
        Ok(env.claim(&self.reservation, self.in_one_batch(self.table()?), self.claim))
    }

    /// What is held while the join makes one batch of them, and this table.
    fn in_batches(&self, table: usize) -> usize {
        self.counter.memory_usage() + self.copied.iter().sum::<usize>() + self.marks() + table
    }

    /// What is held while one batch is made of them here, and then this table with the hash of each row.
    fn in_one_batch(&self, table: usize) -> usize {
        let rows = self.counter.memory_usage();
        let copy = match self.claim {
            Claim::First => self.copied.iter().copied().max().unwrap_or_default(),
            // Columns read from a file share their memory, which is there until the last is copied.
            Claim::Part | Claim::Last => rows,
        };
        rows + copy.max(self.marks() + table + self.rows * size_of::<u64>())
    }

    fn marks(&self) -> usize {
        self.rows.div_ceil(8)
    }

    /// A table of hashes: DataFusion's estimate, and the chain of rows with the same hash.
    fn table(&self) -> Result<usize> {
        Ok(estimate_memory_size::<(u32, u64)>(self.rows, 64)? + self.rows * size_of::<u32>())
    }

    /// Ends it: what the join of these batches is run with, and the batches.
    pub(super) fn grant(mut self, env: &Env) -> Result<(Grant, Vec<RecordBatch>)> {
        let options = &env.task.session_config().options().execution;
        let table = self.table()?;
        // Only the larger of the two is asked for; without room for an array there still is for hashes.
        let array = table.max({
            let dense = self.rows as f64 / options.perfect_hash_join_min_key_density.max(f64::EPSILON);
            let values = options.perfect_hash_join_small_build_threshold.max(dense as usize);
            (values.saturating_add(self.rows)).saturating_mul(ARRAY_BYTES)
        });
        let claim = if self.claim == Claim::First { Claim::First } else { Claim::Part };
        let asked = |bytes: usize| env.claim(&self.reservation, bytes, claim);
        let arrays = if self.by_value && asked(self.in_batches(array)) {
            true
        } else if asked(self.in_batches(table)) {
            false
        } else {
            let arrays = self.by_value && asked(self.in_one_batch(array));
            self.batches = one_batch(std::mem::take(&mut self.batches))?;
            arrays
        };
        let memory = Arc::new(Granted::new(self.reservation));
        let told = self.looked_up.map(|sides| self.rows.saturating_mul(sides));
        let task = with_grant(&env.task, Arc::clone(&memory) as _, arrays, told);
        Ok((Grant { task: Arc::new(task), memory }, self.batches))
    }

    /// Its rows and those after them, to be written: what is held for them is given back as they go.
    pub(super) fn given_up(self, rest: SendableRecordBatchStream) -> SendableRecordBatchStream {
        let Self { batches, counter, reservation, .. } = self;
        let schema = rest.schema();
        let (all, held) = (batches.len(), counter.memory_usage().min(reservation.size()));
        let given = batches.into_iter().enumerate().map(move |(number, batch)| {
            // Those before this one are written.
            reservation.resize(held / all * (all - number));
            Ok(batch)
        });
        Box::pin(RecordBatchStreamAdapter::new(schema, stream::iter(given).chain(rest)))
    }
}

/// One batch of all, if there are several. A column's pieces are let go when it is made.
fn one_batch(batches: Vec<RecordBatch>) -> Result<Vec<RecordBatch>> {
    if batches.len() < 2 {
        return Ok(batches);
    }
    let (schema, rows) = (batches[0].schema(), batches.iter().map(RecordBatch::num_rows).sum());
    let mut pieces = vec![Vec::with_capacity(batches.len()); schema.fields().len()];
    for batch in batches {
        pieces.iter_mut().zip(batch.columns()).for_each(|(pieces, column)| pieces.push(Arc::clone(column)));
    }
    let column =
        |pieces: Vec<ArrayRef>| concat(&pieces.iter().map(|piece| piece.as_ref() as &dyn Array).collect::<Vec<_>>());
    let columns = pieces.into_iter().map(column).collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(vec![RecordBatch::try_new_with_options(schema, columns, &options)?])
}
