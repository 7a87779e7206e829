//! Making, changing and dropping managed tables.

use super::columns::number_columns;
use super::commit::Commit;
use super::definition::is_relative;
use super::log::Effect;
use super::state::TableState;
use crate::error::{CatalogError, Result};
use crate::model::{ManagedColumn, ManagedTable};
use crate::store::{Uuid, Write, check_name, check_owner, database_exists, sql, sql_text};
use std::collections::BTreeSet;

impl Commit {
    pub(super) async fn create_table(&mut self, write: &mut Write<'_>, table: &ManagedTable) -> Result<()> {
        check_name("relation", &table.name)?;
        if table.id >= 0 {
            return Err(CatalogError::InvalidArgument("a new managed table's number must be negative".to_owned()));
        }
        check_free(write, &table.schema, &table.name).await?;
        check_owner(write, table.attributes.owner.as_ref()).await?;
        let (schema_id, schema_path) = self.schema(write, &table.schema).await?;
        let (provisional, id) = (table.id, self.next_catalog_id());
        let mut table = ManagedTable { id, ..table.clone() };
        if table.uuid.is_empty() {
            table.uuid = uuid(write).await?;
        }
        if table.path.is_empty() {
            table.path = ManagedTable::default_path(&table.schema, &table.name, &table.uuid);
        }
        number_columns(&mut table, &BTreeSet::new(), 1)?;
        let (path, relative) = match table.path.strip_prefix(&schema_path) {
            Some(path) if is_relative(&table.path) => (path, true),
            _ if !is_relative(&table.path) => (table.path.as_str(), false),
            _ => {
                return Err(CatalogError::InvalidArgument(format!(
                    "the path \"{}\" of relation \"{}\" is not below its schema's, \"{schema_path}\"",
                    table.path, table.name
                )));
            }
        };
        let query = "INSERT INTO ducklake_table VALUES ($1, $2, $3, NULL, $4, $5, $6, $7)";
        let query = sql(query).bind(id).bind(Uuid(&table.uuid)).bind(self.snapshot).bind(schema_id);
        write.execute(query.bind(&table.name).bind(path).bind(relative)).await?;
        for (order, column) in table.columns.iter().enumerate() {
            self.insert_column(write, id, order, column).await?;
            self.set_column_comment(write, id, column.id, None, column.comment.as_deref()).await?;
        }
        self.set_comment(write, id, None, table.comment.as_deref()).await?;
        self.note_schema(write, id).await?;
        self.effect(Effect::Created { schema: table.schema.clone(), name: table.name.clone() });
        self.made(provisional, id);
        self.tables.insert(id, TableState::new(table));
        Ok(())
    }

    pub(super) async fn alter_table(&mut self, write: &mut Write<'_>, table: &ManagedTable) -> Result<()> {
        let before = self.table(write, table.id).await?.definition.clone();
        let id = before.id;
        if table.attributes.owner != before.attributes.owner {
            check_owner(write, table.attributes.owner.as_ref()).await?;
        }
        let mut table = ManagedTable { id, uuid: before.uuid.clone(), path: before.path.clone(), ..table.clone() };
        table.next_column_id = table.next_column_id.max(before.next_column_id);
        number_columns(&mut table, &before.columns.iter().map(|column| column.id).collect(), before.next_column_id)?;
        if (&table.schema, &table.name) != (&before.schema, &before.name) {
            self.rename(write, &before, &table).await?;
        }
        let mut changed = false;
        for gone in before.columns.iter().filter(|old| table.columns.iter().all(|new| new.id != old.id)) {
            self.end_column(write, id, gone.id).await?;
            self.set_column_comment(write, id, gone.id, gone.comment.as_deref(), None).await?;
            changed = true;
        }
        for (order, column) in table.columns.iter().enumerate() {
            let old = before.columns.iter().enumerate().find(|(_, old)| old.id == column.id);
            let same = old.is_some_and(|(place, old)| {
                let plain = |column: &ManagedColumn| ManagedColumn {
                    comment: None,
                    encoding: None,
                    identity: None,
                    ..column.clone()
                };
                place == order && plain(old) == plain(column)
            });
            if !same {
                self.end_column(write, id, column.id).await?;
                self.insert_column(write, id, order, column).await?;
                changed = true;
            }
            let old_comment = old.and_then(|(_, old)| old.comment.as_deref());
            self.set_column_comment(write, id, column.id, old_comment, column.comment.as_deref()).await?;
        }
        self.set_comment(write, id, before.comment.as_deref(), table.comment.as_deref()).await?;
        self.change_schema();
        if changed {
            self.note_schema(write, id).await?;
        }
        self.effect(Effect::Altered(id));
        let state = self.table(write, id).await?;
        state.inlined_table = None;
        state.definition = table;
        state.redefined = true;
        Ok(())
    }

