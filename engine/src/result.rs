//! What a statement gives back: a schema, a stream of batches, a command tag, notices and its progress.

use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::execution::SendableRecordBatchStream;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The result of one statement. Dropping it cancels what still runs.
pub struct StatementResult {
    /// Columns of the rows; empty for statements that give none.
    pub schema: SchemaRef,
    /// The rows, read lazily; `None` for statements that give none (their work is done by now).
    pub rows: Option<SendableRecordBatchStream>,
    /// PostgreSQL's command tag.
    pub tag: CommandTag,
    /// Messages beside the result, in order.
    pub notices: Vec<Notice>,
    /// How far a running query is; `None` where there is nothing to watch.
    pub progress: Option<Arc<dyn Progress>>,
}

impl StatementResult {
    /// The result of an empty text.
    pub fn nothing() -> Self {
        Self {
            schema: Arc::new(Schema::empty()),
            rows: None,
            tag: CommandTag::Verb(""),
            notices: Vec::new(),
            progress: None,
        }
    }
}

/// PostgreSQL's command tag: the verb, and a row count where the verb has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandTag {
    /// `SELECT n`: the rows are counted by whoever reads them.
    Select,
    /// A verb with the number of rows that were read from the result, e.g. `FETCH 3`.
    Counted(&'static str),
    /// A statement that shows something as rows, e.g. `SHOW`, `EXPLAIN`.
    Rows(&'static str),
    /// `INSERT 0 n`
    Insert(u64),
    /// A verb with the number of rows that it changed, e.g. `UPDATE 3`.
    Count(&'static str, u64),
    /// Any other verb, e.g. `CREATE TABLE`.
    Verb(&'static str),
}

impl CommandTag {
    /// The tag's text when `rows` rows were read from the result.
    pub fn text(&self, rows: u64) -> String {
        match self {
            Self::Select => format!("SELECT {rows}"),
            Self::Counted(verb) => format!("{verb} {rows}"),
            Self::Rows(verb) | Self::Verb(verb) => (*verb).to_owned(),
            Self::Count(verb, count) => format!("{verb} {count}"),
            Self::Insert(count) => format!("INSERT 0 {count}"),
        }
    }
}

/// How serious a [`Notice`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Something the user may want to know.
    Notice,
    /// What was done (`INFO` in PostgreSQL).
    Info,
    /// Something is probably not as meant.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Notice => "NOTICE",
            Self::Info => "INFO",
            Self::Warning => "WARNING",
        })
    }
}

/// A message beside a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// How serious it is.
    pub severity: Severity,
    /// The message, worded as errors are.
    pub message: String,
}

/// How far a running query is.
pub trait Progress: Send + Sync {
    /// The state now. Cheap: reads counters.
    fn now(&self) -> ProgressState;
}

/// Numbers of a running query.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProgressState {
    /// Rows that scans have produced.
    pub rows_scanned: u64,
    /// Bytes of the files that scans have read, or are done with.
    pub bytes_scanned: u64,
    /// Bytes of all files that the query must read; 0 when unknown.
    pub bytes_total: u64,
    /// Files of the scan that are done, where the scan tells; parts of a foreign table, too.
    pub files_done: u64,
    /// Files that the query must read, and parts of foreign tables.
    pub files_total: u64,
    /// Files that a crawl has listed.
    pub files_listed: u64,
}

/// The progress of whatever a session runs now; nothing while it runs nothing that tells.
#[derive(Default)]
pub struct CurrentProgress(Mutex<Option<Weak<dyn Progress>>>);

impl CurrentProgress {
    /// Shows this one for as long as somebody holds it.
    pub(crate) fn set(&self, progress: &Arc<dyn Progress>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::downgrade(progress));
    }
}

impl Progress for CurrentProgress {
    fn now(&self) -> ProgressState {
        let current = self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().and_then(Weak::upgrade);
        current.map(|progress| progress.now()).unwrap_or_default()
    }
}
