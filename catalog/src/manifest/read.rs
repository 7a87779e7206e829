//! The files of a table at a snapshot, kept between plans.
//!
//! A list is kept with the span of snapshots for which it is known to be right. A later snapshot extends the span when
//! none of the commits in between touched the table, which is read from their lists of changes.

use super::files::{file_format, has_inlined_deletes};
use super::log::{Effect, parse_effects};
use crate::error::{CatalogError, Result};
use crate::model::{DataFile, DeleteFile, FileColumnStatistics, FileLayout};
use crate::store::{Catalog, FromRow, Lease, Row, sql, sql_text};
use moka::future::Cache;
use moka::policy::EvictionPolicy;
use std::collections::HashMap;
use std::sync::Arc;

/// What is kept in memory over all tables: column statistics by their number, and files and tables.
const MOST_STATISTICS: u64 = 4_000_000;
/// What a file counts, with fewer statistics.
const STATISTICS_OF_FILE: usize = 4;
/// Commits whose lists of changes are read to see whether a list of files still holds.
const MOST_COMMITS: i64 = 10_000;

/// Lists of files by table. The tables that were not asked for the longest time make room for others.
#[derive(Debug)]
pub(crate) struct FileCache(Cache<i64, Known>);

/// A list and the snapshots that show it.
#[derive(Debug, Clone)]
struct Known {
    first: i64,
    last: i64,
    files: Arc<Vec<DataFile>>,
}

impl Known {
    fn weight(&self) -> u32 {
        let files = self.files.iter().map(|file| file.columns.len().max(STATISTICS_OF_FILE)).sum::<usize>();
        u32::try_from(files + STATISTICS_OF_FILE).unwrap_or(u32::MAX)
    }
}

impl Default for FileCache {
    fn default() -> Self {
        Self::of(MOST_STATISTICS)
    }
}

impl FileCache {
    fn of(most_statistics: u64) -> Self {
        let builder = Cache::builder().max_capacity(most_statistics).weigher(|_, known: &Known| known.weight());
        Self(builder.eviction_policy(EvictionPolicy::lru()).build())
    }

    async fn put(&self, table: i64, (first, last): (i64, i64), files: &Arc<Vec<DataFile>>) {
        self.0.insert(table, Known { first, last, files: Arc::clone(files) }).await;
    }

    /// Brings a table's files, where those before it are known, to a commit that changed none of them.
    pub(super) async fn follow(&self, snapshot: i64, table: i64) {
        if let Some(known) = self.0.get(&table).await
            && known.last == snapshot - 1
        {
            self.put(table, (known.first, snapshot), &known.files).await;
        }
    }

    /// Forgets a table that is gone.
    pub(super) async fn forget(&self, table: i64) {
        self.0.invalidate(&table).await;
    }
}

impl Catalog {
    /// The data files of a managed table at a snapshot, by id, each with its delete file and column statistics as that
    /// snapshot shows them. Reads the database only when the table changed since it was last asked for.
    pub async fn data_files(&self, table_id: i64, snapshot_id: i64) -> Result<Arc<Vec<DataFile>>> {
        let known = self.files().0.get(&table_id).await;
        if let Some(known) = &known {
            if (known.first..=known.last).contains(&snapshot_id) {
                return Ok(Arc::clone(&known.files));
            }
            if self.own_commits().passed_over(table_id, known.last, snapshot_id) {
                self.files().put(table_id, (known.first, snapshot_id), &known.files).await;
                return Ok(Arc::clone(&known.files));
            }
        }
        let mut lease = self.read().await?;
        lease.begin_read().await?;
        if let Some(known) = known
            && unchanged(&mut lease, table_id, known.last, snapshot_id).await?
        {
            lease.end().await?;
            self.files().put(table_id, (known.first, snapshot_id), &known.files).await;
            return Ok(known.files);
        }
        let files = Arc::new(read_files(&mut lease, table_id, snapshot_id).await?);
        lease.end().await?;
        // A look into the past does not push out what is now.
        if self.files().0.get(&table_id).await.is_none_or(|known| known.last < snapshot_id) {
            self.files().put(table_id, (snapshot_id, snapshot_id), &files).await;
        }
        Ok(files)
    }
}

