//! What the planner did with SUPER values as with texts, in an expression of a finished plan.

use super::nodes::compared;
use super::values::{ADD, CHOOSING, GET, SUPER, as_super, call, comparison, is_super, key, plain};
use crate::error::{Error, ErrorKind};
use crate::functions::{self, SuperArgument, is_text};
use crate::plan::correlated;
use crate::plan::dialect::passes::compares;
use crate::sql::Dialect;
use crate::tables;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::{
    AggregateFunction, Case, InList, InSubquery, Like, ScalarFunction, SetComparison, SetQuantifier, Sort,
    WindowFunction,
};
use datafusion::logical_expr::{
    Between, BinaryExpr, Expr, ExprSchemable, LogicalPlanBuilder, Operator, Subquery, WindowFunctionDefinition,
    binary_expr, lit, when,
};
use std::sync::Arc;

const MARK: &str = "$super_mark";

/// What the keys of a query's values are called where a value is looked for among them.
const MEMBERS: &str = "\u{1}super";

/// Functions of numbers, and what they are over SUPER.
const CUTTING: [(&str, &str); 4] =
    [("ceil", "$super_ceil"), ("floor", "$super_floor"), ("round", "$super_round"), ("trunc", "$super_trunc")];

/// What FROM iterates over.
const ITERATING: [&str; 4] = ["$super_elements", "$super_names", "$super_places", "$super_values"];

/// Aggregates that choose or count values, whatever these are.
const AGGREGATES: [&str; 10] = [
    "any_value",
    "approx_distinct",
    "array_agg",
    "count",
    "first_value",
    "grouping",
    "hll",
    "hll_create_sketch",
    "last_value",
    "nth_value",
];

/// Those of them that tell different values apart.
const COUNTING: [&str; 3] = ["approx_distinct", "hll", "hll_create_sketch"];

/// Rewrites an expression that stands in no plan.
pub(in crate::plan) fn rewrite_alone(expr: Expr, schema: &DFSchema) -> Result<Expr> {
    expr.transform_up(|part| rewrite_expr(part, schema)).map(|rewritten| rewritten.data)
}

