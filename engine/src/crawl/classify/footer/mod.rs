//! Files that describe themselves: Parquet, ORC, Avro, told by their magic bytes.
//!
//! The bytes decide, not the name. Columns, rows and bounds come from the footer by the readers that will read the
//! table. A column of a type that Hive does not have is left out of the table and told: readers pair columns by name,
//! so the others are not harmed.

mod avro;
mod bounds;

#[cfg(test)]
mod tests;

use super::super::schema::Unknown;
use super::super::{Layout, Recognized};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::hive_classes::storage_classes;
use crate::lake::{avro as avro_files, evolve, orc, types};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::common::Statistics;
use datafusion::common::stats::Precision;
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::error::DataFusionError;
use millrace_catalog::model::{Column, ColumnStatistics, HiveType, Parameters, SerDe, TableStatistics};
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use parquet::basic::Compression;
use parquet::file::metadata::ParquetMetaData;
use std::sync::Arc;

/// Bytes of every magic number here, and of the shortest file that can have one.
const MAGIC_LENGTH: u64 = 4;
/// How much of a Parquet file's end is fetched at first.
const TAIL: usize = 64 * 1024;

/// What a file's footer or header says; `None` for a file that begins as none of these do.
///
/// # Errors
/// `BadFile` for a damaged, encrypted or cut file, and what the store says.
pub(crate) async fn recognize(
    store: &Arc<dyn ObjectStore>,
    url: &str,
    object: &ObjectMeta,
) -> Result<Option<Recognized>> {
    if object.size < MAGIC_LENGTH {
        return Ok(None);
    }
    let magic = store.get_range(&object.location, 0..MAGIC_LENGTH).await?;
    match magic.as_ref() {
        b"PAR1" | b"PARE" => parquet(store, url, object).await.map(Some),
        [b'O', b'R', b'C', _] => orc(store, url, object).await.map(Some),
        b"Obj\x01" => avro(store, url, object).await.map(Some),
        _ => Ok(None),
    }
}

async fn parquet(store: &Arc<dyn ObjectStore>, url: &str, object: &ObjectMeta) -> Result<Recognized> {
    let cut = || bad_file(url, "is damaged", "it begins as a Parquet file but does not end as one");
    // Magic, footer, the footer's length, magic. The decoder trusts the length.
    if object.size < 3 * MAGIC_LENGTH {
        return Err(cut());
    }
    let end = store.get_range(&object.location, object.size - 2 * MAGIC_LENGTH..object.size).await?;
    match end.as_ref() {
        [a, b, c, d, b'P', b'A', b'R', b'1'] => {
            let length = u64::from(u32::from_le_bytes([*a, *b, *c, *d]));
            if length > object.size - 3 * MAGIC_LENGTH {
                return Err(bad_file(url, "is damaged", "its footer is longer than the file"));
            }
        }
        [.., b'P', b'A', b'R', b'E'] => {
            return Err(bad_file(url, "is encrypted", "its footer cannot be read without a key"));
        }
        _ => return Err(cut()),
    }
    let footer = DFParquetMetadata::new(store.as_ref(), object)
        .with_metadata_size_hint(Some(TAIL))
        .with_coerce_int96(Some(TimeUnit::Microsecond));
    let damaged = |error: DataFusionError| {
        let error = Error::from(error);
        if matches!(error.kind, ErrorKind::BadFile | ErrorKind::Internal) {
            return bad_file(url, "is damaged", error.detail.unwrap_or(error.message));
        }
        error
    };
    let metadata = footer.fetch_metadata().await.map_err(damaged)?;
    let file = footer.fetch_schema().await.map_err(damaged)?;
    let (columns, notes) = columns(url, &file)?;
    let named = table_schema(&columns, &file);
    let found = DFParquetMetadata::statistics_from_parquet_metadata(&metadata, &named).map_err(damaged)?;
    let rows = u64::try_from(metadata.file_metadata().num_rows())
        .map_err(|_| bad_file(url, "is damaged", "its row count is negative"))?;
    let row_bytes = metadata.row_groups().iter().map(|group| u64::try_from(group.total_byte_size()).unwrap_or(0)).sum();
    let compression = compression(&metadata);
    let statistics = statistics(object, rows, &columns, &found);
    recognized("parquet", compression, columns, (rows, true, row_bytes), Some(statistics), notes)
}

async fn orc(store: &Arc<dyn ObjectStore>, url: &str, object: &ObjectMeta) -> Result<Recognized> {
    let file = orc::infer_schema(store.as_ref(), object).await.map_err(|error| in_file(url, error))?;
    let (columns, notes) = columns(url, &file)?;
    let named = table_schema(&columns, &file);
    let found = orc::statistics(store.as_ref(), object, &named, false).await.map_err(|error| in_file(url, error))?;
    let rows = found.num_rows.get_value().map_or(0, |rows| *rows as u64);
    let statistics = statistics(object, rows, &columns, &found);
    // Glue tells no compression of ORC files: it is inside.
    recognized("orc", "none", columns, (rows, true, object.size), Some(statistics), notes)
}

async fn avro(store: &Arc<dyn ObjectStore>, url: &str, object: &ObjectMeta) -> Result<Recognized> {
    let file = avro_files::infer_schema(store.as_ref(), object).await.map_err(|error| in_file(url, error))?;
    let (columns, notes) = columns(url, &file)?;
    let (compression, rows) = avro::rows(store, object).await?;
    recognized("avro", compression, columns, rows, None, notes)
}