    pub(super) async fn drop_table(&mut self, write: &mut Write<'_>, table: i64) -> Result<()> {
        self.truncate_rows(write, table).await?;
        let state = self.table(write, table).await?;
        state.dropped = true;
        let id = state.definition.id;
        for statement in [
            "UPDATE ducklake_table SET end_snapshot = $1 WHERE table_id = $2 AND end_snapshot IS NULL",
            "UPDATE ducklake_column SET end_snapshot = $1 WHERE table_id = $2 AND end_snapshot IS NULL",
            "UPDATE ducklake_column_tag SET end_snapshot = $1 WHERE table_id = $2 AND end_snapshot IS NULL",
            "UPDATE ducklake_tag SET end_snapshot = $1 WHERE object_id = $2 AND end_snapshot IS NULL",
        ] {
            write.execute(sql(statement).bind(self.snapshot).bind(id)).await?;
        }
        write.execute(sql("DELETE FROM millrace_identity WHERE table_id = $1").bind(id)).await?;
        self.change_schema();
        self.effect(Effect::DroppedTable(id));
        Ok(())
    }

    async fn rename(&mut self, write: &mut Write<'_>, before: &ManagedTable, table: &ManagedTable) -> Result<()> {
        check_name("relation", &table.name)?;
        if table.schema != before.schema {
            // A path is relative to its schema's, so one that moves would lose its files.
            return Err(CatalogError::InvalidArgument(format!(
                "relation \"{}\" cannot be moved from schema \"{}\" to \"{}\"",
                before.name, before.schema, table.schema
            )));
        }
        check_free(write, &table.schema, &table.name).await?;
        let (schema_id, _) = self.schema(write, &table.schema).await?;
        let query = "SELECT path, path_is_relative FROM ducklake_table WHERE table_id = $1 AND end_snapshot IS NULL";
        let row: Option<(String, bool)> = write.first(sql(query).bind(table.id)).await?;
        let (path, relative) = row.ok_or_else(|| CatalogError::not_found("relation", &before.name))?;
        let end = "UPDATE ducklake_table SET end_snapshot = $1 WHERE table_id = $2 AND end_snapshot IS NULL";
        write.execute(sql(end).bind(self.snapshot).bind(table.id)).await?;
        let query = "INSERT INTO ducklake_table VALUES ($1, $2, $3, NULL, $4, $5, $6, $7)";
        let query = sql(query).bind(table.id).bind(Uuid(&table.uuid)).bind(self.snapshot).bind(schema_id);
        write.execute(query.bind(&table.name).bind(path).bind(relative)).await?;
        self.effect(Effect::Created { schema: table.schema.clone(), name: table.name.clone() });
        Ok(())
    }

    /// The schema of this name and its path, made where the database has had no managed table yet.
    async fn schema(&mut self, write: &mut Write<'_>, name: &str) -> Result<(i64, String)> {
        let query = "SELECT schema_id, path, path_is_relative FROM ducklake_schema \
                     WHERE schema_name = $1 AND end_snapshot IS NULL";
        let row: Option<(i64, String, bool)> = write.first(sql(query).bind(name)).await?;
        if let Some((id, path, _)) = row {
            return Ok((id, path));
        }
        if !database_exists(write, name).await? {
            return Err(CatalogError::not_found("database", name));
        }
        let (id, uuid) = (self.next_catalog_id(), uuid(write).await?);
        let whole = ManagedTable::default_path(name, "", "");
        let path = whole.strip_suffix('/').unwrap_or(&whole).to_owned();
        let query = "INSERT INTO ducklake_schema VALUES ($1, $2, $3, NULL, $4, $5, $6)";
        let query = sql(query).bind(id).bind(Uuid(&uuid)).bind(self.snapshot).bind(name).bind(&path).bind(true);
        write.execute(query).await?;
        self.change_schema();
        self.effect(Effect::CreatedSchema(name.to_owned()));
        Ok((id, path))
    }

