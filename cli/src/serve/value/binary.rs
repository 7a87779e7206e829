//! Values in PostgreSQL's binary format: network byte order, days and microseconds since 2000-01-01.

use super::column::{Column, Values};
use super::types;
use bytes::{BufMut, BytesMut};

/// Days from 1970-01-01 to 2000-01-01.
pub(super) const EPOCH_DAYS: i32 = 10_957;
const DAY_MICROS: i64 = 86_400_000_000;
/// Microseconds between them.
pub(super) const EPOCH_MICROS: i64 = 10_957 * 86_400_000_000;

/// Whether a type has in 32 bits what the catalog keeps in 64.
pub(super) fn is_narrow(oid: u32) -> bool {
    matches!(oid, types::OID | types::REGPROC | types::REGCLASS)
}

/// Writes a value that is not NULL as the type that was announced.
pub(super) fn put(column: &Column, row: usize, oid: u32, out: &mut BytesMut) {
    match &column.values {
        Values::Null => {}
        Values::Bool(array) => out.put_u8(u8::from(array.value(row))),
        Values::I16(array) => out.put_i16(array.value(row)),
        Values::I32(array) => out.put_i32(array.value(row)),
        Values::I64(array) if is_narrow(oid) => out.put_u32(array.value(row) as u32),
        Values::I64(array) => out.put_i64(array.value(row)),
        Values::F32(array) => out.put_f32(array.value(row)),
        Values::F64(array) => out.put_f64(array.value(row)),
        Values::Decimal(array, scale) => put_numeric(array.value(row), *scale, out),
        Values::Text(array) => put_text(array.value(row), oid, out),
        Values::TextView(array) => put_text(array.value(row), oid, out),
        Values::Bytes(array) | Values::Hex(array) => out.put_slice(array.value(row)),
        Values::BytesView(array) => out.put_slice(array.value(row)),
        Values::Date(array) => out.put_i32(array.value(row).saturating_sub(EPOCH_DAYS)),
        Values::Time(array) => out.put_i64(array.value(row)),
        Values::TimeTz(array) => {
            out.put_i64(array.value(row));
            // Seconds west of UTC.
            out.put_i32(0);
        }
        Values::Timestamp(array) | Values::TimestampTz(array) => {
            out.put_i64(array.value(row).saturating_sub(EPOCH_MICROS));
        }
        Values::Interval(array) => {
            let value = array.value(row);
            put_interval(value.nanoseconds / 1_000, value.days, value.months, out);
        }
        Values::Months(array) if oid == types::INTERVALY2M => out.put_i32(array.value(row)),
        Values::Micros(array) if oid == types::INTERVALD2S => out.put_i64(array.value(row)),
        Values::Months(array) => put_interval(0, 0, array.value(row), out),
        Values::Micros(array) => {
            let micros = array.value(row);
            // 64 bits of microseconds are fewer days than 32 bits count.
            put_interval(micros % DAY_MICROS, (micros / DAY_MICROS) as i32, 0, out);
        }
        Values::List(list, elements, element) => {
            let offsets = list.value_offsets();
            put_array(elements, *element, offsets[row] as usize..offsets[row + 1] as usize, out);
        }
    }
}

fn put_interval(micros: i64, days: i32, months: i32, out: &mut BytesMut) {
    out.put_i64(micros);
    out.put_i32(days);
    out.put_i32(months);
}

/// Texts are their bytes, but numbers of more digits than we count with come as text too.
fn put_text(text: &str, oid: u32, out: &mut BytesMut) {
    if oid == types::NUMERIC { put_numeric_text(text, out) } else { out.put_slice(text.as_bytes()) }
}

fn put_array(elements: &Column, oid: u32, range: std::ops::Range<usize>, out: &mut BytesMut) {
    let any_null = range.clone().any(|at| elements.is_null(at));
    out.put_i32(i32::from(!range.is_empty()));
    out.put_i32(i32::from(any_null));
    out.put_u32(oid);
    if range.is_empty() {
        return;
    }
    out.put_i32(range.len() as i32);
    out.put_i32(1);
    for at in range {
        if elements.is_null(at) {
            out.put_i32(-1);
            continue;
        }
        let start = out.len();
        out.put_i32(0);
        put(elements, at, oid, out);
        patch_length(start, out);
    }
}

