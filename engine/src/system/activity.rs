//! What was done and is being done: statements, connections, sessions.

use super::table::Kind::{Double, Int4, Int8, Text, Time};
use super::table::NULL;
use super::{DATABASE, Kind, PG_CATALOG, Rows, SystemTable, oid, row, sees_all};
use crate::error::Result;
use crate::journal::{QueryRecord, StatementClass, now_us};
use crate::session::{Context, OpenSession};
use futures::future::BoxFuture;
use millrace_catalog::Snapshot;
use std::collections::HashMap;
use std::sync::atomic::Ordering;

/// The length of one row's text in `stl_querytext` and its kin.
const PIECE: usize = 200;
/// The length of `stl_query.querytxt`.
pub(super) const QUERY_TEXT: usize = 4000;

/// The statements that the user may see and that `wanted` takes, oldest first, with the catalog.
pub(super) async fn statements(
    context: &Context,
    wanted: fn(StatementClass) -> bool,
) -> Result<(std::sync::Arc<Snapshot>, Vec<QueryRecord>)> {
    let everything = sees_all(context).await?;
    let user = &context.who().user;
    let mut records: Vec<QueryRecord> = context.warehouse().journal().read().await?;
    records.retain(|record| wanted(record.class) && (everything || record.user == *user));
    Ok((context.snapshot().await?, records))
}

/// The first `length` bytes of a text, at a character's border.
pub(super) fn cut(text: &str, length: usize) -> &str {
    let mut end = text.len().min(length);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// A text in pieces of [`PIECE`] bytes with their numbers from 0; at least one.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = (i64, &str)> {
    let mut rest = Some(text);
    let mut number = -1;
    std::iter::from_fn(move || {
        let text = rest?;
        let piece = cut(text, PIECE);
        let after = &text[piece.len()..];
        rest = (!after.is_empty()).then_some(after);
        number += 1;
        Some((number, piece))
    })
}

async fn stl_query(context: &Context) -> Result<Rows> {
    let (snapshot, records) = statements(context, |class| class == StatementClass::Query).await?;
    let rows = records.iter().map(|record| {
        row![
            snapshot.principals().user_id(&record.user),
            record.query,
            label(record),
            record.xid,
            record.pid,
            &record.database,
            cut(&record.text, QUERY_TEXT),
            record.start_us,
            record.end_us,
            i64::from(record.aborted),
            0,
            0
        ]
    });
    Ok(rows.collect())
}

pub(super) fn label(record: &QueryRecord) -> &str {
    if record.label.is_empty() { "default" } else { &record.label }
}

async fn stl_querytext(context: &Context) -> Result<Rows> {
    let (snapshot, records) = statements(context, |class| class == StatementClass::Query).await?;
    let rows = records.iter().flat_map(|record| {
        let user = snapshot.principals().user_id(&record.user);
        pieces(&record.text).map(move |(number, text)| {
            row![user, record.xid, record.pid, record.query, number, text, record.query, 1, NULL]
        })
    });
    Ok(rows.collect())
}

/// `stl_ddltext` and `stl_utilitytext`.
async fn texts(context: &Context, wanted: fn(StatementClass) -> bool) -> Result<Rows> {
    let (snapshot, records) = statements(context, wanted).await?;
    let rows = records.iter().flat_map(|record| {
        let user = snapshot.principals().user_id(&record.user);
        pieces(&record.text).map(move |(number, text)| {
            row![user, record.xid, record.pid, &record.label, record.start_us, record.end_us, number, text]
        })
    });
    Ok(rows.collect())
}

async fn svl_statementtext(context: &Context) -> Result<Rows> {
    let (snapshot, records) = statements(context, |_| true).await?;
    let rows = records.iter().flat_map(|record| {
        let user = snapshot.principals().user_id(&record.user);
        let class = match record.class {
            StatementClass::Query => "QUERY",
            StatementClass::Ddl => "DDL",
            StatementClass::Utility => "UTILITY",
        };
        pieces(&record.text).map(move |(number, text)| {
            row![user, record.xid, record.pid, &record.label, record.start_us, record.end_us, number, class, text]
        })
    });
    Ok(rows.collect())
}

async fn sys_query_text(context: &Context) -> Result<Rows> {
    let (snapshot, records) = statements(context, |_| true).await?;
    let rows = records.iter().flat_map(|record| {
        let user = snapshot.principals().user_id(&record.user);
        pieces(&record.text)
            .map(move |(number, text)| row![user, record.query, record.xid, record.pid, record.start_us, number, text])
    });
    Ok(rows.collect())
}

/// Cursors compute their rows as they are fetched, so that nobody knows how many there will be.
async fn stv_active_cursors(context: &Context) -> Result<Rows> {
    let (everything, snapshot) = (sees_all(context).await?, context.snapshot().await?);
    let sessions = context.warehouse().sessions();
    let users: HashMap<i32, String> = sessions.list().into_iter().map(|session| (session.pid, session.user)).collect();
    let mut rows = Rows::new();
    for (pid, cursor) in sessions.cursors() {
        let user = users.get(&pid).map_or("", String::as_str);
        if everything || user == context.who().user {
            let fetched = cursor.fetched_rows.load(Ordering::Relaxed);
            let (id, none) = (snapshot.principals().user_id(user), None::<i64>);
            rows.push(row![id, &cursor.name, cursor.xid, pid, cursor.start_us, none, none, fetched]);
        }
    }
    Ok(rows)
}

