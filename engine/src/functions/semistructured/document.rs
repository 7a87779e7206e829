//! One SUPER value, and values of other types as SUPER.

use super::json::{Json, quoted};
use super::number::Number;
use crate::error::{Error, ErrorKind, Result};
use crate::functions::cast::as_text;
use crate::functions::kernel::{Call, shown_type};
use crate::sql::Dialect;
use crate::tables;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringViewArray, StringViewBuilder};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Float64Type};
use std::borrow::Cow;

/// A SUPER value, its outermost level read.
#[derive(Debug)]
pub(super) enum Document<'a> {
    Null,
    Bool(bool),
    /// A number as it is written.
    Number(&'a str),
    Text(Cow<'a, str>),
    Array(Cow<'a, [Json]>),
    Object(Cow<'a, [(String, Json)]>),
}

impl<'a> From<&'a Json> for Document<'a> {
    fn from(value: &'a Json) -> Self {
        match value {
            Json::Null => Self::Null,
            Json::Bool(flag) => Self::Bool(*flag),
            Json::Number(text) => Self::Number(text),
            Json::Text(text) => Self::Text(Cow::Borrowed(text)),
            Json::Array(values) => Self::Array(Cow::Borrowed(values)),
            Json::Object(members) => Self::Object(Cow::Borrowed(members)),
        }
    }
}

impl<'a> Document<'a> {
    /// Reads a JSON text; what is none is a text itself.
    pub(super) fn of(text: &'a str) -> Self {
        let trimmed = text.trim_ascii();
        let read = match trimmed.as_bytes().first() {
            Some(b'n') => (trimmed == "null").then_some(Self::Null),
            Some(b't') => (trimmed == "true").then_some(Self::Bool(true)),
            Some(b'f') => (trimmed == "false").then_some(Self::Bool(false)),
            Some(b'-' | b'0'..=b'9') => Number::parse(trimmed).map(|_| Self::Number(trimmed)),
            Some(b'"') => {
                let plain = trimmed.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
                match plain.filter(|plain| !plain.contains(['\\', '"'])) {
                    Some(plain) => Some(Self::Text(Cow::Borrowed(plain))),
                    None => serde_json::from_str(trimmed).ok().map(|text| Self::Text(Cow::Owned(text))),
                }
            }
            Some(b'[' | b'{') => match Json::parse(trimmed) {
                Some(Json::Array(values)) => Some(Self::Array(Cow::Owned(values))),
                Some(Json::Object(members)) => Some(Self::Object(Cow::Owned(members))),
                _ => None,
            },
            _ => None,
        };
        read.unwrap_or(Self::Text(Cow::Borrowed(text)))
    }

    /// The value, where it is a number.
    pub(super) fn number(&self) -> Option<Number> {
        match self {
            Self::Number(text) => Number::parse(text),
            _ => None,
        }
    }
}

/// A JSON text as a value.
pub(super) fn value(text: &str) -> Json {
    Json::parse(text).unwrap_or_else(|| Json::Text(text.to_owned()))
}

/// An argument's values as JSON texts: a SUPER as it is, others as what they are in JSON.
pub(super) fn documents(call: &Call<'_>, at: usize) -> Result<StringViewArray> {
    as_documents(&call.args[at], call.fields.get(at).map(AsRef::as_ref))
}

pub(in crate::functions) fn as_documents(array: &ArrayRef, field: Option<&Field>) -> Result<StringViewArray> {
    let rows = array.len();
    match array.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            let texts = cast(array, &DataType::Utf8View)?;
            let texts = texts.as_string_view();
            if field.is_some_and(tables::is_super) {
                return Ok(texts.clone());
            }
            Ok(collect(rows, |row| texts.is_valid(row).then(|| quoted(texts.value(row)))))
        }
        DataType::Float16 | DataType::Float32 | DataType::Float64 => {
            let floats = cast(array, &DataType::Float64)?;
            let floats = floats.as_primitive::<Float64Type>();
            Ok(collect(rows, |row| floats.is_valid(row).then(|| float_text(floats.value(row)))))
        }
        data_type if data_type.is_null() || data_type.is_numeric() || *data_type == DataType::Boolean => {
            let texts = cast(&as_text(array, Dialect::Redshift)?, &DataType::Utf8View)?;
            Ok(texts.as_string_view().clone())
        }
        other => {
            let message = format!("cannot cast type {} to super", shown_type(other));
            Err(Error::new(ErrorKind::DatatypeMismatch, message))
        }
    }
}

fn collect(rows: usize, mut of: impl FnMut(usize) -> Option<String>) -> StringViewArray {
    let mut built = StringViewBuilder::with_capacity(rows);
    (0..rows).for_each(|row| built.append_option(of(row)));
    built.finish()
}

/// A floating-point number as JSON, always with an exponent, which tells it from a decimal; JSON has no others than
/// finite ones.
pub(super) fn float_text(float: f64) -> String {
    if !float.is_finite() {
        return quoted(&float.to_string());
    }
    let text = format!("{float:e}");
    match text.split_once('e') {
        Some((digits, exponent)) if !exponent.starts_with('-') => format!("{digits}e+{exponent}"),
        _ => text,
    }
}
