//! A table of the catalog over a foreign system: its columns are declared, its place is `kind://name`.
//!
//! Where and as whom its system is asked says the schema that it is in, or the one that its property `connectionName`
//! names, as Glue's crawlers write it; without either the usual chain does (environment, profile). `sourceTable` and
//! `columnMapping` (`column=source,…`) are those of Athena's connectors, `invalid.values` that of files. All other
//! properties are the connector's options, for this table.

use super::definition::{Definition, label};
use crate::error::{Error, ErrorKind, Result};
use crate::lake::records::{InvalidValues, invalid_values};
use crate::lake::types;
use crate::tables;
use datafusion::arrow::datatypes::{DataType, Field};
use millrace_catalog::Snapshot;
use millrace_catalog::model::{Column, HiveType, Parameters, Table, TableKind};
use millrace_connectors::{Declaration, Invalid, OptionSpec, Options};
use std::collections::BTreeMap;

/// The kinds of systems that a table can be over; a table's location begins with one and `://`.
const KINDS: [&str; 4] = ["dynamodb", "elasticsearch", "kinesis", "opensearch"];

/// The property that names the schema whose system is asked.
pub(crate) const CONNECTION: &str = "connectionName";

/// The property that names the system's table, where it is not the location that does.
pub(crate) const SOURCE: &str = "sourceTable";

/// The property that says which column stands for which attribute, field or member.
pub(crate) const MAPPING: &str = "columnMapping";

/// Properties that say nothing of how a table is read: what crawlers write.
const NOTES: [&str; 12] = [
    CONNECTION,
    SOURCE,
    MAPPING,
    "invalid.values",
    "use.null.for.invalid.data",
    "classification",
    "recordCount",
    "typeOfData",
    "CrawlerSchemaDeserializerVersion",
    "CrawlerSchemaSerializerVersion",
    "DEPRECATED_BY_CRAWLER",
    "UPDATED_BY_CRAWLER",
];

/// Options that say where a system is, as whom it is asked, and what a schema shows of it: they are the schema's.
const OF_SCHEMA: [&str; 12] = [
    "access_key_id",
    "attributes",
    "ca_file",
    "columns",
    "endpoint",
    "iam_role",
    "items",
    "profile",
    "region",
    "sample",
    "streams",
    "user",
];

/// A system's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    /// The kind of system, in lower case.
    pub(crate) kind: &'a str,
    /// What the system calls the table.
    pub(crate) source: &'a str,
}

impl<'a> Place<'a> {
    /// The place that a location names; `None` for one of files.
    pub(crate) fn of(location: &'a str) -> Option<Self> {
        let (kind, source) = location.split_once("://")?;
        let kind = KINDS.into_iter().find(|known| known.eq_ignore_ascii_case(kind))?;
        Some(Self { kind, source })
    }

    /// The place of a table; `None` for one of files, and for views.
    pub(crate) fn of_table(table: &'a Table) -> Option<Self> {
        if table.kind != TableKind::ExternalTable {
            return None;
        }
        Self::of(table.storage.location.as_deref()?)
    }

    /// As a location.
    pub(crate) fn url(self) -> String {
        format!("{}://{}", self.kind, self.source)
    }
}

/// The error for a statement that would change a declared table's rows or files; `None` for a table of files.
pub(crate) fn unchangeable(table: &Table) -> Option<Error> {
    let Place { kind, .. } = Place::of_table(table)?;
    Some(Error::unsupported(format!("changing \"{}\", a table of {},", table.name, label(kind))))
}

/// Lets a declared table's place follow its property `sourceTable`, when that was changed.
pub(crate) fn relocate(table: &mut Table) {
    let place = Place::of_table(table).zip(property(&table.parameters, SOURCE));
    let moved = place.map(|(place, source)| Place { source, ..place }.url());
    table.storage.location = moved.or(table.storage.location.take());
}

/// What a declared table is read with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Declared {
    /// The kind of system.
    pub(super) kind: String,
    /// The system's name of the table.
    pub(super) source: String,
    /// The connector's options, secrets too.
    pub(super) options: Options,
    /// The columns by their sources.
    pub(super) declaration: Declaration,
}

