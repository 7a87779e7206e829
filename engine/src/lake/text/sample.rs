//! The records at a text file's beginning, by the reader's own rules, and whether the first of them names the columns.

use super::evidence::Evidence;
use super::quoted::{Field, Quoting, RecordEnd};
use std::borrow::Cow;
use std::collections::HashSet;

/// The longest text that names a column; the last column's may be longer, as in AWS Glue.
const LONGEST_NAME: usize = 150;

/// The records of some text, in order; blank lines are among them.
#[derive(Debug, Clone)]
pub(crate) struct Records<'a> {
    quoting: Quoting,
    bytes: &'a [u8],
    at: usize,
}

/// A record of a sample.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SampleRecord<'a> {
    quoting: Quoting,
    /// Without its line break.
    bytes: &'a [u8],
    /// Where it begins.
    pub(crate) start: usize,
    /// Where the next record begins.
    pub(crate) end: usize,
    /// A line feed ends it.
    pub(crate) terminated: bool,
    /// The sample ends within a quotation of it.
    pub(crate) open: bool,
}

impl<'a> Records<'a> {
    /// The records between these characters.
    pub(crate) fn new(bytes: &'a [u8], delimiter: u8, quote: Option<u8>, escape: Option<u8>) -> Self {
        Self { quoting: Quoting { delimiter, quote, escape }, bytes, at: 0 }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = SampleRecord<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let ending = self.quoting.record_end(self.bytes, self.at);
        let (end, next) = match ending {
            RecordEnd::LineFeed(at) => (at, at + 1),
            RecordEnd::Bytes | RecordEnd::Quotation => (self.bytes.len(), self.bytes.len()),
        };
        let start = std::mem::replace(&mut self.at, next);
        let record = &self.bytes[start..end];
        Some(SampleRecord {
            quoting: self.quoting,
            bytes: record.strip_suffix(b"\r").unwrap_or(record),
            start,
            end: next,
            terminated: matches!(ending, RecordEnd::LineFeed(_)),
            open: ending == RecordEnd::Quotation,
        })
    }
}

impl<'a> SampleRecord<'a> {
    /// Whether it is a line without any character.
    pub(crate) fn is_blank(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The values, their quotes and escapes resolved.
    pub(crate) fn fields(&self) -> Vec<Cow<'a, str>> {
        let (mut fields, mut arena, mut from) = (Vec::new(), Vec::new(), Some(0));
        while let Some(at) = from {
            let (place, next) = self.quoting.field(self.bytes, at, &mut arena);
            fields.push(match place {
                Field::Record(start, end) => String::from_utf8_lossy(&self.bytes[start..end]),
                Field::Arena(start, end) => Cow::Owned(String::from_utf8_lossy(&arena[start..end]).into_owned()),
            });
            arena.clear();
            from = next;
        }
        fields
    }

    /// How many fields there are; of those that begin with a quote, how many end with it, and how many do not.
    pub(crate) fn count(&self) -> FieldCount {
        let (mut count, mut arena, mut from) = (FieldCount::default(), Vec::new(), Some(0));
        while let Some(at) = from {
            match self.quoting.is_quotation(self.bytes, at) {
                Some(true) => count.quoted += 1,
                Some(false) => count.misquoted += 1,
                None => {}
            }
            count.fields += 1;
            from = self.quoting.field(self.bytes, at, &mut arena).1;
            arena.clear();
        }
        count
    }
}

/// See [`SampleRecord::count`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct FieldCount {
    pub(crate) fields: usize,
    pub(crate) quoted: usize,
    pub(crate) misquoted: usize,
}

/// Whether a file's first record names the columns whose values below it are `below`.
///
/// As AWS Glue documents for its CSV classifier: all fields are texts (the last may be empty, for lines that end with
/// a delimiter; we also let the first be, as pandas writes an index), all but the last are shorter than 150
/// characters, and some column below is of another type. Where all columns are strings Glue finds no header; here
/// fields that look like names are one, when they are different and none `repeats` in its column.
pub(crate) fn is_header<S: AsRef<str>>(first: &[S], below: &[Evidence], repeats: bool) -> bool {
    let last = first.len().saturating_sub(1);
    let names = || first.iter().map(|text| text.as_ref().trim());
    let may_be = names().enumerate().all(|(column, name)| {
        let at_edge = column == 0 || column == last;
        (name.is_empty() && at_edge && last > 0)
            || (Evidence::of(name).is_string() && (column == last || name.chars().count() < LONGEST_NAME))
    });
    if first.is_empty() || !may_be || names().all(str::is_empty) {
        return false;
    }
    if below.iter().any(|column| column.hive_type().is_some() && !column.is_string()) {
        return true;
    }
    let distinct = names().map(str::to_lowercase).collect::<HashSet<_>>().len() == first.len();
    distinct && !repeats && names().all(is_name)
}

/// Whether a text looks like a column's name.
fn is_name(text: &str) -> bool {
    text.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && text.chars().count() <= 64
        && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | ' ' | '-' | '.' | '/' | '(' | ')' | '#'))
}
