//! A foreign system in memory. Its table `orders` has eight rows in four splits; what it decides of conditions differs
//! by column, as real systems differ. `dies` fails after its rows, `waits` gives nothing more for ever.

use crate::retyped::Retyped;
use crate::stream::{Events, Stream};
use arrow::array::{ArrayRef, Decimal128Array, Int64Array, StringViewArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use async_trait::async_trait;
use futures::StreamExt;
use millrace_connectors::{
    Aggregate, AggregateRequest, BatchStream, Checkpoint, Comparison, Connector, ConnectorError, Declaration, Factory,
    Measures, OptionSpec, Options, Order, Predicate, Pushdown, Result, SUPER_METADATA, ScanRequest, Split, Value,
};
use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering as Atomic};
use std::sync::{Arc, Mutex};

/// The system.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    requests: Mutex<Vec<ScanRequest>>,
    /// Splits in the order in which they were begun and ended.
    events: Mutex<Vec<String>>,
    /// Whether it does not answer.
    pub(crate) down: AtomicBool,
    /// How many rows it says that its tables have, if not eight.
    pub(crate) said_rows: AtomicU64,
    /// How often its tables were listed.
    pub(crate) listings: AtomicUsize,
    /// How many scans were begun.
    pub(crate) scans: AtomicUsize,
    /// What the last connector was made with.
    pub(crate) options: Mutex<Options>,
    /// Whether it computes aggregates.
    pub(crate) computes: AtomicBool,
    /// Aggregates that were asked for.
    aggregations: Mutex<Vec<AggregateRequest>>,
    /// The stream of the kind `kinesis`.
    pub(crate) stream: Events,
    /// Items of `items`, as documents, in one split each.
    pub(crate) items: Mutex<Vec<&'static str>>,
}

/// Makes connectors of a kind over one memory.
pub(crate) struct MemoryFactory {
    pub(crate) kind: &'static str,
    pub(crate) memory: Arc<Memory>,
}

impl Factory for MemoryFactory {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn options(&self) -> &'static [OptionSpec] {
        const fn option(name: &'static str, secret: bool) -> OptionSpec {
            OptionSpec { name, required: false, secret }
        }
        const OPTIONS: &[OptionSpec] = &[
            option("endpoint", false),
            option("user", false),
            option("password", true),
            option("page_size", false),
            // Those of a COPY.
            option("items", false),
            option("read_ratio", false),
            option("region", false),
            option("access_key_id", false),
            option("secret_access_key", true),
        ];
        if self.kind == "dynamodb" { OPTIONS } else { OPTIONS.split_at(4).0 }
    }

    fn connect(&self, options: &Options) -> Result<Arc<dyn Connector>> {
        if options.get("page_size").is_some_and(|size| size.parse::<u32>().is_err()) {
            return Err(ConnectorError::InvalidArgument("\"page_size\" takes a number".to_owned()));
        }
        *self.memory.options.lock().unwrap() = options.clone();
        if self.kind == "kinesis" {
            return Ok(Arc::new(Stream(Arc::clone(&self.memory))));
        }
        Ok(Arc::new(Shop(Arc::clone(&self.memory))))
    }

    fn declare(&self, options: &Options, declared: &Declaration) -> Result<Arc<dyn Connector>> {
        Ok(Arc::new(Retyped { system: self.connect(options)?, declared: declared.clone() }))
    }
}

/// A row of `orders`.
#[derive(Debug, Clone, Copy)]
struct Row {
    id: i64,
    name: Option<&'static str>,
    /// With two digits after the point.
    price: Option<i128>,
    /// Microseconds.
    at: Option<i64>,
    document: Option<&'static str>,
}

const HOUR: i64 = 3_600_000_000;

