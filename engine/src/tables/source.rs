//! A format's file source as a managed table uses it: its errors name the file and the table ([`super::named`]), and it
//! is given no filter that it could not evaluate; it reads the rows that the manifest holds itself ([`super::memory`]);
//! and it keeps of a file the rows of a slice ([`super::layout`]). Everything else is the format's own.

use super::adapt::TableColumn;
use super::blocks::{BlockCache, NotedReads};
use super::dynamic::DynamicCondition;
use super::format;
use super::layout::{ScanKeys, Slice, SlicedMorselizer};
use super::memory::MemoryMorselizer;
use super::named::NamedMorselizer;
use super::segments::{CachedReaders, SegmentCache};
use super::storage::TableStorage;
use super::vortex;
use ::vortex::io::VortexReadAt;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileOpener, FileScanConfig, FileScanConfigBuilder, FileSource};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::Result;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::{EquivalenceProperties, LexOrdering, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::filter_pushdown::{FilterPushdownPropagation, PushedDown};
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder};
use datafusion::physical_plan::{DisplayFormatType, SortOrderPushdownResult};
use datafusion_datasource::morsel::Morselizer;
use millrace_catalog::model::FileFormat;
use object_store::ObjectStore;
use object_store::path::Path;
use std::fmt;
use std::sync::Arc;
use vortex_datafusion::VortexSource;
use vortex_datafusion::reader::VortexReaderFactory;

/// A format's source for one table.
#[derive(Clone)]
pub(super) struct ManagedSource {
    inner: Arc<dyn FileSource>,
    /// The same, but that it gives all columns and computes nothing.
    whole: Arc<dyn FileSource>,
    format: FileFormat,
    /// `schema.table`.
    table: Arc<str>,
    url: ObjectStoreUrl,
    keys: Arc<ScanKeys>,
    segments: SegmentCache,
    blocks: BlockCache,
    columns: Arc<[TableColumn]>,
    reads: Arc<NotedReads>,
}

impl ManagedSource {
    pub(super) fn new(
        inner: Arc<dyn FileSource>,
        format: FileFormat,
        table: Arc<str>,
        storage: &TableStorage,
        keys: ScanKeys,
        columns: Arc<[TableColumn]>,
    ) -> Self {
        let (url, segments, blocks) = (storage.url.clone(), storage.segments.clone(), storage.blocks.clone());
        let reads = Arc::new(NotedReads::default());
        let whole = Arc::clone(&inner);
        Self { inner, whole, format, table, url, keys: Arc::new(keys), segments, blocks, columns, reads }
    }

    /// The format of its files.
    pub(super) fn format(&self) -> FileFormat {
        self.format
    }

    /// The columns of the table.
    pub(super) fn columns(&self) -> &[TableColumn] {
        &self.columns
    }

    /// Where blocks are in files that were asked before.
    pub(super) fn blocks(&self) -> &BlockCache {
        &self.blocks
    }

    /// A reader of one of its files, which takes what is kept of it.
    pub(super) fn reader(&self, store: Arc<dyn ObjectStore>, path: &Path) -> Result<Arc<dyn VortexReadAt>> {
        let (segments, reads) = (self.segments.clone(), Arc::default());
        let readers = CachedReaders::new(store, self.url.clone(), segments, Count::new(), reads);
        readers.create_reader(&PartitionedFile::new(path.to_string(), 0), &vortex::SESSION)
    }

    /// What it read of its files.
    pub(super) fn reads(&self) -> &NotedReads {
        &self.reads
    }

    /// The keys of the table.
    pub(super) fn keys(&self) -> &ScanKeys {
        &self.keys
    }

    /// The source of rows of the same table that stand in no file, and in no order; it gives all columns that `inner` does.
    pub(super) fn of_rows(&self, inner: Arc<dyn FileSource>) -> Self {
        let keys = ScanKeys { copied: self.keys.copied, ..ScanKeys::default() };
        let whole = Arc::clone(&inner);
        Self { inner, whole, keys: Arc::new(keys), reads: Arc::default(), ..self.clone() }
    }

    fn around(&self, inner: Arc<dyn FileSource>) -> Arc<dyn FileSource> {
        Arc::new(Self { inner, ..self.clone() })
    }

