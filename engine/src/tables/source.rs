//! A format's file source whose errors name the file and the table.
//!
//! The readers are other people's code: their errors rarely say which file it was, and damaged bytes may make them
//! panic. Whatever a file does, one statement ends with an error that names it, and other tables are read as before.

use super::format;
use crate::error::{Error, ErrorKind};
use crate::lake::damage::{external, file_url};
use arrow::array::RecordBatch;
use datafusion::common::DataFusionError;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileOpener, FileScanConfig, FileSource};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::Result;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::{EquivalenceProperties, LexOrdering, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::filter_pushdown::{FilterPushdownPropagation, PushedDown};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::{DisplayFormatType, SortOrderPushdownResult};
use datafusion_datasource::morsel::{Morsel, MorselPlan, MorselPlanner, Morselizer};
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use millrace_catalog::model::FileFormat;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use std::any::Any;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

/// A format's source for one table.
#[derive(Clone)]
pub(super) struct ManagedSource {
    inner: Arc<dyn FileSource>,
    format: FileFormat,
    /// `schema.table`.
    table: Arc<str>,
    url: ObjectStoreUrl,
}

impl ManagedSource {
    pub(super) fn new(inner: Arc<dyn FileSource>, format: FileFormat, table: Arc<str>, url: ObjectStoreUrl) -> Self {
        Self { inner, format, table, url }
    }

    fn around(&self, inner: Arc<dyn FileSource>) -> Arc<dyn FileSource> {
        Arc::new(Self { inner, format: self.format, table: Arc::clone(&self.table), url: self.url.clone() })
    }

    /// Whether a filter is to stay above the scan: one on a column that readers make up; and beside such columns one
    /// that a reader would compute after the scan proper, when positions are no longer known.
    fn stays_above(&self, filter: &Arc<dyn PhysicalExpr>) -> Result<bool> {
        let schema = self.inner.table_schema();
        let made_up = schema.virtual_columns();
        if made_up.is_empty() {
            return Ok(false);
        }
        filter.exists(|node| {
            let Some(name) = node.downcast_ref::<Column>().map(Column::name) else { return Ok(false) };
            let stored = schema.file_schema().column_with_name(name);
            Ok(made_up.iter().any(|field| field.name() == name)
                || stored.is_some_and(|(_, field)| format::stores_otherwise(self.format, field.data_type())))
        })
    }
}

impl FileSource for ManagedSource {
    fn create_file_opener(
        &self,
        store: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> Result<Arc<dyn FileOpener>> {
        self.inner.create_file_opener(store, config, partition)
    }

    fn create_morselizer(
        &self,
        store: Arc<dyn ObjectStore>,
        config: &FileScanConfig,
        partition: usize,
    ) -> Result<Box<dyn Morselizer>> {
        let inner = self.inner.create_morselizer(Arc::clone(&store), config, partition)?;
        Ok(Box::new(NamedMorselizer { inner, table: Arc::clone(&self.table), url: self.url.clone(), store }))
    }

    fn table_schema(&self) -> &TableSchema {
        self.inner.table_schema()
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn FileSource> {
        self.around(self.inner.with_batch_size(batch_size))
    }

    fn filter(&self) -> Option<Arc<dyn PhysicalExpr>> {
        self.inner.filter()
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        self.inner.projection()
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        self.inner.metrics()
    }

    fn file_type(&self) -> &str {
        self.inner.file_type()
    }

    fn fmt_extra(&self, kind: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt_extra(kind, f)
    }

    fn supports_repartitioning(&self) -> bool {
        self.inner.supports_repartitioning()
    }

    fn repartitioned(
        &self,
        target_partitions: usize,
        min_size: usize,
        ordering: Option<LexOrdering>,
        config: &FileScanConfig,
    ) -> Result<Option<FileScanConfig>> {
        self.inner.repartitioned(target_partitions, min_size, ordering, config)
    }

    fn try_pushdown_filters(
        &self,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn FileSource>>> {
        let above = filters.iter().map(|filter| self.stays_above(filter)).collect::<Result<Vec<_>>>()?;
        let real = filters.into_iter().zip(&above).filter(|(_, above)| !**above).map(|(filter, _)| filter);
        let pushed = self.inner.try_pushdown_filters(real.collect(), config)?;
        let mut answers = pushed.filters.into_iter();
        let answers = above.iter().map(|above| match above {
            true => PushedDown::No,
            false => answers.next().unwrap_or(PushedDown::No),
        });
        let answers = FilterPushdownPropagation::with_parent_pushdown_result(answers.collect());
        Ok(match pushed.updated_node {
            Some(inner) => answers.with_updated_node(self.around(inner)),
            None => answers,
        })
    }

    fn try_pushdown_sort(
        &self,
        order: &[PhysicalSortExpr],
        properties: &EquivalenceProperties,
    ) -> Result<SortOrderPushdownResult<Arc<dyn FileSource>>> {
        Ok(match self.inner.try_pushdown_sort(order, properties)? {
            SortOrderPushdownResult::Exact { inner } => SortOrderPushdownResult::Exact { inner: self.around(inner) },
            SortOrderPushdownResult::Inexact { inner } => {
                SortOrderPushdownResult::Inexact { inner: self.around(inner) }
            }
            SortOrderPushdownResult::Unsupported => SortOrderPushdownResult::Unsupported,
        })
    }

    fn reorder_files(&self, files: Vec<PartitionedFile>) -> Vec<PartitionedFile> {
        self.inner.reorder_files(files)
    }

    fn try_pushdown_projection(&self, projection: &ProjectionExprs) -> Result<Option<Arc<dyn FileSource>>> {
        Ok(self.inner.try_pushdown_projection(projection)?.map(|inner| self.around(inner)))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.inner.apply_expressions(f)
    }
}

/// What an error has to name, and where to look what became of the file.
#[derive(Debug, Clone)]
struct Named {
    table: Arc<str>,
    url: Arc<str>,
    object: Arc<ObjectMeta>,
    store: Arc<dyn ObjectStore>,
}

impl Named {
    async fn error(self, error: DataFusionError) -> DataFusionError {
        let Some(reason) = reading_failed(&error) else { return error };
        let of = format!("data file \"{}\" of table \"{}\"", self.url, self.table);
        let damaged = |detail: String| Error::new(ErrorKind::BadFile, format!("{of} is damaged")).with_detail(detail);
        external(match self.store.head(&self.object.location).await {
            Err(object_store::Error::NotFound { .. }) => {
                Error::new(ErrorKind::UndefinedFile, format!("{of} does not exist"))
            }
            Err(error) => {
                Error::new(ErrorKind::Connection, format!("could not read {of}")).with_detail(error.to_string())
            }
            Ok(found) if found.size != self.object.size => {
                damaged(format!("it has {} bytes, not {}", found.size, self.object.size))
            }
            Ok(_) => damaged(reason),
        })
    }

    fn panicked(&self, panic: &(dyn Any + Send)) -> DataFusionError {
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        let of = format!("data file \"{}\" of table \"{}\"", self.url, self.table);
        external(
            Error::new(ErrorKind::BadFile, format!("{of} is damaged"))
                .with_detail(format!("the decoder failed: {}", text.unwrap_or_default())),
        )
    }
}

/// The reason, for an error of reading a file; `None` for one of an expression that is computed in the scan, of
/// memory, or of ours.
fn reading_failed(error: &DataFusionError) -> Option<String> {
    match error {
        DataFusionError::ObjectStore(error) => Some(error.to_string()),
        DataFusionError::ParquetError(error) => Some(error.to_string()),
        DataFusionError::IoError(error) => Some(error.to_string()),
        DataFusionError::ArrowError(error, _) => match error.as_ref() {
            arrow::error::ArrowError::ParquetError(text) => Some(text.clone()),
            arrow::error::ArrowError::IoError(text, _) => Some(text.clone()),
            arrow::error::ArrowError::ExternalError(error) => Some(error.to_string()),
            _ => None,
        },
        DataFusionError::Execution(text) => text.starts_with("Failed to open Vortex file").then(|| text.clone()),
        DataFusionError::External(error) => {
            let vortex = error.downcast_ref::<vortex::error::VortexError>()?;
            let text = vortex.to_string();
            // Arithmetic of a filter is checked by Vortex.
            (!text.to_lowercase().contains("overflow")).then_some(text)
        }
        DataFusionError::Context(_, inner) => reading_failed(inner),
        DataFusionError::Shared(inner) => reading_failed(inner),
        _ => None,
    }
}

#[derive(Debug)]
struct NamedMorselizer {
    inner: Box<dyn Morselizer>,
    table: Arc<str>,
    url: ObjectStoreUrl,
    store: Arc<dyn ObjectStore>,
}

impl Morselizer for NamedMorselizer {
    fn plan_file(&self, file: PartitionedFile) -> Result<Box<dyn MorselPlanner>> {
        let named = Named {
            table: Arc::clone(&self.table),
            url: file_url(&self.url, &file.object_meta.location).into(),
            object: Arc::new(file.object_meta.clone()),
            store: Arc::clone(&self.store),
        };
        Ok(Box::new(NamedPlanner { inner: self.inner.plan_file(file)?, named }))
    }
}

#[derive(Debug)]
struct NamedPlanner {
    inner: Box<dyn MorselPlanner>,
    named: Named,
}

impl MorselPlanner for NamedPlanner {
    fn plan(self: Box<Self>) -> Result<Option<MorselPlan>> {
        let Self { inner, named } = *self;
        let planned = match std::panic::catch_unwind(AssertUnwindSafe(|| inner.plan())) {
            Err(panic) => return Err(named.panicked(panic.as_ref())),
            // Where the file is looked up is asynchronous, so the error becomes a step of its own.
            Ok(Err(error)) => {
                return Ok(Some(MorselPlan::new().with_pending_planner(async move { Err(named.error(error).await) })));
            }
            Ok(Ok(None)) => return Ok(None),
            Ok(Ok(Some(plan))) => plan,
        };
        let mut plan = planned;
        let morsels = plan.take_morsels().into_iter();
        let morsels = morsels.map(|inner| Box::new(NamedMorsel { inner, named: named.clone() }) as Box<dyn Morsel>);
        let planners = plan.take_ready_planners().into_iter();
        let planners =
            planners.map(|inner| Box::new(NamedPlanner { inner, named: named.clone() }) as Box<dyn MorselPlanner>);
        let pending = plan.take_pending_planner();
        let mut wrapped = MorselPlan::new().with_morsels(morsels.collect()).with_planners(planners.collect());
        if let Some(pending) = pending {
            wrapped.set_pending_planner(async move {
                match AssertUnwindSafe(pending.into_future()).catch_unwind().await {
                    Err(panic) => Err(named.panicked(panic.as_ref())),
                    Ok(Err(error)) => Err(named.error(error).await),
                    Ok(Ok(inner)) => Ok(Box::new(NamedPlanner { inner, named }) as Box<dyn MorselPlanner>),
                }
            });
        }
        Ok(Some(wrapped))
    }
}

#[derive(Debug)]
struct NamedMorsel {
    inner: Box<dyn Morsel>,
    named: Named,
}

impl Morsel for NamedMorsel {
    fn into_stream(self: Box<Self>) -> BoxStream<'static, Result<RecordBatch>> {
        let Self { inner, named } = *self;
        let batches = AssertUnwindSafe(inner.into_stream()).catch_unwind();
        batches
            .then(move |batch| {
                let named = named.clone();
                async move {
                    match batch {
                        Err(panic) => Err(named.panicked(panic.as_ref())),
                        Ok(Err(error)) => Err(named.error(error).await),
                        Ok(Ok(batch)) => Ok(batch),
                    }
                }
            })
            .boxed()
    }
}
