//! Rows in the text format of Hive's LazySimpleSerDe: one a line, fields and nested values parted by delimiters.

use super::columns::{Column, Values, element_range};
use super::scalar_text::write_scalar;
use crate::error::{Error, ErrorKind, Result};
use millrace_catalog::model::{Parameters, SerDe};

/// How many delimiters Hive has, one a level of nesting: control-A to control-H.
const LEVELS: usize = 8;

/// Delimiters of a text table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextFormat {
    /// The delimiter of each level: fields, then items of a collection (fields of a struct), then keys and values of
    /// a map, then deeper levels.
    pub delimiters: [u8; LEVELS],
    /// `ESCAPED BY`: put before delimiters and itself within texts.
    pub escape: Option<u8>,
    /// `serialization.escape.crlf`: line ends within texts are escaped too, as `\n` and `\r`. Readers without that
    /// property end the row at a line end, escaped or not.
    pub escape_line_ends: bool,
    /// What stands for NULL: `\N` unless the table says otherwise.
    pub null: String,
    /// Whether each file begins with a line of column names.
    pub header: bool,
}

impl Default for TextFormat {
    fn default() -> Self {
        Self {
            delimiters: [1, 2, 3, 4, 5, 6, 7, 8],
            escape: None,
            escape_line_ends: false,
            null: "\\N".to_owned(),
            header: false,
        }
    }
}

impl TextFormat {
    /// The format that `SERDEPROPERTIES` describe, under the keys of `ROW FORMAT DELIMITED`.
    pub fn from_serde(serde: &SerDe) -> Result<Self> {
        let mut format = Self::default();
        let properties = &serde.parameters;
        let delimiter = |keys: &[&str]| -> Result<Option<u8>> {
            let found = keys.iter().find_map(|key| Some((*key, properties.get(*key)?)));
            found.map(|(key, text)| delimiter_byte(key, text)).transpose()
        };
        // Hive misspelt the second key and kept it; `collection.delim` came with Hive 3.
        let keys: [&[&str]; 3] =
            [&["field.delim", "serialization.format"], &["collection.delim", "colelction.delim"], &["mapkey.delim"]];
        for (level, keys) in keys.into_iter().enumerate() {
            if let Some(byte) = delimiter(keys)? {
                format.delimiters[level] = byte;
            }
        }
        format.escape = delimiter(&["escape.delim"])?;
        format.escape_line_ends =
            properties.get("serialization.escape.crlf").is_some_and(|text| text.eq_ignore_ascii_case("true"));
        if let Some(null) = properties.get("serialization.null.format") {
            format.null.clone_from(null);
        }
        match properties.get("line.delim").map(String::as_str) {
            None | Some("\n" | "10") => Ok(format),
            Some(_) => Err(Error::unsupported("writing text files with a line delimiter other than '\\n'")),
        }
    }

