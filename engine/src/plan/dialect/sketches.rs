//! HLLSKETCH in a finished plan: what a sketch may stand in, and its casts.
//!
//! A sketch is known by the mark of its field, as SUPER values are. It can be counted, combined, chosen (COALESCE, CASE), be
//! NULL, and be cast to a text; it is neither equal to another nor smaller (Redshift: "HyperLogLog limitations").

use super::passes;
use crate::error::{Error, ErrorKind};
use crate::functions::{
    self, CARDINALITY, COALESCE, COMBINE_SKETCHES, MARK_SKETCH, MERGE, READ_SKETCH, SHOW_SKETCH, SUPER_SKETCH,
    SketchAggregate, TRY_SKETCH, is_digest, is_text, shown_type, sketch_aggregate,
};
use crate::plan::groups::keys_of;
use crate::sql::{Dialect, call as spelled_call};
use crate::tables;
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, ExprSchema, ScalarValue};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::{AggregateFunction, ScalarFunction, WindowFunction};
use datafusion::logical_expr::{
    BinaryExpr, Distinct, Expr, ExprSchemable, LogicalPlan, Union, WindowFunctionDefinition, cast,
};
use datafusion::sql::sqlparser::ast;
use std::cell::Cell;

/// What the type is called.
const NAME: &str = "hllsketch";

/// Functions that take sketches.
const TAKING: [&str; 7] =
    [CARDINALITY, COMBINE_SKETCHES, MARK_SKETCH, READ_SKETCH, SHOW_SKETCH, SUPER_SKETCH, TRY_SKETCH];

/// Whether an expression is a sketch.
pub(super) fn is_sketch(expr: &Expr, schema: &dyn ExprSchema) -> bool {
    match expr {
        Expr::Column(column) => schema.field_from_column(column).is_ok_and(|field| tables::is_sketch(field)),
        Expr::OuterReferenceColumn(field, _) => tables::is_sketch(field),
        Expr::Alias(alias) => is_sketch(&alias.expr, schema),
        Expr::Cast(cast) => tables::is_sketch(&cast.field),
        Expr::TryCast(cast) => tables::is_sketch(&cast.field),
        Expr::Case(case) => {
            let results = case.when_then_expr.iter().map(|(_, then)| then.as_ref());
            results.chain(case.else_expr.as_deref()).any(|value| is_sketch(value, schema))
        }
        Expr::ScalarFunction(call) if call.name() == COALESCE => call.args.iter().any(|value| is_sketch(value, schema)),
        Expr::ScalarFunction(call) => functions::gives_sketch(&call.func).unwrap_or(false),
        Expr::AggregateFunction(_) | Expr::WindowFunction(_) | Expr::ScalarSubquery(_) => {
            expr.to_field(schema).is_ok_and(|(_, field)| tables::is_sketch(&field))
        }
        _ => false,
    }
}

/// A value as it goes into a column of sketches: a sketch, or a text that is read as one.
pub(crate) fn as_sketch(value: Expr, schema: &dyn ExprSchema) -> Result<Expr> {
    if is_sketch(&value, schema) {
        return Ok(value);
    }
    let found = value.get_type(schema)?;
    if !is_text(&found) {
        let message = format!("a value of type {} is no {NAME}", shown_type(&found));
        return Err(Error::new(ErrorKind::DatatypeMismatch, message).into());
    }
    functions::call(Dialect::Redshift, READ_SKETCH, vec![value])
}

/// The same before it is planned.
pub(crate) fn sketch_value(value: ast::Expr) -> ast::Expr {
    spelled_call(READ_SKETCH, vec![value])
}

/// Rewrites the casts of sketches in a plan and the queries in it, and refuses what is not for sketches.
pub(in crate::plan) fn rewrite(plan: LogicalPlan, dialect: Dialect) -> Result<LogicalPlan> {
    // Whether there is a sketch anywhere, or what takes one.
    if !passes::mentions(&plan, tables::is_sketch, begins)? {
        return Ok(plan);
    }
    let changed = Cell::new(false);
    plan.transform_up_with_subqueries(|node| rewrite_node(node, dialect, &changed)).map(|rewritten| rewritten.data)
}

