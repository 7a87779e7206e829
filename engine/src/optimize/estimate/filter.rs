//! The share of rows that a condition keeps, and what it leaves of each column.
//!
//! Conditions on one column are taken together (`a >= 1 AND a < 5` is one range); those on several are taken for
//! partly correlated: the most selective counts whole, each further one less.

use super::column::{ColumnEstimate, Estimate};
use super::number::position;
use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::expr::{Between, InList, Like};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use std::collections::BTreeMap;

/// Shares of conditions that nothing is known of.
const EQUAL_SHARE: f64 = 0.05;
const RANGE_SHARE: f64 = 1. / 3.;
/// A comparison with an aggregate's result, as `HAVING` has it: who asks for it asks for few.
const COMPUTED_SHARE: f64 = 0.1;
const PREFIX_SHARE: f64 = 0.03;
const CONTAINS_SHARE: f64 = 0.1;
const OTHER_SHARE: f64 = 0.25;

/// Powers that further conditions count with, the most selective first: half way between independence and the square
/// roots of square roots of exponential backoff.
const POWERS: [f64; 5] = [1., 0.85, 0.6, 0.4, 0.25];

/// The columns that a condition may name.
pub(crate) struct Scope<'a> {
    /// What is known of them.
    pub(crate) columns: &'a [ColumnEstimate],
    /// Their rows.
    pub(crate) rows: f64,
    /// Where a column stands.
    pub(crate) find: &'a dyn Fn(&Column) -> Option<usize>,
}

impl<'a> Scope<'a> {
    /// The column that an expression is, looked at through casts.
    fn column(&self, expr: &Expr) -> Option<(usize, &'a ColumnEstimate)> {
        match expr {
            Expr::Column(column) => (self.find)(column).and_then(|at| Some((at, self.columns.get(at)?))),
            Expr::Cast(cast) => self.column(&cast.expr),
            Expr::TryCast(cast) => self.column(&cast.expr),
            Expr::Alias(alias) => self.column(&alias.expr),
            _ => None,
        }
    }
}

/// A condition on one column that says which part of its values is kept.
enum Test {
    /// One value, or this many.
    Values(f64, Vec<f64>),
    /// A range, open where infinite.
    Range(f64, f64),
}

/// The rows of an input that conditions keep, with their columns.
pub(super) fn filtered(input: &Estimate, find: &dyn Fn(&Column) -> Option<usize>, conditions: &[&Expr]) -> Estimate {
    let scope = Scope { columns: &input.columns, rows: input.rows, find };
    let mut ranges: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
    let mut shares: Vec<(f64, Option<usize>)> = Vec::new();
    let mut output = input.clone();
    for condition in conditions {
        match test(condition, &scope) {
            Some((at, Test::Range(low, high))) if input.columns[at].range.is_some() => {
                let known = ranges.entry(at).or_insert((f64::NEG_INFINITY, f64::INFINITY));
                *known = (known.0.max(low), known.1.min(high));
            }
            Some((at, Test::Values(count, values))) => {
                shares.push((selectivity(condition, &scope), Some(at)));
                let column = &mut output.columns[at];
                column.distinct = column.distinct.min(count);
                let bounds = |values: &[f64]| {
                    (
                        values.iter().copied().fold(f64::INFINITY, f64::min),
                        values.iter().copied().fold(f64::MIN, f64::max),
                    )
                };
                if !values.is_empty() {
                    column.range = Some(bounds(&values));
                }
                column.nulls = 0.;
            }
            _ => shares.push((selectivity(condition, &scope), None)),
        }
    }
    for (at, (low, high)) in ranges {
        let column = &mut output.columns[at];
        let share = range_share(&input.columns[at], low, high);
        column.distinct = (column.distinct * share).max(1.);
        column.range = column.range.map(|(first, last)| (first.max(low).min(last), last.min(high).max(first)));
        column.nulls = 0.;
        shares.push((share, Some(at)));
    }
    let share = combined(shares.iter().map(|(share, _)| *share));
    output.rows = input.rows * share;
    for (at, column) in output.columns.iter_mut().enumerate() {
        let own: f64 = shares.iter().filter(|(_, of)| *of == Some(at)).map(|(share, _)| *share).product();
        *column = column.among(input.rows * own, output.rows.min(input.rows * own));
    }
    output
}

/// The share of rows that all of some conditions keep, each of which keeps a share.
pub(crate) fn combined(shares: impl Iterator<Item = f64>) -> f64 {
    let mut shares: Vec<f64> = shares.collect();
    shares.sort_by(f64::total_cmp);
    let last = POWERS[POWERS.len() - 1];
    let powers = POWERS.iter().copied().chain(std::iter::repeat(last));
    shares.iter().zip(powers).map(|(share, power)| share.clamp(0., 1.).powf(power)).product()
}

