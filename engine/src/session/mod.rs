//! A session: one user's settings over the shared warehouse, and the life of a statement.
//!
//! [`Session::execute`] is that life in one function: parsed text is resolved, planned and executed; each stage sees
//! only what the one before it gave.

mod context;
mod settings;

pub(crate) use context::Context;
pub(crate) use settings::SETTINGS;

use crate::error::{Error, ErrorKind, Result};
use crate::exec;
use crate::result::{CommandTag, CurrentProgress, Progress, StatementResult};
use crate::sql::{self, Dialect, ParsedStatement, Statement};
use crate::warehouse::Warehouse;
use datafusion::arrow::datatypes::Schema;
use datafusion::error::DataFusionError;
use datafusion::execution::session_state::SessionState;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;
use settings::Settings;
use std::sync::Arc;
use tokio::time::Instant;

/// One user's work with a warehouse.
pub struct Session {
    warehouse: Arc<Warehouse>,
    settings: Settings,
    state: SessionState,
    progress: Arc<CurrentProgress>,
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
        Self { warehouse, settings: Settings::default(), state, progress: Arc::default() }
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
        let result = self.execute_parsed(parsed).await;
        result.map_err(|error| Error { position: error.position.map(|at| at + parsed.offset), ..error })
    }

    async fn execute_parsed(&mut self, parsed: &ParsedStatement) -> Result<StatementResult> {
        match &parsed.statement {
            Statement::Set { name, value } => return self.execute_set(name, value.as_deref()),
            Statement::Use(database) => return self.execute_use(database).await,
            Statement::Show(sql::Show::Setting(name)) => return self.show_setting(name.as_deref()),
            _ => {}
        }
        let context = Context::new(
            Arc::clone(&self.warehouse),
            self.state.clone(),
            self.settings.database.clone(),
            parsed,
            Arc::clone(&self.progress),
        );
        let Some(timeout) = self.settings.statement_timeout else {
            return exec::execute(&context, &parsed.statement).await;
        };
        let deadline = Instant::now() + timeout;
        match tokio::time::timeout_at(deadline, exec::execute(&context, &parsed.statement)).await {
            Ok(result) => result.map(|result| with_deadline(result, deadline)),
            Err(_) => Err(timed_out()),
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
        Ok(Names {
            schemas: crate::resolve::schema_names(&snapshot).map(str::to_owned).collect(),
            tables: tables.collect(),
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
            let rows = SETTINGS.iter().map(|(name, description)| {
                let value = self.settings.get(config, name)?;
                Ok([(*name).to_owned(), value, (*description).to_owned()])
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

fn timed_out() -> Error {
    Error::new(ErrorKind::Cancelled, "canceling statement due to statement timeout")
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
