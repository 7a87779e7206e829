//! More of what is computed from the list of a group's values (see [`super::lists`]): the largest ones, the most frequent
//! ones, moments, the text of all.

use super::kernel::{ATHENA, Call, Gives, Kind, Scalar, scalar, shown_type};
use super::lists::{groups, map_of, maps};
use crate::error::{Error, ErrorKind, Result};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array, ListArray, UInt32Array, UInt64Array};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::{SortOptions, cast, sort_to_indices, take};
use datafusion::arrow::datatypes::{DataType, Float64Type};
use std::cmp::Reverse;
use std::fmt::Write;
use std::sync::Arc;

/// How long the text of all values may be, and what stands for those that have no room (Trino: "listagg").
const MOST_BYTES: usize = 1 << 20;
const MOST_FILLER_BYTES: usize = 1 << 16;

/// How many of the largest values are kept.
const MOST_KEPT: i64 = 10_000;

pub(super) const FUNCTIONS: &[Scalar] = &[
    scalar("$extremes", ATHENA, &[Kind::Any, Kind::Int, Kind::Bool], Gives::Of(list), |call| {
        extremes(call, 0, 1, "second argument of max_n/min_n")
    }),
    scalar("$extremes_by", ATHENA, &[Kind::Any, Kind::Any, Kind::Int, Kind::Bool], Gives::Of(list), |call| {
        extremes(call, 1, 2, "third argument of max_by/min_by")
    }),
    scalar("$most_frequent", ATHENA, &[Kind::Any, Kind::Int], Gives::Of(counts), most_frequent),
    scalar("$skewness", ATHENA, &[Kind::Any], Gives::Float, |call| moments(call, skewness)),
    scalar("$kurtosis", ATHENA, &[Kind::Any], Gives::Float, |call| moments(call, kurtosis)),
    scalar("$listagg_whole", ATHENA, &[Kind::Text], Gives::Text, whole),
    scalar("$listagg_cut", ATHENA, &[Kind::Any, Kind::Text, Kind::Text, Kind::Bool], Gives::Text, cut),
];

fn list(types: &[DataType]) -> Result<DataType> {
    match types.first() {
        Some(list @ DataType::List(_)) => Ok(list.clone()),
        other => {
            let found = other.map_or_else(|| "nothing".to_owned(), shown_type);
            Err(Error::new(ErrorKind::DatatypeMismatch, format!("a list is needed, not {found}")))
        }
    }
}

fn counts(types: &[DataType]) -> Result<DataType> {
    match list(types)? {
        DataType::List(element) => Ok(map_of(element.data_type().clone(), DataType::Int64)),
        _ => Err(Error::internal("a list is lost")),
    }
}

/// The first argument's values with the largest or smallest keys, those of the argument at a place.
fn extremes(call: &Call<'_>, keys: usize, count: usize, argument: &str) -> Result<ArrayRef> {
    let (lists, counts, descending) = (call.args[0].as_list::<i32>(), call.int(count), call.bool(count + 1));
    let keys = call.args[keys].as_list::<i32>();
    let (mut places, mut lengths): (Vec<u64>, Vec<usize>) = (Vec::new(), Vec::with_capacity(call.rows));
    for row in 0..call.rows {
        if call.is_null(row) {
            lengths.push(0);
            continue;
        }
        let wanted = counts.value(row);
        if !(1..=MOST_KEPT).contains(&wanted) {
            let message = if wanted < 1 {
                format!("{argument} must be positive")
            } else {
                format!("{argument} must be less than or equal to {MOST_KEPT}; found {wanted}")
            };
            return Err(Error::new(ErrorKind::InvalidParameter, message));
        }
        let of_row = keys.value(row);
        let kept = (wanted as usize).min(of_row.len() - of_row.null_count());
        let options = SortOptions { descending: descending.value(row), nulls_first: false };
        let order = sort_to_indices(&of_row, Some(options), Some(kept.max(1)))?;
        let from = u64::from(lists.value_offsets()[row].unsigned_abs());
        places.extend(order.values().iter().take(kept).map(|place| from + u64::from(*place)));
        lengths.push(kept);
    }
    let DataType::List(element) = &call.gives else { return Err(Error::internal("a list is lost")) };
    let values = take(lists.values(), &UInt64Array::from(places), None)?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(ListArray::try_new(Arc::clone(element), offsets, values, call.nulls.clone())?))
}

