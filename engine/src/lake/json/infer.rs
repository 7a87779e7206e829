//! The schema of a JSON file that is queried directly, from its first megabyte.
//!
//! A key is a column, in lower case and in the order of appearance; keys that differ in case only are one. A column
//! is of the narrowest type that holds all its values: boolean, bigint, double, array, struct; where they do not go
//! together, or none was seen, string, which holds any value as its JSON text.

use super::options::{JsonLayout, JsonOptions};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::records::head;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use object_store::{ObjectMeta, ObjectStore};
use serde_json::Value;
use std::sync::Arc;

/// How many records are looked at.
const MAX_RECORDS: usize = 1000;

/// Objects of more keys than this, in all records, are maps in truth; they are given as strings.
const MAX_KEYS: usize = 2000;

/// The schema of a file, and `options` completed by whether its records are lines. A file without an object is an
/// error of kind `BadFile`.
pub async fn infer_schema(
    store: &Arc<dyn ObjectStore>,
    object: &ObjectMeta,
    options: JsonOptions,
) -> Result<(SchemaRef, JsonOptions)> {
    let lines = JsonOptions { layout: JsonLayout::Lines, ..options.clone() };
    let documents = JsonOptions { layout: JsonLayout::Documents, ..options };
    let bad = |why: &str| {
        Error::new(ErrorKind::BadFile, format!("no columns can be told from file \"{}\": {why}", object.location))
    };
    // A file without line breaks can hold no whole line in its first megabyte.
    let sample = head(store, object, lines.clone()).await?.map(|block| block.bytes).unwrap_or_default();
    if let Some(records) = read_lines(&sample) {
        let schema = schema_of(&records).ok_or_else(|| bad("it has no objects"))?;
        return Ok((schema, lines));
    }
    let sample = head(store, object, documents.clone()).await?.map(|block| block.bytes).unwrap_or_default();
    let records = read_documents(&sample).map_err(|e| bad(&e.to_string()))?;
    let schema = schema_of(&records).ok_or_else(|| bad("it has no objects"))?;
    Ok((schema, documents))
}

/// The records, when the first line that is not blank is a whole object. Lines further on that are no objects are
/// passed over here: the scan reports them with their place.
fn read_lines(bytes: &[u8]) -> Option<Vec<Value>> {
    let mut lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).peekable();
    let parse = |line: &[u8]| serde_json::from_slice::<Value>(line).ok().filter(Value::is_object);
    if let Some(first) = lines.peek() {
        parse(first)?;
    }
    Some(lines.take(MAX_RECORDS).filter_map(parse).collect())
}

/// The objects of a run of documents, or of the start of an array of them.
fn read_documents(bytes: &[u8]) -> std::result::Result<Vec<Value>, serde_json::Error> {
    let (mut records, mut rest) = (Vec::new(), bytes);
    while records.len() < MAX_RECORDS {
        let start = rest.iter().position(|byte| !(byte.is_ascii_whitespace() || matches!(byte, b'[' | b',' | b']')));
        let Some(start) = start else { break };
        rest = &rest[start..];
        let mut stream = serde_json::Deserializer::from_slice(rest).into_iter::<Value>();
        let Some(value) = stream.next() else { break };
        records.push(value?);
        rest = &rest[stream.byte_offset()..];
    }
    Ok(records)
}

fn schema_of(records: &[Value]) -> Option<SchemaRef> {
    let mut kind = Kind::Null;
    for record in records {
        if record.is_object() {
            kind = kind.merge(Kind::of(record));
        }
    }
    let Kind::Struct(fields) = kind else { return None };
    (!fields.is_empty()).then(|| Arc::new(Schema::new(arrow_fields(fields))))
}

/// What the values under a key are.
#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Null,
    Boolean,
    Bigint,
    Double,
    String,
    Array(Box<Kind>),
    Struct(Vec<(String, Kind)>),
}

