//! For tests: files of the repository as tables of a DataFusion session, planned as the engine plans them.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileScanConfigBuilder, FileSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::{SessionConfig, SessionContext};
use object_store::ObjectMeta;

use crate::Error;
use crate::lake::evolve::expr_adapter_factory;

/// A file of `tests/data/formats`.
pub(crate) fn data_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/formats").join(name).canonicalize().unwrap()
}

/// What a listing of the store would say of a file.
pub(crate) fn object(path: &Path) -> ObjectMeta {
    ObjectMeta {
        location: object_store::path::Path::from_absolute_path(path).unwrap(),
        last_modified: chrono::DateTime::UNIX_EPOCH,
        size: path.metadata().unwrap().len(),
        e_tag: None,
        version: None,
    }
}

/// A table over some files.
#[derive(Clone)]
pub(crate) struct Files {
    schema: SchemaRef,
    /// Makes a new source for each query: a source keeps the metrics of its scans.
    source: Arc<dyn Fn() -> Arc<dyn FileSource> + Send + Sync>,
    parts: Vec<PartitionedFile>,
    pub by_index: bool,
}

impl Files {
    pub(crate) fn new(source: impl Fn() -> Arc<dyn FileSource> + Send + Sync + 'static, files: &[PathBuf]) -> Self {
        let schema = Arc::clone(source().table_schema().table_schema());
        Self { schema, source: Arc::new(source), parts: Vec::new(), by_index: false }.over(files)
    }

    /// The same table over other files.
    pub(crate) fn over(&self, files: &[PathBuf]) -> Self {
        let parts = files.iter().map(|path| PartitionedFile::new_from_meta(object(path))).collect();
        Self { parts, ..self.clone() }
    }

    /// The rows of a query over the table `t`, each as its values joined by `|`.
    pub(crate) async fn query(&self, sql: &str) -> std::result::Result<Vec<String>, Error> {
        self.run(sql, 1).await.map(|(rows, _)| rows).map_err(|error| our_error(&error))
    }

    /// The rows, and the plan after it ran.
    pub(crate) async fn run(&self, sql: &str, partitions: usize) -> Result<(Vec<String>, Arc<dyn ExecutionPlan>)> {
        let config = SessionConfig::new().with_target_partitions(partitions).with_repartition_file_min_size(1);
        let context = SessionContext::new_with_config(config);
        context.register_table("t", Arc::new(self.clone()))?;
        let plan = context.sql(sql).await?.create_physical_plan().await?;
        let batches = collect(Arc::clone(&plan), context.task_ctx()).await?;
        let options = FormatOptions::default().with_null("NULL");
        let mut rows = Vec::new();
        for batch in &batches {
            let columns: Vec<_> =
                batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
            rows.extend(
                (0..batch.num_rows()).map(|row| {
                    columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join("|")
                }),
            );
        }
        Ok((rows, plan))
    }
}

/// The error of ours inside one of DataFusion's.
pub(crate) fn our_error(error: &DataFusionError) -> Error {
    match error.find_root() {
        DataFusionError::External(inner) => inner.downcast_ref::<Error>().unwrap().clone(),
        other => Error::internal(format!("not ours: {other}")),
    }
}

/// The sum of a counter over the scans of a plan.
pub(crate) fn metric(plan: &Arc<dyn ExecutionPlan>, name: &str) -> usize {
    let own = plan.metrics().and_then(|metrics| metrics.sum_by_name(name)).map_or(0, |value| value.as_usize());
    own + plan.children().into_iter().map(|child| metric(child, name)).sum::<usize>()
}

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.parts)
    }
}

#[async_trait]
impl TableProvider for Files {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let store = ObjectStoreUrl::local_filesystem();
        let config = FileScanConfigBuilder::new(store, (self.source)())
            .with_file_group(self.parts.clone().into())
            .with_expr_adapter(Some(expr_adapter_factory(self.by_index)))
            .with_limit(limit)
            .with_projection_indices(projection.cloned())?
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}
