//! Queries: a logical plan to a stream of rows.

use super::kept;
use super::padded;
use super::progress::ScanProgress;
use crate::error::{Error, Result};
use crate::kept_plans::{Kept, KeptRow};
use crate::optimize::{self, JoinEstimates};
use crate::plan::{self, Planned};
use crate::resolve;
use crate::result::{CommandTag, StatementResult};
use crate::session::Context;
use datafusion::arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::memory::MemoryStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::sql::sqlparser::ast;
use futures::{StreamExt, TryStreamExt};
use std::sync::{Arc, PoisonError};

/// Starts a query; its rows are computed as they are read.
pub(crate) async fn execute(context: &Context, query: &ast::Query) -> Result<StatementResult> {
    if let Some(work) = context.work() {
        let (context, query) = (context.clone(), query.clone());
        work.note_again(Box::new(move || {
            let (context, query) = (context.clone(), query.clone());
            Box::pin(async move { start(&context, &query).await })
        }));
    }
    start(context, query).await
}

async fn start(context: &Context, query: &ast::Query) -> Result<StatementResult> {
    // The future of planning is large.
    let planned = Box::pin(kept::plan(context, query)).await?;
    let physical = match &planned.physical {
        Some(ready) => Arc::clone(ready),
        None => physical_of(context, &planned).await?,
    };
    note(context, &planned.plan, &physical);
    kept::keep_rows(context, &planned, &physical).await;
    if let Some(work) = context.work()
        && work.keeps_result()
    {
        work.note_read_of(planned.read_of);
    }
    let (plan, task) = (Arc::clone(&physical), context.state().task_ctx());
    let mut rows = if context.work().is_some_and(|work| work.is_patient()) {
        context.warehouse().patient_threads().rows(plan, task)?
    } else {
        execute_stream(plan, task)?
    };
    if let Some(shown) = plan::shown_schema(&rows.schema()) {
        let renamed = Arc::clone(&shown);
        let batches = rows.map(move |batch| {
            let batch = batch?;
            let count = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            let schema = Arc::clone(&renamed);
            Ok(RecordBatch::try_new_with_options(schema, batch.columns().to_vec(), &count)?)
        });
        rows = Box::pin(RecordBatchStreamAdapter::new(shown, batches));
    }
    let schema = plan::with_declarations(&rows.schema(), planned.declared);
    let mut rows = padded::pad(rows, &schema);
    if planned.is_row
        && let Some(key) = context.plan_key()
    {
        let rows_schema = rows.schema();
        let batches: Vec<RecordBatch> = rows.try_collect().await.map_err(Error::from)?;
        rows = Box::pin(MemoryStream::try_new(batches.clone(), Arc::clone(&rows_schema), None)?);
        let row = KeptRow { schema: Arc::clone(&schema), rows_schema, batches };
        context.warehouse().plans().keep(key, Kept::Row(Arc::new(row)));
    }
    Ok(StatementResult {
        rows: Some(rows),
        schema,
        tag: CommandTag::Select,
        notices: Vec::new(),
        progress: Some(Arc::new(ScanProgress::of(&physical))),
    })
}

/// A query's logical plan, before optimisation.
pub(crate) async fn logical_plan(context: &Context, query: &ast::Query) -> Result<LogicalPlan> {
    plan::plan_query(context, resolve::resolve_query(context, query).await?)
}

/// The same, with what is known of its columns.
pub(crate) async fn described_plan(context: &Context, query: &ast::Query) -> Result<Planned> {
    plan::plan_described(context, resolve::resolve_query(context, query).await?)
}

/// The plan that runs.
pub(crate) async fn physical_plan(context: &Context, plan: &LogicalPlan) -> Result<Arc<dyn ExecutionPlan>> {
    let state = context.state();
    let optimized = plan::with_room(|| state.optimize(plan))?;
    let physical = state.query_planner().create_physical_plan(&optimized, state).await?;
    note(context, &optimized, &physical);
    Ok(physical)
}

/// The plan that runs; in one slice where it looks for few rows.
async fn physical_of(context: &Context, planned: &kept::Planned) -> Result<Arc<dyn ExecutionPlan>> {
    if let Some(arranged) = &planned.arranged {
        return Ok(optimize::operators(arranged, context.state()).await?);
    }
    let narrow = planned.is_lookup.then(|| context.state_of_one_slice());
    let state = narrow.as_ref().unwrap_or(context.state());
    Ok(state.query_planner().create_physical_plan(&planned.plan, state).await?)
}

/// Notes what a plan asks of its tables, and that it runs.
fn note(context: &Context, optimized: &LogicalPlan, physical: &Arc<dyn ExecutionPlan>) {
    context.warehouse().data().note_predicate_columns(optimized, context.catalog());
    if let Some(work) = context.work() {
        work.note_plan(physical);
    }
}

/// The plan that runs, with what is estimated of the rows of each of its joins, in the order of the plan; nothing where
/// a rule of later stages changed how many joins there are.
pub(crate) async fn estimated_plan(
    context: &Context,
    plan: &LogicalPlan,
) -> Result<(Arc<dyn ExecutionPlan>, JoinEstimates)> {
    let (state, noted) = optimize::noting(context.state());
    let optimized = plan::with_room(|| state.optimize(plan))?;
    let physical = state.query_planner().create_physical_plan(&optimized, &state).await?;
    let estimates = std::mem::take(&mut *noted.lock().unwrap_or_else(PoisonError::into_inner));
    let joins = joins(&physical);
    Ok((physical, if joins == estimates.len() { estimates } else { Vec::new() }))
}

fn joins(plan: &Arc<dyn ExecutionPlan>) -> usize {
    usize::from(optimize::is_join(plan.as_ref())) + plan.children().into_iter().map(joins).sum::<usize>()
}
