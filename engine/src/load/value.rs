//! A field's text as a value of its column's type, or why it is none: codes and reasons of Redshift's load errors.

use super::errors::Problem;
use super::fields::Field;
use super::pattern::{self, Moments};
use crate::error::{Error, ErrorKind, Result};
use crate::interval::{self, Qualifier};
use crate::lake::json;
use crate::sql::CopyOptions;
use crate::tables::{HllSketch, SqlType};
use crate::zone::Zone;
use datafusion::arrow::datatypes::MAX_DECIMAL128_FOR_EACH_PRECISION;
use std::borrow::Cow;

/// A value of a row before it goes into its column.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    Null,
    Boolean(bool),
    /// Whole numbers, days, microseconds.
    Integer(i64),
    Decimal(i128),
    Float(f64),
    Text(Cow<'a, str>),
    Bytes(Vec<u8>),
}

/// How fields become values.
#[derive(Debug, Clone)]
pub(super) struct Conversion {
    options: CopyOptions,
    dates: Moments,
    moments: Moments,
    /// Fields of fixed width: what stands for NULL may have blanks behind it.
    fixed: bool,
    /// PostgreSQL's rules: an empty field is a value, and for most types none.
    stream: bool,
    /// Texts of JSON, in which only what was said stands for NULL.
    json: bool,
    /// The zone of moments and times with a zone whose texts name none.
    zone: Zone,
}

impl Conversion {
    /// What COPY's options say.
    ///
    /// # Errors
    /// `InvalidParameter` for a DATEFORMAT or TIMEFORMAT that is none.
    pub(super) fn new(options: &CopyOptions, fixed: bool, stream: bool, json: bool) -> Result<Self> {
        let moments = |text: &Option<String>| {
            Moments::parse(text.as_deref()).map_err(|message| Error::new(ErrorKind::InvalidParameter, message))
        };
        let (dates, times) = (moments(&options.date_format)?, moments(&options.time_format)?);
        Ok(Self { options: options.clone(), dates, moments: times, fixed, stream, json, zone: Zone::UTC })
    }

    /// The same for a zone that is not UTC.
    pub(super) fn in_zone(self, zone: Zone) -> Self {
        Self { zone, ..self }
    }

