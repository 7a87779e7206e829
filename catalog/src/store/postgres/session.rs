//! Sessions: what is set when one begins, and how its transactions begin.

use super::error::code;
use super::url::PostgresUrl;
use crate::store::database::{BUSY_TIMEOUT, Options};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Row};
use std::io;

/// The row is the writers' lock. Each statement sees what was committed before it: what the last writer did, once the
/// lock was waited for.
const BEGIN_WRITE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; \
     SELECT txid_current() FROM millrace_meta FOR UPDATE";

/// What a session begins with.
#[derive(Debug, Clone)]
pub(in crate::store) struct Session {
    settings: String,
}

impl Session {
    /// That of a catalog in a schema.
    fn new(url: &PostgresUrl) -> Self {
        let schema = quoted(&url.schema);
        let timeout = BUSY_TIMEOUT.as_millis();
        // Compiling queries as small as ours costs more than running them.
        let settings = format!(
            "SET search_path TO {schema}; SET lock_timeout TO {timeout}; SET client_min_messages TO warning; \
             SET IntervalStyle TO postgres; SET jit TO off"
        );
        Self { settings }
    }
}

/// How connections to a catalog are made.
pub(in crate::store) fn options(url: &PostgresUrl) -> Options {
    Options::Postgres(url.options.clone(), Session::new(url))
}

/// A name as SQL quotes it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Opens a session, waiting no longer for the server than for a lock.
pub(in crate::store) async fn connect(options: &PgConnectOptions, session: &Session) -> sqlx::Result<PgConnection> {
    let connecting = async {
        let mut connection = options.connect().await?;
        sqlx::raw_sql(AssertSqlSafe(session.settings.clone())).execute(&mut connection).await?;
        Ok(connection)
    };
    let timeout = || format!("the server did not answer within {} seconds", BUSY_TIMEOUT.as_secs());
    match tokio::time::timeout(BUSY_TIMEOUT, connecting).await {
        Ok(connected) => connected,
        Err(_) => Err(sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, timeout()))),
    }
}

/// Begins a transaction that no other writer runs beside; its number, for [`settle`](super::settle).
pub(in crate::store) async fn begin_write(connection: &mut PgConnection) -> sqlx::Result<i64> {
    let rows = sqlx::raw_sql(BEGIN_WRITE).fetch_all(connection).await?;
    rows.first().ok_or(sqlx::Error::RowNotFound)?.try_get(0)
}

/// Begins a transaction that no other one which makes or changes the tables of the schema runs beside.
pub(in crate::store) async fn begin_migration(connection: &mut PgConnection) -> sqlx::Result<()> {
    let begin = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; \
         SELECT pg_advisory_xact_lock(hashtextextended('millrace catalog ' || current_setting('search_path'), 0))";
    sqlx::raw_sql(begin).execute(connection).await.map(drop)
}

/// Makes the schema of a catalog where it is missing.
pub(super) async fn make_schema(connection: &mut PgConnection, schema: &str) -> sqlx::Result<()> {
    let query = "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1)";
    let (exists,): (bool,) = sqlx::query_as(query).bind(schema).fetch_one(&mut *connection).await?;
    if exists {
        // `IF NOT EXISTS` would ask for the right to make one all the same.
        return Ok(());
    }
    let made = sqlx::raw_sql(AssertSqlSafe(format!("CREATE SCHEMA {}", quoted(schema)))).execute(connection).await;
    match made {
        // Another process was faster.
        Err(error) if matches!(code(&error).as_deref(), Some("42P06" | "23505")) => Ok(()),
        made => made.map(drop),
    }
}
