//! Where the values of managed tables are: `stv_blocklist`, `svv_diskusage`, `stv_partitions`.
//!
//! A block is a megabyte of a column of one file, begun or whole. A file's bounds are those of all its blocks, and its
//! values are counted as dealt to them evenly. Rows that stand in the catalog are in no block.

use super::table::Kind::{Int4, Int8, Text};
use super::{Kind, PG_CATALOG, Relation, RelationKind, Rows, SystemTable, oid, relations, row, sees_all};
use crate::error::{Error, ErrorKind, Result};
use crate::session::Context;
use crate::tables::{first_slice, is_sorted};
use millrace_catalog::model::{DataFile, ManagedTable};
use std::path::Path;

/// The bytes of a block.
const BLOCK: u64 = 1 << 20;

/// A block of a table.
struct Block<'a> {
    relation: &'a Relation,
    slice: u32,
    column: usize,
    number: u64,
    values: u64,
    bounds: (Option<i64>, Option<i64>),
    sorted: bool,
}

/// The slice that the blocks of a file are in, by its place among the table's files where no bucket says it.
pub(super) fn slice_of(table: &ManagedTable, file: &DataFile, (place, slices): (usize, u32)) -> u32 {
    first_slice(table, file, slices).unwrap_or(place as u32 % slices.max(1))
}

/// How many blocks a column of a file has.
fn block_count(size_bytes: u64) -> u64 {
    size_bytes.div_ceil(BLOCK).max(1)
}

/// How many blocks all columns of a file have.
pub(super) fn file_blocks(table: &ManagedTable, file: &DataFile) -> u64 {
    let known = table.columns.iter().filter_map(|column| file.columns.get(&column.id));
    known.map(|column| block_count(column.size_bytes)).sum()
}

/// The blocks of a file.
fn blocks_of<'a>(
    (relation, table): (&'a Relation, &ManagedTable),
    file: &DataFile,
    (place, slices): (usize, u32),
    mut add: impl FnMut(Block<'a>),
) {
    let slice = slice_of(table, file, (place, slices));
    let sorted = is_sorted(table, file);
    for (column, of) in table.columns.iter().enumerate() {
        let Some(known) = file.columns.get(&of.id) else { continue };
        let bound = |text: &Option<String>| text.as_ref().and_then(|text| text.parse().ok());
        let bounds = (bound(&known.minimum), bound(&known.maximum));
        let count = block_count(known.size_bytes);
        for at in 0..count {
            let upto = |at: u64| (u128::from(file.record_count) * u128::from(at) / u128::from(count)) as u64;
            let values = upto(at + 1) - upto(at);
            add(Block { relation, slice, column, number: at, values, bounds, sorted });
        }
    }
}

/// The blocks of all tables, for those who see what belongs to others.
async fn blocks(context: &Context, mut row: impl FnMut(&Block<'_>) -> Vec<super::Value>) -> Result<Rows> {
    if !sees_all(context).await? {
        return Ok(Rows::new());
    }
    let slices = u32::try_from(context.state().config().target_partitions()).unwrap_or(1);
    let mut rows = Rows::new();
    for relation in relations(context).await?.iter().filter(|relation| relation.kind == RelationKind::Table) {
        let Some(table) = &relation.managed else { continue };
        let contents = context.transaction().lock().await.contents(context.warehouse(), table).await?;
        // Blocks of a column are numbered within its slice.
        let mut numbers = vec![0; slices as usize * table.columns.len()];
        for (place, file) in contents.files.iter().enumerate() {
            blocks_of((relation, table), file, (place, slices), |mut block| {
                if let Some(next) = numbers.get_mut(block.slice as usize * table.columns.len() + block.column) {
                    block.number = *next;
                    *next += 1;
                }
                rows.push(row(&block));
            });
        }
    }
    Ok(rows)
}

async fn stv_blocklist(context: &Context) -> Result<Rows> {
    let none = None::<i64>;
    let row = |block: &Block<'_>| {
        row![
            block.slice,
            block.column,
            block.relation.oid,
            block.number,
            block.values,
            0,
            block.bounds.0,
            block.bounds.1,
            none,
            0,
            1,
            0,
            0,
            i64::from(!block.sorted),
            0,
            0,
            0,
            0,
            none,
            none
        ]
    };
    blocks(context, row).await
}

async fn svv_diskusage(context: &Context) -> Result<Rows> {
    let none = None::<i64>;
    let row = |block: &Block<'_>| {
        row![
            oid::DATABASE_OID,
            &block.relation.name,
            block.slice,
            block.column,
            block.relation.oid,
            block.number,
            block.values,
            block.bounds.0,
            block.bounds.1,
            none,
            0,
            1,
            0,
            0,
            i64::from(!block.sorted),
            0,
            0,
            0,
            0
        ]
    };
    blocks(context, row).await
}

