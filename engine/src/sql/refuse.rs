//! What is a statement of Redshift, Athena or PostgreSQL and is not run: refused by its name, with 0A000.
//!
//! A word that begins no statement at all is a syntax error instead, with the word that was meant.

use crate::error::{Error, ErrorKind};
use crate::sql::cursor::Cursor;
use crate::sql::diagnose;

/// First words of the statements that run.
const SUPPORTED: &[&str] = &[
    "ABORT",
    "ALTER",
    "ANALYZE",
    "BEGIN",
    "CLOSE",
    "COMMENT",
    "COMMIT",
    "CREATE",
    "DEALLOCATE",
    "DECLARE",
    "DELETE",
    "DESC",
    "DESCRIBE",
    "DISCARD",
    "DROP",
    "END",
    "EXECUTE",
    "EXPLAIN",
    "FETCH",
    "INSERT",
    "LOCK",
    "MERGE",
    "MOVE",
    "MSCK",
    "PREPARE",
    "RESET",
    "RESTORE",
    "ROLLBACK",
    "SELECT",
    "SET",
    "SHOW",
    "START",
    "STOP",
    "TRUNCATE",
    "UPDATE",
    "USE",
    "VACUUM",
    "VALUES",
    "WITH",
];

/// First words of the statements that do not.
const UNSUPPORTED: &[&str] = &[
    "ATTACH",
    "CALL",
    "CANCEL",
    "COPY",
    "DENY",
    "DETACH",
    "DO",
    "EXPORT",
    "GRANT",
    "IMPORT",
    "KILL",
    "LISTEN",
    "LOAD",
    "NOTIFY",
    "OPTIMIZE",
    "REFRESH",
    "REINDEX",
    "RELEASE",
    "REPAIR",
    "REVOKE",
    "SAVEPOINT",
    "UNLISTEN",
    "UNLOAD",
];

/// Words that may stand between CREATE, ALTER or DROP and the kind of object.
const MODIFIERS: &[&str] =
    &["EXTERNAL", "LOCAL", "GLOBAL", "TEMP", "TEMPORARY", "MATERIALIZED", "PROTECTED", "MULTI", "DIALECT", "UNIQUE"];

/// Kinds of objects that are not made, changed or dropped.
const OBJECTS: &[&str] = &[
    "AGGREGATE",
    "CATALOG",
    "CLASSIFIER",
    "CRAWLER",
    "DATABASE",
    "DATASHARE",
    "DEFAULT PRIVILEGES",
    "EXTENSION",
    "FUNCTION",
    "GROUP",
    "IDENTITY PROVIDER",
    "INDEX",
    "INTEGRATION",
    "LIBRARY",
    "MACRO",
    "MASKING POLICY",
    "MODEL",
    "PROCEDURE",
    "RLS POLICY",
    "ROLE",
    "SCHEMA",
    "SEQUENCE",
    "SERVER",
    "SYSTEM",
    "TABLE",
    "TRIGGER",
    "TYPE",
    "USER",
    "VIEW",
];

/// The error for a statement that begins with `word`, which no grammar of ours takes.
pub(super) fn statement(cursor: &Cursor, word: &str) -> Error {
    if UNSUPPORTED.contains(&word) {
        return cursor.unsupported(word);
    }
    let known: Vec<&str> = SUPPORTED.iter().chain(UNSUPPORTED).copied().collect();
    let mut error = cursor.syntax_error("a statement");
    error.hint = diagnose::meant(word, &known);
    error
}

/// The error for a CREATE, ALTER or DROP of something no grammar of ours takes.
pub(super) fn object(cursor: &mut Cursor) -> Error {
    let start = cursor.unsupported("");
    let mut name = vec![cursor.peek_word().unwrap_or_default()];
    cursor.advance();
    cursor.eat("OR REPLACE");
    while let Some(word) = cursor.peek_word().filter(|word| MODIFIERS.contains(&word.as_str())) {
        name.push(word);
        cursor.advance();
    }
    let Some(kind) = OBJECTS.iter().find(|kind| cursor.at(kind)) else {
        let mut error = cursor.syntax_error("the kind of an object");
        error.hint = cursor.peek_word().and_then(|word| diagnose::meant(&word, OBJECTS)).or(error.hint);
        return error;
    };
    name.push((*kind).to_owned());
    Error { message: format!("{} is not supported", name.join(" ")), ..start }
}

/// The error when one of these comes next, an option of a statement that is known and not run.
pub(super) fn option(cursor: &Cursor, statement: &str, options: &[&str]) -> Option<Error> {
    let found = options.iter().find(|option| cursor.at(option))?;
    let construct = if statement.is_empty() { (*found).to_owned() } else { format!("{statement} {found}") };
    Some(cursor.unsupported(&construct))
}

/// 42601: a clause given twice.
pub(super) fn redundant(cursor: &Cursor) -> Error {
    Error::new(ErrorKind::Syntax, "conflicting or redundant options").with_position(cursor.position())
}
