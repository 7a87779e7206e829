//! The trait that a foreign system implements.
//!
//! A scan is negotiated, split, then read:
//! 1. [`Connector::schema`] tells a table's columns.
//! 2. [`Connector::pushdown`] tells, for each condition, whether the system decides it exactly, narrows by it, or
//!    leaves it to the engine.
//!    [`Connector::orders`] tells whether it can give its rows in an order.
//! 3. [`Connector::splits`] divides the request into parts that may be read at the same time; the union of all splits
//!    is the table, and no row is in two.
//! 4. [`Connector::scan`] reads one split. Batches have the request's columns in the request's order. What the reading
//!    costs is counted in [`Measures`] while it goes on.
//!
//! Instead of rows, [`Connector::aggregate`] gives what is computed of them, where [`Connector::aggregates`] says that
//! the system can.
//!
//! [`Connector::describe`] says in a line what the system would be asked, for EXPLAIN.
//!
//! A source that is read further each time (a stream) gives a [`Checkpoint`] for each split at its end. Reading again
//! from a checkpoint gives exactly the rows that came after it, so a caller that commits checkpoint and rows together
//! loses and doubles nothing.

use crate::error::Result;
use crate::predicate::Predicate;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use futures::stream::BoxStream;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

/// Record batches as they arrive; dropping the stream closes what it opened.
pub type BatchStream = BoxStream<'static, Result<RecordBatch>>;

/// The key that marks a text column of JSON values (SUPER) in its field's metadata; its value is empty.
pub const SUPER_METADATA: &str = "millrace.super";

/// Bad records of a split that are told of.
const BAD_RECORDS: usize = 1000;

/// How much of a condition the system decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushdown {
    /// Every row that comes satisfies it: the engine need not look again.
    Exact,
    /// Fewer rows come, but some may not satisfy it.
    Inexact,
    /// The system does not see it.
    Unsupported,
}

/// A column that rows are ordered by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The column.
    pub column: String,
    /// Largest first.
    pub descending: bool,
    /// NULLs before all others.
    pub nulls_first: bool,
}

/// What the reading of one scan cost, counted while it goes on, over all its splits.
#[derive(Debug, Default)]
pub struct Measures {
    /// Requests that were sent, repeated ones too.
    pub requests: AtomicU64,
    /// Requests that were sent again after a failure or because the system was too busy.
    pub retries: AtomicU64,
    /// Rows that the system looked at, where it tells.
    pub rows_examined: AtomicU64,
    /// Bytes of payload that came.
    pub bytes: AtomicU64,
    /// Capacity that the system says was consumed, in thousandths of its unit.
    pub capacity_milliunits: AtomicU64,
    /// What was seen of a stream's splits, by their names.
    reports: Mutex<BTreeMap<String, SplitReport>>,
}

impl Measures {
    /// Adds to what is told of a stream's split.
    pub fn tell(&self, split: &str, seen: SplitReport) {
        let mut reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(report) = reports.get_mut(split) {
            report.add(seen);
        } else {
            reports.entry(split.to_owned()).or_default().add(seen);
        }
    }

    /// What is told of a stream's split.
    pub fn report(&self, split: &str) -> SplitReport {
        let reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        reports.get(split).cloned().unwrap_or_default()
    }
}

/// What is to be read of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct ScanRequest {
    /// The table, stream or index.
    pub table: String,
    /// The columns, in order; empty when only rows are counted.
    pub columns: Vec<String>,
    /// Conditions that the connector accepted, joined by AND.
    pub predicates: Vec<Predicate>,
    /// No more rows than this are needed, where the engine knows; with an order, the first ones of each split.
    pub limit: Option<usize>,
    /// The order of each split's rows, of those that the connector said it can give; empty for any order.
    pub order: Vec<Order>,
    /// Where to go on, by split; empty to begin at the beginning.
    pub checkpoints: Vec<Checkpoint>,
}

/// What is computed of a group's rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Aggregate {
    /// How many there are, as a 64-bit integer.
    Rows,
    /// How many have a value in this column, as a 64-bit integer.
    Values(String),
    /// The least value of a column, in its type.
    Min(String),
    /// The greatest value of a column, in its type.
    Max(String),
    /// The sum of a column of whole numbers, as a decimal of 38 digits.
    Sum(String),
}

/// Groups of rows and what is computed of each.
#[derive(Debug, Clone, PartialEq)]
pub struct AggregateRequest {
    /// Which rows: a table and conditions that the system decides exactly. Columns, limit and order say nothing here.
    pub rows: ScanRequest,
    /// The columns that rows of a group have in common, NULL being a value; without any there is one group.
    pub groups: Vec<String>,
    /// What is computed.
    pub aggregates: Vec<Aggregate>,
}

/// A part of a scan that can be read by itself, also on another machine: it is plain data.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Split {
    /// A name that is stable from one scan to the next: a shard, a segment, a slice.
    pub id: String,
    /// The connector's own description of the part.
    pub payload: Vec<u8>,
    /// Splits that must be read to their end before this one.
    pub after: Vec<String>,
}

/// How far a split was read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Checkpoint {
    /// The split.
    pub split: String,
    /// The connector's own position in it.
    pub position: String,
}