pub(super) fn rewrite_expr(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let is = |expr: &Expr| is_super(expr, schema);
    Ok(Transformed::yes(match expr {
        Expr::Cast(cast) if tables::is_super(&cast.field) => as_super(*cast.expr, schema)?,
        Expr::TryCast(cast) if tables::is_super(&cast.field) => as_super(*cast.expr, schema)?,
        // The sketch that an object or a text is.
        Expr::Cast(mut cast) if tables::is_sketch(&cast.field) && is(&cast.expr) => {
            cast.expr = Box::new(call("$super_written", vec![*cast.expr])?);
            Expr::Cast(cast)
        }
        Expr::Cast(cast) if is(&cast.expr) => cast_to(*cast.expr, cast.field.data_type())?,
        Expr::TryCast(cast) if is(&cast.expr) => cast_to(*cast.expr, cast.field.data_type())?,
        // Those that the planner asks for are comparisons of keys by now.
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if compares(op) && (is(&left) || is(&right)) => {
            comparison(*left, op, *right, schema)?
        }
        Expr::Between(Between { expr, negated, low, high }) if is(&expr) || is(&low) || is(&high) => {
            let above = comparison(expr.as_ref().clone(), Operator::GtEq, *low, schema)?;
            let within = above.and(comparison(*expr, Operator::LtEq, *high, schema)?);
            if negated { Expr::Not(Box::new(within)) } else { within }
        }
        Expr::InList(InList { expr, list, negated }) if is(&expr) || list.iter().any(is) => {
            let list = list.into_iter().map(|value| key(value, schema)).collect::<Result<_>>()?;
            Expr::InList(InList::new(Box::new(key(*expr, schema)?), list, negated))
        }
        Expr::InSubquery(InSubquery { expr, subquery, negated }) if is(&expr) || gives_super(&subquery) => {
            among(*expr, &subquery, negated, schema)?
        }
        Expr::SetComparison(set) if is(&set.expr) || gives_super(&set.subquery) => quantified(set, schema)?,
        Expr::Like(like) if is(&like.expr) || is(&like.pattern) => Expr::Like(plain_like(like, schema)?),
        Expr::SimilarTo(like) if is(&like.expr) || is(&like.pattern) => Expr::SimilarTo(plain_like(like, schema)?),
        Expr::Case(case) => return rewrite_case(case, schema),
        Expr::ScalarFunction(call) => return rewrite_call(call, schema),
        Expr::AggregateFunction(aggregate) => return rewrite_aggregate(aggregate, schema),
        Expr::WindowFunction(window) => return rewrite_window(window, schema),
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

fn gives_super(subquery: &Subquery) -> bool {
    subquery.subquery.schema().fields().first().is_some_and(|field| tables::is_super(field))
}

/// `x [NOT] IN (query)`, where one of both is SUPER.
fn among(value: Expr, subquery: &Subquery, negated: bool, schema: &DFSchema) -> Result<Expr> {
    let values = subquery.subquery.schema();
    let [column] = <[_; 1]>::try_from(values.columns())
        .map_err(|_| Error::new(ErrorKind::Syntax, "the subquery of IN has more than one column"))?;
    // DataFusion takes a column without a table for two where it joins such a query.
    let keys = key(Expr::Column(column), values.as_ref())?.alias_qualified(Some(MEMBERS), MEMBERS);
    let keys = LogicalPlanBuilder::from(Arc::clone(&subquery.subquery)).project([keys])?.build()?;
    Ok(Expr::InSubquery(InSubquery::new(Box::new(key(value, schema)?), subquery.with_plan(Arc::new(keys)), negated)))
}

/// `x = ANY (query)` and `x <> ALL (query)`.
fn quantified(set: SetComparison, schema: &DFSchema) -> Result<Expr> {
    match (set.op, set.quantifier) {
        (Operator::Eq, SetQuantifier::Any) => among(*set.expr, &set.subquery, false, schema),
        (Operator::NotEq, SetQuantifier::All) => among(*set.expr, &set.subquery, true, schema),
        (operator, quantifier) => {
            let error = Error::unsupported(format!("{operator} {quantifier} (query) over SUPER values"));
            Err(error.with_hint("cast the value, or write EXISTS").into())
        }
    }
}

fn rewrite_case(mut case: Case, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let is = |expr: &Expr| is_super(expr, schema);
    let mut transformed = false;
    let compared = case.expr.as_deref().is_some_and(is) || case.when_then_expr.iter().any(|(when, _)| is(when));
    if compared && let Some(compared) = case.expr.take() {
        transformed = true;
        case.expr = Some(Box::new(key(*compared, schema)?));
        for (when, _) in &mut case.when_then_expr {
            **when = key(when.as_ref().clone(), schema)?;
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

/// A call whose function gets SUPER values where it takes them, and what they are where it does not.
fn rewrite_call(mut function: ScalarFunction, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let name = function.name().to_owned();
    // A view's plan may come here again.
    if name == MARK || correlated::is_row_query(&function.func) {
        return Ok(Transformed::no(Expr::ScalarFunction(function)));
    }
    if name == SUPER && function.args.len() == 1 {
        return Ok(if is_super(&function.args[0], schema) {
            Transformed::yes(function.args.remove(0))
        } else {
            Transformed::no(Expr::ScalarFunction(function))
        });
    }
    if let Some(rewritten) = rewrite_user_call(&mut function, schema)? {
        return Ok(Transformed::yes(rewritten));
    }
    let is: Vec<bool> = function.args.iter().map(|value| is_super(value, schema)).collect();
    let is_misread = |value: &Expr| value.get_type(schema).is_ok_and(|found| is_text(&found));
    // A text that was cast from SUPER in a query within looked like one when the planner asked.
    if name == ADD
        && !is.contains(&true)
        && let [left, right] = function.args.as_slice()
        && is_misread(left)
        && is_misread(right)
    {
        return Ok(Transformed::yes(binary_expr(left.clone(), Operator::StringConcat, right.clone())));
    }
    if is.contains(&true) {
        if name == "$negate" && function.args.len() == 1 {
            return Ok(Transformed::yes(call("$super_subtract", vec![lit(0_i32), function.args.remove(0)])?));
        }
        if let Some((_, cut)) = CUTTING.iter().find(|(known, _)| *known == name)
            && is[0]
        {
            return Ok(Transformed::yes(call(cut, function.args)?));
        }
        if CHOOSING.contains(&name.as_str()) {
            return chosen(function, schema).map(Transformed::yes);
        }
    }
    let mut transformed = false;
    for (at, value) in function.args.iter_mut().enumerate() {
        let takes = functions::super_argument(&function.func, at).unwrap_or(SuperArgument::Plain);
        let made: fn(Expr, &DFSchema) -> Result<Expr> = match takes {
            SuperArgument::Value if !is[at] && is_misread(value) => |value, _| call(SUPER, vec![value]),
            SuperArgument::Plain if is[at] => plain_if,
            SuperArgument::AsWritten if is[at] && at > 0 && name == GET => |value, _| cast_to(value, &DataType::Int64),
            SuperArgument::AsWritten if !is[at] && ITERATING.contains(&name.as_str()) && is_misread(value) => {
                let wanted =
                    if ["$super_elements", "$super_places"].contains(&name.as_str()) { "array" } else { "object" };
                let message = format!("FROM iterates over an {wanted} of type super, not over character varying");
                return Err(Error::new(ErrorKind::DatatypeMismatch, message).into());
            }
            _ => continue,
        };
        *value = made(std::mem::take(value), schema)?;
        transformed = true;
    }
    Ok(Transformed::new_transformed(Expr::ScalarFunction(function), transformed))
}

/// COALESCE and its like over values of which one is SUPER.
fn chosen(mut function: ScalarFunction, schema: &DFSchema) -> Result<Expr> {
    if function.name() == "nullif"
        && let [value, other] = function.args.as_slice()
    {
        let same = comparison(value.clone(), Operator::Eq, other.clone(), schema)?;
        let nothing = call(SUPER, vec![Expr::default()])?;
        let value = as_super(value.clone(), schema)?;
        return call(MARK, vec![when(same, nothing).otherwise(value)?]);
    }
    function.args = function.args.into_iter().map(|value| as_super(value, schema)).collect::<Result<_>>()?;
    call(MARK, vec![Expr::ScalarFunction(function)])
}

/// A call of a user's function, which is the one that takes SUPER where such are given; `None` for other functions.
fn rewrite_user_call(function: &mut ScalarFunction, schema: &DFSchema) -> Result<Option<Expr>> {
    if !functions::is_users(&function.func) {
        return Ok(None);
    }
    let fields = function.args.iter().map(|value| value.to_field(schema).map(|(_, field)| field));
    let (chosen, wanted) = functions::chosen_overload(&function.func, &fields.collect::<Result<Vec<_>>>()?)?;
    let args = std::mem::take(&mut function.args).into_iter().zip(wanted.fields());
    let made = args.map(
        |(value, wanted)| {
            if tables::is_super(wanted) { as_super(value, schema) } else { plain_if(value, schema) }
        },
    );
    Ok(Some(Expr::ScalarFunction(ScalarFunction::new_udf(chosen, made.collect::<Result<_>>()?))))
}

/// Aggregates do not know what kinds the values of a group are.
fn check_aggregate(name: &str, args: &[Expr], schema: &DFSchema) -> Result<()> {
    let name = name.to_lowercase();
    if AGGREGATES.contains(&name.as_str()) || !args.iter().any(|value| is_super(value, schema)) {
        return Ok(());
    }
    let error = Error::unsupported(format!("{} of a SUPER value", name.to_uppercase()));
    Err(DataFusionError::from(error.with_hint("cast it: max(o.price::decimal(10, 2))")))
}

fn rewrite_aggregate(mut aggregate: AggregateFunction, schema: &DFSchema) -> Result<Transformed<Expr>> {
    check_aggregate(aggregate.func.name(), &aggregate.params.args, schema)?;
    let sorted = order(&mut aggregate.params.order_by, schema)?;
    let counts = COUNTING.contains(&aggregate.func.name()) || aggregate.params.distinct;
    let keyed = counts && compared(&mut aggregate.params.args, schema)?;
    Ok(Transformed::new_transformed(Expr::AggregateFunction(aggregate), sorted || keyed))
}

fn rewrite_window(mut window: Box<WindowFunction>, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let params = &mut window.params;
    let mut transformed = order(&mut params.order_by, schema)?;
    transformed |= compared(&mut params.partition_by, schema)?;
    if params.distinct || COUNTING.contains(&window.fun.name()) {
        transformed |= compared(&mut params.args, schema)?;
    }
    match (&window.fun, params.args.as_mut_slice()) {
        (WindowFunctionDefinition::AggregateUDF(function), args) => check_aggregate(function.name(), args, schema)?,
        // What LAG and LEAD give where there is no row.
        (WindowFunctionDefinition::WindowUDF(_), [value, _, default]) => {
            let wanted = is_super(value, schema);
            if wanted != is_super(default, schema) {
                let value = std::mem::take(default);
                *default = if wanted { as_super(value, schema)? } else { plain(value, "text")? };
                transformed = true;
            }
        }
        (WindowFunctionDefinition::WindowUDF(_), _) => {}
    }
    Ok(Transformed::new_transformed(Expr::WindowFunction(window), transformed))
}

/// Makes keys of ORDER BY sort as values do; whether there is one to be made.
pub(super) fn order(keys: &mut [Sort], schema: &DFSchema) -> Result<bool> {
    let mut found = false;
    for sort in keys.iter_mut().filter(|sort| is_super(&sort.expr, schema)) {
        sort.expr = call("$super_order", vec![std::mem::take(&mut sort.expr)])?;
        found = true;
    }
    Ok(found)
}
