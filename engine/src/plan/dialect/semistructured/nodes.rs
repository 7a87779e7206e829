//! SUPER in the nodes of a finished plan: what they compare, group and sort themselves, and unions of SUPER and other
//! values.

use super::expressions::{order, rewrite_expr};
use super::values::{SUPER, call, is_super, key};
use crate::functions::{self, SuperArgument};
use crate::plan::groups::{Key, Show, keys_of, regroup};
use crate::sql::Dialect;
use crate::tables;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, DFSchemaRef};
use datafusion::error::Result;
use datafusion::functions_aggregate::expr_fn::min;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    Aggregate, Distinct, Expr, Join, JoinConstraint, LogicalPlan, LogicalPlanBuilder, Union,
};
use std::cell::Cell;
use std::sync::Arc;

/// Rewrites what the planner did with SUPER values as with texts, in a plan and the queries in it. A plan that was
/// rewritten stays as it is.
pub(in crate::plan) fn rewrite(plan: LogicalPlan, dialect: Dialect) -> Result<LogicalPlan> {
    if dialect != Dialect::Redshift || !mentions(&plan)? {
        return Ok(plan);
    }
    let changed = Cell::new(false);
    plan.transform_up_with_subqueries(|node| rewrite_node(node, &changed)).map(|rewritten| rewritten.data)
}

/// Whether there is a SUPER value anywhere, or what takes one.
fn mentions(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        found |= node.schema().fields().iter().any(|field| tables::is_super(field));
        if !found {
            node.apply_expressions(|expr| {
                found |= expr.exists(|part| Ok(begins(part)))?;
                Ok(TreeNodeRecursion::Continue)
            })?;
        }
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
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
    let schema: DFSchema = match &plan {
        LogicalPlan::TableScan(scan) => {
            DFSchema::try_from_qualified_schema(scan.table_name.clone(), scan.source.schema().as_ref())?
        }
        plan => merge_schema(&plan.inputs()),
    };
    let schema = DFSchemaRef::from(schema);
    let keyed = match &mut plan {
        LogicalPlan::Sort(sort) => order(&mut sort.expr, &schema)?,
        LogicalPlan::Join(join) => keys(join)?,
        LogicalPlan::Distinct(Distinct::On(on)) => compared(&mut on.on_expr, &schema)?,
        _ => false,
    };
    let names = NamePreserver::new(&plan);
    let rewritten = plan.map_expressions(|expr| {
        let name = names.save(&expr);
        let rewritten = expr.transform_up(|part| rewrite_expr(part, &schema))?;
        Ok(if rewritten.transformed { Transformed::yes(name.restore(rewritten.data)) } else { rewritten })
    })?;
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
    let is =
        |input: &LogicalPlan, at: usize| input.schema().fields().get(at).is_some_and(|field| tables::is_super(field));
    let is_mixed = |at: usize| {
        let mut inputs = union.inputs.iter().map(|input| is(input, at));
        let first = inputs.next().unwrap_or_default();
        inputs.any(|other| other != first)
    };
    let mixed: Vec<bool> = (0..union.schema.fields().len()).map(is_mixed).collect();
    if !mixed.contains(&true) {
        return Ok(None);
    }
    let mut inputs = Vec::with_capacity(union.inputs.len());
    for input in &union.inputs {
        let mut items = Vec::with_capacity(mixed.len());
        for (at, column) in input.schema().columns().into_iter().enumerate() {
            let (relation, name) = (column.relation.clone(), column.name.clone());
            let value = Expr::Column(column);
            items.push(if mixed[at] && !is(input, at) {
                call(SUPER, vec![value])?.alias_qualified(relation, name)
            } else {
                value
            });
        }
        inputs.push(Arc::new(LogicalPlanBuilder::from(input.as_ref().clone()).project(items)?.build()?));
    }
    Union::try_new_with_loose_types(inputs).map(|union| Some(LogicalPlan::Union(union)))
}
