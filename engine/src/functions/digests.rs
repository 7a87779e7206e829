//! Digests of numbers, of which a share tells a value: Trino's T-digests ("T-Digest functions") and quantile digests ("Quantile
//! digest functions").
//!
//! A T-digest is bytes, as Trino keeps it: bounds, and the means and weights of centroids. A quantile digest is a map here, of
//! each different number its weight, in order. Trino lets neighbours become one as far as an accuracy allows; this keeps all,
//! so that every accuracy is kept.

use super::kernel::{ATHENA, Call, Gives, Kind, Scalar, scalar, shown_type};
use crate::error::{Error, ErrorKind, Result};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, ListArray, MapArray, UInt32Array};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::{cast, take};
use datafusion::arrow::datatypes::{DataType, Field, Float64Type, Int64Type};
use datafusion_functions_aggregate_common::tdigest::{Centroid, TDigest};
use std::ops::Range;
use std::sync::Arc;

pub(super) const FUNCTIONS: &[Scalar] = &[
    scalar("value_at_quantile", ATHENA, &[Kind::Any, Kind::Float], Gives::Of(value_type), value_at).doc(
        "value_at_quantile(digest, quantile)",
        "The number of a digest that a share of its numbers is below: a double of tdigest_agg, a number as it was of \
         qdigest_agg.",
        &[
            ("value_at_quantile((SELECT qdigest_agg(v) FROM (VALUES 0, 1, 2, 3, 4, 5, 6, 7, 8, 9) AS t (v)), 0.5)", "5"),
            ("value_at_quantile((SELECT tdigest_agg(v) FROM (VALUES 1, 2, 3, 4, 5) AS t (v)), 0.5)", "3.0"),
        ],
    ),
    scalar("values_at_quantiles", ATHENA, &[Kind::Any, Kind::Any], Gives::Of(values_type), values_at).doc(
        "values_at_quantiles(digest, array)",
        "The same for each of several shares.",
        &[(
            "values_at_quantiles((SELECT qdigest_agg(v) FROM (VALUES 0, 1, 2, 3, 4, 5, 6, 7, 8, 9) AS t (v)), ARRAY[0.1, 0.5])",
            "[1, 5]",
        )],
    ),
    scalar("$at_quantiles", ATHENA, &[Kind::Any, Kind::Any], Gives::Of(either_type), either_at),
    scalar("quantile_at_value", ATHENA, &[Kind::Any, Kind::Any], Gives::Of(quantile_type), quantile_at).doc(
        "quantile_at_value(qdigest, number)",
        "Which share of a digest's numbers is below one; NULL where it is not from the smallest to the largest.",
        &[
            ("quantile_at_value((SELECT qdigest_agg(v) FROM (VALUES 0, 1, 2, 3, 4, 5, 6, 7, 8, 9) AS t (v)), 6)", "0.6"),
            (
                "quantile_at_value((SELECT qdigest_agg(v) FROM (VALUES 0, 1, 2, 3, 4, 5, 6, 7, 8, 9) AS t (v)), 20)",
                "NULL",
            ),
        ],
    ),
];

/// What a digest is.
enum Form {
    /// A T-digest.
    Centroids,
    /// A quantile digest of numbers of a type.
    Weights(DataType),
}

impl Form {
    fn of(found: &DataType) -> Option<Self> {
        match found {
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView => Some(Self::Centroids),
            DataType::Map(entries, _) => match entries.data_type() {
                DataType::Struct(fields) => match (fields[0].data_type(), fields[1].data_type()) {
                    (number @ (DataType::Int64 | DataType::Float32 | DataType::Float64), DataType::Float64) => {
                        Some(Self::Weights(number.clone()))
                    }
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        }
    }

    fn first(types: &[DataType]) -> Result<Self> {
        types.first().and_then(Self::of).ok_or_else(|| wrong("a digest", types.first()))
    }
}

/// The type as which digests of a type are merged; `None` for what is no digest.
pub(super) fn merged_as(found: &DataType) -> Option<DataType> {
    Some(match Form::of(found)? {
        Form::Centroids => DataType::BinaryView,
        Form::Weights(_) => found.clone(),
    })
}

/// Whether a type is one that digests have.
pub(crate) fn is_digest(found: &DataType) -> bool {
    Form::of(found).is_some()
}

fn wrong(wanted: &str, found: Option<&DataType>) -> Error {
    let found = found.map_or_else(|| "nothing".to_owned(), shown_type);
    Error::new(ErrorKind::DatatypeMismatch, format!("{wanted} is needed, not {found}"))
}

fn list_of(element: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(element, true)))
}

