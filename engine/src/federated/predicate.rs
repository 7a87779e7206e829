//! Conditions of SQL as a connector's [`Predicate`]s: exactly the same condition, or none.
//!
//! A pattern of LIKE that begins with text may become the weaker condition on its beginning, which is then decided
//! again by the engine; only at the top, for under NOT or OR a weaker condition would be a wrong one.

use super::full_text;
use super::table::ForeignTable;
use super::value::{is_lossless, of_scalar};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{InList, Like};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use millrace_connectors::{Comparison, FullText, Predicate, SUPER_METADATA, Value};

/// What a condition became.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Converted {
    /// What the connector gets.
    pub(super) predicate: Predicate,
    /// Whether it is the whole condition.
    pub(super) is_whole: bool,
}

/// A condition on a table's rows, as far as a connector can be given it.
pub(super) fn convert(condition: &Expr, table: &ForeignTable) -> Option<Converted> {
    if let Some(predicate) = whole(condition, table) {
        return Some(Converted { predicate, is_whole: true });
    }
    let Expr::Like(like) = condition else { return None };
    let (column, pattern) = pattern_of(like, table).filter(|_| !like.negated)?;
    if pattern.prefix.is_empty() {
        return None;
    }
    Some(Converted { predicate: Predicate::Prefix { column, prefix: pattern.prefix }, is_whole: false })
}

fn whole(condition: &Expr, table: &ForeignTable) -> Option<Predicate> {
    Some(match condition {
        Expr::Alias(alias) => whole(&alias.expr, table)?,
        Expr::Column(_) => {
            let column = compared(condition, table, &DataType::Boolean)?;
            Predicate::Compare { column, comparison: Comparison::Eq, value: Value::Boolean(true) }
        }
        Expr::Not(inner) => Predicate::Not(Box::new(whole(inner, table)?)),
        Expr::IsNull(inner) => Predicate::IsNull(named(inner, table)?),
        Expr::IsNotNull(inner) => Predicate::IsNotNull(named(inner, table)?),
        Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::And | Operator::Or), right }) => {
            let mut parts = Vec::new();
            for side in [left, right] {
                match (op, whole(side, table)?) {
                    (Operator::And, Predicate::And(inner)) | (Operator::Or, Predicate::Or(inner)) => {
                        parts.extend(inner);
                    }
                    (_, part) => parts.push(part),
                }
            }
            if *op == Operator::And { Predicate::And(parts) } else { Predicate::Or(parts) }
        }
        Expr::BinaryExpr(binary) => comparison(binary, table)?,
        Expr::Between(between) => {
            let bound = |side: &Expr, comparison| {
                let (column, value) = with_constant(&between.expr, side, table)?;
                Some(Predicate::Compare { column, comparison, value })
            };
            let within =
                Predicate::And(vec![bound(&between.low, Comparison::GtEq)?, bound(&between.high, Comparison::LtEq)?]);
            negated(within, between.negated)
        }
        Expr::InList(list) => in_list(list, table)?,
        Expr::Like(like) => {
            let (column, pattern) = pattern_of(like, table)?;
            let predicate = match pattern.rest {
                Rest::Nothing => {
                    Predicate::Compare { column, comparison: Comparison::Eq, value: Value::Text(pattern.prefix) }
                }
                Rest::Anything if !pattern.prefix.is_empty() => Predicate::Prefix { column, prefix: pattern.prefix },
                _ => return None,
            };
            negated(predicate, like.negated)
        }
        Expr::ScalarFunction(call) => {
            let (kind, args) = full_text::called(call)?;
            match (kind, args) {
                (FullText::QueryString, [text, ..]) => {
                    Predicate::FullText { kind, column: None, text: constant_text(text)? }
                }
                (_, [field, text]) => {
                    Predicate::FullText { kind, column: Some(named(field, table)?), text: constant_text(text)? }
                }
                _ => return None,
            }
        }
        _ => return None,
    })
}

fn negated(predicate: Predicate, negated: bool) -> Predicate {
    if negated { Predicate::Not(Box::new(predicate)) } else { predicate }
}

fn comparison(binary: &BinaryExpr, table: &ForeignTable) -> Option<Predicate> {
    let comparison = match binary.op {
        Operator::Eq => Comparison::Eq,
        Operator::NotEq => Comparison::NotEq,
        Operator::Lt => Comparison::Lt,
        Operator::LtEq => Comparison::LtEq,
        Operator::Gt => Comparison::Gt,
        Operator::GtEq => Comparison::GtEq,
        _ => return None,
    };
    if let Some((column, value)) = with_constant(&binary.left, &binary.right, table) {
        return Some(Predicate::Compare { column, comparison, value });
    }
    let (column, value) = with_constant(&binary.right, &binary.left, table)?;
    let comparison = match comparison {
        Comparison::Lt => Comparison::Gt,
        Comparison::LtEq => Comparison::GtEq,
        Comparison::Gt => Comparison::Lt,
        Comparison::GtEq => Comparison::LtEq,
        same => same,
    };
    Some(Predicate::Compare { column, comparison, value })
}

