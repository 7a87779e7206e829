//! Who came and went, and what became of users: `stl_connection_log`, `stl_sessions`, `stl_userlog`, and the same for
//! Redshift's SYS views, `sys_connection_log`, `sys_session_history`, `sys_userlog`.

use super::activity::{declare, sessions};
use super::table::Kind::{Int4, Int8, Text, Time};
use super::table::NULL;
use super::{DATABASE, Rows, SystemTable, row, sees_all};
use crate::error::Result;
use crate::journal::{ConnectionEvent, UserRecord};
use crate::login::parse_time;
use crate::session::Context;

/// The last event of a session.
const GONE: &str = "disconnecting session";
/// Why a session ended that was idle for too long.
const TIMED_OUT: i32 = 1;

/// What happened to the connections that the user may see, oldest first.
async fn events(context: &Context) -> Result<Vec<ConnectionEvent>> {
    let everything = sees_all(context).await?;
    let mut events: Vec<ConnectionEvent> = context.warehouse().journal().read().await?;
    events.retain(|event| everything || event.user == context.who().user);
    Ok(events)
}

async fn connections(context: &Context) -> Result<Rows> {
    let rows = events(context).await?.into_iter().map(|event| {
        row![
            event.event,
            event.at_us,
            event.remote_host,
            event.remote_port,
            event.pid,
            event.database,
            event.user,
            event.auth_method,
            event.duration_us,
            event.ssl_version,
            "",
            0,
            "",
            "",
            "",
            event.application_name,
            "",
            "",
            "",
            3,
            event.pid.to_string(),
            "none"
        ]
    });
    Ok(rows.collect())
}

/// The same in the order of the SYS view, which has the driver's version before the operating system's.
async fn sys_connections(context: &Context) -> Result<Rows> {
    let rows = events(context).await?.into_iter().map(|event| {
        row![
            event.event,
            event.at_us,
            event.remote_host,
            event.remote_port,
            event.pid,
            event.database,
            event.user,
            event.auth_method,
            event.duration_us,
            event.ssl_version,
            "",
            0,
            "",
            "",
            "",
            event.application_name,
            "",
            "",
            "",
            3,
            event.pid.to_string()
        ]
    });
    Ok(rows.collect())
}

/// Sessions that have ended.
async fn stl_sessions(context: &Context) -> Result<Rows> {
    let snapshot = context.snapshot().await?;
    let gone = events(context).await?.into_iter().filter(|event| event.event == GONE);
    let rows = gone.map(|event| {
        row![
            snapshot.principals().user_id(&event.user),
            event.at_us - event.duration_us,
            event.at_us,
            event.pid,
            event.user,
            event.database,
            event.timeout_sec,
            event.ended
        ]
    });
    Ok(rows.collect())
}

/// Sessions that have ended and those that are open; of one that ends meanwhile the end counts.
async fn session_history(context: &Context) -> Result<Rows> {
    let mut open = sessions(context).await?;
    let mut gone = events(context).await?;
    gone.retain(|event| event.event == GONE);
    open.retain(|session| !gone.iter().any(|event| event.pid == session.pid && event.at_us >= session.start_us));
    let snapshot = context.snapshot().await?;
    let id = |user: &str| snapshot.principals().user_id(user).to_string();
    let ended = gone.into_iter().map(|event| {
        let begun_us = event.at_us - event.duration_us;
        let status = if event.ended == Some(TIMED_OUT) { "timed out" } else { "closed" };
        row![id(&event.user), event.pid, event.database, status, event.timeout_sec, begun_us, event.at_us]
    });
    let active = open.into_iter().map(|session| {
        let timeout = i64::from(session.timeout_sec);
        row![id(&session.user), session.pid, DATABASE, "active", timeout, session.start_us, NULL]
    });
    Ok(ended.chain(active).collect())
}

/// What became of users: for superusers, as in Redshift. Both tables have the same columns under other names.
async fn user_log(context: &Context) -> Result<Rows> {
    if !sees_all(context).await? {
        return Ok(Rows::new());
    }
    let records: Vec<UserRecord> = context.warehouse().journal().read().await?;
    let rows = records.into_iter().map(|record| {
        row![
            record.id,
            record.name,
            record.old_name,
            record.action,
            i64::from(record.create_database),
            i64::from(record.superuser),
            0,
            record.valid_until.as_deref().and_then(parse_time).map(|until| until.timestamp_micros()),
            record.pid,
            record.xid,
            record.at_us
        ]
    });
    Ok(rows.collect())
}

pub(super) const TABLES: &[SystemTable] = &[
    declare(
        "stl_connection_log",
        &[
            ("event", Text),
            ("recordtime", Time),
            ("remotehost", Text),
            ("remoteport", Text),
            ("pid", Int4),
            ("dbname", Text),
            ("username", Text),
            ("authmethod", Text),
            ("duration", Int8),
            ("sslversion", Text),
            ("sslcipher", Text),
            ("mtu", Int4),
            ("sslcompression", Text),
            ("sslexpansion", Text),
            ("iamauthguid", Text),
            ("application_name", Text),
            ("os_version", Text),
            ("driver_version", Text),
            ("plugin_name", Text),
            ("protocol_version", Int4),
            ("sessionid", Text),
            ("compression", Text),
        ],
        |context| Box::pin(connections(context)),
    ),
    declare(
        "sys_connection_log",
        &[
            ("event", Text),
            ("record_time", Time),
            ("remote_host", Text),
            ("remote_port", Text),
            ("session_id", Int4),
            ("database_name", Text),
            ("user_name", Text),
            ("auth_method", Text),
            ("duration", Int8),
            ("ssl_version", Text),
            ("ssl_cipher", Text),
            ("mtu", Int4),
            ("ssl_compression", Text),
            ("ssl_expansion", Text),
            ("iam_auth_guid", Text),
            ("application_name", Text),
            ("driver_version", Text),
            ("os_version", Text),
            ("plugin_name", Text),
            ("protocol_version", Int4),
            ("global_session_id", Text),
        ],
        |context| Box::pin(sys_connections(context)),
    ),
    declare(
        "stl_sessions",
        &[
            ("userid", Int4),
            ("starttime", Time),
            ("endtime", Time),
            ("process", Int4),
            ("user_name", Text),
            ("db_name", Text),
            ("timeout_sec", Int4),
            ("timed_out", Int4),
        ],
        |context| Box::pin(stl_sessions(context)),
    ),
    declare(
        "sys_session_history",
        &[
            ("user_id", Text),
            ("session_id", Int4),
            ("database_name", Text),
            ("status", Text),
            ("session_timeout", Int4),
            ("start_time", Time),
            ("end_time", Time),
        ],
        |context| Box::pin(session_history(context)),
    ),
    declare(
        "sys_userlog",
        &[
            ("user_id", Int4),
            ("user_name", Text),
            ("original_user_name", Text),
            ("action", Text),
            ("has_create_db_privs", Int4),
            ("is_superuser", Int4),
            ("has_update_catalog_privs", Int4),
            ("password_expiration", Time),
            ("session_id", Int4),
            ("transaction_id", Int8),
            ("record_time", Time),
        ],
        |context| Box::pin(user_log(context)),
    ),
    declare(
        "stl_userlog",
        &[
            ("userid", Int4),
            ("username", Text),
            ("oldusername", Text),
            ("action", Text),
            ("usecreatedb", Int4),
            ("usesuper", Int4),
            ("usecatupd", Int4),
            ("valuntil", Time),
            ("pid", Int4),
            ("xid", Int8),
            ("recordtime", Time),
        ],
        |context| Box::pin(user_log(context)),
    ),
];
