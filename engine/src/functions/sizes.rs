//! How large things are: `pg_table_size` and its kin, as PostgreSQL's `\dt+` asks.

use super::catalog::relation;
use super::system::Definition;
use crate::error::Result;
use crate::system::{Facts, Kind, Value};

fn of_relation(facts: &Facts, args: &[Value]) -> Result<Value> {
    Ok(relation(facts, args, 0).and_then(|relation| facts.sizes.get(&relation.oid).copied()).into())
}

const fn define(name: &'static str, call: fn(&Facts, &[Value]) -> Result<Value>) -> Definition {
    Definition { name, gives: |_| Kind::Int8, call }
}

pub(super) const FUNCTIONS: &[Definition] = &[
    define("pg_relation_size", of_relation),
    define("pg_table_size", of_relation),
    define("pg_total_relation_size", of_relation),
    define("pg_database_size", |facts, args| {
        Ok(if args.first() == Some(&Value::Null) { Value::Null } else { facts.sizes.values().sum::<u64>().into() })
    }),
];
