//! The indexes that primary keys and unique constraints have in `pg_catalog`, as Redshift shows them.
//!
//! There are none behind them: the constraints are informational. But drivers find keys by `pg_index` and the index's
//! row in `pg_class`, as PostgreSQL has them.

use super::table::Kind::{Bool, Int2, Int2s, Oid, Oids, Text};
use super::table::NULL;
use super::{Column, PG_CATALOG, Relation, Rows, SystemTable, Value, constraints, oid, quoted, relations, row};
use crate::error::Result;
use crate::session::Context;

/// An index that a constraint stands for.
pub(super) struct Index<'a> {
    pub(super) oid: i64,
    /// The constraint's name.
    pub(super) name: &'a str,
    /// Whether the constraint is the primary key.
    pub(super) is_primary: bool,
    /// In the order of the key.
    pub(super) columns: Vec<&'a Column>,
}

/// The indexes of a relation.
pub(super) fn of(relation: &Relation) -> Vec<Index<'_>> {
    let keys = constraints::of(relation).filter(|key| !key.is_foreign());
    let each = keys.map(|key| Index {
        oid: oid::index(relation.oid, key.name),
        name: key.name,
        is_primary: key.is_primary(),
        columns: key.columns,
    });
    each.collect()
}

/// The statement that would make an index, by its number in `pg_class`, or one of its columns, counted from 1.
pub(crate) fn index_text(relations: &[Relation], number: i64, column: i64) -> Option<String> {
    relations.iter().find_map(|relation| {
        let index = of(relation).into_iter().find(|index| index.oid == number)?;
        match usize::try_from(column).ok()?.checked_sub(1) {
            None => Some(statement(relation, &index)),
            Some(at) => index.columns.get(at).map(|column| quoted(&column.name)),
        }
    })
}

fn statement(relation: &Relation, index: &Index<'_>) -> String {
    let columns: Vec<String> = index.columns.iter().map(|column| quoted(&column.name)).collect();
    let (name, table) = (quoted(index.name), relation.qualified());
    format!("CREATE UNIQUE INDEX {name} ON {table} USING btree ({})", columns.join(", "))
}

async fn named(context: &Context) -> Result<Rows> {
    let mut rows = Rows::new();
    for relation in relations(context).await? {
        for index in of(&relation) {
            let text = statement(&relation, &index);
            rows.push(row![&relation.schema, &relation.name, index.name, NULL, text]);
        }
    }
    Ok(rows)
}

async fn index(context: &Context) -> Result<Rows> {
    let mut rows = Rows::new();
    for relation in relations(context).await? {
        for index in of(&relation) {
            let count = index.columns.len();
            rows.push(row![
                index.oid,
                relation.oid,
                Value::Ints(index.columns.iter().map(|column| column.number).collect()),
                Value::Ints(vec![0; count]),
                count,
                true,
                index.is_primary,
                false,
                true,
                NULL,
                NULL,
                true
            ]);
        }
    }
    Ok(rows)
}

pub(super) const TABLES: &[SystemTable] = &[
    SystemTable {
        schema: PG_CATALOG,
        name: "pg_index",
        columns: &[
            ("indexrelid", Oid),
            ("indrelid", Oid),
            ("indkey", Int2s),
            ("indclass", Oids),
            ("indnatts", Int2),
            ("indisunique", Bool),
            ("indisprimary", Bool),
            ("indisclustered", Bool),
            ("indisvalid", Bool),
            ("indexprs", Text),
            ("indpred", Text),
            // PostgreSQL's since 8.5, which psql asks for.
            ("indimmediate", Bool),
        ],
        rows: |context| Box::pin(index(context)),
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "pg_indexes",
        columns: &[
            ("schemaname", Text),
            ("tablename", Text),
            ("indexname", Text),
            ("tablespace", Text),
            ("indexdef", Text),
        ],
        rows: |context| Box::pin(named(context)),
    },
];
