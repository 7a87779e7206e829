//! What COPY does and did: bad lines, loads.
//!
//! A load of a transaction that was rolled back later stays in: its statement ended well.

use super::table::Kind::{Int4, Int8, Text, Time};
use super::table::NULL;
use super::{Kind, PG_CATALOG, Rows, SystemTable, Value, row, sees_all};
use crate::error::Result;
use crate::journal::{LoadCommitRecord, LoadErrorRecord, OfStatement, Origin, QueryRecord, ReplacementRecord, now_us};
use crate::session::Context;
use futures::future::BoxFuture;
use millrace_catalog::Snapshot;
use std::collections::{HashMap, HashSet};

/// The width of `stl_load_errors.err_reason`, in bytes (Redshift: `character(100)`).
const MOST_REASON: usize = 100;

/// Which records the user may see.
pub(super) async fn may_see<R: OfStatement>(context: &Context) -> Result<impl Fn(&R) -> bool + use<R>> {
    let everything = sees_all(context).await?;
    let user = context.who().user.clone();
    Ok(move |record: &R| everything || record.origin().user == user)
}

/// The records that the user may see, oldest first.
pub(super) async fn seen<R: OfStatement>(context: &Context) -> Result<Vec<R>> {
    let sees = may_see(context).await?;
    let mut records: Vec<R> = context.warehouse().journal().read().await?;
    records.retain(|record| sees(record));
    // A statement that began again, because another committed before it, recorded every try: the last one counts.
    let mut last: HashMap<(i64, i32), i64> = HashMap::new();
    for record in &records {
        let origin = record.origin();
        let start = last.entry(statement(origin)).or_insert(origin.start_us);
        *start = origin.start_us.max(*start);
    }
    records.retain(|record| last.get(&statement(record.origin())) == Some(&record.origin().start_us));
    Ok(records)
}

/// What all tries of a statement have in common.
fn statement(origin: &Origin) -> (i64, i32) {
    (origin.query, origin.pid)
}

/// Makes one list of those that ended, and of those that ran just before these were read: what ended meanwhile runs no
/// more, and a try before the one that runs counts no more.
pub(super) fn settle<E: OfStatement, R>(ended: &mut Vec<E>, running: &mut Vec<R>, origin: impl Fn(&R) -> &Origin) {
    running.retain(|running| !ended.iter().any(|ended| ended.origin().is_same(origin(running))));
    ended.retain(|ended| !running.iter().any(|running| statement(origin(running)) == statement(ended.origin())));
}

/// The statements that ended with an error: a load may fail when it is committed.
pub(super) async fn failed(context: &Context) -> Result<HashSet<i64>> {
    let records: Vec<QueryRecord> = context.warehouse().journal().read().await?;
    let failed = records.iter().filter(|record| record.aborted || record.sqlstate.is_some());
    Ok(failed.map(|record| record.query).collect())
}

/// A type as `pg_type` names it, without its length.
fn type_name(text: &str) -> &str {
    match text.split('(').next().unwrap_or_default() {
        "smallint" => "int2",
        "integer" => "int4",
        "bigint" => "int8",
        "real" => "float4",
        "double precision" => "float8",
        "boolean" => "bool",
        "character" => "char",
        "character varying" => "varchar",
        "timestamp without time zone" => "timestamp",
        "timestamp with time zone" => "timestamptz",
        "time without time zone" => "time",
        "time with time zone" => "timetz",
        "binary varying" => "varbyte",
        other => other,
    }
}

async fn stl_load_errors(context: &Context) -> Result<Rows> {
    let records: Vec<LoadErrorRecord> = seen(context).await?;
    let snapshot = context.snapshot().await?;
    let mut rows = Rows::new();
    for record in &records {
        let user = snapshot.principals().user_id(&record.origin.user);
        for bad in &record.lines {
            rows.push(row![
                user,
                NULL,
                record.table_id,
                record.origin.start_us,
                record.origin.pid,
                record.origin.query,
                &bad.file,
                bad.line,
                &bad.column,
                type_name(&bad.data_type),
                bad.length.map(|length| length.to_string()),
                bad.position,
                &bad.raw_line,
                &bad.raw_value,
                bad.code,
                &bad.reason[..bad.reason.floor_char_boundary(MOST_REASON)],
                0,
                0,
                0
            ]);
        }
    }
    Ok(rows)
}

async fn stl_loaderror_detail(context: &Context) -> Result<Rows> {
    let records: Vec<LoadErrorRecord> = seen(context).await?;
    let snapshot = context.snapshot().await?;
    let mut rows = Rows::new();
    for record in &records {
        let user = snapshot.principals().user_id(&record.origin.user);
        for bad in &record.lines {
            for (at, field) in bad.fields.iter().enumerate() {
                rows.push(row![
                    user,
                    NULL,
                    record.origin.pid,
                    record.origin.query,
                    &bad.file,
                    bad.line,
                    at,
                    &field.column,
                    field.value.as_ref(),
                    i64::from(field.value.is_none()),
                    type_name(&field.data_type),
                    field.length.map(|length| length.to_string())
                ]);
            }
        }
    }
    Ok(rows)
}

