//! `ANALYZE` and `ANALYZE COMPRESSION`: which tables they are about, and what they do with a table of each kind.

mod compression;
mod external;
mod managed;

pub(crate) use compression::execute as compression;
pub(super) use compression::{LEAST_ROWS, MOST_ROWS, best_encoding, is_sort_key};

use super::done;
use crate::error::{Error, ErrorKind, Result};
use crate::resolve::{self, Relation};
use crate::result::{CommandTag, Notice, Severity, StatementResult};
use crate::session::{Context, is_temporary};
use crate::sql::Analyze;
use millrace_catalog::model::TableKind;

/// Executes `ANALYZE`.
pub(crate) async fn execute(context: &Context, analyze: &Analyze) -> Result<StatementResult> {
    let mut relations = Vec::new();
    if let Some(name) = &analyze.table {
        relations.push(resolve::find_relation(context, name).await?);
    } else {
        let snapshot = context.snapshot().await?;
        let database = snapshot
            .resolve_schema(context.database())
            .ok_or_else(|| resolve::unknown_database(&snapshot, context.database()))?;
        let tables = snapshot.tables(&database.name).filter(|table| table.kind == TableKind::ExternalTable);
        relations.extend(tables.cloned().map(Relation::Catalog));
        let managed = context.transaction().lock().await.tables(context.warehouse(), &database.name).await?;
        // What this transaction has made cannot be spoken of to others yet.
        relations.extend(managed.into_iter().filter(|table| table.id > 0).map(Relation::Managed));
    }
    let mut notices = Vec::new();
    for relation in relations {
        let name = match &relation {
            Relation::Managed(table) => format!("{}.{}", table.schema, table.name),
            Relation::Catalog(table) if table.kind == TableKind::ExternalTable => {
                format!("{}.{}", table.database, table.name)
            }
            Relation::Foreign(table) => {
                let message = format!("cannot analyze \"{}\": its system tells what it knows of it", table.name);
                return Err(Error::new(ErrorKind::WrongObjectType, message));
            }
            Relation::Catalog(table) => {
                let message = format!("cannot analyze \"{}\": it is not a table", table.name);
                return Err(Error::new(ErrorKind::WrongObjectType, message));
            }
        };
        if analyze.verbose {
            notices.push(Notice { severity: Severity::Info, message: format!("analyzing \"{name}\"") });
        }
        match relation {
            // Estimates are kept in the catalog, which knows no temporary table.
            Relation::Managed(table) if is_temporary(&table) => {
                let message =
                    format!("skipping \"{}\": temporary tables are planned by their files' bounds", table.name);
                notices.push(Notice { severity: Severity::Notice, message });
            }
            Relation::Managed(table) => managed::analyze(context, &table, analyze, &mut notices).await?,
            Relation::Catalog(table) => external::analyze(context, table, analyze, &mut notices).await?,
            Relation::Foreign(table) => return Err(table.unchangeable()),
        }
    }
    Ok(done(CommandTag::Verb("ANALYZE"), notices))
}
