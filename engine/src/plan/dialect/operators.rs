//! What operators mean: arithmetic that does not wrap, quotients, dates that count days, texts beside numbers.

use super::members::Members;
use super::{moments, semistructured};
use crate::error::{Error, ErrorKind};
use crate::functions::{self, is_binary, is_text, shown_type};
use crate::interval::is_interval;
use crate::sql::{self, Dialect, Rules};
use crate::tables;
use crate::zone::Zone;
use datafusion::arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Field, TimeUnit};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::utils::list_ndims;
use datafusion::common::{Column, DFSchema, ScalarValue, TableReference};
use datafusion::error::Result;
use datafusion::functions_nested::concat::{array_append_udf, array_concat_udf, array_prepend_udf};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr, RawFieldAccessExpr};
use datafusion::logical_expr::type_coercion::other::get_coerce_type_for_case_expression;
use datafusion::logical_expr::{Expr, ExprSchemable, GetFieldAccess, Operator, binary_expr, cast, lit, when};
use datafusion::sql::sqlparser::ast::BinaryOperator;
use std::cmp::Ordering;
use std::sync::Arc;

/// Plans operators for a dialect.
#[derive(Debug)]
pub(in crate::plan) struct Operators {
    pub(in crate::plan) dialect: Dialect,
    pub(in crate::plan) members: Members,
}

impl ExprPlanner for Operators {
    fn plan_binary_op(&self, raw: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let mut raw = match semistructured::operator(raw, schema)? {
            PlannerResult::Original(raw) => raw,
            planned @ PlannerResult::Planned(_) => return Ok(planned),
        };
        // Functions take the operands with the types that these have now.
        raw.left = settled(raw.left, schema)?.data;
        raw.right = settled(raw.right, schema)?.data;
        let (Ok(left), Ok(right)) = (type_of(&raw.left, schema), type_of(&raw.right, schema)) else {
            return Ok(PlannerResult::Original(raw));
        };
        let operands = Operands { left, right, dialect: self.dialect };
        operands.check_json(&raw.op)?;
        match raw.op {
            BinaryOperator::Plus
            | BinaryOperator::Minus
            | BinaryOperator::Multiply
            | BinaryOperator::Divide
            | BinaryOperator::Modulo => operands.arithmetic(raw),
            BinaryOperator::StringConcat => operands.concat(raw),
            BinaryOperator::Eq
            | BinaryOperator::NotEq
            | BinaryOperator::Lt
            | BinaryOperator::LtEq
            | BinaryOperator::Gt
            | BinaryOperator::GtEq => operands.comparison(raw, schema),
            BinaryOperator::BitwiseAnd | BinaryOperator::BitwiseOr | BinaryOperator::PGBitwiseXor => operands.bits(raw),
            _ => Ok(PlannerResult::Original(raw)),
        }
    }

