//! What is known of files added up: rows and bytes, and bounds of columns where every file was read.

use super::folder::{Data, File};
use crate::lake::types::parse_partition_value;
use millrace_catalog::model::{Column, ColumnStatistics, HiveType, TableStatistics};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// How much larger rows usually are than their compressed text or JSON.
const USUAL_COMPRESSION: f64 = 4.0;

/// Rows, bytes and columns of files of a table with these columns. Rows are counted where every file was read to its
/// end, else estimated by the bytes of those that were. When they were looked at is not known here.
pub(super) fn of(data: &Data<'_>, columns: &[Column]) -> TableStatistics {
    let all_read = data.files.len() as u64 == data.file_count;
    let exact = all_read && data.files.iter().all(|file| file.recognized.rows_exact);
    TableStatistics {
        row_count: if exact { data.files.iter().map(|file| file.recognized.rows).sum() } else { estimated_rows(data) },
        size_bytes: data.size_bytes,
        file_count: data.file_count,
        exact,
        analyzed_time_ms: 0,
        columns: if exact { of_columns(&data.files, columns) } else { BTreeMap::new() },
    }
}

/// The mean bytes of a row before compression; 0 when no row was read.
pub(super) fn mean_row_bytes<'a>(files: impl Iterator<Item = &'a File<'a>>) -> u64 {
    let (rows, bytes) = files.filter(|file| file.recognized.rows > 0).fold((0_u64, 0_u64), |(rows, bytes), file| {
        (rows.saturating_add(file.recognized.rows), bytes.saturating_add(file.recognized.row_bytes))
    });
    bytes.checked_div(rows).unwrap_or(0)
}

fn estimated_rows(data: &Data<'_>) -> u64 {
    let counted = data.files.iter().filter(|file| file.recognized.rows_exact);
    let (rows, bytes) = counted.fold((0_u64, 0_u64), |(rows, bytes), file| {
        (rows.saturating_add(file.recognized.rows), bytes.saturating_add(file.object.size))
    });
    let rest = data.size_bytes.saturating_sub(bytes) as f64;
    let row_bytes = if rows > 0 {
        bytes as f64 / rows as f64
    } else {
        let compressed = data.family.layout.compression != "none";
        mean_row_bytes(data.files.iter()) as f64 / if compressed { USUAL_COMPRESSION } else { 1.0 }
    };
    if row_bytes > 0.0 { rows.saturating_add((rest / row_bytes).round() as u64) } else { rows }
}

/// Bounds and NULLs of the columns of which every file tells them.
fn of_columns(files: &[File<'_>], columns: &[Column]) -> BTreeMap<String, ColumnStatistics> {
    if files.iter().any(|file| file.recognized.statistics.is_none()) {
        return BTreeMap::new();
    }
    let known = columns.iter().filter_map(|column| Some((column.name.clone(), of_column(files, column)?)));
    known.collect()
}

fn of_column(files: &[File<'_>], column: &Column) -> Option<ColumnStatistics> {
    let mut whole = ColumnStatistics { null_count: Some(0), ..ColumnStatistics::default() };
    let (mut minima, mut maxima) = (Some(Vec::new()), Some(Vec::new()));
    for file in files {
        let Some(in_file) = file.recognized.columns.iter().find(|known| known.name == column.name) else {
            // The file lacks the column: NULL in all its rows.
            whole.null_count = whole.null_count.map(|nulls| nulls + file.recognized.rows);
            continue;
        };
        let statistics = file.recognized.statistics.as_ref().and_then(|all| all.columns.get(&column.name));
        let nulls = statistics.and_then(|known| known.null_count);
        whole.null_count = whole.null_count.zip(nulls).map(|(known, nulls)| known + nulls);
        if nulls == Some(file.recognized.rows) {
            continue;
        }
        // Texts of another type order otherwise.
        let comparable = in_file.data_type == column.data_type || column.data_type != HiveType::String;
        let gather = |bounds: &mut Option<Vec<String>>, bound: Option<&String>| match (&mut *bounds, bound) {
            (Some(bounds), Some(bound)) if comparable => bounds.push(bound.clone()),
            _ => *bounds = None,
        };
        gather(&mut minima, statistics.and_then(|known| known.minimum.as_ref()));
        gather(&mut maxima, statistics.and_then(|known| known.maximum.as_ref()));
    }
    whole.minimum = minima.and_then(|bounds| extreme(bounds, &column.data_type, Ordering::Less));
    whole.maximum = maxima.and_then(|bounds| extreme(bounds, &column.data_type, Ordering::Greater));
    (whole != ColumnStatistics::default()).then_some(whole)
}

/// The bound that stands so to all others, as values of the type.
fn extreme(bounds: Vec<String>, data_type: &HiveType, wanted: Ordering) -> Option<String> {
    let mut best: Option<(datafusion::common::ScalarValue, String)> = None;
    for text in bounds {
        let value = parse_partition_value(Some(&text), data_type).ok()?;
        let better = match &best {
            None => true,
            Some((known, _)) => value.partial_cmp(known)? == wanted,
        };
        if better {
            best = Some((value, text));
        }
    }
    best.map(|(_, text)| text)
}
