//! Rows in temporary files, through DataFusion's spill manager: counted against the space for them, in the measures of
//! the statement, and removed with the last that reads them.

use super::memory::Env;
use arrow::compute::BatchCoalescer;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, SpillFile, async_try_stream};
use datafusion::physical_plan::SpillManager;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, TryStreamExt, stream};
use std::sync::Arc;

/// A file that is written.
pub(super) type File = Arc<dyn SpillFile>;

/// Appends a batch, or ends the file.
type Append = Box<dyn FnMut(Option<&RecordBatch>) -> Result<Option<File>> + Send>;

impl Env {
    /// Writes and reads rows of a schema.
    pub(super) fn manager(&self, schema: &SchemaRef) -> SpillManager {
        let config = self.task.session_config();
        SpillManager::new(self.task.runtime_env(), self.spill.clone(), Arc::clone(schema))
            .with_compression_type(config.spill_compression())
    }

    /// The rows of files, one file after the other, in the batches that they were written in: what they take in memory is
    /// what they are.
    pub(super) fn read(&self, schema: &SchemaRef, files: Vec<File>) -> SendableRecordBatchStream {
        let manager = self.manager(schema);
        let rows = stream::iter(files).map(move |file| manager.read_spill_as_stream(file, None)).try_flatten();
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(schema), rows))
    }

    /// The same in batches of the usual size, since they were written in small ones.
    pub(super) fn read_coalesced(&self, schema: &SchemaRef, files: Vec<File>) -> SendableRecordBatchStream {
        let (mut rows, batch_rows) = (self.read(schema, files), self.task.session_config().batch_size());
        let given = Arc::clone(schema);
        let rows = async_try_stream(move |mut emitter| async move {
            let mut coalescer = BatchCoalescer::new(given, batch_rows);
            while let Some(batch) = rows.try_next().await? {
                coalescer.push_batch(batch)?;
                while let Some(batch) = coalescer.next_completed_batch() {
                    emitter.emit(batch).await;
                }
            }
            coalescer.finish_buffered_batch()?;
            while let Some(batch) = coalescer.next_completed_batch() {
                emitter.emit(batch).await;
            }
            Ok(())
        });
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(schema), rows))
    }
}

/// A file that is made with its first rows.
pub(super) struct Writing {
    manager: SpillManager,
    append: Option<Append>,
    rows: u64,
}

impl Writing {
    pub(super) fn new(manager: SpillManager) -> Self {
        Self { manager, append: None, rows: 0 }
    }

    /// Appends rows.
    pub(super) fn append(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.rows += batch.num_rows() as u64;
        if let Some(append) = &mut self.append {
            return append(Some(batch)).map(|_| ());
        }
        let mut file = self.manager.create_in_progress_file("splitting a join")?;
        let mut append: Append = Box::new(move |batch| match batch {
            Some(batch) => file.append_batch(batch).map(|_| None),
            None => file.finish(),
        });
        append(Some(batch))?;
        self.append = Some(append);
        Ok(())
    }

    /// Ends the file, if there is one, and says how many rows it has.
    pub(super) fn finish(self) -> Result<(Option<File>, u64)> {
        let file = self.append.map_or(Ok(None), |mut append| append(None))?;
        Ok((file, self.rows))
    }
}
