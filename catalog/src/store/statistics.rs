//! What is known of the rows of tables and partitions.
//!
//! A table's own statistics are in the snapshot, so planning has them without asking; a partition's are looked up like
//! partitions. Sketches are large and joined by `ANALYZE` alone: they are stored beside the rest, and neither the
//! snapshot nor a planner's look-up reads them.

use super::catalog::Catalog;
use super::connection::Write;
use super::database::CHUNK;
use super::document::{decode, encode};
use super::lookup::{find_rows, push_list, wanted};
use super::partition_rows::{find_ids, missing};
use super::partitions::check_table;
use super::place::Place;
use super::sort_key::encode_name;
use super::sql::{SqlBuilder, sql};
use crate::error::Result;
use crate::model::{PartitionFilter, Table, TableStatistics};
use std::collections::{BTreeMap, HashMap};

/// The values of a partition with what is known of its rows.
pub type PartitionStatistics = (Vec<Option<String>>, TableStatistics);

pub(super) const SELECT_STATISTICS: &str = "SELECT p.name, s.document, s.sketches \
     FROM millrace_partition p CROSS JOIN millrace_partition_statistics s \
     WHERE s.partition_id = p.id AND p.table_id = ";
/// As [`SELECT_STATISTICS`], without the sketches.
const SELECT_SUMMARIES: &str = "SELECT p.name, s.document, CAST(NULL AS TEXT) \
     FROM millrace_partition p CROSS JOIN millrace_partition_statistics s \
     WHERE s.partition_id = p.id AND p.table_id = ";

impl Catalog {
    /// Stores what is known of the whole table (`None`) or of partitions (`Some(values)`), each in the place of what
    /// was there; a partition that does not exist is [`CatalogError::NotFound`](crate::CatalogError::NotFound).
    /// Definitions and versions stay.
    pub async fn put_statistics(
        &self,
        table: &Table,
        entries: &[(Option<Vec<Option<String>>>, TableStatistics)],
    ) -> Result<()> {
        let mut write = self.write().await?;
        put_statistics(&mut write, table, entries).await?;
        write.commit().await
    }

    /// What is known of the whole table, sketches included.
    pub async fn statistics(&self, table: &Table) -> Result<Option<TableStatistics>> {
        let mut lease = self.read().await?;
        let query = sql("SELECT document, sketches FROM millrace_table_statistics WHERE table_id = $1");
        let row: Option<(String, Option<String>)> = lease.first(query.bind(table.id)).await?;
        lease.release();
        row.map(|(document, sketches)| join(self.place(), &table.database, &table.name, &document, sketches.as_deref()))
            .transpose()
    }

    /// What is known of the partitions that satisfy all filters, in the order of the keys' types, sketches included.
    /// Those that nothing is known of are left out.
    pub async fn partition_statistics(
        &self,
        table: &Table,
        filters: &[PartitionFilter],
    ) -> Result<Vec<PartitionStatistics>> {
        self.search_statistics(table, filters, SELECT_STATISTICS).await
    }

    /// As [`Catalog::partition_statistics`], but without sketches: what planning needs. What was read stays true
    /// while the snapshot's [`statistics_version`](crate::Snapshot::statistics_version) and
    /// [`partitions_version`](crate::Snapshot::partitions_version) of the table are the same.
    pub async fn partition_statistics_without_sketches(
        &self,
        table: &Table,
        filters: &[PartitionFilter],
    ) -> Result<Vec<PartitionStatistics>> {
        self.search_statistics(table, filters, SELECT_SUMMARIES).await
    }

    async fn search_statistics(
        &self,
        table: &Table,
        filters: &[PartitionFilter],
        select: &'static str,
    ) -> Result<Vec<PartitionStatistics>> {
        let Some(sets) = wanted(table, filters)? else { return Ok(Vec::new()) };
        let mut lease = self.read().await?;
        lease.begin_read().await?;
        let query = sql("SELECT statistics_version FROM millrace_table WHERE id = $1").bind(table.id);
        let version: Option<(i64,)> = lease.first(query).await?;
        if version.is_none_or(|(version,)| version == 0) {
            lease.end().await?;
            return Ok(Vec::new());
        }
        let partitions = find_rows(&mut lease, table.id, &sets, usize::MAX).await?;
        let mut known = HashMap::new();
        for chunk in partitions.chunks(CHUNK) {
            let mut query = SqlBuilder::new(select);
            query.push_bind(table.id);
            push_list(&mut query, " AND p.name IN (", chunk.iter().map(|(name, _)| name.as_str()));
            let rows: Vec<(String, String, Option<String>)> = lease.all(query.build()).await?;
            known.extend(rows.into_iter().map(|(name, document, sketches)| (name, (document, sketches))));
        }
        lease.end().await?;
        let found = partitions.iter().filter_map(|row| Some((row, known.remove(&row.0)?)));
        let decoded = found.map(|(row, (document, sketches))| {
            let statistics = join(self.place(), &table.database, &table.name, &document, sketches.as_deref())?;
            Ok((self.decode_partition(table, row)?.values, statistics))
        });
        decoded.collect()
    }
}

