//! Payloads that are Avro values of one schema: a value as it is, or with single-object encoding's header.

use crate::error::{ConnectorError, Result};
use arrow::array::{Array, ArrayRef, new_null_array};
use arrow::compute::{cast, concat};
use arrow::datatypes::{DataType, Field, Fields};
use arrow::record_batch::RecordBatch;
use arrow_avro::reader::{Decoder, ReaderBuilder};
use arrow_avro::schema::{AvroSchema, Fingerprint, SchemaStore};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What single-object encoding begins with, before the schema's fingerprint.
const MAGIC: [u8; 2] = [0xC3, 0x01];

/// The schema that the payloads are written with.
#[derive(Debug, Clone)]
pub(super) struct Avro {
    store: SchemaStore,
    /// Magic and fingerprint, which a value without them is given to be read.
    header: [u8; 10],
    /// The record's fields.
    pub(super) fields: Fields,
}

impl Avro {
    /// Takes a schema as JSON.
    ///
    /// # Errors
    /// `InvalidArgument` when it is none, or not of a record with fields.
    pub(super) fn parse(schema: &str) -> Result<Self> {
        let invalid = |why: String| ConnectorError::InvalidArgument(format!("option \"avro_schema\": {why}"));
        let mut store = SchemaStore::new();
        let fingerprint = store.register(AvroSchema::new(schema.to_owned()));
        let Fingerprint::Rabin(fingerprint) = fingerprint.map_err(|error| invalid(error.to_string()))? else {
            return Err(invalid("the schema has no fingerprint of 64 bits".to_owned()));
        };
        let mut header = [0; 10];
        header[..2].copy_from_slice(&MAGIC);
        header[2..].copy_from_slice(&fingerprint.to_le_bytes());
        let read = decoder(&store, 1).map_err(invalid)?.schema();
        if read.fields().is_empty() {
            return Err(invalid("the schema is not of a record with fields".to_owned()));
        }
        let fields = read.fields().iter().map(|field| plain(field)).collect();
        Ok(Self { store, header, fields })
    }

    /// Magic and fingerprint.
    #[cfg(test)]
    pub(super) fn header(&self) -> [u8; 10] {
        self.header
    }

    /// The columns of payloads, and why some payloads are no values of the schema.
    pub(super) fn decode(&self, payloads: &[Option<Vec<u8>>]) -> (Vec<ArrayRef>, BTreeMap<usize, String>) {
        let mut bad = BTreeMap::new();
        let batches = match self.page(payloads) {
            Some(batch) => vec![Some(batch)],
            None => self.singly(payloads, &mut bad),
        };
        let columns = self.fields.iter().enumerate().map(|(i, field)| {
            let parts = batches.iter().map(|batch| match batch {
                Some(batch) => cast(batch.column(i), field.data_type()),
                None => Ok(new_null_array(field.data_type(), 1)),
            });
            let parts = parts.collect::<std::result::Result<Vec<ArrayRef>, _>>()?;
            concat(&parts.iter().map(AsRef::as_ref).collect::<Vec<&dyn Array>>())
        });
        match columns.collect() {
            Ok(columns) => (columns, bad),
            Err(error) => {
                let nulls = |field: &Arc<Field>| new_null_array(field.data_type(), payloads.len());
                let bad = (0..payloads.len()).map(|row| (row, error.to_string())).collect();
                (self.fields.iter().map(nulls).collect(), bad)
            }
        }
    }

    /// All payloads at once; `None` when one of them is bad.
    fn page(&self, payloads: &[Option<Vec<u8>>]) -> Option<RecordBatch> {
        let mut decoder = decoder(&self.store, payloads.len().max(1)).ok()?;
        for payload in payloads {
            self.one(&mut decoder, payload.as_ref()?).ok()?;
        }
        decoder.flush().ok()?
    }

    /// One payload after the other, with a new reader after each that is bad: a failed one keeps half a row.
    fn singly(&self, payloads: &[Option<Vec<u8>>], bad: &mut BTreeMap<usize, String>) -> Vec<Option<RecordBatch>> {
        let mut reader = None;
        let mut read = |payload: &[u8]| {
            let mut current = match reader.take() {
                Some(reader) => reader,
                None => decoder(&self.store, 1)?,
            };
            self.one(&mut current, payload)?;
            let row = current.flush().map_err(|error| error.to_string())?;
            reader = Some(current);
            row.ok_or_else(|| "no value came of it".to_owned())
        };
        let rows = payloads.iter().enumerate().map(|(row, payload)| {
            let batch = payload.as_ref().map(|payload| read(payload));
            batch.and_then(|batch| batch.map_err(|why| bad.insert(row, why)).ok())
        });
        rows.collect()
    }

    /// Reads one payload to its end.
    fn one(&self, decoder: &mut Decoder, payload: &[u8]) -> std::result::Result<(), String> {
        let text = |error: arrow_avro::errors::AvroError| error.to_string();
        let before = decoder.capacity();
        let body = if payload.starts_with(&self.header) { &payload[self.header.len()..] } else { payload };
        let framed = [&self.header[..], body].concat();
        let read = decoder.decode(&framed).map_err(text)?;
        if read != framed.len() || decoder.capacity() + 1 != before {
            return Err("it is not one value of the schema".to_owned());
        }
        Ok(())
    }
}

fn decoder(store: &SchemaStore, rows: usize) -> std::result::Result<Decoder, String> {
    let builder = ReaderBuilder::new().with_batch_size(rows).with_utf8_view(true);
    builder.with_writer_schema_store(store.clone()).build_decoder().map_err(|error| error.to_string())
}

/// A field as the table has it: nullable, since a payload may be bad, and enumerations as text.
fn plain(field: &Field) -> Field {
    let data_type = match field.data_type() {
        DataType::Dictionary(_, _) => DataType::Utf8View,
        other => other.clone(),
    };
    Field::new(field.name(), data_type, true)
}
