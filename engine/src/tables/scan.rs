//! A managed table as DataFusion scans it: files pruned by the manifest's statistics before any is opened, deleted rows
//! left out, inlined rows beside the files.

use super::adapt::{ColumnsById, TableColumn};
use super::deletes::read_deletes;
use super::format;
pub use super::position::POSITION_COLUMN;
use super::source::ManagedSource;
use super::statistics::{file_bounds, file_estimates, live_rows};
use super::storage::TableStorage;
use super::types::{self, SqlType};
use super::values::parse_value;
use crate::error::{Error, Result};
use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::pruning::PrunableStatistics;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, DFSchema, ScalarValue, Statistics, project_schema};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::union::UnionExec;
use futures::{StreamExt, TryStreamExt, stream};
use millrace_catalog::model::{DataFile, FileFormat, ManagedTable};
use object_store::ObjectMeta;
use parquet::arrow::RowNumber;
use std::fmt;
use std::sync::Arc;

/// The hidden column with the id of a row's data file, [`DataFile::id`]; NULL for inlined rows.
pub const FILE_COLUMN: &str = "_file";

/// How many delete files are read at a time.
const CONCURRENCY: usize = 32;

/// Rows that the manifest holds itself.
#[derive(Debug, Clone)]
pub struct InlinedRows {
    /// The table's columns, of the types of [`types::arrow_schema`].
    pub rows: RecordBatch,
    /// The row id of each, which a DML scan gives as its position.
    pub row_ids: Int64Array,
}

/// What a scan of a table selected, kept beside its files for EXPLAIN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableScanSummary {
    /// `schema.table`.
    pub table: String,
    /// Files that are read.
    pub files: usize,
    /// Files of the same format that the table has.
    pub files_of_table: usize,
    /// The bytes of those that are read.
    pub bytes: u64,
    /// Their rows that are deleted.
    pub deleted_rows: u64,
}

/// One table at one snapshot.
pub struct ManagedTableProvider {
    storage: TableStorage,
    table: Arc<ManagedTable>,
    files: Vec<DataFile>,
    inlined: Vec<InlinedRows>,
    columns: Arc<[TableColumn]>,
    types: Vec<(i64, SqlType)>,
    /// The table's columns, without hidden ones.
    file_schema: SchemaRef,
    schema: SchemaRef,
    hidden: bool,
}

impl fmt::Debug for ManagedTableProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ManagedTableProvider");
        shown.field("schema", &self.table.schema).field("table", &self.table.name).field("files", &self.files.len());
        shown.finish_non_exhaustive()
    }
}

impl ManagedTableProvider {
    /// A table with the files and inlined rows that one snapshot has of it.
    pub fn new(
        storage: TableStorage,
        table: Arc<ManagedTable>,
        files: Vec<DataFile>,
        inlined: Vec<InlinedRows>,
    ) -> Result<Self> {
        let file_schema = types::arrow_schema(&table.columns)?;
        let (mut columns, mut column_types) = (Vec::new(), Vec::new());
        for column in &table.columns {
            let data_type: SqlType = column.data_type.parse()?;
            let initial = match &column.initial {
                Some(text) => parse_value(text, data_type)?,
                None => ScalarValue::try_new_null(&data_type.to_arrow())?,
            };
            columns.push(TableColumn { id: column.id, name: column.name.clone(), initial });
            column_types.push((column.id, data_type));
        }
        Ok(Self {
            storage,
            files,
            inlined,
            columns: columns.into(),
            types: column_types,
            schema: Arc::clone(&file_schema),
            file_schema,
            table,
            hidden: false,
        })
    }

    /// The same table with two columns more, [`FILE_COLUMN`] and [`POSITION_COLUMN`], by which DML names rows.
    #[must_use]
    pub fn with_hidden_columns(mut self) -> Self {
        let hidden = [file_field(), position_field()];
        self.schema =
            Arc::new(Schema::new(self.file_schema.fields().iter().cloned().chain(hidden).collect::<Vec<_>>()));
        self.hidden = true;
        self
    }

