//! Rows out of one file's bytes: records cut, taken apart, converted, and gathered into batches.
//!
//! A row goes in whole or not at all. Memory holds one chunk, one record and one batch.

use super::builder::Column;
use super::decode::Decoder;
use super::errors::{FieldOfError, LoadError, LoadErrors, MOST_FIELDS, Problem, Replacement, shown};
use super::fields::{self, Delimited, Field};
use super::frame::{Framed, Framer, Framing};
use super::json::{Attribute, Members};
use super::postgres::{END_OF_DATA, StreamCsv, StreamText};
use super::run::{self, RUN_ROWS};
use super::value::{Conversion, Value};
use crate::error::Result;
use crate::lake::json::JsonPath;
use crate::sql::{CopyOptions, TextEncoding};
use crate::tables::{self, SqlType};
use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{Field as ArrowField, Schema, SchemaRef};
use datafusion::arrow::record_batch::{RecordBatch, RecordBatchOptions};
use std::sync::Arc;

/// Rows of a batch; some more where a run of records ends behind it.
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
    /// Items of DynamoDB: members of the columns' names, each with its type.
    Items,
    /// PostgreSQL's text format.
    StreamText(StreamText),
    /// PostgreSQL's CSV.
    StreamCsv(StreamCsv),
}

impl Layout {
    /// Whether rows come from a client by PostgreSQL's rules.
    fn is_stream(&self) -> bool {
        matches!(self, Self::StreamText(_) | Self::StreamCsv(_))
    }
}

