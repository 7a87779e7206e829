//! Kinesis data streams as tables: a row a record, read from where it is asked for to the tip.
//!
//! 1. [`config`] takes the schema's options; [`payload`] and [`columns`] those that say what records carry.
//! 2. [`shards`] makes splits of the stream's shards, from the conditions ([`conditions`]) and checkpoints of a request.
//! 3. [`scan`] reads a shard's pages ([`source`]) through the service's requests ([`client`]), no faster than the service
//!    allows ([`pace`]), and makes batches of their [`records`], each of which may hold many ([`aggregated`]).
//! 4. [`progress`] knows the place after the rows that were given out: the split's checkpoint.
//!
//! Invariant: from checkpoint to checkpoint each record of a shard is given once, over expired iterators, failures,
//! splits and merges. A scan holds two pages (of 10 MB at most) a split.

mod aggregated;
mod client;
mod columns;
mod conditions;
mod config;
mod pace;
mod payload;
mod progress;
mod records;
mod scan;
mod shards;
mod source;
#[cfg(test)]
mod stub;
#[cfg(test)]
mod tests;

use crate::connector::{BatchStream, Checkpoint, Connector, Measures, Pushdown, ScanRequest, Split};
use crate::declared::{Declaration, is_super};
use crate::error::{ConnectorError, Result};
use crate::predicate::Predicate;
use crate::registry::{Factory, OptionSpec, Options};
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use client::{Client, HOUR_US, no_stream};
use config::Config;
use payload::Payload;
use progress::Progress;
use records::Batches;
use scan::Scan;
use shards::{Part, Shard};
use source::Source;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Streams whose shards are remembered for [`Connector::describe`].
const REMEMBERED: usize = 1000;

/// No stream keeps records for a shorter time: a day, in microseconds.
const LEAST_RETENTION_US: i64 = 24 * HOUR_US;

/// Makes connectors to Kinesis.
#[derive(Debug)]
pub struct KinesisFactory;

impl Factory for KinesisFactory {
    fn kind(&self) -> &'static str {
        "kinesis"
    }

    fn options(&self) -> &'static [OptionSpec] {
        &config::OPTIONS
    }

    fn connect(&self, options: &Options) -> Result<Arc<dyn Connector>> {
        Ok(Arc::new(Kinesis::new(options)?))
    }

    fn declare(&self, options: &Options, declared: &Declaration) -> Result<Arc<dyn Connector>> {
        Ok(Arc::new(Kinesis::declared(options, declared)?))
    }
}

/// The streams of one account and region.
#[derive(Debug)]
struct Kinesis {
    client: Arc<Client>,
    config: Config,
    payload: Option<Arc<Payload>>,
    schema: SchemaRef,
    /// The columns that are shown, where not all are.
    shown: Option<SchemaRef>,
    progress: Arc<Progress>,
    /// The shards of streams as they were when last looked at.
    shards: Mutex<HashMap<String, Vec<Shard>>>,
}

impl Kinesis {
    fn new(options: &Options) -> Result<Self> {
        Self::with_payload(options, Config::parse(options)?)
    }

    /// The same with declared columns: those of the stream's own names are the stream's, the others the payload's.
    fn declared(options: &Options, declared: &Declaration) -> Result<Self> {
        let payload = declared.columns.iter().filter(|field| !records::is_own(field.name())).cloned().collect();
        let config = Config::declared(options, &payload, declared.invalid)?;
        let mut kinesis = Self::with_payload(options, config)?;
        let of_stream = |field: &FieldRef| {
            let own = kinesis.schema.field_with_name(field.name()).ok();
            let own = own.filter(|own| own.data_type() == field.data_type() && is_super(own) == is_super(field));
            own.cloned().ok_or_else(|| {
                let message = format!("\"{}\" is not what the stream or its payload has", field.name());
                ConnectorError::InvalidArgument(message)
            })
        };
        let shown = declared.columns.iter().map(of_stream).collect::<Result<Vec<_>>>()?;
        kinesis.shown = Some(Arc::new(Schema::new(shown)));
        Ok(kinesis)
    }

    fn with_payload(options: &Options, config: Config) -> Result<Self> {
        let payload = config.payload.clone().map(Arc::new);
        Ok(Self {
            client: Arc::new(Client::new(options.clone(), config.reads_per_second)),
            schema: records::schema(payload.as_deref())?,
            shown: None,
            payload,
            config,
            progress: Arc::default(),
            shards: Mutex::default(),
        })
    }

    /// Whether the schema shows a stream of this name.
    fn shows(&self, stream: &str) -> bool {
        self.config.streams.as_ref().is_none_or(|streams| streams.contains(stream))
    }

    /// A stream's shards; those that were closed before a time may be left out.
    async fn shards(&self, stream: &str, from_ms: Option<i64>) -> Result<Vec<Shard>> {
        if !self.shows(stream) {
            return Err(no_stream(stream));
        }
        let shards = self.client.shards(stream, from_ms, &Measures::default()).await?;
        let mut known = self.shards.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(stream.to_owned(), shards.clone());
        Ok(shards)
    }
}

