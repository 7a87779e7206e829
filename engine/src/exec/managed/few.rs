//! Where new rows go: a few into the catalog (DuckLake's data inlining), more into files.
//!
//! A file costs more than a row: to write, to sync, to open in each later query. So a statement's few rows are kept in
//! the catalog until a table has many of them there; then all of them move into a file. What goes into files is
//! arranged by the table's distribution and sort keys.

use crate::error::Result;
use crate::session::{Context, is_temporary};
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
pub(crate) const MOST_ROWS_OF_TABLE: usize = 1_000;

/// Stores the rows of a statement in the running transaction; how many there are. When the statement has also deleted what
/// it deletes, [`flush`] follows.
pub(super) async fn store(
    context: &Context,
    table: &Arc<ManagedTable>,
    streams: Vec<SendableRecordBatchStream>,
) -> Result<u64> {
    let head = Head::read(streams, MOST_ROWS).await?;
    if head.is_all() && head.row_count() <= MOST_ROWS {
        let (rows, batches) = (head.row_count() as u64, head.batches().cloned().collect::<Vec<_>>());
        if inline(context, table, &batches).await? {
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

/// Moves a table's rows from the catalog into a file when there are many: the last that a statement does with them, since
/// from then on they are where no position that it found says. Of several statements that commit by themselves one does it,
/// and none of them is in the others' way. A block, which may yet delete some, moves only what it has added itself.
pub(super) async fn flush(context: &Context, table: &Arc<ManagedTable>) -> Result<()> {
    let rows = {
        let mut transaction = context.transaction().lock().await;
        let warehouse = context.warehouse();
        let is_shared = table.id > 0 && !is_temporary(table);
        if !is_shared || transaction.is_block() {
            transaction.draft(warehouse, table).await?.take_added_inlined(MOST_ROWS_OF_TABLE)
        } else if transaction.draft(warehouse, table).await?.inlined_count() > MOST_ROWS_OF_TABLE
            && transaction.begin_flush(warehouse, table).await?
        {
            Some(transaction.draft(warehouse, table).await?.move_inlined())
        } else {
            None
        }
    };
    let Some(rows) = rows else { return Ok(()) };
    let decoded = |rows| decode_inlined(table, rows).map(|decoded| decoded.rows);
    let batches = rows.iter().map(decoded).collect::<Result<Vec<_>>>()?;
    let schema = crate::tables::arrow_schema(&table.columns)?;
    let rows = Box::pin(RecordBatchStreamAdapter::new(schema, stream::iter(batches.into_iter().map(Ok))));
    write(context, table, vec![rows]).await.map(drop)
}
