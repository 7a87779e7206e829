//! Rows in memory, those that the manifest holds itself for example, as a file of a scan, so that a table's rows are one
//! scan whatever holds them: filtered, cut into slices and put in order like those of files.

use arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::error::Result;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_plan::filter::batch_filter;
use datafusion_datasource::morsel::{Morsel, MorselPlan, MorselPlanner, Morselizer};
use futures::StreamExt;
use futures::stream::BoxStream;
use std::sync::Arc;

/// What such a file is called in plans.
const NAME: &str = "rows in the catalog";

/// The rows of a file that is none: an extension of it. All columns of the scan's table schema.
#[derive(Debug, Clone)]
pub(super) struct InMemory(pub(super) RecordBatch);

/// A file of these rows. Its size is one byte, so that no cut of it by bytes has two parts.
pub(super) fn memory_file(rows: RecordBatch) -> PartitionedFile {
    PartitionedFile::new(NAME, 1).with_extension(InMemory(rows))
}

/// Reads rows in memory by itself and leaves files to a format's reader.
#[derive(Debug)]
pub(super) struct MemoryMorselizer {
    pub(super) inner: Box<dyn Morselizer>,
    pub(super) filter: Option<Arc<dyn PhysicalExpr>>,
    pub(super) projection: Option<ProjectionExprs>,
    pub(super) schema: SchemaRef,
}

impl Morselizer for MemoryMorselizer {
    fn plan_file(&self, file: PartitionedFile) -> Result<Box<dyn MorselPlanner>> {
        let Some(InMemory(rows)) = file.extension::<InMemory>() else { return self.inner.plan_file(file) };
        let mut rows = rows.clone();
        if let Some(filter) = &self.filter {
            let found = batch_filter(&rows, filter)?;
            rows = if found.num_rows() < rows.num_rows() { alone(&found)? } else { found };
        }
        if let Some(projection) = &self.projection {
            rows = projection.make_projector(&self.schema)?.project_batch(&rows)?;
        }
        Ok(Box::new(MemoryRows(rows)))
    }
}

/// Rows without what lies beside their texts, which would stay in memory as long as they do.
pub(super) fn alone(rows: &RecordBatch) -> Result<RecordBatch> {
    let column = |column: &ArrayRef| -> ArrayRef {
        match column.data_type() {
            DataType::Utf8View => Arc::new(column.as_string_view().gc()),
            DataType::BinaryView => Arc::new(column.as_binary_view().gc()),
            _ => Arc::clone(column),
        }
    };
    let columns = rows.columns().iter().map(column).collect();
    let count = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    Ok(RecordBatch::try_new_with_options(rows.schema(), columns, &count)?)
}

#[derive(Debug)]
struct MemoryRows(RecordBatch);

impl MorselPlanner for MemoryRows {
    fn plan(self: Box<Self>) -> Result<Option<MorselPlan>> {
        Ok(Some(MorselPlan::new().with_morsels(vec![self])))
    }
}

impl Morsel for MemoryRows {
    fn into_stream(self: Box<Self>) -> BoxStream<'static, Result<RecordBatch>> {
        let rows = (self.0.num_rows() > 0).then_some(Ok(self.0));
        futures::stream::iter(rows).boxed()
    }
}