/// [`Catalog::put_statistics`] within a transaction.
pub(super) async fn put_statistics(
    write: &mut Write<'_>,
    table: &Table,
    entries: &[(Option<Vec<Option<String>>>, TableStatistics)],
) -> Result<()> {
    check_table(write, table).await?;
    let mut partitions = Vec::with_capacity(entries.len());
    for (values, statistics) in entries {
        match values {
            None => put_table_statistics(write, table, statistics).await?,
            Some(values) => partitions.push((encode_name(&table.partition_keys, values)?, values, statistics)),
        }
    }
    for chunk in partitions.chunks(CHUNK) {
        let ids = find_ids(write, table, chunk.iter().map(|(name, ..)| name.as_str())).await?;
        // By number: of two for one partition the last one stays.
        let mut rows = BTreeMap::new();
        for (name, values, statistics) in chunk {
            let id = ids.get(name).ok_or_else(|| missing(&table.partition_keys, values))?;
            rows.insert(*id, *statistics);
        }
        put_partition_statistics(write, &rows.into_iter().collect::<Vec<_>>()).await?;
    }
    mark_statistics_changed(write, table).await
}

/// Stores what is known of a whole table. The caller marks the table's statistics as changed.
pub(super) async fn put_table_statistics(
    write: &mut Write<'_>,
    table: &Table,
    statistics: &TableStatistics,
) -> Result<()> {
    let (document, sketches) = split(statistics)?;
    let query = "INSERT INTO millrace_table_statistics (table_id, document, sketches) VALUES ($1, $2, $3) \
                 ON CONFLICT (table_id) DO UPDATE SET document = excluded.document, sketches = excluded.sketches";
    write.execute(sql(query).bind(table.id).bind(document).bind(sketches)).await.map(drop)
}

/// Forgets what was known of a whole table.
pub(super) async fn delete_table_statistics(write: &mut Write<'_>, table: &Table) -> Result<()> {
    let query = sql("DELETE FROM millrace_table_statistics WHERE table_id = $1").bind(table.id);
    if write.execute(query).await? > 0 { mark_statistics_changed(write, table).await } else { Ok(()) }
}

/// Stores what is known of partitions, by their numbers, at most [`CHUNK`]. The caller marks the table's statistics
/// as changed.
pub(super) async fn put_partition_statistics(write: &mut Write<'_>, rows: &[(i64, &TableStatistics)]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let parts = rows.iter().map(|(_, statistics)| split(statistics)).collect::<Result<Vec<_>>>()?;
    let mut query = SqlBuilder::new("INSERT INTO millrace_partition_statistics (partition_id, document, sketches) ");
    query.push_values(rows.iter().zip(parts), |mut row, ((id, _), (document, sketches))| {
        row.push_bind(*id).push_bind(document).push_bind(sketches);
    });
    query.push(" ON CONFLICT (partition_id) DO UPDATE SET document = excluded.document, sketches = excluded.sketches");
    write.execute(query.build()).await.map(drop)
}

/// Forgets what was known of partitions, at most [`CHUNK`].
pub(super) async fn delete_partition_statistics(write: &mut Write<'_>, ids: &[i64]) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let mut query = SqlBuilder::new("DELETE FROM millrace_partition_statistics");
    push_list(&mut query, " WHERE partition_id IN (", ids.iter().copied());
    write.execute(query.build()).await.map(drop)
}

/// Tells readers that keep a table's statistics that they are others now.
pub(super) async fn mark_statistics_changed(write: &mut Write<'_>, table: &Table) -> Result<()> {
    let query = "UPDATE millrace_table SET statistics_version = statistics_version + 1 WHERE id = $1";
    write.execute(sql(query).bind(table.id)).await.map(drop)
}

/// The document without the sketches, and the sketches by column if there are any.
fn split(statistics: &TableStatistics) -> Result<(String, Option<String>)> {
    let mut document = statistics.clone();
    let mut sketches = BTreeMap::new();
    for (name, column) in &mut document.columns {
        if let Some(sketch) = column.sketch.take() {
            sketches.insert(name, sketch);
        }
    }
    let sketches = if sketches.is_empty() { None } else { Some(encode(&sketches)?) };
    Ok((encode(&document)?, sketches))
}

/// The statistics that [`split`] split.
fn join(place: &Place, database: &str, table: &str, document: &str, sketches: Option<&str>) -> Result<TableStatistics> {
    let what = format!("the statistics of relation \"{database}.{table}\"");
    let mut statistics: TableStatistics = decode(place, &what, document)?;
    if let Some(sketches) = sketches {
        for (name, sketch) in decode::<BTreeMap<String, String>>(place, &what, sketches)? {
            statistics.columns.entry(name).or_default().sketch = Some(sketch);
        }
    }
    Ok(statistics)
}
