//! Words for moments among literals: `'now'`, `'today'`, `'tomorrow'`, `'yesterday'` (Redshift: "Special datetime values") and
//! `'epoch'` (PostgreSQL, 8.5.1.4).
//!
//! Where a literal is read as a date or a moment, a word becomes the expression that gives it: of the statement's moment, as
//! clocks of the session's zone show it. So nothing that is kept of a statement keeps a moment. A text that is no literal is
//! never such a word.

use super::spelling;
use crate::builtin;
use crate::functions;
use crate::sql::Dialect;
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Expr, LogicalPlan, cast, lit};
use datafusion::sql::sqlparser::ast;
use std::sync::Arc;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Now,
    Today,
    Tomorrow,
    Yesterday,
    Epoch,
}

impl Word {
    fn of(literal: &Expr) -> Option<Self> {
        let Expr::Literal(value, _) = literal else { return None };
        Self::read(value.try_as_str().flatten()?)
    }

    fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let words = [
            ("now", Self::Now),
            ("today", Self::Today),
            ("tomorrow", Self::Tomorrow),
            ("yesterday", Self::Yesterday),
            ("epoch", Self::Epoch),
        ];
        words.into_iter().find_map(|(word, meant)| text.eq_ignore_ascii_case(word).then_some(meant))
    }

    /// The moment as a type; `None` for types without a date, of which only times of day have a now.
    fn moment(self, to: &DataType) -> Option<Expr> {
        let moment = match (self, to) {
            (Self::Epoch, DataType::Date32) => return Some(lit(ScalarValue::Date32(Some(0)))),
            (Self::Epoch, DataType::Timestamp(_, zone)) => epoch(zone.clone()),
            (Self::Now, DataType::Timestamp(_, Some(_))) => zoned_now()?,
            (Self::Now, DataType::Timestamp(_, None) | DataType::Date32 | DataType::Time64(_)) => now()?,
            (Self::Today, DataType::Timestamp(..) | DataType::Date32) => midnight(0)?,
            (Self::Tomorrow, DataType::Timestamp(..) | DataType::Date32) => midnight(1)?,
            (Self::Yesterday, DataType::Timestamp(..) | DataType::Date32) => midnight(-1)?,
            _ => return None,
        };
        Some(cast(moment, to.clone()))
    }
}

/// What a literal means that is read as a type, where it is a word for a moment.
pub(super) fn meant(literal: &Expr, to: &DataType, dialect: Dialect) -> Option<Expr> {
    if !dialect.rules().words_for_moments || !to.is_temporal() {
        return None;
    }
    Word::of(literal)?.moment(to)
}

/// Whether a function is called with a word for a moment, or with a text that says the same.
pub(super) fn has_words(call: &ScalarFunction) -> bool {
    call.args.iter().any(|arg| Word::of(arg).is_some())
}

/// A call of a function of ours with moments in the place of words for them.
pub(super) fn in_arguments(mut expr: Expr, dialect: Dialect) -> Transformed<Expr> {
    let mut changed = false;
    if let Expr::ScalarFunction(call) = &mut expr
        && has_words(call)
    {
        let read = functions::moments_read(&call.func, call.args.len());
        for (arg, to) in call.args.iter_mut().zip(read) {
            if let Some(moment) = to.and_then(|to| meant(arg, &to, dialect)) {
                *arg = moment;
                changed = true;
            }
        }
    }
    if changed { Transformed::yes(expr) } else { Transformed::no(expr) }
}

/// What a query gives for a column of a type, where that is a literal which is a word for a moment.
pub(crate) fn given_moment(query: &LogicalPlan, value: &Expr, to: &DataType) -> Option<Expr> {
    let (mut query, mut given) = (query, value);
    loop {
        given = match (given, query) {
            (Expr::Alias(alias), _) => alias.expr.as_ref(),
            (Expr::Column(column), LogicalPlan::Projection(projection)) => {
                query = projection.input.as_ref();
                projection.expr.get(projection.schema.maybe_index_of_column(column)?)?
            }
            (given, _) => return meant(given, to, Dialect::Redshift),
        };
    }
}

/// Reads the literals of a column of VALUES as a type where one of them is a word for a moment.
pub(crate) fn read_words(values: &mut ast::Values, column: usize, to: &ast::DataType) {
    let mut literals: Vec<&mut ast::Expr> = values
        .rows
        .iter_mut()
        .filter_map(|row| row.content.get_mut(column))
        .filter(|expr| quoted(expr).is_some())
        .collect();
    if literals.iter().any(|expr| quoted(expr).and_then(Word::read).is_some()) {
        for literal in &mut literals {
            let value = std::mem::replace(*literal, ast::Expr::Value(ast::Value::Null.into()));
            **literal = spelling::cast(value, to.clone());
        }
    }
}

fn quoted(expr: &ast::Expr) -> Option<&str> {
    match expr {
        ast::Expr::Value(value) => match &value.value {
            ast::Value::SingleQuotedString(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

fn epoch(zone: Option<Arc<str>>) -> Expr {
    lit(ScalarValue::TimestampMicrosecond(Some(0), zone))
}

/// The statement's moment.
fn zoned_now() -> Option<Expr> {
    let now = builtin::functions().scalar.get("now").cloned()?;
    call("timezone", vec![lit("UTC"), Expr::ScalarFunction(ScalarFunction::new_udf(now, Vec::new()))])
}

/// What clocks of the session's zone show at it.
fn now() -> Option<Expr> {
    Some(cast(zoned_now()?, DataType::Timestamp(TimeUnit::Microsecond, None)))
}

/// The midnight of today there, or so many days later.
fn midnight(days: i64) -> Option<Expr> {
    let today = call("date_trunc", vec![lit("day"), now()?])?;
    if days == 0 { Some(today) } else { call("dateadd", vec![lit("day"), lit(days), today]) }
}

fn call(name: &str, args: Vec<Expr>) -> Option<Expr> {
    let function = functions::scalar(Dialect::Redshift, name)?;
    Some(Expr::ScalarFunction(ScalarFunction::new_udf(function, args)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use datafusion::common::tree_node::TreeNode;
    use datafusion::logical_expr::Volatility;

    fn changes(expr: &Expr) -> bool {
        let changes = |part: &Expr| match part {
            Expr::ScalarFunction(call) => call.func.signature().volatility != Volatility::Immutable,
            _ => false,
        };
        expr.exists(|part| Ok(changes(part))).unwrap()
    }

    #[test]
    fn a_word_stands_for_an_expression_that_changes() {
        let stamp = DataType::Timestamp(TimeUnit::Microsecond, None);
        for (word, changing) in
            [("now", true), (" Today ", true), ("TOMORROW", true), ("yesterday", true), ("epoch", false)]
        {
            for to in [&stamp, &DataType::Date32, &DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))] {
                let moment = meant(&lit(word), to, Dialect::Redshift).unwrap();
                assert_eq!(changes(&moment), changing, "{word} as {to}");
            }
            assert_eq!(meant(&lit(word), &stamp, Dialect::Athena), None);
            assert_eq!(meant(&lit(word), &DataType::Utf8, Dialect::Redshift), None);
        }
        assert_eq!(meant(&lit("tonight"), &stamp, Dialect::Redshift), None);
        assert_eq!(meant(&lit("today"), &DataType::Time64(TimeUnit::Microsecond), Dialect::Redshift), None);
    }
}
