//! The values of one column in a chunk of rows: how many bytes each has, and its bytes in the row that it belongs to.
//!
//! Numbers in binary have as many bytes as their type says and are written where they go; so are texts, whose bytes are
//! what they are. Everything else is written one after the other first, which tells its lengths, and copied then.

use super::column::{Column, Values};
use super::{Format, binary, text, types};
use arrow::array::{StringArray, StringViewArray};
use arrow::buffer::NullBuffer;
use bytes::BytesMut;
use chrono_tz::Tz;
use std::ops::Range;

/// The length of NULL.
const NULL: [u8; 4] = (-1i32).to_be_bytes();

/// A column that is written in one format.
pub(super) struct Cells {
    column: Column,
    /// The number of the type that was announced.
    oid: u32,
    format: Format,
    way: Way,
    /// What was written of a chunk.
    bytes: BytesMut,
    /// Where each of its values ends in `bytes`.
    ends: Vec<usize>,
}

/// How values get to where they belong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// All have as many bytes.
    Fixed(usize),
    /// They are bytes as they are.
    Bytes,
    /// Written first, then copied.
    Copied,
}

impl Cells {
    /// A column, the number of its type, and the format that it is to be written in.
    pub(super) fn new(column: Column, oid: u32, format: Format) -> Self {
        let way = match (&column.values, format) {
            (Values::Text(_) | Values::TextView(_), Format::Text) => Way::Bytes,
            (Values::Text(_) | Values::TextView(_), Format::Binary) if oid != types::NUMERIC => Way::Bytes,
            (Values::Bool(_), _) => Way::Fixed(1),
            (Values::I16(_), Format::Binary) => Way::Fixed(2),
            (Values::I32(_) | Values::F32(_) | Values::Date(_), Format::Binary) => Way::Fixed(4),
            (Values::I64(_), Format::Binary) if !binary::is_narrow(oid) => Way::Fixed(8),
            (Values::F64(_) | Values::Timestamp(_) | Values::TimestampTz(_), Format::Binary) => Way::Fixed(8),
            _ => Way::Copied,
        };
        Self { column, oid, format, way, bytes: BytesMut::new(), ends: Vec::new() }
    }

    /// Adds the bytes of the values in these rows to the lengths of the rows.
    pub(super) fn measure(&mut self, rows: Range<usize>, zone: Tz, lengths: &mut [usize]) {
        let column = &self.column;
        match (self.way, &column.values) {
            (Way::Fixed(width), _) => match &column.nulls {
                None => lengths.iter_mut().for_each(|length| *length += width),
                Some(nulls) => {
                    for (row, length) in rows.zip(lengths) {
                        *length += if nulls.is_null(row) { 0 } else { width };
                    }
                }
            },
            (Way::Bytes, Values::Text(array)) => {
                add(rows, column.nulls.as_ref(), lengths, |row| array.value_length(row).unsigned_abs() as usize);
            }
            (Way::Bytes, Values::TextView(array)) => {
                // The lowest half of a view's first word is the length.
                add(rows, column.nulls.as_ref(), lengths, |row| array.views()[row] as u32 as usize);
            }
            _ => {
                self.bytes.clear();
                self.ends.clear();
                for (row, length) in rows.zip(lengths) {
                    let before = self.bytes.len();
                    if !column.is_null(row) {
                        match self.format {
                            Format::Text => text::put(column, row, zone, &mut self.bytes),
                            Format::Binary => binary::put(column, row, self.oid, &mut self.bytes),
                        }
                    }
                    *length += self.bytes.len() - before;
                    self.ends.push(self.bytes.len());
                }
            }
        }
    }

