//! Deleted rows: delete files as DuckLake 1.0 has them, whatever the format of the data file.
//!
//! A delete file is Parquet with the columns `file_path` and `pos`, all rows of one data file, sorted by `pos`. A data
//! file has at most one: deleting more of its rows writes a new one with the old positions and the new.

use super::new_files::NewFiles;
use super::parquet;
use super::storage::{TableStorage, unique_name};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::write::WrittenFiles;
use crate::lake::write::commit::StagedFile;
use crate::lake::write::upload::Upload;
use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use arrow::array::{AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type};
use millrace_catalog::model::{DataFile, DeleteFile, ManagedTable};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Positions that are kept in memory, 128 MiB of them; beyond, the cache begins anew.
const MOST_POSITIONS: usize = 16 * 1024 * 1024;

/// The field ids that Iceberg's specification reserves for the two columns.
const FILE_PATH_ID: i64 = 2_147_483_546;
const POSITION_ID: i64 = 2_147_483_545;

/// Positions by delete file. A delete file never changes, so that nothing here grows old.
#[derive(Debug, Default)]
pub(super) struct DeleteCache(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// In all files.
    positions: usize,
    files: HashMap<Path, Arc<[u64]>>,
}

impl DeleteCache {
    fn get(&self, path: &Path) -> Option<Arc<[u64]>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).files.get(path).cloned()
    }

    fn put(&self, path: Path, positions: Arc<[u64]>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.positions + positions.len() > MOST_POSITIONS {
            *kept = Kept::default();
        }
        kept.positions += positions.len();
        kept.files.insert(path, positions);
    }
}

/// The positions of a data file's deleted rows, sorted, each once: those of its delete file, and those that DuckDB keeps
/// in the catalog.
pub async fn read_deletes(storage: &TableStorage, table: &ManagedTable, file: &DataFile) -> Result<Arc<[u64]>> {
    let in_file = match &file.deletes {
        Some(deletes) => read_delete_file(storage, table, file, deletes).await?,
        None => Arc::default(),
    };
    if file.inlined_deletes.is_empty() {
        return Ok(in_file);
    }
    let mut positions: Vec<u64> = file.inlined_deletes.iter().map(|position| position.cast_unsigned()).collect();
    positions.extend_from_slice(&in_file);
    positions.sort_unstable();
    positions.dedup();
    check(&positions, file, table)?;
    Ok(positions.into())
}

async fn read_delete_file(
    storage: &TableStorage,
    table: &ManagedTable,
    file: &DataFile,
    deletes: &DeleteFile,
) -> Result<Arc<[u64]>> {
    let path = storage.file_path(table, &deletes.path)?;
    if let Some(positions) = storage.deletes.get(&path) {
        return Ok(positions);
    }
    let positions = read(storage, &path, deletes.size_bytes).await.map_err(|reason| {
        let url = crate::lake::damage::file_url(&storage.url, &path);
        let of = format!("delete file \"{url}\" of table \"{}.{}\"", table.schema, table.name);
        match reason {
            Failure::Missing => Error::new(ErrorKind::UndefinedFile, format!("{of} does not exist")),
            Failure::Unreachable(error) => {
                Error::new(ErrorKind::Connection, format!("could not read {of}")).with_detail(error.to_string())
            }
            Failure::Damaged(detail) => Error::new(ErrorKind::BadFile, format!("{of} is damaged")).with_detail(detail),
        }
    })?;
    check(&positions, file, table)?;
    let positions: Arc<[u64]> = positions.into();
    storage.deletes.put(path, Arc::clone(&positions));
    Ok(positions)
}

enum Failure {
    Missing,
    Unreachable(object_store::Error),
    Damaged(String),
}

