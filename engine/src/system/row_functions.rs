//! Functions that give rows and take what is known when they are resolved: `pg_get_cols`, `pg_get_session_roles`.
//!
//! Each stands here as a table. That of `pg_get_cols` has the columns of everything, of which a call takes those of one
//! relation.

use super::table::Kind::{Int4, Oid, Text};
use super::{PG_CATALOG, Rows, SystemTable, relations, row};
use crate::error::Result;
use crate::session::Context;

/// The function of a relation's columns.
pub(crate) const COLUMNS: &str = "pg_get_cols";

/// The column by which a call finds a relation's.
pub(crate) const RELATION: &str = "relation";

async fn columns(context: &Context) -> Result<Rows> {
    let mut rows = Rows::new();
    for relation in relations(context).await? {
        for column in &relation.columns {
            let number = column.number;
            rows.push(row![&relation.schema, &relation.name, &column.name, &column.data_type, number, relation.oid]);
        }
    }
    Ok(rows)
}

pub(super) const TABLES: &[SystemTable] = &[
    SystemTable {
        schema: PG_CATALOG,
        name: COLUMNS,
        columns: &[
            ("view_schema", Text),
            ("view_name", Text),
            ("col_name", Text),
            ("col_type", Text),
            ("col_num", Int4),
            (RELATION, Oid),
        ],
        rows: |context| Box::pin(columns(context)),
    },
    // Roles that an identity provider gives a session; no session here comes from one.
    SystemTable {
        schema: PG_CATALOG,
        name: "pg_get_session_roles",
        columns: &[("name", Text), ("roleid", Int4)],
        rows: |_| Box::pin(async { Ok(Rows::new()) }),
    },
];
