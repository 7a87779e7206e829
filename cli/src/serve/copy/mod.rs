//! COPY between a client and a table: rows as CopyData messages, within one statement.
//!
//! [`input`] receives them, [`binary`] makes lines of binary ones; [`output`] sends them. Memory holds a few messages,
//! whichever way the rows go.

mod binary;
mod input;
mod output;

use super::connection::Connection;
use super::failure::Failure;
use millrace_engine::sql::{ParsedStatement, Statement};

impl Connection {
    /// Runs a COPY between client and table, to its end; its tag. `None` for another statement.
    pub(super) async fn copy(&mut self, parsed: &ParsedStatement) -> Result<Option<String>, Failure> {
        match &parsed.statement {
            Statement::CopyIn(copy) => self.copy_in(parsed, &copy.layout).await.map(Some),
            Statement::CopyOut(copy) => self.copy_out(parsed, &copy.layout).await.map(Some),
            _ => Ok(None),
        }
    }
}
