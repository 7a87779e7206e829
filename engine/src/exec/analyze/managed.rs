//! `ANALYZE` of managed tables: one scan of the columns asked for gives counts of distinct values (of live rows only),
//! NULLs, widths and a sample; the sample gives frequent values and a histogram. All of it goes to the catalog as
//! estimates, beside the sketches that loads keep.

use crate::error::{Error, ErrorKind, Result};
use crate::exec::ddl::now_ms;
use crate::result::{Notice, Severity};
use crate::session::Context;
use crate::sql::{Analyze, AnalyzeScope};
use crate::tables::{Gathered, SqlType};
use datafusion::common::runtime::JoinSet;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use futures::TryStreamExt;
use millrace_catalog::manifest::FoundEstimates;
use millrace_catalog::model::{ManagedTable, TableAnalysis};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Values in the sample, over all columns.
const SAMPLE_VALUES: usize = 4_000_000;
/// The most rows in the sample.
const SAMPLE_ROWS: usize = 60_000;

/// Analyzes a managed table.
pub(super) async fn analyze(
    context: &Context,
    table: &Arc<ManagedTable>,
    analyze: &Analyze,
    notices: &mut Vec<Notice>,
) -> Result<()> {
    if table.id <= 0 {
        return Err(Error::unsupported("ANALYZE of a table that the same transaction makes"));
    }
    if !analyze.partition.is_empty() || !analyze.any_value.is_empty() {
        let message = format!("\"{}\" has no partitions: it is a managed table", table.name);
        return Err(Error::new(ErrorKind::UndefinedColumn, message));
    }
    let time_ms = now_ms();
    let columns = columns_of(context, table, &analyze.scope).await?;
    let (row_count, gathered) = gather(context, table, &columns).await?;
    let mut found = FoundEstimates { table: Some(TableAnalysis { time_ms, row_count }), ..FoundEstimates::default() };
    for (at, gathered) in columns.iter().zip(gathered) {
        found.columns.insert(table.columns[*at].id, gathered.finish(row_count, time_ms)?);
    }
    context.catalog().put_estimates(table.id, &found).await?;
    if analyze.verbose {
        let name = format!("{}.{}", table.schema, table.name);
        let message = format!("\"{name}\": {row_count} rows, {} columns", columns.len());
        notices.push(Notice { severity: Severity::Info, message });
        for at in columns {
            let column = &table.columns[at];
            let Some((sketch, analysis)) = found.columns.get(&column.id) else { continue };
            let message = format!(
                "\"{name}\".\"{}\": about {} distinct values, {:.1} % NULL, {:.1} bytes wide",
                column.name,
                sketch.count().min(row_count),
                100. * analysis.null_fraction,
                analysis.average_width
            );
            notices.push(Notice { severity: Severity::Info, message });
        }
    }
    Ok(())
}

/// The columns to look at, by position.
async fn columns_of(context: &Context, table: &ManagedTable, scope: &AnalyzeScope) -> Result<Vec<usize>> {
    let kept = |at: &usize| {
        let data_type = table.columns[*at].data_type.parse::<SqlType>();
        data_type.is_ok_and(Gathered::is_kept)
    };
    let all = || (0..table.columns.len()).filter(kept).collect::<Vec<_>>();
    match scope {
        AnalyzeScope::Files | AnalyzeScope::Rows => Ok(Vec::new()),
        AnalyzeScope::AllColumns => Ok(all()),
        AnalyzeScope::PredicateColumns => {
            let used = context.catalog().predicate_columns(table.id).await?;
            let used: Vec<usize> = all().into_iter().filter(|at| used.contains(&table.columns[*at].id)).collect();
            // As in Redshift: before any query has told, all are.
            Ok(if used.is_empty() { all() } else { used })
        }
        AnalyzeScope::Columns(names) => {
            let mut positions = BTreeSet::new();
            for name in names {
                let at = table.columns.iter().position(|column| column.name == *name).ok_or_else(|| {
                    let message = format!("column \"{name}\" of relation \"{}\" does not exist", table.name);
                    Error::new(ErrorKind::UndefinedColumn, message)
                })?;
                if !kept(&at) {
                    let data_type = &table.columns[at].data_type;
                    return Err(Error::unsupported(format!("ANALYZE of column \"{name}\" of type {data_type}")));
                }
                positions.insert(at);
            }
            Ok(positions.into_iter().collect())
        }
    }
}

/// How many rows there are, and what was gathered of the columns.
async fn gather(context: &Context, table: &Arc<ManagedTable>, columns: &[usize]) -> Result<(u64, Vec<Gathered>)> {
    let state = context.state();
    let rows = context.scan_managed(table).await?;
    let known = rows.statistics().and_then(|known| known.num_rows.get_value().copied()).unwrap_or(0);
    if columns.is_empty() {
        return Ok((known as u64, Vec::new()));
    }
    let sample = SAMPLE_ROWS.min(SAMPLE_VALUES / columns.len()).max(1);
    let stride = known.div_ceil(sample).max(1);
    let plan = rows.scan(state, Some(&columns.to_vec()), &[], None).await?;
    let split = plan.repartitioned(state.config().target_partitions(), state.config_options())?;
    let plan = split.unwrap_or(plan);
    // Dropped with the statement, it ends the tasks.
    let mut tasks = JoinSet::new();
    for partition in 0..plan.output_partitioning().partition_count() {
        let types = plan.schema().fields().iter().map(|field| field.data_type().clone()).collect::<Vec<_>>();
        let gathered = types.iter().map(|_| Gathered::default()).collect();
        tasks.spawn(read(Arc::clone(&plan), partition, stride, gathered, state.task_ctx()));
    }
    let mut all: Vec<Gathered> = columns.iter().map(|_| Gathered::default()).collect();
    while let Some(found) = tasks.join_next().await {
        let found = found.map_err(|error| Error::internal(format!("a scan stopped: {error}")))??;
        for (all, found) in all.iter_mut().zip(found) {
            all.merge(found);
        }
    }
    let row_count = all.first().map_or(0, Gathered::row_count);
    Ok((row_count, all))
}

/// Reads one partition of a scan; every row of so many is in the sample.
async fn read(
    plan: Arc<dyn ExecutionPlan>,
    partition: usize,
    stride: usize,
    mut gathered: Vec<Gathered>,
    tasks: Arc<TaskContext>,
) -> Result<Vec<Gathered>> {
    let reservation = MemoryConsumer::new("ANALYZE").register(tasks.memory_pool());
    let mut batches = plan.execute(partition, tasks)?;
    let mut skip = 0;
    while let Some(batch) = batches.try_next().await? {
        let picked: Vec<usize> = (skip..batch.num_rows()).step_by(stride).collect();
        skip = (skip + picked.len() * stride).saturating_sub(batch.num_rows());
        for (gathered, values) in gathered.iter_mut().zip(batch.columns()) {
            reservation.try_grow(gathered.update(values, &picked)?)?;
        }
    }
    Ok(gathered)
}