    fn plan_field_access(
        &self,
        raw: RawFieldAccessExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawFieldAccessExpr>> {
        match semistructured::access(raw, schema, &self.members)? {
            PlannerResult::Original(raw) => subscript(self.dialect, folded(raw, self.dialect), schema),
            planned @ PlannerResult::Planned(_) => Ok(planned),
        }
    }

    /// Redshift's; Athena's is a call when it comes here.
    fn plan_substring(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        Ok(PlannerResult::Planned(functions::call(self.dialect, "substring", args)?))
    }

    fn plan_compound_identifier(
        &self,
        field: &Field,
        qualifier: Option<&TableReference>,
        nested_names: &[String],
    ) -> Result<PlannerResult<Vec<Expr>>> {
        if !tables::is_super(field) {
            return Ok(PlannerResult::Original(Vec::new()));
        }
        let column = Expr::Column(Column::from((qualifier, field)));
        Ok(PlannerResult::Planned(semistructured::members(column, nested_names, &self.members)?))
    }
}

/// Whole numbers' operators that cannot wrap: functions of any number of operands of one type, which the result has.
const ADD: &str = "$add";
const SUBTRACT: &str = "$subtract";
const MULTIPLY: &str = "$multiply";

/// The type of an expression. DataFusion makes the names of all that stands below a function to know its type, which takes
/// the cube of a long sum's length.
fn type_of(expr: &Expr, schema: &DFSchema) -> Result<DataType> {
    let mut expr = expr;
    while let Expr::ScalarFunction(call) = expr
        && [ADD, SUBTRACT, MULTIPLY].contains(&call.name())
        && let Some(first) = call.args.first()
    {
        expr = first;
    }
    if !expr.exists(|inner| Ok(matches!(inner, Expr::Case(_))))? {
        return expr.get_type(schema);
    }
    // A CASE has the type of its first branch until DataFusion brings its branches to one type.
    expr.clone().transform_up(|inner| settled(inner, schema))?.data.get_type(schema)
}

/// A CASE whose branches have the type that DataFusion will give them; another expression as it is.
fn settled(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let Expr::Case(mut case) = expr else { return Ok(Transformed::no(expr)) };
    let branches = case.when_then_expr.iter().map(|(_, then)| then.get_type(schema)).collect::<Result<Vec<_>>>();
    let otherwise = case.else_expr.as_ref().map(|expr| expr.get_type(schema)).transpose();
    let (Ok(branches), Ok(otherwise)) = (branches, otherwise) else { return Ok(Transformed::no(Expr::Case(case))) };
    let common = if functions::mixes_doubles(branches.iter().chain(&otherwise)) {
        Some(DataType::Float64)
    } else {
        get_coerce_type_for_case_expression(&branches, otherwise.as_ref())
    };
    let Some(common) = common else { return Ok(Transformed::no(Expr::Case(case))) };
    for ((_, then), branch) in case.when_then_expr.iter_mut().zip(&branches) {
        let branch_expr = std::mem::replace(then.as_mut(), Expr::Literal(ScalarValue::Null, None));
        **then = cast_if(branch_expr, branch, &common);
    }
    Ok(Transformed::yes(Expr::Case(case)))
}

/// A field of a row by its name as Redshift means it.
fn folded(mut raw: RawFieldAccessExpr, dialect: Dialect) -> RawFieldAccessExpr {
    if dialect.rules().fields_fold
        && let GetFieldAccess::NamedStructField { name: ScalarValue::Utf8(Some(name)) } = &mut raw.field_access
    {
        *name = sql::member(name).0.to_lowercase();
    }
    raw
}

/// Trino's `[]` is an error where there is no such element.
fn subscript(
    dialect: Dialect,
    raw: RawFieldAccessExpr,
    schema: &DFSchema,
) -> Result<PlannerResult<RawFieldAccessExpr>> {
    if !dialect.rules().strict_subscripts {
        return Ok(PlannerResult::Original(raw));
    }
    let container = raw.expr.get_type(schema);
    let key = match (&raw.field_access, &container) {
        (GetFieldAccess::ListIndex { key }, Ok(DataType::List(_) | DataType::LargeList(_) | DataType::Map(..))) => {
            key.as_ref().clone()
        }
        (GetFieldAccess::NamedStructField { name }, Ok(DataType::Map(..))) => Expr::Literal(name.clone(), None),
        _ => return Ok(PlannerResult::Original(raw)),
    };
    let Some(function) = functions::scalar(dialect, "$subscript") else { return Ok(PlannerResult::Original(raw)) };
    let args = vec![raw.expr.clone(), key];
    Ok(PlannerResult::Planned(Expr::ScalarFunction(ScalarFunction::new_udf(function, args))))
}

fn is_decimal(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..))
}

/// The signed integer that holds an integer.
fn signed(data_type: &DataType) -> Option<DataType> {
    Some(match data_type {
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => data_type.clone(),
        DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        _ => return None,
    })
}

/// The decimal that a number is computed as: an integer of as many digits as its type has.
fn as_decimal(data_type: &DataType) -> Option<DataType> {
    Some(match data_type {
        DataType::Decimal128(..) => data_type.clone(),
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        _ => match signed(data_type)? {
            DataType::Int8 => DataType::Decimal128(3, 0),
            DataType::Int16 => DataType::Decimal128(5, 0),
            DataType::Int32 => DataType::Decimal128(10, 0),
            _ => DataType::Decimal128(19, 0),
        },
    })
}

/// A decimal of the digits of both; `None` where no more than the largest could have them.
fn digits_of_product(left: &DataType, right: &DataType) -> Option<DataType> {
    let (DataType::Decimal128(left, of_left), DataType::Decimal128(right, of_right)) = (left, right) else {
        return None;
    };
    (left + right < DECIMAL128_MAX_PRECISION).then(|| DataType::Decimal128(left + right, of_left + of_right))
}

/// The types of an operator's sides.
struct Operands {
    left: DataType,
    right: DataType,
    dialect: Dialect,
}

