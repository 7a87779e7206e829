//! Aggregates that the server computes, where they are SQL's.
//!
//! Groups are the buckets of composite aggregations, which are complete and come page by page in a point in time, NULL
//! (a missing field) being one; a count of values is how many documents have the field. Bounds and sums are doubles at
//! the server, so an answer is taken only when no digit can have been lost: whole numbers within 53 bits, summed within
//! them. What documents hold is looked at in the same request: a field with several values in a document, or one whose
//! keyword sub-field dropped long ones, cannot be grouped by or summed. Then, or when there are too many groups, there
//! is no answer, and the documents are read instead.

use super::client::{Client, Failure, Request, is_missing};
use super::config::Arrays;
use super::convert::{Builder, whole};
use super::cursor::{Cursor, Flavour};
use super::field::{Field, Kind};
use super::json::Json;
use super::mapping::{Column, Mapping, Read};
use super::scan;
use crate::connector::{Aggregate, AggregateRequest, Measures};
use crate::error::{ConnectorError, Result};
use arrow::array::{ArrayRef, Decimal128Builder, Int64Builder, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field as ArrowField, Schema};
use reqwest::Method;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Whole numbers below this one are the same as doubles; this one is also what the next is rounded to.
const DOUBLE_EXACT: u128 = 1 << 53;
/// Buckets of a page, those within groups too: under the lowest bound that servers have had, 10,000.
const PAGE_BUCKETS: usize = 8_000;
/// Groups of an answer; more are computed of the documents.
const GROUPS_MAX: usize = 200_000;
/// Bytes of a page.
const PAGE_BYTES_MAX: usize = 64 << 20;
/// Digits of a sum.
const SUM: DataType = DataType::Decimal128(38, 0);

/// Aggregates in the server's words.
pub(super) struct Aggregation<'a> {
    groups: Vec<Group<'a>>,
    aggregates: Vec<Computed<'a>>,
}

/// A column that is grouped by.
struct Group<'a> {
    column: &'a Column,
    /// The field that has its values.
    field: &'a str,
}

