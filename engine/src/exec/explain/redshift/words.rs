//! Expressions of operators in SQL's words, as PostgreSQL writes them in plans.

use crate::functions::{FOLDED, ORDERED, ORDERED_TEXT, WITH_BLANKS, WITHOUT_BLANKS, shown_type};
use crate::interval::{as_texts, is_interval};
use crate::physical::{arithmetic_of, joins_of};
use crate::system::quoted;
use crate::tables::Unscaled;
use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::arrow::util::display::array_value_to_string;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{
    BinaryExpr, CaseExpr, CastExpr, Column, InListExpr, IsNotNullExpr, IsNullExpr, LikeExpr, Literal, NegativeExpr,
    NotExpr, TryCastExpr,
};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_expr_common::physical_expr::fmt_sql;
use std::sync::Arc;

/// Gives a column its words.
pub(super) type Named<'a> = &'a dyn Fn(&Column) -> String;

/// A column by its own name.
pub(super) fn own_name(column: &Column) -> String {
    quoted(column.name())
}

/// A text that is compared without the blanks at its end or its case, a decimal that is read as a number: that they are
/// goes without saying in Redshift's plans.
pub(super) fn compared(expr: &Arc<dyn PhysicalExpr>) -> &Arc<dyn PhysicalExpr> {
    if let Some(number) = expr.downcast_ref::<Unscaled>() {
        return compared(number.decimal());
    }
    let Some(function) = expr.downcast_ref::<ScalarFunctionExpr>() else { return expr };
    let text = match function.name() {
        WITHOUT_BLANKS | WITH_BLANKS | FOLDED | ORDERED_TEXT => function.args().first(),
        // The text stands behind what it is ordered by.
        ORDERED => function.args().last(),
        _ => None,
    };
    text.map_or(expr, compared)
}

/// An expression; what stands above others is in parentheses.
pub(super) fn words(expr: &Arc<dyn PhysicalExpr>, named: Named<'_>) -> String {
    let expr = compared(expr);
    let part = |part: &Arc<dyn PhysicalExpr>| words(part, named);
    let list = |parts: &[Arc<dyn PhysicalExpr>]| parts.iter().map(part).collect::<Vec<_>>().join(", ");
    if let Some(column) = expr.downcast_ref::<Column>() {
        return named(column);
    }
    if let Some(literal) = expr.downcast_ref::<Literal>() {
        return constant(literal.value());
    }
    if let Some(binary) = expr.downcast_ref::<BinaryExpr>() {
        return operation(binary, named);
    }
    if let Some(binary) = arithmetic_of(expr.as_ref()) {
        return operation(&binary, named);
    }
    if let Some(steps) = joins_of(expr.as_ref()) {
        return part(&steps);
    }
    if let Some(cast) = expr.downcast_ref::<CastExpr>() {
        return converted(part(cast.expr()), cast.cast_type());
    }
    if let Some(cast) = expr.downcast_ref::<TryCastExpr>() {
        return converted(part(cast.expr()), cast.cast_type());
    }
    if let Some(test) = expr.downcast_ref::<IsNullExpr>() {
        return format!("({} IS NULL)", part(test.arg()));
    }
    if let Some(test) = expr.downcast_ref::<IsNotNullExpr>() {
        return format!("({} IS NOT NULL)", part(test.arg()));
    }
    if let Some(not) = expr.downcast_ref::<NotExpr>() {
        return format!("(NOT {})", part(not.arg()));
    }
    if let Some(negative) = expr.downcast_ref::<NegativeExpr>() {
        return format!("(- {})", part(negative.arg()));
    }
    if let Some(like) = expr.downcast_ref::<LikeExpr>() {
        let not = if like.negated() { "!" } else { "" };
        let fold = if like.case_insensitive() { "*" } else { "" };
        return format!("({} {not}~~{fold} {})", part(like.expr()), part(like.pattern()));
    }
    if let Some(within) = expr.downcast_ref::<InListExpr>() {
        let not = if within.negated() { "NOT " } else { "" };
        return format!("({} {not}IN ({}))", part(within.expr()), list(within.list()));
    }
    if let Some(case) = expr.downcast_ref::<CaseExpr>() {
        let mut text = "CASE".to_owned();
        if let Some(of) = case.expr() {
            text.extend([" ", &part(of)]);
        }
        for (when, then) in case.when_then_expr() {
            text.extend([" WHEN ", &part(when), " THEN ", &part(then)]);
        }
        if let Some(other) = case.else_expr() {
            text.extend([" ELSE ", &part(other)]);
        }
        return text + " END";
    }
    if let Some(function) = expr.downcast_ref::<ScalarFunctionExpr>() {
        return format!("{}({})", function.name(), list(function.args()));
    }
    fmt_sql(expr.as_ref()).to_string()
}

