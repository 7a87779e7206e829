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
    let mut read_only = false;
    loop {
        if cursor.eat("ISOLATION LEVEL") {
            let levels = ["SERIALIZABLE", "READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ"];
            if !levels.iter().any(|level| cursor.eat(level)) {
                return Err(cursor.syntax_error("an isolation level"));
            }
        } else if cursor.eat("READ ONLY") {
            read_only = true;
        } else if cursor.eat("READ WRITE") {
            read_only = false;
        } else {
            return Ok(Statement::Begin { read_only });
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
