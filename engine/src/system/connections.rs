//! Who came and went, and what became of users: `stl_connection_log`, `stl_userlog`.

use super::activity::declare;
use super::table::Kind::{Int4, Int8, Text, Time};
use super::{Rows, SystemTable, row, sees_all};
use crate::error::Result;
use crate::journal::{ConnectionEvent, UserRecord};
use crate::login::parse_time;
use crate::session::Context;

async fn connections(context: &Context) -> Result<Rows> {
    let everything = sees_all(context).await?;
    let events: Vec<ConnectionEvent> = context.warehouse().journal().read().await?;
    let seen = events.into_iter().filter(|event| everything || event.user == context.who().user);
    let rows = seen.map(|event| {
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

/// What became of users: for superusers, as in Redshift.
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
