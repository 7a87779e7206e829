//! Intervals: casts between their types and texts, products and quotients with numbers, what two of them are compared by.
//!
//! Redshift's qualified intervals are [`crate::interval`]'s two types; one without a qualifier has Arrow's most general
//! type. The planner of operators calls these functions; users cannot.

use super::arithmetic::{division_by_zero, out_of_range};
use super::date_parts::micros;
use super::kernel::{ATHENA, BOTH, Call, Gives, Kind, REDSHIFT, Scalar, scalar, shown_type};
use super::parts::{Part, add_in};
use super::rows::Last;
use crate::error::{Error, ErrorKind, Result};
use crate::interval::{self, DAY_US, Parts, Qualifier, is_interval};
use crate::sql::{Dialect, IntervalStyle};
use crate::zone::Zone;
use datafusion::arrow::array::types::IntervalMonthDayNano;
use datafusion::arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, DurationMicrosecondArray, IntervalMonthDayNanoArray,
    IntervalYearMonthArray, PrimitiveBuilder, StringViewArray, new_null_array,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, Date32Type, DurationMicrosecondType, IntervalMonthDayNanoType, IntervalUnit, IntervalYearMonthType,
    TimeUnit,
};
use std::sync::Arc;

/// An interval of months, out of a text or another interval.
pub(crate) const YEAR_TO_MONTH: &str = "$year_to_month";
/// An interval of days and times.
pub(crate) const DAY_TO_SECOND: &str = "$day_to_second";
/// An interval in Arrow's most general type.
pub(crate) const GENERAL: &str = "$interval";
/// What intervals of different types are compared by.
pub(crate) const TOTAL: &str = "$interval_total";
/// A moment with a zone and an interval that has months or days, in a session whose zone is not UTC.
pub(crate) const LATER_IN_ZONE: &str = "$later_in_zone";
/// The same before the moment.
pub(crate) const EARLIER_IN_ZONE: &str = "$earlier_in_zone";
/// A date and an interval of whole days.
pub(crate) const LATER_DATE: &str = "$later_date";
/// The same before the date.
pub(crate) const EARLIER_DATE: &str = "$earlier_date";
/// How much later a time of day is than another.
pub(crate) const BETWEEN_TIMES: &str = "$between_times";
/// A moment with a zone of its own and an interval.
pub(crate) const LATER_IN_OWN_ZONE: &str = "$later_in_own_zone";
/// The same before the moment.
pub(crate) const EARLIER_IN_OWN_ZONE: &str = "$earlier_in_own_zone";

const MONTHS: DataType = DataType::Interval(IntervalUnit::YearMonth);
const MICROS: DataType = DataType::Duration(TimeUnit::Microsecond);
const ANY: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

