//! Reading one part of a request, page by page.
//!
//! A page's rows are given only when the whole page came, and each page begins where the one before it ended, so a
//! page that is asked for again doubles nothing. While a page is converted the next one is on its way; no more than
//! these two are held.

use super::Item;
use super::client::{Client, Meter, Page, Position};
use super::column::{Column, Kind};
use super::condition::Condition;
use super::config::Settings;
use super::convert;
use super::expression::Expressions;
use super::pace::Pace;
use super::plan::{Access, Lookup, Range};
use super::table::Keys;
use crate::connector::{BatchStream, Measures};
use crate::error::{ConnectorError, Result};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use aws_sdk_dynamodb::types::{KeysAndAttributes, Select};
use futures::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::task::JoinSet;

/// The most keys of one BatchGetItem.
pub(super) const KEYS_OF_A_REQUEST: usize = 100;

/// A part of a request that is read by itself. It is plain data and says all that its reading needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Part {
    /// How items are found.
    pub(super) access: Access,
    /// Of a Scan the segment and how many there are.
    pub(super) segment: Option<(usize, usize)>,
    /// What DynamoDB drops.
    pub(super) filter: Vec<Condition>,
    /// What is decided here.
    pub(super) local: Vec<Condition>,
    /// The columns that are asked for.
    pub(super) columns: Vec<Column>,
    /// The table's keys.
    pub(super) keys: Keys,
}

/// A part with all that reads it.
pub(super) struct Reader {
    /// The service.
    pub(super) client: Arc<Client>,
    /// How it is asked.
    pub(super) settings: Settings,
    /// The table.
    pub(super) table: String,
    /// The part.
    pub(super) part: Part,
    /// No more rows than this.
    pub(super) limit: Option<usize>,
    /// Whether a Query gives the largest sort key first.
    pub(super) backwards: bool,
    /// What the reading costs.
    pub(super) measures: Arc<Measures>,
    /// What may be used per second.
    pub(super) pace: Option<Arc<Pace>>,
}

/// Where reading goes on: a range of a Query or the keys from one on, and a place in it.
#[derive(Debug, Default)]
struct Cursor {
    at: usize,
    position: Option<Position>,
}

/// A page and where the next one begins.
type Read = Result<(Page, Option<Cursor>)>;

/// The next page.
enum Next {
    /// It is asked for when it is needed.
    At(Cursor),
    /// It is on its way; dropping it gives it up.
    Coming(JoinSet<Read>),
    /// There is none.
    None,
}

/// The rows of a part.
pub(super) fn batches(reader: Reader) -> BatchStream {
    let schema = convert::schema(&reader.part.columns);
    let next = if reader.part.access == Access::Nothing { Next::None } else { Next::At(Cursor::default()) };
    let left = reader.limit;
    let state = Progress { reader: Arc::new(reader), schema, next, left };
    stream::try_unfold(state, Progress::step).boxed()
}

/// How far a part was read.
struct Progress {
    reader: Arc<Reader>,
    schema: SchemaRef,
    next: Next,
    left: Option<usize>,
}

impl Progress {
    /// The next batch that has rows.
    async fn step(mut self) -> Result<Option<(RecordBatch, Self)>> {
        while self.left != Some(0) {
            let (page, cursor) = match std::mem::replace(&mut self.next, Next::None) {
                Next::None => return Ok(None),
                Next::At(cursor) => Arc::clone(&self.reader).read(cursor, self.left).await?,
                Next::Coming(mut reading) => match reading.join_next().await {
                    Some(read) => read.map_err(|error| ConnectorError::Unavailable {
                        message: "a page was given up".to_owned(),
                        source: Some(Box::new(error)),
                    })??,
                    None => return Ok(None),
                },
            };
            let batch = self.take(page, cursor)?;
            if batch.num_rows() > 0 {
                return Ok(Some((batch, self)));
            }
        }
        Ok(None)
    }

    /// Sends for the next page, then makes a batch of this one.
    fn take(&mut self, mut page: Page, cursor: Option<Cursor>) -> Result<RecordBatch> {
        let part = &self.reader.part;
        if !part.local.is_empty() {
            page.items.retain(|item| part.local.iter().all(|condition| condition.holds(item)));
        }
        let mut rows = if part.is_counted() { page.count } else { page.items.len() };
        if let Some(left) = &mut self.left {
            rows = rows.min(*left);
            *left -= rows;
        }
        if let Some(cursor) = cursor.filter(|_| self.left != Some(0)) {
            let mut reading = JoinSet::new();
            reading.spawn(Arc::clone(&self.reader).read(cursor, self.left));
            self.next = Next::Coming(reading);
        }
        if part.columns.is_empty() {
            return convert::rows(rows);
        }
        page.items.truncate(rows);
        convert::batch(&part.columns, &self.schema, &part.keys, &page.items)
    }
}

impl Part {
    /// Whether DynamoDB sends numbers of items only.
    fn is_counted(&self) -> bool {
        self.columns.is_empty() && self.local.is_empty() && !matches!(self.access, Access::Get { .. })
    }

    /// The attributes that must come: the columns', those that are looked at here, and the keys by which an error names an
    /// item.
    fn attributes(&self) -> impl Iterator<Item = &str> {
        let looked_at = self.local.iter().flat_map(Condition::columns);
        let keys = self.columns.iter().any(|column| column.kind.refuses_misfits()).then_some(&self.keys);
        let keys = keys.into_iter().flat_map(|keys| std::iter::once(&keys.partition).chain(&keys.sort));
        self.columns.iter().flat_map(Column::attributes).chain(looked_at).chain(keys.map(String::as_str))
    }
}