async fn read(storage: &TableStorage, path: &Path, size_bytes: u64) -> std::result::Result<Vec<u64>, Failure> {
    let unread = |error| match error {
        object_store::Error::NotFound { .. } => Failure::Missing,
        error => Failure::Unreachable(error),
    };
    // All of it is needed, so it is fetched at once.
    let whole = async {
        // A range of an object may be on the local disk.
        if storage.is_local() || size_bytes == 0 {
            storage.store.get(path).await?.bytes().await
        } else {
            storage.store.get_range(path, 0..size_bytes).await
        }
    };
    let bytes = whole.await.map_err(unread)?;
    let rows = ParquetRecordBatchReaderBuilder::try_new(bytes).and_then(ParquetRecordBatchReaderBuilder::build);
    let mut positions = Vec::new();
    for batch in rows.map_err(|e| Failure::Damaged(e.to_string()))? {
        let batch = batch.map_err(|e| Failure::Damaged(e.to_string()))?;
        let column = batch.column_by_name("pos").and_then(|column| column.as_primitive_opt::<Int64Type>());
        let column = column.ok_or_else(|| Failure::Damaged("it has no column \"pos\" of integers".to_owned()))?;
        positions.extend(column.iter().flatten().map(i64::cast_unsigned));
    }
    positions.sort_unstable();
    positions.dedup();
    Ok(positions)
}

/// Positions are those of rows, and as many as the manifest says.
fn check(positions: &[u64], file: &DataFile, table: &ManagedTable) -> Result<()> {
    if let Some(last) = positions.last().filter(|last| **last >= file.record_count) {
        let message = format!(
            "position {last} is deleted in data file \"{}\" of table \"{}.{}\", which has {} rows",
            file.path, table.schema, table.name, file.record_count
        );
        return Err(Error::new(ErrorKind::DataCorrupted, message));
    }
    Ok(())
}

/// Deletes rows of a data file: writes a delete file with the positions of the one before and `positions`, which may be
/// in any order and name a row twice. Nothing changes until the manifest has the new delete file in place of the old
/// one. Must run within a Tokio runtime.
///
/// Positions that DuckDB keeps in the catalog are left out: DuckDB 1.5.5 merges them with those of the delete file, and
/// at a position that is in both it stops deleting.
pub async fn write_deletes(
    storage: &TableStorage,
    table: &ManagedTable,
    file: &DataFile,
    positions: &[u64],
) -> Result<NewFiles<Option<DeleteFile>>> {
    let mut merged = match &file.deletes {
        Some(deletes) => read_delete_file(storage, table, file, deletes).await?.to_vec(),
        None => Vec::new(),
    };
    merged.extend_from_slice(positions);
    merged.sort_unstable();
    merged.dedup();
    merged.retain(|position| file.inlined_deletes.binary_search(&position.cast_signed()).is_err());
    check(&merged, file, table)?;
    if merged.is_empty() {
        return Ok(NewFiles::new(None, Vec::new(), storage.clone()));
    }
    let data_path = storage.file_path(table, &file.path)?;
    let (bytes, footer_size) = encode(&data_path, &merged)?;
    let name = unique_name("delete.parquet");
    let path = storage.file_path(table, &name)?;
    let destination = Arc::new(storage.destination());
    let mut upload = Upload::new(Arc::clone(&destination), path);
    upload.write(bytes).await?;
    let (path, size_bytes, body) = upload.close().await?;
    let rows = merged.len() as u64;
    let staged = StagedFile { path: path.clone(), size_bytes, rows, partition: None, body };
    WrittenFiles { destination, files: vec![staged] }.commit().await?;
    storage.deletes.put(path.clone(), merged.into());
    let deletes = DeleteFile { path: name, delete_count: rows, size_bytes, footer_size, ..DeleteFile::default() };
    Ok(NewFiles::new(Some(deletes), vec![path], storage.clone()))
}

fn encode(data_file: &Path, positions: &[u64]) -> Result<(Vec<u8>, u64)> {
    let schema = parquet::stored_schema(vec![
        parquet::with_field_id(Field::new("file_path", DataType::Utf8, true), FILE_PATH_ID),
        parquet::with_field_id(Field::new("pos", DataType::Int64, true), POSITION_ID),
    ]);
    let paths = StringArray::from_iter_values(std::iter::repeat_n(data_file.as_ref(), positions.len()));
    let positions = Int64Array::from_iter_values(positions.iter().map(|position| position.cast_signed()));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(paths), Arc::new(positions)])
        .map_err(|e| Error::internal(e.to_string()))?;
    parquet::encode_small(&schema, &batch)
}
