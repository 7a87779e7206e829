//! `SHOW …`: what is in the catalog, in the columns that Athena gives.

use super::{crawl, managed, rows, show_create};
use crate::builtin;
use crate::error::{Error, ErrorKind, Result};
use crate::federated::Definition;
use crate::lake::write;
use crate::resolve::{self, Relation};
use crate::result::StatementResult;
use crate::session::Context;
use crate::sql::{ObjectName, Show};
use millrace_catalog::Snapshot;
use millrace_catalog::model::TableKind;
use regex::Regex;
use std::collections::BTreeSet;

/// Executes `SHOW` of anything but a setting.
pub(crate) async fn execute(context: &Context, show: &Show) -> Result<StatementResult> {
    let snapshot = context.snapshot().await?;
    match show {
        Show::Databases { like } => {
            let matches = matcher(like.as_deref())?;
            let names = resolve::schema_names(&snapshot).filter(|name| matches(name)).map(|name| [name.to_owned()]);
            rows::text("SHOW", &["database_name"], names.collect::<BTreeSet<_>>())
        }
        Show::Tables { database, like } => {
            tables(context, &snapshot, database.as_deref(), like.as_deref(), false).await
        }
        Show::Views { database, like } => tables(context, &snapshot, database.as_deref(), like.as_deref(), true).await,
        Show::Columns(name) => {
            let table = match resolve::find_relation(context, name).await? {
                Relation::Managed(table) => {
                    let columns = table.columns.iter().map(|column| [column.name.clone()]);
                    return rows::text("SHOW", &["field"], columns);
                }
                Relation::Foreign(table) => {
                    let columns = table.columns().fields().iter().map(|field| [field.name().clone()]);
                    return rows::text("SHOW", &["field"], columns);
                }
                Relation::Catalog(table) => table,
            };
            let columns = table.storage.columns.iter().chain(&table.partition_keys);
            rows::text("SHOW", &["field"], columns.map(|column| [column.name.clone()]))
        }
        Show::Partitions(name) => partitions(context, name).await,
        Show::Create { name, view } => {
            let table = match resolve::find_relation(context, name).await? {
                Relation::Managed(table) if !view || table.attributes.materialized.is_some() => {
                    let text = managed::show_table(&table);
                    return rows::text("SHOW", &["createtab_stmt"], text.lines().map(|line| [line.to_owned()]));
                }
                Relation::Managed(table) => {
                    let message = format!("\"{}\" is not a view", table.name);
                    return Err(Error::new(ErrorKind::WrongObjectType, message));
                }
                Relation::Foreign(table) => {
                    let message = format!("SHOW CREATE TABLE of \"{}\", a table of another system,", table.name);
                    return Err(Error::unsupported(message).with_hint("DESCRIBE shows its columns"));
                }
                Relation::Catalog(table) => table,
            };
            let text = match (&table.kind, view) {
                (TableKind::ExternalTable, false) => show_create::show_create_table(&table),
                (TableKind::VirtualView { .. }, _) => show_create::show_create_view(&table),
                (TableKind::ExternalTable, true) => {
                    let message = format!("\"{}\" is not a view", table.name);
                    return Err(Error::new(ErrorKind::WrongObjectType, message));
                }
            };
            rows::text("SHOW", &["createtab_stmt"], text.lines().map(|line| [line.to_owned()]))
        }
        Show::Properties { table, key } => {
            let table = resolve::find_table(context, table).await?;
            let wanted = table.parameters.iter().filter(|(name, _)| key.as_ref().is_none_or(|key| key == *name));
            rows::text("SHOW", &["prpt_name", "prpt_value"], wanted.map(|(name, value)| [name.clone(), value.clone()]))
        }
        Show::Functions { like } => {
            let matches = matcher(like.as_deref())?;
            let mut names = builtin::functions().names();
            let own = snapshot.databases().flat_map(|database| database.functions.iter());
            names.extend(own.map(|function| function.name.clone()));
            names.sort();
            names.dedup();
            rows::text("SHOW", &["function"], names.into_iter().filter(|name| matches(name)).map(|name| [name]))
        }
        Show::Crawlers { like } => crawl::show_crawlers(context, matcher(like.as_deref())?).await,
        Show::CrawlerRuns { crawler, limit } => crawl::show_runs(context, crawler.as_deref(), *limit).await,
        Show::Classifiers { like } => crawl::show_classifiers(context, matcher(like.as_deref())?).await,
        Show::Snapshots => managed::show_snapshots(context).await,
        Show::Setting(_) => Err(Error::internal("the session shows its own settings")),
    }
}

