//! Parts of arrays as Trino takes them: combinations, neighbours, beginnings; and their elements in a random order.

use super::kernel::{ATHENA, Call, Gives, Kind, Scalar, scalar, shown_type};
use crate::error::{Error, ErrorKind, Result};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListArray, UInt64Array};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::{cast, take};
use datafusion::arrow::datatypes::{DataType, Field};
use rand::seq::SliceRandom;
use std::ops::Range;
use std::sync::Arc;

/// Of so many elements combinations are made.
const MOST_ELEMENTS: i64 = 5;

/// How many elements all combinations of an array have.
const MOST_RESULTS: usize = 100_000;

pub(super) const FUNCTIONS: &[Scalar] = &[
    scalar("combinations", ATHENA, &[Kind::Any, Kind::Int], Gives::Of(arrays), combinations).doc(
        "combinations(array, count)",
        "All ways to take so many elements, at most 5, of an array.",
        &[
            ("combinations(ARRAY['foo', 'bar', 'baz'], 2)", "[[foo, bar], [foo, baz], [bar, baz]]"),
            ("combinations(ARRAY[1, 2, 2], 2)", "[[1, 2], [1, 2], [2, 2]]"),
        ],
    ),
    scalar("ngrams", ATHENA, &[Kind::Any, Kind::Int], Gives::Of(arrays), ngrams).doc(
        "ngrams(array, count)",
        "All parts of so many neighbouring elements; the array itself where it has fewer.",
        &[
            ("ngrams(ARRAY['foo', 'bar', 'baz', 'foo'], 2)", "[[foo, bar], [bar, baz], [baz, foo]]"),
            ("ngrams(ARRAY['foo', 'bar', 'baz', 'foo'], 5)", "[[foo, bar, baz, foo]]"),
        ],
    ),
    scalar("shuffle", ATHENA, &[Kind::Any], Gives::Of(array), shuffle).volatile().doc(
        "shuffle(array)",
        "An array's elements in a random order.",
        &[("array_sort(shuffle(ARRAY[3, 1, 2]))", "[1, 2, 3]")],
    ),
    scalar("trim_array", ATHENA, &[Kind::Any, Kind::Int], Gives::Of(array), trim).doc(
        "trim_array(array, count)",
        "An array without so many elements at its end.",
        &[("trim_array(ARRAY[1, 2, 3, 4], 1)", "[1, 2, 3]"), ("trim_array(ARRAY[1, 2, 3, 4], 2)", "[1, 2]")],
    ),
];

/// The type of an array, whatever its offsets are.
fn array(types: &[DataType]) -> Result<DataType> {
    match types.first() {
        Some(DataType::List(element) | DataType::LargeList(element) | DataType::FixedSizeList(element, _)) => {
            Ok(DataType::List(Arc::clone(element)))
        }
        other => {
            let found = other.map_or_else(|| "nothing".to_owned(), shown_type);
            Err(Error::new(ErrorKind::DatatypeMismatch, format!("an array is needed, not {found}")))
        }
    }
}

fn arrays(types: &[DataType]) -> Result<DataType> {
    Ok(DataType::List(Arc::new(Field::new_list_field(array(types)?, true))))
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidParameter, message)
}

/// The places of a row's elements.
fn places(lists: &ListArray, row: usize) -> Range<u64> {
    let end = |at: usize| u64::from(lists.value_offsets()[at].unsigned_abs());
    end(row)..end(row + 1)
}

/// An array of arrays for each row, each of the places of its elements.
fn of_arrays(call: &Call<'_>, mut parts: impl FnMut(usize, Range<u64>) -> Result<Vec<Vec<u64>>>) -> Result<ArrayRef> {
    let DataType::List(inner) = &call.gives else { return Err(Error::internal("a list is lost")) };
    let DataType::List(element) = inner.data_type() else { return Err(Error::internal("a list is lost")) };
    let lists = cast(&call.args[0], inner.data_type())?;
    let lists = lists.as_list::<i32>();
    let (mut all, mut lengths, mut counts) = (Vec::new(), Vec::new(), Vec::with_capacity(call.rows));
    for row in 0..call.rows {
        let parts = if call.is_null(row) { Vec::new() } else { parts(row, places(lists, row))? };
        counts.push(parts.len());
        for part in parts {
            lengths.push(part.len());
            all.extend(part);
        }
    }
    let values = take(lists.values(), &UInt64Array::from(all), None)?;
    let parts = ListArray::try_new(Arc::clone(element), OffsetBuffer::from_lengths(lengths), values, None)?;
    let offsets = OffsetBuffer::from_lengths(counts);
    Ok(Arc::new(ListArray::try_new(Arc::clone(inner), offsets, Arc::new(parts), call.nulls.clone())?))
}

