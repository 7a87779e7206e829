//! Scans of golden files in memory, for the tests of the formats.
#![allow(clippy::unwrap_used)]

use super::{RecordFormat, RecordSource};
use crate::error::Error;
use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::SessionContext;
use datafusion::scalar::ScalarValue;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use std::sync::Arc;

/// A scan of one file, or of ranges of it.
pub(crate) struct Scan<F> {
    pub(crate) schema: TableSchema,
    pub(crate) format: F,
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) ranges: Vec<(i64, i64)>,
    pub(crate) projection: Option<Vec<usize>>,
    pub(crate) partition_values: Vec<ScalarValue>,
}

/// A schema from names and types.
pub(crate) fn schema(columns: &[(&str, DataType)]) -> TableSchema {
    let fields: Vec<_> = columns.iter().map(|(name, kind)| Field::new(*name, kind.clone(), true)).collect();
    TableSchema::from(Arc::new(Schema::new(fields)))
}

impl<F: RecordFormat> Scan<F> {
    /// A scan of all of a file.
    pub(crate) fn new(format: F, schema: TableSchema, name: &'static str, bytes: &[u8]) -> Self {
        let bytes = bytes.to_vec();
        Self { schema, format, name, bytes, ranges: Vec::new(), projection: None, partition_values: Vec::new() }
    }

    async fn plan(&self, context: &SessionContext) -> Result<Arc<DataSourceExec>> {
        let store = InMemory::new();
        store.put(&Path::from(self.name), self.bytes.clone().into()).await?;
        let store: Arc<dyn ObjectStore> = Arc::new(store);
        let url = ObjectStoreUrl::parse("s3://bucket")?;
        context.register_object_store(url.as_ref(), store);
        let whole = PartitionedFile::new(self.name, self.bytes.len() as u64)
            .with_partition_values(self.partition_values.clone());
        let files = match self.ranges.as_slice() {
            [] => vec![whole],
            ranges => ranges.iter().map(|(start, end)| whole.clone().with_range(*start, *end)).collect(),
        };
        let source = RecordSource::new(self.schema.clone(), self.format.clone());
        let config = FileScanConfigBuilder::new(url, Arc::new(source))
            .with_file_group(FileGroup::new(files))
            .with_projection_indices(self.projection.clone())?
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }

    /// The batches.
    pub(crate) async fn batches(&self) -> Result<Vec<RecordBatch>> {
        let context = SessionContext::new();
        let plan = self.plan(&context).await?;
        collect(plan, context.task_ctx()).await
    }

    /// The rows as text, columns divided by ` | `.
    pub(crate) async fn rows(&self) -> Result<Vec<String>> {
        Ok(self.batches().await?.iter().flat_map(texts).collect())
    }

    async fn metrics(&self) -> MetricsSet {
        let context = SessionContext::new();
        let plan = self.plan(&context).await.unwrap();
        collect(Arc::clone(&plan) as Arc<dyn ExecutionPlan>, context.task_ctx()).await.unwrap();
        plan.metrics().unwrap()
    }

    /// What a counter says after the scan.
    pub(crate) async fn metric(&self, name: &str) -> usize {
        self.metrics().await.sum_by_name(name).map_or(0, |value| value.as_usize())
    }

    /// How many rows the scan says it gave.
    pub(crate) async fn output_rows(&self) -> usize {
        self.metrics().await.output_rows().unwrap_or(0)
    }

    /// The engine's error of the scan.
    pub(crate) async fn error(&self) -> Error {
        match self.batches().await.unwrap_err() {
            DataFusionError::External(error) => *error.downcast::<Error>().unwrap(),
            other => panic!("{other:?}"),
        }
    }
}

fn texts(batch: &RecordBatch) -> Vec<String> {
    let options = FormatOptions::default().with_null("NULL");
    let columns: Vec<_> = batch.columns().iter().map(|c| ArrayFormatter::try_new(c, &options).unwrap()).collect();
    let row = |row| columns.iter().map(|c| c.value(row).to_string()).collect::<Vec<_>>().join(" | ");
    (0..batch.num_rows()).map(row).collect()
}
