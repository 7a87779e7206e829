//! What is known of scans: the statistics that tables told before planning, and what they make of each column.

use super::column::{ColumnEstimate, Estimate, width};
use super::number::{countable, position};
use crate::tables::{ColumnKnowledge, ManagedTableProvider};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue, Statistics};
use datafusion::datasource::{TableProvider, source_as_provider};
use datafusion::logical_expr::{Expr, TableScan};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

/// Rows that are assumed of a table that tells nothing; only the plan's estimates in EXPLAIN use it.
const UNKNOWN_ROWS: f64 = 1_000.;

/// Different values that are assumed of a column whose values cannot be counted from bounds, by its rows.
fn guessed_distinct(rows: f64, data_type: &DataType) -> f64 {
    /// Below this, every row is taken for another value.
    const FEW: f64 = 32.;
    if data_type.is_floating() || matches!(data_type, DataType::Timestamp(..)) {
        return rows.max(1.);
    }
    rows.sqrt().max(rows.min(FEW)).max(1.)
}

/// What tables told of their rows, each asked once: those of managed tables, and of external ones per scan.
#[derive(Debug, Default)]
pub(crate) struct Known {
    scans: Vec<Asked>,
    /// What tables told of all their rows, by their address.
    tables: HashMap<usize, Option<Statistics>>,
    /// What is known of single columns, by their table's address and their place in it.
    columns: HashMap<(usize, usize), Arc<ColumnKnowledge>>,
}

#[derive(Debug)]
struct Asked {
    /// The table's address: a plan's scans of one table share it.
    source: usize,
    projection: Option<Vec<usize>>,
    /// The filters that the statistics already speak of.
    applied: Vec<Expr>,
    filters: Vec<Expr>,
    statistics: Arc<Statistics>,
}

impl Known {
    /// Keeps what a scan told; `applied` are those of its filters that left nothing out of the statistics to leave out.
    pub(crate) fn add(&mut self, scan: &TableScan, applied: Vec<Expr>, statistics: Arc<Statistics>) {
        self.scans.push(Asked {
            source: address(scan),
            projection: scan.projection.clone(),
            applied,
            filters: scan.filters.clone(),
            statistics,
        });
    }

    /// Keeps what a table tells of all its rows, and a managed one of the columns that the scan filters.
    pub(crate) fn add_table(&mut self, scan: &TableScan, provider: &dyn TableProvider) {
        let address = address(scan);
        self.tables.entry(address).or_insert_with(|| provider.statistics());
        let Some(managed) = provider.downcast_ref::<ManagedTableProvider>() else { return };
        for column in scan.filters.iter().flat_map(Expr::column_refs) {
            let Ok(place) = scan.source.schema().index_of(&column.name) else { continue };
            if let Entry::Vacant(vacant) = self.columns.entry((address, place))
                && let Some(knowledge) = managed.column_knowledge(place)
            {
                vacant.insert(knowledge);
            }
        }
    }

    /// The rows of a scan before its filters, and the filters that need not be counted again.
    pub(super) fn rows_of(&self, scan: &TableScan) -> (Estimate, &[Expr]) {
        let of_table = |asked: &&Asked| asked.source == address(scan) && asked.projection == scan.projection;
        // A rule may have added filters since.
        let narrower = |asked: &&Asked| asked.filters.iter().all(|filter| scan.filters.contains(filter));
        let schema = scan.projected_schema.as_arrow();
        let types = || schema.fields().iter().map(|field| field.data_type().clone());
        if let Some(asked) = self.scans.iter().filter(of_table).find(narrower) {
            return (of_statistics(&asked.statistics, types(), None), &asked.applied);
        }
        let estimate = match self.tables.get(&address(scan)) {
            Some(Some(statistics)) => {
                let mut estimate = of_statistics(statistics, types(), scan.projection.as_deref());
                for (at, column) in estimate.columns.iter_mut().enumerate() {
                    let place = scan.projection.as_ref().map_or(Some(at), |projection| projection.get(at).copied());
                    column.knowledge = place.and_then(|place| self.columns.get(&(address(scan), place))).cloned();
                }
                estimate
            }
            _ => unknown(types()),
        };
        (estimate, &[])
    }
}

fn address(scan: &TableScan) -> usize {
    match source_as_provider(&scan.source) {
        Ok(provider) => Arc::as_ptr(&provider).cast::<()>() as usize,
        Err(_) => Arc::as_ptr(&scan.source).cast::<()>() as usize,
    }
}

