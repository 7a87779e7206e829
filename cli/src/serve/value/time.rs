//! Dates, times and intervals as text, in PostgreSQL's ISO style, and the offsets of time zones.

use bytes::{BufMut, BytesMut};
use chrono::{DateTime, Offset, TimeZone};
use chrono_tz::Tz;

const DAY_MICROS: i64 = 86_400_000_000;
const SECOND_MICROS: i64 = 1_000_000;

/// Year, month and day of a day counted from 1970-01-01, in the proleptic Gregorian calendar; the year before 1 is 0.
fn civil(days: i64) -> (i64, u8, u8) {
    // Years begin in March here, so that leap days come last; an era is 400 years.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month as u8, day as u8)
}

fn put_two(number: u8, out: &mut BytesMut) {
    out.put_u8(b'0' + number / 10 % 10);
    out.put_u8(b'0' + number % 10);
}

/// The date without its era; `true` when it is before Christ.
fn put_day(days: i64, out: &mut BytesMut) -> bool {
    let (year, month, day) = civil(days);
    let before_christ = year <= 0;
    let year = if before_christ { 1 - year } else { year };
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(year);
    out.put_bytes(b'0', 4usize.saturating_sub(digits.len()));
    out.put_slice(digits.as_bytes());
    out.put_u8(b'-');
    put_two(month, out);
    out.put_u8(b'-');
    put_two(day, out);
    before_christ
}

/// A date: days since 1970-01-01.
pub(super) fn put_date(days: i32, out: &mut BytesMut) {
    if put_day(i64::from(days), out) {
        out.put_slice(b" BC");
    }
}

/// A time of day: microseconds since midnight.
pub(super) fn put_time(micros: i64, out: &mut BytesMut) {
    let seconds = micros / SECOND_MICROS;
    put_two((seconds / 3_600) as u8, out);
    out.put_u8(b':');
    put_two((seconds / 60 % 60) as u8, out);
    out.put_u8(b':');
    put_two((seconds % 60) as u8, out);
    put_fraction(micros % SECOND_MICROS, out);
}

/// A point and the digits of a fraction of a second, without the zeros at its end; nothing for none.
fn put_fraction(micros: i64, out: &mut BytesMut) {
    if micros == 0 {
        return;
    }
    let mut digits = [b'0'; 7];
    digits[0] = b'.';
    let (mut rest, mut end) = (micros, 7);
    for digit in digits[1..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    while digits[end - 1] == b'0' {
        end -= 1;
    }
    out.put_slice(&digits[..end]);
}

/// A timestamp: microseconds since 1970-01-01 00:00; with a zone in its local time and with its offset.
pub(super) fn put_timestamp(micros: i64, zone: Option<Tz>, out: &mut BytesMut) {
    let offset = zone.map(|zone| offset_seconds(micros, zone));
    let local = i128::from(micros) + i128::from(offset.unwrap_or(0)) * i128::from(SECOND_MICROS);
    let days = local.div_euclid(i128::from(DAY_MICROS)) as i64;
    let before_christ = put_day(days, out);
    out.put_u8(b' ');
    put_time(local.rem_euclid(i128::from(DAY_MICROS)) as i64, out);
    if let Some(offset) = offset {
        put_offset(offset, out);
    }
    if before_christ {
        out.put_slice(b" BC");
    }
}

fn offset_seconds(micros: i64, zone: Tz) -> i32 {
    if zone == Tz::UTC {
        return 0;
    }
    let Some(moment) = DateTime::from_timestamp_micros(micros) else { return 0 };
    zone.offset_from_utc_datetime(&moment.naive_utc()).fix().local_minus_utc()
}

/// `+00`, `+05:30`, `-00:25:21`
fn put_offset(seconds: i32, out: &mut BytesMut) {
    out.put_u8(if seconds < 0 { b'-' } else { b'+' });
    let seconds = seconds.unsigned_abs();
    put_two((seconds / 3_600) as u8, out);
    if !seconds.is_multiple_of(3_600) {
        out.put_u8(b':');
        put_two((seconds / 60 % 60) as u8, out);
    }
    if !seconds.is_multiple_of(60) {
        out.put_u8(b':');
        put_two((seconds % 60) as u8, out);
    }
}

/// An interval of days and times: microseconds, of which 24 hours are a day.
pub(super) fn put_span(micros: i64, out: &mut BytesMut) {
    // 64 bits of microseconds are fewer days than 32 bits count.
    put_interval(0, (micros / DAY_MICROS) as i32, micros % DAY_MICROS * 1_000, out);
}

/// An interval in PostgreSQL's own style: `1 year 2 mons -3 days +04:05:06.7`.
pub(super) fn put_interval(months: i32, days: i32, nanos: i64, out: &mut BytesMut) {
    let micros = nanos / 1_000;
    let mut begun = false;
    let mut negative = false;
    for (value, name) in [(months / 12, "year"), (months % 12, "mon"), (days, "day")] {
        if value == 0 {
            continue;
        }
        if begun {
            out.put_u8(b' ');
        }
        if negative && value > 0 {
            out.put_u8(b'+');
        }
        out.put_slice(itoa::Buffer::new().format(value).as_bytes());
        out.put_u8(b' ');
        out.put_slice(name.as_bytes());
        if value != 1 {
            out.put_u8(b's');
        }
        (begun, negative) = (true, value < 0);
    }
    if begun && micros == 0 {
        return;
    }
    if begun {
        out.put_u8(b' ');
    }
    if micros < 0 {
        out.put_u8(b'-');
    } else if negative {
        out.put_u8(b'+');
    }
    let micros = micros.unsigned_abs();
    let hours = micros / 3_600_000_000;
    if hours > 99 {
        out.put_slice(itoa::Buffer::new().format(hours).as_bytes());
    } else {
        put_two(hours as u8, out);
    }
    let rest = (micros % 3_600_000_000) as i64;
    out.put_u8(b':');
    put_two((rest / 60_000_000) as u8, out);
    out.put_u8(b':');
    put_two((rest / SECOND_MICROS % 60) as u8, out);
    put_fraction(rest % SECOND_MICROS, out);
}
