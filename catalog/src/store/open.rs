//! Opening a catalog: what follows from what a first connection finds, in a file and in a server alike. How that
//! connection is made stands with each of them.

use super::connection::Connections;
use super::database::{Connection, Options};
use super::migrate::{FORMAT, migrate, read_format};
use super::place::Place;
use super::{postgres, sqlite};
use crate::error::{CatalogError, Result};

/// An opened catalog's connections; no writer where the database can only be read.
pub(super) struct Opened {
    pub(super) readers: Connections,
    pub(super) writer: Option<Connections>,
}

/// What a database turned out to be.
#[derive(Debug, Clone)]
pub(super) enum Found {
    Ready {
        writable: bool,
    },
    /// Not a catalog yet, or an earlier format, and it cannot be written.
    Behind,
    Newer(i64),
    /// One with another program's tables, of which this is the first by name.
    Foreign(String),
}

/// Opens the catalog at a place, made where it is missing.
pub(super) async fn open(place: &Place) -> Result<Opened> {
    match place {
        Place::File(path) => sqlite::open(path).await,
        Place::Postgres(url) => postgres::open(url).await,
    }
}

/// Looks at the database of a connection, and makes the catalog there or brings it up to date where that is allowed.
pub(super) async fn look(connection: &mut Connection, place: &Place, may_write: bool) -> sqlx::Result<Found> {
    Ok(match read_format(connection).await? {
        None => Found::Foreign(connection.tables_like("%").await?.into_iter().min().unwrap_or_default()),
        Some(format) if format > FORMAT => Found::Newer(format),
        Some(FORMAT) => Found::Ready { writable: may_write && connection.is_writable().await? },
        Some(_) if !may_write => Found::Behind,
        Some(_) => {
            connection.prepare(place).await?;
            migrate(connection).await?;
            Found::Ready { writable: true }
        }
    })
}

/// The connections to a database that was looked at: the one that did so, and up to so many that read.
pub(super) fn opened(
    place: Place,
    options: &Options,
    most_readers: usize,
    (connection, found): (Connection, Found),
) -> Result<Opened> {
    let writable = match found {
        Found::Ready { writable } => writable,
        Found::Behind => return Err(CatalogError::ReadOnly(format!("{place} must first be written by this version"))),
        Found::Newer(format) => {
            return Err(CatalogError::Damaged(format!(
                "catalog format {format} is newer than this program knows ({FORMAT}): upgrade millrace"
            )));
        }
        Found::Foreign(table) => {
            return Err(CatalogError::Damaged(match &place {
                Place::File(path) => format!("{} is another program's SQLite file", path.display()),
                Place::Postgres(url) => url.has_others_tables(&table),
            }));
        }
    };
    let connections = |most| Connections::new(place.clone(), options.clone(), most);
    let readers = connections(most_readers);
    readers.put(connection);
    Ok(Opened { readers, writer: writable.then(|| connections(1)) })
}
