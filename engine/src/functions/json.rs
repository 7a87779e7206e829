//! JSON in texts: Redshift's functions and Trino's. A document is read once, and only what a path leads to is kept.

use super::kernel::{ATHENA, Call, Gives, Kind, REDSHIFT, Scalar, scalar};
use super::rows::Last;
use super::semistructured::Json;
use crate::error::{Error, ErrorKind, Result};
use datafusion::arrow::array::ArrayRef;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::fmt;

use Kind::{Bool, Int, Text};

pub(super) const FUNCTIONS: &[Scalar] = &[
    scalar("json_extract_path_text", REDSHIFT, &[Text, Kind::Any], Gives::Text, extract_path).variadic().doc(
        "json_extract_path_text(json, key [, …] [, null_if_invalid])",
        "The value that keys lead to, as text; NULL where there is none. Broken JSON is an error unless the last argument is true.",
        &[
            ("json_extract_path_text('{\"f2\":{\"f3\":1},\"f4\":{\"f5\":99,\"f6\":\"star\"}}', 'f4', 'f6')", "star"),
            ("json_extract_path_text('{\"f2\":{\"f3\":1}}', 'f2')", "{\"f3\":1}"),
            ("json_extract_path_text('{\"f2\":', 'f2', true)", "NULL"),
        ],
    ),
    scalar("json_extract_array_element_text", REDSHIFT, &[Text, Int, Bool], Gives::Text, extract_element).optional(1).doc(
        "json_extract_array_element_text(json, index [, null_if_invalid])",
        "An element of an array, counted from 0, as text; NULL where there is none.",
        &[("json_extract_array_element_text('[111,112,113]', 2)", "113"), ("json_extract_array_element_text('[\"a\",[\"b\",1]]', 1)", "[\"b\",1]")],
    ),
    scalar("json_array_length", REDSHIFT, &[Text, Bool], Gives::Int4, array_length).optional(1).doc(
        "json_array_length(json [, null_if_invalid])",
        "How many elements an array has.",
        &[("json_array_length('[11,12,13,{\"f1\":21,\"f2\":[25,26]},14]')", "5"), ("json_array_length('[11,12', true)", "NULL")],
    ),
    scalar("is_valid_json", REDSHIFT, &[Text], Gives::Bool, |call| {
        let texts = call.text(0);
        call.bools(|row| Ok(Some(matches!(parse(texts.value(row)), Ok(Value::Object(_))))))
    })
    .doc("is_valid_json(text)", "Whether a text is a JSON object.", &[("is_valid_json('{\"a\":2}')", "true"), ("is_valid_json('{''a'':2}')", "false")]),
    scalar("is_valid_json_array", REDSHIFT, &[Text], Gives::Bool, |call| {
        let texts = call.text(0);
        call.bools(|row| Ok(Some(matches!(parse(texts.value(row)), Ok(Value::Array(_))))))
    })
    .doc("is_valid_json_array(text)", "Whether a text is a JSON array.", &[("is_valid_json_array('[\"a\",[\"b\",1]]')", "true"), ("is_valid_json_array('{\"a\":[1]}')", "false")]),
    scalar("can_json_parse", REDSHIFT, &[Text], Gives::Bool, |call| {
        let texts = call.text(0);
        call.bools(|row| Ok(Some(serde_json::from_str::<IgnoredAny>(texts.value(row)).is_ok())))
    })
    .doc("can_json_parse(text)", "Whether a text is JSON.", &[("can_json_parse('[10001,10002,\"abc\"]')", "true"), ("can_json_parse('This is a TEST')", "false")]),
    scalar("json_parse", REDSHIFT, &[Text], Gives::Super, exact)
        .doc("json_parse(text)", "A text as a SUPER value.", &[("json_parse('[10001, 10002, \"abc\"]')", "[10001,10002,\"abc\"]")]),
    scalar("json_serialize", REDSHIFT, &[Text], Gives::Text, exact)
        .doc("json_serialize(super)", "A SUPER value as text.", &[("json_serialize(json_parse('[1, 2]'))", "[1,2]")]),
    scalar("json_extract", ATHENA, &[Text, Text], Gives::Text, |call| extract_trino(call, false)).doc(
        "json_extract(json, path)",
        "What a path leads to, as JSON; NULL where there is nothing.",
        &[("json_extract('{\"a\":{\"b\":[1,2]}}', '$.a.b')", "[1,2]"), ("json_extract('{\"a\":\"x\"}', '$.a')", "\"x\"")],
    ),
    scalar("json_extract_scalar", ATHENA, &[Text, Text], Gives::Text, |call| extract_trino(call, true)).doc(
        "json_extract_scalar(json, path)",
        "What a path leads to, as text; NULL where it is an object or array.",
        &[("json_extract_scalar('[1, 2, 3]', '$[2]')", "3"), ("json_extract_scalar('{\"a\":\"x\"}', '$.a')", "x"), ("json_extract_scalar('{\"a\":{\"b c\":true}}', '$.a[\"b c\"]')", "true")],
    ),
    scalar("json_parse", ATHENA, &[Text], Gives::Text, normalised)
        .doc("json_parse(text)", "A text as JSON, keys in order.", &[("json_parse('{\"b\": 1, \"a\": 2}')", "{\"a\":2,\"b\":1}")]),
    scalar("json_format", ATHENA, &[Text], Gives::Text, normalised)
        .doc("json_format(json)", "JSON as text.", &[("json_format(json_parse('[1, 2]'))", "[1,2]")]),
    scalar("json_array_length", ATHENA, &[Text], Gives::Int8, |call| {
        let texts = call.text(0);
        call.ints(|row| Ok(parse(texts.value(row)).ok().and_then(|value| value.as_array().map(|array| array.len() as i64))))
    })
    .doc("json_array_length(json)", "How many elements an array has; NULL for what is none.", &[("json_array_length('[1, 2, 3]')", "3")]),
    scalar("json_array_get", ATHENA, &[Text, Int], Gives::Text, |call| {
        let (texts, indices) = (call.text(0), call.int(1));
        call.texts(|row| {
            let Ok(Value::Array(array)) = parse(texts.value(row)) else { return Ok(None) };
            let at = place(indices.value(row), array.len());
            Ok(at.and_then(|at| array.get(at)).map(ToString::to_string))
        })
    })
    .doc("json_array_get(json, index)", "An element as JSON, counted from 0, or from the end when negative.", &[("json_array_get('[\"a\", \"b\", \"c\"]', -1)", "\"c\"")]),
    scalar("json_array_contains", ATHENA, &[Text, Kind::Any], Gives::Bool, |call| {
        let (texts, sought) = (call.text(0), super::cast::as_text(&call.args[1], crate::sql::Dialect::Redshift)?);
        let sought = datafusion::arrow::compute::cast(&sought, &datafusion::arrow::datatypes::DataType::Utf8View)?;
        let sought = datafusion::arrow::array::AsArray::as_string_view(&sought);
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
    scalar("json_size", ATHENA, &[Text, Text], Gives::Int8, |call| {
        let (texts, paths) = (call.text(0), call.text(1));
        let mut last = Last::new();
        call.ints(|row| {
            let found = follow(texts.value(row), last.of(paths.value(row), path_of)?).ok().flatten();
            Ok(found.map(|value| match value {
                Value::Array(array) => array.len() as i64,
                Value::Object(object) => object.len() as i64,
                _ => 0,
            }))
        })
    })
    .doc("json_size(json, path)", "How many members an object or array has.", &[("json_size('{\"x\": {\"a\": 1, \"b\": 2}}', '$.x')", "2")]),
    scalar("is_json_scalar", ATHENA, &[Text], Gives::Bool, |call| {
        let texts = call.text(0);
        call.bools(|row| {
            let value = parse(texts.value(row)).map_err(|_| invalid(texts.value(row)))?;
            Ok(Some(!matches!(value, Value::Array(_) | Value::Object(_))))
        })
    })
    .doc("is_json_scalar(json)", "Whether JSON is neither object nor array.", &[("is_json_scalar('1')", "true"), ("is_json_scalar('[1, 2, 3]')", "false")]),
];

fn parse(text: &str) -> serde_json::Result<Value> {
    serde_json::from_str(text)
}

fn invalid(text: &str) -> Error {
    let shown: String = text.chars().take(60).collect();
    Error::new(ErrorKind::InvalidText, "invalid JSON").with_detail(format!("the text is {shown}"))
}

/// A place in an array, counted from its end when negative.
fn place(index: i64, length: usize) -> Option<usize> {
    let at = if index < 0 { index + length as i64 } else { index };
    usize::try_from(at).ok()
}

/// A step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

/// Where a path leads in a document; the rest of it is read and forgotten.
fn follow(text: &str, path: &[Step]) -> serde_json::Result<Option<Value>> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let found = Follow { path }.deserialize(&mut reader)?;
    reader.end()?;
    Ok(found)
}

struct Follow<'p> {
    path: &'p [Step],
}