async fn stl_replacements(context: &Context) -> Result<Rows> {
    let records: Vec<ReplacementRecord> = seen(context).await?;
    let snapshot = context.snapshot().await?;
    let mut rows = Rows::new();
    for record in &records {
        let user = snapshot.principals().user_id(&record.origin.user);
        for text in &record.texts {
            rows.push(row![
                user,
                record.origin.query,
                NULL,
                record.table_id,
                record.origin.start_us,
                record.origin.pid,
                &text.file,
                text.line,
                &text.column,
                &text.raw_line
            ]);
        }
    }
    Ok(rows)
}

async fn sys_load_error_detail(context: &Context) -> Result<Rows> {
    let records: Vec<LoadErrorRecord> = seen(context).await?;
    let snapshot = context.snapshot().await?;
    let mut rows = Rows::new();
    for record in &records {
        let user = snapshot.principals().user_id(&record.origin.user);
        for bad in &record.lines {
            rows.push(row![
                user,
                record.origin.query,
                record.origin.xid,
                record.origin.pid,
                &record.origin.database,
                record.table_id,
                record.origin.start_us,
                &bad.file,
                bad.line,
                &bad.column,
                type_name(&bad.data_type),
                bad.length.map(|length| length.to_string()),
                bad.position,
                bad.code,
                &bad.reason
            ]);
        }
    }
    Ok(rows)
}

async fn stl_load_commits(context: &Context) -> Result<Rows> {
    let records: Vec<LoadCommitRecord> = seen(context).await?;
    let failed = failed(context).await?;
    let snapshot = context.snapshot().await?;
    let mut rows = Rows::new();
    for record in &records {
        if record.failed || record.only_checked || failed.contains(&record.origin.query) {
            continue;
        }
        let user = snapshot.principals().user_id(&record.origin.user);
        let format = match record.format.as_str() {
            "avro" => "Avro",
            "json" => "JSON",
            "orc" => "ORC",
            "parquet" => "Parquet",
            _ => "Text",
        };
        for file in &record.files {
            rows.push(row![
                user,
                record.origin.query,
                NULL,
                NULL,
                &file.url,
                NULL,
                file.rows,
                NULL,
                record.origin.end_us,
                1,
                format,
                0,
                0,
                0
            ]);
        }
    }
    Ok(rows)
}

async fn sys_load_history(context: &Context) -> Result<Rows> {
    let sees = may_see(context).await?;
    let mut running = context.warehouse().sessions().transfers().loads();
    running.retain(|(record, _)| sees(record));
    let mut records: Vec<LoadCommitRecord> = seen(context).await?;
    settle(&mut records, &mut running, |(record, _)| &record.origin);
    let failed = failed(context).await?;
    let snapshot = context.snapshot().await?;
    let ended = records.iter().map(|record| {
        let aborted = record.failed || failed.contains(&record.origin.query);
        let (files, bytes) = (record.files.len() as u64, bytes(record));
        let loaded =
            if aborted { Loaded::default() } else { Loaded { rows: record.rows, scanned: Some((files, bytes)) } };
        let status = if aborted { "aborted" } else { "completed" };
        load_row(&snapshot, record, status, Some(record.origin.end_us), loaded)
    });
    let mut rows: Rows = ended.collect();
    for (record, now) in &running {
        let loaded = Loaded { rows: now.rows_scanned, scanned: Some((now.files_done, now.bytes_scanned)) };
        rows.push(load_row(&snapshot, record, "running", None, loaded));
    }
    Ok(rows)
}

/// What a COPY has loaded: rows, and of its files how many it read, and how many bytes of them.
#[derive(Default)]
struct Loaded {
    rows: u64,
    scanned: Option<(u64, u64)>,
}

fn bytes(record: &LoadCommitRecord) -> u64 {
    record.files.iter().map(|file| file.bytes).sum()
}

fn load_row(
    snapshot: &Snapshot,
    record: &LoadCommitRecord,
    status: &str,
    end_us: Option<i64>,
    loaded: Loaded,
) -> Vec<Value> {
    row![
        snapshot.principals().user_id(&record.origin.user),
        record.origin.query,
        record.origin.xid,
        record.origin.pid,
        &record.origin.database,
        status,
        &record.table,
        record.origin.start_us,
        end_us,
        end_us.unwrap_or_else(now_us) - record.origin.start_us,
        &record.source,
        &record.format,
        loaded.rows,
        NULL,
        record.files.len(),
        bytes(record),
        loaded.scanned.map(|(files, _)| files),
        loaded.scanned.map(|(_, bytes)| bytes),
        record.errors,
        0
    ]
}

