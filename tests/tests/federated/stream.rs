//! A stream in memory, in two parts, read from checkpoints.

use crate::memory::Memory;
use arrow::array::{ArrayRef, Int64Array, StringViewArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use async_trait::async_trait;
use futures::StreamExt;
use millrace_connectors::{
    BadRecord, BatchStream, Checkpoint, Connector, ConnectorError, Measures, Predicate, Pushdown, Result, ScanRequest,
    Split, SplitReport,
};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// The stream `events`.
#[derive(Debug, Default)]
pub(crate) struct Events {
    /// Its records: a number, and `None` in the place of a text for one that is not what was declared.
    records: Mutex<Vec<(i64, Option<&'static str>)>>,
    /// How far its parts were read last.
    reached: Mutex<HashMap<String, (usize, SplitReport)>>,
    /// Whether a scan fails after its rows.
    pub(crate) breaks: AtomicBool,
}

impl Events {
    /// Adds records.
    pub(crate) fn put(&self, records: &[(i64, Option<&'static str>)]) {
        self.records.lock().unwrap().extend_from_slice(records);
    }
}

/// The connector.
#[derive(Debug)]
pub(crate) struct Stream(pub(crate) Arc<Memory>);

/// When all records came.
const CAME_US: i64 = 1_000_000;

impl Stream {
    fn check(&self) -> Result<()> {
        if self.0.down.load(Ordering::Relaxed) {
            return Err(ConnectorError::Unavailable { message: "the stream does not answer".to_owned(), source: None });
        }
        Ok(())
    }
}

#[async_trait]
impl Connector for Stream {
    async fn tables(&self) -> Result<Vec<String>> {
        self.check()?;
        Ok(vec!["events".to_owned()])
    }

    async fn schema(&self, table: &str) -> Result<SchemaRef> {
        self.check()?;
        match table {
            "events" => Ok(Arc::new(Schema::new(vec![
                Field::new("id", DataType::Int64, false),
                Field::new("text", DataType::Utf8View, true),
            ]))),
            _ => Err(ConnectorError::NotFound { kind: "stream", name: table.to_owned() }),
        }
    }

    fn pushdown(&self, _table: &str, predicates: &[Predicate]) -> Vec<Pushdown> {
        vec![Pushdown::Unsupported; predicates.len()]
    }

    fn describe(&self, request: &ScanRequest) -> String {
        format!("stream {} from {} checkpoints", request.table, request.checkpoints.len())
    }

    async fn splits(&self, _request: &ScanRequest, _parallelism: usize) -> Result<Vec<Split>> {
        let split = |id: &str| Split { id: id.to_owned(), payload: Vec::new(), after: Vec::new() };
        Ok(["even", "odd"].map(split).to_vec())
    }

    async fn scan(&self, request: &ScanRequest, split: &Split, _measures: &Arc<Measures>) -> Result<BatchStream> {
        let events = &self.0.stream;
        let from = request.checkpoints.iter().find(|checkpoint| checkpoint.split == split.id);
        let from = from.map_or(0, |checkpoint| checkpoint.position.parse().unwrap());
        let rest = i64::from(split.id == "odd");
        let own: Vec<_> = events.records.lock().unwrap().iter().filter(|(id, _)| id % 2 == rest).copied().collect();
        let new = &own[from..];
        let good: Vec<_> = new.iter().filter(|(_, text)| text.is_some()).collect();
        let mut report = SplitReport { rows: new.len() as u64, ..SplitReport::default() };
        report.skipped = (new.len() - good.len()) as u64;
        report.bytes = report.rows * 10;
        (report.first_us, report.last_us) = if new.is_empty() { (None, None) } else { (Some(CAME_US), Some(CAME_US)) };
        report.bad = new
            .iter()
            .filter(|(_, text)| text.is_none())
            .map(|(id, _)| BadRecord {
                position: id.to_string(),
                at_us: Some(CAME_US),
                reason: "it is no JSON".to_owned(),
            })
            .collect();
        events.reached.lock().unwrap().insert(split.id.clone(), (own.len(), report));
        let column = |name: &String| -> ArrayRef {
            match name.as_str() {
                "id" => Arc::new(good.iter().map(|(id, _)| *id).collect::<Int64Array>()),
                _ => Arc::new(good.iter().map(|(_, text)| *text).collect::<StringViewArray>()),
            }
        };
        let columns: Vec<ArrayRef> = request.columns.iter().map(column).collect();
        let all = self.schema("events").await?;
        let fields: Vec<Field> =
            request.columns.iter().map(|name| all.field_with_name(name).unwrap().clone()).collect();
        let rows = RecordBatchOptions::new().with_row_count(Some(good.len()));
        let batch = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &rows).unwrap();
        let broken = events
            .breaks
            .load(Ordering::Relaxed)
            .then(|| Err(ConnectorError::Unavailable { message: "the stream went away".to_owned(), source: None }));
        Ok(futures::stream::iter([Ok(batch)].into_iter().chain(broken)).boxed())
    }

    fn is_stream(&self) -> bool {
        true
    }

    fn report(&self, split: &Split) -> Option<SplitReport> {
        self.0.stream.reached.lock().unwrap().get(&split.id).map(|(_, report)| report.clone())
    }

    async fn checkpoint(&self, _request: &ScanRequest, split: &Split) -> Result<Option<Checkpoint>> {
        let reached = self.0.stream.reached.lock().unwrap();
        let (position, _) = reached.get(&split.id).unwrap();
        Ok(Some(Checkpoint { split: split.id.clone(), position: position.to_string() }))
    }
}
