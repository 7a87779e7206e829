//! Arrays of SUPER values as lists to search and as sets. Elements are compared as `=` does; NULL is an element like others.

use super::arrays::{elements, joined};
use super::document::value;
use super::operators::{key_of, order};
use crate::error::Result;
use crate::functions::kernel::{Call, Gives, Kind, REDSHIFT, Scalar, scalar};
use crate::lake::json::Json;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringViewArray};
use std::collections::{BTreeMap, BTreeSet};

pub(in crate::functions) const FUNCTIONS: &[Scalar] = &[
    scalar("array_contains", REDSHIFT, &[Kind::Super, Kind::Super, Kind::Bool], Gives::Bool, |call| {
        let search = Search::of(call);
        call.bools(|row| Ok(search.places(row).map(|places| !places.is_empty())))
    })
    .optional(1)
    .with_nulls()
    .doc(
        "array_contains(super, value [, null_match])",
        "Whether an array has an element; without null_match NULL is no element, and hides what is not found.",
        &[
            ("array_contains(array('red', 'green'), 'red')", "true"),
            ("array_contains(array('red', NULL, 'green'), NULL)", "true"),
            ("array_contains(array('red', NULL, 'green'), 'blue', true)", "false"),
            ("array_contains(array('red', NULL, 'green'), 'blue', false)", "NULL"),
        ],
    ),
    scalar("array_position", REDSHIFT, &[Kind::Super, Kind::Super, Kind::Bool], Gives::Int4, |call| {
        let search = Search::of(call);
        call.int4s(|row| {
            let first = |places: Vec<usize>| places.first().map_or(Some(-1), |first| i32::try_from(*first).ok());
            Ok(search.places(row).and_then(first))
        })
    })
    .optional(1)
    .with_nulls()
    .doc(
        "array_position(super, value [, null_match])",
        "The place of an element, counted from 0; -1 where there is none.",
        &[
            ("array_position(array('red', 'green', 'red'), 'red')", "0"),
            ("array_position(array(1, 2, 3), 4)", "-1"),
            ("array_position(array('red', NULL, 'green'), NULL)", "1"),
        ],
    ),
    scalar("array_positions", REDSHIFT, &[Kind::Super, Kind::Super, Kind::Bool], Gives::Super, |call| {
        let search = Search::of(call);
        call.texts(|row| {
            let written = |places: Vec<usize>| {
                let places: Vec<String> = places.iter().map(ToString::to_string).collect();
                format!("[{}]", places.join(","))
            };
            Ok(search.places(row).map(written))
        })
    })
    .optional(1)
    .with_nulls()
    .doc(
        "array_positions(super, value [, null_match])",
        "The places of all elements that are equal to a value.",
        &[("array_positions(array('red', 'green', 'red'), 'red')", "[0,2]")],
    ),
    scalar("array_distinct", REDSHIFT, &[Kind::Super], Gives::Super, |call| of_one(call, distinct)).doc(
        "array_distinct(super)",
        "An array with each element once.",
        &[("array_distinct(array(1, 1, 'a', 'a', NULL, NULL))", "[1,\"a\",null]")],
    ),
    scalar("array_union", REDSHIFT, &[Kind::Super, Kind::Super], Gives::Super, |call| {
        of_two(call, |left, right, _| distinct(&left.iter().chain(right).cloned().collect::<Vec<_>>()))
    })
    .doc(
        "array_union(super, super)",
        "The elements of two arrays, each once.",
        &[
            ("array_union(array('a', 'b', 'b'), array('b', 'c', 'c'))", "[\"a\",\"b\",\"c\"]"),
            ("array_union(array('b', 'a', 'b'), array(NULL, 'b', NULL))", "[\"b\",\"a\",null]"),
        ],
    ),
    scalar("array_intersection", REDSHIFT, &[Kind::Super, Kind::Super, Kind::Bool], Gives::Super, |call| {
        of_two(call, |left, right, is_set| matched(left, right, is_set, true))
    })
    .optional(1)
    .doc(
        "array_intersection(super, super [, distinct])",
        "The elements that two arrays have in common, as often as both have them; with distinct each once.",
        &[
            ("array_intersection(array('a', 'b', 'c'), array('b', 'c', 'd'))", "[\"b\",\"c\"]"),
            ("array_intersection(array('a', 'b', 'b'), array('b', 'b', 'b'))", "[\"b\",\"b\"]"),
            ("array_intersection(array('a', 'b', 'b'), array('b', 'b', 'b'), true)", "[\"b\"]"),
        ],
    ),
    scalar("array_except", REDSHIFT, &[Kind::Super, Kind::Super, Kind::Bool], Gives::Super, |call| {
        of_two(call, |left, right, is_set| matched(left, right, is_set, false))
    })
    .optional(1)
    .doc(
        "array_except(super, super [, distinct])",
        "The elements of the first array without those of the second, one for one; with distinct all of a kind.",
        &[
            ("array_except(array('a', 'b', 'c'), array('b', 'c', 'd'))", "[\"a\"]"),
            ("array_except(array('b', 'b', 'b', 'b'), array('b', 'b'))", "[\"b\",\"b\"]"),
        ],
    ),
    scalar("arrays_overlap", REDSHIFT, &[Kind::Super, Kind::Super], Gives::Bool, |call| {
        let (left, right) = (call.text(0), call.text(1));
        call.bools(|row| {
            let (Some(left), Some(right)) = (elements(left, row), elements(right, row)) else { return Ok(None) };
            let keys: BTreeSet<String> = right.iter().map(key_of).collect();
            Ok(Some(left.iter().any(|element| keys.contains(&key_of(element)))))
        })
    })
    .doc(
        "arrays_overlap(super, super)",
        "Whether two arrays have an element in common.",
        &[
            ("arrays_overlap(array('blue', 'green'), array('red', 'green'))", "true"),
            ("arrays_overlap(array('red', NULL, 'blue'), array('green'))", "false"),
        ],
    ),
    scalar("array_sort", REDSHIFT, &[Kind::Super, Kind::Bool, Kind::Bool], Gives::Super, sorted).optional(2).doc(
        "array_sort(super [, ascending [, nulls_first]])",
        "An array in order: truth values, numbers, texts, arrays, objects; NULLs at the end, or first when descending.",
        &[
            ("array_sort(array('b', 'a', 0, NULL, 1, false))", "[false,0,1,\"a\",\"b\",null]"),
            ("array_sort(array('b', 'a', 0, NULL, 1, false), false)", "[null,\"b\",\"a\",1,0,false]"),
            ("array_sort(array('b', 'a', 0, NULL, 1, false), false, false)", "[\"b\",\"a\",1,0,false,null]"),
        ],
    ),
];