/// Used megabytes of the disk that a folder is on, and all of them.
fn disk(folder: &Path) -> Result<(u64, u64)> {
    let found = rustix::fs::statvfs(folder).map_err(|error| {
        let message = format!("could not look at the disk of {}: {error}", folder.display());
        Error::new(ErrorKind::Internal, message)
    })?;
    let megabytes = |blocks: u64| blocks.saturating_mul(found.f_frsize) >> 20;
    Ok((megabytes(found.f_blocks.saturating_sub(found.f_bfree)), megabytes(found.f_blocks)))
}

/// Used megabytes of the disk that the warehouse's files are on, and all of them; `None` for an object store.
pub(super) fn local_disk(context: &Context) -> Result<Option<(u64, u64)>> {
    let is_local = context.warehouse().data().url.as_str().starts_with("file:");
    if is_local { disk(&context.warehouse().config().directory).map(Some) } else { Ok(None) }
}

/// The disk that the warehouse is on; of an object store neither size nor use is known.
async fn stv_partitions(context: &Context) -> Result<Rows> {
    if !sees_all(context).await? {
        return Ok(Rows::new());
    }
    let none = None::<i64>;
    let figures = local_disk(context)?;
    let mount = if figures.is_some() {
        context.warehouse().config().directory.to_string_lossy().into_owned()
    } else {
        let data = context.warehouse().data();
        format!("{}{}", data.url.as_str(), data.root)
    };
    let (used, capacity) = figures.unzip();
    let row = row![0, 0, 0, 0, capacity, used, 0, capacity, none, none, none, none, 0, 0, none, mount];
    Ok(vec![row])
}

const DISK_USAGE: &[(&str, Kind)] = &[
    ("db_id", Int4),
    ("name", Text),
    ("slice", Int4),
    ("col", Int4),
    ("tbl", Int4),
    ("blocknum", Int4),
    ("num_values", Int4),
    ("minvalue", Int8),
    ("maxvalue", Int8),
    ("sb_pos", Int4),
    ("pinned", Int4),
    ("on_disk", Int4),
    ("modified", Int4),
    ("hdr_modified", Int4),
    ("unsorted", Int4),
    ("tombstone", Int4),
    ("preferred_diskno", Int4),
    ("temporary", Int4),
    ("newblock", Int4),
];

const BLOCK_LIST: &[(&str, Kind)] = &[
    ("slice", Int4),
    ("col", Int4),
    ("tbl", Int4),
    ("blocknum", Int4),
    ("num_values", Int4),
    ("extended_limits", Int4),
    ("minvalue", Int8),
    ("maxvalue", Int8),
    ("sb_pos", Int4),
    ("pinned", Int4),
    ("on_disk", Int4),
    ("modified", Int4),
    ("hdr_modified", Int4),
    ("unsorted", Int4),
    ("tombstone", Int4),
    ("preferred_diskno", Int4),
    ("temporary", Int4),
    ("newblock", Int4),
    ("num_readers", Int4),
    ("flags", Int4),
];

pub(super) const TABLES: &[SystemTable] = &[
    SystemTable {
        schema: PG_CATALOG,
        name: "stv_blocklist",
        columns: BLOCK_LIST,
        rows: |context| Box::pin(stv_blocklist(context)),
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "svv_diskusage",
        columns: DISK_USAGE,
        rows: |context| Box::pin(svv_diskusage(context)),
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "stv_partitions",
        columns: &[
            ("owner", Int4),
            ("host", Int4),
            ("diskno", Int4),
            ("part_begin", Int8),
            ("part_end", Int8),
            ("used", Int4),
            ("tossed", Int4),
            ("capacity", Int4),
            ("reads", Int8),
            ("writes", Int8),
            ("seek_forward", Int4),
            ("seek_back", Int4),
            ("is_san", Int4),
            ("failed", Int4),
            ("mbps", Int4),
            ("mount", Text),
        ],
        rows: |context| Box::pin(stv_partitions(context)),
    },
];
