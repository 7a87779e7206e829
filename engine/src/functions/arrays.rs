//! Elements of arrays and maps as Trino finds them, and names of types.

use super::kernel::{ATHENA, Call, Gives, Kind, Scalar, scalar, shown_type};
use crate::error::{Error, ErrorKind, Result};
use crate::sql::Dialect;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, Int64Array, ListArray, MapArray, MutableArrayData, UInt64Array, make_array,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::kernels::cmp::eq;
use datafusion::arrow::compute::{cast, take};
use datafusion::arrow::datatypes::{DataType, Field, Int64Type};
use std::sync::Arc;

/// An array of the texts that an array's elements are cast to.
pub(crate) const ELEMENT_TEXTS: &str = "$element_texts";

pub(super) const FUNCTIONS: &[Scalar] = &[
    scalar("element_at", ATHENA, &[Kind::Any, Kind::Any], Gives::Of(element_type), |call| element(call, false)).doc(
        "element_at(array, index), element_at(map, key)",
        "An element, counted from 1 or, negative, from the end; NULL where there is none.",
        &[
            ("element_at(ARRAY['a', 'b'], -1)", "b"),
            ("element_at(ARRAY[1], 5)", "NULL"),
            ("element_at(map(ARRAY['x'], ARRAY[1]), 'x')", "1"),
        ],
    ),
    scalar("$subscript", ATHENA, &[Kind::Any, Kind::Any], Gives::Of(element_type), |call| element(call, true)),
    scalar(ELEMENT_TEXTS, ATHENA, &[Kind::Any], Gives::Of(texts_type), element_texts),
    scalar("cardinality", ATHENA, &[Kind::Any], Gives::Int8, cardinality).doc(
        "cardinality(array), cardinality(map)",
        "How many elements an array has, or entries a map.",
        &[("cardinality(ARRAY[ARRAY[1, 2], ARRAY[3]])", "2"), ("cardinality(map(ARRAY['x'], ARRAY[1]))", "1")],
    ),
    scalar("reverse", ATHENA, &[Kind::Any], Gives::Of(first), reverse).doc(
        "reverse(array), reverse(text)",
        "From the end to the start.",
        &[("reverse(ARRAY[1, 2])", "[2, 1]"), ("reverse('abc')", "cba")],
    ),
    scalar("slice", ATHENA, &[Kind::Any, Kind::Int, Kind::Int], Gives::Of(first), slice).doc(
        "slice(array, start, length)",
        "So many elements from one on, counted from 1 or, negative, from the end.",
        &[("slice(ARRAY[1, 2, 3, 4], 2, 2)", "[2, 3]"), ("slice(ARRAY[1, 2, 3, 4], -2, 5)", "[3, 4]")],
    ),
    scalar("typeof", ATHENA, &[Kind::Any], Gives::Text, |call| {
        let name = type_name(call.args[0].data_type());
        call.texts(|_| Ok(Some(&name)))
    })
    .with_nulls()
    .doc(
        "typeof(value)",
        "The name of a value's type.",
        &[
            ("typeof(1)", "integer"),
            ("typeof(1.5)", "decimal(2,1)"),
            ("typeof(ARRAY['a'])", "array(varchar)"),
            ("typeof(INTERVAL '1' DAY)", "interval day to second"),
        ],
    ),
];

/// The texts that the elements of an array are cast to.
fn element_texts(call: &Call<'_>) -> Result<ArrayRef> {
    super::cast::as_type(&call.args[0], &call.gives, Dialect::Athena)
}

fn texts_type(args: &[DataType]) -> Result<DataType> {
    let element = match args.first() {
        Some(DataType::List(element)) => element.data_type(),
        Some(DataType::Null) => &DataType::Null,
        other => {
            let found = other.map(shown_type).unwrap_or_default();
            return Err(Error::new(ErrorKind::UndefinedFunction, format!("an array is needed, not {found}")));
        }
    };
    if element.is_nested() {
        return Err(Error::new(ErrorKind::UndefinedFunction, format!("{} is no text", type_name(element))));
    }
    Ok(DataType::List(Arc::new(Field::new_list_field(DataType::Utf8View, true))))
}

fn first(args: &[DataType]) -> Result<DataType> {
    Ok(match args.first() {
        Some(DataType::Utf8 | DataType::LargeUtf8) | None => DataType::Utf8View,
        Some(other) => other.clone(),
    })
}