/// Whether an expression is or takes a sketch by itself.
fn begins(expr: &Expr) -> bool {
    match expr {
        Expr::OuterReferenceColumn(field, _) => tables::is_sketch(field),
        Expr::Cast(cast) => tables::is_sketch(&cast.field),
        Expr::TryCast(cast) => tables::is_sketch(&cast.field),
        Expr::ScalarFunction(call) => {
            TAKING.contains(&call.name()) || functions::gives_sketch(&call.func) == Some(true)
        }
        Expr::AggregateFunction(call) => sketch_aggregate(&call.func).is_some(),
        Expr::WindowFunction(window) => match &window.fun {
            WindowFunctionDefinition::AggregateUDF(function) => sketch_aggregate(function).is_some(),
            WindowFunctionDefinition::WindowUDF(_) => false,
        },
        _ => false,
    }
}

fn rewrite_node(plan: LogicalPlan, dialect: Dialect, changed: &Cell<bool>) -> Result<Transformed<LogicalPlan>> {
    let plan = match plan {
        LogicalPlan::Union(union) => match unified(&union, dialect)? {
            Some(unified) => {
                changed.set(true);
                unified
            }
            None => LogicalPlan::Union(union),
        },
        plan => plan,
    };
    let schema = passes::columns_of(&plan)?;
    check_node(&plan, &schema)?;
    let rewritten = passes::rewrite_expressions(plan, |part| rewrite_expr(part, &schema, dialect))?;
    changed.set(changed.get() || rewritten.transformed);
    if changed.get() { Ok(Transformed::yes(rewritten.data.recompute_schema()?)) } else { Ok(rewritten) }
}

fn refused(what: &str) -> DataFusionError {
    let error =
        Error::new(ErrorKind::UndefinedFunction, format!("could not identify an {what} operator for type {NAME}"));
    error.with_hint("count a sketch with hll_cardinality, or cast it to a text").into()
}

/// Refuses keys of sorts, groups and joins that are sketches.
fn check_node(plan: &LogicalPlan, schema: &DFSchema) -> Result<()> {
    let is = |expr: &Expr| is_sketch(expr, schema);
    match plan {
        LogicalPlan::Sort(sort) if sort.expr.iter().any(|key| is(&key.expr)) => Err(refused("ordering")),
        LogicalPlan::Aggregate(aggregate) if keys_of(&aggregate.group_expr)?.iter().any(is) => Err(refused("equality")),
        LogicalPlan::Distinct(Distinct::All(input))
            if input.schema().fields().iter().any(|field| tables::is_sketch(field)) =>
        {
            Err(refused("equality"))
        }
        LogicalPlan::Distinct(Distinct::On(on)) if on.on_expr.iter().any(is) => Err(refused("equality")),
        LogicalPlan::Join(join) if join.on.iter().any(|(left, right)| is(left) || is(right)) => {
            Err(refused("equality"))
        }
        _ => Ok(()),
    }
}

