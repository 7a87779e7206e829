//! A stream in memory: shards that are split and merged, read from checkpoints, a few records at a time.

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
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tokio::sync::watch;

/// When all records came.
const CAME_US: i64 = 1_000_000;

/// Records of a batch.
const BATCH: usize = 3;

/// The stream `events`.
#[derive(Debug)]
pub(crate) struct Events {
    state: Mutex<State>,
    /// How far each split of each scan was read.
    reached: Mutex<HashMap<(u64, String), String>>,
}

#[derive(Debug)]
struct State {
    shards: Vec<Shard>,
    /// The sequence number of the next record.
    next: u64,
    scans: u64,
    /// After how many batches a scan fails.
    fails_after: Option<usize>,
    retention: Option<Duration>,
    /// What the next scan waits for.
    holds: Option<watch::Receiver<bool>>,
    /// What the scans that began wait for.
    held: HashMap<u64, watch::Receiver<bool>>,
}

#[derive(Debug)]
struct Shard {
    id: String,
    parents: Vec<String>,
    closed: bool,
    /// No record of it has a lower number.
    first: u64,
    records: Vec<Event>,
}

#[derive(Debug, Clone, Copy)]
struct Event {
    sequence: u64,
    id: i64,
    /// `None` for one that is not what was declared.
    text: Option<&'static str>,
}

impl Default for Events {
    fn default() -> Self {
        let state = State {
            shards: Vec::new(),
            next: 1,
            scans: 0,
            fails_after: None,
            retention: None,
            holds: None,
            held: HashMap::new(),
        };
        let events = Self { state: Mutex::new(state), reached: Mutex::default() };
        events.create();
        events
    }
}

impl State {
    fn add(&mut self, parents: &[String]) {
        let id = format!("shard-{}", self.shards.len());
        let (first, parents) = (self.next, parents.to_vec());
        self.shards.push(Shard { id, parents, closed: false, first, records: Vec::new() });
    }
}

impl Events {
    /// Makes the stream anew, with two shards.
    pub(crate) fn create(&self) {
        let mut state = self.state.lock().unwrap();
        state.shards.clear();
        state.add(&[]);
        state.add(&[]);
    }

    /// Adds records: a number, and `None` in the place of a text for one that is not what was declared.
    pub(crate) fn put(&self, records: &[(i64, Option<&'static str>)]) {
        let mut state = self.state.lock().unwrap();
        for (id, text) in records {
            let sequence = state.next;
            state.next += 1;
            let mut open: Vec<&mut Shard> = state.shards.iter_mut().filter(|shard| !shard.closed).collect();
            let at = *id as usize % open.len();
            open[at].records.push(Event { sequence, id: *id, text: *text });
        }
    }

    /// Closes so many open shards, the first ones, and opens others that come of them.
    pub(crate) fn reshard(&self, close: usize, open: usize) {
        let mut state = self.state.lock().unwrap();
        let closing = state.shards.iter_mut().filter(|shard| !shard.closed).take(close);
        let parents: Vec<String> = closing
            .map(|shard| {
                shard.closed = true;
                shard.id.clone()
            })
            .collect();
        (0..open).for_each(|_| state.add(&parents));
    }

    /// How many open shards it has.
    pub(crate) fn open(&self) -> usize {
        self.state.lock().unwrap().shards.iter().filter(|shard| !shard.closed).count()
    }

    /// Keeps records for this time only; what there is now is older.
    pub(crate) fn retain(&self, retention: Duration) {
        let mut state = self.state.lock().unwrap();
        state.retention = Some(retention);
        state.shards.iter_mut().for_each(|shard| shard.records.clear());
    }

    /// Lets a scan fail after so many batches, once.
    pub(crate) fn fail_after(&self, batches: usize) {
        self.state.lock().unwrap().fails_after = Some(batches);
    }

    /// Lets the next scan give nothing until it is told to go on.
    pub(crate) fn hold(&self) -> watch::Sender<bool> {
        let (sender, receiver) = watch::channel(false);
        self.state.lock().unwrap().holds = Some(receiver);
        sender
    }

    /// Whether the scan that waits has begun.
    pub(crate) fn is_held(&self) -> bool {
        !self.state.lock().unwrap().held.is_empty()
    }

    /// The next records of a split after a position, whether there are more, and what this batch says of itself.
    fn batch(&self, split: &Split, position: &mut String) -> Result<Option<Vec<Event>>> {
        let mut state = self.state.lock().unwrap();
        let (_, closed) = part(split);
        let shard = state.shards.iter().find(|shard| shard.id == split.id).unwrap();
        let after = if position == "end" { u64::MAX } else { position.parse().unwrap_or(0) };
        let rest = shard.records.iter().filter(|event| event.sequence > after);
        let found: Vec<Event> = rest.take(BATCH).copied().collect();
        if let Some(last) = found.last() {
            *position = last.sequence.to_string();
        } else if closed {
            "end".clone_into(position);
        }
        match &mut state.fails_after {
            Some(0) => {
                state.fails_after = None;
                let message = "the stream went away".to_owned();
                return Err(ConnectorError::Unavailable { message, source: None });
            }
            Some(left) => *left -= 1,
            None => {}
        }
        Ok((!found.is_empty()).then_some(found))
    }
}

/// The number of a split's scan, and whether its shard was closed then.
fn part(split: &Split) -> (u64, bool) {
    let (number, closed) = split.payload.split_at(8);
    (u64::from_le_bytes(number.try_into().unwrap()), closed == [1])
}

/// The connector.
#[derive(Debug)]
pub(crate) struct Stream(pub(crate) Arc<Memory>);

impl Stream {
    fn check(&self) -> Result<()> {
        if self.0.down.load(Ordering::Relaxed) {
            return Err(ConnectorError::Unavailable { message: "the stream does not answer".to_owned(), source: None });
        }
        Ok(())
    }
}

fn schema() -> SchemaRef {
    let text = Field::new("text", DataType::Utf8View, true);
    Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, false), text]))
}

