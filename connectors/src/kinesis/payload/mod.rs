//! What records carry, as columns of their own.
//!
//! A schema's options say what the payloads of its streams are: `format` (`json`, `csv`, `avro`, `raw`), with `columns`
//! or `avro_schema` their columns, with `compression` what they are packed with. A payload gives exactly one row. One
//! that is not what was declared is an error that names its record, a row of NULLs, or none, as `malformed` says.
//!
//! - JSON: an object; its members are found by their exact name, those of objects in it by a path with dots. A missing
//!   one and null are NULL. VARCHAR takes any
//!   value (its own text when it is no text), SUPER any value as JSON.
//! - CSV: one line with as many fields as there are columns. An empty field is NULL, but an empty text in a VARCHAR.
//! - Avro: a value of the schema, with single-object encoding's header or without.
//! - raw: the payload is the one column's text, or its bytes when it is a VARBYTE.

mod avro;
mod json;

use super::columns;
use crate::declared::is_super;
use crate::error::{ConnectorError, Result};
use crate::registry::Options;
use crate::typed::{Builder, Scalar, Type};
use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, BooleanArray, StringArray};
use arrow::compute::{CastOptions, cast_with_options, nullif};
use arrow::datatypes::{DataType, Field, Fields};
use avro::Avro;
use bytes::Bytes;
use csv_core::{ReadRecordResult, ReaderBuilder};
use flate2::read::MultiGzDecoder;
use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

/// No payload is unpacked to more than this.
const LARGEST_BYTES: u64 = 64 << 20;

/// A text that an error cites is cut to this many characters.
const CITED: usize = 40;

#[derive(Debug, Clone)]
enum Format {
    Json,
    Csv { delimiter: u8 },
    Avro(Box<Avro>),
    Raw,
}

/// What becomes of a payload that is not what was declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WhenMalformed {
    /// It is an error.
    Error,
    /// Its columns are NULL.
    Null,
    /// It is no row.
    Skip,
}

/// Payloads as columns.
#[derive(Debug)]
pub(super) struct Decoded {
    /// The wanted ones, a row for each payload.
    pub(super) columns: Vec<ArrayRef>,
    /// The payloads that are not what was declared, and why; their columns are NULL.
    pub(super) bad: BTreeMap<usize, String>,
}

/// How payloads become columns.
#[derive(Debug, Clone)]
pub(super) struct Payload {
    format: Format,
    gzip: bool,
    malformed: WhenMalformed,
    /// Whether values become the columns' types exactly or not at all, as those of declared tables do.
    exact: bool,
    /// Its columns.
    pub(super) fields: Fields,
}

/// A payload that is not what was declared.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    /// Which of those given.
    pub(super) row: usize,
    /// Why.
    pub(super) reason: String,
}

/// The columns of some payloads as texts, and why some have none.
struct Texts {
    columns: Vec<Vec<Option<String>>>,
    bad: BTreeMap<usize, String>,
}

impl Payload {
    /// What the options declare; `None` when they declare no format.
    ///
    /// # Errors
    /// `InvalidArgument` for options that make no sense, alone or together.
    pub(super) fn parse(options: &Options) -> Result<Option<Self>> {
        Self::with_columns(options, None)
    }

    /// The same with columns that are declared elsewhere.
    ///
    /// # Errors
    /// `InvalidArgument` also for columns that the format cannot have.
    pub(super) fn declared(options: &Options, columns: &Fields) -> Result<Option<Self>> {
        Self::with_columns(options, Some(columns))
    }

    fn with_columns(options: &Options, columns: Option<&Fields>) -> Result<Option<Self>> {
        let invalid = |message: String| Err(ConnectorError::InvalidArgument(message));
        let option = |name: &str| options.get(name).map(String::as_str);
        let Some(name) = option("format") else {
            let own = ["avro_schema", "columns", "compression", "delimiter", "malformed"];
            return match own.into_iter().find(|name| options.contains_key(*name)) {
                Some(name) => invalid(format!("option \"{name}\" needs \"format\"")),
                None => Ok(None),
            };
        };
        let name = name.to_ascii_lowercase();
        for (of, only) in [("delimiter", "csv"), ("avro_schema", "avro")] {
            if options.contains_key(of) && name != only {
                return invalid(format!("option \"{of}\" needs the format {only}"));
            }
        }
        let format = match name.as_str() {
            "json" => Format::Json,
            "raw" => Format::Raw,
            "csv" => match option("delimiter").unwrap_or(",").as_bytes() {
                [delimiter] if !b"\"\r\n".contains(delimiter) => Format::Csv { delimiter: *delimiter },
                _ => return invalid("option \"delimiter\" takes one character".to_owned()),
            },
            "avro" => match option("avro_schema") {
                Some(schema) => Format::Avro(Box::new(Avro::parse(schema)?)),
                None => return invalid("the format avro needs the option \"avro_schema\"".to_owned()),
            },
            _ => return invalid(format!("option \"format\" takes json, csv, avro or raw, not \"{name}\"")),
        };
        let fields = match (&format, columns, option("columns")) {
            // Which of its fields are declared, and as what, is seen when they are looked for.
            (Format::Avro(avro), _, None) => avro.fields.clone(),
            (Format::Avro(_), _, Some(_)) => {
                return invalid("the format avro has its columns from its schema".to_owned());
            }
            (_, Some(columns), _) => columns.clone(),
            (_, None, None) => return invalid(format!("the format {name} needs the option \"columns\"")),
            (_, None, Some(declared)) => columns::parse(declared)?,
        };
        match format {
            Format::Raw if fields.len() != 1 => return invalid("the format raw has one column".to_owned()),
            Format::Json | Format::Csv { .. } if fields.iter().any(|f| f.data_type() == &DataType::Binary) => {
                return invalid(format!("the format {name} has no VARBYTE"));
            }
            _ => {}
        }
        let gzip = match option("compression").map(str::to_ascii_lowercase).as_deref() {
            None | Some("none") => false,
            Some("gzip") => true,
            Some(other) => return invalid(format!("option \"compression\" takes gzip or none, not \"{other}\"")),
        };
        let malformed = match option("malformed").map(str::to_ascii_lowercase).as_deref() {
            None | Some("error") => WhenMalformed::Error,
            Some("null") => WhenMalformed::Null,
            Some("skip") => WhenMalformed::Skip,
            Some(other) => {
                return invalid(format!("option \"malformed\" takes error, null or skip, not \"{other}\""));
            }
        };
        Ok(Some(Self { format, gzip, malformed, exact: columns.is_some(), fields }))
    }

