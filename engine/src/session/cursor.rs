//! Cursors: the rows of a query, read bit by bit within its transaction.
//!
//! A cursor holds its running query, not its rows: what is not fetched is not computed.

use super::{OpenCursor, Session, done};
use crate::error::{Error, ErrorKind, Result};
use crate::journal::now_us;
use crate::result::{CommandTag, StatementResult};
use crate::sql::{CursorStatement, ParsedStatement, Statement};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Mutex;

/// How many cursors a transaction may have open.
const MOST_CURSORS: usize = 100;

/// The cursors that are open.
pub(super) type Cursors = BTreeMap<String, Cursor>;

/// An open cursor.
pub(super) struct Cursor {
    schema: SchemaRef,
    rest: Arc<Mutex<Rest>>,
    /// Others see it as long as it is open.
    _shown: Arc<OpenCursor>,
}

/// What is still to come.
struct Rest {
    rows: Option<SendableRecordBatchStream>,
    /// A batch that was read in part.
    batch: Option<RecordBatch>,
    shown: Arc<OpenCursor>,
}

impl Rest {
    /// At most so many rows of what comes next; `None` at the end.
    async fn next(&mut self, most: usize) -> Option<DataFusionResult<RecordBatch>> {
        let batch = match self.batch.take() {
            Some(batch) => batch,
            None => match self.rows.as_mut()?.next().await {
                Some(Ok(batch)) => batch,
                ended => {
                    // After the end or an error there is nothing more.
                    self.rows = None;
                    return ended;
                }
            },
        };
        let mut given = batch;
        if given.num_rows() > most {
            self.batch = Some(given.slice(most, given.num_rows() - most));
            given = given.slice(0, most);
        }
        self.shown.fetched_rows.fetch_add(given.num_rows() as u64, Ordering::Relaxed);
        Some(Ok(given))
    }
}

impl Session {
    pub(super) async fn execute_cursor(
        &mut self,
        parsed: &ParsedStatement,
        statement: &CursorStatement,
    ) -> Result<StatementResult> {
        match statement {
            CursorStatement::Declare { name, query } => {
                if self.block.is_none() {
                    let message = "DECLARE CURSOR can only be used in transaction blocks";
                    return Err(Error::new(ErrorKind::NoActiveTransaction, message));
                }
                if self.cursors.contains_key(name) {
                    let message = format!("cursor \"{name}\" already exists");
                    return Err(Error::new(ErrorKind::DuplicateCursor, message));
                }
                if self.cursors.len() >= MOST_CURSORS {
                    let message = format!("a transaction may have {MOST_CURSORS} cursors");
                    return Err(Error::new(ErrorKind::LimitExceeded, message).with_hint("close some"));
                }
                let query = parsed.within(Statement::Query(query.clone()));
                let result = Box::pin(self.execute_in_transaction(&query)).await?;
                let (name, xid, start_us) = (name.clone(), self.who.xid, now_us());
                let shown = Arc::new(OpenCursor { name: name.clone(), xid, start_us, fetched_rows: AtomicU64::new(0) });
                self.warehouse.sessions().note_cursor(self.who.pid, &shown);
                let rest = Rest { rows: result.rows, batch: None, shown: Arc::clone(&shown) };
                let cursor = Cursor { schema: result.schema, rest: Arc::new(Mutex::new(rest)), _shown: shown };
                self.cursors.insert(name, cursor);
                Ok(StatementResult { notices: result.notices, ..done("DECLARE CURSOR") })
            }
            CursorStatement::Fetch { name, count } => self.fetch(name, *count),
            CursorStatement::Move { name, count } => self.move_forward(name, *count).await,
            CursorStatement::Close(None) => {
                self.cursors.clear();
                Ok(done("CLOSE CURSOR ALL"))
            }
            CursorStatement::Close(Some(name)) => match self.cursors.remove(name) {
                Some(_) => Ok(done("CLOSE CURSOR")),
                None => Err(unknown(name)),
            },
        }
    }

    /// The columns of an open cursor; `None` when there is none of that name.
    pub fn cursor_columns(&self, name: &str) -> Option<SchemaRef> {
        self.cursors.get(name).map(|cursor| Arc::clone(&cursor.schema))
    }

    /// The columns of what a statement over cursors gives.
    pub(super) fn cursor_schema(&self, statement: &CursorStatement) -> Result<SchemaRef> {
        match statement {
            CursorStatement::Fetch { name, .. } => Ok(Arc::clone(&self.cursor(name)?.schema)),
            _ => Err(Error::internal("only FETCH gives rows")),
        }
    }

    fn cursor(&self, name: &str) -> Result<&Cursor> {
        self.cursors.get(name).ok_or_else(|| unknown(name))
    }

    /// The next rows of a cursor, computed as they are read.
    fn fetch(&self, name: &str, count: Option<u64>) -> Result<StatementResult> {
        let cursor = self.cursor(name)?;
        let (schema, rest) = (Arc::clone(&cursor.schema), Arc::clone(&cursor.rest));
        let left = count.map_or(usize::MAX, |count| usize::try_from(count).unwrap_or(usize::MAX));
        let batches = futures::stream::unfold((rest, left), |(rest, left)| async move {
            if left == 0 {
                return None;
            }
            let batch = rest.lock().await.next(left).await?;
            let left = batch.as_ref().map_or(0, |batch| left - batch.num_rows());
            Some((batch, (rest, left)))
        });
        let rows = RecordBatchStreamAdapter::new(Arc::clone(&schema), batches);
        Ok(StatementResult {
            schema,
            rows: Some(Box::pin(rows)),
            tag: CommandTag::Counted("FETCH"),
            notices: Vec::new(),
            progress: None,
        })
    }

    async fn move_forward(&self, name: &str, count: Option<u64>) -> Result<StatementResult> {
        let rest = Arc::clone(&self.cursor(name)?.rest);
        let most = count.unwrap_or(u64::MAX);
        let mut passed = 0;
        let mut rest = rest.lock().await;
        while passed < most {
            let left = usize::try_from(most - passed).unwrap_or(usize::MAX);
            match rest.next(left).await {
                Some(batch) => passed += batch?.num_rows() as u64,
                None => break,
            }
        }
        Ok(StatementResult { tag: CommandTag::Count("MOVE", passed), ..done("MOVE") })
    }
}

fn unknown(name: &str) -> Error {
    Error::new(ErrorKind::UndefinedCursor, format!("cursor \"{name}\" does not exist"))
}
