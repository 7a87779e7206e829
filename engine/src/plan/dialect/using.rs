//! Columns of JOIN … USING that are named without a table. DataFusion takes them for ambiguous in WHERE, and everywhere
//! where several joins share one; of an outer join it takes the left side's value whatever the join. Each stands for the
//! side that has the value: the left one, of a RIGHT JOIN the right one, of a FULL JOIN whichever is there.

use super::spelling::call;
use crate::sql::relation_name;
use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, Ident, JoinConstraint, JoinOperator, ObjectName, ObjectNamePart, Query, Select, SelectItem,
    TableFactor, VisitMut, VisitorMut,
};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// The tables whose values a column has, the first that is not NULL; none where it is not known which.
type Columns = BTreeMap<String, Vec<String>>;

/// Names the tables of such columns in a query's items, WHERE, GROUP BY and HAVING, and in ON of the joins that follow.
pub(super) fn qualify(select: &mut Select) {
    let mut columns = Columns::new();
    for from in &mut select.from {
        for at in 0..from.joins.len() {
            let (before, rest) = from.joins.split_at_mut(at);
            let Some(join) = rest.first_mut() else { continue };
            if let Some(condition) = condition_of(&mut join.join_operator) {
                Qualifier::of(&columns).walk(condition);
            }
            if let Some((side, names)) = merged(&join.join_operator) {
                let left: Vec<&TableFactor> =
                    std::iter::once(&from.relation).chain(before.iter().map(|join| &join.relation)).collect();
                for name in names {
                    note(&mut columns, name, side, &left, &join.relation);
                }
            }
        }
    }
    let mut qualifier = Qualifier::of(&columns);
    if qualifier.columns.is_empty() {
        return;
    }
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(Expr::Identifier(column)) = item
            && qualifier.columns.get(&column.value).is_some_and(|tables| tables.len() > 1)
        {
            // What it becomes would give it another name.
            *item = SelectItem::ExprWithAlias { alias: column.clone(), expr: Expr::Identifier(column.clone()) };
        }
        if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
            qualifier.walk(expr);
        }
    }
    select.selection.iter_mut().chain(&mut select.having).for_each(|expr| qualifier.walk(expr));
    if let GroupByExpr::Expressions(keys, _) = &mut select.group_by {
        for key in keys {
            qualifier.walk(key);
        }
    }
}

/// Whose value a column has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Same,
    Left,
    Right,
    First,
}

/// The condition of a join with ON.
fn condition_of(operator: &mut JoinOperator) -> Option<&mut Expr> {
    match operator {
        JoinOperator::Join(JoinConstraint::On(condition))
        | JoinOperator::Inner(JoinConstraint::On(condition))
        | JoinOperator::Left(JoinConstraint::On(condition))
        | JoinOperator::LeftOuter(JoinConstraint::On(condition))
        | JoinOperator::Right(JoinConstraint::On(condition))
        | JoinOperator::RightOuter(JoinConstraint::On(condition))
        | JoinOperator::FullOuter(JoinConstraint::On(condition)) => Some(condition),
        _ => None,
    }
}

/// The columns of USING, and whose values they have.
fn merged(operator: &JoinOperator) -> Option<(Side, &[ObjectName])> {
    let (side, constraint) = match operator {
        JoinOperator::Join(constraint) | JoinOperator::Inner(constraint) => (Side::Same, constraint),
        JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint) => (Side::Left, constraint),
        JoinOperator::Right(constraint) | JoinOperator::RightOuter(constraint) => (Side::Right, constraint),
        JoinOperator::FullOuter(constraint) => (Side::First, constraint),
        _ => return None,
    };
    match constraint {
        JoinConstraint::Using(names) => Some((side, names)),
        _ => None,
    }
}

fn note(columns: &mut Columns, name: &ObjectName, side: Side, left: &[&TableFactor], right: &TableFactor) {
    let [ObjectNamePart::Identifier(ident)] = name.0.as_slice() else { return };
    let of_left = match (columns.get(&ident.value), left) {
        (Some(known), _) => known.clone(),
        (None, [only]) => relation_name(only).into_iter().map(str::to_owned).collect(),
        // Which of several has it is not known here.
        (None, _) => Vec::new(),
    };
    let of_right: Vec<String> = relation_name(right).into_iter().map(str::to_owned).collect();
    let tables = match side {
        Side::Left => of_left,
        Side::Right => of_right,
        Side::Same if of_left.is_empty() => of_right,
        Side::Same => of_left,
        Side::First if of_left.is_empty() || of_right.is_empty() => Vec::new(),
        Side::First => of_left.into_iter().chain(of_right).collect(),
    };
    columns.insert(ident.value.clone(), tables);
}

/// Qualifies columns, but not those of queries within.
struct Qualifier {
    columns: Columns,
    depth: usize,
}

impl Qualifier {
    /// For the columns of which it is known whose they are.
    fn of(columns: &Columns) -> Self {
        let known = columns.iter().filter(|(_, tables)| !tables.is_empty());
        Self { columns: known.map(|(column, tables)| (column.clone(), tables.clone())).collect(), depth: 0 }
    }

    fn walk(&mut self, expr: &mut Expr) {
        // It never breaks.
        let _: ControlFlow<()> = expr.visit(self);
    }
}

impl VisitorMut for Qualifier {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if self.depth == 0
            && let Expr::Identifier(column) = expr
            && let Some(tables) = self.columns.get(&column.value)
        {
            let of = |table: &String| {
                let table = Ident::with_quote('"', table.clone());
                Expr::CompoundIdentifier(vec![table, column.clone()])
            };
            let mut qualified: Vec<Expr> = tables.iter().map(of).collect();
            *expr = if qualified.len() == 1 { qualified.remove(0) } else { call("coalesce", qualified) };
        }
        ControlFlow::Continue(())
    }
}
