//! The rows of one stream on their way into files: checked, counted, cut where a file is full.

use super::statistics::Collector;
use super::types;
use super::write::WriteOptions;
use crate::error::{Error, ErrorKind, Result};
use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;
use millrace_catalog::model::ManagedColumn;

/// Rows of a stream, given to one file after the other.
pub(super) struct Rows {
    stream: SendableRecordBatchStream,
    /// Nullable columns, as they are in every file: NOT NULL may be dropped later, and is enforced before.
    schema: SchemaRef,
    target_file_bytes: u64,
    row_limit: u64,
    /// Rows that were read and belong to the next file or are the first of it.
    held: Option<RecordBatch>,
    collector: Collector,
    /// Rows of the present file.
    given: u64,
}

impl Rows {
    /// Fails if the stream does not give exactly the table's columns.
    pub(super) fn new(
        stream: SendableRecordBatchStream,
        columns: &[ManagedColumn],
        options: &WriteOptions,
    ) -> Result<Self> {
        let schema = types::arrow_schema(columns)?;
        check_schema(&stream.schema(), &schema)?;
        let nullable: Vec<_> = schema.fields().iter().map(|f| f.as_ref().clone().with_nullable(true)).collect();
        Ok(Self {
            stream,
            schema: Schema::new(nullable).into(),
            target_file_bytes: options.target_file_bytes.max(1),
            row_limit: options.max_file_rows.max(1),
            held: None,
            collector: Collector::new(columns)?,
            given: 0,
        })
    }

    /// Whether there are rows for one more file.
    pub(super) async fn has_more(&mut self) -> Result<bool> {
        while self.held.as_ref().is_none_or(|batch| batch.num_rows() == 0) {
            match self.stream.next().await {
                None => return Ok(false),
                Some(batch) => self.held = Some(batch?),
            }
        }
        Ok(true)
    }

    /// The next rows of the present file, which has `file_bytes` so far; `None` when it is full or all rows are given.
    pub(super) async fn next(&mut self, file_bytes: u64) -> Result<Option<RecordBatch>> {
        let room = self.row_limit.saturating_sub(self.given);
        if room == 0 || (file_bytes >= self.target_file_bytes && self.given > 0) || !self.has_more().await? {
            return Ok(None);
        }
        let Some(mut batch) = self.held.take() else { return Ok(None) };
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        if batch.num_rows() > room {
            self.held = Some(batch.slice(room, batch.num_rows() - room));
            batch = batch.slice(0, room);
        }
        let batch = RecordBatch::try_new(SchemaRef::clone(&self.schema), batch.columns().to_vec())
            .map_err(|e| Error::internal(e.to_string()))?;
        self.collector.update(&batch)?;
        self.given += batch.num_rows() as u64;
        Ok(Some(batch))
    }

    /// Ends the present file: how many rows it has, and their statistics. The next one has these columns too.
    pub(super) fn end_file(&mut self, columns: &[ManagedColumn]) -> Result<(u64, Collector)> {
        let collector = std::mem::replace(&mut self.collector, Collector::new(columns)?);
        Ok((std::mem::take(&mut self.given), collector))
    }
}

fn check_schema(given: &Schema, wanted: &Schema) -> Result<()> {
    if given.fields().len() != wanted.fields().len() {
        let (given, wanted) = (given.fields().len(), wanted.fields().len());
        return Err(Error::internal(format!("the rows to write have {given} columns, not {wanted}")));
    }
    for (given, wanted) in given.fields().iter().zip(wanted.fields()) {
        if given.data_type() != wanted.data_type() {
            let (name, given, wanted) = (wanted.name(), given.data_type(), wanted.data_type());
            let message = format!("column \"{name}\" is of type {wanted} but the expression is of type {given}");
            return Err(Error::new(ErrorKind::DatatypeMismatch, message));
        }
    }
    Ok(())
}
