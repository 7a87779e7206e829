//! A shard's records, page by page, from a place on: asked for again and again, or sent to a consumer's subscription.
//!
//! A source knows the place after the last record that it gave. An iterator that expired, or a subscription that ended
//! (each does after five minutes), is replaced by one from that place, so no record comes twice and none is left out.

use super::client::{self, Answer, Client, Events, PAGE_RECORDS, no_stream};
use super::shards::{Position, another};
use crate::backoff::{Again, Backoff, Failure};
use crate::connector::Measures;
use crate::error::{ConnectorError, Result};
use aws_sdk_kinesis::types::{Record, SubscribeToShardEventStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The time within which a subscription must say something; the service does every few seconds.
const SILENCE: Duration = Duration::from_secs(30);

/// Records, and what is known of those after them.
#[derive(Debug)]
pub(super) struct Page {
    /// The records, in order.
    pub(super) records: Vec<Record>,
    /// How far behind the shard's tip they are, in milliseconds. Zero: at this moment there is nothing after them.
    pub(super) behind_ms: Option<i64>,
    /// Whether the shard is closed and this is its end.
    pub(super) ended: bool,
}

/// A shard being read.
#[derive(Debug)]
pub(super) struct Source {
    client: Arc<Client>,
    stream: String,
    shard: String,
    measures: Arc<Measures>,
    /// After the last record that was given.
    position: Position,
    way: Way,
}

#[derive(Debug)]
enum Way {
    /// Pages of at most so many records, from an iterator.
    Polled { limit: usize, iterator: Option<String> },
    /// A consumer's events.
    Subscribed { consumer: String, arn: Option<String>, events: Option<Box<Events>> },
}

impl Source {
    /// A source of a shard's records from a place on; `limit` tells how many are of use at most, where that is known.
    pub(super) fn new(
        client: Arc<Client>,
        (stream, shard): (&str, &str),
        from: Position,
        consumer: Option<&str>,
        limit: Option<usize>,
        measures: Arc<Measures>,
    ) -> Self {
        let way = match consumer {
            Some(consumer) => Way::Subscribed { consumer: consumer.to_owned(), arn: None, events: None },
            None => Way::Polled { limit: limit.map_or(PAGE_RECORDS, |limit| limit.min(PAGE_RECORDS)), iterator: None },
        };
        Self { client, stream: stream.to_owned(), shard: shard.to_owned(), measures, position: from, way }
    }

    /// The next records, perhaps none.
    ///
    /// # Errors
    /// `NotFound` when the stream does not exist any more; what the service says when it goes on failing.
    pub(super) async fn page(&mut self) -> Result<Page> {
        let page = match &self.way {
            Way::Polled { .. } => self.polled().await?,
            Way::Subscribed { .. } => self.subscribed().await?,
        };
        if let Some(last) = page.records.last() {
            self.position = Position::After(last.sequence_number.clone());
        }
        Ok(page)
    }

    async fn polled(&mut self) -> Result<Page> {
        let Way::Polled { limit, iterator } = &mut self.way else { return Ok(nothing_left()) };
        let (stream, shard) = (&self.stream, &self.shard);
        let mut backoff = Backoff::default();
        loop {
            let found = match iterator.take() {
                Some(current) => Answer::Here(current),
                None => self.client.iterator(stream, shard, &self.position, &self.measures).await?,
            };
            let read = match found {
                Answer::Here(current) => self.client.records(stream, shard, &current, *limit, &self.measures).await?,
                Answer::Expired => Answer::Expired,
                Answer::Gone => Answer::Gone,
                Answer::Refused(error) => Answer::Refused(error),
            };
            match read {
                Answer::Here(read) => {
                    // Not every server tells how far behind a full page is.
                    let full = read.records.len() >= *limit;
                    let page = Page {
                        behind_ms: read.behind_ms.filter(|behind| *behind > 0 || !full),
                        ended: read.next.is_none(),
                        records: read.records,
                    };
                    *iterator = read.next;
                    return Ok(page);
                }
                Answer::Refused(error) => return Err(error),
                Answer::Gone => return gone(&self.client, stream, shard, &self.position, &self.measures).await,
                Answer::Expired if backoff.wait(Again::Transient).await => {
                    self.measures.retries.fetch_add(1, Ordering::Relaxed);
                }
                Answer::Expired => {
                    let message = format!("iterators of shard \"{shard}\" expire at once");
                    return Err(ConnectorError::Unavailable { message, source: None });
                }
            }
        }
    }

    async fn subscribed(&mut self) -> Result<Page> {
        let mut backoff = Backoff::default();
        loop {
            let failure = match self.event().await? {
                Heard::Page(page) => return Ok(page),
                Heard::Ended => continue,
                Heard::Failed(failure) => failure,
            };
            if !backoff.wait(failure.again).await {
                return Err(failure.error);
            }
            tracing::debug!(error = %failure.error, "a subscription is made again");
            self.measures.retries.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The next event of the subscription, which is made where there is none.
    async fn event(&mut self) -> Result<Heard> {
        let Way::Subscribed { consumer, arn, events } = &mut self.way else { return Ok(Heard::Ended) };
        let mut current = match events.take() {
            Some(current) => current,
            None => {
                let arn = match arn {
                    Some(arn) => arn,
                    None => arn.insert(self.client.consumer(&self.stream, consumer, &self.measures).await?),
                };
                let (stream, shard) = (&self.stream, &self.shard);
                let subscribed = self.client.subscribe(stream, arn, shard, &self.position, &self.measures).await?;
                match subscribed {
                    Answer::Here(subscribed) => Box::new(subscribed),
                    Answer::Expired => return Ok(Heard::Ended),
                    Answer::Refused(error) => return Err(error),
                    Answer::Gone => {
                        let left = gone(&self.client, stream, shard, &self.position, &self.measures).await?;
                        return Ok(Heard::Page(left));
                    }
                }
            }
        };
        let event = match tokio::time::timeout(SILENCE, current.event_stream.recv()).await {
            Ok(Ok(Some(SubscribeToShardEventStream::SubscribeToShardEvent(event)))) => event,
            Ok(Ok(Some(_))) => {
                *events = Some(current);
                return Ok(Heard::Ended);
            }
            Ok(Ok(None)) => return Ok(Heard::Ended),
            Ok(Err(error)) => return Ok(Heard::Failed(self.client.broken_off(error).await?)),
            Err(_) => {
                let message = format!("the subscription to shard \"{}\" says nothing", self.shard);
                let error = ConnectorError::Unavailable { message, source: None };
                return Ok(Heard::Failed(Failure { error, again: Again::Transient }));
            }
        };
        client::count(&event.records, &self.measures);
        // A subscription is made again after the last record; the service's own mark helps where none came.
        let mark = event.continuation_sequence_number;
        let ended = mark.is_empty() || event.child_shards.is_some_and(|children| !children.is_empty());
        if event.records.is_empty() && !mark.is_empty() && !matches!(self.position, Position::Within(..)) {
            self.position = Position::After(mark);
        }
        *events = Some(current);
        Ok(Heard::Page(Page { records: event.records, behind_ms: Some(event.millis_behind_latest), ended }))
    }
}

enum Heard {
    Page(Page),
    Ended,
    Failed(Failure),
}

fn nothing_left() -> Page {
    Page { records: vec![], behind_ms: Some(0), ended: true }
}

/// A shard that is not there: nothing remains of it after its retention. Where it is there after all, a place in it is
/// not, or the stream was deleted and made anew.
async fn gone(client: &Client, stream: &str, shard: &str, from: &Position, measures: &Measures) -> Result<Page> {
    let shards = client.shards(stream, None, measures).await?;
    if shards.iter().all(|listed| listed.id != shard) {
        return Ok(nothing_left());
    }
    Err(match from {
        Position::After(_) | Position::Within(..) => another(stream, shard, from),
        Position::Start | Position::Time(_) | Position::End => no_stream(stream),
    })
}
