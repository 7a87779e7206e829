//! `SHOW …` and `DESCRIBE`.

use crate::error::Result;
use crate::sql::cursor::Cursor;
use crate::sql::{Describe, ObjectName, Show, Statement, crawler, partition, refuse, session, show_objects};
use sqlparser::tokenizer::Token;

/// What other systems show and we do not.
const UNSUPPORTED: &[&str] = &[
    "CATALOGS",
    "CREATE FUNCTION",
    "CREATE MATERIALIZED",
    "CREATE SCHEMA",
    "DATASHARES",
    "INDEX",
    "INDEXES",
    "LOCKS",
    "MODEL",
    "POLICIES",
    "PROCEDURE",
    "PROCEDURES",
    "ROLES",
    "STATS",
    "TABLE EXTENDED",
    "TRANSACTIONS",
];

/// The whole statement.
pub(super) fn show(cursor: &mut Cursor) -> Result<Statement> {
    cursor.expect("SHOW")?;
    if !cursor.is_athena()
        && let Some(statement) = show_objects::statement(cursor)
    {
        return statement;
    }
    if let Some(error) = refuse::option(cursor, "SHOW", UNSUPPORTED) {
        return Err(error);
    }
    let show = if cursor.eat("DATABASES") || cursor.eat("SCHEMAS") {
        if let Some(error) = refuse::option(cursor, "SHOW DATABASES", &["FROM", "IN"]) {
            return Err(error);
        }
        Show::Databases { like: like(cursor)? }
    } else if cursor.eat("TABLES") {
        let database = in_database(cursor)?;
        Show::Tables { database, like: like(cursor)? }
    } else if cursor.eat("VIEWS") {
        let database = in_database(cursor)?;
        Show::Views { database, like: like(cursor)? }
    } else if cursor.eat("COLUMNS") {
        columns(cursor)?
    } else if cursor.eat("PARTITIONS") {
        let table = cursor.object_name()?;
        if let Some(error) = refuse::option(cursor, "SHOW PARTITIONS …", &["PARTITION"]) {
            return Err(error);
        }
        Show::Partitions(table)
    } else if cursor.eat("CREATE TABLE") || eat_kind(cursor, "EXTERNAL TABLE") || eat_kind(cursor, "TABLE") {
        let name = cursor.object_name()?;
        if let Some(error) = refuse::option(cursor, "SHOW EXTERNAL TABLE …", &["PARTITION"]) {
            return Err(error);
        }
        Show::Create { name, view: false }
    } else if cursor.eat("CREATE VIEW") || eat_kind(cursor, "VIEW") {
        Show::Create { name: cursor.object_name()?, view: true }
    } else if cursor.eat("TBLPROPERTIES") {
        let table = cursor.object_name()?;
        let key = if cursor.eat_token(&Token::LParen) {
            let key = cursor.string()?;
            cursor.expect_token(&Token::RParen)?;
            Some(key)
        } else {
            None
        };
        Show::Properties { table, key }
    } else if cursor.eat("FUNCTIONS") {
        Show::Functions { like: like(cursor)? }
    } else if cursor.eat("CRAWLERS") {
        Show::Crawlers { like: like(cursor)? }
    } else if cursor.eat("CRAWLER RUNS") {
        crawler::runs(cursor)?
    } else if cursor.eat("CLASSIFIERS") {
        Show::Classifiers { like: like(cursor)? }
    } else if cursor.eat("SNAPSHOTS") {
        Show::Snapshots
    } else if cursor.eat("ALL") {
        Show::Setting(None)
    } else {
        Show::Setting(Some(session::setting_name(cursor)?))
    };
    if let Some(error) = refuse::option(cursor, "SHOW …", &["LIMIT", "WHERE", "ESCAPE"]) {
        return Err(error);
    }
    Ok(Statement::Show(show))
}

/// Takes Redshift's `TABLE t`, `VIEW v`, when a name follows.
fn eat_kind(cursor: &mut Cursor, words: &str) -> bool {
    let after = words.split(' ').count();
    matches!(cursor.peek_nth(after), Token::Word(_)) && cursor.eat(words)
}

/// `[IN|FROM [SCHEMA] database]`
fn in_database(cursor: &mut Cursor) -> Result<Option<String>> {
    if !(cursor.eat("IN") || cursor.eat("FROM")) {
        return Ok(None);
    }
    eat_kind(cursor, "SCHEMA");
    cursor.database_name().map(Some)
}

/// `[LIKE] 'pattern'`
fn like(cursor: &mut Cursor) -> Result<Option<String>> {
    if cursor.eat("LIKE") { cursor.string().map(Some) } else { Ok(cursor.optional_string()) }
}

/// What follows `SHOW COLUMNS`: `IN|FROM t [IN|FROM database]`
fn columns(cursor: &mut Cursor) -> Result<Show> {
    let takes = |cursor: &mut Cursor| cursor.eat("IN") || cursor.eat("FROM");
    if !takes(cursor) {
        return Err(cursor.syntax_error("IN or FROM"));
    }
    eat_kind(cursor, "TABLE");
    let mut table = cursor.object_name()?;
    if takes(cursor) {
        let database = cursor.database_name()?;
        let last = table.parts.pop().unwrap_or_default();
        table = ObjectName { parts: vec![database, last], position: table.position };
    }
    if let Some(error) = refuse::option(cursor, "SHOW COLUMNS …", &["LIKE"]) {
        return Err(error);
    }
    Ok(Show::Columns(table))
}

/// `DESCRIBE|DESC [EXTENDED|FORMATTED] [db.]t [PARTITION (…)] [column]`
pub(super) fn describe(cursor: &mut Cursor) -> Result<Statement> {
    cursor.advance();
    for kind in ["DATABASE", "SCHEMA", "FUNCTION", "INPUT", "OUTPUT", "DATASHARE"] {
        if cursor.at(kind) && matches!(cursor.peek_nth(1), Token::Word(_)) {
            return Err(cursor.unsupported(&format!("DESCRIBE {kind}")));
        }
    }
    let formatted = cursor.eat("EXTENDED") || cursor.eat("FORMATTED");
    let _ = eat_kind(cursor, "TABLE") || eat_kind(cursor, "VIEW");
    let table = cursor.object_name()?;
    let at_partition = cursor.at("PARTITION") && *cursor.peek_nth(1) == Token::LParen;
    let partition = if at_partition {
        cursor.advance();
        Some(partition::spec(cursor)?)
    } else {
        None
    };
    let column = if cursor.at_end() { None } else { Some(cursor.identifier()?) };
    if *cursor.peek() == Token::Period {
        return Err(cursor.unsupported("DESCRIBE of a field of a column"));
    }
    Ok(Statement::Describe(Describe { table, formatted, partition, column }))
}
