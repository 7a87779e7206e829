//! How a syntax error reads: PostgreSQL's sentence, what sqlparser waited for, and the keyword that was meant.

use crate::error::{Error, ErrorKind};
use crate::sql::scan::Open;
use sqlparser::tokenizer::Location;

/// The longest piece of source that is quoted in a message, in characters.
const MAX_NEAR: usize = 60;

/// Words that a misspelt word after the first one may stand for.
const CLAUSES: &[&str] = &[
    "BETWEEN",
    "COLUMNS",
    "DATABASE",
    "EXISTS",
    "EXTERNAL",
    "FROM",
    "GROUP",
    "HAVING",
    "INNER",
    "INTO",
    "JOIN",
    "LEFT",
    "LIMIT",
    "LOCATION",
    "ORDER",
    "OUTER",
    "OVERWRITE",
    "PARTITION",
    "PARTITIONED",
    "PARTITIONS",
    "QUALIFY",
    "RIGHT",
    "SCHEMA",
    "SELECT",
    "SERDE",
    "SERDEPROPERTIES",
    "STORED",
    "TABLE",
    "TABLES",
    "TBLPROPERTIES",
    "UNION",
    "VALUES",
    "VIEW",
    "WHERE",
];

/// 42601 near a token; at the end of the text when there is none.
pub(super) fn syntax_error(near: Option<&str>, detail: Option<String>) -> Error {
    let mut error = match near {
        Some(token) => Error::new(ErrorKind::Syntax, format!("syntax error at or near \"{}\"", shortened(token))),
        None => Error::new(ErrorKind::Syntax, "syntax error at end of input"),
    };
    error.detail = detail;
    error.hint = near.and_then(|token| meant(token, CLAUSES));
    error
}

/// What PostgreSQL's scanner says of a quote that is not closed.
pub(super) fn unterminated(open: Open, rest: &str) -> Error {
    let what = match open {
        Open::String => "quoted string",
        Open::Identifier => "quoted identifier",
        Open::DollarString => "dollar-quoted string",
        Open::Comment => "/* comment",
    };
    Error::new(ErrorKind::Syntax, format!("unterminated {what} at or near \"{}\"", shortened(rest)))
}

/// A hint when a word is nearly one of `words`; none when it is one of them.
pub(super) fn meant(word: &str, words: &[&str]) -> Option<String> {
    let word = word.to_ascii_uppercase();
    if word.len() < 3 || !word.chars().all(|c| c.is_alphabetic() || c == '_') {
        return None;
    }
    let most = if word.len() < 6 { 1 } else { 2 };
    let (distance, nearest) =
        words.iter().map(|known| (strsim::damerau_levenshtein(&word, known), known)).min_by_key(|(d, _)| *d)?;
    (1..=most).contains(&distance).then(|| format!("did you mean \"{nearest}\"?"))
}

/// As [`meant`], for a word that may as well be a name: `orders` is no slip of the pen for ORDER.
pub(super) fn meant_before(word: &str) -> Option<String> {
    let upper = word.to_ascii_uppercase();
    let hint = meant(word, CLAUSES)?;
    let is_name = CLAUSES.iter().any(|known| upper.starts_with(known) || known.starts_with(&upper));
    (!is_name).then_some(hint)
}

/// Takes sqlparser's ` at Line: 1, Column: 8` off a message, and what it found, for that we say ourselves.
pub(super) fn split_location(message: &str) -> (String, Option<Location>) {
    let (message, location) = match message.rsplit_once(" at Line: ") {
        Some((before, at)) => match at.split_once(", Column: ").map(|(l, c)| (l.parse(), c.parse())) {
            Some((Ok(line), Ok(column))) => (before, Some(Location::new(line, column))),
            _ => (message, None),
        },
        None => (message, None),
    };
    let detail = match message.strip_prefix("Expected: ") {
        Some(expected) => format!("expected {}", expected.rsplit_once(", found: ").map_or(expected, |(e, _)| e)),
        None => message.to_owned(),
    };
    (detail, location)
}

fn shortened(token: &str) -> String {
    let line = token.lines().next().unwrap_or_default();
    match line.char_indices().nth(MAX_NEAR) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_hinted() {
        let hint = |word| meant(word, &["SELECT", "FROM", "SHOW", "SET"]);
        assert_eq!(hint("SELEC").as_deref(), Some("did you mean \"SELECT\"?"));
        assert_eq!(hint("form").as_deref(), Some("did you mean \"FROM\"?"));
        assert_eq!(hint("select"), None);
        assert_eq!(hint("xyzzy"), None);
        assert_eq!(hint("é"), None);
    }

    #[test]
    fn sqlparsers_messages_are_taken_apart() {
        let (detail, location) = split_location("Expected: an expression, found: FROM at Line: 2, Column: 8");
        assert_eq!((detail.as_str(), location), ("expected an expression", Some(Location::new(2, 8))));
        let (detail, location) = split_location("Expected: ), found: EOF");
        assert_eq!((detail.as_str(), location), ("expected )", None));
        assert_eq!(split_location("unmatched > after").0, "unmatched > after");
    }
}
