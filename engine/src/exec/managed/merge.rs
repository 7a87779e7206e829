//! `MERGE INTO` a managed table.

use super::change::{self, Repeats};
use super::{assign, few, insert, target};
use crate::error::Result;
use crate::exec::done;
use crate::plan;
use crate::resolve;
use crate::result::{CommandTag, StatementResult};
use crate::session::Context;
use crate::sql::{Merge, MergeMatched};
use datafusion::logical_expr::LogicalPlan;
use millrace_catalog::model::ManagedTable;
use std::sync::Arc;

/// How a MERGE finds its rows.
pub(crate) struct MergePlans {
    /// Rows of the table that match, with their new values behind file and position where they are updated.
    pub(crate) matched: Option<LogicalPlan>,
    /// The rows that are added.
    pub(crate) inserted: Option<LogicalPlan>,
}

/// `MERGE INTO t USING s ON … WHEN …`. All rows are found before any is changed.
///
/// # Errors
/// `CardinalityViolation` when a row of the table matches several of the source.
pub(crate) async fn merge(context: &Context, merge: &Merge) -> Result<StatementResult> {
    let (table, plans) = plan_merge(context, merge).await?;
    let mut rows = 0;
    let positions = match (&merge.matched, &plans.matched) {
        (_, None) => None,
        (Some(MergeMatched::Update(_)), Some(plan)) => {
            let (positions, updated) = change::replace(context, &table, plan, Repeats::Refused).await?;
            rows += updated;
            Some(positions)
        }
        (_, Some(plan)) => {
            let positions = change::find(context, plan, Repeats::Refused).await?;
            if !merge.remove_duplicates {
                rows += positions.len();
            }
            Some(positions)
        }
    };
    if let Some(plan) = &plans.inserted {
        rows += change::write(context, &table, plan, None).await?;
    }
    if let Some(positions) = positions {
        positions.delete(context, &table).await?;
    }
    few::flush(context, &table).await?;
    Ok(done(CommandTag::Count("MERGE", rows), vec![]))
}

/// The table that a MERGE changes, and its plans.
pub(crate) async fn plan_merge(context: &Context, merge: &Merge) -> Result<(Arc<ManagedTable>, MergePlans)> {
    let table = target(context, &merge.table, "merge into").await?;
    let inserted = inserted_rows(context, &table, merge).await?;
    let alias = merge.alias.as_deref();
    let matched = match &merge.matched {
        Some(MergeMatched::Update(assignments)) => {
            let rest = change::unassigned(&table, alias, assignments)?;
            let plan = change::plan_matches(context, &table, alias, &merge.matched_query, &rest).await?;
            Some(change::changed_rows(context, &table, plan, assignments).await?)
        }
        None if !merge.remove_duplicates => None,
        Some(MergeMatched::Delete) | None => {
            Some(change::plan_matches(context, &table, alias, &merge.matched_query, &[]).await?)
        }
    };
    Ok((table, MergePlans { matched, inserted }))
}

/// The plan of the rows that a MERGE adds.
async fn inserted_rows(context: &Context, table: &Arc<ManagedTable>, merge: &Merge) -> Result<Option<LogicalPlan>> {
    let (columns, defaults) = match &merge.insert {
        None if !merge.remove_duplicates => return Ok(None),
        None => (&[][..], std::collections::HashSet::new()),
        Some(insert) => {
            let missing = insert.values.iter().enumerate().filter(|(_, value)| value.is_none());
            (insert.columns.as_slice(), missing.map(|(at, _)| at).collect())
        }
    };
    let given = merge.insert.as_ref().map(|insert| insert.values.len());
    if let Some(given) = given {
        assign::named_columns(table, columns, given)?;
    }
    let provider = context.scan_for_change(table).await?;
    let resolved = resolve::resolve_change(context, &merge.unmatched_query, provider).await?;
    let plan = plan::plan_query(context, resolved)?;
    insert::new_rows(context, table, columns, plan, &defaults).await.map(Some)
}
