//! What is true of a table's layout now: pure functions of its definition and its files.

use super::buckets::HASH_VERSION;
use crate::tables::statistics::live_rows;
use millrace_catalog::model::{DataFile, DistributionStyle, ManagedTable, SortKey};
use std::fmt;

/// The most bytes of a table that AUTO has as a copy on each node.
pub(super) const MOST_BYTES_OF_ALL: u64 = 32 << 20;

/// A distribution style in effect, shown as `svv_table_info.diststyle` shows it: `KEY(id)`, `AUTO(ALL)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectiveStyle {
    /// Never `Auto`.
    pub style: DistributionStyle,
    /// Whether AUTO chose it.
    pub auto: bool,
    /// The name of the distribution key.
    pub key: Option<String>,
}

impl fmt::Display for EffectiveStyle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let style = match (&self.style, &self.key) {
            (DistributionStyle::Key { .. }, Some(key)) => format!("KEY({key})"),
            (DistributionStyle::Key { .. }, None) => "KEY".to_owned(),
            (DistributionStyle::All, _) => "ALL".to_owned(),
            (DistributionStyle::Even | DistributionStyle::Auto, _) => "EVEN".to_owned(),
        };
        if self.auto { write!(f, "AUTO({style})") } else { f.write_str(&style) }
    }
}

/// The style by which a table of so many bytes is distributed. AUTO is ALL while the table is small; then KEY by what was
/// chosen by use ([`super::choose`]), or by the primary key, if that is one column; else EVEN.
pub fn effective_style(table: &ManagedTable, size_bytes: u64) -> EffectiveStyle {
    let auto = table.attributes.distribution == DistributionStyle::Auto;
    let style = match &table.attributes.distribution {
        DistributionStyle::Auto if size_bytes <= MOST_BYTES_OF_ALL => DistributionStyle::All,
        DistributionStyle::Auto => match auto_key(table) {
            Some(column) => DistributionStyle::Key { column },
            None => DistributionStyle::Even,
        },
        given => given.clone(),
    };
    let key = match &style {
        DistributionStyle::Key { column } => table.columns.iter().find(|known| known.id == *column),
        _ => None,
    };
    let key = key.map(|column| column.name.clone());
    EffectiveStyle { style, auto, key }
}

/// The id of the column that AUTO distributes a large table by.
fn auto_key(table: &ManagedTable) -> Option<i64> {
    table.attributes.chosen.distribution.or_else(|| primary_key(table))
}

/// The id of the column that alone is the primary key.
fn primary_key(table: &ManagedTable) -> Option<i64> {
    let [key] = table.primary_key()?.columns.as_slice() else { return None };
    table.column(key).map(|column| column.id)
}

/// The sort key as `svv_table_info.sortkey1` shows it: the first column, `INTERLEAVED`, `AUTO(SORTKEY)` or
/// `AUTO(SORTKEY(a))`; `None` without one.
pub fn shown_sort_key(table: &ManagedTable) -> Option<String> {
    let name = |columns: &[i64]| {
        let first = columns.first()?;
        table.columns.iter().find(|column| column.id == *first).map(|column| column.name.clone())
    };
    match &table.attributes.sort_key {
        SortKey::None => None,
        SortKey::Auto => Some(match name(&table.attributes.chosen.sort) {
            Some(name) => format!("AUTO(SORTKEY({name}))"),
            None => "AUTO(SORTKEY)".to_owned(),
        }),
        SortKey::Compound { columns } => name(columns),
        SortKey::Interleaved { .. } => Some("INTERLEAVED".to_owned()),
    }
}

/// Whether the rows of a file are in the order of the table's sort key as it is now.
pub fn is_sorted(table: &ManagedTable, file: &DataFile) -> bool {
    file.sorted && file.layout.sort_key == table.attributes.effective_sort_key()
}

/// The rows of the slice that has most of them by those of the slice that has fewest, as `svv_table_info.skew_rows`
/// tells; 1 for a table that is not distributed by key, since its rows are dealt as they are read. `None` when a slice
/// has no row.
pub fn skew(table: &ManagedTable, files: &[DataFile], slices: u32) -> Option<f64> {
    let slices = slices.max(1);
    let mut rows = vec![0.; slices as usize];
    for file in files {
        let live = live_rows(file) as f64;
        match bucket_now(table, file) {
            // A bucket of fewer than the slices is dealt to several of them.
            Some((bucket, of)) => {
                let step = of.min(slices);
                let share: Vec<usize> =
                    (0..slices).filter(|slice| slice % step == bucket % step).map(|n| n as usize).collect();
                for slice in &share {
                    rows[*slice] += live / share.len() as f64;
                }
            }
            None => rows.iter_mut().for_each(|slice| *slice += live / f64::from(slices)),
        }
    }
    let (most, fewest) =
        rows.iter().fold((0_f64, f64::MAX), |(most, fewest), rows| (most.max(*rows), fewest.min(*rows)));
    (fewest > 0.).then_some(most / fewest)
}

/// The first of the slices that a file's rows belong to by their bucket; `None` where they are dealt as they are read.
pub fn first_slice(table: &ManagedTable, file: &DataFile, slices: u32) -> Option<u32> {
    bucket_now(table, file).map(|(bucket, of)| bucket % of.min(slices.max(1)))
}

/// A file's bucket, and of how many, where it is one of the table's distribution key as it is now.
pub(crate) fn bucket_now(table: &ManagedTable, file: &DataFile) -> Option<(u32, u32)> {
    let layout = &file.layout;
    let now = match table.attributes.distribution {
        DistributionStyle::Key { column } => layout.distribution_column == Some(column),
        DistributionStyle::Auto => {
            layout.distribution_column.is_some() && layout.distribution_column == auto_key(table)
        }
        DistributionStyle::Even | DistributionStyle::All => false,
    };
    (now && layout.hash_version == HASH_VERSION && layout.buckets > 0).then_some((file.bucket?, layout.buckets))
}
