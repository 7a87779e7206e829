//! Open tables' files: Parquet with field ids, so that DuckDB's ducklake extension finds the columns.

use super::encoding::column_properties;
use super::format::{self, Encoded};
use super::rows::Rows;
use super::types::SqlType;
use crate::error::{Error, ErrorKind, Result};
use crate::lake::write::upload::Upload;
use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::catalog::Session;
use datafusion::config::TableParquetOptions;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::{CachedParquetFileReaderFactory, ParquetRowSelection};
use datafusion::datasource::physical_plan::{FileSource, ParquetSource};
use datafusion::datasource::table_schema::TableSchema;
use millrace_catalog::model::ManagedColumn;
use object_store::ObjectStore;
use parquet::arrow::arrow_reader::RowSelection;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::arrow::{ArrowWriter, PARQUET_FIELD_ID_META_KEY};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// The most rows of a row group: the unit by which readers share a file and skip in it.
const ROW_GROUP_ROWS: usize = 256 * 1024;

/// The most bytes of a row group, encoded; a file being written holds about as much.
const ROW_GROUP_BYTES: usize = 64 * 1024 * 1024;

/// The mark by which the writer makes a time `isAdjustedToUTC`, which is what a TIMETZ is.
const UTC_TIME_KEY: &str = "adjusted_to_utc";

/// A column as a file has it: under its name, with its id.
pub(super) fn stored_field(column: &ManagedColumn, data_type: SqlType) -> Field {
    let mut metadata = HashMap::from([(PARQUET_FIELD_ID_META_KEY.to_owned(), column.id.to_string())]);
    if data_type == SqlType::TimeTz {
        metadata.insert(UTC_TIME_KEY.to_owned(), String::new());
    }
    Field::new(&column.name, data_type.to_arrow(), true).with_metadata(metadata)
}

/// The id of a file's column.
pub(super) fn column_id(field: &Field) -> Option<i64> {
    field.metadata().get(PARQUET_FIELD_ID_META_KEY)?.parse().ok()
}

/// Writes rows until the file is full.
pub(super) async fn encode(rows: &mut Rows, schema: &SchemaRef, mut upload: Upload) -> Result<Encoded> {
    let mut writer = new_writer(schema)?;
    let mut in_file = 0;
    while let Some(batch) = rows.next(in_file).await? {
        let batch = RecordBatch::try_new(SchemaRef::clone(schema), batch.columns().to_vec())
            .map_err(|e| Error::internal(e.to_string()))?;
        writer.write(&batch).map_err(|e| write_error(&e))?;
        let output = std::mem::take(writer.inner_mut());
        if !output.is_empty() {
            upload.write(output).await?;
        }
        in_file = upload.size_bytes() + writer.in_progress_size() as u64;
    }
    let metadata = writer.finish().map_err(|e| write_error(&e))?;
    let output = std::mem::take(writer.inner_mut());
    let footer_size = footer_size(&output);
    upload.write(output).await?;
    let (path, size_bytes, body) = upload.close().await?;
    let column_bytes = column_bytes(&metadata, schema.fields().len());
    Ok(Encoded { path, size_bytes, body, footer_size, column_bytes })
}

/// The bytes of a small file, all of it, and of its footer.
pub(super) fn encode_small(schema: &SchemaRef, batch: &RecordBatch) -> Result<(Vec<u8>, u64)> {
    let mut writer = new_writer(schema)?;
    writer.write(batch).map_err(|e| write_error(&e))?;
    let bytes = writer.into_inner().map_err(|e| write_error(&e))?;
    let footer_size = footer_size(&bytes);
    Ok((bytes, footer_size))
}

fn new_writer(schema: &SchemaRef) -> Result<ArrowWriter<Vec<u8>>> {
    let zstd = ZstdLevel::try_new(1).map_err(|e| write_error(&e))?;
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(zstd))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES));
    for field in schema.fields() {
        let path = ColumnPath::new(vec![field.name().clone()]);
        if let Some(encoding) = format::encoding(field)? {
            properties =
                column_properties(properties, &path, encoding, field.data_type()).map_err(|e| write_error(&e))?;
        }
        if field.data_type().is_floating() {
            // Parquet's bounds leave NaN out, and its readers do not know: rows with `x > 5` would be skipped.
            properties = properties.set_column_statistics_enabled(path, EnabledStatistics::None);
        }
    }
    // Arrow's copy of the schema would only repeat our view types.
    let options = ArrowWriterOptions::new().with_properties(properties.build()).with_skip_arrow_metadata(true);
    ArrowWriter::try_new_with_options(Vec::new(), SchemaRef::clone(schema), options).map_err(|e| write_error(&e))
}

/// A file ends in its metadata, the metadata's length in four bytes and `PAR1`.
fn footer_size(end: &[u8]) -> u64 {
    let length = end.len().checked_sub(8).and_then(|at| end[at..at + 4].try_into().ok());
    length.map_or(0, |length| u64::from(u32::from_le_bytes(length)))
}

/// All columns are flat, so that a leaf is a column.
fn column_bytes(metadata: &ParquetMetaData, columns: usize) -> Vec<u64> {
    let of_column = |at: usize| {
        let chunks = metadata.row_groups().iter().map(|group| group.column(at).compressed_size());
        chunks.sum::<i64>().cast_unsigned()
    };
    (0..columns).map(of_column).collect()
}

/// What reads the files.
pub(super) fn file_source(
    schema: TableSchema,
    store: &Arc<dyn ObjectStore>,
    session: &dyn Session,
) -> Arc<dyn FileSource> {
    let mut options = TableParquetOptions::new();
    options.global = session.config_options().execution.parquet.clone();
    let metadata = session.runtime_env().cache_manager.get_file_metadata_cache();
    let reader = CachedParquetFileReaderFactory::new(Arc::clone(store), metadata);
    let source = ParquetSource::new(schema).with_table_parquet_options(options);
    Arc::new(source.with_parquet_file_reader_factory(Arc::new(reader)))
}

/// Leaves out rows of a file that has `rows` of them.
pub(super) fn without_rows(file: PartitionedFile, deleted: &[u64], rows: u64) -> PartitionedFile {
    let selection = RowSelection::from_consecutive_ranges(kept(deleted, rows as usize).into_iter(), rows as usize);
    file.with_extension(ParquetRowSelection::new(selection))
}

/// The ranges between sorted positions.
fn kept(deleted: &[u64], rows: usize) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut start = 0;
    for at in deleted.iter().map(|at| *at as usize).chain([rows]) {
        if at > start {
            ranges.push(start..at);
        }
        start = at + 1;
    }
    ranges
}

/// The columns of a delete file.
pub(super) fn with_field_id(field: Field, id: i64) -> Field {
    field.with_metadata(HashMap::from([(PARQUET_FIELD_ID_META_KEY.to_owned(), id.to_string())]))
}

/// The schema of files of these columns.
pub(super) fn stored_schema(fields: Vec<Field>) -> SchemaRef {
    Arc::new(Schema::new(fields))
}

fn write_error(error: &ParquetError) -> Error {
    Error::new(ErrorKind::Data, format!("could not write Parquet: {error}"))
}