    /// The same source, which gives other columns of the table.
    pub(super) fn giving(&self, projection: &ProjectionExprs) -> Result<Option<Arc<dyn FileSource>>> {
        Ok(self.whole.try_pushdown_projection(projection)?.map(|inner| self.around(inner)))
    }

    /// The distribution key's place in what the scan gives.
    fn key_in_output(&self) -> Option<usize> {
        let key = self.keys.distribution?;
        let Some(projection) = self.inner.projection() else { return Some(key) };
        projection.iter().position(|given| given.expr.downcast_ref::<Column>().is_some_and(|it| it.index() == key))
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
        let bytes = MetricBuilder::new(self.inner.metrics()).counter("bytes_scanned", partition);
        let reader = match self.inner.downcast_ref::<VortexSource>() {
            Some(source) => {
                let (segments, reads) = (self.segments.clone(), Arc::clone(&self.reads));
                vortex::with_cache(
                    source,
                    CachedReaders::new(Arc::clone(&store), self.url.clone(), segments, bytes, reads),
                )
            }
            None => Arc::clone(&self.inner),
        };
        let sliced = |group: &FileGroup| group.iter().any(|file| file.extension::<Slice>().is_some());
        let inner = if config.limit.is_some() && config.file_groups.get(partition).is_some_and(sliced) {
            // A reader would count rows of other slices.
            let unlimited = FileScanConfigBuilder::from(config.clone()).with_limit(None).build();
            reader.create_morselizer(Arc::clone(&store), &unlimited, partition)?
        } else {
            reader.create_morselizer(Arc::clone(&store), config, partition)?
        };
        let inner = Box::new(NamedMorselizer { inner, table: Arc::clone(&self.table), url: self.url.clone(), store });
        let inner = Box::new(MemoryMorselizer {
            inner,
            filter: self.inner.filter(),
            projection: self.inner.projection().cloned(),
            schema: Arc::clone(self.inner.table_schema().table_schema()),
        });
        Ok(Box::new(SlicedMorselizer { inner, key: self.key_in_output() }))
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
        let mut real: Vec<_> = real.collect();
        let asked = real.len();
        if self.format == FileFormat::Vortex {
            let is_sorted_by = |column: usize| self.keys.sort.first() == Some(&column);
            let found = real.iter().filter_map(|filter| DynamicCondition::of(filter, is_sorted_by));
            let found: Vec<_> = found.map(|condition| Arc::new(condition) as _).collect();
            real.extend(found);
        }
        let whole = self.whole.try_pushdown_filters(real.clone(), config)?.updated_node;
        let pushed = self.inner.try_pushdown_filters(real, config)?;
        let mut answers = pushed.filters.into_iter().take(asked);
        let answers = above.iter().map(|above| match above {
            true => PushedDown::No,
            false => answers.next().unwrap_or(PushedDown::No),
        });
        let answers = FilterPushdownPropagation::with_parent_pushdown_result(answers.collect());
        Ok(match pushed.updated_node {
            Some(inner) => {
                let whole = whole.unwrap_or_else(|| Arc::clone(&self.whole));
                let source: Arc<dyn FileSource> = Arc::new(Self { inner, whole, ..self.clone() });
                answers.with_updated_node(source)
            }
            None => answers,
        })
    }

    fn try_pushdown_sort(
        &self,
        order: &[PhysicalSortExpr],
        properties: &EquivalenceProperties,
    ) -> Result<SortOrderPushdownResult<Arc<dyn FileSource>>> {
        let whole = match self.whole.try_pushdown_sort(order, properties)? {
            SortOrderPushdownResult::Exact { inner } | SortOrderPushdownResult::Inexact { inner } => inner,
            SortOrderPushdownResult::Unsupported => Arc::clone(&self.whole),
        };
        let around = |inner| -> Arc<dyn FileSource> { Arc::new(Self { inner, whole, ..self.clone() }) };
        Ok(match self.inner.try_pushdown_sort(order, properties)? {
            SortOrderPushdownResult::Exact { inner } => SortOrderPushdownResult::Exact { inner: around(inner) },
            SortOrderPushdownResult::Inexact { inner } => SortOrderPushdownResult::Inexact { inner: around(inner) },
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
