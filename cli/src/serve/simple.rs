//! The simple protocol: a text of any number of statements, results as text.

use super::connection::{Connection, watched};
use super::failure::Failure;
use super::rows::{Sending, deadline, row_description};
use super::value::Format;
use millrace_engine::sql::ParsedStatement;
use millrace_engine::{Error, ErrorKind};
use pgwire::messages::response::{CommandComplete, EmptyQueryResponse};

/// Bytes of a statement's text, Redshift's limit.
const MOST_TEXT_BYTES: usize = 16 << 20;

impl Connection {
    /// Runs the statements of a text in order; the first error ends it.
    pub(super) async fn simple_query(&mut self, text: &str) -> Result<(), Failure> {
        check_size(text)?;
        // The unnamed portal does not outlive a simple query.
        self.portals.remove("");
        let statements = self.session.parse_again(text)?;
        if statements.is_empty() {
            return self.wire.push(&EmptyQueryResponse::new());
        }
        for (at, statement) in statements.iter().enumerate() {
            // Several statements are one transaction, unless they say otherwise.
            if statements.len() > 1 {
                self.session.begin_implicit(statement).await?;
            }
            let tag = self.simple_statement(statement).await?;
            if at + 1 == statements.len() {
                self.session.end_implicit().await?;
            }
            self.wire.push(&CommandComplete::new(tag))?;
        }
        Ok(())
    }

    /// Runs a statement and sends its rows; gives its tag.
    async fn simple_statement(&mut self, statement: &ParsedStatement) -> Result<String, Failure> {
        if let Some(tag) = self.copy(statement).await? {
            return Ok(tag);
        }
        let (cancel, deadline) = (self.cancellable(), deadline(&self.session));
        let result = watched(self.session.execute(statement), &mut self.wire, &cancel).await;
        let mut result = result.map_err(|failure| failure.of(statement))?;
        self.notify(&std::mem::take(&mut result.notices))?;
        result.schema = self.as_known(&result.schema);
        let formats = vec![Format::Text; result.schema.fields().len()];
        let tag = result.tag.text(0);
        if result.rows.is_some() {
            self.wire.push(&row_description(&result.schema, &formats))?;
        }
        match Sending::of(result, formats, &self.session, deadline) {
            Some(mut sending) => {
                sending.send(&mut self.wire, 0, &cancel).await?;
                Ok(sending.tag())
            }
            None => Ok(tag),
        }
    }
}

/// Refuses a text that is too long for a statement.
///
/// # Errors
/// `LimitExceeded`.
pub(super) fn check_size(text: &str) -> Result<(), Error> {
    if text.len() <= MOST_TEXT_BYTES {
        return Ok(());
    }
    let message = format!("statement is too large: {} bytes, at most {MOST_TEXT_BYTES} are allowed", text.len());
    Err(Error::new(ErrorKind::LimitExceeded, message))
}
