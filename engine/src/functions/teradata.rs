//! Texts as numbers in Teradata's way: `TEXT_TO_INT_ALT` and `TEXT_TO_NUMERIC_ALT` (Redshift: "Teradata-style formatting
//! characters for numeric data"). What the formats cannot have there is refused; the only currency is the US dollar.

use super::kernel::{Call, Gives, Kind, REDSHIFT, Scalar, scalar};
use super::rows::Last;
use crate::error::{Error, ErrorKind, Result};
use datafusion::arrow::array::ArrayRef;
use std::cmp::Ordering;

/// Numbers have fewer digits before the point.
const MOST_DIGITS: i32 = 64;

pub(super) const FUNCTIONS: &[Scalar] = &[
    scalar("text_to_int_alt", REDSHIFT, &[Kind::Text, Kind::Text], Gives::Int4, integers).optional(1).doc(
        "text_to_int_alt(text [, format])",
        "A text as an integer, its fraction cut, in Teradata's format.",
        &[
            ("text_to_int_alt('123-')", "-123"),
            ("text_to_int_alt('2147483647+')", "2147483647"),
            ("text_to_int_alt('-123E-2')", "-1"),
            ("text_to_int_alt('123{', '999S')", "1230"),
            ("text_to_int_alt('USD123', 'C9(I)')", "123"),
        ],
    ),
    scalar("$text_to_numeric_alt", REDSHIFT, &[Kind::Text, Kind::Int, Kind::Text], Gives::Text, decimals).optional(1),
];

/// A format, taken apart.
#[derive(Debug, PartialEq, Default)]
struct Format {
    whole: usize,
    /// `9(I)`
    any_whole: bool,
    fraction: usize,
    /// `9(F)`
    any_fraction: bool,
    /// Whether the fraction's digits follow without a point.
    implied: bool,
    /// Whether the last character is a digit and a sign.
    zoned: bool,
    currency: Option<&'static str>,
}

impl Format {
    fn parse(text: &str) -> Result<Self> {
        let wrong = || Error::new(ErrorKind::InvalidParameter, format!("invalid format: \"{text}\""));
        let mut made = Self::default();
        let (mut after_point, mut only_nines) = (false, false);
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            if made.zoned && !matches!(c, 'L' | 'C' | 'N') {
                return Err(wrong());
            }
            match c {
                '9' | 'Z' => {
                    if c == 'Z' && only_nines || made.is_closed(text) {
                        return Err(wrong());
                    }
                    only_nines |= c == '9';
                    let mut places = (1, false);
                    if let Some((inside, after)) = rest.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
                        rest = after;
                        places = repeated(inside, after_point).ok_or_else(wrong)?;
                    }
                    let (count, any) = if after_point {
                        (&mut made.fraction, &mut made.any_fraction)
                    } else {
                        (&mut made.whole, &mut made.any_whole)
                    };
                    *count += places.0;
                    *any |= places.1;
                }
                '.' | 'D' | 'V' if !after_point => {
                    after_point = true;
                    made.implied = c == 'V';
                }
                'S' if made.whole + made.fraction > 0 || made.any_whole || made.any_fraction => {
                    made.zoned = true;
                    *(if after_point { &mut made.fraction } else { &mut made.whole }) += 1;
                }
                'L' | 'C' | 'N' if made.currency.is_none() => {
                    made.currency = Some(match c {
                        'L' => "$",
                        'C' => "USD",
                        _ => "US Dollars",
                    });
                }
                _ => return Err(wrong()),
            }
        }
        let has_digits = made.whole + made.fraction > 0 || made.any_whole || made.any_fraction;
        let fits = !made.zoned || !text.contains(['.', 'D', 'E', 'F', 'Z']);
        if has_digits && fits { Ok(made) } else { Err(wrong()) }
    }

    /// Whether a currency ended the format: no digits stand behind one that did not begin it.
    fn is_closed(&self, text: &str) -> bool {
        self.currency.is_some() && !text.starts_with(['L', 'C', 'N'])
    }
}

/// What stands in parentheses behind a digit: how often it is repeated, and whether that is as often as needed.
fn repeated(text: &str, after_point: bool) -> Option<(usize, bool)> {
    match text {
        "I" if !after_point => Some((0, true)),
        "F" if after_point => Some((0, true)),
        _ => text.parse().ok().filter(|count| *count > 0).map(|count| (count, false)),
    }
}

/// A number by its digits and how many of them stand before the point, which may be less than none.
#[derive(Debug, PartialEq)]
struct Number {
    negative: bool,
    digits: Vec<u8>,
    point: i32,
}

