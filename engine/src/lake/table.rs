//! An external table as DataFusion scans it: partitions pruned, files listed, footers read, in that order.
//!
//! Listing waits until `scan`, when the filters are known, so that a query of one partition lists one folder. Filters
//! on partition keys and pseudo-columns are decided here, exactly; the rest go on to the format's reader.

mod analyze;
mod kept;

pub(crate) use analyze::Folder;

use super::evolve;
use super::format::{Format, Misfits, TableColumns};
use super::listing::Listings;
use super::location::Location;
use super::projection::PartitionProjection;
use super::prune;
use super::statistics::{FileStatistics, MOST_FOOTERS, estimate};
use super::types;
use crate::error::{Error, ErrorKind, Result};
use async_trait::async_trait;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::ScalarValue;
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion_datasource::compute_all_files_statistics;
use futures::{StreamExt, TryStreamExt, stream};
use kept::Kept;
use millrace_catalog::model::{HiveType, Partition, PartitionFilter, Table, TableStatistics};
use millrace_catalog::{Catalog, CatalogError};
use object_store::ObjectMeta;
use std::fmt;
use std::sync::Arc;

/// How many folders are listed, or footers read, at a time.
const CONCURRENCY: usize = 32;

/// What lake tables share: stores, listings, statistics.
#[derive(Debug)]
pub struct Lake {
    /// Listings, and through them the object stores.
    pub listings: Listings,
    /// Statistics by file.
    pub statistics: FileStatistics,
}

/// A column that is no column of the table: what is known of the file that a row comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PseudoColumn {
    /// `"$path"`: the file's URL (Athena, Spectrum).
    Path,
    /// `"$size"`: the file's size in bytes (Spectrum).
    Size,
    /// `"$file_size"`: the same (Trino).
    FileSize,
    /// `"$file_modified_time"` (Trino).
    FileModifiedTime,
}

impl PseudoColumn {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Path, Self::Size, Self::FileSize, Self::FileModifiedTime];

    /// The column's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Path => "$path",
            Self::Size => "$size",
            Self::FileSize => "$file_size",
            Self::FileModifiedTime => "$file_modified_time",
        }
    }

    fn data_type(self) -> DataType {
        match self {
            Self::Path => DataType::Utf8View,
            Self::Size | Self::FileSize => DataType::Int64,
            Self::FileModifiedTime => {
                DataType::Timestamp(datafusion::arrow::datatypes::TimeUnit::Millisecond, Some("UTC".into()))
            }
        }
    }

    fn value(self, location: &Location, object: &ObjectMeta) -> ScalarValue {
        match self {
            Self::Path => ScalarValue::Utf8View(Some(location.url_of(&object.location))),
            Self::Size | Self::FileSize => ScalarValue::Int64(Some(object.size.cast_signed())),
            Self::FileModifiedTime => {
                ScalarValue::TimestampMillisecond(Some(object.last_modified.timestamp_millis()), Some("UTC".into()))
            }
        }
    }
}

/// Where a table's files are known from.
enum Files {
    /// The catalog's partitions, or the table's own location when it has no partition keys.
    Catalog { catalog: Arc<Catalog>, table: Arc<Table>, projection: Option<PartitionProjection> },
    /// A list that a direct query made, each with the values of its partition keys.
    Direct { location: Location, files: Vec<(ObjectMeta, Vec<ScalarValue>)> },
}

/// An external table, or the files of a direct query.
pub struct LakeTable {
    lake: Arc<Lake>,
    name: String,
    files: Files,
    format: Format,
    columns: TableColumns,
    key_fields: Vec<FieldRef>,
    pseudo: Vec<PseudoColumn>,
    schema: SchemaRef,
    statistics: Option<Arc<TableStatistics>>,
    partitions_analyzed: bool,
}

/// What a scan of one table selected, kept beside its files for EXPLAIN and progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanSummary {
    /// The table, as `database.table`, or the place of a direct query.
    pub table: String,
    /// Its number in the catalog, where it is in it.
    pub table_id: Option<i64>,
    /// The place of its files.
    pub location: String,
    /// The catalog's table, whose partitions can be counted.
    pub partitioned: Option<Arc<Table>>,
    /// Partitions selected, where the table has partition keys.
    pub partitions: Option<usize>,
    /// Files selected.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// A folder that a scan reads, with the values of the partition keys and the format of its files.
struct Selected {
    location: Location,
    values: Vec<ScalarValue>,
    format: Option<Format>,
}

/// A file that a scan reads.
struct DataFile {
    location: Location,
    object: ObjectMeta,
    values: Vec<ScalarValue>,
    format: Option<Format>,
}

impl fmt::Debug for LakeTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LakeTable").field("name", &self.name).field("format", &self.format).finish_non_exhaustive()
    }
}

