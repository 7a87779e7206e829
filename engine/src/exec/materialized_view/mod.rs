//! Materialized views: managed tables with the query that fills them. A refresh adds what new rows of its table give, or
//! computes the query anew and puts the rows in the place of the old ones, in one transaction.

mod incremental;
mod seen;

use self::incremental::{Added, added, is_incremental};
use self::seen::{Seen, contents_of, views_below};
use super::ddl::is_missing;
use super::{done, managed, query, skipping};
use crate::error::{Error, ErrorKind, Result};
use crate::journal::{RefreshRecord, now_us};
use crate::resolve::{self, Relation, rights};
use crate::result::{CommandTag, Notice, Severity, StatementResult};
use crate::session::{Context, written_path};
use crate::sql::{CreateTable, MaterializedViewStatement, ObjectName};
use crate::system;
use datafusion::logical_expr::LogicalPlan;
use futures::future::BoxFuture;
use millrace_catalog::model::{ManagedTable, MaterializedView};
use std::sync::Arc;

/// How deep materialized views may stand on each other.
const MAX_DEPTH: usize = 32;

/// Executes a statement.
pub(crate) async fn execute(context: &Context, statement: &MaterializedViewStatement) -> Result<StatementResult> {
    match statement {
        MaterializedViewStatement::Create { table, text } => create(context, table, text).await,
        MaterializedViewStatement::Refresh { name, cascade } => {
            let mut notices = Vec::new();
            let view = find(context, name).await?;
            refresh(context, view, *cascade, &mut notices, 0).await?;
            Ok(done(CommandTag::Verb("REFRESH MATERIALIZED VIEW"), notices))
        }
        MaterializedViewStatement::Drop { names, if_exists, cascade } => {
            drop_views(context, names, *if_exists, *cascade).await
        }
    }
}

/// The materialized view of a name.
async fn find(context: &Context, name: &ObjectName) -> Result<Arc<ManagedTable>> {
    let wrong = |name: &str| Error::new(ErrorKind::WrongObjectType, format!("\"{name}\" is not a materialized view"));
    match resolve::find_relation(context, name).await? {
        Relation::Managed(table) if table.attributes.materialized.is_some() => Ok(table),
        Relation::Managed(table) => Err(wrong(&table.name)),
        Relation::Catalog(table) => Err(wrong(&table.name)),
        Relation::Foreign(_) => Err(wrong(name.parts.last().map_or("", String::as_str))),
    }
}

async fn create(context: &Context, table: &CreateTable, text: &str) -> Result<StatementResult> {
    if let Some(query) = &table.query
        && let Some(temporary) = resolve::named_temporary(context, query).await?
    {
        return Err(Error::unsupported(format!("a materialized view over the temporary table \"{}\"", temporary.name)));
    }
    let plan = match &table.query {
        Some(query) => query::logical_plan(context, query).await?,
        None => return Err(Error::internal("a materialized view without a query")),
    };
    let Seen { tables, snapshot, is_steady } = contents_of(context, &plan).await?;
    let (text, search_path) = (text.trim().to_owned(), written_path(context.path()));
    let incremental = is_steady && is_incremental(&plan);
    let materialized =
        MaterializedView { text, search_path, incremental, version: new_version(), seen: tables, snapshot };
    managed::create_materialized(context, table, materialized).await?;
    Ok(done(CommandTag::Verb("CREATE MATERIALIZED VIEW"), vec![]))
}

/// What stands for a view's new rows.
fn new_version() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// The plan of a view's query now.
async fn plan_of(context: &Context, name: &str, materialized: &MaterializedView) -> Result<LogicalPlan> {
    let plan = resolve::plan_of_text(context, &materialized.text, &materialized.search_path).await;
    // A place in its text is none in the statement's.
    plan.map_err(|error| {
        let place = format!("in the query of materialized view \"{name}\"");
        let detail = error.detail.as_ref().map_or(place.clone(), |detail| format!("{place}: {detail}"));
        Error { position: None, ..error }.with_detail(detail)
    })
}

