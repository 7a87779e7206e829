//! Requests to the service, each repeated and counted as the connectors do, and what their answers mean.
//!
//! A failed request is sent again only when that is safe: all of them only read, and an iterator names a place, so the
//! same request gives the same records.

use super::pace::Pace;
use super::shards::{Position, Shard};
use crate::aws;
use crate::backoff::{Failure, repeated};
use crate::connector::Measures;
use crate::error::{ConnectorError, Result};
use crate::registry::Options;
use aws_sdk_kinesis as sdk;
use sdk::error::{ProvideErrorMetadata, SdkError};
use sdk::primitives::DateTime;
use sdk::types::{Record, ShardFilter, ShardFilterType, ShardIteratorType, StartingPosition, StreamDescriptionSummary};
use std::fmt;
use std::sync::atomic::Ordering;
use tokio::sync::OnceCell;

/// Records that one read gives at most.
pub(super) const PAGE_RECORDS: usize = 10_000;

/// Shards that one listing gives at most.
const PAGE_SHARDS: i32 = 1000;

/// An hour in microseconds.
pub(super) const HOUR_US: i64 = 60 * 60 * 1_000_000;

/// A time so near to now that the service's clock may call it the future.
const CLOCKS_DIFFER_MS: i64 = 10 * 60 * 1000;

/// Events of a subscription as they arrive.
pub(super) type Events = sdk::operation::subscribe_to_shard::SubscribeToShardOutput;

/// What one read of a shard gave.
#[derive(Debug)]
pub(super) struct Page {
    /// The records, in order.
    pub(super) records: Vec<Record>,
    /// How far behind the shard's tip they are, in milliseconds.
    pub(super) behind_ms: Option<i64>,
    /// Where to go on; `None` at the end of a closed shard.
    pub(super) next: Option<String>,
}

/// An answer about a shard that may not be there.
#[derive(Debug)]
pub(super) enum Answer<T> {
    /// It is.
    Here(T),
    /// The iterator was not used for too long.
    Expired,
    /// The shard does not exist.
    Gone,
    /// What was asked for is refused as making no sense.
    Refused(ConnectorError),
}

/// The service as one schema reaches it.
pub(super) struct Client {
    options: Options,
    pace: Pace,
    ready: OnceCell<Ready>,
}

struct Ready {
    sdk: sdk::Client,
    place: String,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("place", &self.ready.get().map(|ready| &ready.place)).finish_non_exhaustive()
    }
}

impl Client {
    /// A client that connects when it is first used.
    pub(super) fn new(options: Options, reads_per_second: u32) -> Self {
        Self { options, pace: Pace::new(reads_per_second), ready: OnceCell::new() }
    }

    async fn ready(&self) -> Result<&Ready> {
        let connect = async || {
            let config = aws::config(&self.options).await?;
            Ok(Ready { sdk: sdk::Client::new(&config), place: aws::place("Kinesis", &config) })
        };
        self.ready.get_or_try_init(connect).await
    }

    /// The names of all streams.
    pub(super) async fn streams(&self) -> Result<Vec<String>> {
        let ready = self.ready().await?;
        let measures = Measures::default();
        let mut names: Vec<String> = vec![];
        loop {
            let last = names.last().cloned();
            let page = repeated(&measures, async || {
                let request = ready.sdk.list_streams().set_exclusive_start_stream_name(last.clone());
                request.send().await.map_err(|error| ready.failure(error, ""))
            });
            let page = page.await?;
            let more = page.has_more_streams && !page.stream_names.is_empty();
            names.extend(page.stream_names);
            if !more {
                return Ok(names);
            }
        }
    }

    /// A stream's shards; from a time on, only those that were open then or later.
    ///
    /// # Errors
    /// `NotFound` when there is no such stream.
    pub(super) async fn shards(&self, stream: &str, from_ms: Option<i64>, measures: &Measures) -> Result<Vec<Shard>> {
        let listed = self.listed(stream, from_ms, measures).await;
        match listed {
            // The service's clock calls the time the future, or it knows no times: then all of them.
            Err(ConnectorError::InvalidArgument(_)) if from_ms.is_some() => self.listed(stream, None, measures).await,
            listed => listed,
        }
    }

    async fn listed(&self, stream: &str, from_ms: Option<i64>, measures: &Measures) -> Result<Vec<Shard>> {
        let ready = self.ready().await?;
        let filter = from_ms.map(|from_ms| {
            let filter = ShardFilter::builder().r#type(ShardFilterType::FromTimestamp);
            filter.timestamp(DateTime::from_millis(from_ms)).build().map_err(|error| ready.broken(&error))
        });
        let filter = filter.transpose()?;
        let mut shards = vec![];
        let mut token: Option<String> = None;
        loop {
            let page = repeated(measures, async || {
                let request = ready.sdk.list_shards().max_results(PAGE_SHARDS);
                // A token stands for the stream and the filter, which may not be said beside it.
                let request = match &token {
                    None => request.stream_name(stream).set_shard_filter(filter.clone()),
                    Some(token) => request.next_token(token),
                };
                request.send().await.map_err(|error| ready.failure(error, stream))
            });
            let page = page.await?;
            shards.extend(page.shards.unwrap_or_default().into_iter().map(shard));
            token = page.next_token;
            if token.is_none() {
                return Ok(shards);
            }
        }
    }

