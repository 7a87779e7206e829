//! Data files and delete files of a commit.

use super::bounds::storable;
use super::change::NEW_ROW_IDS;
use super::commit::Commit;
use super::definition::is_relative;
use super::log::Effect;
use crate::error::{CatalogError, Result};
use crate::model::{DataFile, DeleteFile, FileColumnStatistics, FileFormat};
use crate::store::{CHUNK, SqlBuilder, Write, sql, sql_text};
use std::collections::BTreeMap;

/// Rows of column statistics in one statement.
const STATISTICS_CHUNK: usize = CHUNK / 2;

impl Commit {
    pub(super) async fn add_files(&mut self, write: &mut Write<'_>, table: i64, files: &[DataFile]) -> Result<()> {
        let id = self.resolve(table)?;
        for file in files {
            let state = self.table(write, table).await?;
            let mut file = file.clone();
            if file.row_id_start < 0 {
                file.row_id_start = state.next_row_id;
            }
            state.next_row_id = state.next_row_id.max(file.row_id_start.saturating_add(file.record_count as i64));
            self.insert_file(write, id, &file).await?;
        }
        if !files.is_empty() {
            self.effect(Effect::Inserted(id));
        }
        Ok(())
    }

    pub(super) async fn add_deletes(
        &mut self,
        write: &mut Write<'_>,
        table: i64,
        deletes: &[(i64, DeleteFile)],
    ) -> Result<()> {
        let id = self.table(write, table).await?.definition.id;
        for (data_file, delete) in deletes {
            let query = "SELECT COUNT(*) FROM ducklake_data_file \
                         WHERE data_file_id = $1 AND table_id = $2 AND end_snapshot IS NULL";
            let live = write.number(sql(query).bind(data_file).bind(id)).await? > 0;
            if !live || self.deleted_since(write, id, *data_file).await? {
                return Err(Self::conflict(id));
            }
            self.end_deletes(write, *data_file).await?;
            self.insert_delete(write, id, *data_file, delete).await?;
        }
        if !deletes.is_empty() {
            self.effect(Effect::Deleted(id));
        }
        Ok(())
    }

    pub(super) async fn remove_files(&mut self, write: &mut Write<'_>, table: i64, files: &[i64]) -> Result<()> {
        let id = self.table(write, table).await?.definition.id;
        for file in files {
            if self.deleted_since(write, id, *file).await? {
                return Err(Self::conflict(id));
            }
            self.end_file(write, id, *file).await?;
        }
        if !files.is_empty() {
            self.effect(Effect::Deleted(id));
        }
        Ok(())
    }

    pub(super) async fn replace_files(
        &mut self,
        write: &mut Write<'_>,
        table: i64,
        old: &[i64],
        new: &[DataFile],
    ) -> Result<()> {
        let id = self.table(write, table).await?.definition.id;
        let mut had_deletes = false;
        for file in old {
            if self.deleted_since(write, id, *file).await? {
                return Err(Self::conflict(id));
            }
            had_deletes |= self.end_file(write, id, *file).await?;
        }
        for file in new {
            let mut file = file.clone();
            if file.row_id_start == NEW_ROW_IDS {
                let state = self.table(write, table).await?;
                file.row_id_start = state.next_row_id;
                state.next_row_id = state.next_row_id.saturating_add(file.record_count as i64);
            }
            self.insert_file(write, id, &file).await?;
        }
        if !old.is_empty() || !new.is_empty() {
            self.effect(Effect::Compacted(id, had_deletes));
        }
        Ok(())
    }

    pub(super) async fn truncate(&mut self, write: &mut Write<'_>, table: i64) -> Result<()> {
        self.truncate_rows(write, table).await?;
        let id = self.resolve(table)?;
        self.effect(Effect::Deleted(id));
        Ok(())
    }

