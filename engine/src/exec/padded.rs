//! CHAR values of a result as clients get them: with blanks up to the declared length, as Redshift and Trino give them.

use crate::functions;
use crate::plan::{LENGTH_METADATA, TYPE_METADATA};
use datafusion::arrow::array::{ArrayRef, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, SchemaRef};
use datafusion::arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::error::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;
use std::sync::Arc;

/// Rows whose columns were declared as a schema says, those of CHAR padded.
pub(super) fn pad(rows: SendableRecordBatchStream, declared: &SchemaRef) -> SendableRecordBatchStream {
    let columns: Vec<(usize, usize)> =
        declared.fields().iter().enumerate().filter_map(|(at, field)| Some((at, char_length(field)?))).collect();
    if columns.is_empty() {
        return rows;
    }
    let schema = rows.schema();
    let padded = rows.map(move |batch| pad_batch(&batch?, &columns));
    Box::pin(RecordBatchStreamAdapter::new(schema, padded))
}

fn pad_batch(batch: &RecordBatch, columns: &[(usize, usize)]) -> Result<RecordBatch> {
    let mut shown = batch.columns().to_vec();
    for (at, length) in columns {
        let texts = cast(&shown[*at], &DataType::Utf8View)?;
        let padded: ArrayRef = Arc::new(functions::pad(texts.as_string_view(), *length));
        shown[*at] = cast(&padded, batch.schema().field(*at).data_type())?;
    }
    let count = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(batch.schema(), shown, &count)?)
}

/// The length of a CHAR; `None` for other types.
fn char_length(field: &Field) -> Option<usize> {
    let is_char = field.metadata().get(TYPE_METADATA).is_some_and(|name| name == "bpchar");
    field.metadata().get(LENGTH_METADATA).filter(|_| is_char)?.parse().ok()
}
