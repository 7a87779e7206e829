//! Conditions that follow from others, so that a relation is filtered before it is joined.
//!
//! From alternatives each of which says something of a relation follows that one of these things holds of it (TPC-H's
//! Q7 and Q19). What holds of one of two equal columns holds of the other. The conditions that they follow from stay.

use super::collect::{Names, plain, renamed};
use super::region::Region;
use crate::optimize::estimate::Estimator;
use crate::optimize::order::{Set, bit, members};
use datafusion::common::{Column, JoinType, Result};
use datafusion::logical_expr::utils::{conjunction, disjunction, split_binary_owned, split_conjunction};
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator};
use std::collections::HashMap;

/// A derived condition that keeps more than this is not worth its evaluation.
const MOST_KEPT: f64 = 0.9;

/// Filters relations by what follows from the conditions of their region; whether anything does.
pub(super) fn derive(region: &mut Region, estimator: Estimator) -> Result<bool> {
    let mut found: Vec<(usize, Expr)> = Vec::new();
    for (set, condition) in &region.conditions {
        for at in members(*set).filter(|at| set.count_ones() > 1 && region.relations[*at].attached.is_none()) {
            let concerns = |expr: &Expr| region.named(expr) == Some(bit(at));
            if matches!(condition, Expr::BinaryExpr(BinaryExpr { op: Operator::Or, .. })) {
                found.extend(implied(condition, &concerns).map(|condition| (at, condition)));
            }
        }
    }
    let mut filtered = add(region, estimator, found)?;
    let mut found: Vec<(usize, Expr)> = Vec::new();
    let known: Vec<Vec<Expr>> = region.relations.iter().map(|relation| conditions_of(relation.plan())).collect();
    for (from, source, to, target) in equal_columns(region) {
        let on_source = known[from].iter().filter(|condition| {
            let columns = condition.column_refs();
            columns.len() == 1 && columns.contains(&source) && !condition.is_volatile() && is_test(condition)
        });
        for condition in on_source {
            found.push((to, renamed(condition.clone(), &HashMap::from([(source.clone(), target.clone())]))?));
        }
    }
    filtered |= add(region, estimator, found)?;
    Ok(filtered)
}

/// Filters relations by conditions that they are not filtered by yet and that leave rows out; whether there are any.
fn add(region: &mut Region, estimator: Estimator, found: Vec<(usize, Expr)>) -> Result<bool> {
    let mut any = false;
    for (at, condition) in found {
        let relation = &mut region.relations[at];
        if conditions_of(relation.plan()).contains(&condition) {
            continue;
        }
        let filtered = super::region::filtered(relation.plan().clone(), condition)?;
        let estimate = estimator.plan(&filtered);
        if estimate.rows <= relation.estimate(estimator).rows * MOST_KEPT {
            relation.put(filtered, estimate);
            any = true;
        }
    }
    Ok(any)
}

/// What a condition implies of the things that `concerns` is true of.
fn implied(condition: &Expr, concerns: &dyn Fn(&Expr) -> bool) -> Option<Expr> {
    if concerns(condition) {
        return Some(condition.clone());
    }
    match condition {
        Expr::BinaryExpr(BinaryExpr { op: Operator::And, .. }) => {
            conjunction(split_conjunction(condition).into_iter().filter_map(|part| implied(part, concerns)))
        }
        Expr::BinaryExpr(BinaryExpr { op: Operator::Or, .. }) => {
            let branches = split_binary_owned(condition.clone(), Operator::Or);
            let of_each: Option<Vec<Expr>> = branches.iter().map(|branch| implied(branch, concerns)).collect();
            of_each.and_then(|mut branches| {
                branches.dedup();
                disjunction(branches)
            })
        }
        _ => None,
    }
}

/// Comparisons with constants: what may be moved to another column without a second thought.
fn is_test(condition: &Expr) -> bool {
    let constant = |expr: &Expr| matches!(expr, Expr::Literal(..));
    let column = |expr: &Expr| matches!(expr, Expr::Column(_));
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match op {
            Operator::Or => is_test(left) && is_test(right),
            Operator::Eq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq => {
                column(left) && constant(right) || constant(left) && column(right)
            }
            _ => false,
        },
        Expr::Between(between) => column(&between.expr) && constant(&between.low) && constant(&between.high),
        Expr::InList(list) => column(&list.expr) && list.list.iter().all(constant),
        _ => false,
    }
}

