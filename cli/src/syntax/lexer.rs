//! Cuts a text into tokens that cover it without gaps; a quote or comment that is not closed runs to the end.

use std::iter;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Blanks and line ends.
    Space,
    /// `-- …` to the end of the line, or `/* … */`, nested.
    Comment,
    /// A bare word: keyword or name.
    Word,
    /// `"name"`, or Hive's name in backticks.
    QuotedName,
    /// `'text'` or `$tag$text$tag$`.
    Text,
    /// A number.
    Number,
    /// One character of anything else.
    Symbol,
}

/// A token: bytes `start..end` of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    /// What it is.
    pub(crate) kind: Kind,
    /// Its first byte.
    pub(crate) start: usize,
    /// The byte after it.
    pub(crate) end: usize,
    /// It is a quote or comment that the text does not close.
    pub(crate) open: bool,
}

/// The tokens of a text.
pub(crate) fn tokens(text: &str) -> impl Iterator<Item = Token> + '_ {
    let mut start = 0;
    iter::from_fn(move || {
        let first = text[start..].chars().next()?;
        let (kind, length, open) = token(&text[start..], first);
        let token = Token { kind, start, end: start + length, open };
        start = token.end;
        Some(token)
    })
}

/// The kind, length in bytes and openness of the token that `rest` begins with.
fn token(rest: &str, first: char) -> (Kind, usize, bool) {
    let bytes = rest.as_bytes();
    match first {
        '-' if bytes.starts_with(b"--") => line_comment(rest),
        '/' if bytes.starts_with(b"/*") => block_comment(bytes),
        '\'' => quoted(Kind::Text, rest, first),
        '"' | '`' => quoted(Kind::QuotedName, rest, first),
        '$' => dollar_quoted(rest).unwrap_or((Kind::Symbol, 1, false)),
        '.' if bytes.get(1).is_some_and(u8::is_ascii_digit) => (Kind::Number, number_length(bytes), false),
        _ if first.is_ascii_digit() => (Kind::Number, number_length(bytes), false),
        _ if first.is_alphabetic() || first == '_' => (Kind::Word, span(rest, is_word_part), false),
        _ if first.is_whitespace() => (Kind::Space, span(rest, char::is_whitespace), false),
        _ => (Kind::Symbol, first.len_utf8(), false),
    }
}

/// Whether a character may stand inside a bare name.
pub(super) fn is_word_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

fn span(rest: &str, belongs: fn(char) -> bool) -> usize {
    rest.find(|c| !belongs(c)).unwrap_or(rest.len())
}

/// A comment to the end of the line is never open: the next line is SQL again.
fn line_comment(rest: &str) -> (Kind, usize, bool) {
    (Kind::Comment, rest.find('\n').unwrap_or(rest.len()), false)
}

fn block_comment(bytes: &[u8]) -> (Kind, usize, bool) {
    let (mut at, mut depth) = (0, 0_usize);
    while at < bytes.len() {
        match &bytes[at..] {
            [b'/', b'*', ..] => (at, depth) = (at + 2, depth + 1),
            [b'*', b'/', ..] => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
        if depth == 0 {
            return (Kind::Comment, at, false);
        }
    }
    (Kind::Comment, bytes.len(), true)
}

/// A quote; doubled, the quote character stands for itself.
fn quoted(kind: Kind, rest: &str, quote: char) -> (Kind, usize, bool) {
    let mut at = 1;
    while let Some(found) = rest[at..].find(quote) {
        at += found + 1;
        if !rest[at..].starts_with(quote) {
            return (kind, at, false);
        }
        at += 1;
    }
    (kind, rest.len(), true)
}

/// PostgreSQL's `$tag$ … $tag$`; `None` when the dollar begins no tag.
fn dollar_quoted(rest: &str) -> Option<(Kind, usize, bool)> {
    let tag_end = 1 + rest[1..].find('$')?;
    let tag = &rest[..=tag_end];
    let inner = &tag[1..tag_end];
    if inner.starts_with(|c: char| c.is_ascii_digit()) || inner.contains(|c: char| !is_word_part(c)) {
        return None;
    }
    match rest[tag.len()..].find(tag) {
        Some(close) => Some((Kind::Text, tag.len() + close + tag.len(), false)),
        None => Some((Kind::Text, rest.len(), true)),
    }
}

fn number_length(bytes: &[u8]) -> usize {
    let digits = |from: usize| from + bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut at = digits(0);
    if bytes.get(at) == Some(&b'.') {
        at = digits(at + 1);
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        if bytes.get(at + 1 + sign).is_some_and(u8::is_ascii_digit) {
            at = digits(at + 1 + sign);
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<(Kind, &str, bool)> {
        tokens(text).filter(|t| t.kind != Kind::Space).map(|t| (t.kind, &text[t.start..t.end], t.open)).collect()
    }

    #[test]
    fn tokens_cover_what_sql_has() {
        use Kind::{Comment, Number, QuotedName, Symbol, Text, Word};
        assert_eq!(
            kinds("select 'it''s', \"a\"\"b\", `c d`, 1.5e-3 /* x /* y */ z */ -- end; '\n;"),
            [
                (Word, "select", false),
                (Text, "'it''s'", false),
                (Symbol, ",", false),
                (QuotedName, "\"a\"\"b\"", false),
                (Symbol, ",", false),
                (QuotedName, "`c d`", false),
                (Symbol, ",", false),
                (Number, "1.5e-3", false),
                (Comment, "/* x /* y */ z */", false),
                (Comment, "-- end; '", false),
                (Symbol, ";", false),
            ]
        );
        assert_eq!(kinds("$$a;b$$ $x$ $$ $x$"), [(Text, "$$a;b$$", false), (Text, "$x$ $$ $x$", false)]);
        assert_eq!(kinds("$1"), [(Symbol, "$", false), (Number, "1", false)]);
        assert_eq!(kinds("größe_1"), [(Word, "größe_1", false)]);
    }

    #[test]
    fn what_is_not_closed_runs_to_the_end_and_says_so() {
        for text in ["'a;", "\"a;", "`a;", "/* a;", "/* /* */ a", "$$ a;", "'a''"] {
            let last = tokens(text).last();
            assert_eq!(last.map(|t| (t.open, t.end)), Some((true, text.len())), "{text}");
        }
    }
}
