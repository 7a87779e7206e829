//! Aggregates and window functions of a dialect in those that the planner knows.

use super::calls::{binary, case, null, plain_args, rename};
use super::spelling::{cast, number, text};
use crate::error::{Error, ErrorKind};
use crate::sql::{Dialect, call, plain_function};
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArguments, Ident, LambdaFunction, LambdaFunctionParameter, LambdaSyntax, ListAggOnOverflow,
    OneOrManyWithParens, OrderByExpr, OrderByOptions, Value, WindowFrame, WindowFrameBound, WindowFrameUnits,
    WindowType, visit_expressions,
};
use std::ops::ControlFlow;

/// Spells a call of an aggregate, or leaves it.
pub(super) fn respell(function: &mut Function, name: &str, dialect: Dialect) -> Result<Option<Expr>, Error> {
    let redshift = dialect == Dialect::Redshift;
    match name {
        "listagg" => return listagg(function, redshift).map(Some),
        "percentile_cont" | "percentile_disc" if !function.within_group.is_empty() => {
            return percentile(function, name).map(Some);
        }
        "median" if redshift => return median(function).map(Some),
        "ratio_to_report" if redshift => return ratio(function).map(Some),
        _ => {}
    }
    if redshift {
        return Ok(None);
    }
    let Some(args) = plain_args(function) else { return Ok(None) };
    let of_pairs = matches!((name, args.len()), ("multimap_agg", _) | ("max_by" | "min_by" | "numeric_histogram", 3));
    let of_digest =
        name == "approx_percentile" && (args.len() == 3 || args.get(1).is_some_and(|share| !is_plain(share)));
    if (of_pairs || of_digest) && is_distinct(function) {
        return Err(Error::unsupported(format_args!("{name}(DISTINCT …)")));
    }
    Ok(match (name, args.as_slice()) {
        ("max_by" | "min_by", [value, key]) => Some(by_key(function, value.clone(), key.clone(), name == "max_by")),
        ("max_by" | "min_by", [value, key, count]) => {
            let (values, keys) = (known_list(function, value, key), known_list(function, key, key));
            Some(call("$extremes_by", vec![values, keys, count.clone(), truth(name == "max_by")]))
        }
        ("max" | "min", [value, count]) => {
            let values = known_list(function, value, value);
            Some(call("$extremes", vec![values, count.clone(), truth(name == "max")]))
        }
        // The error that is allowed may be smaller.
        ("approx_distinct", [value, _]) => Some(with_args(function, name, vec![value.clone()])),
        ("approx_percentile", [value, share]) if of_digest => {
            Some(percentiles(function, vec![value.clone()], share.clone()))
        }
        ("approx_percentile", [value, weight, share]) => {
            Some(percentiles(function, vec![value.clone(), weight.clone()], share.clone()))
        }
        ("approx_most_frequent", [buckets, value, _]) => {
            let values = with_args(function, "array_agg", vec![value.clone()]);
            Some(call("$most_frequent", vec![values, buckets.clone()]))
        }
        ("numeric_histogram", [buckets, value]) => {
            let values = known_list(function, value, value);
            Some(call("$numeric_histogram", vec![values, buckets.clone()]))
        }
        ("numeric_histogram", [buckets, value, weight]) => {
            let function = &only_known(function.clone(), weight.clone());
            let (values, weights) = (known_list(function, value, value), known_list(function, weight, value));
            Some(call("$numeric_histogram", vec![values, buckets.clone(), weights]))
        }
        ("make_set_digest", [value]) => Some(call("$set_digest", vec![known_list(function, value, value)])),
        ("merge_set_digest", [digest]) => Some(call("$merge_set_digests", vec![known_list(function, digest, digest)])),
        ("skewness" | "kurtosis", [value]) => {
            let double = cast(value.clone(), DataType::DoublePrecision);
            Some(call(&format!("${name}"), vec![with_args(function, "array_agg", vec![double])]))
        }
        ("reduce_agg", [value, initial, step @ Expr::Lambda(_), Expr::Lambda(_)]) => {
            let values = known_list(function, value, value);
            Some(call("reduce", vec![values, initial.clone(), step.clone(), identity()]))
        }
        ("count_if", [condition]) => {
            let counted = case(vec![(condition.clone(), number(1))], None);
            Some(with_args(function, "count", vec![counted]))
        }
        ("set_agg", [value]) => {
            let mut made = function.clone();
            rename(&mut made, "array_agg");
            if let FunctionArguments::List(list) = &mut made.args {
                list.args = vec![argument(value.clone())];
                list.duplicate_treatment = Some(DuplicateTreatment::Distinct);
            }
            Some(Expr::Function(made))
        }
        ("map_agg", [key, value]) => {
            // A pair that is there again changes nothing.
            let function = &of_all(function);
            let keys = with_args(function, "array_agg", vec![key.clone()]);
            let values = with_args(function, "array_agg", vec![value.clone()]);
            Some(call("$map_agg", vec![keys, values]))
        }
        ("multimap_agg", [key, value]) => {
            let (keys, values) = (known_list(function, key, key), known_list(function, value, key));
            Some(call("$multimap_agg", vec![keys, values]))
        }
        ("map_union", [map]) => Some(call("$map_union", vec![known_list(function, map, map)])),
        ("histogram", [value]) => {
            let values = with_args(function, "array_agg", vec![value.clone()]);
            Some(call("$histogram", vec![values]))
        }
        ("geometric_mean", [value]) => {
            let logarithm = call("ln", vec![cast(value.clone(), DataType::DoublePrecision)]);
            Some(call("exp", vec![with_args(function, "avg", vec![logarithm])]))
        }
        _ => None,
    })
}

