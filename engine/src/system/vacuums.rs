//! What was vacuumed and is being vacuumed: `stl_vacuum`, `sys_vacuum_history`, `svv_vacuum_summary`,
//! `svv_vacuum_progress`, `svv_interleaved_columns`.

use super::table::Kind::{Bool, Int4, Int8, Numeric, Text, Time};
use super::table::NULL;
use super::{DATABASE, PG_CATALOG, Rows, SystemTable, oid, relations, row, sees_all};
use crate::error::Result;
use crate::journal::{QueryRecord, VacuumRecord};
use crate::session::Context;
use std::time::Duration;

/// Vacuums that the user may see, oldest first.
async fn records(context: &Context) -> Result<Vec<VacuumRecord>> {
    let everything = sees_all(context).await?;
    let user = &context.who().user;
    let mut records: Vec<VacuumRecord> = context.warehouse().journal().read().await?;
    records.retain(|record| everything || record.user == *user);
    Ok(records)
}

/// Megabytes, as Redshift counts blocks.
fn blocks(bytes: u64) -> i64 {
    i64::try_from(bytes.div_ceil(1 << 20)).unwrap_or(i64::MAX)
}

/// Rows that are in order; none without a sort key.
fn sorted_rows(rows: u64, percent: Option<f64>) -> i64 {
    percent.map_or(0, |percent| (rows as f64 * percent / 100.).round() as i64)
}

/// `stl_vacuum.status` of a vacuum that began, in Redshift's words.
fn began(record: &VacuumRecord) -> String {
    let background = if record.automatic { "[VacuumBG] " } else { "" };
    match record.mode.as_str() {
        "DELETE ONLY" => format!("{background}Started Delete Only"),
        "SORT ONLY" | "RECLUSTER" if record.sort_skipped => {
            format!("{background}Skipped(sorted>={}%)", record.threshold)
        }
        "SORT ONLY" => format!("{background}Started Sort Only"),
        "REINDEX" => format!("{background}Started Reindex"),
        _ if record.sort_skipped => {
            format!("{background}Started Delete Only (Sorted >= {}%)", record.threshold)
        }
        _ => format!("{background}Started"),
    }
}

async fn stl_vacuum(context: &Context) -> Result<Rows> {
    let snapshot = context.snapshot().await?;
    let mut rows = Rows::new();
    for record in records(context).await? {
        let user = if record.automatic { 1 } else { snapshot.principals().user_id(&record.user) };
        let recluster = i64::from(record.mode == "RECLUSTER");
        let width = (record.bytes.0 / record.rows.0.max(1)).max(1);
        let mut event = |status: String, rows_of: u64, percent, bytes, at: i64, reclaimable: u64| {
            rows.push(row![
                user,
                record.xid,
                oid::managed(record.table_id),
                status,
                rows_of,
                sorted_rows(rows_of, percent),
                blocks(bytes),
                NULL,
                at,
                reclaimable,
                blocks(reclaimable * width),
                NULL,
                recluster
            ]);
        };
        let status = began(&record);
        let skipped = status.contains("Skipped");
        event(status, record.rows.0, record.sorted.0, record.bytes.0, record.start_us, record.reclaimable_rows);
        if !skipped {
            let finished = if record.automatic { "[VacuumBG] Finished" } else { "Finished" };
            event(finished.to_owned(), record.rows.1, record.sorted.1, record.bytes.1, record.end_us, 0);
        }
    }
    Ok(rows)
}

/// What a vacuum did, in the words of `sys_vacuum_history.vacuum_type`.
fn kind(record: &VacuumRecord) -> &'static str {
    match record.mode.as_str() {
        "DELETE ONLY" => "Delete",
        "SORT ONLY" => "Sort",
        "REINDEX" => "Reindex",
        "RECLUSTER" => "Recluster",
        _ => "Full",
    }
}

/// Vacuums that have ended, each with the statement that asked for it.
async fn history(context: &Context) -> Result<Rows> {
    let (snapshot, relations) = (context.snapshot().await?, relations(context).await?);
    let queries: Vec<QueryRecord> = context.warehouse().journal().read().await?;
    let rows = records(context).await?.into_iter().map(|record| {
        let number = oid::managed(record.table_id);
        let table = relations.iter().find(|relation| relation.oid == number);
        let asked = |query: &&QueryRecord| query.xid == record.xid && query.user == record.user;
        let query = queries.iter().rev().find(asked).filter(|_| !record.automatic);
        let skipped = began(&record).contains("Skipped");
        row![
            if record.automatic { 1 } else { snapshot.principals().user_id(&record.user) },
            record.xid,
            query.map(|query| query.query),
            DATABASE,
            table.map(|table| &table.schema),
            &record.table,
            number,
            kind(&record),
            record.automatic,
            if skipped { "Skipped" } else { "Complete" },
            record.start_us,
            record.end_us,
            record.end_us,
            record.end_us - record.start_us,
            record.rows.0,
            blocks(record.bytes.0),
            record.reclaimable_rows,
            record.rows.0.saturating_sub(record.rows.1),
            blocks(record.bytes.0) - blocks(record.bytes.1),
            sorted_rows(record.rows.0, record.sorted.0),
            sorted_rows(record.rows.1, record.sorted.1)
        ]
    });
    Ok(rows.collect())
}

