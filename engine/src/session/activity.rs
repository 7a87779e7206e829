//! Who is connected and what runs now: the sessions of this process, and the record of each statement's life.
//!
//! A statement is recorded when it ends, however it ends: [`Running`] writes its record when it is dropped.

use super::transaction::{Hold, Transaction};
use super::transfers::Transfers;
use super::{Context, Session, Work};
use crate::error::Error;
use crate::journal::{self, QueryRecord, StatementClass, StepsRecord, WlmTrace, now_us};
use crate::result::{CommandTag, StatementResult};
use crate::sql::ParsedStatement;
use crate::system::DATABASE;
use crate::warehouse::Warehouse;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The longest text of a statement that is kept, in bytes; Redshift's system tables show as much.
const TEXT_BYTES: usize = 64_000;

/// What one session may do to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// Cancel what it runs: `pg_cancel_backend`; with what its user is told in place of the usual error.
    Cancel(Option<String>),
    /// End it: `pg_terminate_backend`.
    Terminate,
}

/// Who carries out what others signal to a session.
type Receiver = Box<dyn Fn(&Signal) + Send + Sync>;

/// The sessions of a warehouse in this process.
pub struct Sessions {
    next_pid: AtomicI32,
    open: Mutex<BTreeMap<i32, OpenSession>>,
    receivers: Mutex<BTreeMap<i32, Receiver>>,
    /// What statements that run do, by their number.
    works: Mutex<HashMap<i64, Weak<Work>>>,
    transfers: Transfers,
    /// The transaction that each session is in.
    transactions: Mutex<BTreeMap<i32, InTransaction>>,
    /// Cursors that are or were open, by their sessions.
    cursors: Mutex<Vec<(i32, Weak<OpenCursor>)>>,
}

/// A cursor as others see it.
#[derive(Debug)]
pub(crate) struct OpenCursor {
    pub(crate) name: String,
    pub(crate) xid: i64,
    /// Since when, in microseconds since the epoch.
    pub(crate) start_us: i64,
    /// Rows that were given, or passed over.
    pub(crate) fetched_rows: AtomicU64,
}

/// A session's transaction.
#[derive(Debug, Clone)]
struct InTransaction {
    xid: i64,
    start_us: i64,
    transaction: Weak<tokio::sync::Mutex<Transaction>>,
}

/// A transaction that has not ended, as others see it.
#[derive(Debug, Clone)]
pub(crate) struct OpenTransaction {
    pub(crate) pid: i32,
    pub(crate) xid: i64,
    /// Since when, in microseconds since the epoch.
    pub(crate) start_us: i64,
    /// What it holds of tables, by their numbers in the catalog.
    pub(crate) holds: BTreeMap<i64, Hold>,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sessions").field("open", &self.open).finish_non_exhaustive()
    }
}

/// A session as others see it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenSession {
    /// Its number, `pg_backend_pid()`.
    pub pid: i32,
    /// The user's name.
    pub user: String,
    /// Since when, in microseconds since the epoch.
    pub start_us: i64,
    /// `application_name`
    pub application_name: String,
    /// Where the other side is; empty in the embedded shell.
    pub remote_host: String,
    /// After how many idle seconds it ends by its user's `SESSION TIMEOUT`; 0 is never.
    pub timeout_sec: u32,
    /// What runs now.
    pub running: Option<RunningState>,
}

/// A statement that runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunningState {
    /// Its number.
    pub query: i64,
    /// Its transaction.
    pub xid: i64,
    /// `query_group`
    pub label: String,
    /// Its text without secrets.
    pub text: String,
    /// Since when, in microseconds since the epoch.
    pub start_us: i64,
}

