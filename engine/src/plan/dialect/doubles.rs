//! Decimals beside floating-point numbers are such numbers, as both services have it (Redshift: "Implicit type conversion";
//! Trino: a DECIMAL is coerced to DOUBLE). DataFusion makes decimals with 15 digits after the point of both, which few
//! doubles are.
//!
//! Operators are planned so; what the planner does not ask for (VALUES, UNION, INTERSECT, CASE, IN, BETWEEN, functions that
//! choose) is rewritten in the finished plan.

use super::passes::{self, compares};
use crate::functions::{self, mixes_doubles};
use crate::sql::{Dialect, call as spelled_call};
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::expr::{InSubquery, ScalarFunction};
use datafusion::logical_expr::{
    BinaryExpr, Case, Expr, ExprSchemable, Join, JoinConstraint, LogicalPlan, LogicalPlanBuilder, Operator, Union,
    Values, binary_expr, cast,
};
use datafusion::sql::sqlparser::ast;
use std::cell::Cell;
use std::sync::Arc;

/// Functions that give one of their arguments.
const CHOOSING: [&str; 3] = ["greatest", "least", "nullif"];

/// The quotient of decimals.
const DIVIDE: &str = "$divide";

/// Marks what VALUES casts to a decimal, so that it is told from what the planner casts.
pub(super) fn mark_casts(values: &mut ast::Values) {
    if values.rows.len() < 2 {
        return;
    }
    for expr in values.rows.iter_mut().flat_map(|row| &mut row.content) {
        let mut inner = &*expr;
        while let ast::Expr::Nested(nested) = inner {
            inner = nested;
        }
        let to = match inner {
            ast::Expr::Cast { data_type, .. } => data_type,
            ast::Expr::Convert { data_type: Some(data_type), .. } => data_type,
            _ => continue,
        };
        if matches!(to, ast::DataType::Decimal(_) | ast::DataType::Numeric(_) | ast::DataType::Dec(_)) {
            let value = std::mem::replace(expr, ast::Expr::Value(ast::Value::Null.into()));
            *expr = spelled_call(functions::COALESCE, vec![value]);
        }
    }
}

/// Rewrites a plan and the queries in it; names stay.
pub(in crate::plan) fn rewrite(plan: LogicalPlan, dialect: Dialect) -> Result<LogicalPlan> {
    let changed = Cell::new(false);
    plan.transform_up_with_subqueries(|node| rewrite_node(node, dialect, &changed)).map(|rewritten| rewritten.data)
}