/// What an alternation or a chain is made of: `((a AND b) AND c)` is one chain.
fn chain<'a>(binary: &'a BinaryExpr, parts: &mut Vec<&'a Arc<dyn PhysicalExpr>>) {
    for side in [binary.left(), binary.right()] {
        match side.downcast_ref::<BinaryExpr>() {
            Some(inner) if inner.op() == binary.op() => chain(inner, parts),
            _ => parts.push(side),
        }
    }
}

fn operation(binary: &BinaryExpr, named: Named<'_>) -> String {
    if matches!(binary.op(), Operator::And | Operator::Or) {
        let mut parts = Vec::new();
        chain(binary, &mut parts);
        let parts: Vec<String> = parts.into_iter().map(|part| words(part, named)).collect();
        return format!("({})", parts.join(&format!(" {} ", binary.op())));
    }
    let op = match binary.op() {
        Operator::NotEq => "<>".to_owned(),
        Operator::StringConcat => "||".to_owned(),
        op => op.to_string(),
    };
    format!("({} {op} {})", words(binary.left(), named), words(binary.right(), named))
}

/// A cast; that of a decimal to another width in memory is no cast in SQL.
fn converted(text: String, to: &DataType) -> String {
    match type_name(to) {
        Some(name) => format!("({text})::{name}"),
        None => text,
    }
}

fn type_name(data_type: &DataType) -> Option<String> {
    Some(match data_type {
        DataType::Boolean => "boolean".to_owned(),
        DataType::Int8 | DataType::Int16 => "smallint".to_owned(),
        DataType::Int32 => "integer".to_owned(),
        DataType::Int64 | DataType::UInt64 => "bigint".to_owned(),
        DataType::Float32 => "real".to_owned(),
        DataType::Float64 => "double precision".to_owned(),
        DataType::Decimal128(precision, scale) => format!("numeric({precision},{scale})"),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".to_owned(),
        DataType::Date32 | DataType::Date64 => "date".to_owned(),
        interval if is_interval(interval) => shown_type(interval),
        DataType::Timestamp(_, None) => "timestamp without time zone".to_owned(),
        DataType::Timestamp(_, Some(_)) => "timestamp with time zone".to_owned(),
        DataType::Time32(TimeUnit::Second | TimeUnit::Millisecond) | DataType::Time64(_) => {
            "time without time zone".to_owned()
        }
        _ => return None,
    })
}

/// A constant: numbers as they are, other values as texts with their type.
fn constant(value: &ScalarValue) -> String {
    if value.is_null() {
        return "NULL".to_owned();
    }
    let spelled = |array: ArrayRef| if is_interval(array.data_type()) { as_texts(&array) } else { Ok(array) };
    let text = value.to_array().and_then(|array| Ok(array_value_to_string(&spelled(array)?, 0)?));
    let text = text.unwrap_or_else(|_| value.to_string());
    let data_type = value.data_type();
    if data_type.is_numeric() || data_type == DataType::Boolean {
        return text;
    }
    let text = if matches!(data_type, DataType::Timestamp(..)) { text.replacen('T', " ", 1) } else { text };
    let text = text.replace('\'', "''");
    match type_name(&data_type) {
        Some(name) => format!("'{text}'::{name}"),
        None => format!("'{text}'"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use datafusion::arrow::datatypes::{Field, Schema};
    use datafusion::physical_expr::expressions::{binary, col, is_null, lit, not};

    #[test]
    fn expressions_are_written_in_sql() {
        let schema = Schema::new(vec![
            Field::new("qty", DataType::Int64, true),
            Field::new("Name", DataType::Utf8, true),
            Field::new("price", DataType::Decimal128(8, 2), true),
        ]);
        let (qty, name, price) =
            (col("qty", &schema).unwrap(), col("Name", &schema).unwrap(), col("price", &schema).unwrap());
        let two = |left: &Arc<dyn PhysicalExpr>, op, right: Arc<dyn PhysicalExpr>| {
            binary(Arc::clone(left), op, right, &schema).unwrap()
        };
        let more = two(&qty, Operator::Gt, lit(2_i64));
        let other = two(&name, Operator::NotEq, lit("it's"));
        let dear = two(&price, Operator::GtEq, lit(ScalarValue::Decimal128(Some(3000), 8, 2)));
        let both = two(&two(&more, Operator::And, Arc::clone(&other)), Operator::And, dear);
        let day = lit(ScalarValue::Date32(Some(13_880)));
        let cases = [
            (Arc::clone(&more), "(qty > 2)"),
            (other, "(\"Name\" <> 'it''s'::text)"),
            (both, "((qty > 2) AND (\"Name\" <> 'it''s'::text) AND (price >= 30.00))"),
            (not(more).unwrap(), "(NOT (qty > 2))"),
            (is_null(qty).unwrap(), "(qty IS NULL)"),
            (day, "'2008-01-02'::date"),
            (lit(ScalarValue::DurationMicrosecond(Some(3_600_000_000))), "'01:00:00'::interval day to second"),
            (lit(ScalarValue::Int32(None)), "NULL"),
        ];
        for (expr, expected) in cases {
            assert_eq!(words(&expr, &own_name), expected);
        }
    }
}
