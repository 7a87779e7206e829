//! SUPER values in a plan: steps from columns, and what operators, casts and functions do with them.
//!
//! What is SUPER is known by the mark of its field. Operators are planned when the planner asks for them; what it does not
//! ask for (casts, IN, BETWEEN, LIKE, CASE, calls of functions, keys of ORDER BY) is rewritten in the finished plan.

use super::members::Members;
use super::spelling::call as ast_call;
use crate::error::Error;
use crate::functions;
use crate::sql::Dialect;
use crate::tables;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, DFSchemaRef, ExprSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::expr::{AggregateFunction, Case, InList, InSubquery, Like, ScalarFunction};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::planner::{PlannerResult, RawBinaryExpr, RawFieldAccessExpr};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    Between, Expr, ExprSchemable, GetFieldAccess, LogicalPlan, LogicalPlanBuilder, Operator, Union, binary_expr, lit,
};
use datafusion::sql::sqlparser::ast::{self, BinaryOperator};
use std::cell::Cell;
use std::sync::Arc;

const GET: &str = "$super_get";
const ELEMENT: &str = "$super_element";
const MARK: &str = "$super_mark";

/// Functions whose result is SUPER where an argument is: they choose among their arguments.
const CHOOSING: [&str; 3] = ["coalesce", "nullif", "nvl2"];

/// Functions of numbers, and what they are over SUPER.
const CUTTING: [(&str, &str); 4] =
    [("ceil", "$super_ceil"), ("floor", "$super_floor"), ("round", "$super_round"), ("trunc", "$super_trunc")];

/// Whether an expression is SUPER.
pub(crate) fn is_super(expr: &Expr, schema: &dyn ExprSchema) -> bool {
    match expr {
        Expr::Column(column) => schema.field_from_column(column).is_ok_and(|field| tables::is_super(field)),
        Expr::OuterReferenceColumn(field, _) => tables::is_super(field),
        Expr::Alias(alias) => is_super(&alias.expr, schema),
        Expr::Cast(cast) => tables::is_super(&cast.field),
        Expr::TryCast(cast) => tables::is_super(&cast.field),
        Expr::Literal(_, Some(metadata)) => {
            let field = metadata.add_to_field(datafusion::arrow::datatypes::Field::new("", DataType::Utf8View, true));
            tables::is_super(&field)
        }
        Expr::ScalarFunction(call) if call.name() == ELEMENT => {
            expr.to_field(schema).is_ok_and(|(_, field)| tables::is_super(&field))
        }
        Expr::ScalarFunction(call) if CHOOSING.contains(&call.name()) => {
            call.args.iter().any(|value| is_super(value, schema))
        }
        Expr::Case(case) => {
            let results = case.when_then_expr.iter().map(|(_, then)| then.as_ref());
            results.chain(case.else_expr.as_deref()).any(|value| is_super(value, schema))
        }
        Expr::ScalarFunction(call) => functions::gives_super(&call.func) || functions::user_gives_super(&call.func),
        Expr::ScalarSubquery(query) => query.subquery.schema().fields().first().is_some_and(|f| tables::is_super(f)),
        _ => false,
    }
}

/// A value as SUPER.
pub(crate) fn as_super(value: Expr, schema: &dyn ExprSchema) -> Result<Expr> {
    if is_super(&value, schema) { Ok(value) } else { call("$super", vec![value]) }
}

/// The same before it is planned.
pub(crate) fn super_value(value: ast::Expr) -> ast::Expr {
    ast_call("$super", vec![value])
}

fn call(name: &str, args: Vec<Expr>) -> Result<Expr> {
    let function = functions::scalar(Dialect::Redshift, name)
        .ok_or_else(|| Error::internal(format!("the function {name} is missing")))?;
    Ok(Expr::ScalarFunction(ScalarFunction::new_udf(function, args)))
}

fn text(text: &str) -> Expr {
    Expr::Literal(ScalarValue::Utf8View(Some(text.to_owned())), None)
}

