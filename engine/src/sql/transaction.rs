//! `BEGIN`, `COMMIT`, `ROLLBACK` and their other names.

use crate::error::Result;
use crate::sql::cursor::Cursor;
use crate::sql::{Statement, refuse};
use sqlparser::tokenizer::Token;

/// `BEGIN [WORK|TRANSACTION] [ISOLATION LEVEL …] [READ WRITE|READ ONLY]`, `START TRANSACTION …`
///
/// Redshift runs every isolation level as SERIALIZABLE, and so do we.
pub(super) fn begin(cursor: &mut Cursor) -> Result<Statement> {
    if cursor.eat("START") {
        cursor.expect("TRANSACTION")?;
    } else {
        cursor.expect("BEGIN")?;
        let _ = cursor.eat("WORK") || cursor.eat("TRANSACTION");
    }
    Ok(Statement::Begin { read_only: modes(cursor)? })
}

/// `[ISOLATION LEVEL …] [READ WRITE|READ ONLY]`: whether transactions only read, where that is said.
pub(super) fn modes(cursor: &mut Cursor) -> Result<Option<bool>> {
    let mut read_only = None;
    loop {
        if cursor.eat("ISOLATION LEVEL") {
            let levels = ["SERIALIZABLE", "READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ"];
            if !levels.iter().any(|level| cursor.eat(level)) {
                return Err(cursor.syntax_error("an isolation level"));
            }
        } else if cursor.eat("READ ONLY") {
            read_only = Some(true);
        } else if cursor.eat("READ WRITE") {
            read_only = Some(false);
        } else {
            return Ok(read_only);
        }
        cursor.eat_token(&Token::Comma);
    }
}

/// `COMMIT`, `END [WORK|TRANSACTION]`
pub(super) fn commit(cursor: &mut Cursor) -> Result<Statement> {
    cursor.advance();
    let _ = cursor.eat("WORK") || cursor.eat("TRANSACTION");
    if let Some(error) = refuse::option(cursor, "COMMIT", &["PREPARED", "AND CHAIN"]) {
        return Err(error);
    }
    Ok(Statement::Commit)
}

/// `ROLLBACK`, `ABORT [WORK|TRANSACTION]`
pub(super) fn rollback(cursor: &mut Cursor) -> Result<Statement> {
    cursor.advance();
    let _ = cursor.eat("WORK") || cursor.eat("TRANSACTION");
    if let Some(error) = refuse::option(cursor, "ROLLBACK", &["PREPARED", "TO", "AND CHAIN"]) {
        return Err(error);
    }
    Ok(Statement::Rollback)
}
