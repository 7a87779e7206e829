//! Opening one file, or one split of it, as a stream of batches.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::{Result, ScalarValue};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileOpenFuture, FileOpener};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::projection::{ProjectionExprs, Projector};
use datafusion::physical_expr::simplifier::PhysicalExprSimplifier;
use datafusion::physical_expr::utils::{collect_columns, reassign_expr_columns};
use datafusion::physical_expr_adapter::rewrite::rewrite_input_file_name_in_projection;
use datafusion::physical_expr_adapter::{PhysicalExprAdapterFactory, replace_columns_with_literals};
use datafusion::physical_optimizer::pruning::FilePruner;
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder};
use futures::{StreamExt, stream};
use object_store::ObjectStore;
use orc_rust::stripe::StripeMetadata;

use super::prune::{Containers, Pruner};
use super::stripe::{StripeFile, StripeRows};
use super::tail::TailCache;
use crate::lake::damage::file_url;
use crate::lake::evolve::in_file;

/// Opens the files of one partition of a scan.
#[derive(Clone)]
pub(super) struct OrcOpener {
    pub store: Arc<dyn ObjectStore>,
    pub store_url: ObjectStoreUrl,
    pub table_schema: TableSchema,
    /// What to deliver, in terms of the table's schema with its partition columns.
    pub projection: ProjectionExprs,
    pub predicate: Option<Arc<dyn PhysicalExpr>>,
    pub batch_size: usize,
    pub adapters: Arc<dyn PhysicalExprAdapterFactory>,
    pub tails: Arc<TailCache>,
    pub metrics: OrcMetrics,
}

/// What a scan counts, next to what DataFusion counts for every scan.
#[derive(Clone)]
pub(super) struct OrcMetrics {
    pub bytes_scanned: Count,
    pub files_pruned: Count,
    pub stripes_read: Count,
    pub stripes_pruned: Count,
    pub row_groups_pruned: Count,
    pub predicate_errors: Count,
}

impl OrcMetrics {
    pub(super) fn new(set: &ExecutionPlanMetricsSet, partition: usize) -> Self {
        let counter = |name: &'static str| MetricBuilder::new(set).counter(name, partition);
        Self {
            bytes_scanned: counter("bytes_scanned"),
            files_pruned: counter("files_pruned"),
            stripes_read: counter("stripes_read"),
            stripes_pruned: counter("stripes_pruned"),
            row_groups_pruned: counter("row_groups_pruned"),
            predicate_errors: counter("num_predicate_creation_errors"),
        }
    }
}

impl FileOpener for OrcOpener {
    fn open(&self, partitioned_file: PartitionedFile) -> Result<FileOpenFuture> {
        let opener = self.clone();
        Ok(Box::pin(async move {
            match opener.scan(partitioned_file).await? {
                Some(scan) => Ok(stream::try_unfold(scan, OrcScan::advance).boxed()),
                None => Ok(stream::empty().boxed()),
            }
        }))
    }
}

impl OrcOpener {
    /// The scan of a file; nothing if it has no rows to offer.
    async fn scan(self, file: PartitionedFile) -> Result<Option<OrcScan>> {
        // Hive leaves empty files for empty buckets.
        if file.object_meta.size == 0 {
            return Ok(None);
        }
        let output = Arc::new(self.projection.project_schema(self.table_schema.table_schema())?);
        let (projection, predicate) = self.fill_in(&file)?;
        if self.rules_out(&file, predicate.as_ref())? {
            self.metrics.files_pruned.add(1);
            return Ok(None);
        }
        let url = file_url(&self.store_url, &file.object_meta.location);
        let tail = self.tails.get(self.store.as_ref(), &file.object_meta, &url, &self.metrics.bytes_scanned).await?;

        let schema = Arc::clone(&tail.schema);
        let adapter = self.adapters.create(Arc::clone(self.table_schema.file_schema()), Arc::clone(&schema))?;
        let simplifier = PhysicalExprSimplifier::new(&schema);
        let adapt = |expr| {
            let expr = adapter.rewrite(expr).map_err(|error| in_file(&url, error))?;
            simplifier.simplify(expr)
        };
        let projection = projection.try_map_exprs(adapt)?;
        let pruner = predicate.map(adapt).transpose()?.map(|predicate| Pruner::new(predicate, Arc::clone(&schema)));

        let columns = used_columns(&projection, &schema);
        let read = Arc::new(schema.project(&columns)?);
        let projector = projection.try_map_exprs(|expr| reassign_expr_columns(expr, &read))?.make_projector(&read)?;
        let stripes = tail.metadata.stripe_metadatas().iter().filter(|stripe| match &file.range {
            Some(range) => i64::try_from(stripe.offset()).is_ok_and(|offset| range.contains(offset)),
            None => true,
        });
        let stripes = stripes.cloned().collect();
        let file = StripeFile {
            store: self.store,
            location: file.object_meta.location,
            url,
            tail,
            scanned: self.metrics.bytes_scanned.clone(),
        };
        Ok(Some(OrcScan {
            file,
            stripes,
            columns,
            read,
            projector,
            output,
            pruner,
            batch_size: self.batch_size,
            metrics: self.metrics,
            current: Current::None,
        }))
    }