fn value_type(types: &[DataType]) -> Result<DataType> {
    Ok(match Form::first(types)? {
        Form::Centroids => DataType::Float64,
        Form::Weights(number) => number,
    })
}

fn values_type(types: &[DataType]) -> Result<DataType> {
    let is_numeric = |element: &DataType| element.is_numeric() || element.is_null();
    match types.get(1) {
        Some(DataType::List(element)) if is_numeric(element.data_type()) => value_type(types).map(list_of),
        other => Err(wrong("an array of numbers", other)),
    }
}

fn either_type(types: &[DataType]) -> Result<DataType> {
    match types.get(1) {
        Some(share) if share.is_numeric() || share.is_null() => value_type(types),
        _ => values_type(types),
    }
}

fn quantile_type(types: &[DataType]) -> Result<DataType> {
    let Form::Weights(number) = Form::first(types)? else { return Err(wrong("a qdigest", types.first())) };
    match types.get(1) {
        Some(sought) if sought.is_null() || sought.is_integer() => Ok(DataType::Float64),
        Some(sought) if sought.is_numeric() && number != DataType::Int64 => Ok(DataType::Float64),
        other => Err(wrong("a number of the digest's type", other)),
    }
}

fn share(given: f64) -> Result<f64> {
    if (0.0..=1.0).contains(&given) {
        return Ok(given);
    }
    Err(Error::new(ErrorKind::InvalidParameter, "a quantile is between 0 and 1"))
}

/// Where a quantile digest's entries are.
pub(super) fn entries(maps: &MapArray, row: usize) -> Range<usize> {
    maps.value_offsets()[row] as usize..maps.value_offsets()[row + 1] as usize
}

/// The entry that has, with all before it, more than a share of the weight, or the last.
fn place(maps: &MapArray, row: usize, share: f64) -> Option<u32> {
    let (mut entries, weights) = (entries(maps, row), maps.values().as_primitive::<Float64Type>());
    let (last, total) = (entries.clone().next_back(), entries.clone().map(|at| weights.value(at)).sum::<f64>());
    let mut sum = 0.0;
    let found = entries.find(|at| {
        sum += weights.value(*at);
        sum > share * total
    });
    found.or(last).and_then(|at| u32::try_from(at).ok())
}

fn value_at(call: &Call<'_>) -> Result<ArrayRef> {
    let shares = call.float(1);
    if let Some(Form::Weights(_)) = Form::of(call.args[0].data_type()) {
        let maps = call.args[0].as_map();
        let mut places = Vec::with_capacity(call.rows);
        for row in 0..call.rows {
            places.push(if call.is_null(row) { None } else { place(maps, row, share(shares.value(row))?) });
        }
        return Ok(take(maps.keys(), &UInt32Array::from(places), None)?);
    }
    let digests = cast(&call.args[0], &DataType::BinaryView)?;
    let digests = digests.as_binary_view();
    call.floats(|row| Ok(Some(value_in(&read(digests.value(row))?, share(shares.value(row))?))))
}

