//! The `FileSource` of ORC: what DataFusion's planner asks of a format, answered.

use std::fmt::{self, Formatter};
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::physical_plan::{FileOpener, FileScanConfig, FileSource};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::{PhysicalExpr, conjunction};
use datafusion::physical_plan::filter_pushdown::{FilterPushdownPropagation, PushedDown};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::{DisplayFormatType, apply_expression_roots};
use object_store::ObjectStore;

use super::opener::{OrcMetrics, OrcOpener};
use super::tail::TailCache;
use crate::lake::evolve::expr_adapter_factory;

/// Reads ORC files: only the columns asked for, only the stripes and groups of rows that a filter may leave.
///
/// Files are split between threads by byte ranges; a stripe belongs to the range that holds its first byte. Columns
/// are paired with the table's by the scan's expression adapter, by name if it has none.
#[derive(Clone)]
pub struct OrcSource {
    table_schema: TableSchema,
    projection: ProjectionExprs,
    /// For pruning only; the same filters run above the scan.
    predicate: Option<Arc<dyn PhysicalExpr>>,
    batch_size: Option<usize>,
    metrics: ExecutionPlanMetricsSet,
    tails: Arc<TailCache>,
}

impl OrcSource {
    /// A source of all columns of the table.
    pub fn new(table_schema: TableSchema) -> Self {
        let schema = table_schema.table_schema();
        let all: Vec<_> = (0..schema.fields().len()).collect();
        Self {
            projection: ProjectionExprs::from_indices(&all, schema),
            table_schema,
            predicate: None,
            batch_size: None,
            metrics: ExecutionPlanMetricsSet::new(),
            tails: Arc::default(),
        }
    }
}

impl FileSource for OrcSource {
    fn create_file_opener(
        &self,
        object_store: Arc<dyn ObjectStore>,
        base_config: &FileScanConfig,
        partition: usize,
    ) -> Result<Arc<dyn FileOpener>> {
        let batch_size =
            self.batch_size.ok_or_else(|| DataFusionError::Internal("an ORC scan needs a batch size".into()))?;
        Ok(Arc::new(OrcOpener {
            store: object_store,
            store_url: base_config.object_store_url.clone(),
            table_schema: self.table_schema.clone(),
            projection: self.projection.clone(),
            predicate: self.predicate.clone(),
            batch_size,
            adapters: base_config.expr_adapter_factory.clone().unwrap_or_else(|| expr_adapter_factory(false)),
            tails: Arc::clone(&self.tails),
            metrics: OrcMetrics::new(&self.metrics, partition),
        }))
    }

    fn table_schema(&self) -> &TableSchema {
        &self.table_schema
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn FileSource> {
        Arc::new(Self { batch_size: Some(batch_size), ..self.clone() })
    }

    fn filter(&self) -> Option<Arc<dyn PhysicalExpr>> {
        self.predicate.clone()
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        Some(&self.projection)
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        &self.metrics
    }

    fn file_type(&self) -> &'static str {
        "orc"
    }

    fn fmt_extra(&self, t: DisplayFormatType, f: &mut Formatter) -> fmt::Result {
        match (&self.predicate, t) {
            (None, _) => Ok(()),
            (Some(predicate), DisplayFormatType::TreeRender) => writeln!(f, "predicate={predicate}"),
            (Some(predicate), _) => write!(f, ", predicate={predicate}"),
        }
    }

    fn try_pushdown_filters(
        &self,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        _config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn FileSource>>> {
        let answer = FilterPushdownPropagation::with_parent_pushdown_result(vec![PushedDown::No; filters.len()]);
        if filters.is_empty() {
            return Ok(answer);
        }
        let predicate = conjunction(self.predicate.iter().cloned().chain(filters));
        Ok(answer.with_updated_node(Arc::new(Self { predicate: Some(predicate), ..self.clone() })))
    }

    fn try_pushdown_projection(&self, projection: &ProjectionExprs) -> Result<Option<Arc<dyn FileSource>>> {
        let projection = self.projection.try_merge(projection)?;
        Ok(Some(Arc::new(Self { projection, ..self.clone() })))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        let projected = self.projection.iter().map(|projected| &projected.expr);
        apply_expression_roots(self.predicate.iter().chain(projected), f)
    }
}
