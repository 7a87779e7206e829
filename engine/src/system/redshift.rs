//! Tables as Redshift's administrators look at them: `svv_table_info`, `stv_tbl_perm`, `stv_tbl_trans`.

use super::table::Kind::{Int4, Int8, Numeric, Text, Time};
use super::table::NULL;
use super::{DATABASE, PG_CATALOG, Relation, RelationKind, Rows, SystemTable, attributes, relations, row, storage};
use crate::error::Result;
use crate::session::{Context, is_temporary};
use crate::tables::{self, TableInfo, decode_inlined, effective_style, is_sorted, shown_sort_key, skew};
use millrace_catalog::model::{DistributionStyle, ManagedTable, SortKey};
use std::collections::BTreeMap;

/// What a table is made of, as the statement sees it.
#[derive(Default)]
struct Figures {
    /// Its rows, and how many of them VACUUM and ANALYZE would look after.
    info: TableInfo,
    /// `diststyle` as `svv_table_info` writes it.
    style: String,
    /// The same of `sortkey1`.
    sort_key: Option<String>,
    /// The rows of the slice with most of them by those of the slice with fewest.
    skew: Option<f64>,
    /// The bytes of the largest other column by those of the first one of the sort key.
    sort_key_skew: Option<f64>,
}

async fn figures(context: &Context, relation: &Relation) -> Result<Figures> {
    let Some(table) = &relation.managed else { return Ok(Figures::default()) };
    let contents = context.transaction().lock().await.contents(context.warehouse(), table).await?;
    let inlined = contents.inlined.iter().map(|rows| decode_inlined(table, rows)).collect::<Result<Vec<_>>>()?;
    let analyzed = context.catalog().estimates(table.id).await?.analysis.as_ref().map(|known| known.row_count);
    let info = tables::table_info(table, &contents.files, &inlined, analyzed)?;
    let mut columns: BTreeMap<i64, u64> = BTreeMap::new();
    for (column, known) in contents.files.iter().flat_map(|file| &file.columns) {
        *columns.entry(*column).or_default() += known.size_bytes;
    }
    let slices = u32::try_from(context.state().config().target_partitions()).unwrap_or(1);
    let first = match table.attributes.effective_sort_key() {
        SortKey::Compound { columns } | SortKey::Interleaved { columns } => columns.first().copied(),
        SortKey::None | SortKey::Auto => None,
    };
    let sort_key_skew = first.and_then(|first| {
        let own = columns.get(&first).copied().filter(|bytes| *bytes > 0)?;
        let largest = columns.iter().filter(|(column, _)| **column != first).map(|(_, bytes)| *bytes).max()?;
        Some(largest as f64 / own as f64)
    });
    Ok(Figures {
        style: effective_style(table, info.bytes).to_string(),
        sort_key: shown_sort_key(table),
        skew: if info.visible_rows == 0 { None } else { skew(table, &contents.files, slices) },
        sort_key_skew,
        info,
    })
}

/// The bytes of a relation's files, as the statement sees them.
pub(crate) async fn size_bytes(context: &Context, relation: &Relation) -> Result<u64> {
    let Some(table) = &relation.managed else { return Ok(0) };
    let contents = context.transaction().lock().await.contents(context.warehouse(), table).await?;
    Ok(contents.files.iter().map(|file| file.size_bytes).sum())
}

/// `releffectivediststyle`: how a relation is distributed, as the statement sees it.
pub(super) async fn distribution(context: &Context, relation: &Relation) -> Result<i16> {
    let Some(table) = &relation.managed else { return Ok(relation.distribution) };
    let contents = context.transaction().lock().await.contents(context.warehouse(), table).await?;
    Ok(style_number(relation, table, contents.files.iter().map(|file| file.size_bytes).sum()))
}

/// The same of a table of so many bytes.
fn style_number(relation: &Relation, table: &ManagedTable, bytes: u64) -> i16 {
    if table.attributes.distribution != DistributionStyle::Auto {
        return relation.distribution;
    }
    match effective_style(table, bytes).style {
        DistributionStyle::All => 10,
        DistributionStyle::Even | DistributionStyle::Auto => 11,
        DistributionStyle::Key { .. } => 12,
    }
}

/// Megabytes, at least one where there is something: Redshift counts blocks.
fn blocks(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}