    /// The value of a field.
    pub(super) fn value<'a>(&self, field: Field<'a>, data_type: SqlType) -> std::result::Result<Value<'a>, Problem> {
        if self.is_null(&field) {
            return Ok(Value::Null);
        }
        match data_type {
            SqlType::Char(length) => self.text(field, length, true),
            SqlType::Varchar(length) => self.text(field, length, false),
            SqlType::Super => self.document(field),
            SqlType::HllSketch => self.sketch(field),
            other => self.other(&field, other),
        }
    }

    /// Whether a text that fits its column goes in as it is.
    pub(super) fn keeps_texts(&self) -> bool {
        let options = &self.options;
        !(options.empty_as_null || options.blanks_as_null || options.trim_blanks)
    }

    /// Whether `YYYY-MM-DD` is a date.
    pub(super) fn has_plain_dates(&self) -> bool {
        self.dates.has_standard()
    }

    /// Whether `YYYY-MM-DD HH:MI:SS` is a moment of UTC.
    pub(super) fn has_plain_moments(&self, data_type: SqlType) -> bool {
        self.moments.has_standard() && (data_type == SqlType::Timestamp || self.zone.is_utc())
    }

    /// Whether a field is what stands for NULL.
    pub(super) fn is_null(&self, field: &Field<'_>) -> bool {
        self.may_be_null(field.quoted) && self.stands_for_null(&field.bytes)
    }

    /// Whether a field's text may make it NULL.
    pub(super) fn may_be_null(&self, quoted: bool) -> bool {
        if self.json { self.options.null_said } else { !quoted }
    }

    /// Whether a text is what stands for NULL, where it may.
    pub(super) fn stands_for_null(&self, bytes: &[u8]) -> bool {
        let null = self.options.null_as.as_slice();
        // Most texts differ in their first byte.
        (bytes.first() == null.first() && bytes == null)
            || (self.fixed && bytes.strip_prefix(null).is_some_and(|rest| rest.iter().all(|byte| *byte == b' ')))
    }

    fn text<'a>(&self, field: Field<'a>, length: u32, char: bool) -> std::result::Result<Value<'a>, Problem> {
        let blank = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_whitespace);
        let bytes = &field.bytes;
        if (bytes.is_empty() && self.options.empty_as_null)
            || (!bytes.is_empty() && self.options.blanks_as_null && blank(bytes))
        {
            return Ok(Value::Null);
        }
        if char && let Some(at) = bytes.iter().position(|byte| !byte.is_ascii()) {
            let invalid = shown_hex(&bytes[at..], 4);
            let reason = format!(
                "Multibyte character not supported for CHAR (Hint: Try using VARCHAR). Invalid char: {invalid}"
            );
            return Err(Problem::new(1220, reason));
        }
        let mut text = Self::utf8(field.bytes, self.options.accept_invalid_chars)?;
        if self.options.trim_blanks && !char {
            cut(&mut text, |text| text.trim_end_matches(' ').len());
        }
        let length = length as usize;
        if text.len() > length && char {
            // Blanks at the end of a CHAR mean nothing.
            cut(&mut text, |text| text.trim_end_matches(' ').len().max(length));
        }
        if text.len() > length {
            if !self.options.truncate_columns {
                return Err(Problem::new(1204, "String length exceeds DDL length"));
            }
            cut(&mut text, |text| text.floor_char_boundary(length));
        }
        Ok(Value::Text(text))
    }

    /// Bytes as text; what is no UTF-8 is replaced, byte by byte, or an error.
    fn utf8(bytes: Cow<'_, [u8]>, replacement: Option<u8>) -> std::result::Result<Cow<'_, str>, Problem> {
        let error = match &bytes {
            Cow::Borrowed(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => return Ok(Cow::Borrowed(text)),
                Err(error) => error,
            },
            Cow::Owned(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => return Ok(Cow::Owned(text.to_owned())),
                Err(error) => error,
            },
        };
        if let Some(replacement) = replacement {
            let mut text = String::with_capacity(bytes.len());
            for chunk in bytes.utf8_chunks() {
                text.push_str(chunk.valid());
                text.extend(std::iter::repeat_n(char::from(replacement), chunk.invalid().len()));
            }
            return Ok(Cow::Owned(text));
        }
        let bad = &bytes[error.valid_up_to()..];
        let kind = match (error.error_len(), bad.first().copied().unwrap_or_default()) {
            (None, _) => 2,
            (_, 0xf8..=0xfd) => 1,
            (_, 0x80..=0xc1 | 0xfe | 0xff) => 3,
            _ => 4,
        };
        let shown = shown_hex(bad, error.error_len().unwrap_or(bad.len()));
        let reason = format!(
            "String contains invalid or unsupported UTF8 codepoints. Bad UTF8 hex sequence: {shown} (error {kind})"
        );
        Err(Problem::new(1220, reason))
    }

    /// A SUPER: JSON text in its normal form. A string among JSON's values is itself, whatever it holds.
    fn document<'a>(&self, field: Field<'a>) -> std::result::Result<Value<'a>, Problem> {
        let string = self.json && field.quoted;
        if field.bytes.is_empty() && !self.stream && !string {
            return Ok(Value::Null);
        }
        let text = Self::utf8(field.bytes, None)?;
        if string {
            return Ok(Value::Text(json::quoted(&text).into()));
        }
        let normal = match &text {
            Cow::Borrowed(text) => json::normal(text),
            Cow::Owned(text) => json::normal(text).map(|normal| Cow::Owned(normal.into_owned())),
        };
        normal.map(Value::Text).ok_or_else(|| Problem::new(1224, "Invalid JSON for a column of type SUPER"))
    }

    /// A sketch in its normal form.
    fn sketch<'a>(&self, field: Field<'a>) -> std::result::Result<Value<'a>, Problem> {
        if field.bytes.is_empty() && !self.stream {
            return Ok(Value::Null);
        }
        let text = Self::utf8(field.bytes, None)?;
        match HllSketch::parse(&text) {
            Ok(sketch) => Ok(Value::Text(sketch.to_string().into())),
            Err(reason) => Err(Problem::new(1207, format!("Invalid HLLSKETCH: {reason}"))),
        }
    }

    /// Types whose empty fields are NULL.
    fn other(&self, field: &Field<'_>, data_type: SqlType) -> std::result::Result<Value<'static>, Problem> {
        let bytes = field.bytes.as_ref();
        let trimmed = bytes.trim_ascii();
        if self.stream && trimmed.is_empty() && !matches!(data_type, SqlType::VarByte(_)) {
            return Err(Problem::new(1216, "empty text"));
        }
        // Blank fields are NULL with or without BLANKSASNULL, which is of texts; but bytes may be none, as texts may.
        let none = bytes.is_empty() && matches!(data_type, SqlType::VarByte(_)) && !self.options.empty_as_null;
        if trimmed.is_empty() && !self.stream && !none {
            return Ok(Value::Null);
        }
        let text = || std::str::from_utf8(trimmed).map_err(|_| digit(1207, bytes, "Character"));
        match data_type {
            SqlType::SmallInt => integer(bytes, i64::from(i16::MIN), i64::from(i16::MAX), "Short"),
            SqlType::Integer => integer(bytes, i64::from(i32::MIN), i64::from(i32::MAX), "Integer"),
            SqlType::BigInt => integer(bytes, i64::MIN, i64::MAX, "Long"),
            SqlType::Numeric(precision, scale) => {
                decimal(bytes, precision, scale, self.options.round_decimals).map(Value::Decimal)
            }
            SqlType::Real | SqlType::Double => {
                let name = if data_type == SqlType::Real { "Float" } else { "Double" };
                let number: f64 = text()?.parse().map_err(|_| digit(1208, bytes, name))?;
                let finite_text = trimmed.iter().any(u8::is_ascii_digit);
                // The nearest value that a REAL has may be a little less than the text's.
                let kept = if data_type == SqlType::Real { f64::from(number as f32) } else { number };
                if finite_text && kept.is_infinite() {
                    return Err(Problem::new(1204, format!("Overflow, Value '{}', Type: {name}", text()?)));
                }
                Ok(Value::Float(number))
            }
            SqlType::Boolean => match text()?.to_ascii_lowercase().as_str() {
                "t" | "true" | "y" | "yes" | "1" | "on" => Ok(Value::Boolean(true)),
                "f" | "false" | "n" | "no" | "0" | "off" => Ok(Value::Boolean(false)),
                _ => Err(Problem::new(1210, "Unknown boolean format")),
            },
            SqlType::Date => match self.dates.date(text().unwrap_or("")) {
                Ok(days) => Ok(Value::Integer(days.into())),
                Err(_) if self.options.accept_any_date => Ok(Value::Null),
                Err(problem) => Err(problem),
            },
            SqlType::Timestamp => self.moment(self.moments.timestamp(text().unwrap_or(""))),
            SqlType::TimestampTz => self.moment(self.moments.zoned_timestamp(text().unwrap_or(""), self.zone)),
            SqlType::Time | SqlType::TimeTz => {
                let text = text().unwrap_or("");
                let time = match data_type {
                    SqlType::Time => pattern::time_of_day(text),
                    _ => pattern::zoned_time_of_day(text, self.zone).ok(),
                };
                time.map(Value::Integer).ok_or_else(|| Problem::new(1206, "Invalid time format or value"))
            }
            SqlType::Interval(qualifier) => interval(text().unwrap_or(""), qualifier),
            SqlType::VarByte(length) => {
                let digits = trimmed.strip_prefix(b"\\x").filter(|_| self.stream).unwrap_or(trimmed);
                let plain = hex::decode(digits).map_err(|_| digit(1207, bytes, "Varbyte"))?;
                if plain.len() > length as usize {
                    return Err(Problem::new(1204, "Value length exceeds DDL length"));
                }
                Ok(Value::Bytes(plain))
            }
            SqlType::Char(_) | SqlType::Varchar(_) | SqlType::Super | SqlType::HllSketch => {
                Err(Problem::new(1200, "Unknown parse error"))
            }
        }
    }

    /// A moment that was read, if it was one.
    fn moment(&self, micros: Option<i64>) -> std::result::Result<Value<'static>, Problem> {
        match micros {
            Some(micros) => Ok(Value::Integer(micros)),
            None if self.options.accept_any_date => Ok(Value::Null),
            None => Err(Problem::new(1206, "Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SS]")),
        }
    }
}

