//! Columns and their types in DDL: Hive's type language, and for Redshift SQL's names of the same types.

use crate::error::{Error, ErrorKind, Result};
use crate::sql::cursor::Cursor;
use crate::sql::refuse;
use millrace_catalog::model::{Column, HiveType};
use sqlparser::tokenizer::{Token, Word};
use std::collections::HashSet;

/// How deep a type may nest; the catalog's own limit is the same.
const MAX_DEPTH: usize = 64;

/// Redshift's names that external tables take (CREATE EXTERNAL TABLE, "data_type") beside those Hive has too.
const REDSHIFT_NAMES: &[(&str, &str)] = &[
    ("bpchar", "char"),
    ("character", "char"),
    ("character varying", "varchar"),
    ("character varying binary", "binary"),
    ("float", "double"),
    ("float4", "float"),
    ("float8", "double"),
    ("int2", "smallint"),
    ("int4", "int"),
    ("int8", "bigint"),
    ("nchar", "char"),
    ("nvarchar", "varchar"),
    ("text", "string"),
    ("timestamp without time zone", "timestamp"),
    ("varbinary", "binary"),
    ("varbyte", "binary"),
];

/// Types that exist and that no external table has.
const UNSUPPORTED: &[&str] = &[
    "binary varying",
    "geography",
    "geometry",
    "hllsketch",
    "interval",
    "json",
    "oid",
    "time",
    "time with time zone",
    "time without time zone",
    "timestamp with time zone",
    "timestamptz",
    "timetz",
    "uniontype",
    "uuid",
];

/// `(name type [COMMENT '…'], …)`
pub(super) fn column_list(cursor: &mut Cursor) -> Result<Vec<Column>> {
    let mut names = HashSet::new();
    cursor.list(|cursor| {
        let at = cursor.next_index();
        let column = column(cursor)?;
        if names.insert(column.name.clone()) {
            Ok(column)
        } else {
            Err(duplicate(&column.name).with_position(cursor.position_at(at)))
        }
    })
}

/// 42701.
pub(super) fn duplicate(name: &str) -> Error {
    Error::new(ErrorKind::DuplicateColumn, format!("column \"{name}\" specified more than once"))
}

/// `name type [COMMENT '…']`
pub(super) fn column(cursor: &mut Cursor) -> Result<Column> {
    let name = cursor.identifier()?;
    let data_type = data_type(cursor)?;
    if let Some(error) =
        refuse::option(cursor, "", &["NOT NULL", "DEFAULT", "PRIMARY KEY", "UNIQUE", "ENCODE", "IDENTITY"])
    {
        return Err(error);
    }
    let comment = if cursor.eat("COMMENT") { Some(cursor.string()?) } else { None };
    Ok(Column { name, data_type, comment })
}

/// A type; its extent is found by its brackets, its meaning by the catalog's parser.
fn data_type(cursor: &mut Cursor) -> Result<HiveType> {
    let at = cursor.next_index();
    let mut text = name(cursor)?;
    let mut depth = 0;
    loop {
        let (change, part) = match cursor.peek() {
            Token::Lt | Token::LParen => (1, cursor.next_source().to_owned()),
            Token::Gt | Token::RParen if depth > 0 => (-1, cursor.next_source().to_owned()),
            Token::ShiftRight if depth > 1 => (-2, cursor.next_source().to_owned()),
            Token::ShiftRight if depth == 1 => return Err(cursor.syntax_error("\">\"")),
            Token::EOF => {
                if depth == 0 {
                    break;
                }
                return Err(cursor.syntax_error("the rest of the type"));
            }
            _ if depth == 0 => break,
            Token::Word(Word { value, quote_style: Some(_), .. }) => (0, format!("`{}`", value.replace('`', "``"))),
            Token::Word(_) => {
                // `double precision` keeps its blank.
                let blank = if text.ends_with(char::is_alphanumeric) { " " } else { "" };
                (0, format!("{blank}{}", cursor.next_source().to_lowercase()))
            }
            _ => (0, cursor.next_source().to_owned()),
        };
        depth += change;
        text.push_str(&part);
        cursor.advance();
    }
    let known = known(&text, !cursor.is_athena(), 0).map_err(|error| error.with_position(cursor.position_at(at)))?;
    known.parse().map_err(|error: millrace_catalog::CatalogError| {
        Error::new(ErrorKind::InvalidParameter, error.to_string()).with_position(cursor.position_at(at))
    })
}

