//! How a JSON table's files are read, from its SerDe's properties.

use super::decode::JsonDecoder;
use super::lexer::last_document_end;
use super::path::JsonPath;
use super::select::select;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::decompress::ByteStream;
use crate::lake::records::{BlockDecoder, InvalidValues, RecordFormat, invalid_values};
use arrow::datatypes::Schema;
use millrace_catalog::model::{Parameters, StorageDescriptor};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Which of the SerDes, where their rules differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JsonSerde {
    /// `org.apache.hive.hcatalog.data.JsonSerDe`, `org.apache.hadoop.hive.serde2.JsonSerDe`.
    Hive,
    /// `org.openx.data.jsonserde.JsonSerDe`: a blank line is a row of NULLs, what follows a record in its line is
    /// passed over, a line may be an array whose items are the columns by position, a value is an array of one, an
    /// empty string is no array, map or struct.
    OpenX,
}

/// How the records of a file are laid out.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum JsonLayout {
    /// A record is a line.
    Lines,
    /// The objects at a path, whatever the line breaks (`jsonPath`).
    Documents(JsonPath),
}

/// How the files of a JSON table are read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct JsonOptions {
    /// Whose rules.
    pub serde: JsonSerde,
    /// Lines, or documents that span lines.
    pub layout: JsonLayout,
    /// A record that is no JSON is a row of NULLs (`ignore.malformed.json`).
    pub ignore_malformed: bool,
    /// Keys match names in any case (`case.insensitive`).
    pub case_insensitive: bool,
    /// A key matches a name that has underscores for its dots (`dots.in.keys`).
    pub dots_in_keys: bool,
    /// Other keys for names (`mapping.<name>`).
    pub mapping: BTreeMap<String, String>,
    /// Lines at a file's start that are no records.
    pub skip_header_lines: usize,
    /// What a value becomes that its column's type cannot hold.
    pub invalid_values: InvalidValues,
}

impl JsonOptions {
    /// JSON lines with the defaults of a SerDe.
    pub fn new(serde: JsonSerde) -> Self {
        Self {
            serde,
            layout: JsonLayout::Lines,
            ignore_malformed: false,
            case_insensitive: true,
            dots_in_keys: false,
            mapping: BTreeMap::new(),
            skip_header_lines: 0,
            invalid_values: InvalidValues::Error,
        }
    }

    /// The options of a table: its SerDe with the properties, and the table's own properties
    /// (`jsonPath`, `skip.header.line.count`, `invalid.values`, `use.null.for.invalid.data`).
    pub fn from_serde(storage: &StorageDescriptor, table_parameters: &Parameters) -> Result<Self> {
        let mut options = Self::new(match storage.serde.library.as_str() {
            "org.openx.data.jsonserde.JsonSerDe" => JsonSerde::OpenX,
            "org.apache.hive.hcatalog.data.JsonSerDe" | "org.apache.hadoop.hive.serde2.JsonSerDe" => JsonSerde::Hive,
            other => return Err(Error::unsupported(format_args!("SerDe \"{other}\" for JSON files"))),
        });
        for (key, value) in &storage.serde.parameters {
            options.set(key, value)?;
        }
        // Glue's crawlers write them to the storage as well.
        for (key, value) in storage.parameters.iter().chain(table_parameters) {
            match key.to_ascii_lowercase().as_str() {
                "skip.header.line.count" => options.skip_header_lines = line_count(key, value)?,
                "ignore.malformed.json" => options.ignore_malformed = flag(key, value)?,
                // The SerDe's own property counts: a partition's files may be laid out in another way.
                "jsonpath" if options.layout == JsonLayout::Lines => {
                    options.layout = JsonLayout::Documents(JsonPath::parse(value)?);
                }
                _ => {}
            }
        }
        options.check_layout()?;
        options.invalid_values = invalid_values(table_parameters)?;
        if options.invalid_values == InvalidValues::Error {
            options.invalid_values = invalid_values(&storage.serde.parameters)?;
        }
        Ok(options)
    }

    /// Whether records that stand one after another, a line each, can be read: what is written is laid out so.
    pub(crate) fn reads_lines(&self) -> bool {
        match &self.layout {
            JsonLayout::Lines => true,
            JsonLayout::Documents(path) => *path == JsonPath::root(),
        }
    }

    fn set(&mut self, key: &str, value: &str) -> Result<()> {
        let lower = key.to_ascii_lowercase();
        if let Some(name) = lower.strip_prefix("mapping.") {
            self.mapping.insert(name.to_owned(), value.to_owned());
            return Ok(());
        }
        match lower.as_str() {
            "ignore.malformed.json" => self.ignore_malformed = flag(key, value)?,
            "case.insensitive" => self.case_insensitive = flag(key, value)?,
            "dots.in.keys" => self.dots_in_keys = flag(key, value)?,
            "timestamp.formats" => check_timestamp_formats(value)?,
            "jsonpath" => self.layout = JsonLayout::Documents(JsonPath::parse(value)?),
            // Of writing, of Hive's and Glue's own bookkeeping, or read elsewhere.
            "explicit.null"
            | "serialization.format"
            | "serialization.lib"
            | "invalid.values"
            | "use.null.for.invalid.data"
            | "paths"
            | "columns"
            | "columns.types"
            | "columns.comments"
            | "typeofdata"
            | "classification"
            | "json.builtins" => {}
            "hive.serialization.extend.nesting.levels" | "strip.outer.array" if value.eq_ignore_ascii_case("false") => {
            }
            _ => return Err(Error::unsupported(format_args!("SerDe property \"{key}\" = \"{value}\""))),
        }
        Ok(())
    }