const ORDERS: [Row; 8] = [
    Row { id: 1, name: Some("apple"), price: Some(150), at: Some(0), document: Some("{\"a\":1}") },
    Row { id: 2, name: Some("apricot"), price: Some(250), at: Some(HOUR), document: None },
    Row { id: 3, name: Some("banana"), price: None, at: Some(2 * HOUR), document: Some("[1,2]") },
    Row { id: 4, name: None, price: Some(100), at: Some(24 * HOUR), document: None },
    Row { id: 5, name: Some("cherry"), price: Some(999), at: None, document: Some("\"x\"") },
    Row { id: 6, name: Some("Apple"), price: Some(150), at: Some(25 * HOUR), document: None },
    Row { id: 7, name: Some("a%b"), price: Some(-5), at: Some(26 * HOUR), document: None },
    Row { id: 8, name: Some("apple pie"), price: Some(0), at: Some(48 * HOUR), document: None },
];

impl Row {
    fn value(&self, column: &str) -> Option<Value> {
        match column {
            "id" => Some(Value::Integer(self.id)),
            "Name" => self.name.map(|name| Value::Text(name.to_owned())),
            "price" => self.price.map(|price| Value::Decimal(price, 2)),
            "at" => self.at.map(Value::Timestamp),
            _ => self.document.map(|text| Value::Text(text.to_owned())),
        }
    }

    /// SQL's three truth values.
    fn satisfies(&self, predicate: &Predicate) -> Option<bool> {
        match predicate {
            Predicate::Compare { column, comparison, value } => {
                let order = compare(&self.value(column)?, value);
                Some(match comparison {
                    Comparison::Eq => order == Ordering::Equal,
                    Comparison::NotEq => order != Ordering::Equal,
                    Comparison::Lt => order == Ordering::Less,
                    Comparison::LtEq => order != Ordering::Greater,
                    Comparison::Gt => order == Ordering::Greater,
                    Comparison::GtEq => order != Ordering::Less,
                })
            }
            Predicate::In { column, values } => {
                let own = self.value(column)?;
                Some(values.iter().any(|value| compare(&own, value) == Ordering::Equal))
            }
            Predicate::InRows { columns, rows } => {
                let own = columns.iter().map(|column| self.value(column)).collect::<Option<Vec<_>>>()?;
                let equal = |row: &Vec<Value>| own.iter().zip(row).all(|(a, b)| compare(a, b) == Ordering::Equal);
                Some(rows.iter().any(equal))
            }
            Predicate::Prefix { column, prefix } => match self.value(column)? {
                Value::Text(text) => Some(text.starts_with(prefix)),
                other => panic!("{other:?} begins with no text"),
            },
            Predicate::IsNull(column) => Some(self.value(column).is_none()),
            Predicate::IsNotNull(column) => Some(self.value(column).is_some()),
            Predicate::FullText { text, .. } => Some(self.name.is_some_and(|name| name.contains(text.as_str()))),
            Predicate::And(parts) => self.decided(parts, false),
            Predicate::Or(parts) => self.decided(parts, true),
            Predicate::Not(inner) => self.satisfies(inner).map(|found| !found),
        }
    }

    /// What one part alone decides (false for AND, true for OR), NULL, or else the opposite.
    fn decided(&self, parts: &[Predicate], decisive: bool) -> Option<bool> {
        let found: Vec<_> = parts.iter().map(|part| self.satisfies(part)).collect();
        if found.contains(&Some(decisive)) {
            Some(decisive)
        } else if found.contains(&None) {
            None
        } else {
            Some(!decisive)
        }
    }
}

fn compare(one: &Value, other: &Value) -> Ordering {
    match (one, other) {
        (Value::Integer(one), Value::Integer(other)) => one.cmp(other),
        (Value::Text(one), Value::Text(other)) => one.cmp(other),
        (Value::Timestamp(one), Value::Timestamp(other)) => one.cmp(other),
        (Value::Decimal(one, 2), Value::Decimal(other, 2)) => one.cmp(other),
        other => panic!("not compared: {other:?}"),
    }
}

