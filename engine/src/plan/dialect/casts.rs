//! Casts of a finished plan, where the types are known: those that Arrow does otherwise become functions of ours.

use super::operators::{date_of, moment_of_text};
use super::{moments, passes};
use crate::error::{Error, ErrorKind};
use crate::functions::{self, COALESCE, PLAIN_TEXT};
use crate::interval::is_interval;
use crate::sql::Dialect;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, cast};

/// A value as the type of the column that it goes into, as Redshift assigns it.
pub(crate) fn assigned(value: Expr, from: &DataType, to: &DataType) -> Expr {
    if !functions::cast_differs(from, to, Dialect::Redshift) {
        return cast(value, to.clone());
    }
    if let Some(moment) = moments::meant(&value, to, Dialect::Redshift) {
        return moment;
    }
    let function = functions::cast_function(to.clone(), false, Dialect::Redshift);
    Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![value]))
}

/// Rewrites the casts of a plan and of the queries in it; names and types stay.
pub(in crate::plan) fn rewrite(plan: LogicalPlan, dialect: Dialect) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(|node| rewrite_node(node, dialect)).map(|rewritten| rewritten.data)
}

fn rewrite_node(plan: LogicalPlan, dialect: Dialect) -> Result<Transformed<LogicalPlan>> {
    let mut found = false;
    plan.apply_expressions(|expr| {
        let looked_at = |part: &Expr| {
            let compared =
                matches!(part, Expr::Cast(_) | Expr::TryCast(_) | Expr::Between(_) | Expr::InList(_) | Expr::Like(_));
            let chosen = matches!(part, Expr::Case(case) if case.expr.is_some());
            compared
                || chosen
                || takes_texts(part, dialect)
                || matches!(part, Expr::ScalarFunction(call)
                    if [DATE_PART, COALESCE, PLAIN_TEXT].contains(&call.name()) || moments::has_words(call))
        };
        found |= expr.exists(|part| Ok(looked_at(part)))?;
        Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
    })?;
    if !found {
        return Ok(Transformed::no(plan));
    }
    let schema = passes::columns_of(&plan)?;
    passes::rewrite_expressions(plan, |part| {
        refuse_json(&part, &schema, dialect)?;
        let found = moments::in_arguments(part, dialect);
        let found = if found.transformed { found } else { coalesced(found.data, &schema, dialect)? };
        let found = if found.transformed { found } else { plain_text(found.data, &schema) };
        let found = if found.transformed { found } else { written_out(found.data, &schema, dialect)? };
        let found = if found.transformed { found } else { truths(found.data, &schema, dialect) };
        let found = if found.transformed { found } else { with_intervals(found.data, &schema, dialect) };
        let found = if found.transformed { found } else { part_of_interval(found.data, &schema, dialect) };
        let found = if found.transformed { found } else { with_midnights(found.data, &schema) };
        let found = if found.transformed { found } else { with_moments(found.data, &schema, dialect) };
        Ok(if found.transformed { found } else { rewrite_cast(found.data, &schema, dialect) })
    })
}

/// Functions of texts that are DataFusion's; those that are ours say themselves what they take.
const OF_TEXTS: [&str; 13] = [
    "ascii",
    "btrim",
    "character_length",
    "concat",
    "initcap",
    "levenshtein",
    "ltrim",
    "octet_length",
    "replace",
    "rtrim",
    "starts_with",
    "strpos",
    "translate",
];

/// Whether an expression is one of texts, of which DataFusion takes JSON for one and Trino does not.
fn takes_texts(expr: &Expr, dialect: Dialect) -> bool {
    dialect.rules().json_is_a_type && matches!(expr, Expr::ScalarFunction(call) if OF_TEXTS.contains(&call.name()))
}

fn refuse_json(expr: &Expr, schema: &DFSchema, dialect: Dialect) -> Result<()> {
    let call = match expr {
        Expr::ScalarFunction(call) if takes_texts(expr, dialect) => call,
        _ => return Ok(()),
    };
    if !call.args.iter().any(|arg| arg.get_type(schema).is_ok_and(|found| found == functions::JSON)) {
        return Ok(());
    }
    let message = format!("function {} does not take JSON", call.name());
    Err(Error::new(ErrorKind::UndefinedFunction, message).with_hint("cast it to varchar, or use json_format").into())
}

