//! Steps of series: what Trino's table function `sequence` refuses, which the step that its numbers are made with asks for;
//! intervals as the function of that name takes them.

use super::kernel::{ATHENA, Call, Gives, Kind, Scalar, scalar};
use crate::error::{Error, ErrorKind, Result};
use crate::interval::as_general;
use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::arrow::datatypes::{DataType, IntervalUnit};
use std::cmp::Ordering;
use std::sync::Arc;

/// The step of a series, which is an interval of Arrow's most general type where it is one of days and times.
pub(crate) const SERIES_STEP: &str = "$series_step";

pub(super) const FUNCTIONS: &[Scalar] = &[
    scalar("$sequence_step", ATHENA, &[Kind::Int, Kind::Int, Kind::Int], Gives::Int8, step).with_nulls(),
    scalar(SERIES_STEP, ATHENA, &[Kind::Any], Gives::Of(step_type), |call| {
        let step = &call.args[0];
        Ok(if call.gives == *step.data_type() { Arc::clone(step) } else { as_general(step)? })
    }),
];

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
