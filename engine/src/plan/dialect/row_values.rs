//! Rows compared with rows: `(a, b) = (c, d)`, `(a, b) < (c, d)`, `(a, b) IN ((1, 2), …)` and `(a, b) [NOT] IN (SELECT …)`,
//! as comparisons of their values.
//!
//! A row is among those of a query when one is equal to it, and it is not known whether it is when one could be but for
//! NULLs (PostgreSQL: "Subquery Expressions"). What could be is spelled as queries of which each compares some values and
//! looks for NULLs in others, so that joins by equality decide them.

use super::calls::{binary, case, not, null};
use crate::error::{Error, ErrorKind};
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Ident, Query, SetExpr, TableAlias, TableAliasColumnDef, TableFactor, TableWithJoins, Value,
    visit_expressions,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;
use std::ops::ControlFlow;

/// Spells a comparison of rows; leaves all else.
///
/// # Errors
/// `Syntax` for rows of different lengths.
pub(super) fn respell(expr: &mut Expr) -> Result<(), Error> {
    let spelled = match expr {
        Expr::BinaryOp { left, op, right } => {
            let (Some(left), Some(right)) = (values(left), values(right)) else { return Ok(()) };
            if !is_comparison(op) {
                return Ok(());
            }
            compared(left, op, right)?
        }
        Expr::InList { expr: row, list, negated } => {
            let Some(row) = values(row) else { return Ok(()) };
            let mut any = None;
            for item in list.iter() {
                let Some(item) = values(item) else { return Err(different_lengths()) };
                let equal = compared(row, &BinaryOperator::Eq, item)?;
                any = Some(match any {
                    Some(any) => binary(any, BinaryOperator::Or, equal),
                    None => equal,
                });
            }
            let any = any.unwrap_or_else(null);
            if *negated { not(any) } else { any }
        }
        Expr::InSubquery { expr: row, subquery, negated } => {
            let Some(row) = values(row) else { return Ok(()) };
            member(row, subquery, *negated)?
        }
        _ => return Ok(()),
    };
    *expr = Expr::Nested(Box::new(spelled));
    Ok(())
}

fn values(expr: &Expr) -> Option<&[Expr]> {
    match expr {
        Expr::Tuple(values) if values.len() > 1 => Some(values),
        Expr::Nested(inner) => values(inner),
        _ => None,
    }
}

fn is_comparison(op: &BinaryOperator) -> bool {
    use BinaryOperator as B;
    matches!(op, B::Eq | B::NotEq | B::Lt | B::LtEq | B::Gt | B::GtEq)
}

fn different_lengths() -> Error {
    Error::new(ErrorKind::Syntax, "unequal number of entries in row expressions")
}

/// The first values that differ decide.
fn compared(left: &[Expr], op: &BinaryOperator, right: &[Expr]) -> Result<Expr, Error> {
    use BinaryOperator as B;
    if left.len() != right.len() {
        return Err(different_lengths());
    }
    let pairs = || left.iter().cloned().zip(right.iter().cloned());
    let all =
        |op: &B, by: B| pairs().map(|(l, r)| binary(l, op.clone(), r)).reduce(|all, one| binary(all, by.clone(), one));
    let strict = match op {
        B::Eq => return Ok(all(&B::Eq, B::And).unwrap_or_else(null)),
        B::NotEq => return Ok(all(&B::NotEq, B::Or).unwrap_or_else(null)),
        B::Lt | B::LtEq => B::Lt,
        _ => B::Gt,
    };
    let mut pairs: Vec<(Expr, Expr)> = pairs().collect();
    let Some((l, r)) = pairs.pop() else { return Err(different_lengths()) };
    let mut whole = binary(l, op.clone(), r);
    while let Some((l, r)) = pairs.pop() {
        let equal = binary(l.clone(), B::Eq, r.clone());
        whole = binary(binary(l, strict.clone(), r), B::Or, binary(equal, B::And, whole));
    }
    Ok(whole)
}