/// A truth value that may be missing, by row; NULL is as if it were.
fn flag(call: &Call<'_>, at: usize, row: usize) -> Option<bool> {
    let flags = call.args.get(at)?.as_boolean_opt()?;
    flags.is_valid(row).then(|| flags.value(row))
}

/// A search for a value in arrays.
struct Search<'c, 'a> {
    call: &'c Call<'a>,
    arrays: &'c StringViewArray,
    sought: &'c StringViewArray,
}

impl<'c, 'a> Search<'c, 'a> {
    fn of(call: &'c Call<'a>) -> Self {
        Self { call, arrays: call.text(0), sought: call.text(1) }
    }

    /// Where the value is; `None` where that is NULL.
    fn places(&self, row: usize) -> Option<Vec<usize>> {
        let elements = elements(self.arrays, row)?;
        let nulls_match = flag(self.call, 2, row).unwrap_or(true);
        let sought = if self.sought.is_null(row) { Json::Null } else { value(self.sought.value(row)) };
        if sought.is_null() && !nulls_match {
            return None;
        }
        let key = key_of(&sought);
        let found = elements.iter().enumerate().filter(|(_, element)| key_of(element) == key).map(|(at, _)| at);
        let found: Vec<usize> = found.collect();
        let hidden = found.is_empty() && !nulls_match && elements.iter().any(Json::is_null);
        if hidden { None } else { Some(found) }
    }
}

fn of_one(call: &Call<'_>, of: for<'t> fn(&[Json<'t>]) -> Vec<Json<'t>>) -> Result<ArrayRef> {
    let values = call.text(0);
    call.texts(|row| Ok(elements(values, row).map(|elements| joined(of(&elements).iter()))))
}

fn of_two(call: &Call<'_>, of: impl for<'t> Fn(&[Json<'t>], &[Json<'t>], bool) -> Vec<Json<'t>>) -> Result<ArrayRef> {
    let (left, right) = (call.text(0), call.text(1));
    call.texts(|row| {
        let (Some(left), Some(right)) = (elements(left, row), elements(right, row)) else { return Ok(None) };
        Ok(Some(joined(of(&left, &right, flag(call, 2, row).unwrap_or(false)).iter())))
    })
}

/// Each element once, where it is first.
fn distinct<'t>(values: &[Json<'t>]) -> Vec<Json<'t>> {
    let mut seen = BTreeSet::new();
    values.iter().filter(|value| seen.insert(key_of(value))).cloned().collect()
}

/// The first array's elements that have, or do not have, one in the second.
fn matched<'t>(left: &[Json<'t>], right: &[Json<'t>], is_set: bool, wanted: bool) -> Vec<Json<'t>> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for value in right {
        *counts.entry(key_of(value)).or_default() += 1;
    }
    if is_set {
        let left = distinct(left).into_iter();
        return left.filter(|value| counts.contains_key(&key_of(value)) == wanted).collect();
    }
    let mut takes = |value: &&Json<'_>| match counts.get_mut(&key_of(value)) {
        Some(count) if *count > 0 => {
            *count -= 1;
            true
        }
        _ => false,
    };
    left.iter().filter(|value| takes(value) == wanted).cloned().collect()
}

fn sorted(call: &Call<'_>) -> Result<ArrayRef> {
    let values = call.text(0);
    call.texts(|row| {
        let Some(elements) = elements(values, row) else { return Ok(None) };
        let ascending = flag(call, 1, row).unwrap_or(true);
        let nulls_first = flag(call, 2, row).unwrap_or(!ascending);
        let (nulls, others): (Vec<_>, Vec<_>) = elements.into_iter().partition(Json::is_null);
        let mut others: Vec<(String, Json<'_>)> =
            others.into_iter().map(|element| (order(&element).unwrap_or_default(), element)).collect();
        others.sort_by(|(a, _), (b, _)| if ascending { a.cmp(b) } else { b.cmp(a) });
        let others = others.into_iter().map(|(_, element)| element);
        let all: Vec<Json<'_>> =
            if nulls_first { nulls.into_iter().chain(others).collect() } else { others.chain(nulls).collect() };
        Ok(Some(joined(all.iter())))
    })
}
