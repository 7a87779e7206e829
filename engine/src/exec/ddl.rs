//! Databases, external schemas, external tables and views: made and dropped.

use super::dependents::{drop_dependents, drop_object};
use super::show_create::NAMED_COLUMNS;
use super::{connectors, done, query, skipping};
use crate::error::{Error, ErrorKind, Result};
use crate::federated::{Definition, Place};
use crate::interval::is_interval;
use crate::lake::format::Format;
use crate::lake::hive_classes::{LAZY_SIMPLE_SERDE, storage_classes};
use crate::lake::location::Location;
use crate::lake::projection::PartitionProjection;
use crate::lake::types;
use crate::plan;
use crate::resolve::{self, Ground, Relation, RelationName, rights};
use crate::result::{CommandTag, StatementResult};
use crate::session::{Context, RightsChange, is_temporary, written_path};
use crate::sql::{
    Collation, CreateDatabase, CreateExternalSchema, CreateExternalTable, CreateView, DropDatabase, DropTable, Names,
    StoredAs,
};
use datafusion::arrow::datatypes::DataType;
use millrace_catalog::Snapshot;
use millrace_catalog::model::{
    ADMIN, Column, Database, ExternalSchema, HiveType, ManagedTable, Parameters, SerDe, StorageDescriptor, Table,
    TableKind,
};
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

/// `CREATE DATABASE`.
pub(crate) async fn create_database(context: &Context, create: &CreateDatabase) -> Result<StatementResult> {
    if create.name.starts_with("pg_") {
        let message = format!("unacceptable schema name \"{}\"", create.name);
        return Err(Error::new(ErrorKind::InvalidParameter, message)
            .with_detail("the prefix \"pg_\" is reserved for system schemas"));
    }
    Definition::check_none(&create.properties)?;
    if let Some(owner) = create.owner.as_ref().filter(|owner| **owner != context.who().user) {
        rights::check_superuser(context, "make a schema of another user").await?;
        rights::check_user(context, owner).await?;
    }
    let location = create.location.as_deref().map(|location| Location::literal(location).map(|l| l.url()));
    let mut database = Database {
        description: create.comment.clone(),
        location: location.transpose()?,
        parameters: create.properties.clone(),
        create_time_ms: now_ms(),
        ..Database::new(&create.name)
    };
    if create.collation == Some(Collation::CaseInsensitive) {
        database.ignore_case();
    }
    if context.transaction().lock().await.is_block() {
        let snapshot = context.snapshot().await?;
        if resolve::schema_names(&snapshot).any(|known| known == create.name) {
            if !create.if_not_exists {
                let message = format!("schema \"{}\" already exists", create.name);
                return Err(Error::new(ErrorKind::DuplicateSchema, message));
            }
            let notices = vec![skipping("schema", &create.name, "already exists")];
            return Ok(done(CommandTag::Verb("CREATE SCHEMA"), notices));
        }
        let mut transaction = context.transaction().lock().await;
        transaction.create_database(context.warehouse(), database).await?;
        let (name, owner) = (create.name.clone(), create.owner.as_ref().unwrap_or(&context.who().user).clone());
        if owner != ADMIN {
            let owned = RightsChange::new(move |principals| {
                principals.schema_owners.insert(name.clone(), owner.clone());
            });
            transaction.change_rights(context.warehouse(), owned).await?;
        }
        return Ok(done(CommandTag::Verb("CREATE SCHEMA"), vec![]));
    }
    let made = context.catalog().create_database(&database, create.if_not_exists).await?;
    if made {
        own(context, &create.name, create.owner.as_ref().unwrap_or(&context.who().user)).await?;
    }
    let notices = if made { vec![] } else { vec![skipping("schema", &create.name, "already exists")] };
    Ok(done(CommandTag::Verb("CREATE SCHEMA"), notices))
}

/// Makes a user the owner of a schema that is new; nobody's are the superuser's that is always there.
pub(super) async fn own(context: &Context, schema: &str, owner: &str) -> Result<()> {
    if owner == ADMIN {
        return Ok(());
    }
    let owned = context.catalog().change_principals(|principals| {
        principals.schema_owners.insert(schema.to_owned(), owner.to_owned());
        Ok::<(), Error>(())
    });
    owned.await?
}

/// `CREATE EXTERNAL SCHEMA … FROM DATA CATALOG`.
pub(crate) async fn create_external_schema(
    context: &Context,
    create: &CreateExternalSchema,
) -> Result<StatementResult> {
    let schema = ExternalSchema {
        name: create.name.clone(),
        database: create.database.clone(),
        options: create.options.clone(),
        create_time_ms: now_ms(),
    };
    let made = context.catalog().create_external_schema(&schema, create.if_not_exists, create.create_database).await?;
    if made {
        own(context, &create.name, &context.who().user).await?;
    }
    let notices = if made { vec![] } else { vec![skipping("schema", &create.name, "already exists")] };
    Ok(done(CommandTag::Verb("CREATE SCHEMA"), notices))
}

