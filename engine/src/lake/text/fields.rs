//! Where the fields of a block's records stand, for the columns that are asked for.
//!
//! Nothing is copied but values whose quotes or escapes had to be resolved. The scan for delimiters looks at eight
//! bytes at a time and stops at the last field that is asked for; from there on only the line feed is looked for.

use super::options::{TextOptions, TextSerde};
use super::quoted::{Field, Quoting, RecordEnd};
use crate::error::{Error, ErrorKind};
use crate::lake::records::RecordError;

/// Marks a value that stands in the arena; blocks are shorter than this.
const IN_ARENA: u32 = 1 << 31;

/// Where a value stands; `start` is [`u32::MAX`] where the record has no such field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    start: u32,
    end: u32,
}

const MISSING: Span = Span { start: u32::MAX, end: 0 };

/// The asked-for fields of a block's records.
#[derive(Debug)]
pub(super) struct Rows {
    width: usize,
    /// `width` spans for each record.
    spans: Vec<Span>,
    /// Where each record begins.
    starts: Vec<u32>,
    /// Resolved values, one after another.
    arena: Vec<u8>,
}

impl Rows {
    /// The number of records.
    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    /// Where a record begins in the block.
    pub(super) fn start(&self, row: usize) -> usize {
        self.starts.get(row).map_or(0, |start| *start as usize)
    }

    /// The resolved values.
    pub(super) fn arena(&self) -> &[u8] {
        &self.arena
    }

    /// A field's place: in the block, or with `true` in the arena; `None` where the record is too short.
    #[inline]
    pub(super) fn place(&self, row: usize, column: usize) -> Option<(std::ops::Range<usize>, bool)> {
        let span = self.spans[row * self.width + column];
        if span == MISSING {
            return None;
        }
        let start = (span.start & !IN_ARENA) as usize;
        Some((start..span.end as usize, span.start & IN_ARENA != 0))
    }

    fn begin(&mut self, start: usize) -> usize {
        let base = self.spans.len();
        self.starts.push(start as u32);
        self.spans.resize(base + self.width, MISSING);
        base
    }
}

/// Finds the fields of some columns.
#[derive(Debug)]
pub(super) struct Splitter {
    options: TextOptions,
    /// For each field of a record the column it goes to.
    columns: Vec<Option<usize>>,
    width: usize,
}

impl Splitter {
    /// Column `i` of the rows is field `fields[i]` of the records.
    pub(super) fn new(options: TextOptions, fields: &[usize]) -> Self {
        let mut columns = vec![None; fields.iter().max().map_or(0, |last| last + 1)];
        for (column, field) in fields.iter().enumerate() {
            columns[*field] = Some(column);
        }
        Self { options, columns, width: fields.len() }
    }

    /// The fields of all records of a block.
    pub(super) fn split(&self, bytes: &[u8]) -> Result<Rows, RecordError> {
        // Room for records of 64 bytes.
        let guess = bytes.len() / 64 + 1;
        let mut rows = Rows {
            width: self.width,
            spans: Vec::with_capacity(guess * self.width),
            starts: Vec::with_capacity(guess),
            arena: Vec::new(),
        };
        let has = |byte: Option<u8>| byte.is_some_and(|byte| memchr::memchr(byte, bytes).is_some());
        match self.options.quoting() {
            Some(quoting) if has(self.options.quote) || has(self.options.escape) => {
                self.split_quoted(quoting, bytes, &mut rows)?;
            }
            None if has(self.options.escape) => self.split_escaped(bytes, &mut rows),
            _ => self.split_plain(bytes, &mut rows),
        }
        Ok(rows)
    }

    /// The number of records, which is all that is asked when there are no columns.
    pub(super) fn count(&self, bytes: &[u8]) -> Result<usize, RecordError> {
        let quotes = self.options.quoting().filter(|q| q.quote.is_some_and(|q| memchr::memchr(q, bytes).is_some()));
        if quotes.is_none() && !self.options.ignore_blank_lines {
            let open = usize::from(bytes.last().is_some_and(|last| *last != b'\n'));
            return Ok(memchr::memchr_iter(b'\n', bytes).count() + open);
        }
        let quoting = quotes.unwrap_or(Quoting { delimiter: self.options.delimiter, quote: None, escape: None });
        let (mut count, mut start) = (0, 0);
        while start < bytes.len() {
            let (end, next) = record_end(quoting, bytes, start)?;
            count += usize::from(!self.passes_over(start, end));
            start = next;
        }
        Ok(count)
    }

    /// Whether a record that stands from `start` to `end` is a blank line that does not count.
    fn passes_over(&self, start: usize, end: usize) -> bool {
        start == end && self.options.ignore_blank_lines
    }

