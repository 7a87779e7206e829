//! A session: one user's settings over the shared warehouse, and the life of a statement.
//!
//! [`Session::execute`] is that life in one function: parsed text is resolved, planned and executed; each stage sees
//! only what the one before it gave.

mod activity;
mod admission;
mod after_commit;
mod client_settings;
mod context;
mod cursor;
mod demand;
mod draft;
mod kept;
mod leases;
pub(crate) mod literal;
mod loading;
mod objects;
mod prepared;
mod reads;
mod refused;
mod results;
mod rows;
mod search_path;
mod set;
mod settings;
mod temporary;
mod transaction;
mod transfers;
mod turns;
mod work;
mod written;

pub(crate) use activity::{OpenCursor, OpenTransaction, Who};
pub use activity::{OpenSession, RunningState, Sessions, Signal};
pub(crate) use context::Context;
pub(crate) use kept::Standing;
pub(crate) use leases::{InUse, Lease, Leases};
use loading::{InputSlot, repeats};
pub(crate) use objects::RightsChange;
pub use prepared::Prepared;
pub(crate) use search_path::{SearchPath, written as written_path};
pub(crate) use set::Changer;
pub(crate) use temporary::is_temporary;
pub(crate) use transaction::Hold;
pub(crate) use turns::{Turn, Turns};
pub(crate) use work::Work;

use crate::background::Busy;
use crate::builtin;
use crate::error::{Error, ErrorKind, Result};
use crate::exec;
use crate::journal::now_us;
use crate::result::{CurrentProgress, Progress, StatementResult};
use crate::sql::{self, Dialect, ParsedStatement, Statement};
use crate::system::DATABASE;
use crate::warehouse::Warehouse;
use datafusion::execution::session_state::SessionState;
use millrace_catalog::model::ADMIN;
use results::{done, timed_out, warning};
use rows::{failing, holding, with_deadline};
use settings::Settings;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use temporary::Temporaries;
use tokio::sync::Mutex;
use tokio::time::Instant;
use transaction::Transaction;

/// How often a statement of its own begins again when others commit before it.
const MOST_TRIES: u64 = 20;

/// One user's work with a warehouse.
pub struct Session {
    warehouse: Arc<Warehouse>,
    settings: Settings,
    state: SessionState,
    progress: Arc<CurrentProgress>,
    block: Option<Block>,
    temporary: Temporaries,
    prepared: prepared::PreparedStatements,
    cursors: cursor::Cursors,
    /// Who the session's next statement runs as.
    who: Who,
    /// Who logged in.
    login: String,
    /// What [`Who::last_query`] is for the next statement.
    next_last_query: i64,
    /// The rows of the COPY FROM STDIN that runs.
    input: InputSlot,
    /// Where it is in the queues of WLM.
    place: admission::Place,
    /// What functions changed of the settings since the last statement began.
    changes: Arc<set::Changes>,
    /// The version of the settings, and a number that stands for those that results depend on.
    fingerprint: Option<(u64, u64)>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.warehouse.sessions().remove(self.who.pid);
        self.warehouse.wlm().change_session_priority(self.who.pid, None);
    }
}

/// A transaction block: what BEGIN began.
struct Block {
    transaction: Arc<Mutex<Transaction>>,
    /// Its number: that of its first statement.
    xid: Option<i64>,
    /// After an error nothing but its end is taken. Shared with results whose rows are still being computed.
    failed: Arc<AtomicBool>,
    /// Begun for the statements of one text, which are done together or not at all.
    implicit: bool,
    /// The values that settings had which were changed for this block only, in order.
    settings_before: Vec<(String, String)>,
    /// Files that it may have changed rows of are not rewritten in the background.
    _busy: Option<Busy>,
}

impl Block {
    fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }
}

/// How far a session is in a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionStatus {
    /// In none.
    Idle,
    /// In a block.
    Active,
    /// In a block that an error has made void.
    Failed,
}

/// The names that a user may complete.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Databases and external schemas.
    pub schemas: Vec<String>,
    /// Tables and views.
    pub tables: Vec<TableNames>,
    /// Functions.
    pub functions: Vec<String>,
}

