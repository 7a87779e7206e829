//! What a session lays around the rows of a result, which are computed as they are read.

use super::timed_out;
use crate::result::StatementResult;
use datafusion::error::DataFusionError;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::time::Instant;

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

/// Makes the block void that a statement ran in, by its mark, when the result's rows end with an error.
pub(super) fn failing(mut result: StatementResult, failed: Option<Arc<AtomicBool>>) -> StatementResult {
    let Some(failed) = failed else { return result };
    result.rows = result.rows.map(|rows| {
        let schema = rows.schema();
        let rows = rows.inspect(move |batch| {
            if batch.is_err() {
                failed.store(true, Ordering::Relaxed);
            }
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
