//! Opening one Avro file, or one split of it, as a stream of batches.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::{Result, ScalarValue};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileOpenFuture, FileOpener};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::physical_expr::projection::{ProjectionExprs, Projector};
use datafusion::physical_expr::simplifier::PhysicalExprSimplifier;
use datafusion::physical_expr::utils::{collect_columns, reassign_expr_columns};
use datafusion::physical_expr_adapter::rewrite::rewrite_input_file_name_in_projection;
use datafusion::physical_expr_adapter::{PhysicalExprAdapterFactory, replace_columns_with_literals};
use datafusion::physical_plan::metrics::Count;
use futures::{StreamExt, stream};
use object_store::ObjectStore;

use super::blocks::{Blocks, Window};
use super::header::{BlockReader, Header};
use crate::lake::damage::{damaged, file_url, guard};
use crate::lake::evolve::in_file;

/// Opens the files of one partition of a scan.
#[derive(Clone)]
pub(super) struct AvroOpener {
    pub store: Arc<dyn ObjectStore>,
    pub store_url: ObjectStoreUrl,
    pub table_schema: TableSchema,
    /// What to deliver, in terms of the table's schema with its partition columns.
    pub projection: ProjectionExprs,
    pub batch_size: usize,
    pub adapters: Arc<dyn PhysicalExprAdapterFactory>,
    pub bytes_scanned: Count,
}

impl FileOpener for AvroOpener {
    fn open(&self, partitioned_file: PartitionedFile) -> Result<FileOpenFuture> {
        let opener = self.clone();
        Ok(Box::pin(async move {
            // An empty file has not even a header; writers that were given no records leave them.
            if partitioned_file.object_meta.size == 0 {
                return Ok(stream::empty().boxed());
            }
            let scan = opener.scan(partitioned_file).await?;
            Ok(stream::try_unfold(scan, AvroScan::advance).boxed())
        }))
    }
}

impl AvroOpener {
    async fn scan(self, file: PartitionedFile) -> Result<AvroScan> {
        let object = &file.object_meta;
        let url = file_url(&self.store_url, &object.location);
        let header = Header::read(self.store.as_ref(), object, &url, &self.bytes_scanned).await?;
        let output = Arc::new(self.projection.project_schema(self.table_schema.table_schema())?);

        let schema = Arc::clone(&header.schema);
        let adapter = self.adapters.create(Arc::clone(self.table_schema.file_schema()), Arc::clone(&schema))?;
        let simplifier = PhysicalExprSimplifier::new(&schema);
        let projection = self.fill_in(&file)?.try_map_exprs(|expr| {
            let expr = adapter.rewrite(expr).map_err(|error| in_file(&url, error))?;
            simplifier.simplify(expr)
        })?;
        let mut columns: Vec<_> = projection
            .expr_iter()
            .flat_map(|expr| collect_columns(&expr))
            .filter_map(|column| schema.index_of(column.name()).ok())
            .collect();
        columns.sort_unstable();
        columns.dedup();
        let read = Arc::new(schema.project(&columns)?);
        let projector = projection.try_map_exprs(|expr| reassign_expr_columns(expr, &read))?.make_projector(&read)?;
        let range = file.range.as_ref().map(|range| range.start as u64..range.end as u64);
        let blocks = Blocks::new(
            Arc::clone(&self.store),
            object.location.clone(),
            url.clone(),
            object.size,
            header.clone(),
            range,
            self.bytes_scanned,
        );
        Ok(AvroScan {
            blocks,
            header,
            url,
            columns,
            read,
            projector,
            output,
            batch_size: self.batch_size,
            current: Current::None,
        })
    }

    /// The projection with the values that hold for the whole file: partition keys, its name.
    fn fill_in(&self, file: &PartitionedFile) -> Result<ProjectionExprs> {
        let keys = self.table_schema.table_partition_cols().iter().map(|field| field.name().as_str());
        let values: HashMap<&str, &ScalarValue> = keys.zip(&file.partition_values).collect();
        let mut projection = self.projection.clone();
        if !values.is_empty() {
            projection = projection.try_map_exprs(|expr| replace_columns_with_literals(expr, &values))?;
        }
        rewrite_input_file_name_in_projection(projection, file.object_meta.location.as_ref())
    }
}

/// The rest of a file's scan.
struct AvroScan {
    blocks: Blocks,
    header: Header,
    /// The file's name in messages.
    url: String,
    /// Positions in the file of the columns to decode.
    columns: Vec<usize>,
    /// The schema of what is decoded.
    read: SchemaRef,
    projector: Projector,
    /// The schema of what is delivered.
    output: SchemaRef,
    batch_size: usize,
    current: Current,
}

/// The blocks being read.
enum Current {
    None,
    /// A decoder, and how many rows it has still to give.
    Rows(Box<BlockReader>, u64),
    /// No column is wanted, only this many rows.
    Count(u64),
}

impl AvroScan {
    async fn advance(mut self) -> Result<Option<(RecordBatch, Self)>> {
        loop {
            if let Some(batch) = self.next_batch()? {
                return Ok(Some((self.deliver(&batch)?, self)));
            }
            let Some(window) = self.blocks.next().await? else { return Ok(None) };
            self.current = self.begin(window)?;
        }
    }

    fn begin(&self, window: Window) -> Result<Current> {
        if self.columns.is_empty() {
            return Ok(Current::Count(window.rows));
        }
        let reader = guard(|| self.header.reader(window.blocks, &self.columns, self.batch_size))
            .map_err(|panic| damaged(&self.url, panic))?
            .map_err(|error| damaged(&self.url, error))?;
        Ok(Current::Rows(Box::new(reader), window.rows))
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        match &mut self.current {
            Current::None | Current::Count(0) => Ok(None),
            Current::Count(left) => {
                let rows = usize::try_from(*left).map_or(self.batch_size, |left| left.min(self.batch_size));
                *left -= rows as u64;
                let options = RecordBatchOptions::new().with_row_count(Some(rows));
                Ok(Some(RecordBatch::try_new_with_options(Arc::clone(&self.read), Vec::new(), &options)?))
            }
            Current::Rows(reader, left) => {
                let batch = guard(|| reader.next()).map_err(|panic| damaged(&self.url, panic))?.transpose();
                let batch = batch.map_err(|error| damaged(&self.url, error))?;
                let rows = batch.as_ref().map_or(0, |batch| batch.num_rows() as u64);
                // At the end of the blocks all their records have come, before it no more than they have.
                match left.checked_sub(rows) {
                    Some(rest) if batch.is_some() || rest == 0 => *left = rest,
                    _ => return Err(damaged(&self.url, "a block has another number of records than it says")),
                }
                batch.map(|batch| self.header.project(batch, &self.columns)).transpose()
            }
        }
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