/// The names of a table or view.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableNames {
    /// The database it is in.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Its columns, partition keys included.
    pub columns: Vec<String>,
}

impl Session {
    /// A session of the superuser `admin` with default settings: the embedded shell's.
    pub fn new(warehouse: Arc<Warehouse>) -> Self {
        Self::for_user(warehouse, ADMIN)
    }

    /// A session of a user, who is known and let in by whoever opens it.
    pub fn for_user(warehouse: Arc<Warehouse>, user: &str) -> Self {
        let state = warehouse.base_state().clone();
        let pid = warehouse.sessions().add(user);
        let temporary = Temporaries::of_session(warehouse.next_session());
        let login = user.to_owned();
        let (user, session_user) = (login.clone(), login.clone());
        let who = Who { user, session_user, pid, last_query: -1, ..Who::default() };
        let mut settings = Settings::default();
        settings.client.set_user(&login, login == ADMIN);
        Self {
            warehouse,
            settings,
            state,
            progress: Arc::default(),
            block: None,
            temporary,
            prepared: prepared::PreparedStatements::new(),
            cursors: cursor::Cursors::new(),
            who,
            login,
            next_last_query: -1,
            input: InputSlot::default(),
            place: admission::Place::default(),
            changes: Arc::default(),
            fingerprint: None,
        }
    }

    /// The session's number: `pg_backend_pid()`.
    pub fn pid(&self) -> i32 {
        self.who.pid
    }

    /// The user whose rights count now.
    pub fn user(&self) -> &str {
        &self.who.user
    }

    /// Tells others where the session's client is.
    pub fn note_client(&self, remote_host: &str, application_name: &str) {
        self.warehouse.sessions().change(self.who.pid, |session| {
            remote_host.clone_into(&mut session.remote_host);
            application_name.clone_into(&mut session.application_name);
        });
    }

    /// Lets other sessions cancel what this one runs, or end it.
    pub fn on_signal(&self, receiver: impl Fn(&Signal) + Send + Sync + 'static) {
        self.warehouse.sessions().receive(self.who.pid, Box::new(receiver));
    }

    /// The warehouse.
    pub fn warehouse(&self) -> &Arc<Warehouse> {
        &self.warehouse
    }

    /// The session's dialect.
    pub fn dialect(&self) -> Dialect {
        self.settings.dialect
    }

    /// The schema that unqualified names are looked up in, or the first of several.
    pub fn database(&self) -> &str {
        self.settings.path.first()
    }

    /// How far the statement is that [`Session::execute`] runs now, where it tells; what a query's result tells is
    /// in the result.
    pub fn progress(&self) -> Arc<dyn Progress> {
        Arc::clone(&self.progress) as _
    }

    /// Parses a text into statements, in the session's dialect.
    ///
    /// # Errors
    /// `Syntax` or `Unsupported`, with a position in the whole text.
    pub fn parse(&self, text: &str) -> Result<Vec<ParsedStatement>> {
        sql::parse_named(text, self.settings.dialect, self.settings.names())
    }

    /// The same for a text that the warehouse made itself: its names in quotes are what they are.
    ///
    /// # Errors
    /// As [`Session::parse`].
    pub(crate) fn parse_as_named(&self, text: &str) -> Result<Vec<ParsedStatement>> {
        sql::parse_named(text, self.settings.dialect, sql::Names::Kept)
    }

    /// The same for a text that may come again: what was parsed is kept, and so are plans of its queries.
    ///
    /// # Errors
    /// As [`Session::parse`].
    pub fn parse_again(&self, text: &str) -> Result<Arc<[ParsedStatement]>> {
        self.warehouse.texts().parse(text, self.settings.dialect, self.settings.names())
    }

    /// Executes a statement: to its end when it changes something, up to its first rows when it is a query.
    ///
    /// # Errors
    /// What the statement does wrong, with a position in the text that was parsed where one place is to blame.
    pub async fn execute(&mut self, parsed: &ParsedStatement) -> Result<StatementResult> {
        self.take_over_changes()?;
        // The future of all statements together is large.
        let busy = (!parsed.is_automatic()).then(|| self.warehouse.activity().begin());
        let running = self.begin_statement(parsed);
        let result = match self.write_down(&running).await {
            Ok(()) => Box::pin(self.execute_parsed(parsed)).await,
            Err(error) => Err(error),
        };
        let failed = self.block.as_ref().map(|block| Arc::clone(&block.failed));
        running
            .given_again(self.place.source_query.take())
            .watch(result.map_err(|error| parsed.canceled(error)))
            .map(|result| failing(holding(result, busy), failed))
            .map_err(|error| Error { position: error.position.map(|at| at + parsed.offset), ..error })
    }

