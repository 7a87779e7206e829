//! `pg_class_info`: `pg_class` with how tables are distributed now.

use super::table::Kind::{Bool, Int2, Int4, Oid, Real, Text, Texts, Time};
use super::{PG_CATALOG, Rows, SystemTable, Value, classes, redshift, relations};
use crate::error::Result;
use crate::session::Context;
use std::collections::BTreeMap;

/// Where `pg_class` has `releffectivediststyle`, which is the last column here.
const EFFECTIVE: usize = 31;

async fn class_info(context: &Context) -> Result<Rows> {
    let mut styles = BTreeMap::new();
    for relation in relations(context).await?.iter().filter(|relation| relation.managed.is_some()) {
        styles.insert(relation.oid, redshift::distribution(context, relation).await?);
    }
    let mut rows = classes::class(context).await?;
    for row in &mut rows {
        let declared = row.remove(EFFECTIVE);
        let style = match row.first() {
            Some(Value::Int(oid)) => styles.get(oid).copied(),
            _ => None,
        };
        row.extend([Value::Null, style.map_or(declared, Value::from)]);
    }
    Ok(rows)
}

pub(super) const TABLES: &[SystemTable] = &[SystemTable {
    schema: PG_CATALOG,
    name: "pg_class_info",
    columns: &[
        ("reloid", Oid),
        ("relname", Text),
        ("relnamespace", Oid),
        ("reltype", Oid),
        ("relowner", Int4),
        ("relam", Oid),
        ("relfilenode", Oid),
        ("reltablespace", Oid),
        ("relpages", Int4),
        ("reltuples", Real),
        ("reltoastrelid", Oid),
        ("reltoastidxid", Oid),
        ("relhasindex", Bool),
        ("relisshared", Bool),
        ("relkind", Text),
        ("relnatts", Int2),
        ("relchecks", Int2),
        ("reltriggers", Int2),
        ("relukeys", Int2),
        ("relfkeys", Int2),
        ("relrefs", Int2),
        ("relhasoids", Bool),
        ("relhaspkey", Bool),
        ("relhasrules", Bool),
        ("relhassubclass", Bool),
        ("relacl", Texts),
        ("reldiststyle", Int2),
        ("relispartition", Bool),
        ("relpersistence", Text),
        ("reloptions", Texts),
        ("relexternid", Oid),
        ("relpartbound", Text),
        ("relhastriggers", Bool),
        ("reloftype", Oid),
        ("relcreationtime", Time),
        ("releffectivediststyle", Int4),
    ],
    rows: |context| Box::pin(class_info(context)),
}];
