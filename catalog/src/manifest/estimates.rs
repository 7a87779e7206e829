//! What the planner is told of managed tables' rows: kept by loads and ANALYZE, read when a statement is planned.
//!
//! Estimates belong to no snapshot: they are about the newest rows, whichever a statement reads. Changing them is no
//! commit of the manifest and conflicts with none.

use super::sketches;
use crate::error::{CatalogError, Result};
use crate::model::{ColumnAnalysis, ColumnEstimates, DistinctSketch, TableAnalysis, TableEstimates};
use crate::store::{Catalog, Write, decode, encode, sql};
use moka::future::Cache;
use moka::policy::EvictionPolicy;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// The most tables whose estimates are kept in memory.
const MOST_TABLES: u64 = 10_000;

/// Estimates by table, each with the version that it was read at. Those that were not asked for the longest time make
/// room for others.
#[derive(Debug)]
pub(crate) struct EstimateCache {
    version: AtomicI64,
    tables: Cache<i64, (i64, Arc<TableEstimates>)>,
}

impl Default for EstimateCache {
    fn default() -> Self {
        let tables = Cache::builder().max_capacity(MOST_TABLES).eviction_policy(EvictionPolicy::lru()).build();
        Self { version: AtomicI64::default(), tables }
    }
}

impl EstimateCache {
    /// Notes the version that the database has now.
    pub(crate) fn seen(&self, version: i64) {
        self.version.store(version, Ordering::Relaxed);
    }

    /// Whether this is the version that was noted last.
    pub(crate) fn is_at(&self, version: i64) -> bool {
        self.version.load(Ordering::Relaxed) == version
    }

    async fn get(&self, table: i64) -> Option<Arc<TableEstimates>> {
        let (version, found) = self.tables.get(&table).await?;
        (version == self.version.load(Ordering::Relaxed)).then_some(found)
    }

    async fn put(&self, table: i64, version: i64, found: &Arc<TableEstimates>) {
        self.tables.insert(table, (version, Arc::clone(found))).await;
    }
}

/// What an `ANALYZE` of a managed table found.
#[derive(Debug, Clone, Default)]
pub struct FoundEstimates {
    /// Of the table; `None` when not all of its predicate columns were looked at, so that the last one stays.
    pub table: Option<TableAnalysis>,
    /// By column id: the sketch of its live rows, and the rest.
    pub columns: BTreeMap<i64, (DistinctSketch, ColumnAnalysis)>,
}

impl Catalog {
    /// What is known about a managed table's rows. Reads the database only when something was learnt since, which a
    /// look at the [`Catalog::snapshot`] tells.
    pub async fn estimates(&self, table_id: i64) -> Result<Arc<TableEstimates>> {
        if let Some(known) = self.estimate_cache().get(table_id).await {
            return Ok(known);
        }
        let mut lease = self.read().await?;
        lease.begin_read().await?;
        let query = sql("SELECT statistics_version FROM millrace_manifest");
        let version = lease.number(query).await?;
        let query = "SELECT column_id, distinct_count, document FROM millrace_column_estimate WHERE table_id = $1";
        let rows: Vec<(i64, Option<i64>, Option<String>)> = lease.all(sql(query).bind(table_id)).await?;
        let query = "SELECT document FROM millrace_table_estimate WHERE table_id = $1";
        let table: Option<(String,)> = lease.first(sql(query).bind(table_id)).await?;
        let what = format!("the statistics of managed table {table_id}");
        let analysis = table.map(|(document,)| decode(lease.place(), &what, &document)).transpose()?;
        let mut columns = BTreeMap::new();
        for (column, distinct, document) in rows {
            let analysis = document.map(|document| decode(lease.place(), &what, &document)).transpose()?;
            let distinct_count = distinct.and_then(|count| u64::try_from(count).ok());
            columns.insert(column, ColumnEstimates { distinct_count, analysis });
        }
        lease.end().await?;
        let found = Arc::new(TableEstimates { analysis, columns });
        self.estimate_cache().put(table_id, version, &found).await;
        Ok(found)
    }

    /// Keeps what an ANALYZE found; what it did not look at stays.
    ///
    /// [`CatalogError::NotFound`] for a table that is gone.
    pub async fn put_estimates(&self, table_id: i64, found: &FoundEstimates) -> Result<()> {
        let mut write = self.write().await?;
        let query = "SELECT COUNT(*) FROM ducklake_table WHERE table_id = $1 AND end_snapshot IS NULL";
        if write.number(sql(query).bind(table_id)).await? == 0 {
            return Err(CatalogError::not_found("relation", table_id.to_string()));
        }
        if let Some(analysis) = &found.table {
            let query = "INSERT INTO millrace_table_estimate (table_id, document) VALUES ($1, $2) \
                         ON CONFLICT (table_id) DO UPDATE SET document = excluded.document";
            write.execute(sql(query).bind(table_id).bind(encode(analysis)?)).await?;
        }
        let joined: Vec<_> = found.columns.iter().map(|(id, (sketch, _))| (*id, sketch.clone())).collect();
        sketches::put(&mut write, table_id, &joined).await?;
        for (column, (_, analysis)) in &found.columns {
            let query = "UPDATE millrace_column_estimate SET document = $1 WHERE table_id = $2 AND column_id = $3";
            write.execute(sql(query).bind(encode(analysis)?).bind(table_id).bind(*column)).await?;
        }
        mark_changed(&mut write).await?;
        let query = sql("SELECT statistics_version FROM millrace_manifest");
        let version = write.number(query).await?;
        write.commit_uncounted().await?;
        self.estimate_cache().seen(version);
        Ok(())
    }
}

/// Forgets what was known of a table's rows.
pub(super) async fn forget(write: &mut Write<'_>, table: i64) -> Result<()> {
    let mut rows = 0;
    for statement in [
        "DELETE FROM millrace_column_estimate WHERE table_id = $1",
        "DELETE FROM millrace_table_estimate WHERE table_id = $1",
    ] {
        rows += write.execute(sql(statement).bind(table)).await?;
    }
    if rows > 0 { mark_changed(write).await } else { Ok(()) }
}

/// Tells readers that what they keep may no longer hold.
pub(super) async fn mark_changed(write: &mut Write<'_>) -> Result<()> {
    let query = sql("UPDATE millrace_manifest SET statistics_version = statistics_version + 1");
    write.execute_later(query).await
}
