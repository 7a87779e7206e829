//! Trino's `numeric_histogram`: a few buckets of a group's numbers, computed from their list (see [`super::lists`]).
//!
//! Each different number is a bucket; then neighbours become one, always the two whose numbers lose the least by it, which
//! is what the sum of squared distances from the buckets' means grows by. Trino does so with every few numbers that come,
//! so that of many different numbers its buckets depend on their order; here they do not.

use super::kernel::{ATHENA, Call, Gives, Kind, Scalar, scalar, shown_type};
use super::lists::{map_of, maps};
use crate::error::{Error, ErrorKind, Result};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

pub(super) const FUNCTIONS: &[Scalar] =
    &[scalar("$numeric_histogram", ATHENA, &[Kind::Any, Kind::Int, Kind::Any], Gives::Of(histogram_type), histogram)
        .optional(1)];

/// Reals have buckets of reals, all other numbers of doubles.
fn histogram_type(types: &[DataType]) -> Result<DataType> {
    for found in types.iter().take(1).chain(types.iter().skip(2)) {
        match found {
            DataType::List(element) if element.data_type().is_numeric() => {}
            DataType::List(element) if *element.data_type() == DataType::Null => {}
            _ => {
                let message = format!("numeric_histogram takes numbers, not {}", shown_type(found));
                return Err(Error::new(ErrorKind::DatatypeMismatch, message));
            }
        }
    }
    Ok(match types.first() {
        Some(DataType::List(element)) if *element.data_type() == DataType::Float32 => {
            map_of(DataType::Float32, DataType::Float32)
        }
        _ => map_of(DataType::Float64, DataType::Float64),
    })
}

fn doubles(list: &ArrayRef) -> Result<Float64Array> {
    Ok(cast(list, &DataType::Float64)?.as_primitive::<Float64Type>().clone())
}

fn histogram(call: &Call<'_>) -> Result<ArrayRef> {
    let (lists, counts) = (call.args[0].as_list::<i32>(), call.int(1));
    let weights = call.has(2).then(|| call.args[2].as_list::<i32>());
    let (mut keys, mut values, mut lengths) = (Vec::new(), Vec::new(), Vec::with_capacity(call.rows));
    for row in 0..call.rows {
        if call.is_null(row) {
            lengths.push(0);
            continue;
        }
        let Some(most) = usize::try_from(counts.value(row)).ok().filter(|most| *most > 1) else {
            let message = "numeric_histogram bucket count must be greater than one";
            return Err(Error::new(ErrorKind::InvalidParameter, message));
        };
        let numbers = doubles(&lists.value(row))?;
        let weights = weights.map(|lists| doubles(&lists.value(row))).transpose()?;
        let weight = |at: usize| weights.as_ref().map_or(1.0, |weights| weights.value(at));
        let known = (0..numbers.len()).filter(|at| numbers.is_valid(*at));
        let buckets = merged(distinct(known.map(|at| (numbers.value(at), weight(at))).collect()), most);
        keys.push(Arc::new(buckets.iter().map(|(value, _)| Some(*value)).collect::<Float64Array>()) as ArrayRef);
        values.push(Arc::new(buckets.iter().map(|(_, weight)| Some(*weight)).collect::<Float64Array>()) as ArrayRef);
        lengths.push(buckets.len());
    }
    maps(call, &keys, &values, lengths)
}

/// The numbers in order, each once with all its weight.
fn distinct(mut numbers: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    // Both zeros are one number.
    for (value, _) in &mut numbers {
        *value += 0.0;
    }
    numbers.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    numbers.dedup_by(|(value, weight), (before, sum)| {
        let same = value.total_cmp(before).is_eq();
        if same {
            *sum += *weight;
        }
        same
    });
    numbers
}

/// What two neighbours lose by becoming one.
fn loss((value, weight): (f64, f64), (next, next_weight): (f64, f64)) -> f64 {
    (value - next) * (value - next) * weight * next_weight / (weight + next_weight)
}