async fn summary(context: &Context) -> Result<Rows> {
    let rows = records(context).await?.into_iter().map(|record| {
        let change = |of: (i64, i64)| of.1 - of.0;
        let count = |rows: u64| i64::try_from(rows).unwrap_or(i64::MAX);
        let sorted = (sorted_rows(record.rows.0, record.sorted.0), sorted_rows(record.rows.1, record.sorted.1));
        row![
            &record.table,
            record.xid,
            i64::from(record.sorted.0.is_some()),
            record.rewrites,
            record.end_us - record.start_us,
            change((count(record.rows.0), count(record.rows.1))),
            change(sorted),
            change((blocks(record.bytes.0), blocks(record.bytes.1))),
            NULL
        ]
    });
    Ok(rows.collect())
}

async fn progress(context: &Context) -> Result<Rows> {
    if !sees_all(context).await? {
        return Ok(Rows::new());
    }
    let Some(state) = context.warehouse().vacuums().state() else { return Ok(Rows::new()) };
    let (done, all) = state.rewrites;
    let status =
        if state.ended { "Complete".to_owned() } else { format!("Vacuum {}: {done} of {all} rewrites", state.mode) };
    let left = (!state.ended && done > 0).then(|| {
        let elapsed = state.began.elapsed();
        let left = elapsed.mul_f64((all - done) as f64 / done as f64);
        minutes(left)
    });
    Ok(vec![row![&state.table, status, left]])
}

/// `svv_interleaved_columns`: for superusers. How far their values are from an even spread is not measured.
async fn interleaved(context: &Context) -> Result<Rows> {
    let mut rows = Rows::new();
    if !context.snapshot().await?.principals().is_superuser(&context.who().user) {
        return Ok(rows);
    }
    let records = records(context).await?;
    for relation in relations(context).await? {
        let own = records.iter().filter(|record| oid::managed(record.table_id) == relation.oid);
        let reindexed = own.filter(|record| record.mode == "REINDEX").map(|record| record.end_us).max();
        for column in relation.columns.iter().filter(|column| column.sort_key < 0) {
            rows.push(row![relation.oid, column.number - 1, NULL, reindexed]);
        }
    }
    Ok(rows)
}

/// `4m 55s`
fn minutes(time: Duration) -> String {
    format!("{}m {}s", time.as_secs() / 60, time.as_secs() % 60)
}

pub(super) const TABLES: &[SystemTable] = &[
    SystemTable {
        schema: PG_CATALOG,
        name: "stl_vacuum",
        columns: &[
            ("userid", Int4),
            ("xid", Int8),
            ("table_id", Int4),
            ("status", Text),
            ("rows", Int8),
            ("sortedrows", Int4),
            ("blocks", Int4),
            ("max_merge_partitions", Int4),
            ("eventtime", Time),
            ("reclaimable_rows", Int8),
            ("reclaimable_space_mb", Int8),
            ("cutoff_xid", Int8),
            ("is_recluster", Int4),
        ],
        rows: |context| Box::pin(stl_vacuum(context)),
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "sys_vacuum_history",
        columns: &[
            ("user_id", Int4),
            ("transaction_id", Int8),
            ("query_id", Int8),
            ("database_name", Text),
            ("schema_name", Text),
            ("table_name", Text),
            ("table_id", Int4),
            ("vacuum_type", Text),
            ("is_automatic", Bool),
            ("status", Text),
            ("start_time", Time),
            ("end_time", Time),
            ("record_time", Time),
            ("duration", Int8),
            ("rows_before_vacuum", Int8),
            ("size_before_vacuum", Int4),
            ("reclaimable_rows", Int8),
            ("reclaimed_rows", Int8),
            ("reclaimed_blocks", Int8),
            ("sortedrows_before_vacuum", Int4),
            ("sortedrows_after_vacuum", Int4),
        ],
        rows: |context| Box::pin(history(context)),
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "svv_vacuum_summary",
        columns: &[
            ("table_name", Text),
            ("xid", Int8),
            ("sort_partitions", Int8),
            ("merge_increments", Int8),
            ("elapsed_time", Int8),
            ("row_delta", Int8),
            ("sortedrow_delta", Int8),
            ("block_delta", Int4),
            ("max_merge_partitions", Int4),
        ],
        rows: |context| Box::pin(summary(context)),
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "svv_interleaved_columns",
        columns: &[("tbl", Int4), ("col", Int4), ("interleaved_skew", Numeric(19, 2)), ("last_reindex", Time)],
        rows: |context| Box::pin(interleaved(context)),
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "svv_vacuum_progress",
        columns: &[("table_name", Text), ("status", Text), ("time_remaining_estimate", Text)],
        rows: |context| Box::pin(progress(context)),
    },
];
