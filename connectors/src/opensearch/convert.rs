//! Documents to Arrow, exactly: digits as they stand, times as the server understands them.
//!
//! Fields hold one value or several, and mappings do not tell which. Empty lists and lists of nulls are NULL, a list of
//! one is its value, as they are for the server; several are an error or the first, as the option `arrays` says. What
//! does not fit its column is an error that names field and document, unless the mapping says `ignore_malformed`.

use super::config::Arrays;
use super::dates;
use super::json::Json;
use super::leaf::shortest;
use super::mapping::{Column, Read, no_source};
use super::page::Hit;
use super::tree::Tree;
use crate::error::{ConnectorError, Result};
use crate::number::Number;
use crate::typed::{self, Scalar, Type};
use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Decimal128Builder, Float32Builder, Float64Builder, Int16Builder,
    Int32Builder, Int64Builder, RecordBatch, RecordBatchOptions, StringViewBuilder, TimestampMicrosecondBuilder,
};
use arrow::compute::cast;
use arrow::datatypes::{Schema, SchemaRef};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// How much of a wrong value an error shows.
const SHOWN_CHARS_MAX: usize = 60;

/// The values of fields of whole numbers, some with 64 bits and a sign and some with 64 bits without one.
const DECIMALS: RangeInclusive<i128> = i64::MIN as i128..=u64::MAX as i128;

/// Columns to read, and where they stand in documents.
#[derive(Debug)]
pub(super) struct Converter {
    columns: Vec<Column>,
    schema: SchemaRef,
    tree: Tree,
    arrays: Arrays,
}

impl Converter {
    pub(super) fn new(columns: Vec<Column>, arrays: Arrays) -> Converter {
        let schema = Arc::new(Schema::new(columns.iter().map(Column::arrow).collect::<Vec<_>>()));
        let mut tree = Tree::default();
        for (at, column) in columns.iter().enumerate().filter(|(_, column)| in_source(&column.read)) {
            tree.add(&column.path, at, column.read == Read::Geo);
        }
        Converter { columns, schema, tree, arrays }
    }

    /// The columns.
    pub(super) fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// What is read of `_source`.
    pub(super) fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Reads hits of a search, of which some are passed over.
    pub(super) fn batch(&self, hits: &[&Hit<'_>]) -> Result<RecordBatch> {
        let mut builders: Vec<Builder> = self.columns.iter().map(|column| Builder::new(&column.read)).collect();
        let mut slots: Vec<Vec<&Json<'_>>> = vec![vec![]; self.columns.len()];
        let reads_source = self.columns.iter().any(|column| in_source(&column.read) || column.read == Read::Source);
        for hit in hits {
            slots.iter_mut().for_each(Vec::clear);
            match &hit.source {
                Some(source) => self.collect(&self.tree, source, &mut slots),
                // Some servers keep none by a setting, which no mapping tells.
                None if reads_source => return Err(no_source(&hit.index)),
                None => {}
            }
            for (at, builder) in builders.iter_mut().enumerate() {
                self.append(&self.columns[at], hit, &slots[at], builder)?;
            }
        }
        let arrays = builders.into_iter().zip(&self.columns).map(|(builder, column)| match &column.declared {
            None => Ok(builder.finish()),
            Some(declared) => cast(&builder.finish(), declared),
        });
        let arrays = arrays.collect::<std::result::Result<Vec<_>, arrow::error::ArrowError>>();
        let arrays = arrays.map_err(|error| ConnectorError::BadData(format!("documents do not fit: {error}")))?;
        let options = RecordBatchOptions::new().with_row_count(Some(hits.len()));
        RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)
            .map_err(|error| ConnectorError::BadData(format!("documents do not make a batch: {error}")))
    }

