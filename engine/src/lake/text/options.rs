//! How a text table's files are read, from its SerDe's properties.
//!
//! A property that would change the rows and is not understood is an error that names it; properties that only
//! concern writing are passed over.

use super::decode::TextDecoder;
use super::quoted::Quoting;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::records::{BlockDecoder, InvalidValues, RecordFormat, invalid_values};
use arrow::datatypes::Schema;
use millrace_catalog::model::{Parameters, StorageDescriptor};
use std::sync::Arc;

/// Hive's delimiters by level: fields, items of a collection, keys of a map, and the deeper levels.
pub(super) const HIVE_DELIMITERS: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

/// Which of Hive's text formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TextSerde {
    /// `LazySimpleSerDe`: delimiters and escapes, no quotes.
    LazySimple,
    /// `OpenCSVSerde`: quotes, and escapes within them.
    OpenCsv,
}

/// How the files of a text table are read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TextOptions {
    /// The format.
    pub serde: TextSerde,
    /// Between fields; an ASCII character.
    pub delimiter: u8,
    /// Around values that hold delimiters or line breaks; OpenCSV only.
    pub quote: Option<u8>,
    /// Before a character that is meant literally; OpenCSV knows it within quotes only.
    pub escape: Option<u8>,
    /// After the escape character, `n` and `r` are line breaks (`serialization.escape.crlf`).
    pub escaped_line_breaks: bool,
    /// The text that means NULL, before escapes are resolved; `None` when no text does.
    pub null_format: Option<String>,
    /// Lines at a file's start that are no records.
    pub skip_header_lines: usize,
    /// Lines at a file's end that are no records.
    pub skip_footer_lines: usize,
    /// Between the items of a collection; LazySimple only.
    pub collection_delimiter: u8,
    /// Between a key and its value; LazySimple only.
    pub map_key_delimiter: u8,
    /// A line without any character is no record. Hive makes it a row of NULLs.
    pub ignore_blank_lines: bool,
    /// What a value becomes that its column's type cannot hold.
    pub invalid_values: InvalidValues,
}

impl TextOptions {
    /// LazySimpleSerDe with Hive's defaults: Ctrl-A between fields, `\N` for NULL, no escapes.
    pub fn lazy_simple() -> Self {
        Self {
            serde: TextSerde::LazySimple,
            delimiter: HIVE_DELIMITERS[0],
            quote: None,
            escape: None,
            escaped_line_breaks: false,
            null_format: Some("\\N".to_owned()),
            skip_header_lines: 0,
            skip_footer_lines: 0,
            collection_delimiter: HIVE_DELIMITERS[1],
            map_key_delimiter: HIVE_DELIMITERS[2],
            ignore_blank_lines: false,
            invalid_values: InvalidValues::Error,
        }
    }

    /// OpenCSVSerde with its defaults: `,` between fields, `"` around them, `\` for escapes, nothing for NULL.
    pub fn open_csv() -> Self {
        Self {
            serde: TextSerde::OpenCsv,
            delimiter: b',',
            quote: Some(b'"'),
            escape: Some(b'\\'),
            null_format: None,
            ..Self::lazy_simple()
        }
    }

    /// The options of a table: its SerDe with the properties, and the table's own properties
    /// (`skip.header.line.count`, `skip.footer.line.count`, `invalid.values`, `use.null.for.invalid.data`,
    /// `serialization.null.format`). Partitions pass their own storage.
    pub fn from_serde(storage: &StorageDescriptor, table_parameters: &Parameters) -> Result<Self> {
        let mut options = match storage.serde.library.as_str() {
            "" | "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe" => Self::lazy_simple(),
            "org.apache.hadoop.hive.serde2.OpenCSVSerde" => Self::open_csv(),
            other => return Err(Error::unsupported(format_args!("SerDe \"{other}\" for text files"))),
        };
        for (key, value) in &storage.serde.parameters {
            match options.serde {
                TextSerde::LazySimple => options.set_lazy_simple(key, value)?,
                TextSerde::OpenCsv => options.set_open_csv(key, value)?,
            }
        }
        // Glue's crawlers write them to the storage as well.
        for (key, value) in storage.parameters.iter().chain(table_parameters) {
            match key.to_ascii_lowercase().as_str() {
                "skip.header.line.count" => options.skip_header_lines = line_count(key, value)?,
                "skip.footer.line.count" => options.skip_footer_lines = line_count(key, value)?,
                "serialization.null.format" => options.null_format = Some(value.clone()),
                _ => {}
            }
        }
        options.invalid_values = invalid_values(table_parameters)?;
        if options.invalid_values == InvalidValues::Error {
            options.invalid_values = invalid_values(&storage.serde.parameters)?;
        }
        options.check()?;
        Ok(options)
    }

