//! Which columns of managed tables queries filter, join and group by, read from their plans.
//!
//! What was seen is remembered, so that a query costs the catalog a write only for columns that none used before; the
//! write is not on the query's path. When too many are remembered, all are forgotten and told once more.

use super::scan::ManagedTableProvider;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, TableReference};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::LogicalPlan;
use millrace_catalog::Catalog;
use millrace_catalog::model::ManagedTable;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use tokio_util::task::TaskTracker;

/// The most columns that are remembered.
const MOST_COLUMNS: usize = 100_000;

/// The columns seen, by table and column id.
#[derive(Debug, Default)]
pub(super) struct PredicateColumns(Mutex<HashSet<(i64, i64)>>);

impl PredicateColumns {
    /// Those of a query's plan that are new.
    fn new_of(&self, plan: &LogicalPlan) -> Vec<(i64, i64)> {
        let used = used_columns(plan);
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() + used.len() > MOST_COLUMNS {
            seen.clear();
        }
        used.into_iter().filter(|column| seen.insert(*column)).collect()
    }

    fn forget(&self, columns: &[(i64, i64)]) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for column in columns {
            seen.remove(column);
        }
    }
}

/// Notes the columns of an optimized plan, by a task of the tracker's.
pub(super) fn note(seen: &Arc<PredicateColumns>, plan: &LogicalPlan, catalog: &Arc<Catalog>, tasks: &TaskTracker) {
    if catalog.is_read_only() {
        return;
    }
    let new = seen.new_of(plan);
    if new.is_empty() {
        return;
    }
    let (seen, catalog) = (Arc::clone(seen), Arc::clone(catalog));
    tasks.spawn(async move {
        if let Err(error) = catalog.add_predicate_columns(&new).await {
            tracing::debug!(%error, "could not note predicate columns");
            seen.forget(&new);
        }
    });
}

/// The columns that a plan's filters, joins and groupings name. Ones that were computed or renamed below are not found.
fn used_columns(plan: &LogicalPlan) -> HashSet<(i64, i64)> {
    let mut tables: HashMap<TableReference, Arc<ManagedTable>> = HashMap::new();
    let mut columns: HashSet<Column> = HashSet::new();
    let visited = plan.apply(|node| {
        match node {
            LogicalPlan::TableScan(scan) => {
                if let Some(table) = managed(node) {
                    tables.insert(scan.table_name.clone(), table);
                }
                columns.extend(scan.filters.iter().flat_map(|filter| filter.column_refs()).cloned());
            }
            LogicalPlan::SubqueryAlias(alias) => {
                if let Some(table) = managed(below(&alias.input)) {
                    tables.insert(alias.alias.clone(), table);
                }
            }
            LogicalPlan::Filter(filter) => columns.extend(filter.predicate.column_refs().into_iter().cloned()),
            LogicalPlan::Join(join) => {
                let pairs = join.on.iter().flat_map(|(left, right)| [left, right]).chain(&join.filter);
                columns.extend(pairs.flat_map(|side| side.column_refs()).cloned());
            }
            LogicalPlan::Aggregate(aggregate) => {
                columns.extend(aggregate.group_expr.iter().flat_map(|key| key.column_refs()).cloned());
            }
            _ => {}
        }
        Ok(TreeNodeRecursion::Continue)
    });
    // The visitor does not fail.
    debug_assert!(visited.is_ok());
    let found = columns.iter().filter_map(|column| {
        let table = tables.get(column.relation.as_ref()?)?;
        let known = table.columns.iter().find(|known| known.name == column.name)?;
        Some((table.id, known.id))
    });
    found.collect()
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

    async fn used(sql: &str) -> Vec<(i64, i64)> {
        let context = SessionContext::new();
        for (id, name) in [(1, "t"), (2, "u")] {
            let mut fixture =
                fixture(FileFormat::Vortex, &[(1, "a", "integer"), (2, "b", "integer"), (3, "c", "date")]);
            fixture.table.id = id;
            context.register_table(name, Arc::new(fixture.provider(&[], Vec::new()))).unwrap();
        }
        let plan = context.sql(sql).await.unwrap().into_optimized_plan().unwrap();
        let mut found: Vec<_> = used_columns(&plan).into_iter().collect();
        found.sort_unstable();
        found
    }

    #[tokio::test]
    async fn filters_joins_and_groupings_use_columns() {
        for (sql, expected) in [
            ("SELECT a, b, c FROM t", &[][..]),
            ("SELECT a FROM t WHERE b > 5", &[(1, 2)]),
            ("SELECT count(*) FROM t GROUP BY c", &[(1, 3)]),
            ("SELECT t.a FROM t JOIN u ON t.a = u.b", &[(1, 1), (2, 2)]),
            ("SELECT x.a FROM t AS x JOIN t AS y ON x.a = y.b AND x.c < y.c", &[(1, 1), (1, 2), (1, 3)]),
            ("SELECT a FROM t WHERE a IN (SELECT b FROM u WHERE c IS NOT NULL)", &[(1, 1), (2, 2), (2, 3)]),
        ] {
            assert_eq!(used(sql).await, expected, "{sql}");
        }
    }

    #[test]
    fn a_column_is_told_once() {
        let seen = PredicateColumns::default();
        let plan = datafusion::logical_expr::LogicalPlanBuilder::empty(true).build().unwrap();
        assert_eq!(seen.new_of(&plan), []);
        assert!(seen.0.lock().unwrap().insert((1, 1)));
        seen.forget(&[(1, 1)]);
        assert!(seen.0.lock().unwrap().is_empty());
    }
}
