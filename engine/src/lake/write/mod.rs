//! Writing the files of external tables: all of a write becomes visible, or nothing does.
//!
//! A write has two steps. [`write()`] runs the streams to their end and uploads what they give, out of sight.
//! [`WrittenFiles::commit`] then makes every file visible. Until that has returned, an error, a dropped future or a
//! dropped [`WrittenFiles`] removes whatever was written; and a process that dies leaves nothing that a query would
//! see, with nothing to tidy up at the next start:
//!
//! - on an object store an object appears when its multipart upload is completed, not before (the parts of a dead
//!   process's uploads stay until the bucket's lifecycle rule removes them);
//! - on the local disk a file is staged as `<name>#1` and renamed; `object_store`'s listing leaves out names that end
//!   in `#` and digits, and refuses to open them.
//!
//! A commit of several files is not one atomic step: a process killed in the middle of it leaves some files visible,
//! as Hive's and Athena's writers do. Durability is that of the store; files on the local disk are not synced.
//!
//! Memory is bounded whatever the rows are: [`router`] bounds open files and what they hold, [`upload`] bounds parts
//! under way and small files held. Writing ORC and Avro is refused by name.

mod bucket;
mod columns;
pub(crate) mod commit;
mod compress;
mod encoder;
mod error;
mod format;
mod json;
mod local;
mod open_csv;
mod partition_path;
mod pieces;
mod router;
mod scalar_text;
mod target;
mod text;
mod unload;
pub(crate) mod upload;

#[cfg(test)]
mod tests;

pub use commit::{Written, WrittenFile, WrittenFiles};
pub use compress::Compression;
pub use format::WriteFormat;
pub use json::JsonFormat;
pub(crate) use json::{documents, documents_of_json};
pub use open_csv::OpenCsvFormat;
pub use partition_path::{escape_partition_value, parse_partition_path, partition_path, unescape_partition_value};
pub use target::{Bucketing, DEFAULT_MAX_FILE_SIZE_BYTES, SliceNames, WriteTarget};
pub use text::TextFormat;
pub use unload::{UnloadLayout, UnloadText};

use crate::error::{Error, ErrorKind, Result};
use crate::lake::types;
use arrow::datatypes::{DataType, Schema};
use datafusion::execution::SendableRecordBatchStream;
use encoder::Encoder;
use futures::StreamExt;
use router::Router;
use std::sync::Arc;
use tokio::task::JoinSet;
use upload::{Destination, check_max_file_size};

/// Writes all rows of the streams, each stream by a task of its own, and leaves the files ready to be committed.
///
/// The streams give the target's data columns and then its partition columns, already cast to the table's types; a
/// stream without rows makes no file. The first error ends all tasks and is returned. Must run within a Tokio runtime.
pub async fn write(target: WriteTarget, streams: Vec<SendableRecordBatchStream>) -> Result<WrittenFiles> {
    check(&target, &streams)?;
    let is_local = target.url.as_str().starts_with("file:");
    let destination = Destination::new(Arc::clone(&target.store), is_local, target.cleanup.clone());
    let destination = Arc::new(destination.over(&target.existing));
    let target = Arc::new(target);
    let count = streams.len();
    let mut tasks = JoinSet::new();
    for (index, stream) in streams.into_iter().enumerate() {
        let router = Router::new(Arc::clone(&target), Arc::clone(&destination), index, count)?;
        // Whoever closes the warehouse waits for what a cancelled write still removes.
        tasks.spawn(destination.cleanup.track_future(write_stream(router, stream)));
    }
    let mut files = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        let written = ended.unwrap_or_else(|e| Err(Error::internal(format!("a writing task ended abnormally: {e}"))));
        match written {
            Ok(staged) => files.extend(staged),
            Err(error) => {
                // Their files are removed as the tasks end, so wait until they have.
                tasks.shutdown().await;
                return Err(error);
            }
        }
    }
    Ok(WrittenFiles { destination, files })
}

async fn write_stream(mut router: Router, mut stream: SendableRecordBatchStream) -> Result<Vec<commit::StagedFile>> {
    while let Some(batch) = stream.next().await {
        router.write(&batch?).await?;
        // Neither rows that are computed nor files of this machine ever wait: timers and cancellation get their turn.
        tokio::task::yield_now().await;
    }
    router.finish().await
}

/// Refuses what cannot be written before any row is computed.
fn check(target: &WriteTarget, streams: &[SendableRecordBatchStream]) -> Result<()> {
    check_max_file_size(target.max_file_size_bytes)?;
    Encoder::new(&target.format, target.compression, &target.data_schema, target.row_group_bytes)?;
    if target.data_schema.fields().is_empty() {
        return Err(Error::new(
            ErrorKind::InvalidTableDefinition,
            "a table needs at least one column that is no partition column",
        ));
    }
    if let Some(bucketing) = &target.bucketing {
        let columns: Vec<_> = bucketing.columns.iter().map(|&at| target.data_schema.fields().get(at)).collect();
        let Some(columns) = columns.into_iter().collect::<Option<Vec<_>>>() else {
            return Err(Error::internal("a bucket column is not among the data columns"));
        };
        let empty: Vec<_> = columns.iter().map(|field| arrow::array::new_empty_array(field.data_type())).collect();
        bucket::buckets(&empty, 0, bucketing.count)?;
    }
    let partition_types = target.partition_columns.iter().map(|column| types::to_arrow(&column.data_type));
    let data_types = target.data_schema.fields().iter().map(|field| field.data_type().clone());
    let expected: Vec<DataType> = data_types.chain(partition_types).collect();
    streams.iter().try_for_each(|stream| check_schema(&stream.schema(), &expected))
}

fn check_schema(schema: &Schema, expected: &[DataType]) -> Result<()> {
    if schema.fields().len() != expected.len() {
        let (given, wanted) = (schema.fields().len(), expected.len());
        return Err(Error::internal(format!("the rows to write have {given} columns, not {wanted}")));
    }
    for (field, expected) in schema.fields().iter().zip(expected) {
        if !field.data_type().equals_datatype(expected) {
            let (name, given) = (field.name(), field.data_type());
            return Err(Error::new(
                ErrorKind::DatatypeMismatch,
                format!("column \"{name}\" is of type {expected} but the expression is of type {given}"),
            ));
        }
    }
    Ok(())
}
