//! Arrow arrays from the JSON texts of a column's values.
//!
//! A string counts as its content and any other value as its text, whatever the column's type: numbers in strings
//! are numbers, numbers and booleans are strings, and objects and arrays in a string column are their JSON text.
//! Values were checked for their syntax before; what remains is whether they fit the type.

use super::lexer::{Lexer, unescape};
use super::names::{KeyOrder, Names};
use super::options::{JsonOptions, JsonSerde};
use crate::error::{Error, Result};
use crate::lake::records::{BadCell, Epoch, InvalidValues, ScalarRules, check_scalar, scalar_array};
use arrow::array::{ArrayRef, ListArray, MapArray, NullBufferBuilder, StructArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, FieldRef, Fields};
use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

type Outcome<T> = std::result::Result<T, BadCell>;

/// The JSON texts of a column's values; `None` where there is none.
type Cells<'a> = [Option<&'a str>];

/// A block whose UTF-8 was checked once, or is to be checked value by value.
#[derive(Clone, Copy)]
pub(super) struct Text<'a> {
    bytes: &'a [u8],
    text: Option<&'a str>,
}

impl<'a> Text<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, text: std::str::from_utf8(bytes).ok() }
    }

    /// The text at a place; `row` is the error where it is not UTF-8.
    pub(super) fn get(&self, row: usize, place: Range<usize>) -> std::result::Result<&'a str, usize> {
        match self.text.and_then(|text| text.get(place.clone())) {
            Some(text) => Ok(text),
            None => std::str::from_utf8(self.bytes.get(place).unwrap_or_default()).map_err(|_| row),
        }
    }
}

/// How the columns of a table are built.
#[derive(Debug)]
pub(super) struct JsonColumns {
    columns: Vec<Shape>,
    rules: ScalarRules,
    openx: bool,
}

/// A type with the names of its fields, looked up once.
#[derive(Debug)]
enum Shape {
    Scalar(DataType),
    List { data_type: DataType, field: FieldRef, item: Box<Shape> },
    Struct { data_type: DataType, fields: Fields, names: Names, shapes: Vec<Shape> },
    Map { data_type: DataType, entries: FieldRef, sorted: bool, pair: Fields, value: Box<Shape> },
}

impl Shape {
    fn new(options: &JsonOptions, data_type: &DataType) -> Result<Self> {
        Ok(match data_type {
            DataType::List(field) => Self::List {
                data_type: data_type.clone(),
                field: Arc::clone(field),
                item: Box::new(Self::new(options, field.data_type())?),
            },
            DataType::Struct(fields) => Self::Struct {
                data_type: data_type.clone(),
                fields: fields.clone(),
                names: Names::new(options, fields.iter().map(|field| field.name().as_str())),
                shapes: fields.iter().map(|field| Self::new(options, field.data_type())).collect::<Result<_>>()?,
            },
            DataType::Map(entries, sorted) => {
                let DataType::Struct(pair) = entries.data_type() else {
                    return Err(Error::internal(format!("a map's entries are of type {}", entries.data_type())));
                };
                let [key, value] = pair.as_ref() else {
                    return Err(Error::internal("a map's entries have not two fields"));
                };
                check_scalar(key.data_type())?;
                Self::Map {
                    data_type: data_type.clone(),
                    entries: Arc::clone(entries),
                    sorted: *sorted,
                    pair: pair.clone(),
                    value: Box::new(Self::new(options, value.data_type())?),
                }
            }
            scalar => {
                check_scalar(scalar)?;
                Self::Scalar(scalar.clone())
            }
        })
    }
}

impl JsonColumns {
    /// Columns of the types of `fields`.
    pub(super) fn new(options: &JsonOptions, fields: &Fields) -> Result<Self> {
        let openx = options.serde == JsonSerde::OpenX;
        let rules = ScalarRules {
            invalid_values: options.invalid_values,
            epoch: Epoch::SecondsOrMilliseconds,
            integral_floats: true,
            base64: openx,
            ..ScalarRules::default()
        };
        let columns = fields.iter().map(|field| Shape::new(options, field.data_type())).collect::<Result<_>>()?;
        Ok(Self { columns, rules, openx })
    }

    /// The array of a column.
    pub(super) fn array(&self, column: usize, cells: &Cells<'_>) -> Outcome<ArrayRef> {
        self.build(&self.columns[column], cells)
    }

    fn build(&self, shape: &Shape, cells: &Cells<'_>) -> Outcome<ArrayRef> {
        match shape {
            Shape::Scalar(data_type) => {
                let texts: Vec<Option<Cow<'_, str>>> = cells.iter().map(|cell| cell.and_then(content)).collect();
                scalar_array(data_type, &texts, &self.rules)
            }
            Shape::List { data_type, field, item } => self.list(data_type, field, item, cells),
            Shape::Struct { data_type, fields, names, shapes } => {
                self.structure(data_type, fields, names, shapes, cells)
            }
            Shape::Map { data_type, entries, sorted, pair, value } => {
                self.map(data_type, entries, *sorted, pair, value, cells)
            }
        }
    }