    fn set_lazy_simple(&mut self, key: &str, value: &str) -> Result<()> {
        match key.to_ascii_lowercase().as_str() {
            "field.delim" => self.delimiter = delimiter(key, value)?,
            // Hive writes it beside field.delim and reads it where that is missing.
            "serialization.format" if self.delimiter == HIVE_DELIMITERS[0] => self.delimiter = delimiter(key, value)?,
            "escape.delim" => self.escape = Some(delimiter(key, value)?),
            "colelction.delim" | "collection.delim" => self.collection_delimiter = delimiter(key, value)?,
            "mapkey.delim" => self.map_key_delimiter = delimiter(key, value)?,
            "line.delim" => check_line_delimiter(value)?,
            "serialization.escape.crlf" => self.escaped_line_breaks = flag(key, value)?,
            other => return self.set_common(other, key, value),
        }
        Ok(())
    }

    fn set_open_csv(&mut self, key: &str, value: &str) -> Result<()> {
        match key.to_ascii_lowercase().as_str() {
            // ROW FORMAT DELIMITED's name for the same, which Glue's crawler also writes.
            "separatorchar" | "field.delim" => self.delimiter = delimiter(key, value)?,
            "quotechar" => self.quote = if value.is_empty() { None } else { Some(delimiter(key, value)?) },
            "escapechar" => self.escape = if value.is_empty() { None } else { Some(delimiter(key, value)?) },
            "null.format" => self.null_format = Some(value.to_owned()),
            "line.delim" => check_line_delimiter(value)?,
            other => return self.set_common(other, key, value),
        }
        Ok(())
    }

    fn set_common(&mut self, lower: &str, key: &str, value: &str) -> Result<()> {
        match lower {
            "serialization.null.format" => self.null_format = Some(value.to_owned()),
            "skip.header.line.count" => self.skip_header_lines = line_count(key, value)?,
            "skip.footer.line.count" => self.skip_footer_lines = line_count(key, value)?,
            "serialization.encoding" if value.eq_ignore_ascii_case("utf-8") || value.eq_ignore_ascii_case("utf8") => {}
            // Of writing, of Hive's own bookkeeping, or read elsewhere.
            "serialization.format"
            | "serialization.lib"
            | "invalid.values"
            | "use.null.for.invalid.data"
            | "columns"
            | "columns.types"
            | "columns.comments"
            | "field.names"
            | "paths"
            | "typeofdata"
            | "classification" => {}
            // These switches change nothing when they are off.
            "serialization.last.column.takes.rest"
            | "serialization.extend.additional.nesting.levels"
            | "serialization.extend.nesting.levels"
            | "hive.serialization.extend.nesting.levels"
            | "hive.serialization.extend.additional.nesting.levels"
                if value.eq_ignore_ascii_case("false") => {}
            _ => return Err(Error::unsupported(format_args!("SerDe property \"{key}\" = \"{value}\""))),
        }
        Ok(())
    }

    fn check(&mut self) -> Result<()> {
        if self.quote.is_some() && self.quote == self.escape {
            // A doubled quote is a quote in any case; that is all which such a table means.
            self.escape = None;
        }
        let special = [Some(self.delimiter), self.quote, self.escape];
        let clash = (0..3).any(|i| special[i].is_some() && special[..i].contains(&special[i]));
        if clash || special.contains(&Some(b'\n')) {
            return Err(Error::new(
                ErrorKind::InvalidParameter,
                "the delimiter, quote and escape characters of a text table must differ from each other and from the line delimiter",
            ));
        }
        Ok(())
    }

