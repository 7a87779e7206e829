//! Finding partitions through an index.
//!
//! 1. The filters become a set of sort keys for each partition key (`key_set`).
//! 2. Each index that could drive the search is asked how much it would read, counting no further than needed; the
//!    least wins. The leading keys are found in the index of names, any other key in the index of values.
//! 3. What the winner yields is checked against all sets.

use super::catalog::Catalog;
use super::connection::Lease;
use super::database::CHUNK;
use super::document::decode;
use super::key_set::{KeySet, Span, exact_names, key_sets, matches, name_spans};
use super::partition_name::partition_name;
use super::sql::{SqlBuilder, Value, sql};
use crate::error::Result;
use crate::model::{Partition, PartitionFilter, Table};

/// Rows fetched at a time from a span of names.
const PAGE: i64 = 10_000;
/// How far the candidates are counted: first cheaply, then, when none is small, as far as large scans justify.
const COUNTED: [i64; 2] = [500, 50_000];

pub(super) const SELECT_SPAN: &str = "SELECT name, document FROM millrace_partition \
     WHERE table_id = $1 AND name >= $2 AND name < $3 ORDER BY name LIMIT $4";
pub(super) const SELECT_KEY_SPAN: &str = "SELECT p.name, p.document \
     FROM millrace_partition_value v CROSS JOIN millrace_partition p \
     WHERE v.table_id = $1 AND v.key_index = $2 AND v.sort_key >= $3 AND v.sort_key < $4 AND p.id = v.partition_id";
pub(super) const SELECT_NAMES: &str = "SELECT name, document FROM millrace_partition WHERE table_id = ";
pub(super) const SELECT_KEY_POINTS: &str = "SELECT p.name, p.document \
     FROM millrace_partition_value v CROSS JOIN millrace_partition p \
     WHERE p.id = v.partition_id AND v.table_id = ";
const COUNT_SPAN: &str = "SELECT COUNT(*) FROM (SELECT 1 AS found FROM millrace_partition \
     WHERE table_id = $1 AND name >= $2 AND name < $3 LIMIT $4) AS counted";
const COUNT_KEY_SPAN: &str = "SELECT COUNT(*) FROM (SELECT 1 AS found FROM millrace_partition_value \
     WHERE table_id = $1 AND key_index = $2 AND sort_key >= $3 AND sort_key < $4 LIMIT $5) AS counted";

/// A stored partition: its encoded name and its document.
pub(super) type Row = (String, String);

/// The index that a search reads.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Driver {
    Names(Vec<String>),
    Spans(Vec<Span>),
    Key(usize),
}

impl Catalog {
    /// The partitions that satisfy all filters, in the order of the keys' types, NULL last.
    pub async fn partitions(&self, table: &Table, filters: &[PartitionFilter]) -> Result<Vec<Partition>> {
        let rows = self.search(table, filters, None).await?;
        rows.iter().map(|row| self.decode_partition(table, row)).collect()
    }

    /// The Hive names (`year=2013/month=1`) of the first partitions that satisfy all filters, in the same order.
    pub async fn partition_names(
        &self,
        table: &Table,
        filters: &[PartitionFilter],
        limit: Option<usize>,
    ) -> Result<Vec<String>> {
        let rows = self.search(table, filters, limit).await?;
        let name = |row| Ok(partition_name(&table.partition_keys, &self.decode_partition(table, row)?.values));
        rows.iter().map(name).collect()
    }

    /// How many partitions the table has.
    pub async fn partition_count(&self, table: &Table) -> Result<u64> {
        let mut lease = self.read().await?;
        let query = sql("SELECT COUNT(*) FROM millrace_partition WHERE table_id = $1").bind(table.id);
        let count = lease.number(query).await?;
        lease.release();
        Ok(count as u64)
    }

    pub(super) fn decode_partition(&self, table: &Table, (_, document): &Row) -> Result<Partition> {
        decode(self.place(), &format!("a partition of relation \"{}.{}\"", table.database, table.name), document)
    }