/// What is computed of a group.
enum Computed<'a> {
    Rows,
    /// Of the documents that have the column's field.
    Values(&'a Column),
    /// The bound `min` or `max` of a column.
    Bound(&'a Column, &'static str),
    Sum(&'a Column),
}

impl<'a> Aggregation<'a> {
    /// `None` when the server computes something else, or nothing.
    pub(super) fn new(mapping: &'a Mapping, arrays: Arrays, request: &AggregateRequest) -> Option<Self> {
        // Of several values only the first counts, while the server looks at all.
        if arrays == Arrays::First {
            return None;
        }
        let group = |name: &String| {
            let column = mapping.column(name)?;
            Some(Group { column, field: group_field(column)? })
        };
        let computed = |aggregate: &Aggregate| match aggregate {
            Aggregate::Rows => Some(Computed::Rows),
            Aggregate::Values(name) => {
                let column = mapping.column(name)?;
                let known = |field: &Field| field.searchable && (field.ignore_above.is_none() || field.whole.is_some());
                (!column.fields.is_empty() && column.fields.iter().all(known)).then_some(Computed::Values(column))
            }
            Aggregate::Min(name) => bound(mapping.column(name)?, "min"),
            Aggregate::Max(name) => bound(mapping.column(name)?, "max"),
            Aggregate::Sum(name) => {
                let column = mapping.column(name)?;
                is_summed(number_field(column)?).then_some(Computed::Sum(column))
            }
        };
        let groups = request.groups.iter().map(group).collect::<Option<Vec<_>>>()?;
        let aggregates = request.aggregates.iter().map(computed).collect::<Option<Vec<_>>>()?;
        Some(Self { groups, aggregates })
    }

    /// What is asked within each bucket, or of all documents.
    fn within(&self) -> Map<String, Value> {
        let mut within = Map::new();
        for (at, computed) in self.aggregates.iter().enumerate() {
            let (column, inner) = match computed {
                Computed::Rows => continue,
                Computed::Values(column) => (column, None),
                Computed::Bound(column, _) | Computed::Sum(column) => {
                    (column, Some(json!({"s": {"stats": {"field": column.path}}})))
                }
            };
            let mut asked = json!({"filter": {"exists": {"field": column.path}}});
            if let Some(inner) = inner {
                asked["aggs"] = inner;
            }
            within.insert(format!("a{at}"), asked);
        }
        within
    }

    /// What tells, of all documents, whether those of a group can be told apart by its field.
    fn checks(&self) -> Map<String, Value> {
        let mut checks = Map::new();
        for (at, group) in self.groups.iter().enumerate() {
            let exists = json!({"exists": {"field": group.column.path}});
            checks.insert(
                format!("c{at}"),
                json!({"filter": exists, "aggs": {"v": {"value_count": {"field": group.field}}}}),
            );
            if group.field != group.column.path {
                let dropped = json!({"bool": {"filter": [exists], "must_not": [{"exists": {"field": group.field}}]}});
                checks.insert(format!("d{at}"), json!({"filter": dropped}));
            }
        }
        checks
    }

    /// A page of groups, those after a key.
    fn composite(&self, size: usize, after: Option<&Value>) -> Value {
        let source = |(at, group): (usize, &Group<'_>)| json!({format!("g{at}"): {"terms": {"field": group.field, "missing_bucket": true}}});
        let sources: Vec<Value> = self.groups.iter().enumerate().map(source).collect();
        let mut composite = json!({"size": size, "sources": sources});
        if let Some(after) = after {
            composite["after"] = after.clone();
        }
        composite
    }

    fn builders(&self) -> Builders {
        let groups = self.groups.iter().map(|group| Builder::new(&group.column.read)).collect();
        let aggregates = self.aggregates.iter().map(|computed| match computed {
            Computed::Rows | Computed::Values(_) => Sink::Count(Int64Builder::new()),
            Computed::Bound(column, _) => Sink::Bound(Builder::new(&column.read)),
            Computed::Sum(_) => Sink::Sum(Decimal128Builder::new().with_data_type(SUM)),
        });
        Builders { groups, aggregates: aggregates.collect(), rows: 0 }
    }

    /// Takes what was computed of one group; `None` when it is not exact.
    fn take(&self, answer: &Json<'_>, count: u64, key: Option<&Json<'_>>, into: &mut Builders) -> Option<()> {
        for (at, (group, builder)) in self.groups.iter().zip(&mut into.groups).enumerate() {
            match key?.get(&format!("g{at}"))? {
                Json::Null => builder.null(),
                value => builder.aggregated(value, &group.column.read)?,
            }
        }
        for (at, (computed, sink)) in self.aggregates.iter().zip(&mut into.aggregates).enumerate() {
            let found = || answer.get(&format!("a{at}"));
            match (computed, sink) {
                (Computed::Rows, Sink::Count(builder)) => builder.append_value(i64::try_from(count).ok()?),
                (Computed::Values(_), Sink::Count(builder)) => {
                    builder.append_value(i64::try_from(found()?.get("doc_count")?.as_u64()?).ok()?);
                }
                (Computed::Bound(column, name), Sink::Bound(builder)) => match Stats::of(found()?)? {
                    Stats { count: 0, .. } => builder.null(),
                    stats => {
                        let value = if *name == "min" { stats.min } else { stats.max };
                        if is_rounded(column) {
                            exact(value)?;
                        }
                        builder.aggregated(value, &column.read)?;
                    }
                },
                (Computed::Sum(_), Sink::Sum(builder)) => match Stats::of(found()?)? {
                    Stats { count: 0, .. } => builder.append_null(),
                    stats => {
                        // No sum of some of them is beyond.
                        let most = exact(stats.min)?.unsigned_abs().max(exact(stats.max)?.unsigned_abs());
                        if most.checked_mul(u128::from(stats.count))? > DOUBLE_EXACT {
                            return None;
                        }
                        let Json::Number(digits) = stats.sum else { return None };
                        builder.append_value(whole(digits)?);
                    }
                },
                _ => return None,
            }
        }
        into.rows += 1;
        Some(())
    }

    /// Whether documents are as they must be to be told apart by their groups.
    fn is_apart(&self, answer: &Json<'_>) -> Option<()> {
        for (at, group) in self.groups.iter().enumerate() {
            let found = answer.get(&format!("c{at}"))?;
            let values = found.get("v")?.get("value")?;
            let dropped = match answer.get(&format!("d{at}")) {
                Some(dropped) => dropped.get("doc_count")?.as_u64()?,
                None if group.field == group.column.path => 0,
                None => return None,
            };
            let Json::Number(values) = values else { return None };
            if dropped > 0 || whole(values)? != i128::from(found.get("doc_count")?.as_u64()?) {
                return None;
            }
        }
        Some(())
    }
}

/// The statistics of a group's values.
struct Stats<'j> {
    count: u64,
    min: &'j Json<'j>,
    max: &'j Json<'j>,
    sum: &'j Json<'j>,
}

impl<'j> Stats<'j> {
    /// Those of documents that have one value each; `None` where some have several.
    fn of(found: &'j Json<'j>) -> Option<Self> {
        let stats = found.get("s")?;
        let (documents, count) = (found.get("doc_count")?.as_u64()?, stats.get("count")?.as_u64()?);
        let value = |name: &str| stats.get(name).unwrap_or(&Json::Null);
        (count == documents).then(|| Self { count, min: value("min"), max: value("max"), sum: value("sum") })
    }
}

/// A whole number of which no digit was lost when the server made a double of it.
fn exact(value: &Json<'_>) -> Option<i128> {
    match value {
        Json::Number(digits) => whole(digits).filter(|number| number.unsigned_abs() < DOUBLE_EXACT),
        _ => None,
    }
}

/// The field of a column, where it is one kind everywhere that has all values as documents hold them.
fn one_field(column: &Column) -> Option<&Field> {
    match column.fields.as_slice() {
        [field] if field.searchable && !field.normalized => Some(field),
        _ => None,
    }
}

/// The field whose values tell groups apart.
fn group_field(column: &Column) -> Option<&str> {
    let field = one_field(column)?;
    if let Some(whole) = &field.whole {
        return Some(&whole.name);
    }
    let is_grouped = match field.kind {
        Kind::Keyword => field.ignore_above.is_none(),
        Kind::Byte | Kind::Short | Kind::Integer | Kind::Long | Kind::Boolean => true,
        Kind::Date => is_time(column),
        _ => false,
    };
    (is_grouped && field.doc_values).then_some(column.path.as_str())
}

/// The field of a column of numbers or times.
fn number_field(column: &Column) -> Option<&Field> {
    one_field(column).filter(|field| field.doc_values)
}

fn is_time(column: &Column) -> bool {
    matches!(column.read, Read::Time { .. } | Read::ServerTime(_))
}

fn is_summed(field: &Field) -> bool {
    matches!(field.kind, Kind::Byte | Kind::Short | Kind::Integer | Kind::Long)
}

/// Whether the server's doubles may have fewer digits than a column's values.
fn is_rounded(column: &Column) -> bool {
    !matches!(column.read, Read::Float32 | Read::Float64)
}

fn bound<'a>(column: &'a Column, name: &'static str) -> Option<Computed<'a>> {
    let field = number_field(column)?;
    let is_bound = is_summed(field)
        || matches!(field.kind, Kind::Double | Kind::Float)
        || (field.kind == Kind::Date && is_time(column));
    is_bound.then_some(Computed::Bound(column, name))
}

/// An answer as it comes.
struct Builders {
    groups: Vec<Builder>,
    aggregates: Vec<Sink>,
    rows: usize,
}

/// A column of computed values.
enum Sink {
    Count(Int64Builder),
    Bound(Builder),
    Sum(Decimal128Builder),
}

impl Builders {
    fn finish(self) -> Result<RecordBatch> {
        let groups = self.groups.into_iter().map(Builder::finish);
        let aggregates = self.aggregates.into_iter().map(|sink| match sink {
            Sink::Count(mut builder) => Arc::new(builder.finish()) as ArrayRef,
            Sink::Bound(builder) => builder.finish(),
            Sink::Sum(mut builder) => Arc::new(builder.finish()),
        });
        let columns: Vec<ArrayRef> = groups.chain(aggregates).collect();
        let field =
            |(at, column): (usize, &ArrayRef)| ArrowField::new(at.to_string(), column.data_type().clone(), true);
        let schema = Schema::new(columns.iter().enumerate().map(field).collect::<Vec<_>>());
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        RecordBatch::try_new_with_options(Arc::new(schema), columns, &options)
            .map_err(|error| ConnectorError::BadData(format!("aggregates do not make a batch: {error}")))
    }
}

/// Asks for aggregates; `None` when they are not exact or too many.
pub(super) async fn read(
    client: &Arc<Client>,
    flavour: Flavour,
    table: &str,
    query: &Value,
    aggregation: &Aggregation<'_>,
    measures: &Measures,
) -> Result<Option<RecordBatch>> {
    if aggregation.groups.is_empty() {
        return whole_table(client, table, query, aggregation, measures).await;
    }
    let mut point =
        if flavour.has_points_in_time() { Cursor::open(client, flavour, (table, None), measures).await? } else { None };
    let found = pages(client, table, query, aggregation, measures, point.as_mut()).await;
    if let Some(point) = point {
        point.close(measures).await;
    }
    found
}

/// The name of the aggregation that counts documents.
const ROWS: &str = "rows";

/// Whether a server may count the documents of a query wrongly where it only counts them: of those that have a text field,
/// OpenSearch 3.5 leaves out the ones whose text is empty, in `_count` and in the total of a search, though it finds them.
fn is_miscounted(query: &Value) -> bool {
    match query {
        Value::Object(members) => members.contains_key("exists") || members.values().any(is_miscounted),
        Value::Array(elements) => elements.iter().any(is_miscounted),
        _ => false,
    }
}

/// The aggregation by which all found documents are looked at and counted.
fn rows() -> Value {
    json!({"filter": {"match_all": {}}})
}

/// How many documents a search found.
fn total(answer: &Json<'_>) -> Option<u64> {
    let counted = answer.get("aggregations").and_then(|found| found.get(ROWS)?.get("doc_count")?.as_u64());
    counted.or_else(|| answer.get("hits")?.get("total")?.get("value")?.as_u64())
}

/// The number of a query's documents.
///
/// # Errors
/// As of a search; `BadData` for an answer without a number.
pub(super) async fn count(client: &Client, table: &str, query: &Value, measures: &Measures) -> Result<u64> {
    let (path, body) = if is_miscounted(query) {
        ([table, "_search"], json!({"size": 0, "query": query, "aggs": {ROWS: rows()}}))
    } else {
        ([table, "_count"], json!({"query": query}))
    };
    let request = Request::new(Method::POST, &path, &[]).json(&body);
    let bytes = client.send(&request, measures).await.map_err(|failure| failure.on(table))?;
    let answer = Json::parse(&bytes)?;
    scan::check(&answer, table)?;
    let count = answer.get("count").and_then(Json::as_u64).or_else(|| total(&answer));
    count.ok_or_else(|| ConnectorError::BadData("the server's answer has no count".to_owned()))
}

/// The one group of a table without groups.
async fn whole_table(
    client: &Client,
    table: &str,
    query: &Value,
    aggregation: &Aggregation<'_>,
    measures: &Measures,
) -> Result<Option<RecordBatch>> {
    let mut within = aggregation.within();
    let mut body = json!({"size": 0, "track_total_hits": true, "query": query});
    if is_miscounted(query) {
        within.insert(ROWS.to_owned(), rows());
    }
    if !within.is_empty() {
        body["aggs"] = Value::Object(within);
    }
    let path = [table, "_search"];
    let Some(bytes) = ask(client, &path, body.to_string(), table, measures).await? else { return Ok(None) };
    let answer = Json::parse(&bytes)?;
    scan::check(&answer, table)?;
    let total = total(&answer).ok_or_else(|| ConnectorError::BadData("the server's answer has no total".to_owned()))?;
    let mut into = aggregation.builders();
    let computed = answer.get("aggregations").unwrap_or(&Json::Null);
    match aggregation.take(computed, total, None, &mut into) {
        Some(()) => into.finish().map(Some),
        None => Ok(None),
    }
}

/// All groups, page by page; without a point in time all must be in the first page.
async fn pages(
    client: &Client,
    table: &str,
    query: &Value,
    aggregation: &Aggregation<'_>,
    measures: &Measures,
    mut point: Option<&mut Cursor>,
) -> Result<Option<RecordBatch>> {
    let within = aggregation.within();
    let size = PAGE_BUCKETS / (1 + within.len());
    let mut checks = aggregation.checks();
    let mut into = aggregation.builders();
    let mut after: Option<Value> = None;
    loop {
        let mut groups = json!({"composite": aggregation.composite(size, after.as_ref())});
        if !within.is_empty() {
            groups["aggs"] = Value::Object(within.clone());
        }
        // Only of the first page, for they are about all documents.
        let is_first = after.is_none();
        let mut asked = std::mem::take(&mut checks);
        asked.insert("groups".to_owned(), groups);
        let mut body = json!({"size": 0, "track_total_hits": false, "query": query, "aggs": asked});
        let (in_point, in_table) = (["_search"], [table, "_search"]);
        let mut path = in_table.as_slice();
        if let Some(point) = point.as_deref().and_then(Cursor::point) {
            body["pit"] = point;
            path = &in_point;
        }
        let asked = ask(client, path, body.to_string(), table, measures).await?;
        let Some(bytes) = asked else { return Ok(None) };
        let answer = Json::parse(&bytes)?;
        scan::check(&answer, table)?;
        if let (Some(name), Some(point)) = (answer.get("pit_id").and_then(Json::as_str), point.as_deref_mut()) {
            point.renamed(name);
        }
        let bad = || ConnectorError::BadData("the server's answer has no groups".to_owned());
        let found = answer.get("aggregations").ok_or_else(bad)?;
        if is_first && aggregation.is_apart(found).is_none() {
            return Ok(None);
        }
        let groups = found.get("groups").ok_or_else(bad)?;
        let buckets = groups.get("buckets").ok_or_else(bad)?.elements();
        for bucket in buckets {
            let count = bucket.get("doc_count").and_then(Json::as_u64).ok_or_else(bad)?;
            if aggregation.take(bucket, count, bucket.get("key"), &mut into).is_none() {
                return Ok(None);
            }
        }
        let next = groups.get("after_key").filter(|_| buckets.len() >= size);
        let Some(next) = next else { return into.finish().map(Some) };
        if into.rows >= GROUPS_MAX || point.is_none() {
            return Ok(None);
        }
        // Texts, truth values and whole numbers of 64 bits: they go back as they came.
        let mut key = String::new();
        next.write(&mut key);
        after = Some(serde_json::from_str(&key).map_err(|_| bad())?);
    }
}

/// An answer; `None` when the server does not compute this.
async fn ask(
    client: &Client,
    path: &[&str],
    body: String,
    table: &str,
    measures: &Measures,
) -> Result<Option<Vec<u8>>> {
    let request = Request { body: Some(body), bytes_max: PAGE_BYTES_MAX, ..Request::new(Method::POST, path, &[]) };
    match client.send(&request, measures).await {
        Ok(bytes) => Ok(Some(bytes)),
        Err(Failure::Refused { status: 400 | 500 | 503, kind, reason }) if !is_missing(&kind) => {
            tracing::debug!(table, kind, reason, "the search server does not compute aggregates");
            Ok(None)
        }
        Err(Failure::TooLarge) => Ok(None),
        Err(failure) => Err(failure.on(table)),
    }
}
