//! Which columns of managed tables queries filter, join and group by, and how often, read from their plans.
//!
//! What was seen is counted in memory and written to the catalog when a column's count reaches a power of two, so that a
//! query seldom costs a write; the write is not on the query's path. When too many columns are counted, all are forgotten.

use super::scan::ManagedTableProvider;
use crate::error::Result;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, TableReference};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::LogicalPlan;
use millrace_catalog::Catalog;
use millrace_catalog::model::{ColumnUse, ManagedTable};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use tokio_util::task::TaskTracker;

/// The most columns that are counted.
const MOST_COLUMNS: usize = 100_000;

/// A column: the ids of its table and of itself.
type ColumnId = (i64, i64);

/// The columns seen.
#[derive(Debug, Default)]
pub(super) struct PredicateColumns {
    seen: Mutex<Counts>,
    /// Held while counts are written, so that who waits for it finds all of them in the catalog.
    writing: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Counts {
    columns: HashMap<ColumnId, Count>,
    /// The tables that were used since somebody asked.
    tables: BTreeSet<i64>,
}

#[derive(Debug, Default)]
struct Count {
    queries: u64,
    unwritten: ColumnUse,
}

impl PredicateColumns {
    /// Counts what a query used; whether it is time to write.
    fn count(&self, plan: &LogicalPlan) -> bool {
        let used = used_columns(plan);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.columns.len() + used.len() > MOST_COLUMNS {
            seen.columns.clear();
        }
        let mut due = false;
        for (column, by) in used {
            seen.tables.insert(column.0);
            let count = seen.columns.entry(column).or_default();
            count.queries += 1;
            count.unwritten.add(by);
            due |= count.queries.is_power_of_two();
        }
        due
    }

    /// Writes what was counted.
    pub(super) async fn write(&self, catalog: &Catalog) -> Result<()> {
        let _writing = self.writing.lock().await;
        let unwritten: Vec<(ColumnId, ColumnUse)> = {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let counts = seen.columns.iter_mut().filter(|(_, count)| !count.unwritten.is_none());
            counts.map(|(column, count)| (*column, std::mem::take(&mut count.unwritten))).collect()
        };
        if unwritten.is_empty() {
            return Ok(());
        }
        let written = catalog.add_column_uses(&unwritten).await;
        if written.is_err() {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            for (column, by) in unwritten {
                seen.columns.entry(column).or_default().unwritten.add(by);
            }
        }
        Ok(written?)
    }

    /// The tables that queries have used since this was asked last.
    pub(super) fn take_tables(&self) -> BTreeSet<i64> {
        std::mem::take(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner).tables)
    }
}

/// Counts the columns of an optimized plan; what is to be written, a task of the tracker's writes.
pub(super) fn note(seen: &Arc<PredicateColumns>, plan: &LogicalPlan, catalog: &Arc<Catalog>, tasks: &TaskTracker) {
    if catalog.is_read_only() || !seen.count(plan) {
        return;
    }
    let (seen, catalog) = (Arc::clone(seen), Arc::clone(catalog));
    tasks.spawn(async move {
        if let Err(error) = seen.write(&catalog).await {
            tracing::debug!(%error, "could not note predicate columns");
        }
    });
}