pub(super) const FUNCTIONS: &[Scalar] = &[
    scalar(YEAR_TO_MONTH, BOTH, &[Kind::Any, Kind::Text], Gives::Of(|args| castable(args, MONTHS)), qualified),
    scalar(DAY_TO_SECOND, BOTH, &[Kind::Any, Kind::Text], Gives::Of(|args| castable(args, MICROS)), qualified),
    scalar(GENERAL, BOTH, &[Kind::Any], Gives::Of(|args| castable(args, ANY)), |call| general(&call.args[0])),
    scalar(TOTAL, BOTH, &[Kind::Any], Gives::Of(|args| castable(args, MICROS)), |call| {
        let source = Source::of(&call.args[0])?;
        let mut built = PrimitiveBuilder::<DurationMicrosecondType>::with_capacity(call.rows);
        for row in 0..call.rows {
            let total = source.parts(row, Qualifier::DAY_TO_SECOND)?.map(Parts::total).transpose()?;
            built.append_option(total);
        }
        Ok(Arc::new(built.finish()))
    }),
    scalar("$interval_multiply", REDSHIFT, &[Kind::Any, Kind::Float], Gives::Of(first), |call| {
        scaled(call, Factor::times, Factor::cut, Factor::rounded)
    }),
    scalar("$interval_divide", REDSHIFT, &[Kind::Any, Kind::Float], Gives::Of(first), |call| {
        scaled(call, Factor::by, Factor::cut, Factor::rounded)
    }),
    scalar("$interval_multiply", ATHENA, &[Kind::Any, Kind::Float], Gives::Of(first), |call| {
        scaled(call, Factor::times, Factor::cut_plainly, Factor::cut_to_milliseconds)
    }),
    scalar("$interval_divide", ATHENA, &[Kind::Any, Kind::Float], Gives::Of(first), |call| {
        scaled(call, Factor::by, Factor::cut_plainly, Factor::cut_to_milliseconds)
    }),
    scalar(LATER_IN_ZONE, REDSHIFT, &[Kind::Any, Kind::Any], Gives::Of(first), |call| moved(call, 1)),
    scalar(EARLIER_IN_ZONE, REDSHIFT, &[Kind::Any, Kind::Any], Gives::Of(first), |call| moved(call, -1)),
    scalar(LATER_DATE, ATHENA, &[Kind::Date, Kind::Any], Gives::Date, |call| moved_date(call, 1)),
    scalar(EARLIER_DATE, ATHENA, &[Kind::Date, Kind::Any], Gives::Date, |call| moved_date(call, -1)),
    scalar(BETWEEN_TIMES, ATHENA, &[Kind::StampOrTime, Kind::StampOrTime], Gives::Of(|_| Ok(MICROS)), |call| {
        let (later, earlier) = (micros(&call.args[0])?, micros(&call.args[1])?);
        call.values::<DurationMicrosecondType>(|row| Ok(Some(later.value(row) - earlier.value(row))))
    }),
    scalar(LATER_IN_OWN_ZONE, ATHENA, &[Kind::Instant, Kind::Any], Gives::Of(first), |call| moved_in_own_zone(call, 1)),
    scalar(EARLIER_IN_OWN_ZONE, ATHENA, &[Kind::Instant, Kind::Any], Gives::Of(first), |call| {
        moved_in_own_zone(call, -1)
    }),
];

fn first(args: &[DataType]) -> Result<DataType> {
    args.first().cloned().ok_or_else(|| Error::internal("an operator without operands"))
}

/// Whether a type is a qualified interval's, which columns may have.
pub(crate) fn is_qualified(data_type: &DataType) -> bool {
    *data_type == MONTHS || matches!(data_type, DataType::Duration(_))
}

/// The type that a cast gives, where there is such a cast.
pub(super) fn check_cast(from: &DataType, to: &DataType) -> Result<()> {
    let text = |t: &DataType| matches!(t, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null);
    let kinds_differ = (*from == MONTHS && matches!(to, DataType::Duration(_)))
        || (matches!(from, DataType::Duration(_)) && *to == MONTHS);
    if kinds_differ || !(is_interval(from) || text(from)) || !(is_interval(to) || text(to)) {
        let message = format!("cannot cast type {} to {}", shown_type(from), shown_type(to));
        return Err(Error::new(ErrorKind::DatatypeMismatch, message));
    }
    Ok(())
}

fn castable(args: &[DataType], to: DataType) -> Result<DataType> {
    // A total is one of days and times, whatever it is of.
    let from = first(args)?;
    if args.len() > 1 || !is_interval(&from) {
        check_cast(&from, &to)?;
    }
    Ok(to)
}

/// The values of an array, whatever interval or text they are.
enum Source {
    Text(StringViewArray),
    General(IntervalMonthDayNanoArray),
    Months(IntervalYearMonthArray),
    Micros(DurationMicrosecondArray),
}

impl Source {
    fn of(array: &ArrayRef) -> Result<Self> {
        Ok(match array.data_type() {
            DataType::Duration(_) => Self::Micros(cast(array, &MICROS)?.as_primitive().clone()),
            DataType::Interval(IntervalUnit::YearMonth) => Self::Months(array.as_primitive().clone()),
            DataType::Interval(_) => Self::General(cast(array, &ANY)?.as_primitive().clone()),
            _ => Self::Text(cast(array, &DataType::Utf8View)?.as_string_view().clone()),
        })
    }

    fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Text(array) => array.is_null(row),
            Self::General(array) => array.is_null(row),
            Self::Months(array) => array.is_null(row),
            Self::Micros(array) => array.is_null(row),
        }
    }

    /// A value; the qualifier tells what a text's numbers without units are.
    fn parts(&self, row: usize, qualifier: Qualifier) -> Result<Option<Parts>> {
        if self.is_null(row) {
            return Ok(None);
        }
        Ok(Some(match self {
            Self::Text(array) => interval::parse(array.value(row), qualifier)?,
            Self::General(array) => Parts::of(array.value(row))?,
            Self::Months(array) => Parts { months: i64::from(array.value(row)), micros: 0 },
            Self::Micros(array) => Parts { months: 0, micros: array.value(row) },
        }))
    }
}

/// Texts or intervals as intervals of a qualifier; `safe` gives NULL where a value is none.
pub(super) fn read(array: &ArrayRef, qualifier: Qualifier, safe: bool) -> Result<ArrayRef> {
    let source = Source::of(array)?;
    if qualifier.is_months() {
        return built::<IntervalYearMonthType>(&source, array.len(), qualifier, safe, Parts::as_months);
    }
    built::<DurationMicrosecondType>(&source, array.len(), qualifier, safe, Parts::as_micros)
}

fn built<T: ArrowPrimitiveType>(
    source: &Source,
    rows: usize,
    qualifier: Qualifier,
    safe: bool,
    made: fn(Parts, Qualifier) -> Result<T::Native>,
) -> Result<ArrayRef> {
    let mut built = PrimitiveBuilder::<T>::with_capacity(rows);
    for row in 0..rows {
        let parts = source.parts(row, qualifier);
        match parts.and_then(|parts| parts.map(|parts| made(parts, qualifier)).transpose()) {
            Err(_) if safe => built.append_null(),
            value => built.append_option(value?),
        }
    }
    Ok(Arc::new(built.finish()))
}

/// Texts or intervals as intervals of a column's type.
///
/// # Errors
/// `InvalidDateTime`, `DateTimeOverflow`; `InvalidParameter` for an interval of both kinds.
pub(crate) fn as_interval(array: &ArrayRef, qualifier: Qualifier) -> Result<ArrayRef> {
    read(array, qualifier, false)
}

/// Intervals and texts in Arrow's most general type, days apart from the times of a day.
pub(crate) fn general(array: &ArrayRef) -> Result<ArrayRef> {
    Ok(if is_interval(array.data_type()) { interval::as_general(array)? } else { read_general(array, false)? })
}

/// Intervals and texts as those of a type, but for its unit or width; `safe` gives NULL where a text is no interval.
pub(super) fn converted(array: &ArrayRef, to: &DataType, safe: bool, dialect: Dialect) -> Result<ArrayRef> {
    match to {
        DataType::Duration(_) => read(array, Qualifier::DAY_TO_SECOND, safe),
        DataType::Interval(IntervalUnit::YearMonth) => read(array, Qualifier::YEAR_TO_MONTH, safe),
        DataType::Interval(_) if is_interval(array.data_type()) => general(array),
        DataType::Interval(_) => read_general(array, safe),
        _ => Ok(match dialect.rules().interval_style {
            IntervalStyle::PostgreSql => interval::as_texts(array),
            IntervalStyle::Trino => interval::as_trino_texts(array),
        }?),
    }
}

/// Texts as intervals of that type; `safe` gives NULL where one is none.
pub(super) fn read_general(array: &ArrayRef, safe: bool) -> Result<ArrayRef> {
    let texts = cast(array, &DataType::Utf8View)?;
    let mut built = PrimitiveBuilder::<IntervalMonthDayNanoType>::with_capacity(texts.len());
    for text in texts.as_string_view() {
        match text.map(interval::parse_unqualified).transpose() {
            Err(_) if safe => built.append_null(),
            value => built.append_option(value?),
        }
    }
    Ok(Arc::new(built.finish()))
}

/// The kernel of the casts to a qualifier, which is the second argument.
fn qualified(call: &Call<'_>) -> Result<ArrayRef> {
    match call.text(1).iter().flatten().next() {
        Some(qualifier) => read(&call.args[0], qualifier.parse()?, false),
        None => Ok(new_null_array(&call.gives, call.rows)),
    }
}

/// The kernel of the parts of intervals.
pub(super) fn parts_of(call: &Call<'_>) -> Result<ArrayRef> {
    let (names, source) = (call.spread_text(0), Source::of(&call.whole(1)?)?);
    let mut last = Last::new();
    call.ints(|row| {
        let part = last.of(names.value(row), Part::parse)?;
        let value = source.parts(row, Qualifier::DAY_TO_SECOND)?;
        value.map(|value| part.of_interval(value.months, value.micros)).transpose()
    })
}

