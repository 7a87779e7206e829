//! Writing to the lake: Athena's `CREATE TABLE … AS` and `INSERT INTO` external tables.
//!
//! Files are staged while the query runs, made visible together, and only then does the catalog learn of the table or
//! its new partitions. What fails before that leaves nothing behind.

use super::ddl::{check_readable, new_table, now_ms};
use super::{done, managed, query, skipping};
use crate::error::{Error, ErrorKind, Result};
use crate::federated;
use crate::lake::hive_classes::{TEXT_INPUT_FORMAT, TEXT_OUTPUT_FORMAT, storage_classes};
use crate::lake::location::Location;
use crate::lake::types;
use crate::lake::write::{
    self, Bucketing, Compression, DEFAULT_MAX_FILE_SIZE_BYTES, WriteFormat, WriteTarget, Written,
};
use crate::plan;
use crate::resolve::{self, Relation};
use crate::result::{CommandTag, StatementResult};
use crate::session::Context;
use crate::sql::{CreateTableAs, Insert, PropertyValue, Statement};
use crate::tables;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::execute_stream_partitioned;
use millrace_catalog::model::{
    Column, HIVE_DEFAULT_PARTITION, Parameters, Partition, SerDe, StorageDescriptor, Table, TableKind,
};
use object_store::path::Path;
use std::collections::HashMap;
use std::future::ready;
use std::sync::Arc;

/// What external tables do not have.
pub(crate) const DEFAULT_VALUES: &str = "INSERT INTO … DEFAULT VALUES of an external table";

/// The table that a statement writes, for EXPLAIN.
pub(crate) fn target_name(statement: &Statement) -> Option<String> {
    match statement {
        Statement::Insert(insert) => Some(insert.table.parts.join(".")),
        Statement::CreateTableAs(create) => Some(create.name.parts.join(".")),
        Statement::CreateTable(create) => Some(create.name.parts.join(".")),
        Statement::Copy(copy) => Some(copy.table.parts.join(".")),
        Statement::CopyIn(copy) => Some(copy.table.parts.join(".")),
        Statement::Update(update) => Some(update.table.parts.join(".")),
        Statement::Delete(delete) => Some(delete.table.parts.join(".")),
        Statement::Merge(merge) => Some(merge.table.parts.join(".")),
        _ => None,
    }
}

/// Athena's `CREATE TABLE t WITH (…) AS query`.
pub(crate) async fn create_table_as(context: &Context, create: &CreateTableAs) -> Result<StatementResult> {
    let snapshot = context.snapshot().await?;
    let (database, name) = resolve::qualify(&snapshot, &create.name, context.database())?;
    context.check_no_block("CREATE TABLE of an external table")?;
    if resolve::relation(context, &database, &name).await?.is_some() {
        return if create.if_not_exists {
            let notice = skipping("relation", &name, "already exists");
            Ok(done(CommandTag::Verb("CREATE TABLE"), vec![notice]))
        } else {
            Err(Error::new(ErrorKind::DuplicateTable, format!("relation \"{name}\" already exists")))
        };
    }
    if context.catalog().is_read_only() {
        return Err(Error::new(ErrorKind::ReadOnly, "the warehouse is read-only"));
    }
    let options = Options::of(&create.properties)?;
    let plan = query::logical_plan(context, &create.query).await?;
    let base = snapshot.database(&database).and_then(|database| database.location.clone());
    let table = options.table(context, database, name, base, &plan)?;
    check_readable(context, &snapshot, &table)?;
    WriteFormat::of_table(&table)?;
    let location = Location::literal(table.storage.location.as_deref().unwrap_or_default())?;
    context.lake().listings.forget(&location.url());
    if !context.lake().listings.files(&location).await?.is_empty() {
        let message = format!("location \"{}\" is not empty", location.url());
        return Err(
            Error::new(ErrorKind::DuplicateObject, message).with_hint("give an empty folder as external_location")
        );
    }
    if !create.with_data {
        context.catalog().create_table(&table, create.if_not_exists).await?;
        return Ok(done(CommandTag::Verb("CREATE TABLE"), vec![]));
    }
    let sources: Vec<Option<usize>> = (0..plan.schema().fields().len()).map(Some).collect();
    let written = run(context, &table, &location, plan, &sources, HashMap::new(), ready(Ok(()))).await?;
    context.lake().listings.forget(&location.url());
    let partitions = new_partitions(&table, &location, &written);
    let store = context.lake().listings.stores().open(&location).await?;
    match context.catalog().create_table_with_partitions(&table, &partitions, false).await {
        Ok(_) => Ok(done(CommandTag::Insert(written.rows), vec![])),
        Err(error) => {
            written.remove(store.as_ref()).await;
            Err(error.into())
        }
    }
}

