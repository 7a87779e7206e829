//! Patterns of regular expressions, and how texts are searched for them.
//!
//! The engine is Rust's `regex`, linear in time. What it refuses (look-around, back references, atomic groups) is searched for
//! with `fancy-regex`, which goes back and tries again, where the caller's dialect has such patterns; how often it may do so is
//! bounded, and more is an error. So is the size of such patterns, with their repetitions counted out. A pattern that the first
//! takes never comes to the second.

use crate::error::{Error, ErrorKind, Result};
use fancy_regex::Expr;
use regex::{Regex, RegexBuilder};
use std::borrow::Cow;
use std::ops::Range;

/// How often one search may go back, which takes some hundredths of a second.
const MOST_STEPS_BACK: usize = 1_000_000;

/// The most parts that a pattern may have which is searched for so, each counted as often as it may be repeated, or has to be
/// where that has no end, and a group as often as it is referred to: what it takes to compile it, and to try it at one place.
const MOST_PARTS: usize = 100_000;

/// The parts that a class of characters counts, which may be hundreds of ranges of bytes.
const PARTS_OF_CLASS: usize = 50;

/// Where something stands in a text, in bytes.
pub(super) type Span = Range<usize>;

/// Where the groups of a match stand, the whole of it first; `None` for those that are no part of it.
pub(super) type Groups = Vec<Option<Span>>;

/// A pattern that was read.
#[derive(Debug)]
pub(super) enum Pattern {
    /// Searched for in time that is linear in the text.
    Linear(Regex),
    /// Searched for by going back.
    Backtracking(Box<fancy_regex::Regex>),
}

/// A pattern that is searched for in linear time.
///
/// # Errors
/// `InvalidParameter` for what is none.
pub(super) fn linear(pattern: &str, insensitive: bool) -> Result<Regex> {
    build(pattern, insensitive).map_err(|error| {
        let reason = error.to_string();
        invalid(pattern, reason.lines().last().unwrap_or_default().trim_start_matches("error: "))
    })
}

fn build(pattern: &str, insensitive: bool) -> std::result::Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).case_insensitive(insensitive).build()
}

fn invalid(pattern: &str, reason: &str) -> Error {
    let message = format!("invalid regular expression: \"{pattern}\"");
    Error::new(ErrorKind::InvalidParameter, message).with_detail(reason)
}

fn failed(pattern: &fancy_regex::Regex, error: &fancy_regex::Error) -> Error {
    let message = format!("the search for the regular expression \"{}\" goes back too often", pattern.as_str());
    Error::new(ErrorKind::LimitExceeded, message)
        .with_detail(error.to_string())
        .with_hint("without look-around and back references texts are searched without going back")
}

/// Refuses a pattern that takes too long to compile or to try at one place, or whose matches may end before they begin.
fn check(pattern: &str) -> Result<()> {
    let tree = Expr::parse_tree(pattern).map_err(|error| invalid(pattern, &error.to_string()))?;
    match Parts::default().of(&tree.expr, false) {
        Ok(parts) if parts <= MOST_PARTS => Ok(()),
        Ok(_) => {
            let message = format!("the regular expression \"{pattern}\" repeats too much");
            let detail = format!("with its repetitions it has more than {MOST_PARTS} parts");
            Err(Error::new(ErrorKind::LimitExceeded, message).with_detail(detail))
        }
        Err(reason) => Err(invalid(pattern, reason)),
    }
}

/// Whether a pattern has classes that Trino's know ASCII in only.
pub(super) fn has_classes(pattern: &str) -> bool {
    matches!(ascii(pattern), Cow::Owned(_))
}

/// A pattern whose `\w`, `\d` and `\s` are those of ASCII, as Trino has them; its `\b` knows the words of all languages.
pub(super) fn ascii(pattern: &str) -> Cow<'_, str> {
    let mut made = String::with_capacity(pattern.len());
    let (mut depth, mut is_first, mut changed) = (0_usize, false, false);
    let mut rest = pattern.chars();
    while let Some(one) = rest.next() {
        let was_first = std::mem::take(&mut is_first);
        match one {
            '\\' => {
                let escaped = rest.next();
                let (members, is_inverted) = match escaped {
                    Some('w') => ("0-9A-Za-z_", false),
                    Some('W') => ("0-9A-Za-z_", true),
                    Some('d') => ("0-9", false),
                    Some('D') => ("0-9", true),
                    Some('s') => (r"\x20\t-\r", false),
                    Some('S') => (r"\x20\t-\r", true),
                    _ => {
                        made.push(one);
                        made.extend(escaped);
                        continue;
                    }
                };
                changed = true;
                match (is_inverted, depth) {
                    (true, _) => made.extend(["[^", members, "]"]),
                    (false, 0) => made.extend(["[", members, "]"]),
                    (false, _) => made.push_str(members),
                }
                continue;
            }
            '[' => (depth, is_first) = (depth + 1, true),
            '^' if was_first => is_first = true,
            // The first in a class is a character of it.
            ']' if !was_first => depth = depth.saturating_sub(1),
            _ => {}
        }
        made.push(one);
    }
    if changed { Cow::Owned(made) } else { Cow::Borrowed(pattern) }
}

