//! A session: one user's settings over the shared warehouse, and the life of a statement.
//!
//! [`Session::execute`] is that life in one function: parsed text is resolved, planned and executed; each stage sees
//! only what the one before it gave.

mod client_settings;
mod context;
mod cursor;
mod draft;
mod leases;
mod literal;
mod prepared;
mod settings;
mod temporary;
mod transaction;
mod turns;
mod written;

pub(crate) use context::Context;
pub(crate) use leases::{InUse, Lease, Leases};
pub use prepared::Prepared;
pub(crate) use temporary::is_temporary;
pub(crate) use turns::{Turn, Turns};

use crate::background::Busy;
use crate::error::{Error, ErrorKind, Result};
use crate::exec;
use crate::result::{CommandTag, CurrentProgress, Notice, Progress, Severity, StatementResult};
use crate::sql::{self, Dialect, ParsedStatement, Statement};
use crate::warehouse::Warehouse;
use datafusion::arrow::datatypes::Schema;
use datafusion::error::DataFusionError;
use datafusion::execution::session_state::SessionState;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;
use settings::Settings;
use std::sync::Arc;
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
}

/// A transaction block: what BEGIN began.
struct Block {
    transaction: Arc<Mutex<Transaction>>,
    /// After an error nothing but its end is taken.
    failed: bool,
    /// Files that it may have changed rows of are not rewritten in the background.
    _busy: Option<Busy>,
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
    /// A session with default settings.
    pub fn new(warehouse: Arc<Warehouse>) -> Self {
        let state = warehouse.base_state().clone();
        let temporary = Temporaries::of_session(warehouse.next_session());
        Self {
            warehouse,
            settings: Settings::default(),
            state,
            progress: Arc::default(),
            block: None,
            temporary,
            prepared: prepared::PreparedStatements::new(),
            cursors: cursor::Cursors::new(),
        }
    }

    /// The warehouse.
    pub fn warehouse(&self) -> &Arc<Warehouse> {
        &self.warehouse
    }

    /// The session's dialect.
    pub fn dialect(&self) -> Dialect {
        self.settings.dialect
    }

    /// The database that unqualified names are looked up in.
    pub fn database(&self) -> &str {
        &self.settings.database
    }

    /// How far the statement is that [`Session::execute`] runs now, where it tells; what a query's result tells is
    /// in the result.
    pub fn progress(&self) -> Arc<dyn Progress> {
        Arc::clone(&self.progress) as _
    }

