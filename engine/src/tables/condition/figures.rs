//! The figures of Redshift's `svv_table_info`.

use super::order::sorted_region;
use super::pieces::{Piece, SortForm, pieces, sort_form};
use crate::error::Result;
use crate::tables::scan::InlinedRows;
use millrace_catalog::model::{DataFile, ManagedTable};
use std::collections::BTreeMap;

/// Places at which the benefit of sorting is looked at.
const MOST_PROBES: usize = 256;

/// The condition of a table, in the terms of `svv_table_info`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct TableInfo {
    /// `tbl_rows`: rows, deleted ones included.
    pub(crate) rows: u64,
    /// `estimated_visible_rows`: rows that are not deleted.
    pub(crate) visible_rows: u64,
    /// Bytes of the data files.
    pub(crate) bytes: u64,
    /// `unsorted`: percent of the rows that are out of order; `None` without a sort key.
    pub(crate) unsorted: Option<f64>,
    /// `vacuum_sort_benefit`: by how many percent a scan that is limited by the sort key would read less if the table
    /// were sorted, at most; `None` without a compound sort key.
    pub(crate) vacuum_sort_benefit: Option<f64>,
    /// `stats_off`: by how many percent the number of rows has changed since they were analyzed, at most 100; 100
    /// where they never were.
    pub(crate) stats_off: f64,
}

/// The figures of a table; `analyzed_rows` is how many rows it had when they were last analyzed.
///
/// # Errors
/// `DataCorrupted` for a column of a type that is none.
pub(crate) fn table_info(
    table: &ManagedTable,
    files: &[DataFile],
    inlined: &[InlinedRows],
    analyzed_rows: Option<u64>,
) -> Result<TableInfo> {
    // Whether a file lacks its bucket, or is of an earlier definition, is not among the figures.
    let pieces = pieces(table, &[], files, inlined, 1)?;
    let sum = |of: fn(&Piece) -> u64| pieces.iter().map(of).sum::<u64>();
    let (rows, visible_rows, bytes) = (sum(|piece| piece.rows), sum(|piece| piece.live), sum(|piece| piece.bytes));
    let form = sort_form(table);
    Ok(TableInfo {
        rows,
        visible_rows,
        bytes,
        unsorted: sorted_percent(&pieces, form).map(|sorted| (10_000.0 - sorted * 100.0).round() / 100.0),
        // Of an interleaved key the first column's range says little.
        vacuum_sort_benefit: form.filter(|form| *form == SortForm::Compound).map(|_| sort_benefit(&pieces)),
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

/// What a look-up at the low end of each piece reads too much: all pieces whose range has it, where one of each bucket
/// would do.
fn sort_benefit(pieces: &[Piece]) -> f64 {
    let step = pieces.len().div_ceil(MOST_PROBES).max(1);
    let (mut read, mut needed) = (0_u64, 0_u64);
    for probe in pieces.iter().step_by(step) {
        let mut largest: BTreeMap<Option<u32>, u64> = BTreeMap::new();
        for hit in pieces.iter().filter(|piece| meet(piece, probe) && piece.range.has_low_of(&probe.range)) {
            read += hit.live;
            let known = largest.entry(hit.bucket).or_default();
            *known = hit.live.max(*known);
        }
        if largest.len() > 1 {
            // A vacuum would put these rows into the buckets.
            largest.remove(&None);
        }
        needed += largest.values().sum::<u64>();
    }
    percent(read.saturating_sub(needed), read.max(1))
}

/// Whether two pieces may have rows of one bucket.
fn meet(one: &Piece, other: &Piece) -> bool {
    one.bucket.is_none() || other.bucket.is_none() || one.bucket == other.bucket
}

#[allow(clippy::cast_precision_loss, reason = "a percentage to two digits")]
fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { (part as f64 * 10_000.0 / whole as f64).round() / 100.0 }
}
