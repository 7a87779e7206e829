//! From streams of rows to files.

use super::format;
use super::layout::Arranged;
use super::new_files::NewFiles;
use super::rows::Rows;
use super::storage::{TableStorage, unique_name};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::write::WrittenFiles;
use crate::lake::write::commit::StagedFile;
use crate::lake::write::upload::{Destination, Upload, check_max_file_size};
use arrow::datatypes::SchemaRef;
use datafusion::execution::SendableRecordBatchStream;
use millrace_catalog::model::{DataFile, FileLayout, ManagedTable};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::task::JoinSet;

/// How files are cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteOptions {
    /// A file that has grown to this size is followed by another. Sizes are looked at after each batch, and what an
    /// encoder still holds is counted as it is in memory, so that files may be somewhat larger or smaller.
    pub target_file_bytes: u64,
    /// The most rows of a file.
    pub max_file_rows: u64,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self { target_file_bytes: 128 * 1024 * 1024, max_file_rows: u64::MAX }
    }
}

/// What the tasks of one write share.
struct Job {
    storage: TableStorage,
    table: ManagedTable,
    destination: Arc<Destination>,
    schema: SchemaRef,
}

/// What is true of all rows of a stream.
struct Place {
    bucket: Option<u32>,
    sorted: bool,
    layout: FileLayout,
}

/// Writes the rows of all streams as they come: [`write_arranged`] of rows in no order.
pub async fn write_files(
    storage: &TableStorage,
    table: &ManagedTable,
    streams: Vec<SendableRecordBatchStream>,
    options: &WriteOptions,
) -> Result<NewFiles<Vec<DataFile>>> {
    write_arranged(storage, table, streams.into_iter().map(Arranged::as_given).collect(), options).await
}

/// Writes the rows of all streams, each by a task of its own, into new files of the table's format.
///
/// The streams give the table's columns in order, already of the types of [`super::arrow_schema`]; NOT NULL and lengths
/// are enforced before. A stream without rows makes no file. The returned files have no id yet (0), and are removed
/// when the result is dropped without [`NewFiles::keep`], when an error ends the write or when the future is dropped.
/// Memory is bounded: each stream holds a row group (Parquet) or some blocks of each column (Vortex) and one batch.
/// Must run within a Tokio runtime.
pub async fn write_arranged(
    storage: &TableStorage,
    table: &ManagedTable,
    streams: Vec<Arranged>,
    options: &WriteOptions,
) -> Result<NewFiles<Vec<DataFile>>> {
    check_max_file_size(options.target_file_bytes)?;
    if table.columns.is_empty() {
        let message = format!("table \"{}.{}\" has no columns", table.schema, table.name);
        return Err(Error::new(ErrorKind::InvalidTableDefinition, message));
    }
    let destination = Arc::new(storage.destination());
    let job = Arc::new(Job {
        storage: storage.clone(),
        table: table.clone(),
        destination: Arc::clone(&destination),
        schema: format::stored_schema(table.attributes.format, &table.columns)?,
    });
    let mut tasks = JoinSet::new();
    for (stream, Arranged { rows, bucket, sorted, layout }) in streams.into_iter().enumerate() {
        let rows = Rows::new(rows, &table.columns, options)?;
        let written = write_stream(Arc::clone(&job), rows, Place { bucket, sorted, layout });
        // Whoever closes the warehouse waits for what a cancelled write still removes.
        tasks.spawn(storage.cleanup.track_future(async move { written.await.map(|written| (stream, written)) }));
    }
    // In the order of the streams, so that the numbers of files and rows do not tell which task was faster.
    let mut by_stream = BTreeMap::new();
    while let Some(ended) = tasks.join_next().await {
        let written = ended.unwrap_or_else(|e| Err(Error::internal(format!("a writing task ended abnormally: {e}"))));
        match written {
            Ok((stream, written)) => {
                by_stream.insert(stream, written);
            }
            Err(error) => {
                // Their files are removed as the tasks end, so wait until they have.
                tasks.shutdown().await;
                return Err(error);
            }
        }
    }
    let (staged, files): (Vec<_>, Vec<_>) = by_stream.into_values().flatten().unzip();
    let paths = staged.iter().map(|file| file.path.clone()).collect();
    WrittenFiles { destination, files: staged }.commit().await?;
    Ok(NewFiles::new(files, paths, storage.clone()))
}

async fn write_stream(job: Arc<Job>, mut rows: Rows, place: Place) -> Result<Vec<(StagedFile, DataFile)>> {
    let mut files = Vec::new();
    while rows.has_more().await? {
        files.push(write_file(&job, &mut rows, &place).await?);
    }
    Ok(files)
}

async fn write_file(job: &Job, rows: &mut Rows, place: &Place) -> Result<(StagedFile, DataFile)> {
    let format = job.table.attributes.format;
    let name = unique_name(format::extension(format));
    let path = job.storage.file_path(&job.table, &name)?;
    let upload = Upload::new(Arc::clone(&job.destination), path);
    let encoded = format::encode(format, rows, &job.schema, upload).await?;
    let (record_count, collector) = rows.end_file(&job.table.columns)?;
    let file = DataFile {
        path: name,
        format,
        record_count,
        size_bytes: encoded.size_bytes,
        footer_size: encoded.footer_size,
        // Chosen by the commit.
        row_id_start: -1,
        bucket: place.bucket,
        sorted: place.sorted,
        layout: place.layout.clone(),
        columns: collector.finish(&encoded.column_bytes).collect(),
        ..DataFile::default()
    };
    let staged = StagedFile {
        path: encoded.path,
        size_bytes: encoded.size_bytes,
        rows: record_count,
        partition: None,
        body: encoded.body,
    };
    Ok((staged, file))
}
