//! `ALTER SYSTEM` and `CANCEL`.

use crate::error::Result;
use crate::sql::cursor::Cursor;
use crate::sql::{Statement, session};
use sqlparser::tokenizer::Token;

/// `ALTER SYSTEM {SET name {=|TO} {value|DEFAULT} | RESET name}`
pub(super) fn alter_system(cursor: &mut Cursor) -> Result<Statement> {
    cursor.expect("ALTER SYSTEM")?;
    if cursor.eat("RESET") {
        return Ok(Statement::AlterSystem(session::setting_name(cursor)?, None));
    }
    cursor.expect("SET")?;
    let name = session::setting_name(cursor)?;
    if !cursor.eat_token(&Token::Eq) {
        cursor.expect("TO")?;
    }
    let value = if cursor.eat("DEFAULT") { None } else { Some(session::values(cursor)?) };
    Ok(Statement::AlterSystem(name, value))
}

/// `CANCEL pid ['message']`
pub(super) fn cancel(cursor: &mut Cursor) -> Result<Statement> {
    cursor.expect("CANCEL")?;
    let number = cursor.optional_number().and_then(|number| number.parse().ok());
    let Some(pid) = number else { return Err(cursor.syntax_error("the number of a session")) };
    let message = match cursor.peek() {
        Token::SingleQuotedString(_) => Some(cursor.string()?),
        _ => None,
    };
    Ok(Statement::Cancel { pid, message })
}