fn values_at(call: &Call<'_>) -> Result<ArrayRef> {
    let lists = cast(&call.args[1], &list_of(DataType::Float64))?;
    let lists = lists.as_list::<i32>();
    let shares = |row: usize| -> Result<Vec<f64>> {
        let given = lists.value(row);
        let missing = || Error::new(ErrorKind::InvalidParameter, "a quantile is NULL");
        given.as_primitive::<Float64Type>().iter().map(|given| share(given.ok_or_else(missing)?)).collect()
    };
    let mut lengths = Vec::with_capacity(call.rows);
    let values = if let Some(Form::Weights(_)) = Form::of(call.args[0].data_type()) {
        let (maps, mut places) = (call.args[0].as_map(), Vec::new());
        for row in 0..call.rows {
            let shares = if call.is_null(row) { Vec::new() } else { shares(row)? };
            places.extend(shares.iter().map(|share| place(maps, row, *share)));
            lengths.push(shares.len());
        }
        take(maps.keys(), &UInt32Array::from(places), None)?
    } else {
        let digests = cast(&call.args[0], &DataType::BinaryView)?;
        let (digests, mut values) = (digests.as_binary_view(), Vec::new());
        for row in 0..call.rows {
            if call.is_null(row) {
                lengths.push(0);
                continue;
            }
            let (shares, digest) = (shares(row)?, read(digests.value(row))?);
            if !shares.is_sorted() {
                return Err(Error::new(ErrorKind::InvalidParameter, "quantiles of a tdigest are in increasing order"));
            }
            values.extend(shares.iter().map(|share| value_in(&digest, *share)));
            lengths.push(shares.len());
        }
        Arc::new(Float64Array::from(values)) as ArrayRef
    };
    let DataType::List(element) = &call.gives else { return Err(Error::internal("a list is lost")) };
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(ListArray::try_new(Arc::clone(element), offsets, values, call.nulls.clone())?))
}

/// One number or several, as the second argument is one or an array.
fn either_at(call: &Call<'_>) -> Result<ArrayRef> {
    if matches!(call.args[1].data_type(), DataType::List(_)) {
        return values_at(call);
    }
    let args = [Arc::clone(&call.args[0]), cast(&call.args[1], &DataType::Float64)?];
    let (nulls, gives) = (call.nulls.clone(), call.gives.clone());
    value_at(&Call { args: &args, rows: call.rows, nulls, gives, zone: call.zone })
}

fn quantile_at(call: &Call<'_>) -> Result<ArrayRef> {
    let maps = call.args[0].as_map();
    let (numbers, weights) = (orders(maps.keys())?, maps.values().as_primitive::<Float64Type>());
    let sought = orders(&cast(&call.args[1], maps.keys().data_type())?)?;
    call.floats(|row| {
        let (of_row, sought) = (entries(maps, row), sought.value(row));
        let bounds = of_row.clone().next().zip(of_row.clone().next_back());
        let is_within =
            bounds.is_some_and(|(first, last)| (numbers.value(first)..=numbers.value(last)).contains(&sought));
        if !is_within {
            return Ok(None);
        }
        let below = of_row.clone().filter(|at| numbers.value(*at) < sought).map(|at| weights.value(at)).sum::<f64>();
        Ok(Some(below / of_row.map(|at| weights.value(at)).sum::<f64>()))
    })
}

/// Whole numbers in the order of the numbers of a quantile digest.
pub(super) fn orders(numbers: &ArrayRef) -> Result<Int64Array> {
    if *numbers.data_type() == DataType::Int64 {
        return Ok(numbers.as_primitive::<Int64Type>().clone());
    }
    Ok(cast(numbers, &DataType::Float64)?.as_primitive::<Float64Type>().unary::<_, Int64Type>(order))
}

/// The numbers of a type that have an order.
pub(super) fn numbers(orders: Int64Array, of: &DataType) -> Result<ArrayRef> {
    if *of == DataType::Int64 {
        return Ok(Arc::new(orders));
    }
    let doubles = Arc::new(orders.unary::<_, Float64Type>(ordered)) as ArrayRef;
    Ok(cast(&doubles, of)?)
}

fn order(number: f64) -> i64 {
    let bits = number.to_bits().cast_signed();
    bits ^ ((bits >> 63) & i64::MAX)
}

fn ordered(order: i64) -> f64 {
    f64::from_bits((order ^ ((order >> 63) & i64::MAX)).cast_unsigned())
}

/// The only form of a T-digest's bytes.
const FORMAT: u8 = 0;

