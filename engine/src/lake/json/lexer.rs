//! JSON's syntax (RFC 8259): passing over values, and handing out the members of objects and arrays by place.
//!
//! Records of files are read leniently, as the parsers of Hive and OpenX read them: control characters within strings,
//! halves of surrogate pairs and zeros before a number are let through. SUPER values and JSON in functions are read
//! strictly.

use std::borrow::Cow;
use std::ops::Range;

/// How deep values may nest; a limit against hostile input.
pub(crate) const MAX_DEPTH: usize = 128;

/// The lowest bit of each of eight bytes.
const LOW_BITS: u64 = u64::from_ne_bytes([1; 8]);

/// The highest bit of each.
const HIGH_BITS: u64 = LOW_BITS << 7;

/// From so many bytes on a string's end is sought with larger steps.
const LONG_STRING: usize = 64;

/// Text that is no JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// Where, in bytes.
    pub(crate) at: usize,
    /// What should stand there.
    pub(crate) expected: &'static str,
}

/// A reader of JSON text; `at` is where it stands.
#[derive(Debug)]
pub(crate) struct Lexer<'a> {
    bytes: &'a [u8],
    pub(crate) at: usize,
    /// Whether what RFC 8259 forbids is refused.
    strict: bool,
}

/// What an object or array is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nested {
    Object,
    Array,
}

