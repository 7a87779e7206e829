//! Splits what a user types into statements, for a line editor that must know when a statement is complete.

use crate::sql::Dialect;
use crate::sql::scan::next_piece;
use std::ops::Range;

pub use crate::sql::scan::Open;

/// A text cut into statements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// The complete statements, each from its first character to its semicolon inclusive, in bytes. A semicolon
    /// with nothing before it is none.
    pub statements: Vec<Range<usize>>,
    /// What follows the last semicolon, without blanks around it, in bytes; empty when there is only blank.
    pub remainder: Range<usize>,
    /// What the remainder ends inside of.
    pub open: Option<Open>,
    /// The remainder has something to run: more than blanks and comments.
    pub incomplete: bool,
}

/// Splits at the semicolons that stand outside quotes and comments, by the dialect's rules for them.
pub fn split(text: &str, dialect: Dialect) -> Split {
    let mut statements = Vec::new();
    let mut from = 0;
    loop {
        let piece = next_piece(text, from, dialect);
        let Some(semicolon) = piece.semicolon else {
            return Split {
                statements,
                remainder: piece.range,
                open: piece.open.map(|(open, _)| open),
                incomplete: !piece.empty || piece.open.is_some(),
            };
        };
        if !piece.empty {
            statements.push(piece.range.start..semicolon + 1);
        }
        from = semicolon + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str, dialect: Dialect) -> (Vec<&str>, &str, Option<Open>) {
        let split = split(text, dialect);
        let statements = split.statements.into_iter().map(|range| &text[range]).collect();
        (statements, &text[split.remainder], split.open)
    }

    #[test]
    fn semicolons_end_statements_outside_quotes_and_comments() {
        let text = "SELECT ';'; -- a;b\nSELECT \";\"/* ; */ ;\n;; SELECT 1";
        for dialect in [Dialect::Redshift, Dialect::Athena] {
            let (statements, remainder, open) = parts(text, dialect);
            assert_eq!(statements, ["SELECT ';';", "-- a;b\nSELECT \";\"/* ; */ ;"]);
            assert_eq!((remainder, open), ("SELECT 1", None));
        }
    }

    #[test]
    fn what_is_open_is_told() {
        for (text, dialect, open) in [
            ("SELECT 'a;", Dialect::Redshift, Some(Open::String)),
            ("SELECT 'it''s", Dialect::Athena, Some(Open::String)),
            ("SELECT \"a;", Dialect::Athena, Some(Open::Identifier)),
            ("SELECT `a;", Dialect::Athena, Some(Open::Identifier)),
            ("SELECT 1 /* ;", Dialect::Redshift, Some(Open::Comment)),
            ("SELECT 1 /* /* */ ;", Dialect::Redshift, Some(Open::Comment)),
            ("CREATE PROCEDURE p() AS $x$ ; $$ ;", Dialect::Redshift, Some(Open::DollarString)),
            ("SELECT 'a\\';", Dialect::Redshift, Some(Open::String)),
            ("ALTER TABLE t SET TBLPROPERTIES (\"a\\\";", Dialect::Athena, Some(Open::String)),
            ("SELECT 1 -- 'a", Dialect::Redshift, None),
            ("SELECT $1", Dialect::Redshift, None),
            ("", Dialect::Redshift, None),
        ] {
            assert_eq!(parts(text, dialect), (vec![], text, open), "{text}");
        }
    }

    #[test]
    fn dialects_differ_in_backslashes_comments_and_dollars() {
        assert_eq!(parts("SELECT 'a\\'; SELECT 1;", Dialect::Athena).0.len(), 2);
        assert_eq!(parts("SELECT 'a\\'; SELECT 1';", Dialect::Redshift).0.len(), 1);
        assert_eq!(parts("SELECT /* /* */ 1; SELECT 2;", Dialect::Athena).0.len(), 2);
        assert_eq!(parts("SELECT /* /* ; */ ; */ 1;", Dialect::Redshift).0.len(), 1);
        assert_eq!(parts("DO $$ ; ' $$; DO $a$ ; $$ $a$;", Dialect::Redshift).0.len(), 2);
        assert_eq!(
            parts("-- c\n/* d */ create external table t (a int) comment 'x\\';y';", Dialect::Athena).0.len(),
            1
        );
        assert_eq!(parts("SELECT a$b$c; SELECT 1;", Dialect::Redshift).0.len(), 2);
    }

    #[test]
    fn ranges_fall_on_characters() {
        let (statements, remainder, _) = parts("\u{a0}SELECT 'ü';  日本\u{3000}", Dialect::Redshift);
        assert_eq!((statements, remainder), (vec!["SELECT 'ü';"], "日本"));
        assert!(!split(" -- nothing\n", Dialect::Redshift).incomplete);
        assert!(split("SELECT", Dialect::Redshift).incomplete);
    }
}