impl Default for Sessions {
    fn default() -> Self {
        // Sessions of several processes on one warehouse differ mostly, as pids do.
        let first = i32::try_from(std::process::id() & 0x3fff_ffff).unwrap_or(1).max(1);
        Self {
            next_pid: AtomicI32::new(first),
            open: Mutex::default(),
            receivers: Mutex::default(),
            works: Mutex::default(),
            transfers: Transfers::default(),
            transactions: Mutex::default(),
            cursors: Mutex::default(),
        }
    }
}

impl Sessions {
    /// Adds a session; its number.
    pub(crate) fn add(&self, user: &str) -> i32 {
        let pid = self.next_pid.fetch_add(1, Ordering::Relaxed);
        let state = OpenSession { pid, user: user.to_owned(), start_us: now_us(), ..OpenSession::default() };
        self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(pid, state);
        pid
    }

    /// Lets others signal to a session.
    pub(crate) fn receive(&self, pid: i32, receiver: Receiver) {
        self.receivers.lock().unwrap_or_else(PoisonError::into_inner).insert(pid, receiver);
    }

    /// Signals to a session; whether it can be reached.
    pub(crate) fn signal(&self, pid: i32, signal: &Signal) -> bool {
        let receivers = self.receivers.lock().unwrap_or_else(PoisonError::into_inner);
        receivers.get(&pid).inspect(|receiver| receiver(signal)).is_some()
    }

    /// A statement works.
    pub(super) fn note_work(&self, query: i64, work: &Arc<Work>) {
        self.works.lock().unwrap_or_else(PoisonError::into_inner).insert(query, Arc::downgrade(work));
    }

    /// It has ended.
    pub(super) fn forget_work(&self, query: i64) {
        self.works.lock().unwrap_or_else(PoisonError::into_inner).remove(&query);
    }

    /// What the statements that run have done so far.
    pub(crate) fn steps(&self) -> Vec<StepsRecord> {
        let works: Vec<Arc<Work>> =
            self.works.lock().unwrap_or_else(PoisonError::into_inner).values().filter_map(Weak::upgrade).collect();
        works.iter().map(|work| work.steps()).collect()
    }

    /// The COPYs and UNLOADs that run.
    pub(crate) fn transfers(&self) -> &Transfers {
        &self.transfers
    }

    /// A session is in a transaction.
    pub(super) fn note_transaction(&self, who: &Who, transaction: &Arc<tokio::sync::Mutex<Transaction>>) {
        let now = InTransaction { xid: who.xid, start_us: now_us(), transaction: Arc::downgrade(transaction) };
        self.transactions.lock().unwrap_or_else(PoisonError::into_inner).insert(who.pid, now);
    }

    /// The transactions that have not ended.
    pub(crate) async fn transactions(&self) -> Vec<OpenTransaction> {
        let noted = self.transactions.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut open = Vec::new();
        for (pid, InTransaction { xid, start_us, transaction }) in noted {
            let Some(transaction) = transaction.upgrade() else { continue };
            let holds = transaction.lock().await.holds();
            open.push(OpenTransaction { pid, xid, start_us, holds });
        }
        open
    }

    /// A session opens a cursor.
    pub(crate) fn note_cursor(&self, pid: i32, cursor: &Arc<OpenCursor>) {
        let mut cursors = self.cursors.lock().unwrap_or_else(PoisonError::into_inner);
        cursors.retain(|(_, cursor)| cursor.strong_count() > 0);
        cursors.push((pid, Arc::downgrade(cursor)));
    }

    /// The cursors that are open, with their sessions.
    pub(crate) fn cursors(&self) -> Vec<(i32, Arc<OpenCursor>)> {
        let cursors = self.cursors.lock().unwrap_or_else(PoisonError::into_inner);
        cursors.iter().filter_map(|(pid, cursor)| Some((*pid, cursor.upgrade()?))).collect()
    }