/// The tables and views of a database, or its views only.
async fn tables(
    context: &Context,
    snapshot: &Snapshot,
    database: Option<&str>,
    like: Option<&str>,
    views: bool,
) -> Result<StatementResult> {
    let written = database.unwrap_or(context.database());
    let database = snapshot.resolve_schema(written).ok_or_else(|| resolve::unknown_database(snapshot, written))?;
    let matches = matcher(like)?;
    let tables = snapshot.tables(&database.name).filter(|table| !views || table.kind != TableKind::ExternalTable);
    let mut names: BTreeSet<String> = tables.map(|table| table.name.clone()).collect();
    if !views {
        let managed = context.transaction().lock().await.tables(context.warehouse(), &database.name).await?;
        names.extend(managed.iter().map(|table| table.name.clone()));
        if Definition::kind_of(database).is_some() {
            names.extend(context.sources().names(database).await?.iter().cloned());
        }
    }
    let column = if views { "views" } else { "tab_name" };
    rows::text("SHOW", &[column], names.into_iter().filter(|name| matches(name)).map(|name| [name]))
}

async fn partitions(context: &Context, name: &ObjectName) -> Result<StatementResult> {
    let table = resolve::find_table(context, name).await?;
    if table.partition_keys.is_empty() {
        let message = format!("table \"{}\" is not partitioned", table.name);
        return Err(Error::new(ErrorKind::InvalidTableDefinition, message));
    }
    let keys: Vec<&str> = table.partition_keys.iter().map(|key| key.name.as_str()).collect();
    let found = context.catalog().partitions(&table, &[]).await?;
    let names = found.iter().map(|partition| [write::partition_path(&keys, &partition.values)]);
    rows::text("SHOW", &["partition"], names)
}

/// Hive's patterns (`*` any text, `|` or; no case) and SQL's (`%` any text, `_` one character).
fn matcher(pattern: Option<&str>) -> Result<impl Fn(&str) -> bool> {
    let regex = match pattern {
        None => None,
        Some(pattern) => {
            let alternatives = pattern.split('|').map(|part| {
                part.chars().map(|c| match c {
                    '*' | '%' => ".*".to_owned(),
                    '_' if part.contains('%') => ".".to_owned(),
                    c => regex::escape(&c.to_string()),
                })
            });
            let body = alternatives.map(Iterator::collect::<String>).collect::<Vec<_>>().join("|");
            let built = Regex::new(&format!("(?i)^(?:{body})$"));
            Some(built.map_err(|e| Error::new(ErrorKind::InvalidParameter, format!("invalid pattern: {e}")))?)
        }
    };
    Ok(move |name: &str| regex.as_ref().is_none_or(|regex| regex.is_match(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_hive_and_sql() -> Result<()> {
        for (pattern, name, expected) in [
            ("fl*", "flights", true),
            ("FL*|pl*", "planes", true),
            ("fl%", "flights", true),
            ("fl", "flights", false),
            ("fl_ghts%", "flights", true),
            ("a_b", "axb", false),
        ] {
            assert_eq!(matcher(Some(pattern))?(name), expected, "{pattern} {name}");
        }
        Ok(())
    }
}
