//! COMPUPDATE: the encodings of a table that is empty, chosen before its first rows are written (Redshift: "Loading
//! tables with automatic compression").
//!
//! ON encodes a sample of the files' rows in every way, as ANALYZE COMPRESSION does; PRESET goes by the types alone.
//! When nothing is said, a table whose columns have no encoding but RAW is encoded as the warehouse sees fit (Redshift: "only
//! if the target table is empty and you have not specified an encoding (other than RAW) for any of the columns"): its RAW
//! columns become AUTO, which is decided for each block as it is written. A table that has rows keeps its encodings
//! whatever is said.

use super::Load;
use crate::error::Result;
use crate::exec::analyze::{LEAST_ROWS, MOST_ROWS, best_encoding, is_sort_key};
use crate::exec::query;
use crate::load::LoadErrors;
use crate::sql::CompressionUpdate;
use crate::tables::SqlType;
use crate::tables::encoding::{Encoding, Sample};
use datafusion::logical_expr::LogicalPlanBuilder;
use datafusion::physical_plan::execute_stream;
use futures::TryStreamExt;
use millrace_catalog::model::ManagedTable;
use std::sync::Arc;

/// The table as the load fills it.
pub(super) async fn choose(load: &Load<'_>, table: &Arc<ManagedTable>) -> Result<Arc<ManagedTable>> {
    let update = load.copy.compression_update;
    let stays = match update {
        None => !is_raw(table),
        Some(update) => update == CompressionUpdate::Off,
    };
    if stays || load.copy.no_load || !is_empty(load, table).await? {
        return Ok(Arc::clone(table));
    }
    let mut changed = ManagedTable::clone(table);
    match update {
        None => {
            for at in (0..changed.columns.len()).filter(|at| !is_sort_key(table, *at)) {
                changed.columns[at].encoding = None;
            }
        }
        Some(CompressionUpdate::Preset) => {
            for at in 0..changed.columns.len() {
                let preset =
                    if is_sort_key(table, at) { Encoding::Raw } else { preset(changed.columns[at].data_type.parse()?) };
                changed.columns[at].encoding = Some(preset.to_string());
            }
        }
        Some(_) => sample(load, table, &mut changed).await?,
    }
    if changed == **table {
        return Ok(Arc::clone(table));
    }
    let context = load.context;
    context.transaction().lock().await.alter(context.warehouse(), table, changed.clone()).await?;
    Ok(Arc::new(changed))
}

/// Whether columns are RAW and none has another encoding.
fn is_raw(table: &ManagedTable) -> bool {
    let (raw, mut said) =
        (Encoding::Raw.to_string(), table.columns.iter().filter_map(|c| c.encoding.as_ref()).peekable());
    said.peek().is_some() && said.all(|encoding| *encoding == raw)
}

async fn is_empty(load: &Load<'_>, table: &Arc<ManagedTable>) -> Result<bool> {
    let context = load.context;
    let contents = context.transaction().lock().await.contents(context.warehouse(), table).await?;
    Ok(contents.files.is_empty() && contents.inlined.iter().all(|rows| rows.rows.is_empty()))
}

/// The encoding that COPY and CREATE TABLE give a type without looking at values.
fn preset(data_type: SqlType) -> Encoding {
    [Encoding::Az64, Encoding::Lzo].into_iter().find(|encoding| encoding.suits(data_type)).unwrap_or(Encoding::Raw)
}

/// Chooses from the first rows of the files. Bad lines are passed over: the load itself tells of them.
async fn sample(load: &Load<'_>, table: &ManagedTable, changed: &mut ManagedTable) -> Result<()> {
    let wanted = load.copy.compression_rows.unwrap_or(LEAST_ROWS).clamp(LEAST_ROWS, MOST_ROWS);
    let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
    let plan = load.with_errors(Arc::new(LoadErrors::new(None))).plan().await?;
    let plan = LogicalPlanBuilder::from(plan).limit(0, Some(wanted))?.build()?;
    let physical = query::physical_plan(load.context, &plan).await?;
    let mut batches = execute_stream(physical, load.context.state().task_ctx())?;
    // For each column of the files its place in the table and its sample; keys of the order keep their encodings.
    let mut samples = Vec::new();
    for (from, target) in load.targets.iter().enumerate() {
        let Some(at) = table.columns.iter().position(|column| column.name == target.name) else { continue };
        if !is_sort_key(table, at) {
            samples.push((from, at, Sample::new(&table.columns[at])?));
        }
    }
    while let Some(batch) = batches.try_next().await? {
        for (from, _, sample) in &mut samples {
            sample.add(batch.column(*from));
        }
    }
    for (_, at, sample) in samples {
        if sample.row_count() > 0 {
            let (best, _) = best_encoding(sample, table.columns[at].data_type.parse()?).await?;
            changed.columns[at].encoding = Some(best.encoding.to_string());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    // Redshift's Database Developer Guide, COPY, "COMPUPDATE PRESET".
    #[test]
    fn presets_of_types() {
        for (data_type, encoding) in [
            ("boolean", Encoding::Raw),
            ("real", Encoding::Raw),
            ("double precision", Encoding::Raw),
            ("smallint", Encoding::Az64),
            ("integer", Encoding::Az64),
            ("bigint", Encoding::Az64),
            ("numeric(10,2)", Encoding::Az64),
            ("date", Encoding::Az64),
            ("time", Encoding::Az64),
            ("timestamp", Encoding::Az64),
            ("timestamptz", Encoding::Az64),
            ("char(3)", Encoding::Lzo),
            ("varchar(30)", Encoding::Lzo),
        ] {
            assert_eq!(preset(data_type.parse().unwrap()), encoding, "{data_type}");
        }
    }
}
