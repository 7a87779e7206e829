//! Arrays and maps of numbers as vectors, as Trino takes them; and arrays in arrays.

use super::kernel::{ATHENA, Call, Gives, Kind, Scalar, scalar, shown_type};
use super::maps::comparable;
use super::pairs::Pairs;
use crate::error::{Error, ErrorKind, Result};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, Float64Array, ListArray, MapArray};
use datafusion::arrow::compute::{cast, take};
use datafusion::arrow::datatypes::{DataType, Field, Float64Type};
use std::sync::Arc;

pub(super) const FUNCTIONS: &[Scalar] = &[
    scalar("cosine_similarity", ATHENA, &[Kind::Any, Kind::Any], Gives::Float, |call| {
        let vectors = Vectors::of(call)?;
        call.floats(|row| Ok(vectors.of_row(row)?.map(Products::cosine)))
    })
    .doc(
        "cosine_similarity(vector, vector)",
        "The cosine of the angle between two vectors: maps from names to numbers, or arrays of numbers.",
        &[
            ("cosine_similarity(map(ARRAY['a'], ARRAY[1.0]), map(ARRAY['a'], ARRAY[2.0]))", "1.0"),
            ("cosine_similarity(ARRAY[1.0, 2.0], ARRAY[3.0, 4.0])", "0.9838699100999074"),
        ],
    ),
    scalar("cosine_distance", ATHENA, &[Kind::Any, Kind::Any], Gives::Float, |call| {
        let vectors = Vectors::of(call)?;
        call.floats(|row| Ok(vectors.of_row(row)?.map(|products| 1.0 - products.cosine())))
    })
    .doc(
        "cosine_distance(vector, vector)",
        "1 less that cosine.",
        &[("cosine_distance(ARRAY[1.0, 2.0], ARRAY[3.0, 4.0])", "0.01613008990009257")],
    ),
    scalar("euclidean_distance", ATHENA, &[Kind::Any, Kind::Any], Gives::Float, |call| {
        let vectors = Vectors::of(call)?;
        call.floats(|row| Ok(vectors.of_row(row)?.map(|products| products.distance.sqrt())))
    })
    .doc(
        "euclidean_distance(array, array)",
        "The distance between two points.",
        &[("euclidean_distance(ARRAY[1.0, 2.0], ARRAY[3.0, 4.0])", "2.8284271247461903")],
    ),
    scalar("dot_product", ATHENA, &[Kind::Any, Kind::Any], Gives::Float, |call| {
        let vectors = Vectors::of(call)?;
        call.floats(|row| Ok(vectors.of_row(row)?.map(|products| products.both)))
    })
    .doc(
        "dot_product(array, array)",
        "The sum of the products of two arrays' numbers.",
        &[("dot_product(ARRAY[1.0, 2.0], ARRAY[3.0, 4.0])", "11.0")],
    ),
    scalar("contains_sequence", ATHENA, &[Kind::Any, Kind::Any], Gives::Bool, contains_sequence).doc(
        "contains_sequence(array, array)",
        "Whether an array has all elements of another one after the other.",
        &[
            ("contains_sequence(ARRAY[1, 2, 3, 4], ARRAY[2, 3])", "true"),
            ("contains_sequence(ARRAY[1, 2, 3, 4], ARRAY[2, 4])", "false"),
        ],
    ),
];

/// Numbers of two vectors side by side; one that a map lacks is NULL.
struct Vectors {
    first: Float64Array,
    second: Float64Array,
    /// Where each row's numbers end.
    ends: Vec<usize>,
    /// Whether each number needs its counterpart.
    are_arrays: bool,
}

/// Sums over the numbers of two vectors.
struct Products {
    both: f64,
    first: f64,
    second: f64,
    distance: f64,
}

impl Products {
    fn cosine(self) -> f64 {
        self.both / (self.first.sqrt() * self.second.sqrt())
    }
}

fn doubles(values: &ArrayRef) -> Result<ArrayRef> {
    Ok(cast(values, &DataType::Float64)?)
}

impl Vectors {
    fn of(call: &Call<'_>) -> Result<Self> {
        let (pairs, first, second, are_arrays) = match (call.args[0].data_type(), call.args[1].data_type()) {
            (DataType::Map(..), DataType::Map(..)) => {
                let (first, second): (&MapArray, &MapArray) = (call.args[0].as_map(), call.args[1].as_map());
                let (pairs, _) = Pairs::of_maps(first, second)?;
                (pairs, doubles(first.values())?, doubles(second.values())?, false)
            }
            (DataType::List(_), DataType::List(_)) => {
                let (first, second): (&ListArray, &ListArray) = (call.args[0].as_list(), call.args[1].as_list());
                (Pairs::of_lists(first, second), doubles(first.values())?, doubles(second.values())?, true)
            }
            (found, _) => {
                let message = format!("two arrays or maps of numbers are needed, not {}", shown_type(found));
                return Err(Error::new(ErrorKind::DatatypeMismatch, message));
            }
        };
        let mut end = 0;
        let ends = pairs.lengths.iter().map(|length| {
            end += length;
            end
        });
        Ok(Self {
            ends: ends.collect(),
            first: take(&first, &pairs.first, None)?.as_primitive::<Float64Type>().clone(),
            second: take(&second, &pairs.second, None)?.as_primitive::<Float64Type>().clone(),
            are_arrays,
        })
    }

    /// The sums of a row; `None` where a number is NULL.
    fn of_row(&self, row: usize) -> Result<Option<Products>> {
        let mut sums = Products { both: 0.0, first: 0.0, second: 0.0, distance: 0.0 };
        let begin = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        for at in begin..self.ends[row] {
            let (first, second) = (self.first.is_valid(at), self.second.is_valid(at));
            if self.are_arrays && !(first && second) {
                return Ok(None);
            }
            let first = if first { self.first.value(at) } else { 0.0 };
            let second = if second { self.second.value(at) } else { 0.0 };
            sums.both += first * second;
            sums.first += first * first;
            sums.second += second * second;
            sums.distance += (first - second) * (first - second);
        }
        Ok(Some(sums))
    }
}

fn contains_sequence(call: &Call<'_>) -> Result<ArrayRef> {
    let DataType::List(element) = call.args[0].data_type() else {
        let message = format!("an array is needed, not {}", shown_type(call.args[0].data_type()));
        return Err(Error::new(ErrorKind::DatatypeMismatch, message));
    };
    let wanted = DataType::List(Arc::new(Field::new_list_field(element.data_type().clone(), true)));
    let (all, sought) = (cast(&call.args[0], &wanted)?, cast(&call.args[1], &wanted)?);
    let (all, sought) = (all.as_list::<i32>(), sought.as_list::<i32>());
    let known = comparable(&[Arc::clone(all.values()), Arc::clone(sought.values())])?;
    let part =
        |lists: &ListArray, row: usize| lists.value_offsets()[row] as usize..lists.value_offsets()[row + 1] as usize;
    call.bools(|row| {
        let (all, sought) = (part(all, row), part(sought, row));
        let last = (all.end + 1).saturating_sub(sought.len());
        let same =
            |from: usize| sought.clone().enumerate().all(|(at, one)| known[0].row(from + at) == known[1].row(one));
        Ok(Some((all.start..last.max(all.start)).any(same)))
    })
}
