//! `CREATE FUNCTION`, `ALTER FUNCTION`, `DROP FUNCTION`. A function's rights go with it: to its new name, and away.

use super::ddl::now_ms;
use super::dependents::drop_dependents;
use super::{done, skipping};
use crate::error::{Error, ErrorKind, Result};
use crate::resolve::{self, Ground, rights};
use crate::result::{CommandTag, StatementResult};
use crate::session::{Context, RightsChange, written_path};
use crate::sql::{AlterFunction, CreateFunction, DropFunction, FunctionName, FunctionOperation, Names, NewOwner};
use crate::tables::SqlType;
use millrace_catalog::model::{Principals, Privilege, SqlFunction};
use millrace_catalog::{FunctionChange, Snapshot};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The most arguments of a function, as in Redshift.
const MOST_ARGUMENTS: usize = 32;

/// A type that functions may take or give.
fn parsed_type(written: &str, position: usize) -> Result<SqlType> {
    match written.parse::<SqlType>() {
        Ok(SqlType::HllSketch) => Err(Error::unsupported("a function of the type HLLSKETCH").with_position(position)),
        parsed => parsed.map_err(|error| error.with_position(position)),
    }
}

fn type_names(written: &[(String, usize)]) -> Result<Vec<String>> {
    written.iter().map(|(written, position)| Ok(parsed_type(written, *position)?.argument_name())).collect()
}

/// How a function is called that does not exist: `s.f(integer)`.
fn signature(function: &FunctionName) -> Result<String> {
    Ok(format!("{}({})", function.name.parts.join("."), type_names(&function.arguments)?.join(", ")))
}

/// A function as it is named, with its schema.
///
/// # Errors
/// `UndefinedFunction`, `UndefinedSchema`.
pub(super) async fn find(context: &Context, function: &FunctionName) -> Result<(String, SqlFunction)> {
    let snapshot = context.snapshot().await?;
    let arguments = type_names(&function.arguments)?;
    let (schema, functions) = resolve::find_functions(context, &snapshot, &function.name)?;
    match functions.into_iter().find(|known| known.arguments == arguments) {
        Some(found) => Ok((schema, found)),
        None => {
            let message = format!("function {} does not exist", signature(function)?);
            Err(Error::new(ErrorKind::UndefinedFunction, message))
        }
    }
}

/// `CREATE [OR REPLACE] FUNCTION`.
pub(crate) async fn create_function(context: &Context, create: &CreateFunction) -> Result<StatementResult> {
    let tag = CommandTag::Verb("CREATE FUNCTION");
    let snapshot = context.snapshot().await?;
    let (schema, name) = resolve::qualify(&snapshot, &create.name, context.database())?;
    if create.arguments.len() > MOST_ARGUMENTS {
        let message = format!("functions cannot have more than {MOST_ARGUMENTS} arguments");
        return Err(Error::new(ErrorKind::LimitExceeded, message));
    }
    let mut function = SqlFunction {
        name,
        arguments: type_names(&create.arguments)?,
        returns: parsed_type(&create.returns.0, create.returns.1)?.to_string(),
        volatility: create.volatility,
        body: create.body.trim().to_owned(),
        search_path: written_path(context.path()),
        keeps_names: context.names() == Names::Kept,
        owner: context.owner(),
        create_time_ms: now_ms(),
    };
    let mut known = snapshot.database(&schema).into_iter().flat_map(|database| &database.functions);
    let same = |known: &&SqlFunction| known.name == function.name && known.arguments == function.arguments;
    let existing = known.find(same);
    if let Some(existing) = existing {
        if !create.or_replace {
            let message = format!("function \"{}\" already exists with same argument types", function.name);
            return Err(Error::new(ErrorKind::DuplicateFunction, message));
        }
        check_owner(context, existing).await?;
        if existing.returns != function.returns {
            let error =
                Error::new(ErrorKind::InvalidFunctionDefinition, "cannot change return type of existing function");
            return Err(error.with_hint("use DROP FUNCTION first"));
        }
        function.owner.clone_from(&existing.owner);
    }
    check_calls(context, &snapshot, &schema, &function)?;
    check_body(context, &snapshot, &schema, &function).await?;
    let user = &context.who().user;
    let defaults = existing.is_none() && snapshot.principals().has_defaults(user);
    let given = defaults.then(|| (user.clone(), function.securable(&schema)));
    put(context, schema, function, create.or_replace).await?;
    if let Some((creator, object)) = given {
        change_rights(context, move |principals| principals.grant_defaults(&creator, &object)).await?;
    }
    Ok(done(tag, vec![]))
}

async fn put(context: &Context, database: String, function: SqlFunction, replaces: bool) -> Result<()> {
    let change = FunctionChange::Put { database, function, replaces };
    context.transaction().lock().await.change_function(context.warehouse(), change).await
}

/// Changes rights when what is done to functions is committed.
async fn change_rights(context: &Context, change: impl Fn(&mut Principals) + Send + Sync + 'static) -> Result<()> {
    let change = RightsChange::new(change);
    context.transaction().lock().await.change_rights(context.warehouse(), change).await
}

