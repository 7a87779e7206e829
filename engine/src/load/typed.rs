//! Rows out of records whose values have types already, as Avro's have: the value that fills a column is found at a path,
//! and read as a field of JSON is, so that each of COPY's options means the same for both.
//!
//! What is a moment already is taken as it is; DATEFORMAT and TIMEFORMAT are of texts and numbers. A record or an array is
//! its JSON text (Redshift: "COPY loads the value as a string, where the string is the JSON representation of the data").

use super::builder::Column;
use super::errors::{LoadErrors, OUT_OF_RANGE, Problem};
use super::fields::Field;
use super::spec::{Bad, LoaderSpec, Place};
use super::value::{Conversion, Value};
use crate::error::Result;
use crate::lake::json::{JsonPath, Step};
use crate::lake::write::documents;
use crate::sql::CopyOptions;
use crate::tables::SqlType;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, BooleanArray, StructArray, UInt64Array, new_null_array,
};
use datafusion::arrow::buffer::BooleanBuffer;
use datafusion::arrow::compute::{CastOptions, cast, cast_with_options, is_null, nullif, take};
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::arrow::util::display::FormatOptions;
use std::borrow::Cow;
use std::fmt::Write;
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
                    self.record_replacements(&found, records, row)?;
                }
                Err(bad) => {
                    let record = whole(records, row)?;
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
            let conversion = if found.is_moment { &self.moments } else { &self.spec.conversion };
            self.spec.value(conversion, at, found.field(row))
        };
        found.iter().enumerate().map(value).collect()
    }

    fn record_replacements(&self, found: &[Option<Found>], records: &RecordBatch, row: usize) -> Result<()> {
        if self.spec.options.accept_invalid_chars.is_none() {
            return Ok(());
        }
        let fields = fields(found, row);
        if fields.iter().flatten().all(|field| std::str::from_utf8(&field.bytes).is_ok()) {
            return Ok(());
        }
        let record = whole(records, row)?;
        let replaced = self.spec.replacements(&fields, self.place(&record));
        for replacement in replaced {
            self.errors.record_replacement(replacement);
        }
        Ok(())
    }

    fn place<'a>(&'a self, record: &'a [u8]) -> Place<'a> {
        Place { file: &self.file, line: self.seen, after: 0, record }
    }
}

/// The fields of a record.
fn fields(found: &[Option<Found>], row: usize) -> Vec<Option<Field<'_>>> {
    found.iter().map(|found| found.as_ref().and_then(|found| found.field(row))).collect()
}

/// A record's JSON text, of those of its values that were read.
fn whole(records: &RecordBatch, row: usize) -> Result<Vec<u8>> {
    if records.num_columns() == 0 {
        return Ok(b"{}".to_vec());
    }
    let record: ArrayRef = Arc::new(StructArray::from(records.slice(row, 1)));
    Ok(documents(&record)?.value(0).to_vec())
}

/// What fills a column, record after record.
struct Found {
    /// Texts, or the bytes themselves.
    texts: BinaryViewArray,
    /// The bytes are written in hexadecimal, as texts of VARBYTE are.
    is_hex: bool,
    /// They are texts, or bytes that stand for some.
    is_text: bool,
    is_moment: bool,
    /// Records in which the path's array is none, or too short.
    misplaced: Option<BooleanBuffer>,
}

impl Found {
    fn of(records: &RecordBatch, path: &JsonPath, data_type: SqlType) -> Result<Self> {
        let (values, misplaced) = follow(records, path)?;
        let found = values.data_type().clone();
        let is_binary = matches!(
            found,
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_)
        );
        let is_text = is_binary || matches!(found, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
        let texts = if found.is_nested() { documents(&values)? } else { texts(&values, is_binary)? };
        Ok(Self {
            texts,
            is_hex: is_binary && matches!(data_type, SqlType::VarByte(_)),
            is_text,
            is_moment: found.is_temporal(),
            misplaced,
        })
    }

    fn is_misplaced(&self, row: usize) -> bool {
        self.misplaced.as_ref().is_some_and(|misplaced| misplaced.value(row))
    }