    /// Appends the line of column names.
    pub(super) fn write_header<'a>(&self, names: impl Iterator<Item = &'a str>, output: &mut Vec<u8>) -> Result<()> {
        for (index, name) in names.enumerate() {
            if index > 0 {
                output.push(self.delimiters[0]);
            }
            self.write_text(name.as_bytes(), output)?;
        }
        output.push(b'\n');
        Ok(())
    }

    /// Appends one row with its line end.
    pub(super) fn write_row(&self, columns: &[Column<'_>], row: usize, output: &mut Vec<u8>) -> Result<()> {
        for (index, column) in columns.iter().enumerate() {
            if index > 0 {
                output.push(self.delimiters[0]);
            }
            self.write_value(column, row, 1, output)?;
        }
        output.push(b'\n');
        Ok(())
    }

    /// Appends a value whose parts, if it has any, are parted by the delimiter of `level`.
    fn write_value(&self, column: &Column<'_>, row: usize, level: usize, output: &mut Vec<u8>) -> Result<()> {
        if column.is_null(row) {
            output.extend_from_slice(self.null.as_bytes());
            return Ok(());
        }
        match &column.values {
            Values::Text(values) => self.write_text(values.value(row).as_bytes(), output),
            Values::List { offsets, elements } => {
                let delimiter = self.delimiter(level)?;
                let range = element_range(offsets, row);
                for element in range.clone() {
                    if element > range.start {
                        output.push(delimiter);
                    }
                    self.write_value(elements, element, level + 1, output)?;
                }
                Ok(())
            }
            Values::Map { offsets, keys, values } => {
                let (delimiter, key_delimiter) = (self.delimiter(level)?, self.delimiter(level + 1)?);
                let range = element_range(offsets, row);
                for entry in range.clone() {
                    if entry > range.start {
                        output.push(delimiter);
                    }
                    self.write_value(keys, entry, level + 2, output)?;
                    output.push(key_delimiter);
                    self.write_value(values, entry, level + 2, output)?;
                }
                Ok(())
            }
            Values::Struct(fields) => {
                let delimiter = self.delimiter(level)?;
                for (index, (_, field)) in fields.iter().enumerate() {
                    if index > 0 {
                        output.push(delimiter);
                    }
                    self.write_value(field, row, level + 1, output)?;
                }
                Ok(())
            }
            _ => {
                let start = output.len();
                write_scalar(column, row, output)?;
                self.check_scalar(&output[start..])
            }
        }
    }

    fn delimiter(&self, level: usize) -> Result<u8> {
        self.delimiters
            .get(level)
            .copied()
            .ok_or_else(|| Error::unsupported(format_args!("nesting deeper than {LEVELS} levels in a text file")))
    }

    fn is_special(&self, byte: u8) -> bool {
        is_line_end(byte) || self.delimiters.contains(&byte)
    }

    /// Numbers and dates are never escaped: with a digit, a point or a dash as delimiter they could not be read back.
    fn check_scalar(&self, text: &[u8]) -> Result<()> {
        match text.iter().find(|byte| self.is_special(**byte)) {
            Some(byte) => Err(not_writable(text, *byte)),
            None => Ok(()),
        }
    }

    /// Appends a text, escaped if the table has an escape character. Hive without one writes delimiters as they are
    /// and so reads other rows than were written; here that is an error instead.
    fn write_text(&self, text: &[u8], output: &mut Vec<u8>) -> Result<()> {
        for &byte in text {
            match self.escape {
                Some(escape) if self.escape_line_ends && is_line_end(byte) => {
                    output.extend_from_slice(&[escape, if byte == b'\n' { b'n' } else { b'r' }]);
                }
                Some(escape) if byte == escape || self.delimiters.contains(&byte) => {
                    output.extend_from_slice(&[escape, byte]);
                }
                _ if self.is_special(byte) => return Err(not_writable(text, byte)),
                _ => output.push(byte),
            }
        }
        Ok(())
    }
}

fn is_line_end(byte: u8) -> bool {
    byte == b'\n' || byte == b'\r'
}

fn not_writable(text: &[u8], byte: u8) -> Error {
    let start: String = String::from_utf8_lossy(text).chars().take(60).collect();
    Error::new(ErrorKind::Data, format!("a value holds the delimiter '{}' of the text file", byte.escape_ascii()))
        .with_detail(format!("the value begins with \"{}\"", start.escape_debug()))
        .with_hint("Use a table with ESCAPED BY, with other delimiters, or of another format such as PARQUET.")
}

/// A delimiter as Hive reads it: a number is a byte's code, anything else its first character.
fn delimiter_byte(key: &str, text: &str) -> Result<u8> {
    if let Ok(code) = text.parse::<i8>() {
        return Ok(code as u8);
    }
    match text.as_bytes() {
        [byte] => Ok(*byte),
        _ => Err(Error::unsupported(format_args!("writing text files with \"{key}\" = '{}'", text.escape_debug()))),
    }
}

