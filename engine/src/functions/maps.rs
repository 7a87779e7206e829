//! Maps that are made of maps, of entries and of texts, as Trino makes them.

use super::kernel::{ATHENA, Call, Gives, Kind, Scalar, scalar, shown_type};
use super::lists::map_of;
use crate::error::{Error, ErrorKind, Result};
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, ListArray, MapArray, StringViewBuilder, StructArray, UInt64Array,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::{cast, interleave, take};
use datafusion::arrow::datatypes::{DataType, Field};
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
    scalar("multimap_from_entries", ATHENA, &[Kind::Any], Gives::Of(multimap_of_entries), many_from_entries).doc(
        "multimap_from_entries(array)",
        "A map of an array's rows of a key and a value, with all values of a key.",
        &[("multimap_from_entries(ARRAY[ROW(1, 'x'), ROW(2, 'y'), ROW(1, 'z')])", "{1: [x, z], 2: [y]}")],
    ),
    scalar("split_to_map", ATHENA, &[Kind::Text, Kind::Text, Kind::Text], Gives::Of(map_of_texts), split).doc(
        "split_to_map(text, separator, sign)",
        "A map of a text's entries, which a separator parts and in which a sign parts key and value; a key twice is an error.",
        &[("split_to_map('a=1,b=2', ',', '=')", "{a: 1, b: 2}")],
    ),
    scalar("split_to_multimap", ATHENA, &[Kind::Text, Kind::Text, Kind::Text], Gives::Of(multimap_of_texts), split_all)
        .doc(
            "split_to_multimap(text, separator, sign)",
            "The same with all values of a key.",
            &[("split_to_multimap('a=1,b=2,a=3', ',', '=')", "{a: [1, 3], b: [2]}")],
        ),
    scalar("$multimap_agg", ATHENA, &[Kind::Any, Kind::Any], Gives::Of(multimap_of_lists), multimap_agg),
    scalar("$map_union", ATHENA, &[Kind::Any], Gives::Of(map_of_list), union),
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

/// The types of the keys and values of an array's rows.
fn entry_types(types: &[DataType]) -> Result<(DataType, DataType)> {
    let entry = match types.first() {
        Some(DataType::List(entry)) => entry,
        other => return Err(wrong("an array of rows", other)),
    };
    let DataType::Struct(fields) = entry.data_type() else {
        return Err(wrong("an array of rows", types.first()));
    };
    let [key, value] = fields.iter().as_slice() else { return Err(wrong("an array of pairs", types.first())) };
    Ok((key.data_type().clone(), value.data_type().clone()))
}

fn map_of_entries(types: &[DataType]) -> Result<DataType> {
    let (key, value) = entry_types(types)?;
    Ok(map_of(key, value))
}

fn multimap_of_entries(types: &[DataType]) -> Result<DataType> {
    let (key, value) = entry_types(types)?;
    Ok(multimap_of(key, value))
}

fn multimap_of(key: DataType, value: DataType) -> DataType {
    map_of(key, DataType::List(Arc::new(Field::new_list_field(value, true))))
}

fn map_of_texts(_: &[DataType]) -> Result<DataType> {
    Ok(map_of(DataType::Utf8View, DataType::Utf8View))
}

fn multimap_of_texts(_: &[DataType]) -> Result<DataType> {
    Ok(multimap_of(DataType::Utf8View, DataType::Utf8View))
}

fn multimap_of_lists(types: &[DataType]) -> Result<DataType> {
    match types {
        [DataType::List(key), DataType::List(value)] => {
            Ok(multimap_of(key.data_type().clone(), value.data_type().clone()))
        }
        _ => Err(wrong("an array", types.first())),
    }
}

fn map_of_list(types: &[DataType]) -> Result<DataType> {
    match types.first() {
        Some(DataType::List(map)) => same_map(&[map.data_type().clone()]),
        other => Err(wrong("an array of maps", other)),
    }
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
pub(super) fn comparable(keys: &[ArrayRef]) -> Result<Vec<Rows>> {
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

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidParameter, message)
}

/// A map of all values of each key, in the order of the first ones; `rows` are the places of each row's entries.
fn collected(
    call: &Call<'_>,
    keys: &ArrayRef,
    values: &ArrayRef,
    mut rows: impl FnMut(usize) -> Result<Vec<usize>>,
) -> Result<ArrayRef> {
    let known = comparable(&[Arc::clone(keys)])?;
    let (mut key_places, mut ends): (Vec<u64>, Vec<i32>) = (Vec::new(), vec![0]);
    let (mut value_places, mut value_ends): (Vec<u64>, Vec<i32>) = (Vec::new(), vec![0]);
    for row in 0..call.rows {
        let entries = if call.is_null(row) { Vec::new() } else { rows(row)? };
        let mut seen: HashMap<Row<'_>, usize> = HashMap::new();
        let mut groups: Vec<Vec<u64>> = Vec::new();
        for entry in entries {
            let group = *seen.entry(known[0].row(entry)).or_insert(groups.len());
            if group == groups.len() {
                groups.push(Vec::new());
            }
            groups[group].push(entry as u64);
        }
        for group in groups {
            key_places.extend(group.first());
            value_places.extend(group);
            value_ends.push(value_places.len() as i32);
        }
        ends.push(key_places.len() as i32);
    }
    let values = take(values, &UInt64Array::from(value_places), None)?;
    let element = Arc::new(Field::new_list_field(values.data_type().clone(), true));
    let values = ListArray::try_new(element, OffsetBuffer::new(value_ends.into()), values, None)?;
    made(call, ends, take(keys, &UInt64Array::from(key_places), None)?, Arc::new(values))
}