fn unknown(types: impl Iterator<Item = DataType>) -> Estimate {
    let column = |data_type: DataType| {
        let distinct = guessed_distinct(UNKNOWN_ROWS, &data_type);
        ColumnEstimate { distinct, domain: distinct, ..ColumnEstimate::unknown(UNKNOWN_ROWS, &data_type) }
    };
    Estimate { rows: UNKNOWN_ROWS, known: false, columns: types.map(column).collect() }
}

/// Statistics as estimates; of the columns at the places of `projection` where they speak of more.
pub(super) fn of_statistics(
    statistics: &Statistics,
    types: impl Iterator<Item = DataType>,
    projection: Option<&[usize]>,
) -> Estimate {
    let Some(rows) = statistics.num_rows.get_value() else { return unknown(types) };
    let rows = *rows as f64;
    let column = |(at, data_type): (usize, DataType)| {
        let at = projection.map_or(Some(at), |projection| projection.get(at).copied());
        match at.and_then(|at| statistics.column_statistics.get(at)) {
            Some(known) => of_column(known, rows, &data_type),
            None => ColumnEstimate::unknown(rows, &data_type),
        }
    };
    Estimate { rows, known: true, columns: types.enumerate().map(column).collect() }
}

fn of_column(known: &ColumnStatistics, rows: f64, data_type: &DataType) -> ColumnEstimate {
    let nulls = known.null_count.get_value().map_or(0., |nulls| *nulls as f64 / rows.max(1.)).clamp(0., 1.);
    let (minimum, maximum) = (known.min_value.get_value(), known.max_value.get_value());
    let range = minimum.and_then(position).zip(maximum.and_then(position)).filter(|(low, high)| low <= high);
    let values = (rows * (1. - nulls)).max(1.);
    let counted = known.distinct_count.get_value().map(|count| (*count as f64).clamp(1., values));
    let distinct = counted.unwrap_or_else(|| {
        let lies = |(low, high)| minimum.and_then(|value: &ScalarValue| countable(value, low, high));
        match range.and_then(lies) {
            Some(count) => count.clamp(1., values),
            None => guessed_distinct(values, data_type),
        }
    });
    let bytes = match known.byte_size {
        Precision::Exact(bytes) | Precision::Inexact(bytes) if data_type.primitive_width().is_none() && rows > 0. => {
            (bytes as f64 / rows).clamp(1., 4_096.)
        }
        _ => width(data_type),
    };
    ColumnEstimate {
        distinct,
        domain: distinct,
        measured: counted.is_some(),
        nulls,
        range,
        width: bytes,
        table_rows: rows.max(1.),
        computed: false,
        knowledge: None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "no rounding")]
    use super::*;

    fn column(minimum: i64, maximum: i64, nulls: usize, distinct: Precision<usize>) -> ColumnStatistics {
        ColumnStatistics {
            null_count: Precision::Exact(nulls),
            min_value: Precision::Exact(ScalarValue::Int64(Some(minimum))),
            max_value: Precision::Exact(ScalarValue::Int64(Some(maximum))),
            distinct_count: distinct,
            ..ColumnStatistics::new_unknown()
        }
    }

    #[test]
    fn distinct_values_of_a_column() {
        let cases = [
            // A key; a sparse key; a small domain; counted; all NULL.
            (column(1, 1_000, 0, Precision::Absent), 1_000., false),
            (column(1, 4_000, 0, Precision::Absent), 1_000., false),
            (column(0, 24, 0, Precision::Absent), 25., false),
            (column(1, 1_000, 0, Precision::Inexact(77)), 77., true),
            (column(5, 5, 1_000, Precision::Absent), 1., false),
            (ColumnStatistics::new_unknown(), 32., false),
        ];
        for (known, distinct, measured) in cases {
            let found = of_column(&known, 1_000., &DataType::Int64);
            assert_eq!((found.distinct, found.measured), (distinct, measured), "{known:?}");
        }
    }

    #[test]
    fn nothing_known_is_unknown() {
        let schema = datafusion::arrow::datatypes::Schema::empty();
        let found = of_statistics(&Statistics::new_unknown(&schema), [DataType::Int32].into_iter(), None);
        assert!(!found.known && found.columns.len() == 1);
    }
}
