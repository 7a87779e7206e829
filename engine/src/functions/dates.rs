//! Dates and moments: what both dialects compute with parts, and zones.

use super::date_parts::{add, add_leaping, begin, boundaries, doubles, micros, named, named_in_own_zone, value, whole};
use super::kernel::{ATHENA, BOTH, Call, Gives, Kind, REDSHIFT, Scalar, TIME_OF_DAY, is_text, scalar, shown_type};
use super::parts::{DAY_US, Part, add_months_sticky, last_day, moment_of, months_between, of_no_calendar};
use super::rows::Last;
use crate::error::{Error, ErrorKind, Result};
use crate::zone::{Zone, offset_seconds};
use chrono::{Datelike, Days};
use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Time64MicrosecondType, TimeUnit};

use Kind::{Date, Int, Moment, Stamp, StampOrTime, Text};

/// The values of DATE_PART.
pub(crate) const DATE_PART: &str = "$date_part_double";
/// A date and a time of day as the moment that they are.
pub(crate) const DATE_AND_TIME: &str = "$date_and_time";
/// The cast to a time with a zone.
pub(crate) const TIMETZ: &str = "$timetz";

/// The type of times, out of what is cast to one with a zone.
fn time_of(args: &[DataType]) -> Result<DataType> {
    match args.first() {
        Some(DataType::Time64(_) | DataType::Timestamp(_, Some(_)) | DataType::Null) => {}
        Some(from) if is_text(from) => {}
        from => {
            let from = from.map(shown_type).unwrap_or_default();
            let message = format!("cannot cast type {from} to time with time zone");
            return Err(Error::new(ErrorKind::DatatypeMismatch, message));
        }
    }
    Ok(TIME_OF_DAY)
}

/// The type of a moment that is moved: a time of day stays one, all else is a moment without zone.
fn moved_type(args: &[DataType]) -> Result<DataType> {
    let moved = third(args)?;
    Ok(if moved == TIME_OF_DAY { moved } else { DataType::Timestamp(TimeUnit::Microsecond, None) })
}

