//! Rows to DataRow messages, many into one buffer.

use super::column::Column;
use super::types::PgType;
use super::{Format, binary, text};
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use bytes::{BufMut, BytesMut};
use chrono_tz::Tz;

/// The message's type.
const DATA_ROW: u8 = b'D';

/// The rows of one batch, written bit by bit.
pub(crate) struct RowWriter {
    columns: Vec<Column>,
    types: Vec<u32>,
    formats: Vec<Format>,
    zone: Tz,
    next: usize,
    end: usize,
}

impl RowWriter {
    /// Looks at a batch whose rows are to be written in these formats, one a column; `schema` is the result's.
    pub(crate) fn new(
        batch: &RecordBatch,
        schema: &Schema,
        formats: Vec<Format>,
        zone: Tz,
    ) -> Result<Self, ArrowError> {
        let fields = schema.fields().iter();
        let columns = batch.columns().iter().zip(fields.clone()).map(|(array, field)| Column::new(array, field));
        let columns = columns.collect::<Result<_, _>>()?;
        let types = fields.map(|field| PgType::of(field).oid).collect();
        Ok(Self { columns, types, formats, zone, next: 0, end: batch.num_rows() })
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
            self.write_row(self.next, out);
            self.next += 1;
        }
        self.next - first
    }

    fn write_row(&self, row: usize, out: &mut BytesMut) {
        out.put_u8(DATA_ROW);
        let start = out.len();
        out.put_i32(0);
        out.put_i16(self.columns.len() as i16);
        for ((column, oid), format) in self.columns.iter().zip(&self.types).zip(&self.formats) {
            if column.is_null(row) {
                out.put_i32(-1);
                continue;
            }
            let value = out.len();
            out.put_i32(0);
            match format {
                Format::Text => text::put(column, row, self.zone, out),
                Format::Binary => binary::put(column, row, *oid, out),
            }
            binary::patch_length(value, out);
        }
        // The length counts itself.
        let length = (out.len() - start) as i32;
        out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    }
}