/// A value as the text that casts read, for a kind of type.
fn plain(value: Expr, kind: &str) -> Result<Expr> {
    call("$super_scalar", vec![value, text(kind)])
}

/// A step from a value.
fn get(value: Expr, key: Expr) -> Result<Expr> {
    match value {
        Expr::ScalarFunction(mut path) if path.name() == GET => {
            path.args.push(key);
            Ok(Expr::ScalarFunction(path))
        }
        value => call(GET, vec![value, key]),
    }
}

/// `c.a.b`, where `c` is a column.
pub(super) fn members(column: Expr, names: &[String], members: &Members) -> Result<Expr> {
    names.iter().try_fold(column, |value, name| get(value, text(&members.after_column(name))))
}

/// `[0]` and `.a` after a value.
pub(super) fn access(
    raw: RawFieldAccessExpr,
    schema: &DFSchema,
    members: &Members,
) -> Result<PlannerResult<RawFieldAccessExpr>> {
    if !is_super(&raw.expr, schema) {
        return Ok(PlannerResult::Original(raw));
    }
    Ok(PlannerResult::Planned(match raw.field_access {
        GetFieldAccess::NamedStructField { name } => match name.try_as_str() {
            Some(Some(name)) => get(raw.expr, text(&members.meant(name)))?,
            _ => return Err(Error::unsupported("a step to a member whose name is no text").into()),
        },
        GetFieldAccess::ListIndex { key } => get(raw.expr, *key)?,
        GetFieldAccess::ListRange { .. } => return Err(Error::unsupported("a slice of a SUPER value").into()),
    }))
}

/// An operator over values of which one is SUPER.
pub(super) fn operator(mut raw: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
    let (left, right) = (is_super(&raw.left, schema), is_super(&raw.right, schema));
    if !left && !right {
        return Ok(PlannerResult::Original(raw));
    }
    let compared = match raw.op {
        BinaryOperator::Eq => Some(Operator::Eq),
        BinaryOperator::NotEq => Some(Operator::NotEq),
        BinaryOperator::Lt => Some(Operator::Lt),
        BinaryOperator::LtEq => Some(Operator::LtEq),
        BinaryOperator::Gt => Some(Operator::Gt),
        BinaryOperator::GtEq => Some(Operator::GtEq),
        _ => None,
    };
    if let Some(operator) = compared {
        return Ok(PlannerResult::Planned(comparison(raw.left, operator, raw.right)?));
    }
    let function = match raw.op {
        BinaryOperator::Plus => "$super_add",
        BinaryOperator::Minus => "$super_subtract",
        BinaryOperator::Multiply => "$super_multiply",
        BinaryOperator::Divide => "$super_divide",
        BinaryOperator::Modulo => "$super_modulo",
        _ => {
            if left {
                raw.left = plain(raw.left, "text")?;
            }
            if right {
                raw.right = plain(raw.right, "text")?;
            }
            return Ok(PlannerResult::Original(raw));
        }
    };
    Ok(PlannerResult::Planned(call(function, vec![raw.left, raw.right])?))
}

fn comparison(left: Expr, operator: Operator, right: Expr) -> Result<Expr> {
    if matches!(operator, Operator::Eq | Operator::NotEq) {
        return Ok(binary_expr(call("$super_key", vec![left])?, operator, call("$super_key", vec![right])?));
    }
    Ok(binary_expr(call("$super_compare", vec![left, right])?, operator, lit(0_i32)))
}

/// Rewrites what the planner did with SUPER values as with texts, in a plan and the queries in it.
pub(in crate::plan) fn rewrite(plan: LogicalPlan, dialect: Dialect) -> Result<LogicalPlan> {
    if dialect != Dialect::Redshift || !mentions(&plan)? {
        return Ok(plan);
    }
    let changed = Cell::new(false);
    plan.transform_up_with_subqueries(|node| rewrite_node(node, &changed)).map(|rewritten| rewritten.data)
}

