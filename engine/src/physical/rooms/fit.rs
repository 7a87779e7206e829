//! Rows as a sort can take them in little memory.
//!
//! It counts all that a batch keeps in memory, which may be far more than its rows: a batch that a join gives points at the
//! texts of the whole build side, a slice keeps what it was cut from. And it needs a batch whole.

use crate::physical::memory::own_bytes;
use arrow::array::{ArrayRef, AsArray, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::DataType;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::utils::memory::get_record_batch_memory_size;
use datafusion::error::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{TryStreamExt, future, stream};
use std::sync::Arc;

/// A batch keeps at most so many times what its rows take, where that is much.
const MOST_KEPT: usize = 2;

/// The same rows in the same order, in batches that keep no more than so much in memory, but at least a row.
pub(super) fn fitted(rows: SendableRecordBatchStream, most: usize) -> SendableRecordBatchStream {
    let schema = rows.schema();
    let rows = rows.and_then(move |batch| future::ready(fit(batch, most)));
    let rows = rows.map_ok(|batches| stream::iter(batches.into_iter().map(Ok))).try_flatten();
    Box::pin(RecordBatchStreamAdapter::new(schema, rows))
}

fn fit(batch: RecordBatch, most: usize) -> Result<Vec<RecordBatch>> {
    let (kept, rows) = (get_record_batch_memory_size(&batch), batch.num_rows());
    if kept <= most || rows == 0 {
        return Ok(vec![batch]);
    }
    let own = own_bytes(&batch);
    let pieces = own.div_ceil(most.max(1)).clamp(1, rows);
    if pieces == 1 && kept <= own.saturating_mul(MOST_KEPT) {
        return Ok(vec![batch]);
    }
    let most_rows = rows.div_ceil(pieces);
    (0..rows).step_by(most_rows).map(|from| copy(&batch.slice(from, most_rows.min(rows - from)))).collect()
}

/// The rows alone.
fn copy(batch: &RecordBatch) -> Result<RecordBatch> {
    let rows = batch.num_rows();
    let taken = take_record_batch(batch, &UInt32Array::from_iter_values(0..rows as u32))?;
    let alone = |column: &ArrayRef| -> ArrayRef {
        match column.data_type() {
            DataType::Utf8View => Arc::new(column.as_string_view().gc()),
            DataType::BinaryView => Arc::new(column.as_binary_view().gc()),
            _ => Arc::clone(column),
        }
    };
    let columns = taken.columns().iter().map(alone).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(batch.schema(), columns, &options)?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use arrow::array::{Int64Array, StringViewArray};
    use arrow::compute::concat_batches;

    #[test]
    fn batches_keep_what_is_theirs() {
        let text: ArrayRef = Arc::new(StringViewArray::from_iter_values((0..10_000).map(|n| format!("{n:0>100}"))));
        let number: ArrayRef = Arc::new(Int64Array::from_iter_values(0..10_000));
        let all = RecordBatch::try_from_iter([("text", text), ("number", number)]).unwrap();
        // A row takes 8 and 16 bytes and 100 letters.
        for (given, most, batches) in [
            (all.clone(), 10 << 20, 1),
            // Cut into pieces.
            (all.clone(), 124_000, 10),
            // As it is too large, but all its own.
            (all.clone(), 1 << 20, 2),
            // A slice, which keeps all.
            (all.slice(5_000, 100), 124_000, 1),
            (all.slice(0, 0), 1, 1),
            (all.slice(7, 3), 1, 3),
        ] {
            let fitted = fit(given.clone(), most).unwrap();
            assert_eq!(fitted.len(), batches, "{} rows, {most} bytes", given.num_rows());
            assert_eq!(concat_batches(&given.schema(), &fitted).unwrap(), given);
            let largest = fitted.iter().map(get_record_batch_memory_size).max().unwrap();
            assert!(most < 1_000 || largest <= most * 3 / 2, "{largest} instead of {most}");
        }
    }
}