/// What the system decides of a condition: all of `id`, `at` and of full text, equality of `Name`, some of its
/// beginnings, nothing of `price`; whether documents are NULL.
fn decides(predicate: &Predicate) -> Pushdown {
    let by_column = |column: &str, exact: &[&str]| {
        if exact.contains(&column) { Pushdown::Exact } else { Pushdown::Unsupported }
    };
    match predicate {
        Predicate::Compare { column, comparison: Comparison::Eq, .. } => by_column(column, &["id", "at", "Name"]),
        Predicate::Compare { column, .. } | Predicate::In { column, .. } => by_column(column, &["id", "at"]),
        Predicate::InRows { columns, .. } if columns.iter().all(|column| matches!(column.as_str(), "id" | "at")) => {
            Pushdown::Exact
        }
        Predicate::Prefix { column, .. } if column == "Name" => Pushdown::Inexact,
        Predicate::InRows { .. } | Predicate::Prefix { .. } => Pushdown::Unsupported,
        Predicate::IsNull(_) | Predicate::IsNotNull(_) | Predicate::FullText { .. } => Pushdown::Exact,
        Predicate::And(parts) | Predicate::Or(parts) => {
            let all = parts.iter().all(|part| decides(part) == Pushdown::Exact);
            if all { Pushdown::Exact } else { Pushdown::Unsupported }
        }
        Predicate::Not(inner) if decides(inner) == Pushdown::Exact => Pushdown::Exact,
        Predicate::Not(_) => Pushdown::Unsupported,
    }
}

impl Memory {
    /// The requests since this was asked last.
    pub(crate) fn take_requests(&self) -> Vec<ScanRequest> {
        let mut requests = std::mem::take(&mut *self.requests.lock().unwrap());
        requests.dedup();
        requests
    }

    /// The one request since this was asked last.
    pub(crate) fn take_request(&self) -> ScanRequest {
        let mut requests = self.take_requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.remove(0)
    }

    /// The aggregates that were asked for since this was asked last.
    pub(crate) fn take_aggregations(&self) -> Vec<AggregateRequest> {
        std::mem::take(&mut *self.aggregations.lock().unwrap())
    }

    /// What happened to splits since this was asked last.
    pub(crate) fn take_events(&self) -> Vec<String> {
        std::mem::take(&mut *self.events.lock().unwrap())
    }

    fn note(&self, event: String) {
        self.events.lock().unwrap().push(event);
    }
}

/// What reading a split of `waits` has open.
struct Open(Arc<Memory>, String);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.note(format!("close {}", self.1));
    }
}

/// The connector.
#[derive(Debug)]
struct Shop(Arc<Memory>);

impl Shop {
    fn check(&self) -> Result<()> {
        if self.0.down.load(Atomic::Relaxed) {
            let source = Some(Box::from(std::io::Error::other("connection refused")));
            return Err(ConnectorError::Unavailable { message: "the shop does not answer".to_owned(), source });
        }
        Ok(())
    }
}

fn schema() -> SchemaRef {
    let document = HashMap::from([(SUPER_METADATA.to_owned(), String::new())]);
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("Name", DataType::Utf8View, true),
        Field::new("price", DataType::Decimal128(10, 2), true),
        Field::new("at", DataType::Timestamp(TimeUnit::Microsecond, None), true),
        Field::new("document", DataType::Utf8View, true).with_metadata(document),
    ]))
}

fn batch(rows: &[Row], columns: &[String]) -> RecordBatch {
    let column = |name: &String| -> ArrayRef {
        match name.as_str() {
            "id" => Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.id))),
            "Name" => Arc::new(rows.iter().map(|row| row.name).collect::<StringViewArray>()),
            "price" => {
                let prices = rows.iter().map(|row| row.price).collect::<Decimal128Array>();
                Arc::new(prices.with_precision_and_scale(10, 2).unwrap())
            }
            "at" => Arc::new(rows.iter().map(|row| row.at).collect::<TimestampMicrosecondArray>()),
            _ => Arc::new(rows.iter().map(|row| row.document).collect::<StringViewArray>()),
        }
    };
    let all = schema();
    let fields: Vec<Field> = columns.iter().map(|name| all.field_with_name(name).unwrap().clone()).collect();
    let count = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    let columns = columns.iter().map(column).collect();
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &count).unwrap()
}

