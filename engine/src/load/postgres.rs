//! Taking a line of PostgreSQL's COPY apart: its text format and its CSV (PostgreSQL: "COPY", "File Formats").
//!
//! Fields come without escapes and quotes, NULLs as `None`: whether a field is NULL its own text has decided.

use super::errors::Problem;
use super::fields::Field;
use std::borrow::Cow;

/// What ends the rows before the stream does.
pub(super) const END_OF_DATA: &[u8] = b"\\.";

/// Rules of the text format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamText {
    pub(crate) delimiter: u8,
    pub(crate) null: Vec<u8>,
}

impl StreamText {
    /// The fields of a line.
    pub(super) fn split<'a>(&self, line: &'a [u8], fields: &mut Vec<Option<Field<'a>>>) {
        let mut from = 0;
        loop {
            let end = self.end_of(line, from);
            let raw = &line[from..end];
            fields.push((raw != self.null).then(|| Field { bytes: unescape(raw), quoted: true, at: from }));
            if end == line.len() {
                return;
            }
            from = end + 1;
        }
    }

    /// Where the field that begins at `from` ends.
    fn end_of(&self, line: &[u8], from: usize) -> usize {
        let mut at = from;
        while let Some(found) = memchr::memchr2(self.delimiter, b'\\', &line[at..]) {
            let found = at + found;
            if line[found] == self.delimiter {
                return found;
            }
            at = (found + 2).min(line.len());
        }
        line.len()
    }
}

/// A field without its escapes.
fn unescape(raw: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr::memchr(b'\\', raw) else { return Cow::Borrowed(raw) };
    let mut text = raw[..first].to_vec();
    let mut at = first;
    while at < raw.len() {
        let (byte, taken) = match (raw[at], raw.get(at + 1)) {
            (b'\\', Some(&next)) => escaped(&raw[at + 1..], next),
            (byte, _) => (byte, 0),
        };
        text.push(byte);
        at += 1 + taken;
    }
    Cow::Owned(text)
}

/// What stands behind a backslash: the byte it means, and how many bytes it took.
fn escaped(rest: &[u8], next: u8) -> (u8, usize) {
    let digits = |radix: u32, most: usize, from: usize| {
        let digits = rest[from..].iter().take(most).map_while(|byte| char::from(*byte).to_digit(radix));
        digits.fold((0_u32, 0_usize), |(value, count), digit| (value * radix + digit, count + 1))
    };
    match next {
        b'b' => (8, 1),
        b'f' => (12, 1),
        b'n' => (b'\n', 1),
        b'r' => (b'\r', 1),
        b't' => (b'\t', 1),
        b'v' => (11, 1),
        b'0'..=b'7' => {
            let (value, count) = digits(8, 3, 0);
            ((value & 0xff) as u8, count)
        }
        b'x' => match digits(16, 2, 1) {
            (_, 0) => (b'x', 1),
            (value, count) => ((value & 0xff) as u8, 1 + count),
        },
        other => (other, 1),
    }
}

/// Rules of CSV.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamCsv {
    pub(crate) delimiter: u8,
    pub(crate) null: Vec<u8>,
    pub(crate) quote: u8,
    pub(crate) escape: u8,
    /// For each column, whether its fields are never NULL.
    pub(crate) force_not_null: Vec<bool>,
    /// For each column, whether the text of NULL means it between quotes too.
    pub(crate) force_null: Vec<bool>,
}

