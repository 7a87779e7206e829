//! Values from their text: pure functions, `None` where the text is no value of the type.
//!
//! Blanks around numbers are allowed, as Hive allows them. The forms of dates and timestamps are those of
//! `java.sql.Date` and `java.sql.Timestamp`, which Athena documents, and ISO 8601's with a `T` and a zone.

/// A power of ten that fits.
fn power_of_ten(exponent: u32) -> Option<i128> {
    10_i128.checked_pow(exponent)
}

/// A whole number in decimal digits.
#[inline]
pub(super) fn parse_integer(text: &str) -> Option<i64> {
    let mut bytes = text.as_bytes();
    if let (Some(first), Some(last)) = (bytes.first(), bytes.last())
        && !(first.is_ascii_digit() && last.is_ascii_digit())
    {
        bytes = bytes.trim_ascii();
    }
    let (negative, digits) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, bytes),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value: i64 = 0;
    // Eighteen digits cannot overflow; the negative side holds one more than the positive, so count downwards.
    if digits.len() <= 18 {
        for digit in digits {
            let digit = digit.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            value = value * 10 - i64::from(digit);
        }
    } else {
        for digit in digits {
            let digit = digit.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            value = value.checked_mul(10)?.checked_sub(i64::from(digit))?;
        }
    }
    if negative { Some(value) } else { value.checked_neg() }
}

/// A whole number that may be written with a point or an exponent (`12.0`, `1e3`), as JSON allows.
pub(super) fn parse_integral(text: &str) -> Option<i64> {
    if let Some(value) = parse_integer(text) {
        return Some(value);
    }
    let tenfold = parse_decimal(text, 38, 1)?;
    // A digit behind the first place of the fraction would have been rounded away.
    let float: f64 = text.trim_ascii().parse().ok()?;
    if tenfold % 10 != 0 || float.fract() != 0.0 { None } else { i64::try_from(tenfold / 10).ok() }
}

/// A decimal number as its digits at `scale`; digits behind the scale are rounded, half away from zero, as Hive
/// rounds them. `None` also when it needs more than `precision` digits.
pub(super) fn parse_decimal(text: &str, precision: u8, scale: i8) -> Option<i128> {
    let bytes = text.as_bytes().trim_ascii();
    let (negative, bytes) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, bytes),
    };
    let (mantissa, exponent) = match bytes.iter().position(|b| matches!(b, b'e' | b'E')) {
        Some(at) => (&bytes[..at], parse_integer(std::str::from_utf8(&bytes[at + 1..]).ok()?)?),
        None => (bytes, 0),
    };
    let exponent = i32::try_from(exponent).ok().filter(|exponent| exponent.abs() < 10_000)?;
    let wanted = i32::from(scale) + exponent;
    let (mut value, mut fraction, mut point, mut any) = (0_i128, 0_i32, false, false);
    for &byte in mantissa {
        match byte {
            b'.' if !point => point = true,
            b'0'..=b'9' => {
                any = true;
                // One digit more than is kept decides the rounding; those behind it do not matter.
                if point && fraction > wanted.max(0) {
                    continue;
                }
                value = value.checked_mul(10)?.checked_add(i128::from(byte - b'0'))?;
                fraction += i32::from(point);
            }
            _ => return None,
        }
    }
    if !any {
        return None;
    }
    let shift = wanted - fraction;
    let value = if value == 0 {
        0
    } else if shift >= 0 {
        value.checked_mul(power_of_ten(shift.unsigned_abs())?)?
    } else if let Some(divisor) = power_of_ten(shift.unsigned_abs()) {
        value / divisor + i128::from(value % divisor >= divisor / 2)
    } else {
        0
    };
    (value < power_of_ten(u32::from(precision))?).then_some(if negative { -value } else { value })
}

