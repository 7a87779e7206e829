//! JSON in texts: Redshift's functions and Trino's. A document is read once, and only what a path leads to is kept.
//!
//! Redshift's numbers stay as they are written; Trino's are read and written again. Where an object repeats a name, the
//! last member counts (PostgreSQL, "JSON types"), but `json_parse` refuses it unless the session says otherwise (Redshift,
//! "Parsing options for SUPER"); Trino's paths stop at the first, and its `json_parse` keeps the last.

use super::json_paths::{
    begins_with, extract_element, extract_path, extract_trino, extract_trino_scalar, follow, invalid, invalid_because,
    no_array, null_if_invalid, parse, path_of,
};
use super::kernel::{ATHENA, Call, Gives, Kind, REDSHIFT, Scalar, scalar};
use super::rows::Last;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::json::{self, Json, Repeated};
use datafusion::arrow::array::{ArrayRef, AsArray, BinaryViewArray, StringViewArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use serde_json::Value;

use Kind::{Bool, Int, Super, Text};

pub(super) const FUNCTIONS: &[Scalar] = &[
    scalar("json_extract_path_text", REDSHIFT, &[Kind::Json, Kind::Any], Gives::Text, extract_path).variadic().with_constants().doc(
        "json_extract_path_text(json, key [, …] [, null_if_invalid])",
        "The value that keys lead to, as text; NULL where there is none. Broken JSON is an error unless the last argument is true.",
        &[
            ("json_extract_path_text('{\"f2\":{\"f3\":1},\"f4\":{\"f5\":99,\"f6\":\"star\"}}', 'f4', 'f6')", "star"),
            ("json_extract_path_text('{\"f2\":{\"f3\":1}}', 'f2')", "{\"f3\":1}"),
            ("json_extract_path_text('{\"price\": 1.10}', 'price')", "1.10"),
            ("json_extract_path_text('{\"f2\":', 'f2', true)", "NULL"),
        ],
    ),
    scalar("json_extract_array_element_text", REDSHIFT, &[Kind::Json, Int, Bool], Gives::Text, extract_element).optional(1).with_constants().doc(
        "json_extract_array_element_text(json, index [, null_if_invalid])",
        "An element of an array, counted from 0, as text; NULL where there is none.",
        &[("json_extract_array_element_text('[111,112,113]', 2)", "113"), ("json_extract_array_element_text('[\"a\",[\"b\",1]]', 1)", "[\"b\",1]")],
    ),
    scalar("json_array_length", REDSHIFT, &[Kind::Json, Bool], Gives::Int4, array_length).optional(1).doc(
        "json_array_length(json [, null_if_invalid])",
        "How many elements an array has.",
        &[("json_array_length('[11,12,13,{\"f1\":21,\"f2\":[25,26]},14]')", "5"), ("json_array_length('[11,12', true)", "NULL")],
    ),
    scalar("is_valid_json", REDSHIFT, &[Kind::JsonBytes], Gives::Bool, |call| {
        let texts = Texts::of(call);
        call.bools(|row| Ok(Some(texts.value(row).is_some_and(|text| is_nested(text, '{')))))
    })
    .doc("is_valid_json(text)", "Whether a text is a JSON object.", &[("is_valid_json('{\"a\":2}')", "true"), ("is_valid_json('{''a'':2}')", "false")]),
    scalar("is_valid_json_array", REDSHIFT, &[Kind::JsonBytes], Gives::Bool, |call| {
        let texts = Texts::of(call);
        call.bools(|row| Ok(Some(texts.value(row).is_some_and(|text| is_nested(text, '[')))))
    })
    .doc("is_valid_json_array(text)", "Whether a text is a JSON array.", &[("is_valid_json_array('[\"a\",[\"b\",1]]')", "true"), ("is_valid_json_array('{\"a\":[1]}')", "false")]),
    scalar("can_json_parse", REDSHIFT, &[Kind::JsonBytes], Gives::Bool, |call| can_parse(call, Names::Once, Strings::Short))
    .doc("can_json_parse(text)", "Whether json_parse takes a text, or bytes.", &[("can_json_parse('[10001,10002,\"abc\"]')", "true"), ("can_json_parse('This is a TEST')", "false")]),
    scalar("$can_json_parse_last", REDSHIFT, &[Kind::JsonBytes], Gives::Bool, |call| can_parse(call, Names::Last, Strings::Short)),
    scalar("$can_json_parse_cut", REDSHIFT, &[Kind::JsonBytes], Gives::Bool, |call| can_parse(call, Names::Once, Strings::Cut)),
    scalar("$can_json_parse_last_cut", REDSHIFT, &[Kind::JsonBytes], Gives::Bool, |call| can_parse(call, Names::Last, Strings::Cut)),
    scalar("$json_parse_last", REDSHIFT, &[Kind::JsonBytes], Gives::Super, |call| parsed(call, Names::Last, Strings::Short)),
    scalar("$json_parse_cut", REDSHIFT, &[Kind::JsonBytes], Gives::Super, |call| parsed(call, Names::Once, Strings::Cut)),
    scalar("$json_parse_last_cut", REDSHIFT, &[Kind::JsonBytes], Gives::Super, |call| parsed(call, Names::Last, Strings::Cut)),
    scalar("json_parse", REDSHIFT, &[Kind::JsonBytes], Gives::Super, |call| parsed(call, Names::Once, Strings::Short))
        .doc("json_parse(text)", "A text, or bytes, as a SUPER value. An object that repeats a name is an error; after SET json_parse_dedup_attributes TO on its last member counts. So is a string of more than 65,535 bytes, which SET json_parse_truncate_strings TO on cuts.", &[("json_parse('[10001, 10002, \"abc\"]')", "[10001,10002,\"abc\"]")]),
    scalar("json_serialize", REDSHIFT, &[Super], Gives::Text, |call| {
        let texts = call.text(0);
        call.texts(|row| json::normal(texts.value(row)).map(Some).ok_or_else(|| invalid(texts.value(row))))
    })
        .doc("json_serialize(super)", "A SUPER value as text.", &[("json_serialize(json_parse('[1, 2]'))", "[1,2]")]),
    scalar("json_serialize_to_varbyte", REDSHIFT, &[Super], Gives::Of(|_| Ok(DataType::BinaryView)), |call| {
        let texts = call.text(0);
        let text = call.texts(|row| json::normal(texts.value(row)).map(Some).ok_or_else(|| invalid(texts.value(row))))?;
        Ok(cast(&text, &DataType::BinaryView)?)
    })
    .doc(
        "json_serialize_to_varbyte(super)",
        "A SUPER value's text as bytes.",
        &[("from_varbyte(json_serialize_to_varbyte(json_parse('[1, 2]')), 'utf8')", "[1,2]")],
    ),
    scalar("json_extract", ATHENA, &[Kind::Json, Text], Gives::Json, extract_trino).with_constants().doc(
        "json_extract(json, path)",
        "What a path leads to, as JSON; NULL where there is nothing.",
        &[("json_extract('{\"a\":{\"b\":[1,2]}}', '$.a.b')", "[1,2]"), ("json_extract('{\"a\":\"x\"}', '$.a')", "\"x\"")],
    ),
    scalar("json_extract_scalar", ATHENA, &[Kind::Json, Text], Gives::Text, extract_trino_scalar).with_constants().doc(
        "json_extract_scalar(json, path)",
        "What a path leads to, as text; NULL where it is an object or array.",
        &[("json_extract_scalar('[1, 2, 3]', '$[2]')", "3"), ("json_extract_scalar('{\"a\":\"x\"}', '$.a')", "x"), ("json_extract_scalar('{\"a\":{\"b c\":true}}', '$.a[\"b c\"]')", "true")],
    ),
    scalar("json_parse", ATHENA, &[Text], Gives::Json, normalised)
        .doc("json_parse(text)", "A text as JSON, keys in order.", &[("json_parse('{\"b\": 1, \"a\": 2}')", "{\"a\":2,\"b\":1}")]),
    scalar("json_format", ATHENA, &[Kind::Document], Gives::Text, |call| Ok(ArrayRef::clone(&call.args[0])))
        .doc("json_format(json)", "JSON as text.", &[("json_format(json_parse('[1, 2]'))", "[1,2]")]),
    scalar("json_array_length", ATHENA, &[Kind::Json], Gives::Int8, |call| {
        let texts = call.text(0);
        call.ints(|row| Ok(parse(texts.value(row)).ok().and_then(|value| value.as_array().map(|array| array.len() as i64))))
    })
    .doc("json_array_length(json)", "How many elements an array has; NULL for what is none.", &[("json_array_length('[1, 2, 3]')", "3")]),
    scalar("json_array_get", ATHENA, &[Kind::Json, Int], Gives::Json, |call| {
        let (texts, indices) = (call.text(0), call.int(1));
        call.texts(|row| {
            let Ok(Value::Array(array)) = parse(texts.value(row)) else { return Ok(None) };
            let at = place(indices.value(row), array.len());
            Ok(at.and_then(|at| array.get(at)).and_then(|element| match element {
                Value::Null => None,
                Value::String(text) => Some(text.clone()),
                other => Some(other.to_string()),
            }))
        })
    })
    .doc("json_array_get(json, index)", "An element, counted from 0, or from the end when negative: as JSON, but for texts, which are without quotes.", &[("json_array_get('[\"a\", \"b\", \"c\"]', -1)", "c"), ("json_array_get('[[1, 2]]', 0)", "[1,2]")]),
    scalar("json_array_contains", ATHENA, &[Kind::Json, Kind::Any], Gives::Bool, |call| {
        let (texts, sought) = (call.text(0), super::cast::as_text(&call.args[1], crate::sql::Dialect::Redshift)?);
        let sought = cast(&sought, &DataType::Utf8View)?;
        let sought = sought.as_string_view();
        call.bools(|row| {
            let Ok(Value::Array(array)) = parse(texts.value(row)) else { return Ok(None) };
            let wanted = sought.value(row);
            Ok(Some(array.iter().any(|value| match value {
                Value::String(text) => text == wanted,
                Value::Number(number) => number.to_string() == wanted,
                Value::Bool(flag) => wanted == if *flag { "true" } else { "false" },
                _ => false,
            })))
        })
    })
    .doc("json_array_contains(json, value)", "Whether an array has a text, number or truth value.", &[("json_array_contains('[1, 2, 3]', 2)", "true")]),
    scalar("json_size", ATHENA, &[Kind::Json, Text], Gives::Int8, |call| {
        let (texts, paths) = (call.text(0), call.text(1));
        let mut last = Last::new();
        call.ints(|row| {
            Ok(follow(texts.value(row), last.of(paths.value(row), path_of)?).map(|value| match value {
                Value::Array(array) => array.len() as i64,
                Value::Object(object) => object.len() as i64,
                _ => 0,
            }))
        })
    })
    .doc("json_size(json, path)", "How many members an object or array has.", &[("json_size('{\"x\": {\"a\": 1, \"b\": 2}}', '$.x')", "2")]),
    scalar("is_json_scalar", ATHENA, &[Kind::Json], Gives::Bool, |call| {
        let texts = call.text(0);
        call.bools(|row| {
            let value = parse(texts.value(row)).map_err(|_| invalid(texts.value(row)))?;
            Ok(Some(!matches!(value, Value::Array(_) | Value::Object(_))))
        })
    })
    .doc("is_json_scalar(json)", "Whether JSON is neither object nor array.", &[("is_json_scalar('1')", "true"), ("is_json_scalar('[1, 2, 3]')", "false")]),
];

/// A place in an array, counted from its end when negative.
fn place(index: i64, length: usize) -> Option<usize> {
    let at = if index < 0 { index + length as i64 } else { index };
    usize::try_from(at).ok()
}

/// JSON in texts or bytes.
enum Texts<'a> {
    Text(&'a StringViewArray),
    Bytes(&'a BinaryViewArray),
}

impl<'a> Texts<'a> {
    /// The first argument.
    fn of(call: &'a Call<'_>) -> Self {
        match call.args[0].as_binary_view_opt() {
            Some(bytes) => Self::Bytes(bytes),
            None => Self::Text(call.text(0)),
        }
    }

    /// A row's text; `None` for bytes that are no UTF-8.
    fn value(&self, row: usize) -> Option<&'a str> {
        match self {
            Self::Text(texts) => Some(texts.value(row)),
            Self::Bytes(bytes) => std::str::from_utf8(bytes.value(row)).ok(),
        }
    }
}

/// Whether a text is a JSON object or array.
fn is_nested(text: &str, bracket: char) -> bool {
    begins_with(text, bracket) && json::follow(text, &[], Repeated::Last).is_ok()
}

/// What becomes of names that an object repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Names {
    /// They are an error.
    Once,
    /// The last member counts.
    Last,
}