    /// Finds the values of all columns in one pass over a document.
    fn collect<'j>(&self, tree: &Tree, value: &'j Json<'j>, slots: &mut [Vec<&'j Json<'j>>]) {
        let mut is_plain = false;
        for at in &tree.columns {
            if matches!(self.columns[*at].read, Read::Super | Read::Geo) {
                slots[*at].push(value);
            } else {
                is_plain = true;
            }
        }
        match value {
            Json::Null => {}
            Json::Array(elements, _) => {
                for element in elements {
                    self.collect_element(tree, element, slots);
                }
            }
            value => {
                if is_plain {
                    self.plain(tree, value, slots);
                }
                self.collect_members(tree, value, slots);
            }
        }
    }

    /// Finds the values of columns within an object.
    fn collect_members<'j>(&self, tree: &Tree, value: &'j Json<'j>, slots: &mut [Vec<&'j Json<'j>>]) {
        let Json::Object(members, _) = value else { return };
        if tree.has_no_members() {
            return;
        }
        for (name, member) in members {
            if let Some(tree) = tree.descend(name) {
                self.collect(tree, member, slots);
            }
        }
    }

    /// An element of a list, which JSON columns have as a whole.
    fn collect_element<'j>(&self, tree: &Tree, value: &'j Json<'j>, slots: &mut [Vec<&'j Json<'j>>]) {
        match value {
            Json::Null => {}
            Json::Array(elements, _) => elements.iter().for_each(|element| self.collect_element(tree, element, slots)),
            value => {
                self.plain(tree, value, slots);
                self.collect_members(tree, value, slots);
            }
        }
    }

    /// Gives a value to the columns that stand here and take no JSON. An object is none of theirs whatever else is read
    /// of it.
    fn plain<'j>(&self, tree: &Tree, value: &'j Json<'j>, slots: &mut [Vec<&'j Json<'j>>]) {
        for at in &tree.columns {
            if !matches!(self.columns[*at].read, Read::Super | Read::Geo) {
                slots[*at].push(value);
            }
        }
    }

    fn append(&self, column: &Column, hit: &Hit<'_>, values: &[&Json<'_>], builder: &mut Builder) -> Result<()> {
        match column.read {
            Read::Id => builder.text(&hit.id),
            Read::Index => builder.text(&hit.index),
            Read::Score => match hit.score {
                Some(digits) => builder.number(digits).ok_or_else(|| wrong(column, hit, None))?,
                _ => builder.null(),
            },
            Read::Source => {
                let mut text = String::new();
                hit.source.as_ref().unwrap_or(&Json::Null).write(&mut text);
                builder.text(&text);
            }
            Read::Super | Read::Geo => match json(values, column.read == Read::Geo) {
                Some(text) => builder.text(&text),
                None => builder.null(),
            },
            Read::ServerTime(_) => {
                let fields = hit.fields.as_ref().and_then(|fields| fields.get(&column.path));
                let values: Vec<&Json<'_>> = fields.map(Json::elements).unwrap_or_default().iter().collect();
                self.append_one(column, hit, &values, builder)?;
            }
            _ if values.is_empty() && !column.constants.is_empty() => match column.constants.get(&*hit.index) {
                Some(constant) => builder.constant(constant).ok_or_else(|| wrong(column, hit, None))?,
                None => builder.null(),
            },
            _ => self.append_one(column, hit, values, builder)?,
        }
        Ok(())
    }

    fn append_one(&self, column: &Column, hit: &Hit<'_>, values: &[&Json<'_>], builder: &mut Builder) -> Result<()> {
        let value = match values {
            [] => {
                builder.null();
                return Ok(());
            }
            [value] => value,
            [first, ..] if self.arrays == Arrays::First => first,
            [..] => {
                let count = values.len();
                let message = format!(
                    "field \"{}\" of {} holds {count} values: set the option arrays to 'first', or read _source",
                    column.path,
                    document(hit),
                );
                return Err(ConnectorError::BadData(message));
            }
        };
        match builder.value(value, &column.read) {
            Some(()) => Ok(()),
            None if column.lenient => {
                builder.null();
                Ok(())
            }
            None => Err(wrong(column, hit, Some(value))),
        }
    }
}

/// Whether a column's values stand in `_source`.
pub(super) fn in_source(read: &Read) -> bool {
    !matches!(read, Read::Id | Read::Index | Read::Score | Read::Source | Read::ServerTime(_))
}

fn document(hit: &Hit<'_>) -> String {
    format!("document \"{}\" in \"{}\"", hit.id, hit.index)
}

fn wrong(column: &Column, hit: &Hit<'_>, value: Option<&Json<'_>>) -> ConnectorError {
    let mut text = String::new();
    value.unwrap_or(&Json::Null).write(&mut text);
    let shown: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    let (path, document) = (&column.path, document(hit));
    ConnectorError::BadData(match column.read {
        Read::Declared(to) => format!(
            "field \"{path}\" of {document} is no {to}: {shown}; a table with 'invalid.values' = 'null' reads it as NULL"
        ),
        ref read => format!("field \"{path}\" of {document} is no {}: {shown}", read.data_type()),
    })
}

/// JSON of one place, or of several that a list above it makes.
fn json(values: &[&Json<'_>], is_geo: bool) -> Option<String> {
    let mut text = String::new();
    let write = |value: &Json<'_>, text: &mut String| match is_geo.then(|| point(value)).flatten() {
        Some(point) => text.push_str(&point),
        None => value.write(text),
    };
    match values {
        [] | [Json::Null] => return None,
        [value] => write(value, &mut text),
        several => {
            for (at, value) in several.iter().enumerate() {
                text.push(if at == 0 { '[' } else { ',' });
                write(value, &mut text);
            }
            text.push(']');
        }
    }
    Some(text)
}