/// The most values of a row that are looked for NULLs one by one: for each more there are three times as many queries.
const MOST_LOOKED_AT: usize = 3;

/// How a value of a row and one of a query's may be told to be the same, or not to differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    Equal,
    /// The query's is NULL.
    Theirs,
    /// The row's is NULL.
    Ours,
}

/// `row [NOT] IN (query)` in three truth values: what was found decides, else whether a row could have been but for NULLs.
/// The CASE has no ELSE: it is NULL where that is so.
fn member(row: &[Expr], query: &Query, negated: bool) -> Result<Expr, Error> {
    let found = exists(row, &vec![Fit::Equal; row.len()], query, negated)?;
    let answer = Expr::Value(Value::Boolean(negated).into());
    let known = case(vec![(no_other_fits(row, query)?, answer)], None);
    Ok(binary(found, if negated { BinaryOperator::And } else { BinaryOperator::Or }, known))
}

/// Whether no row of a query could be the same but for NULLs.
fn no_other_fits(row: &[Expr], query: &Query) -> Result<Expr, Error> {
    if row.len() > MOST_LOOKED_AT || asks_for_rows(query) {
        return with_rows(row.len(), query, true, |names| {
            Ok(Some(Expr::IsNotFalse(Box::new(Expr::Nested(Box::new(compared(names, &BinaryOperator::Eq, row)?))))))
        });
    }
    let mut none = None;
    for fits in all_fits(row).into_iter().filter(|fits| fits.contains(&Fit::Ours) || fits.contains(&Fit::Theirs)) {
        let absent = exists(row, &fits, query, true)?;
        // Of a row without these NULLs the query is not asked.
        let nulls = row.iter().zip(&fits).filter(|(_, fit)| **fit == Fit::Ours);
        let is_whole = nulls.map(|(value, _)| Expr::IsNotNull(Box::new(Expr::Nested(Box::new(value.clone())))));
        let absent = is_whole.fold(absent, |absent, value| binary(value, BinaryOperator::Or, absent));
        none = Some(match none {
            Some(none) => binary(none, BinaryOperator::And, absent),
            None => absent,
        });
    }
    Ok(none.unwrap_or_else(|| Expr::Value(Value::Boolean(true).into())))
}