    /// The quoting rules, where values may be quoted or escaped as OpenCSV does it.
    pub(super) fn quoting(&self) -> Option<Quoting> {
        match self.serde {
            TextSerde::LazySimple => None,
            TextSerde::OpenCsv => Some(Quoting { delimiter: self.delimiter, quote: self.quote, escape: self.escape }),
        }
    }

    /// The delimiter of a level: 0 is between fields.
    pub(super) fn delimiter_of_level(&self, level: usize) -> Option<u8> {
        match level {
            0 => Some(self.delimiter),
            1 => Some(self.collection_delimiter),
            2 => Some(self.map_key_delimiter),
            _ => HIVE_DELIMITERS.get(level).copied(),
        }
    }
}

impl RecordFormat for TextOptions {
    fn file_type(&self) -> &'static str {
        match self.serde {
            TextSerde::LazySimple => "text",
            TextSerde::OpenCsv => "csv",
        }
    }

    fn splittable(&self) -> bool {
        self.quote.is_none() && self.skip_header_lines <= 1 && self.skip_footer_lines == 0
    }

    fn header_lines(&self) -> usize {
        self.skip_header_lines
    }

    fn footer_lines(&self) -> usize {
        self.skip_footer_lines
    }

    fn last_record_end(&self, bytes: &[u8], keep: usize) -> Option<usize> {
        if let Some(quoting) = self.quoting().filter(|quoting| quoting.quote.is_some()) {
            return quoting.last_record_end(bytes, keep);
        }
        let mut end = bytes.len();
        for _ in 0..keep {
            end = memchr::memrchr(b'\n', &bytes[..end])?;
        }
        memchr::memrchr(b'\n', &bytes[..end]).map(|at| at + 1)
    }

    fn decoder(&self, file_schema: &Schema, projection: &[usize]) -> Result<Arc<dyn BlockDecoder>> {
        Ok(Arc::new(TextDecoder::new(self.clone(), file_schema, projection)?))
    }
}

/// One ASCII character, also as Hive writes those that cannot be typed: its number (`1`), an escape of Java (`\t`,
/// `\001`, `\u0001`).
fn delimiter(key: &str, value: &str) -> Result<u8> {
    let one = match value.as_bytes() {
        [b'\\', b't'] => Some(b'\t'),
        [b'\\', b'n'] => Some(b'\n'),
        [b'\\', b'\\'] => Some(b'\\'),
        [b'\\', b'u', hex @ ..] if hex.len() == 4 => {
            std::str::from_utf8(hex).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok())
        }
        [b'\\', octal @ ..] if (1..=3).contains(&octal.len()) && octal.iter().all(u8::is_ascii_digit) => {
            std::str::from_utf8(octal).ok().and_then(|octal| u8::from_str_radix(octal, 8).ok())
        }
        // LazyUtils.getByte: what parses as a byte is its number.
        digits if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) => value.parse().ok(),
        [one] => Some(*one),
        _ => None,
    };
    one.filter(u8::is_ascii).ok_or_else(|| {
        if value.is_empty() {
            return Error::new(ErrorKind::InvalidParameter, format!("SerDe property \"{key}\" is empty"));
        }
        Error::unsupported(format_args!("SerDe property \"{key}\" = \"{value}\", which is not one ASCII character,"))
    })
}

/// Records end with a line feed, with or without a carriage return.
fn check_line_delimiter(value: &str) -> Result<()> {
    match value {
        "\n" | "\r\n" | "\\n" | "\\r\\n" | "10" | "\\012" => Ok(()),
        other => {
            Err(Error::unsupported(format_args!("line delimiter {other:?}")).with_hint("lines end with \\n or \\r\\n"))
        }
    }
}

fn line_count(key: &str, value: &str) -> Result<usize> {
    value.trim().parse().map_err(|_| {
        Error::new(
            ErrorKind::InvalidParameter,
            format!("invalid value \"{value}\" for property \"{key}\": expected a number of lines"),
        )
    })
}

