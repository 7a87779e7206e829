//! The rows that a statement changes: their positions by file.

use crate::error::{Error, Result};
use crate::session::Context;
use crate::tables::write_deletes;
use datafusion::arrow::array::BooleanArray;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::cast::as_int64_array;
use millrace_catalog::model::ManagedTable;
use roaring::RoaringTreemap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Stands for the rows that are in the catalog and in no file.
const INLINED: i64 = i64::MIN;

/// Positions of rows by the number of their file.
#[derive(Debug, Default)]
pub(super) struct Positions(BTreeMap<i64, RoaringTreemap>);

impl Positions {
    /// Adds the rows of a batch whose first two columns are file and position; for each row, whether it is new.
    pub(super) fn add(&mut self, batch: &RecordBatch) -> Result<BooleanArray> {
        let (files, positions) = (as_int64_array(batch.column(0))?, as_int64_array(batch.column(1))?);
        let mut current: Option<(i64, &mut RoaringTreemap)> = None;
        let mut new = Vec::with_capacity(batch.num_rows());
        for (file, position) in files.iter().zip(positions.values()) {
            let file = file.unwrap_or(INLINED);
            if current.as_ref().is_none_or(|(number, _)| *number != file) {
                current = Some((file, self.0.entry(file).or_default()));
            }
            let Some((_, rows)) = &mut current else { return Err(Error::internal("a file's positions were lost")) };
            new.push(rows.insert(position.cast_unsigned()));
        }
        Ok(BooleanArray::from(new))
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> u64 {
        self.0.values().map(RoaringTreemap::len).sum()
    }

    /// Deletes these rows of a table in the running transaction.
    pub(super) async fn delete(mut self, context: &Context, table: &Arc<ManagedTable>) -> Result<()> {
        let warehouse = context.warehouse();
        let storage = warehouse.storage_of(table).await?;
        let mut transaction = context.transaction().lock().await;
        if let Some(rows) = self.0.remove(&INLINED) {
            let draft = transaction.draft(warehouse, table).await?;
            rows.iter().for_each(|number| draft.delete_inlined(number.cast_signed()));
        }
        for (number, rows) in self.0 {
            let draft = transaction.draft(warehouse, table).await?;
            let Some(at) = draft.files.iter().position(|file| file.id == number) else {
                return Err(Error::internal(format!("file {number} of \"{}\" is not in its manifest", table.name)));
            };
            let file = draft.files[at].clone();
            let before = file.deletes.as_ref().map_or(0, |deletes| deletes.delete_count);
            if before + file.inlined_deletes.len() as u64 + rows.len() == file.record_count {
                Arc::make_mut(&mut draft.files).remove(at);
                continue;
            }
            let rows: Vec<u64> = rows.iter().collect();
            let deletes = write_deletes(&storage, table, &file, &rows).await?;
            Arc::make_mut(&mut draft.files)[at].deletes.clone_from(deletes.described());
            transaction.add_deletes(table, deletes)?;
        }
        Ok(())
    }
}
