//! Search indices: Elasticsearch 7 and 8, OpenSearch 1 to 3.
//!
//! A table is an index, an alias, a data stream, or any pattern or list of them (`logs-*`, `a,b`). Its columns come
//! from the mappings ([`mapping`]); conditions become one query ([`query`]) where the server's meaning is SQL's
//! ([`leaf`]), full-text conditions always; rows are read page by page in a point in time ([`scan`]), several parts at
//! once ([`split`]), or not at all where the server's aggregations say what is asked of them ([`aggregate`]).
//!
//! Invariant: a row is never missing silently. What the server answers only in part is an error, a document that does
//! not fit its mapping is an error that names it, and a condition that the server could understand otherwise stays with
//! the engine.

mod aggregate;
mod client;
mod config;
mod convert;
mod cursor;
mod dates;
mod declared;
mod describe;
mod field;
mod json;
mod leaf;
mod mapping;
mod node;
mod page;
mod query;
mod scan;
mod sources;
mod split;
#[cfg(test)]
mod tests;
mod tree;

use crate::connector::{
    AggregateRequest, BatchStream, Checkpoint, Connector, Measures, Order, Pushdown, ScanRequest, Split,
};
use crate::declared::Declaration;
use crate::error::{ConnectorError, Result};
use crate::predicate::{Comparison, Predicate, Value as Constant};
use crate::registry::{Factory, OptionSpec, Options};
use aggregate::Aggregation;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use async_trait::async_trait;
use client::{Client, Failure, Request};
use config::{Arrays, Config};
use convert::Converter;
use cursor::Flavour;
use futures::StreamExt;
use mapping::{LIMIT, Limits, Mapping};
use node::Node;
use query::Translator;
use reqwest::Method;
use scan::Plan;
use serde_json::{Value, json};
use split::{Part, Wanted};
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;

/// Mappings that are kept; when there are more, all are read again.
const MAPPINGS_MAX: usize = 1_000;
/// Parts that are read at the same time for each core that computes.
const PARTS_A_CORE: usize = 2;
/// Values whose documents are looked up in one page.
const LOOKED_UP_MAX: usize = 1_000;
/// Rows of a batch that has no columns.
const COUNTED_ROWS_MAX: u64 = 65_536;

/// The kind `opensearch`, or `elasticsearch`: they differ in nothing but the name, each speaks to both.
pub struct SearchFactory {
    kind: &'static str,
    product: &'static str,
}

impl SearchFactory {
    /// The kind `opensearch`.
    pub fn opensearch() -> SearchFactory {
        SearchFactory { kind: "opensearch", product: "OpenSearch" }
    }

    /// The kind `elasticsearch`.
    pub fn elasticsearch() -> SearchFactory {
        SearchFactory { kind: "elasticsearch", product: "Elasticsearch" }
    }
}

impl Factory for SearchFactory {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn options(&self) -> &'static [OptionSpec] {
        config::OPTIONS
    }

    fn connect(&self, options: &Options) -> Result<Arc<dyn Connector>> {
        Ok(Arc::new(self.search(options, None)?))
    }

    fn declare(&self, options: &Options, declared: &Declaration) -> Result<Arc<dyn Connector>> {
        let search = self.search(options, Some(declared.clone()))?;
        // Types are checked without a server.
        declared::declare(&Mapping::default(), declared)?;
        Ok(Arc::new(search))
    }
}

impl SearchFactory {
    fn search(&self, options: &Options, declared: Option<Declaration>) -> Result<Search> {
        let config = Config::new(options)?;
        Ok(Search {
            product: self.product,
            client: Arc::new(Client::new(&config)?),
            page_size: config.page_size,
            slices: config.slices,
            arrays: config.arrays,
            declared,
            flavour: OnceCell::new(),
            mappings: Mutex::default(),
        })
    }
}

