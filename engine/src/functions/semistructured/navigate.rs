//! Steps into SUPER values and their elements as lists: what the planner makes of paths and of `FROM t, t.items AS i`.
//!
//! Elements come as large texts, which no column has: so what was an element of a SUPER is known from what was one of an
//! array of a lake's table.

use super::document::{as_documents, value};
use crate::error::{Error, ErrorKind, Result};
use crate::functions::kernel::{Call, Gives, Kind, REDSHIFT, Scalar, is_text, scalar, shown_type};
use crate::lake::json::{Json, Step, find};
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Int64Builder, LargeStringBuilder, ListBuilder, StringViewArray, StringViewBuilder,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Int64Type};
use std::sync::Arc;

pub(in crate::functions) const FUNCTIONS: &[Scalar] = &[
    scalar("$super_get", REDSHIFT, &[Kind::Super, Kind::Any], Gives::Super, get).variadic(),
    scalar("$super", REDSHIFT, &[Kind::Any], Gives::Super, |call| as_documents(&call.args[0])),
    scalar("$super_mark", REDSHIFT, &[Kind::Text], Gives::Super, |call| Ok(Arc::clone(&call.args[0]))),
    scalar("$super_elements", REDSHIFT, &[Kind::Any], Gives::Of(elements_type), elements),
    scalar("$super_places", REDSHIFT, &[Kind::Any], Gives::Of(|_| Ok(list_of(DataType::Int64))), places),
    scalar("$super_values", REDSHIFT, &[Kind::Any], Gives::Of(members_type), |call| members(call, true)),
    scalar("$super_names", REDSHIFT, &[Kind::Any], Gives::Of(|_| Ok(list_of(DataType::Utf8View))), |call| {
        members(call, false)
    }),
    scalar("$super_element", REDSHIFT, &[Kind::Any], Gives::Element, |call| Ok(cast(&call.args[0], &call.gives)?)),
];

fn list_of(element: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(element, true)))
}

/// Whether values of a type are SUPER here, where they are no arrays of a lake's table.
fn is_super(data_type: &DataType) -> bool {
    is_text(data_type) || data_type.is_null()
}

fn elements_type(args: &[DataType]) -> Result<DataType> {
    match args.first() {
        Some(text) if is_super(text) => Ok(list_of(DataType::LargeUtf8)),
        Some(list @ (DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..))) => Ok(list.clone()),
        other => Err(not_iterable("array", other)),
    }
}

fn members_type(args: &[DataType]) -> Result<DataType> {
    match args.first() {
        Some(text) if is_super(text) => Ok(list_of(DataType::LargeUtf8)),
        other => Err(not_iterable("object", other)),
    }
}

fn not_iterable(wanted: &str, found: Option<&DataType>) -> Error {
    let found = found.map_or_else(|| "nothing".to_owned(), shown_type);
    Error::new(ErrorKind::DatatypeMismatch, format!("FROM iterates over an {wanted} of type super, not over {found}"))
}

/// What a path of names and places leads to.
fn get(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.text(0);
    let steps: Vec<Steps> = call.args[1..].iter().map(Steps::of).collect::<Result<_>>()?;
    let mut path: Vec<Step> = Vec::new();
    call.texts(|row| {
        if path.len() != steps.len() || !path.iter().zip(&steps).all(|(step, steps)| steps.is(row, step)) {
            let Some(new) = steps.iter().map(|steps| steps.at(row)).collect::<Option<Vec<Step>>>() else {
                return Ok(None);
            };
            path = new;
        }
        Ok(find(texts.value(row), &path).filter(|value| *value != "null"))
    })
}

/// One step of a path in all rows.
enum Steps {
    Names(ArrayRef),
    Places(ArrayRef),
}

impl Steps {
    fn of(array: &ArrayRef) -> Result<Self> {
        if is_text(array.data_type()) {
            return Ok(Self::Names(cast(array, &DataType::Utf8View)?));
        }
        Ok(Self::Places(cast(array, &DataType::Int64)?))
    }

    /// The step of a row; a negative place leads nowhere.
    fn at(&self, row: usize) -> Option<Step> {
        match self {
            Self::Names(names) => Some(Step::Member(names.as_string_view().value(row).to_owned())),
            Self::Places(places) => usize::try_from(places.as_primitive::<Int64Type>().value(row)).ok().map(Step::Item),
        }
    }

    fn is(&self, row: usize, step: &Step) -> bool {
        match (self, step) {
            (Self::Names(names), Step::Member(name)) => names.as_string_view().value(row) == name,
            (Self::Places(places), Step::Item(place)) => {
                usize::try_from(places.as_primitive::<Int64Type>().value(row)) == Ok(*place)
            }
            _ => false,
        }
    }
}

/// A member of an array or object as a JSON text; null is NULL.
fn append(built: &mut LargeStringBuilder, value: &Json<'_>) {
    if value.is_null() { built.append_null() } else { built.append_value(value.to_string()) }
}

/// What a row has.
fn row_value(texts: &StringViewArray, row: usize) -> Json<'_> {
    if texts.is_valid(row) { value(texts.value(row)) } else { Json::Null }
}

/// The elements of an array; what is none has none.
fn elements(call: &Call<'_>) -> Result<ArrayRef> {
    if !is_super(call.args[0].data_type()) {
        return Ok(Arc::clone(&call.args[0]));
    }
    let texts = cast(&call.args[0], &DataType::Utf8View)?;
    let texts = texts.as_string_view();
    let mut built = ListBuilder::new(LargeStringBuilder::new());
    for row in 0..call.rows {
        let Json::Array(values) = row_value(texts, row) else {
            built.append(false);
            continue;
        };
        for value in &values {
            append(built.values(), value);
        }
        built.append(true);
    }
    Ok(Arc::new(built.finish()))
}

/// The places of an array's elements, from 0.
fn places(call: &Call<'_>) -> Result<ArrayRef> {
    let lists = elements(call)?;
    let field = match lists.data_type() {
        DataType::List(field) | DataType::LargeList(field) | DataType::FixedSizeList(field, _) => Arc::clone(field),
        other => return Err(not_iterable("array", Some(other))),
    };
    let lists = cast(&lists, &DataType::List(field))?;
    let lists = lists.as_list::<i32>();
    let mut built = ListBuilder::new(Int64Builder::new());
    for row in 0..call.rows {
        if lists.is_valid(row) {
            (0..i64::from(lists.value_length(row))).for_each(|place| built.values().append_value(place));
        }
        built.append(lists.is_valid(row));
    }
    Ok(Arc::new(built.finish()))
}

/// The values of an object's members, or their names; what is no object has none.
fn members(call: &Call<'_>, values: bool) -> Result<ArrayRef> {
    let texts = cast(&call.args[0], &DataType::Utf8View)?;
    let texts = texts.as_string_view();
    let (mut all, mut names) =
        (ListBuilder::new(LargeStringBuilder::new()), ListBuilder::new(StringViewBuilder::new()));
    for row in 0..call.rows {
        let found = match row_value(texts, row) {
            Json::Object(members) => Some(members),
            _ => None,
        };
        for (name, value) in found.iter().flatten() {
            append(all.values(), value);
            names.values().append_value(name);
        }
        all.append(found.is_some());
        names.append(found.is_some());
    }
    Ok(if values { Arc::new(all.finish()) } else { Arc::new(names.finish()) })
}
