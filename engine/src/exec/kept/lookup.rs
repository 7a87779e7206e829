//! Queries that look for rows of one small table and come again and again: they are run without the planner.
//!
//! The rows among which such a query looks stay in memory beside its plan ([`Lookup`]), for as long as the plan is good;
//! only the condition is made anew, of a statement's values. That this asks of the rows what the planner would ask of the
//! files is seen once, on the plan that it has made of the same values, or the planner goes on making them.

use super::generic;
use crate::error::Result;
use crate::exec::progress::file_scan;
use crate::kept_plans::{Kept, KeptPlan};
use crate::plan::with_room;
use crate::session::Context;
use crate::tables::Lookup;
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use std::sync::Arc;

/// The plan that runs; `None` where the statement's values are not surely ones of their columns' types.
pub(super) fn plan(context: &Context, lookup: &Lookup) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let condition = lookup.condition().clone();
    let condition = match context.bound() {
        Some(bound) => generic::condition_with_values(condition, bound)?,
        None => Some(condition),
    };
    condition.map_or(Ok(None), |condition| lookup.scan(condition, context.state()))
}

/// Keeps the rows among which a query looks whose plan is kept; `planned` was made of it for the statement that runs.
///
/// The statement has its plan, so that nothing that goes wrong here is its.
pub(super) async fn keep_rows(context: &Context, kept: &Arc<KeptPlan>, planned: &Arc<dyn ExecutionPlan>) {
    // Anything else than a scan may be one for other values.
    let (Some(key), Some(scan)) = (context.plan_key(), file_scan(planned)) else { return };
    let lookup = read(context, &kept.plan, scan).await.unwrap_or_else(|error| {
        tracing::debug!(%error, "could not keep the rows of a small table");
        None
    });
    if kept.lookup.set(lookup).is_ok() {
        // With them it counts for more than before.
        context.warehouse().plans().keep(key, Kept::Plan(Arc::clone(kept)));
    }
}

async fn read(context: &Context, kept: &LogicalPlan, planned: &FileScanConfig) -> Result<Option<Lookup>> {
    let Some(lookup) = Lookup::read(kept, planned, &context.state_of_one_slice()).await? else { return Ok(None) };
    let Some(own) = with_room(|| plan(context, &lookup))? else { return Ok(None) };
    let same = file_scan(&own).map_or(Ok(false), |own| lookup.wants_the_same(own, planned))?;
    Ok(same.then_some(lookup))
}
