//! Tables and views: making, changing with the earlier definition kept, renaming, dropping.

use super::catalog::Catalog;
use super::connection::{Lease, Write};
use super::databases::{check_name, database_exists};
use super::document::{TableRow, decode_table, decode_version, encode};
use super::migrate::now_ms;
use super::owners::check_owner;
use super::partition_rows::{
    Encoded, delete_all_partitions, encode_partitions, insert_partitions, mark_partitions_changed,
};
use super::sql::sql;
use super::statistics::delete_table_statistics;
use crate::error::{CatalogError, Result};
use crate::manifest::is_managed;
use crate::model::{Partition, Table, TableKind, TableVersion};

impl Catalog {
    /// Makes a table or view and gives it back with its number and version 1; `None` only with `if_not_exists`, when
    /// the name is taken. The database must exist. Times that are 0 become now.
    pub async fn create_table(&self, table: &Table, if_not_exists: bool) -> Result<Option<Table>> {
        self.create_table_with_partitions(table, &[], if_not_exists).await
    }

    /// Makes a table together with its partitions, or neither (`CREATE TABLE AS`).
    pub async fn create_table_with_partitions(
        &self,
        table: &Table,
        partitions: &[Partition],
        if_not_exists: bool,
    ) -> Result<Option<Table>> {
        check_name("relation", &table.name)?;
        let plain = partitions.iter().map(|partition| (partition, None));
        let encoded = encode_partitions(table, plain, false)?;
        let mut write = self.write().await?;
        let Some(made) = create(&mut write, table, &encoded).await? else {
            write.abandon().await?;
            let name = qualified(&table.database, &table.name);
            return if if_not_exists { Ok(None) } else { Err(CatalogError::already_exists("relation", name)) };
        };
        write.commit().await?;
        Ok(Some(made))
    }

    /// Makes a view, or gives the view of that name a new definition with the earlier one kept (`CREATE OR REPLACE
    /// VIEW`). A table of that name is not replaced: [`CatalogError::InvalidArgument`].
    pub async fn replace_table(&self, view: &Table) -> Result<Table> {
        check_name("relation", &view.name)?;
        let mut write = self.write().await?;
        let stored = match find(&mut write, &view.database, &view.name).await? {
            None if is_managed(&mut write, &view.database, &view.name).await? => {
                let name = qualified(&view.database, &view.name);
                return Err(CatalogError::InvalidArgument(format!("\"{name}\" is not a view")));
            }
            None => insert(&mut write, view).await?,
            Some(existing) => {
                if [&existing, view].iter().any(|table| table.kind == TableKind::ExternalTable) {
                    let name = qualified(&view.database, &view.name);
                    return Err(CatalogError::InvalidArgument(format!("\"{name}\" is not a view")));
                }
                let create_time_ms = existing.create_time_ms;
                change(&mut write, &existing, Table { create_time_ms, ..view.clone() }).await?
            }
        };
        write.commit().await?;
        Ok(stored)
    }

    /// Gives a table a new definition, with the earlier one kept, and gives it back with its new version.
    /// `table.version` is the version that the change was made from: [`CatalogError::Conflict`] when it is no longer
    /// the table's. Database and name stay ([`Catalog::rename_table`]); the partition keys' number and types stay
    /// while the table has partitions.
    pub async fn update_table(&self, table: &Table) -> Result<Table> {
        let mut write = self.write().await?;
        let stored = update(&mut write, table).await?;
        write.commit().await?;
        Ok(stored)
    }

    /// Gives a table another name, in the same or another database; a change of its definition like any other.
    /// Definition and partitions stay as they are.
    pub async fn rename_table(&self, table: &Table, database: &str, name: &str) -> Result<Table> {
        check_name("relation", name)?;
        let mut write = self.write().await?;
        let existing = find_version(&mut write, table).await?;
        if !database_exists(&mut write, database).await? {
            return Err(CatalogError::not_found("database", database));
        }
        if find(&mut write, database, name).await?.is_some() || is_managed(&mut write, database, name).await? {
            return Err(CatalogError::already_exists("relation", qualified(database, name)));
        }
        let renamed = Table { database: database.to_owned(), name: name.to_owned(), ..existing.clone() };
        let stored = change(&mut write, &existing, renamed).await?;
        write.commit().await?;
        Ok(stored)
    }

