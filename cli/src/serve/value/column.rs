//! One column of a batch, looked at once: rare types are cast to common ones, so that writing a value is one match.

use super::types::{PgType, SUPER, TIMETZ, VARBYTE};
use crate::print::encodable_type;
use arrow::array::types::{
    Date32Type, Decimal128Type, DurationMicrosecondType, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type,
    IntervalMonthDayNanoType, IntervalYearMonthType, Time64MicrosecondType, TimestampMicrosecondType,
};
use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryViewArray, BooleanArray, Date32Array, Decimal128Array,
    DurationMicrosecondArray, Float32Array, Float64Array, Int16Array, Int32Array, Int64Array,
    IntervalMonthDayNanoArray, IntervalYearMonthArray, ListArray, StringArray, StringBuilder, StringViewArray,
    Time64MicrosecondArray, TimestampMicrosecondArray,
};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, IntervalUnit, TimeUnit};
use arrow::error::ArrowError;
use arrow::json::writer::{EncoderOptions, make_encoder};
use std::sync::Arc;

/// A column ready to be written.
pub(super) struct Column {
    pub(super) nulls: Option<NullBuffer>,
    pub(super) values: Values,
}

/// The values of a column.
pub(super) enum Values {
    Null,
    Bool(BooleanArray),
    I16(Int16Array),
    I32(Int32Array),
    I64(Int64Array),
    F32(Float32Array),
    F64(Float64Array),
    /// With the scale.
    Decimal(Decimal128Array, i8),
    Text(StringArray),
    TextView(StringViewArray),
    Bytes(BinaryArray),
    BytesView(BinaryViewArray),
    /// Bytes whose text is digits alone.
    Hex(BinaryArray),
    Date(Date32Array),
    Time(Time64MicrosecondArray),
    /// Times of day in UTC.
    TimeTz(Time64MicrosecondArray),
    Timestamp(TimestampMicrosecondArray),
    TimestampTz(TimestampMicrosecondArray),
    Interval(IntervalMonthDayNanoArray),
    Months(IntervalYearMonthArray),
    /// Days and times as microseconds.
    Micros(DurationMicrosecondArray),
    /// With the elements of all lists, and their type's number.
    List(ListArray, Box<Column>, u32),
}

impl Column {
    /// Looks at a column.
    pub(super) fn new(array: &ArrayRef, field: &Field) -> Result<Self, ArrowError> {
        // A column whose values JSON stands for is text from here on.
        let array = if PgType::of(field).oid == SUPER && array.data_type().is_nested() {
            Arc::new(json(array, field)?) as ArrayRef
        } else {
            common(array)?
        };
        let values = match array.data_type() {
            DataType::Null => Values::Null,
            DataType::Boolean => Values::Bool(array.as_boolean().clone()),
            DataType::Int16 => Values::I16(array.as_primitive::<Int16Type>().clone()),
            DataType::Int32 => Values::I32(array.as_primitive::<Int32Type>().clone()),
            DataType::Int64 => Values::I64(array.as_primitive::<Int64Type>().clone()),
            DataType::Float32 => Values::F32(array.as_primitive::<Float32Type>().clone()),
            DataType::Float64 => Values::F64(array.as_primitive::<Float64Type>().clone()),
            DataType::Decimal128(_, scale) => Values::Decimal(array.as_primitive::<Decimal128Type>().clone(), *scale),
            DataType::Utf8 => Values::Text(array.as_string::<i32>().clone()),
            DataType::Utf8View => Values::TextView(array.as_string_view().clone()),
            DataType::Binary | DataType::BinaryView if PgType::of(field).oid == VARBYTE => {
                Values::Hex(cast(&array, &DataType::Binary)?.as_binary::<i32>().clone())
            }
            DataType::Binary => Values::Bytes(array.as_binary::<i32>().clone()),
            DataType::BinaryView => Values::BytesView(array.as_binary_view().clone()),
            DataType::Date32 => Values::Date(array.as_primitive::<Date32Type>().clone()),
            DataType::Time64(_) if PgType::of(field).oid == TIMETZ => {
                Values::TimeTz(array.as_primitive::<Time64MicrosecondType>().clone())
            }
            DataType::Time64(_) => Values::Time(array.as_primitive::<Time64MicrosecondType>().clone()),
            DataType::Timestamp(_, None) => Values::Timestamp(array.as_primitive::<TimestampMicrosecondType>().clone()),
            DataType::Timestamp(_, Some(_)) => {
                Values::TimestampTz(array.as_primitive::<TimestampMicrosecondType>().clone())
            }
            DataType::Interval(IntervalUnit::YearMonth) => {
                Values::Months(array.as_primitive::<IntervalYearMonthType>().clone())
            }
            DataType::Duration(_) => Values::Micros(array.as_primitive::<DurationMicrosecondType>().clone()),
            DataType::Interval(_) => Values::Interval(array.as_primitive::<IntervalMonthDayNanoType>().clone()),
            DataType::List(item) => {
                let list = array.as_list::<i32>();
                let elements = Self::new(list.values(), item)?;
                Values::List(list.clone(), Box::new(elements), PgType::of(item).oid)
            }
            other => return Err(ArrowError::NotYetImplemented(format!("a column of type {other} on the wire"))),
        };
        Ok(Self { nulls: array.logical_nulls().filter(|nulls| nulls.null_count() > 0), values })
    }

