//! DynamoDB's tables.
//!
//! A table's columns come from its key definition and a sample of its items ([`schema`]), or are declared ([`column`]).
//! A request becomes a Query, a GetItem or BatchGetItem, or a segmented Scan ([`plan`]); conditions go with it where
//! DynamoDB decides them exactly as SQL does ([`condition`], [`expression`]). Answers become record batches ([`convert`]) a
//! page at a time ([`scan`]), within a share of the table's capacity where that is wanted ([`pace`]).
//!
//! Reads are eventually consistent unless `consistent_read` says otherwise, and never a snapshot: an item that changes
//! while a table is read comes as it was or as it is.

mod bounds;
mod client;
mod column;
mod condition;
mod config;
mod constant;
mod convert;
mod expression;
mod pace;
mod plan;
mod scan;
mod schema;
mod table;
#[cfg(test)]
mod tests;

use crate::connector::{BatchStream, Checkpoint, Connector, Measures, Order, Pushdown, ScanRequest, Split};
use crate::declared::Declaration;
use crate::error::{ConnectorError, Result};
use crate::predicate::Predicate;
use crate::registry::{Factory, OptionSpec, Options};
use crate::typed::Type;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use aws_sdk_dynamodb::primitives::DateTime;
use aws_sdk_dynamodb::types::AttributeValue;
use client::{Client, Meter};
use column::{Kind, Scalar};
use condition::{Condition, joined};
use config::Settings;
use pace::Pace;
use plan::{Access, Lookup, Plan, Range};
use scan::{KEYS_OF_A_REQUEST, Part, Reader};
use schema::Sample;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use table::{Table, read_units};

/// A part's name, how its items are found, and of a Scan the segment and how many there are.
type Named = (String, Access, Option<(usize, usize)>);

/// An item's attributes by name.
type Item = HashMap<String, AttributeValue>;

/// How long a table's description serves for reading, and a sample of its items for its columns.
const KNOWN_FOR: Duration = Duration::from_mins(1);

/// The most tables that are known at a time.
const MOST_KNOWN: usize = 10_000;

/// The most splits of a Query: many partitions share them.
const QUERY_SPLITS: usize = 100;

/// Makes connectors to DynamoDB.
#[derive(Debug, Clone, Copy)]
pub struct DynamoDb;

impl Factory for DynamoDb {
    fn kind(&self) -> &'static str {
        "dynamodb"
    }

    fn options(&self) -> &'static [OptionSpec] {
        &config::OPTIONS
    }

    fn connect(&self, options: &Options) -> Result<Arc<dyn Connector>> {
        Ok(Arc::new(Service::new(options, None)?))
    }

    fn declare(&self, options: &Options, declared: &Declaration) -> Result<Arc<dyn Connector>> {
        let service = Service::new(options, Some(declared.clone()))?;
        for field in &declared.columns {
            Type::of(field)?;
        }
        if service.settings.documents {
            let message = "whole items (option \"items\") have no declared columns".to_owned();
            return Err(ConnectorError::InvalidArgument(message));
        }
        Ok(Arc::new(service))
    }
}

/// DynamoDB, at one place with one set of credentials.
struct Service {
    client: Arc<Client>,
    settings: Settings,
    /// The columns of all tables, where they are declared.
    declared: Option<Declaration>,
    known: Mutex<HashMap<String, Known>>,
    paces: Mutex<HashMap<String, Arc<Pace>>>,
}

/// What a table was when it was looked at.
#[derive(Clone)]
struct Known {
    table: Arc<Table>,
    described_at: Instant,
    sample: Arc<Sample>,
    sampled_at: Instant,
    /// What tells it from another one that had or will have its name.
    identity: (Option<String>, Option<DateTime>),
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamoDb").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Service {
    fn new(options: &Options, declared: Option<Declaration>) -> Result<Self> {
        let settings = Settings::parse(options)?;
        let client = Arc::new(Client::new(options));
        Ok(Self { client, settings, declared, known: Mutex::default(), paces: Mutex::default() })
    }