impl Reader {
    async fn read(self: Arc<Self>, cursor: Cursor, left: Option<usize>) -> Read {
        match &self.part.access {
            Access::Nothing => Ok((Page::default(), None)),
            Access::Scan => self.scan(cursor, left).await,
            Access::Query { index, keys, ranges } => match ranges.get(cursor.at) {
                Some(range) => self.query(index.as_deref(), keys, range, ranges.len(), cursor, left).await,
                None => Ok((Page::default(), None)),
            },
            Access::Get { keys, lookups } => match lookups.as_slice() {
                [lookup] => self.get_one(keys, lookup).await,
                lookups => self.get(keys, lookups, cursor).await,
            },
        }
    }

    fn meter(&self) -> Meter<'_> {
        Meter { measures: &self.measures, pace: self.pace.as_deref() }
    }

    /// The items that a request shall look at; every one of them is a row when nothing is dropped.
    fn page_limit(&self, left: Option<usize>) -> Option<i32> {
        let rows = left.filter(|_| self.part.filter.is_empty() && self.part.local.is_empty());
        let limit = [rows, self.settings.page_size].into_iter().flatten().min()?;
        i32::try_from(limit).ok()
    }

    /// What a request sends: the number of items, or these attributes.
    fn projection(&self, expressions: &mut Expressions) -> (Option<Select>, Option<String>) {
        if self.part.is_counted() {
            return (Some(Select::Count), None);
        }
        let whole = self.part.columns.iter().any(|column| column.kind == Kind::Item);
        let projection = if whole { None } else { expressions.projection(self.part.attributes()) };
        (projection.as_ref().map(|_| Select::SpecificAttributes), projection)
    }

    async fn scan(&self, cursor: Cursor, left: Option<usize>) -> Read {
        let mut expressions = Expressions::default();
        let filter = expressions.filter(&self.part.filter);
        let (select, projection) = self.projection(&mut expressions);
        let mut request = self.client.scan_of(&self.table, &self.settings).await?;
        if let Some((segment, segments)) = self.part.segment.filter(|(_, segments)| *segments > 1) {
            request = request.segment(segment as i32).total_segments(segments as i32);
        }
        let request = request
            .set_filter_expression(filter)
            .set_select(select)
            .set_projection_expression(projection)
            .set_expression_attribute_names(expressions.names())
            .set_expression_attribute_values(expressions.values())
            .set_limit(self.page_limit(left))
            .set_exclusive_start_key(cursor.position);
        let mut page = self.client.scan(&self.table, &request, self.meter()).await?;
        let next = page.next.take().map(|position| Cursor { at: 0, position: Some(position) });
        Ok((page, next))
    }

    async fn query(
        &self,
        index: Option<&str>,
        keys: &Keys,
        range: &Range,
        ranges: usize,
        cursor: Cursor,
        left: Option<usize>,
    ) -> Read {
        let mut expressions = Expressions::default();
        let key_condition = expressions.key_condition(keys, range);
        let filter = expressions.filter(&self.part.filter);
        let (select, projection) = self.projection(&mut expressions);
        let request = self
            .client
            .query_of(&self.table, &self.settings)
            .await?
            .set_index_name(index.map(str::to_owned))
            .key_condition_expression(key_condition)
            .set_scan_index_forward(self.backwards.then_some(false))
            .set_filter_expression(filter)
            .set_select(select)
            .set_projection_expression(projection)
            .set_expression_attribute_names(expressions.names())
            .set_expression_attribute_values(expressions.values())
            .set_limit(self.page_limit(left))
            .set_exclusive_start_key(cursor.position);
        let mut page = self.client.query(&self.table, &request, self.meter()).await?;
        let next = match page.next.take() {
            Some(position) => Some(Cursor { at: cursor.at, position: Some(position) }),
            None => (cursor.at + 1 < ranges).then_some(Cursor { at: cursor.at + 1, position: None }),
        };
        Ok((page, next))
    }

    /// The attributes that come of items that are got.
    fn got(&self, keys: &Keys, expressions: &mut Expressions) -> Option<String> {
        // Something must come of an item that is only counted.
        let needed = self.part.attributes().next().is_none().then_some(keys.partition.as_str());
        expressions.projection(self.part.attributes().chain(needed))
    }

    /// The item of one key, which is asked for by a request of its own: servers answer it sooner than one for several.
    async fn get_one(&self, keys: &Keys, lookup: &Lookup) -> Read {
        let mut expressions = Expressions::default();
        let projection = self.got(keys, &mut expressions);
        let request = self
            .client
            .item_of(&self.table, &self.settings)
            .await?
            .set_key(Some(lookup.key(keys)))
            .set_projection_expression(projection)
            .set_expression_attribute_names(expressions.names());
        let items: Vec<Item> = self.client.item(&self.table, &request, self.meter()).await?.into_iter().collect();
        Ok((Page { count: items.len(), items, next: None }, None))
    }

    async fn get(&self, keys: &Keys, lookups: &[Lookup], cursor: Cursor) -> Read {
        let end = lookups.len().min(cursor.at + KEYS_OF_A_REQUEST);
        let mut expressions = Expressions::default();
        let projection = self.got(keys, &mut expressions);
        let mut request = KeysAndAttributes::builder()
            .consistent_read(self.settings.consistent_read)
            .set_projection_expression(projection)
            .set_expression_attribute_names(expressions.names());
        for lookup in lookups.get(cursor.at..end).unwrap_or_default() {
            request = request.keys(lookup.key(keys));
        }
        let request = request.build().map_err(|error| ConnectorError::InvalidArgument(error.to_string()))?;
        let items = self.client.get(&self.table, request, self.meter()).await?;
        let next = (end < lookups.len()).then_some(Cursor { at: end, position: None });
        Ok((Page { count: items.len(), items, next: None }, next))
    }
}