    pub(crate) fn remove(&self, pid: i32) {
        self.transactions.lock().unwrap_or_else(PoisonError::into_inner).remove(&pid);
        self.receivers.lock().unwrap_or_else(PoisonError::into_inner).remove(&pid);
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&pid);
    }

    pub(crate) fn change(&self, pid: i32, change: impl FnOnce(&mut OpenSession)) {
        if let Some(state) = self.open.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&pid) {
            change(state);
        }
    }

    /// [`OpenSession::timeout_sec`] of a session.
    pub fn timeout_sec(&self, pid: i32) -> u32 {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.get(&pid).map_or(0, |session| session.timeout_sec)
    }

    /// All that are open, by number.
    pub fn list(&self) -> Vec<OpenSession> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

/// A statement from its begin to its end.
pub(super) struct Running {
    warehouse: Arc<Warehouse>,
    record: QueryRecord,
    /// What WLM did with it.
    trace: Arc<WlmTrace>,
}

impl Running {
    pub(super) fn begin(warehouse: &Arc<Warehouse>, record: QueryRecord, trace: &Arc<WlmTrace>) -> Self {
        let running = RunningState {
            query: record.query,
            xid: record.xid,
            label: record.label.clone(),
            text: record.text.clone(),
            start_us: record.start_us,
        };
        warehouse.sessions().change(record.pid, |session| session.running = Some(running));
        let record = QueryRecord { aborted: true, ..record };
        Self { warehouse: Arc::clone(warehouse), record, trace: Arc::clone(trace) }
    }

    /// Its record so far.
    pub(super) fn record(&self) -> &QueryRecord {
        &self.record
    }

    /// Its result is that of another query.
    pub(super) fn given_again(mut self, source_query: Option<i64>) -> Self {
        self.record.source_query = source_query;
        self
    }

    /// Ends it with what it gave: at once, or when the last of its rows was read.
    pub(super) fn watch(mut self, result: Result<StatementResult, Error>) -> Result<StatementResult, Error> {
        let mut result = match result {
            Ok(result) => result,
            Err(error) => {
                self.fail(&error);
                return Err(error);
            }
        };
        let Some(rows) = result.rows.take() else {
            self.record.aborted = false;
            if let CommandTag::Insert(count) | CommandTag::Count(_, count) = result.tag {
                self.record.rows = count;
            }
            return Ok(result);
        };
        let schema = rows.schema();
        let watched = futures::stream::unfold(Some((rows, self)), |state| async move {
            let (mut rows, mut running) = state?;
            match rows.next().await {
                Some(Ok(batch)) => {
                    running.record.rows += batch.num_rows() as u64;
                    Some((Ok(batch), Some((rows, running))))
                }
                Some(Err(error)) => {
                    let told = Error::from(error);
                    running.fail(&told);
                    Some((Err(told.into()), None))
                }
                None => {
                    running.record.aborted = false;
                    None
                }
            }
        });
        result.rows = Some(Box::pin(RecordBatchStreamAdapter::new(schema, watched)));
        Ok(result)
    }

    fn fail(&mut self, error: &Error) {
        self.record.sqlstate = Some(error.sqlstate().to_owned());
        self.record.error = Some(journal::mask(&error.message).into_owned());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.record.end_us = now_us();
        (self.record.stays, self.record.rule_actions) = self.trace.take(self.record.end_us);
        let query = self.record.query;
        self.warehouse.sessions().change(self.record.pid, |session| {
            if session.running.as_ref().is_some_and(|running| running.query == query) {
                session.running = None;
            }
        });
        self.warehouse.journal().record(&self.record);
    }
}

impl Session {
    /// Writes a statement down for auditors before it runs.
    pub(super) async fn write_down(&self, running: &Running) -> Result<(), Error> {
        let audit = self.warehouse.audit();
        if !audit.logs_statements() {
            return Ok(());
        }
        let snapshot = self.warehouse.catalog().snapshot().await?;
        audit.statement(running.record(), snapshot.principals().user_id(&self.who.user))
    }

