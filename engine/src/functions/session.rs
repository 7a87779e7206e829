//! Who and where the session is: `current_user`, `version()`, `pg_backend_pid()` and their kin.

use super::system::Definition;
use crate::error::{Error, ErrorKind};
use crate::system::{DATABASE, Kind, PG_CATALOG, VERSION, Value};

macro_rules! constant {
    ($name:literal, $kind:ident, |$facts:ident| $value:expr) => {
        Definition { name: $name, gives: |_| Kind::$kind, call: |$facts, _| Ok(Value::from($value)) }
    };
}

pub(super) const FUNCTIONS: &[Definition] = &[
    constant!("version", Text, |_facts| VERSION),
    constant!("current_database", Text, |_facts| DATABASE),
    constant!("current_catalog", Text, |_facts| DATABASE),
    constant!("db_collation", Text, |facts| {
        let database = facts.path.first().and_then(|name| facts.snapshot.resolve_schema(name));
        if database.is_some_and(|database| database.ignores_case()) { "case_insensitive" } else { "case_sensitive" }
    }),
    constant!("current_schema", Text, |facts| facts.path.first()),
    constant!("current_user", Text, |facts| &facts.who.user),
    constant!("user", Text, |facts| &facts.who.user),
    constant!("session_user", Text, |facts| &facts.who.session_user),
    constant!("current_user_id", Int4, |facts| facts.snapshot.principals().user_id(&facts.who.user)),
    constant!("pg_backend_pid", Int4, |facts| facts.who.pid),
    constant!("pg_last_query_id", Int8, |facts| facts.who.last_query),
    constant!("last_user_query_id", Int8, |facts| facts.who.last_query),
    constant!("pg_last_copy_id", Int8, |facts| facts.who.loads.copy().0),
    constant!("pg_last_copy_count", Int8, |facts| facts.who.loads.copy().1 as i64),
    constant!("pg_last_unload_id", Int8, |facts| facts.who.loads.unload().0),
    constant!("pg_last_unload_count", Int8, |facts| facts.who.loads.unload().1 as i64),
    constant!("txid_current", Int8, |facts| facts.who.xid),
    constant!("pg_is_in_recovery", Bool, |_facts| false),
    Definition {
        name: "current_schemas",
        gives: |_| Kind::Texts,
        call: |facts, args| {
            let mut path = facts.path.clone();
            if args.first() == Some(&Value::Bool(true)) {
                path.insert(0, PG_CATALOG.to_owned());
            }
            Ok(path.into())
        },
    },
    Definition {
        name: "current_setting",
        gives: |_| Kind::Text,
        call: |facts, args| {
            let Some(Value::Text(name)) = args.first() else { return Ok(Value::Null) };
            match facts.settings.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
                Some((_, value)) => Ok(value.into()),
                None if args.get(1) == Some(&Value::Bool(true)) => Ok(Value::Null),
                None => Err(Error::new(ErrorKind::UndefinedObject, format!("setting \"{name}\" does not exist"))),
            }
        },
    },
    Definition { name: "pg_my_temp_schema", gives: |_| Kind::Oid, call: |_, _| Ok(Value::Int(0)) },
    Definition { name: "pg_is_other_temp_schema", gives: |_| Kind::Bool, call: |_, _| Ok(Value::Bool(false)) },
    Definition {
        name: "pg_encoding_to_char",
        gives: |_| Kind::Text,
        call: |_, args| {
            Ok(match args.first() {
                Some(Value::Int(6)) => "UTF8".into(),
                Some(Value::Int(0)) => "SQL_ASCII".into(),
                Some(Value::Null) | None => Value::Null,
                Some(_) => "".into(),
            })
        },
    },
];
