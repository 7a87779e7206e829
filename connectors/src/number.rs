//! Exact decimals as DynamoDB's numbers and JSON's are written: digits, perhaps a point, perhaps an exponent.
//!
//! A number's digits have no zeros at either end, so equal numbers are equal values whatever text they came from.

use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;

/// The digits that DynamoDB keeps of a number.
const PRECISION: usize = 38;

/// The largest and the smallest power of ten that a number's first digit may stand for.
const MAGNITUDES: std::ops::RangeInclusive<i32> = -130..=125;

/// Where the point of a number that is read may stand: beyond, nothing that we have could hold it, and its text without
/// an exponent would have no end.
const POINTS: std::ops::RangeInclusive<i64> = -10_000..=10_000;

/// The unscaled digits of a number as it is mostly written, digits and perhaps a point, of this scale. `None` when it is
/// written otherwise, or does not fit: then [`Number`] tells.
pub(crate) fn plain_unscaled(text: &str, scale: usize) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.len() + fraction.len() == 0 || fraction.len() > scale || whole.len() + scale > PRECISION {
        return None;
    }
    let mut unscaled: i128 = 0;
    let zeros = std::iter::repeat_n(b'0', scale - fraction.len());
    for digit in whole.bytes().chain(fraction.bytes()).chain(zeros) {
        if !digit.is_ascii_digit() {
            return None;
        }
        unscaled = unscaled * 10 + i128::from(digit - b'0');
    }
    Some(if negative { -unscaled } else { unscaled })
}

/// An exact decimal: `0.digits × 10^point`, negated or not; no digits for zero.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) struct Number {
    negative: bool,
    digits: String,
    point: i32,
}

impl Number {
    const ZERO: Self = Self { negative: false, digits: String::new(), point: 0 };

    /// Reads a number as DynamoDB writes it: digits, perhaps a point, perhaps an exponent. `None` also for one that is
    /// larger, or nearer to zero, than any type has.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (negative, text) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (mantissa, exponent) = match text.find(['e', 'E']) {
            Some(at) => (&text[..at], exponent(&text[at + 1..])?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.len() + fraction.len() == 0 || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        let digits = format!("{whole}{fraction}");
        let significant = digits.trim_start_matches('0');
        let before = whole.len() as i64 - (digits.len() - significant.len()) as i64;
        let significant = significant.trim_end_matches('0');
        if significant.is_empty() {
            return Some(Self::ZERO);
        }
        let point = before.saturating_add(exponent);
        let point = i32::try_from(point).ok().filter(|_| POINTS.contains(&point))?;
        Some(Self { negative, digits: significant.to_owned(), point })
    }

    /// The number `unscaled × 10^-scale`.
    pub(crate) fn decimal(unscaled: i128, scale: i8) -> Self {
        if unscaled == 0 {
            return Self::ZERO;
        }
        let digits = unscaled.unsigned_abs().to_string();
        let point = digits.len() as i32 - i32::from(scale);
        Self { negative: unscaled < 0, digits: digits.trim_end_matches('0').to_owned(), point }
    }

    /// Whether DynamoDB can hold it.
    pub(crate) fn is_storable(&self) -> bool {
        self.digits.is_empty() || (self.digits.len() <= PRECISION && MAGNITUDES.contains(&(self.point - 1)))
    }

    /// The digits after the point.
    pub(crate) fn scale(&self) -> usize {
        usize::try_from(self.digits.len() as i32 - self.point).unwrap_or(0)
    }

    /// The digits before the point.
    pub(crate) fn whole_digits(&self) -> usize {
        usize::try_from(self.point).unwrap_or(0)
    }

    /// The digits as a whole number of this scale; `None` when it has more than 38 digits or needs a larger scale.
    pub(crate) fn unscaled(&self, scale: usize) -> Option<i128> {
        if self.digits.is_empty() {
            return Some(0);
        }
        if self.scale() > scale || self.whole_digits() + scale > PRECISION {
            return None;
        }
        let digits: i128 = self.digits.parse().ok()?;
        let zeros = scale as i32 - (self.digits.len() as i32 - self.point);
        let magnitude = digits.checked_mul(10_i128.checked_pow(u32::try_from(zeros).ok()?)?)?;
        Some(if self.negative { -magnitude } else { magnitude })
    }

    /// The number without what stands after its point; `None` when more than 38 digits are left.
    #[cfg(feature = "opensearch")]
    pub(crate) fn truncated(&self) -> Option<i128> {
        let digits = &self.digits[..self.digits.len().min(self.whole_digits())];
        if digits.is_empty() {
            return Some(0);
        }
        Self { digits: digits.to_owned(), ..*self }.unscaled(0)
    }

