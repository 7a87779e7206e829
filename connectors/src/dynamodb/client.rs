//! DynamoDB's requests: sent again where that may help, counted, and their errors told as ours.

use super::Item;
use super::config::Settings;
use super::pace::Pace;
use crate::aws;
use crate::backoff::{Again, Backoff, repeated};
use crate::connector::Measures;
use crate::error::{ConnectorError, Result};
use crate::registry::Options;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::get_item::builders::GetItemFluentBuilder;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::operation::scan::builders::ScanFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConsumedCapacity, KeysAndAttributes, ReturnConsumedCapacity, TableDescription,
};
use std::collections::HashMap;
use std::error::Error;
use std::sync::atomic::Ordering;
use tokio::sync::OnceCell;

/// The most tables that are listed.
const MOST_TABLES: usize = 100_000;

/// Where a page ended.
pub(super) type Position = HashMap<String, AttributeValue>;

/// What one request gave.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// The items; empty when only their number was asked.
    pub(super) items: Vec<Item>,
    /// Their number.
    pub(super) count: usize,
    /// Where to go on.
    pub(super) next: Option<Position>,
}

/// DynamoDB, at one place with one set of credentials.
pub(super) struct Client {
    options: Options,
    sdk: OnceCell<Sdk>,
}

/// The service's own client.
struct Sdk {
    client: aws_sdk_dynamodb::Client,
    place: String,
}

/// What the answers of one reader are counted in.
#[derive(Clone, Copy)]
pub(super) struct Meter<'a> {
    /// What the scan cost.
    pub(super) measures: &'a Measures,
    /// What the table may be asked for.
    pub(super) pace: Option<&'a Pace>,
}