    /// The field of a record; `None` for NULL.
    fn field(&self, row: usize) -> Option<Field<'_>> {
        let bytes = self.texts.is_valid(row).then(|| self.texts.value(row))?;
        let bytes = if self.is_hex { Cow::Owned(hex(bytes).into_bytes()) } else { Cow::Borrowed(bytes) };
        Some(Field { bytes, quoted: self.is_text, at: 0 })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Scalars as texts.
fn texts(values: &ArrayRef, is_binary: bool) -> Result<BinaryViewArray> {
    if *values.data_type() == DataType::Null {
        return Ok(BinaryViewArray::new_null(values.len()));
    }
    if is_binary {
        return Ok(cast(values, &DataType::BinaryView)?.as_binary_view().clone());
    }
    // Moments with a zone are moments of UTC.
    let values = match values.data_type() {
        DataType::Timestamp(_, _) => cast(values, &DataType::Timestamp(TimeUnit::Microsecond, None))?,
        _ => Arc::clone(values),
    };
    let format = FormatOptions::new().with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.f"));
    let options = CastOptions { safe: false, format_options: format };
    let texts = cast_with_options(&values, &DataType::Utf8View, &options)?;
    Ok(texts.as_string_view().clone().to_binary_view())
}

/// What stands at a path in each record: NULL where there is nothing; and where an item is asked for of what is no array
/// or has fewer items.
fn follow(records: &RecordBatch, path: &JsonPath) -> Result<(ArrayRef, Option<BooleanBuffer>)> {
    let mut values: ArrayRef = Arc::new(StructArray::from(records.clone()));
    let mut misplaced: Option<BooleanBuffer> = None;
    for step in &path.steps {
        values = match (step, values.data_type()) {
            (Step::Member(name), DataType::Struct(_)) => member(values.as_struct(), name)?,
            (Step::Member(name), DataType::Map(_, _)) => entry(&values, name)?,
            (Step::Item(index), DataType::List(_)) => {
                let list = values.as_list::<i32>();
                let offsets = list.offsets();
                let place = |row: usize| {
                    let at = offsets[row] as usize + index;
                    (list.is_valid(row) && at < offsets[row + 1] as usize).then_some(at as u64)
                };
                let places: UInt64Array = (0..list.len()).map(place).collect();
                let beyond = BooleanBuffer::collect_bool(list.len(), |row| list.is_valid(row) && places.is_null(row));
                misplaced = Some(misplaced.map_or_else(|| beyond.clone(), |before| &before | &beyond));
                take(list.values(), &places, None)?
            }
            (Step::Item(_), _) => {
                let wrong = BooleanBuffer::collect_bool(values.len(), |row| values.is_valid(row));
                misplaced = Some(misplaced.map_or_else(|| wrong.clone(), |before| &before | &wrong));
                new_null_array(&DataType::Null, values.len())
            }
            (Step::Member(_) | Step::All, _) => new_null_array(&DataType::Null, values.len()),
        };
    }
    Ok((values, misplaced))
}

/// A member of records; NULL where there is no record, whatever stands in its place.
fn member(records: &StructArray, name: &str) -> Result<ArrayRef> {
    let Some(values) = records.column_by_name(name) else {
        return Ok(new_null_array(&DataType::Null, records.len()));
    };
    let absent: BooleanArray = is_null(records)?;
    Ok(nullif(values, &absent)?)
}

/// The value of a key in maps.
fn entry(maps: &ArrayRef, name: &str) -> Result<ArrayRef> {
    let maps = maps.as_map();
    let keys = cast(maps.keys(), &DataType::Utf8View)?;
    let (keys, offsets) = (keys.as_string_view(), maps.offsets());
    let place = |row: usize| {
        let mut entries = offsets[row] as usize..offsets[row + 1] as usize;
        entries.find(|at| maps.is_valid(row) && keys.value(*at) == name).map(|at| at as u64)
    };
    let places: UInt64Array = (0..maps.len()).map(place).collect();
    Ok(take(maps.values(), &places, None)?)
}
