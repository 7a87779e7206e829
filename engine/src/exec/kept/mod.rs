//! Plans of queries that come again: found, bound to values, and kept where nothing in them changes by itself.
//!
//! A query with parameters is planned by itself the first time; when it comes a second time, a plan with placeholders is
//! made besides, if values may take their places ([`generic`]). One that looks for rows of a small table and goes on coming
//! is run without the planner ([`lookup`]), and so is one that asks a foreign system for rows by their keys ([`foreign`]).

mod foreign;
mod generic;
mod lookup;
mod values;

use super::{query, repeatable};
use crate::error::Result;
use crate::kept_plans::{Kept, KeptPlan, PlanKey};
use crate::optimize;
use crate::plan;
use crate::result_cache::ReadOf;
use crate::session::{Context, Standing};
use crate::tables::{ManagedTableProvider, SqlType};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{EmptyRelation, LogicalPlan};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::sql::sqlparser::ast::{self, Visit, Visitor};
use millrace_catalog::Snapshot;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// A query, ready to be run.
pub(super) struct Planned {
    /// Its plan, optimized; where `physical` is there, with placeholders, or none.
    pub(super) plan: LogicalPlan,
    /// The same with its joins in order, where there are any and their order is known.
    pub(super) arranged: Option<Arc<LogicalPlan>>,
    /// What runs, where the planner is left out.
    pub(super) physical: Option<Arc<dyn ExecutionPlan>>,
    /// What is kept of it, where it is time to keep the rows that it looks among.
    due: Option<Arc<KeptPlan>>,
    /// What its columns were declared as.
    pub(super) declared: Vec<Option<SqlType>>,
    /// What its result is read of; `None` where nobody wants to know, or where it may not be given again.
    pub(super) read_of: Option<ReadOf>,
    /// Whether it looks for few rows in one small table.
    pub(super) is_lookup: bool,
    /// Whether it gives the same row whenever it is asked.
    pub(super) is_row: bool,
}

/// Plans a query, or takes the plan that is kept of it.
///
/// # Errors
/// What is wrong with the query.
pub(super) async fn plan(context: &Context, query: &ast::Query) -> Result<Planned> {
    if let Some(key) = context.plan_key()
        && let Some(planned) = find(context, key).await?
    {
        return Ok(planned);
    }
    context.transaction().lock().await.reads().begin_statement();
    Box::pin(plan_anew(context, query)).await
}

/// Keeps the rows among which a query looks, where it is time; `physical` was planned for it.
pub(super) async fn keep_rows(context: &Context, planned: &Planned, physical: &Arc<dyn ExecutionPlan>) {
    if let Some(kept) = &planned.due {
        Box::pin(lookup::keep_rows(context, kept, physical)).await;
    }
}

fn keeps_result(context: &Context) -> bool {
    context.work().is_some_and(|work| work.keeps_result())
}

/// The plan that is kept of a query, if it is still good.
async fn find(context: &Context, key: &PlanKey) -> Result<Option<Planned>> {
    let warehouse = context.warehouse();
    let kept = match warehouse.plans().find(key) {
        Some(Kept::Plan(kept)) => kept,
        Some(Kept::Foreign(lookup)) => return Box::pin(foreign::find(context, key, &lookup)).await,
        _ => return Ok(None),
    };
    let Some(snapshot) = standing(context, key, &kept.read_of, &kept.confirmed).await? else { return Ok(None) };
    for (table, known) in &kept.estimates {
        if !Arc::ptr_eq(&context.catalog().estimates(*table).await?, known) {
            warehouse.plans().keep(key, Kept::Seen);
            return Ok(None);
        }
    }
    context.transaction().lock().await.reads().extend(&kept.read_of.tables);
    // What is wrong with a statement's values is the planner's to tell.
    let physical = kept.lookup().and_then(|lookup| plan::with_room(|| lookup::plan(context, lookup)).ok()?);
    let plan = match context.bound() {
        Some(bound) if physical.is_none() => {
            match plan::with_room(|| generic::with_values(&kept.plan, bound, context.state()))? {
                Some(plan) => plan,
                None => return Ok(None),
            }
        }
        _ => kept.plan.clone(),
    };
    let due = kept.is_due().then(|| Arc::clone(&kept));
    let read_of = keeps_result(context).then(|| ReadOf {
        catalog: snapshot.version(),
        manifest: snapshot.manifest_version(),
        ..kept.read_of.clone()
    });
    // Where there are values, the order hangs on what they leave of the tables.
    let arranged = kept.arranged.clone().filter(|_| context.bound().is_none());
    let (declared, is_lookup) = (kept.declared.clone(), kept.is_lookup);
    Ok(Some(Planned { plan, arranged, physical, due, declared, read_of, is_lookup, is_row: false }))
}

/// The snapshot for which what is kept of a query is good; `None` where it is not.
async fn standing(
    context: &Context,
    key: &PlanKey,
    read_of: &ReadOf,
    confirmed: &AtomicI64,
) -> Result<Option<Arc<Snapshot>>> {
    let warehouse = context.warehouse();
    let mut transaction = context.transaction().lock().await;
    if transaction.has_changed() {
        return Ok(None);
    }
    let snapshot = transaction.snapshot(warehouse).await?;
    match Standing::of(warehouse, read_of, confirmed.load(Ordering::Relaxed), &snapshot).await? {
        Standing::Same => {}
        Standing::Untouched => {
            confirmed.fetch_max(snapshot.manifest_version(), Ordering::Relaxed);
        }
        // Others still want it.
        Standing::Earlier => return Ok(None),
        Standing::Touched => {
            warehouse.plans().keep(key, Kept::Seen);
            return Ok(None);
        }
    }
    Ok(Some(snapshot))
}

