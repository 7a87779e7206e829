//! A column's type by the texts of its values: what direct queries and crawlers infer, and what the readers will read.
//!
//! The type is the narrowest that all non-empty values have: `boolean` (`true`, `false`), `bigint`, `double`, `date`,
//! `timestamp`, else `string`. A whole number with leading zeros or a plus sign is a string: it is a code or a
//! telephone number. Numbers are `double` also where all have the same scale, as AWS Glue has it; they are
//! `decimal(38,s)` only where a double would give other digits than were written: whole numbers beyond `bigint`, and
//! fractions of more digits than a double keeps. `s` is the largest scale seen; numbers that do not fit stay doubles
//! (fractions) or strings (whole numbers). `NaN` and infinities are numbers among numbers only. Blanks around a value
//! do not count, as for the readers; a value of blanks alone is a string.

use crate::lake::records::{parse_date, parse_timestamp};
use millrace_catalog::model::HiveType;

/// The digits of Hive's widest decimal.
const DECIMAL_DIGITS: usize = 38;

/// As many significant digits as every double keeps (`DBL_DIG` of IEEE 754's binary64).
const SAFE_DIGITS: usize = 15;

/// What is known of a column's values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a kind of value that was seen")]
pub(crate) struct Evidence {
    texts: bool,
    booleans: bool,
    dates: bool,
    timestamps: bool,
    /// `NaN`, `Infinity`
    not_finite: bool,
    numbers: Option<Numbers>,
}

/// What the numbers seen need.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a need of its own")]
struct Numbers {
    /// The most digits before the point.
    whole_digits: usize,
    /// The most digits behind it.
    scale: usize,
    /// One has a point or an exponent.
    fractions: bool,
    exponents: bool,
    beyond_bigint: bool,
    /// A double would not give the digits back.
    inexact: bool,
}

impl Evidence {
    /// The evidence of one value.
    pub(crate) fn of(text: &str) -> Self {
        let mut evidence = Self::default();
        evidence.see(text);
        evidence
    }

    /// Takes a value into account; an empty one says nothing.
    pub(crate) fn see(&mut self, text: &str) {
        if text.is_empty() || self.texts {
            return;
        }
        let text = text.trim_ascii();
        match text.as_bytes().first() {
            Some(b'0'..=b'9' | b'-' | b'.') => self.see_digits(text),
            Some(b't' | b'T' | b'f' | b'F') if is_any(text, &["true", "false"]) => self.booleans = true,
            Some(b'n' | b'N' | b'i' | b'I') if is_any(text, &["nan", "inf", "infinity"]) => self.not_finite = true,
            _ => self.texts = true,
        }
    }

    /// Takes a value into account that is a string however it looks.
    pub(crate) fn see_string(&mut self) {
        self.texts = true;
    }

    /// The type; `None` when no value was seen.
    pub(crate) fn hive_type(&self) -> Option<HiveType> {
        let numbers = self.numbers.is_some() || self.not_finite;
        let moments = self.dates || self.timestamps;
        match (self.texts, self.booleans, moments, numbers) {
            (false, false, false, false) => None,
            (false, true, false, false) => Some(HiveType::Boolean),
            (false, false, true, false) => Some(if self.timestamps { HiveType::Timestamp } else { HiveType::Date }),
            (false, false, false, true) => Some(match self.numbers {
                Some(numbers) if self.not_finite => Numbers { fractions: true, inexact: false, ..numbers }.hive_type(),
                Some(numbers) => numbers.hive_type(),
                None => HiveType::String,
            }),
            _ => Some(HiveType::String),
        }
    }

    /// Whether values were seen and need a string.
    pub(crate) fn is_string(&self) -> bool {
        self.hive_type() == Some(HiveType::String)
    }

    fn see_digits(&mut self, text: &str) {
        if let Some(number) = Number::parse(text) {
            match number.needs() {
                Some(needs) => self.numbers = Some(self.numbers.unwrap_or_default().and(needs)),
                None => self.texts = true,
            }
        } else if text.len() == 10 && parse_date(text).is_some() {
            self.dates = true;
        } else if text.len() > 10 && parse_timestamp(text).is_some() {
            self.timestamps = true;
        } else if is_any(text, &["-inf", "-infinity"]) {
            self.not_finite = true;
        } else {
            self.texts = true;
        }
    }
}

fn is_any(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| text.eq_ignore_ascii_case(word))
}

impl Numbers {
    fn and(self, other: Self) -> Self {
        Self {
            whole_digits: self.whole_digits.max(other.whole_digits),
            scale: self.scale.max(other.scale),
            fractions: self.fractions || other.fractions,
            exponents: self.exponents || other.exponents,
            beyond_bigint: self.beyond_bigint || other.beyond_bigint,
            inexact: self.inexact || other.inexact,
        }
    }

    fn hive_type(self) -> HiveType {
        let fits = !self.exponents && self.whole_digits + self.scale <= DECIMAL_DIGITS;
        match self {
            Self { fractions: false, beyond_bigint: false, .. } => HiveType::BigInt,
            Self { inexact: true, scale, .. } if fits => HiveType::Decimal(DECIMAL_DIGITS as u8, scale as i8),
            Self { fractions: true, .. } => HiveType::Double,
            // All digits of a long whole number count: a double with zeros at its end is no better than others.
            Self { scale, .. } if fits => HiveType::Decimal(DECIMAL_DIGITS as u8, scale as i8),
            Self { .. } => HiveType::String,
        }
    }
}

/// A decimal number, taken apart.
struct Number<'a> {
    text: &'a str,
    whole: &'a str,
    fraction: Option<&'a str>,
    exponent: bool,
}

