//! What commits took, those that came too late, and the objects that loads and unloads moved: `stl_commit_stats`,
//! `stl_tr_conflict`, `sys_transaction_history`, `stl_s3client`.

use super::loads::seen;
use super::table::Kind::{Int4, Int8, Text, Time};
use super::table::NULL;
use super::{PG_CATALOG, Rows, SystemTable, Value, row, sees_all};
use crate::error::Result;
use crate::journal::{CommitRecord, ConflictRecord, FileRecord, LoadCommitRecord, Origin, QueryRecord, UnloadRecord};
use crate::session::Context;
use std::collections::{BTreeSet, HashMap};

/// How transactions are kept from each other.
const ISOLATION: &str = "Serializable";

async fn stl_commit_stats(context: &Context) -> Result<Rows> {
    if !sees_all(context).await? {
        return Ok(Rows::new());
    }
    let (records, none): (Vec<CommitRecord>, _) = (context.warehouse().journal().read().await?, None::<i64>);
    // The leader commits, which Redshift numbers -1.
    let rows = records.into_iter().map(|record| {
        let CommitRecord { xid, queue_us, start_us, end_us } = record;
        row![
            xid, -1, queue_us, start_us, none, none, none, none, end_us, none, none, none, none, none, none, none,
            none, none, none, none, none
        ]
    });
    Ok(rows.collect())
}

/// Transactions that were rolled back for want of an order with others; their sessions and begins are those of their
/// statements.
async fn stl_tr_conflict(context: &Context) -> Result<Rows> {
    if !sees_all(context).await? {
        return Ok(Rows::new());
    }
    let conflicts: Vec<ConflictRecord> = context.warehouse().journal().read().await?;
    let queries: Vec<QueryRecord> = context.warehouse().journal().read().await?;
    let rows = conflicts.into_iter().map(|ConflictRecord { xid, table, at_us }| {
        let own = queries.iter().filter(|query| query.xid == xid);
        let first = own.min_by_key(|query| query.start_us);
        row![xid, first.map(|query| query.pid), first.map(|query| query.start_us), at_us, table]
    });
    Ok(rows.collect())
}

/// Whether a statement's transaction ended without its changes: it failed, or was told to.
fn is_undone(query: &QueryRecord) -> bool {
    let word = query.text.split(|c: char| !c.is_ascii_alphabetic()).find(|word| !word.is_empty()).unwrap_or_default();
    query.sqlstate.is_some() || ["rollback", "abort"].iter().any(|undo| word.eq_ignore_ascii_case(undo))
}

/// Transactions that changed something, and those that were rolled back; what only read has left no record of its end.
async fn transaction_history(context: &Context) -> Result<Rows> {
    if !sees_all(context).await? {
        return Ok(Rows::new());
    }
    let snapshot = context.snapshot().await?;
    let commits: Vec<CommitRecord> = context.warehouse().journal().read().await?;
    let conflicts: Vec<ConflictRecord> = context.warehouse().journal().read().await?;
    let queries: Vec<QueryRecord> = context.warehouse().journal().read().await?;
    let mut first: HashMap<i64, &QueryRecord> = HashMap::new();
    for query in &queries {
        let found = first.entry(query.xid).or_insert(query);
        if query.start_us < found.start_us {
            *found = query;
        }
    }
    let committed: BTreeSet<i64> = commits.iter().map(|commit| commit.xid).collect();
    let undone = queries.iter().filter(|query| is_undone(query)).map(|query| query.xid);
    let undone: BTreeSet<i64> = undone.chain(conflicts.iter().map(|conflict| conflict.xid)).collect();
    let row = |xid: i64, commit: Option<&CommitRecord>| {
        let begun = first.get(&xid);
        let none = None::<i64>;
        row![
            begun.map(|query| snapshot.principals().user_id(&query.user)),
            xid,
            ISOLATION,
            if commit.is_some() { "committed" } else { "rolledback" },
            begun.map(|query| query.start_us).or(commit.map(|commit| commit.start_us)),
            commit.map(|commit| commit.start_us),
            commit.map(|commit| commit.end_us),
            none,
            -1
        ]
    };
    let ended = commits.iter().map(|commit| row(commit.xid, Some(commit)));
    Ok(ended.chain(undone.difference(&committed).map(|xid| row(*xid, None))).collect())
}