/// A search server.
struct Search {
    product: &'static str,
    client: Arc<Client>,
    page_size: usize,
    slices: Option<usize>,
    arrays: Arrays,
    /// The columns of all tables, where they are declared.
    declared: Option<Declaration>,
    flavour: OnceCell<Flavour>,
    /// By table, as last read.
    mappings: Mutex<HashMap<String, Arc<Mapping>>>,
}

impl fmt::Debug for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(self.product).finish_non_exhaustive()
    }
}

impl Search {
    async fn flavour(&self, measures: &Measures) -> Result<Flavour> {
        let flavour = self.flavour.get_or_try_init(|| async {
            Flavour::new(&self.client.ask(&Request::new(Method::GET, &[], &[]), measures, "/").await?)
        });
        flavour.await.copied()
    }

    fn known(&self, table: &str) -> Option<Arc<Mapping>> {
        self.mappings.lock().unwrap_or_else(PoisonError::into_inner).get(table).cloned()
    }

    async fn read_mapping(&self, table: &str, measures: &Measures) -> Result<Arc<Mapping>> {
        check_name(table)?;
        let answer = self.client.ask(&Request::new(Method::GET, &[table, "_mapping"], &[]), measures, table).await?;
        if answer.as_object().is_some_and(serde_json::Map::is_empty) {
            return Err(client::missing(table));
        }
        let mapping = Mapping::new(&answer, &self.limits(table, measures).await?)?;
        let mapping = Arc::new(match &self.declared {
            Some(declared) => declared::declare(&mapping, declared)?,
            None => mapping,
        });
        let mut mappings = self.mappings.lock().unwrap_or_else(PoisonError::into_inner);
        if mappings.len() >= MAPPINGS_MAX {
            mappings.clear();
        }
        mappings.insert(table.to_owned(), mapping.clone());
        Ok(mapping)
    }

    /// The limits of a table's indices, as far as the server has and tells them.
    async fn limits(&self, table: &str, measures: &Measures) -> Result<Limits> {
        let path = [table, "_settings", LIMIT];
        let query = [("include_defaults", "true"), ("flat_settings", "true")];
        match self.client.send(&Request::new(Method::GET, &path, &query), measures).await {
            Ok(bytes) => Ok(Limits::new(&client::parse(&bytes)?)),
            Err(Failure::Refused { status: 400 | 403 | 404 | 405, .. }) => Ok(Limits::default()),
            Err(failure) => Err(failure.on(table)),
        }
    }

    async fn mapping(&self, table: &str, measures: &Measures) -> Result<Arc<Mapping>> {
        match self.known(table) {
            Some(mapping) => Ok(mapping),
            None => self.read_mapping(table, measures).await,
        }
    }

    /// All conditions as one query.
    fn query(&self, mapping: &Mapping, request: &ScanRequest, part: &Part) -> Result<Node> {
        let translator = Translator { mapping, arrays: self.arrays };
        let mut nodes = vec![];
        for predicate in &request.predicates {
            let translated = translator.translate(predicate).ok_or_else(|| {
                ConnectorError::Unsupported(format!(
                    "a condition that the mapping of \"{}\" has no query for",
                    request.table
                ))
            })?;
            nodes.push(translated.node);
        }
        if let Part::Indices { names, .. } = part {
            nodes.push(Node::Filter(json!({"terms": {"_index": names}})));
        }
        Ok(Node::And(nodes))
    }

    /// Whether one page is likely all.
    fn is_small(&self, request: &ScanRequest) -> bool {
        request.limit.is_some_and(|limit| limit <= self.page_size) || request.predicates.iter().any(is_lookup)
    }
}

#[async_trait]
impl Connector for Search {
    async fn tables(&self) -> Result<Vec<String>> {
        let measures = Measures::default();
        let request = Request::new(Method::GET, &["_resolve", "index", "*"], &[]);
        let names = match self.client.send(&request, &measures).await {
            Ok(bytes) => resolved(&client::parse(&bytes)?),
            // Elasticsearch before 7.9 knows no such request.
            Err(Failure::Refused { status: 400 | 404 | 405, .. }) => {
                let (json, mut names) = ("json", BTreeSet::new());
                for (what, column) in [("indices", "index"), ("aliases", "alias")] {
                    let path = ["_cat", what];
                    let query = [("format", json), ("h", column)];
                    let rows = self.client.ask(&Request::new(Method::GET, &path, &query), &measures, what).await?;
                    names.extend(listed(&rows, column));
                }
                names
            }
            Err(failure) => return Err(failure.on("*")),
        };
        Ok(names.into_iter().filter(|name| !name.starts_with('.')).collect())
    }

