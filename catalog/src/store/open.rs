//! Opening the catalog's file: making it, bringing it up to date, or falling back to reading only.

use super::connection::Connections;
use super::database::{BUSY_TIMEOUT, Connection, Options};
use super::migrate::{FORMAT, migrate, read_format};
use super::place::Place;
use super::sql::{sql, sql_text};
use super::sqlite::{Access, Cause, cause, fault, options};
use crate::error::{CatalogError, Result};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Connections that read at the same time.
const READERS: usize = 4;
/// Between two tries for a lock that SQLite does not wait for itself (switching to the write-ahead log).
const RETRY: Duration = Duration::from_millis(5);

/// An opened catalog's connections; no writer where the file can only be read.
pub(super) struct Opened {
    pub(super) readers: Connections,
    pub(super) writer: Option<Connections>,
}

/// What a file turned out to be.
#[derive(Debug, Clone, Copy)]
enum State {
    Ready {
        writable: bool,
    },
    /// Not a catalog yet, or an earlier format, and it cannot be written.
    Behind,
    Newer(i64),
    Foreign,
}

/// Opens the file, made with its folders where it is missing.
pub(super) async fn open(path: &Path) -> Result<Opened> {
    let path = std::path::absolute(path).map_err(|e| cannot_use("could not open", path, e))?;
    if path.is_dir() {
        let message = format!("could not open {}: it is a directory", path.display());
        return Err(CatalogError::Unavailable { message, source: None });
    }
    make_folder(&path).await?;
    let error = match attempt(&path, Access::Write).await {
        Ok((connection, state)) => return opened(&path, Access::Write, connection, state),
        Err(error) => error,
    };
    if !matches!(cause(&error), Cause::ReadOnly | Cause::CannotOpen | Cause::Io) || !is_filled(&path) {
        return Err(fault(&path, error));
    }
    if let Ok((connection, state)) = attempt(&path, Access::Read).await {
        return opened(&path, Access::Read, connection, state);
    }
    // Without shared memory beside the file SQLite could only ignore the log, and with it the newest commits.
    if is_filled(&with_suffix(&path, "-wal")) {
        let message = format!(
            "{} has commits in its log that can only be read where its folder can be written: open it there once",
            path.display()
        );
        return Err(CatalogError::Unavailable { message, source: Some(Box::new(error)) });
    }
    match attempt(&path, Access::Immutable).await {
        Ok((connection, state)) => opened(&path, Access::Immutable, connection, state),
        Err(_) => Err(fault(&path, error)),
    }
}

async fn make_folder(path: &Path) -> Result<()> {
    let Some(folder) = path.parent() else { return Ok(()) };
    if folder.is_dir() {
        return Ok(());
    }
    tokio::fs::create_dir_all(folder).await.map_err(|e| cannot_use("could not create the directory", folder, e))
}

fn cannot_use(what: &str, path: &Path, error: std::io::Error) -> CatalogError {
    let message = format!("{what} {}: {error}", path.display());
    CatalogError::Unavailable { message, source: Some(Box::new(error)) }
}

fn is_filled(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.len() > 0)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn opened(path: &Path, access: Access, connection: Connection, state: State) -> Result<Opened> {
    let writable = match state {
        State::Ready { writable } => writable,
        State::Behind => {
            return Err(CatalogError::ReadOnly(format!("{} must first be written by this version", path.display())));
        }
        State::Newer(format) => {
            return Err(CatalogError::Damaged(format!(
                "catalog format {format} is newer than this program knows ({FORMAT}): upgrade millrace"
            )));
        }
        State::Foreign => {
            return Err(CatalogError::Damaged(format!("{} is another program's SQLite file", path.display())));
        }
    };
    // From here on a missing file is an error: it was deleted while in use.
    let options = Options::sqlite(options(path, access).create_if_missing(false));
    let connections = |most| Connections::new(Place::File(path.to_owned()), options.clone(), most);
    let readers = connections(READERS);
    readers.put(connection);
    Ok(Opened { readers, writer: writable.then(|| connections(1)) })
}

/// One connection, and what it found; locks that SQLite does not wait for are waited for here.
async fn attempt(path: &Path, access: Access) -> sqlx::Result<(Connection, State)> {
    let deadline = Instant::now() + BUSY_TIMEOUT;
    loop {
        match attempt_once(path, access).await {
            Err(error) if cause(&error) == Cause::Busy && Instant::now() < deadline => {
                tokio::time::sleep(RETRY).await;
            }
            result => return result,
        }
    }
}

async fn attempt_once(path: &Path, access: Access) -> sqlx::Result<(Connection, State)> {
    let mut connection = Options::sqlite(options(path, access)).connect().await?;
    let state = match read_format(&mut connection).await? {
        None => State::Foreign,
        Some(format) if format > FORMAT => State::Newer(format),
        Some(FORMAT) => {
            let writable = access == Access::Write && is_writable(&mut connection).await?;
            if writable {
                // A copy made by `VACUUM INTO` has lost the setting; it works without, so others may be using it so.
                let _ = use_write_ahead_log(&mut connection).await;
            }
            State::Ready { writable }
        }
        Some(_) if access != Access::Write => State::Behind,
        Some(_) => {
            use_write_ahead_log(&mut connection).await?;
            migrate(&mut connection).await?;
            State::Ready { writable: true }
        }
    };
    Ok((connection, state))
}

/// Readers and a writer do not wait for each other with it; the file keeps the setting.
async fn use_write_ahead_log(connection: &mut Connection) -> sqlx::Result<()> {
    connection.execute(sql("PRAGMA journal_mode = WAL")).await.map(drop)
}

/// SQLite opens a file that it may not write for reading without a word: a write that changes nothing tells.
async fn is_writable(connection: &mut Connection) -> sqlx::Result<bool> {
    connection.execute(sql("PRAGMA busy_timeout = 0")).await?;
    let probe = sql("UPDATE millrace_meta SET format = format WHERE format < 0");
    let writable = match connection.execute(probe).await {
        Ok(_) => true,
        Err(error) => match cause(&error) {
            // Somebody is writing.
            Cause::Busy => true,
            Cause::ReadOnly => false,
            _ => return Err(error),
        },
    };
    let timeout = format!("PRAGMA busy_timeout = {}", BUSY_TIMEOUT.as_millis());
    connection.execute(sql_text(timeout)).await?;
    Ok(writable)
}
