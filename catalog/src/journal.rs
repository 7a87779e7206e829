//! The journal's file: what happened, as documents by kind, beside the catalog and apart from it.
//!
//! It knows neither the kinds nor what is in their documents. Losing its newest entries in a crash of the machine is
//! accepted, waiting for the disk on every statement is not; a crash of the process loses nothing that was appended.
//! A file that cannot be written gives way to one in memory, so that a read-only warehouse has its system tables too.

use crate::error::{CatalogError, Result};
use crate::store::sqlite::fault;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::Mutex;

const TABLES: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS entry (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL,
        at_us BIGINT NOT NULL,
        document TEXT NOT NULL
    )",
    "CREATE INDEX IF NOT EXISTS entry_kind ON entry (kind, id)",
    "CREATE INDEX IF NOT EXISTS entry_at ON entry (at_us)",
    "CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, next BIGINT NOT NULL) WITHOUT ROWID",
];

/// How long another process's write is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalEntry {
    /// Which kind of record the document is.
    pub kind: String,
    /// Microseconds since the epoch, UTC.
    pub at_us: i64,
    /// The record as JSON.
    pub document: String,
}

/// How much a journal keeps; the oldest goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalLimits {
    /// Entries of all kinds.
    pub entries: i64,
    /// Bytes of their documents.
    pub bytes: i64,
    /// Microseconds since an entry was made.
    pub age_us: i64,
}

/// A journal in one SQLite file. Several processes may have it open.
pub struct JournalStore {
    path: PathBuf,
    connection: Mutex<SqliteConnection>,
}

impl fmt::Debug for JournalStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JournalStore").field("path", &self.path).finish_non_exhaustive()
    }
}

impl JournalStore {
    /// Opens the journal at `path`, made where it is missing; one in memory where the file cannot be used.
    pub async fn open(path: &Path) -> Result<Self> {
        match Self::open_at(path, SqliteConnectOptions::new().filename(path).create_if_missing(true)).await {
            Ok(store) => Ok(store),
            Err(error) => {
                tracing::warn!(%error, "the journal is kept in memory only");
                Self::in_memory(path).await
            }
        }
    }

    /// A journal that goes with its process, in the place of the file at `path`.
    pub async fn in_memory(path: &Path) -> Result<Self> {
        Self::open_at(path, SqliteConnectOptions::new().in_memory(true)).await
    }

    async fn open_at(path: &Path, options: SqliteConnectOptions) -> Result<Self> {
        let failed = |error| fault(path, error);
        let options = options
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(BUSY_TIMEOUT)
            .pragma("journal_size_limit", "16777216")
            .disable_statement_logging();
        let mut connection = options.connect().await.map_err(failed)?;
        for statement in TABLES {
            sqlx::query(*statement).execute(&mut connection).await.map_err(failed)?;
        }
        Ok(Self { path: path.to_owned(), connection: Mutex::new(connection) })
    }

    /// Appends entries, all or none.
    pub async fn append(&self, entries: &[JournalEntry]) -> Result<()> {
        let mut connection = self.connection.lock().await;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(|e| fault(&self.path, e))?;
        for entry in entries {
            let query = sqlx::query("INSERT INTO entry (kind, at_us, document) VALUES ($1, $2, $3)");
            let query = query.bind(&entry.kind).bind(entry.at_us).bind(&entry.document);
            query.execute(&mut *transaction).await.map_err(|e| fault(&self.path, e))?;
        }
        transaction.commit().await.map_err(|e| fault(&self.path, e))
    }

    /// The documents of a kind in the order they were appended.
    pub async fn read(&self, kind: &str) -> Result<Vec<String>> {
        let mut connection = self.connection.lock().await;
        let query = sqlx::query_as("SELECT document FROM entry WHERE kind = $1 ORDER BY id").bind(kind);
        let rows: Vec<(String,)> = query.fetch_all(&mut *connection).await.map_err(|e| fault(&self.path, e))?;
        Ok(rows.into_iter().map(|(document,)| document).collect())
    }

    /// Removes what is beyond the limits; how many entries went.
    pub async fn trim(&self, limits: JournalLimits, now_us: i64) -> Result<u64> {
        let mut connection = self.connection.lock().await;
        let old = "DELETE FROM entry WHERE at_us < $1
            OR id <= (SELECT MAX(id) FROM entry) - $2
            OR id <= (SELECT MAX(id) FROM (
                SELECT id, SUM(LENGTH(document)) OVER (ORDER BY id DESC) AS held FROM entry) WHERE held > $3)";
        let query = sqlx::query(old).bind(now_us.saturating_sub(limits.age_us)).bind(limits.entries).bind(limits.bytes);
        let done = query.execute(&mut *connection).await.map_err(|e| fault(&self.path, e))?;
        Ok(done.rows_affected())
    }

    /// Takes `count` numbers of a counter that no process got before; the first of them, from 1.
    pub async fn reserve(&self, counter: &str, count: i64) -> Result<i64> {
        let mut connection = self.connection.lock().await;
        let sql = "INSERT INTO counter (name, next) VALUES ($1, 1 + $2)
            ON CONFLICT (name) DO UPDATE SET next = next + $2 RETURNING next - $2";
        // All rows, since a statement that was not run to its end keeps the file locked.
        let query = sqlx::query_as(sql).bind(counter).bind(count);
        let rows: Vec<(i64,)> = query.fetch_all(&mut *connection).await.map_err(|e| fault(&self.path, e))?;
        rows.first()
            .map(|(first,)| *first)
            .ok_or_else(|| CatalogError::Damaged(format!("{} does not count", self.path.display())))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    fn entry(kind: &str, at_us: i64) -> JournalEntry {
        JournalEntry { kind: kind.to_owned(), at_us, document: format!("{{\"at\":{at_us}}}") }
    }

    #[tokio::test]
    async fn entries_outlive_the_process_and_are_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        let store = JournalStore::open(&path).await.unwrap();
        let entries: Vec<JournalEntry> = (1..=9).map(|at| entry("query", at)).collect();
        store.append(&entries).await.unwrap();
        store.append(&[entry("load", 10)]).await.unwrap();
        assert_eq!((store.reserve("query", 5).await.unwrap(), store.reserve("query", 5).await.unwrap()), (1, 6));
        drop(store);

        let store = JournalStore::open(&path).await.unwrap();
        assert_eq!(store.read("query").await.unwrap().len(), 9);
        assert_eq!(store.reserve("query", 1).await.unwrap(), 11);
        let limits = |entries, bytes, age_us| JournalLimits { entries, bytes, age_us };
        assert_eq!(store.trim(limits(100, 1 << 20, 8), 10).await.unwrap(), 1);
        assert_eq!(store.trim(limits(7, 1 << 20, 100), 10).await.unwrap(), 2);
        // Documents of 9 bytes, the last of 10.
        assert_eq!(store.trim(limits(100, 28, 100), 10).await.unwrap(), 4);
        assert_eq!(store.read("query").await.unwrap(), ["{\"at\":8}", "{\"at\":9}"]);
    }
}
