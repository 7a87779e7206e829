//! Columns: `pg_attribute`, `pg_attribute_info`, `pg_attrdef`, `pg_table_def`.

use super::table::Kind::{Bool, Int2, Int4, Oid, Text, Texts};
use super::table::NULL;
use super::{
    Column, PG_CATALOG, Relation, RelationKind, Rows, SystemTable, Value, all, classes, indexes, oid, relations, row,
    types,
};
use crate::error::Result;
use crate::session::Context;
use millrace_catalog::model::Securable;

/// The compressions of `format_encoding`, by `attencodingtype`.
const ENCODINGS: &[(&str, i64)] = &[
    ("raw", 0),
    ("bytedict", 1),
    ("delta", 2),
    ("lzo", 3),
    ("delta32k", 4),
    ("mostly8", 7),
    ("mostly16", 8),
    ("mostly32", 9),
    ("runlength", 10),
    ("text255", 11),
    ("text32k", 12),
    ("zstd", 13),
    ("az64", 14),
];

/// `attencodingtype` of a column; AUTO shows what Redshift chooses by type.
fn encoding(column: &Column) -> i64 {
    let name = column.encoding.as_deref().filter(|name| *name != "auto").unwrap_or_else(|| default_encoding(column));
    ENCODINGS.iter().find(|(known, _)| *known == name).map_or(0, |(_, number)| *number)
}

/// What Redshift's documentation says ENCODE AUTO begins with: raw for sort keys, booleans and floats, AZ64 for other
/// numbers and times, LZO for the rest.
fn default_encoding(column: &Column) -> &'static str {
    let (oid, _) = types::of_text(&column.data_type);
    if column.sort_key != 0 {
        return "raw";
    }
    match oid {
        16 | 700 | 701 | 3000 | 3001 => "raw",
        20 | 21 | 23 | 1082 | 1083 | 1114 | 1184 | 1188 | 1190 | 1266 | 1700 => "az64",
        4000 => "zstd",
        _ => "lzo",
    }
}

/// The name of a compression by its number, as `format_encoding` gives it.
pub(crate) fn encoding_name(number: i64) -> &'static str {
    match number {
        0 => "none",
        _ => ENCODINGS.iter().find(|(_, known)| *known == number).map_or("none", |(name, _)| name),
    }
}

/// A row of `pg_attribute`: a column as it stands in a table or an index.
fn attribute(owner: i64, column: &Column, number: i64, access: Value) -> Vec<Value> {
    let (type_oid, modifier) = types::of_text(&column.data_type);
    row![
        owner,
        &column.name,
        type_oid,
        -1,
        types::length_of(type_oid),
        number,
        0,
        -1,
        modifier,
        types::length_of(type_oid) > 0,
        "x",
        "i",
        !column.nullable,
        column.default.is_some(),
        false,
        true,
        0,
        "",
        "",
        0,
        encoding(column),
        column.distribution_key,
        column.sort_key,
        access
    ]
}

async fn attributes(context: &Context) -> Result<Rows> {
    let mut rows = Rows::new();
    let snapshot = context.snapshot().await?;
    for relation in relations(context).await?.iter().filter(|relation| relation.is_local()) {
        for column in &relation.columns {
            let object = Securable::Column(relation.schema.clone(), relation.name.clone(), column.name.clone());
            let access = classes::access_list(snapshot.principals(), &object);
            rows.push(attribute(relation.oid, column, column.number, access));
        }
        for index in indexes::of(relation) {
            let columns = index.columns.iter().enumerate();
            rows.extend(columns.map(|(at, column)| attribute(index.oid, column, at as i64 + 1, Value::Null)));
        }
    }
    for table in all() {
        for (at, (name, kind)) in table.columns.iter().enumerate() {
            let type_oid = system_type(*kind);
            let length = types::length_of(type_oid);
            rows.push(row![
                oid::system(table.schema, table.name),
                *name,
                type_oid,
                -1,
                length,
                at + 1,
                0,
                -1,
                -1,
                length > 0,
                "x",
                "i",
                false,
                false,
                false,
                true,
                0,
                "",
                "",
                0,
                0,
                false,
                0,
                NULL
            ]);
        }
    }
    Ok(rows)
}