/// `INSERT INTO t [(columns)] query`.
pub(crate) async fn insert(context: &Context, insert: &Insert) -> Result<StatementResult> {
    let table = match resolve::find_relation(context, &insert.table).await? {
        Relation::Managed(table) => return managed::insert(context, table, insert).await,
        Relation::Foreign(table) => return Err(table.unchangeable()),
        Relation::Catalog(table) => table,
    };
    let Some(query) = &insert.query else { return Err(Error::unsupported(DEFAULT_VALUES)) };
    let plan = query::logical_plan(context, query).await?;
    let rows = add(context, &table, &insert.columns, plan, "INSERT INTO", ready(Ok(()))).await?;
    Ok(done(CommandTag::Insert(rows), vec![]))
}

/// `COPY` into an external table: a plan's rows, whose columns are those named; how many there were. `look` is done when
/// all rows are written and nobody sees them yet; what it refuses is never seen.
pub(crate) async fn load(
    context: &Context,
    table: &Table,
    names: &[String],
    plan: LogicalPlan,
    look: impl Future<Output = Result<()>>,
) -> Result<u64> {
    add(context, table, names, plan, "COPY into", look).await
}

/// Adds a plan's rows to an external table; how many there were.
async fn add(
    context: &Context,
    table: &Table,
    names: &[String],
    plan: LogicalPlan,
    verb: &str,
    look: impl Future<Output = Result<()>>,
) -> Result<u64> {
    context.check_no_block(&format!("{verb} an external table"))?;
    if table.kind != TableKind::ExternalTable {
        return Err(Error::new(ErrorKind::WrongObjectType, format!("\"{}\" is not a table", table.name)));
    }
    if let Some(error) = federated::declared::unchangeable(table) {
        return Err(error);
    }
    if table.storage.bucket_count > 0 {
        return Err(Error::unsupported(format!("{verb} a bucketed table")));
    }
    if table.parameters.contains_key("storage.location.template") {
        return Err(Error::unsupported(format!("{verb} a table with storage.location.template")));
    }
    let sources = insert_sources(table, names, &plan)?;
    let location = Location::literal(table.storage.location.as_deref().unwrap_or_default())?;
    let folders = partition_folders(context, table, &location).await?;
    let known: Vec<Vec<Option<String>>> = folders.keys().cloned().collect();
    let written = run(context, table, &location, plan, &sources, folders, look).await?;
    context.lake().listings.forget(&location.url());
    let mut partitions = new_partitions(table, &location, &written);
    partitions.retain(|partition| !known.contains(&partition.values));
    let projected = table.parameters.get("projection.enabled").is_some_and(|v| v.eq_ignore_ascii_case("true"));
    if !partitions.is_empty()
        && !projected
        && let Err(error) = context.catalog().add_partitions(table, &partitions, true).await
    {
        let store = context.lake().listings.stores().open(&location).await?;
        written.remove(store.as_ref()).await;
        return Err(error.into());
    }
    Ok(written.rows)
}

/// For each column of a table, the query's column that fills it.
fn insert_sources(table: &Table, named: &[String], plan: &LogicalPlan) -> Result<Vec<Option<usize>>> {
    let columns: Vec<&str> =
        table.storage.columns.iter().chain(&table.partition_keys).map(|column| column.name.as_str()).collect();
    let given = plan.schema().fields().len();
    let wanted = if named.is_empty() { columns.len() } else { named.len() };
    if given != wanted {
        let more = if given > wanted {
            "more expressions than target columns"
        } else {
            "more target columns than expressions"
        };
        return Err(Error::new(ErrorKind::Syntax, format!("INSERT has {more}"))
            .with_detail(format!("{wanted} columns, {given} expressions")));
    }
    if named.is_empty() {
        return Ok((0..given).map(Some).collect());
    }
    for (at, name) in named.iter().enumerate() {
        if !columns.contains(&name.as_str()) {
            let message = format!("column \"{name}\" of relation \"{}\" does not exist", table.name);
            return Err(Error::new(ErrorKind::UndefinedColumn, message));
        }
        if named[..at].contains(name) {
            return Err(Error::new(ErrorKind::DuplicateColumn, format!("column \"{name}\" specified more than once")));
        }
    }
    Ok(columns.iter().map(|column| named.iter().position(|name| name == column)).collect())
}

