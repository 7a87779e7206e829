//! Tables as the last statement saw them, for the next one that sees the same: what a table tells of its rows, files and
//! values is computed once, not for each statement.
//!
//! A table is the same where its definition, its files and what is known of its values are the very ones that the catalog
//! keeps in memory for both statements, and where the catalog has no rows of it.

use super::scan::ManagedTableProvider;
use moka::sync::Cache;
use std::fmt;
use std::sync::Arc;

/// About how many bytes of what tables tell are kept.
const KEPT_BYTES: u64 = 32 << 20;

/// What a table counts beside its files.
const TABLE_BYTES: usize = 4 << 10;

/// The tables, by their numbers.
pub(crate) struct SeenTables(Cache<i64, Arc<ManagedTableProvider>>);

impl Default for SeenTables {
    fn default() -> Self {
        let weigh = |_: &i64, table: &Arc<ManagedTableProvider>| {
            u32::try_from(table.kept_bytes().saturating_add(table.known_bytes()).saturating_add(TABLE_BYTES))
                .unwrap_or(u32::MAX)
        };
        Self(Cache::builder().max_capacity(KEPT_BYTES).weigher(weigh).build())
    }
}

impl fmt::Debug for SeenTables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeenTables").field("tables", &self.0.entry_count()).finish_non_exhaustive()
    }
}

impl SeenTables {
    /// A table of the catalog as a statement sees it: that of an earlier statement, where it is the same.
    pub(crate) fn same_or(&self, table: ManagedTableProvider) -> Arc<ManagedTableProvider> {
        let id = table.table().id;
        if table.has_inlined() {
            // It is never the same, and its rows may be many.
            self.0.invalidate(&id);
            return Arc::new(table);
        }
        if let Some(seen) = self.0.get(&id).filter(|seen| seen.is_same(&table)) {
            return seen;
        }
        let table = Arc::new(table);
        self.0.insert(id, Arc::clone(&table));
        table
    }
}