/// Whether an expression is of literals that are no arrays.
fn is_plain(expr: &Expr) -> bool {
    match expr {
        Expr::Value(_) | Expr::TypedString(_) => true,
        Expr::Nested(inner) | Expr::UnaryOp { expr: inner, .. } => is_plain(inner),
        Expr::Cast { expr: inner, data_type, .. } => !matches!(data_type, DataType::Array(_)) && is_plain(inner),
        Expr::BinaryOp { left, right, .. } => is_plain(left) && is_plain(right),
        _ => false,
    }
}

/// Percentiles of a digest of the group's values, perhaps with weights: one for a number, several for an array, which is the
/// same in all rows.
fn percentiles(function: &Function, values: Vec<Expr>, share: Expr) -> Expr {
    let has = |is_it: fn(&Expr) -> bool| {
        let look = |part: &Expr| if is_it(part) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        visit_expressions(&share, look).is_break()
    };
    let of_rows = !has(|part| matches!(part, Expr::Subquery(_) | Expr::Lambda(_)))
        && has(|part| matches!(part, Expr::Identifier(_) | Expr::CompoundIdentifier(_)));
    let share = if of_rows { with_args(function, "first_value", vec![share]) } else { share };
    call("$at_quantiles", vec![with_args(function, "qdigest_agg", values), share])
}

fn argument(expr: Expr) -> FunctionArg {
    FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))
}

/// The same call, with its FILTER and OVER, of another function over other arguments.
fn with_args(function: &Function, name: &str, args: Vec<Expr>) -> Expr {
    let args = args.into_iter().map(argument).collect();
    let mut made = plain_function(name, args);
    if name == "array_agg"
        && is_distinct(function)
        && let FunctionArguments::List(list) = &mut made.args
    {
        list.duplicate_treatment = Some(DuplicateTreatment::Distinct);
    }
    Expr::Function(Function { filter: function.filter.clone(), over: function.over.clone(), ..made })
}

