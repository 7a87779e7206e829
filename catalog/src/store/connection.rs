//! Connections lent to one task at a time, and the transaction that every change is made in.
//!
//! A connection goes back only when its work ended well. After an error, or when a task is cancelled, it is closed
//! instead: closing rolls back whatever was open, in every state that an error may have left SQLite in.

use super::sqlite::{BEGIN_WRITE, BUSY_TIMEOUT, Db, DbArguments, DbConnection, DbRow, fault};
use crate::error::{CatalogError, Result};
use sqlx::query::{Query, QueryAs};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, FromRow};
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Up to a fixed number of connections with the same options, opened when first needed.
pub(super) struct Connections {
    options: SqliteConnectOptions,
    permits: Semaphore,
    idle: Mutex<Vec<DbConnection>>,
}

impl Connections {
    pub(super) fn new(options: SqliteConnectOptions, most: usize) -> Self {
        Self { options, permits: Semaphore::new(most), idle: Mutex::new(Vec::with_capacity(most)) }
    }

    /// The file that the connections are to.
    pub(super) fn path(&self) -> &Path {
        self.options.get_filename()
    }

    /// Keeps a connection for later use.
    pub(super) fn put(&self, connection: DbConnection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }

    fn take(&self) -> Option<DbConnection> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Waits for a connection; [`CatalogError::Unavailable`] after as long as a lock is waited for.
    pub(super) async fn lease(&self) -> Result<Lease<'_>> {
        let permit = match tokio::time::timeout(BUSY_TIMEOUT, self.permits.acquire()).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) => return Err(closed(self.path())),
            Err(_) => return Err(fault(self.path(), sqlx::Error::PoolTimedOut)),
        };
        let connection = match self.take() {
            Some(connection) => connection,
            None => self.options.connect().await.map_err(|e| fault(self.path(), e))?,
        };
        Ok(Lease { from: self, _permit: permit, connection })
    }

    /// Closes the connections in order; later leases fail.
    pub(super) async fn close(&self) {
        self.permits.close();
        while let Some(connection) = self.take() {
            if let Err(error) = connection.close().await {
                tracing::warn!(%error, "could not close a connection of the catalog");
            }
        }
    }
}

fn closed(path: &Path) -> CatalogError {
    CatalogError::Unavailable { message: format!("{} is closed", path.display()), source: None }
}

/// A connection in use. Dropping it closes the connection; [`Lease::release`] gives it back.
pub(super) struct Lease<'a> {
    from: &'a Connections,
    _permit: SemaphorePermit<'a>,
    connection: DbConnection,
}

impl Lease<'_> {
    /// The file, for messages.
    pub(super) fn path(&self) -> &Path {
        self.from.path()
    }

    pub(super) fn release(self) {
        self.from.put(self.connection);
    }

    /// Runs a statement; how many rows it changed.
    pub(super) async fn execute(&mut self, query: Query<'_, Db, DbArguments>) -> Result<u64> {
        match query.execute(&mut self.connection).await {
            Ok(done) => Ok(done.rows_affected()),
            Err(error) => Err(fault(self.path(), error)),
        }
    }

    /// All rows of a query.
    pub(super) async fn all<T>(&mut self, query: QueryAs<'_, Db, T, DbArguments>) -> Result<Vec<T>>
    where
        T: Send + Unpin + for<'r> FromRow<'r, DbRow>,
    {
        query.fetch_all(&mut self.connection).await.map_err(|e| fault(self.from.path(), e))
    }

    /// The first row of a query.
    pub(super) async fn first<T>(&mut self, query: QueryAs<'_, Db, T, DbArguments>) -> Result<Option<T>>
    where
        T: Send + Unpin + for<'r> FromRow<'r, DbRow>,
    {
        query.fetch_optional(&mut self.connection).await.map_err(|e| fault(self.from.path(), e))
    }

    /// The one number that a query over the catalog's own row, or a count, gives.
    pub(super) async fn number(&mut self, query: QueryAs<'_, Db, (i64,), DbArguments>) -> Result<i64> {
        match self.first(query).await? {
            Some((number,)) => Ok(number),
            None => Err(CatalogError::Damaged(format!("the catalog {} lacks its own row", self.path().display()))),
        }
    }

    /// Starts reading one state of the database, whatever others commit meanwhile.
    pub(super) async fn begin_read(&mut self) -> Result<()> {
        self.execute(sqlx::query("BEGIN")).await.map(drop)
    }

    /// Ends what [`Lease::begin_read`] or a write began, without changes, and gives the connection back.
    pub(super) async fn end(mut self) -> Result<()> {
        self.execute(sqlx::query("ROLLBACK")).await?;
        self.release();
        Ok(())
    }
}

/// A transaction that holds the write lock. Dropped without [`Write::commit`], it leaves nothing behind.
pub(super) struct Write<'a>(Lease<'a>);

impl<'a> Write<'a> {
    pub(super) async fn begin(mut lease: Lease<'a>) -> Result<Self> {
        lease.execute(sqlx::query(BEGIN_WRITE)).await?;
        Ok(Self(lease))
    }

    /// Moves the commit counter and makes the changes durable.
    pub(super) async fn commit(mut self) -> Result<()> {
        self.execute(sqlx::query("UPDATE millrace_meta SET version = version + 1")).await?;
        self.commit_unseen().await
    }

    /// Makes changes durable that no snapshot shows: the commit counter stays, and with it what readers keep.
    pub(super) async fn commit_unseen(mut self) -> Result<()> {
        self.execute(sqlx::query("COMMIT")).await?;
        self.0.release();
        Ok(())
    }

    /// Ends a transaction that found nothing to change.
    pub(super) async fn abandon(self) -> Result<()> {
        self.0.end().await
    }

    /// Takes `count` numbers that nothing else in the catalog has or will have; the first of them.
    pub(super) async fn allocate(&mut self, count: usize) -> Result<i64> {
        let first = self.number(sqlx::query_as("SELECT next_id FROM millrace_meta")).await?;
        let query = sqlx::query("UPDATE millrace_meta SET next_id = next_id + $1").bind(count as i64);
        self.execute(query).await?;
        Ok(first)
    }
}

impl<'a> Deref for Write<'a> {
    type Target = Lease<'a>;

    fn deref(&self) -> &Lease<'a> {
        &self.0
    }
}

impl<'a> DerefMut for Write<'a> {
    fn deref_mut(&mut self) -> &mut Lease<'a> {
        &mut self.0
    }
}
