//! What a refresh adds when one of the tables that a view reads got rows and lost none, and the others are as they were:
//! the view's query over the new rows alone, and all rows of the others. What it gives goes beside the view's rows, or
//! into those of the same groups.

use crate::builtin;
use crate::error::{Error, Result};
use crate::exec::managed::rows_for;
use crate::functions;
use crate::plan;
use crate::resolve;
use crate::session::Context;
use crate::sql::{self, Dialect};
use crate::tables::{self, ManagedTableProvider};
use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, TableReference};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{
    Aggregate, AggregateUDF, Distinct, Expr, JoinType, LogicalPlan, LogicalPlanBuilder, TableScan, TableSource,
};
use millrace_catalog::manifest::InlinedRows;
use millrace_catalog::model::{DataFile, ManagedTable, MaterializedView};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a refresh adds to a view's rows.
pub(super) enum Added {
    /// Rows of their own.
    Rows(LogicalPlan),
    /// All rows of the view anew: the old ones, with what is new in their groups.
    Groups(LogicalPlan),
}

/// Whether rows that come to one of its tables can be added to a view without computing its query anew.
pub(super) fn is_incremental(plan: &LogicalPlan) -> bool {
    let of_a_table = || Ok::<_, Error>(tables_of(plan)?.keys().any(|table| Shape::of(plan, *table).is_some()));
    plan::with_room(of_a_table).unwrap_or(false)
}

/// What follows for a view from the rows that one of its tables got since the last refresh; `now` is what they hold.
/// `None` where that is not enough, and the query is computed over all rows.
pub(super) async fn added(
    context: &Context,
    view: &Arc<ManagedTable>,
    materialized: &MaterializedView,
    (plan, now): (&LogicalPlan, &BTreeMap<i64, String>),
) -> Result<Option<Added>> {
    let (Some(seen), Some(snapshot)) = (&materialized.seen, materialized.snapshot) else { return Ok(None) };
    let Some(changed) = changed(seen, now) else { return Ok(None) };
    let Some(shape) = plan::with_room(|| Shape::of(plan, changed)) else { return Ok(None) };
    let Some(table) = tables_of(plan)?.remove(&changed) else { return Ok(None) };
    let catalog = context.catalog();
    context.transaction().lock().await.lease(context.warehouse(), snapshot);
    let before = catalog.data_files(table.id, snapshot).await?;
    let inlined_before = catalog.inlined_rows(table.id, snapshot).await?;
    // Its history may have been cleared, and its columns may be others; those of a materialized view stay.
    let is_known = match &table.attributes.materialized {
        Some(_) => seen.contains_key(&table.id),
        None => seen.get(&table.id) == tables::digest(&table, &before, &inlined_before).as_ref(),
    };
    if !is_known || !catalog.has_snapshot(snapshot).await? {
        return Ok(None);
    }
    let contents = context.transaction().lock().await.contents(context.warehouse(), &table).await?;
    let Some(files) = new_files(&before, &contents.files) else { return Ok(None) };
    let Some(inlined) = new_rows(&inlined_before, contents.inlined) else { return Ok(None) };
    let inlined = inlined.iter().map(|rows| tables::decode_inlined(&table, rows)).collect::<Result<_>>()?;
    let storage = context.warehouse().storage_of(&table).await?;
    let provider = ManagedTableProvider::new(storage, table, files, inlined)?;
    let new = over(plan, Arc::new(provider), |source| is_of(source, changed))?;
    Ok(Some(match shape {
        Shape::Rows => Added::Rows(new),
        Shape::Groups(columns) => {
            let new = rows_for(context, view, new).await?;
            Added::Groups(merged(context, view, new, &columns).await?)
        }
    }))
}

/// The one table that holds something else than before; `None` where it is not one.
fn changed(seen: &BTreeMap<i64, String>, now: &BTreeMap<i64, String>) -> Option<i64> {
    if !seen.keys().eq(now.keys()) {
        return None;
    }
    let mut changed = now.iter().filter(|(table, held)| seen.get(table) != Some(held));
    let (table, _) = changed.next()?;
    changed.next().is_none().then_some(*table)
}

/// What a view's rows are.
enum Shape {
    /// Each comes of one row of the table, or of an element in it, and of rows of other tables.
    Rows,
    /// Each is a group: what its columns are.
    Groups(Vec<Part>),
}

/// A column of a grouping, and how two values of one group become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Key,
    Sum,
    Least,
    Most,
}

