//! How the shell shows things: what `\pset`, `\x` and `\timing` change.

use super::report::Verbosity;
use crate::print::Format;
use clap::ValueEnum;

/// Rows shown by the interactive shell unless told otherwise.
const ROW_LIMIT: u64 = 1_000;

/// The shell's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// How rows are printed.
    pub(crate) format: Format,
    /// Tables are printed as blocks instead.
    pub(crate) expanded: bool,
    /// What stands for NULL; `None` leaves it to the format.
    pub(crate) null: Option<String>,
    /// Rows shown of a result; `None` is all.
    pub(crate) row_limit: Option<u64>,
    /// Print how long each statement took.
    pub(crate) timing: bool,
    /// How much errors tell.
    pub(crate) verbosity: Verbosity,
}

impl Settings {
    /// What the interactive shell begins with.
    pub(crate) fn interactive(format: Option<Format>) -> Self {
        Self { row_limit: Some(ROW_LIMIT), timing: true, ..Self::batch(format) }
    }

    /// What scripts begin with.
    pub(crate) fn batch(format: Option<Format>) -> Self {
        Self {
            format: format.unwrap_or_default(),
            expanded: false,
            null: None,
            row_limit: None,
            timing: false,
            verbosity: Verbosity::Default,
        }
    }

    /// The format that rows are printed in.
    pub(crate) fn effective_format(&self) -> Format {
        match self.format {
            Format::Table if self.expanded => Format::Vertical,
            format => format,
        }
    }

    /// `\pset name [value]`: changes a setting and says what it is now.
    pub(crate) fn assign(&mut self, name: &str, value: Option<&str>) -> Result<String, String> {
        match name {
            "format" => {
                if let Some(value) = value {
                    self.format = Format::from_str(value, true).map_err(|_| unknown_format(value))?;
                }
                Ok(format!("Output format is {}.", self.format.name()))
            }
            "null" => {
                if let Some(value) = value {
                    self.null = Some(value.to_owned());
                }
                Ok(format!("Null display is \"{}\".", self.null.as_deref().unwrap_or_default()))
            }
            "rows" => {
                if let Some(value) = value {
                    let rows: u64 = value.parse().map_err(|_| format!("\"{value}\" is not a number of rows"))?;
                    self.row_limit = Some(rows).filter(|rows| *rows > 0);
                }
                Ok(self
                    .row_limit
                    .map_or_else(|| "All rows are shown.".to_owned(), |rows| format!("Rows shown: {rows}.")))
            }
            "verbosity" => {
                if let Some(value) = value {
                    self.verbosity = value.parse()?;
                }
                Ok(format!("Verbosity of errors is {}.", self.verbosity))
            }
            _ => Err(format!("\\pset: unknown option \"{name}\": format, null, rows and verbosity are known")),
        }
    }

    /// All settings, for a bare `\pset`.
    pub(crate) fn list(&mut self) -> Vec<(&'static str, String)> {
        ["format", "null", "rows", "verbosity"]
            .into_iter()
            .filter_map(|name| Some((name, self.assign(name, None).ok()?)))
            .collect()
    }
}

fn unknown_format(value: &str) -> String {
    let known: Vec<String> = Format::value_variants().iter().map(|format| format.name()).collect();
    format!("\\pset: unknown format \"{value}\": {} are known", known.join(", "))
}