#[async_trait]
impl Connector for Shop {
    async fn tables(&self) -> Result<Vec<String>> {
        self.0.listings.fetch_add(1, Atomic::Relaxed);
        self.check()?;
        Ok(["orders", "Mixed", "chain", "dies", "denied"].map(str::to_owned).to_vec())
    }

    async fn schema(&self, table: &str) -> Result<SchemaRef> {
        self.check()?;
        match table {
            "orders" | "Mixed" | "chain" | "dies" | "waits" | "orders-*" => Ok(schema()),
            "items" => {
                let document = HashMap::from([(SUPER_METADATA.to_owned(), String::new())]);
                let item = Field::new("item", DataType::Utf8View, false).with_metadata(document);
                Ok(Arc::new(Schema::new(vec![item])))
            }
            "denied" => Err(ConnectorError::AccessDenied("no key".to_owned())),
            _ => Err(ConnectorError::NotFound { kind: "index", name: table.to_owned() }),
        }
    }

    fn pushdown(&self, _table: &str, predicates: &[Predicate]) -> Vec<Pushdown> {
        predicates.iter().map(decides).collect()
    }

    fn orders(&self, _table: &str, order: &[Order]) -> bool {
        matches!(order, [one] if one.column == "id")
    }

    async fn row_count(&self, _table: &str) -> Result<Option<u64>> {
        let said = self.0.said_rows.load(Atomic::Relaxed);
        Ok(Some(if said == 0 { 8 } else { said }))
    }

    fn describe(&self, request: &ScanRequest) -> String {
        format!("shop {} conditions={}", request.table, request.predicates.len())
    }

    /// Groups by name; all but bounds and sums of prices.
    fn aggregates(&self, request: &AggregateRequest) -> bool {
        let is_computed = |aggregate: &Aggregate| match aggregate {
            Aggregate::Rows | Aggregate::Values(_) => true,
            Aggregate::Min(column) | Aggregate::Max(column) | Aggregate::Sum(column) => column == "id",
        };
        self.0.computes.load(Atomic::Relaxed)
            && request.groups.iter().all(|name| name == "Name")
            && request.aggregates.iter().all(is_computed)
    }

    fn describe_aggregates(&self, request: &AggregateRequest) -> String {
        format!("shop {} groups={:?} aggregates={}", request.rows.table, request.groups, request.aggregates.len())
    }