    /// An iterator that begins at a place in a shard, which is not its end.
    ///
    /// # Errors
    /// `InvalidArgument` when the place is none of this shard's.
    pub(super) async fn iterator(
        &self,
        stream: &str,
        shard: &str,
        position: &Position,
        measures: &Measures,
    ) -> Result<Answer<String>> {
        let found = self.iterator_at(stream, shard, start(position), measures).await?;
        match found {
            Answer::Refused(_) if is_about_now(position) => {
                // The service's clock is behind ours: by its word no record is so young.
                let latest = (ShardIteratorType::Latest, None, None);
                self.iterator_at(stream, shard, latest, measures).await
            }
            other => Ok(other),
        }
    }

    async fn iterator_at(
        &self,
        stream: &str,
        shard: &str,
        (kind, sequence, time): (ShardIteratorType, Option<String>, Option<DateTime>),
        measures: &Measures,
    ) -> Result<Answer<String>> {
        let ready = self.ready().await?;
        let found = repeated(measures, async || {
            let request = ready.sdk.get_shard_iterator().stream_name(stream).shard_id(shard);
            let request = request.shard_iterator_type(kind.clone()).set_timestamp(time);
            let request = request.set_starting_sequence_number(sequence.clone());
            answer(request.send().await, |error| ready.failure(error, stream))
        });
        match found.await? {
            Answer::Here(found) => {
                let missing = || ready.broken(&"an answer without an iterator");
                Ok(Answer::Here(found.shard_iterator.ok_or_else(missing)?))
            }
            Answer::Expired => Ok(Answer::Expired),
            Answer::Gone => Ok(Answer::Gone),
            Answer::Refused(error) => Ok(Answer::Refused(error)),
        }
    }

    /// The records from an iterator on, in the shard's turn.
    pub(super) async fn records(
        &self,
        stream: &str,
        shard: &str,
        iterator: &str,
        limit: usize,
        measures: &Measures,
    ) -> Result<Answer<Page>> {
        let ready = self.ready().await?;
        let read = repeated(measures, async || {
            self.pace.turn(stream, shard).await;
            let request = ready.sdk.get_records().shard_iterator(iterator);
            let request = request.limit(limit.clamp(1, PAGE_RECORDS) as i32);
            answer(request.send().await, |error| ready.failure(error, stream))
        });
        Ok(match read.await? {
            Answer::Here(read) => {
                let page = Page {
                    records: read.records,
                    behind_ms: read.millis_behind_latest,
                    next: read.next_shard_iterator.filter(|next| !next.is_empty()),
                };
                let bytes = count(&page.records, measures);
                self.pace.count(stream, shard, bytes);
                Answer::Here(page)
            }
            Answer::Expired => Answer::Expired,
            Answer::Gone => Answer::Gone,
            Answer::Refused(error) => Answer::Refused(error),
        })
    }

    async fn summary(&self, stream: &str, measures: &Measures) -> Result<StreamDescriptionSummary> {
        let ready = self.ready().await?;
        let described = repeated(measures, async || {
            let request = ready.sdk.describe_stream_summary().stream_name(stream);
            request.send().await.map_err(|error| ready.failure(error, stream))
        });
        described.await?.stream_description_summary.ok_or_else(|| no_stream(stream))
    }

    /// How long a stream keeps its records, in microseconds.
    ///
    /// # Errors
    /// `NotFound` when there is no such stream.
    pub(super) async fn retention_us(&self, stream: &str) -> Result<i64> {
        let summary = self.summary(stream, &Measures::default()).await?;
        Ok(i64::from(summary.retention_period_hours) * HOUR_US)
    }