    async fn execute_parsed(&mut self, parsed: &ParsedStatement) -> Result<StatementResult> {
        match &parsed.statement {
            Statement::Set { name, value, local } => return self.execute_set(name, value.as_deref(), *local),
            Statement::Use(database) => return self.execute_use(database).await,
            Statement::Principal(principal) => {
                if let sql::PrincipalStatement::Authorization(user) = principal.as_ref() {
                    return self.authorize(user.as_deref()).await;
                }
            }
            Statement::Show(sql::Show::Setting(name)) => return self.show_setting(name.as_deref()),
            _ => {}
        }
        let Some(timeout) = self.settings.statement_timeout else {
            return self.execute_in_transaction(parsed).await;
        };
        let deadline = Instant::now() + timeout;
        if let Ok(result) = tokio::time::timeout_at(deadline, self.execute_in_transaction(parsed)).await {
            return result.map(|result| with_deadline(result, deadline));
        }
        Err(timed_out())
    }

    /// Runs a statement in the block that is open, or in a transaction of its own.
    async fn execute_in_transaction(&mut self, parsed: &ParsedStatement) -> Result<StatementResult> {
        match &parsed.statement {
            Statement::Begin { read_only } => return Ok(self.begin(*read_only)),
            Statement::Commit => return self.end(true).await,
            Statement::Rollback => return self.end(false).await,
            _ => {}
        }
        self.check_not_failed()?;
        let kept = match &parsed.statement {
            Statement::Cursor(cursor) => Some(self.execute_cursor(parsed, cursor).await),
            Statement::Prepared(prepared) => Some(self.execute_prepared(parsed, prepared).await),
            _ => None,
        };
        if let Some(result) = kept {
            if result.is_err() {
                self.fail_transaction();
            }
            return result;
        }
        Box::pin(self.admit(parsed)).await
    }

    /// Runs a statement that has its slots.
    async fn run(&mut self, parsed: &ParsedStatement) -> Result<StatementResult> {
        let Some(block) = &mut self.block else { return self.autocommit(parsed).await };
        // A statement that fails, or is dropped half-way, leaves what nobody may commit.
        let failed = Arc::clone(&block.failed);
        failed.store(true, Ordering::Relaxed);
        let transaction = Arc::clone(&block.transaction);
        let in_block = !block.implicit;
        let context = self.context(parsed, (Arc::clone(&transaction), in_block)).await?;
        let result = exec::execute(&context, &parsed.statement).await?;
        let held = transaction.lock().await.held();
        failed.store(false, Ordering::Relaxed);
        let result = holding(result, held);
        // As in Redshift, TRUNCATE commits the transaction that it runs in.
        if matches!(parsed.statement, Statement::Truncate(_)) {
            self.end(true).await?;
        }
        Ok(result)
    }

    /// What a statement runs in, with its transaction and whether that is a block's.
    pub(crate) async fn context(
        &self,
        parsed: &ParsedStatement,
        transaction: (Arc<Mutex<Transaction>>, bool),
    ) -> Result<Context> {
        let path = self.settings.path.schemas(&transaction.0, &self.warehouse, &self.who.session_user).await?;
        let (warehouse, progress) = (Arc::clone(&self.warehouse), Arc::clone(&self.progress));
        let context = Context::new(
            warehouse,
            self.place.state(&self.state),
            path,
            parsed,
            progress,
            (self.who.clone(), self.settings.clone()),
            transaction,
        );
        let plan = self.place.plan.as_ref().filter(|key| key.statement == parsed.number);
        Ok(context
            .with_input(&self.input)
            .with_changes(&self.changes)
            .with_work(self.place.work())
            .with_plan(plan.cloned(), parsed.bound.as_ref()))
    }

