//! The scan of record files, as DataFusion's `FileSource`.

use super::blocks::{Block, BlockReader, Reading, RecordError};
use super::split::split_files;
use crate::error::{Error, Result};
use crate::lake::decompress::{ByteStream, Codec};
use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileOpenFuture, FileOpener, FileScanConfig, FileSource};
use datafusion::datasource::projection::{ProjectionOpener, SplitProjection};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::{LexOrdering, PhysicalExpr};
use datafusion::physical_plan::apply_expression_roots;
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder, MetricCategory, MetricType};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;
use std::fmt::Debug;
use std::sync::Arc;

/// Rows of a batch when the session does not say.
const DEFAULT_BATCH_SIZE: usize = 8192;

/// Files under this size are decoded where they are read, in bytes: handing blocks over would cost more.
const MIN_PARALLEL_SIZE: u64 = 4 * 1024 * 1024;

/// The most blocks of one file that are decoded at a time.
const MAX_PARALLEL: usize = 8;

/// A format of records that stand one after another.
pub trait RecordFormat: Clone + Debug + Send + Sync + Unpin + 'static {
    /// The name that plans show.
    fn file_type(&self) -> &'static str;

    /// Whether every line feed ends a record, so that a reader may begin at any offset.
    fn splittable(&self) -> bool;

    /// Lines at the start of a file that are no records.
    fn header_lines(&self) -> usize;

    /// Lines at the end of a file that are no records.
    fn footer_lines(&self) -> usize;

    /// Where the last whole record of `bytes` ends when the last `keep` whole records are left out; `None` when
    /// there is none. `bytes` begin with a record.
    fn last_record_end(&self, bytes: &[u8], keep: usize) -> Option<usize>;

    /// The records of a file's plain bytes, where it holds more than records: what is none must be overwritten with
    /// blanks, so that places stay. Only of formats that cannot be split.
    fn records(&self, input: ByteStream, _url: &Arc<str>) -> ByteStream {
        input
    }

    /// A decoder that gives the columns `projection` of `file_schema`, in that order.
    fn decoder(&self, file_schema: &Schema, projection: &[usize]) -> Result<Arc<dyn BlockDecoder>>;
}

/// Makes blocks into batches.
pub trait BlockDecoder: Send + Sync {
    /// The rows of a block, in order, in batches of at most `batch_size` rows (of any size when no column is asked
    /// for, since such a batch is only a count).
    fn decode(&self, block: &Block, batch_size: usize) -> std::result::Result<Vec<RecordBatch>, RecordError>;
}

/// A scan of files of a [`RecordFormat`].
#[derive(Debug, Clone)]
pub struct RecordSource<F> {
    format: F,
    table_schema: TableSchema,
    batch_size: usize,
    projection: SplitProjection,
    metrics: ExecutionPlanMetricsSet,
}

impl<F: RecordFormat> RecordSource<F> {
    /// A scan that gives all columns of the table.
    pub fn new(table_schema: TableSchema, format: F) -> Self {
        Self {
            format,
            projection: SplitProjection::unprojected(&table_schema),
            table_schema,
            batch_size: DEFAULT_BATCH_SIZE,
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }

    /// The options that say how the files are read.
    pub fn options(&self) -> &F {
        &self.format
    }
}

impl<F: RecordFormat> FileSource for RecordSource<F> {
    fn create_file_opener(
        &self,
        object_store: Arc<dyn ObjectStore>,
        base_config: &FileScanConfig,
        partition: usize,
    ) -> DfResult<Arc<dyn FileOpener>> {
        let file_schema = self.table_schema.file_schema();
        let decoder = self.format.decoder(file_schema, &self.projection.file_indices).map_err(external)?;
        let scanned = MetricBuilder::new(&self.metrics)
            .with_type(MetricType::Summary)
            .with_category(MetricCategory::Bytes)
            .counter("bytes_scanned", partition);
        let opener = RecordOpener {
            format: self.format.clone(),
            store: object_store,
            store_url: base_config.object_store_url.as_str().to_owned(),
            decoder,
            batch_size: self.batch_size,
            scanned,
        };
        ProjectionOpener::try_new(self.projection.clone(), Arc::new(opener), file_schema)
    }

