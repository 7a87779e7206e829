//! The warehouse's own files: Vortex.
//!
//! A stored column's name is the name it had when the file was written, `_` and its id: `price_12`. So a file tells by
//! itself which columns it has, whatever they are called now, and other programs show names that people know.
//!
//! Timestamps are stored as integers, microseconds since 1970: Vortex's own timestamps end on 9999-12-30 and a later
//! one makes its writer panic, while Redshift's reach the year 294276. Dates are Vortex's, to the year 9999; a later
//! one is refused. Intervals are stored as integers too, months or microseconds. Vortex keeps no checksums: bytes that were changed within the data of a file are not noticed.
//!
//! Columns without an encoding are left to Vortex's compressor, which chooses block by block.

use super::encoding::{column_strategy, table_strategy};
use super::format::{self, Encoded};
use super::position::PositionConverter;
use super::rows::Rows;
use super::segments::CachedReaders;
use super::types::SqlType;
use crate::error::{Error, ErrorKind, Result};
use crate::interval::as_integers;
use crate::lake::write::upload::Upload;
use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, RecordBatch};
use arrow::compute::{cast, max, min};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Field, SchemaRef};
use datafusion::catalog::Session;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::FileSource;
use datafusion::datasource::table_schema::TableSchema;
use futures::channel::mpsc;
use futures::{SinkExt, StreamExt};
use millrace_catalog::model::ManagedColumn;
use std::io;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use vortex::VortexSessionDefault;
use vortex::array::dtype::{DType, FieldPath};
use vortex::array::stream::ArrayStreamAdapter;
use vortex::arrow::ArrowSessionExt;
use vortex::buffer::Buffer;
use vortex::error::VortexError;
use vortex::file::{VortexWriteOptions, WriteOptionsSessionExt, WriteSummary};
use vortex::io::session::RuntimeSessionExt;
use vortex::io::{IoBuf, VortexWrite};
use vortex::scan::selection::Selection;
use vortex::scan::strict_sorted_buffer::StrictSortedBuffer;
use vortex::session::VortexSession;
use vortex_datafusion::{VortexAccessPlan, VortexSource};

/// The dates that Vortex takes, in days since 1970.
const DATES: RangeInclusive<i32> = -4_371_587..=2_932_896;

/// Vortex's registries. It runs its tasks in whatever Tokio runtime it is called from.
pub(super) static SESSION: LazyLock<VortexSession> = LazyLock::new(|| VortexSession::default().with_tokio());

/// A column as a file has it.
pub(super) fn stored_field(column: &ManagedColumn, data_type: SqlType) -> Field {
    let stored = match data_type {
        SqlType::Timestamp | SqlType::TimestampTz => DataType::Int64,
        SqlType::Interval(qualifier) if qualifier.is_months() => DataType::Int32,
        SqlType::Interval(_) => DataType::Int64,
        _ => data_type.to_arrow(),
    };
    Field::new(format!("{}_{}", column.name, column.id), stored, true)
}

/// Whether a file has values of another type than the table.
pub(super) fn stores_otherwise(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(..) | DataType::Interval(_) | DataType::Duration(_))
}

/// Rows as the file has them.
fn stored_rows(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (at, (column, field)) in batch.columns().iter().zip(schema.fields()).enumerate() {
        if let Some(dates) = column.as_primitive_opt::<Date32Type>() {
            let within = |date: Option<i32>| date.is_none_or(|date| DATES.contains(&date));
            if !within(min(dates)) || !within(max(dates)) {
                let name = batch.schema().field(at).name().clone();
                let message = format!("date out of range in column \"{name}\": years -9999 to 9999 can be stored");
                return Err(Error::new(ErrorKind::NumericOverflow, message));
            }
        }
        let stored = cast(&as_integers(column), field.data_type()).map_err(|e| Error::internal(e.to_string()))?;
        columns.push(without_hidden_digits(stored));
    }
    RecordBatch::try_new(SchemaRef::clone(schema), columns).map_err(|e| Error::internal(e.to_string()))
}

/// Decimals with nothing behind NULL that is none of their type, as an aggregate of no values leaves it: Vortex keeps decimals in
/// as few bits as their digits need, and its writer panics where a number has more.
fn without_hidden_digits(column: ArrayRef) -> ArrayRef {
    let Some(decimals) = column.as_primitive_opt::<Decimal128Type>().filter(|decimals| decimals.null_count() > 0)
    else {
        return column;
    };
    let limit = 10_u128.pow(u32::from(decimals.precision()));
    if decimals.values().iter().all(|number| number.unsigned_abs() < limit) {
        return column;
    }
    Arc::new(decimals.iter().collect::<Decimal128Array>().with_data_type(decimals.data_type().clone()))
}

/// The id of a file's column.
pub(super) fn column_id(field: &Field) -> Option<i64> {
    field.name().rsplit_once('_')?.1.parse().ok()
}

