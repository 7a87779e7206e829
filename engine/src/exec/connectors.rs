//! Schemas over foreign systems and tables that are declared over them: made, and kept from having other tables.

use super::{ddl, done, skipping};
use crate::error::{Error, ErrorKind, Result};
use crate::federated::declared::{CONNECTION, SOURCE, property};
use crate::federated::{Definition, Place, label};
use crate::resolve::{self, rights};
use crate::result::{CommandTag, StatementResult};
use crate::session::Context;
use crate::sql::{
    AlterOperation, CreateConnectorSchema, CreateExternalTable, MaterializedViewStatement, ObjectName, Statement,
};
use millrace_catalog::Snapshot;
use millrace_catalog::model::{Database, Parameters, Privilege, StorageDescriptor, Table, TableKind};

/// `CREATE EXTERNAL SCHEMA … FROM` a foreign system. No request is made: the system need not be there yet.
pub(super) async fn create_schema(context: &Context, create: &CreateConnectorSchema) -> Result<StatementResult> {
    let specs = context.sources().options(&create.kind)?;
    check_endpoint(create)?;
    let definition = Definition { kind: create.kind.clone(), options: create.options.clone() };
    context.sources().connect(&definition.kind, &definition.options)?;
    let database = Database {
        parameters: definition.to_parameters(specs),
        create_time_ms: ddl::now_ms(),
        ..Database::new(&create.name)
    };
    let made = context.catalog().create_database(&database, create.if_not_exists).await?;
    if made {
        ddl::own(context, &create.name, &context.who().user).await?;
    }
    let notices = if made { vec![] } else { vec![skipping("schema", &create.name, "already exists")] };
    Ok(done(CommandTag::Verb("CREATE SCHEMA"), notices))
}

/// The place of a table that `CREATE EXTERNAL TABLE` declares over a foreign system: of the schema that it is made in,
/// unless its location names one; `None` for a table of files.
///
/// # Errors
/// `InvalidTableDefinition` where location, schema and `sourceTable` disagree.
pub(super) fn declared_place(
    create: &CreateExternalTable,
    snapshot: &Snapshot,
    (database, name): (&str, &str),
) -> Result<Option<String>> {
    let invalid = |message: String| Err(Error::new(ErrorKind::InvalidTableDefinition, message));
    let kind = snapshot.database(database).and_then(|database| Definition::kind_of(database));
    let located = create.location.as_deref().map(|location| (location, Place::of(location)));
    let (kind, located) = match (kind, located) {
        (None, None | Some((_, None))) => return Ok(None),
        (Some(kind), Some((location, None))) => {
            return invalid(format!("\"{location}\" is no place of {}: it begins with {kind}://", label(kind)));
        }
        (Some(kind), Some((location, Some(place)))) if place.kind != kind => {
            return invalid(format!(
                "\"{location}\" is no place of {}, which schema \"{database}\" is over",
                label(kind)
            ));
        }
        (_, Some((_, Some(place)))) => (place.kind, Some(place.source)),
        (Some(kind), None) => (kind, None),
    };
    let source = match (located, property(&create.properties, SOURCE)) {
        (Some(located), Some(named)) if located != named => {
            return invalid(format!("the location names \"{located}\", \"{SOURCE}\" names \"{named}\""));
        }
        (located, named) => located.or(named).unwrap_or(name),
    };
    if source.is_empty() {
        return invalid(format!("the location names no table of {}", label(kind)));
    }
    Ok(Some(Place { kind, source }.url()))
}

