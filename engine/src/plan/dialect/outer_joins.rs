//! Outer joins marked by `(+)` in WHERE (Redshift, "WHERE clause"): each marked table is joined to the left of its
//! conditions.

use super::calls::binary;
use crate::error::{Error, ErrorKind};
use crate::sql::{folded, relation_name};
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Join, JoinConstraint, JoinOperator, Select, TableWithJoins, VisitMut, VisitorMut,
    visit_expressions,
};
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// Puts joins for marks.
///
/// # Errors
/// `Unsupported` for marks beside JOIN, on columns without table, or on both sides.
pub(super) fn rewrite(select: &mut Select) -> Result<(), Error> {
    let Some(condition) = &select.selection else { return Ok(()) };
    if !is_marked(condition) {
        return Ok(());
    }
    if select.from.iter().any(|from| !from.joins.is_empty()) {
        return Err(Error::unsupported("(+) beside JOIN"));
    }
    let Some(condition) = select.selection.take() else { return Ok(()) };
    let mut conjuncts = Vec::new();
    split(condition, &mut conjuncts);
    let (marked, plain): (Vec<Expr>, Vec<Expr>) = conjuncts.into_iter().partition(is_marked);
    let mut conditions = Vec::new();
    for mut expr in marked {
        let mut marks = Marks::default();
        if let ControlFlow::Break(error) = expr.visit(&mut marks) {
            return Err(*error);
        }
        let mut tables = marks.marked.iter();
        let (Some(table), None) = (tables.next(), tables.next()) else {
            return Err(Error::new(ErrorKind::Syntax, "a condition may mark the columns of one table with (+)"));
        };
        let others: BTreeSet<String> = qualifiers(&expr).into_iter().filter(|name| name != table).collect();
        conditions.push((table.clone(), others, expr));
    }
    let is_optional = |from: &TableWithJoins| {
        relation_name(&from.relation).is_some_and(|name| conditions.iter().any(|(table, ..)| *table == name))
    };
    let (mut optional, required): (Vec<TableWithJoins>, Vec<TableWithJoins>) =
        std::mem::take(&mut select.from).into_iter().partition(is_optional);
    let mut required = required.into_iter();
    let Some(mut joined) = required.next() else {
        return Err(Error::new(ErrorKind::Syntax, "one table must be without (+)"));
    };
    joined.joins.extend(required.map(|from| Join {
        relation: from.relation,
        global: false,
        join_operator: JoinOperator::CrossJoin(JoinConstraint::None),
    }));
    // A marked table comes after those that its conditions compare it with.
    while !optional.is_empty() {
        let waiting: BTreeSet<String> = optional.iter().filter_map(|from| relation_name(&from.relation)).collect();
        let ready = optional.iter().position(|from| {
            relation_name(&from.relation).is_some_and(|name| {
                conditions
                    .iter()
                    .filter(|(table, ..)| *table == name)
                    .all(|(_, others, _)| others.is_disjoint(&waiting))
            })
        });
        let Some(ready) = ready else {
            return Err(Error::new(ErrorKind::Syntax, "tables marked with (+) depend on each other"));
        };
        let from = optional.remove(ready);
        let name = relation_name(&from.relation).unwrap_or_default();
        let on = conditions.iter().filter(|(table, ..)| *table == name).map(|(.., expr)| expr.clone()).reduce(and);
        let constraint = on.map_or(JoinConstraint::None, JoinConstraint::On);
        joined.joins.push(Join {
            relation: from.relation,
            global: false,
            join_operator: JoinOperator::LeftOuter(constraint),
        });
    }
    select.from = vec![joined];
    select.selection = plain.into_iter().reduce(and);
    Ok(())
}

fn and(left: Expr, right: Expr) -> Expr {
    binary(left, BinaryOperator::And, right)
}

fn is_marked(expr: &Expr) -> bool {
    let mut found = false;
    let _: ControlFlow<()> = visit_expressions(expr, |part| {
        found |= matches!(part, Expr::OuterJoin(_));
        ControlFlow::Continue(())
    });
    found
}

fn split(expr: Expr, into: &mut Vec<Expr>) {
    match expr {
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            split(*left, into);
            split(*right, into);
        }
        Expr::Nested(inner) if matches!(inner.as_ref(), Expr::BinaryOp { op: BinaryOperator::And, .. }) => {
            split(*inner, into);
        }
        other => into.push(other),
    }
}

fn qualifiers(expr: &Expr) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let _: ControlFlow<()> = visit_expressions(expr, |part| {
        if let Expr::CompoundIdentifier(idents) = part
            && let [.., table, _] = idents.as_slice()
        {
            found.insert(folded(table));
        }
        ControlFlow::Continue(())
    });
    found
}

/// Takes marks off, and notes whose they are.
#[derive(Default)]
struct Marks {
    marked: BTreeSet<String>,
}

impl VisitorMut for Marks {
    type Break = Box<Error>;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        if let Expr::OuterJoin(inner) = expr {
            let table = qualifiers(inner).into_iter().next();
            let Some(table) = table else {
                return ControlFlow::Break(Box::new(Error::unsupported("(+) on a column without its table")));
            };
            self.marked.insert(table);
            let inner = super::calls::take(inner);
            *expr = inner;
        }
        ControlFlow::Continue(())
    }
}
