//! Rows out of one file's bytes: records cut, taken apart, converted, and gathered into batches.
//!
//! A row goes in whole or not at all. Memory holds one chunk, one record and one batch.

use super::errors::{LoadError, LoadErrors, Problem, shown};
use super::fields::{self, Delimited, Field};
use super::frame::{Framed, Framer, Framing};
use super::json::Members;
use super::value::{Conversion, Value};
use crate::error::{Error, Result};
use crate::lake::json::JsonPath;
use crate::sql::{CopyOptions, TextEncoding};
use crate::tables::SqlType;
use datafusion::arrow::array::{
    ArrayRef, BinaryViewBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float32Builder, Float64Builder,
    Int16Builder, Int32Builder, Int64Builder, StringViewBuilder, Time64MicrosecondBuilder, TimestampMicrosecondBuilder,
};
use datafusion::arrow::datatypes::{Field as ArrowField, Schema, SchemaRef};
use datafusion::arrow::record_batch::{RecordBatch, RecordBatchOptions};
use encoding_rs::{CoderResult, Decoder, UTF_16BE, UTF_16LE};
use std::sync::Arc;

/// Rows of a batch.
const BATCH_ROWS: usize = 8192;

/// A column that the files fill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// Its name.
    pub(crate) name: String,
    /// Its type.
    pub(crate) data_type: SqlType,
    /// Whether it takes NULL.
    pub(crate) nullable: bool,
}

/// The layout of text files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Fields parted by a delimiter.
    Delimited,
    /// CSV with this quote.
    Csv(u8),
    /// A width in characters for each field.
    FixedWidth(Vec<usize>),
    /// JSON: members of the columns' names.
    JsonNames {
        /// In any case.
        ignore_case: bool,
    },
    /// JSON: members at paths.
    JsonPaths(Vec<JsonPath>),
    /// JSON: the record itself.
    JsonWhole,
}

/// What all files of a load are read by.
#[derive(Debug)]
pub(crate) struct LoaderSpec {
    layout: Layout,
    options: CopyOptions,
    conversion: Conversion,
    targets: Vec<Target>,
    members: Option<Members>,
    delimited: Delimited,
    schema: SchemaRef,
}

impl LoaderSpec {
    /// # Errors
    /// `InvalidParameter` for formats of dates and times that are none.
    pub(crate) fn new(layout: Layout, options: &CopyOptions, targets: Vec<Target>) -> Result<Self> {
        let fixed = matches!(layout, Layout::FixedWidth(_));
        let members = match &layout {
            Layout::JsonNames { ignore_case } => {
                let names = targets.iter().map(|target| target.name.clone()).collect();
                Some(Members::Named { names, ignore_case: *ignore_case })
            }
            Layout::JsonPaths(paths) => Some(Members::Paths(paths.clone())),
            Layout::JsonWhole => Some(Members::Whole),
            _ => None,
        };
        let delimited = Delimited {
            delimiter: options.delimiter.clone(),
            escape: options.escape,
            remove_quotes: options.remove_quotes,
            null_as: options.null_as.clone(),
        };
        let columns = targets.iter().map(|target| ArrowField::new(&target.name, target.data_type.to_arrow(), true));
        let schema = Arc::new(Schema::new(columns.collect::<Vec<_>>()));
        let conversion = Conversion::new(options, fixed)?;
        Ok(Self { layout, options: options.clone(), conversion, targets, members, delimited, schema })
    }

