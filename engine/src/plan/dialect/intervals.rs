//! Intervals with qualifiers: literals and casts in calls that the planner knows, and what operators between them and
//! other types mean.

use super::spelling::text;
use crate::error::{Error, ErrorKind};
use crate::functions::{self, is_qualified};
use crate::interval::{self, DAY_US, Field, Parts, Qualifier, is_interval};
use crate::sql::{Dialect, IntervalStyle, call};
use datafusion::arrow::datatypes::{DataType, IntervalMonthDayNano, IntervalUnit, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::RawBinaryExpr;
use datafusion::logical_expr::{self as logical, Operator, binary_expr, cast, lit};
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, DateTimeField, Expr, Interval, IntervalFields, UnaryOperator, Value,
};

const MONTHS: DataType = DataType::Interval(IntervalUnit::YearMonth);

/// The qualifier of a literal; `None` where it has none, or one that is no qualifier of Redshift's (WEEK).
///
/// # Errors
/// `Syntax`.
pub(super) fn qualifier(interval: &Interval) -> Result<Option<Qualifier>, Error> {
    let Some(first) = interval.leading_field.as_ref().and_then(field) else { return Ok(None) };
    let last = match &interval.last_field {
        Some(last) => field(last),
        None => Some(first),
    };
    // Of seconds alone the parser takes the digits for those before the point.
    let digits = interval.fractional_seconds_precision.or(interval.leading_precision);
    let known = last.and_then(|last| Qualifier::new(first, last, digits));
    known.map(Some).ok_or_else(|| {
        Error::new(ErrorKind::Syntax, "invalid INTERVAL qualifier")
            .with_hint("it is YEAR, MONTH or YEAR TO MONTH; or fields from DAY to SECOND, seconds with 0 to 6 digits")
    })
}

fn field(field: &DateTimeField) -> Option<Field> {
    Some(match field {
        DateTimeField::Year => Field::Year,
        DateTimeField::Month => Field::Month,
        DateTimeField::Day => Field::Day,
        DateTimeField::Hour => Field::Hour,
        DateTimeField::Minute => Field::Minute,
        DateTimeField::Second => Field::Second,
        _ => return None,
    })
}

/// The qualifier and the value of a literal that has a qualifier.
///
/// # Errors
/// `Syntax`, `InvalidDateTime`, `DateTimeOverflow`; in Trino's style for a literal without a qualifier, too.
fn value_of(interval: &Interval, style: IntervalStyle) -> Result<Option<(Qualifier, Parts)>, Error> {
    let Some(qualifier) = qualifier(interval)? else {
        return match (style, &interval.leading_field) {
            (IntervalStyle::PostgreSql, _) => Ok(None),
            (IntervalStyle::Trino, None) if interval.last_field.is_some() => Ok(None),
            (IntervalStyle::Trino, None) => Err(Error::new(ErrorKind::Syntax, "an INTERVAL literal needs a unit")
                .with_hint("it is YEAR, MONTH, DAY, HOUR, MINUTE or SECOND, or one of these TO another")),
            (IntervalStyle::Trino, Some(unit)) => {
                Err(Error::new(ErrorKind::Syntax, format!("an INTERVAL literal has no unit {unit}")))
            }
        };
    };
    let parts = match style {
        IntervalStyle::PostgreSql => match quoted(&interval.value) {
            Some(text) => interval::parse(&text, qualifier)?,
            None => return Ok(None),
        },
        IntervalStyle::Trino => {
            let (negative, literal) = match interval.value.as_ref() {
                Expr::UnaryOp { op: UnaryOperator::Minus, expr } => (true, expr.as_ref()),
                Expr::UnaryOp { op: UnaryOperator::Plus, expr } => (false, expr.as_ref()),
                other => (false, other),
            };
            let no_text = || Error::new(ErrorKind::Syntax, "an INTERVAL literal is a text in quotes");
            let parts = interval::parse_trino(&quoted(literal).ok_or_else(no_text)?, qualifier)?;
            if negative { parts.negated() } else { parts }
        }
    };
    Ok(Some((qualifier, parts)))
}