    /// What is known of a table, even if it is no longer sure: for answers that may not wait.
    fn known(&self, name: &str) -> Option<Arc<Table>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(name).map(|known| Arc::clone(&known.table))
    }

    /// A table, looked at again when that was long ago.
    async fn table(&self, name: &str) -> Result<Arc<Table>> {
        let fresh = |known: &Known| (known.described_at.elapsed() < KNOWN_FOR).then(|| Arc::clone(&known.table));
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(name).and_then(fresh);
        match known {
            Some(table) => Ok(table),
            None => self.look_at(name).await,
        }
    }

    /// Looks at a table: its description, which costs nothing, and, when the last one is old or of another table, a
    /// sample of its items.
    async fn look_at(&self, name: &str) -> Result<Arc<Table>> {
        let description = match self.client.describe(name).await {
            Ok(description) => description,
            Err(error) => {
                if matches!(error, ConnectorError::NotFound { .. }) {
                    self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
                }
                return Err(error);
            }
        };
        let identity = (description.table_id().map(str::to_owned), description.creation_date_time().copied());
        let usable = |known: &&Known| known.identity == identity && known.sampled_at.elapsed() < KNOWN_FOR;
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(name).filter(usable).cloned();
        let (sample, sampled_at) = match known {
            Some(known) => (known.sample, known.sampled_at),
            None if self.settings.documents || self.declared.is_some() => (Arc::default(), Instant::now()),
            None => (Arc::new(self.sample(name, read_units(&description)).await?), Instant::now()),
        };
        let table = match &self.declared {
            Some(declared) => Table::declared(&description, declared)?,
            None => Table::new(&description, &sample, self.settings.all_super)
                .ok_or_else(|| ConnectorError::BadData(format!("the description of table \"{name}\" has no key")))?,
        };
        let table = Arc::new(if self.settings.documents { table.of_documents() } else { table });
        let known = Known { table: Arc::clone(&table), described_at: Instant::now(), sample, sampled_at, identity };
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST_KNOWN {
            all.clear();
        }
        all.insert(name.to_owned(), known);
        Ok(table)
    }

    /// A sample of a table's items, within the share of its capacity that may be used.
    async fn sample(&self, name: &str, read_units: f64) -> Result<Sample> {
        let measures = Measures::default();
        let pace = self.pace(name, read_units);
        let meter = Meter { measures: &measures, pace: pace.as_deref() };
        let mut sample = Sample::default();
        let mut left = self.settings.sample;
        let mut position = None;
        loop {
            let request = self.client.scan_of(name, &self.settings).await?;
            let limit = i32::try_from(left).ok();
            let request = request.set_limit(limit).set_exclusive_start_key(position);
            let page = self.client.scan(name, &request, meter).await?;
            page.items.iter().for_each(|item| sample.add(item));
            left = left.saturating_sub(page.items.len());
            position = page.next;
            if left == 0 || position.is_none() {
                return Ok(sample);
            }
        }
    }

    /// How a request is answered.
    ///
    /// # Errors
    /// `Unavailable` when a condition that was accepted is no longer one, because the table has changed.
    fn plan(&self, table: &Table, request: &ScanRequest) -> Result<Plan> {
        let kind = |name: &str| table.kind(name);
        let mut conditions = Vec::new();
        for predicate in &request.predicates {
            let condition = Condition::new(predicate, &kind).ok_or_else(|| ConnectorError::Unavailable {
                message: format!("table \"{}\" has changed since the statement was planned", table.name),
                source: None,
            })?;
            conditions.extend(condition.conjuncts());
        }
        Ok(Plan::new(table, &request.columns, conditions, self.settings.consistent_read))
    }

    /// The limit on what is read of a table per second, shared by all that read it through this connector.
    fn pace(&self, table: &str, read_units: f64) -> Option<Arc<Pace>> {
        let ratio = self.settings.read_ratio?;
        let mut paces = self.paces.lock().unwrap_or_else(PoisonError::into_inner);
        if paces.len() >= MOST_KNOWN {
            paces.clear();
        }
        let units = read_units * f64::from(ratio) / 100.0;
        let pace = paces.entry(table.to_owned()).or_insert_with(|| Arc::new(Pace::new(units)));
        // The table's capacity was changed.
        if !pace.is_of(units) {
            *pace = Arc::new(Pace::new(units));
        }
        Some(Arc::clone(pace))
    }

    /// The parts of a plan, each with its name.
    fn parts(&self, plan: &Plan, parallelism: usize) -> Vec<Named> {
        match &plan.access {
            Access::Nothing => vec![("nothing".to_owned(), Access::Nothing, None)],
            Access::Get { keys, lookups } => {
                let part = |(at, lookups): (usize, &[Lookup])| {
                    let access = Access::Get { keys: keys.clone(), lookups: lookups.to_vec() };
                    (format!("keys {at}"), access, None)
                };
                lookups.chunks(KEYS_OF_A_REQUEST).enumerate().map(part).collect()
            }
            Access::Query { index, keys, ranges } => {
                let part = |(at, ranges): (usize, &[Range])| {
                    let access = Access::Query { index: index.clone(), keys: keys.clone(), ranges: ranges.to_vec() };
                    (format!("query {at}"), access, None)
                };
                ranges.chunks(ranges.len().div_ceil(QUERY_SPLITS).max(1)).enumerate().map(part).collect()
            }
            Access::Scan => {
                let segments = self.settings.segments.unwrap_or(parallelism).max(1);
                let part =
                    |segment| (format!("segment {segment} of {segments}"), Access::Scan, Some((segment, segments)));
                (0..segments).map(part).collect()
            }
        }
    }
}

#[async_trait]
impl Connector for Service {
    async fn tables(&self) -> Result<Vec<String>> {
        self.client.tables().await
    }

    async fn schema(&self, table: &str) -> Result<SchemaRef> {
        Ok(self.look_at(table).await?.schema())
    }

