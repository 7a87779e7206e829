//! Functions of parts of dates: a column at once where the part is one for all rows and the calendar has all its moments
//! ([`super::calendar`]), else a row at a time.

use super::calendar::{self, Spans};
use super::kernel::{Call, TIME_OF_DAY};
use super::parts::{DAY_US, MINUTE_US, Part};
use super::rows::Last;
use crate::error::Result;
use crate::interval::is_interval;
use crate::zone::Zone;
use datafusion::arrow::array::{ArrayRef, AsArray, TimestampMicrosecondArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type, Time64MicrosecondType, TimeUnit, TimestampMicrosecondType};

/// Microseconds of dates, moments or times of day.
pub(super) fn micros(values: &ArrayRef) -> Result<TimestampMicrosecondArray> {
    let plain = DataType::Timestamp(TimeUnit::Microsecond, None);
    let moments = match values.data_type() {
        // A zone changes how a moment is shown, not the moment.
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) | DataType::Time64(TimeUnit::Microsecond) => {
            cast(&cast(values, &DataType::Int64)?, &plain)?
        }
        _ => cast(values, &plain)?,
    };
    Ok(moments.as_primitive::<TimestampMicrosecondType>().clone())
}

/// What clocks show of moments, in microseconds: where their type names a zone, those of that zone.
pub(super) fn shown(values: &ArrayRef) -> Result<TimestampMicrosecondArray> {
    let moments = micros(values)?;
    let Some(zone) = Zone::own(values.data_type()) else { return Ok(moments) };
    moments.try_unary(|utc| zone.to_local(utc).ok_or_else(super::parts::of_no_calendar))
}

/// The part that the first argument names, where it is one for all rows.
fn part_of(call: &Call<'_>) -> Result<Option<Part>> {
    // Of no rows nothing is wrong.
    call.spread_text(0).one().filter(|_| call.rows > 0).map(Part::parse).transpose()
}

/// A part by its name, where a time of day has it.
fn part_of_time(name: &str) -> Result<Part> {
    Part::parse(name)?.of_time()
}

/// A part's values of the first argument, as clocks of its zone show it; of an interval those that its type has.
pub(super) fn value(call: &Call<'_>, part: Part) -> Result<ArrayRef> {
    let found = call.args[0].data_type();
    if is_interval(found) {
        return super::intervals::part_of(call, part);
    }
    let part = if *found == TIME_OF_DAY { part.of_time()? } else { part };
    let moments = shown(&call.args[0])?;
    match calendar::values(part, moments.values()) {
        Some(values) => call.column::<Int64Type>(values),
        None => call.ints(|row| part.value(moments.value(row)).map(Some)),
    }
}

/// The values of the part that the first argument names, of the second; of a moment with a zone in the session's.
pub(super) fn named(call: &Call<'_>) -> Result<ArrayRef> {
    named_in(call, call.zone)
}

/// The same in the zone that the second's type names.
pub(super) fn named_in_own_zone(call: &Call<'_>) -> Result<ArrayRef> {
    named_in(call, Zone::of_type(call.args[1].data_type()).unwrap_or(Zone::UTC))
}

