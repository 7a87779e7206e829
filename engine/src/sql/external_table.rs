//! `CREATE EXTERNAL TABLE` in Hive's form (Athena, Redshift Spectrum), and Spectrum's `… AS query`.

use crate::error::{Error, ErrorKind, Result};
use crate::sql::cursor::Cursor;
use crate::sql::{
    Bucketing, CreateExternalTable, CreateTableAs, ObjectName, PropertyValue, Statement, StoredAs, refuse, row_format,
    types,
};
use millrace_catalog::model::{Column, Parameters, SerDe, SortColumn};
use sqlparser::tokenizer::Token;

/// The clauses after the columns; Hive's order is not asked for.
#[derive(Default)]
struct Clauses {
    comment: Option<String>,
    partitions: Option<Partitions>,
    bucketing: Option<Bucketing>,
    row_format: Option<SerDe>,
    serde_properties: Option<Parameters>,
    stored_as: Option<StoredAs>,
    location: Option<String>,
    properties: Option<Parameters>,
}

enum Partitions {
    Columns(Vec<Column>),
    /// Names of the query's columns, in Spectrum's `… AS query`.
    Names(Vec<String>),
}

/// The whole statement.
pub(super) fn create(cursor: &mut Cursor) -> Result<Statement> {
    cursor.expect("CREATE EXTERNAL TABLE")?;
    let if_not_exists = cursor.if_not_exists();
    let name = cursor.object_name()?;
    if let Some(error) = refuse::option(cursor, "CREATE EXTERNAL TABLE", &["LIKE"]) {
        return Err(error);
    }
    let columns_at = cursor.position();
    let columns = if *cursor.peek() == Token::LParen { types::column_list(cursor)? } else { Vec::new() };
    let clauses = clauses(cursor)?;
    if cursor.at("AS") {
        if cursor.is_athena() {
            return Err(cursor.unsupported("CREATE EXTERNAL TABLE AS").with_hint("use CREATE TABLE … WITH (…) AS"));
        }
        if !columns.is_empty() {
            let message = "CREATE EXTERNAL TABLE AS takes its columns from the query";
            return Err(Error::new(ErrorKind::Syntax, message).with_position(columns_at));
        }
        return table_as(cursor, name, if_not_exists, clauses);
    }
    if columns.is_empty() {
        cursor.finish()?;
        let message = format!("table \"{}\" has no columns", name.parts.join("."));
        return Err(Error::new(ErrorKind::InvalidTableDefinition, message).with_position(name.position));
    }
    let partition_keys = match clauses.partitions {
        Some(Partitions::Columns(columns)) => columns,
        Some(Partitions::Names(_)) => return Err(cursor.syntax_error("AS and a query, or types of the partition keys")),
        None => Vec::new(),
    };
    if let Some(repeated) = partition_keys.iter().find(|key| columns.iter().any(|column| column.name == key.name)) {
        return Err(types::duplicate(&repeated.name)
            .with_detail("a partition key is not repeated among the columns")
            .with_position(columns_at));
    }
    Ok(Statement::CreateExternalTable(Box::new(CreateExternalTable {
        name,
        if_not_exists,
        columns,
        comment: clauses.comment,
        partition_keys,
        bucketing: clauses.bucketing,
        row_format: with_properties(clauses.row_format, clauses.serde_properties),
        stored_as: clauses.stored_as,
        location: clauses.location,
        properties: clauses.properties.unwrap_or_default(),
    })))
}

/// `WITH SERDEPROPERTIES` may stand apart from its `ROW FORMAT` (Athena's CREATE TABLE shows it after STORED AS).
fn with_properties(row_format: Option<SerDe>, properties: Option<Parameters>) -> Option<SerDe> {
    let Some(properties) = properties else { return row_format };
    let mut serde = row_format.unwrap_or_default();
    serde.parameters.extend(properties);
    Some(serde)
}

fn clauses(cursor: &mut Cursor) -> Result<Clauses> {
    let mut clauses = Clauses::default();
    loop {
        if cursor.at("COMMENT") {
            once(cursor, "COMMENT", &mut clauses.comment, Cursor::string)?;
        } else if cursor.at("PARTITIONED BY") {
            once(cursor, "PARTITIONED BY", &mut clauses.partitions, partitions)?;
        } else if cursor.at("CLUSTERED BY") {
            once(cursor, "CLUSTERED BY", &mut clauses.bucketing, bucketing)?;
        } else if cursor.at("ROW FORMAT") {
            once(cursor, "ROW FORMAT", &mut clauses.row_format, row_format::row_format)?;
        } else if cursor.at("WITH SERDEPROPERTIES") {
            once(cursor, "WITH SERDEPROPERTIES", &mut clauses.serde_properties, Cursor::properties)?;
        } else if cursor.at("STORED") {
            once(cursor, "STORED", &mut clauses.stored_as, row_format::stored)?;
        } else if cursor.at("LOCATION") {
            once(cursor, "LOCATION", &mut clauses.location, Cursor::string)?;
        } else if cursor.at("TBLPROPERTIES") {
            once(cursor, "TBLPROPERTIES", &mut clauses.properties, table_properties)?;
        } else if cursor.at("TABLE PROPERTIES") {
            once(cursor, "TABLE PROPERTIES", &mut clauses.properties, table_properties)?;
        } else if let Some(error) = refuse::option(cursor, "", &["SKEWED BY"]) {
            return Err(error);
        } else {
            return Ok(clauses);
        }
    }
}

