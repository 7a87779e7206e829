//! Single values as Hive writes them in text files and folder names.

use super::columns::{Column, Values};
use crate::error::{Error, ErrorKind, Result};
use crate::zone::{Zone, offset_text};
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, TimeDelta};
use std::fmt::{Display, LowerExp};
use std::io::Write;

/// Appends a value that is neither NULL nor nested, without quotes or escapes; binary is in Base64.
pub(super) fn write_scalar(column: &Column<'_>, row: usize, output: &mut Vec<u8>) -> Result<()> {
    match &column.values {
        Values::Boolean(values) => write(output, values.value(row)),
        Values::TinyInt(values) => write_integer(output, values.value(row)),
        Values::SmallInt(values) => write_integer(output, values.value(row)),
        Values::Int(values) => write_integer(output, values.value(row)),
        Values::BigInt(values) => write_integer(output, values.value(row)),
        Values::Float(values) => write_float(output, values.value(row), f64::from(values.value(row))),
        Values::Double(values) => write_float(output, values.value(row), values.value(row)),
        Values::Decimal(values) => match i64::try_from(values.value(row)) {
            Ok(value) if (1..=18).contains(&values.scale()) => write_decimal(output, value, values.scale() as u32),
            _ => write(output, values.value_as_string(row)),
        },
        Values::Text(values) => output.extend_from_slice(values.value(row).as_bytes()),
        Values::Document(values) => output.extend_from_slice(values.value(row).as_bytes()),
        Values::Binary(values) => write_base64(output, values.value(row)),
        Values::Date(values) => write_date(output, date(values.value(row))?),
        Values::Timestamp(values) => write_moment(output, values.value(row))?,
        Values::List { .. } | Values::Map { .. } | Values::Struct(_) => {
            return Err(Error::unsupported("writing a nested value here"));
        }
    }
    Ok(())
}

/// Appends a moment as clocks of a zone show it, and what that is from UTC: `2008-06-18 10:00:00-05`.
pub(super) fn write_zoned(utc_us: i64, zone: Zone, output: &mut Vec<u8>) -> Result<()> {
    let offset = zone.offset_at(utc_us).unwrap_or(0);
    write_moment(output, utc_us.saturating_add(offset))?;
    output.extend_from_slice(offset_text(offset).as_bytes());
    Ok(())
}

fn write_moment(output: &mut Vec<u8>, micros: i64) -> Result<()> {
    write(output, timestamp(micros)?.format("%Y-%m-%d %H:%M:%S%.f"));
    Ok(())
}

/// Binary as text, for formats that have no other way to write it.
pub(super) fn text_of(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| {
        Error::new(ErrorKind::Data, "a binary value that is not UTF-8 cannot be written in this format")
            .with_hint("Encode it, e.g. with to_base64, or use a table of another format such as PARQUET.")
    })
}

fn write(output: &mut Vec<u8>, value: impl Display) {
    // Writing to a Vec cannot fail.
    let _ = write!(output, "{value}");
}

