//! psql's expanded output: a block for each row, a line for each column.

use super::cell::{Cells, escape_controls, width};
use super::{End, Layout, PrintError, Printer, Rest};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use std::io::Write;

/// Prints blocks.
pub(super) struct Vertical {
    names: Vec<String>,
    name_width: usize,
    null: String,
    width: Option<usize>,
    records: u64,
}

impl Vertical {
    /// Blocks of a schema's columns.
    pub(super) fn new(schema: &SchemaRef, layout: Layout) -> Self {
        let names: Vec<String> =
            schema.fields().iter().map(|field| escape_controls(field.name()).into_owned()).collect();
        let name_width = names.iter().map(|name| width(name)).max().unwrap_or(0);
        Self { names, name_width, null: layout.null.unwrap_or_default(), width: layout.width, records: 0 }
    }

    /// `-[ RECORD 1 ]-+------`, as wide as the block below it.
    fn heading(&self, widest: usize) -> String {
        let mut line = format!("-[ RECORD {} ]", self.records);
        let bar = self.name_width + 1;
        while line.len() < bar {
            line.push('-');
        }
        if line.len() == bar {
            line.push('+');
        }
        let full = bar + 2 + widest;
        let full = self.width.map_or(full, |terminal| full.min(terminal));
        line.extend(std::iter::repeat_n('-', full.saturating_sub(line.len())));
        line
    }
}

impl Printer for Vertical {
    fn batch(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> Result<(), PrintError> {
        let cells = Cells::new(batch)?;
        let mut values = vec![String::new(); self.names.len()];
        for row in 0..batch.num_rows() {
            let mut widest = 0;
            for (column, value) in values.iter_mut().enumerate() {
                if !cells.read(column, row, value)? {
                    value.clone_from(&self.null);
                }
                widest = widest.max(value.lines().map(|line| width(&escape_controls(line))).max().unwrap_or(0));
            }
            self.records += 1;
            writeln!(out, "{}", self.heading(widest))?;
            for (name, value) in self.names.iter().zip(&values) {
                self.entry(name, value, out)?;
            }
        }
        Ok(())
    }

    fn finish(&mut self, end: End, out: &mut dyn Write) -> Result<(), PrintError> {
        if end.printed == 0 || end.rest != Rest::Nothing {
            writeln!(out, "{}", end.footer())?;
        }
        Ok(())
    }
}

impl Vertical {
    /// A column's line; a value of several lines goes on under its first.
    fn entry(&self, name: &str, value: &str, out: &mut dyn Write) -> Result<(), PrintError> {
        let mut lines = value.split('\n');
        let blanks = self.name_width - width(name);
        let first = escape_controls(lines.next().unwrap_or_default());
        writeln!(out, "{}", format!("{name}{:blanks$} | {first}", "").trim_end_matches(' '))?;
        for line in lines {
            writeln!(
                out,
                "{}",
                format!("{:1$} | {2}", "", self.name_width, escape_controls(line)).trim_end_matches(' ')
            )?;
        }
        Ok(())
    }
}
