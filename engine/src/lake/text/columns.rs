//! Columns of LazySimple's nested values: collections whose delimiters depend on the depth.
//!
//! As in Hive's LazyFactory: a column stands at level 1; an array's items and a struct's fields are divided by their
//! level's delimiter and stand a level deeper; a map's entries are divided by its level's delimiter, key and value
//! by the next, and stand two levels deeper. An empty text is an array or map without items.

use super::fields::unescaped;
use super::options::TextOptions;
use crate::error::{Error, Result};
use crate::lake::records::{BadCell, InvalidValues, ScalarRules, check_scalar, scalar_array};
use arrow::array::{ArrayRef, ListArray, MapArray, NullBufferBuilder, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, FieldRef, Fields};
use std::sync::Arc;

type Cells<'a> = Vec<Option<&'a str>>;

/// How values are read at each level.
#[derive(Debug)]
pub(super) struct Levels {
    options: TextOptions,
    rules: ScalarRules,
}

impl Levels {
    pub(super) fn new(options: &TextOptions, rules: ScalarRules) -> Self {
        Self { options: options.clone(), rules }
    }

    /// The text that means NULL.
    pub(super) fn null_format(&self) -> Option<&str> {
        self.options.null_format.as_deref()
    }

    /// Whether a value that does not fit becomes NULL.
    pub(super) fn invalid_is_null(&self) -> bool {
        self.rules.invalid_values == InvalidValues::Null
    }

    /// Refuses types that nest deeper than there are delimiters, or that text does not hold.
    pub(super) fn check(&self, data_type: &DataType, level: usize) -> Result<()> {
        let needs = |level: usize| match self.options.delimiter_of_level(level) {
            Some(_) => Ok(()),
            None => Err(Error::unsupported("a type of more than 7 levels in a text file")),
        };
        match data_type {
            DataType::List(item) => needs(level).and_then(|()| self.check(item.data_type(), level + 1)),
            DataType::Struct(fields) => {
                needs(level)?;
                fields.iter().try_for_each(|field| self.check(field.data_type(), level + 1))
            }
            DataType::Map(entries, _) => {
                needs(level + 1)?;
                let (key, value) = key_and_value(entries)?;
                check_scalar(key.data_type())?;
                self.check(value.data_type(), level + 2)
            }
            scalar => check_scalar(scalar),
        }
    }

    fn not_null<'a>(&self, text: &'a str) -> Option<&'a str> {
        if Some(text) == self.null_format() { None } else { Some(text) }
    }

    /// The parts of a text between a level's delimiters; an empty text is one empty part.
    fn parts<'a>(&self, text: &'a str, level: usize) -> impl Iterator<Item = &'a str> {
        let delimiter = self.options.delimiter_of_level(level).unwrap_or_default();
        let escape = self.options.escape.unwrap_or(delimiter);
        let mut from = Some(0);
        std::iter::from_fn(move || {
            let start = from?;
            let end = unescaped(delimiter, escape, text.as_bytes(), start);
            from = (end < text.len()).then_some(end + 1);
            text.get(start..end)
        })
    }

    /// A text cut at the first delimiter of a level; without one there is no second half.
    fn halves<'a>(&self, text: &'a str, level: usize) -> (&'a str, Option<&'a str>) {
        let first = self.parts(text, level).next().unwrap_or_default();
        (first, text.get(first.len() + 1..))
    }
}

/// The key's and the value's field of a map's entries.
fn key_and_value(entries: &FieldRef) -> Result<(&FieldRef, &FieldRef)> {
    match entries.data_type() {
        DataType::Struct(fields) if fields.len() == 2 => Ok((&fields[0], &fields[1])),
        other => Err(Error::internal(format!("a map's entries are of type {other}"))),
    }
}

/// A column's array; its type must have passed [`Levels::check`], or `check_scalar`.
pub(super) fn column_array(
    data_type: &DataType,
    cells: &[Option<&str>],
    levels: &Levels,
    level: usize,
) -> std::result::Result<ArrayRef, BadCell> {
    match data_type {
        DataType::List(item) => list_array(data_type, item, cells, levels, level),
        DataType::Struct(fields) => struct_array(data_type, fields, cells, levels, level),
        DataType::Map(entries, sorted) => map_array(data_type, entries, *sorted, cells, levels, level),
        scalar => scalar_array(scalar, cells, &levels.rules),
    }
}

