//! Rows dealt to slices: each row of some streams goes into the stream of its slice.
//!
//! Where the slices will be sorted by a [`NumberKey`], the rows of a batch are put into its order as they are dealt, and they
//! are as memory is to hold them until all are there: decimals are [`Narrow`], and texts keep nothing alive but themselves.

use super::narrow::Narrow;
use super::number::NumberKey;
use crate::tables::memory::alone;
use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::SchemaRef;
use datafusion::common::DataFusionError;
use datafusion::error::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use futures::StreamExt;
use std::sync::Arc;

/// Batches that wait for each slice.
const WAITING: usize = 2;

/// What dealt rows are to be sorted by, and how they are held.
#[derive(Debug, Clone)]
pub(super) struct Held {
    /// The key.
    pub(super) key: NumberKey,
    /// Their columns.
    pub(super) columns: Narrow,
}

/// Deals rows to `slices`, which `slice_of` tells for each row of a batch. All of the streams must be read at the same
/// time. Must run within a runtime.
pub(super) fn deal(
    schema: &SchemaRef,
    streams: Vec<SendableRecordBatchStream>,
    slices: usize,
    held: Option<&Held>,
    slice_of: impl Fn(&RecordBatch) -> Result<Vec<u32>> + Send + Sync + 'static,
) -> Vec<SendableRecordBatchStream> {
    let schema = held.map_or(schema, |held| held.columns.schema());
    let slice_of = Arc::new(slice_of);
    let mut receivers: Vec<_> =
        (0..slices).map(|_| RecordBatchReceiverStream::builder(Arc::clone(schema), WAITING)).collect();
    let mut senders = Vec::with_capacity(slices);
    for receiver in &receivers {
        senders.push(receiver.tx());
    }
    for mut stream in streams {
        let (slice_of, senders, held) = (Arc::clone(&slice_of), senders.clone(), held.cloned());
        // The first slice owns the tasks: when it is dropped the write has failed, and they end.
        if let Some(first) = receivers.first_mut() {
            first.spawn(async move {
                while let Some(batch) = stream.next().await {
                    let batch = batch?;
                    for (slice, part) in parts(&batch, &slice_of(&batch)?, senders.len(), held.as_ref())? {
                        let sent = senders[slice].send(Ok(part)).await;
                        sent.map_err(|_| DataFusionError::Execution("a slice of a write has ended".to_owned()))?;
                    }
                }
                Ok(())
            });
        }
    }
    drop(senders);
    let mut dealt = Vec::with_capacity(slices);
    for receiver in receivers {
        dealt.push(receiver.build());
    }
    dealt
}

/// A batch's rows by their slices, without those that get none.
fn parts(
    batch: &RecordBatch,
    slice_of: &[u32],
    slices: usize,
    held: Option<&Held>,
) -> Result<Vec<(usize, RecordBatch)>> {
    let share = batch.num_rows() / slices.max(1);
    let mut rows: Vec<Vec<u32>> = (0..slices).map(|_| Vec::with_capacity(share)).collect();
    for (row, slice) in (0..).zip(slice_of) {
        rows[*slice as usize].push(row);
    }
    let numbers = held.map(|held| held.key.numbers(batch)).transpose()?;
    // Less is to be taken of it then.
    let narrow = held.map(|held| held.columns.narrow(batch)).transpose()?;
    let batch = narrow.as_ref().unwrap_or(batch);
    let parts = rows.into_iter().enumerate().filter(|(_, rows)| !rows.is_empty()).map(|(slice, mut rows)| {
        if let Some(numbers) = &numbers {
            sort(&mut rows, numbers);
        }
        // So many rows in this order are all of them.
        let part = if rows.len() == batch.num_rows() && rows.is_sorted() {
            batch.clone()
        } else {
            take_record_batch(batch, &UInt32Array::from(rows))?
        };
        Ok((slice, if held.is_some() { alone(&part)? } else { part }))
    });
    parts.collect()
}

/// Sorts rows by their numbers; equal ones stay as they are.
fn sort(rows: &mut [u32], numbers: &[u128]) {
    if rows.is_sorted_by_key(|row| numbers[*row as usize]) {
        return;
    }
    let mut entries: Vec<u128> =
        rows.iter().map(|row| numbers[*row as usize] << u32::BITS | u128::from(*row)).collect();
    entries.sort_unstable();
    for (row, entry) in rows.iter_mut().zip(entries) {
        *row = entry as u32;
    }
}
