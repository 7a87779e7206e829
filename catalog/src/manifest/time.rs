//! Times as texts, which DuckLake writes into SQLite: `2020-01-02 03:04:05.123456+00`, in UTC, without trailing zeros.

use std::time::{SystemTime, UNIX_EPOCH};

const MICROS: i64 = 1_000_000;
const DAY: i64 = 86_400 * MICROS;

/// Microseconds since the epoch.
pub(super) fn now_us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_micros() as i64)
}

/// The text of a time in microseconds since the epoch.
pub(crate) fn format_time(time_us: i64) -> String {
    let (year, month, day) = civil(time_us.div_euclid(DAY));
    let (seconds, micros) = (time_us.rem_euclid(DAY) / MICROS, time_us.rem_euclid(MICROS));
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let fraction = if micros == 0 { String::new() } else { format!(".{micros:06}") };
    let fraction = fraction.trim_end_matches('0');
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}{fraction}+00")
}

/// Microseconds since the epoch of a time's text, with any offset from UTC.
pub(super) fn parse_time(text: &str) -> Option<i64> {
    let (date, time) = text.split_once([' ', 'T'])?;
    let mut date = date.splitn(3, '-').map(str::parse::<i64>);
    let (year, month, day) = (date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?);
    let (time, offset) = match time.find(['+', '-', 'Z']) {
        Some(at) => time.split_at(at),
        None => (time, ""),
    };
    let mut parts = time.splitn(3, ':');
    let (hour, minute) = (parts.next()?.parse::<i64>().ok()?, parts.next()?.parse::<i64>().ok()?);
    let (second, fraction) = parts.next().map_or(("0", ""), |text| text.split_once('.').unwrap_or((text, "")));
    let micros: i64 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    let time = ((hour * 60 + minute) * 60 + second.parse::<i64>().ok()?) * MICROS + micros;
    Some(days(year, month, day) * DAY + time - parse_offset(offset)?)
}

fn parse_offset(text: &str) -> Option<i64> {
    let digits = text.trim_start_matches(['+', '-', 'Z']);
    if digits.is_empty() {
        return Some(0);
    }
    let mut parts = digits.splitn(2, ':').map(str::parse::<i64>);
    let minutes = parts.next()?.ok()? * 60 + parts.next().map_or(Some(0), std::result::Result::ok)?;
    Some(minutes * 60 * MICROS * if text.starts_with('-') { -1 } else { 1 })
}

/// Days since 1970-01-01 of a date (Howard Hinnant, <https://howardhinnant.github.io/date_algorithms.html>).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The date of days since 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of PostgreSQL: `SELECT extract(epoch FROM timestamptz '…') * 1000000`.
    #[test]
    fn times_are_those_of_postgresql() {
        for (text, time_us) in [
            ("1970-01-01 00:00:00+00", 0),
            ("2000-02-29 23:59:59.5+00", 951_868_799_500_000),
            ("2026-11-24 23:38:52.71818+00", 1_795_563_532_718_180),
            ("1969-12-31 23:59:59.999999+00", -1),
        ] {
            assert_eq!(parse_time(text), Some(time_us), "{text}");
            assert_eq!(format_time(time_us), text);
        }
        assert_eq!(parse_time("1970-01-01 05:30:00+05:30"), Some(0));
        assert_eq!(parse_time("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(parse_time("yesterday"), None);
    }
}
