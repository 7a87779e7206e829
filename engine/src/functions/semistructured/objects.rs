//! Objects of SUPER values.

use super::arrays::written;
use super::document::{Document, documents, value};
use super::json::{self, Json, Members, quoted};
use crate::error::{Error, ErrorKind, Result};
use crate::functions::kernel::{Call, Gives, Kind, REDSHIFT, Scalar, scalar};
use crate::sql::semistructured::OBJECT_CLAUSES;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringViewArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;

pub(in crate::functions) const FUNCTIONS: &[Scalar] = &[
    scalar("object", REDSHIFT, &[Kind::Any], Gives::Super, object).variadic().with_nulls().doc(
        "object([name, value, …])",
        "An object of names and values of any types.",
        &[
            ("object('a', 1, 'b', true, 'c', 3.14)", "{\"a\":1,\"b\":true,\"c\":3.14}"),
            ("object('a', object('aa', 1), 'b', array(2, 3))", "{\"a\":{\"aa\":1},\"b\":[2,3]}"),
        ],
    ),
    scalar("get_number_attributes", REDSHIFT, &[Kind::Any], Gives::Int4, |call| {
        let values = documents(call, 0)?;
        call.int4s(|row| {
            Ok(match Document::of(values.value(row)) {
                Document::Object(members) => i32::try_from(members.len()).ok(),
                _ => None,
            })
        })
    })
    .doc(
        "get_number_attributes(super)",
        "How many members an object has itself; NULL of what is none.",
        &[("get_number_attributes(json_parse('{\"a\": 1, \"b\": {\"c\": 3}}'))", "2")],
    ),
    scalar("lower_attribute_names", REDSHIFT, &[Kind::Any], Gives::Super, |call| renamed(call, str::to_lowercase)).doc(
        "lower_attribute_names(super)",
        "A value whose members' names are in lower case, at any depth; an error where two become one.",
        &[(
            "lower_attribute_names(json_parse('[{\"AttributeName\": {\"C\": \"D\"}}]'))",
            "[{\"attributename\":{\"c\":\"D\"}}]",
        )],
    ),
    scalar("upper_attribute_names", REDSHIFT, &[Kind::Any], Gives::Super, |call| renamed(call, str::to_uppercase)).doc(
        "upper_attribute_names(super)",
        "The same in upper case.",
        &[("upper_attribute_names(json_parse('{\"AttributeName\": \"b\"}'))", "{\"ATTRIBUTENAME\":\"b\"}")],
    ),
    scalar("object_transform", REDSHIFT, &[Kind::Any], Gives::Super, transform).variadic().with_nulls().doc(
        "object_transform(super [KEEP 'path', …] [SET 'path', value, …])",
        "An object with the members that are kept and those that are set; a path is of names in double quotes.",
        &[
            (
                "object_transform(json_parse('{\"a\":{\"b\":1,\"c\":2},\"d\":3}') KEEP '\"a\".\"b\"' SET '\"e\"', 'x')",
                "{\"a\":{\"b\":1},\"e\":\"x\"}",
            ),
            ("object_transform(json_parse('[1]') KEEP '\"a\"')", "[1]"),
        ],
    ),
];

fn object(call: &Call<'_>) -> Result<ArrayRef> {
    if call.args.len() % 2 == 1 {
        return Err(Error::new(ErrorKind::UndefinedFunction, "object() takes pairs of a name and a value"));
    }
    let mut pairs = Vec::new();
    for at in (0..call.args.len()).step_by(2) {
        pairs.push((names(call, at)?, documents(call, at + 1)?));
    }
    call.texts(|row| {
        let mut members: Vec<(&str, String)> = Vec::with_capacity(pairs.len());
        for (names, values) in &pairs {
            if names.is_null(row) {
                return Err(Error::new(ErrorKind::InvalidParameter, "the name of an object's member is NULL"));
            }
            let name = names.value(row);
            if members.iter().any(|(known, _)| *known == name) {
                return Err(Error::new(ErrorKind::InvalidParameter, format!("duplicate name \"{name}\" in an object")));
            }
            members.push((name, if values.is_valid(row) { written(values.value(row)) } else { "null".to_owned() }));
        }
        let members: Vec<String> =
            members.into_iter().map(|(name, value)| format!("{}:{value}", quoted(name))).collect();
        Ok(Some(format!("{{{}}}", members.join(","))))
    })
}

fn renamed(call: &Call<'_>, rename: fn(&str) -> String) -> Result<ArrayRef> {
    let values = documents(call, 0)?;
    call.texts(|row| {
        Ok::<_, Error>(Some(match Document::of(values.value(row)) {
            Document::Array(_) | Document::Object(_) => with_names(value(values.value(row)), rename)?.to_string(),
            _ => values.value(row).to_owned(),
        }))
    })
}

