//! The reading of one part of a table, page by page.
//!
//! Pages go on after the sort values of the last document (`search_after`) in a point in time, so a page may be asked
//! for again and no row is lost or doubled. Elasticsearch numbers the documents of a point in time (`_shard_doc`).
//! OpenSearch numbers those of a shard only (`_doc`), so documents of different shards share a number: the next page
//! begins at the last number again, and documents that came already are passed over.
//!
//! A scroll, where there are no points in time, cannot be asked twice for a page: a failure ends it.
//!
//! A request that is likely to find few documents tries one page without any of that. Where that page is full after all,
//! the parts of the table are read at the same time.
//!
//! While a page becomes a batch the next one is on its way; no more than these two are held of a part. Whether documents come
//! whole is decided while they come ([`super::sources`]).
//!
//! Answers in which a shard failed or that ran out of time are errors.

use super::client::{Client, Failure, Request, is_missing, missing, unavailable};
use super::convert::{Converter, in_source};
use super::cursor::{Cursor, Flavour, KEEP_ALIVE};
use super::json::Json;
use super::mapping::Read;
use super::page::{Hit, Page};
use super::sources::Sources;
use super::split::{Part, Wanted, changed};
use crate::connector::{BatchStream, Measures};
use crate::error::{ConnectorError, Result};
use arrow::record_batch::RecordBatch;
use futures::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// A page that is larger than this is asked for again with fewer documents, down to one.
const PAGE_BYTES_MAX: usize = 64 << 20;
/// Pages are made as large as this, when documents are long.
const PAGE_BYTES: usize = 16 << 20;
/// The largest page that cannot be made smaller.
const DOCUMENT_BYTES_MAX: usize = 1 << 30;
/// More names of fields than this are not sent: the whole document comes.
const INCLUDES_MAX: usize = 200;

/// A page, or why there is none.
type Answer = std::result::Result<Vec<u8>, Failure>;

/// What is read, and how.
#[derive(Clone)]
pub(super) struct Plan {
    pub(super) table: String,
    pub(super) query: Value,
    /// Whether the query gives documents a score.
    pub(super) is_scored: bool,
    /// Keys that documents are sorted by; empty for any order.
    pub(super) sort: Vec<Value>,
    pub(super) limit: Option<usize>,
    pub(super) page_size: usize,
    pub(super) part: Part,
    /// Whether one page is likely all: then it is tried without opening anything.
    pub(super) is_small: bool,
    /// The parts to read at the same time when that page is not all.
    pub(super) parts: usize,
    /// Whether the user says how many.
    pub(super) is_asked_for: bool,
    pub(super) converter: Arc<Converter>,
}

impl Plan {
    /// The same of a part.
    fn of_part(&self, part: Part) -> Plan {
        let query = match &part {
            Part::Indices { names, .. } => {
                let indices = json!({"terms": {"_index": names}});
                if self.is_scored {
                    json!({"bool": {"must": [self.query], "filter": [indices]}})
                } else {
                    json!({"bool": {"filter": [self.query, indices]}})
                }
            }
            Part::All | Part::Shards { .. } | Part::Slice { .. } => self.query.clone(),
        };
        Plan { query, part, is_small: false, ..self.clone() }
    }

    /// What does not change from page to page.
    fn body(&self) -> Value {
        let columns = self.converter.columns();
        let whole = columns.iter().any(|column| column.read == Read::Source);
        let paths: Vec<&str> =
            columns.iter().filter(|column| in_source(&column.read)).map(|column| column.path.as_str()).collect();
        let source = match paths.len() {
            _ if whole => json!(true),
            0 => json!(false),
            1..=INCLUDES_MAX => json!({"includes": paths}),
            _ => json!(true),
        };
        let mut body = json!({"query": self.query, "_source": source});
        let times: Vec<Value> = columns
            .iter()
            .filter_map(|column| match column.read {
                Read::ServerTime(format) => Some(json!({"field": column.path, "format": format})),
                _ => None,
            })
            .collect();
        if !times.is_empty() {
            body["docvalue_fields"] = Value::from(times);
        }
        if self.is_scored && columns.iter().any(|column| column.read == Read::Score) {
            body["track_scores"] = json!(true);
        }
        if let Part::Slice { id, max, .. } = &self.part {
            body["slice"] = json!({"field": "_id", "id": id, "max": max});
        }
        body
    }
}

