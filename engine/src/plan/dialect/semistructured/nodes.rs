//! SUPER in the nodes of a finished plan: what they compare, group and sort themselves, and unions of SUPER and other
//! values.

use super::expressions::{order, rewrite_expr};
use super::values::{SUPER, call, is_super, key};
use crate::functions::{self, SuperArgument};
use crate::plan::dialect::passes;
use crate::plan::groups::{Key, Show, keys_of, regroup};
use crate::sql::Dialect;
use crate::tables;
use datafusion::arrow::datatypes::Field;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::functions_aggregate::expr_fn::min;
use datafusion::logical_expr::{Aggregate, Distinct, Expr, Join, JoinConstraint, LogicalPlan, Union};
use std::cell::Cell;

/// Rewrites what the planner did with SUPER values as with texts, in a plan and the queries in it. A plan that was
/// rewritten stays as it is.
pub(in crate::plan) fn rewrite(plan: LogicalPlan, dialect: Dialect) -> Result<LogicalPlan> {
    // Whether there is a SUPER value anywhere, or what takes one.
    if !dialect.rules().super_values || !passes::mentions(&plan, tables::is_super, begins)? {
        return Ok(plan);
    }
    let changed = Cell::new(false);
    plan.transform_up_with_subqueries(|node| rewrite_node(node, &changed)).map(|rewritten| rewritten.data)
}

/// Whether an expression is or takes SUPER by itself.
fn begins(expr: &Expr) -> bool {
    match expr {
        Expr::OuterReferenceColumn(field, _) => tables::is_super(field),
        Expr::Cast(cast) => tables::is_super(&cast.field),
        Expr::TryCast(cast) => tables::is_super(&cast.field),
        Expr::Literal(_, metadata) => metadata.is_some(),
        Expr::ScalarFunction(call) => {
            let takes = |at| functions::super_argument(&call.func, at) == Some(SuperArgument::Value);
            functions::gives_super(&call.func) == Some(true)
                || functions::is_users(&call.func)
                || (0..call.args.len()).any(takes)
        }
        _ => false,
    }
}

fn rewrite_node(mut plan: LogicalPlan, changed: &Cell<bool>) -> Result<Transformed<LogicalPlan>> {
    if let LogicalPlan::Union(union) = &plan
        && let Some(unified) = unified(union)?
    {
        changed.set(true);
        return Ok(Transformed::yes(unified));
    }
    let schema = passes::columns_of(&plan)?;
    let keyed = match &mut plan {
        LogicalPlan::Sort(sort) => order(&mut sort.expr, &schema)?,
        LogicalPlan::Join(join) => keys(join)?,
        LogicalPlan::Distinct(Distinct::On(on)) => compared(&mut on.on_expr, &schema)?,
        _ => false,
    };
    let rewritten = passes::rewrite_expressions(plan, |part| rewrite_expr(part, &schema))?;
    changed.set(changed.get() || keyed || rewritten.transformed);
    // What is no SUPER any more is none in the plans above either.
    let plan = if changed.get() { rewritten.data.recompute_schema()? } else { rewritten.data };
    let by_value = match &plan {
        LogicalPlan::Aggregate(aggregate) => keys_of(&aggregate.group_expr)?.iter().any(|key| is_super(key, &schema)),
        LogicalPlan::Distinct(Distinct::All(input)) => {
            input.schema().fields().iter().any(|field| tables::is_super(field))
        }
        _ => false,
    };
    changed.set(changed.get() || by_value);
    let plan = match plan {
        LogicalPlan::Aggregate(aggregate) if by_value => grouped(aggregate, &schema)?,
        LogicalPlan::Distinct(Distinct::All(input)) if by_value => {
            let columns = input.schema().columns().into_iter().map(Expr::Column).collect();
            grouped(Aggregate::try_new(input, columns, Vec::new())?, &schema)?
        }
        plan => plan,
    };
    Ok(Transformed::new_transformed(plan, changed.get()))
}

/// A grouping of SUPER values by value. Of the ways to write a group's value it shows the one that is first as a text.
fn grouped(aggregate: Aggregate, schema: &DFSchema) -> Result<LogicalPlan> {
    let mut compared = Vec::new();
    for planned in keys_of(&aggregate.group_expr)? {
        compared.push(if is_super(&planned, schema) {
            let value = planned.clone().unalias();
            let written = min(call("$super_written", vec![value.clone()])?);
            let show: Show<'_> = Box::new(|key, written| call("$super_shown", vec![key, written]));
            Key { compared: key(value, schema)?, planned, shown: Some((written, show)) }
        } else {
            Key { compared: planned.clone(), planned, shown: None }
        });
    }
    regroup(aggregate, &compared, &[])
}

/// Makes what is SUPER among expressions equal where values are; whether there is one to be made.
pub(super) fn compared(exprs: &mut [Expr], schema: &DFSchema) -> Result<bool> {
    let mut found = false;
    for expr in exprs.iter_mut().filter(|expr| is_super(expr, schema)) {
        *expr = key(std::mem::take(expr), schema)?;
        found = true;
    }
    Ok(found)
}

/// Makes the keys of JOIN … USING, INTERSECT and EXCEPT equal where values are; whether there is one to be made.
fn keys(join: &mut Join) -> Result<bool> {
    // Columns of both sides may have one name.
    let (lefts, rights) = (join.left.schema().as_ref(), join.right.schema().as_ref());
    let mut found = false;
    for (left, right) in &mut join.on {
        if is_super(left, lefts) || is_super(right, rights) {
            *left = key(std::mem::take(left), lefts)?;
            *right = key(std::mem::take(right), rights)?;
            found = true;
        }
    }
    if found {
        // Whose columns these are has been settled; DataFusion wants plain columns for them.
        join.join_constraint = JoinConstraint::On;
    }
    Ok(found)
}

/// A union whose columns are SUPER in all of its inputs where they are in one; `None` when they are so already.
fn unified(union: &Union) -> Result<Option<LogicalPlan>> {
    let mixed = |fields: &[&Field]| passes::differ(fields, tables::is_super);
    passes::unified(union, mixed, |field, column| {
        if tables::is_super(field) {
            return Ok(Transformed::no(column));
        }
        call(SUPER, vec![column]).map(Transformed::yes)
    })
}
