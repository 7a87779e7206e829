//! A table's columns from the mappings of all of its indices.
//!
//! - A field with known sub-fields is no column; its leaves are, by their dotted names (`user.name`). Objects whose
//!   fields are not known, nested documents and everything that is not a plain value become SUPER.
//! - A field that has different kinds in different indices becomes the number that holds both; text where both are
//!   plain values; otherwise SUPER. What differs is not searched by the server unless the request is the same for all.
//! - `_id`, `_index`, `_score` and `_source` come last.

use super::dates::Format;
use super::field::{self, Field, Kind};
use crate::connector::SUPER_METADATA;
use crate::error::{ConnectorError, Result};
use crate::typed::Type;
use arrow::datatypes::{DataType, Field as ArrowField, Schema, SchemaRef, TimeUnit};
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// How a column's values are read from a document.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Read {
    /// Whole numbers of this width in bits.
    Int(u8),
    /// Whole numbers to 64 bits without a sign, and with one.
    Decimal,
    Float32,
    Float64,
    Boolean,
    Text,
    /// An address in its shortest form.
    Ip,
    Binary,
    /// A time in one of these formats; cut to milliseconds where the server keeps no more.
    Time {
        formats: Vec<Format>,
        millis: bool,
    },
    /// A time that the server is asked for in this format.
    ServerTime(&'static str),
    /// JSON.
    Super,
    /// JSON with `lat` and `lon`.
    Geo,
    Id,
    Index,
    Score,
    Source,
    /// A declared type that is not the field's.
    Declared(Type),
}

impl Read {
    /// The Arrow type.
    pub(super) fn data_type(&self) -> DataType {
        match self {
            Read::Int(16) => DataType::Int16,
            Read::Int(32) => DataType::Int32,
            Read::Int(_) => DataType::Int64,
            Read::Decimal => DataType::Decimal128(20, 0),
            Read::Float32 | Read::Score => DataType::Float32,
            Read::Float64 => DataType::Float64,
            Read::Boolean => DataType::Boolean,
            Read::Binary => DataType::Binary,
            Read::Time { .. } | Read::ServerTime(_) => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Read::Text | Read::Ip | Read::Super | Read::Geo | Read::Id | Read::Index | Read::Source => {
                DataType::Utf8View
            }
            Read::Declared(to) => to.data_type(),
        }
    }

    fn is_number(&self) -> bool {
        matches!(self, Read::Int(_) | Read::Decimal | Read::Float32 | Read::Float64)
    }

    fn is_time(&self) -> bool {
        matches!(self, Read::Time { .. } | Read::ServerTime(_))
    }

    pub(super) fn is_super(&self) -> bool {
        matches!(self, Read::Super | Read::Geo | Read::Source)
    }
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Column {
    pub(super) name: String,
    /// Where its values stand in documents; another field's name for an alias.
    pub(super) path: String,
    pub(super) read: Read,
    /// What the field is, each different definition once; none for `_id` and its like.
    pub(super) fields: Vec<Field>,
    /// The value of all documents of an index, by index.
    pub(super) constants: HashMap<String, String>,
    /// Values that do not fit are NULL.
    pub(super) lenient: bool,
    /// The declared type, which has all values that are read and keeps them apart and in order.
    pub(super) declared: Option<DataType>,
}

impl Column {
    /// A column that no field is known of yet.
    pub(super) fn unread(name: String, path: String, read: Read) -> Column {
        Column { name, path, read, fields: vec![], constants: HashMap::new(), lenient: false, declared: None }
    }