async fn plan_anew(context: &Context, query: &ast::Query) -> Result<Planned> {
    let logical = query::logical_plan(context, query).await?;
    let state = context.state();
    let plan = plan::with_room(|| state.optimize(&logical))?;
    let wanted = context.plan_key().is_some() || keeps_result(context);
    let read_of = if wanted { repeatable::read_of(context, query, &logical).await? } else { None };
    let declared = plan::declared_types(&logical);
    let is_lookup = is_lookup(&plan)?;
    // A row with parameters' values in it is found by their types only.
    let alone = context.plan_key().is_some() && context.bound().is_none();
    let is_row = alone && read_of.as_ref().is_some_and(reads_nothing) && is_row(&plan, query);
    if let (Some(key), Some(bound)) = (context.plan_key(), context.bound()) {
        Box::pin(foreign::keep(context, key, bound, (query, &plan, declared.as_slice()))).await?;
    }
    let arranged = Box::pin(optimize::arranged(&plan, state)).await?.map(Arc::new);
    let planned = Planned { plan, arranged, physical: None, due: None, declared, read_of, is_lookup, is_row };
    if let (Some(key), Some(read_of)) = (context.plan_key(), &planned.read_of)
        && !is_row
        && is_settled(context, read_of)
    {
        Box::pin(keep(context, key, &planned, read_of)).await?;
    }
    Ok(planned)
}

fn reads_nothing(read_of: &ReadOf) -> bool {
    read_of.tables.is_empty() && read_of.names.is_empty()
}

/// Whether the tables that a statement read are as its snapshot has them.
fn is_settled(context: &Context, read_of: &ReadOf) -> bool {
    match context.work() {
        Some(work) => work.query() == context.who().query && work.is_repeatable(),
        None => reads_nothing(read_of),
    }
}

/// Keeps a query's plan; of one with parameters the plan for all values, once it has come a second time.
async fn keep(context: &Context, key: &PlanKey, planned: &Planned, read_of: &ReadOf) -> Result<()> {
    let plans = context.warehouse().plans();
    let (plan, arranged) = match context.bound() {
        None => (planned.plan.clone(), planned.arranged.clone()),
        Some(bound) => match plans.find(key) {
            Some(Kept::Seen) => match Box::pin(generic::plan(context, bound)).await {
                Some(plan) => (plan, None),
                None => {
                    plans.keep(key, Kept::Unfit);
                    return Ok(());
                }
            },
            // A plan that these values do not fit into stays for others.
            Some(_) => return Ok(()),
            None => {
                plans.keep(key, Kept::Seen);
                return Ok(());
            }
        },
    };
    let mut tables = Vec::new();
    managed_tables(&plan, &mut tables)?;
    let files_bytes = tables.iter().map(|(_, bytes)| bytes).sum();
    let mut estimates = Vec::with_capacity(tables.len());
    for (table, _) in tables {
        estimates.push((table, context.catalog().estimates(table).await?));
    }
    let kept = KeptPlan {
        plan,
        arranged,
        declared: planned.declared.clone(),
        read_of: read_of.clone(),
        confirmed: AtomicI64::new(read_of.manifest),
        estimates,
        is_lookup: planned.is_lookup,
        files_bytes,
        uses: AtomicU64::default(),
        lookup: OnceLock::new(),
    };
    plans.keep(key, Kept::Plan(Arc::new(kept)));
    Ok(())
}

/// The managed tables that an optimized plan scans, each with about the bytes that it takes for its files.
fn managed_tables(plan: &LogicalPlan, found: &mut Vec<(i64, usize)>) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Some(provider) = source_as_provider(&scan.source)?.downcast_ref::<ManagedTableProvider>()
        {
            found.push((provider.table().id, provider.kept_bytes()));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

/// Whether a plan looks for rows in one small table, so that to deal it out to several slices would cost more than it
/// saves.
fn is_lookup(plan: &LogicalPlan) -> Result<bool> {
    Ok(match plan {
        LogicalPlan::Projection(projection) => is_lookup(&projection.input)?,
        LogicalPlan::Filter(filter) => is_lookup(&filter.input)?,
        LogicalPlan::SubqueryAlias(alias) => is_lookup(&alias.input)?,
        LogicalPlan::Limit(limit) => is_lookup(&limit.input)?,
        LogicalPlan::Sort(sort) => is_lookup(&sort.input)?,
        LogicalPlan::TableScan(scan) => source_as_provider(&scan.source)?
            .downcast_ref::<ManagedTableProvider>()
            .is_some_and(ManagedTableProvider::is_small),
        _ => false,
    })
}

/// Whether a plan gives one row, and nothing that the query names could be replaced by something else.
fn is_row(plan: &LogicalPlan, query: &ast::Query) -> bool {
    fn gives_one(plan: &LogicalPlan) -> bool {
        match plan {
            LogicalPlan::Projection(projection) => gives_one(&projection.input),
            LogicalPlan::SubqueryAlias(alias) => gives_one(&alias.input),
            LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row, .. }) => *produce_one_row,
            _ => false,
        }
    }
    gives_one(plan) && query.visit(&mut Calls).is_continue()
}

/// Breaks at the first function.
struct Calls;

impl Visitor for Calls {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &ast::Expr) -> ControlFlow<()> {
        if matches!(expr, ast::Expr::Function(_)) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