    fn split_plain(&self, bytes: &[u8], rows: &mut Rows) {
        // OpenCSV makes no value of an empty line, LazySimple an empty one.
        let blank_is_null = self.options.serde == TextSerde::OpenCsv;
        let mut marks = Marks::new(bytes, self.options.delimiter, b'\n');
        let mut start = 0;
        while start < bytes.len() {
            let base = rows.begin(start);
            let record = start;
            let mut field = 0;
            loop {
                if field >= self.columns.len() {
                    start = memchr::memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |at| start + at + 1);
                    marks.seek(start);
                    break;
                }
                let at = marks.next();
                let last = at >= bytes.len() || bytes[at] == b'\n';
                let end = if last { without_return(bytes, start, at) } else { at };
                let blank = last && field == 0 && end == start;
                if blank && self.options.ignore_blank_lines {
                    rows.starts.pop();
                    rows.spans.truncate(base);
                } else if let Some(column) = self.columns[field]
                    && !(blank && blank_is_null)
                {
                    rows.spans[base + column] = Span { start: start as u32, end: end as u32 };
                }
                start = at + 1;
                field += 1;
                if last {
                    break;
                }
            }
            debug_assert!(start > record);
        }
    }

    /// Delimiters behind the escape character are none; a line feed ends the record nevertheless.
    fn split_escaped(&self, bytes: &[u8], rows: &mut Rows) {
        let (delimiter, escape) = (self.options.delimiter, self.options.escape.unwrap_or(b'\\'));
        let mut start = 0;
        while start < bytes.len() {
            let feed = memchr::memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |at| start + at);
            let record = &bytes[..without_return(bytes, start, feed)];
            if !self.passes_over(start, record.len()) {
                let base = rows.begin(start);
                let mut from = start;
                for column in &self.columns {
                    let end = unescaped(delimiter, escape, record, from);
                    if let Some(column) = column {
                        rows.spans[base + column] = Span { start: from as u32, end: end as u32 };
                    }
                    from = end + 1;
                    if from > record.len() {
                        break;
                    }
                }
            }
            start = feed + 1;
        }
    }

    fn split_quoted(&self, quoting: Quoting, bytes: &[u8], rows: &mut Rows) -> Result<(), RecordError> {
        let mut start = 0;
        while start < bytes.len() {
            let (end, next) = record_end(quoting, bytes, start)?;
            if !self.passes_over(start, end) {
                let base = rows.begin(start);
                let record = &bytes[start..end];
                let mut from = if record.is_empty() { None } else { Some(0) };
                for column in &self.columns {
                    let Some(at) = from else { break };
                    let (field, following) = quoting.field(record, at, &mut rows.arena);
                    if let Some(column) = column {
                        rows.spans[base + column] = match field {
                            Field::Record(from, to) => Span { start: (start + from) as u32, end: (start + to) as u32 },
                            Field::Arena(from, to) => Span { start: from as u32 | IN_ARENA, end: to as u32 },
                        };
                    }
                    from = following;
                }
            }
            start = next;
        }
        Ok(())
    }
}

/// Where a record ends without its line break, and where the next begins.
fn record_end(quoting: Quoting, bytes: &[u8], start: usize) -> Result<(usize, usize), RecordError> {
    match quoting.record_end(bytes, start) {
        RecordEnd::LineFeed(at) => Ok((without_return(bytes, start, at), at + 1)),
        RecordEnd::Bytes => Ok((without_return(bytes, start, bytes.len()), bytes.len())),
        RecordEnd::Quotation => Err(RecordError {
            at: start,
            character: None,
            error: Error::new(ErrorKind::Data, "unterminated quoted value: the file ends within it"),
        }),
    }
}

/// The end of a line without the carriage return before its line feed.
fn without_return(bytes: &[u8], start: usize, end: usize) -> usize {
    if end > start && bytes[end - 1] == b'\r' { end - 1 } else { end }
}

/// Where a delimiter stands that no escape character makes literal; the end of `record` without one.
pub(super) fn unescaped(delimiter: u8, escape: u8, record: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(found) = record.get(at..).and_then(|rest| memchr::memchr2(delimiter, escape, rest)) {
        at += found;
        if record[at] == delimiter {
            return at;
        }
        at += 2;
    }
    record.len()
}

/// The offsets of two characters, in order.
struct Marks<'a> {
    bytes: &'a [u8],
    /// The two characters, in each byte of a word.
    first: u64,
    second: u64,
    /// Where the current eight bytes begin.
    base: usize,
    /// A high bit for each of the eight bytes that is one of the two and was not given yet.
    found: u64,
}

const LOW: u64 = u64::from_ne_bytes([0x01; 8]);
const LOW_SEVEN: u64 = u64::from_ne_bytes([0x7f; 8]);