/// Writes rows until the file is full.
pub(super) async fn encode(rows: &mut Rows, schema: &SchemaRef, upload: Upload) -> Result<Encoded> {
    let dtype = SESSION.arrow().from_arrow_schema(schema).map_err(|e| write_error(&e))?;
    let options = write_options(schema, &dtype)?;
    let (held, written) = (options.buffered_bytes_tracker(), Arc::new(AtomicU64::new(0)));
    let mut sink = UploadSink { upload, written: Arc::clone(&written), failed: None };
    let (mut sender, receiver) = mpsc::channel::<RecordBatch>(1);
    let import = SchemaRef::clone(schema);
    let arrays = receiver.map(move |batch| SESSION.arrow().from_arrow_record_batch(batch, &import));

    let feed = async move {
        let mut file_bytes = 0;
        while let Some(batch) = rows.next(file_bytes).await? {
            // The writer hangs up when it failed; its own error is the one to tell.
            if sender.send(stored_rows(&batch, schema)?).await.is_err() {
                break;
            }
            file_bytes = written.load(Ordering::Relaxed) + held.buffered_bytes();
        }
        Ok(())
    };
    let write = async {
        let written = options.write(&mut sink, ArrayStreamAdapter::new(dtype, arrays)).await;
        written.map_err(|error| sink.failed.take().unwrap_or_else(|| write_error(&error)))
    };
    let (summary, ()) = futures::try_join!(write, feed)?;
    let (path, size_bytes, body) = sink.upload.close().await?;
    let column_bytes = summary.compressed_column_sizes().map_err(|e| write_error(&e))?;
    Ok(Encoded { path, size_bytes, body, footer_size: footer_size(&summary, size_bytes), column_bytes })
}

/// The writer's options: a strategy of its own for each column that has an encoding.
fn write_options(schema: &SchemaRef, dtype: &DType) -> Result<VortexWriteOptions> {
    // Bounds and counts of a whole file are in the manifest, which is asked before a file is opened, and again as a query
    // finds filters (`datafusion_pruning::FilePruner` over the bounds that a scan gives each file); within it blocks have
    // theirs. To compute them here a third time would be work of the one stream that feeds all columns.
    let options = SESSION.write_options().with_file_statistics(Vec::new());
    let mut encoded = Vec::new();
    for field in schema.fields() {
        let stored = dtype.as_struct_fields_opt().and_then(|fields| fields.field(field.name()));
        if let (Some(encoding), Some(stored)) = (format::encoding(field)?, stored) {
            encoded.push((FieldPath::from_name(field.name().as_str()), column_strategy(encoding, &stored)));
        }
    }
    // Differences and wide decimals are of no edition yet: this version reads them, as it does all that it writes.
    let options = if encoded.is_empty() { options } else { options.disable_editions() };
    Ok(options.with_strategy(table_strategy(encoded)))
}

/// What stands after the last segment of data.
fn footer_size(summary: &WriteSummary, size_bytes: u64) -> u64 {
    let ends = summary.footer().segment_map().iter().map(|segment| segment.offset + u64::from(segment.length));
    size_bytes.saturating_sub(ends.max().unwrap_or_default())
}

/// Lets Vortex write into an upload. The upload's error is kept whole beside the one that goes through Vortex.
struct UploadSink {
    upload: Upload,
    written: Arc<AtomicU64>,
    failed: Option<Error>,
}

impl VortexWrite for UploadSink {
    async fn write_all<B: IoBuf>(&mut self, buffer: B) -> io::Result<B> {
        match self.upload.write(buffer.as_slice().to_vec()).await {
            Ok(()) => {
                self.written.store(self.upload.size_bytes(), Ordering::Relaxed);
                Ok(buffer)
            }
            Err(error) => {
                self.failed = Some(error.clone());
                Err(io::Error::other(error))
            }
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    async fn shutdown(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What reads the files.
pub(super) fn file_source(schema: TableSchema, session: &dyn Session) -> Arc<dyn FileSource> {
    let metadata = session.runtime_env().cache_manager.get_file_metadata_cache();
    let source = VortexSource::new(schema, SESSION.clone()).with_file_metadata_cache(metadata);
    Arc::new(source.with_expression_converter(Arc::new(PositionConverter::new(SESSION.clone()))))
}

/// A source whose reads go through a cache and are counted.
pub(super) fn with_cache(source: &VortexSource, readers: CachedReaders) -> Arc<dyn FileSource> {
    Arc::new(source.clone().with_vortex_reader_factory(Arc::new(readers)))
}

/// Leaves out rows of a file.
pub(super) fn without_rows(file: PartitionedFile, deleted: &[u64]) -> Result<PartitionedFile> {
    let deleted = StrictSortedBuffer::try_new(Buffer::copy_from(deleted))
        .map_err(|e| Error::internal(format!("deleted positions are not in order: {e}")))?;
    Ok(file.with_extension(VortexAccessPlan::default().with_selection(Selection::ExcludeByIndex(deleted))))
}

fn write_error(error: &VortexError) -> Error {
    Error::new(ErrorKind::Data, "could not write Vortex").with_detail(error.to_string())
}
