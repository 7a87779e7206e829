//! What names stand for: managed tables, what the catalog has, tables of foreign systems.

use super::{first_of, qualify, rights};
use crate::error::{Error, ErrorKind, Result, nearest};
use crate::federated::{Definition, ForeignTable};
use crate::session::Context;
use crate::sql::ObjectName;
use millrace_catalog::Snapshot;
use millrace_catalog::model::{ManagedTable, Privilege, Table};
use std::sync::Arc;

/// What a name stands for.
#[derive(Debug, Clone)]
pub(crate) enum Relation {
    /// An external table or a view.
    Catalog(Arc<Table>),
    /// A managed table.
    Managed(Arc<ManagedTable>),
    /// A table of a foreign system.
    Foreign(Arc<ForeignTable>),
}

/// What a database has under a name.
pub(crate) async fn relation(context: &Context, database: &str, name: &str) -> Result<Option<Relation>> {
    let managed = context.transaction().lock().await.table(context.warehouse(), database, name).await?;
    if let Some(table) = managed {
        return Ok(Some(Relation::Managed(table)));
    }
    let snapshot = context.snapshot().await?;
    if let Some(table) = snapshot.table(database, name) {
        return Ok(Some(Relation::Catalog(Arc::clone(table))));
    }
    match snapshot.database(database).filter(|database| Definition::kind_of(database).is_some()) {
        Some(schema) => {
            // Who may not use a schema does not make its system work either.
            rights::check_schema(context, database, Privilege::Usage).await?;
            Ok(context.sources().table(schema, name).await?.map(Relation::Foreign))
        }
        None => Ok(None),
    }
}

/// What a name as written stands for.
///
/// # Errors
/// `UndefinedTable`, `UndefinedSchema`.
pub(crate) async fn find_relation(context: &Context, name: &ObjectName) -> Result<Relation> {
    find_relation_in(context, name, context.path(), true).await
}

/// The session's temporary table of a name as written: one without a schema means it before all others.
pub(crate) async fn find_temporary(context: &Context, name: &ObjectName) -> Result<Option<Arc<ManagedTable>>> {
    let table = match name.parts.as_slice() {
        [table] => table,
        [schema, table] if context.transaction().lock().await.temporary().is_schema(schema) => table,
        _ => return Ok(None),
    };
    let mut transaction = context.transaction().lock().await;
    let schema = transaction.temporary().schema().to_owned();
    transaction.table(context.warehouse(), &schema, table).await
}

pub(super) async fn find_relation_in(
    context: &Context,
    name: &ObjectName,
    path: &[String],
    with_temporary: bool,
) -> Result<Relation> {
    if with_temporary && let Some(table) = find_temporary(context, name).await? {
        return Ok(Relation::Managed(table));
    }
    let snapshot = context.snapshot().await?;
    if let [table] = name.parts.as_slice()
        && let Some(found) = find_in_path(context, &snapshot, table, path, true).await?
    {
        return Ok(found);
    }
    let (database, table) = qualify(&snapshot, name, first_of(path))?;
    match relation(context, &database, &table).await? {
        Some(found) => Ok(found),
        None => Err(unknown_table(&snapshot, name, &database, &table)),
    }
}

/// What the first schema of a path that has a name has under it; `with_foreign` asks foreign systems too. A system that
/// does not answer is told only where no other schema has the name.
pub(super) async fn find_in_path(
    context: &Context,
    snapshot: &Snapshot,
    name: &str,
    path: &[String],
    with_foreign: bool,
) -> Result<Option<Relation>> {
    let mut failed = None;
    for database in path.iter().filter_map(|schema| snapshot.resolve_schema(schema)) {
        let is_foreign = Definition::kind_of(database).is_some();
        let is_asked = || async { rights::check_schema(context, &database.name, Privilege::Usage).await.is_ok() };
        if is_foreign && !(with_foreign && is_asked().await) {
            continue;
        }
        match relation(context, &database.name, name).await {
            Ok(Some(found)) => return Ok(Some(found)),
            Err(error) if is_foreign => failed = failed.or(Some(error)),
            other => {
                other?;
            }
        }
    }
    failed.map_or(Ok(None), Err)
}

/// An external table or view by its name.
///
/// # Errors
/// `UndefinedTable`; `WrongObjectType` for a managed table.
pub(crate) async fn find_table(context: &Context, name: &ObjectName) -> Result<Arc<Table>> {
    match find_relation(context, name).await? {
        Relation::Catalog(table) => Ok(table),
        Relation::Managed(table) => {
            let message = format!("\"{}\" is a managed table", table.name);
            Err(Error::new(ErrorKind::WrongObjectType, message).with_hint("the statement is for external tables"))
        }
        Relation::Foreign(table) => {
            let message = format!("\"{}\" is a table of another system", table.title());
            Err(Error::new(ErrorKind::WrongObjectType, message).with_hint("the statement is for external tables"))
        }
    }
}

fn unknown_table(snapshot: &Snapshot, name: &ObjectName, database: &str, table: &str) -> Error {
    let written = name.parts.join(".");
    let mut error = Error::new(ErrorKind::UndefinedTable, format!("relation \"{written}\" does not exist"));
    let managed = snapshot.managed_tables(database).map(|known| known.name.as_str());
    let known = snapshot.tables(database).map(|known| known.name.as_str()).chain(managed);
    if let Some(near) = nearest(table, known) {
        error = error.with_hint(format!("did you mean \"{near}\"?"));
    } else if let Some(other) = snapshot.all_tables().find(|known| known.name == *table) {
        error = error.with_hint(format!("there is a table \"{}.{table}\"", other.database));
    } else if let Some(other) = snapshot.databases().find(|db| snapshot.managed_table(&db.name, table).is_some()) {
        error = error.with_hint(format!("there is a table \"{}.{table}\"", other.name));
    }
    if name.position > 0 { error.with_position(name.position) } else { error }
}

/// Whose a table of a foreign system is: its schema's owner's.
pub(crate) fn owner_of_foreign(snapshot: &Snapshot, table: &ForeignTable) -> Option<String> {
    snapshot.principals().schema_owners.get(&table.schema).cloned()
}