/// Elements from one on; none where there is no such.
fn slice(call: &Call<'_>) -> Result<ArrayRef> {
    let DataType::List(element) = &call.gives else {
        let message = format!("an array is needed, not {}", shown_type(&call.gives));
        return Err(Error::new(ErrorKind::DatatypeMismatch, message));
    };
    let (lists, starts, wanted) = (call.args[0].as_list::<i32>(), call.int(1), call.int(2));
    let values = lists.values().to_data();
    let (mut kept, mut lengths) = (MutableArrayData::new(vec![&values], false, 0), Vec::with_capacity(call.rows));
    for row in 0..call.rows {
        if call.is_null(row) {
            lengths.push(0);
            continue;
        }
        let (start, wanted) = (starts.value(row), wanted.value(row));
        let invalid = |message: &str| Err(Error::new(ErrorKind::InvalidParameter, message));
        if start == 0 {
            return invalid("SQL array indices start at 1");
        }
        if wanted < 0 {
            return invalid("length must be greater than or equal to 0");
        }
        let (begin, size) = (lists.value_offsets()[row] as usize, i64::from(lists.value_length(row)));
        let before = if start > 0 { start - 1 } else { size + start };
        let length = if before < 0 { 0 } else { wanted.min(size - before).max(0) } as usize;
        if length > 0 {
            let from = begin + before as usize;
            kept.try_extend(0, from, from + length)?;
        }
        lengths.push(length);
    }
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(ListArray::try_new(Arc::clone(element), offsets, make_array(kept.freeze()), call.nulls.clone())?))
}

fn element_type(args: &[DataType]) -> Result<DataType> {
    match args.first() {
        Some(DataType::List(field) | DataType::LargeList(field) | DataType::FixedSizeList(field, _)) => {
            Ok(field.data_type().clone())
        }
        Some(DataType::Map(entries, _)) => match entries.data_type() {
            DataType::Struct(fields) if fields.len() == 2 => Ok(fields[1].data_type().clone()),
            _ => Err(Error::internal("a map without values")),
        },
        Some(other) => {
            let message = format!("an array or map is needed, not {}", shown_type(other));
            Err(Error::new(ErrorKind::DatatypeMismatch, message))
        }
        None => Err(Error::internal("an element of nothing")),
    }
}

/// An element a row; where there is none, NULL, or an error where `must` be one.
fn element(call: &Call<'_>, must: bool) -> Result<ArrayRef> {
    if let DataType::Map(..) = call.args[0].data_type() {
        return value_of_key(call, must);
    }
    let field = Field::new("item", call.gives.clone(), true);
    let lists = cast(&call.args[0], &DataType::List(Arc::new(field)))?;
    let lists = lists.as_list::<i32>();
    let indices = cast(&call.args[1], &DataType::Int64)?;
    let indices: &Int64Array = indices.as_primitive::<Int64Type>();
    let mut places = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        if call.is_null(row) {
            places.push(None);
            continue;
        }
        let (index, length) = (indices.value(row), i64::from(lists.value_length(row)));
        let at = match index {
            0 => return Err(Error::new(ErrorKind::InvalidParameter, "SQL array indices start at 1")),
            1.. => index - 1,
            _ if must => {
                return Err(Error::new(ErrorKind::InvalidParameter, format!("array subscript is negative: {index}")));
            }
            _ => length + index,
        };
        let found = (0..length).contains(&at);
        if !found && must {
            let message = format!("array subscript must be less than or equal to array length: {index} > {length}");
            return Err(Error::new(ErrorKind::InvalidParameter, message));
        }
        places.push(found.then(|| (i64::from(lists.value_offsets()[row]) + at) as u64));
    }
    Ok(take(lists.values(), &UInt64Array::from(places), None)?)
}

fn value_of_key(call: &Call<'_>, must: bool) -> Result<ArrayRef> {
    let map: &MapArray = call.args[0].as_map();
    let sought = cast(&call.args[1], map.keys().data_type())?;
    let mut places = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        if call.is_null(row) {
            places.push(None);
            continue;
        }
        let (from, to) = (map.value_offsets()[row] as usize, map.value_offsets()[row + 1] as usize);
        let keys = map.keys().slice(from, to - from);
        let one = datafusion::arrow::array::Scalar::new(sought.slice(row, 1));
        let place = eq(&keys, &one)?.iter().position(|same| same == Some(true));
        if place.is_none() && must {
            let key = datafusion::arrow::util::display::array_value_to_string(&sought, row)?;
            return Err(Error::new(ErrorKind::InvalidParameter, format!("key not present in map: {key}")));
        }
        places.push(place.map(|at| (from + at) as u64));
    }
    Ok(take(map.values(), &UInt64Array::from(places), None)?)
}

