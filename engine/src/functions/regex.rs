//! Regular expressions: Redshift's and Trino's functions, and SIMILAR TO.
//!
//! Look-around and back references are part of Trino's patterns, and of Redshift's with the parameter `p` (PCRE); elsewhere they
//! are errors.

use super::kernel::{ATHENA, BOTH, Call, Gives, Kind, REDSHIFT, Scalar, scalar};
use super::patterns::{Pattern, ascii, has_classes, linear};
use super::rows::Last;
use crate::error::{Error, ErrorKind, Result};
use datafusion::arrow::array::{ArrayRef, ListBuilder, StringViewBuilder};
use datafusion::arrow::datatypes::{DataType, Field};
use std::sync::Arc;

use Kind::{Int, Text};

pub(super) const FUNCTIONS: &[Scalar] = &[
    scalar("regexp_substr", REDSHIFT, &[Text, Text, Int, Int, Text], Gives::Text, substr).optional(3).doc(
        "regexp_substr(text, pattern [, position [, occurrence [, parameters]]])",
        "The part that matches; empty where none does, NULL where the occurrence is less than 1 or more than the characters. \
         Parameters: c (case matters), i (it does not), e (the first group), p (look-around and back references, as in PCRE).",
        &[
            ("regexp_substr('Suspendisse.Ac@velit.com', '@[^.]*')", "@velit"),
            ("regexp_substr('the fox', 'FOX', 1, 1, 'i')", "fox"),
            ("regexp_substr('passwd7 plain A1234 a1234', '(?=[^ ]*[a-z])(?=[^ ]*[0-9])[^ ]+', 1, 2, 'p')", "a1234"),
        ],
    ),
    scalar("regexp_instr", REDSHIFT, &[Text, Text, Int, Int, Int, Text], Gives::Int4, instr).optional(4).doc(
        "regexp_instr(text, pattern [, position [, occurrence [, option [, parameters]]]])",
        "Where the match begins, or with option 1 what follows it; 0 where there is none.",
        &[("regexp_instr('Suspendisse.Ac@velit.com', '@[^.]*')", "15"), ("regexp_instr('the fox', 'dog')", "0")],
    ),
    scalar("regexp_count", REDSHIFT, &[Text, Text, Int, Text], Gives::Int4, count).optional(2).doc(
        "regexp_count(text, pattern [, position [, parameters]])",
        "How often the pattern matches.",
        &[("regexp_count('abcdefghijklmnopqrstuvwxyz', '[a-z]{3}')", "8"), ("regexp_count('the fox', 'FOX', 1, 'i')", "1")],
    ),
    scalar("regexp_replace", REDSHIFT, &[Text, Text, Text, Int, Text], Gives::Text, replace_by_redshift).optional(3).doc(
        "regexp_replace(text, pattern [, replacement [, position [, parameters]]])",
        "Every match replaced; $1 stands for the first group.",
        &[
            ("regexp_replace('DonecFri@semper.com', '@.*\\\\.(com|org)', '@internal.$1')", "DonecFri@internal.com"),
            ("regexp_replace('the fox', 'FOX', 'quick brown fox', 1, 'i')", "the quick brown fox"),
        ],
    ),
    scalar("regexp_replace", ATHENA, &[Text, Text, Text], Gives::Text, replace_by_trino).optional(1).doc(
        "regexp_replace(text, pattern [, replacement])",
        "Every match replaced; $1 stands for the first group.",
        &[("regexp_replace('1a 2b 14m', '\\d+[ab] ')", "14m"), ("regexp_replace('1a 2b 14m', '(\\d+)([ab]) ', '3c$2 ')", "3ca 3cb 14m")],
    ),
    scalar("regexp_extract", ATHENA, &[Text, Text, Int], Gives::Text, extract).optional(1).doc(
        "regexp_extract(text, pattern [, group])",
        "The first match, or a group of it; NULL where there is none.",
        &[("regexp_extract('1a 2b 14m', '\\d+')", "1"), ("regexp_extract('1a 2b 14m', '(\\d+)([a-z]+)', 2)", "a")],
    ),
    scalar("regexp_extract_all", ATHENA, &[Text, Text, Int], Gives::Of(texts_type), extract_all).optional(1).doc(
        "regexp_extract_all(text, pattern [, group])",
        "All matches, or a group of each.",
        &[("regexp_extract_all('1a 2b 14m', '\\d+')", "[1, 2, 14]")],
    ),
    scalar("regexp_split", ATHENA, &[Text, Text], Gives::Of(texts_type), split).doc(
        "regexp_split(text, pattern)",
        "The parts between the matches.",
        &[("regexp_split('1a 2b 14m', '\\s*[a-z]+\\s*')", "[1, 2, 14, ]")],
    ),
    scalar("regexp_count", ATHENA, &[Text, Text], Gives::Int8, wide_count).doc(
        "regexp_count(text, pattern)",
        "How often the pattern matches.",
        &[("regexp_count('1a 2b 14m', '\\s*[a-z]+\\s*')", "3")],
    ),
    scalar("regexp_position", ATHENA, &[Text, Text, Int, Int], Gives::Int4, position).optional(2).doc(
        "regexp_position(text, pattern [, start [, occurrence]])",
        "Where a match begins, the first or the n-th from a character on; -1 where there is none.",
        &[
            ("regexp_position('I have 23 apples', '\\d')", "8"),
            ("regexp_position('I have 23 apples, 5 pears and 13 oranges', '\\b\\d+\\b', 12, 2)", "31"),
        ],
    ),
    scalar(REGEXP_LIKE, ATHENA, &[Text, Text], Gives::Bool, |call| {
        let (texts, patterns) = (call.text(0), call.text(1));
        let mut last = Last::new();
        call.bools(|row| last.of(patterns.value(row), trino)?.is_in(texts.value(row)).map(Some))
    }),
    scalar("$similar_to", BOTH, &[Text, Text, Text], Gives::Bool, similar),
];

