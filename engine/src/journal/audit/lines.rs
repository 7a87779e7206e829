//! The lines of the logs, as Redshift writes them.

use crate::journal::{ConnectionEvent, QueryRecord, UserRecord};
use chrono::{DateTime, SecondsFormat, Utc};

/// A field between bars: what would end a field or a line becomes a space.
fn field(text: &str) -> String {
    text.replace(['|', '\n', '\r'], " ")
}

fn time(us: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(us).unwrap_or_default()
}

/// `Mon, 21 Nov 2022 20:07:27:511`
fn long_time(us: i64) -> String {
    time(us).format("%a, %d %b %Y %H:%M:%S:%3f").to_string()
}

/// The columns of `stl_connection_log`, and those of the log alone: version of the protocol, session, compression.
pub(super) fn of_connection(event: &ConnectionEvent) -> String {
    let fields = [
        field(&event.event),
        long_time(event.at_us),
        field(&event.remote_host),
        field(&event.remote_port),
        event.pid.to_string(),
        field(&event.database),
        field(&event.user),
        field(&event.auth_method),
        event.duration_us.to_string(),
        field(&event.ssl_version),
        String::new(),
        "0".to_owned(),
        String::new(),
        String::new(),
        String::new(),
        field(&event.application_name),
        String::new(),
        String::new(),
        String::new(),
        "3".to_owned(),
        event.pid.to_string(),
        "none".to_owned(),
    ];
    fields.join("|")
}

/// The columns of `stl_userlog`.
pub(super) fn of_user(record: &UserRecord) -> String {
    let number = |yes: bool| i32::from(yes).to_string();
    let fields = [
        record.id.to_string(),
        field(&record.name),
        field(&record.old_name),
        field(&record.action),
        number(record.create_database),
        number(record.superuser),
        number(false),
        record.valid_until.as_deref().map(field).unwrap_or_default(),
        record.pid.to_string(),
        record.xid.to_string(),
        long_time(record.at_us),
    ];
    fields.join("|")
}

/// `'2013-12-20T20:04:10Z UTC [ db=dev user=ann pid=16417 userid=100 xid=137 ]' LOG: SELECT 1`
pub(super) fn of_statement(record: &QueryRecord, user: i32) -> String {
    let at = time(record.start_us).to_rfc3339_opts(SecondsFormat::Secs, true);
    let QueryRecord { database, user: name, pid, xid, text, .. } = record;
    let name = name.replace(['\'', '\n'], " ");
    format!("'{at} UTC [ db={database} user={name} pid={pid} userid={user} xid={xid} ]' LOG: {text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The forms of the examples in Redshift's documentation of its audit logs.
    #[test]
    fn lines_are_as_documented() {
        let at_us = 1_669_061_247_511_000;
        let event = ConnectionEvent {
            event: "authenticated".to_owned(),
            at_us,
            remote_host: "127.0.0.1".to_owned(),
            remote_port: "5439".to_owned(),
            pid: 7,
            database: "dev".to_owned(),
            user: "a|n\nn".to_owned(),
            auth_method: "password".to_owned(),
            application_name: "psql".to_owned(),
            ..ConnectionEvent::default()
        };
        let expected =
            "authenticated|Mon, 21 Nov 2022 20:07:27:511|127.0.0.1|5439|7|dev|a n n|password|0|||0||||psql||||3|7|none";
        assert_eq!(of_connection(&event), expected);
        let user =
            UserRecord { at_us, id: 101, name: "ann".to_owned(), action: "create".to_owned(), ..UserRecord::default() };
        assert_eq!(of_user(&user), "101|ann||create|0|0|0||0|0|Mon, 21 Nov 2022 20:07:27:511");
        let statement = QueryRecord {
            start_us: at_us,
            database: "dev".to_owned(),
            user: "ann".to_owned(),
            pid: 7,
            xid: 9,
            text: "SELECT 1".to_owned(),
            ..QueryRecord::default()
        };
        let expected = "'2022-11-21T20:07:27Z UTC [ db=dev user=ann pid=7 userid=101 xid=9 ]' LOG: SELECT 1";
        assert_eq!(of_statement(&statement, 101), expected);
    }
}