impl LakeTable {
    /// The catalog's table with the pseudo-columns that the statement names.
    pub fn of_catalog(
        lake: Arc<Lake>,
        catalog: Arc<Catalog>,
        table: Arc<Table>,
        pseudo: Vec<PseudoColumn>,
    ) -> Result<Self> {
        let format = Format::of_storage(&table.storage, &table.parameters)?;
        let file_schema = Arc::new(Schema::new(table.storage.columns.iter().map(types::to_field).collect::<Vec<_>>()));
        let key_fields = table.partition_keys.iter().map(|key| Arc::new(types::to_field(key))).collect();
        let location = table.storage.location.as_deref().unwrap_or_default();
        let projection = PartitionProjection::from_table(&table.parameters, &table.partition_keys, location)?;
        let by_position = ["parquet.column.index.access", "orc.column.index.access"].iter().any(|key| {
            let flag = table.storage.serde.parameters.get(*key).or_else(|| table.parameters.get(*key));
            flag.is_some_and(|value| value.eq_ignore_ascii_case("true"))
        });
        let name = format!("{}.{}", table.database, table.name);
        let files = Files::Catalog { catalog, table, projection };
        let columns = TableColumns { schema: file_schema, by_position };
        Ok(Self::new(lake, name, files, format, columns, key_fields, pseudo))
    }

    /// The files of a direct query.
    pub(crate) fn of_files(
        lake: Arc<Lake>,
        location: Location,
        files: Vec<(ObjectMeta, Vec<ScalarValue>)>,
        format: Format,
        file_schema: SchemaRef,
        key_fields: Vec<FieldRef>,
        pseudo: Vec<PseudoColumn>,
    ) -> Self {
        let name = location.to_string();
        let columns = TableColumns { schema: file_schema, by_position: false };
        Self::new(lake, name, Files::Direct { location, files }, format, columns, key_fields, pseudo)
    }

    fn new(
        lake: Arc<Lake>,
        name: String,
        files: Files,
        format: Format,
        columns: TableColumns,
        key_fields: Vec<FieldRef>,
        pseudo: Vec<PseudoColumn>,
    ) -> Self {
        let extra = pseudo.iter().map(|p| Arc::new(Field::new(p.name(), p.data_type(), true)));
        let fields: Vec<FieldRef> =
            columns.schema.fields().iter().cloned().chain(key_fields.iter().cloned()).chain(extra).collect();
        let schema = Arc::new(Schema::new(fields));
        let (statistics, partitions_analyzed) = (None, false);
        Self { lake, name, files, format, columns, key_fields, pseudo, schema, statistics, partitions_analyzed }
    }

    /// The same with what a snapshot says of the whole table's rows, and whether anything is known of its partitions'.
    #[must_use]
    pub fn with_statistics(mut self, statistics: Option<Arc<TableStatistics>>, partitions_analyzed: bool) -> Self {
        self.statistics = statistics;
        self.partitions_analyzed = partitions_analyzed;
        self
    }

    /// Whether a column, by its position, is known without opening a file: a partition key or a pseudo-column.
    pub(crate) fn is_constant(&self, column: usize) -> bool {
        column >= self.columns.schema.fields().len()
    }

    /// Whether a column, by its position, is a CHAR, and of how many characters.
    pub(crate) fn char_length(&self, column: usize) -> Option<u32> {
        let Files::Catalog { table, .. } = &self.files else { return None };
        match table.storage.columns.get(column)?.data_type {
            HiveType::Char(length) => Some(length),
            _ => None,
        }
    }

    /// The columns that are known without opening a file: partition keys, then pseudo-columns.
    fn constant_fields(&self) -> &[FieldRef] {
        &self.schema.fields()[self.columns.schema.fields().len()..]
    }

    /// The folders that a conjunction of filters on partition keys leaves.
    async fn select(
        &self,
        filters: &[Expr],
        look_ups: &[PartitionFilter],
        session: &dyn Session,
    ) -> Result<Vec<Selected>> {
        let Files::Catalog { catalog, table, projection } = &self.files else { return Ok(Vec::new()) };
        let base = if let Some(location) = &table.storage.location {
            Location::literal(location)?
        } else {
            let message = format!("table \"{}\" has no location", self.name);
            return Err(Error::new(ErrorKind::InvalidTableDefinition, message));
        };
        if self.key_fields.is_empty() {
            return Ok(vec![Selected { location: base, values: Vec::new(), format: None }]);
        }
        let partitions = match projection {
            Some(projection) => projection.partitions(look_ups, chrono::Utc::now())?,
            None => catalog.partitions(table, look_ups).await?,
        };
        let mut values = Vec::with_capacity(partitions.len());
        for partition in &partitions {
            values.push(self.values_of(table, partition)?);
        }
        let kept = prune::matching(filters, &self.key_fields, &values.iter().map(Vec::as_slice), session)?;
        let mut selected = Vec::new();
        for ((partition, values), kept) in partitions.into_iter().zip(values).zip(kept) {
            if kept {
                let format = match &partition.storage {
                    Some(storage) => {
                        // What a partition says of its files goes before what the table says.
                        let mut parameters = table.parameters.clone();
                        parameters.extend(storage.parameters.clone());
                        Some(Format::of_storage(storage, &parameters)?)
                    }
                    None => None,
                };
                selected.push(Selected { location: Location::literal(&partition.location)?, values, format });
            }
        }
        Ok(selected)
    }

