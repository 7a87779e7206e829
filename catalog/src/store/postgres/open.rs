//! Opening a catalog in PostgreSQL: what a server must be like, and what it lets a user do.

use super::error::fault;
use super::session::options;
use super::url::PostgresUrl;
use crate::error::{CatalogError, Result};
use crate::store::database::Connection;
use crate::store::open::{Opened, look, opened};
use crate::store::place::Place;
use crate::store::sql::sql;

/// Connections that read at the same time.
const READERS: usize = 8;
/// The oldest server that has `gen_random_uuid()` of itself.
const OLDEST_SERVER: u32 = 130_000;

/// Opens the catalog, made with its schema where it is missing.
pub(in crate::store) async fn open(url: &PostgresUrl) -> Result<Opened> {
    let (place, options) = (Place::Postgres(url.clone()), options(url));
    let failed = |error| fault(url, error);
    let mut connection = options.connect().await.map_err(failed)?;
    check_server(&connection, url)?;
    let (encoding, read_only) = read_server(&mut connection).await.map_err(failed)?;
    if encoding != "UTF8" {
        return Err(CatalogError::Damaged(format!("the database {url} has the encoding {encoding}, not UTF8")));
    }
    let found = look(&mut connection, &place, !read_only).await.map_err(failed)?;
    opened(place, &options, READERS, (connection, found))
}

fn check_server(connection: &Connection, url: &PostgresUrl) -> Result<()> {
    let Connection::Postgres(server) = connection else { return Ok(()) };
    match server.server_version_num() {
        Some(version) if version < OLDEST_SERVER => Err(CatalogError::Unavailable {
            message: format!(
                "the server of {url} is PostgreSQL {}: {} or later is needed",
                version / 10_000,
                OLDEST_SERVER / 10_000
            ),
            source: None,
        }),
        _ => Ok(()),
    }
}

/// The encoding of the database, and whether nothing can be written there: a standby, or a user who may only read.
async fn read_server(connection: &mut Connection) -> sqlx::Result<(String, bool)> {
    let query = "SELECT current_setting('server_encoding'), \
                 pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean";
    connection.first(sql(query)).await?.ok_or(sqlx::Error::RowNotFound)
}
