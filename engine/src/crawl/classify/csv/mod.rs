//! Delimited text: which delimiter, quoted or not, with a header or not, which types.
//!
//! Follows AWS Glue's CSV classifier: comma, tab, pipe, semicolon or Ctrl-A divide, at least two columns and two
//! records are needed, columns without a header are `col0` …. The records are divided and their types told by the
//! code that will read them, and quoted files become OpenCSVSerde's, others LazySimpleSerDe's, whose every inferred
//! type our readers take from exactly these bytes (OpenCSVSerde in Athena wants numbers for dates and timestamps; ours
//! also takes the written forms).
//!
//! The certainty is the share of records that have the number of columns that most have; where it is too small (see
//! [`dialect`]) the file is no delimited text. Records that are shorter have NULLs, surplus fields are not read.

mod dialect;
mod settings;
#[cfg(test)]
mod tests;

pub(crate) use settings::CustomCsv;

use super::super::schema::{Unknown, legal_names};
use super::super::{Layout, Recognized, Sample};
use crate::error::Result;
use crate::lake::hive_classes::{LAZY_SIMPLE_SERDE, OPEN_CSV_SERDE, TEXT_INPUT_FORMAT, TEXT_OUTPUT_FORMAT};
use crate::lake::text::{Evidence, is_header};
use dialect::Dialect;
use millrace_catalog::model::{Column, CsvHeader, HiveType, Parameters, SerDe};
use settings::Settings;
use std::borrow::Cow;

/// Hive's text for NULL.
const NULL: &str = "\\N";

/// The columns of delimited text; `None` for what is not.
pub(crate) fn recognize(sample: &Sample) -> Option<Recognized> {
    recognize_with(sample, &Settings::default())
}

/// The columns of delimited text under a custom classifier's settings; `None` for what is not.
///
/// # Errors
/// `InvalidParameter` for types that are none and for a delimiter or quote that is not one ASCII character.
pub(crate) fn recognize_custom(sample: &Sample, custom: &CustomCsv<'_>) -> Result<Option<Recognized>> {
    Ok(recognize_with(sample, &Settings::new(custom)?))
}

fn recognize_with(sample: &Sample, settings: &Settings<'_>) -> Option<Recognized> {
    let dialect = dialect::detect(sample, settings)?;
    let content = Content::read(sample, &dialect, settings)?;
    let told = settings.header != CsvHeader::Unknown;
    if content.records < if told { 1 } else { 2 } || content.width < settings.columns.len() {
        return None;
    }
    let header = content.has_header(settings);
    // What stands in a wider header is a column too, of NULLs in every record.
    let width = if header { content.width.max(content.first.len()) } else { content.width };
    let mut notes = content.notes(header);
    let names = match (settings.columns, header) {
        ([], true) => content.first.iter().map(|name| name.clone().into_owned()).collect(),
        ([], false) => Vec::new(),
        (names, _) => names.to_vec(),
    };
    let names: Vec<String> = (0..width).map(|column| names.get(column).cloned().unwrap_or_default()).collect();
    let (names, renamed) = legal_names(&names);
    if header || !settings.columns.is_empty() {
        notes.extend(renamed);
    }
    let types = content.types(header, settings);
    let unknown = names.iter().enumerate().filter(|(column, _)| types.get(*column).is_none_or(Option::is_none));
    let unknown: Unknown = unknown.map(|(_, name)| name.to_lowercase()).collect();
    let columns = names
        .into_iter()
        .enumerate()
        .map(|(column, name)| Column::new(name, types.get(column).cloned().flatten().unwrap_or(HiveType::String)));
    Some(Recognized {
        columns: columns.collect(),
        unknown,
        certainty: content.regular as f64 / content.records as f64,
        rows: content.lines - u64::from(header),
        rows_exact: !sample.truncated,
        row_bytes: (content.bytes - if header { content.header_bytes } else { 0 }) as u64,
        statistics: None,
        notes,
        layout: layout(sample, &dialect, settings, if header { content.header_lines } else { 0 }, content.nulls),
    })
}

/// What a pass over the sample's records tells.
struct Content<'a> {
    /// Columns, without one that is empty throughout because a delimiter ends every line.
    width: usize,
    /// Records that are not blank.
    records: u64,
    /// Of them those with as many fields as most have.
    regular: u64,
    /// Records, blank ones too.
    lines: u64,
    /// Bytes of them all.
    bytes: usize,
    /// A delimiter ends every line.
    trailing: bool,
    first: Vec<Cow<'a, str>>,
    /// Bytes and lines up to the end of the first record that is not blank.
    header_bytes: usize,
    header_lines: usize,
    /// What the first record shows, and the others.
    first_evidence: Vec<Evidence>,
    below: Vec<Evidence>,
    /// A value of the first record occurs again in its column.
    repeats: bool,
    /// A value is Hive's text for NULL.
    nulls: bool,
}

impl<'a> Content<'a> {
    /// `None` when no record is whole.
    fn read(sample: &'a Sample, dialect: &Dialect, settings: &Settings<'_>) -> Option<Self> {
        let width = dialect.width;
        let mut content = Self {
            width,
            records: 0,
            regular: 0,
            lines: 0,
            bytes: 0,
            trailing: false,
            first: Vec::new(),
            header_bytes: 0,
            header_lines: 0,
            first_evidence: vec![Evidence::default(); width],
            below: vec![Evidence::default(); width],
            repeats: false,
            nulls: false,
        };
        for record in dialect.records(&sample.bytes) {
            if sample.truncated && !record.terminated {
                break;
            }
            content.lines += 1;
            content.bytes = record.end;
            if record.is_blank() {
                continue;
            }
            let fields = record.fields();
            content.records += 1;
            content.regular += u64::from(fields.len() == width);
            content.nulls |= fields.iter().any(|value| value == NULL);
            let evidence = if content.records == 1 { &mut content.first_evidence } else { &mut content.below };
            for (evidence, value) in evidence.iter_mut().zip(&fields) {
                see(evidence, value, settings.keep_blanks);
            }
            if content.records == 1 {
                content.header_bytes = record.end;
                content.header_lines = memchr::memchr_iter(b'\n', &sample.bytes[..record.end]).count();
                content.first = fields;
            } else {
                content.repeats |= repeats(&content.first, &fields);
            }
        }
        content.leave_out_trailing();
        (content.records > 0).then_some(content)
    }

