//! Arrays of intervals in other types.

use super::{general, text, trino_micros, trino_months};
use arrow::array::types::{
    DurationMicrosecondType, Int32Type, Int64Type, IntervalMonthDayNanoType, IntervalYearMonthType,
};
use arrow::array::{ArrayRef, AsArray, StringViewArray, StringViewBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, IntervalUnit, TimeUnit};
use arrow::error::ArrowError;
use std::sync::Arc;

/// Whether a type is one of intervals.
pub fn is_interval(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Interval(_) | DataType::Duration(_))
}

/// Intervals in Arrow's most general type, days apart from the times of a day.
///
/// # Errors
/// For arrays of other types.
pub fn as_general(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    if matches!(array.data_type(), DataType::Duration(_)) {
        let micros = cast(array, &DataType::Duration(TimeUnit::Microsecond))?;
        let micros = micros.as_primitive::<DurationMicrosecondType>();
        return Ok(Arc::new(micros.unary::<_, IntervalMonthDayNanoType>(general)));
    }
    cast(array, &DataType::Interval(IntervalUnit::MonthDayNano))
}

/// Qualified intervals as the whole numbers that they are, months in 32 bits or microseconds in 64; other arrays as they
/// are.
pub(crate) fn as_integers(array: &ArrayRef) -> ArrayRef {
    if let Some(months) = array.as_primitive_opt::<IntervalYearMonthType>() {
        return Arc::new(months.reinterpret_cast::<Int32Type>());
    }
    match array.as_primitive_opt::<DurationMicrosecondType>() {
        Some(micros) => Arc::new(micros.reinterpret_cast::<Int64Type>()),
        None => Arc::clone(array),
    }
}

/// Qualified intervals as Trino writes them, in `Utf8View`; those of neither kind as PostgreSQL does.
///
/// # Errors
/// For arrays of other types.
pub(crate) fn as_trino_texts(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    if let Some(months) = array.as_primitive_opt::<IntervalYearMonthType>() {
        let texts = months.iter().map(|months| months.map(trino_months));
        return Ok(Arc::new(texts.collect::<StringViewArray>()));
    }
    match array.as_primitive_opt::<DurationMicrosecondType>() {
        Some(micros) => {
            let texts = micros.iter().map(|micros| micros.map(trino_micros));
            Ok(Arc::new(texts.collect::<StringViewArray>()))
        }
        None => as_texts(array),
    }
}

/// Intervals as PostgreSQL writes them, in `Utf8View`.
///
/// # Errors
/// For arrays of other types.
pub fn as_texts(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let general = as_general(array)?;
    let values = general.as_primitive::<IntervalMonthDayNanoType>();
    let mut built = StringViewBuilder::with_capacity(values.len());
    for value in values {
        built.append_option(value.map(|it| text(it.months, it.days, it.nanoseconds / 1_000)));
    }
    Ok(Arc::new(built.finish()))
}
