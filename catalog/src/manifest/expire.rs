//! Retention: forgetting snapshots, and the files that only they showed.
//!
//! A file goes in three steps, so that none is deleted under a reader and none is forgotten: its last snapshot expires
//! and it is scheduled (`ducklake_files_scheduled_for_deletion`, in the same transaction); after a time of grace, which
//! is to be longer than any query runs, the caller deletes it; then the caller says so. Metadata stays small by the
//! same means: after a thousand commits, expiring them leaves the rows of what is live.

use super::commit::Commit;
use super::definition::join_path;
use super::time::{now_us, parse_time};
use crate::error::{CatalogError, Result};
use crate::store::{CHUNK, Catalog, Lease, SqlBuilder, Time, Tries, Write, quoted, sql, sql_text};
use std::collections::BTreeSet;

/// Which snapshots may go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retention {
    /// Only snapshots committed before this time expire (milliseconds since the epoch, UTC).
    pub older_than_ms: i64,
    /// So many of the newest stay in any case; the very newest always does.
    pub keep: usize,
    /// So many of the newest stay at most: those before them expire whatever their age.
    pub most: Option<usize>,
    /// Snapshots that running queries and transactions read.
    pub in_use: Vec<i64>,
}

/// A file that no snapshot shows any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduledFile {
    /// The number that it had as a data or delete file.
    pub id: i64,
    /// Path relative to the data path; a URL or an absolute path for one that is elsewhere.
    pub path: String,
}

/// That a row's span of snapshots has none left.
const DEAD: &str = "end_snapshot IS NOT NULL AND NOT EXISTS (SELECT 1 FROM ducklake_snapshot s \
     WHERE s.snapshot_id >= begin_snapshot AND s.snapshot_id < end_snapshot)";

/// A dead file: its id, and the path of its schema, table and itself with whether each is relative.
type DeadRow = (i64, Option<String>, Option<bool>, Option<String>, Option<bool>, Option<String>, Option<bool>);

impl Catalog {
    /// Forgets the snapshots that `retention` lets go, but for named ones; how many. What only they showed is
    /// forgotten with them, and their files are scheduled for deletion.
    pub async fn expire_snapshots(&self, retention: &Retention) -> Result<usize> {
        // Mostly nothing has expired, and then nobody's write need wait.
        let mut lease = self.read().await?;
        let expired = find_expired(&mut lease, retention).await?;
        lease.release();
        if expired.is_empty() {
            return Ok(0);
        }
        let mut tries = Tries::default();
        loop {
            let done = self.try_expire(retention).await;
            if !tries.again(&done) {
                return done;
            }
        }
    }

    async fn try_expire(&self, retention: &Retention) -> Result<usize> {
        let mut write = self.write().await?;
        let expired = find_expired(&mut write, retention).await?;
        let used: BTreeSet<i64> = retention.in_use.iter().copied().collect();
        // What another program did is described while its rows are there.
        Commit::describe_others(&mut write).await?;
        delete(&mut write, "ducklake_snapshot", "snapshot_id", &expired).await?;
        // A transaction that began at a snapshot in use asks at its commit what all those after it did.
        let query = "DELETE FROM ducklake_snapshot_changes WHERE snapshot_id <= $1 \
                     AND snapshot_id NOT IN (SELECT snapshot_id FROM ducklake_snapshot)";
        let oldest_used = used.first().copied().unwrap_or(i64::MAX);
        write.execute(sql(query).bind(oldest_used)).await?;
        forget_files(&mut write).await?;
        forget_rows(&mut write).await?;
        write.commit_uncounted().await?;
        Ok(expired.len())
    }

    /// The files that were scheduled for deletion before a time (milliseconds since the epoch, UTC).
    pub async fn files_to_delete(&self, scheduled_before_ms: i64) -> Result<Vec<ScheduledFile>> {
        let mut lease = self.read().await?;
        let query = "SELECT data_file_id, path, schedule_start FROM ducklake_files_scheduled_for_deletion";
        let rows: Vec<(i64, String, String)> = lease.all(sql(query)).await?;
        lease.release();
        let due = |time: &str| parse_time(time).is_some_and(|time| time.div_euclid(1000) < scheduled_before_ms);
        let due = rows.into_iter().filter(|(_, _, time)| due(time));
        Ok(due.map(|(id, path, _)| ScheduledFile { id, path }).collect())
    }

    /// Says that scheduled files have been deleted.
    pub async fn forget_deleted_files(&self, files: &[ScheduledFile]) -> Result<()> {
        if files.is_empty() {
            return Ok(());
        }
        let ids: Vec<i64> = files.iter().map(|file| file.id).collect();
        let mut tries = Tries::default();
        loop {
            let done = self.try_forget_deleted_files(&ids).await;
            if !tries.again(&done) {
                return done;
            }
        }
    }

    async fn try_forget_deleted_files(&self, ids: &[i64]) -> Result<()> {
        let mut write = self.write().await?;
        delete(&mut write, "ducklake_files_scheduled_for_deletion", "data_file_id", ids).await?;
        write.commit_uncounted().await
    }

