//! Where paths lead in JSON texts, and what is said of texts that are none. No value is made of what a path passes by.

use super::kernel::Call;
use super::rows::{Last, Spread};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::json::{self, Json, JsonPath, Repeated, Step, unescape};
use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use serde_json::Value;
use std::borrow::Cow;

/// A text as serde_json reads it.
pub(super) fn parse(text: &str) -> serde_json::Result<Value> {
    serde_json::from_str(text)
}

/// What is said of a text that is no JSON.
pub(super) fn invalid(text: &str) -> Error {
    invalid_because(text, "invalid JSON")
}

/// The same in other words.
pub(super) fn invalid_because(text: &str, message: &str) -> Error {
    let shown: String = text.chars().take(60).collect();
    Error::new(ErrorKind::InvalidText, message).with_detail(format!("the text is {shown}"))
}

/// Where a path leads in a document as Trino reads it, which gives NULL for broken JSON.
fn lead<'t>(text: &'t str, path: &[Step]) -> Option<&'t str> {
    json::follow(text, path, Repeated::First).ok()?
}

/// The value there.
pub(super) fn follow(text: &str, path: &[Step]) -> Option<Value> {
    parse(lead(text, path)?).ok()
}

/// Whether a text's first character behind blanks is a bracket.
pub(super) fn begins_with(text: &str, bracket: char) -> bool {
    text.trim_ascii_start().starts_with(bracket)
}

/// A value of what was found to be JSON as text: texts without quotes, null as NULL, all others without blanks.
pub(super) fn plain(written: &str) -> Option<Cow<'_, str>> {
    match written.as_bytes() {
        [b'n', ..] => None,
        [b'"', .., b'"'] => Some(unescape(&written[1..written.len() - 1])),
        [b'{' | b'[', ..] => Json::read(written).map(|nested| Cow::Owned(nested.to_string())),
        _ => Some(Cow::Borrowed(written)),
    }
}

/// Whether the argument at a place says that of broken JSON nothing is told.
pub(super) fn null_if_invalid(call: &Call<'_>, at: usize, row: usize) -> bool {
    call.has(at) && call.spread_bool(at).value(row)
}

/// Redshift's JSON_EXTRACT_PATH_TEXT.
pub(super) fn extract_path(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.spread_text(0);
    let mut columns = call.args[1..].to_vec();
    let mut flag = None;
    if columns.last().is_some_and(|last| *last.data_type() == DataType::Boolean) {
        flag = columns.pop();
    }
    let flag = flag.as_ref().map(|flag| Spread::new(flag.as_boolean(), call.rows));
    let keys = columns.iter().map(|column| Ok(cast(column, &DataType::Utf8View)?)).collect::<Result<Vec<_>>>()?;
    let keys: Vec<_> = keys.iter().map(|key| Spread::new(key.as_string_view(), call.rows)).collect();
    let keys_of = |row: usize| keys.iter().map(|key| Step::Member(key.value(row).to_owned())).collect::<Vec<_>>();
    let are_constant = keys.iter().all(|key| key.one().is_some());
    let mut path = if are_constant && call.rows > 0 { keys_of(0) } else { Vec::new() };
    call.texts(|row| {
        if !are_constant {
            path = keys_of(row);
        }
        match json::follow(texts.value(row), &path, Repeated::Last) {
            Ok(found) => Ok(found.and_then(plain)),
            Err(_) if flag.as_ref().is_some_and(|flag| flag.value(row)) => Ok(None),
            Err(_) => Err(invalid(texts.value(row))),
        }
    })
}

/// What is wrong with a text that is to be a JSON array.
pub(super) fn no_array(text: &str) -> Error {
    match Json::read(text) {
        Some(_) => Error::new(ErrorKind::InvalidText, "the JSON text is not an array"),
        None => invalid(text),
    }
}

/// Redshift's JSON_EXTRACT_ARRAY_ELEMENT_TEXT.
pub(super) fn extract_element(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, indices) = (call.spread_text(0), call.spread_int(1));
    call.texts(|row| {
        let text = texts.value(row);
        // Nothing stands at a negative place.
        let place = usize::try_from(indices.value(row)).unwrap_or(usize::MAX);
        let found = json::follow(text, &[Step::Item(place)], Repeated::Last).ok().filter(|_| begins_with(text, '['));
        match found {
            Some(found) => Ok(found.and_then(plain)),
            None if null_if_invalid(call, 2, row) => Ok(None),
            None => Err(no_array(text)),
        }
    })
}

/// Trino's `json_extract`.
pub(super) fn extract_trino(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, paths, mut last) = (call.spread_text(0), call.spread_text(1), Last::new());
    call.texts(|row| {
        let found = follow(texts.value(row), last.of(paths.value(row), path_of)?);
        Ok(found.as_ref().map(ToString::to_string))
    })
}

/// Trino's `json_extract_scalar`.
pub(super) fn extract_trino_scalar(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, paths, mut last) = (call.spread_text(0), call.spread_text(1), Last::new());
    call.texts(|row| Ok(lead(texts.value(row), last.of(paths.value(row), path_of)?).and_then(trino_scalar)))
}

