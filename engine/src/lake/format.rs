//! The formats of a table's files, told from its storage descriptor or a file's name, and the scan of each.
//!
//! The one seam between the lake and its readers: everything above asks [`Format`] for a `FileSource`, a schema or
//! statistics, and knows no format.

use super::json::{JsonOptions, JsonSerde};
use super::pattern::PatternOptions;
use super::text::TextOptions;
use super::{avro, evolve, json, orc, pattern, text};
use crate::error::{Error, ErrorKind, Result};
use datafusion::arrow::datatypes::{DataType, Schema, SchemaRef, TimeUnit};
use datafusion::catalog::Session;
use datafusion::common::Statistics;
use datafusion::common::config::TableParquetOptions;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::datasource::physical_plan::{FileSource, ParquetSource};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::DataFusionError;
use millrace_catalog::model::{Parameters, StorageDescriptor};
use object_store::{ObjectMeta, ObjectStore};
use std::sync::Arc;

/// How the files of a table or partition are read.
#[derive(Debug, Clone, PartialEq)]
pub enum Format {
    /// Apache Parquet.
    Parquet,
    /// Apache ORC.
    Orc,
    /// Apache Avro.
    Avro,
    /// Delimited text and CSV.
    Text(TextOptions),
    /// JSON.
    Json(JsonOptions),
    /// Lines that a pattern takes apart: grok, regular expressions.
    Pattern(PatternOptions),
}

/// Columns of a table, by position, that a file has in a type that does not fit, with the file's type.
pub(crate) type Misfits = Vec<(usize, DataType)>;

/// The data columns of a table, and how they are found in its files.
#[derive(Debug, Clone)]
pub(crate) struct TableColumns {
    /// The columns; partition keys are not among them.
    pub(crate) schema: SchemaRef,
    /// By position instead of by name.
    pub(crate) by_position: bool,
}

impl Format {
    /// The format that a storage descriptor names by its SerDe or input format.
    ///
    /// # Errors
    /// `Unsupported` for other SerDes and for options that would change the meaning of the data.
    pub fn of_storage(storage: &StorageDescriptor, parameters: &Parameters) -> Result<Self> {
        let library = storage.serde.library.as_str();
        let class = library.rsplit('.').next().unwrap_or_default();
        match class {
            "ParquetHiveSerDe" => Ok(Self::Parquet),
            "OrcSerde" => Ok(Self::Orc),
            "AvroSerDe" => Ok(Self::Avro),
            "LazySimpleSerDe" | "OpenCSVSerde" => Ok(Self::Text(TextOptions::from_serde(storage, parameters)?)),
            "JsonSerDe" => Ok(Self::Json(JsonOptions::from_serde(storage, parameters)?)),
            "GrokSerDe" | "RegexSerDe" => Ok(Self::Pattern(PatternOptions::from_serde(storage, parameters)?)),
            _ => Err(Error::unsupported(format!("the SerDe \"{library}\""))),
        }
    }