/// Pairs of columns of which what holds of the first may be asked of the second: relation, column, relation, column.
fn equal_columns(region: &Region) -> Vec<(usize, Column, usize, Column)> {
    let mut pairs = Vec::new();
    let column = |expr: &Expr| if let Expr::Column(column) = expr { Some(column.clone()) } else { None };
    for class in &region.classes {
        for (from, source) in class {
            for (to, target) in class.iter().filter(|(to, _)| to != from) {
                pairs.extend(column(source).zip(column(target)).map(|(source, target)| (*from, source, *to, target)));
            }
        }
    }
    let free = |set: Set| {
        (set.is_power_of_two() && region.relations[set.trailing_zeros() as usize].attached.is_none())
            .then(|| set.trailing_zeros() as usize)
    };
    for (at, relation) in region.relations.iter().enumerate() {
        let Some((_, attached)) = &relation.attached else { continue };
        // A NULL of the right side decides over rows of other keys.
        if attached.null_aware {
            continue;
        }
        for (left, right) in &attached.on {
            let (Some(source), Some(target)) = (column(left), column(right)) else { continue };
            let Some(from) = region.named(left).and_then(free) else { continue };
            if attached.join_type == JoinType::LeftSemi {
                pairs.push((at, target.clone(), from, source.clone()));
            }
            pairs.push((from, source, at, target));
        }
    }
    pairs
}

/// The conditions that a plan's rows satisfy, in its own columns.
fn conditions_of(plan: &LogicalPlan) -> Vec<Expr> {
    match plan {
        LogicalPlan::TableScan(scan) => {
            let here =
                |filter: &&Expr| filter.column_refs().iter().all(|column| scan.projected_schema.has_column(column));
            scan.filters.iter().filter(here).cloned().collect()
        }
        LogicalPlan::Filter(filter) => {
            let mut all: Vec<Expr> = split_conjunction(&filter.predicate).into_iter().cloned().collect();
            all.extend(conditions_of(&filter.input));
            all
        }
        LogicalPlan::SubqueryAlias(alias) => {
            let names = alias.input.schema().columns().into_iter().zip(alias.schema.columns()).collect();
            translated(conditions_of(&alias.input), &names)
        }
        LogicalPlan::Projection(projection) => {
            let named = projection.expr.iter().zip(projection.schema.columns());
            let named = named.filter_map(|(expr, column)| Some((plain(expr)?.clone(), column)));
            translated(conditions_of(&projection.input), &named.collect())
        }
        _ => Vec::new(),
    }
}

/// Conditions in other names; those of columns that have none are left out.
fn translated(conditions: Vec<Expr>, names: &Names) -> Vec<Expr> {
    let known = |condition: &Expr| condition.column_refs().into_iter().all(|column| names.contains_key(column));
    conditions.into_iter().filter(known).filter_map(|condition| renamed(condition, names).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::logical_expr::{col, lit};

    #[test]
    fn what_alternatives_imply() {
        let of = |name: &'static str| {
            move |expr: &Expr| {
                let columns = expr.column_refs();
                !columns.is_empty() && columns.iter().all(|column| column.name.starts_with(name))
            }
        };
        let (france, germany) = (lit("FRANCE"), lit("GERMANY"));
        let q7 = (col("a1").eq(france.clone()).and(col("b1").eq(germany.clone())))
            .or(col("a1").eq(germany.clone()).and(col("b1").eq(france.clone())));
        let cases = [
            (q7.clone(), "a", Some(col("a1").eq(france.clone()).or(col("a1").eq(germany.clone())))),
            (q7.clone(), "b", Some(col("b1").eq(germany.clone()).or(col("b1").eq(france.clone())))),
            // One branch says nothing of it.
            (q7.or(col("a1").eq(lit("x"))), "b", None),
            (col("a1").eq(col("b1")).or(col("a1").gt(lit(1))), "b", None),
            (col("a1").gt(lit(1)), "a", Some(col("a1").gt(lit(1)))),
        ];
        for (condition, name, expected) in cases {
            assert_eq!(implied(&condition, &of(name)), expected, "{condition} of {name}");
        }
    }

    #[test]
    fn tests_move_and_others_stay() {
        let cases = [
            (col("a").eq(lit(1)), true),
            (lit(1).lt(col("a")), true),
            (col("a").between(lit(1), lit(2)), true),
            (col("a").in_list(vec![lit(1), lit(2)], true), true),
            (col("a").eq(lit(1)).or(col("a").eq(lit(2))), true),
            (col("a").is_null(), false),
            (col("a").eq(col("b")), false),
            (col("a").eq(lit(1)).or(col("a").is_null()), false),
        ];
        for (condition, moves) in cases {
            assert_eq!(is_test(&condition), moves, "{condition}");
        }
    }
}
