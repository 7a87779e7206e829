//! Key values as codes of at most 128 bits, and of 64 where those do: equal codes for equal values of a column, other
//! codes for others.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, PrimitiveArray, downcast_primitive_array};
use arrow::datatypes::{ArrowPrimitiveType, DataType, ToByteSlice};
use datafusion::common::exec_err;
use datafusion::error::Result;
use std::collections::HashMap;
use std::ops::Range;

/// Views of texts up to this length hold the text itself.
const MOST_INLINE_BYTES: u32 = 12;

/// Texts up to this length have codes of 64 bits.
const MOST_NARROW_BYTES: u32 = 7;

/// The low bits of a text's code, its length; the text stands above them.
const LENGTH_BITS: u32 = 4;

/// The code of NULL among texts: no text that is its own code has this length.
const NULL_TEXT: u128 = 13;

/// What stands in the length's place of the code of a longer text.
const INTERNED: u128 = 14;

/// The code of NULL among values of 16 bytes. None has it unless it is [`i128::MIN`] plus this, which no decimal of 38
/// digits is. Shorter ones have the first number that is too large for their bytes.
const NULL_OF_16_BYTES: u128 = (1 << 127) | 0xffff_ffff;

/// The codes of some rows of one column.
#[derive(Debug, Default)]
pub(super) struct Codes {
    narrow: Vec<u64>,
    /// In the place of the others, where one has more than 64 bits.
    wide: Vec<u128>,
}

impl Codes {
    /// How many rows they are of.
    pub(super) fn len(&self) -> usize {
        self.narrow.len().max(self.wide.len())
    }

    /// The codes, if all have 64 bits.
    pub(super) fn narrow(&self) -> Option<&[u64]> {
        self.wide.is_empty().then_some(self.narrow.as_slice())
    }

    /// The code of a row.
    pub(super) fn code(&self, row: usize) -> u128 {
        self.wide.get(row).copied().unwrap_or_else(|| u128::from(self.narrow[row]))
    }

    fn clear(&mut self) {
        self.narrow.clear();
        self.wide.clear();
    }

    /// Keeps 64 bits of codes that have no more.
    fn settle(&mut self) {
        if self.wide.iter().fold(0, |bits, code| bits | code) <= u128::from(u64::MAX) {
            self.narrow.clear();
            self.narrow.extend(self.wide.drain(..).map(|code| code as u64));
        }
    }
}

/// Turns one key column into codes.
#[derive(Debug, Default)]
pub(super) struct Coder {
    /// Longer texts by number.
    interned: HashMap<Box<[u8]>, u64>,
}

/// Whether values of a type have codes.
pub(super) fn has_codes(data_type: &DataType) -> bool {
    match data_type {
        // Floating point is left out for its zeros and NaNs, intervals for their bits.
        DataType::Float16 | DataType::Float32 | DataType::Float64 | DataType::Interval(_) => false,
        DataType::Utf8View | DataType::Boolean => true,
        other => other.is_primitive() && other.primitive_width().is_some_and(|width| width <= 16),
    }
}

impl Coder {
    /// Writes the codes of some rows of a column.
    pub(super) fn codes(&mut self, column: &ArrayRef, rows: Range<usize>, codes: &mut Codes) -> Result<()> {
        codes.clear();
        match column.data_type() {
            DataType::Utf8View => self.texts(column, rows, codes),
            DataType::Boolean => booleans(column.as_boolean(), rows, codes),
            _ => {
                let column = column.as_ref();
                downcast_primitive_array!(
                    column => primitives(column, rows, codes),
                    other => return exec_err!("values of type {other} have no codes")
                );
            }
        }
        Ok(())
    }

    fn texts(&mut self, column: &ArrayRef, rows: Range<usize>, codes: &mut Codes) {
        let texts = column.as_string_view();
        let views = &texts.views()[rows.clone()];
        if texts.null_count() == 0 {
            // Lengths of three bits have three bits together. No branch, so that it runs on vectors.
            let lengths = views.iter().fold(0, |bits, view| bits | *view as u32);
            if lengths <= MOST_NARROW_BYTES {
                codes.narrow.extend(views.iter().map(|view| {
                    ((view >> (32 - LENGTH_BITS)) as u64 & (u64::MAX << LENGTH_BITS)) | u64::from(*view as u32)
                }));
                return;
            }
        }
        for (row, view) in rows.zip(views) {
            codes.wide.push(match *view as u32 {
                _ if texts.is_null(row) => NULL_TEXT,
                length @ ..=MOST_INLINE_BYTES => ((view >> 32) << LENGTH_BITS) | u128::from(length),
                _ => (u128::from(self.intern(texts.value(row).as_bytes())) << LENGTH_BITS) | INTERNED,
            });
        }
        codes.settle();
    }

    fn intern(&mut self, text: &[u8]) -> u64 {
        if let Some(number) = self.interned.get(text) {
            return *number;
        }
        let number = self.interned.len() as u64;
        self.interned.insert(text.into(), number);
        number
    }