impl Operands {
    fn rules(&self) -> &'static Rules {
        self.dialect.rules()
    }

    /// Trino's JSON is equal to JSON or not, and nothing else.
    fn check_json(&self, op: &BinaryOperator) -> Result<()> {
        let are = [&self.left, &self.right].map(|side| *side == functions::JSON);
        let is_null = self.left.is_null() || self.right.is_null();
        let compares = matches!(op, BinaryOperator::Eq | BinaryOperator::NotEq);
        let is_right = compares && (are == [true, true] || is_null);
        if self.rules().json_is_a_type && are.contains(&true) && !is_right {
            return Err(no_operator(op, &self.left, &self.right));
        }
        Ok(())
    }

    fn intervals(&self) -> super::intervals::Operands<'_> {
        super::intervals::Operands { left: &self.left, right: &self.right, dialect: self.dialect }
    }

    fn arithmetic(mut self, mut raw: RawBinaryExpr) -> Result<PlannerResult<RawBinaryExpr>> {
        if self.left.is_null() || self.right.is_null() {
            return Ok(PlannerResult::Original(raw));
        }
        let joins = |of: fn(&DataType) -> bool| of(&self.left) && of(&self.right);
        if raw.op == BinaryOperator::Plus && self.rules().plus_joins_texts && (joins(is_text) || joins(is_binary)) {
            return Ok(PlannerResult::Planned(binary_expr(raw.left, Operator::StringConcat, raw.right)));
        }
        if is_interval(&self.left) || is_interval(&self.right) {
            match self.intervals().arithmetic(raw)? {
                Ok(planned) => return Ok(PlannerResult::Planned(planned)),
                Err(unchanged) => raw = unchanged,
            }
        }
        if let Some(planned) = self.in_own_zone(&raw)? {
            return Ok(PlannerResult::Planned(planned));
        }
        if let Some(planned) = self.dates(&raw)? {
            return Ok(PlannerResult::Planned(planned));
        }
        // A literal text beside a number is of no type yet.
        for left_is_text in [true, false] {
            let (own, other) = if left_is_text { (&self.left, &self.right) } else { (&self.right, &self.left) };
            if !is_text(own) || !other.is_numeric() {
                continue;
            }
            let side = if left_is_text { &mut raw.left } else { &mut raw.right };
            if !self.rules().texts_mix || !matches!(side, Expr::Literal(..)) {
                return Err(no_operator(&raw.op, &self.left, &self.right));
            }
            let target = if is_decimal(other) { DataType::Float64 } else { other.clone() };
            let literal = std::mem::replace(side, Expr::Literal(ScalarValue::Null, None));
            *side = cast_by_dialect(literal, &target, self.dialect);
            *(if left_is_text { &mut self.left } else { &mut self.right }) = target;
        }
        let (left, right) = (self.left.clone(), self.right.clone());
        if let (Some(l), Some(r)) = (signed(&left), signed(&right)) {
            return Ok(PlannerResult::Planned(self.integers(raw, l, r)?));
        }
        if left.is_floating() || right.is_floating() {
            return self.floats(raw);
        }
        let division = raw.op == BinaryOperator::Divide;
        if raw.op == BinaryOperator::Multiply
            && self.rules().tight_products
            && let (Some(l), Some(r)) = (as_decimal(&left), as_decimal(&right))
            && let Some(digits) = digits_of_product(&l, &r)
        {
            let (one, other) = (cast_if(raw.left, &left, &l), cast_if(raw.right, &right, &r));
            return Ok(PlannerResult::Planned(cast(binary_expr(one, Operator::Multiply, other), digits)));
        }
        if division && let (Some(l), Some(r)) = (as_decimal(&left), as_decimal(&right)) {
            let args = vec![cast_if(raw.left, &left, &l), cast_if(raw.right, &right, &r)];
            return Ok(PlannerResult::Planned(self.call("$divide", args)?));
        }
        Ok(PlannerResult::Original(raw))
    }

    /// `a + b + c` is one call of three operands, computed from the left as written: what is not nested is planned faster.
    fn integers(&self, raw: RawBinaryExpr, left: DataType, right: DataType) -> Result<Expr> {
        let wider = if left.primitive_width() >= right.primitive_width() { left } else { right };
        let (l, r) = (cast_if(raw.left, &self.left, &wider), cast_if(raw.right, &self.right, &wider));
        let name = match raw.op {
            BinaryOperator::Plus => ADD,
            BinaryOperator::Minus => SUBTRACT,
            BinaryOperator::Multiply => MULTIPLY,
            BinaryOperator::Divide => return Ok(binary_expr(l, Operator::Divide, r)),
            _ => return Ok(binary_expr(l, Operator::Modulo, r)),
        };
        match l {
            Expr::ScalarFunction(mut chain) if chain.name() == name => {
                chain.args.push(r);
                Ok(Expr::ScalarFunction(chain))
            }
            l => self.call(name, vec![l, r]),
        }
    }

    fn floats(&self, mut raw: RawBinaryExpr) -> Result<PlannerResult<RawBinaryExpr>> {
        let rules = self.rules();
        let wide = self.left != self.right && (rules.real_widens || is_decimal(&self.left) || is_decimal(&self.right));
        if wide && (self.left == DataType::Float32 || self.right == DataType::Float32) && rules.real_widens {
            raw.left = cast_if(raw.left, &self.left, &DataType::Float64);
            raw.right = cast_if(raw.right, &self.right, &DataType::Float64);
        }
        let name = match raw.op {
            _ if !rules.float_division_is_checked => return Ok(PlannerResult::Original(raw)),
            BinaryOperator::Plus => "$add_float",
            BinaryOperator::Minus => "$subtract_float",
            BinaryOperator::Multiply => "$multiply_float",
            BinaryOperator::Divide => "$divide_float",
            BinaryOperator::Modulo => "$modulo_float",
            _ => return Ok(PlannerResult::Original(raw)),
        };
        let narrow = self.left == DataType::Float32 && self.right == DataType::Float32;
        let computed = self.call(name, vec![raw.left, raw.right])?;
        Ok(PlannerResult::Planned(if narrow { cast(computed, DataType::Float32) } else { computed }))
    }

    /// A moment with a zone of its own and an interval, whose days and months Arrow would both take for the zone's.
    fn in_own_zone(&self, raw: &RawBinaryExpr) -> Result<Option<Expr>> {
        let name = match raw.op {
            BinaryOperator::Plus => functions::LATER_IN_OWN_ZONE,
            BinaryOperator::Minus => functions::EARLIER_IN_OWN_ZONE,
            _ => return Ok(None),
        };
        let is_own = |t: &DataType| !self.rules().zone_is_set && Zone::own(t).is_some();
        let is_span = |t: &DataType| matches!(t, DataType::Interval(_));
        let (moment, span) = if is_own(&self.left) && is_span(&self.right) {
            (&raw.left, &raw.right)
        } else if is_span(&self.left) && is_own(&self.right) && raw.op == BinaryOperator::Plus {
            (&raw.right, &raw.left)
        } else {
            return Ok(None);
        };
        self.call(name, vec![moment.clone(), span.clone()]).map(Some)
    }

    /// Days added to dates, dates subtracted, times added to dates.
    fn dates(&self, raw: &RawBinaryExpr) -> Result<Option<Expr>> {
        let moment = |t: &DataType| matches!(t, DataType::Date32 | DataType::Timestamp(..));
        let sign = match raw.op {
            BinaryOperator::Plus => 1,
            BinaryOperator::Minus => -1,
            _ => return Ok(None),
        };
        if !self.rules().dates_count_days {
            return if sign < 0 { self.apart(raw) } else { Ok(None) };
        }
        let (left, right) = (raw.left.clone(), raw.right.clone());
        if self.left == DataType::Date32 && self.right == DataType::Date32 && sign < 0 {
            return Ok(Some(self.call("$days_between", vec![left, right])?));
        }
        let integer = |t: &DataType| signed(t).is_some();
        if moment(&self.left) && integer(&self.right) {
            let days = cast(right, DataType::Int64);
            let days = if sign < 0 { Expr::Negative(Box::new(days)) } else { days };
            return Ok(Some(self.call("$add_days", vec![left, days])?));
        }
        if integer(&self.left) && moment(&self.right) && sign > 0 {
            return Ok(Some(self.call("$add_days", vec![right, cast(left, DataType::Int64)])?));
        }
        let time = |t: &DataType| *t == DataType::Time64(TimeUnit::Microsecond);
        if self.left == DataType::Date32 && time(&self.right) && sign > 0 {
            return Ok(Some(self.call(functions::DATE_AND_TIME, vec![left, right])?));
        }
        if time(&self.left) && self.right == DataType::Date32 && sign > 0 {
            return Ok(Some(self.call(functions::DATE_AND_TIME, vec![right, left])?));
        }
        let has_time = |expr: &Expr| match expr {
            Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(interval)), _) => interval.nanoseconds != 0,
            _ => true,
        };
        let stamp = DataType::Timestamp(TimeUnit::Microsecond, None);
        let op = if sign > 0 { Operator::Plus } else { Operator::Minus };
        // A date by whole days is computed as one and is its midnight, so that `date_of` finds it.
        if self.left == DataType::Date32 && matches!(self.right, DataType::Interval(_)) {
            return Ok(Some(if has_time(&right) {
                binary_expr(cast(left, stamp), op, right)
            } else {
                cast(binary_expr(left, op, right), stamp)
            }));
        }
        if self.right == DataType::Date32 && matches!(self.left, DataType::Interval(_)) {
            return Ok(Some(if has_time(&left) {
                binary_expr(left, op, cast(right, stamp))
            } else {
                cast(binary_expr(left, op, right), stamp)
            }));
        }
        Ok(None)
    }

    /// How far two dates, as their midnights, or two times of day are apart.
    fn apart(&self, raw: &RawBinaryExpr) -> Result<Option<Expr>> {
        let (left, right) = (|| raw.left.clone(), || raw.right.clone());
        let stamp = || DataType::Timestamp(TimeUnit::Microsecond, None);
        Ok(match (&self.left, &self.right) {
            (DataType::Date32, DataType::Date32) => {
                Some(binary_expr(cast(left(), stamp()), Operator::Minus, cast(right(), stamp())))
            }
            (DataType::Time64(_), DataType::Time64(_)) => {
                Some(self.call(functions::BETWEEN_TIMES, vec![left(), right()])?)
            }
            _ => None,
        })
    }

    /// Bits of bytes; those of numbers are DataFusion's.
    fn bits(&self, raw: RawBinaryExpr) -> Result<PlannerResult<RawBinaryExpr>> {
        if !is_binary(&self.left) || !is_binary(&self.right) {
            return Ok(PlannerResult::Original(raw));
        }
        let name = match raw.op {
            BinaryOperator::BitwiseAnd => "$bytes_and",
            BinaryOperator::BitwiseOr => "$bytes_or",
            _ => "$bytes_xor",
        };
        Ok(PlannerResult::Planned(self.call(name, vec![raw.left, raw.right])?))
    }

    /// NULL with anything is NULL, an array or its element too; what is no text becomes one as a cast makes it, where that is allowed.
    fn concat(&self, mut raw: RawBinaryExpr) -> Result<PlannerResult<RawBinaryExpr>> {
        let (depth, other) = (list_ndims(&self.left), list_ndims(&self.right));
        if depth + other > 0 && self.rules().null_hides_arrays && !self.left.is_null() && !self.right.is_null() {
            let join = match depth.cmp(&other) {
                Ordering::Less => array_prepend_udf(),
                Ordering::Equal => array_concat_udf(),
                Ordering::Greater => array_append_udf(),
            };
            let is_null = raw.left.clone().is_null().or(raw.right.clone().is_null());
            let joined = join.call(vec![raw.left, raw.right]);
            return Ok(PlannerResult::Planned(when(is_null, lit(ScalarValue::Null)).otherwise(joined)?));
        }
        let mixes = |own: &DataType, other: &DataType| {
            is_text(other) && (own.is_numeric() || own.is_temporal() || *own == DataType::Boolean)
        };
        let (left, right) = (mixes(&self.left, &self.right), mixes(&self.right, &self.left));
        if !left && !right {
            return Ok(PlannerResult::Original(raw));
        }
        if !self.rules().texts_mix {
            return Err(no_operator(&raw.op, &self.left, &self.right));
        }
        let side = if left { &mut raw.left } else { &mut raw.right };
        let value = std::mem::replace(side, Expr::Literal(ScalarValue::Null, None));
        let from = if left { &self.left } else { &self.right };
        *side = if functions::cast_differs(from, &DataType::Utf8View, self.dialect) {
            cast_by_dialect(value, &DataType::Utf8View, self.dialect)
        } else {
            cast(value, DataType::Utf8View)
        };
        Ok(PlannerResult::Original(raw))
    }

    fn comparison(&self, mut raw: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        if is_interval(&self.left) || is_interval(&self.right) {
            self.intervals().comparison(&mut raw)?;
            return Ok(PlannerResult::Original(raw));
        }
        let mixes = |a: &DataType, b: &DataType| is_text(a) && (b.is_numeric() || *b == DataType::Boolean);
        if !self.rules().texts_mix && (mixes(&self.left, &self.right) || mixes(&self.right, &self.left)) {
            return Err(no_operator(&raw.op, &self.left, &self.right));
        }
        if self.right == DataType::Date32
            && let Some(date) = date_of(&raw.left, schema).cloned()
        {
            raw.left = date;
            return Ok(PlannerResult::Original(raw));
        }
        if self.left == DataType::Date32
            && let Some(date) = date_of(&raw.right, schema).cloned()
        {
            raw.right = date;
            return Ok(PlannerResult::Original(raw));
        }
        if let Some(moment) = moment_of_text(&raw.right, &self.left, schema, self.dialect) {
            raw.right = moment;
        } else if let Some(moment) = moment_of_text(&raw.left, &self.right, schema, self.dialect) {
            raw.left = moment;
        } else {
            return Ok(self.widened(raw));
        }
        Ok(PlannerResult::Original(raw))
    }

    /// A date beside a moment is compared in microseconds: DataFusion's nanoseconds hold the years 1677 to 2262 only. A
    /// decimal beside a floating-point number is compared as one: not every double is a decimal.
    fn widened(&self, mut raw: RawBinaryExpr) -> PlannerResult<RawBinaryExpr> {
        let wide = |zone: &Option<Arc<str>>| DataType::Timestamp(TimeUnit::Microsecond, zone.clone());
        match (&self.left, &self.right) {
            (left, right) if is_decimal(left) && right.is_floating() => raw.left = cast(raw.left, DataType::Float64),
            (left, right) if left.is_floating() && is_decimal(right) => raw.right = cast(raw.right, DataType::Float64),
            (DataType::Date32, DataType::Timestamp(_, zone)) => raw.left = cast(raw.left, wide(zone)),
            (DataType::Timestamp(_, zone), DataType::Date32) => raw.right = cast(raw.right, wide(zone)),
            _ => {}
        }
        PlannerResult::Original(raw)
    }

    fn call(&self, name: &str, args: Vec<Expr>) -> Result<Expr> {
        functions::call(self.dialect, name, args)
    }
}

