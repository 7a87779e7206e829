//! Rows that a join gives.

use super::column::{ColumnEstimate, Estimate};
use super::filter::{Scope, selectivity};
use datafusion::common::{Column, JoinType};
use datafusion::logical_expr::Expr;

/// The share of all pairs of rows that agree in pairs of columns.
///
/// Keys are drawn from their domains, and the smaller of two is taken to lie within the larger. A key of several
/// columns has no more values than the table that they come from has rows; where that bounds both sides, one refers
/// to the other, and the smaller number is that of the keys.
pub(crate) fn matching(pairs: &[(&ColumnEstimate, &ColumnEstimate)]) -> f64 {
    let nulls: f64 = pairs.iter().map(|(left, right)| (1. - left.nulls) * (1. - right.nulls)).product();
    let values = match pairs {
        [] => return 1.,
        [(left, right)] => {
            let (small, large) = if left.domain <= right.domain { (left, right) } else { (right, left) };
            // A number of values that is guessed from the rows makes every column a key. One of two is none.
            if !large.measured && large.domain >= large.table_rows * 0.99 { small.domain } else { large.domain }
        }
        _ => {
            let (left, left_full) = together(pairs.iter().map(|(left, _)| *left));
            let (right, right_full) = together(pairs.iter().map(|(_, right)| *right));
            if left_full && right_full { left.min(right) } else { left.max(right) }
        }
    };
    nulls / values.max(1.)
}

/// How many values columns have together, and whether their table's rows bound that.
fn together<'a>(columns: impl Iterator<Item = &'a ColumnEstimate>) -> (f64, bool) {
    let mut tables: Vec<(f64, f64)> = Vec::new();
    for column in columns {
        // Tables of one size are taken for one table.
        match tables.iter_mut().find(|(rows, _)| (*rows - column.table_rows).abs() < 0.5) {
            Some((_, values)) => *values *= column.domain.max(1.),
            None => tables.push((column.table_rows, column.domain.max(1.))),
        }
    }
    let full = tables.iter().all(|(rows, values)| values >= rows);
    (tables.iter().map(|(rows, values)| values.min(*rows)).product(), full)
}

/// The share of the left rows that have a partner, for semi-joins.
pub(crate) fn partnered(pairs: &[(&ColumnEstimate, &ColumnEstimate)]) -> f64 {
    let one = |(left, right): &(&ColumnEstimate, &ColumnEstimate)| {
        (right.distinct / left.domain.max(right.distinct).max(1.)).min(1.) * (1. - left.nulls)
    };
    // Columns of one key come together: the least share speaks for all.
    pairs.iter().map(one).fold(1., f64::min)
}

/// The rows of a join of two inputs, with the columns of its schema.
pub(super) fn joined(
    left: &Estimate,
    right: &Estimate,
    pairs: &[(ColumnEstimate, ColumnEstimate)],
    filter: Option<&Expr>,
    find: &dyn Fn(&Column) -> Option<usize>,
    join_type: JoinType,
) -> Estimate {
    let pairs: Vec<_> = pairs.iter().map(|(left, right)| (left, right)).collect();
    let known = left.known && right.known;
    let both: Vec<ColumnEstimate> = left.columns.iter().chain(&right.columns).cloned().collect();
    let scope = Scope { columns: &both, rows: left.rows * right.rows, find };
    let share = filter.map_or(1., |filter| selectivity(filter, &scope));
    let inner = left.rows * right.rows * matching(&pairs) * share;
    // A condition besides the keys keeps a partner more often than a pair: each row may have several.
    let some = |pairs: &[(&ColumnEstimate, &ColumnEstimate)]| (partnered(pairs) * share.sqrt()).clamp(0., 1.);
    let swapped: Vec<_> = pairs.iter().map(|(left, right)| (*right, *left)).collect();
    let side = |input: &Estimate, share: f64| Estimate { known, ..input.scaled((input.rows * share).max(1.)) };
    let rows = match join_type {
        JoinType::LeftSemi => return side(left, some(&pairs)),
        JoinType::LeftAnti => return side(left, (1. - some(&pairs)).max(0.02)),
        JoinType::RightSemi => return side(right, some(&swapped)),
        JoinType::RightAnti => return side(right, (1. - some(&swapped)).max(0.02)),
        JoinType::LeftMark => return marked(left, known),
        JoinType::RightMark => return marked(right, known),
        JoinType::Inner => inner,
        JoinType::Left => inner.max(left.rows),
        JoinType::Right => inner.max(right.rows),
        JoinType::Full => inner.max(left.rows).max(right.rows).max(left.rows + right.rows - inner),
    };
    let columns = |input: &Estimate| {
        let rows_of = input.rows;
        input.columns.iter().map(move |column| column.among(rows_of, rows.min(rows_of))).collect::<Vec<_>>()
    };
    let mut columns = [columns(left), columns(right)].concat();
    if join_type == JoinType::Inner {
        // What joined is in both.
        let distinct = |column: &ColumnEstimate| column.distinct;
        let at = |wanted: &ColumnEstimate, from: usize, all: &[ColumnEstimate]| {
            all.iter().position(|column| column == wanted).map(|at| at + from)
        };
        for (l, r) in &pairs {
            let least = distinct(l).min(distinct(r)).min(rows.max(1.));
            let places = [at(l, 0, &left.columns), at(r, left.columns.len(), &right.columns)];
            for place in places.into_iter().flatten() {
                columns[place].distinct = columns[place].distinct.min(least);
                columns[place].nulls = 0.;
            }
        }
    }
    Estimate { rows, known, columns }
}

