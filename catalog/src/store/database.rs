//! A connection to the catalog's database, whichever it is, and statements run on it.
//!
//! The one place that chooses between the databases: above it statements have one text, below it `sqlite` and
//! `postgres` have what is their own.

use super::place::Place;
use super::row::{FromRow, Row};
use super::sql::{Sql, sql};
use super::{postgres, sqlite};
use crate::error::CatalogError;
use futures::TryStreamExt;
use sqlx::postgres::{PgConnectOptions, Postgres};
use sqlx::sqlite::{Sqlite, SqliteConnectOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection as _, Either, Executor as _, PgConnection, SqliteConnection};
use std::borrow::Cow;
use std::time::Duration;

/// How long a statement waits for a lock that another session or process holds.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection that was idle may take to say that it lives: one that does not is replaced.
const PING_TIMEOUT: Duration = Duration::from_secs(2);
/// Values in one `IN` list or rows in one `INSERT`: well below SQLite's 32,766 and PostgreSQL's 65,535 variables.
pub(crate) const CHUNK: usize = 500;
/// Statements that a connection keeps prepared: more than the catalog has but for those of many rows.
pub(super) const STATEMENTS: usize = 250;

/// When a commit is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// Once it was made.
    AtOnce,
    /// With the next one of the other kind, which is behind it in the log. For what means nothing unless something is
    /// committed that rests on it: in a crash of the machine both are there, or the later is not.
    WithTheNext,
}

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Database {
    Sqlite,
    Postgres,
}

impl Database {
    /// A definition or a function as the database spells it. The texts have the types of the DuckLake specification:
    /// `BOOLEAN`, `UUID`, `TIMESTAMPTZ`; and `TEXT`, `BLOB`, `INTEGER PRIMARY KEY`, `WITHOUT ROWID`, `NOW()`, `NEW_UUID()`.
    pub(crate) fn spell(self, text: &'static str) -> Cow<'static, str> {
        let spellings = match self {
            Self::Sqlite => sqlite::SPELLINGS,
            Self::Postgres => postgres::SPELLINGS,
        };
        let mut spelled = Cow::Borrowed(text);
        for (word, own) in spellings {
            if spelled.contains(word) {
                spelled = Cow::Owned(spelled.replace(word, own));
            }
        }
        spelled
    }
}

/// How connections are made.
#[derive(Clone)]
pub(super) enum Options {
    Sqlite(Box<SqliteConnectOptions>),
    Postgres(Box<PgConnectOptions>, postgres::Session),
}

impl Options {
    pub(super) fn sqlite(options: SqliteConnectOptions) -> Self {
        Self::Sqlite(Box::new(options))
    }

    pub(super) async fn connect(&self) -> sqlx::Result<Connection> {
        match self {
            Self::Sqlite(options) => options.connect().await.map(Connection::Sqlite),
            Self::Postgres(options, session) => postgres::connect(options, session).await.map(Connection::Postgres),
        }
    }
}

/// An open connection.
pub(super) enum Connection {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Connection {
    pub(super) fn database(&self) -> Database {
        match self {
            Self::Sqlite(_) => Database::Sqlite,
            Self::Postgres(_) => Database::Postgres,
        }
    }

    /// Runs a statement, in a file also several; how many rows the last one changed.
    pub(super) async fn execute(&mut self, query: Sql<'_>) -> sqlx::Result<u64> {
        let Sql { text, values } = query;
        match self {
            Self::Sqlite(connection) => {
                let query = sqlx::query_with::<Sqlite, _>(AssertSqlSafe(text), sqlite::arguments(values)?);
                let mut steps = connection.fetch_many(query);
                let mut changed = 0;
                while let Some(step) = steps.try_next().await? {
                    if let Either::Left(done) = step {
                        changed = done.rows_affected();
                    }
                }
                Ok(changed)
            }
            Self::Postgres(connection) => {
                let query = sqlx::query_with::<Postgres, _>(AssertSqlSafe(text), postgres::arguments(values)?);
                Ok(postgres::answered(query.execute(connection)).await?.rows_affected())
            }
        }
    }

    /// All rows of a query.
    pub(super) async fn all<T: FromRow + Send>(&mut self, query: Sql<'_>) -> sqlx::Result<Vec<T>> {
        let Sql { text, values } = query;
        let mut read = Vec::new();
        match self {
            Self::Sqlite(connection) => {
                let query = sqlx::query_with::<Sqlite, _>(AssertSqlSafe(text), sqlite::arguments(values)?);
                let mut rows = query.fetch(connection);
                while let Some(row) = rows.try_next().await? {
                    read.push(T::from_row(Row::Sqlite(&row))?);
                }
            }
            Self::Postgres(connection) => {
                let query = sqlx::query_with::<Postgres, _>(AssertSqlSafe(text), postgres::arguments(values)?);
                let mut rows = query.fetch(connection);
                while let Some(row) = postgres::answered(rows.try_next()).await? {
                    read.push(T::from_row(Row::Postgres(&row))?);
                }
            }
        }
        Ok(read)
    }

