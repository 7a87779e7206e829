//! What all files of a load are read by: their layout, the options, the columns that they fill; and what is recorded of a
//! bad record.

use super::builder::Column;
use super::cells::Cells;
use super::errors::{FieldOfError, LoadError, MOST_FIELDS, Problem, Replacement, shown};
use super::fields::{self, Delimited, Field};
use super::frame::{Framer, Framing};
use super::json::{Attribute, Members};
use super::postgres::{StreamCsv, StreamText};
use super::value::{Conversion, Value};
use crate::error::Result;
use crate::lake::json::JsonPath;
use crate::sql::{CopyOptions, TextEncoding};
use crate::tables::{self, SqlType};
use crate::zone::Zone;
use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{Field as ArrowField, Schema, SchemaRef};
use datafusion::arrow::record_batch::{RecordBatch, RecordBatchOptions};
use std::sync::Arc;

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
    /// Records whose values have types already ([`super::TypedLoader`]).
    Records,
    /// PostgreSQL's text format.
    StreamText(StreamText),
    /// PostgreSQL's CSV.
    StreamCsv(StreamCsv),
}

impl Layout {
    /// Whether rows come from a client by PostgreSQL's rules.
    pub(super) fn is_stream(&self) -> bool {
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
    pub(super) layout: Layout,
    pub(super) options: CopyOptions,
    pub(super) conversion: Conversion,
    pub(super) targets: Vec<Target>,
    members: Option<Members>,
    delimited: Delimited,
    pub(super) header: Header,
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
                Some(Members::named(names, *ignore_case))
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
            tables::marked_field(field, target.data_type)
        });
        let schema = Arc::new(Schema::new(columns.collect::<Vec<_>>()));
        let json = members.is_some() || layout == Layout::Records;
        let conversion = Conversion::new(options, fixed, layout.is_stream(), json)?;
        let header = Header::Skipped(if members.is_some() { 0 } else { options.ignore_header });
        Ok(Self { layout, options: options.clone(), conversion, targets, members, delimited, header, schema })
    }

    /// The same where moments and times with a zone are of this one when their texts name none. It is not that of values
    /// that are moments already.
    pub(crate) fn in_zone(self, zone: Zone) -> Self {
        Self { conversion: self.conversion.in_zone(zone), ..self }
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

    /// Whether records are read in runs: those whose texts are not looked at one by one.
    pub(super) fn takes_runs(&self) -> bool {
        self.options.accept_invalid_chars.is_none()
    }

    /// How many records of each file are passed over.
    pub(crate) fn header_lines(&self) -> u64 {
        match self.header {
            Header::Skipped(records) => records,
            Header::Names => 1,
        }
    }

    /// What cuts a file from its begin on. Of JSON, whose records are no lines, IGNOREHEADER passes over lines (Redshift:
    /// "newline characters in the JSON data are always counted for IGNOREHEADER calculations").
    pub(super) fn framer(&self, offset: u64, line: u64) -> Framer {
        let lines = if self.members.is_some() { self.options.ignore_header } else { 0 };
        Framer::new(self.framing(), offset, line).behind_lines(lines)
    }

    /// Empty columns for rows.
    pub(super) fn columns(&self) -> Vec<Column> {
        self.targets.iter().map(|target| Column::new(target.data_type)).collect()
    }

    /// The rows that are gathered in columns.
    pub(super) fn batch(&self, columns: &mut [Column], rows: usize) -> Result<RecordBatch> {
        let columns: Vec<ArrayRef> = columns.iter_mut().map(Column::finish).collect::<Result<_>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
    }

    pub(super) fn skips_blank_lines(&self) -> bool {
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
    pub(super) fn fields<'a>(&self, record: &'a [u8]) -> (Vec<Option<Field<'a>>>, std::result::Result<(), Problem>) {
        let mut found = Vec::with_capacity(self.targets.len() + 1);
        let whole = self.split(record, &mut found);
        (found, whole)
    }

    /// The fields of a record that stands in a run's bytes, behind those of the records before it. What `fields` holds is
    /// of no use before and after.
    pub(super) fn split_cells<'a>(
        &self,
        run: &'a [u8],
        from: usize,
        to: usize,
        fields: &mut Vec<Option<Field<'a>>>,
        cells: &mut Cells,
    ) -> std::result::Result<(), Problem> {
        if let Some(delimiter) = self.plain_delimiter() {
            let (mut begin, wanted) = (from, cells.len() + self.targets.len());
            fields::each_place(&run[from..to], delimiter, |at| {
                cells.push_plain(begin, from + at);
                begin = from + at + 1;
            });
            cells.push_plain(begin, to);
            if cells.len() == wanted + 1 {
                cells.pop_empty();
            }
            return Ok(());
        }
        fields.clear();
        self.split(&run[from..to], fields)?;
        for field in fields.iter() {
            cells.push(field.as_ref(), run);
        }
        Ok(())
    }

    /// The only byte that means anything in a line of fields, where there is such.
    fn plain_delimiter(&self) -> Option<u8> {
        match self.options.delimiter[..] {
            [byte] if self.layout == Layout::Delimited && !self.delimited.escape && !self.delimited.remove_quotes => {
                Some(byte)
            }
            _ => None,
        }
    }

    /// Takes a record apart, into fields of which there are none yet.
    fn split<'a>(&self, record: &'a [u8], found: &mut Vec<Option<Field<'a>>>) -> std::result::Result<(), Problem> {
        let wanted = self.targets.len();
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
        if found.len() == wanted + 1
            && self.layout == Layout::Delimited
            && found.last().is_some_and(|field| field.as_ref().is_some_and(|field| field.bytes.is_empty()))
        {
            found.pop();
        }
        if found.len() > wanted {
            Err(Problem::new(1202, "Extra column(s) found"))
        } else if found.len() < wanted && !self.options.fill_record {
            Err(Problem::new(1214, "Delimiter not found"))
        } else {
            Ok(())
        }
    }

    /// A record's values, or why it is bad: with the column and the field.
    pub(super) fn values<'a>(&self, record: &'a [u8]) -> std::result::Result<Vec<Value<'a>>, Bad<'a>> {
        let (found, whole) = self.fields(record);
        whole.map_err(Bad::line)?;
        let mut values = Vec::with_capacity(self.targets.len());
        let missing = found.len()..self.targets.len();
        for (at, field) in found.into_iter().enumerate() {
            values.push(self.value(&self.conversion, at, field)?);
        }
        // FILLRECORD: a missing VARCHAR is an empty field, whatever those are.
        for at in missing {
            let is_text = matches!(self.targets[at].data_type, SqlType::Varchar(_));
            let field = is_text.then(|| Field::plain(b"", record.len()));
            values.push(self.value(&self.conversion, at, field)?);
        }
        Ok(values)
    }

    /// What is recorded of a bad record of these fields.
    pub(super) fn error(&self, bad: Bad<'_>, found: Vec<Option<Field<'_>>>, place: Place<'_>) -> LoadError {
        let target = bad.column.map(|at| &self.targets[at]);
        LoadError {
            file: place.file.to_owned(),
            line: place.line,
            after: place.after,
            column: target.map(|target| target.name.clone()).unwrap_or_default(),
            data_type: target.map(|target| target.data_type.to_string()).unwrap_or_default(),
            length: target.and_then(|target| target.data_type.max_bytes()),
            position: bad.position,
            raw_line: shown(place.record),
            raw_value: shown(&bad.raw),
            code: bad.problem.code,
            reason: bad.problem.reason,
            fields: self.fields_of_error(found, bad.column),
        }
    }

    /// What is recorded of the texts of a loaded record that held what is no UTF-8.
    pub(super) fn replacements(&self, found: &[Option<Field<'_>>], place: Place<'_>) -> Vec<Replacement> {
        let replaced = found
            .iter()
            .zip(&self.targets)
            .filter(|(field, _)| field.as_ref().is_some_and(|field| std::str::from_utf8(&field.bytes).is_err()));
        let told = replaced.map(|(_, target)| Replacement {
            file: place.file.to_owned(),
            line: place.line,
            after: place.after,
            column: target.name.clone(),
            raw_line: shown(place.record),
        });
        told.collect()
    }

    /// The fields of a bad record up to the bad one, for its record in the system tables.
    fn fields_of_error(&self, found: Vec<Option<Field<'_>>>, column: Option<usize>) -> Vec<FieldOfError> {
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

    /// The value of a column's field, or why it is none.
    pub(super) fn value<'a>(
        &self,
        conversion: &Conversion,
        at: usize,
        field: Option<Field<'a>>,
    ) -> std::result::Result<Value<'a>, Bad<'a>> {
        let target = &self.targets[at];
        let kept = field.as_ref().map(|field| (field.at, field.bytes.len()));
        let value = match field {
            None => Ok(Value::Null),
            Some(field) => {
                let copy = field.clone();
                conversion.value(field, target.data_type).map_err(|problem| (problem, copy))
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

/// Where a record stands, and its text.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) file: &'a str,
    pub(super) line: u64,
    /// As [`LoadError::after`].
    pub(super) after: u64,
    pub(super) record: &'a [u8],
}

/// A bad record.
pub(super) struct Bad<'a> {
    pub(super) problem: Problem,
    /// The column whose field is bad; `None` when the record as a whole is.
    pub(super) column: Option<usize>,
    pub(super) position: usize,
    pub(super) raw: std::borrow::Cow<'a, [u8]>,
}

impl Bad<'_> {
    pub(super) fn line(problem: Problem) -> Self {
        Self { problem, column: None, position: 0, raw: Vec::new().into() }
    }
}