impl Shape {
    /// As rows come to this table.
    fn of(plan: &LogicalPlan, table: i64) -> Option<Self> {
        if is_row_by_row(plan, table) {
            return Some(Self::Rows);
        }
        let LogicalPlan::Projection(projection) = plan else { return None };
        let LogicalPlan::Aggregate(aggregate) = projection.input.as_ref() else { return None };
        if !is_row_by_row(&aggregate.input, table)
            || !asks_nothing_of(&projection.input, table)
            || aggregate.group_expr.iter().any(|key| matches!(key, Expr::GroupingSet(_)))
        {
            return None;
        }
        let places = projection.expr.iter().map(|item| place(item, aggregate)).collect::<Option<Vec<usize>>>()?;
        let keys = aggregate.group_expr.len();
        let columns = places.iter().map(|at| match at.checked_sub(keys) {
            None => Some(Part::Key),
            Some(at) => part(aggregate.aggr_expr.get(at)?),
        });
        let columns = columns.collect::<Option<Vec<Part>>>()?;
        // Without all of its keys it is not known which group a row is.
        let shown: BTreeSet<usize> = places.into_iter().filter(|at| *at < keys).collect();
        (shown.len() == keys).then_some(Self::Groups(columns))
    }
}

/// Which of an aggregation's columns an item is, and nothing more.
fn place(item: &Expr, aggregate: &Aggregate) -> Option<usize> {
    match item {
        Expr::Alias(alias) => place(&alias.expr, aggregate),
        Expr::Column(column) => aggregate.schema.maybe_index_of_column(column),
        _ => None,
    }
}