/// `max_by(x, y)`: the first value by descending keys that are not NULL.
fn by_key(function: &Function, value: Expr, key: Expr, descending: bool) -> Expr {
    let Expr::Function(mut made) = with_args(function, "first_value", vec![value]) else { return null() };
    let options = OrderByOptions { asc: Some(!descending), nulls_first: Some(false) };
    let order = OrderByExpr { expr: key.clone(), options, with_fill: None };
    match &mut made.over {
        Some(WindowType::WindowSpec(spec)) => {
            spec.order_by = vec![order];
            spec.window_frame = Some(whole_partition());
        }
        _ => {
            if let FunctionArguments::List(list) = &mut made.args {
                list.clauses.push(FunctionArgumentClause::OrderBy(vec![order]));
            }
        }
    }
    Expr::Function(only_known(made, key))
}

/// The same call without DISTINCT.
fn of_all(function: &Function) -> Function {
    let mut made = function.clone();
    if let FunctionArguments::List(list) = &mut made.args {
        list.duplicate_treatment = None;
    }
    made
}

/// The list of a group's values in the rows that have another value; NULL where there are none.
fn known_list(function: &Function, value: &Expr, known: &Expr) -> Expr {
    match with_args(function, "array_agg", vec![value.clone()]) {
        Expr::Function(values) => Expr::Function(only_known(values, known.clone())),
        other => other,
    }
}

/// The same call over the rows that have a value.
fn only_known(mut function: Function, value: Expr) -> Function {
    let known = Expr::IsNotNull(Box::new(value));
    let filter = match function.filter.take() {
        Some(filter) => binary(Expr::Nested(filter), BinaryOperator::And, known),
        None => known,
    };
    function.filter = Some(Box::new(filter));
    function
}

fn truth(value: bool) -> Expr {
    Expr::Value(Value::Boolean(value).into())
}

/// `state -> state`
fn identity() -> Expr {
    let name = Ident::new("state");
    let parameter = LambdaFunctionParameter { name: name.clone(), data_type: None };
    Expr::Lambda(LambdaFunction {
        params: OneOrManyWithParens::One(parameter),
        body: Box::new(Expr::Identifier(name)),
        syntax: LambdaSyntax::Arrow,
    })
}

fn whole_partition() -> WindowFrame {
    WindowFrame {
        units: WindowFrameUnits::Rows,
        start_bound: WindowFrameBound::Preceding(None),
        end_bound: Some(WindowFrameBound::Following(None)),
    }
}

/// `LISTAGG([DISTINCT] x [, ','] [ON OVERFLOW …]) [WITHIN GROUP (ORDER BY …)] [OVER (…)]`.
fn listagg(function: &mut Function, redshift: bool) -> Result<Expr, Error> {
    let mut args = plain_args(function).ok_or_else(|| wrong_shape("listagg"))?;
    if args.is_empty() || args.len() > 2 {
        return Err(wrong_shape("listagg"));
    }
    let overflow = take_overflow(function);
    if redshift && overflow.is_some() {
        return Err(Error::unsupported("ON OVERFLOW in LISTAGG"));
    }
    let separator = if args.len() == 2 { args.remove(1) } else { text("") };
    let plain = args.remove(0);
    let value = call("$text", vec![plain.clone()]);
    let mut order = std::mem::take(&mut function.within_group);
    for key in &mut order {
        // DISTINCT may be ordered by its own argument only, which is the text here.
        if key.expr == plain && is_distinct(function) {
            key.expr = value.clone();
        }
    }
    if let Some(ListAggOnOverflow::Truncate { filler, with_count }) = overflow {
        let mut values = known_list(function, &value, &value);
        if let Expr::Function(values) = &mut values {
            put_in_order(values, order);
        }
        let filler = filler.map_or_else(|| text("..."), |filler| *filler);
        return Ok(call("$listagg_cut", vec![values, separator, filler, truth(with_count)]));
    }
    let mut made = function.clone();
    rename(&mut made, "string_agg");
    if let FunctionArguments::List(list) = &mut made.args {
        list.args = vec![argument(value), argument(separator)];
    }
    put_in_order(&mut made, order);
    let made = Expr::Function(made);
    Ok(if redshift { made } else { call("$listagg_whole", vec![made]) })
}

