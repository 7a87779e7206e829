//! Numbers, dates and moments written as nearly all are, read eight digits at a time. What is written otherwise, and what
//! is bad, is `None` here, and read digit by digit elsewhere.

use chrono::NaiveDate;

/// Powers of ten that 64 bits hold.
const POWERS: [u64; 19] = {
    let mut powers = [1; 19];
    let mut at = 1;
    while at < powers.len() {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// Eight zeros as digits.
const ZEROS: u64 = u64::from_le_bytes(*b"00000000");

/// The number of eight digits, the first of them in the lowest byte.
#[inline]
fn eight_digits(digits: u64) -> Option<u32> {
    // Each byte is a digit if nothing is borrowed or carried into its highest bit.
    let values = digits.wrapping_sub(ZEROS);
    if (values | digits.wrapping_add(0x4646_4646_4646_4646)) & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    // Neighbours are joined: to four numbers of two digits, then to one.
    let pairs = values.wrapping_mul(10).wrapping_add(values >> 8);
    let outer = (pairs & 0x0000_00ff_0000_00ff).wrapping_mul(100 + (1_000_000 << 32));
    let inner = (pairs >> 16 & 0x0000_00ff_0000_00ff).wrapping_mul(1 + (10_000 << 32));
    Some((outer.wrapping_add(inner) >> 32) as u32)
}

/// The number of one to eight digits that stand in a text.
#[inline]
fn up_to_eight(text: &[u8], from: usize, to: usize) -> Option<u64> {
    let count = to - from;
    if count == 0 || count > 8 {
        return None;
    }
    let before = match to.checked_sub(8) {
        Some(start) => u64::from_le_bytes(text[start..to].try_into().ok()?),
        None => {
            let mut bytes = [b'0'; 8];
            bytes[8 - count..].copy_from_slice(&text[from..to]);
            u64::from_le_bytes(bytes)
        }
    };
    // What stands before the digits becomes zeros.
    let others = 8 * (8 - count) as u32;
    let digits = if others == 0 { before } else { before >> others << others | ZEROS >> (64 - others) };
    eight_digits(digits).map(u64::from)
}

/// A whole number that stands in a text: at most 18 digits, perhaps behind a minus.
#[inline]
pub(super) fn integer(text: &[u8], from: usize, to: usize) -> Option<i64> {
    let is_negative = from < to && text[from] == b'-';
    let from = from + usize::from(is_negative);
    let value = match to - from {
        0..=8 => up_to_eight(text, from, to)?,
        9..=16 => up_to_eight(text, from, to - 8)? * POWERS[8] + up_to_eight(text, to - 8, to)?,
        17..=18 => {
            let high = up_to_eight(text, from, to - 16)?;
            (high * POWERS[8] + up_to_eight(text, to - 16, to - 8)?) * POWERS[8] + up_to_eight(text, to - 8, to)?
        }
        _ => return None,
    };
    let value = value.cast_signed();
    Some(if is_negative { -value } else { value })
}

/// A decimal that stands in a text with just its scale's digits behind its point, or without a point; at its scale.
#[inline]
pub(super) fn decimal(text: &[u8], from: usize, to: usize, precision: u8, scale: i8) -> Option<i128> {
    let scale = usize::try_from(scale).ok().filter(|scale| *scale <= 8)?;
    let is_negative = from < to && text[from] == b'-';
    let from = from + usize::from(is_negative);
    let has_point = scale > 0 && to - from > scale + 1 && text[to - scale - 1] == b'.';
    let value = if has_point {
        up_to_eight(text, from, to - scale - 1)? * POWERS[scale] + up_to_eight(text, to - scale, to)?
    } else {
        up_to_eight(text, from, to)? * POWERS[scale]
    };
    if value >= POWERS[usize::from(precision).min(18)] {
        return None;
    }
    let value = i128::from(value);
    Some(if is_negative { -value } else { value })
}

/// The days since 1970 of `YYYY-MM-DD`.
#[inline]
pub(super) fn date(text: &[u8]) -> Option<i32> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *text else { return None };
    let number = eight_digits(u64::from_le_bytes([y1, y2, y3, y4, m1, m2, d1, d2]))?;
    let year = (number / 10_000).cast_signed();
    // There is no year 0.
    let date = NaiveDate::from_ymd_opt(year, number / 100 % 100, number % 100).filter(|_| year > 0)?;
    Some(date.to_epoch_days())
}

/// The microseconds since 1970 of `YYYY-MM-DD HH:MI:SS`, with up to six digits behind a point.
pub(super) fn timestamp(text: &[u8]) -> Option<i64> {
    let (day, time) = text.split_at_checked(10)?;
    let [b' ' | b'T', h1, h2, b':', m1, m2, b':', s1, s2, fraction @ ..] = time else { return None };
    let number = eight_digits(u64::from_le_bytes([b'0', b'0', *h1, *h2, *m1, *m2, *s1, *s2]))?;
    let (hour, minute, second) = (number / 10_000, number / 100 % 100, number % 100);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let micros = match fraction {
        [] => 0,
        [b'.', digits @ ..] if digits.len() <= 6 => up_to_eight(digits, 0, digits.len())? * POWERS[6 - digits.len()],
        _ => return None,
    };
    let seconds = i64::from(date(day)?) * 86_400 + i64::from(hour * 3600 + minute * 60 + second);
    Some(seconds * 1_000_000 + micros.cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A text within another, so that what stands around it is seen to mean nothing.
    fn within<T>(text: &str, read: impl Fn(&[u8], usize, usize) -> T) -> [T; 3] {
        ["", "7", "12345678|"].map(|before| {
            let whole = format!("{before}{text}|99");
            read(whole.as_bytes(), before.len(), before.len() + text.len())
        })
    }

    #[test]
    fn integers() {
        for text in ["0", "7", "-7", "12345678", "-12345678", "123456789", "1234567890123456", "-999999999999999999"] {
            assert_eq!(within(text, integer), [text.parse().ok(); 3], "{text}");
        }
        for number in (0..1_000_000_000_000_000_000_i64).step_by(79_190_000_000_011) {
            for number in [number, -number, number % 100_000, number % 1_000_000_007] {
                assert_eq!(within(&number.to_string(), integer), [Some(number); 3]);
            }
        }
        assert_eq!(within("00000000000000001", integer), [Some(1); 3]);
        for text in
            ["", "-", "--1", "+1", " 1", "1 ", "1.5", "1x", "x1", "12345678x", "1234567:", "1/3", "é", "\u{ff11}"]
        {
            assert_eq!(within(text, integer), [None; 3], "{text}");
        }
        assert_eq!(within("1234567890123456789", integer), [None; 3]);
    }

    #[test]
    fn decimals() {
        for (text, precision, scale, expected) in [
            ("17954.55", 15, 2, Some(1_795_455)),
            ("-17954.55", 15, 2, Some(-1_795_455)),
            ("0.07", 15, 2, Some(7)),
            ("36", 15, 2, Some(3600)),
            ("-36", 15, 2, Some(-3600)),
            ("12345678.12345678", 18, 8, Some(1_234_567_812_345_678)),
            ("999.99", 5, 2, Some(99_999)),
            ("1000.00", 5, 2, None),
            ("1000", 5, 2, None),
            ("12345678", 8, 0, Some(12_345_678)),
            // Written otherwise.
            (".07", 15, 2, None),
            ("0.5", 15, 2, None),
            ("0.005", 15, 2, None),
            ("1e2", 15, 2, None),
            ("", 15, 2, None),
            ("-", 15, 2, None),
            ("-.07", 15, 2, None),
            ("1.2.03", 15, 2, None),
            ("123456789.00", 15, 2, None),
            ("1.0000000000", 38, 10, None),
        ] {
            assert_eq!(within(text, |t, from, to| decimal(t, from, to, precision, scale)), [expected; 3], "{text}");
        }
    }

    #[test]
    fn dates_and_moments() {
        for days in (-719_162..2_932_897).step_by(97) {
            let text = NaiveDate::from_epoch_days(days).map(|date| date.to_string());
            assert_eq!(text.as_deref().and_then(|text| date(text.as_bytes())), Some(days), "{text:?}");
        }
        for text in ["2023-02-29", "2024-13-01", "2024-00-01", "2024-01-00", "0000-01-01", "2024-1-01", "2024/01/01"] {
            assert_eq!(date(text.as_bytes()), None, "{text}");
        }
        for (text, expected) in [
            ("1970-01-01 00:00:00", Some(0)),
            ("1970-01-02T00:00:01.5", Some(86_401_500_000)),
            ("1969-12-31 23:59:59.999999", Some(-1)),
            ("2024-02-29 12:34:56.123456", Some(1_709_210_096_123_456)),
            ("2024-02-29 24:00:00", None),
            ("2024-02-29 12:60:00", None),
            ("2024-02-29 12:34:56.", None),
            ("2024-02-29 12:34:56.1234567", None),
            ("2024-02-29 12:34:56Z", None),
            ("2024-02-29 12:34", None),
            ("2024-02-29", None),
            ("é", None),
        ] {
            assert_eq!(timestamp(text.as_bytes()), expected, "{text}");
        }
    }
}