#[async_trait]
impl Connector for Kinesis {
    async fn tables(&self) -> Result<Vec<String>> {
        let streams = self.client.streams().await?;
        Ok(streams.into_iter().filter(|stream| self.shows(stream)).collect())
    }

    async fn schema(&self, table: &str) -> Result<SchemaRef> {
        self.shards(table, None).await?;
        Ok(Arc::clone(self.shown.as_ref().unwrap_or(&self.schema)))
    }

    fn pushdown(&self, _table: &str, predicates: &[Predicate]) -> Vec<Pushdown> {
        let decided = |predicate| {
            if conditions::decidable(predicate) { Pushdown::Exact } else { Pushdown::Unsupported }
        };
        predicates.iter().map(decided).collect()
    }

    fn describe(&self, request: &ScanRequest) -> String {
        let known = self.shards.lock().unwrap_or_else(PoisonError::into_inner);
        let chosen = known
            .get(&request.table)
            .map(|shards| shards.iter().filter(|shard| shards::chosen(request, &shard.id)).count());
        let shards = match chosen {
            Some(1) => "1 shard".to_owned(),
            Some(count) => format!("{count} shards"),
            None => "shards".to_owned(),
        };
        let bounds = conditions::bounds(&request.predicates);
        let from = match (request.checkpoints.len(), bounds.lower) {
            (0, Some(lower)) => format!("AT_TIMESTAMP {}", time(lower)),
            (0, None) => "TRIM_HORIZON".to_owned(),
            (count, _) => format!("{count} checkpoints"),
        };
        let until = bounds.upper.map(|upper| format!(" until {}", time(upper))).unwrap_or_default();
        let consumer = self.config.fan_out.as_ref().map(|consumer| format!(" by consumer \"{consumer}\""));
        format!("Kinesis {}: {shards} from {from}{until}{}", request.table, consumer.unwrap_or_default())
    }

    async fn splits(&self, request: &ScanRequest, _parallelism: usize) -> Result<Vec<Split>> {
        if let Some(other) = request.predicates.iter().find(|predicate| !conditions::decidable(predicate)) {
            return Err(ConnectorError::InvalidArgument(format!("Kinesis does not decide {other:?}")));
        }
        let now_ms = Utc::now().timestamp_millis();
        // A checkpoint may be of a shard that the time would leave out, so then all are listed.
        let bounds = conditions::bounds(&request.predicates);
        let from_ms = shards::from_ms(bounds, now_ms).filter(|_| request.checkpoints.is_empty());
        let shards = self.shards(&request.table, from_ms).await?;
        shards::splits(request, &shards, rand::random(), now_ms)
    }

    async fn scan(&self, request: &ScanRequest, split: &Split, measures: &Arc<Measures>) -> Result<BatchStream> {
        let part = Part::of(split)?;
        let place = (request.table.as_str(), split.id.as_str());
        // Where rows are filtered here, the number of records to read is not known.
        let limit = request.limit.filter(|_| request.predicates.is_empty());
        let consumer = self.config.fan_out.as_deref();
        let (client, from) = (Arc::clone(&self.client), part.from.clone());
        let source = Source::new(client, place, from, consumer, limit, Arc::clone(measures));
        let payload = self.payload.clone();
        let batches = Batches::new(place, part.began_ms, &self.schema, payload, &request.columns)?;
        let scan = Scan {
            batches,
            predicates: request.predicates.clone(),
            split: split.id.clone(),
            part,
            limit: request.limit,
            progress: Arc::clone(&self.progress),
            measures: Arc::clone(measures),
        };
        Ok(scan.stream(source))
    }

    fn is_stream(&self) -> bool {
        true
    }

    async fn dropped_until(&self, table: &str, since_us: i64) -> Result<Option<i64>> {
        let now_us = Utc::now().timestamp_micros();
        if now_us - since_us <= LEAST_RETENTION_US {
            return Ok(None);
        }
        let retention_us = self.client.retention_us(table).await?;
        Ok(Some(now_us - retention_us).filter(|until| *until > since_us))
    }

    /// The place after the rows that the scan of this split gave out, which is asked of the connector that scanned.
    async fn checkpoint(&self, _request: &ScanRequest, split: &Split) -> Result<Option<Checkpoint>> {
        let part = Part::of(split)?;
        let position = self.progress.get(part.scan, &split.id).ok_or_else(|| {
            let message = format!("shard \"{}\" was not read here, so nothing is known of its end", split.id);
            ConnectorError::InvalidArgument(message)
        })?;
        Ok(Some(Checkpoint { split: split.id.clone(), position: position.to_text() }))
    }
}

/// A time as EXPLAIN shows it, in UTC.
fn time(micros: i64) -> String {
    let time = DateTime::from_timestamp_micros(micros).map(|time| time.format("%Y-%m-%d %H:%M:%S%.3f").to_string());
    time.unwrap_or_else(|| micros.to_string())
}
