//! Plans with placeholders, whose parameters' values come when they are run.
//!
//! A value may take the place of a placeholder in an optimized plan where it is compared with a column and nothing else:
//! then its type is the column's, whatever the value is, and the plan is the one that the value itself would have given.
//! What a value decides further, which files are read among that, is decided when the physical plan is made.

use super::{query, values};
use crate::functions::WITHOUT_BLANKS;
use crate::plan;
use crate::session::Context;
use crate::sql::{Bound, Statement};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::expr::{InList, Placeholder};
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator};
use datafusion::optimizer::simplify_expressions::SimplifyExpressions;
use datafusion::optimizer::{Optimizer, OptimizerContext};
use std::sync::Arc;

/// The plan of a statement for all values of its parameters; `None` where each set of values needs one of its own.
pub(super) async fn plan(context: &Context, bound: &Bound) -> Option<LogicalPlan> {
    let Statement::Query(query) = &bound.statement.statement else { return None };
    let logical = query::logical_plan(context, query).await.ok()?;
    let state = context.state();
    let optimized = plan::with_room(|| state.optimize(&logical)).ok()?;
    plan::with_room(|| fits(&optimized, &bound.types)).ok()?.then_some(optimized)
}

/// A plan with values in the places of its placeholders; `None` where a value is not surely one of its column's type.
pub(super) fn with_values(plan: &LogicalPlan, bound: &Bound, state: &SessionState) -> Result<Option<LogicalPlan>> {
    let mut all = true;
    let filled =
        plan.clone().transform_up_with_subqueries(|node| node.map_expressions(|expr| fill(expr, bound, &mut all)));
    let filled = filled.data()?;
    if !all {
        return Ok(None);
    }
    let rules = Optimizer::with_rules(vec![Arc::new(SimplifyExpressions::default())]);
    let options = Arc::clone(state.config().options());
    let context = OptimizerContext::new_with_config_options(options).with_max_passes(1);
    rules.optimize(filled, &context, |_, _| {}).map(Some)
}

/// A condition with values in the places of its placeholders; `None` as of a plan.
pub(super) fn condition_with_values(condition: Expr, bound: &Bound) -> Result<Option<Expr>> {
    let mut all = true;
    let filled = fill(condition, bound, &mut all).data()?;
    Ok(all.then_some(filled))
}

/// Puts values in the places of an expression's placeholders, and notes when not all have one that fits.
fn fill(expr: Expr, bound: &Bound, all: &mut bool) -> Result<Transformed<Expr>> {
    expr.transform(|expr| {
        let Expr::Placeholder(placeholder) = &expr else { return Ok(Transformed::no(expr)) };
        match value_of(placeholder, bound) {
            Some(value) => Ok(Transformed::yes(Expr::Literal(value, None))),
            None => {
                *all = false;
                Ok(Transformed::new(expr, false, TreeNodeRecursion::Stop))
            }
        }
    })
}

fn value_of(placeholder: &Placeholder, bound: &Bound) -> Option<ScalarValue> {
    let place = place(placeholder)?;
    let text = bound.values.get(place)?.as_deref();
    let (declared, column) = (bound.types.get(place)?, placeholder.field.as_ref()?.data_type());
    // The column may have room for what the parameter's own type has none for.
    if declared != column && values::value(text, declared).is_none() {
        return None;
    }
    values::value(text, column)
}

/// Which of the parameters a placeholder stands for, from 0.
fn place(placeholder: &Placeholder) -> Option<usize> {
    placeholder.id.strip_prefix('$')?.parse::<usize>().ok()?.checked_sub(1)
}

/// Whether every placeholder of a plan may have its place taken by a value of these types.
fn fits(plan: &LogicalPlan, types: &[DataType]) -> Result<bool> {
    let mut fits = true;
    plan.apply_with_subqueries(|node| {
        let filters = matches!(node, LogicalPlan::Filter(_) | LogicalPlan::TableScan(_));
        node.apply_expressions(|expr| {
            fits &= if filters { is_condition(expr, types)? } else { !has_placeholder(expr)? };
            Ok(if fits { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
        })?;
        Ok::<_, DataFusionError>(if fits { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    })?;
    Ok(fits)
}

fn has_placeholder(expr: &Expr) -> Result<bool> {
    expr.exists(|expr| Ok(matches!(expr, Expr::Placeholder(_))))
}

/// Whether the placeholders of a condition are compared with columns only.
fn is_condition(expr: &Expr, types: &[DataType]) -> Result<bool> {
    if !has_placeholder(expr)? {
        return Ok(true);
    }
    Ok(match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And | Operator::Or, right }) => {
            is_condition(left, types)? && is_condition(right, types)?
        }
        Expr::Not(inner) => is_condition(inner, types)?,
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if compares(*op) => {
            (is_column(left) && is_parameter(right, types)) || (is_parameter(left, types) && is_column(right))
        }
        Expr::InList(InList { expr, list, .. }) => {
            let takes = |item: &Expr| is_parameter(item, types) || matches!(item, Expr::Literal(..));
            is_column(expr) && list.iter().all(takes)
        }
        _ => false,
    })
}

fn compares(op: Operator) -> bool {
    matches!(op, Operator::Eq | Operator::NotEq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq)
}

/// What stands within the function that takes a text's blanks from its end.
fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::ScalarFunction(call) if call.name() == WITHOUT_BLANKS && call.args.len() == 1 => &call.args[0],
        other => other,
    }
}

fn is_column(expr: &Expr) -> bool {
    matches!(bare(expr), Expr::Column(_))
}

fn is_parameter(expr: &Expr, types: &[DataType]) -> bool {
    let Expr::Placeholder(placeholder) = bare(expr) else { return false };
    let declared = place(placeholder).and_then(|place| types.get(place));
    let column = placeholder.field.as_ref().map(|field| field.data_type());
    declared.zip(column).is_some_and(|(declared, column)| values::compares(declared, column))
}