    /// Drops a table or view with its partitions and earlier definitions; what it was.
    pub async fn drop_table(&self, database: &str, name: &str) -> Result<Table> {
        let mut write = self.write().await?;
        let Some(table) = find(&mut write, database, name).await? else {
            return Err(CatalogError::not_found("relation", qualified(database, name)));
        };
        delete(&mut write, &table).await?;
        write.commit().await?;
        Ok(table)
    }

    /// The table or view of this name, read from the file.
    pub async fn get(&self, database: &str, name: &str) -> Result<Option<Table>> {
        let mut lease = self.read().await?;
        let found = find(&mut lease, database, name).await?;
        lease.release();
        Ok(found)
    }

    /// The earlier definitions of a table, oldest first, without the present one.
    pub async fn table_versions(&self, table_id: i64) -> Result<Vec<TableVersion>> {
        let mut lease = self.read().await?;
        let query = "SELECT table_id, database_name, name, version, document FROM millrace_table_version \
                     WHERE table_id = $1 ORDER BY version";
        let rows: Vec<TableRow> = lease.all(sql(query).bind(table_id)).await?;
        lease.release();
        rows.into_iter().map(|row| decode_version(self.place(), row)).collect()
    }
}

/// The name for messages.
pub(super) fn qualified(database: &str, name: &str) -> String {
    format!("{database}.{name}")
}

/// The table or view of this name.
pub(super) async fn find(lease: &mut Lease<'_>, database: &str, name: &str) -> Result<Option<Table>> {
    let query = "SELECT id, database_name, name, version, document FROM millrace_table \
                 WHERE database_name = $1 AND name = $2";
    let row: Option<TableRow> = lease.first(sql(query).bind(database).bind(name)).await?;
    row.map(|row| decode_table(lease.place(), row)).transpose()
}

/// The table of this number as it is now.
pub(super) async fn find_id(write: &mut Write<'_>, table: &Table) -> Result<Table> {
    let query = "SELECT id, database_name, name, version, document FROM millrace_table WHERE id = $1";
    let row: Option<TableRow> = write.first(sql(query).bind(table.id)).await?;
    match row {
        Some(row) => decode_table(write.place(), row),
        None => Err(CatalogError::not_found("relation", qualified(&table.database, &table.name))),
    }
}

/// The table of this number, if it still has the caller's version.
pub(super) async fn find_version(write: &mut Write<'_>, table: &Table) -> Result<Table> {
    let existing = find_id(write, table).await?;
    if existing.version == table.version {
        return Ok(existing);
    }
    let name = qualified(&table.database, &table.name);
    Err(CatalogError::Conflict(format!("relation \"{name}\" was changed by another session")))
}

/// Makes a table with its partitions; `None` when the name is taken.
pub(super) async fn create(write: &mut Write<'_>, table: &Table, partitions: &[Encoded<'_>]) -> Result<Option<Table>> {
    check_name("relation", &table.name)?;
    if find(write, &table.database, &table.name).await?.is_some()
        || is_managed(write, &table.database, &table.name).await?
    {
        return Ok(None);
    }
    let made = insert(write, table).await?;
    insert_partitions(write, &made, partitions, false).await?;
    Ok(Some(made))
}

/// [`Catalog::update_table`] within a transaction.
pub(super) async fn update(write: &mut Write<'_>, table: &Table) -> Result<Table> {
    let existing = find_version(write, table).await?;
    check_keys(write, &existing, table).await?;
    redefine(write, &existing, table).await
}

