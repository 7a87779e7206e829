//! What the catalog knows of an object by its number: `format_type`, `pg_get_viewdef`, `obj_description`, casts to
//! `regclass` and `regtype`.

use super::system::Definition;
use crate::error::{Error, ErrorKind};
use crate::resolve::with_backslashes;
use crate::system::{self, Facts, Kind, PG_CATALOG, Relation, Value};
use datafusion::arrow::datatypes::DataType;

/// The function that a cast to `regclass` becomes: a name gives a number, a number a name.
pub(crate) const REGCLASS: &str = "millrace_regclass";
/// The same for `regtype`.
pub(crate) const REGTYPE: &str = "millrace_regtype";
/// A `regclass` as it is shown.
pub(crate) const REGCLASS_NAME: &str = "millrace_regclass_name";
/// A `regtype` as it is shown.
pub(crate) const REGTYPE_NAME: &str = "millrace_regtype_name";
/// An array of text of an aggregate's, which gives NULL for no rows.
pub(crate) const TEXTS: &str = "millrace_texts";
/// A pattern of LIKE whose escape character is not the backslash, as one where it is.
pub(crate) const PATTERN: &str = "millrace_pattern";
/// The values of an array with their places, as `information_schema._pg_expandarray` gives them, in one array.
pub(crate) const PAIRS: &str = "millrace_pairs";

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

/// A relation's number by its name, or by its number as text.
fn relation_number(facts: &Facts, name: &str) -> crate::error::Result<i64> {
    if let Ok(number) = name.trim().parse::<i64>() {
        return Ok(number);
    }
    if let Some(relation) = facts.by_name(name) {
        return Ok(relation.oid);
    }
    let (schema, table) = name.split_once('.').map_or((None, name), |(s, t)| (Some(s), t));
    match system::find(schema, table) {
        Some(table) => Ok(system::table_oid(table)),
        None => Err(Error::new(ErrorKind::UndefinedTable, format!("relation \"{name}\" does not exist"))),
    }
}

/// A relation's name by its number, with its schema unless that is searched; the number itself for one that is gone.
fn relation_name(facts: &Facts, oid: i64) -> String {
    let shown = facts
        .by_oid(oid)
        .map(|relation| if facts.is_visible(relation) { system::quoted(&relation.name) } else { relation.qualified() });
    let system = || {
        system::all().find(|table| system::table_oid(table) == oid).map(|table| {
            if table.schema == PG_CATALOG { table.name.to_owned() } else { format!("{}.{}", table.schema, table.name) }
        })
    };
    shown.or_else(system).unwrap_or_else(|| oid.to_string())
}

/// A type's number by its name.
fn type_number(name: &str) -> crate::error::Result<i64> {
    let unknown = || Error::new(ErrorKind::UndefinedObject, format!("type \"{name}\" does not exist"));
    system::type_by_name(name).ok_or_else(unknown)
}

/// `pg_get_cols(name)`: each column of a table or view as a record: schema, relation, column, type and number.
fn columns(facts: &Facts, args: &[Value]) -> crate::error::Result<Value> {
    if args.first() == Some(&Value::Null) {
        return Ok(Value::Null);
    }
    let Some(relation) = relation(facts, args, 0) else {
        let written = text(args, 0).map_or_else(|| int(args, 0).unwrap_or_default().to_string(), str::to_owned);
        return Err(Error::new(ErrorKind::UndefinedTable, format!("relation \"{written}\" does not exist")));
    };
    let records = relation.columns.iter().map(|column| {
        let fields = [&relation.schema, &relation.name, &column.name, &column.data_type].map(|part| field(part));
        format!("({},{})", fields.join(","), column.number)
    });
    Ok(records.collect::<Vec<_>>().into())
}

/// The types of a function's arguments, which have no names.
fn arguments(facts: &Facts, args: &[Value]) -> crate::error::Result<Value> {
    let Some(oid) = int(args, 0) else { return Ok(Value::Null) };
    let made = system::users_function(&facts.snapshot, oid);
    Ok(made.map_or_else(String::new, |(_, function)| function.arguments.join(", ")).into())
}

/// A field as PostgreSQL writes it in a record.
fn field(value: &str) -> String {
    let special = |c: char| c.is_whitespace() || matches!(c, '"' | '\\' | '(' | ')' | ',');
    if value.is_empty() || value.contains(special) {
        return format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\"\""));
    }
    value.to_owned()
}

