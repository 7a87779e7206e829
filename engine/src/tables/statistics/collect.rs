//! Gathers the statistics of a file's columns while it is written: counts, bounds, and a sketch of distinct values.
//!
//! A column is gone over three times a batch, each time as a whole: to count, to find the bounds, to sketch. SUPER and
//! VARBYTE, which nobody joins or groups by, have neither bounds nor sketches. Texts are gone over once more, for blanks
//! at their ends.

use super::{ends, sketch, texts};
use crate::error::{Error, Result};
use crate::tables::types::SqlType;
use crate::tables::values::value_text;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{ArrowPrimitiveType, Float32Type, Float64Type};
use datafusion::common::ScalarValue;
use datafusion::functions_aggregate::min_max::{MaxAccumulator, MinAccumulator};
use datafusion::logical_expr::Accumulator;
use millrace_catalog::model::{DistinctSketch, FileColumnStatistics, ManagedColumn};
use std::cmp::Ordering;
use std::sync::Arc;

/// The most bytes of a text that is kept as a bound; a longer one is cut.
pub(super) const MOST_BOUND_BYTES: usize = 128;

/// Gathers the statistics of one file.
#[derive(Debug)]
pub(in crate::tables) struct Collector {
    columns: Vec<ColumnCollector>,
}

#[derive(Debug)]
struct ColumnCollector {
    id: i64,
    data_type: SqlType,
    values: u64,
    nulls: u64,
    nan: bool,
    blank_ended: bool,
    minimum: Option<ScalarValue>,
    maximum: Option<ScalarValue>,
    distinct: DistinctSketch,
}

impl Collector {
    pub(in crate::tables) fn new(columns: &[ManagedColumn]) -> Result<Self> {
        let collector = |column: &ManagedColumn| {
            let data_type = column.data_type.parse()?;
            Ok(ColumnCollector {
                id: column.id,
                data_type,
                values: 0,
                nulls: 0,
                nan: false,
                blank_ended: false,
                minimum: None,
                maximum: None,
                distinct: DistinctSketch::default(),
            })
        };
        Ok(Self { columns: columns.iter().map(collector).collect::<Result<_>>()? })
    }

    /// Takes in rows with the columns in the order given to [`Collector::new`].
    pub(in crate::tables) fn update(&mut self, batch: &RecordBatch) -> Result<()> {
        self.columns.iter_mut().zip(batch.columns()).try_for_each(|(column, array)| column.update(array))
    }

    /// By column id; `sizes` are the columns' bytes in the file.
    pub(in crate::tables) fn finish(self, sizes: &[u64]) -> impl Iterator<Item = (i64, FileColumnStatistics)> {
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
        if self.data_type.is_text() {
            self.blank_ended = self.blank_ended || array.as_string_view_opt().is_none_or(ends::any_blank);
        }
        let (minimum, maximum) = match self.data_type {
            SqlType::Super | SqlType::VarByte(_) | SqlType::HllSketch | SqlType::TimeTz => return Ok(()),
            SqlType::Real => self.float_bounds::<Float32Type>(array, f32::is_nan, f32::total_cmp),
            SqlType::Double => self.float_bounds::<Float64Type>(array, f64::is_nan, f64::total_cmp),
            _ => batch_bounds(array).map_err(|e| Error::internal(e.to_string()))?,
        };
        keep(&mut self.minimum, minimum, Ordering::Less);
        keep(&mut self.maximum, maximum, Ordering::Greater);
        sketch::add(&mut self.distinct, array)
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
            blank_ended: Some(self.blank_ended),
            distinct: sketch::is_kept(self.data_type).then(|| Arc::new(self.distinct)),
        }
    }
}

fn batch_bounds(array: &ArrayRef) -> datafusion::error::Result<(ScalarValue, ScalarValue)> {
    if let Some(array) = array.as_string_view_opt() {
        let (minimum, maximum) = texts::bounds(array).unzip();
        let bound = |text: Option<&str>| ScalarValue::Utf8View(text.map(str::to_owned));
        return Ok((bound(minimum), bound(maximum)));
    }
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