impl<'de> DeserializeSeed<'de> for Follow<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<Self::Value, D::Error> {
        if self.path.is_empty() {
            return serde::Deserialize::deserialize(deserializer).map(Some);
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Follow<'_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(matches) = map.next_key_seed(KeyIs { wanted: &self.path[0] })? {
            if matches && found.is_none() {
                found = map.next_value_seed(Follow { path: &self.path[1..] })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<Self::Value, A::Error> {
        let (mut found, mut at) = (None, 0);
        let Step::Index(wanted) = &self.path[0] else {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(None);
        };
        loop {
            if at == *wanted {
                match seq.next_element_seed(Follow { path: &self.path[1..] })? {
                    Some(value) => found = value,
                    None => return Ok(None),
                }
            } else if seq.next_element::<IgnoredAny>()?.is_none() {
                return Ok(found);
            }
            at += 1;
        }
    }

    fn visit_bool<E>(self, _: bool) -> std::result::Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> std::result::Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> std::result::Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> std::result::Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> std::result::Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> std::result::Result<Self::Value, E> {
        Ok(None)
    }
}

/// Whether an object's key is the one that is sought, without a copy of it.
struct KeyIs<'p> {
    wanted: &'p Step,
}

impl<'de> DeserializeSeed<'de> for KeyIs<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyIs<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> std::result::Result<bool, E> {
        Ok(matches!(self.wanted, Step::Key(wanted) if wanted == key))
    }
}