/// Whether no commit after the snapshot `from` up to `to` touched the table's files.
async fn unchanged(lease: &mut Lease<'_>, table: i64, from: i64, to: i64) -> Result<bool> {
    if to < from || to - from > MOST_COMMITS {
        return Ok(false);
    }
    let query = "SELECT changes_made FROM ducklake_snapshot_changes WHERE snapshot_id > $1 AND snapshot_id <= $2";
    let rows: Vec<(Option<String>,)> = lease.all(sql(query).bind(from).bind(to)).await?;
    let effects = rows.iter().filter_map(|(text,)| text.as_deref()).flat_map(parse_effects);
    // New rows in the catalog change no file.
    let mut touching = effects.filter(|effect| !matches!(effect, Effect::InlinedInsert(_)));
    let untouched = !touching.any(|effect| effect.touched() == Some(table));
    // Of an expired snapshot nobody knows what it did.
    Ok(rows.len() as i64 == to - from && untouched)
}

/// A row of [`SELECT_FILES`].
struct FileRow {
    id: i64,
    begin_snapshot: i64,
    path: String,
    format: String,
    counts: [Option<i64>; 4],
    partial_max: Option<i64>,
    unreadable: Option<&'static str>,
    bucket: Option<i64>,
    sorted: Option<i64>,
    layout: Option<String>,
    blank_ended: Option<String>,
}

const SELECT_FILES: &str = "SELECT f.data_file_id, f.begin_snapshot, f.path, f.file_format, f.record_count, \
     f.file_size_bytes, f.footer_size, f.row_id_start, f.partial_max, f.encryption_key IS NOT NULL, \
     f.mapping_id IS NOT NULL, m.bucket, m.sorted, m.layout, m.blank_ended FROM ducklake_data_file f \
     LEFT JOIN millrace_data_file m ON m.data_file_id = f.data_file_id \
     WHERE f.table_id = $1 AND f.begin_snapshot <= $2 AND (f.end_snapshot IS NULL OR f.end_snapshot > $2) \
     ORDER BY f.data_file_id";
const SELECT_DELETES: &str = "SELECT data_file_id, delete_file_id, path, delete_count, file_size_bytes, footer_size, \
     partial_max, format, encryption_key IS NOT NULL FROM ducklake_delete_file \
     WHERE table_id = $1 AND begin_snapshot <= $2 AND (end_snapshot IS NULL OR end_snapshot > $2)";
const SELECT_STATISTICS: &str = "SELECT c.data_file_id, c.column_id, c.column_size_bytes, c.value_count, \
     c.null_count, c.min_value, c.max_value, c.contains_nan \
     FROM ducklake_data_file f CROSS JOIN ducklake_file_column_stats c \
     WHERE f.table_id = $1 AND f.begin_snapshot <= $2 AND (f.end_snapshot IS NULL OR f.end_snapshot > $2) \
     AND c.data_file_id = f.data_file_id";

impl FromRow for FileRow {
    fn from_row(row: Row<'_>) -> sqlx::Result<Self> {
        let unreadable = match (row.get(9)?, row.get(10)?) {
            (true, _) => Some("is encrypted"),
            (_, true) => Some("has columns that are mapped by name"),
            _ => None,
        };
        Ok(Self {
            id: row.get(0)?,
            begin_snapshot: row.get(1)?,
            path: row.get(2)?,
            format: row.get(3)?,
            counts: [row.get(4)?, row.get(5)?, row.get(6)?, row.get(7)?],
            partial_max: row.get(8)?,
            unreadable,
            bucket: row.get(11)?,
            sorted: row.get(12)?,
            layout: row.get(13)?,
            blank_ended: row.get(14)?,
        })
    }
}

/// `data_file_id, delete_file_id, path, delete_count, file_size_bytes, footer_size, partial_max, format, encrypted`.
type DeleteRow = (i64, i64, String, Option<i64>, Option<i64>, Option<i64>, Option<i64>, Option<String>, bool);
/// `data_file_id, column_id, column_size_bytes, value_count, null_count, min_value, max_value, contains_nan`.
type StatisticsRow = (i64, i64, Option<i64>, Option<i64>, Option<i64>, Option<String>, Option<String>, Option<bool>);