fn cardinality(call: &Call<'_>) -> Result<ArrayRef> {
    let values = &call.args[0];
    match values.data_type() {
        DataType::Map(..) => {
            let map = values.as_map();
            call.ints(|row| Ok(Some(i64::from(map.value_length(row)))))
        }
        DataType::List(_) => {
            let lists = values.as_list::<i32>();
            call.ints(|row| Ok(Some(i64::from(lists.value_length(row)))))
        }
        DataType::LargeList(_) => {
            let lists = values.as_list::<i64>();
            call.ints(|row| Ok(Some(lists.value_length(row))))
        }
        DataType::FixedSizeList(_, length) => call.ints(|_| Ok(Some(i64::from(*length)))),
        DataType::Null => call.ints(|_| Ok(None)),
        other => {
            let message = format!("an array or map is needed, not {}", shown_type(other));
            Err(Error::new(ErrorKind::DatatypeMismatch, message))
        }
    }
}

fn reverse(call: &Call<'_>) -> Result<ArrayRef> {
    if let DataType::List(_) = call.args[0].data_type() {
        let lists = call.args[0].as_list::<i32>();
        let mut order = Vec::with_capacity(lists.values().len());
        let first = lists.value_offsets().first().copied().unwrap_or_default();
        for row in 0..call.rows {
            let (from, to) = (lists.value_offsets()[row], lists.value_offsets()[row + 1]);
            order.extend((from..to).rev().map(|at| at as u64));
        }
        let values = take(lists.values(), &UInt64Array::from(order), None)?;
        let offsets: Vec<i32> = lists.value_offsets().iter().map(|offset| offset - first).collect();
        let DataType::List(field) = call.args[0].data_type() else { return Err(Error::internal("a list is lost")) };
        let offsets = datafusion::arrow::buffer::OffsetBuffer::new(offsets.into());
        let reversed =
            datafusion::arrow::array::ListArray::try_new(Arc::clone(field), offsets, values, lists.nulls().cloned())?;
        return Ok(Arc::new(reversed));
    }
    if let DataType::Binary | DataType::LargeBinary | DataType::BinaryView = call.gives {
        let values = cast(&call.args[0], &DataType::Binary)?;
        let values = values.as_binary::<i32>().iter();
        let reversed: BinaryArray =
            values.map(|bytes| bytes.map(|bytes| bytes.iter().rev().copied().collect::<Vec<u8>>())).collect();
        return Ok(cast(&reversed, &call.gives)?);
    }
    let texts = cast(&call.args[0], &DataType::Utf8View)?;
    let texts = texts.as_string_view();
    call.texts(|row| Ok(Some(texts.value(row).chars().rev().collect::<String>())))
}

/// Trino's name of a type.
pub(super) fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Float64 => "double".to_owned(),
        DataType::Decimal128(precision, scale) => format!("decimal({precision},{scale})"),
        DataType::LargeUtf8 => "json".to_owned(),
        DataType::Utf8 | DataType::Utf8View => "varchar".to_owned(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "varbinary".to_owned(),
        DataType::Timestamp(_, None) => "timestamp(3)".to_owned(),
        DataType::Timestamp(_, Some(_)) => "timestamp(3) with time zone".to_owned(),
        DataType::Time32(_) | DataType::Time64(_) => "time(3)".to_owned(),
        DataType::List(field) | DataType::LargeList(field) => format!("array({})", type_name(field.data_type())),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) if fields.len() == 2 => {
                format!("map({}, {})", type_name(fields[0].data_type()), type_name(fields[1].data_type()))
            }
            _ => "map".to_owned(),
        },
        DataType::Struct(fields) => {
            let fields = fields.iter().map(|field| format!("{} {}", field.name(), type_name(field.data_type())));
            format!("row({})", fields.collect::<Vec<_>>().join(", "))
        }
        other => shown_type(other),
    }
}
