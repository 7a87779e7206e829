//! Casts between arrays, maps and rows, as Trino has them: each element, key and value is cast as the dialect casts it, and
//! the fields of a row by their places, whatever they are called.
//!
//! A value that cannot be cast fails the whole one that it is in; where the cast is a safe one, that is NULL.

use super::cast::as_type;
use super::json_casts;
use super::kernel::{JSON, shown_type};
use crate::error::{Error, ErrorKind, Result};
use crate::sql::Dialect;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListArray, MapArray, StructArray, new_null_array};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::concat;
use datafusion::arrow::datatypes::{DataType, Fields};
use std::sync::Arc;

/// Whether a cast is one between two types of arrays, of maps or of rows.
pub(crate) fn is_nested_cast(from: &DataType, to: &DataType) -> bool {
    let same_shape = matches!(
        (from, to),
        (DataType::List(_), DataType::List(_))
            | (DataType::Map(..), DataType::Map(..))
            | (DataType::Struct(_), DataType::Struct(_))
    );
    same_shape && from != to
}

/// Refuses what no value could be cast to.
///
/// # Errors
/// `DatatypeMismatch` for rows of other lengths, and for what is nested in one type and is not in the other.
pub(super) fn check(from: &DataType, to: &DataType) -> Result<()> {
    match (from, to) {
        (DataType::List(from), DataType::List(to)) | (DataType::Map(from, _), DataType::Map(to, _)) => {
            check(from.data_type(), to.data_type())
        }
        (DataType::Struct(from), DataType::Struct(to)) if from.len() == to.len() => {
            from.iter().zip(to).try_for_each(|(from, to)| check(from.data_type(), to.data_type()))
        }
        (from, _) if from.is_null() => Ok(()),
        (from, to) if *from == JSON || *to == JSON => json_casts::check(from, to, Dialect::Athena),
        (from, to) if from.is_nested() || to.is_nested() => {
            let message = format!("cannot cast type {} to {}", shown_type(from), shown_type(to));
            Err(Error::new(ErrorKind::DatatypeMismatch, message))
        }
        _ => Ok(()),
    }
}

/// Values as those of a type of the same shape.
///
/// # Errors
/// Those of the casts of what is in them, unless `safe`.
pub(super) fn convert(array: &ArrayRef, to: &DataType, dialect: Dialect, safe: bool) -> Result<ArrayRef> {
    match whole(array, to, dialect) {
        Err(_) => by_row(array, to, dialect, safe),
        made => made,
    }
}

/// A value at a time: what is hidden below NULLs is not looked at.
fn by_row(array: &ArrayRef, to: &DataType, dialect: Dialect, safe: bool) -> Result<ArrayRef> {
    let null = || new_null_array(to, 1);
    let mut rows = Vec::with_capacity(array.len());
    for row in 0..array.len() {
        rows.push(if array.is_null(row) {
            null()
        } else {
            match whole(&array.slice(row, 1), to, dialect) {
                Err(_) if safe => null(),
                made => made?,
            }
        });
    }
    let rows: Vec<&dyn Array> = rows.iter().map(AsRef::as_ref).collect();
    Ok(concat(&rows)?)
}

fn whole(array: &ArrayRef, to: &DataType, dialect: Dialect) -> Result<ArrayRef> {
    let nulls = array.nulls().cloned();
    Ok(match (array.data_type(), to) {
        (DataType::List(_), DataType::List(element)) => {
            let list = array.as_list::<i32>();
            let (offsets, from, length) = used(list.offsets());
            let elements = as_type(&list.values().slice(from, length), element.data_type(), dialect)?;
            Arc::new(ListArray::try_new(Arc::clone(element), offsets, elements, nulls)?)
        }
        (DataType::Map(..), DataType::Map(entries, sorted)) => {
            let DataType::Struct(fields) = entries.data_type() else { return Err(Error::internal("a map is lost")) };
            let map = array.as_map();
            let (offsets, from, length) = used(map.offsets());
            let pairs = row(&map.entries().slice(from, length), fields, dialect)?;
            Arc::new(MapArray::try_new(Arc::clone(entries), offsets, pairs, nulls, *sorted)?)
        }
        (DataType::Struct(_), DataType::Struct(fields)) => Arc::new(row(array.as_struct(), fields, dialect)?),
        (from, to) => return Err(Error::internal(format!("a cast of {from} to {to} is none of nested values"))),
    })
}

/// A row's values, each as that of the field in its place.
fn row(rows: &StructArray, fields: &Fields, dialect: Dialect) -> Result<StructArray> {
    let columns = rows.columns().iter().zip(fields);
    let columns = columns.map(|(values, field)| as_type(values, field.data_type(), dialect));
    let columns = columns.collect::<Result<Vec<_>>>()?;
    Ok(StructArray::try_new_with_length(fields.clone(), columns, rows.nulls().cloned(), rows.len())?)
}

