//! `UPDATE`, `DELETE`, `TRUNCATE`, and the writing of rows that they share with INSERT and MERGE.

use super::positions::Positions;
use super::{assign, few, note_target, numbers, target};
use crate::error::{Error, ErrorKind, Result};
use crate::exec::{done, query};
use crate::resolve;
use crate::result::{CommandTag, StatementResult};
use crate::session::Context;
use crate::sql::{Assignment, Delete, ObjectName, TARGET, Update};
use crate::tables::{FILE_COLUMN, POSITION_COLUMN};
use datafusion::arrow::array::BooleanArray;
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::Column;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{execute_stream, execute_stream_partitioned};
use datafusion::sql::sqlparser::ast::{Expr as SqlExpr, Ident, Query, SelectItem, SetExpr};
use futures::{StreamExt, TryStreamExt};
use millrace_catalog::model::ManagedTable;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// What happens when a row to change is found several times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeats {
    /// The first is taken.
    Ignored,
    /// It is an error.
    Refused,
}

impl Repeats {
    /// Adds the places of a batch's rows; the rows that are new.
    fn add(self, positions: &mut Positions, batch: &RecordBatch) -> Result<BooleanArray> {
        let new = positions.add(batch)?;
        if self == Self::Refused && new.false_count() > 0 {
            let message = "found multiple matches to update the same tuple";
            return Err(Error::new(ErrorKind::CardinalityViolation, message));
        }
        Ok(new)
    }
}

/// `DELETE FROM t [USING …] [WHERE …]`.
pub(crate) async fn delete(context: &Context, delete: &Delete) -> Result<StatementResult> {
    let (table, plan) = plan_delete(context, delete).await?;
    let positions = find(context, &plan, Repeats::Ignored).await?;
    let rows = positions.len();
    positions.delete(context, &table).await?;
    Ok(done(CommandTag::Count("DELETE", rows), vec![]))
}

/// The table that a DELETE changes, and the plan that finds its rows.
pub(crate) async fn plan_delete(context: &Context, delete: &Delete) -> Result<(Arc<ManagedTable>, LogicalPlan)> {
    let table = target(context, &delete.table, "delete from").await?;
    let plan = plan_matches(context, &table, delete.alias.as_deref(), &delete.query, &[]).await?;
    Ok((table, plan))
}

/// `TRUNCATE t`: all rows go, whatever their number.
pub(crate) async fn truncate(context: &Context, name: &ObjectName) -> Result<StatementResult> {
    let table = target(context, name, "truncate").await?;
    let mut transaction = context.transaction().lock().await;
    transaction.draft(context.warehouse(), &table).await?.clear();
    Ok(done(CommandTag::Verb("TRUNCATE"), vec![]))
}

/// A plan's rows as rows of a table.
pub(crate) async fn rows_for(context: &Context, table: &ManagedTable, plan: LogicalPlan) -> Result<LogicalPlan> {
    super::insert::new_rows(context, table, &[], plan, &HashSet::new()).await
}

/// Adds a plan's rows to those that a table has.
pub(crate) async fn append_rows(context: &Context, table: &Arc<ManagedTable>, plan: LogicalPlan) -> Result<u64> {
    let plan = rows_for(context, table, plan).await?;
    append(context, table, &plan).await
}

/// Puts a plan's rows in the place of all that a table has.
pub(crate) async fn replace_rows(context: &Context, table: &Arc<ManagedTable>, plan: LogicalPlan) -> Result<u64> {
    let plan = rows_for(context, table, plan).await?;
    context.transaction().lock().await.draft(context.warehouse(), table).await?.clear();
    append(context, table, &plan).await
}

/// `UPDATE t SET … [FROM …] [WHERE …]`. A row that matches several times is changed once, by any of the matches, as in
/// Redshift with `error_on_nondeterministic_update` off.
pub(crate) async fn update(context: &Context, update: &Update) -> Result<StatementResult> {
    let (table, plan) = plan_update(context, update).await?;
    let (positions, rows) = replace(context, &table, &plan, Repeats::Ignored).await?;
    positions.delete(context, &table).await?;
    few::flush(context, &table).await?;
    Ok(done(CommandTag::Count("UPDATE", rows), vec![]))
}

/// The table that an UPDATE changes, and the plan of its new rows.
pub(crate) async fn plan_update(context: &Context, update: &Update) -> Result<(Arc<ManagedTable>, LogicalPlan)> {
    let table = target(context, &update.table, "update").await?;
    let alias = update.alias.as_deref();
    let rest = unassigned(&table, alias, &update.assignments)?;
    let plan = plan_matches(context, &table, alias, &update.query, &rest).await?;
    let plan = changed_rows(context, &table, plan, &update.assignments).await?;
    Ok((table, plan))
}

/// The columns that an UPDATE leaves as they are, by name.
pub(super) fn unassigned(
    table: &ManagedTable,
    alias: Option<&str>,
    assignments: &[Assignment],
) -> Result<Vec<SelectItem>> {
    for (at, assignment) in assignments.iter().enumerate() {
        let place = |error: Error| error.with_position(assignment.position);
        let column = &table.columns[assign::column(table, &assignment.column).map_err(place)?];
        if assignments[..at].iter().any(|other| other.column == assignment.column) {
            let message = format!("multiple assignments to same column \"{}\"", assignment.column);
            return Err(place(Error::new(ErrorKind::Syntax, message)));
        }
        if column.identity.is_some() {
            let message = format!("cannot update the identity column \"{}\"", column.name);
            return Err(place(Error::new(ErrorKind::Unsupported, message)));
        }
    }
    let kept = table.columns.iter().filter(|column| assignments.iter().all(|a| a.column != column.name));
    Ok(kept.map(|column| SelectItem::UnnamedExpr(of_target(table, alias, &column.name))).collect())
}