fn many_from_entries(call: &Call<'_>) -> Result<ArrayRef> {
    let lists = call.args[0].as_list::<i32>();
    let pairs = lists.values().as_struct();
    let (keys, values) = (pairs.column(0), pairs.column(1));
    let offsets = lists.value_offsets();
    collected(call, keys, values, |row| {
        let entries = offsets[row] as usize..offsets[row + 1] as usize;
        for entry in entries.clone() {
            if pairs.is_null(entry) {
                return Err(invalid("map entry cannot be null"));
            }
            if keys.is_null(entry) {
                return Err(invalid("map key cannot be null"));
            }
        }
        Ok(entries.collect())
    })
}

/// Of the lists of a group's keys, which are not NULL, and values.
fn multimap_agg(call: &Call<'_>) -> Result<ArrayRef> {
    let (keys, values) = (call.args[0].as_list::<i32>(), call.args[1].as_list::<i32>());
    // Both lists are of the same rows, and begin where they like.
    let paired: Vec<u64> = (0..call.rows)
        .filter(|row| !call.is_null(*row))
        .flat_map(|row| values.value_offsets()[row] as u64..values.value_offsets()[row + 1] as u64)
        .collect();
    let kept: Vec<u64> = (0..call.rows)
        .filter(|row| !call.is_null(*row))
        .flat_map(|row| keys.value_offsets()[row] as u64..keys.value_offsets()[row + 1] as u64)
        .collect();
    let all_values = take(values.values(), &UInt64Array::from(paired), None)?;
    let all_keys = take(keys.values(), &UInt64Array::from(kept), None)?;
    let mut begin = 0;
    collected(call, &all_keys, &all_values, |row| {
        let entries = begin..begin + keys.value_length(row) as usize;
        begin = entries.end;
        Ok(entries.collect())
    })
}

/// The entries of a group's maps, which are not NULL; of one key those of the first.
fn union(call: &Call<'_>) -> Result<ArrayRef> {
    let lists = call.args[0].as_list::<i32>();
    let maps: &MapArray = lists.values().as_map();
    let known = comparable(&[Arc::clone(maps.keys())])?;
    let (mut places, mut ends): (Vec<u64>, Vec<i32>) = (Vec::new(), vec![0]);
    for row in 0..call.rows {
        let mut seen: HashSet<Row<'_>> = HashSet::new();
        let group = lists.value_offsets()[row] as usize..lists.value_offsets()[row + 1] as usize;
        for map in group.filter(|_| !call.is_null(row)) {
            let entries = maps.value_offsets()[map] as usize..maps.value_offsets()[map + 1] as usize;
            places.extend(entries.filter(|entry| seen.insert(known[0].row(*entry))).map(|entry| entry as u64));
        }
        ends.push(places.len() as i32);
    }
    let places = UInt64Array::from(places);
    made(call, ends, take(maps.keys(), &places, None)?, take(maps.values(), &places, None)?)
}

/// The entries of texts: keys, values and where each row's end.
fn entries_of_texts(call: &Call<'_>) -> Result<(ArrayRef, ArrayRef, Vec<i32>)> {
    let (texts, separators, signs) = (call.text(0), call.text(1), call.text(2));
    let (mut keys, mut values) = (StringViewBuilder::new(), StringViewBuilder::new());
    let (mut count, mut ends) = (0, vec![0]);
    for row in 0..call.rows {
        if !call.is_null(row) {
            let (separator, sign) = (separators.value(row), signs.value(row));
            if separator.is_empty() {
                return Err(invalid("entryDelimiter is empty"));
            }
            if sign.is_empty() {
                return Err(invalid("keyValueDelimiter is empty"));
            }
            if separator == sign {
                return Err(invalid("entryDelimiter and keyValueDelimiter must not be the same"));
            }
            // No entry follows the last separator.
            let text = texts.value(row);
            for entry in text.strip_suffix(separator).unwrap_or(text).split(separator).filter(|_| !text.is_empty()) {
                let pair = entry.split_once(sign).filter(|(_, value)| !value.contains(sign));
                let (key, value) = pair.ok_or_else(|| {
                    let message = "Key-value delimiter must appear exactly once in each entry. Bad input: ";
                    invalid(format!("{message}'{entry}'"))
                })?;
                keys.append_value(key);
                values.append_value(value);
                count += 1;
            }
        }
        ends.push(count);
    }
    Ok((Arc::new(keys.finish()), Arc::new(values.finish()), ends))
}

fn split(call: &Call<'_>) -> Result<ArrayRef> {
    let (keys, values, ends) = entries_of_texts(call)?;
    let texts = keys.as_string_view();
    for row in ends.windows(2) {
        let mut seen = HashSet::new();
        if let Some(twice) = (row[0] as usize..row[1] as usize).find(|entry| !seen.insert(texts.value(*entry))) {
            return Err(invalid(format!("Duplicate keys ({}) are not allowed", texts.value(twice))));
        }
    }
    made(call, ends, Arc::clone(&keys), values)
}

fn split_all(call: &Call<'_>) -> Result<ArrayRef> {
    let (keys, values, ends) = entries_of_texts(call)?;
    collected(call, &keys, &values, |row| Ok((ends[row] as usize..ends[row + 1] as usize).collect()))
}