    /// Sets a setting, as `SET name = value` does.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        self.settings.set(self.state.config_mut(), name, Some(value))
    }

    /// Parses a text into statements, in the session's dialect.
    ///
    /// # Errors
    /// `Syntax` or `Unsupported`, with a position in the whole text.
    pub fn parse(&self, text: &str) -> Result<Vec<ParsedStatement>> {
        sql::parse(text, self.settings.dialect)
    }

    /// Executes a statement: to its end when it changes something, up to its first rows when it is a query.
    ///
    /// # Errors
    /// What the statement does wrong, with a position in the text that was parsed where one place is to blame.
    pub async fn execute(&mut self, parsed: &ParsedStatement) -> Result<StatementResult> {
        // The future of all statements together is large.
        let busy = self.warehouse.activity().begin();
        let result = Box::pin(self.execute_parsed(parsed)).await;
        result
            .map(|result| holding(result, busy))
            .map_err(|error| Error { position: error.position.map(|at| at + parsed.offset), ..error })
    }

    async fn execute_parsed(&mut self, parsed: &ParsedStatement) -> Result<StatementResult> {
        match &parsed.statement {
            Statement::Set { name, value } => return self.execute_set(name, value.as_deref()),
            Statement::Use(database) => return self.execute_use(database).await,
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
        match &parsed.statement {
            Statement::Cursor(cursor) => return self.execute_cursor(parsed, cursor).await,
            Statement::Prepared(prepared) => return self.execute_prepared(parsed, prepared).await,
            _ => {}
        }
        let Some(block) = &mut self.block else { return self.autocommit(parsed).await };
        // A statement that fails, or is dropped half-way, leaves what nobody may commit.
        block.failed = true;
        let transaction = Arc::clone(&block.transaction);
        let context = self.context(parsed, (Arc::clone(&transaction), true));
        let result = exec::execute(&context, &parsed.statement).await?;
        let held = transaction.lock().await.held();
        let result = holding(result, held);
        if let Some(block) = &mut self.block {
            block.failed = false;
        }
        // As in Redshift, TRUNCATE commits the transaction that it runs in.
        if matches!(parsed.statement, Statement::Truncate(_)) {
            self.end(true).await?;
        }
        Ok(result)
    }

    /// What a statement runs in, with its transaction and whether that is a block's.
    pub(crate) fn context(&self, parsed: &ParsedStatement, transaction: (Arc<Mutex<Transaction>>, bool)) -> Context {
        let (warehouse, progress) = (Arc::clone(&self.warehouse), Arc::clone(&self.progress));
        Context::new(warehouse, self.state.clone(), self.settings.database.clone(), parsed, progress, transaction)
    }

    /// Runs a statement and commits it. One that came too late for another's commit begins again.
    async fn autocommit(&mut self, parsed: &ParsedStatement) -> Result<StatementResult> {
        let mut tries = 0;
        let mut turn = None;
        loop {
            let transaction = Arc::new(Mutex::new(Transaction::new(false, self.temporary.clone())));
            let context = self.context(parsed, (Arc::clone(&transaction), false));
            let result = exec::execute(&context, &parsed.statement).await?;
            let changed = std::mem::take(&mut *transaction.lock().await);
            let (tables, temporary, held) = (changed.table_ids(), changed.settled_temporary(), changed.held());
            let committed = match turn {
                Some(_) => changed.commit(&self.warehouse).await,
                None => changed.commit_in_turn(&self.warehouse).await,
            };
            match committed {
                Ok(()) => {
                    self.temporary = temporary;
                    return Ok(holding(result, held));
                }
                Err(error) if error.kind == ErrorKind::Serialization && tries < MOST_TRIES => {
                    tries += 1;
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

    fn begin(&mut self, read_only: bool) -> StatementResult {
        let mut result = done("BEGIN");
        if self.block.is_some() {
            result.notices.push(warning("there is already a transaction in progress"));
        } else {
            let transaction = Arc::new(Mutex::new(Transaction::new(read_only, self.temporary.clone())));
            let busy = (!read_only).then(|| self.warehouse.activity().begin());
            self.block = Some(Block { transaction, failed: false, _busy: busy });
        }
        result
    }

    async fn end(&mut self, commit: bool) -> Result<StatementResult> {
        let Some(block) = self.block.take() else {
            let mut result = done(if commit { "COMMIT" } else { "ROLLBACK" });
            result.notices.push(warning("there is no transaction in progress"));
            return Ok(result);
        };
        self.cursors.clear();
        let transaction = std::mem::take(&mut *block.transaction.lock().await);
        if commit && !block.failed {
            let temporary = transaction.settled_temporary();
            transaction.commit_in_turn(&self.warehouse).await?;
            self.temporary = temporary;
            return Ok(done("COMMIT"));
        }
        Ok(done("ROLLBACK"))
    }

    /// Whether a transaction block is open.
    pub fn in_transaction(&self) -> bool {
        self.block.is_some()
    }

    /// How far the session is in a transaction.
    pub fn transaction_status(&self) -> TransactionStatus {
        match &self.block {
            None => TransactionStatus::Idle,
            Some(block) if block.failed => TransactionStatus::Failed,
            Some(_) => TransactionStatus::Active,
        }
    }

    /// A number that grows when a setting is changed.
    pub fn settings_version(&self) -> u64 {
        self.settings.version
    }

    /// Tells the session who its user is.
    pub fn set_user(&mut self, user: &str) {
        self.settings.client.set_user(user);
    }

    /// Makes the transaction void that the session is in, after an error outside of [`Session::execute`]: in the text,
    /// or in rows that were still being computed.
    pub fn fail_transaction(&mut self) {
        if let Some(block) = &mut self.block {
            block.failed = true;
        }
    }

    /// A setting's value, as `SHOW name` gives it.
    ///
    /// # Errors
    /// `UndefinedObject` for a setting that does not exist.
    pub fn setting(&self, name: &str) -> Result<String> {
        self.settings.get(self.state.config(), name)
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
            functions: exec::show::function_names(&self.state),
        })
    }

    fn execute_set(&mut self, name: &str, value: Option<&str>) -> Result<StatementResult> {
        self.settings.set(self.state.config_mut(), name, value)?;
        Ok(done(if value.is_some() { "SET" } else { "RESET" }))
    }

    async fn execute_use(&mut self, database: &str) -> Result<StatementResult> {
        let snapshot = self.warehouse.catalog().snapshot().await?;
        if snapshot.resolve_schema(database).is_none() {
            return Err(crate::resolve::unknown_database(&snapshot, database));
        }
        database.clone_into(&mut self.settings.database);
        Ok(done("USE"))
    }

    fn show_setting(&self, name: Option<&str>) -> Result<StatementResult> {
        let config = self.state.config();
        if let Some(name) = name {
            exec::rows::text("SHOW", &[name], [[self.settings.get(config, name)?]])
        } else {
            let rows = Settings::described().into_iter().map(|(name, description)| {
                let value = self.settings.get(config, name)?;
                Ok([name.to_owned(), value, description.to_owned()])
            });
            exec::rows::text("SHOW", &["name", "setting", "description"], rows.collect::<Result<Vec<_>>>()?)
        }
    }
}

/// The result of a statement that gives no rows.
fn done(verb: &'static str) -> StatementResult {
    StatementResult {
        schema: Arc::new(Schema::empty()),
        rows: None,
        tag: CommandTag::Verb(verb),
        notices: Vec::new(),
        progress: None,
    }
}

fn warning(message: &str) -> Notice {
    Notice { severity: Severity::Warning, message: message.to_owned() }
}

fn timed_out() -> Error {
    Error::new(ErrorKind::Cancelled, "canceling statement due to statement timeout")
}

/// Keeps what a result's rows are read from until they have been read.
fn holding(mut result: StatementResult, held: impl Send + Sync + 'static) -> StatementResult {
    result.rows = result.rows.map(|rows| {
        let schema = rows.schema();
        let rows = rows.inspect(move |_| {
            let _ = &held;
        });
        Box::pin(RecordBatchStreamAdapter::new(schema, rows)) as _
    });
    result
}

/// Ends a result's rows with an error at the deadline.
fn with_deadline(mut result: StatementResult, deadline: Instant) -> StatementResult {
    result.rows = result.rows.map(|rows| {
        let schema = rows.schema();
        let watched = futures::stream::unfold(Some((rows, deadline)), |state| async move {
            let (mut rows, deadline) = state?;
            match tokio::time::timeout_at(deadline, rows.next()).await {
                Ok(Some(batch)) => Some((batch, Some((rows, deadline)))),
                Ok(None) => None,
                Err(_) => Some((Err(DataFusionError::from(timed_out())), None)),
            }
        });
        Box::pin(RecordBatchStreamAdapter::new(schema, watched)) as _
    });
    result
}