/// Counts the parts of a pattern.
#[derive(Default)]
struct Parts {
    /// Those of the groups so far; `None` for groups that have not ended.
    of_groups: Vec<Option<usize>>,
}

impl Parts {
    /// The parts of an expression, within look-around or not; or why it is refused.
    fn of(&mut self, expr: &Expr, in_look_around: bool) -> std::result::Result<usize, &'static str> {
        match expr {
            // Each call is compiled in its place, and so are those in what it calls.
            Expr::SubroutineCall(_) => Err("calls of groups are not supported"),
            Expr::KeepOut if in_look_around => Err("\\K is not allowed in look-around"),
            Expr::Backref { group, .. } | Expr::BackrefWithRelativeRecursionLevel { group, .. } => {
                let known = group.checked_sub(1).and_then(|at| self.of_groups.get(at).copied().flatten());
                known
                    .map(|parts| parts.saturating_add(1))
                    .ok_or("a back reference must stand behind the end of its group")
            }
            Expr::Repeat { child, lo, hi, .. } => {
                let times = if *hi == usize::MAX { *lo } else { (*hi).max(*lo) };
                Ok(self.of(child, in_look_around)?.saturating_mul(times.max(1)))
            }
            Expr::Delegate { .. } | Expr::GeneralNewline { .. } => Ok(PARTS_OF_CLASS),
            Expr::Group(child) => {
                let at = self.of_groups.len();
                self.of_groups.push(None);
                let parts = self.of(child, in_look_around)?.saturating_add(1);
                self.of_groups[at] = Some(parts);
                Ok(parts)
            }
            other => {
                let in_look_around = in_look_around || matches!(other, Expr::LookAround(..));
                other
                    .children_iter()
                    .try_fold(1_usize, |sum, child| Ok(sum.saturating_add(self.of(child, in_look_around)?)))
            }
        }
    }
}

impl Pattern {
    /// A pattern, which may have look-around and back references.
    ///
    /// # Errors
    /// `InvalidParameter` for what is none; `LimitExceeded` for one that repeats too much.
    pub(super) fn new(pattern: &str, insensitive: bool) -> Result<Self> {
        match build(pattern, insensitive) {
            Ok(regex) => Ok(Self::Linear(regex)),
            Err(regex::Error::Syntax(_)) => {
                check(pattern)?;
                let mut builder = fancy_regex::RegexBuilder::new(pattern);
                builder.case_insensitive(insensitive).backtrack_limit(MOST_STEPS_BACK);
                let regex = builder.build().map_err(|error| invalid(pattern, &error.to_string()))?;
                Ok(Self::Backtracking(Box::new(regex)))
            }
            Err(error) => Err(invalid(pattern, &error.to_string())),
        }
    }

    /// How many groups a match has, the whole of it being the first.
    pub(super) fn groups(&self) -> usize {
        match self {
            Self::Linear(regex) => regex.captures_len(),
            Self::Backtracking(regex) => regex.captures_len(),
        }
    }

    /// Whether a text has a match.
    ///
    /// # Errors
    /// `LimitExceeded` when the search goes back too often, as of all searches.
    pub(super) fn is_in(&self, text: &str) -> Result<bool> {
        match self {
            Self::Linear(regex) => Ok(regex.is_match(text)),
            Self::Backtracking(regex) => regex.is_match(text).map_err(|error| failed(regex, &error)),
        }
    }

    /// The first match that begins at a place or behind it; what stands before is seen by the pattern.
    pub(super) fn find_at(&self, text: &str, at: usize) -> Result<Option<Span>> {
        match self {
            Self::Linear(regex) => Ok(regex.find_at(text, at).map(|found| found.range())),
            Self::Backtracking(regex) => {
                let found = regex.find_from_pos(text, at).map_err(|error| failed(regex, &error));
                found.map(|found| found.map(|found| found.range()))
            }
        }
    }