fn refresh<'a>(
    context: &'a Context,
    view: Arc<ManagedTable>,
    cascade: bool,
    notices: &'a mut Vec<Notice>,
    depth: usize,
) -> BoxFuture<'a, Result<()>> {
    Box::pin(async move {
        if depth > MAX_DEPTH {
            let message = format!("materialized views stand on each other more than {MAX_DEPTH} deep");
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        rights::check_owner(context, &view.name, view.attributes.owner.as_ref()).await?;
        let Some(materialized) = view.attributes.materialized.clone() else {
            return Err(Error::internal("a materialized view lost its query"));
        };
        if cascade {
            let plan = plan_of(context, &view.name, &materialized).await?;
            for below in views_below(&plan)? {
                refresh(context, below, true, &mut *notices, depth + 1).await?;
            }
        }
        let start_us = now_us();
        let refreshed = bring_up(context, &view, materialized).await;
        let status = match &refreshed {
            Ok(Refreshed::Recomputed) => "Refresh successfully recomputed MV from scratch".to_owned(),
            Ok(Refreshed::Added) => "Refresh successfully updated MV incrementally".to_owned(),
            Ok(Refreshed::UpToDate { .. }) => "MV was already updated".to_owned(),
            Err(error) => format!("Refresh failed. {}", error.message),
        };
        let who = context.who();
        context.warehouse().journal().record(&RefreshRecord {
            user: who.user.clone(),
            xid: who.xid,
            pid: who.pid,
            schema: view.schema.clone(),
            view: view.name.clone(),
            view_id: system::managed_oid(view.id),
            start_us,
            end_us: now_us(),
            status,
            automatic: false,
        });
        let name = &view.name;
        let message = match refreshed? {
            Refreshed::Recomputed => format!("Materialized view {name} was recomputed successfully."),
            Refreshed::Added => format!("Materialized view {name} was incrementally updated successfully."),
            Refreshed::UpToDate { below: true } => format!("Materialized view {name} is already up to date."),
            Refreshed::UpToDate { below: false } => format!(
                "Materialized view {name} is already up to date. However, it depends on another materialized view \
                 that is not up to date."
            ),
        };
        notices.push(Notice { severity: Severity::Info, message });
        Ok(())
    })
}

/// What a refresh did.
enum Refreshed {
    /// All rows are new.
    Recomputed,
    /// What new rows of its table gave was added.
    Added,
    /// There was nothing to do.
    UpToDate {
        /// Whether the materialized views that it reads are up to date too.
        below: bool,
    },
}

/// Gives a view the rows that its query gives now.
async fn bring_up(context: &Context, view: &Arc<ManagedTable>, materialized: MaterializedView) -> Result<Refreshed> {
    let plan = plan_of(context, &view.name, &materialized).await?;
    let Seen { tables, snapshot, .. } = contents_of(context, &plan).await?;
    if tables.is_some() && tables == materialized.seen {
        let mut below = true;
        for view in views_below(&plan)? {
            below &= !system::is_stale(context, &view).await?;
        }
        return Ok(Refreshed::UpToDate { below });
    }
    let added = if tables.is_some() { added(context, view, &materialized, &plan).await? } else { None };
    let refreshed = match added {
        None => {
            managed::replace_rows(context, view, plan).await?;
            Refreshed::Recomputed
        }
        Some(Added::Rows(rows)) => {
            managed::append_rows(context, view, rows).await?;
            Refreshed::Added
        }
        Some(Added::Groups(rows)) => {
            managed::replace_rows(context, view, rows).await?;
            Refreshed::Added
        }
    };
    let mut transaction = context.transaction().lock().await;
    let now = transaction.table(context.warehouse(), &view.schema, &view.name).await?;
    let now = now.ok_or_else(|| Error::internal("a materialized view was lost"))?;
    let mut changed = now.as_ref().clone();
    changed.attributes.materialized =
        Some(MaterializedView { version: new_version(), seen: tables, snapshot, ..materialized });
    transaction.alter(context.warehouse(), &now, changed).await?;
    Ok(refreshed)
}

async fn drop_views(
    context: &Context,
    names: &[ObjectName],
    if_exists: bool,
    cascade: bool,
) -> Result<StatementResult> {
    let mut notices = Vec::new();
    for name in names {
        let view = match find(context, name).await {
            Err(error) if if_exists && is_missing(&error) => {
                notices.push(skipping("materialized view", &name.parts.join("."), "does not exist"));
                continue;
            }
            found => found?,
        };
        rights::check_owner(context, &view.name, view.attributes.owner.as_ref()).await?;
        super::ddl::drop_managed(context, &view, cascade).await?;
    }
    Ok(done(CommandTag::Verb("DROP MATERIALIZED VIEW"), notices))
}
