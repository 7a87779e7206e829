//! A small Kinesis in this process, for what a real one cannot be made to show: throttling, failures, iterators that
//! expire, clocks that differ. It speaks the service's JSON protocol over HTTP and keeps what it was asked.

#![allow(clippy::unwrap_used)]

use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::Bytes;
use flate2::Crc;
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// What goes wrong with a request instead of its answer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    /// An error of the service, by its name.
    Error(&'static str),
    /// A status without more.
    Status(u16),
    /// The connection is closed without an answer.
    Reset,
    /// The connection is closed in the middle of the answer.
    Cut,
}

#[derive(Debug, Clone)]
struct Stored {
    sequence: u128,
    arrival_ms: i64,
    key: String,
    data: Vec<u8>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct StubShard {
    id: String,
    parents: Vec<String>,
    records: Vec<Stored>,
    first: u128,
    closed: Option<(u128, i64)>,
}

#[derive(Debug, Clone, Default)]
struct StubStream {
    shards: Vec<StubShard>,
    made: usize,
}

/// What happens to the service meanwhile.
pub(super) type Then = fn(&mut State);

/// The service's state, and what it was asked.
#[derive(Debug)]
pub(super) struct State {
    streams: BTreeMap<String, StubStream>,
    sequence: u128,
    /// The service's clock is ahead of this machine's by so much.
    pub(super) ahead_ms: i64,
    /// Records of a page at most.
    pub(super) page: usize,
    /// Every n-th iterator that is used has expired.
    pub(super) expire_every: Option<usize>,
    used: usize,
    /// What goes wrong next, by operation.
    pub(super) faults: VecDeque<(&'static str, Fault)>,
    /// Operations and their requests.
    pub(super) asked: Vec<(String, Value)>,
    /// Done after the n-th read of records from now.
    pub(super) then: Option<(usize, Then)>,
    /// Events that a subscription sends before it ends.
    pub(super) events: usize,
}

impl State {
    pub(super) fn now_ms(&self) -> i64 {
        chrono::Utc::now().timestamp_millis() + self.ahead_ms
    }

    fn next_sequence(&mut self) -> u128 {
        self.sequence += 7;
        self.sequence
    }

    pub(super) fn create(&mut self, stream: &str, shards: usize) {
        self.streams.insert(stream.to_owned(), StubStream::default());
        (0..shards).for_each(|_| self.add_shard(stream, vec![]));
    }

    pub(super) fn delete(&mut self, stream: &str) {
        self.streams.remove(stream);
    }

    fn add_shard(&mut self, stream: &str, parents: Vec<String>) {
        let first = self.next_sequence();
        let stream = self.streams.get_mut(stream).unwrap();
        let id = format!("shardId-{:012}", stream.made);
        stream.made += 1;
        stream.shards.push(StubShard { id, parents, first, ..StubShard::default() });
    }

    /// The numbers of the open shards.
    pub(super) fn open(&self, stream: &str) -> Vec<usize> {
        let shards = self.streams[stream].shards.iter();
        let open = shards.filter(|shard| shard.closed.is_none());
        open.map(|shard| shard.id.rsplit('-').next().unwrap().parse().unwrap()).collect()
    }

    fn shard(&mut self, stream: &str, id: &str) -> Option<&mut StubShard> {
        self.streams.get_mut(stream)?.shards.iter_mut().find(|shard| shard.id == id)
    }

    fn number(&mut self, stream: &str, shard: usize) -> &mut StubShard {
        self.shard(stream, &format!("shardId-{shard:012}")).unwrap()
    }

    pub(super) fn put(&mut self, stream: &str, shard: usize, key: &str, data: &[u8]) {
        let now = self.now_ms();
        self.put_at(stream, shard, key, data, now);
    }

    pub(super) fn put_at(&mut self, stream: &str, shard: usize, key: &str, data: &[u8], arrival_ms: i64) {
        let sequence = self.next_sequence();
        let shard = self.number(stream, shard);
        assert!(shard.closed.is_none());
        shard.records.push(Stored { sequence, arrival_ms, key: key.to_owned(), data: data.to_vec() });
    }

    pub(super) fn split(&mut self, stream: &str, shard: usize) {
        self.reshard(stream, &[shard], 2);
    }

    pub(super) fn merge(&mut self, stream: &str, shard: usize, other: usize) {
        self.reshard(stream, &[shard, other], 1);
    }

    fn reshard(&mut self, stream: &str, from: &[usize], children: usize) {
        let (end, now) = (self.next_sequence(), self.now_ms());
        let mut parents = vec![];
        for number in from {
            let shard = self.number(stream, *number);
            shard.closed = Some((end, now));
            parents.push(shard.id.clone());
        }
        (0..children).for_each(|_| self.add_shard(stream, parents.clone()));
    }