/// A value of what was found to be JSON as Trino's text; NULL for an object, an array and null.
fn trino_scalar(written: &str) -> Option<Cow<'_, str>> {
    match written.as_bytes() {
        [b'n' | b'{' | b'[', ..] => None,
        [b'"' | b't' | b'f', ..] => plain(written),
        _ if is_short_integer(written) => Some(Cow::Borrowed(written)),
        // Read and written again.
        _ => parse(written).ok().map(|number| Cow::Owned(number.to_string())),
    }
}

/// Whether a number is a whole one that is written as it is read: of 64 bits, and not `-0`.
fn is_short_integer(number: &str) -> bool {
    const MOST_DIGITS: usize = 18;
    let digits = number.strip_prefix('-').unwrap_or(number);
    digits.len() <= MOST_DIGITS && number != "-0" && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// `$.a.b[0]["c d"]` as steps.
pub(super) fn path_of(path: &str) -> Result<Vec<Step>> {
    let steps = JsonPath::parse(path)?.steps;
    if steps.contains(&Step::All) {
        let message = format!("invalid JSON path \"{path}\": it leads to more than one value");
        return Err(Error::new(ErrorKind::InvalidParameter, message));
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::functions::kernel::Kernel;
    use crate::zone::Zone;
    use datafusion::arrow::array::{BooleanArray, Int64Array, StringViewArray};
    use std::sync::Arc;

    // RFC 8259's values, and serde_json's of numbers, which are read and written again.
    #[test]
    fn scalars_are_those_of_the_values_read() {
        for written in [
            "0",
            "-0",
            "7",
            "-12",
            "123456789012345678",
            "-999999999999999999",
            "1234567890123456789",
            "98765432109876543210",
            "1.50",
            "1e5",
            "-2.0E-3",
            "1e400",
            "true",
            "false",
            "null",
            "[1]",
            "{}",
            "\"\"",
            "\"plain\"",
            r#""a\u00e9\n\"\/""#,
            r#""\ud83d\ude00""#,
        ] {
            let expected = match parse(written) {
                Err(_) | Ok(Value::Null | Value::Array(_) | Value::Object(_)) => None,
                Ok(Value::String(text)) => Some(text),
                Ok(value) => Some(value.to_string()),
            };
            assert_eq!(trino_scalar(written).as_deref(), expected.as_deref(), "{written}");
        }
    }

    fn column(values: &[Option<&str>]) -> ArrayRef {
        Arc::new(StringViewArray::from(values.to_vec()))
    }

    fn called(kernel: Kernel, args: &[ArrayRef], rows: usize) -> Result<Vec<Option<String>>> {
        let nulls = args.iter().find(|arg| arg.len() == rows).and_then(|arg| arg.nulls().cloned());
        let made = kernel(&Call { args, rows, nulls, gives: DataType::Utf8View, zone: Zone::UTC })?;
        Ok(made.as_string_view().iter().map(|text| text.map(str::to_owned)).collect())
    }

    // Redshift's page of JSON_EXTRACT_PATH_TEXT.
    #[test]
    fn documents_and_keys_may_be_columns_or_one() {
        let document = r#"{"f2":{"f3":1},"f4":{"f5":99,"f6":"star"}}"#;
        let documents = column(&[Some("x"), Some(document), None, Some(r#"{"f4": {"f6": null}}"#), Some("{}")]);
        let documents = documents.slice(1, 4);
        let text = |text: &str| Some(text.to_owned());
        let one = |key: &str| column(&[Some(key)]);
        let found = called(extract_path, &[documents.clone(), one("f4"), one("f6")], 4).unwrap();
        assert_eq!(found, [text("star"), None, None, None]);
        let keys = column(&[Some("f2"), Some("f4"), Some("f9")]);
        let found = called(extract_path, &[one(document), keys], 3).unwrap();
        assert_eq!(found, [text(r#"{"f3":1}"#), text(r#"{"f5":99,"f6":"star"}"#), None]);
        let broken = column(&[Some("{"), Some(document)]);
        assert!(called(extract_path, &[broken.clone(), one("f4")], 2).is_err());
        let flag: ArrayRef = Arc::new(BooleanArray::from(vec![true]));
        let found = called(extract_path, &[broken, one("f4"), one("f5"), flag], 2).unwrap();
        assert_eq!(found, [None, text("99")]);
        let places: ArrayRef = Arc::new(Int64Array::from(vec![2, -1, 0]));
        let found = called(extract_element, &[one("[111,112,113]"), places], 3).unwrap();
        assert_eq!(found, [text("113"), None, text("111")]);
    }

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
            let found = follow(text, &path_of(path).unwrap());
            assert_eq!(found.map(|value| value.to_string()).as_deref(), expected, "{path}");
        }
        assert!(follow(r#"{"a": 1, "#, &path_of("$.a").unwrap()).is_none(), "what follows must be JSON too");
        assert_eq!(path_of("$.\"a\".b").unwrap(), path_of("$.a.b").unwrap());
        for wrong in ["a.b", "$.", "$.*", "$[*]", "$.a..b", "$[x]"] {
            assert!(path_of(wrong).is_err(), "{wrong}");
        }
    }
}
