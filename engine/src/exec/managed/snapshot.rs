//! Snapshots by name, and tables made again from them.

use super::change;
use crate::error::{Error, ErrorKind, Result};
use crate::exec::{done, query, rows, skipping};
use crate::resolve;
use crate::result::{CommandTag, StatementResult};
use crate::session::Context;
use crate::sql::{Moment, RestoreTable};
use datafusion::arrow::array::AsArray;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::datasource::{TableProvider, provider_as_source};
use datafusion::functions_aggregate::expr_fn::{max, min};
use datafusion::logical_expr::LogicalPlanBuilder;
use datafusion::physical_plan::collect;
use datafusion::prelude::ident;
use millrace_catalog::CatalogError;
use millrace_catalog::model::{Identity, ManagedColumn, ManagedTable};
use std::sync::Arc;

/// `CREATE SNAPSHOT name`: what is committed now, kept until the name is dropped.
pub(crate) async fn create_snapshot(context: &Context, name: &str) -> Result<StatementResult> {
    let version = context.snapshot().await?.manifest_version();
    context.catalog().create_named_snapshot(name, version).await?;
    Ok(done(CommandTag::Verb("CREATE SNAPSHOT"), vec![]))
}

/// `DROP SNAPSHOT [IF EXISTS] name`.
pub(crate) async fn drop_snapshot(context: &Context, name: &str, if_exists: bool) -> Result<StatementResult> {
    let tag = CommandTag::Verb("DROP SNAPSHOT");
    match context.catalog().drop_named_snapshot(name).await {
        Ok(()) => Ok(done(tag, vec![])),
        Err(CatalogError::NotFound { .. }) if if_exists => {
            Ok(done(tag, vec![skipping("snapshot", name, "does not exist")]))
        }
        Err(error) => Err(error.into()),
    }
}

/// `SHOW SNAPSHOTS`: every snapshot that has not expired, oldest first.
pub(crate) async fn show_snapshots(context: &Context) -> Result<StatementResult> {
    let snapshots = context.catalog().snapshots().await?;
    let named = context.catalog().named_snapshots().await?;
    let rows = snapshots.into_iter().map(|snapshot| {
        let here = named.iter().filter(|known| known.snapshot_id == snapshot.id);
        let called = here.map(|known| known.name.as_str()).collect::<Vec<_>>().join(", ");
        let time = chrono::DateTime::from_timestamp_millis(snapshot.time_ms);
        let time = time.map(|time| time.format("%Y-%m-%d %H:%M:%S%.3f+00").to_string());
        [Some(snapshot.id.to_string()), time, (!called.is_empty()).then_some(called), Some(snapshot.changes)]
    });
    rows::optional("SHOW", &["snapshot_id", "snapshot_time", "snapshot_name", "changes"], rows)
}

/// `RESTORE TABLE t FROM SNAPSHOT s AS u`: a new table with the definition and the rows that `t` had.
pub(crate) async fn restore_table(context: &Context, restore: &RestoreTable) -> Result<StatementResult> {
    let snapshot = context.snapshot().await?;
    let version = resolve::snapshot_at(context, &Moment::Name(restore.snapshot.clone())).await?;
    let source = resolve::table_at(context, &restore.table, context.path(), version).await?;
    let (schema, name) = resolve::qualify(&snapshot, &restore.restored, context.database())?;
    if resolve::relation(context, &schema, &name).await?.is_some() {
        return Err(Error::new(ErrorKind::DuplicateTable, format!("relation \"{name}\" already exists")));
    }
    let provider = context.scan_managed_at(&source, version).await?;
    let uuid = uuid::Uuid::new_v4().to_string();
    let path = ManagedTable::default_path(&schema, &name, &uuid);
    let table = ManagedTable { id: 0, path, uuid, schema, name, ..ManagedTable::clone(&source) };
    let table = context.transaction().lock().await.create(context.warehouse(), table)?;
    let plan = LogicalPlanBuilder::scan("source", provider_as_source(Arc::clone(&provider)), None)?.build()?;
    change::append(context, &table, &plan).await?;
    for column in &table.columns {
        if let Some(identity) = column.identity {
            take_values(context, &table, column, identity, Arc::clone(&provider)).await?;
        }
    }
    Ok(done(CommandTag::Verb("RESTORE TABLE"), vec![]))
}

/// Says that the values of an IDENTITY column up to the last of its rows are taken.
async fn take_values(
    context: &Context,
    table: &ManagedTable,
    column: &ManagedColumn,
    identity: Identity,
    rows: Arc<dyn TableProvider>,
) -> Result<()> {
    let values = ident(&column.name);
    let last = if identity.step > 0 { max(values) } else { min(values) };
    let nothing: [datafusion::logical_expr::Expr; 0] = [];
    let plan =
        LogicalPlanBuilder::scan("source", provider_as_source(rows), None)?.aggregate(nothing, [last])?.build()?;
    let physical = query::physical_plan(context, &plan).await?;
    let batches = collect(physical, context.state().task_ctx()).await?;
    let Some(batch) = batches.iter().find(|batch| batch.num_rows() == 1) else { return Ok(()) };
    let last = cast(batch.column(0), &DataType::Int64)?;
    let Some(last) = last.as_primitive::<Int64Type>().iter().next().flatten() else { return Ok(()) };
    let taken = (i128::from(last) - i128::from(identity.seed)).div_euclid(i128::from(identity.step)) + 1;
    if let Ok(taken) = usize::try_from(taken) {
        let mut transaction = context.transaction().lock().await;
        transaction.next_identity(context.warehouse(), (table, column), identity, taken).await?;
    }
    Ok(())
}
