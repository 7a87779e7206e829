//! Rows as text: one writer per format, each fed batch by batch, each with bounded memory.
//!
//! A printer writes to any [`Write`] and knows nothing of terminals but a width; who feeds it decides how many rows.

mod cell;
mod delimited;
mod fit;
mod intervals;
mod json;
mod markdown;
mod plan;
mod table;
mod vertical;

pub(crate) use cell::quote_excerpt;
pub(crate) use json::encodable_type;

use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use clap::ValueEnum;
use std::fmt;
use std::io::{self, Write};

/// How rows are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns under a header.
    #[default]
    Table,
    /// A block for each row, a line for each column.
    Vertical,
    /// Comma-separated values (RFC 4180) with a header.
    Csv,
    /// Tab-separated values with a header, escaped as PostgreSQL's COPY does.
    Tsv,
    /// One JSON array of objects.
    Json,
    /// One JSON object a line.
    Jsonl,
    /// A Markdown table.
    Markdown,
}

impl Format {
    /// Whether the output is read by people: then it may also hold command tags.
    pub(crate) fn is_for_people(self) -> bool {
        matches!(self, Self::Table | Self::Vertical | Self::Markdown)
    }

    /// Its name, as `--format` takes it.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// How the values of a result are laid out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Layout {
    /// What stands for NULL; `None` is the format's own way.
    pub(crate) null: Option<String>,
    /// Columns of the terminal to fit into; `None` prints everything in full.
    pub(crate) width: Option<usize>,
}

/// How a result ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct End {
    /// Rows printed.
    pub(crate) printed: u64,
    /// Rows that were not printed because of a limit.
    pub(crate) rest: Rest,
}

/// Rows beyond a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// None.
    Nothing,
    /// So many.
    Exactly(u64),
    /// So many were counted before the query was stopped.
    AtLeast(u64),
}

impl End {
    /// The end of a result that was printed to its last row.
    #[cfg(test)]
    pub(crate) fn complete(printed: u64) -> Self {
        Self { printed, rest: Rest::Nothing }
    }

    /// The footer, e.g. `(16 rows)`.
    fn footer(self) -> String {
        let printed = self.printed;
        match self.rest {
            Rest::Nothing if printed == 1 => "(1 row)".to_owned(),
            Rest::Nothing => format!("({printed} rows)"),
            Rest::Exactly(rest) => {
                format!("({printed} of {} rows; \\pset rows 0 shows all)", printed + rest)
            }
            Rest::AtLeast(rest) => {
                format!("({printed} of more than {} rows; \\pset rows 0 shows all)", printed + rest)
            }
        }
    }
}

/// Why rows could not be printed.
#[derive(Debug)]
pub(crate) enum PrintError {
    /// The output does not take them.
    Output(io::Error),
    /// A value that has no text.
    Value(ArrowError),
}

impl From<io::Error> for PrintError {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<ArrowError> for PrintError {
    fn from(error: ArrowError) -> Self {
        match error {
            ArrowError::IoError(_, error) => Self::Output(error),
            error => Self::Value(error),
        }
    }
}

impl fmt::Display for PrintError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Output(error) => write!(f, "could not write the result: {error}"),
            Self::Value(error) => write!(f, "could not show a value: {error}"),
        }
    }
}

/// Prints the batches of one result.
pub(crate) trait Printer {
    /// Prints, or keeps for later, the rows of a batch.
    fn batch(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> Result<(), PrintError>;

    /// Prints what was kept and the end. Called once, also after no batch at all.
    fn finish(&mut self, end: End, out: &mut dyn Write) -> Result<(), PrintError>;
}

/// The printer of a format for rows of a schema.
pub(crate) fn printer(format: Format, schema: SchemaRef, layout: Layout) -> Box<dyn Printer> {
    if intervals::are_in(&schema) {
        return Box::new(intervals::Spelled { inner: printer(format, intervals::shown(&schema), layout) });
    }
    match format {
        Format::Table if plan::Plan::is_one(&schema, &layout) => Box::new(plan::Plan::new(schema, layout)),
        Format::Table => Box::new(table::Table::new(schema, layout)),
        Format::Vertical => Box::new(vertical::Vertical::new(&schema, layout)),
        Format::Csv => Box::new(delimited::Delimited::new(delimited::CSV, schema, layout)),
        Format::Tsv => Box::new(delimited::Delimited::new(delimited::TSV, schema, layout)),
        Format::Json => Box::new(json::Json::array(&schema)),
        Format::Jsonl => Box::new(json::Json::lines(&schema)),
        Format::Markdown => Box::new(markdown::Markdown::new(schema, layout)),
    }
}

#[cfg(test)]
mod tests;
