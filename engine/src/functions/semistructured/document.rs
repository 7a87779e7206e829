//! One SUPER value, and values of other types as SUPER.

use super::number::Number;
use crate::error::{Error, ErrorKind, Result};
use crate::functions::cast::as_text;
use crate::functions::kernel::{is_text, shown_type};
use crate::lake::json::{self, Json, quoted};
use crate::sql::Dialect;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringViewArray, StringViewBuilder};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type};
use std::borrow::Cow;

/// A SUPER value; what is no JSON is a text itself.
pub(super) fn value(text: &str) -> Json<'_> {
    Json::parse(text).unwrap_or(Json::Text(Cow::Borrowed(text)))
}

/// A value, where it is a number.
pub(super) fn number(value: &Json<'_>) -> Option<Number> {
    match value {
        Json::Number(text) => Number::parse(text),
        _ => None,
    }
}

/// A row's value in its place in an array or object.
pub(super) fn written(values: &StringViewArray, row: usize) -> String {
    if values.is_valid(row) { value(values.value(row)).to_string() } else { Json::Null.to_string() }
}

/// What was put together of SUPER values.
///
/// # Errors
/// `LimitExceeded` where it nests deeper than values do.
pub(super) fn shallow(text: String) -> Result<String> {
    if json::is_shallow(&text) {
        return Ok(text);
    }
    Err(Error::new(ErrorKind::LimitExceeded, format!("a SUPER value nests deeper than {} levels", json::MAX_DEPTH)))
}

/// Values of another type as SUPER: a text is a text, whatever stands in it.
///
/// # Errors
/// `DatatypeMismatch` for types that do not become SUPER.
pub(in crate::functions) fn as_documents(array: &ArrayRef) -> Result<ArrayRef> {
    let rows = array.len();
    match array.data_type() {
        text if is_text(text) => {
            let texts = cast(array, &DataType::Utf8View)?;
            let texts = texts.as_string_view();
            Ok(collect(rows, |row| texts.is_valid(row).then(|| quoted(texts.value(row)))))
        }
        DataType::Float16 | DataType::Float32 | DataType::Float64 => {
            let floats = cast(array, &DataType::Float64)?;
            let floats = floats.as_primitive::<Float64Type>();
            Ok(collect(rows, |row| floats.is_valid(row).then(|| float_text(floats.value(row)))))
        }
        data_type if data_type.is_null() || data_type.is_numeric() || *data_type == DataType::Boolean => {
            Ok(cast(&as_text(array, Dialect::Redshift)?, &DataType::Utf8View)?)
        }
        DataType::Dictionary(_, values) => as_documents(&cast(array, values)?),
        other => {
            let message = format!("cannot cast type {} to super", shown_type(other));
            Err(Error::new(ErrorKind::DatatypeMismatch, message))
        }
    }
}

fn collect(rows: usize, of: impl FnMut(usize) -> Option<String>) -> ArrayRef {
    let mut built = StringViewBuilder::with_capacity(rows);
    (0..rows).map(of).for_each(|value| built.append_option(value));
    std::sync::Arc::new(built.finish())
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
