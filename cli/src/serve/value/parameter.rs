//! Parameters as clients send them, back to texts that a cast of their type reads.
//!
//! Binary values have the sizes that their types say; anything else is refused with 22P03. A text must be UTF-8.

use super::binary::{EPOCH_DAYS, EPOCH_MICROS};
use super::{float, text, time, types};
use bytes::{Buf, BytesMut};
use chrono_tz::Tz;
use millrace_engine::{Error, ErrorKind, Result};

/// How values travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// As text.
    Text,
    /// In PostgreSQL's binary forms.
    Binary,
}

impl Format {
    /// A format by its number on the wire.
    ///
    /// # Errors
    /// `ProtocolViolation` for any but 0 and 1.
    pub(crate) fn of_code(code: i16) -> Result<Self> {
        match code {
            0 => Ok(Self::Text),
            1 => Ok(Self::Binary),
            _ => Err(Error::new(ErrorKind::ProtocolViolation, format!("unsupported format code: {code}"))),
        }
    }

    /// The format of each of `count` values: the codes may be none (all text), one for all, or one each.
    ///
    /// # Errors
    /// `ProtocolViolation` for another number of codes.
    pub(crate) fn spread(codes: &[i16], count: usize, what: &str) -> Result<Vec<Self>> {
        match codes {
            [] => Ok(vec![Self::Text; count]),
            [code] => Ok(vec![Self::of_code(*code)?; count]),
            codes if codes.len() == count => codes.iter().map(|code| Self::of_code(*code)).collect(),
            codes => {
                let message = format!("bind message has {} {what} formats but {count} {what}s", codes.len());
                Err(Error::new(ErrorKind::ProtocolViolation, message))
            }
        }
    }
}

/// A parameter's value as text.
///
/// # Errors
/// `InvalidBinary`, `InvalidEncoding`; `Unsupported` for the binary form of a type without one here.
pub(crate) fn parameter_text(oid: u32, format: Format, bytes: &[u8]) -> Result<String> {
    match format {
        Format::Text => utf8(bytes),
        Format::Binary => binary_text(oid, bytes),
    }
}

fn utf8(bytes: &[u8]) -> Result<String> {
    let text = std::str::from_utf8(bytes).map_err(|_| invalid_encoding())?;
    // PostgreSQL has no texts with zero bytes in them.
    if text.contains('\0') { Err(invalid_encoding()) } else { Ok(text.to_owned()) }
}

fn invalid_encoding() -> Error {
    Error::new(ErrorKind::InvalidEncoding, "invalid byte sequence for encoding \"UTF8\"")
}

fn invalid(what: &str) -> Error {
    Error::new(ErrorKind::InvalidBinary, format!("incorrect binary data format in bind parameter: {what}"))
}

fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N]> {
    bytes.try_into().map_err(|_| invalid(&format!("{N} bytes expected, {} came", bytes.len())))
}

fn written(write: impl FnOnce(&mut BytesMut)) -> Result<String> {
    let mut out = BytesMut::with_capacity(32);
    write(&mut out);
    String::from_utf8(out.to_vec()).map_err(|_| invalid_encoding())
}

fn binary_text(oid: u32, bytes: &[u8]) -> Result<String> {
    match oid {
        types::BOOL => match bytes {
            [0] => Ok("false".to_owned()),
            [1] => Ok("true".to_owned()),
            _ => Err(invalid("a boolean is one byte, 0 or 1")),
        },
        types::INT2 => Ok(i16::from_be_bytes(fixed(bytes)?).to_string()),
        types::INT4 => Ok(i32::from_be_bytes(fixed(bytes)?).to_string()),
        types::INT8 => Ok(i64::from_be_bytes(fixed(bytes)?).to_string()),
        types::OID | types::REGPROC | types::REGCLASS => Ok(u32::from_be_bytes(fixed(bytes)?).to_string()),
        types::FLOAT4 => {
            let value = f32::from_be_bytes(fixed(bytes)?);
            written(|out| float::put_f32(value, out))
        }
        types::FLOAT8 => {
            let value = f64::from_be_bytes(fixed(bytes)?);
            written(|out| float::put_f64(value, out))
        }
        types::NUMERIC => numeric(bytes),
        types::DATE => {
            let days = i32::from_be_bytes(fixed(bytes)?);
            let days = days.checked_add(EPOCH_DAYS).ok_or_else(|| invalid("a date out of range"))?;
            written(|out| time::put_date(days, out))
        }
        types::TIME => {
            let micros = i64::from_be_bytes(fixed(bytes)?);
            if !(0..=86_400_000_000).contains(&micros) {
                return Err(invalid("a time out of range"));
            }
            written(|out| time::put_time(micros, out))
        }
        types::TIMETZ => {
            let whole: [u8; 12] = fixed(bytes)?;
            let mut bytes = &whole[..];
            let (micros, west) = (bytes.get_i64(), i64::from(bytes.get_i32()));
            if !(0..=86_400_000_000).contains(&micros) || west.abs() >= 16 * 3_600 {
                return Err(invalid("a time out of range"));
            }
            // It is planned as the time of day in UTC.
            written(|out| time::put_time((micros + west * 1_000_000).rem_euclid(86_400_000_000), out))
        }
        types::TIMESTAMP | types::TIMESTAMPTZ => {
            let micros = i64::from_be_bytes(fixed(bytes)?);
            let micros = micros.checked_add(EPOCH_MICROS).ok_or_else(|| invalid("a timestamp out of range"))?;
            let zone = (oid == types::TIMESTAMPTZ).then_some(Tz::UTC);
            written(|out| time::put_timestamp(micros, zone, out))
        }
        types::INTERVAL => {
            let whole: [u8; 16] = fixed(bytes)?;
            let mut bytes = &whole[..];
            let (micros, days, months) = (bytes.get_i64(), bytes.get_i32(), bytes.get_i32());
            let nanos = micros.checked_mul(1_000).ok_or_else(|| invalid("an interval out of range"))?;
            written(|out| time::put_interval(months, days, nanos, out))
        }
        types::INTERVALY2M => {
            let months = i32::from_be_bytes(fixed(bytes)?);
            written(|out| time::put_interval(months, 0, 0, out))
        }
        types::INTERVALD2S => {
            let micros = i64::from_be_bytes(fixed(bytes)?);
            written(|out| time::put_span(micros, out))
        }
        types::BYTEA | types::VARBYTE => {
            Ok(bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
                for digit in [byte >> 4, byte & 15] {
                    text.extend(char::from_digit(u32::from(digit), 16));
                }
                text
            }))
        }
        types::TEXT
        | types::VARCHAR
        | types::BPCHAR
        | types::NAME
        | types::CHAR
        | types::UNKNOWN
        | types::SUPER
        | 0 => utf8(bytes),
        _ => match types::element_of(oid) {
            Some(_) => array(bytes),
            None => Err(Error::unsupported(format!("a binary parameter of the type with number {oid}"))),
        },
    }
}