    /// Lets a shard's first records go, and a closed shard with its last.
    pub(super) fn trim(&mut self, stream: &str, shard: usize, records: usize) {
        let trimmed = self.number(stream, shard);
        trimmed.records.drain(..records);
        let (id, gone) = (trimmed.id.clone(), trimmed.records.is_empty() && trimmed.closed.is_some());
        if gone {
            self.streams.get_mut(stream).unwrap().shards.retain(|shard| shard.id != id);
        }
    }

    /// The requests of an operation.
    pub(super) fn asked_for(&self, operation: &str) -> Vec<&Value> {
        self.asked.iter().filter(|(asked, _)| asked == operation).map(|(_, request)| request).collect()
    }

    fn answer(&mut self, operation: &str, request: &Value) -> std::result::Result<Value, &'static str> {
        let text = |name: &str| request[name].as_str().unwrap_or_default().to_owned();
        match operation {
            "ListStreams" => {
                let after = text("ExclusiveStartStreamName");
                let mut names: Vec<&String> = self.streams.keys().filter(|name| **name > after).collect();
                let more = names.len() > 2;
                names.truncate(2);
                Ok(json!({"StreamNames": names, "HasMoreStreams": more}))
            }
            "ListShards" => self.list_shards(request),
            "GetShardIterator" => {
                let shard = text("ShardId");
                let from = self.position(&text("StreamName"), &shard, request, &text("ShardIteratorType"))?;
                Ok(json!({"ShardIterator": format!("{}/{shard}/{from}", text("StreamName"))}))
            }
            "GetRecords" => self.get_records(&text("ShardIterator"), request["Limit"].as_u64().unwrap() as usize),
            "DescribeStreamSummary" => Ok(json!({"StreamDescriptionSummary": {
                "StreamName": text("StreamName"), "StreamARN": format!("arn:stream/{}", text("StreamName")),
                "StreamStatus": "ACTIVE", "RetentionPeriodHours": 48, "StreamCreationTimestamp": 0,
                "EnhancedMonitoring": [], "OpenShardCount": 1,
            }})),
            "DescribeStreamConsumer" if text("ConsumerName") == "reader" => Ok(json!({"ConsumerDescription": {
                "ConsumerName": "reader", "ConsumerARN": format!("{}/consumer/reader", text("StreamARN")),
                "ConsumerStatus": "ACTIVE", "ConsumerCreationTimestamp": 0, "StreamARN": text("StreamARN"),
            }})),
            _ => Err("ResourceNotFoundException"),
        }
    }