    /// The schema of the batches.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn framing(&self) -> Framing {
        match &self.layout {
            Layout::Delimited => Framing::Lines { escape: self.options.escape },
            Layout::Csv(quote) => {
                let delimiter = self.options.delimiter.last().copied().unwrap_or(b',');
                Framing::Csv { quote: *quote, delimiter }
            }
            Layout::FixedWidth(_) => Framing::Lines { escape: false },
            _ => Framing::Json,
        }
    }

    /// A record's values, or why it is bad: with the column and the field.
    fn values<'a>(&self, record: &'a [u8]) -> std::result::Result<Vec<Value<'a>>, Bad<'a>> {
        if let Some(members) = &self.members {
            let mut found = Vec::with_capacity(self.targets.len());
            members.select(record, &mut found).map_err(Bad::line)?;
            return found.into_iter().enumerate().map(|(at, field)| self.value(at, field)).collect();
        }
        let mut found: Vec<Field<'a>> = Vec::with_capacity(self.targets.len() + 1);
        let split = match &self.layout {
            Layout::Csv(quote) => fields::split_csv(record, &self.options.delimiter, *quote, &mut found),
            Layout::FixedWidth(widths) => fields::split_fixed(record, widths, &mut found),
            _ => self.delimited.split(record, &mut found),
        };
        split.map_err(Bad::line)?;
        let wanted = self.targets.len();
        // Many programs end each line with a delimiter.
        if found.len() == wanted + 1 && self.layout == Layout::Delimited && found[wanted].bytes.is_empty() {
            found.pop();
        }
        if found.len() > wanted {
            return Err(Bad::line(Problem::new(1202, "Extra column(s) found")));
        }
        if found.len() < wanted && !self.options.fill_record {
            return Err(Bad::line(Problem::new(1214, "Delimiter not found")));
        }
        let missing = wanted - found.len();
        let mut values = Vec::with_capacity(wanted);
        for (at, field) in found.into_iter().map(Some).chain(std::iter::repeat_n(None, missing)).enumerate() {
            values.push(self.value(at, field)?);
        }
        Ok(values)
    }

    fn value<'a>(&self, at: usize, field: Option<Field<'a>>) -> std::result::Result<Value<'a>, Bad<'a>> {
        let target = &self.targets[at];
        let kept = field.as_ref().map(|field| (field.at, field.bytes.len()));
        let value = match field {
            None => Ok(Value::Null),
            Some(field) => {
                let copy = field.clone();
                self.conversion.value(field, target.data_type).map_err(|problem| (problem, copy))
            }
        };
        match value {
            Ok(Value::Null) if !target.nullable => {
                let problem = Problem::new(1213, "Missing data for not-null field");
                let position = kept.map_or(0, |(at, _)| at);
                Err(Bad { problem, column: Some(at), position, raw: Vec::new().into() })
            }
            Ok(value) => Ok(value),
            Err((problem, field)) => Err(Bad { problem, column: Some(at), position: field.at, raw: field.bytes }),
        }
    }
}

/// A bad record.
struct Bad<'a> {
    problem: Problem,
    column: Option<usize>,
    position: usize,
    raw: std::borrow::Cow<'a, [u8]>,
}

impl Bad<'_> {
    fn line(problem: Problem) -> Self {
        Self { problem, column: None, position: 0, raw: Vec::new().into() }
    }
}

/// Reads one file.
pub(crate) struct Loader {
    spec: Arc<LoaderSpec>,
    errors: Arc<LoadErrors>,
    file: String,
    framer: Framer,
    decoder: Option<Decoder>,
    header_left: u64,
    began: bool,
    columns: Vec<Column>,
    rows: usize,
}

impl Loader {
    pub(crate) fn new(spec: Arc<LoaderSpec>, errors: Arc<LoadErrors>, file: String) -> Self {
        let decoder = match spec.options.encoding {
            TextEncoding::Utf8 | TextEncoding::Iso88591 => None,
            TextEncoding::Utf16 | TextEncoding::Utf16Le => Some(UTF_16LE.new_decoder()),
            TextEncoding::Utf16Be => Some(UTF_16BE.new_decoder()),
        };
        let framer = Framer::new(spec.framing());
        let columns = spec.targets.iter().map(|target| Column::new(target.data_type)).collect();
        let header_left = spec.options.ignore_header;
        Self { spec, errors, file, framer, decoder, header_left, began: false, columns, rows: 0 }
    }

    /// Takes a chunk of the file in; the batches that are full now.
    ///
    /// # Errors
    /// `Data` when there are too many bad lines.
    pub(crate) fn feed(&mut self, chunk: &[u8]) -> Result<Vec<RecordBatch>> {
        self.push(chunk, false);
        self.drain(false)
    }