    /// The rows of `Mixed` cannot be aggregated exactly.
    async fn aggregate(&self, request: &AggregateRequest, measures: &Arc<Measures>) -> Result<Option<RecordBatch>> {
        self.check()?;
        measures.requests.fetch_add(1, Atomic::Relaxed);
        self.0.aggregations.lock().unwrap().push(request.clone());
        if request.rows.table == "Mixed" {
            return Ok(None);
        }
        let kept = |row: &&Row| request.rows.predicates.iter().all(|predicate| row.satisfies(predicate) == Some(true));
        let mut groups: Vec<Vec<Row>> = Vec::new();
        for row in ORDERS.iter().filter(kept) {
            match groups.iter_mut().find(|group| request.groups.is_empty() || group[0].name == row.name) {
                Some(group) => group.push(*row),
                None => groups.push(vec![*row]),
            }
        }
        if groups.is_empty() && request.groups.is_empty() {
            groups.push(Vec::new());
        }
        let ids = |group: &Vec<Row>| group.iter().map(|row| row.id).collect::<Vec<_>>();
        let names = request
            .groups
            .iter()
            .map(|_| -> ArrayRef { Arc::new(groups.iter().map(|group| group[0].name).collect::<StringViewArray>()) });
        let computed = request.aggregates.iter().map(|aggregate| -> ArrayRef {
            match aggregate {
                Aggregate::Rows => Arc::new(Int64Array::from_iter_values(groups.iter().map(|g| g.len() as i64))),
                Aggregate::Values(column) => {
                    let values = |group: &Vec<Row>| group.iter().filter(|row| row.value(column).is_some()).count();
                    Arc::new(Int64Array::from_iter_values(groups.iter().map(|group| values(group) as i64)))
                }
                Aggregate::Min(_) => Arc::new(groups.iter().map(|g| ids(g).into_iter().min()).collect::<Int64Array>()),
                Aggregate::Max(_) => Arc::new(groups.iter().map(|g| ids(g).into_iter().max()).collect::<Int64Array>()),
                Aggregate::Sum(_) => {
                    let sum = |group: &Vec<Row>| ids(group).into_iter().map(i128::from).reduce(|a, b| a + b);
                    let sums = groups.iter().map(sum).collect::<Decimal128Array>();
                    Arc::new(sums.with_precision_and_scale(38, 0).unwrap())
                }
            }
        });
        let columns: Vec<ArrayRef> = names.chain(computed).collect();
        let fields = columns.iter().map(|column| Field::new("", column.data_type().clone(), true)).collect::<Vec<_>>();
        let rows = RecordBatchOptions::new().with_row_count(Some(groups.len()));
        Ok(Some(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &rows).unwrap()))
    }

    async fn splits(&self, request: &ScanRequest, _parallelism: usize) -> Result<Vec<Split>> {
        let split = |at: u8| {
            let after = if request.table == "chain" && at > 0 { vec![(at - 1).to_string()] } else { Vec::new() };
            Split { id: at.to_string(), payload: vec![at], after }
        };
        if request.table == "items" {
            return Ok((0..self.0.items.lock().unwrap().len() as u8).map(split).collect());
        }
        Ok([2, 0, 1, 3].map(split).to_vec())
    }

    async fn scan(&self, request: &ScanRequest, split: &Split, measures: &Arc<Measures>) -> Result<BatchStream> {
        self.check()?;
        self.0.scans.fetch_add(1, Atomic::Relaxed);
        self.0.requests.lock().unwrap().push(request.clone());
        measures.requests.fetch_add(1, Atomic::Relaxed);
        measures.capacity_milliunits.fetch_add(500, Atomic::Relaxed);
        if request.table == "items" {
            let item = self.0.items.lock().unwrap()[usize::from(split.payload[0])];
            measures.bytes.fetch_add(item.len() as u64, Atomic::Relaxed);
            let column: ArrayRef = Arc::new(StringViewArray::from(vec![item]));
            let page = RecordBatch::try_from_iter([("item", column)]).unwrap();
            return Ok(futures::stream::iter([Ok(page)]).boxed());
        }
        let own = ORDERS.iter().filter(|row| row.id % 4 == i64::from(split.payload[0]));
        let kept = |row: &&Row| request.predicates.iter().all(|predicate| row.satisfies(predicate) == Some(true));
        measures.rows_examined.fetch_add(own.clone().count() as u64, Atomic::Relaxed);
        let mut rows: Vec<Row> = own.filter(kept).copied().collect();
        if let [order] = request.order.as_slice() {
            rows.sort_by_key(|row| if order.descending { -row.id } else { row.id });
        }
        rows.truncate(request.limit.unwrap_or(usize::MAX));
        self.0.note(format!("begin {}", split.id));
        let (memory, end) = (Arc::clone(&self.0), format!("end {}", split.id));
        let broken = (request.table == "dies").then(|| ConnectorError::BadData("a record is no JSON".to_owned()));
        let columns = request.columns.clone();
        if request.table == "waits" {
            let open = Open(memory, split.id.clone());
            let waits = futures::stream::once(async move {
                let _open = open;
                std::future::pending().await
            });
            return Ok(futures::stream::iter(rows).map(move |row| Ok(batch(&[row], &columns))).chain(waits).boxed());
        }
        let batches = rows.into_iter().map(move |row| Ok(batch(&[row], &columns))).chain(broken.map(Err));
        let end = futures::stream::once(async move {
            memory.note(end);
            None
        });
        Ok(futures::stream::iter(batches).map(Some).chain(end).filter_map(std::future::ready).boxed())
    }

    async fn checkpoint(&self, _request: &ScanRequest, _split: &Split) -> Result<Option<Checkpoint>> {
        Ok(None)
    }
}
