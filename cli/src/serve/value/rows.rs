//! Rows to DataRow messages, many into one buffer: a chunk of rows at a time, in it a column at a time.
//!
//! First every column says how many bytes its values have, so that each row knows where it begins; then every column
//! writes its values into all rows ([`super::cells`]). So what a column is has to be asked once a chunk, not once a value,
//! and the buffer grows once.

use super::Format;
use super::cells::Cells;
use super::column::Column;
use super::types::PgType;
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use bytes::BytesMut;
use chrono_tz::Tz;
use std::ops::Range;

/// The message's type.
const DATA_ROW: u8 = b'D';
/// Bytes of a row before its values: the type, the length, the number of values.
const HEAD: usize = 1 + 4 + 2;
/// Rows of a chunk, as long as nobody knows how large they are.
const FIRST_ROWS: usize = 16;
/// Rows of a chunk, at most.
const MOST_ROWS: usize = 1024;

/// The rows of one batch, written bit by bit.
pub(crate) struct RowWriter {
    cells: Vec<Cells>,
    zone: Tz,
    next: usize,
    end: usize,
    /// Rows of the next chunk.
    rows: usize,
    /// How long each row of a chunk is; where in the buffer its next value begins.
    places: Vec<usize>,
}

impl RowWriter {
    /// Looks at a batch whose rows are to be written in these formats, one a column; `schema` is the result's.
    pub(crate) fn new(batch: &RecordBatch, schema: &Schema, formats: &[Format], zone: Tz) -> Result<Self, ArrowError> {
        let columns = batch.columns().iter().zip(schema.fields()).zip(formats);
        let cells = columns
            .map(|((array, field), format)| Ok(Cells::new(Column::new(array, field)?, PgType::of(field).oid, *format)));
        let cells = cells.collect::<Result<_, ArrowError>>()?;
        Ok(Self { cells, zone, next: 0, end: batch.num_rows(), rows: FIRST_ROWS, places: Vec::new() })
    }

    /// Whether all rows are written.
    pub(crate) fn is_done(&self) -> bool {
        self.next == self.end
    }

    /// Writes rows until `most` are, or the buffer holds `full` bytes; gives how many it wrote.
    pub(crate) fn write(&mut self, most: usize, full: usize, out: &mut BytesMut) -> usize {
        let first = self.next;
        let end = self.end.min(first.saturating_add(most));
        while self.next < end && out.len() < full {
            let chunk = self.next..end.min(self.next + self.rows);
            let before = out.len();
            let written = self.write_chunk(chunk, full - before, out);
            self.next += written;
            self.rows = (full / ((out.len() - before) / written).max(1)).clamp(1, MOST_ROWS);
        }
        self.next - first
    }

