//! The system tables: what Redshift and PostgreSQL tell of themselves, as tables that any query may read.
//!
//! A table is a small declaration ([`SystemTable`]): schema, name, columns, and an async function that gives its rows
//! from the context. All stand in one list, [`find`] looks in it. A new one needs a file with its declaration and a
//! line in [`TABLES`]. A user sees of the tables that log what happened only its own rows ([`sees_all`]).

mod activity;
mod analyses;
mod attributes;
mod class_info;
mod classes;
mod commits;
mod connections;
mod constraints;
mod databases;
#[cfg(test)]
mod documented;
mod empty;
mod encodings;
mod external;
mod external_queries;
mod external_slices;
mod facts;
mod grants;
mod history;
mod indexes;
mod information;
mod late_binding;
mod loaded_files;
mod loads;
mod locks;
mod materialized;
mod metrics;
mod oid;
mod plans;
mod procedures;
mod query_detail;
mod redshift;
mod relations;
mod row_functions;
mod settings;
mod shown;
mod standard;
mod status;
mod steps;
mod storage;
mod streams;
mod table;
mod types;
mod unloads;
mod users;
mod vacuums;
mod wlm;

pub(crate) use attributes::encoding_name;
pub(crate) use constraints::constraint_text;
pub(crate) use facts::{Facts, facts};
pub(crate) use indexes::index_text;
pub(crate) use materialized::{Staleness, staleness};
pub(crate) use oid::{cataloged as cataloged_oid, managed as managed_oid, schema as schema_oid};
pub(crate) use procedures::{function_text, name as function_name, users_function};
pub(crate) use redshift::size_bytes;
pub(crate) use relations::{Column, Relation, RelationKind, quoted, relations, temporary};
pub(crate) use row_functions::{COLUMNS, RELATION};
pub(crate) use table::{Kind, Rows, SystemTable, Value, array, row};
pub(crate) use types::{by_name as type_by_name, format_type};

use crate::session::Context;
use crate::sql::SHOWN;

/// The one database, as Redshift's clients call it.
pub(crate) const DATABASE: &str = "dev";

/// What drivers look for in `version()`, and ours beside it.
pub(crate) const VERSION: &str = concat!(
    "PostgreSQL 8.0.2 on x86_64-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2 20041017 (Red Hat 3.4.2-6.fc3), ",
    "Redshift 1.0.77467, Millrace ",
    env!("CARGO_PKG_VERSION")
);

/// The schema that is searched for system tables without being named.
pub(crate) const PG_CATALOG: &str = "pg_catalog";
/// The SQL standard's schema.
pub(crate) const INFORMATION_SCHEMA: &str = "information_schema";

/// Every list of system tables.
const TABLES: &[&[SystemTable]] = &[
    activity::TABLES,
    analyses::TABLES,
    attributes::TABLES,
    class_info::TABLES,
    classes::TABLES,
    commits::TABLES,
    connections::TABLES,
    constraints::TABLES,
    databases::TABLES,
    empty::TABLES,
    encodings::TABLES,
    external::TABLES,
    external_queries::TABLES,
    external_slices::TABLES,
    grants::TABLES,
    history::TABLES,
    indexes::TABLES,
    information::TABLES,
    late_binding::TABLES,
    loaded_files::TABLES,
    loads::TABLES,
    locks::TABLES,
    metrics::TABLES,
    plans::TABLES,
    materialized::TABLES,
    procedures::TABLES,
    query_detail::TABLES,
    redshift::TABLES,
    row_functions::TABLES,
    settings::TABLES,
    standard::TABLES,
    status::TABLES,
    steps::TABLES,
    storage::TABLES,
    unloads::TABLES,
    types::TABLES,
    users::TABLES,
    streams::TABLES,
    vacuums::TABLES,
    wlm::TABLES,
];

/// All system tables.
pub(crate) fn all() -> impl Iterator<Item = &'static SystemTable> {
    TABLES.iter().copied().flatten()
}

/// The system table of a name; without a schema one of `pg_catalog`.
pub(crate) fn find(schema: Option<&str>, name: &str) -> Option<&'static SystemTable> {
    let schema = schema.unwrap_or(PG_CATALOG);
    if schema == SHOWN {
        return shown::TABLES.iter().find(|table| table.name == name);
    }
    all().find(|table| table.name == name && table.schema == schema)
}

/// Whether a system table stands for a function that gives rows.
pub(crate) fn is_function(table: &SystemTable) -> bool {
    late_binding::TABLES.iter().chain(row_functions::TABLES).any(|function| function.name == table.name)
}

/// A system table's number in `pg_class`.
pub(crate) fn table_oid(table: &SystemTable) -> i64 {
    oid::system(table.schema, table.name)
}

/// Whether a schema is one of the system's.
pub(crate) fn is_schema(name: &str) -> bool {
    name == PG_CATALOG || name == INFORMATION_SCHEMA || name == SHOWN
}

/// Whether the user sees what others did.
pub(crate) async fn sees_all(context: &Context) -> crate::error::Result<bool> {
    let snapshot = context.snapshot().await?;
    let user = snapshot.principals().users.get(&context.who().user);
    Ok(user.is_some_and(|user| user.superuser || user.syslog_unrestricted))
}