/// Refuses a body that would call the function itself.
fn check_calls(context: &Context, snapshot: &Arc<Snapshot>, schema: &str, function: &SqlFunction) -> Result<()> {
    let own = (schema.to_owned(), function.name.clone(), function.arguments.len());
    let mut seen = BTreeSet::new();
    let mut waiting: Vec<SqlFunction> = vec![function.clone()];
    while let Some(next) = waiting.pop() {
        let query = resolve::body_of(&next)?;
        let mut called = resolve::called_in(context, snapshot, &query, &next.search_path);
        // The function itself is not there yet, or is as it was.
        called.extend(resolve::called_in(context, &with(snapshot, schema, function), &query, &next.search_path));
        for call in called {
            if call == own {
                let message = format!("function {} would call itself", function.signature());
                return Err(Error::new(ErrorKind::InvalidFunctionDefinition, message));
            }
            if !seen.insert(call.clone()) {
                continue;
            }
            let of = snapshot.database(&call.0).into_iter().flat_map(|database| &database.functions);
            waiting.extend(of.filter(|known| known.name == call.1 && known.arguments.len() == call.2).cloned());
        }
    }
    Ok(())
}

/// Refuses a body that cannot be planned.
async fn check_body(context: &Context, snapshot: &Arc<Snapshot>, schema: &str, function: &SqlFunction) -> Result<()> {
    let planned = resolve::overload(context, snapshot, (schema, function), 0).await;
    match planned.and_then(|overload| overload.body) {
        Ok(_) => Ok(()),
        Err(error) => Err(Error { position: None, ..error }),
    }
}

/// A snapshot that has the function.
fn with(snapshot: &Snapshot, schema: &str, function: &SqlFunction) -> Snapshot {
    let Some(database) = snapshot.database(schema) else { return snapshot.clone() };
    let mut database = database.as_ref().clone();
    database.functions.push(function.clone());
    snapshot.with_database(database)
}

async fn check_owner(context: &Context, function: &SqlFunction) -> Result<()> {
    rights::check_owner(context, &function.name, function.owner.as_ref()).await.map_err(|error| match error.kind {
        ErrorKind::InsufficientPrivilege => {
            Error::new(error.kind, format!("must be owner of function {}", function.name))
        }
        _ => error,
    })
}

/// `ALTER FUNCTION`.
pub(crate) async fn alter_function(context: &Context, alter: &AlterFunction) -> Result<StatementResult> {
    let (schema, function) = find(context, &alter.function).await?;
    match &alter.operation {
        FunctionOperation::Rename(to) => rename(context, schema, function, to).await?,
        FunctionOperation::Owner(owner) => {
            rights::check_superuser(context, "change the owner of a function").await?;
            let owner = match owner {
                NewOwner::User(name) => name,
                NewOwner::Current => &context.who().user,
                NewOwner::Session => &context.who().session_user,
            };
            rights::check_user(context, owner).await?;
            let function = SqlFunction { owner: Some(owner.clone()), ..function };
            put(context, schema, function, true).await?;
        }
    }
    Ok(done(CommandTag::Verb("ALTER FUNCTION"), vec![]))
}

/// Gives a function another name. Views keep the names of what they call, so there must be none that calls it.
async fn rename(context: &Context, schema: String, function: SqlFunction, to: &str) -> Result<()> {
    check_owner(context, &function).await?;
    rights::check_schema(context, &schema, Privilege::Create).await?;
    let snapshot = context.snapshot().await?;
    let renamed = SqlFunction { name: to.to_owned(), ..function.clone() };
    let mut known = snapshot.database(&schema).into_iter().flat_map(|database| &database.functions);
    if known.any(|known| known.name == renamed.name && known.arguments == renamed.arguments) {
        let message = format!("function {} already exists in schema \"{schema}\"", renamed.signature());
        return Err(Error::new(ErrorKind::DuplicateFunction, message));
    }
    let called = (schema.clone(), function.name.clone(), function.arguments.len());
    if let Some(view) = resolve::dependents(context, Ground::Function(&called)).await?.first() {
        let detail = format!("{} {} depends on function {}", view.kind(), view.name().1, function.signature());
        return Err(Error::unsupported("renaming a function that a view calls").with_detail(detail));
    }
    check_calls(context, &snapshot, &schema, &renamed)?;
    let (old, new) = (function.securable(&schema), renamed.securable(&schema));
    let SqlFunction { name, arguments, .. } = function;
    let gone = FunctionChange::Drop { database: schema.clone(), name, arguments };
    context.transaction().lock().await.change_function(context.warehouse(), gone).await?;
    put(context, schema, renamed, false).await?;
    change_rights(context, move |principals| principals.rename(&old, &new)).await
}

/// `DROP FUNCTION`.
pub(crate) async fn drop_function(context: &Context, drop: &DropFunction) -> Result<StatementResult> {
    let tag = CommandTag::Verb("DROP FUNCTION");
    let (schema, function) = match find(context, &drop.function).await {
        Err(error)
            if drop.if_exists && matches!(error.kind, ErrorKind::UndefinedSchema | ErrorKind::UndefinedFunction) =>
        {
            return Ok(done(tag, vec![skipping("function", &signature(&drop.function)?, "does not exist")]));
        }
        found => found?,
    };
    check_owner(context, &function).await?;
    let called = (schema.clone(), function.name.clone(), function.arguments.len());
    let what = format!("function {}", function.signature());
    drop_dependents(context, Ground::Function(&called), &what, drop.cascade, &mut BTreeSet::new()).await?;
    let object = function.securable(&schema);
    let SqlFunction { name, arguments, .. } = function;
    let gone = FunctionChange::Drop { database: schema, name, arguments };
    context.transaction().lock().await.change_function(context.warehouse(), gone).await?;
    change_rights(context, move |principals| principals.forget(&object)).await?;
    Ok(done(tag, vec![]))
}