    /// Ends all files and inlined rows of a table.
    pub(super) async fn truncate_rows(&mut self, write: &mut Write<'_>, table: i64) -> Result<()> {
        let (snapshot, state) = (self.snapshot, self.table(write, table).await?);
        let id = state.definition.id;
        let query = "SELECT CAST(COALESCE(SUM(record_count), 0) AS BIGINT), \
                     CAST(COALESCE(SUM(file_size_bytes), 0) AS BIGINT) \
                     FROM ducklake_data_file WHERE table_id = $1 AND end_snapshot IS NULL";
        let sums: Option<(i64, i64)> = write.first(sql(query).bind(id)).await?;
        let (records, bytes) = sums.unwrap_or_default();
        for statement in [
            "UPDATE ducklake_data_file SET end_snapshot = $1 WHERE table_id = $2 AND end_snapshot IS NULL",
            "UPDATE ducklake_delete_file SET end_snapshot = $1 WHERE table_id = $2 AND end_snapshot IS NULL",
        ] {
            write.execute(sql(statement).bind(snapshot).bind(id)).await?;
        }
        state.count(-records, -bytes);
        state.sketches.clear();
        super::estimates::forget(write, id).await?;
        let rows = self.end_all_inlined(write, id).await?;
        self.table(write, table).await?.count(-rows, 0);
        Ok(())
    }

    /// Adds a file under its own row ids.
    pub(super) async fn insert_file(&mut self, write: &mut Write<'_>, table: i64, file: &DataFile) -> Result<()> {
        let id = self.next_file_id();
        let format = match file.format {
            FileFormat::Vortex => "vortex",
            FileFormat::Parquet => "parquet",
        };
        let query = "INSERT INTO ducklake_data_file (data_file_id, table_id, begin_snapshot, path, path_is_relative, \
                     file_format, record_count, file_size_bytes, footer_size, row_id_start, partial_max) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
        let query = sql(query).bind(id).bind(table).bind(self.snapshot).bind(&file.path);
        let query = query.bind(is_relative(&file.path)).bind(format).bind(file.record_count as i64);
        let query = query.bind(file.size_bytes as i64).bind(known_size(file.footer_size));
        let query = query.bind((file.row_id_start >= 0).then_some(file.row_id_start)).bind(file.partial_max);
        write.execute_later(query).await?;
        insert_statistics(write, table, id, &file.columns).await?;
        super::sketches::insert(write, id, &file.columns).await?;
        let blank_ended = blank_ended(&file.columns);
        if file.bucket.is_some() || file.sorted || blank_ended.is_some() {
            let document = |e: serde_json::Error| CatalogError::Damaged(e.to_string());
            let layout = serde_json::to_string(&file.layout).map_err(document)?;
            let blank_ended =
                blank_ended.map(|columns| serde_json::to_string(&columns)).transpose().map_err(document)?;
            let query = "INSERT INTO millrace_data_file (data_file_id, bucket, sorted, layout, blank_ended) \
                         VALUES ($1, $2, $3, $4, $5)";
            let query = sql(query).bind(id).bind(file.bucket.map(i64::from)).bind(i64::from(file.sorted));
            let query = query.bind(layout).bind(blank_ended);
            write.execute_later(query).await?;
        }
        if let Some(delete) = &file.deletes {
            self.insert_delete(write, table, id, delete).await?;
        }
        let state = self.table(write, table).await?;
        state.count(file.record_count as i64, file.size_bytes as i64);
        state.add_file(&file.columns, file.record_count);
        Ok(())
    }

    async fn insert_delete(
        &mut self,
        write: &mut Write<'_>,
        table: i64,
        data_file: i64,
        delete: &DeleteFile,
    ) -> Result<()> {
        let query = "INSERT INTO ducklake_delete_file (delete_file_id, table_id, begin_snapshot, data_file_id, path, \
                     path_is_relative, format, delete_count, file_size_bytes, footer_size, partial_max) \
                     VALUES ($1, $2, $3, $4, $5, $6, 'parquet', $7, $8, $9, $10)";
        let id = self.next_file_id();
        let query = sql(query).bind(id).bind(table).bind(self.snapshot).bind(data_file).bind(&delete.path);
        let query = query.bind(is_relative(&delete.path)).bind(delete.delete_count as i64);
        let query = query.bind(delete.size_bytes as i64).bind(known_size(delete.footer_size)).bind(delete.partial_max);
        write.execute_later(query).await
    }