    /// The column's field of a schema.
    pub(super) fn arrow(&self) -> ArrowField {
        let nullable = !matches!(self.read, Read::Id | Read::Index | Read::Source);
        let data_type = self.declared.clone().unwrap_or_else(|| self.read.data_type());
        let field = ArrowField::new(&self.name, data_type, nullable);
        if !self.read.is_super() {
            return field;
        }
        field.with_metadata(HashMap::from([(SUPER_METADATA.to_owned(), String::new())]))
    }
}

/// The setting by which an index of Elasticsearch 8 has an `ignore_above` for all fields whose mapping has none.
pub(super) const LIMIT: &str = "index.mapping.ignore_above";

/// How long the keywords may be that indices find by that setting.
#[derive(Debug, Default)]
pub(super) struct Limits(HashMap<String, usize>);

impl Limits {
    /// Reads the answer of `GET /table/_settings/LIMIT`, in flat form and with what the server has where nothing is set.
    pub(super) fn new(answer: &Value) -> Limits {
        let limit = |settings: &Value| {
            let told = ["settings", "defaults"].into_iter().find_map(|list| settings.get(list)?.get(LIMIT));
            field::limit(told?)
        };
        let indices = answer.as_object().into_iter().flatten();
        Limits(indices.filter_map(|(index, settings)| Some((index.clone(), limit(settings)?))).collect())
    }

    fn of(&self, index: &str) -> Option<usize> {
        self.0.get(index).copied()
    }
}

/// A table's columns.
#[derive(Debug, Default)]
pub(super) struct Mapping {
    pub(super) columns: Vec<Column>,
    names: HashMap<String, usize>,
}

impl Mapping {
    /// A mapping of these columns.
    pub(super) fn of(columns: Vec<Column>) -> Mapping {
        let names = columns.iter().enumerate().map(|(at, column)| (column.name.clone(), at)).collect();
        Mapping { columns, names }
    }

    /// Reads the answer of `GET /table/_mapping`.
    ///
    /// # Errors
    /// `BadData` when it is not one, `Unsupported` when documents are not kept.
    pub(super) fn new(answer: &Value, limits: &Limits) -> Result<Mapping> {
        let bad = || ConnectorError::BadData("the server's answer is not a mapping".to_owned());
        let mut merged = Merge::default();
        let mut seen: Vec<(&Value, Option<usize>, bool)> = vec![];
        for (index, definition) in answer.as_object().ok_or_else(bad)? {
            let mapping = definition.get("mappings").and_then(Value::as_object).ok_or_else(bad)?;
            let (definition, limit) = (&definition["mappings"], limits.of(index));
            let known = seen.iter().find(|(other, same, _)| *other == definition && *same == limit);
            let known = known.map(|(.., constants)| *constants);
            // Indices of one pattern mostly have one mapping; constants are noted for each.
            if known == Some(false) {
                continue;
            }
            let constants = merged.index(index, mapping, limit)?;
            if known.is_none() && seen.len() < 64 {
                seen.push((definition, limit, constants));
            }
        }
        Ok(merged.finish())
    }

    /// A column by name.
    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.names.get(name).map(|at| &self.columns[*at])
    }

    /// The columns as a schema.
    pub(super) fn schema(&self) -> SchemaRef {
        Arc::new(Schema::new(self.columns.iter().map(Column::arrow).collect::<Vec<_>>()))
    }
}

#[derive(Default)]
struct Merge {
    columns: Vec<Column>,
    names: HashMap<String, usize>,
}

