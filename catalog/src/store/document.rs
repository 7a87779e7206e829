//! Definitions as the JSON texts that the database keeps.

use super::place::Place;
use crate::error::{CatalogError, Result};
use crate::model::{Table, TableVersion};
use serde::{Serialize, de::DeserializeOwned};

/// Writes a definition.
pub(crate) fn encode(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|e| CatalogError::InvalidArgument(format!("cannot be stored: {e}")))
}

/// Reads a definition; `what` names it in the error.
pub(crate) fn decode<T: DeserializeOwned>(place: &Place, what: &str, document: &str) -> Result<T> {
    serde_json::from_str(document).map_err(|e| {
        CatalogError::Damaged(format!("the definition of {what} in the catalog {place} cannot be read: {e}"))
    })
}

/// `id, database_name, name, version, document` of a table.
pub(crate) type TableRow = (i64, String, String, i64, String);

/// The table of a row.
pub(crate) fn decode_table(place: &Place, (id, database, name, version, document): TableRow) -> Result<Table> {
    let table: Table = decode(place, &format!("relation \"{database}.{name}\""), &document)?;
    Ok(Table { id, database, name, version, ..table })
}

/// An earlier definition, of a row of `millrace_table_version`.
pub(crate) fn decode_version(place: &Place, row: TableRow) -> Result<TableVersion> {
    let table = decode_table(place, row)?;
    Ok(TableVersion { version: table.version, table })
}
