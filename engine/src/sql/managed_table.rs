//! Redshift's `CREATE TABLE`: columns or a query, and attributes in any order.

use crate::error::{Error, ErrorKind, Result};
use crate::sql::cursor::Cursor;
use crate::sql::types::duplicate;
use crate::sql::{
    Collation, ColumnDefinition, CreateTable, Distribution, Like, ObjectName, SortKeyClause, Statement, refuse,
};
use millrace_catalog::model::{Constraint, ConstraintKind, Identity, Parameters, Reference};
use sqlparser::tokenizer::Token;

/// `CREATE [TEMP] TABLE [IF NOT EXISTS] name {(items) attributes | [(columns)] attributes AS query}`, from after the name.
pub(super) fn create(cursor: &mut Cursor, name: ObjectName, if_not_exists: bool, temporary: bool) -> Result<Statement> {
    if cursor.mentions("iceberg") {
        return Err(cursor.unsupported("a table of table_type ICEBERG"));
    }
    let temporary = temporary || is_temporary(&name);
    let mut table = CreateTable { name, temporary, if_not_exists, ..CreateTable::default() };
    if *cursor.peek() == Token::LParen {
        let names_only = matches!(cursor.peek_nth(2), Token::Comma | Token::RParen);
        if names_only {
            table.names = cursor.list(Cursor::identifier)?;
        } else {
            cursor.list(|cursor| item(cursor, &mut table))?;
        }
    }
    attributes(cursor, &mut table)?;
    let defined = !table.columns.is_empty() || table.like.is_some();
    if !defined {
        cursor.expect("AS")?;
        let (query, _) = cursor.query()?;
        table.query = Some(query);
        if let Some(error) = refuse::option(cursor, "CREATE TABLE AS …", &["WITH NO DATA", "WITH DATA"]) {
            return Err(error);
        }
    } else if cursor.at("AS") {
        let error = Error::new(ErrorKind::Syntax, "CREATE TABLE AS takes names of columns, not their types");
        return Err(error.with_position(cursor.position()));
    }
    Ok(Statement::CreateTable(Box::new(table)))
}

/// A query; one that says `SELECT … INTO [TABLE] t` is Redshift's other word for `CREATE TABLE t AS`.
pub(super) fn query(cursor: &mut Cursor) -> Result<Statement> {
    let (query, into) = cursor.query_into()?;
    let Some(into) = into else { return Ok(Statement::Query(query)) };
    let name = cursor.folded(&into.name);
    let temporary = into.temporary || is_temporary(&name);
    Ok(Statement::CreateTable(Box::new(CreateTable { name, temporary, query: Some(query), ..CreateTable::default() })))
}

/// In Redshift a name that begins with `#` is a temporary table's.
fn is_temporary(name: &ObjectName) -> bool {
    name.parts.last().is_some_and(|last| last.starts_with('#'))
}

/// A column, a constraint or a LIKE.
fn item(cursor: &mut Cursor, table: &mut CreateTable) -> Result<()> {
    if cursor.eat("LIKE") {
        let parent = cursor.object_name()?;
        let defaults = cursor.eat("INCLUDING DEFAULTS");
        if !defaults {
            cursor.eat("EXCLUDING DEFAULTS");
        }
        table.like = Some(Like { parent, defaults });
        return Ok(());
    }
    if let Some(error) = refuse::option(cursor, "", &["CHECK", "EXCLUDE USING"]) {
        return Err(error);
    }
    if let Some(constraint) = constraint(cursor)? {
        table.constraints.push(constraint);
        return Ok(());
    }
    let position = cursor.position();
    let column = column(cursor, &mut table.constraints)?;
    if table.columns.iter().any(|known| known.name == column.name) {
        return Err(duplicate(&column.name).with_position(position));
    }
    table.columns.push(column);
    Ok(())
}

/// `[CONSTRAINT name] constraint`
pub(super) fn constraint(cursor: &mut Cursor) -> Result<Option<Constraint>> {
    if !cursor.eat("CONSTRAINT") {
        return table_constraint(cursor);
    }
    let name = cursor.identifier()?;
    match table_constraint(cursor)? {
        Some(constraint) => Ok(Some(Constraint { name: Some(name), ..constraint })),
        None => Err(cursor.syntax_error("PRIMARY KEY, UNIQUE or FOREIGN KEY")),
    }
}

