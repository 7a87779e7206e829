//! A plan's joins, taken apart.

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, JoinType, NullEquality, Result};
use datafusion::logical_expr::utils::{split_conjunction, split_conjunction_owned};
use datafusion::logical_expr::{BinaryExpr, Expr, Filter, Join, LogicalPlan, Operator, Projection};
use std::collections::HashMap;

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

/// The names that a plan gives to columns of a region's relations.
pub(super) type Names = HashMap<Column, Column>;

/// Relations and conditions, in the order of the text.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) relations: Vec<(LogicalPlan, Option<Attached>)>,
    pub(super) conditions: Vec<Expr>,
    /// Whether derived tables that only choose and name columns are taken apart too.
    pub(super) through_names: bool,
}

/// Whether a plan is the top of a region.
pub(super) fn is_region(plan: &LogicalPlan, through_names: bool) -> bool {
    match plan {
        LogicalPlan::Join(join) => is_open(join),
        LogicalPlan::Filter(filter) => filter_is_open(filter) && is_region(&filter.input, through_names),
        LogicalPlan::Projection(projection) => {
            chosen(projection, through_names).is_some() && is_region(&projection.input, through_names)
        }
        LogicalPlan::SubqueryAlias(alias) => through_names && is_region(&alias.input, through_names),
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

/// The columns that a projection gives on, where it computes nothing; with names of its own only if they may be.
fn chosen(projection: &Projection, through_names: bool) -> Option<Vec<&Column>> {
    let open = |expr: &&Expr| matches!(expr, Expr::Column(_)) || through_names;
    projection.expr.iter().map(|expr| Some(expr).filter(open).and_then(plain)).collect()
}

/// The column that an expression is, perhaps with another name.
pub(super) fn plain(expr: &Expr) -> Option<&Column> {
    match expr {
        Expr::Column(column) => Some(column),
        Expr::Alias(alias) => plain(&alias.expr),
        _ => None,
    }
}

/// An expression with other names for its columns, where there are.
pub(super) fn renamed(expr: Expr, names: &Names) -> Result<Expr> {
    expr.transform(|expr| {
        Ok(match expr {
            Expr::Column(column) => match names.get(&column) {
                Some(name) if *name != column => Transformed::yes(Expr::Column(name.clone())),
                _ => Transformed::no(Expr::Column(column)),
            },
            expr => Transformed::no(expr),
        })
    })
    .data()
}

impl Parts {
    /// Takes a region apart; gives the columns of its relations by the names that the plan has for them.
    pub(super) fn collect(&mut self, plan: &LogicalPlan) -> Result<Names> {
        let open = is_region(plan, self.through_names);
        match plan {
            LogicalPlan::Join(join) if open => self.collect_join(join),
            LogicalPlan::Filter(filter) if open => {
                let names = self.collect(&filter.input)?;
                for condition in split_conjunction(&filter.predicate) {
                    self.conditions.push(renamed(condition.clone(), &names)?);
                }
                Ok(names)
            }
            LogicalPlan::Projection(projection) if open => {
                let names = self.collect(&projection.input)?;
                let chosen = chosen(projection, self.through_names).unwrap_or_default();
                let known = chosen.into_iter().map(|column| names.get(column).unwrap_or(column).clone());
                Ok(projection.schema.columns().into_iter().zip(known).collect())
            }
            LogicalPlan::SubqueryAlias(alias) if open => {
                let names = self.collect(&alias.input)?;
                let inner = alias.input.schema().columns().into_iter();
                let known = inner.map(|column| names.get(&column).cloned().unwrap_or(column));
                Ok(alias.schema.columns().into_iter().zip(known).collect())
            }
            _ => Ok(self.relation(plan, None)),
        }
    }

    /// Makes inner joins of outer ones whose missing rows a condition leaves out: an equality with one of their columns.
    pub(super) fn join_whole(&mut self) {
        loop {
            let equated = |column: &Column| {
                let compared = |expr: &Expr| match expr {
                    Expr::Cast(cast) => plain(&cast.expr) == Some(column),
                    expr => plain(expr) == Some(column),
                };
                self.conditions.iter().any(|condition| match condition {
                    Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => compared(left) || compared(right),
                    _ => false,
                })
            };
            let whole = |(plan, attached): &(LogicalPlan, Option<Attached>)| {
                attached.as_ref().is_some_and(|attached| attached.join_type == JoinType::Left)
                    && plan.schema().columns().iter().any(equated)
            };
            let Some(at) = self.relations.iter().position(whole) else { return };
            if let Some(attached) = self.relations[at].1.take() {
                self.conditions.extend(attached.on.into_iter().map(|(left, right)| left.eq(right)));
                self.conditions.extend(attached.filter.into_iter().flat_map(split_conjunction_owned));
            }
        }
    }

    fn relation(&mut self, plan: &LogicalPlan, attached: Option<Attached>) -> Names {
        self.relations.push((plan.clone(), attached));
        plan.schema().columns().into_iter().map(|column| (column.clone(), column)).collect()
    }

    fn collect_join(&mut self, join: &Join) -> Result<Names> {
        if join.join_type == JoinType::Inner {
            let mut names = self.collect(&join.left)?;
            names.extend(self.collect(&join.right)?);
            let keys = join.on.iter().map(|(left, right)| left.clone().eq(right.clone()));
            for condition in keys.chain(join.filter.clone().into_iter().flat_map(split_conjunction_owned)) {
                self.conditions.push(renamed(condition, &names)?);
            }
            return Ok(names);
        }
        let turned = join.join_type == JoinType::Right;
        let (left, right) = if turned { (&join.right, &join.left) } else { (&join.left, &join.right) };
        let mut names = self.collect(left)?;
        let keys = join.on.iter().map(|(l, r)| if turned { (r, l) } else { (l, r) });
        let on = keys.map(|(l, r)| Ok((renamed(l.clone(), &names)?, r.clone()))).collect::<Result<_>>()?;
        let attached = Attached {
            join_type: if turned { JoinType::Left } else { join.join_type },
            on,
            filter: join.filter.clone().map(|filter| renamed(filter, &names)).transpose()?,
            null_aware: join.null_aware,
        };
        let more = self.relation(right, Some(attached));
        if matches!(join.join_type, JoinType::Left | JoinType::Right) {
            names.extend(more);
        }
        Ok(names)
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
