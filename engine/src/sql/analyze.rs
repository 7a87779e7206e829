//! `ANALYZE`, in Redshift's form and in the form of Hive, Spark and Glue; both dialects take both.

use crate::error::Result;
use crate::sql::cursor::Cursor;
use crate::sql::{Analyze, AnalyzeCompression, AnalyzeScope, Statement, refuse};
use sqlparser::tokenizer::Token;

/// The whole statement.
pub(super) fn analyze(cursor: &mut Cursor) -> Result<Statement> {
    if cursor.eat("ANALYZE COMPRESSION") {
        return compression(cursor);
    }
    if cursor.at("ANALYZE TABLES") {
        return Err(cursor.unsupported("ANALYZE TABLES"));
    }
    cursor.expect("ANALYZE")?;
    let analyze = if cursor.eat("TABLE") { hive(cursor)? } else { redshift(cursor)? };
    Ok(Statement::Analyze(analyze))
}

/// What follows `ANALYZE COMPRESSION`: `[[schema.]t [(column, …)]] [COMPROWS n]`
fn compression(cursor: &mut Cursor) -> Result<Statement> {
    let (mut table, mut columns) = (None, None);
    if !cursor.at_end() && !cursor.at("COMPROWS") {
        table = Some(cursor.object_name()?);
        if *cursor.peek() == Token::LParen {
            columns = Some(cursor.list(Cursor::identifier)?);
        }
    }
    let mut rows = None;
    if cursor.eat("COMPROWS") {
        let position = cursor.position();
        let number = cursor.optional_number().and_then(|number| number.parse().ok());
        rows = Some(number.ok_or_else(|| cursor.syntax_error("a number of rows").with_position(position))?);
    }
    Ok(Statement::AnalyzeCompression(AnalyzeCompression { table, columns, rows }))
}

/// What follows `ANALYZE`: `[VERBOSE] [[schema.]t [(column, …)]] [PREDICATE COLUMNS | ALL COLUMNS]`
fn redshift(cursor: &mut Cursor) -> Result<Analyze> {
    let verbose = cursor.eat("VERBOSE");
    let mut scope = AnalyzeScope::AllColumns;
    let mut table = None;
    if !cursor.at_end() && !cursor.at("PREDICATE COLUMNS") && !cursor.at("ALL COLUMNS") {
        table = Some(cursor.object_name()?);
        if *cursor.peek() == Token::LParen {
            scope = AnalyzeScope::Columns(cursor.list(Cursor::identifier)?);
        }
    }
    if let Some(error) = refuse::option(cursor, "ANALYZE …", &["WITH"]) {
        return Err(error);
    }
    let named = matches!(scope, AnalyzeScope::Columns(_));
    if (cursor.at("PREDICATE COLUMNS") || cursor.at("ALL COLUMNS")) && named {
        return Err(refuse::redundant(cursor));
    }
    if cursor.eat("PREDICATE COLUMNS") {
        scope = AnalyzeScope::PredicateColumns;
    } else {
        cursor.eat("ALL COLUMNS");
    }
    Ok(Analyze { table, verbose, partition: Vec::new(), any_value: Vec::new(), scope })
}

/// What follows `ANALYZE TABLE`:
/// `t [PARTITION (key [= value], …)] COMPUTE STATISTICS [FOR [ALL] COLUMNS [column, …]] [NOSCAN]`
fn hive(cursor: &mut Cursor) -> Result<Analyze> {
    let table = Some(cursor.object_name()?);
    let (mut partition, mut any_value) = (Vec::new(), Vec::new());
    if cursor.eat("PARTITION") {
        cursor.list(|cursor| {
            let key = cursor.identifier()?;
            if cursor.eat_token(&Token::Eq) {
                partition.push((key, super::partition::value(cursor)?));
            } else {
                any_value.push(key);
            }
            Ok(())
        })?;
    }
    cursor.expect("COMPUTE STATISTICS")?;
    let mut scope = AnalyzeScope::Rows;
    if cursor.eat("FOR ALL COLUMNS") {
        scope = AnalyzeScope::AllColumns;
    } else if cursor.eat("FOR COLUMNS") {
        scope = AnalyzeScope::AllColumns;
        if !cursor.at_end() && !cursor.at("NOSCAN") {
            let mut columns = vec![cursor.identifier()?];
            while cursor.eat_token(&Token::Comma) {
                columns.push(cursor.identifier()?);
            }
            scope = AnalyzeScope::Columns(columns);
        }
    }
    if let Some(error) = refuse::option(cursor, "ANALYZE TABLE …", &["CACHE METADATA", "PARTIALSCAN"]) {
        return Err(error);
    }
    if cursor.at("NOSCAN") {
        if scope != AnalyzeScope::Rows {
            return Err(refuse::redundant(cursor));
        }
        cursor.advance();
        scope = AnalyzeScope::Files;
    }
    Ok(Analyze { table, verbose: false, partition, any_value, scope })
}