    /// Numbers a statement and begins its record.
    pub(super) fn begin_statement(&mut self, parsed: &ParsedStatement) -> Running {
        let query = self.warehouse.journal().next_query();
        let class = StatementClass::of(&parsed.statement);
        if let Some(block) = &mut self.block {
            self.who.xid = *block.xid.get_or_insert(query);
        } else {
            self.who.xid = query;
        }
        self.who.last_query = self.next_last_query;
        if class == StatementClass::Query {
            self.next_last_query = query;
        }
        self.who.query = query;
        let label = self.settings.client.get("query_group").unwrap_or_default().to_owned();
        let record = QueryRecord {
            query,
            class,
            user: self.who.user.clone(),
            pid: self.who.pid,
            xid: self.who.xid,
            database: DATABASE.to_owned(),
            label,
            text: kept_text(&parsed.text),
            start_us: now_us(),
            ..QueryRecord::default()
        };
        self.place.trace = Arc::default();
        Running::begin(&self.warehouse, record, &self.place.trace)
    }
}

/// A statement's text as it is kept: without secrets, not too long.
fn kept_text(text: &str) -> String {
    let masked = journal::mask(text.trim());
    let mut end = masked.len().min(TEXT_BYTES);
    while !masked.is_char_boundary(end) {
        end -= 1;
    }
    masked[..end].to_owned()
}

/// Who a statement runs as, and which one it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Who {
    /// `current_user`: whose rights count.
    pub(crate) user: String,
    /// `session_user`: who logged in, or whom SET SESSION AUTHORIZATION chose.
    pub(crate) session_user: String,
    /// `pg_backend_pid()`
    pub(crate) pid: i32,
    /// The statement's number.
    pub(crate) query: i64,
    /// `pg_last_query_id()`: the number of the session's query before; -1 when there was none.
    pub(crate) last_query: i64,
    /// The transaction's number.
    pub(crate) xid: i64,
    /// What the session loaded and unloaded last.
    pub(crate) loads: Arc<LastLoads>,
}

/// The last COPY and the last UNLOAD of a session: `pg_last_copy_id()` and its kin.
#[derive(Debug)]
pub(crate) struct LastLoads {
    copy: Mutex<(i64, u64)>,
    unload: Mutex<(i64, u64)>,
}

impl Default for LastLoads {
    fn default() -> Self {
        Self { copy: Mutex::new((-1, 0)), unload: Mutex::new((-1, 0)) }
    }
}

impl LastLoads {
    /// Notes a COPY that begins to load, or how many rows it has loaded.
    pub(crate) fn note_copy(&self, query: i64, rows: u64) {
        *self.copy.lock().unwrap_or_else(PoisonError::into_inner) = (query, rows);
    }

    /// Notes an UNLOAD that begins to write, or how many rows it has written.
    pub(crate) fn note_unload(&self, query: i64, rows: u64) {
        *self.unload.lock().unwrap_or_else(PoisonError::into_inner) = (query, rows);
    }

    /// The number of the last COPY, -1 when there was none, and how many rows it loaded, 0 when it failed.
    pub(crate) fn copy(&self) -> (i64, u64) {
        *self.copy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same of the last UNLOAD.
    pub(crate) fn unload(&self) -> (i64, u64) {
        *self.unload.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Context {
    /// Who the statement runs as.
    pub(crate) fn who(&self) -> &Who {
        &self.who
    }

    /// The owner of what the statement makes, as the catalog notes it: nobody for the superuser that is always there.
    pub(crate) fn owner(&self) -> Option<String> {
        Some(self.who.user.clone()).filter(|user| user != millrace_catalog::model::ADMIN)
    }

    /// The same with another user's rights: for the query of a view, which runs as its owner.
    pub(crate) fn acting_as(&self, user: &str) -> Self {
        let who = Who { user: user.to_owned(), ..self.who.as_ref().clone() };
        let mut acting = self.clone();
        acting.who = Arc::new(who);
        acting
    }
}
