//! Databases and external schemas. Their names share one name space: whatever stands before the dot of `x.t` is one
//! or the other. A schema may have the name of the database that it shows, since both mean the same.

use super::catalog::Catalog;
use super::connection::Write;
use super::document::{decode, encode};
use super::migrate::{DEFAULT_DATABASE, now_ms};
use super::sql::sql;
use super::tries::Tries;
use crate::error::{CatalogError, Result};
use crate::model::{Database, ExternalSchema};

/// Glue's limit on names.
const MOST_NAME_CHARS: usize = 255;

/// Refuses names that Glue would refuse.
pub(crate) fn check_name(kind: &str, name: &str) -> Result<()> {
    if name.is_empty() {
        return Err(CatalogError::InvalidArgument(format!("the name of a {kind} must not be empty")));
    }
    if name.chars().count() > MOST_NAME_CHARS {
        return Err(CatalogError::InvalidArgument(format!(
            "{kind} name \"{name}\" is longer than {MOST_NAME_CHARS} characters"
        )));
    }
    Ok(())
}

impl Catalog {
    /// Makes a database; whether it was made. `false` only with `if_not_exists`, when the name is taken.
    pub async fn create_database(&self, database: &Database, if_not_exists: bool) -> Result<bool> {
        check_name("database", &database.name)?;
        let mut write = self.write().await?;
        if let Some(kind) = find_name(&mut write, &database.name).await? {
            write.abandon().await?;
            return if if_not_exists { Ok(false) } else { Err(CatalogError::already_exists(kind, &database.name)) };
        }
        insert_database(&mut write, database).await?;
        write.commit().await?;
        Ok(true)
    }

    /// Drops a database. One that has tables, or that external schemas show, is
    /// [`CatalogError::InvalidArgument`] (`database "x" is not empty`) unless `cascade` drops those too.
    pub async fn drop_database(&self, name: &str, cascade: bool) -> Result<()> {
        let mut tries = Tries::default();
        loop {
            let done = self.try_drop_database(name, cascade).await;
            if !tries.again(&done) {
                return done;
            }
        }
    }

    async fn try_drop_database(&self, name: &str, cascade: bool) -> Result<()> {
        let mut write = self.write().await?;
        drop_database(&mut write, name, cascade).await?;
        write.commit().await
    }

    /// Makes an external schema; whether it was made. The database that it shows must exist, or is made with
    /// `create_database`.
    pub async fn create_external_schema(
        &self,
        schema: &ExternalSchema,
        if_not_exists: bool,
        create_database: bool,
    ) -> Result<bool> {
        check_name("schema", &schema.name)?;
        check_name("database", &schema.database)?;
        let mut write = self.write().await?;
        let taken = match find_name(&mut write, &schema.name).await? {
            Some("database") if schema.name == schema.database => None,
            other => other,
        };
        if let Some(kind) = taken {
            write.abandon().await?;
            return if if_not_exists { Ok(false) } else { Err(CatalogError::already_exists(kind, &schema.name)) };
        }
        match find_name(&mut write, &schema.database).await? {
            Some("database") => {}
            None if create_database => insert_database(&mut write, &Database::new(&schema.database)).await?,
            Some(kind) if create_database => return Err(CatalogError::already_exists(kind, &schema.database)),
            _ => return Err(CatalogError::not_found("database", &schema.database)),
        }
        insert_schema(&mut write, schema).await?;
        write.commit().await?;
        Ok(true)
    }

    /// Drops an external schema; the tables stay in the database that it showed, unless `drop_database` drops the
    /// database too, which must then be empty.
    pub async fn drop_external_schema(&self, name: &str, drop_database: bool) -> Result<()> {
        let mut write = self.write().await?;
        let query = sql("SELECT database_name FROM millrace_external_schema WHERE name = $1").bind(name);
        let Some((database,)): Option<(String,)> = write.first(query).await? else {
            return Err(CatalogError::not_found("schema", name));
        };
        write.execute(sql("DELETE FROM millrace_external_schema WHERE name = $1").bind(name)).await?;
        if drop_database {
            self::drop_database(&mut write, &database, false).await?;
        }
        write.commit().await
    }

    /// The database of this name, read from the file.
    pub async fn get_database(&self, name: &str) -> Result<Option<Database>> {
        let mut lease = self.read().await?;
        let query = sql("SELECT document FROM millrace_database WHERE name = $1").bind(name);
        let row: Option<(String,)> = lease.first(query).await?;
        lease.release();
        row.map(|(document,)| decode(self.place(), &format!("database \"{name}\""), &document)).transpose()
    }
}

