//! Hive's types and Arrow's, each in terms of the other, and partition values as typed scalars.
//!
//! A table's columns have exactly the Arrow types that [`to_arrow`] gives, whatever its files hold: scans cast what they
//! read, and writers get batches that were cast already. [`from_arrow`] goes the other way, for the columns that a
//! query or a file's footer brings: it picks the narrowest Hive type that holds every value.

use crate::error::{Error, ErrorKind, Result};
use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use datafusion::common::ScalarValue;
use millrace_catalog::model::{Column, HiveType, StructField};
use std::collections::HashMap;
use std::sync::Arc;

/// The key of a field's metadata under which a column's comment stands.
pub const COMMENT_KEY: &str = "comment";

/// The most digits that Hive's `decimal` has.
const MAX_DECIMAL_DIGITS: u8 = 38;

/// The Arrow type of a Hive type.
///
/// `timestamp` is in microseconds and has no zone; all texts are `Utf8View`, whatever their length limit, but for a
/// map's keys, which DataFusion compares with `Utf8` literals only; an array's field is named `element`, as Parquet's
/// specification names it.
pub fn to_arrow(hive: &HiveType) -> DataType {
    match hive {
        HiveType::Boolean => DataType::Boolean,
        HiveType::TinyInt => DataType::Int8,
        HiveType::SmallInt => DataType::Int16,
        HiveType::Int => DataType::Int32,
        HiveType::BigInt => DataType::Int64,
        HiveType::Float => DataType::Float32,
        HiveType::Double => DataType::Float64,
        HiveType::Decimal(precision, scale) => DataType::Decimal128(*precision, *scale),
        HiveType::String | HiveType::Varchar(_) | HiveType::Char(_) | HiveType::Super => DataType::Utf8View,
        HiveType::Binary => DataType::BinaryView,
        HiveType::Date => DataType::Date32,
        HiveType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        HiveType::Array(element) => DataType::List(Arc::new(Field::new("element", to_arrow(element), true))),
        HiveType::Map(key, value) => {
            let key = match to_arrow(key) {
                DataType::Utf8View => DataType::Utf8,
                other => other,
            };
            let key = Field::new("key", key, false);
            let value = Field::new("value", to_arrow(value), true);
            let entries = DataType::Struct(Fields::from(vec![key, value]));
            DataType::Map(Arc::new(Field::new("entries", entries, false)), false)
        }
        HiveType::Struct(fields) => {
            DataType::Struct(fields.iter().map(|f| Field::new(&f.name, to_arrow(&f.data_type), true)).collect())
        }
    }
}

/// The Arrow field of a column: nullable, its comment in the metadata under [`COMMENT_KEY`].
pub fn to_field(column: &Column) -> Field {
    let field = Field::new(&column.name, to_arrow(&column.data_type), true);
    match &column.comment {
        Some(comment) => field.with_metadata(HashMap::from([(COMMENT_KEY.to_owned(), comment.clone())])),
        None => field,
    }
}

/// The nearest Hive type of an Arrow type.
///
/// Unsigned integers become the next wider signed type (`UInt64` a `decimal(20,0)`); a timestamp loses its unit and its
/// zone (the instant is kept, shown in UTC, as Athena's CTAS shows `timestamp with time zone`); times of day, which Hive
/// does not have, and the type of an untyped NULL become `string`. Types without a Hive counterpart are errors (0A000).
pub fn from_arrow(data_type: &DataType) -> Result<HiveType> {
    Ok(match data_type {
        DataType::Boolean => HiveType::Boolean,
        DataType::Int8 => HiveType::TinyInt,
        DataType::Int16 | DataType::UInt8 => HiveType::SmallInt,
        DataType::Int32 | DataType::UInt16 => HiveType::Int,
        DataType::Int64 | DataType::UInt32 => HiveType::BigInt,
        DataType::UInt64 => HiveType::Decimal(20, 0),
        DataType::Float16 | DataType::Float32 => HiveType::Float,
        DataType::Float64 => HiveType::Double,
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => decimal(*precision, *scale, data_type)?,
        DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Null
        | DataType::Time32(_)
        | DataType::Time64(_) => HiveType::String,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            HiveType::Binary
        }
        DataType::Date32 | DataType::Date64 => HiveType::Date,
        DataType::Timestamp(_, _) => HiveType::Timestamp,
        DataType::Dictionary(_, value) => from_arrow(value)?,
        DataType::RunEndEncoded(_, values) => from_arrow(values.data_type())?,
        DataType::List(element)
        | DataType::LargeList(element)
        | DataType::ListView(element)
        | DataType::LargeListView(element)
        | DataType::FixedSizeList(element, _) => HiveType::Array(Box::new(from_arrow(element.data_type())?)),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) if fields.len() == 2 => HiveType::Map(
                Box::new(from_arrow(fields[0].data_type())?),
                Box::new(from_arrow(fields[1].data_type())?),
            ),
            _ => return Err(no_counterpart(data_type)),
        },
        DataType::Struct(fields) if !fields.is_empty() => HiveType::Struct(
            fields
                .iter()
                .map(|f| Ok(StructField { name: f.name().clone(), data_type: from_arrow(f.data_type())? }))
                .collect::<Result<_>>()?,
        ),
        DataType::Struct(_) | DataType::Union(_, _) | DataType::Interval(_) | DataType::Duration(_) => {
            return Err(no_counterpart(data_type));
        }
    })
}