/// The share of rows that a condition keeps.
pub(crate) fn selectivity(condition: &Expr, scope: &Scope) -> f64 {
    let share = match condition {
        Expr::Literal(ScalarValue::Boolean(Some(true)), _) => 1.,
        Expr::Literal(..) => 0.,
        Expr::Alias(alias) => selectivity(&alias.expr, scope),
        Expr::Column(_) | Expr::IsTrue(_) | Expr::IsFalse(_) => 0.5,
        Expr::Not(inner) => 1. - selectivity(inner, scope),
        Expr::IsNull(inner) => scope.column(inner).map_or(0.05, |(_, column)| column.nulls),
        Expr::IsNotNull(inner) => scope.column(inner).map_or(0.95, |(_, column)| 1. - column.nulls),
        Expr::Like(like) => like_share(like),
        Expr::Between(Between { negated, .. }) => {
            let share = tested(condition, scope).unwrap_or(RANGE_SHARE * 0.5);
            if *negated { 1. - share } else { share }
        }
        Expr::InList(InList { list, negated, expr }) => {
            let one = scope.column(expr).map_or(EQUAL_SHARE, |(_, column)| values_share(column, 1., &[]));
            let share = tested(condition, scope).unwrap_or((one * list.len() as f64).min(0.5));
            if *negated { 1. - share } else { share }
        }
        Expr::BinaryExpr(BinaryExpr { op: Operator::And, .. }) => {
            combined(split_conjunction(condition).into_iter().map(|part| selectivity(part, scope)))
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            tested(condition, scope).unwrap_or_else(|| {
                let (left, right) = (selectivity(left, scope), selectivity(right, scope));
                left + right - left * right
            })
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            tested(condition, scope).unwrap_or_else(|| comparison(left, *op, right, scope))
        }
        _ => OTHER_SHARE,
    };
    // Even what cannot be may leave a row: nothing multiplies to none.
    share.clamp(1e-9_f64.max(0.1 / scope.rows.max(1.)).min(1.), 1.)
}

/// The share by a test of one column against constants.
fn tested(condition: &Expr, scope: &Scope) -> Option<f64> {
    let (at, test) = test(condition, scope)?;
    let column = &scope.columns[at];
    match test {
        Test::Values(count, values) => Some(values_share(column, count, &values)),
        Test::Range(low, high) => column.range.map(|_| range_share(column, low, high)),
    }
}

fn comparison(left: &Expr, op: Operator, right: &Expr, scope: &Scope) -> f64 {
    let (left, right) = (scope.column(left), scope.column(right));
    let computed = [&left, &right].iter().any(|side| side.is_some_and(|(_, column)| column.computed));
    match op {
        Operator::Eq | Operator::IsNotDistinctFrom => match (left, right) {
            (Some((_, left)), Some((_, right))) => 1. / left.distinct.max(right.distinct).max(1.),
            (Some((_, column)), None) | (None, Some((_, column))) if !column.computed => values_share(column, 1., &[]),
            _ => EQUAL_SHARE,
        },
        Operator::NotEq | Operator::IsDistinctFrom => match (left, right) {
            (Some((_, left)), Some((_, right))) => 1. - 1. / left.distinct.max(right.distinct).max(2.),
            (Some((_, column)), None) | (None, Some((_, column))) => 1. - values_share(column, 1., &[]),
            _ => 1. - EQUAL_SHARE,
        },
        Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq if computed => COMPUTED_SHARE,
        Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq => RANGE_SHARE,
        _ => OTHER_SHARE,
    }
}

fn like_share(like: &Like) -> f64 {
    let share = match like.pattern.as_ref() {
        Expr::Literal(value, _) => match value.try_as_str().flatten() {
            Some(pattern) if !pattern.contains(['%', '_']) => EQUAL_SHARE,
            Some(pattern) if !pattern.starts_with(['%', '_']) => PREFIX_SHARE,
            // Each further fragment must be there too.
            Some(pattern) => {
                let fragments = pattern.split('%').filter(|part| !part.is_empty()).count();
                CONTAINS_SHARE.powf(1. + 0.5 * fragments.saturating_sub(1) as f64)
            }
            None => CONTAINS_SHARE,
        },
        _ => CONTAINS_SHARE,
    };
    if like.negated { 1. - share } else { share }
}