async fn table_info(context: &Context) -> Result<Rows> {
    let capacity = storage::local_disk(context)?.map(|(_, capacity)| capacity);
    let mut rows = Rows::new();
    for relation in relations(context).await?.iter().filter(|relation| relation.kind == RelationKind::Table) {
        let figures = figures(context, relation).await?;
        let info = &figures.info;
        let encoded =
            relation.columns.iter().any(|column| column.encoding.as_deref().is_some_and(|name| name != "raw"));
        let first = relation.columns.iter().find(|column| column.sort_key.abs() == 1);
        let longest = relation.columns.iter().filter_map(|column| {
            let inside = column.data_type.strip_prefix("character varying(")?;
            inside.trim_end_matches(')').parse::<i64>().ok()
        });
        let encoding = first.map(attributes::encoding_of);
        let sort_keys = relation.columns.iter().filter(|column| column.sort_key != 0).count();
        rows.push(row![
            DATABASE,
            &relation.schema,
            relation.oid,
            &relation.name,
            if encoded { "Y" } else { "Y, AUTO(ENCODE)" },
            figures.style,
            figures.sort_key,
            longest.max(),
            encoding,
            sort_keys,
            blocks(info.bytes),
            capacity.map(|capacity| 100. * blocks(info.bytes) as f64 / capacity.max(1) as f64),
            0,
            info.unsorted,
            info.stats_off,
            info.rows,
            figures.sort_key_skew,
            figures.skew,
            info.visible_rows,
            NULL,
            info.vacuum_sort_benefit,
            NULL
        ]);
    }
    // Redshift lists no table that is empty.
    rows.retain(|row| row[15] != super::Value::Int(0));
    Ok(rows)
}

/// What a slice has of a table: rows, deleted ones too, those of them that are sorted, blocks.
#[derive(Clone, Copy, Default)]
struct SlicePart {
    rows: u64,
    sorted: u64,
    blocks: u64,
}

/// A row for each slice; rows that stand in the catalog are the first one's.
async fn tbl_perm(context: &Context) -> Result<Rows> {
    let slices = u32::try_from(context.state().config().target_partitions()).unwrap_or(1).max(1);
    let mut rows = Rows::new();
    for relation in relations(context).await?.iter().filter(|relation| relation.kind == RelationKind::Table) {
        let Some(table) = &relation.managed else { continue };
        let contents = context.transaction().lock().await.contents(context.warehouse(), table).await?;
        let style = style_number(relation, table, contents.files.iter().map(|file| file.size_bytes).sum());
        let has_key = !matches!(table.attributes.effective_sort_key(), SortKey::None | SortKey::Auto);
        let mut parts = vec![SlicePart::default(); slices as usize];
        if let Some(first) = parts.first_mut() {
            first.rows = contents.inlined.iter().map(|rows| rows.rows.len() as u64).sum();
        }
        for (place, file) in contents.files.iter().enumerate() {
            let slice = storage::slice_of(table, file, (place, slices));
            let Some(part) = parts.get_mut(slice as usize) else { continue };
            part.rows += file.record_count;
            part.sorted += if has_key && is_sorted(table, file) { file.record_count } else { 0 };
            part.blocks += storage::file_blocks(table, file);
        }
        for (slice, part) in parts.into_iter().enumerate() {
            rows.push(row![
                slice,
                relation.oid,
                &relation.name,
                part.rows,
                part.sorted,
                i64::from(is_temporary(table)),
                super::oid::DATABASE_OID,
                NULL,
                NULL,
                0,
                style,
                part.blocks
            ]);
        }
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
            ("pct_used", Numeric(10, 4)),
            ("empty", Int8),
            ("unsorted", Numeric(5, 2)),
            ("stats_off", Numeric(5, 2)),
            ("tbl_rows", Numeric(38, 0)),
            ("skew_sortkey1", Numeric(19, 2)),
            ("skew_rows", Numeric(19, 2)),
            ("estimated_visible_rows", Numeric(38, 0)),
            ("risk_event", Text),
            ("vacuum_sort_benefit", Numeric(12, 2)),
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
            ("temp", Int4),
            ("db_id", Int4),
            ("insert_pristine", Int4),
            ("delete_pristine", Int4),
            ("backup", Int4),
            ("dist_style", Int4),
            ("block_count", Int4),
        ],
        rows: |context| Box::pin(tbl_perm(context)),
    },
];
