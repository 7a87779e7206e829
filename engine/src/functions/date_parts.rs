//! Functions of parts of dates: a column at once where the part is one for all rows and the calendar has all its moments
//! ([`super::calendar`]), else a row at a time.

use super::calendar::{self, Spans};
use super::kernel::Call;
use super::parts::{DAY_US, Part};
use super::rows::Last;
use crate::error::Result;
use datafusion::arrow::array::{ArrayRef, AsArray, TimestampMicrosecondArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampMicrosecondType};

/// Microseconds of dates or moments.
pub(super) fn micros(values: &ArrayRef) -> Result<TimestampMicrosecondArray> {
    let plain = DataType::Timestamp(TimeUnit::Microsecond, None);
    let moments = match values.data_type() {
        // A zone changes how a moment is shown, not the moment.
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => cast(&cast(values, &DataType::Int64)?, &plain)?,
        _ => cast(values, &plain)?,
    };
    Ok(moments.as_primitive::<TimestampMicrosecondType>().clone())
}

/// The part that the first argument names, where it is one for all rows.
fn part_of(call: &Call<'_>) -> Result<Option<Part>> {
    // Of no rows nothing is wrong.
    call.spread_text(0).one().filter(|_| call.rows > 0).map(Part::parse).transpose()
}

/// A part's values of the first argument.
pub(super) fn value(call: &Call<'_>, part: Part) -> Result<ArrayRef> {
    let moments = micros(&call.args[0])?;
    match calendar::values(part, moments.values()) {
        Some(values) => call.column::<Int64Type>(values),
        None => call.ints(|row| part.value(moments.value(row)).map(Some)),
    }
}

/// The values of the part that the first argument names, of the second.
pub(super) fn named(call: &Call<'_>) -> Result<ArrayRef> {
    let moments = micros(&call.whole(1)?)?;
    if matches!(call.args[1].data_type(), DataType::Timestamp(_, Some(_))) && !call.zone.is_utc() {
        let (parts, mut last) = (call.spread_text(0), Last::new());
        return call.ints(|row| {
            let part = *last.of(parts.value(row), Part::parse)?;
            part.value_in(call.zone, moments.value(row)).map(Some)
        });
    }
    if let Some(part) = part_of(call)?
        && let Some(values) = calendar::values(part, moments.values())
    {
        return call.column::<Int64Type>(values);
    }
    let (parts, mut last) = (call.spread_text(0), Last::new());
    call.ints(|row| last.of(parts.value(row), Part::parse)?.value(moments.value(row)).map(Some))
}

/// When the part that the first argument names and that holds the second began.
pub(super) fn begin(call: &Call<'_>) -> Result<ArrayRef> {
    let moments = micros(&call.whole(1)?)?;
    if let Some(part) = part_of(call)?
        && let Some(begins) = calendar::begins(part, moments.values())
    {
        return given_column(call, begins);
    }
    let (parts, mut last) = (call.spread_text(0), Last::new());
    given(call, |row| last.of(parts.value(row), Part::parse)?.begin(moments.value(row)))
}

/// The third argument later by as many of the first, a part, as the second says.
pub(super) fn add(call: &Call<'_>) -> Result<ArrayRef> {
    let (counts, moments) = (call.spread_int(1), micros(&call.whole(2)?)?);
    if let Some(part) = part_of(call)?
        && let Some(sums) = calendar::sums(part, &counts, moments.values())
    {
        return given_column(call, sums);
    }
    let (parts, mut last) = (call.spread_text(0), Last::new());
    given(call, |row| last.of(parts.value(row), Part::parse)?.add(counts.value(row), moments.value(row)))
}

/// How many boundaries of the part that the first argument names lie between the others.
pub(super) fn boundaries(call: &Call<'_>) -> Result<ArrayRef> {
    difference(call, Spans::boundaries, Part::boundaries)
}

/// What lies between two moments, of columns or else of two, in the part that the first argument names.
pub(super) fn difference<'a>(
    call: &'a Call<'_>,
    of_columns: fn(&Spans<'a>, Part) -> Option<Vec<i64>>,
    of_two: fn(Part, i64, i64) -> Result<i64>,
) -> Result<ArrayRef> {
    let spans = Spans { from: call.spread_stamp(1), to: call.spread_stamp(2), rows: call.rows };
    if let Some(part) = part_of(call)?
        && let Some(differences) = of_columns(&spans, part)
    {
        return call.column::<Int64Type>(differences);
    }
    let (parts, mut last) = (call.spread_text(0), Last::new());
    call.ints(|row| {
        let part = *last.of(parts.value(row), Part::parse)?;
        of_two(part, spans.from.value(row), spans.to.value(row)).map(Some)
    })
}

/// Moments as what the call gives: dates where it does.
fn given(call: &Call<'_>, mut of: impl FnMut(usize) -> Result<i64>) -> Result<ArrayRef> {
    if call.gives == DataType::Date32 {
        return call.dates(|row| {
            let days = of(row)?.div_euclid(DAY_US);
            i32::try_from(days).map(Some).map_err(|_| super::arithmetic::out_of_range(&DataType::Date32))
        });
    }
    call.stamps(|row| of(row).map(Some))
}

fn given_column(call: &Call<'_>, moments: Vec<i64>) -> Result<ArrayRef> {
    if call.gives == DataType::Date32 {
        return given(call, |row| Ok(moments[row]));
    }
    call.column::<TimestampMicrosecondType>(moments)
}
