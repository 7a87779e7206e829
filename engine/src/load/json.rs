//! Taking a JSON record apart: the member of each column, by its name or by a path.

use super::errors::{OUT_OF_RANGE, Problem};
use super::fields::Field;
use super::spec::Target;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::json::{JsonPath, Lexer, Malformed, Nested, Step, quoted, unescape};
use crate::tables::SqlType;
use std::borrow::Cow;
use std::ops::Range;

/// Which member of a record fills which column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Members {
    /// Those of the columns' names; `keys` are the names as they mostly stand in a record, with the colon.
    Named { names: Vec<String>, keys: Vec<String>, ignore_case: bool },
    /// Those at paths.
    Paths(Vec<JsonPath>),
    /// The record itself.
    Whole,
    /// Those of the columns' names in any case, each an object of its type's name and its value.
    Typed(Vec<Attribute>),
}

/// An attribute of an item that fills a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attribute {
    /// The column's name in lower case.
    name: String,
    /// Whether an item without it has an empty text instead: a CHAR or VARCHAR.
    is_text: bool,
    /// Whether it takes whole documents.
    is_super: bool,
}

impl Attribute {
    pub(super) fn new(target: &Target) -> Self {
        Self {
            name: target.name.to_lowercase(),
            is_text: target.data_type.is_text(),
            is_super: target.data_type == SqlType::Super,
        }
    }
}

impl Members {
    /// Members of the columns' names.
    pub(super) fn named(names: Vec<String>, ignore_case: bool) -> Self {
        let keys = names.iter().map(|name| format!("{}:", quoted(name))).collect();
        Self::Named { names, keys, ignore_case }
    }

    /// The fields of a record; `None` for NULL and for what the record lacks.
    pub(super) fn select<'a>(
        &self,
        record: &'a [u8],
        fields: &mut Vec<Option<Field<'a>>>,
    ) -> std::result::Result<(), Problem> {
        let malformed = |at: usize| Problem::new(1216, format!("Invalid JSON: unexpected character at byte {at}"));
        let mut lexer = Lexer::new(record, 0);
        match self {
            Self::Whole => {
                let whole = lexer.value(0).map_err(|e| malformed(e.at))?;
                fields.push(Some(Field {
                    bytes: Cow::Borrowed(&record[whole.clone()]),
                    quoted: false,
                    at: whole.start,
                }));
            }
            Self::Named { names, keys, ignore_case } => {
                let first = fields.len();
                fields.resize(first + names.len(), None);
                let wanted = Wanted { names, keys, ignore_case: *ignore_case };
                wanted.take(&mut lexer, record, &mut fields[first..]).map_err(|e| {
                    fields.truncate(first);
                    malformed(e.at)
                })?;
            }
            Self::Typed(attributes) => {
                let mut found: Vec<Option<Range<usize>>> = vec![None; attributes.len()];
                let mut twice = None;
                let taken = lexer.object(0, |key, value| {
                    let Ok(key) = std::str::from_utf8(key) else { return };
                    let key = unescape(key).to_lowercase();
                    if let Some(at) = attributes.iter().position(|attribute| attribute.name == key)
                        && found[at].replace(value).is_some()
                    {
                        twice = Some(key);
                    }
                });
                taken.map_err(|e| malformed(e.at))?;
                if let Some(name) = twice {
                    let reason = format!("Two attributes of the item differ only in case: \"{name}\"");
                    return Err(Problem::new(1216, reason));
                }
                for (attribute, place) in attributes.iter().zip(found) {
                    fields.push(match place {
                        Some(place) => typed(record, place, attribute)?,
                        None => attribute.is_text.then(|| Field::plain(b"", record.len())),
                    });
                }
            }
            Self::Paths(paths) => {
                lexer.value(0).map_err(|e| malformed(e.at))?;
                for path in paths {
                    fields.push(follow(record, path)?.and_then(|range| field(record, range)));
                }
            }
        }
        if lexer.peek().is_some() {
            return Err(malformed(lexer.at));
        }
        Ok(())
    }
}

/// The members of a record that fill columns.
struct Wanted<'w> {
    names: &'w [String],
    keys: &'w [String],
    ignore_case: bool,
}

impl Wanted<'_> {
    /// Takes an object: the field of each column that it has a member for.
    fn take<'a>(
        &self,
        lexer: &mut Lexer<'_>,
        record: &'a [u8],
        fields: &mut [Option<Field<'a>>],
    ) -> std::result::Result<(), Malformed> {
        // Members mostly come in the columns' order, their keys written alike.
        let mut next = 0;
        let mut more = lexer.begin(Nested::Object)?;
        while more {
            lexer.peek();
            let column = if self.keys.get(next).is_some_and(|key| lexer.take(key.as_bytes())) {
                Some(next)
            } else {
                let key = lexer.key()?;
                column_of(&record[key.start + 1..key.end - 1], self.names, self.ignore_case)
            };
            let value = lexer.value(0)?;
            if let Some(at) = column {
                fields[at] = field(record, value);
                next = at + 1;
            }
            more = lexer.goes_on(Nested::Object)?;
        }
        Ok(())
    }
}

