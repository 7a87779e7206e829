//! What is done to a query after sqlparser: TOP, FETCH and MINUS become what the planner knows, and what it would
//! pass over in silence is refused by name.

use crate::error::{Error, ErrorKind};
use crate::sql::{diagnose, folded, syntax, time_travel};
use sqlparser::ast::{
    BinaryOperator, Expr, Fetch, LimitClause, ObjectName, ObjectNamePart, Query, Select, SelectInto, SetExpr,
    SetOperator, SetQuantifier, Spanned, Statement, TableFactor, Top, TopQuantity, Value, VisitMut, VisitorMut,
};
use sqlparser::tokenizer::Location;
use std::ops::ControlFlow;

/// How many ANDs or ORs in a row stay as they are written.
const MAX_SPINE: usize = 64;

/// An error and where in the statement it is, where known.
pub(super) type Refusal = (Option<Location>, Error);

/// Takes INTO out of a query's first SELECT.
pub(super) fn take_into(query: &mut Query) -> Option<SelectInto> {
    let mut body = query.body.as_mut();
    loop {
        match body {
            SetExpr::Select(select) => return select.into.take(),
            SetExpr::SetOperation { left, .. } => body = left,
            _ => return None,
        }
    }
}

/// The name by which a query calls an item of FROM.
pub(crate) fn relation_name(factor: &TableFactor) -> Option<String> {
    let name = match factor {
        TableFactor::Table { name, alias: None, .. } => name.0.last()?.as_ident(),
        TableFactor::Table { alias, .. }
        | TableFactor::Derived { alias, .. }
        | TableFactor::TableFunction { alias, .. }
        | TableFactor::Function { alias, .. }
        | TableFactor::UNNEST { alias, .. }
        | TableFactor::Pivot { alias, .. }
        | TableFactor::Unpivot { alias, .. } => alias.as_ref().map(|alias| &alias.name),
        _ => None,
    };
    name.map(folded)
}

/// Rewrites a query and its subqueries in place, or says what of it is not supported.
pub(super) fn settle(query: &mut Query) -> Result<(), Refusal> {
    match query.visit(&mut Settler) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(refusal) => Err(*refusal),
    }
}

struct Settler;