/// A value with other names of all members in it.
fn with_names(value: Json, rename: fn(&str) -> String) -> Result<Json> {
    Ok(match value {
        Json::Array(values) => {
            Json::Array(values.into_iter().map(|value| with_names(value, rename)).collect::<Result<_>>()?)
        }
        Json::Object(members) => {
            let mut made = Members::new();
            for (name, value) in members {
                if json::put(&mut made, rename(&name), with_names(value, rename)?).is_some() {
                    let message = "SUPER value has duplicate attributes after case conversion.";
                    return Err(Error::new(ErrorKind::InvalidParameter, message));
                }
            }
            Json::Object(made)
        }
        other => other,
    })
}

fn names(call: &Call<'_>, at: usize) -> Result<StringViewArray> {
    match call.args[at].data_type() {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            Ok(cast(&call.args[at], &DataType::Utf8View)?.as_string_view().clone())
        }
        _ => Err(Error::new(ErrorKind::DatatypeMismatch, "the names of an object's members are texts")),
    }
}

/// `"a"."b"` as names.
fn path_of(text: &str) -> Result<Vec<String>> {
    let wrong = || {
        let message = format!("invalid path of OBJECT_TRANSFORM: {text}");
        Error::new(ErrorKind::InvalidParameter, message).with_hint("a path is of names in double quotes: '\"a\".\"b\"'")
    };
    let mut path = Vec::new();
    let mut rest = text.trim_ascii();
    loop {
        let after = rest.strip_prefix('"').ok_or_else(wrong)?;
        let end = after.find('"').ok_or_else(wrong)?;
        path.push(after[..end].to_owned());
        rest = &after[end + 1..];
        match rest.strip_prefix('.') {
            Some(more) => rest = more,
            None if rest.is_empty() => return Ok(path),
            None => return Err(wrong()),
        }
    }
}

/// What the clauses of OBJECT_TRANSFORM say.
#[derive(Default)]
struct Clauses {
    keep: Option<Vec<Vec<String>>>,
    set: Vec<(Vec<String>, StringViewArray)>,
}

impl Clauses {
    /// The clauses are the same in all rows: their words and paths are constants.
    fn of(call: &Call<'_>) -> Result<Self> {
        let mut clauses = Self::default();
        let (mut setting, mut at) = (false, 1);
        while at < call.args.len() {
            let texts = names(call, at).map_err(|_| wrong_paths())?;
            let text = if call.rows == 0 || texts.is_null(0) { "" } else { texts.value(0) };
            if call.rows > 0 && (0..call.rows).any(|row| texts.is_null(row) || texts.value(row) != text) {
                return Err(wrong_paths());
            }
            at += 1;
            if let Some(clause) = OBJECT_CLAUSES.iter().position(|clause| *clause == text) {
                setting = clause == 1;
                if !setting {
                    clauses.keep.get_or_insert_default();
                }
            } else if setting {
                if at >= call.args.len() {
                    let message = "SET of OBJECT_TRANSFORM takes pairs of a path and a value";
                    return Err(Error::new(ErrorKind::Syntax, message));
                }
                clauses.set.push((path_of(text)?, documents(call, at)?));
                at += 1;
            } else {
                clauses.keep.get_or_insert_default().push(path_of(text)?);
            }
        }
        Ok(clauses)
    }
}

fn wrong_paths() -> Error {
    Error::new(ErrorKind::InvalidParameter, "the paths of OBJECT_TRANSFORM are constant texts")
}

fn transform(call: &Call<'_>) -> Result<ArrayRef> {
    let inputs = documents(call, 0)?;
    if call.rows == 0 {
        return call.texts(|_| Ok(None::<String>));
    }
    let clauses = Clauses::of(call)?;
    call.texts(|row| {
        if inputs.is_null(row) {
            return Ok(None);
        }
        let Document::Object(input) = Document::of(inputs.value(row)) else {
            return Ok(Some(inputs.value(row).to_owned()));
        };
        // With SET alone nothing but what is set is there, as with an empty KEEP.
        let mut made = if clauses.keep.is_none() && clauses.set.is_empty() { input.to_vec() } else { Members::new() };
        for path in clauses.keep.iter().flatten() {
            if let Some(kept) = found(&input, path) {
                put(&mut made, path, kept.clone());
            }
        }
        for (path, values) in &clauses.set {
            let set = if values.is_valid(row) { value(values.value(row)) } else { Json::Null };
            put(&mut made, path, set);
        }
        Ok(Some(Json::Object(made).to_string()))
    })
}

fn found<'v>(members: &'v [(String, Json)], path: &[String]) -> Option<&'v Json> {
    let (first, rest) = path.split_first()?;
    match json::member(members, first)? {
        value if rest.is_empty() => Some(value),
        Json::Object(inner) => found(inner, rest),
        _ => None,
    }
}

fn put(members: &mut Members, path: &[String], value: Json) {
    let Some((first, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        json::put(members, first.clone(), value);
        return;
    }
    if !matches!(json::member(members, first), Some(Json::Object(_))) {
        json::put(members, first.clone(), Json::Object(Members::new()));
    }
    if let Some((_, Json::Object(inner))) = members.iter_mut().find(|(name, _)| name == first) {
        put(inner, rest, value);
    }
}
