//! Hashes of values for sketches of distinct values.
//!
//! The hashes are ours and never change (`golden` in the tests holds them still): sketches are stored, and joined with
//! those of files that other machines and later versions write. Numbers go through SplitMix64, texts of up to twelve
//! bytes, which stand in the view itself, through two rounds of it, longer ones through XXH64. Hashes of different types
//! have nothing to do with each other.

use crate::error::{Error, Result};
use crate::tables::types::SqlType;
use arrow::array::{Array, ArrayRef, AsArray, GenericByteViewArray};
use arrow::datatypes::{
    ArrowPrimitiveType, ByteViewType, DataType, Date32Type, Decimal128Type, DurationMicrosecondType, Float32Type,
    Float64Type, Int16Type, Int32Type, Int64Type, IntervalUnit, IntervalYearMonthType, Time64MicrosecondType, TimeUnit,
    TimestampMicrosecondType,
};
use millrace_catalog::model::DistinctSketch;
use twox_hash::XxHash64;

/// Values that are hashed before they are added.
const BLOCK: usize = 256;

/// Texts up to this long stand in their view.
const MOST_INLINE_BYTES: u32 = 12;

/// Whether columns of a type have sketches: not those of SUPER, VARBYTE and HLLSKETCH.
pub(in crate::tables) fn is_kept(data_type: SqlType) -> bool {
    !matches!(data_type, SqlType::Super | SqlType::VarByte(_) | SqlType::HllSketch)
}

/// Adds the values of an array that are not NULL.
///
/// # Errors
/// `Internal` for an array of a type that no column has.
pub(in crate::tables) fn add(sketch: &mut DistinctSketch, array: &ArrayRef) -> Result<()> {
    hash_values(array, |hash| sketch.add(hash))
}

/// Hashes the values of an array that are not NULL, in order.
///
/// # Errors
/// `Internal` for an array of a type that no column has.
pub(crate) fn hash_values(array: &ArrayRef, mut add: impl FnMut(u64)) -> Result<()> {
    match array.data_type() {
        DataType::Boolean => {
            for value in array.as_boolean().iter().flatten() {
                add(mix(u64::from(value)));
            }
        }
        DataType::Int16 => add_values::<Int16Type>(add, array, |v| mix(i64::from(v).cast_unsigned())),
        DataType::Int32 => add_values::<Int32Type>(add, array, |v| mix(i64::from(v).cast_unsigned())),
        DataType::Int64 => add_values::<Int64Type>(add, array, |v| mix(v.cast_unsigned())),
        DataType::Date32 => add_values::<Date32Type>(add, array, |v| mix(i64::from(v).cast_unsigned())),
        DataType::Time64(TimeUnit::Microsecond) => {
            add_values::<Time64MicrosecondType>(add, array, |v| mix(v.cast_unsigned()));
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            add_values::<TimestampMicrosecondType>(add, array, |v| mix(v.cast_unsigned()));
        }
        DataType::Interval(IntervalUnit::YearMonth) => {
            add_values::<IntervalYearMonthType>(add, array, |v| mix(i64::from(v).cast_unsigned()));
        }
        DataType::Duration(TimeUnit::Microsecond) => {
            add_values::<DurationMicrosecondType>(add, array, |v| mix(v.cast_unsigned()));
        }
        DataType::Decimal128(..) => {
            // Most decimals are of 64 bits.
            add_values::<Decimal128Type>(add, array, |v| match i64::try_from(v) {
                Ok(narrow) => mix(narrow.cast_unsigned()),
                Err(_) => mix_wide(v.cast_unsigned()),
            });
        }
        // The two zeros are equal, and so are all NaNs.
        DataType::Float32 => add_values::<Float32Type>(add, array, |v| {
            mix(u64::from(if v.is_nan() { f32::NAN.to_bits() } else { (v + 0.).to_bits() }))
        }),
        DataType::Float64 => add_values::<Float64Type>(add, array, |v| {
            mix(if v.is_nan() { f64::NAN.to_bits() } else { (v + 0.).to_bits() })
        }),
        DataType::Utf8View => add_views(add, array.as_string_view()),
        DataType::BinaryView => add_views(add, array.as_binary_view()),
        other => return Err(Error::internal(format!("values of type {other} have no sketch"))),
    }
    Ok(())
}