impl Declared {
    /// Reads a table's definition; `specs` are the options that its kind takes.
    ///
    /// # Errors
    /// `UndefinedSchema` for a connection that is gone, `InvalidParameter` for properties that make no sense,
    /// `Unsupported` for types that foreign columns do not have.
    pub(super) fn of(table: &Table, place: Place<'_>, snapshot: &Snapshot, specs: &[OptionSpec]) -> Result<Self> {
        check_names(&table.parameters)?;
        let named = property(&table.parameters, CONNECTION);
        let mut options = connection(named, &table.database, place.kind, snapshot)?;
        options.extend(own_options(&table.parameters, place.kind, specs)?);
        Ok(Self {
            kind: place.kind.to_owned(),
            source: place.source.to_owned(),
            options,
            declaration: declaration(table, place)?,
        })
    }
}

/// How a kind of system is reached: by the schema that is named as a table's connection, else by the one that the table
/// is in, else by the usual chain.
///
/// # Errors
/// `UndefinedSchema` for a connection that is gone, `InvalidParameter` for a schema over something else.
pub(crate) fn connection(named: Option<&str>, database: &str, kind: &str, snapshot: &Snapshot) -> Result<Options> {
    let wrong =
        |schema: &str| Error::new(ErrorKind::InvalidParameter, format!("\"{schema}\" is no schema of {}", label(kind)));
    let options = |schema: &str, definition: Option<Definition>| match definition {
        Some(definition) if definition.kind == kind => Ok(Some(definition.options)),
        Some(_) => Err(wrong(schema)),
        None => Ok(None),
    };
    match named {
        Some(name) => {
            let database = snapshot.resolve_schema(name).ok_or_else(|| {
                Error::new(ErrorKind::UndefinedSchema, format!("the connection \"{name}\" does not exist"))
            })?;
            options(name, Definition::of(database))?.ok_or_else(|| wrong(name))
        }
        None => {
            let definition = snapshot.database(database).and_then(|database| Definition::of(database));
            Ok(options(database, definition)?.unwrap_or_default())
        }
    }
}

/// Refuses properties of which two differ in upper and lower case only, which means nothing here.
fn check_names(properties: &Parameters) -> Result<()> {
    let mut known: BTreeMap<String, &str> = BTreeMap::new();
    for name in properties.keys() {
        if let Some(other) = known.insert(name.to_ascii_lowercase(), name) {
            let message = format!("the properties \"{other}\" and \"{name}\" are one");
            return Err(Error::new(ErrorKind::InvalidParameter, message));
        }
    }
    Ok(())
}

/// Sets properties of a table; of one over a foreign system in place of those whose names differ in case only.
pub(crate) fn set_properties(table: &mut Table, properties: Parameters) {
    if Place::of_table(table).is_some() {
        table.parameters.retain(|name, _| !properties.keys().any(|new| new.eq_ignore_ascii_case(name)));
    }
    table.parameters.extend(properties);
}

/// The connector's options among a table's properties.
fn own_options(properties: &Parameters, kind: &str, specs: &[OptionSpec]) -> Result<Options> {
    let mut options = Options::new();
    for (name, value) in properties.iter().filter(|(name, _)| !NOTES.iter().any(|note| note.eq_ignore_ascii_case(name)))
    {
        let lower = name.to_ascii_lowercase();
        let spec = specs.iter().find(|spec| spec.name == lower);
        let is_own = spec.is_some_and(|spec| !spec.secret && !OF_SCHEMA.contains(&spec.name));
        if !is_own {
            let message = match spec {
                Some(_) => format!("the property \"{name}\" is an option of the schema, not of a table"),
                None => format!("a table of {} has no property \"{name}\"", label(kind)),
            };
            return Err(Error::new(ErrorKind::InvalidParameter, message));
        }
        options.insert(lower, value.clone());
    }
    Ok(options)
}

fn declaration(table: &Table, place: Place<'_>) -> Result<Declaration> {
    let kind = place.kind;
    if let Some(other) = property(&table.parameters, SOURCE).filter(|source| *source != place.source) {
        let message = format!("the location names \"{}\", \"{SOURCE}\" names \"{other}\"", place.source);
        return Err(Error::new(ErrorKind::InvalidParameter, message));
    }
    let sources = mapping(table)?;
    let mut columns: Vec<Field> = Vec::with_capacity(table.storage.columns.len());
    for column in &table.storage.columns {
        let source = sources.get(column.name.as_str()).copied().unwrap_or(&column.name);
        if let Some(at) = columns.iter().position(|known| known.name() == source) {
            let other = &table.storage.columns[at].name;
            let message = format!("columns \"{other}\" and \"{}\" have one source, \"{source}\"", column.name);
            return Err(Error::new(ErrorKind::InvalidTableDefinition, message));
        }
        columns.push(field(column, source, kind)?);
    }
    let invalid = match invalid_values(&table.parameters)? {
        InvalidValues::Error => Invalid::Error,
        InvalidValues::Null => Invalid::Null,
    };
    Ok(Declaration { columns: columns.into(), invalid })
}