    async fn schema(&self, table: &str) -> Result<SchemaRef> {
        Ok(self.read_mapping(table, &Measures::default()).await?.schema())
    }

    fn pushdown(&self, table: &str, predicates: &[Predicate]) -> Vec<Pushdown> {
        // Without a mapping, nothing is known but what only the server can decide.
        let mapping = self.known(table).unwrap_or_default();
        let translator = Translator { mapping: &mapping, arrays: self.arrays };
        predicates.iter().map(|predicate| translator.pushdown(predicate)).collect()
    }

    fn orders(&self, table: &str, order: &[Order]) -> bool {
        self.known(table)
            .is_some_and(|mapping| Translator { mapping: &mapping, arrays: self.arrays }.sort(order, true).is_some())
    }

    async fn row_count(&self, table: &str) -> Result<Option<u64>> {
        check_name(table)?;
        aggregate::count(&self.client, table, &Node::All.json(), &Measures::default()).await.map(Some)
    }

    fn describe(&self, request: &ScanRequest) -> String {
        let slices = self.slices.filter(|_| !self.is_small(request));
        describe::describe(self.product, request, slices)
    }

    fn aggregates(&self, request: &AggregateRequest) -> bool {
        self.known(&request.rows.table).is_some_and(|mapping| {
            Aggregation::new(&mapping, self.arrays, request).is_some()
                && self.pushdown(&request.rows.table, &request.rows.predicates).iter().all(|p| *p == Pushdown::Exact)
        })
    }

    fn describe_aggregates(&self, request: &AggregateRequest) -> String {
        describe::aggregates(self.product, request)
    }

    async fn aggregate(&self, request: &AggregateRequest, measures: &Arc<Measures>) -> Result<Option<RecordBatch>> {
        let table = &request.rows.table;
        check_name(table)?;
        let mapping = self.mapping(table, measures).await?;
        let Some(aggregation) = Aggregation::new(&mapping, self.arrays, request) else { return Ok(None) };
        let query = self.query(&mapping, &request.rows, &Part::All)?.json();
        let flavour = self.flavour(measures).await?;
        aggregate::read(&self.client, flavour, table, &query, &aggregation, measures).await
    }

    /// A part waits for the server most of the time, which has something to do as long as others are asked for.
    fn splits_at_once(&self, cores: usize) -> usize {
        self.slices.unwrap_or(cores * PARTS_A_CORE)
    }

    async fn splits(&self, request: &ScanRequest, parallelism: usize) -> Result<Vec<Split>> {
        check_name(&request.table)?;
        let wanted = self.slices.unwrap_or(parallelism);
        if request.columns.is_empty() || wanted <= 1 || self.is_small(request) {
            return Ok(vec![Part::All.split()]);
        }
        let measures = Measures::default();
        let flavour = self.flavour(&measures).await?;
        let path = [request.table.as_str(), "_search_shards"];
        let answer = self.client.ask(&Request::new(Method::GET, &path, &[]), &measures, &request.table).await?;
        let wanted = Wanted { at_once: wanted, may_wait: true, is_asked_for: self.slices.is_some() };
        let parts = Part::divide((&answer, &request.table), wanted, flavour)?;
        Ok(parts.iter().map(Part::split).collect())
    }