/// Offsets from 0, with where what they are of begins and how long it is: a slice's are of the whole it was cut from.
fn used(offsets: &OffsetBuffer<i32>) -> (OffsetBuffer<i32>, usize, usize) {
    let from = offsets.first().copied().unwrap_or(0);
    let lengths = offsets.lengths();
    let length = offsets.last().copied().unwrap_or(0) - from;
    (OffsetBuffer::from_lengths(lengths), from as usize, length as usize)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::functions::map_of;
    use datafusion::arrow::array::{Int32Array, Int64Array, StringViewArray};
    use datafusion::arrow::datatypes::{Field, Int32Type, Int64Type};

    fn fields(fields: &[(&str, DataType)]) -> Fields {
        fields.iter().map(|(name, data_type)| Field::new(*name, data_type.clone(), true)).collect()
    }

    fn row_type(named: &[(&str, DataType)]) -> DataType {
        DataType::Struct(fields(named))
    }

    fn rows(numbers: Vec<Option<i32>>, texts: Vec<&str>) -> ArrayRef {
        let fields = fields(&[("c0", DataType::Int32), ("c1", DataType::Utf8View)]);
        let columns: Vec<ArrayRef> =
            vec![Arc::new(Int32Array::from(numbers)), Arc::new(StringViewArray::from_iter_values(texts))];
        Arc::new(StructArray::new(fields, columns, None))
    }

    // Trino: a row is cast field by field, "type coercion" of each by its place.
    #[test]
    fn rows_are_cast_by_place() {
        let to = row_type(&[("c1", DataType::Int64), ("x", DataType::Int64)]);
        let made = convert(&rows(vec![Some(1), None], vec!["7", "8"]), &to, Dialect::Athena, false).unwrap();
        let made = made.as_struct();
        assert_eq!(made.column(0).as_primitive::<Int64Type>(), &Int64Array::from(vec![Some(1), None]));
        assert_eq!(made.column(1).as_primitive::<Int64Type>(), &Int64Array::from(vec![7, 8]));
    }

    #[test]
    fn what_cannot_be_cast_fails_its_row() {
        let to = row_type(&[("a", DataType::Int64), ("b", DataType::Int32)]);
        let values = rows(vec![Some(1), Some(2)], vec!["x", "8"]);
        assert_eq!(convert(&values, &to, Dialect::Athena, false).unwrap_err().kind, ErrorKind::InvalidText);
        let made = convert(&values, &to, Dialect::Athena, true).unwrap();
        assert_eq!((made.is_null(0), made.is_null(1)), (true, false));
        // What is cut off or hidden is not looked at.
        assert!(convert(&values.slice(1, 1), &to, Dialect::Athena, false).is_ok());
    }

    #[test]
    fn slices_of_arrays_are_cast() {
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([
            Some(vec![Some(1)]),
            Some(vec![Some(2), None]),
            None,
            Some(vec![]),
        ]);
        let to = DataType::List(Arc::new(Field::new_list_field(DataType::Int64, true)));
        let sliced: ArrayRef = Arc::new(lists.slice(1, 3));
        let expected =
            ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(2), None]), None, Some(vec![])]);
        let made = convert(&sliced, &to, Dialect::Athena, false).unwrap();
        assert_eq!(made.as_list::<i32>(), &expected);
    }

    #[test]
    fn shapes_have_to_be_the_same() {
        let number = DataType::Int64;
        let list = |element: &DataType| DataType::List(Arc::new(Field::new_list_field(element.clone(), true)));
        let row = row_type(&[("a", number.clone())]);
        let map = |value: &DataType| map_of(DataType::Utf8View, value.clone());
        for (from, to, is_right) in [
            (row.clone(), row_type(&[("b", DataType::Utf8View)]), true),
            (row.clone(), row_type(&[("a", number.clone()), ("b", number.clone())]), false),
            (row.clone(), row_type(&[("a", list(&number))]), false),
            (list(&row), list(&row_type(&[("b", number.clone())])), true),
            (list(&row), list(&number), false),
            (map(&row), map(&row_type(&[("b", number.clone())])), true),
            (list(&JSON), list(&row), true),
            (list(&row), list(&JSON), true),
            (list(&DataType::Utf8View), list(&row), false),
            (list(&JSON), list(&DataType::Date32), false),
            (list(&DataType::Null), list(&row), true),
        ] {
            assert_eq!(check(&from, &to).is_ok(), is_right, "{from} {to}");
        }
    }
}
