//! Sessions: what is set when one begins, and how its transactions begin.

use super::error::code;
use super::url::PostgresUrl;
use crate::store::database::{BUSY_TIMEOUT, Durability, Options};
use crate::store::sql::quoted;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Row};
use std::io;
use std::time::Duration;

/// The row is the writers' lock. Each statement sees what was committed before it: what the last writer did, once the
/// lock was waited for.
const BEGIN_WRITE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; \
     SELECT txid_current() FROM millrace_meta FOR UPDATE";
/// The same for a commit that does not wait for the disk; the log has it before whatever is committed later.
const BEGIN_WRITE_LAZILY: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; \
     SET LOCAL synchronous_commit TO off; SELECT txid_current() FROM millrace_meta FOR UPDATE";

/// How long a statement may run: those of the catalog take milliseconds, those that forget thousands of expired snapshots
/// or add an index some seconds.
const STATEMENT_TIMEOUT: Duration = Duration::from_mins(2);
/// How long the server waits for a client that is silent before it takes its machine or the network to be gone, and within
/// a transaction for the next statement. A client that is stopped or cut off would otherwise keep the writers' lock for as
/// long as TCP allows, which is hours.
const SILENCE_TIMEOUT: Duration = Duration::from_mins(1);

/// What a session begins with.
#[derive(Debug, Clone)]
pub(in crate::store) struct Session {
    settings: String,
}

impl Session {
    /// That of a catalog in a schema.
    fn new(url: &PostgresUrl) -> Self {
        let schema = quoted(&url.schema);
        let (lock, statement, silence) =
            (BUSY_TIMEOUT.as_millis(), STATEMENT_TIMEOUT.as_millis(), SILENCE_TIMEOUT.as_millis());
        // Three probes in the last half of the time. Servers on systems without one of these settings pass over it.
        let (idle, interval) = (SILENCE_TIMEOUT.as_secs() / 2, SILENCE_TIMEOUT.as_secs() / 6);
        // Compiling queries as small as ours costs more than running them.
        let settings = format!(
            "SET search_path TO {schema}; SET lock_timeout TO {lock}; SET statement_timeout TO {statement}; \
             SET idle_in_transaction_session_timeout TO {silence}; SET tcp_user_timeout TO {silence}; \
             SET tcp_keepalives_idle TO {idle}; SET tcp_keepalives_interval TO {interval}; \
             SET tcp_keepalives_count TO 3; \
             SET client_min_messages TO warning; SET IntervalStyle TO postgres; SET jit TO off"
        );
        Self { settings }
    }
}

/// How connections to a catalog are made.
pub(in crate::store) fn options(url: &PostgresUrl) -> Options {
    Options::Postgres(url.options.clone(), Session::new(url))
}

/// Opens a session, waiting no longer for the server than for a lock.
pub(in crate::store) async fn connect(options: &PgConnectOptions, session: &Session) -> sqlx::Result<PgConnection> {
    let connecting = async {
        let mut connection = options.connect().await?;
        sqlx::raw_sql(AssertSqlSafe(session.settings.clone())).execute(&mut connection).await?;
        Ok(connection)
    };
    within(BUSY_TIMEOUT, connecting).await
}

/// Waits for the answer to a statement, a little longer than the server lets the statement run: what has not come by then
/// does not come, because the network or the server is dead. sqlx does not let us ask TCP for that. The connection is of
/// no more use.
pub(in crate::store) async fn answered<T>(answer: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    within(STATEMENT_TIMEOUT + BUSY_TIMEOUT, answer).await
}

async fn within<T>(time: Duration, answer: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    let late = || format!("the server did not answer within {} seconds", time.as_secs());
    match tokio::time::timeout(time, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, late()))),
    }
}

/// Begins a transaction that no other writer runs beside; its number, for [`settle`](super::settle).
pub(in crate::store) async fn begin_write(connection: &mut PgConnection, durability: Durability) -> sqlx::Result<i64> {
    let begin = match durability {
        Durability::AtOnce => BEGIN_WRITE,
        Durability::WithTheNext => BEGIN_WRITE_LAZILY,
    };
    let rows = answered(sqlx::raw_sql(begin).fetch_all(connection)).await?;
    rows.first().ok_or(sqlx::Error::RowNotFound)?.try_get(0)
}

/// Begins a transaction that no other one which makes or changes the tables of the schema runs beside.
pub(in crate::store) async fn begin_migration(connection: &mut PgConnection) -> sqlx::Result<()> {
    let begin = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; \
         SELECT pg_advisory_xact_lock(hashtextextended('millrace catalog ' || current_setting('search_path'), 0))";
    answered(sqlx::raw_sql(begin).execute(connection)).await.map(drop)
}

/// Makes the schema of a catalog where it is missing.
pub(in crate::store) async fn make_schema(connection: &mut PgConnection, url: &PostgresUrl) -> sqlx::Result<()> {
    let query = "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1)";
    let (exists,): (bool,) = sqlx::query_as(query).bind(&url.schema).fetch_one(&mut *connection).await?;
    if exists {
        // `IF NOT EXISTS` would ask for the right to make one all the same.
        return Ok(());
    }
    let made = sqlx::raw_sql(AssertSqlSafe(format!("CREATE SCHEMA {}", quoted(&url.schema)))).execute(connection).await;
    match made {
        // Another process was faster.
        Err(error) if matches!(code(&error).as_deref(), Some("42P06" | "23505")) => Ok(()),
        made => made.map(drop),
    }
}