/// How far the reading has come.
enum State {
    /// Nothing was asked yet.
    Begin,
    /// A point in time is open.
    Point(Cursor),
    /// A scroll is open, or is to be.
    Scroll(Option<Cursor>),
    /// Parts are read, each by a task that gives its rows here.
    Parts(mpsc::Receiver<Result<RecordBatch>>, JoinSet<()>),
    End,
}

/// Reads one part.
struct Reader {
    client: Arc<Client>,
    measures: Arc<Measures>,
    flavour: Flavour,
    plan: Plan,
    body: Value,
    state: State,
    /// Whether documents come whole.
    sources: Sources,
    /// The next page, when it was asked for already.
    ahead: Option<JoinSet<Answer>>,
    /// Documents to ask for.
    size: usize,
    /// Rows that are still wanted.
    left: usize,
    /// The sort values to go on after, in JSON.
    after: Option<String>,
    /// The sort values of the last document, as they came.
    boundary: String,
    /// Documents with these sort values, which the next page repeats.
    repeated: HashSet<String>,
    /// Whether the number of shards was compared with the split's.
    is_checked: bool,
}

/// Reads one part of a table as a stream.
pub(super) fn read(client: Arc<Client>, flavour: Flavour, plan: Plan, measures: Arc<Measures>) -> BatchStream {
    let left = plan.limit.unwrap_or(usize::MAX);
    let body = plan.body();
    let reader = Reader {
        client,
        measures,
        flavour,
        sources: Sources::new(body["_source"].is_object()),
        body,
        state: State::Begin,
        ahead: None,
        size: plan.page_size,
        left,
        after: None,
        boundary: String::new(),
        repeated: HashSet::new(),
        is_checked: false,
        plan,
    };
    futures::stream::try_unfold(reader, |mut reader| async move {
        let batch = reader.next().await?;
        Ok(batch.map(|batch| (batch, reader)))
    })
    .boxed()
}

