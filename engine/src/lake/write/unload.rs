//! Rows as Redshift's UNLOAD writes them: delimited, CSV, fixed width.

use super::columns::{Column, Values};
use super::scalar_text::{write_hex, write_scalar};
use crate::error::{Error, ErrorKind, Result};
use std::io::Write;

/// A text format of UNLOAD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnloadText {
    /// How fields are parted.
    pub layout: UnloadLayout,
    /// What stands for NULL.
    pub null_as: String,
    /// Whether each file begins with a line of column names.
    pub header: bool,
    /// For each column, whether its moments are written with their zone, `+00`.
    pub zoned: Vec<bool>,
    /// For each column, whether it is one of texts.
    pub texts: Vec<bool>,
}

/// How fields are parted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnloadLayout {
    /// By a delimiter.
    Delimited {
        /// Between fields.
        delimiter: u8,
        /// Quotes around every field.
        add_quotes: bool,
        /// A backslash before line ends, delimiters and backslashes, and before quotes where quotes are added.
        escape: bool,
    },
    /// By a delimiter, quotes where they are needed (RFC 4180).
    Csv {
        /// Between fields.
        delimiter: u8,
    },
    /// Widths in bytes.
    FixedWidth(Vec<usize>),
}

impl UnloadText {
    /// Appends the line of column names.
    pub(super) fn write_header<'a>(&self, names: impl Iterator<Item = &'a str>, output: &mut Vec<u8>) -> Result<()> {
        for (at, name) in names.enumerate() {
            self.write_field(at, Some(name.as_bytes()), output)?;
        }
        output.push(b'\n');
        Ok(())
    }

    /// Appends one row with its line end.
    pub(super) fn write_row(&self, columns: &[Column<'_>], row: usize, output: &mut Vec<u8>) -> Result<()> {
        let mut value = Vec::new();
        for (at, column) in columns.iter().enumerate() {
            if column.is_null(row) {
                self.write_field(at, None, output)?;
                continue;
            }
            // What needs no quotes, escapes or blanks is written where it shall stand.
            if let Some(delimiter) = self.plain_delimiter() {
                if at > 0 {
                    output.push(delimiter);
                }
                let begin = output.len();
                self.write_value(at, column, row, output)?;
                if self.needs_quotes(&output[begin..]) {
                    value.clear();
                    value.extend_from_slice(&output[begin..]);
                    output.truncate(begin);
                    write_quoted(&value, output);
                }
                continue;
            }
            value.clear();
            self.write_value(at, column, row, &mut value)?;
            self.write_field(at, Some(&value), output)?;
        }
        output.push(b'\n');
        Ok(())
    }

    /// Appends a value that is not NULL, without what its layout adds.
    fn write_value(&self, at: usize, column: &Column<'_>, row: usize, output: &mut Vec<u8>) -> Result<()> {
        match &column.values {
            Values::Boolean(values) => output.push(if values.value(row) { b't' } else { b'f' }),
            // Writing to a Vec cannot fail.
            Values::Float(values) => drop(write!(output, "{}", values.value(row))),
            Values::Double(values) => drop(write!(output, "{}", values.value(row))),
            Values::Binary(values) => write_hex(values.value(row), output),
            _ => {
                write_scalar(column, row, output)?;
                if self.zoned.get(at) == Some(&true) {
                    output.extend_from_slice(b"+00");
                }
            }
        }
        Ok(())
    }

    /// The delimiter of a layout in which most fields stand as they are.
    fn plain_delimiter(&self) -> Option<u8> {
        match self.layout {
            UnloadLayout::Csv { delimiter }
            | UnloadLayout::Delimited { delimiter, add_quotes: false, escape: false } => Some(delimiter),
            _ => None,
        }
    }

    /// Whether a field of CSV would otherwise be another one.
    fn needs_quotes(&self, value: &[u8]) -> bool {
        let UnloadLayout::Csv { delimiter } = self.layout else { return false };
        let special = |byte: &u8| matches!(byte, b'"' | b'\n' | b'\r') || *byte == delimiter;
        value == self.null_as.as_bytes() || value.iter().any(special)
    }

    fn write_field(&self, at: usize, value: Option<&[u8]>, output: &mut Vec<u8>) -> Result<()> {
        match &self.layout {
            UnloadLayout::Delimited { delimiter, add_quotes, escape } => {
                if at > 0 {
                    output.push(*delimiter);
                }
                let Some(value) = value else {
                    output.extend_from_slice(self.null_as.as_bytes());
                    return Ok(());
                };
                output.extend(add_quotes.then_some(b'"'));
                if *escape {
                    for byte in value {
                        let is_quote = *add_quotes && matches!(byte, b'"' | b'\'');
                        if matches!(byte, b'\\' | b'\n' | b'\r') || is_quote || byte == delimiter {
                            output.push(b'\\');
                        }
                        output.push(*byte);
                    }
                } else {
                    output.extend_from_slice(value);
                }
                output.extend(add_quotes.then_some(b'"'));
            }
            UnloadLayout::Csv { delimiter } => {
                if at > 0 {
                    output.push(*delimiter);
                }
                let Some(value) = value else {
                    output.extend_from_slice(self.null_as.as_bytes());
                    return Ok(());
                };
                if self.needs_quotes(value) {
                    write_quoted(value, output);
                } else {
                    output.extend_from_slice(value);
                }
            }
            UnloadLayout::FixedWidth(widths) => {
                let width = widths.get(at).copied().unwrap_or(0);
                let is_text = self.texts.get(at) == Some(&true);
                let value = match value {
                    Some(value) => value,
                    // Redshift: what stands for NULL and is too long is an empty field, but for texts an error.
                    None if self.null_as.len() > width && !is_text => b"",
                    None => self.null_as.as_bytes(),
                };
                if value.len() > width {
                    let message = format!("value too long for FIXEDWIDTH of column {}: {} bytes", at + 1, value.len());
                    return Err(Error::new(ErrorKind::StringTruncation, message));
                }
                output.extend_from_slice(value);
                output.extend(std::iter::repeat_n(b' ', width - value.len()));
            }
        }
        Ok(())
    }
}

/// A field in quotes; those within are doubled (RFC 4180).
fn write_quoted(value: &[u8], output: &mut Vec<u8>) {
    output.push(b'"');
    for byte in value {
        output.extend((*byte == b'"').then_some(b'"'));
        output.push(*byte);
    }
    output.push(b'"');
}