impl Merge {
    /// Adds an index's fields, whose keywords have a limit; tells whether any has a constant value.
    fn index(&mut self, index: &str, mapping: &Map<String, Value>, limit: Option<usize>) -> Result<bool> {
        let source = mapping.get("_source");
        let told = |name: &str| source.and_then(|source| source.get(name));
        if told("enabled").and_then(Value::as_bool) == Some(false)
            || told("mode").and_then(Value::as_str) == Some("disabled")
        {
            return Err(no_source(index));
        }
        let patterns = |name: &str| -> Vec<&str> {
            let list = told(name).and_then(Value::as_array);
            list.into_iter().flatten().filter_map(Value::as_str).collect()
        };
        let (includes, excludes) = (patterns("includes"), patterns("excludes"));
        let mut leaves = Leaves::default();
        if let Some(properties) = mapping.get("properties").and_then(Value::as_object) {
            leaves.walk("", properties);
        }
        let computed = computed(mapping);
        let mut constants = false;
        for (path, mut field) in leaves.fields {
            let kept = includes.is_empty() || includes.iter().any(|pattern| covers(pattern, &path));
            if !kept || excludes.iter().any(|pattern| covers(pattern, &path)) {
                continue;
            }
            let whole = field.whole.as_ref().map(|whole| &whole.name);
            if leaves.copies.contains(&path)
                || [Some(&path), whole].into_iter().flatten().any(|name| computed.contains(name))
            {
                field.hide();
            }
            if let Some(limit) = limit {
                field.ignore_above(limit);
            }
            constants |= field.constant.is_some();
            self.add(index, path.clone(), path, field);
        }
        for (name, path) in leaves.aliases {
            if let Some(target) = self.names.get(&path).map(|at| self.columns[*at].fields.clone()) {
                for field in target {
                    self.add(index, name.clone(), path.clone(), field);
                }
            }
        }
        Ok(constants)
    }

    fn add(&mut self, index: &str, name: String, path: String, field: Field) {
        let at = *self.names.entry(name.clone()).or_insert_with(|| {
            self.columns.push(Column::unread(name, path, Read::Super));
            self.columns.len() - 1
        });
        let column = &mut self.columns[at];
        if let Some(constant) = &field.constant {
            column.constants.insert(index.to_owned(), constant.clone());
        }
        column.lenient |= field.ignore_malformed;
        // A constant is no difference: the server resolves it by index.
        let field = Field { constant: None, ..field };
        if !column.fields.contains(&field) {
            column.fields.push(field);
        }
    }

    fn finish(mut self) -> Mapping {
        let objects: HashSet<String> = self
            .columns
            .iter()
            .flat_map(|column| column.path.match_indices('.').map(|(at, _)| column.path[..at].to_owned()))
            .collect();
        for column in &mut self.columns {
            // An object in one index and a value in another.
            let is_object = objects.contains(&column.path);
            column.read = if is_object { Read::Super } else { read(&column.fields) };
            let differs = |field: &Field| read_one(field) != column.read;
            if !column.read.is_number() && !column.read.is_time() && column.fields.iter().any(differs) {
                column.fields.iter_mut().for_each(Field::hide);
            }
        }
        for (name, read) in
            [("_id", Read::Id), ("_index", Read::Index), ("_score", Read::Score), ("_source", Read::Source)]
        {
            self.columns.push(Column::unread(name.to_owned(), name.to_owned(), read));
        }
        Mapping::of(self.columns)
    }
}

/// The leaves of one index's mapping.
#[derive(Default)]
struct Leaves {
    fields: Vec<(String, Field)>,
    aliases: Vec<(String, String)>,
    /// Fields that `copy_to` fills: they are searched and stand in no document.
    copies: HashSet<String>,
}

impl Leaves {
    fn walk(&mut self, prefix: &str, properties: &Map<String, Value>) {
        for (name, definition) in properties {
            let Some(definition) = definition.as_object() else { continue };
            let path = format!("{prefix}{name}");
            let kind = definition.get("type").and_then(Value::as_str).unwrap_or("object");
            let inner = definition.get("properties").and_then(Value::as_object).filter(|inner| !inner.is_empty());
            match (kind, inner) {
                ("object", Some(inner)) => self.walk(&format!("{path}."), inner),
                ("alias", _) => {
                    if let Some(target) = definition.get("path").and_then(Value::as_str) {
                        self.aliases.push((path, target.to_owned()));
                    }
                }
                _ => {
                    match definition.get("copy_to") {
                        Some(Value::String(target)) => drop(self.copies.insert(target.clone())),
                        Some(Value::Array(targets)) => {
                            self.copies.extend(targets.iter().filter_map(Value::as_str).map(str::to_owned));
                        }
                        _ => {}
                    }
                    let field = Field::new(&path, definition);
                    self.fields.push((path, field));
                }
            }
        }
    }
}

