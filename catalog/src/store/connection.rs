//! Connections lent to one task at a time, and the transaction that every change is made in.
//!
//! A connection goes back only when its work ended well. After an error, or when a task is cancelled, it is closed
//! instead: closing rolls back whatever was open, in every state that an error may have left the database in.

use super::batch::Batch;
use super::database::{BUSY_TIMEOUT, Connection, Database, Durability, Options, fault};
use super::place::Place;
use super::row::FromRow;
use super::sql::{Sql, sql};
use super::{postgres, sqlite};
use crate::error::{CatalogError, Result};
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, SemaphorePermit};

/// A connection that was idle for longer is asked whether it still is one.
const TRUSTED: Duration = Duration::from_secs(1);

/// Up to a fixed number of connections with the same options, opened when first needed.
pub(crate) struct Connections {
    place: Place,
    options: Options,
    permits: Semaphore,
    idle: Mutex<Vec<(Connection, Instant)>>,
    /// How often statements were sent to the database and waited for.
    round_trips: AtomicU64,
}

impl Connections {
    pub(super) fn new(place: Place, options: Options, most: usize) -> Self {
        let idle = Mutex::new(Vec::with_capacity(most));
        Self { place, options, permits: Semaphore::new(most), idle, round_trips: AtomicU64::new(0) }
    }

    /// How often statements were sent to the database and waited for.
    #[cfg(test)]
    pub(super) fn round_trips(&self) -> u64 {
        self.round_trips.load(Ordering::Relaxed)
    }

    /// The database that the connections are to.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Keeps a connection for later use.
    pub(super) fn put(&self, connection: Connection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push((connection, Instant::now()));
    }

    fn take(&self) -> Option<(Connection, Instant)> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Waits for a connection; [`CatalogError::Unavailable`] after as long as a lock is waited for.
    pub(crate) async fn lease(&self) -> Result<Lease<'_>> {
        let permit = match tokio::time::timeout(BUSY_TIMEOUT, self.permits.acquire()).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) => return Err(closed(&self.place)),
            Err(_) => return Err(fault(&self.place, sqlx::Error::PoolTimedOut)),
        };
        let connection = match self.take_alive().await {
            Some(connection) => connection,
            None => self.options.connect().await.map_err(|e| fault(&self.place, e))?,
        };
        Ok(Lease { from: self, _permit: permit, connection, waiting: Batch::default(), failed: false })
    }

    async fn take_alive(&self) -> Option<Connection> {
        let (mut connection, since) = self.take()?;
        if since.elapsed() < TRUSTED || connection.is_alive().await {
            return Some(connection);
        }
        // The others were idle for longer: each would be asked in vain.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        None
    }

    /// Merges a file's log into it as far as readers allow. Closing the last connection does so too, but which is the
    /// last is not known: one that was dropped may still be closing, and one for reading only cannot.
    pub(super) async fn merge_log(&self) {
        let Place::File(_) = self.place else { return };
        let Some((mut connection, _)) = self.take() else { return };
        match connection.all::<(i64, i64, i64)>(sql("PRAGMA wal_checkpoint(PASSIVE)")).await {
            Ok(_) => self.put(connection),
            Err(error) => tracing::warn!(%error, "could not merge the catalog's log"),
        }
    }

    /// Closes the connections in order; later leases fail.
    pub(crate) async fn close(&self) {
        self.permits.close();
        while let Some((connection, _)) = self.take() {
            if let Err(error) = connection.close().await {
                tracing::warn!(%error, "could not close a connection of the catalog");
            }
        }
    }
}

fn closed(place: &Place) -> CatalogError {
    CatalogError::Unavailable { message: format!("{place} is closed"), source: None }
}

/// A connection in use. Dropping it closes the connection; [`Lease::release`] gives it back.
pub(crate) struct Lease<'a> {
    from: &'a Connections,
    _permit: SemaphorePermit<'a>,
    connection: Connection,
    /// Statements that are sent with the next one: [`Write::execute_later`].
    waiting: Batch,
    /// Whether a statement failed: PostgreSQL then refuses all others of the transaction, and says `COMMIT` did well.
    failed: bool,
}

