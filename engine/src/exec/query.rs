//! Queries: a logical plan to a stream of rows.

use super::progress::ScanProgress;
use crate::error::Result;
use crate::plan;
use crate::resolve;
use crate::result::{CommandTag, StatementResult};
use crate::session::Context;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::sql::sqlparser::ast;
use std::sync::Arc;

/// Starts a query; its rows are computed as they are read.
pub(crate) async fn execute(context: &Context, query: &ast::Query) -> Result<StatementResult> {
    let physical = physical_plan(context, &logical_plan(context, query).await?).await?;
    let rows = execute_stream(Arc::clone(&physical), context.state().task_ctx())?;
    Ok(StatementResult {
        schema: rows.schema(),
        rows: Some(rows),
        tag: CommandTag::Select,
        notices: Vec::new(),
        progress: Some(Arc::new(ScanProgress::of(&physical))),
    })
}

/// A query's logical plan, before optimisation.
pub(crate) async fn logical_plan(context: &Context, query: &ast::Query) -> Result<LogicalPlan> {
    plan::plan_query(context, resolve::resolve_query(context, query).await?)
}

/// The plan that runs.
pub(crate) async fn physical_plan(context: &Context, plan: &LogicalPlan) -> Result<Arc<dyn ExecutionPlan>> {
    Ok(context.state().create_physical_plan(plan).await?)
}
