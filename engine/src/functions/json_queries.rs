//! SQL's functions over JSON: those that ask by a path, and those that put JSON together. The parser spells their clauses
//! as texts (`sql::trino_json`).

use super::cast::as_type;
use super::json_casts::written;
use super::json_path::JsonPath;
use super::json_paths::{invalid, parse};
use super::kernel::{ATHENA, Call, Gives, JSON, Kind, Scalar, scalar};
use super::rows::Last;
use super::text::bytes_of;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::json::{Json, quoted};
use crate::sql::Dialect;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringViewArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::HashSet;

use Kind::{Any, Text};

pub(super) const FUNCTIONS: &[Scalar] = &[
    scalar("$json_exists", ATHENA, &[Text, Text, Text, Any], Gives::Bool, exists).optional(1).variadic().with_nulls(),
    scalar("$json_value", ATHENA, &[Text, Text, Text, Text, Text, Text, Any], Gives::Text, value)
        .optional(1)
        .variadic()
        .with_nulls(),
    scalar("$json_whole_value", ATHENA, &[Text, Text, Text, Text, Text, Text, Any], Gives::Text, whole_value)
        .optional(1)
        .variadic()
        .with_nulls(),
    scalar("$json_query", ATHENA, &[Text, Text, Text, Text, Text, Text, Any], Gives::Text, query)
        .optional(1)
        .variadic()
        .with_nulls(),
    scalar("$json_array", ATHENA, &[Text, Any], Gives::Text, array).optional(1).variadic().with_nulls(),
    scalar("$json_object", ATHENA, &[Text, Any], Gives::Text, object).optional(1).variadic().with_nulls(),
    scalar("$json_decoded", ATHENA, &[Any, Text], Gives::Text, decoded),
    scalar("$json_encoded", ATHENA, &[Text, Text], Gives::Of(|_| Ok(DataType::BinaryView)), encoded),
];

/// The values of a path's variables, each as JSON text.
pub(super) struct Passed {
    names: Vec<String>,
    values: Vec<ArrayRef>,
}

impl Passed {
    /// From pairs of a name, behind a letter that tells JSON, and a value.
    pub(super) fn of(args: &[ArrayRef]) -> Result<Self> {
        let (mut names, mut values) = (Vec::new(), Vec::new());
        for pair in args.chunks_exact(2) {
            let name = cast(&pair[0], &DataType::Utf8View)?;
            let name = name.as_string_view().iter().flatten().next().unwrap_or_default().to_owned();
            values.push(as_json(&pair[1], name.starts_with('j'))?);
            names.push(name.get(1..).unwrap_or_default().to_owned());
        }
        Ok(Self { names, values })
    }

    /// A path that may have these variables.
    pub(super) fn path(&self, text: &str) -> Result<JsonPath> {
        JsonPath::parse(text, &self.names)
    }

    /// Those of a row.
    pub(super) fn row(&self, row: usize) -> Outcome<Vec<(String, Value)>> {
        let of = |(name, values): (&String, &ArrayRef)| {
            let texts = values.as_string_view();
            let value = if texts.is_null(row) { Value::Null } else { document(texts.value(row))? };
            Ok((name.clone(), value))
        };
        self.names.iter().zip(&self.values).map(of).collect()
    }
}

/// Values as JSON text: what is written as JSON already as it is, values of the type of JSON as the texts that they are.
fn as_json(values: &ArrayRef, is_json: bool) -> Result<ArrayRef> {
    if is_json {
        return Ok(cast(values, &DataType::Utf8View)?);
    }
    let texts = match values.data_type() {
        json if *json == JSON => as_type(values, &DataType::Utf8View, Dialect::Athena)?,
        _ => ArrayRef::clone(values),
    };
    Ok(cast(&written(&texts)?, &DataType::Utf8View)?)
}

/// Or why there is none, in words.
pub(super) type Outcome<T> = std::result::Result<T, String>;

pub(super) fn document(text: &str) -> Outcome<Value> {
    parse(text).map_err(|_| "conversion to JSON failed".to_owned())
}

/// What is made of the items that a row's path leads to.
fn asked<T>(
    text: &str,
    path: &JsonPath,
    passed: &Passed,
    row: usize,
    of: impl FnOnce(Vec<Cow<'_, Value>>) -> Outcome<T>,
) -> Outcome<T> {
    let (document, passed) = (document(text)?, passed.row(row)?);
    of(path.evaluate(&document, &passed)?)
}

pub(super) fn failed(reason: &str) -> Error {
    Error::new(ErrorKind::Data, reason)
}

fn exists(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, paths, on_error) = (call.text(0), call.text(1), call.text(2));
    let (passed, mut last) = (Passed::of(&call.args[3..])?, Last::new());
    call.bools(|row| {
        let path = last.of(paths.value(row), |text| passed.path(text))?;
        if texts.is_null(row) {
            return Ok(None);
        }
        match (asked(texts.value(row), path, &passed, row, |items| Ok(!items.is_empty())), on_error.value(row)) {
            (Ok(found), _) => Ok(Some(found)),
            (Err(_), "true") => Ok(Some(true)),
            (Err(_), "false") => Ok(Some(false)),
            (Err(_), "unknown") => Ok(None),
            (Err(reason), _) => Err(failed(&reason)),
        }
    })
}

