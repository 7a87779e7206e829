//! A suite: tables, queries over them, and the answers that are known.

use include_dir::{Dir, include_dir};

static QUERIES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/queries");
static ANSWERS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/answers");

/// A table of a suite.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// Its name, which is also its folder's.
    pub name: &'static str,
    /// Its columns in Hive's DDL.
    pub columns: &'static str,
    /// Its columns in Redshift's DDL.
    pub managed_columns: &'static str,
    /// Distribution and sort key.
    pub attributes: &'static str,
}

/// A query of a suite.
pub fn query(suite: &str, number: usize) -> Option<&'static str> {
    QUERIES.get_file(format!("{suite}/q{number}.sql"))?.contents_utf8()
}

/// The answer to a query where one is published.
pub fn answer(suite: &str, number: usize) -> Option<&'static str> {
    ANSWERS.get_file(format!("{suite}/q{number}.csv"))?.contents_utf8()
}