fn flag(key: &str, value: &str) -> Result<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Error::new(
            ErrorKind::InvalidParameter,
            format!("invalid value \"{value}\" for property \"{key}\": expected \"true\" or \"false\""),
        )),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn options(library: &str, serde: &[(&str, &str)], table: &[(&str, &str)]) -> Result<TextOptions> {
        let pairs = |list: &[(&str, &str)]| list.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let mut storage = StorageDescriptor::default();
        storage.serde.library = format!("org.apache.hadoop.hive.serde2.{library}");
        storage.serde.parameters = pairs(serde);
        TextOptions::from_serde(&storage, &pairs(table))
    }

    #[test]
    fn properties_of_hive() {
        let lazy = "lazy.LazySimpleSerDe";
        assert_eq!(options(lazy, &[], &[]).unwrap(), TextOptions::lazy_simple());
        for (value, byte) in
            [("|", b'|'), ("\t", b'\t'), ("\\t", b'\t'), ("1", 1), ("\u{1}", 1), ("\\001", 1), ("\\u0007", 7)]
        {
            let both = [("field.delim", value), ("serialization.format", value)];
            assert_eq!(options(lazy, &both, &[]).unwrap().delimiter, byte, "{value:?}");
        }
        let read = options(
            lazy,
            &[
                ("escape.delim", "\\"),
                ("colelction.delim", ";"),
                ("mapkey.delim", ":"),
                ("serialization.null.format", ""),
            ],
            &[("skip.header.line.count", "1"), ("use.null.for.invalid.data", "TRUE"), ("EXTERNAL", "TRUE")],
        )
        .unwrap();
        assert_eq!((read.escape, read.collection_delimiter, read.map_key_delimiter), (Some(b'\\'), b';', b':'));
        assert_eq!((read.null_format.as_deref(), read.skip_header_lines), (Some(""), 1));
        assert_eq!(read.invalid_values, InvalidValues::Null);

        let csv =
            options("OpenCSVSerde", &[("separatorChar", ";"), ("quoteChar", "`"), ("escapeChar", "`")], &[]).unwrap();
        assert_eq!((csv.delimiter, csv.quote, csv.escape, csv.null_format), (b';', Some(b'`'), None, None));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        let lazy = "lazy.LazySimpleSerDe";
        for (key, value) in [
            ("field.delim", "||"),
            ("field.delim", "þ"),
            ("line.delim", ";"),
            ("serialization.encoding", "GBK"),
            ("serialization.last.column.takes.rest", "true"),
            ("nobody.knows", "1"),
        ] {
            let error = options(lazy, &[(key, value)], &[]).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Unsupported, "{key}");
        }
        assert_eq!(options("MultiDelimitSerDe", &[], &[]).unwrap_err().kind, ErrorKind::Unsupported);
        assert_eq!(options("OpenCSVSerde", &[("quoteChar", ",")], &[]).unwrap_err().kind, ErrorKind::InvalidParameter);
        assert_eq!(
            options(lazy, &[], &[("skip.header.line.count", "x")]).unwrap_err().kind,
            ErrorKind::InvalidParameter
        );
        assert_eq!(options(lazy, &[], &[("invalid.values", "zero")]).unwrap_err().kind, ErrorKind::InvalidParameter);
    }

    #[test]
    fn the_footer_is_left_behind() {
        let options = TextOptions::lazy_simple();
        assert_eq!(options.last_record_end(b"a\nb\nc\nd", 0), Some(6));
        assert_eq!(options.last_record_end(b"a\nb\nc\nd", 2), Some(2));
        assert_eq!(options.last_record_end(b"a\nb\nc\nd", 3), None);
        let csv = TextOptions::open_csv();
        assert_eq!(csv.last_record_end(b"a\n\"b\n\"\nc\n\"", 0), Some(9));
        assert_eq!(csv.last_record_end(b"a\n\"b\n\"\nc\n\"", 1), Some(7));
    }
}