    async fn scan(&self, request: &ScanRequest, split: &Split, measures: &Arc<Measures>) -> Result<BatchStream> {
        let table = &request.table;
        let part = Part::of(split)?;
        let mapping = self.mapping(table, measures).await?;
        let query = self.query(&mapping, request, &part)?;
        // Slices and shards are known to searches only.
        if request.columns.is_empty() && !matches!(part, Part::Slice { .. } | Part::Shards { .. }) {
            let count = aggregate::count(&self.client, table, &query.json(), measures).await?;
            let wanted = request.limit.map_or(count, |limit| count.min(limit as u64));
            return Ok(counted(wanted));
        }
        let columns = request.columns.iter().map(|name| {
            mapping
                .column(name)
                .cloned()
                .ok_or_else(|| ConnectorError::NotFound { kind: "column", name: format!("{table}.{name}") })
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let translator = Translator { mapping: &mapping, arrays: self.arrays };
        let sort = translator
            .sort(&request.order, query.scores())
            .ok_or_else(|| ConnectorError::Unsupported(format!("the order of \"{table}\"")))?;
        let plan = Plan {
            table: table.clone(),
            query: query.json(),
            is_scored: query.scores(),
            sort,
            limit: request.limit,
            page_size: self.page_size,
            is_small: self.is_small(request) && part == Part::All,
            parts: self.slices.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)),
            is_asked_for: self.slices.is_some(),
            part,
            converter: Arc::new(Converter::new(columns, self.arrays)),
        };
        Ok(scan::read(self.client.clone(), self.flavour(measures).await?, plan, measures.clone()))
    }

    async fn checkpoint(&self, _request: &ScanRequest, _split: &Split) -> Result<Option<Checkpoint>> {
        Ok(None)
    }
}

/// Whether a condition leaves few documents, as far as can be told: it names values, which are mostly keys.
fn is_lookup(predicate: &Predicate) -> bool {
    let is_named = |value: &Constant| !matches!(value, Constant::Boolean(_));
    match predicate {
        Predicate::Compare { comparison: Comparison::Eq, value, .. } => is_named(value),
        Predicate::In { values, .. } => values.len() <= LOOKED_UP_MAX && values.iter().all(is_named),
        Predicate::And(parts) => parts.iter().any(is_lookup),
        _ => false,
    }
}

/// Names that go into a request's path. The server's own begin with an underscore.
fn check_name(table: &str) -> Result<()> {
    let is_refused = |byte: u8| byte < 0x20 || matches!(byte, b'/' | b'\\' | b'?' | b'#' | b'"' | b'|' | b' ');
    let is_part = |part: &str| !part.is_empty() && !part.starts_with('_') && part != "." && part != "..";
    if !table.split(',').all(is_part) || table.bytes().any(is_refused) {
        return Err(client::missing(table));
    }
    Ok(())
}

/// The names in an answer of `GET /_resolve/index/*`, without hidden indices.
fn resolved(answer: &Value) -> BTreeSet<String> {
    let lists = ["indices", "aliases", "data_streams"].into_iter().filter_map(|list| answer.get(list)?.as_array());
    let is_shown = |entry: &&Value| {
        let attributes = entry.get("attributes").and_then(Value::as_array);
        !attributes
            .is_some_and(|attributes| attributes.iter().any(|attribute| attribute == "hidden" || attribute == "closed"))
    };
    let names = lists.flatten().filter(is_shown).filter_map(|entry| entry.get("name")?.as_str());
    names.map(str::to_owned).collect()
}

fn listed(rows: &Value, column: &str) -> Vec<String> {
    let rows = rows.as_array().map(Vec::as_slice).unwrap_or_default();
    rows.iter().filter_map(|row| row.get(column)?.as_str()).map(str::to_owned).collect()
}

/// Batches with so many rows and no columns.
fn counted(count: u64) -> BatchStream {
    let sizes =
        (0..count.div_ceil(COUNTED_ROWS_MAX)).map(move |at| COUNTED_ROWS_MAX.min(count - at * COUNTED_ROWS_MAX));
    let batches = sizes.map(|rows| {
        let options = RecordBatchOptions::new().with_row_count(Some(rows as usize));
        RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options)
            .map_err(|error| ConnectorError::BadData(format!("rows cannot be counted: {error}")))
    });
    futures::stream::iter(batches).boxed()
}
