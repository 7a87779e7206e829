//! What the catalog knows of an object by its number: `format_type`, `pg_get_viewdef`, `obj_description`, casts to
//! `regclass` and `regtype`.

use super::system::Definition;
use crate::error::{Error, ErrorKind};
use crate::system::{self, Facts, Kind, PG_CATALOG, Relation, Value};
use datafusion::arrow::datatypes::DataType;

/// The function that a cast to `regclass` becomes: a name gives a number, a number a name.
pub(crate) const REGCLASS: &str = "millrace_regclass";
/// The same for `regtype`.
pub(crate) const REGTYPE: &str = "millrace_regtype";

fn int(args: &[Value], at: usize) -> Option<i64> {
    match args.get(at) {
        Some(Value::Int(value)) => Some(*value),
        Some(Value::Text(text)) => text.trim().parse().ok(),
        _ => None,
    }
}

fn text(args: &[Value], at: usize) -> Option<&str> {
    match args.get(at) {
        Some(Value::Text(text)) => Some(text),
        _ => None,
    }
}

/// The relation that a number or a name stands for.
pub(super) fn relation<'a>(facts: &'a Facts, args: &[Value], at: usize) -> Option<&'a Relation> {
    match args.get(at)? {
        Value::Int(oid) => facts.by_oid(*oid),
        Value::Text(name) => facts.by_name(name),
        _ => None,
    }
}

fn name_or_number(types: &[DataType]) -> Kind {
    match types.first() {
        Some(kind) if kind.is_integer() => Kind::Text,
        _ => Kind::Oid,
    }
}

fn nothing(_: &Facts, _: &[Value]) -> crate::error::Result<Value> {
    Ok(Value::Null)
}

fn yes(_: &Facts, args: &[Value]) -> crate::error::Result<Value> {
    Ok(if args.first() == Some(&Value::Null) { Value::Null } else { Value::Bool(true) })
}

const fn define(
    name: &'static str,
    gives: fn(&[DataType]) -> Kind,
    call: fn(&Facts, &[Value]) -> crate::error::Result<Value>,
) -> Definition {
    Definition { name, gives, call }
}