async fn read_files(lease: &mut Lease<'_>, table: i64, snapshot: i64) -> Result<Vec<DataFile>> {
    let rows: Vec<FileRow> = lease.all(sql(SELECT_FILES).bind(table).bind(snapshot)).await?;
    let blank_ended = rows.iter().map(|row| blank_ended(row.blank_ended.as_deref())).collect::<Result<Vec<_>>>()?;
    let mut files = rows.into_iter().map(data_file).collect::<Result<Vec<_>>>()?;
    let places: HashMap<i64, usize> = files.iter().enumerate().map(|(place, file)| (file.id, place)).collect();
    let deletes: Vec<DeleteRow> = lease.all(sql(SELECT_DELETES).bind(table).bind(snapshot)).await?;
    for row in deletes {
        if let Some(file) = places.get(&row.0).and_then(|place| files.get_mut(*place)) {
            file.deletes = Some(delete_file(row)?);
        }
    }
    let statistics: Vec<StatisticsRow> = lease.all(sql(SELECT_STATISTICS).bind(table).bind(snapshot)).await?;
    for (file, column, size, values, nulls, minimum, maximum, nan) in statistics {
        let place = places.get(&file).copied();
        let known = FileColumnStatistics {
            size_bytes: number(size),
            value_count: number(values),
            null_count: number(nulls),
            minimum,
            maximum,
            contains_nan: nan,
            blank_ended: place.and_then(|place| Some(blank_ended[place].as_ref()?.contains(&column))),
            distinct: None,
        };
        if let Some(file) = place.and_then(|place| files.get_mut(place)) {
            file.columns.insert(column, known);
        }
    }
    if has_inlined_deletes(lease, table).await? {
        let query = format!(
            "SELECT file_id, row_id FROM ducklake_inlined_delete_{table} WHERE begin_snapshot <= $1 ORDER BY row_id"
        );
        let rows: Vec<(i64, i64)> = lease.all(sql_text(query).bind(snapshot)).await?;
        for (file, position) in rows {
            if let Some(file) = places.get(&file).and_then(|place| files.get_mut(*place)) {
                file.inlined_deletes.push(position);
            }
        }
    }
    Ok(files)
}

fn data_file(row: FileRow) -> Result<DataFile> {
    if let Some(why) = row.unreadable {
        return Err(CatalogError::InvalidArgument(format!("data file \"{}\" {why}, which is not supported", row.path)));
    }
    let [records, bytes, footer, row_id] = row.counts;
    Ok(DataFile {
        id: row.id,
        begin_snapshot: row.begin_snapshot,
        format: file_format(&row.format)?,
        path: row.path,
        record_count: number(records),
        size_bytes: number(bytes),
        footer_size: number(footer),
        row_id_start: row_id.unwrap_or(-1),
        partial_max: row.partial_max,
        bucket: row.bucket.and_then(|bucket| u32::try_from(bucket).ok()),
        sorted: row.sorted == Some(1),
        layout: row.layout.as_deref().map(layout).transpose()?.unwrap_or_default(),
        ..DataFile::default()
    })
}

fn layout(document: &str) -> Result<FileLayout> {
    serde_json::from_str(document)
        .map_err(|e| CatalogError::Damaged(format!("the layout of a data file cannot be read: {e}")))
}

fn blank_ended(document: Option<&str>) -> Result<Option<Vec<i64>>> {
    let columns = document.map(serde_json::from_str).transpose();
    columns.map_err(|e| CatalogError::Damaged(format!("what is known of blanks in a data file cannot be read: {e}")))
}

fn delete_file((_, id, path, count, size, footer, partial_max, format, encrypted): DeleteRow) -> Result<DeleteFile> {
    let format = format.as_deref().unwrap_or("parquet");
    if encrypted || format != "parquet" {
        let what = if encrypted { "is encrypted".to_owned() } else { format!("has the format \"{format}\"") };
        return Err(CatalogError::InvalidArgument(format!("delete file \"{path}\" {what}, which is not supported")));
    }
    Ok(DeleteFile {
        id,
        path,
        partial_max,
        delete_count: number(count),
        size_bytes: number(size),
        footer_size: number(footer),
    })
}

fn number(stored: Option<i64>) -> u64 {
    stored.and_then(|number| u64::try_from(number).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(count: usize) -> Arc<Vec<DataFile>> {
        let columns = (0..10).map(|column| (column, FileColumnStatistics::default())).collect();
        Arc::new(vec![DataFile { columns, ..DataFile::default() }; count])
    }

    #[tokio::test]
    async fn the_least_recently_used_make_room() {
        let cache = FileCache::of(100);
        for table in 0..4 {
            cache.put(table, (1, 1), &files(2)).await;
        }
        cache.0.run_pending_tasks().await;
        assert!(cache.0.get(&0).await.is_some());
        cache.put(4, (1, 1), &files(2)).await;
        cache.0.run_pending_tasks().await;
        let kept = (0..5).filter(|table| cache.0.contains_key(table)).collect::<Vec<i64>>();
        assert_eq!(kept, [0, 2, 3, 4]);
    }
}
