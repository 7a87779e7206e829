//! `COMMENT ON TABLE|VIEW|COLUMN` and `LOCK`.

use crate::error::Result;
use crate::sql::cursor::Cursor;
use crate::sql::{Comment, Statement, refuse};
use sqlparser::tokenizer::Token;

/// `COMMENT ON {TABLE t | VIEW v | COLUMN t.c} IS {'text' | NULL}`
pub(super) fn comment(cursor: &mut Cursor) -> Result<Statement> {
    cursor.expect("COMMENT ON")?;
    if let Some(error) = refuse::option(cursor, "COMMENT ON", &["CONSTRAINT", "DATABASE", "SCHEMA", "FUNCTION"]) {
        return Err(error);
    }
    let (of_column, view) = if cursor.eat("COLUMN") {
        (true, None)
    } else if cursor.eat("VIEW") {
        (false, Some(true))
    } else if cursor.eat("TABLE") {
        (false, Some(false))
    } else {
        return Err(cursor.syntax_error("TABLE, VIEW or COLUMN"));
    };
    let mut name = cursor.object_name()?;
    let column = if of_column { name.parts.pop() } else { None };
    if name.parts.is_empty() {
        return Err(cursor.syntax_error("\".\" and the name of a column"));
    }
    cursor.expect("IS")?;
    let text = if cursor.eat("NULL") { None } else { Some(cursor.string()?) };
    Ok(Statement::Comment(Comment { name, view, column, text }))
}

/// `LOCK [TABLE] t, …`
pub(super) fn lock(cursor: &mut Cursor) -> Result<Statement> {
    cursor.expect("LOCK")?;
    cursor.eat("TABLE");
    let mut names = vec![cursor.object_name()?];
    while cursor.eat_token(&Token::Comma) {
        names.push(cursor.object_name()?);
    }
    Ok(Statement::Lock(names))
}