impl Kind {
    fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Boolean,
            Value::Number(number) if number.is_i64() => Self::Bigint,
            // Digits beyond a bigint would be lost in a double; text keeps them.
            Value::Number(number) if number.is_u64() => Self::String,
            Value::Number(_) => Self::Double,
            Value::String(_) => Self::String,
            Value::Array(items) => {
                Self::Array(Box::new(items.iter().fold(Self::Null, |kind, item| kind.merge(Self::of(item)))))
            }
            Value::Object(members) => {
                let members = members.iter().map(|(key, value)| (key.to_lowercase(), Self::of(value)));
                Self::Struct(members.fold(Vec::new(), insert))
            }
        }
    }

    /// The narrowest kind that holds both.
    fn merge(self, other: Self) -> Self {
        match (self, other) {
            (Self::Null, kind) | (kind, Self::Null) => kind,
            (Self::Bigint, Self::Double) | (Self::Double, Self::Bigint) => Self::Double,
            (Self::Array(a), Self::Array(b)) => Self::Array(Box::new(a.merge(*b))),
            (Self::Struct(a), Self::Struct(b)) => {
                let fields = b.into_iter().fold(a, insert);
                if fields.len() > MAX_KEYS { Self::String } else { Self::Struct(fields) }
            }
            (a, b) if a == b => a,
            _ => Self::String,
        }
    }

    fn data_type(self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Bigint => DataType::Int64,
            Self::Double => DataType::Float64,
            Self::Array(item) => DataType::new_list(item.data_type(), true),
            Self::Struct(fields) if !fields.is_empty() => DataType::Struct(arrow_fields(fields).into()),
            Self::Null | Self::String | Self::Struct(_) => DataType::Utf8View,
        }
    }
}

fn insert(mut fields: Vec<(String, Kind)>, (key, kind): (String, Kind)) -> Vec<(String, Kind)> {
    match fields.iter_mut().find(|(known, _)| *known == key) {
        Some((_, known)) => *known = std::mem::replace(known, Kind::Null).merge(kind),
        None => fields.push((key, kind)),
    }
    fields
}

fn arrow_fields(fields: Vec<(String, Kind)>) -> Vec<Field> {
    fields.into_iter().map(|(name, kind)| Field::new(name, kind.data_type(), true)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::lake::json::JsonSerde;
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;
    use object_store::path::Path;

    async fn infer(text: &str) -> Result<(String, JsonLayout)> {
        let store = InMemory::new();
        let path = Path::from("a.json");
        store.put(&path, text.to_owned().into()).await.unwrap();
        let object = store.head(&path).await.unwrap();
        let store: Arc<dyn ObjectStore> = Arc::new(store);
        let (schema, options) = infer_schema(&store, &object, JsonOptions::new(JsonSerde::Hive)).await?;
        let columns: Vec<_> = schema.fields().iter().map(|f| format!("{} {}", f.name(), f.data_type())).collect();
        Ok((columns.join(", "), options.layout))
    }

    #[tokio::test]
    async fn types_and_layout() {
        use JsonLayout::{Documents, Lines};
        for (text, expected, layout) in [
            ("{\"A\":1,\"b\":\"x\"}\n{\"a\":1.5,\"c\":true}\n", "a Float64, b Utf8View, c Boolean", Lines),
            ("{\"a\":1}\n{\"a\":\"x\"}\n{\"a\":null}", "a Utf8View", Lines),
            ("[{\"a\":1},\n{\"a\":2}]", "a Int64", Documents),
            ("{\n \"a\": [1, 2]\n}\n{\"a\": []}", "a List(Int64)", Documents),
        ] {
            assert_eq!(infer(text).await.unwrap(), (expected.to_owned(), layout), "{text}");
        }
        assert_eq!(infer("").await.unwrap_err().kind, ErrorKind::BadFile);
        assert_eq!(infer("<xml>").await.unwrap_err().kind, ErrorKind::BadFile);
    }
}