/// What becomes of strings that are longer than a VARCHAR may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strings {
    /// They are an error.
    Short,
    /// They are cut.
    Cut,
}

/// The most bytes of a string of a SUPER value; names may have more.
const MOST_STRING_BYTES: usize = 65_535;

/// Cuts a value's strings that are too long; whether there were such.
fn cut(value: &mut Json<'_>) -> bool {
    match value {
        Json::Text(text) if text.len() > MOST_STRING_BYTES => {
            let end = text.floor_char_boundary(MOST_STRING_BYTES);
            text.to_mut().truncate(end);
            true
        }
        Json::Array(values) => values.iter_mut().fold(false, |long, value| cut(value) | long),
        Json::Object(members) => members.iter_mut().fold(false, |long, (_, value)| cut(value) | long),
        _ => false,
    }
}

fn can_parse(call: &Call<'_>, names: Names, strings: Strings) -> Result<ArrayRef> {
    let texts = Texts::of(call);
    call.bools(|row| {
        let Some(text) = texts.value(row) else { return Ok(Some(false)) };
        let Some((mut value, repeats)) = Json::parse_repeated(text) else { return Ok(Some(false)) };
        let fits = text.len() <= MOST_STRING_BYTES || strings == Strings::Cut || !cut(&mut value);
        Ok(Some(fits && (!repeats || names == Names::Last)))
    })
}

