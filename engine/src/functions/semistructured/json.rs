//! JSON whose numbers stay as they are written, which the digits of decimals need, and steps into it without a copy.

use std::borrow::Cow;
use std::fmt;

/// How deep values may stand in each other.
const MAX_DEPTH: usize = 128;

/// A value of JSON.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::functions) enum Json {
    Null,
    Bool(bool),
    /// A number as it is written.
    Number(String),
    Text(String),
    Array(Vec<Json>),
    Object(Members),
}

/// An object's members, each name once.
pub(in crate::functions) type Members = Vec<(String, Json)>;

/// A step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Name(String),
    Place(usize),
}

impl Json {
    /// Reads a text; `None` where it is no JSON.
    pub(in crate::functions) fn parse(text: &str) -> Option<Self> {
        let mut reader = Reader { text, at: 0, depth: 0 };
        let value = reader.value()?;
        reader.blanks();
        (reader.at == text.len()).then_some(value)
    }

    /// Whether it is null.
    pub(super) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(flag) => write!(f, "{flag}"),
            Self::Number(number) => f.write_str(number),
            Self::Text(text) => f.write_str(&quoted(text)),
            Self::Array(values) => {
                f.write_str("[")?;
                for (at, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if at > 0 { "," } else { "" })?;
                }
                f.write_str("]")
            }
            Self::Object(members) => {
                f.write_str("{")?;
                for (at, (name, value)) in members.iter().enumerate() {
                    write!(f, "{}{}:{value}", if at > 0 { "," } else { "" }, quoted(name))?;
                }
                f.write_str("}")
            }
        }
    }
}

/// A text as JSON.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}

/// An object's member.
pub(super) fn member<'m>(members: &'m [(String, Json)], name: &str) -> Option<&'m Json> {
    members.iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

/// Gives an object a member, in the place of the one of its name.
pub(super) fn put(members: &mut Members, name: String, value: Json) -> Option<Json> {
    match members.iter_mut().find(|(known, _)| *known == name) {
        Some((_, known)) => Some(std::mem::replace(known, value)),
        None => {
            members.push((name, value));
            None
        }
    }
}