/// `DROP DATABASE|SCHEMA`. Views of other schemas that stand on something in it go with CASCADE only, and with it.
pub(crate) async fn drop_database(context: &Context, drop: &DropDatabase) -> Result<StatementResult> {
    let tag = CommandTag::Verb("DROP SCHEMA");
    let snapshot = context.snapshot().await?;
    if snapshot.external_schema(&drop.name).is_some() {
        context.check_no_block("DROP of an external schema")?;
        drop_external_schema(context, &snapshot, drop).await?;
        return Ok(done(tag, vec![]));
    }
    if snapshot.database(&drop.name).is_none() {
        return if drop.if_exists {
            Ok(done(tag, vec![skipping("schema", &drop.name, "does not exist")]))
        } else {
            Err(resolve::unknown_database(&snapshot, &drop.name))
        };
    }
    let managed = context.transaction().lock().await.tables(context.warehouse(), &drop.name).await?;
    let has_functions = snapshot.database(&drop.name).is_some_and(|database| !database.functions.is_empty());
    let used = snapshot.tables(&drop.name).next().is_some() || !managed.is_empty() || has_functions;
    if !drop.cascade && used {
        let message = format!("cannot drop schema {} because other objects depend on it", drop.name);
        return Err(Error::new(ErrorKind::DependentObjects, message)
            .with_hint("use DROP ... CASCADE to drop the tables too; their files stay"));
    }
    let mut gone = BTreeSet::new();
    drop_dependents_of_schema(context, &drop.name, drop, &mut gone).await?;
    let is_block = context.transaction().lock().await.is_block();
    if is_block && snapshot.tables(&drop.name).any(|table| table.kind == TableKind::ExternalTable) {
        context.check_no_block("DROP SCHEMA of external tables")?;
    }
    if is_block || (!gone.is_empty() && !is_shown(&snapshot, &drop.name)) {
        // Together with the views that go with it.
        drop_at_commit(context, &snapshot, &drop.name).await?;
    } else {
        context.catalog().drop_database(&drop.name, drop.cascade).await?;
    }
    context.sources().forget(&drop.name);
    Ok(done(tag, vec![]))
}

/// Drops the views of other schemas that stand on a schema, or refuses to.
async fn drop_dependents_of_schema(
    context: &Context,
    schema: &str,
    drop: &DropDatabase,
    gone: &mut BTreeSet<RelationName>,
) -> Result<()> {
    let what = format!("schema {}", drop.name);
    drop_dependents(context, Ground::Schema(schema), &what, drop.cascade, gone).await
}

/// Whether an external schema shows a database, and goes with it.
fn is_shown(snapshot: &Snapshot, database: &str) -> bool {
    snapshot.external_schemas().any(|schema| schema.database == database)
}

/// Drops an external schema, and the database that it shows when the statement says so.
async fn drop_external_schema(context: &Context, snapshot: &Snapshot, drop: &DropDatabase) -> Result<()> {
    let database = snapshot.resolve_schema(&drop.name).map(|database| database.name.clone());
    let mut gone = BTreeSet::new();
    drop_dependents_of_schema(context, &drop.name, drop, &mut gone).await?;
    if let Some(database) = database.filter(|_| drop.drop_external_database) {
        drop_dependents_of_schema(context, &database, drop, &mut gone).await?;
        if drop.cascade {
            // The schema goes with the database that it shows.
            return Ok(context.catalog().drop_database(&database, true).await?);
        }
    }
    Ok(context.catalog().drop_external_schema(&drop.name, drop.drop_external_database).await?)
}

/// Drops a database with all that is in it when the transaction commits.
async fn drop_at_commit(context: &Context, snapshot: &Snapshot, name: &str) -> Result<()> {
    let warehouse = context.warehouse();
    let mut transaction = context.transaction().lock().await;
    for table in transaction.tables(warehouse, name).await? {
        transaction.drop_table(warehouse, &table)?;
    }
    for view in snapshot.tables(name) {
        transaction.drop_view(warehouse, view).await?;
    }
    transaction.drop_database(warehouse, name).await
}

