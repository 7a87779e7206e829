//! What a session makes of results: those without rows, what is kept while rows are read, and the deadline.

use crate::error::{Error, ErrorKind};
use crate::result::{CommandTag, Notice, Severity, StatementResult};
use datafusion::arrow::datatypes::Schema;
use datafusion::error::DataFusionError;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;
use std::sync::Arc;
use tokio::time::Instant;

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

/// Keeps what a result's rows are read from until they have been read.
pub(super) fn holding(mut result: StatementResult, held: impl Send + Sync + 'static) -> StatementResult {
    result.rows = result.rows.map(|rows| {
        let schema = rows.schema();
        let rows = rows.inspect(move |_| {
            let _ = &held;
        });
        Box::pin(RecordBatchStreamAdapter::new(schema, rows)) as _
    });
    result
}

/// Ends a result's rows with an error at the deadline.
pub(super) fn with_deadline(mut result: StatementResult, deadline: Instant) -> StatementResult {
    result.rows = result.rows.map(|rows| {
        let schema = rows.schema();
        let watched = futures::stream::unfold(Some((rows, deadline)), |state| async move {
            let (mut rows, deadline) = state?;
            match tokio::time::timeout_at(deadline, rows.next()).await {
                Ok(Some(batch)) => Some((batch, Some((rows, deadline)))),
                Ok(None) => None,
                Err(_) => Some((Err(DataFusionError::from(timed_out())), None)),
            }
        });
        Box::pin(RecordBatchStreamAdapter::new(schema, watched)) as _
    });
    result
}