fn no_counterpart(data_type: &DataType) -> Error {
    Error::unsupported(format_args!("a column of type {data_type}"))
        .with_hint("Cast the expression to a type that Hive tables have.")
}

/// Hive's scales go from 0 to the precision: a negative scale is so many more digits before the point.
fn decimal(precision: u8, scale: i8, data_type: &DataType) -> Result<HiveType> {
    let digits = if scale < 0 { precision.saturating_add(scale.unsigned_abs()) } else { precision };
    let scale = scale.max(0);
    let digits = digits.max(scale.unsigned_abs());
    if digits <= MAX_DECIMAL_DIGITS { Ok(HiveType::Decimal(digits, scale)) } else { Err(no_counterpart(data_type)) }
}

/// A partition key's value as a scalar of the key's Arrow type; `None` is NULL.
///
/// Texts are what stands in the folder's name, unescaped: `007` and `7` are the same `int`; `true` and `FALSE` are
/// booleans; dates are `YYYY-MM-DD`; timestamps are `YYYY-MM-DD[ HH:MM:SS[.ffffff]]`. Other texts are errors (22P02).
/// Nested types cannot be partition keys (0A000).
pub fn parse_partition_value(text: Option<&str>, hive: &HiveType) -> Result<ScalarValue> {
    let Some(text) = text else {
        return ScalarValue::try_new_null(&to_arrow(hive)).map_err(|e| Error::internal(e.to_string()));
    };
    let scalar = match hive {
        HiveType::Boolean => parse_boolean(text).map(|v| ScalarValue::Boolean(Some(v))),
        HiveType::TinyInt => text.parse().ok().map(|v| ScalarValue::Int8(Some(v))),
        HiveType::SmallInt => text.parse().ok().map(|v| ScalarValue::Int16(Some(v))),
        HiveType::Int => text.parse().ok().map(|v| ScalarValue::Int32(Some(v))),
        HiveType::BigInt => text.parse().ok().map(|v| ScalarValue::Int64(Some(v))),
        HiveType::Float => text.parse().ok().map(|v| ScalarValue::Float32(Some(v))),
        HiveType::Double => text.parse().ok().map(|v| ScalarValue::Float64(Some(v))),
        HiveType::Decimal(precision, scale) => {
            parse_decimal(text, *precision, *scale).map(|v| ScalarValue::Decimal128(Some(v), *precision, *scale))
        }
        HiveType::String | HiveType::Varchar(_) | HiveType::Char(_) => {
            Some(ScalarValue::Utf8View(Some(text.to_owned())))
        }
        HiveType::Binary => Some(ScalarValue::BinaryView(Some(text.as_bytes().to_vec()))),
        HiveType::Date => parse_date(text).map(|v| ScalarValue::Date32(Some(v))),
        HiveType::Timestamp => parse_timestamp(text).map(|v| ScalarValue::TimestampMicrosecond(Some(v), None)),
        HiveType::Array(_) | HiveType::Map(_, _) | HiveType::Struct(_) | HiveType::Super => {
            return Err(Error::unsupported(format_args!("a partition key of type {hive}")));
        }
    };
    scalar.ok_or_else(|| {
        Error::new(ErrorKind::InvalidText, format!("invalid partition value \"{text}\" for type {hive}"))
    })
}

/// Partition values of one key, one a partition, as an array of the key's Arrow type.
pub fn partition_value_array<'a>(
    texts: impl IntoIterator<Item = Option<&'a str>>,
    hive: &HiveType,
) -> Result<ArrayRef> {
    let scalars: Vec<_> = texts.into_iter().map(|text| parse_partition_value(text, hive)).collect::<Result<_>>()?;
    if scalars.is_empty() {
        return Ok(arrow::array::new_empty_array(&to_arrow(hive)));
    }
    ScalarValue::iter_to_array(scalars).map_err(|e| Error::internal(e.to_string()))
}

fn parse_boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// Days since the epoch.
fn parse_date(text: &str) -> Option<i32> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    i32::try_from(date.signed_duration_since(NaiveDate::default()).num_days()).ok()
}

