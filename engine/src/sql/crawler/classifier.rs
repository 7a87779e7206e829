//! What follows a classifier's name: `GROK …`, `CSV …`, `JSON …`.

use super::choice;
use crate::error::{Error, ErrorKind, Result};
use crate::sql::cursor::Cursor;
use crate::sql::external_table::once;
use crate::sql::types;
use millrace_catalog::model::{ClassifierKind, CsvHeader};
use sqlparser::tokenizer::Token;

/// The kind of a classifier and its options.
pub(super) fn kind(cursor: &mut Cursor) -> Result<ClassifierKind> {
    if cursor.eat("GROK") {
        grok(cursor)
    } else if cursor.eat("CSV") {
        csv(cursor)
    } else if cursor.eat("JSON") {
        cursor.expect("PATH")?;
        Ok(ClassifierKind::Json { path: cursor.string()? })
    } else if cursor.at("XML") {
        Err(cursor.unsupported("an XML classifier"))
    } else {
        Err(cursor.syntax_error("GROK, CSV or JSON"))
    }
}

/// `CLASSIFICATION 'c' PATTERN '…' [CUSTOM PATTERNS '…']`
fn grok(cursor: &mut Cursor) -> Result<ClassifierKind> {
    let (mut classification, mut pattern, mut custom_patterns) = (None, None, None);
    loop {
        if cursor.at("CLASSIFICATION") {
            once(cursor, "CLASSIFICATION", &mut classification, Cursor::string)?;
        } else if cursor.at("PATTERN") {
            once(cursor, "PATTERN", &mut pattern, Cursor::string)?;
        } else if cursor.at("CUSTOM PATTERNS") {
            once(cursor, "CUSTOM PATTERNS", &mut custom_patterns, Cursor::string)?;
        } else {
            break;
        }
    }
    let Some(classification) = classification else { return Err(cursor.syntax_error("CLASSIFICATION")) };
    let Some(pattern) = pattern else { return Err(cursor.syntax_error("PATTERN")) };
    Ok(ClassifierKind::Grok { classification, pattern, custom_patterns })
}

/// `[DELIMITER ','] [QUOTE '"'] [HEADER PRESENT|ABSENT|UNKNOWN] [COLUMNS (a [type], …)] [KEEP BLANKS]
/// [ALLOW SINGLE COLUMN]`
fn csv(cursor: &mut Cursor) -> Result<ClassifierKind> {
    let (mut delimiter, mut quote, mut header, mut columns) = (None, None, None, None);
    let (mut keep_blanks, mut single) = (None, None);
    loop {
        if cursor.at("DELIMITER") {
            once(cursor, "DELIMITER", &mut delimiter, character)?;
        } else if cursor.at("QUOTE") {
            once(cursor, "QUOTE", &mut quote, character)?;
        } else if cursor.at("HEADER") {
            once(cursor, "HEADER", &mut header, |cursor| {
                let headers =
                    [("PRESENT", CsvHeader::Present), ("ABSENT", CsvHeader::Absent), ("UNKNOWN", CsvHeader::Unknown)];
                choice(cursor, &headers)
            })?;
        } else if cursor.at("COLUMNS") {
            once(cursor, "COLUMNS", &mut columns, csv_columns)?;
        } else if cursor.at("KEEP BLANKS") {
            once(cursor, "KEEP BLANKS", &mut keep_blanks, |_| Ok(true))?;
        } else if cursor.at("ALLOW SINGLE COLUMN") {
            once(cursor, "ALLOW SINGLE COLUMN", &mut single, |_| Ok(true))?;
        } else {
            break;
        }
    }
    let (columns, types) = columns.unwrap_or_default();
    Ok(ClassifierKind::Csv {
        delimiter,
        quote,
        header: header.unwrap_or_default(),
        columns,
        types,
        keep_blanks: keep_blanks.unwrap_or_default(),
        allow_single_column: single.unwrap_or_default(),
    })
}

/// One character; a tab or control character may be written with a backslash where strings have no escapes.
fn character(cursor: &mut Cursor) -> Result<char> {
    let position = cursor.position();
    let text = cursor.string()?;
    let mut characters = text.chars();
    match (characters.next(), characters.next(), text.as_str()) {
        (Some(character), None, _) => Ok(character),
        (_, _, "\\t") => Ok('\t'),
        (_, _, "\\001" | "\\u0001") => Ok('\u{1}'),
        _ => {
            let message = format!("\"{text}\" is not one character");
            Err(Error::new(ErrorKind::InvalidParameter, message).with_position(position))
        }
    }
}

/// `(a, b)` or `(a int, b string)`: names, and types for all of them or for none.
fn csv_columns(cursor: &mut Cursor) -> Result<(Vec<String>, Vec<String>)> {
    if !matches!(cursor.peek_nth(2), Token::Comma | Token::RParen) {
        let columns = types::column_list(cursor)?;
        return Ok(columns.into_iter().map(|column| (column.name, column.data_type.to_string())).unzip());
    }
    let mut names: Vec<String> = Vec::new();
    for (name, at) in cursor.list(|cursor| {
        let at = cursor.next_index();
        Ok((cursor.identifier()?, at))
    })? {
        if names.contains(&name) {
            return Err(types::duplicate(&name).with_position(cursor.position_at(at)));
        }
        names.push(name);
    }
    Ok((names, Vec::new()))
}
