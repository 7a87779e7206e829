//! How the lines of a table are taken apart, from its SerDe's properties.

use super::decode::PatternDecoder;
use super::grok::Grok;
use super::java_regex::{split_negative_lookahead, translate};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::records::{BlockDecoder, InvalidValues, RecordFormat, invalid_values};
use arrow::datatypes::Schema;
use millrace_catalog::model::{Parameters, StorageDescriptor};
use std::sync::Arc;

/// What takes a line apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pattern {
    /// Fields by name.
    Grok(Grok),
    /// Groups by position.
    Regex {
        /// As the table has it, for errors.
        written: String,
        /// It must match the whole line,
        regex: String,
        /// and this must not match its beginning.
        unless: Option<String>,
        case_insensitive: bool,
    },
}

/// How the files of a table of lines are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternOptions {
    pub(super) pattern: Pattern,
    /// Lines at a file's start that are no rows (`skip.header.line.count`).
    pub(super) skip_header_lines: usize,
    /// What a value becomes that its column's type cannot hold.
    pub(super) invalid_values: InvalidValues,
}

impl PatternOptions {
    /// The options of a table: its SerDe with the properties, and the table's own properties.
    ///
    /// # Errors
    /// `InvalidParameter` for patterns that are none, `Unsupported` for properties and parts of patterns that we lack.
    pub fn from_serde(storage: &StorageDescriptor, table_parameters: &Parameters) -> Result<Self> {
        let serde = &storage.serde;
        let grok = serde.library.ends_with(".GrokSerDe");
        let (mut pattern, mut custom, mut case_insensitive) = (None, None, false);
        for (key, value) in &serde.parameters {
            match key.to_ascii_lowercase().as_str() {
                "input.format" if grok => pattern = Some(value.as_str()),
                "input.grokcustompatterns" if grok => custom = Some(value.as_str()),
                "input.regex" if !grok => pattern = Some(value.as_str()),
                "input.regex.case.insensitive" if !grok => case_insensitive = flag(key, value)?,
                // Of writing, of Hive's and Glue's own bookkeeping, or read elsewhere.
                "output.format.string"
                | "serialization.format"
                | "serialization.lib"
                | "columns"
                | "columns.types"
                | "columns.comments"
                | "classification"
                | "typeofdata"
                | "invalid.values"
                | "use.null.for.invalid.data" => {}
                _ => return Err(Error::unsupported(format_args!("SerDe property \"{key}\" = \"{value}\""))),
            }
        }
        let property = if grok { "input.format" } else { "input.regex" };
        let pattern = pattern.ok_or_else(|| {
            Error::new(ErrorKind::InvalidParameter, format!("the SerDe \"{}\" needs \"{property}\"", serde.library))
        })?;
        let pattern = if grok {
            Pattern::Grok(Grok::new(pattern, custom)?)
        } else {
            let (unless, rest) =
                split_negative_lookahead(pattern).map_or((None, pattern), |(no, rest)| (Some(no), rest));
            Pattern::Regex {
                written: pattern.to_owned(),
                regex: format!("\\A(?:{})\\z", translate(rest)?),
                unless: unless.map(|unless| Ok::<_, Error>(format!("\\A(?:{})", translate(unless)?))).transpose()?,
                case_insensitive,
            }
        };
        let mut options = Self { pattern, skip_header_lines: 0, invalid_values: InvalidValues::Null };
        for (key, value) in storage.parameters.iter().chain(table_parameters) {
            if key.eq_ignore_ascii_case("skip.header.line.count") {
                options.skip_header_lines =
                    value.trim().parse().map_err(|_| invalid(key, value, "a number of lines"))?;
            }
        }
        // Hive's default is NULL, so only what is said counts.
        for parameters in [&serde.parameters, table_parameters] {
            let said = ["invalid.values", "use.null.for.invalid.data"];
            if parameters.keys().any(|key| said.iter().any(|name| key.eq_ignore_ascii_case(name))) {
                options.invalid_values = invalid_values(parameters)?;
            }
        }
        Ok(options)
    }
}

impl RecordFormat for PatternOptions {
    fn file_type(&self) -> &'static str {
        "pattern"
    }

    fn splittable(&self) -> bool {
        self.skip_header_lines <= 1
    }

    fn header_lines(&self) -> usize {
        self.skip_header_lines
    }

    fn footer_lines(&self) -> usize {
        0
    }

    fn last_record_end(&self, bytes: &[u8], _keep: usize) -> Option<usize> {
        memchr::memrchr(b'\n', bytes).map(|at| at + 1)
    }

    fn decoder(&self, file_schema: &Schema, projection: &[usize]) -> Result<Arc<dyn BlockDecoder>> {
        Ok(Arc::new(PatternDecoder::new(self, file_schema, projection)?))
    }
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