impl Number {
    /// Reads a text; an empty one is 0. `None` for one that is no number, or does not fit the format.
    fn parse(text: &str, format: Option<&Format>) -> Option<Self> {
        let mut rest = text.trim();
        if rest.is_empty() {
            return Some(Self { negative: false, digits: Vec::new(), point: 0 });
        }
        let currency = format.and_then(|format| format.currency);
        if let Some(currency) = currency {
            let bare = rest.strip_prefix(currency).or_else(|| rest.strip_suffix(currency));
            rest = bare.unwrap_or(rest).trim();
        }
        let mut negative = false;
        let (mut signs, mut zone) = (0, None);
        if format.is_some_and(|format| format.zoned) {
            let last = rest.chars().next_back()?;
            let (digit, is_negative) = zoned(last)?;
            (negative, zone) = (is_negative, Some(digit));
            rest = &rest[..rest.len() - last.len_utf8()];
        } else {
            for (sign, is_negative) in [('-', true), ('+', false)] {
                if let Some(bare) = rest.strip_prefix(sign).or_else(|| rest.strip_suffix(sign)) {
                    (negative, rest, signs) = (is_negative, bare.trim(), signs + 1);
                }
            }
        }
        if signs > 1 {
            return None;
        }
        let (mantissa, exponent) = match rest.split_once(['E', 'e']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (rest, 0),
        };
        // These characters part digits, and are no part of the number.
        let bare: String = mantissa.chars().filter(|c| !matches!(c, '/' | ',' | ':' | '%' | '-')).collect();
        let (whole, fraction) = bare.split_once('.').unwrap_or((&bare, ""));
        let mut digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        digits.extend(zone);
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let mut point = i32::try_from(whole.len() + usize::from(zone.is_some() && fraction.is_empty())).ok()?;
        if let Some(format) = format {
            if format.implied && fraction.is_empty() {
                point -= i32::try_from(format.fraction).ok()?;
            }
            let zeros = digits.iter().take_while(|digit| **digit == b'0').count() as i32;
            let (before, behind) = ((point - zeros).max(0), (digits.len() as i32 - point).max(0));
            let fits_before = format.any_whole || before as usize <= format.whole;
            let fits_behind = format.any_fraction || behind as usize <= format.fraction;
            if !fits_before || !fits_behind {
                return None;
            }
        }
        Some(Self { negative, digits, point: point.checked_add(exponent)? })
    }

    /// The digits of the number times a power of ten, cut, or rounded with halves to even; `None` for too many.
    fn scaled(&self, scale: i32, rounds: bool) -> Option<Vec<u8>> {
        let zeros = self.digits.iter().take_while(|digit| **digit == b'0').count();
        if zeros == self.digits.len() {
            return Some(vec![b'0']);
        }
        let kept = self.point.checked_add(scale)?;
        if kept.checked_sub(zeros as i32)? > MOST_DIGITS {
            return None;
        }
        let kept = usize::try_from(kept).ok();
        let mut digits: Vec<u8> = self.digits.iter().copied().take(kept.unwrap_or_default()).collect();
        digits.resize(kept.unwrap_or_default(), b'0');
        let rest = kept.and_then(|kept| self.digits.get(kept..)).unwrap_or_default();
        let beyond = rest.iter().skip(1).any(|digit| *digit != b'0');
        let is_odd = digits.last().is_some_and(|digit| digit % 2 == 1);
        let up = rest.first().is_some_and(|first| match first.cmp(&b'5') {
            Ordering::Less => false,
            Ordering::Equal => beyond || is_odd,
            Ordering::Greater => true,
        });
        if rounds && up {
            match digits.iter().rposition(|digit| *digit < b'9') {
                Some(at) => {
                    digits[at] += 1;
                    digits[at + 1..].fill(b'0');
                }
                None => {
                    digits.fill(b'0');
                    digits.insert(0, b'1');
                }
            }
        }
        let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
        digits.drain(..zeros);
        if digits.is_empty() {
            digits.push(b'0');
        }
        Some(digits)
    }
}

/// The last character of a zoned number: its digit, and whether the number is negative.
fn zoned(last: char) -> Option<(u8, bool)> {
    let at = |first: char| u8::try_from(u32::from(last) - u32::from(first)).ok().map(|digit| b'1' + digit);
    Some(match last {
        '0'..='9' => (last as u8, false),
        '{' => (b'0', false),
        'A'..='I' => (at('A')?, false),
        '}' => (b'0', true),
        'J'..='R' => (at('J')?, true),
        _ => return None,
    })
}

