//! Literals, casts and calls of a dialect in words that the planner takes: a walk over the syntax tree.

use super::{calls, doubles, grouping, intervals, names, outer_joins, own_zones, row_values, using};
use crate::error::{Error, ErrorKind};
use crate::functions::{CHAR, IS_TEXT, TRY_VARCHAR, VARCHAR};
use crate::sql::{Dialect, IntervalStyle, call};
use datafusion::sql::sqlparser::ast::{
    AccessExpr, CastKind, CharacterLength, DataType, ExactNumberInfo, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentClause, FunctionArguments, GroupByExpr, LimitClause, OrderByKind, Query, Select, SelectItem,
    SetExpr, Subscript, TableFactor, TypedString, UnaryOperator, Value, VisitMut, VisitorMut, WindowFrameBound,
    WindowType,
};
use std::ops::ControlFlow;

/// Spells a query and all queries in it as the planner does.
///
/// # Errors
/// `Unsupported` for what has no spelling; `Syntax` for a call of a wrong shape.
pub(in crate::plan) fn spell(query: &mut Query, dialect: Dialect) -> Result<(), Error> {
    match query.visit(&mut Speller { dialect, in_values: Vec::new(), joins: 0 }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(*error),
    }
}

struct Speller {
    dialect: Dialect,
    /// For each query that is open: whether it is a list of rows, whose types follow from all of them.
    in_values: Vec<bool>,
    /// Chains of joins, in all queries.
    joins: usize,
}