/// A request's row; of a file that is in no bucket none.
fn request(user: i32, origin: &Origin, file: &FileRecord, method: &str) -> Option<Vec<Value>> {
    let (bucket, key) = file.url.strip_prefix("s3://")?.split_once('/')?;
    let none = None::<i64>;
    Some(row![
        user,
        origin.query,
        0,
        origin.end_us,
        origin.pid,
        method,
        bucket,
        key,
        file.bytes,
        none,
        origin.start_us,
        origin.end_us,
        origin.end_us - origin.start_us,
        none,
        none,
        none,
        none,
        NULL,
        NULL,
        NULL,
        0
    ])
}

async fn stl_s3client(context: &Context) -> Result<Rows> {
    let snapshot = context.snapshot().await?;
    let mut rows = Rows::new();
    for load in seen::<LoadCommitRecord>(context).await? {
        let user = snapshot.principals().user_id(&load.origin.user);
        rows.extend(load.files.iter().filter_map(|file| request(user, &load.origin, file, "GET")));
    }
    for unload in seen::<UnloadRecord>(context).await? {
        let user = snapshot.principals().user_id(&unload.origin.user);
        rows.extend(unload.files.iter().filter_map(|file| request(user, &unload.origin, file, "PUT")));
    }
    Ok(rows)
}

pub(super) const TABLES: &[SystemTable] = &[
    SystemTable {
        schema: PG_CATALOG,
        name: "stl_tr_conflict",
        columns: &[
            ("xact_id", Int8),
            ("process_id", Int8),
            ("xact_start_ts", Time),
            ("abort_time", Time),
            ("table_id", Int8),
        ],
        rows: |context| Box::pin(stl_tr_conflict(context)),
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "sys_transaction_history",
        columns: &[
            ("user_id", Int4),
            ("transaction_id", Int8),
            ("isolation_level", Text),
            ("status", Text),
            ("transaction_start_time", Time),
            ("commit_start_time", Time),
            ("commit_end_time", Time),
            ("blocks_committed", Int8),
            ("undo_transaction_id", Int8),
        ],
        rows: |context| Box::pin(transaction_history(context)),
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "stl_commit_stats",
        columns: &[
            ("xid", Int8),
            ("node", Int4),
            ("startqueue", Time),
            ("startwork", Time),
            ("endflush", Time),
            ("endstage", Time),
            ("endlocal", Time),
            ("startglobal", Time),
            ("endtime", Time),
            ("queuelen", Int8),
            ("permblocks", Int8),
            ("newblocks", Int8),
            ("dirtyblocks", Int8),
            ("headers", Int8),
            ("numxids", Int8),
            ("oldestxid", Int8),
            ("extwritelatency", Int8),
            ("metadatawritten", Int4),
            ("tombstonedblocks", Int8),
            ("tossedblocks", Int8),
            ("batched_by", Int8),
        ],
        rows: |context| Box::pin(stl_commit_stats(context)),
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "stl_s3client",
        columns: &[
            ("userid", Int4),
            ("query", Int4),
            ("slice", Int4),
            ("recordtime", Time),
            ("pid", Int4),
            ("http_method", Text),
            ("bucket", Text),
            ("key", Text),
            ("transfer_size", Int8),
            ("data_size", Int8),
            ("start_time", Int8),
            ("end_time", Int8),
            ("transfer_time", Int8),
            ("compression_time", Int8),
            ("connect_time", Int8),
            ("app_connect_time", Int8),
            ("retries", Int8),
            ("request_id", Text),
            ("extended_request_id", Text),
            ("ip_address", Text),
            ("node", Int4),
        ],
        rows: |context| Box::pin(stl_s3client(context)),
    },
];
