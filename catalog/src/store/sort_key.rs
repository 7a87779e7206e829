//! Partition values as texts whose byte order is the order of the key's type.
//!
//! Equal values have equal texts (`01` and `1` of an int, `1.50` and `1.5` of a decimal), so that equality, lists and
//! ranges are index lookups in any database that compares texts by their bytes. A value's text starts with `v`; NULL
//! is `~`, after every value, as PostgreSQL sorts it. No text contains U+0000 or U+0001, so U+0001 can join the texts
//! of several keys into a name that sorts by the first key, then the second, and so on.

use super::number::Number;
use crate::error::{CatalogError, Result};
use crate::model::{Column, HiveType};
use std::fmt::Write;

/// The text of NULL.
pub(super) const NULL: &str = "~";
/// Below every value's text.
pub(super) const FIRST: &str = "v";
/// Above every value's text, below NULL's.
pub(super) const LAST: &str = "w";
/// Joins the texts of a partition's keys.
pub(super) const SEPARATOR: char = '\u{1}';

/// Whether the value is to be stored, or only compared with what is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The value must be one of the type.
    Store,
    /// A number may be one that the type cannot hold: every `tinyint` is below 300.
    Compare,
}

/// The text of a value. One that is not of the key's type is [`CatalogError::InvalidArgument`].
pub(super) fn encode_value(key: &Column, value: &str, purpose: Purpose) -> Result<String> {
    let mut text = String::with_capacity(value.len() + 8);
    text.push_str(FIRST);
    let valid = match &key.data_type {
        HiveType::Boolean => boolean(&mut text, value),
        HiveType::TinyInt => integer(&mut text, value, i64::from(i8::MIN)..=i64::from(i8::MAX), purpose),
        HiveType::SmallInt => integer(&mut text, value, i64::from(i16::MIN)..=i64::from(i16::MAX), purpose),
        HiveType::Int => integer(&mut text, value, i64::from(i32::MIN)..=i64::from(i32::MAX), purpose),
        HiveType::BigInt => integer(&mut text, value, i64::MIN..=i64::MAX, purpose),
        HiveType::Float => value.parse::<f32>().ok().map(|number| float(&mut text, f64::from(number))),
        HiveType::Double => value.parse::<f64>().ok().map(|number| float(&mut text, number)),
        HiveType::Decimal(precision, scale) => Number::parse(value)
            .filter(|number| purpose == Purpose::Compare || number.fits(*precision, *scale))
            .map(|number| number.encode(&mut text)),
        // Trailing blanks do not count in a char(n).
        HiveType::Char(_) => {
            escape(&mut text, value.trim_end_matches(' '));
            Some(())
        }
        HiveType::String | HiveType::Varchar(_) | HiveType::Binary => {
            escape(&mut text, value);
            Some(())
        }
        HiveType::Date => date(&mut text, value),
        HiveType::Timestamp => timestamp(&mut text, value),
        HiveType::Array(_) | HiveType::Map(..) | HiveType::Struct(_) | HiveType::Super => {
            return Err(CatalogError::InvalidArgument(format!(
                "partition key \"{}\" cannot be of type {}",
                key.name, key.data_type
            )));
        }
    };
    valid.map(|()| text).ok_or_else(|| {
        CatalogError::InvalidArgument(format!(
            "invalid value \"{value}\" for partition key \"{}\" of type {}",
            key.name, key.data_type
        ))
    })
}

/// The name that a partition is stored under: its values' texts, joined.
pub(super) fn encode_name(keys: &[Column], values: &[Option<String>]) -> Result<String> {
    if keys.len() != values.len() {
        return Err(CatalogError::InvalidArgument(format!(
            "a partition has {} values for {} partition keys",
            values.len(),
            keys.len()
        )));
    }
    let mut name = String::new();
    for (index, (key, value)) in keys.iter().zip(values).enumerate() {
        if index > 0 {
            name.push(SEPARATOR);
        }
        match value {
            None => name.push_str(NULL),
            Some(value) => name.push_str(&encode_value(key, value, Purpose::Store)?),
        }
    }
    Ok(name)
}

fn boolean(text: &mut String, value: &str) -> Option<()> {
    let value = match value.to_ascii_lowercase().as_str() {
        "true" | "t" | "1" => '1',
        "false" | "f" | "0" => '0',
        _ => return None,
    };
    text.push(value);
    Some(())
}

fn integer(text: &mut String, value: &str, range: std::ops::RangeInclusive<i64>, purpose: Purpose) -> Option<()> {
    if purpose == Purpose::Store && !value.parse().is_ok_and(|number: i64| range.contains(&number)) {
        return None;
    }
    Number::parse(value).map(|number| number.encode(text))
}

/// IEEE's bits compare as the numbers do once negative ones are inverted; NaN is above all, as in PostgreSQL.
fn float(text: &mut String, number: f64) {
    let bits = if number.is_nan() {
        f64::NAN.to_bits() & !(1 << 63)
    } else if number == 0.0 {
        0
    } else {
        number.to_bits()
    };
    let ordered = if bits >> 63 == 1 { !bits } else { bits | (1 << 63) };
    // Writing to a String cannot fail.
    let _ = write!(text, "{ordered:016x}");
}

/// Frees U+0000 and U+0001 without changing the order.
fn escape(text: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '\u{0}' => text.push_str("\u{2}\u{2}"),
            '\u{1}' => text.push_str("\u{2}\u{3}"),
            '\u{2}' => text.push_str("\u{2}\u{4}"),
            c => text.push(c),
        }
    }
}

/// `2024-01-31`; month and day may lack their leading zero, as Hive reads them.
fn date(text: &mut String, value: &str) -> Option<()> {
    let mut parts = value.split('-');
    let year = digits(parts.next()?, 4, 4)?;
    let month = digits(parts.next()?, 1, 2)?;
    let day = digits(parts.next()?, 1, 2)?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(leap),
        1..=12 => 31,
        _ => return None,
    };
    if parts.next().is_some() || !(1..=days).contains(&day) {
        return None;
    }
    write!(text, "{year:04}-{month:02}-{day:02}").ok()
}

/// A date, or `2024-01-31 23:59[:59[.999999999]]` with a blank or `T` between.
fn timestamp(text: &mut String, value: &str) -> Option<()> {
    let (day, time) = value.split_once([' ', 'T']).unwrap_or((value, "00:00:00"));
    date(text, day)?;
    let (clock, fraction) = match time.split_once('.') {
        Some((clock, fraction)) if (1..=9).contains(&fraction.len()) => (clock, fraction),
        Some(_) => return None,
        None => (time, ""),
    };
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut parts = clock.split(':');
    let hour = digits(parts.next()?, 1, 2).filter(|hour| *hour < 24)?;
    let minute = digits(parts.next()?, 1, 2).filter(|minute| *minute < 60)?;
    let second = parts.next().map_or(Some(0), |part| digits(part, 1, 2)).filter(|second| *second < 60)?;
    if parts.next().is_some() {
        return None;
    }
    write!(text, " {hour:02}:{minute:02}:{second:02}").ok()?;
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { Some(()) } else { write!(text, ".{fraction}").ok() }
}

fn digits(part: &str, least: usize, most: usize) -> Option<u32> {
    let valid = (least..=most).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    if valid { part.parse().ok() } else { None }
}

#[cfg(test)]
mod tests;
