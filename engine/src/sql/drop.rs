//! `DROP TABLE|VIEW` and `DROP DATABASE|SCHEMA`; the way to all other `DROP`s.

use crate::error::Result;
use crate::sql::cursor::Cursor;
use crate::sql::{DropDatabase, DropTable, Statement, crawler, function, refuse, snapshot};
use sqlparser::tokenizer::Token;

/// The whole statement, whatever it drops.
pub(super) fn drop(cursor: &mut Cursor) -> Result<Statement> {
    let view = cursor.at("DROP VIEW");
    if view || cursor.at("DROP TABLE") {
        return drop_table(cursor, view);
    }
    if cursor.at("DROP DATABASE") || cursor.at("DROP SCHEMA") {
        return drop_database(cursor);
    }
    if cursor.at("DROP FUNCTION") && !cursor.is_athena() {
        return function::drop(cursor);
    }
    if cursor.at("DROP SNAPSHOT") {
        return snapshot::drop(cursor);
    }
    if cursor.at("DROP CRAWLER") || cursor.at("DROP CLASSIFIER") {
        return crawler::drop(cursor);
    }
    Err(refuse::object(cursor))
}

fn drop_table(cursor: &mut Cursor, view: bool) -> Result<Statement> {
    cursor.expect("DROP")?;
    cursor.advance();
    let if_exists = cursor.eat("IF EXISTS");
    let mut names = vec![cursor.object_name()?];
    while cursor.eat_token(&Token::Comma) {
        names.push(cursor.object_name()?);
    }
    if let Some(error) = refuse::option(cursor, "DROP TABLE …", &["PURGE"]) {
        return Err(error);
    }
    Ok(Statement::DropTable(DropTable { names, if_exists, view, cascade: cursor.eat_cascade() }))
}

fn drop_database(cursor: &mut Cursor) -> Result<Statement> {
    cursor.expect("DROP")?;
    cursor.advance();
    let if_exists = cursor.eat("IF EXISTS");
    let name = cursor.database_name()?;
    if *cursor.peek() == Token::Comma {
        return Err(cursor.unsupported("DROP SCHEMA of several schemas"));
    }
    let cascade_before = cursor.eat_cascade();
    let drop_external_database = cursor.eat("DROP EXTERNAL DATABASE");
    let cascade = cursor.eat_cascade() || cascade_before;
    Ok(Statement::DropDatabase(DropDatabase { name, if_exists, cascade, drop_external_database }))
}