/// An interval as its column keeps it.
fn interval(text: &str, qualifier: Qualifier) -> std::result::Result<Value<'static>, Problem> {
    let read = interval::parse(text, qualifier).and_then(|parts| {
        Ok(if qualifier.is_months() { i64::from(parts.as_months(qualifier)?) } else { parts.as_micros(qualifier)? })
    });
    read.map(Value::Integer).map_err(|error| {
        let code = if error.kind == ErrorKind::InvalidDateTime { 1206 } else { 1204 };
        Problem::new(code, format!("Invalid interval format or value: {}", error.message))
    })
}

/// Keeps the first bytes of a text.
fn cut(text: &mut Cow<'_, str>, length: impl Fn(&str) -> usize) {
    let length = length(text);
    match text {
        Cow::Borrowed(text) => *text = &text[..length],
        Cow::Owned(text) => text.truncate(length),
    }
}

/// The first bytes in hexadecimal, each by itself.
fn shown_hex(bytes: &[u8], most: usize) -> String {
    bytes.iter().take(most).map(|byte| hex::encode([*byte])).collect::<Vec<_>>().join(" ")
}

/// `Invalid digit, Value 'x', Pos 0, Type: Integer`: the first byte that no number has there.
fn digit(code: u32, bytes: &[u8], type_name: &str) -> Problem {
    let number = |(at, byte): &(usize, &u8)| {
        !(byte.is_ascii_digit() || matches!(byte, b'.' | b' ') || (*at == 0 && matches!(byte, b'-' | b'+')))
    };
    let (at, byte) = bytes.iter().enumerate().find(number).unwrap_or((0, bytes.first().unwrap_or(&b' ')));
    problem_at(code, at, *byte, type_name)
}

