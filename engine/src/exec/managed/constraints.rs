//! Constraints of managed tables. As in Redshift they are informational: kept and shown, never enforced.

use crate::error::{Error, ErrorKind, Result};
use crate::session::Context;
use millrace_catalog::model::{Constraint, ManagedTable, Reference};
use std::sync::Arc;

/// Adds a constraint to a table that there is.
///
/// # Errors
/// Those of [`declare`]; `InvalidTableDefinition` for a primary key of a column that may be NULL.
pub(super) fn add(table: &mut ManagedTable, constraint: &Constraint) -> Result<()> {
    let nullable = |name: &&String| table.column(name).is_some_and(|column| column.nullable);
    if constraint.is_primary_key()
        && let Some(name) = constraint.columns.iter().find(nullable)
    {
        let message = format!("column \"{name}\" may be NULL and so cannot be in a primary key");
        return Err(Error::new(ErrorKind::InvalidTableDefinition, message));
    }
    declare(table, constraint)
}

/// Gives a constraint to a table, which may be one that is being made.
///
/// # Errors
/// `UndefinedColumn`; `InvalidTableDefinition` for a second primary key; `DuplicateObject` for a name that is taken.
pub(super) fn declare(table: &mut ManagedTable, constraint: &Constraint) -> Result<()> {
    if let Some(name) = constraint.columns.iter().find(|name| table.column(name).is_none()) {
        let place =
            if constraint.reference().is_some() { "referenced in foreign key constraint" } else { "named in key" };
        return Err(Error::new(ErrorKind::UndefinedColumn, format!("column \"{name}\" {place} does not exist")));
    }
    if constraint.is_primary_key() && table.primary_key().is_some() {
        let message = format!("multiple primary keys for table \"{}\" are not allowed", table.name);
        return Err(Error::new(ErrorKind::InvalidTableDefinition, message));
    }
    if let Some(name) = &constraint.name
        && table.constraint_names().contains(name)
    {
        let message = format!("constraint \"{name}\" for relation \"{}\" already exists", table.name);
        return Err(Error::new(ErrorKind::DuplicateObject, message));
    }
    table.add_constraint(constraint.clone());
    Ok(())
}

/// Drops a constraint by its name.
///
/// # Errors
/// `UndefinedObject`.
pub(super) fn drop(table: &mut ManagedTable, wanted: &str) -> Result<()> {
    let Some(at) = table.constraint_names().iter().position(|name| name == wanted) else {
        let message = format!("constraint \"{wanted}\" of relation \"{}\" does not exist", table.name);
        return Err(Error::new(ErrorKind::UndefinedObject, message));
    };
    table.attributes.constraints.remove(at);
    Ok(())
}

/// Whether a constraint of a table in `schema` is a foreign key that references a column of `table`.
pub(super) fn references(constraint: &Constraint, schema: &str, table: &ManagedTable, column: &str) -> bool {
    let reference = constraint.reference().filter(|reference| reference.is_to(schema, table));
    reference.is_some_and(|reference| reference.columns_of(table).iter().any(|name| name == column))
}

/// The other tables that have foreign keys to a table, as the transaction sees them.
pub(super) async fn referrers(context: &Context, table: &ManagedTable) -> Result<Vec<Arc<ManagedTable>>> {
    let snapshot = context.snapshot().await?;
    let mut transaction = context.transaction().lock().await;
    let mut others: Vec<Arc<ManagedTable>> = transaction.temporary().tables().cloned().collect();
    for database in snapshot.databases() {
        others.extend(transaction.tables(context.warehouse(), &database.name).await?);
    }
    others.retain(|other| {
        let mut references = other.attributes.constraints.iter().filter_map(Constraint::reference);
        other.id != table.id && references.any(|reference| reference.is_to(&other.schema, table))
    });
    Ok(others)
}

/// Has constraints follow a table to its new name, or to new names of its columns: its own, and foreign keys of other
/// tables to it. They keep their own names. A table stays in its schema.
pub(super) async fn follow(context: &Context, before: &ManagedTable, changed: &mut ManagedTable) -> Result<()> {
    let now = changed.clone();
    for constraint in &mut changed.attributes.constraints {
        follow_columns(&mut constraint.columns, before, &now);
        if let Some(reference) = constraint.reference_mut() {
            follow_reference(reference, &before.schema, before, &now);
        }
    }
    changed.keep_constraint_names(before.constraint_names());
    for other in referrers(context, before).await? {
        let mut following = ManagedTable::clone(&other);
        for reference in following.attributes.constraints.iter_mut().filter_map(Constraint::reference_mut) {
            follow_reference(reference, &other.schema, before, &now);
        }
        context.transaction().lock().await.alter(context.warehouse(), &other, following).await?;
    }
    Ok(())
}

/// The same for one reference, of a table in `schema`.
fn follow_reference(reference: &mut Reference, schema: &str, before: &ManagedTable, now: &ManagedTable) {
    if !reference.is_to(schema, before) {
        return;
    }
    follow_columns(&mut reference.columns, before, now);
    reference.table.clone_from(&now.name);
}

fn follow_columns(names: &mut [String], before: &ManagedTable, now: &ManagedTable) {
    for name in names {
        let id = before.column(name).map(|column| column.id);
        if let Some(column) = now.columns.iter().find(|column| Some(column.id) == id) {
            name.clone_from(&column.name);
        }
    }
}
