//! Opening a catalog in PostgreSQL: making its tables, bringing them up to date, or falling back to reading only.

use super::error::fault;
use super::session::{make_schema, options};
use super::url::PostgresUrl;
use crate::error::{CatalogError, Result};
use crate::store::connection::Connections;
use crate::store::database::Connection;
use crate::store::migrate::{FORMAT, migrate, read_format};
use crate::store::open::Opened;
use crate::store::place::Place;
use crate::store::sql::sql;

/// Connections that read at the same time.
const READERS: usize = 8;
/// The oldest server that has `gen_random_uuid()` of itself.
const OLDEST_SERVER: u32 = 130_000;

/// Opens the catalog, made with its schema where it is missing.
pub(in crate::store) async fn open(url: &PostgresUrl) -> Result<Opened> {
    let options = options(url);
    let failed = |error| fault(url, error);
    let mut connection = options.connect().await.map_err(failed)?;
    check_server(&connection, url)?;
    let (encoding, read_only) = read_server(&mut connection).await.map_err(failed)?;
    if encoding != "UTF8" {
        return Err(CatalogError::Damaged(format!("the database {url} has the encoding {encoding}, not UTF8")));
    }
    let foreign = |name: &str| {
        CatalogError::Damaged(format!(
            "the schema \"{}\" of {url} has another program's tables, \"{name}\" for one: name another schema, ?schema=…",
            url.schema
        ))
    };
    let writable = match read_format(&mut connection).await.map_err(failed)? {
        None => return Err(foreign(&first_table(&mut connection).await.map_err(failed)?)),
        Some(format) if format > FORMAT => {
            return Err(CatalogError::Damaged(format!(
                "catalog format {format} is newer than this program knows ({FORMAT}): upgrade millrace"
            )));
        }
        Some(FORMAT) => !read_only && may_write(&mut connection).await.map_err(failed)?,
        Some(_) if read_only => {
            return Err(CatalogError::ReadOnly(format!("{url} must first be written by this version")));
        }
        Some(_) => {
            prepare(&mut connection, url).await.map_err(failed)?;
            true
        }
    };
    let connections = |most| Connections::new(Place::Postgres(url.clone()), options.clone(), most);
    let readers = connections(READERS);
    readers.put(connection);
    Ok(Opened { readers, writer: writable.then(|| connections(1)) })
}

async fn prepare(connection: &mut Connection, url: &PostgresUrl) -> sqlx::Result<()> {
    if let Connection::Postgres(server) = connection {
        make_schema(server, &url.schema).await?;
    }
    migrate(connection).await
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

async fn may_write(connection: &mut Connection) -> sqlx::Result<bool> {
    let query = sql("SELECT has_table_privilege('millrace_meta', 'UPDATE')");
    Ok(connection.first::<(bool,)>(query).await?.is_some_and(|(may,)| may))
}

async fn first_table(connection: &mut Connection) -> sqlx::Result<String> {
    Ok(connection.tables_like("%").await?.into_iter().min().unwrap_or_default())
}