    /// Ends the schema of a database that is being dropped.
    pub(super) async fn drop_schema(&mut self, write: &mut Write<'_>, name: &str) -> Result<()> {
        let query = "SELECT schema_id FROM ducklake_schema WHERE schema_name = $1 AND end_snapshot IS NULL";
        let row: Option<(i64,)> = write.first(sql(query).bind(name)).await?;
        let Some((id,)) = row else { return Ok(()) };
        let query = "SELECT table_id FROM ducklake_table WHERE schema_id = $1 AND end_snapshot IS NULL";
        let tables: Vec<(i64,)> = write.all(sql(query).bind(id)).await?;
        for (table,) in tables {
            self.drop_table(write, table).await?;
        }
        // DuckLake's `main` is there from the start and stays.
        if id != 0 {
            let query = "UPDATE ducklake_schema SET end_snapshot = $1 WHERE schema_id = $2 AND end_snapshot IS NULL";
            write.execute(sql(query).bind(self.snapshot).bind(id)).await?;
            self.change_schema();
            self.effect(Effect::DroppedSchema(id));
        }
        Ok(())
    }

    /// Gives the table's columns the number of this commit's schema, under which rows are then inlined.
    async fn note_schema(&mut self, write: &mut Write<'_>, table: i64) -> Result<()> {
        let version = self.change_schema();
        let query = "SELECT COUNT(*) FROM ducklake_inlined_data_tables WHERE table_id = $1 AND schema_version = $2";
        if write.number(sql(query).bind(table).bind(version)).await? > 0 {
            return Err(CatalogError::InvalidArgument(
                "a transaction's definitions of a table come before the rows that it inlines".to_owned(),
            ));
        }
        let query = "DELETE FROM ducklake_schema_versions WHERE table_id = $1 AND schema_version = $2";
        write.execute(sql(query).bind(table).bind(version)).await?;
        let query = sql("INSERT INTO ducklake_schema_versions VALUES ($1, $2, $3)");
        write.execute(query.bind(self.snapshot).bind(version).bind(table)).await.map(drop)
    }
}

/// Refuses a name that a relation of the database has: an external table, a view, a managed table.
async fn check_free(write: &mut Write<'_>, database: &str, name: &str) -> Result<()> {
    let query = sql("SELECT COUNT(*) FROM millrace_table WHERE database_name = $1 AND name = $2");
    let external = write.number(query.bind(database).bind(name)).await?;
    if external > 0 || is_managed(write, database, name).await? {
        return Err(CatalogError::already_exists("relation", format!("{database}.{name}")));
    }
    Ok(())
}

/// Whether a managed table, or a view that DuckDB made, has this name.
pub(crate) async fn is_managed(write: &mut Write<'_>, database: &str, name: &str) -> Result<bool> {
    let query = "SELECT (SELECT COUNT(*) FROM ducklake_table t JOIN ducklake_schema s ON s.schema_id = t.schema_id \
                 WHERE s.schema_name = $1 AND s.end_snapshot IS NULL AND t.table_name = $2 AND t.end_snapshot IS NULL) \
                 + (SELECT COUNT(*) FROM ducklake_view v JOIN ducklake_schema s ON s.schema_id = v.schema_id \
                 WHERE s.schema_name = $1 AND s.end_snapshot IS NULL AND v.view_name = $2 AND v.end_snapshot IS NULL)";
    Ok(write.number(sql(query).bind(database).bind(name)).await? > 0)
}

async fn uuid(write: &mut Write<'_>) -> Result<String> {
    let query = write.database().spell("SELECT NEW_UUID()");
    let row: Option<(String,)> = write.first(sql_text(query)).await?;
    Ok(row.map(|(uuid,)| uuid).unwrap_or_default())
}