impl VisitorMut for Speller {
    type Break = Box<Error>;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Self::Break> {
        self.in_values.push(matches!(query.body.as_ref(), SetExpr::Values(_)));
        if let SetExpr::Values(values) = query.body.as_mut() {
            doubles::mark_casts(values);
        }
        using::number(&mut query.body, &mut self.joins);
        using::qualify_order(query, self.dialect);
        if let Some(order_by) = &mut query.order_by
            && let OrderByKind::Expressions(keys) = &mut order_by.kind
        {
            for key in keys {
                keep(&mut key.expr);
            }
        }
        match &mut query.limit_clause {
            Some(LimitClause::LimitOffset { limit, offset, .. }) => {
                limit.iter_mut().for_each(keep);
                if let Some(offset) = offset {
                    keep(&mut offset.value);
                }
            }
            Some(LimitClause::OffsetCommaLimit { offset, limit }) => {
                keep(offset);
                keep(limit);
            }
            None => {}
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &mut Query) -> ControlFlow<Self::Break> {
        self.in_values.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Self::Break> {
        names::name_items(&mut select.projection, self.dialect);
        names::fold_excluded(&mut select.projection);
        if self.dialect.rules().series_among_items {
            series(&mut select.projection);
        }
        using::qualify(select, self.dialect);
        if let GroupByExpr::Expressions(keys, _) = &mut select.group_by {
            keys.iter_mut().for_each(keep);
            if let Err(error) = keys.iter_mut().try_for_each(grouping::respell) {
                return flow(Err(error));
            }
        }
        let mut frames = Ok(());
        for window in &mut select.named_window {
            if let datafusion::sql::sqlparser::ast::NamedWindowExpr::WindowSpec(spec) = &mut window.1 {
                frames =
                    frames.and_then(|()| keep_frame(spec.window_frame.as_mut(), self.dialect.rules().interval_style));
            }
        }
        if frames.is_err() {
            return flow(frames);
        }
        flow(if self.dialect.rules().outer_join_marks { outer_joins::rewrite(select) } else { Ok(()) })
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Self::Break> {
        if let TableFactor::UNNEST { array_exprs, with_ordinality: ordinality @ true, .. } = factor {
            *ordinality = false;
            let numbers = ordinals(array_exprs);
            array_exprs.push(numbers);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        match expr {
            Expr::Function(function) => {
                if let Err(error) = keep_arguments(function, self.dialect.rules().interval_style) {
                    return flow(Err(error));
                }
            }
            // What is compared needs no width of its own.
            Expr::InList { list, .. } => list.iter_mut().for_each(keep),
            Expr::Interval(interval) => {
                if let Expr::Value(value) = interval.value.as_mut()
                    && let Value::Number(number, _) = &value.value
                {
                    value.value = Value::SingleQuotedString(number.clone());
                }
            }
            Expr::UnaryOp { op: UnaryOperator::Minus, expr: number } if self.dialect.rules().signed_literals => {
                if let Some(smallest) = smallest(number) {
                    *expr = smallest;
                }
            }
            Expr::CompoundFieldAccess { access_chain, .. } => {
                for access in access_chain {
                    if let AccessExpr::Subscript(Subscript::Index { index }) = access {
                        keep(index);
                    }
                }
            }
            _ => {}
        }
        if !self.dialect.rules().zone_is_set {
            own_zones::take_instants(expr);
        }
        flow(row_values::respell(expr).and_then(|()| calls::respell(expr, self.dialect)))
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        let in_values = self.in_values.last().copied().unwrap_or_default();
        let is_plain = in_values && !self.dialect.rules().small_rows;
        match expr {
            Expr::Value(value) => {
                if matches!(value.value, Value::HexStringLiteral(_)) {
                    // The planner holds bytes of literals and of casts for different types.
                    let bytes = Expr::Value(value.clone());
                    *expr = cast(bytes, DataType::Varbinary(None));
                } else if let Value::Number(number, keeps) = &mut value.value {
                    // The mark of `keep` is of no more use.
                    if !std::mem::take(keeps)
                        && let Some(typed) = typed_number(number, is_plain)
                    {
                        *expr = typed;
                    }
                }
            }
            Expr::Extract { .. } if self.dialect.rules().parts_are_bigint => {
                let part = std::mem::replace(expr, Expr::Value(Value::Null.into()));
                *expr = cast(part, DataType::BigInt(None));
            }
            Expr::Cast { kind, expr: inner, data_type, .. } => {
                match limited(kind.clone(), inner, data_type, self.dialect) {
                    Ok(Some(limited)) => *expr = limited,
                    Ok(None) => {}
                    Err(error) => return flow(Err(error)),
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// A series among a query's items gives a row for each number, as in PostgreSQL.
fn series(items: &mut [SelectItem]) {
    for item in items {
        let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item else { continue };
        if matches!(expr, Expr::Function(function) if calls::name_of(function) == "generate_series") {
            let numbers = std::mem::replace(expr, number(0));
            *expr = call("unnest", vec![numbers]);
        }
    }
}

/// The numbers of the elements of the longest array.
fn ordinals(arrays: &[Expr]) -> Expr {
    let lengths: Vec<Expr> = arrays.iter().map(|array| call("cardinality", vec![array.clone()])).collect();
    let longest = if lengths.len() == 1 { lengths } else { vec![call("$library_greatest", lengths)] };
    let mut bounds = vec![cast(number(1), DataType::BigInt(None))];
    bounds.extend(longest);
    call("$library_generate_series", bounds)
}

fn flow(result: Result<(), Error>) -> ControlFlow<Box<Error>> {
    match result {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(Box::new(error)),
    }
}

/// Marks a number that must stay a plain one: an ordinal, a limit, an index.
fn keep(expr: &mut Expr) {
    match expr {
        // The planner would read one with an exponent as a decimal.
        Expr::Value(value) => match &mut value.value {
            Value::Number(number, keeps) if !has_exponent(number) => *keeps = true,
            _ => {}
        },
        Expr::UnaryOp { op: UnaryOperator::Minus, expr: inner } if matches!(**inner, Expr::Value(_)) => keep(inner),
        Expr::Nested(inner) => keep(inner),
        _ => {}
    }
}

/// The smallest number of 32 or 64 bits, whose digits alone are of a wider type.
fn smallest(digits: &Expr) -> Option<Expr> {
    let Expr::Value(value) = digits else { return None };
    let Value::Number(digits, keeps) = &value.value else { return None };
    let signed = format!("-{}", digits.replace('_', ""));
    let is_smallest = [i64::from(i32::MIN), i64::MIN].iter().any(|smallest| signed == smallest.to_string());
    is_smallest.then(|| Expr::Value(Value::Number(signed, *keeps).into()))
}

fn has_exponent(number: &str) -> bool {
    number.contains(['e', 'E']) && !number.starts_with("0x")
}

fn keep_frame(
    frame: Option<&mut datafusion::sql::sqlparser::ast::WindowFrame>,
    style: IntervalStyle,
) -> Result<(), Error> {
    let Some(frame) = frame else { return Ok(()) };
    for bound in [Some(&mut frame.start_bound), frame.end_bound.as_mut()].into_iter().flatten() {
        if let WindowFrameBound::Preceding(Some(offset)) | WindowFrameBound::Following(Some(offset)) = bound {
            keep(offset);
            if let Expr::Interval(interval) = offset.as_mut() {
                intervals::bound(interval, style)?;
            }
        }
    }
    Ok(())
}

/// The planner wants plain literals in calls of window functions and in some aggregates.
fn keep_arguments(function: &mut Function, style: IntervalStyle) -> Result<(), Error> {
    const LITERAL: [&str; 8] = [
        "count",
        "approx_percentile_cont",
        "approx_percentile",
        "percentile_cont",
        "percentile_disc",
        "round",
        "trunc",
        "truncate",
    ];
    let keeps_all = function.over.is_some() || LITERAL.contains(&calls::name_of(function).as_str());
    if let Some(WindowType::WindowSpec(spec)) = &mut function.over {
        keep_frame(spec.window_frame.as_mut(), style)?;
    }
    if let FunctionArguments::List(list) = &mut function.args {
        if keeps_all {
            for argument in &mut list.args {
                if let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = argument {
                    keep(expr);
                }
            }
        }
        for clause in &mut list.clauses {
            if let FunctionArgumentClause::Limit(limit) = clause {
                keep(limit);
            }
        }
    }
    Ok(())
}

/// A number with the type that its text has: INTEGER where 32 bits are enough, DOUBLE with an exponent, else DECIMAL.
/// `None` for what the planner reads so by itself, and for a whole number that stays plain.
fn typed_number(number: &str, is_plain: bool) -> Option<Expr> {
    if has_exponent(number) {
        let text = Expr::Value(Value::SingleQuotedString(number.replace('_', "")).into());
        return Some(cast(text, DataType::DoublePrecision));
    }
    if number.contains('.') {
        return None;
    }
    let digits = number.replace('_', "");
    if digits.parse::<i32>().is_ok() {
        let plain = Expr::Value(Value::Number(digits, false).into());
        return (!is_plain).then(|| cast(plain, DataType::Int(None)));
    }
    if digits.parse::<i64>().is_ok() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let precision = digits.trim_start_matches('0').len() as u64;
    let text = Expr::Value(Value::SingleQuotedString(digits).into());
    Some(cast(text, DataType::Decimal(ExactNumberInfo::PrecisionAndScale(precision, 0))))
}

/// A cast to a text of so many bytes or characters cuts it (Redshift: CAST; Trino: "Conversion functions").
///
/// # Errors
/// `InvalidParameter` for a CHAR longer than any may be.
fn limited(
    kind: CastKind,
    inner: &mut Box<Expr>,
    data_type: &DataType,
    dialect: Dialect,
) -> Result<Option<Expr>, Error> {
    let (length, pads) = match data_type {
        DataType::Varchar(length) | DataType::CharacterVarying(length) | DataType::CharVarying(length) => {
            (length.as_ref(), false)
        }
        DataType::Char(length) | DataType::Character(length) => (length.as_ref(), true),
        DataType::Nvarchar(length) => (length.as_ref(), false),
        _ => return Ok(None),
    };
    let most = dialect.rules().longest_char;
    let length = match length {
        Some(CharacterLength::IntegerLength { length, .. }) => *length,
        Some(CharacterLength::Max) if pads => most,
        None if pads => 1,
        Some(CharacterLength::Max) | None => return Ok(None),
    };
    if pads && !(1..=most).contains(&length) {
        let message = format!("length of type \"{data_type}\" must be between 1 and {most}");
        return Err(Error::new(ErrorKind::InvalidParameter, message));
    }
    let inner = std::mem::replace(inner.as_mut(), Expr::Value(Value::Null.into()));
    // A text may be cut, in Trino nothing else.
    let origin = (!pads && dialect.rules().casts_keep_values).then(|| call(IS_TEXT, vec![inner.clone()]));
    let may_fail = origin.is_some();
    let is_safe = kind == CastKind::TryCast;
    let text =
        Expr::Cast { kind, expr: Box::new(inner), data_type: DataType::Varchar(None), array: false, format: None };
    let name = match (pads, is_safe && may_fail) {
        (true, _) => CHAR,
        (_, true) => TRY_VARCHAR,
        _ => VARCHAR,
    };
    Ok(Some(call(name, [text, number(length)].into_iter().chain(origin).collect())))
}

/// A plain number.
pub(super) fn number(number: impl ToString) -> Expr {
    Expr::Value(Value::Number(number.to_string(), false).into())
}

/// Trino's `DECIMAL '12.50'`, which has as many digits as are written, as a number; `None` for a literal that is none.
pub(super) fn decimal_literal(typed: &TypedString) -> Option<Expr> {
    let DataType::Decimal(ExactNumberInfo::None) = typed.data_type else { return None };
    let written = typed.value.value.clone().into_string()?;
    let written = written.trim();
    let digits = written.trim_start_matches(['-', '+']);
    let is_number = written.len() - digits.len() < 2
        && digits.bytes().any(|byte| byte.is_ascii_digit())
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && digits.matches('.').count() < 2;
    if !is_number {
        return None;
    }
    let mut made = number(digits.trim_end_matches('.'));
    if !digits.contains('.') {
        made = cast(made, DataType::Decimal(ExactNumberInfo::PrecisionAndScale(digits.len() as u64, 0)));
    }
    let made =
        if written.starts_with('-') { Expr::UnaryOp { op: UnaryOperator::Minus, expr: Box::new(made) } } else { made };
    Some(Expr::Nested(Box::new(made)))
}

/// A text.
pub(super) fn text(text: impl Into<String>) -> Expr {
    Expr::Value(Value::SingleQuotedString(text.into()).into())
}

/// A cast.
pub(super) fn cast(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast { kind: CastKind::Cast, expr: Box::new(expr), data_type, array: false, format: None }
}
