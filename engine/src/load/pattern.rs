//! DATEFORMAT and TIMEFORMAT: patterns of Redshift, and what `'auto'` recognises.

use super::errors::Problem;
use chrono::{NaiveDate, NaiveDateTime, NaiveTime};

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

/// What `'auto'` tries after the standard form (Redshift: "Using automatic recognition with DATEFORMAT and TIMEFORMAT").
const AUTO: [&str; 12] = [
    "%Y%m%d", "%Y/%m/%d", "%m/%d/%Y", "%m-%d-%Y", "%d.%m.%Y", "%Y.%m.%d", "%b %d %Y", "%b-%d-%Y", "%d %b %Y",
    "%d-%b-%Y", "%Y-%b-%d", "%m/%d/%y",
];

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
        let parts: [(&str, &str); 22] = [
            ("YYYY", "%Y"),
            ("YY", "%y"),
            ("MONTH", "%B"),
            ("MON", "%b"),
            ("MM", "%m"),
            ("MI", "%M"),
            ("DDD", "%j"),
            ("DD", "%d"),
            ("DAY", "%A"),
            ("DY", "%a"),
            ("HH24", "%H"),
            ("HH12", "%I"),
            ("HH", "%H"),
            ("SSSSS", "%S%.f"),
            ("SS.US", "%S%.f"),
            ("SS", "%S%.f"),
            ("US", "%f"),
            ("AM", "%p"),
            ("PM", "%p"),
            ("OF", "%#z"),
            ("TZ", "%Z"),
            ("T", "T"),
        ];
        let upper = text.to_uppercase();
        let twelve = upper.contains("AM") || upper.contains("PM");
        let (mut rest, mut format, mut has_time) = (upper.as_str(), String::new(), false);
        while let Some(c) = rest.chars().next() {
            if let Some((name, part)) = parts.iter().find(|(name, _)| rest.starts_with(name)) {
                has_time |= matches!(*name, "HH24" | "HH12" | "HH");
                format.push_str(if *name == "HH" && twelve { "%I" } else { part });
                rest = &rest[name.len()..];
            } else if c.is_alphabetic() {
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
        let text = text.trim();
        match self {
            Self::Standard => standard(text),
            Self::Auto => standard(text).or_else(|| auto(text)),
            Self::EpochSeconds => epoch(text, 1_000_000),
            Self::EpochMillis => epoch(text, 1_000),
            Self::Pattern { format, has_time: true } => {
                let zoned = chrono::DateTime::parse_from_str(text, format).ok().map(|moment| moment.timestamp_micros());
                zoned.or_else(|| NaiveDateTime::parse_from_str(text, format).ok().map(micros))
            }
            Self::Pattern { format, has_time: false } => date(text, format).map(|day| micros(day.into())),
        }
    }

    /// Days since the epoch.
    pub(super) fn date(&self, text: &str) -> Result<i32, Problem> {
        if matches!(self, Self::Standard | Self::Auto)
            && let Some(days) = plain_date(text)
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
    let text = text.trim();
    let short = || NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").ok().map(micros);
    let recognised = || if recognise { auto(&text.replace(',', "")) } else { None };
    standard(text).or_else(short).or_else(recognised)
}

/// `YYYY-MM-DD` and nothing else, as nearly all dates are written.
fn plain_date(text: &str) -> Option<i32> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let number = |digits: &[u8]| {
        digits
            .iter()
            .try_fold(0_u32, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u32::from(*digit - b'0')))
    };
    let year = i32::try_from(number(&bytes[..4])?).ok().filter(|year| *year > 0)?;
    let date = NaiveDate::from_ymd_opt(year, number(&bytes[5..7])?, number(&bytes[8..])?)?;
    Some((date - NaiveDate::default()).num_days() as i32)
}

fn micros(moment: NaiveDateTime) -> i64 {
    moment.and_utc().timestamp_micros()
}

fn date(text: &str, format: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text, format).ok()
}

fn standard(text: &str) -> Option<i64> {
    let (seconds, nanos) = crate::lake::records::parse_timestamp(text)?;
    seconds.checked_mul(1_000_000)?.checked_add(i64::from(nanos / 1000))
}

/// A date in one of the known forms, with or without a time of day behind it.
fn auto(text: &str) -> Option<i64> {
    for format in AUTO {
        if let Some(day) = date(text, format) {
            return Some(micros(day.into()));
        }
        for time in ["%H:%M:%S%.f", "%H:%M", "%I:%M:%S %p", "%I:%M %p"] {
            let format = format!("{format} {time}");
            if let Ok(moment) = NaiveDateTime::parse_from_str(text, &format) {
                return Some(micros(moment));
            }
        }
    }
    None
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
pub(crate) fn time_of_day(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(time) =
        NaiveTime::parse_from_str(text, "%H:%M:%S%.f").or_else(|_| NaiveTime::parse_from_str(text, "%H:%M"))
    {
        return Some(time_micros(time));
    }
    // The epoch's day gives the zone something to count from.
    let micros = standard(&format!("1970-01-01 {text}"))?;
    Some(micros.rem_euclid(86_400_000_000))
}

fn time_micros(time: NaiveTime) -> i64 {
    (time - NaiveTime::MIN).num_microseconds().unwrap_or_default()
}