fn problem_at(code: u32, at: usize, byte: u8, type_name: &str) -> Problem {
    Problem::new(code, format!("Invalid digit, Value '{}', Pos {at}, Type: {type_name}", char::from(byte)))
}

fn integer(bytes: &[u8], least: i64, most: i64, type_name: &str) -> std::result::Result<Value<'static>, Problem> {
    let lead = bytes.iter().take_while(|byte| **byte == b' ').count();
    let body = bytes[lead..].trim_ascii_end();
    let (negative, digits) = match body {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, body),
    };
    let offset = lead + body.len() - digits.len();
    if digits.is_empty() {
        let at = offset.min(bytes.len().saturating_sub(1));
        return Err(problem_at(1207, at, bytes.get(at).copied().unwrap_or(b' '), type_name));
    }
    // Counted downwards: the negative side holds one more.
    let mut value: i64 = 0;
    let overflow =
        || Problem::new(1222, format!("Overflow, Value '{}', Type: {type_name}", String::from_utf8_lossy(body)));
    for (at, byte) in digits.iter().enumerate() {
        if !byte.is_ascii_digit() {
            return Err(problem_at(1207, offset + at, *byte, type_name));
        }
        let digit = i64::from(byte - b'0');
        value = value.checked_mul(10).and_then(|value| value.checked_sub(digit)).ok_or_else(overflow)?;
    }
    let value = if negative { value } else { value.checked_neg().ok_or_else(overflow)? };
    if (least..=most).contains(&value) { Ok(Value::Integer(value)) } else { Err(overflow()) }
}

/// A power of ten that a decimal may have.
fn power(exponent: usize) -> i128 {
    MAX_DECIMAL128_FOR_EACH_PRECISION[exponent] + 1
}

/// What [`decimal`] makes of a number of at most 18 digits and nothing else, as nearly all are: no arithmetic of 128 bits
/// for a digit. `None` for all others, bad ones too.
fn short_decimal(bytes: &[u8], precision: u8, scale: i8, round: bool) -> Option<i128> {
    let (negative, digits) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, bytes),
    };
    let (mut value, mut count, mut point) = (0_u64, 0_usize, None);
    if digits.len() > 19 {
        return None;
    }
    for byte in digits {
        match byte {
            b'0'..=b'9' => {
                value = value.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
                count += 1;
            }
            b'.' if point.is_none() => point = Some(count),
            _ => return None,
        }
    }
    let (have, scale) = (count - point.unwrap_or(count), usize::try_from(scale).ok()?);
    if count == 0 || count > 18 || count + scale > 36 {
        return None;
    }
    let value = if have <= scale {
        i128::from(value) * power(scale - have)
    } else {
        let unit = power(have - scale) as u64;
        let (kept, cut) = (value / unit, value % unit);
        i128::from(kept + u64::from(round && cut * 2 >= unit))
    };
    (value <= *MAX_DECIMAL128_FOR_EACH_PRECISION.get(usize::from(precision))?).then_some(if negative {
        -value
    } else {
        value
    })
}