fn combinations(call: &Call<'_>) -> Result<ArrayRef> {
    let counts = call.int(1);
    of_arrays(call, |row, elements| {
        let wanted = counts.value(row);
        if wanted < 0 {
            return Err(invalid(format!("combination size must not be negative: {wanted}")));
        }
        if wanted > MOST_ELEMENTS {
            return Err(invalid(format!("combination size must not exceed {MOST_ELEMENTS}: {wanted}")));
        }
        let (first, total, wanted) = (elements.start, (elements.end - elements.start) as usize, wanted as usize);
        let mut found = Vec::new();
        let mut chosen: Vec<usize> = (0..wanted).collect();
        if wanted > total {
            return Ok(found);
        }
        loop {
            if (found.len() + 1) * wanted > MOST_RESULTS {
                return Err(invalid("combinations exceed max size"));
            }
            found.push(chosen.iter().map(|at| first + *at as u64).collect());
            // The first that can move on does, and those before it begin anew, as Trino has them.
            let end = |at: usize| chosen.get(at + 1).copied().unwrap_or(total);
            let Some(at) = (0..wanted).find(|at| chosen[*at] + 1 < end(*at)) else { return Ok(found) };
            chosen[at] += 1;
            for (place, before) in chosen[..at].iter_mut().enumerate() {
                *before = place;
            }
        }
    })
}

fn ngrams(call: &Call<'_>) -> Result<ArrayRef> {
    let counts = call.int(1);
    of_arrays(call, |row, elements| {
        let wanted = usize::try_from(counts.value(row)).ok().filter(|wanted| *wanted > 0);
        let wanted = wanted.ok_or_else(|| invalid("N must be positive"))?;
        let all: Vec<u64> = elements.collect();
        if all.len() <= wanted {
            return Ok(vec![all]);
        }
        Ok(all.windows(wanted).map(<[u64]>::to_vec).collect())
    })
}

/// An array for each row, of the places of its elements.
fn of_elements(call: &Call<'_>, mut part: impl FnMut(usize, Range<u64>) -> Result<Vec<u64>>) -> Result<ArrayRef> {
    let DataType::List(element) = &call.gives else { return Err(Error::internal("a list is lost")) };
    let lists = cast(&call.args[0], &call.gives)?;
    let lists = lists.as_list::<i32>();
    let (mut all, mut lengths) = (Vec::with_capacity(lists.values().len()), Vec::with_capacity(call.rows));
    for row in 0..call.rows {
        let part = if call.is_null(row) { Vec::new() } else { part(row, places(lists, row))? };
        lengths.push(part.len());
        all.extend(part);
    }
    let values = take(lists.values(), &UInt64Array::from(all), None)?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(ListArray::try_new(Arc::clone(element), offsets, values, call.nulls.clone())?))
}

fn shuffle(call: &Call<'_>) -> Result<ArrayRef> {
    let mut random = rand::rng();
    of_elements(call, |_, elements| {
        let mut elements: Vec<u64> = elements.collect();
        elements.shuffle(&mut random);
        Ok(elements)
    })
}

fn trim(call: &Call<'_>) -> Result<ArrayRef> {
    let counts = call.int(1);
    of_elements(call, |row, elements| {
        let (length, count) = ((elements.end - elements.start) as i64, counts.value(row));
        if count < 0 {
            return Err(invalid(format!("size must not be negative: {count}")));
        }
        if count > length {
            return Err(invalid(format!("size must not exceed array cardinality {length}: {count}")));
        }
        Ok(elements.take((length - count) as usize).collect())
    })
}