/// The folders of the partitions that a table has already.
async fn partition_folders(
    context: &Context,
    table: &Table,
    location: &Location,
) -> Result<HashMap<Vec<Option<String>>, Path>> {
    let mut folders = HashMap::new();
    for partition in context.catalog().partitions(table, &[]).await? {
        let place = Location::literal(&partition.location)?;
        if place.store() == location.store() {
            folders.insert(partition.values, place.path().clone());
        }
    }
    Ok(folders)
}

fn new_partitions(table: &Table, location: &Location, written: &Written) -> Vec<Partition> {
    if table.partition_keys.is_empty() {
        return Vec::new();
    }
    let mut made: Vec<Partition> = Vec::new();
    for (values, folder) in &written.partitions {
        // The text by which Hive names the folder of NULL is read as NULL, so it is one partition with it.
        let values = values.iter().map(|value| value.clone().filter(|text| text != HIVE_DEFAULT_PARTITION));
        let values: Vec<Option<String>> = values.collect();
        if !made.iter().any(|known| known.values == values) {
            let location = location.url_of(folder);
            let parameters = Parameters::new();
            made.push(Partition { values, location, storage: None, parameters, create_time_ms: now_ms() });
        }
    }
    made
}

/// Runs the query and makes its files visible, if a last look allows it.
async fn run(
    context: &Context,
    table: &Table,
    location: &Location,
    plan: LogicalPlan,
    sources: &[Option<usize>],
    partition_folders: HashMap<Vec<Option<String>>, Path>,
    look: impl Future<Output = Result<()>>,
) -> Result<Written> {
    let data_schema: SchemaRef =
        Arc::new(Schema::new(table.storage.columns.iter().map(types::to_field).collect::<Vec<_>>()));
    let keys = table.partition_keys.iter().map(|key| Arc::new(types::to_field(key)));
    let all: Vec<_> = data_schema.fields().iter().cloned().chain(keys).collect();
    let plan = plan::cast_to_table(plan, &Arc::new(Schema::new(all)), sources)?;
    let physical = query::physical_plan(context, &plan).await?;
    let bucket_columns = table.storage.bucket_columns.iter();
    let bucket_columns = bucket_columns.filter_map(|name| data_schema.index_of(name).ok()).collect();
    let target = WriteTarget {
        existing: Vec::new(),
        store: context.lake().listings.stores().open(location).await?,
        url: location.store().clone(),
        prefix: location.path().clone(),
        format: WriteFormat::of_table(table)?,
        compression: Compression::from_properties(&table.parameters)?,
        data_schema,
        partition_columns: table.partition_keys.clone(),
        partition_folders,
        bucketing: (table.storage.bucket_count > 0)
            .then_some(Bucketing { columns: bucket_columns, count: table.storage.bucket_count }),
        max_file_size_bytes: DEFAULT_MAX_FILE_SIZE_BYTES,
        file_name_prefix: format!("{}_{}", chrono::Utc::now().format("%Y%m%d_%H%M%S"), uuid::Uuid::new_v4().simple()),
        slices: None,
        row_group_bytes: None,
        cleanup: context.warehouse().cleanup().clone(),
    };
    let streams = execute_stream_partitioned(physical, context.state().task_ctx())?;
    let files = write::write(target, streams).await?;
    look.await?;
    files.commit().await
}

/// The properties of Athena's CTAS.
#[derive(Debug, Default)]
struct Options {
    format: Option<String>,
    location: Option<String>,
    partitioned_by: Vec<String>,
    bucketed_by: Vec<String>,
    bucket_count: Option<u32>,
    field_delimiter: Option<String>,
    parameters: Parameters,
}

impl Options {
    fn of(properties: &[(String, PropertyValue)]) -> Result<Self> {
        let mut options = Self::default();
        for (name, value) in properties {
            let invalid = || Error::new(ErrorKind::InvalidParameter, format!("invalid value for property \"{name}\""));
            let text = match value {
                PropertyValue::Text(text) => Ok(text.clone()),
                PropertyValue::List(_) => Err(invalid()),
            };
            let list = || match value {
                PropertyValue::List(list) => list.iter().map(|name| name.to_lowercase()).collect(),
                PropertyValue::Text(text) => vec![text.to_lowercase()],
            };
            match name.as_str() {
                "format" => options.format = Some(text?),
                "external_location" => options.location = Some(text?),
                "partitioned_by" => options.partitioned_by = list(),
                "bucketed_by" => options.bucketed_by = list(),
                "bucket_count" => options.bucket_count = Some(text?.parse().map_err(|_| invalid())?),
                "field_delimiter" => options.field_delimiter = Some(text?),
                "write_compression" | "parquet_compression" | "orc_compression" => {
                    options.parameters.insert("write.compression".to_owned(), text?);
                }
                "compression_level" => {
                    options.parameters.insert("compression_level".to_owned(), text?);
                }
                "is_external" | "table_type" => {
                    let text = text?;
                    if text == "true" || text.eq_ignore_ascii_case("hive") {
                        continue;
                    }
                    return Err(Error::unsupported(format!("the property \"{name}\" with this value")));
                }
                _ => {
                    let message = format!("table property \"{name}\" does not exist");
                    return Err(Error::new(ErrorKind::InvalidParameter, message));
                }
            }
        }
        Ok(options)
    }

