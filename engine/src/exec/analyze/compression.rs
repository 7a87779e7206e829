//! `ANALYZE COMPRESSION`: which encoding would suit each column, found by encoding a sample of its rows in every way.
//!
//! As in Redshift, reductions are against RAW, a column of the sort key keeps the encoding that it has, and COMPROWS
//! below 100,000 is raised to that. Unlike there, nothing is locked: the sample is of the statement's snapshot.

use crate::error::{Error, ErrorKind, Result};
use crate::exec::rows;
use crate::resolve::{self, Relation};
use crate::result::StatementResult;
use crate::session::Context;
use crate::sql::AnalyzeCompression;
use crate::tables::SqlType;
use crate::tables::encoding::{Encoding, Measured, Sample};
use datafusion::physical_plan::ExecutionPlanProperties;
use futures::TryStreamExt;
use millrace_catalog::model::{ManagedTable, SortKey};
use std::sync::Arc;

/// The least rows of a sample, and what it has when nothing is said.
pub(in crate::exec) const LEAST_ROWS: u64 = 100_000;
/// The most rows of a sample: it is held in memory, column by column.
pub(in crate::exec) const MOST_ROWS: u64 = 1_000_000;

/// Executes `ANALYZE COMPRESSION`.
pub(crate) async fn execute(context: &Context, analyze: &AnalyzeCompression) -> Result<StatementResult> {
    let tables = match &analyze.table {
        Some(name) => match resolve::find_relation(context, name).await? {
            Relation::Managed(table) => vec![table],
            Relation::Foreign(table) => return Err(table.unchangeable()),
            Relation::Catalog(table) => {
                let message =
                    format!("cannot analyze the compression of \"{}\": it is not a managed table", table.name);
                return Err(Error::new(ErrorKind::WrongObjectType, message));
            }
        },
        None => context.transaction().lock().await.tables(context.warehouse(), context.database()).await?,
    };
    let wanted = usize::try_from(analyze.rows.unwrap_or(LEAST_ROWS).clamp(LEAST_ROWS, MOST_ROWS)).unwrap_or(usize::MAX);
    let mut found = Vec::new();
    for table in tables {
        let columns = match &analyze.columns {
            None => (0..table.columns.len()).collect(),
            Some(names) => names.iter().map(|name| position(&table, name)).collect::<Result<Vec<_>>>()?,
        };
        for at in columns {
            let (encoding, reduction) = column(context, &table, at, wanted).await?;
            let name = &table.columns[at].name;
            found.push([table.name.clone(), name.clone(), encoding, format!("{reduction:.2}")]);
        }
    }
    rows::text("ANALYZE COMPRESSION", &["Table", "Column", "Encoding", "Est_reduction_pct"], found)
}

fn position(table: &ManagedTable, name: &str) -> Result<usize> {
    let message = || format!("column \"{name}\" of relation \"{}\" does not exist", table.name);
    let found = table.columns.iter().position(|column| column.name == name);
    found.ok_or_else(|| Error::new(ErrorKind::UndefinedColumn, message()))
}

/// The encoding that suits a column, and by how many percent it is smaller than RAW.
async fn column(context: &Context, table: &Arc<ManagedTable>, at: usize, rows: usize) -> Result<(String, f64)> {
    let column = &table.columns[at];
    if is_sort_key(table, at) {
        return Ok((column.encoding.clone().unwrap_or_else(|| "auto".to_owned()), 0.));
    }
    let data_type: SqlType = column.data_type.parse()?;
    let mut sample = Sample::new(column)?;
    let provider = context.scan_managed(table).await?;
    let state = context.state();
    let plan = provider.scan(state, Some(&vec![at]), &[], None).await?;
    // One partition after the other: neighbours in a file stay neighbours in the sample, and the same files give the same
    // sample whatever the number of cores.
    for partition in 0..plan.output_partitioning().partition_count() {
        let mut batches = plan.execute(partition, state.task_ctx())?;
        while sample.row_count() < rows
            && let Some(batch) = batches.try_next().await?
        {
            sample.add(batch.slice(0, batch.num_rows().min(rows - sample.row_count())).column(0));
        }
    }
    if sample.row_count() == 0 {
        return Ok((Encoding::Raw.to_string(), 0.));
    }
    let (best, raw) = best_encoding(sample, data_type).await?;
    Ok((best.encoding.to_string(), best.reduction_percent(&raw)))
}

/// Whether a column, by its position, is one of the sort key's.
pub(in crate::exec) fn is_sort_key(table: &ManagedTable, at: usize) -> bool {
    match table.attributes.effective_sort_key() {
        SortKey::Compound { columns } | SortKey::Interleaved { columns } => columns.contains(&table.columns[at].id),
        SortKey::None | SortKey::Auto => false,
    }
}

/// What the best encoding of a sample and RAW make of it.
pub(in crate::exec) async fn best_encoding(sample: Sample, data_type: SqlType) -> Result<(Measured, Measured)> {
    // Encoding takes seconds of a core, which are not the runtime's.
    let measured = tokio::task::spawn_blocking(move || sample.measure(data_type)).await;
    measured.map_err(|error| Error::internal(format!("a measurement stopped: {error}")))?
}