    fn values_of(&self, table: &Table, partition: &Partition) -> Result<Vec<ScalarValue>> {
        if partition.values.len() != table.partition_keys.len() {
            return Err(CatalogError::Damaged(format!(
                "a partition of \"{}\" has a wrong number of values",
                self.name
            ))
            .into());
        }
        let typed = table.partition_keys.iter().zip(&partition.values);
        typed.map(|(key, value)| types::parse_partition_value(value.as_deref(), &key.data_type)).collect()
    }

    /// The files of the selected folders that the filters on constants leave.
    async fn data_files(
        &self,
        selected: Vec<Selected>,
        filters: &[Expr],
        session: &dyn Session,
    ) -> Result<Vec<DataFile>> {
        let mut found: Vec<DataFile> = match &self.files {
            Files::Direct { location, files } => {
                files.iter().map(|(object, values)| self.data_file(location, object, values, None)).collect()
            }
            Files::Catalog { .. } => {
                let listed = stream::iter(selected).map(|folder| async move {
                    let objects = self.lake.listings.files(&folder.location).await?;
                    let files = objects.iter();
                    let files = files
                        .map(|object| self.data_file(&folder.location, object, &folder.values, folder.format.clone()));
                    Ok::<_, Error>(files.collect::<Vec<_>>())
                });
                listed.buffered(CONCURRENCY).try_concat().await?
            }
        };
        if filters.is_empty() || (self.pseudo.is_empty() && matches!(self.files, Files::Catalog { .. })) {
            return Ok(found);
        }
        let rows = found.iter().map(|file| file.values.as_slice());
        let mut kept = prune::matching(filters, self.constant_fields(), &rows, session)?.into_iter();
        found.retain(|_| kept.next().unwrap_or(false));
        Ok(found)
    }

    fn data_file(
        &self,
        location: &Location,
        object: &ObjectMeta,
        keys: &[ScalarValue],
        format: Option<Format>,
    ) -> DataFile {
        let pseudo = self.pseudo.iter().map(|column| column.value(location, object));
        let values = keys.iter().cloned().chain(pseudo).collect();
        DataFile { location: location.clone(), object: object.clone(), values, format }
    }

