//! Key values as 128-bit codes: equal codes for equal values of a column, other codes for others.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, downcast_primitive_array};
use arrow::datatypes::{ArrowPrimitiveType, DataType, ToByteSlice};
use datafusion::common::exec_err;
use datafusion::error::Result;
use std::collections::HashMap;

/// Views of texts up to this length hold the text itself.
const MOST_INLINE_BYTES: u32 = 12;

/// The code of NULL: as a view it would be of a text of 4 GiB, and no primitive of 16 bytes has it unless it is
/// [`i128::MIN`] plus this, which no decimal of 38 digits is.
const NULL: u128 = (1 << 127) | 0xffff_ffff;

/// What stands in the length's place of the code of a longer text.
const INTERNED: u128 = 0xffff_fffe;

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
    /// Writes the codes of a column's values.
    pub(super) fn codes(&mut self, column: &ArrayRef, codes: &mut Vec<u128>) -> Result<()> {
        codes.clear();
        codes.reserve(column.len());
        match column.data_type() {
            DataType::Utf8View => self.texts(column, codes),
            DataType::Boolean => booleans(column.as_boolean(), codes),
            _ => {
                let column = column.as_ref();
                downcast_primitive_array!(
                    column => primitives(column, codes),
                    other => return exec_err!("values of type {other} have no codes")
                );
            }
        }
        Ok(())
    }

    fn texts(&mut self, column: &ArrayRef, codes: &mut Vec<u128>) {
        let texts = column.as_string_view();
        let views = texts.views().iter();
        let short = |view: &u128| *view as u32 <= MOST_INLINE_BYTES;
        if texts.nulls().is_none() && views.clone().all(short) {
            codes.extend_from_slice(texts.views());
            return;
        }
        for (row, view) in views.enumerate() {
            codes.push(match () {
                () if texts.is_null(row) => NULL,
                () if short(view) => *view,
                () => (u128::from(self.intern(texts.value(row).as_bytes())) << 32) | INTERNED,
            });
        }
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

fn booleans(values: &BooleanArray, codes: &mut Vec<u128>) {
    codes.extend(values.iter().map(|value| value.map_or(NULL, u128::from)));
}

fn primitives<T: ArrowPrimitiveType>(values: &arrow::array::PrimitiveArray<T>, codes: &mut Vec<u128>) {
    let code = |value: &T::Native| {
        let mut bytes = [0_u8; 16];
        let value = value.to_byte_slice();
        bytes[..value.len()].copy_from_slice(value);
        u128::from_le_bytes(bytes)
    };
    codes.extend(values.values().iter().map(code));
    if let Some(nulls) = values.nulls() {
        for (code, valid) in codes.iter_mut().zip(nulls) {
            if !valid {
                *code = NULL;
            }
        }
    }
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
        let columns: [ArrayRef; 6] = [
            Arc::new(StringViewArray::from(vec![Some(""), None, Some("a"), Some(long), Some(longer), Some(long)])),
            Arc::new(StringViewArray::from(vec!["a", "b", "a\0", "twelve bytes", "a", "ab"])),
            Arc::new(Int64Array::from(vec![Some(0), Some(-1), None, Some(i64::MAX), Some(i64::MIN), None])),
            Arc::new(Int8Array::from(vec![Some(0), Some(-1), None, Some(127), Some(-128), Some(-1)])),
            Arc::new(Decimal128Array::from(vec![Some(0), Some(-1), None, Some(1 << 70), Some(-(1 << 70)), Some(0)])),
            Arc::new(Date32Array::from(vec![Some(0), None, Some(1), Some(1), None, Some(2)])),
        ];
        for column in columns {
            let (mut coder, mut codes) = (Coder::default(), Vec::new());
            coder.codes(&column, &mut codes).unwrap();
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
    fn types_without_codes_are_known() {
        assert!(!has_codes(&DataType::Float64) && !has_codes(&DataType::Utf8) && !has_codes(&DataType::Null));
        assert!(
            has_codes(&DataType::Utf8View) && has_codes(&DataType::Date32) && has_codes(&DataType::Decimal128(9, 2))
        );
    }
}