/// The column that a key names, as it is written between its quotes.
fn column_of(key: &[u8], names: &[String], ignore_case: bool) -> Option<usize> {
    let key = unescape(std::str::from_utf8(key).ok()?);
    names.iter().position(|name| **name == *key || (ignore_case && name.to_lowercase() == key.to_lowercase()))
}

/// The field of an attribute, an object of its type's name and its value; `None` for NULL.
fn typed<'a>(
    record: &'a [u8],
    place: Range<usize>,
    attribute: &Attribute,
) -> std::result::Result<Option<Field<'a>>, Problem> {
    let mut found = None;
    let taken = Lexer::new(record, place.start).object(0, |tag, value| found = Some((tag, value)));
    match (taken, found) {
        (Ok(()), Some((b"S" | b"N" | b"BOOL" | b"NULL", value))) => Ok(field(record, value)),
        (Ok(()), Some((b"M" | b"L", value))) if attribute.is_super => Ok(field(record, value)),
        (_, found) => {
            let kind = match found {
                Some((b"B", _)) => "binary",
                Some((b"M", _)) => "a map",
                Some((b"L", _)) => "a list",
                Some(_) => "a set",
                None => "nothing",
            };
            let name = &attribute.name;
            Err(Problem::new(
                1216,
                format!("Attribute \"{name}\" is {kind}, which COPY does not load into this column"),
            ))
        }
    }
}

/// A value's field; `None` for null.
fn field(record: &[u8], range: Range<usize>) -> Option<Field<'_>> {
    let raw = &record[range.clone()];
    let quoted = raw.first() == Some(&b'"');
    let bytes = match raw.first() {
        Some(b'n') => return None,
        Some(b'"') if memchr::memchr(b'\\', raw).is_none() => Cow::Borrowed(&raw[1..raw.len() - 1]),
        Some(b'"') => match std::str::from_utf8(&raw[1..raw.len() - 1]) {
            Ok(text) => match unescape(text) {
                Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                Cow::Owned(text) => Cow::Owned(text.into_bytes()),
            },
            // What is no UTF-8 is told when the value is made.
            Err(_) => Cow::Borrowed(&raw[1..raw.len() - 1]),
        },
        _ => Cow::Borrowed(raw),
    };
    Some(Field { bytes, quoted, at: range.start })
}

/// Where a path leads in a well-formed record; `None` where it has no such member.
///
/// # Errors
/// For an item of what is no array or has fewer items.
fn follow(record: &[u8], path: &JsonPath) -> std::result::Result<Option<Range<usize>>, Problem> {
    let mut place = 0..record.len();
    for step in &path.steps {
        let mut lexer = Lexer::new(record, place.start);
        let (is_item, mut found) = (matches!(step, Step::Item(_)), None);
        let taken = match lexer.peek() {
            Some(b'[') if is_item => {
                let mut index = 0;
                lexer.array(0, |value| {
                    if step.takes_index(index) {
                        found = Some(value);
                    }
                    index += 1;
                })
            }
            Some(b'{') if !is_item => lexer.object(0, |key, value| {
                if step.takes_key(key) {
                    found = Some(value);
                }
            }),
            // Of an array that is not there nothing is out of range.
            Some(b'n') => return Ok(None),
            _ if is_item => return Err(Problem::new(1216, OUT_OF_RANGE)),
            _ => return Ok(None),
        };
        place = match (taken, found) {
            (Ok(()), Some(found)) => found,
            (Ok(()), None) if is_item => return Err(Problem::new(1216, OUT_OF_RANGE)),
            _ => return Ok(None),
        };
    }
    Ok(if path.steps.is_empty() { Lexer::new(record, 0).value(0).ok() } else { Some(place) })
}

/// The paths of a file of JSON paths: `{"jsonpaths": ["$.a", "$['b'][0]"]}`.
///
/// # Errors
/// `InvalidParameter` for another content.
pub(crate) fn paths_of(file: &[u8], url: &str) -> Result<Vec<JsonPath>> {
    let invalid =
        |why: &str| Error::new(ErrorKind::InvalidParameter, format!("invalid JSONPaths file \"{url}\": {why}"));
    let parsed: serde_json::Value = serde_json::from_slice(file).map_err(|e| invalid(&e.to_string()))?;
    let list = parsed.get("jsonpaths").and_then(serde_json::Value::as_array);
    let list = list.ok_or_else(|| invalid("it has no array \"jsonpaths\""))?;
    let paths = list.iter().map(|path| {
        let text = path.as_str().ok_or_else(|| invalid("a path is no string"))?;
        let path = JsonPath::parse(text)?;
        if path.steps.contains(&Step::All) {
            return Err(Error::unsupported("wildcards in a JSONPath of COPY"));
        }
        Ok(path)
    });
    paths.collect()
}
