//! From batches to the bytes of one file.
//!
//! An encoder holds what is not yet encoded (a Parquet row group, a codec's window) and gives bytes as they are done;
//! it knows nothing of where they go.

use super::columns::{self, Column};
use super::compress::{Compression, Compressor};
use super::error::io_error;
use super::format::WriteFormat;
use crate::error::{Error, ErrorKind, Result};
use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression as ParquetCodec, GzipLevel, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

/// The most rows of a row group: what a reader may skip at once by statistics.
const ROW_GROUP_ROWS: usize = 1_000_000;

/// The most bytes of a row group, encoded: Hive's `parquet.block.size`.
const ROW_GROUP_BYTES: usize = 128 * 1024 * 1024;

/// Encodes one file.
pub(super) enum Encoder {
    Parquet(Box<ArrowWriter<Vec<u8>>>),
    Rows(Box<Rows>),
}

/// Encodes rows as text.
pub(super) struct Rows {
    format: WriteFormat,
    names: Vec<String>,
    compressor: Compressor,
    text: Vec<u8>,
    started: bool,
    /// Bytes of text of the last batch, and of all that a codec may hold.
    last: usize,
    held: usize,
}

impl Encoder {
    /// An encoder for files of these columns. Fails if format and codec do not go together.
    pub(super) fn new(
        format: &WriteFormat,
        compression: Compression,
        schema: &SchemaRef,
        row_group_bytes: Option<usize>,
    ) -> Result<Self> {
        if *format == WriteFormat::Parquet {
            // Hive, Trino and Spark go by Parquet's own schema; Arrow's copy of it would only repeat our view types.
            let options = ArrowWriterOptions::new()
                .with_properties(parquet_properties(compression, row_group_bytes)?)
                .with_skip_arrow_metadata(true);
            let writer = ArrowWriter::try_new_with_options(Vec::new(), SchemaRef::clone(schema), options)
                .map_err(|e| parquet_error(&e))?;
            return Ok(Self::Parquet(Box::new(writer)));
        }
        Ok(Self::Rows(Box::new(Rows {
            format: format.clone(),
            names: schema.fields().iter().map(|f| f.name().clone()).collect(),
            compressor: Compressor::new(compression)?,
            text: Vec::new(),
            started: false,
            last: 0,
            held: 0,
        })))
    }

    /// Takes in a batch of the file's columns, unless its text has more bytes than are left; whether it did.
    pub(super) async fn encode(&mut self, batch: &RecordBatch, left_bytes: Option<u64>) -> Result<bool> {
        match self {
            Self::Parquet(writer) => writer.write(batch).map_err(|e| parquet_error(&e))?,
            Self::Rows(rows) => {
                rows.text.clear();
                if !rows.started {
                    write_header(&rows.format, &rows.names, &mut rows.text)?;
                }
                write_rows(&rows.format, &rows.names, batch, &mut rows.text)?;
                if left_bytes.is_some_and(|left| rows.text.len() as u64 > left) {
                    return Ok(false);
                }
                rows.started = true;
                rows.last = rows.text.len();
                rows.held += rows.last;
                rows.compressor.write(&rows.text).await.map_err(|e| io_error(&e, "in memory"))?;
            }
        }
        Ok(true)
    }

    /// Bytes that are done since the last call.
    pub(super) fn take_output(&mut self) -> Vec<u8> {
        match self {
            Self::Parquet(writer) => std::mem::take(writer.inner_mut()),
            Self::Rows(rows) => {
                let output = rows.compressor.take_output();
                if !output.is_empty() {
                    // A codec that gives something holds no more than came last.
                    rows.held = if rows.compressor.is_plain() { 0 } else { rows.last };
                }
                output
            }
        }
    }