impl VisitorMut for Settler {
    type Break = Box<Refusal>;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Self::Break> {
        flow(settle_query(query))
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Self::Break> {
        let refused = [
            (select.into.is_some(), "SELECT INTO"),
            (!select.distribute_by.is_empty(), "DISTRIBUTE BY"),
            (!select.connect_by.is_empty(), "CONNECT BY"),
            (select.exclude.is_some(), "EXCLUDE after a column that is not a wildcard"),
            (select.value_table_mode.is_some(), "SELECT AS"),
        ];
        flow(match refused.iter().find(|(found, _)| *found) {
            Some((_, construct)) => Err((Some(select.select_token.0.span.start), Error::unsupported(construct))),
            None => Ok(()),
        })
    }

    // sqlparser takes any word for a table: `FROM FROM`.
    fn pre_visit_relation(&mut self, relation: &mut ObjectName) -> ControlFlow<Self::Break> {
        let first = relation.0.first().and_then(ObjectNamePart::as_ident);
        flow(match first.filter(|name| name.quote_style.is_none() && syntax::is_reserved(&name.value)) {
            Some(name) => {
                let detail = Some("expected a table".to_owned());
                Err((Some(name.span.start), diagnose::syntax_error(Some(&name.value), detail)))
            }
            None => Ok(()),
        })
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        balance(expr);
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Self::Break> {
        if let TableFactor::Table { name, alias, version, .. } = factor
            && let Some(version) = version.take()
            && let Err(error) = time_travel::mark(name, alias, version)
        {
            let at = factor.span().start;
            return flow(Err(((at.line > 0).then_some(at), error)));
        }
        let refused = match factor {
            TableFactor::Table { with_hints, .. } if !with_hints.is_empty() => "WITH (…) after a table",
            TableFactor::Table { with_ordinality: true, .. } => "WITH ORDINALITY after a table",
            TableFactor::JsonTable { .. } => "JSON_TABLE",
            _ => return ControlFlow::Continue(()),
        };
        let at = factor.span().start;
        flow(Err(((at.line > 0).then_some(at), Error::unsupported(refused))))
    }
}

fn flow(result: Result<(), Refusal>) -> ControlFlow<Box<Refusal>> {
    match result {
        Ok(()) => ControlFlow::Continue(()),
        Err(refusal) => ControlFlow::Break(Box::new(refusal)),
    }
}

/// Makes `a OR b OR c …`, where it is long, a tree of logarithmic depth: recursion over it needs little stack then.
/// AND and OR are associative, with NULL too.
fn balance(expr: &mut Expr) {
    let Expr::BinaryOp { op: op @ (BinaryOperator::And | BinaryOperator::Or), .. } = expr else { return };
    let op = op.clone();
    let (mut length, mut left) = (0, &*expr);
    while let Expr::BinaryOp { left: next, op: other, .. } = left {
        if *other != op || length > MAX_SPINE {
            break;
        }
        (length, left) = (length + 1, next);
    }
    if length <= MAX_SPINE {
        return;
    }
    let mut operands = Vec::new();
    let mut rest = std::mem::replace(expr, Expr::Value(Value::Null.into()));
    loop {
        match rest {
            Expr::BinaryOp { left, op: other, right } if other == op => {
                operands.push(*right);
                rest = *left;
            }
            first => {
                operands.push(first);
                break;
            }
        }
    }
    operands.reverse();
    while operands.len() > 1 {
        let mut pairs = operands.into_iter();
        operands = Vec::new();
        while let Some(left) = pairs.next() {
            operands.push(match pairs.next() {
                Some(right) => Expr::BinaryOp { left: Box::new(left), op: op.clone(), right: Box::new(right) },
                None => left,
            });
        }
    }
    if let Some(balanced) = operands.pop() {
        *expr = balanced;
    }
}

fn settle_query(query: &mut Query) -> Result<(), Refusal> {
    if !query.locks.is_empty() || query.for_clause.is_some() {
        return Err((None, Error::unsupported("FOR after a query")));
    }
    if let SetExpr::Select(select) = &mut *query.body
        && let Some(top) = select.top.take()
    {
        let at = select.select_token.0.span.start;
        let quantity = top_quantity(top).map_err(|error| (Some(at), error))?;
        limit(query, quantity).map_err(|error| (Some(at), error))?;
    }
    if let Some(fetch) = query.fetch.take() {
        let quantity = fetch_quantity(fetch).map_err(|error| (None, error))?;
        limit(query, quantity).map_err(|error| (None, error))?;
    }
    settle_body(&mut query.body)
}

/// Walks the operands of set operations; the left side in a loop, for that is where they grow long.
fn settle_body(body: &mut SetExpr) -> Result<(), Refusal> {
    let mut body = body;
    loop {
        match body {
            SetExpr::SetOperation { left, op, set_quantifier, right } => {
                if *op == SetOperator::Minus {
                    *op = SetOperator::Except;
                    if *set_quantifier == SetQuantifier::None {
                        *set_quantifier = SetQuantifier::Distinct;
                    }
                }
                settle_operand(left)?;
                settle_operand(right)?;
                if matches!(**right, SetExpr::SetOperation { .. }) {
                    settle_body(right)?;
                }
                body = left;
            }
            SetExpr::Insert(statement)
            | SetExpr::Update(statement)
            | SetExpr::Delete(statement)
            | SetExpr::Merge(statement) => {
                return Err((None, Error::unsupported(format!("{} in a query", verb(statement)))));
            }
            _ => return Ok(()),
        }
    }
}

/// A SELECT with TOP among the operands of a set operation becomes a query with LIMIT of its own.
fn settle_operand(operand: &mut Box<SetExpr>) -> Result<(), Refusal> {
    let SetExpr::Select(select) = &mut **operand else { return Ok(()) };
    let Some(top) = select.top.take() else { return Ok(()) };
    let at = select.select_token.0.span.start;
    let quantity = top_quantity(top).map_err(|error| (Some(at), error))?;
    let body = std::mem::replace(operand, Box::new(SetExpr::Values(empty_values())));
    **operand = SetExpr::Query(Box::new(Query {
        with: None,
        body,
        order_by: None,
        limit_clause: Some(LimitClause::LimitOffset { limit: Some(quantity), offset: None, limit_by: Vec::new() }),
        fetch: None,
        locks: Vec::new(),
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: Vec::new(),
    }));
    Ok(())
}

fn empty_values() -> sqlparser::ast::Values {
    sqlparser::ast::Values { explicit_row: false, value_keyword: false, rows: Vec::new() }
}

fn top_quantity(top: Top) -> Result<Expr, Error> {
    if top.percent {
        return Err(Error::unsupported("TOP … PERCENT"));
    }
    if top.with_ties {
        return Err(Error::unsupported("TOP … WITH TIES"));
    }
    match top.quantity {
        Some(TopQuantity::Constant(rows)) => Ok(Expr::Value(Value::Number(rows.to_string(), false).into())),
        Some(TopQuantity::Expr(expr @ Expr::Value(_))) => Ok(expr),
        _ => Err(Error::unsupported("TOP with an expression")),
    }
}

fn fetch_quantity(fetch: Fetch) -> Result<Expr, Error> {
    if fetch.percent {
        return Err(Error::unsupported("FETCH FIRST … PERCENT"));
    }
    if fetch.with_ties {
        return Err(Error::unsupported("FETCH FIRST … WITH TIES"));
    }
    Ok(fetch.quantity.unwrap_or_else(|| Expr::Value(Value::Number("1".to_owned(), false).into())))
}

fn limit(query: &mut Query, quantity: Expr) -> Result<(), Error> {
    match &mut query.limit_clause {
        None => {
            query.limit_clause =
                Some(LimitClause::LimitOffset { limit: Some(quantity), offset: None, limit_by: Vec::new() });
        }
        Some(LimitClause::LimitOffset { limit: limit @ None, .. }) => *limit = Some(quantity),
        Some(_) => return Err(Error::new(ErrorKind::Syntax, "multiple LIMIT clauses not allowed")),
    }
    Ok(())
}

fn verb(statement: &Statement) -> &'static str {
    match statement {
        Statement::Insert(_) => "INSERT",
        Statement::Update(_) => "UPDATE",
        Statement::Delete(_) => "DELETE",
        _ => "MERGE",
    }
}