fn write_integer(output: &mut Vec<u8>, value: impl itoa::Integer) {
    output.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// A decimal of so many places, from 1 to 18.
fn write_decimal(output: &mut Vec<u8>, value: i64, places: u32) {
    let (size, unit) = (value.unsigned_abs(), 10_u64.pow(places));
    if value < 0 {
        output.push(b'-');
    }
    write_integer(output, size / unit);
    output.push(b'.');
    let mut fraction = itoa::Buffer::new();
    let fraction = fraction.format(size % unit).as_bytes();
    output.extend(std::iter::repeat_n(b'0', places as usize - fraction.len()));
    output.extend_from_slice(fraction);
}

fn write_date(output: &mut Vec<u8>, date: NaiveDate) {
    let digit = |number: u32| b'0' + (number % 10) as u8;
    let Some(year) = u32::try_from(date.year()).ok().filter(|year| *year <= 9999) else {
        return write(output, date);
    };
    let (month, day) = (date.month(), date.day());
    output.extend_from_slice(&[
        digit(year / 1000),
        digit(year / 100),
        digit(year / 10),
        digit(year),
        b'-',
        digit(month / 10),
        digit(month),
        b'-',
        digit(day / 10),
        digit(day),
    ]);
}

fn date(days: i32) -> Result<NaiveDate> {
    TimeDelta::try_days(i64::from(days))
        .and_then(|delta| NaiveDate::default().checked_add_signed(delta))
        .ok_or_else(|| Error::new(ErrorKind::Data, format!("date out of range: {days} days from 1970-01-01")))
}

fn timestamp(micros: i64) -> Result<NaiveDateTime> {
    DateTime::from_timestamp_micros(micros).map(|moment| moment.naive_utc()).ok_or_else(|| {
        Error::new(ErrorKind::Data, format!("timestamp out of range: {micros} microseconds from 1970-01-01"))
    })
}

/// A floating-point number as Java's `Double.toString` writes it: `1.0`, `1.0E10`, `NaN`, `-Infinity`.
fn write_float<T: Display + LowerExp + std::fmt::Debug>(output: &mut Vec<u8>, value: T, double: f64) {
    let size = double.abs();
    if double.is_nan() {
        output.extend_from_slice(b"NaN");
    } else if double.is_infinite() {
        output.extend_from_slice(if double > 0.0 { b"Infinity" } else { b"-Infinity" });
    } else if size == 0.0 || (1e-3..1e7).contains(&size) {
        write(output, format_args!("{value:?}"));
    } else {
        let text = format!("{value:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let point = if digits.contains('.') { "" } else { ".0" };
        write(output, format_args!("{digits}{point}E{exponent}"));
    }
}

/// Two digits a byte.
pub(super) fn write_hex(bytes: &[u8], output: &mut Vec<u8>) {
    let begin = output.len();
    output.resize(begin + 2 * bytes.len(), 0);
    // It has just the room that it needs.
    let _ = hex::encode_to_slice(bytes, &mut output[begin..]);
}

/// Base64 with padding (RFC 4648), which Hive's text and JSON formats have for `binary`.
fn write_base64(output: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0_u32, |bits, &b| bits << 8 | u32::from(b)) << (8 * (3 - group.len()));
        for digit in 0..4 {
            let digit_bits = (bits >> (18 - 6 * digit)) & 63;
            output.push(if digit <= group.len() { DIGITS[digit_bits as usize] } else { b'=' });
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use arrow::array::{
        Array, ArrayRef, BinaryViewArray, Date32Array, Decimal128Array, Float32Array, Float64Array,
        TimestampMicrosecondArray,
    };
    use std::sync::Arc;

    fn texts(array: impl Array + 'static) -> Vec<String> {
        let array: ArrayRef = Arc::new(array);
        let column = Column::new(&array).unwrap();
        let text = |row| {
            let mut output = Vec::new();
            write_scalar(&column, row, &mut output).unwrap();
            String::from_utf8(output).unwrap()
        };
        (0..array.len()).map(text).collect()
    }

    /// What `Double.toString` and `Float.toString` document.
    #[test]
    fn floats_are_javas() {
        let doubles =
            [1.0, -0.0, 0.001, 0.000_999, 9_999_999.0, 1e7, 1.5e300, 123_456.789, f64::NAN, f64::INFINITY, f64::MIN];
        let expected = [
            "1.0",
            "-0.0",
            "0.001",
            "9.99E-4",
            "9999999.0",
            "1.0E7",
            "1.5E300",
            "123456.789",
            "NaN",
            "Infinity",
            "-1.7976931348623157E308",
        ];
        assert_eq!(texts(Float64Array::from(doubles.to_vec())), expected);
        assert_eq!(texts(Float32Array::from(vec![0.1, 3e10])), ["0.1", "3.0E10"]);
    }

    /// Base64: the test vectors of RFC 4648, section 10.
    #[test]
    fn other_types_are_hives() {
        let bytes: Vec<&[u8]> = vec![b"", b"f", b"fo", b"foo", b"foob", b"fooba", b"foobar"];
        let expected = ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"];
        assert_eq!(texts(BinaryViewArray::from_iter_values(bytes)), expected);
        assert_eq!(texts(Date32Array::from(vec![0, -1, 19_782])), ["1970-01-01", "1969-12-31", "2024-02-29"]);
        let moments = TimestampMicrosecondArray::from(vec![0, 1_500_000, -1]);
        let expected = ["1970-01-01 00:00:00", "1970-01-01 00:00:01.500", "1969-12-31 23:59:59.999999"];
        assert_eq!(texts(moments), expected);
        let shown = |zone: &str| {
            let mut output = Vec::new();
            write_zoned(1_500_000, Zone::of_name(zone).unwrap(), &mut output).unwrap();
            String::from_utf8(output).unwrap()
        };
        assert_eq!(shown("UTC"), "1970-01-01 00:00:01.500+00");
        assert_eq!(shown("America/New_York"), "1969-12-31 19:00:01.500-05");
        assert_eq!(shown("Asia/Kolkata"), "1970-01-01 05:30:01.500+05:30");
        let most = i128::from(i64::MAX);
        let decimals = Decimal128Array::from(vec![-5, 12_300, 0, most, most + 1, -most - 1]);
        let expected =
            ["-0.05", "123.00", "0.00", "92233720368547758.07", "92233720368547758.08", "-92233720368547758.08"];
        assert_eq!(texts(decimals.with_precision_and_scale(38, 2).unwrap()), expected);
        let years = Date32Array::from(vec![-719_162, -719_528, 2_932_896, 2_932_897]);
        assert_eq!(texts(years), ["0001-01-01", "0000-01-01", "9999-12-31", "+10000-01-01"]);
        let column: ArrayRef = Arc::new(Date32Array::from(vec![i32::MAX]));
        let error = write_scalar(&Column::new(&column).unwrap(), 0, &mut Vec::new()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Data);
    }
}