/// The type's number of a system table's column.
pub(crate) fn system_type(kind: super::Kind) -> i64 {
    match kind {
        super::Kind::Bool => 16,
        super::Kind::Int2 => 21,
        super::Kind::Int4 => 23,
        super::Kind::Int8 => 20,
        super::Kind::Real => 700,
        super::Kind::Double => 701,
        super::Kind::Numeric(..) => 1700,
        super::Kind::Oid => 26,
        super::Kind::Text => 25,
        super::Kind::Date => 1082,
        super::Kind::Time => 1114,
        super::Kind::Int2s => 1005,
        super::Kind::Oids => 1028,
        super::Kind::Texts => 1009,
        super::Kind::Pairs => 2287,
    }
}

async fn defaults(context: &Context) -> Result<Rows> {
    let mut rows = Rows::new();
    for relation in relations(context).await?.iter().filter(|relation| relation.is_local()) {
        for column in &relation.columns {
            if let Some(default) = &column.default {
                rows.push(row![relation.oid * 1000 + column.number, relation.oid, column.number, default, default]);
            }
        }
    }
    // The first column is unique; clients only compare it.
    for (at, row) in rows.iter_mut().enumerate() {
        row[0] = (at + 1).into();
    }
    Ok(rows)
}

/// `pg_table_def`: the columns of tables in the search path, as Redshift documents it.
async fn table_def(context: &Context) -> Result<Rows> {
    let found = relations(context).await?;
    let snapshot = context.snapshot().await?;
    let path = context.path().iter().filter_map(|schema| snapshot.resolve_schema(schema));
    let path: Vec<&str> = path.map(|database| database.name.as_str()).collect();
    let shown = found.iter().filter(|relation: &&Relation| {
        relation.kind == RelationKind::Table && path.contains(&relation.schema.as_str())
    });
    let rows = shown.flat_map(|relation| {
        relation.columns.iter().map(|column| {
            row![
                &relation.schema,
                &relation.name,
                &column.name,
                &column.data_type,
                encoding_name(encoding(column)),
                column.distribution_key,
                column.sort_key,
                !column.nullable
            ]
        })
    });
    Ok(rows.collect())
}

/// A column's compression as text, for `svv_*`.
pub(super) fn encoding_of(column: &Column) -> &'static str {
    encoding_name(encoding(column))
}

/// The columns of `pg_attribute`.
const ATTRIBUTE: &[(&str, super::Kind)] = &[
    ("attrelid", Oid),
    ("attname", Text),
    ("atttypid", Oid),
    ("attstattarget", Int4),
    ("attlen", Int2),
    ("attnum", Int2),
    ("attndims", Int4),
    ("attcacheoff", Int4),
    ("atttypmod", Int4),
    ("attbyval", Bool),
    ("attstorage", Text),
    ("attalign", Text),
    ("attnotnull", Bool),
    ("atthasdef", Bool),
    ("attisdropped", Bool),
    ("attislocal", Bool),
    ("attinhcount", Int4),
    ("attidentity", Text),
    ("attgenerated", Text),
    ("attcollation", Oid),
    ("attencodingtype", Int2),
    ("attisdistkey", Bool),
    ("attsortkeyord", Int4),
    ("attacl", Texts),
];

pub(super) const TABLES: &[SystemTable] = &[
    SystemTable {
        schema: PG_CATALOG,
        name: "pg_attribute",
        columns: ATTRIBUTE,
        rows: |context| Box::pin(attributes(context)),
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "pg_attribute_info",
        columns: ATTRIBUTE,
        rows: |context| Box::pin(attributes(context)),
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "pg_attrdef",
        columns: &[("oid", Oid), ("adrelid", Oid), ("adnum", Int2), ("adbin", Text), ("adsrc", Text)],
        rows: |context| Box::pin(defaults(context)),
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "pg_table_def",
        columns: &[
            ("schemaname", Text),
            ("tablename", Text),
            ("column", Text),
            ("type", Text),
            ("encoding", Text),
            ("distkey", Bool),
            ("sortkey", Int4),
            ("notnull", Bool),
        ],
        rows: |context| Box::pin(table_def(context)),
    },
];
