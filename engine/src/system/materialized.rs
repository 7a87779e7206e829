//! Materialized views as Redshift's administrators look at them: `stv_mv_info`, `svv_mv_info`, `svv_mv_dependency`,
//! `svl_mv_refresh_status`, `sys_mv_refresh_history`.

use super::table::Kind::{Int4, Int8, Text, Time};
use super::table::NULL;
use super::{DATABASE, PG_CATALOG, Rows, SystemTable, row, sees_all};
use crate::error::Result;
use crate::journal::RefreshRecord;
use crate::resolve;
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
                    let state = i32::from(view.incremental);
                    rows.push(row![DATABASE, schema, name, NULL, stale, owner, state, "f", automatic(&view)]);
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
                    let (owner, state) = (owner(&table), i32::from(view.incremental));
                    rows.push(row![DATABASE, &table.schema, owner, &table.name, stale, state, "f", automatic(&view)]);
                }
                Ok(rows)
            })
        },
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "svv_mv_dependency",
        columns: &[
            ("database_name", Text),
            ("schema_name", Text),
            ("name", Text),
            ("dependent_database_name", Text),
            ("dependent_schema_name", Text),
            ("dependent_name", Text),
        ],
        rows: |context| {
            Box::pin(async {
                let snapshot = context.snapshot().await?;
                let views = views(context).await?;
                let mut rows = Rows::new();
                for (table, view) in &views {
                    for (schema, name) in resolve::names_in_materialized(&snapshot, view) {
                        if views.iter().any(|(known, _)| known.schema == schema && known.name == name) {
                            rows.push(row![DATABASE, &table.schema, &table.name, DATABASE, schema, name]);
                        }
                    }
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
                let rows = refreshes(context).await?.into_iter().map(|record| {
                    row![
                        DATABASE,
                        snapshot.principals().user_id(&record.user),
                        record.schema,
                        record.view,
                        record.xid,
                        record.start_us,
                        record.end_us,
                        record.status,
                        if record.automatic { "Auto" } else { "Manual" }
                    ]
                });
                Ok(rows.collect())
            })
        },
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "sys_mv_refresh_history",
        columns: &[
            ("user_id", Int4),
            ("session_id", Int4),
            ("transaction_id", Int8),
            ("database_name", Text),
            ("schema_name", Text),
            ("mv_id", Int8),
            ("mv_name", Text),
            ("refresh_type", Text),
            ("status", Text),
            ("start_time", Time),
            ("end_time", Time),
            ("duration", Int8),
            ("consumer_account", Text),
            ("consumer_region", Text),
            ("consumer_namespace", Text),
        ],
        rows: |context| {
            Box::pin(async {
                let snapshot = context.snapshot().await?;
                let rows = refreshes(context).await?.into_iter().map(|record| {
                    row![
                        snapshot.principals().user_id(&record.user),
                        record.pid,
                        record.xid,
                        DATABASE,
                        record.schema,
                        record.view_id,
                        record.view,
                        if record.automatic { "Auto" } else { "Manual" },
                        record.status,
                        record.start_us,
                        record.end_us,
                        record.end_us - record.start_us,
                        NULL,
                        NULL,
                        NULL
                    ]
                });
                Ok(rows.collect())
            })
        },
    },
];

/// Refreshes that the user may see, oldest first.
async fn refreshes(context: &Context) -> Result<Vec<RefreshRecord>> {
    let everything = sees_all(context).await?;
    let user = &context.who().user;
    let mut records: Vec<RefreshRecord> = context.warehouse().journal().read().await?;
    records.retain(|record| everything || record.user == *user);
    Ok(records)
}

fn automatic(view: &MaterializedView) -> &'static str {
    if view.stream.as_ref().is_some_and(|stream| stream.auto_refresh) { "t" } else { "f" }
}

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

async fn stale(context: &Context, view: &MaterializedView) -> Result<&'static str> {
    Ok(if has_changed(context, view).await? { "t" } else { "f" })
}

/// Whether the tables that a materialized view reads may have changed since it was refreshed.
pub(crate) async fn is_stale(context: &Context, view: &ManagedTable) -> Result<bool> {
    match &view.attributes.materialized {
        Some(view) => has_changed(context, view).await,
        None => Ok(false),
    }
}

async fn has_changed(context: &Context, view: &MaterializedView) -> Result<bool> {
    let Some(seen) = &view.seen else { return Ok(true) };
    let mut transaction = context.transaction().lock().await;
    for (id, held) in seen {
        let Some(table) = transaction.table_by_id(context.warehouse(), *id).await? else { return Ok(true) };
        let contents = transaction.contents(context.warehouse(), &table).await?;
        if tables::held(&table, &contents.files, &contents.inlined).as_ref() != Some(held) {
            return Ok(true);
        }
    }
    Ok(false)
}
