//! What PostgreSQL's errors mean to a catalog (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).

use super::url::PostgresUrl;
use crate::error::CatalogError;
use crate::store::database::BUSY_TIMEOUT;
use std::error::Error;

/// The SQLSTATE.
pub(super) fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(std::borrow::Cow::into_owned)
}

/// Whether the connection is gone, and with it the answer.
pub(in crate::store) fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed => true,
        // Shutdown by the administrator, crash, starting up; a transaction that was idle for too long; and those of class
        // 08, connection exceptions.
        other => code(other).is_some_and(|code| code.starts_with("08") || code.starts_with("57P") || code == "25P03"),
    }
}

/// Whether a transaction failed for what another one did at the same time, so that the same again may succeed: could
/// not be serialized, deadlock, a number or name that another program's commit has taken.
pub(in crate::store) fn collided(error: &CatalogError) -> bool {
    let CatalogError::Unavailable { source: Some(source), .. } = error else { return false };
    let source: &(dyn Error + 'static) = source.as_ref();
    source
        .downcast_ref()
        .and_then(code)
        .is_some_and(|code| matches!(code.as_str(), "40001" | "40P01" | "23505" | "42P07"))
}

/// The catalog's error for an error of the database, with the server named.
pub(in crate::store) fn fault(url: &PostgresUrl, error: sqlx::Error) -> CatalogError {
    let detail = match &error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        sqlx::Error::Io(error) => error.to_string(),
        other => other.to_string(),
    };
    let message = match code(&error).as_deref() {
        Some("25006") => return CatalogError::ReadOnly(url.to_string()),
        Some("42P01" | "42703") => {
            return CatalogError::Damaged(format!("the catalog {url} lacks what this program expects: {detail}"));
        }
        Some("XX001" | "XX002") => return CatalogError::Damaged(format!("the catalog {url} is damaged: {detail}")),
        // PostgreSQL's texts have no U+0000.
        Some("22021" | "22P05") => {
            return CatalogError::InvalidArgument(format!("cannot be stored in the catalog: {detail}"));
        }
        Some("55P03") => {
            format!("{url} stayed locked by another session for {} seconds", BUSY_TIMEOUT.as_secs())
        }
        Some("57014") => format!("{url} gave a statement up that took too long: {detail}"),
        Some("53100") => format!("disk full at {url}: {detail}"),
        Some("40001" | "40P01" | "23505" | "42P07") => {
            format!("another program changed {url} at the same time: {detail}")
        }
        Some("28P01" | "28000" | "3D000" | "53300" | "57P03") => format!("could not connect to {url}: {detail}"),
        _ if matches!(error, sqlx::Error::PoolTimedOut) => {
            format!("all connections to {url} stayed in use for {} seconds", BUSY_TIMEOUT.as_secs())
        }
        _ if matches!(error, sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } | sqlx::Error::RowNotFound) => {
            return CatalogError::Damaged(format!("the catalog {url} is damaged: {detail}"));
        }
        _ if is_lost(&error) => format!("no connection to {url}: {detail}"),
        _ => format!("{url}: {detail}"),
    };
    CatalogError::Unavailable { message, source: Some(Box::new(error)) }
}
