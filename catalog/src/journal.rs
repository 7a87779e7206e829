//! The journal's file: what happened, as documents by kind, beside the catalog and apart from it.
//!
//! It knows neither the kinds nor what is in their documents. Losing its newest entries in a crash of the machine is
//! accepted, waiting for the disk on every statement is not; a crash of the process loses nothing that was appended.
//! A file that cannot be written gives way to one in memory, so that a read-only warehouse has its system tables too.

use crate::error::{CatalogError, Result};
use crate::store::sqlite::fault;
use sqlx::sqlite::{Sqlite, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, QueryBuilder};
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
    // Of earlier versions: entries are in the order of their times, but for a moment.
    "DROP INDEX IF EXISTS entry_at",
    "CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, next BIGINT NOT NULL) WITHOUT ROWID",
];

/// Entries of one INSERT at most. Their number is a power of two, so that there are few texts and all stay prepared.
const MOST_ROWS: usize = 128;
/// What goes of a file that is too large, beside what is too much: this part of its limit, so that it is not often so.
const SLACK: i64 = 10;

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
    /// Bytes of the file, but for pages that are free.
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
        let mut rest = entries;
        while !rest.is_empty() {
            let count = MOST_ROWS.min(1 << rest.len().ilog2());
            let (rows, others) = rest.split_at(count);
            rest = others;
            let mut query = QueryBuilder::<Sqlite>::new("INSERT INTO entry (kind, at_us, document) ");
            query.push_values(rows, |mut row, entry| {
                row.push_bind(&entry.kind).push_bind(entry.at_us).push_bind(&entry.document);
            });
            query.build().execute(&mut *transaction).await.map_err(|e| fault(&self.path, e))?;
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
        let failed = |error| fault(&self.path, error);
        // Only those that go are looked at, and the first that stays.
        let old = "DELETE FROM entry WHERE id < MAX(
            COALESCE((SELECT id FROM entry WHERE at_us >= $1 ORDER BY id LIMIT 1), (SELECT MAX(id) + 1 FROM entry)),
            (SELECT MAX(id) + 1 FROM entry) - $2)";
        let query = sqlx::query(old).bind(now_us.saturating_sub(limits.age_us)).bind(limits.entries);
        let aged = query.execute(&mut *connection).await.map_err(failed)?.rows_affected();
        let used = "SELECT (page_count - freelist_count) * page_size
            FROM pragma_page_count, pragma_freelist_count, pragma_page_size";
        let rows: Vec<(i64,)> = sqlx::query_as(used).fetch_all(&mut *connection).await.map_err(failed)?;
        let excess = rows.first().map_or(0, |(used,)| used - limits.bytes);
        if excess <= 0 {
            return Ok(aged);
        }
        // Only as far as is needed are the oldest read.
        let oldest = "DELETE FROM entry WHERE id <= COALESCE((SELECT id FROM (
            SELECT id, SUM(OCTET_LENGTH(document)) OVER (ORDER BY id ROWS UNBOUNDED PRECEDING) AS gone FROM entry)
            WHERE gone >= $1 ORDER BY id LIMIT 1), (SELECT MAX(id) FROM entry))";
        let query = sqlx::query(oldest).bind(excess.saturating_add(limits.bytes / SLACK));
        Ok(aged + query.execute(&mut *connection).await.map_err(failed)?.rows_affected())
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
        let left = store.read("query").await.unwrap();
        assert_eq!((left.len(), left.last().map(String::as_str)), (6, Some("{\"at\":9}")));
    }

    #[tokio::test]
    async fn a_file_that_is_too_large_loses_its_oldest_entries() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        let store = JournalStore::open(&path).await.unwrap();
        let large = |at_us| JournalEntry { document: format!("{at_us}{}", "x".repeat(8_000)), ..entry("query", at_us) };
        let limits = JournalLimits { entries: 10_000, bytes: 1 << 20, age_us: 1_000_000 };
        let mut gone = 0;
        for batch in 0..50 {
            let entries: Vec<JournalEntry> = (0..10).map(|at| large(batch * 10 + at)).collect();
            store.append(&entries).await.unwrap();
            gone += store.trim(limits, 500).await.unwrap();
            let kept = store.read("query").await.unwrap();
            let bytes: usize = kept.iter().map(String::len).sum();
            assert!(bytes <= 1 << 20, "{bytes} bytes are kept");
            // What is left are the newest.
            assert_eq!(kept.len() as u64 + gone, (batch as u64 + 1) * 10);
            assert!(kept.last().unwrap().starts_with(&(batch * 10 + 9).to_string()));
        }
        assert!(gone > 300 && store.read("query").await.unwrap().len() > 60, "{gone}");
    }
}