async fn stl_error(context: &Context) -> Result<Rows> {
    let (snapshot, records) = statements(context, |_| true).await?;
    let failed = records.iter().filter_map(|record| Some((record, record.sqlstate.as_ref()?)));
    let rows = failed.map(|(record, code)| {
        row![
            snapshot.principals().user_id(&record.user),
            "millrace",
            record.end_us,
            record.pid,
            number_of(code),
            "",
            0,
            code,
            record.error.as_ref()
        ]
    });
    Ok(rows.collect())
}

/// An SQLSTATE as the number that PostgreSQL has for it within: six bits a character, the first the lowest.
fn number_of(sqlstate: &str) -> i64 {
    let bits = |character: u8| i64::from(character.wrapping_sub(b'0') & 0x3f);
    sqlstate.bytes().take(5).zip(0..).map(|(character, at)| bits(character) << (6 * at)).sum()
}

/// The sessions that the user may see.
pub(super) async fn sessions(context: &Context) -> Result<Vec<OpenSession>> {
    let everything = sees_all(context).await?;
    let mut found = context.warehouse().sessions().list();
    found.retain(|session| everything || session.user == context.who().user);
    Ok(found)
}

async fn stv_sessions(context: &Context) -> Result<Rows> {
    let rows = sessions(context).await?.into_iter();
    Ok(rows
        .map(|session| row![session.start_us, session.pid, session.user, DATABASE, i64::from(session.timeout_sec)])
        .collect())
}

async fn stv_inflight(context: &Context) -> Result<Rows> {
    let snapshot = context.snapshot().await?;
    let rows = sessions(context).await?.into_iter().filter_map(|session| {
        let running = session.running?;
        let user = snapshot.principals().user_id(&session.user);
        Some(row![
            user,
            0,
            running.query,
            &running.label,
            running.xid,
            session.pid,
            running.start_us,
            cut(&running.text, 100),
            0,
            0,
            0
        ])
    });
    Ok(rows.collect())
}

async fn svv_query_inflight(context: &Context) -> Result<Rows> {
    let snapshot = context.snapshot().await?;
    let mut rows = Rows::new();
    for session in sessions(context).await? {
        let Some(running) = session.running else { continue };
        let user = snapshot.principals().user_id(&session.user);
        rows.extend(
            pieces(&running.text)
                .map(|(number, text)| row![user, 0, running.query, session.pid, running.start_us, 0, text, number]),
        );
    }
    Ok(rows)
}

async fn stv_recents(context: &Context) -> Result<Rows> {
    let (snapshot, records) = statements(context, |_| true).await?;
    let open = sessions(context).await?.into_iter().filter_map(|session| {
        let running = session.running?;
        let user = snapshot.principals().user_id(&session.user);
        let text = cut(&running.text, 600).to_owned();
        Some(row![
            user,
            "Running",
            running.start_us,
            now_us() - running.start_us,
            session.user,
            DATABASE,
            text,
            session.pid
        ])
    });
    let done = records.iter().rev().take(100).map(|record| {
        let user = snapshot.principals().user_id(&record.user);
        let elapsed = record.end_us - record.start_us;
        row![user, "Done", record.start_us, elapsed, &record.user, &record.database, cut(&record.text, 600), -1]
    });
    Ok(open.chain(done).collect())
}

async fn pg_stat_activity(context: &Context) -> Result<Rows> {
    let snapshot = context.snapshot().await?;
    let rows = sessions(context).await?.into_iter().map(|session| {
        let user = snapshot.principals().user_id(&session.user);
        let running = session.running.as_ref();
        let text = running.map_or("<IDLE>", |running| &running.text);
        let state = if running.is_some() { "active" } else { "idle" };
        row![
            oid::DATABASE_OID,
            DATABASE,
            session.pid,
            user,
            &session.user,
            text,
            running.map(|r| r.start_us),
            state,
            &session.application_name,
            session.start_us
        ]
    });
    Ok(rows.collect())
}

const TEXT_COLUMNS: &[(&str, Kind)] = &[
    ("userid", Int4),
    ("xid", Int8),
    ("pid", Int4),
    ("label", Text),
    ("starttime", Time),
    ("endtime", Time),
    ("sequence", Int4),
    ("text", Text),
];

pub(super) const fn declare(
    name: &'static str,
    columns: &'static [(&'static str, Kind)],
    rows: for<'a> fn(&'a Context) -> BoxFuture<'a, Result<Rows>>,
) -> SystemTable {
    SystemTable { schema: PG_CATALOG, name, columns, rows }
}