/// Hive's `CREATE EXTERNAL TABLE`.
pub(crate) async fn create_external_table(context: &Context, create: &CreateExternalTable) -> Result<StatementResult> {
    let snapshot = context.snapshot().await?;
    let (database, name) = resolve::qualify(&snapshot, &create.name, context.database())?;
    if let Some(place) = connectors::declared_place(create, &snapshot, (&database, &name))? {
        return connectors::create_table(context, create, (database, name), place).await;
    }
    let Some(location) = &create.location else {
        return Err(Error::new(ErrorKind::InvalidTableDefinition, "an external table needs a LOCATION"));
    };
    check_columns(create)?;
    let mut storage = storage_of(create.row_format.as_ref(), create.stored_as.as_ref())?;
    storage.columns.clone_from(&create.columns);
    storage.location = Some(Location::literal(location)?.url());
    if let Some(bucketing) = &create.bucketing {
        storage.bucket_count = bucketing.count;
        storage.bucket_columns.clone_from(&bucketing.columns);
        storage.sort_columns.clone_from(&bucketing.sorted_by);
        for column in &bucketing.columns {
            if !create.columns.iter().any(|known| known.name == *column) {
                return Err(Error::new(ErrorKind::UndefinedColumn, format!("column \"{column}\" does not exist")));
            }
        }
    }
    let table = Table {
        description: create.comment.clone(),
        owner: context.owner(),
        partition_keys: create.partition_keys.clone(),
        parameters: absolute_template(create.properties.clone())?,
        ..new_table(database, name, TableKind::ExternalTable, storage)
    };
    check_readable(context, &snapshot, &table)?;
    let template = table.storage.location.as_deref().unwrap_or_default();
    PartitionProjection::from_table(&table.parameters, &table.partition_keys, template)?;
    let made = context.catalog().create_table(&table, create.if_not_exists).await?;
    let notices = if made.is_some() { vec![] } else { vec![skipping("relation", &table.name, "already exists")] };
    Ok(done(CommandTag::Verb("CREATE TABLE"), notices))
}

/// Makes `storage.location.template` a URL, as locations are.
pub(crate) fn absolute_template(mut properties: Parameters) -> Result<Parameters> {
    if let Some(template) = properties.get_mut("storage.location.template") {
        *template = Location::literal(template)?.url();
    }
    Ok(properties)
}

/// A table's storage from its `ROW FORMAT` and `STORED AS`, as Hive fills in what is not said.
fn storage_of(row_format: Option<&SerDe>, stored_as: Option<&StoredAs>) -> Result<StorageDescriptor> {
    let (serde, input, output) = match stored_as {
        None => storage_classes("TEXTFILE").unwrap_or((LAZY_SIMPLE_SERDE, "", "")),
        Some(StoredAs::Format(format)) => {
            storage_classes(format).ok_or_else(|| Error::unsupported(format!("STORED AS {format}")))?
        }
        Some(StoredAs::Classes { input, output }) => (serde_of_input(input), input.as_str(), output.as_str()),
    };
    let serde = match row_format {
        None => SerDe { library: serde.to_owned(), parameters: Parameters::new() },
        Some(format) if format.library.is_empty() => {
            if serde != LAZY_SIMPLE_SERDE {
                return Err(Error::new(
                    ErrorKind::InvalidTableDefinition,
                    "ROW FORMAT DELIMITED goes with STORED AS TEXTFILE only",
                ));
            }
            SerDe { library: LAZY_SIMPLE_SERDE.to_owned(), parameters: format.parameters.clone() }
        }
        Some(format) => format.clone(),
    };
    Ok(StorageDescriptor {
        serde,
        input_format: input.to_owned(),
        output_format: output.to_owned(),
        ..StorageDescriptor::default()
    })
}

/// The SerDe that goes with an input format when none is named.
fn serde_of_input(input: &str) -> &'static str {
    let formats = ["PARQUET", "ORC", "AVRO", "TEXTFILE"];
    let found = formats.iter().filter_map(|format| storage_classes(format)).find(|(_, known, _)| *known == input);
    found.map_or(LAZY_SIMPLE_SERDE, |(serde, _, _)| serde)
}

/// A table that does not exist yet.
pub(crate) fn new_table(database: String, name: String, kind: TableKind, storage: StorageDescriptor) -> Table {
    let now = now_ms();
    Table {
        id: 0,
        database,
        name,
        version: 0,
        kind,
        description: None,
        owner: None,
        storage,
        partition_keys: Vec::new(),
        parameters: Parameters::new(),
        create_time_ms: now,
        update_time_ms: now,
    }
}

/// Refuses a column that comes twice.
pub(super) fn check_columns(create: &CreateExternalTable) -> Result<()> {
    let mut seen = HashSet::new();
    for column in create.columns.iter().chain(&create.partition_keys) {
        if !seen.insert(&column.name) {
            let message = format!("column \"{}\" specified more than once", column.name);
            return Err(Error::new(ErrorKind::DuplicateColumn, message));
        }
    }
    Ok(())
}

