//! The columns of JSON records, for direct queries and for crawlers, from a file's first megabyte.
//!
//! A key is a column, in lower case and in the order of appearance; keys that differ in case only are one. A column
//! is of the narrowest type that holds all its values: boolean, bigint, double, decimal(38,0) for whole numbers that are
//! longer, date, timestamp, array, struct; where they do not go together, or none was seen, string, which holds any
//! value as its JSON text. The lexer is the reader's: what is a record here is one there.

use super::lexer::{Lexer, Malformed, last_document_end, unescape};
use super::options::{JsonLayout, JsonOptions};
use super::path::JsonPath;
use super::select::Selector;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::records::{head, parse_date, parse_timestamp};
use crate::lake::types::to_arrow;
use arrow::datatypes::{Field, Schema, SchemaRef};
use millrace_catalog::model::{HiveType, StructField};
use object_store::{ObjectMeta, ObjectStore};
use std::sync::Arc;

/// Objects of more keys than this, in all records, are maps in truth; they are given as strings.
const MAX_KEYS: usize = 2000;

/// The digits that a `decimal` holds.
const MAX_DECIMAL_DIGITS: usize = 38;

/// What a sample of JSON holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Inference {
    /// Where the records are.
    pub(crate) layout: JsonLayout,
    /// The columns: a key as it is written first, and its type.
    pub(crate) columns: Vec<(String, HiveType)>,
    /// Keys without a value other than `null`, empty arrays' items and empty objects too: paths in lower case, as in
    /// `a.b` and `a[]`.
    pub(crate) unknown: Vec<String>,
    /// The records that were read.
    pub(crate) records: u64,
    /// The bytes that they take.
    pub(crate) record_bytes: u64,
    /// The share of the lines that are records, 0 to 1; 1 for other layouts.
    pub(crate) share: f64,
    /// Types that do not go together, and keys that differ in case only, in words for the user.
    pub(crate) notes: Vec<String>,
}

