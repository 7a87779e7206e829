//! What loads need of their session: a client's rows, and statistics once a load has committed.

use super::Session;
use crate::error::Result;
use crate::load::CopyInput;
use crate::result::{Notice, Severity, StatementResult};
use crate::sql::{self, Dialect, Names, ParsedStatement, Statement};
use crate::system;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Where a statement takes its client's rows from, once.
pub(super) type InputSlot = Arc<Mutex<Option<CopyInput>>>;

impl Session {
    /// Executes `COPY … FROM STDIN` with the rows that a [`crate::CopyFeed`] gives.
    ///
    /// # Errors
    /// As [`Session::execute`]; what is wrong with the first row that is bad.
    pub async fn execute_reading(&mut self, parsed: &ParsedStatement, input: CopyInput) -> Result<StatementResult> {
        *self.input.lock().unwrap_or_else(PoisonError::into_inner) = Some(input);
        let result = self.execute(parsed).await;
        self.input.lock().unwrap_or_else(PoisonError::into_inner).take();
        result
    }

    /// Gathers the statistics of tables that a transaction has filled, after its commit; warnings where it cannot.
    pub(super) async fn analyze_loaded(&mut self, tables: BTreeSet<(String, String)>) -> Vec<Notice> {
        let mut notices = Vec::new();
        for (schema, name) in tables {
            let text = format!("ANALYZE {}.{}", system::quoted(&schema), system::quoted(&name));
            let analyzed = match sql::parse_named(&text, Dialect::Redshift, Names::Kept).map(|mut parsed| parsed.pop())
            {
                Ok(Some(parsed)) => Box::pin(self.autocommit(&parsed)).await.map(drop),
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = analyzed {
                let message = format!("the statistics of \"{name}\" were not updated: {}", error.message);
                notices.push(Notice { severity: Severity::Warning, message });
            }
        }
        notices
    }
}

/// Whether a statement may begin again: not with a client's rows, which come once.
pub(super) fn repeats(parsed: &ParsedStatement) -> bool {
    !matches!(parsed.statement, Statement::CopyIn(_))
}
