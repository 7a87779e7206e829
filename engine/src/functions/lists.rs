//! What is computed from the list of a group's values: percentiles, maps, histograms. The planner gathers the list with
//! `array_agg`, so that each works in groups and over windows alike.

use super::kernel::{ATHENA, BOTH, Call, Gives, Kind, Scalar, scalar};
use crate::error::{Error, ErrorKind, Result};
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Int64Builder, ListArray, MapArray, StructArray, UInt32Array, new_null_array,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::{SortOptions, cast, concat, sort, sort_to_indices, take};
use datafusion::arrow::datatypes::{DataType, Field, Fields, Float64Type, TimeUnit, TimestampMicrosecondType};
use std::sync::Arc;

pub(super) const FUNCTIONS: &[Scalar] = &[
    scalar("$percentile_cont", BOTH, &[Kind::Any, Kind::Float, Kind::Bool], Gives::Of(continuous_type), continuous),
    scalar("$percentile_disc", BOTH, &[Kind::Any, Kind::Float, Kind::Bool], Gives::Of(element), discrete),
    scalar("$map_agg", ATHENA, &[Kind::Any, Kind::Any], Gives::Of(map_type), map_agg),
    scalar("$histogram", ATHENA, &[Kind::Any], Gives::Of(histogram_type), histogram),
];

/// The type of a list's elements.
fn element(args: &[DataType]) -> Result<DataType> {
    match args.first() {
        Some(DataType::List(field) | DataType::LargeList(field)) => Ok(field.data_type().clone()),
        Some(DataType::Null) => Ok(DataType::Null),
        _ => Err(Error::new(ErrorKind::DatatypeMismatch, "a list is needed")),
    }
}

/// Between two moments lies a moment, between two numbers a double.
fn continuous_type(args: &[DataType]) -> Result<DataType> {
    Ok(match element(args)? {
        DataType::Date32 => DataType::Date32,
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone),
        _ => DataType::Float64,
    })
}

fn list(call: &Call<'_>, at: usize) -> Result<ListArray> {
    let field = Field::new("item", element(&[call.args[at].data_type().clone()])?, true);
    Ok(cast(&call.args[at], &DataType::List(Arc::new(field)))?.as_list::<i32>().clone())
}

/// A fraction from 0 to 1.
fn fraction(call: &Call<'_>, row: usize) -> Result<f64> {
    let given = call.float(1).value(row);
    if (0.0..=1.0).contains(&given) {
        return Ok(given);
    }
    Err(Error::new(ErrorKind::InvalidParameter, "the percentile is not between 0 and 1"))
}

fn without_nulls(values: &ArrayRef) -> Result<ArrayRef> {
    Ok(sort(values, Some(SortOptions { descending: false, nulls_first: false }))?
        .slice(0, values.len() - values.null_count()))
}

/// The values at the two places around a fraction, interpolated.
fn continuous(call: &Call<'_>) -> Result<ArrayRef> {
    let lists = list(call, 0)?;
    let moment = call.gives != DataType::Float64;
    let mut results = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        if call.is_null(row) {
            results.push(None);
            continue;
        }
        let values = without_nulls(&lists.value(row))?;
        let values = if moment {
            let plain = cast(&values, &DataType::Timestamp(TimeUnit::Microsecond, None))?;
            plain.as_primitive::<TimestampMicrosecondType>().unary::<_, Float64Type>(|micros| micros as f64)
        } else {
            cast(&values, &DataType::Float64)?.as_primitive::<Float64Type>().clone()
        };
        let place = fraction(call, row)? * values.len().saturating_sub(1) as f64;
        let (below, above) = (place.floor() as usize, place.ceil() as usize);
        results.push((!values.is_empty()).then(|| {
            let (low, high) = (values.value(below), values.value(above));
            if below == above { low } else { low + (high - low) * (place - place.floor()) }
        }));
    }
    if !moment {
        return call.floats(|row| Ok(results[row]));
    }
    let micros = call.giving(DataType::Timestamp(TimeUnit::Microsecond, None));
    let stamps = micros.stamps(|row| Ok(results[row].map(|value| value.round() as i64)))?;
    Ok(cast(&stamps, &call.gives)?)
}