/// A point as an object: `{"lat": 1, "lon": 2}`, `"1,2"`, `[2, 1]`, `"POINT (2 1)"` and GeoJSON all are
/// `{"lat":1,"lon":2}`. Geohashes and lists of points stay as they are.
fn point(value: &Json<'_>) -> Option<String> {
    let number = |value: &Json<'_>| match value {
        Json::Number(digits) => Some((*digits).to_owned()),
        Json::String(text) => text.trim().parse::<f64>().ok().map(|_| text.trim().to_owned()),
        _ => None,
    };
    let pair = |value: &Json<'_>| match value.elements() {
        [lon, lat] | [lon, lat, _] => Some((number(lat)?, number(lon)?)),
        _ => None,
    };
    let (lat, lon) = match value {
        Json::Object(..) => match value.get("coordinates") {
            Some(coordinates) => pair(coordinates)?,
            None => (number(value.get("lat")?)?, number(value.get("lon")?)?),
        },
        Json::Array(..) => pair(value)?,
        Json::String(text) => {
            let upper = text.trim().to_ascii_uppercase();
            if let Some(inner) = upper.strip_prefix("POINT") {
                let mut parts = inner.trim().strip_prefix('(')?.strip_suffix(')')?.split_ascii_whitespace();
                let (lon, lat) = (parts.next()?.to_owned(), parts.next()?.to_owned());
                (lat, lon)
            } else {
                let (lat, lon) = text.split_once(',')?;
                (lat.trim().to_owned(), lon.trim().to_owned())
            }
        }
        _ => return None,
    };
    let is_number = |text: &str| Json::parse(text.as_bytes()).is_ok_and(|json| matches!(json, Json::Number(_)));
    (is_number(&lat) && is_number(&lon)).then(|| format!("{{\"lat\":{lat},\"lon\":{lon}}}"))
}

/// A column that is being filled.
pub(super) enum Builder {
    Int16(Int16Builder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    Decimal(Decimal128Builder),
    Float32(Float32Builder),
    Float64(Float64Builder),
    Boolean(BooleanBuilder),
    Text(StringViewBuilder),
    Binary(BinaryBuilder),
    Time(TimestampMicrosecondBuilder),
    Declared(typed::Builder),
}

impl Builder {
    pub(super) fn new(read: &Read) -> Builder {
        match read {
            Read::Int(16) => Builder::Int16(Int16Builder::new()),
            Read::Int(32) => Builder::Int32(Int32Builder::new()),
            Read::Int(_) => Builder::Int64(Int64Builder::new()),
            Read::Decimal => Builder::Decimal(Decimal128Builder::new().with_data_type(Read::Decimal.data_type())),
            Read::Float32 | Read::Score => Builder::Float32(Float32Builder::new()),
            Read::Float64 => Builder::Float64(Float64Builder::new()),
            Read::Boolean => Builder::Boolean(BooleanBuilder::new()),
            Read::Binary => Builder::Binary(BinaryBuilder::new()),
            Read::Time { .. } | Read::ServerTime(_) => {
                Builder::Time(TimestampMicrosecondBuilder::new().with_timezone("UTC"))
            }
            Read::Text | Read::Ip | Read::Super | Read::Geo | Read::Id | Read::Index | Read::Source => {
                Builder::Text(StringViewBuilder::new())
            }
            Read::Declared(to) => Builder::Declared(typed::Builder::new(*to)),
        }
    }

    pub(super) fn finish(self) -> ArrayRef {
        match self {
            Builder::Int16(mut builder) => Arc::new(builder.finish()),
            Builder::Int32(mut builder) => Arc::new(builder.finish()),
            Builder::Int64(mut builder) => Arc::new(builder.finish()),
            Builder::Decimal(mut builder) => Arc::new(builder.finish()),
            Builder::Float32(mut builder) => Arc::new(builder.finish()),
            Builder::Float64(mut builder) => Arc::new(builder.finish()),
            Builder::Boolean(mut builder) => Arc::new(builder.finish()),
            Builder::Text(mut builder) => Arc::new(builder.finish()),
            Builder::Binary(mut builder) => Arc::new(builder.finish()),
            Builder::Time(mut builder) => Arc::new(builder.finish()),
            Builder::Declared(builder) => builder.finish(),
        }
    }

