//! Which stripes and groups of rows can be left out, because their statistics rule the predicate out.
//!
//! DataFusion turns a predicate into one over smallest and greatest values (`PruningPredicate`); here it is given ORC's.
//! Whatever it cannot judge stays in. Filters that are found while the query runs, of joins and of ORDER BY with
//! LIMIT, are looked at again before every stripe.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, UInt64Array};
use arrow::datatypes::SchemaRef;
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, ScalarValue};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{DynamicFilterTracker, DynamicFilterTracking};
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_optimizer::pruning::{PruningPredicate, PruningPredicateBuilder};
use orc_rust::statistics::ColumnStatistics;

use super::bounds::{Bounds, unknown};
use super::tail::Tail;

/// Judges stripes and groups of rows of one file.
pub(super) struct Pruner {
    predicate: Arc<dyn PhysicalExpr>,
    schema: SchemaRef,
    tracking: DynamicFilterTracking,
    current: Option<Arc<PruningPredicate>>,
}

impl Pruner {
    /// The predicate speaks of the file's columns.
    pub(super) fn new(predicate: Arc<dyn PhysicalExpr>, schema: SchemaRef) -> Self {
        // First subscribe, then look: a change in between is seen twice rather than never.
        let tracking = DynamicFilterTracking::classify(&predicate);
        let current = build(&predicate, &schema);
        Self { predicate, schema, tracking, current }
    }

    /// Takes in what the query found out since the last call.
    pub(super) fn refresh(&mut self) {
        if self.tracking.watcher().is_some_and(DynamicFilterTracker::changed) {
            self.current = build(&self.predicate, &self.schema);
        }
    }

    /// The positions of the columns that decide; empty when nothing can be pruned.
    pub(super) fn columns(&self) -> Vec<usize> {
        let Some(current) = &self.current else { return Vec::new() };
        let mut columns: Vec<_> = collect_columns(current.orig_expr())
            .iter()
            .filter_map(|column| self.schema.index_of(column.name()).ok())
            .collect();
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    /// Which containers may hold rows that pass; all of them when in doubt.
    pub(super) fn keep(&self, containers: &Containers<'_>) -> Vec<bool> {
        let all = || vec![true; containers.rows.len()];
        self.current.as_ref().map_or_else(all, |current| current.prune(containers).unwrap_or_else(|_| all()))
    }
}

fn build(predicate: &Arc<dyn PhysicalExpr>, schema: &SchemaRef) -> Option<Arc<PruningPredicate>> {
    PruningPredicateBuilder::new().with_file_schema(Arc::clone(schema)).build(Arc::clone(predicate))
}

/// Stripes, or groups of rows of one stripe, with their statistics.
pub(super) struct Containers<'a> {
    /// The file they belong to.
    pub tail: &'a Tail,
    /// How many rows each has.
    pub rows: Vec<u64>,
    /// The statistics of a container for an ORC column.
    pub statistics: &'a dyn Fn(usize, usize) -> Option<&'a ColumnStatistics>,
}

impl Containers<'_> {
    fn bounds(&self, column: &Column) -> Option<(usize, Vec<Option<Bounds>>)> {
        let index = self.tail.schema.index_of(column.name()).ok()?;
        let orc = self.tail.metadata.root_data_type().children().get(index)?.data_type();
        let bounds = self.rows.iter().enumerate().map(|(container, rows)| {
            let statistics = (self.statistics)(container, orc.column_index())?;
            Some(Bounds::read(orc, statistics, *rows, self.tail.trust))
        });
        Some((index, bounds.collect()))
    }

    fn values(&self, column: &Column, limit: impl Fn(Bounds) -> Option<ScalarValue>) -> Option<ArrayRef> {
        let (index, bounds) = self.bounds(column)?;
        let null = unknown(self.tail.schema.field(index).data_type())?;
        let values = bounds.into_iter().map(|bounds| bounds.and_then(&limit).unwrap_or_else(|| null.clone()));
        ScalarValue::iter_to_array(values).ok()
    }
}

impl PruningStatistics for Containers<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.values(column, |bounds| bounds.min)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.values(column, |bounds| bounds.max)
    }

    fn num_containers(&self) -> usize {
        self.rows.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let (_, bounds) = self.bounds(column)?;
        let nulls: UInt64Array = bounds.into_iter().map(|bounds| bounds.and_then(|bounds| bounds.nulls)).collect();
        Some(Arc::new(nulls))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        Some(Arc::new(UInt64Array::from(self.rows.clone())))
    }

    fn contained(&self, _column: &Column, _values: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}