impl Lease<'_> {
    /// The database, for messages.
    pub(crate) fn place(&self) -> &Place {
        self.from.place()
    }

    /// Which database it is.
    pub(crate) fn database(&self) -> Database {
        self.connection.database()
    }

    /// Whether a statement failed, so that its transaction is void.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed
    }

    pub(crate) fn release(self) {
        if !self.failed {
            self.from.put(self.connection);
        }
    }

    /// Runs a statement; how many rows it changed.
    pub(crate) async fn execute(&mut self, query: Sql<'_>) -> Result<u64> {
        let query = self.behind_waiting(query).await?;
        let done = self.connection.execute(query).await;
        self.checked(done)
    }

    /// All rows of a query.
    pub(crate) async fn all<T: FromRow + Send>(&mut self, query: Sql<'_>) -> Result<Vec<T>> {
        let query = self.behind_waiting(query).await?;
        let rows = self.connection.all(query).await;
        self.checked(rows)
    }

    /// The first row of a query.
    pub(crate) async fn first<T: FromRow + Send>(&mut self, query: Sql<'_>) -> Result<Option<T>> {
        let query = self.behind_waiting(query).await?;
        let row = self.connection.first(query).await;
        self.checked(row)
    }

    /// The one number that a query over the catalog's own row, or a count, gives.
    pub(crate) async fn number(&mut self, query: Sql<'_>) -> Result<i64> {
        match self.first(query).await? {
            Some((number,)) => Ok(number),
            None => Err(CatalogError::Damaged(format!("the catalog {} lacks its own row", self.place()))),
        }
    }

    /// Whether there is a table of this name.
    pub(crate) async fn has_table(&mut self, name: &str) -> Result<bool> {
        self.flush().await?;
        let has = self.connection.has_table(name).await;
        self.checked(has)
    }

    /// The tables whose names are like a pattern in which `\` is the escape.
    pub(crate) async fn tables_like(&mut self, pattern: &str) -> Result<Vec<String>> {
        self.flush().await?;
        let names = self.connection.tables_like(pattern).await;
        self.checked(names)
    }

    /// Starts reading one state of the database, whatever others commit meanwhile.
    pub(crate) async fn begin_read(&mut self) -> Result<()> {
        let begun = self.connection.begin_read().await;
        self.checked(begun)
    }

    /// Ends what [`Lease::begin_read`] began, and gives the connection back.
    pub(crate) async fn end(mut self) -> Result<()> {
        self.execute(sql("ROLLBACK")).await?;
        self.release();
        Ok(())
    }

    /// Sends the statements that wait.
    pub(crate) async fn flush(&mut self) -> Result<()> {
        let Some(waiting) = self.waiting.take() else { return Ok(()) };
        let done = self.connection.execute(waiting).await;
        self.checked(done).map(drop)
    }

    /// A statement with those before it that wait.
    async fn behind_waiting<'q>(&mut self, query: Sql<'q>) -> Result<Sql<'q>> {
        if !self.waiting.takes(&query) {
            self.flush().await?;
        }
        Ok(self.waiting.before(query))
    }

    /// What came of one round trip.
    fn checked<T>(&mut self, result: sqlx::Result<T>) -> Result<T> {
        self.from.round_trips.fetch_add(1, Ordering::Relaxed);
        result.map_err(|error| {
            self.failed = true;
            fault(self.from.place(), error)
        })
    }
}

/// A transaction that holds the write lock. Dropped without [`Write::commit`], it leaves nothing behind.
pub(crate) struct Write<'a> {
    lease: Lease<'a>,
    /// Its number, where the database can be asked later what became of it.
    number: Option<i64>,
    durability: Durability,
}

