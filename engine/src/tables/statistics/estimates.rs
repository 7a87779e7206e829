//! What the planner is told of a table's rows: the files' estimates together, with the counts of distinct values that
//! loads and ANALYZE keep. No data is read for it.

use super::bounds::file_estimates;
use crate::error::Result;
use crate::tables::types::SqlType;
use arrow::datatypes::SchemaRef;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, Statistics};
use millrace_catalog::model::{DataFile, TableEstimates};

/// The statistics of a table that has these files, and `inlined_rows` rows beside them.
///
/// Row counts are exact; bounds are where all files have them and no row stands beside.
pub(in crate::tables) fn table_statistics(
    columns: &[(i64, SqlType)],
    schema: &SchemaRef,
    files: &[DataFile],
    inlined_rows: usize,
    estimates: &TableEstimates,
) -> Result<Statistics> {
    let parts: Vec<Statistics> = files.iter().map(|file| file_estimates(columns, file)).collect();
    let mut all = if parts.is_empty() {
        let mut none = Statistics::new_unknown(schema);
        none.num_rows = Precision::Exact(0);
        none
    } else {
        Statistics::try_merge_iter(&parts, schema)?
    };
    if inlined_rows > 0 {
        all.num_rows = all.num_rows.add(&Precision::Exact(inlined_rows));
        all.total_byte_size = all.total_byte_size.to_inexact();
        // The rows beside the files may lie outside of the bounds, which are few and so still tell where most are.
        all.column_statistics = all.column_statistics.into_iter().map(ColumnStatistics::to_inexact).collect();
    }
    add_distinct_counts(&mut all, columns, estimates);
    Ok(all)
}

/// Adds the counts of distinct values: at most the rows that are not NULL.
pub(in crate::tables) fn add_distinct_counts(
    statistics: &mut Statistics,
    columns: &[(i64, SqlType)],
    estimates: &TableEstimates,
) {
    let rows = statistics.num_rows.get_value().copied();
    for ((id, _), column) in columns.iter().zip(&mut statistics.column_statistics) {
        let known = estimates.columns.get(id).and_then(|known| known.distinct_count);
        let Some(distinct) = known.and_then(|count| usize::try_from(count).ok()) else { continue };
        let nulls = column.null_count.get_value().copied().unwrap_or(0);
        let most = rows.map_or(usize::MAX, |rows| rows.saturating_sub(nulls));
        column.distinct_count = Precision::Inexact(distinct.min(most));
    }
}
