//! Values in PostgreSQL's text format.

use super::column::{Column, Values};
use super::{float, time};
use bytes::{BufMut, BytesMut};
use chrono_tz::Tz;

/// Writes a value that is not NULL.
pub(super) fn put(column: &Column, row: usize, zone: Tz, out: &mut BytesMut) {
    match &column.values {
        Values::Null => {}
        Values::Bool(array) => out.put_u8(if array.value(row) { b't' } else { b'f' }),
        Values::I16(array) => put_integer(array.value(row), out),
        Values::I32(array) => put_integer(array.value(row), out),
        Values::I64(array) => put_integer(array.value(row), out),
        Values::F32(array) => float::put_f32(array.value(row), out),
        Values::F64(array) => float::put_f64(array.value(row), out),
        Values::Decimal(array, scale) => put_decimal(array.value(row), *scale, out),
        Values::Text(array) => out.put_slice(array.value(row).as_bytes()),
        Values::TextView(array) => out.put_slice(array.value(row).as_bytes()),
        Values::Bytes(array) => put_bytes(array.value(row), out),
        Values::BytesView(array) => put_bytes(array.value(row), out),
        Values::Hex(array) => put_hex(array.value(row), out),
        Values::Date(array) => time::put_date(array.value(row), out),
        Values::Time(array) => time::put_time(array.value(row), out),
        Values::TimeTz(array) => {
            time::put_time(array.value(row), out);
            out.put_slice(b"+00");
        }
        Values::Timestamp(array) => time::put_timestamp(array.value(row), None, out),
        Values::TimestampTz(array) => time::put_timestamp(array.value(row), Some(zone), out),
        Values::Interval(array) => {
            let value = array.value(row);
            time::put_interval(value.months, value.days, value.nanoseconds, out);
        }
        Values::Months(array) => time::put_interval(array.value(row), 0, 0, out),
        Values::Micros(array) => time::put_span(array.value(row), out),
        Values::List(list, elements, _) => {
            let offsets = list.value_offsets();
            put_array(elements, offsets[row] as usize..offsets[row + 1] as usize, zone, out);
        }
    }
}

fn put_integer(value: impl itoa::Integer, out: &mut BytesMut) {
    out.put_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// A decimal with all digits of its scale.
pub(super) fn put_decimal(value: i128, scale: i8, out: &mut BytesMut) {
    let mut digits = itoa::Buffer::new();
    let digits = match u64::try_from(value.unsigned_abs()) {
        Ok(magnitude) => digits.format(magnitude),
        Err(_) => digits.format(value.unsigned_abs()),
    };
    let digits = digits.as_bytes();
    if value < 0 {
        out.put_u8(b'-');
    }
    if scale <= 0 {
        out.put_slice(digits);
        if value != 0 {
            out.put_bytes(b'0', usize::from(scale.unsigned_abs()));
        }
        return;
    }
    let scale = usize::from(scale.unsigned_abs());
    match digits.len().checked_sub(scale) {
        Some(whole) if whole > 0 => {
            out.put_slice(&digits[..whole]);
            out.put_u8(b'.');
            out.put_slice(&digits[whole..]);
        }
        _ => {
            out.put_slice(b"0.");
            out.put_bytes(b'0', scale - digits.len());
            out.put_slice(digits);
        }
    }
}

/// `\x` and two digits a byte.
fn put_bytes(bytes: &[u8], out: &mut BytesMut) {
    out.put_slice(b"\\x");
    put_hex(bytes, out);
}

/// Two digits a byte.
fn put_hex(bytes: &[u8], out: &mut BytesMut) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.reserve(bytes.len() * 2);
    for byte in bytes {
        out.put_u8(DIGITS[usize::from(byte >> 4)]);
        out.put_u8(DIGITS[usize::from(byte & 15)]);
    }
}

/// `{1,"a b",NULL}`
fn put_array(elements: &Column, range: std::ops::Range<usize>, zone: Tz, out: &mut BytesMut) {
    out.put_u8(b'{');
    let first = range.start;
    for at in range {
        if at > first {
            out.put_u8(b',');
        }
        if elements.is_null(at) {
            out.put_slice(b"NULL");
            continue;
        }
        let start = out.len();
        put(elements, at, zone, out);
        if needs_quotes(&out[start..]) && !matches!(elements.values, Values::List(..)) {
            quote(start, out);
        }
    }
    out.put_u8(b'}');
}

fn needs_quotes(text: &[u8]) -> bool {
    text.is_empty()
        || text.eq_ignore_ascii_case(b"null")
        || text.iter().any(|b| matches!(b, b'{' | b'}' | b',' | b'"' | b'\\') || b.is_ascii_whitespace())
}

/// An array's element, between quotes where it needs them.
pub(super) fn put_element(text: &[u8], out: &mut BytesMut) {
    let start = out.len();
    out.put_slice(text);
    if needs_quotes(text) {
        quote(start, out);
    }
}

/// Puts what was written from `start` on between quotes.
fn quote(start: usize, out: &mut BytesMut) {
    let written = out.split_off(start);
    out.put_u8(b'"');
    for byte in &written {
        if matches!(byte, b'"' | b'\\') {
            out.put_u8(b'\\');
        }
        out.put_u8(*byte);
    }
    out.put_u8(b'"');
}