/// A part of intervals that all have it: years and months of one kind, what is shorter of the other.
pub(super) fn part_of(call: &Call<'_>, part: Part) -> Result<ArrayRef> {
    let found = call.args[0].data_type();
    if matches!(part, Part::Year | Part::Month) != (*found == MONTHS) {
        let message = format!("there is no such part of type {}", shown_type(found));
        return Err(Error::new(ErrorKind::DatatypeMismatch, message));
    }
    let source = Source::of(&call.args[0])?;
    call.ints(|row| {
        let value = source.parts(row, Qualifier::DAY_TO_SECOND)?;
        value.map(|value| part.of_interval(value.months, value.micros)).transpose()
    })
}

/// A moment moved by an interval: its months and days are the session's zone's.
fn moved(call: &Call<'_>, sign: i64) -> Result<ArrayRef> {
    let (moments, spans) = (micros(&call.args[0])?, general(&call.args[1])?);
    let spans = spans.as_primitive::<IntervalMonthDayNanoType>();
    call.stamps(|row| {
        let span = spans.value(row);
        let (months, days) = (sign * i64::from(span.months), sign * i64::from(span.days));
        let rest = sign * (span.nanoseconds / 1_000);
        let moment = add_in(call.zone, moments.value(row), months, days, rest);
        moment.map(Some).ok_or_else(|| out_of_range(&call.gives))
    })
}

/// A moment moved by an interval: its months are those of its own zone, of its days each has 24 hours, as Trino's intervals
/// of days are milliseconds.
fn moved_in_own_zone(call: &Call<'_>, sign: i64) -> Result<ArrayRef> {
    let (moments, spans) = (micros(&call.args[0])?, general(&call.args[1])?);
    let spans = spans.as_primitive::<IntervalMonthDayNanoType>();
    let zone = Zone::of_type(call.args[0].data_type()).unwrap_or(Zone::UTC);
    call.stamps(|row| {
        let span = spans.value(row);
        let moment = match span.months {
            0 => moments.value(row),
            months => Part::Month.add_in(zone, sign * i64::from(months), moments.value(row))?,
        };
        let days = (sign * i64::from(span.days)).checked_mul(DAY_US);
        let moved = days.and_then(|days| moment.checked_add(days)?.checked_add(sign * (span.nanoseconds / 1_000)));
        moved.map(Some).ok_or_else(|| out_of_range(&call.gives))
    })
}

/// A date moved by days, as Trino does: an interval has no times then.
fn moved_date(call: &Call<'_>, sign: i64) -> Result<ArrayRef> {
    let dates = call.args[0].as_primitive::<Date32Type>();
    let spans = cast(&call.args[1], &MICROS)?;
    let spans = spans.as_primitive::<DurationMicrosecondType>();
    call.values::<Date32Type>(|row| {
        let span = spans.value(row);
        if span % DAY_US != 0 {
            return Err(Error::new(ErrorKind::InvalidParameter, "cannot add hours, minutes or seconds to a date"));
        }
        let day = i64::from(dates.value(row)) + sign * (span / DAY_US);
        i32::try_from(day).map(Some).map_err(|_| out_of_range(&call.gives))
    })
}

/// What an interval is multiplied with or divided by.
#[derive(Clone, Copy)]
enum Factor {
    Times(f64),
    By(f64),
}

impl Factor {
    fn times(factor: f64) -> Result<Self> {
        Ok(Self::Times(factor))
    }

    fn by(divisor: f64) -> Result<Self> {
        if divisor == 0. { Err(division_by_zero()) } else { Ok(Self::By(divisor)) }
    }

    fn of(self, value: f64) -> f64 {
        match self {
            Self::Times(factor) => value * factor,
            Self::By(divisor) => value / divisor,
        }
    }