/// As [`update`], but all partitions make way for others, so that the keys may change too.
pub(super) async fn replace(write: &mut Write<'_>, table: &Table, partitions: &[Encoded<'_>]) -> Result<Table> {
    let existing = find_version(write, table).await?;
    delete_all_partitions(write, &existing).await?;
    let stored = redefine(write, &existing, table).await?;
    insert_partitions(write, &stored, partitions, false).await?;
    mark_partitions_changed(write, &stored).await?;
    Ok(stored)
}

async fn redefine(write: &mut Write<'_>, existing: &Table, table: &Table) -> Result<Table> {
    let database = existing.database.clone();
    let name = existing.name.clone();
    change(write, existing, Table { database, name, ..table.clone() }).await
}

/// Deletes a table with all that belongs to it; its statistics go by themselves.
pub(super) async fn delete(write: &mut Write<'_>, table: &Table) -> Result<()> {
    delete_all_partitions(write, table).await?;
    for statement in
        ["DELETE FROM millrace_table_version WHERE table_id = $1", "DELETE FROM millrace_table WHERE id = $1"]
    {
        write.execute(sql(statement).bind(table.id)).await?;
    }
    Ok(())
}

async fn insert(write: &mut Write<'_>, table: &Table) -> Result<Table> {
    if !database_exists(write, &table.database).await? {
        return Err(CatalogError::not_found("database", &table.database));
    }
    check_owner(write, table.owner.as_ref()).await?;
    let mut table = Table { id: write.allocate(1).await?, version: 1, ..table.clone() };
    if table.create_time_ms == 0 {
        table.create_time_ms = now_ms();
    }
    if table.update_time_ms == 0 {
        table.update_time_ms = table.create_time_ms;
    }
    let query = "INSERT INTO millrace_table (id, database_name, name, version, partitions_version, document) \
                 VALUES ($1, $2, $3, 1, 1, $4)";
    let query = sql(query).bind(table.id).bind(&table.database).bind(&table.name).bind(encode(&table)?);
    write.execute(query).await?;
    Ok(table)
}

/// Puts `new` in the place of `existing`, which becomes an earlier version. What was known of its rows goes with
/// another location.
pub(super) async fn change(write: &mut Write<'_>, existing: &Table, new: Table) -> Result<Table> {
    if new.owner != existing.owner {
        check_owner(write, new.owner.as_ref()).await?;
    }
    let query = "INSERT INTO millrace_table_version (table_id, version, database_name, name, document) \
                 SELECT id, version, database_name, name, document FROM millrace_table WHERE id = $1";
    write.execute(sql(query).bind(existing.id)).await?;
    let new = Table { id: existing.id, version: existing.version + 1, update_time_ms: now_ms(), ..new };
    let query = "UPDATE millrace_table SET database_name = $1, name = $2, version = $3, document = $4 WHERE id = $5";
    let query = sql(query).bind(&new.database).bind(&new.name).bind(new.version).bind(encode(&new)?);
    write.execute(query.bind(new.id)).await?;
    if existing.storage.location != new.storage.location {
        delete_table_statistics(write, &new).await?;
    }
    Ok(new)
}

/// Partitions are stored in the order of their keys' types, so these cannot change under them.
async fn check_keys(write: &mut Write<'_>, existing: &Table, new: &Table) -> Result<()> {
    if same_key_types(existing, new) {
        return Ok(());
    }
    let query = sql("SELECT id FROM millrace_partition WHERE table_id = $1 LIMIT 1").bind(existing.id);
    let partition: Option<(i64,)> = write.first(query).await?;
    match partition {
        None => Ok(()),
        Some(_) => Err(CatalogError::InvalidArgument(format!(
            "the partition keys of relation \"{}\" cannot change while it has partitions",
            qualified(&existing.database, &existing.name)
        ))),
    }
}

/// Whether the partition keys have the same number and types; their names and comments do not matter.
pub(super) fn same_key_types(a: &Table, b: &Table) -> bool {
    a.partition_keys.iter().map(|key| &key.data_type).eq(b.partition_keys.iter().map(|key| &key.data_type))
}
