//! What a custom CSV classifier asks for, checked.

use crate::error::{Error, ErrorKind, Result};
use millrace_catalog::model::{CsvHeader, HiveType};

/// A custom CSV classifier: its own name and its settings, as in the catalog's `ClassifierKind::Csv`.
pub(crate) struct CustomCsv<'a> {
    pub(crate) name: &'a str,
    pub(crate) delimiter: Option<char>,
    pub(crate) quote: Option<char>,
    pub(crate) header: CsvHeader,
    pub(crate) columns: &'a [String],
    pub(crate) types: &'a [String],
    pub(crate) keep_blanks: bool,
    pub(crate) allow_single_column: bool,
}

/// The settings of the built-in classifier, or of a custom one.
#[derive(Debug)]
pub(super) struct Settings<'a> {
    /// The classifier's name.
    pub(super) name: &'a str,
    pub(super) custom: bool,
    pub(super) delimiter: Option<u8>,
    pub(super) quote: Option<u8>,
    pub(super) header: CsvHeader,
    pub(super) columns: &'a [String],
    pub(super) types: Vec<HiveType>,
    pub(super) keep_blanks: bool,
    pub(super) allow_single_column: bool,
}

impl Default for Settings<'_> {
    fn default() -> Self {
        Self {
            name: "csv",
            custom: false,
            delimiter: None,
            quote: None,
            header: CsvHeader::Unknown,
            columns: &[],
            types: Vec::new(),
            keep_blanks: false,
            allow_single_column: false,
        }
    }
}

impl<'a> Settings<'a> {
    pub(super) fn new(custom: &CustomCsv<'a>) -> Result<Self> {
        let delimiter = custom.delimiter.map(|c| character("delimiter", c)).transpose()?;
        let quote = custom.quote.map(|c| character("quote", c)).transpose()?;
        if delimiter.is_some() && delimiter == quote {
            let message = "the delimiter and the quote must be different characters";
            return Err(Error::new(ErrorKind::InvalidParameter, message));
        }
        Ok(Self {
            name: custom.name,
            custom: true,
            delimiter,
            quote,
            header: custom.header,
            columns: custom.columns,
            types: custom.types.iter().map(|text| parse_type(text)).collect::<Result<_>>()?,
            keep_blanks: custom.keep_blanks,
            allow_single_column: custom.allow_single_column,
        })
    }
}

/// A character that readers can divide by.
fn character(what: &str, c: char) -> Result<u8> {
    let byte = u8::try_from(c).ok().filter(|byte| byte.is_ascii() && !byte.is_ascii_digit());
    byte.filter(|byte| !matches!(byte, b'\n' | b'\r' | 0 | b'\\')).ok_or_else(|| {
        let message = format!("the {what} {c:?} is not one ASCII character that can divide text");
        Error::new(ErrorKind::InvalidParameter, message)
    })
}

/// A type in Hive's text; `SHORT` is Glue's name of another.
fn parse_type(text: &str) -> Result<HiveType> {
    if text.trim().eq_ignore_ascii_case("short") {
        return Ok(HiveType::SmallInt);
    }
    let parsed: HiveType = text.parse().map_err(Error::from)?;
    match parsed {
        HiveType::Array(_) | HiveType::Map(..) | HiveType::Struct(_) | HiveType::Super => {
            Err(Error::unsupported(format_args!("a column of type {parsed} in a CSV classifier")))
        }
        scalar => Ok(scalar),
    }
}
