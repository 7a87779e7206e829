//! The last step before rows are written: IDENTITY values, then the checks.

use super::checks::Checks;
use crate::error::Result;
use crate::session::Context;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type, SchemaRef};
use datafusion::arrow::record_batch::RecordBatch;
use millrace_catalog::model::{Identity, ManagedTable};
use std::sync::Arc;

/// Numbers the rows of a table.
pub(super) struct Numbering {
    context: Context,
    table: Arc<ManagedTable>,
    checks: Checks,
}

impl Numbering {
    pub(super) fn of(context: &Context, table: &Arc<ManagedTable>) -> Result<Self> {
        Ok(Self { context: context.clone(), table: Arc::clone(table), checks: Checks::of(table)? })
    }

    /// The schema of finished batches.
    pub(super) fn schema(&self) -> &SchemaRef {
        self.checks.schema()
    }

    /// A batch as it is stored.
    pub(super) async fn finish(&self, batch: RecordBatch) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        let mut columns = batch.columns().to_vec();
        for (array, column) in columns.iter_mut().zip(&self.table.columns) {
            if let Some(identity) = column.identity
                && array.null_count() > 0
            {
                let mut transaction = self.context.transaction().lock().await;
                let warehouse = self.context.warehouse();
                let missing = array.null_count();
                let first = transaction.next_identity(warehouse, (&self.table, column), identity, missing).await?;
                *array = numbered(array, first, identity)?;
            }
        }
        self.checks.check(columns, rows)
    }
}

/// An array with numbers in the place of NULLs.
fn numbered(array: &ArrayRef, first: i64, identity: Identity) -> Result<ArrayRef> {
    let wide = cast(array, &DataType::Int64)?;
    let mut next = first;
    let values = wide.as_primitive::<Int64Type>().iter().map(|value| {
        value.unwrap_or_else(|| {
            let number = next;
            next = next.saturating_add(identity.step);
            number
        })
    });
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(values));
    Ok(cast(&numbers, array.data_type())?)
}
