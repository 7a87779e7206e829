//! Rows dealt by ranges of their sort key, so that what different slices write does not overlap.
//!
//! The borders are quantiles of the first rows of all streams. Where those tell nothing of the rest (one stream that is
//! sorted already), a slice gets more than its share; nothing is wrong then but the balance.

use super::keys::SORT_OPTIONS;
use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::SchemaRef;
use arrow::row::{OwnedRow, RowConverter, SortField};
use datafusion::common::DataFusionError;
use datafusion::error::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use futures::StreamExt;
use std::sync::Arc;

/// Batches that wait for each slice.
const WAITING: usize = 2;

/// Ranges of rows: one more than there are borders.
#[derive(Debug)]
pub(super) struct Ranges {
    converter: RowConverter,
    columns: Vec<usize>,
    borders: Vec<OwnedRow>,
}

impl Ranges {
    /// At most `count` ranges of about the same number of the sample's rows.
    pub(super) fn of<'a>(
        sample: impl Iterator<Item = &'a RecordBatch>,
        schema: &SchemaRef,
        columns: &[usize],
        count: usize,
    ) -> Result<Self> {
        let field = |at: &usize| SortField::new_with_options(schema.field(*at).data_type().clone(), SORT_OPTIONS);
        let mut ranges = Self {
            converter: RowConverter::new(columns.iter().map(field).collect())?,
            columns: columns.to_vec(),
            borders: Vec::new(),
        };
        let mut rows = Vec::new();
        for batch in sample {
            rows.extend(ranges.rows(batch)?.iter().map(|row| row.owned()));
        }
        rows.sort_unstable();
        let quantile = |n: usize| rows.get(n * rows.len() / count).cloned();
        let mut borders: Vec<OwnedRow> = (1..count).filter_map(quantile).collect();
        borders.dedup();
        ranges.borders = borders;
        Ok(ranges)
    }

    /// How many ranges there are.
    pub(super) fn count(&self) -> usize {
        self.borders.len() + 1
    }

    fn rows(&self, batch: &RecordBatch) -> Result<arrow::row::Rows> {
        let columns: Vec<_> = self.columns.iter().map(|at| Arc::clone(batch.column(*at))).collect();
        Ok(self.converter.convert_columns(&columns)?)
    }

    /// A batch's rows by their ranges.
    fn split(&self, batch: &RecordBatch) -> Result<Vec<(usize, RecordBatch)>> {
        let rows = self.rows(batch)?;
        let range = |row: arrow::row::Row<'_>| self.borders.partition_point(|border| border.row() <= row);
        let mut places: Vec<Vec<u32>> = vec![Vec::new(); self.count()];
        for (at, row) in rows.iter().enumerate() {
            places[range(row)].push(at as u32);
        }
        let all = batch.num_rows();
        let parts = places.into_iter().enumerate().filter(|(_, rows)| !rows.is_empty()).map(|(range, rows)| {
            let part =
                if rows.len() == all { batch.clone() } else { take_record_batch(batch, &UInt32Array::from(rows))? };
            Ok((range, part))
        });
        parts.collect()
    }

    /// A stream for each range. All of them must be read at the same time.
    pub(super) fn deal(
        self,
        schema: &SchemaRef,
        streams: Vec<SendableRecordBatchStream>,
    ) -> Vec<SendableRecordBatchStream> {
        let ranges = Arc::new(self);
        let mut slices: Vec<_> =
            (0..ranges.count()).map(|_| RecordBatchReceiverStream::builder(Arc::clone(schema), WAITING)).collect();
        let mut senders = Vec::with_capacity(slices.len());
        for slice in &slices {
            senders.push(slice.tx());
        }
        for mut stream in streams {
            let (ranges, senders) = (Arc::clone(&ranges), senders.clone());
            // The first slice owns the tasks: when it is dropped the write has failed, and they end.
            if let Some(first) = slices.first_mut() {
                first.spawn(async move {
                    while let Some(batch) = stream.next().await {
                        for (range, part) in ranges.split(&batch?)? {
                            let sent = senders[range].send(Ok(part)).await;
                            sent.map_err(|_| DataFusionError::Execution("a slice of a write has ended".to_owned()))?;
                        }
                    }
                    Ok(())
                });
            }
        }
        drop(senders);
        let mut dealt = Vec::with_capacity(slices.len());
        for slice in slices {
            dealt.push(slice.build());
        }
        dealt
    }
}