    /// Whether a value is NULL.
    pub(super) fn is_null(&self, row: usize) -> bool {
        matches!(self.values, Values::Null) || self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
    }
}

/// A column in one of the types that [`Values`] knows.
fn common(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match common_type(array.data_type()) {
        Some(wanted) if wanted != *array.data_type() => common(&cast(array, &wanted)?),
        _ => Ok(Arc::clone(array)),
    }
}

fn common_type(data_type: &DataType) -> Option<DataType> {
    let list = |item: &FieldRef| DataType::List(Arc::clone(item));
    Some(match data_type {
        DataType::Int8 | DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 => DataType::Int64,
        DataType::UInt64 => DataType::Decimal128(20, 0),
        DataType::Float16 => DataType::Float32,
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        // Beyond 38 digits numbers go as the text that they have.
        DataType::Decimal256(precision, scale) if *precision <= 38 => DataType::Decimal128(*precision, *scale),
        DataType::Decimal256(..) => DataType::Utf8,
        // One text of two gigabytes does not fit into a message anyway.
        DataType::LargeUtf8 => DataType::Utf8View,
        DataType::LargeBinary => DataType::BinaryView,
        DataType::FixedSizeBinary(_) => DataType::Binary,
        DataType::Date64 => DataType::Date32,
        DataType::Time32(_) | DataType::Time64(TimeUnit::Nanosecond) => DataType::Time64(TimeUnit::Microsecond),
        DataType::Timestamp(unit, zone) if *unit != TimeUnit::Microsecond => {
            DataType::Timestamp(TimeUnit::Microsecond, zone.clone())
        }
        DataType::Duration(unit) if *unit != TimeUnit::Microsecond => DataType::Duration(TimeUnit::Microsecond),
        DataType::Interval(IntervalUnit::DayTime) => DataType::Interval(IntervalUnit::MonthDayNano),
        DataType::Dictionary(_, values) => values.as_ref().clone(),
        DataType::RunEndEncoded(_, values) => values.data_type().clone(),
        DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => list(item),
        _ => return None,
    })
}

/// Nested values as JSON.
fn json(array: &ArrayRef, field: &Field) -> Result<StringArray, ArrowError> {
    let array = &cast(array, &encodable_type(array.data_type()))?;
    let field: FieldRef = Arc::new(Field::new(field.name(), array.data_type().clone(), true));
    let options = EncoderOptions::default().with_explicit_nulls(true);
    let mut encoder = make_encoder(&field, array, &options)?;
    let mut built = StringBuilder::with_capacity(array.len(), array.len() * 16);
    let mut text = Vec::new();
    for row in 0..array.len() {
        if encoder.is_null(row) {
            built.append_null();
            continue;
        }
        text.clear();
        encoder.encode(row, &mut text);
        built.append_value(String::from_utf8_lossy(&text));
    }
    Ok(built.finish())
}
