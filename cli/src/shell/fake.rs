//! An engine whose statements are words that say what shall happen, and outputs that can be read back.
#![allow(clippy::unwrap_used)]

use crate::engine::{Engine, Names};
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::error::DataFusionError;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::future::BoxFuture;
use futures::{Stream, StreamExt, stream};
use millrace_engine::sql::Dialect;
use millrace_engine::{CommandTag, Error, ErrorKind, Notice, Progress, Severity, StatementResult};
use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// The fake engine; clones share what they saw.
#[derive(Clone, Default)]
pub(crate) struct Fake {
    /// Statements run, in order.
    pub(crate) seen: Arc<Mutex<Vec<String>>>,
    /// Set when a statement that never ends was dropped.
    pub(crate) dropped: Arc<AtomicBool>,
    dialect: Dialect,
}

/// Sets a flag when dropped.
struct Flag(Arc<AtomicBool>);

impl Drop for Flag {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Engine for Fake {
    fn dialect(&self) -> Dialect {
        self.dialect
    }

    fn database(&self) -> String {
        "default".to_owned()
    }

    fn zone(&self) -> chrono_tz::Tz {
        chrono_tz::Tz::UTC
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Error> {
        match name {
            "dialect" => {
                self.dialect = value.parse().map_err(|error: String| Error::new(ErrorKind::InvalidParameter, error))?;
            }
            _ => return Err(Error::new(ErrorKind::UndefinedObject, format!("unknown setting \"{name}\""))),
        }
        Ok(())
    }

    fn execute(&mut self, text: String) -> BoxFuture<'static, Result<StatementResult, Error>> {
        self.seen.lock().unwrap().push(text.clone());
        let fake = self.clone();
        Box::pin(async move { fake.result(&text).await })
    }

    fn progress(&self) -> Option<Arc<dyn Progress>> {
        None
    }

    fn names(&self) -> BoxFuture<'static, Names> {
        Box::pin(async { Names::default() })
    }

    fn close(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

impl Fake {
    async fn result(&self, text: &str) -> Result<StatementResult, Error> {
        let words: Vec<&str> = text.split_whitespace().collect();
        match words.as_slice() {
            ["numbers", count] => Ok(numbers(count.parse().unwrap(), false)),
            ["broken", count] => Ok(numbers(count.parse().unwrap(), true)),
            ["hang"] => {
                let _flag = Flag(Arc::clone(&self.dropped));
                std::future::pending().await
            }
            ["hang", "rows"] => Ok(self.hanging_rows()),
            ["spin", ms] => {
                std::thread::sleep(std::time::Duration::from_millis(ms.parse().unwrap()));
                std::future::pending().await
            }
            ["panic"] => panic!("as told"),
            ["create"] => Ok(StatementResult {
                schema: Arc::new(Schema::empty()),
                rows: None,
                tag: CommandTag::Verb("CREATE TABLE"),
                notices: vec![Notice { severity: Severity::Notice, message: "it exists".to_owned() }],
                progress: None,
            }),
            _ => {
                let position = text.find("bad").map_or(1, |at| at + 1);
                Err(Error::new(ErrorKind::Syntax, "syntax error").with_hint("try harder").with_position(position))
            }
        }
    }

    fn hanging_rows(&self) -> StatementResult {
        let flag = Flag(Arc::clone(&self.dropped));
        let first = stream::iter([Ok(batch(0, 2))]);
        let rest = stream::once(async move {
            let _flag = flag;
            std::future::pending().await
        });
        result(first.chain(rest))
    }
}

/// `n | name` rows in batches of 300, with an error at the end where wanted.
fn numbers(count: usize, broken: bool) -> StatementResult {
    let starts = (0..count).step_by(300);
    let mut batches: Vec<_> = starts.map(|start| Ok(batch(start, 300.min(count - start)))).collect();
    if broken {
        let error = Error::new(ErrorKind::BadFile, "the file is damaged");
        batches.push(Err(DataFusionError::External(Box::new(error))));
    }
    result(stream::iter(batches))
}

fn result<S>(rows: S) -> StatementResult
where
    S: Stream<Item = Result<RecordBatch, DataFusionError>> + Send + 'static,
{
    let rows = Box::pin(RecordBatchStreamAdapter::new(schema(), rows));
    StatementResult { schema: schema(), rows: Some(rows), tag: CommandTag::Select, notices: Vec::new(), progress: None }
}

fn schema() -> SchemaRef {
    let fields = vec![Field::new("n", DataType::Int64, false), Field::new("name", DataType::Utf8, true)];
    Arc::new(Schema::new(fields))
}

fn batch(start: usize, count: usize) -> RecordBatch {
    let numbers = Int64Array::from_iter_values((start..start + count).map(|n| n as i64));
    let names: StringArray = (start..start + count).map(|n| (n % 2 == 0).then(|| format!("row {n}"))).collect();
    RecordBatch::try_new(schema(), vec![Arc::new(numbers) as ArrayRef, Arc::new(names)]).unwrap()
}

/// A text that can be read while a shell writes to it.
#[derive(Clone, Default)]
pub(crate) struct Sink {
    bytes: Rc<RefCell<Vec<u8>>>,
    capacity: Option<usize>,
}

impl Sink {
    /// A sink that takes so many bytes before its pipe breaks.
    pub(crate) fn with_capacity(capacity: Option<usize>) -> Self {
        Self { capacity, ..Self::default() }
    }

    /// What was written.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.bytes.borrow().clone()).unwrap()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut held = self.bytes.borrow_mut();
        if self.capacity.is_some_and(|capacity| held.len() + bytes.len() > capacity) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        held.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
