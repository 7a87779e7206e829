//! Maps that are made of maps and of entries, as Trino makes them.

use super::kernel::{ATHENA, Call, Gives, Kind, Scalar, scalar, shown_type};
use crate::error::{Error, ErrorKind, Result};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, MapArray, StructArray, UInt64Array};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::{cast, interleave, take};
use datafusion::arrow::datatypes::{DataType, Field, Fields};
use datafusion::arrow::row::{Row, RowConverter, Rows, SortField};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

pub(super) const FUNCTIONS: &[Scalar] = &[
    scalar("map_concat", ATHENA, &[Kind::Any, Kind::Any], Gives::Of(same_map), concat).variadic().doc(
        "map_concat(map, map [, …])",
        "The entries of several maps; of one key those of the last.",
        &[
            ("element_at(map_concat(map(ARRAY['a', 'b'], ARRAY[1, 2]), map(ARRAY['b'], ARRAY[3])), 'b')", "3"),
            ("cardinality(map_concat(map(ARRAY['a', 'b'], ARRAY[1, 2]), map(ARRAY['b'], ARRAY[3])))", "2"),
        ],
    ),
    scalar("map_from_entries", ATHENA, &[Kind::Any], Gives::Of(map_of_entries), from_entries).doc(
        "map_from_entries(array)",
        "A map of an array's rows of a key and a value.",
        &[("element_at(map_from_entries(ARRAY[ROW(1, 'x'), ROW(2, 'y')]), 2)", "y")],
    ),
];

fn same_map(types: &[DataType]) -> Result<DataType> {
    match types.first() {
        Some(map @ DataType::Map(..)) => Ok(map.clone()),
        other => Err(wrong("a map", other)),
    }
}

fn wrong(wanted: &str, found: Option<&DataType>) -> Error {
    let found = found.map_or_else(|| "nothing".to_owned(), shown_type);
    Error::new(ErrorKind::DatatypeMismatch, format!("{wanted} is needed, not {found}"))
}

fn map_of_entries(types: &[DataType]) -> Result<DataType> {
    let entry = match types.first() {
        Some(DataType::List(entry)) => entry,
        other => return Err(wrong("an array of rows", other)),
    };
    let DataType::Struct(fields) = entry.data_type() else {
        return Err(wrong("an array of rows", types.first()));
    };
    let [key, value] = fields.iter().as_slice() else { return Err(wrong("an array of pairs", types.first())) };
    let fields = Fields::from(vec![
        Field::new("key", key.data_type().clone(), false),
        Field::new("value", value.data_type().clone(), true),
    ]);
    Ok(DataType::Map(Arc::new(Field::new("entries", DataType::Struct(fields), false)), false))
}

/// A map of the call's type, of keys, values and where each row's end.
fn made(call: &Call<'_>, ends: Vec<i32>, keys: ArrayRef, values: ArrayRef) -> Result<ArrayRef> {
    let DataType::Map(entries, sorted) = &call.gives else { return Err(Error::internal("a map of no type")) };
    let DataType::Struct(fields) = entries.data_type() else { return Err(Error::internal("a map without entries")) };
    let pairs = StructArray::try_new(fields.clone(), vec![keys, values], None)?;
    let offsets = OffsetBuffer::new(ends.into());
    Ok(Arc::new(MapArray::try_new(Arc::clone(entries), offsets, pairs, call.nulls.clone(), *sorted)?))
}

/// Keys in a form that tells whether two are equal.
fn comparable(keys: &[ArrayRef]) -> Result<Vec<Rows>> {
    let Some(first) = keys.first() else { return Ok(Vec::new()) };
    let converter = RowConverter::new(vec![SortField::new(first.data_type().clone())])?;
    let rows = keys.iter().map(|keys| Ok(converter.convert_columns(&[Arc::clone(keys)])?));
    rows.collect()
}

fn concat(call: &Call<'_>) -> Result<ArrayRef> {
    let cast_maps = call.args.iter().map(|map| Ok(cast(map, &call.gives)?)).collect::<Result<Vec<_>>>()?;
    let maps: Vec<&MapArray> = cast_maps.iter().map(AsArray::as_map).collect();
    let keys: Vec<ArrayRef> = maps.iter().map(|map| Arc::clone(map.keys())).collect();
    let values: Vec<ArrayRef> = maps.iter().map(|map| Arc::clone(map.values())).collect();
    let known = comparable(&keys)?;
    let (mut places, mut ends) = (Vec::new(), vec![0_i32]);
    for row in 0..call.rows {
        let mut seen: HashMap<Row<'_>, usize> = HashMap::new();
        for (at, map) in maps.iter().enumerate().filter(|_| !call.is_null(row)) {
            let offsets = map.value_offsets();
            for entry in offsets[row] as usize..offsets[row + 1] as usize {
                match seen.entry(known[at].row(entry)) {
                    Entry::Occupied(place) => places[*place.get()] = (at, entry),
                    Entry::Vacant(place) => {
                        place.insert(places.len());
                        places.push((at, entry));
                    }
                }
            }
        }
        ends.push(places.len() as i32);
    }
    let gathered = |arrays: &[ArrayRef]| {
        let arrays: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).collect();
        interleave(&arrays, &places)
    };
    made(call, ends, gathered(&keys)?, gathered(&values)?)
}

fn from_entries(call: &Call<'_>) -> Result<ArrayRef> {
    let lists = call.args[0].as_list::<i32>();
    let pairs = lists.values().as_struct();
    let (keys, values) = (Arc::clone(pairs.column(0)), Arc::clone(pairs.column(1)));
    let known = comparable(&[Arc::clone(&keys)])?;
    let invalid = |message: &str| Error::new(ErrorKind::InvalidParameter, message);
    let (mut places, mut ends) = (Vec::new(), vec![0_i32]);
    for row in 0..call.rows {
        if !call.is_null(row) {
            let mut seen: HashSet<Row<'_>> = HashSet::new();
            for entry in lists.value_offsets()[row] as usize..lists.value_offsets()[row + 1] as usize {
                if pairs.is_null(entry) || keys.is_null(entry) {
                    return Err(invalid("map key cannot be null"));
                }
                if !seen.insert(known[0].row(entry)) {
                    return Err(invalid("duplicate map keys are not allowed"));
                }
                places.push(entry as u64);
            }
        }
        ends.push(places.len() as i32);
    }
    let places = UInt64Array::from(places);
    made(call, ends, take(&keys, &places, None)?, take(&values, &places, None)?)
}