    /// Of paths found below the data path (relative to it), those that the manifest does not know: left by a
    /// transaction that never committed, or of one that is still writing. The caller deletes only old ones.
    pub async fn unknown_files(&self, paths: &[String]) -> Result<Vec<String>> {
        let mut lease = self.read().await?;
        lease.begin_read().await?;
        let mut known: BTreeSet<String> = BTreeSet::new();
        for kind in ["data", "delete"] {
            let rows: Vec<DeadRow> = lease.all(sql_text(select_paths(kind, "TRUE"))).await?;
            known.extend(rows.into_iter().map(|row| path_of(row).1));
        }
        let query = "SELECT path FROM ducklake_files_scheduled_for_deletion";
        let rows: Vec<(String,)> = lease.all(sql(query)).await?;
        known.extend(rows.into_iter().map(|(path,)| path));
        lease.end().await?;
        Ok(paths.iter().filter(|path| !known.contains(path.as_str())).cloned().collect())
    }

    /// Notes where data files are (a URL or a folder), for other programs that attach the catalog.
    pub async fn set_data_path(&self, path: &str) -> Result<()> {
        let path = if path.ends_with('/') { path.to_owned() } else { format!("{path}/") };
        let mut write = self.write().await?;
        let query = "DELETE FROM ducklake_metadata WHERE \"key\" = 'data_path' AND \"scope\" IS NULL";
        write.execute(sql(query)).await?;
        let query = sql("INSERT INTO ducklake_metadata VALUES ('data_path', $1, NULL, NULL)").bind(path);
        write.execute(query).await?;
        write.commit_uncounted().await
    }

    /// Whether any table has, or at some snapshot had, files.
    pub async fn has_files(&self) -> Result<bool> {
        let mut lease = self.read().await?;
        let row = lease.first(sql("SELECT EXISTS (SELECT 1 FROM ducklake_data_file)")).await?;
        lease.release();
        Ok(row.is_some_and(|(any,): (bool,)| any))
    }

    /// What tells this catalog from every other one: the UUID of its oldest schema.
    pub async fn identity(&self) -> Result<String> {
        let mut lease = self.read().await?;
        let query = "SELECT schema_uuid FROM ducklake_schema ORDER BY begin_snapshot, schema_id LIMIT 1";
        let row: Option<(String,)> = lease.first(sql(query)).await?;
        lease.release();
        row.map(|(uuid,)| uuid).ok_or_else(|| CatalogError::Damaged("the manifest has no schema".to_owned()))
    }

    /// Where data files are, with a slash at the end.
    pub async fn data_path(&self) -> Result<Option<String>> {
        let mut lease = self.read().await?;
        let query = "SELECT \"value\" FROM ducklake_metadata WHERE \"key\" = 'data_path' AND \"scope\" IS NULL";
        let row: Option<(String,)> = lease.first(sql(query)).await?;
        lease.release();
        Ok(row.map(|(path,)| path))
    }
}

/// The snapshots that may go now.
async fn find_expired(lease: &mut Lease<'_>, retention: &Retention) -> Result<Vec<i64>> {
    let query = "SELECT snapshot_id, snapshot_time, snapshot_id IN (SELECT snapshot_id FROM millrace_named_snapshot) \
                 FROM ducklake_snapshot ORDER BY snapshot_id DESC";
    let rows: Vec<(i64, String, bool)> = lease.all(sql(query)).await?;
    let old = |time: &str| parse_time(time).is_some_and(|time| time.div_euclid(1000) < retention.older_than_ms);
    let rest = rows.iter().enumerate().skip(retention.keep.max(1));
    let beyond = |at: usize| retention.most.is_some_and(|most| at >= most);
    let expired =
        rest.filter(|(at, (id, time, named))| !named && (old(time) || beyond(*at)) && !retention.in_use.contains(id));
    Ok(expired.map(|(_, (id, ..))| *id).collect())
}

/// The files of a kind (`data`, `delete`) for which a condition holds, with their places.
fn select_paths(kind: &str, condition: &str) -> String {
    format!(
        "SELECT f.{kind}_file_id, s.path, s.path_is_relative, t.path, t.path_is_relative, f.path, f.path_is_relative \
         FROM (SELECT * FROM ducklake_{kind}_file WHERE {condition}) f \
         LEFT JOIN (SELECT table_id, MAX(schema_id) AS schema_id, MAX(path) AS path, \
         MIN(CASE WHEN NOT path_is_relative THEN 0 ELSE 1 END) = 1 AS path_is_relative FROM ducklake_table GROUP BY table_id) t ON t.table_id = f.table_id \
         LEFT JOIN ducklake_schema s ON s.schema_id = t.schema_id"
    )
}

fn path_of((id, schema, schema_relative, table, table_relative, path, relative): DeadRow) -> (i64, String) {
    (id, join_path(&[(schema, schema_relative), (table, table_relative), (path, relative)]))
}