/// What stands in a literal's quotes.
fn quoted(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(number, _) => Some(number.clone()),
            other => other.clone().into_string(),
        },
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => quoted(expr).map(|number| format!("-{number}")),
        _ => None,
    }
}

/// A literal as a call that makes it; `None` where it stays what it is.
///
/// # Errors
/// As [`value_of`].
pub(super) fn literal(interval: &Interval, style: IntervalStyle) -> Result<Option<Expr>, Error> {
    let Some((qualifier, parts)) = value_of(interval, style)? else { return Ok(None) };
    let (value, whole) = if qualifier.is_months() {
        (format!("{} months", parts.as_months(qualifier)?), Qualifier::YEAR_TO_MONTH)
    } else {
        (format!("{} microseconds", parts.as_micros(qualifier)?), Qualifier::DAY_TO_SECOND)
    };
    Ok(Some(made(text(value), whole)))
}

/// A literal without a qualifier in units: of PostgreSQL's other forms the planner knows none.
///
/// # Errors
/// `InvalidDateTime` for what is no interval; `DateTimeOverflow`.
pub(super) fn in_units(interval: &mut Interval) -> Result<(), Error> {
    if interval.leading_field.is_none()
        && let Some(value) = quoted(&interval.value)
    {
        *interval.value = text(units(interval::parse_unqualified(&value)?));
    }
    Ok(())
}

/// A value in words of which the planner takes each.
fn units(value: IntervalMonthDayNano) -> String {
    format!("{} months {} days {} microseconds", value.months, value.days, value.nanoseconds / 1_000)
}

/// A literal with a qualifier, of the same value in units, which the bounds of window frames are to the planner. Its only field is
/// a last one: no text of SQL has such a literal.
///
/// # Errors
/// As [`value_of`].
pub(super) fn bound(interval: &mut Interval, style: IntervalStyle) -> Result<(), Error> {
    let Some((qualifier, parts)) = value_of(interval, style)? else { return Ok(()) };
    let value = if qualifier.is_months() {
        IntervalMonthDayNano::new(parts.as_months(qualifier)?, 0, 0)
    } else {
        interval::general(parts.as_micros(qualifier)?)
    };
    *interval = Interval {
        value: Box::new(text(units(value))),
        leading_field: None,
        leading_precision: None,
        last_field: Some(DateTimeField::Second),
        fractional_seconds_precision: None,
    };
    Ok(())
}

fn made(value: Expr, qualifier: Qualifier) -> Expr {
    let name = if qualifier.is_months() { functions::YEAR_TO_MONTH } else { functions::DAY_TO_SECOND };
    call(name, vec![value, text(qualifier.to_string())])
}

/// A text as a column's interval, whose qualifier tells what a number alone counts.
pub(crate) fn read_interval(value: logical::Expr, qualifier: Qualifier) -> Result<logical::Expr> {
    let name = if qualifier.is_months() { functions::YEAR_TO_MONTH } else { functions::DAY_TO_SECOND };
    let function = functions::scalar(Dialect::Redshift, name)
        .ok_or_else(|| Error::internal(format!("the function {name} is missing")))?;
    let args = vec![value, lit(qualifier.to_string())];
    Ok(logical::Expr::ScalarFunction(ScalarFunction::new_udf(function, args)))
}

/// A cast to a qualified interval as a call.
pub(super) fn qualified_cast(
    kind: &CastKind,
    value: &mut Expr,
    fields: IntervalFields,
    digits: Option<u64>,
) -> Result<Option<Expr>, Error> {
    let mut spelled = fields.to_string();
    if let Some(digits) = digits {
        spelled = format!("{spelled}({digits})");
    }
    let qualifier: Qualifier = spelled.parse()?;
    match kind {
        CastKind::Cast | CastKind::DoubleColon => {
            let value = std::mem::replace(value, Expr::Value(Value::Null.into()));
            Ok(Some(made(value, qualifier)))
        }
        // The types that are cast to have no qualifier left, so they are all of a kind.
        _ if qualifier.is_whole() => Ok(None),
        _ => Err(Error::unsupported(format!("TRY_CAST to INTERVAL {spelled}"))),
    }
}