    fn name(&self) -> String {
        format!("{}.{}", self.table.schema, self.table.name)
    }

    fn is_hidden(&self, name: &str) -> bool {
        self.hidden && (name == FILE_COLUMN || name == POSITION_COLUMN)
    }

    /// The files that a conjunction of filters leaves, by the manifest's statistics.
    fn prune(&self, filters: &[Expr], session: &dyn Session) -> Result<Vec<&DataFile>> {
        let live = self.files.iter().filter(|file| live_rows(file) > 0).collect::<Vec<_>>();
        let usable = filters.iter().filter(|filter| !filter.column_refs().iter().any(|c| self.is_hidden(&c.name)));
        let Some(filter) = conjunction(usable.cloned()) else { return Ok(live) };
        let schema = DFSchema::try_from(Arc::clone(&self.file_schema))?;
        let Ok(predicate) = session.create_physical_expr(filter, &schema) else { return Ok(live) };
        let builder = PruningPredicateBuilder::new().with_file_schema(Arc::clone(&self.file_schema));
        let Some(predicate) = builder.build(predicate) else { return Ok(live) };
        let bounds = live.iter().map(|file| Arc::new(file_bounds(&self.types, file))).collect();
        let kept = predicate.prune(&PrunableStatistics::new(bounds, Arc::clone(&self.file_schema)))?;
        Ok(live.into_iter().zip(kept).filter(|(_, kept)| *kept).map(|(file, _)| file).collect())
    }

    /// What is known of all rows, for the optimizer: of the files, and of inlined rows how many there are.
    fn table_estimates(&self) -> Option<Statistics> {
        let files = self.files.iter().filter(|file| live_rows(file) > 0);
        let estimates: Vec<Statistics> = files.map(|file| file_estimates(&self.types, file)).collect();
        let mut statistics = if estimates.is_empty() {
            Statistics { num_rows: Precision::Exact(0), ..Statistics::new_unknown(&self.file_schema) }
        } else {
            Statistics::try_merge_iter(&estimates, &self.file_schema).ok()?
        };
        let inlined: usize = self.inlined.iter().map(|inlined| inlined.rows.num_rows()).sum();
        if inlined > 0 {
            statistics = statistics.to_inexact();
            statistics.num_rows = statistics.num_rows.add(&Precision::Inexact(inlined));
        }
        let hidden = self.schema.fields().len() - self.file_schema.fields().len();
        statistics.column_statistics.extend((0..hidden).map(|_| ColumnStatistics::new_unknown()));
        Some(statistics)
    }

