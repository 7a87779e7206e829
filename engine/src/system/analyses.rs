//! Which tables were analyzed, and what was found of their columns: `stl_analyze`, `sys_analyze_history`,
//! `pg_statistic`.

use super::activity::declare;
use super::table::Kind::{Double, Int2, Int4, Int8, Oid, Real, Text, Texts, Time};
use super::table::NULL;
use super::{DATABASE, Rows, SystemTable, Value, relations, row, sees_all};
use crate::error::Result;
use crate::journal::AnalyzeRecord;
use crate::session::Context;
use millrace_catalog::Snapshot;

/// Analyses that the user may see, oldest first.
async fn records(context: &Context) -> Result<Vec<AnalyzeRecord>> {
    let everything = sees_all(context).await?;
    let mut records: Vec<AnalyzeRecord> = context.warehouse().journal().read().await?;
    records.retain(|record| everything || record.user == context.who().user);
    Ok(records)
}

/// Whoever an analysis belongs to: what runs in the background is Redshift's own user's.
fn user(snapshot: &Snapshot, record: &AnalyzeRecord) -> i32 {
    if record.automatic { 1 } else { snapshot.principals().user_id(&record.user) }
}

fn letter(yes: bool) -> &'static str {
    if yes { "t" } else { "f" }
}

fn status(record: &AnalyzeRecord) -> &'static str {
    if record.predicate_columns { "PredicateColumn" } else { "Full" }
}

async fn sys_analyze_history(context: &Context) -> Result<Rows> {
    let snapshot = context.snapshot().await?;
    let relations = relations(context).await?;
    let rows = records(context).await?.into_iter().map(|record| {
        let table = relations.iter().find(|relation| relation.oid == record.table_id);
        row![
            user(&snapshot, &record),
            record.xid,
            DATABASE,
            table.map(|table| &table.schema),
            table.map(|table| &table.name),
            record.table_id,
            letter(record.automatic),
            status(&record),
            record.start_us,
            record.end_us,
            record.rows.map(|rows| rows as f64),
            record.changed_rows.map(|rows| rows as f64),
            NULL,
            record.before_us
        ]
    });
    Ok(rows.collect())
}

async fn stl_analyze(context: &Context) -> Result<Rows> {
    let snapshot = context.snapshot().await?;
    let none = None::<i64>;
    let relations = relations(context).await?;
    let rows = records(context).await?.into_iter().map(|record| {
        let table = relations.iter().find(|relation| relation.oid == record.table_id);
        row![
            user(&snapshot, &record),
            record.xid,
            DATABASE,
            record.table_id,
            status(&record),
            record.rows.map(|rows| rows as f64),
            record.changed_rows.map(|rows| rows as f64),
            none,
            letter(record.automatic),
            record.start_us,
            record.end_us,
            record.before_us,
            none,
            none,
            letter(record.automatic),
            NULL,
            table.map(|table| &table.schema),
            table.map(|table| &table.name)
        ]
    });
    Ok(rows.collect())
}

/// What ANALYZE found, for superusers: it holds values of tables that others may not read. The first kind are common
/// values, the second a histogram's bounds.
async fn pg_statistic(context: &Context) -> Result<Rows> {
    let snapshot = context.snapshot().await?;
    let mut rows = Rows::new();
    if !snapshot.principals().is_superuser(&context.who().user) {
        return Ok(rows);
    }
    for relation in relations(context).await? {
        let Some(table) = &relation.managed else { continue };
        let estimates = context.warehouse().catalog().estimates(table.id).await?;
        for column in &relation.columns {
            let id = table.columns.iter().find(|own| own.name == column.name).map_or(0, |own| own.id);
            let Some(estimate) = estimates.columns.get(&id) else { continue };
            let Some(analysis) = &estimate.analysis else { continue };
            let texts = |values: Vec<String>| if values.is_empty() { Value::Null } else { Value::Texts(values) };
            let common: Vec<String> = analysis.common.iter().map(|(value, _)| value.clone()).collect();
            let parts: Vec<String> = analysis.common.iter().map(|(_, part)| part.to_string()).collect();
            let kind = |number: i64, empty: bool| if empty { 0 } else { number };
            rows.push(row![
                relation.oid,
                column.number,
                analysis.null_fraction,
                analysis.average_width.round() as i64,
                estimate.distinct_count.map_or(0., |count| count as f64),
                kind(1, common.is_empty()),
                kind(2, analysis.histogram.is_empty()),
                0,
                0,
                texts(parts),
                NULL,
                NULL,
                NULL,
                texts(common),
                texts(analysis.histogram.clone()),
                NULL,
                NULL
            ]);
        }
    }
    Ok(rows)
}

pub(super) const TABLES: &[SystemTable] = &[
    declare(
        "pg_statistic",
        &[
            ("starelid", Oid),
            ("staattnum", Int2),
            ("stanullfrac", Real),
            ("stawidth", Int4),
            ("stadistinct", Real),
            ("stakind1", Int2),
            ("stakind2", Int2),
            ("stakind3", Int2),
            ("stakind4", Int2),
            ("stanumbers1", Texts),
            ("stanumbers2", Texts),
            ("stanumbers3", Texts),
            ("stanumbers4", Texts),
            ("stavalues1", Texts),
            ("stavalues2", Texts),
            ("stavalues3", Texts),
            ("stavalues4", Texts),
        ],
        |context| Box::pin(pg_statistic(context)),
    ),
    declare(
        "sys_analyze_history",
        &[
            ("user_id", Int4),
            ("transaction_id", Int8),
            ("database_name", Text),
            ("schema_name", Text),
            ("table_name", Text),
            ("table_id", Int4),
            ("is_automatic", Text),
            ("status", Text),
            ("start_time", Time),
            ("end_time", Time),
            ("rows", Double),
            ("modified_rows", Double),
            ("analyze_threshold_percent", Int4),
            ("last_analyze_time", Time),
        ],
        |context| Box::pin(sys_analyze_history(context)),
    ),
    declare(
        "stl_analyze",
        &[
            ("userid", Int4),
            ("xid", Int8),
            ("database", Text),
            ("table_id", Int4),
            ("status", Text),
            ("rows", Double),
            ("modified_rows", Double),
            ("threshold_percent", Int4),
            ("is_auto", Text),
            ("starttime", Time),
            ("endtime", Time),
            ("prevtime", Time),
            ("num_predicate_cols", Int4),
            ("num_new_predicate_cols", Int4),
            ("is_background", Text),
            ("auto_analyze_phase", Text),
            ("schema_name", Text),
            ("table_name", Text),
        ],
        |context| Box::pin(stl_analyze(context)),
    ),
];
