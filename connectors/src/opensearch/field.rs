//! A leaf of a mapping: how the server keeps and finds a field's values in one index.

use super::dates::{self, Format};
use serde_json::{Map, Value};

/// What a field is to us. Kinds that are not named here are read as JSON and not searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Keyword,
    Wildcard,
    ConstantKeyword,
    /// Analysed text: found by words, not by value.
    Text,
    /// Text whose order or equality is the server's own (versions, collations).
    OtherText,
    Byte,
    Short,
    Integer,
    Long,
    UnsignedLong,
    HalfFloat,
    Float,
    Double,
    ScaledFloat,
    Date,
    DateNanos,
    Boolean,
    Ip,
    Binary,
    GeoPoint,
    /// Objects without known fields, nested documents, shapes, vectors, ranges.
    Json,
}

impl Kind {
    fn new(name: &str) -> Kind {
        match name {
            "keyword" => Kind::Keyword,
            "wildcard" => Kind::Wildcard,
            "constant_keyword" => Kind::ConstantKeyword,
            "text" | "match_only_text" | "search_as_you_type" | "annotated_text" => Kind::Text,
            "version" | "icu_collation_keyword" => Kind::OtherText,
            "byte" => Kind::Byte,
            "short" => Kind::Short,
            "integer" => Kind::Integer,
            "long" => Kind::Long,
            "unsigned_long" => Kind::UnsignedLong,
            "half_float" => Kind::HalfFloat,
            "float" => Kind::Float,
            "double" => Kind::Double,
            "scaled_float" => Kind::ScaledFloat,
            "date" => Kind::Date,
            "date_nanos" => Kind::DateNanos,
            "boolean" => Kind::Boolean,
            "ip" => Kind::Ip,
            "binary" => Kind::Binary,
            "geo_point" => Kind::GeoPoint,
            _ => Kind::Json,
        }
    }

    /// The name of a kind whose values the server orders as SQL does. date_nanos is none: OpenSearch 2.19 fails where
    /// one is missing.
    pub(super) fn sort_type(self) -> Option<&'static str> {
        match self {
            Kind::Keyword => Some("keyword"),
            Kind::Byte => Some("byte"),
            Kind::Short => Some("short"),
            Kind::Integer => Some("integer"),
            Kind::Long => Some("long"),
            Kind::Float => Some("float"),
            Kind::Double => Some("double"),
            Kind::Date => Some("date"),
            Kind::Boolean => Some("boolean"),
            _ => None,
        }
    }

    /// The least and greatest value of a whole-number kind.
    pub(super) fn bounds(self) -> Option<(i128, i128)> {
        match self {
            Kind::Byte => Some((i128::from(i8::MIN), i128::from(i8::MAX))),
            Kind::Short => Some((i128::from(i16::MIN), i128::from(i16::MAX))),
            Kind::Integer => Some((i128::from(i32::MIN), i128::from(i32::MAX))),
            Kind::Long => Some((i128::from(i64::MIN), i128::from(i64::MAX))),
            Kind::UnsignedLong => Some((0, i128::from(u64::MAX))),
            _ => None,
        }
    }
}

/// A sub-field of a text that keeps the whole value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Whole {
    /// Its full name, e.g. `message.keyword`.
    pub(super) name: String,
    /// Values longer than this many UTF-16 units are not in it.
    pub(super) ignore_above: Option<usize>,
}

/// A field of one index.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Field {
    pub(super) kind: Kind,
    /// Whether its values can be found exactly as documents hold them: indexed, from `_source`, NULL as NULL.
    pub(super) searchable: bool,
    pub(super) doc_values: bool,
    /// Values are changed before they are indexed, and constants likewise.
    pub(super) normalized: bool,
    /// Values longer than this many UTF-16 units are not indexed.
    pub(super) ignore_above: Option<usize>,
    /// Values that do not fit the kind are kept in documents and not indexed: they count as NULL.
    pub(super) ignore_malformed: bool,
    /// `Some` when dates can be read from documents here.
    pub(super) formats: Option<Vec<Format>>,
    pub(super) scaling_factor: f64,
    pub(super) whole: Option<Whole>,
    /// The value of all documents of the index.
    pub(super) constant: Option<String>,
}

impl Field {
    /// Reads a leaf's definition; `path` is its full name.
    pub(super) fn new(path: &str, definition: &Map<String, Value>) -> Field {
        let text = |name: &str| definition.get(name).and_then(Value::as_str);
        let flag = |name: &str, default| definition.get(name).and_then(as_bool).unwrap_or(default);
        let kind = Kind::new(text("type").unwrap_or("object"));
        let never_indexed = matches!(kind, Kind::Binary | Kind::GeoPoint | Kind::Json | Kind::OtherText);
        Field {
            kind,
            searchable: !never_indexed
                && flag("index", true)
                // What a script computes is indexed and stands in no document.
                && !definition.contains_key("script")
                && definition.get("null_value").is_none_or(Value::is_null),
            doc_values: flag("doc_values", !matches!(kind, Kind::Binary | Kind::Text)),
            normalized: definition.contains_key("normalizer"),
            ignore_above: definition.get("ignore_above").and_then(limit),
            ignore_malformed: flag("ignore_malformed", false),
            formats: dates::formats(text("format")),
            scaling_factor: definition.get("scaling_factor").and_then(Value::as_f64).unwrap_or(1.0),
            whole: if kind == Kind::Text { whole(path, definition) } else { None },
            constant: text("value").map(str::to_owned),
        }
    }

    /// What `copy_to` fills, `_source` leaves out or a search computes anew: documents do not show what is found.
    pub(super) fn hide(&mut self) {
        self.searchable = false;
    }

    /// Values longer than the limit of its index are not indexed, where its definition has none.
    pub(super) fn ignore_above(&mut self, limit: usize) {
        if matches!(self.kind, Kind::Keyword | Kind::Wildcard) {
            self.ignore_above = self.ignore_above.or(Some(limit));
        }
        if let Some(whole) = &mut self.whole {
            whole.ignore_above = whole.ignore_above.or(Some(limit));
        }
    }
}

/// Settings may stand as text.
fn as_bool(value: &Value) -> Option<bool> {
    value.as_bool().or_else(|| value.as_str()?.parse().ok())
}

/// A limit of lengths; none where it is longer than any value, as the default is.
pub(super) fn limit(told: &Value) -> Option<usize> {
    let limit = told.as_u64().or_else(|| told.as_str()?.parse().ok())?;
    (limit < i32::MAX as u64).then_some(limit as usize)
}

/// The sub-field that finds whole values, the one that drops the fewest.
fn whole(path: &str, definition: &Map<String, Value>) -> Option<Whole> {
    let subs = definition.get("fields")?.as_object()?;
    let candidates = subs.iter().filter_map(|(name, sub)| {
        let full = format!("{path}.{name}");
        let sub = Field::new(&full, sub.as_object()?);
        let fits = sub.kind == Kind::Keyword && sub.searchable && !sub.normalized;
        fits.then_some(Whole { name: full, ignore_above: sub.ignore_above })
    });
    candidates.max_by_key(|whole| whole.ignore_above.unwrap_or(usize::MAX))
}