    /// The file is over; the last batches.
    ///
    /// # Errors
    /// `Data` when there are too many bad lines.
    pub(crate) fn finish(&mut self) -> Result<Vec<RecordBatch>> {
        self.push(&[], true);
        let mut batches = self.drain(true)?;
        if self.rows > 0 {
            batches.push(self.batch()?);
        }
        Ok(batches)
    }

    fn push(&mut self, chunk: &[u8], last: bool) {
        if let Some(decoder) = &mut self.decoder {
            let mut text = String::with_capacity(chunk.len() * 2 + 16);
            let mut rest = chunk;
            loop {
                let (result, read, _) = decoder.decode_to_string(rest, &mut text, last);
                rest = &rest[read..];
                match result {
                    CoderResult::InputEmpty => break,
                    CoderResult::OutputFull => text.reserve(chunk.len() + 16),
                }
            }
            self.framer.push(text.as_bytes());
            return;
        }
        if self.spec.options.encoding == TextEncoding::Iso88591 {
            let text: String = chunk.iter().map(|byte| char::from(*byte)).collect();
            self.framer.push(text.as_bytes());
            return;
        }
        let chunk = if self.began { chunk } else { chunk.strip_prefix(b"\xef\xbb\xbf").unwrap_or(chunk) };
        self.began = self.began || !chunk.is_empty();
        self.framer.push(chunk);
    }

    fn drain(&mut self, last: bool) -> Result<Vec<RecordBatch>> {
        let mut batches = Vec::new();
        while let Some(framed) = self.framer.cut(last) {
            match framed {
                _ if self.header_left > 0 => self.header_left -= 1,
                Framed::TooLong { line } => {
                    let problem = Problem::new(1216, "Input line is not valid: it is longer than 4 MB");
                    self.record(line, &[], Bad::line(problem))?;
                }
                Framed::Record { from, to, line } => self.row(from, to, line)?,
            }
            if self.rows == BATCH_ROWS {
                batches.push(self.batch()?);
            }
        }
        Ok(batches)
    }

    fn row(&mut self, from: usize, to: usize, line: u64) -> Result<()> {
        let spec = Arc::clone(&self.spec);
        let record = self.framer.bytes(from, to);
        if record.is_empty() && (spec.options.ignore_blank_lines || spec.members.is_some()) {
            return Ok(());
        }
        match spec.values(record) {
            Ok(values) => {
                for (column, value) in self.columns.iter_mut().zip(values) {
                    column.append(value);
                }
                self.rows += 1;
                Ok(())
            }
            Err(bad) => self.record(line, record, bad),
        }
    }

    fn record(&self, line: u64, record: &[u8], bad: Bad<'_>) -> Result<()> {
        let target = bad.column.map(|at| &self.spec.targets[at]);
        self.errors.record(LoadError {
            file: self.file.clone(),
            line,
            column: target.map(|target| target.name.clone()).unwrap_or_default(),
            data_type: target.map(|target| target.data_type.to_string()).unwrap_or_default(),
            length: target.and_then(|target| target.data_type.max_bytes()),
            position: bad.position,
            raw_line: shown(record),
            raw_value: shown(&bad.raw),
            code: bad.problem.code,
            reason: bad.problem.reason,
        })
    }

    fn batch(&mut self) -> Result<RecordBatch> {
        let columns: Vec<ArrayRef> = self.columns.iter_mut().map(Column::finish).collect::<Result<_>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        self.rows = 0;
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.spec.schema), columns, &options)?)
    }
}

/// A column of the batch that is being filled.
enum Column {
    SmallInt(Int16Builder),
    Integer(Int32Builder),
    BigInt(Int64Builder),
    Numeric(Decimal128Builder, SqlType),
    Real(Float32Builder),
    Double(Float64Builder),
    Boolean(BooleanBuilder),
    Text(StringViewBuilder),
    Date(Date32Builder),
    Time(Time64MicrosecondBuilder),
    Timestamp(TimestampMicrosecondBuilder, SqlType),
    Bytes(BinaryViewBuilder),
}

