//! The placeholders of a statement: `$1`, `$2`, …; Athena's `?` were numbered when the text was tokenised.
//!
//! Values take the place of placeholders in the syntax tree, never in the text: nothing that a client sends as a value
//! is ever read as SQL.

use crate::error::{Error, ErrorKind, Result};
use crate::sql::{CursorStatement, Explain, MergeMatched, PreparedStatement, Statement};
use sqlparser::ast::{self, Expr, Query, SelectItem, SetExpr, Value, VisitMut, VisitorMut};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// How many parameters a statement may have, as many as the protocol can count.
const MOST_PARAMETERS: usize = u16::MAX as usize;

/// Calls `visit` for every expression of a statement from the inside out, until it breaks. Statements without
/// expressions have none to visit.
fn visit<B>(statement: &mut Statement, visit_expr: &mut impl FnMut(&mut Expr) -> ControlFlow<B>) -> ControlFlow<B> {
    let mut visitor = Visitor { visit: visit_expr };
    match statement {
        Statement::Query(query) => query.visit(&mut visitor),
        Statement::Explain(Explain { statement, .. }) => visit(statement, visit_expr),
        Statement::CreateTableAs(create) => create.query.visit(&mut visitor),
        Statement::CreateTable(create) => create.query.visit(&mut visitor),
        Statement::Insert(insert) => insert.query.visit(&mut visitor),
        Statement::CopyOut(copy) => copy.query.visit(&mut visitor),
        Statement::Delete(delete) => delete.query.visit(&mut visitor),
        Statement::Update(update) => {
            for assignment in &mut update.assignments {
                assignment.value.visit(&mut visitor)?;
            }
            update.query.visit(&mut visitor)
        }
        Statement::Merge(merge) => {
            if let Some(MergeMatched::Update(assignments)) = &mut merge.matched {
                for assignment in assignments {
                    assignment.value.visit(&mut visitor)?;
                }
            }
            if let Some(insert) = &mut merge.insert {
                for value in &mut insert.values {
                    value.visit(&mut visitor)?;
                }
            }
            merge.matched_query.visit(&mut visitor)?;
            merge.unmatched_query.visit(&mut visitor)
        }
        Statement::Cursor(CursorStatement::Declare { query, .. }) => query.visit(&mut visitor),
        Statement::Prepared(PreparedStatement::Execute { values, .. }) => values.visit(&mut visitor),
        _ => ControlFlow::Continue(()),
    }
}

struct Visitor<'a, F> {
    visit: &'a mut F,
}

impl<B, F: FnMut(&mut Expr) -> ControlFlow<B>> VisitorMut for Visitor<'_, F> {
    type Break = B;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<B> {
        (self.visit)(expr)
    }
}

/// The number of a placeholder, from 1.
pub(crate) fn number_of(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Placeholder(name) => name.strip_prefix('$')?.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

/// How many parameters a statement has: the highest number of a placeholder.
///
/// # Errors
/// `UndefinedParameter` for `$0` and numbers beyond the protocol's.
pub(crate) fn count(statement: &mut Statement) -> Result<usize> {
    let mut most = 0;
    let flow = visit(statement, &mut |expr| {
        let Expr::Value(value) = expr else { return ControlFlow::Continue(()) };
        let Value::Placeholder(name) = &value.value else { return ControlFlow::Continue(()) };
        match name.strip_prefix('$').map(str::parse::<usize>) {
            Some(Ok(number)) if (1..=MOST_PARAMETERS).contains(&number) => {
                most = most.max(number);
                ControlFlow::Continue(())
            }
            Some(_) => ControlFlow::Break(no_parameter(name)),
            None => ControlFlow::Break(Error::unsupported(format!("parameter {name}"))),
        }
    });
    match flow {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(most),
    }
}

/// The error of a placeholder that nobody gives a value.
pub(crate) fn no_parameter(name: &str) -> Error {
    Error::new(ErrorKind::UndefinedParameter, format!("there is no parameter {name}"))
}

/// Puts values in the place of placeholders; those without a value stay.
pub(crate) fn replace(statement: &mut Statement, values: &[Option<Expr>]) {
    let _: ControlFlow<()> = visit(statement, &mut |expr| {
        if let Some(value) = number_of(expr).and_then(|number| values.get(number - 1)?.as_ref()) {
            *expr = value.clone();
        }
        ControlFlow::Continue(())
    });
}

/// The types that casts around placeholders tell: `$1::int`.
pub(crate) fn casts(statement: &mut Statement) -> BTreeMap<usize, ast::DataType> {
    let mut types = BTreeMap::new();
    let _: ControlFlow<()> = visit(statement, &mut |expr| {
        if let Expr::Cast { expr: inner, data_type, .. } = expr
            && let Some(number) = number_of(inner)
        {
            types.entry(number).or_insert_with(|| data_type.clone());
        }
        ControlFlow::Continue(())
    });
    types
}

/// The placeholders that are a column of a query's rows as they are, each with the column's number from 0.
pub(crate) fn columns(query: &Query) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut bodies = vec![query.body.as_ref()];
    while let Some(body) = bodies.pop() {
        match body {
            SetExpr::Values(values) => {
                for row in &values.rows {
                    let row = row.content.iter().enumerate();
                    found.extend(row.filter_map(|(column, value)| Some((number_of(value)?, column))));
                }
            }
            SetExpr::Select(select) => {
                let items = select.projection.iter().enumerate();
                found.extend(items.filter_map(|(column, item)| match item {
                    SelectItem::UnnamedExpr(value) | SelectItem::ExprWithAlias { expr: value, .. } => {
                        Some((number_of(value)?, column))
                    }
                    _ => None,
                }));
            }
            SetExpr::Query(query) => bodies.push(&query.body),
            SetExpr::SetOperation { left, right, .. } => bodies.extend([left.as_ref(), right.as_ref()]),
            _ => {}
        }
    }
    found
}

/// The placeholders that limit a query's rows.
pub(crate) fn limits(statement: &Statement) -> Vec<usize> {
    let Statement::Query(query) = statement else { return Vec::new() };
    let Some(ast::LimitClause::LimitOffset { limit, offset, .. }) = &query.limit_clause else { return Vec::new() };
    let limits = limit.iter().chain(offset.iter().map(|offset| &offset.value));
    limits.filter_map(number_of).collect()
}

/// Whether a statement gives rows.
pub(crate) fn gives_rows(statement: &Statement) -> bool {
    matches!(
        statement,
        Statement::Query(_)
            | Statement::Explain(_)
            | Statement::Show(_)
            | Statement::Describe(_)
            | Statement::Cursor(CursorStatement::Fetch { .. })
    )
}