/// The first value whose share of the ordered values reaches a fraction; with descending order the fraction was turned.
fn discrete(call: &Call<'_>) -> Result<ArrayRef> {
    let lists = list(call, 0)?;
    let mut picked: Vec<ArrayRef> = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let values = if call.is_null(row) { None } else { Some(without_nulls(&lists.value(row))?) };
        let Some(values) = values.filter(|values| !values.is_empty()) else {
            picked.push(new_null_array(&call.gives, 1));
            continue;
        };
        let (share, count) = (fraction(call, row)?, values.len());
        // From the other end, what reaches p is the last that does not pass 1 - p.
        let at = if call.bool(2).value(row) {
            ((share * count as f64 + 1e-9).floor() as usize).min(count - 1)
        } else {
            ((share * count as f64 - 1e-9).ceil() as usize).saturating_sub(1)
        };
        picked.push(values.slice(at, 1));
    }
    let refs: Vec<&dyn Array> = picked.iter().map(AsRef::as_ref).collect();
    if refs.is_empty() { Ok(new_null_array(&call.gives, 0)) } else { Ok(concat(&refs)?) }
}

/// The type of maps from keys to values.
pub(crate) fn map_of(key: DataType, value: DataType) -> DataType {
    let fields = Fields::from(vec![Field::new("key", key, false), Field::new("value", value, true)]);
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(fields), false)), false)
}

fn map_type(args: &[DataType]) -> Result<DataType> {
    Ok(map_of(element(&args[..1])?, element(&args[1..])?))
}

fn histogram_type(args: &[DataType]) -> Result<DataType> {
    Ok(map_of(element(args)?, DataType::Int64))
}

/// Maps from entries and how many each row has.
pub(super) fn maps(call: &Call<'_>, keys: &[ArrayRef], values: &[ArrayRef], counts: Vec<usize>) -> Result<ArrayRef> {
    let DataType::Map(entries, _) = &call.gives else { return Err(Error::internal("a map is lost")) };
    let DataType::Struct(fields) = entries.data_type() else { return Err(Error::internal("a map is lost")) };
    let joined = |parts: &[ArrayRef], field: &Field| -> Result<ArrayRef> {
        let refs: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        let all = if refs.is_empty() { new_null_array(field.data_type(), 0) } else { concat(&refs)? };
        Ok(cast(&all, field.data_type())?)
    };
    let (keys, values) = (joined(keys, &fields[0])?, joined(values, &fields[1])?);
    let entries_array = StructArray::try_new(fields.clone(), vec![keys, values], None)?;
    let nulls: Option<NullBuffer> = call.nulls.clone();
    Ok(Arc::new(MapArray::try_new(
        Arc::clone(entries),
        OffsetBuffer::from_lengths(counts),
        entries_array,
        nulls,
        false,
    )?))
}

/// Positions of the first of each group of equal values, without NULLs, in order of the values; and how many there are.
pub(super) fn groups(values: &ArrayRef) -> Result<Vec<(u32, i64)>> {
    let order = sort_to_indices(values, None, None)?;
    let sorted = take(values, &order, None)?;
    let ranges = datafusion::arrow::compute::partition(&[Arc::clone(&sorted)])?.ranges();
    let mut found = Vec::new();
    for range in ranges {
        if sorted.is_valid(range.start) {
            let first = range.clone().map(|at| order.value(at)).min().unwrap_or_default();
            found.push((first, range.len() as i64));
        }
    }
    Ok(found)
}

/// One entry a key: Trino keeps one of the values, here the first.
fn map_agg(call: &Call<'_>) -> Result<ArrayRef> {
    let (all_keys, all_values) = (list(call, 0)?, list(call, 1)?);
    let (mut keys, mut values, mut counts) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..call.rows {
        if call.is_null(row) {
            counts.push(0);
            continue;
        }
        let (row_keys, row_values) = (all_keys.value(row), all_values.value(row));
        let first: UInt32Array = groups(&row_keys)?.iter().map(|(first, _)| Some(*first)).collect();
        keys.push(take(&row_keys, &first, None)?);
        values.push(take(&row_values, &first, None)?);
        counts.push(first.len());
    }
    maps(call, &keys, &values, counts)
}

fn histogram(call: &Call<'_>) -> Result<ArrayRef> {
    let lists = list(call, 0)?;
    let (mut keys, mut values, mut counts) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..call.rows {
        if call.is_null(row) {
            counts.push(0);
            continue;
        }
        let row_values = lists.value(row);
        let groups = groups(&row_values)?;
        let first: UInt32Array = groups.iter().map(|(first, _)| Some(*first)).collect();
        let mut found = Int64Builder::new();
        for (_, count) in &groups {
            found.append_value(*count);
        }
        keys.push(take(&row_values, &first, None)?);
        values.push(Arc::new(found.finish()) as ArrayRef);
        counts.push(groups.len());
    }
    maps(call, &keys, &values, counts)
}