    pub(super) fn null(&mut self) {
        match self {
            Builder::Int16(builder) => builder.append_null(),
            Builder::Int32(builder) => builder.append_null(),
            Builder::Int64(builder) => builder.append_null(),
            Builder::Decimal(builder) => builder.append_null(),
            Builder::Float32(builder) => builder.append_null(),
            Builder::Float64(builder) => builder.append_null(),
            Builder::Boolean(builder) => builder.append_null(),
            Builder::Text(builder) => builder.append_null(),
            Builder::Binary(builder) => builder.append_null(),
            Builder::Time(builder) => builder.append_null(),
            Builder::Declared(builder) => builder.null(),
        }
    }

    /// A field's value that stands in the mapping instead of documents.
    fn constant(&mut self, text: &str) -> Option<()> {
        match self {
            Builder::Declared(builder) => builder.value(Scalar::Text(text)),
            other => {
                other.text(text);
                Some(())
            }
        }
    }

    fn text(&mut self, text: &str) {
        if let Builder::Text(builder) = self {
            builder.append_value(text);
        }
    }

    /// A plain value; `None` when it does not fit.
    fn value(&mut self, value: &Json<'_>, read: &Read) -> Option<()> {
        let text = match value {
            Json::Number(digits) => digits,
            Json::String(text) => text.as_ref(),
            Json::Bool(true) => "true",
            Json::Bool(false) => "false",
            Json::Null | Json::Array(..) | Json::Object(..) => return None,
        };
        match self {
            Builder::Text(builder) if *read == Read::Ip => builder.append_value(shortest(text.parse::<IpAddr>().ok()?)),
            Builder::Text(builder) => builder.append_value(text),
            // The servers take the empty text for false.
            Builder::Boolean(builder) => builder.append_value(match text {
                "true" => true,
                "false" | "" => false,
                _ => return None,
            }),
            Builder::Binary(builder) => builder.append_value(STANDARD.decode(text).ok()?),
            Builder::Declared(builder) => return declared(builder, value, *read == Read::Declared(Type::Binary)),
            Builder::Time(builder) => builder.append_value(time(text, read)?),
            // The servers take an empty text for no number.
            _ if text.is_empty() => self.null(),
            _ => return self.number(text),
        }
        Some(())
    }

    /// A number's digits.
    fn number(&mut self, digits: &str) -> Option<()> {
        match self {
            Builder::Int16(builder) => builder.append_value(whole(digits)?.try_into().ok()?),
            Builder::Int32(builder) => builder.append_value(whole(digits)?.try_into().ok()?),
            Builder::Int64(builder) => builder.append_value(match digits.parse() {
                Ok(number) => number,
                Err(_) => whole(digits)?.try_into().ok()?,
            }),
            Builder::Decimal(builder) => {
                builder.append_value(whole(digits).filter(|number| DECIMALS.contains(number))?);
            }
            Builder::Float32(builder) => {
                builder.append_value(digits.parse().ok().filter(|number: &f32| number.is_finite())?);
            }
            Builder::Float64(builder) => {
                builder.append_value(digits.parse().ok().filter(|number: &f64| number.is_finite())?);
            }
            _ => return None,
        }
        Some(())
    }

    /// A value as aggregations give it: times are milliseconds.
    pub(super) fn aggregated(&mut self, value: &Json<'_>, read: &Read) -> Option<()> {
        match (self, value) {
            (Builder::Time(builder), Json::Number(digits)) => {
                builder.append_value(i64::try_from(whole(digits)?).ok()?.checked_mul(1000)?);
                Some(())
            }
            (Builder::Time(_), _) => None,
            (builder, value) => builder.value(value, read),
        }
    }
}

/// Adds a value to a declared column; bytes stand in documents as base64.
fn declared(builder: &mut typed::Builder, value: &Json<'_>, is_binary: bool) -> Option<()> {
    match value {
        Json::String(text) if is_binary => builder.value(Scalar::Bytes(&STANDARD.decode(text.as_ref()).ok()?)),
        Json::String(text) => builder.value(Scalar::Text(text.as_ref())),
        Json::Number(digits) => builder.value(Scalar::Number(digits)),
        Json::Bool(truth) => builder.value(Scalar::Boolean(*truth)),
        Json::Null | Json::Array(..) | Json::Object(..) => None,
    }
}

/// A whole number; the servers cut fractions off before they index one (`coerce`).
pub(super) fn whole(digits: &str) -> Option<i128> {
    digits.parse().ok().or_else(|| Number::parse(digits)?.truncated())
}

fn time(text: &str, read: &Read) -> Option<i64> {
    let (formats, millis) = match read {
        Read::Time { formats, millis } => (formats.as_slice(), *millis),
        _ => ([dates::Format::OptionalTime].as_slice(), false),
    };
    let nanos = dates::parse(text, formats)?;
    let micros = if millis { nanos.div_euclid(1_000_000) * 1000 } else { nanos.div_euclid(1000) };
    micros.try_into().ok()
}
