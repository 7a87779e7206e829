//! Rows as Redshift's UNLOAD writes them: delimited, CSV, fixed width.

use super::columns::{Column, Values};
use super::scalar_text::{write_hex, write_scalar, write_zoned};
use crate::error::{Error, ErrorKind, Result};
use crate::zone::Zone;
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
    /// The zone that moments with one are written in, with their offset from UTC.
    pub(crate) zone: Zone,
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
            self.part(at, output);
            let begin = output.len();
            output.extend_from_slice(name.as_bytes());
            self.dress(at, begin, output)?;
        }
        output.push(b'\n');
        Ok(())
    }

    /// Appends one row with its line end.
    pub(super) fn write_row(&self, columns: &[Column<'_>], row: usize, output: &mut Vec<u8>) -> Result<()> {
        for (at, column) in columns.iter().enumerate() {
            self.part(at, output);
            if column.is_null(row) {
                self.write_null(at, output)?;
                continue;
            }
            let begin = output.len();
            self.write_value(column, row, output)?;
            self.dress(at, begin, output)?;
        }
        output.push(b'\n');
        Ok(())
    }

    /// What stands between a field and the one before it.
    fn part(&self, at: usize, output: &mut Vec<u8>) {
        match &self.layout {
            UnloadLayout::Delimited { delimiter, .. } | UnloadLayout::Csv { delimiter } if at > 0 => {
                output.push(*delimiter);
            }
            _ => {}
        }
    }

    fn write_null(&self, at: usize, output: &mut Vec<u8>) -> Result<()> {
        let UnloadLayout::FixedWidth(widths) = &self.layout else {
            output.extend_from_slice(self.null_as.as_bytes());
            return Ok(());
        };
        let begin = output.len();
        // Redshift: what stands for NULL and is too long is an empty field, but for texts an error.
        let is_empty = self.null_as.len() > width_of(widths, at) && self.texts.get(at) != Some(&true);
        output.extend_from_slice(if is_empty { b"" } else { self.null_as.as_bytes() });
        self.dress(at, begin, output)
    }

    /// Appends a value that is not NULL, without what its layout adds.
    fn write_value(&self, column: &Column<'_>, row: usize, output: &mut Vec<u8>) -> Result<()> {
        match &column.values {
            Values::Boolean(values) => output.push(if values.value(row) { b't' } else { b'f' }),
            // Writing to a Vec cannot fail.
            Values::Float(values) => drop(write!(output, "{}", values.value(row))),
            Values::Double(values) => drop(write!(output, "{}", values.value(row))),
            Values::Binary(values) => write_hex(values.value(row), output),
            Values::Timestamp(values) if values.timezone().is_some() => {
                write_zoned(values.value(row), self.zone, output)?;
            }
            _ => write_scalar(column, row, output)?,
        }
        Ok(())
    }

    /// Gives the value that begins at a place, and ends where the output does, what its layout adds: quotes, escapes,
    /// blanks. Most need nothing.
    fn dress(&self, at: usize, begin: usize, output: &mut Vec<u8>) -> Result<()> {
        match &self.layout {
            UnloadLayout::Delimited { add_quotes: false, escape: false, .. } => {}
            UnloadLayout::Delimited { delimiter, add_quotes, escape } => {
                let value = output.split_off(begin);
                output.extend(add_quotes.then_some(b'"'));
                if *escape {
                    for byte in &value {
                        let is_quote = *add_quotes && matches!(byte, b'"' | b'\'');
                        if matches!(byte, b'\\' | b'\n' | b'\r') || is_quote || byte == delimiter {
                            output.push(b'\\');
                        }
                        output.push(*byte);
                    }
                } else {
                    output.extend_from_slice(&value);
                }
                output.extend(add_quotes.then_some(b'"'));
            }
            UnloadLayout::Csv { delimiter } => {
                let value = &output[begin..];
                let special = |byte: &u8| matches!(byte, b'"' | b'\n' | b'\r') || byte == delimiter;
                if value == self.null_as.as_bytes() || value.iter().any(special) {
                    let value = output.split_off(begin);
                    write_quoted(&value, output);
                }
            }
            UnloadLayout::FixedWidth(widths) => {
                let (width, length) = (width_of(widths, at), output.len() - begin);
                if length > width {
                    let message = format!("value too long for FIXEDWIDTH of column {}: {length} bytes", at + 1);
                    return Err(Error::new(ErrorKind::StringTruncation, message));
                }
                output.extend(std::iter::repeat_n(b' ', width - length));
            }
        }
        Ok(())
    }
}

fn width_of(widths: &[usize], at: usize) -> usize {
    widths.get(at).copied().unwrap_or(0)
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