/// The date that a moment is the midnight of, where it was made of one: dates compare as their midnights, and as dates
/// they are compared with columns without a cast of these.
pub(super) fn date_of<'a>(moment: &'a Expr, schema: &DFSchema) -> Option<&'a Expr> {
    let Expr::Cast(cast) = moment else { return None };
    let is_moment = *cast.field.data_type() == DataType::Timestamp(TimeUnit::Microsecond, None);
    let is_date = is_moment && cast.expr.get_type(schema).is_ok_and(|from| from == DataType::Date32);
    is_date.then_some(cast.expr.as_ref())
}

/// A literal text that is compared with a date or a moment, read as the dialect reads it. DataFusion would read it as Arrow
/// does, in nanoseconds, which neither know all texts nor hold all years.
pub(super) fn moment_of_text(text: &Expr, other: &DataType, schema: &DFSchema, dialect: Dialect) -> Option<Expr> {
    if !matches!(text, Expr::Literal(..)) || !other.is_temporal() || is_interval(other) {
        return None;
    }
    if let Some(moment) = moments::meant(text, other, dialect) {
        return Some(moment);
    }
    let from = text.get_type(schema).ok().filter(is_text)?;
    functions::cast_differs(&from, other, dialect).then(|| cast_by_dialect(text.clone(), other, dialect))
}

pub(super) fn no_operator(
    op: &BinaryOperator,
    left: &DataType,
    right: &DataType,
) -> datafusion::error::DataFusionError {
    let message = format!("operator does not exist: {} {op} {}", shown_type(left), shown_type(right));
    Error::new(ErrorKind::UndefinedFunction, message).with_hint("cast one side to the type of the other").into()
}

fn cast_if(expr: Expr, from: &DataType, to: &DataType) -> Expr {
    if from == to { expr } else { cast(expr, to.clone()) }
}

fn cast_by_dialect(expr: Expr, to: &DataType, dialect: Dialect) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(functions::cast_function(to.clone(), false, dialect), vec![expr]))
}