/// Makes one of neighbours until there are at most so many; of equal losses the first is taken.
fn merged(mut buckets: Vec<(f64, f64)>, most: usize) -> Vec<(f64, f64)> {
    if buckets.len() <= most {
        return buckets;
    }
    let end = buckets.len();
    // The neighbours of each, and how often its loss has changed: what stands in the queue from before is void. A bucket
    // that has become part of another has no neighbour after it any more, and is its own.
    let mut next: Vec<usize> = (1..=end).collect();
    let mut before: Vec<Option<usize>> = (0..end).map(|at| at.checked_sub(1)).collect();
    let mut changes = vec![0_u32; end];
    let queued = |buckets: &[(f64, f64)], at: usize, next: usize, change: u32| {
        // Losses are positive, and their bits are in their order.
        Reverse((loss(buckets[at], buckets[next]).max(0.0).to_bits(), at, change))
    };
    let mut queue: BinaryHeap<_> = (0..end - 1).map(|at| queued(&buckets, at, at + 1, 0)).collect();
    let mut left = end;
    while left > most {
        let Some(Reverse((_, at, change))) = queue.pop() else { break };
        if changes[at] != change {
            continue;
        }
        let after = next[at];
        let ((value, weight), (other, other_weight)) = (buckets[at], buckets[after]);
        let sum = weight + other_weight;
        buckets[at] = ((value * weight + other * other_weight) / sum, sum);
        next[at] = next[after];
        next[after] = after;
        changes[after] += 1;
        left -= 1;
        if next[at] < end {
            before[next[at]] = Some(at);
        }
        for changed in [before[at], Some(at)].into_iter().flatten() {
            changes[changed] += 1;
            if next[changed] < end {
                queue.push(queued(&buckets, changed, next[changed], changes[changed]));
            }
        }
    }
    let kept = buckets.into_iter().enumerate().filter(|(at, _)| next[*at] != *at);
    kept.map(|(_, bucket)| bucket).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(numbers: &[(f64, f64)], most: usize) -> Vec<(f64, f64)> {
        merged(distinct(numbers.to_vec()), most)
    }

    #[test]
    fn few_numbers_keep_their_buckets() {
        // Trino's test of equal values.
        let repeated = [(1.0, 3.0), (2.0, 5.0)].repeat(100);
        assert_eq!(of(&repeated, 4), [(1.0, 300.0), (2.0, 500.0)]);
        assert_eq!(of(&[(0.0, 1.0), (-0.0, 2.0)], 2), [(0.0, 3.0)]);
        assert!(of(&[], 2).is_empty());
    }

    // By hand: of weights w and v at a distance d the loss is d² w v / (w + v).
    #[test]
    fn the_nearest_become_one() {
        let single = |values: &[f64]| values.iter().map(|value| (*value, 1.0)).collect::<Vec<_>>();
        // Losses of 1/2, 1/2 and 49/2; then of 1.5² · 2/3 = 1.5 and 24.5.
        assert_eq!(of(&single(&[10.0, 1.0, 3.0, 2.0]), 3), [(1.5, 2.0), (3.0, 1.0), (10.0, 1.0)]);
        assert_eq!(of(&single(&[10.0, 1.0, 3.0, 2.0]), 2), [(2.0, 3.0), (10.0, 1.0)]);
        // Losses of 4 · 1/2 and 1/4 · 99/100.
        assert_eq!(of(&[(0.0, 1.0), (2.0, 1.0), (2.5, 99.0)], 2), [(0.0, 1.0), (249.5 / 100.0, 100.0)]);
        // Pairs of neighbours, which lose 1/2 each; then the first two pairs, which lose 100 · 1.
        let pairs = single(&[0.0, 1.0, 10.0, 11.0, 30.0, 31.0, 50.0, 51.0]);
        assert_eq!(of(&pairs, 4), [(0.5, 2.0), (10.5, 2.0), (30.5, 2.0), (50.5, 2.0)]);
        assert_eq!(of(&pairs, 3), [(5.5, 4.0), (30.5, 2.0), (50.5, 2.0)]);
    }
}