    /// Bytes of the longer texts.
    pub(super) fn size(&self) -> usize {
        self.interned.keys().map(|text| text.len() + 64).sum()
    }
}

fn booleans(values: &BooleanArray, rows: Range<usize>, codes: &mut Codes) {
    let code = |row| if values.is_null(row) { 2 } else { u64::from(values.value(row)) };
    codes.narrow.extend(rows.map(code));
}

fn primitives<T: ArrowPrimitiveType>(values: &PrimitiveArray<T>, rows: Range<usize>, codes: &mut Codes) {
    let width = size_of::<T::Native>();
    let nulls = values.nulls().map(|nulls| nulls.slice(rows.start, rows.len())).filter(|nulls| nulls.null_count() > 0);
    let values = &values.values()[rows];
    if width <= size_of::<u64>() && nulls.is_none() {
        codes.narrow.extend(values.iter().map(|value| {
            let mut bytes = [0; size_of::<u64>()];
            let value = value.to_byte_slice();
            bytes[..value.len()].copy_from_slice(value);
            u64::from_le_bytes(bytes)
        }));
        return;
    }
    codes.wide.extend(values.iter().map(|value| {
        let mut bytes = [0; size_of::<u128>()];
        let value = value.to_byte_slice();
        bytes[..value.len()].copy_from_slice(value);
        u128::from_le_bytes(bytes)
    }));
    if let Some(nulls) = nulls {
        let null = if width < size_of::<u128>() { 1 << (8 * width) } else { NULL_OF_16_BYTES };
        for (code, valid) in codes.wide.iter_mut().zip(&nulls) {
            if !valid {
                *code = null;
            }
        }
    }
    codes.settle();
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use arrow::array::{Date32Array, Decimal128Array, Int8Array, Int64Array, StringViewArray};
    use std::sync::Arc;

    #[test]
    fn codes_are_equal_when_values_are() {
        let long = "a text that does not fit into a view";
        let longer = "a text that does not fit into a view either";
        let columns: [ArrayRef; 8] = [
            Arc::new(StringViewArray::from(vec![Some(""), None, Some("a"), Some(long), Some(longer), Some(long)])),
            Arc::new(StringViewArray::from(vec!["a", "b", "a\0", "twelve bytes", "a", "ab"])),
            Arc::new(StringViewArray::from(vec!["a", "", "a\0", "\0", "seven b", "ab"])),
            Arc::new(StringViewArray::from(vec![Some("a"), None, Some("eight by"), None, Some("\r"), Some("")])),
            Arc::new(Int64Array::from(vec![Some(0), Some(-1), None, Some(i64::MAX), Some(i64::MIN), None])),
            Arc::new(Int8Array::from(vec![Some(0), Some(-1), None, Some(127), Some(-128), Some(-1)])),
            Arc::new(Decimal128Array::from(vec![Some(0), Some(-1), None, Some(1 << 70), Some(-(1 << 70)), Some(0)])),
            Arc::new(Date32Array::from(vec![Some(0), None, Some(1), Some(1), None, Some(2)])),
        ];
        for column in columns {
            // Codes of one row and of all are the same.
            let (mut coder, mut codes, mut all) = (Coder::default(), Codes::default(), Codes::default());
            coder.codes(&column, 0..column.len(), &mut all).unwrap();
            let mut code = |row| {
                coder.codes(&column, row..row + 1, &mut codes).unwrap();
                assert_eq!((codes.len(), codes.code(0)), (1, all.code(row)));
                codes.code(0)
            };
            let codes: Vec<_> = (0..column.len()).map(&mut code).collect();
            let rows = arrow::row::RowConverter::new(vec![arrow::row::SortField::new(column.data_type().clone())]);
            let rows = rows.unwrap().convert_columns(&[Arc::clone(&column)]).unwrap();
            for a in 0..column.len() {
                for b in 0..column.len() {
                    assert_eq!(codes[a] == codes[b], rows.row(a) == rows.row(b), "{column:?} {a} {b}");
                }
            }
        }
    }

    #[test]
    fn short_values_have_short_codes() {
        let texts: ArrayRef = Arc::new(StringViewArray::from(vec!["A", "N", "R", ""]));
        let days: ArrayRef = Arc::new(Date32Array::from(vec![Some(-1), None, Some(20_000)]));
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(-1), None]));
        let decimals: ArrayRef = Arc::new(Decimal128Array::from(vec![7, 1 << 40]));
        let mut codes = Codes::default();
        for (column, is_narrow) in [(texts, true), (days, true), (numbers, false), (decimals, true)] {
            Coder::default().codes(&column, 0..column.len(), &mut codes).unwrap();
            assert_eq!((codes.narrow().is_some(), codes.len()), (is_narrow, column.len()), "{column:?}");
        }
    }

    #[test]
    fn types_without_codes_are_known() {
        assert!(!has_codes(&DataType::Float64) && !has_codes(&DataType::Utf8) && !has_codes(&DataType::Null));
        assert!(
            has_codes(&DataType::Utf8View) && has_codes(&DataType::Date32) && has_codes(&DataType::Decimal128(9, 2))
        );
    }
}
