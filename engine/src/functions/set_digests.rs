//! What two sets have in common, told of the hashes of their values, as Trino has it ("Set Digest functions").
//!
//! A digest is a map here: of the hash of each different value, how often it is there. Trino keeps the smallest 8192 hashes
//! and counts more values by a sketch; this keeps all, so that cardinalities are exact. The index of similarity is computed
//! of as many hashes as Trino has.

use super::hashes::murmur;
use super::kernel::{ATHENA, Call, Gives, Kind, Scalar, scalar, shown_type};
use super::lists::{map_of, maps};
use super::text::bytes_of;
use crate::error::{Error, ErrorKind, Result};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int16Array, Int64Array, MapArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The most hashes that are shown and compared.
const MOST_HASHES: usize = 8192;

/// Counts by hash.
type Digest = BTreeMap<i64, i64>;

pub(super) const FUNCTIONS: &[Scalar] = &[
    scalar("$set_digest", ATHENA, &[Kind::Any], Gives::Of(digest_of_values), |call| {
        let lists = call.args[0].as_list::<i32>();
        digests(call, |row| of_values(&lists.value(row)))
    }),
    scalar("$merge_set_digests", ATHENA, &[Kind::Any], Gives::Of(digest_of_digests), |call| {
        let lists = call.args[0].as_list::<i32>();
        digests(call, |row| {
            let (of_row, mut merged) = (lists.value(row), Digest::new());
            let of_row = of_row.as_map();
            for at in (0..of_row.len()).filter(|at| of_row.is_valid(*at)) {
                for (hash, count) in digest(of_row, at) {
                    *merged.entry(hash).or_default() += count;
                }
            }
            Ok(merged)
        })
    }),
    scalar("hash_counts", ATHENA, &[Kind::Any], Gives::Of(counts_type), hash_counts).doc(
        "hash_counts(digest)",
        "How often values of each hash are in a set of make_set_digest, a map of at most 8192 hashes.",
        &[(
            "hash_counts((SELECT make_set_digest(v) FROM (VALUES 1, 1, 1, 2, 2) AS t (v)))",
            "{-2447670524089286488: 2, 19144387141682250: 3}",
        )],
    ),
    scalar("intersection_cardinality", ATHENA, &[Kind::Any, Kind::Any], Gives::Of(cardinality_type), |call| {
        let (first, second) = (call.args[0].as_map(), call.args[1].as_map());
        call.ints(|row| {
            let (first, second) = (digest(first, row), digest(second, row));
            Ok(Some(first.keys().filter(|hash| second.contains_key(hash)).count() as i64))
        })
    })
    .doc(
        "intersection_cardinality(digest, digest)",
        "How many values two sets have in common.",
        &[(
            "(SELECT intersection_cardinality(make_set_digest(a), make_set_digest(b)) FROM (VALUES (1, 1), (NULL, 2), (2, 3), (3, 4)) AS t (a, b))",
            "3",
        )],
    ),
    scalar("jaccard_index", ATHENA, &[Kind::Any, Kind::Any], Gives::Of(index_type), |call| {
        let (first, second) = (call.args[0].as_map(), call.args[1].as_map());
        call.floats(|row| Ok(Some(similarity(&digest(first, row), &digest(second, row)))))
    })
    .doc(
        "jaccard_index(digest, digest)",
        "The estimated part of the values of two sets that both have.",
        &[(
            "(SELECT jaccard_index(make_set_digest(a), make_set_digest(b)) FROM (VALUES (1, 1), (NULL, 2), (2, 3), (NULL, 4)) AS t (a, b))",
            "0.5",
        )],
    ),
];

fn digest_type() -> DataType {
    map_of(DataType::Int64, DataType::Int64)
}

fn wrong(wanted: &str, found: Option<&DataType>) -> Error {
    let found = found.map_or_else(|| "nothing".to_owned(), shown_type);
    Error::new(ErrorKind::DatatypeMismatch, format!("{wanted} is needed, not {found}"))
}

fn digest_of_values(types: &[DataType]) -> Result<DataType> {
    let of_list = |list: &DataType| match list {
        DataType::List(element) => Some(element.data_type().clone()),
        _ => None,
    };
    match types.first().and_then(of_list) {
        Some(value) if value.is_integer() || is_bytes(&value) || value == DataType::Null => Ok(digest_type()),
        other => Err(wrong("a whole number, text or binary value", other.as_ref())),
    }
}

fn is_bytes(value: &DataType) -> bool {
    super::is_text(value) || matches!(value, DataType::Binary | DataType::LargeBinary | DataType::BinaryView)
}

fn digest_of_digests(types: &[DataType]) -> Result<DataType> {
    match types.first() {
        Some(DataType::List(element)) => check_digests(std::slice::from_ref(element.data_type()), digest_type()),
        other => Err(wrong("a set digest", other)),
    }
}

fn check_digests(types: &[DataType], gives: DataType) -> Result<DataType> {
    let is_digest = |found: &DataType| match found {
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) => fields.iter().all(|field| *field.data_type() == DataType::Int64),
            _ => false,
        },
        _ => false,
    };
    match types.iter().find(|found| !is_digest(found)) {
        Some(other) => Err(wrong("a set digest", Some(other))),
        None => Ok(gives),
    }
}

fn counts_type(types: &[DataType]) -> Result<DataType> {
    check_digests(types, map_of(DataType::Int64, DataType::Int16))
}

