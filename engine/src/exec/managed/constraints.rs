//! Constraints of managed tables. As in Redshift they are informational: kept and shown, never enforced.

use super::assign;
use crate::error::{Error, ErrorKind, Result};
use millrace_catalog::model::ManagedTable;

/// Adds a constraint, given as SQL text: `[CONSTRAINT name] PRIMARY KEY (a, b)`.
///
/// # Errors
/// `UndefinedColumn`; `InvalidTableDefinition` for a second primary key, or one of a column that may be NULL;
/// `DuplicateObject` for a name that is taken.
pub(super) fn add(table: &mut ManagedTable, text: &str) -> Result<()> {
    let primary = is_primary(text);
    for name in columns(text) {
        let column = &table.columns[assign::column(table, name)?];
        if primary && column.nullable {
            let message = format!("column \"{name}\" may be NULL and so cannot be in a primary key");
            return Err(Error::new(ErrorKind::InvalidTableDefinition, message));
        }
    }
    if primary && table.attributes.constraints.iter().any(|known| is_primary(known)) {
        let message = format!("multiple primary keys for table \"{}\" are not allowed", table.name);
        return Err(Error::new(ErrorKind::InvalidTableDefinition, message));
    }
    let name = name(table, text);
    if table.attributes.constraints.iter().any(|known| self::name(table, known) == name) {
        let message = format!("constraint \"{name}\" for relation \"{}\" already exists", table.name);
        return Err(Error::new(ErrorKind::DuplicateObject, message));
    }
    table.attributes.constraints.push(text.to_owned());
    Ok(())
}

/// Drops a constraint by its name.
///
/// # Errors
/// `UndefinedObject`.
pub(super) fn drop(table: &mut ManagedTable, wanted: &str) -> Result<()> {
    let Some(at) = table.attributes.constraints.iter().position(|known| name(table, known) == wanted) else {
        let message = format!("constraint \"{wanted}\" of relation \"{}\" does not exist", table.name);
        return Err(Error::new(ErrorKind::UndefinedObject, message));
    };
    table.attributes.constraints.remove(at);
    Ok(())
}

/// A constraint's name; one without gets PostgreSQL 8's, which counts the first column only.
pub(super) fn name(table: &ManagedTable, text: &str) -> String {
    if let Some(name) = text.strip_prefix("CONSTRAINT ").and_then(|rest| rest.split(' ').next()) {
        return bare(name).to_owned();
    }
    let first = columns(text).next().unwrap_or_default();
    if is_primary(text) {
        format!("{}_pkey", table.name)
    } else if text.starts_with("UNIQUE") {
        format!("{}_{first}_key", table.name)
    } else {
        format!("{}_{first}_fkey", table.name)
    }
}

fn is_primary(text: &str) -> bool {
    text.contains("PRIMARY KEY (")
}

/// Whether a constraint of a table in `schema` is a foreign key that references a column of `table`.
pub(super) fn references(text: &str, schema: &str, table: &ManagedTable, column: &str) -> bool {
    let Some((_, target)) = text.split_once(" REFERENCES ") else { return false };
    let (written, list) = target.split_once(" (").unwrap_or((target, ""));
    let mut parts = written.rsplit('.').map(bare);
    if parts.next() != Some(&table.name) || parts.next().unwrap_or(schema) != table.schema {
        return false;
    }
    // Without a list it references the primary key.
    let primary = table.attributes.constraints.iter().find(|known| is_primary(known));
    let referenced = if list.is_empty() { primary.map_or("", String::as_str) } else { target };
    columns(referenced).any(|known| known == column)
}

/// The table's columns that a constraint names.
pub(super) fn columns(text: &str) -> impl Iterator<Item = &str> {
    let list = text.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map_or("", |(list, _)| list);
    list.split(", ").filter(|name| !name.is_empty()).map(bare)
}

/// A name without the quotes that keep its case in a constraint's text.
fn bare(name: &str) -> &str {
    name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(name)
}