/// Whether there is a SUPER value anywhere.
fn mentions(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        found |= node.schema().fields().iter().any(|field| tables::is_super(field));
        if !found {
            node.apply_expressions(|expr| {
                found |= expr.exists(|part| Ok(is_super(part, node.schema().as_ref())))?;
                Ok(TreeNodeRecursion::Continue)
            })?;
        }
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(found)
}

fn rewrite_node(plan: LogicalPlan, changed: &Cell<bool>) -> Result<Transformed<LogicalPlan>> {
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
    let names = NamePreserver::new(&plan);
    let sorts = matches!(plan, LogicalPlan::Sort(_));
    let rewritten = plan.map_expressions(|expr| {
        let name = names.save(&expr);
        let mut rewritten = expr.transform_up(|part| rewrite_expr(part, &schema))?;
        if sorts && is_super(&rewritten.data, schema.as_ref()) {
            rewritten = Transformed::yes(call("$super_order", vec![rewritten.data])?);
        }
        Ok(if rewritten.transformed { Transformed::yes(name.restore(rewritten.data)) } else { rewritten })
    })?;
    changed.set(changed.get() || rewritten.transformed);
    // What is no SUPER any more is none in the plans above either.
    if changed.get() { Ok(Transformed::yes(rewritten.data.recompute_schema()?)) } else { Ok(rewritten) }
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
                call("$super", vec![value])?.alias_qualified(relation, name)
            } else {
                value
            });
        }
        inputs.push(Arc::new(LogicalPlanBuilder::from(input.as_ref().clone()).project(items)?.build()?));
    }
    Union::try_new_with_loose_types(inputs).map(|union| Some(LogicalPlan::Union(union)))
}

fn rewrite_expr(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let is = |expr: &Expr| is_super(expr, schema);
    Ok(Transformed::yes(match expr {
        Expr::Cast(cast) if tables::is_super(&cast.field) => as_super(*cast.expr, schema)?,
        Expr::TryCast(cast) if tables::is_super(&cast.field) => as_super(*cast.expr, schema)?,
        Expr::Cast(cast) if is(&cast.expr) => cast_to(*cast.expr, cast.field.data_type())?,
        Expr::TryCast(cast) if is(&cast.expr) => cast_to(*cast.expr, cast.field.data_type())?,
        Expr::Between(Between { expr, negated, low, high }) if is(&expr) || is(&low) || is(&high) => {
            let above = comparison(expr.as_ref().clone(), Operator::GtEq, *low)?;
            let within = above.and(comparison(*expr, Operator::LtEq, *high)?);
            if negated { Expr::Not(Box::new(within)) } else { within }
        }
        Expr::InList(InList { expr, list, negated }) if is(&expr) || list.iter().any(is) => {
            let list = list.into_iter().map(|value| call("$super_key", vec![value])).collect::<Result<_>>()?;
            Expr::InList(InList::new(Box::new(call("$super_key", vec![*expr])?), list, negated))
        }
        Expr::InSubquery(InSubquery { expr, subquery, negated }) => {
            let of_super = subquery.subquery.schema().fields().first().is_some_and(|field| tables::is_super(field));
            let expr = match (is(&expr), of_super) {
                (true, false) => {
                    let wanted = subquery.subquery.schema().field(0).data_type().clone();
                    cast_to(*expr, &wanted)?
                }
                (false, true) => call("$super", vec![*expr])?,
                _ => return Ok(Transformed::no(Expr::InSubquery(InSubquery { expr, subquery, negated }))),
            };
            Expr::InSubquery(InSubquery { expr: Box::new(expr), subquery, negated })
        }
        Expr::Like(like) if is(&like.expr) || is(&like.pattern) => Expr::Like(plain_like(like, schema)?),
        Expr::SimilarTo(like) if is(&like.expr) || is(&like.pattern) => Expr::SimilarTo(plain_like(like, schema)?),
        Expr::Case(case) => return rewrite_case(case, schema),
        Expr::ScalarFunction(call) if call.args.iter().any(is) => return rewrite_call(call, schema),
        Expr::AggregateFunction(aggregate) if aggregate.params.args.iter().any(is) => {
            return check_aggregate(aggregate);
        }
        other => return Ok(Transformed::no(other)),
    }))
}

