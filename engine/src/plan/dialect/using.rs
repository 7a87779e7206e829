//! Columns that JOIN … USING makes one, and NATURAL. DataFusion takes the left or the right side's value for such a column
//! by the names of the tables, finds it ambiguous where several joins share it, and leaves it at its place; it has the
//! value of the side that has one, and comes first (PostgreSQL, Redshift and Trino).
//!
//! Here such a join becomes a relation of its own, with what its columns are called, which `joined` plans; a column of
//! USING that is named without a table is called so too, in queries within once the planner has missed it there.

use super::calls::quote_part;
use super::joined::{MERGED, is_lateral, is_merging, kind_of};
use super::names::name_items;
use crate::sql::{Dialect, folded};
use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Join, JoinConstraint, JoinOperator, ObjectName, ObjectNamePart, OrderByKind, Query, Select,
    SelectItem, SetExpr, TableFactor, TableWithJoins, VisitMut, VisitorMut,
};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// What stands before a merged column's name; none where two joins have one of that name.
type Columns = BTreeMap<String, Option<Ident>>;

/// Gives the columns of USING in a query's joins the tables that they are of when they are merged, a table for each chain
/// of joins. `count` is of all the chains of a statement: no two of them, in whichever of its queries, have one name.
pub(super) fn number(body: &mut SetExpr, count: &mut usize) {
    match body {
        SetExpr::Select(select) => {
            for from in &mut select.from {
                number_chain(from, count);
            }
        }
        SetExpr::SetOperation { left, right, .. } => {
            number(left, count);
            number(right, count);
        }
        _ => {}
    }
}

fn number_chain(from: &mut TableWithJoins, count: &mut usize) {
    *count += 1;
    let table = Ident::with_quote('"', format!("{MERGED}{count}"));
    number_factor(&mut from.relation, count);
    for join in &mut from.joins {
        number_factor(&mut join.relation, count);
        if is_lateral(&join.relation) {
            continue;
        }
        if let Some(JoinConstraint::Using(names)) = constraint_of(&mut join.join_operator) {
            for name in names {
                if let [ObjectNamePart::Identifier(column)] = name.0.as_slice() {
                    *name = ObjectName::from(vec![table.clone(), column.clone()]);
                }
            }
        }
    }
}

fn number_factor(factor: &mut TableFactor, count: &mut usize) {
    if let TableFactor::NestedJoin { table_with_joins, .. } = factor {
        number_chain(table_with_joins, count);
    }
}

/// Names such columns in a query's items, conditions and keys, and makes their joins relations of their own.
pub(super) fn qualify(select: &mut Select, dialect: Dialect) {
    if !select.from.iter().any(has_joins) {
        return;
    }
    let mut columns = Columns::new();
    for from in &mut select.from {
        qualify_lateral(&mut from.relation, &columns, dialect);
        qualify_chain(from, dialect);
        merge(&mut columns, columns_of_chain(from));
    }
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
    let columns = columns_of(&select.from);
    for key in keys {
        if let Expr::Identifier(name) = &key.expr
            && select.projection.iter().any(|item| is_called(item, name))
        {
            continue;
        }
        Qualifier { columns: &columns, depth: 0, dialect }.walk(&mut key.expr);
    }
}

/// Names a column that the planner did not find at a line and column, where it is a merged one of a query around its own;
/// false where it is none. A column of its own query's tables would have gone before.
pub(in crate::plan) fn qualify_outer(query: &mut Query, name: &str, at: (u64, u64)) -> bool {
    query.visit(&mut Around { name, at }).is_break()
}

fn has_joins(from: &TableWithJoins) -> bool {
    !from.joins.is_empty() || matches!(from.relation, TableFactor::NestedJoin { .. })
}

fn is_called(item: &SelectItem, name: &Ident) -> bool {
    matches!(item, SelectItem::ExprWithAlias { alias, .. } if folded(alias) == folded(name))
}

/// The merged columns that relations show.
fn columns_of(from: &[TableWithJoins]) -> Columns {
    let mut columns = Columns::new();
    for from in from {
        merge(&mut columns, columns_of_chain(from));
    }
    columns
}

