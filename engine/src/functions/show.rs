//! What `SHOW … FROM x` and `SHOW GRANTS ON x` check: that there is an x.

use super::routines;
use super::system::Definition;
use crate::error::{Error, ErrorKind};
use crate::resolve::CATALOG_NAMES;
use crate::system::{self, DATABASE, Kind, Value};

fn text(args: &[Value], at: usize) -> Option<&str> {
    match args.get(at) {
        Some(Value::Text(text)) => Some(text),
        _ => None,
    }
}

pub(super) const FUNCTIONS: &[Definition] = &[
    Definition {
        name: "millrace_database",
        gives: |_| Kind::Text,
        call: |_, args| {
            let Some(name) = text(args, 0) else { return Ok(Value::Null) };
            if CATALOG_NAMES.contains(&name) {
                return Ok(DATABASE.into());
            }
            Err(Error::new(ErrorKind::UndefinedObject, format!("database \"{name}\" does not exist")))
        },
    },
    Definition {
        name: "millrace_schema",
        gives: |_| Kind::Text,
        call: |facts, args| {
            let Some(name) = text(args, 0) else { return Ok(Value::Null) };
            if system::is_schema(name) || facts.snapshot.resolve_schema(name).is_some() {
                return Ok(name.into());
            }
            Err(crate::resolve::unknown_database(&facts.snapshot, name))
        },
    },
    Definition {
        name: "millrace_table",
        gives: |_| Kind::Text,
        call: |facts, args| {
            let (Some(schema), Some(name)) = (text(args, 0), text(args, 1)) else { return Ok(Value::Null) };
            let of = facts.snapshot.resolve_schema(schema).map_or(schema, |database| database.name.as_str());
            let known = facts.relations.iter().any(|relation| relation.schema == of && relation.name == name);
            if known || system::find(Some(schema), name).is_some() {
                return Ok(name.into());
            }
            Err(Error::new(ErrorKind::UndefinedTable, format!("relation \"{schema}.{name}\" does not exist")))
        },
    },
    // The parts of a function's name and its types in one text give it as `s.f(integer)`.
    Definition {
        name: "millrace_function",
        gives: |_| Kind::Text,
        call: |facts, args| {
            let texts = (0..args.len()).map(|at| text(args, at).map(str::to_owned)).collect::<Option<Vec<String>>>();
            let Some((types, parts)) = texts.as_deref().and_then(<[String]>::split_last) else {
                return Ok(Value::Null);
            };
            let (schema, function) = routines::find(facts, parts, types)?;
            Ok(format!("{schema}.{}", function.signature()).into())
        },
    },
    Definition {
        name: "millrace_routine",
        gives: |_| Kind::Text,
        call: |_, args| {
            let Some(name) = text(args, 0) else { return Ok(Value::Null) };
            Err(Error::new(ErrorKind::UndefinedFunction, format!("function {name}() does not exist")))
        },
    },
];
