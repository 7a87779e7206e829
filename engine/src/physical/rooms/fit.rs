//! Rows as a sort can take them in little memory.
//!
//! It counts all that a batch keeps in memory, which may be far more than its rows: a batch that a join gives points at the
//! texts of the whole build side, a slice keeps what it was cut from. And it needs a batch whole.

use crate::physical::memory::own_bytes;
use arrow::array::{ArrayRef, AsArray, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, Schema};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::utils::memory::get_record_batch_memory_size;
use datafusion::error::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::config::SessionConfig;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{TryStreamExt, future, stream};
use std::sync::Arc;

/// The part of what a sort has for sure that it keeps for its merges.
const FOR_MERGES: usize = 4;

/// The part of that which one batch may take.
const BATCHES: usize = 16;

/// A batch keeps at most so many times what its rows take, where that is much.
const MOST_KEPT: usize = 2;

/// Settings of a sort of such rows that has so much for sure. They are copied only where they change.
pub(super) fn fit_settings(config: &mut SessionConfig, least: usize, rows: &Schema) {
    let execution = &config.options().execution;
    let merges = execution.sort_spill_reservation_bytes.min(least / FOR_MERGES);
    let cuts = least / BATCHES < execution.sort_in_place_threshold_bytes
        && rows.fields().iter().any(|field| has_views(field.data_type()));
    if merges < execution.sort_spill_reservation_bytes {
        config.options_mut().execution.sort_spill_reservation_bytes = merges;
    }
    if cuts {
        // A sort that makes one batch of several cuts it again, counts the texts that all pieces share for each of them, and
        // fails where it is refused that.
        config.options_mut().execution.sort_in_place_threshold_bytes = 0;
    }
}

/// The same rows in the same order, in batches that keep no more in memory than a sort with so much for sure takes at once,
/// but at least a row.
pub(super) fn fitted(rows: SendableRecordBatchStream, least: usize) -> SendableRecordBatchStream {
    let (schema, most) = (rows.schema(), least / BATCHES);
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

/// Whether values point at texts that lie elsewhere.
fn has_views(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8View | DataType::BinaryView => true,
        DataType::List(of) | DataType::LargeList(of) | DataType::FixedSizeList(of, _) | DataType::Map(of, _) => {
            has_views(of.data_type())
        }
        DataType::Struct(fields) => fields.iter().any(|field| has_views(field.data_type())),
        DataType::Dictionary(_, values) => has_views(values),
        _ => false,
    }
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