/// A cast that gives NULL where the value is not of the type (Redshift: "Lax semantics").
fn cast_to(value: Expr, to: &DataType) -> Result<Expr> {
    let kind = match to {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => return plain(value, "text"),
        DataType::Boolean => "truth",
        to if to.is_integer() => "whole",
        to if to.is_numeric() => "number",
        _ => "other",
    };
    let function = functions::cast_function(to.clone(), true, Dialect::Redshift);
    Ok(Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![plain(value, kind)?])))
}

fn plain_if(value: Expr, schema: &DFSchema) -> Result<Expr> {
    if is_super(&value, schema) { plain(value, "text") } else { Ok(value) }
}

fn plain_like(like: Like, schema: &DFSchema) -> Result<Like> {
    let expr = Box::new(plain_if(*like.expr, schema)?);
    Ok(Like { expr, pattern: Box::new(plain_if(*like.pattern, schema)?), ..like })
}

fn rewrite_case(mut case: Case, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let is = |expr: &Expr| is_super(expr, schema);
    let mut transformed = false;
    let compared = case.expr.as_deref().is_some_and(is) || case.when_then_expr.iter().any(|(when, _)| is(when));
    if compared && let Some(compared) = case.expr.take() {
        transformed = true;
        case.expr = Some(Box::new(call("$super_key", vec![*compared])?));
        for (when, _) in &mut case.when_then_expr {
            **when = call("$super_key", vec![when.as_ref().clone()])?;
        }
    }
    let results = case.when_then_expr.iter().map(|(_, then)| then.as_ref());
    if !results.chain(case.else_expr.as_deref()).any(is) {
        return Ok(Transformed::new_transformed(Expr::Case(case), transformed));
    }
    for (_, then) in &mut case.when_then_expr {
        **then = as_super(then.as_ref().clone(), schema)?;
    }
    if let Some(other) = case.else_expr.take() {
        case.else_expr = Some(Box::new(as_super(*other, schema)?));
    }
    Ok(Transformed::yes(call(MARK, vec![Expr::Case(case)])?))
}

/// A function that does not know SUPER gets a value's text.
fn rewrite_call(mut function: ScalarFunction, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let name = function.name().to_owned();
    if functions::takes_super(&function.func) {
        return Ok(Transformed::no(Expr::ScalarFunction(function)));
    }
    if name == "$negate" && function.args.len() == 1 {
        let zero = lit(0_i32);
        return Ok(Transformed::yes(call("$super_subtract", vec![zero, function.args.remove(0)])?));
    }
    let cuts = CUTTING.iter().find(|(known, _)| *known == name);
    if let Some((_, cut)) = cuts
        && function.args.first().is_some_and(|value| is_super(value, schema))
    {
        return Ok(Transformed::yes(call(cut, function.args)?));
    }
    let choosing = CHOOSING.contains(&name.as_str());
    let func = Arc::clone(&function.func);
    let of = |(at, value): (usize, Expr)| {
        if choosing {
            as_super(value, schema)
        } else if functions::user_takes_super(&func, at) {
            Ok(value)
        } else {
            plain_if(value, schema)
        }
    };
    function.args = function.args.into_iter().enumerate().map(of).collect::<Result<_>>()?;
    let made = Expr::ScalarFunction(function);
    Ok(Transformed::yes(if choosing { call(MARK, vec![made])? } else { made }))
}

/// Aggregates do not know what kinds the values of a group are.
fn check_aggregate(aggregate: AggregateFunction) -> Result<Transformed<Expr>> {
    let name = aggregate.func.name().to_lowercase();
    if ["count", "any_value", "array_agg", "approx_distinct"].contains(&name.as_str()) {
        return Ok(Transformed::no(Expr::AggregateFunction(aggregate)));
    }
    let error = Error::unsupported(format!("{} of a SUPER value", name.to_uppercase()));
    Err(error.with_hint("cast it: max(o.price::decimal(10, 2))").into())
}
