//! JSON values whose numbers stay as they are written, which the digits of decimals need: SUPER values, and what
//! functions find in texts.
//!
//! Exactly what RFC 8259 allows is read, to a depth that no stack minds; SUPER values have no number that is larger than a
//! double can be. A value borrows from its text what has no escapes.

use super::lexer::{Lexer, MAX_DEPTH, Malformed, Nested, unescape};
use super::path::Step;
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

/// A number of fewer characters without an exponent is one that a double can be near.
const FINITE_CHARS: usize = 300;

/// Of so many members each is looked for among all.
const FEW_MEMBERS: usize = 16;

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
    /// Reads a SUPER value; `None` where a text is none. Of members of one name the last counts, in the place of the
    /// first.
    pub(crate) fn parse(text: &'t str) -> Option<Self> {
        Self::parse_repeated(text).map(|(value, _)| value)
    }

    /// The same, and whether an object in it repeats a name.
    pub(crate) fn parse_repeated(text: &'t str) -> Option<(Self, bool)> {
        Reader { text, lexer: Lexer::strict(text), is_finite: true, repeats: false }.whole()
    }

    /// Reads a text whose numbers may be of any size.
    pub(crate) fn read(text: &'t str) -> Option<Self> {
        Reader { text, lexer: Lexer::strict(text), is_finite: false, repeats: false }.whole().map(|(value, _)| value)
    }

    /// The value as it is kept; borrowed where it was read from a text in that form.
    pub(crate) fn normal(&self, text: &'t str) -> Cow<'t, str> {
        let mut written = String::with_capacity(text.len());
        self.append(&mut written);
        if written == text { Cow::Borrowed(text) } else { Cow::Owned(written) }
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
    Json::parse(text).map(|value| value.normal(text))
}

/// Whether JSON that was put together nests no deeper than what is read.
pub(crate) fn is_shallow(text: &str) -> bool {
    let (mut depth, mut rest) = (0_usize, text.as_bytes());
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'{' | b'[' if depth == MAX_DEPTH => return false,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                while let Some(at) = memchr::memchr2(b'"', b'\\', rest) {
                    let closes = rest[at] == b'"';
                    rest = rest.get(at + if closes { 1 } else { 2 }..).unwrap_or_default();
                    if closes {
                        break;
                    }
                }
            }
            _ => {}
        }
    }
    true
}

/// Which of an object's members of one name a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeated {
    /// Trino, which stops there.
    First,
    /// PostgreSQL: "the processing functions consider the last value as the operative one".
    Last,
}

/// How much of a text is read on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// To the end of what is found.
    Found,
    Whole(Repeated),
}

/// The text of what a path leads to in a document in its normal form; what follows it is not looked at. `None` where it
/// leads nowhere.
pub(crate) fn find<'t>(text: &'t str, path: &[Step]) -> Option<&'t str> {
    let place = lead(text, &mut Lexer::strict(text), path, 0, Extent::Found).ok()??;
    text.get(place)
}

/// The same of a text that is JSON as a whole.
///
/// # Errors
/// Where it is none.
pub(crate) fn follow<'t>(text: &'t str, path: &[Step], repeated: Repeated) -> Result<Option<&'t str>, Malformed> {
    let mut lexer = Lexer::strict(text);
    let place = lead(text, &mut lexer, path, 0, Extent::Whole(repeated))?;
    if lexer.peek().is_some() {
        return lexer.malformed("the end");
    }
    Ok(place.and_then(|place| text.get(place)))
}

/// How many elements the array has that a text is; `None` where it is JSON of another kind.
///
/// # Errors
/// Where it is no JSON.
pub(crate) fn array_length(text: &str) -> Result<Option<usize>, Malformed> {
    let mut lexer = Lexer::strict(text);
    let mut count = None;
    if lexer.peek() == Some(b'[') {
        let mut found = 0;
        lexer.array(1, |_| found += 1)?;
        count = Some(found);
    } else {
        lexer.value(0)?;
    }
    if lexer.peek().is_some() {
        return lexer.malformed("the end");
    }
    Ok(count)
}