/// Writes the length of what follows `start` there; the four bytes do not count.
pub(super) fn patch_length(start: usize, out: &mut BytesMut) {
    let length = (out.len() - start - 4) as i32;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

/// A numeric: groups of four decimal digits, the weight of the first, the sign and the scale.
pub(super) fn put_numeric(value: i128, scale: i8, out: &mut BytesMut) {
    let shown = u16::from(scale.max(0).unsigned_abs());
    let sign = if value < 0 { 0x4000 } else { 0 };
    match u64::try_from(value.unsigned_abs()) {
        // Most numbers: to divide twice as many bits takes many times as long.
        Ok(magnitude) if scale >= 0 => put_groups(magnitude, (sign, shown), out),
        _ => {
            // A negative scale multiplies; such types hold few digits.
            let zeros = if scale < 0 { u32::from(scale.unsigned_abs()) } else { 0 };
            put_groups(value.unsigned_abs().saturating_mul(10u128.saturating_pow(zeros)), (sign, shown), out);
        }
    }
}

/// A number whose last digits can be taken from it.
trait Digits: Copy {
    /// The number without the digits that `width`, a power of ten, says, and these.
    fn split(self, width: u16) -> (Self, u16);

    fn is_zero(self) -> bool;
}

impl Digits for u64 {
    fn split(self, width: u16) -> (Self, u16) {
        (self / Self::from(width), (self % Self::from(width)) as u16)
    }

    fn is_zero(self) -> bool {
        self == 0
    }
}

impl Digits for u128 {
    fn split(self, width: u16) -> (Self, u16) {
        (self / Self::from(width), (self % Self::from(width)) as u16)
    }

    fn is_zero(self) -> bool {
        self == 0
    }
}

/// A numeric of these digits, with its sign and how many of them stand behind the point.
fn put_groups<D: Digits>(mut rest: D, (sign, shown): (u16, u16), out: &mut BytesMut) {
    // At most 39 digits and a shift of up to three: eleven groups.
    let mut groups = [0u16; 12];
    let mut count = 0;
    // The last group of the fraction is filled up with zeros on its right.
    let fraction_groups = i32::from(shown.div_ceil(4));
    let filled = (4 - u32::from(shown % 4)) % 4;
    let (mut first_exponent, mut position) = (0, -fraction_groups);
    if filled > 0 {
        let (before, digits) = rest.split(10u16.pow(4 - filled));
        (rest, groups[0]) = (before, digits * 10u16.pow(filled));
        // Zeros at the end are not written.
        if groups[0] != 0 {
            (count, first_exponent) = (1, position);
        }
        position += 1;
    }
    while !rest.is_zero() {
        let (before, group) = rest.split(10_000);
        rest = before;
        if group != 0 || count > 0 {
            if let Some(slot) = groups.get_mut(count) {
                *slot = group;
                count += 1;
            }
            first_exponent = position;
        }
        position += 1;
    }
    out.put_u16(count as u16);
    out.put_i16(first_exponent as i16);
    out.put_u16(sign);
    out.put_u16(shown);
    for group in groups[..count].iter().rev() {
        out.put_u16(*group);
    }
}

/// The same of a number's digits as text.
fn put_numeric_text(text: &str, out: &mut BytesMut) {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (0x4000, digits),
        None => (0, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut padded = vec![b'0'; (4 - whole.len() % 4) % 4];
    padded.extend_from_slice(whole.as_bytes());
    let weight = (padded.len() / 4) as i16 - 1;
    padded.extend_from_slice(fraction.as_bytes());
    padded.resize(padded.len().next_multiple_of(4), b'0');
    let groups = padded.chunks(4).map(|group| group.iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0')));
    let groups: Vec<u16> = groups.collect();
    let leading = groups.iter().take_while(|group| **group == 0).count();
    let end = groups.iter().rposition(|group| *group != 0).map_or(leading, |last| last + 1);
    out.put_u16((end - leading) as u16);
    out.put_i16(if end == leading { 0 } else { weight - leading as i16 });
    out.put_u16(sign);
    out.put_u16(fraction.len() as u16);
    for group in &groups[leading..end] {
        out.put_u16(*group);
    }
}