    /// Takes a live file and its deletes out; whether it had any.
    async fn end_file(&mut self, write: &mut Write<'_>, table: i64, file: i64) -> Result<bool> {
        let query = "SELECT record_count, file_size_bytes FROM ducklake_data_file \
                     WHERE data_file_id = $1 AND table_id = $2 AND end_snapshot IS NULL";
        let row: Option<(i64, i64)> = write.first(sql(query).bind(file).bind(table)).await?;
        let Some((records, bytes)) = row else { return Err(Self::conflict(table)) };
        let query = "UPDATE ducklake_data_file SET end_snapshot = $1 WHERE data_file_id = $2";
        write.execute_later(sql(query).bind(self.snapshot).bind(file)).await?;
        self.table(write, table).await?.count(-records, -bytes);
        Ok(self.end_deletes(write, file).await? > 0)
    }

    async fn end_deletes(&mut self, write: &mut Write<'_>, file: i64) -> Result<u64> {
        let query =
            "UPDATE ducklake_delete_file SET end_snapshot = $1 WHERE data_file_id = $2 AND end_snapshot IS NULL";
        write.execute(sql(query).bind(self.snapshot).bind(file)).await
    }

    /// Whether rows of the file were deleted after the transaction began.
    async fn deleted_since(&mut self, write: &mut Write<'_>, table: i64, file: i64) -> Result<bool> {
        let query = "SELECT COUNT(*) FROM ducklake_delete_file WHERE data_file_id = $1 AND end_snapshot IS NULL \
                     AND begin_snapshot > $2 AND begin_snapshot < $3";
        let query = sql(query).bind(file).bind(self.base).bind(self.snapshot);
        if write.number(query).await? > 0 {
            return Ok(true);
        }
        if self.base + 1 == self.snapshot || !has_inlined_deletes(write, table).await? {
            return Ok(false);
        }
        let query =
            format!("SELECT COUNT(*) FROM ducklake_inlined_delete_{table} WHERE file_id = $1 AND begin_snapshot > $2");
        let query = sql_text(query).bind(file).bind(self.base);
        Ok(write.number(query).await? > 0)
    }
}

/// Whether DuckDB has made the table in which it keeps few deleted positions.
pub(super) async fn has_inlined_deletes(lease: &mut crate::store::Lease<'_>, table: i64) -> Result<bool> {
    lease.has_table(&format!("ducklake_inlined_delete_{table}")).await
}

/// The columns that have a text with a blank at its end; `None` where nobody looked at one of them.
fn blank_ended(columns: &BTreeMap<i64, FileColumnStatistics>) -> Option<Vec<i64>> {
    let mut ended = Vec::new();
    for (id, known) in columns {
        if known.blank_ended? {
            ended.push(*id);
        }
    }
    Some(ended)
}

fn known_size(bytes: u64) -> Option<i64> {
    (bytes > 0).then_some(bytes as i64)
}

async fn insert_statistics(
    write: &mut Write<'_>,
    table: i64,
    file: i64,
    columns: &BTreeMap<i64, FileColumnStatistics>,
) -> Result<()> {
    let rows: Vec<(&i64, &FileColumnStatistics)> = columns.iter().collect();
    for chunk in rows.chunks(STATISTICS_CHUNK) {
        let mut query = SqlBuilder::new(
            "INSERT INTO ducklake_file_column_stats (data_file_id, table_id, column_id, column_size_bytes, \
             value_count, null_count, min_value, max_value, contains_nan) ",
        );
        query.push_values(chunk, |mut row, (column, known)| {
            row.push_bind(file).push_bind(table).push_bind(**column).push_bind(known.size_bytes as i64);
            row.push_bind(known.value_count as i64).push_bind(known.null_count as i64);
            row.push_bind(storable(known.minimum.as_deref())).push_bind(storable(known.maximum.as_deref()));
            row.push_bind(known.contains_nan);
        });
        write.execute_later(query.build()).await?;
    }
    Ok(())
}

/// The format of a stored file.
pub(super) fn file_format(text: &str) -> Result<FileFormat> {
    match text {
        "vortex" => Ok(FileFormat::Vortex),
        "parquet" => Ok(FileFormat::Parquet),
        other => Err(CatalogError::InvalidArgument(format!("files of format \"{other}\" are not supported"))),
    }
}