impl Meter<'_> {
    async fn wait(self) {
        if let Some(pace) = self.pace {
            pace.wait().await;
        }
    }

    fn count(self, consumed: &[ConsumedCapacity], examined: usize, items: &[Item]) {
        let units: f64 = consumed.iter().filter_map(ConsumedCapacity::capacity_units).sum();
        if let Some(pace) = self.pace {
            pace.spend(units);
        }
        let bytes: usize = items.iter().map(item_bytes).sum();
        let milliunits = (units * 1000.0).round() as u64;
        self.measures.capacity_milliunits.fetch_add(milliunits, Ordering::Relaxed);
        self.measures.rows_examined.fetch_add(examined as u64, Ordering::Relaxed);
        self.measures.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl Client {
    /// A client that is made when it is first needed.
    pub(super) fn new(options: &Options) -> Self {
        Self { options: options.clone(), sdk: OnceCell::new() }
    }

    async fn sdk(&self) -> Result<&Sdk> {
        let make = || async {
            let config = aws::config(&self.options).await?;
            let place = aws::place("DynamoDB", &config);
            Ok(Sdk { client: aws_sdk_dynamodb::Client::new(&config), place })
        };
        self.sdk.get_or_try_init(make).await
    }

    /// The names of all tables.
    pub(super) async fn tables(&self) -> Result<Vec<String>> {
        let sdk = self.sdk().await?;
        let mut tables: Vec<String> = Vec::new();
        loop {
            let request = sdk.client.list_tables().set_exclusive_start_table_name(tables.last().cloned());
            let page = repeated(&Measures::default(), || async {
                request.clone().send().await.map_err(|error| sdk.failure(error, "account", ""))
            })
            .await?;
            tables.extend_from_slice(page.table_names());
            match page.last_evaluated_table_name() {
                Some(last) if tables.last().is_some_and(|table| table == last) && tables.len() < MOST_TABLES => {}
                _ => return Ok(tables),
            }
        }
    }

    /// A table's description.
    pub(super) async fn describe(&self, table: &str) -> Result<TableDescription> {
        let sdk = self.sdk().await?;
        let request = sdk.client.describe_table().table_name(table);
        let answer = repeated(&Measures::default(), || async {
            request.clone().send().await.map_err(|error| sdk.failure(error, "table", table))
        })
        .await?;
        answer.table.ok_or_else(|| ConnectorError::BadData(format!("{} describes no table", sdk.place)))
    }

    /// A request to look at a table's items.
    pub(super) async fn scan_of(&self, table: &str, settings: &Settings) -> Result<ScanFluentBuilder> {
        let scan = self.sdk().await?.client.scan().table_name(table).consistent_read(settings.consistent_read);
        Ok(scan.return_consumed_capacity(ReturnConsumedCapacity::Total))
    }

    /// A request for items of one partition.
    pub(super) async fn query_of(&self, table: &str, settings: &Settings) -> Result<QueryFluentBuilder> {
        let query = self.sdk().await?.client.query().table_name(table).consistent_read(settings.consistent_read);
        Ok(query.return_consumed_capacity(ReturnConsumedCapacity::Total))
    }

    /// A request for one item by its key.
    pub(super) async fn item_of(&self, table: &str, settings: &Settings) -> Result<GetItemFluentBuilder> {
        let get = self.sdk().await?.client.get_item().table_name(table).consistent_read(settings.consistent_read);
        Ok(get.return_consumed_capacity(ReturnConsumedCapacity::Total))
    }

    /// Sends a Scan for one page.
    pub(super) async fn scan(&self, table: &str, request: &ScanFluentBuilder, meter: Meter<'_>) -> Result<Page> {
        let sdk = self.sdk().await?;
        meter.wait().await;
        let answer = repeated(meter.measures, || async {
            request.clone().send().await.map_err(|error| sdk.failure(error, "table", table))
        })
        .await?;
        let (count, examined) = (answer.count as usize, answer.scanned_count as usize);
        let items = answer.items.unwrap_or_default();
        meter.count(answer.consumed_capacity.as_slice(), examined, &items);
        Ok(Page { items, count, next: answer.last_evaluated_key.filter(|key| !key.is_empty()) })
    }

    /// Sends a Query for one page.
    pub(super) async fn query(&self, table: &str, request: &QueryFluentBuilder, meter: Meter<'_>) -> Result<Page> {
        let sdk = self.sdk().await?;
        meter.wait().await;
        let answer = repeated(meter.measures, || async {
            request.clone().send().await.map_err(|error| sdk.failure(error, "table", table))
        })
        .await?;
        let (count, examined) = (answer.count as usize, answer.scanned_count as usize);
        let items = answer.items.unwrap_or_default();
        meter.count(answer.consumed_capacity.as_slice(), examined, &items);
        Ok(Page { items, count, next: answer.last_evaluated_key.filter(|key| !key.is_empty()) })
    }

    /// Sends a GetItem.
    pub(super) async fn item(
        &self,
        table: &str,
        request: &GetItemFluentBuilder,
        meter: Meter<'_>,
    ) -> Result<Option<Item>> {
        let sdk = self.sdk().await?;
        meter.wait().await;
        let answer = repeated(meter.measures, || async {
            request.clone().send().await.map_err(|error| sdk.failure(error, "table", table))
        })
        .await?;
        let item = answer.item;
        meter.count(answer.consumed_capacity.as_slice(), item.as_slice().len(), item.as_slice());
        Ok(item)
    }

    /// Gets items by their keys, at most 100. What DynamoDB leaves for later is asked for again.
    pub(super) async fn get(&self, table: &str, keys: KeysAndAttributes, meter: Meter<'_>) -> Result<Vec<Item>> {
        let sdk = self.sdk().await?;
        let mut items: Vec<Item> = Vec::new();
        let mut pending = HashMap::from([(table.to_owned(), keys)]);
        let mut backoff = Backoff::default();
        loop {
            meter.wait().await;
            let request = sdk.client.batch_get_item().return_consumed_capacity(ReturnConsumedCapacity::Total);
            let request = request.set_request_items(Some(pending));
            let answer = repeated(meter.measures, || async {
                request.clone().send().await.map_err(|error| sdk.failure(error, "table", table))
            })
            .await?;
            let came = answer.responses.and_then(|mut tables| tables.remove(table)).unwrap_or_default();
            meter.count(answer.consumed_capacity.as_deref().unwrap_or_default(), came.len(), &came);
            if !came.is_empty() {
                backoff = Backoff::default();
            }
            items.extend(came);
            pending = answer.unprocessed_keys.unwrap_or_default();
            pending.retain(|_, keys| !keys.keys().is_empty());
            if pending.is_empty() {
                return Ok(items);
            }
            if !backoff.wait(Again::Throttled).await {
                let message = format!("{} has no capacity left for table \"{table}\"", sdk.place);
                return Err(ConnectorError::Unavailable { message, source: None });
            }
            meter.measures.retries.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Sdk {
    fn failure<E>(&self, error: SdkError<E>, kind: &'static str, name: &str) -> crate::backoff::Failure
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        aws::failure(error, &self.place, kind, name)
    }
}

/// An item's size as DynamoDB counts it, about.
fn item_bytes(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + value_bytes(value)).sum()
}

fn value_bytes(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) | AttributeValue::N(text) => text.len(),
        AttributeValue::B(bytes) => bytes.as_ref().len(),
        AttributeValue::Ss(texts) | AttributeValue::Ns(texts) => texts.iter().map(String::len).sum(),
        AttributeValue::Bs(list) => list.iter().map(|bytes| bytes.as_ref().len()).sum(),
        AttributeValue::L(list) => 3 + list.iter().map(|value| 1 + value_bytes(value)).sum::<usize>(),
        AttributeValue::M(map) => 3 + map.len() + item_bytes(map),
        _ => 1,
    }
}
