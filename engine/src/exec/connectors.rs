//! Schemas over foreign systems: made, and kept from having tables of their own.

use super::{ddl, done, skipping};
use crate::error::{Error, ErrorKind, Result};
use crate::federated::{Definition, label};
use crate::resolve;
use crate::result::{CommandTag, StatementResult};
use crate::session::Context;
use crate::sql::{AlterOperation, CreateConnectorSchema, ObjectName, Statement};
use millrace_catalog::model::Database;

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

/// Refuses a statement that would make something in a schema whose tables are a foreign system's.
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
        Statement::CreateExternalTable(create) => ("a table", &create.name),
        Statement::RestoreTable(restore) => ("a table", &restore.restored),
        Statement::CreateView(create) => ("a view", &create.name),
        Statement::AlterTable(alter) => match &alter.operation {
            AlterOperation::RenameTable(to) if to.parts.len() > 1 => ("a table", to),
            _ => return None,
        },
        _ => return None,
    })
}
