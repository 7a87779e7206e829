//! A foreign system for tests of what it is asked: it notes requests and gives all rows whatever they say.

use super::scan::ForeignScanExec;
use super::splits::deal;
use super::table::ForeignTable;
use async_trait::async_trait;
use datafusion::arrow::array::{ArrayRef, Int64Array, StringViewArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::record_batch::RecordBatch;
use futures::StreamExt;
use millrace_connectors::{
    BatchStream, Checkpoint, Connector, ConnectorError, Measures, Predicate, Pushdown, Result, SUPER_METADATA,
    ScanRequest, Split,
};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How many rows its table has: of them `a` is a number from zero on, `B` a text with this number.
const ROWS: i64 = 12_000;

/// The system.
#[derive(Debug)]
pub(crate) struct Stub {
    /// Whether it looks up rows of several columns.
    takes_rows: bool,
    requests: Mutex<Vec<ScanRequest>>,
}

/// The text of a row.
pub(crate) fn text(number: i64) -> String {
    format!("b{number}")
}

impl Stub {
    pub(crate) fn new(takes_rows: bool) -> Arc<Self> {
        Arc::new(Self { takes_rows, requests: Mutex::default() })
    }

    /// What it was asked since this was called last.
    pub(crate) fn take_requests(&self) -> Vec<ScanRequest> {
        std::mem::take(&mut *self.requests.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Its table.
pub(super) fn table(stub: &Arc<Stub>) -> ForeignTable {
    let document = HashMap::from([(SUPER_METADATA.to_owned(), String::new())]);
    let columns = Schema::new(vec![
        Field::new("a", DataType::Int64, false),
        Field::new("B", DataType::Utf8View, true),
        Field::new("doc", DataType::Utf8View, true).with_metadata(document),
    ]);
    ForeignTable::new("stub", "rows", "stub", Arc::new(Asked(Arc::clone(stub))), &Arc::new(columns), None)
}

/// A scan of the columns `a` and `b`.
pub(crate) fn scan(stub: &Arc<Stub>) -> ForeignScanExec {
    let table = Arc::new(table(stub));
    let request = ScanRequest {
        table: table.name.clone(),
        columns: vec!["a".to_owned(), "B".to_owned()],
        predicates: vec![],
        limit: None,
        order: vec![],
        checkpoints: vec![],
    };
    let schema = Schema::new(table.columns().fields()[..2].to_vec());
    ForeignScanExec::new(table, Arc::new(schema), request, deal(vec![whole()], 1, 1), 1)
}

/// Conditions in a line; lists by their first values and their lengths.
pub(crate) fn shown(predicates: &[Predicate]) -> String {
    let texts = predicates.iter().map(|predicate| match predicate {
        Predicate::Compare { column, comparison, value } => format!("{column} {comparison:?} {value:?}"),
        Predicate::In { column, values } => format!("{column} in {} from {:?}", values.len(), values[0]),
        Predicate::InRows { columns, rows } => format!("{columns:?} in {} from {:?}", rows.len(), rows[0]),
        other => format!("{other:?}"),
    });
    texts.collect::<Vec<_>>().join("; ")
}

fn whole() -> Split {
    Split { id: "all".to_owned(), payload: vec![], after: vec![] }
}

/// The connector.
#[derive(Debug)]
struct Asked(Arc<Stub>);

#[async_trait]
impl Connector for Asked {
    async fn tables(&self) -> Result<Vec<String>> {
        Ok(vec!["rows".to_owned()])
    }

    async fn schema(&self, _table: &str) -> Result<SchemaRef> {
        Ok(Arc::clone(table(&self.0).columns()))
    }

    fn pushdown(&self, _table: &str, predicates: &[Predicate]) -> Vec<Pushdown> {
        let answer = |predicate: &Predicate| match predicate {
            Predicate::InRows { .. } if !self.0.takes_rows => Pushdown::Unsupported,
            _ => Pushdown::Exact,
        };
        predicates.iter().map(answer).collect()
    }

    fn describe(&self, request: &ScanRequest) -> String {
        shown(&request.predicates)
    }

    async fn splits(&self, _request: &ScanRequest, _parallelism: usize) -> Result<Vec<Split>> {
        Ok(vec![whole()])
    }

    async fn scan(&self, request: &ScanRequest, _split: &Split, _measures: &Arc<Measures>) -> Result<BatchStream> {
        self.0.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
        let columns: [(&str, ArrayRef); 2] = [
            ("a", Arc::new(Int64Array::from_iter_values(0..ROWS))),
            ("B", Arc::new(StringViewArray::from_iter_values((0..ROWS).map(text)))),
        ];
        let fields = columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), *name == "B"));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let rows = RecordBatch::try_new(schema, columns.map(|(_, column)| column).to_vec());
        let rows = rows.map_err(|error| ConnectorError::BadData(error.to_string()));
        Ok(futures::stream::iter([rows]).boxed())
    }

    async fn checkpoint(&self, _request: &ScanRequest, _split: &Split) -> Result<Option<Checkpoint>> {
        Ok(None)
    }
}