impl StreamCsv {
    /// The fields of a record. Quotes may begin and end anywhere in a field.
    pub(super) fn split<'a>(&self, record: &'a [u8], fields: &mut Vec<Option<Field<'a>>>) -> Result<(), Problem> {
        let mut from = 0;
        loop {
            let (bytes, quoted, end) = self.field(record, from)?;
            let column = fields.len();
            let is = |columns: &[bool]| columns.get(column) == Some(&true);
            let null = *bytes == *self.null && if quoted { is(&self.force_null) } else { !is(&self.force_not_null) };
            fields.push((!null).then_some(Field { bytes, quoted: true, at: from }));
            if end == record.len() {
                return Ok(());
            }
            from = end + 1;
        }
    }

    /// The field that begins at `from`, whether it had quotes, and where it ends.
    fn field<'a>(&self, record: &'a [u8], from: usize) -> Result<(Cow<'a, [u8]>, bool, usize), Problem> {
        let ends = memchr::memchr2(self.delimiter, self.quote, &record[from..]).map_or(record.len(), |at| from + at);
        if ends == record.len() || record[ends] == self.delimiter {
            return Ok((Cow::Borrowed(&record[from..ends]), false, ends));
        }
        let mut text = record[from..ends].to_vec();
        let (mut at, mut inside) = (ends, false);
        while at < record.len() {
            let byte = record[at];
            at += 1;
            if !inside {
                match byte {
                    byte if byte == self.delimiter => return Ok((Cow::Owned(text), true, at - 1)),
                    byte if byte == self.quote => inside = true,
                    byte => text.push(byte),
                }
                continue;
            }
            let next = record.get(at).copied();
            match next {
                Some(next) if byte == self.escape && (next == self.escape || next == self.quote) => {
                    text.push(next);
                    at += 1;
                }
                _ if byte == self.quote => inside = false,
                _ => text.push(byte),
            }
        }
        if inside {
            return Err(Problem::new(1216, "unterminated CSV quoted field"));
        }
        Ok((Cow::Owned(text), true, record.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(fields: Vec<Option<Field<'_>>>) -> Vec<Option<String>> {
        let text = |field: Field<'_>| String::from_utf8_lossy(&field.bytes).into_owned();
        fields.into_iter().map(|field| field.map(text)).collect()
    }

    #[test]
    fn text_lines() {
        let rules = StreamText { delimiter: b'\t', null: b"\\N".to_vec() };
        for (line, expected) in [
            ("", vec![Some("")]),
            ("a\tb", vec![Some("a"), Some("b")]),
            ("\\N\t", vec![None, Some("")]),
            ("a\\tb\tc\\\td", vec![Some("a\tb"), Some("c\td")]),
            ("\\\\N\t\\\\", vec![Some("\\N"), Some("\\")]),
            ("\\n\\r\\b\\f\\v\\x41\\101\\q", vec![Some("\n\r\u{8}\u{c}\u{b}AAq")]),
            ("line\\\nend", vec![Some("line\nend")]),
            ("\\xg", vec![Some("xg")]),
            ("\\", vec![Some("\\")]),
        ] {
            let mut fields = Vec::new();
            rules.split(line.as_bytes(), &mut fields);
            let expected: Vec<_> = expected.into_iter().map(|text| text.map(str::to_owned)).collect();
            assert_eq!(texts(fields), expected, "{line:?}");
        }
    }

    #[test]
    fn csv_records() {
        let rules = StreamCsv {
            delimiter: b',',
            null: Vec::new(),
            quote: b'"',
            escape: b'"',
            force_not_null: vec![false, true],
            force_null: vec![false, false, true],
        };
        for (line, expected) in [
            (",,\"\"", vec![None, Some(""), None]),
            ("\"\",x", vec![Some(""), Some("x")]),
            ("\"a,\"\"b\"\"\n\",c", vec![Some("a,\"b\"\n"), Some("c")]),
            ("a\"b,c\"d,e", vec![Some("ab,cd"), Some("e")]),
            (" a , b ", vec![Some(" a "), Some(" b ")]),
        ] {
            let mut fields = Vec::new();
            assert_eq!(rules.split(line.as_bytes(), &mut fields), Ok(()), "{line:?}");
            let expected: Vec<_> = expected.into_iter().map(|text| text.map(str::to_owned)).collect();
            assert_eq!(texts(fields), expected, "{line:?}");
        }
        let backslash = StreamCsv { escape: b'\\', ..rules.clone() };
        let mut fields = Vec::new();
        assert_eq!(backslash.split(br#""a\"b\\c\d""#, &mut fields), Ok(()));
        assert_eq!(texts(fields), [Some("a\"b\\c\\d".to_owned())]);
        assert!(rules.split(b"\"open", &mut Vec::new()).is_err());
    }
}
