//! Arrays of SUPER values.

use super::document::{Document, documents, value};
use super::json::{Json, quoted};
use crate::error::{Error, Result};
use crate::functions::kernel::{Call, Gives, Kind, REDSHIFT, Scalar, scalar};
use datafusion::arrow::array::{Array, ArrayRef, StringViewArray};

pub(in crate::functions) const FUNCTIONS: &[Scalar] = &[
    scalar("array", REDSHIFT, &[Kind::Any], Gives::Super, array).variadic().with_nulls().doc(
        "array([value, …])",
        "An array of values of any types.",
        &[("array(1, 'abc', true, 3.14)", "[1,\"abc\",true,3.14]"), ("array(1, array(2, array()))", "[1,[2,[]]]")],
    ),
    scalar("array_concat", REDSHIFT, &[Kind::Any, Kind::Any], Gives::Super, |call| {
        let (left, right) = (documents(call, 0)?, documents(call, 1)?);
        call.texts(|row| {
            Ok::<_, Error>(match (Document::of(left.value(row)), Document::of(right.value(row))) {
                (Document::Array(left), Document::Array(right)) => Some(joined(left.iter().chain(right.iter()))),
                _ => None,
            })
        })
    })
    .doc(
        "array_concat(super, super)",
        "Two arrays as one; NULL where one is none.",
        &[("array_concat(array(10001, 10002), array(10003, 10004))", "[10001,10002,10003,10004]")],
    ),
    scalar("array_flatten", REDSHIFT, &[Kind::Any], Gives::Super, |call| {
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
    scalar("get_array_length", REDSHIFT, &[Kind::Any], Gives::Int4, |call| {
        let values = documents(call, 0)?;
        call.int4s(|row| Ok(elements(&values, row).and_then(|values| i32::try_from(values.len()).ok())))
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
    scalar("subarray", REDSHIFT, &[Kind::Any, Kind::Int, Kind::Int], Gives::Super, subarray).doc(
        "subarray(super, start, length)",
        "Some elements of an array, from a place counted from 0, or from the end when negative.",
        &[
            ("subarray(array('a', 'b', 'c', 'd', 'e', 'f'), 2, 3)", "[\"c\",\"d\",\"e\"]"),
            ("subarray(array('a', 'b', 'c'), -1, 1)", "[\"c\"]"),
        ],
    ),
];

pub(super) fn joined<'v>(values: impl Iterator<Item = &'v Json>) -> String {
    format!("[{}]", values.map(ToString::to_string).collect::<Vec<_>>().join(","))
}

fn array(call: &Call<'_>) -> Result<ArrayRef> {
    let values = (0..call.args.len()).map(|at| documents(call, at)).collect::<Result<Vec<_>>>()?;
    call.texts(|row| {
        let of_row = |values: &StringViewArray| {
            if values.is_valid(row) { written(values.value(row)) } else { "null".to_owned() }
        };
        Ok(Some(format!("[{}]", values.iter().map(of_row).collect::<Vec<_>>().join(","))))
    })
}

/// A value in its place in an array or object; one that cannot be read is a text.
pub(super) fn written(text: &str) -> String {
    match Document::of(text) {
        Document::Text(plain) => quoted(&plain),
        Document::Array(_) | Document::Object(_) => value(text).to_string(),
        _ => text.trim_ascii().to_owned(),
    }
}

/// The elements of a row's array; `None` of what is none.
pub(super) fn elements(values: &StringViewArray, row: usize) -> Option<Vec<Json>> {
    match values.is_valid(row).then(|| Document::of(values.value(row))) {
        Some(Document::Array(values)) => Some(values.into_owned()),
        _ => None,
    }
}

fn of_array(call: &Call<'_>, of: impl Fn(&[Json]) -> Option<String>) -> Result<ArrayRef> {
    let values = documents(call, 0)?;
    call.texts(|row| Ok(elements(&values, row).and_then(|values| of(&values))))
}

fn flatten<'v>(values: &'v [Json], into: &mut Vec<&'v Json>) {
    for value in values {
        match value {
            Json::Array(inner) => flatten(inner, into),
            other => into.push(other),
        }
    }
}

fn subarray(call: &Call<'_>) -> Result<ArrayRef> {
    let (values, starts, lengths) = (documents(call, 0)?, call.int(1), call.int(2));
    call.texts(|row| {
        let Some(values) = elements(&values, row) else { return Ok(None) };
        let start = match starts.value(row) {
            start if start < 0 => start.saturating_add(values.len() as i64).max(0),
            start => start,
        };
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        let length = usize::try_from(lengths.value(row)).unwrap_or_default();
        Ok::<_, Error>(Some(joined(values.iter().skip(start).take(length))))
    })
}
