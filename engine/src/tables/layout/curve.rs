//! Interleaved sort keys: rows in the order of a space-filling curve over the ranks of their keys.
//!
//! A value's rank is its place among quantiles of the first rows, so that each key cuts the table into equal parts
//! whatever its values are. The bits of the ranks, taken in turn, are the Z-order: a range of any of the keys is found
//! in few places of it.

use super::keys::SORT_OPTIONS;
use arrow::array::{Array, ArrayRef, RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::row::{OwnedRow, RowConverter, SortField};
use datafusion::error::Result;
use std::sync::Arc;

/// The name of the column that the rows are sorted by and that no file has.
const PLACE: &str = "\u{1}place";

/// The most bits of a rank.
const MOST_BITS: u32 = 10;

/// The curve over a table's interleaved keys.
#[derive(Debug)]
pub(super) struct Curve {
    keys: Vec<Key>,
    bits: u32,
    schema: SchemaRef,
}

#[derive(Debug)]
struct Key {
    column: usize,
    converter: RowConverter,
    borders: Vec<OwnedRow>,
}

impl Curve {
    /// The curve that fits a sample of the rows.
    pub(super) fn of(sample: &[RecordBatch], schema: &SchemaRef, columns: &[usize]) -> Result<Self> {
        let bits = (u64::BITS / (columns.len().max(1) as u32)).clamp(1, MOST_BITS);
        let keys = columns.iter().map(|column| Key::of(sample, schema, *column, 1 << bits)).collect::<Result<_>>()?;
        let place = Arc::new(Field::new(PLACE, DataType::UInt64, false));
        let schema = Schema::new(schema.fields().iter().cloned().chain([place]).collect::<Vec<_>>());
        Ok(Self { keys, bits, schema: Arc::new(schema) })
    }

    /// The rows' schema with their place on the curve as last column.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Adds the place on the curve.
    pub(super) fn add_place(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let ranks = self.keys.iter().map(|key| key.ranks(batch.column(key.column), self.bits));
        let ranks = ranks.collect::<Result<Vec<_>>>()?;
        let place = |row: usize| interleave(ranks.iter().map(|ranks| ranks[row]), self.bits);
        let places: ArrayRef = Arc::new(UInt64Array::from_iter_values((0..batch.num_rows()).map(place)));
        let columns = batch.columns().iter().cloned().chain([places]).collect();
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}

impl Key {
    fn of(sample: &[RecordBatch], schema: &SchemaRef, column: usize, parts: usize) -> Result<Self> {
        let field = SortField::new_with_options(schema.field(column).data_type().clone(), SORT_OPTIONS);
        let converter = RowConverter::new(vec![field])?;
        let mut rows = Vec::new();
        for batch in sample {
            rows.extend(converter.convert_columns(&[Arc::clone(batch.column(column))])?.iter().map(|row| row.owned()));
        }
        rows.sort_unstable();
        let quantile = |n: usize| rows.get(n * rows.len() / parts).cloned();
        let mut borders: Vec<OwnedRow> = (1..parts).filter_map(quantile).collect();
        borders.dedup();
        Ok(Self { column, converter, borders })
    }

    /// The ranks of values, spread over all of the bits.
    fn ranks(&self, values: &ArrayRef, bits: u32) -> Result<Vec<u64>> {
        let parts = self.borders.len() as u64 + 1;
        let rows = self.converter.convert_columns(&[Arc::clone(values)])?;
        let rank = |row: arrow::row::Row<'_>| self.borders.partition_point(|border| border.row() <= row) as u64;
        let ranks: Vec<u64> = rows.iter().map(|row| (rank(row) << bits) / parts).collect();
        debug_assert_eq!(ranks.len(), values.len());
        Ok(ranks)
    }
}

/// The bits of ranks in turn, the highest first.
fn interleave(ranks: impl Iterator<Item = u64> + Clone, bits: u32) -> u64 {
    (0..bits).rev().fold(0, |place, bit| ranks.clone().fold(place, |place, rank| (place << 1) | ((rank >> bit) & 1)))
}

#[cfg(test)]
mod tests {
    use super::interleave;

    #[test]
    fn places_on_the_curve() {
        let cases: &[(&[u64], u32, u64)] = &[
            (&[0b11, 0b00], 2, 0b1010),
            (&[0b00, 0b11], 2, 0b0101),
            (&[0b10, 0b01], 2, 0b1001),
            (&[0b101], 3, 0b101),
            (&[1, 1, 1, 1, 1, 1, 1, 1], 1, 0xff),
        ];
        for (ranks, bits, place) in cases {
            assert_eq!(interleave(ranks.iter().copied(), *bits), *place, "{ranks:?}");
        }
    }
}
