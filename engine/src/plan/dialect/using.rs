//! Columns that JOIN … USING makes one, and NATURAL. DataFusion takes the left or the right side's value for such a column
//! by the names of the tables, finds it ambiguous where several joins share it, and leaves it at its place; it has the
//! value of the side that has one, and comes first (PostgreSQL, Redshift and Trino).
//!
//! Here such a join becomes a relation of its own, with what its columns are called, which `joined` plans; a column of
//! USING that is named without a table is called so too.

use super::calls::quote_part;
use super::joined::{MERGED, is_lateral, is_merging};
use super::names::name_items;
use crate::sql::Dialect;
use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Join, JoinConstraint, JoinOperator, ObjectName, ObjectNamePart, OrderByKind, Query, Select,
    SelectItem, SetExpr, TableFactor, TableWithJoins, VisitMut, VisitorMut,
};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// What stands before a merged column's name; none where two joins have one of that name.
type Columns = BTreeMap<String, Option<Ident>>;

/// Names such columns in a query's items, conditions and keys, and makes their joins relations of their own.
pub(super) fn qualify(select: &mut Select, dialect: Dialect) {
    if !select.from.iter().any(has_joins) {
        return;
    }
    let columns = columns_of(&mut select.from, dialect);
    let from = std::mem::take(&mut select.from);
    Qualifier { columns: &columns, depth: 0, dialect }.walk(select);
    select.from = from.into_iter().map(nested).collect();
}

/// Names such columns in the keys that a query is ordered by, but for those that are names of its items.
pub(super) fn qualify_order(query: &mut Query, dialect: Dialect) {
    let SetExpr::Select(select) = query.body.as_mut() else { return };
    let Some(order_by) = &mut query.order_by else { return };
    let OrderByKind::Expressions(keys) = &mut order_by.kind else { return };
    if !select.from.iter().any(has_joins) {
        return;
    }
    name_items(&mut select.projection, dialect);
    let columns = columns_of(&mut select.from.clone(), dialect);
    for key in keys {
        if let Expr::Identifier(name) = &key.expr
            && select.projection.iter().any(|item| is_called(item, name))
        {
            continue;
        }
        Qualifier { columns: &columns, depth: 0, dialect }.walk(&mut key.expr);
    }
}

fn has_joins(from: &TableWithJoins) -> bool {
    !from.joins.is_empty() || matches!(from.relation, TableFactor::NestedJoin { .. })
}

fn is_called(item: &SelectItem, name: &Ident) -> bool {
    matches!(item, SelectItem::ExprWithAlias { alias, .. } if folded(alias) == folded(name))
}

/// A name as the planner reads it; those in quotes are folded already.
fn folded(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() }
}

fn columns_of(from: &mut [TableWithJoins], dialect: Dialect) -> Columns {
    let (mut columns, mut joins) = (Columns::new(), 0);
    for from in from {
        merge(&mut columns, name_joins(from, &mut joins, dialect));
    }
    columns
}

/// Columns of relations side by side: one name of two columns is ambiguous.
fn merge(columns: &mut Columns, others: Columns) {
    for (name, qualifier) in others {
        columns.entry(name).and_modify(|known| *known = None).or_insert(qualifier);
    }
}

/// Gives the columns of USING in a chain of joins their qualifier, and names them in ON of the joins that follow.
fn name_joins(from: &mut TableWithJoins, joins: &mut usize, dialect: Dialect) -> Columns {
    *joins += 1;
    let qualifier = Ident::with_quote('"', format!("{MERGED}{joins}"));
    let mut columns = name_factor(&mut from.relation, joins, dialect);
    for join in &mut from.joins {
        merge(&mut columns, name_factor(&mut join.relation, joins, dialect));
        let lateral = is_lateral(&join.relation);
        match constraint_of(&mut join.join_operator) {
            Some(JoinConstraint::On(condition)) => Qualifier { columns: &columns, depth: 0, dialect }.walk(condition),
            Some(JoinConstraint::Using(names)) if !lateral => {
                for name in names {
                    let [ObjectNamePart::Identifier(column)] = name.0.as_slice() else { continue };
                    columns.insert(folded(column), Some(qualifier.clone()));
                    *name = ObjectName::from(vec![qualifier.clone(), column.clone()]);
                }
            }
            _ => {}
        }
    }
    columns
}

fn name_factor(factor: &mut TableFactor, joins: &mut usize, dialect: Dialect) -> Columns {
    match factor {
        TableFactor::NestedJoin { table_with_joins, alias } => {
            let columns = name_joins(table_with_joins, joins, dialect);
            // With a name of its own, its columns are that table's.
            if alias.is_none() { columns } else { Columns::new() }
        }
        _ => Columns::new(),
    }
}

/// What a join of two sides' rows is by.
fn constraint_of(operator: &mut JoinOperator) -> Option<&mut JoinConstraint> {
    match operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint) => Some(constraint),
        _ => None,
    }
}

/// Makes each join that merges columns the last of a relation of its own.
fn nested(from: TableWithJoins) -> TableWithJoins {
    let mut relation = nested_factor(from.relation);
    let mut joins = Vec::new();
    for join in from.joins {
        let join = Join { relation: nested_factor(join.relation), ..join };
        let alone = is_merging(&join);
        joins.push(join);
        if alone {
            let joined = TableWithJoins { relation, joins: std::mem::take(&mut joins) };
            relation = TableFactor::NestedJoin { table_with_joins: Box::new(joined), alias: None };
        }
    }
    TableWithJoins { relation, joins }
}

fn nested_factor(factor: TableFactor) -> TableFactor {
    match factor {
        TableFactor::NestedJoin { table_with_joins, alias } => {
            let joined = nested(*table_with_joins);
            match (joined, alias) {
                // It is such a relation already.
                (
                    TableWithJoins { relation: TableFactor::NestedJoin { table_with_joins, alias: None }, joins },
                    alias,
                ) if joins.is_empty() => TableFactor::NestedJoin { table_with_joins, alias },
                (joined, alias) => TableFactor::NestedJoin { table_with_joins: Box::new(joined), alias },
            }
        }
        other => other,
    }
}

/// Qualifies columns, but not those of queries within.
struct Qualifier<'a> {
    columns: &'a Columns,
    depth: usize,
    dialect: Dialect,
}

impl Qualifier<'_> {
    fn walk(mut self, part: &mut impl VisitMut) {
        // It never breaks.
        let _: ControlFlow<()> = part.visit(&mut self);
    }
}

impl VisitorMut for Qualifier<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        // A part of a date is no column of its name.
        if let Expr::Function(function) = expr {
            quote_part(function, self.dialect);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if self.depth == 0
            && let Expr::Identifier(column) = expr
            && let Some(Some(qualifier)) = self.columns.get(&folded(column))
        {
            *expr = Expr::CompoundIdentifier(vec![qualifier.clone(), column.clone()]);
        }
        ControlFlow::Continue(())
    }
}