/// Bytes as PostgreSQL writes them.
fn pretty(bytes: i64) -> String {
    // Up to so many of a unit are told in it.
    const MOST: i64 = 10 * 1024;
    if bytes.abs() < MOST {
        return format!("{bytes} bytes");
    }
    let mut size = bytes >> 9;
    for unit in ["kB", "MB", "GB"] {
        if size.abs() < MOST * 2 - 1 {
            return format!("{} {unit}", (size + 1) / 2);
        }
        size >>= 10;
    }
    format!("{} TB", (size + 1) / 2)
}

pub(super) const FUNCTIONS: &[Definition] = &[
    define(
        "format_type",
        |_| Kind::Text,
        |_, args| Ok(int(args, 0).map(|oid| system::format_type(oid, int(args, 1))).into()),
    ),
    define(
        "oidvectortypes",
        |_| Kind::Text,
        |_, args| {
            let Some(Value::Texts(items)) = args.first() else { return Ok(Value::Null) };
            let types = items.iter().filter_map(|item| item.parse().ok()).map(|oid| system::format_type(oid, None));
            Ok(types.collect::<Vec<String>>().join(", ").into())
        },
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
            Ok(number.and_then(|number| system::constraint_text(facts, number)).into())
        },
    ),
    define(
        "pg_get_indexdef",
        |_| Kind::Text,
        |facts, args| {
            let (number, column) = (int(args, 0), int(args, 1).unwrap_or(0));
            Ok(number.and_then(|number| system::index_text(&facts.relations, number, column)).into())
        },
    ),
    define(
        "regprocedureout",
        |_| Kind::Text,
        |facts, args| {
            // A name that was cast is its own text.
            let Some(oid) = int(args, 0) else { return Ok(text(args, 0).into()) };
            Ok(system::function_name(&facts.snapshot, &facts.path, oid).unwrap_or_else(|| oid.to_string()).into())
        },
    ),
    define("pg_client_encoding", |_| Kind::Text, |_, _| Ok("UTF8".into())),
    define("pg_get_ruledef", |_| Kind::Text, nothing),
    define("pg_get_triggerdef", |_| Kind::Text, nothing),
    define(
        "pg_get_functiondef",
        |_| Kind::Text,
        |facts, args| {
            let made = int(args, 0).and_then(|oid| system::users_function(&facts.snapshot, oid));
            Ok(made.map(|(schema, function)| system::function_text(schema, function)).into())
        },
    ),
    define(
        "pg_get_function_result",
        |_| Kind::Text,
        |facts, args| {
            let Some(oid) = int(args, 0) else { return Ok(Value::Null) };
            let made = system::users_function(&facts.snapshot, oid);
            // Those that are always there take and give many types.
            Ok(made.map_or("any", |(_, function)| function.returns.as_str()).into())
        },
    ),
    define("pg_get_function_arguments", |_| Kind::Text, arguments),
    define("pg_get_function_identity_arguments", |_| Kind::Text, arguments),
    define("pg_get_serial_sequence", |_| Kind::Text, nothing),
    define("shobj_description", |_| Kind::Text, nothing),
    define(
        "pg_table_is_visible",
        |_| Kind::Bool,
        |facts, args| {
            let Some(oid) = int(args, 0) else { return Ok(Value::Null) };
            let visible = match facts.by_oid(oid) {
                Some(relation) => facts.is_visible(relation),
                None => system::all().any(|table| table.schema == PG_CATALOG && system::table_oid(table) == oid),
            };
            Ok(Value::Bool(visible))
        },
    ),
    define("pg_type_is_visible", |_| Kind::Bool, yes),
    define(
        "pg_function_is_visible",
        |_| Kind::Bool,
        |facts, args| {
            let Some(oid) = int(args, 0) else { return Ok(Value::Null) };
            let made = system::users_function(&facts.snapshot, oid);
            Ok(Value::Bool(made.is_none_or(|(schema, _)| facts.path.contains(schema))))
        },
    ),
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
        Some(Value::Int(oid)) => Ok(relation_name(facts, *oid).into()),
        Some(Value::Text(name)) => relation_number(facts, name).map(Value::Int),
        _ => Ok(Value::Null),
    }),
    define(
        REGCLASS_NAME,
        |_| Kind::Text,
        |facts, args| match args.first() {
            Some(Value::Int(oid)) => Ok(relation_name(facts, *oid).into()),
            Some(Value::Text(name)) => Ok(relation_name(facts, relation_number(facts, name)?).into()),
            _ => Ok(Value::Null),
        },
    ),
    define(
        REGTYPE_NAME,
        |_| Kind::Text,
        |_, args| match args.first() {
            Some(Value::Int(oid)) => Ok(system::format_type(*oid, None).into()),
            Some(Value::Text(name)) => Ok(system::format_type(type_number(name)?, None).into()),
            _ => Ok(Value::Null),
        },
    ),
    define(
        TEXTS,
        |_| Kind::Texts,
        |_, args| Ok(args.first().filter(|given| **given != Value::Null).cloned().unwrap_or(Value::Texts(Vec::new()))),
    ),
    define(
        PATTERN,
        |_| Kind::Text,
        |_, args| {
            let escape = text(args, 1).and_then(|escape| escape.chars().next());
            Ok(text(args, 0).zip(escape).map(|(pattern, escape)| with_backslashes(pattern, escape)).into())
        },
    ),
    define(
        PAIRS,
        |_| Kind::Pairs,
        |_, args| {
            let Some(Value::Texts(items)) = args.first() else { return Ok(Value::Null) };
            Ok(Value::Ints(items.iter().filter_map(|item| item.parse().ok()).collect()))
        },
    ),
    define(system::COLUMNS, |_| Kind::Texts, columns),
    define("pg_size_pretty", |_| Kind::Text, |_, args| Ok(int(args, 0).map(pretty).into())),
    define("pg_tablespace_location", |_| Kind::Text, |_, args| Ok(int(args, 0).map(|_| "").into())),
    define(
        "pg_char_to_encoding",
        |_| Kind::Int4,
        |_, args| Ok(text(args, 0).map(|name| if name.eq_ignore_ascii_case("utf8") { 6 } else { -1 }).into()),
    ),
    define("pg_conversion_is_visible", |_| Kind::Bool, yes),
    define("pg_opclass_is_visible", |_| Kind::Bool, yes),
    define("pg_opfamily_is_visible", |_| Kind::Bool, yes),
    define("pg_collation_is_visible", |_| Kind::Bool, yes),
    define("pg_ts_config_is_visible", |_| Kind::Bool, yes),
    define("pg_ts_dict_is_visible", |_| Kind::Bool, yes),
    define("pg_ts_parser_is_visible", |_| Kind::Bool, yes),
    define("pg_ts_template_is_visible", |_| Kind::Bool, yes),
    define("pg_get_partkeydef", |_| Kind::Text, nothing),
    define("pg_get_statisticsobjdef", |_| Kind::Text, nothing),
    define("pg_relation_is_publishable", |_| Kind::Bool, |_, _| Ok(Value::Bool(false))),
    define(REGTYPE, name_or_number, |_, args| match args.first() {
        Some(Value::Int(oid)) => Ok(system::format_type(*oid, None).into()),
        Some(Value::Text(name)) => type_number(name).map(Value::Int),
        _ => Ok(Value::Null),
    }),
];

#[cfg(test)]
mod tests {
    // PostgreSQL's documentation of composite types ("Composite Type Input and Output Syntax").
    #[test]
    fn fields_of_records_have_quotes_where_they_need_them() {
        for (value, expected) in [
            ("integer", "integer"),
            ("numeric(8,2)", "\"numeric(8,2)\""),
            ("timestamp without time zone", "\"timestamp without time zone\""),
            ("", "\"\""),
            ("a\"b\\c", "\"a\"\"b\\\\c\""),
        ] {
            assert_eq!(super::field(value), expected);
        }
    }

    #[test]
    fn sizes_as_postgresql_writes_them() {
        for (bytes, expected) in [
            (0, "0 bytes"),
            (10_239, "10239 bytes"),
            (10_240, "10 kB"),
            (10_752, "11 kB"),
            (1 << 20, "1024 kB"),
            (20 << 20, "20 MB"),
            (1 << 40, "1024 GB"),
            (1 << 50, "1024 TB"),
        ] {
            assert_eq!(super::pretty(bytes), expected, "{bytes}");
        }
    }
}
