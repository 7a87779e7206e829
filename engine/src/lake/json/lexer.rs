//! JSON's syntax (RFC 8259): passing over values, and handing out the members of objects and arrays by place.
//!
//! Control characters within strings are let through, as the parsers of Hive and OpenX let them.

use std::borrow::Cow;
use std::ops::Range;

/// How deep values may nest; a limit against hostile input.
const MAX_DEPTH: usize = 128;

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
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
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

    fn malformed<T>(&self, expected: &'static str) -> Result<T, Malformed> {
        Err(Malformed { at: self.at, expected })
    }

    fn expect(&mut self, byte: u8, expected: &'static str) -> Result<(), Malformed> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            self.malformed(expected)
        }
    }

    /// Takes an object; `member` gets each key, between its quotes and as it is written, and the value's place.
    pub(crate) fn object(
        &mut self,
        depth: usize,
        mut member: impl FnMut(&'a [u8], Range<usize>),
    ) -> Result<(), Malformed> {
        self.expect(b'{', "\"{\"")?;
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            if self.peek() != Some(b'"') {
                return self.malformed("a key in quotes");
            }
            let key = self.string()?;
            self.expect(b':', "\":\"")?;
            let value = self.value(depth)?;
            member(&self.bytes[key.start + 1..key.end - 1], value);
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return self.malformed("\",\" or \"}\""),
            }
        }
        self.at += 1;
        Ok(())
    }

    /// Takes an array; `item` gets each value's place.
    pub(crate) fn array(&mut self, depth: usize, mut item: impl FnMut(Range<usize>)) -> Result<(), Malformed> {
        self.expect(b'[', "\"[\"")?;
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            item(self.value(depth)?);
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return self.malformed("\",\" or \"]\""),
            }
        }
        self.at += 1;
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
        if self.bytes[self.at..].starts_with(literal) {
            self.at += literal.len();
            Ok(())
        } else {
            self.malformed("a value")
        }
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
        self.digits()?;
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
            let Some(found) = memchr::memchr2(b'"', b'\\', &self.bytes[self.at..]) else {
                self.at = self.bytes.len();
                return self.malformed("a closing quote");
            };
            self.at += found + 1;
            if self.bytes[self.at - 1] == b'"' {
                return Ok(start..self.at);
            }
            self.escape()?;
        }
    }

    /// Takes what follows a backslash.
    fn escape(&mut self) -> Result<(), Malformed> {
        match self.bytes.get(self.at) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u')
                if self
                    .bytes
                    .get(self.at + 1..self.at + 5)
                    .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) =>
            {
                self.at += 5;
            }
            _ => return self.malformed("an escape sequence"),
        }
        Ok(())
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
