//! Time travel: the manifest's snapshots, by number, time and name, and definitions as they were.

use super::definition::read_table;
use super::time::parse_time;
use crate::error::{CatalogError, Result};
use crate::model::ManagedTable;
use crate::store::{Catalog, check_name, now_ms, sql};

/// A commit of the manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestSnapshot {
    /// Its number; each has one more than the one before.
    pub id: i64,
    /// When it was committed: milliseconds since the epoch, UTC. Never less than the one's before.
    pub time_ms: i64,
    /// What it did, as DuckLake writes it.
    pub changes: String,
    /// Who.
    pub author: Option<String>,
    /// Why.
    pub message: Option<String>,
}

/// A snapshot that was given a name, and with it stays until the name is dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedSnapshot {
    /// Its name.
    pub name: String,
    /// The manifest's snapshot.
    pub snapshot_id: i64,
    /// When it was named: milliseconds since the epoch, UTC.
    pub create_time_ms: i64,
}

/// `snapshot_id, snapshot_time, changes_made, author, commit_message`.
type SnapshotRow = (i64, String, Option<String>, Option<String>, Option<String>);

impl Catalog {
    /// The snapshots that have not expired, oldest first.
    pub async fn snapshots(&self) -> Result<Vec<ManifestSnapshot>> {
        let mut lease = self.read().await?;
        let query = "SELECT s.snapshot_id, s.snapshot_time, c.changes_made, c.author, c.commit_message \
                     FROM ducklake_snapshot s LEFT JOIN ducklake_snapshot_changes c \
                     ON c.snapshot_id = s.snapshot_id ORDER BY s.snapshot_id";
        let rows: Vec<SnapshotRow> = lease.all(sql(query)).await?;
        lease.release();
        let snapshots = rows.into_iter().map(|(id, time, changes, author, message)| {
            let time_ms = self.time_us(id, &time)?.div_euclid(1000);
            Ok(ManifestSnapshot { id, time_ms, changes: changes.unwrap_or_default(), author, message })
        });
        snapshots.collect()
    }

    /// The snapshot that was the newest at a time (milliseconds since the epoch, UTC); `None` before the first that
    /// has not expired.
    pub async fn snapshot_at(&self, time_ms: i64) -> Result<Option<i64>> {
        let mut lease = self.read().await?;
        let query = "SELECT snapshot_id, snapshot_time FROM ducklake_snapshot ORDER BY snapshot_id DESC";
        let rows: Vec<(i64, String)> = lease.all(sql(query)).await?;
        lease.release();
        for (id, time) in rows {
            if self.time_us(id, &time)? < (time_ms.saturating_add(1)).saturating_mul(1000) {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// Whether the snapshot exists and has not expired.
    pub async fn has_snapshot(&self, snapshot_id: i64) -> Result<bool> {
        let mut lease = self.read().await?;
        let query = sql("SELECT COUNT(*) FROM ducklake_snapshot WHERE snapshot_id = $1").bind(snapshot_id);
        let count = lease.number(query).await?;
        lease.release();
        Ok(count > 0)
    }

    /// The definition that a managed table had at a snapshot; `None` where it did not exist.
    pub async fn managed_table_at(&self, table_id: i64, snapshot_id: i64) -> Result<Option<ManagedTable>> {
        let mut lease = self.read().await?;
        lease.begin_read().await?;
        let table = read_table(&mut lease, table_id, snapshot_id).await?;
        lease.end().await?;
        Ok(table)
    }

    /// The managed table that had this name at a snapshot, which may since have been dropped or renamed.
    pub async fn managed_table_named_at(
        &self,
        database: &str,
        name: &str,
        snapshot_id: i64,
    ) -> Result<Option<ManagedTable>> {
        let mut lease = self.read().await?;
        lease.begin_read().await?;
        let query = "SELECT t.table_id FROM ducklake_table t JOIN ducklake_schema s ON s.schema_id = t.schema_id \
                     WHERE s.schema_name = $1 AND t.table_name = $2 \
                     AND t.begin_snapshot <= $3 AND (t.end_snapshot IS NULL OR t.end_snapshot > $3) \
                     AND s.begin_snapshot <= $3 AND (s.end_snapshot IS NULL OR s.end_snapshot > $3)";
        let query = sql(query).bind(database).bind(name).bind(snapshot_id);
        let row: Option<(i64,)> = lease.first(query).await?;
        let table = match row {
            Some((id,)) => read_table(&mut lease, id, snapshot_id).await?,
            None => None,
        };
        lease.end().await?;
        Ok(table)
    }

    /// Gives a snapshot a name, so that it does not expire.
    pub async fn create_named_snapshot(&self, name: &str, snapshot_id: i64) -> Result<NamedSnapshot> {
        check_name("snapshot", name)?;
        let mut write = self.write().await?;
        let query = sql("SELECT COUNT(*) FROM millrace_named_snapshot WHERE name = $1").bind(name);
        if write.number(query).await? > 0 {
            return Err(CatalogError::already_exists("snapshot", name));
        }
        let query = sql("SELECT COUNT(*) FROM ducklake_snapshot WHERE snapshot_id = $1").bind(snapshot_id);
        if write.number(query).await? == 0 {
            return Err(CatalogError::not_found("snapshot", snapshot_id.to_string()));
        }
        let create_time_ms = now_ms();
        let query = sql("INSERT INTO millrace_named_snapshot VALUES ($1, $2, $3)");
        write.execute(query.bind(name).bind(snapshot_id).bind(create_time_ms)).await?;
        write.commit_uncounted().await?;
        Ok(NamedSnapshot { name: name.to_owned(), snapshot_id, create_time_ms })
    }

    /// Takes a snapshot's name away.
    pub async fn drop_named_snapshot(&self, name: &str) -> Result<()> {
        let mut write = self.write().await?;
        let query = sql("DELETE FROM millrace_named_snapshot WHERE name = $1").bind(name);
        if write.execute(query).await? == 0 {
            return Err(CatalogError::not_found("snapshot", name));
        }
        write.commit_uncounted().await
    }

    /// The named snapshots, by name.
    pub async fn named_snapshots(&self) -> Result<Vec<NamedSnapshot>> {
        let mut lease = self.read().await?;
        let query = "SELECT name, snapshot_id, create_time_ms FROM millrace_named_snapshot ORDER BY name";
        let rows: Vec<(String, i64, i64)> = lease.all(sql(query)).await?;
        lease.release();
        let named = |(name, snapshot_id, create_time_ms)| NamedSnapshot { name, snapshot_id, create_time_ms };
        Ok(rows.into_iter().map(named).collect())
    }

    fn time_us(&self, id: i64, text: &str) -> Result<i64> {
        let message = || {
            let place = self.place();
            CatalogError::Damaged(format!("snapshot {id} in the catalog {place} has the time \"{text}\""))
        };
        parse_time(text).ok_or_else(message)
    }
}