fn rewrite_expr(expr: Expr, schema: &DFSchema, dialect: Dialect) -> Result<Transformed<Expr>> {
    let is = |expr: &Expr| is_sketch(expr, schema);
    let call = |name: &str, value: Expr| functions::call(dialect, name, vec![value]).map(Transformed::yes);
    match expr {
        Expr::Cast(to) if tables::is_sketch(&to.field) => read(*to.expr, READ_SKETCH, schema, dialect),
        Expr::TryCast(to) if tables::is_sketch(&to.field) => read(*to.expr, TRY_SKETCH, schema, dialect),
        Expr::Cast(to) if is(&to.expr) && is_text(to.field.data_type()) => call(SHOW_SKETCH, *to.expr),
        Expr::TryCast(to) if is(&to.expr) && is_text(to.field.data_type()) => call(SHOW_SKETCH, *to.expr),
        Expr::Cast(ref to) if is(&to.expr) => Err(no_cast(NAME, &shown_type(to.field.data_type()))),
        Expr::TryCast(ref to) if is(&to.expr) => Err(no_cast(NAME, &shown_type(to.field.data_type()))),
        Expr::BinaryExpr(BinaryExpr { ref left, op, ref right }) if is(left) || is(right) => {
            let message = format!("operator does not exist: {} {op} {}", shown(left, schema), shown(right, schema));
            Err(Error::new(ErrorKind::UndefinedFunction, message).into())
        }
        Expr::Between(ref between) if is(&between.expr) || is(&between.low) || is(&between.high) => {
            Err(refused("ordering"))
        }
        Expr::InList(ref list) if is(&list.expr) || list.list.iter().any(is) => Err(refused("equality")),
        Expr::InSubquery(ref among)
            if is(&among.expr)
                || among.subquery.subquery.schema().fields().iter().any(|field| tables::is_sketch(field)) =>
        {
            Err(refused("equality"))
        }
        Expr::Like(ref like) | Expr::SimilarTo(ref like) if is(&like.expr) || is(&like.pattern) => {
            let message =
                format!("operator does not exist: {} ~~ {}", shown(&like.expr, schema), shown(&like.pattern, schema));
            Err(Error::new(ErrorKind::UndefinedFunction, message).into())
        }
        Expr::Case(case) => {
            if case.expr.as_deref().is_some_and(is) || case.when_then_expr.iter().any(|(when, _)| is(when)) {
                return Err(refused("equality"));
            }
            let mut results: Vec<&Expr> = case.when_then_expr.iter().map(|(_, then)| then.as_ref()).collect();
            results.extend(case.else_expr.as_deref());
            if !chosen("CASE", &results, schema)? {
                return Ok(Transformed::no(Expr::Case(case)));
            }
            call(MARK_SKETCH, Expr::Case(case))
        }
        Expr::ScalarFunction(function) => rewrite_call(function, schema, dialect),
        Expr::AggregateFunction(AggregateFunction { ref func, ref params }) => {
            check_aggregate(func.name(), sketch_aggregate(func), &params.args, params.distinct, schema)?;
            if params.order_by.iter().any(|key| is(&key.expr)) {
                return Err(refused("ordering"));
            }
            Ok(Transformed::no(expr))
        }
        Expr::WindowFunction(ref window) => {
            let WindowFunction { fun, params, .. } = window.as_ref();
            let kind = match fun {
                WindowFunctionDefinition::AggregateUDF(function) => sketch_aggregate(function),
                WindowFunctionDefinition::WindowUDF(_) => None,
            };
            check_aggregate(fun.name(), kind, &params.args, params.distinct, schema)?;
            if params.partition_by.iter().any(is) {
                return Err(refused("equality"));
            }
            if params.order_by.iter().any(|key| is(&key.expr)) {
                return Err(refused("ordering"));
            }
            Ok(Transformed::no(expr))
        }
        other => Ok(Transformed::no(other)),
    }
}

/// What is cast to a sketch.
fn read(value: Expr, how: &str, schema: &DFSchema, dialect: Dialect) -> Result<Transformed<Expr>> {
    if is_sketch(&value, schema) {
        return Ok(Transformed::yes(value));
    }
    let found = value.get_type(schema)?;
    if !is_text(&found) && !found.is_null() {
        return Err(no_cast(&shown_type(&found), NAME));
    }
    functions::call(dialect, how, vec![value]).map(Transformed::yes)
}

fn no_cast(from: &str, to: &str) -> DataFusionError {
    Error::new(ErrorKind::DatatypeMismatch, format!("cannot cast type {from} to {to}")).into()
}

/// The name of an expression's type.
fn shown(expr: &Expr, schema: &DFSchema) -> String {
    if is_sketch(expr, schema) {
        return NAME.to_owned();
    }
    expr.get_type(schema).map_or_else(|_| "unknown".to_owned(), |found| shown_type(&found))
}

