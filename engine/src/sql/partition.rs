//! `PARTITION (key = value, …)`: which partition, or with comparisons which partitions.

use crate::error::Result;
use crate::sql::cursor::Cursor;
use crate::sql::{CompareOperator, PartitionCompare, PartitionSpec};
use sqlparser::tokenizer::Token;

/// What follows `PARTITION`: each key with its value.
pub(super) fn spec(cursor: &mut Cursor) -> Result<PartitionSpec> {
    cursor.list(|cursor| {
        let key = cursor.identifier()?;
        cursor.expect_token(&Token::Eq)?;
        Ok((key, value(cursor)?))
    })
}

/// What follows `PARTITION` in DROP: each key with a comparison.
pub(super) fn conditions(cursor: &mut Cursor) -> Result<Vec<PartitionCompare>> {
    cursor.list(|cursor| {
        let key = cursor.identifier()?;
        let operator = match cursor.peek() {
            Token::Eq => CompareOperator::Eq,
            Token::Neq => CompareOperator::NotEq,
            Token::Lt => CompareOperator::Lt,
            Token::LtEq => CompareOperator::LtEq,
            Token::Gt => CompareOperator::Gt,
            Token::GtEq => CompareOperator::GtEq,
            _ => return Err(cursor.syntax_error("a comparison")),
        };
        cursor.advance();
        Ok(PartitionCompare { key, operator, value: value(cursor)? })
    })
}

/// A constant as text: the type of the key says later what it means. A number keeps its leading zeros.
pub(super) fn value(cursor: &mut Cursor) -> Result<Option<String>> {
    if cursor.eat("NULL") {
        return Ok(None);
    }
    if cursor.at("DATE") || cursor.at("TIMESTAMP") {
        cursor.advance();
        return cursor.string().map(Some);
    }
    if let Some(value) = cursor.optional_string().or_else(|| cursor.optional_number()) {
        return Ok(Some(value));
    }
    for (word, value) in [("TRUE", "true"), ("FALSE", "false")] {
        if cursor.eat(word) {
            return Ok(Some(value.to_owned()));
        }
    }
    Err(cursor.syntax_error("a constant"))
}