pub(super) const FUNCTIONS: &[Scalar] = &[
    scalar("dateadd", REDSHIFT, &[Text, Int, StampOrTime], Gives::Of(moved_type), add_leaping).with_constants().doc(
        "dateadd(part, count, moment | time)",
        "A moment so many parts later; a day that a month lacks becomes its last, one that a year lacks the next; a time \
         of day goes round the clock.",
        &[
            ("dateadd(day, 30, '2008-01-01')", "2008-01-31 00:00:00"),
            ("dateadd(month, 18, '2008-02-28')", "2009-08-28 00:00:00"),
            ("dateadd(m, -1, '2008-01-01')", "2007-12-31 23:59:00"),
            ("dateadd(month, 12, '2016-02-29')", "2017-02-28 00:00:00"),
            ("dateadd(year, 1, '2016-02-29')", "2017-03-01 00:00:00"),
            ("dateadd(hour, 12, time '13:24:55')", "01:24:55"),
        ],
    ),
    scalar("date_add", REDSHIFT, &[Text, Int, StampOrTime], Gives::Of(moved_type), add_leaping).with_constants().doc(
        "date_add(part, count, moment)",
        "The same as dateadd.",
        &[],
    ),
    scalar("datediff", REDSHIFT, &[Text, StampOrTime, StampOrTime], Gives::Int8, boundaries).with_constants().doc(
        "datediff(part, from, to)",
        "How many boundaries of the part are crossed, between moments or times of day.",
        &[
            ("datediff(week, '2009-01-01', '2009-12-31')", "52"),
            ("datediff(qtr, '1998-07-01', '2008-10-06')", "41"),
            ("datediff(year, '2008-12-31', '2009-01-01')", "1"),
            ("datediff(days, 'Jun 1,2008 09:59:59 EST', 'Jul 4,2008 09:59:59 EST')", "33"),
            ("datediff(minute, time '20:00:00', time '21:00:00')", "60"),
            ("datediff(hours, timetz '20:00:00 PST', timetz '00:58:00 EST')", "1"),
        ],
    ),
    scalar("date_diff", REDSHIFT, &[Text, StampOrTime, StampOrTime], Gives::Int8, boundaries).with_constants().doc(
        "date_diff(part, from, to)",
        "The same as datediff.",
        &[],
    ),
    scalar("$date_part", REDSHIFT, &[Text, Kind::MomentOrSpan], Gives::Int8, named).with_constants(),
    scalar("$date_part", ATHENA, &[Text, Kind::MomentOrSpan], Gives::Int8, named_in_own_zone).with_constants(),
    scalar(DATE_PART, REDSHIFT, &[Text, Kind::MomentOrSpan], Gives::Float, doubles).with_constants(),
    scalar(DATE_AND_TIME, REDSHIFT, &[Date, Kind::Any], Gives::Stamp, |call| {
        let (dates, times) = (micros(&call.args[0])?, micros(&call.args[1])?);
        call.stamps(|row| Ok(Some(dates.value(row) + times.value(row))))
    }),
    // A TIMETZ is the time of day in UTC. A text without a zone is of the session's, whose offset is today's.
    scalar(TIMETZ, REDSHIFT, &[Kind::Any], Gives::Of(time_of), |call| {
        let array = &call.args[0];
        if is_text(array.data_type()) {
            let texts = cast(array, &DataType::Utf8View)?;
            let texts = texts.as_string_view();
            let time = |row| crate::load::zoned_time_of_day(texts.value(row), call.zone).map(Some);
            return call.values::<Time64MicrosecondType>(time);
        }
        if matches!(array.data_type(), DataType::Time64(_)) {
            return Ok(cast(array, &call.gives)?);
        }
        let moments = micros(array)?;
        call.values::<Time64MicrosecondType>(|row| Ok(Some(moments.value(row).rem_euclid(DAY_US))))
    })
    .stable(),
    scalar("date_trunc", REDSHIFT, &[Text, Stamp], Gives::Stamp, begin).with_constants().doc(
        "date_trunc(part, moment)",
        "When the part that holds a moment began; weeks begin on Monday.",
        &[
            ("date_trunc('week', date '2008-09-07')", "2008-09-01 00:00:00"),
            ("date_trunc('minute', timestamp '2020-04-30 22:30:59.1')", "2020-04-30 22:30:00"),
        ],
    ),
    scalar("add_months", REDSHIFT, &[Stamp, Int], Gives::Stamp, |call| {
        let (stamps, months) = (call.stamp(0), call.int(1));
        call.stamps(|row| add_months_sticky(stamps.value(row), months.value(row)).map(Some))
    })
    .doc(
        "add_months(moment, months)",
        "So many months later; the last day of a month stays the last.",
        &[
            ("add_months('2008-01-31', 1)", "2008-02-29 00:00:00"),
            ("add_months('2008-02-29', 1)", "2008-03-31 00:00:00"),
        ],
    ),
    scalar("months_between", REDSHIFT, &[Stamp, Stamp], Gives::Float, |call| {
        let (left, right) = (call.stamp(0), call.stamp(1));
        call.floats(|row| months_between(left.value(row), right.value(row)).map(Some))
    })
    .doc(
        "months_between(later, earlier)",
        "Months between two dates.",
        &[("months_between('1969-01-18', '1969-03-18')", "-2.0")],
    ),
    scalar("last_day", REDSHIFT, &[Date], Gives::Date, last_days).doc(
        "last_day(date)",
        "The last day of the month.",
        &[("last_day(date '2008-02-05')", "2008-02-29")],
    ),
    scalar("last_day_of_month", ATHENA, &[Date], Gives::Date, last_days).doc(
        "last_day_of_month(date)",
        "The last day of the month.",
        &[("last_day_of_month(date '2020-02-05')", "2020-02-29")],
    ),
    scalar("next_day", REDSHIFT, &[Date, Text], Gives::Date, next_day).doc(
        "next_day(date, day)",
        "The first such day of the week after a date.",
        &[("next_day('2014-08-20', 'Tuesday')", "2014-08-26"), ("next_day('2014-08-20', 'W')", "2014-08-27")],
    ),
    scalar("date_cmp", REDSHIFT, &[Date, Date], Gives::Int4, |call| {
        let (left, right) = (call.date(0).values(), call.date(1).values());
        call.all::<datafusion::arrow::datatypes::Int32Type>(|row| left[row].cmp(&right[row]) as i32)
    })
    .doc(
        "date_cmp(date, date)",
        "-1, 0 or 1 for earlier, equal, later.",
        &[("date_cmp('2008-01-01', '2008-01-04')", "-1")],
    ),
    scalar("timestamp_cmp", REDSHIFT, &[Stamp, Stamp], Gives::Int4, compare).doc(
        "timestamp_cmp(moment, moment)",
        "-1, 0 or 1 for earlier, equal, later.",
        &[("timestamp_cmp('2008-01-24 06:43:29', '2008-01-24 06:43:29')", "0")],
    ),
    scalar("date_cmp_timestamp", REDSHIFT, &[Stamp, Stamp], Gives::Int4, compare).doc(
        "date_cmp_timestamp(date, moment)",
        "-1, 0 or 1 for earlier, equal, later.",
        &[("date_cmp_timestamp('2008-06-18', '2008-06-17 12:00:00')", "1")],
    ),
    scalar("timestamp_cmp_date", REDSHIFT, &[Stamp, Stamp], Gives::Int4, compare).doc(
        "timestamp_cmp_date(moment, date)",
        "-1, 0 or 1 for earlier, equal, later.",
        &[],
    ),
    scalar("convert_timezone", REDSHIFT, &[Text, Text, Stamp], Gives::Stamp, |call| {
        let (from, to, stamps) = (call.text(0), call.text(1), call.stamp(2));
        convert(call, |row| from.value(row), |row| to.value(row), |row| stamps.value(row))
    })
    .doc(
        "convert_timezone([from,] to, moment)",
        "What clocks show in another zone; from is UTC when it is not given. Hours behind a name are west of UTC.",
        &[
            ("convert_timezone('EST', 'PST', timestamp '2008-03-05 09:25:29')", "2008-03-05 06:25:29"),
            ("convert_timezone('America/New_York', timestamp '2013-02-01 12:00:00')", "2013-02-01 07:00:00"),
            ("convert_timezone('GMT', 'NEWZONE -2:15', '2014-05-17 12:00:00')", "2014-05-17 14:15:00"),
        ],
    ),
    scalar("$from_utc", BOTH, &[Text, Stamp], Gives::Stamp, |call| {
        let (to, stamps) = (call.text(0), call.stamp(1));
        convert(call, |_| "UTC", |row| to.value(row), |row| stamps.value(row))
    }),
    scalar("timezone", REDSHIFT, &[Text, Moment], Gives::Of(zoned_type), at_zone).doc(
        "timezone(zone, moment)",
        "A moment without zone as one of that zone, or one with a zone as clocks show it there; also AT TIME ZONE.",
        &[("timezone('MST', timestamp '2001-02-16 20:38:40')", "2001-02-17 03:38:40+00:00")],
    ),
    scalar("date_add", ATHENA, &[Text, Int, Kind::MomentOrTime], Gives::Of(third), add).with_constants().doc(
        "date_add(unit, count, moment | time)",
        "A moment so many units later; a time of day goes round the clock.",
        &[
            ("date_add('hour', 3, time '23:10:00')", "02:10:00"),
            ("date_add('day', 1, date '2020-02-28')", "2020-02-29"),
            ("date_add('month', -1, timestamp '2020-03-31 00:00:00')", "2020-02-29 00:00:00"),
            ("date_add('day', -1, timestamp '2020-03-01 00:00:00 UTC')", "2020-02-29 00:00:00+00:00"),
        ],
    ),
    scalar("date_diff", ATHENA, &[Text, Kind::InstantOrTime, Kind::InstantOrTime], Gives::Int8, whole).with_constants().doc(
        "date_diff(unit, from, to)",
        "How many whole units lie between moments or times of day.",
        &[
            ("date_diff('minute', time '01:02:00', time '03:04:30')", "122"),
            ("date_diff('second', timestamp '2020-03-01 00:00:00', timestamp '2020-03-02 00:00:00')", "86400"),
            ("date_diff('hour', timestamp '2020-03-01 00:00:00 UTC', timestamp '2020-03-02 00:00:00 UTC')", "24"),
            ("date_diff('day', date '2020-03-01', date '2020-03-02')", "1"),
        ],
    ),
    scalar("date_trunc", ATHENA, &[Text, Kind::MomentOrTime], Gives::Of(second), begin).with_constants().doc(
        "date_trunc(unit, moment | time)",
        "When the unit that holds a moment or a time of day began.",
        &[
            ("date_trunc('hour', time '03:04:05')", "03:00:00"),
            ("date_trunc('month', date '2001-08-22')", "2001-08-01"),
            ("date_trunc('hour', timestamp '2001-08-22 03:04:05')", "2001-08-22 03:00:00"),
        ],
    ),
    part("year", Part::Year),
    part("quarter", Part::Quarter),
    part("month", Part::Month),
    part("week", Part::Week),
    part("week_of_year", Part::Week),
    part("day", Part::Day),
    part("day_of_month", Part::Day),
    part("day_of_week", Part::IsoDayOfWeek),
    part("dow", Part::IsoDayOfWeek),
    part("day_of_year", Part::DayOfYear),
    part("doy", Part::DayOfYear),
    part("year_of_week", Part::IsoYear),
    part("yow", Part::IsoYear),
    part("hour", Part::Hour),
    part("minute", Part::Minute),
    part("second", Part::Second),
    part("millisecond", Part::Millisecond),
    scalar("from_unixtime", ATHENA, &[Kind::Float, Kind::Zone], Gives::InZone(1), |call| {
        let seconds = call.float(0);
        call.stamps(|row| Ok(Some((seconds.value(row) * 1e6).round() as i64)))
    })
    .optional(1)
    .doc(
        "from_unixtime(seconds [, zone]), from_unixtime(seconds, hours, minutes)",
        "The moment so many seconds after 1970 began, in UTC or in a zone: a constant name, or hours and minutes from UTC.",
        &[
            ("from_unixtime(1600000000)", "2020-09-13 12:26:40+00:00"),
            ("from_unixtime(1600000000, 'Asia/Tokyo')", "2020-09-13 21:26:40+09:00"),
            ("from_unixtime(1600000000, 5, 30)", "2020-09-13 17:56:40+05:30"),
        ],
    ),
    scalar("to_unixtime", ATHENA, &[Stamp], Gives::Float, |call| {
        let stamps = call.stamp(0);
        call.floats(|row| Ok(Some(stamps.value(row) as f64 / 1e6)))
    })
    .doc(
        "to_unixtime(moment)",
        "Seconds since 1970 began.",
        &[("to_unixtime(timestamp '2020-09-13 12:26:40')", "1600000000.0")],
    ),
];

