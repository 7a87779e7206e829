//! Objects of SUPER values.

use super::document::{shallow, value, written};
use crate::error::{Error, ErrorKind, Result};
use crate::functions::kernel::{Call, Gives, Kind, REDSHIFT, Scalar, scalar};
use crate::lake::json::{self, Json, MAX_DEPTH, Members, MembersBuilder, quoted};
use crate::sql::semistructured::OBJECT_CLAUSES;
use datafusion::arrow::array::{Array, ArrayRef, StringViewArray};
use std::borrow::Cow;
use std::collections::HashSet;

pub(in crate::functions) const FUNCTIONS: &[Scalar] = &[
    scalar("object", REDSHIFT, &[Kind::Super], Gives::Super, object).variadic().with_nulls().doc(
        "object([name, value, …])",
        "An object of names and values of any types.",
        &[
            ("object('a', 1, 'b', true, 'c', 3.14)", "{\"a\":1,\"b\":true,\"c\":3.14}"),
            ("object('a', object('aa', 1), 'b', array(2, 3))", "{\"a\":{\"aa\":1},\"b\":[2,3]}"),
        ],
    ),
    scalar("get_number_attributes", REDSHIFT, &[Kind::Super], Gives::Int4, |call| {
        let values = call.text(0);
        call.int4s(|row| {
            Ok(match value(values.value(row)) {
                Json::Object(members) => i32::try_from(members.len()).ok(),
                _ => None,
            })
        })
    })
    .doc(
        "get_number_attributes(super)",
        "How many members an object has itself; NULL of what is none.",
        &[("get_number_attributes(json_parse('{\"a\": 1, \"b\": {\"c\": 3}}'))", "2")],
    ),
    scalar("lower_attribute_names", REDSHIFT, &[Kind::Super], Gives::Super, |call| renamed(call, str::to_lowercase))
        .doc(
            "lower_attribute_names(super)",
            "A value whose members' names are in lower case, at any depth; an error where two become one.",
            &[(
                "lower_attribute_names(json_parse('[{\"AttributeName\": {\"C\": \"D\"}}]'))",
                "[{\"attributename\":{\"c\":\"D\"}}]",
            )],
        ),
    scalar("upper_attribute_names", REDSHIFT, &[Kind::Super], Gives::Super, |call| renamed(call, str::to_uppercase))
        .doc(
            "upper_attribute_names(super)",
            "The same in upper case.",
            &[("upper_attribute_names(json_parse('{\"AttributeName\": \"b\"}'))", "{\"ATTRIBUTENAME\":\"b\"}")],
        ),
    scalar("object_transform", REDSHIFT, &[Kind::Super], Gives::Super, transform).variadic().with_nulls().doc(
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
    let pairs: Vec<_> = (0..call.args.len()).step_by(2).map(|at| (call.text(at), call.text(at + 1))).collect();
    call.texts(|row| {
        let mut members: Vec<String> = Vec::with_capacity(pairs.len());
        let mut seen = HashSet::with_capacity(pairs.len());
        for (names, values) in &pairs {
            let name = name(names, row)?;
            members.push(format!("{}:{}", quoted(&name), written(values, row)));
            if let Some(repeated) = seen.replace(name) {
                let message = format!("duplicate name \"{repeated}\" in an object");
                return Err(Error::new(ErrorKind::InvalidParameter, message));
            }
        }
        shallow(format!("{{{}}}", members.join(","))).map(Some)
    })
}

/// The name of an object's member.
fn name(names: &StringViewArray, row: usize) -> Result<Cow<'_, str>> {
    match if names.is_valid(row) { value(names.value(row)) } else { Json::Null } {
        Json::Text(name) => Ok(name),
        Json::Null => Err(Error::new(ErrorKind::InvalidParameter, "the name of an object's member is NULL")),
        _ => Err(Error::new(ErrorKind::DatatypeMismatch, "the names of an object's members are texts")),
    }
}

fn renamed(call: &Call<'_>, rename: fn(&str) -> String) -> Result<ArrayRef> {
    let values = call.text(0);
    call.texts(|row| Ok::<_, Error>(Some(with_names(value(values.value(row)), rename)?.to_string())))
}