/// `PRIMARY KEY (a)`, `UNIQUE (a)`, `FOREIGN KEY (a) REFERENCES t [(b)]`
fn table_constraint(cursor: &mut Cursor) -> Result<Option<Constraint>> {
    let kind = ["PRIMARY KEY", "UNIQUE", "FOREIGN KEY"].into_iter().find(|kind| {
        let words = kind.split(' ').count();
        cursor.at(kind) && *cursor.peek_nth(words) == Token::LParen
    });
    let Some(kind) = kind else { return Ok(None) };
    cursor.expect(kind)?;
    let columns = cursor.list(Cursor::identifier)?;
    let kind = match kind {
        "PRIMARY KEY" => ConstraintKind::PrimaryKey,
        "UNIQUE" => ConstraintKind::Unique,
        _ => ConstraintKind::ForeignKey(references(cursor)?),
    };
    Ok(Some(Constraint { name: None, kind, columns }))
}

/// `REFERENCES t [(b)]`
fn references(cursor: &mut Cursor) -> Result<Reference> {
    cursor.expect("REFERENCES")?;
    let mut parts = cursor.object_name()?.parts;
    let table = parts.pop().unwrap_or_default();
    let columns = if *cursor.peek() == Token::LParen { cursor.list(Cursor::identifier)? } else { Vec::new() };
    Ok(Reference { schema: parts.pop(), table, columns })
}

/// `name type [attributes] [constraints]`, in any order after the type.
pub(super) fn column(cursor: &mut Cursor, constraints: &mut Vec<Constraint>) -> Result<ColumnDefinition> {
    let name = cursor.identifier()?;
    let type_position = cursor.position();
    let data_type = type_text(cursor)?;
    let mut column = ColumnDefinition { name, data_type, type_position, ..ColumnDefinition::default() };
    loop {
        let position = cursor.position();
        if cursor.eat("NOT NULL") {
            column.nullable = Some(false);
        } else if cursor.eat("NULL") {
            column.nullable = Some(true);
        } else if cursor.eat("DEFAULT IDENTITY") {
            column.identity = Some(identity(cursor, true)?);
        } else if cursor.eat("DEFAULT") {
            column.default = Some(cursor.default_expression()?.to_owned());
        } else if cursor.eat("IDENTITY") {
            column.identity = Some(identity(cursor, false)?);
        } else if cursor.eat("GENERATED BY DEFAULT AS IDENTITY") {
            column.identity = Some(identity(cursor, true)?);
        } else if cursor.eat("ENCODE") {
            column.encoding = Some(cursor.identifier()?);
        } else if cursor.eat("DISTKEY") {
            column.dist_key = true;
        } else if cursor.eat("SORTKEY") {
            column.sort_key = true;
        } else if cursor.eat("PRIMARY KEY") {
            column.nullable = Some(false);
            constraints.push(of_column(&column.name, ConstraintKind::PrimaryKey));
        } else if cursor.eat("UNIQUE") {
            constraints.push(of_column(&column.name, ConstraintKind::Unique));
        } else if cursor.at("REFERENCES") {
            constraints.push(of_column(&column.name, ConstraintKind::ForeignKey(references(cursor)?)));
        } else if cursor.eat("COLLATE") {
            let written = cursor.next_source().trim_matches('"');
            let unknown = || Error::unsupported(format!("COLLATE {written}")).with_position(position);
            column.collation = Some(Collation::parse(&cursor.identifier()?).ok_or_else(unknown)?);
        } else if matches!(cursor.peek(), Token::Comma | Token::RParen | Token::EOF) {
            return Ok(column);
        } else if cursor.at("CHECK") || cursor.at("GENERATED") {
            let word = cursor.peek_word().unwrap_or_default();
            return Err(cursor.unsupported(&word));
        } else {
            return Err(cursor.syntax_error("an attribute of a column, \",\" or \")\""));
        }
    }
}

/// A constraint that stands with its column.
fn of_column(name: &str, kind: ConstraintKind) -> Constraint {
    Constraint { name: None, kind, columns: vec![name.to_owned()] }
}

/// `(seed, step)`
fn identity(cursor: &mut Cursor, by_default: bool) -> Result<Identity> {
    let position = cursor.position();
    let numbers = cursor.list(|cursor| cursor.optional_number().ok_or_else(|| cursor.syntax_error("a number")))?;
    let numbers: Option<Vec<i64>> = numbers.iter().map(|number| number.parse().ok()).collect();
    match numbers.as_deref() {
        Some([seed, step]) if *step != 0 => Ok(Identity { seed: *seed, step: *step, by_default }),
        _ => {
            let message = "IDENTITY takes a seed and a step that is not 0";
            Err(Error::new(ErrorKind::InvalidParameter, message).with_position(position))
        }
    }
}

