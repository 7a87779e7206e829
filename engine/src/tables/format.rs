//! The one seam between tables and the formats of their files.

use super::encoding::Encoding;
use super::position::POSITION_COLUMN;
use super::rows::Rows;
use super::storage::TableStorage;
use super::types::SqlType;
use super::{parquet, vortex};
use crate::error::Result;
use crate::lake::write::upload::{Body, Upload};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::Session;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::FileSource;
use datafusion::datasource::table_schema::TableSchema;
use millrace_catalog::model::{FileFormat, ManagedColumn};
use object_store::path::Path;
use std::sync::Arc;

/// Where a stored field says how its column is to be encoded.
const ENCODING_KEY: &str = "millrace.encoding";

/// A file that is all written but not visible.
pub(super) struct Encoded {
    pub(super) path: Path,
    pub(super) size_bytes: u64,
    pub(super) body: Body,
    pub(super) footer_size: u64,
    /// Bytes of each column.
    pub(super) column_bytes: Vec<u64>,
}

/// How file names end.
pub(super) fn extension(format: FileFormat) -> &'static str {
    match format {
        FileFormat::Vortex => "vortex",
        FileFormat::Parquet => "parquet",
    }
}

/// The columns as a file has them, each with the encoding that it is to be written in. All are nullable: NOT NULL is
/// the table's, and may be dropped.
pub(super) fn stored_schema(format: FileFormat, columns: &[ManagedColumn]) -> Result<SchemaRef> {
    let stored = |column: &ManagedColumn| {
        let data_type: SqlType = column.data_type.parse()?;
        let mut field = match format {
            FileFormat::Vortex => vortex::stored_field(column, data_type),
            FileFormat::Parquet => parquet::stored_field(column, data_type),
        };
        if let Some(encoding) = &column.encoding {
            field.metadata_mut().insert(ENCODING_KEY.to_owned(), encoding.clone());
        }
        Ok(field)
    };
    Ok(parquet::stored_schema(columns.iter().map(stored).collect::<Result<_>>()?))
}

/// How a column is to be encoded; `None` leaves it to the writer.
pub(super) fn encoding(field: &Field) -> Result<Option<Encoding>> {
    field.metadata().get(ENCODING_KEY).map(|name| name.parse()).transpose()
}

/// The id of a file's column; `None` for columns that are none of a table's.
pub(super) fn column_id(format: FileFormat, field: &Field) -> Option<i64> {
    match format {
        FileFormat::Vortex => vortex::column_id(field),
        FileFormat::Parquet => parquet::column_id(field),
    }
}

/// Whether the format's reader gives row numbers by itself when a scan asks for them.
pub(super) fn reads_positions(format: FileFormat, file: &Schema) -> bool {
    format == FileFormat::Parquet && file.column_with_name(POSITION_COLUMN).is_some()
}

/// Whether files have another type for a column of this type, so that a filter on it may be computed after the scan.
pub(super) fn stores_otherwise(format: FileFormat, data_type: &DataType) -> bool {
    format == FileFormat::Vortex && vortex::stores_otherwise(data_type)
}

/// Writes rows until the file is full.
pub(super) async fn encode(format: FileFormat, rows: &mut Rows, schema: &SchemaRef, upload: Upload) -> Result<Encoded> {
    match format {
        FileFormat::Vortex => vortex::encode(rows, schema, upload).await,
        FileFormat::Parquet => parquet::encode(rows, schema, upload).await,
    }
}

/// What reads files.
pub(super) fn file_source(
    format: FileFormat,
    schema: TableSchema,
    storage: &TableStorage,
    session: &dyn Session,
) -> Arc<dyn FileSource> {
    match format {
        FileFormat::Vortex => vortex::file_source(schema, session),
        FileFormat::Parquet => parquet::file_source(schema, &storage.store, session),
    }
}

/// A file of `rows` rows without those at the given positions, which are sorted.
pub(super) fn without_rows(
    format: FileFormat,
    file: PartitionedFile,
    deleted: &[u64],
    rows: u64,
) -> Result<PartitionedFile> {
    match format {
        FileFormat::Vortex => vortex::without_rows(file, deleted),
        FileFormat::Parquet => Ok(parquet::without_rows(file, deleted, rows)),
    }
}
