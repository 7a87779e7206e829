//! A suite: tables, queries over them, and the answers that are known.

use crate::compare::{self, Digits, Row};
use crate::target::Kind;
use anyhow::{Context, Result};
use include_dir::{Dir, include_dir};
use std::path::PathBuf;

static QUERIES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/queries");
static ANSWERS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/answers");

/// What is measured: tables out of Parquet files, and queries.
#[derive(Debug, Clone)]
pub struct Suite {
    /// For people, with its size: `TPC-H, scale 1`.
    pub title: String,
    /// The beginning of the names of folders: `tpch-1`.
    pub folder: String,
    /// Where each table's Parquet files are, a folder a table.
    pub data: PathBuf,
    /// The tables.
    pub tables: Vec<Table>,
    /// The queries, in order.
    pub queries: Vec<Query>,
    /// What DuckDB's sessions are told first.
    pub duckdb_settings: Vec<String>,
}

/// What a table's files are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// Parquet.
    #[default]
    Parquet,
    /// Text, its values between bars, without a header.
    Csv,
    /// A JSON object a line, compressed by gzip.
    JsonGzip,
    /// ORC.
    Orc,
}

/// A table of a suite.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    /// Its name, which is also its folder's.
    pub name: String,
    /// Its columns in Redshift's DDL; between two are a comma and a space, within a type is none.
    pub columns: String,
    /// The columns of its primary key; empty without.
    pub primary_key: String,
    /// Distribution and sort key.
    pub attributes: String,
    /// Whether managed tables are filled by COPY instead of INSERT.
    pub is_copied: bool,
    /// What its files are.
    pub format: Format,
    /// Columns that are folders, in Hive's DDL; empty without.
    pub keys: String,
}

/// A query of a suite.
#[derive(Debug, Clone)]
pub struct Query {
    /// Its number, by which it is chosen.
    pub number: usize,
    /// Its name in a report.
    pub name: String,
    /// What is timed.
    pub timed: Words,
    /// What is compared first: the same rows, in an order without ties.
    pub checked: Words,
    /// Whether the rows of `checked` come in an order; otherwise they are compared as a set.
    pub is_ordered: bool,
    /// How near numbers have to be.
    pub digits: Digits,
    /// The answer where one is published for the suite's size.
    pub published: Option<Vec<Row>>,
}

impl Query {
    /// A query whose order has no ties and which everyone takes in the same words.
    pub fn plain(number: usize, text: &str) -> Self {
        Self {
            number,
            name: format!("Q{number}"),
            timed: Words::of_all(text),
            checked: Words::of_all(text),
            is_ordered: true,
            digits: Digits::Same,
            published: None,
        }
    }

    /// A query with so many columns, whose ties are decided for the comparison by all of them.
    pub fn with_ties(number: usize, timed: Words, checked: &Words, columns: usize) -> Self {
        let (text, is_ordered) = ordered(&checked.standard, columns);
        let others = checked.others.iter().map(|(kind, text)| (*kind, ordered(text, columns).0)).collect();
        Self {
            number,
            name: format!("Q{number}"),
            timed,
            checked: Words { standard: text, others },
            is_ordered,
            digits: Digits::Same,
            published: None,
        }
    }
}

/// A statement in the words of each target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// Ours, and of all that are not named.
    pub standard: String,
    /// What others say otherwise.
    pub others: Vec<(Kind, String)>,
}

impl Words {
    /// The same for everyone.
    pub fn of_all(text: &str) -> Self {
        Self { standard: text.to_owned(), others: Vec::new() }
    }

    /// Those of a kind say it in their own way.
    #[must_use]
    pub fn and(mut self, kinds: impl IntoIterator<Item = Kind>, text: &str) -> Self {
        self.others.extend(kinds.into_iter().map(|kind| (kind, text.to_owned())));
        self
    }

    /// What a target is told.
    pub fn of(&self, kind: Kind) -> &str {
        self.others.iter().find(|(other, _)| *other == kind).map_or(&self.standard, |(_, text)| text)
    }
}

/// The text of a query of a suite.
pub fn query(suite: &str, number: usize) -> Result<&'static str> {
    let file = QUERIES.get_file(format!("{suite}/q{number}.sql"));
    file.and_then(include_dir::File::contents_utf8).with_context(|| format!("there is no query {number}"))
}

