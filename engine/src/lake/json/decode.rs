//! Blocks of JSON into batches.

use super::columns::{JsonColumns, Text};
use super::lexer::{Lexer, Malformed};
use super::names::{KeyOrder, Names};
use super::options::{JsonLayout, JsonOptions, JsonSerde};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::records::{Block, BlockDecoder, RecordError};
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Schema, SchemaRef};
use std::ops::Range;
use std::sync::Arc;

type Outcome<T> = std::result::Result<T, RecordError>;

/// A value that is not there.
const MISSING: (u32, u32) = (u32::MAX, 0);

/// Decodes some columns of a JSON table.
#[derive(Debug)]
pub(super) struct JsonDecoder {
    schema: SchemaRef,
    names: Names,
    /// The columns' positions in the table, for records that are arrays.
    positions: Vec<usize>,
    columns: JsonColumns,
    options: JsonOptions,
}

/// Where the values of a block's records stand.
struct Rows {
    /// A span for each column of each record.
    spans: Vec<(u32, u32)>,
    /// Where each record begins.
    starts: Vec<u32>,
}

impl JsonDecoder {
    /// A decoder of the columns `projection` of `file_schema`; a type that JSON cannot hold is an error.
    pub(super) fn new(options: JsonOptions, file_schema: &Schema, projection: &[usize]) -> Result<Self> {
        let schema = file_schema.project(projection).map_err(|e| Error::internal(e.to_string()))?;
        let columns = JsonColumns::new(&options, schema.fields())?;
        let names = Names::new(&options, schema.fields().iter().map(|field| field.name().as_str()));
        Ok(Self { schema: Arc::new(schema), names, positions: projection.to_vec(), columns, options })
    }

    fn rows(&self, bytes: &[u8]) -> Outcome<Rows> {
        let mut rows = Rows { spans: Vec::new(), starts: Vec::new() };
        let mut order = KeyOrder::new(&self.names);
        match &self.options.layout {
            JsonLayout::Lines => self.lines(bytes, &mut order, &mut rows)?,
            JsonLayout::Documents(_) => self.documents(bytes, &mut order, &mut rows)?,
        }
        Ok(rows)
    }

