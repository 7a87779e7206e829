//! Materialized views: managed tables with the query that fills them. A refresh adds what new rows of its table give, or
//! computes the query anew and puts the rows in the place of the old ones, in one transaction. One of a stream takes the
//! records that came since the last refresh.

mod incremental;
mod seen;
mod stream;

use self::incremental::{Added, added, is_incremental};
use self::seen::{Seen, contents_of, views_below};
use self::stream::Taken;
use super::ddl::is_missing;
use super::dependents::drop_dependents;
use super::{done, managed, query, skipping};
use crate::error::{Error, ErrorKind, Result};
use crate::journal::{RefreshRecord, now_us};
use crate::resolve::{self, Ground, Relation, rights};
use crate::result::{CommandTag, Notice, Severity, StatementResult};
use crate::session::{Context, written_path};
use crate::sql::{CreateTable, MaterializedViewStatement, ObjectName};
use crate::system;
use datafusion::logical_expr::LogicalPlan;
use futures::future::BoxFuture;
use millrace_catalog::model::{ADMIN, ManagedTable, MaterializedView};
use std::collections::BTreeSet;
use std::sync::Arc;

/// How deep materialized views may stand on each other.
const MAX_DEPTH: usize = 32;

/// Executes a statement.
pub(crate) async fn execute(context: &Context, statement: &MaterializedViewStatement) -> Result<StatementResult> {
    match statement {
        MaterializedViewStatement::Create { table, text, auto_refresh } => {
            create(context, table, text, *auto_refresh).await
        }
        MaterializedViewStatement::Refresh { name, cascade, automatic } => {
            let mut notices = Vec::new();
            let view = find(context, name).await?;
            let wanted = Wanted { cascade: *cascade, automatic: *automatic };
            refresh(context, view, wanted, &mut notices, 0).await?;
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

/// How a view is refreshed.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    /// With those that it reads.
    cascade: bool,
    /// Nobody asked for it.
    automatic: bool,
}

async fn create(context: &Context, table: &CreateTable, text: &str, auto_refresh: bool) -> Result<StatementResult> {
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
    let stream = stream::stream_of(&plan, auto_refresh);
    if auto_refresh && stream.is_none() {
        let error = Error::unsupported("AUTO REFRESH YES of a materialized view that is not of a stream");
        return Err(error.with_hint("refresh it by REFRESH MATERIALIZED VIEW"));
    }
    let incremental = stream.is_some() || (is_steady && is_incremental(&plan));
    let mut materialized = MaterializedView {
        text,
        search_path,
        incremental,
        version: new_version(),
        seen: tables,
        snapshot,
        definitions: String::new(),
        stream,
    };
    materialized.definitions = resolve::definitions(context, &materialized).await?;
    managed::create_materialized(context, table, materialized).await?;
    Ok(done(CommandTag::Verb("CREATE MATERIALIZED VIEW"), vec![]))
}

/// What stands for a view's new rows.
fn new_version() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// The plan of a view's query now, which reads with the rights of the view's owner.
async fn plan_of(context: &Context, view: &ManagedTable, materialized: &MaterializedView) -> Result<LogicalPlan> {
    let owner = context.acting_as(view.attributes.owner.as_deref().unwrap_or(ADMIN));
    let plan = resolve::plan_of_text(&owner, &materialized.text, &materialized.search_path).await;
    plan.map_err(|error| error.within(&format!("in the query of materialized view \"{}\"", view.name)))
}

fn refresh<'a>(
    context: &'a Context,
    view: Arc<ManagedTable>,
    wanted: Wanted,
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
        if wanted.cascade {
            let plan = plan_of(context, &view, &materialized).await?;
            for below in views_below(&plan)? {
                refresh(context, below, wanted, &mut *notices, depth + 1).await?;
            }
        }
        let start_us = now_us();
        let record = |status: String| {
            let who = context.who();
            RefreshRecord {
                user: who.user.clone(),
                xid: who.xid,
                pid: who.pid,
                schema: view.schema.clone(),
                view: view.name.clone(),
                view_id: system::managed_oid(view.id),
                start_us,
                end_us: now_us(),
                status,
                automatic: wanted.automatic,
            }
        };
        let refreshed = match bring_up(context, &view, materialized, notices).await {
            Ok(refreshed) => refreshed,
            Err(error) => {
                context.warehouse().journal().record(&record(format!("Refresh failed. {}", error.message)));
                return Err(error);
            }
        };
        // One that nobody asked for and that did nothing is not worth a record.
        if !wanted.automatic || !matches!(refreshed, Refreshed::UpToDate { .. }) {
            context.transaction().lock().await.record(record(refreshed.status().to_owned()));
        }
        let name = &view.name;
        let message = match refreshed {
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

impl Refreshed {
    /// In the words of `svl_mv_refresh_status`.
    fn status(&self) -> &'static str {
        match self {
            Self::Recomputed => "Refresh successfully recomputed MV from scratch",
            Self::Added => "Refresh successfully updated MV incrementally",
            Self::UpToDate { .. } => "MV was already updated",
        }
    }
}

/// Gives a view the rows that its query gives now.
async fn bring_up(
    context: &Context,
    view: &Arc<ManagedTable>,
    materialized: MaterializedView,
    notices: &mut Vec<Notice>,
) -> Result<Refreshed> {
    let plan = plan_of(context, view, &materialized).await?;
    let definitions = resolve::definitions(context, &materialized).await?;
    if let Some(known) = &materialized.stream {
        let Taken { stream, lost } = stream::add(context, view, known, &plan).await?;
        notices.extend(lost.map(|message| Notice { severity: Severity::Warning, message }));
        let came = stream.checkpoints != known.checkpoints;
        if came {
            let stream = Some(stream);
            keep(context, view, MaterializedView { version: new_version(), stream, definitions, ..materialized })
                .await?;
            return Ok(Refreshed::Added);
        }
        if stream != *known {
            keep(context, view, MaterializedView { stream: Some(stream), ..materialized }).await?;
        }
        return Ok(Refreshed::UpToDate { below: true });
    }
    let Seen { tables, snapshot, is_steady } = contents_of(context, &plan).await?;
    let incremental = is_steady && is_incremental(&plan);
    // Other definitions mean other rows, of what the tables held before as well.
    let comparable = tables.is_some() && definitions == materialized.definitions;
    if comparable && tables == materialized.seen {
        let mut below = true;
        for view in views_below(&plan)? {
            below &= !system::is_stale(context, &view).await?;
        }
        return Ok(Refreshed::UpToDate { below });
    }
    let added = if comparable { added(context, view, &materialized, &plan).await? } else { None };
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
    let version = new_version();
    let now = MaterializedView { incremental, version, seen: tables, snapshot, definitions, ..materialized };
    keep(context, view, now).await?;
    Ok(refreshed)
}

/// Notes what a view's rows stand for now.
async fn keep(context: &Context, view: &ManagedTable, materialized: MaterializedView) -> Result<()> {
    let mut transaction = context.transaction().lock().await;
    let now = transaction.table(context.warehouse(), &view.schema, &view.name).await?;
    let now = now.ok_or_else(|| Error::internal("a materialized view was lost"))?;
    let mut changed = now.as_ref().clone();
    changed.attributes.materialized = Some(materialized);
    transaction.alter(context.warehouse(), &now, changed).await
}

async fn drop_views(
    context: &Context,
    names: &[ObjectName],
    if_exists: bool,
    cascade: bool,
) -> Result<StatementResult> {
    let (mut notices, mut views) = (Vec::new(), Vec::with_capacity(names.len()));
    // What the statement names does not keep other views of it from going.
    let mut gone = BTreeSet::new();
    for name in names {
        let view = match find(context, name).await {
            Err(error) if if_exists && is_missing(&error) => {
                notices.push(skipping("materialized view", &name.parts.join("."), "does not exist"));
                continue;
            }
            found => found?,
        };
        rights::check_owner(context, &view.name, view.attributes.owner.as_ref()).await?;
        if gone.insert((view.schema.clone(), view.name.clone())) {
            views.push(view);
        }
    }
    for view in views {
        let (what, place) = (format!("materialized view {}", view.name), (view.schema.clone(), view.name.clone()));
        drop_dependents(context, Ground::Relation(&place), &what, cascade, &mut gone).await?;
        context.transaction().lock().await.drop_table(context.warehouse(), &view)?;
    }
    Ok(done(CommandTag::Verb("DROP MATERIALIZED VIEW"), notices))
}
