//! Exact decimal numbers as texts whose order is the numbers' order.
//!
//! A number is 0.d₁d₂… × 10ᵉ. Zero is `5`; a positive number is `6`, e + 50 in two digits, then its digits; a negative
//! one is `4`, 99 − (e + 50), the digits' complements to 9, and `~` so that fewer digits come later. Exponents beyond
//! two digits collapse at the ends (`3`, `4~`, `6`, `7`): no key of 38 digits has them, only a bound may.

use std::fmt::Write;

/// A decimal number: `digits` neither start nor end with a zero; none means zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Number {
    negative: bool,
    digits: String,
    exponent: i64,
}

impl Number {
    /// `[+-]digits[.digits][e[+-]digits]`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (negative, text) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (mantissa, power) = match text.split_once(['e', 'E']) {
            Some((mantissa, power)) => (mantissa, i64::from(power.parse::<i32>().ok()?)),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        let digits = format!("{whole}{fraction}");
        let significant = digits.trim_start_matches('0');
        let exponent = whole.len() as i64 - (digits.len() - significant.len()) as i64 + power;
        Some(Self { negative, digits: significant.trim_end_matches('0').to_owned(), exponent })
    }

    /// Whether `decimal(precision, scale)` holds it exactly.
    pub(crate) fn fits(&self, precision: u8, scale: i8) -> bool {
        let scale = i64::from(scale);
        self.digits.is_empty()
            || (self.exponent <= i64::from(precision) - scale && self.digits.len() as i64 - self.exponent <= scale)
    }

    /// Appends the encoding.
    pub(crate) fn encode(&self, key: &mut String) {
        if self.digits.is_empty() {
            key.push('5');
            return;
        }
        let biased = self.exponent + 50;
        // Writing to a String cannot fail.
        let _ = match (self.negative, biased) {
            (false, 100..) => key.write_str("7"),
            (false, ..0) => key.write_str("6"),
            (false, _) => write!(key, "6{biased:02}{}", self.digits),
            (true, 100..) => key.write_str("3"),
            (true, ..0) => key.write_str("4~"),
            (true, _) => write!(key, "4{:02}", 99 - biased).map(|()| {
                key.extend(self.digits.bytes().map(|digit| char::from(b'0' + b'9' - digit)));
                key.push('~');
            }),
        };
    }
}