fn named_in(call: &Call<'_>, zone: Zone) -> Result<ArrayRef> {
    if is_interval(call.args[1].data_type()) {
        return super::intervals::parts_of(call);
    }
    let moments = micros(&call.whole(1)?)?;
    if *call.args[1].data_type() == TIME_OF_DAY {
        let (parts, mut last) = (call.spread_text(0), Last::new());
        return call.ints(|row| last.of(parts.value(row), part_of_time)?.value(moments.value(row)).map(Some));
    }
    if matches!(call.args[1].data_type(), DataType::Timestamp(_, Some(_))) && !zone.is_utc() {
        let (parts, mut last) = (call.spread_text(0), Last::new());
        return call.ints(|row| {
            let part = *last.of(parts.value(row), Part::parse)?;
            part.value_in(zone, moments.value(row)).map(Some)
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

/// The same as DATE_PART gives them: doubles, and of a second and its parts all that is within the minute.
pub(super) fn doubles(call: &Call<'_>) -> Result<ArrayRef> {
    if let Some(unit) = part_of(call)?.and_then(Part::within_minute)
        && !is_interval(call.args[1].data_type())
    {
        let moments = micros(&call.whole(1)?)?;
        return call.floats(|row| Ok(Some(moments.value(row).rem_euclid(MINUTE_US) as f64 / unit)));
    }
    Ok(cast(&named(&call.giving(DataType::Int64))?, &DataType::Float64)?)
}

/// When the part that the first argument names and that holds the second began, by clocks of the second's zone.
pub(super) fn begin(call: &Call<'_>) -> Result<ArrayRef> {
    let moments = micros(&call.whole(1)?)?;
    if call.gives == TIME_OF_DAY {
        return times(call, |part, row| part.begin(moments.value(row)));
    }
    if let Some(zone) = Zone::own(call.args[1].data_type()) {
        let (parts, mut last) = (call.spread_text(0), Last::new());
        return call.stamps(|row| last.of(parts.value(row), Part::parse)?.begin_in(zone, moments.value(row)).map(Some));
    }
    if let Some(part) = part_of(call)?
        && let Some(begins) = calendar::begins(part, moments.values())
    {
        return given_column(call, begins);
    }
    let (parts, mut last) = (call.spread_text(0), Last::new());
    given(call, |row| last.of(parts.value(row), Part::parse)?.begin(moments.value(row)))
}

/// The third argument later by as many of the first, a part, as the second says, by clocks of its zone.
pub(super) fn add(call: &Call<'_>) -> Result<ArrayRef> {
    let (counts, moments) = (call.spread_int(1), micros(&call.whole(2)?)?);
    if call.gives == TIME_OF_DAY {
        return times(call, |part, row| part.add_to_time(counts.value(row), moments.value(row)));
    }
    if let Some(zone) = Zone::own(call.args[2].data_type()) {
        let (parts, mut last) = (call.spread_text(0), Last::new());
        return call.stamps(|row| {
            last.of(parts.value(row), Part::parse)?.add_in(zone, counts.value(row), moments.value(row)).map(Some)
        });
    }
    if let Some(part) = part_of(call)?
        && let Some(sums) = calendar::sums(part, &counts, moments.values())
    {
        return given_column(call, sums);
    }
    let (parts, mut last) = (call.spread_text(0), Last::new());
    given(call, |row| last.of(parts.value(row), Part::parse)?.add(counts.value(row), moments.value(row)))
}

/// The same as Redshift's DATEADD has it, also of times of day.
pub(super) fn add_leaping(call: &Call<'_>) -> Result<ArrayRef> {
    let (counts, moments) = (call.spread_int(1), micros(&call.whole(2)?)?);
    if call.gives == TIME_OF_DAY {
        return times(call, |part, row| part.add_to_time(counts.value(row), moments.value(row)));
    }
    let (parts, mut last) = (call.spread_text(0), Last::new());
    let sums = match part_of(call)? {
        Some(Part::Year) => calendar::years(&counts, moments.values()),
        Some(part) => calendar::sums(part, &counts, moments.values()),
        None => None,
    };
    match sums {
        Some(sums) => given_column(call, sums),
        None => given(call, |row| {
            last.of(parts.value(row), Part::parse)?.add_leaping(counts.value(row), moments.value(row))
        }),
    }
}

/// How many boundaries of the part that the first argument names lie between the others.
pub(super) fn boundaries(call: &Call<'_>) -> Result<ArrayRef> {
    if *call.args[1].data_type() == TIME_OF_DAY {
        return difference_of_times(call, Part::boundaries);
    }
    difference(call, Spans::boundaries, Part::boundaries)
}

/// How many whole parts, which the first argument names, lie between the others, by clocks of the second's zone.
pub(super) fn whole(call: &Call<'_>) -> Result<ArrayRef> {
    if *call.args[1].data_type() == TIME_OF_DAY {
        return difference_of_times(call, Part::whole);
    }
    let Some(zone) = Zone::own(call.args[1].data_type()) else {
        return difference(call, Spans::whole, Part::whole);
    };
    let (from, to) = (call.spread_stamp(1), call.spread_stamp(2));
    let (parts, mut last) = (call.spread_text(0), Last::new());
    call.ints(|row| last.of(parts.value(row), Part::parse)?.whole_in(zone, from.value(row), to.value(row)).map(Some))
}

/// Times of day, each by the part that the first argument names.
fn times(call: &Call<'_>, mut of: impl FnMut(Part, usize) -> Result<i64>) -> Result<ArrayRef> {
    let (parts, mut last) = (call.spread_text(0), Last::new());
    call.values::<Time64MicrosecondType>(|row| of(*last.of(parts.value(row), part_of_time)?, row).map(Some))
}

/// What lies between two times of day in the part that the first argument names.
fn difference_of_times(call: &Call<'_>, of_two: fn(Part, i64, i64) -> Result<i64>) -> Result<ArrayRef> {
    let (from, to) = (micros(&call.whole(1)?)?, micros(&call.whole(2)?)?);
    let (parts, mut last) = (call.spread_text(0), Last::new());
    call.ints(|row| of_two(*last.of(parts.value(row), part_of_time)?, from.value(row), to.value(row)).map(Some))
}

/// What lies between two moments, of columns or else of two, in the part that the first argument names.
fn difference<'a>(
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
