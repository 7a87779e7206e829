//! The forms of values; expected ones are PostgreSQL's.
#![allow(clippy::unwrap_used)]

use super::binary::put_numeric;
use super::column::Column;
use super::{Format, binary, float, parameter_text, text, time, types};
use arrow::array::types::Int32Type;
use arrow::array::{ArrayRef, ListArray, StringArray};
use arrow::datatypes::Field;
use bytes::{BufMut, BytesMut};
use chrono_tz::Tz;
use std::sync::Arc;

fn written(write: impl FnOnce(&mut BytesMut)) -> String {
    let mut out = BytesMut::new();
    write(&mut out);
    String::from_utf8(out.to_vec()).unwrap()
}

#[test]
fn floats_as_postgresql_writes_them() {
    let cases = [
        (0.0, "0"),
        (-0.0, "-0"),
        (1.0, "1"),
        (-1.5, "-1.5"),
        (0.1 + 0.2, "0.30000000000000004"),
        (1e15, "1e+15"),
        (123_456_789_012_345.0, "123456789012345"),
        (1e14, "100000000000000"),
        (1.234e-5, "1.234e-05"),
        (0.0001, "0.0001"),
        (1e-320, "1e-320"),
        (f64::MAX, "1.7976931348623157e+308"),
        (f64::NAN, "NaN"),
        (f64::NEG_INFINITY, "-Infinity"),
    ];
    for (value, expected) in cases {
        assert_eq!(written(|out| float::put_f64(value, out)), expected);
    }
    for (value, expected) in [(1e6_f32, "1e+06"), (123_456.0, "123456"), (0.1, "0.1"), (1.5e-7, "1.5e-07")] {
        assert_eq!(written(|out| float::put_f32(value, out)), expected);
    }
}

#[test]
fn decimals_keep_their_scale() {
    for (value, scale, expected) in [
        (0, 2, "0.00"),
        (-5, 2, "-0.05"),
        (12_345, 2, "123.45"),
        (7, 0, "7"),
        (7, -2, "700"),
        (100, 2, "1.00"),
        (i128::MIN, 10, "-17014118346046923173168730371.5884105728"),
    ] {
        assert_eq!(written(|out| text::put_decimal(value, scale, out)), expected);
    }
}

#[test]
fn dates_and_times() {
    for (days, expected) in [
        (0, "1970-01-01"),
        (-1, "1969-12-31"),
        (11_016, "2000-02-29"),
        (-719_162, "0001-01-01"),
        (-719_163, "0001-12-31 BC"),
        (2_932_896, "9999-12-31"),
        (2_932_897, "10000-01-01"),
    ] {
        assert_eq!(written(|out| time::put_date(days, out)), expected);
    }
    for (micros, zone, expected) in [
        (0, None, "1970-01-01 00:00:00"),
        (-1, None, "1969-12-31 23:59:59.999999"),
        (1_500_000, None, "1970-01-01 00:00:01.5"),
        (0, Some(Tz::UTC), "1970-01-01 00:00:00+00"),
        (1_719_792_000_000_000, Some(Tz::Europe__Berlin), "2024-07-01 02:00:00+02"),
        (1_719_792_000_000_000, Some(Tz::Asia__Kolkata), "2024-07-01 05:30:00+05:30"),
        (1_719_792_000_000_000, Some(Tz::America__New_York), "2024-06-30 20:00:00-04"),
    ] {
        assert_eq!(written(|out| time::put_timestamp(micros, zone, out)), expected);
    }
    for (months, days, nanos, expected) in [
        (0, 0, 0, "00:00:00"),
        (14, 3, 14_706_789_000_000, "1 year 2 mons 3 days 04:05:06.789"),
        (0, -1, 7_200_000_000_000, "-1 days +02:00:00"),
        (0, 1, 0, "1 day"),
        (-1, 0, 0, "-1 mons"),
        (0, 0, -500_000_000, "-00:00:00.5"),
        (0, 0, 360_000_000_000_000, "100:00:00"),
    ] {
        assert_eq!(written(|out| time::put_interval(months, days, nanos, out)), expected);
    }
}