impl Nested {
    fn brackets(self) -> (u8, u8) {
        match self {
            Self::Object => (b'{', b'}'),
            Self::Array => (b'[', b']'),
        }
    }
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at, strict: false }
    }

    /// A reader of exactly what RFC 8259 calls JSON.
    pub(super) fn strict(text: &'a str) -> Self {
        Self { bytes: text.as_bytes(), at: 0, strict: true }
    }

    /// The next byte that is no blank, without taking it.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<u8> {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    /// Takes a text if it stands here.
    #[inline]
    pub(crate) fn take(&mut self, text: &[u8]) -> bool {
        let is_here = self.bytes[self.at..].starts_with(text);
        self.at += if is_here { text.len() } else { 0 };
        is_here
    }

    pub(super) fn malformed<T>(&self, expected: &'static str) -> Result<T, Malformed> {
        Err(Malformed { at: self.at, expected })
    }

    /// Takes a bracket that begins an object or array, and the other one if nothing stands between them; whether
    /// something does.
    #[inline]
    pub(crate) fn begin(&mut self, nested: Nested) -> Result<bool, Malformed> {
        let (open, close) = nested.brackets();
        if self.peek() != Some(open) {
            return self.malformed(if nested == Nested::Object { "\"{\"" } else { "\"[\"" });
        }
        self.at += 1;
        let is_empty = self.peek() == Some(close);
        self.at += usize::from(is_empty);
        Ok(!is_empty)
    }

    /// Takes a member's key and the colon after it; the key's place with its quotes.
    #[inline]
    pub(crate) fn key(&mut self) -> Result<Range<usize>, Malformed> {
        if self.peek() != Some(b'"') {
            return self.malformed("a key in quotes");
        }
        let key = self.string()?;
        if self.peek() != Some(b':') {
            return self.malformed("\":\"");
        }
        self.at += 1;
        Ok(key)
    }

    /// Takes what follows a member: whether that is a comma and not the end.
    #[inline]
    pub(crate) fn goes_on(&mut self, nested: Nested) -> Result<bool, Malformed> {
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if byte == nested.brackets().1 => {
                self.at += 1;
                Ok(false)
            }
            _ => self.malformed(if nested == Nested::Object { "\",\" or \"}\"" } else { "\",\" or \"]\"" }),
        }
    }

    /// Takes an object; `member` gets each key, between its quotes and as it is written, and the value's place.
    pub(crate) fn object(
        &mut self,
        depth: usize,
        mut member: impl FnMut(&'a [u8], Range<usize>),
    ) -> Result<(), Malformed> {
        let mut more = self.begin(Nested::Object)?;
        while more {
            let key = self.key()?;
            let value = self.value(depth)?;
            member(&self.bytes[key.start + 1..key.end - 1], value);
            more = self.goes_on(Nested::Object)?;
        }
        Ok(())
    }

    /// Takes an array; `item` gets each value's place.
    pub(crate) fn array(&mut self, depth: usize, mut item: impl FnMut(Range<usize>)) -> Result<(), Malformed> {
        let mut more = self.begin(Nested::Array)?;
        while more {
            item(self.value(depth)?);
            more = self.goes_on(Nested::Array)?;
        }
        Ok(())
    }

    /// Takes any value; where it stands.
    pub(crate) fn value(&mut self, depth: usize) -> Result<Range<usize>, Malformed> {
        let first = self.peek();
        let start = self.at;
        match first {
            Some(b'"') => return self.string(),
            Some(b'{' | b'[') if depth >= MAX_DEPTH => return self.malformed("fewer levels"),
            Some(b'{') => self.object(depth + 1, |_, _| {})?,
            Some(b'[') => self.array(depth + 1, |_| {})?,
            Some(b't') => self.literal(b"true")?,
            Some(b'f') => self.literal(b"false")?,
            Some(b'n') => self.literal(b"null")?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            _ => return self.malformed("a value"),
        }
        Ok(start..self.at)
    }

    fn literal(&mut self, literal: &'static [u8]) -> Result<(), Malformed> {
        if self.take(literal) { Ok(()) } else { self.malformed("a value") }
    }

    #[inline]
    fn digits(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { self.malformed("a digit") }
    }

    fn number(&mut self) -> Result<(), Malformed> {
        if self.bytes.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        let whole = self.at;
        self.digits()?;
        if self.strict && self.bytes[whole] == b'0' && self.at > whole + 1 {
            self.at = whole;
            return self.malformed("a number without zeros before it");
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.bytes.get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// Takes a string; its place with the quotes.
    #[inline]
    fn string(&mut self) -> Result<Range<usize>, Malformed> {
        let start = self.at;
        self.at += 1;
        loop {
            self.at = self.plain_end(self.at);
            let Some(byte) = self.bytes.get(self.at) else { return self.malformed("a closing quote") };
            if !matches!(byte, b'"' | b'\\') {
                return self.malformed("no control character");
            }
            self.at += 1;
            if *byte == b'"' {
                return Ok(start..self.at);
            }
            self.escape()?;
        }
    }

    /// Where the characters of a string end that stand for themselves: at a quote, at a backslash or, where these are
    /// refused, at a control character. Most strings are short: eight bytes at once are looked at without a call.
    #[inline]
    fn plain_end(&self, from: usize) -> usize {
        let refused = if self.strict { HIGH_BITS } else { 0 };
        let mut at = from;
        while let Some(bytes) = self.bytes.get(at..).and_then(<[u8]>::first_chunk) {
            let word = u64::from_le_bytes(*bytes);
            // The high bit of each byte that is 0, or is less than a blank. Bytes behind the first one may be wrong, as it
            // borrows from them.
            let zeros = |word: u64| word.wrapping_sub(LOW_BITS) & !word & HIGH_BITS;
            let controls = word.wrapping_sub(LOW_BITS * 0x20) & !word & refused;
            let ends =
                zeros(word ^ (LOW_BITS * u64::from(b'"'))) | zeros(word ^ (LOW_BITS * u64::from(b'\\'))) | controls;
            if ends != 0 {
                return at + ends.trailing_zeros() as usize / 8;
            }
            at += bytes.len();
            if !self.strict && at >= from + LONG_STRING {
                let rest = &self.bytes[at..];
                return at + memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
            }
        }
        let ends = |byte: &u8| matches!(byte, b'"' | b'\\') || (self.strict && *byte < b' ');
        let rest = &self.bytes[at..];
        at + rest.iter().position(ends).unwrap_or(rest.len())
    }

    /// Takes what follows a backslash.
    fn escape(&mut self) -> Result<(), Malformed> {
        match self.bytes.get(self.at) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                let Some(unit) = self.unit(self.at) else { return self.malformed("an escape sequence") };
                let is_pair = matches!(unit, 0xd800..0xdc00)
                    && self.bytes.get(self.at + 5) == Some(&b'\\')
                    && matches!(self.unit(self.at + 6), Some(0xdc00..0xe000));
                if self.strict && matches!(unit, 0xd800..0xe000) && !is_pair {
                    return self.malformed("both halves of a surrogate pair");
                }
                self.at += if is_pair { 11 } else { 5 };
            }
            _ => return self.malformed("an escape sequence"),
        }
        Ok(())
    }

    /// The number of `uXXXX` at a place.
    fn unit(&self, at: usize) -> Option<u32> {
        let hex = self.bytes.get(at..at + 5)?.strip_prefix(b"u")?;
        hex.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?))
    }
}