/// A value with other names of all members in it.
fn with_names(value: Json<'_>, rename: fn(&str) -> String) -> Result<Json<'_>> {
    Ok(match value {
        Json::Array(values) => {
            Json::Array(values.into_iter().map(|value| with_names(value, rename)).collect::<Result<_>>()?)
        }
        Json::Object(members) => {
            let mut made = MembersBuilder::default();
            for (name, value) in members {
                if made.put(rename(&name).into(), with_names(value, rename)?).is_some() {
                    let message = "SUPER value has duplicate attributes after case conversion.";
                    return Err(Error::new(ErrorKind::InvalidParameter, message));
                }
            }
            Json::Object(made.finish())
        }
        other => other,
    })
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
            Some(_) if path.len() == MAX_DEPTH => {
                let message = format!("a path of OBJECT_TRANSFORM has more than {MAX_DEPTH} names");
                return Err(Error::new(ErrorKind::LimitExceeded, message));
            }
            Some(more) => rest = more,
            None if rest.is_empty() => return Ok(path),
            None => return Err(wrong()),
        }
    }
}

/// What the clauses of OBJECT_TRANSFORM say.
#[derive(Default)]
struct Clauses<'c> {
    keep: Option<Vec<Vec<String>>>,
    set: Vec<(Vec<String>, &'c StringViewArray)>,
}

impl<'c> Clauses<'c> {
    /// The clauses are the same in all rows: their words and paths are constants.
    fn of(call: &'c Call<'_>) -> Result<Self> {
        let mut clauses = Self::default();
        let (mut setting, mut at) = (false, 1);
        while at < call.args.len() {
            let text = constant(call.text(at))?;
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
                clauses.set.push((path_of(&text)?, call.text(at)));
                at += 1;
            } else {
                clauses.keep.get_or_insert_default().push(path_of(&text)?);
            }
        }
        Ok(clauses)
    }
}

/// The text that all rows have.
fn constant(values: &StringViewArray) -> Result<Cow<'_, str>> {
    let first = values.iter().next().flatten();
    match first.map(value) {
        Some(Json::Text(text)) if values.iter().all(|other| other == first) => Ok(text),
        _ => Err(Error::new(ErrorKind::InvalidParameter, "the paths of OBJECT_TRANSFORM are constant texts")),
    }
}

fn transform(call: &Call<'_>) -> Result<ArrayRef> {
    if call.rows == 0 {
        return call.texts(|_| Ok(None::<String>));
    }
    let (inputs, clauses) = (call.text(0), Clauses::of(call)?);
    call.texts(|row| {
        if inputs.is_null(row) {
            return Ok(None);
        }
        let Json::Object(input) = value(inputs.value(row)) else { return Ok(Some(inputs.value(row).to_owned())) };
        // With SET alone nothing but what is set is there, as with an empty KEEP.
        let mut made = if clauses.keep.is_none() && clauses.set.is_empty() { input.clone() } else { Members::new() };
        for path in clauses.keep.iter().flatten() {
            if let Some(kept) = found(&input, path) {
                put(&mut made, path, kept.clone());
            }
        }
        for (path, values) in &clauses.set {
            let set = if values.is_valid(row) { value(values.value(row)) } else { Json::Null };
            put(&mut made, path, set);
        }
        shallow(Json::Object(made).to_string()).map(Some)
    })
}

fn found<'v, 't>(members: &'v Members<'t>, path: &[String]) -> Option<&'v Json<'t>> {
    let (first, rest) = path.split_first()?;
    match json::member(members, first)? {
        value if rest.is_empty() => Some(value),
        Json::Object(inner) => found(inner, rest),
        _ => None,
    }
}

fn put<'t>(members: &mut Members<'t>, path: &[String], value: Json<'t>) {
    let Some((first, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        json::put(members, first.clone().into(), value);
        return;
    }
    if !matches!(json::member(members, first), Some(Json::Object(_))) {
        json::put(members, first.clone().into(), Json::Object(Members::new()));
    }
    if let Some((_, Json::Object(inner))) = members.iter_mut().find(|(name, _)| name == first) {
        put(inner, rest, value);
    }
}
