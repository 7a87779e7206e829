//! Intervals as the servers write them; arrow's formatters have words of their own.

use super::{End, PrintError, Printer};
use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use millrace_engine::interval::{as_texts, is_interval};
use std::io::Write;
use std::sync::Arc;

/// Whether a result has columns that are to be made texts.
pub(super) fn are_in(schema: &Schema) -> bool {
    schema.fields().iter().any(|field| is_interval(field.data_type()))
}

/// The schema with texts for intervals.
pub(super) fn shown(schema: &Schema) -> SchemaRef {
    let shown = |field: &FieldRef| {
        if is_interval(field.data_type()) {
            Arc::new(Field::new(field.name(), DataType::Utf8View, field.is_nullable()))
        } else {
            Arc::clone(field)
        }
    };
    Arc::new(Schema::new(schema.fields().iter().map(shown).collect::<Vec<_>>()))
}

/// Prints intervals as texts, everything as another printer does.
pub(super) struct Spelled {
    pub(super) inner: Box<dyn Printer>,
}

impl Printer for Spelled {
    fn batch(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> Result<(), PrintError> {
        let columns = batch.columns().iter();
        let columns = columns
            .map(|column| if is_interval(column.data_type()) { as_texts(column) } else { Ok(ArrayRef::clone(column)) });
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        self.inner.batch(&RecordBatch::try_new(shown(batch.schema_ref()), columns)?, out)
    }

    fn finish(&mut self, end: End, out: &mut dyn Write) -> Result<(), PrintError> {
        self.inner.finish(end, out)
    }
}
