//! What was run: `sys_query_history`, `svl_qlog`.

use super::activity::{QUERY_TEXT, cut, declare, label, sessions, statements};
use super::table::Kind::{Bool, Int4, Int8, Text, Time};
use super::table::NULL;
use super::{DATABASE, Rows, SystemTable, VERSION, Value, row};
use crate::error::Result;
use crate::journal::{QueryRecord, StatementClass, Stay, now_us};
use crate::session::Context;
use crate::wlm;
use millrace_catalog::Snapshot;

/// Redshift's service class of user queries without WLM's configuration.
const SERVICE_CLASS: i64 = 100;

/// How `user_query_hash` and `generic_query_hash` are computed; another way has another number.
const HASH_VERSION: i64 = 1;

async fn svl_qlog(context: &Context) -> Result<Rows> {
    let (snapshot, records) = statements(context, |class| class == StatementClass::Query).await?;
    let rows = records.iter().map(|record| {
        row![
            snapshot.principals().user_id(&record.user),
            record.query,
            record.xid,
            record.pid,
            record.start_us,
            record.end_us,
            record.end_us - record.start_us,
            i64::from(record.aborted),
            label(record),
            cut(&record.text, 60),
            record.source_query,
            "Ran on the main cluster",
            None::<i64>,
            0
        ]
    });
    Ok(rows.collect())
}

async fn sys_query_history(context: &Context) -> Result<Rows> {
    let (snapshot, records) = statements(context, |_| true).await?;
    let ended = records.iter().map(|record| {
        let status = match (&record.sqlstate, record.aborted) {
            (Some(code), _) if code == "57014" => "canceled",
            (Some(_), _) => "failed",
            (None, true) => "canceled",
            (None, false) => "success",
        };
        history_row(&snapshot, record, (status, Some(record.end_us)))
    });
    let mut rows: Rows = ended.collect();
    let (tasks, queues) = (context.warehouse().wlm().tasks(), context.warehouse().wlm().queues());
    for session in sessions(context).await? {
        let Some(running) = session.running else { continue };
        let task = tasks.iter().find(|task| task.applicant.query == running.query);
        let status = match task {
            Some(task) if task.exec_us.is_none() => "queued",
            Some(task) if task.returning => "returning",
            _ => "running",
        };
        let stay = task.map(|task| {
            let queue = queues.iter().find(|queue| queue.settings.class == task.class);
            Stay {
                task: task.task,
                class: task.class,
                class_name: queue.map(|queue| queue.settings.name.clone()).unwrap_or_default(),
                priority: task.priority.map(|priority| priority.name().to_owned()),
                queue_start_us: task.queue_us,
                exec_start_us: task.exec_us,
                end_us: task.exec_us.is_none().then(now_us),
                ..Stay::default()
            }
        });
        let record = QueryRecord {
            query: running.query,
            user: session.user,
            pid: session.pid,
            xid: running.xid,
            database: DATABASE.to_owned(),
            label: running.label,
            text: running.text,
            start_us: running.start_us,
            end_us: now_us(),
            stays: stay.into_iter().collect(),
            ..QueryRecord::default()
        };
        rows.push(history_row(&snapshot, &record, (status, None)));
    }
    Ok(rows)
}

fn history_row(snapshot: &Snapshot, record: &QueryRecord, (status, ended): (&str, Option<i64>)) -> Vec<Value> {
    let elapsed = record.end_us - record.start_us;
    let stay = record.stays.last();
    let is_short = record.stays.iter().any(|stay| stay.class == wlm::SHORT_CLASS);
    let none = None::<i64>;
    row![
        snapshot.principals().user_id(&record.user),
        record.query,
        label(record),
        record.xid,
        record.pid,
        &record.database,
        kind(record),
        status,
        record.source_query.is_some(),
        record.start_us,
        ended,
        elapsed,
        record.queue_us(),
        elapsed - record.queue_us(),
        record.error.as_ref(),
        record.rows,
        none,
        cut(&record.text, QUERY_TEXT),
        VERSION,
        NULL,
        "primary",
        none,
        none,
        none,
        stay.map_or(SERVICE_CLASS, |stay| stay.class.into()),
        stay.map(|stay| stay.class_name.clone()),
        stay.and_then(|stay| stay.priority.clone()),
        if is_short { "true" } else { "false" },
        format!("{:016x}", wlm::text_hash(&record.text)),
        format!("{:016x}", wlm::shape(&record.text)),
        HASH_VERSION,
        record.source_query.unwrap_or(0),
        &record.user
    ]
}

/// `query_type`
fn kind(record: &QueryRecord) -> String {
    let word = record.text.split_whitespace().next().unwrap_or_default().to_uppercase();
    match (record.class, word.as_str()) {
        (StatementClass::Ddl, _) => "DDL".to_owned(),
        (StatementClass::Query, "INSERT" | "UPDATE" | "DELETE" | "MERGE" | "COPY" | "UNLOAD") => word,
        (StatementClass::Query, "CREATE") => "CTAS".to_owned(),
        (StatementClass::Query, _) => "SELECT".to_owned(),
        (StatementClass::Utility, _) => "UTILITY".to_owned(),
    }
}

pub(super) const TABLES: &[SystemTable] = &[
    declare(
        "svl_qlog",
        &[
            ("userid", Int4),
            ("query", Int4),
            ("xid", Int8),
            ("pid", Int4),
            ("starttime", Time),
            ("endtime", Time),
            ("elapsed", Int8),
            ("aborted", Int4),
            ("label", Text),
            ("substring", Text),
            ("source_query", Int4),
            ("concurrency_scaling_status_txt", Text),
            ("from_sp_call", Int4),
            ("concurrency_scaling_status", Int4),
        ],
        |context| Box::pin(svl_qlog(context)),
    ),
    declare(
        "sys_query_history",
        &[
            ("user_id", Int4),
            ("query_id", Int8),
            ("query_label", Text),
            ("transaction_id", Int8),
            ("session_id", Int4),
            ("database_name", Text),
            ("query_type", Text),
            ("status", Text),
            ("result_cache_hit", Bool),
            ("start_time", Time),
            ("end_time", Time),
            ("elapsed_time", Int8),
            ("queue_time", Int8),
            ("execution_time", Int8),
            ("error_message", Text),
            ("returned_rows", Int8),
            ("returned_bytes", Int8),
            ("query_text", Text),
            ("redshift_version", Text),
            ("usage_limit", Text),
            ("compute_type", Text),
            ("compile_time", Int8),
            ("planning_time", Int8),
            ("lock_wait_time", Int8),
            ("service_class_id", Int4),
            ("service_class_name", Text),
            ("query_priority", Text),
            ("short_query_accelerated", Text),
            ("user_query_hash", Text),
            ("generic_query_hash", Text),
            ("query_hash_version", Int4),
            ("result_cache_query_id", Int4),
            ("username", Text),
        ],
        |context| Box::pin(sys_query_history(context)),
    ),
];
