//! Small results that statements build themselves: rows of text in memory.

use crate::error::{Error, Result};
use crate::result::{CommandTag, StatementResult};
use datafusion::arrow::array::{ArrayRef, BooleanArray, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::physical_plan::memory::MemoryStream;
use std::sync::Arc;

/// A result of text columns.
pub(crate) fn text<const N: usize>(
    verb: &'static str,
    columns: &[&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> Result<StatementResult> {
    optional(verb, columns, rows.into_iter().map(|row| row.map(Some)))
}

/// A result of one truth value.
pub(crate) fn boolean(verb: &'static str, column: &str, value: bool) -> Result<StatementResult> {
    let schema = Arc::new(Schema::new(vec![Field::new(column, DataType::Boolean, true)]));
    of_arrays(verb, schema, vec![Arc::new(BooleanArray::from(vec![value]))])
}

/// A result of text columns with NULLs.
pub(crate) fn optional<const N: usize>(
    verb: &'static str,
    columns: &[&str; N],
    rows: impl IntoIterator<Item = [Option<String>; N]>,
) -> Result<StatementResult> {
    let mut values: [Vec<Option<String>>; N] = std::array::from_fn(|_| Vec::new());
    for row in rows {
        for (column, value) in values.iter_mut().zip(row) {
            column.push(value);
        }
    }
    let fields = columns.iter().map(|name| Field::new(*name, DataType::Utf8, true)).collect::<Vec<_>>();
    let schema = Arc::new(Schema::new(fields));
    let arrays = values.into_iter().map(|column| Arc::new(StringArray::from(column)) as ArrayRef).collect();
    of_arrays(verb, schema, arrays)
}

fn of_arrays(verb: &'static str, schema: SchemaRef, arrays: Vec<ArrayRef>) -> Result<StatementResult> {
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays)?;
    let rows = MemoryStream::try_new(vec![batch], Arc::clone(&schema), None).map_err(Error::from)?;
    Ok(StatementResult {
        schema,
        rows: Some(Box::pin(rows)),
        tag: CommandTag::Rows(verb),
        notices: Vec::new(),
        progress: None,
    })
}
