//! Trino's casts from JSON and to JSON.

use super::arrays::type_name;
use super::cast;
use super::json_paths::invalid;
use super::kernel::{JSON, is_text};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::json::{Json, quoted};
use crate::lake::write::documents_of_json;
use crate::sql::Dialect;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, ListArray, MapArray, StringViewArray, StringViewBuilder, StructArray, new_null_array,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::{cast as arrow_cast, concat};
use datafusion::arrow::datatypes::{DataType, Fields};
use std::sync::Arc;

/// Refuses casts of JSON that Trino does not have, and those of texts to what only JSON is read as.
///
/// # Errors
/// `DatatypeMismatch`.
pub(super) fn check(from: &DataType, to: &DataType, dialect: Dialect) -> Result<()> {
    let is_right = match (from, to) {
        _ if !dialect.rules().json_is_a_type || from == to || from.is_null() => true,
        (from, to) if *to == JSON => is_written(from),
        (from, to) if *from == JSON => is_read(to),
        (from, to) => !(is_text(from) && to.is_nested()),
    };
    if is_right {
        return Ok(());
    }
    let message = format!("cannot cast {} to {}", type_name(from), type_name(to));
    Err(Error::new(ErrorKind::DatatypeMismatch, message))
}

/// Whether values are written as JSON.
fn is_written(from: &DataType) -> bool {
    match from {
        DataType::Null | DataType::Date32 | DataType::Timestamp(_, None) => true,
        DataType::Dictionary(_, value) => is_written(value),
        DataType::Map(entries, _) => is_pair(entries.data_type(), |key| is_scalar(key) || key.is_null(), is_written),
        _ => is_of(from, is_written),
    }
}

/// Whether JSON is read as values of a type.
fn is_read(to: &DataType) -> bool {
    match to {
        DataType::Map(entries, _) => is_pair(entries.data_type(), is_scalar, is_read),
        _ => is_of(to, is_read),
    }
}

fn is_scalar(data_type: &DataType) -> bool {
    data_type.is_numeric() || *data_type == DataType::Boolean || (is_text(data_type) && *data_type != JSON)
}

/// Whether a type is a scalar's, JSON, or of nested values that are all of a kind.
fn is_of(data_type: &DataType, kind: impl Fn(&DataType) -> bool) -> bool {
    match data_type {
        DataType::List(element) => kind(element.data_type()),
        DataType::Struct(fields) => fields.iter().all(|field| kind(field.data_type())),
        _ => is_scalar(data_type) || *data_type == JSON,
    }
}

fn is_pair(entries: &DataType, key: impl Fn(&DataType) -> bool, value: impl Fn(&DataType) -> bool) -> bool {
    matches!(entries, DataType::Struct(fields)
        if fields.len() == 2 && key(fields[0].data_type()) && value(fields[1].data_type()))
}

/// Values of any type as JSON; NULL stays NULL.
pub(super) fn written(values: &ArrayRef) -> Result<ArrayRef> {
    match values.data_type() {
        DataType::Null => Ok(new_null_array(&JSON, values.len())),
        DataType::Time64(_) | DataType::Interval(_) | DataType::Duration(_) => {
            let texts = cast::as_text(values, Dialect::Athena)?;
            let texts = arrow_cast(&texts, &DataType::Utf8View)?;
            let texts: StringViewArray = texts.as_string_view().iter().map(|text| text.map(quoted)).collect();
            Ok(arrow_cast(&texts, &JSON)?)
        }
        _ => Ok(arrow_cast(&documents_of_json(values)?, &JSON)?),
    }
}

fn no_cast(text: &str, to: &DataType) -> Error {
    let shown: String = text.chars().take(60).collect();
    Error::new(ErrorKind::InvalidText, format!("Cannot cast '{shown}' to {}", type_name(to)))
}

/// JSON as values of a type; `safe` gives NULL for what is none.
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
    if *to == JSON {
        let texts: StringViewArray = values.iter().map(|value| value.map(ToString::to_string)).collect();
        return Ok(arrow_cast(&texts, &JSON)?);
    }
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
        _ => {
            let mut texts = StringViewBuilder::with_capacity(values.len());
            for value in &values {
                texts.append_option(value.map(|value| scalar_text(value, to)).transpose()?);
            }
            let texts: ArrayRef = Arc::new(texts.finish());
            if is_text(to) { Ok(arrow_cast(&texts, to)?) } else { cast::as_type(&texts, to, Dialect::Athena) }
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

/// A scalar as the text that is read as a value of a type: numbers with a fraction are doubles where they are no decimals,
/// whole numbers are rounded, and numbers are made of truth values and the other way round.
fn scalar_text(value: &Json<'_>, to: &DataType) -> Result<String> {
    let double = |number: &str| number.parse::<f64>().map_err(|_| no_cast(number, to));
    match value {
        Json::Array(_) | Json::Object(_) => Err(no_cast(&value.to_string(), to)),
        Json::Text(text) => Ok(text.clone().into_owned()),
        Json::Bool(flag) if to.is_numeric() => Ok(u8::from(*flag).to_string()),
        Json::Number(number) if *to == DataType::Boolean => Ok(u8::from(double(number)? != 0.0).to_string()),
        Json::Number(number) if number.contains(['.', 'e', 'E']) && to.is_integer() => {
            Ok(format!("{:.0}", double(number)?.round()))
        }
        Json::Number(number) if number.contains(['.', 'e', 'E']) && is_text(to) => {
            Ok(cast::double_text(double(number)?, Dialect::Athena))
        }
        other => Ok(other.to_string()),
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