impl<'a> Number<'a> {
    /// `-12`, `.5`, `1.`, `1e-3`; no plus sign.
    fn parse(text: &'a str) -> Option<Self> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, Some(exponent)),
            None => (digits, None),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (mantissa, None),
        };
        let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let any = !whole.is_empty() || fraction.is_some_and(|fraction| !fraction.is_empty());
        let power = exponent.map(|exponent| exponent.strip_prefix(['-', '+']).unwrap_or(exponent));
        let power_fits = power.is_none_or(|power| !power.is_empty() && all_digits(power));
        let number = any && all_digits(whole) && fraction.is_none_or(all_digits) && power_fits;
        number.then_some(Self { text, whole, fraction, exponent: exponent.is_some() })
    }

    /// What the number needs of its column; `None` for one that is rather a text.
    fn needs(&self) -> Option<Numbers> {
        let fraction = self.fraction.unwrap_or_default();
        if self.whole.len() > 1 && self.whole.starts_with('0') {
            return None;
        }
        let value: f64 = self.text.parse().ok().filter(|value: &f64| value.is_finite())?;
        let fractions = self.fraction.is_some() || self.exponent;
        Some(Numbers {
            whole_digits: self.whole.len(),
            scale: fraction.len(),
            fractions,
            exponents: self.exponent,
            beyond_bigint: !fractions && self.text.parse::<i64>().is_err(),
            inexact: !self.is_kept_by(value),
        })
    }

    /// Whether a double gives the digits back when it is printed with as many. Doubles that other programs wrote in
    /// full (17 digits) do.
    fn is_kept_by(&self, value: f64) -> bool {
        let digits = self.whole.chars().chain(self.fraction.unwrap_or_default().chars());
        let digits: String = digits.skip_while(|digit| *digit == '0').collect();
        let significant = digits.trim_end_matches('0');
        if significant.len() <= SAFE_DIGITS {
            return true;
        }
        let printed = format!("{:.*e}", significant.len() - 1, value.abs());
        printed.bytes().take_while(|byte| *byte != b'e').filter(u8::is_ascii_digit).eq(significant.bytes())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_narrowest_type_of_all_values() {
        for (values, expected) in [
            (&["", ""][..], "none"),
            (&["true", "FALSE", ""], "boolean"),
            (&["t", "true"], "string"),
            (&["1", "-9223372036854775808", "0"], "bigint"),
            (&[" 42 ", "7"], "bigint"),
            (&["1", "  "], "string"),
            (&["1", "true"], "string"),
            (&["1", "2.5", ".5", "5.", "-1e3"], "double"),
            (&["1.50", "2.25", "3.00"], "double"),
            (&["1", "NaN"], "double"),
            (&["-inf", "1.5"], "double"),
            (&["nan", "inf"], "string"),
            (&["1e400"], "string"),
            (&["e5"], "string"),
            (&["-"], "string"),
            (&["."], "string"),
            (&["1.2.3.4"], "string"),
            (&["01234", "5"], "string"),
            (&["00"], "string"),
            (&["-01"], "string"),
            (&["00.5"], "string"),
            (&["0.5", "0", "-0.25"], "double"),
            (&["+49123"], "string"),
            (&["1,5"], "string"),
            (&["12%"], "string"),
            (&["2024-02-29", "1969-12-31"], "date"),
            (&["2023-02-29"], "string"),
            (&["2024-1-5"], "string"),
            (&["20240105"], "bigint"),
            (&["01/02/2024"], "string"),
            (&["2024-02-29 01:02:03", "2024-02-29T01:02:03.5Z"], "timestamp"),
            (&["2024-02-29", "2024-02-29 01:02:03"], "timestamp"),
            (&["2024-02-29 01:02:03+01:00"], "timestamp"),
            (&["2024-02-29", "1"], "string"),
            (&["12:30:00"], "string"),
        ] {
            let mut evidence = Evidence::default();
            for value in values {
                evidence.see(value);
            }
            let found = evidence.hive_type().map_or("none".to_owned(), |found| found.to_string());
            assert_eq!(found, expected, "{values:?}");
        }
    }

    /// What a double keeps is IEEE 754's: 0.1 prints as 0.10000000000000001 with 17 digits, 2^53 + 1 is no double.
    #[test]
    fn decimals_where_a_double_loses_digits() {
        for (values, expected) in [
            (&["9223372036854775808"][..], "decimal(38,0)"),
            (&["10000000000000000000"], "decimal(38,0)"),
            (&["99999999999999999999999999999999999999"], "decimal(38,0)"),
            (&["100000000000000000000000000000000000000"], "string"),
            (&["12345678901234567.89"], "decimal(38,2)"),
            (&["0.123456789012345678", "12"], "decimal(38,18)"),
            (&["9007199254740993", "0.5"], "decimal(38,1)"),
            (&["9007199254740992", "0.5"], "double"),
            (&["12.658579999999999", "0.30000000000000004"], "double"),
            (&["0.10000000000000001"], "double"),
            (&["0.1000000000000000055511151231257827"], "double"),
            (&["0.1000000000000000000000000000000001"], "decimal(38,34)"),
            (&["0.1234567890123456789012345678901234567891"], "double"),
            (&["0.123456789012345678", "1e-7"], "double"),
            (&["0.123456789012345678", "NaN"], "double"),
        ] {
            let mut evidence = Evidence::default();
            for value in values {
                evidence.see(value);
            }
            assert_eq!(evidence.hive_type().unwrap().to_string(), expected, "{values:?}");
        }
    }
}
