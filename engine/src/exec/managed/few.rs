//! Where new rows go: a few into the catalog (DuckLake's data inlining), more into files.
//!
//! A file costs more than a row: to write, to sync, to open in each later query. So a statement's few rows are kept in
//! the catalog until a table has many of them there; then all of them move into a file. What goes into files is
//! arranged by the table's distribution and sort keys.

use crate::error::Result;
use crate::session::Context;
use crate::tables::{Head, WriteOptions, arrange, decode_inlined, effective_style, encode_inlined, write_arranged};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::stream;
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
    streams: Vec<SendableRecordBatchStream>,
) -> Result<u64> {
    let head = Head::read(streams, MOST_ROWS).await?;
    if head.is_all() && head.row_count() <= MOST_ROWS {
        let (rows, batches) = (head.row_count() as u64, head.batches().cloned().collect::<Vec<_>>());
        if inline(context, table, &batches).await? {
            flush(context, table).await?;
            return Ok(rows);
        }
    }
    write(context, table, head.into_streams()).await
}

/// Writes rows into files, arranged by the table's keys; how many there are.
async fn write(context: &Context, table: &Arc<ManagedTable>, streams: Vec<SendableRecordBatchStream>) -> Result<u64> {
    let warehouse = context.warehouse();
    let size_bytes = {
        let mut transaction = context.transaction().lock().await;
        transaction.draft(warehouse, table).await?.files.iter().map(|file| file.size_bytes).sum()
    };
    let style = effective_style(table, size_bytes).style;
    let arranged = arrange(table, &style, streams, &context.state().task_ctx()).await?;
    let storage = warehouse.storage_of(table).await?;
    let files = write_arranged(&storage, table, arranged, &WriteOptions::default()).await?;
    let rows = files.described().iter().map(|file| file.record_count).sum();
    context.transaction().lock().await.add_files(warehouse, table, files).await?;
    Ok(rows)
}

/// Puts rows into the catalog; not if they are large, or their columns or one of their values cannot be kept there.
async fn inline(context: &Context, table: &Arc<ManagedTable>, batches: &[RecordBatch]) -> Result<bool> {
    if !context.catalog().can_inline(table) {
        return Ok(false);
    }
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
    let mut batches = Vec::new();
    {
        let mut transaction = context.transaction().lock().await;
        let draft = transaction.draft(context.warehouse(), table).await?;
        if draft.inlined_count() <= MOST_ROWS_OF_TABLE {
            return Ok(());
        }
        for rows in draft.inlined() {
            batches.push(Ok(decode_inlined(table, &rows)?.rows));
        }
        draft.clear_inlined();
    }
    let schema = crate::tables::arrow_schema(&table.columns)?;
    let rows = Box::pin(RecordBatchStreamAdapter::new(schema, stream::iter(batches)));
    write(context, table, vec![rows]).await.map(drop)
}