    async fn plan_scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let constants = self.constant_fields();
        // The simplifier may leave a constant of a filter that was taken whole: NULL of `k NOT IN (1, NULL)`.
        let bare = filters.iter().filter(|filter| filter.column_refs().is_empty() && !filter.is_volatile());
        let bare: Vec<Expr> = bare.cloned().collect();
        let no_values: [&[ScalarValue]; 1] = [&[]];
        if !prune::matching(&bare, &[], &no_values.into_iter(), session)?.contains(&true) {
            return Ok(Arc::new(EmptyExec::new(datafusion::common::project_schema(&self.schema, projection)?)));
        }
        let (on_constants, on_rows): (Vec<Expr>, Vec<Expr>) =
            filters.iter().cloned().partition(|filter| prune::reads_only(filter, constants));
        let on_keys: Vec<Expr> =
            on_constants.iter().filter(|filter| prune::reads_only(filter, &self.key_fields)).cloned().collect();
        let look_ups = prune::partition_filters(&on_keys, &self.key_fields);
        let selected = self.select(&on_keys, &look_ups, session).await?;
        let partitions = (!self.key_fields.is_empty()).then_some(selected.len());
        let mut kept = self.kept(&look_ups, &selected).await?;
        let files = self.data_files(selected, &on_constants, session).await?;
        if let Some(kept) = &mut kept {
            kept.compare(files.iter().map(|file| &file.object));
        }
        let summary = ScanSummary {
            table: self.name.clone(),
            table_id: match &self.files {
                Files::Catalog { table, .. } => Some(table.id),
                Files::Direct { .. } => None,
            },
            location: self.location(),
            partitioned: match &self.files {
                Files::Catalog { table, projection: None, .. } => Some(Arc::clone(table)),
                _ => None,
            },
            partitions,
            files: files.len(),
            bytes: files.iter().map(|file| file.object.size).sum(),
        };
        let limit = if on_rows.is_empty() { limit } else { None };
        self.scan_files(session, files, &summary, kept.as_ref(), projection, limit).await
    }

    /// The place of the table's files.
    fn location(&self) -> String {
        match &self.files {
            Files::Catalog { table, .. } => table.storage.location.clone().unwrap_or_default(),
            Files::Direct { location, .. } => location.to_string(),
        }
    }

    /// A scan of files, one for each store and format.
    async fn scan_files(
        &self,
        session: &dyn Session,
        files: Vec<DataFile>,
        summary: &ScanSummary,
        kept: Option<&Kept>,
        projection: Option<&Vec<usize>>,
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut groups: Vec<(Location, Format, Vec<DataFile>)> = Vec::new();
        for mut file in files {
            let format = file.format.take().unwrap_or_else(|| self.format.clone());
            match groups.iter_mut().find(|(place, known, _)| place.store() == file.location.store() && *known == format)
            {
                Some((_, _, group)) => group.push(file),
                None => groups.push((file.location.clone(), format, vec![file])),
            }
        }
        let mut scans = Vec::with_capacity(groups.len());
        for (place, format, files) in groups {
            scans.push(self.scan_of(session, &place, &format, files, summary, kept, projection, limit).await?);
        }
        match scans.len() {
            0 => {
                let schema = datafusion::common::project_schema(&self.schema, projection)?;
                Ok(Arc::new(EmptyExec::new(schema)))
            }
            1 => Ok(scans.remove(0)),
            _ => Ok(UnionExec::try_new(scans)?),
        }
    }

    /// Refuses to read a column that a file has in a type that does not fit.
    fn check_types(&self, misfits: &Misfits, projection: Option<&Vec<usize>>, url: &str) -> Result<()> {
        let read = |at: &usize| projection.is_none_or(|projection| projection.contains(at));
        match misfits.iter().find(|(at, _)| read(at)) {
            None => Ok(()),
            Some((at, found)) => {
                let field = self.columns.schema.field(*at);
                let (name, wanted) = (field.name(), evolve::type_name(field.data_type()));
                let found = evolve::type_name(found);
                let message =
                    format!("file \"{url}\": column \"{name}\" is {found} in the file and {wanted} in the table");
                Err(Error::new(ErrorKind::DatatypeMismatch, message))
            }
        }
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of one scan, each used once")]
    async fn scan_of(
        &self,
        session: &dyn Session,
        place: &Location,
        format: &Format,
        files: Vec<DataFile>,
        summary: &ScanSummary,
        kept: Option<&Kept>,
        projection: Option<&Vec<usize>>,
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let size_bytes = files.iter().map(|file| file.object.size).sum();
        let store = self.lake.listings.stores().open(place).await?;
        let read_footers = files.len() <= MOST_FOOTERS;
        let store_ref = &store;
        let partitioned = stream::iter(files.into_iter().enumerate()).map(|(number, file)| async move {
            let url = file.location.url_of(&file.object.location);
            let statistics = if read_footers {
                let known = &self.lake.statistics;
                let known = known.of_file(format, store_ref, url.clone(), &file.object, &self.columns, session).await?;
                self.check_types(&known.misfits, projection, &url)?;
                known.statistics
            } else {
                Arc::new(estimate(&file.object, &self.columns.schema))
            };
            let mut scanned = PartitionedFile::new_from_meta(file.object).with_partition_values(file.values);
            scanned = scanned.with_statistics(statistics);
            // One file carries the summary: EXPLAIN finds it there after any regrouping.
            Ok::<_, Error>(if number == 0 { scanned.with_extension(summary.clone()) } else { scanned })
        });
        let partitioned: Vec<PartitionedFile> = partitioned.buffered(CONCURRENCY).try_collect().await?;
        let groups = FileGroup::new(partitioned).split_files(session.config().target_partitions());
        let (groups, mut statistics) = compute_all_files_statistics(groups, Arc::clone(&self.schema), true, false)?;
        if let Some(kept) = kept {
            kept.refine(&mut statistics, &self.schema, projection, size_bytes);
        }

        let constants = self.constant_fields().to_vec();
        let schema =
            TableSchema::builder(Arc::clone(&self.columns.schema)).with_table_partition_cols(constants).build();
        let source = format.file_source(schema, &store, session);
        let config = FileScanConfigBuilder::new(place.store().clone(), source)
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .with_expr_adapter(Some(evolve::expr_adapter_factory(self.columns.by_position)))
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

#[async_trait]
impl TableProvider for LakeTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
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
            if prune::reads_only(filter, self.constant_fields()) {
                TableProviderFilterPushDown::Exact
            } else if filter.is_volatile() || filter.column_refs().is_empty() {
                TableProviderFilterPushDown::Unsupported
            } else {
                TableProviderFilterPushDown::Inexact
            }
        };
        Ok(filters.iter().map(decide).collect())
    }
}
