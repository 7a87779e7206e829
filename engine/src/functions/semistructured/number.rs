//! Numbers of SUPER values: decimals of up to 38 digits, each with a scale of its own, and floating-point ones, which
//! are written with an exponent.

use super::document::float_text;
use crate::error::Result;
use crate::functions::arithmetic::{division_by_zero, out_of_range, overflow};
use crate::functions::math::{Way, at_digit, float_at_digit};
use datafusion::arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Decimal128Type, DecimalType};
use std::cmp::Ordering;

/// The most digits of a decimal.
const MOST_DIGITS: u32 = DECIMAL128_MAX_PRECISION as u32;

/// What is added to the place of a number's first digit, so that places are positive: doubles have up to 324 zeros
/// before it.
const PLACES: i32 = 1000;

/// A number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    /// `digits` / 10^`scale`, where neither has more than 38 digits.
    Exact { digits: i128, scale: u8 },
    /// A finite number.
    Float(f64),
}

/// An operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

fn power(exponent: u32) -> Result<i128> {
    10_i128.checked_pow(exponent).ok_or_else(overflow)
}

impl Number {
    /// Reads a number of JSON; `None` for what is none, or larger than a double can be. What has too many digits for a
    /// decimal is a floating-point number.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let plain = text.strip_prefix('-').unwrap_or(text);
        if !plain.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let float = || text.parse().ok().filter(|float: &f64| float.is_finite()).map(Self::Float);
        if plain.contains(['e', 'E']) {
            return float();
        }
        let (whole, fraction) = match plain.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (plain, ""),
        };
        let mut digits = 0_i128;
        for byte in whole.bytes().chain(fraction.bytes()) {
            if !byte.is_ascii_digit() {
                return None;
            }
            // More digits than any number has stay more.
            digits = digits.saturating_mul(10).saturating_add(i128::from(byte - b'0'));
        }
        match u8::try_from(fraction.len()) {
            Ok(scale) if u32::from(scale) <= MOST_DIGITS && precision(digits) <= MOST_DIGITS => {
                Some(Self::Exact { digits: if text.starts_with('-') { -digits } else { digits }, scale })
            }
            _ => float(),
        }
    }

    fn float(self) -> f64 {
        match self {
            Self::Exact { .. } => self.text().parse().unwrap_or(f64::NAN),
            Self::Float(float) => float,
        }
    }

    /// The number as JSON.
    pub(super) fn text(self) -> String {
        match self {
            Self::Exact { digits, scale } => {
                Decimal128Type::format_decimal(digits, DECIMAL128_MAX_PRECISION, scale as i8)
            }
            Self::Float(float) => float_text(float),
        }
    }

    /// A text that is the same for all numbers that are equal, and sorts as they do: the sign, where the first digit
    /// stands, and the digits without zeros at their ends. Below zero all of it runs backwards.
    pub(super) fn key(self) -> String {
        let (is_negative, digits, place) = match self {
            Self::Exact { digits, scale } => {
                let text = digits.unsigned_abs().to_string();
                let place = text.len() as i32 - i32::from(scale);
                (digits < 0, text, place)
            }
            // The fewest digits that tell a double from others.
            Self::Float(float) => {
                let text = format!("{:e}", float.abs());
                let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
                (float < 0.0, digits.replace('.', ""), exponent.parse().unwrap_or(0) + 1)
            }
        };
        let digits = digits.trim_end_matches('0');
        if digits.is_empty() {
            return "1".to_owned();
        }
        if !is_negative {
            return format!("2{:04}{digits}", PLACES + place);
        }
        let digits: String = digits.bytes().map(|digit| char::from(b'0' + b'9' - digit)).collect();
        // A sign behind all digits: what has more digits is further from zero.
        format!("0{:04}{digits}:", PLACES - place)
    }

    /// The whole number nearest to it, halves away from zero.
    pub(super) fn rounded(self) -> Option<i128> {
        match self {
            Self::Exact { digits, scale } => at_digit(digits, scale.into(), 0, 0, Way::Half),
            Self::Float(float) => {
                let rounded = float.round();
                (rounded.abs() < 1e38).then_some(rounded as i128)
            }
        }
    }

    /// The number with so many digits after the point at most.
    ///
    /// # Errors
    /// `NumericOverflow`
    pub(super) fn cut(self, way: Way, places: i64) -> Result<Self> {
        let places = places.clamp(-400, 400) as i32;
        match self {
            Self::Exact { scale, .. } if places >= i32::from(scale) => Ok(self),
            Self::Exact { digits, scale } => {
                let kept = places.max(0);
                let digits = at_digit(digits, scale.into(), places, kept, way);
                match digits.filter(|digits| precision(*digits) <= MOST_DIGITS) {
                    Some(digits) => Ok(Self::Exact { digits, scale: kept as u8 }),
                    None => Err(overflow()),
                }
            }
            Self::Float(float) => {
                let made = float_at_digit(float, places, way);
                Ok(if made.is_finite() { Self::Float(made) } else { self })
            }
        }
    }

    pub(super) fn compare(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Exact { digits: a, scale: s }, Self::Exact { digits: b, scale: t }) if s == t => a.cmp(&b),
            (a, b) => a.key().cmp(&b.key()),
        }
    }

    /// # Errors
    /// `NumericOverflow`, `DivisionByZero`.
    pub(super) fn compute(self, operator: Operator, other: Self) -> Result<Self> {
        match (self, other) {
            (Self::Exact { digits: a, scale: s }, Self::Exact { digits: b, scale: t }) => {
                exact(operator, (a, s), (b, t))
            }
            (a, b) => floats(operator, a.float(), b.float()),
        }
    }
}