/// A value as text: texts without quotes, null as NULL.
fn plain(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

fn null_if_invalid(call: &Call<'_>, at: usize, row: usize) -> bool {
    call.has(at) && call.bool(at).value(row)
}

fn extract_path(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.text(0);
    let mut columns = call.args[1..].to_vec();
    let mut flag = None;
    if columns.last().is_some_and(|last| *last.data_type() == datafusion::arrow::datatypes::DataType::Boolean) {
        flag = columns.pop();
    }
    let keys = columns
        .iter()
        .map(|column| Ok(datafusion::arrow::compute::cast(column, &datafusion::arrow::datatypes::DataType::Utf8View)?))
        .collect::<Result<Vec<_>>>()?;
    let mut path: Vec<Step> = Vec::new();
    call.texts(|row| {
        use datafusion::arrow::array::AsArray;
        let row_keys = || keys.iter().map(|key| key.as_string_view().value(row));
        if !path.iter().map(|step| if let Step::Key(key) = step { key.as_str() } else { "" }).eq(row_keys()) {
            path = row_keys().map(|key| Step::Key(key.to_owned())).collect();
        }
        match follow(texts.value(row), &path) {
            Ok(found) => Ok(found.and_then(plain)),
            Err(_) if flag.as_ref().is_some_and(|flag| flag.as_boolean().value(row)) => Ok(None),
            Err(_) => Err(invalid(texts.value(row))),
        }
    })
}

fn extract_element(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, indices) = (call.text(0), call.int(1));
    call.texts(|row| match parse(texts.value(row)) {
        Ok(Value::Array(mut array)) => {
            let at = usize::try_from(indices.value(row)).ok().filter(|at| *at < array.len());
            Ok(at.and_then(|at| plain(array.swap_remove(at))))
        }
        _ if null_if_invalid(call, 2, row) => Ok(None),
        Ok(_) => Err(Error::new(ErrorKind::InvalidText, "the JSON text is not an array")),
        Err(_) => Err(invalid(texts.value(row))),
    })
}