fn no_number(text: &str, format: Option<&str>) -> Error {
    let in_format = format.map(|format| format!(" in the format \"{format}\"")).unwrap_or_default();
    Error::new(ErrorKind::InvalidText, format!("\"{text}\" is no number{in_format}"))
}

/// A row's number.
fn read(text: &str, format: Option<&str>, last: &mut Last<Format>) -> Result<Number> {
    let parsed = format.map(|format| last.of(format, Format::parse)).transpose()?;
    Number::parse(text, parsed).ok_or_else(|| no_number(text, format))
}

fn integers(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, mut last) = (call.text(0), Last::new());
    call.int4s(|row| {
        let text = texts.value(row);
        let number = read(text, call.has(1).then(|| call.text(1).value(row)), &mut last)?;
        let too_large =
            || Error::new(ErrorKind::NumericOverflow, format!("\"{text}\" is out of range for type integer"));
        let digits = number.scaled(0, false).ok_or_else(too_large)?;
        let size: i64 = String::from_utf8_lossy(&digits).parse().map_err(|_| too_large())?;
        i32::try_from(if number.negative { -size } else { size }).map(Some).map_err(|_| too_large())
    })
}

/// Numbers with so many digits behind the point, as texts.
fn decimals(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, scales, mut last) = (call.text(0), call.int(1), Last::new());
    call.texts(|row| {
        let text = texts.value(row);
        let number = read(text, call.has(2).then(|| call.text(2).value(row)), &mut last)?;
        let scale = usize::try_from(scales.value(row)).unwrap_or_default();
        let digits = number.scaled(scale as i32, true);
        let too_large =
            || Error::new(ErrorKind::NumericOverflow, format!("\"{text}\" is out of range for type numeric"));
        let digits = String::from_utf8_lossy(&digits.ok_or_else(too_large)?).into_owned();
        let digits = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        let sign = if number.negative { "-" } else { "" };
        Ok(Some(if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn cut(text: &str, format: Option<&str>) -> Option<String> {
        let format = format.map(|format| Format::parse(format).unwrap());
        let number = Number::parse(text, format.as_ref())?;
        let digits = String::from_utf8(number.scaled(2, true)?).unwrap();
        Some(if number.negative { format!("-{digits}") } else { digits })
    }

    // Redshift's pages of the functions and of the format's characters; hundredths.
    #[test]
    fn texts_are_read() {
        for (text, format, expected) in [
            ("123-", None, Some("-12300")),
            ("  ", None, Some("0")),
            ("-123E-2", None, Some("-123")),
            ("1,234.5", None, Some("123450")),
            ("1-2", None, Some("1200")),
            ("1 2", None, None),
            ("$5", None, None),
            ("$ 123E2", Some("L9(I)"), Some("1230000")),
            ("123E2 $", Some("9(I)L"), Some("1230000")),
            ("US Dollars 7", Some("N9"), Some("700")),
            ("123{", Some("999S"), Some("123000")),
            ("12C", Some("999S"), Some("12300")),
            ("12L", Some("999S"), Some("-12300")),
            ("12S", Some("999S"), None),
            ("1234", Some("99V99"), Some("1234")),
            ("1234", Some("999"), None),
            ("0123", Some("999"), Some("12300")),
            ("12.345", Some("ZZ9.9(F)"), Some("1234")),
            ("12.355", Some("99D9(F)"), Some("1236")),
            ("12.34", Some("99.9"), None),
        ] {
            assert_eq!(cut(text, format).as_deref(), expected, "{text} {format:?}");
        }
        for format in ["", "G999", "9Z", "9+", "S9", "99.9S", "99..9", "LL9", "9(x)", "9(F)", "E", "O9"] {
            assert_eq!(Format::parse(format).unwrap_err().sqlstate(), "22023", "{format}");
        }
    }

    // Redshift: TEXT_TO_NUMERIC_ALT.
    #[test]
    fn halves_are_rounded_to_even() {
        for (text, scale, expected) in [
            ("1.5", 0, "2"),
            ("2.5", 0, "2"),
            ("2.51", 0, "3"),
            ("123.52501", 2, "12353"),
            ("99.5", 0, "100"),
            ("0.5", 0, "0"),
        ] {
            let digits = Number::parse(text, None).unwrap().scaled(scale, true).unwrap();
            assert_eq!(String::from_utf8(digits).unwrap(), expected, "{text}");
        }
        assert_eq!(Number::parse("1E99", None).unwrap().scaled(0, true), None);
    }
}