    /// The projection and the predicate with the values that hold for the whole file: partition keys, its name.
    fn fill_in(&self, file: &PartitionedFile) -> Result<(ProjectionExprs, Option<Arc<dyn PhysicalExpr>>)> {
        let keys = self.table_schema.table_partition_cols().iter().map(|field| field.name().as_str());
        let values: HashMap<&str, &ScalarValue> = keys.zip(&file.partition_values).collect();
        let mut projection = self.projection.clone();
        let mut predicate = self.predicate.clone();
        if !values.is_empty() {
            projection = projection.try_map_exprs(|expr| replace_columns_with_literals(expr, &values))?;
            predicate = predicate.map(|expr| replace_columns_with_literals(expr, &values)).transpose()?;
        }
        let projection = rewrite_input_file_name_in_projection(projection, file.object_meta.location.as_ref())?;
        Ok((projection, predicate))
    }

    /// Whether what is known of the file as a whole rules it out, before its tail is fetched.
    fn rules_out(&self, file: &PartitionedFile, predicate: Option<&Arc<dyn PhysicalExpr>>) -> Result<bool> {
        let Some(predicate) = predicate else { return Ok(false) };
        let errors = self.metrics.predicate_errors.clone();
        let schema = self.table_schema.file_schema();
        FilePruner::try_new(Arc::clone(predicate), schema, file, errors)
            .map_or(Ok(false), |mut pruner| pruner.should_prune())
    }
}

fn used_columns(projection: &ProjectionExprs, schema: &SchemaRef) -> Vec<usize> {
    let mut columns: Vec<_> = projection
        .expr_iter()
        .flat_map(|expr| collect_columns(&expr))
        .filter_map(|column| schema.index_of(column.name()).ok())
        .collect();
    columns.sort_unstable();
    columns.dedup();
    columns
}

/// The rest of a file's scan.
struct OrcScan {
    file: StripeFile,
    /// Those not begun.
    stripes: VecDeque<StripeMetadata>,
    /// Positions in the file of the columns to decode.
    columns: Vec<usize>,
    /// The schema of what is decoded.
    read: SchemaRef,
    projector: Projector,
    /// The schema of what is delivered.
    output: SchemaRef,
    pruner: Option<Pruner>,
    batch_size: usize,
    metrics: OrcMetrics,
    current: Current,
}

/// The stripe being read.
enum Current {
    None,
    Rows(StripeRows),
    /// No column is wanted, only this many rows.
    Count(u64),
}

impl OrcScan {
    async fn advance(mut self) -> Result<Option<(RecordBatch, Self)>> {
        loop {
            if let Some(batch) = self.next_batch()? {
                return Ok(Some((self.deliver(&batch)?, self)));
            }
            let Some(stripe) = self.stripes.pop_front() else { return Ok(None) };
            self.current = self.begin(&stripe).await?;
        }
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        match &mut self.current {
            Current::None | Current::Count(0) => Ok(None),
            Current::Rows(rows) => rows.next_batch(self.batch_size, &self.read, &self.file.url),
            Current::Count(left) => {
                let rows = usize::try_from(*left).map_or(self.batch_size, |left| left.min(self.batch_size));
                *left -= rows as u64;
                let options = RecordBatchOptions::new().with_row_count(Some(rows));
                Ok(Some(RecordBatch::try_new_with_options(Arc::clone(&self.read), Vec::new(), &options)?))
            }
        }
    }

    async fn begin(&mut self, stripe: &StripeMetadata) -> Result<Current> {
        if let Some(pruner) = &mut self.pruner {
            pruner.refresh();
            let statistics = |_, column: usize| stripe.column_statistics().get(column);
            let rows = vec![stripe.number_of_rows()];
            let stripe = Containers { tail: &self.file.tail, rows, statistics: &statistics };
            if pruner.keep(&stripe) == [false] {
                self.metrics.stripes_pruned.add(1);
                return Ok(Current::None);
            }
        }
        if self.columns.is_empty() {
            return Ok(Current::Count(stripe.number_of_rows()));
        }
        let left_out = &self.metrics.row_groups_pruned;
        let rows = self.file.read(stripe, &self.columns, self.pruner.as_ref(), left_out).await?;
        Ok(match rows {
            Some(rows) => {
                self.metrics.stripes_read.add(1);
                Current::Rows(rows)
            }
            None => Current::None,
        })
    }

    fn deliver(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let batch = self.projector.project_batch(batch)?;
        if batch.schema_ref() == &self.output {
            return Ok(batch);
        }
        // The file's fields differ from the table's in what they say beside the type: metadata, whether NULL is allowed.
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.output), batch.columns().to_vec(), &options)?)
    }
}