impl Column {
    fn new(data_type: SqlType) -> Self {
        match data_type {
            SqlType::SmallInt => Self::SmallInt(Int16Builder::new()),
            SqlType::Integer => Self::Integer(Int32Builder::new()),
            SqlType::BigInt => Self::BigInt(Int64Builder::new()),
            SqlType::Numeric(..) => Self::Numeric(Decimal128Builder::new(), data_type),
            SqlType::Real => Self::Real(Float32Builder::new()),
            SqlType::Double => Self::Double(Float64Builder::new()),
            SqlType::Boolean => Self::Boolean(BooleanBuilder::new()),
            SqlType::Char(_) | SqlType::Varchar(_) | SqlType::Super => Self::Text(StringViewBuilder::new()),
            SqlType::Date => Self::Date(Date32Builder::new()),
            SqlType::Time | SqlType::TimeTz => Self::Time(Time64MicrosecondBuilder::new()),
            SqlType::Timestamp | SqlType::TimestampTz => Self::Timestamp(TimestampMicrosecondBuilder::new(), data_type),
            SqlType::VarByte(_) => Self::Bytes(BinaryViewBuilder::new()),
        }
    }

    /// Appends a value that [`Conversion`] made for this type: the casts lose nothing, it has checked the range.
    fn append(&mut self, value: Value<'_>) {
        match (self, value) {
            (Self::SmallInt(builder), Value::Integer(value)) => builder.append_value(value as i16),
            (Self::Integer(builder), Value::Integer(value)) => builder.append_value(value as i32),
            (Self::BigInt(builder), Value::Integer(value)) => builder.append_value(value),
            (Self::Numeric(builder, _), Value::Decimal(value)) => builder.append_value(value),
            (Self::Real(builder), Value::Float(value)) => builder.append_value(value as f32),
            (Self::Double(builder), Value::Float(value)) => builder.append_value(value),
            (Self::Boolean(builder), Value::Boolean(value)) => builder.append_value(value),
            (Self::Text(builder), Value::Text(value)) => builder.append_value(value),
            (Self::Date(builder), Value::Integer(value)) => builder.append_value(value as i32),
            (Self::Time(builder), Value::Integer(value)) => builder.append_value(value),
            (Self::Timestamp(builder, _), Value::Integer(value)) => builder.append_value(value),
            (Self::Bytes(builder), Value::Bytes(value)) => builder.append_value(value),
            (Self::SmallInt(builder), _) => builder.append_null(),
            (Self::Integer(builder), _) => builder.append_null(),
            (Self::BigInt(builder), _) => builder.append_null(),
            (Self::Numeric(builder, _), _) => builder.append_null(),
            (Self::Real(builder), _) => builder.append_null(),
            (Self::Double(builder), _) => builder.append_null(),
            (Self::Boolean(builder), _) => builder.append_null(),
            (Self::Text(builder), _) => builder.append_null(),
            (Self::Date(builder), _) => builder.append_null(),
            (Self::Time(builder), _) => builder.append_null(),
            (Self::Timestamp(builder, _), _) => builder.append_null(),
            (Self::Bytes(builder), _) => builder.append_null(),
        }
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        Ok(match self {
            Self::SmallInt(builder) => Arc::new(builder.finish()),
            Self::Integer(builder) => Arc::new(builder.finish()),
            Self::BigInt(builder) => Arc::new(builder.finish()),
            Self::Numeric(builder, SqlType::Numeric(precision, scale)) => {
                Arc::new(builder.finish().with_precision_and_scale(*precision, *scale)?)
            }
            Self::Numeric(..) => return Err(Error::internal("a decimal without its scale")),
            Self::Real(builder) => Arc::new(builder.finish()),
            Self::Double(builder) => Arc::new(builder.finish()),
            Self::Boolean(builder) => Arc::new(builder.finish()),
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::Date(builder) => Arc::new(builder.finish()),
            Self::Time(builder) => Arc::new(builder.finish()),
            Self::Timestamp(builder, SqlType::TimestampTz) => Arc::new(builder.finish().with_timezone("UTC")),
            Self::Timestamp(builder, _) => Arc::new(builder.finish()),
            Self::Bytes(builder) => Arc::new(builder.finish()),
        })
    }
}