    /// The ARN of a consumer that is registered with a stream, by its name or its ARN.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub(super) async fn consumer(&self, stream: &str, consumer: &str, measures: &Measures) -> Result<String> {
        if consumer.starts_with("arn:") {
            return Ok(consumer.to_owned());
        }
        let arn = self.summary(stream, measures).await?.stream_arn;
        let ready = self.ready().await?;
        let described = repeated(measures, async || {
            let request = ready.sdk.describe_stream_consumer().stream_arn(&arn).consumer_name(consumer);
            let failure = |error| aws::failure(error, &ready.place, "consumer", consumer);
            request.send().await.map_err(failure)
        });
        let missing = || ConnectorError::NotFound { kind: "consumer", name: consumer.to_owned() };
        Ok(described.await?.consumer_description.ok_or_else(missing)?.consumer_arn)
    }

    /// A consumer's subscription to a shard from a place on, which is not its end.
    pub(super) async fn subscribe(
        &self,
        stream: &str,
        consumer_arn: &str,
        shard: &str,
        position: &Position,
        measures: &Measures,
    ) -> Result<Answer<Events>> {
        let ready = self.ready().await?;
        let (kind, sequence, time) = start(position);
        let from = StartingPosition::builder().r#type(kind).set_sequence_number(sequence).set_timestamp(time);
        let from = from.build().map_err(|error| ready.broken(&error))?;
        let subscribed = repeated(measures, async || {
            let request = ready.sdk.subscribe_to_shard().consumer_arn(consumer_arn).shard_id(shard);
            let subscribed = request.starting_position(from.clone()).send().await;
            answer(subscribed, |error| ready.busy(error, stream))
        });
        subscribed.await
    }

    /// What a subscription that broke off means.
    pub(super) async fn broken_off<E, R>(&self, error: SdkError<E, R>) -> Result<Failure>
    where
        E: std::error::Error + Send + Sync + 'static,
        R: fmt::Debug + Send + Sync + 'static,
    {
        let message = format!("{} broke off a subscription", self.ready().await?.place);
        let error = ConnectorError::Unavailable { message, source: Some(Box::new(error)) };
        Ok(Failure { error, again: crate::backoff::Again::Transient })
    }
}

impl Ready {
    fn failure<E>(&self, error: SdkError<E>, stream: &str) -> Failure
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        aws::failure(error, &self.place, "stream", stream)
    }

    /// As [`failure`](Self::failure); another subscription to the shard ends in a while, or is replaced after one.
    fn busy<E>(&self, error: SdkError<E>, stream: &str) -> Failure
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let in_use = error.code() == Some("ResourceInUseException");
        let mut failure = self.failure(error, stream);
        if in_use {
            failure.again = crate::backoff::Again::Throttled;
        }
        failure
    }

    fn broken(&self, what: &dyn fmt::Display) -> ConnectorError {
        ConnectorError::Unavailable { message: format!("{}: {what}", self.place), source: None }
    }
}

/// Tells the answers that readers handle from failures.
fn answer<T, E>(
    sent: std::result::Result<T, SdkError<E>>,
    failure: impl FnOnce(SdkError<E>) -> Failure,
) -> std::result::Result<Answer<T>, Failure>
where
    E: ProvideErrorMetadata,
{
    let error = match sent {
        Ok(sent) => return Ok(Answer::Here(sent)),
        Err(error) => error,
    };
    match error.code() {
        Some("ExpiredIteratorException") => Ok(Answer::Expired),
        Some("ResourceNotFoundException") => Ok(Answer::Gone),
        Some("InvalidArgumentException") => Ok(Answer::Refused(failure(error).error)),
        _ => Err(failure(error)),
    }
}

/// That a stream does not exist.
pub(super) fn no_stream(stream: &str) -> ConnectorError {
    ConnectorError::NotFound { kind: "stream", name: stream.to_owned() }
}

/// Counts what came; gives its bytes.
pub(super) fn count(records: &[Record], measures: &Measures) -> usize {
    let bytes = records.iter().map(|record| record.data.as_ref().len()).sum();
    measures.rows_examined.fetch_add(records.len() as u64, Ordering::Relaxed);
    measures.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    bytes
}

fn shard(listed: sdk::types::Shard) -> Shard {
    let parents = [listed.parent_shard_id, listed.adjacent_parent_shard_id];
    let range = listed.sequence_number_range;
    Shard {
        id: listed.shard_id,
        parents: parents.into_iter().flatten().collect(),
        closed: range.as_ref().is_some_and(|range| range.ending_sequence_number.is_some()),
        first: range.map(|range| range.starting_sequence_number),
    }
}

fn is_about_now(position: &Position) -> bool {
    let now_ms = chrono::Utc::now().timestamp_millis();
    matches!(position, Position::Time(ms) if *ms > now_ms - CLOCKS_DIFFER_MS)
}

/// A place in the service's words.
fn start(position: &Position) -> (ShardIteratorType, Option<String>, Option<DateTime>) {
    match position {
        Position::Start | Position::End => (ShardIteratorType::TrimHorizon, None, None),
        Position::Time(ms) => (ShardIteratorType::AtTimestamp, None, Some(DateTime::from_millis(*ms))),
        Position::Within(sequence, _) => (ShardIteratorType::AtSequenceNumber, Some(sequence.clone()), None),
        Position::After(sequence) => (ShardIteratorType::AfterSequenceNumber, Some(sequence.clone()), None),
    }
}
