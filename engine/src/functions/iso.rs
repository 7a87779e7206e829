//! Dates and moments in ISO 8601, as a server of Trino 435 reads and writes them: dates of the calendar, of weeks and of
//! years, times whose last part has a fraction, an offset behind a time.

use super::date_parts::micros;
use super::kernel::{ATHENA, Call, Gives, Kind, Scalar, scalar};
use super::parts::{DAY_US, HOUR_US, MINUTE_US, SECOND_US, moment_of, of_no_calendar};
use crate::error::{Error, ErrorKind, Result};
use crate::zone::{Zone, hours_and_minutes, offset_seconds};
use chrono::{NaiveDate, Weekday};
use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::DataType;

/// `from_iso8601_timestamp` where nothing but the moment matters.
pub(crate) const ISO_INSTANT: &str = "$iso8601_instant";

const MILLISECOND_US: i64 = 1000;
/// Digits of a fraction that are looked at.
const MOST_DIGITS: usize = 9;

pub(super) const FUNCTIONS: &[Scalar] = &[
    scalar("from_iso8601_timestamp", ATHENA, &[Kind::Text], Gives::StampTz, |call| moments(call, false)).doc(
        "from_iso8601_timestamp(text)",
        "A moment in ISO 8601; an offset is kept of a text that is written out, else it is one in UTC.",
        &[
            ("from_iso8601_timestamp('2020-05-11T11:15:05')", "2020-05-11 11:15:05+00:00"),
            ("from_iso8601_timestamp('2020-05-11T11:15:05.055+01:00')", "2020-05-11 11:15:05.055+01:00"),
        ],
    ),
    scalar(ISO_INSTANT, ATHENA, &[Kind::Text], Gives::StampTz, |call| moments(call, true)),
    scalar("from_iso8601_date", ATHENA, &[Kind::Text], Gives::Date, |call| {
        let texts = call.text(0);
        call.dates(|row| {
            let text = texts.value(row);
            let day = date(text).ok_or_else(|| invalid("date", text))?;
            Ok(Some(day.to_epoch_days()))
        })
    })
    .doc(
        "from_iso8601_date(text)",
        "A date in ISO 8601: of the calendar, of a week, or the day of a year.",
        &[
            ("from_iso8601_date('2020-05-11')", "2020-05-11"),
            ("from_iso8601_date('2020-W10')", "2020-03-02"),
            ("from_iso8601_date('2020-123')", "2020-05-02"),
        ],
    ),
    scalar("to_iso8601", ATHENA, &[Kind::Moment], Gives::Text, texts).doc(
        "to_iso8601(moment)",
        "A date or moment in ISO 8601.",
        &[
            ("to_iso8601(date '2020-05-11')", "2020-05-11"),
            ("to_iso8601(timestamp '2020-05-11 11:15:05.055 +01:00')", "2020-05-11T11:15:05.055+01:00"),
        ],
    ),
];

fn invalid(what: &str, text: &str) -> Error {
    Error::new(ErrorKind::InvalidText, format!("invalid ISO 8601 {what} \"{text}\""))
}

/// A text's moment in UTC. One that names another zone would lose it, which is an error where it matters.
pub(super) fn in_utc(local_us: i64, zone: Option<Zone>, text: &str, is_instant: bool) -> Result<Option<i64>> {
    let utc = zone.unwrap_or(Zone::UTC).to_utc(local_us).ok_or_else(of_no_calendar)?;
    if utc != local_us && !is_instant {
        let what = format!("a column of moments whose zones differ by row (\"{text}\")");
        return Err(Error::unsupported(what).with_hint("… AT TIME ZONE 'UTC' takes the moment in UTC"));
    }
    Ok(Some(utc))
}

fn moments(call: &Call<'_>, is_instant: bool) -> Result<ArrayRef> {
    let texts = call.text(0);
    call.stamps(|row| {
        let text = texts.value(row);
        let (local_us, offset) = moment(text).ok_or_else(|| invalid("timestamp", text))?;
        in_utc(local_us, offset.map(Zone::Fixed), text, is_instant)
    })
}

/// What clocks show, in microseconds, and how many seconds east of UTC they are.
fn moment(text: &str) -> Option<(i64, Option<i32>)> {
    let (day, rest) = match text.split_once(['T', 't']) {
        Some(("", "")) => return None,
        Some(("", rest)) => (Some(NaiveDate::default()), rest),
        Some((day, rest)) => (date(day), rest),
        None => (date(text), ""),
    };
    let (time, offset) = rest.split_at(rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len()));
    let offset = match offset {
        "" => None,
        "Z" | "z" => Some(0),
        // Hours have two digits.
        offset => Some(offset_seconds(offset).filter(|_| offset.len() > 2)?),
    };
    let time = if time.is_empty() { 0 } else { time_us(time)? };
    Some((i64::from(day?.to_epoch_days()) * DAY_US + time, offset))
}