pub(super) const fn declare(
    name: &'static str,
    columns: &'static [(&'static str, Kind)],
    rows: for<'a> fn(&'a Context) -> BoxFuture<'a, Result<Rows>>,
) -> SystemTable {
    SystemTable { schema: PG_CATALOG, name, columns, rows }
}

pub(super) const TABLES: &[SystemTable] = &[
    declare(
        "stl_load_errors",
        &[
            ("userid", Int4),
            ("slice", Int4),
            ("tbl", Int4),
            ("starttime", Time),
            ("session", Int4),
            ("query", Int4),
            ("filename", Text),
            ("line_number", Int8),
            ("colname", Text),
            ("type", Text),
            ("col_length", Text),
            ("position", Int4),
            ("raw_line", Text),
            ("raw_field_value", Text),
            ("err_code", Int4),
            ("err_reason", Text),
            ("is_partial", Int4),
            ("start_offset", Int8),
            ("copy_job_id", Int8),
        ],
        |context| Box::pin(stl_load_errors(context)),
    ),
    declare(
        "stl_loaderror_detail",
        &[
            ("userid", Int4),
            ("slice", Int4),
            ("session", Int4),
            ("query", Int4),
            ("filename", Text),
            ("line_number", Int8),
            ("field", Int4),
            ("colname", Text),
            ("value", Text),
            ("is_null", Int4),
            ("type", Text),
            ("col_length", Text),
        ],
        |context| Box::pin(stl_loaderror_detail(context)),
    ),
    declare(
        "stl_replacements",
        &[
            ("userid", Int4),
            ("query", Int4),
            ("slice", Int4),
            ("tbl", Int4),
            ("starttime", Time),
            ("session", Int4),
            ("filename", Text),
            ("line_number", Int8),
            ("colname", Text),
            ("raw_line", Text),
        ],
        |context| Box::pin(stl_replacements(context)),
    ),
    declare(
        "sys_load_error_detail",
        &[
            ("user_id", Int4),
            ("query_id", Int8),
            ("transaction_id", Int8),
            ("session_id", Int4),
            ("database_name", Text),
            ("table_id", Int4),
            ("start_time", Time),
            ("file_name", Text),
            ("line_number", Int8),
            ("column_name", Text),
            ("column_type", Text),
            ("column_length", Text),
            ("position", Int4),
            ("error_code", Int4),
            ("error_message", Text),
        ],
        |context| Box::pin(sys_load_error_detail(context)),
    ),
    declare(
        "stl_load_commits",
        &[
            ("userid", Int4),
            ("query", Int4),
            ("slice", Int4),
            ("name", Text),
            ("filename", Text),
            ("byte_offset", Int4),
            ("lines_scanned", Int4),
            ("errors", Int4),
            ("curtime", Time),
            ("status", Int4),
            ("file_format", Text),
            ("is_partial", Int4),
            ("start_offset", Int8),
            ("copy_job_id", Int8),
        ],
        |context| Box::pin(stl_load_commits(context)),
    ),
    declare(
        "sys_load_history",
        &[
            ("user_id", Int4),
            ("query_id", Int8),
            ("transaction_id", Int8),
            ("session_id", Int4),
            ("database_name", Text),
            ("status", Text),
            ("table_name", Text),
            ("start_time", Time),
            ("end_time", Time),
            ("duration", Int8),
            ("data_source", Text),
            ("file_format", Text),
            ("loaded_rows", Int8),
            ("loaded_bytes", Int8),
            ("source_file_count", Int4),
            ("source_file_bytes", Int8),
            ("file_count_scanned", Int4),
            ("file_bytes_scanned", Int8),
            ("error_count", Int8),
            ("copy_job_id", Int8),
        ],
        |context| Box::pin(sys_load_history(context)),
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn of(query: i64, pid: i32, start_us: i64) -> LoadCommitRecord {
        LoadCommitRecord { origin: Origin { query, pid, start_us, ..Origin::default() }, ..LoadCommitRecord::default() }
    }

    #[test]
    fn what_ends_while_it_is_asked_for_is_told_once() {
        // Another session's of the same number, a try that ended before another began, and one that ended meanwhile.
        let mut ended = vec![of(7, 2, 100), of(8, 1, 100), of(9, 1, 100)];
        let mut running = vec![of(7, 1, 100), of(8, 1, 200), of(9, 1, 100)];
        settle(&mut ended, &mut running, |record| &record.origin);
        assert_eq!(ended, [of(7, 2, 100), of(9, 1, 100)]);
        assert_eq!(running, [of(7, 1, 100), of(8, 1, 200)]);
    }
}
