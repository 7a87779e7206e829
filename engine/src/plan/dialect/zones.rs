//! What clocks show of moments with a zone, in a session whose zone is not UTC: casts between moments with and without zone,
//! those that the planner made to have types agree too, parts of dates, and months and days that are added.
//!
//! It runs after DataFusion has made types agree. In UTC Arrow's casts are right, but for those to zones that moments have of
//! their own, which Arrow takes for what clocks there show. The functions that it puts in learn the zone when they are
//! called, from the configuration of the statement.

use super::passes;
use crate::functions::{self, EARLIER_IN_ZONE, LATER_IN_ZONE};
use crate::sql::Dialect;
use crate::zone::Zone;
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator, cast};
use datafusion::optimizer::AnalyzerRule;

/// DataFusion's function of EXTRACT.
const DATE_PART: &str = "date_part";

/// The rule; its plans know the session's zone by their configuration.
#[derive(Debug)]
pub(crate) struct SessionZone;

impl AnalyzerRule for SessionZone {
    fn name(&self) -> &'static str {
        "session_zone"
    }

    fn analyze(&self, plan: LogicalPlan, config: &ConfigOptions) -> Result<LogicalPlan> {
        if !Zone::of_session(config).is_utc() {
            return plan.transform_up_with_subqueries(rewrite_node).map(|rewritten| rewritten.data);
        }
        if !passes::mentions(&plan, |_| false, gives_own_zone)? {
            return Ok(plan);
        }
        let rewritten = plan.transform_up_with_subqueries(|node| {
            if !has(&node, gives_own_zone)? {
                return Ok(Transformed::no(node));
            }
            let schema = passes::columns_of(&node)?;
            passes::rewrite_expressions(node, |part| Ok(into_own_zone(part, &schema)))
        });
        rewritten.map(|rewritten| rewritten.data)
    }
}

/// Whether an expression is a cast to a moment with a zone of its own.
fn gives_own_zone(expr: &Expr) -> bool {
    match expr {
        Expr::Cast(cast) => Zone::own(cast.field.data_type()).is_some(),
        Expr::TryCast(cast) => Zone::own(cast.field.data_type()).is_some(),
        _ => false,
    }
}

/// A moment without zone beside one with a zone of its own is of the session's, UTC.
fn into_own_zone(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let (inner, to) = match &expr {
        _ if !gives_own_zone(&expr) => return Transformed::no(expr),
        Expr::Cast(cast) => (&cast.expr, cast.field.data_type()),
        Expr::TryCast(cast) => (&cast.expr, cast.field.data_type()),
        _ => return Transformed::no(expr),
    };
    match inner.get_type(schema) {
        Ok(from) if functions::crosses_zones(&from, to) => {
            let of_session = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
            Transformed::yes(cast(cast(inner.as_ref().clone(), of_session), to.clone()))
        }
        _ => Transformed::no(expr),
    }
}

fn rewrite_node(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let found = has(&plan, |part| match part {
        Expr::ScalarFunction(call) => call.name() == DATE_PART,
        Expr::BinaryExpr(sum) => matches!(sum.op, Operator::Plus | Operator::Minus),
        Expr::Cast(_) | Expr::TryCast(_) => true,
        _ => false,
    });
    if !found? {
        return Ok(Transformed::no(plan));
    }
    let schema = passes::columns_of(&plan)?;
    passes::rewrite_expressions(plan, |part| rewrite(part, &schema))
}

/// Whether such an expression is among those of a node.
fn has(plan: &LogicalPlan, is_it: fn(&Expr) -> bool) -> Result<bool> {
    let mut found = false;
    plan.apply_expressions(|expr| {
        found |= expr.exists(|part| Ok(is_it(part)))?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

fn rewrite(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let (inner, to, safe) = match &expr {
        Expr::Cast(cast) => (&cast.expr, cast.field.data_type(), false),
        Expr::TryCast(cast) => (&cast.expr, cast.field.data_type(), true),
        Expr::ScalarFunction(call) if call.name() == DATE_PART => return Ok(part_of_moment(expr, schema)),
        Expr::BinaryExpr(_) => return moved(expr, schema),
        _ => return Ok(Transformed::no(expr)),
    };
    Ok(match inner.get_type(schema) {
        Ok(from) if shows_zones(&from, to) => Transformed::yes(converted(inner.as_ref().clone(), to.clone(), safe)),
        _ => Transformed::no(expr),
    })
}

/// A moment with a zone and an interval. Of an interval of days and times alone, which has 24 hours in each day, Arrow's sum
/// is right.
fn moved(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = &expr else { return Ok(Transformed::no(expr)) };
    let name = match op {
        Operator::Plus => LATER_IN_ZONE,
        Operator::Minus => EARLIER_IN_ZONE,
        _ => return Ok(Transformed::no(expr)),
    };
    let args = match (left.get_type(schema), right.get_type(schema)) {
        (Ok(DataType::Timestamp(TimeUnit::Microsecond, Some(_))), Ok(DataType::Interval(_))) => [left, right],
        (Ok(DataType::Interval(_)), Ok(DataType::Timestamp(TimeUnit::Microsecond, Some(_)))) => [right, left],
        _ => return Ok(Transformed::no(expr)),
    };
    let args = args.map(|side| side.as_ref().clone()).to_vec();
    functions::call(Dialect::Redshift, name, args).map(Transformed::yes)
}

fn is_zoned(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(_, Some(_)))
}

/// Whether a cast makes something of a moment with a zone, or one, that follows from the session's.
fn shows_zones(from: &DataType, to: &DataType) -> bool {
    functions::crosses_zones(from, to)
        || (is_zoned(from) != is_zoned(to) && functions::cast_differs(from, to, Dialect::Redshift))
}

/// EXTRACT of a moment with a zone: of what clocks show.
fn part_of_moment(mut expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let plain = DataType::Timestamp(TimeUnit::Microsecond, None);
    if let Expr::ScalarFunction(call) = &mut expr
        && let [_, value] = call.args.as_mut_slice()
        && value.get_type(schema).is_ok_and(|found| is_zoned(&found))
    {
        *value = converted(value.clone(), plain, false);
        return Transformed::yes(expr);
    }
    Transformed::no(expr)
}

fn converted(value: Expr, to: DataType, safe: bool) -> Expr {
    let function = functions::cast_function(to, safe, Dialect::Redshift);
    Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![value]))
}
