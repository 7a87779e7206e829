//! Blocks of text into batches.

use super::columns::{Levels, column_array};
use super::fields::{Rows, Splitter};
use super::options::{TextOptions, TextSerde};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::records::{BadCell, Block, BlockDecoder, Epoch, RecordError, ScalarRules, check_scalar};
use arrow::array::{ArrayRef, BinaryBuilder, BinaryViewBuilder, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Schema, SchemaRef};
use std::ops::Range;
use std::sync::Arc;

/// Decodes some columns of a text table.
#[derive(Debug)]
pub(super) struct TextDecoder {
    schema: SchemaRef,
    splitter: Splitter,
    levels: Levels,
}

impl TextDecoder {
    /// A decoder of the columns `projection` of `file_schema`; a type that text cannot hold is an error.
    pub(super) fn new(options: TextOptions, file_schema: &Schema, projection: &[usize]) -> Result<Self> {
        let schema = file_schema.project(projection).map_err(|e| Error::internal(e.to_string()))?;
        let csv = options.serde == TextSerde::OpenCsv;
        let levels = Levels::new(&options, rules(&options));
        for field in schema.fields() {
            if csv { check_scalar(field.data_type()) } else { levels.check(field.data_type(), 1) }?;
        }
        Ok(Self { schema: Arc::new(schema), splitter: Splitter::new(options, projection), levels })
    }

    fn batch(&self, source: &Source<'_>, rows: Range<usize>) -> std::result::Result<RecordBatch, RecordError> {
        let mut columns = Vec::with_capacity(self.schema.fields().len());
        for (index, field) in self.schema.fields().iter().enumerate() {
            let array = self.column(source, index, field.data_type(), rows.clone()).map_err(|bad| RecordError {
                at: source.rows.start(rows.start + bad.row),
                character: None,
                error: bad.error(field.name()),
            })?;
            columns.push(array);
        }
        new_batch(&self.schema, columns, rows.len())
    }

    fn column(
        &self,
        source: &Source<'_>,
        index: usize,
        data_type: &DataType,
        rows: Range<usize>,
    ) -> std::result::Result<ArrayRef, BadCell> {
        // Bytes that are no text can only be what a binary column holds as they are.
        if source.block_text.is_none() && matches!(data_type, DataType::Binary | DataType::BinaryView) {
            return Ok(source.binary_column(index, data_type, rows, self.levels.null_format()));
        }
        let cells = source.cells(index, data_type, rows, &self.levels)?;
        column_array(data_type, &cells, &self.levels, 1)
    }
}

impl BlockDecoder for TextDecoder {
    fn decode(&self, block: &Block, batch_size: usize) -> std::result::Result<Vec<RecordBatch>, RecordError> {
        if self.schema.fields().is_empty() {
            return Ok(vec![new_batch(&self.schema, Vec::new(), self.splitter.count(&block.bytes)?)?]);
        }
        let rows = self.splitter.split(&block.bytes)?;
        let source = Source {
            block: &block.bytes,
            block_text: std::str::from_utf8(&block.bytes).ok(),
            arena_text: std::str::from_utf8(rows.arena()).ok(),
            rows: &rows,
        };
        // Batches of equal size, lest the last be a small one in each block.
        let size = rows.len().div_ceil(rows.len().div_ceil(batch_size).max(1)).max(1);
        (0..rows.len()).step_by(size).map(|from| self.batch(&source, from..(from + size).min(rows.len()))).collect()
    }
}

/// A batch, also without columns.
fn new_batch(schema: &SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> std::result::Result<RecordBatch, RecordError> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options).map_err(|e| RecordError {
        at: 0,
        character: None,
        error: Error::new(ErrorKind::Data, e.to_string()),
    })
}

fn rules(options: &TextOptions) -> ScalarRules {
    let csv = options.serde == TextSerde::OpenCsv;
    ScalarRules {
        invalid_values: options.invalid_values,
        epoch: if csv { Epoch::Milliseconds } else { Epoch::No },
        boolean_digits: csv,
        integral_floats: false,
        base64: !csv,
        // OpenCSV's escapes are resolved with its quotes.
        escape: options.escape.filter(|_| !csv),
        escaped_line_breaks: options.escaped_line_breaks,
    }
}

/// A split block.
struct Source<'a> {
    block: &'a [u8],
    /// The block as text, checked once; `None` when some byte of it is no UTF-8, and each value must be checked.
    block_text: Option<&'a str>,
    arena_text: Option<&'a str>,
    rows: &'a Rows,
}

impl<'a> Source<'a> {
    fn bytes(&self, row: usize, column: usize) -> Option<&'a [u8]> {
        let (range, arena) = self.rows.place(row, column)?;
        if arena { self.rows.arena().get(range) } else { self.block.get(range) }
    }

    /// The texts of a column; `None` is NULL.
    fn cells(
        &self,
        column: usize,
        data_type: &DataType,
        rows: Range<usize>,
        levels: &Levels,
    ) -> std::result::Result<Vec<Option<&'a str>>, BadCell> {
        let first = rows.start;
        let mut cells = Vec::with_capacity(rows.len());
        for row in rows {
            let text = match self.rows.place(row, column) {
                None => None,
                Some((range, arena)) => {
                    let whole = if arena { self.arena_text } else { self.block_text };
                    match whole.and_then(|text| text.get(range)) {
                        Some(text) => Some(text),
                        None => match self.checked(row, column, data_type) {
                            Ok(text) => Some(text),
                            Err(_) if levels.invalid_is_null() => None,
                            Err(bad) => return Err(bad.at_row(row - first)),
                        },
                    }
                }
            };
            cells.push(text.filter(|text| Some(*text) != levels.null_format()));
        }
        Ok(cells)
    }

    #[cold]
    fn checked(&self, row: usize, column: usize, data_type: &DataType) -> std::result::Result<&'a str, BadCell> {
        let bytes = self.bytes(row, column).unwrap_or_default();
        std::str::from_utf8(bytes).map_err(|_| BadCell::not_utf8(row, bytes, data_type))
    }

    fn binary_column(&self, column: usize, data_type: &DataType, rows: Range<usize>, null: Option<&str>) -> ArrayRef {
        let cells = rows.map(|row| self.bytes(row, column).filter(|bytes| Some(*bytes) != null.map(str::as_bytes)));
        if *data_type == DataType::Binary {
            let mut builder = BinaryBuilder::new();
            cells.for_each(|cell| builder.append_option(cell));
            Arc::new(builder.finish())
        } else {
            let mut builder = BinaryViewBuilder::new();
            cells.for_each(|cell| builder.append_option(cell));
            Arc::new(builder.finish())
        }
    }
}
