//! JSON values whose numbers stay as they are written, which the digits of decimals need: SUPER values, and what
//! functions find in texts.
//!
//! Exactly what RFC 8259 allows is read, and no number that is larger than a double can be. A value borrows from its text
//! what has no escapes.

use super::lexer::{Lexer, MAX_DEPTH, Malformed, Nested, unescape};
use super::path::Step;
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// A number of fewer characters without an exponent is one that a double can be near.
const FINITE_CHARS: usize = 300;

/// A value of JSON.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json<'t> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number as it is written.
    Number(&'t str),
    /// A text, its escapes resolved.
    Text(Cow<'t, str>),
    /// An array's elements.
    Array(Vec<Json<'t>>),
    /// An object's members.
    Object(Members<'t>),
}

/// An object's members, each name once.
pub(crate) type Members<'t> = Vec<(Cow<'t, str>, Json<'t>)>;

impl<'t> Json<'t> {
    /// Reads a text; `None` where it is no JSON. Of members of one name the last counts, in the place of the first.
    pub(crate) fn parse(text: &'t str) -> Option<Self> {
        let mut reader = Reader { text, lexer: Lexer::strict(text) };
        let value = reader.value(0).ok()?;
        reader.lexer.peek().is_none().then_some(value)
    }

    /// Whether it is null.
    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Writes it behind a text.
    fn append(&self, into: &mut String) {
        match self {
            Self::Null => into.push_str("null"),
            Self::Bool(flag) => into.push_str(if *flag { "true" } else { "false" }),
            Self::Number(number) => into.push_str(number),
            Self::Text(text) => append_quoted(text, into),
            Self::Array(values) => {
                into.push('[');
                for (at, value) in values.iter().enumerate() {
                    if at > 0 {
                        into.push(',');
                    }
                    value.append(into);
                }
                into.push(']');
            }
            Self::Object(members) => {
                into.push('{');
                for (at, (name, value)) in members.iter().enumerate() {
                    if at > 0 {
                        into.push(',');
                    }
                    append_quoted(name, into);
                    into.push(':');
                    value.append(into);
                }
                into.push('}');
            }
        }
    }
}

/// A text in the form that SUPER values are kept in: without blanks between values, characters escaped only where they
/// must be, each name of an object once. `None` where it is no JSON.
pub(crate) fn normal(text: &str) -> Option<Cow<'_, str>> {
    let mut written = String::with_capacity(text.len());
    Json::parse(text)?.append(&mut written);
    Some(if written == text { Cow::Borrowed(text) } else { Cow::Owned(written) })
}

/// The text of what a path leads to; what follows it is not looked at. `None` where it leads nowhere.
pub(crate) fn find<'t>(text: &'t str, path: &[Step]) -> Option<&'t str> {
    let place = lead(text, &mut Lexer::strict(text), path, 0, false).ok()??;
    text.get(place)
}

/// The same of a text that is JSON as a whole.
///
/// # Errors
/// Where it is none.
pub(crate) fn follow<'t>(text: &'t str, path: &[Step]) -> Result<Option<&'t str>, Malformed> {
    let mut lexer = Lexer::strict(text);
    let place = lead(text, &mut lexer, path, 0, true)?;
    if lexer.peek().is_some() {
        return lexer.malformed("the end");
    }
    Ok(place.and_then(|place| text.get(place)))
}

/// Takes a value; where a path leads from it. Unless `whole`, it stops behind what it finds.
fn lead(
    text: &str,
    lexer: &mut Lexer<'_>,
    path: &[Step],
    depth: usize,
    whole: bool,
) -> Result<Option<Range<usize>>, Malformed> {
    let Some((step, rest)) = path.split_first() else { return lexer.value(depth).map(Some) };
    let nested = match (step, lexer.peek()) {
        (Step::Member(_) | Step::All, Some(b'{')) => Nested::Object,
        (Step::Item(_) | Step::All, Some(b'[')) => Nested::Array,
        _ => return lexer.value(depth).map(|_| None),
    };
    let (mut found, mut at) = (None, 0);
    let mut more = lexer.begin(nested)?;
    while more {
        let is_it = match nested {
            Nested::Object => {
                let key = lexer.key()?;
                step.takes_key(&text.as_bytes()[key.start + 1..key.end - 1])
            }
            Nested::Array => step.takes_index(at),
        };
        if is_it && found.is_none() {
            found = lead(text, lexer, rest, depth + 1, whole)?;
            if !whole {
                return Ok(found);
            }
        } else {
            lexer.value(depth + 1)?;
        }
        at += 1;
        more = lexer.goes_on(nested)?;
    }
    Ok(found)
}

/// What a string in quotes says.
fn unquoted(quoted: &str) -> Cow<'_, str> {
    unescape(&quoted[1..quoted.len() - 1])
}

struct Reader<'t> {
    text: &'t str,
    lexer: Lexer<'t>,
}