pub(super) const FUNCTIONS: &[Definition] = &[
    define(
        "format_type",
        |_| Kind::Text,
        |_, args| Ok(int(args, 0).map(|oid| system::format_type(oid, int(args, 1))).into()),
    ),
    define("format_encoding", |_| Kind::Text, |_, args| Ok(int(args, 0).map(system::encoding_name).into())),
    define(
        "pg_get_viewdef",
        |_| Kind::Text,
        |facts, args| {
            Ok(relation(facts, args, 0).and_then(|view| view.definition.clone()).map(|text| format!("{text};")).into())
        },
    ),
    define("pg_get_expr", |_| Kind::Text, |_, args| Ok(text(args, 0).into())),
    define(
        "pg_get_userbyid",
        |_| Kind::Text,
        |facts, args| {
            let Some(id) = int(args, 0) else { return Ok(Value::Null) };
            let users = &facts.snapshot.principals().users;
            let found = users.iter().find(|(_, user)| i64::from(user.id) == id);
            Ok(found.map_or_else(|| format!("unknown (OID={id})"), |(name, _)| name.clone()).into())
        },
    ),
    define(
        "pg_get_constraintdef",
        |_| Kind::Text,
        |facts, args| {
            let number = int(args, 0);
            Ok(number.and_then(|number| system::constraint_text(&facts.relations, number)).into())
        },
    ),
    define("pg_get_indexdef", |_| Kind::Text, nothing),
    define("pg_get_ruledef", |_| Kind::Text, nothing),
    define("pg_get_triggerdef", |_| Kind::Text, nothing),
    define("pg_get_functiondef", |_| Kind::Text, nothing),
    define("pg_get_function_result", |_| Kind::Text, |_, _| Ok("any".into())),
    define("pg_get_function_arguments", |_| Kind::Text, |_, _| Ok("".into())),
    define("pg_get_function_identity_arguments", |_| Kind::Text, |_, _| Ok("".into())),
    define("pg_get_serial_sequence", |_| Kind::Text, nothing),
    define("shobj_description", |_| Kind::Text, nothing),
    define(
        "pg_table_is_visible",
        |_| Kind::Bool,
        |facts, args| {
            let Some(oid) = int(args, 0) else { return Ok(Value::Null) };
            let visible = match facts.by_oid(oid) {
                Some(relation) => relation.schema == facts.schema,
                None => system::all().any(|table| table.schema == PG_CATALOG && system::table_oid(table) == oid),
            };
            Ok(Value::Bool(visible))
        },
    ),
    define("pg_type_is_visible", |_| Kind::Bool, yes),
    define("pg_function_is_visible", |_| Kind::Bool, yes),
    define("pg_operator_is_visible", |_| Kind::Bool, yes),
    define(
        "obj_description",
        |_| Kind::Text,
        |facts, args| Ok(relation(facts, args, 0).and_then(|relation| relation.comment.clone()).into()),
    ),
    define(
        "col_description",
        |_| Kind::Text,
        |facts, args| {
            let column = relation(facts, args, 0)
                .zip(int(args, 1))
                .and_then(|(relation, number)| relation.columns.iter().find(|column| column.number == number));
            Ok(column.and_then(|column| column.comment.clone()).into())
        },
    ),
    define("quote_ident", |_| Kind::Text, |_, args| Ok(text(args, 0).map(system::quoted).into())),
    define(
        "quote_literal",
        |_| Kind::Text,
        |_, args| Ok(text(args, 0).map(|text| format!("'{}'", text.replace('\'', "''"))).into()),
    ),
    define(
        "array_upper",
        |_| Kind::Int4,
        |_, args| {
            Ok(match args.first() {
                Some(Value::Texts(items)) if !items.is_empty() => items.len().into(),
                _ => Value::Null,
            })
        },
    ),
    define(
        "array_lower",
        |_| Kind::Int4,
        |_, args| {
            Ok(match args.first() {
                Some(Value::Texts(items)) if !items.is_empty() => Value::Int(1),
                _ => Value::Null,
            })
        },
    ),
    define(REGCLASS, name_or_number, |facts, args| match args.first() {
        Some(Value::Int(oid)) => {
            let shown = facts.by_oid(*oid).map(|relation| {
                if relation.schema == facts.schema { system::quoted(&relation.name) } else { relation.qualified() }
            });
            let system =
                || system::all().find(|table| system::table_oid(table) == *oid).map(|table| table.name.to_owned());
            Ok(shown.or_else(system).unwrap_or_else(|| oid.to_string()).into())
        }
        Some(Value::Text(name)) => {
            if let Ok(number) = name.trim().parse::<i64>() {
                return Ok(Value::Int(number));
            }
            if let Some(relation) = facts.by_name(name) {
                return Ok(Value::Int(relation.oid));
            }
            let (schema, table) = name.split_once('.').map_or((None, name.as_str()), |(s, t)| (Some(s), t));
            match system::find(schema, table) {
                Some(table) => Ok(Value::Int(system::table_oid(table))),
                None => Err(Error::new(ErrorKind::UndefinedTable, format!("relation \"{name}\" does not exist"))),
            }
        }
        _ => Ok(Value::Null),
    }),
    define(REGTYPE, name_or_number, |_, args| match args.first() {
        Some(Value::Int(oid)) => Ok(system::format_type(*oid, None).into()),
        Some(Value::Text(name)) => match system::type_by_name(name) {
            Some(oid) => Ok(Value::Int(oid)),
            None => Err(Error::new(ErrorKind::UndefinedObject, format!("type \"{name}\" does not exist"))),
        },
        _ => Ok(Value::Null),
    }),
];