/// A type as written, its words in lower case: `character varying(20)`, `timestamp with time zone`.
pub(super) fn type_text(cursor: &mut Cursor) -> Result<String> {
    let Some(first) = cursor.peek_word() else { return Err(cursor.syntax_error("a type")) };
    cursor.advance();
    let mut text = first.to_lowercase();
    if text == "interval" {
        text.push_str(&interval_qualifier(cursor));
    }
    let longer = ["precision", "varying"];
    while let Some(word) = longer.into_iter().find(|word| cursor.eat(&word.to_uppercase())) {
        text = format!("{text} {word}");
    }
    if *cursor.peek() == Token::LParen {
        let arguments = cursor.list(|cursor| match cursor.optional_number() {
            Some(number) => Ok(number),
            None => cursor.identifier(),
        })?;
        text = format!("{text}({})", arguments.join(","));
    }
    for zone in ["with time zone", "without time zone"] {
        if cursor.eat(&zone.to_uppercase()) {
            text = format!("{text} {zone}");
        }
    }
    Ok(text)
}

/// ` year to month`, ` second`: the fields of an interval, as far as they are there.
fn interval_qualifier(cursor: &mut Cursor) -> String {
    let fields = ["YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"];
    let mut field = |before: &str| {
        let found = fields.into_iter().find(|field| cursor.eat(&format!("{before}{field}")));
        found.map(|field| format!(" {}{}", before.to_lowercase(), field.to_lowercase())).unwrap_or_default()
    };
    match field("") {
        first if first.is_empty() => first,
        first => format!("{first}{}", field("TO ")),
    }
}

/// `BACKUP`, `DISTSTYLE`, `DISTKEY`, `SORTKEY`, `ENCODE AUTO`, `TABLE PROPERTIES`, each at most once, in any order.
pub(super) fn attributes(cursor: &mut Cursor, table: &mut CreateTable) -> Result<()> {
    let mut properties: Option<Parameters> = None;
    let mut encode_auto = false;
    loop {
        let again = refuse::redundant(cursor);
        let twice = if cursor.eat("BACKUP") {
            let yes = cursor.eat("YES");
            if !yes {
                cursor.expect("NO")?;
            }
            table.backup.replace(yes).is_some()
        } else if cursor.eat("DISTSTYLE") {
            let style = distribution(cursor)?;
            table.dist_style.replace(style).is_some()
        } else if cursor.eat("DISTKEY") {
            let column = one_column(cursor)?;
            table.dist_key.replace(column).is_some()
        } else if cursor.at("SORTKEY") || cursor.at("COMPOUND SORTKEY") || cursor.at("INTERLEAVED SORTKEY") {
            let sort_key = sort_key(cursor)?;
            table.sort_key.replace(sort_key).is_some()
        } else if cursor.eat("ENCODE AUTO") {
            std::mem::replace(&mut encode_auto, true)
        } else if cursor.eat("TABLE PROPERTIES") {
            let given = cursor.properties()?;
            properties.replace(given).is_some()
        } else {
            table.properties = properties.unwrap_or_default();
            return Ok(());
        };
        if twice {
            return Err(again);
        }
    }
}

/// What follows `DISTSTYLE`.
pub(super) fn distribution(cursor: &mut Cursor) -> Result<Distribution> {
    let styles = [
        ("AUTO", Distribution::Auto),
        ("EVEN", Distribution::Even),
        ("KEY", Distribution::Key),
        ("ALL", Distribution::All),
    ];
    let found = styles.into_iter().find(|(word, _)| cursor.eat(word));
    found.map(|(_, style)| style).ok_or_else(|| cursor.syntax_error("AUTO, EVEN, KEY or ALL"))
}

fn one_column(cursor: &mut Cursor) -> Result<String> {
    cursor.expect_token(&Token::LParen)?;
    let column = cursor.identifier()?;
    cursor.expect_token(&Token::RParen)?;
    Ok(column)
}

/// `[COMPOUND|INTERLEAVED] SORTKEY (columns)`, `SORTKEY AUTO|NONE`
pub(super) fn sort_key(cursor: &mut Cursor) -> Result<SortKeyClause> {
    let interleaved = cursor.eat("INTERLEAVED");
    if !interleaved {
        cursor.eat("COMPOUND");
    }
    cursor.expect("SORTKEY")?;
    if cursor.eat("AUTO") {
        return Ok(SortKeyClause::Auto);
    }
    if cursor.eat("NONE") {
        return Ok(SortKeyClause::None);
    }
    let columns = cursor.list(Cursor::identifier)?;
    Ok(if interleaved { SortKeyClause::Interleaved(columns) } else { SortKeyClause::Compound(columns) })
}
