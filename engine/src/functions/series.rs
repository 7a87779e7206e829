//! Steps of series: what Trino's table function `sequence` refuses, which the step that its numbers are made with asks for;
//! intervals as the function of that name takes them.

use super::kernel::{ATHENA, Call, Gives, Kind, Scalar, scalar};
use crate::error::{Error, ErrorKind, Result};
use crate::interval::as_general;
use datafusion::arrow::array::types::IntervalMonthDayNano;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use datafusion::arrow::compute::{binary, cast};
use datafusion::arrow::datatypes::{DataType, Int64Type, IntervalMonthDayNanoType, IntervalUnit};
use std::cmp::Ordering;
use std::sync::Arc;

/// The step of a series that has none: to the next number or day, up or down.
pub(crate) const NEXT_STEP: &str = "$next_step";
/// The step of a series, which is an interval of Arrow's most general type where it is one of days and times.
pub(crate) const SERIES_STEP: &str = "$series_step";

pub(super) const FUNCTIONS: &[Scalar] = &[
    scalar("$sequence_step", ATHENA, &[Kind::Int, Kind::Int, Kind::Int], Gives::Int8, step).with_nulls(),
    scalar(NEXT_STEP, ATHENA, &[Kind::Any, Kind::Any], Gives::Of(next_type), next),
    scalar(SERIES_STEP, ATHENA, &[Kind::Any], Gives::Of(step_type), |call| {
        let step = &call.args[0];
        Ok(if call.gives == *step.data_type() { Arc::clone(step) } else { as_general(step)? })
    }),
];

fn next_type(types: &[DataType]) -> Result<DataType> {
    Ok(match types.first() {
        Some(DataType::Date32) => DataType::Interval(IntervalUnit::MonthDayNano),
        _ => DataType::Int64,
    })
}

fn next(call: &Call<'_>) -> Result<ArrayRef> {
    let bounds = [cast(&call.args[0], &DataType::Int64)?, cast(&call.args[1], &DataType::Int64)?];
    let [start, stop] = bounds.each_ref().map(AsArray::as_primitive::<Int64Type>);
    let steps: Int64Array = binary(start, stop, |start, stop| if start <= stop { 1 } else { -1 })?;
    if call.gives == DataType::Int64 {
        return Ok(Arc::new(steps));
    }
    let days = |step| IntervalMonthDayNano::new(0, if step < 0 { -1 } else { 1 }, 0);
    Ok(Arc::new(steps.unary::<_, IntervalMonthDayNanoType>(days)))
}

fn step_type(types: &[DataType]) -> Result<DataType> {
    Ok(match types.first() {
        Some(DataType::Duration(_)) => DataType::Interval(IntervalUnit::MonthDayNano),
        Some(other) => other.clone(),
        None => DataType::Null,
    })
}

/// One number alone needs no step.
fn step(call: &Call<'_>) -> Result<ArrayRef> {
    let wrong = |message: String| Error::new(ErrorKind::InvalidParameter, message);
    let bounds = [call.int(0), call.int(1), call.int(2)];
    call.ints(|row| {
        if let Some((_, name)) = bounds.iter().zip(["start", "stop", "step"]).find(|(bound, _)| bound.is_null(row)) {
            return Err(wrong(format!("the {name} of a sequence is NULL")));
        }
        let [start, stop, step] = bounds.map(|bound| bound.value(row));
        match start.cmp(&stop) {
            Ordering::Less if step <= 0 => {
                Err(wrong(format!("the step of a sequence from {start} to {stop} must be positive")))
            }
            Ordering::Greater if step >= 0 => {
                Err(wrong(format!("the step of a sequence from {start} to {stop} must be negative")))
            }
            Ordering::Equal => Ok(Some(1)),
            _ => Ok(Some(step)),
        }
    })
}