/// A part of a date as a function of its name.
const fn part(name: &'static str, part: Part) -> Scalar {
    let kernel: super::kernel::Kernel = match part {
        Part::Year => |call| value(call, Part::Year),
        Part::IsoYear => |call| value(call, Part::IsoYear),
        Part::Quarter => |call| value(call, Part::Quarter),
        Part::Month => |call| value(call, Part::Month),
        Part::Week => |call| value(call, Part::Week),
        Part::Day => |call| value(call, Part::Day),
        Part::IsoDayOfWeek => |call| value(call, Part::IsoDayOfWeek),
        Part::DayOfYear => |call| value(call, Part::DayOfYear),
        Part::Hour => |call| value(call, Part::Hour),
        Part::Minute => |call| value(call, Part::Minute),
        Part::Second => |call| value(call, Part::Second),
        _ => |call| value(call, Part::Millisecond),
    };
    let takes: &[Kind] = match part {
        Part::Year | Part::Month | Part::Day | Part::Hour | Part::Minute | Part::Second | Part::Millisecond => {
            &[Kind::MomentOrSpan]
        }
        _ => &[Moment],
    };
    let made = scalar(name, ATHENA, takes, Gives::Int8, kernel);
    match part {
        Part::Year => made.doc(
            "year(moment), year(interval)",
            "The year, or the years of an interval of months.",
            &[("year(date '2020-05-11')", "2020"), ("year(INTERVAL '13' MONTH)", "1")],
        ),
        Part::IsoDayOfWeek => made.doc(
            "day_of_week(moment), dow(moment)",
            "1 for Monday to 7 for Sunday.",
            &[("day_of_week(date '2020-05-11')", "1")],
        ),
        Part::Week => made.doc(
            "week(moment), week_of_year(moment)",
            "The week of ISO 8601.",
            &[("week(date '2020-05-11')", "20")],
        ),
        Part::IsoYear => made.doc(
            "year_of_week(moment), yow(moment)",
            "The year of ISO 8601's week.",
            &[("yow(date '2021-01-01')", "2020")],
        ),
        Part::DayOfYear => {
            made.doc("day_of_year(moment), doy(moment)", "The day of the year.", &[("doy(date '2020-02-01')", "32")])
        }
        Part::Quarter => made.doc("quarter(moment)", "The quarter.", &[("quarter(date '2020-05-11')", "2")]),
        Part::Month => made.doc("month(moment)", "The month.", &[("month(date '2020-05-11')", "5")]),
        Part::Day => {
            made.doc("day(moment), day_of_month(moment)", "The day of the month.", &[("day(date '2020-05-11')", "11")])
        }
        Part::Hour => made.doc(
            "hour(moment), hour(time), hour(interval)",
            "The hour, or what hours an interval has beside its days.",
            &[("hour(timestamp '2020-05-11 23:10:05')", "23"), ("hour(INTERVAL '26' HOUR)", "2")],
        ),
        Part::Minute => made.doc("minute(moment)", "The minute.", &[("minute(timestamp '2020-05-11 23:10:05')", "10")]),
        Part::Second => made.doc("second(moment)", "The second.", &[("second(timestamp '2020-05-11 23:10:05')", "5")]),
        _ => made.doc(
            "millisecond(moment)",
            "The millisecond.",
            &[("millisecond(timestamp '2020-05-11 23:10:05.123')", "123")],
        ),
    }
}