/// What is said of no item or of an error: `null`, `error` or `default`, with the default.
#[derive(Clone, Copy)]
pub(super) struct Said<'a> {
    pub(super) what: &'a str,
    pub(super) default: Option<&'a str>,
}

impl Said<'_> {
    /// What stands for a scalar that there is not, for a reason.
    pub(super) fn instead(self, reason: &str) -> Result<Option<String>> {
        match self.what {
            "null" => Ok(None),
            "default" => Ok(self.default.map(str::to_owned)),
            _ => Err(failed(reason)),
        }
    }
}

/// The only scalar among items as text, for a whole number one that a number or truth value is cast to. What is said of no item
/// counts whatever is said of errors.
pub(super) fn scalar_of(items: &[Cow<'_, Value>], on_empty: Said<'_>, whole: bool) -> Outcome<Result<Option<String>>> {
    const FAILS: &str = "cannot extract SQL scalar from JSON: JSON path found";
    match items {
        [] => Ok(on_empty.instead(&format!("{FAILS} no items"))),
        [item] => match &**item {
            Value::Null => Ok(Ok(None)),
            Value::String(text) => Ok(Ok(Some(text.clone()))),
            Value::Array(_) | Value::Object(_) => {
                Err(format!("{FAILS} an item that cannot be converted to an SQL value"))
            }
            Value::Bool(flag) if whole => Ok(Ok(Some(u8::from(*flag).to_string()))),
            Value::Number(number) if whole && number.is_f64() => {
                Ok(Ok(number.as_f64().map(|number| format!("{:.0}", number.round()))))
            }
            scalar => Ok(Ok(Some(scalar.to_string()))),
        },
        _ => Err(format!("{FAILS} multiple items")),
    }
}

fn value(call: &Call<'_>) -> Result<ArrayRef> {
    values(call, false)
}

fn whole_value(call: &Call<'_>) -> Result<ArrayRef> {
    values(call, true)
}

fn values(call: &Call<'_>, whole: bool) -> Result<ArrayRef> {
    let (texts, paths) = (call.text(0), call.text(1));
    let (on_empty, empty, on_error, error) = (call.text(2), call.text(3), call.text(4), call.text(5));
    let (passed, mut last) = (Passed::of(&call.args[6..])?, Last::new());
    call.texts(|row| {
        let path = last.of(paths.value(row), |text| passed.path(text))?;
        if texts.is_null(row) {
            return Ok(None);
        }
        let on_empty = Said { what: on_empty.value(row), default: empty.is_valid(row).then(|| empty.value(row)) };
        let on_error = Said { what: on_error.value(row), default: error.is_valid(row).then(|| error.value(row)) };
        let found = asked(texts.value(row), path, &passed, row, |items| scalar_of(&items, on_empty, whole));
        found.unwrap_or_else(|reason| on_error.instead(&reason))
    })
}

/// Items as JSON, or in a wrapper. What is said of no item counts whatever is said of errors.
pub(super) fn json_of(
    items: Vec<Cow<'_, Value>>,
    wrapper: &str,
    quotes: &str,
    on_empty: &str,
) -> Outcome<Result<Option<String>>> {
    const FAILS: &str = "cannot extract JSON item: JSON path found";
    match items.as_slice() {
        [] => Ok(instead(on_empty, &format!("{FAILS} no items"))),
        [item] if is_plain(wrapper, item) => Ok(Ok(Some(match &**item {
            Value::String(text) if quotes == "omit" => text.clone(),
            item => item.to_string(),
        }))),
        _ if wrapper == "without" => Err(format!("{FAILS} multiple items")),
        _ => Ok(Ok(Some(Value::Array(items.into_iter().map(Cow::into_owned).collect()).to_string()))),
    }
}

fn query(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, paths, wrapper, quotes) = (call.text(0), call.text(1), call.text(2), call.text(3));
    let (on_empty, on_error) = (call.text(4), call.text(5));
    let (passed, mut last) = (Passed::of(&call.args[6..])?, Last::new());
    call.texts(|row| {
        let path = last.of(paths.value(row), |text| passed.path(text))?;
        if texts.is_null(row) {
            return Ok(None);
        }
        let found = asked(texts.value(row), path, &passed, row, |items| {
            json_of(items, wrapper.value(row), quotes.value(row), on_empty.value(row))
        });
        found.unwrap_or_else(|reason| instead(on_error.value(row), &reason))
    })
}

/// Whether an item that is alone is not put into an array.
fn is_plain(wrapper: &str, item: &Value) -> bool {
    match wrapper {
        "without" => true,
        "conditional" => item.is_array() || item.is_object(),
        _ => false,
    }
}