/// A decimal number at a scale; digits behind the scale are cut, or with ROUNDEC rounded half away from zero.
fn decimal(bytes: &[u8], precision: u8, scale: i8, round: bool) -> std::result::Result<i128, Problem> {
    if let Some(value) = short_decimal(bytes, precision, scale, round) {
        return Ok(value);
    }
    let lead = bytes.iter().take_while(|byte| **byte == b' ').count();
    let body = bytes[lead..].trim_ascii_end();
    let overflow = || Problem::new(1204, format!("Overflow for NUMERIC({precision},{scale})"));
    let (mantissa, exponent) = match body.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        None => (body, 0_i64),
        Some(at) => {
            let exponent = std::str::from_utf8(&body[at + 1..]).ok().and_then(|text| text.parse::<i64>().ok());
            (&body[..at], exponent.ok_or_else(|| problem_at(1209, lead + at, body[at], "Decimal"))?)
        }
    };
    let (negative, digits) = match mantissa {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, mantissa),
    };
    let offset = lead + mantissa.len() - digits.len();
    // How many of the digits to come still stand before the last place that is kept.
    let point_at = digits.iter().position(|byte| *byte == b'.').unwrap_or(digits.len()) as i64;
    let mut keep = point_at.saturating_add(exponent).saturating_add(i64::from(scale));
    let (mut value, mut any, mut points, mut up) = (0_i128, false, 0, false);
    for (at, byte) in digits.iter().enumerate() {
        match byte {
            b'.' if points == 0 => points = 1,
            b'0'..=b'9' => {
                any = true;
                if keep > 0 {
                    value = value
                        .checked_mul(10)
                        .and_then(|v| v.checked_add(i128::from(byte - b'0')))
                        .ok_or_else(overflow)?;
                } else if keep == 0 {
                    up = *byte >= b'5';
                }
                keep -= 1;
            }
            other => return Err(problem_at(1209, offset + at, *other, "Decimal")),
        }
    }
    if !any {
        return Err(digit(1209, bytes, "Decimal"));
    }
    while keep > 0 && value != 0 {
        value = value.checked_mul(10).ok_or_else(overflow)?;
        keep -= 1;
    }
    value += i128::from(round && up);
    let most = 10_i128.checked_pow(u32::from(precision)).ok_or_else(overflow)?;
    if value < most { Ok(if negative { -value } else { value }) } else { Err(overflow()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn decimals_of_few_and_of_many_digits() {
        for (text, precision, scale, cut, rounded) in [
            ("0", 5, 2, Some(0), Some(0)),
            ("1.5", 5, 2, Some(150), Some(150)),
            ("-1.5", 5, 2, Some(-150), Some(-150)),
            ("+1.5", 5, 2, Some(150), Some(150)),
            (" 1.5 ", 5, 2, Some(150), Some(150)),
            ("1.005", 5, 2, Some(100), Some(101)),
            ("-1.005", 5, 2, Some(-100), Some(-101)),
            ("1.0049999", 5, 2, Some(100), Some(100)),
            (".5", 5, 2, Some(50), Some(50)),
            ("5.", 5, 2, Some(500), Some(500)),
            ("999.99", 5, 2, Some(99_999), Some(99_999)),
            ("999.999", 5, 2, Some(99_999), None),
            ("1000", 5, 2, None, None),
            ("1e2", 5, 2, Some(10_000), Some(10_000)),
            ("000000000000000000000000001", 5, 2, Some(100), Some(100)),
            ("123456789012345678", 18, 0, Some(123_456_789_012_345_678), Some(123_456_789_012_345_678)),
            ("1234567890123456789", 18, 0, None, None),
            ("0.123456789012345678901", 38, 20, Some(12_345_678_901_234_567_890), Some(12_345_678_901_234_567_890)),
            ("1", 38, 37, Some(10_i128.pow(37)), Some(10_i128.pow(37))),
            (".", 5, 2, None, None),
            ("", 5, 2, None, None),
            ("-", 5, 2, None, None),
            ("1.2.3", 5, 2, None, None),
        ] {
            let read = |round| decimal(text.as_bytes(), precision, scale, round).ok();
            assert_eq!((read(false), read(true)), (cut, rounded), "{text}");
        }
    }
}
