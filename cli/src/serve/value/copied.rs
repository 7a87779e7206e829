//! Rows to CopyData messages, one a row, as drivers expect them: in PostgreSQL's text format, as CSV, or binary.

use super::column::Column;
use super::types::PgType;
use super::{binary, text};
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use bytes::{BufMut, BytesMut};
use chrono_tz::Tz;
use millrace_engine::sql::{StreamFormat, StreamLayout};
use std::sync::Arc;

/// The message's type.
const COPY_DATA: u8 = b'd';

/// What binary rows begin with: the signature, no flags, no extension.
pub(crate) const BINARY_HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// How the rows of a result are written.
#[derive(Debug, Clone)]
pub(crate) struct CopyLayout {
    layout: Arc<StreamLayout>,
    types: Vec<u32>,
    /// For each column, whether its values always stand between quotes.
    quoted: Vec<bool>,
    zone: Tz,
}

impl CopyLayout {
    /// The layout that a statement asks for, for the columns of its result.
    pub(crate) fn new(layout: &StreamLayout, schema: &Schema, zone: Tz) -> Self {
        let fields = schema.fields().iter();
        Self {
            types: fields.clone().map(|field| PgType::of(field).oid).collect(),
            quoted: fields.map(|field| layout.force_quote.contains(field.name())).collect(),
            layout: Arc::new(layout.clone()),
            zone,
        }
    }

    pub(crate) fn is_binary(&self) -> bool {
        self.layout.format == StreamFormat::Binary
    }

    /// Writes the line of names.
    pub(crate) fn put_names(&self, schema: &Schema, out: &mut BytesMut) {
        let start = begin(out);
        for (at, field) in schema.fields().iter().enumerate() {
            if at > 0 {
                out.put_u8(self.layout.delimiter);
            }
            let name = out.len();
            out.put_slice(field.name().as_bytes());
            self.protect(name, false, schema.fields().len() == 1, out);
        }
        out.put_u8(b'\n');
        end(start, out);
    }

    /// Writes what ends binary rows, with the header before it when there were none.
    pub(crate) fn put_trailer(&self, header: bool, out: &mut BytesMut) {
        let start = begin(out);
        if header {
            out.put_slice(BINARY_HEADER);
        }
        out.put_i16(-1);
        end(start, out);
    }

    /// Escapes or quotes what was written from `start` on, where it needs that.
    fn protect(&self, start: usize, forced: bool, alone: bool, out: &mut BytesMut) {
        let rules = self.layout.as_ref();
        if rules.format == StreamFormat::Text {
            let special = |byte: &u8| matches!(byte, 8..=13 | b'\\') || *byte == rules.delimiter;
            if !out[start..].iter().any(special) {
                return;
            }
            let written = out.split_off(start);
            for byte in &written {
                if !special(byte) {
                    out.put_u8(*byte);
                    continue;
                }
                out.put_u8(b'\\');
                out.put_u8(match byte {
                    8 => b'b',
                    9 => b't',
                    10 => b'n',
                    11 => b'v',
                    12 => b'f',
                    13 => b'r',
                    other => *other,
                });
            }
            return;
        }
        let value = &out[start..];
        let special = |byte: &u8| matches!(byte, b'\n' | b'\r') || *byte == rules.delimiter || *byte == rules.quote;
        let ends_input = alone && value == b"\\.";
        let quoted = forced || ends_input || *value == *rules.null.as_bytes() || value.iter().any(special);
        if !quoted {
            return;
        }
        let written = out.split_off(start);
        out.put_u8(rules.quote);
        for byte in &written {
            if *byte == rules.quote || *byte == rules.escape {
                out.put_u8(rules.escape);
            }
            out.put_u8(*byte);
        }
        out.put_u8(rules.quote);
    }
}

/// Begins a message; its length comes when it ends.
fn begin(out: &mut BytesMut) -> usize {
    out.put_u8(COPY_DATA);
    out.put_i32(0);
    out.len() - 4
}

fn end(start: usize, out: &mut BytesMut) {
    let length = (out.len() - start) as i32;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

/// The rows of one batch, written bit by bit.
pub(crate) struct CopiedRows {
    columns: Vec<Column>,
    layout: CopyLayout,
    next: usize,
    end: usize,
}

impl CopiedRows {
    /// Looks at a batch of the result whose layout this is.
    pub(crate) fn new(batch: &RecordBatch, schema: &Schema, layout: CopyLayout) -> Result<Self, ArrowError> {
        let columns = batch.columns().iter().zip(schema.fields()).map(|(array, field)| Column::new(array, field));
        Ok(Self { columns: columns.collect::<Result<_, _>>()?, layout, next: 0, end: batch.num_rows() })
    }

    /// Whether all rows are written.
    pub(crate) fn is_done(&self) -> bool {
        self.next == self.end
    }

    /// Writes rows until the buffer holds `full` bytes; gives how many it wrote. Binary rows begin with their header,
    /// which is part of the first row's message.
    pub(crate) fn write(&mut self, header: &mut bool, full: usize, out: &mut BytesMut) -> usize {
        let first = self.next;
        while self.next < self.end && out.len() < full {
            let start = begin(out);
            if self.layout.is_binary() {
                if std::mem::take(header) {
                    out.put_slice(BINARY_HEADER);
                }
                self.put_binary(self.next, out);
            } else {
                self.put_line(self.next, out);
            }
            end(start, out);
            self.next += 1;
        }
        self.next - first
    }

    fn put_binary(&self, row: usize, out: &mut BytesMut) {
        out.put_i16(self.columns.len() as i16);
        for (column, oid) in self.columns.iter().zip(&self.layout.types) {
            if column.is_null(row) {
                out.put_i32(-1);
                continue;
            }
            let value = out.len();
            out.put_i32(0);
            binary::put(column, row, *oid, out);
            binary::patch_length(value, out);
        }
    }

    fn put_line(&self, row: usize, out: &mut BytesMut) {
        let rules = self.layout.layout.as_ref();
        let alone = self.columns.len() == 1;
        for (at, (column, quoted)) in self.columns.iter().zip(&self.layout.quoted).enumerate() {
            if at > 0 {
                out.put_u8(rules.delimiter);
            }
            if column.is_null(row) {
                out.put_slice(rules.null.as_bytes());
                continue;
            }
            let value = out.len();
            text::put(column, row, self.layout.zone, out);
            self.layout.protect(value, *quoted, alone, out);
        }
        out.put_u8(b'\n');
    }
}