/// Takes what is said of texts that become too long.
fn take_overflow(function: &mut Function) -> Option<ListAggOnOverflow> {
    let FunctionArguments::List(list) = &mut function.args else { return None };
    let at = list.clauses.iter().position(|clause| matches!(clause, FunctionArgumentClause::OnOverflow(_)))?;
    match list.clauses.remove(at) {
        FunctionArgumentClause::OnOverflow(overflow) => Some(overflow),
        _ => None,
    }
}

/// Gives an aggregate its values in an order, over a whole partition where there is one.
fn put_in_order(function: &mut Function, order: Vec<OrderByExpr>) {
    match &mut function.over {
        Some(WindowType::WindowSpec(spec)) => {
            spec.order_by = order;
            spec.window_frame = Some(whole_partition());
        }
        Some(WindowType::NamedWindow(_)) => {}
        None => {
            if let FunctionArguments::List(list) = &mut function.args
                && !order.is_empty()
            {
                list.clauses.push(FunctionArgumentClause::OrderBy(order));
            }
        }
    }
}

fn is_distinct(function: &Function) -> bool {
    matches!(&function.args, FunctionArguments::List(list) if list.duplicate_treatment == Some(DuplicateTreatment::Distinct))
}

fn wrong_shape(name: &str) -> Error {
    Error::new(ErrorKind::Syntax, format!("{name} is called in a way that it does not take"))
}

/// `MEDIAN(x)`: the continuous percentile in the middle.
fn median(function: &Function) -> Result<Expr, Error> {
    let args = plain_args(function).ok_or_else(|| wrong_shape("median"))?;
    let [value] = args.as_slice() else { return Err(wrong_shape("median")) };
    Ok(over_list(function, "$percentile_cont", value, &half(), false))
}

fn half() -> Expr {
    Expr::Value(Value::Number("0.5".to_owned(), false).into())
}

/// `PERCENTILE_CONT(p) WITHIN GROUP (ORDER BY x)` over the list of the group's values.
fn percentile(function: &Function, name: &str) -> Result<Expr, Error> {
    let args = plain_args(function).ok_or_else(|| wrong_shape(name))?;
    let ([fraction], [key]) = (args.as_slice(), function.within_group.as_slice()) else {
        return Err(wrong_shape(name));
    };
    let descending = key.options.asc == Some(false);
    Ok(over_list(function, &format!("${name}"), &key.expr, fraction, descending))
}

fn over_list(function: &Function, name: &str, value: &Expr, fraction: &Expr, descending: bool) -> Expr {
    let mut plain = function.clone();
    plain.within_group.clear();
    let values = with_args(&plain, "array_agg", vec![value.clone()]);
    let fraction = cast(fraction.clone(), DataType::DoublePrecision);
    let fraction = if descending { binary(number(1), BinaryOperator::Minus, fraction) } else { fraction };
    call(name, vec![values, fraction, truth(descending)])
}

/// `RATIO_TO_REPORT(x) OVER (…)`: the part that a value has in its partition's sum.
fn ratio(function: &Function) -> Result<Expr, Error> {
    let args = plain_args(function).ok_or_else(|| wrong_shape("ratio_to_report"))?;
    let ([value], Some(_)) = (args.as_slice(), &function.over) else {
        return Err(Error::new(ErrorKind::Syntax, "ratio_to_report needs one argument and OVER"));
    };
    let double = |expr: Expr| cast(expr, DataType::DoublePrecision);
    let sum = double(with_args(function, "sum", vec![value.clone()]));
    Ok(binary(double(value.clone()), BinaryOperator::Divide, call("nullif", vec![sum, number(0)])))
}
