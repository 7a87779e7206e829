//! Materialized views of streams: a refresh adds what came since the last one. Where the stream goes on is kept with the
//! view and committed together with its rows, so each record is in it once, whatever ends a refresh.

use super::incremental::over;
use super::seen::changes;
use crate::error::{Error, ErrorKind, Result};
use crate::exec::{copy, managed};
use crate::federated::{ForeignTable, Reached};
use crate::journal::{BadStreamRecord, Origin, StreamPart, StreamScanRecord, now_us};
use crate::session::Context;
use chrono::DateTime;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{Expr, LogicalPlan};
use millrace_catalog::model::{ADMIN, ManagedTable, StreamOfView};
use millrace_connectors::Checkpoint;
use std::sync::Arc;

/// How often it is noted that a stream was read to which nothing came, in microseconds.
const NOTED_EVERY_US: i64 = 60 * 60 * 1_000_000;

/// What a refresh took of a stream.
pub(super) struct Taken {
    /// Where it goes on.
    pub(super) stream: StreamOfView,
    /// What the stream may have dropped before it was read, for the user.
    pub(super) lost: Option<String>,
}

/// The stream of a query that takes its records one by one, read from its beginning; `None` for other queries.
pub(super) fn stream_of(plan: &LogicalPlan) -> Option<StreamOfView> {
    let table = table_of(plan)?;
    Some(StreamOfView { schema: table.schema, stream: table.name, ..StreamOfView::default() })
}

/// The stream that a plan reads row by row, with conditions that say the same of a record at any time.
fn table_of(plan: &LogicalPlan) -> Option<ForeignTable> {
    match plan {
        LogicalPlan::TableScan(scan) if scan.fetch.is_none() => {
            let provider = source_as_provider(&scan.source).ok()?;
            provider.downcast_ref::<ForeignTable>().filter(|table| table.is_stream()).cloned()
        }
        // A record is looked at once: what it fails now it would never be asked again.
        LogicalPlan::Filter(filter) if filter.predicate.exists(|part| Ok(changes(part))).unwrap_or(true) => None,
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Unnest(_)
            if asks_nothing(plan) =>
        {
            match plan.inputs().as_slice() {
                [input] => table_of(input),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Whether a node's expressions hold no query.
fn asks_nothing(plan: &LogicalPlan) -> bool {
    let mut asks = false;
    let walked = plan.apply_expressions(|expr| {
        asks |= expr.exists(|part| {
            Ok(matches!(part, Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_)))
        })?;
        Ok(TreeNodeRecursion::Continue)
    });
    walked.is_ok() && !asks
}

/// Adds what came since the last refresh to a view's rows; what was taken.
///
/// # Errors
/// `WrongObjectType` when the query now reads something else; what the stream's system says.
pub(super) async fn add(
    context: &Context,
    view: &Arc<ManagedTable>,
    known: &StreamOfView,
    plan: &LogicalPlan,
) -> Result<Taken> {
    let start_us = now_us();
    let same = |table: &ForeignTable| table.schema == known.schema && table.name == known.stream;
    let table = table_of(plan).filter(same).ok_or_else(|| {
        let (schema, stream) = (&known.schema, &known.stream);
        let message = format!("materialized view \"{}\" no longer reads the stream {schema}.{stream}", view.name);
        Error::new(ErrorKind::WrongObjectType, message).with_hint("drop it and create it again")
    })?;
    let lost = match known.read_us {
        Some(read_us) => table.dropped_until(read_us).await?.map(|until_us| (read_us, until_us)),
        None => None,
    };
    let lost = lost.map(|(from_us, until_us)| {
        let (from, until) = (shown(from_us), shown(until_us));
        format!(
            "records of stream \"{}\" that came between {from} and {until} may be lost: it dropped them",
            table.name
        )
    });
    let checkpoints = known.checkpoints.iter();
    let checkpoints =
        checkpoints.map(|(split, position)| Checkpoint { split: split.clone(), position: position.clone() });
    let (table, resumption) = table.resumed(checkpoints.collect());
    managed::append_rows(context, view, over(plan, Arc::new(table), |_| true)?).await?;
    let mut stream = known.clone();
    let reached = resumption.reached().await?;
    if let Some(reached) = &reached {
        let reached = reached.iter().map(|reached| &reached.checkpoint);
        stream.checkpoints = reached.map(|reached| (reached.split.clone(), reached.position.clone())).collect();
    }
    record(context, view, known, start_us, (&reached.unwrap_or_default(), lost.as_deref())).await;
    let is_due = known.read_us.is_none_or(|read_us| start_us - read_us >= NOTED_EVERY_US);
    if is_due || lost.is_some() || stream != *known {
        stream.read_us = Some(start_us);
    }
    Ok(Taken { stream, lost })
}

/// A time as the user reads it, in UTC.
fn shown(time_us: i64) -> String {
    DateTime::from_timestamp_micros(time_us)
        .map(|time| time.format("%Y-%m-%d %H:%M:%S").to_string())
        .unwrap_or_default()
}

/// Records what was read of the stream's parts, once that is committed; those that gave nothing are left out.
async fn record(
    context: &Context,
    view: &ManagedTable,
    stream: &StreamOfView,
    start_us: i64,
    (reached, lost): (&[Reached], Option<&str>),
) {
    let part = |Reached { checkpoint, report }: &Reached| {
        let bad = report.bad.iter().map(|bad| BadStreamRecord {
            position: bad.position.clone(),
            at_us: bad.at_us,
            reason: bad.reason.clone(),
        });
        (report.rows > 0).then(|| StreamPart {
            part: checkpoint.split.clone(),
            position: checkpoint.position.clone(),
            rows: report.rows,
            skipped: report.skipped,
            bytes: report.bytes,
            first_us: report.first_us,
            last_us: report.last_us,
            bad: bad.collect(),
        })
    };
    let parts: Vec<StreamPart> = reached.iter().filter_map(part).collect();
    if parts.is_empty() && lost.is_none() {
        return;
    }
    // The view's owner sees it, whoever refreshes the view.
    let user = view.attributes.owner.clone().unwrap_or_else(|| ADMIN.to_owned());
    context.transaction().lock().await.record(StreamScanRecord {
        origin: Origin { user, ..copy::origin(context, start_us) },
        schema: stream.schema.clone(),
        stream: stream.stream.clone(),
        view: view.name.clone(),
        parts,
        lost: lost.map(str::to_owned),
    });
}
