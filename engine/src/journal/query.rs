//! The records of statements and of connections.

use super::{Record, RuleAction, Stay};
use crate::sql::Statement;
use serde::{Deserialize, Serialize};

/// What a statement is to the system tables.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum StatementClass {
    /// A query or a change of rows: `stl_query`.
    #[default]
    Query,
    /// A change of the catalog: `stl_ddltext`.
    Ddl,
    /// Everything else: `stl_utilitytext`.
    Utility,
}

impl StatementClass {
    /// A statement's class.
    pub(crate) fn of(statement: &Statement) -> Self {
        match statement {
            Statement::Query(_)
            | Statement::Insert(_)
            | Statement::Copy(_)
            | Statement::CopyIn(_)
            | Statement::Unload(_)
            | Statement::Update(_)
            | Statement::Delete(_)
            | Statement::Merge(_)
            | Statement::CreateTableAs(_)
            | Statement::MaterializedView(_) => Self::Query,
            Statement::CreateTable(create) if create.query.is_some() => Self::Query,
            Statement::CreateExternalTable(_)
            | Statement::CreateTable(_)
            | Statement::CreateView(_)
            | Statement::CreateFunction(_)
            | Statement::AlterFunction(_)
            | Statement::DropFunction(_)
            | Statement::CreateDatabase(_)
            | Statement::CreateExternalSchema(_)
            | Statement::CreateConnectorSchema(_)
            | Statement::DropDatabase(_)
            | Statement::DropTable(_)
            | Statement::AlterTable(_)
            | Statement::Truncate(_)
            | Statement::Comment(_) => Self::Ddl,
            _ => Self::Utility,
        }
    }
}

/// A statement that has ended.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct QueryRecord {
    pub(crate) query: i64,
    pub(crate) class: StatementClass,
    pub(crate) user: String,
    pub(crate) pid: i32,
    pub(crate) xid: i64,
    pub(crate) database: String,
    /// `query_group`, as `stl_query.label`.
    pub(crate) label: String,
    /// Without its secrets.
    pub(crate) text: String,
    pub(crate) start_us: i64,
    pub(crate) end_us: i64,
    /// Rows that were returned or changed.
    pub(crate) rows: u64,
    /// Neither finished nor failed: cancelled, or its rows were not wanted to the end.
    pub(crate) aborted: bool,
    /// The query whose result was given again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source_query: Option<i64>,
    pub(crate) sqlstate: Option<String>,
    pub(crate) error: Option<String>,
    /// The queues that it was in, in order; none for what bypasses them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) stays: Vec<Stay>,
    /// What query monitoring rules did.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) rule_actions: Vec<RuleAction>,
}

impl QueryRecord {
    /// How long it waited in queues, in microseconds.
    pub(crate) fn queue_us(&self) -> i64 {
        let waited =
            |stay: &Stay| stay.exec_start_us.or(stay.end_us).unwrap_or(stay.queue_start_us) - stay.queue_start_us;
        self.stays.iter().map(waited).sum()
    }
}

impl Record for QueryRecord {
    const KIND: &'static str = "query";

    fn at_us(&self) -> i64 {
        self.end_us
    }
}

/// A user that was made, changed or dropped.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct UserRecord {
    /// When, in microseconds since the epoch.
    pub(crate) at_us: i64,
    /// The user's number and name.
    pub(crate) id: i32,
    pub(crate) name: String,
    /// The name before a rename.
    pub(crate) old_name: String,
    /// `create`, `alter`, `rename`, `drop`
    pub(crate) action: String,
    pub(crate) create_database: bool,
    pub(crate) superuser: bool,
    pub(crate) valid_until: Option<String>,
    /// The session and transaction that did it.
    pub(crate) pid: i32,
    pub(crate) xid: i64,
}

impl Record for UserRecord {
    const KIND: &'static str = "user";

    fn at_us(&self) -> i64 {
        self.at_us
    }
}

/// A connection that began, ended or was refused.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ConnectionEvent {
    /// `initiating session`, `authenticated`, `set application_name`, `disconnecting session`, …, as in
    /// `stl_connection_log.event`.
    pub event: String,
    /// When, in microseconds since the epoch.
    pub at_us: i64,
    /// The other side's address.
    pub remote_host: String,
    /// The other side's port.
    pub remote_port: String,
    /// The session's process number.
    pub pid: i32,
    /// The database asked for.
    pub database: String,
    /// The user's name.
    pub user: String,
    /// `password`, `Trust`, ….
    pub auth_method: String,
    /// How long the session was, in microseconds.
    pub duration_us: i64,
    /// `TLSv1.3`, or empty.
    pub ssl_version: String,
    /// `application_name`
    pub application_name: String,
    /// After how many idle seconds the session ends by its user's `SESSION TIMEOUT`; 0 is never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_sec: Option<u32>,
    /// Why the session ended, as `stl_sessions.timed_out` numbers it: 1 it was idle for too long, 2 its client left, 0
    /// something else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<i32>,
}

impl Record for ConnectionEvent {
    const KIND: &'static str = "connection";

    fn at_us(&self) -> i64 {
        self.at_us
    }
}