/// The text between a string's quotes with its escapes resolved. Half a surrogate pair becomes U+FFFD.
pub(crate) fn unescape(text: &str) -> Cow<'_, str> {
    if memchr::memchr(b'\\', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        let escape = rest[at + 1..].chars().next();
        rest = rest.get(at + 2..).unwrap_or_default();
        plain.push(match escape {
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => unescape_unit(&mut rest),
            Some(literal) => literal,
            None => '\\',
        });
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

/// The character of one or two `\u` escapes; `rest` stands behind the first `\u`.
fn unescape_unit(rest: &mut &str) -> char {
    let unit = |text: &str| text.get(..4).and_then(|hex| u32::from_str_radix(hex, 16).ok());
    let Some(high) = unit(rest) else { return char::REPLACEMENT_CHARACTER };
    *rest = &rest[4..];
    if (0xd800..0xdc00).contains(&high)
        && let Some(low) = rest.strip_prefix("\\u").and_then(unit).filter(|low| (0xdc00..0xe000).contains(low))
    {
        *rest = &rest[6..];
        let c = 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00);
        return char::from_u32(c).unwrap_or(char::REPLACEMENT_CHARACTER);
    }
    char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// Where a run of documents can be cut: behind the last whole object, or at the end of what is no part of one.
pub(crate) fn last_document_end(bytes: &[u8]) -> Option<usize> {
    let (mut end, mut depth, mut at) = (None, 0_usize, 0);
    while let Some(found) = memchr::memchr3(b'"', b'{', b'}', &bytes[at..]) {
        at += found + 1;
        match bytes[at - 1] {
            b'{' => depth += 1,
            b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    end = Some(at);
                }
            }
            _ => loop {
                match memchr::memchr2(b'"', b'\\', &bytes[at..]) {
                    None => return end,
                    Some(found) if bytes[at + found] == b'"' => {
                        at += found + 1;
                        break;
                    }
                    Some(found) => at = (at + found + 2).min(bytes.len()),
                }
            },
        }
    }
    if depth == 0 && !bytes.is_empty() { Some(bytes.len()) } else { end }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<usize, Malformed> {
        let mut lexer = Lexer::new(text.as_bytes(), 0);
        lexer.value(0).map(|_| lexer.at)
    }

    /// Cases of RFC 8259 and of the JSON parsing test suite.
    #[test]
    fn syntax() {
        for text in [
            "{}",
            "[]",
            "[1, -0.5e+3, true, false, null]",
            "{\"a\" : {\"b\":[\"c\"]}}",
            "\"\\u00e9\\n\\\"\"",
            "\"\u{7f}\"",
            "-0",
            "\"\"",
        ] {
            assert_eq!(check(text), Ok(text.len()), "{text}");
        }
        for (text, at, expected) in [
            ("{\"a\" 1}", 5, "\":\""),
            ("{\"a\":1,}", 7, "a key in quotes"),
            ("[1,]", 3, "a value"),
            ("[1 2]", 3, "\",\" or \"]\""),
            ("{\"a\":tru}", 5, "a value"),
            ("\"abc", 4, "a closing quote"),
            ("\"\\x\"", 2, "an escape sequence"),
            ("\"\\u12g4\"", 2, "an escape sequence"),
            ("-", 1, "a digit"),
            ("1.", 2, "a digit"),
            ("{'a':1}", 1, "a key in quotes"),
            ("", 0, "a value"),
        ] {
            assert_eq!(check(text), Err(Malformed { at, expected }), "{text}");
        }
        assert_eq!(check(&"[".repeat(100_000)), Err(Malformed { at: 128, expected: "fewer levels" }));
    }

    /// Wherever in its words of eight bytes a string ends, and whatever stands before and behind.
    #[test]
    fn strings_end_where_they_do() {
        for length in 0..100 {
            for before in ["", " ", "[1, "] {
                let plain = "aé\u{7f}!#[]/".chars().cycle().take(length).collect::<String>();
                let text = format!("{before}\"{plain}\\n{plain}\", \"\u{1}");
                let start = before.len();
                let end = start + 2 * plain.len() + 4;
                for mut lexer in [Lexer::new(text.as_bytes(), start), Lexer { at: start, ..Lexer::strict(&text) }] {
                    assert_eq!(lexer.value(0), Ok(start..end), "{text}");
                }
                let open = format!("{before}\"{plain}");
                let mut lexer = Lexer { at: start, ..Lexer::strict(&open) };
                assert_eq!(lexer.value(0), Err(Malformed { at: open.len(), expected: "a closing quote" }), "{open}");
                for control in ["\0", "\t", "\u{1f}"] {
                    let text = format!("{before}\"{plain}{control}{plain}\"");
                    let at = start + 1 + plain.len();
                    let mut lexer = Lexer { at: start, ..Lexer::strict(&text) };
                    assert_eq!(lexer.value(0), Err(Malformed { at, expected: "no control character" }), "{text}");
                    assert_eq!(Lexer::new(text.as_bytes(), start).value(0), Ok(start..text.len()), "{text}");
                }
            }
        }
    }

    /// What is let through in records of files only.
    #[test]
    fn strictness() {
        for (text, at) in [
            ("01", 0),
            ("-01", 1),
            ("\"a\tb\"", 2),
            (r#""\ud800""#, 2),
            (r#""\udc00\ud800""#, 2),
            (r#""\ud800\u0041""#, 2),
        ] {
            assert_eq!(Lexer::strict(text).value(0).map_err(|malformed| malformed.at), Err(at), "{text}");
            assert!(Lexer::new(text.as_bytes(), 0).value(0).is_ok(), "{text}");
        }
        for text in ["0", "-0.5", "10", r#""\ud83d\ude00""#, r#""\u0041\n""#] {
            assert_eq!(Lexer::strict(text).value(0), Ok(0..text.len()), "{text}");
        }
    }

    #[test]
    fn escapes() {
        for (text, plain) in [
            ("a\\\\b\\/c", "a\\b/c"),
            ("\\u0041\\u00e9\\ud83d\\ude00", "Aé😀"),
            ("\\ud83d!", "\u{fffd}!"),
            ("\\n\\t\\\"", "\n\t\""),
            ("plain", "plain"),
        ] {
            assert_eq!(unescape(text), plain, "{text}");
        }
    }

    #[test]
    fn documents_end_outside_of_strings() {
        assert_eq!(last_document_end(b"{\"a\":\"}\"} {\"b\":{}}\n{\"c\""), Some(18));
        assert_eq!(last_document_end(b"{\"a\":{}"), None);
        assert_eq!(last_document_end(b"{\"a\":{}} \n "), Some(11));
        assert_eq!(last_document_end(b"  "), Some(2));
        assert_eq!(last_document_end(b" {\"a\":\"\\\"}\"} {"), Some(12));
    }
}
