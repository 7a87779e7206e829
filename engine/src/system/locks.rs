//! What transactions that have not ended hold: `stv_locks`, `svv_transactions`, `pg_locks`.
//!
//! Nobody waits for a lock here: of transactions that cannot be put in order the later one fails at its commit. So all
//! locks are granted.

use super::table::Kind::{Bool, Int4, Int8, Text, Time};
use super::table::NULL;
use super::{DATABASE, PG_CATALOG, Rows, SystemTable, oid, row, sees_all};
use crate::error::Result;
use crate::session::{Context, Hold, OpenTransaction};
use std::collections::BTreeMap;

/// The transactions that the user may see, each with its user.
async fn transactions(context: &Context) -> Result<Vec<(OpenTransaction, String)>> {
    let everything = sees_all(context).await?;
    let sessions = context.warehouse().sessions();
    let users: BTreeMap<i32, String> = sessions.list().into_iter().map(|session| (session.pid, session.user)).collect();
    let open = sessions.transactions().await.into_iter();
    let named = open.filter_map(|transaction| Some((transaction.clone(), users.get(&transaction.pid)?.clone())));
    Ok(named.filter(|(_, user)| everything || *user == context.who().user).collect())
}

/// PostgreSQL's mode of what a transaction holds.
fn mode(hold: Hold) -> &'static str {
    match hold {
        Hold::Read => "AccessShareLock",
        Hold::Written => "ShareRowExclusiveLock",
        Hold::Locked => "AccessExclusiveLock",
    }
}

async fn stv_locks(context: &Context) -> Result<Rows> {
    let none = None::<i64>;
    let mut rows = Rows::new();
    for (transaction, _) in transactions(context).await? {
        let OpenTransaction { pid, xid, start_us, holds } = transaction;
        let written = holds.into_iter().filter(|(_, hold)| *hold != Hold::Read);
        rows.extend(
            written.map(|(table, _)| {
                row![oid::managed(table), none, none, xid, pid, start_us, none, "Holding write lock"]
            }),
        );
    }
    Ok(rows)
}

async fn svv_transactions(context: &Context) -> Result<Rows> {
    let mut rows = Rows::new();
    for (transaction, user) in transactions(context).await? {
        let OpenTransaction { pid, xid, start_us, holds } = transaction;
        rows.push(row![&user, DATABASE, xid, pid, start_us, "ExclusiveLock", "transactionid", NULL, true]);
        rows.extend(holds.into_iter().map(|(table, hold)| {
            row![&user, DATABASE, xid, pid, start_us, mode(hold), "relation", oid::managed(table), true]
        }));
    }
    Ok(rows)
}

async fn pg_locks(context: &Context) -> Result<Rows> {
    let mut rows = Rows::new();
    for (transaction, _) in transactions(context).await? {
        let OpenTransaction { pid, xid, holds, .. } = transaction;
        rows.push(row![NULL, NULL, xid, pid, "ExclusiveLock", true]);
        rows.extend(
            holds
                .into_iter()
                .map(|(table, hold)| row![oid::managed(table), oid::DATABASE_OID, None::<i64>, pid, mode(hold), true]),
        );
    }
    Ok(rows)
}

pub(super) const TABLES: &[SystemTable] = &[
    SystemTable {
        schema: PG_CATALOG,
        name: "stv_locks",
        columns: &[
            ("table_id", Int8),
            ("last_commit", Time),
            ("last_update", Time),
            ("lock_owner", Int8),
            ("lock_owner_pid", Int8),
            ("lock_owner_start_ts", Time),
            ("lock_owner_end_ts", Time),
            ("lock_status", Text),
        ],
        rows: |context| Box::pin(stv_locks(context)),
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "svv_transactions",
        columns: &[
            ("txn_owner", Text),
            ("txn_db", Text),
            ("xid", Int8),
            ("pid", Int4),
            ("txn_start", Time),
            ("lock_mode", Text),
            ("lockable_object_type", Text),
            ("relation", Int4),
            ("granted", Bool),
        ],
        rows: |context| Box::pin(svv_transactions(context)),
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "pg_locks",
        columns: &[
            ("relation", super::Kind::Oid),
            ("database", super::Kind::Oid),
            ("transaction", Int8),
            ("pid", Int4),
            ("mode", Text),
            ("granted", Bool),
        ],
        rows: |context| Box::pin(pg_locks(context)),
    },
];
