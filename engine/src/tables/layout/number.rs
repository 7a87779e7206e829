//! A sort key of one column of numbers or moments, as numbers whose order is that of the key.

use super::keys::SORT_OPTIONS;
use super::narrow::MOST_DIGITS;
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Int16Type, Int32Type, Int64Type, Schema, Time64MicrosecondType, TimeUnit,
    TimestampMicrosecondType, UInt64Type,
};
use datafusion::common::internal_err;
use datafusion::error::Result;

/// Bits of a number: 64 of the value, and above them one that is set for NULL, which stands last.
pub(super) const NUMBER_BITS: u32 = 65;

const NULL: u128 = 1 << 64;
const _: () = assert!(!SORT_OPTIONS.nulls_first && !SORT_OPTIONS.descending);

/// The column of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NumberKey(usize);

impl NumberKey {
    /// The key of these columns, if it is one of numbers.
    pub(super) fn of(schema: &Schema, columns: &[usize]) -> Option<Self> {
        let [column] = columns else { return None };
        let is_number = match schema.field(*column).data_type() {
            DataType::Decimal128(digits, _) => *digits <= MOST_DIGITS,
            other => matches!(
                other,
                DataType::Int16
                    | DataType::Int32
                    | DataType::Int64
                    | DataType::UInt64
                    | DataType::Date32
                    | DataType::Time64(TimeUnit::Microsecond)
                    | DataType::Timestamp(TimeUnit::Microsecond, _)
            ),
        };
        is_number.then_some(Self(*column))
    }

    /// The number of each row.
    pub(super) fn numbers(self, batch: &RecordBatch) -> Result<Vec<u128>> {
        let keys = batch.column(self.0);
        Ok(match keys.data_type() {
            DataType::Int16 => numbers::<Int16Type>(keys, |key| signed(key.into())),
            DataType::Int32 => numbers::<Int32Type>(keys, |key| signed(key.into())),
            DataType::Int64 => numbers::<Int64Type>(keys, signed),
            DataType::UInt64 => numbers::<UInt64Type>(keys, |key| key),
            DataType::Date32 => numbers::<Date32Type>(keys, |key| signed(key.into())),
            DataType::Time64(_) => numbers::<Time64MicrosecondType>(keys, signed),
            DataType::Timestamp(..) => numbers::<TimestampMicrosecondType>(keys, signed),
            // It has no more digits than fit.
            DataType::Decimal128(..) => numbers::<Decimal128Type>(keys, |key| signed(key as i64)),
            other => return internal_err!("a sort key of type {other} is no number"),
        })
    }
}

fn numbers<T: ArrowPrimitiveType>(keys: &ArrayRef, number: impl Fn(T::Native) -> u64) -> Vec<u128> {
    let keys = keys.as_primitive::<T>();
    if keys.null_count() == 0 {
        return keys.values().iter().map(|key| number(*key).into()).collect();
    }
    keys.iter().map(|key| key.map_or(NULL, |key| number(key).into())).collect()
}

/// Negative numbers first.
fn signed(key: i64) -> u64 {
    key.cast_unsigned() ^ (1 << 63)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use arrow::array::{Date32Array, Decimal128Array, Int16Array, Int64Array, StringViewArray, UInt64Array};
    use arrow::compute::sort_to_indices;
    use std::sync::Arc;

    #[test]
    fn numbers_are_in_the_order_of_keys() {
        let decimals = Decimal128Array::from(vec![Some(5), None, Some(-999_999_999_999_999_999), Some(0), None]);
        let columns: [ArrayRef; 5] = [
            Arc::new(Int16Array::from(vec![Some(3), Some(i16::MIN), None, Some(-1), Some(i16::MAX), Some(0)])),
            Arc::new(Int64Array::from(vec![Some(i64::MAX), None, Some(i64::MIN), Some(0), Some(-1)])),
            Arc::new(UInt64Array::from(vec![u64::MAX, 0, 1 << 63, 7])),
            Arc::new(Date32Array::from(vec![Some(2_932_896), Some(-4_371_587), None, Some(0)])),
            Arc::new(decimals.with_precision_and_scale(18, 2).unwrap()),
        ];
        for column in columns {
            let batch = RecordBatch::try_from_iter([("k", Arc::clone(&column))]).unwrap();
            let key = NumberKey::of(&batch.schema(), &[0]).unwrap();
            let numbers = key.numbers(&batch).unwrap();
            assert!(numbers.iter().all(|number| number >> NUMBER_BITS == 0));
            let mut rows: Vec<u32> = (0..column.len() as u32).collect();
            rows.sort_by_key(|row| numbers[*row as usize]);
            let expected = sort_to_indices(&column, Some(SORT_OPTIONS), None).unwrap();
            let order = |rows: &[u32]| rows.iter().map(|row| numbers[*row as usize]).collect::<Vec<_>>();
            assert_eq!(order(&rows), order(expected.values()), "{column:?}");
        }
    }

    #[test]
    fn other_keys_are_none() {
        let texts: ArrayRef = Arc::new(StringViewArray::from(vec!["a"]));
        let wide: ArrayRef = Arc::new(Decimal128Array::from(vec![1]).with_precision_and_scale(19, 0).unwrap());
        let batch = RecordBatch::try_from_iter([("t", texts), ("w", wide)]).unwrap();
        for columns in [&[0][..], &[1], &[], &[0, 1]] {
            assert_eq!(NumberKey::of(&batch.schema(), columns), None, "{columns:?}");
        }
    }
}