/// The columns of a file in Hive's types, names folded, with what was left out.
fn columns(url: &str, file: &Schema) -> Result<(Vec<Column>, Vec<String>)> {
    let mut columns: Vec<Column> = Vec::new();
    let mut notes = Vec::new();
    for field in file.fields() {
        let name = field.name().to_lowercase();
        if columns.iter().any(|known| known.name == name) {
            notes.push(format!(
                "column \"{}\" of {url} is left out: another differs from it in case only",
                field.name()
            ));
            continue;
        }
        // Strings that are views, as tables declare them, are what the conversion knows too.
        match types::from_arrow(&evolve::table_type(field.data_type())) {
            Ok(data_type) => columns.push(Column::new(name, folded(data_type))),
            Err(error) => notes.push(format!("column \"{}\" of {url} is left out: {}", field.name(), error.message)),
        }
    }
    if columns.is_empty() {
        return Err(bad_file(url, "has no columns", "none of its columns has a type that tables have"));
    }
    Ok((columns, notes))
}

/// A type with the names of its fields in lower case, as Hive has them.
fn folded(data_type: HiveType) -> HiveType {
    match data_type {
        HiveType::Array(element) => HiveType::Array(Box::new(folded(*element))),
        HiveType::Map(key, value) => HiveType::Map(key, Box::new(folded(*value))),
        HiveType::Struct(mut fields) => {
            for field in &mut fields {
                field.name = field.name.to_lowercase();
                field.data_type = folded(field.data_type.clone());
            }
            HiveType::Struct(fields)
        }
        scalar => scalar,
    }
}

/// The columns as a table has them, under the names that they have in the file, by which statistics are found.
fn table_schema(columns: &[Column], file: &Schema) -> SchemaRef {
    let fields = columns.iter().map(|column| {
        let found = file.fields().iter().find(|field| field.name().to_lowercase() == column.name);
        let name = found.map_or(column.name.as_str(), |field| field.name());
        Field::new(name, types::to_arrow(&column.data_type), true)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn statistics(object: &ObjectMeta, rows: u64, columns: &[Column], found: &Statistics) -> TableStatistics {
    let exact_nulls = |nulls: &Precision<usize>| match nulls {
        Precision::Exact(nulls) => Some(*nulls as u64),
        _ => None,
    };
    let of_columns = columns.iter().zip(&found.column_statistics).filter_map(|(column, found)| {
        let data_type: DataType = types::to_arrow(&column.data_type);
        let statistics = ColumnStatistics {
            minimum: bounds::text(&found.min_value, &data_type),
            maximum: bounds::text(&found.max_value, &data_type),
            null_count: exact_nulls(&found.null_count),
            ..ColumnStatistics::default()
        };
        (statistics != ColumnStatistics::default()).then(|| (column.name.clone(), statistics))
    });
    TableStatistics {
        row_count: rows,
        size_bytes: object.size,
        file_count: 1,
        exact: true,
        columns: of_columns.collect(),
        ..TableStatistics::default()
    }
}

/// The compression of a Parquet file's columns, by Glue's names; where they differ, that of the first compressed one.
fn compression(metadata: &ParquetMetaData) -> &'static str {
    let name = |compression: Compression| match compression {
        Compression::UNCOMPRESSED => "none",
        Compression::SNAPPY => "snappy",
        Compression::GZIP(_) => "gzip",
        Compression::LZO => "lzo",
        Compression::BROTLI(_) => "brotli",
        Compression::LZ4 | Compression::LZ4_RAW => "lz4",
        Compression::ZSTD(_) => "zstd",
    };
    let chunks = metadata.row_groups().iter().flat_map(parquet::file::metadata::RowGroupMetaData::columns);
    chunks.map(|chunk| name(chunk.compression())).find(|name| *name != "none").unwrap_or("none")
}

fn recognized(
    format: &str,
    compression: &str,
    columns: Vec<Column>,
    (rows, rows_exact, row_bytes): (u64, bool, u64),
    statistics: Option<TableStatistics>,
    notes: Vec<String>,
) -> Result<Recognized> {
    let (library, input_format, output_format) =
        storage_classes(format).ok_or_else(|| Error::internal(format!("format \"{format}\" has no classes")))?;
    let serde = SerDe { library: library.to_owned(), parameters: Parameters::new() };
    let layout = Layout {
        classifier: format.to_owned(),
        classification: format.to_owned(),
        serde,
        input_format: input_format.to_owned(),
        output_format: output_format.to_owned(),
        parameters: Parameters::new(),
        compression: compression.to_owned(),
    };
    Ok(Recognized {
        layout,
        certainty: 1.0,
        columns,
        unknown: Unknown::new(),
        rows,
        rows_exact,
        row_bytes,
        statistics,
        notes,
    })
}

fn bad_file(url: &str, what: &str, reason: impl Into<String>) -> Error {
    Error::new(ErrorKind::BadFile, format!("file \"{url}\" {what}")).with_detail(reason)
}

/// The readers of ORC and Avro name a file by its path in the store; here it is its URL.
fn in_file(url: &str, mut error: Error) -> Error {
    if let Some((_, rest)) = error.message.strip_prefix("file \"").and_then(|rest| rest.split_once('"')) {
        error.message = format!("file \"{url}\"{rest}");
    }
    error
}
