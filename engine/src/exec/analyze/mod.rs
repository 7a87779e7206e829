//! `ANALYZE` and `ANALYZE COMPRESSION`: which tables they are about, and what they do with a table of each kind.

mod compression;
mod external;
mod managed;

pub(crate) use compression::execute as compression;
pub(super) use compression::{LEAST_ROWS, MOST_ROWS, best_encoding, is_sort_key};

use super::done;
use crate::error::{Error, ErrorKind, Result};
use crate::federated::Place;
use crate::journal::{AnalyzeRecord, now_us};
use crate::resolve::{self, Relation};
use crate::result::{CommandTag, Notice, Severity, StatementResult};
use crate::session::{Context, is_temporary};
use crate::sql::{Analyze, AnalyzeScope};
use crate::system;
use millrace_catalog::model::{Table, TableKind};
use std::sync::Arc;

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
        let of_files = |table: &&Arc<Table>| table.kind == TableKind::ExternalTable && Place::of_table(table).is_none();
        let tables = snapshot.tables(&database.name).filter(of_files);
        relations.extend(tables.cloned().map(Relation::Catalog));
        let managed = context.transaction().lock().await.tables(context.warehouse(), &database.name).await?;
        // What this transaction has made cannot be spoken of to others yet.
        relations.extend(managed.into_iter().filter(|table| table.id > 0).map(Relation::Managed));
    }
    let mut notices = Vec::new();
    for relation in relations {
        let name = match &relation {
            Relation::Managed(table) => format!("{}.{}", table.schema, table.name),
            Relation::Catalog(table) if Place::of_table(table).is_some() => return Err(of_system(&table.name)),
            Relation::Catalog(table) if table.kind == TableKind::ExternalTable => {
                format!("{}.{}", table.database, table.name)
            }
            Relation::Foreign(table) => return Err(of_system(&table.name)),
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
            Relation::Managed(table) => {
                let start_us = now_us();
                let before = context.catalog().estimates(table.id).await?.analysis.clone();
                managed::analyze(context, &table, analyze, &mut notices).await?;
                let after = context.catalog().estimates(table.id).await?.analysis.clone();
                let rows = after.map(|after| after.row_count);
                let changed = rows.zip(before.as_ref()).map(|(rows, before)| rows.abs_diff(before.row_count));
                let record = AnalyzeRecord {
                    table_id: system::managed_oid(table.id),
                    rows,
                    changed_rows: changed.or(rows),
                    before_us: before.map(|before| before.time_ms * 1000),
                    start_us,
                    ..AnalyzeRecord::default()
                };
                note(context, analyze, record);
            }
            Relation::Catalog(table) => {
                let (table_id, start_us) = (system::cataloged_oid(table.id), now_us());
                external::analyze(context, table, analyze, &mut notices).await?;
                note(context, analyze, AnalyzeRecord { table_id, start_us, ..AnalyzeRecord::default() });
            }
            Relation::Foreign(table) => return Err(table.unchangeable()),
        }
    }
    Ok(done(CommandTag::Verb("ANALYZE"), notices))
}

fn of_system(table: &str) -> Error {
    let message = format!("cannot analyze \"{table}\": its system tells what it knows of it");
    Error::new(ErrorKind::WrongObjectType, message)
}

/// Tells the journal of a table that was analyzed.
fn note(context: &Context, analyze: &Analyze, record: AnalyzeRecord) {
    let who = context.who();
    context.warehouse().journal().record(&AnalyzeRecord {
        user: who.user.clone(),
        xid: who.xid,
        predicate_columns: analyze.scope == AnalyzeScope::PredicateColumns,
        // Statements that somebody asked for show their work; the background's pass the queues by.
        automatic: context.work().is_none(),
        end_us: now_us(),
        ..record
    });
}
