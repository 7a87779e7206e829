//! The aligned table, in psql's manner: header, rule, rows, and a footer with the number of rows.
//!
//! Widths come from the first [`MEASURED`] rows, which are kept until they are known; later rows stream. On a
//! terminal a later value that is too wide is cut, elsewhere it is printed in full and only the alignment suffers.

use super::cell::{Cells, cut, escape_controls, is_right_aligned, width};
use super::fit::{Fitted, Wish, fit};
use super::{End, Layout, PrintError, Printer};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use std::borrow::Cow;
use std::io::Write;

/// Rows that are looked at to find the widths.
const MEASURED: usize = 1_000;

/// Prints a table.
pub(super) struct Table {
    schema: SchemaRef,
    layout: Layout,
    kept: Vec<RecordBatch>,
    kept_rows: usize,
    frame: Option<Frame>,
}

impl Table {
    /// A table of a schema's columns.
    pub(super) fn new(schema: SchemaRef, layout: Layout) -> Self {
        Self { schema, layout, kept: Vec::new(), kept_rows: 0, frame: None }
    }

    /// Measures and prints what was kept, header first; does nothing the second time.
    fn open(&mut self, out: &mut dyn Write) -> Result<&Frame, PrintError> {
        let kept = std::mem::take(&mut self.kept);
        let frame = if let Some(frame) = self.frame.take() {
            frame
        } else {
            let frame = Frame::measure(&self.schema, &kept, &self.layout)?;
            frame.header(&self.schema, out)?;
            frame
        };
        for batch in &kept {
            frame.rows(batch, out)?;
        }
        Ok(self.frame.insert(frame))
    }
}

impl Printer for Table {
    fn batch(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> Result<(), PrintError> {
        if let Some(frame) = &self.frame {
            return frame.rows(batch, out);
        }
        self.kept_rows += batch.num_rows();
        self.kept.push(batch.clone());
        if self.kept_rows >= MEASURED {
            self.open(out)?;
        }
        Ok(())
    }

    fn finish(&mut self, end: End, out: &mut dyn Write) -> Result<(), PrintError> {
        let elided = self.open(out)?.fitted.elided();
        writeln!(out, "{}", end.footer())?;
        if elided > 0 {
            let columns = if elided == 1 { "column" } else { "columns" };
            writeln!(out, "… {elided} more {columns}: use \\x or --format vertical")?;
        }
        Ok(())
    }
}

/// The columns of a table: how wide, on which side, which are left out.
struct Frame {
    fitted: Fitted,
    right: Vec<bool>,
    /// Values are cut to their column's width.
    cuts: bool,
    /// A table of one column keeps the line ends of its values.
    lines: bool,
    null: String,
}

impl Frame {
    fn measure(schema: &SchemaRef, batches: &[RecordBatch], layout: &Layout) -> Result<Self, ArrowError> {
        let right: Vec<bool> = schema.fields().iter().map(|field| is_right_aligned(field.data_type())).collect();
        let lines = right.len() == 1;
        let null = layout.null.clone().unwrap_or_default();
        let mut widths: Vec<usize> =
            schema.fields().iter().map(|field| width(&escape_controls(field.name()))).collect();
        let mut seen = 0;
        let mut text = String::new();
        for batch in batches {
            let cells = Cells::new(batch)?;
            for row in 0..batch.num_rows().min(MEASURED - seen) {
                for (column, widest) in widths.iter_mut().enumerate() {
                    let shown = shown(&cells, column, row, &mut text, &null)?;
                    let needed =
                        if lines { shown.lines().map(line_width).max().unwrap_or(0) } else { line_width(shown) };
                    *widest = needed.max(*widest);
                }
            }
            seen += batch.num_rows().min(MEASURED - seen);
        }
        let wish = |(width, right): (&usize, &bool)| Wish { width: *width, can_cut: !right };
        let wishes: Vec<Wish> = widths.iter().zip(&right).map(wish).collect();
        let cuts = layout.width.is_some() && !lines;
        Ok(Self { fitted: fit(&wishes, layout.width), right, cuts, lines, null })
    }