/// What the reading of a stream's split came to, beside its rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SplitReport {
    /// Records that were read, with those that were left out.
    pub rows: u64,
    /// Records that were left out because they are not what was declared.
    pub skipped: u64,
    /// Bytes of records that were read.
    pub bytes: u64,
    /// When the earliest of them came, in microseconds since the epoch.
    pub first_us: Option<i64>,
    /// When the latest of them came.
    pub last_us: Option<i64>,
    /// The first ones of those that are not what was declared, 1,000 at most.
    pub bad: Vec<BadRecord>,
}

impl SplitReport {
    fn add(&mut self, seen: Self) {
        self.rows += seen.rows;
        self.skipped += seen.skipped;
        self.bytes += seen.bytes;
        self.first_us = [self.first_us, seen.first_us].into_iter().flatten().min();
        self.last_us = self.last_us.max(seen.last_us);
        let room = BAD_RECORDS.saturating_sub(self.bad.len());
        self.bad.extend(seen.bad.into_iter().take(room));
    }
}

/// A record that is not what was declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRecord {
    /// Where it is in its split.
    pub position: String,
    /// When it came, in microseconds since the epoch.
    pub at_us: Option<i64>,
    /// Why it is bad.
    pub reason: String,
}

/// A foreign system whose tables can be read.
#[async_trait]
pub trait Connector: Debug + Send + Sync {
    /// The names of its tables.
    async fn tables(&self) -> Result<Vec<String>>;

    /// A table's columns.
    async fn schema(&self, table: &str) -> Result<SchemaRef>;

    /// How much of each condition the system decides, one answer each, in order.
    fn pushdown(&self, table: &str, predicates: &[Predicate]) -> Vec<Pushdown>;

    /// Whether a split's rows can come in this order.
    fn orders(&self, _table: &str, _order: &[Order]) -> bool {
        false
    }

    /// The same for the rows of one request, whose conditions may decide it: a key-value table is in the order of its
    /// sort key only where the partition key is given.
    fn orders_request(&self, request: &ScanRequest, order: &[Order]) -> bool {
        self.orders(&request.table, order)
    }

    /// About how many rows a table has, where the system tells it cheaply.
    async fn row_count(&self, _table: &str) -> Result<Option<u64>> {
        Ok(None)
    }

    /// What the system is asked for a request, in a line, e.g. `DynamoDB Query on index gsi1: pk = 'a'`.
    fn describe(&self, request: &ScanRequest) -> String;

    /// Whether the system computes these aggregates as SQL does, as far as can be told without asking it.
    fn aggregates(&self, _request: &AggregateRequest) -> bool {
        false
    }

    /// What the system is asked for aggregates, in a line.
    fn describe_aggregates(&self, request: &AggregateRequest) -> String {
        self.describe(&request.rows)
    }

    /// Aggregates as the system computes them: the columns of the groups, then those of the aggregates, a row a group.
    /// `None` when it turns out that its answer would not be exact, or would be too large: then the rows must be read.
    async fn aggregate(&self, _request: &AggregateRequest, _measures: &Arc<Measures>) -> Result<Option<RecordBatch>> {
        Ok(None)
    }

    /// How many splits are read at the same time where so many cores compute of their rows.
    fn splits_at_once(&self, cores: usize) -> usize {
        cores
    }

    /// The parts of a scan; at most `parallelism` of them are read at the same time. They are asked for when a query is
    /// planned, and read with an order or a lower limit than was known then, so they depend on the table, the
    /// predicates and the checkpoints only; or not at all, so nothing is opened for them yet that must be closed.
    async fn splits(&self, request: &ScanRequest, parallelism: usize) -> Result<Vec<Split>>;

    /// Reads one part.
    async fn scan(&self, request: &ScanRequest, split: &Split, measures: &Arc<Measures>) -> Result<BatchStream>;

    /// Whether its tables are streams: whoever reads them goes on from checkpoints.
    fn is_stream(&self) -> bool {
        false
    }

    /// Up to when a stream has dropped records by now that came after a time, where it has or may have; `None` when all
    /// of them can still be read. Times are in microseconds since the epoch.
    async fn dropped_until(&self, _table: &str, _since_us: i64) -> Result<Option<i64>> {
        Ok(None)
    }

    /// Where a later scan goes on after this part was read to its end; `None` for tables that have no order.
    async fn checkpoint(&self, request: &ScanRequest, split: &Split) -> Result<Option<Checkpoint>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_bad_records_are_told_of_than_there_is_room_for() {
        let bad = |count| vec![BadRecord { position: "1".to_owned(), at_us: None, reason: "bad".to_owned() }; count];
        let seen = |rows, first_us, count| SplitReport {
            rows,
            skipped: count as u64,
            first_us: Some(first_us),
            last_us: Some(first_us),
            bad: bad(count),
            ..SplitReport::default()
        };
        let measures = Measures::default();
        measures.tell("shard", seen(2000, 5, 1500));
        let SplitReport { rows, skipped, bad, .. } = measures.report("shard");
        assert_eq!((rows, skipped, bad.len()), (2000, 1500, BAD_RECORDS));
        measures.tell("shard", seen(10, 3, 10));
        let SplitReport { rows, skipped, first_us, last_us, bad, .. } = measures.report("shard");
        assert_eq!((rows, skipped, bad.len()), (2010, 1510, BAD_RECORDS));
        assert_eq!((first_us, last_us), (Some(3), Some(5)));
    }
}