/// Redshift's type of an external table's column, from its text.
pub(crate) fn hive_type(text: &str) -> Result<HiveType> {
    let known = known(text, true, 0)?;
    known.parse().map_err(|e: millrace_catalog::CatalogError| Error::new(ErrorKind::InvalidParameter, e.to_string()))
}

/// The type's name, which may be of several words.
fn name(cursor: &mut Cursor) -> Result<String> {
    let Some(first) = cursor.peek_word() else { return Err(cursor.syntax_error("a type")) };
    cursor.advance();
    let first = first.to_lowercase();
    let more: &[&str] = match first.as_str() {
        "double" => &["precision"],
        "character" => &["varying binary", "varying"],
        "binary" => &["varying"],
        "timestamp" | "time" => &["with time zone", "without time zone"],
        _ => &[],
    };
    Ok(match more.iter().find(|words| cursor.eat(words)) {
        Some(words) => format!("{first} {words}"),
        None => first,
    })
}

/// The type in names that the catalog knows, or an error that names the one it does not.
fn known(text: &str, redshift: bool, depth: usize) -> Result<String> {
    if depth > MAX_DEPTH {
        return Err(Error::new(ErrorKind::LimitExceeded, format!("a type nests deeper than {MAX_DEPTH} levels")));
    }
    let text = text.trim();
    let Some((outer, inside)) = text.split_once('<').and_then(|(o, i)| Some((o.trim(), i.strip_suffix('>')?))) else {
        // Documents have no type within another.
        if depth > 0 && text == "super" {
            return Err(Error::unsupported("a type that holds super"));
        }
        return leaf(text, redshift);
    };
    if !matches!(outer, "array" | "map" | "struct") {
        return Err(unknown(outer));
    }
    let mut parts = Vec::new();
    for part in top_level(inside) {
        let field = if outer == "struct" { end_of_field(part) } else { None };
        parts.push(match field {
            Some(at) => format!("{}:{}", part[..at].trim(), known(&part[at + 1..], redshift, depth + 1)?),
            None if outer == "struct" => part.to_owned(),
            None => known(part, redshift, depth + 1)?,
        });
    }
    Ok(format!("{outer}<{}>", parts.join(",")))
}

/// Splits at the commas that stand in no brackets.
fn top_level(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start, mut quoted) = (Vec::new(), 0, 0, false);
    for (at, c) in text.char_indices() {
        match c {
            '`' => quoted = !quoted,
            _ if quoted => {}
            '<' | '(' => depth += 1,
            '>' | ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// Where the colon stands after a field's name.
fn end_of_field(text: &str) -> Option<usize> {
    let mut quoted = false;
    text.char_indices().find_map(|(at, c)| {
        quoted ^= c == '`';
        (c == ':' && !quoted).then_some(at)
    })
}

fn leaf(text: &str, redshift: bool) -> Result<String> {
    let end = text.find('(').unwrap_or(text.len());
    let (name, arguments) = (text[..end].trim(), &text[end..]);
    if UNSUPPORTED.contains(&name) {
        return Err(Error::unsupported(format!("a column of type {name}")));
    }
    let known = match REDSHIFT_NAMES.iter().find(|(sql, _)| redshift && *sql == name) {
        Some((_, hive)) => hive,
        None => name,
    };
    match known {
        // Redshift's defaults, which Hive does not have.
        "varchar" if redshift && arguments.is_empty() => Ok("varchar(256)".to_owned()),
        "char" if redshift && arguments.is_empty() => Ok("char(1)".to_owned()),
        "decimal" | "numeric" if redshift && arguments.is_empty() => Ok("decimal(18,0)".to_owned()),
        // VARBYTE(n) has a length that Hive's binary has not.
        "binary" if redshift => Ok("binary".to_owned()),
        _ if HIVE_NAMES.contains(&known) => Ok(format!("{known}{arguments}")),
        _ => Err(unknown(name)),
    }
}

/// The names that the catalog's types parse from.
const HIVE_NAMES: &[&str] = &[
    "array",
    "bigint",
    "binary",
    "bool",
    "boolean",
    "char",
    "date",
    "decimal",
    "double",
    "double precision",
    "float",
    "int",
    "integer",
    "long",
    "map",
    "numeric",
    "real",
    "smallint",
    "string",
    "struct",
    "super",
    "timestamp",
    "tinyint",
    "varchar",
];

fn unknown(name: &str) -> Error {
    Error::new(ErrorKind::UndefinedObject, format!("type \"{name}\" does not exist"))
}
