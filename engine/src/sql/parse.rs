//! From text to statements: cuts, tokenises, and gives each statement to the grammar its first words name.

use crate::error::{Error, Result};
use crate::sql::cursor::Cursor;
use crate::sql::scan::next_piece;
use crate::sql::{
    Dialect, Names, ParsedStatement, Statement, administer, alter, analyze, comment, copy, crawler, create_table_as,
    cursor_statement, database, diagnose, drop, explain_statement, external_table, function, grant, insert,
    managed_table, materialized_view, modify, prepared_statement, refuse, session, show, snapshot, transaction, unload,
    user, vacuum, view,
};
use sqlparser::ast::Query;

/// Parses a text of any number of statements with semicolons between them; empty ones give none.
///
/// Errors are 42601 for what is no statement, 0A000 for what this version does not run, 54000 for what is too deep,
/// each with its position in the whole text, in characters from 1.
pub fn parse(text: &str, dialect: Dialect) -> Result<Vec<ParsedStatement>> {
    parse_named(text, dialect, Names::Folded)
}

/// The same where names in quotes may keep their case; Athena's do not.
///
/// # Errors
/// Those of [`parse`].
pub fn parse_named(text: &str, dialect: Dialect, names: Names) -> Result<Vec<ParsedStatement>> {
    let names = match dialect {
        Dialect::Redshift => names,
        Dialect::Athena => Names::Folded,
    };
    let mut statements = Vec::new();
    let (mut from, mut counted, mut before) = (0, 0, 0);
    loop {
        let piece = next_piece(text, from, dialect);
        before += text[counted..piece.range.start].chars().count();
        counted = piece.range.start;
        if let Some((open, at)) = piece.open {
            let position = before + text[counted..at].chars().count() + 1;
            return Err(diagnose::unterminated(open, &text[at..]).with_position(position));
        }
        if !piece.empty {
            let mut cursor = Cursor::new(text, &piece, names).map_err(|e| moved(e, before))?;
            let statement = whole_statement(&mut cursor).map_err(|e| moved(e, before))?;
            let text = text[piece.range.clone()].to_owned();
            statements.push(ParsedStatement {
                statement,
                text,
                dialect,
                names,
                offset: before,
                number: 0,
                bound: None,
            });
        }
        match piece.semicolon {
            Some(at) => from = at + 1,
            None => return Ok(statements),
        }
    }
}

/// The query that a text is; `None` for other statements, or several.
///
/// # Errors
/// Those of [`parse`].
pub(crate) fn parse_query(text: &str, dialect: Dialect, names: Names) -> Result<Option<Box<Query>>> {
    let mut parsed = parse_named(text, dialect, names)?;
    Ok(match (parsed.pop().map(|parsed| parsed.statement), parsed.is_empty()) {
        (Some(Statement::Query(query)), true) => Some(query),
        _ => None,
    })
}

fn moved(mut error: Error, by: usize) -> Error {
    error.position = error.position.map(|position| position + by);
    error
}

fn whole_statement(cursor: &mut Cursor) -> Result<Statement> {
    let statement = statement(cursor)?;
    cursor.finish()?;
    Ok(statement)
}

pub(super) fn statement(cursor: &mut Cursor) -> Result<Statement> {
    if cursor.at("WITH") && !cursor.is_athena() {
        match cursor.first_outside(&["SELECT", "VALUES", "UPDATE", "DELETE"]) {
            Some("UPDATE") => return modify::with(cursor, modify::update),
            Some("DELETE") => return modify::with(cursor, modify::delete),
            _ => {}
        }
    }
    if cursor.at_query() {
        return managed_table::query(cursor);
    }
    let Some(word) = cursor.peek_word() else { return Err(cursor.syntax_error("a statement")) };
    if !cursor.is_athena()
        && let Some(found) = user::statement(cursor)
            .or_else(|| grant::statement(cursor))
            .or_else(|| materialized_view::statement(cursor))
    {
        return found;
    }
    match word.as_str() {
        "CREATE" => create(cursor),
        "DROP" => drop::drop(cursor),
        "ALTER" if cursor.at("ALTER SYSTEM") && !cursor.is_athena() => administer::alter_system(cursor),
        "ALTER" => alter::alter(cursor),
        "CANCEL" if !cursor.is_athena() => administer::cancel(cursor),
        "ANALYZE" => analyze::analyze(cursor),
        "VACUUM" => vacuum::vacuum(cursor),
        "INSERT" => insert::insert(cursor),
        "UPDATE" => modify::update(cursor, None),
        "DELETE" => modify::delete(cursor, None),
        "MERGE" => modify::merge(cursor),
        "TRUNCATE" => modify::truncate(cursor),
        "BEGIN" | "START" if !cursor.at("START CRAWLER") => transaction::begin(cursor),
        "COMMIT" | "END" => transaction::commit(cursor),
        "ROLLBACK" | "ABORT" => transaction::rollback(cursor),
        "COPY" => copy::copy(cursor),
        "UNLOAD" => unload::unload(cursor),
        "COMMENT" => comment::comment(cursor),
        "LOCK" => comment::lock(cursor),
        "RESTORE" => snapshot::restore(cursor),
        "MSCK" => alter::repair(cursor),
        "SHOW" => show::show(cursor),
        "DESCRIBE" | "DESC" => show::describe(cursor),
        "SET" => session::set(cursor),
        "RESET" => session::reset(cursor),
        "USE" => session::use_database(cursor),
        "EXPLAIN" if cursor.at("EXPLAIN CRAWLER") => crawler::explain(cursor),
        "EXPLAIN" => explain_statement::explain(cursor),
        "START" if cursor.at("START CRAWLER") => crawler::start(cursor),
        "STOP" => crawler::stop(cursor),
        "PREPARE" => prepared_statement::prepare(cursor),
        "EXECUTE" => prepared_statement::execute(cursor),
        "DEALLOCATE" => prepared_statement::deallocate(cursor),
        "DISCARD" => prepared_statement::discard(cursor),
        "DECLARE" => cursor_statement::declare(cursor),
        "FETCH" => cursor_statement::fetch(cursor),
        "MOVE" => cursor_statement::move_forward(cursor),
        "CLOSE" => cursor_statement::close(cursor),
        _ => Err(refuse::statement(cursor, &word)),
    }
}

/// How a `CREATE TABLE` may begin.
const TABLES: [&str; 5] = [
    "CREATE TABLE",
    "CREATE TEMP TABLE",
    "CREATE TEMPORARY TABLE",
    "CREATE LOCAL TEMP TABLE",
    "CREATE LOCAL TEMPORARY TABLE",
];

fn create(cursor: &mut Cursor) -> Result<Statement> {
    if cursor.at("CREATE EXTERNAL TABLE") {
        external_table::create(cursor)
    } else if cursor.at("CREATE EXTERNAL SCHEMA") {
        database::create_external_schema(cursor)
    } else if cursor.at("CREATE DATABASE") || cursor.at("CREATE SCHEMA") {
        database::create(cursor)
    } else if TABLES.iter().any(|words| cursor.at(words)) {
        create_table_as::create(cursor)
    } else if cursor.at("CREATE VIEW") || cursor.at("CREATE OR REPLACE VIEW") {
        view::create(cursor)
    } else if !cursor.is_athena() && (cursor.at("CREATE FUNCTION") || cursor.at("CREATE OR REPLACE FUNCTION")) {
        function::create(cursor)
    } else if cursor.at("CREATE SNAPSHOT") {
        snapshot::create(cursor)
    } else if crawler::creates(cursor) {
        crawler::create(cursor)
    } else {
        Err(refuse::object(cursor))
    }
}