/// What stands before the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Header {
    /// So many records that are passed over.
    Skipped(u64),
    /// One record that names the columns.
    Names,
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
    header: Header,
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
            Layout::Items => Some(Members::Typed(targets.iter().map(Attribute::new).collect())),
            _ => None,
        };
        let delimited = Delimited {
            delimiter: options.delimiter.clone(),
            escape: options.escape,
            remove_quotes: options.remove_quotes,
            null_as: options.null_as.clone(),
        };
        let columns = targets.iter().map(|target| {
            let field = ArrowField::new(&target.name, target.data_type.to_arrow(), true);
            // What is loaded into a SUPER is a document.
            if target.data_type == SqlType::Super { tables::super_field(field) } else { field }
        });
        let schema = Arc::new(Schema::new(columns.collect::<Vec<_>>()));
        let conversion = Conversion::new(options, fixed, layout.is_stream(), members.is_some())?;
        let header = Header::Skipped(options.ignore_header);
        Ok(Self { layout, options: options.clone(), conversion, targets, members, delimited, header, schema })
    }

    /// The same with another header.
    pub(crate) fn with_header(self, header: Header) -> Self {
        Self { header, ..self }
    }

    /// The schema of the batches.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Whether a plain file may be read in parts: every line end ends a line, and bytes are the file's.
    pub(crate) fn is_splittable(&self) -> bool {
        self.framing() == Framing::Lines { escape: false } && self.options.encoding == TextEncoding::Utf8
    }

    /// Whether a file's records can be cut before it is known what its bytes mean.
    pub(crate) fn is_cuttable(&self) -> bool {
        self.options.encoding == TextEncoding::Utf8 && !self.layout.is_stream()
    }

    /// How many records of each file are passed over.
    pub(crate) fn header_lines(&self) -> u64 {
        self.options.ignore_header
    }

    fn skips_blank_lines(&self) -> bool {
        self.options.ignore_blank_lines || self.members.is_some()
    }

    pub(super) fn framing(&self) -> Framing {
        match &self.layout {
            Layout::Delimited => Framing::Lines { escape: self.options.escape },
            Layout::Csv(quote) => Framing::Csv { quote: *quote, delimiter: self.options.delimiter.clone() },
            Layout::FixedWidth(_) => Framing::Lines { escape: false },
            Layout::StreamText(_) => Framing::Lines { escape: true },
            Layout::StreamCsv(csv) => {
                let escape = Some(csv.escape).filter(|escape| *escape != csv.quote);
                Framing::Quotes { quote: csv.quote, escape }
            }
            _ => Framing::Json,
        }
    }

    /// A record's fields, `None` for NULL, as far as it can be taken apart, and why not further.
    fn fields<'a>(&self, record: &'a [u8]) -> (Vec<Option<Field<'a>>>, std::result::Result<(), Problem>) {
        let mut found = Vec::with_capacity(self.targets.len() + 1);
        let whole = self.split(record, &mut found);
        (found, whole)
    }

    /// The same, behind the fields of other records.
    fn split<'a>(&self, record: &'a [u8], found: &mut Vec<Option<Field<'a>>>) -> std::result::Result<(), Problem> {
        let (wanted, before) = (self.targets.len(), found.len());
        if let Some(members) = &self.members {
            return members.select(record, found);
        }
        match &self.layout {
            Layout::Csv(quote) => fields::split_csv(record, &self.options.delimiter, *quote, found)?,
            Layout::FixedWidth(widths) => fields::split_fixed(record, widths, self.options.fill_record, found)?,
            Layout::StreamText(rules) => rules.split(record, found),
            Layout::StreamCsv(rules) => rules.split(record, found)?,
            _ => self.delimited.split(record, found)?,
        }
        // Many programs end each line with a delimiter.
        if found.len() == before + wanted + 1
            && self.layout == Layout::Delimited
            && found.last().is_some_and(|field| field.as_ref().is_some_and(|field| field.bytes.is_empty()))
        {
            found.pop();
        }
        let count = found.len() - before;
        if count > wanted {
            Err(Problem::new(1202, "Extra column(s) found"))
        } else if count < wanted && !self.options.fill_record {
            Err(Problem::new(1214, "Delimiter not found"))
        } else {
            Ok(())
        }
    }

    /// A record's values, or why it is bad: with the column and the field.
    fn values<'a>(&self, record: &'a [u8]) -> std::result::Result<Vec<Value<'a>>, Bad<'a>> {
        let (found, whole) = self.fields(record);
        whole.map_err(Bad::line)?;
        let mut values = Vec::with_capacity(self.targets.len());
        let missing = found.len()..self.targets.len();
        for (at, field) in found.into_iter().enumerate() {
            values.push(self.value(at, field)?);
        }
        // FILLRECORD: a missing VARCHAR is an empty field, whatever those are.
        for at in missing {
            let is_text = matches!(self.targets[at].data_type, SqlType::Varchar(_));
            values.push(self.value(at, is_text.then(|| Field::plain(b"", record.len())))?);
        }
        Ok(values)
    }

    /// The fields of a bad record up to the bad one, for its record in the system tables.
    fn fields_of_error(&self, record: &[u8], column: Option<usize>) -> Vec<FieldOfError> {
        let (found, _) = self.fields(record);
        let mut left = MOST_FIELDS;
        let until = column.map_or(self.targets.len(), |column| column + 1);
        let told = found.into_iter().zip(&self.targets).take(until).map_while(|(field, target)| {
            let value = field.filter(|field| !self.conversion.is_null(field)).map(|field| shown(&field.bytes));
            left = left.checked_sub(value.as_ref().map_or(1, |value| value.len() + 1))?;
            Some(FieldOfError {
                column: target.name.clone(),
                data_type: target.data_type.to_string(),
                length: target.data_type.max_bytes(),
                value,
            })
        });
        told.collect()
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

/// A part of a file that one loader reads: the lines that begin in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    /// Where its bytes begin in the file. But for the first part's they are the end of a line that is another's.
    pub(crate) from: u64,
    /// Lines that begin here or later are another's.
    pub(crate) end: u64,
    /// How many lines stand before the file's first part.
    pub(crate) skipped: u64,
    /// The file's first part.
    pub(crate) is_first: bool,
}

/// Reads one file or a part of it.
pub(crate) struct Loader {
    spec: Arc<LoaderSpec>,
    errors: Arc<LoadErrors>,
    file: String,
    framer: Framer,
    decoder: Decoder,
    header_left: u64,
    /// The rows are over, by a client's word or at the end of the part; what follows means nothing.
    ended: bool,
    part: Option<Part>,
    columns: Vec<Column>,
    rows: usize,
}

impl Loader {
    pub(crate) fn new(spec: Arc<LoaderSpec>, errors: Arc<LoadErrors>, file: String) -> Self {
        Self::of_part(spec, errors, file, None)
    }

    /// The same for a part of a file that [`LoaderSpec::is_splittable`] allows.
    pub(crate) fn of_part(spec: Arc<LoaderSpec>, errors: Arc<LoadErrors>, file: String, part: Option<Part>) -> Self {
        let (from, skipped) = part.map_or((0, 0), |part| (part.from, part.skipped));
        let first = part.is_none_or(|part| part.is_first);
        let framer = Framer::new(spec.framing(), from, if first { skipped + 1 } else { 1 });
        let decoder = Decoder::new(spec.options.encoding, from > 0);
        let columns = spec.targets.iter().map(|target| Column::new(target.data_type)).collect();
        let header_left = match (part, &spec.header) {
            (Some(part), _) => u64::from(!part.is_first),
            (None, Header::Skipped(records)) => *records,
            (None, Header::Names) => 1,
        };
        Self { spec, errors, file, framer, decoder, header_left, ended: false, part, columns, rows: 0 }
    }

