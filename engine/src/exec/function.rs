//! `CREATE FUNCTION`, `DROP FUNCTION`.

use super::ddl::now_ms;
use super::dependents::drop_dependents;
use super::{done, skipping};
use crate::error::{Error, ErrorKind, Result};
use crate::resolve::{self, Ground, rights};
use crate::result::{CommandTag, StatementResult};
use crate::session::{Context, written_path};
use crate::sql::{CreateFunction, DropFunction};
use crate::tables::SqlType;
use millrace_catalog::model::SqlFunction;
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

/// A type as functions are told apart by it: without the length of a text.
fn type_name((written, position): &(String, usize)) -> Result<String> {
    let data_type = parsed_type(written, *position)?;
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
        returns: parsed_type(&create.returns.0, create.returns.1)?.to_string(),
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
    rights::check_owner(context, &function.name, owner).await.map_err(|error| match error.kind {
        ErrorKind::InsufficientPrivilege => {
            Error::new(error.kind, format!("must be owner of function {}", function.name))
        }
        _ => error,
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
    let called = (schema.clone(), function.name.clone(), function.arguments.len());
    let what = format!("function {}", function.signature());
    drop_dependents(context, Ground::Function(&called), &what, drop.cascade, &mut BTreeSet::new()).await?;
    let (warehouse, mut transaction) = (context.warehouse(), context.transaction().lock().await);
    let SqlFunction { name, arguments, .. } = function;
    transaction.change_function(warehouse, FunctionChange::Drop { database: schema, name, arguments }).await?;
    Ok(done(tag, vec![]))
}