/// A T-digest's bytes, numbers with the least byte first: the form, the smallest number and the largest, how many centroids
/// there should be, the weight of all, how many centroids there are, their means, their weights.
pub(super) fn written(digest: &TDigest) -> Vec<u8> {
    let centroids = digest.centroids();
    let mut bytes = Vec::with_capacity(37 + 16 * centroids.len());
    bytes.push(FORMAT);
    for number in [digest.min(), digest.max(), digest.max_size() as f64, digest.count()] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend((centroids.len() as u32).to_le_bytes());
    bytes.extend(centroids.iter().flat_map(|centroid| centroid.mean().to_le_bytes()));
    bytes.extend(centroids.iter().flat_map(|centroid| centroid.weight().to_le_bytes()));
    bytes
}

fn number(bytes: &[u8], at: usize) -> Option<f64> {
    bytes.get(at..)?.first_chunk::<8>().map(|number| f64::from_le_bytes(*number))
}

/// The T-digest that bytes are.
///
/// # Errors
/// `InvalidParameter`
pub(super) fn read(bytes: &[u8]) -> Result<TDigest> {
    let wrong = || Error::new(ErrorKind::InvalidParameter, "the bytes are no tdigest");
    let count = bytes.get(33..).and_then(<[u8]>::first_chunk::<4>).map(|count| u32::from_le_bytes(*count) as usize);
    let count = count.filter(|count| bytes[0] == FORMAT && bytes.len() == 37 + 16 * count).ok_or_else(wrong)?;
    let at = |at: usize| number(bytes, at).ok_or_else(wrong);
    let (min, max, size, weight) = (at(1)?, at(9)?, at(17)?, at(25)?);
    let centroid =
        |place: usize| -> Result<Centroid> { Ok(Centroid::new(at(37 + 8 * place)?, at(37 + 8 * (count + place))?)) };
    let mut centroids = (0..count).map(centroid).collect::<Result<Vec<Centroid>>>()?;
    centroids.sort_by(Centroid::cmp_mean);
    let sum = centroids.iter().map(|centroid| centroid.mean() * centroid.weight()).sum();
    let size = if (10.0..=1e6).contains(&size) { size as usize } else { return Err(wrong()) };
    if count == 0 {
        return Ok(TDigest::new(size));
    }
    TDigest::try_from_parts(size, sum, weight, max, min, centroids).map_err(|_| wrong())
}

