//! What the planner is told of a table's rows: the files' estimates together, with the counts of distinct values that
//! loads and ANALYZE keep. No data is read for it.

use super::bounds::{file_estimates, live_rows};
use crate::error::Result;
use crate::tables::types::SqlType;
use arrow::datatypes::SchemaRef;
use datafusion::common::Statistics;
use datafusion::common::stats::Precision;
use millrace_catalog::model::{DataFile, TableEstimates};

/// The statistics of a table that has these files, rows that the manifest holds described as one of them.
pub(in crate::tables) fn table_statistics<'a>(
    columns: &[(i64, SqlType)],
    schema: &SchemaRef,
    files: impl Iterator<Item = &'a DataFile>,
    estimates: &TableEstimates,
) -> Result<Statistics> {
    let files = files.filter(|file| live_rows(file) > 0);
    let parts: Vec<Statistics> = files.map(|file| file_estimates(columns, file)).collect();
    let mut all = if parts.is_empty() {
        Statistics { num_rows: Precision::Exact(0), ..Statistics::new_unknown(schema) }
    } else {
        Statistics::try_merge_iter(&parts, schema)?
    };
    add_distinct_counts(&mut all, columns, estimates);
    Ok(all)
}

/// Adds the counts of distinct values, at most the rows that are not NULL, and the bytes of the values where ANALYZE
/// measured their width.
fn add_distinct_counts(statistics: &mut Statistics, columns: &[(i64, SqlType)], estimates: &TableEstimates) {
    let rows = statistics.num_rows.get_value().copied();
    for ((id, _), column) in columns.iter().zip(&mut statistics.column_statistics) {
        let Some(known) = estimates.columns.get(id) else { continue };
        let nulls = column.null_count.get_value().copied().unwrap_or(0);
        let values = rows.map(|rows| rows.saturating_sub(nulls));
        if let Some(distinct) = known.distinct_count.and_then(|count| usize::try_from(count).ok()) {
            column.distinct_count = Precision::Inexact(distinct.min(values.unwrap_or(usize::MAX)));
        }
        if let (Some(analysis), Some(values)) = (&known.analysis, values) {
            column.byte_size = Precision::Inexact((analysis.average_width * values as f64) as usize);
        }
    }
}