/// What stands for JSON that there is not, for a reason.
pub(super) fn instead(behaviour: &str, reason: &str) -> Result<Option<String>> {
    match behaviour {
        "null" => Ok(None),
        "array" => Ok(Some(Value::Array(Vec::new()).to_string())),
        "object" => Ok(Some(Value::Object(Map::new()).to_string())),
        _ => Err(failed(reason)),
    }
}

/// The letters that the first argument says of all rows: what becomes of NULLs, and for each value whether it is JSON.
fn letters(call: &Call<'_>) -> String {
    call.text(0).iter().flatten().next().unwrap_or_default().to_owned()
}

/// A row's value behind others; JSON without blanks.
fn append(into: &mut String, texts: &StringViewArray, row: usize, is_json: bool) -> Result<()> {
    if texts.is_null(row) {
        into.push_str("null");
    } else if is_json {
        let text = texts.value(row);
        let value = Json::read(text).ok_or_else(|| invalid(text))?;
        into.push_str(&value.to_string());
    } else {
        into.push_str(texts.value(row));
    }
    Ok(())
}

fn array(call: &Call<'_>) -> Result<ArrayRef> {
    let letters = letters(call);
    let (keeps_nulls, kinds) = (letters.starts_with('n'), letters.get(1..).unwrap_or_default());
    let elements = call.args[1..].iter().zip(kinds.chars());
    let elements = elements.map(|(values, kind)| Ok((as_json(values, kind == 'j')?, kind == 'j')));
    let elements = elements.collect::<Result<Vec<_>>>()?;
    call.texts(|row| {
        let mut made = "[".to_owned();
        for (texts, is_json) in &elements {
            let texts = texts.as_string_view();
            if texts.is_null(row) && !keeps_nulls {
                continue;
            }
            if made.len() > 1 {
                made.push(',');
            }
            append(&mut made, texts, row, *is_json)?;
        }
        made.push(']');
        Ok(Some(made))
    })
}

fn object(call: &Call<'_>) -> Result<ArrayRef> {
    let letters = letters(call);
    let (keeps_nulls, is_unique) = (letters.starts_with('n'), letters.get(1..2) == Some("u"));
    let kinds = letters.get(2..).unwrap_or_default();
    let members = call.args[1..].chunks_exact(2).zip(kinds.chars());
    let members = members.map(|(pair, kind)| {
        let key = cast(&pair[0], &DataType::Utf8View)?;
        Ok((key, as_json(&pair[1], kind == 'j')?, kind == 'j'))
    });
    let members = members.collect::<Result<Vec<_>>>()?;
    let wrong = |message: &str| Error::new(ErrorKind::InvalidParameter, message);
    call.texts(|row| {
        let mut made = "{".to_owned();
        let mut seen = HashSet::new();
        for (keys, values, is_json) in &members {
            let (keys, values) = (keys.as_string_view(), values.as_string_view());
            if keys.is_null(row) {
                return Err(wrong("null value passed for JSON object key to JSON_OBJECT function"));
            }
            if values.is_null(row) && !keeps_nulls {
                continue;
            }
            if is_unique && !seen.insert(keys.value(row)) {
                return Err(wrong("duplicate key passed to JSON_OBJECT function"));
            }
            if made.len() > 1 {
                made.push(',');
            }
            made.push_str(&quoted(keys.value(row)));
            made.push(':');
            append(&mut made, values, row, *is_json)?;
        }
        made.push('}');
        Ok(Some(made))
    })
}

/// Bytes in an encoding of Unicode, those of UTF-16 and UTF-32 little end first, as a text.
fn decoded(call: &Call<'_>) -> Result<ArrayRef> {
    let (values, encodings) = (bytes_of(&call.args[0])?, call.text(1));
    let values = values.as_binary::<i32>();
    call.texts(|row| {
        let (bytes, encoding) = (values.value(row), encodings.value(row));
        let text = match encoding {
            "utf16" if bytes.len().is_multiple_of(2) => {
                let units: Vec<u16> =
                    bytes.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect();
                String::from_utf16(&units).ok()
            }
            "utf32" if bytes.len().is_multiple_of(4) => {
                let units = bytes.chunks_exact(4).map(|unit| u32::from_le_bytes([unit[0], unit[1], unit[2], unit[3]]));
                units.map(char::from_u32).collect()
            }
            "utf8" => std::str::from_utf8(bytes).ok().map(str::to_owned),
            _ => None,
        };
        let invalid = || Error::new(ErrorKind::InvalidText, format!("invalid JSON: no {encoding}"));
        text.map(Some).ok_or_else(invalid)
    })
}

/// A text's bytes in an encoding.
fn encoded(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, encodings) = (call.text(0), call.text(1));
    call.binaries(|row| {
        let text = texts.value(row);
        Ok(match encodings.value(row) {
            "utf16" => Cow::Owned(text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>()),
            "utf32" => Cow::Owned(text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect()),
            _ => Cow::Borrowed(text.as_bytes()),
        })
    })
}