/// Takes a clause that may stand once.
pub(super) fn once<'a, T>(
    cursor: &mut Cursor<'a>,
    words: &str,
    place: &mut Option<T>,
    clause: impl Fn(&mut Cursor<'a>) -> Result<T>,
) -> Result<()> {
    if place.is_some() {
        return Err(refuse::redundant(cursor));
    }
    cursor.expect(words)?;
    *place = Some(clause(cursor)?);
    Ok(())
}

/// A table's properties; those that make it an Apache Iceberg table are refused.
fn table_properties(cursor: &mut Cursor) -> Result<Parameters> {
    let error = cursor.unsupported("a table of table_type ICEBERG");
    let properties = cursor.properties()?;
    let iceberg = |(key, value): (&String, &String)| {
        key.eq_ignore_ascii_case("table_type") && value.eq_ignore_ascii_case("iceberg")
    };
    if properties.iter().any(iceberg) { Err(error) } else { Ok(properties) }
}

fn partitions(cursor: &mut Cursor) -> Result<Partitions> {
    if matches!(cursor.peek_nth(2), Token::Comma | Token::RParen) {
        return Ok(Partitions::Names(cursor.list(Cursor::identifier)?));
    }
    Ok(Partitions::Columns(types::column_list(cursor)?))
}

/// What follows `CLUSTERED BY`.
fn bucketing(cursor: &mut Cursor) -> Result<Bucketing> {
    let columns = cursor.list(Cursor::identifier)?;
    let sorted_by = if cursor.eat("SORTED BY") {
        cursor.list(|cursor| {
            let column = cursor.identifier()?;
            let ascending = !cursor.eat("DESC");
            if ascending {
                cursor.eat("ASC");
            }
            Ok(SortColumn { column, ascending })
        })?
    } else {
        Vec::new()
    };
    cursor.expect("INTO")?;
    let position = cursor.position();
    let number = cursor.optional_number().ok_or_else(|| cursor.syntax_error("a number of buckets"))?;
    let count = number.parse().ok().filter(|count| *count > 0).ok_or_else(|| {
        let message = format!("\"{number}\" is not a number of buckets");
        Error::new(ErrorKind::InvalidParameter, message).with_position(position)
    })?;
    cursor.expect("BUCKETS")?;
    Ok(Bucketing { columns, sorted_by, count })
}

/// Spectrum's `CREATE EXTERNAL TABLE … AS query`, in the words of Athena's CTAS.
fn table_as(cursor: &mut Cursor, name: ObjectName, if_not_exists: bool, clauses: Clauses) -> Result<Statement> {
    let refused = [
        (clauses.comment.is_some(), "COMMENT"),
        (clauses.bucketing.is_some(), "CLUSTERED BY"),
        (clauses.row_format.is_some() || clauses.serde_properties.is_some(), "ROW FORMAT"),
        (matches!(clauses.stored_as, Some(StoredAs::Classes { .. })), "INPUTFORMAT"),
    ];
    if let Some((_, clause)) = refused.iter().find(|(found, _)| *found) {
        return Err(cursor.unsupported(&format!("{clause} of CREATE EXTERNAL TABLE AS")));
    }
    let text = |key: &str, value: String| (key.to_owned(), PropertyValue::Text(value));
    let mut properties = Vec::new();
    if let Some(StoredAs::Format(format)) = clauses.stored_as {
        properties.push(text("format", format));
    }
    properties.extend(clauses.location.map(|location| text("external_location", location)));
    match clauses.partitions {
        Some(Partitions::Names(names)) => properties.push(("partitioned_by".to_owned(), PropertyValue::List(names))),
        Some(Partitions::Columns(_)) => {
            return Err(Error::new(ErrorKind::Syntax, "partition keys of CREATE EXTERNAL TABLE AS have no types")
                .with_position(cursor.position()));
        }
        None => {}
    }
    properties.extend(clauses.properties.unwrap_or_default().into_iter().map(|(key, value)| text(&key, value)));
    cursor.expect("AS")?;
    let (query, _) = cursor.query()?;
    Ok(Statement::CreateTableAs(Box::new(CreateTableAs { name, if_not_exists, properties, query, with_data: true })))
}
