//! DATEFORMAT and TIMEFORMAT: patterns of Redshift, and what `'auto'` recognises.

use super::digits;
use super::errors::Problem;
use crate::error::{Error, ErrorKind};
use crate::zone::Zone;
use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime};

/// How texts of dates and moments are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Moments {
    /// `YYYY-MM-DD [HH:MI:SS[.ffffff][zone]]`, the default.
    Standard,
    /// `'auto'`
    Auto,
    /// `'epochsecs'`
    EpochSeconds,
    /// `'epochmillisecs'`
    EpochMillis,
    /// A pattern, as chrono has it.
    Pattern { format: String, has_time: bool },
}

/// Dates that `'auto'` recognises besides the standard form (Redshift: "Using automatic recognition with DATEFORMAT and
/// TIMEFORMAT", and "Date, time, and timestamp literals"). Years of two digits come first: what they leave over is no
/// date, and others take two digits for a whole year.
const AUTO_DATES: [&str; 19] = [
    "%m/%d/%y", "%B-%d-%y", "%d-%B-%y", "%y%m%d", "%Y%m%d", "%Y/%m/%d", "%m/%d/%Y", "%m-%d-%Y", "%d.%m.%Y", "%m.%d.%Y",
    "%Y.%m.%d", "%Y.%j", "%B %d %Y", "%B-%d-%Y", "%d %B %Y", "%d-%B-%Y", "%Y-%B-%d", "%Y %B %d", "%Y-%m-%d",
];

/// Times of day behind them.
const AUTO_TIMES: [&str; 5] = ["%H:%M:%S%.f", "%H:%M", "%H%M%S", "%I:%M:%S%.f %p", "%I:%M %p"];

/// The day of 1970-01-01 as Julian days count.
const JULIAN_EPOCH: i64 = 2_440_588;