    fn header(&self, schema: &SchemaRef, out: &mut dyn Write) -> Result<(), PrintError> {
        let mut line = Line::default();
        let mut rule = String::new();
        self.each_column(|place| {
            let Place::Column(column) = place else {
                line.cell("…", 1, Side::Left);
                rule.push_str("+---");
                return Ok(());
            };
            let name = escape_controls(schema.field(column).name());
            let name = if self.cuts { cut(&name, self.fitted.widths[column]) } else { Cow::Borrowed(&*name) };
            line.cell(&name, self.fitted.widths[column], Side::Middle);
            rule.push('+');
            rule.extend(std::iter::repeat_n('-', self.fitted.widths[column] + 2));
            Ok(())
        })?;
        line.write(out)?;
        writeln!(out, "{}", rule.strip_prefix('+').unwrap_or(&rule))?;
        Ok(())
    }

    fn rows(&self, batch: &RecordBatch, out: &mut dyn Write) -> Result<(), PrintError> {
        let cells = Cells::new(batch)?;
        let mut text = String::new();
        let mut line = Line::default();
        for row in 0..batch.num_rows() {
            line.clear();
            self.each_column(|place| {
                let Place::Column(column) = place else {
                    line.cell("…", 1, Side::Left);
                    return Ok(());
                };
                let value = shown(&cells, column, row, &mut text, &self.null)?;
                if self.lines && value.contains('\n') {
                    line.lines(value);
                    return Ok(());
                }
                let value = escape_controls(value);
                let wide = self.fitted.widths[column];
                // A number that outgrew its column stays whole.
                let value = if self.cuts && !self.right[column] { cut(&value, wide) } else { value };
                line.cell(&value, wide, if self.right[column] { Side::Right } else { Side::Left });
                Ok(())
            })?;
            line.write(out)?;
        }
        Ok(())
    }

    /// Visits the shown columns in order, and the gap where there is one.
    fn each_column(&self, mut visit: impl FnMut(Place) -> Result<(), ArrowError>) -> Result<(), ArrowError> {
        let Fitted { head, tail, ref widths } = self.fitted;
        (0..head).try_for_each(|column| visit(Place::Column(column)))?;
        if self.fitted.elided() > 0 {
            visit(Place::Gap)?;
        }
        (widths.len() - tail..widths.len()).try_for_each(|column| visit(Place::Column(column)))
    }
}

/// What stands at a place of a line.
enum Place {
    /// A column, by its index.
    Column(usize),
    /// The gap where columns are left out.
    Gap,
}

/// The text of a value, or what stands for NULL.
fn shown<'t>(
    cells: &Cells<'_>,
    column: usize,
    row: usize,
    text: &'t mut String,
    null: &'t str,
) -> Result<&'t str, ArrowError> {
    Ok(if cells.read(column, row, text)? { text } else { null })
}

fn line_width(text: &str) -> usize {
    width(&escape_controls(text))
}

/// Where a value stands in its column.
#[derive(Clone, Copy)]
enum Side {
    Left,
    Middle,
    Right,
}

/// A line under construction; blanks at its end are not written.
#[derive(Default)]
struct Line {
    text: String,
}

impl Line {
    fn clear(&mut self) {
        self.text.clear();
    }

    fn cell(&mut self, value: &str, wide: usize, side: Side) {
        let blanks = wide.saturating_sub(width(value));
        let before = match side {
            Side::Left => 0,
            Side::Middle => blanks / 2,
            Side::Right => blanks,
        };
        self.text.push_str(if self.text.is_empty() { " " } else { " | " });
        self.pad(before);
        self.text.push_str(value);
        self.pad(blanks - before);
    }

    /// A value of several lines, the only one of its row.
    fn lines(&mut self, value: &str) {
        for (index, line) in value.lines().enumerate() {
            self.text.push_str(if index == 0 { " " } else { "\n " });
            self.text.push_str(&escape_controls(line));
        }
    }

    fn pad(&mut self, blanks: usize) {
        self.text.extend(std::iter::repeat_n(' ', blanks));
    }

    fn write(&self, out: &mut dyn Write) -> Result<(), PrintError> {
        writeln!(out, "{}", self.text.trim_end_matches(' '))?;
        Ok(())
    }
}
