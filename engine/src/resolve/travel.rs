//! Managed tables as they were: which snapshot a moment means, and which table had a name there.

use super::{Relation, locate, relation, resolve_at};
use crate::error::{Error, ErrorKind, Result};
use crate::plan;
use crate::session::Context;
use crate::sql::{self, Moment, ObjectName};
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::physical_plan::collect;
use millrace_catalog::Snapshot;
use millrace_catalog::model::ManagedTable;
use std::sync::Arc;

/// The manifest's snapshot that a moment means.
///
/// # Errors
/// `UndefinedObject` for one that never was or has expired.
pub(crate) async fn snapshot_at(context: &Context, moment: &Moment) -> Result<i64> {
    let undefined = |message: String| {
        Err(Error::new(ErrorKind::UndefinedObject, message).with_hint("SHOW SNAPSHOTS lists what there is"))
    };
    let snapshot = context.snapshot().await?;
    match moment {
        Moment::Version(version) => {
            if context.catalog().has_snapshot(*version).await? {
                return Ok(*version);
            }
            let was = (0..=snapshot.manifest_version()).contains(version);
            undefined(format!("snapshot {version} {}", if was { "has expired" } else { "does not exist" }))
        }
        Moment::Name(name) => {
            let named = context.catalog().named_snapshots().await?;
            match named.iter().find(|known| known.name == *name) {
                Some(found) => Ok(found.snapshot_id),
                None => undefined(format!("snapshot \"{name}\" does not exist")),
            }
        }
        Moment::Time(text) => {
            let time_us = time_us(context, &snapshot, text).await?;
            match context.catalog().snapshot_at(time_us.div_euclid(1000)).await? {
                Some(version) => Ok(version),
                None => undefined(format!("there is no snapshot as old as {text}")),
            }
        }
    }
}

/// The table that had a name at a snapshot.
///
/// # Errors
/// `UndefinedTable` when there was none; `Unsupported` for external tables and views, which have no past.
pub(crate) async fn table_at(
    context: &Context,
    name: &ObjectName,
    path: &[String],
    snapshot_id: i64,
) -> Result<Arc<ManagedTable>> {
    let located = |error: Error| if name.position > 0 { error.with_position(name.position) } else { error };
    let snapshot = context.snapshot().await?;
    if let [table] = name.parts.as_slice() {
        for database in path.iter().filter_map(|schema| snapshot.resolve_schema(schema)) {
            if let Some(found) = context.catalog().managed_table_named_at(&database.name, table, snapshot_id).await? {
                return Ok(Arc::new(found));
            }
        }
    }
    let (database, table) = locate(&snapshot, name, path)?;
    if let Some(found) = context.catalog().managed_table_named_at(&database, &table, snapshot_id).await? {
        return Ok(Arc::new(found));
    }
    if let Some(Relation::Catalog(_) | Relation::Foreign(_)) = relation(context, &database, &table).await? {
        let message = format!("time travel of \"{table}\", which is not a managed table,");
        return Err(located(Error::unsupported(message)));
    }
    let message = format!("relation \"{}\" does not exist at snapshot {snapshot_id}", name.parts.join("."));
    Err(located(Error::new(ErrorKind::UndefinedTable, message)))
}

/// The value of a time's expression, in microseconds since the epoch; without a zone it is in the session's.
async fn time_us(context: &Context, snapshot: &Arc<Snapshot>, text: &str) -> Result<i64> {
    let Some(query) = sql::parse_query(&format!("SELECT {text}"), context.dialect(), context.names())? else {
        return Err(Error::internal("a time is no expression"));
    };
    let resolved = resolve_at(context, snapshot, &query, context.path(), 0).await?;
    if !resolved.tables.is_empty() {
        return Err(Error::unsupported("a subquery in FOR TIMESTAMP AS OF"));
    }
    let plan = plan::plan_query(context, resolved)?;
    let state = context.state();
    let physical = state.query_planner().create_physical_plan(&state.optimize(&plan)?, state).await?;
    let batches = collect(physical, state.task_ctx()).await?;
    let Some(batch) = batches.iter().find(|batch| batch.num_rows() == 1) else {
        return Err(Error::internal("a time has no value"));
    };
    let value = ScalarValue::try_from_array(batch.column(0), 0)?;
    let kind = value.data_type();
    if !(kind.is_temporal() || matches!(kind, DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8)) {
        let message = format!("FOR TIMESTAMP AS OF takes a timestamp, not {kind}");
        return Err(Error::new(ErrorKind::DatatypeMismatch, message));
    }
    let zone = state.config_options().execution.time_zone.clone().unwrap_or_else(|| "UTC".to_owned());
    match value.cast_to(&DataType::Timestamp(TimeUnit::Microsecond, Some(zone.into())))? {
        ScalarValue::TimestampMicrosecond(Some(time), _) => Ok(time),
        _ => Err(Error::new(ErrorKind::InvalidParameter, "FOR TIMESTAMP AS OF takes no NULL")),
    }
}
