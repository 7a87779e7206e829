//! What a table asks of new rows: no NULL where there may be none, texts and bytes no longer than their type. Intervals
//! are cut to their type.

use crate::error::{Error, ErrorKind, Result};
use crate::functions;
use crate::interval::Qualifier;
use crate::tables::{self, SqlType};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringViewArray, StringViewBuilder};
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::arrow::record_batch::{RecordBatch, RecordBatchOptions};
use millrace_catalog::model::ManagedTable;
use std::sync::Arc;

/// The checks of a table's columns.
#[derive(Debug)]
pub(super) struct Checks {
    schema: SchemaRef,
    columns: Vec<Check>,
}

#[derive(Debug)]
struct Check {
    name: String,
    nullable: bool,
    /// The most bytes of a value, and the type's name for the error.
    length: Option<(usize, String)>,
    /// CHAR: blanks at the end mean nothing.
    padded: bool,
    /// What an interval keeps, if that is not all.
    interval: Option<Qualifier>,
}

impl Checks {
    /// The checks of a table.
    pub(super) fn of(table: &ManagedTable) -> Result<Self> {
        let mut columns = Vec::with_capacity(table.columns.len());
        let mut fields = Vec::with_capacity(table.columns.len());
        for column in &table.columns {
            let data_type: SqlType = column.data_type.parse()?;
            let length = match data_type {
                SqlType::Char(length) | SqlType::Varchar(length) | SqlType::VarByte(length) => {
                    Some((length as usize, column.data_type.clone()))
                }
                _ => None,
            };
            let padded = matches!(data_type, SqlType::Char(_));
            let interval = match data_type {
                SqlType::Interval(qualifier) if !qualifier.is_whole() => Some(qualifier),
                _ => None,
            };
            columns.push(Check { name: column.name.clone(), nullable: column.nullable, length, padded, interval });
            fields.push(tables::arrow_field(column)?.with_nullable(true));
        }
        Ok(Self { schema: Arc::new(Schema::new(fields)), columns })
    }

    /// The schema of checked batches.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The rows as they are stored.
    ///
    /// # Errors
    /// `NotNull`; `StringTruncation` for bytes that are too long, and for a text that is without the blanks at its end.
    pub(super) fn check(&self, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
        let mut stored = Vec::with_capacity(columns.len());
        for (array, check) in columns.into_iter().zip(&self.columns) {
            if !check.nullable && array.null_count() > 0 {
                let message = format!("cannot insert a NULL value into column {}", check.name);
                return Err(Error::new(ErrorKind::NotNull, message));
            }
            stored.push(match (&check.length, check.interval) {
                (Some((length, name)), _) => fit(array, *length, check.padded, name, &check.name)?,
                (None, Some(qualifier)) => functions::as_interval(&array, qualifier)?,
                (None, None) => array,
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), stored, &options)?)
    }
}

fn too_long(type_name: &str, column: &str, bytes: usize, most: usize) -> Error {
    Error::new(ErrorKind::StringTruncation, format!("value too long for type {type_name}"))
        .with_detail(format!("column \"{column}\": {bytes} bytes, at most {most}"))
}

/// Values within their length, bytes as they are: of texts, blanks beyond it are cut, as in PostgreSQL.
fn fit(array: ArrayRef, length: usize, padded: bool, type_name: &str, column: &str) -> Result<ArrayRef> {
    if let Some(values) = array.as_binary_view_opt() {
        return match values.iter().flatten().find(|value| value.len() > length) {
            Some(value) => Err(too_long(type_name, column, value.len(), length)),
            None => Ok(array),
        };
    }
    let texts: &StringViewArray = array.as_string_view();
    // Lengths stand in the views: the texts themselves are looked at for blanks only.
    let is_blank_ended = || texts.iter().flatten().any(|text| text.as_bytes().last() == Some(&b' '));
    if texts.lengths().all(|bytes| bytes as usize <= length) && !(padded && is_blank_ended()) {
        return Ok(array);
    }
    let mut fitted = StringViewBuilder::with_capacity(texts.len());
    for text in texts {
        let Some(text) = text else {
            fitted.append_null();
            continue;
        };
        let text = if padded { text.trim_end_matches(' ') } else { text };
        let kept = if text.len() <= length { text } else { text.trim_end_matches(' ') };
        if kept.len() > length {
            return Err(too_long(type_name, column, kept.len(), length));
        }
        // Blanks up to the length stay.
        let end = text.len().min(length.max(kept.len()));
        fitted.append_value(&text[..end]);
    }
    Ok(Arc::new(fitted.finish()))
}