    /// The table's definition, from the properties and the query's columns.
    fn table(
        self,
        context: &Context,
        database: String,
        name: String,
        base: Option<String>,
        plan: &LogicalPlan,
    ) -> Result<Table> {
        let (columns, partition_keys) = self.columns(plan)?;
        let format = self.format.as_deref().unwrap_or("PARQUET");
        let (library, input, output) = match format.to_ascii_uppercase().as_str() {
            "TEXTFILE" => storage_classes("TEXTFILE").unwrap_or(("", TEXT_INPUT_FORMAT, TEXT_OUTPUT_FORMAT)),
            _ => storage_classes(format)
                .ok_or_else(|| Error::new(ErrorKind::InvalidParameter, format!("format \"{format}\" is not known")))?,
        };
        let mut serde = SerDe { library: library.to_owned(), parameters: Parameters::new() };
        if let Some(delimiter) = self.field_delimiter {
            serde.parameters.insert("field.delim".to_owned(), delimiter);
        }
        let bucket_count = match (self.bucketed_by.is_empty(), self.bucket_count) {
            (true, None) => 0,
            (false, Some(count)) if count > 0 => count,
            _ => {
                let message = "bucketed_by and a bucket_count above 0 go together";
                return Err(Error::new(ErrorKind::InvalidParameter, message));
            }
        };
        if let Some(missing) = self.bucketed_by.iter().find(|name| !columns.iter().any(|c| c.name == **name)) {
            return Err(Error::new(ErrorKind::UndefinedColumn, format!("column \"{missing}\" does not exist")));
        }
        let location = match (self.location, base) {
            (Some(location), _) => Location::literal(&location)?.url(),
            // As in Athena, a folder of its own for each CTAS, so that a table made again finds it empty.
            (None, Some(base)) => format!("{base}/{name}/{}", uuid::Uuid::new_v4()),
            (None, None) => {
                let directory = context.warehouse().config().directory.join("lake").join(&database).join(&name);
                let directory = directory.join(uuid::Uuid::new_v4().to_string());
                Location::literal(&directory.to_string_lossy())?.url()
            }
        };
        let storage = StorageDescriptor {
            columns,
            location: Some(location),
            input_format: input.to_owned(),
            output_format: output.to_owned(),
            serde,
            bucket_count,
            bucket_columns: self.bucketed_by,
            ..StorageDescriptor::default()
        };
        let table = Table { owner: context.owner(), ..new_table(database, name, TableKind::ExternalTable, storage) };
        Ok(Table { partition_keys, parameters: self.parameters, ..table })
    }

    /// The query's columns, divided into data columns and partition keys, which must be the last ones.
    fn columns(&self, plan: &LogicalPlan) -> Result<(Vec<Column>, Vec<Column>)> {
        let mut columns: Vec<Column> = Vec::new();
        for field in plan.schema().fields() {
            let name = plan::shown_name(field.name()).to_lowercase();
            if columns.iter().any(|known| known.name == name) {
                let message = format!("column \"{name}\" specified more than once");
                return Err(Error::new(ErrorKind::DuplicateColumn, message).with_hint("name the columns with AS"));
            }
            if tables::is_sketch(field) {
                return Err(Error::unsupported(format!(
                    "the column \"{name}\" of type hllsketch in an external table"
                )));
            }
            columns.push(Column::new(name, types::from_arrow(field.data_type())?));
        }
        let split = columns.len().saturating_sub(self.partitioned_by.len());
        let keys = columns.split_off(split);
        if !keys.iter().map(|key| &key.name).eq(&self.partitioned_by) {
            let message = format!(
                "partition keys must be the last columns of the query, in order: {}",
                self.partitioned_by.join(", ")
            );
            return Err(Error::new(ErrorKind::InvalidTableDefinition, message));
        }
        if columns.is_empty() {
            let message = "a table needs a column that is not a partition key";
            return Err(Error::new(ErrorKind::InvalidTableDefinition, message));
        }
        Ok((columns, keys))
    }
}
