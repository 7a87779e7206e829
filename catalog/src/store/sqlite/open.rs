//! Opening a catalog's file: the first connection that its rights and its folder's allow, and what is done with a file
//! before it is used.

use super::{Access, Cause, cause, fault, options};
use crate::error::{CatalogError, Result};
use crate::store::database::{BUSY_TIMEOUT, Connection, Options};
use crate::store::open::{Found, Opened, look, opened};
use crate::store::place::Place;
use crate::store::sql::{sql, sql_text};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Connections that read at the same time.
const READERS: usize = 4;
/// Between two tries for a lock that SQLite does not wait for itself (switching to the write-ahead log).
const RETRY: Duration = Duration::from_millis(5);

/// Opens the file, made with its folders where it is missing.
pub(in crate::store) async fn open(path: &Path) -> Result<Opened> {
    let path = std::path::absolute(path).map_err(|e| cannot_use("could not open", path, e))?;
    if path.is_dir() {
        let message = format!("could not open {}: it is a directory", path.display());
        return Err(CatalogError::Unavailable { message, source: None });
    }
    make_folder(&path).await?;
    let place = Place::File(path.clone());
    let opened = |access, looked| {
        // From here on a missing file is an error: it was deleted while in use.
        let options = Options::sqlite(options(&path, access).create_if_missing(false));
        opened(place.clone(), &options, READERS, looked)
    };
    let error = match attempt(&place, &path, Access::Write).await {
        Ok(looked) => return opened(Access::Write, looked),
        Err(error) => error,
    };
    if !matches!(cause(&error), Cause::ReadOnly | Cause::CannotOpen | Cause::Io) || !is_filled(&path) {
        return Err(fault(&path, error));
    }
    if let Ok(looked) = attempt(&place, &path, Access::Read).await {
        return opened(Access::Read, looked);
    }
    // Without shared memory beside the file SQLite could only ignore the log, and with it the newest commits.
    if is_filled(&with_suffix(&path, "-wal")) {
        let message = format!(
            "{} has commits in its log that can only be read where its folder can be written: open it there once",
            path.display()
        );
        return Err(CatalogError::Unavailable { message, source: Some(Box::new(error)) });
    }
    match attempt(&place, &path, Access::Immutable).await {
        Ok(looked) => opened(Access::Immutable, looked),
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

/// One connection, and what it found; locks that SQLite does not wait for are waited for here.
async fn attempt(place: &Place, path: &Path, access: Access) -> sqlx::Result<(Connection, Found)> {
    let deadline = Instant::now() + BUSY_TIMEOUT;
    loop {
        match attempt_once(place, path, access).await {
            Err(error) if cause(&error) == Cause::Busy && Instant::now() < deadline => {
                tokio::time::sleep(RETRY).await;
            }
            result => return result,
        }
    }
}

async fn attempt_once(place: &Place, path: &Path, access: Access) -> sqlx::Result<(Connection, Found)> {
    let mut connection = Options::sqlite(options(path, access)).connect().await?;
    let found = look(&mut connection, place, access == Access::Write).await?;
    if matches!(found, Found::Ready { writable: true }) {
        // A copy made by `VACUUM INTO` has lost the setting; it works without, so others may be using it so.
        let _ = use_write_ahead_log(&mut connection).await;
    }
    Ok((connection, found))
}

/// Readers and a writer do not wait for each other with it; the file keeps the setting.
pub(in crate::store) async fn use_write_ahead_log(connection: &mut Connection) -> sqlx::Result<()> {
    connection.execute(sql("PRAGMA journal_mode = WAL")).await.map(drop)
}

/// SQLite opens a file that it may not write for reading without a word: a write that changes nothing tells.
pub(in crate::store) async fn is_writable(connection: &mut Connection) -> sqlx::Result<bool> {
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