    /// The number when it is whole and fits.
    pub(crate) fn integer(&self) -> Option<i64> {
        self.unscaled(0).and_then(|number| i64::try_from(number).ok())
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |number: &Self| i8::from(!number.digits.is_empty()) * if number.negative { -1 } else { 1 };
        let magnitude = || self.point.cmp(&other.point).then_with(|| self.digits.cmp(&other.digits));
        sign(self).cmp(&sign(other)).then_with(|| match sign(self) {
            0 => Ordering::Equal,
            1 => magnitude(),
            _ => magnitude().reverse(),
        })
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// All digits, without an exponent.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.digits.is_empty() {
            return f.write_str("0");
        }
        let sign = if self.negative { "-" } else { "" };
        let digits = &self.digits;
        let point = self.whole_digits();
        if self.point <= 0 {
            write!(f, "{sign}0.{}{digits}", "0".repeat(self.point.unsigned_abs() as usize))
        } else if point >= digits.len() {
            write!(f, "{sign}{digits}{}", "0".repeat(point - digits.len()))
        } else {
            write!(f, "{sign}{}.{}", &digits[..point], &digits[point..])
        }
    }
}

/// An exponent, cut to 64 bits: `None` for what is none.
fn exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let most = if text.starts_with('-') { i64::MIN } else { i64::MAX };
    Some(text.parse().unwrap_or(most))
}

impl From<Number> for String {
    fn from(number: Number) -> Self {
        number.to_string()
    }
}

impl TryFrom<String> for Number {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("\"{text}\" is no number"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap()
    }

    #[test]
    fn texts_of_one_number_are_one_number() {
        for (text, plain) in [
            ("0", "0"),
            ("-0.00", "0"),
            ("007", "7"),
            ("1.50", "1.5"),
            ("-12.5E+1", "-125"),
            ("1E+3", "1000"),
            ("12e-4", "0.0012"),
            (".5", "0.5"),
            ("99999999999999999999999999999999999999", "99999999999999999999999999999999999999"),
        ] {
            assert_eq!(number(text).to_string(), plain);
            assert_eq!(number(plain), number(text));
        }
        for text in ["", "-", ".", "-.", ".e1", "1.2.3", "1e", "1e+", "1e+-1", "NaN", "0x1", "1 "] {
            assert_eq!(Number::parse(text), None, "{text}");
            assert_eq!(plain_unscaled(text, 2), None, "{text}");
        }
    }

    #[test]
    fn numbers_beyond_all_types_are_none() {
        let long = format!("0.{}1", "0".repeat(70_000));
        let large = format!("1{}", "0".repeat(70_000));
        for text in ["1e70000", "-1E-2147483648", "1e2147483647", "1e99999999999999999999", &long, &large] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
        assert_eq!(number("0e99999999999999999999"), Number::ZERO);
        let digits = "7".repeat(70_000);
        let fraction = number(&format!(".{digits}"));
        assert_eq!(fraction.to_string(), format!("0.{digits}"));
        assert_eq!((fraction.scale(), fraction.unscaled(38), fraction.integer()), (70_000, None, None));
        assert!(!fraction.is_storable());
    }

    #[cfg(feature = "opensearch")]
    #[test]
    fn fractions_are_cut_off() {
        for (text, whole) in [
            ("9223372036854775807.9", Some(9_223_372_036_854_775_807)),
            ("-1.234567890123456789e18", Some(-1_234_567_890_123_456_789)),
            ("-0.9", Some(0)),
            ("1e2", Some(100)),
            ("1e39", None),
            ("12345678901234567890123456789012345678.5", Some(12_345_678_901_234_567_890_123_456_789_012_345_678)),
        ] {
            assert_eq!(number(text).truncated(), whole, "{text}");
        }
    }

    #[test]
    fn numbers_are_ordered_as_numbers() {
        let texts = ["-1E+125", "-10", "-9.5", "-0.001", "0", "1E-130", "0.5", "0.51", "9", "10", "10.1", "1E+125"];
        for pair in texts.windows(2) {
            assert!(number(pair[0]) < number(pair[1]), "{} < {}", pair[0], pair[1]);
        }
    }

    #[test]
    fn only_what_fits_is_converted() {
        assert_eq!(number("9223372036854775807").integer(), Some(i64::MAX));
        assert_eq!(number("-9223372036854775808").integer(), Some(i64::MIN));
        assert_eq!(number("9223372036854775808").integer(), None);
        assert_eq!(number("1.5").integer(), None);
        assert_eq!(number("1.5").unscaled(2), Some(150));
        assert_eq!(number("-0.05").unscaled(2), Some(-5));
        assert_eq!(number("0.005").unscaled(2), None);
        assert_eq!(number("1E+37").unscaled(0), Some(10_i128.pow(37)));
        assert_eq!(number("1E+37").unscaled(1), None);
        for (text, scale, plain) in [
            ("-12.5", 2, Some(-1250)),
            ("7", 0, Some(7)),
            ("1.25", 1, None),
            ("1E+2", 0, None),
            ("1234567890123456789012345678901234567.8", 1, Some(12_345_678_901_234_567_890_123_456_789_012_345_678)),
            ("12345678901234567890123456789012345678", 1, None),
        ] {
            assert_eq!(plain_unscaled(text, scale), plain, "{text}");
            assert!(plain.is_none() || number(text).unscaled(scale) == plain);
        }
        assert_eq!(Number::decimal(-1250, 2), number("-12.5"));
        assert_eq!(Number::decimal(5, -2), number("500"));
        assert!(number("1E-130").is_storable() && number("9.9999999999999999999999999999999999999E+125").is_storable());
        assert!(!number("1E-131").is_storable() && !number("1E+126").is_storable());
        assert!(!number("123456789012345678901234567890123456789").is_storable());
    }
}