    /// The matches in their order. None begins before another's end, and an empty one not at it.
    pub(super) fn matches<'a>(&'a self, text: &'a str) -> Matches<'a> {
        match self {
            Self::Linear(regex) => Matches::Linear(regex.find_iter(text)),
            Self::Backtracking(regex) => Matches::Backtracking(Box::new(
                regex
                    .find_iter(text)
                    .map(move |found| found.map(|found| found.range()).map_err(|error| failed(regex, &error))),
            )),
        }
    }

    /// The groups of each match.
    pub(super) fn captures<'a>(&'a self, text: &'a str) -> Box<dyn Iterator<Item = Result<Groups>> + 'a> {
        match self {
            Self::Linear(regex) => Box::new(regex.captures_iter(text).map(|found| {
                let groups: Groups = found.iter().map(|group| group.map(|group| group.range())).collect();
                Ok(groups)
            })),
            Self::Backtracking(regex) => Box::new(regex.captures_iter(text).map(move |found| {
                let found = found.map_err(|error| failed(regex, &error));
                found.map(|found| found.iter().map(|group| group.map(|group| group.range())).collect::<Groups>())
            })),
        }
    }

    /// One group of each match.
    pub(super) fn group_of_matches<'a>(
        &'a self,
        text: &'a str,
        group: usize,
    ) -> Box<dyn Iterator<Item = Result<Option<Span>>> + 'a> {
        match self {
            _ if group == 0 => Box::new(self.matches(text).map(|found| found.map(Some))),
            Self::Linear(regex) => {
                Box::new(regex.captures_iter(text).map(move |found| Ok(found.get(group).map(|group| group.range()))))
            }
            Self::Backtracking(regex) => Box::new(regex.captures_iter(text).map(move |found| {
                let found = found.map_err(|error| failed(regex, &error));
                found.map(|found| found.get(group).map(|group| group.range()))
            })),
        }
    }

    /// A group of the match that so many others come before.
    pub(super) fn nth(&self, text: &str, group: usize, before: usize) -> Result<Option<Span>> {
        if group == 0 {
            return nth_of(self.matches(text), before);
        }
        Ok(nth_of(self.group_of_matches(text, group), before)?.flatten())
    }

    /// How many matches there are.
    pub(super) fn count(&self, text: &str) -> Result<usize> {
        match self {
            Self::Linear(regex) => Ok(regex.find_iter(text).count()),
            Self::Backtracking(_) => self.matches(text).try_fold(0, |count, found| found.map(|_| count + 1)),
        }
    }

    /// A text with all matches replaced; `${1}` in the replacement is the first group, `$$` a dollar.
    pub(super) fn replace_all<'t>(&self, text: &'t str, replacement: &str) -> Result<Cow<'t, str>> {
        match self {
            Self::Linear(regex) => Ok(regex.replace_all(text, replacement)),
            Self::Backtracking(regex) => {
                regex.try_replacen(text, 0, replacement).map_err(|error| failed(regex, &error))
            }
        }
    }
}

/// The one that so many others come before.
fn nth_of<T>(found: impl Iterator<Item = Result<T>>, before: usize) -> Result<Option<T>> {
    for (at, one) in found.enumerate() {
        let one = one?;
        if at == before {
            return Ok(Some(one));
        }
    }
    Ok(None)
}

/// Matches of a pattern in a text.
pub(super) enum Matches<'a> {
    Linear(regex::Matches<'a, 'a>),
    Backtracking(Box<dyn Iterator<Item = Result<Span>> + 'a>),
}