/// Refuses an external table's name, or a column's, that would keep upper-case letters: Glue's are in lower case, and so are
/// the columns that files are read into.
pub(crate) fn check_folded<'a>(names: impl IntoIterator<Item = &'a String>) -> Result<()> {
    match names.into_iter().find(|name| name.chars().any(char::is_uppercase)) {
        Some(name) => Err(Error::unsupported(format!("the name \"{name}\" in an external table"))
            .with_detail("names of external tables and of their columns have no upper-case letters")),
        None => Ok(()),
    }
}

/// Refuses what no scan could read, when it is declared and not when it is first queried.
pub(crate) fn check_readable(context: &Context, snapshot: &Snapshot, table: &Table) -> Result<()> {
    if context.names() == Names::Kept {
        let columns = table.storage.columns.iter().chain(&table.partition_keys).map(|column| &column.name);
        check_folded(columns.chain([&table.name]))?;
    }
    if let Some(place) = Place::of_table(table) {
        return context.sources().check(table, place, snapshot);
    }
    if table.storage.columns.iter().chain(&table.partition_keys).any(|column| column.data_type == HiveType::Super) {
        return Err(Error::unsupported("a column of type super"));
    }
    Format::of_storage(&table.storage, &table.parameters).map(|_| ())
}

/// `CREATE [OR REPLACE] VIEW`.
pub(crate) async fn create_view(context: &Context, create: &CreateView) -> Result<StatementResult> {
    let tag = CommandTag::Verb("CREATE VIEW");
    let snapshot = context.snapshot().await?;
    let (database, name) = resolve::qualify(&snapshot, &create.name, context.database())?;
    if let Some(existing) = snapshot.table(&database, &name) {
        if existing.kind == TableKind::ExternalTable {
            return Err(Error::new(ErrorKind::WrongObjectType, format!("\"{name}\" is not a view")));
        }
        if create.if_not_exists {
            return Ok(done(tag, vec![skipping("relation", &name, "already exists")]));
        }
    }
    if resolve::reads(&snapshot, &create.query, context.path(), &(database.clone(), name.clone()))? {
        let message = format!("view \"{name}\" would read itself");
        return Err(Error::new(ErrorKind::InvalidTableDefinition, message));
    }
    if let Some(table) = resolve::named_temporary(context, &create.query).await? {
        return Err(Error::unsupported(format!("a view over the temporary table \"{}\"", table.name)));
    }
    let columns = if create.late_binding { Vec::new() } else { view_columns(context, create).await? };
    let kind = TableKind::VirtualView {
        text: create.query_text.clone(),
        dialect: context.dialect().name().to_owned(),
        search_database: written_path(context.path()),
    };
    let storage = StorageDescriptor { columns, ..StorageDescriptor::default() };
    let mut view = Table {
        description: create.comment.clone(),
        owner: context.owner(),
        ..new_table(database, name, kind, storage)
    };
    if !create.columns.is_empty() {
        view.parameters.insert(NAMED_COLUMNS.to_owned(), "true".to_owned());
    }
    if context.keeps_case_of_members() {
        view.parameters.insert(resolve::KEEPS_CASE.to_owned(), "true".to_owned());
    }
    if context.names() == Names::Kept {
        view.parameters.insert(resolve::KEEPS_NAMES.to_owned(), "true".to_owned());
    }
    if context.transaction().lock().await.is_block() {
        let taken = resolve::relation(context, &view.database, &view.name).await?;
        let message = match taken {
            Some(_) if create.if_not_exists => {
                return Ok(done(tag, vec![skipping("relation", &view.name, "already exists")]));
            }
            Some(Relation::Managed(_)) if create.or_replace => format!("\"{}\" is not a view", view.name),
            Some(_) if !create.or_replace => format!("relation \"{}\" already exists", view.name),
            _ => {
                context.transaction().lock().await.put_view(context.warehouse(), view).await?;
                return Ok(done(tag, vec![]));
            }
        };
        let kind = if create.or_replace { ErrorKind::WrongObjectType } else { ErrorKind::DuplicateTable };
        return Err(Error::new(kind, message));
    }
    if create.or_replace {
        context.catalog().replace_table(&view).await?;
    } else {
        context.catalog().create_table(&view, create.if_not_exists).await?;
    }
    Ok(done(tag, vec![]))
}

