//! Targets in foreign systems: key-value tables and search indices, each of which is a table as its connector finds it.
//!
//! A target is `kind://name`, or `kind://` for all that the system lists. Tables are made as a user would declare them:
//! what the connector inferred, in Hive's types, under names that are legal, with the sources that differ in the
//! property `columnMapping`. Nothing is inferred here.

use super::{FoundTable, Skipped, schema, tree};
use crate::error::{Error, Result};
use crate::federated::declared::{self, CONNECTION, Place};
use crate::federated::{Definition, Sources, label};
use crate::lake::types;
use crate::tables;
use datafusion::arrow::datatypes::Schema;
use millrace_catalog::Snapshot;
use millrace_catalog::model::{
    Column, Crawler, CrawlerTarget, HiveType, Parameters, RecrawlBehavior, StorageDescriptor,
};
use millrace_connectors::{Connector, ConnectorError, Options};

/// The kinds of systems that a crawler looks at.
const CRAWLED: [&str; 3] = ["dynamodb", "elasticsearch", "opensearch"];

/// What a system holds of a target.
#[derive(Debug, Default)]
pub(crate) struct FoundSystem {
    /// The tables, by name.
    pub(crate) tables: Vec<FoundTable>,
    /// Tables that are not there, and those that could not be described.
    pub(crate) skipped: Vec<Skipped>,
    /// The places of those that could not be described.
    pub(crate) unreadable: Vec<String>,
}

/// The place of a target; `None` for one of files.
///
/// # Errors
/// `Unsupported` for a system whose tables have no columns to be found.
pub(crate) fn place(path: &str) -> Result<Option<Place<'_>>> {
    match Place::of(path) {
        Some(place) if !CRAWLED.contains(&place.kind) => {
            Err(Error::unsupported(format!("a crawler's target in {}", label(place.kind))))
        }
        place => Ok(place),
    }
}

/// Looks at a target.
///
/// # Errors
/// When its connection is gone, or the system does not tell its tables.
pub(crate) async fn look(
    sources: &Sources,
    snapshot: &Snapshot,
    crawler: &Crawler,
    target: &CrawlerTarget,
    place: Place<'_>,
) -> Result<FoundSystem> {
    let connection = target.connection.as_deref();
    let mut options = declared::connection(connection, &crawler.database, place.kind, snapshot)?;
    options.extend(scan_options(target, place.kind));
    let connector = sources.connect(place.kind, &options)?;
    let names = if place.source.is_empty() {
        let is_excluded = tree::exclusions(&target.exclusions)?;
        let mut names = connector.tables().await?;
        names.retain(|name| !is_excluded(name));
        names.sort_unstable();
        names
    } else {
        vec![place.source.to_owned()]
    };
    let mut found = FoundSystem::default();
    let wanted = names.len();
    let mut failed = None;
    for name in &names {
        let place = Place { kind: place.kind, source: name };
        match describe(connector.as_ref(), place, crawler, connection).await {
            Ok(table) => found.tables.push(table),
            Err(error) => {
                let skipped = Skipped { url: place.url(), reason: error.to_string() };
                found.skipped.push(skipped);
                if !matches!(error, ConnectorError::NotFound { .. }) {
                    found.unreadable.push(place.url());
                    failed.get_or_insert(error);
                }
            }
        }
    }
    match failed {
        Some(error) if found.unreadable.len() == wanted => Err(error.into()),
        _ => Ok(found),
    }
}

/// How the connector finds columns: Glue's `scanAll` and `scanRate`, of key-value tables.
fn scan_options(target: &CrawlerTarget, kind: &str) -> Options {
    let mut options = Options::new();
    if kind == "dynamodb" {
        options.insert("items".to_owned(), "columns".to_owned());
        options.insert("attributes".to_owned(), "sampled".to_owned());
        if target.scan_all.unwrap_or(true) {
            options.insert("sample".to_owned(), "all".to_owned());
        }
        options.extend(target.scan_rate_percent.map(|percent| ("read_ratio".to_owned(), percent.to_string())));
    }
    options
}

async fn describe(
    connector: &dyn Connector,
    place: Place<'_>,
    crawler: &Crawler,
    connection: Option<&str>,
) -> millrace_connectors::Result<FoundTable> {
    let (schema, rows) = futures::join!(connector.schema(place.source), connector.row_count(place.source));
    let schema = schema?;
    let mut notes = Vec::new();
    let (columns, sources) = columns(&schema, &mut notes);
    let mut parameters = Parameters::from([("classification".to_owned(), place.kind.to_owned())]);
    parameters.extend(declared::mapped(&sources));
    parameters.extend(connection.map(|connection| (CONNECTION.to_owned(), connection.to_owned())));
    // A count is no reason to find nothing.
    parameters.extend(rows.ok().flatten().map(|rows| ("recordCount".to_owned(), rows.to_string())));
    let name = schema::legal_table_name(place.source);
    let name = name.trim_end_matches('_');
    let name = if name.is_empty() { place.kind } else { name };
    Ok(FoundTable {
        name: format!("{}{name}", crawler.table_prefix),
        storage: StorageDescriptor { columns, location: Some(place.url()), ..StorageDescriptor::default() },
        partition_keys: Vec::new(),
        partitions: Vec::new(),
        parameters,
        statistics: None,
        reasons: vec![format!("{} tells of it", label(place.kind))],
        notes,
    })
}