impl Reader {
    /// The next rows; `None` at the end, when nothing is open any more.
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if self.left == 0 {
                self.finish().await;
            }
            let batch = match &self.state {
                State::End => return Ok(None),
                State::Begin => self.begin().await?,
                State::Point(_) => self.page().await?,
                State::Scroll(_) => self.scroll().await?,
                State::Parts(..) => self.part().await?,
            };
            if let Some(batch) = batch.filter(|batch| batch.num_rows() > 0) {
                self.left -= batch.num_rows();
                return Ok(Some(batch));
            }
        }
    }

    async fn finish(&mut self) {
        if let State::Point(cursor) | State::Scroll(Some(cursor)) = std::mem::replace(&mut self.state, State::End) {
            cursor.close(&self.measures).await;
        }
    }

    /// Takes all in one page where that may do; otherwise opens what the pages are read in.
    async fn begin(&mut self) -> Result<Option<RecordBatch>> {
        if std::mem::take(&mut self.plan.is_small) {
            let size = self.plan.page_size.min(self.left);
            let mut body = self.body.clone();
            body["size"] = json!(size);
            body["sort"] = self.sort("_doc");
            body["track_total_hits"] = json!(false);
            let path = [self.plan.table.as_str(), "_search"];
            let request = Request { bytes_max: PAGE_BYTES_MAX, ..Request::new(Method::POST, &path, &[]).json(&body) };
            match self.client.send(&request, &self.measures).await {
                Ok(bytes) => {
                    let page = Page::parse(&bytes, self.plan.converter.tree())?;
                    let hits = self.hits(&page)?;
                    if hits.len() < size || size == self.left {
                        self.state = State::End;
                        return Ok(Some(self.plan.converter.batch(&hits.iter().collect::<Vec<_>>())?));
                    }
                }
                Err(Failure::TooLarge) => {}
                Err(failure) => return Err(failure.on(&self.plan.table)),
            }
            if let Some(parts) = self.divide().await? {
                self.state = self.begin_parts(parts);
                return Ok(None);
            }
        }
        let point = if self.flavour.has_points_in_time() {
            let preference = self.plan.part.preference();
            Cursor::open(&self.client, self.flavour, (&self.plan.table, preference.as_deref()), &self.measures).await?
        } else {
            None
        };
        self.state = point.map_or(State::Scroll(None), State::Point);
        Ok(None)
    }

    /// The parts in which what is not small is read, when there are several and their rows may come in any order.
    async fn divide(&self) -> Result<Option<Vec<Part>>> {
        let Plan { table, parts, .. } = &self.plan;
        if *parts <= 1 || self.plan.limit.is_some() || !self.plan.sort.is_empty() {
            return Ok(None);
        }
        let path = [table.as_str(), "_search_shards"];
        let answer = self.client.ask(&Request::new(Method::GET, &path, &[]), &self.measures, table).await?;
        let wanted = Wanted { at_once: *parts, may_wait: false, is_asked_for: self.plan.is_asked_for };
        let parts = Part::divide((&answer, table), wanted, self.flavour)?;
        Ok(Some(parts).filter(|parts| parts.len() > 1))
    }

    /// Begins to read parts; each waits until its last batch was taken.
    fn begin_parts(&self, parts: Vec<Part>) -> State {
        let (sender, receiver) = mpsc::channel(1);
        let mut tasks = JoinSet::new();
        for part in parts {
            let (client, measures) = (self.client.clone(), self.measures.clone());
            let mut rows = read(client, self.flavour, self.plan.of_part(part), measures);
            let sender = sender.clone();
            tasks.spawn(async move {
                while let Some(batch) = rows.next().await {
                    let is_last = batch.is_err();
                    if sender.send(batch).await.is_err() || is_last {
                        break;
                    }
                }
            });
        }
        State::Parts(receiver, tasks)
    }

    /// The next rows of any part.
    async fn part(&mut self) -> Result<Option<RecordBatch>> {
        let State::Parts(rows, tasks) = &mut self.state else { return Ok(None) };
        if let Some(batch) = rows.recv().await {
            return batch.map(Some);
        }
        while let Some(ended) = tasks.join_next().await {
            ended.map_err(|error| given_up(&error))?;
        }
        self.state = State::End;
        Ok(None)
    }

    /// A page of a point in time. The next one is asked for before this one becomes a batch, so that it comes
    /// meanwhile.
    async fn page(&mut self) -> Result<Option<RecordBatch>> {
        let asked = match self.ahead.take() {
            Some(mut asked) => match asked.join_next().await {
                Some(answer) => answer.map_err(|error| given_up(&error))?,
                None => self.ask(self.left).await,
            },
            None => self.ask(self.left).await,
        };
        let bytes = match asked {
            Ok(bytes) => bytes,
            Err(failure) if self.sources.are_whole() && is_too_much(&failure) => {
                // What was tried must not fail.
                (self.sources, self.size) = (Sources::Settled, self.plan.page_size);
                return Ok(None);
            }
            Err(failure) if self.size > self.least() && is_too_much(&failure) => {
                self.size = (self.size / 8).max(self.least());
                return Ok(None);
            }
            Err(failure) => return Err(failure.on(&self.plan.table)),
        };
        let page = Page::parse(&bytes, self.plan.converter.tree())?;
        let hits = self.hits(&page)?;
        self.check_shards(&page.rest).await?;
        if let (Some(name), State::Point(cursor)) = (page.rest.get("pit_id").and_then(Json::as_str), &mut self.state) {
            cursor.renamed(name);
        }
        let fresh: Vec<&Hit<'_>> = hits.iter().filter(|hit| !self.is_repeated(hit)).take(self.left).collect();
        let last = hits.last().filter(|_| hits.len() >= self.size);
        if let Some(last) = last {
            self.go_on(hits, last)?;
            let average = bytes.len() / hits.len();
            self.size = (PAGE_BYTES / average.max(1)).clamp(1, self.plan.page_size);
            self.sources = self.sources.after(&page, average);
            if fresh.is_empty() {
                // Nothing but documents with one number: more of them must come at once.
                self.size = self.size.max(hits.len().saturating_mul(2));
            }
            let left = self.left - fresh.len();
            if left > 0 {
                let mut ahead = JoinSet::new();
                ahead.spawn(self.ask(left));
                self.ahead = Some(ahead);
            }
        }
        let batch = self.plan.converter.batch(&fresh)?;
        if last.is_none() {
            self.finish().await;
        }
        Ok(Some(batch))
    }

    /// Whether a document came in the page before.
    fn is_repeated(&self, hit: &Hit<'_>) -> bool {
        let shares_number = || hit.sort == Some(self.boundary.as_str());
        !self.repeated.is_empty() && shares_number() && self.repeated.contains(&key(hit))
    }

    /// The fewest documents with which a page goes on.
    fn least(&self) -> usize {
        self.repeated.len() + 1
    }

    /// The order in which the server numbers documents.
    fn tie(&self) -> &'static str {
        if self.flavour.is_opensearch { "_doc" } else { "_shard_doc" }
    }

    /// Asks for the next page, of which so many rows are wanted.
    fn ask(&mut self, left: usize) -> impl Future<Output = Answer> + Send + use<> {
        let wanted = left.saturating_add(self.repeated.len());
        self.size = self.size.min(wanted).min(self.sources.most()).max(self.least());
        let mut body = self.body.clone();
        if self.sources.are_whole() {
            body["_source"] = json!(true);
        }
        body["size"] = json!(self.size);
        body["sort"] = self.sort(self.tie());
        body["track_total_hits"] = json!(false);
        if let State::Point(cursor) = &self.state {
            body["pit"] = cursor.point().unwrap_or_default();
        }
        let mut text = body.to_string();
        if let Some(after) = &self.after {
            text.truncate(text.len() - 1);
            text.extend([",\"search_after\":", after, "}"]);
        }
        let bytes_max = if self.size > self.least() { PAGE_BYTES_MAX } else { DOCUMENT_BYTES_MAX };
        let (client, measures) = (self.client.clone(), self.measures.clone());
        async move {
            let request = Request { body: Some(text), bytes_max, ..Request::new(Method::POST, &["_search"], &[]) };
            client.send(&request, &measures).await
        }
    }

    /// Notes where the next page begins.
    fn go_on(&mut self, hits: &[Hit<'_>], last: &Hit<'_>) -> Result<()> {
        let bad = || ConnectorError::BadData("the server gives documents without sort values".to_owned());
        let text = last.sort.ok_or_else(bad)?;
        let sort = Json::parse(text.as_bytes())?;
        if sort.elements().is_empty() {
            return Err(bad());
        }
        let mut after = String::new();
        sort.write(&mut after);
        if self.flavour.is_opensearch {
            let same = hits.iter().rev().take_while(|hit| hit.sort == Some(text));
            self.repeated = same.map(key).collect();
            text.clone_into(&mut self.boundary);
            let number = sort.elements().last().and_then(Json::as_u64).ok_or_else(bad)?;
            let before = after.rfind(['[', ',']).ok_or_else(bad)?;
            after.truncate(before + 1);
            after.push_str(&(i128::from(number) - 1).to_string());
            after.push(']');
        }
        self.after = Some(after);
        Ok(())
    }

    /// A page of a scroll.
    async fn scroll(&mut self) -> Result<Option<RecordBatch>> {
        let State::Scroll(cursor) = &self.state else { return Ok(None) };
        let first = [self.plan.table.as_str(), "_search"];
        let preference = self.plan.part.preference();
        let keep_alive: Vec<(&str, &str)> = [("scroll", KEEP_ALIVE)]
            .into_iter()
            .chain(preference.as_deref().map(|shards| ("preference", shards)))
            .collect();
        let request = if let Some(body) = cursor.as_ref().and_then(Cursor::next_page) {
            Request { repeatable: false, ..Request::new(Method::POST, &["_search", "scroll"], &[]).json(&body) }
        } else {
            let mut body = self.body.clone();
            body["size"] = json!(self.plan.page_size);
            body["sort"] = self.sort("_doc");
            Request::new(Method::POST, &first, &keep_alive).json(&body)
        };
        let request = Request { bytes_max: DOCUMENT_BYTES_MAX, ..request };
        let bytes = self.client.send(&request, &self.measures).await.map_err(|failure| failure.on(&self.plan.table))?;
        let page = Page::parse(&bytes, self.plan.converter.tree())?;
        if let (Some(name), State::Scroll(cursor)) =
            (page.rest.get("_scroll_id").and_then(Json::as_str), &mut self.state)
        {
            cursor.get_or_insert_with(|| Cursor::scroll(&self.client, name)).renamed(name);
        }
        let hits = self.hits(&page)?;
        self.check_shards(&page.rest).await?;
        let fresh: Vec<&Hit<'_>> = hits.iter().take(self.left).collect();
        let batch = self.plan.converter.batch(&fresh)?;
        if hits.is_empty() {
            self.finish().await;
        }
        Ok(Some(batch))
    }

    /// The documents of an answer that is whole.
    fn hits<'p, 'j>(&self, page: &'p Page<'j>) -> Result<&'p [Hit<'j>]> {
        check(&page.rest, &self.plan.table)?;
        page.hits.as_deref().ok_or_else(|| ConnectorError::BadData("the server's answer has no hits".to_owned()))
    }

    /// Parts are numbered over the shards that there were; others mean other parts. A part that sees its own shards only
    /// asks for the others when what it reads in is open: an index that has other shards then may have had them before.
    async fn check_shards(&mut self, page: &Json<'_>) -> Result<()> {
        if std::mem::replace(&mut self.is_checked, true) {
            return Ok(());
        }
        let Plan { table, part, .. } = &self.plan;
        let total = page.get("_shards").and_then(|shards| shards.get("total")).and_then(Json::as_u64);
        if let (Some(expected), Some(total)) = (part.searched(), total)
            && expected != total
        {
            return Err(changed(table, expected, total));
        }
        if matches!(part, Part::Shards { .. }) {
            let path = [table.as_str(), "_search_shards"];
            let answer = self.client.ask(&Request::new(Method::GET, &path, &[]), &self.measures, table).await?;
            part.check(&answer, table)?;
        }
        Ok(())
    }

    /// The sort keys with what tells documents with the same keys apart.
    fn sort(&self, tie: &str) -> Value {
        let mut sort = self.plan.sort.clone();
        sort.push(json!({tie: "asc"}));
        Value::from(sort)
    }
}