/// The input with a column that says whether a row has a partner.
fn marked(input: &Estimate, known: bool) -> Estimate {
    let mut output = input.clone();
    output.known = known;
    let mark = ColumnEstimate::unknown(input.rows, &datafusion::arrow::datatypes::DataType::Boolean);
    output.columns.push(ColumnEstimate { distinct: 2., domain: 2., ..mark });
    output
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "no rounding")]
    use super::*;

    fn column(distinct: f64, domain: f64, table_rows: f64, measured: bool) -> ColumnEstimate {
        ColumnEstimate { distinct, domain, measured, nulls: 0., range: None, width: 8., table_rows, computed: false }
    }

    #[test]
    fn shares_of_pairs() {
        let key = column(1_500., 1_500., 1_500., true);
        let refers = column(1_000., 1_000., 15_000., true);
        assert_eq!(matching(&[]), 1.);
        assert_eq!(matching(&[(&key, &refers)]), 1. / 1_500.);
        // Not counted: 60,000 rows with as many possible values, which refer to 15,000 keys.
        let guessed = column(60_000., 60_000., 60_000., false);
        let keys = column(15_000., 15_000., 15_000., false);
        assert_eq!(matching(&[(&guessed, &keys)]), 1. / 15_000.);
        // lineitem and partsupp, by part and supplier: each line has one partner.
        let (part, supplier) = (column(2_000., 2_000., 60_000., true), column(100., 100., 60_000., true));
        let (ps_part, ps_supplier) = (column(2_000., 2_000., 8_000., true), column(100., 100., 8_000., true));
        assert_eq!(matching(&[(&part, &ps_part), (&supplier, &ps_supplier)]), 1. / 8_000.);
    }

    #[test]
    fn rows_of_joins() {
        let side = |rows, column: &ColumnEstimate| Estimate { rows, known: true, columns: vec![column.clone()] };
        let key = column(300., 1_500., 1_500., true);
        let refers = column(1_500., 1_500., 15_000., true);
        let pairs = [(key.clone(), refers.clone())];
        let cases = [
            (JoinType::Inner, 3_000.),
            (JoinType::Left, 3_000.),
            (JoinType::Right, 15_000.),
            (JoinType::LeftSemi, 300.),
            (JoinType::LeftAnti, 6.),
            (JoinType::RightSemi, 3_000.),
            (JoinType::RightAnti, 12_000.),
        ];
        for (join_type, rows) in cases {
            let found = joined(&side(300., &key), &side(15_000., &refers), &pairs, None, &|_| None, join_type);
            assert!((found.rows - rows).abs() < 1., "{join_type}: {}", found.rows);
        }
    }
}
