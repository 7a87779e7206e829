//! Materialized views: managed tables with the query that fills them. A refresh computes it anew and puts the rows in the
//! place of the old ones, in one transaction.

use super::ddl::{is_missing, now_ms};
use super::{done, managed, query, skipping};
use crate::error::{Error, ErrorKind, Result};
use crate::plan;
use crate::resolve::{self, Relation, rights};
use crate::result::{CommandTag, Notice, Severity, StatementResult};
use crate::session::{Context, written_path};
use crate::sql::{AlterOperation, CreateTable, MaterializedViewStatement, ObjectName, Statement};
use crate::tables::{self, ManagedTableProvider};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};
use futures::future::BoxFuture;
use millrace_catalog::model::{ManagedTable, MaterializedView};
use std::collections::BTreeMap;
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
    let begin_ms = now_ms();
    let plan = match &table.query {
        Some(query) => query::logical_plan(context, query).await?,
        None => return Err(Error::internal("a materialized view without a query")),
    };
    let seen = contents_of(context, &plan).await?;
    let materialized = MaterializedView {
        text: text.trim().to_owned(),
        search_path: written_path(context.path()),
        seen,
        begin_ms,
        end_ms: 0,
    };
    let made = managed::create_materialized(context, table, materialized).await?;
    ended(context, &made).await?;
    Ok(done(CommandTag::Verb("CREATE MATERIALIZED VIEW"), vec![]))
}

/// Notes when a view's rows were complete.
async fn ended(context: &Context, view: &Arc<ManagedTable>) -> Result<()> {
    let mut changed = view.as_ref().clone();
    if let Some(materialized) = &mut changed.attributes.materialized {
        materialized.end_ms = now_ms();
    }
    context.transaction().lock().await.alter(context.warehouse(), view, changed).await
}

/// What the managed tables that a plan reads hold; `None` when that cannot be told: files of a lake, rows that are not
/// committed, functions that may give something else next time.
async fn contents_of(context: &Context, plan: &LogicalPlan) -> Result<Option<BTreeMap<i64, String>>> {
    let mut found = Read::default();
    plan::with_room(|| found.read(plan))?;
    if found.unknown {
        return Ok(None);
    }
    let mut transaction = context.transaction().lock().await;
    let mut all = BTreeMap::new();
    for (id, table) in found.tables {
        let contents = transaction.contents(context.warehouse(), &table).await?;
        let Some(held) = tables::held(&table, &contents.files, &contents.inlined) else { return Ok(None) };
        all.insert(id, held);
    }
    Ok(Some(all))
}

/// What a plan reads.
#[derive(Default)]
struct Read {
    tables: BTreeMap<i64, Arc<ManagedTable>>,
    unknown: bool,
}

impl Read {
    fn read(&mut self, plan: &LogicalPlan) -> Result<()> {
        let walked = plan.apply_with_subqueries(|node| {
            node.apply_expressions(|expr| {
                self.unknown |= expr.exists(|part| Ok(changes(part)))?;
                Ok(TreeNodeRecursion::Continue)
            })?;
            if let LogicalPlan::TableScan(scan) = node {
                if let Some(view) = scan.source.get_logical_plan() {
                    self.read(&view).map_err(datafusion::error::DataFusionError::from)?;
                } else {
                    let provider = source_as_provider(&scan.source)?;
                    let provider = resolve::behind_grants(&provider);
                    match provider.downcast_ref::<ManagedTableProvider>() {
                        Some(managed) => {
                            let table = managed.table();
                            self.tables.insert(table.id, Arc::clone(table));
                        }
                        None => self.unknown = true,
                    }
                }
            }
            Ok(TreeNodeRecursion::Continue)
        });
        walked.map(drop).map_err(Error::from)
    }
}

/// Whether an expression may give something else in another statement.
fn changes(expr: &Expr) -> bool {
    match expr {
        Expr::ScalarFunction(call) => call.func.signature().volatility != Volatility::Immutable,
        _ => false,
    }
}

/// The plan of a view's query now.
async fn plan_of(context: &Context, materialized: &MaterializedView) -> Result<LogicalPlan> {
    resolve::plan_of_text(context, &materialized.text, &materialized.search_path).await
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
            let plan = plan_of(context, &materialized).await?;
            let mut found = Read::default();
            plan::with_room(|| found.read(&plan))?;
            for below in found.tables.into_values().filter(|table| table.attributes.materialized.is_some()) {
                refresh(context, below, true, &mut *notices, depth + 1).await?;
            }
        }
        let begin_ms = now_ms();
        let plan = plan_of(context, &materialized).await?;
        let seen = contents_of(context, &plan).await?;
        let notice = |text: String| Notice { severity: Severity::Info, message: text };
        if seen.is_some() && seen == materialized.seen {
            notices.push(notice(format!("Materialized view {} is already up to date.", view.name)));
            return Ok(());
        }
        managed::replace_rows(context, &view, plan).await?;
        let materialized = MaterializedView { seen, begin_ms, end_ms: now_ms(), ..materialized };
        let mut transaction = context.transaction().lock().await;
        let now = transaction.table(context.warehouse(), &view.schema, &view.name).await?;
        let now = now.ok_or_else(|| Error::internal("a materialized view was lost"))?;
        let mut changed = now.as_ref().clone();
        changed.attributes.materialized = Some(materialized);
        transaction.alter(context.warehouse(), &now, changed).await?;
        notices.push(notice(format!("Materialized view {} was recomputed successfully.", view.name)));
        Ok(())
    })
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

/// Refuses what would change a materialized view otherwise than by its query.
///
/// # Errors
/// `WrongObjectType`.
pub(super) async fn check_unchanged(context: &Context, statement: &Statement) -> Result<()> {
    let name = match statement {
        Statement::Insert(insert) => &insert.table,
        Statement::Update(update) => &update.table,
        Statement::Delete(delete) => &delete.table,
        Statement::Merge(merge) => &merge.table,
        Statement::Truncate(name) => name,
        Statement::Copy(copy) => &copy.table,
        Statement::CopyIn(copy) => &copy.table,
        Statement::AlterTable(alter) if !matches!(alter.operation, AlterOperation::Owner(_)) => &alter.table,
        _ => return Ok(()),
    };
    // What does not exist is for the statement to say.
    match resolve::find_relation(context, name).await {
        Ok(Relation::Managed(table)) if table.attributes.materialized.is_some() => {
            let message = format!("cannot change materialized view \"{}\"", table.name);
            Err(Error::new(ErrorKind::WrongObjectType, message).with_hint("use REFRESH MATERIALIZED VIEW"))
        }
        _ => Ok(()),
    }
}