/// JSON as it is kept, its numbers as they are written.
fn parsed(call: &Call<'_>, names: Names, strings: Strings) -> Result<ArrayRef> {
    let texts = Texts::of(call);
    call.texts(|row| {
        let text = texts.value(row).ok_or_else(|| Error::new(ErrorKind::InvalidText, "invalid JSON: no UTF-8"))?;
        match Json::parse_repeated(text) {
            Some((_, true)) if names == Names::Once => {
                let error = invalid_because(text, "invalid JSON: an object repeats the name of a member");
                Err(error.with_hint("SET json_parse_dedup_attributes TO on keeps the last of these members"))
            }
            // Only a longer text has a string that is too long.
            Some((mut value, _)) if text.len() > MOST_STRING_BYTES => {
                if cut(&mut value) && strings == Strings::Short {
                    let error = invalid_because(text, "invalid JSON: a string has more than 65535 bytes");
                    return Err(error.with_hint("SET json_parse_truncate_strings TO on cuts such strings"));
                }
                Ok(Some(value.normal(text)))
            }
            Some((value, _)) => Ok(Some(value.normal(text))),
            None => Err(invalid(text)),
        }
    })
}

fn array_length(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.text(0);
    call.int4s(|row| match json::array_length(texts.value(row)) {
        Ok(Some(length)) => Ok(i32::try_from(length).ok()),
        _ if null_if_invalid(call, 1, row) => Ok(None),
        _ => Err(no_array(texts.value(row))),
    })
}

/// JSON without blanks, its keys in order.
fn normalised(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.text(0);
    call.texts(|row| {
        let mut value = parse(texts.value(row)).map_err(|_| invalid(texts.value(row)))?;
        value.sort_all_objects();
        Ok(Some(value.to_string()))
    })
}
