//! Materialized views of streams: a refresh adds what came since the last one. Where the stream goes on is kept with the
//! view and committed together with its rows, so each record is in it once, whatever ends a refresh.

use super::incremental::{asks_nothing, over};
use crate::error::{Error, ErrorKind, Result};
use crate::exec::{copy, managed};
use crate::federated::{ForeignTable, Reached};
use crate::journal::{BadStreamRecord, StreamPart, StreamScanRecord, now_us};
use crate::session::Context;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::LogicalPlan;
use millrace_catalog::model::{ManagedTable, StreamOfView};
use millrace_connectors::Checkpoint;
use std::sync::Arc;

/// The stream of a query that takes its records one by one, read from its beginning; `None` for other queries.
pub(super) fn stream_of(plan: &LogicalPlan, auto_refresh: bool) -> Option<StreamOfView> {
    let table = table_of(plan)?;
    Some(StreamOfView { schema: table.schema, stream: table.name, auto_refresh, ..StreamOfView::default() })
}

/// The stream that a plan reads row by row.
fn table_of(plan: &LogicalPlan) -> Option<ForeignTable> {
    match plan {
        LogicalPlan::TableScan(scan) if scan.fetch.is_none() => {
            let provider = source_as_provider(&scan.source).ok()?;
            provider.downcast_ref::<ForeignTable>().filter(|table| table.is_stream()).cloned()
        }
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

/// Adds what came since the last refresh to a view's rows; where the stream goes on.
pub(super) async fn add(
    context: &Context,
    view: &Arc<ManagedTable>,
    stream: &StreamOfView,
    plan: &LogicalPlan,
) -> Result<StreamOfView> {
    let start_us = now_us();
    let table = table_of(plan).ok_or_else(|| {
        let message = format!("the query of materialized view \"{}\" no longer reads a stream row by row", view.name);
        Error::new(ErrorKind::WrongObjectType, message)
    })?;
    let known = stream.checkpoints.iter();
    let known = known.map(|(split, position)| Checkpoint { split: split.clone(), position: position.clone() });
    let (table, resumption) = table.resumed(known.collect());
    managed::append_rows(context, view, over(plan, Arc::new(table))?).await?;
    let reached = resumption.reached().await?;
    record(context, view, stream, start_us, &reached);
    let checkpoints = reached.into_iter().map(|Reached { checkpoint, .. }| (checkpoint.split, checkpoint.position));
    Ok(StreamOfView { checkpoints: checkpoints.collect(), ..stream.clone() })
}

/// Records what was read of the stream's parts; those that gave nothing are left out.
fn record(context: &Context, view: &ManagedTable, stream: &StreamOfView, start_us: i64, reached: &[Reached]) {
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
    if !parts.is_empty() {
        context.warehouse().journal().record(&StreamScanRecord {
            origin: copy::origin(context, start_us),
            schema: stream.schema.clone(),
            stream: stream.stream.clone(),
            view: view.name.clone(),
            parts,
        });
    }
}