    /// Whether payloads that are not what was declared are no rows.
    pub(super) fn skips(&self) -> bool {
        self.malformed == WhenMalformed::Skip
    }

    /// The wanted columns, a row each payload.
    ///
    /// # Errors
    /// The first payload that is not what was declared, unless such ones are rows of NULLs or none.
    pub(super) fn decode(&self, payloads: &[&Bytes], wanted: &[usize]) -> std::result::Result<Decoded, Malformed> {
        let (columns, bad) = match &self.format {
            Format::Avro(avro) => {
                let mut bad = BTreeMap::new();
                let unpacked: Vec<_> = payloads.iter().enumerate().map(|(i, p)| self.unpack(i, p, &mut bad)).collect();
                let (columns, more) = avro.decode(&unpacked);
                bad.extend(more);
                (wanted.iter().map(|i| Arc::clone(&columns[*i])).collect(), bad)
            }
            Format::Raw if self.fields[0].data_type() == &DataType::Binary => {
                let mut bad = BTreeMap::new();
                let unpacked: Vec<_> = payloads.iter().enumerate().map(|(i, p)| self.unpack(i, p, &mut bad)).collect();
                let column: ArrayRef = Arc::new(unpacked.iter().map(Option::as_deref).collect::<BinaryArray>());
                (vec![column; wanted.len()], bad)
            }
            _ => self.typed(self.texts(payloads, wanted), wanted),
        };
        if let (Some((&row, reason)), WhenMalformed::Error) = (bad.first_key_value(), self.malformed) {
            return Err(Malformed { row, reason: reason.clone() });
        }
        if bad.is_empty() {
            return Ok(Decoded { columns, bad });
        }
        let mask: BooleanArray = (0..payloads.len()).map(|row| Some(bad.contains_key(&row))).collect();
        let masked = columns.iter().map(|column| nullif(column, &mask)).collect::<std::result::Result<_, _>>();
        let columns = masked.map_err(|error| Malformed { row: 0, reason: error.to_string() })?;
        Ok(Decoded { columns, bad })
    }

    /// A payload as its producer had it before packing it.
    fn unpack(&self, row: usize, payload: &Bytes, bad: &mut BTreeMap<usize, String>) -> Option<Vec<u8>> {
        if !self.gzip {
            return Some(payload.to_vec());
        }
        let mut unpacked = vec![];
        let read = MultiGzDecoder::new(&payload[..]).take(LARGEST_BYTES + 1).read_to_end(&mut unpacked);
        let why = match read {
            Ok(bytes) if bytes as u64 <= LARGEST_BYTES => return Some(unpacked),
            Ok(_) => format!("it unpacks to more than {LARGEST_BYTES} bytes"),
            Err(error) => format!("it is no gzip: {error}"),
        };
        bad.insert(row, why);
        None
    }

    fn texts(&self, payloads: &[&Bytes], wanted: &[usize]) -> Texts {
        let mut texts = Texts { columns: vec![vec![None; payloads.len()]; wanted.len()], bad: BTreeMap::new() };
        let mut reader = match self.format {
            Format::Csv { delimiter } => ReaderBuilder::new().delimiter(delimiter).build(),
            _ => csv_core::Reader::new(),
        };
        for (row, payload) in payloads.iter().enumerate() {
            let unpacked;
            let bytes = if self.gzip {
                let Some(bytes) = self.unpack(row, payload, &mut texts.bad) else { continue };
                unpacked = bytes;
                &unpacked[..]
            } else {
                &payload[..]
            };
            let read = std::str::from_utf8(bytes).map_err(|_| "it is no UTF-8".to_owned());
            let read = read.and_then(|text| match &self.format {
                Format::Json => self.json(text, row, wanted, &mut texts.columns),
                Format::Csv { .. } => self.csv(&mut reader, text, row, wanted, &mut texts.columns),
                Format::Raw | Format::Avro(_) => {
                    texts.columns.iter_mut().for_each(|column| column[row] = Some(text.to_owned()));
                    Ok(())
                }
            });
            if let Err(reason) = read {
                texts.bad.insert(row, reason);
            }
        }
        texts
    }