    /// The same for a block of whole records, the first of them at this line; its file's header is not among them.
    pub(crate) fn of_block(spec: Arc<LoaderSpec>, errors: Arc<LoadErrors>, file: String, line: u64) -> Self {
        let framer = Framer::new(spec.framing(), 0, line);
        let decoder = Decoder::new(TextEncoding::Utf8, true);
        Self { framer, decoder, header_left: 0, ..Self::new(spec, errors, file) }
    }

    /// Records a line that was given up.
    ///
    /// # Errors
    /// `Data` when there are too many bad lines.
    pub(crate) fn too_long(&self, line: u64) -> Result<()> {
        let problem = Problem::new(1216, "Input line is not valid: it is longer than 4 MB");
        self.record(line, &[], Bad::line(problem))
    }

    /// Whether nothing that may come is of use.
    pub(crate) fn is_done(&self) -> bool {
        self.part.is_some() && self.ended
    }

    /// Takes a chunk of the file in; the batches that are full now.
    ///
    /// # Errors
    /// `Data` when there are too many bad lines.
    pub(crate) fn feed(&mut self, chunk: &[u8]) -> Result<Vec<RecordBatch>> {
        if self.ended {
            return Ok(Vec::new());
        }
        self.push(chunk, false)?;
        let batches = self.drain(false)?;
        // A line that began before the part may end behind it: then no line begins in it.
        if self.header_left > 0 && self.part.is_some_and(|part| self.framer.seen() >= part.end) {
            self.ended = true;
        }
        Ok(batches)
    }

    /// The file is over; the last batches.
    ///
    /// # Errors
    /// `Data` when there are too many bad lines.
    pub(crate) fn finish(&mut self) -> Result<Vec<RecordBatch>> {
        self.push(&[], true)?;
        let mut batches = if self.ended { Vec::new() } else { self.drain(true)? };
        if self.rows > 0 {
            batches.push(self.batch()?);
        }
        Ok(batches)
    }

    /// Takes bytes in; a file that is not of its encoding is one error and no more.
    fn push(&mut self, chunk: &[u8], last: bool) -> Result<()> {
        if self.ended {
            return Ok(());
        }
        match self.decoder.decode(chunk, last) {
            Ok(plain) => {
                self.framer.push(plain);
                Ok(())
            }
            Err(problem) => {
                self.ended = true;
                self.record(1, &[], Bad::line(problem))
            }
        }
    }

    fn drain(&mut self, last: bool) -> Result<Vec<RecordBatch>> {
        let (mut batches, mut run) = (Vec::new(), Vec::with_capacity(RUN_ROWS));
        loop {
            if self.part.is_some_and(|part| self.framer.begin() >= part.end) {
                self.ended = true;
                break;
            }
            let Some(framed) = self.framer.cut(last) else { break };
            match framed {
                Framed::Record { from, to, .. } if self.ends_stream(from, to) => {
                    self.ended = true;
                    break;
                }
                _ if self.header_left > 0 => {
                    self.header_left -= 1;
                    self.check_header(&framed)?;
                }
                Framed::TooLong { line } => {
                    self.take(&mut run, &mut batches)?;
                    self.too_long(line)?;
                }
                Framed::Record { from, to, .. } if from == to && self.spec.skips_blank_lines() => {}
                Framed::Record { from, to, line } => run.push((from, to, line)),
            }
            if run.len() == RUN_ROWS {
                self.take(&mut run, &mut batches)?;
            }
        }
        self.take(&mut run, &mut batches)?;
        Ok(batches)
    }

    /// Takes the rows of a run of records in: their places and lines.
    fn take(&mut self, run: &mut Vec<(usize, usize, u64)>, batches: &mut Vec<RecordBatch>) -> Result<()> {
        if self.take_columns(run) {
            self.rows += run.len();
            run.clear();
        }
        for (from, to, line) in run.drain(..) {
            self.row(from, to, line)?;
        }
        if self.rows >= BATCH_ROWS {
            batches.push(self.batch()?);
        }
        Ok(())
    }