impl<'a> Marks<'a> {
    fn new(bytes: &'a [u8], first: u8, second: u8) -> Self {
        let mut marks =
            Self { bytes, first: LOW * u64::from(first), second: LOW * u64::from(second), base: 0, found: 0 };
        marks.seek(0);
        marks
    }

    /// Goes on at an offset.
    fn seek(&mut self, at: usize) {
        self.base = at;
        self.load();
    }

    #[inline]
    fn load(&mut self) {
        let word = if let Some(eight) = self.bytes.get(self.base..).and_then(|rest| rest.first_chunk::<8>()) {
            u64::from_le_bytes(*eight)
        } else {
            // 0xff is neither of the two, which are ASCII.
            let mut eight = [0xff; 8];
            let rest = self.bytes.get(self.base..).unwrap_or_default();
            eight[..rest.len()].copy_from_slice(rest);
            u64::from_le_bytes(eight)
        };
        self.found = zero_bytes(word ^ self.first) | zero_bytes(word ^ self.second);
    }

    /// The next offset; the length of the bytes, or more, at the end.
    #[inline]
    fn next(&mut self) -> usize {
        while self.found == 0 {
            self.base += 8;
            if self.base >= self.bytes.len() {
                return self.bytes.len();
            }
            self.load();
        }
        let at = self.base + (self.found.trailing_zeros() / 8) as usize;
        self.found &= self.found - 1;
        at
    }
}

/// The high bit of each byte that is zero; exact, without borrows between bytes.
#[inline]
fn zero_bytes(word: u64) -> u64 {
    !(((word & LOW_SEVEN) + LOW_SEVEN) | word | LOW_SEVEN)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn texts(options: TextOptions, fields: &[usize], bytes: &[u8]) -> Vec<Vec<Option<String>>> {
        let rows = Splitter::new(options, fields).split(bytes).unwrap();
        let text = |row, column| {
            rows.place(row, column).map(|(range, arena)| {
                String::from_utf8_lossy(if arena { &rows.arena()[range] } else { &bytes[range] }).into_owned()
            })
        };
        (0..rows.len()).map(|row| (0..fields.len()).map(|column| text(row, column)).collect()).collect()
    }

    /// The scan by words against a split of the standard library, for many lengths and projections.
    #[test]
    fn plain_fields() {
        let mut options = TextOptions::lazy_simple();
        options.delimiter = b',';
        let mut text = String::new();
        for row in 0..40 {
            let fields: Vec<String> = (0..row % 7).map(|field| "xyzäöü".repeat(field % 3) + &"1".repeat(row)).collect();
            text.push_str(&fields.join(","));
            text.push_str(if row % 2 == 0 { "\n" } else { "\r\n" });
        }
        text.push_str("no,end");
        for fields in [vec![0, 1, 2, 3, 4, 5, 6, 7], vec![1], vec![5, 0], vec![9]] {
            let expected: Vec<Vec<Option<String>>> = text
                .lines()
                .map(|line| fields.iter().map(|field| line.split(',').nth(*field).map(str::to_owned)).collect())
                .collect();
            assert_eq!(texts(options.clone(), &fields, text.as_bytes()), expected, "{fields:?}");
            assert_eq!(Splitter::new(options.clone(), &fields).count(text.as_bytes()).unwrap(), expected.len());
        }
    }

    #[test]
    fn escaped_delimiters_stay() {
        let mut options = TextOptions::lazy_simple();
        options.delimiter = b',';
        options.escape = Some(b'\\');
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            texts(options, &[0, 1, 2], b"a\\,b,c\\\\,d\\\ne,\n\nf\\"),
            [
                [some("a\\,b"), some("c\\\\"), some("d\\")],
                [some("e"), some(""), None],
                [some(""), None, None],
                [some("f\\"), None, None]
            ]
        );
    }

    #[test]
    fn blank_lines() {
        let some = |text: &str| Some(text.to_owned());
        let mut options = TextOptions::open_csv();
        assert_eq!(
            texts(options.clone(), &[0, 1], b"a,b\n\r\n\nc"),
            [[some("a"), some("b")], [None, None], [None, None], [some("c"), None]]
        );
        assert_eq!(texts(options.clone(), &[0], b"\"a\"\n\n"), [[some("a")], [None]]);
        options.ignore_blank_lines = true;
        assert_eq!(texts(options.clone(), &[0], b"a\n\r\n\nc"), [[some("a")], [some("c")]]);
        assert_eq!(texts(options.clone(), &[0], b"\"a\"\n\n\nc"), [[some("a")], [some("c")]]);
        assert_eq!(Splitter::new(options, &[]).count(b"a\n\n\r\nb").unwrap(), 2);
    }
}