/// The number at a share of a T-digest: that of a centroid of weight 1 around its place, else between the centroids around it,
/// at the ends between the outermost and the smallest or largest number, which has weight 1 (Dunning and Ertl, "Computing
/// extremely accurate quantiles using t-digests").
fn value_in(digest: &TDigest, share: f64) -> f64 {
    let centroids = digest.centroids();
    let (Some(first), Some(last)) = (centroids.first(), centroids.last()) else { return f64::NAN };
    if centroids.len() == 1 {
        return first.mean();
    }
    let (total, at) = (digest.count(), share * digest.count());
    let between = |way: f64, whole: f64, from: f64, to: f64| from + way / whole * (to - from);
    if at < 1.0 {
        return digest.min();
    }
    if at < first.weight() / 2.0 {
        return between(at - 1.0, first.weight() / 2.0 - 1.0, digest.min(), first.mean());
    }
    let to_end = total - at;
    if to_end <= 1.0 {
        return digest.max();
    }
    if to_end <= last.weight() / 2.0 {
        return between(to_end - 1.0, last.weight() / 2.0 - 1.0, digest.max(), last.mean());
    }
    let mut middle = first.weight() / 2.0;
    for pair in centroids.windows(2) {
        let (left, right) = (&pair[0], &pair[1]);
        let (half_left, half_right) = (left.weight() / 2.0, right.weight() / 2.0);
        let way = at - middle;
        if way < half_left + half_right {
            let (left_is_one, right_is_one) = (half_left <= 0.5, half_right <= 0.5);
            if left_is_one && way < half_left {
                return left.mean();
            }
            if right_is_one && way >= half_left {
                return right.mean();
            }
            // One number alone takes no part in what is between.
            let (way, whole) = match (left_is_one, right_is_one) {
                (true, _) => (way - half_left, half_right),
                (_, true) => (way, half_left),
                _ => (way, half_left + half_right),
            };
            return between(way, whole, left.mean(), right.mean());
        }
        middle += half_left + half_right;
    }
    digest.max()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    fn digest(centroids: &[(f64, f64)]) -> TDigest {
        let count = centroids.iter().map(|(_, weight)| weight).sum();
        let sum = centroids.iter().map(|(mean, weight)| mean * weight).sum();
        let (min, max) = (centroids[0].0 - 1.0, centroids[centroids.len() - 1].0 + 1.0);
        let made = centroids.iter().map(|(mean, weight)| Centroid::new(*mean, *weight)).collect();
        TDigest::try_from_parts(100, sum, count, max, min, made).unwrap()
    }

    fn assert_close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
    }

    // By hand, of the rule that Trino and the authors of T-digests have.
    #[test]
    fn values_lie_between_centroids() {
        // Weights 4, 1, 4: their middles are at 2, 4.5 and 7 of 9; the smallest number is 9, the largest 31.
        let digest = digest(&[(10.0, 4.0), (20.0, 1.0), (30.0, 4.0)]);
        for (at, expected) in [
            (0.5, 9.0),
            (1.0, 9.0),
            (1.5, 9.5),
            (2.0, 10.0),
            // Half of the way to where the one number begins, at 4.
            (3.0, 15.0),
            (4.0, 20.0),
            (4.9, 20.0),
            // From where it ends, at 5, a quarter of the way.
            (5.5, 22.5),
            (7.0, 30.0),
            (7.5, 30.5),
            (8.5, 31.0),
            (9.0, 31.0),
        ] {
            assert_close(value_in(&digest, at / 9.0), expected);
        }
    }

    #[test]
    fn single_numbers_are_what_they_are() {
        let digest = TDigest::default().merge_unsorted_f64(vec![5.0, 1.0, 4.0, 2.0, 3.0]);
        for (share, expected) in [(0.0, 1.0), (0.19, 1.0), (0.2, 2.0), (0.5, 3.0), (0.79, 4.0), (0.8, 5.0), (1.0, 5.0)]
        {
            assert_close(value_in(&digest, share), expected);
        }
        assert_close(value_in(&TDigest::default().merge_unsorted_f64(vec![7.0]), 0.3), 7.0);
        assert!(value_in(&TDigest::default(), 0.5).is_nan());
    }

    #[test]
    fn many_numbers_are_near() {
        let numbers: Vec<f64> = (0..100_000).map(|at| f64::from(at * 7_919 % 100_000)).collect();
        let digest = numbers.chunks(1_000).fold(TDigest::default(), |all, some| all.merge_unsorted_f64(some.to_vec()));
        for share in [0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999] {
            let error = (value_in(&digest, share) / 100_000.0 - share).abs();
            assert!(error < 0.02 * share.min(1.0 - share) + 0.002, "{share}: {error}");
        }
    }

    #[test]
    fn bytes_are_read_again() {
        let made = digest(&[(10.0, 4.0), (20.0, 1.0)]);
        let bytes = written(&made);
        assert_eq!(bytes.len(), 37 + 32);
        assert_eq!(read(&bytes).unwrap(), made);
        let empty = written(&TDigest::default());
        assert_eq!(read(&empty).unwrap().count().to_bits(), 0.0_f64.to_bits());
        for wrong in [&bytes[..68], &bytes[..20], &[], &[0; 37]] {
            assert_eq!(read(wrong).unwrap_err().kind, ErrorKind::InvalidParameter);
        }
        let mut other_form = bytes;
        other_form[0] = 1;
        assert_eq!(read(&other_form).unwrap_err().kind, ErrorKind::InvalidParameter);
    }

    #[test]
    fn orders_are_the_numbers() {
        let numbers = [f64::NEG_INFINITY, -2.5, -1e-300, 0.0, 1e-300, 2.5, f64::INFINITY];
        assert!(numbers.windows(2).all(|pair| order(pair[0]) < order(pair[1])));
        assert!(numbers.iter().all(|number| ordered(order(*number)).to_bits() == number.to_bits()));
    }
}
