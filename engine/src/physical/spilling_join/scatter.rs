//! Rows dealt into parts by a hash of their join keys, so that rows which may meet are in parts of the same number.

use super::files::{File, Writing};
use arrow::array::{Array, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::compute::take_record_batch;
use arrow::record_batch::RecordBatch;
use datafusion::common::NullEquality;
use datafusion::common::hash_utils::{RandomState, create_hashes};
use datafusion::error::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_expr::PhysicalExprRef;
use datafusion::physical_plan::SpillManager;
use futures::TryStreamExt;

/// Neither the exchange's hash nor the join's: those of a part would be alike.
const SEED: u64 = 0x6d69_6c6c_7261_6365;

/// How rows are dealt.
pub(super) struct Scatter {
    pub(super) keys: Vec<PhysicalExprRef>,
    pub(super) null_equality: NullEquality,
    pub(super) parts: usize,
    /// How often the rows were dealt before: each time by another hash.
    pub(super) depth: u64,
    /// Whether rows with NULL in their keys come into a part of their own, the last.
    pub(super) nulls_apart: bool,
}

impl Scatter {
    /// Writes all rows, by part: a file, if there are any, and how many.
    pub(super) async fn write(
        &self,
        mut rows: SendableRecordBatchStream,
        manager: &SpillManager,
    ) -> Result<Vec<(Option<File>, u64)>> {
        let parts = self.parts + usize::from(self.nulls_apart);
        let mut writings: Vec<_> = (0..parts).map(|_| Writing::new(manager.clone())).collect();
        let mut dealt = Dealt { rows: vec![Vec::new(); parts], next: 0, hashes: Vec::new() };
        while let Some(batch) = rows.try_next().await? {
            self.deal(&batch, &mut dealt, &mut writings)?;
        }
        writings.into_iter().map(Writing::finish).collect()
    }

    fn deal(&self, batch: &RecordBatch, dealt: &mut Dealt, writings: &mut [Writing]) -> Result<()> {
        let count = batch.num_rows();
        let keys = self.keys.iter().map(|key| key.evaluate(batch)?.into_array(count)).collect::<Result<Vec<_>>>()?;
        dealt.hashes.clear();
        dealt.hashes.resize(count, 0);
        create_hashes(&keys, &RandomState::with_seed(SEED.wrapping_add(self.depth)), &mut dealt.hashes)?;
        // A row with NULL in its keys meets none, so it may be anywhere; in one place there may be too many of them.
        let nulls = match self.null_equality {
            NullEquality::NullEqualsNothing => {
                keys.iter().fold(None, |nulls, key| NullBuffer::union(nulls.as_ref(), key.logical_nulls().as_ref()))
            }
            NullEquality::NullEqualsNull => None,
        };
        dealt.rows.iter_mut().for_each(Vec::clear);
        for (row, hash) in dealt.hashes.iter().enumerate() {
            let part = if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                dealt.next = dealt.next.wrapping_add(1);
                if self.nulls_apart { self.parts } else { dealt.next % self.parts }
            } else {
                (hash % self.parts as u64) as usize
            };
            dealt.rows[part].push(row as u32);
        }
        for (rows, writing) in dealt.rows.iter().zip(writings) {
            if !rows.is_empty() {
                let rows = UInt32Array::from_iter_values(rows.iter().copied());
                writing.append(&take_record_batch(batch, &rows)?)?;
            }
        }
        Ok(())
    }
}

/// The rows of a batch by part; kept from batch to batch for its memory.
struct Dealt {
    rows: Vec<Vec<u32>>,
    next: usize,
    hashes: Vec<u64>,
}