/// The columns that a plan's filters, joins and groupings name, and whether as which. Ones that were computed or renamed
/// below are not found.
fn used_columns(plan: &LogicalPlan) -> BTreeMap<ColumnId, ColumnUse> {
    let mut tables: HashMap<TableReference, Arc<ManagedTable>> = HashMap::new();
    let mut columns: HashMap<Column, ColumnUse> = HashMap::new();
    let visited = plan.apply(|node| {
        match node {
            LogicalPlan::TableScan(scan) => {
                if let Some(table) = managed(node) {
                    tables.insert(scan.table_name.clone(), table);
                }
                for column in scan.filters.iter().flat_map(|filter| filter.column_refs()) {
                    columns.entry(column.clone()).or_default().filters = 1;
                }
            }
            LogicalPlan::SubqueryAlias(alias) => {
                if let Some(table) = managed(below(&alias.input)) {
                    tables.insert(alias.alias.clone(), table);
                }
            }
            LogicalPlan::Filter(filter) => {
                for column in filter.predicate.column_refs() {
                    columns.entry(column.clone()).or_default().filters = 1;
                }
            }
            LogicalPlan::Join(join) => {
                let pairs = join.on.iter().flat_map(|(left, right)| [left, right]);
                for column in pairs.flat_map(|side| side.column_refs()) {
                    columns.entry(column.clone()).or_default().joins = 1;
                }
                for column in join.filter.iter().flat_map(|filter| filter.column_refs()) {
                    columns.entry(column.clone()).or_default().filters = 1;
                }
            }
            LogicalPlan::Aggregate(aggregate) => {
                for column in aggregate.group_expr.iter().flat_map(|key| key.column_refs()) {
                    columns.entry(column.clone()).or_default().groups = 1;
                }
            }
            _ => {}
        }
        Ok(TreeNodeRecursion::Continue)
    });
    // The visitor does not fail.
    debug_assert!(visited.is_ok());
    let mut found: BTreeMap<ColumnId, ColumnUse> = BTreeMap::new();
    for (column, by) in columns {
        if let Some(table) = column.relation.as_ref().and_then(|relation| tables.get(relation))
            && let Some(known) = table.columns.iter().find(|known| known.name == column.name)
        {
            // A table that stands twice in a query is used once by it.
            let all = found.entry((table.id, known.id)).or_default();
            all.filters |= by.filters;
            all.joins |= by.joins;
            all.groups |= by.groups;
        }
    }
    found
}

/// The plan under projections, filters and other names, which keep the columns' names.
fn below(plan: &LogicalPlan) -> &LogicalPlan {
    match plan {
        LogicalPlan::Projection(inner) => below(&inner.input),
        LogicalPlan::Filter(inner) => below(&inner.input),
        LogicalPlan::SubqueryAlias(inner) => below(&inner.input),
        other => other,
    }
}

/// The table that a scan reads, if it is stored and managed.
fn managed(plan: &LogicalPlan) -> Option<Arc<ManagedTable>> {
    let LogicalPlan::TableScan(scan) = plan else { return None };
    let provider = source_as_provider(&scan.source).ok()?;
    let table = provider.downcast_ref::<ManagedTableProvider>()?.table();
    (table.id > 0).then(|| Arc::clone(table))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::tests::fixture;
    use super::*;
    use datafusion::prelude::SessionContext;
    use millrace_catalog::model::FileFormat;

    async fn used(sql: &str) -> Vec<(ColumnId, (u64, u64, u64))> {
        let context = SessionContext::new();
        for (id, name) in [(1, "t"), (2, "u")] {
            let mut fixture =
                fixture(FileFormat::Vortex, &[(1, "a", "integer"), (2, "b", "integer"), (3, "c", "date")]);
            fixture.table.id = id;
            context.register_table(name, Arc::new(fixture.provider(&[], Vec::new()))).unwrap();
        }
        let plan = context.sql(sql).await.unwrap().into_optimized_plan().unwrap();
        used_columns(&plan).into_iter().map(|(id, by)| (id, (by.filters, by.joins, by.groups))).collect()
    }

    #[tokio::test]
    async fn filters_joins_and_groupings_use_columns() {
        let (filter, join, group, both) = ((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0));
        for (sql, expected) in [
            ("SELECT a, b, c FROM t", &[][..]),
            ("SELECT a FROM t WHERE b > 5 AND b < 10", &[((1, 2), filter)]),
            ("SELECT count(*) FROM t GROUP BY c", &[((1, 3), group)]),
            ("SELECT t.a FROM t JOIN u ON t.a = u.b", &[((1, 1), join), ((2, 2), join)]),
            (
                "SELECT x.a FROM t AS x JOIN t AS y ON x.a = y.b AND x.c < y.c",
                &[((1, 1), join), ((1, 2), join), ((1, 3), filter)],
            ),
            (
                "SELECT a FROM t WHERE a IN (SELECT b FROM u WHERE c IS NOT NULL) AND a > 3",
                &[((1, 1), both), ((2, 2), both), ((2, 3), filter)],
            ),
        ] {
            let found = used(sql).await;
            // What the optimizer derives for the other side is a filter there too.
            let found = found.into_iter().filter(|(id, _)| expected.iter().any(|(known, _)| known == id));
            assert_eq!(found.collect::<Vec<_>>(), expected, "{sql}");
        }
    }
}