/// `true` or `false` in any case; with `digits` also `1` and `0`.
pub(super) fn parse_boolean(text: &str, digits: bool) -> Option<bool> {
    let text = text.trim_ascii();
    match text {
        "1" if digits => Some(true),
        "0" if digits => Some(false),
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// The days from 1970-01-01 to a day of the proleptic Gregorian calendar; `None` for a day that does not exist.
fn days_from_civil(year: i64, month: u32, day: u32) -> Option<i64> {
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let length = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    // Years that begin in March put the leap day last; 400 of them are 146,097 days.
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = i64::from((month + 9) % 12);
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

/// Takes `least` to `most` digits from the front of `text`.
fn take_digits(text: &mut &[u8], least: usize, most: usize) -> Option<u32> {
    let length = text.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
    if length < least {
        return None;
    }
    let (digits, rest) = text.split_at(length);
    *text = rest;
    Some(digits.iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0')))
}

fn take_byte(text: &mut &[u8], wanted: impl Fn(u8) -> bool) -> Option<u8> {
    let (&first, rest) = text.split_first().filter(|(first, _)| wanted(**first))?;
    *text = rest;
    Some(first)
}

fn take_date(text: &mut &[u8]) -> Option<i64> {
    let year = take_digits(text, 4, 4)?;
    take_byte(text, |b| b == b'-')?;
    let month = take_digits(text, 1, 2)?;
    take_byte(text, |b| b == b'-')?;
    let day = take_digits(text, 1, 2)?;
    days_from_civil(i64::from(year), month, day)
}

/// `YYYY-MM-DD` as days from 1970-01-01.
pub(crate) fn parse_date(text: &str) -> Option<i32> {
    let mut rest = text.as_bytes().trim_ascii();
    let days = take_date(&mut rest)?;
    if rest.is_empty() { i32::try_from(days).ok() } else { None }
}

/// `YYYY-MM-DD HH:MM:SS[.fffffffff]`, a date alone, or ISO 8601 with `T` and an optional zone (`Z`, `+01:00`,
/// `+0100`, `+01`), as seconds from 1970-01-01 00:00 and nanoseconds. A time with a zone is turned to UTC.
pub(crate) fn parse_timestamp(text: &str) -> Option<(i64, u32)> {
    let (seconds, nanos, offset) = parse_zoned_timestamp(text)?;
    Some((seconds - offset.unwrap_or(0), nanos))
}

/// The same with the zone apart: what clocks show, and what it is from UTC in seconds where the text says so.
pub(crate) fn parse_zoned_timestamp(text: &str) -> Option<(i64, u32, Option<i64>)> {
    let mut rest = text.as_bytes().trim_ascii();
    let midnight = take_date(&mut rest)? * 86_400;
    if rest.is_empty() {
        return Some((midnight, 0, None));
    }
    take_byte(&mut rest, |b| matches!(b, b' ' | b'T' | b't'))?;
    let hour = take_digits(&mut rest, 1, 2).filter(|hour| *hour < 24)?;
    take_byte(&mut rest, |b| b == b':')?;
    let minute = take_digits(&mut rest, 1, 2).filter(|minute| *minute < 60)?;
    take_byte(&mut rest, |b| b == b':')?;
    let second = take_digits(&mut rest, 1, 2).filter(|second| *second < 60)?;
    let nanos = if take_byte(&mut rest, |b| b == b'.').is_some() { take_fraction(&mut rest)? } else { 0 };
    rest = rest.trim_ascii();
    let offset = if rest.is_empty() { None } else { Some(take_zone(&mut rest)?) };
    Some((midnight + i64::from(hour * 3600 + minute * 60 + second), nanos, offset))
}

/// One to nine digits as nanoseconds; digits behind them are passed over.
fn take_fraction(text: &mut &[u8]) -> Option<u32> {
    let before = text.len();
    let value = take_digits(text, 1, 9)?;
    let length = before - text.len();
    let beyond = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    *text = &text[beyond..];
    Some(value * 10_u32.pow(9 - length as u32))
}

/// The rest of the text as a zone's offset in seconds.
fn take_zone(text: &mut &[u8]) -> Option<i64> {
    if text.eq_ignore_ascii_case(b"z") || text.eq_ignore_ascii_case(b"utc") {
        return Some(0);
    }
    let sign = if take_byte(text, |b| b == b'+' || b == b'-')? == b'-' { -1 } else { 1 };
    let hours = take_digits(text, 2, 2).filter(|hours| *hours <= 18)?;
    let colon = take_byte(text, |b| b == b':').is_some();
    let minutes = if colon || !text.is_empty() { take_digits(text, 2, 2).filter(|minutes| *minutes < 60)? } else { 0 };
    text.is_empty().then_some(sign * i64::from(hours * 3600 + minutes * 60))
}

/// Base64 (RFC 4648 with either alphabet; padding may be missing, blanks are passed over).
pub(super) fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count, mut padding) = (0_u32, 0_u32, 0_u32);
    for &byte in text {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'=' => {
                padding += 1;
                continue;
            }
            b' ' | b'\t' | b'\r' | b'\n' => continue,
            _ => return None,
        };
        if padding > 0 {
            return None;
        }
        bits = bits << 6 | u32::from(value);
        count += 1;
        if count % 4 == 0 {
            plain.extend_from_slice(&bits.to_be_bytes()[1..]);
            bits = 0;
        }
    }
    match (count % 4, padding) {
        (0, 0) => {}
        (2, 0 | 2) => plain.push((bits >> 4) as u8),
        (3, 0 | 1) => plain.extend_from_slice(&((bits >> 2) as u16).to_be_bytes()),
        _ => return None,
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers() {
        for (text, value) in [
            ("0", Some(0)),
            ("-12", Some(-12)),
            ("+7", Some(7)),
            (" 42 ", Some(42)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("000000000000000000000000000012", Some(12)),
            ("1.0", None),
            ("-", None),
            ("", None),
            ("1_0", None),
        ] {
            assert_eq!(parse_integer(text), value, "{text}");
        }
        for (text, value) in [("12.0", Some(12)), ("1e3", Some(1000)), ("12.5", None), ("0.01", None), ("x", None)] {
            assert_eq!(parse_integral(text), value, "{text}");
        }
    }

    /// Rounding as `java.math.RoundingMode.HALF_UP` does.
    #[test]
    fn decimals() {
        for (text, precision, scale, value) in [
            ("1.5", 10, 2, Some(150)),
            ("-0.005", 10, 2, Some(-1)),
            ("0.00499999", 10, 2, Some(0)),
            ("123.456", 5, 2, Some(12346)),
            ("1000", 5, 2, None),
            ("999.995", 5, 2, None),
            (".5", 3, 1, Some(5)),
            ("5.", 3, 1, Some(50)),
            ("1.2e2", 5, 1, Some(1200)),
            ("125e-2", 5, 1, Some(13)),
            ("99999999999999999999999999999999999999", 38, 0, Some(10_i128.pow(38) - 1)),
            ("0.1234567890123456789012345678901234567890", 38, 3, Some(123)),
            ("1e-5000", 5, 1, Some(0)),
            ("1.2.3", 5, 1, None),
            ("", 5, 1, None),
            ("abc", 5, 1, None),
        ] {
            assert_eq!(parse_decimal(text, precision, scale), value, "{text}");
        }
    }

    #[test]
    fn dates_and_timestamps() {
        for (text, days) in [
            ("1970-01-01", Some(0)),
            ("2000-02-29", Some(11_016)),
            ("1969-12-31", Some(-1)),
            ("0001-01-01", Some(-719_162)),
            ("2024-1-5", Some(19_727)),
            ("2023-02-29", None),
            ("2023-13-01", None),
            ("20230101", None),
            ("2023-01-01x", None),
        ] {
            assert_eq!(parse_date(text), days, "{text}");
        }
        for (text, value) in [
            ("1970-01-01 00:00:01", Some((1, 0))),
            ("1970-01-01T00:00:01.5", Some((1, 500_000_000))),
            ("1970-01-01 00:00:00.123456789", Some((0, 123_456_789))),
            ("1970-01-01T01:00:00+01:00", Some((0, 0))),
            ("1970-01-01T01:00:00+0130", Some((-1800, 0))),
            ("1970-01-01T00:00:00Z", Some((0, 0))),
            ("1970-01-02", Some((86_400, 0))),
            ("1970-01-01 24:00:00", None),
            ("1970-01-01 00:00:00 Mars", None),
            ("0", None),
        ] {
            assert_eq!(parse_timestamp(text), value, "{text}");
        }
    }

    /// RFC 4648, section 10.
    #[test]
    fn base64() {
        for (text, plain) in
            [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYg==", "foob"), ("Zm9vYg", "foob")]
        {
            assert_eq!(decode_base64(text.as_bytes()).as_deref(), Some(plain.as_bytes()), "{text}");
        }
        assert_eq!(decode_base64(b"Zm9vY"), None);
        assert_eq!(decode_base64(b"Zg=a"), None);
        assert_eq!(decode_base64(b"a,bc"), None);
    }
}
