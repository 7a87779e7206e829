//! The figures of Redshift's `svv_table_info`.

use super::order::sorted_region;
use super::pieces::{Piece, SortForm, pieces, sort_form};
use crate::error::Result;
use crate::tables::scan::InlinedRows;
use millrace_catalog::manifest::PastDefinition;
use millrace_catalog::model::{DataFile, ManagedTable};

/// The size of Redshift's blocks, in which table sizes are told.
const BLOCK_BYTES: u64 = 1 << 20;

/// Places at which the benefit of sorting is looked at.
const MOST_PROBES: usize = 256;

/// The condition of a table, in the terms of `svv_table_info`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TableInfo {
    /// `tbl_rows`: rows, deleted ones included.
    pub rows: u64,
    /// `estimated_visible_rows`: rows that are not deleted.
    pub visible_rows: u64,
    /// Rows that are in the catalog and in no file yet.
    pub inlined_rows: u64,
    /// Data files.
    pub files: u64,
    /// Bytes of the data files.
    pub bytes: u64,
    /// `size`: blocks of one megabyte.
    pub blocks: u64,
    /// `unsorted`: percent of the rows that are out of order; `None` without a sort key.
    pub unsorted: Option<f64>,
    /// `vacuum_sort_benefit`: by how many percent a scan that is limited by the sort key would read less if the table
    /// were sorted, at most; `None` without a sort key.
    pub vacuum_sort_benefit: Option<f64>,
    /// `stats_off`: by how many percent the number of rows has changed since they were analyzed, at most 100; 100
    /// where they never were.
    pub stats_off: f64,
}

impl TableInfo {
    /// `pct_used`: the percent of so many bytes of storage that the table takes.
    pub fn used_percent(&self, capacity_bytes: u64) -> f64 {
        percent(self.bytes, capacity_bytes)
    }
}

/// The figures of a table. `past` are its definitions, oldest first; `analyzed_rows` is how many rows it had when they
/// were last analyzed.
///
/// # Errors
/// `DataCorrupted` for a column of a type that is none.
pub fn table_info(
    table: &ManagedTable,
    past: &[PastDefinition],
    files: &[DataFile],
    inlined: &[InlinedRows],
    analyzed_rows: Option<u64>,
) -> Result<TableInfo> {
    // Whether a file lacks its bucket is not among the figures.
    let pieces = pieces(table, past, files, inlined, 1)?;
    let sum = |of: fn(&Piece) -> u64| pieces.iter().map(of).sum::<u64>();
    let (rows, visible_rows, bytes) = (sum(|piece| piece.rows), sum(|piece| piece.live), sum(|piece| piece.bytes));
    let form = sort_form(table);
    Ok(TableInfo {
        rows,
        visible_rows,
        inlined_rows: pieces.iter().filter(|piece| piece.file.is_none()).map(|piece| piece.live).sum(),
        files: files.len() as u64,
        bytes,
        blocks: bytes.div_ceil(BLOCK_BYTES),
        unsorted: sorted_percent(&pieces, form).map(|sorted| (10_000.0 - sorted * 100.0).round() / 100.0),
        vacuum_sort_benefit: form.map(|_| sort_benefit(&pieces)),
        stats_off: analyzed_rows.map_or(100.0, |then| percent(then.abs_diff(visible_rows), then.max(1)).min(100.0)),
    })
}

/// How many percent of the live rows are in the sorted region; all of none. `None` without a sort key.
pub(crate) fn sorted_percent(pieces: &[Piece], form: Option<SortForm>) -> Option<f64> {
    let inside = sorted_region(pieces, form?);
    let all: u64 = pieces.iter().map(|piece| piece.live).sum();
    let sorted: u64 = pieces.iter().zip(inside).filter(|(_, inside)| *inside).map(|(piece, _)| piece.live).sum();
    Some(if all == 0 { 100.0 } else { percent(sorted, all) })
}

/// What a look-up at the low end of each piece reads too much: all pieces whose range has it, where one would do.
fn sort_benefit(pieces: &[Piece]) -> f64 {
    let step = pieces.len().div_ceil(MOST_PROBES).max(1);
    let (mut read, mut needed) = (0_u64, 0_u64);
    for probe in pieces.iter().step_by(step) {
        let hit = pieces.iter().filter(|piece| piece.range.has_low_of(&probe.range)).map(|piece| piece.live);
        read += hit.clone().sum::<u64>();
        needed += hit.max().unwrap_or_default();
    }
    percent(read.saturating_sub(needed), read.max(1))
}

#[allow(clippy::cast_precision_loss, reason = "a percentage to two digits")]
fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { (part as f64 * 10_000.0 / whole as f64).round() / 100.0 }
}