/// Microseconds since the epoch.
fn parse_timestamp(text: &str) -> Option<i64> {
    let moment = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .or_else(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(|d| d.and_time(NaiveTime::MIN)))?;
    Some(moment.and_utc().timestamp_micros())
}

/// The unscaled value; `None` when the text is no number or has more digits than the type, rather than a rounded one:
/// a rounded partition value would name another folder.
fn parse_decimal(text: &str, precision: u8, scale: i8) -> Option<i128> {
    let scale = usize::try_from(scale).ok()?;
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > scale || whole.len() + scale > usize::from(precision) {
        return None;
    }
    let unscaled: i128 = format!("0{whole}{fraction:0<scale$}").parse().ok()?;
    Some(if negative { -unscaled } else { unscaled })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_hive_type_survives_the_way_through_arrow() -> Result<()> {
        for text in [
            "boolean",
            "tinyint",
            "smallint",
            "int",
            "bigint",
            "float",
            "double",
            "decimal(38,18)",
            "string",
            "binary",
            "date",
            "timestamp",
            "array<map<string,struct<a:int,b:array<double>>>>",
        ] {
            let hive: HiveType = text.parse().map_err(|e| Error::internal(format!("{e}")))?;
            assert_eq!(from_arrow(&to_arrow(&hive))?, hive);
        }
        Ok(())
    }

    #[test]
    fn arrow_types_widen_to_the_nearest_hive_type() {
        let zone = Some(Arc::from("Europe/Berlin"));
        for (arrow, hive) in [
            (DataType::UInt8, Some("smallint")),
            (DataType::UInt32, Some("bigint")),
            (DataType::UInt64, Some("decimal(20,0)")),
            (DataType::Float16, Some("float")),
            (DataType::Null, Some("string")),
            (DataType::Time64(TimeUnit::Microsecond), Some("string")),
            (DataType::Timestamp(TimeUnit::Nanosecond, zone), Some("timestamp")),
            (DataType::Decimal256(38, 4), Some("decimal(38,4)")),
            (DataType::Decimal256(39, 4), None),
            (DataType::Decimal128(5, -2), Some("decimal(7,0)")),
            (DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)), Some("string")),
            (DataType::new_large_list(DataType::UInt16, true), Some("array<int>")),
            (DataType::Duration(TimeUnit::Second), None),
            (DataType::Struct(Fields::empty()), None),
        ] {
            assert_eq!(from_arrow(&arrow).ok().map(|h| h.to_string()).as_deref(), hive, "{arrow}");
        }
    }

    #[test]
    fn partition_values_are_typed() {
        for (text, hive, expected) in [
            ("007", HiveType::Int, Some(ScalarValue::Int32(Some(7)))),
            ("-0128", HiveType::TinyInt, Some(ScalarValue::Int8(Some(-128)))),
            ("128", HiveType::TinyInt, None),
            ("", HiveType::Int, None),
            ("TRUE", HiveType::Boolean, Some(ScalarValue::Boolean(Some(true)))),
            ("1", HiveType::Boolean, None),
            ("1970-01-11", HiveType::Date, Some(ScalarValue::Date32(Some(10)))),
            ("1969-12-31", HiveType::Date, Some(ScalarValue::Date32(Some(-1)))),
            ("2024-02-30", HiveType::Date, None),
            ("1.50", HiveType::Decimal(5, 1), Some(ScalarValue::Decimal128(Some(15), 5, 1))),
            ("-.05", HiveType::Decimal(5, 2), Some(ScalarValue::Decimal128(Some(-5), 5, 2))),
            ("1.55", HiveType::Decimal(5, 1), None),
            ("12345.0", HiveType::Decimal(5, 1), None),
            ("1e5", HiveType::Decimal(9, 0), None),
            (
                "1970-01-01 00:00:01.5",
                HiveType::Timestamp,
                Some(ScalarValue::TimestampMicrosecond(Some(1_500_000), None)),
            ),
            ("1970-01-02", HiveType::Timestamp, Some(ScalarValue::TimestampMicrosecond(Some(86_400_000_000), None))),
            ("é", HiveType::Varchar(3), Some(ScalarValue::Utf8View(Some("é".into())))),
        ] {
            assert_eq!(parse_partition_value(Some(text), &hive).ok(), expected, "{text} as {hive}");
        }
        assert_eq!(parse_partition_value(None, &HiveType::Date).ok(), Some(ScalarValue::Date32(None)));
        let error = parse_partition_value(Some("x"), &HiveType::Int).map(|_| ()).unwrap_err();
        assert_eq!(error.message, "invalid partition value \"x\" for type int");
    }
}
