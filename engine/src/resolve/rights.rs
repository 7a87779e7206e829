//! What a user may do: the one place that decides, for planning, for statements and for `has_*_privilege`.
//!
//! A superuser may do everything, an owner everything with what it owns; else a grant must say so. As in Redshift, a
//! table or function of a schema needs USAGE on the schema besides. Everybody may use and make tables in `default` and
//! `public`, and call functions until that is taken.

use crate::error::{Error, ErrorKind, Result};
use crate::session::Context;
use millrace_catalog::model::{ADMIN, ManagedTable, Principals, Privilege, Securable, SqlFunction};
use std::collections::BTreeSet;

/// Schemas that everybody may use and make tables in, as Redshift's `public`.
const OPEN_SCHEMAS: [&str; 2] = ["default", "public"];

/// Whether a user may do something with a table or view of this owner.
pub(crate) fn may(principals: &Principals, user: &str, object: &Securable, owner: &str, right: Privilege) -> bool {
    principals.is_superuser(user) || user == owner || principals.is_granted(user, object, right)
}

/// Whether a user may do something with a schema.
pub(crate) fn may_on_schema(principals: &Principals, user: &str, schema: &str, right: Privilege) -> bool {
    let open = OPEN_SCHEMAS.contains(&schema) && matches!(right, Privilege::Usage | Privilege::Create);
    let owner = principals.schema_owners.get(schema).map_or(ADMIN, String::as_str);
    open || may(principals, user, &Securable::Schema(schema.to_owned()), owner, right)
}

/// Whether a user may call a function of a schema, as far as the function says; the schema says the rest.
pub(crate) fn may_execute(principals: &Principals, user: &str, schema: &str, function: &SqlFunction) -> bool {
    let owner = function.owner.as_deref().unwrap_or(ADMIN);
    may(principals, user, &function.securable(schema), owner, Privilege::Execute)
}

/// Whether a user may do something with the database: as in Redshift, everybody may use it and make temporary tables.
pub(crate) fn may_on_database(principals: &Principals, user: &str, right: Privilege) -> bool {
    let everybody = matches!(right, Privilege::Usage | Privilege::Temporary);
    let creates = right == Privilege::Create && principals.users.get(user).is_some_and(|user| user.create_database);
    everybody || creates || may(principals, user, &Securable::Database, ADMIN, right)
}

/// Refuses what the context's user may not do with a table or view.
///
/// # Errors
/// `InsufficientPrivilege`.
pub(crate) async fn check_table(
    context: &Context,
    (schema, name): (&str, &str),
    owner: Option<&String>,
    right: Privilege,
) -> Result<()> {
    let snapshot = context.snapshot().await?;
    let principals = snapshot.principals();
    let user = &context.who().user;
    // A session's temporary tables are found by that session alone.
    if principals.is_superuser(user) || schema.starts_with("pg_temp_") {
        return Ok(());
    }
    if !may_on_schema(principals, user, schema, Privilege::Usage) {
        return Err(denied("schema", schema));
    }
    let object = Securable::Table(schema.to_owned(), name.to_owned());
    let owner = owner.map_or(ADMIN, String::as_str);
    if may(principals, user, &object, owner, right) { Ok(()) } else { Err(denied("relation", name)) }
}

/// The columns of a table or view that the context's user may read; `None` is all of them.
///
/// # Errors
/// `InsufficientPrivilege` when it is none.
pub(crate) async fn check_reading(
    context: &Context,
    table: (&str, &str),
    owner: Option<&String>,
) -> Result<Option<BTreeSet<String>>> {
    let Err(denied) = check_table(context, table, owner, Privilege::Select).await else { return Ok(None) };
    let snapshot = context.snapshot().await?;
    let principals = snapshot.principals();
    let user = &context.who().user;
    let columns = principals.granted_columns(user, table, Privilege::Select);
    if columns.is_empty() || !may_on_schema(principals, user, table.0, Privilege::Usage) {
        return Err(denied);
    }
    Ok(Some(columns))
}

/// Refuses to show a table as it was to who may not read it as it is: the table of that number, whatever it is called
/// now. One that is gone is shown to its owner and superusers, since another may have its name and its grants.
///
/// # Errors
/// `InsufficientPrivilege`.
pub(crate) async fn check_past(context: &Context, past: &ManagedTable) -> Result<()> {
    let now = context.transaction().lock().await.table_by_id(context.warehouse(), past.id).await?;
    let checked = match now {
        Some(now) => {
            let names = (now.schema.as_str(), now.name.as_str());
            check_table(context, names, now.attributes.owner.as_ref(), Privilege::Select).await
        }
        None => check_owner(context, &past.name, past.attributes.owner.as_ref()).await,
    };
    checked.map_err(|error| match error.kind {
        ErrorKind::InsufficientPrivilege => denied("relation", &past.name),
        _ => error,
    })
}

/// Refuses a user that does not exist.
///
/// # Errors
/// `UndefinedObject`.
pub(crate) async fn check_user(context: &Context, name: &str) -> Result<()> {
    if context.snapshot().await?.principals().users.contains_key(name) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::UndefinedObject, format!("user \"{name}\" does not exist")))
}

/// Refuses what only the owner of a table, its schema's owner and superusers may do.
///
/// # Errors
/// `InsufficientPrivilege`.
pub(crate) async fn check_owner(context: &Context, name: &str, owner: Option<&String>) -> Result<()> {
    let snapshot = context.snapshot().await?;
    let user = &context.who().user;
    let owner = owner.map_or(ADMIN, String::as_str);
    if snapshot.principals().is_superuser(user) || owner == user {
        return Ok(());
    }
    Err(Error::new(ErrorKind::InsufficientPrivilege, format!("must be owner of relation {name}")))
}

/// Refuses what the context's user may not do with a schema.
///
/// # Errors
/// `InsufficientPrivilege`.
pub(crate) async fn check_schema(context: &Context, schema: &str, right: Privilege) -> Result<()> {
    let snapshot = context.snapshot().await?;
    if may_on_schema(snapshot.principals(), &context.who().user, schema, right) {
        return Ok(());
    }
    Err(denied("schema", schema))
}

/// Refuses a function that the context's user may not call.
///
/// # Errors
/// `InsufficientPrivilege`.
pub(crate) async fn check_function(context: &Context, schema: &str, function: &SqlFunction) -> Result<()> {
    let snapshot = context.snapshot().await?;
    if may_execute(snapshot.principals(), &context.who().user, schema, function) {
        return Ok(());
    }
    Err(denied("function", &function.name))
}

/// Refuses a language that the context's user may not write functions in.
///
/// # Errors
/// `InsufficientPrivilege`.
pub(crate) async fn check_language(context: &Context, language: &str) -> Result<()> {
    let snapshot = context.snapshot().await?;
    let object = Securable::Language(language.to_owned());
    if may(snapshot.principals(), &context.who().user, &object, ADMIN, Privilege::Usage) {
        return Ok(());
    }
    Err(denied("language", language))
}

/// Refuses what only superusers may do.
///
/// # Errors
/// `InsufficientPrivilege`.
pub(crate) async fn check_superuser(context: &Context, action: &str) -> Result<()> {
    let snapshot = context.snapshot().await?;
    if snapshot.principals().is_superuser(&context.who().user) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::InsufficientPrivilege, format!("must be superuser to {action}")))
}

/// `permission denied for relation t`
pub(crate) fn denied(what: &str, name: &str) -> Error {
    Error::new(ErrorKind::InsufficientPrivilege, format!("permission denied for {what} {name}"))
}
