//! Java's regular expressions as those of the regex crate.
//!
//! Both agree in most; `\d`, `\w`, `\s` and `\b` mean ASCII in Java. What the linear-time engine cannot do is refused by
//! name, possessive quantifiers too: read as they are written they would mean something else.

use crate::error::{Error, ErrorKind, Result};
use regex::{Regex, RegexBuilder};

/// The longest expression, in bytes, and the largest compiled one.
pub(super) const MAX_SIZE: usize = 256 * 1024;
const MAX_COMPILED_SIZE: usize = 32 * 1024 * 1024;

/// Compiles an expression that was translated; `written` is what errors call it.
pub(super) fn compile(regex: &str, case_insensitive: bool, written: &str) -> Result<Regex> {
    RegexBuilder::new(regex).case_insensitive(case_insensitive).size_limit(MAX_COMPILED_SIZE).build().map_err(|error| {
        // The message shows the expression over several lines; its last says what is wrong.
        let why = error.to_string();
        let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        Error::new(ErrorKind::InvalidParameter, format!("invalid pattern \"{written}\"")).with_detail(why)
    })
}

/// An expression of Java's in the syntax of the regex crate.
///
/// # Errors
/// `Unsupported` for what that has not.
pub(super) fn translate(java: &str) -> Result<String> {
    let unsupported = |what: &str| Error::unsupported(format_args!("{what} in the pattern \"{java}\""));
    if java.len() > MAX_SIZE {
        return Err(Error::new(ErrorKind::LimitExceeded, format!("a pattern is longer than {} KB", MAX_SIZE / 1024)));
    }
    let mut regex = String::with_capacity(java.len() + java.len() / 4);
    let (mut rest, mut classes, mut quantified) = (java, 0_usize, false);
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        let was_quantified = std::mem::replace(&mut quantified, false);
        match c {
            '\\' => {
                let Some(escaped) = rest.chars().next() else { return Err(unsupported("a backslash at the end")) };
                rest = &rest[escaped.len_utf8()..];
                let what = match escaped {
                    '1'..='9' | 'k' => "a back-reference",
                    'Q' | 'E' => "a quotation (\\Q)",
                    'G' | 'R' | 'X' => "a matcher that Java alone has",
                    _ => {
                        escape(escaped, classes > 0, &mut regex);
                        continue;
                    }
                };
                return Err(unsupported(what));
            }
            '[' => {
                classes += 1;
                regex.push('[');
                // A bracket that comes first is meant literally.
                for first in ['^', ']'] {
                    if let Some(after) = rest.strip_prefix(first) {
                        regex.push_str(if first == ']' { "\\]" } else { "^" });
                        rest = after;
                    }
                }
            }
            ']' if classes > 0 => {
                classes -= 1;
                regex.push(']');
            }
            _ if classes > 0 => regex.push(c),
            '(' => {
                let what = match rest.as_bytes() {
                    [b'?', b'>', ..] => "an atomic group (?>",
                    [b'?', b'=' | b'!', ..] => "looking ahead",
                    [b'?', b'<', b'=' | b'!', ..] => "looking behind",
                    _ => "",
                };
                if !what.is_empty() {
                    return Err(unsupported(what));
                }
                regex.push('(');
                if rest.starts_with('?') {
                    // Not the quantifier.
                    regex.push('?');
                    rest = &rest[1..];
                }
            }
            '+' if was_quantified => return Err(unsupported("a possessive quantifier")),
            '*' | '+' | '?' | '}' => {
                quantified = !was_quantified;
                regex.push(c);
            }
            _ => regex.push(c),
        }
    }
    Ok(regex)
}

fn escape(escaped: char, in_class: bool, regex: &mut String) {
    let plain = match (escaped, in_class) {
        ('d', false) => "[0-9]",
        ('d', true) => "0-9",
        ('D', false) => "[^0-9]",
        ('w', false) => "[0-9A-Za-z_]",
        ('w', true) => "0-9A-Za-z_",
        ('W', false) => "[^0-9A-Za-z_]",
        ('s', false) => r"[ \t\n\x0B\f\r]",
        ('s', true) => r" \t\n\x0B\f\r",
        ('S', false) => r"[^ \t\n\x0B\f\r]",
        ('h', false) => r"[ \t]",
        ('h', true) => r" \t",
        ('b', false) => r"(?-u:\b)",
        ('Z', false) => r"\z",
        ('e', _) => r"\x1B",
        ('<', _) => "<",
        ('>', _) => ">",
        _ => {
            if escaped.is_ascii() {
                regex.push('\\');
            }
            regex.push(escaped);
            return;
        }
    };
    regex.push_str(plain);
}

/// An expression that begins by looking ahead for what must not follow, as Athena's examples use it to pass over
/// comment lines: what must not follow, and the rest.
pub(super) fn split_negative_lookahead(java: &str) -> Option<(&str, &str)> {
    let inside = java.strip_prefix('^').unwrap_or(java).strip_prefix("(?!")?;
    let (mut depth, mut in_class, mut escaped) = (1_usize, false, false);
    for (at, c) in inside.char_indices() {
        match c {
            _ if std::mem::take(&mut escaped) => {}
            '\\' => escaped = true,
            '[' => in_class = true,
            ']' => in_class = false,
            '(' if !in_class => depth += 1,
            ')' if !in_class => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((&inside[..at], &inside[at + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// What `java.util.regex.Pattern` documents.
    #[test]
    fn means_the_same() {
        for (java, text, matched) in [
            (r"\d+", "٣12", Some("12")),
            (r"[\d.]+", "x1.5", Some("1.5")),
            (r"\w+", "éa_1", Some("a_1")),
            (r"\<\w+\>", "a<b>", Some("<b>")),
            (r"[^]a]+", "]ab", Some("b")),
            (r"[]a]+", "b]a", Some("]a")),
            (r"(?i)AB", "xab", Some("ab")),
            (r"a{2}?", "aaa", Some("aa")),
            (r"\ba\b", "ba a", Some("a")),
            (r"[^\s]+", " x ", Some("x")),
        ] {
            let regex = compile(&translate(java).unwrap(), false, java).unwrap();
            assert_eq!(regex.find(text).map(|found| found.as_str()), matched, "{java}");
        }
    }

    #[test]
    fn refused_by_name() {
        for (java, what) in [
            ("(?>a)", "an atomic group"),
            ("a(?=b)", "looking ahead"),
            ("(?<!b)a", "looking behind"),
            ("a*+", "a possessive quantifier"),
            ("a{1,2}+", "a possessive quantifier"),
            (r"(a)\1", "a back-reference"),
        ] {
            let error = translate(java).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Unsupported);
            assert!(error.message.contains(what), "{error}");
        }
        for fine in ["a+?", "(?:a)+", "[*+]+", r"a\++", "(?<name>a)+"] {
            assert!(translate(fine).is_ok(), "{fine}");
        }
        assert_eq!(compile("(", false, "(").unwrap_err().kind, ErrorKind::InvalidParameter);
    }

    #[test]
    fn leading_lookahead() {
        assert_eq!(split_negative_lookahead(r"^(?!#)([^ ]+)"), Some(("#", "([^ ]+)")));
        assert_eq!(split_negative_lookahead(r"(?!a(?:\)|[)]))b"), Some((r"a(?:\)|[)])", "b")));
        assert_eq!(split_negative_lookahead("a(?!b)"), None);
    }
}
