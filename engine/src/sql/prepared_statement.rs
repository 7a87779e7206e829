//! `PREPARE`, `EXECUTE`, `DEALLOCATE` in Redshift's form and in Athena's, and `DISCARD`.

use crate::error::Result;
use crate::sql::cursor::Cursor;
use crate::sql::{Statement, parse};
use sqlparser::ast;
use sqlparser::tokenizer::Token;

/// What is done to prepared statements.
#[derive(Debug, Clone)]
pub enum PreparedStatement {
    /// `PREPARE name [(type, …)] AS statement`, Athena's `PREPARE name FROM statement`
    Prepare {
        /// The name, folded.
        name: String,
        /// The types of its parameters, as far as they are given.
        types: Vec<ast::DataType>,
        /// What runs.
        statement: Box<Statement>,
    },
    /// `EXECUTE name [(value, …)]`, Athena's `EXECUTE name USING value, …`
    Execute {
        /// The name, folded.
        name: String,
        /// The parameters' values.
        values: Vec<ast::Expr>,
    },
    /// `DEALLOCATE [PREPARE] name`; `None` is `ALL`
    Deallocate(Option<String>),
    /// `DISCARD {ALL|PLANS|TEMP|SEQUENCES}`
    Discard(Discard),
}

/// What `DISCARD` forgets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discard {
    /// All of the session.
    All,
    /// Plans, of which none are kept.
    Plans,
    /// Temporary tables.
    Temporary,
    /// What sequences have given out; there are none.
    Sequences,
}

/// `PREPARE`
pub(super) fn prepare(cursor: &mut Cursor) -> Result<Statement> {
    cursor.expect("PREPARE")?;
    let name = cursor.identifier()?;
    let types = if *cursor.peek() == Token::LParen { cursor.list(Cursor::data_type)? } else { Vec::new() };
    if cursor.is_athena() || (types.is_empty() && cursor.at("FROM")) {
        cursor.expect("FROM")?;
    } else {
        cursor.expect("AS")?;
    }
    let refused = cursor.unsupported("PREPARE of a statement that neither reads nor writes rows");
    let statement = Box::new(parse::statement(cursor)?);
    match *statement {
        Statement::Query(_)
        | Statement::Insert(_)
        | Statement::Update(_)
        | Statement::Delete(_)
        | Statement::Merge(_)
        | Statement::CreateTableAs(_)
        | Statement::Explain(_) => {}
        Statement::CreateTable(ref create) if create.query.is_some() => {}
        _ => return Err(refused),
    }
    Ok(Statement::Prepared(PreparedStatement::Prepare { name, types, statement }))
}

/// `EXECUTE`
pub(super) fn execute(cursor: &mut Cursor) -> Result<Statement> {
    cursor.expect("EXECUTE")?;
    let name = cursor.identifier()?;
    let values = if *cursor.peek() == Token::LParen {
        cursor.list(Cursor::expression)?
    } else if cursor.eat("USING") {
        let mut values = vec![cursor.expression()?];
        while cursor.eat_token(&Token::Comma) {
            values.push(cursor.expression()?);
        }
        values
    } else {
        Vec::new()
    };
    Ok(Statement::Prepared(PreparedStatement::Execute { name, values }))
}

/// `DEALLOCATE`
pub(super) fn deallocate(cursor: &mut Cursor) -> Result<Statement> {
    cursor.expect("DEALLOCATE")?;
    cursor.eat("PREPARE");
    let name = if cursor.eat("ALL") { None } else { Some(cursor.identifier()?) };
    Ok(Statement::Prepared(PreparedStatement::Deallocate(name)))
}

/// `DISCARD`
pub(super) fn discard(cursor: &mut Cursor) -> Result<Statement> {
    cursor.expect("DISCARD")?;
    let what = if cursor.eat("ALL") {
        Discard::All
    } else if cursor.eat("PLANS") {
        Discard::Plans
    } else if cursor.eat("TEMP") || cursor.eat("TEMPORARY") {
        Discard::Temporary
    } else if cursor.eat("SEQUENCES") {
        Discard::Sequences
    } else {
        return Err(cursor.syntax_error("ALL, PLANS, TEMP or SEQUENCES"));
    };
    Ok(Statement::Prepared(PreparedStatement::Discard(what)))
}