    /// Takes a run in column by column, if all of its records are good and plain.
    fn take_columns(&mut self, run: &[(usize, usize, u64)]) -> bool {
        let (spec, width) = (&self.spec, self.spec.targets.len());
        if spec.options.accept_invalid_chars.is_some() {
            return false;
        }
        let mut fields = Vec::with_capacity(run.len() * width + 1);
        for (at, (from, to, _)) in run.iter().enumerate() {
            let split = spec.split(self.framer.bytes(*from, *to), &mut fields);
            if split.is_err() || fields.len() != (at + 1) * width {
                return false;
            }
        }
        run::append(&spec.conversion, &spec.targets, &fields, &mut self.columns)
    }

    fn ends_stream(&self, from: usize, to: usize) -> bool {
        self.spec.layout.is_stream() && self.framer.bytes(from, to) == END_OF_DATA
    }

    /// A header that names the columns must name these.
    fn check_header(&self, framed: &Framed) -> Result<()> {
        let Framed::Record { from, to, line } = *framed else { return Ok(()) };
        if self.spec.header != Header::Names {
            return Ok(());
        }
        let record = self.framer.bytes(from, to);
        let (found, _) = self.spec.fields(record);
        let names = found.iter().map(|field| field.as_ref().map_or("\\N".into(), |field| shown(&field.bytes)));
        let names: Vec<String> = names.collect();
        let wanted = &self.spec.targets;
        let problem = if names.len() == wanted.len() {
            let wrong = names.iter().zip(wanted).position(|(name, target)| *name != target.name);
            wrong.map(|at| {
                let (got, expected) = (&names[at], &wanted[at].name);
                let field = at + 1;
                format!("column name mismatch in header line field {field}: got \"{got}\", expected \"{expected}\"")
            })
        } else {
            Some(format!("wrong number of fields in header line: got {}, expected {}", names.len(), wanted.len()))
        };
        match problem {
            Some(problem) => self.record(line, record, Bad::line(Problem::new(1216, problem))),
            None => Ok(()),
        }
    }

    fn row(&mut self, from: usize, to: usize, line: u64) -> Result<()> {
        let spec = Arc::clone(&self.spec);
        let record = self.framer.bytes(from, to);
        match spec.values(record) {
            Ok(values) => {
                for (column, value) in self.columns.iter_mut().zip(values) {
                    column.append(value);
                }
                self.rows += 1;
                let record = self.framer.bytes(from, to);
                if spec.options.accept_invalid_chars.is_some() && std::str::from_utf8(record).is_err() {
                    self.record_replacements(line, record);
                }
                Ok(())
            }
            Err(bad) => self.record(line, record, bad),
        }
    }

    /// Records the texts of a loaded record that held what is no UTF-8.
    fn record_replacements(&self, line: u64, record: &[u8]) {
        let (found, _) = self.spec.fields(record);
        for (field, target) in found.into_iter().zip(&self.spec.targets) {
            if field.is_some_and(|field| std::str::from_utf8(&field.bytes).is_err()) {
                self.errors.record_replacement(Replacement {
                    file: self.file.clone(),
                    line,
                    after: self.counted_from(),
                    column: target.name.clone(),
                    raw_line: shown(record),
                });
            }
        }
    }

    /// From which byte of the file on lines are counted.
    fn counted_from(&self) -> u64 {
        self.part.filter(|part| !part.is_first).map_or(0, |part| part.from)
    }

    fn record(&self, line: u64, record: &[u8], bad: Bad<'_>) -> Result<()> {
        let target = bad.column.map(|at| &self.spec.targets[at]);
        self.errors.record(LoadError {
            file: self.file.clone(),
            line,
            after: self.counted_from(),
            column: target.map(|target| target.name.clone()).unwrap_or_default(),
            data_type: target.map(|target| target.data_type.to_string()).unwrap_or_default(),
            length: target.and_then(|target| target.data_type.max_bytes()),
            position: bad.position,
            raw_line: shown(record),
            raw_value: shown(&bad.raw),
            code: bad.problem.code,
            reason: bad.problem.reason,
            fields: self.spec.fields_of_error(record, bad.column),
        })
    }

    fn batch(&mut self) -> Result<RecordBatch> {
        let columns: Vec<ArrayRef> = self.columns.iter_mut().map(Column::finish).collect::<Result<_>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        self.rows = 0;
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.spec.schema), columns, &options)?)
    }
}