fn in_list(list: &InList, table: &ForeignTable) -> Option<Predicate> {
    let mut column = None;
    let mut values = Vec::with_capacity(list.list.len());
    for item in &list.list {
        let (found, value) = with_constant(&list.expr, item, table)?;
        column = Some(found);
        values.push(value);
    }
    Some(negated(Predicate::In { column: column?, values }, list.negated))
}

/// A column and the constant that it is compared with.
fn with_constant(column: &Expr, constant: &Expr, table: &ForeignTable) -> Option<(String, Value)> {
    let scalar = literal(constant)?;
    let column = compared(column, table, &scalar.data_type())?;
    Some((column, of_scalar(scalar)?))
}

/// The column that a value is, perhaps cast without loss, when it is compared as values of a type. Documents (SUPER) are
/// compared by their text here, which no system does.
fn compared(value: &Expr, table: &ForeignTable, as_type: &DataType) -> Option<String> {
    match value {
        Expr::Alias(alias) => compared(&alias.expr, table, as_type),
        Expr::Cast(cast) if *cast.field.data_type() == *as_type => cast_column(&cast.expr, table, as_type),
        Expr::TryCast(cast) if *cast.field.data_type() == *as_type => cast_column(&cast.expr, table, as_type),
        Expr::Column(_) => cast_column(value, table, as_type),
        _ => None,
    }
}

fn cast_column(value: &Expr, table: &ForeignTable, to: &DataType) -> Option<String> {
    let Expr::Column(column) = value else { return None };
    let (name, field) = table.column(&column.name)?;
    let is_compared = !field.metadata().contains_key(SUPER_METADATA) && is_lossless(field.data_type(), to);
    is_compared.then(|| name.to_owned())
}

/// The column that a value is, whatever its type, through casts of which NULL stays NULL and nothing else becomes it.
fn named(value: &Expr, table: &ForeignTable) -> Option<String> {
    match value {
        Expr::Alias(alias) => named(&alias.expr, table),
        Expr::Column(column) => table.column(&column.name).map(|(name, _)| name.to_owned()),
        Expr::Cast(cast) => {
            let Expr::Column(column) = cast.expr.as_ref() else { return None };
            let (name, field) = table.column(&column.name)?;
            is_lossless(field.data_type(), cast.field.data_type()).then(|| name.to_owned())
        }
        _ => None,
    }
}

fn literal(value: &Expr) -> Option<&ScalarValue> {
    match value {
        Expr::Literal(scalar, _) => Some(scalar),
        Expr::Alias(alias) => literal(&alias.expr),
        _ => None,
    }
}

fn constant_text(value: &Expr) -> Option<String> {
    match of_scalar(literal(value)?)? {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

/// A pattern of LIKE: the text that it begins with and what follows.
#[derive(Debug, PartialEq, Eq)]
struct Pattern {
    prefix: String,
    rest: Rest,
}

#[derive(Debug, PartialEq, Eq)]
enum Rest {
    /// The text is all.
    Nothing,
    /// Whatever there is.
    Anything,
    /// A pattern.
    More,
}

fn pattern_of(like: &Like, table: &ForeignTable) -> Option<(String, Pattern)> {
    if like.case_insensitive {
        return None;
    }
    let scalar = literal(&like.pattern)?;
    let column = compared(&like.expr, table, &scalar.data_type())?;
    let Value::Text(text) = of_scalar(scalar)? else { return None };
    Some((column, pattern(&text, like.escape_char.unwrap_or('\\'))))
}

fn pattern(text: &str, escape: char) -> Pattern {
    let mut prefix = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next() {
            None => return Pattern { prefix, rest: Rest::Nothing },
            Some(c) if c == escape => match chars.next() {
                Some(escaped) => prefix.push(escaped),
                // What a lone escape means is the engine's affair.
                None => return Pattern { prefix, rest: Rest::More },
            },
            Some('%') => {
                let rest = if chars.all(|c| c == '%') { Rest::Anything } else { Rest::More };
                return Pattern { prefix, rest };
            }
            Some('_') => return Pattern { prefix, rest: Rest::More },
            Some(c) => prefix.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // PostgreSQL's documentation, 9.7.1.
    #[test]
    fn patterns_begin_with_text() {
        for (text, prefix, rest) in [
            ("abc", "abc", Rest::Nothing),
            ("a%", "a", Rest::Anything),
            ("a%%", "a", Rest::Anything),
            ("%", "", Rest::Anything),
            ("a%c", "a", Rest::More),
            ("a_", "a", Rest::More),
            ("10\\%%", "10%", Rest::Anything),
            ("a\\\\b", "a\\b", Rest::Nothing),
            ("a\\", "a", Rest::More),
        ] {
            assert_eq!(pattern(text, '\\'), Pattern { prefix: prefix.to_owned(), rest }, "{text}");
        }
        assert_eq!(pattern("a!%%", '!').prefix, "a%");
    }
}