/// A column of the table that changes.
fn of_target(table: &ManagedTable, alias: Option<&str>, column: &str) -> SqlExpr {
    let relation = alias.unwrap_or(&table.name);
    SqlExpr::CompoundIdentifier(vec![Ident::with_quote('"', relation), Ident::with_quote('"', column)])
}

/// The plan of a query over the rows to change: their file and position, what the query computes, then `rest`.
pub(super) async fn plan_matches(
    context: &Context,
    table: &Arc<ManagedTable>,
    alias: Option<&str>,
    query: &Query,
    rest: &[SelectItem],
) -> Result<LogicalPlan> {
    let mut query = query.clone();
    let SetExpr::Select(select) = query.body.as_mut() else { return Err(Error::internal("a change is no query")) };
    let place = [FILE_COLUMN, POSITION_COLUMN].map(|column| SelectItem::UnnamedExpr(of_target(table, alias, column)));
    let computed = std::mem::take(&mut select.projection);
    let items = place.into_iter().chain(computed).chain(rest.iter().cloned()).enumerate();
    // Names of our own, since the values may be called alike.
    let named = items.map(|(at, item)| match item {
        SelectItem::UnnamedExpr(expr) => {
            SelectItem::ExprWithAlias { expr, alias: Ident::with_quote('"', format!("{TARGET}{at}")) }
        }
        other => other,
    });
    select.projection = named.collect();
    let provider = context.scan_for_change(table).await?;
    let resolved = resolve::resolve_change(context, &query, provider).await?;
    crate::plan::plan_query(context, resolved)
}

/// Rows of the table out of what [`plan_matches`] gives, behind file and position.
pub(super) async fn changed_rows(
    context: &Context,
    table: &ManagedTable,
    plan: LogicalPlan,
    assignments: &[Assignment],
) -> Result<LogicalPlan> {
    let columns: Vec<Column> = plan.schema().columns().into_iter().skip(2).collect();
    let mut kept = columns.iter().skip(assignments.len());
    let mut values = Vec::with_capacity(table.columns.len());
    for column in &table.columns {
        let assigned = assignments.iter().position(|assignment| assignment.column == column.name);
        values.push(match assigned {
            Some(at) if assignments[at].value.is_none() => assign::default(context, column).await?,
            Some(at) => Expr::Column(columns[at].clone()),
            None => Expr::Column(kept.next().cloned().ok_or_else(|| Error::internal("a column was lost"))?),
        });
    }
    assign::project(plan, 2, table, values)
}

/// The places of the rows that a plan finds; each once.
pub(super) async fn find(context: &Context, plan: &LogicalPlan, repeats: Repeats) -> Result<Positions> {
    let physical = query::physical_plan(context, plan).await?;
    let mut batches = execute_stream(physical, context.state().task_ctx())?;
    let mut positions = Positions::default();
    while let Some(batch) = batches.try_next().await? {
        repeats.add(&mut positions, &batch)?;
    }
    Ok(positions)
}

/// Writes the new rows that stand behind file and position; the old ones' places, and how many rows there are.
pub(super) async fn replace(
    context: &Context,
    table: &Arc<ManagedTable>,
    plan: &LogicalPlan,
    repeats: Repeats,
) -> Result<(Positions, u64)> {
    let positions = Arc::new(Mutex::new(Positions::default()));
    let rows = write(context, table, plan, Some((&positions, repeats))).await?;
    let positions = std::mem::take(&mut *positions.lock().unwrap_or_else(PoisonError::into_inner));
    Ok((positions, rows))
}

/// Writes a plan's rows into a table as the last that a statement does with it; how many there are.
pub(super) async fn append(context: &Context, table: &Arc<ManagedTable>, plan: &LogicalPlan) -> Result<u64> {
    let rows = write(context, table, plan, None).await?;
    few::flush(context, table).await?;
    Ok(rows)
}

/// Writes a plan's rows into a table, and where they replace others notes where those are; how many there are. Whoever has
/// deleted those others lets [`few::flush`] follow.
pub(super) async fn write(
    context: &Context,
    table: &Arc<ManagedTable>,
    plan: &LogicalPlan,
    replaced: Option<(&Arc<Mutex<Positions>>, Repeats)>,
) -> Result<u64> {
    note_target(context, table);
    let physical = query::physical_plan(context, plan).await?;
    let numbering = Arc::new(numbers::Numbering::of(context, table)?);
    let schema = Arc::clone(numbering.schema());
    let streams = execute_stream_partitioned(physical, context.state().task_ctx())?;
    let streams = streams.into_iter().map(|stream| {
        let numbering = Arc::clone(&numbering);
        let replaced = replaced.map(|(positions, repeats)| (Arc::clone(positions), repeats));
        let rows = stream.then(move |batch| {
            let (numbering, replaced) = (Arc::clone(&numbering), replaced.clone());
            async move {
                let mut batch = batch?;
                if let Some((positions, repeats)) = replaced {
                    let new = repeats.add(&mut positions.lock().unwrap_or_else(PoisonError::into_inner), &batch)?;
                    batch = filter_record_batch(&batch, &new)?;
                    let values: Vec<usize> = (2..batch.num_columns()).collect();
                    batch = batch.project(&values)?;
                }
                Ok(numbering.finish(batch).await?)
            }
        });
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&schema), rows)) as SendableRecordBatchStream
    });
    few::store(context, table, streams.collect()).await
}
