//! How the values of managed tables are encoded in their files: `millrace_column_encodings`, which is ours.
//!
//! It looks into files and costs more than other system tables: into the newest of each table, there at some blocks of each
//! column.

use super::table::Kind::{Int4, Text};
use super::{PG_CATALOG, RelationKind, Rows, SystemTable, relations, row, sees_all};
use crate::error::Result;
use crate::session::Context;
use crate::tables::encoding::describe;

/// For each column of a table's newest file the ways in which its blocks are encoded, for those who see what belongs to
/// others.
async fn column_encodings(context: &Context) -> Result<Rows> {
    let mut rows = Rows::new();
    if !sees_all(context).await? {
        return Ok(rows);
    }
    for relation in relations(context).await?.iter().filter(|relation| relation.kind == RelationKind::Table) {
        let Some(table) = &relation.managed else { continue };
        let contents = context.transaction().lock().await.contents(context.warehouse(), table).await?;
        let Some(file) = contents.files.last() else { continue };
        let storage = context.warehouse().storage_of(table).await?;
        for found in describe(&storage, table, file).await? {
            // A dropped column's values stay in files.
            let Some(column) = table.columns.iter().find(|column| column.id == found.column) else { continue };
            let encoding = column.encoding.as_deref().unwrap_or("auto");
            for (stored_as, blocks) in found.encodings {
                rows.push(row![&relation.schema, &relation.name, &column.name, encoding, stored_as, blocks]);
            }
        }
    }
    Ok(rows)
}

pub(super) const TABLES: &[SystemTable] = &[SystemTable {
    schema: PG_CATALOG,
    name: "millrace_column_encodings",
    columns: &[
        ("schemaname", Text),
        ("tablename", Text),
        ("column", Text),
        ("encoding", Text),
        ("stored_as", Text),
        ("blocks", Int4),
    ],
    rows: |context| Box::pin(column_encodings(context)),
}];
