//! `DECLARE`, `FETCH`, `MOVE` and `CLOSE` of cursors: forward only, as Redshift's are.

use crate::error::Result;
use crate::sql::cursor::Cursor;
use crate::sql::{Statement, refuse};
use sqlparser::ast;

/// What is done to cursors.
#[derive(Debug, Clone)]
pub enum CursorStatement {
    /// `DECLARE name CURSOR FOR query`
    Declare {
        /// The name, folded.
        name: String,
        /// What gives its rows.
        query: Box<ast::Query>,
    },
    /// `FETCH [NEXT|ALL|FORWARD [count|ALL]] FROM name`
    Fetch {
        /// The name, folded.
        name: String,
        /// How many rows; `None` is all.
        count: Option<u64>,
    },
    /// `MOVE`, with the words of `FETCH`: passes over rows
    Move {
        /// The name, folded.
        name: String,
        /// How many rows; `None` is all.
        count: Option<u64>,
    },
    /// `CLOSE name`; `None` is `ALL`
    Close(Option<String>),
}

/// `DECLARE name [INSENSITIVE] [NO SCROLL] CURSOR [WITHOUT HOLD] FOR query`
pub(super) fn declare(cursor: &mut Cursor) -> Result<Statement> {
    cursor.expect("DECLARE")?;
    let name = cursor.identifier()?;
    if let Some(error) = refuse::option(cursor, "DECLARE …", &["BINARY", "SCROLL"]) {
        return Err(error);
    }
    cursor.eat("INSENSITIVE");
    cursor.eat("NO SCROLL");
    cursor.expect("CURSOR")?;
    if let Some(error) = refuse::option(cursor, "DECLARE … CURSOR", &["WITH HOLD"]) {
        return Err(error);
    }
    cursor.eat("WITHOUT HOLD");
    cursor.expect("FOR")?;
    if !cursor.at_query() {
        return Err(cursor.syntax_error("a query"));
    }
    let (query, _) = cursor.query()?;
    Ok(Statement::Cursor(CursorStatement::Declare { name, query }))
}

/// `FETCH`
pub(super) fn fetch(cursor: &mut Cursor) -> Result<Statement> {
    cursor.expect("FETCH")?;
    let (count, name) = rows_of(cursor, "FETCH")?;
    Ok(Statement::Cursor(CursorStatement::Fetch { name, count }))
}

/// `MOVE`
pub(super) fn move_forward(cursor: &mut Cursor) -> Result<Statement> {
    cursor.expect("MOVE")?;
    let (count, name) = rows_of(cursor, "MOVE")?;
    Ok(Statement::Cursor(CursorStatement::Move { name, count }))
}

/// `CLOSE`
pub(super) fn close(cursor: &mut Cursor) -> Result<Statement> {
    cursor.expect("CLOSE")?;
    let name = if cursor.eat("ALL") { None } else { Some(cursor.identifier()?) };
    Ok(Statement::Cursor(CursorStatement::Close(name)))
}

/// How many rows, of which cursor.
fn rows_of(cursor: &mut Cursor, verb: &str) -> Result<(Option<u64>, String)> {
    let backward = &["PRIOR", "FIRST", "LAST", "ABSOLUTE", "RELATIVE", "BACKWARD"];
    if let Some(error) = refuse::option(cursor, verb, backward) {
        return Err(error);
    }
    let forward = cursor.eat("FORWARD");
    let count = if cursor.eat("ALL") {
        None
    } else if !forward && cursor.eat("NEXT") {
        Some(1)
    } else {
        let position = cursor.position();
        match cursor.optional_number() {
            None => Some(1),
            Some(number) => match number.parse() {
                Ok(count) => Some(count),
                Err(_) => {
                    let what = format!("{verb} of {number} rows");
                    return Err(crate::error::Error::unsupported(what).with_position(position));
                }
            },
        }
    };
    let _ = cursor.eat("FROM") || cursor.eat("IN");
    Ok((count, cursor.identifier()?))
}
