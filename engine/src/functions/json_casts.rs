//! Trino's casts from JSON and to JSON, which is text here.

use super::arrays::type_name;
use super::cast;
use super::json_paths::{invalid, plain};
use super::kernel::{ATHENA, Call, Gives, Kind, Scalar, is_text, scalar};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::json::{Json, quoted};
use crate::lake::write::documents;
use crate::sql::Dialect;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, ListArray, MapArray, StringViewArray, StringViewBuilder, StructArray, new_null_array,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::{cast as arrow_cast, concat};
use datafusion::arrow::datatypes::{DataType, Fields};
use std::sync::Arc;

pub(super) const FUNCTIONS: &[Scalar] = &[
    scalar("$json", ATHENA, &[Kind::Any], Gives::Text, |call| written(&call.args[0])),
    scalar("$json_text", ATHENA, &[Kind::Text], Gives::Text, |call| text(call, false)),
    scalar("$try_json_text", ATHENA, &[Kind::Text], Gives::Text, |call| text(call, true)),
];

/// Values of any type as JSON; NULL stays NULL.
pub(super) fn written(values: &ArrayRef) -> Result<ArrayRef> {
    match values.data_type() {
        DataType::Null => Ok(new_null_array(&DataType::Utf8View, values.len())),
        DataType::Time64(_) | DataType::Interval(_) | DataType::Duration(_) => {
            let texts = cast::as_text(values, Dialect::Athena)?;
            let texts = arrow_cast(&texts, &DataType::Utf8View)?;
            let texts = texts.as_string_view().iter().map(|text| text.map(quoted));
            Ok(Arc::new(texts.collect::<StringViewArray>()))
        }
        _ => Ok(arrow_cast(&documents(values)?, &DataType::Utf8View)?),
    }
}

/// What a scalar of JSON is as text; null is NULL.
fn text(call: &Call<'_>, safe: bool) -> Result<ArrayRef> {
    let texts = call.text(0);
    call.texts(|row| {
        let text = texts.value(row);
        match Json::read(text) {
            None | Some(Json::Array(_) | Json::Object(_)) if safe => Ok(None),
            None => Err(invalid(text)),
            Some(Json::Array(_) | Json::Object(_)) => Err(no_cast(text, "varchar")),
            Some(_) => Ok(plain(text.trim_ascii())),
        }
    })
}

fn no_cast(text: &str, to: &str) -> Error {
    let shown: String = text.chars().take(60).collect();
    Error::new(ErrorKind::InvalidText, format!("Cannot cast '{shown}' to {to}"))
}

/// JSON texts as arrays, maps or rows; `safe` gives NULL for those that are none.
///
/// # Errors
/// `InvalidText` for text that is no JSON, or JSON of another shape.
pub(super) fn read(texts: &StringViewArray, to: &DataType, safe: bool) -> Result<ArrayRef> {
    let parsed: Vec<Option<Json<'_>>> = texts.iter().map(|text| text.and_then(Json::read)).collect();
    if !safe && let Some(row) = (0..texts.len()).find(|row| texts.is_valid(*row) && parsed[*row].is_none()) {
        return Err(invalid(texts.value(row)));
    }
    let values: Vec<Option<&Json<'_>>> = parsed.iter().map(Option::as_ref).collect();
    match column(&values, to) {
        // One that is of another shape is NULL, the others are not.
        Err(_) if safe => {
            let alone = values.iter().map(|value| column(&[*value], to).unwrap_or_else(|_| new_null_array(to, 1)));
            let rows: Vec<ArrayRef> = alone.collect();
            let rows: Vec<&dyn Array> = rows.iter().map(AsRef::as_ref).collect();
            Ok(concat(&rows)?)
        }
        made => made,
    }
}