/// The most frequent values and how often each is there, which Trino estimates.
fn most_frequent(call: &Call<'_>) -> Result<ArrayRef> {
    let (lists, buckets) = (call.args[0].as_list::<i32>(), call.int(1));
    let (mut keys, mut values, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..call.rows {
        if call.is_null(row) {
            lengths.push(0);
            continue;
        }
        let wanted = buckets.value(row);
        if wanted < 2 {
            let message = "approx_most_frequent bucket count must be greater than one, input bucket count";
            return Err(Error::new(ErrorKind::InvalidParameter, format!("{message}: {wanted}")));
        }
        let of_row = lists.value(row);
        let mut found = groups(&of_row)?;
        found.sort_by_key(|(_, count)| Reverse(*count));
        found.truncate(usize::try_from(wanted).unwrap_or(usize::MAX));
        let first: UInt32Array = found.iter().map(|(first, _)| Some(*first)).collect();
        keys.push(take(&of_row, &first, None)?);
        values.push(Arc::new(found.iter().map(|(_, count)| Some(*count)).collect::<Int64Array>()) as ArrayRef);
        lengths.push(found.len());
    }
    maps(call, &keys, &values, lengths)
}

/// What is made of the number of values and the sums of the second, third and fourth powers of their distances from their
/// mean.
fn moments(call: &Call<'_>, of: fn(f64, [f64; 3]) -> Option<f64>) -> Result<ArrayRef> {
    let lists = call.args[0].as_list::<i32>();
    call.floats(|row| {
        let values = lists.value(row);
        let Some(values) = values.as_primitive_opt::<Float64Type>() else { return Ok(None) };
        let count = (values.len() - values.null_count()) as f64;
        let mean = values.iter().flatten().sum::<f64>() / count;
        let mut sums = [0.0; 3];
        for value in values.iter().flatten() {
            let distance = value - mean;
            for (sum, power) in sums.iter_mut().zip(2..) {
                *sum += distance.powi(power);
            }
        }
        Ok(of(count, sums))
    })
}

fn skewness(count: f64, [second, third, _]: [f64; 3]) -> Option<f64> {
    (count >= 3.0).then(|| count.sqrt() * third / second.powf(1.5))
}

fn kurtosis(count: f64, [second, _, fourth]: [f64; 3]) -> Option<f64> {
    let variance = second / (count - 1.0);
    let rest = (count - 2.0) * (count - 3.0);
    let scale = count * (count + 1.0) / ((count - 1.0) * rest);
    (count >= 4.0).then(|| scale * fourth / (variance * variance) - 3.0 * (count - 1.0).powi(2) / rest)
}

/// The texts of `listagg` as they are, none too long.
fn whole(call: &Call<'_>) -> Result<ArrayRef> {
    if call.text(0).iter().flatten().any(|text| text.len() > MOST_BYTES) {
        let message = format!("the text of listagg is longer than {MOST_BYTES} bytes");
        let hint = "ON OVERFLOW TRUNCATE leaves values out";
        return Err(Error::new(ErrorKind::LimitExceeded, message).with_hint(hint));
    }
    Ok(Arc::clone(&call.args[0]))
}

/// The texts of a list with a separator between, as many as there is room for; a filler, and how many they are, for others.
fn cut(call: &Call<'_>) -> Result<ArrayRef> {
    let lists = call.args[0].as_list::<i32>();
    let (separators, fillers, counts) = (call.text(1), call.text(2), call.bool(3));
    call.texts(|row| {
        let (separator, filler) = (separators.value(row), fillers.value(row));
        if filler.len() > MOST_FILLER_BYTES {
            let message = format!("the filler of listagg is longer than {MOST_FILLER_BYTES} bytes");
            return Err(Error::new(ErrorKind::InvalidParameter, message));
        }
        let values = cast(&lists.value(row), &DataType::Utf8View)?;
        let mut made = String::new();
        for (place, value) in values.as_string_view().iter().flatten().enumerate() {
            let separator = if place > 0 { separator } else { "" };
            let fits = made.len() + separator.len() + value.len() <= MOST_BYTES;
            made.push_str(separator);
            if fits {
                made.push_str(value);
                continue;
            }
            made.push_str(filler);
            if counts.value(row) {
                let left_out = values.len() - values.null_count() - place;
                let _ = write!(made, "({left_out})");
            }
            break;
        }
        Ok(Some(made))
    })
}