    /// Runs a statement and commits it. One that came too late for another's commit begins again.
    async fn autocommit(&mut self, parsed: &ParsedStatement) -> Result<StatementResult> {
        let mut tries = 0;
        let mut turn = None;
        loop {
            let transaction = Arc::new(Mutex::new(Transaction::new(self.reads_only(), self.temporary.clone())));
            self.warehouse.sessions().note_transaction(&self.who, &transaction);
            let context = self.context(parsed, (Arc::clone(&transaction), false)).await?;
            let mut result = exec::execute(&context, &parsed.statement).await?;
            let changed = std::mem::take(&mut *transaction.lock().await);
            let analyze = changed.to_analyze();
            let (tables, temporary, held) = (changed.table_ids(), changed.settled_temporary(), changed.held());
            let again = tries < MOST_TRIES && repeats(parsed);
            let committed = match turn {
                Some(_) => changed.commit(&self.warehouse, (self.who.xid, now_us()), again).await,
                None => changed.commit_in_turn(&self.warehouse, self.who.xid, again).await,
            };
            match committed {
                Ok(()) => {
                    self.temporary = temporary;
                    result.notices.extend(self.analyze_loaded(analyze).await);
                    return Ok(holding(result, held));
                }
                Err(error) if error.kind == ErrorKind::Serialization && again => {
                    tries += 1;
                    if let Some(work) = self.place.work().upgrade() {
                        work.clear();
                    }
                    if turn.is_none() {
                        turn = Some(self.warehouse.turns().wait(tables).await);
                    } else {
                        // Another process, which does not wait for turns.
                        tokio::time::sleep(Duration::from_millis(tries * 5)).await;
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn new_block(&self, read_only: bool, implicit: bool) -> Block {
        let transaction = Arc::new(Mutex::new(Transaction::of_block(read_only, self.temporary.clone())));
        self.warehouse.sessions().note_transaction(&self.who, &transaction);
        let busy = (!read_only).then(|| self.warehouse.activity().begin());
        let (xid, settings_before) = (Some(self.who.xid), Vec::new());
        Block { transaction, xid, failed: Arc::default(), implicit, settings_before, _busy: busy }
    }

    /// Whether transactions only read that do not say so themselves.
    fn reads_only(&self) -> bool {
        self.settings.client.get("default_transaction_read_only") == Some("on")
    }

    fn begin(&mut self, read_only: Option<bool>) -> StatementResult {
        let mut result = done("BEGIN");
        if let Some(block) = &mut self.block {
            // What was done before BEGIN in the same text belongs to the block, as in PostgreSQL.
            if block.implicit {
                block.implicit = false;
            } else {
                result.notices.push(warning("there is already a transaction in progress"));
            }
        } else {
            self.block = Some(self.new_block(read_only.unwrap_or_else(|| self.reads_only()), false));
        }
        result
    }

    async fn end(&mut self, commit: bool) -> Result<StatementResult> {
        let Some(mut block) = self.block.take() else {
            let mut result = done(if commit { "COMMIT" } else { "ROLLBACK" });
            result.notices.push(warning("there is no transaction in progress"));
            return Ok(result);
        };
        self.cursors.clear();
        self.restore_settings(std::mem::take(&mut block.settings_before))?;
        let transaction = std::mem::take(&mut *block.transaction.lock().await);
        if commit && !block.has_failed() {
            let (temporary, analyze) = (transaction.settled_temporary(), transaction.to_analyze());
            transaction.commit_in_turn(&self.warehouse, self.who.xid, false).await?;
            self.temporary = temporary;
            let mut result = done("COMMIT");
            result.notices.extend(self.analyze_loaded(analyze).await);
            return Ok(result);
        }
        Ok(done("ROLLBACK"))
    }

    /// Begins a transaction for several statements that are done together or not at all, unless a block is open.
    /// A statement that cannot be taken back ends what was begun so, and runs by itself.
    ///
    /// # Errors
    /// What the commit says.
    pub async fn begin_implicit(&mut self, next: &ParsedStatement) -> Result<()> {
        if exec::changes_at_once(&next.statement).is_some() {
            return self.end_implicit().await;
        }
        if self.block.is_none() {
            self.block = Some(self.new_block(self.reads_only(), true));
        }
        Ok(())
    }

    /// Ends what [`Session::begin_implicit`] began: commits it, or takes it back after an error.
    ///
    /// # Errors
    /// What the commit says.
    pub async fn end_implicit(&mut self) -> Result<()> {
        if self.block.as_ref().is_some_and(|block| block.implicit) {
            self.end(true).await?;
        }
        Ok(())
    }

    /// Whether a transaction block is open.
    pub fn in_transaction(&self) -> bool {
        self.block.is_some()
    }

    /// How far the session is in a transaction.
    pub fn transaction_status(&self) -> TransactionStatus {
        match &self.block {
            None => TransactionStatus::Idle,
            Some(block) if block.has_failed() => TransactionStatus::Failed,
            Some(_) => TransactionStatus::Active,
        }
    }

    /// Makes the transaction void that the session is in, after an error outside of [`Session::execute`] and of its
    /// results: in the text, or in what became of rows.
    pub fn fail_transaction(&mut self) {
        if let Some(block) = &mut self.block {
            block.failed.store(true, Ordering::Relaxed);
        }
    }

    /// What a user may complete now.
    pub async fn names(&self) -> Result<Names> {
        let snapshot = self.warehouse.catalog().snapshot().await?;
        let tables = snapshot.all_tables().map(|table| TableNames {
            schema: table.database.clone(),
            name: table.name.clone(),
            columns: table.storage.columns.iter().chain(&table.partition_keys).map(|c| c.name.clone()).collect(),
        });
        let managed = snapshot.databases().flat_map(|database| snapshot.managed_tables(&database.name));
        let managed = managed.map(|table| TableNames {
            schema: table.schema.clone(),
            name: table.name.clone(),
            columns: table.columns.iter().map(|column| column.name.clone()).collect(),
        });
        let temporary = self.temporary.tables().map(|table| TableNames {
            schema: table.schema.clone(),
            name: table.name.clone(),
            columns: table.columns.iter().map(|column| column.name.clone()).collect(),
        });
        Ok(Names {
            schemas: crate::resolve::schema_names(&snapshot).map(str::to_owned).collect(),
            tables: tables.chain(managed).chain(temporary).collect(),
            functions: builtin::functions().names(),
        })
    }

    async fn execute_use(&mut self, database: &str) -> Result<StatementResult> {
        let snapshot = self.warehouse.catalog().snapshot().await?;
        if snapshot.resolve_schema(database).is_none() {
            // Redshift's USE is about databases, and there is one.
            if database == DATABASE {
                return Ok(done("USE"));
            }
            return Err(crate::resolve::unknown_database(&snapshot, database));
        }
        self.settings.path = SearchPath::of(database);
        self.settings.version += 1;
        Ok(done("USE"))
    }

    /// `SET SESSION AUTHORIZATION`: only who logged in as a superuser becomes another user.
    async fn authorize(&mut self, user: Option<&str>) -> Result<StatementResult> {
        let snapshot = self.warehouse.catalog().snapshot().await?;
        let Some(user) = user else {
            let login = self.login.clone();
            self.become_user(&login, snapshot.principals().is_superuser(&login));
            return Ok(done("RESET"));
        };
        if !snapshot.principals().is_superuser(&self.login) && user != self.login {
            let message = "permission denied to set session authorization";
            return Err(Error::new(ErrorKind::InsufficientPrivilege, message));
        }
        if !snapshot.principals().users.contains_key(user) {
            return Err(Error::new(ErrorKind::UndefinedObject, format!("user \"{user}\" does not exist")));
        }
        self.become_user(user, snapshot.principals().is_superuser(user));
        Ok(done("SET"))
    }

    /// Tells the client whether the user may do everything.
    pub(crate) fn tell_superuser(&mut self, superuser: bool) {
        self.settings.client.set_user(&self.login, superuser);
    }

    fn become_user(&mut self, user: &str, superuser: bool) {
        user.clone_into(&mut self.who.user);
        user.clone_into(&mut self.who.session_user);
        self.settings.client.set_user(user, superuser);
        self.settings.version += 1;
    }
}