/// The Arrow type of a type's name.
pub(super) fn data_type(fields: Option<&IntervalFields>) -> DataType {
    use IntervalFields as F;
    match fields {
        None => DataType::Interval(IntervalUnit::MonthDayNano),
        Some(F::Year | F::Month | F::YearToMonth) => MONTHS,
        Some(_) => DataType::Duration(TimeUnit::Microsecond),
    }
}

/// An operator with an interval on one side.
pub(super) struct Operands<'a> {
    pub(super) left: &'a DataType,
    pub(super) right: &'a DataType,
    pub(super) dialect: Dialect,
}

impl Operands<'_> {
    /// Arithmetic; `None` where DataFusion's is right.
    pub(super) fn arithmetic(
        &self,
        mut raw: RawBinaryExpr,
    ) -> Result<std::result::Result<logical::Expr, RawBinaryExpr>> {
        let (left, right) = (self.left, self.right);
        let sum = matches!(raw.op, BinaryOperator::Plus | BinaryOperator::Minus);
        let product = raw.op == BinaryOperator::Multiply;
        if product && left.is_numeric() {
            return Ok(Ok(self.call("$interval_multiply", vec![raw.right, raw.left])?));
        }
        if right.is_numeric() && (product || raw.op == BinaryOperator::Divide) {
            let name = if product { "$interval_multiply" } else { "$interval_divide" };
            return Ok(Ok(self.call(name, vec![raw.left, raw.right])?));
        }
        if !is_qualified(left) && !is_qualified(right) {
            return Ok(Err(raw));
        }
        if !sum {
            return Err(self.no_operator(&raw));
        }
        match (is_interval(left), is_interval(right)) {
            // What has months and days is no value of Trino's.
            (true, true) if self.dialect.rules().interval_style == IntervalStyle::Trino && left != right => {
                Err(self.no_operator(&raw))
            }
            (true, true) => {
                self.align(&mut raw)?;
                Ok(Err(raw))
            }
            (false, true) => self.moment(raw, true),
            // An interval has no moment that could be taken from it.
            _ if raw.op == BinaryOperator::Minus => Err(self.no_operator(&raw)),
            _ => self.moment(raw, false),
        }
    }

    /// A moment and a qualified interval.
    fn moment(
        &self,
        mut raw: RawBinaryExpr,
        moment_is_left: bool,
    ) -> Result<std::result::Result<logical::Expr, RawBinaryExpr>> {
        let error = self.no_operator(&raw);
        let (moment, span) = if moment_is_left { (self.left, self.right) } else { (self.right, self.left) };
        let (value, by) =
            if moment_is_left { (&mut raw.left, &mut raw.right) } else { (&mut raw.right, &mut raw.left) };
        let stamp = || DataType::Timestamp(TimeUnit::Microsecond, None);
        // A date by whole days is computed as one and is its midnight.
        let mut is_midnight = false;
        let is_sum = raw.op == BinaryOperator::Plus;
        match moment {
            _ if functions::is_text(moment) && matches!(value, logical::Expr::Literal(..)) => {
                // A text of no type yet is of the other's.
                *value = self.cast(take(value), span);
                return Ok(Err(raw));
            }
            DataType::Timestamp(..) | DataType::Null => return Ok(Err(raw)),
            DataType::Date32 if *span == MONTHS => {}
            DataType::Date32 if !self.dialect.rules().dates_count_days => {
                let name = if is_sum { functions::LATER_DATE } else { functions::EARLIER_DATE };
                let args = vec![take(value), take(by)];
                return Ok(Ok(self.call(name, args)?));
            }
            DataType::Date32 => match constant(by) {
                Some(parts) if parts.micros % DAY_US == 0 => {
                    *by = general(parts)?;
                    is_midnight = true;
                }
                _ => *value = cast(take(value), stamp()),
            },
            DataType::Time64(_) if *span != MONTHS => *by = self.call(functions::GENERAL, vec![take(by)])?,
            _ => return Err(error),
        }
        let op = if is_sum { Operator::Plus } else { Operator::Minus };
        let moved = binary_expr(raw.left, op, raw.right);
        Ok(Ok(if is_midnight { cast(moved, stamp()) } else { moved }))
    }

    /// Two intervals to be added: of one type, where a literal can be of the other's, else in the most general one.
    fn align(&self, raw: &mut RawBinaryExpr) -> Result<()> {
        if self.left == self.right {
            return Ok(());
        }
        for (own, side, other) in [(self.left, &mut raw.left, self.right), (self.right, &mut raw.right, self.left)] {
            if !is_qualified(own) && is_qualified(other) && constant(side).is_some_and(|parts| fits(parts, other)) {
                *side = self.cast(take(side), other);
                return Ok(());
            }
        }
        raw.left = self.call(functions::GENERAL, vec![take(&mut raw.left)])?;
        raw.right = self.call(functions::GENERAL, vec![take(&mut raw.right)])?;
        Ok(())
    }

    /// A comparison, with both sides of one type that has an order.
    pub(super) fn comparison(&self, raw: &mut RawBinaryExpr) -> Result<()> {
        let (left, right) = (self.left, self.right);
        let kinds_differ = is_qualified(left) && is_qualified(right) && (*left == MONTHS) != (*right == MONTHS);
        if kinds_differ {
            return Err(self.no_operator(raw));
        }
        if left == right && is_qualified(left) {
            return Ok(());
        }
        for (own, side, other) in [(left, &mut raw.left, right), (right, &mut raw.right, left)] {
            let is_literal = matches!(side, logical::Expr::Literal(..));
            let text = functions::is_text(own) && is_literal && is_qualified(other);
            let pure = is_interval(own)
                && !is_qualified(own)
                && is_qualified(other)
                && constant(side).is_some_and(|parts| fits(parts, other));
            if text || pure {
                *side = self.cast(take(side), other);
                return Ok(());
            }
        }
        if is_interval(left) && is_interval(right) {
            raw.left = self.call(functions::TOTAL, vec![take(&mut raw.left)])?;
            raw.right = self.call(functions::TOTAL, vec![take(&mut raw.right)])?;
        }
        Ok(())
    }

    fn cast(&self, value: logical::Expr, to: &DataType) -> logical::Expr {
        let function = functions::cast_function(to.clone(), false, self.dialect);
        logical::Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![value]))
    }

    fn call(&self, name: &str, args: Vec<logical::Expr>) -> Result<logical::Expr> {
        let function = functions::scalar(self.dialect, name)
            .ok_or_else(|| Error::internal(format!("the function {name} is missing")))?;
        Ok(logical::Expr::ScalarFunction(ScalarFunction::new_udf(function, args)))
    }

    fn no_operator(&self, raw: &RawBinaryExpr) -> datafusion::error::DataFusionError {
        super::operators::no_operator(&raw.op, self.left, self.right)
    }
}