fn field(column: &Column, source: &str, kind: &str) -> Result<Field> {
    let data_type = match &column.data_type {
        HiveType::Array(_) | HiveType::Map(..) | HiveType::Struct(_) => {
            let message = format!("a column of type {} of a table of {}", column.data_type, label(kind));
            return Err(Error::unsupported(message).with_hint("declare it as super"));
        }
        HiveType::Super => {
            return Ok(tables::super_field(Field::new(source, DataType::Utf8View, true)));
        }
        HiveType::Binary => DataType::Binary,
        other => types::to_arrow(other),
    };
    Ok(Field::new(source, data_type, true))
}

/// `column=source, …`: the columns whose sources have other names.
fn mapping(table: &Table) -> Result<BTreeMap<&str, &str>> {
    let Some(text) = property(&table.parameters, MAPPING) else { return Ok(BTreeMap::new()) };
    let invalid = |why: String| Error::new(ErrorKind::InvalidParameter, format!("the property \"{MAPPING}\" {why}"));
    let mut sources = BTreeMap::new();
    for pair in pairs(text) {
        let (column, source) =
            pair.map_err(|pair| invalid(format!("takes column=source, column=source, not \"{pair}\"")))?;
        let known = table.storage.columns.iter().find(|known| known.name.eq_ignore_ascii_case(column));
        let known = known.ok_or_else(|| invalid(format!("names no column: \"{column}\"")))?;
        if sources.insert(known.name.as_str(), source).is_some() {
            return Err(invalid(format!("names \"{column}\" twice")));
        }
    }
    Ok(sources)
}

/// The columns and sources of a mapping, or what is none.
fn pairs(text: &str) -> impl Iterator<Item = std::result::Result<(&str, &str), &str>> {
    text.split(',').map(str::trim).filter(|pair| !pair.is_empty()).map(|pair| match pair.split_once('=') {
        Some((column, source)) if !source.trim().is_empty() => Ok((column.trim(), source.trim())),
        _ => Err(pair),
    })
}

/// What a column stands for by a table's properties.
pub(crate) fn source<'a>(properties: &'a Parameters, column: &'a str) -> &'a str {
    let mut mapped = property(properties, MAPPING).into_iter().flat_map(pairs).flatten();
    mapped.find(|(name, _)| name.eq_ignore_ascii_case(column)).map_or(column, |(_, source)| source)
}

/// Gives a table that keeps its columns and gets new ones the mapping of both.
pub(crate) fn merge_mapping(table: &mut Table, found: &Parameters, new: &[Column]) {
    let own = property(&table.parameters, MAPPING).into_iter().flat_map(pairs).flatten();
    let is_new = |(column, _): &(&str, &str)| new.iter().any(|new| new.name.eq_ignore_ascii_case(column));
    let added = property(found, MAPPING).into_iter().flat_map(pairs).flatten().filter(is_new);
    let merged: Vec<_> = own.chain(added).map(|(column, source)| (column.to_owned(), source.to_owned())).collect();
    set_mapping(table, &merged);
}

/// Lets the mapping of a foreign system's table follow a column that gets another name.
pub(crate) fn rename_column(table: &mut Table, old: &str, new: &str) {
    if Place::of_table(table).is_none() {
        return;
    }
    let pair = |column: &Column| {
        let name = if column.name == old { new } else { &column.name };
        (name.to_owned(), source(&table.parameters, &column.name).to_owned())
    };
    let renamed: Vec<_> = table.storage.columns.iter().map(pair).collect();
    set_mapping(table, &renamed);
}

/// Gives a table the mapping of these columns in place of its own.
fn set_mapping(table: &mut Table, columns: &[(String, String)]) {
    table.parameters.retain(|name, _| !name.eq_ignore_ascii_case(MAPPING));
    table.parameters.extend(mapped(columns));
}

/// A property's value, whatever the case of its name.
pub(crate) fn property<'a>(properties: &'a Parameters, name: &str) -> Option<&'a str> {
    properties.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// A mapping of columns whose sources have other names, as the property has it; `None` where none has.