fn floats(operator: Operator, a: f64, b: f64) -> Result<Number> {
    let divides = matches!(operator, Operator::Divide | Operator::Modulo);
    if divides && b == 0.0 {
        return Err(division_by_zero());
    }
    let made = match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide => a / b,
        Operator::Modulo => a % b,
    };
    if made.is_finite() { Ok(Number::Float(made)) } else { Err(out_of_range(&DataType::Float64)) }
}

/// How many digits a decimal is written with.
fn precision(digits: i128) -> u32 {
    digits.unsigned_abs().checked_ilog10().map_or(1, |log| log + 1)
}

fn exact(operator: Operator, (a, s): (i128, u8), (b, t): (i128, u8)) -> Result<Number> {
    let (s, t) = (u32::from(s), u32::from(t));
    let most = s.max(t);
    let aligned = |digits: i128, scale: u32| digits.checked_mul(power(most - scale)?).ok_or_else(overflow);
    let (digits, scale) = match operator {
        Operator::Add => (aligned(a, s)?.checked_add(aligned(b, t)?), most),
        Operator::Subtract => (aligned(a, s)?.checked_sub(aligned(b, t)?), most),
        Operator::Multiply => (a.checked_mul(b), s + t),
        Operator::Divide | Operator::Modulo if b == 0 => return Err(division_by_zero()),
        Operator::Modulo => (aligned(a, s)?.checked_rem(aligned(b, t)?), most),
        Operator::Divide if most == 0 => (a.checked_div(b), 0),
        Operator::Divide => {
            let scale = 4.max((s + precision(b) + 1).saturating_sub(t)).min(MOST_DIGITS - 1);
            let numerator = match (scale + t).checked_sub(s) {
                Some(more) => a.checked_mul(power(more)?).ok_or_else(overflow)?,
                None => a / power(s - scale - t)?,
            };
            (numerator.checked_div(b), scale)
        }
    };
    match digits.filter(|digits| precision(*digits) <= MOST_DIGITS && scale < MOST_DIGITS) {
        Some(digits) => Ok(Number::Exact { digits, scale: scale as u8 }),
        None => Err(overflow()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn numbers_are_read_and_written() {
        for text in ["0", "-1", "10.50", "0.001", "-0.5", "99999999999999999999999999999999999999"] {
            assert_eq!(Number::parse(text).unwrap().text(), text);
        }
        // Redshift's documentation of IS_FLOAT.
        assert_eq!(Number::parse("2.22e0").unwrap().text(), "2.22e+0");
        for text in ["", "-", "1.2.3", "1-2", "abc", ".", "1.", "1e400", "-1e400", "infinity"] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
    }

    #[test]
    fn digits_are_cut() {
        let cut = |text: &str, how, places| Number::parse(text).unwrap().cut(how, places).unwrap().text();
        // Redshift's documentation of arithmetic functions over SUPER.
        assert_eq!(cut("1389636795898.0500", Way::Down, 0), "1389636795898");
        assert_eq!(cut("1389636795898.0500", Way::Up, 0), "1389636795899");
        assert_eq!(cut("1389636795898.0500", Way::Half, 0), "1389636795898");
        // PostgreSQL: round, floor, ceil and trunc of numeric.
        assert_eq!(cut("-2.5", Way::Half, 0), "-3");
        assert_eq!(cut("-2.4", Way::Half, 0), "-2");
        assert_eq!(cut("-2.5", Way::Down, 0), "-3");
        assert_eq!(cut("-2.5", Way::Up, 0), "-2");
        assert_eq!(cut("-2.5", Way::Cut, 0), "-2");
        assert_eq!(cut("1234.567", Way::Half, 2), "1234.57");
        assert_eq!(cut("1254.567", Way::Half, -2), "1300");
        assert_eq!(cut("7", Way::Half, 3), "7");
        assert_eq!(cut("7", Way::Half, -40), "0");
        assert_eq!(cut("0.99999999999999999999999999999999999", Way::Half, -5), "0");
        assert_eq!(cut("-0.99999999999999999999999999999999999", Way::Half, -5), "0");
        assert_eq!(cut("2.5e0", Way::Down, 0), "2e+0");
        assert_eq!(cut(&format!("0.{}1", "0".repeat(37)), Way::Up, 0), "1");
    }

    // Redshift's documentation of arithmetic over SUPER.
    #[test]
    fn decimals_are_computed() {
        let number = |text: &str| Number::parse(text).unwrap();
        let sum = number("4192801").compute(Operator::Add, number("0.5")).unwrap();
        let product = sum.compute(Operator::Multiply, number("4192801")).unwrap();
        assert_eq!(product.compute(Operator::Divide, number("10")).unwrap().text(), "1757958232200.1500");
        assert_eq!(number("7").compute(Operator::Divide, number("2")).unwrap().text(), "3");
        assert_eq!(number("2.5").rounded(), Some(3));
        assert_eq!(number("-2.5").rounded(), Some(-3));
        // As a cast of such a numeric to integer in PostgreSQL.
        assert_eq!(number(&format!("0.{}1", "0".repeat(60))).rounded(), Some(0));
        assert_eq!(number(&format!("1.{}1", "0".repeat(60))).rounded(), Some(1));
        assert!(number("1").compute(Operator::Modulo, number("0")).is_err());
    }

    #[test]
    fn numbers_have_one_order() {
        let rising = [
            "-1e308",
            "-99999999999999999999999999999999999999",
            "-9007199254740993",
            "-9007199254740992",
            "-2",
            "-1.55",
            "-1.5",
            "-0.001",
            "-1e-300",
            "0",
            "5e-324",
            "1e-300",
            "0.00000000000000000000000000000000000001",
            "0.001",
            "0.0011",
            "0.5",
            "1",
            "1.5",
            "9.99",
            "10",
            "9007199254740992",
            "9007199254740993",
            "9007199254740993.5",
            "99999999999999999999999999999999999999",
            "1e38",
            "1e308",
        ];
        let numbers: Vec<Number> = rising.iter().map(|text| Number::parse(text).unwrap()).collect();
        for (at, left) in numbers.iter().enumerate() {
            for (other, right) in numbers.iter().enumerate() {
                assert_eq!(left.compare(*right), at.cmp(&other), "{} {}", rising[at], rising[other]);
                assert_eq!(left.key().cmp(&right.key()), at.cmp(&other), "{} {}", rising[at], rising[other]);
            }
        }
        for (left, right) in
            [("1.0", "1"), ("1e0", "1"), ("100", "1e2"), ("-0.50", "-5e-1"), ("0", "-0.00"), ("0e5", "0")]
        {
            assert_eq!(Number::parse(left).unwrap().key(), Number::parse(right).unwrap().key(), "{left} {right}");
        }
    }
}
