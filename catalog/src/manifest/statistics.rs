//! What the manifest knows of a whole table's rows.

use super::state::{ColumnRow, bounds};
use crate::error::Result;
use crate::store::{Catalog, sql};
use std::collections::BTreeMap;

/// `ducklake_table_stats` and `ducklake_table_column_stats` of a table. Deleted rows still count, and bounds are not
/// narrowed by deletes: for estimates, and for pruning.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ManagedTableStatistics {
    /// Rows in the live files, deleted ones included, and in the catalog.
    pub record_count: u64,
    /// Bytes of the live files.
    pub size_bytes: u64,
    /// The row id that the next row gets.
    pub next_row_id: i64,
    /// By column id.
    pub columns: BTreeMap<i64, TableColumnBounds>,
}

/// What is known of a column's values in a whole table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableColumnBounds {
    /// Whether there may be NULLs.
    pub contains_null: Option<bool>,
    /// Whether there may be NaNs.
    pub contains_nan: Option<bool>,
    /// A lower bound; `None` when unknown.
    pub minimum: Option<String>,
    /// An upper bound; `None` when unknown.
    pub maximum: Option<String>,
}

impl Catalog {
    /// What is known now of a managed table's rows; all zeros for a table that has had none.
    pub async fn table_statistics(&self, table_id: i64) -> Result<ManagedTableStatistics> {
        let mut lease = self.read().await?;
        lease.begin_read().await?;
        let query = "SELECT record_count, file_size_bytes, next_row_id FROM ducklake_table_stats WHERE table_id = $1";
        let row: Option<(i64, i64, i64)> = lease.first(sql(query).bind(table_id)).await?;
        let query = "SELECT column_id, contains_null, contains_nan, min_value, max_value \
                     FROM ducklake_table_column_stats WHERE table_id = $1";
        let columns: Vec<ColumnRow> = lease.all(sql(query).bind(table_id)).await?;
        lease.end().await?;
        let (records, bytes, next_row_id) = row.unwrap_or_default();
        let columns = columns.into_iter().map(|row| {
            let (id, known) = (row.0, bounds(row));
            let (contains_null, contains_nan) = (known.contains_null, known.contains_nan);
            (id, TableColumnBounds { contains_null, contains_nan, minimum: known.minimum, maximum: known.maximum })
        });
        Ok(ManagedTableStatistics {
            record_count: u64::try_from(records).unwrap_or(0),
            size_bytes: u64::try_from(bytes).unwrap_or(0),
            next_row_id,
            columns: columns.collect(),
        })
    }
}
