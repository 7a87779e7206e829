//! A table's rows in the catalog (DuckLake's data inlining), as batches and back.

use super::scan::InlinedRows;
use super::types::{SqlType, arrow_field};
use super::values::{parse_value, value_text};
use crate::error::{Error, ErrorKind, Result};
use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Schema};
use datafusion::common::ScalarValue;
use millrace_catalog::manifest::{self, InlinedValue};
use millrace_catalog::model::{ManagedColumn, ManagedTable};
use std::sync::Arc;

/// Rows of the catalog as a scan reads them, in the table's columns as they are now.
///
/// # Errors
/// `DataCorrupted` for a value that is not of its column's type.
pub fn decode_inlined(table: &ManagedTable, inlined: &manifest::InlinedRows) -> Result<InlinedRows> {
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(table.columns.len());
    let mut fields = Vec::with_capacity(table.columns.len());
    for column in &table.columns {
        let field = arrow_field(column)?;
        let place = inlined.columns.iter().position(|id| *id == column.id);
        let values = inlined.rows.iter().map(|row| match place.and_then(|at| row.values.get(at)) {
            Some(value) => decode(column, value),
            None => initial(column),
        });
        columns.push(ScalarValue::iter_to_array(values.collect::<Result<Vec<_>>>()?)?);
        fields.push(field);
    }
    let row_ids = inlined.rows.iter().map(|row| row.row_id).collect::<Int64Array>();
    let rows = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
        .map_err(|e| corrupted(&format!("rows of table \"{}\" in the catalog: {e}", table.name)))?;
    Ok(InlinedRows { rows, row_ids })
}

/// The rows of a batch in the table's columns, as the catalog keeps them; `None` when a value cannot be kept there.
pub fn encode_inlined(table: &ManagedTable, batch: &RecordBatch) -> Result<Option<Vec<Vec<InlinedValue>>>> {
    let mut rows = Vec::with_capacity(batch.num_rows());
    for row in 0..batch.num_rows() {
        let mut values = Vec::with_capacity(table.columns.len());
        for array in batch.columns() {
            match encode(&ScalarValue::try_from_array(array, row)?) {
                Some(value) => values.push(value),
                None => return Ok(None),
            }
        }
        rows.push(values);
    }
    Ok(Some(rows))
}

fn initial(column: &ManagedColumn) -> Result<ScalarValue> {
    let data_type: SqlType = column.data_type.parse()?;
    match &column.initial {
        Some(text) => parse_value(text, data_type),
        None => Ok(ScalarValue::try_new_null(&data_type.to_arrow())?),
    }
}

fn decode(column: &ManagedColumn, value: &InlinedValue) -> Result<ScalarValue> {
    let data_type: SqlType = column.data_type.parse()?;
    let wrong = || corrupted(&format!("a value of column \"{}\" in the catalog is not {data_type}", column.name));
    Ok(match (value, data_type.to_arrow()) {
        (InlinedValue::Null, arrow) => ScalarValue::try_new_null(&arrow)?,
        (InlinedValue::Integer(value), DataType::Boolean) => ScalarValue::Boolean(Some(*value != 0)),
        (InlinedValue::Integer(value), arrow) => {
            ScalarValue::Int64(Some(*value)).cast_to(&arrow).map_err(|_| wrong())?
        }
        (InlinedValue::Text(text), _) => parse_value(text, data_type).map_err(|_| wrong())?,
        (InlinedValue::Blob(bytes), DataType::BinaryView) => ScalarValue::BinaryView(Some(bytes.clone())),
        (InlinedValue::Blob(_), _) => return Err(wrong()),
    })
}

fn encode(value: &ScalarValue) -> Option<InlinedValue> {
    if value.is_null() {
        return Some(InlinedValue::Null);
    }
    match value {
        ScalarValue::Boolean(Some(value)) => Some(InlinedValue::Integer(i64::from(*value))),
        ScalarValue::Int16(Some(value)) => Some(InlinedValue::Integer(i64::from(*value))),
        ScalarValue::Int32(Some(value)) => Some(InlinedValue::Integer(i64::from(*value))),
        ScalarValue::Int64(Some(value)) => Some(InlinedValue::Integer(*value)),
        ScalarValue::BinaryView(Some(bytes)) => Some(InlinedValue::Blob(bytes.clone())),
        other => value_text(other).map(InlinedValue::Text),
    }
}

fn corrupted(message: &str) -> Error {
    Error::new(ErrorKind::DataCorrupted, message)
}
