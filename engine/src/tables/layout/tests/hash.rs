//! The hash of distribution keys is stored in files: it may not change unnoticed.

use super::super::buckets::{bucket_numbers, group_count, is_hashable};
use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Int16Array, Int32Array, Int64Array, StringViewArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::DataType;
use std::sync::Arc;

#[test]
fn golden_hashes() {
    let keys: [ArrayRef; 8] = [
        Arc::new(Int64Array::from(vec![Some(0), Some(1), Some(2), Some(-1), Some(i64::MAX), None])),
        Arc::new(Int32Array::from(vec![Some(0), Some(1), Some(2), Some(-1), Some(i32::MAX), None])),
        Arc::new(Int16Array::from(vec![Some(0), Some(1), Some(2), Some(-1), Some(i16::MAX), None])),
        Arc::new(Date32Array::from(vec![Some(0), Some(18_262), None])),
        Arc::new(TimestampMicrosecondArray::from(vec![Some(0), Some(1_577_836_800_000_000), None])),
        Arc::new(Decimal128Array::from(vec![Some(0), Some(150), Some(-1)]).with_precision_and_scale(10, 2).unwrap()),
        Arc::new(StringViewArray::from(vec![Some(""), Some("a"), Some("longer than twelve bytes"), None])),
        Arc::new(BooleanArray::from(vec![Some(true), Some(false), None])),
    ];
    let found = keys.map(|keys| bucket_numbers(&keys, 64).unwrap());
    let wanted: [&[u32]; 8] = [
        &[31, 49, 36, 31, 13, 0],
        &[31, 49, 36, 3, 39, 0],
        &[31, 49, 36, 56, 14, 0],
        &[31, 44, 0],
        &[31, 12, 0],
        &[31, 9, 31],
        &[31, 20, 49, 0],
        &[49, 31, 0],
    ];
    assert_eq!(found.each_ref().map(Vec::as_slice), wanted, "the hash of stored keys has changed");
}

#[test]
fn numbers_of_groups() {
    for (partitions, buckets, wanted) in
        [(1, 64, 1), (2, 64, 2), (3, 64, 2), (12, 64, 8), (64, 64, 64), (100, 64, 64), (0, 64, 1), (4, 0, 4), (8, 4, 4)]
    {
        assert_eq!(group_count(partitions, buckets), wanted, "{partitions} partitions, {buckets} buckets");
    }
}

#[test]
fn floating_point_is_no_key() {
    assert!(is_hashable(&DataType::Int64) && is_hashable(&DataType::Utf8View));
    assert!(!is_hashable(&DataType::Float64) && !is_hashable(&DataType::Float32));
}
