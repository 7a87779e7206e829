//! What one data file's statistics say: *bounds*, which hold for all rows of the file, deleted ones included, and tell
//! which files a filter can skip; and *estimates*, which speak of the rows that are left and are exact only where no row
//! is deleted and no bound was cut. They must not be mixed: a count of NULLs among all rows beside the number of live
//! rows would prove that a file has no values.

use super::collect::MOST_BOUND_BYTES;
use crate::tables::types::SqlType;
use crate::tables::values::parse_value;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue, Statistics};
use millrace_catalog::model::{DataFile, FileColumnStatistics};

/// The longest text that certainly was not cut: a cut one lacks at most the rest of a character.
const MOST_EXACT_BYTES: usize = MOST_BOUND_BYTES - 4;

/// The bounds of a column: a lower and an upper one, for all rows of the file.
pub(in crate::tables) fn bounds(
    known: &FileColumnStatistics,
    data_type: SqlType,
) -> (Option<ScalarValue>, Option<ScalarValue>) {
    let parse = |text: &Option<String>| parse_value(text.as_deref()?, data_type).ok();
    let (minimum, maximum) = (parse(&known.minimum), parse(&known.maximum));
    match data_type {
        // SQL compares NaN as greater than all, so an upper bound needs to know that there is none; and a zero
        // equals the other zero, which the order of bounds tells apart.
        SqlType::Real | SqlType::Double if known.contains_nan != Some(false) => (None, None),
        SqlType::Real => (
            minimum.map(|value| if value == ScalarValue::Float32(Some(0.0)) { (-0.0_f32).into() } else { value }),
            maximum.map(|value| if value == ScalarValue::Float32(Some(-0.0)) { 0.0_f32.into() } else { value }),
        ),
        SqlType::Double => (
            minimum.map(|value| if value == ScalarValue::Float64(Some(0.0)) { (-0.0_f64).into() } else { value }),
            maximum.map(|value| if value == ScalarValue::Float64(Some(-0.0)) { 0.0_f64.into() } else { value }),
        ),
        _ => (minimum, maximum),
    }
}

/// What holds for every row of a file, for pruning: all of it `Exact`, since pruning looks at nothing else.
pub(in crate::tables) fn file_bounds(columns: &[(i64, SqlType)], file: &DataFile) -> Statistics {
    let column = |(id, data_type): &(i64, SqlType)| {
        let Some(known) = file.columns.get(id) else { return ColumnStatistics::new_unknown() };
        let (minimum, maximum) = bounds(known, *data_type);
        ColumnStatistics {
            null_count: Precision::Exact(known.null_count as usize),
            min_value: minimum.map_or(Precision::Absent, Precision::Exact),
            max_value: maximum.map_or(Precision::Absent, Precision::Exact),
            ..ColumnStatistics::new_unknown()
        }
    };
    Statistics {
        num_rows: Precision::Exact(file.record_count as usize),
        total_byte_size: Precision::Absent,
        column_statistics: columns.iter().map(column).collect(),
    }
}

/// What is known of the rows of a file that are not deleted, for the optimizer.
pub(super) fn file_estimates(columns: &[(i64, SqlType)], file: &DataFile) -> Statistics {
    let whole = file.deletes.is_none() && file.inlined_deletes.is_empty();
    let column = |(id, data_type): &(i64, SqlType)| {
        let Some(known) = file.columns.get(id) else { return ColumnStatistics::new_unknown() };
        let (minimum, maximum) = bounds(known, *data_type);
        let bound = |value: Option<ScalarValue>| match value {
            None => Precision::Absent,
            Some(value) if whole && is_exact(&value) => Precision::Exact(value),
            Some(value) => Precision::Inexact(value),
        };
        let nulls = known.null_count as usize;
        ColumnStatistics {
            null_count: if whole { Precision::Exact(nulls) } else { Precision::Inexact(nulls) },
            min_value: bound(minimum),
            max_value: bound(maximum),
            // Of rows that the manifest holds; those of files are kept apart, joined.
            distinct_count: known.distinct.as_ref().map_or(Precision::Absent, |sketch| {
                Precision::Inexact((sketch.count() as usize).min(known.value_count as usize))
            }),
            ..ColumnStatistics::new_unknown()
        }
    };
    Statistics {
        num_rows: Precision::Exact(live_rows(file) as usize),
        total_byte_size: Precision::Inexact(file.size_bytes as usize),
        column_statistics: columns.iter().map(column).collect(),
    }
}

/// Rows that are not deleted.
pub(in crate::tables) fn live_rows(file: &DataFile) -> u64 {
    let in_file = file.deletes.as_ref().map_or(0, |deletes| deletes.delete_count);
    file.record_count.saturating_sub(in_file + file.inlined_deletes.len() as u64)
}

/// Whether a bound is a value of the column: floating-point zeros were widened, long texts cut.
fn is_exact(value: &ScalarValue) -> bool {
    match value {
        ScalarValue::Float32(_) | ScalarValue::Float64(_) => false,
        ScalarValue::Utf8View(Some(text)) => text.len() <= MOST_EXACT_BYTES,
        _ => true,
    }
}