/// The type of lists of texts.
pub(super) fn texts_type(_: &[DataType]) -> Result<DataType> {
    Ok(DataType::List(Arc::new(Field::new("item", DataType::Utf8View, true))))
}

/// Trino's `regexp_like` of patterns that DataFusion's does not take.
pub(crate) const REGEXP_LIKE: &str = "$regexp_like";

/// Whether DataFusion's functions take a pattern.
pub(crate) fn is_plain_pattern(pattern: &str) -> bool {
    !has_classes(pattern) && linear(pattern, false).is_ok()
}

/// A pattern of Trino's.
pub(super) fn trino(pattern: &str) -> Result<Pattern> {
    Pattern::new(&ascii(pattern), false)
}

/// A pattern with Redshift's parameters.
fn redshift(pattern: &str, parameters: &str) -> Result<Pattern> {
    let insensitive = parameters.contains('i');
    if parameters.contains('p') {
        Pattern::new(pattern, insensitive)
    } else {
        linear(pattern, insensitive).map(Pattern::Linear)
    }
}

fn chars(text: &str) -> i32 {
    i32::try_from(text.chars().count()).unwrap_or(i32::MAX)
}

/// The text from a character on, counted from 1, and how many bytes were left out.
fn from_char(text: &str, position: i64) -> (&str, usize) {
    let skipped = usize::try_from(position.saturating_sub(1)).unwrap_or_default();
    let at = text.char_indices().nth(skipped).map_or(text.len(), |(at, _)| at);
    (&text[at..], at)
}

/// The arguments that all of Redshift's functions share, for one row.
struct Sought<'a> {
    text: &'a str,
    skipped: usize,
    parameters: &'a str,
    /// Which match, counted from 0; `None` where it is less than the first, or there are more than characters.
    occurrence: Option<usize>,
}

fn sought<'a>(
    call: &'a Call<'_>,
    row: usize,
    position: usize,
    occurrence: Option<usize>,
    parameters: usize,
) -> Sought<'a> {
    let int = |at: usize| if call.has(at) { call.int(at).value(row) } else { 1 };
    let (text, skipped) = from_char(call.text(0).value(row), int(position));
    let parameters = if call.has(parameters) { call.text(parameters).value(row) } else { "" };
    let occurrence = match occurrence {
        Some(at) if call.has(at) => {
            let most = call.text(0).value(row).chars().count();
            usize::try_from(int(at)).ok().filter(|which| (1..=most).contains(which)).map(|which| which - 1)
        }
        _ => Some(0),
    };
    Sought { text, skipped, parameters, occurrence }
}

fn pattern_of<'a>(last: &'a mut Last<Pattern>, pattern: &str, parameters: &str) -> Result<&'a Pattern> {
    if parameters.is_empty() {
        return last.of(pattern, |pattern| redshift(pattern, ""));
    }
    last.of(&format!("{parameters}\u{0}{pattern}"), |_| redshift(pattern, parameters))
}

/// The group that is asked for: the first with the parameter `e`, where the pattern has one; else all of the match.
fn group_by(parameters: &str, pattern: &Pattern) -> usize {
    usize::from(parameters.contains('e') && pattern.groups() > 1)
}

fn substr(call: &Call<'_>) -> Result<ArrayRef> {
    let mut last = Last::new();
    call.texts(|row| {
        let sought = sought(call, row, 2, Some(3), 4);
        let pattern = pattern_of(&mut last, call.text(1).value(row), sought.parameters)?;
        let Some(occurrence) = sought.occurrence else { return Ok(None) };
        let found = pattern.nth(sought.text, group_by(sought.parameters, pattern), occurrence)?;
        Ok(Some(found.map_or("", |found| &sought.text[found])))
    })
}

