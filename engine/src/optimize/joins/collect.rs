//! A plan's joins, taken apart.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{JoinType, NullEquality};
use datafusion::logical_expr::utils::{split_conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Expr, Filter, Join, LogicalPlan, Projection};
use std::sync::Arc;

/// The right side of an outer, semi- or anti-join, and its condition.
#[derive(Debug, Clone)]
pub(super) struct Attached {
    /// `Left`, `LeftSemi` or `LeftAnti`.
    pub(super) join_type: JoinType,
    /// Equal keys: of the left side, of this relation.
    pub(super) on: Vec<(Expr, Expr)>,
    /// What else must hold of a pair of rows.
    pub(super) filter: Option<Expr>,
    /// `NOT IN`, by which a NULL decides over all rows.
    pub(super) null_aware: bool,
}

/// Relations and conditions, in the order of the text.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) relations: Vec<(LogicalPlan, Option<Attached>)>,
    pub(super) conditions: Vec<Expr>,
}

/// Whether a plan is the top of a region.
pub(super) fn is_region(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Join(join) => is_open(join),
        LogicalPlan::Filter(filter) => filter_is_open(filter) && is_region(&filter.input),
        LogicalPlan::Projection(projection) => chooses(projection) && is_region(&projection.input),
        _ => false,
    }
}

/// Whether a join may move.
fn is_open(join: &Join) -> bool {
    let left = || {
        let keys = join.on.iter().map(|(left, _)| left).chain(&join.filter);
        let mut keys = keys.flat_map(Expr::column_refs);
        keys.any(|column| join.left.schema().has_column(column))
    };
    let stable = !join.on.iter().any(|(left, right)| left.is_volatile() || right.is_volatile())
        && !join.filter.as_ref().is_some_and(Expr::is_volatile);
    let equality = join.null_equality == NullEquality::NullEqualsNothing || join.on.is_empty();
    let kind = match join.join_type {
        JoinType::Inner | JoinType::Right => true,
        // Without a column of the left side, the condition is of the whole, not of a row.
        JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti => left(),
        _ => false,
    };
    let right = || {
        let keys = join.on.iter().map(|(_, right)| right).chain(&join.filter);
        let mut keys = keys.flat_map(Expr::column_refs);
        keys.any(|column| join.right.schema().has_column(column))
    };
    kind && stable && equality && (join.join_type != JoinType::Right || right())
}

fn filter_is_open(filter: &Filter) -> bool {
    !filter.predicate.is_volatile()
}

/// Whether a projection only leaves columns out or changes their order.
fn chooses(projection: &Projection) -> bool {
    projection.expr.iter().all(|expr| matches!(expr, Expr::Column(_)))
}

impl Parts {
    /// Takes a region apart.
    pub(super) fn collect(&mut self, plan: &LogicalPlan) {
        match plan {
            LogicalPlan::Join(join) if is_open(join) => self.collect_join(join),
            LogicalPlan::Filter(filter) if is_region(plan) => {
                self.collect(&filter.input);
                self.conditions.extend(split_conjunction(&filter.predicate).into_iter().cloned());
            }
            LogicalPlan::Projection(projection) if is_region(plan) => self.collect(&projection.input),
            _ => self.relations.push((plan.clone(), None)),
        }
    }

    fn collect_join(&mut self, join: &Join) {
        let attached =
            |join_type, on| Attached { join_type, on, filter: join.filter.clone(), null_aware: join.null_aware };
        match join.join_type {
            JoinType::Inner => {
                self.collect(&join.left);
                self.collect(&join.right);
                self.conditions.extend(join.on.iter().map(|(left, right)| left.clone().eq(right.clone())));
                self.conditions.extend(join.filter.clone().into_iter().flat_map(split_conjunction_owned));
            }
            JoinType::Right => {
                self.collect(&join.right);
                let on = join.on.iter().map(|(left, right)| (right.clone(), left.clone())).collect();
                let plan = Arc::clone(&join.left);
                self.relations.push((Arc::unwrap_or_clone(plan), Some(attached(JoinType::Left, on))));
            }
            kind => {
                self.collect(&join.left);
                let plan = Arc::clone(&join.right);
                self.relations.push((Arc::unwrap_or_clone(plan), Some(attached(kind, join.on.clone()))));
            }
        }
    }
}

/// Whether a plan is cheap to run twice and gives the same rows then: scans and what filters them.
pub(super) fn is_simple(plan: &LogicalPlan) -> bool {
    let mut simple = true;
    let walked = plan.apply(|node| {
        simple &= match node {
            LogicalPlan::TableScan(scan) => scan.fetch.is_none(),
            LogicalPlan::Filter(filter) => filter_is_open(filter),
            LogicalPlan::Projection(projection) => !projection.expr.iter().any(Expr::is_volatile),
            LogicalPlan::SubqueryAlias(_) => true,
            _ => false,
        };
        Ok(if simple { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    });
    walked.is_ok() && simple
}
