//! A scan of a key-value table and look-ups of keys, beside parallel segments and single requests of the SDK.

use super::{
    Bound, FILLING, Line, NAME, Options, Reading, beside, client_config, filled, look_up, note, prefixed, schema,
};
use crate::report;
use crate::side::{Ours, cores};
use anyhow::{Context, Result};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, KeySchemaElement, KeyType, ProvisionedThroughput, PutRequest,
    ScalarAttributeType, TableStatus, WriteRequest,
};
use futures::{StreamExt, TryStreamExt, stream};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Items of one request that writes.
const WRITTEN: u64 = 25;

/// How long what was not written is kept back.
const PAUSE: Duration = Duration::from_millis(100);

/// Measures a scan and look-ups.
pub(super) async fn run(ours: &mut Ours, endpoint: &str, options: &Options) -> Result<Vec<Line>> {
    let client = Client::new(&client_config(endpoint));
    let bound = Bound::new(options.seconds);
    let items = filled(fill(&client, options.items, &bound).await?, options.items);
    ours.run(&schema("dynamodb", endpoint, "")).await?;
    let query = |_: usize, prefix| {
        let table = prefixed(&format!("dynamodb.{NAME}"), "n, note", prefix);
        format!("SELECT count(note), sum(n), sum(octet_length(note)) FROM {table}")
    };
    let scanned = |reading| scan(&client, reading);
    let scan = beside(ours, &bound, options.runs, "DynamoDB scan", query, scanned).await?;
    let query = |number| format!("SELECT n FROM dynamodb.{NAME} WHERE id = '{}'", id(number));
    let (work, keys) = ("DynamoDB key look-up", (options.lookups, items));
    let found = look_up(ours, &bound, work, keys, query, |number| get(&client, number)).await?;
    Ok(vec![scan, found])
}

fn id(number: u64) -> String {
    format!("item {number:012}")
}

/// Makes the table anew unless it has as many items already: the last ones are written when all others are. Gives how many
/// it has, which are fewer where time ran out.
async fn fill(client: &Client, items: u64, bound: &Bound) -> Result<u64> {
    let last = client.get_item().table_name(NAME).key("id", AttributeValue::S(id(items - 1))).send().await;
    let beyond = client.get_item().table_name(NAME).key("id", AttributeValue::S(id(items))).send().await;
    if last.is_ok_and(|last| last.item.is_some()) && beyond.is_ok_and(|beyond| beyond.item.is_none()) {
        return Ok(items);
    }
    report::print(&format!("filling DynamoDB's table with {items} items"));
    if client.delete_table().table_name(NAME).send().await.is_ok() {
        while client.describe_table().table_name(NAME).send().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    let units = ProvisionedThroughput::builder().read_capacity_units(40_000).write_capacity_units(40_000).build()?;
    client
        .create_table()
        .table_name(NAME)
        .key_schema(KeySchemaElement::builder().attribute_name("id").key_type(KeyType::Hash).build()?)
        .attribute_definitions(
            AttributeDefinition::builder().attribute_name("id").attribute_type(ScalarAttributeType::S).build()?,
        )
        .provisioned_throughput(units)
        .send()
        .await
        .context("the table cannot be made")?;
    while status(client).await? != Some(TableStatus::Active) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let last = (items - 1) / WRITTEN * WRITTEN;
    let firsts = (0..last).step_by(WRITTEN as usize).take_while(|first| *first == 0 || bound.fills());
    let written = stream::iter(firsts.map(|first| write(client, first, first + WRITTEN)));
    let written = written.buffer_unordered(FILLING).try_fold(0_u64, |all, some| async move { Ok(all + some) }).await?;
    if written < last {
        return Ok(written);
    }
    Ok(written + write(client, last, items).await?)
}

async fn status(client: &Client) -> Result<Option<TableStatus>> {
    let described = client.describe_table().table_name(NAME).send().await?;
    Ok(described.table.and_then(|table| table.table_status))
}

/// Writes some items; gives how many.
async fn write(client: &Client, first: u64, end: u64) -> Result<u64> {
    let put = |number: u64| -> Result<WriteRequest> {
        let put = PutRequest::builder()
            .item("id", AttributeValue::S(id(number)))
            .item("n", AttributeValue::N(number.to_string()))
            .item("note", AttributeValue::S(note(number)));
        Ok(WriteRequest::builder().put_request(put.build()?).build())
    };
    let mut left = (first..end).map(put).collect::<Result<Vec<_>>>()?;
    loop {
        let answer = client.batch_write_item().request_items(NAME, left).send().await?;
        // The one table's, by whatever name the server has for it.
        left = answer.unprocessed_items.into_iter().flatten().flat_map(|(_, left)| left).collect();
        if left.is_empty() {
            return Ok(end - first);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// All segments at once, pages one after the other; the items' number, the sum of their numbers, their notes' bytes.
async fn scan(client: &Client, reading: Arc<Reading>) -> Result<String> {
    let segments = cores() as i32;
    let part = |segment| tokio::spawn(segment_of(client.clone(), segment, segments, Arc::clone(&reading)));
    let parts = (0..segments).map(part);
    let (mut count, mut sum, mut bytes) = (0_u64, 0_u64, 0_u64);
    for part in parts.collect::<Vec<_>>() {
        let (items, numbers, notes) = part.await??;
        (count, sum, bytes) = (count + items, sum + numbers, bytes + notes);
    }
    Ok(format!("{count},{sum},{bytes}"))
}

async fn segment_of(client: Client, segment: i32, segments: i32, reading: Arc<Reading>) -> Result<(u64, u64, u64)> {
    let (mut found, mut next) = ((0, 0, 0), None);
    loop {
        let scan = client.scan().table_name(NAME).segment(segment).total_segments(segments);
        let page = scan.projection_expression("n,note").set_exclusive_start_key(next).send().await?;
        for item in page.items() {
            let (number, note) = numbers_of(item)?;
            found = (found.0 + 1, found.1 + number, found.2 + note.len() as u64);
        }
        let goes_on = reading.goes_on(page.items().len());
        next = page.last_evaluated_key;
        if next.is_none() || !goes_on {
            return Ok(found);
        }
    }
}

fn numbers_of(item: &HashMap<String, AttributeValue>) -> Result<(u64, &str)> {
    let number = item.get("n").and_then(|n| n.as_n().ok()).context("an item has no n")?;
    let note = item.get("note").and_then(|note| note.as_s().ok()).context("an item has no note")?;
    Ok((number.parse()?, note))
}

async fn get(client: &Client, number: u64) -> Result<u64> {
    let key = AttributeValue::S(id(number));
    let answer = client.get_item().table_name(NAME).key("id", key).projection_expression("n").send().await?;
    let item = answer.item.context("a key is not there")?;
    Ok(item.get("n").and_then(|n| n.as_n().ok()).context("an item has no n")?.parse()?)
}