fn part(expr: &Expr) -> Option<Part> {
    match expr {
        Expr::Alias(alias) => part(&alias.expr),
        Expr::AggregateFunction(AggregateFunction { func, params })
            if !params.distinct && params.order_by.is_empty() =>
        {
            match func.name().to_lowercase().as_str() {
                "count" | "sum" => Some(Part::Sum),
                "min" => Some(Part::Least),
                "max" => Some(Part::Most),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Whether each row of a plan comes of one row of a table, and is there whatever other rows that table has.
fn is_row_by_row(plan: &LogicalPlan, table: i64) -> bool {
    match plan {
        // What a table held at some moment gets no rows.
        LogicalPlan::TableScan(scan) => {
            let is_past = sql::moment_of(scan.table_name.table()).is_some();
            scan.fetch.is_none() && !is_past && is_of(&scan.source, table)
        }
        LogicalPlan::Join(join) => {
            // A row that nothing matches is there as long as nothing matches it.
            let (left, right) = match join.join_type {
                JoinType::Inner => (true, true),
                JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => (true, false),
                JoinType::Right | JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => (false, true),
                JoinType::Full => (false, false),
            };
            let by = |own: &LogicalPlan, other: &LogicalPlan| is_row_by_row(own, table) && is_fixed(other, table);
            asks_nothing_of(plan, table)
                && (left && by(&join.left, &join.right) || right && by(&join.right, &join.left))
        }
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Unnest(_) => {
            asks_nothing_of(plan, table) && plan.inputs().into_iter().all(|input| is_row_by_row(input, table))
        }
        _ => false,
    }
}

/// Whether a plan gives the same rows whatever a table has: it reads nothing of it, and chooses none among several rows.
fn is_fixed(plan: &LogicalPlan, table: i64) -> bool {
    let mut fixed = true;
    let walked = plan.apply_with_subqueries(|node| {
        fixed &= match node {
            LogicalPlan::TableScan(scan) => {
                managed(&scan.source, true).is_some_and(|known| known.id != table) && scan.fetch.is_none()
            }
            LogicalPlan::Sort(sort) => sort.fetch.is_none(),
            LogicalPlan::Limit(_)
            | LogicalPlan::Window(_)
            | LogicalPlan::Distinct(Distinct::On(_))
            | LogicalPlan::Extension(_) => false,
            _ => true,
        };
        Ok(if fixed { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    });
    walked.is_ok() && fixed
}

/// Whether a scan is one of a table of which all columns may be read.
fn is_of(source: &Arc<dyn TableSource>, table: i64) -> bool {
    managed(source, false).is_some_and(|known| known.id == table)
}

/// The managed table of a scan, `behind_grants` also one of which only some columns may be read.
fn managed(source: &Arc<dyn TableSource>, behind_grants: bool) -> Option<Arc<ManagedTable>> {
    let provider = source_as_provider(source).ok()?;
    let provider = if behind_grants { resolve::behind_grants(&provider) } else { &provider };
    provider.downcast_ref::<ManagedTableProvider>().map(|managed| Arc::clone(managed.table()))
}

/// Whether the queries in a node's expressions are the same whatever a table has.
fn asks_nothing_of(plan: &LogicalPlan, table: i64) -> bool {
    let mut asks = false;
    let walked = plan.apply_expressions(|expr| {
        expr.apply(|part| {
            let query = match part {
                Expr::ScalarSubquery(query) => Some(query),
                Expr::Exists(exists) => Some(&exists.subquery),
                Expr::InSubquery(member) => Some(&member.subquery),
                Expr::SetComparison(comparison) => Some(&comparison.subquery),
                _ => None,
            };
            asks |= query.is_some_and(|query| !is_fixed(&query.subquery, table));
            Ok(TreeNodeRecursion::Continue)
        })
    });
    walked.is_ok() && !asks
}

/// The tables that a plan reads itself, by number, of which all columns may be read.
fn tables_of(plan: &LogicalPlan) -> Result<BTreeMap<i64, Arc<ManagedTable>>> {
    let mut found = BTreeMap::new();
    plan.apply(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            found.extend(managed(&scan.source, false).map(|table| (table.id, table)));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

/// The plan over other rows of those of its tables that are meant.
pub(super) fn over(
    plan: &LogicalPlan,
    provider: Arc<dyn TableProvider>,
    is_meant: impl Fn(&Arc<dyn TableSource>) -> bool,
) -> Result<LogicalPlan> {
    let other = provider_as_source(provider);
    let put = plan.clone().transform_down(|node| match node {
        LogicalPlan::TableScan(scan) if is_meant(&scan.source) => {
            let scan = TableScan { source: Arc::clone(&other), ..scan };
            Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
        }
        node => Ok(Transformed::no(node)),
    });
    Ok(put?.data)
}

/// The files that were not there before; `None` when one of those before is gone or lost rows.
fn new_files(before: &[DataFile], now: &[DataFile]) -> Option<Vec<DataFile>> {
    let rows = |file: &DataFile| (file.deletes.as_ref().map(|deletes| deletes.id), file.inlined_deletes.len());
    let mut before: BTreeMap<i64, _> = before.iter().map(|file| (file.id, rows(file))).collect();
    let mut new = Vec::new();
    for file in now {
        match before.remove(&file.id) {
            None => new.push(file.clone()),
            Some(known) if known == rows(file) => {}
            Some(_) => return None,
        }
    }
    before.is_empty().then_some(new)
}

/// The same of the rows in the catalog.
fn new_rows(before: &[InlinedRows], mut now: Vec<InlinedRows>) -> Option<Vec<InlinedRows>> {
    let key = |row: &millrace_catalog::manifest::InlinedRow| (row.row_id, row.begin_snapshot);
    let mut before: BTreeSet<(i64, i64)> =
        before.iter().flat_map(|group| group.rows.iter().map(|row| key(row))).collect();
    for group in &mut now {
        group.rows.retain(|row| !before.remove(&key(row)));
    }
    now.retain(|group| !group.rows.is_empty());
    before.is_empty().then_some(now)
}

/// A view's rows and new ones, those of one group together.
async fn merged(
    context: &Context,
    view: &Arc<ManagedTable>,
    new: LogicalPlan,
    columns: &[Part],
) -> Result<LogicalPlan> {
    let old = provider_as_source(context.scan_managed(view).await?);
    let all = LogicalPlanBuilder::scan(TableReference::bare(view.name.as_str()), old, None)?.union(new)?.build()?;
    let all_columns = all.schema().columns();
    let (mut keys, mut parts) = (Vec::new(), Vec::new());
    for (column, part) in all_columns.into_iter().zip(columns) {
        let value = Expr::Column(column);
        match part {
            Part::Key => keys.push(value),
            Part::Sum => parts.push(call("sum", value)?),
            Part::Least => parts.push(call("min", value)?),
            Part::Most => parts.push(call("max", value)?),
        }
    }
    let groups = LogicalPlanBuilder::from(all).aggregate(keys, parts)?.build()?;
    let made = groups.schema().columns();
    let (key_columns, part_columns) = made.split_at(columns.iter().filter(|part| **part == Part::Key).count());
    let (mut key_columns, mut part_columns) = (key_columns.iter(), part_columns.iter());
    let ordered = columns.iter().zip(&view.columns).map(|(part, named)| {
        let column: Option<&Column> = if *part == Part::Key { key_columns.next() } else { part_columns.next() };
        let column = column.ok_or_else(|| Error::internal("a column of a grouping was lost"))?;
        Ok(Expr::Column(column.clone()).alias(&named.name))
    });
    let ordered = ordered.collect::<Result<Vec<Expr>>>()?;
    Ok(LogicalPlanBuilder::from(groups).project(ordered)?.build()?)
}

fn call(name: &str, value: Expr) -> Result<Expr> {
    let function: Option<Arc<AggregateUDF>> =
        functions::aggregate(Dialect::Redshift, name).or_else(|| builtin::functions().aggregate.get(name).cloned());
    let function = function.ok_or_else(|| Error::internal(format!("the function {name} is missing")))?;
    Ok(Expr::AggregateFunction(AggregateFunction::new_udf(function, vec![value], false, None, Vec::new(), None)))
}