/// Whether what is chosen among is sketches, which go with NULL only.
fn chosen(what: &str, among: &[&Expr], schema: &DFSchema) -> Result<bool> {
    if !among.iter().any(|value| is_sketch(value, schema)) {
        return Ok(false);
    }
    let is_null = |value: &Expr| {
        matches!(value, Expr::Literal(null, _) if null.is_null())
            || value.get_type(schema).is_ok_and(|found| found.is_null())
    };
    match among.iter().find(|value| !is_sketch(value, schema) && !is_null(value)) {
        Some(other) => {
            let message = format!("{what} types {NAME} and {} cannot be matched", shown(other, schema));
            Err(Error::new(ErrorKind::DatatypeMismatch, message).with_hint("cast one to the other").into())
        }
        None => Ok(true),
    }
}

fn rewrite_call(mut function: ScalarFunction, schema: &DFSchema, dialect: Dialect) -> Result<Transformed<Expr>> {
    let name = function.name().to_owned();
    let sketches = function.args.iter().filter(|value| is_sketch(value, schema)).count();
    if name == COALESCE && sketches > 0 {
        chosen("COALESCE", &function.args.iter().collect::<Vec<_>>(), schema)?;
        return functions::call(dialect, MARK_SKETCH, vec![Expr::ScalarFunction(function)]).map(Transformed::yes);
    }
    if name == "cardinality" && sketches == 1 {
        return functions::call(dialect, CARDINALITY, std::mem::take(&mut function.args)).map(Transformed::yes);
    }
    let takes = TAKING.contains(&name.as_str());
    let is_wrong = if [CARDINALITY, COMBINE_SKETCHES].contains(&name.as_str()) {
        let is_null = |value: &Expr| value.get_type(schema).is_ok_and(|found| found.is_null());
        !function.args.iter().all(|value| is_sketch(value, schema) || is_null(value))
    } else {
        sketches > 0 && !takes
    };
    if is_wrong {
        return Err(no_function(&name, &function.args, schema));
    }
    Ok(Transformed::no(Expr::ScalarFunction(function)))
}

fn no_function(name: &str, args: &[Expr], schema: &DFSchema) -> DataFusionError {
    let types: Vec<String> = args.iter().map(|value| shown(value, schema)).collect();
    let message = format!("function {}({}) does not exist", name.to_lowercase(), types.join(", "));
    Error::new(ErrorKind::UndefinedFunction, message).into()
}

/// Aggregates over sketches count or combine them; one merges digests of numbers too.
fn check_aggregate(
    name: &str,
    kind: Option<SketchAggregate>,
    args: &[Expr],
    distinct: bool,
    schema: &DFSchema,
) -> Result<()> {
    let is = |value: &Expr| is_sketch(value, schema);
    let is_null = |value: &Expr| value.get_type(schema).is_ok_and(|found| found.is_null());
    let merges = |value: &Expr| name == MERGE && value.get_type(schema).is_ok_and(|found| is_digest(&found));
    let fits = match kind {
        Some(SketchAggregate::OfSketches) => args.iter().all(|value| is(value) || is_null(value) || merges(value)),
        Some(SketchAggregate::OfValues) => !args.iter().any(is),
        None => !args.iter().any(is) || (name == "count" && !distinct),
    };
    if fits {
        return Ok(());
    }
    if name == "count" { Err(refused("equality")) } else { Err(no_function(name, args, schema)) }
}

/// A union whose columns are sketches in all of its inputs where they are in one and NULL in others; `None` when they are so
/// already.
fn unified(union: &Union, dialect: Dialect) -> Result<Option<LogicalPlan>> {
    let mixed = |fields: &[&Field]| passes::differ(fields, tables::is_sketch);
    passes::unified(union, mixed, |field, column| {
        if tables::is_sketch(field) {
            return Ok(Transformed::no(column));
        }
        if !field.data_type().is_null() {
            let message = format!("UNION types {NAME} and {} cannot be matched", shown_type(field.data_type()));
            return Err(Error::new(ErrorKind::DatatypeMismatch, message).with_hint("cast one to the other").into());
        }
        let nothing = cast(Expr::Literal(ScalarValue::Null, None), DataType::Utf8View);
        functions::call(dialect, MARK_SKETCH, vec![nothing]).map(Transformed::yes)
    })
}