    fn table_schema(&self) -> &TableSchema {
        &self.table_schema
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn FileSource> {
        Arc::new(Self { batch_size: batch_size.max(1), ..self.clone() })
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        Some(&self.projection.source)
    }

    fn try_pushdown_projection(&self, projection: &ProjectionExprs) -> DfResult<Option<Arc<dyn FileSource>>> {
        let merged = self.projection.source.try_merge(projection)?;
        let projection = SplitProjection::new(self.table_schema.file_schema(), &merged);
        Ok(Some(Arc::new(Self { projection, ..self.clone() })))
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        &self.metrics
    }

    fn file_type(&self) -> &str {
        self.format.file_type()
    }

    fn supports_repartitioning(&self) -> bool {
        self.format.splittable()
    }

    fn repartitioned(
        &self,
        target_partitions: usize,
        repartition_file_min_size: usize,
        output_ordering: Option<LexOrdering>,
        config: &FileScanConfig,
    ) -> DfResult<Option<FileScanConfig>> {
        let can_split = |file: &PartitionedFile| {
            self.format.splittable() && Codec::of(&file.object_meta.location).is_ok_and(|codec| !codec.is_compressed())
        };
        let groups = split_files(
            &config.file_groups,
            target_partitions,
            repartition_file_min_size as u64,
            output_ordering.is_some(),
            can_split,
        );
        Ok(groups.map(|file_groups| {
            let mut config = config.clone();
            config.file_groups = file_groups;
            config
        }))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> DfResult<TreeNodeRecursion>,
    ) -> DfResult<TreeNodeRecursion> {
        apply_expression_roots(self.projection.source.iter(), f)
    }
}

pub(super) fn external(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// Opens one file after another.
struct RecordOpener<F> {
    format: F,
    store: Arc<dyn ObjectStore>,
    store_url: String,
    decoder: Arc<dyn BlockDecoder>,
    batch_size: usize,
    scanned: Count,
}

impl<F: RecordFormat> FileOpener for RecordOpener<F> {
    fn open(&self, file: PartitionedFile) -> DfResult<FileOpenFuture> {
        let location = file.object_meta.location;
        let size = file.object_meta.size;
        let codec = Codec::of(&location).map_err(external)?;
        let range = file.range.map(|range| range.start.max(0) as u64..(range.end.max(0) as u64).min(size));
        let range = range.filter(|range| *range != (0..size));
        let whole_only = codec.is_compressed() || !self.format.splittable();
        if whole_only && range.is_some() {
            return Err(external(Error::internal(format!(
                "a part was planned of file \"{location}\", which cannot be split"
            ))));
        }
        let slash = if self.store_url.ends_with('/') { "" } else { "/" };
        let url: Arc<str> = format!("{}{slash}{location}", self.store_url).into();
        let reading = Reading {
            store: Arc::clone(&self.store),
            location,
            size,
            range,
            codec,
            url: Arc::clone(&url),
            scanned: self.scanned.clone(),
        };
        let decode = Decode { decoder: Arc::clone(&self.decoder), batch_size: self.batch_size, url };
        let format = self.format.clone();
        let parallel = whole_only && size >= MIN_PARALLEL_SIZE;
        Ok(Box::pin(async move {
            let blocks =
                futures::stream::try_unfold(BlockReader::open(format, reading).await?, |mut reader| async move {
                    Ok(reader.next().await?.map(|block| (block, reader)))
                });
            Ok(if parallel { decode.in_parallel(blocks.boxed()) } else { decode.in_place(blocks.boxed()) })
        }))
    }
}

/// The last step: blocks into batches.
#[derive(Clone)]
struct Decode {
    decoder: Arc<dyn BlockDecoder>,
    batch_size: usize,
    url: Arc<str>,
}

impl Decode {
    fn block(&self, block: &Block) -> DfResult<Vec<RecordBatch>> {
        self.decoder.decode(block, self.batch_size).map_err(|error| external(error.placed(block, &self.url)))
    }

    fn in_place(self, blocks: BoxStream<'static, DfResult<Block>>) -> BoxStream<'static, DfResult<RecordBatch>> {
        let batches = blocks.map(move |block| self.block(&block?));
        batches.map_ok(|batches| futures::stream::iter(batches.into_iter().map(Ok))).try_flatten().boxed()
    }

    /// Several blocks at a time, in their order. The tasks end with the stream.
    fn in_parallel(self, blocks: BoxStream<'static, DfResult<Block>>) -> BoxStream<'static, DfResult<RecordBatch>> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let tasks = blocks.map(move |block| {
            let decode = self.clone();
            async move {
                let block = block?;
                SpawnedTask::spawn(async move { decode.block(&block) })
                    .join_unwind()
                    .await
                    .map_err(|e| DataFusionError::External(Box::new(e)))?
            }
        });
        tasks
            .buffered(cores.clamp(2, MAX_PARALLEL))
            .map_ok(|batches| futures::stream::iter(batches.into_iter().map(Ok)))
            .try_flatten()
            .boxed()
    }
}