    /// Refuses what only lines can have.
    fn check_layout(&self) -> Result<()> {
        let lines_only = match &self.layout {
            JsonLayout::Documents(_) if self.ignore_malformed => "ignore.malformed.json",
            JsonLayout::Documents(_) if self.skip_header_lines > 0 => "skip.header.line.count",
            _ => return Ok(()),
        };
        Err(Error::unsupported(format_args!("the property \"{lines_only}\" together with \"jsonPath\""))
            .with_hint("without \"jsonPath\" each record is a line"))
    }

    /// A line without a value is a row.
    pub(super) fn blank_is_row(&self) -> bool {
        self.serde == JsonSerde::OpenX && self.layout == JsonLayout::Lines
    }
}

impl RecordFormat for JsonOptions {
    fn file_type(&self) -> &'static str {
        "json"
    }

    fn splittable(&self) -> bool {
        self.layout == JsonLayout::Lines && self.skip_header_lines <= 1
    }

    fn header_lines(&self) -> usize {
        self.skip_header_lines
    }

    fn footer_lines(&self) -> usize {
        0
    }

    fn last_record_end(&self, bytes: &[u8], _keep: usize) -> Option<usize> {
        match self.layout {
            JsonLayout::Lines => memchr::memrchr(b'\n', bytes).map(|at| at + 1),
            JsonLayout::Documents(_) => last_document_end(bytes),
        }
    }

    fn records(&self, input: ByteStream, url: &Arc<str>) -> ByteStream {
        match &self.layout {
            JsonLayout::Lines => input,
            JsonLayout::Documents(path) => select(input, path, url),
        }
    }

    fn decoder(&self, file_schema: &Schema, projection: &[usize]) -> Result<Arc<dyn BlockDecoder>> {
        Ok(Arc::new(JsonDecoder::new(self.clone(), file_schema, projection)?))
    }
}

/// Formats that every timestamp column accepts anyway; any other is refused, since it would give other rows.
fn check_timestamp_formats(value: &str) -> Result<()> {
    for format in value.split(',').map(str::trim).filter(|format| !format.is_empty()) {
        let seconds = format.trim_end_matches(['X', 'Z', 'x']).trim_end_matches("'Z'").trim_end_matches('\'');
        let whole = seconds.trim_end_matches('S').trim_end_matches('.');
        let known = matches!(whole, "yyyy-MM-dd'T'HH:mm:ss" | "yyyy-MM-dd HH:mm:ss" | "yyyy-MM-dd")
            || matches!(format, "yyyy-MM-dd'T'HH:mm:ss'Z'" | "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'");
        if !known {
            return Err(Error::unsupported(format_args!("timestamp format \"{format}\""))
                .with_hint("timestamps are read as yyyy-MM-dd HH:mm:ss, as ISO 8601, and as numbers"));
        }
    }
    Ok(())
}

fn line_count(key: &str, value: &str) -> Result<usize> {
    value.trim().parse().map_err(|_| invalid(key, value, "a number of lines"))
}

fn flag(key: &str, value: &str) -> Result<bool> {
    match value.trim().to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(invalid(key, value, "\"true\" or \"false\"")),
    }
}

fn invalid(key: &str, value: &str, expected: &str) -> Error {
    Error::new(
        ErrorKind::InvalidParameter,
        format!("invalid value \"{value}\" for property \"{key}\": expected {expected}"),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn options(library: &str, serde: &[(&str, &str)]) -> Result<JsonOptions> {
        let mut storage = StorageDescriptor::default();
        storage.serde.library = library.to_owned();
        storage.serde.parameters = serde.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        JsonOptions::from_serde(&storage, &Parameters::new())
    }

    #[test]
    fn properties_of_the_serdes() {
        let openx = "org.openx.data.jsonserde.JsonSerDe";
        let read = options(
            openx,
            &[
                ("ignore.malformed.json", "TRUE"),
                ("mapping.ts", "Timestamp"),
                ("case.insensitive", "false"),
                ("dots.in.keys", "true"),
            ],
        )
        .unwrap();
        assert!(read.ignore_malformed && !read.case_insensitive && read.dots_in_keys);
        assert_eq!(read.mapping["ts"], "Timestamp");
        for library in ["org.apache.hive.hcatalog.data.JsonSerDe", "org.apache.hadoop.hive.serde2.JsonSerDe"] {
            assert_eq!(options(library, &[("serialization.format", "1")]).unwrap(), JsonOptions::new(JsonSerde::Hive));
        }
        for format in ["yyyy-MM-dd'T'HH:mm:ss.SSSSSS", "yyyy-MM-dd'T'HH:mm:ss.SSS'Z',yyyy-MM-dd'T'HH:mm:ssZ"] {
            assert!(options(openx, &[("timestamp.formats", format)]).is_ok(), "{format}");
        }
        assert_eq!(options(openx, &[("jsonPath", "$[*]")]).unwrap().layout, JsonLayout::Documents(JsonPath::items()));
        let both = options(openx, &[("jsonPath", "$"), ("ignore.malformed.json", "true")]);
        assert_eq!(both.unwrap_err().kind, ErrorKind::Unsupported);
        for (key, value) in [("timestamp.formats", "dd/MM/yyyy"), ("unknown.key", "1"), ("jsonPath", "$..a")] {
            assert_eq!(options(openx, &[(key, value)]).unwrap_err().kind, ErrorKind::Unsupported);
        }
        assert_eq!(options("org.apache.hive.Other", &[]).unwrap_err().kind, ErrorKind::Unsupported);
    }
}