/// The value of BETWEEN or IN, and what it is compared with.
fn compared(expr: &mut Expr) -> Option<(&Expr, Vec<&mut Expr>)> {
    match expr {
        Expr::Between(between) => Some((&between.expr, vec![&mut between.low, &mut between.high])),
        Expr::InList(list) => Some((&list.expr, list.list.iter_mut().collect())),
        _ => None,
    }
}

/// BETWEEN and IN of a date or a moment: literal texts that it is compared with are read as one.
fn with_moments(mut expr: Expr, schema: &DFSchema, dialect: Dialect) -> Transformed<Expr> {
    let Some((value, others)) = compared(&mut expr) else { return Transformed::no(expr) };
    let Ok(wanted) = value.get_type(schema) else { return Transformed::no(expr) };
    let mut changed = false;
    for other in others {
        if let Some(moment) = moment_of_text(other, &wanted, schema, dialect) {
            *other = moment;
            changed = true;
        }
    }
    if changed { Transformed::yes(expr) } else { Transformed::no(expr) }
}

/// BETWEEN and IN of a qualified interval: what it is compared with is of its type.
fn with_intervals(mut expr: Expr, schema: &DFSchema, dialect: Dialect) -> Transformed<Expr> {
    let Some((value, others)) = compared(&mut expr) else { return Transformed::no(expr) };
    let Some(wanted) = value.get_type(schema).ok().filter(functions::is_qualified) else {
        return Transformed::no(expr);
    };
    let mut changed = false;
    for other in others {
        let differs = other.get_type(schema).is_ok_and(|found| functions::cast_differs(&found, &wanted, dialect));
        if differs {
            let function = functions::cast_function(wanted.clone(), false, dialect);
            *other = Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![other.clone()]));
            changed = true;
        }
    }
    if changed { Transformed::yes(expr) } else { Transformed::no(expr) }
}

/// BETWEEN and IN of a date: midnights that it is compared with are dates, too.
fn with_midnights(mut expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let Some((value, others)) = compared(&mut expr) else { return Transformed::no(expr) };
    let is_date = |expr: &Expr| expr.get_type(schema).is_ok_and(|found| found == DataType::Date32);
    let fits = |expr: &Expr| matches!(expr, Expr::Literal(..)) || is_date(expr) || date_of(expr, schema).is_some();
    if !is_date(value) || !others.iter().all(|other| fits(other)) {
        return Transformed::no(expr);
    }
    let mut changed = false;
    for other in others {
        if let Some(date) = date_of(other, schema) {
            *other = date.clone();
            changed = true;
        }
    }
    if changed { Transformed::yes(expr) } else { Transformed::no(expr) }
}

/// CASE of a truth value beside literal texts, which are read as truth values.
fn truths(mut expr: Expr, schema: &DFSchema, dialect: Dialect) -> Transformed<Expr> {
    let Expr::Case(case) = &mut expr else { return Transformed::no(expr) };
    let is_truth = case.expr.as_ref().is_some_and(|value| matches!(value.get_type(schema), Ok(DataType::Boolean)));
    if !is_truth || !dialect.rules().texts_mix {
        return Transformed::no(expr);
    }
    let mut changed = false;
    for (when, _) in &mut case.when_then_expr {
        let found = when.get_type(schema).ok().filter(functions::is_text);
        if let (Expr::Literal(..), Some(found)) = (when.as_ref(), found) {
            **when = assigned(when.as_ref().clone(), &found, &DataType::Boolean);
            changed = true;
        }
    }
    if changed { Transformed::yes(expr) } else { Transformed::no(expr) }
}

