//! What a SUPER value is.

use super::document::{number, value};
use super::number::Number;
use crate::error::Result;
use crate::functions::kernel::{Call, Gives, Kind, REDSHIFT, Scalar, scalar};
use crate::lake::json::Json;
use datafusion::arrow::array::{Array, ArrayRef};

pub(in crate::functions) const FUNCTIONS: &[Scalar] = &[
    scalar("json_typeof", REDSHIFT, &[Kind::Super], Gives::Text, |call| {
        let values = call.text(0);
        call.texts(|row| {
            Ok(Some(match value(values.value(row)) {
                Json::Object(_) => "object",
                Json::Array(_) => "array",
                Json::Text(_) => "string",
                Json::Number(_) => "number",
                Json::Bool(_) => "boolean",
                Json::Null => "null",
            }))
        })
    })
    .doc(
        "json_typeof(super)",
        "object, array, string, number, boolean or null.",
        &[("json_typeof(json_parse('[1]'))", "array"), ("json_typeof(json_parse('\"x\"'))", "string")],
    ),
    of("is_array", |call| is(call, |value| matches!(value, Json::Array(_)))).doc(
        "is_array(super)",
        "Whether a value is an array; false of NULL, as all of these.",
        &[("is_array(json_parse('[1,2]'))", "true")],
    ),
    of("is_object", |call| is(call, |value| matches!(value, Json::Object(_)))).doc(
        "is_object(super)",
        "Whether a value is an object.",
        &[("is_object(json_parse('{\"name\": \"Joe\"}'))", "true"), ("is_object(json_parse('[1]'))", "false")],
    ),
    of("is_scalar", |call| is(call, |value| !matches!(value, Json::Array(_) | Json::Object(_) | Json::Null))).doc(
        "is_scalar(super)",
        "Whether a value is neither array nor object.",
        &[("is_scalar(json_parse('{\"name\": \"Joe\"}'))", "false")],
    ),
    of("is_boolean", |call| is(call, |value| matches!(value, Json::Bool(_)))).doc(
        "is_boolean(super)",
        "Whether a value is true or false.",
        &[("is_boolean(json_parse('true'))", "true")],
    ),
    of("is_varchar", |call| is(call, |value| matches!(value, Json::Text(_)))).doc(
        "is_varchar(super)",
        "Whether a value is a text.",
        &[("is_varchar(array('text')[0])", "true")],
    ),
    of("is_char", |call| is(call, |value| matches!(value, Json::Text(text) if text.is_ascii()))).doc(
        "is_char(super)",
        "Whether a value is a text of ASCII characters.",
        &[("is_char(array('t')[0])", "true")],
    ),
    of("is_decimal", |call| is(call, |value| matches!(number(value), Some(Number::Exact { .. })))).doc(
        "is_decimal(super)",
        "Whether a value is a number that is no floating-point one.",
        &[("is_decimal(array(1.22)[0])", "true"), ("is_decimal(array(1.22::float)[0])", "false")],
    ),
    of("is_float", |call| is(call, |value| matches!(number(value), Some(Number::Float(_))))).doc(
        "is_float(super)",
        "Whether a value is a floating-point number.",
        &[("is_float(array(2.22::float)[0])", "true"), ("is_float(array(2.22)[0])", "false")],
    ),
    of("is_smallint", |call| whole(call, i128::from(i16::MIN), i128::from(i16::MAX))).doc(
        "is_smallint(super)",
        "Whether a value is a whole number of 16 bits.",
        &[("is_smallint(array(5)[0])", "true")],
    ),
    of("is_integer", |call| whole(call, i128::from(i32::MIN), i128::from(i32::MAX))).doc(
        "is_integer(super)",
        "Whether a value is a whole number of 32 bits.",
        &[("is_integer(array(5)[0])", "true"), ("is_integer(array(5.5)[0])", "false")],
    ),
    of("is_bigint", |call| whole(call, i128::from(i64::MIN), i128::from(i64::MAX))).doc(
        "is_bigint(super)",
        "Whether a value is a whole number of 64 bits.",
        &[("is_bigint(array(5)[0])", "true")],
    ),
    scalar("json_size", REDSHIFT, &[Kind::Super], Gives::Int8, |call| {
        let values = call.text(0);
        call.ints(|row| Ok(i64::try_from(values.value(row).len()).ok()))
    })
    .doc(
        "json_size(super)",
        "How many bytes a value has as JSON text.",
        &[("json_size(json_parse('[10001,10002,\"⬤\"]'))", "19")],
    ),
    scalar("decimal_precision", REDSHIFT, &[Kind::Super], Gives::Int4, |call| {
        digits(call, |text| text.bytes().filter(u8::is_ascii_digit).count())
    })
    .doc(
        "decimal_precision(super)",
        "How many digits a decimal has.",
        &[("decimal_precision(array(3.14159)[0])", "6")],
    ),
    scalar("decimal_scale", REDSHIFT, &[Kind::Super], Gives::Int4, |call| {
        digits(call, |text| text.split_once('.').map_or(0, |(_, fraction)| fraction.len()))
    })
    .doc(
        "decimal_scale(super)",
        "How many digits a decimal has after its point.",
        &[("decimal_scale(array(3.14159)[0])", "5")],
    ),
];

const fn of(name: &'static str, kernel: fn(&Call<'_>) -> Result<ArrayRef>) -> Scalar {
    scalar(name, REDSHIFT, &[Kind::Super], Gives::Bool, kernel).with_nulls()
}

fn is(call: &Call<'_>, what: impl Fn(&Json<'_>) -> bool) -> Result<ArrayRef> {
    let values = call.text(0);
    call.bools(|row| Ok(Some(values.is_valid(row) && what(&value(values.value(row))))))
}

fn whole(call: &Call<'_>, least: i128, most: i128) -> Result<ArrayRef> {
    is(call, |value| match number(value) {
        Some(Number::Exact { digits, scale: 0 }) => (least..=most).contains(&digits),
        _ => false,
    })
}

/// What is counted of a decimal's text.
fn digits(call: &Call<'_>, count: impl Fn(&str) -> usize) -> Result<ArrayRef> {
    let values = call.text(0);
    call.int4s(|row| {
        Ok(match value(values.value(row)) {
            Json::Number(text) if matches!(Number::parse(text), Some(Number::Exact { .. })) => {
                i32::try_from(count(text)).ok()
            }
            _ => None,
        })
    })
}