    async fn search(&self, table: &Table, filters: &[PartitionFilter], limit: Option<usize>) -> Result<Vec<Row>> {
        let Some(sets) = wanted(table, filters)? else { return Ok(Vec::new()) };
        let mut lease = self.read().await?;
        lease.begin_read().await?;
        let rows = find_rows(&mut lease, table.id, &sets, limit.unwrap_or(usize::MAX)).await?;
        lease.end().await?;
        Ok(rows)
    }
}

/// What each key may be; `None` when no partition can satisfy the filters.
pub(super) fn wanted(table: &Table, filters: &[PartitionFilter]) -> Result<Option<Vec<KeySet>>> {
    let sets = key_sets(&table.partition_keys, filters)?;
    let empty = sets.iter().any(|set| matches!(set, KeySet::Points(points) if points.is_empty()));
    Ok((!empty).then_some(sets))
}

/// The first partitions within the sets, by name.
pub(super) async fn find_rows(lease: &mut Lease<'_>, table_id: i64, sets: &[KeySet], limit: usize) -> Result<Vec<Row>> {
    let mut search = Search { lease, table_id, sets, limit };
    let driver = search.choose_driver().await?;
    let mut rows = search.run(&driver).await?;
    if !matches!(driver, Driver::Spans(_)) {
        rows.sort_unstable();
    }
    rows.truncate(limit);
    Ok(rows)
}

/// One search in one state of the database.
struct Search<'a, 'b> {
    lease: &'a mut Lease<'b>,
    table_id: i64,
    sets: &'a [KeySet],
    limit: usize,
}

impl Search<'_, '_> {
    async fn choose_driver(&mut self) -> Result<Driver> {
        if let Some(names) = exact_names(self.sets) {
            return Ok(Driver::Names(names));
        }
        let mut candidates = Vec::new();
        if self.sets.first().is_some_and(|set| *set != KeySet::All) {
            candidates.push(Driver::Spans(name_spans(self.sets)));
        }
        let filtered = self.sets.iter().enumerate().skip(1).filter(|(_, set)| **set != KeySet::All);
        candidates.extend(filtered.map(|(index, _)| Driver::Key(index)));
        for most in COUNTED {
            if candidates.len() < 2 {
                break;
            }
            let mut counts = Vec::with_capacity(candidates.len());
            for candidate in &candidates {
                counts.push(self.count(candidate, most).await?);
            }
            let least = counts.iter().copied().min().unwrap_or(0);
            if least < most {
                let kept = candidates.into_iter().zip(counts).find(|(_, count)| *count == least);
                candidates = kept.map(|(candidate, _)| candidate).into_iter().collect();
            }
        }
        // Where all are large, points are more selective than ranges more often than not.
        let is_points = |driver: &Driver| matches!(driver, Driver::Key(key) if self.points(*key).is_some());
        let best = candidates.iter().position(is_points).unwrap_or(0);
        if best < candidates.len() {
            Ok(candidates.swap_remove(best))
        } else {
            Ok(Driver::Spans(name_spans(self.sets)))
        }
    }

    fn points(&self, key: usize) -> Option<Vec<&String>> {
        match self.sets.get(key) {
            Some(KeySet::Points(points)) => Some(points.iter().collect()),
            _ => None,
        }
    }

    fn key_span(&self, key: usize) -> Span {
        self.sets.get(key).unwrap_or(&KeySet::All).sort_key_span()
    }