fn columns_of_chain(from: &TableWithJoins) -> Columns {
    let mut columns = columns_of_factor(&from.relation);
    for join in &from.joins {
        add_join(&mut columns, join);
    }
    columns
}

fn columns_of_factor(factor: &TableFactor) -> Columns {
    match factor {
        // With a name of its own, its columns are that table's.
        TableFactor::NestedJoin { table_with_joins, alias: None } => columns_of_chain(table_with_joins),
        _ => Columns::new(),
    }
}

/// Adds a join's merged columns to those of the relations before it.
fn add_join(columns: &mut Columns, join: &Join) {
    merge(columns, columns_of_factor(&join.relation));
    let Some((_, JoinConstraint::Using(names))) = kind_of(&join.join_operator) else { return };
    for name in names {
        if let [ObjectNamePart::Identifier(table), ObjectNamePart::Identifier(column)] = name.0.as_slice() {
            columns.insert(folded(column), Some(table.clone()));
        }
    }
}

/// Merges columns of relations side by side: one name of two columns is ambiguous.
fn merge(columns: &mut Columns, others: Columns) {
    for (name, table) in others {
        columns.entry(name).and_modify(|known| *known = None).or_insert(table);
    }
}

/// Names such columns in ON of the joins that follow theirs, and in what is computed beside them.
fn qualify_chain(from: &mut TableWithJoins, dialect: Dialect) {
    qualify_factor(&mut from.relation, dialect);
    let mut columns = columns_of_factor(&from.relation);
    for join in &mut from.joins {
        qualify_factor(&mut join.relation, dialect);
        qualify_lateral(&mut join.relation, &columns, dialect);
        add_join(&mut columns, join);
        if let Some(JoinConstraint::On(condition)) = constraint_of(&mut join.join_operator) {
            Qualifier { columns: &columns, depth: 0, dialect }.walk(condition);
        }
    }
}

fn qualify_factor(factor: &mut TableFactor, dialect: Dialect) {
    if let TableFactor::NestedJoin { table_with_joins, .. } = factor {
        qualify_chain(table_with_joins, dialect);
    }
}

/// Names such columns of the relations before it in the arguments of UNNEST or a function.
fn qualify_lateral(factor: &mut TableFactor, columns: &Columns, dialect: Dialect) {
    if is_lateral(factor) {
        Qualifier { columns, depth: 0, dialect }.walk(factor);
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

/// Looks for a column among the merged ones of the queries around its own, the next one first.
struct Around<'a> {
    name: &'a str,
    at: (u64, u64),
}

impl VisitorMut for Around<'_> {
    type Break = ();

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let Some(Some(table)) = columns_of(&select.from).remove(self.name) else { return ControlFlow::Continue(()) };
        let mut placed = Placed { name: self.name, at: self.at, table };
        // Of the queries in FROM, only lateral ones see its columns.
        let mut from = std::mem::take(&mut select.from);
        let found = select.visit(&mut placed).is_break() || from.iter_mut().any(|from| placed.visit_laterals(from));
        select.from = from;
        if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Names the table of a column that stands at a line and column.
struct Placed<'a> {
    name: &'a str,
    at: (u64, u64),
    table: Ident,
}

impl Placed<'_> {
    /// Looks in the lateral relations among joins; whether it was there.
    fn visit_laterals(&mut self, from: &mut TableWithJoins) -> bool {
        let factors = std::iter::once(&mut from.relation).chain(from.joins.iter_mut().map(|join| &mut join.relation));
        for factor in factors {
            let found = match factor {
                TableFactor::NestedJoin { table_with_joins, .. } => self.visit_laterals(table_with_joins),
                factor => is_lateral(factor) && factor.visit(self).is_break(),
            };
            if found {
                return true;
            }
        }
        false
    }
}

impl VisitorMut for Placed<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(column)
                if folded(column) == self.name && self.at == (column.span.start.line, column.span.start.column) =>
            {
                *expr = Expr::CompoundIdentifier(vec![self.table.clone(), column.clone()]);
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        }
    }
}
