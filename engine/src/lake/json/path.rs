//! Where in a file's JSON the records are: the part of JSONPath that Glue's JSON classifiers document.
//!
//! `$` is each value of the file, `.name`, `."name"` and `['name']` a member, `.*` and `[*]` all members or items, `[2]` an
//! item by its index. Filters, slices, unions and `..` are refused.

use super::lexer::{MAX_DEPTH, unescape};
use crate::error::{Error, ErrorKind, Result};
use std::fmt;

/// One step down.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    /// A member of an object.
    Member(String),
    /// An item of an array, from 0.
    Item(usize),
    /// All items of an array, or all members of an object.
    All,
}

impl Step {
    /// Whether a member of this key (as written, between its quotes) is meant.
    pub(crate) fn takes_key(&self, key: &[u8]) -> bool {
        match self {
            Self::All => true,
            Self::Item(_) => false,
            // A key with an escape is longer than what it stands for.
            Self::Member(name) if key.len() <= name.len() => key == name.as_bytes() && !has_escape(key),
            Self::Member(name) => {
                has_escape(key) && std::str::from_utf8(key).is_ok_and(|key| unescape(key) == name.as_str())
            }
        }
    }

    /// Whether an array's item at this index is meant.
    pub(crate) fn takes_index(&self, index: usize) -> bool {
        match self {
            Self::All => true,
            Self::Item(wanted) => *wanted == index,
            Self::Member(_) => false,
        }
    }
}

fn has_escape(key: &[u8]) -> bool {
    memchr::memchr(b'\\', key).is_some()
}

/// The path of a file's records.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct JsonPath {
    pub(crate) steps: Vec<Step>,
}

impl JsonPath {
    /// `$`: the values that stand one after another.
    pub fn root() -> Self {
        Self::default()
    }

    /// `$[*]`: the items of the arrays that stand one after another.
    pub fn items() -> Self {
        Self { steps: vec![Step::All] }
    }

    /// Reads a path.
    ///
    /// # Errors
    /// `InvalidParameter` for text that is no path, `Unsupported` for steps that Glue does not have either.
    pub fn parse(text: &str) -> Result<Self> {
        let invalid = |why: &str| {
            Error::new(ErrorKind::InvalidParameter, format!("invalid JSON path \"{text}\": {why}"))
                .with_hint("a path is $ with steps such as .name, ['name'], [*] or [0]")
        };
        let mut rest = text.trim().strip_prefix('$').ok_or_else(|| invalid("it does not begin with $"))?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if rest.starts_with("..") || rest.starts_with("[?") || rest.starts_with("[(") {
                return Err(Error::unsupported(format_args!("the step \"{rest}\" of the JSON path \"{text}\"")));
            }
            let (step, after) = if let Some(name) = rest.strip_prefix('.') {
                let end = name.find(['.', '[']).unwrap_or(name.len());
                match name[..end].trim_matches('"') {
                    "" => return Err(invalid("a name is missing after a point")),
                    "*" => (Step::All, &name[end..]),
                    plain => (Step::Member(plain.to_owned()), &name[end..]),
                }
            } else if let Some(inside) = rest.strip_prefix('[') {
                bracket(inside).ok_or_else(|| invalid("brackets hold *, an index or a name in quotes"))?
            } else {
                return Err(invalid("a step begins with a point or a bracket"));
            };
            steps.push(step);
            rest = after;
            if steps.len() > MAX_DEPTH {
                return Err(invalid("it has too many steps"));
            }
        }
        Ok(Self { steps })
    }
}

/// The step behind an opening bracket, and what follows it.
fn bracket(inside: &str) -> Option<(Step, &str)> {
    let quote = inside.chars().next().filter(|first| matches!(first, '\'' | '"'));
    if let Some(quote) = quote {
        let (name, after) = inside[1..].split_once(quote)?;
        return Some((Step::Member(name.to_owned()), after.trim_start().strip_prefix(']')?));
    }
    let (step, after) = inside.split_once(']')?;
    match step.trim() {
        "*" => Some((Step::All, after)),
        index => Some((Step::Item(index.parse().ok()?), after)),
    }
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("$")?;
        self.steps.iter().try_for_each(|step| match step {
            Step::All => f.write_str("[*]"),
            Step::Item(index) => write!(f, "[{index}]"),
            Step::Member(name) if name.contains('\'') => write!(f, "[\"{name}\"]"),
            Step::Member(name) if name.contains(['.', '[', ']', '"']) => write!(f, "['{name}']"),
            Step::Member(name) => write!(f, ".{name}"),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn keys_are_meant_whatever_escapes_they_have() {
        let takes = |name: &str, key: &str| Step::Member(name.to_owned()).takes_key(key.as_bytes());
        for key in ["abc", "a\\u0062c", "\\u0061bc"] {
            assert!(takes("abc", key), "{key}");
        }
        for key in ["abd", "ab", "abcd", "", "a\\u0063c"] {
            assert!(!takes("abc", key), "{key}");
        }
        assert!(takes("a\"c", "a\\\"c"));
        assert!(takes("a\\n", "a\\\\n"));
        assert!(!takes("a\\n", "a\\n"), "what is escaped is a line end");
        assert!(takes("é", "\\u00e9"));
        assert!(takes("😀", "\\ud83d\\ude00"));
        assert!(takes("", ""));
    }

    /// The operators of Glue's documentation of JSON classifiers.
    #[test]
    fn steps() {
        let member = |name: &str| Step::Member(name.to_owned());
        for (text, steps) in [
            ("$", vec![]),
            ("$[*]", vec![Step::All]),
            ("$.*", vec![Step::All]),
            ("$.records[*]", vec![member("records"), Step::All]),
            ("$.\"a\"", vec![member("a")]),
            ("$['a.b'][\"c\"].d[2]", vec![member("a.b"), member("c"), member("d"), Step::Item(2)]),
        ] {
            let path = JsonPath::parse(text).unwrap();
            assert_eq!(path.steps, steps, "{text}");
            assert_eq!(JsonPath::parse(&path.to_string()).unwrap(), path, "{text}");
        }
        for (text, kind) in [
            ("", ErrorKind::InvalidParameter),
            ("a.b", ErrorKind::InvalidParameter),
            ("$.", ErrorKind::InvalidParameter),
            ("$a", ErrorKind::InvalidParameter),
            ("$[a]", ErrorKind::InvalidParameter),
            ("$['a]", ErrorKind::InvalidParameter),
            ("$..a", ErrorKind::Unsupported),
            ("$[?(@.a)]", ErrorKind::Unsupported),
        ] {
            assert_eq!(JsonPath::parse(text).unwrap_err().kind, kind, "{text}");
        }
    }
}
