//! Lines that a pattern takes apart: Glue's GrokSerDe and Hive's RegexSerDe.
//!
//! A line is a row. A regular expression must match a whole line, and its groups are the columns by position; a grok
//! pattern is looked for in the line, and its fields are the columns by name. A line that does not match is a row of
//! NULLs, as Hive's SerDe documents it, and so is a value that its column's type cannot hold, unless the table says
//! `invalid.values` = `error`.
//!
//! Patterns are Java's regular expressions (`java_regex`); what cannot be matched in linear time (looking around, going
//! back, atomic groups) is refused by name. Files are split at any line; the format is read-only.

mod builtin;
mod decode;
pub(crate) mod grok;
mod java_regex;
mod options;

use super::records::RecordSource;
pub use options::PatternOptions;

/// A scan of files of such lines: `PatternSource::new(table_schema, options)`.
pub type PatternSource = RecordSource<PatternOptions>;

/// The lines of a block or sample without their ends, each with where it begins.
pub(crate) fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut next = 0;
    bytes.split_inclusive(|byte| *byte == b'\n').map(move |line| {
        let start = next;
        next += line.len();
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        (start, line.strip_suffix(b"\r").unwrap_or(line))
    })
}

#[cfg(test)]
mod tests;
