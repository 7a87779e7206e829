//! `CREATE FUNCTION`, `DROP FUNCTION`.

use super::ddl::now_ms;
use super::{done, skipping};
use crate::error::{Error, ErrorKind, Result};
use crate::resolve::{self, rights};
use crate::result::{CommandTag, StatementResult};
use crate::session::{Context, written_path};
use crate::sql::{self, CreateFunction, Dialect, DropFunction, Statement};
use crate::tables::SqlType;
use millrace_catalog::model::{SqlFunction, Table, TableKind};
use millrace_catalog::{FunctionChange, Snapshot};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The most arguments of a function, as in Redshift.
const MOST_ARGUMENTS: usize = 32;

/// A type as functions are told apart by it: without the length of a text.
fn type_name((written, position): &(String, usize)) -> Result<String> {
    let data_type: SqlType = written.parse().map_err(|error: Error| error.with_position(*position))?;
    Ok(match data_type {
        SqlType::Varchar(_) => "character varying".to_owned(),
        SqlType::Char(_) => "character".to_owned(),
        SqlType::VarByte(_) => "binary varying".to_owned(),
        other => other.to_string(),
    })
}

fn type_names(written: &[(String, usize)]) -> Result<Vec<String>> {
    written.iter().map(type_name).collect()
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
    let function = SqlFunction {
        name,
        arguments: type_names(&create.arguments)?,
        returns: create.returns.0.parse::<SqlType>().map_err(|e| e.with_position(create.returns.1))?.to_string(),
        volatility: create.volatility,
        body: create.body.trim().to_owned(),
        search_path: written_path(context.path()),
        owner: context.owner(),
        create_time_ms: now_ms(),
    };
    let known = snapshot.database(&schema).into_iter().flat_map(|database| &database.functions);
    let same = |known: &&SqlFunction| known.name == function.name && known.arguments == function.arguments;
    if let Some(existing) = known.clone().find(same) {
        if !create.or_replace {
            let message = format!("function \"{}\" already exists with same argument types", function.name);
            return Err(Error::new(ErrorKind::DuplicateFunction, message));
        }
        check_owner(context, &function, existing.owner.as_ref()).await?;
        if existing.returns != function.returns {
            let error =
                Error::new(ErrorKind::InvalidFunctionDefinition, "cannot change return type of existing function");
            return Err(error.with_hint("use DROP FUNCTION first"));
        }
    }
    check_body(context, &snapshot, &schema, &function).await?;
    let change = FunctionChange::Put { database: schema, function, replaces: create.or_replace };
    context.transaction().lock().await.change_function(context.warehouse(), change).await?;
    Ok(done(tag, vec![]))
}

/// Refuses a body that cannot be planned, or that would call the function itself.
async fn check_body(context: &Context, snapshot: &Arc<Snapshot>, schema: &str, function: &SqlFunction) -> Result<()> {
    let own = (schema.to_owned(), function.name.clone(), function.arguments.len());
    let mut seen = BTreeSet::new();
    let mut waiting: Vec<SqlFunction> = vec![function.clone()];
    while let Some(next) = waiting.pop() {
        let query = resolve::body_of(&next.body, next.arguments.len())?;
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
    resolve::overload(context, snapshot, function, 0)
        .await
        .map(|_| ())
        .map_err(|error| Error { position: None, ..error })
}

/// A snapshot that has the function.
fn with(snapshot: &Snapshot, schema: &str, function: &SqlFunction) -> Snapshot {
    let Some(database) = snapshot.database(schema) else { return snapshot.clone() };
    let mut database = database.as_ref().clone();
    database.functions.push(function.clone());
    snapshot.with_database(database)
}

async fn check_owner(context: &Context, function: &SqlFunction, owner: Option<&String>) -> Result<()> {
    rights::check_owner(context, &function.name, owner).await.map_err(|_| {
        Error::new(ErrorKind::InsufficientPrivilege, format!("must be owner of function {}", function.name))
    })
}

/// `DROP FUNCTION`.
pub(crate) async fn drop_function(context: &Context, drop: &DropFunction) -> Result<StatementResult> {
    let tag = CommandTag::Verb("DROP FUNCTION");
    let snapshot = context.snapshot().await?;
    let arguments = type_names(&drop.arguments)?;
    let signature = format!("{}({})", drop.name.parts.join("."), arguments.join(", "));
    let found = match resolve::find_functions(context, &snapshot, &drop.name) {
        Err(error) if drop.if_exists && error.kind == ErrorKind::UndefinedSchema => None,
        found => {
            let (schema, functions) = found?;
            functions.into_iter().find(|known| known.arguments == arguments).map(|function| (schema, function))
        }
    };
    let Some((schema, function)) = found else {
        if drop.if_exists {
            return Ok(done(tag, vec![skipping("function", &signature, "does not exist")]));
        }
        return Err(Error::new(ErrorKind::UndefinedFunction, format!("function {signature} does not exist")));
    };
    check_owner(context, &function, function.owner.as_ref()).await?;
    let views = callers(context, &snapshot, &schema, &function)?;
    if let Some(view) = views.first().filter(|_| !drop.cascade) {
        let message = format!("cannot drop function {} because other objects depend on it", function.signature());
        return Err(Error::new(ErrorKind::DependentObjects, message)
            .with_detail(format!("view {} depends on function {}", view.name, function.signature()))
            .with_hint("use DROP ... CASCADE to drop the dependent objects too"));
    }
    let warehouse = context.warehouse();
    let mut transaction = context.transaction().lock().await;
    for view in views {
        transaction.drop_view(warehouse, &view).await?;
    }
    let SqlFunction { name, arguments, .. } = function;
    transaction.change_function(warehouse, FunctionChange::Drop { database: schema, name, arguments }).await?;
    Ok(done(tag, vec![]))
}

/// The views that call a function, and those that read them. Late-binding ones depend on nothing.
fn callers(context: &Context, snapshot: &Snapshot, schema: &str, function: &SqlFunction) -> Result<Vec<Arc<Table>>> {
    let own = (schema.to_owned(), function.name.clone(), function.arguments.len());
    let mut found: Vec<Arc<Table>> = Vec::new();
    for view in snapshot.all_tables() {
        let TableKind::VirtualView { text, dialect, search_database } = &view.kind else { continue };
        if view.storage.columns.is_empty() || dialect != Dialect::Redshift.name() {
            continue;
        }
        let parsed = sql::parse(text, Dialect::Redshift)?.pop().map(|parsed| parsed.statement);
        let Some(Statement::Query(query)) = parsed else { continue };
        if resolve::called_in(context, snapshot, &query, search_database).contains(&own) {
            found.push(Arc::clone(view));
            found.extend(resolve::dependents(snapshot, (&view.database, &view.name))?);
        }
    }
    let mut seen = BTreeSet::new();
    found.retain(|view| seen.insert(view.id));
    Ok(found)
}
