//! Quoted records: where they end, and what their fields are.
//!
//! The rules are those of opencsv 2.3, which Hive's OpenCSVSerde uses, quirks included: an escape character counts
//! within quotes only and only before a quote or itself, and is dropped elsewhere; a quote within an unquoted value
//! is kept and yet opens a quotation; blanks before an opening quote are dropped. Line breaks are ours: they belong
//! to the value in a quotation that began with its field (RFC 4180), and end the record in any other.

/// The characters that matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quoting {
    pub(super) delimiter: u8,
    pub(super) quote: Option<u8>,
    pub(super) escape: Option<u8>,
}

/// How a record ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RecordEnd {
    /// With the line feed at this offset.
    LineFeed(usize),
    /// With the bytes.
    Bytes,
    /// With the bytes, in the middle of a quotation that began with its field.
    Quotation,
}

impl Quoting {
    /// Where the record that begins at `start` ends.
    pub(super) fn record_end(self, bytes: &[u8], start: usize) -> RecordEnd {
        let Some(quote) = self.quote else {
            return find(b'\n', bytes, start).map_or(RecordEnd::Bytes, RecordEnd::LineFeed);
        };
        let mut at = start;
        loop {
            match memchr::memchr2(quote, b'\n', &bytes[at..]).map(|offset| at + offset) {
                None => return RecordEnd::Bytes,
                Some(end) if bytes[end] == b'\n' => return RecordEnd::LineFeed(end),
                Some(open) => {
                    let with_field = self.opens_field(&bytes[start..open]);
                    match self.quotation_end(bytes, open + 1, quote, with_field) {
                        Ok(after) => at = after,
                        Err(end) => return end,
                    }
                }
            }
        }
    }

    /// Whether a quote stands at the start of a field, but for blanks; `before` is the record up to it.
    fn opens_field(self, before: &[u8]) -> bool {
        let last = before.iter().rfind(|byte| **byte == self.delimiter || !matches!(**byte, b' ' | b'\t'));
        last.is_none_or(|byte| *byte == self.delimiter)
    }

    /// What stands behind the closing quote, or how the record ends before there is one.
    fn quotation_end(self, bytes: &[u8], from: usize, quote: u8, with_field: bool) -> Result<usize, RecordEnd> {
        let escape = self.escape.unwrap_or(quote);
        let mut at = from;
        loop {
            let found = if with_field {
                memchr::memchr2(quote, escape, &bytes[at..])
            } else {
                memchr::memchr3(quote, escape, b'\n', &bytes[at..])
            };
            let Some(found) = found.map(|offset| at + offset) else {
                return Err(if with_field { RecordEnd::Quotation } else { RecordEnd::Bytes });
            };
            let next = bytes.get(found + 1).copied();
            at = match bytes[found] {
                byte if byte == quote && next == Some(quote) => found + 2,
                byte if byte == quote => return Ok(found + 1),
                b'\n' if !with_field => return Err(RecordEnd::LineFeed(found)),
                _ if next == Some(quote) || next == Some(escape) => found + 2,
                _ => found + 1,
            };
        }
    }

    /// Whether the field that begins at `start` of a record is a quotation from its first character to its last; `None`
    /// when it does not begin with a quote.
    pub(super) fn is_quotation(self, record: &[u8], start: usize) -> Option<bool> {
        let quote = self.quote.filter(|quote| record.get(start) == Some(quote))?;
        let end = self.quotation_end(record, start + 1, quote, true);
        Some(end.is_ok_and(|after| record.get(after).is_none_or(|byte| *byte == self.delimiter)))
    }

    /// The end of the last whole record but `keep`; see [`crate::lake::records::RecordFormat`].
    pub(super) fn last_record_end(self, bytes: &[u8], keep: usize) -> Option<usize> {
        if keep == 0 && self.quote.is_none_or(|quote| memchr::memchr(quote, bytes).is_none()) {
            return memchr::memrchr(b'\n', bytes).map(|at| at + 1);
        }
        let mut ends = std::collections::VecDeque::with_capacity(keep + 1);
        let mut at = 0;
        while let RecordEnd::LineFeed(end) = self.record_end(bytes, at) {
            at = end + 1;
            if ends.len() > keep {
                ends.pop_front();
            }
            ends.push_back(at);
        }
        if ends.len() > keep { ends.pop_front() } else { None }
    }

    /// The field that begins at `start` of a record, and where the next begins; `None` as the latter at the end.
    pub(super) fn field(self, record: &[u8], start: usize, arena: &mut Vec<u8>) -> (Field, Option<usize>) {
        let next = |end: usize| (end < record.len()).then_some(end + 1);
        if let Some(quote) = self.quote
            && record.get(start) == Some(&quote)
        {
            let inner = start + 1;
            if let Some(close) = memchr::memchr2(quote, self.escape.unwrap_or(quote), &record[inner..]) {
                let close = inner + close;
                if record[close] == quote && record.get(close + 1).is_none_or(|byte| *byte == self.delimiter) {
                    return (Field::Record(inner, close), next(close + 1));
                }
            }
        } else {
            let end = find(self.delimiter, record, start).unwrap_or(record.len());
            if self.is_plain(&record[start..end]) {
                return (Field::Record(start, end), next(end));
            }
        }
        let from = arena.len();
        let end = self.resolve(record, start, arena);
        (Field::Arena(from, arena.len()), next(end))
    }