/// What a name of the shared name space stands for.
async fn find_name(write: &mut Write<'_>, name: &str) -> Result<Option<&'static str>> {
    let schemas = sql("SELECT COUNT(*) FROM millrace_external_schema WHERE name = $1").bind(name);
    if write.number(schemas).await? > 0 {
        return Ok(Some("schema"));
    }
    Ok(database_exists(write, name).await?.then_some("database"))
}

/// Whether a database of this name exists.
pub(crate) async fn database_exists(write: &mut Write<'_>, name: &str) -> Result<bool> {
    let query = sql("SELECT COUNT(*) FROM millrace_database WHERE name = $1").bind(name);
    Ok(write.number(query).await? > 0)
}

/// Makes a database unless it exists; whether it was made. A name that an external schema has is an error.
pub(super) async fn ensure_database(write: &mut Write<'_>, database: &Database) -> Result<bool> {
    check_name("database", &database.name)?;
    if database_exists(write, &database.name).await? {
        return Ok(false);
    }
    match find_name(write, &database.name).await? {
        None => insert_database(write, database).await.map(|()| true),
        Some(kind) => Err(CatalogError::already_exists(kind, &database.name)),
    }
}

async fn insert_database(write: &mut Write<'_>, database: &Database) -> Result<()> {
    let mut database = database.clone();
    if database.create_time_ms == 0 {
        database.create_time_ms = now_ms();
    }
    let document = encode(&database)?;
    let query = sql("INSERT INTO millrace_database (name, document) VALUES ($1, $2)");
    write.execute(query.bind(database.name).bind(document)).await.map(drop)
}

/// The database of this name, within a transaction.
pub(super) async fn find_database(write: &mut Write<'_>, name: &str) -> Result<Option<Database>> {
    let query = sql("SELECT document FROM millrace_database WHERE name = $1").bind(name);
    let row: Option<(String,)> = write.first(query).await?;
    row.map(|(document,)| decode(write.place(), &format!("database \"{name}\""), &document)).transpose()
}

/// All databases, within a transaction.
pub(super) async fn all_databases(write: &mut Write<'_>) -> Result<Vec<Database>> {
    let rows: Vec<(String, String)> = write.all(sql("SELECT name, document FROM millrace_database")).await?;
    rows.iter().map(|(name, document)| decode(write.place(), &format!("database \"{name}\""), document)).collect()
}

/// Gives a database another definition under its name.
pub(super) async fn update_database(write: &mut Write<'_>, database: &Database) -> Result<()> {
    let query = sql("UPDATE millrace_database SET document = $2 WHERE name = $1");
    write.execute(query.bind(&database.name).bind(encode(database)?)).await.map(drop)
}

async fn insert_schema(write: &mut Write<'_>, schema: &ExternalSchema) -> Result<()> {
    let mut schema = schema.clone();
    if schema.create_time_ms == 0 {
        schema.create_time_ms = now_ms();
    }
    let document = encode(&schema)?;
    let query = sql("INSERT INTO millrace_external_schema (name, database_name, document) VALUES ($1, $2, $3)");
    write.execute(query.bind(schema.name).bind(schema.database).bind(document)).await.map(drop)
}

/// [`Catalog::drop_database`] within a transaction.
pub(super) async fn drop_database(write: &mut Write<'_>, name: &str, cascade: bool) -> Result<()> {
    if !database_exists(write, name).await? {
        return Err(CatalogError::not_found("database", name));
    }
    if name == DEFAULT_DATABASE {
        return Err(CatalogError::InvalidArgument(format!("database \"{name}\" cannot be dropped")));
    }
    if cascade {
        crate::manifest::drop_database(write, name).await?;
        drop_contents(write, name).await?;
    } else {
        check_unused(write, name).await?;
    }
    write.execute(sql("DELETE FROM millrace_database WHERE name = $1").bind(name)).await.map(drop)
}

async fn check_unused(write: &mut Write<'_>, name: &str) -> Result<()> {
    let tables = sql("SELECT COUNT(*) FROM millrace_table WHERE database_name = $1").bind(name);
    if write.number(tables).await? > 0 || crate::manifest::has_tables(write, name).await? {
        return Err(CatalogError::InvalidArgument(format!("database \"{name}\" is not empty")));
    }
    let query = "SELECT name FROM millrace_external_schema WHERE database_name = $1 ORDER BY name LIMIT 1";
    let schema: Option<(String,)> = write.first(sql(query).bind(name)).await?;
    match schema {
        None => Ok(()),
        Some((schema,)) => Err(CatalogError::InvalidArgument(format!(
            "database \"{name}\" is not empty: external schema \"{schema}\" shows it"
        ))),
    }
}

async fn drop_contents(write: &mut Write<'_>, name: &str) -> Result<()> {
    for statement in [
        "DELETE FROM millrace_partition_value WHERE table_id IN \
         (SELECT id FROM millrace_table WHERE database_name = $1)",
        "DELETE FROM millrace_partition WHERE table_id IN (SELECT id FROM millrace_table WHERE database_name = $1)",
        "DELETE FROM millrace_table_version WHERE table_id IN (SELECT id FROM millrace_table WHERE database_name = $1)",
        "DELETE FROM millrace_table WHERE database_name = $1",
        "DELETE FROM millrace_external_schema WHERE database_name = $1",
    ] {
        write.execute(sql(statement).bind(name)).await?;
    }
    Ok(())
}