/// Values of JSON as a column of a type; null is NULL.
fn column(values: &[Option<&Json<'_>>], to: &DataType) -> Result<ArrayRef> {
    let values: Vec<Option<&Json<'_>>> = values.iter().map(|value| value.filter(|value| !value.is_null())).collect();
    match to {
        DataType::List(element) => {
            let (mut elements, mut lengths) = (Vec::new(), Vec::new());
            for value in &values {
                match value {
                    Some(Json::Array(items)) => {
                        elements.extend(items.iter().map(Some));
                        lengths.push(items.len());
                    }
                    Some(other) => return Err(other_shape("array", other, to)),
                    None => lengths.push(0),
                }
            }
            let elements = column(&elements, element.data_type())?;
            let offsets = OffsetBuffer::from_lengths(lengths);
            Ok(Arc::new(ListArray::try_new(Arc::clone(element), offsets, elements, present(&values))?))
        }
        DataType::Map(entries, sorted) => {
            let DataType::Struct(fields) = entries.data_type() else { return Err(Error::internal("a map is lost")) };
            let (mut keys, mut members, mut lengths) = (StringViewBuilder::new(), Vec::new(), Vec::new());
            for value in &values {
                match value {
                    Some(Json::Object(found)) => {
                        for (key, member) in found {
                            keys.append_value(key);
                            members.push(Some(member));
                        }
                        lengths.push(found.len());
                    }
                    Some(other) => return Err(other_shape("object", other, to)),
                    None => lengths.push(0),
                }
            }
            let keys = cast::as_type(&(Arc::new(keys.finish()) as ArrayRef), fields[0].data_type(), Dialect::Athena)?;
            let members = column(&members, fields[1].data_type())?;
            let pairs = StructArray::try_new(fields.clone(), vec![keys, members], None)?;
            let offsets = OffsetBuffer::from_lengths(lengths);
            Ok(Arc::new(MapArray::try_new(Arc::clone(entries), offsets, pairs, present(&values), *sorted)?))
        }
        DataType::Struct(fields) => row(&values, fields, to),
        text if is_text(text) => {
            let texts: StringViewArray = values.iter().map(|value| value.map(plain_of)).collect();
            Ok(arrow_cast(&texts, to)?)
        }
        _ => {
            let mut texts = StringViewBuilder::with_capacity(values.len());
            for value in &values {
                texts.append_option(value.map(|value| scalar_text(value, to)).transpose()?);
            }
            cast::as_type(&(Arc::new(texts.finish()) as ArrayRef), to, Dialect::Athena)
        }
    }
}

/// Rows of an object's members by their names, or of an array's elements by their places.
fn row(values: &[Option<&Json<'_>>], fields: &Fields, to: &DataType) -> Result<ArrayRef> {
    let mut columns: Vec<Vec<Option<&Json<'_>>>> = vec![Vec::with_capacity(values.len()); fields.len()];
    for value in values {
        match value {
            Some(Json::Object(members)) => {
                for (field, column) in fields.iter().zip(&mut columns) {
                    let found = members.iter().find(|(name, _)| name.eq_ignore_ascii_case(field.name()));
                    column.push(found.map(|(_, member)| member));
                }
            }
            Some(Json::Array(items)) if items.len() == fields.len() => {
                columns.iter_mut().zip(items).for_each(|(column, item)| column.push(Some(item)));
            }
            Some(other) => return Err(other_shape("array or object", other, to)),
            None => columns.iter_mut().for_each(|column| column.push(None)),
        }
    }
    let made = fields.iter().zip(&columns).map(|(field, values)| column(values, field.data_type()));
    let made = made.collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(StructArray::try_new_with_length(fields.clone(), made, present(values), values.len())?))
}

fn present(values: &[Option<&Json<'_>>]) -> Option<NullBuffer> {
    Some(values.iter().map(Option::is_some).collect())
}

fn other_shape(wanted: &str, found: &Json<'_>, to: &DataType) -> Error {
    let shown: String = found.to_string().chars().take(60).collect();
    let message = format!("Cannot cast to {}. Expected a json {wanted}, but got {shown}", type_name(to));
    Error::new(ErrorKind::InvalidText, message)
}

/// A text without quotes, all else as it is written.
fn plain_of(value: &Json<'_>) -> String {
    match value {
        Json::Text(text) => text.clone().into_owned(),
        other => other.to_string(),
    }
}

/// What is read as a number, moment or truth value; whole numbers are rounded, and made of truth values.
fn scalar_text(value: &Json<'_>, to: &DataType) -> Result<String> {
    match value {
        Json::Array(_) | Json::Object(_) => Err(no_cast(&value.to_string(), &type_name(to))),
        Json::Bool(flag) if to.is_numeric() => Ok(u8::from(*flag).to_string()),
        Json::Number(number) if to.is_integer() && number.contains(['.', 'e', 'E']) => {
            let parsed: f64 = number.parse().map_err(|_| no_cast(number, &type_name(to)))?;
            Ok(format!("{:.0}", parsed.round()))
        }
        other => Ok(plain_of(other)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use datafusion::arrow::datatypes::{Field, Int32Type};

    // Trino's documentation, "Cast from JSON".
    #[test]
    fn arrays_are_read_and_others_are_not() {
        let to = DataType::List(Arc::new(Field::new_list_field(DataType::Int32, true)));
        let texts = StringViewArray::from(vec![Some("[1,null,456]"), None, Some("null"), Some(" [ ] ")]);
        let made = read(&texts, &to, false).unwrap();
        let expected = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![
            Some(vec![Some(1), None, Some(456)]),
            None,
            None,
            Some(vec![]),
        ]);
        assert_eq!(made.as_list::<i32>(), &expected);
        let mixed = StringViewArray::from(vec!["[1]", "{\"a\":1}", "[2", "[\"x\"]", "[2.5]"]);
        assert_eq!(read(&mixed, &to, false).unwrap_err().sqlstate(), "22P02");
        let expected = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![
            Some(vec![Some(1)]),
            None,
            None,
            None,
            Some(vec![Some(3)]),
        ]);
        assert_eq!(read(&mixed, &to, true).unwrap().as_list::<i32>(), &expected);
    }
}