    fn is_plain(self, field: &[u8]) -> bool {
        match (self.quote, self.escape) {
            (Some(quote), Some(escape)) => memchr::memchr2(quote, escape, field).is_none(),
            (Some(one), None) | (None, Some(one)) => memchr::memchr(one, field).is_none(),
            (None, None) => true,
        }
    }

    /// Appends the value of the field at `start` to `arena`, as opencsv's state machine gives it; where it ends.
    fn resolve(self, record: &[u8], start: usize, arena: &mut Vec<u8>) -> usize {
        let from = arena.len();
        let mut quoted = false;
        let mut at = start;
        while let Some(&byte) = record.get(at) {
            let next = record.get(at + 1).copied();
            if Some(byte) == self.escape {
                if quoted && next.is_some() && (next == self.quote || next == self.escape) {
                    arena.extend(next);
                    at += 1;
                }
            } else if Some(byte) == self.quote {
                if quoted && next == self.quote {
                    arena.push(byte);
                    at += 1;
                } else {
                    let inside =
                        at > 2 && record[at - 1] != self.delimiter && next.is_some_and(|n| n != self.delimiter);
                    if inside {
                        let blank = arena.len() > from && arena[from..].iter().all(u8::is_ascii_whitespace);
                        if blank { arena.truncate(from) } else { arena.push(byte) }
                    }
                    quoted = !quoted;
                }
            } else if byte == self.delimiter && !quoted {
                return at;
            } else {
                arena.push(byte);
            }
            at += 1;
        }
        at
    }
}

/// Where a field's value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    /// In the record itself, from and to.
    Record(usize, usize),
    /// In the arena, resolved.
    Arena(usize, usize),
}

fn find(byte: u8, bytes: &[u8], from: usize) -> Option<usize> {
    memchr::memchr(byte, &bytes[from..]).map(|offset| from + offset)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const DEFAULT: Quoting = Quoting { delimiter: b',', quote: Some(b'"'), escape: Some(b'\\') };

    fn fields(quoting: Quoting, record: &str) -> Vec<String> {
        let mut arena = Vec::new();
        let mut found = Vec::new();
        let mut start = Some(0);
        while let Some(at) = start {
            let (field, next) = quoting.field(record.as_bytes(), at, &mut arena);
            let bytes = match field {
                Field::Record(from, to) => &record.as_bytes()[from..to],
                Field::Arena(from, to) => &arena[from..to],
            };
            found.push(String::from_utf8(bytes.to_vec()).unwrap());
            start = next;
        }
        found
    }

    /// The cases of opencsv 2.3's own tests (CSVParserTest) and of Hive's documentation.
    #[test]
    fn fields_as_opencsv_reads_them() {
        for (record, expected) in [
            ("This, is, a, test.", vec!["This", " is", " a", " test."]),
            ("a,b,c", vec!["a", "b", "c"]),
            ("a,\"b,b,b\",c", vec!["a", "b,b,b", "c"]),
            (",,", vec!["", "", ""]),
            (
                "a,\"PO Box 123,\nKippax,ACT. 2615.\nAustralia\",d.\n",
                vec!["a", "PO Box 123,\nKippax,ACT. 2615.\nAustralia", "d.\n"],
            ),
            (
                "\"Glen \"\"The Man\"\" Smith\",Athlete,Developer\n",
                vec!["Glen \"The Man\" Smith", "Athlete", "Developer\n"],
            ),
            ("a,1234567,null", vec!["a", "1234567", "null"]),
            ("\"a\\\"b\",\"c\\\\d\",e\\f", vec!["a\"b", "c\\d", "ef"]),
            ("", vec![""]),
            ("   \"quoted\",x", vec!["quoted", "x"]),
            ("a,bc\"d\"ef,g", vec!["a", "bc\"d\"ef", "g"]),
        ] {
            assert_eq!(fields(DEFAULT, record), expected, "{record}");
        }
    }

    #[test]
    fn records_end_outside_of_quotations() {
        for (bytes, end) in [
            ("a,b\nc", RecordEnd::LineFeed(3)),
            ("a,\"b\nc\"\nd", RecordEnd::LineFeed(7)),
            ("a,\"b\"\"\nc\"\nd", RecordEnd::LineFeed(9)),
            ("a,\"b\\\"\nc\"\nd", RecordEnd::LineFeed(9)),
            ("a, \"b\nc\"\nd", RecordEnd::LineFeed(8)),
            ("a,5\" tall\nd\",e\n", RecordEnd::LineFeed(9)),
            ("a,b", RecordEnd::Bytes),
            ("a,\"b\n", RecordEnd::Quotation),
            ("a,5\" tall", RecordEnd::Bytes),
        ] {
            assert_eq!(DEFAULT.record_end(bytes.as_bytes(), 0), end, "{bytes}");
        }
    }
}
