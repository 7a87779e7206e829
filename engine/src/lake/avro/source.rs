//! The `FileSource` of Avro: what DataFusion's planner asks of a format, answered.

use std::sync::Arc;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::physical_plan::{FileOpener, FileScanConfig, FileSource};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_plan::apply_expression_roots;
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder};
use object_store::ObjectStore;

use super::opener::AvroOpener;
use crate::lake::evolve::expr_adapter_factory;

/// A source of Avro files: only the columns asked for, blocks fetched as they are needed, files split between threads
/// at the markers between blocks. Columns are paired with the table's by the scan's expression adapter, by name if it
/// has none. Avro has no statistics, so nothing is pruned.
pub fn avro_source(table_schema: TableSchema) -> Arc<dyn FileSource> {
    let schema = table_schema.table_schema();
    let all: Vec<_> = (0..schema.fields().len()).collect();
    Arc::new(AvroSource {
        projection: ProjectionExprs::from_indices(&all, schema),
        table_schema,
        batch_size: None,
        metrics: ExecutionPlanMetricsSet::new(),
    })
}

#[derive(Clone)]
struct AvroSource {
    table_schema: TableSchema,
    projection: ProjectionExprs,
    batch_size: Option<usize>,
    metrics: ExecutionPlanMetricsSet,
}

impl FileSource for AvroSource {
    fn create_file_opener(
        &self,
        object_store: Arc<dyn ObjectStore>,
        base_config: &FileScanConfig,
        partition: usize,
    ) -> Result<Arc<dyn FileOpener>> {
        let batch_size =
            self.batch_size.ok_or_else(|| DataFusionError::Internal("an Avro scan needs a batch size".into()))?;
        Ok(Arc::new(AvroOpener {
            store: object_store,
            store_url: base_config.object_store_url.clone(),
            table_schema: self.table_schema.clone(),
            projection: self.projection.clone(),
            batch_size,
            adapters: base_config.expr_adapter_factory.clone().unwrap_or_else(|| expr_adapter_factory(false)),
            bytes_scanned: MetricBuilder::new(&self.metrics).counter("bytes_scanned", partition),
        }))
    }

    fn table_schema(&self) -> &TableSchema {
        &self.table_schema
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn FileSource> {
        Arc::new(Self { batch_size: Some(batch_size), ..self.clone() })
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        Some(&self.projection)
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        &self.metrics
    }

    fn file_type(&self) -> &'static str {
        "avro"
    }

    fn try_pushdown_projection(&self, projection: &ProjectionExprs) -> Result<Option<Arc<dyn FileSource>>> {
        let projection = self.projection.try_merge(projection)?;
        Ok(Some(Arc::new(Self { projection, ..self.clone() })))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        apply_expression_roots(self.projection.iter().map(|projected| &projected.expr), f)
    }
}
