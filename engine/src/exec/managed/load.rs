//! Rows of COPY into a managed table: as INSERT's, but that EXPLICIT_IDS may number them.

use super::{assign, change};
use crate::error::Result;
use crate::session::Context;
use datafusion::logical_expr::{Expr, LogicalPlan};
use millrace_catalog::model::ManagedTable;
use std::sync::Arc;

/// Adds a plan's rows, whose columns are those named; how many there were.
pub(crate) async fn load(
    context: &Context,
    table: &Arc<ManagedTable>,
    names: &[String],
    plan: LogicalPlan,
    explicit_ids: bool,
) -> Result<u64> {
    let given = plan.schema().columns();
    let mut values = Vec::with_capacity(table.columns.len());
    for column in &table.columns {
        values.push(match names.iter().position(|name| *name == column.name) {
            Some(at) => {
                if !explicit_ids {
                    assign::check_identity(column)?;
                }
                Expr::Column(given[at].clone())
            }
            None => assign::default(context, column).await?,
        });
    }
    let plan = assign::project(plan, 0, table, values)?;
    change::append(context, table, &plan).await
}