    /// Writes the values of the rows from `first` on, each with its length before it, to their places, and moves these
    /// behind them. The rows were measured.
    pub(super) fn write(&self, first: usize, places: &mut [usize], buffer: &mut [u8]) {
        let nulls = self.column.nulls.as_ref();
        let at = (first, places, buffer);
        match (self.way, &self.column.values) {
            (Way::Fixed(_), Values::Bool(array)) => {
                let (yes, no) = if self.format == Format::Text { (b't', b'f') } else { (1, 0) };
                fixed(nulls, at, |row| [if array.value(row) { yes } else { no }]);
            }
            (Way::Fixed(_), Values::I16(array)) => fixed(nulls, at, |row| array.value(row).to_be_bytes()),
            (Way::Fixed(_), Values::I32(array)) => fixed(nulls, at, |row| array.value(row).to_be_bytes()),
            (Way::Fixed(_), Values::I64(array)) => fixed(nulls, at, |row| array.value(row).to_be_bytes()),
            (Way::Fixed(_), Values::F32(array)) => fixed(nulls, at, |row| array.value(row).to_be_bytes()),
            (Way::Fixed(_), Values::F64(array)) => fixed(nulls, at, |row| array.value(row).to_be_bytes()),
            (Way::Fixed(_), Values::Date(array)) => {
                fixed(nulls, at, |row| array.value(row).saturating_sub(binary::EPOCH_DAYS).to_be_bytes());
            }
            (Way::Fixed(_), Values::Timestamp(array) | Values::TimestampTz(array)) => {
                fixed(nulls, at, |row| array.value(row).saturating_sub(binary::EPOCH_MICROS).to_be_bytes());
            }
            (Way::Bytes, Values::Text(array)) => texts(nulls, at, array),
            (Way::Bytes, Values::TextView(array)) => views(nulls, at, array),
            _ => self.copy(at),
        }
    }

    fn copy(&self, (first, places, buffer): (usize, &mut [usize], &mut [u8])) {
        let mut begin = 0;
        for (at, (place, end)) in places.iter_mut().zip(&self.ends).enumerate() {
            let value = (!self.column.is_null(first + at)).then(|| &self.bytes[begin..*end]);
            put(value, place, buffer);
            begin = *end;
        }
    }
}

/// Where values go: the first row, where in the buffer the next value of each row begins, the buffer.
type Places<'a> = (usize, &'a mut [usize], &'a mut [u8]);

/// Adds the lengths of values that are not NULL.
fn add(rows: Range<usize>, nulls: Option<&NullBuffer>, lengths: &mut [usize], of: impl Fn(usize) -> usize) {
    match nulls {
        None => rows.zip(lengths).for_each(|(row, length)| *length += of(row)),
        Some(nulls) => {
            for (row, length) in rows.zip(lengths) {
                *length += if nulls.is_null(row) { 0 } else { of(row) };
            }
        }
    }
}

/// Values of `N` bytes.
fn fixed<const N: usize>(
    nulls: Option<&NullBuffer>,
    (first, places, buffer): Places<'_>,
    bytes: impl Fn(usize) -> [u8; N],
) {
    let length = (N as u32).to_be_bytes();
    for (at, place) in places.iter_mut().enumerate() {
        let row = first + at;
        if nulls.is_some_and(|nulls| nulls.is_null(row)) {
            put(None, place, buffer);
            continue;
        }
        let cell = &mut buffer[*place..*place + 4 + N];
        cell[..4].copy_from_slice(&length);
        cell[4..].copy_from_slice(&bytes(row));
        *place += 4 + N;
    }
}

fn texts(nulls: Option<&NullBuffer>, (first, places, buffer): Places<'_>, array: &StringArray) {
    for (at, place) in places.iter_mut().enumerate() {
        let is_null = nulls.is_some_and(|nulls| nulls.is_null(first + at));
        put((!is_null).then(|| array.value(first + at).as_bytes()), place, buffer);
    }
}

fn views(nulls: Option<&NullBuffer>, (first, places, buffer): Places<'_>, array: &StringViewArray) {
    for (at, place) in places.iter_mut().enumerate() {
        let is_null = nulls.is_some_and(|nulls| nulls.is_null(first + at));
        put((!is_null).then(|| array.value(first + at).as_bytes()), place, buffer);
    }
}

/// Writes a value behind its length, or NULL, and moves the place behind it.
fn put(value: Option<&[u8]>, place: &mut usize, buffer: &mut [u8]) {
    let Some(value) = value else {
        buffer[*place..*place + 4].copy_from_slice(&NULL);
        *place += 4;
        return;
    };
    let cell = &mut buffer[*place..*place + 4 + value.len()];
    cell[..4].copy_from_slice(&(value.len() as u32).to_be_bytes());
    cell[4..].copy_from_slice(value);
    *place += 4 + value.len();
}