fn instr(call: &Call<'_>) -> Result<ArrayRef> {
    let mut last = Last::new();
    call.int4s(|row| {
        let sought = sought(call, row, 2, Some(3), 5);
        let after = call.has(4) && call.int(4).value(row) != 0;
        let pattern = pattern_of(&mut last, call.text(1).value(row), sought.parameters)?;
        let Some(occurrence) = sought.occurrence else { return Ok(Some(0)) };
        let found = pattern.nth(sought.text, group_by(sought.parameters, pattern), occurrence)?;
        let Some(found) = found else { return Ok(Some(0)) };
        let end = sought.skipped + if after { found.end } else { found.start };
        Ok(Some(chars(&call.text(0).value(row)[..end]) + 1))
    })
}

fn count(call: &Call<'_>) -> Result<ArrayRef> {
    let mut last = Last::new();
    call.int4s(|row| {
        let sought = sought(call, row, 2, None, 3);
        let pattern = pattern_of(&mut last, call.text(1).value(row), sought.parameters)?;
        Ok(Some(i32::try_from(pattern.count(sought.text)?).unwrap_or(i32::MAX)))
    })
}

fn wide_count(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, patterns) = (call.text(0), call.text(1));
    let mut last = Last::new();
    call.ints(|row| {
        let pattern = last.of(patterns.value(row), trino)?;
        Ok(Some(pattern.count(texts.value(row))? as i64))
    })
}

fn replace_by_redshift(call: &Call<'_>) -> Result<ArrayRef> {
    replace(call, pattern_of)
}

fn replace_by_trino(call: &Call<'_>) -> Result<ArrayRef> {
    replace(call, |last, pattern, _| last.of(pattern, trino))
}

/// Replaces all matches of the patterns that `read` makes of texts and parameters.
fn replace(
    call: &Call<'_>,
    read: for<'a> fn(&'a mut Last<Pattern>, &str, &str) -> Result<&'a Pattern>,
) -> Result<ArrayRef> {
    let (mut last, mut last_replacement) = (Last::new(), Last::new());
    call.texts(|row| {
        let sought = sought(call, row, 3, None, 4);
        let pattern = read(&mut last, call.text(1).value(row), sought.parameters)?;
        let replacement = if call.has(2) { call.text(2).value(row) } else { "" };
        let replacement = last_replacement.of(replacement, |text| Ok(template(text)))?;
        let whole = call.text(0).value(row);
        let replaced = pattern.replace_all(sought.text, replacement)?;
        Ok(Some(format!("{}{replaced}", &whole[..sought.skipped])))
    })
}

/// A replacement in the words of Rust's `regex`: `$1` and `\1` are groups, whatever follows them.
fn template(text: &str) -> String {
    let (mut made, mut chars) = (String::new(), text.chars().peekable());
    while let Some(c) = chars.next() {
        match (c, chars.peek().copied()) {
            ('$' | '\\', Some(digit)) if digit.is_ascii_digit() => {
                made.push_str("${");
                made.push(digit);
                made.push('}');
                chars.next();
            }
            ('$', Some('{')) => made.push('$'),
            ('\\', Some(other)) => {
                made.push_str(if other == '$' { "$$" } else { "" });
                made.extend((other != '$').then_some(other));
                chars.next();
            }
            ('$', _) => made.push_str("$$"),
            _ => made.push(c),
        }
    }
    made
}

/// Trino's `regexp_position`.
fn position(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, patterns) = (call.text(0), call.text(1));
    // Counted from 1.
    let from_one = |at: usize, row: usize, what: &str| {
        let given = if call.has(at) { call.int(at).value(row) } else { 1 };
        usize::try_from(given).ok().and_then(|given| given.checked_sub(1)).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidParameter,
                format!("the {what} of regexp_position() is 1 or more, not {given}"),
            )
        })
    };
    let mut last = Last::new();
    call.int4s(|row| {
        let (text, pattern) = (texts.value(row), last.of(patterns.value(row), trino)?);
        let (start, occurrence) = (from_one(2, row, "start")?, from_one(3, row, "occurrence")?);
        let start = text.char_indices().map(|(at, _)| at).chain([text.len()]).nth(start);
        let (mut next, mut left) = (start, occurrence);
        // What stands before the start is seen by the pattern, as by Java's matchers.
        while let Some(at) = next {
            let Some(found) = pattern.find_at(text, at)? else { break };
            if left == 0 {
                return Ok(Some(chars(&text[..found.start]) + 1));
            }
            left -= 1;
            next = if found.is_empty() { after(text, found.end) } else { Some(found.end) };
        }
        Ok(Some(-1))
    })
}