    fn json(
        &self,
        text: &str,
        row: usize,
        wanted: &[usize],
        columns: &mut [Vec<Option<String>>],
    ) -> std::result::Result<(), String> {
        let mut wrong = None;
        let leads = |path: &str| {
            let mut names = wanted.iter().map(|i| self.fields[*i].name());
            names.any(|name| name.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
        };
        json::walk(text, &leads, &mut |path: &str, value: &str| {
            for (column, field) in columns.iter_mut().zip(wanted.iter().map(|i| &self.fields[*i])) {
                if field.name() != path {
                    continue;
                }
                let value = match json::text(value) {
                    Ok(Some(_)) if is_super(field) => Ok(Some(value.to_owned())),
                    other => other,
                };
                column[row] = value.unwrap_or_else(|why| {
                    wrong.get_or_insert(format!("\"{path}\": {why}"));
                    None
                });
            }
        })
        .map_err(|why| format!("it is no JSON object: {why}"))?;
        wrong.map_or(Ok(()), Err)
    }

    fn csv(
        &self,
        reader: &mut csv_core::Reader,
        text: &str,
        row: usize,
        wanted: &[usize],
        columns: &mut [Vec<Option<String>>],
    ) -> std::result::Result<(), String> {
        reader.reset();
        let (mut output, mut ends) = (vec![0; text.len() + 1], vec![0; self.fields.len() + 1]);
        let (result, mut read, mut written, mut fields) = reader.read_record(text.as_bytes(), &mut output, &mut ends);
        let mut done = result == ReadRecordResult::Record;
        if result == ReadRecordResult::InputEmpty {
            // No input is the end of it.
            let (result, _, more, last) = reader.read_record(&[], &mut output[written..], &mut ends[fields..]);
            (written, fields, read) = (written + more, fields + last, text.len());
            done = result == ReadRecordResult::Record;
        }
        if done && !text[read..].trim_matches(['\r', '\n']).is_empty() {
            return Err("it has more than one line".to_owned());
        }
        if !done || fields != self.fields.len() {
            return Err(format!("it does not have {} fields", self.fields.len()));
        }
        let output = std::str::from_utf8(&output[..written]).map_err(|error| error.to_string())?;
        for (column, index) in columns.iter_mut().zip(wanted) {
            let start = if *index == 0 { 0 } else { ends[index - 1] };
            let value = &output[start..ends[*index]];
            let field = &self.fields[*index];
            let is_text = field.data_type() == &DataType::Utf8View && !is_super(field);
            column[row] = (is_text || !value.is_empty()).then(|| value.to_owned());
        }
        Ok(())
    }

    /// Texts as values of the columns' types.
    fn typed(&self, texts: Texts, wanted: &[usize]) -> (Vec<ArrayRef>, BTreeMap<usize, String>) {
        let Texts { columns, mut bad } = texts;
        let lenient = CastOptions { safe: true, ..CastOptions::default() };
        let mut typed = vec![];
        for (column, index) in columns.into_iter().zip(wanted) {
            let field = &self.fields[*index];
            let text = StringArray::from(column);
            // Arrow rounds decimals, and makes numbers that are too large for a float infinite.
            let is_rounded = matches!(field.data_type(), DataType::Decimal128(..)) || field.data_type().is_floating();
            let cast = if self.exact || is_rounded {
                exactly(&text, field)
            } else {
                cast_with_options(&text, field.data_type(), &lenient).map_err(|error| error.to_string())
            };
            let cast = cast.unwrap_or_else(|error| {
                bad.extend((0..text.len()).map(|row| (row, error.clone())));
                arrow::array::new_null_array(field.data_type(), text.len())
            });
            let json = is_super(field).then(|| cast.as_string_view());
            for row in (0..text.len()).filter(|row| text.is_valid(*row)) {
                if cast.is_null(row) || json.is_some_and(|json| !json::is_value(json.value(row))) {
                    let cited: String = text.value(row).chars().take(CITED).collect();
                    bad.entry(row).or_insert_with(|| format!("\"{}\" cannot hold \"{cited}\"", field.name()));
                }
            }
            typed.push(cast);
        }
        (typed, bad)
    }
}

/// Texts as a declared type; NULL where it cannot hold them.
fn exactly(texts: &StringArray, field: &Field) -> std::result::Result<ArrayRef, String> {
    let mut column = Builder::new(Type::of(field).map_err(|error| error.to_string())?);
    for text in texts {
        if text.and_then(|text| column.value(Scalar::Text(text))).is_none() {
            column.null();
        }
    }
    Ok(column.finish())
}

#[cfg(test)]
mod tests;