/// Whether the table's files begin with a line of names; more than one such line, or lines at the end, are errors.
pub(super) fn header_of(properties: &Parameters) -> Result<bool> {
    let count = |key: &str| properties.get(key).map_or("0", |text| text.trim());
    if count("skip.footer.line.count") != "0" {
        return Err(Error::unsupported("writing to a table with \"skip.footer.line.count\""));
    }
    match count("skip.header.line.count") {
        "0" => Ok(false),
        "1" => Ok(true),
        _ => Err(Error::unsupported("writing to a table with \"skip.header.line.count\" greater than 1")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int32Array, StringViewArray};
    use std::sync::Arc;

    fn row(format: &TextFormat, arrays: &[ArrayRef]) -> Result<String> {
        let columns: Vec<_> = arrays.iter().map(|array| Column::new(array).unwrap()).collect();
        let mut output = Vec::new();
        format.write_row(&columns, 0, &mut output)?;
        Ok(String::from_utf8(output).unwrap())
    }

    fn serde(pairs: &[(&str, &str)]) -> SerDe {
        let parameters = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        SerDe { library: String::new(), parameters }
    }

    #[test]
    fn defaults_are_hives() {
        let arrays: [ArrayRef; 3] = [
            Arc::new(Int32Array::from(vec![Some(7)])),
            Arc::new(StringViewArray::from(vec![None::<&str>])),
            Arc::new(StringViewArray::from(vec!["a,b"])),
        ];
        assert_eq!(row(&TextFormat::default(), &arrays).unwrap(), "7\u{1}\\N\u{1}a,b\n");
    }

    #[test]
    fn nested_values_use_one_delimiter_a_level() {
        use arrow::array::builder::{Int32Builder, ListBuilder, MapBuilder, StringViewBuilder};
        let mut map = MapBuilder::new(None, StringViewBuilder::new(), ListBuilder::new(Int32Builder::new()));
        for (key, values) in [("k", vec![Some(1), None]), ("l", vec![Some(3)])] {
            map.keys().append_value(key);
            map.values().append_value(values);
        }
        map.append(true).unwrap();
        let map: ArrayRef = Arc::new(map.finish());
        assert_eq!(row(&TextFormat::default(), &[map]).unwrap(), "k\u{3}1\u{4}\\N\u{2}l\u{3}3\n");
    }

    #[test]
    fn texts_are_escaped_or_refused() {
        let array: ArrayRef = Arc::new(StringViewArray::from(vec!["a,b\\\n"]));
        let mut escaped = TextFormat::from_serde(&serde(&[("field.delim", ","), ("escape.delim", "\\")])).unwrap();
        let error = row(&escaped, std::slice::from_ref(&array)).unwrap_err();
        assert_eq!(error.message, "a value holds the delimiter '\\n' of the text file");
        escaped.escape_line_ends = true;
        assert_eq!(row(&escaped, std::slice::from_ref(&array)).unwrap(), "a\\,b\\\\\\n\n");
        let plain = TextFormat::from_serde(&serde(&[("field.delim", ",")])).unwrap();
        let error = row(&plain, &[array]).unwrap_err();
        assert_eq!(error.message, "a value holds the delimiter ',' of the text file");
    }

    #[test]
    fn properties_are_read_as_hive_reads_them() {
        for (text, byte) in [("\t", 9), ("9", 9), ("|", b'|'), ("1", 1)] {
            assert_eq!(TextFormat::from_serde(&serde(&[("field.delim", text)])).unwrap().delimiters[0], byte);
        }
        assert!(TextFormat::from_serde(&serde(&[("field.delim", "||")])).is_err());
        assert!(TextFormat::from_serde(&serde(&[("line.delim", "|")])).is_err());
        let format = TextFormat::from_serde(&serde(&[("colelction.delim", ";"), ("serialization.null.format", "")]));
        assert_eq!(format.map(|f| (f.delimiters[1], f.null)), Ok((b';', String::new())));
    }
}