fn last_days(call: &Call<'_>) -> Result<ArrayRef> {
    let dates = call.date(0);
    call.dates(|row| {
        let day = moment_of(i64::from(dates.value(row)) * DAY_US)?.date();
        Ok(Some(last_day(day).to_epoch_days()))
    })
}

fn second(args: &[DataType]) -> Result<DataType> {
    args.get(1).cloned().ok_or_else(|| Error::internal("an argument is missing"))
}

fn third(args: &[DataType]) -> Result<DataType> {
    args.get(2).cloned().ok_or_else(|| Error::internal("an argument is missing"))
}

/// With a zone without one, and the other way round; a date is a moment without zone.
fn zoned_type(args: &[DataType]) -> Result<DataType> {
    Ok(match second(args)? {
        DataType::Timestamp(_, Some(_)) => DataType::Timestamp(TimeUnit::Microsecond, None),
        _ => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
    })
}

fn compare(call: &Call<'_>) -> Result<ArrayRef> {
    let (left, right) = (call.stamp(0).values(), call.stamp(1).values());
    call.all::<datafusion::arrow::datatypes::Int32Type>(|row| left[row].cmp(&right[row]) as i32)
}

fn next_day(call: &Call<'_>) -> Result<ArrayRef> {
    let (dates, names) = (call.date(0), call.text(1));
    call.dates(|row| {
        let name = names.value(row).trim().to_lowercase();
        let day = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
        // S and T alone mean Sunday and Tuesday: the first that fit.
        let found = day.iter().position(|day| !name.is_empty() && day.starts_with(&name));
        let Some(wanted) = found else {
            return Err(Error::new(ErrorKind::InvalidParameter, format!("\"{name}\" is not a day of the week")));
        };
        let date = moment_of(i64::from(dates.value(row)) * DAY_US)?.date();
        let ahead = (wanted as i64 - i64::from(date.weekday().num_days_from_sunday()) + 6).rem_euclid(7) + 1;
        let next = date.checked_add_days(Days::new(ahead.unsigned_abs()));
        Ok(next.map(|date| date.to_epoch_days()))
    })
}

