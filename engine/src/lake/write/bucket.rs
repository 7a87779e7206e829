//! Hive's bucketing, version 1: which bucket a row belongs to.
//!
//! The hash is that of Hive's `ObjectInspectorUtils.getBucketHashCode`, which Trino and Athena follow for tables
//! without `bucketing_version = 2`. A bucket number is part of a file's name, so it must never change.

use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimeUnit, TimestampMicrosecondType,
};

/// The bucket of each row, from 0 to `count - 1`. Columns of types that have no hash here are errors (0A000).
pub(super) fn buckets(columns: &[ArrayRef], rows: usize, count: u32) -> Result<Vec<u32>> {
    let mut hashes = vec![0_i32; rows];
    for column in columns {
        combine(column, &mut hashes)?;
    }
    let count = count.max(1);
    Ok(hashes.into_iter().map(|hash| (hash & i32::MAX).unsigned_abs() % count).collect())
}

/// Folds a column into the rows' hashes: `31 * hash + value's hash`, a NULL counting as 0.
fn combine(column: &ArrayRef, hashes: &mut [i32]) -> Result<()> {
    match column.data_type() {
        DataType::Boolean => {
            let values = column.as_boolean();
            fold(column, hashes, |row| i32::from(values.value(row)));
        }
        DataType::Int8 => fold_primitive::<Int8Type>(column, hashes, i32::from),
        DataType::Int16 => fold_primitive::<Int16Type>(column, hashes, i32::from),
        DataType::Int32 => fold_primitive::<Int32Type>(column, hashes, |v| v),
        DataType::Int64 => fold_primitive::<Int64Type>(column, hashes, hash_long),
        DataType::Float32 => fold_primitive::<Float32Type>(column, hashes, hash_float),
        DataType::Float64 => fold_primitive::<Float64Type>(column, hashes, hash_double),
        DataType::Date32 => fold_primitive::<Date32Type>(column, hashes, |days| days),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            fold_primitive::<TimestampMicrosecondType>(column, hashes, hash_timestamp);
        }
        DataType::Utf8 => {
            let values = column.as_string::<i32>();
            fold(column, hashes, |row| hash_text(values.value(row)));
        }
        DataType::LargeUtf8 => {
            let values = column.as_string::<i64>();
            fold(column, hashes, |row| hash_text(values.value(row)));
        }
        DataType::Utf8View => {
            let values = column.as_string_view();
            fold(column, hashes, |row| hash_text(values.value(row)));
        }
        other => return Err(Error::unsupported(format_args!("bucketing by a column of type {other}"))),
    }
    Ok(())
}

fn fold(column: &ArrayRef, hashes: &mut [i32], hash: impl Fn(usize) -> i32) {
    for (row, combined) in hashes.iter_mut().enumerate() {
        let value = if column.is_null(row) { 0 } else { hash(row) };
        *combined = combined.wrapping_mul(31).wrapping_add(value);
    }
}

fn fold_primitive<T: ArrowPrimitiveType>(column: &ArrayRef, hashes: &mut [i32], hash: impl Fn(T::Native) -> i32) {
    let values = column.as_primitive::<T>();
    fold(column, hashes, |row| hash(values.value(row)));
}

fn hash_long(value: i64) -> i32 {
    (((value as u64) >> 32) as i64 ^ value) as i32
}

/// Java's `floatToIntBits`: all NaNs are one.
fn hash_float(value: f32) -> i32 {
    if value.is_nan() { 0x7fc0_0000 } else { value.to_bits() as i32 }
}

/// Java's `doubleToLongBits`: all NaNs are one.
fn hash_double(value: f64) -> i32 {
    hash_long(if value.is_nan() { 0x7ff8_0000_0000_0000 } else { value.to_bits() as i64 })
}

/// Over UTF-8 bytes, signed as Java's are.
fn hash_text(text: &str) -> i32 {
    text.bytes().fold(0, |hash: i32, byte| hash.wrapping_mul(31).wrapping_add(i32::from(byte as i8)))
}

/// `TimestampWritable.hashCode`: seconds shifted by 30 bits, the nanoseconds in the low bits.
fn hash_timestamp(micros: i64) -> i32 {
    let seconds = micros.div_euclid(1_000_000);
    let nanos = micros.rem_euclid(1_000_000) * 1000;
    hash_long((seconds << 30) | nanos)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use arrow::array::{BooleanArray, Int32Array, Int64Array, StringViewArray};
    use std::sync::Arc;

    /// Hashes that Java's String.hashCode gives for ASCII, and that Trino's TestHiveBucketing lists.
    #[test]
    fn hashes_are_hives() {
        assert_eq!(hash_text("hello"), 99_162_322);
        assert_eq!(hash_text(""), 0);
        assert_eq!(hash_text("\u{1}"), 1);
        assert_eq!(hash_long(0), 0);
        assert_eq!(hash_long(-1), 0);
        assert_eq!(hash_long(300_000_000_000), -647_710_651);
        assert_eq!(hash_float(12.34), 1_095_069_860);
        assert_eq!(hash_float(f32::NAN), 2_143_289_344);
        assert_eq!(hash_double(12.34), 986_311_098);
        assert_eq!(hash_double(f64::NAN), 2_146_959_360);
        assert_eq!(hash_double(-f64::MAX), 1_048_576);
    }

    #[test]
    fn columns_combine_and_nulls_count_as_zero() {
        let ints: ArrayRef = Arc::new(Int32Array::from(vec![Some(5), None, Some(-1)]));
        let texts: ArrayRef = Arc::new(StringViewArray::from(vec![Some("a"), Some("a"), None]));
        assert_eq!(buckets(std::slice::from_ref(&ints), 3, 4).unwrap(), [1, 0, 3]);
        let expected: Vec<u32> =
            [31 * 5 + 97, 97, -31 & i32::MAX].iter().map(|h: &i32| h.unsigned_abs() % 10).collect();
        assert_eq!(buckets(&[ints, texts], 3, 10).unwrap(), expected);
        let longs: ArrayRef = Arc::new(Int64Array::from(vec![1_i64 << 32]));
        assert_eq!(buckets(&[longs], 1, 8).unwrap(), [1]);
        let flags: ArrayRef = Arc::new(BooleanArray::from(vec![true, false]));
        assert_eq!(buckets(&[flags], 2, 2).unwrap(), [1, 0]);
    }

    #[test]
    fn other_types_are_named() {
        let column = arrow::array::new_null_array(&DataType::Decimal128(5, 2), 1);
        let error = buckets(&[column], 1, 2).unwrap_err();
        assert!(error.message.contains("bucketing by a column of type Decimal128(5, 2)"), "{error}");
    }
}
