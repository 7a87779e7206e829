//! Ranges of the sort key that rows are dealt by, so that what different slices write does not overlap.
//!
//! The borders are quantiles of the first rows of all streams. Where those tell nothing of the rest (one stream that is
//! sorted already), a slice gets more than its share; nothing is wrong then but the balance.

use super::keys::SORT_OPTIONS;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::row::{OwnedRow, RowConverter, SortField};
use datafusion::error::Result;
use std::sync::Arc;

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

    /// The range of each row.
    pub(super) fn of_rows(&self, batch: &RecordBatch) -> Result<Vec<u32>> {
        let rows = self.rows(batch)?;
        Ok(rows.iter().map(|row| self.borders.partition_point(|border| border.row() <= row) as u32).collect())
    }
}