    /// The last column, where it is empty in every record.
    fn leave_out_trailing(&mut self) {
        let last = self.width.saturating_sub(1);
        let empty = |columns: &[Evidence]| columns.get(last).is_some_and(|column| *column == Evidence::default());
        let named = self.first.len() > last && !self.first[last].trim().is_empty();
        if self.width > 2 && self.records > 1 && empty(&self.below) && !named {
            self.width = last;
            self.trailing = true;
            self.first.truncate(last);
            self.below.truncate(last);
            self.first_evidence.truncate(last);
        }
    }

    fn has_header(&self, settings: &Settings<'_>) -> bool {
        match settings.header {
            CsvHeader::Present => true,
            CsvHeader::Absent => false,
            CsvHeader::Unknown if self.is_named(settings.columns) => true,
            // One field above several columns is a title rather than their names.
            CsvHeader::Unknown => {
                self.records > 1
                    && (self.first.len() > 1 || self.width == 1)
                    && is_header(&self.first, &self.below, self.repeats)
            }
        }
    }

    /// Whether the first record has the names that a custom classifier gives.
    fn is_named(&self, names: &[String]) -> bool {
        !names.is_empty()
            && names.len() == self.first.len()
            && names
                .iter()
                .zip(&self.first)
                .all(|(name, field)| name.trim().to_lowercase() == field.trim().to_lowercase())
    }

    /// The type of each column; `None` where no value was seen.
    fn types(&self, header: bool, settings: &Settings<'_>) -> Vec<Option<HiveType>> {
        let mut types: Vec<Option<HiveType>> = (0..self.width)
            .map(|column| {
                let mut evidence = self.below.get(column).cloned().unwrap_or_default();
                if !header && let Some(first) = self.first.get(column) {
                    see(&mut evidence, first, settings.keep_blanks);
                }
                evidence.hive_type()
            })
            .collect();
        types.iter_mut().zip(&settings.types).for_each(|(found, given)| *found = Some(given.clone()));
        types
    }

    fn notes(&self, header: bool) -> Vec<String> {
        let mut notes = Vec::new();
        let others = self.records - self.regular;
        if others > 0 {
            let records = self.records;
            notes.push(format!("{others} of the {records} records looked at have not {} fields", self.fields()));
        }
        if self.trailing {
            notes.push("a delimiter ends the records: the empty column behind it is left out".to_owned());
        }
        if header && self.first.len() != self.width {
            notes.push(format!("the header has {} names for {} columns", self.first.len(), self.width));
        }
        let blank = self.lines - self.records;
        if blank > 0 {
            notes.push(format!("{blank} blank lines are rows of NULLs"));
        }
        notes
    }

    /// The fields of a regular record.
    fn fields(&self) -> usize {
        self.width + usize::from(self.trailing)
    }
}

/// Takes a value into account as the reader will read it.
fn see(evidence: &mut Evidence, value: &str, keep_blanks: bool) {
    if keep_blanks && value.trim_ascii().len() != value.len() {
        evidence.see_string();
    } else if value != NULL {
        evidence.see(value);
    }
}

fn repeats(first: &[Cow<'_, str>], fields: &[Cow<'_, str>]) -> bool {
    first.iter().zip(fields).any(|(name, value)| !name.is_empty() && name.trim() == value.trim())
}

fn layout(sample: &Sample, dialect: &Dialect, settings: &Settings<'_>, header_lines: usize, nulls: bool) -> Layout {
    let delimiter = char::from(dialect.delimiter).to_string();
    let mut serde = SerDe::default();
    let mut set = |key: &str, value: &str| serde.parameters.insert(key.to_owned(), value.to_owned());
    if let Some(quote) = dialect.quote {
        // The quote as escape character is none: quotes are doubled.
        set("separatorChar", &delimiter);
        set("quoteChar", &char::from(quote).to_string());
        set("escapeChar", &char::from(dialect.escape.unwrap_or(quote)).to_string());
        if nulls {
            set("serialization.null.format", NULL);
        }
        OPEN_CSV_SERDE.clone_into(&mut serde.library);
    } else {
        set("field.delim", &delimiter);
        set("serialization.format", &delimiter);
        LAZY_SIMPLE_SERDE.clone_into(&mut serde.library);
    }
    let mut parameters = Parameters::new();
    let mut set = |key: &str, value: &str| parameters.insert(key.to_owned(), value.to_owned());
    set("classification", "csv");
    set("delimiter", &delimiter);
    set("areColumnsQuoted", if dialect.quote.is_some() { "true" } else { "false" });
    set("columnsOrdered", "true");
    set("typeOfData", "file");
    if header_lines > 0 {
        set("skip.header.line.count", &header_lines.to_string());
    }
    Layout {
        classifier: settings.name.to_owned(),
        classification: "csv".to_owned(),
        serde,
        input_format: TEXT_INPUT_FORMAT.to_owned(),
        output_format: TEXT_OUTPUT_FORMAT.to_owned(),
        parameters,
        compression: sample.compression.to_owned(),
    }
}