fn list_array(
    data_type: &DataType,
    item: &FieldRef,
    cells: &[Option<&str>],
    levels: &Levels,
    level: usize,
) -> std::result::Result<ArrayRef, BadCell> {
    let mut items: Cells = Vec::new();
    let (offsets, nulls) = collect(cells, |text| {
        items.extend(levels.parts(text, level).map(|part| levels.not_null(part)));
        items.len()
    });
    let parent = |row: usize| offsets.partition_point(|offset| *offset as usize <= row) - 1;
    let values = column_array(item.data_type(), &items, levels, level + 1).map_err(|bad| {
        let row = parent(bad.row);
        bad.at_row(row)
    })?;
    let array = ListArray::try_new(Arc::clone(item), offsets.clone(), values, nulls);
    array.map(|array| Arc::new(array) as ArrayRef).map_err(|e| BadCell::new(0, &e.to_string(), data_type))
}

/// Offsets and validity of a collection's cells; `append` takes a cell's items over and gives their number so far.
fn collect<'a>(
    cells: &[Option<&'a str>],
    mut append: impl FnMut(&'a str) -> usize,
) -> (OffsetBuffer<i32>, Option<arrow::buffer::NullBuffer>) {
    let mut offsets = Vec::with_capacity(cells.len() + 1);
    let mut nulls = NullBufferBuilder::new(cells.len());
    let mut end = 0;
    offsets.push(0);
    for cell in cells {
        if let Some(text) = cell.filter(|text| !text.is_empty()) {
            end = append(text);
        }
        nulls.append(cell.is_some());
        offsets.push(end as i32);
    }
    (OffsetBuffer::new(offsets.into()), nulls.finish())
}

fn struct_array(
    data_type: &DataType,
    fields: &Fields,
    cells: &[Option<&str>],
    levels: &Levels,
    level: usize,
) -> std::result::Result<ArrayRef, BadCell> {
    let mut children: Vec<Cells> = vec![Vec::with_capacity(cells.len()); fields.len()];
    let mut nulls = NullBufferBuilder::new(cells.len());
    for cell in cells {
        let mut parts = cell.map(|text| levels.parts(text, level));
        for child in &mut children {
            let part = parts.as_mut().and_then(Iterator::next);
            child.push(part.and_then(|part| levels.not_null(part)));
        }
        nulls.append(cell.is_some());
    }
    let mut arrays = Vec::with_capacity(fields.len());
    for (field, child) in fields.iter().zip(&children) {
        arrays.push(column_array(field.data_type(), child, levels, level + 1)?);
    }
    let array = StructArray::try_new_with_length(fields.clone(), arrays, nulls.finish(), cells.len());
    array.map(|array| Arc::new(array) as ArrayRef).map_err(|e| BadCell::new(0, &e.to_string(), data_type))
}

fn map_array(
    data_type: &DataType,
    entries: &FieldRef,
    sorted: bool,
    cells: &[Option<&str>],
    levels: &Levels,
    level: usize,
) -> std::result::Result<ArrayRef, BadCell> {
    let internal = |error: &dyn std::fmt::Display| BadCell::new(0, &error.to_string(), data_type);
    let (key, value) = key_and_value(entries).map_err(|e| internal(&e))?;
    let (mut keys, mut values): (Cells, Cells) = (Vec::new(), Vec::new());
    let (offsets, nulls) = collect(cells, |text| {
        for part in levels.parts(text, level) {
            let (key, value) = levels.halves(part, level + 1);
            // Arrow's maps have no NULL keys, and Hive skips them.
            if let Some(key) = levels.not_null(key) {
                keys.push(Some(key));
                values.push(value.and_then(|value| levels.not_null(value)));
            }
        }
        keys.len()
    });
    let parent = |bad: BadCell| {
        let row = offsets.partition_point(|offset| *offset as usize <= bad.row) - 1;
        bad.at_row(row)
    };
    let keys = scalar_array(key.data_type(), &keys, &levels.rules).map_err(parent)?;
    let values = column_array(value.data_type(), &values, levels, level + 2).map_err(parent)?;
    let fields: Fields = vec![Arc::clone(key), Arc::clone(value)].into();
    let pairs = StructArray::try_new(fields, vec![keys, values], None).map_err(|e| internal(&e))?;
    let array = MapArray::try_new(Arc::clone(entries), offsets.clone(), pairs, nulls, sorted);
    array.map(|array| Arc::new(array) as ArrayRef).map_err(|e| internal(&e))
}
