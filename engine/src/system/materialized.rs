//! Materialized views as Redshift's administrators look at them: `stv_mv_info`, `svv_mv_info`, `svl_mv_refresh_status`.

use super::table::Kind::{Int4, Int8, Text, Time};
use super::table::NULL;
use super::{DATABASE, PG_CATALOG, Rows, SystemTable, row};
use crate::error::Result;
use crate::session::Context;
use crate::tables;
use millrace_catalog::model::{ADMIN, ManagedTable, MaterializedView};
use std::sync::Arc;

pub(super) const TABLES: &[SystemTable] = &[
    SystemTable {
        schema: PG_CATALOG,
        name: "stv_mv_info",
        columns: &[
            ("db_name", Text),
            ("schema", Text),
            ("name", Text),
            ("updated_upto_xid", Int8),
            ("is_stale", Text),
            ("owner_user_name", Text),
            ("state", Int4),
            ("autorewrite", Text),
            ("autorefresh", Text),
        ],
        rows: |context| {
            Box::pin(async {
                let mut rows = Rows::new();
                for (table, view) in views(context).await? {
                    let stale = stale(context, &view).await?;
                    let owner = owner(&table);
                    let (schema, name) = (&table.schema, &table.name);
                    rows.push(row![DATABASE, schema, name, NULL, stale, owner, 0, "f", "f"]);
                }
                Ok(rows)
            })
        },
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "svv_mv_info",
        columns: &[
            ("database_name", Text),
            ("schema_name", Text),
            ("user_name", Text),
            ("name", Text),
            ("is_stale", Text),
            ("state", Int4),
            ("autorewrite", Text),
            ("autorefresh", Text),
        ],
        rows: |context| {
            Box::pin(async {
                let mut rows = Rows::new();
                for (table, view) in views(context).await? {
                    let stale = stale(context, &view).await?;
                    rows.push(row![DATABASE, &table.schema, owner(&table), &table.name, stale, 0, "f", "f"]);
                }
                Ok(rows)
            })
        },
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "svl_mv_refresh_status",
        columns: &[
            ("db_name", Text),
            ("userid", Int8),
            ("schema_name", Text),
            ("mv_name", Text),
            ("xid", Int8),
            ("starttime", Time),
            ("endtime", Time),
            ("status", Text),
            ("refresh_type", Text),
        ],
        rows: |context| {
            Box::pin(async {
                let snapshot = context.snapshot().await?;
                let mut rows = Rows::new();
                for (table, view) in views(context).await? {
                    let user = snapshot.principals().user_id(&owner(&table));
                    let status = "Refresh successfully recomputed MV from scratch";
                    let (schema, name) = (&table.schema, &table.name);
                    let (begin, end) = (view.begin_ms * 1000, view.end_ms * 1000);
                    rows.push(row![DATABASE, user, schema, name, NULL, begin, end, status, "Manual"]);
                }
                Ok(rows)
            })
        },
    },
];

fn owner(table: &ManagedTable) -> String {
    table.attributes.owner.clone().unwrap_or_else(|| ADMIN.to_owned())
}

/// The materialized views that the statement sees, by schema and name.
async fn views(context: &Context) -> Result<Vec<(Arc<ManagedTable>, MaterializedView)>> {
    let snapshot = context.snapshot().await?;
    let mut found = Vec::new();
    for database in snapshot.databases() {
        let tables = context.transaction().lock().await.tables(context.warehouse(), &database.name).await?;
        found.extend(tables.into_iter().filter_map(|table| {
            let view = table.attributes.materialized.clone()?;
            Some((table, view))
        }));
    }
    Ok(found)
}

/// `t` where the tables that a view reads may have changed since it was refreshed.
async fn stale(context: &Context, view: &MaterializedView) -> Result<&'static str> {
    let Some(seen) = &view.seen else { return Ok("t") };
    let mut transaction = context.transaction().lock().await;
    for (id, held) in seen {
        let Some(table) = transaction.table_by_id(context.warehouse(), *id).await? else { return Ok("t") };
        let contents = transaction.contents(context.warehouse(), &table).await?;
        if tables::held(&table, &contents.files, &contents.inlined).as_ref() != Some(held) {
            return Ok("t");
        }
    }
    Ok("f")
}