fn rewrite_node(mut plan: LogicalPlan, dialect: Dialect, changed: &Cell<bool>) -> Result<Transformed<LogicalPlan>> {
    let made = match &mut plan {
        LogicalPlan::Values(values) => rows(values)?,
        LogicalPlan::Union(union) => unified(union)?,
        LogicalPlan::Join(join) => {
            changed.set(keys(join) || changed.get());
            None
        }
        _ => None,
    };
    if let Some(made) = made {
        changed.set(true);
        return Ok(Transformed::yes(made));
    }
    let mut found = false;
    plan.apply_expressions(|expr| {
        found |= expr.exists(|part| Ok(is_looked_at(part)))?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    let rewritten = if found {
        let schema = passes::columns_of(&plan)?;
        passes::rewrite_expressions(plan, |part| rewrite_expr(part, &schema, dialect))?
    } else {
        Transformed::no(plan)
    };
    changed.set(changed.get() || rewritten.transformed);
    // Types of columns are others in the plans above, too.
    if changed.get() { Ok(Transformed::yes(rewritten.data.recompute_schema()?)) } else { Ok(rewritten) }
}

/// Whether an expression may mix decimals and doubles.
fn is_looked_at(expr: &Expr) -> bool {
    match expr {
        Expr::Case(_) | Expr::InList(_) | Expr::Between(_) | Expr::InSubquery(_) => true,
        Expr::BinaryExpr(BinaryExpr { op, .. }) => compares(*op),
        Expr::ScalarFunction(call) => call.name() == DIVIDE || CHOOSING.contains(&call.name()),
        _ => false,
    }
}

/// Casts the decimals among values that stand beside doubles; whether there were some. What has no type here, as an outer
/// query's column, stays as it is.
fn settle(mut values: Vec<&mut Expr>, schema: &DFSchema) -> bool {
    let types: Result<Vec<DataType>> = values.iter().map(|value| value.get_type(schema)).collect();
    let Ok(types) = types else { return false };
    if !mixes_doubles(&types) {
        return false;
    }
    for (value, _) in values.iter_mut().zip(&types).filter(|(_, data_type)| data_type.is_decimal()) {
        **value = cast(std::mem::take(*value), DataType::Float64);
    }
    true
}

fn rewrite_expr(mut expr: Expr, schema: &DFSchema, dialect: Dialect) -> Result<Transformed<Expr>> {
    let transformed = match &mut expr {
        Expr::Case(case) => settle_case(case, schema),
        Expr::InList(list) => settle(std::iter::once(list.expr.as_mut()).chain(&mut list.list).collect(), schema),
        Expr::Between(between) => {
            settle(vec![between.expr.as_mut(), between.low.as_mut(), between.high.as_mut()], schema)
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if compares(*op) => {
            settle(vec![left.as_mut(), right.as_mut()], schema)
        }
        Expr::InSubquery(among) => settle_query(among, schema)?,
        Expr::ScalarFunction(call) if CHOOSING.contains(&call.name()) => settle(call.args.iter_mut().collect(), schema),
        Expr::ScalarFunction(call) if call.name() == DIVIDE => match quotient(call, schema, dialect)? {
            Some(quotient) => {
                expr = quotient;
                true
            }
            None => false,
        },
        _ => false,
    };
    Ok(Transformed::new_transformed(expr, transformed))
}

fn settle_case(case: &mut Case, schema: &DFSchema) -> bool {
    let Case { expr, when_then_expr, else_expr } = case;
    let (mut compared, mut results) = (Vec::new(), Vec::new());
    let has_operand = expr.is_some();
    compared.extend(expr.as_deref_mut());
    for (when, then) in when_then_expr {
        if has_operand {
            compared.push(when.as_mut());
        }
        results.push(then.as_mut());
    }
    results.extend(else_expr.as_deref_mut());
    let compared = settle(compared, schema);
    settle(results, schema) || compared
}

/// A quotient of decimals of which one turned out to be a double.
fn quotient(call: &mut ScalarFunction, schema: &DFSchema, dialect: Dialect) -> Result<Option<Expr>> {
    if !call.args.iter().any(|arg| arg.get_type(schema).is_ok_and(|found| found.is_floating())) {
        return Ok(None);
    }
    let args: Vec<Expr> = std::mem::take(&mut call.args).into_iter().map(|arg| cast(arg, DataType::Float64)).collect();
    if dialect.rules().float_division_is_checked {
        return functions::call(dialect, "$divide_float", args).map(Some);
    }
    let [left, right] =
        <[Expr; 2]>::try_from(args).map_err(|_| crate::error::Error::internal("a quotient has two operands"))?;
    Ok(Some(binary_expr(left, Operator::Divide, right)))
}

/// `x [NOT] IN (query)`
fn settle_query(among: &mut InSubquery, schema: &DFSchema) -> Result<bool> {
    let query = among.subquery.subquery.schema();
    let Ok([column]) = <[_; 1]>::try_from(query.columns()) else { return Ok(false) };
    let (value, listed) = (among.expr.get_type(schema), query.field(0).data_type().clone());
    let Ok(value) = value else { return Ok(false) };
    if !mixes_doubles([&value, &listed]) {
        return Ok(false);
    }
    if value.is_decimal() {
        *among.expr = cast(std::mem::take(among.expr.as_mut()), DataType::Float64);
        return Ok(true);
    }
    let (relation, name) = (column.relation.clone(), column.name.clone());
    let doubles = cast(Expr::Column(column), DataType::Float64).alias_qualified(relation, name);
    let plan = LogicalPlanBuilder::from(Arc::clone(&among.subquery.subquery)).project([doubles])?.build()?;
    among.subquery = among.subquery.with_plan(Arc::new(plan));
    Ok(true)
}

/// Makes the keys of JOIN … USING, INTERSECT and EXCEPT doubles where one side is such; whether there is one to be made.
fn keys(join: &mut Join) -> bool {
    let (lefts, rights) = (join.left.schema(), join.right.schema());
    let mut found = false;
    for (left, right) in &mut join.on {
        let (Ok(l), Ok(r)) = (left.get_type(lefts.as_ref()), right.get_type(rights.as_ref())) else { continue };
        if mixes_doubles([&l, &r]) {
            let side = if l.is_decimal() { left } else { right };
            *side = cast(std::mem::take(side), DataType::Float64);
            found = true;
        }
    }
    if found {
        // Whose columns these are has been settled; DataFusion wants plain columns for them.
        join.join_constraint = JoinConstraint::On;
    }
    found
}

/// Rows with doubles in columns that the planner made decimals although a row has a double there; `None` without such.
fn rows(values: &Values) -> Result<Option<LogicalPlan>> {
    let nothing = DFSchema::empty();
    let planned = |at: usize| values.schema.field(at).data_type();
    let is_double = |row: &[Expr], at: usize| match row.get(at) {
        Some(Expr::Cast(to)) => {
            to.field.data_type() == planned(at) && to.expr.get_type(&nothing).is_ok_and(|from| from.is_floating())
        }
        _ => false,
    };
    let is_mixed = |at: usize| {
        values.values.len() > 1 && planned(at).is_decimal() && values.values.iter().any(|row| is_double(row, at))
    };
    let mixed: Vec<bool> = (0..values.schema.fields().len()).map(is_mixed).collect();
    if !mixed.contains(&true) {
        return Ok(None);
    }
    let mut rows = values.values.clone();
    for row in &mut rows {
        for (at, value) in row.iter_mut().enumerate().filter(|(at, _)| mixed[*at]) {
            *value = match std::mem::take(value) {
                Expr::Literal(null, metadata) if null.is_null() => Expr::Literal(ScalarValue::Null, metadata),
                Expr::Cast(to) if to.field.data_type() == planned(at) => cast(*to.expr, DataType::Float64),
                other => cast(other, DataType::Float64),
            };
        }
    }
    LogicalPlanBuilder::values(rows)?.build().map(Some)
}

/// A union whose columns are doubles in all of its inputs where they are in one; `None` when they are so already.
fn unified(union: &Union) -> Result<Option<LogicalPlan>> {
    let mixed = |fields: &[&Field]| mixes_doubles(fields.iter().map(|field| field.data_type()));
    passes::unified(union, mixed, |field, column| {
        let is_double = *field.data_type() == DataType::Float64;
        Ok(if is_double { Transformed::no(column) } else { Transformed::yes(cast(column, DataType::Float64)) })
    })
}