    /// Writes rows of a chunk until they have `enough` bytes, at least one; gives how many it wrote.
    fn write_chunk(&mut self, rows: Range<usize>, enough: usize, out: &mut BytesMut) -> usize {
        let Self { cells, places, zone, .. } = self;
        places.clear();
        places.resize(rows.len(), HEAD + 4 * cells.len());
        for cells in &mut *cells {
            cells.measure(rows.clone(), *zone, places);
        }
        let (mut written, mut total) = (0, 0);
        while written < rows.len() && (written == 0 || total < enough) {
            total += places[written];
            written += 1;
        }
        let before = out.len();
        out.resize(before + total, 0);
        let buffer = &mut out[before..];
        let count = (cells.len() as u16).to_be_bytes();
        let mut start = 0;
        for place in &mut places[..written] {
            // The length counts itself, and not the type.
            let length = (*place - 1) as u32;
            buffer[start] = DATA_ROW;
            buffer[start + 1..start + 5].copy_from_slice(&length.to_be_bytes());
            buffer[start + 5..start + HEAD].copy_from_slice(&count);
            let next = start + *place;
            *place = start + HEAD;
            start = next;
        }
        for cells in &*cells {
            cells.write(rows.start, &mut places[..written], buffer);
        }
        written
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::serve::value::{binary, text};
    use arrow::array::{
        ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal64Array, Float32Array, Float64Array, Int16Array,
        Int32Array, Int64Array, Int64Builder, ListBuilder, StringArray, StringViewArray, TimestampMicrosecondArray,
    };
    use arrow::datatypes::Field;
    use bytes::BufMut;
    use std::sync::Arc;

    /// Rows of every way in which values are written, some of them NULL.
    fn batch(rows: usize) -> RecordBatch {
        let is_null = |row: usize| row.is_multiple_of(5);
        let some = |row: usize| (!is_null(row)).then_some(row as i64 - 3);
        let whole = || (0..rows).map(some);
        let texts = || (0..rows).map(|row| some(row).map(|_| "x".repeat(row % 40)));
        let mut lists = ListBuilder::new(Int64Builder::new());
        for row in 0..rows {
            lists.append_option(some(row).map(|value| [Some(value), None]));
        }
        let columns: Vec<ArrayRef> = vec![
            Arc::new(whole().map(|value| value.map(|value| value as i16)).collect::<Int16Array>()),
            Arc::new(whole().map(|value| value.map(|value| value as i32)).collect::<Int32Array>()),
            Arc::new(Int64Array::from_iter_values(0..rows as i64)),
            Arc::new(whole().map(|value| value.map(|value| value as f32)).collect::<Float32Array>()),
            Arc::new(whole().map(|value| value.map(|value| value as f64 / 8.)).collect::<Float64Array>()),
            Arc::new(whole().map(|value| value.map(|value| value > 2)).collect::<BooleanArray>()),
            Arc::new(texts().collect::<StringArray>()),
            Arc::new(texts().collect::<StringViewArray>()),
            Arc::new(texts().collect::<BinaryArray>()),
            Arc::new(whole().map(|value| value.map(|value| value as i32)).collect::<Date32Array>()),
            Arc::new(whole().collect::<TimestampMicrosecondArray>()),
            Arc::new(whole().collect::<Decimal64Array>().with_precision_and_scale(12, 2).unwrap()),
            Arc::new(lists.finish()),
        ];
        let names = (0..columns.len()).map(|at| format!("c{at}")).collect::<Vec<_>>();
        RecordBatch::try_from_iter(names.iter().zip(columns)).unwrap()
    }

    /// The messages of the rows, put together a value at a time.
    fn expected(batch: &RecordBatch, format: Format) -> BytesMut {
        let schema = batch.schema();
        let fields: Vec<&Field> = schema.fields().iter().map(AsRef::as_ref).collect();
        let columns: Vec<Column> =
            batch.columns().iter().zip(&fields).map(|(array, field)| Column::new(array, field).unwrap()).collect();
        let mut out = BytesMut::new();
        for row in 0..batch.num_rows() {
            let mut values = BytesMut::new();
            for (column, field) in columns.iter().zip(&fields) {
                if column.is_null(row) {
                    values.put_i32(-1);
                    continue;
                }
                let mut value = BytesMut::new();
                match format {
                    Format::Text => text::put(column, row, Tz::UTC, &mut value),
                    Format::Binary => binary::put(column, row, PgType::of(field).oid, &mut value),
                }
                values.put_i32(value.len() as i32);
                values.extend_from_slice(&value);
            }
            out.put_u8(DATA_ROW);
            out.put_i32(values.len() as i32 + 6);
            out.put_i16(columns.len() as i16);
            out.extend_from_slice(&values);
        }
        out
    }

    #[test]
    fn a_chunk_has_the_same_bytes_as_its_values() {
        let batch = batch(3000);
        for format in [Format::Text, Format::Binary] {
            let whole = expected(&batch, format);
            for (most, full) in [(usize::MAX, 1 << 30), (7, 1 << 20), (usize::MAX, 1000), (1000, 64 << 10)] {
                let formats = vec![format; batch.num_columns()];
                let mut writer = RowWriter::new(&batch, &batch.schema(), &formats, Tz::UTC).unwrap();
                let (mut all, mut rows) = (BytesMut::new(), 0);
                while !writer.is_done() {
                    let mut out = BytesMut::new();
                    let written = writer.write(most, full, &mut out);
                    assert!(written > 0 && written <= most && out.len() < full.saturating_add(2000));
                    rows += written;
                    all.extend_from_slice(&out);
                }
                assert_eq!((rows, all == whole), (batch.num_rows(), true), "{most} {full}");
            }
        }
    }

    #[test]
    fn rows_without_columns_are_rows() {
        let options = arrow::record_batch::RecordBatchOptions::new().with_row_count(Some(3));
        let schema = Arc::new(Schema::empty());
        let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), Vec::new(), &options).unwrap();
        let mut writer = RowWriter::new(&batch, &schema, &[], Tz::UTC).unwrap();
        let mut out = BytesMut::new();
        assert_eq!(writer.write(usize::MAX, 1 << 10, &mut out), 3);
        assert_eq!(&out[..], b"D\0\0\0\x06\0\0".repeat(3));
    }
}