impl Iterator for Matches<'_> {
    type Item = Result<Span>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Linear(matches) => matches.next().map(|found| Ok(found.range())),
            Self::Backtracking(matches) => matches.next(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    // PCRE and java.util.regex agree in these.
    #[test]
    fn only_patterns_that_need_it_go_back() {
        for (pattern, is_linear) in [
            ("a(b|c)*", true),
            ("[[:alpha:]]+", true),
            ("(?i)x", true),
            ("(?=a)", false),
            ("(?<!a)b", false),
            ("(a)\\1", false),
            ("(?>a*)b", false),
        ] {
            let read = Pattern::new(pattern, false).unwrap();
            assert_eq!(matches!(read, Pattern::Linear(_)), is_linear, "{pattern}");
        }
        for pattern in ["(", "(?=a", "[b-a]"] {
            assert_eq!(Pattern::new(pattern, false).unwrap_err().sqlstate(), "22023", "{pattern}");
        }
        assert!(linear("(?=a)", false).is_err());
    }

    #[test]
    fn both_engines_find_the_same_way() {
        // No text has a line break.
        for (pattern, text) in [("a*", "baac"), ("(a)(x)?", "aab"), ("ü", "grün ü"), ("b", "")] {
            let own = Pattern::new(pattern, false).unwrap();
            let other = Pattern::new(&format!("(?:{pattern})(?<!\\n)"), false).unwrap();
            assert!(matches!((&own, &other), (Pattern::Linear(_), Pattern::Backtracking(_))), "{pattern}");
            let all = |pattern: &Pattern| pattern.matches(text).collect::<Result<Vec<_>>>().unwrap();
            assert_eq!(all(&own), all(&other), "{pattern} in {text}");
            let groups = |pattern: &Pattern| pattern.captures(text).collect::<Result<Vec<_>>>().unwrap();
            assert_eq!(groups(&own), groups(&other), "{pattern} in {text}");
            assert_eq!(own.groups(), other.groups());
            assert_eq!(own.count(text).unwrap(), other.count(text).unwrap());
            assert_eq!(own.nth(text, 0, 1).unwrap(), other.nth(text, 0, 1).unwrap());
            assert_eq!(own.find_at(text, text.len()).unwrap(), other.find_at(text, text.len()).unwrap());
            assert_eq!(own.replace_all(text, "<${0}>$$").unwrap(), other.replace_all(text, "<${0}>$$").unwrap());
        }
    }

    // Values of a Trino 435 server.
    #[test]
    fn classes_are_of_ascii() {
        for (pattern, text, found) in [
            (r"\w+", "Ünder_1 ü", vec!["nder_1"]),
            (r"[\w-]+", "a-ü", vec!["a-"]),
            (r"[^\W\d]+", "ab1ü", vec!["ab"]),
            (r"\d", "1٣", vec!["1"]),
            (r"\b.", "üa", vec!["ü"]),
            (r"\b.(?=b)", "üab", vec![]),
            (r"\B.", "üa", vec!["a"]),
            (r"\W", "aü", vec!["ü"]),
            (r"[\]\d]", "]٣", vec!["]"]),
            (r"\s", "a\u{a0}b\u{2003}c d", vec![" "]),
            (r"\S", "a\u{a0}b", vec!["a", "\u{a0}", "b"]),
        ] {
            let read = Pattern::new(&ascii(pattern), false).unwrap();
            let all = read.matches(text).map(|span| text[span.unwrap()].to_owned()).collect::<Vec<_>>();
            assert_eq!(all, found, "{pattern} in {text}");
        }
        assert!(has_classes(r"\d") && !has_classes(r"\\d[^]a]\b"));
    }

    #[test]
    fn going_back_has_a_limit() {
        let pattern = Pattern::new("^(x|xx)*y(?!z)", false).unwrap();
        let text = format!("{}yz", "x".repeat(60));
        assert_eq!(pattern.is_in(&text).unwrap_err().sqlstate(), "54000");
        assert_eq!(pattern.count(&text).unwrap_err().sqlstate(), "54000");
        assert!(pattern.is_in("xxxy").unwrap());
    }

    // PCRE2: "\K is not permitted in lookarounds" (pcre2pattern).
    #[test]
    fn patterns_without_bounds_are_refused() {
        let groups: Vec<String> = (1..15).map(|group| format!("({})", format!("\\{group}").repeat(10))).collect();
        let referring = format!("((?=a)){}", groups.concat());
        for (pattern, state) in [
            ("(a|b\\g<1>\\g<1>\\g<1>)", "22023"),
            ("(?=ab\\K)", "22023"),
            ("(a\\1)", "22023"),
            ("(a)\\2", "22023"),
            ("((((?=a)){1000}){1000}){1000}", "54000"),
            ("(?=a)(?:b{99999999999}){99999999999}", "54000"),
            ("(?<=(?:(?:a{1,1000}){1,1000}){1,1000})b", "54000"),
            ("(?<=(?:\\w{0,100}){0,100})b", "54000"),
            (referring.as_str(), "54000"),
        ] {
            assert_eq!(Pattern::new(pattern, false).unwrap_err().sqlstate(), state, "{pattern}");
        }
        let kept = Pattern::new("a\\Kb", false).unwrap();
        assert_eq!(kept.find_at("ab", 0).unwrap(), Some(1..2));
        assert!(Pattern::new("(?=a)[a-z]{1000}", true).is_ok());
    }
}
