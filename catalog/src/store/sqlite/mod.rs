//! What is SQLite's own: how a connection is opened, how values are stored, and what its error codes mean.

mod open;

use super::database::{BUSY_TIMEOUT, Durability, STATEMENTS};
use super::sql::Value;
use crate::error::CatalogError;
use crate::manifest::format_time;
pub(super) use open::{is_writable, open, use_write_ahead_log};
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteSynchronous};
use sqlx::{Arguments, ConnectOptions};
use std::path::Path;

/// Takes the write lock at the start: a transaction that only asks for it at its first write can be refused at once.
pub(super) const BEGIN_WRITE: &str = "BEGIN IMMEDIATE";

/// The same for a commit that does not wait for the disk; the log has it before whatever is committed later. That cannot
/// be set within a transaction.
const BEGIN_WRITE_LAZILY: &str = "PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE";
/// For commits that do, as connections begin.
pub(super) const SYNC_AT_ONCE: &str = "PRAGMA synchronous = FULL";

/// What begins a transaction that no other writer runs beside.
pub(super) fn begin_write(durability: Durability) -> &'static str {
    match durability {
        Durability::AtOnce => BEGIN_WRITE,
        Durability::WithTheNext => BEGIN_WRITE_LAZILY,
    }
}

/// What definitions and functions are here; types as DuckDB makes them in SQLite.
pub(super) const SPELLINGS: &[(&str, &str)] = &[
    (" BOOLEAN", " BIGINT"),
    (" UUID", " VARCHAR"),
    (" TIMESTAMPTZ", " VARCHAR"),
    ("NOW()", "strftime('%Y-%m-%d %H:%M:%f', 'now') || '+00'"),
    (
        "NEW_UUID()",
        "(SELECT lower(substr(h, 1, 8) || '-' || substr(h, 9, 4) || '-4' || substr(h, 14, 3) || '-8' \
         || substr(h, 18, 3) || '-' || substr(h, 21, 12)) FROM (SELECT hex(randomblob(16)) AS h))",
    ),
];

pub(super) const HAS_TABLE: &str = "SELECT COUNT(*) > 0 FROM pragma_table_info($1)";
pub(super) const TABLES_LIKE: &str = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE $1 ESCAPE '\\'";

/// The values of a statement: booleans are 0 and 1, times and UUIDs their texts.
pub(super) fn arguments(values: Vec<Value<'_>>) -> sqlx::Result<SqliteArguments> {
    let mut arguments = SqliteArguments::default();
    arguments.reserve(values.len(), 0);
    for value in values {
        let added = match value {
            Value::Integer(number) => arguments.add(number),
            Value::Boolean(truth) => arguments.add(i64::from(truth)),
            Value::Text(text) | Value::Uuid(text) => arguments.add(text.into_owned()),
            Value::Bytes(bytes) => arguments.add(bytes.into_owned()),
            Value::Time(time_us) => arguments.add(format_time(time_us)),
            Value::Null(_) => arguments.add(None::<i64>),
        };
        added.map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

/// How the file is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Reading and writing; the file is made where it is missing.
    Write,
    /// Reading only, while others may write.
    Read,
    /// Reading a file that nobody can change, in a folder where SQLite cannot put its shared memory.
    Immutable,
}

/// The options of every connection to the file.
pub(crate) fn options(path: &Path, access: Access) -> SqliteConnectOptions {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY_TIMEOUT)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        // 32 MB of pages, for large loads; taken only as needed.
        .pragma("cache_size", "-32768")
        .pragma("temp_store", "MEMORY")
        // A load of a million partitions leaves a large log behind: give the space back.
        .pragma("journal_size_limit", "67108864")
        .row_buffer_size(512)
        .statement_cache_capacity(STATEMENTS)
        .disable_statement_logging();
    match access {
        Access::Write => options.create_if_missing(true),
        Access::Read => options.read_only(true),
        Access::Immutable => options.read_only(true).immutable(true),
    }
}

/// The one kind of "read-only" that is not about permissions.
const READONLY_DBMOVED: i32 = 1032;

/// What an error of the database means to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Another connection holds the lock.
    Busy,
    /// The file cannot be written.
    ReadOnly,
    /// The file was moved or deleted while open.
    Moved,
    /// The file, or one that SQLite keeps beside it, cannot be opened.
    CannotOpen,
    /// The disk is full.
    Full,
    /// Reading or writing failed below SQLite.
    Io,
    /// The file is not a database, or is damaged.
    Damaged,
    /// The statement does not fit the tables: one is missing, or has other columns.
    Schema,
    /// Anything else.
    Other,
}

/// SQLite's result codes (<https://www.sqlite.org/rescode.html>).
pub(crate) fn cause(error: &sqlx::Error) -> Cause {
    let code = match error {
        sqlx::Error::Database(error) => error.code().and_then(|code| code.parse::<i32>().ok()).unwrap_or(0),
        sqlx::Error::PoolTimedOut => return Cause::Busy,
        sqlx::Error::Io(_) => return Cause::Io,
        sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } | sqlx::Error::RowNotFound => return Cause::Damaged,
        _ => return Cause::Other,
    };
    if code == READONLY_DBMOVED {
        return Cause::Moved;
    }
    // The lowest byte is the primary code, what is above it tells cases apart.
    match code & 0xff {
        1 => Cause::Schema,
        5 | 6 => Cause::Busy,
        8 => Cause::ReadOnly,
        10 => Cause::Io,
        11 | 26 => Cause::Damaged,
        13 => Cause::Full,
        14 => Cause::CannotOpen,
        _ => Cause::Other,
    }
}

/// The catalog's error for an error of the database, with the file named.
pub(crate) fn fault(path: &Path, error: sqlx::Error) -> CatalogError {
    let file = path.display();
    let detail = match &error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        other => other.to_string(),
    };
    let message = match cause(&error) {
        Cause::ReadOnly => return CatalogError::ReadOnly(file.to_string()),
        Cause::Damaged => return CatalogError::Damaged(format!("the catalog {file} is damaged: {detail}")),
        Cause::Schema => {
            return CatalogError::Damaged(format!("the catalog {file} lacks what this program expects: {detail}"));
        }
        Cause::Busy => format!("{file} stayed locked by another session for {} seconds", BUSY_TIMEOUT.as_secs()),
        Cause::Full => format!("disk full while writing {file}"),
        Cause::Moved => format!("{file} was moved or deleted while in use"),
        Cause::CannotOpen => format!("could not open {file}: {detail}"),
        Cause::Io => format!("could not read or write {file}: {detail}"),
        Cause::Other => format!("{file}: {detail}"),
    };
    CatalogError::Unavailable { message, source: Some(Box::new(error)) }
}