async fn delete(write: &mut Write<'_>, table: &str, column: &str, ids: &[i64]) -> Result<()> {
    for chunk in ids.chunks(CHUNK) {
        let mut query = SqlBuilder::new(format!("DELETE FROM {table} WHERE {column} IN ("));
        let mut list = query.separated(", ");
        for id in chunk {
            list.push_bind(*id);
        }
        query.push(")");
        write.execute(query.build()).await?;
    }
    Ok(())
}

/// Schedules the files that no snapshot shows, and forgets what was known of them.
async fn forget_files(write: &mut Write<'_>) -> Result<()> {
    let now = now_us();
    for kind in ["data", "delete"] {
        let rows: Vec<DeadRow> = write.all(sql_text(select_paths(kind, DEAD))).await?;
        let files: Vec<(i64, String)> = rows.into_iter().map(path_of).collect();
        for chunk in files.chunks(CHUNK) {
            let mut query = SqlBuilder::new(
                "INSERT INTO ducklake_files_scheduled_for_deletion \
                 (data_file_id, path, path_is_relative, schedule_start) ",
            );
            query.push_values(chunk, |mut row, (id, path)| {
                row.push_bind(*id).push_bind(path.clone());
                row.push_bind(super::definition::is_relative(path)).push_bind(Time(now));
            });
            write.execute(query.build()).await?;
        }
        let ids: Vec<i64> = files.into_iter().map(|(id, _)| id).collect();
        delete(write, &format!("ducklake_{kind}_file"), &format!("{kind}_file_id"), &ids).await?;
        if kind == "data" {
            let tables = [
                "ducklake_file_column_stats",
                "ducklake_file_variant_stats",
                "ducklake_file_partition_value",
                "millrace_data_file",
                "millrace_file_sketch",
            ];
            for table in tables {
                delete(write, table, "data_file_id", &ids).await?;
            }
            forget_inlined_deletes(write, &ids).await?;
        }
    }
    Ok(())
}

/// Forgets the positions that DuckDB noted as deleted in files that are gone.
async fn forget_inlined_deletes(write: &mut Write<'_>, files: &[i64]) -> Result<()> {
    if files.is_empty() {
        return Ok(());
    }
    for table in write.tables_like("ducklake\\_inlined\\_delete\\_%").await? {
        delete(write, &quoted(&table), "file_id", files).await?;
    }
    Ok(())
}

/// Forgets inlined rows and definitions that no snapshot shows. The columns of living tables stay: inlined rows of
/// earlier versions are read by them.
async fn forget_rows(write: &mut Write<'_>) -> Result<()> {
    let query = "SELECT i.table_id, i.table_name, i.schema_version FROM ducklake_inlined_data_tables i";
    let inlined: Vec<(i64, String, i64)> = write.all(sql(query)).await?;
    let query = format!(
        "SELECT DISTINCT table_id FROM ducklake_table t WHERE {DEAD} \
         AND NOT EXISTS (SELECT 1 FROM ducklake_table l WHERE l.table_id = t.table_id AND (l.end_snapshot IS NULL OR \
         EXISTS (SELECT 1 FROM ducklake_snapshot s \
         WHERE s.snapshot_id >= l.begin_snapshot AND s.snapshot_id < l.end_snapshot)))"
    );
    let rows: Vec<(i64,)> = write.all(sql_text(query)).await?;
    let gone: Vec<i64> = rows.into_iter().map(|(id,)| id).collect();
    for (table, name, version) in inlined {
        let name = quoted(&name);
        if gone.contains(&table) {
            write.execute(sql_text(format!("DROP TABLE IF EXISTS {name}"))).await?;
            let query = "DELETE FROM ducklake_inlined_data_tables WHERE table_id = $1 AND schema_version = $2";
            write.execute(sql(query).bind(table).bind(version)).await?;
        } else {
            write.execute(sql_text(format!("DELETE FROM {name} WHERE {DEAD}"))).await?;
        }
    }
    let tables = [
        "ducklake_column",
        "ducklake_column_tag",
        "ducklake_schema_versions",
        "ducklake_table_stats",
        "ducklake_table_column_stats",
        "ducklake_partition_info",
        "ducklake_partition_column",
        "ducklake_sort_info",
        "ducklake_sort_expression",
        "ducklake_column_mapping",
        "millrace_managed_table",
        "millrace_identity",
        "millrace_column_estimate",
        "millrace_table_estimate",
        "millrace_predicate_column",
    ];
    for table in tables {
        delete(write, table, "table_id", &gone).await?;
    }
    for table in gone {
        let query = format!("DROP TABLE IF EXISTS ducklake_inlined_delete_{table}");
        write.execute(sql_text(query)).await?;
    }
    for table in [
        "ducklake_table",
        "ducklake_view",
        "ducklake_tag",
        "ducklake_column_tag",
        "ducklake_macro",
        "millrace_managed_table",
    ] {
        write.execute(sql_text(format!("DELETE FROM {table} WHERE {DEAD}"))).await?;
    }
    let query = format!(
        "DELETE FROM ducklake_schema WHERE {DEAD} \
         AND NOT EXISTS (SELECT 1 FROM ducklake_table t WHERE t.schema_id = ducklake_schema.schema_id)"
    );
    write.execute(sql_text(query)).await.map(drop)
}
