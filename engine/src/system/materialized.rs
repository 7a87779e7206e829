//! Materialized views as Redshift's administrators look at them: `stv_mv_info`, `svv_mv_info`, `svv_mv_dependency`,
//! `svl_mv_refresh_status`, `sys_mv_refresh_history`.

use super::table::Kind::{Int4, Int8, Text, Time};
use super::table::NULL;
use super::{DATABASE, PG_CATALOG, Rows, SystemTable, row, sees_all};
use crate::error::Result;
use crate::journal::RefreshRecord;
use crate::resolve::{self, Lost};
use crate::session::Context;
use crate::tables;
use millrace_catalog::model::{ADMIN, ManagedTable, MaterializedView};
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
    /// Whether what it reads may have changed.
    stale: &'static str,
    /// Whether it is refreshed incrementally, or why it cannot be refreshed.
    state: i32,
    /// Whether it is refreshed by itself.
    automatic: &'static str,
}

async fn infos(context: &Context) -> Result<Vec<Info>> {
    let flag = |is: bool| if is { "t" } else { "f" };
    let mut infos = Vec::new();
    for view in views(context).await? {
        let stale = staleness(context, &view).await?.flag();
        let owner = view.attributes.owner.clone().unwrap_or_else(|| ADMIN.to_owned());
        let materialized = view.attributes.materialized.as_ref();
        let state = match materialized {
            Some(materialized) => state(context, materialized).await?,
            None => 0,
        };
        let automatic = flag(materialized.is_some_and(|view| view.auto_refresh));
        infos.push(Info { view, owner, stale, state, automatic });
    }
    Ok(infos)
}

/// The materialized views that the statement sees, by schema and name.
async fn views(context: &Context) -> Result<Vec<Arc<ManagedTable>>> {
    context.transaction().lock().await.materialized_views(context.warehouse()).await
}

/// Redshift's `state`: 0 is computed anew at each refresh, 1 refreshed incrementally, others cannot be refreshed.
async fn state(context: &Context, view: &MaterializedView) -> Result<i32> {
    Ok(match resolve::lost_by(context, view).await? {
        Some(Lost::Relation) => 103,
        Some(Lost::Schema) => 105,
        None => i32::from(view.incremental),
    })
}

/// Whether a materialized view's rows are what its query gives now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Staleness {
    /// They are.
    Fresh,
    /// They may not be.
    Stale,
    /// Nobody can tell, because the query reads tables of others.
    Unknown,
}

impl Staleness {
    /// As Redshift's `is_stale` has it.
    fn flag(self) -> &'static str {
        match self {
            Self::Fresh => "f",
            Self::Stale => "t",
            Self::Unknown => "u",
        }
    }
}

/// Whether what a materialized view's rows were computed of may have changed since; the statement does not count as a
/// reader of it.
pub(crate) async fn staleness(context: &Context, view: &ManagedTable) -> Result<Staleness> {
    let Some(view) = &view.attributes.materialized else { return Ok(Staleness::Fresh) };
    // A definition that cannot be read is another one.
    if resolve::definitions(context, view).await.ok().as_ref() != Some(&view.definitions) {
        return Ok(Staleness::Stale);
    }
    let Some(seen) = &view.seen else {
        return Ok(if view.external { Staleness::Unknown } else { Staleness::Stale });
    };
    let mut transaction = context.transaction().lock().await;
    for (id, held) in seen {
        let Some(table) = transaction.table_by_id(context.warehouse(), *id).await? else {
            return Ok(Staleness::Stale);
        };
        let contents = transaction.peek(context.warehouse(), &table).await?;
        if tables::held(&table, &contents.files, &contents.inlined).as_ref() != Some(held) {
            return Ok(Staleness::Stale);
        }
    }
    Ok(Staleness::Fresh)
}
