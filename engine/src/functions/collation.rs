//! Texts that are compared without their case (Redshift: "COLLATE function", "Database collation").
//!
//! Redshift compares by UTF-8's binary order and has no rules of a language, so what ignores case is compared as the same
//! text in lower case, a character for each character: positions in it are the text's own.

use super::blanks::Sharing;
use super::kernel::{BOTH, Call, Gives, Kind, REDSHIFT, Scalar, scalar};
use crate::error::{Error, Result};
use datafusion::arrow::array::ArrayRef;
use std::sync::Arc;

/// `COLLATE(text, 'case_insensitive')`: the text; how it compares is the planner's.
pub(crate) const COLLATE: &str = "collate";

/// A text as it is compared without its case.
pub(crate) const FOLDED: &str = "$folded";

/// What a text is ordered by and the text itself in one text, which is ordered by what it is ordered by.
pub(crate) const ORDERED: &str = "$ordered";

/// The text itself of what [`ORDERED`] put together.
pub(crate) const ORDERED_TEXT: &str = "$ordered_text";

/// Hexadecimal digits of the text's length in bytes, before the blank at the end.
const LENGTH_DIGITS: usize = 8;

pub(super) const FUNCTIONS: &[Scalar] = &[
    scalar(FOLDED, BOTH, &[Kind::Text], Gives::Text, |call| {
        let texts = call.text(0);
        call.texts(|row| Ok(Some(folded(texts.value(row)))))
    }),
    scalar(ORDERED, BOTH, &[Kind::Text, Kind::Text], Gives::Text, ordered),
    scalar(ORDERED_TEXT, BOTH, &[Kind::Text], Gives::Text, |call| {
        let both = call.text(0);
        call.texts(|row| ordered_text(both.value(row)).map(Some))
    }),
];

pub(super) const COLLATIONS: &[Scalar] =
    &[scalar(COLLATE, REDSHIFT, &[Kind::Text, Kind::Text], Gives::Text, text_itself).doc(
        "collate(text, 'case_insensitive' | 'ci' | 'case_sensitive' | 'cs')",
        "The text, which is compared without or with its case whatever its column says.",
        &[
            ("collate('John', 'case_insensitive') = 'JOHN'", "true"),
            ("collate('John', 'cs') = 'JOHN'", "false"),
            ("collate('John', 'ci')", "John"),
        ],
    )];

fn text_itself(call: &Call<'_>) -> Result<ArrayRef> {
    Ok(Arc::clone(&call.args[0]))
}

/// Texts behind what they are ordered by: one that is ordered by itself as it is, unless it ends with a blank; others in
/// one text with it, which ends with a blank.
fn ordered(call: &Call<'_>) -> Result<ArrayRef> {
    let (keys, texts) = (call.text(0), call.text(1));
    let is_plain = |row: usize| {
        let text = texts.value(row);
        !text.ends_with(' ') && keys.value(row) == text
    };
    let Some(first) = (0..call.rows).find(|row| !call.is_null(*row) && !is_plain(*row)) else {
        return Ok(Arc::clone(&call.args[1]));
    };
    let (mut made, mut both) = (Sharing::new(texts, call.rows), String::new());
    for row in 0..call.rows {
        if call.is_null(row) {
            made.texts.append_null();
        } else if row < first || is_plain(row) {
            made.append_begin(row, texts.value(row).len())?;
        } else {
            both.clear();
            put_behind(keys.value(row), texts.value(row), &mut both);
            made.texts.append_value(&both);
        }
    }
    Ok(made.finish())
}

/// Writes a text behind what it is ordered by, which ends with what sorts before every character.
fn put_behind(key: &str, text: &str, both: &mut String) {
    both.push_str(key);
    both.push('\u{0}');
    both.push_str(text);
    both.extend(
        (0..LENGTH_DIGITS).rev().filter_map(|digit| char::from_digit((text.len() >> (4 * digit) & 15) as u32, 16)),
    );
    both.push(' ');
}

fn ordered_text(both: &str) -> Result<&str> {
    let Some(both) = both.strip_suffix(' ') else { return Ok(both) };
    let text = || {
        let (rest, digits) = both.split_at_checked(both.len().checked_sub(LENGTH_DIGITS)?)?;
        rest.get(rest.len().checked_sub(usize::from_str_radix(digits, 16).ok()?)?..)
    };
    text().ok_or_else(|| Error::internal("a text without its length"))
}

/// A text as it is compared without its case; it has as many characters.
pub(crate) fn folded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let lower = |c: char| {
        let mut lower = c.to_lowercase();
        match (lower.next(), lower.next()) {
            (Some(one), None) => one,
            _ => c,
        }
    };
    text.chars().map(lower).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn folding_keeps_the_number_of_characters() {
        for (text, expected) in [("John", "john"), ("ÄÖÜß", "äöüß"), ("İ", "İ"), ("", "")] {
            assert_eq!(folded(text), expected);
            assert_eq!(folded(text).chars().count(), text.chars().count());
        }
    }

    #[test]
    fn texts_come_back_from_their_order() {
        for (key, text) in [("a", "A"), ("", ""), ("a\u{0}b", "a\u{0}B "), ("ä", "Ä")] {
            let mut both = String::new();
            put_behind(key, text, &mut both);
            assert_eq!(ordered_text(&both).unwrap(), text);
        }
        assert_eq!(ordered_text("plain").unwrap(), "plain");
        assert!(ordered_text("short ").is_err());
    }
}