fn rows(events: &[Event], columns: &[String]) -> RecordBatch {
    let good: Vec<_> = events.iter().filter(|event| event.text.is_some()).collect();
    let column = |name: &String| -> ArrayRef {
        match name.as_str() {
            "id" => Arc::new(good.iter().map(|event| event.id).collect::<Int64Array>()),
            _ => Arc::new(good.iter().map(|event| event.text).collect::<StringViewArray>()),
        }
    };
    let fields: Vec<Field> = columns.iter().map(|name| schema().field_with_name(name).unwrap().clone()).collect();
    let count = RecordBatchOptions::new().with_row_count(Some(good.len()));
    let columns = columns.iter().map(column).collect();
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &count).unwrap()
}

fn report(events: &[Event]) -> SplitReport {
    let bad = events.iter().filter(|event| event.text.is_none()).map(|event| BadRecord {
        position: event.sequence.to_string(),
        at_us: Some(CAME_US),
        reason: "it is no JSON".to_owned(),
    });
    let (bad, count) = (bad.collect::<Vec<_>>(), events.len() as u64);
    let (first_us, last_us) = (Some(CAME_US), Some(CAME_US));
    SplitReport { rows: count, skipped: bad.len() as u64, bytes: count * 10, first_us, last_us, bad }
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
            "events" => Ok(schema()),
            _ => Err(ConnectorError::NotFound { kind: "stream", name: table.to_owned() }),
        }
    }

    fn pushdown(&self, _table: &str, predicates: &[Predicate]) -> Vec<Pushdown> {
        vec![Pushdown::Unsupported; predicates.len()]
    }

    fn describe(&self, request: &ScanRequest) -> String {
        format!("stream {} from {} checkpoints", request.table, request.checkpoints.len())
    }

    async fn splits(&self, request: &ScanRequest, _parallelism: usize) -> Result<Vec<Split>> {
        self.check()?;
        let mut state = self.0.stream.state.lock().unwrap();
        state.scans += 1;
        if let Some(held) = state.holds.take() {
            let scan = state.scans;
            state.held.insert(scan, held);
        }
        for checkpoint in &request.checkpoints {
            let Some(shard) = state.shards.iter().find(|shard| shard.id == checkpoint.split) else { continue };
            let known = match checkpoint.position.as_str() {
                "start" => true,
                "end" => shard.closed,
                sequence => sequence.parse::<u64>().unwrap() >= shard.first,
            };
            if !known {
                return Err(ConnectorError::InvalidArgument("the checkpoint is of another stream".to_owned()));
            }
        }
        let split = |shard: &Shard| {
            let mut payload = state.scans.to_le_bytes().to_vec();
            payload.push(u8::from(shard.closed));
            Split { id: shard.id.clone(), payload, after: shard.parents.clone() }
        };
        Ok(state.shards.iter().map(split).collect())
    }

    async fn scan(&self, request: &ScanRequest, split: &Split, measures: &Arc<Measures>) -> Result<BatchStream> {
        self.check()?;
        let from = request.checkpoints.iter().find(|checkpoint| checkpoint.split == split.id);
        let position = from.map_or_else(|| "start".to_owned(), |checkpoint| checkpoint.position.clone());
        let (memory, split, measures) = (Arc::clone(&self.0), split.clone(), Arc::clone(measures));
        let columns = request.columns.clone();
        let held = memory.stream.state.lock().unwrap().held.get(&part(&split).0).cloned();
        let key = (part(&split).0, split.id.clone());
        memory.stream.reached.lock().unwrap().insert(key.clone(), position.clone());
        let batches = futures::stream::try_unfold(position, move |mut position| {
            let found = memory.stream.batch(&split, &mut position);
            let next = found.map(|events| {
                memory.stream.reached.lock().unwrap().insert(key.clone(), position.clone());
                events.map(|events| {
                    measures.tell(&split.id, report(&events));
                    (rows(&events, &columns), position)
                })
            });
            let held = held.clone();
            async move {
                tokio::task::yield_now().await;
                if let Some(mut held) = held {
                    held.wait_for(|goes_on| *goes_on).await.unwrap();
                }
                next
            }
        });
        Ok(batches.boxed())
    }

    fn is_stream(&self) -> bool {
        true
    }

    async fn dropped_until(&self, _table: &str, since_us: i64) -> Result<Option<i64>> {
        let Some(retention) = self.0.stream.state.lock().unwrap().retention else { return Ok(None) };
        let kept = (SystemTime::now() - retention).duration_since(SystemTime::UNIX_EPOCH).unwrap();
        Ok(Some(kept.as_micros() as i64).filter(|until| *until > since_us))
    }

    async fn checkpoint(&self, _request: &ScanRequest, split: &Split) -> Result<Option<Checkpoint>> {
        let reached = self.0.stream.reached.lock().unwrap();
        let position = reached.get(&(part(split).0, split.id.clone())).unwrap().clone();
        Ok(Some(Checkpoint { split: split.id.clone(), position }))
    }
}
