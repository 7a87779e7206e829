//! JSON: an array of objects, or an object a line. NULL is written as `null`, decimals as exact numbers, nested
//! values as arrays and objects.

use super::cell::{DATE, TIME, TIMESTAMP, TIMESTAMP_TZ};
use super::{End, PrintError, Printer};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::WriterBuilder;
use arrow::json::writer::LineDelimited;
use arrow::record_batch::RecordBatch;
use std::io::Write;
use std::sync::Arc;

/// Rows encoded at a time, which bounds the text held.
const CHUNK: usize = 1_024;

/// Prints JSON.
pub(super) struct Json {
    /// The schema in types that have a JSON form.
    schema: SchemaRef,
    array: bool,
    any: bool,
}

impl Json {
    /// One array.
    pub(super) fn array(schema: &SchemaRef) -> Self {
        Self { schema: encodable_schema(schema), array: true, any: false }
    }

    /// One object a line.
    pub(super) fn lines(schema: &SchemaRef) -> Self {
        Self { array: false, ..Self::array(schema) }
    }

    fn object(&mut self, object: &[u8], out: &mut dyn Write) -> Result<(), PrintError> {
        if self.array {
            out.write_all(if self.any { b",\n " } else { b"[" })?;
        }
        self.any = true;
        out.write_all(object)?;
        if !self.array {
            out.write_all(b"\n")?;
        }
        Ok(())
    }
}

impl Printer for Json {
    fn batch(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> Result<(), PrintError> {
        let mut text = Vec::new();
        for start in (0..batch.num_rows()).step_by(CHUNK) {
            let rows = encodable(&batch.slice(start, CHUNK.min(batch.num_rows() - start)), &self.schema)?;
            text.clear();
            let mut writer = builder().build::<_, LineDelimited>(&mut text);
            writer.write(&rows)?;
            writer.finish()?;
            drop(writer);
            // Line ends inside of texts are escaped, so that every line is an object.
            for object in text.split(|byte| *byte == b'\n').filter(|object| !object.is_empty()) {
                self.object(object, out)?;
            }
        }
        Ok(())
    }

    fn finish(&mut self, _end: End, out: &mut dyn Write) -> Result<(), PrintError> {
        match (self.array, self.any) {
            (true, true) => out.write_all(b"]\n")?,
            (true, false) => out.write_all(b"[]\n")?,
            (false, _) => {}
        }
        Ok(())
    }
}

fn builder() -> WriterBuilder {
    WriterBuilder::new()
        .with_explicit_nulls(true)
        .with_date_format(DATE.to_owned())
        .with_datetime_format(TIMESTAMP.to_owned())
        .with_timestamp_format(TIMESTAMP.to_owned())
        .with_timestamp_tz_format(TIMESTAMP_TZ.to_owned())
        .with_time_format(TIME.to_owned())
}

/// The batch in types that have a JSON form. Its own schema may differ from the result's in nullability only.
fn encodable(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let convert = |(array, field): (&arrow::array::ArrayRef, &FieldRef)| {
        if array.data_type() == field.data_type() { Ok(Arc::clone(array)) } else { cast(array, field.data_type()) }
    };
    let columns = batch.columns().iter().zip(schema.fields()).map(convert).collect::<Result<_, _>>()?;
    RecordBatch::try_new(Arc::clone(schema), columns)
}

fn encodable_schema(schema: &SchemaRef) -> SchemaRef {
    let fields =
        schema.fields().iter().map(|field| Arc::new(encodable_field(field).as_ref().clone().with_nullable(true)));
    Arc::new(Schema::new(fields.collect::<Vec<FieldRef>>()))
}

/// The type of nested values as JSON can have them: keys of its objects are texts, so keys of maps become texts.
pub(crate) fn encodable_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::List(item) => DataType::List(encodable_field(item)),
        DataType::LargeList(item) => DataType::LargeList(encodable_field(item)),
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(encodable_field(item), *size),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(encodable_field).collect()),
        DataType::Map(entries, sorted) => match entries.data_type() {
            DataType::Struct(pair) if pair.len() == 2 => {
                let key = Field::new(pair[0].name(), DataType::Utf8, false);
                let pair = DataType::Struct(vec![Arc::new(key), encodable_field(&pair[1])].into());
                DataType::Map(Arc::new(entries.as_ref().clone().with_data_type(pair)), *sorted)
            }
            _ => data_type.clone(),
        },
        _ => data_type.clone(),
    }
}

fn encodable_field(field: &FieldRef) -> FieldRef {
    Arc::new(field.as_ref().clone().with_data_type(encodable_type(field.data_type())))
}
