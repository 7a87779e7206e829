//! Rows out of records whose values have types already, as Avro's have: the value that fills a column is found at a path,
//! and read as a field of JSON is, so that each of COPY's options means the same for both.
//!
//! What is a moment already is taken as it is; DATEFORMAT and TIMEFORMAT are of texts and numbers. A record or an array is
//! its JSON text (Redshift: "COPY loads the value as a string, where the string is the JSON representation of the data").

use super::builder::Column;
use super::errors::{LoadErrors, OUT_OF_RANGE, Problem};
use super::fields::Field;
use super::found::Found;
use super::spec::{Bad, LoaderSpec, Place};
use super::value::{Conversion, Value};
use crate::error::Result;
use crate::lake::json::{self, JsonPath};
use crate::lake::write::documents;
use crate::sql::CopyOptions;
use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::arrow::util::display::array_value_to_string;
use std::sync::Arc;

/// Reads the records of one file.
pub(crate) struct TypedLoader {
    spec: Arc<LoaderSpec>,
    /// Of what is a moment already.
    moments: Conversion,
    errors: Arc<LoadErrors>,
    file: String,
    /// For each column that is filled where its values are; `None` where the file has none for it.
    paths: Vec<Option<JsonPath>>,
    columns: Vec<Column>,
    /// The records so far: a record's number is what its line would be.
    seen: u64,
}

impl TypedLoader {
    /// # Errors
    /// None that [`LoaderSpec::new`] would not have told of these options.
    pub(crate) fn new(
        spec: Arc<LoaderSpec>,
        errors: Arc<LoadErrors>,
        file: String,
        paths: Vec<Option<JsonPath>>,
    ) -> Result<Self> {
        let standard = CopyOptions { date_format: None, time_format: None, ..spec.options.clone() };
        let moments = Conversion::new(&standard, false, false, true)?;
        let columns = spec.columns();
        Ok(Self { spec, moments, errors, file, paths, columns, seen: 0 })
    }

    /// The rows of the next records.
    ///
    /// # Errors
    /// `Data` when there are too many bad ones.
    pub(crate) fn rows(&mut self, records: &RecordBatch) -> Result<RecordBatch> {
        let targets = self.spec.targets.iter();
        let found = self
            .paths
            .iter()
            .zip(targets)
            .map(|(path, target)| path.as_ref().map(|path| Found::of(records, path, target.data_type)).transpose());
        let found: Vec<Option<Found>> = found.collect::<Result<_>>()?;
        let mut rows = 0;
        for row in 0..records.num_rows() {
            self.seen += 1;
            match self.values(&found, row) {
                Ok(values) => {
                    for (column, value) in self.columns.iter_mut().zip(values) {
                        column.append(value);
                    }
                    rows += 1;
                    self.record_replacements(&found, records, row);
                }
                Err(bad) => {
                    let record = whole(records, row);
                    self.errors.record(self.spec.error(bad, fields(&found, row), self.place(&record)))?;
                }
            }
        }
        self.spec.batch(&mut self.columns, rows)
    }

    /// The values of a record, or why it is bad.
    fn values<'a>(&self, found: &'a [Option<Found>], row: usize) -> std::result::Result<Vec<Value<'a>>, Bad<'a>> {
        let value = |(at, found): (usize, &'a Option<Found>)| {
            let Some(found) = found else { return self.spec.value(&self.spec.conversion, at, None) };
            if found.is_misplaced(row) {
                return Err(Bad::line(Problem::new(1216, OUT_OF_RANGE)));
            }
            if found.is_unreadable(row) {
                let problem = Problem::new(1206, "Timestamp out of range");
                return Err(Bad { problem, column: Some(at), position: 0, raw: Vec::new().into() });
            }
            let conversion = if found.is_moment(row) { &self.moments } else { &self.spec.conversion };
            self.spec.value(conversion, at, found.field(row))
        };
        found.iter().enumerate().map(value).collect()
    }

    fn record_replacements(&self, found: &[Option<Found>], records: &RecordBatch, row: usize) {
        if self.spec.options.accept_invalid_chars.is_none() {
            return;
        }
        let fields = fields(found, row);
        if fields.iter().flatten().all(|field| std::str::from_utf8(&field.bytes).is_ok()) {
            return;
        }
        let record = whole(records, row);
        let replaced = self.spec.replacements(&fields, self.place(&record));
        for replacement in replaced {
            self.errors.record_replacement(replacement);
        }
    }

    fn place<'a>(&'a self, record: &'a [u8]) -> Place<'a> {
        Place { file: &self.file, line: self.seen, after: 0, record }
    }
}

/// The fields of a record.
fn fields(found: &[Option<Found>], row: usize) -> Vec<Option<Field<'_>>> {
    found.iter().map(|found| found.as_ref().and_then(|found| found.field(row))).collect()
}

/// A record's JSON text, of those of its values that were read. What JSON has no form for is a text of it: nothing that a
/// record holds keeps its error from being told.
fn whole(records: &RecordBatch, row: usize) -> Vec<u8> {
    let record = records.slice(row, 1);
    let mut text = vec![b'{'];
    for (at, (field, value)) in record.schema_ref().fields().iter().zip(record.columns()).enumerate() {
        if at > 0 {
            text.push(b',');
        }
        text.extend_from_slice(json::quoted(field.name()).as_bytes());
        text.push(b':');
        text.extend_from_slice(&shown_value(value));
    }
    text.push(b'}');
    text
}

/// The only value of an array.
fn shown_value(value: &ArrayRef) -> Vec<u8> {
    match documents(value) {
        Ok(document) if document.is_null(0) => b"null".to_vec(),
        Ok(document) => document.value(0).to_vec(),
        Err(_) => json::quoted(&array_value_to_string(value, 0).unwrap_or_default()).into_bytes(),
    }
}