    /// The format that a file's name tells: its extension, without that of a compression.
    pub fn of_file_name(name: &str) -> Option<&'static str> {
        let name = name.to_ascii_lowercase();
        let bare = [".gz", ".gzip", ".bz2", ".zst", ".zstd", ".snappy", ".sz", ".deflate", ".xz", ".zip"]
            .iter()
            .find_map(|compression| name.strip_suffix(compression))
            .unwrap_or(&name);
        match bare.rsplit_once('.')?.1 {
            "parquet" | "pq" | "parq" => Some("parquet"),
            "orc" => Some("orc"),
            "avro" => Some("avro"),
            "csv" => Some("csv"),
            "tsv" | "tab" => Some("tsv"),
            "txt" => Some("txt"),
            "json" | "jsonl" | "ndjson" => Some("json"),
            _ => None,
        }
    }

    /// The short name that EXPLAIN and errors use.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Orc => "orc",
            Self::Avro => "avro",
            Self::Text(_) => "text",
            Self::Json(_) => "json",
            Self::Pattern(_) => "pattern",
        }
    }

    /// The scan of files of this format in a table of this schema.
    pub(crate) fn file_source(
        &self,
        schema: TableSchema,
        store: &Arc<dyn ObjectStore>,
        session: &dyn Session,
    ) -> Arc<dyn FileSource> {
        match self {
            Self::Parquet => {
                let mut options = TableParquetOptions::new();
                options.global = session.config_options().execution.parquet.clone();
                options.global.coerce_int96 = Some("us".to_owned());
                let metadata = session.runtime_env().cache_manager.get_file_metadata_cache();
                let mut source = ParquetSource::new(schema).with_table_parquet_options(options.clone());
                if let Some(hint) = options.global.metadata_size_hint {
                    source = source.with_metadata_size_hint(hint);
                }
                let reader = CachedParquetFileReaderFactory::new(Arc::clone(store), metadata);
                Arc::new(source.with_parquet_file_reader_factory(Arc::new(reader)))
            }
            Self::Orc => Arc::new(orc::OrcSource::new(schema)),
            Self::Avro => avro::avro_source(schema),
            Self::Text(options) => Arc::new(text::TextSource::new(schema, options.clone())),
            Self::Json(options) => Arc::new(json::JsonSource::new(schema, options.clone())),
            Self::Pattern(options) => Arc::new(pattern::PatternSource::new(schema, options.clone())),
        }
    }

    /// What a file's footer tells of its columns, for formats that have footers.
    pub(crate) async fn statistics(
        &self,
        store: &Arc<dyn ObjectStore>,
        (url, object): (&str, &ObjectMeta),
        columns: &TableColumns,
        session: &dyn Session,
    ) -> Result<Option<(Statistics, Misfits)>> {
        let TableColumns { schema, by_position } = columns;
        match self {
            Self::Parquet => {
                let metadata = session.runtime_env().cache_manager.get_file_metadata_cache();
                let hint = session.config_options().execution.parquet.metadata_size_hint;
                let footer = DFParquetMetadata::new(store, object)
                    .with_metadata_size_hint(hint)
                    .with_file_metadata_cache(Some(metadata))
                    .with_coerce_int96(Some(TimeUnit::Microsecond));
                let damaged = |error: DataFusionError| bad_file("Parquet", url, error.into());
                let file = footer.fetch_schema().await.map_err(damaged)?;
                let pairs = evolve::pair_columns(schema, &file, *by_position);
                let named = as_in_file(schema, &file, &pairs);
                let mut statistics = footer.fetch_statistics(&named).await.map_err(damaged)?;
                keep_typed(&mut statistics, schema);
                let misfits = schema.fields().iter().zip(&pairs).enumerate().filter_map(|(at, (field, pair))| {
                    let found = file.field((*pair)?).data_type();
                    (!evolve::fits(found, field.data_type())).then(|| (at, found.clone()))
                });
                Ok(Some((statistics, misfits.collect())))
            }
            // An ORC scan names the file in its own errors.
            Self::Orc => Ok(Some((orc::statistics(store, object, schema, *by_position).await?, Misfits::new()))),
            Self::Avro | Self::Text(_) | Self::Json(_) | Self::Pattern(_) => Ok(None),
        }
    }

    /// The columns of a file, for direct queries, with the format that reads it.
    pub(crate) async fn infer(
        extension: &str,
        store: &Arc<dyn ObjectStore>,
        (url, object): (&str, &ObjectMeta),
        session: &dyn Session,
    ) -> Result<(SchemaRef, Self)> {
        match extension {
            "parquet" => {
                let metadata = session.runtime_env().cache_manager.get_file_metadata_cache();
                let schema = DFParquetMetadata::new(store, object)
                    .with_file_metadata_cache(Some(metadata))
                    .with_coerce_int96(Some(TimeUnit::Microsecond))
                    .fetch_schema()
                    .await
                    .map_err(|error| bad_file("Parquet", url, error.into()))?;
                Ok((Arc::new(Schema::new(schema.fields)), Self::Parquet))
            }
            "orc" => Ok((orc::infer_schema(store, object).await?, Self::Orc)),
            "avro" => Ok((avro::infer_schema(store, object).await?, Self::Avro)),
            "json" => {
                let (schema, options) = json::infer_schema(store, object, JsonOptions::new(JsonSerde::Hive)).await?;
                Ok((schema, Self::Json(options)))
            }
            _ => {
                let options = TextOptions { escape: None, ignore_blank_lines: true, ..TextOptions::open_csv() };
                let (schema, options) = text::infer_schema(store, object, options).await?;
                Ok((schema, Self::Text(options)))
            }
        }
    }
}

/// Names the file in an error about its contents.
fn bad_file(format: &str, url: &str, error: Error) -> Error {
    if error.kind != ErrorKind::BadFile {
        return error;
    }
    let reason = error.detail.unwrap_or(error.message);
    Error::new(ErrorKind::BadFile, format!("file \"{url}\" is damaged or not a {format} file")).with_detail(reason)
}

/// The table's columns under the names that they have in a file, since DataFusion finds statistics by exact name.
fn as_in_file(table: &Schema, file: &Schema, pairs: &[Option<usize>]) -> SchemaRef {
    let named = table.fields().iter().zip(pairs).enumerate().map(|(at, (field, pair))| match pair {
        Some(position) => field.as_ref().clone().with_name(file.field(*position).name()),
        // A name that no file has, for a column that this file lacks.
        None => field.as_ref().clone().with_name(format!("\u{1}{at}")),
    });
    Arc::new(Schema::new(named.collect::<Vec<_>>()))
}

/// Drops bounds whose type is not the column's: a file may have been written with a narrower one.
fn keep_typed(statistics: &mut Statistics, schema: &Schema) {
    use datafusion::common::stats::Precision;
    for (column, field) in statistics.column_statistics.iter_mut().zip(schema.fields()) {
        for bound in [&mut column.min_value, &mut column.max_value, &mut column.sum_value] {
            if bound.get_value().is_some_and(|value| value.data_type() != *field.data_type()) {
                *bound = Precision::Absent;
            }
        }
    }
}