/// Takes a value, or a part of it; where a path leads from it.
fn lead(
    text: &str,
    lexer: &mut Lexer<'_>,
    path: &[Step],
    depth: usize,
    extent: Extent,
) -> Result<Option<Range<usize>>, Malformed> {
    let Some((step, rest)) = path.split_first() else { return lexer.value(depth).map(Some) };
    let nested = match (step, lexer.peek()) {
        (_, Some(b'{' | b'[')) if depth >= MAX_DEPTH => return lexer.malformed("fewer levels"),
        (Step::Member(_), Some(b'{')) => Nested::Object,
        (Step::Item(_), Some(b'[')) => Nested::Array,
        _ => return lexer.value(depth).map(|_| None),
    };
    let (mut found, mut is_met, mut at) = (None, false, 0);
    let mut more = lexer.begin(nested)?;
    while more {
        let is_it = match nested {
            Nested::Object => {
                let key = lexer.key()?;
                step.takes_key(&text.as_bytes()[key.start + 1..key.end - 1])
            }
            Nested::Array => step.takes_index(at),
        };
        if is_it && (!is_met || extent == Extent::Whole(Repeated::Last)) {
            is_met = true;
            found = lead(text, lexer, rest, depth + 1, extent)?;
            if extent == Extent::Found {
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
    /// Whether numbers must be such that a double can be near them.
    is_finite: bool,
    /// Whether a name was repeated in an object.
    repeats: bool,
}

impl<'t> Reader<'t> {
    /// The value that the text is, and whether an object in it repeats a name.
    fn whole(mut self) -> Option<(Json<'t>, bool)> {
        let value = self.value(0).ok()?;
        self.lexer.peek().is_none().then_some((value, self.repeats))
    }

    fn value(&mut self, depth: usize) -> Result<Json<'t>, Malformed> {
        Ok(match self.lexer.peek() {
            Some(b'{' | b'[') if depth >= MAX_DEPTH => return self.lexer.malformed("fewer levels"),
            Some(b'{') => {
                let mut members = MembersBuilder::default();
                let mut more = self.lexer.begin(Nested::Object)?;
                while more {
                    let key = self.lexer.key()?;
                    let value = self.value(depth + 1)?;
                    self.repeats |= members.put(unquoted(&self.text[key]), value).is_some();
                    more = self.lexer.goes_on(Nested::Object)?;
                }
                Json::Object(members.finish())
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
                    _ if !self.is_finite || is_finite(raw) => Json::Number(raw),
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

/// Puts an object together, in a time that grows with its members and not with their square.
#[derive(Debug, Default)]
pub(crate) struct MembersBuilder<'t> {
    members: Members<'t>,
    /// Where each name is, once there are many.
    places: HashMap<Cow<'t, str>, usize>,
}

impl<'t> MembersBuilder<'t> {
    /// Adds a member, in the place of the one of its name, which it returns.
    pub(crate) fn put(&mut self, name: Cow<'t, str>, value: Json<'t>) -> Option<Json<'t>> {
        if self.members.len() < FEW_MEMBERS {
            return put(&mut self.members, name, value);
        }
        if self.places.is_empty() {
            self.places = self.members.iter().enumerate().map(|(at, (name, _))| (name.clone(), at)).collect();
        }
        match self.places.get(&name) {
            Some(at) => Some(std::mem::replace(&mut self.members[*at].1, value)),
            None => {
                self.places.insert(name.clone(), self.members.len());
                self.members.push((name, value));
                None
            }
        }
    }

    /// The object's members.
    pub(crate) fn finish(self) -> Members<'t> {
        self.members
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
            assert!(follow(text, &[], Repeated::Last).is_err(), "{text}");
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
            for repeated in [Repeated::First, Repeated::Last] {
                assert_eq!(follow(text, &path, repeated), Ok(expected), "{text} {path:?}");
            }
        }
        // What follows must be JSON too, or not be looked at.
        let broken = r#"{"a": 1, "#;
        assert_eq!(find(broken, &[name("a")]), Some("1"));
        for repeated in [Repeated::First, Repeated::Last] {
            assert!(follow(broken, &[name("a")], repeated).is_err());
            assert!(follow("1 2", &[], repeated).is_err());
        }
    }

    #[test]
    fn elements_are_counted() {
        for (text, expected) in [
            ("[]", Some(0)),
            (" [ 1 , [2, 3], \"]\" ] ", Some(3)),
            ("{\"a\": [1, 2]}", None),
            ("7", None),
            (format!("{}{}", "[".repeat(128), "]".repeat(128)).as_str(), Some(1)),
        ] {
            assert_eq!(array_length(text), Ok(expected), "{text}");
        }
        for broken in
            ["", "[1,]", "[1] 2", "[1", "{\"a\"}", "[1}", format!("{}{}", "[".repeat(129), "]".repeat(129)).as_str()]
        {
            assert!(array_length(broken).is_err(), "{broken}");
            assert_eq!(Json::read(broken), None, "{broken}");
        }
    }

    #[test]
    fn one_member_of_a_name_counts() {
        let (name, first, last) = (|name: &str| Step::Member(name.to_owned()), Repeated::First, Repeated::Last);
        let text = r#"{"a": {"b": 1, "b": 2}, "c": 3, "\u0061": {"b": 4}, "c": {"d": 5}}"#;
        for (path, repeated, expected) in [
            (vec![name("a"), name("b")], last, Some("4")),
            (vec![name("a"), name("b")], first, Some("1")),
            (vec![name("c"), name("d")], last, Some("5")),
            (vec![name("c"), name("d")], first, None),
        ] {
            assert_eq!(follow(text, &path, repeated), Ok(expected), "{path:?} {repeated:?}");
        }
        assert_eq!(normal(text).unwrap(), r#"{"a":{"b":4},"c":{"d":5}}"#);
        assert!(Json::parse_repeated(text).unwrap().1);
        assert!(!Json::parse_repeated(r#"{"a": {"a": 1}, "b": [{"a": 1}, {"a": 2}]}"#).unwrap().1);
    }

    #[test]
    fn an_object_of_many_members_is_read_as_one_of_few() {
        for many in [2, 2 * FEW_MEMBERS, 100_000] {
            let members: Vec<String> = (0..many).map(|at| format!("\"k{}\":{at}", at % (many / 2))).collect();
            let text = format!("{{{}}}", members.join(","));
            let Some(Json::Object(members)) = Json::parse(&text) else { panic!("{many}") };
            assert_eq!(members.len(), many / 2);
            for (at, (name, value)) in members.iter().enumerate() {
                let last = (many / 2 + at).to_string();
                assert_eq!((name.as_ref(), value), (&*format!("k{at}"), &Json::Number(&last)));
            }
        }
    }

    // What overflowed the stack: a path and a text of any length.
    #[test]
    fn depth_is_limited() {
        let deep = |many: usize| format!("{}1{}", r#"{"a":"#.repeat(many), "}".repeat(many));
        let path = |many: usize| vec![Step::Member("a".to_owned()); many];
        assert_eq!(find(&deep(MAX_DEPTH), &path(MAX_DEPTH)), Some("1"));
        assert_eq!(follow(&deep(MAX_DEPTH), &path(MAX_DEPTH), Repeated::Last), Ok(Some("1")));
        for many in [MAX_DEPTH + 1, 1_000_000] {
            assert_eq!(find(&deep(many), &path(many)), None, "{many}");
            assert!(follow(&deep(many), &path(many), Repeated::Last).is_err(), "{many}");
            assert!(follow(&deep(many), &path(1), Repeated::Last).is_err(), "{many}");
            assert!(!is_shallow(&deep(many)), "{many}");
        }
        assert!(is_shallow(&deep(MAX_DEPTH)));
        assert!(is_shallow(&format!("[\"{}\\\"{}\"]", "[".repeat(500), "{".repeat(500))));
        assert_eq!(Json::read("[1e400]"), Some(Json::Array(vec![Json::Number("1e400")])));
    }
}
