//! What one statement runs in: the warehouse, the session's settings at its start, and its own text.

use crate::lake::table::Lake;
use crate::result::CurrentProgress;
use crate::sql::{Dialect, ParsedStatement};
use crate::warehouse::Warehouse;
use datafusion::execution::session_state::SessionState;
use millrace_catalog::Catalog;
use std::sync::Arc;

/// The surroundings of one statement; later changes of the session do not reach it.
#[derive(Clone)]
pub(crate) struct Context {
    warehouse: Arc<Warehouse>,
    state: SessionState,
    database: String,
    dialect: Dialect,
    text: Arc<str>,
    progress: Arc<CurrentProgress>,
}

impl Context {
    /// The context of a statement.
    pub(crate) fn new(
        warehouse: Arc<Warehouse>,
        mut state: SessionState,
        database: String,
        statement: &ParsedStatement,
        progress: Arc<CurrentProgress>,
    ) -> Self {
        state.mark_start_execution();
        let dialect = statement.dialect;
        Self { warehouse, state, database, dialect, text: statement.text.as_str().into(), progress }
            .with_dialect(dialect)
    }

    /// The same in another dialect, for the text of a view.
    pub(crate) fn with_dialect(&self, dialect: Dialect) -> Self {
        let mut changed = self.clone();
        changed.dialect = dialect;
        let options = changed.state.config_mut().options_mut();
        dialect.default_null_ordering().clone_into(&mut options.sql_parser.default_null_ordering);
        changed
    }

    /// DataFusion's view of the session.
    pub(crate) fn state(&self) -> &SessionState {
        &self.state
    }

    /// The warehouse.
    pub(crate) fn warehouse(&self) -> &Arc<Warehouse> {
        &self.warehouse
    }

    /// The warehouse's catalog.
    pub(crate) fn catalog(&self) -> &Arc<Catalog> {
        self.warehouse.catalog()
    }

    /// What external tables share.
    pub(crate) fn lake(&self) -> &Arc<Lake> {
        self.warehouse.lake()
    }

    /// The database that unqualified names are looked up in.
    pub(crate) fn database(&self) -> &str {
        &self.database
    }

    /// Where a statement that runs to its end shows how far it is.
    pub(crate) fn progress(&self) -> &CurrentProgress {
        &self.progress
    }

    /// The statement's dialect.
    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// A parser's line and column in the statement's text, both from 1, as a character from 1; 0 where it is unknown.
    pub(crate) fn position_of(&self, span: Option<(u64, u64)>) -> usize {
        let Some((line, column)) = span else { return 0 };
        let skipped = usize::try_from(line.saturating_sub(1)).unwrap_or(0);
        let before: usize = self.text.split('\n').take(skipped).map(|text| text.chars().count() + 1).sum();
        before + usize::try_from(column).unwrap_or(0)
    }
}