pub(super) const TABLES: &[SystemTable] = &[
    declare(
        "stl_query",
        &[
            ("userid", Int4),
            ("query", Int4),
            ("label", Text),
            ("xid", Int8),
            ("pid", Int4),
            ("database", Text),
            ("querytxt", Text),
            ("starttime", Time),
            ("endtime", Time),
            ("aborted", Int4),
            ("insert_pristine", Int4),
            ("concurrency_scaling_status", Int4),
        ],
        |context| Box::pin(stl_query(context)),
    ),
    declare(
        "stl_querytext",
        &[
            ("userid", Int4),
            ("xid", Int8),
            ("pid", Int4),
            ("query", Int4),
            ("sequence", Int4),
            ("text", Text),
            ("user_query_id", Int8),
            ("child_query_sequence", Int4),
            ("query_uuid", Text),
        ],
        |context| Box::pin(stl_querytext(context)),
    ),
    declare("stl_ddltext", TEXT_COLUMNS, |context| Box::pin(texts(context, |class| class == StatementClass::Ddl))),
    declare("stl_utilitytext", TEXT_COLUMNS, |context| {
        Box::pin(texts(context, |class| class == StatementClass::Utility))
    }),
    declare(
        "svl_statementtext",
        &[
            ("userid", Int4),
            ("xid", Int8),
            ("pid", Int4),
            ("label", Text),
            ("starttime", Time),
            ("endtime", Time),
            ("sequence", Int4),
            ("type", Text),
            ("text", Text),
        ],
        |context| Box::pin(svl_statementtext(context)),
    ),
    declare(
        "sys_query_text",
        &[
            ("user_id", Int4),
            ("query_id", Int8),
            ("transaction_id", Int8),
            ("session_id", Int4),
            ("start_time", Time),
            ("sequence", Int4),
            ("text", Text),
        ],
        |context| Box::pin(sys_query_text(context)),
    ),
    declare(
        "stl_error",
        &[
            ("userid", Int4),
            ("process", Text),
            ("recordtime", Time),
            ("pid", Int4),
            ("errcode", Int4),
            ("file", Text),
            ("linenum", Int4),
            ("context", Text),
            ("error", Text),
        ],
        |context| Box::pin(stl_error(context)),
    ),
    declare(
        "stv_sessions",
        &[("starttime", Time), ("process", Int4), ("user_name", Text), ("db_name", Text), ("timeout_sec", Int4)],
        |context| Box::pin(stv_sessions(context)),
    ),
    declare(
        "stv_inflight",
        &[
            ("userid", Int4),
            ("slice", Int4),
            ("query", Int4),
            ("label", Text),
            ("xid", Int8),
            ("pid", Int4),
            ("starttime", Time),
            ("text", Text),
            ("suspended", Int4),
            ("insert_pristine", Int4),
            ("concurrency_scaling_status", Int4),
        ],
        |context| Box::pin(stv_inflight(context)),
    ),
    declare(
        "svv_query_inflight",
        &[
            ("userid", Int4),
            ("slice", Int4),
            ("query", Int4),
            ("pid", Int4),
            ("starttime", Time),
            ("suspended", Int4),
            ("text", Text),
            ("sequence", Int4),
        ],
        |context| Box::pin(svv_query_inflight(context)),
    ),
    declare(
        "stv_recents",
        &[
            ("userid", Int4),
            ("status", Text),
            ("starttime", Time),
            ("duration", Int8),
            ("user_name", Text),
            ("db_name", Text),
            ("query", Text),
            ("pid", Int4),
        ],
        |context| Box::pin(stv_recents(context)),
    ),
    declare(
        "pg_stat_activity",
        &[
            ("datid", Kind::Oid),
            ("datname", Text),
            ("procpid", Int4),
            ("usesysid", Int4),
            ("usename", Text),
            ("current_query", Text),
            ("query_start", Time),
            ("state", Text),
            ("application_name", Text),
            ("backend_start", Time),
        ],
        |context| Box::pin(pg_stat_activity(context)),
    ),
    declare(
        "stv_active_cursors",
        &[
            ("userid", Int4),
            ("name", Text),
            ("xid", Int8),
            ("pid", Int4),
            ("starttime", Time),
            ("row_count", Int8),
            ("byte_count", Int8),
            ("fetched_rows", Int8),
        ],
        |context| Box::pin(stv_active_cursors(context)),
    ),
    declare("stv_slices", &[("node", Int4), ("slice", Int4), ("localslice", Int4), ("type", Text)], |context| {
        Box::pin(async {
            let slices = context.state().config().target_partitions();
            Ok((0..slices).map(|slice| row![0, slice, slice, "D"]).collect())
        })
    }),
    declare(
        "millrace_journal",
        &[
            ("lost_records", Int8),
            ("share_lost", Double),
            ("lost_audit_lines", Int8),
            ("audit_files_waiting", Int8),
            ("audit_error", Text),
        ],
        |context| {
            Box::pin(async {
                let journal = context.warehouse().journal();
                let kept = journal.read::<QueryRecord>().await?.len() as f64;
                let lost = journal.lost();
                let share = if lost == 0 { 0.0 } else { lost as f64 / (lost as f64 + kept) };
                let audit = context.warehouse().audit();
                let (waiting, error) = audit.unshipped();
                Ok(vec![row![lost, share, audit.lost(), waiting, error]])
            })
        },
    ),
];