pub(crate) fn mapped(columns: &[(String, String)]) -> Option<(String, String)> {
    let differing = columns.iter().filter(|(column, source)| column != source);
    let pairs: Vec<String> = differing.map(|(column, source)| format!("{column}={source}")).collect();
    (!pairs.is_empty()).then(|| (MAPPING.to_owned(), pairs.join(",")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use millrace_catalog::model::StorageDescriptor;

    const ORDERS: Place<'static> = Place { kind: "dynamodb", source: "Orders" };

    fn table(columns: &[(&str, &str)], properties: &[(&str, &str)]) -> Table {
        let columns = columns.iter().map(|(name, of)| Column::new(*name, of.parse().unwrap())).collect();
        Table {
            id: 1,
            database: "d".to_owned(),
            name: "t".to_owned(),
            version: 1,
            kind: TableKind::ExternalTable,
            description: None,
            owner: None,
            storage: StorageDescriptor {
                columns,
                location: Some("dynamodb://Orders".to_owned()),
                ..StorageDescriptor::default()
            },
            partition_keys: vec![],
            parameters: properties.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            create_time_ms: 0,
            update_time_ms: 0,
        }
    }

    #[test]
    fn locations_name_systems() {
        for (location, expected) in [
            ("dynamodb://Orders", Some(("dynamodb", "Orders"))),
            ("opensearch://logs-*,a", Some(("opensearch", "logs-*,a"))),
            ("DynamoDB://Orders", Some(("dynamodb", "Orders"))),
            ("s3://bucket/t", None),
            ("file:///t", None),
            ("orders", None),
        ] {
            let place = Place::of(location);
            assert_eq!(place.map(|place| (place.kind, place.source)), expected, "{location}");
            assert!(place.is_none_or(|place| place.url().eq_ignore_ascii_case(location)));
        }
    }

    #[test]
    fn columns_have_sources_and_types() {
        let columns = [("id", "bigint"), ("user_name", "varchar(20)"), ("doc", "super"), ("raw", "binary")];
        let table =
            table(&columns, &[("columnMapping", "user_name = user.name, ID=orderId"), ("invalid.values", "null")]);
        let declared = declaration(&table, ORDERS).unwrap();
        let seen: Vec<_> = declared.columns.iter().map(|f| (f.name().as_str(), f.data_type().clone())).collect();
        let expected = [
            ("orderId", DataType::Int64),
            ("user.name", DataType::Utf8View),
            ("doc", DataType::Utf8View),
            ("raw", DataType::Binary),
        ];
        assert_eq!(seen, expected);
        assert!(tables::is_super(&declared.columns[2]) && !tables::is_super(&declared.columns[1]));
        assert_eq!(declared.invalid, Invalid::Null);
    }

    #[test]
    fn definitions_that_make_no_sense() {
        let refused = |columns: &[(&str, &str)], properties: &[(&str, &str)]| {
            declaration(&table(columns, properties), ORDERS).unwrap_err().message
        };
        let one = [("a", "int")];
        for (columns, properties, message) in [
            (&one[..], ("columnMapping", "b=x"), "the property \"columnMapping\" names no column: \"b\""),
            (
                &one[..],
                ("columnMapping", "a"),
                "the property \"columnMapping\" takes column=source, column=source, not \"a\"",
            ),
            (&one[..], ("columnMapping", "a=x,a=y"), "the property \"columnMapping\" names \"a\" twice"),
            (&[("a", "int"), ("b", "int")], ("columnMapping", "a=b"), "columns \"a\" and \"b\" have one source, \"b\""),
            (
                &[("a", "array<int>")],
                ("classification", "dynamodb"),
                "a column of type array<int> of a table of DynamoDB is not supported",
            ),
        ] {
            assert_eq!(refused(columns, &[properties]), message);
        }
    }

    #[test]
    fn only_options_of_a_table_are_properties() {
        let spec = |name, secret| OptionSpec { name, required: false, secret };
        let specs = [spec("page_size", false), spec("endpoint", false), spec("session_token", true)];
        let options = |properties: &[(&str, &str)]| own_options(&table(&[], properties).parameters, "dynamodb", &specs);
        let own = options(&[("Page_Size", "5"), ("connectionname", "c"), ("UPDATED_BY_CRAWLER", "x")]).unwrap();
        let twice = check_names(&table(&[], &[("Page_Size", "5"), ("page_size", "6")]).parameters).unwrap_err();
        assert_eq!(twice.message, "the properties \"Page_Size\" and \"page_size\" are one");
        assert_eq!(own, Options::from([("page_size".to_owned(), "5".to_owned())]));
        for (name, message) in [
            ("endpoint", "the property \"endpoint\" is an option of the schema, not of a table"),
            ("session_token", "the property \"session_token\" is an option of the schema, not of a table"),
            ("pagesize", "a table of DynamoDB has no property \"pagesize\""),
        ] {
            assert_eq!(options(&[(name, "x")]).unwrap_err().message, message);
        }
    }
}