    fn list_shards(&self, request: &Value) -> std::result::Result<Value, &'static str> {
        let token = request["NextToken"].as_str().map(|token| token.split_once('/').unwrap());
        let name = token.map_or_else(|| request["StreamName"].as_str().unwrap(), |token| token.0);
        assert!(token.is_none() || request.get("StreamName").is_none(), "a token and a stream");
        let stream = self.streams.get(name).ok_or("ResourceNotFoundException")?;
        // A token carries the place and the filter on.
        let (skip, filter) = token.map_or(("0", ""), |token| token.1.split_once('/').unwrap());
        let asked = request["ShardFilter"]["Timestamp"].as_f64().map(|seconds| (seconds * 1000.0).round() as i64);
        let from = asked.or_else(|| filter.parse().ok());
        if from.is_some_and(|from| from > self.now_ms()) {
            return Err("InvalidArgumentException");
        }
        let live = |shard: &&StubShard| shard.closed.is_none_or(|(_, closed)| from.is_none_or(|from| closed >= from));
        let shards: Vec<&StubShard> = stream.shards.iter().filter(live).collect();
        let skip: usize = skip.parse().unwrap();
        let shown = shards.iter().skip(skip).take(2).map(|shard| {
            let mut range = json!({"StartingSequenceNumber": shard.first.to_string()});
            if let Some((end, _)) = shard.closed {
                range["EndingSequenceNumber"] = json!(end.to_string());
            }
            let mut shown = json!({"ShardId": shard.id, "SequenceNumberRange": range,
                "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": "1"}});
            for (name, parent) in ["ParentShardId", "AdjacentParentShardId"].into_iter().zip(&shard.parents) {
                shown[name] = json!(parent);
            }
            shown
        });
        let mut page = json!({"Shards": shown.collect::<Vec<_>>()});
        if skip + 2 < shards.len() {
            page["NextToken"] =
                json!(format!("{name}/{}/{}", skip + 2, from.map_or(String::new(), |from| from.to_string())));
        }
        Ok(page)
    }

    /// The sequence number after which to read.
    fn position(
        &mut self,
        stream: &str,
        shard: &str,
        request: &Value,
        kind: &str,
    ) -> std::result::Result<u128, &'static str> {
        let now = self.now_ms();
        let shard = self.shard(stream, shard).ok_or("ResourceNotFoundException")?;
        let number = |name: &str| request[name].as_str().unwrap().parse::<u128>().unwrap();
        let named = |name: &str| match number(name) {
            number if number < shard.first => Err("InvalidArgumentException"),
            number => Ok(number),
        };
        let sequence =
            if request.get("SequenceNumber").is_some() { "SequenceNumber" } else { "StartingSequenceNumber" };
        match kind {
            "TRIM_HORIZON" => Ok(0),
            "LATEST" => Ok(shard.records.last().map_or(0, |record| record.sequence)),
            "AT_SEQUENCE_NUMBER" => Ok(named(sequence)? - 1),
            "AFTER_SEQUENCE_NUMBER" => named(sequence),
            "AT_TIMESTAMP" => {
                let from = (request["Timestamp"].as_f64().unwrap() * 1000.0).round() as i64;
                if from > now {
                    return Err("InvalidArgumentException");
                }
                let before = shard.records.iter().take_while(|record| record.arrival_ms < from);
                Ok(before.last().map_or(0, |record| record.sequence))
            }
            _ => Err("InvalidArgumentException"),
        }
    }

    fn get_records(&mut self, iterator: &str, limit: usize) -> std::result::Result<Value, &'static str> {
        self.used += 1;
        if self.expire_every.is_some_and(|every| self.used.is_multiple_of(every)) {
            return Err("ExpiredIteratorException");
        }
        let [stream, id, after] = iterator.split('/').collect::<Vec<_>>()[..] else { panic!("{iterator}") };
        let after: u128 = after.parse().unwrap();
        let answer = self.read(stream, id, after, limit)?;
        if let Some((reads, then)) = self.then.take() {
            match reads {
                1 => then(self),
                _ => self.then = Some((reads - 1, then)),
            }
        }
        Ok(answer)
    }

    fn read(&mut self, stream: &str, id: &str, after: u128, limit: usize) -> std::result::Result<Value, &'static str> {
        let (now, page) = (self.now_ms(), self.page.min(limit));
        let children = self.streams.get(stream).ok_or("ResourceNotFoundException")?.shards.clone();
        let shard = self.shard(stream, id).ok_or("ResourceNotFoundException")?;
        let mut rest = shard.records.iter().filter(|record| record.sequence > after).peekable();
        let records: Vec<&Stored> = rest.by_ref().take(page).collect();
        let more = rest.peek().is_some();
        let last = records.last();
        let behind = if more { last.map_or(1, |last| (now - last.arrival_ms).max(1)) } else { 0 };
        let next = last.map_or(after, |last| last.sequence);
        let shown = records.iter().map(|record| {
            json!({"SequenceNumber": record.sequence.to_string(), "PartitionKey": record.key,
                "ApproximateArrivalTimestamp": record.arrival_ms as f64 / 1000.0,
                "Data": BASE64_STANDARD.encode(&record.data)})
        });
        let shown: Vec<Value> = shown.collect();
        let mut answer = json!({"Records": shown, "MillisBehindLatest": behind});
        if shard.closed.is_none() || more {
            answer["NextShardIterator"] = json!(format!("{stream}/{id}/{next}"));
            answer["ContinuationSequenceNumber"] = json!(next.max(shard.first).to_string());
        } else {
            let children = children.iter().filter(|child| child.parents.iter().any(|parent| parent == id));
            let children = children.map(|child| {
                json!({"ShardId": child.id, "ParentShards": child.parents,
                    "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": "1"}})
            });
            answer["ChildShards"] = children.collect();
        }
        Ok(answer)
    }

    /// The events of a subscription, as they go over the wire.
    fn subscribe(&mut self, request: &Value) -> std::result::Result<Bytes, &'static str> {
        let arn = request["ConsumerARN"].as_str().unwrap();
        let stream = arn.strip_prefix("arn:stream/").unwrap().split('/').next().unwrap().to_owned();
        let shard = request["ShardId"].as_str().unwrap().to_owned();
        let from = &request["StartingPosition"];
        let mut after = self.position(&stream, &shard, from, from["Type"].as_str().unwrap())?;
        let mut wire = frame("initial-response", b"{}");
        for _ in 0..self.events {
            let event = self.read(&stream, &shard, after, usize::MAX)?;
            wire.extend(frame("SubscribeToShardEvent", event.to_string().as_bytes()));
            match event["ContinuationSequenceNumber"].as_str() {
                Some(mark) => after = after.max(mark.parse().unwrap()),
                None => break,
            }
        }
        Ok(wire.into())
    }
}