/// Where the character behind a place ends; `None` at the end of a text.
fn after(text: &str, at: usize) -> Option<usize> {
    text[at..].chars().next().map(|c| at + c.len_utf8())
}

fn group_of(call: &Call<'_>, row: usize) -> usize {
    if call.has(2) { usize::try_from(call.int(2).value(row)).unwrap_or(usize::MAX) } else { 0 }
}

fn check_group(pattern: &Pattern, group: usize) -> Result<()> {
    if group < pattern.groups() {
        return Ok(());
    }
    let message = format!("the pattern has {} groups, there is no group {group}", pattern.groups() - 1);
    Err(Error::new(ErrorKind::InvalidParameter, message))
}

fn extract(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, patterns) = (call.text(0), call.text(1));
    let mut last = Last::new();
    call.texts(|row| {
        let (pattern, group) = (last.of(patterns.value(row), trino)?, group_of(call, row));
        check_group(pattern, group)?;
        let text = texts.value(row);
        Ok(pattern.nth(text, group, 0)?.map(|found| &text[found]))
    })
}

/// Lists of texts by a function of the row.
pub(super) fn lists(
    call: &Call<'_>,
    mut of: impl FnMut(usize, &mut StringViewBuilder) -> Result<()>,
) -> Result<ArrayRef> {
    let mut built = ListBuilder::new(StringViewBuilder::new());
    for row in 0..call.rows {
        if call.is_null(row) {
            built.append_null();
        } else {
            of(row, built.values())?;
            built.append(true);
        }
    }
    Ok(Arc::new(built.finish()))
}

fn extract_all(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, patterns) = (call.text(0), call.text(1));
    let mut last = Last::new();
    lists(call, |row, values| {
        let (pattern, group) = (last.of(patterns.value(row), trino)?, group_of(call, row));
        check_group(pattern, group)?;
        let text = texts.value(row);
        for found in pattern.group_of_matches(text, group) {
            values.append_option(found?.map(|found| &text[found]));
        }
        Ok(())
    })
}

fn split(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, patterns) = (call.text(0), call.text(1));
    let mut last = Last::new();
    lists(call, |row, values| {
        let (text, pattern) = (texts.value(row), last.of(patterns.value(row), trino)?);
        let mut begin = 0;
        for found in pattern.matches(text) {
            let found = found?;
            values.append_value(&text[begin..found.start]);
            begin = found.end;
        }
        values.append_value(&text[begin..]);
        Ok(())
    })
}

fn similar(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, patterns, escapes) = (call.text(0), call.text(1), call.text(2));
    let mut last = Last::new();
    call.bools(|row| {
        let escape = escapes.value(row).chars().next();
        let regex = last.of(patterns.value(row), |pattern| linear(&similar_pattern(pattern, escape), false))?;
        Ok(Some(regex.is_match(texts.value(row))))
    })
}

/// SIMILAR TO's pattern as a regular expression over the whole text: `%` is any text, `_` any character, the rest of
/// the metacharacters but `.`, `^`, `$` as in POSIX.
fn similar_pattern(pattern: &str, escape: Option<char>) -> String {
    let mut made = "(?s)^(?:".to_owned();
    let (mut chars, mut in_class) = (pattern.chars(), false);
    while let Some(c) = chars.next() {
        match c {
            _ if Some(c) == escape => made.extend(chars.next().map(|next| regex::escape(&next.to_string()))),
            '[' => {
                in_class = true;
                made.push(c);
            }
            ']' => {
                in_class = false;
                made.push(c);
            }
            _ if in_class => made.push(c),
            '%' => made.push_str(".*"),
            '_' => made.push('.'),
            '.' | '^' | '$' | '\\' => {
                made.push('\\');
                made.push(c);
            }
            _ => made.push(c),
        }
    }
    made.push_str(")$");
    made
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    // PostgreSQL, 9.7.2.
    #[test]
    fn similar_to() {
        for (text, pattern, expected) in [
            ("abc", "abc", true),
            ("abc", "a", false),
            ("abc", "%(b|d)%", true),
            ("abc", "(b|c)%", false),
            ("a.c", "a.c", true),
            ("abc", "a.c", false),
            ("abc", "a_c", true),
            ("a%c", "a\\%c", true),
            ("abc", "a\\%c", false),
            ("foo", "[a-f]o{2}", true),
        ] {
            let regex = linear(&similar_pattern(pattern, Some('\\')), false).unwrap();
            assert_eq!(regex.is_match(text), expected, "{text} SIMILAR TO {pattern}");
        }
    }

    #[test]
    fn replacements_name_groups() {
        for (text, expected) in
            [("$1a", "${1}a"), ("\\1", "${1}"), ("$", "$$"), ("a$b", "a$$b"), ("\\$x", "$$x"), ("x", "x")]
        {
            assert_eq!(template(text), expected);
        }
    }
}