/// The text of what a path leads to; what follows it is not looked at.
pub(super) fn find<'t>(text: &'t str, path: &[Step]) -> Option<&'t str> {
    let mut reader = Reader { text, at: 0, depth: 0 };
    for step in path {
        match step {
            Step::Name(name) => reader.enter_member(name)?,
            Step::Place(place) => reader.enter_element(*place)?,
        }
    }
    reader.blanks();
    let start = reader.at;
    reader.skip()?;
    Some(&text[start..reader.at])
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl<'t> Reader<'t> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Goes over a sign, and the blanks before it.
    fn eat(&mut self, sign: u8) -> bool {
        self.blanks();
        let found = self.peek() == Some(sign);
        self.at += usize::from(found);
        found
    }

    fn word(&mut self, word: &str) -> Option<()> {
        let found = self.text.as_bytes()[self.at..].starts_with(word.as_bytes());
        self.at += word.len();
        found.then_some(())
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        self.depth += 1;
        let made = if self.depth > MAX_DEPTH { None } else { read(self) };
        self.depth -= 1;
        made
    }

    fn value(&mut self) -> Option<Json> {
        self.blanks();
        Some(match self.peek()? {
            b'n' => self.word("null").map(|()| Json::Null)?,
            b't' => self.word("true").map(|()| Json::Bool(true))?,
            b'f' => self.word("false").map(|()| Json::Bool(false))?,
            b'"' => Json::Text(self.string()?.into_owned()),
            b'[' => self.deeper(Self::array)?,
            b'{' => self.deeper(Self::object)?,
            _ => Json::Number(self.number()?.to_owned()),
        })
    }

    fn array(&mut self) -> Option<Json> {
        self.at += 1;
        let mut values = Vec::new();
        if self.eat(b']') {
            return Some(Json::Array(values));
        }
        loop {
            values.push(self.value()?);
            if self.eat(b']') {
                return Some(Json::Array(values));
            }
            if !self.eat(b',') {
                return None;
            }
        }
    }

    fn object(&mut self) -> Option<Json> {
        self.at += 1;
        let mut members = Members::new();
        if self.eat(b'}') {
            return Some(Json::Object(members));
        }
        loop {
            let name = self.name()?.into_owned();
            let value = self.value()?;
            put(&mut members, name, value);
            if self.eat(b'}') {
                return Some(Json::Object(members));
            }
            if !self.eat(b',') {
                return None;
            }
        }
    }

    /// A member's name and the colon after it.
    fn name(&mut self) -> Option<Cow<'t, str>> {
        self.blanks();
        let name = if self.peek() == Some(b'"') { self.string()? } else { return None };
        self.eat(b':').then_some(name)
    }

    fn string(&mut self) -> Option<Cow<'t, str>> {
        let start = self.at;
        let mut escaped = false;
        self.at += 1;
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    self.at += 2;
                }
                0..0x20 => return None,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        let raw = &self.text[start..self.at];
        Some(if escaped { Cow::Owned(serde_json::from_str(raw).ok()?) } else { Cow::Borrowed(&raw[1..raw.len() - 1]) })
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn number(&mut self) -> Option<&'t str> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        // No digit follows a zero at the beginning.
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        Some(&self.text[start..self.at])
    }

    /// Goes over a value.
    fn skip(&mut self) -> Option<()> {
        self.blanks();
        match self.peek()? {
            b'n' => self.word("null"),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'"' => self.string().map(drop),
            b'[' => self.deeper(|reader| {
                reader.at += 1;
                if reader.eat(b']') {
                    return Some(());
                }
                loop {
                    reader.skip()?;
                    if reader.eat(b']') {
                        return Some(());
                    }
                    if !reader.eat(b',') {
                        return None;
                    }
                }
            }),
            b'{' => self.deeper(|reader| {
                reader.at += 1;
                if reader.eat(b'}') {
                    return Some(());
                }
                loop {
                    reader.name()?;
                    reader.skip()?;
                    if reader.eat(b'}') {
                        return Some(());
                    }
                    if !reader.eat(b',') {
                        return None;
                    }
                }
            }),
            _ => self.number().map(drop),
        }
    }

    /// Goes to the value of an object's member.
    fn enter_member(&mut self, wanted: &str) -> Option<()> {
        if !self.eat(b'{') {
            return None;
        }
        loop {
            // An empty object has no name.
            if self.name()? == wanted {
                return Some(());
            }
            self.skip()?;
            if !self.eat(b',') {
                return None;
            }
        }
    }

    /// Goes to an element of an array.
    fn enter_element(&mut self, place: usize) -> Option<()> {
        if !self.eat(b'[') {
            return None;
        }
        for _ in 0..place {
            self.skip()?;
            if !self.eat(b',') {
                return None;
            }
        }
        self.blanks();
        (self.peek() != Some(b']')).then_some(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn values_are_read_and_written() {
        let text = r#" { "a" : [1, -2.50, 1e5, 12345678901234567890.12345678901234567890], "b\n": {"c": null, "d": [], "e": {}},
            "f": "\u0041é\"", "g": true, "h": false } "#;
        let written = r#"{"a":[1,-2.50,1e5,12345678901234567890.12345678901234567890],"b\n":{"c":null,"d":[],"e":{}},"f":"Aé\"","g":true,"h":false}"#;
        assert_eq!(Json::parse(text).unwrap().to_string(), written);
        // The last of equal names counts, in the place of the first.
        assert_eq!(Json::parse(r#"{"a":1,"b":2,"a":3}"#).unwrap().to_string(), r#"{"a":3,"b":2}"#);
    }

    #[test]
    fn what_is_no_json_is_none() {
        let broken = [
            "",
            " ",
            "nul",
            "[1,]",
            "[1 2]",
            "{\"a\"}",
            "{a:1}",
            "{\"a\":1,}",
            "01",
            "1.",
            ".5",
            "-",
            "1e",
            "\"a",
            "\"\t\"",
            "'a'",
            "[1] 2",
            "\"\\x\"",
            "{\"a\":}",
            "+1",
            "\"\\",
        ];
        for text in broken {
            assert_eq!(Json::parse(text), None, "{text}");
            // RFC 8259, by another reader.
            assert!(serde_json::from_str::<serde_json::Value>(text).is_err(), "{text}");
        }
        assert!(Json::parse(&"[".repeat(200)).is_none());
        assert!(Json::parse(&format!("{}{}", "[".repeat(200), "]".repeat(200))).is_none());
    }

    #[test]
    fn paths_lead_to_texts() {
        let text = r#"{"a": [10, {"b\"c": 2.50}, "x"], "d": {"e": {"f": []}}}"#;
        let name = |name: &str| Step::Name(name.to_owned());
        assert_eq!(find(text, &[name("a"), Step::Place(1), name("b\"c")]), Some("2.50"));
        assert_eq!(find(text, &[name("a"), Step::Place(2)]), Some("\"x\""));
        assert_eq!(find(text, &[name("a"), Step::Place(3)]), None);
        assert_eq!(find(text, &[name("d"), name("e")]), Some(r#"{"f": []}"#));
        assert_eq!(find(text, &[name("d"), name("e"), name("f"), Step::Place(0)]), None);
        assert_eq!(find(text, &[name("d"), Step::Place(0)]), None);
        assert_eq!(find("{}", &[name("a")]), None);
        assert_eq!(find("[]", &[Step::Place(0)]), None);
        assert_eq!(find("7", &[name("a")]), None);
    }
}
