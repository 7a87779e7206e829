//! A Markdown table, as GitHub reads it.

use super::cell::{Cells, escape_controls, is_right_aligned};
use super::{End, Layout, PrintError, Printer, Rest};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use std::io::Write;

/// Prints a Markdown table; the columns are not padded, so that rows stream.
pub(super) struct Markdown {
    schema: SchemaRef,
    null: String,
    headed: bool,
}

impl Markdown {
    /// A table of a schema's columns.
    pub(super) fn new(schema: SchemaRef, layout: Layout) -> Self {
        Self { schema, null: layout.null.unwrap_or_default(), headed: false }
    }

    fn header(&mut self, out: &mut dyn Write) -> Result<(), PrintError> {
        if std::mem::replace(&mut self.headed, true) {
            return Ok(());
        }
        for field in self.schema.fields() {
            write!(out, "| {} ", escape(field.name()))?;
        }
        writeln!(out, "|")?;
        for field in self.schema.fields() {
            out.write_all(if is_right_aligned(field.data_type()) { b"| ---: " } else { b"| --- " })?;
        }
        writeln!(out, "|")?;
        Ok(())
    }
}

impl Printer for Markdown {
    fn batch(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> Result<(), PrintError> {
        self.header(out)?;
        let cells = Cells::new(batch)?;
        let mut text = String::new();
        for row in 0..batch.num_rows() {
            for column in 0..batch.num_columns() {
                let value = if cells.read(column, row, &mut text)? { &text } else { &self.null };
                write!(out, "| {} ", escape(value))?;
            }
            writeln!(out, "|")?;
        }
        Ok(())
    }

    fn finish(&mut self, end: End, out: &mut dyn Write) -> Result<(), PrintError> {
        self.header(out)?;
        if end.rest != Rest::Nothing {
            writeln!(out, "\n{}", end.footer())?;
        }
        Ok(())
    }
}

/// A bar would end the cell, a line end the row, and `<` may begin HTML.
fn escape(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;").replace("\r\n", "\n");
    let lines: Vec<_> = escaped.split('\n').map(escape_controls).collect();
    lines.join("<br>")
}
