//! The system in memory with declared columns: values are cast, and conditions are decided only of columns whose type
//! stays.

use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use async_trait::async_trait;
use futures::StreamExt;
use millrace_connectors::{
    BatchStream, Checkpoint, Connector, ConnectorError, Declaration, Invalid, Measures, Predicate, Pushdown, Result,
    ScanRequest, Split,
};
use std::sync::Arc;

/// A table of other columns than its system tells.
#[derive(Debug)]
pub(crate) struct Retyped {
    pub(crate) system: Arc<dyn Connector>,
    pub(crate) declared: Declaration,
}

impl Retyped {
    fn field(&self, name: &str) -> Field {
        self.declared.columns.iter().find(|field| field.name() == name).unwrap().as_ref().clone()
    }
}

#[async_trait]
impl Connector for Retyped {
    async fn tables(&self) -> Result<Vec<String>> {
        self.system.tables().await
    }

    async fn schema(&self, table: &str) -> Result<SchemaRef> {
        self.system.schema(table).await?;
        Ok(Arc::new(Schema::new(self.declared.columns.clone())))
    }

    fn pushdown(&self, table: &str, predicates: &[Predicate]) -> Vec<Pushdown> {
        let is_kept = |predicate: &Predicate| matches!(predicate, Predicate::Compare { column, .. } if column == "id");
        let decided = self.system.pushdown(table, predicates);
        decided.into_iter().zip(predicates).map(|(d, p)| if is_kept(p) { d } else { Pushdown::Unsupported }).collect()
    }

    fn describe(&self, request: &ScanRequest) -> String {
        self.system.describe(request)
    }

    async fn splits(&self, request: &ScanRequest, parallelism: usize) -> Result<Vec<Split>> {
        self.system.splits(request, parallelism).await
    }

    async fn scan(&self, request: &ScanRequest, split: &Split, measures: &Arc<Measures>) -> Result<BatchStream> {
        let fields: Vec<Field> = request.columns.iter().map(|name| self.field(name)).collect();
        let safe = self.declared.invalid == Invalid::Null;
        let cast = move |batch: RecordBatch| {
            let options = CastOptions { safe, ..CastOptions::default() };
            let columns = batch.columns().iter().zip(&fields).map(|(column, field)| {
                let cast = cast_with_options(column, field.data_type(), &options);
                cast.map_err(|error| ConnectorError::BadData(format!("\"{}\": {error}", field.name())))
            });
            let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            let columns = columns.collect::<Result<Vec<_>>>()?;
            Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields.clone())), columns, &rows).unwrap())
        };
        let batches = self.system.scan(request, split, measures).await?;
        Ok(batches.map(move |batch| cast(batch?)).boxed())
    }

    async fn checkpoint(&self, _request: &ScanRequest, _split: &Split) -> Result<Option<Checkpoint>> {
        Ok(None)
    }
}
