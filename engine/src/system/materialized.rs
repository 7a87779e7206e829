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
use millrace_catalog::model::{ADMIN, ManagedTable};
use std::collections::BTreeSet;
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
                let views = infos(context).await?.into_iter();
                let rows = views.map(|Info { view, owner, stale, state, automatic }| {
                    row![DATABASE, &view.schema, &view.name, NULL, stale, owner, state, "f", automatic]
                });
                Ok(rows.collect())
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
                let views = infos(context).await?.into_iter();
                let rows = views.map(|Info { view, owner, stale, state, automatic }| {
                    row![DATABASE, &view.schema, owner, &view.name, stale, state, "f", automatic]
                });
                Ok(rows.collect())
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
                let known: BTreeSet<_> = views.iter().map(|view| (view.schema.clone(), view.name.clone())).collect();
                let mut rows = Rows::new();
                for view in &views {
                    let Some(materialized) = &view.attributes.materialized else { continue };
                    let read = resolve::names_in_materialized(&snapshot, materialized);
                    for (schema, name) in read.intersection(&known) {
                        rows.push(row![DATABASE, &view.schema, &view.name, DATABASE, schema, name]);
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
            ("consumer_account", Text),
            ("consumer_region", Text),
            ("consumer_namespace", Text),
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
                        if record.automatic { "Auto" } else { "Manual" },
                        NULL,
                        NULL,
                        NULL
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

/// What both tables of views tell.
struct Info {
    view: Arc<ManagedTable>,
    owner: String,
    /// Whether what it reads may have changed: `t`, `f`.
    stale: &'static str,
    /// 1 for one that is refreshed incrementally.
    state: i32,
    /// Whether it is refreshed by itself.
    automatic: &'static str,
}

async fn infos(context: &Context) -> Result<Vec<Info>> {
    let flag = |is: bool| if is { "t" } else { "f" };
    let mut infos = Vec::new();
    for view in views(context).await? {
        let stale = flag(is_stale(context, &view).await?);
        let owner = view.attributes.owner.clone().unwrap_or_else(|| ADMIN.to_owned());
        let materialized = view.attributes.materialized.as_ref();
        let state = i32::from(materialized.is_some_and(|view| view.incremental));
        let automatic = flag(materialized.is_some_and(|view| view.auto_refresh));
        infos.push(Info { view, owner, stale, state, automatic });
    }
    Ok(infos)
}

/// The materialized views that the statement sees, by schema and name.
async fn views(context: &Context) -> Result<Vec<Arc<ManagedTable>>> {
    context.transaction().lock().await.materialized_views(context.warehouse()).await
}

/// Whether what a materialized view's rows were computed of may have changed since; the statement does not count as a
/// reader of it.
pub(crate) async fn is_stale(context: &Context, view: &ManagedTable) -> Result<bool> {
    let Some(view) = &view.attributes.materialized else { return Ok(false) };
    let Some(seen) = &view.seen else { return Ok(true) };
    // A definition that cannot be read is another one.
    if resolve::definitions(context, view).await.ok().as_ref() != Some(&view.definitions) {
        return Ok(true);
    }
    let mut transaction = context.transaction().lock().await;
    for (id, held) in seen {
        let Some(table) = transaction.table_by_id(context.warehouse(), *id).await? else { return Ok(true) };
        let contents = transaction.peek(context.warehouse(), &table).await?;
        if tables::held(&table, &contents.files, &contents.inlined).as_ref() != Some(held) {
            return Ok(true);
        }
    }
    Ok(false)
}
