//! A table's definition, put together of DuckLake's rows and of the document in which we keep what those cannot say.
//!
//! Where DuckDB changed a table since, its rows are right and the document gives only what still agrees with them.

use super::types::{ducklake_default, ducklake_type, redshift_default, redshift_type};
use crate::error::Result;
use crate::model::FileFormat;
use crate::model::{ManagedColumn, ManagedTable, TableAttributes};
use crate::store::{Lease, decode, sql};

/// `table_uuid, schema_name, table_name, schema path, is relative, table path, is relative`.
type TableRow = (String, String, String, Option<String>, Option<bool>, Option<String>, Option<bool>);
/// `column_id, column_name, column_type, initial_default, default_value, default_value_type, nulls_allowed`.
type ColumnRow = (i64, String, String, Option<String>, Option<String>, Option<String>, Option<bool>);

const SELECT_TABLE: &str = "SELECT t.table_uuid, s.schema_name, t.table_name, \
     s.path, s.path_is_relative, t.path, t.path_is_relative \
     FROM ducklake_table t JOIN ducklake_schema s ON s.schema_id = t.schema_id \
     WHERE t.table_id = $1 AND t.begin_snapshot <= $2 AND (t.end_snapshot IS NULL OR t.end_snapshot > $2) \
     AND s.begin_snapshot <= $2 AND (s.end_snapshot IS NULL OR s.end_snapshot > $2)";
const SELECT_COLUMNS: &str = "SELECT column_id, column_name, column_type, initial_default, default_value, \
     default_value_type, nulls_allowed FROM ducklake_column WHERE table_id = $1 AND parent_column IS NULL \
     AND begin_snapshot <= $2 AND (end_snapshot IS NULL OR end_snapshot > $2) ORDER BY column_order";
const SELECT_COMMENT: &str = "SELECT \"value\" FROM ducklake_tag WHERE object_id = $1 AND \"key\" = 'comment' \
     AND begin_snapshot <= $2 AND (end_snapshot IS NULL OR end_snapshot > $2)";
const SELECT_COLUMN_COMMENTS: &str = "SELECT column_id, \"value\" FROM ducklake_column_tag \
     WHERE table_id = $1 AND \"key\" = 'comment' \
     AND begin_snapshot <= $2 AND (end_snapshot IS NULL OR end_snapshot > $2)";
const SELECT_DOCUMENT: &str = "SELECT document FROM millrace_managed_table \
     WHERE table_id = $1 AND begin_snapshot <= $2 ORDER BY begin_snapshot DESC LIMIT 1";

/// The table as DuckLake's rows show it at a snapshot; `None` where it did not exist then.
pub(super) async fn read_table(lease: &mut Lease<'_>, table_id: i64, snapshot: i64) -> Result<Option<ManagedTable>> {
    let row: Option<TableRow> = lease.first(sql(SELECT_TABLE).bind(table_id).bind(snapshot)).await?;
    let Some((uuid, schema, name, schema_path, schema_relative, path, relative)) = row else { return Ok(None) };
    let columns: Vec<ColumnRow> = lease.all(sql(SELECT_COLUMNS).bind(table_id).bind(snapshot)).await?;
    let comment: Option<(Option<String>,)> = lease.first(sql(SELECT_COMMENT).bind(table_id).bind(snapshot)).await?;
    let comments: Vec<(i64, Option<String>)> =
        lease.all(sql(SELECT_COLUMN_COMMENTS).bind(table_id).bind(snapshot)).await?;
    let last = sql("SELECT COALESCE(MAX(column_id), 0) FROM ducklake_column WHERE table_id = $1");
    let last_column = lease.number(last.bind(table_id)).await?;
    let document: Option<(String,)> = lease.first(sql(SELECT_DOCUMENT).bind(table_id).bind(snapshot)).await?;
    let known: Option<ManagedTable> = match &document {
        Some((document,)) => Some(decode_document(lease, table_id, document)?),
        None => None,
    };
    let columns = columns.into_iter().map(|row| {
        let before = known.as_ref().and_then(|known| known.columns.iter().find(|column| column.id == row.0));
        let comment = comments.iter().find(|(id, _)| *id == row.0).and_then(|(_, comment)| comment.clone());
        column(row, comment, before)
    });
    // A table that another program made has the only files that it can write.
    let foreign = TableAttributes { format: FileFormat::Parquet, ..TableAttributes::default() };
    Ok(Some(ManagedTable {
        id: table_id,
        uuid,
        schema,
        name,
        columns: columns.collect(),
        next_column_id: known.as_ref().map_or(1, |known| known.next_column_id).max(last_column + 1),
        path: join_path(&[(schema_path, schema_relative), (path, relative)]),
        attributes: known.map_or(foreign, |known| known.attributes),
        comment: comment.and_then(|(comment,)| comment),
    }))
}

/// Reads a document.
pub(super) fn decode_document(lease: &Lease<'_>, table_id: i64, document: &str) -> Result<ManagedTable> {
    decode(lease.place(), &format!("managed table {table_id}"), document)
}

fn column(row: ColumnRow, comment: Option<String>, before: Option<&ManagedColumn>) -> ManagedColumn {
    let (id, name, stored_type, initial, default, default_kind, nullable) = row;
    let data_type = match before {
        Some(before) if ducklake_type(&before.data_type).is_ok_and(|known| known == stored_type) => {
            before.data_type.clone()
        }
        _ => redshift_type(&stored_type),
    };
    let same_default = |before: &&ManagedColumn| {
        let (value, kind) = ducklake_default(before.default.as_deref());
        default.as_deref().unwrap_or("NULL") == value && default_kind.as_deref().unwrap_or("literal") == kind
    };
    ManagedColumn {
        id,
        name,
        data_type,
        nullable: nullable != Some(false),
        default: match before.filter(same_default) {
            Some(before) => before.default.clone(),
            None => redshift_default(default.as_deref(), default_kind.as_deref(), &stored_type),
        },
        initial,
        identity: before.and_then(|before| before.identity),
        encoding: before.and_then(|before| before.encoding.clone()),
        case_insensitive: before.is_some_and(|before| before.case_insensitive),
        comment,
    }
}

/// The path that relative ones, each from the one before, make; an absolute one starts anew.
pub(super) fn join_path(parts: &[(Option<String>, Option<bool>)]) -> String {
    let mut joined = String::new();
    for (path, relative) in parts {
        if *relative == Some(false) {
            joined.clear();
        }
        joined.push_str(path.as_deref().unwrap_or_default());
    }
    joined
}

/// A path and whether it is relative, as DuckLake stores them.
pub(super) fn is_relative(path: &str) -> bool {
    !path.starts_with('/') && !path.contains("://")
}