/// A message of AWS's event streams.
fn frame(event: &str, payload: &[u8]) -> Vec<u8> {
    let mut headers = vec![];
    for (name, value) in
        [(":message-type", "event"), (":event-type", event), (":content-type", "application/x-amz-json-1.1")]
    {
        headers.push(name.len() as u8);
        headers.extend(name.as_bytes());
        headers.push(7);
        headers.extend((value.len() as u16).to_be_bytes());
        headers.extend(value.as_bytes());
    }
    let sum = |bytes: &[u8]| {
        let mut crc = Crc::new();
        crc.update(bytes);
        crc.sum().to_be_bytes()
    };
    let mut wire = ((16 + headers.len() + payload.len()) as u32).to_be_bytes().to_vec();
    wire.extend((headers.len() as u32).to_be_bytes());
    wire.extend(sum(&wire));
    wire.extend(headers);
    wire.extend(payload);
    wire.extend(sum(&wire));
    wire
}

/// A body, or the beginning of one.
struct Sent {
    bytes: Option<Bytes>,
    /// How often more is asked for before the connection breaks; `None` where the body ends as it should.
    breaks_after: Option<u8>,
}

impl Body for Sent {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, Self::Error>>> {
        match (self.bytes.take(), self.breaks_after) {
            (Some(bytes), _) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            (None, None) => Poll::Ready(None),
            (None, Some(0)) => Poll::Ready(Some(Err(std::io::Error::other("cut")))),
            (None, Some(left)) => {
                // What was sent goes out meanwhile.
                self.breaks_after = Some(left - 1);
                context.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}

/// The running service; dropping it ends it.
pub(super) struct Stub {
    pub(super) endpoint: String,
    state: Arc<Mutex<State>>,
    _tasks: JoinSet<()>,
}

impl Stub {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State {
            streams: BTreeMap::new(),
            sequence: 49_590_338_271_490_256_608_559_692_538_361_571,
            ahead_ms: 0,
            page: 1000,
            expire_every: None,
            used: 0,
            faults: VecDeque::new(),
            asked: vec![],
            then: None,
            events: 3,
        }));
        let mut tasks = JoinSet::new();
        let served = Arc::clone(&state);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let state = Arc::clone(&served);
                connections.spawn(async move {
                    let service = service_fn(move |request| serve(request, Arc::clone(&state)));
                    let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
                });
            }
        });
        Self { endpoint, state, _tasks: tasks }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

async fn serve(
    request: Request<Incoming>,
    state: Arc<Mutex<State>>,
) -> std::result::Result<Response<Sent>, std::io::Error> {
    let target = request.headers()["x-amz-target"].to_str().unwrap().to_owned();
    let operation = target.strip_prefix("Kinesis_20131202.").unwrap().to_owned();
    let mut body = request.into_body();
    let mut bytes = vec![];
    while let Some(frame) = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        if let Ok(data) = frame.map_err(std::io::Error::other)?.into_data() {
            bytes.extend(data);
        }
    }
    let request: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let mut state = state.lock().unwrap();
    state.asked.push((operation.clone(), request.clone()));
    let fault = state.faults.iter().position(|(of, _)| *of == operation);
    let fault = fault.and_then(|at| state.faults.remove(at)).map(|(_, fault)| fault);
    // A refusal is told whole.
    let cuts = matches!(fault, Some(Fault::Cut));
    let refused = |error: &str| (400, Bytes::from(json!({"__type": error, "message": "so it is"}).to_string()));
    let (status, body) = match fault {
        Some(Fault::Reset) => return Err(std::io::Error::other("reset")),
        Some(Fault::Status(status)) => (status, Bytes::from_static(b"{}")),
        Some(Fault::Error(error)) => refused(error),
        Some(Fault::Cut) | None => {
            let answer = match operation.as_str() {
                "SubscribeToShard" => state.subscribe(&request),
                _ => state.answer(&operation, &request).map(|answer| Bytes::from(answer.to_string())),
            };
            answer.map_or_else(refused, |answer| (200, answer))
        }
    };
    let kind = match operation.as_str() {
        "SubscribeToShard" if status == 200 => "application/vnd.amazon.eventstream",
        _ => "application/x-amz-json-1.1",
    };
    let is_cut = cuts && status == 200;
    let body = if is_cut { body.slice(..body.len() / 2) } else { body };
    let sent = Sent { bytes: Some(body), breaks_after: is_cut.then_some(1) };
    Ok(Response::builder().status(status).header("content-type", kind).body(sent).unwrap())
}