/// The error for an index whose documents are not kept.
pub(super) fn no_source(index: &str) -> ConnectorError {
    ConnectorError::Unsupported(format!("index \"{index}\", which keeps no _source,"))
}

/// The names that stand for what the server computes when it searches (runtime fields). Where an indexed field has such
/// a name, searches find what is computed instead of what documents hold.
fn computed(mapping: &Map<String, Value>) -> HashSet<String> {
    let mut names = HashSet::new();
    for (name, definition) in mapping.get("runtime").and_then(Value::as_object).into_iter().flatten() {
        // A composite one makes several, below its own name.
        let parts = definition.get("fields").and_then(Value::as_object);
        names.extend(parts.into_iter().flatten().map(|(part, _)| format!("{name}.{part}")));
        names.insert(name.clone());
    }
    names
}

/// Whether a pattern of `_source`'s `includes` or `excludes` covers a path or an object above it.
fn covers(pattern: &str, path: &str) -> bool {
    let mut ends = path.match_indices('.').map(|(at, _)| at).chain([path.len()]);
    ends.any(|end| matches_wildcard(pattern.as_bytes(), &path.as_bytes()[..end]))
}

fn matches_wildcard(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|from| matches_wildcard(rest, &text[from..])),
        Some((byte, rest)) => text.first() == Some(byte) && matches_wildcard(rest, &text[1..]),
    }
}

/// How the values of a field with these definitions are read.
fn read(fields: &[Field]) -> Read {
    let mut reads = fields.iter().map(read_one);
    let first = reads.next().unwrap_or(Read::Super);
    reads.fold(first, widen)
}

fn read_one(field: &Field) -> Read {
    match field.kind {
        Kind::Keyword | Kind::Wildcard | Kind::ConstantKeyword | Kind::Text | Kind::OtherText => Read::Text,
        Kind::Byte | Kind::Short => Read::Int(16),
        Kind::Integer => Read::Int(32),
        Kind::Long => Read::Int(64),
        Kind::UnsignedLong => Read::Decimal,
        Kind::HalfFloat | Kind::Float => Read::Float32,
        Kind::Double | Kind::ScaledFloat => Read::Float64,
        Kind::Date | Kind::DateNanos => time(field),
        Kind::Boolean => Read::Boolean,
        Kind::Ip => Read::Ip,
        Kind::Binary => Read::Binary,
        Kind::GeoPoint => Read::Geo,
        Kind::Json => Read::Super,
    }
}

/// A date in a format that is not read here comes from the server, where it keeps one to give; otherwise it is text.
fn time(field: &Field) -> Read {
    let millis = field.kind == Kind::Date;
    match &field.formats {
        Some(formats) => Read::Time { formats: formats.clone(), millis },
        None if !field.doc_values => Read::Text,
        None if millis => Read::ServerTime("strict_date_optional_time"),
        None => Read::ServerTime(NANOS),
    }
}

const NANOS: &str = "strict_date_optional_time_nanos";

/// What holds the values of both.
fn widen(one: Read, other: Read) -> Read {
    use Read::{Binary, Boolean, Decimal, Float32, Float64, Int, Ip, ServerTime, Text, Time};
    match (one, other) {
        (one, other) if one == other => one,
        (Int(one), Int(other)) => Int(one.max(other)),
        (Int(_) | Decimal, Int(_) | Decimal) => Decimal,
        (Int(_) | Decimal | Float32 | Float64, Int(_) | Decimal | Float32 | Float64) => Float64,
        (Time { .. } | ServerTime(_), Time { .. } | ServerTime(_)) => ServerTime(NANOS),
        (one, other) => {
            let is_plain =
                |read: &Read| read.is_number() || read.is_time() || matches!(read, Boolean | Text | Ip | Binary);
            if is_plain(&one) && is_plain(&other) { Text } else { Read::Super }
        }
    }
}