    /// A cell that must begin with `open`; `None` is NULL, also for what OpenX takes for nothing.
    fn nested<'a>(&self, cell: Option<&'a str>, open: char) -> std::result::Result<Option<&'a str>, &'a str> {
        match cell {
            None | Some("null") => Ok(None),
            Some(text) if text.starts_with(open) => Ok(Some(text)),
            Some(text) if self.openx && text.len() >= 2 && text.trim_matches('"').trim().is_empty() => Ok(None),
            Some(text) => Err(text),
        }
    }

    fn bad(&self, row: usize, text: &str, data_type: &DataType) -> Outcome<()> {
        match self.rules.invalid_values {
            InvalidValues::Null => Ok(()),
            InvalidValues::Error => Err(BadCell::new(row, text, data_type)),
        }
    }

    fn list(&self, data_type: &DataType, field: &FieldRef, item: &Shape, cells: &Cells<'_>) -> Outcome<ArrayRef> {
        let mut items: Vec<Option<&str>> = Vec::new();
        let mut collection = Collection::new(cells.len());
        for (row, cell) in cells.iter().enumerate() {
            let valid = match self.nested(*cell, '[') {
                Ok(None) => false,
                Ok(Some(text)) => Lexer::new(text.as_bytes(), 0).array(0, |place| items.push(text.get(place))).is_ok(),
                Err(text) if self.openx => {
                    items.push(Some(text));
                    true
                }
                Err(text) => {
                    self.bad(row, text, data_type)?;
                    false
                }
            };
            collection.end_row(items.len(), valid);
        }
        let (offsets, nulls) = collection.finish();
        let values = self.build(item, &items).map_err(|bad| in_parent(&offsets, bad))?;
        finish(data_type, ListArray::try_new(Arc::clone(field), offsets, values, nulls))
    }

    fn structure(
        &self,
        data_type: &DataType,
        fields: &Fields,
        names: &Names,
        shapes: &[Shape],
        cells: &Cells<'_>,
    ) -> Outcome<ArrayRef> {
        let mut children: Vec<Vec<Option<&str>>> = vec![vec![None; cells.len()]; fields.len()];
        let mut nulls = NullBufferBuilder::new(cells.len());
        let mut order = KeyOrder::new(names);
        for (row, cell) in cells.iter().enumerate() {
            let text = match self.nested(*cell, '{') {
                Ok(text) => text,
                Err(text) => {
                    self.bad(row, text, data_type)?;
                    None
                }
            };
            nulls.append(text.is_some());
            let Some(text) = text else { continue };
            order.restart();
            let _ = Lexer::new(text.as_bytes(), 0).object(0, |key, place| {
                if let Some(child) = order.column(key) {
                    children[child][row] = text.get(place);
                }
            });
        }
        let arrays =
            shapes.iter().zip(&children).map(|(shape, child)| self.build(shape, child)).collect::<Outcome<_>>()?;
        finish(data_type, StructArray::try_new_with_length(fields.clone(), arrays, nulls.finish(), cells.len()))
    }

    fn map(
        &self,
        data_type: &DataType,
        entries: &FieldRef,
        sorted: bool,
        pair: &Fields,
        value: &Shape,
        cells: &Cells<'_>,
    ) -> Outcome<ArrayRef> {
        let mut keys: Vec<Option<Cow<'_, str>>> = Vec::new();
        let mut values: Vec<Option<&str>> = Vec::new();
        let mut seen: HashMap<Cow<'_, str>, usize> = HashMap::new();
        let mut collection = Collection::new(cells.len());
        for (row, cell) in cells.iter().enumerate() {
            let text = match self.nested(*cell, '{') {
                Ok(text) => text,
                Err(text) => {
                    self.bad(row, text, data_type)?;
                    None
                }
            };
            seen.clear();
            if let Some(text) = text {
                let _ = Lexer::new(text.as_bytes(), 0).object(0, |key, place| {
                    let key = unescape(std::str::from_utf8(key).unwrap_or_default());
                    // Of a key that repeats the last value counts.
                    if let Some(known) = seen.insert(key.clone(), values.len()) {
                        seen.insert(key, known);
                        values[known] = text.get(place);
                    } else {
                        keys.push(Some(key));
                        values.push(text.get(place));
                    }
                });
            }
            collection.end_row(keys.len(), text.is_some());
        }
        let (offsets, nulls) = collection.finish();
        let keys = scalar_array(pair[0].data_type(), &keys, &self.rules).map_err(|bad| in_parent(&offsets, bad))?;
        let values = self.build(value, &values).map_err(|bad| in_parent(&offsets, bad))?;
        let pairs = StructArray::try_new(pair.clone(), vec![keys, values], None)
            .map_err(|e| BadCell::new(0, &e.to_string(), data_type))?;
        finish(data_type, MapArray::try_new(Arc::clone(entries), offsets, pairs, nulls, sorted))
    }
}

/// What a value counts as: a string's content, any other value's text; `None` for null.
fn content(text: &str) -> Option<Cow<'_, str>> {
    match text.as_bytes() {
        [b'n', ..] => None,
        [b'"', .., b'"'] => Some(unescape(&text[1..text.len() - 1])),
        _ => Some(Cow::Borrowed(text)),
    }
}

/// Offsets and validity of a list or map column.
struct Collection {
    offsets: Vec<i32>,
    nulls: NullBufferBuilder,
}

impl Collection {
    fn new(rows: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self { offsets, nulls: NullBufferBuilder::new(rows) }
    }

    fn end_row(&mut self, end: usize, valid: bool) {
        self.offsets.push(end as i32);
        self.nulls.append(valid);
    }

    fn finish(mut self) -> (OffsetBuffer<i32>, Option<NullBuffer>) {
        (OffsetBuffer::new(self.offsets.into()), self.nulls.finish())
    }
}

fn in_parent(offsets: &OffsetBuffer<i32>, bad: BadCell) -> BadCell {
    let row = offsets.partition_point(|offset| *offset as usize <= bad.row).saturating_sub(1);
    bad.at_row(row)
}

fn finish<A: arrow::array::Array + 'static>(
    data_type: &DataType,
    array: std::result::Result<A, arrow::error::ArrowError>,
) -> Outcome<ArrayRef> {
    array.map(|array| Arc::new(array) as ArrayRef).map_err(|e| BadCell::new(0, &e.to_string(), data_type))
}