    /// A count scaled by a whole number: exactly, as quotient and rest with its divisor.
    fn exact(self, value: i64) -> Option<(i128, i128, i128)> {
        let (Self::Times(by) | Self::By(by)) = self;
        if by.fract() != 0. || by.abs() >= 1e15 {
            return None;
        }
        let (value, by) = (i128::from(value), by as i128);
        Some(match self {
            Self::Times(_) => (value * by, 0, 1),
            Self::By(_) => (value / by, value % by, by),
        })
    }

    /// A count scaled and cut to a whole one.
    fn cut(self, value: i64) -> Option<i64> {
        match self.exact(value) {
            Some((whole, ..)) => i64::try_from(whole).ok(),
            None => in_range(settled(self.of(value as f64)).trunc()),
        }
    }

    /// A count scaled and cut, with all that floating point adds or lacks, as Java does.
    fn cut_plainly(self, value: i64) -> Option<i64> {
        match self.exact(value) {
            Some((whole, ..)) => i64::try_from(whole).ok(),
            None => in_range(self.of(value as f64).trunc()),
        }
    }

    /// Microseconds scaled as the milliseconds that Trino counts.
    fn cut_to_milliseconds(self, micros: i64) -> Option<i64> {
        self.cut_plainly(micros / 1_000)?.checked_mul(1_000)
    }

    /// A count scaled and rounded, halves to even ones, as PostgreSQL does.
    fn rounded(self, value: i64) -> Option<i64> {
        let Some((whole, rest, divisor)) = self.exact(value) else {
            return in_range(self.of(value as f64).round_ties_even());
        };
        let (twice, divisor_size) = (rest.unsigned_abs() * 2, divisor.unsigned_abs());
        let up = twice > divisor_size || (twice == divisor_size && whole % 2 != 0);
        let away = if (rest < 0) == (divisor < 0) { 1 } else { -1 };
        i64::try_from(whole + if up { away } else { 0 }).ok()
    }
}

/// Without what floating point adds or lacks beyond six digits, as PostgreSQL does.
fn settled(value: f64) -> f64 {
    if value.abs() < 1e9 { (value * 1e6).round_ties_even() / 1e6 } else { value }
}

fn in_range(value: f64) -> Option<i64> {
    (value.abs() < 9.2e18).then_some(value as i64)
}

fn scaled(
    call: &Call<'_>,
    factor: fn(f64) -> Result<Factor>,
    of_months: fn(Factor, i64) -> Option<i64>,
    of_micros: fn(Factor, i64) -> Option<i64>,
) -> Result<ArrayRef> {
    let factors = call.float(1);
    match Source::of(&call.args[0])? {
        Source::Micros(micros) => call.values::<DurationMicrosecondType>(|row| {
            let scaled = of_micros(factor(factors.value(row))?, micros.value(row));
            scaled.map(Some).ok_or_else(interval::out_of_range)
        }),
        Source::Months(months) => call.values::<IntervalYearMonthType>(|row| {
            let scaled = of_months(factor(factors.value(row))?, i64::from(months.value(row)));
            scaled.and_then(|months| i32::try_from(months).ok()).map(Some).ok_or_else(interval::out_of_range)
        }),
        Source::General(values) => call.values::<IntervalMonthDayNanoType>(|row| {
            cascade(values.value(row), factor(factors.value(row))?).map(Some).ok_or_else(interval::out_of_range)
        }),
        Source::Text(_) => Err(Error::internal("a text that is multiplied")),
    }
}

/// Parts of months become days, parts of days times, as PostgreSQL does it.
fn cascade(value: IntervalMonthDayNano, factor: Factor) -> Option<IntervalMonthDayNano> {
    let day_us = DAY_US as f64;
    let months = factor.of(f64::from(value.months));
    let days = factor.of(f64::from(value.days));
    let month_days = settled((months - months.trunc()) * 30.);
    let mut rest_us = settled((days - days.trunc() + month_days - month_days.trunc()) * 86_400.) * 1e6;
    let more = (rest_us / day_us).trunc();
    rest_us -= more * day_us;
    let micros = factor.of(value.nanoseconds as f64 / 1e3) + rest_us;
    let nanos = in_range(micros.round_ties_even())?.checked_mul(1_000)?;
    let days = i32::try_from(in_range(days.trunc() + month_days.trunc() + more)?).ok()?;
    Some(IntervalMonthDayNano::new(i32::try_from(in_range(months.trunc())?).ok()?, days, nanos))
}