/// A table's columns, and each with its source.
fn columns(schema: &Schema, notes: &mut Vec<String>) -> (Vec<Column>, Vec<(String, String)>) {
    let mut fields = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let data_type =
            if tables::is_super(field) { Ok(HiveType::Super) } else { types::from_arrow(field.data_type()) };
        match data_type {
            Ok(data_type) if !field.name().contains([',', '=']) => fields.push((field.name().clone(), data_type)),
            Ok(_) => notes.push(format!("\"{}\" is left out: columnMapping cannot name it", field.name())),
            Err(error) => notes.push(format!("\"{}\" is left out: {}", field.name(), error.message)),
        }
    }
    let names: Vec<String> = fields.iter().map(|(name, _)| name.clone()).collect();
    // What is renamed is told by the mapping.
    let (legal, _) = schema::legal_names(&names);
    let columns = legal.iter().zip(fields).map(|(name, (_, data_type))| Column::new(name, data_type)).collect();
    (columns, legal.into_iter().zip(names).collect())
}

/// Refuses targets of a crawler that would make tables of one place from different systems, or in a schema of another.
///
/// # Errors
/// `Unsupported`, `InvalidParameter`.
pub(crate) fn check(crawler: &Crawler, snapshot: &Snapshot) -> Result<()> {
    let mut connections: Vec<(&str, Option<&str>)> = Vec::new();
    for target in &crawler.targets {
        let Some(place) = place(&target.path)? else { continue };
        let connection = target.connection.as_deref();
        declared::connection(connection, &crawler.database, place.kind, snapshot)?;
        if connections.iter().any(|(kind, other)| *kind == place.kind && *other != connection) {
            let message = format!("a crawler of {} by several connections", label(place.kind));
            return Err(Error::unsupported(message).with_hint("make a crawler for each"));
        }
        connections.push((place.kind, connection));
        if crawler.recrawl_behavior == RecrawlBehavior::CrawlNewFoldersOnly {
            return Err(Error::unsupported(format!("RECRAWL NEW FOLDERS ONLY of {}", label(place.kind))));
        }
    }
    let database = snapshot.database(&crawler.database);
    let foreign = database.and_then(|database| Definition::kind_of(database));
    if let Some(kind) = foreign.filter(|_| connections.len() < crawler.targets.len()) {
        let message = format!("tables of files in \"{}\", a schema of {},", crawler.database, label(kind));
        return Err(Error::unsupported(message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::datatypes::{DataType, Field, TimeUnit};

    #[test]
    fn what_a_connector_tells_becomes_columns() {
        let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let schema = Schema::new(vec![
            Field::new("userId", DataType::Utf8View, false),
            Field::new("user.name", DataType::Utf8View, true),
            Field::new("user_name", DataType::Decimal128(38, 2), true),
            Field::new("at", time, true),
            tables::super_field(Field::new("doc", DataType::Utf8View, true)),
            Field::new("a,b", DataType::Int64, true),
        ]);
        let mut notes = Vec::new();
        let (columns, sources) = columns(&schema, &mut notes);
        let shown: Vec<String> = columns.iter().map(|column| format!("{} {}", column.name, column.data_type)).collect();
        assert_eq!(
            shown,
            ["userid string", "user_name string", "user_name_2 decimal(38,2)", "at timestamp", "doc super"]
        );
        let mapping = "userid=userId,user_name=user.name,user_name_2=user_name";
        assert_eq!(declared::mapped(&sources), Some(("columnMapping".to_owned(), mapping.to_owned())));
        assert_eq!(notes, ["\"a,b\" is left out: columnMapping cannot name it"]);
    }

    #[test]
    fn targets_are_of_systems_that_have_columns() {
        assert!(matches!(place("dynamodb://orders"), Ok(Some(Place { kind: "dynamodb", source: "orders" }))));
        assert!(matches!(place("s3://bucket/x"), Ok(None)));
        let refused = place("kinesis://events").map(|_| ()).map_err(|error| error.message);
        assert_eq!(refused, Err("a crawler's target in Kinesis is not supported".to_owned()));
    }
}