/// The answer to a query where one is published.
pub fn answer(suite: &str, number: usize) -> Option<Vec<Row>> {
    let text = ANSWERS.get_file(format!("{suite}/q{number}.csv"))?.contents_utf8()?;
    Some(compare::parse_answer(text))
}

/// The query with all its columns as the last keys of its order, and whether it has an order: so that ties before a
/// LIMIT are decided alike everywhere. A LIMIT without an order gets one.
fn ordered(text: &str, columns: usize) -> (String, bool) {
    let text = text.trim().trim_end_matches(';').trim_end();
    let numbers = (1..=columns).map(|number| number.to_string()).collect::<Vec<_>>().join(", ");
    let (body, limit) = text.split_at(limit_at(text).unwrap_or(text.len()));
    match last_word(body, "ORDER BY") {
        Some(at) if balanced(&body[at..]) => {
            (format!("{}, {numbers} {limit}", body.trim_end()).trim_end().to_owned(), true)
        }
        _ if !limit.is_empty() => (format!("{} ORDER BY {numbers} {limit}", body.trim_end()), true),
        _ => (text.to_owned(), false),
    }
}

/// Where the LIMIT at the end of a query begins.
fn limit_at(text: &str) -> Option<usize> {
    let at = last_word(text, "LIMIT")?;
    let words = text[at..].split_whitespace().collect::<Vec<_>>();
    let is_number = |word: &&str| word.bytes().all(|byte| byte.is_ascii_digit());
    match words.as_slice() {
        [_, limit] if is_number(limit) => Some(at),
        [_, limit, offset, rows] if is_number(limit) && is_number(rows) && offset.eq_ignore_ascii_case("offset") => {
            Some(at)
        }
        _ => None,
    }
}

/// Where keywords stand for the last time, whatever white space is between them.
fn last_word(text: &str, keywords: &str) -> Option<usize> {
    let upper = text.to_ascii_uppercase();
    let (first, rest) = keywords.split_once(' ').map_or((keywords, None), |(first, rest)| (first, Some(rest)));
    let mut end = upper.len();
    while let Some(at) = upper[..end].rfind(first) {
        let before = upper[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric() && c != '_');
        let after = &upper[at + first.len()..];
        let follows = match rest {
            Some(rest) => after.trim_start().starts_with(rest),
            None => after.starts_with(char::is_whitespace),
        };
        if before && follows && after.starts_with(char::is_whitespace) {
            return Some(at);
        }
        end = at;
    }
    None
}

/// Whether as many parentheses are closed as opened: an order that is not within a subquery or a window.
fn balanced(text: &str) -> bool {
    text.matches('(').count() == text.matches(')').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_are_decided_by_all_columns() {
        for (text, expected, is_ordered) in [
            ("SELECT a, b FROM t ORDER BY a LIMIT 10;", "SELECT a, b FROM t ORDER BY a, 1, 2 LIMIT 10", true),
            (
                "select a, b from t\norder  by a desc\nlimit 10 offset 5\n",
                "select a, b from t\norder  by a desc, 1, 2 limit 10 offset 5",
                true,
            ),
            ("SELECT a, b FROM t LIMIT 3", "SELECT a, b FROM t ORDER BY 1, 2 LIMIT 3", true),
            ("SELECT a, b FROM t", "SELECT a, b FROM t", false),
            ("SELECT a, rank() OVER (ORDER BY b) FROM t", "SELECT a, rank() OVER (ORDER BY b) FROM t", false),
            ("SELECT a, b FROM t ORDER BY f(a), (b)", "SELECT a, b FROM t ORDER BY f(a), (b), 1, 2", true),
            ("SELECT a, order_by FROM t, limits", "SELECT a, order_by FROM t, limits", false),
        ] {
            assert_eq!(ordered(text, 2), (expected.to_owned(), is_ordered), "{text}");
        }
    }

    #[test]
    fn targets_have_their_own_words() {
        let words = Words::of_all("SELECT LEN(a)").and(Kind::DUCKDB, "SELECT STRLEN(a)");
        assert_eq!(words.of(Kind::Managed), "SELECT LEN(a)");
        assert_eq!(words.of(Kind::Polars), "SELECT LEN(a)");
        assert_eq!(words.of(Kind::DuckDbParquet), "SELECT STRLEN(a)");
    }
}
