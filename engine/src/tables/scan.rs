//! A managed table as DataFusion scans it: files pruned by the manifest's statistics before any is opened, deleted rows
//! left out, inlined rows beside the files.

use super::adapt::{ColumnsById, TableColumn};
use super::deletes::read_deletes;
use super::format;
use super::layout::{
    FilePlace, HASH_VERSION, SORT_OPTIONS, ScanKeys, effective_style, has_values, is_hashable, is_sorted, key_values,
};
use super::memory::memory_file;
pub use super::position::POSITION_COLUMN;
use super::source::ManagedSource;
use super::statistics::{Collector, ColumnKnowledge, blank_ended, file_bounds, live_rows, table_statistics};
use super::storage::TableStorage;
use super::types::{self, SqlType};
use super::values::parse_value;
use crate::error::{Error, Result};
use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::compute::{SortColumn, concat_batches, lexsort_to_indices, take_record_batch};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::pruning::PrunableStatistics;
use datafusion::common::{ColumnStatistics, DFSchema, ScalarValue, Statistics, project_schema};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
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
use millrace_catalog::model::{DataFile, DistributionStyle, FileFormat, ManagedTable, SortKey, TableEstimates};
use object_store::ObjectMeta;
use parquet::arrow::RowNumber;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// The hidden column with the id of a row's data file, [`DataFile::id`]; NULL for inlined rows.
pub const FILE_COLUMN: &str = "_file";

/// Rows that are read in less time than it takes to deal them out to slices.
const FEW_ROWS: u64 = 100_000;

/// Columns of all files together of which a table keeps what holds for all rows, once it was asked.
const MOST_KEPT_BOUNDS: usize = 2_000;

/// What a column of a file takes in memory, about: as the manifest has it, and with what holds for all its rows.
const COLUMN_BYTES: usize = 128;
const BOUNDED_COLUMN_BYTES: usize = 512;
/// What is known of an analyzed column's values takes: the bounds of a histogram and frequent values, where queries ask for them.
const KNOWN_COLUMN_BYTES: usize = 4 << 10;

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
    /// The table's number in the catalog; not positive for one that is in none.
    pub table_id: i64,
    /// Whether its values were analyzed.
    pub analyzed: bool,
    /// Rows of what is read, deleted ones too.
    pub rows: u64,
    /// Files that are read.
    pub files: usize,
    /// Files of the same format that the table has.
    pub files_of_table: usize,
    /// The bytes of those that are read.
    pub bytes: u64,
    /// Their rows that are deleted.
    pub deleted_rows: u64,
}

/// Which slice has a row of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowPlace {
    /// The one of the hash of the column at a place.
    Hashed(usize),
    /// The first of each node.
    First,
    /// The one that it is dealt to when it is read.
    Dealt,
}

/// A file, and what holds for all its rows.
pub(super) type BoundedFile<'a> = (&'a DataFile, Arc<Statistics>);

