//! Materialized views: managed tables with the query that fills them. A refresh adds what new rows of its table give, or
//! computes the query anew and puts the rows in the place of the old ones, in one transaction. One of a stream takes the
//! records that came since the last refresh.

mod incremental;
mod refresh;
mod seen;
mod stream;

use self::incremental::is_incremental;
use self::seen::{Seen, contents_of};
use super::ddl::is_missing;
use super::dependents::drop_dependents;
use super::{done, managed, query, skipping};
use crate::error::{Error, ErrorKind, Result};
use crate::resolve::{self, Ground, Relation, rights};
use crate::result::{CommandTag, StatementResult};
use crate::session::{Context, written_path};
use crate::sql::{CreateTable, MaterializedViewStatement, Names, ObjectName};
use datafusion::logical_expr::LogicalPlan;
use millrace_catalog::model::{ManagedTable, MaterializedView};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Executes a statement.
pub(crate) async fn execute(context: &Context, statement: &MaterializedViewStatement) -> Result<StatementResult> {
    match statement {
        MaterializedViewStatement::Create { table, text, auto_refresh } => {
            create(context, table, text, *auto_refresh).await
        }
        MaterializedViewStatement::Refresh { name, cascade, automatic } => {
            let view = find(context, name).await?;
            let notices = refresh::refresh(context, view, *cascade, *automatic).await?;
            Ok(done(CommandTag::Verb("REFRESH MATERIALIZED VIEW"), notices))
        }
        MaterializedViewStatement::Alter { name, auto_refresh } => alter(context, name, *auto_refresh).await,
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
    let Seen { tables, snapshot, is_steady, is_external } = contents_of(context, &plan).await?;
    let (text, search_path) = (text.trim().to_owned(), written_path(context.path()));
    let stream = stream::stream_of(&plan);
    if auto_refresh && stream.is_none() {
        check_automatic(is_steady)?;
    }
    let incremental = stream.is_some() || (is_steady && is_incremental(&plan));
    let mut materialized = MaterializedView {
        text,
        search_path,
        incremental,
        version: new_version(),
        seen: tables,
        snapshot,
        external: is_external,
        definitions: String::new(),
        stream,
        auto_refresh,
        keeps_case: context.keeps_case_of_members(),
        keeps_names: context.names() == Names::Kept,
    };
    materialized.definitions = resolve::definitions(context, &materialized).await?;
    managed::create_materialized(context, table, materialized).await?;
    Ok(done(CommandTag::Verb("CREATE MATERIALIZED VIEW"), vec![]))
}

/// What stands for a view's new rows.
fn new_version() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// Refuses to refresh by itself a view of which nobody can tell whether what it reads has changed; one of a stream can
/// always.
fn check_automatic(is_steady: bool) -> Result<()> {
    if is_steady {
        return Ok(());
    }
    let construct = "AUTO REFRESH YES of a materialized view that reads external tables or calls volatile functions";
    Err(Error::unsupported(construct).with_hint("refresh it by REFRESH MATERIALIZED VIEW"))
}

/// `ALTER MATERIALIZED VIEW … AUTO REFRESH YES|NO`
async fn alter(context: &Context, name: &ObjectName, auto_refresh: bool) -> Result<StatementResult> {
    let view = find(context, name).await?;
    rights::check_owner(context, &view.name, view.attributes.owner.as_ref()).await?;
    let Some(materialized) = view.attributes.materialized.clone() else {
        return Err(Error::internal("a materialized view lost its query"));
    };
    if auto_refresh && materialized.stream.is_none() {
        let plan = plan_of(context, &view).await?;
        check_automatic(contents_of(context, &plan).await?.is_steady)?;
    }
    if auto_refresh != materialized.auto_refresh {
        keep(context, &view, MaterializedView { auto_refresh, ..materialized }).await?;
    }
    Ok(done(CommandTag::Verb("ALTER MATERIALIZED VIEW"), vec![]))
}

/// The plan of a view's query now, which reads with the rights of the view's owner.
async fn plan_of(context: &Context, view: &ManagedTable) -> Result<LogicalPlan> {
    resolve::plan_of_materialized(context, view).await.map_err(|error| of_query(error, view))
}

/// An error of a view's query, which is not in the statement's text.
fn of_query(error: Error, view: &ManagedTable) -> Error {
    error.within(&format!("in the query of materialized view \"{}\"", view.name))
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
