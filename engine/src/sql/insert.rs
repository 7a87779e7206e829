//! `INSERT INTO`.

use crate::error::Result;
use crate::sql::cursor::Cursor;
use crate::sql::{Insert, Statement, refuse};
use sqlparser::tokenizer::Token;

/// `INSERT INTO [TABLE] t {[(columns)] query | DEFAULT VALUES}`
pub(super) fn insert(cursor: &mut Cursor) -> Result<Statement> {
    if let Some(error) = refuse::option(cursor, "", &["INSERT OVERWRITE"]) {
        return Err(error);
    }
    cursor.expect("INSERT INTO")?;
    cursor.eat("TABLE");
    let table = cursor.object_name()?;
    if let Some(error) = refuse::option(cursor, "INSERT INTO …", &["PARTITION"]) {
        return Err(error);
    }
    if cursor.eat("DEFAULT VALUES") {
        return Ok(Statement::Insert(Box::new(Insert { table, columns: Vec::new(), query: None })));
    }
    let named = *cursor.peek() == Token::LParen && !cursor.at_query();
    let columns = if named { cursor.list(Cursor::identifier)? } else { Vec::new() };
    if !cursor.at_query() {
        return Err(cursor.syntax_error("a query or VALUES"));
    }
    let (query, _) = cursor.query()?;
    Ok(Statement::Insert(Box::new(Insert { table, columns, query: Some(query) })))
}