/// `ndigits, weight, sign, scale`, then groups of four digits.
fn numeric(mut bytes: &[u8]) -> Result<String> {
    let short = || invalid("a numeric is too short");
    if bytes.len() < 8 {
        return Err(short());
    }
    let (count, weight, sign, scale) = (bytes.get_u16(), bytes.get_i16(), bytes.get_u16(), bytes.get_u16());
    match sign {
        0 | 0x4000 => {}
        0xC000 => return Ok("NaN".to_owned()),
        0xD000 => return Ok("Infinity".to_owned()),
        0xF000 => return Ok("-Infinity".to_owned()),
        _ => return Err(invalid("a numeric's sign")),
    }
    if bytes.len() != usize::from(count) * 2 || weight > 100 || scale > 1_000 {
        return Err(short());
    }
    let groups: Vec<u16> = std::iter::from_fn(|| (bytes.len() >= 2).then(|| bytes.get_u16())).collect();
    if groups.iter().any(|group| *group > 9_999) {
        return Err(invalid("a numeric's digits"));
    }
    let group = |position: i32| -> u16 {
        usize::try_from(i32::from(weight) - position).ok().and_then(|at| groups.get(at)).copied().unwrap_or(0)
    };
    let mut digits: String = (0..=i32::from(weight)).rev().map(|position| format!("{:04}", group(position))).collect();
    let leading = digits.len() - digits.trim_start_matches('0').len();
    digits.drain(..leading);
    if digits.is_empty() {
        digits.push('0');
    }
    if sign == 0x4000 {
        digits.insert(0, '-');
    }
    if scale > 0 {
        let scale = usize::from(scale);
        let fraction = (1..=scale.div_ceil(4) as i32).map(|at| format!("{:04}", group(-at))).collect::<String>();
        digits.push('.');
        digits.push_str(&fraction[..scale]);
    }
    Ok(digits)
}

/// A binary array of one dimension, as the text of one.
fn array(mut bytes: &[u8]) -> Result<String> {
    let short = || invalid("an array is too short");
    if bytes.len() < 12 {
        return Err(short());
    }
    let (dimensions, _, element) = (bytes.get_i32(), bytes.get_i32(), bytes.get_u32());
    if dimensions == 0 {
        return Ok("{}".to_owned());
    }
    if dimensions != 1 {
        return Err(Error::unsupported("an array of several dimensions as a parameter"));
    }
    if bytes.len() < 8 {
        return Err(short());
    }
    let (count, _) = (bytes.get_i32(), bytes.get_i32());
    let mut array = BytesMut::from(&b"{"[..]);
    for at in 0..count {
        if at > 0 {
            array.extend_from_slice(b",");
        }
        if bytes.len() < 4 {
            return Err(short());
        }
        let Ok(length) = usize::try_from(bytes.get_i32()) else {
            array.extend_from_slice(b"NULL");
            continue;
        };
        let (value, rest) = bytes.split_at_checked(length).ok_or_else(short)?;
        bytes = rest;
        text::put_element(binary_text(element, value)?.as_bytes(), &mut array);
    }
    array.extend_from_slice(b"}");
    String::from_utf8(array.to_vec()).map_err(|_| invalid_encoding())
}
