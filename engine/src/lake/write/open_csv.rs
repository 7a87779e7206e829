//! Rows as the OpenCSVSerde writes them: every value in quotes, NULL as nothing between the separators.

use super::columns::{Column, Values};
use super::scalar_text::{text_of, write_scalar};
use crate::error::{Error, ErrorKind, Result};
use millrace_catalog::model::SerDe;

/// Characters of an OpenCSV table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenCsvFormat {
    /// `separatorChar`
    pub separator: u8,
    /// `quoteChar`
    pub quote: u8,
    /// `escapeChar`
    pub escape: u8,
    /// Whether each file begins with a line of column names.
    pub header: bool,
}

impl Default for OpenCsvFormat {
    fn default() -> Self {
        Self { separator: b',', quote: b'"', escape: b'\\', header: false }
    }
}

impl OpenCsvFormat {
    /// The format that `SERDEPROPERTIES` describe.
    ///
    /// Without `escapeChar` (or with `"`) the SerDe reads with `\` but writes as if there were no escape; files are
    /// written here such that it reads back what was written.
    pub fn from_serde(serde: &SerDe) -> Result<Self> {
        let byte = |key: &str, default: u8| match serde.parameters.get(key).map(String::as_bytes) {
            None | Some([]) => Ok(default),
            Some([byte]) => Ok(*byte),
            Some(_) => Err(Error::unsupported(format_args!("a \"{key}\" of more than one byte"))),
        };
        let escape = byte("escapeChar", b'\\')?;
        Ok(Self {
            separator: byte("separatorChar", b',')?,
            quote: byte("quoteChar", b'"')?,
            escape: if escape == b'"' { b'\\' } else { escape },
            header: false,
        })
    }

    /// Appends the line of column names.
    pub(super) fn write_header<'a>(&self, names: impl Iterator<Item = &'a str>, output: &mut Vec<u8>) -> Result<()> {
        for (index, name) in names.enumerate() {
            if index > 0 {
                output.push(self.separator);
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
                output.push(self.separator);
            }
            if !column.is_null(row) {
                self.write_value(column, row, output)?;
            }
        }
        output.push(b'\n');
        Ok(())
    }

    /// Dates are days and timestamps milliseconds since the epoch, which is how Athena reads them from this SerDe.
    fn write_value(&self, column: &Column<'_>, row: usize, output: &mut Vec<u8>) -> Result<()> {
        match &column.values {
            Values::Text(values) => self.write_text(values.value(row).as_bytes(), output),
            Values::Binary(values) => self.write_text(text_of(values.value(row))?.as_bytes(), output),
            Values::Date(values) => self.write_text(values.value(row).to_string().as_bytes(), output),
            Values::Timestamp(values) => {
                let micros = values.value(row);
                if micros % 1000 != 0 {
                    return Err(Error::new(
                        ErrorKind::Data,
                        "a timestamp finer than milliseconds cannot be written with the OpenCSVSerde",
                    ));
                }
                self.write_text((micros / 1000).to_string().as_bytes(), output)
            }
            Values::List { .. } | Values::Map { .. } | Values::Struct(_) => {
                Err(Error::unsupported("writing nested values with the OpenCSVSerde"))
            }
            _ => {
                let mut text = Vec::new();
                write_scalar(column, row, &mut text)?;
                self.write_text(&text, output)
            }
        }
    }

    /// Line ends within a value end the row for the SerDe, whatever the quotes say, so they are errors.
    fn write_text(&self, text: &[u8], output: &mut Vec<u8>) -> Result<()> {
        output.push(self.quote);
        for &byte in text {
            if byte == b'\n' || byte == b'\r' {
                return Err(Error::new(
                    ErrorKind::Data,
                    "a value with a line end cannot be written with the OpenCSVSerde",
                )
                .with_hint("Use a table of another format such as PARQUET."));
            }
            if byte == self.quote || byte == self.escape {
                output.push(self.escape);
            }
            output.push(byte);
        }
        output.push(self.quote);
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Date32Array, StringViewArray, TimestampMicrosecondArray};
    use std::sync::Arc;

    #[test]
    fn rows_are_quoted() {
        let arrays: [ArrayRef; 4] = [
            Arc::new(StringViewArray::from(vec!["say \"a\\b\", twice"])),
            Arc::new(StringViewArray::from(vec![None::<&str>])),
            Arc::new(Date32Array::from(vec![10])),
            Arc::new(TimestampMicrosecondArray::from(vec![1_500_000])),
        ];
        let columns: Vec<_> = arrays.iter().map(|array| Column::new(array).unwrap()).collect();
        let mut output = Vec::new();
        OpenCsvFormat::default().write_row(&columns, 0, &mut output).unwrap();
        assert_eq!(String::from_utf8(output).unwrap(), "\"say \\\"a\\\\b\\\", twice\",,\"10\",\"1500\"\n");
    }

    #[test]
    fn line_ends_are_refused() {
        let array: ArrayRef = Arc::new(StringViewArray::from(vec!["a\nb"]));
        let columns = [Column::new(&array).unwrap()];
        let error = OpenCsvFormat::default().write_row(&columns, 0, &mut Vec::new()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Data);
    }
}
