//! Texts of statements that come again and again, parsed once for all sessions of a warehouse.
//!
//! What a text means to the parser depends on its dialect and on what becomes of the case of its names in quotes, on nothing
//! else. Texts that may hold a secret are not kept, nor are those of
//! statements that change what exists, which seldom come twice. Queries that differ in the constants of their condition only
//! share the statement that they are with parameters.

use crate::error::Result;
use crate::sql::{self, Dialect, Names, ParsedStatement, Show, Statement};
use datafusion::sql::sqlparser::ast::Query;
use moka::sync::Cache;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The longest text that is kept, in bytes.
const LONGEST: usize = 8 << 10;
/// Bytes of texts that are kept, of each dialect, and of texts whose names keep their case; syntax trees are some dozen times as
/// large.
const KEPT_BYTES: u64 = 512 << 10;
/// What a text counts at least.
const LEAST_BYTES: usize = 128;

/// Queries with parameters that are kept.
const KEPT_QUERIES: u64 = 1_000;

/// The statements of a text.
type Statements = Arc<[ParsedStatement]>;

/// Texts that were parsed.
pub(crate) struct Texts {
    redshift: Cache<Arc<str>, Statements>,
    /// Those of Redshift's whose names in quotes keep their case.
    cased: Cache<Arc<str>, Statements>,
    athena: Cache<Arc<str>, Statements>,
    /// Queries with parameters.
    queries: Cache<(Dialect, Names, Query), Arc<ParsedStatement>>,
    /// The last number that a statement was given.
    last: AtomicU64,
}

impl Default for Texts {
    fn default() -> Self {
        let queries = Cache::builder().max_capacity(KEPT_QUERIES).build();
        Self { redshift: cache(), cased: cache(), athena: cache(), queries, last: AtomicU64::new(0) }
    }
}

impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Texts").field("redshift", &self.redshift.entry_count()).finish_non_exhaustive()
    }
}

fn cache() -> Cache<Arc<str>, Statements> {
    let weigh = |text: &Arc<str>, _: &Statements| u32::try_from(text.len().max(LEAST_BYTES)).unwrap_or(u32::MAX);
    Cache::builder().max_capacity(KEPT_BYTES).weigher(weigh).build()
}

impl Texts {
    /// The statements of a text.
    ///
    /// # Errors
    /// Those of [`sql::parse_named`].
    pub(crate) fn parse(&self, text: &str, dialect: Dialect, names: Names) -> Result<Statements> {
        let kept = match (dialect, names) {
            (Dialect::Redshift, Names::Folded) => &self.redshift,
            (Dialect::Redshift, Names::Kept) => &self.cased,
            (Dialect::Athena, _) => &self.athena,
        };
        let fits = text.len() <= LONGEST;
        if fits && let Some(statements) = kept.get(text) {
            return Ok(statements);
        }
        let mut statements = sql::parse_named(text, dialect, names)?;
        if !fits || !statements.iter().all(|parsed| comes_again(&parsed.statement)) {
            return Ok(statements.into());
        }
        for parsed in &mut statements {
            parsed.number = self.number();
        }
        let statements: Statements = statements.into();
        kept.insert(text.into(), Arc::clone(&statements));
        Ok(statements)
    }

    /// The statement that a query with parameters is; `parsed` is the first of those that are it with constants.
    pub(crate) fn with_parameters(&self, parsed: &ParsedStatement, query: Query) -> Arc<ParsedStatement> {
        let key = (parsed.dialect, parsed.names, query);
        if let Some(kept) = self.queries.get(&key) {
            return kept;
        }
        let statement = Statement::Query(Box::new(key.2.clone()));
        let kept = Arc::new(ParsedStatement { number: self.number(), ..parsed.within(statement) });
        self.queries.insert(key, Arc::clone(&kept));
        kept
    }

    /// A number that no other statement of this process has.
    pub(crate) fn number(&self) -> u64 {
        self.last.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// Whether a statement is one of those that applications repeat, none of which holds a secret.
fn comes_again(statement: &Statement) -> bool {
    matches!(
        statement,
        Statement::Query(_)
            | Statement::Insert(_)
            | Statement::Update(_)
            | Statement::Delete(_)
            | Statement::Merge(_)
            | Statement::Begin { .. }
            | Statement::Commit
            | Statement::Rollback
            | Statement::Set { .. }
            | Statement::Show(Show::Setting(_))
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn a_text_is_parsed_once_in_each_dialect() {
        let texts = Texts::default();
        let first = texts.parse("SELECT 1; SELECT 2", Dialect::Redshift, Names::Folded).unwrap();
        assert!(Arc::ptr_eq(&first, &texts.parse("SELECT 1; SELECT 2", Dialect::Redshift, Names::Folded).unwrap()));
        let other = texts.parse("SELECT 1; SELECT 2", Dialect::Athena, Names::Folded).unwrap();
        let numbers: Vec<u64> = first.iter().chain(other.iter()).map(|parsed| parsed.number).collect();
        assert_eq!(numbers, [1, 2, 3, 4]);
    }

    #[test]
    fn a_text_whose_names_keep_their_case_is_another() {
        let texts = Texts::default();
        let of = |names| texts.parse("SELECT \"A\" FROM \"T\"", Dialect::Redshift, names).unwrap();
        let (folded, kept) = (of(Names::Folded), of(Names::Kept));
        let written = |statements: &Statements| match &statements[0].statement {
            Statement::Query(query) => query.to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(written(&folded), "SELECT \"a\" FROM \"t\"");
        assert_eq!(written(&kept), "SELECT \"A\" FROM \"T\"");
        assert_ne!(folded[0].number, kept[0].number);
        assert!(Arc::ptr_eq(&kept, &of(Names::Kept)));
    }

    #[test]
    fn queries_with_other_constants_are_one_with_parameters() {
        let texts = Texts::default();
        let of = |text: &str| {
            let parsed = texts.parse(text, Dialect::Redshift, Names::Folded).unwrap();
            let Statement::Query(query) = &parsed[0].statement else { panic!("{text}") };
            let found = sql::key_query::with_parameters(query).unwrap();
            texts.with_parameters(&parsed[0], found.query)
        };
        let first = of("SELECT n FROM s.t WHERE id = 'a'");
        assert!(Arc::ptr_eq(&first, &of("SELECT n FROM s.t WHERE id = 'b'")));
        assert_ne!(first.number, of("SELECT m FROM s.t WHERE id = 'a'").number);
    }

    #[test]
    fn secrets_and_long_texts_are_not_kept() {
        let texts = Texts::default();
        let long = format!("SELECT '{}'", "x".repeat(LONGEST));
        for text in ["CREATE USER u PASSWORD 'Secret1'", "SELECT 1; CREATE USER u PASSWORD 'Secret1'", &long] {
            let parsed = texts.parse(text, Dialect::Redshift, Names::Folded).unwrap();
            assert!(parsed.iter().all(|parsed| parsed.number == 0), "{text}");
            assert!(!Arc::ptr_eq(&parsed, &texts.parse(text, Dialect::Redshift, Names::Folded).unwrap()), "{text}");
        }
    }
}