/// A zone by its name, an abbreviation that PostgreSQL knows, or an offset. What stands behind a name counts west of UTC, as
/// POSIX has it ("CONVERT_TIMEZONE function": `PST8`, `GMT+2`, `NEWZONE -2:15`).
fn zone_or_posix(name: &str) -> Result<Zone> {
    let text = name.trim();
    let west = || {
        let at = text.find(|c: char| c.is_ascii_digit() || c == '+' || c == '-').filter(|at| *at >= 3)?;
        let offset = &text[at..];
        let signed = if offset.starts_with(['+', '-']) { offset.to_owned() } else { format!("+{offset}") };
        offset_seconds(&signed).map(|seconds| Zone::Fixed(-seconds))
    };
    let found = Zone::of_name(text).or_else(west).or_else(|| offset_seconds(text).map(Zone::Fixed));
    found.ok_or_else(|| Error::new(ErrorKind::InvalidParameter, format!("time zone \"{name}\" is not known")))
}

/// A moment of a zone, or what its clocks show.
fn at_zone(call: &Call<'_>) -> Result<ArrayRef> {
    let is_zoned = matches!(call.args[1].data_type(), DataType::Timestamp(_, Some(_)));
    let (zones, moments, mut last) = (call.text(0), micros(&call.args[1])?, Last::new());
    call.stamps(|row| {
        let (zone, moment) = (*last.of(zones.value(row), zone_or_posix)?, moments.value(row));
        let made = if is_zoned { zone.to_local(moment) } else { zone.to_utc(moment) };
        made.map(Some).ok_or_else(of_no_calendar)
    })
}

fn convert<'a>(
    call: &Call<'_>,
    from: impl Fn(usize) -> &'a str,
    to: impl Fn(usize) -> &'a str,
    micros: impl Fn(usize) -> i64,
) -> Result<ArrayRef> {
    let (mut sources, mut targets) = (Last::new(), Last::new());
    call.stamps(|row| {
        let utc = sources.of(from(row), zone_or_posix)?.to_utc(micros(row)).ok_or_else(of_no_calendar)?;
        Ok(Some(utc + targets.of(to(row), zone_or_posix)?.offset_at(utc).ok_or_else(of_no_calendar)?))
    })
}