/// One table at one snapshot.
pub struct ManagedTableProvider {
    storage: TableStorage,
    table: Arc<ManagedTable>,
    files: Arc<Vec<DataFile>>,
    inlined: Vec<InlinedRows>,
    /// The inlined rows once they were looked at.
    described: OnceLock<Option<(DataFile, RecordBatch)>>,
    /// Whether texts of each column may end with blanks, once somebody asked.
    blank_ended: OnceLock<Vec<bool>>,
    /// What holds for all rows of each file, once somebody asked, if that is not much.
    bounds: OnceLock<Vec<Arc<Statistics>>>,
    /// What is known of all its rows, once somebody asked.
    told: OnceLock<Statistics>,
    /// What is known of the values of each column, once somebody asked.
    knowledge: Box<[OnceLock<Arc<ColumnKnowledge>>]>,
    estimates: Arc<TableEstimates>,
    columns: Arc<[TableColumn]>,
    types: Vec<(i64, SqlType)>,
    /// The table's columns, without hidden ones.
    file_schema: SchemaRef,
    schema: SchemaRef,
    hidden: bool,
    /// The distribution style in effect.
    style: DistributionStyle,
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
        files: impl Into<Arc<Vec<DataFile>>>,
        inlined: Vec<InlinedRows>,
    ) -> Result<Self> {
        let files = files.into();
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
        let style = effective_style(&table, files.iter().map(|file| file.size_bytes).sum()).style;
        Ok(Self {
            style,
            storage,
            files,
            inlined,
            described: OnceLock::new(),
            blank_ended: OnceLock::new(),
            bounds: OnceLock::new(),
            told: OnceLock::new(),
            knowledge: column_types.iter().map(|_| OnceLock::new()).collect(),
            estimates: Arc::default(),
            columns: columns.into(),
            types: column_types,
            schema: Arc::clone(&file_schema),
            file_schema,
            table,
            hidden: false,
        })
    }

    /// The same table with what is known about its values, which its statistics tell the planner.
    #[must_use]
    pub fn with_estimates(mut self, estimates: Arc<TableEstimates>) -> Self {
        self.estimates = estimates;
        self.told = OnceLock::new();
        self.knowledge = self.types.iter().map(|_| OnceLock::new()).collect();
        self
    }

    /// Whether the catalog has rows of it.
    pub(super) fn has_inlined(&self) -> bool {
        !self.inlined.is_empty()
    }

    /// Whether another one, of neither of which the catalog has rows, has the very same table, files and estimates.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.table, &other.table)
            && Arc::ptr_eq(&self.files, &other.files)
            && Arc::ptr_eq(&self.estimates, &other.estimates)
            && self.hidden == other.hidden
    }

    /// What is known of the values of a column, by its position; `None` for a column that the table does not have.
    pub fn column_knowledge(&self, column: usize) -> Option<Arc<ColumnKnowledge>> {
        let (kept, (id, data_type)) = (self.knowledge.get(column)?, self.types.get(column)?);
        if let Some(known) = kept.get() {
            return Some(Arc::clone(known));
        }
        let told = self.told().ok()?;
        let of_column = told.column_statistics.get(column)?;
        let known = || Arc::new(ColumnKnowledge::new(*data_type, told, of_column, self.estimates.columns.get(id)));
        Some(Arc::clone(kept.get_or_init(known)))
    }

    /// Whether a text of a column, by its position, may end with a blank.
    pub(crate) fn may_end_with_blank(&self, column: usize) -> bool {
        let columns = || self.types.iter().copied().zip(self.columns.iter().map(|column| &column.initial));
        let known = self.blank_ended.get_or_init(|| blank_ended(columns(), &self.files, &self.inlined));
        known.get(column).is_some_and(|ended| *ended)
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

    /// Where its files are.
    pub(super) fn storage(&self) -> &TableStorage {
        &self.storage
    }

    pub(crate) fn table(&self) -> &Arc<ManagedTable> {
        &self.table
    }

    /// About the bytes that it takes for its files as long as it is kept.
    pub(crate) fn kept_bytes(&self) -> usize {
        let of_column = if self.keeps_bounds() { BOUNDED_COLUMN_BYTES } else { COLUMN_BYTES };
        self.files.len().saturating_mul(self.types.len()).saturating_mul(of_column)
    }

    /// About the bytes that it takes beside for what ANALYZE found of its columns.
    pub(super) fn known_bytes(&self) -> usize {
        if self.estimates.analysis.is_some() { self.types.len().saturating_mul(KNOWN_COLUMN_BYTES) } else { 0 }
    }

    fn keeps_bounds(&self) -> bool {
        self.files.len().saturating_mul(self.types.len()) <= MOST_KEPT_BOUNDS
    }

    /// What holds for all rows of a file, by its place.
    fn bounds_of(&self, at: usize) -> Arc<Statistics> {
        let bounds = |file: &DataFile| Arc::new(file_bounds(&self.types, file));
        if !self.keeps_bounds() {
            return bounds(&self.files[at]);
        }
        Arc::clone(&self.bounds.get_or_init(|| self.files.iter().map(bounds).collect())[at])
    }

    /// Whether it has so few rows that one slice reads them before others would have begun.
    pub(crate) fn is_small(&self) -> bool {
        let in_files = self.files.iter().map(|file| file.record_count).sum::<u64>();
        let in_catalog = self.inlined.iter().map(|rows| rows.rows.num_rows() as u64).sum::<u64>();
        in_files + in_catalog <= FEW_ROWS
    }

    fn name(&self) -> String {
        format!("{}.{}", self.table.schema, self.table.name)
    }

    fn is_hidden(&self, name: &str) -> bool {
        self.hidden && (name == FILE_COLUMN || name == POSITION_COLUMN)
    }

    /// The files that a conjunction of filters leaves, by the manifest's statistics.
    fn prune(&self, filters: &[Expr], session: &dyn Session) -> Result<Vec<BoundedFile<'_>>> {
        let files = self.files.iter().enumerate();
        let mut live = files.filter(|(_, file)| live_rows(file) > 0).collect::<Vec<_>>();
        if let Some(key) = self.scan_keys().distribution.map(|at| self.file_schema.field(at))
            && let Some(values) = key_values(filters, key.name(), key.data_type())
        {
            let mut left = Vec::with_capacity(live.len());
            for (at, file) in live {
                if self.bucket(file).map_or(Ok(true), |bucket| has_values(bucket, &values))? {
                    left.push((at, file));
                }
            }
            live = left;
        }
        let live: Vec<BoundedFile<'_>> = live.into_iter().map(|(at, file)| (file, self.bounds_of(at))).collect();
        let usable = filters.iter().filter(|filter| !filter.column_refs().iter().any(|c| self.is_hidden(&c.name)));
        let Some(filter) = conjunction(usable.cloned()) else { return Ok(live) };
        let schema = DFSchema::try_from(Arc::clone(&self.file_schema))?;
        let Ok(predicate) = session.create_physical_expr(filter, &schema) else { return Ok(live) };
        let builder = PruningPredicateBuilder::new().with_file_schema(Arc::clone(&self.file_schema));
        let Some(predicate) = builder.build(predicate) else { return Ok(live) };
        let bounds = live.iter().map(|(_, bounds)| Arc::clone(bounds)).collect();
        let kept = predicate.prune(&PrunableStatistics::new(bounds, Arc::clone(&self.file_schema)))?;
        Ok(live.into_iter().zip(kept).filter(|(_, kept)| *kept).map(|(file, _)| file).collect())
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
        let mut inlined = self.inlined_rows()?;
        // A table whose format was changed has files of both.
        for format in [FileFormat::Vortex, FileFormat::Parquet] {
            let files: Vec<_> = files.iter().filter(|(file, _)| file.format == format).cloned().collect();
            if !files.is_empty() {
                scans.push(self.scan_files(session, format, files, inlined.take(), projection, limit).await?);
            }
        }
        if inlined.is_some() {
            let format = self.table.attributes.format;
            scans.push(self.scan_files(session, format, Vec::new(), inlined, projection, limit).await?);
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
        files: Vec<BoundedFile<'_>>,
        inlined: Option<(DataFile, RecordBatch)>,
        projection: Option<&Vec<usize>>,
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut statistics = self.statistics_of(&files, inlined.as_ref().map(|(described, _)| described))?;
        if let Some(given) = projection {
            // Those of others nobody needs, and all are copied each time that an operator above asks.
            for (at, column) in statistics.column_statistics.iter_mut().enumerate() {
                if !given.contains(&at) {
                    *column = ColumnStatistics::new_unknown();
                }
            }
        }
        let in_catalog = inlined.as_ref().map_or(0, |(described, _)| described.record_count);
        let summary = self.summary(format, &files, in_catalog);
        let parts: Vec<_> = files.into_iter().map(|file| self.partitioned_file(file)).collect();
        let mut parts: Vec<PartitionedFile> = stream::iter(parts).buffered(CONCURRENCY).try_collect().await?;
        if let Some((described, rows)) = inlined {
            let mut file = memory_file(rows);
            if self.hidden {
                file = file.with_partition_values(vec![ScalarValue::Int64(None)]);
            }
            let place = FilePlace { bucket: None, sorted: described.sorted };
            parts.push(file.with_statistics(Arc::new(file_bounds(&self.types, &described))).with_extension(place));
        }
        if let Some(first) = parts.first_mut() {
            *first = first.clone().with_extension(summary);
        }
        let groups = FileGroup::new(parts).split_files(session.config().target_partitions());

        let mut schema = TableSchema::builder(Arc::clone(&self.file_schema));
        if self.hidden {
            schema = schema.with_table_partition_cols(vec![file_field()]).with_virtual_columns(vec![position_field()]);
        }
        let source = format::file_source(format, schema.build(), &self.storage, session);
        let keys = self.scan_keys();
        let source =
            ManagedSource::new(source, format, self.name().into(), &self.storage, keys, Arc::clone(&self.columns));
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

    /// What is known of all its rows.
    fn told(&self) -> Result<&Statistics> {
        if let Some(told) = self.told.get() {
            return Ok(told);
        }
        let inlined = self.inlined_rows()?.map(|(described, _)| described);
        let files = self.files.iter().chain(&inlined);
        let told = table_statistics(&self.types, &self.file_schema, files, &self.estimates)?;
        Ok(self.told.get_or_init(|| told))
    }

    /// What is known of the rows of a scan, of these files and of rows in the catalog.
    fn statistics_of(&self, files: &[BoundedFile<'_>], inlined: Option<&DataFile>) -> Result<Statistics> {
        let of_table = self.files.iter().filter(|file| live_rows(file) > 0).count();
        let has_inlined = self.described.get().is_some_and(Option::is_some);
        let known = if files.len() == of_table && inlined.is_some() == has_inlined {
            self.told()?.clone()
        } else {
            let files = files.iter().map(|(file, _)| *file).chain(inlined);
            table_statistics(&self.types, &self.file_schema, files, &self.estimates)?
        };
        if !self.hidden {
            return Ok(known);
        }
        Ok(Statistics { num_rows: known.num_rows, ..Statistics::new_unknown(&self.schema) })
    }

    /// What a scan selects: these files, and so many rows that stand in none.
    pub(super) fn summary(&self, format: FileFormat, files: &[BoundedFile<'_>], in_memory: u64) -> TableScanSummary {
        let files = files.iter().map(|(file, _)| *file);
        TableScanSummary {
            table: self.name(),
            table_id: self.table.id,
            analyzed: self.estimates.analysis.is_some(),
            rows: in_memory + files.clone().map(|file| file.record_count).sum::<u64>(),
            files: files.len(),
            files_of_table: self.files.iter().filter(|file| file.format == format).count(),
            bytes: files.clone().map(|file| file.size_bytes).sum(),
            deleted_rows: files.map(|file| file.record_count.saturating_sub(live_rows(file))).sum(),
        }
    }

    async fn partitioned_file(&self, (file, bounds): BoundedFile<'_>) -> Result<PartitionedFile> {
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
        scanned = scanned.with_statistics(bounds);
        scanned = scanned.with_extension(FilePlace { bucket: self.bucket(file), sorted: is_sorted(&self.table, file) });
        if file.deletes.is_some() || !file.inlined_deletes.is_empty() {
            let deleted = read_deletes(&self.storage, &self.table, file).await?;
            scanned = format::without_rows(file.format, scanned, &deleted, file.record_count)?;
        }
        Ok(scanned)
    }

    /// The rows that the manifest holds, in the order of the sort key, and what is known of them as of a file.
    fn inlined_rows(&self) -> Result<Option<(DataFile, RecordBatch)>> {
        if let Some(described) = self.described.get() {
            return Ok(described.clone());
        }
        let described = self.describe_inlined()?;
        Ok(self.described.get_or_init(|| described).clone())
    }

    fn describe_inlined(&self) -> Result<Option<(DataFile, RecordBatch)>> {
        let batches = self.inlined.iter().map(|rows| self.inlined_batch(rows)).collect::<Result<Vec<_>>>()?;
        let rows = concat_batches(&self.schema, &batches).map_err(|e| Error::internal(e.to_string()))?;
        if rows.num_rows() == 0 {
            return Ok(None);
        }
        let mut collector = Collector::new(&self.table.columns)?;
        collector.update(&rows)?;
        let by = self.scan_keys().sort;
        let described = DataFile {
            record_count: rows.num_rows() as u64,
            sorted: !by.is_empty(),
            columns: collector.finish(&[]).collect(),
            ..DataFile::default()
        };
        if by.is_empty() {
            return Ok(Some((described, rows)));
        }
        let column = |at: usize| SortColumn { values: Arc::clone(rows.column(at)), options: Some(SORT_OPTIONS) };
        let columns: Vec<SortColumn> = by.into_iter().map(column).collect();
        let sorted = lexsort_to_indices(&columns, None).and_then(|order| take_record_batch(&rows, &order));
        Ok(Some((described, sorted.map_err(|e| Error::internal(e.to_string()))?)))
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

    /// Where its rows are.
    pub(crate) fn row_place(&self) -> RowPlace {
        let keys = self.scan_keys();
        match keys.distribution {
            Some(at) if is_hashable(self.file_schema.field(at).data_type()) => RowPlace::Hashed(at),
            _ if keys.copied => RowPlace::First,
            _ => RowPlace::Dealt,
        }
    }

    /// Where the table's keys are among its columns.
    fn scan_keys(&self) -> ScanKeys {
        let place = |id: &i64| self.table.columns.iter().position(|column| column.id == *id);
        ScanKeys {
            distribution: match &self.style {
                DistributionStyle::Key { column } => place(column),
                _ => None,
            },
            sort: match &self.table.attributes.effective_sort_key() {
                // Columns behind one that is gone are in no order.
                SortKey::Compound { columns } => columns.iter().map_while(place).collect(),
                _ => Vec::new(),
            },
            copied: self.style == DistributionStyle::All,
        }
    }

    /// A file's bucket of the distribution key, and of how many.
    fn bucket(&self, file: &DataFile) -> Option<(u32, u32)> {
        let DistributionStyle::Key { column } = self.style else { return None };
        let by_key = file.layout.distribution_column == Some(column) && file.layout.hash_version == HASH_VERSION;
        (by_key && file.layout.buckets > 0).then_some((file.bucket?, file.layout.buckets))
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
        let mut statistics = self.told().ok()?.clone();
        let hidden = self.schema.fields().len() - self.file_schema.fields().len();
        statistics.column_statistics.extend((0..hidden).map(|_| ColumnStatistics::new_unknown()));
        Some(statistics)
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
