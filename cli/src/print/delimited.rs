//! Delimited text with a header: CSV as RFC 4180 has it (with line feeds, as Unix tools expect), and TSV as
//! PostgreSQL's `COPY … (FORMAT text)` has it.
//!
//! Both keep NULL apart from the empty text: in CSV as Athena's result files do (nothing against `""`), in TSV as
//! `\N` against nothing. Fields are printed whole, whatever they hold.

use super::cell::Cells;
use super::{End, Layout, PrintError, Printer};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use std::io::Write;

/// A way to delimit.
pub(super) struct Style {
    delimiter: char,
    null: &'static str,
    encode: fn(&str, &mut String),
}

/// Comma-separated, quoted where needed.
pub(super) const CSV: Style = Style { delimiter: ',', null: "", encode: quote_csv };

/// Tab-separated, escaped where needed.
pub(super) const TSV: Style = Style { delimiter: '\t', null: "\\N", encode: escape_tsv };

/// Prints delimited rows.
pub(super) struct Delimited {
    style: Style,
    schema: SchemaRef,
    null: String,
    headed: bool,
    line: String,
}

impl Delimited {
    /// Rows of a schema's columns.
    pub(super) fn new(style: Style, schema: SchemaRef, layout: Layout) -> Self {
        let null = layout.null.unwrap_or_else(|| style.null.to_owned());
        Self { style, schema, null, headed: false, line: String::new() }
    }

    fn header(&mut self, out: &mut dyn Write) -> Result<(), PrintError> {
        if std::mem::replace(&mut self.headed, true) {
            return Ok(());
        }
        self.line.clear();
        for (index, field) in self.schema.fields().iter().enumerate() {
            if index > 0 {
                self.line.push(self.style.delimiter);
            }
            (self.style.encode)(field.name(), &mut self.line);
        }
        writeln!(out, "{}", self.line)?;
        Ok(())
    }
}

impl Printer for Delimited {
    fn batch(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> Result<(), PrintError> {
        self.header(out)?;
        let cells = Cells::new(batch)?;
        let mut text = String::new();
        for row in 0..batch.num_rows() {
            self.line.clear();
            for column in 0..batch.num_columns() {
                if column > 0 {
                    self.line.push(self.style.delimiter);
                }
                if cells.read(column, row, &mut text)? {
                    (self.style.encode)(&text, &mut self.line);
                } else {
                    self.line.push_str(&self.null);
                }
            }
            self.line.push('\n');
            out.write_all(self.line.as_bytes())?;
        }
        Ok(())
    }

    fn finish(&mut self, _end: End, out: &mut dyn Write) -> Result<(), PrintError> {
        self.header(out)
    }
}

fn quote_csv(text: &str, line: &mut String) {
    if !text.is_empty() && !text.contains([',', '"', '\n', '\r']) {
        line.push_str(text);
        return;
    }
    line.push('"');
    for c in text.chars() {
        if c == '"' {
            line.push('"');
        }
        line.push(c);
    }
    line.push('"');
}

fn escape_tsv(text: &str, line: &mut String) {
    if !text.contains(['\t', '\n', '\r', '\\']) {
        line.push_str(text);
        return;
    }
    for c in text.chars() {
        match c {
            '\t' => line.push_str("\\t"),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\\' => line.push_str("\\\\"),
            c => line.push(c),
        }
    }
}