impl<'a> Write<'a> {
    pub(crate) async fn begin(mut lease: Lease<'a>, durability: Durability) -> Result<Self> {
        let begun = lease.connection.begin_write(durability).await;
        let number = lease.checked(begun)?;
        Ok(Self { lease, number, durability })
    }

    /// The same with the first row that a query finds once it has the lock.
    pub(crate) async fn begin_with<T: FromRow + Send>(
        mut lease: Lease<'a>,
        durability: Durability,
        query: Sql<'_>,
    ) -> Result<(Self, Option<T>)> {
        let mut write = match lease.database() {
            Database::Sqlite => {
                lease.waiting.push(sql(sqlite::begin_write(durability)));
                Self { lease, number: None, durability }
            }
            Database::Postgres => Self::begin(lease, durability).await?,
        };
        let row = write.first(query).await?;
        Ok((write, row))
    }

    /// Runs a statement of which nobody asks how many rows it changed. A file's connection is sent it with the next one that
    /// is waited for, at the latest with the commit, and what is wrong with it is an error of that one; a server is sent it
    /// at once.
    pub(crate) async fn execute_later(&mut self, query: Sql<'_>) -> Result<()> {
        if self.database() == Database::Postgres || !Batch::is_for(&query) {
            return self.execute(query).await.map(drop);
        }
        if !self.lease.waiting.takes(&query) {
            self.flush().await?;
        }
        self.lease.waiting.push(query);
        Ok(())
    }

    /// Moves the commit counter and makes the changes durable.
    pub(crate) async fn commit(mut self) -> Result<()> {
        self.execute_later(sql("UPDATE millrace_meta SET version = version + 1")).await?;
        self.commit_uncounted().await
    }

    /// Makes the changes durable without moving the commit counter: for what no snapshot shows, no cached definition
    /// depends on, or what the manifest's own snapshots count.
    ///
    /// Where the connection is lost before the answer, the database is asked what became of the transaction.
    pub(crate) async fn commit_uncounted(mut self) -> Result<()> {
        if self.lease.failed {
            return Err(CatalogError::Unavailable {
                message: format!("a transaction on {} cannot commit after an error", self.place()),
                source: None,
            });
        }
        let commit = self.lease.waiting.before(sql("COMMIT"));
        let committed = self.lease.connection.execute(commit).await;
        self.lease.from.round_trips.fetch_add(1, Ordering::Relaxed);
        match committed {
            Ok(_) => {
                self.release().await;
                Ok(())
            }
            Err(error) => match self.number {
                Some(number) if postgres::is_lost(&error) => {
                    postgres::settle(&self.lease.from.options, self.place(), number, error).await
                }
                _ => Err(fault(self.place(), error)),
            },
        }
    }

    /// Ends a transaction that found nothing to change.
    pub(crate) async fn abandon(mut self) -> Result<()> {
        self.lease.waiting = Batch::default();
        self.execute(sql("ROLLBACK")).await?;
        self.release().await;
        Ok(())
    }

    /// Gives the connection back as the next writer expects it; one that does not become so again is closed.
    async fn release(mut self) {
        if self.lease.connection.end_write(self.durability).await.is_ok() {
            self.lease.release();
        }
    }

    /// Takes `count` numbers that nothing else in the catalog has or will have; the first of them.
    pub(crate) async fn allocate(&mut self, count: usize) -> Result<i64> {
        let first = self.number(sql("SELECT next_id FROM millrace_meta")).await?;
        self.execute_later(sql("UPDATE millrace_meta SET next_id = next_id + $1").bind(count as i64)).await?;
        Ok(first)
    }
}

impl<'a> Deref for Write<'a> {
    type Target = Lease<'a>;

    fn deref(&self) -> &Lease<'a> {
        &self.lease
    }
}

impl<'a> DerefMut for Write<'a> {
    fn deref_mut(&mut self) -> &mut Lease<'a> {
        &mut self.lease
    }
}
