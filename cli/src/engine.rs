//! What the shell needs of a session, and nothing more: a test puts a fake in its place.

use chrono_tz::Tz;
use futures::future::BoxFuture;
use millrace_engine::sql::Dialect;
use millrace_engine::{Progress, Result, StatementResult};
use std::sync::Arc;

/// One session of a warehouse.
pub(crate) trait Engine {
    /// The dialect that statements are read in.
    fn dialect(&self) -> Dialect;

    /// The database that bare names are looked up in.
    fn database(&self) -> String;

    /// The zone whose clocks moments are shown by.
    fn zone(&self) -> Tz;

    /// Changes a setting of the session.
    fn set(&mut self, name: &str, value: &str) -> Result<()>;

    /// Runs one statement, given without its semicolon. Positions in its errors count the characters of `text`.
    /// Dropping the future cancels the statement; the next one waits until it is gone.
    fn execute(&mut self, text: String) -> BoxFuture<'static, Result<StatementResult>>;

    /// How far the statement is that runs now; its result tells the rest.
    fn progress(&self) -> Option<Arc<dyn Progress>>;

    /// The names that completion offers. The future holds on to what it needs, so that the line editor may keep it
    /// and run it only when the user asks for a completion.
    fn names(&self) -> BoxFuture<'static, Names>;

    /// Waits, within a limit, until what cancelled statements left behind is removed.
    fn close(&mut self) -> BoxFuture<'_, ()>;
}

/// Names that exist, for completion.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Names {
    /// Schemas (databases).
    pub(crate) schemas: Vec<String>,
    /// Tables and views.
    pub(crate) tables: Vec<TableNames>,
    /// Functions.
    pub(crate) functions: Vec<String>,
}

/// A table's or view's names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TableNames {
    /// The schema it is in.
    pub(crate) schema: String,
    /// Its name.
    pub(crate) name: String,
    /// Its columns, partition keys included.
    pub(crate) columns: Vec<String>,
}