    /// Bytes that the file will grow by from what is held: of Parquet estimated, of a codec the most.
    pub(super) fn pending_bytes(&self) -> usize {
        match self {
            Self::Parquet(writer) => writer.in_progress_size(),
            Self::Rows(rows) if rows.compressor.is_plain() => rows.held,
            // What cannot be made smaller grows a little, and streams have ends.
            Self::Rows(rows) => rows.held + rows.held / 64 + 64,
        }
    }

    /// Bytes of memory that the encoder holds and [`Encoder::flush`] would free.
    pub(super) fn memory_bytes(&self) -> usize {
        match self {
            Self::Parquet(writer) => writer.memory_size(),
            Self::Rows(rows) => rows.text.capacity(),
        }
    }

    /// Encodes what is held, at the price of a smaller row group.
    pub(super) fn flush(&mut self) -> Result<()> {
        match self {
            Self::Parquet(writer) => writer.flush().map_err(|e| parquet_error(&e)),
            Self::Rows(rows) => {
                rows.text = Vec::new();
                Ok(())
            }
        }
    }

    /// Ends the file; [`Encoder::take_output`] then has the rest of it.
    pub(super) async fn finish(&mut self) -> Result<()> {
        match self {
            Self::Parquet(writer) => writer.finish().map(|_| ()).map_err(|e| parquet_error(&e)),
            Self::Rows(rows) => rows.compressor.finish().await.map_err(|e| io_error(&e, "in memory")),
        }
    }
}

fn write_header(format: &WriteFormat, names: &[String], text: &mut Vec<u8>) -> Result<()> {
    let names = names.iter().map(String::as_str);
    match format {
        WriteFormat::Text(format) if format.header => format.write_header(names, text),
        WriteFormat::OpenCsv(format) if format.header => format.write_header(names, text),
        WriteFormat::Unload(format) if format.header => format.write_header(names, text),
        _ => Ok(()),
    }
}

fn write_rows(format: &WriteFormat, names: &[String], batch: &RecordBatch, text: &mut Vec<u8>) -> Result<()> {
    let arrays: Vec<ArrayRef> = batch.columns().iter().map(columns::canonical).collect::<Result<_>>()?;
    let columns: Vec<Column<'_>> = arrays.iter().map(Column::new).collect::<Result<_>>()?;
    for row in 0..batch.num_rows() {
        match format {
            WriteFormat::Text(format) => format.write_row(&columns, row, text)?,
            WriteFormat::OpenCsv(format) => format.write_row(&columns, row, text)?,
            WriteFormat::Unload(format) => format.write_row(&columns, row, text)?,
            WriteFormat::Json(format) => format.write_row(names, &columns, row, text)?,
            WriteFormat::Parquet => return Err(Error::internal("Parquet is not written by rows")),
        }
    }
    Ok(())
}

fn parquet_properties(compression: Compression, row_group_bytes: Option<usize>) -> Result<WriterProperties> {
    let codec = match compression {
        Compression::None => ParquetCodec::UNCOMPRESSED,
        Compression::Gzip => ParquetCodec::GZIP(GzipLevel::default()),
        Compression::Snappy => ParquetCodec::SNAPPY,
        Compression::Zstd(level) => ParquetCodec::ZSTD(ZstdLevel::try_new(level).map_err(|e| parquet_error(&e))?),
        Compression::Lz4 => ParquetCodec::LZ4_RAW,
        Compression::Bzip2 => return Err(Error::unsupported("writing Parquet with BZIP2 compression")),
    };
    Ok(WriterProperties::builder()
        .set_compression(codec)
        .set_dictionary_enabled(true)
        // Statistics by page are the page index, by which readers skip within a row group.
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_max_row_group_bytes(Some(row_group_bytes.unwrap_or(ROW_GROUP_BYTES)))
        // Lists and maps get the inner names that Parquet's specification has.
        .set_coerce_types(true)
        .build())
}

fn parquet_error(error: &ParquetError) -> Error {
    let kind = if matches!(error, ParquetError::NYI(_)) { ErrorKind::Unsupported } else { ErrorKind::Data };
    Error::new(kind, format!("could not write Parquet: {error}"))
}