/// A view's columns: its query's, under the names that the statement gives.
async fn view_columns(context: &Context, create: &CreateView) -> Result<Vec<Column>> {
    let plan = query::logical_plan(context, &create.query).await?;
    let fields = plan.schema().fields();
    if !create.columns.is_empty() && create.columns.len() != fields.len() {
        let message = format!("the view names {} columns and its query gives {}", create.columns.len(), fields.len());
        return Err(Error::new(ErrorKind::InvalidTableDefinition, message));
    }
    let mut columns: Vec<Column> = Vec::with_capacity(fields.len());
    for (at, field) in fields.iter().enumerate() {
        let name = create.columns.get(at).map_or(plan::shown_name(field.name()), String::as_str);
        if columns.iter().any(|known| known.name == *name) {
            let message = format!("column \"{name}\" specified more than once");
            return Err(Error::new(ErrorKind::DuplicateColumn, message));
        }
        // Hive has no intervals; its texts stand for other types that it lacks too.
        let data_type = if is_interval(field.data_type()) { &DataType::Utf8 } else { field.data_type() };
        columns.push(Column::new(name, types::from_arrow(data_type)?));
    }
    Ok(columns)
}

/// `DROP TABLE|VIEW`. The files of an external table stay.
pub(crate) async fn drop_tables(context: &Context, drop: &DropTable) -> Result<StatementResult> {
    let tag = CommandTag::Verb(if drop.view { "DROP VIEW" } else { "DROP TABLE" });
    let kind = if drop.view { "view" } else { "table" };
    let mut notices = Vec::new();
    let mut dropped = Vec::with_capacity(drop.names.len());
    // What the statement names does not keep other things of it from going.
    let mut gone = BTreeSet::new();
    for name in &drop.names {
        let found = match resolve::find_relation(context, name).await {
            Err(error) if drop.if_exists && is_missing(&error) => {
                notices.push(skipping(kind, &name.parts.join("."), "does not exist"));
                continue;
            }
            found => found?,
        };
        check_kind(context, &found, drop.view)?;
        let (place, found) = match found {
            Relation::Managed(table) => ((table.schema.clone(), table.name.clone()), Dropped::Managed(table)),
            Relation::Catalog(table) => ((table.database.clone(), table.name.clone()), Dropped::Catalog(table)),
            Relation::Foreign(table) => return Err(table.unchangeable()),
        };
        if gone.insert(place.clone()) {
            dropped.push((place, found));
        }
    }
    for (place, found) in dropped {
        let what = format!("{kind} {}", place.1);
        let (ground, cascade) = (Ground::Relation(&place), drop.cascade);
        match found {
            Dropped::Managed(table) => {
                if !is_temporary(&table) {
                    drop_dependents(context, ground, &what, cascade, &mut gone).await?;
                }
                context.transaction().lock().await.drop_table(context.warehouse(), &table)?;
            }
            Dropped::Catalog(table) => {
                if drop.view {
                    drop_dependents(context, ground, &what, cascade, &mut gone).await?;
                }
                drop_object(context, &table).await?;
            }
        }
    }
    Ok(done(tag, notices))
}

/// What goes.
enum Dropped {
    Managed(Arc<ManagedTable>),
    Catalog(Arc<Table>),
}

/// Refuses to drop something as what it is not, and an external table in a block.
fn check_kind(context: &Context, found: &Relation, view: bool) -> Result<()> {
    let (name, is_view, is_materialized) = match found {
        Relation::Managed(table) => (&table.name, false, table.attributes.materialized.is_some()),
        Relation::Catalog(table) => (&table.name, table.kind != TableKind::ExternalTable, false),
        Relation::Foreign(table) => (&table.name, false, false),
    };
    let other = match (view, is_view, is_materialized) {
        (true, _, true) => Some(("plain view", "DROP MATERIALIZED VIEW")),
        (false, _, true) => Some(("table", "DROP MATERIALIZED VIEW")),
        (true, false, _) => Some(("view", "DROP TABLE")),
        (false, true, _) => Some(("table", "DROP VIEW")),
        _ => None,
    };
    if let Some((kind, hint)) = other {
        let message = format!("\"{name}\" is not a {kind}");
        return Err(Error::new(ErrorKind::WrongObjectType, message).with_hint(format!("use {hint}")));
    }
    match found {
        Relation::Catalog(_) if !is_view => context.check_no_block("DROP TABLE of an external table"),
        _ => Ok(()),
    }
}

pub(super) fn is_missing(error: &Error) -> bool {
    matches!(error.kind, ErrorKind::UndefinedTable | ErrorKind::UndefinedSchema)
}

/// The time, for the catalog's records.
pub(crate) fn now_ms() -> i64 {
    chrono::Utc::now().timestamp_millis()
}
