//! Where new rows go: a few into the catalog (DuckLake's data inlining), more into files.
//!
//! A file costs more than a row: to write, to sync, to open in each later query. So a statement's few rows are kept in
//! the catalog until a table has many of them there; then all of them move into a file.

use crate::error::Result;
use crate::session::Context;
use crate::tables::{WriteOptions, decode_inlined, encode_inlined, write_files};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, TryStreamExt, stream};
use millrace_catalog::manifest::InlinedValue;
use millrace_catalog::model::ManagedTable;
use std::sync::Arc;

/// The most rows of a statement that go into the catalog.
const MOST_ROWS: usize = 100;

/// The most bytes of their texts and binaries.
const MOST_BYTES: usize = 64 << 10;

/// How many rows a table has in the catalog before they move into a file.
const MOST_ROWS_OF_TABLE: usize = 1_000;

/// Stores the rows of a statement in the running transaction; how many there are.
pub(super) async fn store(
    context: &Context,
    table: &Arc<ManagedTable>,
    mut streams: Vec<SendableRecordBatchStream>,
) -> Result<u64> {
    if streams.len() == 1
        && let Some(mut rows) = streams.pop()
    {
        let schema = rows.schema();
        let mut first: Vec<RecordBatch> = Vec::new();
        let few = loop {
            let count: usize = first.iter().map(RecordBatch::num_rows).sum();
            if count > MOST_ROWS {
                break false;
            }
            match rows.try_next().await? {
                Some(batch) => first.push(batch),
                None => break true,
            }
        };
        if few && inline(context, table, &first).await? {
            flush(context, table).await?;
            return Ok(first.iter().map(|batch| batch.num_rows() as u64).sum());
        }
        let all = stream::iter(first.into_iter().map(Ok)).chain(rows);
        streams.push(Box::pin(RecordBatchStreamAdapter::new(schema, all)));
    }
    let storage = context.warehouse().storage_of(table).await?;
    let files = write_files(&storage, table, streams, &WriteOptions::default()).await?;
    let rows = files.described().iter().map(|file| file.record_count).sum();
    context.transaction().lock().await.add_files(context.warehouse(), table, files).await?;
    Ok(rows)
}

/// Puts rows into the catalog; not if they are large, or one of their values cannot be kept there.
async fn inline(context: &Context, table: &Arc<ManagedTable>, batches: &[RecordBatch]) -> Result<bool> {
    let mut rows = Vec::new();
    for batch in batches {
        match encode_inlined(table, batch)? {
            Some(encoded) => rows.extend(encoded),
            None => return Ok(false),
        }
    }
    let bytes: usize = rows.iter().flatten().map(size).sum();
    if bytes > MOST_BYTES {
        return Ok(false);
    }
    let mut transaction = context.transaction().lock().await;
    for row in rows {
        let number = transaction.temporary_id();
        transaction.draft(context.warehouse(), table).await?.inline(number, row);
    }
    Ok(true)
}

fn size(value: &InlinedValue) -> usize {
    match value {
        InlinedValue::Text(text) => text.len(),
        InlinedValue::Blob(bytes) => bytes.len(),
        InlinedValue::Null | InlinedValue::Integer(_) => 0,
    }
}

/// Moves a table's rows from the catalog into a file when there are many.
async fn flush(context: &Context, table: &Arc<ManagedTable>) -> Result<()> {
    let mut transaction = context.transaction().lock().await;
    let draft = transaction.draft(context.warehouse(), table).await?;
    if draft.inlined_count() <= MOST_ROWS_OF_TABLE {
        return Ok(());
    }
    let mut batches = Vec::new();
    for rows in draft.inlined() {
        batches.push(Ok(decode_inlined(table, &rows)?.rows));
    }
    draft.clear_inlined();
    let schema = crate::tables::arrow_schema(&table.columns)?;
    let rows = Box::pin(RecordBatchStreamAdapter::new(schema, stream::iter(batches)));
    let storage = context.warehouse().storage_of(table).await?;
    let files = write_files(&storage, table, vec![rows], &WriteOptions::default()).await?;
    transaction.add_files(context.warehouse(), table, files).await
}