fn cardinality_type(types: &[DataType]) -> Result<DataType> {
    check_digests(types, DataType::Int64)
}

fn index_type(types: &[DataType]) -> Result<DataType> {
    check_digests(types, DataType::Float64)
}

/// The first 64 bits of a hash of bytes.
fn hash(bytes: &[u8]) -> i64 {
    murmur(bytes).iter().take(8).rev().fold(0_u64, |word, byte| (word << 8) | u64::from(*byte)).cast_signed()
}

/// The digest of values that are no NULLs.
fn of_values(values: &ArrayRef) -> Result<Digest> {
    let mut made = Digest::new();
    let mut add = |hash: i64| *made.entry(hash).or_default() += 1;
    if values.data_type().is_integer() || *values.data_type() == DataType::Null {
        let numbers = cast(values, &DataType::Int64)?;
        let numbers = numbers.as_primitive::<Int64Type>();
        numbers.iter().flatten().for_each(|number| add(hash(&number.to_le_bytes())));
    } else {
        let bytes = bytes_of(values)?;
        bytes.as_binary::<i32>().iter().flatten().for_each(|bytes| add(hash(bytes)));
    }
    Ok(made)
}

/// A digest of a column.
fn digest(maps: &MapArray, row: usize) -> Digest {
    let (from, to) = (maps.value_offsets()[row] as usize, maps.value_offsets()[row + 1] as usize);
    let (hashes, counts) = (maps.keys().as_primitive::<Int64Type>(), maps.values().as_primitive::<Int64Type>());
    (from..to).map(|at| (hashes.value(at), counts.value(at))).collect()
}

/// Digests by a function of the row.
fn digests(call: &Call<'_>, of: impl Fn(usize) -> Result<Digest>) -> Result<ArrayRef> {
    let (mut hashes, mut counts, mut lengths) = (Vec::<i64>::new(), Vec::<i64>::new(), Vec::with_capacity(call.rows));
    for row in 0..call.rows {
        let made = if call.is_null(row) { Digest::new() } else { of(row)? };
        lengths.push(made.len());
        hashes.extend(made.keys());
        counts.extend(made.values());
    }
    let (hashes, counts) = (Int64Array::from(hashes), Int64Array::from(counts));
    maps(call, &[Arc::new(hashes) as ArrayRef], &[Arc::new(counts) as ArrayRef], lengths)
}

fn hash_counts(call: &Call<'_>) -> Result<ArrayRef> {
    let of = call.args[0].as_map();
    let (mut hashes, mut counts, mut lengths) = (Vec::new(), Vec::new(), Vec::with_capacity(call.rows));
    for row in 0..call.rows {
        let shown = if call.is_null(row) { Digest::new() } else { digest(of, row) };
        let before = hashes.len();
        for (hash, count) in shown.into_iter().take(MOST_HASHES) {
            hashes.push(hash);
            counts.push(i16::try_from(count).unwrap_or(i16::MAX));
        }
        lengths.push(hashes.len() - before);
    }
    let (hashes, counts) = (Int64Array::from(hashes), Int16Array::from(counts));
    maps(call, &[Arc::new(hashes) as ArrayRef], &[Arc::new(counts) as ArrayRef], lengths)
}

/// How many of the smallest hashes of both sets together both sets have, of as many as the smaller one has.
fn similarity(first: &Digest, second: &Digest) -> f64 {
    let kept = |digest: &Digest| digest.keys().copied().take(MOST_HASHES).collect::<Vec<_>>();
    let (first, second) = (kept(first), kept(second));
    let looked_at = first.len().min(second.len());
    let (mut first, mut second) = (first.into_iter().peekable(), second.into_iter().peekable());
    let mut common = 0;
    for _ in 0..looked_at {
        let (Some(left), Some(right)) = (first.peek().copied(), second.peek().copied()) else { break };
        common += usize::from(left == right);
        first.next_if(|_| left <= right);
        second.next_if(|_| right <= left);
    }
    common as f64 / looked_at as f64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use datafusion::arrow::array::StringArray;

    fn of_texts(text: &str) -> Digest {
        let words: Vec<&str> = text.split(' ').collect();
        let texts = words.windows(4).map(|words| Some(words.join(" "))).collect::<StringArray>();
        of_values(&(Arc::new(texts) as ArrayRef)).unwrap()
    }

    // The examples of Trino's documentation.
    #[test]
    fn sets_are_as_similar_as_trino_says() {
        let numbers = Arc::new(Int64Array::from(vec![Some(1), Some(1), None, Some(1), Some(2), Some(2)])) as ArrayRef;
        let digest = of_values(&numbers).unwrap();
        assert_eq!(digest, Digest::from([(19_144_387_141_682_250, 3), (-2_447_670_524_089_286_488, 2)]));
        let first = of_texts("The quick brown fox jumps over the lazy dog");
        let second = of_texts("The quick and the lazy");
        let third = of_texts("The quick brown fox jumps over the dog");
        assert!((similarity(&first, &third) - 0.6).abs() < f64::EPSILON);
        assert!(similarity(&first, &second).abs() < f64::EPSILON);
        assert!((similarity(&third, &third) - 1.0).abs() < f64::EPSILON);
        assert!(similarity(&first, &Digest::new()).is_nan());
    }
}