    fn pushdown(&self, table: &str, predicates: &[Predicate]) -> Vec<Pushdown> {
        let table = self.known(table);
        let kind = |name: &str| table.as_ref().and_then(|table| table.kind(name));
        let answer = |predicate: &Predicate| match Condition::new(predicate, &kind) {
            Some(condition) if condition.is_exact(&kind) => Pushdown::Exact,
            Some(_) => Pushdown::Inexact,
            None => Pushdown::Unsupported,
        };
        predicates.iter().map(answer).collect()
    }

    /// A Query gives a partition in the order of its sort key, either way; its partition key is one value in a split.
    fn orders_request(&self, request: &ScanRequest, order: &[Order]) -> bool {
        let Some(table) = self.known(&request.table) else { return false };
        let Ok(Plan { access: Access::Query { keys, ranges, .. }, .. }) = self.plan(&table, request) else {
            return false;
        };
        let sorted = |name: &str| {
            let kind = table.kind(name).filter(|kind| !kind.is_mixed() && !kind.hides_misfits());
            let same = matches!(kind.and_then(Kind::compared), Some(Scalar::S | Scalar::N | Scalar::B));
            same && keys.sort.as_deref() == Some(name)
        };
        let mut order = order.iter().filter(|order| order.column != keys.partition);
        ranges.len() <= QUERY_SPLITS && order.next().is_none_or(|order| sorted(&order.column)) && order.next().is_none()
    }

    async fn row_count(&self, table: &str) -> Result<Option<u64>> {
        Ok(self.table(table).await?.items)
    }

    fn describe(&self, request: &ScanRequest) -> String {
        let plan = self.known(&request.table).and_then(|table| self.plan(&table, request).ok());
        let Some(plan) = plan else { return format!("DynamoDB Scan of {}", request.table) };
        let access = match &plan.access {
            Access::Nothing => format!("DynamoDB reads nothing of {}: no key can be so", request.table),
            Access::Get { lookups, .. } => {
                let operation = if lookups.len() == 1 { "GetItem" } else { "BatchGetItem" };
                format!("DynamoDB {operation} on {}: {}", request.table, plan.access)
            }
            Access::Query { index: None, .. } => format!("DynamoDB Query on {}: {}", request.table, plan.access),
            Access::Query { index: Some(index), .. } => format!("DynamoDB Query on index {index}: {}", plan.access),
            Access::Scan => match self.settings.segments {
                Some(segments) => format!("DynamoDB Scan of {} in {segments} segments", request.table),
                None => format!("DynamoDB Scan of {} in parallel segments", request.table),
            },
        };
        let also = |word: &str, conditions: &[Condition]| match conditions {
            [] => String::new(),
            conditions => format!(", {word} {}", joined(conditions, " AND ")),
        };
        format!("{access}{}{}", also("filter", &plan.filter), also("then", &plan.local))
    }

    async fn splits(&self, request: &ScanRequest, parallelism: usize) -> Result<Vec<Split>> {
        let table = self.table(&request.table).await?;
        let plan = self.plan(&table, request)?;
        let columns = table.columns_named(&request.columns);
        let split = |(id, access, segment): Named| {
            let (filter, local, columns) = (plan.filter.clone(), plan.local.clone(), columns.clone());
            let part = Part { access, segment, filter, local, columns, keys: table.keys.clone() };
            let payload = serde_json::to_vec(&part).map_err(|error| ConnectorError::BadData(error.to_string()))?;
            Ok(Split { id, payload, after: vec![] })
        };
        self.parts(&plan, parallelism).into_iter().map(split).collect()
    }

    async fn scan(&self, request: &ScanRequest, split: &Split, measures: &Arc<Measures>) -> Result<BatchStream> {
        let mut part: Part =
            serde_json::from_slice(&split.payload).map_err(|error| ConnectorError::BadData(error.to_string()))?;
        if !part.columns.iter().map(|column| &column.name).eq(&request.columns) {
            part.columns = self.table(&request.table).await?.columns_named(&request.columns);
        }
        let backwards = match &part.access {
            Access::Query { keys, .. } => {
                let by_sort_key = |order: &&Order| keys.sort.as_ref() == Some(&order.column);
                request.order.iter().find(by_sort_key).is_some_and(|order| order.descending)
            }
            _ => false,
        };
        let pace = match self.settings.read_ratio {
            Some(_) => {
                let table = self.table(&request.table).await?;
                self.pace(&table.name, table.read_units)
            }
            None => None,
        };
        Ok(scan::batches(Reader {
            client: Arc::clone(&self.client),
            settings: self.settings.clone(),
            table: request.table.clone(),
            part,
            limit: request.limit,
            backwards,
            measures: Arc::clone(measures),
            pace,
        }))
    }

    async fn checkpoint(&self, _request: &ScanRequest, _split: &Split) -> Result<Option<Checkpoint>> {
        Ok(None)
    }
}
