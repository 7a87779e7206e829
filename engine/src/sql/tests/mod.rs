//! The parser as its callers see it, a file a family. The texts follow the syntax pages of Redshift, Athena and Hive.

#![allow(clippy::unwrap_used, clippy::panic)]

mod alter;
mod analyze;
mod crawler;
mod create;
mod errors;
mod limits;
mod managed;
mod query;
mod show;
mod vacuum;

use crate::sql::{Dialect, ParsedStatement, Statement, parse};
use crate::{Error, ErrorKind};
use Dialect::{Athena, Redshift};

fn one(text: &str, dialect: Dialect) -> Statement {
    let mut statements = parse(text, dialect).unwrap_or_else(|e| panic!("{text}: {e}"));
    assert_eq!(statements.len(), 1, "{text}");
    statements.remove(0).statement
}

fn error(text: &str, dialect: Dialect) -> Error {
    match parse(text, dialect) {
        Ok(statements) => panic!("{text}: {statements:?}"),
        Err(error) => error,
    }
}

/// That each text is refused with 0A000 in these words, at this position.
fn refuses(dialect: Dialect, cases: &[(&str, &str, usize)]) {
    for (text, construct, position) in cases {
        let error = error(text, dialect);
        assert_eq!(error.kind, ErrorKind::Unsupported, "{text}: {error}");
        assert_eq!(error.message, format!("{construct} is not supported"), "{text}");
        assert_eq!(error.position, Some(*position), "{text}");
    }
}

fn map<const N: usize>(pairs: [(&str, &str); N]) -> millrace_catalog::model::Parameters {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

#[test]
fn statements_keep_their_text_and_place() {
    let text = "  SELECT 'ü;' ; -- first; comment\n; /* c */ DROP TABLE t\n;\n\n";
    let statements: Vec<ParsedStatement> = parse(text, Redshift).unwrap();
    let texts: Vec<(&str, usize)> = statements.iter().map(|s| (s.text.as_str(), s.offset)).collect();
    assert_eq!(texts, [("SELECT 'ü;'", 2), ("/* c */ DROP TABLE t", 36)]);
    let Statement::DropTable(drop) = &statements[1].statement else { panic!() };
    assert_eq!(drop.names[0].position, 20);
    for empty in ["", ";", " ;; -- a\n/* b; */ ; "] {
        assert!(parse(empty, Athena).unwrap().is_empty(), "{empty}");
    }
}
