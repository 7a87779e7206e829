//! The build side of a join as it is collected, with the memory that its join will take.

use super::memory::{Claim, Env, Granted, with_memory};
use arrow::record_batch::RecordBatch;
use datafusion::common::utils::memory::{RecordBatchMemoryCounter, estimate_memory_size};
use datafusion::error::Result;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::physical_plan::joins::HashJoinExec;
use std::sync::Arc;

/// What a value takes in the array by which a join looks rows up.
const ARRAY_BYTES: usize = 4;

/// Rows collected so far, and the memory held for them.
///
/// A join makes one batch of all its batches, so each is there twice while it is built; its table has at most seven
/// eighths of its places taken, in a power of two; and it may mark the rows that were met.
pub(super) struct Collected {
    pub(super) batches: Vec<RecordBatch>,
    rows: usize,
    counter: RecordBatchMemoryCounter,
    reservation: MemoryReservation,
    claim: Claim,
    /// Whether the key is one integer.
    by_value: bool,
}

/// A join's memory, and the context that gives it.
#[derive(Clone)]
pub(super) struct Grant {
    pub(super) task: Arc<TaskContext>,
    pub(super) memory: Arc<Granted>,
}

impl Collected {
    pub(super) fn new(env: &Env, join: &HashJoinExec, claim: Claim) -> Result<Self> {
        let by_value = match join.on() {
            [(key, _)] => key.data_type(&join.left().schema())?.is_integer(),
            _ => false,
        };
        let counter = RecordBatchMemoryCounter::new();
        Ok(Self { batches: Vec::new(), rows: 0, counter, reservation: env.reserve(), claim, by_value })
    }

    /// Takes a batch in, whether it fits or not.
    pub(super) fn add(&mut self, env: &Env, batch: RecordBatch) -> Result<bool> {
        self.counter.count_batch(&batch);
        self.rows += batch.num_rows();
        self.batches.push(batch);
        Ok(env.claim(&self.reservation, self.bytes(self.table()?), self.claim))
    }

    /// All that is held while a table of this size is made.
    fn bytes(&self, table: usize) -> usize {
        2 * self.counter.memory_usage() + self.rows.div_ceil(8) + table
    }

    /// A table of hashes: DataFusion's estimate, and the chain of rows with the same hash.
    fn table(&self) -> Result<usize> {
        Ok(estimate_memory_size::<(u32, u64)>(self.rows, 64)? + self.rows * size_of::<u32>())
    }

    /// Ends it: what the join of these batches is run with, and the batches.
    pub(super) fn grant(self, env: &Env) -> Result<(Grant, Vec<RecordBatch>)> {
        let options = &env.task.session_config().options().execution;
        let array = {
            let dense = self.rows as f64 / options.perfect_hash_join_min_key_density.max(f64::EPSILON);
            let values = options.perfect_hash_join_small_build_threshold.max(dense as usize);
            (values.saturating_add(self.rows)).saturating_mul(ARRAY_BYTES)
        };
        // Only the larger of the two is asked for; without room for an array there still is for hashes.
        let larger = self.bytes(array.max(self.table()?));
        let claim = if self.claim == Claim::First { Claim::First } else { Claim::Part };
        let arrays = self.by_value && env.claim(&self.reservation, larger, claim);
        let memory = Arc::new(Granted::new(self.reservation));
        let task = with_memory(&env.task, Arc::clone(&memory) as _, arrays);
        Ok((Grant { task: Arc::new(task), memory }, self.batches))
    }
}