fn add_values<T: ArrowPrimitiveType>(mut add: impl FnMut(u64), array: &ArrayRef, hash: impl Fn(T::Native) -> u64) {
    let values = array.as_primitive::<T>();
    if values.null_count() == 0 {
        // Hashes by themselves are computed several at a time.
        let mut hashes = [0; BLOCK];
        for block in values.values().chunks(BLOCK) {
            for (to, value) in hashes.iter_mut().zip(block) {
                *to = hash(*value);
            }
            hashes[..block.len()].iter().for_each(|hash| add(*hash));
        }
    } else {
        values.iter().flatten().for_each(|value| add(hash(value)));
    }
}

fn add_views<T: ByteViewType + ?Sized>(mut add: impl FnMut(u64), array: &GenericByteViewArray<T>) {
    for (at, view) in array.views().iter().enumerate() {
        if array.is_null(at) {
            continue;
        }
        // The low four bytes of a view are the length.
        let hash = if *view as u32 <= MOST_INLINE_BYTES {
            mix_wide(*view)
        } else {
            XxHash64::oneshot(0, array.value(at).as_ref())
        };
        add(hash);
    }
}

/// SplitMix64 (Steele and others, 2014).
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

fn mix_wide(value: u128) -> u64 {
    mix(mix((value >> 64) as u64) ^ value as u64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::needless_pass_by_value)]
    use super::*;
    use arrow::array::{
        BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array, StringViewArray,
    };
    use std::sync::Arc;

    fn of(array: ArrayRef) -> DistinctSketch {
        let mut sketch = DistinctSketch::default();
        add(&mut sketch, &array).unwrap();
        sketch
    }

    #[test]
    fn values_of_every_kind_are_counted() {
        let long = "a text that is longer than a view";
        let cases: [(ArrayRef, u64); 7] = [
            (Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])), 2),
            (Arc::new(Int32Array::from(vec![Some(-1), Some(0), Some(1), None, Some(1)])), 3),
            (Arc::new(Int64Array::from(vec![i64::MIN, i64::MAX, 0])), 3),
            (Arc::new(Date32Array::from(vec![0, 1, 2, 2])), 3),
            (Arc::new(Decimal128Array::from(vec![0, i128::MAX, i128::MIN, 5])), 4),
            (Arc::new(Float64Array::from(vec![0.0, -0.0, 1.5, f64::NAN, -f64::NAN])), 3),
            (Arc::new(StringViewArray::from(vec![Some(""), Some("a"), Some(long), None, Some(long), Some("a ")])), 4),
        ];
        for (array, expected) in cases {
            let shown = format!("{array:?}");
            assert_eq!(of(array).count(), expected, "{shown}");
        }
    }

    #[test]
    fn many_values_are_counted_within_ten_percent() {
        let numbers = of(Arc::new(Int64Array::from_iter_values(0..200_000)));
        let texts = of(Arc::new(StringViewArray::from_iter_values((0..200_000).map(|n| format!("Customer#{n:09}")))));
        let short = of(Arc::new(StringViewArray::from_iter_values((0..200_000).map(|n| n.to_string()))));
        let wide = of(Arc::new(Decimal128Array::from_iter_values((0..200_000).map(|n| n << 70))));
        for sketch in [numbers, texts, short, wide] {
            assert!((180_000..220_000).contains(&sketch.count()), "{}", sketch.count());
        }
    }

    // Stored sketches can be joined only while the hashes are the same. This must never change.
    #[test]
    fn golden() {
        let long = "a text that is longer than a view";
        let arrays: [(ArrayRef, [u8; 3]); 3] = [
            (Arc::new(Int64Array::from(vec![1])), GOLDEN[0]),
            (Arc::new(StringViewArray::from(vec!["abc"])), GOLDEN[1]),
            (Arc::new(StringViewArray::from(vec![long])), GOLDEN[2]),
        ];
        for (array, expected) in arrays {
            assert_eq!(of(array).to_bytes()[1..], expected);
        }
    }
    // Computed by another program, from the published definitions of the hashes.
    const GOLDEN: [[u8; 3]; 3] = [[4, 136, 2], [4, 120, 3], [1, 128, 3]];
}
