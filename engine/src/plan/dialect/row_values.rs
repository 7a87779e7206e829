//! Rows compared with rows: `(a, b) = (c, d)`, `(a, b) < (c, d)`, `(a, b) IN ((1, 2), …)` and `(a, b) IN (SELECT …)`, as
//! comparisons of their values.

use super::calls::{binary, not, null};
use crate::error::{Error, ErrorKind};
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Ident, Query, SetExpr, TableAlias, TableAliasColumnDef, TableFactor, TableWithJoins,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

/// Spells a comparison of rows; leaves all else.
///
/// # Errors
/// `Syntax` for rows of different lengths; `Unsupported` for NOT IN with a query.
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
            if *negated {
                return Err(Error::unsupported("NOT IN with a row and a query"));
            }
            exists(row, subquery)?
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

/// `EXISTS (SELECT 1 FROM (query) AS t (c0, c1) WHERE c0 = a AND c1 = b)`.
fn exists(row: &[Expr], subquery: &mut Box<Query>) -> Result<Expr, Error> {
    let internal = || Error::internal("the query of a row cannot be spelled");
    let template = "EXISTS (SELECT 1 FROM (SELECT 1) AS t)";
    let parsed = Parser::new(&PostgreSqlDialect {}).try_with_sql(template).and_then(|mut parser| parser.parse_expr());
    let Ok(Expr::Exists { subquery: mut outer, negated }) = parsed else { return Err(internal()) };
    let SetExpr::Select(select) = outer.body.as_mut() else { return Err(internal()) };
    let names: Vec<Ident> = (0..row.len()).map(|at| Ident::with_quote('"', format!("$row{at}"))).collect();
    let columns = names.iter().map(|name| TableAliasColumnDef { name: name.clone(), data_type: None });
    let alias =
        TableAlias { explicit: true, name: Ident::with_quote('"', "$rows"), columns: columns.collect(), at: None };
    let [TableWithJoins { relation: TableFactor::Derived { subquery: inner, alias: named, .. }, .. }] =
        select.from.as_mut_slice()
    else {
        return Err(internal());
    };
    std::mem::swap(inner, subquery);
    *named = Some(alias);
    let columns: Vec<Expr> = names.into_iter().map(Expr::Identifier).collect();
    select.selection = Some(compared(&columns, &BinaryOperator::Eq, row)?);
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
                "(a, b) IN (SELECT 1, 2)",
                "(EXISTS (SELECT 1 FROM (SELECT 1, 2) AS \"$rows\" (\"$row0\", \"$row1\") WHERE (\"$row0\" = a) AND (\"$row1\" = b)))",
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