/// Finds a test of one column against constants.
fn test(condition: &Expr, scope: &Scope) -> Option<(usize, Test)> {
    match condition {
        // One of some values, written as alternatives.
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            match (test(left, scope)?, test(right, scope)?) {
                ((at, Test::Values(some, mut values)), (to, Test::Values(more, others))) if at == to => {
                    let whole = values.len() as f64 >= some && others.len() as f64 >= more;
                    values.extend(others);
                    Some((at, Test::Values(some + more, if whole { values } else { Vec::new() })))
                }
                _ => None,
            }
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let (column, op, literal) = match (scope.column(left), scope.column(right)) {
                (Some(column), None) => (column, *op, literal(right)?),
                (None, Some(column)) => (column, op.swap()?, literal(left)?),
                _ => return None,
            };
            let at = column.0;
            let value = position(literal);
            Some((
                at,
                match op {
                    Operator::Eq if !column.1.computed => Test::Values(1., value.into_iter().collect()),
                    Operator::Lt | Operator::LtEq => Test::Range(f64::NEG_INFINITY, value?),
                    Operator::Gt | Operator::GtEq => Test::Range(value?, f64::INFINITY),
                    _ => return None,
                },
            ))
        }
        Expr::Between(Between { expr, negated: false, low, high }) => {
            let (at, _) = scope.column(expr)?;
            Some((at, Test::Range(position(literal(low)?)?, position(literal(high)?)?)))
        }
        Expr::InList(InList { expr, list, negated: false }) => {
            let (at, _) = scope.column(expr)?;
            let values = list.iter().map(|item| literal(item).and_then(position)).collect::<Option<Vec<f64>>>();
            Some((at, Test::Values(list.len() as f64, values.unwrap_or_default())))
        }
        _ => None,
    }
}

fn literal(expr: &Expr) -> Option<&ScalarValue> {
    match expr {
        Expr::Literal(value, _) => Some(value),
        Expr::Cast(cast) => literal(&cast.expr),
        _ => None,
    }
}

/// The share of rows that have one of some values; those outside of the column's bounds do not count.
fn values_share(column: &ColumnEstimate, count: f64, values: &[f64]) -> f64 {
    let inside = match column.range {
        Some((low, high)) if !values.is_empty() => {
            values.iter().filter(|value| (low..=high).contains(*value)).count() as f64
        }
        _ => count,
    };
    (1. - column.nulls) * (inside / column.distinct.max(1.)).min(1.)
}

/// The share of rows in a range of values that are taken for evenly spread.
fn range_share(column: &ColumnEstimate, low: f64, high: f64) -> f64 {
    let Some((first, last)) = column.range else { return RANGE_SHARE };
    let values = 1. - column.nulls;
    if low > last || high < first || low > high {
        return 0.;
    }
    if last <= first {
        return values;
    }
    let kept = high.min(last) - low.max(first);
    values * (kept / (last - first)).clamp(1. / column.distinct.max(1.), 1.)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "no rounding")]
    use super::*;
    use datafusion::logical_expr::{col, lit};

    /// `a` from 0 to 100 with 101 values, `b` without bounds and 10 values, `n` half NULL.
    fn input() -> Estimate {
        let column = |distinct: f64, range, nulls| ColumnEstimate {
            distinct,
            domain: distinct,
            measured: true,
            nulls,
            range,
            width: 8.,
            table_rows: 1_000.,
            computed: false,
        };
        let columns = vec![column(101., Some((0., 100.)), 0.), column(10., None, 0.), column(100., None, 0.5)];
        Estimate { rows: 1_000., known: true, columns }
    }

    fn find(column: &Column) -> Option<usize> {
        ["a", "b", "n"].iter().position(|name| *name == column.name)
    }

    #[test]
    fn rows_that_conditions_keep() {
        let cases = [
            (vec![col("a").lt(lit(50_i64))], 500.),
            (vec![col("a").gt_eq(lit(20_i64)), col("a").lt(lit(30_i64))], 100.),
            (vec![lit(50_i64).gt(col("a"))], 500.),
            (vec![col("a").between(lit(0_i64), lit(25_i64))], 250.),
            (vec![col("a").eq(lit(7_i64))], 1_000. / 101.),
            (vec![col("a").eq(lit(700_i64))], 0.1),
            (vec![col("b").eq(lit("x"))], 100.),
            (vec![col("b").in_list(vec![lit("x"), lit("y")], false)], 200.),
            (vec![col("b").in_list(vec![lit("x"), lit("y")], true)], 800.),
            (vec![col("n").is_null()], 500.),
            (vec![col("b").eq(lit("x")).or(col("b").eq(lit("y")))], 200.),
            (vec![col("b").eq(lit("x")).or(col("n").is_null())], 550.),
            (vec![lit(true)], 1_000.),
            // Two that are independent would keep 50.
            (vec![col("a").lt(lit(50_i64)), col("b").eq(lit("x"))], 1_000. * 0.1 * 0.5_f64.powf(0.85)),
        ];
        for (conditions, expected) in cases {
            let found = filtered(&input(), &find, &conditions.iter().collect::<Vec<_>>());
            assert!((found.rows - expected).abs() < 1., "{conditions:?}: {}", found.rows);
        }
    }

    #[test]
    fn columns_that_conditions_leave() {
        let conditions = [col("a").lt(lit(50_i64)), col("b").eq(lit("x"))];
        let found = filtered(&input(), &find, &conditions.iter().collect::<Vec<_>>());
        assert_eq!(found.columns[1].distinct, 1.);
        assert_eq!(found.columns[0].range, Some((0., 50.)));
        assert!(found.columns[0].distinct < 51. && found.columns[0].domain > 100.);
    }
}