fn take(expr: &mut logical::Expr) -> logical::Expr {
    std::mem::replace(expr, lit(ScalarValue::Null))
}

/// The value of an interval that is a constant already.
fn constant(expr: &logical::Expr) -> Option<Parts> {
    match expr {
        logical::Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(value)), _) => Parts::of(*value).ok(),
        logical::Expr::ScalarFunction(call)
            if [functions::YEAR_TO_MONTH, functions::DAY_TO_SECOND].contains(&call.name()) =>
        {
            let [logical::Expr::Literal(value, _), logical::Expr::Literal(qualifier, _)] = call.args.as_slice() else {
                return None;
            };
            let qualifier: Qualifier = qualifier.try_as_str().flatten()?.parse().ok()?;
            let parts = interval::parse(value.try_as_str().flatten()?, qualifier).ok()?;
            if qualifier.is_months() {
                Some(Parts { months: i64::from(parts.as_months(qualifier).ok()?), micros: 0 })
            } else {
                Some(Parts { months: 0, micros: parts.as_micros(qualifier).ok()? })
            }
        }
        _ => None,
    }
}

/// Whether a value is one of a qualified type.
fn fits(parts: Parts, data_type: &DataType) -> bool {
    if *data_type == MONTHS { parts.micros == 0 } else { parts.months == 0 }
}

/// A literal of whole days in the most general type.
fn general(parts: Parts) -> Result<logical::Expr> {
    let days = i32::try_from(parts.micros / DAY_US).map_err(|_| interval::out_of_range())?;
    Ok(lit(ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano::new(0, days, 0)))))
}