    /// The first row of a query.
    pub(super) async fn first<T: FromRow + Send>(&mut self, query: Sql<'_>) -> sqlx::Result<Option<T>> {
        let Sql { text, values } = query;
        match self {
            Self::Sqlite(connection) => {
                let query = sqlx::query_with::<Sqlite, _>(AssertSqlSafe(text), sqlite::arguments(values)?);
                let row = query.fetch_optional(connection).await?;
                row.map(|row| T::from_row(Row::Sqlite(&row))).transpose()
            }
            Self::Postgres(connection) => {
                let query = sqlx::query_with::<Postgres, _>(AssertSqlSafe(text), postgres::arguments(values)?);
                let row = postgres::answered(query.fetch_optional(connection)).await?;
                row.map(|row| T::from_row(Row::Postgres(&row))).transpose()
            }
        }
    }

    /// Begins to read one state of the database, whatever others commit meanwhile.
    pub(super) async fn begin_read(&mut self) -> sqlx::Result<()> {
        let begin = match self {
            Self::Sqlite(_) => "BEGIN",
            Self::Postgres(_) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        };
        self.execute(sql(begin)).await.map(drop)
    }

    /// Begins a transaction that no other writer of the catalog runs beside; its number, where the database has one by
    /// which it can later be asked what became of it.
    pub(super) async fn begin_write(&mut self, durability: Durability) -> sqlx::Result<Option<i64>> {
        match self {
            Self::Sqlite(_) => self.execute(sql(sqlite::begin_write(durability))).await.map(|_| None),
            Self::Postgres(connection) => postgres::begin_write(connection, durability).await.map(Some),
        }
    }

    /// Ends what [`Connection::begin_write`] set for more than its transaction.
    pub(super) async fn end_write(&mut self, durability: Durability) -> sqlx::Result<()> {
        match self {
            Self::Sqlite(_) if durability == Durability::WithTheNext => {
                self.execute(sql(sqlite::SYNC_AT_ONCE)).await.map(drop)
            }
            _ => Ok(()),
        }
    }

    /// Begins a transaction that makes or changes the tables, beside which no other one does.
    pub(super) async fn begin_migration(&mut self) -> sqlx::Result<()> {
        match self {
            Self::Sqlite(_) => self.execute(sql(sqlite::BEGIN_WRITE)).await.map(drop),
            Self::Postgres(connection) => postgres::begin_migration(connection).await,
        }
    }

    /// Whether the catalog that is there can be written.
    pub(super) async fn is_writable(&mut self) -> sqlx::Result<bool> {
        match self {
            Self::Sqlite(_) => sqlite::is_writable(self).await,
            Self::Postgres(_) => Ok(self.first::<(bool,)>(sql(postgres::MAY_WRITE)).await?.is_some_and(|(may,)| may)),
        }
    }

    /// Makes what must be there before the catalog's tables.
    pub(super) async fn prepare(&mut self, place: &Place) -> sqlx::Result<()> {
        match (self, place) {
            (Self::Postgres(connection), Place::Postgres(url)) => postgres::make_schema(connection, url).await,
            (connection, _) => sqlite::use_write_ahead_log(connection).await,
        }
    }

    /// Whether there is a table of this name.
    pub(super) async fn has_table(&mut self, name: &str) -> sqlx::Result<bool> {
        let query = match self {
            Self::Sqlite(_) => sqlite::HAS_TABLE,
            Self::Postgres(_) => postgres::HAS_TABLE,
        };
        Ok(self.first::<(bool,)>(sql(query).bind(name)).await?.is_some_and(|(has,)| has))
    }

    /// The tables whose names are like a pattern in which `\` is the escape.
    pub(super) async fn tables_like(&mut self, pattern: &str) -> sqlx::Result<Vec<String>> {
        let query = match self {
            Self::Sqlite(_) => sqlite::TABLES_LIKE,
            Self::Postgres(_) => postgres::TABLES_LIKE,
        };
        let rows: Vec<(String,)> = self.all(sql(query).bind(pattern)).await?;
        Ok(rows.into_iter().map(|(name,)| name).collect())
    }

    /// Whether the other side still answers; a file always does.
    pub(super) async fn is_alive(&mut self) -> bool {
        match self {
            Self::Sqlite(_) => true,
            Self::Postgres(connection) => {
                matches!(tokio::time::timeout(PING_TIMEOUT, connection.ping()).await, Ok(Ok(())))
            }
        }
    }

    pub(super) async fn close(self) -> sqlx::Result<()> {
        match self {
            Self::Sqlite(connection) => connection.close().await,
            Self::Postgres(connection) => connection.close().await,
        }
    }
}

/// The catalog's error for an error of the database.
pub(super) fn fault(place: &Place, error: sqlx::Error) -> CatalogError {
    match place {
        Place::File(path) => sqlite::fault(path, error),
        Place::Postgres(server) => postgres::fault(server, error),
    }
}