/// `CREATE EXTERNAL TABLE` over a foreign system. No request is made: the system's table need not be there yet.
pub(super) async fn create_table(
    context: &Context,
    create: &CreateExternalTable,
    (database, name): (String, String),
    location: String,
) -> Result<StatementResult> {
    let snapshot = context.snapshot().await?;
    let kind = Place::of(&location).map(|place| label(place.kind)).unwrap_or_default();
    let of_files = [
        (!create.partition_keys.is_empty(), "PARTITIONED BY"),
        (create.bucketing.is_some(), "CLUSTERED BY"),
        (create.row_format.is_some(), "ROW FORMAT"),
        (create.stored_as.is_some(), "STORED AS"),
    ];
    if let Some((_, clause)) = of_files.iter().find(|(found, _)| *found) {
        return Err(Error::unsupported(format!("{clause} of a table of {kind}")));
    }
    ddl::check_columns(create)?;
    check_connection(context, &create.properties).await?;
    let storage =
        StorageDescriptor { columns: create.columns.clone(), location: Some(location), ..StorageDescriptor::default() };
    let table = Table {
        description: create.comment.clone(),
        owner: context.owner(),
        parameters: create.properties.clone(),
        ..ddl::new_table(database, name, TableKind::ExternalTable, storage)
    };
    ddl::check_readable(context, &snapshot, &table)?;
    let made = context.catalog().create_table(&table, create.if_not_exists).await?;
    let notices = if made.is_some() { vec![] } else { vec![skipping("relation", &table.name, "already exists")] };
    Ok(done(CommandTag::Verb("CREATE TABLE"), notices))
}

/// Refuses a table that would be read through a schema that the user may not use: its rows are whatever that schema's
/// credentials may read.
///
/// # Errors
/// `InsufficientPrivilege`.
pub(super) async fn check_connection(context: &Context, properties: &Parameters) -> Result<()> {
    let Some(connection) = property(properties, CONNECTION) else { return Ok(()) };
    let snapshot = context.snapshot().await?;
    // Credentials are those of the database that an external schema shows.
    let schema = snapshot.resolve_schema(connection).map_or(connection, |database| database.name.as_str());
    rights::check_schema(context, schema, Privilege::Usage).await
}

/// Refuses a user or password in an endpoint, where everybody would see them.
fn check_endpoint(create: &CreateConnectorSchema) -> Result<()> {
    let Some((_, rest)) = create.options.get("endpoint").and_then(|endpoint| endpoint.split_once("://")) else {
        return Ok(());
    };
    if rest.split('/').next().is_some_and(|authority| authority.contains('@')) {
        let message = "an endpoint has no user and no password in it";
        return Err(Error::new(ErrorKind::InvalidParameter, message).with_hint("use USER and PASSWORD"));
    }
    Ok(())
}

/// Refuses a statement that would make something in a schema whose tables are a foreign system's, other than to
/// declare one of them.
///
/// # Errors
/// `Unsupported`.
pub(super) async fn check(context: &Context, statement: &Statement) -> Result<()> {
    let Some((what, name)) = made(statement) else { return Ok(()) };
    let snapshot = context.snapshot().await?;
    // What is wrong with a name is told by the statement itself.
    let Ok((schema, _)) = resolve::qualify(&snapshot, name, context.database()) else { return Ok(()) };
    match snapshot.database(&schema).and_then(|database| Definition::kind_of(database)) {
        Some(kind) => Err(Error::unsupported(format!("{what} in \"{schema}\", a schema of {},", label(kind)))),
        None => Ok(()),
    }
}

/// What a statement makes, and its name.
fn made(statement: &Statement) -> Option<(&'static str, &ObjectName)> {
    Some(match statement {
        Statement::CreateTable(create) if !create.temporary => ("a table", &create.name),
        Statement::CreateTableAs(create) => ("a table", &create.name),
        Statement::RestoreTable(restore) => ("a table", &restore.restored),
        Statement::CreateView(create) => ("a view", &create.name),
        Statement::MaterializedView(MaterializedViewStatement::Create { table, .. }) => {
            ("a materialized view", &table.name)
        }
        Statement::AlterTable(alter) => match &alter.operation {
            AlterOperation::RenameTable(to) if to.parts.len() > 1 => ("a table", to),
            _ => return None,
        },
        _ => return None,
    })
}