    fn lines<'a>(&self, bytes: &'a [u8], order: &mut KeyOrder<'a, '_>, rows: &mut Rows) -> Outcome<()> {
        let mut start = 0;
        while start < bytes.len() {
            let end = memchr::memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |at| start + at);
            let mut lexer = Lexer::new(&bytes[..end], start);
            if lexer.peek().is_some() {
                let done = self.record(&mut lexer, order, rows, start).and_then(|()| self.line_end(&mut lexer));
                if let Err(malformed) = done {
                    self.pass_over(bytes, start, malformed, rows)?;
                }
            } else if self.options.blank_is_row() {
                self.begin(rows, start);
            }
            start = end + 1;
        }
        Ok(())
    }

    /// OpenX passes over what follows a record in its line; it is an error elsewhere.
    fn line_end(&self, lexer: &mut Lexer<'_>) -> std::result::Result<(), Malformed> {
        if self.options.serde == JsonSerde::OpenX || lexer.peek().is_none() {
            return Ok(());
        }
        Err(Malformed { at: lexer.at, expected: "the end of the line" })
    }

    fn documents<'a>(&self, bytes: &'a [u8], order: &mut KeyOrder<'a, '_>, rows: &mut Rows) -> Outcome<()> {
        let mut lexer = Lexer::new(bytes, 0);
        while let Some(first) = lexer.peek() {
            let start = lexer.at;
            let done = match first {
                b'{' => self.record(&mut lexer, order, rows, start),
                _ => Err(Malformed { at: start, expected: "\"{\"" }),
            };
            done.map_err(|malformed| self.error(bytes, start, malformed))?;
        }
        Ok(())
    }

    fn begin(&self, rows: &mut Rows, start: usize) -> usize {
        let base = rows.spans.len();
        rows.starts.push(start as u32);
        rows.spans.resize(base + self.positions.len(), MISSING);
        base
    }

    fn record<'a>(
        &self,
        lexer: &mut Lexer<'a>,
        order: &mut KeyOrder<'a, '_>,
        rows: &mut Rows,
        start: usize,
    ) -> std::result::Result<(), Malformed> {
        let base = self.begin(rows, start);
        let spans = &mut rows.spans[base..];
        let span = |value: Range<usize>| (value.start as u32, value.end as u32);
        if self.options.serde == JsonSerde::OpenX && lexer.peek() == Some(b'[') {
            let mut position = 0;
            return lexer.array(0, |value| {
                if let Some(column) = self.positions.iter().position(|at| *at == position) {
                    spans[column] = span(value);
                }
                position += 1;
            });
        }
        order.restart();
        lexer.object(0, |key, value| {
            if let Some(column) = order.column(key) {
                spans[column] = span(value);
            }
        })
    }

    /// Makes the record that was begun last a row of NULLs, or an error.
    fn pass_over(&self, bytes: &[u8], start: usize, malformed: Malformed, rows: &mut Rows) -> Outcome<()> {
        if !self.options.ignore_malformed {
            return Err(self.error(bytes, start, malformed));
        }
        let base = rows.spans.len() - self.positions.len();
        rows.spans[base..].fill(MISSING);
        Ok(())
    }

    fn error(&self, bytes: &[u8], start: usize, malformed: Malformed) -> RecordError {
        let (line_start, before) = match &self.options.layout {
            JsonLayout::Lines => (start, &bytes[start..malformed.at]),
            // The line of the fault, not that of the document.
            JsonLayout::Documents(_) => {
                let line = memchr::memrchr(b'\n', &bytes[..malformed.at]).map_or(0, |at| at + 1);
                (line, &bytes[line..malformed.at])
            }
        };
        RecordError {
            at: line_start,
            character: Some(String::from_utf8_lossy(before).chars().count() + 1),
            error: Error::new(ErrorKind::InvalidText, format!("invalid JSON: expected {}", malformed.expected)),
        }
    }

    /// The number of records, which is all that is asked when there are no columns. Lines are not looked into.
    fn count(&self, bytes: &[u8]) -> Outcome<usize> {
        if matches!(self.options.layout, JsonLayout::Documents(_)) {
            return Ok(self.rows(bytes)?.starts.len());
        }
        if self.options.blank_is_row() {
            let open = usize::from(bytes.last().is_some_and(|last| *last != b'\n'));
            return Ok(memchr::memchr_iter(b'\n', bytes).count() + open);
        }
        let lines = bytes.split(|byte| *byte == b'\n');
        Ok(lines.filter(|line| line.iter().any(|byte| !matches!(byte, b' ' | b'\t' | b'\r'))).count())
    }

    fn batch(&self, text: Text<'_>, rows: &Rows, range: Range<usize>) -> Outcome<RecordBatch> {
        let width = self.positions.len();
        let mut arrays = Vec::with_capacity(width);
        for (index, field) in self.schema.fields().iter().enumerate() {
            let cells = range.clone().map(|row| match rows.spans[row * width + index] {
                MISSING => Ok(None),
                (start, end) => text.get(row, start as usize..end as usize).map(Some),
            });
            let at = |row: usize| rows.starts[range.start + row] as usize;
            let cells: Vec<_> = cells.collect::<std::result::Result<_, usize>>().map_err(|row| RecordError {
                at: rows.starts[row] as usize,
                character: None,
                error: Error::new(
                    ErrorKind::InvalidText,
                    format!("the value of column \"{}\" is not UTF-8", field.name()),
                ),
            })?;
            let array = self.columns.array(index, &cells).map_err(|bad| RecordError {
                at: at(bad.row),
                character: None,
                error: bad.error(field.name()),
            })?;
            arrays.push(array);
        }
        new_batch(&self.schema, arrays, range.len())
    }
}

impl BlockDecoder for JsonDecoder {
    fn decode(&self, block: &Block, batch_size: usize) -> Outcome<Vec<RecordBatch>> {
        if self.schema.fields().is_empty() {
            return Ok(vec![new_batch(&self.schema, Vec::new(), self.count(&block.bytes)?)?]);
        }
        let rows = self.rows(&block.bytes)?;
        let text = Text::new(&block.bytes);
        let count = rows.starts.len();
        // Batches of equal size, lest the last be a small one in each block.
        let size = count.div_ceil(count.div_ceil(batch_size).max(1)).max(1);
        (0..count).step_by(size).map(|from| self.batch(text, &rows, from..(from + size).min(count))).collect()
    }
}

/// A batch, also without columns.
fn new_batch(schema: &SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Outcome<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options).map_err(|e| RecordError {
        at: 0,
        character: None,
        error: Error::new(ErrorKind::Data, e.to_string()),
    })
}