fn given_up(error: &tokio::task::JoinError) -> ConnectorError {
    unavailable(format!("a page of the search server was given up: {error}"))
}

/// What identifies a document; documents with a routing of their own may share an identifier.
fn key(hit: &Hit<'_>) -> String {
    format!("{}\0{}\0{}", hit.index, hit.id, hit.routing)
}

/// Whether fewer documents at once may do.
fn is_too_much(failure: &Failure) -> bool {
    match failure {
        Failure::TooLarge => true,
        Failure::Refused { kind, .. } => kind == "circuit_breaking_exception",
        Failure::Transport { .. } => false,
    }
}

/// Refuses an answer in which something is missing.
///
/// # Errors
/// `NotFound` when an index went away, `Unavailable` when a shard failed or time ran out.
pub(super) fn check(answer: &Json<'_>, table: &str) -> Result<()> {
    if answer.get("timed_out") == Some(&Json::Bool(true)) {
        return Err(unavailable(format!("the search on \"{table}\" ran out of time at the server")));
    }
    let shards = answer.get("_shards");
    let number = |name: &str| shards.and_then(|shards| shards.get(name)).and_then(Json::as_u64);
    let Some(failed @ 1..) = number("failed") else {
        // A shard of which no copy is there has not failed: it is only not among those that answered.
        return match number("total").zip(number("successful")) {
            Some((total, successful)) if successful < total => {
                let missing = total - successful;
                Err(unavailable(format!("{missing} of {total} shards of \"{table}\" are not available")))
            }
            _ => Ok(()),
        };
    };
    let reason = shards.and_then(|shards| shards.get("failures")?.elements().first()?.get("reason"));
    let text = |name: &str| reason.and_then(|reason| reason.get(name)).and_then(Json::as_str).unwrap_or("no reason");
    if is_missing(text("type")) {
        return Err(missing(table));
    }
    let total = number("total").unwrap_or(failed);
    Err(unavailable(format!("{failed} of {total} shards of \"{table}\" failed: {}: {}", text("type"), text("reason"))))
}