impl<'t> Reader<'t> {
    fn value(&mut self, depth: usize) -> Result<Json<'t>, Malformed> {
        Ok(match self.lexer.peek() {
            Some(b'{' | b'[') if depth >= MAX_DEPTH => return self.lexer.malformed("fewer levels"),
            Some(b'{') => {
                let mut members = Members::new();
                let mut more = self.lexer.begin(Nested::Object)?;
                while more {
                    let key = self.lexer.key()?;
                    let value = self.value(depth + 1)?;
                    put(&mut members, unquoted(&self.text[key]), value);
                    more = self.lexer.goes_on(Nested::Object)?;
                }
                Json::Object(members)
            }
            Some(b'[') => {
                let mut values = Vec::new();
                let mut more = self.lexer.begin(Nested::Array)?;
                while more {
                    values.push(self.value(depth + 1)?);
                    more = self.lexer.goes_on(Nested::Array)?;
                }
                Json::Array(values)
            }
            first => {
                let place = self.lexer.value(depth)?;
                let raw = &self.text[place];
                match first {
                    Some(b'"') => Json::Text(unquoted(raw)),
                    Some(b'n') => Json::Null,
                    Some(b't') => Json::Bool(true),
                    Some(b'f') => Json::Bool(false),
                    _ if is_finite(raw) => Json::Number(raw),
                    _ => return self.lexer.malformed("a smaller number"),
                }
            }
        })
    }
}

/// Whether a number is one that a double can be near.
fn is_finite(number: &str) -> bool {
    (number.len() < FINITE_CHARS && !number.contains(['e', 'E'])) || number.parse().is_ok_and(f64::is_finite)
}

impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut written = String::new();
        self.append(&mut written);
        f.write_str(&written)
    }
}

/// A text as JSON.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    append_quoted(text, &mut quoted);
    quoted
}

fn append_quoted(text: &str, into: &mut String) {
    if text.bytes().any(|byte| byte < 0x20 || matches!(byte, b'"' | b'\\')) {
        into.push_str(&serde_json::Value::from(text).to_string());
    } else {
        into.push('"');
        into.push_str(text);
        into.push('"');
    }
}

/// An object's member.
pub(crate) fn member<'m, 't>(members: &'m [(Cow<'t, str>, Json<'t>)], name: &str) -> Option<&'m Json<'t>> {
    members.iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

/// Gives an object a member, in the place of the one of its name, which it returns.
pub(crate) fn put<'t>(members: &mut Members<'t>, name: Cow<'t, str>, value: Json<'t>) -> Option<Json<'t>> {
    match members.iter_mut().find(|(known, _)| *known == name) {
        Some((_, known)) => Some(std::mem::replace(known, value)),
        None => {
            members.push((name, value));
            None
        }
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
        assert_eq!(normal(text).unwrap(), written);
        assert!(matches!(normal(written), Some(Cow::Borrowed(same)) if same == written));
        // The last of equal names counts, in the place of the first.
        assert_eq!(normal(r#"{"a":1,"b":2,"\u0061":3}"#).unwrap(), r#"{"a":3,"b":2}"#);
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
            r#""\ud800""#,
            r#"{"\udc00": 1}"#,
        ];
        for text in broken {
            assert_eq!(Json::parse(text), None, "{text}");
            assert!(follow(text, &[]).is_err(), "{text}");
            // RFC 8259, by another reader.
            assert!(serde_json::from_str::<serde_json::Value>(text).is_err(), "{text}");
        }
        assert_eq!(Json::parse("[-1e400]"), None);
        assert_eq!(Json::parse(&"9".repeat(400)), None);
        assert!(Json::parse(&"9".repeat(305)).is_some());
        assert!(Json::parse(&"[".repeat(200)).is_none());
        assert!(Json::parse(&format!("{}{}", "[".repeat(200), "]".repeat(200))).is_none());
        assert!(Json::parse(&format!("{}{}", "[".repeat(128), "]".repeat(128))).is_some());
    }

    #[test]
    fn paths_lead_to_texts() {
        let text = r#"{"a": [10, {"b\"c": 2.50}, "x"], "d": {"e": {"f": []}}}"#;
        let name = |name: &str| Step::Member(name.to_owned());
        for (text, path, expected) in [
            (text, vec![name("a"), Step::Item(1), name("b\"c")], Some("2.50")),
            (text, vec![name("a"), Step::Item(2)], Some("\"x\"")),
            (text, vec![name("a"), Step::Item(3)], None),
            (text, vec![name("d"), name("e")], Some(r#"{"f": []}"#)),
            (text, vec![name("d"), name("e"), name("f"), Step::Item(0)], None),
            (text, vec![name("d"), Step::Item(0)], None),
            ("{}", vec![name("a")], None),
            ("[]", vec![Step::Item(0)], None),
            ("7", vec![name("a")], None),
        ] {
            assert_eq!(find(text, &path), expected, "{text} {path:?}");
            assert_eq!(follow(text, &path), Ok(expected), "{text} {path:?}");
        }
        // What follows must be JSON too, or not be looked at.
        let broken = r#"{"a": 1, "#;
        assert_eq!(find(broken, &[name("a")]), Some("1"));
        assert!(follow(broken, &[name("a")]).is_err());
        assert!(follow("1 2", &[]).is_err());
    }
}
