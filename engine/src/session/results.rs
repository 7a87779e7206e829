//! Results and errors that a session makes itself.

use crate::error::{Error, ErrorKind};
use crate::result::{CommandTag, Notice, Severity, StatementResult};
use datafusion::arrow::datatypes::Schema;
use std::sync::Arc;

/// The result of a statement that gives no rows.
pub(super) fn done(verb: &'static str) -> StatementResult {
    StatementResult {
        schema: Arc::new(Schema::empty()),
        rows: None,
        tag: CommandTag::Verb(verb),
        notices: Vec::new(),
        progress: None,
    }
}

pub(super) fn warning(message: &str) -> Notice {
    Notice { severity: Severity::Warning, message: message.to_owned() }
}

pub(super) fn timed_out() -> Error {
    Error::new(ErrorKind::Cancelled, "canceling statement due to statement timeout")
}