/// COALESCE of moments and literals, which are read as moments.
fn coalesced(mut expr: Expr, schema: &DFSchema, dialect: Dialect) -> Result<Transformed<Expr>> {
    let Expr::ScalarFunction(call) = &mut expr else { return Ok(Transformed::no(expr)) };
    if call.name() != COALESCE || !dialect.rules().texts_mix {
        return Ok(Transformed::no(expr));
    }
    let types = call.args.iter().map(|arg| arg.get_type(schema)).collect::<Result<Vec<_>>>().unwrap_or_default();
    let Some(wanted) = functions::type_of_literals(&types) else { return Ok(Transformed::no(expr)) };
    for (arg, found) in call.args.iter_mut().zip(types) {
        if !functions::is_text(&found) {
            continue;
        }
        if !matches!(arg, Expr::Literal(..)) {
            let (found, wanted) = (functions::shown_type(&found), functions::shown_type(&wanted));
            let message = format!("COALESCE types {wanted} and {found} cannot be matched");
            return Err(Error::new(ErrorKind::DatatypeMismatch, message).with_hint("cast one to the other").into());
        }
        *arg = assigned(arg.clone(), &found, &wanted);
    }
    Ok(Transformed::yes(expr))
}

/// What is a text already, or nothing that is one by itself, is left as it is where a text is wanted.
fn plain_text(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    match expr {
        Expr::ScalarFunction(mut call)
            if call.name() == PLAIN_TEXT
                && call.args.len() == 1
                && call.args[0].get_type(schema).is_ok_and(|found| !functions::is_written_out(&found)) =>
        {
            Transformed::yes(call.args.swap_remove(0))
        }
        expr => Transformed::no(expr),
    }
}

/// LIKE over a number or a moment is over the text that it is (Redshift: "Implicit conversion types").
fn written_out(mut expr: Expr, schema: &DFSchema, dialect: Dialect) -> Result<Transformed<Expr>> {
    let Expr::Like(like) = &mut expr else { return Ok(Transformed::no(expr)) };
    let applies = dialect.rules().numbers_as_texts
        && like.expr.get_type(schema).is_ok_and(|found| functions::is_written_out(&found));
    if !applies {
        return Ok(Transformed::no(expr));
    }
    let value = std::mem::take(like.expr.as_mut());
    *like.expr = functions::call(dialect, PLAIN_TEXT, vec![value])?;
    Ok(Transformed::yes(expr))
}

/// DataFusion's function of EXTRACT.
const DATE_PART: &str = "date_part";

/// EXTRACT of an interval, whose days DataFusion has no hours beside.
fn part_of_interval(expr: Expr, schema: &DFSchema, dialect: Dialect) -> Transformed<Expr> {
    let Expr::ScalarFunction(extract) = &expr else { return Transformed::no(expr) };
    let [_, value] = extract.args.as_slice() else { return Transformed::no(expr) };
    if extract.name() != DATE_PART || !value.get_type(schema).is_ok_and(|found| is_interval(&found)) {
        return Transformed::no(expr);
    }
    match functions::scalar(dialect, "$date_part") {
        Some(own) => {
            let call = Expr::ScalarFunction(ScalarFunction::new_udf(own, extract.args.clone()));
            Transformed::yes(cast(call, DataType::Int32))
        }
        None => Transformed::no(expr),
    }
}

fn rewrite_cast(expr: Expr, schema: &DFSchema, dialect: Dialect) -> Transformed<Expr> {
    let (inner, to, safe) = match &expr {
        Expr::Cast(cast) => (&cast.expr, cast.field.data_type(), false),
        Expr::TryCast(cast) => (&cast.expr, cast.field.data_type(), true),
        _ => return Transformed::no(expr),
    };
    if let Some(moment) = moments::meant(inner, to, dialect) {
        return Transformed::yes(moment);
    }
    match inner.get_type(schema) {
        Ok(from)
            if functions::cast_differs(&from, to, dialect)
                || (dialect.rules().rows_cast_by_place && functions::is_nested_cast(&from, to)) =>
        {
            let function = functions::cast_function(to.clone(), safe, dialect);
            Transformed::yes(Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![inner.as_ref().clone()])))
        }
        // The types of an outer query's columns are not known here.
        _ => Transformed::no(expr),
    }
}