/// The schema of a file, and `options` completed by where its records are. A file without an object is an error of
/// kind `BadFile`.
pub async fn infer_schema(
    store: &Arc<dyn ObjectStore>,
    object: &ObjectMeta,
    options: JsonOptions,
) -> Result<(SchemaRef, JsonOptions)> {
    // Whatever the layout, this ends behind an object.
    let documents = JsonOptions { layout: JsonLayout::Documents(JsonPath::root()), ..options.clone() };
    let sample = head(store, object, documents).await?.map(|block| block.bytes).unwrap_or_default();
    let Some(inference) = infer_records(&sample, true, None) else {
        let message = format!("no columns can be told from file \"{}\": it has no JSON objects", object.location);
        return Err(Error::new(ErrorKind::BadFile, message));
    };
    let fields = inference.columns.iter().map(|(key, kind)| Field::new(key.to_lowercase(), to_arrow(kind), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    Ok((schema, JsonOptions { layout: inference.layout, ..options }))
}

/// What the start of a file holds, when it holds JSON objects. Where it is `truncated`, a last record that is cut does
/// not count. Without a `path`, records are lines, values one after another, or the items of an array.
pub(crate) fn infer_records(sample: &[u8], truncated: bool, path: Option<&JsonPath>) -> Option<Inference> {
    match path {
        Some(path) if *path != JsonPath::root() => return infer_documents(sample, truncated, path),
        _ => {}
    }
    let lines = infer_lines(sample, truncated);
    if let Some(lines) = lines.as_ref().filter(|lines| lines.share >= 1.0) {
        return Some(lines.clone());
    }
    let array = path.is_none() && sample.trim_ascii_start().first() == Some(&b'[');
    let path = if array { JsonPath::items() } else { JsonPath::root() };
    infer_documents(sample, truncated, &path).or(lines.filter(|lines| lines.share >= 0.5))
}

/// Records that are lines, when the first line that is not blank is one. Other lines are passed over here: the scan
/// reports them with their place.
fn infer_lines(sample: &[u8], truncated: bool) -> Option<Inference> {
    let (mut members, mut good, mut bad, mut record_bytes) = (Members::default(), 0_u64, 0_u64, 0);
    for line in sample.split_inclusive(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
        let mut lexer = Lexer::new(line, 0);
        let whole = std::str::from_utf8(line).is_ok() && lexer.object(0, |_, _| {}).is_ok() && lexer.peek().is_none();
        if whole {
            good += 1;
            record_bytes += line.len() as u64;
            let _ = members.add_record(line, &mut Lexer::new(line, 0));
        } else if good == 0 {
            return None;
        } else if !truncated || line.ends_with(b"\n") {
            bad += 1;
        }
    }
    let share = good as f64 / (good + bad).max(1) as f64;
    let mut inference = members.inference(JsonLayout::Lines, good, record_bytes)?;
    if bad > 0 {
        inference.notes.push(format!("{bad} of {} lines are no JSON objects", good + bad));
    }
    Some(Inference { share, ..inference })
}

/// The objects at a path; `None` where something else is there, or nothing.
fn infer_documents(sample: &[u8], truncated: bool, path: &JsonPath) -> Option<Inference> {
    let mut bytes = sample.to_vec();
    if *path != JsonPath::root() {
        let mut selector = Selector::new(path);
        selector.apply(&mut bytes).ok()?;
        if !truncated {
            selector.finish().ok()?;
        }
    }
    if truncated {
        bytes.truncate(last_document_end(&bytes)?);
    }
    std::str::from_utf8(&bytes).ok()?;
    let (mut members, mut lexer, mut records) = (Members::default(), Lexer::new(&bytes, 0), 0);
    while lexer.peek().is_some() {
        members.add_record(&bytes, &mut lexer).ok()?;
        records += 1;
    }
    members.inference(JsonLayout::Documents(path.clone()), records, bytes.len() as u64)
}

/// The keys of objects with what is under them, in the order of appearance.
#[derive(Debug, Clone, Default, PartialEq)]
struct Members(Vec<Member>);

#[derive(Debug, Clone, PartialEq)]
struct Member {
    /// As written first.
    key: String,
    folded: String,
    /// Another way in which it is written.
    variant: Option<String>,
    kind: Kind,
}

impl Members {
    fn add_record(&mut self, bytes: &[u8], lexer: &mut Lexer<'_>) -> std::result::Result<(), Malformed> {
        lexer.object(0, |key, place| {
            let text = std::str::from_utf8(&bytes[place]).unwrap_or_default();
            self.add(&unescape(std::str::from_utf8(key).unwrap_or_default()), Kind::of(text));
        })
    }

    fn add(&mut self, key: &str, kind: Kind) {
        let folded = key.to_lowercase();
        match self.0.iter_mut().find(|member| member.folded == folded) {
            Some(member) => {
                if member.key != key && member.variant.is_none() {
                    member.variant = Some(key.to_owned());
                }
                member.kind = std::mem::replace(&mut member.kind, Kind::Null).merge(kind);
            }
            None => self.0.push(Member { key: key.to_owned(), folded, variant: None, kind }),
        }
    }

    fn merge(mut self, other: Self) -> Self {
        for Member { key, variant, kind, .. } in other.0 {
            self.add(&key, kind);
            if let Some(variant) = variant {
                self.add(&variant, Kind::Null);
            }
        }
        self
    }

    fn inference(self, layout: JsonLayout, records: u64, record_bytes: u64) -> Option<Inference> {
        if self.0.is_empty() {
            return None;
        }
        let mut notes = Vec::new();
        self.tell("", &mut notes);
        let mut unknown = Vec::new();
        self.0.iter().for_each(|member| member.kind.unknown(&member.folded, &mut unknown));
        let columns = self.0.into_iter().map(|member| (member.key, member.kind.data_type())).collect();
        Some(Inference { layout, columns, unknown, records, record_bytes, share: 1.0, notes })
    }

    /// Tells what does not go together.
    fn tell(&self, parent: &str, notes: &mut Vec<String>) {
        for Member { key, variant, kind, .. } in &self.0 {
            let name = format!("{parent}{key}");
            if let Some(variant) = variant {
                notes.push(format!("keys \"{name}\" and \"{parent}{variant}\" differ in case only and are one column"));
            }
            kind.tell(&name, notes);
        }
    }
}

/// What the values under a key are.
#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Null,
    Boolean,
    Bigint,
    Decimal,
    Double,
    Date,
    Timestamp,
    String,
    Array(Box<Kind>),
    Struct(Members),
    /// Values of these types, which do not go together.
    Mixed(&'static str, &'static str),
}

impl Kind {
    /// The kind of a value whose syntax was checked.
    fn of(text: &str) -> Self {
        match text.as_bytes().first() {
            Some(b't' | b'f') => Self::Boolean,
            Some(b'"') => Self::of_string(&unescape(&text[1..text.len() - 1])),
            Some(b'[') => {
                let mut kind = Self::Null;
                let _ = Lexer::new(text.as_bytes(), 0).array(0, |place| {
                    kind = std::mem::replace(&mut kind, Self::Null).merge(Self::of(&text[place]));
                });
                Self::Array(Box::new(kind))
            }
            Some(b'{') => {
                let mut members = Members::default();
                let _ = members.add_record(text.as_bytes(), &mut Lexer::new(text.as_bytes(), 0));
                Self::Struct(members)
            }
            Some(b'-' | b'0'..=b'9') => Self::of_number(text),
            _ => Self::Null,
        }
    }

    fn of_number(text: &str) -> Self {
        if text.contains(['.', 'e', 'E']) {
            Self::Double
        } else if text.parse::<i64>().is_ok() {
            Self::Bigint
        } else if text.trim_start_matches(['-', '0']).len() <= MAX_DECIMAL_DIGITS {
            Self::Decimal
        } else {
            Self::String
        }
    }

    /// Dates and timestamps are those that the reader takes for such and that lose nothing by it.
    fn of_string(text: &str) -> Self {
        if text.len() == 10 && parse_date(text).is_some() {
            Self::Date
        } else if text.len() > 10 && parse_timestamp(text).is_some_and(|(_, nanos)| nanos % 1000 == 0) {
            Self::Timestamp
        } else {
            Self::String
        }
    }

    /// The narrowest kind that holds both.
    fn merge(self, other: Self) -> Self {
        match (self, other) {
            (Self::Null, kind) | (kind, Self::Null) => kind,
            (Self::Bigint, Self::Double) | (Self::Double, Self::Bigint) => Self::Double,
            (Self::Bigint, Self::Decimal) | (Self::Decimal, Self::Bigint) => Self::Decimal,
            (Self::Date, Self::Timestamp) | (Self::Timestamp, Self::Date) => Self::Timestamp,
            (Self::Date | Self::Timestamp, Self::String) | (Self::String, Self::Date | Self::Timestamp) => Self::String,
            (Self::Array(a), Self::Array(b)) => Self::Array(Box::new(a.merge(*b))),
            (Self::Struct(a), Self::Struct(b)) => {
                let members = a.merge(b);
                if members.0.len() > MAX_KEYS { Self::String } else { Self::Struct(members) }
            }
            (mixed @ Self::Mixed(..), _) | (_, mixed @ Self::Mixed(..)) => mixed,
            (a, b) if a == b => a,
            (a, b) => Self::Mixed(a.name(), b.name()),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Bigint => "bigint",
            Self::Decimal => "decimal",
            Self::Double => "double",
            Self::Date | Self::Timestamp | Self::String | Self::Mixed(..) => "string",
            Self::Array(_) => "array",
            Self::Struct(_) => "object",
        }
    }

    fn tell(&self, name: &str, notes: &mut Vec<String>) {
        match self {
            Self::Mixed(a, b) => {
                notes.push(format!("\"{name}\" holds values of type {a} and of type {b}: it is a string"));
            }
            Self::Array(item) => item.tell(&format!("{name}[]"), notes),
            Self::Struct(members) => members.tell(&format!("{name}."), notes),
            _ => {}
        }
    }

    /// The places without a value.
    fn unknown(&self, place: &str, found: &mut Vec<String>) {
        match self {
            Self::Null => found.push(place.to_owned()),
            Self::Array(item) => item.unknown(&format!("{place}[]"), found),
            Self::Struct(members) if members.0.is_empty() => found.push(place.to_owned()),
            Self::Struct(members) => {
                members.0.iter().for_each(|member| member.kind.unknown(&format!("{place}.{}", member.folded), found));
            }
            _ => {}
        }
    }

    fn data_type(self) -> HiveType {
        match self {
            Self::Boolean => HiveType::Boolean,
            Self::Bigint => HiveType::BigInt,
            Self::Decimal => HiveType::Decimal(MAX_DECIMAL_DIGITS as u8, 0),
            Self::Double => HiveType::Double,
            Self::Date => HiveType::Date,
            Self::Timestamp => HiveType::Timestamp,
            Self::Array(item) => HiveType::Array(Box::new(item.data_type())),
            Self::Struct(members) if !members.0.is_empty() => HiveType::Struct(
                members
                    .0
                    .into_iter()
                    .map(|member| StructField { name: member.folded, data_type: member.kind.data_type() })
                    .collect(),
            ),
            Self::Null | Self::String | Self::Struct(_) | Self::Mixed(..) => HiveType::String,
        }
    }
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
        let columns: Vec<_> = schema
            .fields()
            .iter()
            .map(|f| format!("{} {}", f.name(), crate::lake::types::from_arrow(f.data_type()).unwrap()))
            .collect();
        Ok((columns.join(", "), options.layout))
    }

    #[tokio::test]
    async fn types_and_layout() {
        let (lines, root, items) =
            (JsonLayout::Lines, JsonLayout::Documents(JsonPath::root()), JsonLayout::Documents(JsonPath::items()));
        for (text, expected, layout) in [
            ("{\"A\":1,\"b\":\"x\"}\n{\"a\":1.5,\"c\":true}\n", "a double, b string, c boolean", &lines),
            ("{\"a\":1}\n{\"a\":\"x\"}\n{\"a\":null}", "a string", &lines),
            ("[{\"a\":1},\n{\"a\":2}]", "a bigint", &items),
            ("{\n \"a\": [1, 2]\n}\n{\"a\": []}", "a array<bigint>", &root),
            ("{\"a\":1}{\"a\":2}\n", "a bigint", &root),
            (
                "{\"n\":18446744073709551616,\"d\":\"2024-02-29\",\"t\":\"2024-02-29T01:02:03Z\",\"x\":\"2024-02-30\"}",
                "n decimal(38,0), d date, t timestamp, x string",
                &lines,
            ),
            (
                "{\"s\":{\"B\":1,\"c\":[{\"d\":null}]},\"e\":[],\"o\":{}}",
                "s struct<b:bigint,c:array<struct<d:string>>>, e array<string>, o string",
                &lines,
            ),
        ] {
            assert_eq!(infer(text).await.unwrap(), (expected.to_owned(), layout.clone()), "{text}");
        }
        for text in ["", "<xml>", "[1,2]", "{}", "[", "{\"a\":"] {
            assert_eq!(infer(text).await.unwrap_err().kind, ErrorKind::BadFile, "{text}");
        }
    }

    #[test]
    fn cut_records_and_conflicts() {
        let whole = "{\"a\":1,\"Key\":1}\n{\"a\":{\"b\":1},\"KEY\":2}\n{\"a\":tr";
        let inference = infer_records(whole.as_bytes(), true, None).unwrap();
        assert_eq!((inference.records, inference.share, inference.layout), (2, 1.0, JsonLayout::Lines));
        assert_eq!(inference.columns, [("a".to_owned(), HiveType::String), ("Key".to_owned(), HiveType::BigInt)]);
        assert_eq!(
            inference.notes,
            [
                "\"a\" holds values of type bigint and of type object: it is a string",
                "keys \"Key\" and \"KEY\" differ in case only and are one column",
            ]
        );
        // Not cut, the last line is a line that is no record.
        let inference = infer_records(whole.as_bytes(), false, None).unwrap();
        assert_eq!((inference.records, inference.notes.len()), (2, 3));
        for cut in ["[\n {\n  \"a\": 1\n },\n {\n  \"a", "[{\"a\":1},"] {
            let inference = infer_records(cut.as_bytes(), true, None).unwrap();
            assert_eq!((inference.records, inference.layout), (1, JsonLayout::Documents(JsonPath::items())), "{cut}");
            assert_eq!(infer_records(cut.as_bytes(), false, None), None, "{cut}");
        }
        let path = JsonPath::parse("$.r[*]").unwrap();
        let inference = infer_records(b"{\"n\":2,\"r\":[{\"x\":1},{\"x\":2.5}]}", false, Some(&path)).unwrap();
        assert_eq!((inference.records, inference.columns), (2, vec![("x".to_owned(), HiveType::Double)]));
        let root = infer_records(b"[{\"a\":1}]", false, Some(&JsonPath::root()));
        assert_eq!(root, None);
    }
}