    async fn plan_scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let files = self.prune(filters, session)?;
        let limit = if filters.is_empty() { limit } else { None };
        let mut scans: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
        // A table whose format was changed has files of both.
        for format in [FileFormat::Vortex, FileFormat::Parquet] {
            let files: Vec<_> = files.iter().copied().filter(|file| file.format == format).collect();
            if !files.is_empty() {
                scans.push(self.scan_files(session, format, files, projection, limit).await?);
            }
        }
        if !self.inlined.is_empty() {
            let batches = self.inlined.iter().map(|rows| self.inlined_batch(rows)).collect::<Result<Vec<_>>>()?;
            let schema = Arc::clone(&self.schema);
            scans.push(MemorySourceConfig::try_new_exec(&[batches], schema, projection.cloned())?);
        }
        Ok(match scans.len() {
            0 => Arc::new(EmptyExec::new(project_schema(&self.schema, projection)?)),
            1 => scans.remove(0),
            _ => UnionExec::try_new(scans)?,
        })
    }

    async fn scan_files(
        &self,
        session: &dyn Session,
        format: FileFormat,
        files: Vec<&DataFile>,
        projection: Option<&Vec<usize>>,
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let estimates: Vec<Statistics> = files.iter().map(|file| file_estimates(&self.types, file)).collect();
        let statistics = if self.hidden {
            let mut statistics = Statistics::new_unknown(&self.schema);
            statistics.num_rows = Statistics::try_merge_iter(&estimates, &self.file_schema)?.num_rows;
            statistics
        } else {
            Statistics::try_merge_iter(&estimates, &self.file_schema)?
        };
        let summary = self.summary(format, &files);
        let parts: Vec<_> = files.into_iter().map(|file| self.partitioned_file(file)).collect();
        let mut parts: Vec<PartitionedFile> = stream::iter(parts).buffered(CONCURRENCY).try_collect().await?;
        if let Some(first) = parts.first_mut() {
            *first = first.clone().with_extension(summary);
        }
        let groups = FileGroup::new(parts).split_files(session.config().target_partitions());

        let mut schema = TableSchema::builder(Arc::clone(&self.file_schema));
        if self.hidden {
            schema = schema.with_table_partition_cols(vec![file_field()]).with_virtual_columns(vec![position_field()]);
        }
        let source = format::file_source(format, schema.build(), &self.storage, session);
        let source = ManagedSource::new(source, format, self.name().into(), self.storage.url.clone());
        let adapter = ColumnsById { columns: Arc::clone(&self.columns), format };
        let config = FileScanConfigBuilder::new(self.storage.url.clone(), Arc::new(source))
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .with_expr_adapter(Some(Arc::new(adapter)))
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }

    fn summary(&self, format: FileFormat, files: &[&DataFile]) -> TableScanSummary {
        TableScanSummary {
            table: self.name(),
            files: files.len(),
            files_of_table: self.files.iter().filter(|file| file.format == format).count(),
            bytes: files.iter().map(|file| file.size_bytes).sum(),
            deleted_rows: files.iter().map(|file| file.record_count.saturating_sub(live_rows(file))).sum(),
        }
    }

    async fn partitioned_file(&self, file: &DataFile) -> Result<PartitionedFile> {
        let object = ObjectMeta {
            location: self.storage.file_path(&self.table, &file.path)?,
            // A file never changes, so that caches need no time of it.
            last_modified: chrono::DateTime::UNIX_EPOCH,
            size: file.size_bytes,
            e_tag: None,
            version: None,
        };
        let mut scanned = PartitionedFile::new_from_meta(object);
        if self.hidden {
            scanned = scanned.with_partition_values(vec![ScalarValue::Int64(Some(file.id))]);
        }
        scanned = scanned.with_statistics(Arc::new(file_bounds(&self.types, file)));
        if file.deletes.is_some() || !file.inlined_deletes.is_empty() {
            let deleted = read_deletes(&self.storage, &self.table, file).await?;
            scanned = format::without_rows(file.format, scanned, &deleted, file.record_count)?;
        }
        Ok(scanned)
    }

    fn inlined_batch(&self, inlined: &InlinedRows) -> Result<RecordBatch> {
        let mut columns: Vec<ArrayRef> = inlined.rows.columns().to_vec();
        if self.hidden {
            columns.push(Arc::new(Int64Array::new_null(inlined.rows.num_rows())));
            columns.push(Arc::new(inlined.row_ids.clone()));
        }
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
            .map_err(|e| Error::internal(format!("inlined rows of table \"{}\": {e}", self.name())))
    }
}

fn file_field() -> FieldRef {
    Arc::new(Field::new(FILE_COLUMN, DataType::Int64, true))
}

/// Parquet's reader knows the column by its extension type.
fn position_field() -> FieldRef {
    Arc::new(Field::new(POSITION_COLUMN, DataType::Int64, false).with_extension_type(RowNumber))
}

#[async_trait]
impl TableProvider for ManagedTableProvider {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn statistics(&self) -> Option<Statistics> {
        self.table_estimates()
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        Ok(self.plan_scan(state, projection, filters, limit).await?)
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> DataFusionResult<Vec<TableProviderFilterPushDown>> {
        let decide = |filter: &&Expr| {
            let columns = filter.column_refs();
            if filter.is_volatile() || columns.is_empty() || columns.iter().any(|c| self.is_hidden(&c.name)) {
                TableProviderFilterPushDown::Unsupported
            } else {
                TableProviderFilterPushDown::Inexact
            }
        };
        Ok(filters.iter().map(decide).collect())
    }
}