/// `2020`, `2020-05`, `2020-05-11`, `2020-W10`, `2020-W10-1` or `2020-123`.
fn date(text: &str) -> Option<NaiveDate> {
    let unsigned = text.trim_start_matches(['+', '-']);
    let end = text.len() - unsigned.len() + unsigned.find('-').unwrap_or(unsigned.len());
    let (year, rest) = text.split_at(end);
    let year = year.parse::<i32>().ok()?;
    let Some(rest) = rest.strip_prefix('-') else { return NaiveDate::from_ymd_opt(year, 1, 1) };
    if let Some(week) = rest.strip_prefix(['W', 'w']) {
        let (week, day) = week.split_once('-').unwrap_or((week, "1"));
        let day = Weekday::try_from(u8::try_from(number(day, 1)?).ok()?.checked_sub(1)?).ok()?;
        return NaiveDate::from_isoywd_opt(year, number(week, 2)?, day);
    }
    if let Some(day) = number(rest, 3).filter(|_| rest.len() == 3) {
        return NaiveDate::from_yo_opt(year, day);
    }
    let (month, day) = rest.split_once('-').unwrap_or((rest, "1"));
    NaiveDate::from_ymd_opt(year, number(month, 2)?, number(day, 2)?)
}

/// A number of so many digits at most.
fn number(text: &str, most: usize) -> Option<u32> {
    let is_number = text.len() <= most && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

/// `10`, `10:20` or `10:20:30`, with a fraction of what is last, to the millisecond.
fn time_us(text: &str) -> Option<i64> {
    let (mut total, mut rest) = (0, Some(text));
    for (unit, most) in [(HOUR_US, 24), (MINUTE_US, 60), (SECOND_US, 60)] {
        let Some(parts) = rest else { break };
        let (part, behind) = parts.split_at(parts.find([':', '.', ',']).unwrap_or(parts.len()));
        total += i64::from(number(part, 2).filter(|part| *part < most)?) * unit;
        rest = behind.strip_prefix(':');
        if let Some(fraction) = behind.strip_prefix(['.', ',']) {
            let digits = &fraction[..fraction.len().min(MOST_DIGITS)];
            let is_fraction = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
            let value = digits.parse::<i64>().ok().filter(|_| is_fraction)?;
            let scale = 10_i64.pow(u32::try_from(digits.len()).ok()?);
            let milliseconds = i128::from(unit / MILLISECOND_US) * i128::from(value) / i128::from(scale);
            return Some(total + i64::try_from(milliseconds).ok()? * MILLISECOND_US);
        }
    }
    rest.is_none().then_some(total)
}

/// A moment with a zone has its offset, `Z` for none, as Trino writes them.
fn texts(call: &Call<'_>) -> Result<ArrayRef> {
    let data_type = call.args[0].data_type();
    let (micros, zone) = (micros(&call.args[0])?, Zone::of_type(data_type));
    let (is_date, is_zoned) = (*data_type == DataType::Date32, matches!(data_type, DataType::Timestamp(_, Some(_))));
    call.texts(|row| {
        let utc = micros.value(row);
        let local = zone.map_or(Some(utc), |zone| zone.to_local(utc)).ok_or_else(of_no_calendar)?;
        let (moment, offset) = (moment_of(local)?, local - utc);
        if is_date {
            return Ok(Some(moment.format("%Y-%m-%d").to_string()));
        }
        let mut text = moment.format("%Y-%m-%dT%H:%M:%S%.3f").to_string();
        if is_zoned && offset == 0 {
            text.push('Z');
        } else if is_zoned {
            text.push_str(&hours_and_minutes((offset / SECOND_US) as i32));
        }
        Ok(Some(text))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(text: &str) -> Option<(String, Option<i32>)> {
        let (local, offset) = moment(text)?;
        Some((moment_of(local).unwrap().format("%Y-%m-%d %H:%M:%S%.f").to_string(), offset))
    }

    // What a server of Trino 435 answered.
    #[test]
    fn moments_are_read() {
        for (text, local, offset) in [
            ("2020", "2020-01-01 00:00:00", None),
            ("2020-05", "2020-05-01 00:00:00", None),
            ("2020-5-1", "2020-05-01 00:00:00", None),
            ("2020-05-11T", "2020-05-11 00:00:00", None),
            ("2020-05-11t10", "2020-05-11 10:00:00", None),
            ("2020-05-11T10.5", "2020-05-11 10:30:00", None),
            ("2020-05-11T10:20.5", "2020-05-11 10:20:30", None),
            ("2020-05-11T10:20:30.1234567", "2020-05-11 10:20:30.123", None),
            ("2020-05-11T10:20:30,5", "2020-05-11 10:20:30.500", None),
            ("2020-05-11T1:2:3", "2020-05-11 01:02:03", None),
            ("2020-05-11T10:20:30z", "2020-05-11 10:20:30", Some(0)),
            ("2020-05-11T10+05", "2020-05-11 10:00:00", Some(18000)),
            ("2020-05-11T10:20:30+0530", "2020-05-11 10:20:30", Some(19800)),
            ("2020-05-11T10:20:30-00:00", "2020-05-11 10:20:30", Some(0)),
            ("2020-05-11T+01:00", "2020-05-11 00:00:00", Some(3600)),
            ("T10:20+01:00", "1970-01-01 10:20:00", Some(3600)),
            ("2020-W10-4T10", "2020-03-05 10:00:00", None),
            ("2020-123T10:20", "2020-05-02 10:20:00", None),
            ("+2020-05-11", "2020-05-11 00:00:00", None),
        ] {
            assert_eq!(read(text), Some((local.to_owned(), offset)), "{text}");
        }
        for text in [
            "",
            "2020-05-11 10:20:30",
            "2020-05-11T10:20:30 +05:30",
            "2020-05-11T24:00",
            "2020-05-11Z",
            "2020-05-11T10:20:30.Z",
            "2020-02-30",
            "2020-05-11T10:20:30America/New_York",
            "2020-05-11T10:20:60",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
