//! Numbers of SUPER values: decimals of up to 38 digits, each with a scale of its own, and floating-point ones, which
//! are written with an exponent.

use super::document::float_text;
use crate::error::Result;
use crate::functions::arithmetic::{division_by_zero, out_of_range, overflow};
use datafusion::arrow::datatypes::DataType;
use std::cmp::Ordering;

/// The most digits of a decimal.
const MOST_DIGITS: u32 = 38;

/// A number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    /// `digits` / 10^`scale`
    Exact {
        digits: i128,
        scale: u32,
    },
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

/// Where digits that are cut go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rounding {
    Down,
    Up,
    /// Halves away from zero.
    Half,
    Cut,
}

fn power(exponent: u32) -> Result<i128> {
    10_i128.checked_pow(exponent).ok_or_else(overflow)
}

impl Number {
    /// Reads a number of JSON; `None` for what is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        if digits.is_empty()
            || !digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'))
        {
            return None;
        }
        let float = || text.parse::<f64>().ok().map(Self::Float);
        if digits.contains(['e', 'E']) {
            return float();
        }
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() || !(whole.bytes().chain(fraction.bytes())).all(|b| b.is_ascii_digit()) {
            return None;
        }
        let joined = format!("{whole}{fraction}");
        if joined.trim_start_matches('0').len() > MOST_DIGITS as usize {
            return float();
        }
        let number: i128 = joined.parse().ok()?;
        let digits = if text.starts_with('-') { -number } else { number };
        Some(Self::Exact { digits, scale: fraction.len() as u32 })
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
            Self::Exact { digits, scale: 0 } => digits.to_string(),
            Self::Exact { digits, scale } => {
                let scale = scale as usize;
                let all = format!("{:0width$}", digits.unsigned_abs(), width = scale + 1);
                let (whole, fraction) = all.split_at(all.len() - scale);
                format!("{}{whole}.{fraction}", if digits < 0 { "-" } else { "" })
            }
            Self::Float(float) => float_text(float),
        }
    }

    /// One text for all numbers that are equal.
    pub(super) fn canonical(self) -> String {
        match self {
            Self::Exact { mut digits, mut scale } => {
                while scale > 0 && digits % 10 == 0 {
                    (digits, scale) = (digits / 10, scale - 1);
                }
                Self::Exact { digits, scale }.text()
            }
            // A double's plain digits, where they are few enough to be a decimal's.
            Self::Float(float) => match Self::parse(&format!("{float}")) {
                Some(exact @ Self::Exact { .. }) => exact.canonical(),
                _ => float_text(float),
            },
        }
    }

    /// The whole number nearest to it, halves away from zero.
    pub(super) fn rounded(self) -> Option<i128> {
        match self {
            Self::Exact { digits, scale } => {
                let unit = power(scale).ok()?;
                let (whole, rest) = (digits / unit, (digits % unit).unsigned_abs());
                Some(if rest * 2 >= unit.unsigned_abs() && rest > 0 { whole + digits.signum() } else { whole })
            }
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
    pub(super) fn cut(self, how: Rounding, places: i64) -> Result<Self> {
        let places = places.clamp(-i64::from(MOST_DIGITS), i64::from(MOST_DIGITS));
        match self {
            Self::Exact { digits, scale } => {
                let Some(gone) = u32::try_from(i64::from(scale) - places).ok().filter(|gone| *gone > 0) else {
                    return Ok(self);
                };
                // More digits go than a number has: the unit is more than twice any number.
                let is_all = gone > MOST_DIGITS;
                let unit = if is_all { i128::MAX } else { power(gone)? };
                let (whole, rest) = (digits.div_euclid(unit), digits.rem_euclid(unit));
                let up = match how {
                    Rounding::Down => false,
                    Rounding::Up => rest > 0,
                    Rounding::Half if digits < 0 => is_all || rest > unit - rest,
                    Rounding::Half => !is_all && rest >= unit - rest,
                    Rounding::Cut => digits < 0 && rest > 0,
                };
                let whole = whole + i128::from(up);
                let scale = u32::try_from(places).unwrap_or(0);
                let back = power(u32::try_from(-places).unwrap_or(0))?;
                match whole.checked_mul(back).filter(|digits| precision(*digits) <= MOST_DIGITS) {
                    Some(digits) => Ok(Self::Exact { digits, scale }),
                    None => Err(overflow()),
                }
            }
            Self::Float(float) => {
                let factor = 10_f64.powi(i32::try_from(places).unwrap_or(0));
                let moved = float * factor;
                let whole = match how {
                    Rounding::Down => moved.floor(),
                    Rounding::Up => moved.ceil(),
                    Rounding::Half => moved.round(),
                    Rounding::Cut => moved.trunc(),
                };
                let made = whole / factor;
                Ok(if made.is_finite() { Self::Float(made) } else { self })
            }
        }
    }

    /// The same number in an order-keeping text.
    pub(super) fn sortable(self) -> String {
        let bits = self.float().to_bits();
        let ordered = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
        format!("{ordered:016x}")
    }

    pub(super) fn compare(self, other: Self) -> Option<Ordering> {
        if let (Self::Exact { digits: a, scale: s }, Self::Exact { digits: b, scale: t }) = (self, other) {
            let most = s.max(t);
            let scaled = |digits: i128, scale: u32| digits.checked_mul(power(most - scale).ok()?);
            if let (Some(a), Some(b)) = (scaled(a, s), scaled(b, t)) {
                return Some(a.cmp(&b));
            }
        }
        self.float().partial_cmp(&other.float())
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

fn exact(operator: Operator, (a, s): (i128, u32), (b, t): (i128, u32)) -> Result<Number> {
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
        Some(digits) => Ok(Number::Exact { digits, scale }),
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
        for text in ["", "-", "1.2.3", "1-2", "abc", "."] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
    }

    #[test]
    fn digits_are_cut() {
        let cut = |text: &str, how, places| Number::parse(text).unwrap().cut(how, places).unwrap().text();
        // Redshift's documentation of arithmetic functions over SUPER.
        assert_eq!(cut("1389636795898.0500", Rounding::Down, 0), "1389636795898");
        assert_eq!(cut("1389636795898.0500", Rounding::Up, 0), "1389636795899");
        assert_eq!(cut("1389636795898.0500", Rounding::Half, 0), "1389636795898");
        // PostgreSQL: round, floor, ceil and trunc of numeric.
        assert_eq!(cut("-2.5", Rounding::Half, 0), "-3");
        assert_eq!(cut("-2.4", Rounding::Half, 0), "-2");
        assert_eq!(cut("-2.5", Rounding::Down, 0), "-3");
        assert_eq!(cut("-2.5", Rounding::Up, 0), "-2");
        assert_eq!(cut("-2.5", Rounding::Cut, 0), "-2");
        assert_eq!(cut("1234.567", Rounding::Half, 2), "1234.57");
        assert_eq!(cut("1254.567", Rounding::Half, -2), "1300");
        assert_eq!(cut("7", Rounding::Half, 3), "7");
        assert_eq!(cut("7", Rounding::Half, -40), "0");
        assert_eq!(cut("0.99999999999999999999999999999999999", Rounding::Half, -5), "0");
        assert_eq!(cut("-0.99999999999999999999999999999999999", Rounding::Half, -5), "0");
        assert_eq!(cut("2.5e0", Rounding::Down, 0), "2e+0");
    }

    // Redshift's documentation of arithmetic over SUPER.
    #[test]
    fn decimals_are_computed() {
        let number = |text: &str| Number::parse(text).unwrap();
        let sum = number("4192801").compute(Operator::Add, number("0.5")).unwrap();
        let product = sum.compute(Operator::Multiply, number("4192801")).unwrap();
        assert_eq!(product.compute(Operator::Divide, number("10")).unwrap().text(), "1757958232200.1500");
        assert_eq!(number("7").compute(Operator::Divide, number("2")).unwrap().text(), "3");
        assert_eq!(number("1.0").canonical(), number("1").canonical());
        assert_eq!(number("1e0").canonical(), number("1").canonical());
        assert_eq!(number("2.5").rounded(), Some(3));
        assert_eq!(number("-2.5").rounded(), Some(-3));
        assert!(
            number("-2").sortable() < number("-1.5").sortable() && number("-1.5").sortable() < number("3").sortable()
        );
        assert!(number("1").compute(Operator::Modulo, number("0")).is_err());
    }
}