impl Moments {
    /// Reads an option's text.
    pub(super) fn parse(text: Option<&str>) -> Result<Self, String> {
        let Some(text) = text else { return Ok(Self::Standard) };
        match text.trim().to_ascii_lowercase().as_str() {
            "auto" => return Ok(Self::Auto),
            "epochsecs" => return Ok(Self::EpochSeconds),
            "epochmillisecs" => return Ok(Self::EpochMillis),
            _ => {}
        }
        // Redshift: "You can't include a time zone specifier (TZ, tz, or OF)". A name of a month may be short or full.
        let parts: [(&str, &str); 13] = [
            ("YYYY", "%Y"),
            ("YY", "%y"),
            ("MONTH", "%B"),
            ("MON", "%B"),
            ("MM", "%m"),
            ("MI", "%M"),
            ("DD", "%d"),
            ("HH24", "%H"),
            ("HH12", "%I"),
            ("HH", "%H"),
            ("SS", "%S%.f"),
            ("AM", "%p"),
            ("PM", "%p"),
        ];
        let upper = text.to_uppercase();
        let twelve = upper.contains("AM") || upper.contains("PM");
        let (mut rest, mut format, mut has_time) = (upper.as_str(), String::new(), false);
        while let Some(c) = rest.chars().next() {
            if let Some((name, part)) = parts.iter().find(|(name, _)| rest.starts_with(name)) {
                has_time |= matches!(*name, "HH24" | "HH12" | "HH");
                format.push_str(if *name == "HH" && twelve { "%I" } else { part });
                rest = &rest[name.len()..];
            } else if c.is_alphabetic() && c != 'T' {
                return Err(format!("invalid date or time format \"{text}\""));
            } else {
                if c == '%' {
                    format.push('%');
                }
                format.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
        Ok(Self::Pattern { format, has_time })
    }

    /// Microseconds since the epoch; a text with a zone is turned to UTC.
    pub(super) fn timestamp(&self, text: &str) -> Option<i64> {
        self.zoned_timestamp(text, Zone::UTC)
    }

    /// The same of a moment with a zone, which is this one where the text names none. Counts from the epoch are of UTC.
    pub(super) fn zoned_timestamp(&self, text: &str, zone: Zone) -> Option<i64> {
        let text = text.trim();
        let (shown, named) = match self {
            Self::Standard => standard(text)?,
            Self::Auto => standard(text).or_else(|| auto(text))?,
            Self::EpochSeconds => return epoch(text, 1_000_000),
            Self::EpochMillis => return epoch(text, 1_000),
            Self::Pattern { format, has_time: true } => {
                (NaiveDateTime::parse_from_str(text, format).ok().map(micros)?, None)
            }
            Self::Pattern { format, has_time: false } => (date(text, format).map(|day| micros(day.into()))?, None),
        };
        named.unwrap_or(zone).to_utc(shown)
    }

    /// Whether the standard form is read.
    pub(super) fn has_standard(&self) -> bool {
        matches!(self, Self::Standard | Self::Auto)
    }

    /// Days since the epoch.
    pub(super) fn date(&self, text: &str) -> Result<i32, Problem> {
        if self.has_standard()
            && let Some(days) = digits::date(text.as_bytes())
        {
            return Ok(days);
        }
        let wrong = || Problem::new(1205, "Invalid Date Format - length must be 10 or more");
        let days = match self {
            Self::Pattern { format, has_time: false } => date(text.trim(), format).map(|day| micros(day.into())),
            moments => moments.timestamp(text),
        };
        let Some(days) = days else {
            return Err(if text.trim().len() < 10 { wrong() } else { Problem::new(1205, "Invalid date format") });
        };
        i32::try_from(days.div_euclid(86_400_000_000)).map_err(|_| wrong())
    }
}

/// Microseconds since the epoch of a text in the standard form, or, where asked for, in one that is recognised.
pub(crate) fn moment_of(text: &str, recognise: bool) -> Option<i64> {
    moment_and_zone(text, recognise).and_then(in_utc)
}

/// What clocks show as a moment in UTC, which is their zone where the text names none.
fn in_utc((micros, zone): (i64, Option<Zone>)) -> Option<i64> {
    zone.map_or(Some(micros), |zone| zone.to_utc(micros))
}

/// The same of a moment with a zone, which is this one where the text names none.
pub(crate) fn zoned_moment_of(text: &str, recognise: bool, zone: Zone) -> Option<i64> {
    let (micros, named) = moment_and_zone(text, recognise)?;
    named.unwrap_or(zone).to_utc(micros)
}

/// What clocks show, and the zone that the text names.
fn moment_and_zone(text: &str, recognise: bool) -> Option<(i64, Option<Zone>)> {
    let text = text.trim();
    let short = || Some((micros(NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").ok()?), None));
    let recognised = || if recognise { auto(text) } else { None };
    standard(text).or_else(short).or_else(recognised)
}

fn micros(moment: NaiveDateTime) -> i64 {
    moment.and_utc().timestamp_micros()
}

fn date(text: &str, format: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text, format).ok()
}

fn standard(text: &str) -> Option<(i64, Option<Zone>)> {
    let (seconds, nanos, offset) = crate::lake::records::parse_zoned_timestamp(text)?;
    let micros = seconds.checked_mul(1_000_000)?.checked_add(i64::from(nanos / 1000))?;
    let zone = offset.and_then(|offset| i32::try_from(offset).ok()).map(Zone::Fixed);
    Some((micros, zone))
}

/// A date in one of the known forms, with or without a time of day and a zone behind it.
fn auto(text: &str) -> Option<(i64, Option<Zone>)> {
    let text = text.replace(',', " ");
    if let Some(text) = text.strip_suffix(" BC") {
        let year = |day: NaiveDate| day.with_year(1 - day.year());
        return AUTO_DATES
            .iter()
            .filter(|format| format.contains("%Y"))
            .find_map(|format| date(text, format))
            .and_then(year)
            .map(|day| (micros(day.into()), None));
    }
    let (text, zone) = without_zone(&text);
    let julian = || {
        let (day, time) = text.strip_prefix('J')?.split_once(' ').unwrap_or((text.strip_prefix('J')?, "00:00:00"));
        let days = day.parse::<i64>().ok()? - JULIAN_EPOCH;
        days.checked_mul(86_400_000_000)?.checked_add(time_of_day(time)?)
    };
    let moment = |format: &str| NaiveDateTime::parse_from_str(text, format).ok().map(micros);
    let plain = AUTO_DATES.iter().find_map(|format| date(text, format)).map(|day| micros(day.into()));
    let timed =
        || AUTO_DATES.iter().find_map(|day| AUTO_TIMES.iter().find_map(|time| moment(&format!("{day} {time}"))));
    let micros = plain.or_else(timed).or_else(|| moment("%d %B %H:%M:%S%.f %Y")).or_else(julian)?;
    Some((micros, zone))
}

/// A text without the zone behind it, and the zone.
fn without_zone(text: &str) -> (&str, Option<Zone>) {
    if let Some(before) = text.strip_suffix(['Z', 'z'])
        && before.ends_with(|last: char| last.is_ascii_digit())
    {
        return (before, Some(Zone::UTC));
    }
    if let Some((before, name)) = text.rsplit_once(' ')
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && let Some(zone) = Zone::of_name(name)
    {
        return (before.trim_end(), Some(zone));
    }
    let offset = text.rfind(['+', '-']).filter(|at| text[..*at].contains(':')).and_then(|at| {
        let digits = text[at + 1..].replace(':', "");
        let number = |digits: &str| digits.parse::<i32>().ok();
        if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        let seconds = match digits.len() {
            2 => number(&digits)? * 3600,
            4 => number(&digits[..2])? * 3600 + number(&digits[2..])? * 60,
            _ => return None,
        };
        Some((text[..at].trim_end(), Zone::Fixed(if text[at..].starts_with('-') { -seconds } else { seconds })))
    });
    offset.map_or((text, None), |(text, zone)| (text, Some(zone)))
}

/// A number of seconds or milliseconds, perhaps with a fraction.
fn epoch(text: &str, factor: i64) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let whole: i64 = whole.parse().ok()?;
    let part: f64 = if fraction.is_empty() { 0.0 } else { format!("0.{fraction}").parse().ok()? };
    let part = (part * factor as f64).floor() as i64;
    let sign = if text.starts_with('-') { -1 } else { 1 };
    whole.checked_mul(factor)?.checked_add(sign * part)
}

/// A time of day in microseconds; with a zone, in UTC.
pub(super) fn time_of_day(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(time) =
        NaiveTime::parse_from_str(text, "%H:%M:%S%.f").or_else(|_| NaiveTime::parse_from_str(text, "%H:%M"))
    {
        return Some(time_micros(time));
    }
    // The epoch's day gives the zone something to count from.
    let micros = standard(&format!("1970-01-01 {text}")).and_then(in_utc)?;
    Some(micros.rem_euclid(86_400_000_000))
}

/// A time of day with a zone, which is this one where the text names none, as the time in UTC.
///
/// # Errors
/// As of [`sql_time`].
pub(crate) fn zoned_time_of_day(text: &str, zone: Zone) -> crate::error::Result<i64> {
    let (micros, offset) = sql_time(text, "time with time zone")?;
    Ok(match offset {
        Some(offset) => (micros - offset * 1_000_000).rem_euclid(86_400_000_000),
        None => zone.time_in_utc(micros),
    })
}

/// A time of day as SQL's casts read it, in microseconds, without the zone behind it, and the zone's seconds from UTC, where
/// there is one.
///
/// # Errors
/// `DateTimeOverflow` for numbers that no time has, `InvalidDateTime` for what is no time.
pub(crate) fn sql_time(text: &str, type_name: &str) -> crate::error::Result<(i64, Option<i64>)> {
    // A time of day has no date that tells the season of a zone: only what is the same in all of them is one of its parts.
    let (time, offset) = match without_zone(text.trim()) {
        (time, Some(Zone::Fixed(seconds))) => (time, Some(i64::from(seconds))),
        (_, Some(Zone::Named(_))) => (text.trim(), None),
        (time, None) => (time, None),
    };
    let parse = |format: &&str| NaiveTime::parse_from_str(time, format).ok();
    if let Some(time) = AUTO_TIMES.iter().find_map(parse) {
        return Ok((time_micros(time), offset));
    }
    let numbers = time.split([':', '.']).all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    Err(if numbers && time.contains(':') {
        let message = format!("date/time field value out of range: \"{text}\"");
        Error::new(ErrorKind::DateTimeOverflow, message)
    } else {
        let message = format!("invalid input syntax for type {type_name}: \"{text}\"");
        Error::new(ErrorKind::InvalidDateTime, message)
    })
}

fn time_micros(time: NaiveTime) -> i64 {
    (time - NaiveTime::MIN).num_microseconds().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn moment(format: &str, text: &str) -> Option<String> {
        let micros = Moments::parse(Some(format)).unwrap().timestamp(text)?;
        let moment = chrono::DateTime::from_timestamp_micros(micros)?;
        Some(moment.naive_utc().format("%Y-%m-%d %H:%M:%S%.f").to_string())
    }

    /// Redshift's documentation: "DATEFORMAT and TIMEFORMAT strings", "Using automatic recognition with DATEFORMAT and
    /// TIMEFORMAT", "Date, time, and timestamp literals", TIMEFORMAT of COPY.
    #[test]
    fn moments_of_formats() {
        for (format, text, expected) in [
            ("MM/DD/YYYY", "03/31/2003", "2003-03-31 00:00:00"),
            ("MON-DD-YYYY", "Jan-01-1999", "1999-01-01 00:00:00"),
            ("MON DD, YYYY", "March 31, 2003", "2003-03-31 00:00:00"),
            ("MON DD, YYYY", "mar 31, 2003", "2003-03-31 00:00:00"),
            ("DD-MON-YY", "31-MAR-03", "2003-03-31 00:00:00"),
            ("MM.DD.YYYY HH:MI:SS", "03.31.2003 18:45:05", "2003-03-31 18:45:05"),
            ("MM.DD.YYYY HH:MI:SS", "03.31.2003 18:45:05.123456", "2003-03-31 18:45:05.123456"),
            ("YYYY-MM-DD HH24:MI", "2003-03-31 18:45", "2003-03-31 18:45:00"),
            ("YYYY-MM-DDTHH:MI:SS", "2003-03-31T18:45:05", "2003-03-31 18:45:05"),
            ("yyyy-mm-dd hh12:mi:ss am", "2003-03-31 12:45:05 AM", "2003-03-31 00:45:05"),
            ("YYYY-MM-DD HH12:MI:SS PM", "2003-03-31 06:45:05 PM", "2003-03-31 18:45:05"),
            ("epochsecs", "1048895105", "2003-03-28 23:45:05"),
            ("epochsecs", "1048895105.25", "2003-03-28 23:45:05.250"),
            ("epochsecs", "-1", "1969-12-31 23:59:59"),
            ("epochmillisecs", "1048895105250", "2003-03-28 23:45:05.250"),
            ("epochmillisecs", "1048895105250.5", "2003-03-28 23:45:05.250500"),
            ("auto", "2019-02-11T05:09:12.195Z", "2019-02-11 05:09:12.195"),
            ("auto", "J2451187", "1999-01-08 00:00:00"),
            ("auto", "J2345678 04:05:06.789", "1710-02-23 04:05:06.789"),
            ("auto", "Jan-08-95 BC", "-0094-01-08 00:00:00"),
            ("auto", "19960108 040809", "1996-01-08 04:08:09"),
            ("auto", "960108 040809", "1996-01-08 04:08:09"),
            ("auto", "1996.008", "1996-01-08 00:00:00"),
            ("auto", "1996-01-08 04:05:06.789", "1996-01-08 04:05:06.789"),
            ("auto", "17 Dec 07:37:16 1997 PST", "1997-12-17 15:37:16"),
            ("auto", "12/17/1997 07:37:16.00 PST", "1997-12-17 15:37:16"),
            ("auto", "1997-12-17 07:37:16-08", "1997-12-17 15:37:16"),
            ("auto", "12.17.1997 07:37:16.00 PST", "1997-12-17 15:37:16"),
            ("auto", "17.12.1997 07:37:16", "1997-12-17 07:37:16"),
            // Zones by their names and abbreviations.
            ("auto", "1997-12-17 07:37:16 America/Los_Angeles", "1997-12-17 15:37:16"),
            ("auto", "1997-07-17 07:37:16 america/los_angeles", "1997-07-17 14:37:16"),
            ("auto", "12/17/1997 07:37 PM CET", "1997-12-17 18:37:00"),
            ("auto", "1997-12-17 07:37:16 AEST", "1997-12-16 21:37:16"),
            ("auto", "1997-12-17 07:37:16 NPT", "1997-12-17 01:52:16"),
            // What no clock of the zone showed is read as before the clocks were put forward, as PostgreSQL reads it.
            ("auto", "2024-03-10 02:30:00 America/Los_Angeles", "2024-03-10 10:30:00"),
            ("auto", "2024-10-06 02:30:00 Australia/Sydney", "2024-10-05 16:30:00"),
            ("auto", "January 8, 1999", "1999-01-08 00:00:00"),
            ("auto", "Jun 1,2008 09:59:59 EST", "2008-06-01 14:59:59"),
            ("auto", "1999-01-08", "1999-01-08 00:00:00"),
            ("auto", "1/8/1999", "1999-01-08 00:00:00"),
            ("auto", "01/02/00", "2000-01-02 00:00:00"),
            ("auto", "2000-Jan-31", "2000-01-31 00:00:00"),
            ("auto", "Jan-31-2000", "2000-01-31 00:00:00"),
            ("auto", "31-Jan-2000", "2000-01-31 00:00:00"),
            ("auto", "20080215", "2008-02-15 00:00:00"),
            ("auto", "080215", "2008-02-15 00:00:00"),
            ("auto", "2008.366", "2008-12-31 00:00:00"),
            ("auto", "20080215 04:05:06.789", "2008-02-15 04:05:06.789"),
            ("auto", "20080215 04:05 AM", "2008-02-15 04:05:00"),
            ("auto", "20080215 04:05 PM", "2008-02-15 16:05:00"),
            ("auto", "20080215 16:05", "2008-02-15 16:05:00"),
        ] {
            assert_eq!(moment(format, text).as_deref(), Some(expected), "{format}: {text}");
        }
    }

    #[test]
    fn what_is_no_moment() {
        // "Automatic recognition doesn't support epochsecs and epochmillisecs."
        for (format, text) in [
            ("auto", "1048895105"),
            ("auto", "yesterday"),
            ("auto", "32.01.2024"),
            ("MM/DD/YYYY", "2003-03-31"),
            ("YYYY-MM-DD HH12:MI PM", "2003-03-31 18:45 PM"),
            ("epochsecs", "2003-03-31"),
        ] {
            assert_eq!(moment(format, text), None, "{format}: {text}");
        }
        // "You can't include a time zone specifier (TZ, tz, or OF) in the timeformat_string."
        for format in ["YYYY-MM-DD HH:MI:SSOF", "YYYY-MM-DD HH:MI:SS TZ", "YYYY-MM-DD HH:MI:SS.US", "tomorrow"] {
            assert!(Moments::parse(Some(format)).is_err(), "{format}");
        }
    }
}