    /// How many index entries a driver would read, counted no further than `most`.
    async fn count(&mut self, driver: &Driver, most: i64) -> Result<i64> {
        let mut counted = 0;
        match driver {
            Driver::Names(names) => counted = names.len() as i64,
            Driver::Spans(spans) => {
                for span in spans {
                    let query = sql(COUNT_SPAN).bind(self.table_id).bind(&span.from).bind(&span.to);
                    counted += self.lease.number(query.bind(most - counted)).await?;
                    if counted >= most {
                        break;
                    }
                }
            }
            Driver::Key(key) => {
                let Some(points) = self.points(*key) else {
                    let span = self.key_span(*key);
                    let query = sql(COUNT_KEY_SPAN).bind(self.table_id).bind(*key as i64);
                    return self.lease.number(query.bind(span.from).bind(span.to).bind(most)).await;
                };
                let points: Vec<String> = points.into_iter().cloned().collect();
                for chunk in points.chunks(CHUNK) {
                    let mut query = SqlBuilder::new(
                        "SELECT COUNT(*) FROM (SELECT 1 AS found FROM millrace_partition_value WHERE table_id = ",
                    );
                    query.push_bind(self.table_id).push(" AND key_index = ").push_bind(*key as i64);
                    push_list(&mut query, " AND sort_key IN (", chunk);
                    query.push(" LIMIT ").push_bind(most - counted).push(") AS counted");
                    counted += self.lease.number(query.build()).await?;
                    if counted >= most {
                        break;
                    }
                }
            }
        }
        Ok(counted)
    }

    async fn run(&mut self, driver: &Driver) -> Result<Vec<Row>> {
        match driver {
            Driver::Names(names) => self.read_names(names).await,
            Driver::Spans(spans) => self.read_spans(spans).await,
            Driver::Key(key) => self.read_key(*key).await,
        }
    }

    async fn read_names(&mut self, names: &[String]) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        for chunk in names.chunks(CHUNK) {
            let mut query = SqlBuilder::new(SELECT_NAMES);
            query.push_bind(self.table_id);
            push_list(&mut query, " AND name IN (", chunk);
            rows.extend(self.lease.all::<Row>(query.build()).await?);
        }
        Ok(rows)
    }

    /// Reads spans in order, until the limit is reached.
    async fn read_spans(&mut self, spans: &[Span]) -> Result<Vec<Row>> {
        let mut rows: Vec<Row> = Vec::new();
        for span in spans {
            let mut from = span.from.clone();
            while rows.len() < self.limit {
                let query = sql(SELECT_SPAN).bind(self.table_id).bind(&from).bind(&span.to).bind(PAGE);
                let page: Vec<Row> = self.lease.all(query).await?;
                let read = page.len();
                if let Some((last, _)) = page.last() {
                    // Names have no U+0001 at the end, so this is the next after the last.
                    from = format!("{last}\u{1}");
                }
                rows.extend(page.into_iter().filter(|(name, _)| matches(self.sets, name)));
                if (read as i64) < PAGE {
                    break;
                }
            }
        }
        Ok(rows)
    }

    async fn read_key(&mut self, key: usize) -> Result<Vec<Row>> {
        let mut rows: Vec<Row> = Vec::new();
        if let Some(points) = self.points(key) {
            let points: Vec<String> = points.into_iter().cloned().collect();
            for chunk in points.chunks(CHUNK) {
                let mut query = SqlBuilder::new(SELECT_KEY_POINTS);
                query.push_bind(self.table_id).push(" AND v.key_index = ").push_bind(key as i64);
                push_list(&mut query, " AND v.sort_key IN (", chunk);
                rows.extend(self.lease.all::<Row>(query.build()).await?);
            }
        } else {
            let span = self.key_span(key);
            let query = sql(SELECT_KEY_SPAN).bind(self.table_id).bind(key as i64);
            rows = self.lease.all(query.bind(span.from).bind(span.to)).await?;
        }
        rows.retain(|(name, _)| matches(self.sets, name));
        Ok(rows)
    }
}

/// Adds `before`, the values as a list, and the closing parenthesis.
pub(super) fn push_list<'q>(
    query: &mut SqlBuilder<'q>,
    before: &str,
    values: impl IntoIterator<Item = impl Into<Value<'q>>>,
) {
    query.push(before);
    let mut list = query.separated(", ");
    for value in values {
        list.push_bind(value);
    }
    query.push(")");
}