fn array_length(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.text(0);
    call.int4s(|row| match parse(texts.value(row)) {
        Ok(Value::Array(array)) => Ok(i32::try_from(array.len()).ok()),
        _ if null_if_invalid(call, 1, row) => Ok(None),
        Ok(_) => Err(Error::new(ErrorKind::InvalidText, "the JSON text is not an array")),
        Err(_) => Err(invalid(texts.value(row))),
    })
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            let mut members: Vec<(String, Value)> =
                object.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            members.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(members.into_iter().collect())
        }
        Value::Array(array) => Value::Array(array.into_iter().map(sorted).collect()),
        other => other,
    }
}

/// JSON without blanks, its numbers as they are written.
fn exact(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.text(0);
    call.texts(|row| {
        let value = Json::parse(texts.value(row)).ok_or_else(|| invalid(texts.value(row)))?;
        Ok(Some(value.to_string()))
    })
}

/// JSON without blanks, its keys in order.
fn normalised(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.text(0);
    call.texts(|row| {
        let value = parse(texts.value(row)).map_err(|_| invalid(texts.value(row)))?;
        Ok(Some(sorted(value).to_string()))
    })
}

fn extract_trino(call: &Call<'_>, as_scalar: bool) -> Result<ArrayRef> {
    let (texts, paths) = (call.text(0), call.text(1));
    let mut last = Last::new();
    call.texts(|row| {
        // Trino gives NULL for broken JSON here.
        let found = follow(texts.value(row), last.of(paths.value(row), path_of)?).ok().flatten();
        Ok(match found {
            Some(Value::Object(_) | Value::Array(_)) if as_scalar => None,
            Some(value) if as_scalar => plain(value),
            Some(value) => Some(value.to_string()),
            None => None,
        })
    })
}

/// `$.a.b[0]["c d"]` as steps.
fn path_of(path: &str) -> Result<Vec<Step>> {
    let wrong = || Error::new(ErrorKind::InvalidParameter, format!("invalid JSON path: \"{path}\""));
    let mut rest = path.trim().strip_prefix('$').ok_or_else(wrong)?;
    let mut steps = Vec::new();
    while let Some(first) = rest.chars().next() {
        rest = &rest[first.len_utf8()..];
        match first {
            '.' => {
                let end = rest.find(['.', '[']).unwrap_or(rest.len());
                let key = rest[..end].trim_matches('"');
                if key.is_empty() || key == "*" {
                    return Err(wrong());
                }
                steps.push(Step::Key(key.to_owned()));
                rest = &rest[end..];
            }
            '[' => {
                let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
                if let Some(quote) = quote {
                    let end = rest[1..].find(quote).ok_or_else(wrong)? + 1;
                    steps.push(Step::Key(rest[1..end].to_owned()));
                    rest = rest[end + 1..].strip_prefix(']').ok_or_else(wrong)?;
                } else {
                    let end = rest.find(']').ok_or_else(wrong)?;
                    steps.push(Step::Index(rest[..end].trim().parse().map_err(|_| wrong())?));
                    rest = &rest[end + 1..];
                }
            }
            _ => return Err(wrong()),
        }
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn paths_are_followed() {
        let text = r#"{"a": {"b": [10, {"c d": "x"}], "n": null}, "a2": 1.50}"#;
        for (path, expected) in [
            ("$.a.b[0]", Some("10")),
            ("$.a.b[1][\"c d\"]", Some("\"x\"")),
            ("$['a']['b'][1]", Some(r#"{"c d":"x"}"#)),
            ("$.a.n", Some("null")),
            ("$.a.b[7]", None),
            ("$.a.b.c", None),
            ("$.x", None),
            ("$.a2", Some("1.5")),
        ] {
            let found = follow(text, &path_of(path).unwrap()).unwrap();
            assert_eq!(found.map(|value| value.to_string()).as_deref(), expected, "{path}");
        }
        assert!(follow(r#"{"a": 1, "#, &path_of("$.a").unwrap()).is_err(), "what follows must be JSON too");
        assert!(path_of("a.b").is_err());
    }
}
