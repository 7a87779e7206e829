//! Statistics of a file's columns: gathered while it is written, and told to the optimizer and to pruning.
//!
//! Two things are made of one [`DataFile`]: *bounds*, which hold for all rows of the file, deleted ones included, and
//! say which files a filter can skip; and *estimates*, which speak of the rows that are left and are exact only where
//! no row is deleted and no bound was cut. They must not be mixed: a count of NULLs among all rows beside the number
//! of live rows would prove that a file has no values.

use super::types::SqlType;
use super::values::{parse_value, value_text};
use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{ArrowPrimitiveType, Float32Type, Float64Type};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue, Statistics};
use datafusion::functions_aggregate::min_max::{MaxAccumulator, MinAccumulator};
use datafusion::logical_expr::Accumulator;
use millrace_catalog::model::{DataFile, FileColumnStatistics, ManagedColumn};
use std::cmp::Ordering;

/// The most bytes of a text that is kept as a bound; a longer one is cut.
const MOST_BOUND_BYTES: usize = 128;

/// The longest text that certainly was not cut: a cut one lacks at most the rest of a character.
const MOST_EXACT_BYTES: usize = MOST_BOUND_BYTES - 4;

/// Gathers the statistics of one file.
#[derive(Debug)]
pub(super) struct Collector {
    columns: Vec<ColumnCollector>,
}

#[derive(Debug)]
struct ColumnCollector {
    id: i64,
    data_type: SqlType,
    values: u64,
    nulls: u64,
    nan: bool,
    minimum: Option<ScalarValue>,
    maximum: Option<ScalarValue>,
}

impl Collector {
    pub(super) fn new(columns: &[ManagedColumn]) -> Result<Self> {
        let collector = |column: &ManagedColumn| {
            let data_type = column.data_type.parse()?;
            Ok(ColumnCollector {
                id: column.id,
                data_type,
                values: 0,
                nulls: 0,
                nan: false,
                minimum: None,
                maximum: None,
            })
        };
        Ok(Self { columns: columns.iter().map(collector).collect::<Result<_>>()? })
    }

    /// Takes in rows with the columns in the order given to [`Collector::new`].
    pub(super) fn update(&mut self, batch: &RecordBatch) -> Result<()> {
        self.columns.iter_mut().zip(batch.columns()).try_for_each(|(column, array)| column.update(array))
    }

    /// By column id; `sizes` are the columns' bytes in the file.
    pub(super) fn finish(self, sizes: &[u64]) -> impl Iterator<Item = (i64, FileColumnStatistics)> {
        let sizes: Vec<u64> = sizes.to_vec();
        self.columns.into_iter().enumerate().map(move |(at, column)| {
            let size_bytes = sizes.get(at).copied().unwrap_or_default();
            (column.id, column.finish(size_bytes))
        })
    }
}

impl ColumnCollector {
    fn update(&mut self, array: &ArrayRef) -> Result<()> {
        let nulls = array.null_count() as u64;
        self.nulls += nulls;
        self.values += array.len() as u64 - nulls;
        let (minimum, maximum) = match self.data_type {
            SqlType::Super | SqlType::VarByte(_) | SqlType::TimeTz => return Ok(()),
            SqlType::Real => self.float_bounds::<Float32Type>(array, f32::is_nan, f32::total_cmp),
            SqlType::Double => self.float_bounds::<Float64Type>(array, f64::is_nan, f64::total_cmp),
            _ => batch_bounds(array).map_err(|e| Error::internal(e.to_string()))?,
        };
        keep(&mut self.minimum, minimum, Ordering::Less);
        keep(&mut self.maximum, maximum, Ordering::Greater);
        Ok(())
    }

    /// NaN is no bound: it is told apart, as DuckLake does.
    fn float_bounds<T: ArrowPrimitiveType>(
        &mut self,
        array: &ArrayRef,
        is_nan: fn(T::Native) -> bool,
        compare: fn(&T::Native, &T::Native) -> Ordering,
    ) -> (ScalarValue, ScalarValue)
    where
        ScalarValue: From<Option<T::Native>>,
    {
        let values = || array.as_primitive::<T>().iter().flatten();
        self.nan |= values().any(is_nan);
        let numbers = || values().filter(|value| !is_nan(*value));
        (numbers().min_by(compare).into(), numbers().max_by(compare).into())
    }

    fn finish(self, size_bytes: u64) -> FileColumnStatistics {
        let is_float = matches!(self.data_type, SqlType::Real | SqlType::Double);
        FileColumnStatistics {
            size_bytes,
            value_count: self.values,
            null_count: self.nulls,
            minimum: self.minimum.as_ref().and_then(value_text).map(cut_below),
            maximum: self.maximum.as_ref().and_then(value_text).and_then(cut_above),
            contains_nan: is_float.then_some(self.nan),
        }
    }
}

fn batch_bounds(array: &ArrayRef) -> datafusion::error::Result<(ScalarValue, ScalarValue)> {
    let (mut minimum, mut maximum) =
        (MinAccumulator::try_new(array.data_type())?, MaxAccumulator::try_new(array.data_type())?);
    minimum.update_batch(std::slice::from_ref(array))?;
    maximum.update_batch(std::slice::from_ref(array))?;
    Ok((minimum.evaluate()?, maximum.evaluate()?))
}

fn keep(known: &mut Option<ScalarValue>, found: ScalarValue, wanted: Ordering) {
    let better = match known {
        None => true,
        Some(known) => found.partial_cmp(known) == Some(wanted),
    };
    if better && !found.is_null() {
        *known = Some(found);
    }
}

/// A text that is not greater.
fn cut_below(mut text: String) -> String {
    if text.len() > MOST_BOUND_BYTES {
        text.truncate(text.floor_char_boundary(MOST_BOUND_BYTES));
    }
    text
}

/// A text that is not less, if there is one so short.
fn cut_above(text: String) -> Option<String> {
    if text.len() <= MOST_BOUND_BYTES {
        return Some(text);
    }
    let mut text = cut_below(text);
    let last = text.pop()?;
    // The code points between are surrogates, which are no characters.
    let next = if last == '\u{d7ff}' { Some('\u{e000}') } else { char::from_u32(u32::from(last) + 1) };
    text.push(next?);
    Some(text)
}

/// The bounds of a column: a lower and an upper one, for all rows of the file.
pub(super) fn bounds(known: &FileColumnStatistics, data_type: SqlType) -> (Option<ScalarValue>, Option<ScalarValue>) {
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
pub(super) fn file_bounds(columns: &[(i64, SqlType)], file: &DataFile) -> Statistics {
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
pub(super) fn live_rows(file: &DataFile) -> u64 {
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
