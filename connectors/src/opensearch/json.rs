//! JSON as it stands in an answer: numbers keep their digits, and any value can be had again as text.
//!
//! serde_json reads numbers into 64 bits and may miss the nearest double by one unit in the last place; documents hold
//! longer ones, and a page is continued by the sort values of its last document, which must come back unchanged.
//! Refuses what is not JSON (RFC 8259), nesting deeper than [`DEPTH_MAX`] too.

use crate::error::{ConnectorError, Result};
use std::borrow::Cow;

/// How deep values may nest. The servers' own bound on mapped objects is 20.
const DEPTH_MAX: usize = 256;

/// Bytes of a string that are looked at together.
const BLOCK: usize = 16;

/// A value that borrows from the text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json<'a> {
    Null,
    Bool(bool),
    /// A number's digits.
    Number(&'a str),
    String(Cow<'a, str>),
    /// The elements and the text of all.
    Array(Vec<Json<'a>>, &'a str),
    /// The members in order and the text of all.
    Object(Vec<(Cow<'a, str>, Json<'a>)>, &'a str),
}

impl<'a> Json<'a> {
    /// Reads a whole text.
    ///
    /// # Errors
    /// `BadData` with the place of the first byte that is wrong.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Json<'a>> {
        let mut parser = Parser::new(bytes)?;
        let value = parser.value(0)?;
        parser.finish()?;
        Ok(value)
    }

    /// A member of an object; `None` for other values too.
    pub(super) fn get(&self, name: &str) -> Option<&Json<'a>> {
        match self {
            Json::Object(members, _) => members.iter().find(|(key, _)| key == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The elements of an array; none for other values.
    pub(super) fn elements(&self) -> &[Json<'a>] {
        match self {
            Json::Array(elements, _) => elements,
            _ => &[],
        }
    }

    /// A string's text.
    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Json::String(text) => Some(text),
            _ => None,
        }
    }

    /// A number that is whole.
    pub(super) fn as_u64(&self) -> Option<u64> {
        match self {
            Json::Number(digits) => digits.parse().ok(),
            _ => None,
        }
    }

    /// Appends the value as JSON without space between its parts.
    pub(super) fn write(&self, out: &mut String) {
        match self {
            Json::Null => out.push_str("null"),
            Json::Bool(true) => out.push_str("true"),
            Json::Bool(false) => out.push_str("false"),
            Json::Number(digits) => out.push_str(digits),
            Json::String(text) => out.push_str(&serde_json::Value::from(text.as_ref()).to_string()),
            Json::Array(_, text) | Json::Object(_, text) => compact(text, out),
        }
    }
}

/// Copies JSON without the space that means nothing.
fn compact(text: &str, out: &mut String) {
    let (mut in_string, mut escaped, mut from) = (false, false, 0);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_string = !in_string,
            b' ' | b'\t' | b'\n' | b'\r' if !in_string => {
                out.push_str(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    out.push_str(&text[from..]);
}

fn malformed(what: &str) -> ConnectorError {
    ConnectorError::BadData(format!("the server's answer is not JSON: {what}"))
}

/// Reads a text from its beginning to its end: whole values, or what stands in objects and lists one after the other.
pub(super) struct Parser<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Parser<'a> {
    /// At the beginning of a text.
    ///
    /// # Errors
    /// `BadData` for what is not UTF-8.
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self> {
        let text = std::str::from_utf8(bytes)
            .map_err(|error| malformed(&format!("byte {} is not UTF-8", error.valid_up_to())))?;
        Ok(Parser { text, bytes, at: 0 })
    }

    /// That nothing follows.
    pub(super) fn finish(mut self) -> Result<()> {
        self.space();
        if self.at < self.bytes.len() { Err(self.error()) } else { Ok(()) }
    }

    /// How many bytes were read.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Whether the next value begins so.
    pub(super) fn next_is(&mut self, byte: u8) -> bool {
        self.space();
        self.bytes.get(self.at) == Some(&byte)
    }

    fn error(&self) -> ConnectorError {
        malformed(&match self.bytes.get(self.at) {
            Some(_) => format!("byte {} is not expected", self.at),
            None => "it ends too early".to_owned(),
        })
    }

    /// Passes over space.
    pub(super) fn space(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.bytes.get(self.at) == Some(&byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Result<()> {
        if self.take(byte) { Ok(()) } else { Err(self.error()) }
    }

    /// The next value, which has so many others around it.
    pub(super) fn value(&mut self, depth: usize) -> Result<Json<'a>> {
        if depth > DEPTH_MAX {
            return Err(malformed("it nests too deep"));
        }
        self.space();
        match self.bytes.get(self.at) {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => Ok(Json::String(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'n') => self.word("null", Json::Null),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            _ => Err(self.error()),
        }
    }

    fn word(&mut self, word: &str, value: Json<'a>) -> Result<Json<'a>> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return Err(self.error());
        }
        self.at += word.len();
        Ok(value)
    }

    /// Passes over the next value; gives its text.
    pub(super) fn pass(&mut self, depth: usize) -> Result<&'a str> {
        self.space();
        match self.bytes.get(self.at) {
            Some(b'{') => self.members(depth, |parser, _| parser.pass(depth + 1).map(drop)),
            Some(b'[') => self.elements(depth, |parser| parser.pass(depth + 1).map(drop)),
            _ => {
                let begin = self.at;
                self.value(depth)?;
                Ok(&self.text[begin..self.at])
            }
        }
    }

    /// The members of an object: whoever gets a name reads the value. Gives the text of all.
    pub(super) fn members(
        &mut self,
        depth: usize,
        mut member: impl FnMut(&mut Self, Cow<'a, str>) -> Result<()>,
    ) -> Result<&'a str> {
        let begin = self.enter(depth)?;
        if !self.take(b'}') {
            loop {
                self.space();
                let name = self.string()?;
                self.space();
                self.expect(b':')?;
                member(self, name)?;
                self.space();
                if !self.take(b',') {
                    break;
                }
            }
            self.expect(b'}')?;
        }
        Ok(&self.text[begin..self.at])
    }

    /// The elements of a list, each read by whoever is told. Gives the text of all.
    pub(super) fn elements(
        &mut self,
        depth: usize,
        mut element: impl FnMut(&mut Self) -> Result<()>,
    ) -> Result<&'a str> {
        let begin = self.enter(depth)?;
        if !self.take(b']') {
            loop {
                element(self)?;
                self.space();
                if !self.take(b',') {
                    break;
                }
            }
            self.expect(b']')?;
        }
        Ok(&self.text[begin..self.at])
    }

    /// Passes over the bracket that is next and the space after it; gives the bracket's place.
    fn enter(&mut self, depth: usize) -> Result<usize> {
        if depth > DEPTH_MAX {
            return Err(malformed("it nests too deep"));
        }
        let begin = self.at;
        self.at += 1;
        self.space();
        Ok(begin)
    }

    fn object(&mut self, depth: usize) -> Result<Json<'a>> {
        let mut members = vec![];
        let text = self.members(depth, |parser, name| {
            members.push((name, parser.value(depth + 1)?));
            Ok(())
        })?;
        Ok(Json::Object(members, text))
    }

    fn array(&mut self, depth: usize) -> Result<Json<'a>> {
        let mut elements = vec![];
        let text = self.elements(depth, |parser| {
            elements.push(parser.value(depth + 1)?);
            Ok(())
        })?;
        Ok(Json::Array(elements, text))
    }

    fn digits(&mut self) -> Result<()> {
        let begin = self.at;
        while matches!(self.bytes.get(self.at), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == begin { Err(self.error()) } else { Ok(()) }
    }

    fn number(&mut self) -> Result<Json<'a>> {
        let begin = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _ = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        Ok(Json::Number(&self.text[begin..self.at]))
    }

    fn string(&mut self) -> Result<Cow<'a, str>> {
        self.expect(b'"')?;
        let begin = self.at;
        self.plain();
        if self.take(b'"') {
            return Ok(Cow::Borrowed(&self.text[begin..self.at - 1]));
        }
        let mut out = self.text[begin..self.at].to_owned();
        while self.take(b'\\') {
            out.push(self.escape()?);
            let from = self.at;
            self.plain();
            out.push_str(&self.text[from..self.at]);
        }
        self.expect(b'"')?;
        Ok(Cow::Owned(out))
    }

    /// Passes over what stands for itself in a string; many bytes at once, which most texts have.
    fn plain(&mut self) {
        let ends = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
        let rest = &self.bytes[self.at..];
        let (blocks, _) = rest.as_chunks::<BLOCK>();
        // Without a branch for each byte.
        let is_plain = |block: &&[u8; BLOCK]| block.iter().fold(0, |found, byte| found | u8::from(ends(byte))) == 0;
        let whole = blocks.iter().take_while(is_plain).count() * BLOCK;
        let end = rest[whole..].iter().position(ends);
        self.at += end.map_or(rest.len(), |end| whole + end);
    }

    fn escape(&mut self) -> Result<char> {
        let Some(byte) = self.bytes.get(self.at) else { return Err(self.error()) };
        let plain = match byte {
            b'"' | b'\\' | b'/' => char::from(*byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.at += 1;
                return self.unicode();
            }
            _ => return Err(self.error()),
        };
        self.at += 1;
        Ok(plain)
    }

    /// After `\u`: one code unit, or two that make a character. Half a pair becomes the replacement character.
    fn unicode(&mut self) -> Result<char> {
        let first = self.unit()?;
        if (0xD800..0xDC00).contains(&first) && self.bytes[self.at..].starts_with(b"\\u") {
            let after = self.at;
            self.at += 2;
            let second = self.unit()?;
            if (0xDC00..0xE000).contains(&second) {
                let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = after;
        }
        Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn unit(&mut self) -> Result<u32> {
        let digits = self.bytes.get(self.at..self.at + 4).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let Some(unit) = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()) else {
            return Err(self.error());
        };
        self.at += 4;
        Ok(unit)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn numbers_keep_their_digits_and_values_their_text() {
        let text = br#" {"a" : [1.10, -0, 1e400, 12345678901234567890123456789012345678], "s": "x \"y\\\" \n"} "#;
        let value = Json::parse(text).unwrap();
        let elements = value.get("a").unwrap().elements();
        assert_eq!(elements[0], Json::Number("1.10"));
        assert_eq!(elements[3], Json::Number("12345678901234567890123456789012345678"));
        let mut out = String::new();
        value.write(&mut out);
        assert_eq!(out, r#"{"a":[1.10,-0,1e400,12345678901234567890123456789012345678],"s":"x \"y\\\" \n"}"#);
    }

    #[test]
    fn strings_are_read_as_serde_json_reads_them() {
        for text in [r#""""#, r#""a\u0062\/\b\f\t\r""#, r#""\ud83d\ude00 \u00e9 é""#, "\"\u{1f600}\""] {
            let expected: String = serde_json::from_str(text).unwrap();
            assert_eq!(Json::parse(text.as_bytes()).unwrap().as_str(), Some(expected.as_str()), "{text}");
        }
        assert_eq!(Json::parse(br#""\ud83d!""#).unwrap().as_str(), Some("\u{fffd}!"));
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in
            ["", "{", "[1,]", "{\"a\"}", "01", "1.", "\"\u{1}\"", "nul", "1 2", "\"\\x\"", "{\"a\":1,}", "\"\\u12\""]
        {
            assert!(serde_json::from_str::<serde_json::Value>(text).is_err());
            assert!(Json::parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(Json::parse(b"\"\xff\"").is_err());
        assert!(Json::parse("[".repeat(100_000).as_bytes()).is_err());
    }
}