#[test]
fn numerics_in_groups_of_four_digits() {
    // Groups, weight, sign and scale, as PostgreSQL's numeric_send gives them.
    let cases: [(i128, i8, &[u16]); 8] = [
        (0, 0, &[0, 0, 0, 0]),
        (0, 2, &[0, 0, 0, 2]),
        (1, 0, &[1, 0, 0, 0, 1]),
        (10_000, 0, &[1, 1, 0, 0, 1]),
        (-12_345, 2, &[2, 0, 0x4000, 2, 123, 4_500]),
        (5, 4, &[1, 0xFFFF, 0, 4, 5]),
        (123_456_789, 3, &[3, 1, 0, 3, 12, 3_456, 7_890]),
        (1, 10, &[1, 0xFFFD, 0, 10, 100]),
    ];
    for (value, scale, expected) in cases {
        let mut out = BytesMut::new();
        put_numeric(value, scale, &mut out);
        let words: Vec<u16> = out.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
        assert_eq!(words, expected, "{value} {scale}");
        let back = parameter_text(types::NUMERIC, Format::Binary, &out).unwrap();
        assert_eq!(back, written(|out| text::put_decimal(value, scale, out)));
    }
}

#[test]
fn arrays_quote_what_needs_it() {
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None]), Some(vec![])]);
    let array = Arc::new(list) as ArrayRef;
    let field = Field::new("a", array.data_type().clone(), true);
    let column = Column::new(&array, &field).unwrap();
    assert_eq!(written(|out| text::put(&column, 0, Tz::UTC, out)), "{1,NULL}");
    assert_eq!(written(|out| text::put(&column, 1, Tz::UTC, out)), "{}");
    let mut sent = BytesMut::new();
    binary::put(&column, 0, 1007, &mut sent);
    assert_eq!(parameter_text(1007, Format::Binary, &sent).unwrap(), "{1,NULL}");
    for (element, expected) in [("a", "a"), ("", "\"\""), ("a b", "\"a b\""), ("null", "\"null\""), ("\"", "\"\\\"\"")]
    {
        assert_eq!(written(|out| text::put_element(element.as_bytes(), out)), expected);
    }
    let texts = Arc::new(StringArray::from(vec!["x"])) as ArrayRef;
    let column = Column::new(&texts, &Field::new("t", texts.data_type().clone(), true)).unwrap();
    assert_eq!(written(|out| text::put(&column, 0, Tz::UTC, out)), "x");
}

#[test]
fn binary_parameters_become_texts() {
    let micros = |value: i64| value.to_be_bytes().to_vec();
    let cases = [
        (types::BOOL, vec![1], "true"),
        (types::INT2, vec![0xFF, 0xFE], "-2"),
        (types::INT8, micros(-1), "-1"),
        (types::FLOAT8, 1.5f64.to_be_bytes().to_vec(), "1.5"),
        (types::DATE, 59i32.to_be_bytes().to_vec(), "2000-02-29"),
        (types::TIMESTAMP, micros(-1), "1999-12-31 23:59:59.999999"),
        (types::TIMESTAMPTZ, micros(0), "2000-01-01 00:00:00+00"),
        (types::BYTEA, vec![0, 0xAB], "00ab"),
        (types::TEXT, "ü".as_bytes().to_vec(), "ü"),
    ];
    for (oid, bytes, expected) in cases {
        assert_eq!(parameter_text(oid, Format::Binary, &bytes).unwrap(), expected);
    }
}

#[test]
fn damaged_parameters_are_refused() {
    let mut long = BytesMut::new();
    long.put_i32(1);
    long.put_i32(0);
    long.put_u32(types::INT4);
    long.put_i32(i32::MAX);
    long.put_i32(1);
    let cases: [(u32, &[u8]); 8] = [
        (types::BOOL, &[2]),
        (types::INT4, &[0, 0, 0]),
        (types::NUMERIC, &[0, 9, 0, 0, 0, 0, 0, 0]),
        (types::NUMERIC, &[0, 0, 0x7F, 0xFF, 0, 0, 0, 0]),
        (types::DATE, &[0x7F, 0xFF, 0xFF, 0xFF]),
        (types::TEXT, &[0xFF]),
        (types::TEXT, &[0]),
        (1007, &long),
    ];
    for (oid, bytes) in cases {
        assert!(parameter_text(oid, Format::Binary, bytes).is_err(), "{oid} {bytes:?}");
    }
}
