//! What a sum's argument is made of: one expression, plus or minus constants, in a type that has room for every step.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, Operator};

/// Whole numbers' operators, as both dialects' are planned: calls of two or more operands of one type, computed from the
/// left, that end in an error rather than wrap. Nobody else's function has such a name.
const ADD: &str = "$add";
const SUBTRACT: &str = "$subtract";

/// Most digits of a decimal. Any number of rows with so many digits has a sum of 38.
const MOST_DIGITS: u8 = 18;

/// `base + offset`, `offset - base`, or `offset` alone.
#[derive(Debug)]
pub(super) struct Linear<'a> {
    pub(super) base: Option<Base<'a>>,
    /// As a whole number of the type's last digits.
    pub(super) offset: i128,
    /// The type of all of it.
    pub(super) data_type: DataType,
}

/// What is not known before the query runs. Its type has as many digits behind the point as what it is part of.
#[derive(Debug)]
pub(super) struct Base<'a> {
    pub(super) expr: &'a Expr,
    pub(super) data_type: DataType,
    pub(super) is_negated: bool,
}

impl<'a> Linear<'a> {
    /// Takes an expression apart, as far as no step can leave its type: it is its own base from where one can. `None` for
    /// other types, and for what is another value each time.
    pub(super) fn of(expr: &'a Expr, input: &DFSchema) -> Option<Self> {
        Self::computed(expr, input).filter(Self::fits).or_else(|| Self::alone(expr, input))
    }

    fn computed(expr: &'a Expr, input: &DFSchema) -> Option<Self> {
        match expr {
            Expr::Literal(value, _) => Self::constant(value),
            Expr::Cast(cast) if cast.field.data_type().is_integer() => {
                let inner = Self::of(&cast.expr, input)?;
                let data_type = cast.field.data_type().clone();
                inner.data_type.is_integer().then_some(Self { data_type, ..inner })
            }
            Expr::ScalarFunction(call) if is_sum(expr) && has_one_base(&call.args) => {
                let mut operands = call.args.iter().map(|operand| Self::of(operand, input));
                let first = operands.next()??;
                operands.try_fold(first, |sum, operand| sum.plus(operand?, call.name() == SUBTRACT))
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right })
                if is_sum(expr) && has_one_base([left.as_ref(), right.as_ref()]) =>
            {
                Self::of(left, input)?.plus(Self::of(right, input)?, *op == Operator::Minus)
            }
            _ => None,
        }
    }

    fn constant(value: &ScalarValue) -> Option<Self> {
        let offset = match value {
            ScalarValue::Int8(Some(value)) => i128::from(*value),
            ScalarValue::Int16(Some(value)) => i128::from(*value),
            ScalarValue::Int32(Some(value)) => i128::from(*value),
            ScalarValue::Int64(Some(value)) => i128::from(*value),
            ScalarValue::Decimal128(Some(value), ..) => *value,
            _ => return None,
        };
        Some(Self { base: None, offset, data_type: value.data_type() })
    }

    fn alone(expr: &'a Expr, input: &DFSchema) -> Option<Self> {
        if matches!(expr, Expr::Literal(..)) || expr.is_volatile() {
            return None;
        }
        let data_type = expr.get_type(input).ok()?;
        bounds(&data_type)?;
        let base = Base { expr, data_type: data_type.clone(), is_negated: false };
        Some(Self { base: Some(base), offset: 0, data_type })
    }

    /// The sum or the difference, where it stays within its type.
    fn plus(self, other: Self, is_subtracted: bool) -> Option<Self> {
        let data_type = type_of_sum(&self.data_type, &other.data_type)?;
        let (left, right) = (self.rescaled(&data_type)?, other.rescaled(&data_type)?);
        let base = match (left.base, right.base) {
            (base, None) => base,
            (None, Some(base)) => Some(Base { is_negated: base.is_negated != is_subtracted, ..base }),
            (Some(_), Some(_)) => return None,
        };
        let offset = if is_subtracted { left.offset - right.offset } else { left.offset + right.offset };
        Some(Self { base, offset, data_type }).filter(Self::fits)
    }

    /// With as many digits behind the point as a type has. A base does not get more: its own sum has none of them.
    fn rescaled(self, to: &DataType) -> Option<Self> {
        let more = u32::try_from(scale(to) - scale(&self.data_type)).ok()?;
        if more == 0 {
            return Some(self);
        }
        let offset = self.offset.checked_mul(10_i128.checked_pow(more)?)?;
        self.base.is_none().then_some(Self { offset, ..self })
    }

    /// Whether its type has all values that it may have.
    fn fits(&self) -> bool {
        let of_base = self.base.as_ref().map_or(Some((0, 0)), |base| {
            let (least, largest) = bounds(&base.data_type)?;
            Some(if base.is_negated { (-largest, -least) } else { (least, largest) })
        });
        let (Some((low, high)), Some((least, largest))) = (of_base, bounds(&self.data_type)) else { return false };
        least <= low + self.offset && high + self.offset <= largest
    }
}

/// Whether an expression is a sum or a difference, which is cheap to see.
pub(super) fn is_sum(expr: &Expr) -> bool {
    match expr {
        Expr::ScalarFunction(call) => [ADD, SUBTRACT].contains(&call.name()),
        Expr::BinaryExpr(operation) => matches!(operation.op, Operator::Plus | Operator::Minus),
        _ => false,
    }
}

/// Whether all operands but one at most are constants.
fn has_one_base<'a>(operands: impl IntoIterator<Item = &'a Expr>) -> bool {
    operands.into_iter().filter(|operand| !matches!(operand, Expr::Literal(..))).count() <= 1
}

/// The least and the largest value of a type; `None` for types whose sums are not taken apart.
fn bounds(data_type: &DataType) -> Option<(i128, i128)> {
    Some(match data_type {
        DataType::Int8 => (i8::MIN.into(), i8::MAX.into()),
        DataType::Int16 => (i16::MIN.into(), i16::MAX.into()),
        DataType::Int32 => (i32::MIN.into(), i32::MAX.into()),
        DataType::Int64 => (i64::MIN.into(), i64::MAX.into()),
        DataType::UInt8 => (0, u8::MAX.into()),
        DataType::UInt16 => (0, u16::MAX.into()),
        DataType::UInt32 => (0, u32::MAX.into()),
        DataType::Decimal128(digits, scale) if *digits <= MOST_DIGITS && *scale >= 0 => {
            let largest = 10_i128.pow(u32::from(*digits)) - 1;
            (-largest, largest)
        }
        _ => return None,
    })
}

/// Digits behind the point.
fn scale(data_type: &DataType) -> i32 {
    match data_type {
        DataType::Decimal128(_, scale) => i32::from(*scale),
        _ => 0,
    }
}

/// The type of a sum: that of whole numbers' operands; of decimals Arrow's, which has one digit more before the point.
fn type_of_sum(left: &DataType, right: &DataType) -> Option<DataType> {
    match (left, right) {
        (DataType::Decimal128(p1, s1), DataType::Decimal128(p2, s2)) => {
            let before = (i32::from(*p1) - i32::from(*s1)).max(i32::from(*p2) - i32::from(*s2));
            let scale = *s1.max(s2);
            let digits = u8::try_from(before + i32::from(scale) + 1).ok()?;
            (digits <= MOST_DIGITS).then_some(DataType::Decimal128(digits, scale))
        }
        (left, right) => (left.is_integer() && left == right).then(|| left.clone()),
    }
}