/// Whether a query asks for rows among others' itself, of which there would be as many in each of its copies.
fn asks_for_rows(query: &Query) -> bool {
    let asked = visit_expressions(query, |expr| match expr {
        Expr::InSubquery { expr, .. } if values(expr).is_some() => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    asked.is_break()
}

/// Each way in which the values of a row may fit; a literal is NULL or is not.
fn all_fits(row: &[Expr]) -> Vec<Vec<Fit>> {
    let ways = row.iter().map(|value| match value {
        Expr::Value(value) if value.value == Value::Null => vec![Fit::Ours],
        Expr::Value(value) if !matches!(value.value, Value::Placeholder(_)) => vec![Fit::Equal, Fit::Theirs],
        _ => vec![Fit::Equal, Fit::Theirs, Fit::Ours],
    });
    ways.fold(vec![Vec::new()], |all, ways| {
        let longer = |fits: &Vec<Fit>| ways.iter().map(|fit| [fits.as_slice(), &[*fit]].concat()).collect::<Vec<_>>();
        all.iter().flat_map(longer).collect()
    })
}

/// `[NOT] EXISTS (SELECT 1 FROM (query) AS t (c0, c1) WHERE c0 = a AND c1 IS NULL)`.
fn exists(row: &[Expr], fits: &[Fit], query: &Query, negated: bool) -> Result<Expr, Error> {
    with_rows(row.len(), query, negated, |names| {
        let conditions = names.iter().zip(row).zip(fits).filter_map(|((name, value), fit)| match fit {
            Fit::Equal => Some(binary(name.clone(), BinaryOperator::Eq, value.clone())),
            Fit::Theirs => Some(Expr::IsNull(Box::new(name.clone()))),
            Fit::Ours => None,
        });
        Ok(conditions.reduce(|all, one| binary(all, BinaryOperator::And, one)))
    })
}

/// `[NOT] EXISTS` of the rows of a query for whose columns a condition holds.
fn with_rows(
    columns: usize,
    query: &Query,
    negated: bool,
    condition: impl FnOnce(&[Expr]) -> Result<Option<Expr>, Error>,
) -> Result<Expr, Error> {
    let internal = || Error::internal("the query of a row cannot be spelled");
    let template = "EXISTS (SELECT 1 FROM (SELECT 1) AS t)";
    let parsed = Parser::new(&PostgreSqlDialect {}).try_with_sql(template).and_then(|mut parser| parser.parse_expr());
    let Ok(Expr::Exists { subquery: mut outer, .. }) = parsed else { return Err(internal()) };
    let SetExpr::Select(select) = outer.body.as_mut() else { return Err(internal()) };
    let names: Vec<Ident> = (0..columns).map(|at| Ident::with_quote('"', format!("$row{at}"))).collect();
    let columns = names.iter().map(|name| TableAliasColumnDef { name: name.clone(), data_type: None });
    let alias =
        TableAlias { explicit: true, name: Ident::with_quote('"', "$rows"), columns: columns.collect(), at: None };
    let [TableWithJoins { relation: TableFactor::Derived { subquery: inner, alias: named, .. }, .. }] =
        select.from.as_mut_slice()
    else {
        return Err(internal());
    };
    query.clone_into(inner);
    *named = Some(alias);
    let names: Vec<Expr> = names.into_iter().map(Expr::Identifier).collect();
    select.selection = condition(&names)?;
    Ok(Expr::Exists { subquery: outer, negated })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn rows_become_comparisons_of_values() {
        for (text, expected) in [
            ("(a, b) = (1, 2)", "((a = 1) AND (b = 2))"),
            ("(a, b) <> (1, 2)", "((a <> 1) OR (b <> 2))"),
            ("(a, b) < (1, 2)", "((a < 1) OR ((a = 1) AND (b < 2)))"),
            ("(a, b) >= (1, 2)", "((a > 1) OR ((a = 1) AND (b >= 2)))"),
            ("(a, b) IN ((1, 2))", "((a = 1) AND (b = 2))"),
            ("(a, b) NOT IN ((1, 2))", "(NOT ((a = 1) AND (b = 2)))"),
            ("a = 1", "a = 1"),
            (
                "(1, NULL) IN (SELECT 1, 2)",
                "(EXISTS (SELECT 1 FROM (SELECT 1, 2) AS \"$rows\" (\"$row0\", \"$row1\") WHERE (\"$row0\" = 1) AND (\"$row1\" = NULL)) \
                 OR CASE WHEN ((NULL) IS NOT NULL OR NOT EXISTS (SELECT 1 FROM (SELECT 1, 2) AS \"$rows\" (\"$row0\", \"$row1\") WHERE \"$row0\" = 1)) \
                 AND ((NULL) IS NOT NULL OR NOT EXISTS (SELECT 1 FROM (SELECT 1, 2) AS \"$rows\" (\"$row0\", \"$row1\") WHERE \"$row0\" IS NULL)) THEN false END)",
            ),
        ] {
            let mut expr = Parser::new(&PostgreSqlDialect {}).try_with_sql(text).unwrap().parse_expr().unwrap();
            respell(&mut expr).unwrap();
            assert_eq!(expr.to_string(), expected);
        }
        let mut expr =
            Parser::new(&PostgreSqlDialect {}).try_with_sql("(a, b) = (1, 2, 3)").unwrap().parse_expr().unwrap();
        assert_eq!(respell(&mut expr).unwrap_err().sqlstate(), "42601");
    }
}
