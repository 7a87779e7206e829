//! Rows of the catalog that were decoded before: most statements read tables that nobody changed meanwhile.

use super::inlined::decode_inlined;
use super::scan::InlinedRows;
use crate::error::Result;
use millrace_catalog::model::ManagedTable;
use millrace_catalog::{Catalog, manifest};
use moka::future::Cache;
use std::fmt;
use std::sync::Arc;

/// How many bytes of rows are kept.
const KEPT_BYTES: u64 = 64 << 20;

/// What a table counts beside its rows.
const TABLE_BYTES: usize = 512;

/// The tables' rows in the catalog, by the tables' numbers.
pub(crate) struct InlinedCache(Cache<i64, Arc<Known>>);

/// A table's rows.
struct Known {
    table: Arc<ManagedTable>,
    /// As the catalog gave them.
    from: Arc<Vec<manifest::InlinedRows>>,
    rows: Vec<InlinedRows>,
}

impl Default for InlinedCache {
    fn default() -> Self {
        let weigh = |_: &i64, known: &Arc<Known>| {
            let bytes = known.rows.iter().map(|rows| rows.rows.get_array_memory_size()).sum::<usize>();
            u32::try_from(bytes + TABLE_BYTES).unwrap_or(u32::MAX)
        };
        Self(Cache::builder().max_capacity(KEPT_BYTES).weigher(weigh).build())
    }
}

impl fmt::Debug for InlinedCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InlinedCache").field("tables", &self.0.entry_count()).finish_non_exhaustive()
    }
}

impl InlinedCache {
    /// The rows that the catalog holds of a table at one of the manifest's snapshots, in the table's columns.
    ///
    /// # Errors
    /// What the catalog's database says; `DataCorrupted` for a value that is not of its column's type.
    pub(crate) async fn rows(
        &self,
        catalog: &Catalog,
        table: &Arc<ManagedTable>,
        snapshot_id: i64,
    ) -> Result<Vec<InlinedRows>> {
        let from = catalog.inlined_rows(table.id, snapshot_id).await?;
        if from.is_empty() {
            return Ok(Vec::new());
        }
        if let Some(known) = self.0.get(&table.id).await
            && Arc::ptr_eq(&known.from, &from)
            && known.table.columns == table.columns
        {
            return Ok(known.rows.clone());
        }
        let rows = from.iter().map(|rows| decode_inlined(table, rows)).collect::<Result<Vec<_>>>()?;
        let known = Known { table: Arc::clone(table), from, rows: rows.clone() };
        self.0.insert(table.id, Arc::new(known)).await;
        Ok(rows)
    }
}
