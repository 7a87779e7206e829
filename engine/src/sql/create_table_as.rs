//! Athena's `CREATE TABLE … [WITH (…)] AS query`; without a WITH, Redshift's CREATE TABLE is `managed_table`'s.

use crate::error::{Error, ErrorKind, Result};
use crate::sql::cursor::Cursor;
use crate::sql::{CreateTableAs, PropertyValue, Statement, managed_table};
use sqlparser::tokenizer::Token;

/// The whole statement.
pub(super) fn create(cursor: &mut Cursor) -> Result<Statement> {
    cursor.expect("CREATE")?;
    let local = cursor.eat("LOCAL");
    let position = cursor.position();
    let temporary = cursor.eat("TEMP") || cursor.eat("TEMPORARY");
    if local && !temporary {
        return Err(cursor.syntax_error("TEMP"));
    }
    cursor.expect("TABLE")?;
    let if_not_exists = cursor.if_not_exists();
    let name = cursor.object_name()?;
    if !cursor.is_athena() && !cursor.at("WITH") {
        return managed_table::create(cursor, name, if_not_exists, temporary);
    }
    if temporary {
        let what =
            if cursor.is_athena() { "CREATE TEMP TABLE in Athena's dialect" } else { "CREATE TEMP TABLE … WITH" };
        return Err(Error::unsupported(what).with_position(position));
    }
    if *cursor.peek() == Token::LParen || cursor.at("LIKE") {
        return Err(not_external(cursor).with_position(1));
    }
    let properties = if cursor.eat("WITH") { cursor.list(property)? } else { Vec::new() };
    if properties.iter().any(|(key, value)| key == "table_type" && is_text(value, "iceberg")) {
        return Err(cursor.unsupported("a table of table_type ICEBERG"));
    }
    cursor.expect("AS")?;
    let (query, _) = cursor.query()?;
    let with_data = !cursor.eat("WITH NO DATA");
    if with_data {
        cursor.eat("WITH DATA");
    }
    Ok(Statement::CreateTableAs(Box::new(CreateTableAs { name, if_not_exists, properties, query, with_data })))
}

fn not_external(cursor: &Cursor) -> Error {
    if cursor.mentions("iceberg") {
        return cursor.unsupported("a table of table_type ICEBERG");
    }
    cursor
        .unsupported("CREATE TABLE without EXTERNAL")
        .with_hint("use CREATE EXTERNAL TABLE, or CREATE TABLE … AS with a query")
}

fn is_text(value: &PropertyValue, text: &str) -> bool {
    matches!(value, PropertyValue::Text(value) if value.eq_ignore_ascii_case(text))
}

/// `name = value` of `WITH (…)`.
fn property(cursor: &mut Cursor) -> Result<(String, PropertyValue)> {
    let name = cursor.identifier()?;
    cursor.expect_token(&Token::Eq)?;
    if cursor.at("ARRAY") && *cursor.peek_nth(1) == Token::LBracket {
        cursor.advance();
        return Ok((name, PropertyValue::List(array(cursor)?)));
    }
    let value = match cursor.optional_string().or_else(|| cursor.optional_number()) {
        Some(value) => value,
        None if matches!(cursor.peek(), Token::Word(_)) => cursor.identifier()?,
        None => return Err(cursor.syntax_error("a value")),
    };
    Ok((name, PropertyValue::Text(value)))
}

/// `['a', 'b']`
fn array(cursor: &mut Cursor) -> Result<Vec<String>> {
    cursor.expect_token(&Token::LBracket)?;
    let mut items = Vec::new();
    while !cursor.eat_token(&Token::RBracket) {
        if !items.is_empty() {
            cursor.expect_token(&Token::Comma)?;
        }
        let position = cursor.position();
        let item = match cursor.optional_string() {
            Some(item) => item,
            None => cursor.optional_number().ok_or_else(|| {
                Error::new(ErrorKind::InvalidParameter, "an ARRAY of a table's properties holds strings")
                    .with_position(position)
            })?,
        };
        items.push(item);
    }
    Ok(items)
}
