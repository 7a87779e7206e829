//! `CREATE FUNCTION`, `ALTER FUNCTION` and `DROP FUNCTION` of functions in SQL.

use crate::error::{Error, ErrorKind, Result};
use crate::sql::cursor::Cursor;
use crate::sql::{ObjectName, Statement, managed_table, refuse};
use millrace_catalog::model::Volatility;
use sqlparser::tokenizer::Token;

/// `CREATE [OR REPLACE] FUNCTION`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateFunction {
    /// The function.
    pub name: ObjectName,
    /// `OR REPLACE`
    pub or_replace: bool,
    /// The arguments' types as written, with where each stands, in characters from 1.
    pub arguments: Vec<(String, usize)>,
    /// `RETURNS type`, with where the type stands.
    pub returns: (String, usize),
    /// `VOLATILE`, `STABLE`, `IMMUTABLE`
    pub volatility: Volatility,
    /// What stands between the dollars.
    pub body: String,
    /// Where that stands, in characters from 1.
    pub position: usize,
}

/// One function of those of a name: `f(int, varchar)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionName {
    /// Its name.
    pub name: ObjectName,
    /// The arguments' types as written, with where each stands.
    pub arguments: Vec<(String, usize)>,
}

/// `ALTER FUNCTION`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterFunction {
    /// The function.
    pub function: FunctionName,
    /// What changes.
    pub operation: FunctionOperation,
}

/// What `ALTER FUNCTION` changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FunctionOperation {
    /// `RENAME TO`
    Rename(String),
    /// `OWNER TO`
    Owner(NewOwner),
}

/// Who becomes an owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewOwner {
    /// A user.
    User(String),
    /// `CURRENT_USER`
    Current,
    /// `SESSION_USER`
    Session,
}

/// `DROP FUNCTION`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropFunction {
    /// The function.
    pub function: FunctionName,
    /// Do nothing when it does not exist.
    pub if_exists: bool,
    /// `CASCADE`: the views that call it go too.
    pub cascade: bool,
}

/// `CREATE [OR REPLACE] FUNCTION f ([type, …]) RETURNS type {VOLATILE|STABLE|IMMUTABLE} AS $$ SELECT … $$ LANGUAGE sql`
pub(super) fn create(cursor: &mut Cursor) -> Result<Statement> {
    cursor.expect("CREATE")?;
    let or_replace = cursor.eat("OR REPLACE");
    cursor.expect("FUNCTION")?;
    let name = cursor.function_name()?;
    let (arguments, named_at) = arguments(cursor)?;
    cursor.expect("RETURNS")?;
    let position = cursor.position();
    let returns = (managed_table::type_text(cursor)?, position);
    let (mut volatility, mut body, mut language) = (None, None, false);
    while !cursor.at_end() {
        let found = [Volatility::Volatile, Volatility::Stable, Volatility::Immutable];
        if let Some(word) = found.into_iter().find(|word| cursor.at(word.name())) {
            if volatility.replace(word).is_some() {
                return Err(refuse::redundant(cursor));
            }
            cursor.advance();
        } else if cursor.at("AS") && body.is_none() {
            cursor.advance();
            let position = cursor.position();
            body = Some((cursor.string()?, position));
        } else if cursor.at("LANGUAGE") && !language {
            cursor.advance();
            if !cursor.at("SQL") {
                let word = cursor.identifier().unwrap_or_default();
                return Err(cursor.unsupported(&format!("CREATE FUNCTION … LANGUAGE {word}")));
            }
            cursor.advance();
            language = true;
        } else {
            return Err(cursor.syntax_error("VOLATILE, STABLE, IMMUTABLE, AS or LANGUAGE"));
        }
    }
    let (Some((body, position)), true) = (body, language) else {
        return Err(cursor.syntax_error(if language { "AS $$ … $$" } else { "LANGUAGE" }));
    };
    if let Some(position) = named_at {
        let message = "named arguments are not supported in a function of LANGUAGE sql";
        return Err(Error::new(ErrorKind::Unsupported, message)
            .with_position(position)
            .with_hint("give the types alone; $1 is the first argument"));
    }
    Ok(Statement::CreateFunction(Box::new(CreateFunction {
        name,
        or_replace,
        arguments,
        returns,
        volatility: volatility.unwrap_or_default(),
        body,
        position,
    })))
}

/// `ALTER FUNCTION f ([[name] type, …]) {RENAME TO g | OWNER TO {user | CURRENT_USER | SESSION_USER}}`
pub(super) fn alter(cursor: &mut Cursor) -> Result<Statement> {
    cursor.expect("ALTER FUNCTION")?;
    let function = named(cursor)?;
    let operation = if cursor.eat("RENAME TO") {
        FunctionOperation::Rename(cursor.identifier()?.to_lowercase())
    } else {
        cursor.expect("OWNER TO")?;
        FunctionOperation::Owner(if cursor.eat("CURRENT_USER") {
            NewOwner::Current
        } else if cursor.eat("SESSION_USER") {
            NewOwner::Session
        } else {
            NewOwner::User(cursor.user_name()?)
        })
    };
    Ok(Statement::AlterFunction(AlterFunction { function, operation }))
}

/// `DROP FUNCTION [IF EXISTS] f ([[name] type, …]) [CASCADE|RESTRICT]`
pub(super) fn drop(cursor: &mut Cursor) -> Result<Statement> {
    cursor.expect("DROP FUNCTION")?;
    let if_exists = cursor.eat("IF EXISTS");
    let function = named(cursor)?;
    Ok(Statement::DropFunction(DropFunction { function, if_exists, cascade: cursor.eat_cascade() }))
}

/// `f ([[name] type, …])`
pub(super) fn named(cursor: &mut Cursor) -> Result<FunctionName> {
    let name = cursor.function_name()?;
    let (arguments, _) = arguments(cursor)?;
    Ok(FunctionName { name, arguments })
}

/// Types as written, with where each stands.
pub(super) type Types = Vec<(String, usize)>;

/// `([name] type, …)`: the types, and where the first name is.
pub(super) fn arguments(cursor: &mut Cursor) -> Result<(Types, Option<usize>)> {
    if *cursor.peek() == Token::LParen && *cursor.peek_nth(1) == Token::RParen {
        cursor.advance();
        cursor.advance();
        return Ok((Vec::new(), None));
    }
    let mut named_at = None;
    let arguments = cursor.list(|cursor| {
        let position = cursor.position();
        let first = managed_table::type_text(cursor)?;
        if matches!(cursor.peek(), Token::Comma | Token::RParen) {
            return Ok((first, position));
        }
        named_at.get_or_insert(position);
        let position = cursor.position();
        Ok((managed_table::type_text(cursor)?, position))
    })?;
    Ok((arguments, named_at))
}
