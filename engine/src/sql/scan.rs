//! Cuts a text at its semicolons without understanding it: quotes, comments and first words are all it knows.
//!
//! Its rules for quotes and comments must agree with those `syntax` gives to sqlparser, or a semicolon could be taken
//! for the end of a statement in one and for a part of a string in the other.

use crate::sql::Dialect;
use memchr::{memchr, memmem};
use std::ops::Range;

/// Which lexical rules a piece obeys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lexing {
    /// `'…'` with backslashes, `$$…$$`, nested comments.
    Redshift,
    /// `'…'` without backslashes.
    Trino,
    /// `'…'` and `"…"` are both strings, with backslashes.
    Hive,
}

/// What a piece ends inside of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// A string: `'…`, in Hive's DDL also `"…`.
    String,
    /// A quoted name: `"…` or a backtick.
    Identifier,
    /// `$tag$…`
    DollarString,
    /// `/* …`
    Comment,
}

/// One statement's stretch of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// The statement from its first to its last character that is not blank, in bytes; comments belong to it.
    pub(super) range: Range<usize>,
    /// Where the semicolon is; `None` at the end of the text.
    pub(super) semicolon: Option<usize>,
    /// The quote or comment that is not closed, and where it opens.
    pub(super) open: Option<(Open, usize)>,
    /// There is nothing but blanks and comments.
    pub(super) empty: bool,
    /// The lexical rules.
    pub(super) lexing: Lexing,
}

/// The piece that begins at `from`, a byte offset just after a semicolon or at the start.
pub(super) fn next_piece(text: &str, from: usize, dialect: Dialect) -> Piece {
    let lexing = match dialect {
        Dialect::Redshift => Lexing::Redshift,
        Dialect::Athena => Lexing::Trino,
    };
    let mut scanner = Scanner { text, bytes: text.as_bytes(), at: from, lexing, words: Vec::new(), empty: true };
    let (end, open) = scanner.run();
    let inside = &text[from..end];
    let start = from + (inside.len() - inside.trim_start().len());
    Piece {
        range: start..from + inside.trim_end().len().max(start - from),
        semicolon: (end < text.len()).then_some(end),
        open,
        empty: scanner.empty,
        lexing: scanner.lexing,
    }
}

struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    lexing: Lexing,
    /// The first two words, in upper case, as long as nothing else stood before them.
    words: Vec<String>,
    empty: bool,
}

impl Scanner<'_> {
    /// Goes to the semicolon or the end; says what is open there.
    fn run(&mut self) -> (usize, Option<(Open, usize)>) {
        while let Some(&byte) = self.bytes.get(self.at) {
            let start = self.at;
            let next = self.bytes.get(start + 1).copied();
            let opened = match (byte, next) {
                (b';', _) => return (start, None),
                (b'-', Some(b'-')) => {
                    self.at = memchr(b'\n', &self.bytes[start..]).map_or(self.bytes.len(), |n| start + n + 1);
                    continue;
                }
                (b'/', Some(b'*')) => {
                    if self.comment() {
                        continue;
                    }
                    return (self.bytes.len(), Some((Open::Comment, start)));
                }
                (b'\'', _) => (!self.quoted(byte, self.lexing != Lexing::Trino)).then_some(Open::String),
                (b'"', _) if self.lexing == Lexing::Hive => (!self.quoted(byte, true)).then_some(Open::String),
                (b'"' | b'`', _) => (!self.quoted(byte, false)).then_some(Open::Identifier),
                (b'$', _) if self.lexing == Lexing::Redshift => (!self.dollar()).then_some(Open::DollarString),
                _ => {
                    if self.blank_or_word() {
                        continue;
                    }
                    None
                }
            };
            self.empty = false;
            self.words.resize(2, String::new());
            if let Some(open) = opened {
                return (self.bytes.len(), Some((open, start)));
            }
        }
        (self.bytes.len(), None)
    }

    /// Skips a comment; false when it does not end. Redshift's comments nest, Trino's and Hive's do not.
    fn comment(&mut self) -> bool {
        let mut depth = 1;
        self.at += 2;
        while depth > 0 {
            match (self.bytes.get(self.at), self.bytes.get(self.at + 1)) {
                (Some(b'*'), Some(b'/')) => {
                    depth -= 1;
                    self.at += 2;
                }
                (Some(b'/'), Some(b'*')) if self.lexing == Lexing::Redshift => {
                    depth += 1;
                    self.at += 2;
                }
                (Some(_), _) => self.at += 1,
                (None, _) => return false,
            }
        }
        true
    }

    /// Skips a quoted text; a doubled quote is part of it. False when it does not end.
    fn quoted(&mut self, quote: u8, backslash: bool) -> bool {
        self.at += 1;
        while let Some(&byte) = self.bytes.get(self.at) {
            self.at += 1;
            if byte == b'\\' && backslash {
                self.at += 1;
            } else if byte == quote {
                if self.bytes.get(self.at) != Some(&quote) {
                    return true;
                }
                self.at += 1;
            }
        }
        self.at = self.bytes.len();
        false
    }

    /// Skips `$tag$…$tag$`, or `$1`; false when the string does not end.
    fn dollar(&mut self) -> bool {
        let start = self.at;
        self.at += 1;
        while self.bytes.get(self.at).is_some_and(|b| !b.is_ascii() || b.is_ascii_alphanumeric() || *b == b'_') {
            self.at += 1;
        }
        if self.bytes.get(self.at) != Some(&b'$') {
            return true;
        }
        self.at += 1;
        let tag = &self.bytes[start..self.at];
        let end = memmem::find(&self.bytes[self.at..], tag);
        self.at = end.map_or(self.bytes.len(), |n| self.at + n + tag.len());
        end.is_some()
    }

    /// Skips a blank, a word or any other character; true for the first two.
    fn blank_or_word(&mut self) -> bool {
        let rest = &self.text[self.at..];
        let length = rest.find(|c| !is_word(c) && c != '$').unwrap_or(rest.len());
        let Some(first) = rest.chars().next() else { return true };
        if length == 0 || first == '$' {
            self.at += first.len_utf8();
            return first.is_whitespace();
        }
        self.at += length;
        self.empty = false;
        if self.words.len() < 2 {
            self.words.push(rest[..length].to_ascii_uppercase());
            if self.lexing == Lexing::Trino && self.is_hive() {
                self.lexing = Lexing::Hive;
            }
        }
        true
    }

    /// Athena gives these to Hive's parser, all else to Trino's.
    fn is_hive(&self) -> bool {
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        matches!(
            words[..],
            ["ALTER" | "DESC" | "DESCRIBE" | "DROP" | "MSCK" | "SHOW"]
                | ["ANALYZE", "TABLE"]
                | ["CREATE", "DATABASE" | "EXTERNAL" | "SCHEMA"]
        )
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '#' || !c.is_ascii() && !c.is_whitespace()
}
