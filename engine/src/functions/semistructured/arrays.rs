//! Arrays of SUPER values.

use super::document::{shallow, value, written};
use crate::error::{Error, Result};
use crate::functions::kernel::{Call, Gives, Kind, REDSHIFT, Scalar, scalar};
use crate::lake::json::{Json, quoted};
use datafusion::arrow::array::{Array, ArrayRef, StringViewArray};

pub(in crate::functions) const FUNCTIONS: &[Scalar] = &[
    scalar("array", REDSHIFT, &[Kind::Super], Gives::Super, array).variadic().with_nulls().doc(
        "array([value, …])",
        "An array of values of any types.",
        &[("array(1, 'abc', true, 3.14)", "[1,\"abc\",true,3.14]"), ("array(1, array(2, array()))", "[1,[2,[]]]")],
    ),
    scalar("array_concat", REDSHIFT, &[Kind::Super, Kind::Super], Gives::Super, |call| {
        let (left, right) = (call.text(0), call.text(1));
        call.texts(|row| {
            Ok::<_, Error>(match (value(left.value(row)), value(right.value(row))) {
                (Json::Array(left), Json::Array(right)) => Some(joined(left.iter().chain(&right))),
                _ => None,
            })
        })
    })
    .doc(
        "array_concat(super, super)",
        "Two arrays as one; NULL where one is none.",
        &[("array_concat(array(10001, 10002), array(10003, 10004))", "[10001,10002,10003,10004]")],
    ),
    scalar("array_flatten", REDSHIFT, &[Kind::Super], Gives::Super, |call| {
        of_array(call, |values| {
            let mut flat = Vec::new();
            flatten(values, &mut flat);
            Some(joined(flat.into_iter()))
        })
    })
    .doc(
        "array_flatten(super)",
        "An array with the elements of the arrays in it in their places; NULL of what is none.",
        &[("array_flatten(array(1, array(2, array(3, array()))))", "[1,2,3]")],
    ),
    scalar("get_array_length", REDSHIFT, &[Kind::Super], Gives::Int4, |call| {
        let values = call.text(0);
        call.int4s(|row| Ok(elements(values, row).and_then(|values| i32::try_from(values.len()).ok())))
    })
    .doc(
        "get_array_length(super)",
        "How many elements an array has; NULL of what is none.",
        &[("get_array_length(array(1, 2, 3, 4, 5, 6, 7, 8, 9, 10))", "10")],
    ),
    scalar("split_to_array", REDSHIFT, &[Kind::Text, Kind::Text], Gives::Super, |call| {
        let texts = call.text(0);
        call.texts(|row| {
            let separator = if call.has(1) { call.text(1).value(row) } else { "," };
            let text = texts.value(row);
            let parts: Vec<String> =
                if separator.is_empty() { vec![quoted(text)] } else { text.split(separator).map(quoted).collect() };
            Ok(Some(format!("[{}]", parts.join(","))))
        })
    })
    .optional(1)
    .doc(
        "split_to_array(text [, separator])",
        "The parts of a text between commas, or another separator.",
        &[("split_to_array('12|345|6789', '|')", "[\"12\",\"345\",\"6789\"]")],
    ),
    scalar("subarray", REDSHIFT, &[Kind::Super, Kind::Int, Kind::Int], Gives::Super, subarray).doc(
        "subarray(super, start, length)",
        "Some elements of an array, from a place counted from 0, or from the end when negative.",
        &[
            ("subarray(array('a', 'b', 'c', 'd', 'e', 'f'), 2, 3)", "[\"c\",\"d\",\"e\"]"),
            ("subarray(array('a', 'b', 'c'), -1, 1)", "[\"c\"]"),
        ],
    ),
];

pub(super) fn joined<'v, 't: 'v>(values: impl Iterator<Item = &'v Json<'t>>) -> String {
    format!("[{}]", values.map(ToString::to_string).collect::<Vec<_>>().join(","))
}

fn array(call: &Call<'_>) -> Result<ArrayRef> {
    let values: Vec<&StringViewArray> = (0..call.args.len()).map(|at| call.text(at)).collect();
    call.texts(|row| {
        let all: Vec<String> = values.iter().map(|values| written(values, row)).collect();
        shallow(format!("[{}]", all.join(","))).map(Some)
    })
}

/// The elements of a row's array; `None` of what is none.
pub(super) fn elements(values: &StringViewArray, row: usize) -> Option<Vec<Json<'_>>> {
    match values.is_valid(row).then(|| value(values.value(row))) {
        Some(Json::Array(values)) => Some(values),
        _ => None,
    }
}

fn of_array(call: &Call<'_>, of: impl Fn(&[Json<'_>]) -> Option<String>) -> Result<ArrayRef> {
    let values = call.text(0);
    call.texts(|row| Ok(elements(values, row).and_then(|values| of(&values))))
}

fn flatten<'v, 't>(values: &'v [Json<'t>], into: &mut Vec<&'v Json<'t>>) {
    for value in values {
        match value {
            Json::Array(inner) => flatten(inner, into),
            other => into.push(other),
        }
    }
}

fn subarray(call: &Call<'_>) -> Result<ArrayRef> {
    let (values, starts, lengths) = (call.text(0), call.int(1), call.int(2));
    call.texts(|row| {
        let Some(values) = elements(values, row) else { return Ok(None) };
        let start = match starts.value(row) {
            start if start < 0 => start.saturating_add(values.len() as i64).max(0),
            start => start,
        };
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        let length = usize::try_from(lengths.value(row)).unwrap_or_default();
        Ok::<_, Error>(Some(joined(values.iter().skip(start).take(length))))
    })
}
