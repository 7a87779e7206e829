//! `SET`, `RESET` and `USE`: what changes the session alone.

use crate::error::{Error, Result};
use crate::sql::cursor::Cursor;
use crate::sql::transaction::modes;
use crate::sql::{Statement, refuse};
use sqlparser::tokenizer::{Token, Word};

/// The setting behind `USE`.
const SEARCH_PATH: &str = "search_path";

/// The setting behind `TIME ZONE`.
const TIME_ZONE: &str = "timezone";

/// `SET [SESSION|LOCAL] name {=|TO} {value, …|DEFAULT}`, `SET TIME ZONE value`
pub(super) fn set(cursor: &mut Cursor) -> Result<Statement> {
    cursor.expect("SET")?;
    let options = &[
        "CONSTRAINTS",
        "LOCAL ROLE",
        "LOCAL SESSION AUTHORIZATION",
        "NAMES",
        "PATH",
        "ROLE",
        "SESSION AUTHORIZATION",
        "SESSION ROLE",
        "TRANSACTION",
        "XML OPTION",
    ];
    if cursor.eat("SESSION CHARACTERISTICS AS TRANSACTION") {
        return transactions(cursor);
    }
    if cursor.at("TRANSACTION ISOLATION LEVEL") {
        cursor.advance();
        if modes(cursor)?.is_some() {
            return Err(Error::unsupported("READ ONLY or READ WRITE in SET TRANSACTION"));
        }
        return Ok(for_session("transaction_isolation", Some("serializable".to_owned())));
    }
    let assigns = matches!(cursor.peek_nth(1), Token::Eq) || matches!(cursor.peek_nth(1), Token::Word(w) if is_to(w));
    let mut local = false;
    if !assigns {
        if let Some(error) = refuse::option(cursor, "SET", options) {
            return Err(error);
        }
        local = !cursor.eat("SESSION") && cursor.eat("LOCAL");
    }
    if cursor.eat("TIME ZONE") {
        if let Some(error) = refuse::option(cursor, "SET TIME ZONE", &["INTERVAL"]) {
            return Err(error);
        }
        let default = cursor.eat("LOCAL") || cursor.eat("DEFAULT");
        let value = if default { None } else { Some(values(cursor)?) };
        return Ok(Statement::Set { name: TIME_ZONE.to_owned(), value, local });
    }
    let name = setting_name(cursor)?;
    if !cursor.eat_token(&Token::Eq) {
        cursor.expect("TO")?;
    }
    let value = if cursor.eat("DEFAULT") { None } else { Some(values(cursor)?) };
    Ok(Statement::Set { name, value, local })
}

fn for_session(name: &str, value: Option<String>) -> Statement {
    Statement::Set { name: name.to_owned(), value, local: false }
}

/// What `SET SESSION CHARACTERISTICS AS TRANSACTION` is a setting of: every isolation level is run as SERIALIZABLE.
fn transactions(cursor: &mut Cursor) -> Result<Statement> {
    if cursor.at("READ") || cursor.at("ISOLATION LEVEL") {
        let (name, value) = match modes(cursor)? {
            Some(true) => ("default_transaction_read_only", "on"),
            Some(false) => ("default_transaction_read_only", "off"),
            None => ("default_transaction_isolation", "serializable"),
        };
        return Ok(for_session(name, Some(value.to_owned())));
    }
    Err(cursor.syntax_error("an isolation level, READ ONLY or READ WRITE"))
}

fn is_to(word: &Word) -> bool {
    word.quote_style.is_none() && word.value.eq_ignore_ascii_case("to")
}

/// `RESET USE`; `RESET [SESSION] name`; `RESET ALL` has the name `all`.
pub(super) fn reset(cursor: &mut Cursor) -> Result<Statement> {
    cursor.expect("RESET")?;
    if cursor.eat("USE") {
        // `USE x` chose what unqualified names are looked up in.
        return Ok(for_session(SEARCH_PATH, None));
    }
    if let Some(error) = refuse::option(cursor, "RESET", &["SESSION AUTHORIZATION", "ROLE"]) {
        return Err(error);
    }
    if matches!(cursor.peek_nth(1), Token::Word(_)) {
        cursor.eat("SESSION");
    }
    Ok(for_session(&setting_name(cursor)?, None))
}

/// `USE database`
pub(super) fn use_database(cursor: &mut Cursor) -> Result<Statement> {
    cursor.expect("USE")?;
    Ok(Statement::Use(cursor.database_name()?))
}

/// A setting's name, with the dots it may have.
pub(super) fn setting_name(cursor: &mut Cursor) -> Result<String> {
    if cursor.eat("TIME ZONE") {
        return Ok(TIME_ZONE.to_owned());
    }
    if cursor.eat("TRANSACTION ISOLATION LEVEL") {
        return Ok("transaction_isolation".to_owned());
    }
    let mut name = cursor.identifier()?.to_lowercase();
    while cursor.eat_token(&Token::Period) {
        name.push('.');
        name.push_str(&cursor.identifier()?.to_lowercase());
    }
    Ok(name)
}

/// One value or several with commas, as text: strings without their quotes, all else as written.
pub(super) fn values(cursor: &mut Cursor) -> Result<String> {
    let mut values = vec![value(cursor)?];
    while cursor.eat_token(&Token::Comma) {
        values.push(value(cursor)?);
    }
    Ok(values.join(", "))
}

fn value(cursor: &mut Cursor) -> Result<String> {
    if let Some(number) = cursor.optional_number() {
        return Ok(number);
    }
    match cursor.peek() {
        // A name in quotes keeps them, for they tell `"$user"` from a word.
        Token::Word(_) => {
            let word = cursor.next_source().to_owned();
            cursor.advance();
            Ok(word)
        }
        _ => cursor.optional_string().ok_or_else(|| cursor.syntax_error("a value")),
    }
}
