//! What became of a transaction whose `COMMIT` got no answer: the server knows by the transaction's number.

use crate::error::{CatalogError, Result};
use crate::store::database::{BUSY_TIMEOUT, Options};
use crate::store::place::Place;
use crate::store::sql::sql;
use std::time::{Duration, Instant};

/// Between two questions.
const RETRY: Duration = Duration::from_millis(100);

/// Asks the server, which may have to come back first, whether transaction `number` was committed.
///
/// [`CatalogError::Unavailable`] when it was not; [`CatalogError::UnknownOutcome`] when nobody can say.
pub(in crate::store) async fn settle(options: &Options, place: &Place, number: i64, lost: sqlx::Error) -> Result<()> {
    tracing::warn!(%place, error = %lost, "a commit got no answer: asking what became of it");
    let deadline = Instant::now() + BUSY_TIMEOUT;
    loop {
        match tokio::time::timeout(BUSY_TIMEOUT, ask(options, number)).await {
            Ok(Ok(Some(state))) if state == "committed" => return Ok(()),
            Ok(Ok(Some(state))) if state == "aborted" => {
                let message = format!("the connection to {place} was lost: nothing was changed: {lost}");
                return Err(CatalogError::Unavailable { message, source: Some(Box::new(lost)) });
            }
            // A state so old that the server has forgotten it does not come back.
            Ok(Ok(None)) => break,
            _ if Instant::now() >= deadline => break,
            _ => tokio::time::sleep(RETRY).await,
        }
    }
    let message = format!("the connection to {place} was lost while a transaction committed: {lost}");
    Err(CatalogError::UnknownOutcome { message, source: Box::new(lost) })
}

async fn ask(options: &Options, number: i64) -> sqlx::Result<Option<String>> {
    let mut connection = options.connect().await?;
    let row = connection.first::<(Option<String>,)>(sql("SELECT txid_status($1)").bind(number)).await?;
    let _ = connection.close().await;
    Ok(row.and_then(|(state,)| state))
}
