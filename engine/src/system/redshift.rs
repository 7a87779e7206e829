//! Tables as Redshift's administrators look at them: `svv_table_info`, `stv_tbl_perm`, `stv_tbl_trans`.

use super::table::Kind::{Double, Int4, Int8, Text, Time};
use super::table::NULL;
use super::{DATABASE, PG_CATALOG, Relation, RelationKind, Rows, SystemTable, attributes, relations, row};
use crate::error::Result;
use crate::session::Context;

/// A table's rows, deleted ones too and without them, and the bytes of its files, as the statement sees them.
pub(super) async fn figures(context: &Context, relation: &Relation) -> Result<(u64, u64, u64)> {
    let Some(table) = &relation.managed else { return Ok((0, 0, 0)) };
    let contents = context.transaction().lock().await.contents(context.warehouse(), table).await?;
    let inlined: u64 = contents.inlined.iter().map(|rows| rows.rows.len() as u64).sum();
    let (mut written, mut deleted, mut bytes) = (inlined, 0, 0);
    for file in contents.files.iter() {
        written += file.record_count;
        bytes += file.size_bytes;
        deleted += file.deletes.as_ref().map_or(0, |deletes| deletes.delete_count) + file.inlined_deletes.len() as u64;
    }
    Ok((written, written.saturating_sub(deleted), bytes))
}

/// `diststyle` as `svv_table_info` writes it.
fn style(relation: &Relation) -> String {
    let key = relation.columns.iter().find(|column| column.distribution_key);
    match (relation.distribution, key) {
        (1, Some(column)) => format!("KEY({})", column.name),
        (8, _) => "ALL".to_owned(),
        (0, _) => "EVEN".to_owned(),
        _ => "AUTO(EVEN)".to_owned(),
    }
}

/// Megabytes, at least one where there is something: Redshift counts blocks.
fn blocks(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}

async fn table_info(context: &Context) -> Result<Rows> {
    let mut rows = Rows::new();
    for relation in relations(context).await?.iter().filter(|relation| relation.kind == RelationKind::Table) {
        let (written, alive, bytes) = figures(context, relation).await?;
        let encoded =
            relation.columns.iter().any(|column| column.encoding.as_deref().is_some_and(|name| name != "raw"));
        let first = relation.columns.iter().find(|column| column.sort_key.abs() == 1);
        let longest = relation.columns.iter().filter_map(|column| {
            let inside = column.data_type.strip_prefix("character varying(")?;
            inside.trim_end_matches(')').parse::<i64>().ok()
        });
        let encoding = first.map(attributes::encoding_of);
        let sort_keys = relation.columns.iter().filter(|column| column.sort_key != 0).count();
        let first = first.map(|column| if relation.interleaved { "INTERLEAVED" } else { column.name.as_str() });
        rows.push(row![
            DATABASE,
            &relation.schema,
            relation.oid,
            &relation.name,
            if encoded { "Y" } else { "Y, AUTO(ENCODE)" },
            style(relation),
            first,
            longest.max(),
            encoding,
            sort_keys,
            blocks(bytes),
            0.0,
            0.0,
            NULL,
            NULL,
            written,
            1.0,
            NULL,
            alive,
            NULL,
            NULL
        ]);
    }
    // Redshift lists no table that is empty.
    rows.retain(|row| row[15] != super::Value::Int(0));
    Ok(rows)
}

async fn tbl_perm(context: &Context) -> Result<Rows> {
    let mut rows = Rows::new();
    for relation in relations(context).await?.iter().filter(|relation| relation.kind == RelationKind::Table) {
        let (written, alive, bytes) = figures(context, relation).await?;
        rows.push(row![
            0,
            relation.oid,
            &relation.name,
            alive,
            written,
            bytes,
            super::oid::DATABASE_OID,
            blocks(bytes),
            0,
            0
        ]);
    }
    Ok(rows)
}

pub(super) const TABLES: &[SystemTable] = &[
    SystemTable {
        schema: PG_CATALOG,
        name: "svv_table_info",
        columns: &[
            ("database", Text),
            ("schema", Text),
            ("table_id", super::Kind::Oid),
            ("table", Text),
            ("encoded", Text),
            ("diststyle", Text),
            ("sortkey1", Text),
            ("max_varchar", Int4),
            ("sortkey1_enc", Text),
            ("sortkey_num", Int4),
            ("size", Int8),
            ("pct_used", Double),
            ("empty", Double),
            ("unsorted", Double),
            ("stats_off", Double),
            ("tbl_rows", Int8),
            ("skew_sortkey1", Double),
            ("skew_rows", Double),
            ("estimated_visible_rows", Int8),
            ("risk_event", Text),
            ("create_time", Time),
        ],
        rows: |context| Box::pin(table_info(context)),
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "stv_tbl_perm",
        columns: &[
            ("slice", Int4),
            ("id", Int4),
            ("name", Text),
            ("rows", Int8),
            ("sorted_rows", Int8),
            ("bytes", Int8),
            ("db_id", Int4),
            ("block_count", Int4),
            ("temp", Int4),
            ("backup", Int4),
        ],
        rows: |context| Box::pin(tbl_perm(context)),
    },
];
