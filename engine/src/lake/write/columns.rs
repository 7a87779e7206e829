//! Arrow columns seen value by value, for the formats that write rows as text.

use crate::error::{Error, Result};
use crate::lake::types;
use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, BooleanArray, Decimal128Array, LargeStringArray, PrimitiveArray,
    StringViewArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{
    DataType, Date32Type, FieldRef, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit,
    TimestampMicrosecondType,
};
use std::sync::Arc;

/// A column of one of the types that tables have; see [`types::to_arrow`].
pub(super) struct Column<'a> {
    nulls: Option<&'a NullBuffer>,
    pub(super) values: Values<'a>,
}

/// The values of a [`Column`]; those of NULL rows mean nothing.
pub(super) enum Values<'a> {
    Boolean(&'a BooleanArray),
    TinyInt(&'a PrimitiveArray<Int8Type>),
    SmallInt(&'a PrimitiveArray<Int16Type>),
    Int(&'a PrimitiveArray<Int32Type>),
    BigInt(&'a PrimitiveArray<Int64Type>),
    Float(&'a PrimitiveArray<Float32Type>),
    Double(&'a PrimitiveArray<Float64Type>),
    Decimal(&'a Decimal128Array),
    Text(&'a StringViewArray),
    /// JSON, which is written as it is.
    Document(&'a LargeStringArray),
    Binary(&'a BinaryViewArray),
    Date(&'a PrimitiveArray<Date32Type>),
    Timestamp(&'a PrimitiveArray<TimestampMicrosecondType>),
    List {
        offsets: &'a OffsetBuffer<i32>,
        elements: Box<Column<'a>>,
    },
    Map {
        offsets: &'a OffsetBuffer<i32>,
        keys: Box<Column<'a>>,
        values: Box<Column<'a>>,
    },
    Struct(Vec<(&'a str, Column<'a>)>),
}

impl<'a> Column<'a> {
    /// The view of an array that [`canonical`] gave.
    pub(super) fn new(array: &'a ArrayRef) -> Result<Self> {
        let values = match array.data_type() {
            DataType::Boolean => Values::Boolean(array.as_boolean()),
            DataType::Int8 => Values::TinyInt(array.as_primitive()),
            DataType::Int16 => Values::SmallInt(array.as_primitive()),
            DataType::Int32 => Values::Int(array.as_primitive()),
            DataType::Int64 => Values::BigInt(array.as_primitive()),
            DataType::Float32 => Values::Float(array.as_primitive()),
            DataType::Float64 => Values::Double(array.as_primitive()),
            DataType::Decimal128(_, _) => Values::Decimal(array.as_primitive()),
            DataType::Utf8View => Values::Text(array.as_string_view()),
            DataType::LargeUtf8 => Values::Document(array.as_string()),
            DataType::BinaryView => Values::Binary(array.as_binary_view()),
            DataType::Date32 => Values::Date(array.as_primitive()),
            DataType::Timestamp(TimeUnit::Microsecond, _) => Values::Timestamp(array.as_primitive()),
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                Values::List { offsets: list.offsets(), elements: Box::new(Column::new(list.values())?) }
            }
            DataType::Map(_, _) => {
                let map = array.as_map();
                Values::Map {
                    offsets: map.offsets(),
                    keys: Box::new(Column::new(map.keys())?),
                    values: Box::new(Column::new(map.values())?),
                }
            }
            DataType::Struct(fields) => Values::Struct(
                fields
                    .iter()
                    .zip(array.as_struct().columns())
                    .map(|(field, column)| Ok((field.name().as_str(), Column::new(column)?)))
                    .collect::<Result<_>>()?,
            ),
            other => return Err(Error::unsupported(format_args!("writing a column of type {other} as text"))),
        };
        Ok(Self { nulls: array.nulls(), values })
    }

    pub(super) fn is_null(&self, row: usize) -> bool {
        self.nulls.is_some_and(|nulls| nulls.is_null(row))
    }
}

/// The rows of a list's or map's value.
pub(super) fn element_range(offsets: &OffsetBuffer<i32>, row: usize) -> std::ops::Range<usize> {
    offsets[row] as usize..offsets[row + 1] as usize
}

/// The array in the type that tables have for its values: other flavours of texts, lists and times are cast.
pub(super) fn canonical(array: &ArrayRef) -> Result<ArrayRef> {
    in_type(array, &canonical_type(array.data_type())?)
}

/// The same, but for large texts, which are JSON and stay what they are.
pub(super) fn with_documents(array: &ArrayRef) -> Result<ArrayRef> {
    let found = array.data_type();
    in_type(array, &keeping_documents(&canonical_type(found)?, found))
}

fn canonical_type(data_type: &DataType) -> Result<DataType> {
    Ok(match (data_type, with_views(&types::to_arrow(&types::from_arrow(data_type)?))) {
        // A table's type knows no zone; how a moment is written hangs on it.
        (DataType::Timestamp(_, zone), DataType::Timestamp(unit, None)) => DataType::Timestamp(unit, zone.clone()),
        (_, wanted) => wanted,
    })
}

fn in_type(array: &ArrayRef, wanted: &DataType) -> Result<ArrayRef> {
    if array.data_type().equals_datatype(wanted) {
        return Ok(ArrayRef::clone(array));
    }
    arrow::compute::cast(array, wanted).map_err(|e| {
        Error::unsupported(format_args!("writing a column of type {}", array.data_type())).with_detail(e.to_string())
    })
}

/// The wanted type with large texts where they are found.
fn keeping_documents(wanted: &DataType, found: &DataType) -> DataType {
    let field = |wanted: &FieldRef, found: &FieldRef| {
        let kept = keeping_documents(wanted.data_type(), found.data_type());
        Arc::new(wanted.as_ref().clone().with_data_type(kept))
    };
    match (wanted, found) {
        (_, DataType::LargeUtf8) => DataType::LargeUtf8,
        (DataType::List(wanted), DataType::List(found)) => DataType::List(field(wanted, found)),
        (DataType::Map(wanted, sorted), DataType::Map(found, _)) => DataType::Map(field(wanted, found), *sorted),
        (DataType::Struct(wanted), DataType::Struct(found)) => {
            DataType::Struct(wanted.iter().zip(found).map(|(wanted, found)| field(wanted, found)).collect())
        }
        (wanted, _) => wanted.clone(),
    }
}

/// The type with views for all texts: tables have none for the keys of maps.
fn with_views(data_type: &DataType) -> DataType {
    let field = |field: &FieldRef| Arc::new(field.as_ref().clone().with_data_type(with_views(field.data_type())));
    match data_type {
        DataType::Utf8 => DataType::Utf8View,
        DataType::List(element) => DataType::List(field(element)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(field).collect()),
        DataType::Map(entries, sorted) => DataType::Map(field(entries), *sorted),
        other => other.clone(),
    }
}
